/* Writing dates, times, time stamps and intervals, in every DateStyle and IntervalStyle. */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_PRINT_H
#define SYNOD_SQLFRONT_VALUE_TIME_PRINT_H

#include "sqlfront/value/time/calendar.h"
#include "sqlfront/value/time/zone.h"

/* Room for any of them, end mark included. */
#define TIME_TEXT_BYTES 128

size_t print_date(const struct environment *environment, int64_t date, char *room);
/* hh:mm:ss.ffffff, the fraction without trailing zeros. */
size_t print_time(int64_t microseconds, char *room);
size_t print_clock(const struct environment *environment, const struct clock *clock, char *room);
size_t print_timestamp(const struct environment *environment, int64_t timestamp, char *room);
size_t print_timestamptz(const struct environment *environment, int64_t timestamp, char *room);
size_t print_span(const struct environment *environment, const struct span *span, char *room);

#endif
