/* The calendar. Dates are counted from March, so that the leap day is the last day of its year, and in eras of 400 years,
 * which repeat. */
#include "sqlfront/value/time/calendar.h"

#define DAYS_PER_ERA 146097
/* Days from 0000-03-01 to 2000-01-01. */
#define MARCH_EPOCH 730425

int64_t floor_divide(int64_t a, int64_t b, int64_t *rest)
{
    int64_t quotient = a / b, left = a % b;
    if (left < 0) {
        left += b;
        quotient--;
    }
    if (rest)
        *rest = left;
    return quotient;
}

int64_t calendar_days(int64_t year, int64_t month, int64_t day)
{
    int64_t month_of_year, year_of_era;
    year += floor_divide(month - 3, 12, &month_of_year);
    int64_t era = floor_divide(year, 400, &year_of_era);
    int64_t day_of_year = (153 * month_of_year + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - MARCH_EPOCH;
}

void calendar_date(int64_t days, struct moment *moment)
{
    int64_t day;
    int64_t era = floor_divide(days + MARCH_EPOCH, DAYS_PER_ERA, &day);
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153;
    moment->day = (int)(day - (153 * month + 2) / 5 + 1);
    moment->month = (int)(month < 10 ? month + 3 : month - 9);
    moment->year = (int)(era * 400 + year + (month >= 10));
}

bool calendar_reaches(int year, int month, int day)
{
    return (year > -4713 || (year == -4713 && month >= 11)) &&
           (year < 5874898 || (year == 5874898 && month < 6));
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int calendar_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

int calendar_weekday(int64_t days)
{
    int64_t weekday;
    floor_divide(days + 6, 7, &weekday); /* 2000-01-01 was a Saturday */
    return (int)weekday;
}

int calendar_year_day(const struct moment *moment)
{
    return (int)(calendar_days(moment->year, moment->month, moment->day) - calendar_days(moment->year, 1, 1) +
                 1);
}

/* Week 1 is the one with January 4. */
int64_t calendar_iso_year_start(int year)
{
    int64_t fourth = calendar_days(year, 1, 4);
    return fourth - (calendar_weekday(fourth) + 6) % 7;
}

int calendar_iso_week(int64_t days, int *year)
{
    struct moment moment;
    calendar_date(days - (calendar_weekday(days) + 6) % 7 + 3, &moment); /* the week's Thursday decides */
    *year = moment.year;
    return (int)((days - calendar_iso_year_start(moment.year)) / 7 + 1);
}

/* ---- time stamps ---- */

int64_t moment_microseconds_of_day(const struct moment *moment)
{
    return ((moment->hour * 60L + moment->minute) * 60 + moment->second) * MICROSECONDS_PER_SECOND +
           moment->microsecond;
}

bool moment_local(const struct moment *moment, int64_t *local)
{
    int64_t days = calendar_days(moment->year, moment->month, moment->day);
    return calendar_reaches(moment->year, moment->month, moment->day) &&
           !__builtin_mul_overflow(days, MICROSECONDS_PER_DAY, local) &&
           !__builtin_add_overflow(*local, moment_microseconds_of_day(moment), local);
}

bool moment_timestamp(const struct moment *moment, int64_t *timestamp)
{
    return moment_local(moment, timestamp) && timestamp_valid(*timestamp);
}

void moment_time_of(int64_t microseconds, struct moment *moment)
{
    moment->hour = (int)(microseconds / MICROSECONDS_PER_HOUR);
    microseconds %= MICROSECONDS_PER_HOUR;
    moment->minute = (int)(microseconds / MICROSECONDS_PER_MINUTE);
    microseconds %= MICROSECONDS_PER_MINUTE;
    moment->second = (int)(microseconds / MICROSECONDS_PER_SECOND);
    moment->microsecond = (int)(microseconds % MICROSECONDS_PER_SECOND);
}

void moment_of_timestamp(int64_t timestamp, struct moment *moment)
{
    int64_t microseconds;
    int64_t days = floor_divide(timestamp, MICROSECONDS_PER_DAY, &microseconds);
    calendar_date(days, moment);
    moment_time_of(microseconds, moment);
}

/* ---- intervals, clocks ---- */

struct span span_of(const struct value *value)
{
    struct span span;
    static_assert(sizeof span == 16);
    memcpy(&span, value->p, sizeof span);
    return span;
}

struct value span_value(struct scope *scope, const struct span *span)
{
    return value_bytes(scope_copy(scope, span, sizeof *span), sizeof *span);
}

__int128 span_length(const struct span *span)
{
    __int128 days = (__int128)span->months * DAYS_PER_MONTH + span->days;
    return days * MICROSECONDS_PER_DAY + span->microseconds;
}

#define CLOCK_BYTES 12

struct clock clock_of(const struct value *value)
{
    struct clock clock;
    memcpy(&clock.microseconds, value->p, 8);
    memcpy(&clock.west, value->p + 8, 4);
    return clock;
}

struct value clock_value(struct scope *scope, const struct clock *clock)
{
    uint8_t *bytes = scope_alloc(scope, CLOCK_BYTES);
    memcpy(bytes, &clock->microseconds, 8);
    memcpy(bytes + 8, &clock->west, 4);
    return value_bytes(bytes, CLOCK_BYTES);
}

/* By the time in Greenwich, then by the zone. */
int clock_compare(const struct clock *a, const struct clock *b)
{
    int64_t time_a = a->microseconds + a->west * MICROSECONDS_PER_SECOND;
    int64_t time_b = b->microseconds + b->west * MICROSECONDS_PER_SECOND;
    if (time_a != time_b)
        return time_a > time_b ? 1 : -1;
    return (a->west > b->west) - (a->west < b->west);
}
