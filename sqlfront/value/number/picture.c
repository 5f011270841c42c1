/* Pictures of numbers: reading formats, painting digits into them, taking texts apart by them.
 *
 * The rules, in all their corners, are PostgreSQL's, whose results users compare with. Each digit pattern decides from
 * the digits still to come whether it writes a blank, a zero, the sign and a digit, or nothing. */
#include "sqlfront/value/number/picture.h"

#include "sqlfront/value/raise.h"

#include <stdio.h>
#include <strings.h>

/* ---- reading formats ---- */

/* Longer words before their beginnings. Only RN and TH mind their case. */
static const struct {
    const char *word;
    enum picture_pattern pattern;
} patterns[] = {
    {",", PICTURE_COMMA},       {".", PICTURE_POINT},       {"0", PICTURE_ZERO},
    {"9", PICTURE_NINE},        {"B", PICTURE_BLANK},       {"C", PICTURE_CURRENCY_CODE},
    {"D", PICTURE_LOCAL_POINT}, {"EEEE", PICTURE_EXPONENT}, {"FM", PICTURE_FILL},
    {"G", PICTURE_GROUP},       {"L", PICTURE_CURRENCY},    {"MI", PICTURE_MINUS},
    {"PL", PICTURE_PLUS},       {"PR", PICTURE_BRACKETS},   {"RN", PICTURE_ROMAN},
    {"SG", PICTURE_SIGN},       {"SP", PICTURE_SPELL},      {"S", PICTURE_ANCHORED_SIGN},
    {"TH", PICTURE_ORDINAL},    {"V", PICTURE_SHIFT},
};

static enum sqlstate raise_format(struct error *error, const char *message)
{
    return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s", message);
}

static enum sqlstate add_sign(struct picture *picture, struct error *error)
{
    if (picture->anchored)
        return raise_format(error, "cannot use \"S\" twice");
    if (picture->plus || picture->minus || picture->brackets)
        return raise_format(error, "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
    picture->anchored = true;
    if (!picture->decimal) {
        picture->sign = PICTURE_IN_FRONT;
        picture->digits_before_sign = picture->before;
    } else if (picture->sign == PICTURE_PLAIN)
        picture->sign = PICTURE_BEHIND;
    return SQLSTATE_OK;
}

static enum sqlstate add_digit(struct picture *picture, bool zero, struct error *error)
{
    if (picture->brackets)
        return raise_format(error, zero ? "\"0\" must be ahead of \"PR\"" : "\"9\" must be ahead of \"PR\"");
    if (zero) {
        if (!picture->zero && !picture->decimal) {
            picture->zero = true;
            picture->zero_start = picture->before + 1;
        }
    } else if (picture->shifted) {
        picture->multiplier++;
        return SQLSTATE_OK;
    }
    if (picture->decimal)
        picture->behind++;
    else
        picture->before++;
    if (zero)
        picture->zero_end = picture->before + picture->behind;
    return SQLSTATE_OK;
}

static enum sqlstate add_pattern(struct picture *picture, enum picture_pattern pattern, struct error *error)
{
    if (picture->exponent && pattern != PICTURE_EXPONENT)
        return raise_format(error, "\"EEEE\" must be the last pattern used");
    switch (pattern) {
    case PICTURE_NINE:
    case PICTURE_ZERO:
        return add_digit(picture, pattern == PICTURE_ZERO, error);
    case PICTURE_BLANK:
        picture->blank |= picture->before == 0 && picture->behind == 0 && !picture->zero;
        return SQLSTATE_OK;
    case PICTURE_LOCAL_POINT:
    case PICTURE_POINT:
        if (picture->decimal)
            return raise_format(error, "multiple decimal points");
        if (picture->shifted)
            return raise_format(error, "cannot use \"V\" and decimal point together");
        picture->decimal = true;
        return SQLSTATE_OK;
    case PICTURE_FILL:
        picture->fill = true;
        return SQLSTATE_OK;
    case PICTURE_ANCHORED_SIGN:
        return add_sign(picture, error);
    case PICTURE_MINUS:
    case PICTURE_PLUS:
    case PICTURE_SIGN:
        if (picture->anchored)
            return raise_format(error, pattern == PICTURE_MINUS  ? "cannot use \"S\" and \"MI\" together"
                                       : pattern == PICTURE_PLUS ? "cannot use \"S\" and \"PL\" together"
                                                                 : "cannot use \"S\" and \"SG\" together");
        picture->minus |= pattern != PICTURE_PLUS;
        picture->plus |= pattern != PICTURE_MINUS;
        return SQLSTATE_OK;
    case PICTURE_BRACKETS:
        if (picture->anchored || picture->plus || picture->minus)
            return raise_format(error, "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
        picture->brackets = true;
        return SQLSTATE_OK;
    case PICTURE_ROMAN:
    case PICTURE_ROMAN_SMALL:
        picture->roman = true;
        return SQLSTATE_OK;
    case PICTURE_SHIFT:
        if (picture->decimal)
            return raise_format(error, "cannot use \"V\" and decimal point together");
        picture->shifted = true;
        return SQLSTATE_OK;
    case PICTURE_EXPONENT:
        if (picture->exponent)
            return raise_format(error, "cannot use \"EEEE\" twice");
        if (picture->blank || picture->fill || picture->anchored || picture->brackets || picture->minus ||
            picture->plus || picture->roman || picture->shifted) {
            enum sqlstate state = raise_format(error, "\"EEEE\" is incompatible with other formats");
            error_add(error, ERROR_DETAIL,
                      "\"EEEE\" may only be used together with digit and decimal point patterns.");
            return state;
        }
        picture->exponent = true;
        return SQLSTATE_OK;
    default:
        return SQLSTATE_OK;
    }
}

static size_t find_pattern(struct bytes format, enum picture_pattern *pattern)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        size_t size = strlen(patterns[i].word);
        if (size > format.size || strncasecmp(patterns[i].word, (const char *)format.data, size) != 0)
            continue;
        /* A pattern is all in capitals or all in small letters. */
        bool small = format.data[0] >= 'a';
        for (size_t c = 1; c < size; c++)
            if ((format.data[c] >= 'a') != small)
                return 0;
        *pattern = patterns[i].pattern;
        if (small && *pattern == PICTURE_ROMAN)
            *pattern = PICTURE_ROMAN_SMALL;
        if (small && *pattern == PICTURE_ORDINAL)
            *pattern = PICTURE_ORDINAL_SMALL;
        return size;
    }
    return 0;
}

static size_t character_size(struct bytes text)
{
    size_t size = text.data[0] < 0xc0 ? 1 : text.data[0] < 0xe0 ? 2 : text.data[0] < 0xf0 ? 3 : 4;
    return size < text.size ? size : text.size;
}

enum sqlstate picture_read(struct scope *scope, struct bytes format, struct picture *picture,
                           struct error *error)
{
    *picture = (struct picture){0};
    void *memory;
    enum sqlstate failed =
        scope_alloc_large(scope, (format.size + 1) * sizeof(struct picture_node), 16, &memory, error);
    struct picture_node *nodes = memory;
    if (failed)
        return failed;
    picture->nodes = nodes;
    bool quoted = false;
    while (format.size) {
        enum picture_pattern pattern;
        size_t size = quoted ? 0 : find_pattern(format, &pattern);
        if (size) {
            nodes[picture->count++] = (struct picture_node){.pattern = pattern};
            if ((failed = add_pattern(picture, pattern, error)))
                return failed;
        } else if (format.data[0] == '"') {
            size = 1;
            quoted = !quoted;
        } else {
            if (format.data[0] == '\\' && format.size > 1 && (quoted || format.data[1] == '"'))
                format = bytes_of(format.data + 1, format.size - 1);
            size = character_size(format);
            nodes[picture->count++] = (struct picture_node){.text = bytes_of(format.data, size)};
        }
        format = bytes_of(format.data + size, format.size - size);
    }
    return SQLSTATE_OK;
}

/* ---- painting ---- */

const char *ordinal_ending(const char *digits, bool small)
{
    size_t size = strlen(digits);
    char last = size ? digits[size - 1] : '0';
    if (size > 1 && digits[size - 2] == '1')
        last = '0';
    switch (last) {
    case '1':
        return small ? "st" : "ST";
    case '2':
        return small ? "nd" : "ND";
    case '3':
        return small ? "rd" : "RD";
    default:
        return small ? "th" : "TH";
    }
}

struct painter {
    struct picture *picture;
    const char *number; /* all digits */
    const char *at;     /* the digit to come */
    const char
        *last_relevant; /* with FM: the last digit behind the point that is not a zero in vain; else NULL */
    char *out;
    char *cut; /* where the text ends, whatever is written behind it; or NULL */
    char sign;
    int spaces;     /* digit patterns before the number begins */
    int place;      /* of the pattern, among the digits */
    int count;      /* of places */
    int zero_start; /* from 0 */
    bool sign_written, in_number;
};

static void put(struct painter *painter, char c)
{
    *painter->out++ = c;
}

/* "9.9" shows 0.1 as " .1": the zero before the point is not written. */
static bool hides_zero(const struct painter *painter)
{
    return !painter->picture->zero && painter->number == painter->at && painter->number[0] == '0' &&
           painter->picture->behind != 0;
}

static bool ends_at_point(const struct painter *painter)
{
    return painter->last_relevant && *painter->last_relevant == '.';
}

/* The sign stands right before the first digit written. */
static void paint_sign(struct painter *painter)
{
    const struct picture *picture = painter->picture;
    bool begins =
        painter->place >= painter->spaces || (picture->zero && painter->zero_start == painter->place);
    if (painter->sign_written || !begins || (hides_zero(painter) && !ends_at_point(painter)))
        return;
    if (picture->anchored) {
        if (picture->sign != PICTURE_IN_FRONT)
            return;
        put(painter, painter->sign == '-' ? '-' : '+');
    } else if (picture->brackets)
        put(painter, painter->sign == '+' ? ' ' : '<');
    else if (painter->sign == '+') {
        if (!picture->fill)
            put(painter, ' ');
    } else if (painter->sign == '-')
        put(painter, '-');
    else
        return;
    painter->sign_written = true;
}

static void paint_character(struct painter *painter, bool zero_pattern)
{
    const struct picture *picture = painter->picture;
    if (*painter->at == '.') {
        if (!ends_at_point(painter) || picture->fill)
            put(painter, '.');
    } else if (painter->last_relevant && painter->at > painter->last_relevant && !zero_pattern)
        ; /* a zero in vain */
    else if (hides_zero(painter)) {
        if (!picture->fill)
            put(painter, ' ');
        else if (ends_at_point(painter))
            put(painter, '0');
    } else {
        if (!*painter->at && !painter->cut)
            painter->cut = painter->out; /* PostgreSQL writes the number's end mark, and so ends the text */
        put(painter, *painter->at);
        painter->in_number = true;
    }
    if (*painter->at)
        painter->at++;
}

static void paint_digit(struct painter *painter, enum picture_pattern pattern)
{
    const struct picture *picture = painter->picture;
    if (picture->roman)
        return;
    painter->in_number = false;
    paint_sign(painter);
    bool zero_here = picture->zero && painter->zero_start <= painter->place;
    if (painter->place < painter->spaces && !zero_here) {
        if (!picture->fill)
            put(painter, ' ');
    } else if (painter->place < painter->spaces) {
        put(painter, '0');
        painter->in_number = true;
    } else
        paint_character(painter, pattern == PICTURE_ZERO);
    int end = painter->count + (painter->spaces ? 1 : 0) + (picture->decimal ? 1 : 0);
    if (painter->last_relevant && painter->last_relevant == painter->at)
        end = painter->place;
    if (painter->place + 1 == end) {
        if (painter->sign_written && picture->brackets)
            put(painter, painter->sign == '+' ? ' ' : '>');
        else if (picture->anchored && picture->sign == PICTURE_BEHIND)
            put(painter, painter->sign == '-' ? '-' : '+');
    }
    painter->place++;
}

static void paint_words(struct painter *painter, const char *words)
{
    while (*words)
        put(painter, *words++);
}

static void paint_roman(struct painter *painter, bool small)
{
    char text[32];
    snprintf(text, sizeof text, painter->picture->fill ? "%s" : "%15s", painter->at);
    for (char *c = text; small && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    paint_words(painter, text);
}

static void paint_pattern(struct painter *painter, enum picture_pattern pattern)
{
    const struct picture *picture = painter->picture;
    switch (pattern) {
    case PICTURE_NINE:
    case PICTURE_ZERO:
    case PICTURE_POINT:
    case PICTURE_LOCAL_POINT:
        paint_digit(painter, pattern);
        break;
    case PICTURE_COMMA:
    case PICTURE_GROUP:
        if (painter->in_number)
            put(painter, ',');
        else if (!picture->fill)
            put(painter, ' ');
        break;
    case PICTURE_CURRENCY:
        put(painter, ' ');
        break;
    case PICTURE_ROMAN:
    case PICTURE_ROMAN_SMALL:
        paint_roman(painter, pattern == PICTURE_ROMAN_SMALL);
        break;
    case PICTURE_ORDINAL:
    case PICTURE_ORDINAL_SMALL:
        if (!picture->roman && painter->number[0] != '#' && painter->sign != '-' && !picture->decimal)
            paint_words(painter, ordinal_ending(painter->number, pattern == PICTURE_ORDINAL_SMALL));
        break;
    case PICTURE_MINUS:
        if (painter->sign == '-' || !picture->fill)
            put(painter, painter->sign == '-' ? '-' : ' ');
        break;
    case PICTURE_PLUS:
        if (painter->sign == '+' || !picture->fill)
            put(painter, painter->sign == '+' ? '+' : ' ');
        break;
    case PICTURE_SIGN:
        put(painter, painter->sign);
        break;
    default:
        break;
    }
}

/* With FM, zeros at the end are not shown, but for those that a 0 in the picture asks for. */
static const char *last_relevant_of(const struct picture *picture, const char *number, int spaces)
{
    const char *point = strchr(number, '.'), *last = point;
    if (!point || !picture->fill || !picture->decimal)
        return NULL;
    for (const char *at = point + 1; *at; at++)
        if (*at != '0')
            last = at;
    if (picture->zero_end > spaces) {
        int place = (int)strlen(number) - 1;
        if (picture->zero_end - spaces < place)
            place = picture->zero_end - spaces;
        if (number + place > last)
            last = number + place;
    }
    return last;
}

size_t picture_room(const struct picture *picture, const char *number)
{
    size_t room = 64 + strlen(number);
    for (uint32_t i = 0; i < picture->count; i++)
        room += picture->nodes[i].pattern == PICTURE_TEXT ? picture->nodes[i].text.size : 16;
    return room;
}

size_t picture_paint(struct picture *picture, const char *number, int spaces, char sign, char *out)
{
    struct painter painter = {
        .picture = picture, .number = number, .at = number, .out = out, .sign = sign, .spaces = spaces};
    painter.zero_start = picture->zero_start ? picture->zero_start - 1 : 0;
    if (picture->exponent) {
        paint_words(&painter, number);
        return (size_t)(painter.out - out);
    }
    if (picture->roman) {
        bool fill = picture->fill;
        const struct picture_node *nodes = picture->nodes;
        *picture = (struct picture){.nodes = nodes, .count = picture->count, .roman = true, .fill = fill};
        painter.sign = 0;
        painter.spaces = 0;
    }
    if (picture->plus || picture->minus)
        painter.sign_written = !(picture->plus && !picture->minus);
    else {
        if (sign != '-' && picture->fill)
            picture->brackets = false;
        painter.sign_written = sign == '+' && picture->fill && !picture->anchored;
        if (picture->sign == PICTURE_IN_FRONT && picture->before == picture->digits_before_sign)
            picture->sign = PICTURE_BEHIND;
    }
    painter.count = picture->behind + picture->before - 1;
    painter.last_relevant = last_relevant_of(picture, number, painter.spaces);
    if (!painter.sign_written && painter.spaces == 0)
        painter.count++;
    for (uint32_t i = 0; i < picture->count; i++)
        if (picture->nodes[i].pattern == PICTURE_TEXT)
            for (size_t c = 0; c < picture->nodes[i].text.size; c++)
                put(&painter, (char)picture->nodes[i].text.data[c]);
        else
            paint_pattern(&painter, picture->nodes[i].pattern);
    return (size_t)((painter.cut ? painter.cut : painter.out) - out);
}

/* ---- taking apart ---- */

struct taker {
    struct picture *picture;
    const char *at, *end;
    char *number; /* the sign, or a blank; then digits */
    char *out;
    int read_before, read_behind;
    bool point;
};

static bool more(const struct taker *taker)
{
    return taker->at < taker->end;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_character(struct taker *taker)
{
    taker->at += character_size(bytes_of(taker->at, (size_t)(taker->end - taker->at)));
}

/* Skips characters that cannot belong to a number. */
static void skip_foreign(struct taker *taker, int count)
{
    for (; count > 0 && more(taker) && !strchr("0123456789.,+-", *taker->at); count--)
        skip_character(taker);
}

static void take_leading_sign(struct taker *taker)
{
    const struct picture *picture = taker->picture;
    char c = *taker->at;
    if (picture->anchored && picture->sign == PICTURE_IN_FRONT) {
        if (c == '-' || c == '+') {
            taker->number[0] = c;
            taker->at++;
        }
    } else if (c == '-' || (picture->brackets && c == '<')) {
        taker->number[0] = '-';
        taker->at++;
    } else if (c == '+') {
        taker->number[0] = '+';
        taker->at++;
    }
}

/* Leaves taker->at on the character it looked at last: the caller steps on. */
static void take_digit(struct taker *taker, enum picture_pattern pattern)
{
    const struct picture *picture = taker->picture;
    bool read = false;
    if (*taker->at == ' ')
        taker->at++;
    if (!more(taker))
        return;
    if (taker->number[0] == ' ' && (pattern == PICTURE_ZERO || pattern == PICTURE_NINE) &&
        taker->read_before + taker->read_behind == 0)
        take_leading_sign(taker);
    if (!more(taker))
        return;
    if (is_digit(*taker->at)) {
        if (taker->point && taker->read_behind == picture->behind)
            return;
        *taker->out++ = *taker->at;
        if (taker->point)
            taker->read_behind++;
        else
            taker->read_before++;
        read = true;
    } else if (picture->decimal && !taker->point && *taker->at == '.') {
        *taker->out++ = '.';
        taker->point = true;
        read = true;
    }
    if (taker->number[0] != ' ' || taker->read_before + taker->read_behind == 0)
        return;
    /* A sign behind the last digit. */
    if (picture->anchored && read) {
        if (taker->at + 1 < taker->end && (taker->at[1] == '-' || taker->at[1] == '+')) {
            taker->number[0] = taker->at[1];
            taker->at++;
        }
    } else if (!read && !picture->anchored && (picture->plus || picture->minus) &&
               (*taker->at == '-' || *taker->at == '+'))
        taker->number[0] = *taker->at;
}

/* Gives whether one character was taken, which the caller steps over. */
static bool take_pattern(struct taker *taker, enum picture_pattern pattern)
{
    const struct picture *picture = taker->picture;
    char c = *taker->at;
    switch (pattern) {
    case PICTURE_NINE:
    case PICTURE_ZERO:
    case PICTURE_POINT:
    case PICTURE_LOCAL_POINT:
        take_digit(taker, pattern);
        return true;
    case PICTURE_COMMA:
    case PICTURE_GROUP:
        return !picture->fill && c == ',';
    case PICTURE_CURRENCY:
        skip_foreign(taker, 1);
        return false;
    case PICTURE_ORDINAL:
    case PICTURE_ORDINAL_SMALL:
        if (!picture->roman && taker->number[0] != '#' && taker->number[0] != '-' && !picture->decimal)
            skip_foreign(taker, 2);
        return false;
    case PICTURE_MINUS:
    case PICTURE_PLUS:
    case PICTURE_SIGN:
        if ((c == '-' && pattern != PICTURE_PLUS) || (c == '+' && pattern != PICTURE_MINUS)) {
            taker->number[0] = c;
            return true;
        }
        skip_foreign(taker, 1);
        return false;
    default:
        return false;
    }
}

void picture_take(struct picture *picture, struct bytes text, char *number)
{
    struct taker taker = {.picture = picture,
                          .at = (const char *)text.data,
                          .end = (const char *)text.data + text.size,
                          .number = number,
                          .out = number + 1};
    number[0] = ' ';
    for (uint32_t i = 0; i < picture->count && more(&taker); i++) {
        if (picture->nodes[i].pattern == PICTURE_TEXT)
            skip_character(&taker);
        else if (take_pattern(&taker, picture->nodes[i].pattern))
            taker.at++;
    }
    if (taker.out[-1] == '.')
        taker.out--;
    *taker.out = 0;
    picture->behind = taker.read_behind;
}
