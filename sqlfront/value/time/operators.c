/* Operators and small functions of dates, times, time stamps and intervals (PostgreSQL manual, 9.9). */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"

static enum sqlstate give(int64_t i, struct value *result)
{
    *result = value_integer(i);
    return SQLSTATE_OK;
}

static enum sqlstate give_span(struct call *call, enum sqlstate failed, const struct span *span,
                               struct value *result)
{
    if (!failed)
        *result = span_value(call->scope, span);
    return failed;
}

/* ---- dates ---- */

static enum sqlstate date_add(struct call *call, int64_t date, int64_t days, struct value *result)
{
    if (!date_finite(date))
        return give(date, result);
    date += days;
    return date_valid(date) ? give(date, result) : raise_date_range(call->error);
}

static enum sqlstate date_plus_days(struct call *call, const struct value *arguments, struct value *result)
{
    return date_add(call, arguments[0].i, arguments[1].i, result);
}

static enum sqlstate date_minus_days(struct call *call, const struct value *arguments, struct value *result)
{
    return date_add(call, arguments[0].i, -arguments[1].i, result);
}

static enum sqlstate date_minus_date(struct call *call, const struct value *arguments, struct value *result)
{
    if (!date_finite(arguments[0].i) || !date_finite(arguments[1].i))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates");
    return give(arguments[0].i - arguments[1].i, result);
}

/* ---- points in time and intervals ---- */

static enum sqlstate plus_span(struct call *call, const struct time_zone *zone, int64_t timestamp,
                               struct span span, bool minus, struct value *result)
{
    *result = value_integer(0);
    if (minus && span_negate(&span, &span, call->error))
        return call->error->state;
    return timestamp_add_span(zone, timestamp, &span, &result->i, call->error);
}

static enum sqlstate date_plus_span(struct call *call, int64_t date, struct span span, bool minus,
                                    struct value *result)
{
    int64_t timestamp;
    enum sqlstate failed = timestamp_of_date(date, &timestamp, call->error);
    return failed ? failed : plus_span(call, NULL, timestamp, span, minus, result);
}

static enum sqlstate date_plus_interval(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return date_plus_span(call, arguments[0].i, span_of(&arguments[1]), false, result);
}

static enum sqlstate date_minus_interval(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return date_plus_span(call, arguments[0].i, span_of(&arguments[1]), true, result);
}

static enum sqlstate timestamp_plus_interval(struct call *call, const struct value *arguments,
                                             struct value *result)
{
    return plus_span(call, NULL, arguments[0].i, span_of(&arguments[1]), false, result);
}

static enum sqlstate timestamp_minus_interval(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    return plus_span(call, NULL, arguments[0].i, span_of(&arguments[1]), true, result);
}

static enum sqlstate timestamptz_plus_interval(struct call *call, const struct value *arguments,
                                               struct value *result)
{
    return plus_span(call, session_zone(call->environment), arguments[0].i, span_of(&arguments[1]), false,
                     result);
}

static enum sqlstate timestamptz_minus_interval(struct call *call, const struct value *arguments,
                                                struct value *result)
{
    return plus_span(call, session_zone(call->environment), arguments[0].i, span_of(&arguments[1]), true,
                     result);
}

static enum sqlstate timestamp_minus_timestamp(struct call *call, const struct value *arguments,
                                               struct value *result)
{
    struct span span = {0};
    if (!timestamp_finite(arguments[0].i) || !timestamp_finite(arguments[1].i))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                         "cannot subtract infinite timestamps");
    if (__builtin_sub_overflow(arguments[0].i, arguments[1].i, &span.microseconds))
        return raise_span_range(call->error);
    return give_span(call, span_justify_hours(&span, call->error), &span, result);
}

/* ---- times of day: they wrap around ---- */

static int64_t wrapped(int64_t microseconds)
{
    int64_t rest;
    floor_divide(microseconds, MICROSECONDS_PER_DAY, &rest);
    return rest;
}

static enum sqlstate time_plus_interval(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return give(wrapped(arguments[0].i + span_of(&arguments[1]).microseconds % MICROSECONDS_PER_DAY), result);
}

static enum sqlstate time_minus_interval(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return give(wrapped(arguments[0].i - span_of(&arguments[1]).microseconds % MICROSECONDS_PER_DAY), result);
}

static enum sqlstate time_minus_time(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = {.microseconds = arguments[0].i - arguments[1].i};
    return give_span(call, SQLSTATE_OK, &span, result);
}

static enum sqlstate clock_plus(struct call *call, struct clock clock, int64_t microseconds,
                                struct value *result)
{
    clock.microseconds = wrapped(clock.microseconds + microseconds % MICROSECONDS_PER_DAY);
    *result = clock_value(call->scope, &clock);
    return SQLSTATE_OK;
}

static enum sqlstate timetz_plus_interval(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return clock_plus(call, clock_of(&arguments[0]), span_of(&arguments[1]).microseconds, result);
}

static enum sqlstate timetz_minus_interval(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return clock_plus(call, clock_of(&arguments[0]),
                      -(span_of(&arguments[1]).microseconds % MICROSECONDS_PER_DAY), result);
}

/* ---- the same with the operands exchanged ---- */

/* PostgreSQL has these in SQL, all with the same body; the library brings them under it. */
static enum sqlstate exchanged(struct call *call, const struct value *arguments, struct value *result)
{
    static const struct {
        uint32_t left, right;
        enum sqlstate (*run)(struct call *call, const struct value *arguments, struct value *result);
    } sums[] = {
        {TYPE_INT4, TYPE_DATE, date_plus_days},
        {TYPE_INTERVAL, TYPE_DATE, date_plus_interval},
        {TYPE_INTERVAL, TYPE_TIMESTAMP, timestamp_plus_interval},
        {TYPE_INTERVAL, TYPE_TIMESTAMPTZ, timestamptz_plus_interval},
        {TYPE_INTERVAL, TYPE_TIME, time_plus_interval},
        {TYPE_INTERVAL, TYPE_TIMETZ, timetz_plus_interval},
        {TYPE_TIME, TYPE_DATE, date_plus_time},
        {TYPE_TIMETZ, TYPE_DATE, date_plus_timetz},
    };
    const struct value swapped[2] = {arguments[1], arguments[0]};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        if (call->types[0]->oid == sums[i].left && call->types[1]->oid == sums[i].right)
            return sums[i].run(call, swapped, result);
    return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "operator + of %s and %s is not supported",
                     call->types[0]->name, call->types[1]->name);
}

/* ---- intervals ---- */

static enum sqlstate interval_negate(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    return give_span(call, span_negate(&span, &span, call->error), &span, result);
}

static enum sqlstate interval_plus(struct call *call, const struct value *arguments, struct value *result)
{
    struct span a = span_of(&arguments[0]), b = span_of(&arguments[1]);
    return give_span(call, span_add(&a, &b, &a, call->error), &a, result);
}

static enum sqlstate interval_minus(struct call *call, const struct value *arguments, struct value *result)
{
    struct span a = span_of(&arguments[0]), b = span_of(&arguments[1]), difference;
    if (__builtin_sub_overflow(a.microseconds, b.microseconds, &difference.microseconds) ||
        __builtin_sub_overflow(a.days, b.days, &difference.days) ||
        __builtin_sub_overflow(a.months, b.months, &difference.months))
        return raise_span_range(call->error);
    return give_span(call, SQLSTATE_OK, &difference, result);
}

static enum sqlstate interval_times(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    return give_span(call, span_scale(&span, arguments[1].f, false, &span, call->error), &span, result);
}

static enum sqlstate times_interval(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value swapped[2] = {arguments[1], arguments[0]};
    return interval_times(call, swapped, result);
}

static enum sqlstate interval_divide(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    if (arguments[1].f == 0)
        return raise_division_by_zero(call->error);
    return give_span(call, span_scale(&span, arguments[1].f, true, &span, call->error), &span, result);
}

static enum sqlstate justify_hours(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    return give_span(call, span_justify_hours(&span, call->error), &span, result);
}

/* Whole months out of the days. */
static enum sqlstate move_days(struct span *span, struct error *error)
{
    int32_t months = span->days / DAYS_PER_MONTH;
    span->days %= DAYS_PER_MONTH;
    if (__builtin_add_overflow(span->months, months, &span->months))
        return raise_span_range(error);
    return SQLSTATE_OK;
}

static enum sqlstate justify_days(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    if (move_days(&span, call->error))
        return call->error->state;
    if (span.months > 0 && span.days < 0) {
        span.days += DAYS_PER_MONTH;
        span.months--;
    } else if (span.months < 0 && span.days > 0) {
        span.days -= DAYS_PER_MONTH;
        span.months++;
    }
    return give_span(call, SQLSTATE_OK, &span, result);
}

/* Both, and one sign for all. */
static enum sqlstate justify_interval(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    bool same_sign = (span.days > 0 && span.microseconds > 0) || (span.days < 0 && span.microseconds < 0);
    if (same_sign && move_days(&span, call->error)) /* lest the days overflow */
        return call->error->state;
    int32_t days = (int32_t)(span.microseconds / MICROSECONDS_PER_DAY);
    span.microseconds %= MICROSECONDS_PER_DAY;
    if (__builtin_add_overflow(span.days, days, &span.days))
        return raise_span_range(call->error);
    if (move_days(&span, call->error))
        return call->error->state;
    if (span.months > 0 && (span.days < 0 || (span.days == 0 && span.microseconds < 0))) {
        span.days += DAYS_PER_MONTH;
        span.months--;
    } else if (span.months < 0 && (span.days > 0 || (span.days == 0 && span.microseconds > 0))) {
        span.days -= DAYS_PER_MONTH;
        span.months++;
    }
    if (span.days > 0 && span.microseconds < 0) {
        span.microseconds += MICROSECONDS_PER_DAY;
        span.days--;
    } else if (span.days < 0 && span.microseconds > 0) {
        span.microseconds -= MICROSECONDS_PER_DAY;
        span.days++;
    }
    return give_span(call, SQLSTATE_OK, &span, result);
}

/* ---- isfinite ---- */

static enum sqlstate finite_date(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(date_finite(arguments[0].i));
    return SQLSTATE_OK;
}

static enum sqlstate finite_timestamp(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(timestamp_finite(arguments[0].i));
    return SQLSTATE_OK;
}

static enum sqlstate finite_interval(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(true);
    return SQLSTATE_OK;
}

/* ---- overlaps: (start, end) pairs whose ends may stand in either order, and be null ---- */

static bool before(struct call *call, const struct value *a, const struct value *b)
{
    return value_compare(call->environment, call->types[0], a, b) < 0;
}

static void put_in_order(struct call *call, struct value *start, struct value *end)
{
    bool swap = start->null || (!end->null && before(call, end, start));
    if (swap) {
        struct value kept = *start;
        *start = *end;
        *end = kept;
    }
}

static enum sqlstate overlaps(struct call *call, const struct value *arguments, struct value *result)
{
    struct value start_a = arguments[0], end_a = arguments[1], start_b = arguments[2], end_b = arguments[3];
    put_in_order(call, &start_a, &end_a);
    put_in_order(call, &start_b, &end_b);
    *result = value_null();
    if (start_a.null || start_b.null)
        return SQLSTATE_OK;
    if (before(call, &start_a, &start_b)) { /* let a be the one that starts later */
        struct value start = start_a, end = end_a;
        start_a = start_b;
        end_a = end_b;
        start_b = start;
        end_b = end;
    } else if (!before(call, &start_b, &start_a)) {
        if (!end_a.null && !end_b.null)
            *result = value_boolean(true);
        return SQLSTATE_OK;
    }
    if (end_b.null)
        return SQLSTATE_OK;
    if (before(call, &start_a, &end_b))
        *result = value_boolean(true);
    else if (!end_a.null)
        *result = value_boolean(false);
    return SQLSTATE_OK;
}

/* ---- frames of windows: RANGE with an interval ---- */

static enum sqlstate raise_frame(struct error *error)
{
    return error_set(error, SQLSTATE_INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                     "invalid preceding or following size in window function");
}

static enum sqlstate in_range(struct call *call, const struct time_zone *zone, int64_t value, int64_t base,
                              const struct value *arguments, struct value *result)
{
    struct span offset = span_of(&arguments[2]);
    bool less = arguments[4].i;
    struct value border;
    if (span_length(&offset) < 0)
        return raise_frame(call->error);
    enum sqlstate failed = plus_span(call, zone, base, offset, arguments[3].i, &border);
    if (!failed)
        *result = value_boolean(less ? value <= border.i : value >= border.i);
    return failed;
}

static enum sqlstate in_range_date(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t value, base;
    if (timestamp_of_date(arguments[0].i, &value, call->error) ||
        timestamp_of_date(arguments[1].i, &base, call->error))
        return call->error->state;
    return in_range(call, NULL, value, base, arguments, result);
}

static enum sqlstate in_range_timestamp(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return in_range(call, NULL, arguments[0].i, arguments[1].i, arguments, result);
}

static enum sqlstate in_range_timestamptz(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return in_range(call, session_zone(call->environment), arguments[0].i, arguments[1].i, arguments, result);
}

static enum sqlstate in_range_interval(struct call *call, const struct value *arguments, struct value *result)
{
    struct span value = span_of(&arguments[0]), base = span_of(&arguments[1]),
                offset = span_of(&arguments[2]);
    bool less = arguments[4].i;
    if (span_length(&offset) < 0)
        return raise_frame(call->error);
    if (arguments[3].i && span_negate(&offset, &offset, call->error))
        return call->error->state;
    if (span_add(&base, &offset, &base, call->error))
        return call->error->state;
    *result = value_boolean(less ? span_length(&value) <= span_length(&base)
                                 : span_length(&value) >= span_length(&base));
    return SQLSTATE_OK;
}

static enum sqlstate in_range_time(struct call *call, const struct value *arguments, struct value *result)
{
    struct span offset = span_of(&arguments[2]);
    bool less = arguments[4].i;
    int64_t border;
    if (offset.microseconds < 0)
        return raise_frame(call->error);
    if (__builtin_add_overflow(arguments[1].i, arguments[3].i ? -offset.microseconds : offset.microseconds,
                               &border))
        *result = value_boolean(less);
    else
        *result = value_boolean(less ? arguments[0].i <= border : arguments[0].i >= border);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"date_pli", date_plus_days},
    {"SELECT ($2 + $1)", exchanged},
    {"date_mii", date_minus_days},
    {"date_mi", date_minus_date},
    {"date_pl_interval", date_plus_interval},
    {"date_mi_interval", date_minus_interval},
    {"timestamp_pl_interval", timestamp_plus_interval},
    {"timestamp_mi_interval", timestamp_minus_interval},
    {"timestamptz_pl_interval", timestamptz_plus_interval},
    {"timestamptz_mi_interval", timestamptz_minus_interval},
    {"timestamp_mi", timestamp_minus_timestamp},
    {"time_pl_interval", time_plus_interval},
    {"time_mi_interval", time_minus_interval},
    {"time_mi_time", time_minus_time},
    {"timetz_pl_interval", timetz_plus_interval},
    {"timetz_mi_interval", timetz_minus_interval},
    {"interval_um", interval_negate},
    {"interval_pl", interval_plus},
    {"interval_mi", interval_minus},
    {"interval_mul", interval_times},
    {"mul_d_interval", times_interval},
    {"interval_div", interval_divide},
    {"interval_justify_hours", justify_hours},
    {"interval_justify_days", justify_days},
    {"interval_justify_interval", justify_interval},
    {"date_finite", finite_date},
    {"timestamp_finite", finite_timestamp},
    {"interval_finite", finite_interval},
    {"overlaps_time", overlaps},
    {"overlaps_timestamp", overlaps},
    {"overlaps_timetz", overlaps},
    {"in_range_date_interval", in_range_date},
    {"in_range_timestamp_interval", in_range_timestamp},
    {"in_range_timestamptz_interval", in_range_timestamptz},
    {"in_range_interval_interval", in_range_interval},
    {"in_range_time_interval", in_range_time},
    {0},
};

const struct library time_operator_library = {.functions = functions};
