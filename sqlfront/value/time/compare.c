/* Comparing points in time of different types, intervals and times with zone. Dates, times and time stamps among their own
 * are compared as integers (number/compare.c). */
#include "sqlfront/value/time/arithmetic.h"
#include "sqlfront/value/time/parse.h"

/* A point in time as a time stamp, wide enough for every date. What is local is brought to UTC when the other side has a
 * zone. */
static __int128 instant(struct call *call, uint32_t type, const struct value *value, bool to_utc)
{
    __int128 local = value->i;
    if (type == TYPE_TIMESTAMPTZ)
        return local;
    if (type == TYPE_DATE) {
        if (!date_finite(value->i))
            return value->i == DATE_INFINITY ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
        local *= MICROSECONDS_PER_DAY;
    } else if (!timestamp_finite(value->i))
        return local;
    int64_t timestamp;
    bool near = local < TIMESTAMP_ABOVE && local >= TIMESTAMP_LEAST;
    if (to_utc && near && zone_timestamp(session_zone(call->environment), (int64_t)local, &timestamp))
        return timestamp;
    /* What lies beyond all time stamps (many dates do) is still not infinite. */
    return near && !to_utc ? local : local > 0 ? TIMESTAMP_INFINITY - 1 : TIMESTAMP_MINUS_INFINITY + 1;
}

static int instant_order(struct call *call, const struct value *arguments, uint32_t type_a, uint32_t type_b)
{
    bool to_utc = type_a == TYPE_TIMESTAMPTZ || type_b == TYPE_TIMESTAMPTZ;
    __int128 a = instant(call, type_a, &arguments[0], to_utc),
             b = instant(call, type_b, &arguments[1], to_utc);
    return (a > b) - (a < b);
}

static int span_order(struct call *call, const struct value *arguments)
{
    struct span a = span_of(&arguments[0]), b = span_of(&arguments[1]);
    __int128 length_a = span_length(&a), length_b = span_length(&b);
    return (length_a > length_b) - (length_a < length_b);
}

static int clock_order(struct call *call, const struct value *arguments)
{
    struct clock a = clock_of(&arguments[0]), b = clock_of(&arguments[1]);
    return clock_compare(&a, &b);
}

/* clang-format off */
#define DATE_TO_TIMESTAMP        instant_order(call, arguments, TYPE_DATE, TYPE_TIMESTAMP)
#define DATE_TO_TIMESTAMPTZ      instant_order(call, arguments, TYPE_DATE, TYPE_TIMESTAMPTZ)
#define TIMESTAMP_TO_DATE        instant_order(call, arguments, TYPE_TIMESTAMP, TYPE_DATE)
#define TIMESTAMP_TO_TIMESTAMPTZ instant_order(call, arguments, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ)
#define TIMESTAMPTZ_TO_DATE      instant_order(call, arguments, TYPE_TIMESTAMPTZ, TYPE_DATE)
#define TIMESTAMPTZ_TO_TIMESTAMP instant_order(call, arguments, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP)

#define COMPARISON(function, order, operator)                                                              \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                      \
        *result = value_boolean((order) operator 0);                                                      \
        return SQLSTATE_OK;                                                                                \
    }
#define ORDER(function, order)                                                                             \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                      \
        *result = value_integer(order);                                                                   \
        return SQLSTATE_OK;                                                                                \
    }
#define CHOICE(function, order, operator)                                                                  \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                      \
        *result = arguments[(order) operator 0 ? 0 : 1];                                                  \
        return SQLSTATE_OK;                                                                                \
    }
COMPARISON(date_eq_timestamp, DATE_TO_TIMESTAMP, ==)
COMPARISON(date_ne_timestamp, DATE_TO_TIMESTAMP, !=)
COMPARISON(date_lt_timestamp, DATE_TO_TIMESTAMP, <)
COMPARISON(date_le_timestamp, DATE_TO_TIMESTAMP, <=)
COMPARISON(date_gt_timestamp, DATE_TO_TIMESTAMP, >)
COMPARISON(date_ge_timestamp, DATE_TO_TIMESTAMP, >=)
ORDER(date_cmp_timestamp, DATE_TO_TIMESTAMP)
COMPARISON(date_eq_timestamptz, DATE_TO_TIMESTAMPTZ, ==)
COMPARISON(date_ne_timestamptz, DATE_TO_TIMESTAMPTZ, !=)
COMPARISON(date_lt_timestamptz, DATE_TO_TIMESTAMPTZ, <)
COMPARISON(date_le_timestamptz, DATE_TO_TIMESTAMPTZ, <=)
COMPARISON(date_gt_timestamptz, DATE_TO_TIMESTAMPTZ, >)
COMPARISON(date_ge_timestamptz, DATE_TO_TIMESTAMPTZ, >=)
ORDER(date_cmp_timestamptz, DATE_TO_TIMESTAMPTZ)
COMPARISON(timestamp_eq_date, TIMESTAMP_TO_DATE, ==)
COMPARISON(timestamp_ne_date, TIMESTAMP_TO_DATE, !=)
COMPARISON(timestamp_lt_date, TIMESTAMP_TO_DATE, <)
COMPARISON(timestamp_le_date, TIMESTAMP_TO_DATE, <=)
COMPARISON(timestamp_gt_date, TIMESTAMP_TO_DATE, >)
COMPARISON(timestamp_ge_date, TIMESTAMP_TO_DATE, >=)
ORDER(timestamp_cmp_date, TIMESTAMP_TO_DATE)
COMPARISON(timestamp_eq_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ, ==)
COMPARISON(timestamp_ne_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ, !=)
COMPARISON(timestamp_lt_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ, <)
COMPARISON(timestamp_le_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ, <=)
COMPARISON(timestamp_gt_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ, >)
COMPARISON(timestamp_ge_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ, >=)
ORDER(timestamp_cmp_timestamptz, TIMESTAMP_TO_TIMESTAMPTZ)
COMPARISON(timestamptz_eq_date, TIMESTAMPTZ_TO_DATE, ==)
COMPARISON(timestamptz_ne_date, TIMESTAMPTZ_TO_DATE, !=)
COMPARISON(timestamptz_lt_date, TIMESTAMPTZ_TO_DATE, <)
COMPARISON(timestamptz_le_date, TIMESTAMPTZ_TO_DATE, <=)
COMPARISON(timestamptz_gt_date, TIMESTAMPTZ_TO_DATE, >)
COMPARISON(timestamptz_ge_date, TIMESTAMPTZ_TO_DATE, >=)
ORDER(timestamptz_cmp_date, TIMESTAMPTZ_TO_DATE)
COMPARISON(timestamptz_eq_timestamp, TIMESTAMPTZ_TO_TIMESTAMP, ==)
COMPARISON(timestamptz_ne_timestamp, TIMESTAMPTZ_TO_TIMESTAMP, !=)
COMPARISON(timestamptz_lt_timestamp, TIMESTAMPTZ_TO_TIMESTAMP, <)
COMPARISON(timestamptz_le_timestamp, TIMESTAMPTZ_TO_TIMESTAMP, <=)
COMPARISON(timestamptz_gt_timestamp, TIMESTAMPTZ_TO_TIMESTAMP, >)
COMPARISON(timestamptz_ge_timestamp, TIMESTAMPTZ_TO_TIMESTAMP, >=)
ORDER(timestamptz_cmp_timestamp, TIMESTAMPTZ_TO_TIMESTAMP)
COMPARISON(interval_eq, span_order(call, arguments), ==)
COMPARISON(interval_ne, span_order(call, arguments), !=)
COMPARISON(interval_lt, span_order(call, arguments), <)
COMPARISON(interval_le, span_order(call, arguments), <=)
COMPARISON(interval_gt, span_order(call, arguments), >)
COMPARISON(interval_ge, span_order(call, arguments), >=)
ORDER(interval_cmp, span_order(call, arguments))
CHOICE(interval_larger, span_order(call, arguments), >)
CHOICE(interval_smaller, span_order(call, arguments), <)
COMPARISON(timetz_eq, clock_order(call, arguments), ==)
COMPARISON(timetz_ne, clock_order(call, arguments), !=)
COMPARISON(timetz_lt, clock_order(call, arguments), <)
COMPARISON(timetz_le, clock_order(call, arguments), <=)
COMPARISON(timetz_gt, clock_order(call, arguments), >)
COMPARISON(timetz_ge, clock_order(call, arguments), >=)
ORDER(timetz_cmp, clock_order(call, arguments))
CHOICE(timetz_larger, clock_order(call, arguments), >)
CHOICE(timetz_smaller, clock_order(call, arguments), <)
/* clang-format on */

static const struct function functions[] = {
    {"date_eq_timestamp", date_eq_timestamp},
    {"date_ne_timestamp", date_ne_timestamp},
    {"date_lt_timestamp", date_lt_timestamp},
    {"date_le_timestamp", date_le_timestamp},
    {"date_gt_timestamp", date_gt_timestamp},
    {"date_ge_timestamp", date_ge_timestamp},
    {"date_cmp_timestamp", date_cmp_timestamp},
    {"date_eq_timestamptz", date_eq_timestamptz},
    {"date_ne_timestamptz", date_ne_timestamptz},
    {"date_lt_timestamptz", date_lt_timestamptz},
    {"date_le_timestamptz", date_le_timestamptz},
    {"date_gt_timestamptz", date_gt_timestamptz},
    {"date_ge_timestamptz", date_ge_timestamptz},
    {"date_cmp_timestamptz", date_cmp_timestamptz},
    {"timestamp_eq_date", timestamp_eq_date},
    {"timestamp_ne_date", timestamp_ne_date},
    {"timestamp_lt_date", timestamp_lt_date},
    {"timestamp_le_date", timestamp_le_date},
    {"timestamp_gt_date", timestamp_gt_date},
    {"timestamp_ge_date", timestamp_ge_date},
    {"timestamp_cmp_date", timestamp_cmp_date},
    {"timestamp_eq_timestamptz", timestamp_eq_timestamptz},
    {"timestamp_ne_timestamptz", timestamp_ne_timestamptz},
    {"timestamp_lt_timestamptz", timestamp_lt_timestamptz},
    {"timestamp_le_timestamptz", timestamp_le_timestamptz},
    {"timestamp_gt_timestamptz", timestamp_gt_timestamptz},
    {"timestamp_ge_timestamptz", timestamp_ge_timestamptz},
    {"timestamp_cmp_timestamptz", timestamp_cmp_timestamptz},
    {"timestamptz_eq_date", timestamptz_eq_date},
    {"timestamptz_ne_date", timestamptz_ne_date},
    {"timestamptz_lt_date", timestamptz_lt_date},
    {"timestamptz_le_date", timestamptz_le_date},
    {"timestamptz_gt_date", timestamptz_gt_date},
    {"timestamptz_ge_date", timestamptz_ge_date},
    {"timestamptz_cmp_date", timestamptz_cmp_date},
    {"timestamptz_eq_timestamp", timestamptz_eq_timestamp},
    {"timestamptz_ne_timestamp", timestamptz_ne_timestamp},
    {"timestamptz_lt_timestamp", timestamptz_lt_timestamp},
    {"timestamptz_le_timestamp", timestamptz_le_timestamp},
    {"timestamptz_gt_timestamp", timestamptz_gt_timestamp},
    {"timestamptz_ge_timestamp", timestamptz_ge_timestamp},
    {"timestamptz_cmp_timestamp", timestamptz_cmp_timestamp},
    {"interval_eq", interval_eq},
    {"interval_ne", interval_ne},
    {"interval_lt", interval_lt},
    {"interval_le", interval_le},
    {"interval_gt", interval_gt},
    {"interval_ge", interval_ge},
    {"interval_cmp", interval_cmp},
    {"interval_larger", interval_larger},
    {"interval_smaller", interval_smaller},
    {"timetz_eq", timetz_eq},
    {"timetz_ne", timetz_ne},
    {"timetz_lt", timetz_lt},
    {"timetz_le", timetz_le},
    {"timetz_gt", timetz_gt},
    {"timetz_ge", timetz_ge},
    {"timetz_cmp", timetz_cmp},
    {"timetz_larger", timetz_larger},
    {"timetz_smaller", timetz_smaller},
    {0},
};

const struct library time_compare_library = {.functions = functions};
