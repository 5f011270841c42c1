/* Patterns of dates and times: the formats of to_char(), to_date() and to_timestamp() (PostgreSQL manual, 9.8, table 9.25). */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_PATTERN_H
#define SYNOD_SQLFRONT_VALUE_TIME_PATTERN_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/scope.h"

#include <stdbool.h>

enum pattern_field {
    FIELD_OF_TEXT,      /* no pattern: one character */
    FIELD_OF_SEPARATOR, /* the same, and it is punctuation */
    FIELD_OF_SPACE,
    FIELD_OF_ERA,
    FIELD_OF_HALF, /* am, pm */
    FIELD_OF_CENTURY,
    FIELD_OF_DAY_NAME,
    FIELD_OF_DAY_SHORT,
    FIELD_OF_YEAR_DAY,
    FIELD_OF_DAY,
    FIELD_OF_WEEKDAY,
    FIELD_OF_FRACTION, /* FF1 .. FF6: `digits` */
    FIELD_OF_EXACT,    /* FX */
    FIELD_OF_HOUR24,
    FIELD_OF_HOUR12,
    FIELD_OF_ISO_YEAR_DAY,
    FIELD_OF_ISO_WEEKDAY,
    FIELD_OF_ISO_WEEK,
    FIELD_OF_ISO_YEAR, /* the last `digits` of it */
    FIELD_OF_JULIAN,
    FIELD_OF_MINUTE,
    FIELD_OF_MONTH,
    FIELD_OF_MONTH_NAME,
    FIELD_OF_MONTH_SHORT,
    FIELD_OF_MILLISECOND,
    FIELD_OF_OFFSET,
    FIELD_OF_QUARTER,
    FIELD_OF_ROMAN_MONTH,
    FIELD_OF_SECONDS, /* of the day */
    FIELD_OF_SECOND,
    FIELD_OF_ZONE_HOUR,
    FIELD_OF_ZONE_MINUTE,
    FIELD_OF_ZONE,
    FIELD_OF_MICROSECOND,
    FIELD_OF_WEEK,
    FIELD_OF_MONTH_WEEK,
    FIELD_OF_YEAR_COMMA, /* Y,YYY */
    FIELD_OF_YEAR,       /* the last `digits` of it */
};

enum pattern_case { CASE_UPPER, CASE_FIRST, CASE_LOWER };

/* Which calendar a field belongs to: the two must not be mixed when reading. */
enum pattern_calendar { CALENDAR_NONE, CALENDAR_GREGORIAN, CALENDAR_ISO };

/* A word that is a pattern. */
struct pattern_word {
    const char *word;
    enum pattern_field field;
    enum pattern_case letters; /* how what it writes is written */
    enum pattern_calendar calendar;
    int digits;  /* of a year or fraction */
    bool number; /* it is all digits */
    bool dotted; /* A.M. */
};

struct pattern_node {
    enum pattern_field field;
    const struct pattern_word *word; /* NULL of text */
    struct bytes text;
    bool fill;                   /* FM: nothing is padded */
    bool translated;             /* TM: neither are names */
    bool ordinal, ordinal_small; /* TH, th */
};

struct pattern {
    struct pattern_node *nodes;
    size_t count;
};

struct call;

/* May yield: a format may be long. */
enum sqlstate pattern_read(struct call *call, struct bytes format, struct pattern *pattern);

extern const char *const roman_months[]; /* from 0, in capitals */

#endif
