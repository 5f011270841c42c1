/* Dates, times, time stamps and intervals; time zones. The one door of sqlfront/value/time.
 *
 * Two types lie in bytes, little-endian:
 *
 *     interval:  0  8  microseconds      timetz:  0  8  microseconds since local midnight
 *                8  4  days                       8  4  seconds west of Greenwich
 *               12  4  months
 */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_TIME_H
#define SYNOD_SQLFRONT_VALUE_TIME_TIME_H

#include "sqlfront/value/value.h"

extern const struct library time_library;

#endif
