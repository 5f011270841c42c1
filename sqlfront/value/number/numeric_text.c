/* Text and binary forms of numeric, its modifier, and numerics from and to floats. */
#include "sqlfront/value/number/number.h"
#include "sqlfront/value/number/numeric.h"

#include "sqlfront/value/raise.h"
#include "sqlfront/value/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- reading ---- */

static bool blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size && blank(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static bool is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool parse_special(struct bytes text, struct value *value)
{
    enum numeric_sign sign = NUMERIC_INFINITY;
    if (is_word(text, "nan")) {
        *value = numeric_special(NUMERIC_NAN);
        return true;
    }
    if (text.size && (text.data[0] == '+' || text.data[0] == '-')) {
        if (text.data[0] == '-')
            sign = NUMERIC_MINUS_INFINITY;
        text = bytes_of(text.data + 1, text.size - 1);
    }
    if (!is_word(text, "infinity") && !is_word(text, "inf"))
        return false;
    *value = numeric_special(sign);
    return true;
}

/* What stands in a decimal literal: its digits with the point taken out, and where the point was. */
struct decimal {
    bool negative;
    const uint8_t *digits; /* and one point among them, maybe */
    size_t size;
    int64_t count;    /* digits */
    int64_t fraction; /* of them behind the point */
    int64_t exponent;
};

/* False when it is none. Exponents beyond anything the format holds are cut. */
static bool scan(struct bytes text, struct decimal *decimal)
{
    *decimal = (struct decimal){0};
    size_t at = 0;
    if (at < text.size && (text.data[at] == '+' || text.data[at] == '-'))
        decimal->negative = text.data[at++] == '-';
    decimal->digits = text.data + at;
    bool point = false;
    size_t start = at;
    for (; at < text.size && (digit(text.data[at]) || (text.data[at] == '.' && !point)); at++) {
        if (text.data[at] == '.') {
            point = true;
            continue;
        }
        decimal->count++;
        decimal->fraction += point;
    }
    decimal->size = at - start;
    if (decimal->count == 0)
        return false;
    if (at == text.size)
        return true;
    if (text.data[at] != 'e' && text.data[at] != 'E')
        return false;
    at++;
    bool negative = false;
    if (at < text.size && (text.data[at] == '+' || text.data[at] == '-'))
        negative = text.data[at++] == '-';
    if (at == text.size)
        return false;
    for (; at < text.size; at++) {
        if (!digit(text.data[at]))
            return false;
        if (decimal->exponent < 1000000000)
            decimal->exponent = decimal->exponent * 10 + (text.data[at] - '0');
    }
    decimal->exponent = negative ? -decimal->exponent : decimal->exponent;
    return true;
}

static struct number number_of_decimal(struct scope *scope, const struct decimal *decimal)
{
    int64_t shown = decimal->fraction - decimal->exponent;
    struct number number = {.sign = decimal->negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE,
                            .scale = (int)(shown > 0 ? shown : 0)};
    /* Decimal place of the first digit: 0 is the ones. */
    int64_t place = decimal->count - decimal->fraction + decimal->exponent - 1;
    int64_t weight = place >= 0 ? place / 4 : -((-place + 3) / 4);
    int offset = (int)(3 - (place - weight * 4)); /* zeros before it in its base-10000 digit */
    number.weight = (int)weight;
    number.count = (int)((offset + decimal->count + 3) / 4);
    number.digits = scope_alloc_zeroed(scope, (size_t)number.count * sizeof(uint16_t));
    int64_t at = offset;
    static const uint16_t powers[] = {1000, 100, 10, 1};
    for (size_t i = 0; i < decimal->size; i++)
        if (decimal->digits[i] != '.') {
            number.digits[at / 4] += (uint16_t)((decimal->digits[i] - '0') * powers[at % 4]);
            at++;
        }
    while (number.count && number.digits[0] == 0) {
        number.digits++;
        number.count--;
        number.weight--;
    }
    while (number.count && number.digits[number.count - 1] == 0)
        number.count--;
    return number;
}

/* Digits whose every number fits 64 bits. */
static bool small_decimal(const struct decimal *decimal, struct value *value)
{
    if (decimal->exponent || decimal->count > 18 || decimal->fraction > NUMERIC_SMALL_SCALE_MAX)
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i < decimal->size; i++)
        if (decimal->digits[i] != '.')
            sum = sum * 10 + (decimal->digits[i] - '0');
    *value = value_small_numeric(decimal->negative ? -sum : sum, (int)decimal->fraction);
    return true;
}

/* What nearly all numbers look like: a sign or none, digits, a point among them or none; in one pass. False: look closer. */
static bool plain_decimal(struct bytes text, struct value *value)
{
    const uint8_t *at = text.data, *end = at + text.size, *point = NULL;
    bool negative = text.size && *at == '-';
    int64_t sum = 0;
    at += negative;
    size_t digits = (size_t)(end - at);
    if (digits == 0 || digits > 18)
        return false;
    for (; at < end; at++) {
        unsigned next = (unsigned)*at - '0';
        if (next <= 9)
            sum = sum * 10 + next;
        else if (*at == '.' && !point && digits > 1)
            point = at;
        else
            return false;
    }
    *value = value_small_numeric(negative ? -sum : sum, point ? (int)(end - point - 1) : 0);
    return true;
}

enum sqlstate numeric_parse(struct scope *scope, struct bytes text, struct value *value, struct error *error)
{
    if (plain_decimal(text, value))
        return SQLSTATE_OK;
    struct bytes literal = trimmed(text);
    struct decimal decimal;
    if (!scan(literal, &decimal))
        return parse_special(literal, value) ? SQLSTATE_OK : raise_bad_text(error, "numeric", text);
    if (small_decimal(&decimal, value))
        return SQLSTATE_OK;
    /* Longer than anything the format holds: no need to build it. */
    if (decimal.count > 4 * (NUMERIC_WEIGHT_MAX + 1) + NUMERIC_SCALE_MAX ||
        decimal.fraction > NUMERIC_SCALE_MAX * 4 || labs(decimal.exponent) > 1000000)
        return raise_numeric_overflow(error);
    struct number number = number_of_decimal(scope, &decimal);
    return number_pack(scope, &number, value, error);
}

/* ---- writing ---- */

static size_t print_small(const struct value *value, char *room)
{
    char digits[INTEGER_TEXT_BYTES];
    int64_t left = value->i;
    size_t size = 0;
    if (left < 0)
        room[size++] = '-';
    int count = (int)integer_print(left < 0 ? -left : left, digits), scale = value->scale;
    int whole = count - scale; /* digits before the point */
    if (whole <= 0)
        room[size++] = '0';
    for (int i = 0; i < whole; i++)
        room[size++] = digits[i];
    if (scale) {
        room[size++] = '.';
        for (int i = whole; i < 0; i++)
            room[size++] = '0';
        for (int i = whole > 0 ? whole : 0; i < count; i++)
            room[size++] = digits[i];
    }
    return size;
}

static char *print_digit(char *at, unsigned digit, int from, int to)
{
    static const unsigned powers[] = {1000, 100, 10, 1};
    for (int i = from; i < to; i++)
        *at++ = (char)('0' + digit / powers[i] % 10);
    return at;
}

/* Digits before the point without leading zeros, then `scale` digits. */
static size_t print_number(const struct number *number, char *room)
{
    char *at = room;
    if (number->sign == NUMERIC_NEGATIVE)
        *at++ = '-';
    if (number->count == 0 || number->weight < 0)
        *at++ = '0';
    for (int i = 0; number->count && i <= number->weight; i++) {
        unsigned digit = i < number->count ? number->digits[i] : 0;
        int from = i ? 0 : digit < 10 ? 3 : digit < 100 ? 2 : digit < 1000 ? 1 : 0;
        at = print_digit(at, digit, from, 4);
    }
    if (number->scale)
        *at++ = '.';
    for (int place = 0; place < number->scale; place += 4) {
        int index = number->weight + 1 + place / 4;
        unsigned digit = index >= 0 && index < number->count ? number->digits[index] : 0;
        at = print_digit(at, digit, 0, number->scale - place < 4 ? number->scale - place : 4);
    }
    return (size_t)(at - room);
}

enum sqlstate numeric_print(struct scope *scope, const struct value *value, struct bytes *text,
                            struct error *error)
{
    if (value->small) {
        char *room = scope_alloc(scope, 2 * INTEGER_TEXT_BYTES);
        *text = bytes_of(room, print_small(value, room));
        return SQLSTATE_OK;
    }
    switch (value->p[0]) {
    case NUMERIC_NAN:
        *text = bytes_of_text("NaN");
        return SQLSTATE_OK;
    case NUMERIC_INFINITY:
        *text = bytes_of_text("Infinity");
        return SQLSTATE_OK;
    case NUMERIC_MINUS_INFINITY:
        *text = bytes_of_text("-Infinity");
        return SQLSTATE_OK;
    }
    struct number number = number_of(scope, value);
    size_t whole = number.weight >= 0 ? 4 * ((size_t)number.weight + 1) : 1;
    char *room = scope_alloc(scope, whole + (size_t)number.scale + 8);
    *text = bytes_of(room, print_number(&number, room));
    return SQLSTATE_OK;
}

/* ---- the modifier: numeric(precision, scale) ---- */

#define MODIFIER_OFFSET 4 /* PostgreSQL adds the size of a header that only it has */

static int modifier_precision(int32_t modifier)
{
    return (modifier - MODIFIER_OFFSET) >> 16 & 0xffff;
}

static int modifier_scale(int32_t modifier)
{
    return (((modifier - MODIFIER_OFFSET) & 0x7ff) ^ 1024) - 1024;
}

static enum sqlstate raise_field(struct error *error, int precision, int scale)
{
    int digits = precision - scale;
    enum sqlstate state = error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
    error_add(error, ERROR_DETAIL,
              "A field with precision %d, scale %d must round to an absolute value less than %s%d.",
              precision, scale, digits ? "10^" : "", digits ? digits : 1);
    return state;
}

/* Whether |value| < 10^digits. */
static bool below(struct scope *scope, const struct value *value, int digits)
{
    struct number number = number_of(scope, value);
    if (number.count == 0)
        return true;
    int first = number.digits[0] < 10 ? 1 : number.digits[0] < 100 ? 2 : number.digits[0] < 1000 ? 3 : 4;
    return number.weight * 4 + first <= digits;
}

enum sqlstate numeric_apply_modifier(struct scope *scope, int32_t modifier, struct value *value,
                                     struct error *error)
{
    if (modifier < MODIFIER_OFFSET)
        return SQLSTATE_OK;
    int precision = modifier_precision(modifier), scale = modifier_scale(modifier);
    if (numeric_is_special(value)) {
        if (numeric_sign_of(value) == NUMERIC_NAN)
            return SQLSTATE_OK;
        enum sqlstate state = error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
        error_add(error, ERROR_DETAIL, "A field with precision %d, scale %d cannot hold an infinite value.",
                  precision, scale);
        return state;
    }
    enum sqlstate failed = numeric_round_to(scope, value, scale, false, value, error);
    if (failed)
        return failed;
    if (value->small && value->scale == scale && precision <= NUMERIC_SMALL_SCALE_MAX) {
        int64_t bound = numeric_powers[precision];
        return value->i < bound && value->i > -bound ? SQLSTATE_OK : raise_field(error, precision, scale);
    }
    return below(scope, value, precision - scale) ? SQLSTATE_OK : raise_field(error, precision, scale);
}

/* ---- floats ---- */

double number_to_float(struct scope *scope, const struct number *a)
{
    size_t whole = a->weight >= 0 ? 4 * ((size_t)a->weight + 1) : 1;
    char *room = scope_alloc(scope, whole + (size_t)(a->scale > 0 ? a->scale : 0) + 8);
    struct number shown = *a;
    if (shown.scale < 0)
        shown.scale = 0;
    room[print_number(&shown, room)] = 0;
    return strtod(room, NULL);
}

double numeric_to_float(struct scope *scope, const struct value *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    if (value->small && value->i < 1L << 53 && value->i > -(1L << 53))
        return (double)value->i / powers[value->scale]; /* both exact: rounded once */
    switch (numeric_sign_of(value)) {
    case NUMERIC_NAN:
        return NAN;
    case NUMERIC_INFINITY:
        return HUGE_VAL;
    case NUMERIC_MINUS_INFINITY:
        return -HUGE_VAL;
    default: {
        struct number number = number_of(scope, value);
        return number_to_float(scope, &number);
    }
    }
}

enum sqlstate numeric_of_float(struct scope *scope, double f, int digits, struct value *value,
                               struct error *error)
{
    if (!isfinite(f)) {
        *value = numeric_special(isnan(f) ? NUMERIC_NAN : f > 0 ? NUMERIC_INFINITY : NUMERIC_MINUS_INFINITY);
        return SQLSTATE_OK;
    }
    char text[64];
    int size = snprintf(text, sizeof text, "%.*g", digits, f);
    return numeric_parse(scope, bytes_of(text, (size_t)size), value, error);
}

bool numeric_to_integer(const struct value *value, int64_t *integer)
{
    if (value->small) {
        struct value whole;
        struct error error;
        if (numeric_round_to(NULL, value, 0, false, &whole, &error))
            return false;
        *integer = whole.i;
        return true;
    }
    if (numeric_is_special(value))
        return false;
    uint16_t digits[8];
    int16_t weight;
    memcpy(&weight, value->p + 4, sizeof weight);
    struct number number = {.sign = value->p[0], .weight = weight};
    number.count = (int)((value->size - NUMERIC_HEAD_BYTES) / sizeof(uint16_t));
    if (weight > 4)
        return false;
    if (number.count > 8)
        number.count = 8; /* three digits behind the point at least: enough to round */
    memcpy(digits, value->p + NUMERIC_HEAD_BYTES, (size_t)number.count * sizeof(uint16_t));
    number.digits = digits;
    return number_to_integer(&number, integer);
}

/* ---- the type ---- */

static enum sqlstate numeric_in(struct environment *environment, struct scope *scope, const struct type *type,
                                int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    enum sqlstate failed = numeric_parse(scope, text, value, error);
    return failed ? failed : numeric_apply_modifier(scope, modifier, value, error);
}

static enum sqlstate numeric_out(struct environment *environment, struct scope *scope,
                                 const struct type *type, const struct value *value, struct bytes *text,
                                 struct error *error)
{
    return numeric_print(scope, value, text, error);
}

/* Binary: counts of digits, weight, sign, display scale in 16 bits each, then the digits. */
#define SIGN_POSITIVE       0x0000
#define SIGN_NEGATIVE       0x4000
#define SIGN_NAN            0xC000
#define SIGN_INFINITY       0xD000
#define SIGN_MINUS_INFINITY 0xF000
static const uint16_t wire_signs[] = {SIGN_POSITIVE, SIGN_NEGATIVE, SIGN_NAN, SIGN_INFINITY,
                                      SIGN_MINUS_INFINITY};

static enum sqlstate raise_external(struct error *error, const char *what)
{
    return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION,
                     "invalid %s in external \"numeric\" value", what);
}

static enum sqlstate numeric_receive(struct environment *environment, struct scope *scope,
                                     const struct type *type, int32_t modifier, struct bytes binary,
                                     struct value *value, struct error *error)
{
    if (binary.size < 8)
        return raise_bad_binary(error, true);
    struct number number = {.count = wire_read_u16(binary.data),
                            .weight = (int16_t)wire_read_u16(binary.data + 2)};
    uint16_t sign = wire_read_u16(binary.data + 4);
    number.scale = wire_read_u16(binary.data + 6);
    if (binary.size != 8 + 2 * (size_t)number.count)
        return raise_bad_binary(error, binary.size < 8 + 2 * (size_t)number.count);
    size_t signs = sizeof wire_signs / sizeof wire_signs[0], found = 0;
    while (found < signs && wire_signs[found] != sign)
        found++;
    if (found == signs)
        return raise_external(error, "sign");
    if (number.scale > NUMERIC_SCALE_MAX)
        return raise_external(error, "scale");
    number.sign = (enum numeric_sign)found;
    number.digits = scope_alloc(scope, 2 * (size_t)number.count + 2);
    for (int i = 0; i < number.count; i++) {
        number.digits[i] = wire_read_u16(binary.data + 8 + 2 * i);
        if (number.digits[i] >= 10000)
            return raise_external(error, "digit");
    }
    enum sqlstate failed;
    if (number_special(&number)) {
        failed = number_pack(scope, &number, value, error);
        return failed ? failed : numeric_apply_modifier(scope, modifier, value, error);
    }
    number = number_cut(scope, &number, number.scale); /* digits that are not shown */
    if ((failed = number_pack(scope, &number, value, error)))
        return failed;
    return numeric_apply_modifier(scope, modifier, value, error);
}

static enum sqlstate numeric_send(struct environment *environment, struct scope *scope,
                                  const struct type *type, const struct value *value, struct bytes *binary,
                                  struct error *error)
{
    struct number number = number_of(scope, value);
    size_t size = 8 + 2 * (size_t)number.count;
    uint8_t *room = scope_alloc(scope, size);
    wire_write_u16(room, (uint16_t)number.count);
    wire_write_u16(room + 2, (uint16_t)number.weight);
    wire_write_u16(room + 4, wire_signs[number.sign]);
    /* PostgreSQL's own infinities come with a scale of 32, an accident of its format. */
    wire_write_u16(room + 6, number.sign >= NUMERIC_INFINITY ? 0x20 : (uint16_t)number.scale);
    for (int i = 0; i < number.count; i++)
        wire_write_u16(room + 8 + 2 * i, number.digits[i]);
    *binary = bytes_of(room, size);
    return SQLSTATE_OK;
}

static int compare(struct environment *environment, const struct type *type, const struct value *a,
                   const struct value *b)
{
    return numeric_compare(a, b);
}

static uint64_t hash(struct environment *environment, const struct type *type, const struct value *value)
{
    return numeric_hash(value);
}

const struct type_ops numeric_ops = {numeric_in, numeric_out, numeric_receive, numeric_send, compare, hash};
