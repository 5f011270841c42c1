/* Rows seen before: those of a recursive UNION. The rows lie in a list, which goes to disk beyond the grant; in memory stays an index
 * of 16 bytes for each, and as much again free. Private to sqlfront/run. */
#ifndef SYNOD_SQLFRONT_RUN_SEEN_ROWS_H
#define SYNOD_SQLFRONT_RUN_SEEN_ROWS_H

#include "sqlfront/run/operator.h"
#include "sqlfront/run/row_list.h"

struct seen_entry {
    uint64_t hash;
    uint64_t number; /* of the row in the list, from 1; 0 = free */
};

struct seen_rows {
    struct operation *step;
    struct scope *scope;
    struct row_list *rows;
    struct row_reader reader;
    struct seen_entry *entry; /* open addressing */
    uint64_t mask, count;
    /* The row looked at last: many come again one after the other. */
    struct scope *last_scope;
    struct value *last;
    uint64_t last_number; /* from 1 */
};

/* Rows of the step's columns. Everything is the scope's. 53200. */
enum sqlstate seen_rows_open(struct operation *step, struct scope *scope, struct seen_rows *seen,
                             struct error *error);
/* Of a batch's rows those that come for the first time, each once, into selection[0 .. *count-1]; from now on they were seen.
 * Yields. */
enum sqlstate seen_rows_take(struct seen_rows *seen, const struct batch *batch, uint16_t *selection,
                             uint32_t *count, struct error *error);

#endif
