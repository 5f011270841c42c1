/* Sums of numerics that never round, for aggregates. */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_EXACT_SUM_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_EXACT_SUM_H

#include "sqlfront/value/number/numeric.h"

/* Starts as zeros. What fits goes into 128 bits; what does not is added digit by digit, without carrying until the
 * end: 2^49 numbers fit 64 bits a digit. */
struct exact_sum {
    __int128 near;   /* unscaled by 10^scale */
    int32_t scale;   /* of `near` */
    int32_t shown;   /* largest display scale so far */
    int64_t *digits; /* sums of base-10000 digits; digits[i] counts 10000^(low + i). NULL = none yet */
    int32_t low;
    int32_t count;
};

/* Adds unscaled / 10^scale. Memory that lasts as long as the sum comes from `lasting`. */
void exact_sum_add_wide(struct scope *lasting, struct exact_sum *sum, __int128 unscaled, int scale);
/* Adds a finite numeric; its square. */
void exact_sum_add(struct scope *lasting, struct scope *scratch, struct exact_sum *sum,
                   const struct value *value);
void exact_sum_add_square(struct scope *lasting, struct scope *scratch, struct exact_sum *sum,
                          const struct value *value);
/* The same for a short numeric of the sum's own scale, as nearly all are; false when it is another. */
static inline bool exact_sum_add_near(struct exact_sum *sum, const struct value *value)
{
    __int128 total;
    if (!value->small || value->scale != sum->scale || value->scale > sum->shown ||
        __builtin_add_overflow(sum->near, (__int128)value->i, &total))
        return false;
    sum->near = total;
    return true;
}
void exact_sum_merge(struct scope *lasting, struct exact_sum *into, const struct exact_sum *from);

/* The sum, shown with as many digits as the summand that shows most. */
struct number exact_sum_number(struct scope *scope, const struct exact_sum *sum);

/* Bytes of a saved sum; writing and reading them (load gives those it took, 0 when they make no sense). */
size_t exact_sum_size(const struct exact_sum *sum);
uint8_t *exact_sum_save(const struct exact_sum *sum, uint8_t *at);
size_t exact_sum_load(struct scope *lasting, struct exact_sum *sum, struct bytes saved);

#endif
