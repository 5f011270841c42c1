/* Rows for a new table, collected, sorted and loaded at once. */
#ifndef SYNOD_SQLFRONT_DEFINE_PILE_H
#define SYNOD_SQLFRONT_DEFINE_PILE_H

#include "engine/engine.h"

struct pile_row {
    struct bytes key, row;
};

struct pile {
    struct scope *scope; /* of the rows */
    struct transaction *transaction;
    uint64_t table; /* made in this transaction, empty */
    struct pile_row *rows;
    size_t count, room, bytes;
    bool in_order; /* keys came ascending */
    bool writing;  /* grew too large: rows are inserted one by one */
    size_t at;     /* while loading */
};

void pile_open(struct pile *pile, struct scope *scope, struct transaction *transaction, uint64_t table);

/* Adds a copy. *done false: the key is there already (found at once only when rows are inserted one by one). 53200. Yields. */
enum sqlstate pile_add(struct pile *pile, struct bytes key, struct bytes row, bool *done,
                       struct error *error);

/* Writes what was collected. *duplicate is the first key that came twice, or has size 0; then nothing was written. Yields. */
enum sqlstate pile_finish(struct pile *pile, struct bytes *duplicate, struct error *error);

#endif
