/* A value within an array or record: its bytes there.
 *
 *     integers, floats   `width` bytes, little-endian
 *     bytes of fixed     `width` bytes
 *      size
 *     numeric            scale (one byte), unscaled (8 bytes); or 0xff and the bytes of a large one
 *     other bytes        as they are */
#ifndef SYNOD_SQLFRONT_VALUE_ARRAY_PIECE_H
#define SYNOD_SQLFRONT_VALUE_ARRAY_PIECE_H

#include "sqlfront/value/value.h"

#define PIECE_LARGE_NUMERIC 0xff

/* Kinds of pieces: those of values, and integers of four bytes without sign (oids and what is stored like them). */
#define PIECE_UNSIGNED 5

uint8_t piece_kind(const struct type *type);

/* Whether all pieces of that kind have `width` bytes. */
static inline bool piece_is_fixed(uint8_t kind, uint8_t width)
{
    return kind != VALUE_NUMERIC && width != 0;
}

static inline size_t piece_size(uint8_t kind, uint8_t width, const struct value *value)
{
    if (piece_is_fixed(kind, width))
        return width;
    if (kind == VALUE_NUMERIC)
        return value->small ? 9 : 1 + (size_t)value->size;
    return value->size;
}

/* Writes the piece, which is not null; gives the place behind it. */
uint8_t *piece_write(uint8_t kind, uint8_t width, const struct value *value, uint8_t *to);

struct value piece_read(uint8_t kind, uint8_t width, const uint8_t *at, size_t size);

#endif
