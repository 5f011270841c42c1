/* Writing dates, times, time stamps and intervals. */
#include "sqlfront/value/time/print.h"

#include "sqlfront/value/time/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct pen {
    char *start;
    char *at;
};

static void put(struct pen *pen, const char *text)
{
    size_t size = strlen(text);
    memcpy(pen->at, text, size + 1);
    pen->at += size;
}

static void put_char(struct pen *pen, char c)
{
    *pen->at++ = c;
    *pen->at = 0;
}

/* At least `width` digits. */
static void put_number(struct pen *pen, int64_t number, int width)
{
    char digits[24];
    int count = 0;
    if (number < 0)
        put_char(pen, '-');
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    for (; left || count == 0; left /= 10)
        digits[count++] = (char)('0' + left % 10);
    while (count < width)
        digits[count++] = '0';
    while (count)
        *pen->at++ = digits[--count];
    *pen->at = 0;
}

/* Seconds with what fraction there is. */
static void put_seconds(struct pen *pen, int64_t second, int microsecond, int width)
{
    put_number(pen, llabs(second), width);
    if (microsecond == 0)
        return;
    put_char(pen, '.');
    put_number(pen, abs(microsecond), 6);
    while (pen->at[-1] == '0')
        *--pen->at = 0;
}

/* 1 BC is year 0. */
static int shown_year(int year)
{
    return year > 0 ? year : 1 - year;
}

static void put_time(struct pen *pen, const struct moment *moment)
{
    put_number(pen, moment->hour, 2);
    put_char(pen, ':');
    put_number(pen, moment->minute, 2);
    put_char(pen, ':');
    put_seconds(pen, moment->second, moment->microsecond, 2);
}

/* +hh, +hh:mm, +hh:mm:ss */
static void put_offset(struct pen *pen, int32_t west)
{
    int32_t distance = abs(west);
    put_char(pen, west <= 0 ? '+' : '-');
    put_number(pen, distance / 3600, 2);
    if (distance % 3600) {
        put_char(pen, ':');
        put_number(pen, distance / 60 % 60, 2);
    }
    if (distance % 60) {
        put_char(pen, ':');
        put_number(pen, distance % 60, 2);
    }
}

static void put_era(struct pen *pen, int year)
{
    if (year <= 0)
        put(pen, " BC");
}

/* Day and month in the order that is set, with that separator. */
static void put_day_month(struct pen *pen, const struct environment *environment, const struct moment *moment,
                          char separator)
{
    bool day_first = environment->date_order == DATE_DMY;
    put_number(pen, day_first ? moment->day : moment->month, 2);
    put_char(pen, separator);
    put_number(pen, day_first ? moment->month : moment->day, 2);
}

static void put_iso_date(struct pen *pen, const struct moment *moment)
{
    put_number(pen, shown_year(moment->year), 4);
    put_char(pen, '-');
    put_number(pen, moment->month, 2);
    put_char(pen, '-');
    put_number(pen, moment->day, 2);
}

static void put_german_date(struct pen *pen, const struct moment *moment)
{
    put_number(pen, moment->day, 2);
    put_char(pen, '.');
    put_number(pen, moment->month, 2);
    put_char(pen, '.');
    put_number(pen, shown_year(moment->year), 4);
}

static size_t finish(const struct pen *pen)
{
    return (size_t)(pen->at - pen->start);
}

static size_t print_word(const char *word, char *room)
{
    strcpy(room, word);
    return strlen(word);
}

size_t print_date(const struct environment *environment, int64_t date, char *room)
{
    struct moment moment;
    struct pen pen = {room, room};
    if (!date_finite(date))
        return print_word(date == DATE_INFINITY ? "infinity" : "-infinity", room);
    calendar_date(date, &moment);
    switch (environment->date_style) {
    case DATE_ISO:
        put_iso_date(&pen, &moment);
        break;
    case DATE_GERMAN:
        put_german_date(&pen, &moment);
        break;
    default: {
        char separator = environment->date_style == DATE_SQL ? '/' : '-';
        if (environment->date_order == DATE_YMD && environment->date_style == DATE_POSTGRES) {
            put_number(&pen, moment.month, 2);
            put_char(&pen, separator);
            put_number(&pen, moment.day, 2);
        } else
            put_day_month(&pen, environment, &moment, separator);
        put_char(&pen, separator);
        put_number(&pen, shown_year(moment.year), 4);
    }
    }
    put_era(&pen, moment.year);
    return finish(&pen);
}

size_t print_time(int64_t microseconds, char *room)
{
    struct moment moment;
    struct pen pen = {room, room};
    moment_time_of(microseconds, &moment);
    put_time(&pen, &moment);
    return finish(&pen);
}

size_t print_clock(const struct environment *environment, const struct clock *clock, char *room)
{
    struct pen pen = {room, room + print_time(clock->microseconds, room)};
    put_offset(&pen, clock->west);
    return finish(&pen);
}

/* `zone` is NULL for a time stamp without. */
static size_t print_moment(const struct environment *environment, const struct moment *moment,
                           const struct zone_state *zone, char *room)
{
    struct pen pen = {room, room};
    switch (environment->date_style) {
    case DATE_ISO:
        put_iso_date(&pen, moment);
        put_char(&pen, ' ');
        put_time(&pen, moment);
        if (zone)
            put_offset(&pen, zone->west);
        break;
    case DATE_POSTGRES: {
        int weekday = calendar_weekday(calendar_days(moment->year, moment->month, moment->day));
        char month[4] = {0}, day[4] = {0};
        memcpy(day, weekday_names[weekday], 3);
        memcpy(month, month_names[moment->month - 1], 3);
        put(&pen, day);
        put_char(&pen, ' ');
        if (environment->date_order == DATE_DMY) {
            put_number(&pen, moment->day, 2);
            put_char(&pen, ' ');
            put(&pen, month);
        } else {
            put(&pen, month);
            put_char(&pen, ' ');
            put_number(&pen, moment->day, 2);
        }
        put_char(&pen, ' ');
        put_time(&pen, moment);
        put_char(&pen, ' ');
        put_number(&pen, shown_year(moment->year), 4);
        break;
    }
    default:
        if (environment->date_style == DATE_GERMAN)
            put_german_date(&pen, moment);
        else {
            put_day_month(&pen, environment, moment, '/');
            put_char(&pen, '/');
            put_number(&pen, shown_year(moment->year), 4);
        }
        put_char(&pen, ' ');
        put_time(&pen, moment);
    }
    if (zone && environment->date_style != DATE_ISO) {
        put_char(&pen, ' ');
        put(&pen, zone->abbreviation);
    }
    put_era(&pen, moment->year);
    return finish(&pen);
}

size_t print_timestamp(const struct environment *environment, int64_t timestamp, char *room)
{
    struct moment moment;
    if (!timestamp_finite(timestamp))
        return print_word(timestamp == TIMESTAMP_INFINITY ? "infinity" : "-infinity", room);
    moment_of_timestamp(timestamp, &moment);
    return print_moment(environment, &moment, NULL, room);
}

size_t print_timestamptz(const struct environment *environment, int64_t timestamp, char *room)
{
    struct moment moment;
    struct zone_state zone;
    if (!timestamp_finite(timestamp))
        return print_timestamp(environment, timestamp, room);
    moment_of_timestamp(zone_local(session_zone(environment), timestamp, &zone), &moment);
    return print_moment(environment, &moment, &zone, room);
}

/* ---- intervals ---- */

/* The fields of an interval, each with its own sign. */
struct span_fields {
    int64_t years, months, days, hours, minutes, seconds;
    int microseconds;
};

static struct span_fields fields_of(const struct span *span)
{
    int64_t left = span->microseconds;
    struct span_fields fields = {.years = span->months / MONTHS_PER_YEAR,
                                 .months = span->months % MONTHS_PER_YEAR,
                                 .days = span->days};
    fields.hours = left / MICROSECONDS_PER_HOUR;
    left %= MICROSECONDS_PER_HOUR;
    fields.minutes = left / MICROSECONDS_PER_MINUTE;
    left %= MICROSECONDS_PER_MINUTE;
    fields.seconds = left / MICROSECONDS_PER_SECOND;
    fields.microseconds = (int)(left % MICROSECONDS_PER_SECOND);
    return fields;
}

/* "2 days", with a sign only where the field before was negative. */
static void put_postgres_part(struct pen *pen, int64_t number, const char *unit, bool *first, bool *before)
{
    if (number == 0)
        return;
    if (!*first)
        put_char(pen, ' ');
    if (*before && number > 0)
        put_char(pen, '+');
    put_number(pen, number, 1);
    put_char(pen, ' ');
    put(pen, unit);
    if (number != 1)
        put_char(pen, 's');
    *before = number < 0;
    *first = false;
}

static void put_postgres(struct pen *pen, const struct span_fields *fields, bool negative_time)
{
    bool first = true, before = false;
    put_postgres_part(pen, fields->years, "year", &first, &before);
    put_postgres_part(pen, fields->months, "mon", &first, &before);
    put_postgres_part(pen, fields->days, "day", &first, &before);
    bool time = fields->hours || fields->minutes || fields->seconds || fields->microseconds;
    if (!first && !time)
        return;
    if (!first)
        put_char(pen, ' ');
    if (negative_time)
        put_char(pen, '-');
    else if (before)
        put_char(pen, '+');
    put_number(pen, llabs(fields->hours), 2);
    put_char(pen, ':');
    put_number(pen, llabs(fields->minutes), 2);
    put_char(pen, ':');
    put_seconds(pen, fields->seconds, fields->microseconds, 2);
}

/* "@ 1 year 2 mons ago": all with the sign of the first. */
static void put_verbose_part(struct pen *pen, int64_t number, const char *unit, bool *any, bool *ago)
{
    if (number == 0)
        return;
    if (!*any)
        *ago = number < 0;
    if (*ago)
        number = -number;
    put_char(pen, ' ');
    put_number(pen, number, 1);
    put_char(pen, ' ');
    put(pen, unit);
    if (number != 1)
        put_char(pen, 's');
    *any = true;
}

static void put_verbose(struct pen *pen, const struct span_fields *fields)
{
    bool any = false, ago = false;
    put_char(pen, '@');
    put_verbose_part(pen, fields->years, "year", &any, &ago);
    put_verbose_part(pen, fields->months, "mon", &any, &ago);
    put_verbose_part(pen, fields->days, "day", &any, &ago);
    put_verbose_part(pen, fields->hours, "hour", &any, &ago);
    put_verbose_part(pen, fields->minutes, "min", &any, &ago);
    if (fields->seconds || fields->microseconds) {
        bool negative = fields->seconds < 0 || fields->microseconds < 0;
        put_char(pen, ' ');
        if (any ? negative != ago : false)
            put_char(pen, '-');
        if (!any)
            ago = negative;
        put_seconds(pen, fields->seconds, fields->microseconds, 1);
        put(pen, llabs(fields->seconds) == 1 && fields->microseconds == 0 ? " sec" : " secs");
        any = true;
    }
    if (!any)
        put(pen, " 0");
    if (ago)
        put(pen, " ago");
}

static void put_hms(struct pen *pen, const struct span_fields *fields)
{
    put_number(pen, llabs(fields->hours), 1);
    put_char(pen, ':');
    put_number(pen, llabs(fields->minutes), 2);
    put_char(pen, ':');
    put_seconds(pen, fields->seconds, fields->microseconds, 2);
}

static void put_sql(struct pen *pen, struct span_fields fields)
{
    bool negative = fields.years < 0 || fields.months < 0 || fields.days < 0 || fields.hours < 0 ||
                    fields.minutes < 0 || fields.seconds < 0 || fields.microseconds < 0;
    bool positive = fields.years > 0 || fields.months > 0 || fields.days > 0 || fields.hours > 0 ||
                    fields.minutes > 0 || fields.seconds > 0 || fields.microseconds > 0;
    bool year_month = fields.years || fields.months;
    bool time = fields.hours || fields.minutes || fields.seconds || fields.microseconds;
    bool day_time = fields.days || time;
    if (!negative && !positive)
        put_char(pen, '0');
    else if ((negative && positive) ||
             (year_month && day_time)) { /* SQL has no such interval: sign everything */
        put_char(pen, fields.years < 0 || fields.months < 0 ? '-' : '+');
        put_number(pen, llabs(fields.years), 1);
        put_char(pen, '-');
        put_number(pen, llabs(fields.months), 1);
        put_char(pen, ' ');
        put_char(pen, fields.days < 0 ? '-' : '+');
        put_number(pen, llabs(fields.days), 1);
        put_char(pen, ' ');
        bool minus = fields.hours < 0 || fields.minutes < 0 || fields.seconds < 0 || fields.microseconds < 0;
        put_char(pen, minus ? '-' : '+');
        put_hms(pen, &fields);
    } else {
        if (negative)
            put_char(pen, '-');
        if (year_month) {
            put_number(pen, llabs(fields.years), 1);
            put_char(pen, '-');
            put_number(pen, llabs(fields.months), 1);
            return;
        }
        if (fields.days) {
            put_number(pen, llabs(fields.days), 1);
            put_char(pen, ' ');
        }
        put_hms(pen, &fields);
    }
}

static void put_iso_part(struct pen *pen, int64_t number, char unit)
{
    if (number == 0)
        return;
    put_number(pen, number, 1);
    put_char(pen, unit);
}

static void put_iso(struct pen *pen, const struct span_fields *fields)
{
    bool time = fields->hours || fields->minutes || fields->seconds || fields->microseconds;
    if (!fields->years && !fields->months && !fields->days && !time) {
        put(pen, "PT0S");
        return;
    }
    put_char(pen, 'P');
    put_iso_part(pen, fields->years, 'Y');
    put_iso_part(pen, fields->months, 'M');
    put_iso_part(pen, fields->days, 'D');
    if (time)
        put_char(pen, 'T');
    put_iso_part(pen, fields->hours, 'H');
    put_iso_part(pen, fields->minutes, 'M');
    if (fields->seconds || fields->microseconds) {
        if (fields->seconds < 0 || fields->microseconds < 0)
            put_char(pen, '-');
        put_seconds(pen, fields->seconds, fields->microseconds, 1);
        put_char(pen, 'S');
    }
}

size_t print_span(const struct environment *environment, const struct span *span, char *room)
{
    struct pen pen = {room, room};
    struct span_fields fields = fields_of(span);
    switch (environment->interval_style) {
    case INTERVAL_SQL_STANDARD:
        put_sql(&pen, fields);
        break;
    case INTERVAL_ISO_8601:
        put_iso(&pen, &fields);
        break;
    case INTERVAL_POSTGRES_VERBOSE:
        put_verbose(&pen, &fields);
        break;
    default:
        put_postgres(&pen, &fields, span->microseconds < 0);
    }
    return finish(&pen);
}
