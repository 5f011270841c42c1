#include "restgw/http/json_out.h"

#include "base/base64.h"
#include "base/scope.h"
#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 512

void json_out_open(struct json_out *out, struct scope *scope)
{
    *out = (struct json_out){.scope = scope};
}

struct bytes json_out_bytes(const struct json_out *out)
{
    return bytes_of(out->data, out->used);
}

enum sqlstate json_out_outcome(const struct json_out *out, struct error *error)
{
    return out->failed ? error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory") : SQLSTATE_OK;
}

void json_out_clear(struct json_out *out)
{
    out->used = 0;
}

/* ---- bytes ---- */

static bool grow(struct json_out *out, size_t more)
{
    struct error error = {0};
    void *memory;
    size_t room = out->room ? out->room * 2 : FIRST_BYTES;
    while (room < out->used + more)
        room *= 2;
    if (out->failed)
        return false;
    if (room <= SCOPE_CHUNK_BYTES) {
        memory = scope_alloc(out->scope, room);
    } else if (scope_alloc_large(out->scope, room, 16, &memory, &error)) {
        out->failed = true;
        return false;
    }
    if (out->used)
        memcpy(memory, out->data, out->used);
    if (out->room > SCOPE_CHUNK_BYTES)
        scope_free_large(out->scope, out->data);
    out->data = memory;
    out->room = room;
    return true;
}

static inline bool room_for(struct json_out *out, size_t more)
{
    return out->room - out->used >= more || grow(out, more);
}

static inline void put(struct json_out *out, const void *bytes, size_t size)
{
    if (!size || !room_for(out, size))
        return;
    memcpy(out->data + out->used, bytes, size);
    out->used += size;
}

static inline void put_byte(struct json_out *out, uint8_t byte)
{
    if (room_for(out, 1))
        out->data[out->used++] = byte;
}

/* Before a value or a name: the comma that separates it from what stands before. */
static inline void separate(struct json_out *out)
{
    uint64_t bit = (uint64_t)1 << out->depth;
    if (out->named)
        out->named = false;
    else if (out->comma & bit)
        put_byte(out, ',');
    out->comma |= bit;
}

/* ---- structure ---- */

static void open_bracket(struct json_out *out, uint8_t bracket)
{
    separate(out);
    put_byte(out, bracket);
    out->depth = out->depth < 63 ? out->depth + 1 : 63;
    out->comma &= ~((uint64_t)1 << out->depth);
}

static void close_bracket(struct json_out *out, uint8_t bracket)
{
    put_byte(out, bracket);
    out->depth -= out->depth > 0;
}

void json_out_object(struct json_out *out)
{
    open_bracket(out, '{');
}

void json_out_object_end(struct json_out *out)
{
    close_bracket(out, '}');
}

void json_out_array(struct json_out *out)
{
    open_bracket(out, '[');
}

void json_out_array_end(struct json_out *out)
{
    close_bracket(out, ']');
}

void json_out_line_end(struct json_out *out)
{
    put_byte(out, '\n');
    out->depth = 0;
    out->comma = 0;
    out->named = false;
}

/* ---- strings ---- */

/* Bytes from the start that need no escape and are ASCII. */
static inline size_t plain_bytes(const uint8_t *data, size_t size)
{
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, 8);
        uint64_t quote = word ^ 0x2222222222222222, slash = word ^ 0x5c5c5c5c5c5c5c5c;
        uint64_t special = (word - 0x2020202020202020) | word | ((quote - 0x0101010101010101) & ~quote) |
                           ((slash - 0x0101010101010101) & ~slash);
        if (special & 0x8080808080808080)
            break;
    }
    while (at < size && data[at] >= ' ' && data[at] < 0x80 && data[at] != '"' && data[at] != '\\')
        at++;
    return at;
}

/* A byte below U+0080 that is not plain. */
static void put_escape(struct json_out *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    const char *letter = byte == '"' || byte == '\\' ? (const char *)&byte
                         : byte == '\n'              ? "n"
                         : byte == '\r'              ? "r"
                         : byte == '\t'              ? "t"
                                                     : NULL;
    if (letter) {
        const uint8_t escape[2] = {'\\', (uint8_t)*letter};
        put(out, escape, 2);
    } else {
        const char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        put(out, escape, 6);
    }
}

static void put_string(struct json_out *out, struct bytes value)
{
    const uint8_t *data = value.data;
    size_t size = value.size;
    put_byte(out, '"');
    while (size) {
        size_t plain = plain_bytes(data, size);
        put(out, data, plain);
        data += plain;
        size -= plain;
        if (!size)
            break;
        size_t taken = 1;
        if (*data < 0x80) {
            put_escape(out, *data);
        } else {
            uint32_t point;
            taken = utf8_read(bytes_of(data, size), &point);
            put(out, taken ? (const void *)data : "\xef\xbf\xbd", taken ? taken : 3);
            taken = taken ? taken : 1;
        }
        data += taken;
        size -= taken;
    }
    put_byte(out, '"');
}

void json_out_name(struct json_out *out, const char *name)
{
    separate(out);
    put_byte(out, '"');
    put(out, name, strlen(name));
    put(out, "\":", 2);
    out->named = true;
}

void json_out_name_text(struct json_out *out, struct bytes name)
{
    separate(out);
    put_string(out, name);
    put_byte(out, ':');
    out->named = true;
}

void json_out_string(struct json_out *out, struct bytes value)
{
    separate(out);
    put_string(out, value);
}

void json_out_text(struct json_out *out, const char *value)
{
    if (value)
        json_out_string(out, bytes_of_text(value));
    else
        json_out_null(out);
}

void json_out_format(struct json_out *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_out_string(out, bytes_of(text, size < 0                     ? 0
                                        : (size_t)size < sizeof text ? (size_t)size
                                                                     : sizeof text - 1));
}

void json_out_base64(struct json_out *out, struct bytes value)
{
    enum { PIECE = 3 * 256 };
    char text[BASE64_TEXT_BYTES(PIECE)];
    separate(out);
    put_byte(out, '"');
    for (size_t i = 0; i < value.size; i += PIECE) {
        size_t size = value.size - i < PIECE ? value.size - i : PIECE;
        put(out, text, base64_write(bytes_of(value.data + i, size), BASE64, text));
    }
    put_byte(out, '"');
}

/* Days since 1970-01-01 to a date of the proleptic Gregorian calendar (era of 400 years, years that begin in March). */
static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

void json_out_time(struct json_out *out, int64_t wall_us)
{
    const int64_t day_us = 86400LL * 1000000;
    int64_t days = wall_us / day_us - (wall_us % day_us < 0), rest = wall_us - days * day_us, year;
    int month, day;
    date_of(days, &year, &month, &day);
    json_out_format(out, "%04lld-%02d-%02dT%02d:%02d:%02d.%06dZ", (long long)year, month, day,
                    (int)(rest / 3600000000), (int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60),
                    (int)(rest % 1000000));
}

/* ---- other values ---- */

void json_out_null(struct json_out *out)
{
    separate(out);
    put(out, "null", 4);
}

void json_out_boolean(struct json_out *out, bool value)
{
    separate(out);
    put(out, value ? "true" : "false", value ? 4 : 5);
}

/* Writes the digits at the end of `text`; gives where they begin. */
static char *digits_of(uint64_t value, char *end)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return end;
}

static void put_integer(struct json_out *out, int64_t value)
{
    char text[24], *end = text + sizeof text;
    char *begin = digits_of(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, end);
    if (value < 0)
        *--begin = '-';
    put(out, begin, (size_t)(end - begin));
}

void json_out_integer(struct json_out *out, int64_t value)
{
    separate(out);
    put_integer(out, value);
}

void json_out_unsigned(struct json_out *out, uint64_t value)
{
    char text[24], *end = text + sizeof text, *begin = digits_of(value, end);
    separate(out);
    put(out, begin, (size_t)(end - begin));
}

void json_out_integer_text(struct json_out *out, int64_t value)
{
    separate(out);
    put_byte(out, '"');
    put_integer(out, value);
    put_byte(out, '"');
}

static bool not_a_number(struct json_out *out, double value)
{
    if (isfinite(value))
        return false;
    json_out_text(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    return true;
}

void json_out_float8(struct json_out *out, double value)
{
    char text[40];
    int size = 0;
    if (not_a_number(out, value))
        return;
    for (int precision = 15; precision <= 17; precision++) {
        size = snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    separate(out);
    put(out, text, (size_t)size);
}

void json_out_float4(struct json_out *out, float value)
{
    char text[40];
    int size = 0;
    if (not_a_number(out, value))
        return;
    for (int precision = 6; precision <= 9; precision++) {
        size = snprintf(text, sizeof text, "%.*g", precision, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    separate(out);
    put(out, text, (size_t)size);
}

void json_out_value(struct json_out *out, struct bytes json)
{
    separate(out);
    put(out, json.data, json.size);
}

void json_out_raw(struct json_out *out, struct bytes bytes)
{
    put(out, bytes.data, bytes.size);
}
