/* Numerics as values: packing and unpacking, order, the four operations.
 *
 * Small values, which is nearly all, are calculated with in 64 or 128 bits and never unpacked; the rest goes through
 * struct number. Both ways give the same digits and the same scale. */
#include "sqlfront/value/number/numeric.h"

#include "base/check.h"
#include "sqlfront/value/raise.h"

#define BASE 10000

const int64_t numeric_powers[] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};
static_assert(sizeof numeric_powers / sizeof numeric_powers[0] == NUMERIC_SMALL_SCALE_MAX + 1);

enum sqlstate raise_numeric_overflow(struct error *error)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
}

static bool fits_small(__int128 unscaled, int scale)
{
    return scale <= NUMERIC_SMALL_SCALE_MAX && unscaled <= INT64_MAX && unscaled >= -INT64_MAX;
}

/* ---- unpacking ---- */

struct number number_of_wide(struct scope *scope, __int128 unscaled, int scale)
{
    struct number number = {.sign = unscaled < 0 ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE, .scale = scale};
    unsigned __int128 left = unscaled < 0 ? 0 - (unsigned __int128)unscaled : (unsigned __int128)unscaled;
    uint16_t reversed[12];
    int count = 0, behind = (scale + 3) / 4;
    /* The lowest digit must count a power of 10000. */
    unsigned shift = (unsigned)numeric_powers[behind * 4 - scale];
    if (shift > 1 && left) {
        unsigned lowest = (unsigned)(left % (BASE / shift)) * shift;
        left /= BASE / shift;
        reversed[count++] = (uint16_t)lowest;
    }
    for (; left; left /= BASE)
        reversed[count++] = (uint16_t)(left % BASE);
    int skip = 0;
    while (skip < count && reversed[skip] == 0)
        skip++;
    number.weight = count ? count - behind - 1 : 0;
    number.count = count - skip;
    number.digits = scope_alloc(scope, sizeof reversed);
    for (int i = 0; i < number.count; i++)
        number.digits[i] = reversed[count - 1 - i];
    if (number.count == 0) {
        number.weight = 0;
        number.sign = NUMERIC_POSITIVE;
    }
    return number;
}

struct number number_of_integer(struct scope *scope, int64_t integer)
{
    return number_of_wide(scope, integer, 0);
}

struct number number_of(struct scope *scope, const struct value *value)
{
    if (value->small)
        return number_of_wide(scope, value->i, value->scale);
    uint16_t shown;
    int16_t weight;
    memcpy(&shown, value->p + 2, sizeof shown);
    memcpy(&weight, value->p + 4, sizeof weight);
    struct number number = {.sign = value->p[0], .scale = shown, .weight = weight};
    number.count = (int)((value->size - NUMERIC_HEAD_BYTES) / sizeof(uint16_t));
    number.digits = scope_copy(scope, value->p + NUMERIC_HEAD_BYTES, (size_t)number.count * sizeof(uint16_t));
    return number;
}

/* ---- packing ---- */

/* The number as unscaled integer, if 64 bits hold it. */
static bool unscale(const struct number *number, int64_t *unscaled)
{
    if (number->scale > NUMERIC_SMALL_SCALE_MAX || number->weight > 4)
        return false;
    int64_t sum = 0;
    int behind = (number->scale + 3) / 4, surplus = behind * 4 - number->scale;
    for (int weight = number->weight; weight >= -behind; weight--) {
        int at = number->weight - weight;
        int64_t digit = at < number->count ? number->digits[at] : 0;
        int64_t factor = BASE;
        if (weight == -behind && surplus) { /* only part of the last digit is shown */
            factor = BASE / numeric_powers[surplus];
            digit /= numeric_powers[surplus];
        }
        if (__builtin_mul_overflow(sum, factor, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *unscaled = number->sign == NUMERIC_NEGATIVE ? -sum : sum;
    return true;
}

struct value numeric_special(enum numeric_sign sign)
{
    static const uint8_t forms[][NUMERIC_HEAD_BYTES] = {
        {NUMERIC_NAN},
        {NUMERIC_INFINITY},
        {NUMERIC_MINUS_INFINITY},
    };
    return value_bytes(forms[sign - NUMERIC_NAN], NUMERIC_HEAD_BYTES);
}

enum sqlstate number_pack(struct scope *scope, const struct number *given, struct value *value,
                          struct error *error)
{
    if (number_special(given)) {
        *value = numeric_special(given->sign);
        return SQLSTATE_OK;
    }
    struct number number = *given;
    int64_t unscaled;
    if (number.scale < 0)
        number.scale = 0;
    if (number.count == 0)
        number.weight = 0;
    if (unscale(&number, &unscaled)) {
        *value = value_small_numeric(unscaled, number.scale);
        return SQLSTATE_OK;
    }
    while (number.count && number.digits[number.count - 1] == 0)
        number.count--;
    if (number.weight > NUMERIC_WEIGHT_MAX || number.weight < -NUMERIC_WEIGHT_MAX ||
        number.scale > NUMERIC_SCALE_MAX)
        return raise_numeric_overflow(error);
    size_t digit_bytes = (size_t)number.count * sizeof(uint16_t);
    uint8_t *bytes = scope_alloc(scope, NUMERIC_HEAD_BYTES + digit_bytes);
    uint16_t shown = (uint16_t)number.scale;
    int16_t weight = (int16_t)number.weight;
    bytes[0] = number.count ? (uint8_t)number.sign : NUMERIC_POSITIVE;
    bytes[1] = 0;
    memcpy(bytes + 2, &shown, sizeof shown);
    memcpy(bytes + 4, &weight, sizeof weight);
    if (digit_bytes)
        memcpy(bytes + NUMERIC_HEAD_BYTES, number.digits, digit_bytes);
    *value = value_bytes(bytes, NUMERIC_HEAD_BYTES + digit_bytes);
    return SQLSTATE_OK;
}

void numeric_of_wide(struct scope *scope, __int128 unscaled, int scale, struct value *value)
{
    if (fits_small(unscaled, scale)) {
        *value = value_small_numeric((int64_t)unscaled, scale);
        return;
    }
    struct number number = number_of_wide(scope, unscaled, scale);
    struct error error;
    enum sqlstate failed = number_pack(scope, &number, value, &error);
    check(!failed, "scale %d", scale); /* 128 bits are far from the format's bounds */
}

/* ---- order ---- */

enum numeric_sign numeric_sign_of(const struct value *value)
{
    if (value->small)
        return value->i < 0 ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
    return value->p[0];
}

/* Where a value stands among NaN (1), infinity and the finite ones. */
static int rank_of(const struct value *value)
{
    if (value->small)
        return 0;
    switch (value->p[0]) {
    case NUMERIC_NAN:
        return 2;
    case NUMERIC_INFINITY:
        return 1;
    case NUMERIC_MINUS_INFINITY:
        return -1;
    default:
        return 0;
    }
}

static int compare_wide(__int128 a, __int128 b)
{
    return (a > b) - (a < b);
}

/* A view of a value's digits where it lies, for comparing; bytes may lie at odd addresses, which memcpy minds not. */
struct digits_view {
    bool negative;
    int weight;
    int count;
    const uint8_t *at;
    uint16_t room[8]; /* of a small value */
};

static void view_of(const struct value *value, struct digits_view *view)
{
    if (!value->small) {
        int16_t weight;
        memcpy(&weight, value->p + 4, sizeof weight);
        view->negative = value->p[0] == NUMERIC_NEGATIVE;
        view->weight = weight;
        view->count = (int)((value->size - NUMERIC_HEAD_BYTES) / sizeof(uint16_t));
        view->at = value->p + NUMERIC_HEAD_BYTES;
        return;
    }
    unsigned __int128 left = (unsigned __int128)(value->i < 0 ? -value->i : value->i);
    int behind = (value->scale + 3) / 4, count = 0;
    left *= (unsigned)numeric_powers[behind * 4 - value->scale];
    int digits = 0;
    for (unsigned __int128 rest = left; rest; rest /= BASE)
        digits++;
    for (int i = digits - 1; i >= 0; i--, left /= BASE)
        view->room[i] = (uint16_t)(left % BASE);
    count = digits;
    while (count && view->room[count - 1] == 0)
        count--;
    view->negative = value->i < 0;
    view->weight = digits - behind - 1;
    view->count = count;
    view->at = (const uint8_t *)view->room;
}

static int compare_views(const struct digits_view *a, const struct digits_view *b)
{
    if (a->count == 0 || b->count == 0)
        return (a->count > 0) - (b->count > 0);
    if (a->weight != b->weight)
        return a->weight > b->weight ? 1 : -1;
    for (int i = 0; i < a->count && i < b->count; i++) {
        uint16_t digit_a, digit_b;
        memcpy(&digit_a, a->at + 2 * i, sizeof digit_a);
        memcpy(&digit_b, b->at + 2 * i, sizeof digit_b);
        if (digit_a != digit_b)
            return digit_a > digit_b ? 1 : -1;
    }
    return (a->count > b->count) - (a->count < b->count);
}

int numeric_compare(const struct value *a, const struct value *b)
{
    if (a->small && b->small) {
        if (a->scale == b->scale)
            return (a->i > b->i) - (a->i < b->i);
        if (a->scale < b->scale)
            return compare_wide((__int128)a->i * numeric_powers[b->scale - a->scale], b->i);
        return compare_wide(a->i, (__int128)b->i * numeric_powers[a->scale - b->scale]);
    }
    int rank_a = rank_of(a), rank_b = rank_of(b);
    if (rank_a || rank_b)
        return (rank_a > rank_b) - (rank_a < rank_b);
    struct digits_view view_a, view_b;
    view_of(a, &view_a);
    view_of(b, &view_b);
    if (view_a.negative != view_b.negative)
        return view_a.negative ? -1 : 1;
    int order = compare_views(&view_a, &view_b);
    return view_a.negative ? -order : order;
}

/* By weight and digits, which equal values share whatever their scales. */
uint64_t numeric_hash(const struct value *value)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL * (uint64_t)(rank_of(value) + 3);
    if (rank_of(value) == 0) {
        struct digits_view view;
        view_of(value, &view);
        if (view.count)
            hash ^= (uint64_t)(uint32_t)view.weight << 1 | view.negative;
        for (int i = 0; i < view.count; i++) {
            uint16_t digit;
            memcpy(&digit, view.at + 2 * i, sizeof digit);
            hash = (hash ^ digit) * 0x9fb21c651e98df25ULL;
            hash ^= hash >> 32;
        }
    }
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdULL;
    return hash ^ hash >> 33;
}

/* ---- sum, difference ---- */

/* Both unscaled at the larger scale; 128 bits hold any small value at any small scale. */
static void align(const struct value *a, const struct value *b, __int128 *wide_a, __int128 *wide_b,
                  int *scale)
{
    *scale = a->scale > b->scale ? a->scale : b->scale;
    *wide_a = (__int128)a->i * numeric_powers[*scale - a->scale];
    *wide_b = (__int128)b->i * numeric_powers[*scale - b->scale];
}

static enum sqlstate add_special(enum numeric_sign a, enum numeric_sign b, struct value *result)
{
    if (a == NUMERIC_NAN || b == NUMERIC_NAN || (a >= NUMERIC_INFINITY && b >= NUMERIC_INFINITY && a != b))
        *result = numeric_special(NUMERIC_NAN);
    else
        *result = numeric_special(a >= NUMERIC_INFINITY ? a : b);
    return SQLSTATE_OK;
}

enum sqlstate numeric_add(struct scope *scope, const struct value *a, const struct value *b,
                          struct value *result, struct error *error)
{
    if (a->small && b->small) {
        int64_t sum;
        if (a->scale == b->scale && !__builtin_add_overflow(a->i, b->i, &sum) && sum != INT64_MIN) {
            *result = value_small_numeric(sum, a->scale);
            return SQLSTATE_OK;
        }
        __int128 wide_a, wide_b;
        int shown;
        align(a, b, &wide_a, &wide_b, &shown);
        numeric_of_wide(scope, wide_a + wide_b, shown, result);
        return SQLSTATE_OK;
    }
    if (numeric_is_special(a) || numeric_is_special(b))
        return add_special(numeric_sign_of(a), numeric_sign_of(b), result);
    struct number number_a = number_of(scope, a), number_b = number_of(scope, b);
    struct number sum = number_add(scope, &number_a, &number_b);
    return number_pack(scope, &sum, result, error);
}

static enum numeric_sign opposite(enum numeric_sign sign)
{
    static const enum numeric_sign opposites[] = {NUMERIC_NEGATIVE, NUMERIC_POSITIVE, NUMERIC_NAN,
                                                  NUMERIC_MINUS_INFINITY, NUMERIC_INFINITY};
    return opposites[sign];
}

enum sqlstate numeric_subtract(struct scope *scope, const struct value *a, const struct value *b,
                               struct value *result, struct error *error)
{
    if (a->small && b->small) {
        const struct value negative = value_small_numeric(-b->i, b->scale);
        return numeric_add(scope, a, &negative, result, error);
    }
    if (numeric_is_special(a) || numeric_is_special(b))
        return add_special(numeric_sign_of(a), opposite(numeric_sign_of(b)), result);
    struct number number_a = number_of(scope, a), number_b = number_of(scope, b);
    struct number difference = number_subtract(scope, &number_a, &number_b);
    return number_pack(scope, &difference, result, error);
}

/* ---- product ---- */

static bool is_zero(const struct value *value)
{
    return value->small ? value->i == 0 : value->p[0] < NUMERIC_NAN && value->size == NUMERIC_HEAD_BYTES;
}

static bool is_negative(const struct value *value)
{
    enum numeric_sign sign = numeric_sign_of(value);
    return sign == NUMERIC_NEGATIVE || sign == NUMERIC_MINUS_INFINITY;
}

enum sqlstate numeric_multiply(struct scope *scope, const struct value *a, const struct value *b,
                               struct value *result, struct error *error)
{
    if (a->small && b->small) {
        int64_t product;
        int shown = a->scale + b->scale;
        if (shown <= NUMERIC_SMALL_SCALE_MAX && !__builtin_mul_overflow(a->i, b->i, &product) &&
            product != INT64_MIN)
            *result = value_small_numeric(product, shown);
        else
            numeric_of_wide(scope, (__int128)a->i * b->i, shown, result);
        return SQLSTATE_OK;
    }
    if (numeric_is_special(a) || numeric_is_special(b)) {
        bool no_number = numeric_sign_of(a) == NUMERIC_NAN || numeric_sign_of(b) == NUMERIC_NAN ||
                         is_zero(a) || is_zero(b); /* infinity times zero */
        *result = numeric_special(no_number                          ? NUMERIC_NAN
                                  : is_negative(a) == is_negative(b) ? NUMERIC_INFINITY
                                                                     : NUMERIC_MINUS_INFINITY);
        return SQLSTATE_OK;
    }
    struct number number_a = number_of(scope, a), number_b = number_of(scope, b);
    struct number product = number_multiply(scope, &number_a, &number_b, NUMERIC_SCALE_MAX);
    return number_pack(scope, &product, result, error);
}

/* ---- quotient ---- */

static enum sqlstate divide_special(const struct value *a, const struct value *b, struct value *result,
                                    struct error *error)
{
    enum numeric_sign sign_a = numeric_sign_of(a), sign_b = numeric_sign_of(b);
    if (sign_a == NUMERIC_NAN || sign_b == NUMERIC_NAN) {
        *result = numeric_special(NUMERIC_NAN);
        return SQLSTATE_OK;
    }
    if (sign_a < NUMERIC_NAN) { /* something by infinity */
        *result = value_small_numeric(0, 0);
        return SQLSTATE_OK;
    }
    if (is_zero(b))
        return raise_division_by_zero(error);
    *result = numeric_special(sign_b >= NUMERIC_NAN              ? NUMERIC_NAN
                              : is_negative(a) == is_negative(b) ? NUMERIC_INFINITY
                                                                 : NUMERIC_MINUS_INFINITY);
    return SQLSTATE_OK;
}

/* First digit in base 10000 and its weight, of a small value. */
static void head_of(const struct value *value, int *weight, int *digit)
{
    struct digits_view view;
    view_of(value, &view);
    *weight = view.count ? view.weight : 0;
    *digit = view.count ? view.room[0] : 0;
}

/* The quotient of small values when 128 bits suffice. */
static bool divide_small(struct scope *scope, const struct value *a, const struct value *b,
                         struct value *result)
{
    int weight_a, weight_b, digit_a, digit_b;
    head_of(a, &weight_a, &digit_a);
    head_of(b, &weight_b, &digit_b);
    int shown = NUMERIC_SIGNIFICANT_DIGITS_MIN - (weight_a - weight_b - (digit_a <= digit_b)) * 4;
    shown = shown < a->scale ? a->scale : shown;
    shown = shown < b->scale ? b->scale : shown;
    shown = shown < 0 ? 0 : shown;
    int shift = shown + b->scale - a->scale;
    __int128 dividend = a->i, divisor = b->i;
    for (; shift > 0; shift -= NUMERIC_SMALL_SCALE_MAX)
        if (__builtin_mul_overflow(
                dividend,
                (__int128)numeric_powers[shift < NUMERIC_SMALL_SCALE_MAX ? shift : NUMERIC_SMALL_SCALE_MAX],
                &dividend))
            return false;
    __int128 quotient = dividend / divisor, rest = dividend % divisor;
    __int128 double_rest = rest < 0 ? -rest * 2 : rest * 2, size = divisor < 0 ? -divisor : divisor;
    if (double_rest >= size)
        quotient += (a->i < 0) == (b->i < 0) ? 1 : -1;
    numeric_of_wide(scope, quotient, shown, result);
    return true;
}

enum sqlstate numeric_divide(struct scope *scope, const struct value *a, const struct value *b,
                             struct value *result, struct error *error)
{
    if (a->small && b->small && b->i != 0 && divide_small(scope, a, b, result))
        return SQLSTATE_OK;
    if (numeric_is_special(a) || numeric_is_special(b))
        return divide_special(a, b, result, error);
    if (is_zero(b))
        return raise_division_by_zero(error);
    struct number number_a = number_of(scope, a), number_b = number_of(scope, b);
    struct number quotient =
        number_divide(scope, &number_a, &number_b, number_quotient_scale(&number_a, &number_b), true);
    return number_pack(scope, &quotient, result, error);
}

/* ---- rounding ---- */

enum sqlstate numeric_round_to(struct scope *scope, const struct value *a, int scale, bool cut,
                               struct value *result, struct error *error)
{
    if (a->small && scale >= 0 && scale <= a->scale) {
        int64_t power = numeric_powers[a->scale - scale], quotient = a->i / power, rest = a->i % power;
        if (!cut && power > 1 && (rest < 0 ? -rest : rest) >= power / 2)
            quotient += a->i < 0 ? -1 : 1;
        *result = value_small_numeric(quotient, scale);
        return SQLSTATE_OK;
    }
    if (a->small && scale > a->scale && scale <= NUMERIC_SMALL_SCALE_MAX) {
        numeric_of_wide(scope, (__int128)a->i * numeric_powers[scale - a->scale], scale, result);
        return SQLSTATE_OK;
    }
    if (numeric_is_special(a)) {
        *result = *a;
        return SQLSTATE_OK;
    }
    struct number number = number_of(scope, a);
    number = cut ? number_cut(scope, &number, scale) : number_round(scope, &number, scale);
    return number_pack(scope, &number, result, error);
}
