/* Fields to an interval: PostgreSQL's own form ("1 year 2 days ago", "1 02:03:04"), SQL's ("1-2 3 4:05:06") and ISO 8601's
 * ("P1Y2DT3H", "P0001-02-03T04:05:06").
 *
 * Fields are looked at from right to left, for a unit stands behind its number. Fractions of a unit go over into smaller
 * ones, a month being 30 days. */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The parts found so far, wider than an interval's. */
struct parts {
    int64_t microseconds;
    int64_t days;
    int64_t months; /* with the years */
    int64_t years;
};

/* ---- adding to the parts ---- */

static bool add_product(int64_t *sum, int64_t number, int64_t unit)
{
    int64_t product;
    return !__builtin_mul_overflow(number, unit, &product) && !__builtin_add_overflow(*sum, product, sum);
}

static bool add_product_int(int64_t *sum, int64_t number, int64_t unit)
{
    return add_product(sum, number, unit) && *sum == (int32_t)*sum;
}

/* A fraction of `unit` microseconds, rounded. */
static bool add_fraction(struct parts *parts, double fraction, int64_t unit)
{
    if (fraction == 0)
        return true;
    fraction *= (double)unit;
    int64_t microseconds = (int64_t)fraction;
    fraction -= (double)microseconds;
    microseconds += fraction > 0.5 ? 1 : fraction < -0.5 ? -1 : 0;
    return !__builtin_add_overflow(parts->microseconds, microseconds, &parts->microseconds);
}

/* A fraction of `unit` days: whole days and the rest. */
static bool add_fraction_of_days(struct parts *parts, double fraction, int unit)
{
    if (fraction == 0)
        return true;
    fraction *= unit;
    int days = (int)fraction;
    return add_product_int(&parts->days, days, 1) &&
           add_fraction(parts, fraction - days, MICROSECONDS_PER_DAY);
}

static bool add_fraction_of_years(struct parts *parts, double fraction, int unit)
{
    return add_product_int(&parts->months, (int)rint(fraction * unit * MONTHS_PER_YEAR), 1);
}

/* Whether a part can be added; false: out of range. `fault` tells of parts that cannot stand in an interval. */
static bool add_part(struct parts *parts, enum moment_part part, int64_t number, double fraction, bool *known)
{
    static const struct {
        enum moment_part part;
        int64_t unit;
    } clock[] = {{PART_MICROSECOND, 1},
                 {PART_MILLISECOND, 1000},
                 {PART_SECOND, MICROSECONDS_PER_SECOND},
                 {PART_MINUTE, MICROSECONDS_PER_MINUTE},
                 {PART_HOUR, MICROSECONDS_PER_HOUR}};
    static const struct {
        enum moment_part part;
        int unit;
    } years[] = {{PART_YEAR, 1}, {PART_DECADE, 10}, {PART_CENTURY, 100}, {PART_MILLENNIUM, 1000}};
    *known = true;
    for (size_t i = 0; i < sizeof clock / sizeof clock[0]; i++)
        if (clock[i].part == part)
            return add_product(&parts->microseconds, number, clock[i].unit) &&
                   add_fraction(parts, fraction, clock[i].unit);
    for (size_t i = 0; i < sizeof years / sizeof years[0]; i++)
        if (years[i].part == part)
            return add_product_int(&parts->years, number, years[i].unit) &&
                   add_fraction_of_years(parts, fraction, years[i].unit);
    switch (part) {
    case PART_DAY:
        return add_product_int(&parts->days, number, 1) &&
               add_fraction(parts, fraction, MICROSECONDS_PER_DAY);
    case PART_WEEK:
        return add_product_int(&parts->days, number, 7) && add_fraction_of_days(parts, fraction, 7);
    case PART_MONTH:
        return add_product_int(&parts->months, number, 1) &&
               add_fraction_of_days(parts, fraction, DAYS_PER_MONTH);
    default:
        *known = false;
        return true;
    }
}

/* ---- PostgreSQL's and SQL's form ---- */

/* hh:mm, hh:mm:ss, mm:ss.ss; with a range of minutes to seconds, hh:mm is mm:ss. */
static enum fault decode_time(const char *text, int range, int64_t *microseconds)
{
    char *end;
    int fraction = 0;
    int64_t hours, minutes, seconds = 0;
    errno = 0;
    hours = strtoll(text, &end, 10);
    if (errno == ERANGE)
        return FAULT_FIELD;
    if (*end != ':')
        return FAULT_FORMAT;
    minutes = strtol(end + 1, &end, 10);
    if (*end == 0 ? range == (RANGE_MINUTE | RANGE_SECOND) : *end == '.') {
        if (*end && !parse_fraction(end, &fraction))
            return FAULT_FORMAT;
        if (hours != (int32_t)hours)
            return FAULT_FIELD;
        seconds = minutes;
        minutes = hours;
        hours = 0;
    } else if (*end == ':') {
        seconds = strtol(end + 1, &end, 10);
        if (*end == '.' && !parse_fraction(end, &fraction))
            return FAULT_FORMAT;
        if (*end && *end != '.')
            return FAULT_FORMAT;
    } else if (*end)
        return FAULT_FORMAT;
    if (hours < 0 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 60 || fraction < 0 ||
        fraction > 1000000)
        return FAULT_FIELD;
    *microseconds = 0;
    if (!add_product(microseconds, hours, MICROSECONDS_PER_HOUR) ||
        !add_product(microseconds, minutes, MICROSECONDS_PER_MINUTE) ||
        !add_product(microseconds, seconds, MICROSECONDS_PER_SECOND) ||
        !add_product(microseconds, fraction, 1))
        return FAULT_FIELD;
    return FAULT_NONE;
}

/* What a number without a unit at the right end is: the smallest part the range has. */
static enum moment_part part_of_range(int range)
{
    if (range == RANGE_FULL || range & RANGE_SECOND)
        return PART_SECOND;
    if (range & RANGE_MINUTE)
        return PART_MINUTE;
    if (range & RANGE_HOUR)
        return PART_HOUR;
    if (range & RANGE_DAY)
        return PART_DAY;
    return range & RANGE_MONTH ? PART_MONTH : PART_YEAR;
}

struct span_decoder {
    struct parts parts;
    enum moment_part part; /* of the next number to the left; PART_NONE = not said */
    int range;
    bool negative; /* SQL's form: the sign in front is for all */
    uint32_t seen; /* bits by enum moment_part; bit 0: a time */
};

#define SEEN_CLOCK                                                                             \
    (1U << PART_MICROSECOND | 1U << PART_MILLISECOND | 1U << PART_SECOND | 1U << PART_MINUTE | \
     1U << PART_HOUR)
#define SEEN_SUBSECONDS (1U << PART_MICROSECOND | 1U << PART_MILLISECOND | 1U << PART_SECOND)

static enum fault decode_clock_field(struct span_decoder *decoder, const char *text, bool minus)
{
    int64_t microseconds;
    enum fault fault = decode_time(text, decoder->range, &microseconds);
    if (fault)
        return fault;
    if (minus || decoder->negative)
        microseconds = -microseconds;
    if (!add_product(&decoder->parts.microseconds, microseconds, 1))
        return FAULT_FIELD;
    decoder->part = PART_DAY; /* a number before a time is days */
    if (decoder->seen & SEEN_CLOCK)
        return FAULT_FORMAT;
    decoder->seen |= SEEN_CLOCK;
    return FAULT_NONE;
}

static enum fault decode_number(struct span_decoder *decoder, const char *text)
{
    char *end;
    double fraction = 0;
    if (decoder->part == PART_NONE)
        decoder->part = part_of_range(decoder->range);
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    if (errno == ERANGE)
        return FAULT_FIELD;
    if (*end == '-') { /* years-months */
        int64_t months = strtol(end + 1, &end, 10);
        if (months < 0 || months >= MONTHS_PER_YEAR)
            return FAULT_FIELD;
        if (*end)
            return FAULT_FORMAT;
        decoder->part = PART_MONTH;
        months = *text == '-' ? -months : months;
        if (__builtin_mul_overflow(number, MONTHS_PER_YEAR, &number) ||
            __builtin_add_overflow(number, months, &number))
            return FAULT_FIELD;
    } else if (*end == '.') {
        char *fraction_end;
        if (end[1]) {
            fraction = strtod(end, &fraction_end);
            if (*fraction_end)
                return FAULT_FORMAT;
        }
        if (*text == '-')
            fraction = -fraction;
    } else if (*end)
        return FAULT_FORMAT;
    if (decoder->negative) {
        number = number > 0 ? -number : number;
        fraction = -fabs(fraction);
    }
    bool known;
    uint32_t bit = decoder->part == PART_SECOND && fraction != 0 ? SEEN_SUBSECONDS : 1U << decoder->part;
    if (!add_part(&decoder->parts, decoder->part, number, fraction, &known))
        return FAULT_FIELD;
    if (!known || (decoder->seen & bit))
        return FAULT_FORMAT;
    decoder->seen |= bit;
    return FAULT_NONE;
}

static enum fault decode_fields(const struct fields *fields, int range, bool sql_style, struct parts *parts)
{
    struct span_decoder decoder = {.range = range};
    bool ago = false;
    enum fault fault = FAULT_NONE;
    decoder.negative = sql_style && fields->count && fields->texts[0][0] == '-';
    for (int i = 1; i < fields->count && decoder.negative; i++)
        decoder.negative = fields->texts[i][0] != '-' && fields->texts[i][0] != '+';
    for (int i = fields->count - 1; i >= 0 && !fault; i--) {
        const char *text = fields->texts[i];
        const struct word *word;
        switch (fields->kinds[i]) {
        case FIELD_TIME:
            fault = decode_clock_field(&decoder, text, false);
            break;
        case FIELD_ZONE:
            if (strchr(text + 1, ':'))
                fault = decode_clock_field(&decoder, text + 1, text[0] == '-');
            else
                fault = decode_number(&decoder, text);
            break;
        case FIELD_DATE:
        case FIELD_NUMBER:
            fault = decode_number(&decoder, text);
            break;
        default:
            word = span_word(text);
            if (!word)
                fault = FAULT_FORMAT;
            else if (word->kind == WORD_AGO)
                ago = true;
            else if (word->kind == WORD_UNIT)
                decoder.part = (enum moment_part)word->value;
        }
    }
    if (fault)
        return fault;
    if (decoder.seen == 0)
        return FAULT_FORMAT;
    if (ago) {
        if (decoder.parts.microseconds == INT64_MIN)
            return FAULT_FIELD;
        decoder.parts = (struct parts){-decoder.parts.microseconds, -decoder.parts.days,
                                       -decoder.parts.months, -decoder.parts.years};
    }
    *parts = decoder.parts;
    return FAULT_NONE;
}

/* ---- ISO 8601's form ---- */

/* A number with a fraction. */
static enum fault read_number(const char **at, int64_t *whole, double *fraction)
{
    const char *start = *at;
    char *end;
    if (!(*start >= '0' && *start <= '9') && *start != '-' && *start != '.')
        return FAULT_FORMAT;
    errno = 0;
    double number = strtod(start, &end);
    if (end == start || errno)
        return FAULT_FORMAT;
    if (number < -1.0e15 || number > 1.0e15)
        return FAULT_FIELD;
    *at = end;
    *whole = (int64_t)number;
    *fraction = number - (double)*whole;
    return FAULT_NONE;
}

/* Digits before the point, the sign not counted. */
static int whole_digits(const char *at)
{
    int count = 0;
    at += *at == '-';
    while (at[count] >= '0' && at[count] <= '9')
        count++;
    return count;
}

static bool add_years(struct parts *parts, int64_t years, double fraction)
{
    bool known;
    return add_part(parts, PART_YEAR, years, fraction, &known);
}

/* yyyymmdd, hhmmss, and what stands between hyphens and colons. */
static enum fault decode_alternative(const char **at, bool date, char mark, int digits, int64_t whole,
                                     double fraction, struct parts *parts)
{
    static const enum moment_part date_parts[] = {PART_YEAR, PART_MONTH, PART_DAY},
                                  time_parts[] = {PART_HOUR, PART_MINUTE, PART_SECOND};
    char separator = date ? '-' : ':';
    bool known;
    if (mark != separator) { /* all digits in one */
        if (digits != (date ? 8 : 6))
            return FAULT_FORMAT;
        int64_t first = whole / 10000, second = whole / 100 % 100, third = whole % 100;
        return add_part(parts, date ? PART_YEAR : PART_HOUR, first, 0, &known) &&
                       add_part(parts, date ? PART_MONTH : PART_MINUTE, second, 0, &known) &&
                       add_part(parts, date ? PART_DAY : PART_SECOND, third, date ? 0 : fraction, &known)
                   ? FAULT_NONE
                   : FAULT_FIELD;
    }
    for (int i = 0;; i++) {
        if (!add_part(parts, (date ? date_parts : time_parts)[i], whole, fraction, &known))
            return FAULT_FIELD;
        if (i == 2 || **at != separator)
            return FAULT_NONE;
        ++*at;
        enum fault fault = read_number(at, &whole, &fraction);
        if (fault)
            return fault;
    }
}

static enum fault decode_iso(const char *text, struct parts *parts)
{
    bool date = true, any = false;
    *parts = (struct parts){0};
    if (strlen(text) < 2 || text[0] != 'P')
        return FAULT_FORMAT;
    for (const char *at = text + 1; *at;) {
        int64_t whole;
        double fraction;
        bool known = true, fits;
        if (*at == 'T') {
            date = false;
            any = false;
            at++;
            continue;
        }
        int digits = whole_digits(at);
        enum fault fault = read_number(&at, &whole, &fraction);
        if (fault)
            return fault;
        char unit = *at;
        if (unit)
            at++;
        bool alone = unit == 0 || unit == (date ? '-' : ':') || (date && unit == 'T');
        if (alone) {
            if (any && unit)
                return FAULT_FORMAT;
            if (unit == 0 || unit == 'T') {
                if (unit == 'T')
                    at--;
                if (digits != (date ? 8 : 6) && !any) {
                    if (!(fits = add_part(parts, date ? PART_YEAR : PART_HOUR, whole, fraction, &known)))
                        return FAULT_FIELD;
                } else if ((fault = decode_alternative(&at, date, 0, digits, whole, fraction, parts)))
                    return fault;
            } else {
                at--;
                if ((fault = decode_alternative(&at, date, unit, digits, whole, fraction, parts)))
                    return fault;
                if (*at && *at != 'T')
                    return FAULT_FORMAT;
            }
            if (*at == 0)
                return FAULT_NONE;
            any = false;
            continue;
        }
        if (date)
            fits = unit == 'Y'   ? add_years(parts, whole, fraction)
                   : unit == 'M' ? add_part(parts, PART_MONTH, whole, fraction, &known)
                   : unit == 'W' ? add_part(parts, PART_WEEK, whole, fraction, &known)
                   : unit == 'D' ? add_part(parts, PART_DAY, whole, fraction, &known)
                                 : (known = false);
        else
            fits = unit == 'H'   ? add_part(parts, PART_HOUR, whole, fraction, &known)
                   : unit == 'M' ? add_part(parts, PART_MINUTE, whole, fraction, &known)
                   : unit == 'S' ? add_part(parts, PART_SECOND, whole, fraction, &known)
                                 : (known = false);
        if (!known)
            return FAULT_FORMAT;
        if (!fits)
            return FAULT_FIELD;
        any = true;
    }
    return FAULT_NONE;
}

/* ---- both ---- */

enum sqlstate parse_span(struct environment *environment, struct bytes text, int range, struct span *span,
                         struct error *error)
{
    struct fields fields;
    struct parts parts;
    enum fault fault =
        fields_split(text, &fields)
            ? decode_fields(&fields, range, environment->interval_style == INTERVAL_SQL_STANDARD, &parts)
            : FAULT_FORMAT;
    if (fault == FAULT_FORMAT && text.size < 256) {
        char copy[256];
        memcpy(copy, text.data, text.size);
        copy[text.size] = 0;
        fault = decode_iso(copy, &parts);
    }
    if (fault)
        return raise_fault(error, fault == FAULT_FIELD ? FAULT_INTERVAL : fault, "interval", text, NULL);
    int64_t months;
    if (__builtin_mul_overflow(parts.years, MONTHS_PER_YEAR, &months) ||
        __builtin_add_overflow(months, parts.months, &months) || months != (int32_t)months ||
        parts.days != (int32_t)parts.days)
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "interval out of range");
    *span = (struct span){parts.microseconds, (int32_t)parts.days, (int32_t)months};
    return SQLSTATE_OK;
}
