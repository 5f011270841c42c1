/* Modifiers of the types of time: how many digits of a second, which fields of an interval. */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_MODIFY_H
#define SYNOD_SQLFRONT_VALUE_TIME_MODIFY_H

#include "sqlfront/value/time/calendar.h"

/* Rounds to `modifier` digits of a second; -1 leaves it as it is. */
int64_t modify_microseconds(int64_t microseconds, int32_t modifier);
/* The same for a time stamp: 22008 when it leaves the range, 22023 for a precision that is none. */
enum sqlstate modify_timestamp(int64_t *timestamp, int32_t modifier, struct error *error);
enum sqlstate modify_span(struct span *span, int32_t modifier, struct error *error);

#endif
