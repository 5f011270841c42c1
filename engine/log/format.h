/* The log's bytes: groups of records, their checksums. format.c draws them. */
#ifndef SYNOD_ENGINE_LOG_FORMAT_H
#define SYNOD_ENGINE_LOG_FORMAT_H

#include "base/world.h"
#include "engine/log/log.h"

#define GROUP_HEAD_BYTES  64
#define RECORD_HEAD_BYTES 40

/* Largest group. A reader must hold one in memory, and writing more at once gains nothing: 1 MiB reaches what the device
 * can do. */
#define GROUP_BYTES_MAX (2 * 1024 * 1024)

/* The largest record fits into a group of its own, whatever size groups are to have, and so into a segment. */
#define GROUP_BYTES_LEAST \
    (((GROUP_HEAD_BYTES + RECORD_HEAD_BYTES + LOG_PAYLOAD_BYTES_MAX) / DISK_ALIGNMENT + 1) * DISK_ALIGNMENT)

/* Groups between the stable position and the end of the log have at most so many bytes, for that is what the owner's buffers
 * hold (open.c checks their sum). So a head with more than this between itself and a group says that the group was stable. */
#define WINDOW_BYTES (16 * 1024 * 1024)

enum group_kind {
    GROUP_RECORDS = 1,
    GROUP_OPENING = 2, /* the first of an incarnation; no records */
    GROUP_MARKER = 3,  /* only says what is stable; no records */
};

struct group_head {
    uint64_t cluster;
    uint64_t incarnation;
    uint64_t position; /* where this head stands */
    uint64_t previous; /* where the group before ends: here, or before the unused rest of a segment */
    uint64_t stable;   /* when the group was given to the disk */
    uint32_t bytes;    /* head and records, without the zeros that fill the last block */
    uint32_t records;
    enum group_kind kind;
};

/* Bytes up to the end of the block they end in. */
static inline uint64_t blocks_up(uint64_t bytes)
{
    return (bytes + DISK_ALIGNMENT - 1) / DISK_ALIGNMENT * DISK_ALIGNMENT;
}

/* Where the group ends: the next one may begin there. */
static inline uint64_t group_end(const struct group_head *head)
{
    return head->position + blocks_up(head->bytes);
}

/* What a record with such a payload takes in a group: a multiple of 8. */
static inline size_t record_bytes(size_t payload_bytes)
{
    return (RECORD_HEAD_BYTES + payload_bytes + 7) & ~(size_t)7;
}

/* Writes the record, but for its checksum, to record_bytes(record->payload.size) bytes. */
void record_write(uint8_t *to, const struct log_record *record);

/* Writes the checksum of a record that stands at `position` of the stream. */
void record_seal(uint8_t *record, size_t bytes, uint64_t incarnation, uint64_t position);

/* Reads a record of at most `left` bytes, whatever its checksum; gives its bytes, 0 when there is none. The payload is a
 * view. */
size_t record_read(const uint8_t *from, size_t left, struct log_record *record);

/* Writes the head over the group's first GROUP_HEAD_BYTES, and zeros behind its records up to the block's end. */
void group_seal(uint8_t *group, const struct group_head *head);

/* Whether a head stands here that is whole and possible in itself. Reads GROUP_HEAD_BYTES. */
bool group_head_read(const uint8_t *block, struct group_head *head);

/* Whether the group under a head that was read is whole: all of blocks_up(head->bytes) bytes are looked at. */
bool group_check(const uint8_t *group, const struct group_head *head);

/* Walks the records of a group that was checked. */
struct record_cursor {
    const uint8_t *group;
    uint64_t position; /* of the group */
    uint32_t at, end;  /* in the group */
};
struct record_cursor record_first(const uint8_t *group, const struct group_head *head);

/* False at the end. The payload is a view into the group. */
bool record_next(struct record_cursor *cursor, uint64_t *position, struct log_record *record);

#endif
