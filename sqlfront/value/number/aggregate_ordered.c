/* Ordered-set aggregates: percentiles and the most frequent value (PostgreSQL manual, 9.21, table 9.62). */
#include "sqlfront/value/number/ordered.h"
#include "sqlfront/value/number/tables.h"

#include <math.h>

enum sqlstate ordered_set_add(struct call *call, struct ordered_set *set, const struct type *type,
                              const struct value *value)
{
    if (set->count == set->room) {
        uint64_t room = set->room ? 2 * set->room : 64;
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(call->scope_lasting, room * sizeof(struct value), 16, &memory, call->error);
        if (failed)
            return failed;
        if (set->count)
            memcpy(memory, set->values, set->count * sizeof(struct value));
        if (set->values)
            scope_free_large(call->scope_lasting, set->values);
        set->values = memory;
        set->room = room;
    }
    return value_copy(call->scope_lasting, type, value, &set->values[set->count++], call->error);
}

enum sqlstate percentile_check(struct call *call, double fraction)
{
    if (fraction >= 0 && fraction <= 1)
        return SQLSTATE_OK;
    return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                     isnan(fraction) ? "percentile value NaN is not between 0 and 1"
                                     : "percentile value %g is not between 0 and 1",
                     fraction);
}

enum sqlstate percentile_step(struct call *call, void *state, const struct value *arguments)
{
    struct ordered_set *set = state;
    set->fraction = arguments[0].f;
    return ordered_set_add(call, set, call->types[1], &arguments[1]);
}

bool percentile_place(const struct ordered_set *set, uint64_t *low, uint64_t *high, double *share)
{
    if (set->count == 0)
        return false;
    double place = set->fraction * (double)(set->count - 1);
    *low = (uint64_t)floor(place);
    *high = (uint64_t)ceil(place);
    *share = place - (double)*low;
    return true;
}

/* ---- percentile_disc: the first value at or behind the fraction ---- */

static enum sqlstate discrete_finish(struct call *call, void *state, struct value *result)
{
    const struct ordered_set *set = state;
    *result = value_null();
    if (set->count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = percentile_check(call, set->fraction);
    if (failed)
        return failed;
    double place = ceil(set->fraction * (double)set->count);
    *result = set->values[place <= 1 ? 0 : (uint64_t)place - 1];
    return SQLSTATE_OK;
}

/* ---- percentile_cont of floats: between two values ---- */

static enum sqlstate continuous_finish(struct call *call, void *state, struct value *result)
{
    const struct ordered_set *set = state;
    uint64_t low, high;
    double share;
    *result = value_null();
    if (set->count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = percentile_check(call, set->fraction);
    if (failed || !percentile_place(set, &low, &high, &share))
        return failed;
    double from = set->values[low].f, to = set->values[high].f;
    *result = value_float(low == high ? from : from + share * (to - from));
    return SQLSTATE_OK;
}

/* ---- mode: the value that comes most often; the first of several ---- */

struct mode {
    struct ordered_set kept; /* the best so far, and the one that is being counted */
    uint64_t best_count, count;
};

static enum sqlstate mode_step(struct call *call, void *state, const struct value *arguments)
{
    struct mode *mode = state;
    const struct type *type = call->types[0];
    struct ordered_set *kept = &mode->kept;
    if (mode->count && value_equal(call->environment, type, &kept->values[kept->count - 1], &arguments[0])) {
        mode->count++;
    } else {
        mode->count = 1;
        enum sqlstate failed = ordered_set_add(call, kept, type, &arguments[0]);
        if (failed)
            return failed;
        if (kept->count > 2) /* the one before was not the best: its place is free */
            kept->values[1] = kept->values[--kept->count];
    }
    if (mode->count > mode->best_count) {
        mode->best_count = mode->count;
        kept->values[0] = kept->values[kept->count - 1];
    }
    return SQLSTATE_OK;
}

static enum sqlstate mode_finish(struct call *call, void *state, struct value *result)
{
    const struct mode *mode = state;
    *result = mode->best_count ? mode->kept.values[0] : value_null();
    return SQLSTATE_OK;
}

static const struct aggregate aggregates[] = {
    {"percentile_cont",
     {TYPE_FLOAT8, TYPE_FLOAT8},
     sizeof(struct ordered_set),
     false,
     percentile_step,
     NULL,
     continuous_finish},
    {"percentile_disc",
     {TYPE_FLOAT8, TYPE_ANYELEMENT},
     sizeof(struct ordered_set),
     false,
     percentile_step,
     NULL,
     discrete_finish},
    {"mode", {TYPE_ANYELEMENT}, sizeof(struct mode), false, mode_step, NULL, mode_finish},
    {0},
};

const struct library ordered_aggregate_library = {.aggregates = aggregates};
