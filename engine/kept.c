/* Effects kept in memory between the two passes of recovery.
 *
 * The disk is what recovery waits for: a log that every core reads once more costs as many times its size. So pass one copies
 * effects, sorted by shard, while memory for pages is idle; pass two goes through its shards one by one, and reads only what did
 * not fit. Core 0 writes all of this, and then it does not change, so every core may read it.
 *
 * Chunks of a shard begin small, for there may be thousands of shards with a record each. */
#include "engine/recovery.h"

#include "base/check.h"
#include "base/scope.h"

#define CHUNK_BYTES_MIN 4096
#define CHUNK_BYTES_MAX (1024 * 1024)

void kept_log_init(struct kept_log *kept, struct scope *scope, size_t bytes_max, struct map_seed seed)
{
    *kept = (struct kept_log){.scope = scope, .bytes_max = bytes_max, .until = LOG_NOWHERE};
    map_init(&kept->shards, MAP_OF_NUMBERS, scope, seed);
}

struct kept_shard *kept_log_shard(const struct kept_log *kept, uint64_t shard)
{
    return map_find_number(&kept->shards, shard);
}

static enum sqlstate find_shard(struct kept_log *kept, uint64_t number, struct error *error)
{
    if (kept->of_shard && kept->shard == number)
        return SQLSTATE_OK;
    struct kept_shard *shard = kept_log_shard(kept, number);
    if (!shard) {
        shard = scope_alloc_zeroed(kept->scope, sizeof *shard);
        enum sqlstate failed = map_put_number(&kept->shards, number, shard, NULL, error);
        if (failed)
            return failed;
    }
    kept->shard = number;
    kept->of_shard = shard;
    return SQLSTATE_OK;
}

/* A chunk behind the last with room for that much, or NULL when memory is at its end. */
static struct kept_chunk *add_chunk(struct kept_log *kept, struct kept_shard *shard, size_t bytes)
{
    size_t room = shard->last ? 2 * shard->last->room : CHUNK_BYTES_MIN;
    room = room < CHUNK_BYTES_MAX ? room : CHUNK_BYTES_MAX;
    room = room > bytes ? room : bytes;
    size_t all = sizeof(struct kept_chunk) + room;
    void *memory;
    struct error error;
    if (kept->bytes + all > kept->bytes_max || scope_alloc_large(kept->scope, all, 16, &memory, &error))
        return NULL;
    kept->bytes += all;
    struct kept_chunk *chunk = memory;
    chunk->next = NULL;
    chunk->used = 0;
    chunk->room = room;
    if (shard->last)
        shard->last->next = chunk;
    else
        shard->first = chunk;
    shard->last = chunk;
    return chunk;
}

static size_t record_room(uint32_t payload_bytes)
{
    return (sizeof(struct kept_record) + payload_bytes + 7) & ~(size_t)7;
}

enum sqlstate kept_log_add(struct kept_log *kept, uint64_t position, const struct log_record *record,
                           const struct booked *booked, struct error *error)
{
    if (kept->until != LOG_NOWHERE)
        return SQLSTATE_OK;
    enum sqlstate failed = find_shard(kept, record->topic, error);
    if (failed)
        return failed;
    struct kept_shard *shard = kept->of_shard;
    struct kept_chunk *chunk = shard->last;
    size_t bytes = record_room((uint32_t)record->payload.size);
    if (!chunk || chunk->room - chunk->used < bytes)
        chunk = add_chunk(kept, shard, bytes);
    if (!chunk) {
        kept->until = position;
        return SQLSTATE_OK;
    }
    struct kept_record *copy = (struct kept_record *)(chunk->bytes + chunk->used);
    copy->booked = booked;
    copy->position = position;
    copy->payload_bytes = (uint32_t)record->payload.size;
    copy->kind = record->kind;
    if (record->payload.size)
        memcpy(copy->payload, record->payload.data, record->payload.size);
    chunk->used += bytes;
    shard->records++;
    shard->bytes += bytes;
    if (record->sequence > shard->sequence)
        shard->sequence = record->sequence;
    return SQLSTATE_OK;
}

const struct kept_record *kept_next(struct kept_cursor *cursor)
{
    while (cursor->chunk && cursor->at == cursor->chunk->used)
        *cursor = (struct kept_cursor){.chunk = cursor->chunk->next};
    if (!cursor->chunk)
        return NULL;
    const struct kept_record *record = (const struct kept_record *)(cursor->chunk->bytes + cursor->at);
    check(cursor->chunk->used - cursor->at >= sizeof *record);
    cursor->at += record_room(record->payload_bytes);
    return record;
}
