/* Reading and writing values as bytes, within bounds: log records, pages, frames.
 *
 * A reader or writer never touches a byte outside the view it was given. Instead of an answer per call it has
 * a flag that sticks: the first thing that does not fit (or is no valid encoding) sets `failed`, and from
 * then on reads give 0 or nothing, writes write nothing. Code decodes a whole record and asks once at the
 * end:
 *
 *     struct codec_reader in = codec_reader_of(record);
 *     uint32_t table = codec_read_u32(&in);
 *     struct bytes key = codec_read_bytes(&in);
 *     if (!codec_read_all(&in))
 *         return error_set(error, SQLSTATE_DATA_CORRUPTED, …);
 *
 * Encodings. Every value has exactly one, so that equal values are equal bytes:
 *
 *     u8 u16 u32 u64   that many bytes, little-endian
 *     varint           7 bits a byte, lowest first, the top bit says that more follow (LEB128); no longer
 * than needed, so at most 10 bytes signed           a varint of 2n for n >= 0 and of -2n-1 for n < 0
 * ("zigzag"): -1 is 1, 1 is 2 bytes            a varint of the size, then the bytes text             a varint
 * of the length, the characters, a zero byte; no other zero byte
 *
 * Nothing read is copied: views and texts are good as long as the bytes read from. */
#ifndef SYNOD_BASE_CODEC_H
#define SYNOD_BASE_CODEC_H

#include "base/bytes.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest encoding of a varint. */
#define CODEC_VARINT_BYTES 10

struct codec_reader {
    const uint8_t *at; /* next byte to read */
    const uint8_t *end;
    bool failed;
};

struct codec_writer {
    uint8_t *start;
    uint8_t *at; /* next byte to write */
    uint8_t *end;
    bool failed;
};

/* (C has no arithmetic on NULL, not even with 0, so an empty view starts anywhere else.) */
static inline struct codec_reader codec_reader_of(struct bytes bytes)
{
    const uint8_t *start = bytes.size ? bytes.data : (const uint8_t *)"";
    return (struct codec_reader){.at = start, .end = start + bytes.size};
}

static inline struct codec_writer codec_writer_of(void *memory, size_t size)
{
    return (struct codec_writer){.start = memory, .at = memory, .end = (uint8_t *)memory + size};
}

/* ---- reading ---- */

/* Bytes not read yet. */
static inline size_t codec_left(const struct codec_reader *in)
{
    return (size_t)(in->end - in->at);
}

/* Whether everything was valid and nothing is left. */
static inline bool codec_read_all(const struct codec_reader *in)
{
    return !in->failed && in->at == in->end;
}

/* Fails the reader, for a value that is well formed and still cannot be. */
static inline void codec_read_fail(struct codec_reader *in)
{
    in->failed = true;
    in->at = in->end; /* so that whatever is read from now on finds nothing */
}

/* The next `size` bytes, for memcpy; NULL (and failed) when there are fewer. */
static inline const uint8_t *codec_read_raw(struct codec_reader *in, size_t size)
{
    if (__builtin_expect(size > codec_left(in), 0)) {
        codec_read_fail(in);
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += size;
    return at;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width values are copied as they stand");

static inline uint8_t codec_read_u8(struct codec_reader *in)
{
    const uint8_t *at = codec_read_raw(in, 1);
    return at ? *at : 0;
}

static inline uint16_t codec_read_u16(struct codec_reader *in)
{
    uint16_t value = 0;
    const uint8_t *at = codec_read_raw(in, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t codec_read_u32(struct codec_reader *in)
{
    uint32_t value = 0;
    const uint8_t *at = codec_read_raw(in, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t codec_read_u64(struct codec_reader *in)
{
    uint64_t value = 0;
    const uint8_t *at = codec_read_raw(in, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

uint64_t codec_read_varint_long(struct codec_reader *in);

static inline uint64_t codec_read_varint(struct codec_reader *in)
{
    if (__builtin_expect(in->at < in->end && *in->at < 0x80, 1))
        return *in->at++;
    return codec_read_varint_long(in);
}

/* A varint that must not be above `most`: a count or size that the caller has a bound for. */
static inline uint64_t codec_read_varint_at_most(struct codec_reader *in, uint64_t most)
{
    uint64_t value = codec_read_varint(in);
    if (value <= most)
        return value;
    codec_read_fail(in);
    return 0;
}

static inline int64_t codec_read_signed(struct codec_reader *in)
{
    uint64_t folded = codec_read_varint(in);
    return (int64_t)(folded >> 1 ^ (0 - (folded & 1)));
}

/* A view of the next `size` bytes; empty when there are fewer. */
static inline struct bytes codec_read_view(struct codec_reader *in, size_t size)
{
    const uint8_t *at = codec_read_raw(in, size);
    return bytes_of(at, at ? size : 0);
}

/* A size, then a view of that many bytes. */
struct bytes codec_read_bytes(struct codec_reader *in);

/* A text; "" when it is none. */
const char *codec_read_text(struct codec_reader *in);

/* A reader of the next `size` bytes, which this one skips: a record within a record. It has failed when there
 * are fewer. */
struct codec_reader codec_read_part(struct codec_reader *in, size_t size);

/* ---- writing ---- */

/* What was written so far. */
static inline struct bytes codec_written(const struct codec_writer *out)
{
    return bytes_of(out->start, (size_t)(out->at - out->start));
}

/* Takes the next `size` bytes, for the caller to fill now or later (a length or checksum known at the end);
 * NULL (and failed) when there is less room. A write that does not fit writes none of its bytes. */
static inline uint8_t *codec_write_room(struct codec_writer *out, size_t size)
{
    if (__builtin_expect(size > (size_t)(out->end - out->at), 0) || out->failed) {
        out->failed = true;
        return NULL;
    }
    uint8_t *at = out->at;
    out->at += size;
    return at;
}

static inline void codec_write_u8(struct codec_writer *out, uint8_t value)
{
    uint8_t *at = codec_write_room(out, 1);
    if (at)
        *at = value;
}

static inline void codec_write_u16(struct codec_writer *out, uint16_t value)
{
    uint8_t *at = codec_write_room(out, sizeof value);
    if (at)
        memcpy(at, &value, sizeof value);
}

static inline void codec_write_u32(struct codec_writer *out, uint32_t value)
{
    uint8_t *at = codec_write_room(out, sizeof value);
    if (at)
        memcpy(at, &value, sizeof value);
}

static inline void codec_write_u64(struct codec_writer *out, uint64_t value)
{
    uint8_t *at = codec_write_room(out, sizeof value);
    if (at)
        memcpy(at, &value, sizeof value);
}

void codec_write_varint(struct codec_writer *out, uint64_t value);

static inline void codec_write_signed(struct codec_writer *out, int64_t value)
{
    codec_write_varint(out, (uint64_t)value << 1 ^ (0 - ((uint64_t)value >> 63)));
}

/* The bytes alone, without their size. */
void codec_write_raw(struct codec_writer *out, struct bytes bytes);

/* The size, then the bytes. */
void codec_write_bytes(struct codec_writer *out, struct bytes bytes);

/* A zero-terminated text. */
void codec_write_text(struct codec_writer *out, const char *text);

/* ---- sizes, to reserve room ---- */

/* Bytes a varint takes: 1 .. CODEC_VARINT_BYTES. */
static inline size_t codec_varint_size(uint64_t value)
{
    return (70U - (uint32_t)__builtin_clzll(value | 1)) / 7;
}

static inline size_t codec_signed_size(int64_t value)
{
    return codec_varint_size((uint64_t)value << 1 ^ (0 - ((uint64_t)value >> 63)));
}

static inline size_t codec_bytes_size(size_t size)
{
    return codec_varint_size(size) + size;
}

static inline size_t codec_text_size(size_t length)
{
    return codec_varint_size(length) + length + 1;
}

#endif
