/* UTF-8, one character at a time. */
#include "base/utf8.h"

#include <stdbool.h>

/* Length of the character that begins with this byte; 0 when none does. */
static size_t length_by_lead(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

size_t utf8_read(struct bytes bytes, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */
    size_t length = bytes.size ? length_by_lead(bytes.data[0]) : 0;
    if (length == 0 || length > bytes.size)
        return 0;
    *point = length == 1 ? bytes.data[0] : bytes.data[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes.data[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (bytes.data[i] & 0x3f);
    }
    bool valid = *point >= least[length] && *point <= 0x10ffff && (*point < 0xd800 || *point > 0xdfff);
    return valid ? length : 0;
}

/* Only the last three bytes can belong to a character that goes on behind the end. */
size_t utf8_cut(struct bytes bytes)
{
    for (size_t back = 1; back <= 3 && back <= bytes.size; back++) {
        uint8_t byte = bytes.data[bytes.size - back];
        if ((byte & 0xc0) != 0x80)
            return length_by_lead(byte) > back ? bytes.size - back : bytes.size;
    }
    return bytes.size;
}
