/* Calculating with points in time and intervals. */
#include "sqlfront/value/time/arithmetic.h"

#include "sqlfront/value/raise.h"

#include <math.h>

enum sqlstate raise_timestamp_range(struct error *error)
{
    return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "timestamp out of range");
}

enum sqlstate raise_date_range(struct error *error)
{
    return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range");
}

enum sqlstate raise_span_range(struct error *error)
{
    return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "interval out of range");
}

/* ---- time stamps and intervals ---- */

/* A time stamp's fields as the zone's clocks show them; back from fields. A NULL zone is none. */
static void open_fields(const struct time_zone *zone, int64_t timestamp, struct moment *moment)
{
    struct zone_state state;
    moment_of_timestamp(zone ? zone_local(zone, timestamp, &state) : timestamp, moment);
}

static bool close_fields(const struct time_zone *zone, const struct moment *moment, int64_t *timestamp)
{
    if (!zone)
        return moment_timestamp(moment, timestamp);
    return moment_local(moment, timestamp) && zone_timestamp(zone, *timestamp, timestamp);
}

enum sqlstate timestamp_add_span(const struct time_zone *zone, int64_t timestamp, const struct span *span,
                                 int64_t *result, struct error *error)
{
    struct moment moment;
    *result = timestamp;
    if (!timestamp_finite(timestamp))
        return SQLSTATE_OK;
    if (span->months) {
        open_fields(zone, timestamp, &moment);
        int64_t month,
            year = moment.year + floor_divide((int64_t)moment.month - 1 + span->months, 12, &month);
        if (year != (int32_t)year)
            return raise_timestamp_range(error);
        moment.year = (int)year;
        moment.month = (int)month + 1;
        int days = calendar_month_days(moment.year, moment.month);
        moment.day = moment.day > days ? days : moment.day;
        if (!close_fields(zone, &moment, &timestamp))
            return raise_timestamp_range(error);
    }
    if (span->days) {
        open_fields(zone, timestamp, &moment);
        int64_t days = calendar_days(moment.year, moment.month, moment.day) + span->days;
        if (days < DATE_LEAST || days >= DATE_ABOVE)
            return raise_timestamp_range(error);
        calendar_date(days, &moment);
        if (!close_fields(zone, &moment, &timestamp))
            return raise_timestamp_range(error);
    }
    if (__builtin_add_overflow(timestamp, span->microseconds, result) || !timestamp_valid(*result))
        return raise_timestamp_range(error);
    return SQLSTATE_OK;
}

/* ---- intervals ---- */

enum sqlstate span_negate(const struct span *span, struct span *result, struct error *error)
{
    if (span->microseconds == INT64_MIN || span->days == INT32_MIN || span->months == INT32_MIN)
        return raise_span_range(error);
    *result = (struct span){-span->microseconds, -span->days, -span->months};
    return SQLSTATE_OK;
}

enum sqlstate span_add(const struct span *a, const struct span *b, struct span *result, struct error *error)
{
    struct span sum;
    if (__builtin_add_overflow(a->microseconds, b->microseconds, &sum.microseconds) ||
        __builtin_add_overflow(a->days, b->days, &sum.days) ||
        __builtin_add_overflow(a->months, b->months, &sum.months))
        return raise_span_range(error);
    *result = sum;
    return SQLSTATE_OK;
}

/* To whole microseconds, taken as a fraction of something larger: keeps what is exact exact. */
static double round_off(double f)
{
    return rint(f * 1000000) / 1000000;
}

static bool fits_int(double f)
{
    return f >= INT32_MIN && f <= INT32_MAX;
}

/* Fractions of a month become days, fractions of a day become time. */
enum sqlstate span_scale(const struct span *span, double factor, bool divide, struct span *result,
                         struct error *error)
{
    double months = divide ? span->months / factor : span->months * factor;
    double days = divide ? span->days / factor : span->days * factor;
    double microseconds = divide ? (double)span->microseconds / factor : (double)span->microseconds * factor;
    if (!fits_int(months) || !fits_int(days)) /* NaN, too */
        return raise_span_range(error);
    struct span scaled = {.months = (int32_t)months, .days = (int32_t)days};
    double days_of_months = round_off((months - scaled.months) * DAYS_PER_MONTH);
    double seconds =
        round_off((days - scaled.days + days_of_months - (int)days_of_months) * (double)SECONDS_PER_DAY);
    int carried = 0;
    if (fabs(seconds) >= SECONDS_PER_DAY) {
        carried = (int)(seconds / SECONDS_PER_DAY);
        seconds -= carried * (double)SECONDS_PER_DAY;
    }
    if (__builtin_add_overflow(scaled.days, carried + (int32_t)days_of_months, &scaled.days))
        return raise_span_range(error);
    microseconds = rint(microseconds + seconds * 1000000);
    if (!(microseconds >= -0x1p63 && microseconds < 0x1p63))
        return raise_span_range(error);
    scaled.microseconds = (int64_t)microseconds;
    *result = scaled;
    return SQLSTATE_OK;
}

enum sqlstate span_justify_hours(struct span *span, struct error *error)
{
    int32_t days = (int32_t)(span->microseconds / MICROSECONDS_PER_DAY);
    span->microseconds %= MICROSECONDS_PER_DAY;
    if (__builtin_add_overflow(span->days, days, &span->days))
        return raise_span_range(error);
    if (span->days > 0 && span->microseconds < 0) {
        span->microseconds += MICROSECONDS_PER_DAY;
        span->days--;
    } else if (span->days < 0 && span->microseconds > 0) {
        span->microseconds -= MICROSECONDS_PER_DAY;
        span->days++;
    }
    return SQLSTATE_OK;
}

/* ---- between types ---- */

enum sqlstate timestamp_of_date(int64_t date, int64_t *timestamp, struct error *error)
{
    if (!date_finite(date)) {
        *timestamp = date == DATE_INFINITY ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        return SQLSTATE_OK;
    }
    if (date >= TIMESTAMP_ABOVE / MICROSECONDS_PER_DAY)
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range for timestamp");
    *timestamp = date * MICROSECONDS_PER_DAY;
    return SQLSTATE_OK;
}

enum sqlstate timestamptz_of_date(const struct time_zone *zone, int64_t date, int64_t *timestamp,
                                  struct error *error)
{
    enum sqlstate failed = timestamp_of_date(date, timestamp, error);
    if (failed || !timestamp_finite(*timestamp))
        return failed;
    if (!zone_timestamp(zone, *timestamp, timestamp))
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range for timestamp");
    return SQLSTATE_OK;
}

enum sqlstate timestamptz_of_timestamp(const struct time_zone *zone, int64_t local, int64_t *timestamp,
                                       struct error *error)
{
    *timestamp = local;
    if (timestamp_finite(local) && !zone_timestamp(zone, local, timestamp))
        return raise_timestamp_range(error);
    return SQLSTATE_OK;
}

int64_t timestamp_of_timestamptz(const struct time_zone *zone, int64_t timestamp)
{
    struct zone_state state;
    return timestamp_finite(timestamp) ? zone_local(zone, timestamp, &state) : timestamp;
}

enum sqlstate zone_of_text(struct scope *scope, struct bytes name, int64_t timestamp, bool local,
                           const struct time_zone **zone, struct error *error)
{
    const struct zone_abbreviation *abbreviation = zone_abbreviation_find((const char *)name.data, name.size);
    if (!abbreviation)
        *zone = zone_named(scope, name);
    else if (!abbreviation->zone)
        *zone = zone_fixed(scope, abbreviation->west);
    else if ((*zone = zone_find(bytes_of_text(abbreviation->zone)))) {
        struct zone_state state;
        if (local && !zone_timestamp(*zone, timestamp, &timestamp))
            return raise_timestamp_range(error);
        if (zone_abbreviation_west(*zone, abbreviation->name,
                                   floor_divide(timestamp, MICROSECONDS_PER_SECOND, NULL), &state))
            *zone = zone_fixed(scope, state.west);
    }
    if (*zone)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "time zone \"%.*s\" not recognized",
                     (int)name.size, (const char *)name.data);
}
