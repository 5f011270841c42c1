/* to_char() and to_number() of numbers; to_hex() is with the texts. */
#include "sqlfront/value/number/number.h"
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/number/picture.h"
#include "sqlfront/value/number/tables.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROMAN_LENGTH 15

/* A picture and what is to be painted into it. */
struct painting {
    struct picture picture;
    char *digits; /* without sign */
    char sign;
    int spaces;
};

static char *room(struct scope *scope, size_t size)
{
    return scope_alloc(scope, size < SCOPE_SMALL_BYTES ? size : SCOPE_SMALL_BYTES);
}

/* Numbers from 1 to 3999. */
static char *roman(struct scope *scope, int64_t number)
{
    static const char *const signs[] = {"M",  "CM", "D",  "CD", "C",  "XC", "L",
                                        "XL", "X",  "IX", "V",  "IV", "I"};
    static const int worth[] = {1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1};
    char *text = room(scope, 32);
    text[0] = 0;
    if (number < 1 || number > 3999) {
        memset(text, '#', ROMAN_LENGTH);
        text[ROMAN_LENGTH] = 0;
        return text;
    }
    for (size_t i = 0; i < sizeof worth / sizeof worth[0]; i++)
        for (; number >= worth[i]; number -= worth[i])
            strcat(text, signs[i]);
    return text;
}

/* " #.##": what has no digits. */
static char *crosses(struct scope *scope, const struct picture *picture, bool exponent)
{
    int size = picture->before + picture->behind + (exponent ? 6 : 1);
    char *text = room(scope, (size_t)size + 2);
    memset(text, '#', (size_t)size);
    text[size] = 0;
    if (exponent) {
        text[0] = ' ';
        text[picture->before + 1] = '.';
    } else
        text[picture->before] = '.';
    return text;
}

/* Takes the sign off, and compares the digits before the point with the picture's. */
static void measure(struct call *call, struct painting *painting, char *number)
{
    painting->sign = *number == '-' ? '-' : '+';
    painting->digits = number + (*number == '-');
    const char *point = strchr(painting->digits, '.');
    int before = (int)(point ? (size_t)(point - painting->digits) : strlen(painting->digits));
    if (before < painting->picture.before)
        painting->spaces = painting->picture.before - before;
    else if (before > painting->picture.before)
        painting->digits = crosses(call->scope, &painting->picture, false);
}

static enum sqlstate finish(struct call *call, struct painting *painting, struct value *result)
{
    const struct picture *picture = &painting->picture;
    size_t bytes = picture_room(picture, painting->digits), digits = strlen(painting->digits);
    bool number = digits && painting->digits[digits - 1] >= '0' && painting->digits[digits - 1] <= '9';
    for (uint32_t i = 0; i < picture->count && !number && !picture->exponent; i++)
        if ((picture->nodes[i].pattern == PICTURE_ORDINAL ||
             picture->nodes[i].pattern == PICTURE_ORDINAL_SMALL) &&
            !picture->roman && !picture->decimal && painting->digits[0] != '#' && painting->sign != '-')
            return error_set(call->error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "\"%s\" is not a number",
                             painting->digits);
    void *memory;
    enum sqlstate failed = scope_alloc_large(call->scope, bytes, 1, &memory, call->error);
    if (failed)
        return failed;
    *result = value_bytes(memory, picture_paint(&painting->picture, painting->digits, painting->spaces,
                                                painting->sign, memory));
    return SQLSTATE_OK;
}

/* True when there is nothing to paint: an empty format. */
static bool begin(struct call *call, const struct value *arguments, struct painting *painting,
                  struct value *result, enum sqlstate *failed)
{
    *painting = (struct painting){.sign = '+'};
    *failed = SQLSTATE_OK;
    if (arguments[1].size == 0) {
        *result = value_text("");
        return true;
    }
    *failed = picture_read(call->scope, value_view(&arguments[1]), &painting->picture, call->error);
    return *failed != SQLSTATE_OK;
}

/* ---- numeric, and through it integers with exponents ---- */

static char *text_of(struct scope *scope, struct bytes text)
{
    char *copy = room(scope, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return copy;
}

/* d.ddde+xx with `behind` digits; a blank for the sign that is not. */
static enum sqlstate scientific(struct call *call, const struct value *value, int behind, char **text)
{
    struct scope *scope = call->scope;
    struct number number = number_of(scope, value);
    int exponent = 0;
    if (number.count) {
        exponent = number.weight * 4;
        for (unsigned digit = number.digits[0]; digit >= 10; digit /= 10)
            exponent++;
        struct number one = number_of_integer(scope, 1), power = one;
        int shift = abs(exponent);
        power.weight = shift / 4;
        power.digits[0] = (uint16_t[]){1, 10, 100, 1000}[shift % 4];
        if (exponent >= 0)
            number = number_divide(scope, &number, &power, behind, true);
        else {
            number = number_multiply(scope, &number, &power, NUMERIC_SCALE_MAX);
            number = number_round(scope, &number, behind);
        }
    } else
        number = number_round(scope, &number, behind);
    struct value shown;
    struct bytes printed;
    if (number_pack(scope, &number, &shown, call->error) ||
        numeric_print(scope, &shown, &printed, call->error))
        return call->error->state;
    *text = room(scope, printed.size + 16);
    snprintf(*text, printed.size + 16, "%s%.*se%c%02d", printed.data[0] == '-' ? "" : " ", (int)printed.size,
             (const char *)printed.data, exponent < 0 ? '-' : '+', abs(exponent));
    return SQLSTATE_OK;
}

static enum sqlstate power_of_ten(struct call *call, int digits, struct value *power)
{
    const struct value ten = value_small_numeric(10, 0);
    *power = value_small_numeric(1, 0);
    for (int i = 0; i < digits; i++)
        if (numeric_multiply(call->scope, power, &ten, power, call->error))
            return call->error->state;
    return SQLSTATE_OK;
}

static enum sqlstate shift_numeric(struct call *call, const struct value *value, int digits,
                                   struct value *shifted)
{
    struct value power;
    enum sqlstate failed = power_of_ten(call, digits, &power);
    return failed ? failed : numeric_multiply(call->scope, value, &power, shifted, call->error);
}

static enum sqlstate numeric_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    struct painting painting;
    struct picture *picture = &painting.picture;
    struct value value = arguments[0];
    struct bytes text;
    enum sqlstate failed;
    if (begin(call, arguments, &painting, result, &failed))
        return failed;
    if (picture->roman) {
        int64_t number;
        if (numeric_is_special(&value))
            return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot convert %s to integer",
                             numeric_sign_of(&value) == NUMERIC_NAN ? "NaN" : "infinity");
        if (!numeric_to_integer(&value, &number) || number != (int32_t)number)
            return raise_out_of_range(call->error, "integer");
        painting.digits = roman(call->scope, number);
    } else if (picture->exponent) {
        if (numeric_is_special(&value))
            painting.digits = crosses(call->scope, picture, true);
        else if ((failed = scientific(call, &value, picture->behind, &painting.digits)))
            return failed;
    } else {
        if (picture->shifted) {
            if ((failed = shift_numeric(call, &value, picture->multiplier, &value)))
                return failed;
            picture->before += picture->multiplier;
        }
        if ((failed = numeric_round_to(call->scope, &value, picture->behind, false, &value, call->error)) ||
            (failed = numeric_print(call->scope, &value, &text, call->error)))
            return failed;
        measure(call, &painting, text_of(call->scope, text));
    }
    return finish(call, &painting, result);
}

/* ---- integers ---- */

static enum sqlstate integer_to_char(struct call *call, const struct value *arguments, int width,
                                     struct value *result)
{
    struct painting painting;
    struct picture *picture = &painting.picture;
    int64_t number = arguments[0].i;
    enum sqlstate failed;
    if (begin(call, arguments, &painting, result, &failed))
        return failed;
    if (picture->roman) {
        if (number != (int32_t)number)
            return raise_out_of_range(call->error, "integer");
        painting.digits = roman(call->scope, number);
    } else if (picture->exponent) {
        struct value value;
        numeric_of_wide(call->scope, number, 0, &value);
        if ((failed = scientific(call, &value, picture->behind, &painting.digits)))
            return failed;
    } else {
        if (picture->shifted) {
            for (int i = 0; i < picture->multiplier; i++)
                if (__builtin_mul_overflow(number, 10, &number) || (width == 4 && number != (int32_t)number))
                    return raise_out_of_range(call->error, width == 4 ? "integer" : "bigint");
            picture->before += picture->multiplier;
        }
        char *text = room(call->scope, INTEGER_TEXT_BYTES + (size_t)picture->behind + 2);
        size_t size = integer_print(number, text);
        if (picture->behind) {
            text[size++] = '.';
            memset(text + size, '0', (size_t)picture->behind);
            text[size + (size_t)picture->behind] = 0;
        }
        measure(call, &painting, text);
    }
    return finish(call, &painting, result);
}

static enum sqlstate int4_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    return integer_to_char(call, arguments, 4, result);
}

static enum sqlstate int8_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    return integer_to_char(call, arguments, 8, result);
}

/* ---- floats: no more digits than they have ---- */

static enum sqlstate float_to_char(struct call *call, const struct value *arguments, int digits,
                                   struct value *result)
{
    struct painting painting;
    struct picture *picture = &painting.picture;
    double f = arguments[0].f;
    enum sqlstate failed;
    if (begin(call, arguments, &painting, result, &failed))
        return failed;
    if (picture->roman) {
        double whole = rint(f);
        painting.digits = roman(call->scope, whole >= 1 && whole <= 3999 ? (int64_t)whole : 0);
    } else if (picture->exponent) {
        if (!isfinite(f))
            painting.digits = crosses(call->scope, picture, true);
        else {
            size_t size = 32 + (size_t)picture->behind;
            painting.digits = room(call->scope, size);
            snprintf(painting.digits, size, "%+.*e", picture->behind, f);
            if (painting.digits[0] == '+')
                painting.digits[0] = ' ';
        }
    } else {
        if (picture->shifted) {
            f *= pow(10, picture->multiplier);
            picture->before += picture->multiplier;
        }
        char *text = room(call->scope, 512);
        int before = isnan(f)   ? (int)strlen("NaN")
                     : isinf(f) ? (int)strlen("Infinity")
                                : snprintf(text, 512, "%.0f", fabs(f));
        if (before >= digits)
            picture->behind = 0;
        else if (before + picture->behind > digits)
            picture->behind = digits - before;
        if (isnan(f))
            strcpy(text, "NaN");
        else if (isinf(f))
            strcpy(text, f < 0 ? "-Infinity" : "Infinity");
        else
            snprintf(text, 512, "%.*f", picture->behind, f);
        measure(call, &painting, text);
    }
    return finish(call, &painting, result);
}

static enum sqlstate float4_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    return float_to_char(call, arguments, FLT_DIG, result);
}

static enum sqlstate float8_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    return float_to_char(call, arguments, DBL_DIG, result);
}

/* ---- to_number ---- */

static enum sqlstate to_number(struct call *call, const struct value *arguments, struct value *result)
{
    struct picture picture;
    *result = value_null();
    if (arguments[1].size == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = picture_read(call->scope, value_view(&arguments[1]), &picture, call->error);
    if (failed)
        return failed;
    if (picture.exponent)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input");
    if (picture.roman)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "\"RN\" not supported for input");
    char *number = room(call->scope, arguments[0].size + 8UL);
    if (arguments[0].size + 8UL > SCOPE_SMALL_BYTES)
        return raise_bad_text(call->error, "numeric", value_view(&arguments[0]));
    picture_take(&picture, value_view(&arguments[0]), number);
    int precision = picture.before + picture.multiplier + picture.behind;
    int32_t modifier = (precision << 16 | (picture.behind & 0x7ff)) + 4;
    failed = numeric_parse(call->scope, bytes_of_text(number), result, call->error);
    if (!failed && precision)
        failed = numeric_apply_modifier(call->scope, modifier, result, call->error);
    if (failed || !picture.shifted)
        return failed;
    struct value power;
    if ((failed = power_of_ten(call, picture.multiplier, &power)))
        return failed;
    struct number one = number_of_integer(call->scope, 1), divisor = number_of(call->scope, &power);
    struct number inverse =
        number_divide(call->scope, &one, &divisor, picture.multiplier > 16 ? picture.multiplier : 16, true);
    struct value factor;
    if ((failed = number_pack(call->scope, &inverse, &factor, call->error)))
        return failed;
    return numeric_multiply(call->scope, result, &factor, result, call->error);
}

static const struct function functions[] = {
    {"numeric_to_char", numeric_to_char},
    {"int4_to_char", int4_to_char},
    {"int8_to_char", int8_to_char},
    {"float4_to_char", float4_to_char},
    {"float8_to_char", float8_to_char},
    {"numeric_to_number", to_number},
    {0},
};

const struct library format_library = {.functions = functions};
