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
 * all little-endian. NaN and the infinities have no digits, scale 0 and weight 0. */
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

#endif
