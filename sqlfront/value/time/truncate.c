/* date_trunc() and date_bin() (PostgreSQL manual, 9.9.2, 9.9.3). */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"

static enum sqlstate raise_unit(struct call *call, const struct value *name, enum moment_part part,
                                const char *type)
{
    char *text = scope_alloc(call->scope, name->size + 1UL);
    for (uint32_t i = 0; i < name->size; i++)
        text[i] = (char)(name->p[i] >= 'A' && name->p[i] <= 'Z' ? name->p[i] + 32 : name->p[i]);
    text[name->size] = 0;
    if (part == PART_NONE)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "unit \"%s\" not recognized for type %s", text, type);
    enum sqlstate state = error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                    "unit \"%s\" not supported for type %s", text, type);
    if (part == PART_WEEK)
        error_add(call->error, ERROR_DETAIL, "Months usually have fractional weeks.");
    return state;
}

/* The first year of a period of years; periods before year 1 are counted from 1 BC. */
static int period_start(int year, int years)
{
    return year > 0 ? (year + years - 1) / years * years - years + 1
                    : -((years - 1 - (year - 1)) / years) * years + 1;
}

/* Sets the fields below the part to their first values; false when the part is none of these. */
static bool truncate_moment(struct moment *moment, enum moment_part part)
{
    int64_t days;
    int microsecond = 0;
    switch (part) {
    case PART_WEEK:
        days = calendar_days(moment->year, moment->month, moment->day);
        calendar_date(days - (calendar_weekday(days) + 6) % 7, moment);
        break;
    case PART_MILLENNIUM:
    case PART_CENTURY:
        moment->year = period_start(moment->year, part == PART_CENTURY ? 100 : 1000);
        moment->month = moment->day = 1;
        break;
    case PART_DECADE:
        moment->year = moment->year > 0 ? moment->year / 10 * 10 : -((8 - (moment->year - 1)) / 10) * 10;
        moment->month = moment->day = 1;
        break;
    case PART_YEAR:
        moment->month = moment->day = 1;
        break;
    case PART_QUARTER:
        moment->month = 3 * ((moment->month - 1) / 3) + 1;
        moment->day = 1;
        break;
    case PART_MONTH:
        moment->day = 1;
        break;
    case PART_DAY:
        break;
    case PART_HOUR:
        moment->minute = moment->second = moment->microsecond = 0;
        return true;
    case PART_MINUTE:
        moment->second = moment->microsecond = 0;
        return true;
    case PART_MILLISECOND:
        microsecond = moment->microsecond / 1000 * 1000;
        moment->microsecond = microsecond;
        return true;
    case PART_SECOND:
        moment->microsecond = 0;
        return true;
    case PART_MICROSECOND:
        return true;
    default:
        return false;
    }
    moment->hour = moment->minute = moment->second = moment->microsecond = 0;
    return true;
}

static enum sqlstate truncate_timestamp(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    enum moment_part part = unit_named(value_view(&arguments[0]));
    struct moment moment;
    *result = arguments[1];
    if (!timestamp_finite(result->i))
        return SQLSTATE_OK;
    moment_of_timestamp(result->i, &moment);
    if (!truncate_moment(&moment, part))
        return raise_unit(call, &arguments[0], part, "timestamp without time zone");
    return moment_timestamp(&moment, &result->i) ? SQLSTATE_OK : raise_timestamp_range(call->error);
}

/* Hours and smaller parts keep the zone's distance of the time given, which matters where it occurs twice. */
static enum sqlstate truncate_in_zone(struct call *call, const struct time_zone *zone,
                                      const struct value *name, int64_t timestamp, struct value *result)
{
    enum moment_part part = unit_named(value_view(name));
    struct zone_state state = {0};
    struct moment moment;
    *result = value_integer(timestamp);
    if (!timestamp_finite(timestamp))
        return SQLSTATE_OK;
    moment_of_timestamp(zone_local(zone, timestamp, &state), &moment);
    if (!truncate_moment(&moment, part))
        return raise_unit(call, name, part, "timestamp with time zone");
    int64_t local;
    if (!moment_local(&moment, &local))
        return raise_timestamp_range(call->error);
    if (part >= PART_DAY)
        return timestamptz_of_timestamp(zone, local, &result->i, call->error);
    result->i = local + state.west * MICROSECONDS_PER_SECOND;
    return timestamp_valid(result->i) ? SQLSTATE_OK : raise_timestamp_range(call->error);
}

static enum sqlstate truncate_timestamptz(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return truncate_in_zone(call, session_zone(call->environment), &arguments[0], arguments[1].i, result);
}

static enum sqlstate truncate_timestamptz_zone(struct call *call, const struct value *arguments,
                                               struct value *result)
{
    const struct time_zone *zone;
    *result = arguments[1];
    if (!timestamp_finite(result->i))
        return SQLSTATE_OK;
    enum sqlstate failed =
        zone_of_text(call->scope, value_view(&arguments[2]), result->i, false, &zone, call->error);
    return failed ? failed : truncate_in_zone(call, zone, &arguments[0], arguments[1].i, result);
}

static enum sqlstate truncate_interval(struct call *call, const struct value *arguments, struct value *result)
{
    static const struct {
        enum moment_part part;
        int months;           /* the unit, or */
        int64_t microseconds; /* the unit */
    } units[] = {
        {PART_MILLENNIUM, 12000, 0},
        {PART_CENTURY, 1200, 0},
        {PART_DECADE, 120, 0},
        {PART_YEAR, 12, 0},
        {PART_QUARTER, 3, 0},
        {PART_MONTH, 1, 0},
        {PART_DAY, 0, 0},
        {PART_HOUR, 0, MICROSECONDS_PER_HOUR},
        {PART_MINUTE, 0, MICROSECONDS_PER_MINUTE},
        {PART_SECOND, 0, MICROSECONDS_PER_SECOND},
        {PART_MILLISECOND, 0, 1000},
        {PART_MICROSECOND, 0, 1},
    };
    enum moment_part part = unit_named(value_view(&arguments[0]));
    struct span span = span_of(&arguments[1]);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].part != part)
            continue;
        if (units[i].months) {
            span.months = span.months / units[i].months * units[i].months;
            span.days = 0;
        }
        span.microseconds =
            units[i].microseconds ? span.microseconds / units[i].microseconds * units[i].microseconds : 0;
        *result = span_value(call->scope, &span);
        return SQLSTATE_OK;
    }
    return raise_unit(call, &arguments[0], part, "interval");
}

/* The start of the stride-long bin, counted from the origin, that the time lies in. */
static enum sqlstate bin(struct call *call, const struct value *arguments, struct value *result)
{
    struct span stride = span_of(&arguments[0]);
    int64_t source = arguments[1].i, origin = arguments[2].i, length, distance, rest;
    *result = arguments[1];
    if (!timestamp_finite(source))
        return SQLSTATE_OK;
    if (!timestamp_finite(origin))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "origin out of range");
    if (stride.months)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "timestamps cannot be binned into intervals containing months or years");
    if (__builtin_mul_overflow((int64_t)stride.days, MICROSECONDS_PER_DAY, &length) ||
        __builtin_add_overflow(length, stride.microseconds, &length))
        return raise_span_range(call->error);
    if (length <= 0)
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "stride must be greater than zero");
    if (__builtin_sub_overflow(source, origin, &distance))
        return raise_span_range(call->error);
    floor_divide(distance, length, &rest);
    if (__builtin_sub_overflow(source, rest, &result->i) || !timestamp_valid(result->i))
        return raise_timestamp_range(call->error);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"timestamp_trunc", truncate_timestamp},
    {"timestamptz_trunc", truncate_timestamptz},
    {"timestamptz_trunc_zone", truncate_timestamptz_zone},
    {"interval_trunc", truncate_interval},
    {"timestamp_bin", bin},
    {"timestamptz_bin", bin},
    {0},
};

const struct library time_truncate_library = {.functions = functions};
