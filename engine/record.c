/* See record.h. Writing is bounded by the room the caller was told to give, so that it cannot fail; reading trusts nothing. */
#include "engine/record.h"

#include "base/check.h"
#include "base/codec.h"

/* In an effect's kind: the row came in PARTs. */
#define KIND_LARGE 0x80

static size_t written(const struct codec_writer *out)
{
    check(!out->failed, "a record is larger than it was said to be");
    return codec_written(out).size;
}

size_t record_effect_bytes(const struct effect *effect)
{
    return 32 + effect->key.size + (effect->large ? 0 : effect->row.size);
}

size_t record_effect_write(void *memory, size_t room, const struct effect *effect, uint32_t number,
                           uint32_t large)
{
    struct codec_writer out = codec_writer_of(memory, room);
    check(!effect->large == !large);
    codec_write_u8(&out, (uint8_t)(effect->kind | (large ? KIND_LARGE : 0)));
    codec_write_varint(&out, number);
    codec_write_bytes(&out, effect->key);
    codec_write_varint(&out, large ? effect->large->size : effect->row.size);
    if (large)
        codec_write_varint(&out, large);
    else
        codec_write_raw(&out, effect->row);
    return written(&out);
}

bool record_effect_read(struct bytes payload, struct record_effect *effect)
{
    struct codec_reader in = codec_reader_of(payload);
    uint8_t byte = codec_read_u8(&in), kind = byte & (KIND_LARGE - 1);
    bool large = byte & KIND_LARGE;
    effect->number = (uint32_t)codec_read_varint_at_most(&in, UINT32_MAX);
    struct bytes key = codec_read_bytes(&in);
    effect->row_bytes = codec_read_varint_at_most(&in, STORE_ROW_BYTES_MAX);
    effect->large = large ? (uint32_t)codec_read_varint_at_most(&in, UINT32_MAX) : 0;
    struct bytes row = codec_read_view(&in, large ? 0 : codec_left(&in));
    effect->effect = (struct effect){.kind = kind, .key = key, .row = row};
    return codec_read_all(&in) && kind >= EFFECT_INSERT && kind <= EFFECT_DELETE && effect->number > 0 &&
           key.size <= STORE_KEY_BYTES_MAX && (large ? effect->large > 0 : row.size == effect->row_bytes) &&
           (kind != EFFECT_DELETE || effect->row_bytes == 0);
}

size_t record_part_write(void *memory, size_t room, const struct record_part *part)
{
    struct codec_writer out = codec_writer_of(memory, room);
    codec_write_varint(&out, part->large);
    codec_write_varint(&out, part->row_bytes);
    codec_write_varint(&out, part->offset);
    codec_write_raw(&out, part->piece);
    return written(&out);
}

bool record_part_read(struct bytes payload, struct record_part *part)
{
    struct codec_reader in = codec_reader_of(payload);
    part->large = (uint32_t)codec_read_varint_at_most(&in, UINT32_MAX);
    part->row_bytes = codec_read_varint_at_most(&in, STORE_ROW_BYTES_MAX);
    part->offset = codec_read_varint_at_most(&in, STORE_ROW_BYTES_MAX);
    part->piece = codec_read_view(&in, codec_left(&in));
    return codec_read_all(&in) && part->large > 0 && part->piece.size > 0 &&
           part->offset + part->piece.size <= part->row_bytes;
}

size_t record_undo_write(void *memory, size_t room, uint32_t above, uint32_t upto)
{
    struct codec_writer out = codec_writer_of(memory, room);
    codec_write_varint(&out, above);
    codec_write_varint(&out, upto);
    return written(&out);
}

bool record_undo_read(struct bytes payload, struct record_undo *undo)
{
    struct codec_reader in = codec_reader_of(payload);
    undo->above = (uint32_t)codec_read_varint_at_most(&in, UINT32_MAX);
    undo->upto = (uint32_t)codec_read_varint_at_most(&in, UINT32_MAX);
    return codec_read_all(&in) && undo->above <= undo->upto;
}

size_t record_commit_write(void *memory, size_t room, const struct record_commit *commit)
{
    struct codec_writer out = codec_writer_of(memory, room);
    codec_write_u64(&out, commit->scn);
    codec_write_u64(&out, (uint64_t)commit->wall_us);
    codec_write_varint(&out, commit->effects);
    return written(&out);
}

void record_commit_stamp(uint8_t *payload, uint64_t scn)
{
    struct codec_writer out = codec_writer_of(payload, sizeof scn);
    codec_write_u64(&out, scn);
}

bool record_commit_read(struct bytes payload, struct record_commit *commit)
{
    struct codec_reader in = codec_reader_of(payload);
    commit->scn = codec_read_u64(&in);
    commit->wall_us = (int64_t)codec_read_u64(&in);
    commit->effects = codec_read_varint(&in);
    return codec_read_all(&in) && commit->scn > SCN_LOADED;
}
