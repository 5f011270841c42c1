/* Ordered-set aggregates: their rows come sorted, each with the direct argument before the sorted one (percentile_cont(0.5)
 * WITHIN GROUP (ORDER BY x) steps over (0.5, x)). */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_ORDERED_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_ORDERED_H

#include "sqlfront/value/value.h"

/* The sorted values so far; starts as zeros. */
struct ordered_set {
    struct value *values;
    uint64_t count, room;
    double fraction; /* the direct argument of percentiles */
};

/* Keeps a copy of a value that is larger than or equal to all before. 53200. */
enum sqlstate ordered_set_add(struct call *call, struct ordered_set *set, const struct type *type,
                              const struct value *value);

/* step() of percentiles. */
enum sqlstate percentile_step(struct call *call, void *state, const struct value *arguments);

/* 22003 unless the fraction is between 0 and 1. */
enum sqlstate percentile_check(struct call *call, double fraction);

/* Where the percentile lies: between two places (from 0), and how far from the first; false when there are no values. */
bool percentile_place(const struct ordered_set *set, uint64_t *low, uint64_t *high, double *share);

#endif
