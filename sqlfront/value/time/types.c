/* The types of time: text and binary forms, modifiers, order. */
#include "sqlfront/value/raise.h"
#include "sqlfront/value/time/modify.h"
#include "sqlfront/value/time/parse.h"
#include "sqlfront/value/time/print.h"
#include "sqlfront/value/time/time.h"
#include "sqlfront/value/wire.h"

#include <stdlib.h>
#include <strings.h>

/* ---- modifiers ---- */

static const int64_t powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

int64_t modify_microseconds(int64_t microseconds, int32_t modifier)
{
    if (modifier < 0 || modifier >= 6)
        return microseconds;
    int64_t unit = powers[modifier];
    return microseconds >= 0 ? (microseconds + unit / 2) / unit * unit
                             : -((-microseconds + unit / 2) / unit * unit);
}

enum sqlstate modify_timestamp(int64_t *timestamp, int32_t modifier, struct error *error)
{
    if (!timestamp_finite(*timestamp))
        return SQLSTATE_OK;
    *timestamp = modify_microseconds(*timestamp, modifier);
    return SQLSTATE_OK;
}

/* Upper half: the fields kept; lower half: digits of a second, 65535 = all. */
enum sqlstate modify_span(struct span *span, int32_t modifier, struct error *error)
{
    if (modifier < 0)
        return SQLSTATE_OK;
    int range = modifier >> 16 & 0x7fff, digits = modifier & 0xffff;
    if (range != RANGE_FULL) {
        /* Fields below the last one named are cut; those above are kept whatever was named. */
        if (range == RANGE_YEAR)
            *span = (struct span){.months = span->months / MONTHS_PER_YEAR * MONTHS_PER_YEAR};
        else if (!(range & ~(RANGE_YEAR | RANGE_MONTH)))
            *span = (struct span){.months = span->months};
        else if (range == RANGE_DAY)
            span->microseconds = 0;
        else if (!(range & (RANGE_MINUTE | RANGE_SECOND)))
            span->microseconds = span->microseconds / MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR;
        else if (!(range & RANGE_SECOND))
            span->microseconds = span->microseconds / MICROSECONDS_PER_MINUTE * MICROSECONDS_PER_MINUTE;
    }
    if (digits != 0xffff) {
        if (digits > 6)
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "interval(%d) precision must be between %d and %d", digits, 0, 6);
        span->microseconds = modify_microseconds(span->microseconds, digits);
    }
    return SQLSTATE_OK;
}

/* ---- the plain form ---- */

/* `count` digits; -1 when they are none. */
static int digits_at(const uint8_t *at, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)at[i] - '0';
        if (digit > 9)
            return -1;
        sum = sum * 10 + (int)digit;
    }
    return sum;
}

/* YYYY-MM-DD, whatever DateStyle says; false for all else and for days that are none: parse_moment() looks closer. */
static bool plain_date(const uint8_t *at, int64_t *days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = digits_at(at, 4), month = digits_at(at + 5, 2), day = digits_at(at + 8, 2);
    if (at[4] != '-' || at[7] != '-' || year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    /* Years begin in March, so that the leap day is their last. */
    int from = year - (month <= 2), of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    *days = 365L * from + from / 4 - from / 100 + from / 400 + of_year - 730425;
    return true;
}

/* YYYY-MM-DD HH:MM:SS, perhaps with up to six digits behind a point. */
static bool plain_timestamp(struct bytes text, int64_t *timestamp)
{
    const uint8_t *at = text.data;
    int64_t days;
    if (text.size < 19 || text.size == 20 || text.size > 26 || !plain_date(at, &days) ||
        (at[10] != ' ' && at[10] != 'T') || at[13] != ':' || at[16] != ':' ||
        (text.size > 19 && at[19] != '.'))
        return false;
    int hour = digits_at(at + 11, 2), minute = digits_at(at + 14, 2), second = digits_at(at + 17, 2);
    int behind = text.size > 20 ? (int)text.size - 20 : 0, part = behind ? digits_at(at + 20, behind) : 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || part < 0)
        return false;
    *timestamp = days * MICROSECONDS_PER_DAY + hour * MICROSECONDS_PER_HOUR +
                 minute * MICROSECONDS_PER_MINUTE + second * MICROSECONDS_PER_SECOND + part * powers[behind];
    return true;
}

/* ---- date ---- */

static enum sqlstate raise_date(struct error *error, struct bytes text)
{
    return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range: \"%.*s\"", (int)text.size,
                     (const char *)text.data);
}

static enum sqlstate date_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct parsed parsed;
    *value = value_integer(0);
    if (text.size == 10 && plain_date(text.data, &value->i))
        return SQLSTATE_OK;
    enum sqlstate failed = parse_moment(environment, scope, "date", text, &parsed, error);
    if (failed)
        return failed;
    const struct moment *moment = &parsed.moment;
    switch (parsed.kind) {
    case PARSED_LATE:
        *value = value_integer(DATE_INFINITY);
        return SQLSTATE_OK;
    case PARSED_EARLY:
        *value = value_integer(DATE_MINUS_INFINITY);
        return SQLSTATE_OK;
    case PARSED_EPOCH:
        *value = value_integer(JULIAN_UNIX_EPOCH - JULIAN_EPOCH);
        return SQLSTATE_OK;
    default:
        if (!calendar_reaches(moment->year, moment->month, moment->day))
            return raise_date(error, text);
        *value = value_integer(calendar_days(moment->year, moment->month, moment->day));
        return date_valid(value->i) ? SQLSTATE_OK : raise_date(error, text);
    }
}

static enum sqlstate date_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, TIME_TEXT_BYTES);
    *text = bytes_of(room, print_date(environment, value->i, room));
    return SQLSTATE_OK;
}

static enum sqlstate date_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    if (binary.size != 4)
        return raise_bad_binary(error, binary.size < 4);
    *value = value_integer((int32_t)wire_read_u32(binary.data));
    if (date_finite(value->i) && !date_valid(value->i))
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "date out of range");
    return SQLSTATE_OK;
}

static enum sqlstate date_send(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *binary, struct error *error)
{
    uint8_t *room = scope_alloc(scope, 4);
    wire_write_u32(room, (uint32_t)value->i);
    *binary = bytes_of(room, 4);
    return SQLSTATE_OK;
}

/* ---- time, timetz ---- */

static enum sqlstate time_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct parsed parsed;
    enum sqlstate failed = parse_clock(environment, scope, "time", text, &parsed, error);
    if (!failed)
        *value = value_integer(modify_microseconds(moment_microseconds_of_day(&parsed.moment), modifier));
    return failed;
}

static enum sqlstate time_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, TIME_TEXT_BYTES);
    *text = bytes_of(room, print_time(value->i, room));
    return SQLSTATE_OK;
}

static enum sqlstate long_send(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *binary, struct error *error)
{
    uint8_t *room = scope_alloc(scope, 8);
    wire_write_u64(room, (uint64_t)value->i);
    *binary = bytes_of(room, 8);
    return SQLSTATE_OK;
}

static enum sqlstate time_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    if (binary.size != 8)
        return raise_bad_binary(error, binary.size < 8);
    int64_t microseconds = (int64_t)wire_read_u64(binary.data);
    if (microseconds < 0 || microseconds > MICROSECONDS_PER_DAY)
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "time out of range");
    *value = value_integer(modify_microseconds(microseconds, modifier));
    return SQLSTATE_OK;
}

static enum sqlstate timetz_in(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct parsed parsed;
    enum sqlstate failed = parse_clock(environment, scope, "time with time zone", text, &parsed, error);
    if (failed)
        return failed;
    struct clock clock = {modify_microseconds(moment_microseconds_of_day(&parsed.moment), modifier),
                          parsed.west};
    *value = clock_value(scope, &clock);
    return SQLSTATE_OK;
}

static enum sqlstate timetz_out(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, TIME_TEXT_BYTES);
    struct clock clock = clock_of(value);
    *text = bytes_of(room, print_clock(environment, &clock, room));
    return SQLSTATE_OK;
}

/* PostgreSQL's bound of a zone: 15:59:59 either way. */
#define WEST_ABOVE (16 * 3600)

static enum sqlstate timetz_receive(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes binary,
                                    struct value *value, struct error *error)
{
    if (binary.size != 12)
        return raise_bad_binary(error, binary.size < 12);
    struct clock clock = {(int64_t)wire_read_u64(binary.data), (int32_t)wire_read_u32(binary.data + 8)};
    if (clock.microseconds < 0 || clock.microseconds > MICROSECONDS_PER_DAY)
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "time out of range");
    if (clock.west <= -WEST_ABOVE || clock.west >= WEST_ABOVE)
        return error_set(error, SQLSTATE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                         "time zone displacement out of range");
    clock.microseconds = modify_microseconds(clock.microseconds, modifier);
    *value = clock_value(scope, &clock);
    return SQLSTATE_OK;
}

static enum sqlstate timetz_send(struct environment *environment, struct scope *scope,
                                 const struct type *type, const struct value *value, struct bytes *binary,
                                 struct error *error)
{
    struct clock clock = clock_of(value);
    uint8_t *room = scope_alloc(scope, 12);
    wire_write_u64(room, (uint64_t)clock.microseconds);
    wire_write_u32(room + 8, (uint32_t)clock.west);
    *binary = bytes_of(room, 12);
    return SQLSTATE_OK;
}

static int timetz_compare(struct environment *environment, const struct type *type, const struct value *a,
                          const struct value *b)
{
    struct clock clock_a = clock_of(a), clock_b = clock_of(b);
    return clock_compare(&clock_a, &clock_b);
}

static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ bits >> 33) * 0xff51afd7ed558ccdULL;
    bits = (bits ^ bits >> 33) * 0xc4ceb9fe1a85ec53ULL;
    return bits ^ bits >> 33;
}

static uint64_t timetz_hash(struct environment *environment, const struct type *type,
                            const struct value *value)
{
    struct clock clock = clock_of(value);
    return mix((uint64_t)clock.microseconds ^ mix((uint64_t)(uint32_t)clock.west));
}

/* ---- timestamp, timestamptz ---- */

static enum sqlstate read_timestamp(struct environment *environment, struct scope *scope, bool zone,
                                    int32_t modifier, struct bytes text, struct value *value,
                                    struct error *error)
{
    struct parsed parsed;
    *value = value_integer(0);
    if (!zone && plain_timestamp(text, &value->i))
        return modify_timestamp(&value->i, modifier, error);
    enum sqlstate failed = parse_moment(environment, scope, zone ? "timestamp with time zone" : "timestamp",
                                        text, &parsed, error);
    if (failed)
        return failed;
    *value = value_integer(0);
    switch (parsed.kind) {
    case PARSED_LATE:
        value->i = TIMESTAMP_INFINITY;
        return SQLSTATE_OK;
    case PARSED_EARLY:
        value->i = TIMESTAMP_MINUS_INFINITY;
        return SQLSTATE_OK;
    case PARSED_EPOCH:
        value->i = -UNIX_EPOCH_SECONDS * MICROSECONDS_PER_SECOND;
        return SQLSTATE_OK;
    default:
        break;
    }
    bool fits = calendar_reaches(parsed.moment.year, parsed.moment.month, parsed.moment.day);
    int64_t days = calendar_days(parsed.moment.year, parsed.moment.month, parsed.moment.day);
    __int128 timestamp = (__int128)days * MICROSECONDS_PER_DAY + moment_microseconds_of_day(&parsed.moment);
    if (zone)
        timestamp += parsed.west * MICROSECONDS_PER_SECOND;
    if (!fits || timestamp < TIMESTAMP_LEAST || timestamp >= TIMESTAMP_ABOVE)
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "timestamp out of range: \"%.*s\"",
                         (int)text.size, (const char *)text.data);
    value->i = (int64_t)timestamp;
    return modify_timestamp(&value->i, modifier, error);
}

static enum sqlstate timestamp_in(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes text,
                                  struct value *value, struct error *error)
{
    return read_timestamp(environment, scope, false, modifier, text, value, error);
}

static enum sqlstate timestamptz_in(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes text,
                                    struct value *value, struct error *error)
{
    return read_timestamp(environment, scope, true, modifier, text, value, error);
}

static enum sqlstate timestamp_out(struct environment *environment, struct scope *scope,
                                   const struct type *type, const struct value *value, struct bytes *text,
                                   struct error *error)
{
    char *room = scope_alloc(scope, TIME_TEXT_BYTES);
    *text = bytes_of(room, print_timestamp(environment, value->i, room));
    return SQLSTATE_OK;
}

static enum sqlstate timestamptz_out(struct environment *environment, struct scope *scope,
                                     const struct type *type, const struct value *value, struct bytes *text,
                                     struct error *error)
{
    char *room = scope_alloc(scope, TIME_TEXT_BYTES);
    *text = bytes_of(room, print_timestamptz(environment, value->i, room));
    return SQLSTATE_OK;
}

static enum sqlstate timestamp_receive(struct environment *environment, struct scope *scope,
                                       const struct type *type, int32_t modifier, struct bytes binary,
                                       struct value *value, struct error *error)
{
    if (binary.size != 8)
        return raise_bad_binary(error, binary.size < 8);
    *value = value_integer((int64_t)wire_read_u64(binary.data));
    if (timestamp_finite(value->i) && !timestamp_valid(value->i))
        return error_set(error, SQLSTATE_DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    return modify_timestamp(&value->i, modifier, error);
}

/* ---- interval ---- */

static enum sqlstate interval_in(struct environment *environment, struct scope *scope,
                                 const struct type *type, int32_t modifier, struct bytes text,
                                 struct value *value, struct error *error)
{
    struct span span;
    int range = modifier >= 0 ? modifier >> 16 & 0x7fff : RANGE_FULL;
    enum sqlstate failed = parse_span(environment, text, range, &span, error);
    if (!failed)
        failed = modify_span(&span, modifier, error);
    if (!failed)
        *value = span_value(scope, &span);
    return failed;
}

static enum sqlstate interval_out(struct environment *environment, struct scope *scope,
                                  const struct type *type, const struct value *value, struct bytes *text,
                                  struct error *error)
{
    char *room = scope_alloc(scope, TIME_TEXT_BYTES * 2);
    struct span span = span_of(value);
    *text = bytes_of(room, print_span(environment, &span, room));
    return SQLSTATE_OK;
}

static enum sqlstate interval_receive(struct environment *environment, struct scope *scope,
                                      const struct type *type, int32_t modifier, struct bytes binary,
                                      struct value *value, struct error *error)
{
    if (binary.size != 16)
        return raise_bad_binary(error, binary.size < 16);
    struct span span = {(int64_t)wire_read_u64(binary.data), (int32_t)wire_read_u32(binary.data + 8),
                        (int32_t)wire_read_u32(binary.data + 12)};
    enum sqlstate failed = modify_span(&span, modifier, error);
    if (!failed)
        *value = span_value(scope, &span);
    return failed;
}

static enum sqlstate interval_send(struct environment *environment, struct scope *scope,
                                   const struct type *type, const struct value *value, struct bytes *binary,
                                   struct error *error)
{
    struct span span = span_of(value);
    uint8_t *room = scope_alloc(scope, 16);
    wire_write_u64(room, (uint64_t)span.microseconds);
    wire_write_u32(room + 8, (uint32_t)span.days);
    wire_write_u32(room + 12, (uint32_t)span.months);
    *binary = bytes_of(room, 16);
    return SQLSTATE_OK;
}

static int interval_compare(struct environment *environment, const struct type *type, const struct value *a,
                            const struct value *b)
{
    struct span span_a = span_of(a), span_b = span_of(b);
    __int128 length_a = span_length(&span_a), length_b = span_length(&span_b);
    return (length_a > length_b) - (length_a < length_b);
}

static uint64_t interval_hash(struct environment *environment, const struct type *type,
                              const struct value *value)
{
    struct span span = span_of(value);
    __int128 length = span_length(&span);
    return mix((uint64_t)length ^ mix((uint64_t)(length >> 64)));
}

const struct type_ops date_ops = {date_in, date_out, date_receive, date_send};
const struct type_ops time_ops = {time_in, time_out, time_receive, long_send};
const struct type_ops timetz_ops = {timetz_in,   timetz_out,     timetz_receive,
                                    timetz_send, timetz_compare, timetz_hash};
const struct type_ops timestamp_ops = {timestamp_in, timestamp_out, timestamp_receive, long_send};
const struct type_ops timestamptz_ops = {timestamptz_in, timestamptz_out, timestamp_receive, long_send};
const struct type_ops interval_ops = {interval_in,   interval_out,     interval_receive,
                                      interval_send, interval_compare, interval_hash};

/* ---- settings ---- */

static const char *const interval_styles[] = {"postgres", "postgres_verbose", "sql_standard", "iso_8601"};

static bool apply_style(const char *word, size_t size, enum date_style *style, enum date_order *order)
{
    static const struct {
        const char *word;
        int style, order;
    } words[] = {{"iso", DATE_ISO, -1},
                 {"sql", DATE_SQL, -1},
                 {"postgres", DATE_POSTGRES, -1},
                 {"postgresql", DATE_POSTGRES, -1},
                 {"german", DATE_GERMAN, -1},
                 {"ymd", -1, DATE_YMD},
                 {"dmy", -1, DATE_DMY},
                 {"euro", -1, DATE_DMY},
                 {"european", -1, DATE_DMY},
                 {"mdy", -1, DATE_MDY},
                 {"us", -1, DATE_MDY},
                 {"noneuro", -1, DATE_MDY},
                 {"noneuropean", -1, DATE_MDY}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strncasecmp(words[i].word, word, size) != 0 || words[i].word[size])
            continue;
        if (words[i].style >= 0)
            *style = (enum date_style)words[i].style;
        if (words[i].style == DATE_GERMAN)
            *order = DATE_DMY;
        if (words[i].order >= 0)
            *order = (enum date_order)words[i].order;
        return true;
    }
    return size == 7 && strncasecmp(word, "default", 7) == 0;
}

bool date_style_parse(const char *text, enum date_style *style, enum date_order *order)
{
    enum date_style new_style = *style;
    enum date_order new_order = *order;
    while (*text) {
        size_t size = strcspn(text, ", ");
        if (size && !apply_style(text, size, &new_style, &new_order))
            return false;
        text += size;
        text += strspn(text, ", ");
    }
    *style = new_style;
    *order = new_order;
    return true;
}

bool interval_style_parse(const char *text, enum interval_style *style)
{
    for (int i = 0; i < 4; i++)
        if (strcasecmp(interval_styles[i], text) == 0) {
            *style = (enum interval_style)i;
            return true;
        }
    return false;
}

const char *date_style_text(enum date_style style, enum date_order order)
{
    static const char *const texts[4][3] = {{"ISO, MDY", "ISO, DMY", "ISO, YMD"},
                                            {"SQL, MDY", "SQL, DMY", "SQL, YMD"},
                                            {"Postgres, MDY", "Postgres, DMY", "Postgres, YMD"},
                                            {"German, MDY", "German, DMY", "German, YMD"}};
    return texts[style][order];
}

const char *interval_style_text(enum interval_style style)
{
    return interval_styles[style];
}
