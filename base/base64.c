#include "base/base64.h"

#include <stdbool.h>

static char letter_of(uint32_t bits, enum base64_kind kind)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    bits &= 63;
    return bits < 62 ? letters[bits] : kind == BASE64_URL ? "-_"[bits - 62] : "+/"[bits - 62];
}

static int bits_of(uint8_t letter, enum base64_kind kind)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    if (letter == (kind == BASE64_URL ? '-' : '+'))
        return 62;
    return letter == (kind == BASE64_URL ? '_' : '/') ? 63 : -1;
}

size_t base64_write(struct bytes bytes, enum base64_kind kind, char *text)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t word = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            word |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            word |= bytes.data[i + 2];
        for (unsigned j = 0; j < 4; j++) {
            if (j <= left)
                text[used++] = letter_of(word >> (18 - 6 * j), kind);
            else if (kind != BASE64_URL)
                text[used++] = '=';
        }
    }
    text[used] = '\0';
    return used;
}

/* The text without its padding; false when that is not as the kind wants it. */
static bool unpad(struct bytes *text, enum base64_kind kind)
{
    size_t size = text->size, padding = 0;
    while (kind != BASE64_URL && padding < 2 && padding < size && text->data[size - 1 - padding] == '=')
        padding++;
    text->size -= padding;
    bool whole = size % 4 == 0;
    return text->size % 4 != 1 && (padding ? whole : kind != BASE64 || whole);
}

ptrdiff_t base64_read(struct bytes text, enum base64_kind kind, uint8_t *bytes, size_t room)
{
    uint32_t word = 0;
    unsigned held = 0;
    size_t used = 0;
    if (!unpad(&text, kind))
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        int value = bits_of(text.data[i], kind);
        if (value < 0)
            return -1;
        word = word << 6 | (uint32_t)value;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (used == room)
            return -1;
        bytes[used++] = (uint8_t)(word >> held);
    }
    return word & ((1U << held) - 1) ? -1 : (ptrdiff_t)used;
}
