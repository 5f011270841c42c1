/* Roots, powers, exponentials and logarithms of numerics.
 *
 * How many digits a result shows is PostgreSQL's choice: at least 16 significant ones, and no fewer behind the point than
 * the arguments. Everything is calculated with some eight digits more than are shown, by series that converge fast
 * after the argument was brought near to where they do: exp(x) = exp(x / 2^n)^(2^n), ln(x) = 2^n ln(x^(1/2^n)).
 * Intermediate results live in a scratch scope of their own. */
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/number/tables.h"

#include <limits.h>
#include <math.h>

#define LOG10_E 0.434294481903252
#define LOG10_2 0.301029995663981
#define LN_10   2.302585092994046

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* A scale within what functions show. */
static int shown_scale(int scale)
{
    return smaller(larger(scale, 0), NUMERIC_DISPLAY_SCALE_MAX);
}

static enum sqlstate raise_logarithm(struct error *error, bool zero)
{
    return error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_LOG, "cannot take logarithm of %s",
                     zero ? "zero" : "a negative number");
}

static enum sqlstate raise_power(struct error *error, const char *message)
{
    return error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION, "%s", message);
}

static struct number zero_shown(int scale)
{
    return (struct number){.scale = scale};
}

/* ---- exponential ---- */

/* e^a at `scale`; 22003 when it is too large for the format. */
static enum sqlstate exponential(struct scope *scope, const struct number *a, int scale,
                                 struct number *result, struct error *error)
{
    double estimate = number_to_float(scope, a);
    if (fabs(estimate) >= NUMERIC_RESULT_SCALE_MAX * 3) {
        if (estimate > 0)
            return raise_numeric_overflow(error);
        *result = zero_shown(scale);
        return SQLSTATE_OK;
    }
    int places = (int)(estimate * LOG10_E); /* before the point, about */
    int halvings = 0;
    for (double left = fabs(estimate); left > 0.01; left /= 2)
        halvings++;
    int digits = larger(1 + places + scale + (int)(halvings * LOG10_2), 0) + 8, inner = digits - 1;
    struct number x = *a;
    if (halvings) /* kept exact enough: its error counts 2^halvings times */
        x = number_divide_integer(scope, a, 1L << halvings, larger(a->scale + halvings, inner + 8));
    /* 1 + x + x^2/2! + x^3/3! + ... */
    struct number one = number_of_integer(scope, 1), sum = number_add(scope, &one, &x), term = x;
    for (int n = 2;; n++) {
        term = number_multiply(scope, &term, &x, inner + 4);
        term = number_divide_integer(scope, &term, n, inner + 4);
        if (term.count == 0)
            break;
        sum = number_add(scope, &sum, &term);
    }
    for (; halvings; halvings--)
        sum = number_multiply(scope, &sum, &sum, larger(digits - sum.weight * 8, 0));
    *result = number_round(scope, &sum, scale);
    return SQLSTATE_OK;
}

static int exponential_scale(double places)
{
    places = fmax(fmin(places, NUMERIC_RESULT_SCALE_MAX), -NUMERIC_RESULT_SCALE_MAX);
    return NUMERIC_SIGNIFICANT_DIGITS_MIN - (int)places;
}

/* ---- logarithm ---- */

/* The decimal place of the logarithm's first digit, about: negative near 1. */
static int logarithm_place(struct scope *scope, const struct number *a)
{
    struct number one = number_of_integer(scope, 1), tenth = number_of_wide(scope, 1, 1);
    struct number least = number_subtract(scope, &one, &tenth), most = number_add(scope, &one, &tenth);
    if (a->count == 0 || a->sign != NUMERIC_POSITIVE)
        return 0;
    if (number_compare(a, &least) >= 0 && number_compare(a, &most) <= 0) {
        struct number from_one = number_subtract(scope, a, &one); /* ln(1 + x) is about x */
        return from_one.count ? from_one.weight * 4 + (int)log10(from_one.digits[0]) : 0;
    }
    double lead = a->digits[0];
    int places = a->weight * 4;
    if (a->count > 1) {
        lead = lead * 10000 + a->digits[1];
        places -= 4;
    }
    return (int)log10(fabs(log(lead) + places * LN_10));
}

/* Requires a > 0. */
static struct number logarithm(struct scope *scope, const struct number *a, int scale)
{
    struct number one = number_of_integer(scope, 1), tenth = number_of_wide(scope, 1, 1);
    struct number least = number_subtract(scope, &one, &tenth), most = number_add(scope, &one, &tenth);
    struct number x = *a;
    int roots = 0;
    while (number_compare(&x, &least) <= 0 || number_compare(&x, &most) >= 0) {
        x = number_square_root(scope, &x, scale - x.weight * 2 + 12);
        roots++;
    }
    /* ln(x) / 2 = z + z^3/3 + z^5/5 + ... with z = (x - 1) / (x + 1) */
    int inner = scale + (int)((roots + 1) * LOG10_2) + 12;
    struct number above = number_subtract(scope, &x, &one), below = number_add(scope, &x, &one);
    struct number z = number_divide(scope, &above, &below, inner, true);
    struct number square = number_multiply(scope, &z, &z, inner), power = z, sum = z;
    for (int n = 3;; n += 2) {
        power = number_multiply(scope, &power, &square, inner);
        struct number term = number_divide_integer(scope, &power, n, inner);
        if (term.count == 0)
            break;
        sum = number_add(scope, &sum, &term);
    }
    struct number factor = number_of_wide(scope, (__int128)1 << (roots + 1), 0);
    sum = number_multiply(scope, &sum, &factor, scale);
    return number_round(scope, &sum, scale);
}

/* ---- powers ---- */

/* base^exponent for a whole exponent, by squaring. */
static enum sqlstate power_whole(struct scope *scope, const struct number *base, int exponent, int scale,
                                 struct number *result, struct error *error)
{
    struct number one = number_of_integer(scope, 1);
    switch (exponent) {
    case 0:
        *result = one;
        result->scale = scale;
        return SQLSTATE_OK;
    case 1:
        *result = number_round(scope, base, scale);
        return SQLSTATE_OK;
    case -1:
        *result = number_divide(scope, &one, base, scale, true);
        return SQLSTATE_OK;
    case 2:
        *result = number_multiply(scope, base, base, scale);
        result->scale = scale;
        return SQLSTATE_OK;
    }
    if (base->count == 0) {
        *result = zero_shown(scale);
        return SQLSTATE_OK;
    }
    double lead = base->digits[0];
    int place = base->weight * 4;
    for (int i = 1; i < base->count && i < 4; i++, place -= 4)
        lead = lead * 10000 + base->digits[i];
    double places = exponent * (log10(lead) + place);
    if (places > 3.0 * SHRT_MAX * 4)
        return raise_numeric_overflow(error);
    if (places + 1 < -scale || places + 1 < -NUMERIC_DISPLAY_SCALE_MAX) {
        *result = zero_shown(scale);
        return SQLSTATE_OK;
    }
    int digits = 1 + scale + (int)places + (int)log(fabs((double)exponent)) + 8;
    unsigned mask = exponent < 0 ? 0U - (unsigned)exponent : (unsigned)exponent;
    struct number square = *base, product = mask & 1 ? *base : one;
    while (mask >>= 1) {
        int inner = smaller(digits - 2 * square.weight * 4, 2 * square.scale);
        square = number_multiply(scope, &square, &square, larger(inner, 0));
        if (mask & 1) {
            inner = smaller(digits - (square.weight + product.weight) * 4, square.scale + product.scale);
            product = number_multiply(scope, &square, &product, larger(inner, 0));
        }
        if (square.weight > SHRT_MAX || product.weight > SHRT_MAX) {
            if (exponent > 0)
                return raise_numeric_overflow(error);
            *result = zero_shown(scale);
            return SQLSTATE_OK;
        }
    }
    if (exponent < 0 && product.count == 0)
        return raise_numeric_overflow(error);
    *result = exponent < 0 ? number_divide(scope, &one, &product, scale, true)
                           : number_round(scope, &product, scale);
    return SQLSTATE_OK;
}

static bool is_whole(const struct number *a)
{
    return a->count == 0 || a->count <= a->weight + 1;
}

static bool is_odd(const struct number *a)
{
    return a->count && a->count == a->weight + 1 && (a->digits[a->count - 1] & 1);
}

static enum sqlstate power_finite(struct scope *scope, struct number base, const struct number *exponent,
                                  struct number *result, struct error *error)
{
    int64_t whole;
    if (is_whole(exponent) && number_to_integer(exponent, &whole) && whole == (int32_t)whole)
        return power_whole(scope, &base, (int)whole,
                           shown_scale(larger(NUMERIC_SIGNIFICANT_DIGITS_MIN, base.scale)), result, error);
    if (base.count == 0) {
        *result = zero_shown(NUMERIC_SIGNIFICANT_DIGITS_MIN);
        return SQLSTATE_OK;
    }
    bool negative = base.sign == NUMERIC_NEGATIVE;
    if (negative && !is_whole(exponent))
        return raise_power(error, "a negative number raised to a non-integer power yields a complex result");
    base.sign = NUMERIC_POSITIVE;
    /* base^exponent = e^(exponent ln(base)): first roughly, to know how many digits it takes. */
    int place = logarithm_place(scope, &base), inner = larger(8 - place, 0);
    struct number ln_base = logarithm(scope, &base, inner);
    struct number ln_result = number_multiply(scope, &ln_base, exponent, inner);
    double estimate = number_to_float(scope, &ln_result);
    if (fabs(estimate) > NUMERIC_RESULT_SCALE_MAX * 3.01) {
        if (estimate > 0)
            return raise_numeric_overflow(error);
        *result = zero_shown(NUMERIC_DISPLAY_SCALE_MAX);
        return SQLSTATE_OK;
    }
    int places = (int)(estimate * LOG10_E);
    int scale = larger(NUMERIC_SIGNIFICANT_DIGITS_MIN - places, larger(base.scale, exponent->scale));
    scale = shown_scale(scale);
    inner = larger(larger(scale + places, 0) - place + 8, 0);
    ln_base = logarithm(scope, &base, inner + 4);
    ln_result = number_multiply(scope, &ln_base, exponent, inner + 4);
    enum sqlstate failed = exponential(scope, &ln_result, scale, result, error);
    if (!failed && negative && is_odd(exponent) && result->count)
        result->sign = NUMERIC_NEGATIVE;
    return failed;
}

/* ---- the SQL functions ---- */

static bool is_nan(const struct value *value)
{
    return numeric_sign_of(value) == NUMERIC_NAN;
}

/* -1, 0, 1 */
static int sign_of(struct scope *scope, const struct value *value)
{
    switch (numeric_sign_of(value)) {
    case NUMERIC_INFINITY:
        return 1;
    case NUMERIC_NEGATIVE:
    case NUMERIC_MINUS_INFINITY:
        return -1;
    default:
        return number_of(scope, value).count ? 1 : 0;
    }
}

static enum sqlstate give(struct value given, struct value *result)
{
    *result = given;
    return SQLSTATE_OK;
}

/* Packs into the caller's scope what was calculated in the scratch scope, and ends that. */
static enum sqlstate finish(struct call *call, struct scope *scratch, enum sqlstate failed,
                            const struct number *number, struct value *result)
{
    if (!failed)
        failed = number_pack(call->scope, number, result, call->error);
    scope_close(scratch);
    return failed;
}

static enum sqlstate square_root(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0];
    if (!is_nan(a) && sign_of(call->scope, a) < 0)
        return raise_power(call->error, "cannot take square root of a negative number");
    if (numeric_is_special(a))
        return give(*a, result);
    struct scope *scratch = scope_open(call->scope, "numeric");
    struct number number = number_of(scratch, a);
    int scale = shown_scale(larger(NUMERIC_SIGNIFICANT_DIGITS_MIN - (number.weight * 2 + 1), number.scale));
    number = number_square_root(scratch, &number, scale);
    return finish(call, scratch, SQLSTATE_OK, &number, result);
}

static enum sqlstate exponential_of(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0];
    if (numeric_sign_of(a) == NUMERIC_MINUS_INFINITY)
        return give(value_small_numeric(0, 0), result);
    if (numeric_is_special(a))
        return give(*a, result);
    struct scope *scratch = scope_open(call->scope, "numeric");
    struct number number = number_of(scratch, a), power;
    int scale = exponential_scale(number_to_float(scratch, &number) * LOG10_E);
    scale = shown_scale(larger(scale, number.scale));
    enum sqlstate failed = exponential(scratch, &number, scale, &power, call->error);
    return finish(call, scratch, failed, &power, result);
}

static enum sqlstate natural_logarithm(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *a = &arguments[0];
    if (is_nan(a))
        return give(*a, result);
    int sign = sign_of(call->scope, a);
    if (sign <= 0)
        return raise_logarithm(call->error, sign == 0);
    if (numeric_is_special(a))
        return give(*a, result);
    struct scope *scratch = scope_open(call->scope, "numeric");
    struct number number = number_of(scratch, a);
    int scale = NUMERIC_SIGNIFICANT_DIGITS_MIN - logarithm_place(scratch, &number);
    number = logarithm(scratch, &number, shown_scale(larger(scale, number.scale)));
    return finish(call, scratch, SQLSTATE_OK, &number, result);
}

/* ln(number) / ln(base) */
static struct number logarithm_to_base(struct scope *scope, const struct number *base,
                                       const struct number *number)
{
    int base_place = logarithm_place(scope, base), number_place = logarithm_place(scope, number);
    int place = number_place - base_place;
    int scale = larger(NUMERIC_SIGNIFICANT_DIGITS_MIN - place, larger(base->scale, number->scale));
    scale = shown_scale(scale);
    struct number ln_base = logarithm(scope, base, larger(scale + place - base_place + 8, 0));
    struct number ln_number = logarithm(scope, number, larger(scale + place - number_place + 8, 0));
    if (ln_base.count == 0)
        return (struct number){.sign = NUMERIC_NAN};
    return number_divide(scope, &ln_number, &ln_base, scale, true);
}

static enum sqlstate logarithm_of(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *base = &arguments[0], *a = &arguments[1];
    if (is_nan(base) || is_nan(a))
        return give(numeric_special(NUMERIC_NAN), result);
    int base_sign = sign_of(call->scope, base), sign = sign_of(call->scope, a);
    bool special = numeric_is_special(base) || numeric_is_special(a);
    if (base_sign < 0 || (special && sign < 0))
        return raise_logarithm(call->error, false);
    if (base_sign == 0 || (special && sign == 0))
        return raise_logarithm(call->error, true);
    if (sign <= 0)
        return raise_logarithm(call->error, sign == 0);
    if (numeric_is_special(base))
        return give(numeric_is_special(a) ? numeric_special(NUMERIC_NAN) : value_small_numeric(0, 0), result);
    if (numeric_is_special(a))
        return give(*a, result);
    struct scope *scratch = scope_open(call->scope, "numeric");
    struct number number_base = number_of(scratch, base), number = number_of(scratch, a);
    number = logarithm_to_base(scratch, &number_base, &number);
    enum sqlstate failed = number_special(&number) ? raise_division_by_zero(call->error) : SQLSTATE_OK;
    return finish(call, scratch, failed, &number, result);
}

/* POSIX's rules of pow() where an argument is infinite and none is NaN. */
static enum sqlstate power_infinite(struct call *call, const struct value *base, const struct value *exponent,
                                    struct value *result)
{
    const struct value one = value_small_numeric(1, 0), minus_one = value_small_numeric(-1, 0),
                       zero = value_small_numeric(0, 0);
    struct scope *scope = call->scope;
    int base_sign = sign_of(scope, base), exponent_sign = sign_of(scope, exponent);
    struct number number = number_of(scope, exponent);
    if (base_sign == 0 && exponent_sign < 0)
        return raise_power(call->error, "zero raised to a negative power is undefined");
    if (base_sign < 0 && !number_special(&number) && !is_whole(&number))
        return raise_power(call->error,
                           "a negative number raised to a non-integer power yields a complex result");
    if (numeric_compare(base, &one) == 0 || exponent_sign == 0)
        return give(one, result);
    if (base_sign == 0)
        return give(zero, result);
    if (number_special(&number)) {
        if (numeric_compare(base, &minus_one) == 0)
            return give(one, result);
        bool above_one = numeric_compare(base, &one) > 0 || numeric_compare(base, &minus_one) < 0;
        return give(above_one == (exponent_sign > 0) ? numeric_special(NUMERIC_INFINITY) : zero, result);
    }
    if (exponent_sign < 0)
        return give(zero, result);
    return give(numeric_special(base_sign < 0 && is_odd(&number) ? NUMERIC_MINUS_INFINITY : NUMERIC_INFINITY),
                result);
}

static enum sqlstate power(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *base = &arguments[0], *exponent = &arguments[1];
    const struct value one = value_small_numeric(1, 0), zero = value_small_numeric(0, 0);
    if (is_nan(base))
        return give(numeric_compare(exponent, &zero) == 0 ? one : *base, result);
    if (is_nan(exponent))
        return give(numeric_compare(base, &one) == 0 ? one : *exponent, result);
    if (numeric_is_special(base) || numeric_is_special(exponent))
        return power_infinite(call, base, exponent, result);
    if (sign_of(call->scope, base) == 0 && sign_of(call->scope, exponent) < 0)
        return raise_power(call->error, "zero raised to a negative power is undefined");
    struct scope *scratch = scope_open(call->scope, "numeric");
    struct number number_exponent = number_of(scratch, exponent), raised;
    enum sqlstate failed =
        power_finite(scratch, number_of(scratch, base), &number_exponent, &raised, call->error);
    return finish(call, scratch, failed, &raised, result);
}

static const struct function functions[] = {
    {"numeric_sqrt", square_root}, {"numeric_exp", exponential_of}, {"numeric_ln", natural_logarithm},
    {"numeric_log", logarithm_of}, {"numeric_power", power},        {0},
};

const struct library numeric_power_library = {.functions = functions};
