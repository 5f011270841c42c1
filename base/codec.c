/* The longer ways of codec.h: varints of more than one byte, and what has a size in front. */
#include "base/codec.h"

/* The last group must not be zero (a shorter encoding would do), and the tenth byte has room for one bit. */
uint64_t codec_read_varint_long(struct codec_reader *in)
{
    uint64_t value = 0;
    const uint8_t *at = in->at;
    for (uint32_t shift = 0; shift < 64 && at < in->end; shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte >= 0x80)
            continue;
        if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1))
            break;
        in->at = at;
        return value;
    }
    codec_read_fail(in);
    return 0;
}

struct bytes codec_read_bytes(struct codec_reader *in)
{
    return codec_read_view(in, codec_read_varint(in));
}

const char *codec_read_text(struct codec_reader *in)
{
    uint64_t length = codec_read_varint(in);
    if (length >= codec_left(in)) { /* there is a zero byte behind */
        codec_read_fail(in);
        return "";
    }
    const uint8_t *text = codec_read_raw(in, length + 1);
    if (memchr(text, 0, length + 1) == text + length)
        return (const char *)text;
    codec_read_fail(in);
    return "";
}

struct codec_reader codec_read_part(struct codec_reader *in, size_t size)
{
    struct codec_reader part = codec_reader_of(codec_read_view(in, size));
    part.failed = in->failed;
    return part;
}

void codec_write_varint(struct codec_writer *out, uint64_t value)
{
    uint8_t *at = codec_write_room(out, codec_varint_size(value));
    if (!at)
        return;
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at = (uint8_t)value;
}

void codec_write_raw(struct codec_writer *out, struct bytes bytes)
{
    uint8_t *at = codec_write_room(out, bytes.size);
    if (at && bytes.size)
        memcpy(at, bytes.data, bytes.size);
}

/* Takes room for all parts at once, so that a size is never written without what it counts. */
static uint8_t *room_behind_size(struct codec_writer *out, size_t counted, size_t extra)
{
    size_t prefix = codec_varint_size(counted), room = (size_t)(out->end - out->at);
    if (counted > room || prefix + counted + extra > room) {
        out->failed = true;
        return NULL;
    }
    codec_write_varint(out, counted);
    return codec_write_room(out, counted + extra);
}

void codec_write_bytes(struct codec_writer *out, struct bytes bytes)
{
    uint8_t *at = room_behind_size(out, bytes.size, 0);
    if (at && bytes.size)
        memcpy(at, bytes.data, bytes.size);
}

void codec_write_text(struct codec_writer *out, const char *text)
{
    size_t length = strlen(text);
    uint8_t *at = room_behind_size(out, length, 1);
    if (at)
        memcpy(at, text, length + 1);
}
