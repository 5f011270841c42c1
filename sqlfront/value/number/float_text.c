/* Text and binary forms of floats.
 *
 * The shortest text that reads back as the same double: if a decimal of at most 15 digits does, it is what %.15g
 * prints without its trailing zeros, for no two decimals of 15 digits are the same double; else 16 digits are tried,
 * then 17, which always do. Only subnormals have fewer digits than that to give and are tried from one digit on. Most
 * numbers in practice are n / 10^k with small n and k, which needs no trial: such a division is exact up to one
 * rounding, the very one that reading the text makes. */
#include "sqlfront/value/number/number.h"

#include "sqlfront/value/raise.h"
#include "sqlfront/value/wire.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- writing ---- */

static size_t print_special(double value, char text[static FLOAT_TEXT_BYTES])
{
    const char *word = value != value ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    strcpy(text, word);
    return strlen(word);
}

/* Writes 0.DIGITS x 10^point: plain up to 10^most and down to 10^-4, else with an exponent. */
static size_t lay_out(bool negative, const char *digits, int count, int point, int most,
                      char text[static FLOAT_TEXT_BYTES])
{
    char *at = text;
    if (negative)
        *at++ = '-';
    int exponent = point - 1;
    if (exponent < -4 || exponent >= most) {
        *at++ = digits[0];
        if (count > 1) {
            *at++ = '.';
            memcpy(at, digits + 1, (size_t)count - 1);
            at += count - 1;
        }
        at += snprintf(at, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return (size_t)(at - text);
    }
    if (point <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = point; i < 0; i++)
            *at++ = '0';
        memcpy(at, digits, (size_t)count);
        at += count;
    } else {
        for (int i = 0; i < point; i++)
            *at++ = i < count ? digits[i] : '0';
        if (count > point) {
            *at++ = '.';
            memcpy(at, digits + point, (size_t)(count - point));
            at += count - point;
        }
    }
    *at = 0;
    return (size_t)(at - text);
}

/* Takes d.ddde+xx apart. */
static size_t lay_out_printed(const char *printed, int most, char text[static FLOAT_TEXT_BYTES])
{
    char digits[24];
    int count = 0;
    bool negative = printed[0] == '-';
    const char *at = printed + negative;
    for (; *at != 'e'; at++)
        if (*at != '.')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return lay_out(negative, digits, count, atoi(at + 1) + 1, most, text);
}

static const double powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};

/* Numbers that are n / 10^k with n below 10^15. */
static bool print_simple(double value, char text[static FLOAT_TEXT_BYTES], size_t *size)
{
    double positive = fabs(value);
    for (int places = 0; places < (int)(sizeof powers_of_ten / sizeof powers_of_ten[0]); places++) {
        double scaled = positive * powers_of_ten[places];
        if (scaled >= 1e15)
            return false;
        double whole = rint(scaled);
        if (whole == 0 || whole / powers_of_ten[places] != positive)
            continue;
        char digits[INTEGER_TEXT_BYTES];
        int count = (int)integer_print((int64_t)whole, digits), point = count - places;
        while (count > 1 && digits[count - 1] == '0')
            count--;
        *size = lay_out(value < 0, digits, count, point, 15, text);
        return true;
    }
    return false;
}

static size_t print_zero(double value, char text[static FLOAT_TEXT_BYTES])
{
    strcpy(text, signbit(value) ? "-0" : "0");
    return strlen(text);
}

/* Whether the decimal lies closer to the number than to any other. One that is just between two would be read as the
 * even one, but PostgreSQL does not count on that. */
static bool reads_back(const char *printed, double value)
{
    long double exact = strtold(printed, NULL), of_value = value;
    long double above = (of_value + nextafter(value, HUGE_VAL)) / 2,
                below = (of_value + nextafter(value, -HUGE_VAL)) / 2;
    return strtod(printed, NULL) == value && exact != above && exact != below;
}

static bool reads_back_as_real(const char *printed, float value)
{
    double exact = strtod(printed, NULL), of_value = value;
    double above = (of_value + nextafterf(value, HUGE_VALF)) / 2,
           below = (of_value + nextafterf(value, -HUGE_VALF)) / 2;
    return strtof(printed, NULL) == value && exact != above && exact != below;
}

size_t float8_print(double value, int extra_digits, char text[static FLOAT_TEXT_BYTES])
{
    size_t size;
    if (!isfinite(value))
        return print_special(value, text);
    if (extra_digits <= 0) {
        int digits = DBL_DIG + extra_digits;
        return (size_t)snprintf(text, FLOAT_TEXT_BYTES, "%.*g", digits < 1 ? 1 : digits, value);
    }
    if (value == 0)
        return print_zero(value, text);
    if (print_simple(value, text, &size))
        return size;
    char printed[40];
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(printed, sizeof printed, "%.*e", digits - 1, value);
        if (reads_back(printed, value))
            break;
    }
    return lay_out_printed(printed, 15, text);
}

size_t float4_print(float value, int extra_digits, char text[static FLOAT_TEXT_BYTES])
{
    if (!isfinite(value))
        return print_special(value, text);
    if (extra_digits <= 0) {
        int digits = FLT_DIG + extra_digits;
        return (size_t)snprintf(text, FLOAT_TEXT_BYTES, "%.*g", digits < 1 ? 1 : digits, (double)value);
    }
    if (value == 0)
        return print_zero(value, text);
    char printed[40];
    for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
        snprintf(printed, sizeof printed, "%.*e", digits - 1, (double)value);
        if (reads_back_as_real(printed, value))
            break;
    }
    return lay_out_printed(printed, 6, text);
}

/* ---- reading ---- */

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A number's text, ended; longer ones than this are cut where digits no longer matter to anybody. */
struct ended {
    char text[1024];
    bool cut;
};

static const char *end_text(struct bytes text, struct ended *ended)
{
    while (text.size && blank((char)text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && blank((char)text.data[text.size - 1]))
        text.size--;
    ended->cut = text.size >= sizeof ended->text;
    size_t size = ended->cut ? 0 : text.size;
    memcpy(ended->text, text.data, size);
    ended->text[size] = 0;
    return ended->text;
}

static enum sqlstate raise_range(const char *type, const char *text, struct error *error)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "\"%s\" is out of range for type %s", text,
                     type);
}

/* C's own reader takes what PostgreSQL's takes: inf, infinity, nan, hexadecimal floats. */
enum sqlstate float8_parse(const char *type, struct bytes text, double *value, struct error *error)
{
    struct ended ended;
    const char *start = end_text(text, &ended);
    char *end;
    errno = 0;
    *value = strtod(start, &end);
    if (end == start || *end)
        return raise_bad_text(error, type, text);
    if (errno == ERANGE && (*value == 0 || isinf(*value)))
        return raise_range(type, start, error);
    return SQLSTATE_OK;
}

static enum sqlstate float8_in(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_float(0);
    return float8_parse("double precision", text, &value->f, error);
}

static enum sqlstate float4_in(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct ended ended;
    const char *start = end_text(text, &ended);
    char *end;
    errno = 0;
    float read = strtof(start, &end);
    *value = value_float(read);
    if (end == start || *end)
        return raise_bad_text(error, "real", text);
    if (errno == ERANGE && (read == 0 || isinf(read)))
        return raise_range("real", start, error);
    return SQLSTATE_OK;
}

static enum sqlstate float8_out(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, FLOAT_TEXT_BYTES);
    *text = bytes_of(room, float8_print(value->f, environment->extra_float_digits, room));
    return SQLSTATE_OK;
}

static enum sqlstate float4_out(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, FLOAT_TEXT_BYTES);
    *text = bytes_of(room, float4_print((float)value->f, environment->extra_float_digits, room));
    return SQLSTATE_OK;
}

/* ---- binary: the bits, as IEEE 754 draws them ---- */

static enum sqlstate float8_receive(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes binary,
                                    struct value *value, struct error *error)
{
    if (binary.size != 8)
        return raise_bad_binary(error, binary.size < 8);
    uint64_t bits = wire_read_u64(binary.data);
    *value = value_float(0);
    memcpy(&value->f, &bits, sizeof bits);
    return SQLSTATE_OK;
}

static enum sqlstate float8_send(struct environment *environment, struct scope *scope,
                                 const struct type *type, const struct value *value, struct bytes *binary,
                                 struct error *error)
{
    uint64_t bits;
    memcpy(&bits, &value->f, sizeof bits);
    uint8_t *room = scope_alloc(scope, 8);
    wire_write_u64(room, bits);
    *binary = bytes_of(room, 8);
    return SQLSTATE_OK;
}

static enum sqlstate float4_receive(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes binary,
                                    struct value *value, struct error *error)
{
    if (binary.size != 4)
        return raise_bad_binary(error, binary.size < 4);
    uint32_t bits = wire_read_u32(binary.data);
    float read;
    memcpy(&read, &bits, sizeof bits);
    *value = value_float(read);
    return SQLSTATE_OK;
}

static enum sqlstate float4_send(struct environment *environment, struct scope *scope,
                                 const struct type *type, const struct value *value, struct bytes *binary,
                                 struct error *error)
{
    float narrow = (float)value->f;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    uint8_t *room = scope_alloc(scope, 4);
    wire_write_u32(room, bits);
    *binary = bytes_of(room, 4);
    return SQLSTATE_OK;
}

const struct type_ops float4_ops = {float4_in, float4_out, float4_receive, float4_send};
const struct type_ops float8_ops = {float8_in, float8_out, float8_receive, float8_send};
