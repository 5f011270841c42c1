/* Order-preserving keys: memcmp() of the bytes orders as the tuples do.
 *
 * Every value begins with a byte that says whether it is null, so placed as nulls_first wants it; the bytes behind it
 * are complemented when the part is descending.
 *
 *     0x01   null, first        0x02   a value        0x03   null, last
 *
 *     integers            type->width bytes, big-endian; the sign bit turned over (not in oids)
 *     enums               the label's position as a float
 *     floats              type->width bytes, big-endian; negative ones complemented, others with the sign bit set. One
 *                         zero, one NaN
 *     bytes, fixed size   as they are
 *     other bytes         as they are but 00 as 00 ff; ended by 00 01. Padded text without the blanks at its end
 *     numeric             class (1 -Infinity, 2 negative, 3 zero, 4 positive, 5 Infinity, 6 NaN); behind 2 and 4 the
 *                         weight + 32768 in two bytes and each digit (base 10000) + 1 in two, ended by 0000; all of
 *                         that complemented behind 2
 *     interval            its length in us, a month as 30 days and a day as 24 hours, in 16 bytes; the sign turned over
 *     timetz              us since midnight UTC (8 bytes) and zone (4), signs turned over
 *
 * So equal values have equal bytes though they may not be the same value (1.0 and 1.00, 1 day and 24 hours):
 * key_is_exact() tells the types whose values come back as they were. */
#include "base/check.h"
#include "sqlfront/value/value.h"
#include "sqlfront/value/wire.h"

#define NULL_FIRST 0x01
#define NOT_NULL   0x02
#define NULL_LAST  0x03

#define BYTES_MAX 2000

enum numeric_class { MINUS_INFINITY = 1, NEGATIVE, ZERO, POSITIVE, INFINITE, NOT_A_NUMBER };

/* As number/numeric.h draws a large numeric. */
#define SIGN_NEGATIVE 1
#define SIGN_SPECIAL  2 /* NaN, and above it the infinities */
#define HEAD_BYTES    6

bool key_is_exact(const struct type *type)
{
    return type->order == ORDER_INTEGER || type->order == ORDER_BYTES || type->order == ORDER_ENUM;
}

/* ---- writing ---- */

static enum sqlstate raise_too_long(struct error *error, size_t size)
{
    return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                     "index row size %zu exceeds maximum %d for an ordered index", size, BYTES_MAX);
}

/* The room behind BYTES_MAX takes what a number may need; what can be longer asks first. */
static void put(struct key_writer *writer, const void *data, uint32_t size)
{
    memcpy(writer->bytes + writer->size, data, size);
    writer->size += size;
}

static void put_u16(struct key_writer *writer, uint16_t word)
{
    wire_write_u16(writer->bytes + writer->size, word);
    writer->size += 2;
}

static void put_u32(struct key_writer *writer, uint32_t word)
{
    wire_write_u32(writer->bytes + writer->size, word);
    writer->size += 4;
}

static void put_u64(struct key_writer *writer, uint64_t word)
{
    wire_write_u64(writer->bytes + writer->size, word);
    writer->size += 8;
}

static void put_integer(struct key_writer *writer, const struct type *type, int64_t i)
{
    uint64_t word = (uint64_t)i;
    if (!type_is_unsigned(type))
        word ^= 1ULL << (type->width * 8 - 1);
    word = __builtin_bswap64(word << (64 - type->width * 8));
    put(writer, &word, type->width);
}

/* The bits of a float as an integer of the same order. */
static uint64_t ordered_bits(double f)
{
    uint64_t bits;
    if (f == 0)
        f = 0; /* -0 */
    memcpy(&bits, &f, 8);
    if (f != f)
        bits = 0x7ff8000000000000ULL;
    return bits >> 63 ? ~bits : bits | 1ULL << 63;
}

static void put_float(struct key_writer *writer, const struct type *type, double f)
{
    if (type->width == 8) {
        put_u64(writer, ordered_bits(f));
        return;
    }
    float narrow = (float)f;
    uint32_t bits;
    if (narrow == 0)
        narrow = 0;
    memcpy(&bits, &narrow, 4);
    if (narrow != narrow)
        bits = 0x7fc00000;
    put_u32(writer, bits >> 31 ? ~bits : bits | 1U << 31);
}

static double label_position(const struct type *type, int64_t oid)
{
    for (uint32_t i = 0; i < type->label_count; i++)
        if (type->labels[i].oid == oid)
            return type->labels[i].position;
    return 0;
}

static enum sqlstate put_text(struct key_writer *writer, const uint8_t *at, size_t size, struct error *error)
{
    size_t zeros = 0;
    for (const uint8_t *zero = at; size && (zero = memchr(zero, 0, (size_t)(at + size - zero))); zero++)
        zeros++;
    if (writer->size + size + zeros + 2 > BYTES_MAX)
        return raise_too_long(error, writer->size + size + zeros + 2);
    if (zeros == 0 && size)
        put(writer, at, (uint32_t)size);
    for (size_t i = 0; zeros && i < size; i++) {
        writer->bytes[writer->size++] = at[i];
        if (at[i] == 0)
            writer->bytes[writer->size++] = 0xff;
    }
    put_u16(writer, 0x0001);
    return SQLSTATE_OK;
}

static size_t without_blanks(const struct value *value)
{
    size_t size = value->size;
    while (size && value->p[size - 1] == ' ')
        size--;
    return size;
}

/* Digits of a numeric in base 10000, the most significant first, without zeros at either end. */
struct digits {
    bool negative;
    int weight;
    uint32_t count;
    const uint8_t *bytes; /* little-endian, two for each; or NULL: */
    uint16_t small[6];
};

static void small_digits(const struct value *value, struct digits *digits)
{
    unsigned behind = ((unsigned)value->scale + 3) / 4;
    unsigned __int128 left = value->i < 0 ? 0 - (uint64_t)value->i : (uint64_t)value->i;
    for (unsigned i = (unsigned)value->scale; i < behind * 4; i++)
        left *= 10;
    uint16_t reversed[6];
    uint32_t count = 0, skip = 0;
    for (; left; left /= 10000)
        reversed[count++] = (uint16_t)(left % 10000);
    while (skip < count && reversed[skip] == 0)
        skip++;
    digits->negative = value->i < 0;
    digits->weight = (int)count - (int)behind - 1;
    digits->count = count - skip;
    for (uint32_t i = 0; i < digits->count; i++)
        digits->small[i] = reversed[count - 1 - i];
}

static enum numeric_class read_digits(const struct value *value, struct digits *digits)
{
    *digits = (struct digits){0};
    if (value->small) {
        small_digits(value, digits);
    } else {
        static const uint8_t special[] = {NOT_A_NUMBER, INFINITE, MINUS_INFINITY};
        if (value->p[0] >= SIGN_SPECIAL)
            return special[(value->p[0] - SIGN_SPECIAL) % 3];
        int16_t weight;
        memcpy(&weight, value->p + 4, 2);
        digits->negative = value->p[0] == SIGN_NEGATIVE;
        digits->weight = weight;
        digits->count = (value->size - HEAD_BYTES) / 2;
        digits->bytes = value->p + HEAD_BYTES;
    }
    return digits->count == 0 ? ZERO : digits->negative ? NEGATIVE : POSITIVE;
}

static enum sqlstate put_numeric(struct key_writer *writer, const struct value *value, struct error *error)
{
    struct digits digits;
    enum numeric_class class = read_digits(value, &digits);
    size_t size = 1 + 2 + 2 * (size_t)digits.count + 2;
    if (writer->size + size > BYTES_MAX)
        return raise_too_long(error, writer->size + size);
    writer->bytes[writer->size++] = (uint8_t) class;
    if (class != NEGATIVE && class != POSITIVE)
        return SQLSTATE_OK;
    uint16_t turn = class == NEGATIVE ? 0xffff : 0;
    put_u16(writer, (uint16_t)((uint16_t)(digits.weight + 32768) ^ turn));
    for (uint32_t i = 0; i < digits.count; i++) {
        uint16_t digit = digits.small[i % 6];
        if (digits.bytes)
            memcpy(&digit, digits.bytes + 2 * (size_t)i, 2);
        put_u16(writer, (uint16_t)((digit + 1) ^ turn));
    }
    put_u16(writer, turn);
    return SQLSTATE_OK;
}

static void put_interval(struct key_writer *writer, const uint8_t *at)
{
    int64_t microseconds;
    int32_t days, months;
    memcpy(&microseconds, at, 8);
    memcpy(&days, at + 8, 4);
    memcpy(&months, at + 12, 4);
    __int128 length = microseconds + ((__int128)months * 30 + days) * 86400000000LL;
    put_u64(writer, (uint64_t)(length >> 64) ^ 1ULL << 63);
    put_u64(writer, (uint64_t)length);
}

static void put_timetz(struct key_writer *writer, const uint8_t *at)
{
    int64_t microseconds;
    int32_t zone;
    memcpy(&microseconds, at, 8);
    memcpy(&zone, at + 8, 4);
    put_u64(writer, (uint64_t)(microseconds + (int64_t)zone * 1000000) ^ 1ULL << 63);
    put_u32(writer, (uint32_t)zone ^ 1U << 31);
}

static enum sqlstate put_value(struct key_writer *writer, const struct type *type, const struct value *value,
                               struct error *error)
{
    switch (type->order) {
    case ORDER_INTEGER:
        put_integer(writer, type, value->i);
        return SQLSTATE_OK;
    case ORDER_ENUM:
        put_u64(writer, ordered_bits(label_position(type, value->i)));
        return SQLSTATE_OK;
    case ORDER_FLOAT:
        put_float(writer, type, value->f);
        return SQLSTATE_OK;
    case ORDER_BYTES:
        if (type->width == 0)
            return put_text(writer, value->p, value->size, error);
        put(writer, value->p, type->width);
        return SQLSTATE_OK;
    case ORDER_PADDED:
        return put_text(writer, value->p, without_blanks(value), error);
    case ORDER_NUMERIC:
        return put_numeric(writer, value, error);
    case ORDER_INTERVAL:
        put_interval(writer, value->p);
        return SQLSTATE_OK;
    case ORDER_TIMETZ:
        put_timetz(writer, value->p);
        return SQLSTATE_OK;
    default:
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "keys of type %s are not supported",
                         type->name);
    }
}

enum sqlstate key_append(struct key_writer *writer, const struct key_part *part, const struct value *value,
                         struct error *error)
{
    check(writer->size <= BYTES_MAX);
    writer->bytes[writer->size++] = !value->null ? NOT_NULL : part->nulls_first ? NULL_FIRST : NULL_LAST;
    if (value->null)
        return SQLSTATE_OK;
    uint32_t from = writer->size;
    enum sqlstate failed = put_value(writer, part->type, value, error);
    if (failed)
        return failed;
    if (part->descending)
        for (uint32_t i = from; i < writer->size; i++)
            writer->bytes[i] = (uint8_t)~writer->bytes[i];
    return writer->size > BYTES_MAX ? raise_too_long(error, writer->size) : SQLSTATE_OK;
}

/* ---- reading ---- */

/* What is left of a key; bytes of a descending part are turned back as they are read. */
struct reader {
    const uint8_t *at, *end;
    uint8_t turn; /* 0xff when descending */
    bool failed;
};

static const uint8_t *take(struct reader *in, size_t size, uint8_t *room)
{
    if ((size_t)(in->end - in->at) < size) {
        in->failed = true;
        memset(room, 0, size);
        return room;
    }
    for (size_t i = 0; i < size; i++)
        room[i] = in->at[i] ^ in->turn;
    in->at += size;
    return room;
}

static uint64_t take_word(struct reader *in, unsigned width)
{
    uint8_t room[8] = {0};
    take(in, width, room + 8 - width);
    return wire_read_u64(room);
}

static struct value take_integer(struct reader *in, const struct type *type)
{
    unsigned away = 64 - type->width * 8u;
    uint64_t word = take_word(in, type->width);
    if (type_is_unsigned(type))
        return value_integer((int64_t)word);
    word ^= 1ULL << (type->width * 8 - 1);
    return value_integer((int64_t)(word << away) >> away);
}

static double take_double(struct reader *in)
{
    uint64_t bits = take_word(in, 8);
    double f;
    bits = bits >> 63 ? bits & ~(1ULL << 63) : ~bits;
    memcpy(&f, &bits, 8);
    return f;
}

static struct value take_float(struct reader *in, const struct type *type)
{
    if (type->width == 8)
        return value_float(take_double(in));
    uint32_t bits = (uint32_t)take_word(in, 4);
    float narrow;
    bits = bits >> 31 ? bits & ~(1U << 31) : ~bits;
    memcpy(&narrow, &bits, 4);
    return value_float((double)narrow);
}

static struct value take_label(struct reader *in, const struct type *type)
{
    double position = take_double(in);
    for (uint32_t i = 0; i < type->label_count; i++)
        if (type->labels[i].position == position)
            return value_integer(type->labels[i].oid);
    in->failed = true;
    return value_null();
}

static struct value take_text(struct reader *in, struct scope *scope)
{
    const uint8_t *at = in->at;
    size_t zeros = 0;
    uint8_t zero = in->turn, end = 0x01 ^ in->turn;
    for (; in->end - at >= 2 && !(at[0] == zero && at[1] == end); at++)
        if (at[0] == zero) {
            zeros++;
            at++;
        }
    if (in->end - at < 2) {
        in->failed = true;
        return value_null();
    }
    const uint8_t *from = in->at;
    size_t size = (size_t)(at - from);
    in->at = at + 2;
    if (zeros == 0 && in->turn == 0)
        return value_bytes(from, size);
    uint8_t *room = scope_alloc(scope, size ? size : 1);
    size_t done = 0;
    for (size_t i = 0; i < size; i++) {
        room[done] = from[i] ^ in->turn;
        i += room[done++] == 0;
    }
    return value_bytes(room, done);
}

static const uint8_t special_sign[] = {[MINUS_INFINITY] = 4, [INFINITE] = 3, [NOT_A_NUMBER] = 2};

/* As a small value when it is one: the digits shown are those needed. */
static bool make_small(const uint16_t *digits, uint32_t count, int weight, bool negative, struct value *value)
{
    int behind = (int)count - weight - 1;
    unsigned __int128 unscaled = 0;
    if (count > 5 || weight > 4 || behind > 5)
        return false;
    for (uint32_t i = 0; i < count; i++)
        unscaled = unscaled * 10000 + digits[i];
    for (; behind < 0; behind++)
        unscaled *= 10000;
    int scale = behind * 4;
    for (; scale > 0 && unscaled % 10 == 0; scale--)
        unscaled /= 10;
    if (scale > NUMERIC_SMALL_SCALE_MAX || unscaled > INT64_MAX)
        return false;
    *value = value_small_numeric(negative ? -(int64_t)unscaled : (int64_t)unscaled, scale);
    return true;
}

static struct value make_large(struct scope *scope, const uint16_t *digits, uint32_t count, int weight,
                               bool negative)
{
    size_t size = HEAD_BYTES + 2 * (size_t)count;
    uint8_t *room = scope_alloc(scope, size);
    int behind = ((int)count - weight - 1) * 4;
    uint16_t scale = (uint16_t)(behind > 0 ? behind : 0);
    for (uint16_t last = digits[count - 1]; scale && last % 10 == 0; last /= 10)
        scale--;
    int16_t weight_bytes = (int16_t)weight;
    room[0] = negative ? SIGN_NEGATIVE : 0;
    room[1] = 0;
    memcpy(room + 2, &scale, 2);
    memcpy(room + 4, &weight_bytes, 2);
    memcpy(room + HEAD_BYTES, digits, 2 * (size_t)count);
    return value_bytes(room, size);
}

static struct value take_numeric(struct reader *in, struct scope *scope)
{
    uint8_t class = (uint8_t)take_word(in, 1);
    if (class == ZERO)
        return value_small_numeric(0, 0);
    if (class == MINUS_INFINITY || class == INFINITE || class == NOT_A_NUMBER) {
        uint8_t *room = scope_alloc_zeroed(scope, HEAD_BYTES);
        room[0] = special_sign[class];
        return value_bytes(room, HEAD_BYTES);
    }
    if (class != NEGATIVE && class != POSITIVE) {
        in->failed = true;
        return value_null();
    }
    uint16_t turn = class == NEGATIVE ? 0xffff : 0, digits[BYTES_MAX / 2];
    int weight = (uint16_t)(take_word(in, 2) ^ turn) - 32768;
    uint32_t count = 0;
    for (;;) {
        uint16_t digit = (uint16_t)(take_word(in, 2) ^ turn);
        if (in->failed || digit == 0)
            break;
        if (digit > 10000 || count == BYTES_MAX / 2) {
            in->failed = true;
            break;
        }
        digits[count++] = (uint16_t)(digit - 1);
    }
    in->failed |= count == 0 || digits[0] == 0 || digits[count - 1] == 0;
    struct value value;
    if (in->failed)
        return value_null();
    if (make_small(digits, count, weight, class == NEGATIVE, &value))
        return value;
    return make_large(scope, digits, count, weight, class == NEGATIVE);
}

static struct value take_interval(struct reader *in, struct scope *scope)
{
    uint64_t high = take_word(in, 8) ^ 1ULL << 63, low = take_word(in, 8);
    __int128 length = (__int128)((unsigned __int128)high << 64 | low), day = 86400000000LL;
    __int128 all_days = length / day;
    int64_t microseconds = (int64_t)(length % day);
    __int128 all_months = all_days / 30;
    int32_t days = (int32_t)(all_days % 30), months = (int32_t)all_months;
    in->failed |= months != all_months;
    uint8_t *room = scope_alloc(scope, 16);
    memcpy(room, &microseconds, 8);
    memcpy(room + 8, &days, 4);
    memcpy(room + 12, &months, 4);
    return value_bytes(room, 16);
}

static struct value take_timetz(struct reader *in, struct scope *scope)
{
    int64_t universal = (int64_t)(take_word(in, 8) ^ 1ULL << 63);
    int32_t zone = (int32_t)((uint32_t)take_word(in, 4) ^ 1U << 31);
    int64_t microseconds = (int64_t)((uint64_t)universal - (uint64_t)((int64_t)zone * 1000000));
    uint8_t *room = scope_alloc(scope, 12);
    memcpy(room, &microseconds, 8);
    memcpy(room + 8, &zone, 4);
    return value_bytes(room, 12);
}

static struct value take_fixed(struct reader *in, const struct type *type, struct scope *scope)
{
    const uint8_t *at = in->at;
    if (in->turn == 0 && (size_t)(in->end - at) >= type->width) {
        in->at += type->width;
        return value_bytes(at, type->width);
    }
    uint8_t *room = scope_alloc(scope, type->width);
    return value_bytes(take(in, type->width, room), type->width);
}

static struct value take_value(struct reader *in, struct scope *scope, const struct type *type)
{
    switch (type->order) {
    case ORDER_INTEGER:
        return take_integer(in, type);
    case ORDER_ENUM:
        return take_label(in, type);
    case ORDER_FLOAT:
        return take_float(in, type);
    case ORDER_BYTES:
        return type->width ? take_fixed(in, type, scope) : take_text(in, scope);
    case ORDER_PADDED:
        return take_text(in, scope);
    case ORDER_NUMERIC:
        return take_numeric(in, scope);
    case ORDER_INTERVAL:
        return take_interval(in, scope);
    case ORDER_TIMETZ:
        return take_timetz(in, scope);
    default:
        in->failed = true;
        return value_null();
    }
}

enum sqlstate key_decode(struct scope *scope, const struct key_part *part, struct bytes *key,
                         struct value *value, struct error *error)
{
    struct reader in = {.at = key->data, .end = key->data + key->size};
    uint8_t mark = key->size ? *in.at++ : 0;
    *value = value_null();
    if (mark == NOT_NULL) {
        in.turn = part->descending ? 0xff : 0;
        *value = take_value(&in, scope, part->type);
    } else if (mark != NULL_FIRST && mark != NULL_LAST) {
        in.failed = true;
    }
    if (in.failed)
        return error_set(error, SQLSTATE_INDEX_CORRUPTED, "a key's bytes make no sense");
    *key = bytes_of(in.at, (size_t)(in.end - in.at));
    return SQLSTATE_OK;
}

bool key_after_prefix(struct bytes prefix, uint8_t *room, uint32_t *size)
{
    size_t left = prefix.size;
    while (left && prefix.data[left - 1] == 0xff)
        left--;
    if (left == 0)
        return false;
    memmove(room, prefix.data, left);
    room[left - 1]++;
    *size = (uint32_t)left;
    return true;
}
