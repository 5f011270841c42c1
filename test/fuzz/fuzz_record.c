/* Payloads of the engine's log records, whatever the bytes: what is read of them lies within, and written again it reads the same.
 *
 * An input is  kind of record | payload.  It stands in memory of its exact size, so that the address sanitizer sees a step
 * beyond. */
#include "base/check.h"
#include "engine/record.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>

static uint8_t again[LOG_PAYLOAD_BYTES_MAX + STORE_KEY_BYTES_MAX + 64];

static void effect(struct bytes payload)
{
    struct record_effect one, two;
    if (!record_effect_read(payload, &one))
        return;
    struct store_large large = {.size = one.row_bytes};
    struct effect *effect = &one.effect;
    check(effect->key.size <= STORE_KEY_BYTES_MAX && one.row_bytes <= STORE_ROW_BYTES_MAX);
    effect->large = one.large ? &large : NULL;
    if (record_effect_bytes(effect) > sizeof again)
        return;
    size_t bytes = record_effect_write(again, sizeof again, effect, one.number, one.large);
    check(bytes <= record_effect_bytes(effect));
    check(record_effect_read(bytes_of(again, bytes), &two));
    check(two.number == one.number && two.large == one.large && two.row_bytes == one.row_bytes);
    check(two.effect.kind == effect->kind && bytes_compare(two.effect.key, effect->key) == 0 &&
          bytes_compare(two.effect.row, effect->row) == 0);
}

static void part(struct bytes payload)
{
    struct record_part one, two;
    if (!record_part_read(payload, &one) || one.piece.size > RECORD_ROW_BYTES_MAX)
        return;
    check(one.offset + one.piece.size <= one.row_bytes && one.row_bytes <= STORE_ROW_BYTES_MAX);
    size_t bytes = record_part_write(again, LOG_PAYLOAD_BYTES_MAX, &one);
    check(record_part_read(bytes_of(again, bytes), &two));
    check(two.large == one.large && two.row_bytes == one.row_bytes && two.offset == one.offset &&
          bytes_compare(two.piece, one.piece) == 0);
}

static void undo(struct bytes payload)
{
    struct record_undo one, two;
    if (!record_undo_read(payload, &one))
        return;
    size_t bytes = record_undo_write(again, 32, one.above, one.upto);
    check(record_undo_read(bytes_of(again, bytes), &two) && two.above == one.above && two.upto == one.upto);
}

static void commit(struct bytes payload)
{
    struct record_commit one, two;
    if (!record_commit_read(payload, &one))
        return;
    size_t bytes = record_commit_write(again, RECORD_COMMIT_BYTES_MAX, &one);
    check(record_commit_read(bytes_of(again, bytes), &two));
    check(two.scn == one.scn && two.wall_us == one.wall_us && two.effects == one.effects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read[])(struct bytes payload) = {effect, part, undo, commit};
    if (size < 1)
        return 0;
    uint8_t *exact = malloc(size);
    check(exact);
    memcpy(exact, data, size);
    read[exact[0] % (sizeof read / sizeof *read)](bytes_of(exact + 1, size - 1));
    free(exact);
    return 0;
}
