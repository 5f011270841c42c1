/* Rows for a new table, collected, sorted and loaded at once. */
#ifndef SYNOD_SQLFRONT_DEFINE_PILE_H
#define SYNOD_SQLFRONT_DEFINE_PILE_H

#include "engine/engine.h"
#include "sqlfront/run/spill.h"

struct pile_row {
    struct bytes key, row;
};

struct pile_options {
    struct world *world;
    struct engine *engine;
    struct transaction *transaction;
    uint64_t table;     /* made in this transaction, empty */
    size_t memory;      /* bytes of rows held at once */
    uint64_t temporary; /* bytes of temporary files; 0 = no limit */
    int64_t *loaded;    /* counts the rows given to the table; NULL = nobody looks */
};

struct pile {
    struct pile_options options;
    struct scope *scope;     /* of everything here */
    struct scope *in_memory; /* of the rows that are */
    struct pile_row *rows;
    size_t count, room, bytes, bytes_max;
    bool in_order;          /* keys came ascending, those in memory */
    struct bytes duplicate; /* found before the end; size 0 = none */
    /* Sorted runs on disk, once there were too many rows for memory. */
    struct spill_account account;
    struct spill *spill;
    const struct type *run_types[2];
    struct spill_run **run;
    uint32_t runs;
    size_t at; /* while loading from memory */
};

/* Holds as many rows as are allowed, or as fit an eighth of the memory there is left. */
void pile_open(struct pile *pile, struct scope *scope, const struct pile_options *options);

/* Adds a copy. 53200, 53100. Yields. */
enum sqlstate pile_add(struct pile *pile, struct bytes key, struct bytes row, struct error *error);

/* Writes what was collected. *duplicate is the first key that came twice, or has size 0; then the transaction is to be given up. Memory of the
 * pile's scope. Yields. */
enum sqlstate pile_finish(struct pile *pile, struct bytes *duplicate, struct error *error);

#endif
