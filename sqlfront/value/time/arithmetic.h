/* Calculating with points in time and intervals, and the steps from one type to another; what the functions of this
 * folder share. All fail with 22008 when a result leaves its type's range. */
#ifndef SYNOD_SQLFRONT_VALUE_TIME_ARITHMETIC_H
#define SYNOD_SQLFRONT_VALUE_TIME_ARITHMETIC_H

#include "sqlfront/value/time/calendar.h"
#include "sqlfront/value/time/zone.h"

enum sqlstate raise_timestamp_range(struct error *error);
enum sqlstate raise_date_range(struct error *error);
enum sqlstate raise_span_range(struct error *error);

/* Adds months (the day is cut to the month's last), then days, then time. With a zone, months and days are local ones. */
enum sqlstate timestamp_add_span(const struct time_zone *zone, int64_t timestamp, const struct span *span,
                                 int64_t *result, struct error *error);
enum sqlstate span_negate(const struct span *span, struct span *result, struct error *error);
enum sqlstate span_add(const struct span *a, const struct span *b, struct span *result, struct error *error);
enum sqlstate span_scale(const struct span *span, double factor, bool divide, struct span *result,
                         struct error *error);
/* Whole days out of the hours. */
enum sqlstate span_justify_hours(struct span *span, struct error *error);

/* A date's midnight; infinite ones stay so. */
enum sqlstate timestamp_of_date(int64_t date, int64_t *timestamp, struct error *error);
/* The same in a zone. */
enum sqlstate timestamptz_of_date(const struct time_zone *zone, int64_t date, int64_t *timestamp,
                                  struct error *error);
enum sqlstate timestamptz_of_timestamp(const struct time_zone *zone, int64_t local, int64_t *timestamp,
                                       struct error *error);
int64_t timestamp_of_timestamptz(const struct time_zone *zone, int64_t timestamp);

/* What AT TIME ZONE names for a time stamp: an abbreviation, a zone, a rule. 22023. An abbreviation gives a fixed zone, by what
 * it meant at that time (which is local or UTC). */
enum sqlstate zone_of_text(struct scope *scope, struct bytes name, int64_t timestamp, bool local,
                           const struct time_zone **zone, struct error *error);

/* Run functions: a date and a time of day (cast.c). */
enum sqlstate date_plus_time(struct call *call, const struct value *arguments, struct value *result);
enum sqlstate date_plus_timetz(struct call *call, const struct value *arguments, struct value *result);

/* The libraries of the folder's files, which library.c gathers. */
extern const struct library time_compare_library, time_operator_library, time_cast_library, time_part_library,
    time_truncate_library, time_make_library, time_set_library, time_format_library, time_read_library;

#endif
