/* The calendar: days since 2000-01-01 and years, months, days; time stamps and their fields; the three spans of an
 * interval. The Gregorian calendar holds for all time, and year 0 is 1 BC. */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_CALENDAR_H
#define SYNOD_SQLFRONT_VALUE_TIME_CALENDAR_H

#include "sqlfront/value/value.h"

#define MICROSECONDS_PER_SECOND 1000000L
#define MICROSECONDS_PER_MINUTE (60 * MICROSECONDS_PER_SECOND)
#define MICROSECONDS_PER_HOUR   (60 * MICROSECONDS_PER_MINUTE)
#define MICROSECONDS_PER_DAY    (24 * MICROSECONDS_PER_HOUR)
#define SECONDS_PER_DAY         86400L
#define DAYS_PER_MONTH          30
#define MONTHS_PER_YEAR         12

/* Julian day numbers of the epochs: ours is 2000-01-01, Unix's 1970-01-01. */
#define JULIAN_EPOCH       2451545
#define JULIAN_UNIX_EPOCH  2440588
#define UNIX_EPOCH_SECONDS ((JULIAN_EPOCH - JULIAN_UNIX_EPOCH) * SECONDS_PER_DAY)

/* PostgreSQL's bounds: dates 4714-11-24 BC .. 5874897-12-31, time stamps from there up to 294276-12-31. */
#define DATE_LEAST               (-JULIAN_EPOCH)
#define DATE_ABOVE               (2147483494 - JULIAN_EPOCH)
#define TIMESTAMP_LEAST          (-211813488000000000L)
#define TIMESTAMP_ABOVE          9223371331200000000L
#define DATE_INFINITY            INT32_MAX
#define DATE_MINUS_INFINITY      INT32_MIN
#define TIMESTAMP_INFINITY       INT64_MAX
#define TIMESTAMP_MINUS_INFINITY INT64_MIN

static inline bool timestamp_finite(int64_t timestamp)
{
    return timestamp != TIMESTAMP_INFINITY && timestamp != TIMESTAMP_MINUS_INFINITY;
}
static inline bool timestamp_valid(int64_t timestamp)
{
    return timestamp >= TIMESTAMP_LEAST && timestamp < TIMESTAMP_ABOVE;
}
static inline bool date_finite(int64_t date)
{
    return date != DATE_INFINITY && date != DATE_MINUS_INFINITY;
}
static inline bool date_valid(int64_t date)
{
    return date >= DATE_LEAST && date < DATE_ABOVE;
}

/* A point in time by its fields. */
struct moment {
    int year; /* 0 is 1 BC */
    int month, day;
    int hour, minute, second, microsecond;
};

/* Days since 2000-01-01 of a date whose month and day may be any numbers; and back. */
int64_t calendar_days(int64_t year, int64_t month, int64_t day);
void calendar_date(int64_t days, struct moment *moment);
/* Whether PostgreSQL's calendar reaches there at all. */
bool calendar_reaches(int year, int month, int day);

int calendar_month_days(int64_t year, int month);
/* 0 is Sunday. */
int calendar_weekday(int64_t days);
int calendar_year_day(const struct moment *moment); /* from 1 */
/* ISO 8601's week 1 .. 53 and the year it belongs to. */
int calendar_iso_week(int64_t days, int *year);
/* The Monday of ISO week 1. */
int64_t calendar_iso_year_start(int year);

/* Microseconds since 2000-01-01 without regard to zones, and back. */
int64_t moment_microseconds_of_day(const struct moment *moment);
bool moment_timestamp(const struct moment *moment, int64_t *timestamp); /* false: out of range */
/* The same for a local time, which may lie a little outside when its time stamp does not. */
bool moment_local(const struct moment *moment, int64_t *local);
void moment_of_timestamp(int64_t timestamp, struct moment *moment);
void moment_time_of(int64_t microseconds, struct moment *moment); /* the fields of the time of day alone */

/* Floor of a / b and what is left; b > 0. */
int64_t floor_divide(int64_t a, int64_t b, int64_t *rest);

/* ---- intervals ---- */

struct span {
    int64_t microseconds;
    int32_t days;
    int32_t months;
};

struct span span_of(const struct value *value);
struct value span_value(struct scope *scope, const struct span *span);
/* The length in microseconds, a month being 30 days of 24 hours. */
__int128 span_length(const struct span *span);

/* ---- time with time zone ---- */

struct clock {
    int64_t microseconds;
    int32_t west; /* seconds */
};

struct clock clock_of(const struct value *value);
struct value clock_value(struct scope *scope, const struct clock *clock);
int clock_compare(const struct clock *a, const struct clock *b);

#endif
