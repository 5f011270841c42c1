/* Keys in their order, so that neighbours in a tree are looked up one after the other: the way down to the second is in the
 * processor's caches then. By the first eight bytes; among keys that begin alike any order will do. Radix sort from the last
 * byte on, bytes in which no two keys differ left out. */
#include "sqlfront/run/operator.h"

struct placed {
    uint64_t first; /* bytes, as a number */
    uint32_t place;
};

static uint64_t first_bytes(struct bytes key)
{
    uint64_t number = 0;
    if (key.size >= sizeof number) {
        memcpy(&number, key.data, sizeof number);
        return __builtin_bswap64(number);
    }
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | (i < key.size ? key.data[i] : 0);
    return number;
}

static void by_byte(const struct placed *from, struct placed *to, uint32_t count, uint32_t shift)
{
    uint32_t at[256] = {0}, next = 0;
    for (uint32_t i = 0; i < count; i++)
        at[from[i].first >> shift & 0xff]++;
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t with = at[byte];
        at[byte] = next;
        next += with;
    }
    for (uint32_t i = 0; i < count; i++)
        to[at[from[i].first >> shift & 0xff]++] = from[i];
}

void key_order(struct scope *scratch, const struct bytes *keys, uint32_t count, uint32_t *order)
{
    struct placed *sorted = scope_alloc(scratch, (count + 1) * sizeof sorted[0]);
    struct placed *other = scope_alloc(scratch, (count + 1) * sizeof other[0]);
    uint64_t differs = 0;
    bool in_order = true;
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = (struct placed){.first = first_bytes(keys[i]), .place = i};
        differs |= sorted[i].first ^ sorted[0].first;
        in_order = in_order && (i == 0 || sorted[i - 1].first <= sorted[i].first);
    }
    for (uint32_t shift = 0; shift < 64 && !in_order; shift += 8)
        if (differs >> shift & 0xff) {
            by_byte(sorted, other, count, shift);
            struct placed *was = sorted;
            sorted = other;
            other = was;
        }
    for (uint32_t i = 0; i < count; i++)
        order[i] = sorted[i].place;
}
