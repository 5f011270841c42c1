/* Sorting any number of rows: in memory, and in sorted runs on disk that are merged, when the memory granted is full.
 *
 *     sorter_open -> sorter_add ... -> sorter_sort -> sorter_give ... until none
 *
 * Equal rows come out in the order they came in. */
#ifndef SYNOD_SQLFRONT_RUN_SORTER_H
#define SYNOD_SQLFRONT_RUN_SORTER_H

#include "sqlfront/run/operator.h"

struct sorter;

struct sorter_options {
    struct operation *step; /* whose grant it has */
    struct scope *scope;    /* of the sorter, rows and file */
    uint32_t columns;
    const struct type *const *types;
    uint32_t keys;
    const struct plan_key *key; /* types and directions; expressions are not asked */
    const uint32_t *key_at;     /* the column each key stands in */
    uint64_t limit;             /* only the first so many are wanted; UINT64_MAX = all */
    size_t grant;               /* bytes before rows go to disk */
};

struct sorter_figures {
    uint64_t memory_peak, disk_bytes;
    uint32_t runs;
    bool shortened; /* rows beyond the limit were dropped on the way */
};

void sorter_open(const struct sorter_options *options, struct sorter **sorter);
/* Adds a copy of a row. 53200, 53100, 53400. Yields. */
enum sqlstate sorter_add(struct sorter *sorter, const struct value *const *columns, uint32_t row,
                         struct error *error);
/* All are there. 57014. Yields. */
enum sqlstate sorter_sort(struct sorter *sorter, struct error *error);
/* The next rows, at most `rows`, into room[column][...], of the first `columns` columns; *count 0 at the end. Bytes are the
 * sorter's or the scope's. Yields. */
enum sqlstate sorter_give(struct sorter *sorter, struct scope *scope, uint32_t columns, struct value **room,
                          uint32_t rows, uint32_t *count, struct error *error);
void sorter_figures(const struct sorter *sorter, struct sorter_figures *figures);

#endif
