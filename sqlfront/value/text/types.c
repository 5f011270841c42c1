/* Text and binary forms of the types of characters: text, varchar, bpchar, name, "char", unknown, cstring, void; and the
 * casts between them (PostgreSQL manual, 8.3).
 *
 * Text is UTF-8 without zero bytes; whoever lets bytes in (in, receive, convert_from) checks that, nobody else does. */
#include "sqlfront/value/text/text.h"

#include "base/utf8.h"

#include <stdio.h>

/* ---- characters ---- */

size_t character_count(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

size_t character_offset(struct bytes text, size_t characters)
{
    size_t at = 0;
    while (characters-- > 0 && at < text.size)
        at += character_bytes(text.data[at]);
    return at < text.size ? at : text.size;
}

/* PostgreSQL shows the bytes that the first one asks for, as far as they are there. */
static enum sqlstate not_utf8(struct bytes rest, struct error *error)
{
    char shown[32];
    size_t length = character_bytes(rest.data[0]), size = 0;
    if (rest.data[0] >= 0xf8 || rest.data[0] == 0)
        length = 1;
    for (size_t i = 0; i < length && i < rest.size; i++)
        size += (size_t)snprintf(shown + size, sizeof shown - size, "%s0x%02x", i ? " " : "", rest.data[i]);
    return error_set(error, SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE,
                     "invalid byte sequence for encoding \"UTF8\": %s", shown);
}

enum sqlstate characters_check(struct bytes text, struct error *error)
{
    for (size_t at = 0; at < text.size;) {
        uint64_t eight;
        if (text.size - at >= 8) {
            memcpy(&eight, text.data + at, 8);
            /* No byte with its top bit, and none that is zero. */
            if (!(eight & 0x8080808080808080) && !((eight - 0x0101010101010101) & 0x8080808080808080)) {
                at += 8;
                continue;
            }
        }
        uint32_t point;
        struct bytes rest = bytes_of(text.data + at, text.size - at);
        size_t length = rest.data[0] ? utf8_read(rest, &point) : 0;
        if (length == 0)
            return not_utf8(rest, error);
        at += length;
    }
    return SQLSTATE_OK;
}

struct bytes blanks_cut(struct bytes text)
{
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

void character_append(struct text *text, uint32_t point)
{
    uint8_t bytes[4];
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        bytes[i] = (uint8_t)(0x80 | (point & 0x3f));
    bytes[0] = (uint8_t)(point | (size == 1 ? 0 : 0xf00 >> size & 0xff));
    text_bytes(text, bytes_of(bytes, size));
}

static bool only_blanks(struct bytes text)
{
    return blanks_cut(text).size == 0;
}

/* ---- text, unknown, cstring ---- */

static enum sqlstate keep(struct scope *scope, struct bytes text, struct value *value, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, text.size, &room, error);
    if (failed)
        return failed;
    if (text.size)
        memcpy(room, text.data, text.size);
    *value = value_bytes(room, text.size);
    return SQLSTATE_OK;
}

static enum sqlstate copy_in(struct scope *scope, struct bytes text, struct value *value, struct error *error)
{
    enum sqlstate failed = characters_check(text, error);
    return failed ? failed : keep(scope, text, value, error);
}

static enum sqlstate text_read(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    return copy_in(scope, text, value, error);
}

static enum sqlstate text_show(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    *text = value_view(value);
    return SQLSTATE_OK;
}

const struct type_ops text_ops = {.in = text_read, .out = text_show, .receive = text_read, .send = text_show};
const struct type_ops unknown_ops = {
    .in = text_read, .out = text_show, .receive = text_read, .send = text_show};
const struct type_ops cstring_ops = {
    .in = text_read, .out = text_show, .receive = text_read, .send = text_show};

/* ---- varchar(n) ---- */

enum sqlstate varchar_fit(int32_t modifier, bool explicit_cast, struct bytes text, struct value *value,
                          struct error *error)
{
    size_t most = modifier < 4 ? SIZE_MAX : (size_t)modifier - 4;
    *value = value_bytes(text.data, text.size);
    if (text.size <= most)
        return SQLSTATE_OK;
    size_t kept = character_offset(text, most);
    if (!explicit_cast && !only_blanks(bytes_of(text.data + kept, text.size - kept)))
        return error_set(error, SQLSTATE_STRING_DATA_RIGHT_TRUNCATION,
                         "value too long for type character varying(%zu)", most);
    value->size = (uint32_t)kept;
    return SQLSTATE_OK;
}

static enum sqlstate varchar_read(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes text,
                                  struct value *value, struct error *error)
{
    enum sqlstate failed = characters_check(text, error);
    if (!failed)
        failed = varchar_fit(modifier, false, text, value, error);
    return failed ? failed : keep(scope, value_view(value), value, error);
}

const struct type_ops varchar_ops = {
    .in = varchar_read, .out = text_show, .receive = varchar_read, .send = text_show};

/* ---- char(n): padded with blanks that do not count ---- */

enum sqlstate bpchar_fit(struct scope *scope, int32_t modifier, bool explicit_cast, struct bytes text,
                         struct value *value, struct error *error)
{
    *value = value_bytes(text.data, text.size);
    if (modifier < 4)
        return SQLSTATE_OK;
    size_t wanted = (size_t)modifier - 4, count = character_count(text);
    if (count > wanted) {
        size_t kept = character_offset(text, wanted);
        if (!explicit_cast && !only_blanks(bytes_of(text.data + kept, text.size - kept)))
            return error_set(error, SQLSTATE_STRING_DATA_RIGHT_TRUNCATION,
                             "value too long for type character(%zu)", wanted);
        value->size = (uint32_t)kept;
    } else if (count < wanted) {
        uint8_t *room;
        size_t size = text.size + (wanted - count);
        enum sqlstate failed = value_room(scope, size, &room, error);
        if (failed)
            return failed;
        if (text.size)
            memcpy(room, text.data, text.size);
        memset(room + text.size, ' ', wanted - count);
        *value = value_bytes(room, size);
    }
    return SQLSTATE_OK;
}

static enum sqlstate bpchar_read(struct environment *environment, struct scope *scope,
                                 const struct type *type, int32_t modifier, struct bytes text,
                                 struct value *value, struct error *error)
{
    enum sqlstate failed = characters_check(text, error);
    if (!failed)
        failed = bpchar_fit(scope, modifier, false, text, value, error);
    return failed || value->p != text.data ? failed : keep(scope, value_view(value), value, error);
}

const struct type_ops bpchar_ops = {
    .in = bpchar_read, .out = text_show, .receive = bpchar_read, .send = text_show};

/* ---- name ---- */

static enum sqlstate name_read(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    if (text.size > NAME_BYTES_MAX) {
        text.size = NAME_BYTES_MAX;
        text.size = utf8_cut(text);
    }
    return copy_in(scope, text, value, error);
}

static enum sqlstate name_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    if (binary.size <= NAME_BYTES_MAX)
        return copy_in(scope, binary, value, error);
    enum sqlstate failed = error_set(error, SQLSTATE_NAME_TOO_LONG, "identifier too long");
    error_add(error, ERROR_DETAIL, "Identifier must be less than %d characters.", NAME_BYTES_MAX + 1);
    return failed;
}

const struct type_ops name_ops = {
    .in = name_read, .out = text_show, .receive = name_receive, .send = text_show};

/* ---- "char": one byte; its integer is signed, as the cast to integer shows it. Bytes that are not ASCII are written as
 * \\ooo. ---- */

static bool is_octal(uint8_t byte, uint8_t most)
{
    return byte >= '0' && byte <= most;
}

static int8_t char_of_text(struct bytes text)
{
    const uint8_t *at = text.data;
    if (text.size == 4 && at[0] == '\\' && is_octal(at[1], '3') && is_octal(at[2], '7') &&
        is_octal(at[3], '7'))
        return (int8_t)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
    return text.size ? (int8_t)text.data[0] : 0;
}

static struct bytes char_shown(struct scope *scope, uint8_t byte)
{
    char *room = scope_alloc(scope, 5);
    if (byte >= 0x80)
        return bytes_of(room, (size_t)snprintf(room, 5, "\\%03o", byte));
    room[0] = (char)byte;
    return bytes_of(room, byte != 0);
}

static enum sqlstate char_read(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    *value = value_integer(char_of_text(text));
    return SQLSTATE_OK;
}

static struct bytes char_bytes(struct scope *scope, const struct value *value)
{
    uint8_t *room = scope_alloc(scope, 1);
    *room = (uint8_t)value->i;
    return bytes_of(room, 1);
}

static enum sqlstate char_show(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    *text = char_shown(scope, (uint8_t)value->i);
    return SQLSTATE_OK;
}

static enum sqlstate char_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    if (binary.size != 1)
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
    *value = value_integer((int8_t)binary.data[0]);
    return SQLSTATE_OK;
}

static enum sqlstate char_send(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *binary, struct error *error)
{
    *binary = char_bytes(scope, value);
    return SQLSTATE_OK;
}

const struct type_ops char_ops = {
    .in = char_read, .out = char_show, .receive = char_receive, .send = char_send};

/* ---- casts ---- */

/* Whatever lies in memory alike: varchar to text and back, name to text. */
static enum sqlstate same(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0];
    return SQLSTATE_OK;
}

static enum sqlstate text_name(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    if (text.size > NAME_BYTES_MAX) {
        text.size = NAME_BYTES_MAX;
        text.size = utf8_cut(text);
    }
    *result = value_bytes(text.data, text.size);
    return SQLSTATE_OK;
}

static enum sqlstate bpchar_name(struct call *call, const struct value *arguments, struct value *result)
{
    enum sqlstate failed = text_name(call, arguments, result);
    struct bytes kept = blanks_cut(value_view(result));
    *result = value_bytes(kept.data, kept.size);
    return failed;
}

static enum sqlstate rtrim1(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes kept = blanks_cut(value_view(&arguments[0]));
    *result = value_bytes(kept.data, kept.size);
    return SQLSTATE_OK;
}

static enum sqlstate bpchar(struct call *call, const struct value *arguments, struct value *result)
{
    return bpchar_fit(call->scope, (int32_t)arguments[1].i, arguments[2].i, value_view(&arguments[0]), result,
                      call->error);
}

static enum sqlstate varchar(struct call *call, const struct value *arguments, struct value *result)
{
    return varchar_fit((int32_t)arguments[1].i, arguments[2].i, value_view(&arguments[0]), result,
                       call->error);
}

static enum sqlstate char_bpchar(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = char_bytes(call->scope, &arguments[0]);
    *result = value_bytes(text.data, text.size);
    return SQLSTATE_OK;
}

static enum sqlstate char_text(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = char_shown(call->scope, (uint8_t)arguments[0].i);
    *result = value_bytes(text.data, text.size);
    return SQLSTATE_OK;
}

static enum sqlstate text_char(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(char_of_text(value_view(&arguments[0])));
    return SQLSTATE_OK;
}

static enum sqlstate chartoi4(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int8_t)arguments[0].i);
    return SQLSTATE_OK;
}

static enum sqlstate i4tochar(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].i < INT8_MIN || arguments[0].i > INT8_MAX)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range");
    *result = value_integer((int8_t)arguments[0].i);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"bpchar", bpchar, 0},
    {"varchar", varchar, 0},
    {"name_text", same, 0},
    {"text_name", text_name, 0},
    {"bpchar_name", bpchar_name, 0},
    {"name_bpchar", same, 0},
    {"char_bpchar", char_bpchar, 0},
    {"rtrim1", rtrim1, 0},
    {"char_text", char_text, 0},
    {"text_char", text_char, 0},
    {"chartoi4", chartoi4, 0},
    {"i4tochar", i4tochar, 0},
    {NULL, NULL, 0},
};

const struct library text_type_library = {.functions = functions};
