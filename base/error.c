/* Errors hold their texts in one room: each text zero-terminated, one behind the other in the order they were
 * added, found by offset. Replacing a text closes the gap it leaves, so the room never holds what nobody
 * sees.
 */
#include "base/error.h"
#include "base/check.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static_assert(ERROR_ROOM_BYTES < UINT16_MAX, "offsets in the room are 16 bits wide");

void sqlstate_text(enum sqlstate state, char text[static 6])
{
    for (int i = 0; i < 5; i++)
        text[i] = (char)('0' + (((uint32_t)state >> (6 * i)) & 0x3f));
    text[5] = '\0';
}

void error_clear(struct error *error)
{
    error->state = SQLSTATE_OK;
    error->position = 0;
    error->room_used = 0;
    memset(error->field, 0, sizeof error->field);
}

static void forget(struct error *error, enum error_field field)
{
    if (!error->field[field])
        return;
    size_t at = error->field[field] - 1U;
    size_t bytes = strlen(error->room + at) + 1;
    memmove(error->room + at, error->room + at + bytes, error->room_used - at - bytes);
    error->room_used -= (uint16_t)bytes;
    for (int i = 0; i < ERROR_FIELDS; i++) {
        if (error->field[i] > error->field[field])
            error->field[i] -= (uint16_t)bytes;
    }
    error->field[field] = 0;
}

static void append(struct error *error, enum error_field field, const char *text, size_t bytes)
{
    size_t left = sizeof error->room - error->room_used;
    if (left == 0)
        return;
    if (bytes >= left)
        bytes = utf8_cut(bytes_of(text, left - 1));
    memcpy(error->room + error->room_used, text, bytes);
    error->room[error->room_used + bytes] = '\0';
    error->field[field] = (uint16_t)(error->room_used + 1U);
    error->room_used += (uint16_t)(bytes + 1);
}

/* Writes the text beside the room first, for the arguments may be texts of this very error. Gives its bytes.
 */
static size_t compose(char text[static ERROR_ROOM_BYTES], const char *format, va_list arguments)
{
    int bytes = vsnprintf(text, ERROR_ROOM_BYTES, format, arguments);
    if (bytes < 0)
        return 0;
    return bytes < ERROR_ROOM_BYTES ? (size_t)bytes : utf8_cut(bytes_of(text, ERROR_ROOM_BYTES - 1));
}

enum sqlstate error_set(struct error *error, enum sqlstate state, const char *format, ...)
{
    check(state != SQLSTATE_OK);
    char text[ERROR_ROOM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t bytes = compose(text, format, arguments);
    va_end(arguments);
    error_clear(error);
    error->state = state;
    append(error, ERROR_MESSAGE, text, bytes);
    return state;
}

void error_add(struct error *error, enum error_field field, const char *format, ...)
{
    check(error->state != SQLSTATE_OK);
    check(field < ERROR_FIELDS);
    char text[ERROR_ROOM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t bytes = compose(text, format, arguments);
    va_end(arguments);
    forget(error, field);
    append(error, field, text, bytes);
}

const char *error_text(const struct error *error, enum error_field field)
{
    check(field < ERROR_FIELDS);
    return error->field[field] ? error->room + error->field[field] - 1 : NULL;
}
