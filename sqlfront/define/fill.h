/* The entries an index has of rows that are there already. Private to sqlfront/define. */
#ifndef SYNOD_SQLFRONT_DEFINE_FILL_H
#define SYNOD_SQLFRONT_DEFINE_FILL_H

#include "sqlfront/define/pile.h"
#include "sqlfront/define/rows.h"

/* One index, ready to take the entries of rows. */
struct filler {
    struct work *work;
    const struct relation *relation;
    const struct index *index;
    struct program **expressions;
    struct program *predicate;
    struct value *parts; /* of the row at hand: key columns, then included ones */
    struct pile pile;    /* its entries */
};

/* A pile that goes to a table of the engine made in this transaction. */
void pile_of(struct work *work, struct pile *pile, uint64_t table);
/* Compiles the index's expressions and predicate. */
enum sqlstate filler_make(struct work *work, const struct relation *relation, const struct index *index,
                          struct filler *filler, struct error *error);
/* The index's columns of a row into filler->parts: `false` in *wanted when the predicate does not hold. */
enum sqlstate parts_of(struct filler *filler, struct scope *scope, const struct value *values, bool *wanted,
                       struct error *error);
/* Key and row of the entry, from the parts. */
enum sqlstate entry_make(struct filler *filler, struct scope *scope, struct bytes row_key,
                         struct key_writer *key, struct bytes *row, struct error *error);
/* A row's entry onto the pile; rows_each() calls it. */
enum sqlstate fill_one(void *argument, struct scope *scope, struct bytes key, const struct value *values,
                       struct error *error);
/* Writes what was collected; a key that came twice is named. */
enum sqlstate finish_pile(struct pile *pile, struct filler *filler, struct error *error);
/* 23505 of the key in filler->parts. */
enum sqlstate duplicate_found(struct filler *filler, struct error *error);

/* Where pg_stat_progress_create_index looks for them, and what PostgreSQL's b-tree calls the parts of a build. */
enum {
    FIGURE_COMMAND = 0,
    FIGURE_INDEX = 6,
    FIGURE_METHOD = 8,
    FIGURE_PHASE,
    FIGURE_PART,
    FIGURE_ROWS,
    FIGURE_LOADED
};
enum {
    COMMAND_CREATE = 1,
    COMMAND_CREATE_CONCURRENTLY,
    PHASE_BUILDING = 2,
    PART_SCANNING = 2,
    PART_LOADING = 5,
    METHOD_BTREE = 403
};

/* From now on pg_stat_progress_create_index tells of this build. */
enum sqlstate fill_progress_begin(struct work *work, const struct relation *relation,
                                  const struct index *index, bool concurrent, struct error *error);

#endif
