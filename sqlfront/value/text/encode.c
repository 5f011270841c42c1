/* Bytes as printable text: hex, base64 with a line break behind 76 characters, escape; encode() and decode(); and bytes in
 * other character sets. */
#include "sqlfront/value/text/encode.h"

#include "base/utf8.h"
#include "sqlfront/value/text/text.h"

#include <stdio.h>
#include <strings.h>

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(struct bytes bytes, uint8_t *to)
{
    for (size_t i = 0; i < bytes.size; i++) {
        *to++ = (uint8_t)hex_digits[bytes.data[i] >> 4];
        *to++ = (uint8_t)hex_digits[bytes.data[i] & 15];
    }
}

static int hex_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

/* The whole character at the front, as an error shows it. */
static int shown_bytes(struct bytes rest)
{
    uint32_t point;
    size_t length = utf8_read(rest, &point);
    return (int)(length ? length : 1);
}

enum sqlstate hex_decode(struct bytes text, uint8_t *to, size_t *size, struct error *error)
{
    uint8_t *start = to;
    for (size_t at = 0; at < text.size;) {
        if (text.data[at] == ' ' || text.data[at] == '\n' || text.data[at] == '\t' || text.data[at] == '\r') {
            at++;
            continue;
        }
        int digits[2];
        for (int i = 0; i < 2; i++, at++) {
            if (at == text.size)
                return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                 "invalid hexadecimal data: odd number of digits");
            digits[i] = hex_digit(text.data[at]);
            struct bytes rest = bytes_of(text.data + at, text.size - at);
            if (digits[i] < 0)
                return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                 "invalid hexadecimal digit: \"%.*s\"", shown_bytes(rest),
                                 (const char *)rest.data);
        }
        *to++ = (uint8_t)(digits[0] << 4 | digits[1]);
    }
    *size = (size_t)(to - start);
    return SQLSTATE_OK;
}

/* ---- escape ---- */

enum sqlstate escape_decode(struct bytes text, uint8_t *to, size_t *size, struct error *error)
{
    const uint8_t *at = text.data, *end = text.data + text.size;
    uint8_t *start = to;
    while (at < end) {
        bool octal = at[0] == '\\' && end - at >= 4 && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
                     at[2] <= '7' && at[3] >= '0' && at[3] <= '7';
        if (at[0] != '\\') {
            *to++ = *at++;
        } else if (octal) {
            *to++ = (uint8_t)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 4;
        } else if (end - at >= 2 && at[1] == '\\') {
            *to++ = '\\';
            at += 2;
        } else {
            return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s",
                             "bytea");
        }
    }
    *size = (size_t)(to - start);
    return SQLSTATE_OK;
}

size_t escape_size(struct bytes bytes)
{
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i++)
        size += bytes.data[i] == '\\' ? 2 : bytes.data[i] < 0x20 || bytes.data[i] > 0x7e ? 4 : 1;
    return size;
}

void escape_encode(struct bytes bytes, uint8_t *to)
{
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (byte == '\\') {
            *to++ = '\\';
            *to++ = '\\';
        } else if (byte < 0x20 || byte > 0x7e) {
            *to++ = '\\';
            *to++ = (uint8_t)('0' + (byte >> 6));
            *to++ = (uint8_t)('0' + (byte >> 3 & 7));
            *to++ = (uint8_t)('0' + (byte & 7));
        } else {
            *to++ = byte;
        }
    }
}

/* encode() writes less as escapes than the type's output does: only zero bytes and those beyond ASCII. */
static bool escaped(uint8_t byte)
{
    return byte == 0 || byte >= 0x80;
}

static void escape_write(struct text *out, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (escaped(byte))
            text_format(out, "\\%03o", byte);
        else if (byte == '\\')
            text_append(out, "\\\\");
        else
            text_bytes(out, bytes_of(&byte, 1));
    }
}

/* ---- base64 (RFC 2045) ---- */

#define BASE64_LINE 76

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_write(struct text *out, struct bytes bytes)
{
    size_t line = 0;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[i + 2] : 0);
        char four[4] = {base64_digits[three >> 18], base64_digits[three >> 12 & 63],
                        left > 1 ? base64_digits[three >> 6 & 63] : '=',
                        left > 2 ? base64_digits[three & 63] : '='};
        text_bytes(out, bytes_of(four, 4));
        line += 4;
        if (line == BASE64_LINE) {
            text_append(out, "\n");
            line = 0;
        }
    }
}

/* Once there was a "=", all groups of four are as long as the one it stood in: so PostgreSQL has it. */
static enum sqlstate base64_decode(struct bytes text, uint8_t *to, size_t *size, struct error *error)
{
    uint8_t *start = to;
    uint32_t bits = 0;
    int digits = 0, padding = 0;
    for (size_t at = 0; at < text.size; at++) {
        uint8_t byte = text.data[at];
        if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')
            continue;
        const char *found = byte ? strchr(base64_digits, byte) : NULL;
        struct bytes rest = bytes_of(text.data + at, text.size - at);
        if (byte == '=') {
            if (!padding && digits != 2 && digits != 3)
                return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                 "unexpected \"=\" while decoding base64 sequence");
            padding = padding ? padding : 4 - digits;
        } else if (!found) {
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "invalid symbol \"%.*s\" found while decoding base64 sequence",
                             shown_bytes(rest), (const char *)rest.data);
        }
        bits = bits << 6 | (found && byte != '=' ? (uint32_t)(found - base64_digits) : 0);
        if (++digits < 4)
            continue;
        *to++ = (uint8_t)(bits >> 16);
        if (padding < 2)
            *to++ = (uint8_t)(bits >> 8);
        if (padding < 1)
            *to++ = (uint8_t)bits;
        bits = 0;
        digits = 0;
    }
    if (digits) {
        enum sqlstate failed =
            error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid base64 end sequence");
        error_add(error, ERROR_HINT,
                  "Input data is missing padding, is truncated, or is otherwise corrupted.");
        return failed;
    }
    *size = (size_t)(to - start);
    return SQLSTATE_OK;
}

/* ---- encode(), decode() ---- */

enum form { FORM_HEX, FORM_BASE64, FORM_ESCAPE };

static enum sqlstate form_of(struct call *call, const struct value *name, enum form *form)
{
    static const char *const names[] = {"hex", "base64", "escape"};
    for (size_t i = 0; i < 3; i++) {
        if (name->size != strlen(names[i]) || strncasecmp((const char *)name->p, names[i], name->size) != 0)
            continue;
        *form = (enum form)i;
        return SQLSTATE_OK;
    }
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "unrecognized encoding: \"%.*s\"",
                     (int)name->size, (const char *)name->p);
}

static enum sqlstate binary_encode(struct call *call, const struct value *arguments, struct value *result)
{
    enum form form;
    enum sqlstate failed = form_of(call, &arguments[1], &form);
    if (failed)
        return failed;
    struct bytes bytes = value_view(&arguments[0]);
    struct text out = text_in(call->scope);
    uint8_t pair[2];
    switch (form) {
    case FORM_HEX:
        for (size_t i = 0; i < bytes.size; i++) {
            hex_encode(bytes_of(bytes.data + i, 1), pair);
            text_bytes(&out, bytes_of(pair, 2));
        }
        break;
    case FORM_BASE64:
        base64_write(&out, bytes);
        break;
    case FORM_ESCAPE:
        escape_write(&out, bytes);
        break;
    }
    return value_of_text(&out, result, call->error);
}

static enum sqlstate binary_decode(struct call *call, const struct value *arguments, struct value *result)
{
    enum form form;
    uint8_t *room;
    size_t size = 0;
    struct bytes text = value_view(&arguments[0]);
    enum sqlstate failed = form_of(call, &arguments[1], &form);
    if (failed || (failed = value_room(call->scope, text.size, &room, call->error)))
        return failed;
    if (form == FORM_HEX)
        failed = hex_decode(text, room, &size, call->error);
    else if (form == FORM_BASE64)
        failed = base64_decode(text, room, &size, call->error);
    else
        failed = escape_decode(text, room, &size, call->error);
    *result = value_bytes(room, size);
    return failed;
}

/* ---- character sets: UTF8, LATIN1 and SQL_ASCII (whatever the bytes) ---- */

enum character_set { SET_UTF8, SET_LATIN1, SET_SQL_ASCII, SET_OTHER, SET_UNKNOWN };

/* By PostgreSQL's names, of which only letters and digits count. */
static enum character_set set_of(const struct value *name)
{
    static const struct {
        const char *name;
        enum character_set set;
    } sets[] = {
        {"utf8", SET_UTF8},       {"unicode", SET_UTF8},       {"latin1", SET_LATIN1},
        {"iso88591", SET_LATIN1}, {"sqlascii", SET_SQL_ASCII}, {"latin2", SET_OTHER},
        {"latin5", SET_OTHER},    {"latin9", SET_OTHER},       {"win1250", SET_OTHER},
        {"win1251", SET_OTHER},   {"win1252", SET_OTHER},      {"windows1252", SET_OTHER},
        {"koi8r", SET_OTHER},     {"eucjp", SET_OTHER},        {"sjis", SET_OTHER},
        {"big5", SET_OTHER},      {"gbk", SET_OTHER},          {"gb18030", SET_OTHER},
        {"euckr", SET_OTHER},     {"euccn", SET_OTHER},        {"muleinternal", SET_OTHER},
    };
    char plain[32];
    size_t size = 0;
    for (uint32_t i = 0; i < name->size && size < sizeof plain - 1; i++) {
        uint32_t lower = character_lower(name->p[i]);
        if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9'))
            plain[size++] = (char)lower;
    }
    plain[size] = '\0';
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (strcmp(sets[i].name, plain) == 0)
            return sets[i].set;
    return SET_UNKNOWN;
}

static enum sqlstate set_find(struct call *call, const struct value *name, const char *which,
                              enum character_set *set)
{
    *set = set_of(name);
    if (*set == SET_UNKNOWN)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid %s encoding name \"%.*s\"",
                         which, (int)name->size, (const char *)name->p);
    if (*set == SET_OTHER)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "encoding \"%.*s\" is not supported",
                         (int)name->size, (const char *)name->p);
    return SQLSTATE_OK;
}

/* Bytes in a set as text. */
static enum sqlstate to_utf8(struct call *call, const struct value *bytes, enum character_set from,
                             struct value *result)
{
    *result = *bytes;
    if (from != SET_LATIN1)
        return characters_check(value_view(bytes), call->error);
    struct text out = text_in(call->scope);
    for (uint32_t i = 0; i < bytes->size; i++) {
        if (bytes->p[i] == 0)
            return error_set(call->error, SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE,
                             "invalid byte sequence for encoding \"LATIN1\": 0x00");
        character_append(&out, bytes->p[i]);
    }
    return value_of_text(&out, result, call->error);
}

static enum sqlstate no_latin1(struct call *call, struct bytes character)
{
    char shown[32];
    size_t size = 0;
    for (size_t i = 0; i < character.size; i++)
        size +=
            (size_t)snprintf(shown + size, sizeof shown - size, "%s0x%02x", i ? " " : "", character.data[i]);
    return error_set(
        call->error, SQLSTATE_UNTRANSLATABLE_CHARACTER,
        "character with byte sequence %s in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
        shown);
}

static enum sqlstate from_utf8(struct call *call, const struct value *text, enum character_set to,
                               struct value *result)
{
    *result = *text;
    if (to != SET_LATIN1)
        return SQLSTATE_OK;
    struct text out = text_in(call->scope);
    uint32_t point;
    for (size_t at = 0, size; at < text->size; at += size) {
        size = utf8_read(bytes_of(text->p + at, text->size - at), &point);
        if (size == 0)
            return characters_check(value_view(text), call->error);
        if (point > 0xff)
            return no_latin1(call, bytes_of(text->p + at, size));
        text_bytes(&out, bytes_of(&(uint8_t){(uint8_t)point}, 1));
    }
    return value_of_text(&out, result, call->error);
}

static enum sqlstate pg_convert_from(struct call *call, const struct value *arguments, struct value *result)
{
    enum character_set from;
    enum sqlstate failed = set_find(call, &arguments[1], "source", &from);
    return failed ? failed : to_utf8(call, &arguments[0], from, result);
}

static enum sqlstate pg_convert_to(struct call *call, const struct value *arguments, struct value *result)
{
    enum character_set to;
    enum sqlstate failed = set_find(call, &arguments[1], "destination", &to);
    return failed ? failed : from_utf8(call, &arguments[0], to, result);
}

static enum sqlstate pg_convert(struct call *call, const struct value *arguments, struct value *result)
{
    enum character_set from, to;
    struct value text;
    enum sqlstate failed = set_find(call, &arguments[1], "source", &from);
    if (failed || (failed = set_find(call, &arguments[2], "destination", &to)))
        return failed;
    if ((failed = to_utf8(call, &arguments[0], from, &text)))
        return failed;
    return from_utf8(call, &text, to, result);
}

static enum sqlstate length_in_encoding(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    enum character_set set;
    enum sqlstate failed =
        set_of(&arguments[1]) == SET_UNKNOWN
            ? error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid encoding name \"%.*s\"",
                        (int)arguments[1].size, (const char *)arguments[1].p)
            : set_find(call, &arguments[1], "source", &set);
    if (!failed && set == SET_UTF8)
        failed = characters_check(value_view(&arguments[0]), call->error);
    if (!failed)
        *result = value_integer(set == SET_UTF8 ? (int64_t)character_count(value_view(&arguments[0]))
                                                : (int64_t)arguments[0].size);
    return failed;
}

static enum sqlstate to_ascii(struct call *call, const struct value *arguments, struct value *result)
{
    return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                     "encoding conversion from %s to ASCII not supported", "UTF8");
}

/* ---- unistr: \XXXX, \+XXXXXX, \uXXXX, \UXXXXXXXX ---- */

static bool read_hex(struct bytes text, size_t at, size_t digits, uint32_t *point)
{
    *point = 0;
    if (text.size - at < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(text.data[at + i]);
        if (digit < 0)
            return false;
        *point = *point << 4 | (uint32_t)digit;
    }
    return true;
}

/* The escape behind the backslash at `at`; gives its characters, 0 when it is none. */
static size_t read_escape(struct bytes text, size_t at, uint32_t *point)
{
    static const struct {
        char mark;
        size_t digits;
    } forms[] = {{'+', 6}, {'u', 4}, {'U', 8}};
    for (size_t i = 0; i < 3; i++)
        if (at < text.size && text.data[at] == (uint8_t)forms[i].mark)
            return read_hex(text, at + 1, forms[i].digits, point) ? 1 + forms[i].digits : 0;
    return read_hex(text, at, 4, point) ? 4 : 0;
}

static enum sqlstate unicode_wrong(struct call *call, const char *message)
{
    return error_set(call->error, SQLSTATE_SYNTAX_ERROR, "%s", message);
}

static enum sqlstate unistr(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text = value_view(&arguments[0]);
    struct text out = text_in(call->scope);
    uint32_t high = 0, point;
    for (size_t at = 0; at < text.size;) {
        bool escape = text.data[at] == '\\' && !(at + 1 < text.size && text.data[at + 1] == '\\');
        if (high && !escape)
            return unicode_wrong(call, "invalid Unicode surrogate pair");
        if (!escape) {
            text_bytes(&out, bytes_of(text.data + at, 1));
            at += text.data[at] == '\\' ? 2 : 1;
            continue;
        }
        size_t size = read_escape(text, at + 1, &point);
        if (size == 0) {
            enum sqlstate failed = unicode_wrong(call, "invalid Unicode escape");
            error_add(call->error, ERROR_HINT,
                      "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.");
            return failed;
        }
        at += 1 + size;
        if (point == 0 || point > 0x10ffff)
            return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "invalid Unicode code point: %04X", point);
        bool first = point >= 0xd800 && point <= 0xdbff, second = point >= 0xdc00 && point <= 0xdfff;
        if ((high != 0) != second)
            return unicode_wrong(call, "invalid Unicode surrogate pair");
        if (second)
            point = 0x10000 + ((high & 0x3ff) << 10) + (point & 0x3ff);
        high = first ? point : 0;
        if (!first)
            character_append(&out, point);
    }
    if (high)
        return unicode_wrong(call, "invalid Unicode surrogate pair");
    return value_of_text(&out, result, call->error);
}

static const struct function functions[] = {
    {"binary_encode", binary_encode, 0},
    {"binary_decode", binary_decode, 0},
    {"pg_convert_from", pg_convert_from, 0},
    {"pg_convert_to", pg_convert_to, 0},
    {"pg_convert", pg_convert, 0},
    {"length_in_encoding", length_in_encoding, 0},
    {"to_ascii_default", to_ascii, 0},
    {"to_ascii_enc", to_ascii, 0},
    {"to_ascii_encname", to_ascii, 0},
    {"unistr", unistr, 0},
    {NULL, NULL, 0},
};

const struct library encode_library = {.functions = functions};
