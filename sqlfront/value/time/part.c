/* extract() and date_part(): one part of a time, as numeric or as float8 (PostgreSQL manual, 9.9.1).
 *
 * Every part is a whole number of some unit but for seconds, milliseconds, epoch and Julian days; the numeric form is
 * exact. Both forms are made of the same `answer`: unscaled / 10^scale. */
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"

#include <math.h>

enum answer_kind { ANSWER_NUMBER, ANSWER_NULL, ANSWER_INFINITE, ANSWER_MINUS_INFINITE, ANSWER_JULIAN };

struct answer {
    enum answer_kind kind;
    __int128 unscaled;
    int scale;
    int64_t microseconds; /* of a Julian day: the time of day */
    double rounded;       /* of an interval's epoch: as PostgreSQL's float8 has it; else 0 */
};

static bool set(struct answer *answer, __int128 unscaled, int scale)
{
    *answer = (struct answer){.unscaled = unscaled, .scale = scale};
    return true;
}

static enum sqlstate number(struct answer *answer, __int128 unscaled, int scale)
{
    set(answer, unscaled, scale);
    return SQLSTATE_OK;
}

/* ---- errors ---- */

static const char *lower_name(struct call *call, const struct value *name)
{
    char *text = scope_alloc(call->scope, name->size + 1UL);
    for (uint32_t i = 0; i < name->size; i++)
        text[i] = (char)(name->p[i] >= 'A' && name->p[i] <= 'Z' ? name->p[i] + 32 : name->p[i]);
    text[name->size] = 0;
    return text;
}

static enum sqlstate raise_unit(struct call *call, const struct value *name, enum moment_part part,
                                const char *type)
{
    const char *text = lower_name(call, name);
    if (part == PART_NONE)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "unit \"%s\" not recognized for type %s", text, type);
    return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "unit \"%s\" not supported for type %s",
                     text, type);
}

/* ---- parts of dates and times of day ---- */

static bool part_of_time(const struct moment *moment, enum moment_part part, struct answer *answer)
{
    int64_t microseconds = moment->second * MICROSECONDS_PER_SECOND + moment->microsecond;
    switch (part) {
    case PART_MICROSECOND:
        return set(answer, microseconds, 0);
    case PART_MILLISECOND:
        return set(answer, microseconds, 3);
    case PART_SECOND:
        return set(answer, microseconds, 6);
    case PART_MINUTE:
        return set(answer, moment->minute, 0);
    case PART_HOUR:
        return set(answer, moment->hour, 0);
    default:
        return false;
    }
}

/* There is no year 0: periods of years are counted from year 1, and before it from 1 BC. */
static int64_t period(int year, int years)
{
    return year > 0 ? (year + years - 1) / years : -((years - 1 - (year - 1)) / years);
}

static bool part_of_date(const struct moment *moment, enum moment_part part, struct answer *answer)
{
    int64_t days = calendar_days(moment->year, moment->month, moment->day);
    int year = moment->year, iso_year;
    switch (part) {
    case PART_DAY:
        return set(answer, moment->day, 0);
    case PART_MONTH:
        return set(answer, moment->month, 0);
    case PART_QUARTER:
        return set(answer, (moment->month - 1) / 3 + 1, 0);
    case PART_WEEK:
        return set(answer, calendar_iso_week(days, &iso_year), 0);
    case PART_YEAR:
        return set(answer, year > 0 ? year : year - 1, 0);
    case PART_DECADE:
        return set(answer, year >= 0 ? year / 10 : -((8 - (year - 1)) / 10), 0);
    case PART_CENTURY:
        return set(answer, period(year, 100), 0);
    case PART_MILLENNIUM:
        return set(answer, period(year, 1000), 0);
    case PART_JULIAN:
        set(answer, days + JULIAN_EPOCH, 0);
        answer->microseconds = moment_microseconds_of_day(moment);
        return true;
    case PART_ISO_YEAR:
        calendar_iso_week(days, &iso_year);
        return set(answer, iso_year > 0 ? iso_year : iso_year - 1, 0);
    case PART_WEEKDAY:
        return set(answer, calendar_weekday(days), 0);
    case PART_ISO_WEEKDAY:
        return set(answer, calendar_weekday(days) ? calendar_weekday(days) : 7, 0);
    case PART_YEAR_DAY:
        return set(answer, calendar_year_day(moment), 0);
    default:
        return false;
    }
}

static bool part_of_zone(int32_t west, enum moment_part part, struct answer *answer)
{
    switch (part) {
    case PART_ZONE:
        return set(answer, -west, 0);
    case PART_ZONE_MINUTE:
        return set(answer, -west / 60 % 60, 0);
    case PART_ZONE_HOUR:
        return set(answer, -west / 3600, 0);
    default:
        return false;
    }
}

/* Of infinity: parts that go round are null, those that only grow are infinite. */
static bool part_of_infinity(bool minus, enum moment_part part, struct answer *answer)
{
    switch (part) {
    case PART_YEAR:
    case PART_DECADE:
    case PART_CENTURY:
    case PART_MILLENNIUM:
    case PART_JULIAN:
    case PART_ISO_YEAR:
    case PART_EPOCH:
        *answer = (struct answer){.kind = minus ? ANSWER_MINUS_INFINITE : ANSWER_INFINITE};
        return true;
    default:
        *answer = (struct answer){.kind = ANSWER_NULL};
        return part >= PART_MICROSECOND && part <= PART_ZONE_MINUTE;
    }
}

/* ---- the types ---- */

static enum sqlstate part_of_timestamp(struct call *call, const struct value *arguments, bool zone,
                                       struct answer *answer)
{
    const char *type = zone ? "timestamp with time zone" : "timestamp without time zone";
    enum moment_part part = part_named(value_view(&arguments[0]));
    int64_t timestamp = arguments[1].i;
    bool zone_part = part == PART_ZONE || part == PART_ZONE_HOUR || part == PART_ZONE_MINUTE;
    struct zone_state state = {0};
    struct moment moment;
    if (part == PART_NONE)
        return raise_unit(call, &arguments[0], part, type);
    if (timestamp_finite(timestamp) && zone_part && !zone)
        return raise_unit(call, &arguments[0], part, type);
    if (!timestamp_finite(timestamp))
        return part_of_infinity(timestamp == TIMESTAMP_MINUS_INFINITY, part, answer)
                   ? SQLSTATE_OK
                   : raise_unit(call, &arguments[0], part, type);
    if (part == PART_EPOCH)
        return number(answer, (__int128)timestamp + UNIX_EPOCH_SECONDS * MICROSECONDS_PER_SECOND, 6);
    if (zone)
        timestamp = zone_local(session_zone(call->environment), timestamp, &state);
    moment_of_timestamp(timestamp, &moment);
    if (part_of_time(&moment, part, answer) || part_of_date(&moment, part, answer) ||
        (zone && part_of_zone(state.west, part, answer))) {
        if (part == PART_JULIAN)
            answer->kind = ANSWER_JULIAN;
        return SQLSTATE_OK;
    }
    return raise_unit(call, &arguments[0], part, type);
}

static enum sqlstate part_of_date_value(struct call *call, const struct value *arguments,
                                        struct answer *answer)
{
    enum moment_part part = part_named(value_view(&arguments[0]));
    int64_t date = arguments[1].i;
    struct moment moment = {0};
    bool of_date = (part >= PART_DAY && part <= PART_YEAR_DAY) || part == PART_EPOCH;
    if (part == PART_NONE || !of_date)
        return raise_unit(call, &arguments[0], part, "date");
    if (!date_finite(date)) {
        part_of_infinity(date == DATE_MINUS_INFINITY, part, answer);
        return SQLSTATE_OK;
    }
    if (part == PART_EPOCH)
        return number(answer, (date + JULIAN_EPOCH - JULIAN_UNIX_EPOCH) * SECONDS_PER_DAY, 0);
    calendar_date(date, &moment);
    part_of_date(&moment, part, answer);
    return SQLSTATE_OK;
}

static enum sqlstate part_of_clock(struct call *call, const struct value *name, const struct clock *clock,
                                   bool zone, struct answer *answer)
{
    enum moment_part part = part_named(value_view(name));
    struct moment moment = {0};
    moment_time_of(clock->microseconds, &moment);
    if (part_of_time(&moment, part, answer) || (zone && part_of_zone(clock->west, part, answer)))
        return SQLSTATE_OK;
    if (part == PART_EPOCH)
        return number(answer, clock->microseconds + clock->west * MICROSECONDS_PER_SECOND, 6);
    return raise_unit(call, name, part, zone ? "time with time zone" : "time without time zone");
}

static enum sqlstate part_of_time_value(struct call *call, const struct value *arguments,
                                        struct answer *answer)
{
    const struct clock clock = {.microseconds = arguments[1].i};
    return part_of_clock(call, &arguments[0], &clock, false, answer);
}

static enum sqlstate part_of_timetz(struct call *call, const struct value *arguments, struct answer *answer)
{
    const struct clock clock = clock_of(&arguments[1]);
    return part_of_clock(call, &arguments[0], &clock, true, answer);
}

static enum sqlstate part_of_interval(struct call *call, const struct value *arguments, struct answer *answer)
{
    enum moment_part part = part_named(value_view(&arguments[0]));
    struct span span = span_of(&arguments[1]);
    int64_t years = span.months / MONTHS_PER_YEAR, months = span.months % MONTHS_PER_YEAR;
    int64_t seconds = span.microseconds % MICROSECONDS_PER_MINUTE;
    switch (part) {
    case PART_MICROSECOND:
        return number(answer, seconds, 0);
    case PART_MILLISECOND:
        return number(answer, seconds, 3);
    case PART_SECOND:
        return number(answer, seconds, 6);
    case PART_MINUTE:
        return number(answer, span.microseconds / MICROSECONDS_PER_MINUTE % 60, 0);
    case PART_HOUR:
        return number(answer, span.microseconds / MICROSECONDS_PER_HOUR, 0);
    case PART_DAY:
        return number(answer, span.days, 0);
    case PART_MONTH:
        return number(answer, months, 0);
    case PART_QUARTER:
        return number(answer, months / 3 + 1, 0);
    case PART_YEAR:
        return number(answer, years, 0);
    case PART_DECADE:
        return number(answer, years / 10, 0);
    case PART_CENTURY:
        return number(answer, years / 100, 0);
    case PART_MILLENNIUM:
        return number(answer, years / 1000, 0);
    case PART_EPOCH: { /* a year is 365.25 days */
        __int128 quarter_days = 1461 * years + 4 * DAYS_PER_MONTH * months + 4 * (int64_t)span.days;
        set(answer, quarter_days * (SECONDS_PER_DAY / 4 * MICROSECONDS_PER_SECOND) + span.microseconds, 6);
        answer->rounded = (double)span.microseconds / 1000000.0;
        answer->rounded += 365.25 * SECONDS_PER_DAY * (double)years;
        answer->rounded += (double)(DAYS_PER_MONTH * SECONDS_PER_DAY) * (double)months;
        answer->rounded += (double)SECONDS_PER_DAY * span.days;
        return SQLSTATE_OK;
    }
    default:
        return raise_unit(call, &arguments[0], part, "interval");
    }
}

/* ---- the two forms of the answer ---- */

static enum sqlstate give_numeric(struct call *call, enum sqlstate failed, const struct answer *answer,
                                  struct value *result)
{
    if (failed)
        return failed;
    numeric_of_wide(call->scope, answer->unscaled, answer->scale, result);
    switch (answer->kind) {
    case ANSWER_NULL:
        *result = value_null();
        return SQLSTATE_OK;
    case ANSWER_INFINITE:
    case ANSWER_MINUS_INFINITE:
        *result =
            numeric_special(answer->kind == ANSWER_INFINITE ? NUMERIC_INFINITY : NUMERIC_MINUS_INFINITY);
        return SQLSTATE_OK;
    case ANSWER_JULIAN: {
        const struct value time = value_small_numeric(answer->microseconds, 0),
                           day = value_small_numeric(MICROSECONDS_PER_DAY, 0);
        struct value fraction;
        if (numeric_divide(call->scope, &time, &day, &fraction, call->error))
            return call->error->state;
        return numeric_add(call->scope, result, &fraction, result, call->error);
    }
    default:
        return SQLSTATE_OK;
    }
}

static enum sqlstate give_float(enum sqlstate failed, const struct answer *answer, struct value *result)
{
    static const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    if (failed)
        return failed;
    double f = answer->rounded != 0 ? answer->rounded : (double)answer->unscaled / powers[answer->scale];
    if (answer->kind == ANSWER_JULIAN)
        f += (double)answer->microseconds / (double)MICROSECONDS_PER_DAY;
    if (answer->kind == ANSWER_INFINITE || answer->kind == ANSWER_MINUS_INFINITE)
        f = answer->kind == ANSWER_INFINITE ? HUGE_VAL : -HUGE_VAL;
    *result = answer->kind == ANSWER_NULL ? value_null() : value_float(f);
    return SQLSTATE_OK;
}

static enum sqlstate part_of_timestamp_without(struct call *call, const struct value *arguments,
                                               struct answer *answer)
{
    return part_of_timestamp(call, arguments, false, answer);
}

static enum sqlstate part_of_timestamptz(struct call *call, const struct value *arguments,
                                         struct answer *answer)
{
    return part_of_timestamp(call, arguments, true, answer);
}

/* clang-format off */
#define EXTRACT(function, part)                                                                            \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                      \
        struct answer answer = {0};                                                                        \
        return give_numeric(call, part(call, arguments, &answer), &answer, result);                       \
    }
#define DATE_PART(function, part)                                                                          \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                      \
        struct answer answer = {0};                                                                        \
        return give_float(part(call, arguments, &answer), &answer, result);                               \
    }
/* clang-format on */
EXTRACT(extract_date, part_of_date_value)
EXTRACT(extract_time, part_of_time_value)
EXTRACT(extract_timetz, part_of_timetz)
EXTRACT(extract_timestamp, part_of_timestamp_without)
EXTRACT(extract_timestamptz, part_of_timestamptz)
EXTRACT(extract_interval, part_of_interval)
DATE_PART(time_part, part_of_time_value)
DATE_PART(timetz_part, part_of_timetz)
DATE_PART(timestamp_part, part_of_timestamp_without)
DATE_PART(timestamptz_part, part_of_timestamptz)
DATE_PART(interval_part, part_of_interval)

static const struct function functions[] = {
    {"extract_date", extract_date},
    {"extract_time", extract_time},
    {"extract_timetz", extract_timetz},
    {"extract_timestamp", extract_timestamp},
    {"extract_timestamptz", extract_timestamptz},
    {"extract_interval", extract_interval},
    {"time_part", time_part},
    {"timetz_part", timetz_part},
    {"timestamp_part", timestamp_part},
    {"timestamptz_part", timestamptz_part},
    {"interval_part", interval_part},
    {0},
};

const struct library time_part_library = {.functions = functions};
