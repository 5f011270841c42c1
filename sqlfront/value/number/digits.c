/* Arithmetic on finite numbers in base 10000: the schoolbook's, which for the few digits people use is fast enough.
 *
 * Digits stand most significant first. Intermediate numbers may have leading or trailing zeros; trim() takes them away
 * and is the last step of everything that gives a number. */
#include "sqlfront/value/number/numeric.h"

#include "base/check.h"

#include <stdlib.h>

#define BASE 10000

static uint16_t *digits_alloc(struct scope *scope, int count)
{
    return scope_alloc(scope, (size_t)(count > 0 ? count : 1) * sizeof(uint16_t));
}

static uint16_t *digits_alloc_zeroed(struct scope *scope, int count)
{
    return scope_alloc_zeroed(scope, (size_t)(count > 0 ? count : 1) * sizeof(uint16_t));
}

static struct number trim(struct number number)
{
    while (number.count && number.digits[0] == 0) {
        number.digits++;
        number.count--;
        number.weight--;
    }
    while (number.count && number.digits[number.count - 1] == 0)
        number.count--;
    if (number.count == 0) {
        number.weight = 0;
        number.sign = NUMERIC_POSITIVE;
    }
    return number;
}

/* The digit that counts 10000^weight. */
static inline unsigned digit_at(const struct number *number, int weight)
{
    int at = number->weight - weight;
    return at >= 0 && at < number->count ? number->digits[at] : 0;
}

/* Weight of the last digit. */
static int last_weight(const struct number *number)
{
    return number->weight - number->count + 1;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* ---- order ---- */

int number_compare_magnitude(const struct number *a, const struct number *b)
{
    if (a->count == 0 || b->count == 0)
        return (a->count > 0) - (b->count > 0);
    if (a->weight != b->weight)
        return a->weight > b->weight ? 1 : -1;
    int last = smaller(last_weight(a), last_weight(b));
    for (int weight = a->weight; weight >= last; weight--) {
        unsigned digit_a = digit_at(a, weight), digit_b = digit_at(b, weight);
        if (digit_a != digit_b)
            return digit_a > digit_b ? 1 : -1;
    }
    return 0;
}

int number_compare(const struct number *a, const struct number *b)
{
    if (a->sign != b->sign)
        return a->sign == NUMERIC_NEGATIVE ? -1 : 1;
    int order = number_compare_magnitude(a, b);
    return a->sign == NUMERIC_NEGATIVE ? -order : order;
}

/* ---- sum and difference ---- */

static struct number add_magnitudes(struct scope *scope, const struct number *a, const struct number *b)
{
    struct number sum = {.sign = a->sign, .scale = larger(a->scale, b->scale)};
    int last =
        smaller(a->count ? last_weight(a) : last_weight(b), b->count ? last_weight(b) : last_weight(a));
    sum.weight = larger(a->count ? a->weight : b->weight, b->count ? b->weight : a->weight) + 1;
    sum.count = sum.weight - last + 1;
    sum.digits = digits_alloc(scope, sum.count);
    unsigned carry = 0;
    for (int i = sum.count - 1; i >= 0; i--) {
        carry += digit_at(a, sum.weight - i) + digit_at(b, sum.weight - i);
        sum.digits[i] = (uint16_t)(carry >= BASE ? carry - BASE : carry);
        carry = carry >= BASE;
    }
    return trim(sum);
}

/* Requires |a| >= |b|. */
static struct number subtract_magnitudes(struct scope *scope, const struct number *a, const struct number *b)
{
    struct number difference = {.sign = a->sign, .scale = larger(a->scale, b->scale), .weight = a->weight};
    int last = b->count ? smaller(last_weight(a), last_weight(b)) : last_weight(a);
    difference.count = a->count ? a->weight - last + 1 : 0;
    difference.digits = digits_alloc(scope, difference.count);
    int borrow = 0;
    for (int i = difference.count - 1; i >= 0; i--) {
        int digit = (int)digit_at(a, a->weight - i) - (int)digit_at(b, a->weight - i) - borrow;
        borrow = digit < 0;
        difference.digits[i] = (uint16_t)(borrow ? digit + BASE : digit);
    }
    check(borrow == 0);
    return trim(difference);
}

struct number number_add(struct scope *scope, const struct number *a, const struct number *b)
{
    if (a->sign == b->sign)
        return add_magnitudes(scope, a, b);
    return number_compare_magnitude(a, b) >= 0 ? subtract_magnitudes(scope, a, b)
                                               : subtract_magnitudes(scope, b, a);
}

struct number number_subtract(struct scope *scope, const struct number *a, const struct number *b)
{
    struct number opposite = *b;
    if (b->count)
        opposite.sign = b->sign == NUMERIC_POSITIVE ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE;
    return number_add(scope, a, &opposite);
}

/* ---- rounding ---- */

static const unsigned powers[] = {1, 10, 100, 1000, 10000};

/* A copy whose digits before the cut are kept, with one digit of room in front; `rest` says whether what was cut is at
 * least half of the last place. */
static struct number cut_copy(struct scope *scope, const struct number *a, int scale, bool *half)
{
    struct number kept = {.sign = a->sign, .scale = scale, .weight = a->weight + 1};
    int places = (a->weight + 1) * 4 + scale; /* decimal digits kept, counted from the first digit's first */
    *half = false;
    if (places < 0 || a->count == 0) {
        kept.digits = digits_alloc_zeroed(scope, 1);
        return kept;
    }
    int count = smaller((places + 3) / 4, a->count), partial = places % 4;
    kept.count = count + 1;
    kept.digits = digits_alloc(scope, kept.count);
    kept.digits[0] = 0;
    memcpy(kept.digits + 1, a->digits, (size_t)count * sizeof(uint16_t));
    if ((places + 3) / 4 > a->count)
        return kept;
    if (partial == 0) {
        *half = count < a->count && a->digits[count] >= BASE / 2;
        return kept;
    }
    unsigned power = powers[4 - partial], extra = kept.digits[count] % power;
    kept.digits[count] = (uint16_t)(kept.digits[count] - extra);
    *half = extra >= power / 2;
    return kept;
}

struct number number_cut(struct scope *scope, const struct number *a, int scale)
{
    bool half;
    return trim(cut_copy(scope, a, scale, &half));
}

struct number number_round(struct scope *scope, const struct number *a, int scale)
{
    bool half;
    struct number kept = cut_copy(scope, a, scale, &half);
    if (half) {
        int places = (a->weight + 1) * 4 + scale;
        unsigned carry = places % 4 ? powers[4 - places % 4] : 1;
        for (int i = kept.count - 1; carry; i--) {
            unsigned digit = kept.digits[i] + carry;
            carry = digit >= BASE;
            kept.digits[i] = (uint16_t)(carry ? digit - BASE : digit);
        }
    }
    return trim(kept);
}

/* ---- product ---- */

/* From so many digits on of both, eight decimal digits are multiplied at a time. */
#define LONG_DIGITS 32
#define LONG_BASE   100000000

/* The digits in pairs, least significant first. */
static uint32_t *pairs_of(struct scope *scope, const struct number *a)
{
    uint32_t *pairs = scope_alloc(scope, (size_t)(a->count + 1) / 2 * sizeof *pairs);
    for (int i = a->count - 1, at = 0; i >= 0; i -= 2)
        pairs[at++] = a->digits[i] + (i > 0 ? BASE * (uint32_t)a->digits[i - 1] : 0);
    return pairs;
}

/* Sums of products are carried now and then only: 64 bits hold 1,844 of them. */
static void multiply_long(struct scope *scope, const struct number *a, const struct number *b,
                          struct number *product)
{
    enum { CARRY_AFTER = 1024 };
    int pairs_a = (a->count + 1) / 2, pairs_b = (b->count + 1) / 2, sums = pairs_a + pairs_b + 1;
    const uint32_t *of_a = pairs_of(scope, a), *of_b = pairs_of(scope, b);
    uint64_t *sum = scope_alloc_zeroed(scope, (size_t)sums * sizeof *sum);
    for (int i = 0; i < pairs_a; i++) {
        uint64_t factor = of_a[i], *row = sum + i;
        for (int j = 0; j < pairs_b; j++)
            row[j] += factor * of_b[j];
        if (i % CARRY_AFTER != CARRY_AFTER - 1 && i + 1 < pairs_a)
            continue;
        for (int at = 0; at + 1 < sums; at++) {
            sum[at + 1] += sum[at] / LONG_BASE;
            sum[at] %= LONG_BASE;
        }
    }
    for (int d = 0; d < product->count; d++)
        product->digits[product->count - 1 - d] = (uint16_t)(d % 2 ? sum[d / 2] / BASE : sum[d / 2] % BASE);
}

struct number number_multiply(struct scope *scope, const struct number *a, const struct number *b, int scale)
{
    struct number product = {.sign = a->sign == b->sign ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE,
                             .scale = a->scale + b->scale,
                             .weight = a->weight + b->weight + 1,
                             .count = a->count + b->count};
    if (a->count == 0 || b->count == 0)
        product.count = 0;
    product.digits = digits_alloc_zeroed(scope, product.count);
    bool is_long = a->count >= LONG_DIGITS && b->count >= LONG_DIGITS;
    if (is_long)
        multiply_long(scope, a, b, &product);
    for (int i = product.count && !is_long ? a->count - 1 : -1; i >= 0; i--) {
        uint32_t carry = 0, factor = a->digits[i];
        uint16_t *row = product.digits + i + 1;
        for (int j = b->count - 1; j >= 0; j--) {
            carry += factor * b->digits[j] + row[j];
            row[j] = (uint16_t)(carry % BASE);
            carry /= BASE;
        }
        row[-1] = (uint16_t)carry;
    }
    product = trim(product);
    if (product.scale <= scale)
        return product;
    return number_round(scope, &product, scale);
}

/* ---- quotient ---- */

/* Divides digits[0..count) by one digit; the quotient replaces them. */
static void divide_by_digit(uint16_t *digits, int count, unsigned divisor)
{
    unsigned rest = 0;
    for (int i = 0; i < count; i++) {
        rest = rest * BASE + digits[i];
        digits[i] = (uint16_t)(rest / divisor);
        rest %= divisor;
    }
}

/* Multiplies digits[0..count) by a factor that leaves no carry. */
static void scale_digits(uint16_t *digits, int count, unsigned factor)
{
    unsigned carry = 0;
    for (int i = count - 1; i >= 0; i--) {
        carry += digits[i] * factor;
        digits[i] = (uint16_t)(carry % BASE);
        carry /= BASE;
    }
    check(carry == 0);
}

/* Knuth, The Art of Computer Programming 4.3.1, algorithm D. dividend[0] is 0 and has `count` digits behind it;
 * the divisor has at least two digits. The quotient's count - divisor_count + 1 digits go into `quotient`. Changes both
 * operands. */
static void divide_digits(uint16_t *dividend, int count, uint16_t *divisor, int divisor_count,
                          uint16_t *quotient)
{
    unsigned factor = BASE / (divisor[0] + 1U);
    scale_digits(dividend, count + 1, factor);
    scale_digits(divisor, divisor_count, factor);
    unsigned first = divisor[0], second = divisor[1];
    for (int j = 0; j <= count - divisor_count; j++) {
        uint16_t *part = dividend + j; /* divisor_count + 1 digits */
        unsigned head = part[0] * BASE + part[1], guess = head / first, rest = head % first;
        if (guess >= BASE) {
            rest += (guess - (BASE - 1)) * first;
            guess = BASE - 1;
        }
        while (rest < BASE && guess * second > rest * BASE + part[2]) {
            guess--;
            rest += first;
        }
        int borrow = 0;
        unsigned carry = 0;
        for (int i = divisor_count; i >= 0; i--) {
            carry += i ? guess * divisor[i - 1] : 0;
            int digit = part[i] - (int)(carry % BASE) - borrow;
            carry /= BASE;
            borrow = digit < 0;
            part[i] = (uint16_t)(borrow ? digit + BASE : digit);
        }
        if (borrow) { /* one too many: rare */
            guess--;
            unsigned sum = 0;
            for (int i = divisor_count; i >= 0; i--) {
                sum += part[i] + (i ? divisor[i - 1] : 0U);
                part[i] = (uint16_t)(sum % BASE);
                sum /= BASE;
            }
        }
        quotient[j] = (uint16_t)guess;
    }
}

/* Digits are cut one behind the scale asked for: the rest cannot change how it is rounded. */
struct number number_divide(struct scope *scope, const struct number *a, const struct number *b, int scale,
                            bool round)
{
    check(b->count > 0);
    struct number quotient = {.sign = a->sign == b->sign ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE,
                              .weight = a->weight - b->weight};
    /* digits from weight (a->weight - b->weight) down to that of the first place cut */
    int behind = scale >= 0 ? scale / 4 + 1 : 0;
    quotient.count = quotient.weight + 1 + behind;
    if (a->count == 0 || quotient.count <= 0) {
        quotient = (struct number){.scale = scale, .digits = digits_alloc(scope, 1)};
        return quotient;
    }
    int count = quotient.count + b->count - 1; /* of the dividend, cut or padded */
    uint16_t *dividend = digits_alloc_zeroed(scope, count + 1);
    memcpy(dividend + 1, a->digits, (size_t)smaller(a->count, count) * sizeof(uint16_t));
    if (b->count == 1) {
        quotient.digits = dividend + 1;
        divide_by_digit(quotient.digits, quotient.count, b->digits[0]);
    } else {
        uint16_t *divisor = digits_alloc(scope, b->count);
        memcpy(divisor, b->digits, (size_t)b->count * sizeof(uint16_t));
        quotient.digits = digits_alloc(scope, quotient.count);
        divide_digits(dividend, count, divisor, b->count, quotient.digits);
    }
    quotient.scale = scale;
    quotient = trim(quotient);
    return round ? number_round(scope, &quotient, scale) : number_cut(scope, &quotient, scale);
}

struct number number_divide_integer(struct scope *scope, const struct number *a, int64_t divisor, int scale)
{
    struct number b = number_of_integer(scope, divisor);
    return number_divide(scope, a, &b, scale, true);
}

int number_quotient_scale(const struct number *a, const struct number *b)
{
    int weight = (a->count ? a->weight : 0) - (b->count ? b->weight : 0);
    if ((a->count ? a->digits[0] : 0) <= (b->count ? b->digits[0] : 0))
        weight--;
    int scale = NUMERIC_SIGNIFICANT_DIGITS_MIN - weight * 4;
    scale = larger(larger(scale, larger(a->scale, b->scale)), 0);
    return smaller(scale, NUMERIC_DISPLAY_SCALE_MAX);
}

struct number number_modulo(struct scope *scope, const struct number *a, const struct number *b)
{
    struct number quotient = number_divide(scope, a, b, 0, false);
    struct number product = number_multiply(scope, b, &quotient, b->scale);
    return number_subtract(scope, a, &product);
}

/* ---- to whole numbers ---- */

static bool has_fraction(const struct number *a)
{
    return a->count && last_weight(a) < 0;
}

static struct number away_from_zero(struct scope *scope, const struct number *a)
{
    struct number whole = number_cut(scope, a, 0);
    if (!has_fraction(a))
        return whole;
    struct number one = number_of_integer(scope, a->sign == NUMERIC_NEGATIVE ? -1 : 1);
    return number_add(scope, &whole, &one);
}

struct number number_ceiling(struct scope *scope, const struct number *a)
{
    return a->sign == NUMERIC_NEGATIVE ? number_cut(scope, a, 0) : away_from_zero(scope, a);
}

struct number number_floor(struct scope *scope, const struct number *a)
{
    return a->sign == NUMERIC_NEGATIVE ? away_from_zero(scope, a) : number_cut(scope, a, 0);
}

bool number_to_integer(const struct number *a, int64_t *integer)
{
    int64_t sum = 0; /* negative, for there is one more of those */
    bool up = digit_at(a, -1) >= BASE / 2;
    if (a->count == 0 || a->weight < -1) {
        *integer = 0;
        return true;
    }
    for (int weight = a->weight; weight >= 0; weight--)
        if (__builtin_mul_overflow(sum, BASE, &sum) ||
            __builtin_sub_overflow(sum, (int64_t)digit_at(a, weight), &sum))
            return false;
    if (up && __builtin_sub_overflow(sum, 1, &sum))
        return false;
    if (a->sign == NUMERIC_POSITIVE && __builtin_sub_overflow(0, sum, &sum))
        return false;
    *integer = sum;
    return true;
}

int number_scale_needed(const struct number *a)
{
    if (a->count == 0 || last_weight(a) >= 0)
        return 0;
    int scale = -last_weight(a) * 4;
    for (unsigned last = a->digits[a->count - 1]; last % 10 == 0; last /= 10)
        scale--;
    return scale;
}

/* ---- square root ---- */

/* Newton's iteration on whole numbers: the root of a * 10^(2 s), cut, where s has one place more than is asked for. It
 * starts above the root and falls until it would rise. */
struct number number_square_root(struct scope *scope, const struct number *a, int scale)
{
    if (a->count == 0)
        return (struct number){.scale = larger(scale, 0), .digits = digits_alloc(scope, 1)};
    int behind = scale >= 0 ? scale / 4 + 1 : -(-scale / 4) + 1; /* digits of the root behind the point */
    struct number whole = *a;
    whole.weight += 2 * behind;
    whole.scale = 0;
    whole.sign = NUMERIC_POSITIVE;
    whole = number_cut(scope, &whole, 0);
    struct number guess = {.weight = whole.weight / 2 + 1, .count = 1, .digits = digits_alloc(scope, 1)};
    guess.digits[0] = 1;
    if (whole.count == 0)
        guess = whole;
    else {
        /* A first guess from the leading digits, a little too large. */
        double lead = 0;
        for (int i = 0; i < 4; i++)
            lead = lead * BASE + (i < whole.count ? whole.digits[i] : 0);
        int weight = whole.weight - 3; /* lead counts 10000^weight */
        if (weight & 1) {
            lead *= BASE;
            weight--;
        }
        double root = __builtin_sqrt(lead) * (1 + 1e-12) + 1;
        struct number start = number_of_integer(scope, (int64_t)root);
        if (weight >= 0) {
            start.weight += weight / 2;
            guess = start;
        } else {
            start.weight += weight / 2;
            start.scale = 0;
            guess = number_cut(scope, &start, 0);
            struct number one = number_of_integer(scope, 1);
            guess = number_add(scope, &guess, &one);
        }
        for (;;) {
            struct number quotient = number_divide(scope, &whole, &guess, 0, false);
            struct number sum = number_add(scope, &guess, &quotient);
            struct number two = number_of_integer(scope, 2);
            struct number next = number_divide(scope, &sum, &two, 0, false);
            if (number_compare_magnitude(&next, &guess) >= 0)
                break;
            guess = next;
        }
    }
    guess.weight -= behind;
    return number_round(scope, &guess, scale);
}
