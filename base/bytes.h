/* A view of bytes that somebody else owns. */
#ifndef SYNOD_BASE_BYTES_H
#define SYNOD_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;         /* bytes */
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = size};
}

static inline struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

/* Copies bytes, which keys are: mostly so few that a call of memcpy takes longer than the copying. The two may not overlap. */
static inline void bytes_copy(uint8_t *to, struct bytes from)
{
    uint64_t first, last;
    uint32_t first_half, last_half;
    if (from.size > 16) {
        memcpy(to, from.data, from.size);
    } else if (from.size >= 8) {
        memcpy(&first, from.data, 8);
        memcpy(&last, from.data + from.size - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + from.size - 8, &last, 8);
    } else if (from.size >= 4) {
        memcpy(&first_half, from.data, 4);
        memcpy(&last_half, from.data + from.size - 4, 4);
        memcpy(to, &first_half, 4);
        memcpy(to + from.size - 4, &last_half, 4);
    } else {
        for (size_t i = 0; i < from.size; i++)
            to[i] = from.data[i];
    }
}

/* Three-way order by unsigned byte, shorter first when one is a prefix of the other. Gives <0, 0, >0. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

#endif
