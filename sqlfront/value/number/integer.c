/* Arithmetic of integers, checked for overflow; bits; greatest common divisors.
 *
 * Operands of any width are 64-bit integers here; only the result has a width to be held to. */
#include "sqlfront/value/number/number.h"
#include "sqlfront/value/number/tables.h"

static enum sqlstate raise_width(struct error *error, int width)
{
    return raise_out_of_range(error, width == 2 ? "smallint" : width == 4 ? "integer" : "bigint");
}

/* Whether a result of the given width holds the number. */
static inline bool fits(int64_t number, int width)
{
    return width == 8 || (width == 4 ? number == (int32_t)number : number == (int16_t)number);
}

/* ---- plus, minus, times ---- */

/* Narrower operands cannot overflow 64 bits; the builtin is for width 8 then. */
/* clang-format off */
#define ARITHMETIC(function, kernel, overflows, width)                                                                 \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result)             \
    {                                                                                                                  \
        *result = value_integer(0);                                                                                    \
        if (overflows(arguments[0].i, arguments[1].i, &result->i) || !fits(result->i, width))                         \
            return raise_width(call->error, width);                                                                    \
        return SQLSTATE_OK;                                                                                            \
    }                                                                                                                  \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        const struct value *a = arguments[0], *b = arguments[1];                                                       \
        for (uint32_t at = 0; at < count; at++) {                                                                      \
            uint32_t row = selection ? selection[at] : at;                                                             \
            int64_t i = 0;                                                                                             \
            bool null = a[row].null | b[row].null;                                                                     \
            if (!null && (overflows(a[row].i, b[row].i, &i) || !fits(i, width)))                                      \
                return raise_width(call->error, width);                                                                \
            result[row] = (struct value){.i = i, .null = null};                                                       \
        }                                                                                                              \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */
ARITHMETIC(plus2, plus2_rows, __builtin_add_overflow, 2)
ARITHMETIC(plus4, plus4_rows, __builtin_add_overflow, 4)
ARITHMETIC(plus8, plus8_rows, __builtin_add_overflow, 8)
ARITHMETIC(minus2, minus2_rows, __builtin_sub_overflow, 2)
ARITHMETIC(minus4, minus4_rows, __builtin_sub_overflow, 4)
ARITHMETIC(minus8, minus8_rows, __builtin_sub_overflow, 8)
ARITHMETIC(times2, times2_rows, __builtin_mul_overflow, 2)
ARITHMETIC(times4, times4_rows, __builtin_mul_overflow, 4)
ARITHMETIC(times8, times8_rows, __builtin_mul_overflow, 8)

/* ---- division ---- */

static enum sqlstate divide(struct call *call, const struct value *arguments, struct value *result, int width)
{
    int64_t dividend = arguments[0].i, divisor = arguments[1].i;
    if (divisor == 0)
        return raise_division_by_zero(call->error);
    if (divisor == -1) { /* the smallest number has no counterpart */
        if (dividend == INT64_MIN || !fits(-dividend, width))
            return raise_width(call->error, width);
        *result = value_integer(-dividend);
        return SQLSTATE_OK;
    }
    *result = value_integer(dividend / divisor);
    return SQLSTATE_OK;
}

static enum sqlstate divide2(struct call *call, const struct value *arguments, struct value *result)
{
    return divide(call, arguments, result, 2);
}

static enum sqlstate divide4(struct call *call, const struct value *arguments, struct value *result)
{
    return divide(call, arguments, result, 4);
}

static enum sqlstate divide8(struct call *call, const struct value *arguments, struct value *result)
{
    return divide(call, arguments, result, 8);
}

static enum sqlstate modulo(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[1].i == 0)
        return raise_division_by_zero(call->error);
    *result = value_integer(arguments[1].i == -1 ? 0 : arguments[0].i % arguments[1].i);
    return SQLSTATE_OK;
}

/* clang-format off */
#define DIVISION_ROWS(kernel, function)                                                                                \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        for (uint32_t at = 0; at < count; at++) {                                                                      \
            uint32_t row = selection ? selection[at] : at;                                                             \
            const struct value pair[2] = {arguments[0][row], arguments[1][row]};                                       \
            result[row] = value_null();                                                                                \
            if (!pair[0].null && !pair[1].null && function(call, pair, &result[row]))                                  \
                return call->error->state;                                                                             \
        }                                                                                                              \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */
DIVISION_ROWS(divide4_rows, divide4)
DIVISION_ROWS(divide8_rows, divide8)
DIVISION_ROWS(modulo_rows, modulo)

/* ---- one operand ---- */

static enum sqlstate negate(struct call *call, const struct value *arguments, struct value *result, int width)
{
    if (arguments[0].i == INT64_MIN || !fits(-arguments[0].i, width))
        return raise_width(call->error, width);
    *result = value_integer(-arguments[0].i);
    return SQLSTATE_OK;
}

static enum sqlstate negate2(struct call *call, const struct value *arguments, struct value *result)
{
    return negate(call, arguments, result, 2);
}

static enum sqlstate negate4(struct call *call, const struct value *arguments, struct value *result)
{
    return negate(call, arguments, result, 4);
}

static enum sqlstate negate8(struct call *call, const struct value *arguments, struct value *result)
{
    return negate(call, arguments, result, 8);
}

static enum sqlstate same(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0];
    return SQLSTATE_OK;
}

static enum sqlstate absolute2(struct call *call, const struct value *arguments, struct value *result)
{
    return arguments[0].i < 0 ? negate2(call, arguments, result) : same(call, arguments, result);
}

static enum sqlstate absolute4(struct call *call, const struct value *arguments, struct value *result)
{
    return arguments[0].i < 0 ? negate4(call, arguments, result) : same(call, arguments, result);
}

static enum sqlstate absolute8(struct call *call, const struct value *arguments, struct value *result)
{
    return arguments[0].i < 0 ? negate8(call, arguments, result) : same(call, arguments, result);
}

static enum sqlstate increment4(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value pair[2] = {arguments[0], value_integer(1)};
    return plus4(call, pair, result);
}

static enum sqlstate increment8(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value pair[2] = {arguments[0], value_integer(1)};
    return plus8(call, pair, result);
}

static enum sqlstate decrement8(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value pair[2] = {arguments[0], value_integer(1)};
    return minus8(call, pair, result);
}

/* ---- bits ---- */

static enum sqlstate bits_and(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].i & arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate bits_or(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].i | arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate bits_xor(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].i ^ arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate bits_not(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(~arguments[0].i);
    return SQLSTATE_OK;
}

/* Shifts are the machine's on x86: by the distance modulo 32 or 64, whatever it is. smallint is shifted as an integer
 * and cut. */
static enum sqlstate left2(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int16_t)((uint32_t)arguments[0].i << (arguments[1].i & 31)));
    return SQLSTATE_OK;
}

static enum sqlstate left4(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int32_t)((uint32_t)arguments[0].i << (arguments[1].i & 31)));
    return SQLSTATE_OK;
}

static enum sqlstate left8(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int64_t)((uint64_t)arguments[0].i << (arguments[1].i & 63)));
    return SQLSTATE_OK;
}

static enum sqlstate right4(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].i >> (arguments[1].i & 31));
    return SQLSTATE_OK;
}

static enum sqlstate right8(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].i >> (arguments[1].i & 63));
    return SQLSTATE_OK;
}

/* ---- divisors and multiples ---- */

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

/* Euclid. */
static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static enum sqlstate divisor(struct call *call, const struct value *arguments, struct value *result,
                             int width)
{
    uint64_t found = common_divisor(magnitude(arguments[0].i), magnitude(arguments[1].i));
    if (found > INT64_MAX || !fits((int64_t)found, width))
        return raise_width(call->error, width);
    *result = value_integer((int64_t)found);
    return SQLSTATE_OK;
}

static enum sqlstate multiple(struct call *call, const struct value *arguments, struct value *result,
                              int width)
{
    uint64_t a = magnitude(arguments[0].i), b = magnitude(arguments[1].i), found = 0;
    if (a && b && __builtin_mul_overflow(a / common_divisor(a, b), b, &found))
        return raise_width(call->error, width);
    if (found > INT64_MAX || !fits((int64_t)found, width))
        return raise_width(call->error, width);
    *result = value_integer((int64_t)found);
    return SQLSTATE_OK;
}

static enum sqlstate divisor4(struct call *call, const struct value *arguments, struct value *result)
{
    return divisor(call, arguments, result, 4);
}

static enum sqlstate divisor8(struct call *call, const struct value *arguments, struct value *result)
{
    return divisor(call, arguments, result, 8);
}

static enum sqlstate multiple4(struct call *call, const struct value *arguments, struct value *result)
{
    return multiple(call, arguments, result, 4);
}

static enum sqlstate multiple8(struct call *call, const struct value *arguments, struct value *result)
{
    return multiple(call, arguments, result, 8);
}

/* ---- for window frames (RANGE): is value within base +- offset? ---- */

static enum sqlstate in_range(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t value = arguments[0].i, base = arguments[1].i, offset = arguments[2].i, border;
    bool backward = arguments[3].i, less = arguments[4].i;
    if (offset < 0)
        return error_set(call->error, SQLSTATE_INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                         "invalid preceding or following size in window function");
    if (backward)
        offset = -offset;
    if (__builtin_add_overflow(base, offset, &border)) /* the border lies beyond every value */
        *result = value_boolean(backward ? !less : less);
    else
        *result = value_boolean(less ? value <= border : value >= border);
    return SQLSTATE_OK;
}

/* ---- boolean ---- */

static enum sqlstate text_of_boolean(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_text(arguments[0].i ? "true" : "false");
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"int2pl", plus2},
    {"int4pl", plus4},
    {"int8pl", plus8},
    {"int24pl", plus4},
    {"int42pl", plus4},
    {"int28pl", plus8},
    {"int82pl", plus8},
    {"int48pl", plus8},
    {"int84pl", plus8},
    {"int2mi", minus2},
    {"int4mi", minus4},
    {"int8mi", minus8},
    {"int24mi", minus4},
    {"int42mi", minus4},
    {"int28mi", minus8},
    {"int82mi", minus8},
    {"int48mi", minus8},
    {"int84mi", minus8},
    {"int2mul", times2},
    {"int4mul", times4},
    {"int8mul", times8},
    {"int24mul", times4},
    {"int42mul", times4},
    {"int28mul", times8},
    {"int82mul", times8},
    {"int48mul", times8},
    {"int84mul", times8},
    {"int2div", divide2},
    {"int4div", divide4},
    {"int8div", divide8},
    {"int24div", divide4},
    {"int42div", divide4},
    {"int28div", divide8},
    {"int82div", divide8},
    {"int48div", divide8},
    {"int84div", divide8},
    {"int2mod", modulo},
    {"int4mod", modulo},
    {"int8mod", modulo},
    {"int2um", negate2},
    {"int4um", negate4},
    {"int8um", negate8},
    {"int2up", same},
    {"int4up", same},
    {"int8up", same},
    {"int2abs", absolute2},
    {"int4abs", absolute4},
    {"int8abs", absolute8},
    {"int4inc", increment4},
    {"int8inc", increment8},
    {"int8inc_any", increment8},
    {"int8dec", decrement8},
    {"int8dec_any", decrement8},
    {"int2and", bits_and},
    {"int4and", bits_and},
    {"int8and", bits_and},
    {"int2or", bits_or},
    {"int4or", bits_or},
    {"int8or", bits_or},
    {"int2xor", bits_xor},
    {"int4xor", bits_xor},
    {"int8xor", bits_xor},
    {"int2not", bits_not},
    {"int4not", bits_not},
    {"int8not", bits_not},
    {"int2shl", left2},
    {"int4shl", left4},
    {"int8shl", left8},
    {"int2shr", right4},
    {"int4shr", right4},
    {"int8shr", right8},
    {"int4gcd", divisor4},
    {"int8gcd", divisor8},
    {"int4lcm", multiple4},
    {"int8lcm", multiple8},
    {"in_range_int2_int2", in_range},
    {"in_range_int2_int4", in_range},
    {"in_range_int2_int8", in_range},
    {"in_range_int4_int2", in_range},
    {"in_range_int4_int4", in_range},
    {"in_range_int4_int8", in_range},
    {"in_range_int8_int8", in_range},
    {"booland_statefunc", bits_and},
    {"boolor_statefunc", bits_or},
    {"booltext", text_of_boolean},
    {0},
};

static const struct kernel kernels[] = {
    {"int2pl", plus2_rows},     {"int4pl", plus4_rows},
    {"int8pl", plus8_rows},     {"int24pl", plus4_rows},
    {"int42pl", plus4_rows},    {"int28pl", plus8_rows},
    {"int82pl", plus8_rows},    {"int48pl", plus8_rows},
    {"int84pl", plus8_rows},    {"int2mi", minus2_rows},
    {"int4mi", minus4_rows},    {"int8mi", minus8_rows},
    {"int24mi", minus4_rows},   {"int42mi", minus4_rows},
    {"int28mi", minus8_rows},   {"int82mi", minus8_rows},
    {"int48mi", minus8_rows},   {"int84mi", minus8_rows},
    {"int2mul", times2_rows},   {"int4mul", times4_rows},
    {"int8mul", times8_rows},   {"int24mul", times4_rows},
    {"int42mul", times4_rows},  {"int28mul", times8_rows},
    {"int82mul", times8_rows},  {"int48mul", times8_rows},
    {"int84mul", times8_rows},  {"int4div", divide4_rows},
    {"int8div", divide8_rows},  {"int48div", divide8_rows},
    {"int84div", divide8_rows}, {"int4mod", modulo_rows},
    {"int8mod", modulo_rows},   {0},
};

const struct library integer_library = {.functions = functions, .kernels = kernels};
