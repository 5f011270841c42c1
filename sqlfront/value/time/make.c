/* Making points in time and intervals: now() and its kin, make_date() and its kin, to_timestamp() of a number, age(). */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"

#include "base/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static enum sqlstate give(int64_t i, struct value *result)
{
    *result = value_integer(i);
    return SQLSTATE_OK;
}

/* ---- now ---- */

static enum sqlstate now(struct call *call, const struct value *arguments, struct value *result)
{
    return give(call->environment->transaction_time, result);
}

static enum sqlstate statement_time(struct call *call, const struct value *arguments, struct value *result)
{
    return give(call->environment->statement_time, result);
}

static int64_t clock_time(const struct call *call)
{
    return world_wall(call->environment->world) - UNIX_EPOCH_SECONDS * MICROSECONDS_PER_SECOND;
}

static enum sqlstate clock_timestamp(struct call *call, const struct value *arguments, struct value *result)
{
    return give(clock_time(call), result);
}

/* "Fri Nov 20 20:18:02.123456 2026 UTC" */
static enum sqlstate time_of_day(struct call *call, const struct value *arguments, struct value *result)
{
    struct zone_state state;
    struct moment moment;
    int64_t local = zone_local(session_zone(call->environment), clock_time(call), &state);
    char *text = scope_alloc(call->scope, 64);
    moment_of_timestamp(local, &moment);
    int weekday = calendar_weekday(floor_divide(local, MICROSECONDS_PER_DAY, NULL));
    snprintf(text, 64, "%.3s %.3s %02d %02d:%02d:%02d.%06d %04d %s", weekday_names[weekday],
             month_names[moment.month - 1], moment.day, moment.hour, moment.minute, moment.second,
             moment.microsecond, moment.year, state.abbreviation);
    *result = value_text(text);
    return SQLSTATE_OK;
}

/* ---- of a number: seconds since 1970 ---- */

static enum sqlstate of_seconds(struct call *call, const struct value *arguments, struct value *result)
{
    double seconds = arguments[0].f;
    if (isnan(seconds))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN");
    if (isinf(seconds))
        return give(seconds > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY, result);
    double microseconds = rint((seconds - (double)UNIX_EPOCH_SECONDS) * 1000000);
    if (!(microseconds >= (double)TIMESTAMP_LEAST && microseconds < (double)TIMESTAMP_ABOVE))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "timestamp out of range: \"%g\"",
                         seconds);
    return give((int64_t)microseconds, result);
}

/* ---- of fields ---- */

/* Years before Christ are negative. False when there is no such date. */
static bool read_date(const struct value *arguments, struct moment *moment)
{
    int64_t year = arguments[0].i, month = arguments[1].i, day = arguments[2].i;
    if (year < 0)
        year++;
    else if (year == 0)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > calendar_month_days(year, (int)month))
        return false;
    moment->year = (int)year;
    moment->month = (int)month;
    moment->day = (int)day;
    return true;
}

static enum sqlstate raise_fields(struct call *call, const char *what, const struct value *arguments,
                                  int seconds_at)
{
    const struct value *a = arguments;
    if (seconds_at) {
        char seconds[32];
        snprintf(seconds, sizeof seconds, isnan(a[seconds_at].f) ? "NaN" : "%02g", a[seconds_at].f);
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                         "%s field value out of range: %d:%02d:%s", what, (int)a[seconds_at - 2].i,
                         (int)a[seconds_at - 1].i, seconds);
    }
    return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                     "%s field value out of range: %d-%02d-%02d", what, (int)a[0].i, (int)a[1].i,
                     (int)a[2].i);
}

static bool read_time(int64_t hour, int64_t minute, double seconds, int64_t *microseconds)
{
    if (!(hour >= 0 && hour <= 24 && minute >= 0 && minute <= 59 && seconds >= 0 && seconds <= 60))
        return false;
    *microseconds = (hour * 60 + minute) * MICROSECONDS_PER_MINUTE + (int64_t)rint(seconds * 1000000);
    return *microseconds <= MICROSECONDS_PER_DAY;
}

static enum sqlstate make_date(struct call *call, const struct value *arguments, struct value *result)
{
    struct moment moment;
    if (!read_date(arguments, &moment))
        return raise_fields(call, "date", arguments, 0);
    *result = value_integer(calendar_days(moment.year, moment.month, moment.day));
    if (!calendar_reaches(moment.year, moment.month, moment.day) || !date_valid(result->i))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range: %d-%02d-%02d",
                         (int)arguments[0].i, (int)arguments[1].i, (int)arguments[2].i);
    return SQLSTATE_OK;
}

static enum sqlstate make_time(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(0);
    if (!read_time(arguments[0].i, arguments[1].i, arguments[2].f, &result->i))
        return raise_fields(call, "time", arguments, 2);
    return SQLSTATE_OK;
}

static enum sqlstate make_timestamp(struct call *call, const struct value *arguments, struct value *result)
{
    struct moment moment = {0};
    int64_t microseconds;
    if (!read_date(arguments, &moment))
        return raise_fields(call, "date", arguments, 0);
    if (!read_time(arguments[3].i, arguments[4].i, arguments[5].f, &microseconds))
        return raise_fields(call, "time", arguments, 5);
    int64_t days = calendar_days(moment.year, moment.month, moment.day);
    __int128 timestamp = (__int128)days * MICROSECONDS_PER_DAY + microseconds;
    if (!calendar_reaches(moment.year, moment.month, moment.day) || timestamp < TIMESTAMP_LEAST ||
        timestamp >= TIMESTAMP_ABOVE)
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                         "timestamp out of range: %d-%02d-%02d %d:%02d:%02g", (int)arguments[0].i,
                         (int)arguments[1].i, (int)arguments[2].i, (int)arguments[3].i, (int)arguments[4].i,
                         arguments[5].f);
    return give((int64_t)timestamp, result);
}

static enum sqlstate make_timestamptz(struct call *call, const struct value *arguments, struct value *result)
{
    enum sqlstate failed = make_timestamp(call, arguments, result);
    return failed ? failed
                  : timestamptz_of_timestamp(session_zone(call->environment), result->i, &result->i,
                                             call->error);
}

/* A distance needs its sign here. */
static enum sqlstate read_zone(struct call *call, const struct value *name, int64_t local,
                               const struct time_zone **zone)
{
    char text[128];
    int32_t west;
    size_t size = name->size < sizeof text ? name->size : sizeof text - 1;
    memcpy(text, name->p, size);
    text[size] = 0;
    if (text[0] >= '0' && text[0] <= '9') {
        enum sqlstate state =
            error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                      "invalid input syntax for type %s: \"%s\"", "numeric time zone", text);
        error_add(call->error, ERROR_HINT, "Numeric time zones must have \"-\" or \"+\" as first character.");
        return state;
    }
    switch (parse_zone_offset(text, &west)) {
    case FAULT_NONE:
        *zone = zone_fixed(call->scope, west);
        return SQLSTATE_OK;
    case FAULT_ZONE:
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "numeric time zone \"%s\" out of range", text);
    default:
        return zone_of_text(call->scope, value_view(name), local, true, zone, call->error);
    }
}

static enum sqlstate make_timestamptz_zone(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    const struct time_zone *zone;
    enum sqlstate failed = make_timestamp(call, arguments, result);
    if (failed || (failed = read_zone(call, &arguments[6], result->i, &zone)))
        return failed;
    return timestamptz_of_timestamp(zone, result->i, &result->i, call->error);
}

static enum sqlstate make_interval(struct call *call, const struct value *arguments, struct value *result)
{
    double seconds = arguments[6].f;
    if (!isfinite(seconds))
        return raise_span_range(call->error);
    int64_t months = arguments[0].i * MONTHS_PER_YEAR + arguments[1].i,
            days = arguments[2].i * 7 + arguments[3].i;
    double microseconds = rint(seconds * 1000000);
    __int128 time =
        (__int128)arguments[4].i * MICROSECONDS_PER_HOUR + arguments[5].i * MICROSECONDS_PER_MINUTE;
    if (fabs(microseconds) < 1e30)
        time += (__int128)microseconds;
    if (months != (int32_t)months || days != (int32_t)days || fabs(microseconds) >= 1e30 ||
        time != (int64_t)time)
        return raise_span_range(call->error);
    const struct span span = {(int64_t)time, (int32_t)days, (int32_t)months};
    *result = span_value(call->scope, &span);
    return SQLSTATE_OK;
}

/* ---- age: the difference in years, months and days as people count ---- */

static struct span difference(int64_t later, int64_t earlier)
{
    bool negative = later < earlier;
    if (negative) {
        int64_t swapped = later;
        later = earlier;
        earlier = swapped;
    }
    struct moment a, b;
    moment_of_timestamp(later, &a);
    moment_of_timestamp(earlier, &b);
    int64_t time = moment_microseconds_of_day(&a) - moment_microseconds_of_day(&b);
    int days = a.day - b.day, months = (a.year - b.year) * MONTHS_PER_YEAR + a.month - b.month;
    if (time < 0) {
        time += MICROSECONDS_PER_DAY;
        days--;
    }
    while (
        days <
        0) { /* borrow the month that the earlier one stands in, or the first argument's, if that is earlier */
        days += calendar_month_days(b.year, b.month);
        months--;
    }
    return negative ? (struct span){-time, -days, -months} : (struct span){time, days, months};
}

static enum sqlstate age_of(struct call *call, int64_t later, int64_t earlier, struct value *result)
{
    if (!timestamp_finite(later) || !timestamp_finite(earlier))
        return raise_timestamp_range(call->error);
    struct span span = difference(later, earlier);
    *result = span_value(call->scope, &span);
    return SQLSTATE_OK;
}

static enum sqlstate age_timestamp(struct call *call, const struct value *arguments, struct value *result)
{
    return age_of(call, arguments[0].i, arguments[1].i, result);
}

static enum sqlstate age_timestamptz(struct call *call, const struct value *arguments, struct value *result)
{
    const struct time_zone *zone = session_zone(call->environment);
    return age_of(call, timestamp_of_timestamptz(zone, arguments[0].i),
                  timestamp_of_timestamptz(zone, arguments[1].i), result);
}

static const struct function functions[] = {
    {"now", now},
    {"statement_timestamp", statement_time},
    {"clock_timestamp", clock_timestamp},
    {"timeofday", time_of_day},
    {"float8_timestamptz", of_seconds},
    {"make_date", make_date},
    {"make_time", make_time},
    {"make_timestamp", make_timestamp},
    {"make_timestamptz", make_timestamptz},
    {"make_timestamptz_at_timezone", make_timestamptz_zone},
    {"make_interval", make_interval},
    {"timestamp_age", age_timestamp},
    {"timestamptz_age", age_timestamptz},
    {0},
};

const struct library time_make_library = {.functions = functions};
