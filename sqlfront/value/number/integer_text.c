/* Text and binary forms of boolean, the integers and the types stored like them. */
#include "sqlfront/value/number/number.h"

#include "sqlfront/value/raise.h"
#include "sqlfront/value/wire.h"

#include <stdio.h>
#include <stdlib.h>

static bool blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size && blank(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* ---- reading and writing digits ---- */

/* Up to 18 digits and nothing else: what most integers look like. */
static bool plain_digits(struct bytes text, int64_t *value)
{
    int64_t sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

enum sqlstate integer_parse(const char *type, struct bytes text, int64_t least, int64_t most, int64_t *value,
                            struct error *error)
{
    if (text.size && text.size <= 18 && plain_digits(text, value) && *value <= most)
        return SQLSTATE_OK;
    struct bytes digits = trimmed(text);
    bool negative = digits.size && digits.data[0] == '-';
    if (digits.size && (negative || digits.data[0] == '+'))
        digits = bytes_of(digits.data + 1, digits.size - 1);
    if (digits.size == 0)
        return raise_bad_text(error, type, text);
    int64_t sum = 0; /* negative, for there is one more of those */
    bool too_large = false;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = (unsigned)digits.data[i] - '0';
        if (digit > 9)
            return raise_bad_text(error, type, text);
        too_large |=
            __builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, (int64_t)digit, &sum);
    }
    if (too_large || (negative ? sum < least : sum == INT64_MIN || -sum > most))
        return raise_text_out_of_range(error, type, text);
    *value = negative ? sum : -sum;
    return SQLSTATE_OK;
}

size_t integer_print(int64_t value, char text[static INTEGER_TEXT_BYTES])
{
    char reversed[INTEGER_TEXT_BYTES];
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t size = 0, written = 0;
    do {
        reversed[size++] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        text[written++] = '-';
    while (size)
        text[written++] = reversed[--size];
    text[written] = 0;
    return written;
}

static enum sqlstate integer_out(struct environment *environment, struct scope *scope,
                                 const struct type *type, const struct value *value, struct bytes *text,
                                 struct error *error)
{
    char *room = scope_alloc(scope, INTEGER_TEXT_BYTES);
    *text = bytes_of(room, integer_print(value->i, room));
    return SQLSTATE_OK;
}

/* ---- binary forms, by the width ---- */

static enum sqlstate integer_receive(struct environment *environment, struct scope *scope,
                                     const struct type *type, int32_t modifier, struct bytes binary,
                                     struct value *value, struct error *error)
{
    if (binary.size != type->width)
        return raise_bad_binary(error, binary.size < type->width);
    switch (type->width) {
    case 1:
        *value = value_integer(binary.data[0]);
        break;
    case 2:
        *value = value_integer((int16_t)wire_read_u16(binary.data));
        break;
    case 4:
        *value = value_integer((int32_t)wire_read_u32(binary.data));
        break;
    default:
        *value = value_integer((int64_t)wire_read_u64(binary.data));
    }
    return SQLSTATE_OK;
}

static enum sqlstate integer_send(struct environment *environment, struct scope *scope,
                                  const struct type *type, const struct value *value, struct bytes *binary,
                                  struct error *error)
{
    uint8_t *room = scope_alloc(scope, 8);
    *binary = bytes_of(room, type->width);
    switch (type->width) {
    case 1:
        room[0] = (uint8_t)value->i;
        break;
    case 2:
        wire_write_u16(room, (uint16_t)value->i);
        break;
    case 4:
        wire_write_u32(room, (uint32_t)value->i);
        break;
    default:
        wire_write_u64(room, (uint64_t)value->i);
    }
    return SQLSTATE_OK;
}

static enum sqlstate unsigned_receive(struct environment *environment, struct scope *scope,
                                      const struct type *type, int32_t modifier, struct bytes binary,
                                      struct value *value, struct error *error)
{
    enum sqlstate failed = integer_receive(environment, scope, type, modifier, binary, value, error);
    if (!failed)
        value->i = (uint32_t)value->i;
    return failed;
}

/* ---- int2, int4, int8 ---- */

static enum sqlstate int2_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer(0);
    return integer_parse("smallint", text, INT16_MIN, INT16_MAX, &value->i, error);
}

static enum sqlstate int4_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer(0);
    return integer_parse("integer", text, INT32_MIN, INT32_MAX, &value->i, error);
}

static enum sqlstate int8_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer(0);
    return integer_parse("bigint", text, INT64_MIN, INT64_MAX, &value->i, error);
}

/* ---- oid, xid, cid, xid8, reg*: unsigned ---- */

/* As C's strtoul() reads, which takes a sign: -1 is 4294967295. */
static enum sqlstate oid_in(struct environment *environment, struct scope *scope, const struct type *type,
                            int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer(0);
    if (integer_parse("oid", text, INT32_MIN, UINT32_MAX, &value->i, error))
        return error->state;
    value->i = (uint32_t)value->i;
    return SQLSTATE_OK;
}

/* Transaction and command ids: any base, and whatever follows the digits is no matter, as in PostgreSQL. */
static uint64_t read_loosely(struct bytes text)
{
    char digits[64];
    size_t size = text.size < sizeof digits - 1 ? text.size : sizeof digits - 1;
    memcpy(digits, text.data, size);
    digits[size] = 0;
    return strtoull(digits, NULL, 0);
}

static enum sqlstate xid_in(struct environment *environment, struct scope *scope, const struct type *type,
                            int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer((uint32_t)read_loosely(text));
    return SQLSTATE_OK;
}

static enum sqlstate xid8_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer((int64_t)read_loosely(text));
    return SQLSTATE_OK;
}

static enum sqlstate xid8_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, INTEGER_TEXT_BYTES);
    *text = bytes_of(room, (size_t)snprintf(room, INTEGER_TEXT_BYTES, "%llu", (unsigned long long)value->i));
    return SQLSTATE_OK;
}

/* Names are known further up (sqlfront/catalog), where these are read and written once a catalog is at hand. */
extern const struct type_ops reg_name_ops __attribute__((weak));

static bool knows_names(const struct environment *environment)
{
    return environment && environment->catalog && &reg_name_ops;
}

/* "-" is no object: 0. */
static enum sqlstate reg_in(struct environment *environment, struct scope *scope, const struct type *type,
                            int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    if (knows_names(environment))
        return reg_name_ops.in(environment, scope, type, modifier, text, value, error);
    *value = value_integer(0);
    if (text.size == 1 && text.data[0] == '-')
        return SQLSTATE_OK;
    return oid_in(environment, scope, type, modifier, text, value, error);
}

static enum sqlstate reg_out(struct environment *environment, struct scope *scope, const struct type *type,
                             const struct value *value, struct bytes *text, struct error *error)
{
    if (knows_names(environment))
        return reg_name_ops.out(environment, scope, type, value, text, error);
    if (value->i == 0) {
        *text = bytes_of_text("-");
        return SQLSTATE_OK;
    }
    return integer_out(environment, scope, type, value, text, error);
}

/* ---- tid: block << 16 | offset, written (block,offset) ---- */

static enum sqlstate tid_in(struct environment *environment, struct scope *scope, const struct type *type,
                            int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    char copy[64];
    long long block, offset;
    int end = 0;
    size_t size = text.size < sizeof copy ? text.size : 0;
    memcpy(copy, text.data, size);
    copy[size] = 0;
    if (sscanf(copy, " (%lld,%lld)%n", &block, &offset, &end) != 2 || end == 0 || block < INT32_MIN ||
        block > UINT32_MAX || offset < 0 || offset > UINT16_MAX)
        return raise_bad_text(error, "tid", text);
    *value = value_integer((int64_t)(uint32_t)block << 16 | offset);
    return SQLSTATE_OK;
}

static enum sqlstate tid_out(struct environment *environment, struct scope *scope, const struct type *type,
                             const struct value *value, struct bytes *text, struct error *error)
{
    char *room = scope_alloc(scope, INTEGER_TEXT_BYTES);
    int size = snprintf(room, INTEGER_TEXT_BYTES, "(%u,%u)", (uint32_t)(value->i >> 16), (uint16_t)value->i);
    *text = bytes_of(room, (size_t)size);
    return SQLSTATE_OK;
}

static enum sqlstate tid_receive(struct environment *environment, struct scope *scope,
                                 const struct type *type, int32_t modifier, struct bytes binary,
                                 struct value *value, struct error *error)
{
    if (binary.size != 6)
        return raise_bad_binary(error, binary.size < 6);
    *value = value_integer((int64_t)wire_read_u32(binary.data) << 16 | wire_read_u16(binary.data + 4));
    return SQLSTATE_OK;
}

static enum sqlstate tid_send(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *binary, struct error *error)
{
    uint8_t *room = scope_alloc(scope, 6);
    wire_write_u32(room, (uint32_t)(value->i >> 16));
    wire_write_u16(room + 4, (uint16_t)value->i);
    *binary = bytes_of(room, 6);
    return SQLSTATE_OK;
}

/* ---- boolean ---- */

/* Words of which any beginning counts, once it is longer than `least`: "o" could be on and off. */
static const struct {
    const char *word;
    size_t least;
    bool value;
} words[] = {
    {"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
    {"on", 2, true},   {"off", 2, false},   {"1", 1, true},   {"0", 1, false},
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool boolean_parse(struct bytes text, bool *value)
{
    text = trimmed(text);
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        size_t same = 0;
        while (same < text.size && words[w].word[same] &&
               lower(text.data[same]) == (uint8_t)words[w].word[same])
            same++;
        if (same == text.size && same >= words[w].least) {
            *value = words[w].value;
            return true;
        }
    }
    return false;
}

static enum sqlstate bool_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    bool truth;
    if (!boolean_parse(text, &truth))
        return raise_bad_text(error, "boolean", text);
    *value = value_boolean(truth);
    return SQLSTATE_OK;
}

static enum sqlstate bool_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    *text = bytes_of(value->i ? "t" : "f", 1);
    return SQLSTATE_OK;
}

static enum sqlstate bool_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    if (binary.size != 1)
        return raise_bad_binary(error, binary.size < 1);
    *value = value_boolean(binary.data[0]);
    return SQLSTATE_OK;
}

/* ---- pseudo-types ---- */

static enum sqlstate void_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer(0);
    return SQLSTATE_OK;
}

/* Both forms of nothing are nothing. */
static enum sqlstate void_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    *text = bytes_of("", 0);
    return SQLSTATE_OK;
}

static enum sqlstate pseudo_in(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot accept a value of type %s", type->name);
}

static enum sqlstate pseudo_out(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot display a value of type %s", type->name);
}

const struct type_ops bool_ops = {bool_in, bool_out, bool_receive, integer_send};
const struct type_ops int2_ops = {int2_in, integer_out, integer_receive, integer_send};
const struct type_ops int4_ops = {int4_in, integer_out, integer_receive, integer_send};
const struct type_ops int8_ops = {int8_in, integer_out, integer_receive, integer_send};
const struct type_ops oid_ops = {oid_in, integer_out, unsigned_receive, integer_send};
const struct type_ops xid_ops = {xid_in, integer_out, unsigned_receive, integer_send};
const struct type_ops cid_ops = {xid_in, integer_out, unsigned_receive, integer_send};
const struct type_ops xid8_ops = {xid8_in, xid8_out, integer_receive, integer_send};
const struct type_ops reg_ops = {reg_in, reg_out, unsigned_receive, integer_send};
const struct type_ops tid_ops = {tid_in, tid_out, tid_receive, tid_send};
const struct type_ops void_ops = {void_in, void_out, void_in, void_out};
const struct type_ops pseudo_ops = {pseudo_in, pseudo_out, pseudo_in, pseudo_out};
