/* Numeric: exact decimal numbers, and calculating with them (PostgreSQL manual, 8.1.2; its results digit for digit).
 *
 * A value is small whenever it fits (unscaled in 64 bits, at most NUMERIC_SMALL_SCALE_MAX digits behind the point): then
 * it lies in the value itself. Else it is these bytes:
 *
 *     offset  size  meaning
 *     0       1     enum numeric_sign
 *     1       1     0
 *     2       2     display scale: digits shown behind the point, 0 .. 16383
 *     4       2     weight, signed: the first digit counts 10000^weight
 *     6       2 n   digits in base 10000, most significant first; neither the first nor the last is 0; none for zero
 *
 * all little-endian. NaN and the infinities have no digits, scale 0 and weight 0.
 *
 * To calculate, values are unpacked into a struct number; functions give new numbers whose digits come from the scope
 * and never change those they are given. Numbers that do not fit the format fail when they are packed. */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_NUMERIC_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_NUMERIC_H

#include "sqlfront/value/value.h"

enum numeric_sign {
    NUMERIC_POSITIVE,
    NUMERIC_NEGATIVE,
    NUMERIC_NAN,
    NUMERIC_INFINITY,
    NUMERIC_MINUS_INFINITY,
};
#define NUMERIC_HEAD_BYTES 6

/* PostgreSQL's bounds: of the format, and of what functions choose to show. */
#define NUMERIC_WEIGHT_MAX             32767
#define NUMERIC_SCALE_MAX              16383
#define NUMERIC_RESULT_SCALE_MAX       2000
#define NUMERIC_DISPLAY_SCALE_MAX      1000
#define NUMERIC_SIGNIFICANT_DIGITS_MIN 16

struct number {
    enum numeric_sign sign;
    int count;  /* of digits; 0 = zero, or what has no digits */
    int weight; /* the first digit counts 10000^weight */
    int scale;  /* digits shown behind the point */
    uint16_t *digits;
};

static inline bool number_special(const struct number *number)
{
    return number->sign >= NUMERIC_NAN;
}

/* ---- values and numbers ---- */

struct number number_of(struct scope *scope, const struct value *value);
struct number number_of_integer(struct scope *scope, int64_t integer);
struct number number_of_wide(struct scope *scope, __int128 unscaled, int scale);

/* Ten to the power of each index. */
extern const int64_t numeric_powers[]; /* NUMERIC_SMALL_SCALE_MAX + 1 */

/* Packs a number, small if it can be; trailing zeros may be there. 22003 when it does not fit the format. */
enum sqlstate number_pack(struct scope *scope, const struct number *number, struct value *value,
                          struct error *error);

/* The value unscaled / 10^scale. Requires 0 <= scale <= NUMERIC_SCALE_MAX. */
void numeric_of_wide(struct scope *scope, __int128 unscaled, int scale, struct value *value);

/* NaN and the infinities. */
struct value numeric_special(enum numeric_sign sign);
/* The sign of a value; of a small one, too. */
enum numeric_sign numeric_sign_of(const struct value *value);
static inline bool numeric_is_special(const struct value *value)
{
    return !value->small && value->p[0] >= NUMERIC_NAN;
}

/* Three-way, NaN being equal to itself and above all. */
int numeric_compare(const struct value *a, const struct value *b);
uint64_t numeric_hash(const struct value *value);

/* Text, as numeric_in and numeric_out have it. */
enum sqlstate numeric_parse(struct scope *scope, struct bytes text, struct value *value, struct error *error);
enum sqlstate numeric_print(struct scope *scope, const struct value *value, struct bytes *text,
                            struct error *error);

/* Rounds to what numeric(p,s) holds; 22003 "numeric field overflow". A modifier of -1 is none. */
enum sqlstate numeric_apply_modifier(struct scope *scope, int32_t modifier, struct value *value,
                                     struct error *error);

/* The integer nearest; false when it does not fit or there is none. */
bool numeric_to_integer(const struct value *value, int64_t *integer);
double numeric_to_float(struct scope *scope, const struct value *value);
/* From a float with `digits` significant digits (15 for float8, 6 for float4). */
enum sqlstate numeric_of_float(struct scope *scope, double f, int digits, struct value *value,
                               struct error *error);

/* Sum, difference, product, quotient of values, as the operators give them. */
enum sqlstate numeric_add(struct scope *scope, const struct value *a, const struct value *b,
                          struct value *result, struct error *error);
enum sqlstate numeric_subtract(struct scope *scope, const struct value *a, const struct value *b,
                               struct value *result, struct error *error);
enum sqlstate numeric_multiply(struct scope *scope, const struct value *a, const struct value *b,
                               struct value *result, struct error *error);
enum sqlstate numeric_divide(struct scope *scope, const struct value *a, const struct value *b,
                             struct value *result, struct error *error);
/* Rounded half away from zero, or cut, at `scale` digits behind (before, if negative) the point. */
enum sqlstate numeric_round_to(struct scope *scope, const struct value *a, int scale, bool cut,
                               struct value *result, struct error *error);

/* ---- finite numbers ---- */

int number_compare(const struct number *a, const struct number *b);
int number_compare_magnitude(const struct number *a, const struct number *b);
struct number number_add(struct scope *scope, const struct number *a, const struct number *b);
struct number number_subtract(struct scope *scope, const struct number *a, const struct number *b);
/* Exact, then rounded when it has more than `scale` digits behind the point. */
struct number number_multiply(struct scope *scope, const struct number *a, const struct number *b, int scale);
/* Requires b not to be 0. The quotient is cut (or rounded) at `scale` digits, which may be negative. */
struct number number_divide(struct scope *scope, const struct number *a, const struct number *b, int scale,
                            bool round);
struct number number_divide_integer(struct scope *scope, const struct number *a, int64_t divisor, int scale);
struct number number_round(struct scope *scope, const struct number *a, int scale);
struct number number_cut(struct scope *scope, const struct number *a, int scale);
struct number number_ceiling(struct scope *scope, const struct number *a);
struct number number_floor(struct scope *scope, const struct number *a);
/* a - b * trunc(a / b); the sign is a's. */
struct number number_modulo(struct scope *scope, const struct number *a, const struct number *b);
/* The scale PostgreSQL gives a quotient: 16 significant digits, and no fewer than the operands show. */
int number_quotient_scale(const struct number *a, const struct number *b);
/* Digits behind the point that are not trailing zeros. */
int number_scale_needed(const struct number *a);
bool number_to_integer(const struct number *a, int64_t *integer);
double number_to_float(struct scope *scope, const struct number *a);
struct number number_square_root(struct scope *scope, const struct number *a, int scale);

/* "value overflows numeric format" */
enum sqlstate raise_numeric_overflow(struct error *error);

#endif
