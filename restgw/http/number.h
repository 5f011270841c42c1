/* Numbers as JSON writes them (RFC 8259, section 6). */
#ifndef SYNOD_RESTGW_HTTP_NUMBER_H
#define SYNOD_RESTGW_HTTP_NUMBER_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

static inline bool number_digit(struct bytes text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

/* Bytes of the number the text begins with; 0 when it begins with none. */
static inline size_t number_length(struct bytes text)
{
    size_t at = text.size && text.data[0] == '-';
    if (!number_digit(text, at))
        return 0;
    if (text.data[at] == '0')
        at++;
    else
        while (number_digit(text, at))
            at++;
    if (at < text.size && text.data[at] == '.') {
        if (!number_digit(text, ++at))
            return 0;
        while (number_digit(text, at))
            at++;
    }
    if (at < text.size && (text.data[at] | 0x20) == 'e') {
        at++;
        at += at < text.size && (text.data[at] == '+' || text.data[at] == '-');
        if (!number_digit(text, at))
            return 0;
        while (number_digit(text, at))
            at++;
    }
    return at;
}

/* Whether the whole text is a number without fraction and exponent that int8 can hold. */
static inline bool number_integer(struct bytes text, int64_t *value)
{
    bool negative = text.size && text.data[0] == '-';
    int64_t sum = 0;
    if (!text.size || number_length(text) != text.size)
        return false;
    for (size_t i = negative; i < text.size; i++) {
        if (!number_digit(text, i) || __builtin_mul_overflow(sum, 10, &sum) ||
            (negative ? __builtin_sub_overflow(sum, text.data[i] - '0', &sum)
                      : __builtin_add_overflow(sum, text.data[i] - '0', &sum)))
            return false;
    }
    *value = sum;
    return true;
}

#endif
