/* Reading the formats of dates and times. */
#include "sqlfront/value/time/pattern.h"

#include "sqlfront/value/pace.h"
#include <stdlib.h>

const char *const roman_months[] = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"};

/* Longer words before their beginnings. Most exist in capitals and in small letters, which mean the same but for the
 * letters they write. */
/* clang-format off */
#define BOTH(upper, lower, field, calendar, digits, number) \
    {upper, field, CASE_UPPER, calendar, digits, number}, {lower, field, CASE_LOWER, calendar, digits, number}
static const struct pattern_word words[] = {
    {"A.D.", FIELD_OF_ERA, CASE_UPPER, CALENDAR_NONE, 0, false, true},
    {"a.d.", FIELD_OF_ERA, CASE_LOWER, CALENDAR_NONE, 0, false, true},
    {"B.C.", FIELD_OF_ERA, CASE_UPPER, CALENDAR_NONE, 0, false, true},
    {"b.c.", FIELD_OF_ERA, CASE_LOWER, CALENDAR_NONE, 0, false, true},
    {"A.M.", FIELD_OF_HALF, CASE_UPPER, CALENDAR_NONE, 0, false, true},
    {"a.m.", FIELD_OF_HALF, CASE_LOWER, CALENDAR_NONE, 0, false, true},
    {"P.M.", FIELD_OF_HALF, CASE_UPPER, CALENDAR_NONE, 0, false, true},
    {"p.m.", FIELD_OF_HALF, CASE_LOWER, CALENDAR_NONE, 0, false, true},
    BOTH("AD", "ad", FIELD_OF_ERA, CALENDAR_NONE, 0, false),
    BOTH("BC", "bc", FIELD_OF_ERA, CALENDAR_NONE, 0, false),
    BOTH("AM", "am", FIELD_OF_HALF, CALENDAR_NONE, 0, false),
    BOTH("PM", "pm", FIELD_OF_HALF, CALENDAR_NONE, 0, false),
    BOTH("CC", "cc", FIELD_OF_CENTURY, CALENDAR_NONE, 0, true),
    {"Day", FIELD_OF_DAY_NAME, CASE_FIRST, CALENDAR_NONE},
    BOTH("DAY", "day", FIELD_OF_DAY_NAME, CALENDAR_NONE, 0, false),
    BOTH("DDD", "ddd", FIELD_OF_YEAR_DAY, CALENDAR_GREGORIAN, 0, true),
    BOTH("DD", "dd", FIELD_OF_DAY, CALENDAR_GREGORIAN, 0, true),
    {"Dy", FIELD_OF_DAY_SHORT, CASE_FIRST, CALENDAR_NONE},
    BOTH("DY", "dy", FIELD_OF_DAY_SHORT, CALENDAR_NONE, 0, false),
    BOTH("D", "d", FIELD_OF_WEEKDAY, CALENDAR_GREGORIAN, 0, true),
    BOTH("FF1", "ff1", FIELD_OF_FRACTION, CALENDAR_NONE, 1, false),
    BOTH("FF2", "ff2", FIELD_OF_FRACTION, CALENDAR_NONE, 2, false),
    BOTH("FF3", "ff3", FIELD_OF_FRACTION, CALENDAR_NONE, 3, false),
    BOTH("FF4", "ff4", FIELD_OF_FRACTION, CALENDAR_NONE, 4, false),
    BOTH("FF5", "ff5", FIELD_OF_FRACTION, CALENDAR_NONE, 5, false),
    BOTH("FF6", "ff6", FIELD_OF_FRACTION, CALENDAR_NONE, 6, false),
    BOTH("FX", "fx", FIELD_OF_EXACT, CALENDAR_NONE, 0, false),
    BOTH("HH24", "hh24", FIELD_OF_HOUR24, CALENDAR_NONE, 0, true),
    BOTH("HH12", "hh12", FIELD_OF_HOUR12, CALENDAR_NONE, 0, true),
    BOTH("HH", "hh", FIELD_OF_HOUR12, CALENDAR_NONE, 0, true),
    BOTH("IDDD", "iddd", FIELD_OF_ISO_YEAR_DAY, CALENDAR_ISO, 0, true),
    BOTH("ID", "id", FIELD_OF_ISO_WEEKDAY, CALENDAR_ISO, 0, true),
    BOTH("IW", "iw", FIELD_OF_ISO_WEEK, CALENDAR_ISO, 0, true),
    BOTH("IYYY", "iyyy", FIELD_OF_ISO_YEAR, CALENDAR_ISO, 4, true),
    BOTH("IYY", "iyy", FIELD_OF_ISO_YEAR, CALENDAR_ISO, 3, true),
    BOTH("IY", "iy", FIELD_OF_ISO_YEAR, CALENDAR_ISO, 2, true),
    BOTH("I", "i", FIELD_OF_ISO_YEAR, CALENDAR_ISO, 1, true),
    BOTH("J", "j", FIELD_OF_JULIAN, CALENDAR_NONE, 0, true),
    BOTH("MI", "mi", FIELD_OF_MINUTE, CALENDAR_NONE, 0, true),
    BOTH("MM", "mm", FIELD_OF_MONTH, CALENDAR_GREGORIAN, 0, true),
    {"Month", FIELD_OF_MONTH_NAME, CASE_FIRST, CALENDAR_GREGORIAN},
    BOTH("MONTH", "month", FIELD_OF_MONTH_NAME, CALENDAR_GREGORIAN, 0, false),
    {"Mon", FIELD_OF_MONTH_SHORT, CASE_FIRST, CALENDAR_GREGORIAN},
    BOTH("MON", "mon", FIELD_OF_MONTH_SHORT, CALENDAR_GREGORIAN, 0, false),
    BOTH("MS", "ms", FIELD_OF_MILLISECOND, CALENDAR_NONE, 0, true),
    BOTH("OF", "of", FIELD_OF_OFFSET, CALENDAR_NONE, 0, false),
    BOTH("Q", "q", FIELD_OF_QUARTER, CALENDAR_NONE, 0, true),
    BOTH("RM", "rm", FIELD_OF_ROMAN_MONTH, CALENDAR_GREGORIAN, 0, false),
    BOTH("SSSSS", "sssss", FIELD_OF_SECONDS, CALENDAR_NONE, 0, true),
    BOTH("SSSS", "ssss", FIELD_OF_SECONDS, CALENDAR_NONE, 0, true),
    BOTH("SS", "ss", FIELD_OF_SECOND, CALENDAR_NONE, 0, true),
    BOTH("TZH", "tzh", FIELD_OF_ZONE_HOUR, CALENDAR_NONE, 0, false),
    BOTH("TZM", "tzm", FIELD_OF_ZONE_MINUTE, CALENDAR_NONE, 0, true),
    BOTH("TZ", "tz", FIELD_OF_ZONE, CALENDAR_NONE, 0, false),
    BOTH("US", "us", FIELD_OF_MICROSECOND, CALENDAR_NONE, 0, true),
    BOTH("WW", "ww", FIELD_OF_WEEK, CALENDAR_GREGORIAN, 0, true),
    BOTH("W", "w", FIELD_OF_MONTH_WEEK, CALENDAR_GREGORIAN, 0, true),
    BOTH("Y,YYY", "y,yyy", FIELD_OF_YEAR_COMMA, CALENDAR_GREGORIAN, 4, true),
    BOTH("YYYY", "yyyy", FIELD_OF_YEAR, CALENDAR_GREGORIAN, 4, true),
    BOTH("YYY", "yyy", FIELD_OF_YEAR, CALENDAR_GREGORIAN, 3, true),
    BOTH("YY", "yy", FIELD_OF_YEAR, CALENDAR_GREGORIAN, 2, true),
    BOTH("Y", "y", FIELD_OF_YEAR, CALENDAR_GREGORIAN, 1, true),
};
/* clang-format on */

static bool begins_with(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    return size <= text.size && memcmp(text.data, word, size) == 0;
}

static struct bytes behind(struct bytes text, size_t size)
{
    return bytes_of(text.data + size, text.size - size);
}

static const struct pattern_word *find_word(struct bytes format)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (begins_with(format, words[i].word))
            return &words[i];
    return NULL;
}

static size_t character_size(struct bytes text)
{
    size_t size = text.data[0] < 0xc0 ? 1 : text.data[0] < 0xe0 ? 2 : text.data[0] < 0xf0 ? 3 : 4;
    return size < text.size ? size : text.size;
}

static struct pattern_node text_node(struct bytes format)
{
    struct pattern_node node = {.text = bytes_of(format.data, character_size(format))};
    uint8_t c = format.data[0];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        node.field = FIELD_OF_SPACE;
    else if (c > ' ' && c < 127 && !letter && !digit)
        node.field = FIELD_OF_SEPARATOR;
    return node;
}

enum sqlstate pattern_read(struct call *call, struct bytes format, struct pattern *pattern)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(call->scope, (format.size + 1) * sizeof(struct pattern_node), 16,
                                             &memory, call->error);
    if (failed)
        return failed;
    *pattern = (struct pattern){.nodes = memory};
    struct pace pace = pace_of(call);
    while (format.size) {
        if ((failed = pace_step(&pace, 512))) /* a look through all words */
            return failed;
        struct pattern_node node = {0};
        if (begins_with(format, "FM") || begins_with(format, "fm")) {
            node.fill = true;
            format = behind(format, 2);
        } else if (begins_with(format, "TM") || begins_with(format, "tm")) {
            node.translated = true; /* into the session's language, which is English */
            format = behind(format, 2);
        }
        const struct pattern_word *word = find_word(format);
        if (word) {
            node.field = word->field;
            node.word = word;
            format = behind(format, strlen(word->word));
            node.ordinal = begins_with(format, "TH");
            node.ordinal_small = begins_with(format, "th");
            if (node.ordinal || node.ordinal_small || begins_with(format, "SP"))
                format = behind(format, 2);
            pattern->nodes[pattern->count++] = node;
        } else if (format.size && format.data[0] == '"') {
            format = behind(format, 1);
            while (format.size && format.data[0] != '"') {
                if (format.data[0] == '\\' && format.size > 1)
                    format = behind(format, 1);
                node = text_node(format);
                node.field = FIELD_OF_TEXT; /* in quotes, everything is just text */
                pattern->nodes[pattern->count++] = node;
                format = behind(format, node.text.size);
            }
            format = behind(format, format.size > 0);
        } else if (format.size) {
            if (begins_with(format, "\\\""))
                format = behind(format, 1);
            node = text_node(format);
            pattern->nodes[pattern->count++] = node;
            format = behind(format, node.text.size);
        }
    }
    return SQLSTATE_OK;
}
