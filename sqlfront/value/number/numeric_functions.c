/* SQL's functions of numerics but powers and logarithms: operators, comparisons, casts, rounding, divisors. */
#include "sqlfront/value/number/numeric.h"

#include "sqlfront/value/number/tables.h"
#include "sqlfront/value/pace.h"

#include <math.h>

/* ---- operators ---- */

static enum sqlstate add(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_add(call->scope, &arguments[0], &arguments[1], result, call->error);
}

static enum sqlstate subtract(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_subtract(call->scope, &arguments[0], &arguments[1], result, call->error);
}

static enum sqlstate multiply(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_multiply(call->scope, &arguments[0], &arguments[1], result, call->error);
}

static enum sqlstate divide(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_divide(call->scope, &arguments[0], &arguments[1], result, call->error);
}

static bool is_nan(const struct value *value)
{
    return numeric_sign_of(value) == NUMERIC_NAN;
}

static bool is_zero(const struct value *value)
{
    return value->small ? value->i == 0 : value->p[0] < NUMERIC_NAN && value->size == NUMERIC_HEAD_BYTES;
}

static bool is_negative(const struct value *value)
{
    enum numeric_sign sign = numeric_sign_of(value);
    return sign == NUMERIC_NEGATIVE || sign == NUMERIC_MINUS_INFINITY;
}

static bool is_infinite(const struct value *value)
{
    return numeric_sign_of(value) >= NUMERIC_INFINITY;
}

static enum sqlstate give(struct value given, struct value *result)
{
    *result = given;
    return SQLSTATE_OK;
}

/* The quotient without its fraction. */
static enum sqlstate divide_whole(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0], *b = &arguments[1];
    if (numeric_is_special(a) || numeric_is_special(b))
        return divide(call, arguments, result);
    if (is_zero(b))
        return raise_division_by_zero(call->error);
    if (a->small && b->small && a->scale == b->scale)
        return give(value_small_numeric(a->i / b->i, 0), result);
    struct number number_a = number_of(call->scope, a), number_b = number_of(call->scope, b);
    struct number quotient = number_divide(call->scope, &number_a, &number_b, 0, false);
    return number_pack(call->scope, &quotient, result, call->error);
}

static enum sqlstate modulo(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0], *b = &arguments[1];
    if (numeric_is_special(a) || numeric_is_special(b)) {
        if (is_nan(a) || is_nan(b))
            return give(numeric_special(NUMERIC_NAN), result);
        if (is_infinite(a)) {
            if (is_zero(b))
                return raise_division_by_zero(call->error);
            return give(numeric_special(NUMERIC_NAN), result);
        }
        return give(*a, result); /* something modulo infinity */
    }
    if (is_zero(b))
        return raise_division_by_zero(call->error);
    if (a->small && b->small && a->scale == b->scale)
        return give(value_small_numeric(a->i % b->i, a->scale), result);
    struct number number_a = number_of(call->scope, a), number_b = number_of(call->scope, b);
    struct number rest = number_modulo(call->scope, &number_a, &number_b);
    return number_pack(call->scope, &rest, result, call->error);
}

static enum sqlstate negate(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0];
    if (a->small)
        return give(value_small_numeric(-a->i, a->scale), result);
    if (is_nan(a))
        return give(*a, result);
    if (is_infinite(a))
        return give(numeric_special(is_negative(a) ? NUMERIC_INFINITY : NUMERIC_MINUS_INFINITY), result);
    struct number number = number_of(call->scope, a);
    number.sign = number.sign == NUMERIC_POSITIVE ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
    return number_pack(call->scope, &number, result, call->error);
}

static enum sqlstate same(struct call *call, const struct value *arguments, struct value *result)
{
    return give(arguments[0], result);
}

static enum sqlstate absolute(struct call *call, const struct value *arguments, struct value *result)
{
    return is_negative(&arguments[0]) ? negate(call, arguments, result) : same(call, arguments, result);
}

static enum sqlstate increment(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value one = value_small_numeric(1, 0);
    return numeric_add(call->scope, &arguments[0], &one, result, call->error);
}

static enum sqlstate sign(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0];
    if (is_nan(a))
        return give(*a, result);
    return give(value_small_numeric(is_zero(a) ? 0 : is_negative(a) ? -1 : 1, 0), result);
}

/* ---- comparisons ---- */

/* clang-format off */
#define COMPARISON(function, kernel, operator)                                                                         \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result)             \
    {                                                                                                                  \
        return give(value_boolean(numeric_compare(&arguments[0], &arguments[1]) operator 0), result);                 \
    }                                                                                                                  \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        const struct value *a = arguments[0], *b = arguments[1];                                                       \
        for (uint32_t at = 0; at < count; at++) {                                                                      \
            uint32_t row = selection ? selection[at] : at;                                                             \
            if (a[row].null | b[row].null)                                                                             \
                result[row] = value_null();                                                                            \
            else if (a[row].small && b[row].small && a[row].scale == b[row].scale)                                    \
                result[row] = value_boolean(a[row].i operator b[row].i);                                              \
            else                                                                                                       \
                result[row] = value_boolean(numeric_compare(&a[row], &b[row]) operator 0);                            \
        }                                                                                                              \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */
COMPARISON(equal, equal_rows, ==)
COMPARISON(unequal, unequal_rows, !=)
COMPARISON(less, less_rows, <)
COMPARISON(less_equal, less_equal_rows, <=)
COMPARISON(greater, greater_rows, >)
COMPARISON(greater_equal, greater_equal_rows, >=)

static enum sqlstate order(struct call *call, const struct value *arguments, struct value *result)
{
    return give(value_integer(numeric_compare(&arguments[0], &arguments[1])), result);
}

static enum sqlstate larger(struct call *call, const struct value *arguments, struct value *result)
{
    return give(numeric_compare(&arguments[0], &arguments[1]) > 0 ? arguments[0] : arguments[1], result);
}

static enum sqlstate smaller(struct call *call, const struct value *arguments, struct value *result)
{
    return give(numeric_compare(&arguments[0], &arguments[1]) < 0 ? arguments[0] : arguments[1], result);
}

/* ---- kernels of the operators ---- */

/* clang-format off */
#define OPERATION_ROWS(kernel, operation)                                                                              \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        const struct value *a = arguments[0], *b = arguments[1];                                                       \
        for (uint32_t at = 0; at < count; at++) {                                                                      \
            uint32_t row = selection ? selection[at] : at;                                                             \
            if (a[row].null | b[row].null)                                                                             \
                result[row] = value_null();                                                                            \
            else if (operation(call->scope, &a[row], &b[row], &result[row], call->error))                             \
                return call->error->state;                                                                             \
        }                                                                                                              \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */

OPERATION_ROWS(divide_rows, numeric_divide)

/* Columns of numerics nearly always hold short ones of one scale, and what comes out fits as well. How a value is told from others
 * lies in its second eight bytes, so a row takes two comparisons and integers; whatever is not so is the operation's affair. */
enum exact { EXACT_SUM, EXACT_DIFFERENCE, EXACT_PRODUCT };

static inline uint64_t form_of(const struct value *value)
{
    uint64_t form;
    static_assert(offsetof(struct value, size) == 8);
    memcpy(&form, (const uint8_t *)value + 8, 8);
    return form;
}

static inline uint64_t form_of_scale(int scale)
{
    const struct value value = value_small_numeric(0, scale);
    return form_of(&value);
}

static inline enum sqlstate compute(enum exact operation, struct call *call, const struct value *a,
                                    const struct value *b, struct value *result)
{
    if (a->null | b->null) {
        *result = value_null();
        return SQLSTATE_OK;
    }
    switch (operation) {
    case EXACT_SUM:
        return numeric_add(call->scope, a, b, result, call->error);
    case EXACT_DIFFERENCE:
        return numeric_subtract(call->scope, a, b, result, call->error);
    default:
        return numeric_multiply(call->scope, a, b, result, call->error);
    }
}

/* `raise_a` and `raise_b` bring both to the result's scale; false when it does not fit. The least integer is none of a short
 * numeric's. */
static inline bool compute_short(enum exact operation, int64_t a, int64_t raise_a, int64_t b, int64_t raise_b,
                                 int64_t *result)
{
    if (operation == EXACT_PRODUCT)
        return !__builtin_mul_overflow(a, b, result) && *result != INT64_MIN;
    if (__builtin_mul_overflow(a, raise_a, &a) || __builtin_mul_overflow(b, raise_b, &b))
        return false;
    bool over =
        operation == EXACT_SUM ? __builtin_add_overflow(a, b, result) : __builtin_sub_overflow(a, b, result);
    return !over && *result != INT64_MIN;
}

static inline enum sqlstate compute_rows(enum exact operation, struct call *call,
                                         const struct value *const *arguments, const uint16_t *selection,
                                         uint32_t count, struct value *result)
{
    const struct value *a = arguments[0], *b = arguments[1];
    uint32_t first = selection ? selection[0] : 0;
    int scale_a = a[first].scale, scale_b = b[first].scale;
    int larger = scale_a > scale_b ? scale_a : scale_b;
    int scale = operation == EXACT_PRODUCT ? scale_a + scale_b : larger;
    bool fast = !a[first].null && !b[first].null && a[first].small && b[first].small &&
                scale <= NUMERIC_SMALL_SCALE_MAX;
    int64_t raise_a = fast ? numeric_powers[larger - scale_a] : 0;
    int64_t raise_b = fast ? numeric_powers[larger - scale_b] : 0;
    uint64_t form_a = form_of_scale(scale_a), form_b = form_of_scale(scale_b);
    for (uint32_t at = 0; at < count; at++) {
        uint32_t row = selection ? selection[at] : at;
        int64_t computed;
        if (__builtin_expect(fast && form_of(&a[row]) == form_a && form_of(&b[row]) == form_b &&
                                 compute_short(operation, a[row].i, raise_a, b[row].i, raise_b, &computed),
                             1)) {
            result[row] = value_small_numeric(computed, scale);
            continue;
        }
        enum sqlstate failed = compute(operation, call, &a[row], &b[row], &result[row]);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate add_rows(struct call *call, const struct value *const *arguments,
                              const uint16_t *selection, uint32_t count, struct value *result)
{
    return compute_rows(EXACT_SUM, call, arguments, selection, count, result);
}

static enum sqlstate subtract_rows(struct call *call, const struct value *const *arguments,
                                   const uint16_t *selection, uint32_t count, struct value *result)
{
    return compute_rows(EXACT_DIFFERENCE, call, arguments, selection, count, result);
}

static enum sqlstate multiply_rows(struct call *call, const struct value *const *arguments,
                                   const uint16_t *selection, uint32_t count, struct value *result)
{
    return compute_rows(EXACT_PRODUCT, call, arguments, selection, count, result);
}

/* ---- rounding and scales ---- */

/* Beyond these nothing changes any more. */
static int bounded_scale(int64_t scale)
{
    const int least = -(NUMERIC_WEIGHT_MAX + 1) * 4 - 1;
    return (int)(scale > NUMERIC_SCALE_MAX ? NUMERIC_SCALE_MAX : scale < least ? least : scale);
}

static enum sqlstate round_scale(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_round_to(call->scope, &arguments[0], bounded_scale(arguments[1].i), false, result,
                            call->error);
}

static enum sqlstate truncate_scale(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_round_to(call->scope, &arguments[0], bounded_scale(arguments[1].i), true, result,
                            call->error);
}

static enum sqlstate ceiling(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]))
        return give(arguments[0], result);
    struct number number = number_of(call->scope, &arguments[0]);
    number = number_ceiling(call->scope, &number);
    return number_pack(call->scope, &number, result, call->error);
}

static enum sqlstate floor_whole(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]))
        return give(arguments[0], result);
    struct number number = number_of(call->scope, &arguments[0]);
    number = number_floor(call->scope, &number);
    return number_pack(call->scope, &number, result, call->error);
}

static enum sqlstate scale_of(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]))
        return give(value_null(), result);
    return give(value_integer(number_of(call->scope, &arguments[0]).scale), result);
}

static enum sqlstate scale_needed(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]))
        return give(value_null(), result);
    struct number number = number_of(call->scope, &arguments[0]);
    return give(value_integer(number_scale_needed(&number)), result);
}

static enum sqlstate trim_scale(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]))
        return give(arguments[0], result);
    struct number number = number_of(call->scope, &arguments[0]);
    number.scale = number_scale_needed(&number);
    return number_pack(call->scope, &number, result, call->error);
}

static enum sqlstate apply_modifier(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0];
    return numeric_apply_modifier(call->scope, (int32_t)arguments[1].i, result, call->error);
}

/* ---- casts ---- */

static enum sqlstate of_integer(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].i == INT64_MIN)
        numeric_of_wide(call->scope, arguments[0].i, 0, result);
    else
        *result = value_small_numeric(arguments[0].i, 0);
    return SQLSTATE_OK;
}

static enum sqlstate of_float8(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_of_float(call->scope, arguments[0].f, 15, result, call->error);
}

static enum sqlstate of_float4(struct call *call, const struct value *arguments, struct value *result)
{
    return numeric_of_float(call->scope, arguments[0].f, 6, result, call->error);
}

static enum sqlstate to_integer(struct call *call, const struct value *value, int64_t least, int64_t most,
                                const char *type, struct value *result)
{
    if (numeric_is_special(value))
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot convert %s to %s",
                         is_nan(value) ? "NaN" : "infinity", type);
    int64_t integer;
    if (!numeric_to_integer(value, &integer) || integer < least || integer > most)
        return raise_out_of_range(call->error, type);
    return give(value_integer(integer), result);
}

static enum sqlstate to_int2(struct call *call, const struct value *arguments, struct value *result)
{
    return to_integer(call, &arguments[0], INT16_MIN, INT16_MAX, "smallint", result);
}

static enum sqlstate to_int4(struct call *call, const struct value *arguments, struct value *result)
{
    return to_integer(call, &arguments[0], INT32_MIN, INT32_MAX, "integer", result);
}

static enum sqlstate to_int8(struct call *call, const struct value *arguments, struct value *result)
{
    return to_integer(call, &arguments[0], INT64_MIN, INT64_MAX, "bigint", result);
}

static enum sqlstate raise_float(struct call *call, const struct value *value, const char *type)
{
    struct bytes text;
    if (numeric_print(call->scope, value, &text, call->error))
        return call->error->state;
    return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "\"%.*s\" is out of range for type %s",
                     (int)text.size, (const char *)text.data, type);
}

static enum sqlstate to_float8(struct call *call, const struct value *arguments, struct value *result)
{
    double f = numeric_to_float(call->scope, &arguments[0]);
    if ((isinf(f) || (f == 0 && !is_zero(&arguments[0]))) && !numeric_is_special(&arguments[0]))
        return raise_float(call, &arguments[0], "double precision");
    return give(value_float(f), result);
}

static enum sqlstate to_float4(struct call *call, const struct value *arguments, struct value *result)
{
    float f = (float)numeric_to_float(call->scope, &arguments[0]);
    if ((isinf(f) || (f == 0 && !is_zero(&arguments[0]))) && !numeric_is_special(&arguments[0]))
        return raise_float(call, &arguments[0], "real");
    return give(value_float(f), result);
}

/* ---- divisors ---- */

static struct number common_divisor(struct scope *scope, struct number a, struct number b)
{
    int scale = a.scale > b.scale ? a.scale : b.scale;
    while (b.count) { /* Euclid */
        struct number rest = number_modulo(scope, &a, &b);
        a = b;
        b = rest;
    }
    a.sign = NUMERIC_POSITIVE;
    a.scale = scale;
    return a;
}

static enum sqlstate divisor(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]) || numeric_is_special(&arguments[1]))
        return give(numeric_special(NUMERIC_NAN), result);
    struct number found = common_divisor(call->scope, number_of(call->scope, &arguments[0]),
                                         number_of(call->scope, &arguments[1]));
    return number_pack(call->scope, &found, result, call->error);
}

static enum sqlstate multiple(struct call *call, const struct value *arguments, struct value *result)
{
    if (numeric_is_special(&arguments[0]) || numeric_is_special(&arguments[1]))
        return give(numeric_special(NUMERIC_NAN), result);
    struct number a = number_of(call->scope, &arguments[0]), b = number_of(call->scope, &arguments[1]);
    struct number product = {0};
    if (a.count && b.count) {
        struct number found = common_divisor(call->scope, a, b);
        product = number_divide(call->scope, &a, &found, 0, false);
        product = number_multiply(call->scope, &b, &product, b.scale);
        product.sign = NUMERIC_POSITIVE;
    }
    product.scale = a.scale > b.scale ? a.scale : b.scale;
    return number_pack(call->scope, &product, result, call->error);
}

/* Beyond 32177 the result has more digits than the format. */
static enum sqlstate factorial(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t n = arguments[0].i;
    if (n < 0)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                         "factorial of a negative number is undefined");
    if (n > 32177)
        return raise_numeric_overflow(call->error);
    /* The product grows in place, least digit first. */
    size_t room = 2 + (size_t)n * 5 / 4, count = 1;
    uint16_t *digits = scope_alloc_zeroed(call->scope, room * sizeof *digits);
    digits[0] = 1;
    struct pace pace = pace_of(call);
    for (uint32_t factor = 2; factor <= n; factor++) {
        uint32_t carry = 0;
        enum sqlstate failed = pace_step(&pace, count);
        if (failed)
            return failed;
        for (size_t i = 0; i < count; i++) {
            carry += digits[i] * factor;
            digits[i] = (uint16_t)(carry % 10000);
            carry /= 10000;
        }
        for (; carry; carry /= 10000)
            digits[count++] = (uint16_t)(carry % 10000);
    }
    for (size_t i = 0; i < count / 2; i++) {
        uint16_t swapped = digits[i];
        digits[i] = digits[count - 1 - i];
        digits[count - 1 - i] = swapped;
    }
    struct number product = {.count = (int)count, .weight = (int)count - 1, .digits = digits};
    return number_pack(call->scope, &product, result, call->error);
}

/* ---- buckets and frames ---- */

static enum sqlstate raise_bucket(struct error *error, const char *message)
{
    return error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "%s", message);
}

static enum sqlstate width_bucket(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *operand = &arguments[0], *low = &arguments[1], *high = &arguments[2];
    int64_t count = arguments[3].i, bucket;
    struct scope *scope = call->scope;
    if (count <= 0)
        return raise_bucket(call->error, "count must be greater than zero");
    if (is_nan(operand) || is_nan(low) || is_nan(high))
        return raise_bucket(call->error, "operand, lower bound, and upper bound cannot be NaN");
    if (is_infinite(low) || is_infinite(high))
        return raise_bucket(call->error, "lower and upper bounds must be finite");
    int direction = numeric_compare(high, low);
    if (direction == 0)
        return raise_bucket(call->error, "lower bound cannot equal upper bound");
    if (numeric_compare(operand, low) * direction < 0)
        bucket = 0;
    else if (numeric_compare(operand, high) * direction >= 0)
        bucket = count + 1;
    else {
        struct number from = number_of(scope, low), to = number_of(scope, high),
                      at = number_of(scope, operand);
        struct number buckets = number_of_integer(scope, count);
        to = number_subtract(scope, &to, &from);
        at = number_subtract(scope, &at, &from);
        at = number_multiply(scope, &at, &buckets, NUMERIC_SCALE_MAX);
        at = number_divide(scope, &at, &to, 0, false);
        number_to_integer(&at, &bucket);
        bucket++;
    }
    if (bucket > INT32_MAX)
        return raise_out_of_range(call->error, "integer");
    return give(value_integer(bucket), result);
}

static enum sqlstate in_range(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *value = &arguments[0], *base = &arguments[1], *offset = &arguments[2];
    bool backward = arguments[3].i, less = arguments[4].i;
    if (is_nan(offset) || is_negative(offset))
        return error_set(call->error, SQLSTATE_INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                         "invalid preceding or following size in window function");
    if (is_nan(value) || is_nan(base)) {
        bool both = is_nan(value) && is_nan(base);
        return give(value_boolean(both || (is_nan(value) ? !less : less)), result);
    }
    if (is_infinite(offset) && is_infinite(base) && backward != is_negative(base))
        return give(value_boolean(true), result); /* infinitely far back from infinity: everywhere */
    struct value border;
    enum sqlstate failed = backward ? numeric_subtract(call->scope, base, offset, &border, call->error)
                                    : numeric_add(call->scope, base, offset, &border, call->error);
    int found = failed ? 0 : numeric_compare(value, &border);
    return failed ? failed : give(value_boolean(less ? found <= 0 : found >= 0), result);
}

static const struct function functions[] = {
    {"numeric_add", add},
    {"numeric_sub", subtract},
    {"numeric_mul", multiply},
    {"numeric_div", divide},
    {"numeric_div_trunc", divide_whole},
    {"numeric_mod", modulo},
    {"numeric_uminus", negate},
    {"numeric_uplus", same},
    {"numeric_abs", absolute},
    {"numeric_inc", increment},
    {"numeric_sign", sign},
    {"numeric_eq", equal},
    {"numeric_ne", unequal},
    {"numeric_lt", less},
    {"numeric_le", less_equal},
    {"numeric_gt", greater},
    {"numeric_ge", greater_equal},
    {"numeric_cmp", order},
    {"numeric_larger", larger},
    {"numeric_smaller", smaller},
    {"numeric_round", round_scale},
    {"numeric_trunc", truncate_scale},
    {"numeric_ceil", ceiling},
    {"numeric_floor", floor_whole},
    {"numeric_scale", scale_of},
    {"numeric_min_scale", scale_needed},
    {"numeric_trim_scale", trim_scale},
    {"numeric", apply_modifier},
    {"int2_numeric", of_integer},
    {"int4_numeric", of_integer},
    {"int8_numeric", of_integer},
    {"float4_numeric", of_float4},
    {"float8_numeric", of_float8},
    {"numeric_int2", to_int2},
    {"numeric_int4", to_int4},
    {"numeric_int8", to_int8},
    {"numeric_float4", to_float4},
    {"numeric_float8", to_float8},
    {"numeric_gcd", divisor},
    {"numeric_lcm", multiple},
    {"numeric_fac", factorial},
    {"width_bucket_numeric", width_bucket},
    {"in_range_numeric_numeric", in_range},
    {0},
};

static const struct kernel kernels[] = {
    {"numeric_add", add_rows},
    {"numeric_sub", subtract_rows},
    {"numeric_mul", multiply_rows},
    {"numeric_div", divide_rows},
    {"numeric_eq", equal_rows},
    {"numeric_ne", unequal_rows},
    {"numeric_lt", less_rows},
    {"numeric_le", less_equal_rows},
    {"numeric_gt", greater_rows},
    {"numeric_ge", greater_equal_rows},
    {0},
};

const struct library numeric_library = {.functions = functions, .kernels = kernels};
