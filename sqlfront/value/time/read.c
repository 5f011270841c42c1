/* to_date() and to_timestamp(): texts taken apart by a pattern.
 *
 * The pattern says which fields come in which order; how many blanks and which punctuation stand between them is taken
 * lightly unless FX is in it. What the fields say together becomes a date at the end. */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"
#include "sqlfront/value/time/pattern.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* What was read; 0 where nothing was. */
struct reading {
    enum pattern_calendar calendar;
    int hour, minute, second, seconds, millisecond, microsecond;
    int day, year_day, weekday, month, year, year_digits, century, week, month_week, julian;
    int zone_sign, zone_hour, zone_minute;
    bool twelve, afternoon, bc;
    bool half_seen, era_seen;
};

struct reader {
    struct error *error;
    const char *at; /* ends with a zero byte */
    struct reading *reading;
    bool exact;
    int skipped; /* characters skipped beyond those the pattern asked for */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return c > ' ' && c < 127 && !letter && !is_digit(c);
}

static void skip_character(struct reader *in)
{
    if (*in->at)
        in->at++;
    while ((*in->at & 0xc0) == 0x80)
        in->at++;
}

/* ---- errors ---- */

static enum sqlstate raise_value(struct reader *in, const char *value, int size, const char *field,
                                 const char *detail)
{
    enum sqlstate state = error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                                    "invalid value \"%.*s\" for \"%s\"", size, value, field);
    error_add(in->error, ERROR_DETAIL, "%s", detail);
    return state;
}

static void hint_at_fill(struct error *error)
{
    error_add(error, ERROR_HINT, "If your source string is not fixed-width, try using the \"FM\" modifier.");
}

/* A field read twice must say the same. */
static enum sqlstate set(struct reader *in, const struct pattern_node *node, int *field, int value)
{
    if (*field != 0 && *field != value) {
        enum sqlstate state =
            error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                      "conflicting values for \"%s\" field in formatting string", node->word->word);
        error_add(in->error, ERROR_DETAIL,
                  "This value contradicts a previous setting for the same field type.");
        return state;
    }
    *field = value;
    return SQLSTATE_OK;
}

/* ---- numbers ---- */

/* Whether what follows a field ends its digits, so that it may have any number of them. */
static bool next_ends_number(const struct pattern *pattern, size_t at)
{
    const struct pattern_node *node = &pattern->nodes[at];
    if (node->ordinal || node->ordinal_small || at + 1 == pattern->count)
        return true;
    node++;
    if (node->word)
        return !node->word->number;
    return !(node->text.size == 1 && is_digit((char)node->text.data[0]));
}

/* Reads a number of exactly `size` characters, or of any where that is clear. Gives how many it had. */
static enum sqlstate read_number(struct reader *in, const struct pattern *pattern, size_t at, int size,
                                 int *field, int *length)
{
    const struct pattern_node *node = &pattern->nodes[at];
    const char *start = in->at, *name = node->word->word;
    char *end, copy[16];
    long number;
    while (is_space(*in->at))
        in->at++;
    int used = snprintf(copy, sizeof copy, "%.*s", size, in->at);
    errno = 0;
    if (node->fill || next_ends_number(pattern, at)) {
        number = strtol(start, &end, 10);
        in->at = end;
    } else {
        if (used < size) {
            enum sqlstate state = error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                                            "source string too short for \"%s\" formatting field", name);
            error_add(in->error, ERROR_DETAIL, "Field requires %d characters, but only %d remain.", size,
                      used);
            hint_at_fill(in->error);
            return state;
        }
        number = strtol(copy, &end, 10);
        used = (int)(end - copy);
        if (used > 0 && used < size) {
            enum sqlstate state = error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                                            "invalid value \"%s\" for \"%s\"", copy, name);
            error_add(in->error, ERROR_DETAIL, "Field requires %d characters, but only %d could be parsed.",
                      size, used);
            hint_at_fill(in->error);
            return state;
        }
        in->at += used;
    }
    if (in->at == start || end == start)
        return raise_value(in, copy, (int)sizeof copy, name, "Value must be an integer.");
    if (errno == ERANGE || number < INT_MIN || number > INT_MAX) {
        enum sqlstate state = error_set(in->error, SQLSTATE_DATETIME_FIELD_OVERFLOW,
                                        "value for \"%s\" in source string is out of range", name);
        error_add(in->error, ERROR_DETAIL, "Value must be in the range %d to %d.", INT_MIN, INT_MAX);
        return state;
    }
    if (length)
        *length = (int)(in->at - start);
    return field ? set(in, node, field, (int)number) : SQLSTATE_OK;
}

/* ---- names ---- */

static enum sqlstate read_name(struct reader *in, const struct pattern_node *node, const char *const *names,
                               int count, size_t letters, int *found)
{
    for (int i = 0; i < count; i++) {
        size_t size = strlen(names[i]);
        size = size < letters ? size : letters;
        if (strncasecmp(in->at, names[i], size) == 0) {
            in->at += size;
            *found = i;
            return SQLSTATE_OK;
        }
    }
    int size = 0;
    while (in->at[size] && !is_space(in->at[size]))
        size++;
    return raise_value(in, in->at, size, node->word->word,
                       "The given value did not match any of the allowed values for this field.");
}

static enum sqlstate read_half_or_era(struct reader *in, const struct pattern_node *node, bool half)
{
    static const char *const halves[] = {"am", "pm"}, *const dotted_halves[] = {"a.m.", "p.m."},
                             *const eras[] = {"ad", "bc"}, *const dotted_eras[] = {"a.d.", "b.c."};
    int found;
    const char *const *names = half                 ? node->word->dotted ? dotted_halves : halves
                               : node->word->dotted ? dotted_eras
                                                    : eras;
    enum sqlstate failed = read_name(in, node, names, 2, 8, &found);
    if (failed)
        return failed;
    int before = half ? in->reading->afternoon : in->reading->bc;
    if ((failed = set(in, node, &before, found)))
        return failed;
    if (half) {
        in->reading->afternoon = found;
        in->reading->twelve = true;
    } else
        in->reading->bc = found;
    return SQLSTATE_OK;
}

/* ---- fields ---- */

/* Years of less than four digits are those nearest to 2020. */
static int near_2020(int year)
{
    if (year < 70)
        return year + 2000;
    if (year < 100)
        return year + 1900;
    if (year < 520)
        return year + 2000;
    return year < 1000 ? year + 1000 : year;
}

static enum sqlstate read_year(struct reader *in, const struct pattern *pattern, size_t at)
{
    struct reading *reading = in->reading;
    const struct pattern_node *node = &pattern->nodes[at];
    int digits = node->word->digits, length, year = 0;
    if (node->field == FIELD_OF_YEAR_COMMA) {
        int thousands, ones, size = 0;
        if (sscanf(in->at, "%d,%03d%n", &thousands, &ones, &size) < 2)
            return error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                             "invalid input string for \"Y,YYY\"");
        in->at += size;
        year = thousands * 1000 + ones;
    } else {
        enum sqlstate failed = read_number(in, pattern, at, (int)strlen(node->word->word), &year, &length);
        if (failed)
            return failed;
        if (digits < 4 && length < 4)
            year = near_2020(year);
    }
    reading->year_digits = digits;
    return set(in, node, &reading->year, year);
}

static enum sqlstate read_zone_hour(struct reader *in, const struct pattern *pattern, size_t at)
{
    char c = *in->at;
    if (c == '+' || c == '-' || c == ' ') {
        in->reading->zone_sign = c == '-' ? -1 : 1;
        in->at++;
    } else /* a minus may have been taken for a separator */
        in->reading->zone_sign = in->skipped > 0 && in->at[-1] == '-' ? -1 : 1;
    return read_number(in, pattern, at, 2, &in->reading->zone_hour, NULL);
}

static enum sqlstate read_fraction(struct reader *in, const struct pattern *pattern, size_t at)
{
    static const int powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    const struct pattern_node *node = &pattern->nodes[at];
    struct reading *reading = in->reading;
    int length;
    enum sqlstate failed;
    if (node->field == FIELD_OF_MILLISECOND) {
        failed = read_number(in, pattern, at, 3, &reading->millisecond, &length);
        reading->millisecond *= length == 1 ? 100 : length == 2 ? 10 : 1;
        return failed;
    }
    int size = node->field == FIELD_OF_FRACTION ? node->word->digits : 6;
    failed = read_number(in, pattern, at, size, &reading->microsecond, &length);
    reading->microsecond *= powers[failed || length > 6 ? 6 : length];
    return failed;
}

static enum sqlstate read_calendar(struct reader *in, const struct pattern_node *node)
{
    enum pattern_calendar calendar = node->word->calendar;
    if (calendar == CALENDAR_NONE)
        return SQLSTATE_OK;
    if (in->reading->calendar != CALENDAR_NONE && in->reading->calendar != calendar) {
        enum sqlstate state =
            error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT, "invalid combination of date conventions");
        error_add(in->error, ERROR_HINT,
                  "Do not mix Gregorian and ISO week date conventions in a formatting template.");
        return state;
    }
    in->reading->calendar = calendar;
    return SQLSTATE_OK;
}

static enum sqlstate read_field(struct reader *in, const struct pattern *pattern, size_t at)
{
    const struct pattern_node *node = &pattern->nodes[at];
    struct reading *reading = in->reading;
    int found, size = (int)strlen(node->word->word);
    enum sqlstate failed = read_calendar(in, node);
    if (failed)
        return failed;
    switch (node->field) {
    case FIELD_OF_EXACT:
        in->exact = true;
        return SQLSTATE_OK;
    case FIELD_OF_HALF:
        return read_half_or_era(in, node, true);
    case FIELD_OF_ERA:
        return read_half_or_era(in, node, false);
    case FIELD_OF_HOUR12:
        reading->twelve = true;
        return read_number(in, pattern, at, 2, &reading->hour, NULL);
    case FIELD_OF_HOUR24:
        return read_number(in, pattern, at, 2, &reading->hour, NULL);
    case FIELD_OF_MINUTE:
        return read_number(in, pattern, at, size, &reading->minute, NULL);
    case FIELD_OF_SECOND:
        return read_number(in, pattern, at, size, &reading->second, NULL);
    case FIELD_OF_MILLISECOND:
    case FIELD_OF_MICROSECOND:
    case FIELD_OF_FRACTION:
        return read_fraction(in, pattern, at);
    case FIELD_OF_SECONDS:
        return read_number(in, pattern, at, size, &reading->seconds, NULL);
    case FIELD_OF_ZONE_HOUR:
        return read_zone_hour(in, pattern, at);
    case FIELD_OF_ZONE_MINUTE:
        if (!reading->zone_sign)
            reading->zone_sign = 1;
        return read_number(in, pattern, at, 2, &reading->zone_minute, NULL);
    case FIELD_OF_MONTH_NAME:
    case FIELD_OF_MONTH_SHORT:
        failed = read_name(in, node, month_names, 12, node->field == FIELD_OF_MONTH_SHORT ? 3 : 16, &found);
        return failed ? failed : set(in, node, &reading->month, found + 1);
    case FIELD_OF_ROMAN_MONTH:
        for (found = 11; found >= 0; found--) /* the longer ones before their beginnings */
            if (strncasecmp(in->at, roman_months[found], strlen(roman_months[found])) == 0) {
                in->at += strlen(roman_months[found]);
                return set(in, node, &reading->month, found + 1);
            }
        return read_name(in, node, NULL, 0, 0, &found);
    case FIELD_OF_MONTH:
        return read_number(in, pattern, at, size, &reading->month, NULL);
    case FIELD_OF_DAY_NAME:
    case FIELD_OF_DAY_SHORT:
        failed = read_name(in, node, weekday_names, 7, node->field == FIELD_OF_DAY_SHORT ? 3 : 16, &found);
        return failed ? failed : set(in, node, &reading->weekday, found + 1);
    case FIELD_OF_YEAR_DAY:
        return read_number(in, pattern, at, size, &reading->year_day, NULL);
    case FIELD_OF_ISO_YEAR_DAY:
        return read_number(in, pattern, at, 3, &reading->year_day, NULL);
    case FIELD_OF_DAY:
        return read_number(in, pattern, at, size, &reading->day, NULL);
    case FIELD_OF_WEEKDAY:
        return read_number(in, pattern, at, size, &reading->weekday, NULL);
    case FIELD_OF_ISO_WEEKDAY:
        failed = read_number(in, pattern, at, 1, &reading->weekday, NULL);
        if (++reading->weekday > 7)
            reading->weekday = 1;
        return failed;
    case FIELD_OF_WEEK:
    case FIELD_OF_ISO_WEEK:
        return read_number(in, pattern, at, size, &reading->week, NULL);
    case FIELD_OF_MONTH_WEEK:
        return read_number(in, pattern, at, size, &reading->month_week, NULL);
    case FIELD_OF_QUARTER: /* says nothing that could be used */
        return read_number(in, pattern, at, size, NULL, NULL);
    case FIELD_OF_CENTURY:
        return read_number(in, pattern, at, size, &reading->century, NULL);
    case FIELD_OF_YEAR_COMMA:
    case FIELD_OF_YEAR:
    case FIELD_OF_ISO_YEAR:
        return read_year(in, pattern, at);
    case FIELD_OF_JULIAN:
        return read_number(in, pattern, at, size, &reading->julian, NULL);
    default:
        return error_set(in->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "formatting field \"%s\" is only supported in to_char", node->word->word);
    }
}

static void skip_spaces(struct reader *in)
{
    for (; is_space(*in->at); in->at++)
        in->skipped++;
}

static enum sqlstate read_text(struct reader *in, const struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->count && *in->at; i++) {
        const struct pattern_node *node = &pattern->nodes[i];
        if (!in->exact && node->field != FIELD_OF_EXACT && (node->word || i == 0))
            skip_spaces(in);
        if (node->field == FIELD_OF_SPACE || node->field == FIELD_OF_SEPARATOR) {
            if (in->exact)
                skip_character(in);
            else {
                in->skipped--;
                if (is_space(*in->at) || is_separator(*in->at)) {
                    in->at++;
                    in->skipped++;
                }
            }
            continue;
        }
        if (!node->word) {
            if (!in->exact && in->skipped > 0)
                in->skipped--;
            else
                skip_character(in);
            continue;
        }
        enum sqlstate failed = read_field(in, pattern, i);
        if (failed)
            return failed;
        if ((node->ordinal || node->ordinal_small) && *in->at) {
            skip_character(in);
            skip_character(in);
        }
        if (!in->exact) {
            in->skipped = 0;
            skip_spaces(in);
        }
    }
    return SQLSTATE_OK;
}

/* ---- from what was read to a date ---- */

static void settle_year(struct reading *reading, struct moment *moment)
{
    int century = reading->bc ? -reading->century : reading->century;
    if (reading->year && century && reading->year_digits <= 2) {
        int year = reading->year % 100;
        moment->year = year ? century >= 0 ? year + (century - 1) * 100 : (century + 1) * 100 - year + 1
                            : century * 100 + (century >= 0 ? 0 : 1);
    } else if (reading->year) {
        moment->year = reading->bc ? -reading->year : reading->year;
        if (moment->year < 0)
            moment->year++;
    } else if (century)
        moment->year = century >= 0 ? (century - 1) * 100 + 1 : century * 100 + 1;
}

static enum sqlstate settle_date(struct reader *in, struct moment *moment, bool *dated)
{
    struct reading *reading = in->reading;
    bool iso = reading->calendar == CALENDAR_ISO;
    settle_year(reading, moment);
    *dated = reading->year || reading->century;
    if (reading->julian) {
        calendar_date((int64_t)reading->julian - JULIAN_EPOCH, moment);
        *dated = true;
    }
    if (reading->week && iso) {
        int64_t monday = calendar_iso_year_start(moment->year) + 7L * (reading->week - 1);
        int weekday = reading->weekday; /* Sunday is 1, and ends the week */
        calendar_date(monday + (weekday == 0 ? 0 : weekday > 1 ? weekday - 2 : 6), moment);
        *dated = true;
    } else if (reading->week)
        reading->year_day = (reading->week - 1) * 7 + 1;
    if (reading->month_week)
        reading->day = (reading->month_week - 1) * 7 + 1;
    if (reading->day)
        moment->day = reading->day;
    if (reading->month)
        moment->month = reading->month;
    *dated |= reading->day || reading->month;
    if (reading->year_day && (moment->month <= 1 || moment->day <= 1)) {
        if (!moment->year && !reading->bc)
            return error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                             "cannot calculate day of year without year information");
        struct moment day;
        int64_t start = iso ? calendar_iso_year_start(moment->year) : calendar_days(moment->year, 1, 1);
        calendar_date(start + reading->year_day - 1, &day);
        if (iso)
            moment->year = day.year;
        if (iso || moment->month <= 1)
            moment->month = day.month;
        if (iso || moment->day <= 1)
            moment->day = day.day;
        if (!iso && day.year != moment->year) /* more days than the year has */
            moment->month = 13;
        *dated = true;
    }
    return SQLSTATE_OK;
}

static enum sqlstate settle_time(struct reader *in, struct moment *moment)
{
    const struct reading *reading = in->reading;
    if (reading->seconds) {
        moment->hour = reading->seconds / 3600;
        moment->minute = reading->seconds % 3600 / 60;
        moment->second = reading->seconds % 60;
    }
    if (reading->second)
        moment->second = reading->second;
    if (reading->minute)
        moment->minute = reading->minute;
    if (reading->hour)
        moment->hour = reading->hour;
    moment->microsecond = reading->millisecond * 1000 + reading->microsecond;
    if (!reading->twelve)
        return SQLSTATE_OK;
    if (moment->hour < 1 || moment->hour > 12) {
        enum sqlstate state = error_set(in->error, SQLSTATE_INVALID_DATETIME_FORMAT,
                                        "hour \"%d\" is invalid for the 12-hour clock", moment->hour);
        error_add(in->error, ERROR_HINT, "Use the 24-hour clock, or give an hour between 1 and 12.");
        return state;
    }
    if (reading->afternoon && moment->hour < 12)
        moment->hour += 12;
    else if (!reading->afternoon && moment->hour == 12)
        moment->hour = 0;
    return SQLSTATE_OK;
}

static bool valid(const struct moment *moment, bool dated)
{
    if (dated && (moment->month < 1 || moment->month > 12 || moment->day < 1 ||
                  moment->day > calendar_month_days(moment->year, moment->month)))
        return false;
    return moment->hour >= 0 && moment->hour < 24 && moment->minute >= 0 && moment->minute < 60 &&
           moment->second >= 0 && moment->second < 60 && moment->microsecond >= 0 &&
           moment->microsecond < 1000000;
}

/* `west` gets the zone's distance when the text has one. */
static enum sqlstate read_moment(struct call *call, const struct value *arguments, struct moment *moment,
                                 bool *zone, int32_t *west)
{
    struct pattern pattern;
    struct reading reading = {0};
    struct bytes text = value_view(&arguments[0]);
    void *memory;
    bool dated;
    enum sqlstate failed = pattern_read(call, value_view(&arguments[1]), &pattern);
    if (failed || (failed = scope_alloc_large(call->scope, text.size + 2, 1, &memory, call->error)))
        return failed;
    char *copy = memory;
    copy[0] = 0; /* so that one may look back from the start */
    memcpy(copy + 1, text.size ? text.data : (const uint8_t *)"", text.size);
    copy[text.size + 1] = 0;
    struct reader in = {.error = call->error, .at = copy + 1, .reading = &reading};
    *moment = (struct moment){.month = 1, .day = 1};
    if ((failed = read_text(&in, &pattern)) || (failed = settle_time(&in, moment)) ||
        (failed = settle_date(&in, moment, &dated)))
        return failed;
    if (!valid(moment, dated))
        return raise_fault(call->error, FAULT_FIELD, "timestamp", text, NULL);
    *zone = reading.zone_sign != 0;
    if (*zone && (reading.zone_hour < 0 || reading.zone_hour > 15 || reading.zone_minute < 0 ||
                  reading.zone_minute > 59))
        return raise_fault(call->error, FAULT_ZONE, "timestamp", text, NULL);
    *west = -reading.zone_sign * (reading.zone_hour * 3600 + reading.zone_minute * 60);
    return SQLSTATE_OK;
}

static enum sqlstate to_timestamp(struct call *call, const struct value *arguments, struct value *result)
{
    struct moment moment;
    bool zone;
    int32_t west;
    int64_t local;
    *result = value_integer(0);
    enum sqlstate failed = read_moment(call, arguments, &moment, &zone, &west);
    if (failed)
        return failed;
    if (!moment_local(&moment, &local))
        return raise_timestamp_range(call->error);
    if (!zone)
        return timestamptz_of_timestamp(session_zone(call->environment), local, &result->i, call->error);
    result->i = local + west * MICROSECONDS_PER_SECOND;
    return timestamp_valid(result->i) ? SQLSTATE_OK : raise_timestamp_range(call->error);
}

static enum sqlstate to_date(struct call *call, const struct value *arguments, struct value *result)
{
    struct moment moment;
    bool zone;
    int32_t west;
    enum sqlstate failed = read_moment(call, arguments, &moment, &zone, &west);
    if (failed)
        return failed;
    *result = value_integer(calendar_days(moment.year, moment.month, moment.day));
    if (!calendar_reaches(moment.year, moment.month, moment.day) || !date_valid(result->i))
        return error_set(call->error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range: \"%.*s\"",
                         (int)arguments[0].size, (const char *)arguments[0].p);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"to_timestamp", to_timestamp},
    {"to_date", to_date},
    {0},
};

const struct library time_read_library = {.functions = functions};
