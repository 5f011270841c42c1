/* Arithmetic of floats. Results that became infinite or zero by losing everything are errors, as in PostgreSQL; real
 * numbers are calculated in double precision and rounded, which for one operation is the same as doing it in single. */
#include "sqlfront/value/number/tables.h"

#include "base/world.h"

#include <math.h>

static enum sqlstate raise_overflow(struct error *error)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
}

static enum sqlstate raise_underflow(struct error *error)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow");
}

/* ---- the four operations ---- */

static inline enum sqlstate add(double a, double b, double *result, struct error *error)
{
    *result = a + b;
    if (__builtin_expect(isinf(*result), 0) && !isinf(a) && !isinf(b))
        return raise_overflow(error);
    return SQLSTATE_OK;
}

static inline enum sqlstate subtract(double a, double b, double *result, struct error *error)
{
    *result = a - b;
    if (__builtin_expect(isinf(*result), 0) && !isinf(a) && !isinf(b))
        return raise_overflow(error);
    return SQLSTATE_OK;
}

static inline enum sqlstate multiply(double a, double b, double *result, struct error *error)
{
    *result = a * b;
    if (__builtin_expect(isinf(*result), 0) && !isinf(a) && !isinf(b))
        return raise_overflow(error);
    if (__builtin_expect(*result == 0, 0) && a != 0 && b != 0)
        return raise_underflow(error);
    return SQLSTATE_OK;
}

static inline enum sqlstate divide(double a, double b, double *result, struct error *error)
{
    if (__builtin_expect(b == 0, 0) && !isnan(a))
        return raise_division_by_zero(error);
    *result = a / b;
    if (__builtin_expect(isinf(*result), 0) && !isinf(a))
        return raise_overflow(error);
    if (__builtin_expect(*result == 0, 0) && a != 0 && !isinf(b))
        return raise_underflow(error);
    return SQLSTATE_OK;
}

/* The result of an operation on two reals, rounded to one. */
static inline enum sqlstate narrow(double wide, double a, double b, double *result, struct error *error)
{
    *result = (float)wide;
    if (__builtin_expect(isinf(*result), 0) && !isinf(a) && !isinf(b))
        return raise_overflow(error);
    if (__builtin_expect(*result == 0, 0) && wide != 0)
        return raise_underflow(error);
    return SQLSTATE_OK;
}

/* clang-format off */
#define OPERATION(function, kernel, function_of_reals, operation)                                                      \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result)             \
    {                                                                                                                  \
        *result = value_float(0);                                                                                      \
        return operation(arguments[0].f, arguments[1].f, &result->f, call->error);                                    \
    }                                                                                                                  \
    static enum sqlstate function_of_reals(struct call *call, const struct value *arguments, struct value *result)    \
    {                                                                                                                  \
        double wide = 0;                                                                                                   \
        *result = value_float(0);                                                                                      \
        if (operation(arguments[0].f, arguments[1].f, &wide, call->error))                                            \
            return call->error->state;                                                                                 \
        return narrow(wide, arguments[0].f, arguments[1].f, &result->f, call->error);                                 \
    }                                                                                                                  \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        const struct value *a = arguments[0], *b = arguments[1];                                                       \
        for (uint32_t at = 0; at < count; at++) {                                                                      \
            uint32_t row = selection ? selection[at] : at;                                                             \
            bool null = a[row].null | b[row].null;                                                                     \
            double f = 0;                                                                                              \
            if (!null && operation(a[row].f, b[row].f, &f, call->error))                                              \
                return call->error->state;                                                                             \
            result[row] = (struct value){.f = f, .null = null};                                                       \
        }                                                                                                              \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */
OPERATION(float8_plus, float8_plus_rows, float4_plus, add)
OPERATION(float8_minus, float8_minus_rows, float4_minus, subtract)
OPERATION(float8_times, float8_times_rows, float4_times, multiply)
OPERATION(float8_divide, float8_divide_rows, float4_divide, divide)

/* ---- one operand ---- */

static enum sqlstate same(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0];
    return SQLSTATE_OK;
}

static enum sqlstate negate(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(-arguments[0].f);
    return SQLSTATE_OK;
}

static enum sqlstate absolute(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(fabs(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate sign(struct call *call, const struct value *arguments, struct value *result)
{
    double f = arguments[0].f;
    *result = value_float(f > 0 ? 1 : f < 0 ? -1 : 0);
    return SQLSTATE_OK;
}

static enum sqlstate round_even(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(rint(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate truncate(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(trunc(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate ceiling(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(ceil(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate float_floor(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(floor(arguments[0].f));
    return SQLSTATE_OK;
}

/* ---- roots, powers, logarithms ---- */

static enum sqlstate square_root(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].f < 0)
        return error_set(call->error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                         "cannot take square root of a negative number");
    *result = value_float(sqrt(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate cube_root(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float(cbrt(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate power(struct call *call, const struct value *arguments, struct value *result)
{
    double base = arguments[0].f, exponent = arguments[1].f;
    if (base == 0 && exponent < 0)
        return error_set(call->error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                         "zero raised to a negative power is undefined");
    if (base < 0 && isfinite(exponent) && floor(exponent) != exponent)
        return error_set(call->error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                         "a negative number raised to a non-integer power yields a complex result");
    double raised = pow(base, exponent);
    if (isfinite(base) && isfinite(exponent)) {
        if (isinf(raised))
            return raise_overflow(call->error);
        if (raised == 0 && base != 0)
            return raise_underflow(call->error);
    }
    *result = value_float(raised);
    return SQLSTATE_OK;
}

static enum sqlstate exponential(struct call *call, const struct value *arguments, struct value *result)
{
    double raised = exp(arguments[0].f);
    if (isfinite(arguments[0].f) && isinf(raised))
        return raise_overflow(call->error);
    if (isfinite(arguments[0].f) && raised == 0)
        return raise_underflow(call->error);
    *result = value_float(raised);
    return SQLSTATE_OK;
}

static enum sqlstate check_logarithm(double f, struct error *error)
{
    if (f == 0)
        return error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of zero");
    if (f < 0)
        return error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_LOG,
                         "cannot take logarithm of a negative number");
    return SQLSTATE_OK;
}

static enum sqlstate logarithm(struct call *call, const struct value *arguments, struct value *result)
{
    if (check_logarithm(arguments[0].f, call->error))
        return call->error->state;
    *result = value_float(log(arguments[0].f));
    return SQLSTATE_OK;
}

static enum sqlstate logarithm10(struct call *call, const struct value *arguments, struct value *result)
{
    if (check_logarithm(arguments[0].f, call->error))
        return call->error->state;
    *result = value_float(log10(arguments[0].f));
    return SQLSTATE_OK;
}

/* ---- random(), setseed(): xoroshiro128**, seeded by splitmix64, so that a seed gives PostgreSQL's numbers ---- */

static uint64_t rotated(uint64_t bits, int by)
{
    return bits << by | bits >> (64 - by);
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t low = state[0], mixed = state[1] ^ low;
    state[0] = rotated(low, 24) ^ mixed ^ mixed << 16;
    state[1] = rotated(mixed, 37);
    return rotated(low * 5, 7) * 9;
}

static uint64_t next_seed(uint64_t *state)
{
    uint64_t bits = *state += 0x9e3779b97f4a7c15ULL;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ULL;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebULL;
    return bits ^ bits >> 31;
}

static enum sqlstate random_float(struct call *call, const struct value *arguments, struct value *result)
{
    uint64_t *state = call->environment->random;
    if (state[0] == 0 && state[1] == 0)
        world_random(call->environment->world, state, 2 * sizeof *state);
    *result = value_float((double)(next_random(state) >> 12) * 0x1p-52);
    return SQLSTATE_OK;
}

static enum sqlstate set_seed(struct call *call, const struct value *arguments, struct value *result)
{
    double f = arguments[0].f;
    if (isnan(f))
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "setseed parameter NaN is out of allowed range [-1,1]");
    if (f < -1 || f > 1)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "setseed parameter %g is out of allowed range [-1,1]", f);
    uint64_t seed = (uint64_t)(int64_t)((double)((1UL << 52) - 1) * f);
    call->environment->random[0] = next_seed(&seed);
    call->environment->random[1] = next_seed(&seed);
    *result = value_integer(0);
    return SQLSTATE_OK;
}

/* ---- buckets and frames ---- */

static enum sqlstate raise_bucket(struct error *error, const char *message)
{
    return error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, "%s", message);
}

/* Of `count` buckets between the bounds, the one from 1 on that `operand` lies in; 0 and count + 1 outside. Bounds may
 * fall. */
static enum sqlstate width_bucket(struct call *call, const struct value *arguments, struct value *result)
{
    double operand = arguments[0].f, low = arguments[1].f, high = arguments[2].f;
    int64_t count = arguments[3].i, bucket;
    if (count <= 0)
        return raise_bucket(call->error, "count must be greater than zero");
    if (isnan(operand) || isnan(low) || isnan(high))
        return raise_bucket(call->error, "operand, lower bound, and upper bound cannot be NaN");
    if (isinf(low) || isinf(high))
        return raise_bucket(call->error, "lower and upper bounds must be finite");
    if (low == high)
        return raise_bucket(call->error, "lower bound cannot equal upper bound");
    bool rising = low < high;
    if (rising ? operand < low : operand > low)
        bucket = 0;
    else if (rising ? operand >= high : operand <= high)
        bucket = count + 1;
    else {
        double share = isinf(high - low) ? (operand / 2 - low / 2) / (high / 2 - low / 2)
                                         : (operand - low) / (high - low);
        bucket = (int64_t)((double)count * share);
        bucket = bucket >= count ? count : bucket + 1;
    }
    if (bucket > INT32_MAX)
        return raise_out_of_range(call->error, "integer");
    *result = value_integer(bucket);
    return SQLSTATE_OK;
}

static enum sqlstate in_range(struct call *call, const struct value *arguments, struct value *result)
{
    double value = arguments[0].f, base = arguments[1].f, offset = arguments[2].f;
    bool backward = arguments[3].i, less = arguments[4].i;
    if (isnan(offset) || offset < 0)
        return error_set(call->error, SQLSTATE_INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                         "invalid preceding or following size in window function");
    if (isnan(value) || isnan(base)) { /* NaN is near NaN alone, and above the rest */
        bool both = isnan(value) && isnan(base);
        *result = value_boolean(both || (isnan(value) ? !less : less));
        return SQLSTATE_OK;
    }
    if (isinf(offset) && isinf(base) && (backward ? base > 0 : base < 0)) {
        *result = value_boolean(true); /* infinitely far back from infinity: everywhere */
        return SQLSTATE_OK;
    }
    double border = backward ? base - offset : base + offset;
    *result = value_boolean(less ? value <= border : value >= border);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"float4pl", float4_plus},
    {"float8pl", float8_plus},
    {"float48pl", float8_plus},
    {"float84pl", float8_plus},
    {"float4mi", float4_minus},
    {"float8mi", float8_minus},
    {"float48mi", float8_minus},
    {"float84mi", float8_minus},
    {"float4mul", float4_times},
    {"float8mul", float8_times},
    {"float48mul", float8_times},
    {"float84mul", float8_times},
    {"float4div", float4_divide},
    {"float8div", float8_divide},
    {"float48div", float8_divide},
    {"float84div", float8_divide},
    {"float4um", negate},
    {"float8um", negate},
    {"float4up", same},
    {"float8up", same},
    {"float4abs", absolute},
    {"float8abs", absolute},
    {"dsign", sign},
    {"dround", round_even},
    {"dtrunc", truncate},
    {"dceil", ceiling},
    {"dfloor", float_floor},
    {"dsqrt", square_root},
    {"dcbrt", cube_root},
    {"dpow", power},
    {"dexp", exponential},
    {"dlog1", logarithm},
    {"dlog10", logarithm10},
    {"drandom", random_float},
    {"setseed", set_seed},
    {"width_bucket_float8", width_bucket},
    {"in_range_float4_float8", in_range},
    {"in_range_float8_float8", in_range},
    {0},
};

static const struct kernel kernels[] = {
    {"float8pl", float8_plus_rows},
    {"float48pl", float8_plus_rows},
    {"float84pl", float8_plus_rows},
    {"float8mi", float8_minus_rows},
    {"float48mi", float8_minus_rows},
    {"float84mi", float8_minus_rows},
    {"float8mul", float8_times_rows},
    {"float48mul", float8_times_rows},
    {"float84mul", float8_times_rows},
    {"float8div", float8_divide_rows},
    {"float48div", float8_divide_rows},
    {"float84div", float8_divide_rows},
    {0},
};

const struct library float_library = {.functions = functions, .kernels = kernels};
