/* to_char() of dates, times and intervals. */
#include "base/text.h"
#include "sqlfront/value/pace.h"
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"
#include "sqlfront/value/time/pattern.h"

#include <stdio.h>
#include <stdlib.h>

/* What is written: a moment, or the fields of an interval (whose year is no year of a calendar). */
struct written {
    int64_t year, month, day, hour, minute, second;
    int64_t year_day;
    int microsecond;
    bool interval;
    const struct zone_state *zone; /* NULL: none */
    struct text text;
};

static int64_t days_of(const struct written *written)
{
    return calendar_days(written->year, written->month, written->day);
}

/* 1 BC is year 0 inside. */
static int64_t shown_year(int64_t year, bool interval)
{
    return interval || year > 0 ? year : 1 - year;
}

/* Digits, and their ordinal ending. */
static void put_digits(struct written *written, const struct pattern_node *node, const char *digits)
{
    size_t size = strlen(digits);
    text_append(&written->text, digits);
    if (!node->ordinal && !node->ordinal_small)
        return;
    bool teen = size > 1 && digits[size - 2] == '1';
    const char *ending = teen                      ? "th"
                         : digits[size - 1] == '1' ? "st"
                         : digits[size - 1] == '2' ? "nd"
                         : digits[size - 1] == '3' ? "rd"
                                                   : "th";
    static const char *const upper[][2] = {{"th", "TH"}, {"st", "ST"}, {"nd", "ND"}, {"rd", "RD"}};
    for (int i = 0; i < 4 && node->ordinal; i++)
        if (strcmp(ending, upper[i][0]) == 0) {
            ending = upper[i][1];
            break;
        }
    text_append(&written->text, ending);
}

/* A number in `width` characters. */
static void put_fixed(struct written *written, const struct pattern_node *node, int64_t number, int width)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%0*lld", node->fill ? 0 : width, (long long)number);
    put_digits(written, node, digits);
}

/* The same; a sign takes one more. */
static void put_number(struct written *written, const struct pattern_node *node, int64_t number, int width)
{
    put_fixed(written, node, number, number >= 0 ? width : width + 1);
}

/* A name in the letters of the pattern, padded with blanks. */
static void put_name(struct written *written, const struct pattern_node *node, const char *name, int length,
                     int width)
{
    char letters[32];
    int size = snprintf(letters, sizeof letters, "%.*s", length, name);
    for (int i = 0; i < size; i++) {
        char c = letters[i];
        bool upper = node->word->letters == CASE_UPPER || (node->word->letters == CASE_FIRST && i == 0);
        if (upper && c >= 'a' && c <= 'z')
            letters[i] = (char)(c - 32);
        else if (!upper && c >= 'A' && c <= 'Z')
            letters[i] = (char)(c + 32);
    }
    text_format(&written->text, "%-*s", node->fill || node->translated ? 0 : width, letters);
}

static void put_either(struct written *written, const struct pattern_node *node, bool second,
                       const char *const *pairs)
{
    put_name(written, node, pairs[2 * node->word->dotted + second], 8, 0);
}

static void put_offset(struct written *written, const struct pattern_node *node)
{
    int32_t west = written->zone ? written->zone->west : 0, distance = abs(west);
    char sign = west <= 0 ? '+' : '-';
    switch (node->field) {
    case FIELD_OF_ZONE_HOUR:
        text_format(&written->text, "%c%02d", sign, distance / 3600);
        break;
    case FIELD_OF_ZONE_MINUTE:
        text_format(&written->text, "%02d", distance % 3600 / 60);
        break;
    default:
        text_format(&written->text, "%c%0*d", sign, node->fill ? 0 : 2, distance / 3600);
        if (distance % 3600)
            text_format(&written->text, ":%02d", distance % 3600 / 60);
    }
}

static void put_year(struct written *written, const struct pattern_node *node, int64_t year, int digits)
{
    static const int64_t powers[] = {1, 10, 100, 1000};
    year = shown_year(year, written->interval);
    bool sign = shown_year(written->year, written->interval) < 0 && digits > 1;
    put_fixed(written, node, digits < 4 ? year % powers[digits] : year, digits + sign);
}

static void put_century(struct written *written, const struct pattern_node *node)
{
    int64_t year = written->year;
    int64_t century = written->interval ? year / 100 : year > 0 ? (year - 1) / 100 + 1 : year / 100 - 1;
    put_number(written, node, century, century <= 99 && century >= -99 ? 2 : 0);
}

static void put_roman_month(struct written *written, const struct pattern_node *node)
{
    int64_t month = written->month;
    if (month == 0 && written->year == 0)
        return;
    /* An interval of whole years is in its twelfth month; negative months count from the end. */
    int at = (int)(month == 0 ? (written->year >= 0 ? 11 : 0) : month < 0 ? 12 + month - 1 + 1 : month - 1);
    put_name(written, node, roman_months[at], 8, 4);
}

/* Fields that intervals have, too; false when it is none of these. */
static bool put_clock(struct written *written, const struct pattern_node *node)
{
    static const char *const halves[] = {"am", "pm", "a.m.", "p.m."};
    static const int powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    char digits[32];
    int iso_year;
    switch (node->field) {
    case FIELD_OF_HALF:
        put_either(written, node, written->hour % 24 >= 12, halves);
        return true;
    case FIELD_OF_HOUR12:
        put_number(written, node, written->hour % 12 == 0 ? 12 : written->hour % 12, 2);
        return true;
    case FIELD_OF_HOUR24:
        put_number(written, node, written->hour, 2);
        return true;
    case FIELD_OF_MINUTE:
        put_number(written, node, written->minute, 2);
        return true;
    case FIELD_OF_SECOND:
        put_number(written, node, written->second, 2);
        return true;
    case FIELD_OF_FRACTION:
    case FIELD_OF_MILLISECOND:
    case FIELD_OF_MICROSECOND: {
        int places = node->field == FIELD_OF_FRACTION      ? node->word->digits
                     : node->field == FIELD_OF_MILLISECOND ? 3
                                                           : 6;
        struct pattern_node unfilled = *node;
        unfilled.fill = false; /* a fraction keeps its zeros */
        put_fixed(written, &unfilled, written->microsecond / powers[places], places);
        return true;
    }
    case FIELD_OF_SECONDS:
        put_number(written, node, written->hour * 3600 + written->minute * 60 + written->second, 0);
        return true;
    case FIELD_OF_CENTURY:
        put_century(written, node);
        return true;
    case FIELD_OF_MONTH:
        put_number(written, node, written->month, 2);
        return true;
    case FIELD_OF_DAY:
        put_fixed(written, node, written->day, 2);
        return true;
    case FIELD_OF_YEAR_DAY:
        put_fixed(written, node, written->year_day, 3);
        return true;
    case FIELD_OF_WEEK:
        put_fixed(written, node, (written->year_day - 1) / 7 + 1, 2);
        return true;
    case FIELD_OF_QUARTER:
        if (written->month)
            put_fixed(written, node, (written->month - 1) / 3 + 1, 1);
        return true;
    case FIELD_OF_MONTH_WEEK:
        put_fixed(written, node, (written->day - 1) / 7 + 1, 1);
        return true;
    case FIELD_OF_YEAR_COMMA: {
        int64_t year = shown_year(written->year, written->interval), thousands = year / 1000;
        snprintf(digits, sizeof digits, "%lld,%03lld", (long long)thousands,
                 (long long)(year - thousands * 1000));
        put_digits(written, node, digits);
        return true;
    }
    case FIELD_OF_YEAR:
        put_year(written, node, written->year, node->word->digits);
        return true;
    case FIELD_OF_ROMAN_MONTH:
        put_roman_month(written, node);
        return true;
    case FIELD_OF_ISO_YEAR_DAY:
        calendar_iso_week(days_of(written), &iso_year);
        put_fixed(written, node, days_of(written) - calendar_iso_year_start(iso_year) + 1, 3);
        return true;
    case FIELD_OF_ISO_WEEK:
        put_fixed(written, node, calendar_iso_week(days_of(written), &iso_year), 2);
        return true;
    case FIELD_OF_ISO_YEAR:
        calendar_iso_week(days_of(written), &iso_year);
        put_year(written, node, iso_year, node->word->digits);
        return true;
    case FIELD_OF_JULIAN:
        put_number(written, node, days_of(written) + JULIAN_EPOCH, 0);
        return true;
    default:
        return false;
    }
}

/* Fields that only points in time have; false when it is none of these. */
static bool put_calendar(struct written *written, const struct pattern_node *node)
{
    static const char *const eras[] = {"ad", "bc", "a.d.", "b.c."};
    int weekday = written->interval ? 0 : calendar_weekday(days_of(written));
    switch (node->field) {
    case FIELD_OF_ERA:
        put_either(written, node, written->year <= 0, eras);
        return true;
    case FIELD_OF_MONTH_NAME:
        put_name(written, node, month_names[written->month - 1], 16, 9);
        return true;
    case FIELD_OF_MONTH_SHORT:
        put_name(written, node, month_names[written->month - 1], 3, 0);
        return true;
    case FIELD_OF_DAY_NAME:
        put_name(written, node, weekday_names[weekday], 16, 9);
        return true;
    case FIELD_OF_DAY_SHORT:
        put_name(written, node, weekday_names[weekday], 3, 0);
        return true;
    case FIELD_OF_WEEKDAY:
        put_fixed(written, node, weekday + 1, 1);
        return true;
    case FIELD_OF_ISO_WEEKDAY:
        put_fixed(written, node, weekday ? weekday : 7, 1);
        return true;
    case FIELD_OF_ZONE:
        if (written->zone)
            put_name(written, node, written->zone->abbreviation, 16, 0);
        return true;
    case FIELD_OF_ZONE_HOUR:
    case FIELD_OF_ZONE_MINUTE:
    case FIELD_OF_OFFSET:
        put_offset(written, node);
        return true;
    default:
        return false;
    }
}

static enum sqlstate write_pattern(struct call *call, struct written *written, const struct value *format,
                                   struct value *result)
{
    struct pattern pattern;
    const char *text;
    enum sqlstate failed = pattern_read(call, value_view(format), &pattern);
    written->text = text_in(call->scope);
    struct pace pace = pace_of(call);
    for (size_t i = 0; i < pattern.count && !failed; i++) {
        if ((failed = pace_step(&pace, 512)))
            break;
        const struct pattern_node *node = &pattern.nodes[i];
        if (!node->word)
            text_bytes(&written->text, node->text);
        else if (put_clock(written, node) || node->field == FIELD_OF_EXACT)
            ;
        else if (written->interval) {
            failed = error_set(call->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                               "invalid format specification for an interval value");
            error_add(call->error, ERROR_HINT, "Intervals are not tied to specific calendar dates.");
        } else
            put_calendar(written, node);
    }
    if (failed || (failed = text_end(&written->text, &text, call->error)))
        return failed;
    *result = value_bytes(text, written->text.size);
    return SQLSTATE_OK;
}

static enum sqlstate write_moment(struct call *call, int64_t local, const struct zone_state *zone,
                                  const struct value *format, struct value *result)
{
    struct moment moment;
    moment_of_timestamp(local, &moment);
    struct written written = {.year = moment.year,
                              .month = moment.month,
                              .day = moment.day,
                              .hour = moment.hour,
                              .minute = moment.minute,
                              .second = moment.second,
                              .year_day = calendar_year_day(&moment),
                              .microsecond = moment.microsecond,
                              .zone = zone};
    return write_pattern(call, &written, format, result);
}

/* Infinity has no fields, and an empty format asks for none: null. */
static enum sqlstate timestamp_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_null();
    if (!timestamp_finite(arguments[0].i) || arguments[1].size == 0)
        return SQLSTATE_OK;
    return write_moment(call, arguments[0].i, NULL, &arguments[1], result);
}

static enum sqlstate timestamptz_to_char(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    struct zone_state state;
    *result = value_null();
    if (!timestamp_finite(arguments[0].i) || arguments[1].size == 0)
        return SQLSTATE_OK;
    int64_t local = zone_local(session_zone(call->environment), arguments[0].i, &state);
    return write_moment(call, local, &state, &arguments[1], result);
}

static enum sqlstate interval_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    struct span span = span_of(&arguments[0]);
    int64_t time = span.microseconds;
    *result = value_null();
    if (arguments[1].size == 0)
        return SQLSTATE_OK;
    struct written written = {.year = span.months / MONTHS_PER_YEAR,
                              .month = span.months % MONTHS_PER_YEAR,
                              .day = span.days,
                              .hour = time / MICROSECONDS_PER_HOUR,
                              .minute = time / MICROSECONDS_PER_MINUTE % 60,
                              .second = time / MICROSECONDS_PER_SECOND % 60,
                              .microsecond = (int)(time % MICROSECONDS_PER_SECOND),
                              .year_day = (int64_t)span.months * DAYS_PER_MONTH + span.days,
                              .interval = true};
    return write_pattern(call, &written, &arguments[1], result);
}

static const struct function functions[] = {
    {"timestamp_to_char", timestamp_to_char},
    {"timestamptz_to_char", timestamptz_to_char},
    {"interval_to_char", interval_to_char},
    {0},
};

const struct library time_format_library = {.functions = functions};
