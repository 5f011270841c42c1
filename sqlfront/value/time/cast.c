/* From one type of time to another; precision; AT TIME ZONE. */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/modify.h"
#include "sqlfront/value/time/parse.h"
#include "sqlfront/value/time/print.h"

static enum sqlstate give(int64_t i, struct value *result)
{
    *result = value_integer(i);
    return SQLSTATE_OK;
}

static const struct time_zone *zone_of(const struct call *call)
{
    return session_zone(call->environment);
}

/* ---- dates and time stamps ---- */

static enum sqlstate date_to_timestamp(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(0);
    return timestamp_of_date(arguments[0].i, &result->i, call->error);
}

static enum sqlstate date_to_timestamptz(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    *result = value_integer(0);
    return timestamptz_of_date(zone_of(call), arguments[0].i, &result->i, call->error);
}

static enum sqlstate timestamp_to_timestamptz(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    *result = value_integer(0);
    return timestamptz_of_timestamp(zone_of(call), arguments[0].i, &result->i, call->error);
}

static enum sqlstate timestamptz_to_timestamp(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    return give(timestamp_of_timestamptz(zone_of(call), arguments[0].i), result);
}

static enum sqlstate date_of(int64_t timestamp, struct value *result)
{
    if (!timestamp_finite(timestamp))
        return give(timestamp == TIMESTAMP_INFINITY ? DATE_INFINITY : DATE_MINUS_INFINITY, result);
    return give(floor_divide(timestamp, MICROSECONDS_PER_DAY, NULL), result);
}

static enum sqlstate timestamp_to_date(struct call *call, const struct value *arguments, struct value *result)
{
    return date_of(arguments[0].i, result);
}

static enum sqlstate timestamptz_to_date(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return date_of(timestamp_of_timestamptz(zone_of(call), arguments[0].i), result);
}

/* ---- times of day; infinity has none ---- */

static enum sqlstate time_of(int64_t timestamp, struct value *result)
{
    int64_t rest;
    *result = value_null();
    if (!timestamp_finite(timestamp))
        return SQLSTATE_OK;
    floor_divide(timestamp, MICROSECONDS_PER_DAY, &rest);
    return give(rest, result);
}

static enum sqlstate timestamp_to_time(struct call *call, const struct value *arguments, struct value *result)
{
    return time_of(arguments[0].i, result);
}

static enum sqlstate timestamptz_to_time(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return time_of(timestamp_of_timestamptz(zone_of(call), arguments[0].i), result);
}

static enum sqlstate timestamptz_to_timetz(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    struct zone_state state;
    struct clock clock;
    *result = value_null();
    if (!timestamp_finite(arguments[0].i))
        return SQLSTATE_OK;
    floor_divide(zone_local(zone_of(call), arguments[0].i, &state), MICROSECONDS_PER_DAY,
                 &clock.microseconds);
    clock.west = state.west;
    *result = clock_value(call->scope, &clock);
    return SQLSTATE_OK;
}

/* In the session's zone, as it is today. */
static enum sqlstate time_to_timetz(struct call *call, const struct value *arguments, struct value *result)
{
    struct zone_state state;
    struct moment moment;
    moment_of_timestamp(zone_local(zone_of(call), call->environment->transaction_time, &state), &moment);
    moment_time_of(arguments[0].i, &moment);
    struct clock clock = {arguments[0].i, zone_west_of_local(zone_of(call), &moment)};
    *result = clock_value(call->scope, &clock);
    return SQLSTATE_OK;
}

static enum sqlstate timetz_to_time(struct call *call, const struct value *arguments, struct value *result)
{
    return give(clock_of(&arguments[0]).microseconds, result);
}

static enum sqlstate time_to_interval(struct call *call, const struct value *arguments, struct value *result)
{
    const struct span span = {.microseconds = arguments[0].i};
    *result = span_value(call->scope, &span);
    return SQLSTATE_OK;
}

static enum sqlstate interval_to_time(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t rest;
    floor_divide(span_of(&arguments[0]).microseconds, MICROSECONDS_PER_DAY, &rest);
    return give(rest, result);
}

/* ---- a date and a time ---- */

static enum sqlstate date_and_time(struct call *call, int64_t date, int64_t offset, struct value *result)
{
    *result = value_integer(0);
    enum sqlstate failed = timestamp_of_date(date, &result->i, call->error);
    if (failed || !timestamp_finite(result->i))
        return failed;
    result->i += offset;
    return timestamp_valid(result->i) ? SQLSTATE_OK : raise_timestamp_range(call->error);
}

enum sqlstate date_plus_time(struct call *call, const struct value *arguments, struct value *result)
{
    return date_and_time(call, arguments[0].i, arguments[1].i, result);
}

enum sqlstate date_plus_timetz(struct call *call, const struct value *arguments, struct value *result)
{
    struct clock clock = clock_of(&arguments[1]);
    return date_and_time(call, arguments[0].i, clock.microseconds + clock.west * MICROSECONDS_PER_SECOND,
                         result);
}

/* ---- precision ---- */

static enum sqlstate time_precision(struct call *call, const struct value *arguments, struct value *result)
{
    return give(modify_microseconds(arguments[0].i, (int32_t)arguments[1].i), result);
}

static enum sqlstate timetz_precision(struct call *call, const struct value *arguments, struct value *result)
{
    struct clock clock = clock_of(&arguments[0]);
    clock.microseconds = modify_microseconds(clock.microseconds, (int32_t)arguments[1].i);
    *result = clock_value(call->scope, &clock);
    return SQLSTATE_OK;
}

static enum sqlstate timestamp_precision(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    *result = arguments[0];
    return modify_timestamp(&result->i, (int32_t)arguments[1].i, call->error);
}

static enum sqlstate interval_precision(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct span span = span_of(&arguments[0]);
    enum sqlstate failed = modify_span(&span, (int32_t)arguments[1].i, call->error);
    if (!failed)
        *result = span_value(call->scope, &span);
    return failed;
}

/* ---- AT TIME ZONE ---- */

/* A zone that is an interval has hours and minutes only. */
static enum sqlstate interval_zone(struct call *call, const struct value *interval, int32_t *west)
{
    struct span span = span_of(interval);
    char text[2 * TIME_TEXT_BYTES];
    if (span.months || span.days) {
        print_span(call->environment, &span, text);
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "interval time zone \"%s\" must not include months or days", text);
    }
    *west = -(int32_t)(span.microseconds / MICROSECONDS_PER_SECOND);
    return SQLSTATE_OK;
}

static enum sqlstate shift(struct call *call, int64_t timestamp, int64_t seconds, struct value *result)
{
    *result = value_integer(0);
    if (__builtin_add_overflow(timestamp, seconds * MICROSECONDS_PER_SECOND, &result->i) ||
        !timestamp_valid(result->i))
        return raise_timestamp_range(call->error);
    return SQLSTATE_OK;
}

static enum sqlstate timestamp_at_zone(struct call *call, const struct value *arguments, struct value *result)
{
    const struct time_zone *zone;
    *result = arguments[1];
    if (!timestamp_finite(result->i))
        return SQLSTATE_OK;
    enum sqlstate failed =
        zone_of_text(call->scope, value_view(&arguments[0]), result->i, true, &zone, call->error);
    return failed ? failed : timestamptz_of_timestamp(zone, result->i, &result->i, call->error);
}

static enum sqlstate timestamptz_at_zone(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    const struct time_zone *zone;
    *result = arguments[1];
    if (!timestamp_finite(result->i))
        return SQLSTATE_OK;
    enum sqlstate failed =
        zone_of_text(call->scope, value_view(&arguments[0]), result->i, false, &zone, call->error);
    if (failed)
        return failed;
    result->i = timestamp_of_timestamptz(zone, result->i);
    return timestamp_valid(result->i) ? SQLSTATE_OK : raise_timestamp_range(call->error);
}

static enum sqlstate timestamp_at_interval(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    int32_t west;
    if (!timestamp_finite(arguments[1].i))
        return give(arguments[1].i, result);
    enum sqlstate failed = interval_zone(call, &arguments[0], &west);
    return failed ? failed : shift(call, arguments[1].i, west, result);
}

static enum sqlstate timestamptz_at_interval(struct call *call, const struct value *arguments,
                                             struct value *result)
{
    int32_t west;
    if (!timestamp_finite(arguments[1].i))
        return give(arguments[1].i, result);
    enum sqlstate failed = interval_zone(call, &arguments[0], &west);
    return failed ? failed : shift(call, arguments[1].i, -(int64_t)west, result);
}

static enum sqlstate move_clock(struct call *call, const struct value *value, int32_t west,
                                struct value *result)
{
    struct clock clock = clock_of(value);
    floor_divide(clock.microseconds + (clock.west - west) * MICROSECONDS_PER_SECOND, MICROSECONDS_PER_DAY,
                 &clock.microseconds);
    clock.west = west;
    *result = clock_value(call->scope, &clock);
    return SQLSTATE_OK;
}

/* The zone as it is now. */
static enum sqlstate timetz_at_zone(struct call *call, const struct value *arguments, struct value *result)
{
    const struct time_zone *zone;
    struct zone_state state;
    enum sqlstate failed = zone_of_text(call->scope, value_view(&arguments[0]),
                                        call->environment->transaction_time, false, &zone, call->error);
    if (failed)
        return failed;
    zone_local(zone, call->environment->transaction_time, &state);
    return move_clock(call, &arguments[1], state.west, result);
}

static enum sqlstate timetz_at_interval(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    int32_t west;
    enum sqlstate failed = interval_zone(call, &arguments[0], &west);
    return failed ? failed : move_clock(call, &arguments[1], west, result);
}

static const struct function functions[] = {
    {"date_timestamp", date_to_timestamp},
    {"date_timestamptz", date_to_timestamptz},
    {"timestamp_timestamptz", timestamp_to_timestamptz},
    {"timestamptz_timestamp", timestamptz_to_timestamp},
    {"timestamp_date", timestamp_to_date},
    {"timestamptz_date", timestamptz_to_date},
    {"timestamp_time", timestamp_to_time},
    {"timestamptz_time", timestamptz_to_time},
    {"timestamptz_timetz", timestamptz_to_timetz},
    {"time_timetz", time_to_timetz},
    {"timetz_time", timetz_to_time},
    {"time_interval", time_to_interval},
    {"interval_time", interval_to_time},
    {"datetime_timestamp", date_plus_time},
    {"datetimetz_timestamptz", date_plus_timetz},
    {"time_scale", time_precision},
    {"timetz_scale", timetz_precision},
    {"timestamp_scale", timestamp_precision},
    {"timestamptz_scale", timestamp_precision},
    {"interval_scale", interval_precision},
    {"timestamp_zone", timestamp_at_zone},
    {"timestamptz_zone", timestamptz_at_zone},
    {"timestamp_izone", timestamp_at_interval},
    {"timestamptz_izone", timestamptz_at_interval},
    {"timetz_zone", timetz_at_zone},
    {"timetz_izone", timetz_at_interval},
    {0},
};

const struct library time_cast_library = {.functions = functions};
