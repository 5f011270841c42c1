/* What gives or takes many rows: generate_series() of time stamps, the known time zones, sums and averages of intervals. */
#include "sqlfront/value/number/ordered.h"
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"

/* ---- series ---- */

struct series {
    int64_t next, stop;
    struct span step;
    bool falling, over;
    const struct time_zone *zone; /* NULL: none */
};

static enum sqlstate open_series(struct call *call, const struct value *arguments,
                                 const struct time_zone *zone)
{
    struct series *series = scope_alloc_zeroed(call->scope_lasting, sizeof *series);
    series->next = arguments[0].i;
    series->stop = arguments[1].i;
    series->step = span_of(&arguments[2]);
    series->zone = zone;
    __int128 length = span_length(&series->step);
    if (length == 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "step size cannot equal zero");
    series->falling = length < 0;
    call->memory = series;
    return SQLSTATE_OK;
}

static enum sqlstate timestamps_open(struct call *call, const struct value *arguments)
{
    return open_series(call, arguments, NULL);
}

static enum sqlstate timestamptzs_open(struct call *call, const struct value *arguments)
{
    return open_series(call, arguments, session_zone(call->environment));
}

static enum sqlstate timestamps_next(struct call *call, struct value *results, bool *end)
{
    struct series *series = call->memory;
    *end = series->falling ? series->next < series->stop : series->next > series->stop;
    if (*end)
        return SQLSTATE_OK;
    results[0] = value_integer(series->next);
    return timestamp_add_span(series->zone, series->next, &series->step, &series->next, call->error);
}

/* ---- pg_timezone_names(): name, abbreviation, distance from UTC, whether it is summer there ---- */

static enum sqlstate zones_open(struct call *call, const struct value *arguments)
{
    call->memory = scope_alloc_zeroed(call->scope_lasting, sizeof(size_t));
    return SQLSTATE_OK;
}

static enum sqlstate zones_next(struct call *call, struct value *results, bool *end)
{
    size_t *at = call->memory;
    struct zone_state state;
    *end = *at >= zone_count();
    if (*end)
        return SQLSTATE_OK;
    const struct time_zone *zone = zone_at((*at)++);
    zone_local(zone, call->environment->transaction_time, &state);
    const struct span offset = {.microseconds = -state.west * MICROSECONDS_PER_SECOND};
    results[0] = value_text(zone->name);
    results[1] = value_text(scope_copy_text(call->scope, state.abbreviation));
    results[2] = span_value(call->scope, &offset);
    results[3] = value_boolean(state.daylight);
    return SQLSTATE_OK;
}

/* pg_timezone_abbrevs(): abbreviation, distance from UTC, whether it is summer time */
static enum sqlstate abbreviations_next(struct call *call, struct value *results, bool *end)
{
    size_t *at = call->memory;
    *end = *at >= zone_abbreviation_count();
    if (*end)
        return SQLSTATE_OK;
    const struct zone_abbreviation *abbreviation = zone_abbreviation_at((*at)++);
    struct zone_state state = {.west = abbreviation->west, .daylight = abbreviation->daylight};
    char *name = scope_copy_text(call->scope, abbreviation->name);
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    if (abbreviation->zone) {
        const struct time_zone *zone = zone_find(bytes_of_text(abbreviation->zone));
        if (zone)
            zone_abbreviation_west(zone, name, call->environment->transaction_time / MICROSECONDS_PER_SECOND,
                                   &state);
    }
    const struct span offset = {.microseconds = -state.west * MICROSECONDS_PER_SECOND};
    results[0] = value_text(name);
    results[1] = span_value(call->scope, &offset);
    results[2] = value_boolean(state.daylight);
    return SQLSTATE_OK;
}

/* ---- sum and average of intervals ---- */

struct span_sum {
    struct span sum;
    int64_t count;
};

static enum sqlstate span_step(struct call *call, void *state, const struct value *arguments)
{
    struct span_sum *sum = state;
    struct span span = span_of(&arguments[0]);
    sum->count++;
    return span_add(&sum->sum, &span, &sum->sum, call->error);
}

static enum sqlstate span_merge(struct call *call, void *into, const void *from)
{
    struct span_sum *sum = into;
    const struct span_sum *other = from;
    sum->count += other->count;
    return span_add(&sum->sum, &other->sum, &sum->sum, call->error);
}

static enum sqlstate sum_finish(struct call *call, void *state, struct value *result)
{
    const struct span_sum *sum = state;
    *result = sum->count ? span_value(call->scope, &sum->sum) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate average_finish(struct call *call, void *state, struct value *result)
{
    const struct span_sum *sum = state;
    struct span span;
    *result = value_null();
    if (sum->count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = span_scale(&sum->sum, (double)sum->count, true, &span, call->error);
    if (!failed)
        *result = span_value(call->scope, &span);
    return failed;
}

/* ---- percentile_cont of intervals ---- */

static enum sqlstate percentile_finish(struct call *call, void *state, struct value *result)
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
    struct span from = span_of(&set->values[low]), to = span_of(&set->values[high]), step;
    if (low != high) {
        if (span_negate(&from, &step, call->error) || span_add(&to, &step, &step, call->error) ||
            span_scale(&step, share, false, &step, call->error) || span_add(&from, &step, &from, call->error))
            return call->error->state;
    }
    *result = span_value(call->scope, &from);
    return SQLSTATE_OK;
}

static const struct set_function set_functions[] = {
    {"generate_series_timestamp", timestamps_open, timestamps_next},
    {"generate_series_timestamptz", timestamptzs_open, timestamps_next},
    {"pg_timezone_names", zones_open, zones_next},
    {"pg_timezone_abbrevs", zones_open, abbreviations_next},
    {0},
};

static const struct aggregate aggregates[] = {
    {"sum", {TYPE_INTERVAL}, sizeof(struct span_sum), false, span_step, span_merge, sum_finish},
    {"avg", {TYPE_INTERVAL}, sizeof(struct span_sum), false, span_step, span_merge, average_finish},
    {"percentile_cont",
     {TYPE_FLOAT8, TYPE_INTERVAL},
     sizeof(struct ordered_set),
     false,
     percentile_step,
     NULL,
     percentile_finish},
    {0},
};

const struct library time_set_library = {.set_functions = set_functions, .aggregates = aggregates};
