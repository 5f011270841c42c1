/* A window's partition that is beyond the grant: its rows wait in lists, which go to disk, and so do the results of each call once
 * they are there. In memory is what one call asks for while it is computed: 16 bytes a row for each order key, argument and
 * result, and the bytes of arguments. Private to sqlfront/run. */
#ifndef SYNOD_SQLFRONT_RUN_LARGE_PARTITION_H
#define SYNOD_SQLFRONT_RUN_LARGE_PARTITION_H

#include "sqlfront/run/operator.h"
#include "sqlfront/run/row_list.h"

struct large_partition {
    struct operation *step;
    struct scope *scope;
    uint32_t before, kept;           /* columns that are given, and all; the rest is for computing */
    const struct type *const *types; /* of all */
    struct row_list *rows;           /* columns given */
    struct row_list *inputs;         /* columns for computing */
    struct row_list **result;        /* of each call, one column */
    struct row_reader row_reader, *result_reader;
    uint32_t calls, calls_room;
    uint64_t count;
    struct value *first; /* the first row: whose partition it is */
};

/* Everything is the scope's; at most `calls` results will be kept. */
enum sqlstate large_partition_open(struct operation *step, struct scope *scope, uint32_t before,
                                   uint32_t kept, const struct type *const *types, uint32_t calls,
                                   struct large_partition **partition, struct error *error);
/* Adds a copy of a row. Yields. */
enum sqlstate large_partition_add(struct large_partition *partition, const struct value *const *columns,
                                  uint32_t row, struct error *error);
/* Brings `columns` columns from `from` on (not below `before`) of all rows into memory of the scope: into[i][row]. Yields. */
enum sqlstate large_partition_load(struct large_partition *partition, struct scope *scope, uint32_t from,
                                   uint32_t columns, struct value **into, struct error *error);
/* The results of the next call, for all rows. Yields. */
enum sqlstate large_partition_keep(struct large_partition *partition, const struct type *type,
                                   const struct value *results, struct error *error);
/* The next rows, at most BATCH_ROWS, with the calls' results behind them; *count 0 at the end. Bytes are the scope's, or as long
 * there as the partition. Yields. */
enum sqlstate large_partition_give(struct large_partition *partition, struct scope *scope,
                                   struct value **room, uint32_t *count, struct error *error);

#endif
