/* What gather.c leaves for column.c. Private to sqlfront/statistics. */
#ifndef SYNOD_SQLFRONT_STATISTICS_GATHER_H
#define SYNOD_SQLFRONT_STATISTICS_GATHER_H

#include "sqlfront/statistics/statistics.h"

struct column_sketch {
    uint8_t *registers; /* NULL: values of the type cannot be told equal */
    uint64_t nulls;
    double bytes;
};

struct kept_row {
    uint64_t place;
    struct bytes row; /* in the arena */
};

struct gathering {
    struct gathering_request request;
    uint64_t rows;
    double share; /* of the rows that are kept */
    uint64_t random, skip;
    struct value *values; /* of one row */
    struct column_sketch *sketch;
    struct kept_row *kept;
    uint32_t kept_count, kept_max;
    uint8_t *arena;
    size_t arena_bytes, arena_used;
};

/* Whether values can be compared and hashed where there is no catalog: not those made of others of a type of the user's. */
bool statistics_ordered(const struct type *type);

#endif
