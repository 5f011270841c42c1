/* The words of dates, times and intervals (PostgreSQL manual, 8.5.1.4, 9.9.1, appendix B). */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_WORDS_H
#define SYNOD_SQLFRONT_VALUE_TIME_WORDS_H

#include "base/bytes.h"

/* What a word says. */
enum word_kind {
    WORD_UNKNOWN,
    WORD_SPECIAL,  /* value: enum moment_part */
    WORD_MONTH,    /* 1 .. 12 */
    WORD_WEEKDAY,  /* 0 = Sunday */
    WORD_HALF,     /* 0 = am, 1 = pm */
    WORD_ERA,      /* 0 = AD, 1 = BC */
    WORD_DAYLIGHT, /* "dst" behind a zone */
    WORD_UNIT,     /* enum moment_part: says what the next number is */
    WORD_TIME,     /* ISO 8601's T */
    WORD_IGNORED,  /* "at", "on" */
    WORD_AGO,
};

/* Parts of times and spans, and times that have names. */
enum moment_part {
    PART_NONE,
    PART_MICROSECOND,
    PART_MILLISECOND,
    PART_SECOND,
    PART_MINUTE,
    PART_HOUR,
    PART_DAY,
    PART_WEEK,
    PART_MONTH,
    PART_QUARTER,
    PART_YEAR,
    PART_DECADE,
    PART_CENTURY,
    PART_MILLENNIUM,
    PART_JULIAN,
    PART_WEEKDAY,
    PART_ISO_WEEKDAY,
    PART_ISO_YEAR,
    PART_YEAR_DAY,
    PART_ZONE,
    PART_ZONE_HOUR,
    PART_ZONE_MINUTE,
    PART_EPOCH,
    PART_TIME, /* of a number: hhmmss behind T */
    PART_NOW,
    PART_TODAY,
    PART_TOMORROW,
    PART_YESTERDAY,
    PART_ZULU, /* "allballs" */
    PART_LATE, /* infinity */
    PART_EARLY,
};

struct word {
    const char *text; /* small letters; longer input is cut to 10 */
    enum word_kind kind;
    int value;
};

/* Of dates and times; of intervals. NULL when there is none. `text` is in small letters. */
const struct word *moment_word(const char *text);
const struct word *span_word(const char *text);

/* The part that extract() names, and the unit that date_trunc() does; PART_NONE when there is none. Any case. */
enum moment_part part_named(struct bytes text);
enum moment_part unit_named(struct bytes text);

extern const char *const month_names[], *const weekday_names[]; /* from 0, full */

#endif
