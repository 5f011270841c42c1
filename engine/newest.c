/* Of many effects on a shard the newest of each row, in the order of keys.
 *
 * Recovery may bring rows back in any order and wants the last version of each alone. Sorted, what would be as many ways through
 * a tree that no cache holds becomes a walk along its leaves, and a row that was written ten times is put there once.
 *
 * Entries are sorted by eight bytes of their keys behind what all share: least significant byte first, a counting sort for each
 * byte that is not the same in all (Knuth, "The Art of Computer Programming", vol. 3, 5.2.5). That keeps the log's order among
 * equals. Where whole keys differ behind equal heads, those are merge-sorted. */
#include "engine/recovery.h"

#include "base/check.h"
#include "base/scope.h"

#define HEAD_BYTES 8
/* Records looked at soon: about what memory needs to bring one. */
#define AHEAD_ENTRIES    12
#define AHEAD_BYTES      192
#define CACHE_LINE_BYTES 64

enum sqlstate newest_init(struct newest *newest, struct scope *scope, size_t room, struct error *error)
{
    void *memory;
    enum sqlstate failed =
        scope_alloc_large(scope, 2 * room * sizeof(struct newest_entry) + 1, 16, &memory, error);
    if (failed)
        return failed;
    *newest = (struct newest){.entry = memory, .room = room};
    newest->other = newest->entry + room;
    return SQLSTATE_OK;
}

static struct bytes key_of(const struct kept_record *record)
{
    struct record_effect effect;
    bool read = record_effect_read(bytes_of(record->payload, record->payload_bytes), &effect);
    check(read, "an effect that was read once is read again");
    return effect.effect.key;
}

void newest_add(struct newest *newest, struct bytes key, const struct kept_record *record)
{
    check(newest->count < newest->room);
    if (newest->count == 0) {
        newest->first = key;
        newest->shared = key.size;
    }
    size_t shared = 0, most = key.size < newest->shared ? key.size : newest->shared;
    while (shared < most && key.data[shared] == newest->first.data[shared])
        shared++;
    newest->shared = shared;
    newest->entry[newest->count++].record = record;
}

static uint64_t head_behind(struct bytes key, size_t shared)
{
    uint64_t head = 0;
    size_t left = key.size - shared;
    if (left)
        memcpy(&head, key.data + shared, left < HEAD_BYTES ? left : HEAD_BYTES);
    return __builtin_bswap64(head);
}

static inline void look_ahead(const struct newest *newest, size_t at)
{
    if (at + AHEAD_ENTRIES >= newest->count)
        return;
    const uint8_t *record = (const uint8_t *)newest->entry[at + AHEAD_ENTRIES].record;
    for (size_t i = 0; i < AHEAD_BYTES; i += CACHE_LINE_BYTES)
        __builtin_prefetch(record + i);
}

/* Sorts by all heads' bytes, leaving out those that are the same everywhere. */
static void sort_heads(struct newest *newest, size_t counts[HEAD_BYTES][256])
{
    for (size_t byte = 0; byte < HEAD_BYTES; byte++) {
        size_t *count = counts[byte], before = 0;
        if (count[newest->entry[0].head >> 8 * byte & 255] == newest->count)
            continue;
        for (size_t i = 0; i < 256; i++) {
            size_t here = count[i];
            count[i] = before;
            before += here;
        }
        for (size_t i = 0; i < newest->count; i++)
            newest->other[count[newest->entry[i].head >> 8 * byte & 255]++] = newest->entry[i];
        struct newest_entry *sorted = newest->other;
        newest->other = newest->entry;
        newest->entry = sorted;
    }
}

static void merge(const struct newest_entry *from, size_t middle, size_t count, struct newest_entry *to)
{
    for (size_t left = 0, right = middle, i = 0; i < count; i++) {
        bool first = right == count || (left < middle && bytes_compare(key_of(from[left].record),
                                                                       key_of(from[right].record)) <= 0);
        to[i] = from[first ? left++ : right++];
    }
}

/* Sorts entries of one head by their keys. `other` is as much memory. */
static void sort_keys(struct newest_entry *entries, size_t count, struct newest_entry *other)
{
    struct newest_entry *from = entries, *to = other;
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t left = count - at;
            merge(from + at, left < run ? left : run, left < 2 * run ? left : 2 * run, to + at);
        }
        struct newest_entry *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != entries)
        memcpy(entries, from, count * sizeof *entries);
}

static bool keys_differ(const struct newest_entry *entries, size_t count)
{
    struct bytes key = key_of(entries[0].record);
    for (size_t i = 1; i < count; i++)
        if (bytes_compare(key, key_of(entries[i].record)))
            return true;
    return false;
}

void newest_sort(struct newest *newest)
{
    size_t counts[HEAD_BYTES][256] = {0};
    bool whole = true; /* the heads hold all of the keys */
    size_t size = newest->first.size;
    for (size_t i = 0; i < newest->count; i++) {
        struct bytes key = key_of(newest->entry[i].record);
        uint64_t head = newest->entry[i].head = head_behind(key, newest->shared);
        whole = whole && key.size == size && size - newest->shared <= HEAD_BYTES;
        for (size_t byte = 0; byte < HEAD_BYTES; byte++)
            counts[byte][head >> 8 * byte & 255]++;
    }
    newest->at = 0;
    if (newest->count)
        sort_heads(newest, counts);
    for (size_t from = 0, to; from < newest->count && !whole; from = to) {
        for (to = from + 1; to < newest->count && newest->entry[to].head == newest->entry[from].head; to++)
            ;
        if (to - from > 1 && keys_differ(newest->entry + from, to - from))
            sort_keys(newest->entry + from, to - from, newest->other);
    }
}

const struct kept_record *newest_take(struct newest *newest, struct record_effect *effect)
{
    if (newest->at == newest->count) {
        newest->count = 0;
        return NULL;
    }
    const struct newest_entry *entry = &newest->entry[newest->at++];
    look_ahead(newest, newest->at);
    struct bytes key = key_of(entry->record);
    for (; newest->at < newest->count; entry++, newest->at++) {
        look_ahead(newest, newest->at);
        if (entry[1].head != entry->head || bytes_compare(key_of(entry[1].record), key))
            break;
    }
    bool read = record_effect_read(bytes_of(entry->record->payload, entry->record->payload_bytes), effect);
    check(read);
    return entry->record;
}
