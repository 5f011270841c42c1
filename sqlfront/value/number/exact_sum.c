/* Sums of numerics that never round. */
#include "sqlfront/value/number/exact_sum.h"

#define BASE 10000

/* ---- digit by digit ---- */

/* Makes room for digits of weights [low, low + count). */
static void widen(struct scope *lasting, struct exact_sum *sum, int low, int count)
{
    int high = low + count;
    if (sum->digits && low >= sum->low && high <= sum->low + sum->count)
        return;
    if (sum->digits) {
        low = low < sum->low ? low : sum->low;
        high = high > sum->low + sum->count ? high : sum->low + sum->count;
    }
    low -= 2; /* so that it is not done again for every slightly longer number */
    high += 2;
    int64_t *digits = scope_alloc_zeroed(lasting, (size_t)(high - low) * sizeof *digits);
    for (int i = 0; i < sum->count; i++)
        digits[sum->low + i - low] = sum->digits[i];
    sum->digits = digits;
    sum->low = low;
    sum->count = high - low;
}

static void add_number(struct scope *lasting, struct exact_sum *sum, const struct number *number)
{
    if (number->scale > sum->shown)
        sum->shown = number->scale;
    if (number->count == 0)
        return;
    widen(lasting, sum, number->weight - number->count + 1, number->count);
    for (int i = 0; i < number->count; i++) {
        int64_t *digit = &sum->digits[number->weight - i - sum->low];
        *digit += number->sign == NUMERIC_NEGATIVE ? -(int64_t)number->digits[i] : number->digits[i];
    }
}

/* Digits of a wide number, without a scope. */
static void add_wide_digits(struct scope *lasting, struct exact_sum *sum, __int128 unscaled, int scale)
{
    uint16_t digits[12];
    unsigned __int128 left = unscaled < 0 ? 0 - (unsigned __int128)unscaled : (unsigned __int128)unscaled;
    struct number number = {.sign = unscaled < 0 ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE, .scale = scale};
    int behind = (scale + 3) / 4, count = 12;
    static const unsigned powers[] = {1, 10, 100, 1000};
    unsigned shift = powers[behind * 4 - scale];
    digits[--count] = (uint16_t)(left % (BASE / shift) * shift);
    for (left /= BASE / shift; left; left /= BASE)
        digits[--count] = (uint16_t)(left % BASE);
    number.digits = digits + count;
    number.count = 12 - count;
    number.weight = number.count - 1 - behind;
    add_number(lasting, sum, &number);
}

/* ---- 128 bits ---- */

static bool scale_up(__int128 *unscaled, int by)
{
    for (; by > 0; by--)
        if (__builtin_mul_overflow(*unscaled, 10, unscaled))
            return false;
    return true;
}

void exact_sum_add_wide(struct scope *lasting, struct exact_sum *sum, __int128 unscaled, int scale)
{
    if (scale > sum->shown)
        sum->shown = scale;
    if (__builtin_expect(scale > sum->scale, 0)) {
        __int128 near = sum->near;
        if (!scale_up(&near, scale - sum->scale)) {
            add_wide_digits(lasting, sum, sum->near, sum->scale);
            near = 0;
        }
        sum->near = near;
        sum->scale = scale;
    }
    __int128 aligned = unscaled, total;
    if (__builtin_expect(scale < sum->scale, 0) && !scale_up(&aligned, sum->scale - scale)) {
        add_wide_digits(lasting, sum, unscaled, scale);
        return;
    }
    if (__builtin_expect(__builtin_add_overflow(sum->near, aligned, &total), 0)) {
        add_wide_digits(lasting, sum, sum->near, sum->scale);
        total = aligned;
    }
    sum->near = total;
}

void exact_sum_add(struct scope *lasting, struct scope *scratch, struct exact_sum *sum,
                   const struct value *value)
{
    if (value->small) {
        exact_sum_add_wide(lasting, sum, value->i, value->scale);
        return;
    }
    struct number number = number_of(scratch, value);
    add_number(lasting, sum, &number);
}

void exact_sum_add_square(struct scope *lasting, struct scope *scratch, struct exact_sum *sum,
                          const struct value *value)
{
    if (value->small) {
        exact_sum_add_wide(lasting, sum, (__int128)value->i * value->i, 2 * value->scale);
        return;
    }
    struct number number = number_of(scratch, value);
    number = number_multiply(scratch, &number, &number, 2 * number.scale);
    add_number(lasting, sum, &number);
}

void exact_sum_merge(struct scope *lasting, struct exact_sum *into, const struct exact_sum *from)
{
    exact_sum_add_wide(lasting, into, from->near, from->scale);
    if (from->shown > into->shown)
        into->shown = from->shown;
    if (!from->digits)
        return;
    widen(lasting, into, from->low, from->count);
    for (int i = 0; i < from->count; i++)
        into->digits[from->low + i - into->low] += from->digits[i];
}

/* ---- the result ---- */

struct number exact_sum_number(struct scope *scope, const struct exact_sum *sum)
{
    struct number total = number_of_wide(scope, sum->near, sum->scale);
    if (sum->digits) {
        /* Carries make digits of either sign small; the sign of the whole is the first digit's. */
        int count = sum->count + 5;
        int64_t *digits = scope_alloc_zeroed(scope, (size_t)count * sizeof *digits), carry = 0;
        for (int i = 0; i < count; i++) {
            carry += i < sum->count ? sum->digits[i] : 0;
            digits[i] = carry % BASE;
            carry /= BASE;
        }
        struct number positive = {.weight = sum->low + count - 1, .count = count}, negative = positive;
        positive.digits = scope_alloc_zeroed(scope, (size_t)count * sizeof(uint16_t));
        negative.digits = scope_alloc_zeroed(scope, (size_t)count * sizeof(uint16_t));
        for (int i = 0; i < count; i++) {
            int64_t digit = digits[count - 1 - i];
            (digit < 0 ? negative : positive).digits[i] = (uint16_t)(digit < 0 ? -digit : digit);
        }
        positive = number_cut(scope, &positive, 4 * NUMERIC_SCALE_MAX); /* without its zeros in front */
        negative = number_cut(scope, &negative, 4 * NUMERIC_SCALE_MAX);
        struct number far = number_subtract(scope, &positive, &negative);
        total = number_add(scope, &total, &far);
    }
    total.scale = sum->shown;
    return total;
}

/* ---- saved: near 16, scale 4, shown 4, low 4, count 4, digits 8 each ---- */

#define SAVED_HEAD_BYTES 32

size_t exact_sum_size(const struct exact_sum *sum)
{
    return SAVED_HEAD_BYTES + (sum->digits ? (size_t)sum->count * sizeof(int64_t) : 0);
}

uint8_t *exact_sum_save(const struct exact_sum *sum, uint8_t *at)
{
    int32_t count = sum->digits ? sum->count : 0;
    memcpy(at, &sum->near, 16);
    memcpy(at + 16, &sum->scale, 4);
    memcpy(at + 20, &sum->shown, 4);
    memcpy(at + 24, &sum->low, 4);
    memcpy(at + 28, &count, 4);
    if (count)
        memcpy(at + SAVED_HEAD_BYTES, sum->digits, (size_t)count * sizeof(int64_t));
    return at + exact_sum_size(sum);
}

size_t exact_sum_load(struct scope *lasting, struct exact_sum *sum, struct bytes saved)
{
    if (saved.size < SAVED_HEAD_BYTES)
        return 0;
    *sum = (struct exact_sum){0};
    memcpy(&sum->near, saved.data, 16);
    memcpy(&sum->scale, saved.data + 16, 4);
    memcpy(&sum->shown, saved.data + 20, 4);
    memcpy(&sum->low, saved.data + 24, 4);
    memcpy(&sum->count, saved.data + 28, 4);
    size_t bytes = (size_t)sum->count * sizeof(int64_t);
    if (sum->count < 0 || saved.size - SAVED_HEAD_BYTES < bytes || bytes > SCOPE_SMALL_BYTES)
        return 0;
    if (sum->count)
        sum->digits = scope_copy(lasting, saved.data + SAVED_HEAD_BYTES, bytes);
    return SAVED_HEAD_BYTES + bytes;
}
