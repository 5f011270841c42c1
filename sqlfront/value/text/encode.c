/* Bytes as printable text: hex, base64 with a line break behind 76 characters, escape; encode() and decode(). */
#include "sqlfront/value/text/encode.h"

#include "base/utf8.h"
#include "sqlfront/value/text/text.h"

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
