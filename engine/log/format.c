/* The node log's format, and the one place that reads and writes it. Integers are little endian.
 *
 * The log is a stream of bytes; a *position* is an offset in it. Files ("segments") hold it, each named after the position
 * of its first byte in 16 hex digits; the next one's first byte follows the last of the one before. A stream is written in
 * *groups*, each from the start of a block of 4,096 bytes, never over the end of a segment:
 *
 *     segment 0000000000000000                                         segment 0000000004000000
 *     | group  | group            | group | ...  | group |  unused     | group | group ...
 *     | head records zeros | head records records zeros |              ^ always a head, if the segment is in use
 *     ^ block              ^ block
 *
 *   group head, 64 bytes
 *     offset size
 *          0    8  magic "SynodLog"
 *          8    8  cluster
 *         16    8  incarnation      of the log: one more with each opening
 *         24    8  position         of this head
 *         32    8  previous         where the group before ends; less than position only at the start of a segment
 *         40    8  stable           all before it was durable when this group was given to the disk
 *         48    4  bytes            head and records
 *         52    4  records          how many
 *         56    2  kind             enum group_kind
 *         58    2  0
 *         60    4  checksum         CRC-32C of the bytes before it
 *
 *   record, from a multiple of 8
 *          0    4  checksum         CRC-32C of incarnation, position (8 bytes each, not stored), and all that follows
 *          4    4  payload bytes
 *          8    8  topic
 *         16    8  sequence
 *         24    8  transaction
 *         32    4  epoch
 *         36    1  kind
 *         37    3  0
 *         40       payload, then zeros up to a multiple of 8
 *
 * What stands behind the last record in its block is zero. So every bit of a group is checked.
 *
 * Old bytes are never taken for new ones. A head says where it stands, in which cluster's log; positions are not used
 * twice, but for those that a crash made us drop, and after a drop the incarnation is another one. It is mixed into each
 * record's checksum, too: a group of which only the head reached the disk lies over old records that fail there. How a
 * reader walks from group to group is in walk.c. */
#include "engine/log/format.h"

#include "base/codec.h"
#include "base/crc32c.h"

static const char magic[8] = {'S', 'y', 'n', 'o', 'd', 'L', 'o', 'g'};

static_assert(GROUP_BYTES_LEAST <= GROUP_BYTES_MAX && GROUP_BYTES_MAX % DISK_ALIGNMENT == 0);
static_assert(GROUP_HEAD_BYTES % 8 == 0 && RECORD_HEAD_BYTES % 8 == 0);

/* ---- records ---- */

/* Offset of what a record's checksum covers. */
#define RECORD_CHECKED 4

void record_write(uint8_t *to, const struct log_record *record)
{
    size_t bytes = record_bytes(record->payload.size);
    struct codec_writer out = codec_writer_of(to, bytes);
    codec_write_u32(&out, 0);
    codec_write_u32(&out, (uint32_t)record->payload.size);
    codec_write_u64(&out, record->topic);
    codec_write_u64(&out, record->sequence);
    codec_write_u64(&out, record->transaction);
    codec_write_u32(&out, record->epoch);
    codec_write_u8(&out, record->kind);
    memset(to + 37, 0, 3);
    if (record->payload.size)
        memcpy(to + RECORD_HEAD_BYTES, record->payload.data, record->payload.size);
    memset(to + RECORD_HEAD_BYTES + record->payload.size, 0,
           bytes - RECORD_HEAD_BYTES - record->payload.size);
}

static uint32_t record_checksum(const uint8_t *record, size_t bytes, uint64_t incarnation, uint64_t position)
{
    const uint64_t place[2] = {incarnation, position};
    uint32_t checksum = crc32c(bytes_of(place, sizeof place));
    return crc32c_extend(checksum, bytes_of(record + RECORD_CHECKED, bytes - RECORD_CHECKED));
}

void record_seal(uint8_t *record, size_t bytes, uint64_t incarnation, uint64_t position)
{
    uint32_t checksum = record_checksum(record, bytes, incarnation, position);
    memcpy(record, &checksum, sizeof checksum);
}

size_t record_read(const uint8_t *from, size_t left, struct log_record *record)
{
    if (left < RECORD_HEAD_BYTES)
        return 0;
    struct codec_reader in =
        codec_reader_of(bytes_of(from + RECORD_CHECKED, RECORD_HEAD_BYTES - RECORD_CHECKED));
    size_t payload = codec_read_u32(&in);
    if (payload > LOG_PAYLOAD_BYTES_MAX || record_bytes(payload) > left)
        return 0;
    record->topic = codec_read_u64(&in);
    record->sequence = codec_read_u64(&in);
    record->transaction = codec_read_u64(&in);
    record->epoch = codec_read_u32(&in);
    record->kind = codec_read_u8(&in);
    record->payload = bytes_of(from + RECORD_HEAD_BYTES, payload);
    return record_bytes(payload);
}

struct record_cursor record_first(const uint8_t *group, const struct group_head *head)
{
    return (struct record_cursor){
        .group = group, .position = head->position, .at = GROUP_HEAD_BYTES, .end = head->bytes};
}

bool record_next(struct record_cursor *cursor, uint64_t *position, struct log_record *record)
{
    size_t bytes = record_read(cursor->group + cursor->at, cursor->end - cursor->at, record);
    *position = cursor->position + cursor->at;
    cursor->at += (uint32_t)bytes;
    return bytes != 0;
}

/* ---- groups ---- */

void group_seal(uint8_t *group, const struct group_head *head)
{
    struct codec_writer out = codec_writer_of(group, GROUP_HEAD_BYTES);
    codec_write_raw(&out, bytes_of(magic, sizeof magic));
    codec_write_u64(&out, head->cluster);
    codec_write_u64(&out, head->incarnation);
    codec_write_u64(&out, head->position);
    codec_write_u64(&out, head->previous);
    codec_write_u64(&out, head->stable);
    codec_write_u32(&out, head->bytes);
    codec_write_u32(&out, head->records);
    codec_write_u16(&out, (uint16_t)head->kind);
    codec_write_u16(&out, 0);
    codec_write_u32(&out, crc32c(bytes_of(group, GROUP_HEAD_BYTES - 4)));
    memset(group + head->bytes, 0, blocks_up(head->bytes) - head->bytes);
}

/* Relations that hold in every head we write. */
static bool head_possible(const struct group_head *head)
{
    bool empty = head->kind != GROUP_RECORDS;
    return head->kind >= GROUP_RECORDS && head->kind <= GROUP_MARKER && head->incarnation &&
           head->position % DISK_ALIGNMENT == 0 && head->previous % DISK_ALIGNMENT == 0 &&
           head->stable % DISK_ALIGNMENT == 0 && head->previous <= head->position &&
           head->stable <= head->position && head->bytes >= GROUP_HEAD_BYTES && head->bytes % 8 == 0 &&
           head->bytes <= GROUP_BYTES_MAX && empty == (head->bytes == GROUP_HEAD_BYTES) &&
           empty == (head->records == 0) && head->position <= UINT64_MAX - GROUP_BYTES_MAX;
}

bool group_head_read(const uint8_t *block, struct group_head *head)
{
    struct codec_reader in = codec_reader_of(bytes_of(block, GROUP_HEAD_BYTES));
    if (memcmp(codec_read_raw(&in, sizeof magic), magic, sizeof magic))
        return false;
    head->cluster = codec_read_u64(&in);
    head->incarnation = codec_read_u64(&in);
    head->position = codec_read_u64(&in);
    head->previous = codec_read_u64(&in);
    head->stable = codec_read_u64(&in);
    head->bytes = codec_read_u32(&in);
    head->records = codec_read_u32(&in);
    head->kind = codec_read_u16(&in);
    uint16_t nothing = codec_read_u16(&in);
    uint32_t checksum = codec_read_u32(&in);
    return checksum == crc32c(bytes_of(block, GROUP_HEAD_BYTES - 4)) && nothing == 0 && head_possible(head);
}

static bool all_zero(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at == 0)
        at++;
    return at == end;
}

bool group_check(const uint8_t *group, const struct group_head *head)
{
    struct record_cursor cursor = record_first(group, head);
    struct log_record record;
    uint64_t position;
    uint32_t found = 0;
    for (uint32_t at = cursor.at; record_next(&cursor, &position, &record); at = cursor.at, found++) {
        uint32_t checksum;
        memcpy(&checksum, group + at, sizeof checksum);
        if (checksum != record_checksum(group + at, cursor.at - at, head->incarnation, position) ||
            !all_zero(group + at + 37, group + at + RECORD_HEAD_BYTES) ||
            !all_zero(record.payload.data + record.payload.size, group + cursor.at))
            return false;
    }
    return cursor.at == head->bytes && found == head->records &&
           all_zero(group + head->bytes, group + blocks_up(head->bytes));
}
