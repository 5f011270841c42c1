/* Statistics on a table's columns: gathered from its rows on all cores at once, worked out afterwards. The one door of
 * sqlfront/statistics.
 *
 *     gathering_open     one for each core, by whoever wants to know
 *     gathering_row      every row, on the core that owns it: counted, its values sketched, some rows kept
 *     gatherings_even    when all rows were seen
 *     statistics_column  what all gatherings together say of a column
 *
 * How many values are different comes from a sketch of all values (sketch.c), everything else from the rows kept: about 300 for
 * each of `target` bounds of a histogram, as Chaudhuri, Motwani and Narasayya found to do ("Random sampling for histogram
 * construction", 1998). What is worked out of them follows PostgreSQL's ANALYZE (src/backend/commands/analyze.c), so that
 * pg_stats reads alike. */
#ifndef SYNOD_SQLFRONT_STATISTICS_STATISTICS_H
#define SYNOD_SQLFRONT_STATISTICS_STATISTICS_H

#include "sqlfront/value/value.h"

#define STATISTICS_ROWS_PER_TARGET 300
/* Longer values are not kept: few of them would fill the memory. They count for null_share and width. */
#define STATISTICS_VALUE_BYTES_MAX 1024

struct gathering;

struct gathering_request {
    struct environment *environment; /* only its type_find is used, for types that are bound already */
    const struct row_layout *layout;
    const struct type *const *types;
    const uint16_t *wanted; /* columns to look at */
    uint32_t wanted_count;
    uint32_t columns;     /* of the table */
    uint32_t rows_wanted; /* to be kept, of all gatherings together */
    double rows_expected; /* in all of them */
    uint64_t seed;
};

/* One core's part. Memory is the scope's, all of it taken here: at most some 200 bytes for each of rows_wanted, and 4 KiB for each
 * wanted column. 53200. Does not yield. */
enum sqlstate gathering_open(struct scope *scope, const struct gathering_request *request,
                             struct gathering **gathering, struct error *error);

/* Takes a row; `place` grows in the order of keys. XX001. Does not yield. */
enum sqlstate gathering_row(struct gathering *gathering, struct bytes row, uint64_t place,
                            struct error *error);

uint64_t gathering_rows(const struct gathering *gathering);

/* Before anything is worked out: makes all keep the same share of their rows. Does not yield. */
void gatherings_even(struct gathering *const *gatherings, uint32_t count);

struct column_statistics {
    double null_share;
    double width;    /* bytes as PostgreSQL counts them, of values that are not null */
    double distinct; /* different values; 0 = cannot be told */
    bool grows;      /* `distinct` grows with the table: most values are rare */
    /* The most common values and their share of all rows, the commonest first. */
    uint32_t commons;
    struct value *common;
    double *share;
    /* Of the others: bounds of stretches that hold as many values each, ascending. */
    uint32_t bounds;
    struct value *bound;
    bool has_correlation;
    double correlation; /* of the order of values with that of keys: -1 .. 1 */
};

/* What `count` gatherings say of column `wanted` (its place in the request); `target` is default_statistics_target, 1 .. 10000. Memory
 * is the scope's; scratch goes before this returns. Takes some ms for 30,000 rows; does not yield. */
enum sqlstate statistics_column(struct scope *scope, struct gathering *const *gatherings, uint32_t count,
                                uint32_t wanted, uint32_t target, struct column_statistics *statistics,
                                struct error *error);

/* ---- how many different values, from their hashes (sketch.c) ---- */

#define SKETCH_BYTES 4096

void sketch_add(uint8_t *registers, uint64_t hash);
void sketch_merge(uint8_t *into, const uint8_t *from);
/* About so many different hashes were added: within 2 % two times of three. */
double sketch_count(const uint8_t *registers);

#endif
