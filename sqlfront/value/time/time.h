/* Dates, times, time stamps and intervals; time zones (PostgreSQL manual, 8.5, 9.9, appendix B). The one door of
 * sqlfront/value/time.
 *
 *     calendar.c   days and years, hours and microseconds     zone.c     time zones
 *     words.c      the words of dates and times               fields.c   a text taken apart
 *     moment.c     fields to a date, time or time stamp       span.c     fields to an interval
 *     print.c      writing all of them                        types.c    text and binary forms, modifiers
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

extern const struct type_ops date_ops, time_ops, timetz_ops, timestamp_ops, timestamptz_ops, interval_ops;

/* Session settings as text, for SET: "ISO, MDY", "German", ...; false when they make no sense. What is not named stays. */
bool date_style_parse(const char *text, enum date_style *style, enum date_order *order);
bool interval_style_parse(const char *text, enum interval_style *style);
/* "ISO, MDY" */
const char *date_style_text(enum date_style style, enum date_order order);
const char *interval_style_text(enum interval_style style);

#endif
