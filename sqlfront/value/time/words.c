/* The words of dates, times and intervals: two sorted tables, as a word may mean different things ("m" is a month in a
 * date and a minute in an interval). */
#include "sqlfront/value/time/words.h"

#include <stdlib.h>

#define WORD_BYTES 10

const char *const month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};
const char *const weekday_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};

/* clang-format off */
static const struct word moment_words[] = {
    {"-infinity", WORD_SPECIAL, PART_EARLY},
    {"ad", WORD_ERA, 0},
    {"allballs", WORD_SPECIAL, PART_ZULU},
    {"am", WORD_HALF, 0},
    {"apr", WORD_MONTH, 4},
    {"april", WORD_MONTH, 4},
    {"at", WORD_IGNORED, 0},
    {"aug", WORD_MONTH, 8},
    {"august", WORD_MONTH, 8},
    {"bc", WORD_ERA, 1},
    {"d", WORD_UNIT, PART_DAY},
    {"dec", WORD_MONTH, 12},
    {"december", WORD_MONTH, 12},
    {"dow", WORD_UNIT, PART_WEEKDAY},
    {"doy", WORD_UNIT, PART_YEAR_DAY},
    {"dst", WORD_DAYLIGHT, 3600},
    {"epoch", WORD_SPECIAL, PART_EPOCH},
    {"feb", WORD_MONTH, 2},
    {"february", WORD_MONTH, 2},
    {"fri", WORD_WEEKDAY, 5},
    {"friday", WORD_WEEKDAY, 5},
    {"h", WORD_UNIT, PART_HOUR},
    {"infinity", WORD_SPECIAL, PART_LATE},
    {"isodow", WORD_UNIT, PART_ISO_WEEKDAY},
    {"isoyear", WORD_UNIT, PART_ISO_YEAR},
    {"j", WORD_UNIT, PART_JULIAN},
    {"jan", WORD_MONTH, 1},
    {"january", WORD_MONTH, 1},
    {"jd", WORD_UNIT, PART_JULIAN},
    {"jul", WORD_MONTH, 7},
    {"julian", WORD_UNIT, PART_JULIAN},
    {"july", WORD_MONTH, 7},
    {"jun", WORD_MONTH, 6},
    {"june", WORD_MONTH, 6},
    {"m", WORD_UNIT, PART_MONTH},
    {"mar", WORD_MONTH, 3},
    {"march", WORD_MONTH, 3},
    {"may", WORD_MONTH, 5},
    {"mm", WORD_UNIT, PART_MINUTE},
    {"mon", WORD_WEEKDAY, 1},
    {"monday", WORD_WEEKDAY, 1},
    {"nov", WORD_MONTH, 11},
    {"november", WORD_MONTH, 11},
    {"now", WORD_SPECIAL, PART_NOW},
    {"oct", WORD_MONTH, 10},
    {"october", WORD_MONTH, 10},
    {"on", WORD_IGNORED, 0},
    {"pm", WORD_HALF, 1},
    {"s", WORD_UNIT, PART_SECOND},
    {"sat", WORD_WEEKDAY, 6},
    {"saturday", WORD_WEEKDAY, 6},
    {"sep", WORD_MONTH, 9},
    {"sept", WORD_MONTH, 9},
    {"september", WORD_MONTH, 9},
    {"sun", WORD_WEEKDAY, 0},
    {"sunday", WORD_WEEKDAY, 0},
    {"t", WORD_TIME, PART_TIME},
    {"thu", WORD_WEEKDAY, 4},
    {"thur", WORD_WEEKDAY, 4},
    {"thurs", WORD_WEEKDAY, 4},
    {"thursday", WORD_WEEKDAY, 4},
    {"today", WORD_SPECIAL, PART_TODAY},
    {"tomorrow", WORD_SPECIAL, PART_TOMORROW},
    {"tue", WORD_WEEKDAY, 2},
    {"tues", WORD_WEEKDAY, 2},
    {"tuesday", WORD_WEEKDAY, 2},
    {"wed", WORD_WEEKDAY, 3},
    {"wednesday", WORD_WEEKDAY, 3},
    {"weds", WORD_WEEKDAY, 3},
    {"y", WORD_UNIT, PART_YEAR},
    {"yesterday", WORD_SPECIAL, PART_YESTERDAY},
};

static const struct word span_words[] = {
    {"@", WORD_IGNORED, 0},
    {"ago", WORD_AGO, 0},
    {"c", WORD_UNIT, PART_CENTURY},
    {"cent", WORD_UNIT, PART_CENTURY},
    {"centuries", WORD_UNIT, PART_CENTURY},
    {"century", WORD_UNIT, PART_CENTURY},
    {"d", WORD_UNIT, PART_DAY},
    {"day", WORD_UNIT, PART_DAY},
    {"days", WORD_UNIT, PART_DAY},
    {"dec", WORD_UNIT, PART_DECADE},
    {"decade", WORD_UNIT, PART_DECADE},
    {"decades", WORD_UNIT, PART_DECADE},
    {"decs", WORD_UNIT, PART_DECADE},
    {"h", WORD_UNIT, PART_HOUR},
    {"hour", WORD_UNIT, PART_HOUR},
    {"hours", WORD_UNIT, PART_HOUR},
    {"hr", WORD_UNIT, PART_HOUR},
    {"hrs", WORD_UNIT, PART_HOUR},
    {"m", WORD_UNIT, PART_MINUTE},
    {"microsecon", WORD_UNIT, PART_MICROSECOND},
    {"mil", WORD_UNIT, PART_MILLENNIUM},
    {"millennia", WORD_UNIT, PART_MILLENNIUM},
    {"millennium", WORD_UNIT, PART_MILLENNIUM},
    {"millisecon", WORD_UNIT, PART_MILLISECOND},
    {"mils", WORD_UNIT, PART_MILLENNIUM},
    {"min", WORD_UNIT, PART_MINUTE},
    {"mins", WORD_UNIT, PART_MINUTE},
    {"minute", WORD_UNIT, PART_MINUTE},
    {"minutes", WORD_UNIT, PART_MINUTE},
    {"mon", WORD_UNIT, PART_MONTH},
    {"mons", WORD_UNIT, PART_MONTH},
    {"month", WORD_UNIT, PART_MONTH},
    {"months", WORD_UNIT, PART_MONTH},
    {"ms", WORD_UNIT, PART_MILLISECOND},
    {"msec", WORD_UNIT, PART_MILLISECOND},
    {"msecs", WORD_UNIT, PART_MILLISECOND},
    {"qtr", WORD_UNIT, PART_QUARTER},
    {"quarter", WORD_UNIT, PART_QUARTER},
    {"s", WORD_UNIT, PART_SECOND},
    {"sec", WORD_UNIT, PART_SECOND},
    {"second", WORD_UNIT, PART_SECOND},
    {"seconds", WORD_UNIT, PART_SECOND},
    {"secs", WORD_UNIT, PART_SECOND},
    {"timezone", WORD_UNIT, PART_ZONE},
    {"timezone_h", WORD_UNIT, PART_ZONE_HOUR},
    {"timezone_m", WORD_UNIT, PART_ZONE_MINUTE},
    {"us", WORD_UNIT, PART_MICROSECOND},
    {"usec", WORD_UNIT, PART_MICROSECOND},
    {"usecond", WORD_UNIT, PART_MICROSECOND},
    {"useconds", WORD_UNIT, PART_MICROSECOND},
    {"usecs", WORD_UNIT, PART_MICROSECOND},
    {"w", WORD_UNIT, PART_WEEK},
    {"week", WORD_UNIT, PART_WEEK},
    {"weeks", WORD_UNIT, PART_WEEK},
    {"y", WORD_UNIT, PART_YEAR},
    {"year", WORD_UNIT, PART_YEAR},
    {"years", WORD_UNIT, PART_YEAR},
    {"yr", WORD_UNIT, PART_YEAR},
    {"yrs", WORD_UNIT, PART_YEAR},
};
/* clang-format on */

static int compare(const void *text, const void *word)
{
    return strncmp(text, ((const struct word *)word)->text, WORD_BYTES);
}

const struct word *moment_word(const char *text)
{
    return bsearch(text, moment_words, sizeof moment_words / sizeof moment_words[0], sizeof moment_words[0],
                   compare);
}

const struct word *span_word(const char *text)
{
    return bsearch(text, span_words, sizeof span_words / sizeof span_words[0], sizeof span_words[0], compare);
}

/* The first bytes in small letters, as many as words are told apart by. */
static const char *lower_case(struct bytes text, char lower[static WORD_BYTES + 2])
{
    size_t size = text.size < WORD_BYTES + 1 ? text.size : WORD_BYTES + 1;
    for (size_t i = 0; i < size; i++) {
        char c = (char)text.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    lower[size] = 0;
    return lower;
}

enum moment_part unit_named(struct bytes text)
{
    char lower[WORD_BYTES + 2];
    const struct word *word = span_word(lower_case(text, lower));
    return word && word->kind == WORD_UNIT ? (enum moment_part)word->value : PART_NONE;
}

/* Units of either table, the interval's first; of the special words only "epoch" is a part. */
enum moment_part part_named(struct bytes text)
{
    char lower[WORD_BYTES + 2];
    enum moment_part unit = unit_named(text);
    if (unit != PART_NONE)
        return unit;
    const struct word *word = moment_word(lower_case(text, lower));
    if (word && (word->kind == WORD_UNIT || (word->kind == WORD_SPECIAL && word->value == PART_EPOCH)))
        return (enum moment_part)word->value;
    return PART_NONE;
}
