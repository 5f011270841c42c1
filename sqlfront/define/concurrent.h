/* Changes of indexes in several short transactions, so that nobody who writes to the table has to wait. Private to
 * sqlfront/define. */
#ifndef SYNOD_SQLFRONT_DEFINE_CONCURRENT_H
#define SYNOD_SQLFRONT_DEFINE_CONCURRENT_H

#include "sqlfront/define/fill.h"

/* One such statement at work. What is kept between its transactions goes by number: descriptors end with each. */
struct stage {
    const struct define_request *request;
    const struct Node *statement;
    uint32_t relation, index;
    uint32_t target; /* the index being built */
    bool nothing;    /* there is nothing to do after all */

    /* building */
    uint64_t store;   /* of the table, as it was when rows were first taken from it */
    struct walk walk; /* where to go on */
    bool through;     /* all rows were taken once */
    struct scope *scope;
    struct bytes *busy; /* keys of rows that others had locked */
    uint32_t busy_count, busy_room;
};

/* A transaction of its own: `run` in it, then it is committed, or rolled back when that failed. Yields. */
enum sqlstate stage_step(struct stage *stage,
                         enum sqlstate (*run)(struct stage *stage, struct work *work, struct error *error),
                         struct error *error);

/* Waits until all who write to the table have begun after the catalog became what it is now. Yields. */
enum sqlstate stage_wait_writers(struct stage *stage, struct error *error);

/* Gives the index an entry for every row. It is known to all who write: stage_wait_writers(). 23505. Yields. */
enum sqlstate stage_build(struct stage *stage, uint32_t index, struct error *error);

/* In a step: locks the table, and finds it and the index; 42704 when somebody has dropped either. */
enum sqlstate stage_find(struct stage *stage, struct work *work, uint32_t oid,
                         const struct relation **relation, const struct index **index, struct error *error);

/* Sets columns of the index's row in pg_index. */
enum sqlstate stage_set(struct work *work, uint32_t index, const int *columns, const bool *values,
                        uint32_t count, struct error *error);

#endif
