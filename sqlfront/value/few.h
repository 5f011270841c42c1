/* One to eight bytes as a little-endian number, without a call of memcpy for each length. */
#ifndef SYNOD_SQLFRONT_VALUE_FEW_H
#define SYNOD_SQLFRONT_VALUE_FEW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `size` is 1 to 8. The parts may overlap: the same byte lands in the same place twice. */
static inline uint64_t load_few(const uint8_t *at, size_t size)
{
    uint32_t low, high;
    if (size < 4)
        return at[0] | (uint64_t)at[size / 2] << 8 * (size / 2) | (uint64_t)at[size - 1] << 8 * (size - 1);
    memcpy(&low, at, 4);
    memcpy(&high, at + size - 4, 4);
    return low | (uint64_t)high << 8 * (size - 4);
}

#endif
