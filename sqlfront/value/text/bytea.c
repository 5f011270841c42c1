/* bytea: hex and escape form (PostgreSQL manual, 8.4), and the functions of bytes (9.5). */
#include "sqlfront/value/text/text.h"

#include "base/codec.h"
#include "sqlfront/value/text/encode.h"

#include <stdio.h>

/* ---- text form ---- */

static enum sqlstate bytea_read(struct environment *environment, struct scope *scope, const struct type *type,
                                int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    uint8_t *room;
    size_t size;
    enum sqlstate failed = value_room(scope, text.size, &room, error);
    if (failed)
        return failed;
    if (text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'x')
        failed = hex_decode(bytes_of(text.data + 2, text.size - 2), room, &size, error);
    else
        failed = escape_decode(text, room, &size, error);
    if (!failed)
        *value = value_bytes(room, size);
    return failed;
}

static enum sqlstate bytea_show(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    uint8_t *room;
    size_t size = environment->bytea_escape ? escape_size(value_view(value)) : 2 + 2 * (size_t)value->size;
    enum sqlstate failed = value_room(scope, size, &room, error);
    if (failed)
        return failed;
    if (environment->bytea_escape) {
        escape_encode(value_view(value), room);
    } else {
        memcpy(room, "\\x", 2);
        hex_encode(value_view(value), room + 2);
    }
    *text = bytes_of(room, size);
    return SQLSTATE_OK;
}

static enum sqlstate bytea_receive(struct environment *environment, struct scope *scope,
                                   const struct type *type, int32_t modifier, struct bytes binary,
                                   struct value *value, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, binary.size, &room, error);
    if (failed)
        return failed;
    if (binary.size)
        memcpy(room, binary.data, binary.size);
    *value = value_bytes(room, binary.size);
    return SQLSTATE_OK;
}

static enum sqlstate bytea_send(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *binary, struct error *error)
{
    *binary = value_view(value);
    return SQLSTATE_OK;
}

const struct type_ops bytea_ops = {
    .in = bytea_read, .out = bytea_show, .receive = bytea_receive, .send = bytea_send};

/* ---- bits and bytes ---- */

static enum sqlstate copy_of(struct call *call, const struct value *bytes, uint8_t **room,
                             struct value *result)
{
    enum sqlstate failed = value_room(call->scope, bytes->size, room, call->error);
    if (failed)
        return failed;
    if (bytes->size)
        memcpy(*room, bytes->p, bytes->size);
    *result = value_bytes(*room, bytes->size);
    return SQLSTATE_OK;
}

static enum sqlstate index_outside(struct call *call, int64_t index, int64_t most)
{
    return error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "index %lld out of valid range, 0..%lld",
                     (long long)index, (long long)most);
}

static enum sqlstate byteaGetByte(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[1].i < 0 || arguments[1].i >= arguments[0].size)
        return index_outside(call, arguments[1].i, (int64_t)arguments[0].size - 1);
    *result = value_integer(arguments[0].p[arguments[1].i]);
    return SQLSTATE_OK;
}

static enum sqlstate byteaSetByte(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t *room;
    if (arguments[1].i < 0 || arguments[1].i >= arguments[0].size)
        return index_outside(call, arguments[1].i, (int64_t)arguments[0].size - 1);
    enum sqlstate failed = copy_of(call, &arguments[0], &room, result);
    if (!failed)
        room[arguments[1].i] = (uint8_t)arguments[2].i;
    return failed;
}

static enum sqlstate byteaGetBit(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t bits = (int64_t)arguments[0].size * 8, at = arguments[1].i;
    if (at < 0 || at >= bits)
        return index_outside(call, at, bits - 1);
    *result = value_integer(arguments[0].p[at / 8] >> at % 8 & 1);
    return SQLSTATE_OK;
}

static enum sqlstate byteaSetBit(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t *room;
    int64_t bits = (int64_t)arguments[0].size * 8, at = arguments[1].i;
    if (at < 0 || at >= bits)
        return index_outside(call, at, bits - 1);
    if (arguments[2].i != 0 && arguments[2].i != 1)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "new bit must be 0 or 1");
    enum sqlstate failed = copy_of(call, &arguments[0], &room, result);
    if (!failed)
        room[at / 8] = (uint8_t)((room[at / 8] & ~(1 << at % 8)) | (int)arguments[2].i << at % 8);
    return failed;
}

static enum sqlstate bytea_bit_count(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < arguments[0].size; i++)
        count += __builtin_popcount(arguments[0].p[i]);
    *result = value_integer(count);
    return SQLSTATE_OK;
}

static enum sqlstate byteaoctetlen(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(arguments[0].size);
    return SQLSTATE_OK;
}

static enum sqlstate byteacat(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t *room;
    size_t size = (size_t)arguments[0].size + arguments[1].size;
    enum sqlstate failed = value_room(call->scope, size, &room, call->error);
    if (failed)
        return failed;
    if (arguments[0].size)
        memcpy(room, arguments[0].p, arguments[0].size);
    if (arguments[1].size)
        memcpy(room + arguments[0].size, arguments[1].p, arguments[1].size);
    *result = value_bytes(room, size);
    return SQLSTATE_OK;
}

static enum sqlstate byteapos(struct call *call, const struct value *arguments, struct value *result)
{
    const uint8_t *found = arguments[1].size == 0
                               ? arguments[0].p
                               : memmem(arguments[0].size ? arguments[0].p : (const uint8_t *)"",
                                        arguments[0].size, arguments[1].p, arguments[1].size);
    *result = value_integer(arguments[1].size == 0 ? 1 : found ? found - arguments[0].p + 1 : 0);
    return SQLSTATE_OK;
}

static enum sqlstate negative_length(struct call *call)
{
    return error_set(call->error, SQLSTATE_SUBSTRING_ERROR, "negative substring length not allowed");
}

/* The bytes from position `start` (from 1) on, `length` many; both may reach outside. */
static struct bytes part(struct bytes bytes, int64_t start, int64_t length)
{
    int64_t from = start - 1, to = length > INT32_MAX ? INT64_MAX : start - 1 + length;
    from = from < 0 ? 0 : from > (int64_t)bytes.size ? (int64_t)bytes.size : from;
    to = to < from ? from : to > (int64_t)bytes.size ? (int64_t)bytes.size : to;
    return bytes_of(bytes.size ? bytes.data + from : bytes.data, (size_t)(to - from));
}

static enum sqlstate bytea_substr(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[2].i < 0)
        return negative_length(call);
    struct bytes found = part(value_view(&arguments[0]), arguments[1].i, arguments[2].i);
    *result = value_bytes(found.data, found.size);
    return SQLSTATE_OK;
}

static enum sqlstate bytea_substr_no_len(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    struct bytes found = part(value_view(&arguments[0]), arguments[1].i, INT64_MAX);
    *result = value_bytes(found.data, found.size);
    return SQLSTATE_OK;
}

static enum sqlstate overlay(struct call *call, const struct value *arguments, int64_t length,
                             struct value *result)
{
    struct bytes whole = value_view(&arguments[0]), put = value_view(&arguments[1]);
    int64_t start = arguments[2].i;
    if (start <= 0)
        return negative_length(call);
    if (start + length > INT32_MAX)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
    struct text joined = text_in(call->scope);
    text_bytes(&joined, part(whole, 1, start - 1));
    text_bytes(&joined, put);
    text_bytes(&joined, part(whole, start + length, INT64_MAX));
    return value_of_text(&joined, result, call->error);
}

static enum sqlstate byteaoverlay(struct call *call, const struct value *arguments, struct value *result)
{
    return overlay(call, arguments, arguments[3].i, result);
}

static enum sqlstate byteaoverlay_no_len(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return overlay(call, arguments, arguments[1].size, result);
}

static struct value trim(const struct value *bytes, const struct value *set, bool front, bool back)
{
    bool in_set[256] = {false};
    for (uint32_t i = 0; i < set->size; i++)
        in_set[set->p[i]] = true;
    uint32_t from = 0, to = bytes->size;
    while (front && from < to && in_set[bytes->p[from]])
        from++;
    while (back && from < to && in_set[bytes->p[to - 1]])
        to--;
    return value_bytes(bytes->p + from, to - from);
}

static enum sqlstate byteatrim(struct call *call, const struct value *arguments, struct value *result)
{
    *result = trim(&arguments[0], &arguments[1], true, true);
    return SQLSTATE_OK;
}

static enum sqlstate bytealtrim(struct call *call, const struct value *arguments, struct value *result)
{
    *result = trim(&arguments[0], &arguments[1], true, false);
    return SQLSTATE_OK;
}

static enum sqlstate byteartrim(struct call *call, const struct value *arguments, struct value *result)
{
    *result = trim(&arguments[0], &arguments[1], false, true);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"byteaGetByte", byteaGetByte, 0},
    {"byteaSetByte", byteaSetByte, 0},
    {"byteaGetBit", byteaGetBit, 0},
    {"byteaSetBit", byteaSetBit, 0},
    {"bytea_bit_count", bytea_bit_count, 0},
    {"byteaoctetlen", byteaoctetlen, 0},
    {"byteacat", byteacat, 0},
    {"byteapos", byteapos, 0},
    {"bytea_substr", bytea_substr, 0},
    {"bytea_substr_no_len", bytea_substr_no_len, 0},
    {"byteaoverlay", byteaoverlay, 0},
    {"byteaoverlay_no_len", byteaoverlay_no_len, 0},
    {"byteatrim", byteatrim, 0},
    {"bytealtrim", bytealtrim, 0},
    {"byteartrim", byteartrim, 0},
    {"byteaeq", compare_eq, 0},
    {"byteane", compare_ne, 0},
    {"bytealt", compare_lt, 0},
    {"byteale", compare_le, 0},
    {"byteagt", compare_gt, 0},
    {"byteage", compare_ge, 0},
    {"byteacmp", compare_cmp, 0},
    {NULL, NULL, 0},
};

const struct library bytea_library = {.functions = functions};
