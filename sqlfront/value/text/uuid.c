/* uuid: 16 bytes (PostgreSQL manual, 8.12). */
#include "sqlfront/value/text/text.h"

#include "base/world.h"
#include "sqlfront/value/text/encode.h"

#define UUID_BYTES      16
#define UUID_CHARACTERS 36

static enum sqlstate uuid_wrong(struct bytes text, struct error *error)
{
    return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION,
                     "invalid input syntax for type %s: \"%.*s\"", "uuid", (int)text.size,
                     (const char *)text.data);
}

/* 32 hex digits, in braces or not, with a hyphen behind any group of four. */
static bool uuid_parse(struct bytes text, uint8_t *to)
{
    const uint8_t *at = text.data, *end = text.data + text.size;
    bool braces = at < end && *at == '{';
    at += braces;
    for (int i = 0; i < UUID_BYTES; i++) {
        size_t size;
        struct error ignored;
        if (end - at < 2 || is_blank(at[0]) || is_blank(at[1]) ||
            hex_decode(bytes_of(at, 2), to + i, &size, &ignored))
            return false;
        at += 2;
        if (at < end && *at == '-' && i % 2 == 1 && i < UUID_BYTES - 1)
            at++;
    }
    if (braces && (at == end || *at++ != '}'))
        return false;
    return at == end;
}

static enum sqlstate uuid_read(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    uint8_t *room = scope_alloc(scope, UUID_BYTES);
    if (!uuid_parse(text, room))
        return uuid_wrong(text, error);
    *value = value_bytes(room, UUID_BYTES);
    return SQLSTATE_OK;
}

static enum sqlstate uuid_show(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    uint8_t *room = scope_alloc(scope, UUID_CHARACTERS), *to = room;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        hex_encode(bytes_of(value->p + i, 1), to);
        to += 2;
    }
    *text = bytes_of(room, UUID_CHARACTERS);
    return SQLSTATE_OK;
}

static enum sqlstate uuid_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    if (binary.size < UUID_BYTES)
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "insufficient data left in message");
    if (binary.size > UUID_BYTES)
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    *value = value_bytes(scope_copy(scope, binary.data, UUID_BYTES), UUID_BYTES);
    return SQLSTATE_OK;
}

static enum sqlstate uuid_send(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *binary, struct error *error)
{
    *binary = value_view(value);
    return SQLSTATE_OK;
}

const struct type_ops uuid_ops = {
    .in = uuid_read, .out = uuid_show, .receive = uuid_receive, .send = uuid_send};

/* Version 4, variant 1 (RFC 4122, 4.4). */
static enum sqlstate gen_random_uuid(struct call *call, const struct value *arguments, struct value *result)
{
    uint8_t *room = scope_alloc(call->scope, UUID_BYTES);
    world_random(call->environment->world, room, UUID_BYTES);
    room[6] = (room[6] & 0x0f) | 0x40;
    room[8] = (room[8] & 0x3f) | 0x80;
    *result = value_bytes(room, UUID_BYTES);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"gen_random_uuid", gen_random_uuid, 0},
    {"uuid_generate_v4", gen_random_uuid, 0}, /* of the extension uuid-ossp, which migrations ask for */
    {"uuid_eq", compare_eq, 0},
    {"uuid_ne", compare_ne, 0},
    {"uuid_lt", compare_lt, 0},
    {"uuid_le", compare_le, 0},
    {"uuid_gt", compare_gt, 0},
    {"uuid_ge", compare_ge, 0},
    {"uuid_cmp", compare_cmp, 0},
    {"uuid_hash", compare_hash, 0},
    {NULL, NULL, 0},
};

const struct library uuid_library = {.functions = functions};
