/* Groups of the node log, whatever the bytes: nothing outside is read, and what is found whole is what would be written.
 *
 * An input is a group with its head; a head whose checksum is wrong is given the right one, or no input would come further. */
#include "base/check.h"
#include "base/crc32c.h"
#include "engine/log/format.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>

/* Records as far as they can be read lie within the group, in order, and are written as they were read. */
static void walk_records(const uint8_t *group, const struct group_head *head, bool whole)
{
    struct record_cursor cursor = record_first(group, head);
    struct log_record record;
    uint64_t position, behind = head->position + GROUP_HEAD_BYTES;
    uint32_t found = 0;
    for (uint32_t at = cursor.at; record_next(&cursor, &position, &record); at = cursor.at, found++) {
        size_t bytes = record_bytes(record.payload.size);
        check(position == behind && cursor.at == at + bytes && cursor.at <= head->bytes);
        check(record.payload.data >= group &&
              record.payload.data + record.payload.size <= group + head->bytes);
        behind += bytes;
        if (!whole)
            continue;
        uint8_t *again = malloc(bytes);
        check(again);
        record_write(again, &record);
        record_seal(again, bytes, head->incarnation, position);
        check(memcmp(again, group + at, bytes) == 0);
        free(again);
    }
    check(!whole || (found == head->records && cursor.at == head->bytes));
}

/* With the checksums its records should have, a group whose sizes are right is whole, unless bytes that must be zero are
 * not. */
static bool mend(uint8_t *group, const struct group_head *head)
{
    struct record_cursor cursor = record_first(group, head);
    struct log_record record;
    uint64_t position;
    for (uint32_t at = cursor.at; record_next(&cursor, &position, &record); at = cursor.at)
        record_seal(group + at, cursor.at - at, head->incarnation, position);
    return group_check(group, head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct group_head head, again;
    uint8_t block[GROUP_HEAD_BYTES];
    if (size < GROUP_HEAD_BYTES)
        return 0;
    memcpy(block, data, sizeof block);
    (void)group_head_read(block, &head);
    uint32_t checksum = crc32c(bytes_of(block, GROUP_HEAD_BYTES - 4));
    memcpy(block + GROUP_HEAD_BYTES - 4, &checksum, sizeof checksum);
    if (!group_head_read(block, &head) || head.bytes > 64 * 1024)
        return 0;
    /* Memory of its exact size, so that the address sanitizer sees a step beyond. */
    size_t bytes = blocks_up(head.bytes);
    uint8_t *group = calloc(1, bytes);
    check(group);
    memcpy(group, data, size < bytes ? size : bytes);
    memcpy(group, block, sizeof block);
    walk_records(group, &head, group_check(group, &head));
    if (mend(group, &head)) {
        walk_records(group, &head, true);
        group_seal(group, &head);
        check(memcmp(group, block, sizeof block) == 0);
        check(group_head_read(group, &again) && group_check(group, &again));
    }
    free(group);
    return 0;
}
