/* Text that grows: doubles its room, first within the scope's chunks, then in large blocks. */
#include "base/text.h"
#include "base/scope.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Room of the shortest text. */
#define ROOM_LEAST 64

static char *room_of(struct scope *scope, size_t room)
{
    if (room <= SCOPE_SMALL_BYTES)
        return scope_alloc(scope, room);
    struct error error;
    void *memory;
    return scope_alloc_large(scope, room, 1, &memory, &error) ? NULL : memory; /* text_end() tells */
}

/* Makes room for that many bytes more and a zero byte; gives where they go, or NULL when the text has failed.
 */
static char *grow(struct text *text, size_t bytes)
{
    if (text->wanted)
        return NULL;
    if (bytes < text->room - text->size && text->room)
        return text->data + text->size;
    size_t needed = bytes < TEXT_BYTES_MAX - text->size ? text->size + bytes + 1 : 0;
    size_t room = text->room ? text->room : ROOM_LEAST;
    while (room < needed)
        room *= 2;
    char *data = needed ? room_of(text->scope, room) : NULL;
    if (!data) {
        text->wanted = bytes;
        return NULL;
    }
    if (text->size)
        memcpy(data, text->data, text->size);
    if (text->room > SCOPE_SMALL_BYTES)
        scope_free_large(text->scope, text->data);
    text->data = data;
    text->room = room;
    return data + text->size;
}

void text_bytes(struct text *text, struct bytes bytes)
{
    char *at = bytes.size ? grow(text, bytes.size) : NULL;
    if (!at)
        return;
    memcpy(at, bytes.data, bytes.size);
    at[bytes.size] = '\0';
    text->size += bytes.size;
}

void text_append(struct text *text, const char *appended)
{
    text_bytes(text, bytes_of_text(appended));
}

void text_format(struct text *text, const char *format, ...)
{
    char piece[256];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int bytes = vsnprintf(piece, sizeof piece, format, arguments);
    if (bytes > 0 && (size_t)bytes < sizeof piece) {
        text_bytes(text, bytes_of(piece, (size_t)bytes));
    } else if (bytes > 0) {
        char *at = grow(text, (size_t)bytes);
        if (at) {
            vsnprintf(at, (size_t)bytes + 1, format, again);
            text->size += (size_t)bytes;
        }
    }
    va_end(again);
    va_end(arguments);
}

/* ---- JSON ---- */

/* The character that follows the backslash in the short escape of this one; 0 when it has none. */
static char json_short(uint8_t byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* Length of the first character that needs no escape, or 0. */
static size_t json_plain(struct bytes bytes)
{
    uint32_t point;
    uint8_t first = bytes.data[0];
    if (first < 0x20 || json_short(first))
        return 0;
    return first < 0x80 ? 1 : utf8_read(bytes, &point);
}

void text_json(struct text *text, struct bytes bytes)
{
    text_append(text, "\"");
    while (bytes.size > 0 && !text->wanted) {
        size_t plain = 0;
        for (size_t length; plain < bytes.size; plain += length) {
            length = json_plain(bytes_of(bytes.data + plain, bytes.size - plain));
            if (length == 0)
                break;
        }
        text_bytes(text, bytes_of(bytes.data, plain));
        if (plain < bytes.size) {
            uint8_t byte = bytes.data[plain++];
            if (json_short(byte))
                text_bytes(text, bytes_of((char[]){'\\', json_short(byte)}, 2));
            else if (byte < 0x20)
                text_format(text, "\\u%04x", byte);
            else
                text_append(text, "\xef\xbf\xbd"); /* U+FFFD */
        }
        bytes = bytes_of(bytes.data + plain, bytes.size - plain);
    }
    text_append(text, "\"");
}

/* ---- SQL ---- */

/* Appends with `doubled` and `also` doubled. */
static void append_doubling(struct text *text, const char *appended, char doubled, char also)
{
    for (const char *from = appended; *from;) {
        size_t plain = strcspn(from, (char[]){doubled, also, '\0'});
        text_bytes(text, bytes_of(from, plain));
        if (!from[plain])
            break;
        text_bytes(text, bytes_of((char[]){from[plain], from[plain]}, 2));
        from += plain + 1;
    }
}

void text_identifier(struct text *text, const char *name)
{
    text_append(text, "\"");
    append_doubling(text, name, '"', '"');
    text_append(text, "\"");
}

void text_literal(struct text *text, const char *value)
{
    bool backslash = strchr(value, '\\');
    text_append(text, backslash ? "E'" : "'");
    append_doubling(text, value, '\'', backslash ? '\\' : '\'');
    text_append(text, "'");
}

/* ---- the end ---- */

enum sqlstate text_end(struct text *text, const char **whole, struct error *error)
{
    if (!text->wanted) {
        *whole = text->data ? text->data : "";
        return SQLSTATE_OK;
    }
    if (text->wanted >= TEXT_BYTES_MAX - text->size) {
        enum sqlstate failed = error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a text is too long");
        error_add(error, ERROR_DETAIL, "It has %zu bytes, %zu more were to come; %d are the limit.",
                  text->size, text->wanted, TEXT_BYTES_MAX);
        return failed;
    }
    enum sqlstate failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    error_add(error, ERROR_DETAIL, "A text of %zu bytes for \"%s\" could not grow by %zu bytes.", text->size,
              scope_name(text->scope), text->wanted);
    return failed;
}
