/* What the engine writes into the node log: kinds of records and their payloads, and nothing else writes or reads them.
 * All integers little endian; `varint`, `bytes` as base/codec.h has them.
 *
 *     EFFECT   topic = shard    u8 effect kind, varint number, bytes key, varint row size, then the row; or, when the
 *                               kind's highest bit is set, varint which large row of the transaction that is
 *     PART     topic = shard    varint which large row, varint its size, varint offset, then a piece of it. They come in
 *                               order; those of other rows, of the same transaction even, may come between. Without an
 *                               EFFECT behind them they are nothing
 *     UNDO     topic = shard    varint above, varint upto: effects numbered above < n <= upto are void
 *     ABORT    topic = 0        empty: the transaction never commits
 *     COMMIT   topic = 0        u64 SCN (written by the sequencer when the record is placed), u64 wall clock in
 *                               microseconds, varint EFFECTs the transaction has logged in all, void ones included
 *
 * The transaction is named by the record's head. */
#ifndef SYNOD_ENGINE_RECORD_H
#define SYNOD_ENGINE_RECORD_H

#include "base/error.h"
#include "engine/log/log.h"
#include "engine/store/store.h"

#define TOPIC_LIFECYCLE 0

enum record_kind {
    RECORD_EFFECT = 1,
    RECORD_PART = 2,
    RECORD_UNDO = 3,
    RECORD_ABORT = 4,
    RECORD_COMMIT = LOG_KIND_STAMPED,
};

/* Rows up to this may stand in their EFFECT; larger ones come in PARTs of at most this. Leaves room for key and numbers. */
#define RECORD_ROW_BYTES_MAX (LOG_PAYLOAD_BYTES_MAX - STORE_KEY_BYTES_MAX - 64)

/* Largest payload of an EFFECT whose key and row, unless that is large, have these sizes. */
size_t record_effect_bytes(const struct effect *effect);

/* Write a payload into `memory` (enough room, as told above or 32 bytes for the small ones); give its size. */
size_t record_effect_write(void *memory, size_t room, const struct effect *effect, uint32_t number,
                           uint32_t large);
size_t record_undo_write(void *memory, size_t room, uint32_t above, uint32_t upto);

/* Read them back; false when the payload is not one. Views lead into the payload. */
struct record_effect {
    struct effect effect; /* row empty when it came in parts */
    uint32_t number;
    uint32_t large; /* 0 = it did not */
    uint64_t row_bytes;
};
bool record_effect_read(struct bytes payload, struct record_effect *effect);

struct record_part {
    uint32_t large; /* from 1 */
    uint64_t row_bytes, offset;
    struct bytes piece;
};
size_t record_part_write(void *memory, size_t room, const struct record_part *part);
bool record_part_read(struct bytes payload, struct record_part *part);

struct record_undo {
    uint32_t above, upto;
};
bool record_undo_read(struct bytes payload, struct record_undo *undo);

/* Room for a COMMIT. */
#define RECORD_COMMIT_BYTES_MAX 32

struct record_commit {
    uint64_t scn;
    int64_t wall_us;
    uint64_t effects;
};
size_t record_commit_write(void *memory, size_t room, const struct record_commit *commit);
void record_commit_stamp(uint8_t *payload, uint64_t scn);
bool record_commit_read(struct bytes payload, struct record_commit *commit);

#endif
