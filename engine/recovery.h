/* What the files of recovery share.
 *
 *     recovery.c   pass one, on core 0: who committed, which shards there are
 *     kept.c       the effects that pass one keeps in memory, by shard, so that pass two need not read the log again
 *     reapply.c    pass two, on every core: committed effects go into its stores
 *     newest.c     of many effects on a shard the newest of each row, in order of keys */
#ifndef SYNOD_ENGINE_RECOVERY_H
#define SYNOD_ENGINE_RECOVERY_H

#include "engine/inside.h"
#include "engine/record.h"

/* Effects that their transaction took back itself. */
struct undone {
    struct undone *next;
    uint64_t shard;
    uint32_t above, upto;
};

/* A transaction in the book. Does not change after pass one. */
struct booked {
    uint64_t scn; /* SCN_NONE: no commit was found */
    uint64_t effects;
    struct undone *undone;
};

/* Whether an effect has no place in a shard whose checkpoint is this: never committed, there already, or taken back. */
static inline bool booked_is_void(const struct booked *booked, uint64_t shard, uint32_t number,
                                  uint64_t checkpoint_scn)
{
    if (booked->scn <= checkpoint_scn)
        return true;
    for (const struct undone *undone = booked->undone; undone; undone = undone->next)
        if (undone->shard == shard && number > undone->above && number <= undone->upto)
            return true;
    return false;
}

/* ---- kept.c ---- */

/* An EFFECT or PART out of the log. */
struct kept_record {
    const struct booked *booked;
    uint64_t position;
    uint32_t payload_bytes;
    uint8_t kind;
    uint8_t payload[];
};

struct kept_chunk {
    struct kept_chunk *next;
    size_t used, room;
    _Alignas(8) uint8_t bytes[];
};

struct kept_shard {
    struct kept_chunk *first, *last;
    uint64_t records, bytes;
    uint64_t sequence; /* the last one of its topic */
};

struct kept_log {
    struct scope *scope;
    struct map shards; /* number -> struct kept_shard */
    size_t bytes, bytes_max;
    uint64_t until; /* what the log has from here on is not kept; LOG_NOWHERE: all is */
    /* the shard of the last record, for the next one's is mostly the same */
    uint64_t shard;
    struct kept_shard *of_shard;
};

void kept_log_init(struct kept_log *kept, struct scope *scope, size_t bytes_max, struct map_seed seed);

/* Keeps a copy of an EFFECT or PART; where memory ends, nothing from this record on. Fails with 53200 when there is none even for
 * knowing the shard. Does not yield. */
enum sqlstate kept_log_add(struct kept_log *kept, uint64_t position, const struct log_record *record,
                           const struct booked *booked, struct error *error);

/* What is kept of a shard, or NULL. */
struct kept_shard *kept_log_shard(const struct kept_log *kept, uint64_t shard);

struct kept_cursor {
    const struct kept_chunk *chunk;
    size_t at;
};

/* The next record of a shard in the order of the log, or NULL. The cursor begins as {shard->first}. */
const struct kept_record *kept_next(struct kept_cursor *cursor);

/* ---- newest.c ---- */

/* An effect that waits to be sorted. The views stay as they are until newest_take() is through. */
struct newest_entry {
    uint64_t head;                    /* of the key behind what all keys share */
    const struct kept_record *record; /* an EFFECT with its row inside, that was read without fault */
};

struct newest {
    struct newest_entry *entry, *other; /* of `room` entries each */
    size_t count, room;
    struct bytes first; /* the first entry's key */
    size_t shared;      /* bytes that all keys share with it, at least */
    size_t at;          /* where newest_take() is */
};

/* What an entry takes while entries are sorted. */
#define NEWEST_ROOM_BYTES (2 * sizeof(struct newest_entry))

/* Memory for `room` entries, of the scope. Fails with 53200. */
enum sqlstate newest_init(struct newest *newest, struct scope *scope, size_t room, struct error *error);

/* Adds one behind those there are. Requires count < room. */
void newest_add(struct newest *newest, struct bytes key, const struct kept_record *record);

/* No more come: they are brought into the order of their keys. */
void newest_sort(struct newest *newest);

/* The next row's newest effect, or NULL when all were given; then entries may be added anew. */
const struct kept_record *newest_take(struct newest *newest, struct record_effect *effect);

/* ---- recovery.c ---- */

struct recovery {
    struct scope *scope;
    struct map book; /* transaction -> struct booked */
    struct directory_effect *first_effect, **last_effect;
    struct kept_log kept;
    uint64_t from; /* where reading begins */
    uint64_t last_scn;
    uint64_t commits;
};

struct progress {
    struct world *world;
    const char *name;
    uint64_t records;
    uint64_t started_ns, told_ns;
};

struct progress progress_begin(struct world *world, const char *name);

/* One record more: gives way now and then, and every few seconds says how far it is, how fast, how long still. Yields. */
void progress_tell(struct progress *progress, uint64_t bytes, uint64_t bytes_all);

enum sqlstate recovery_impossible(uint64_t position, uint32_t kind, struct error *error);

/* ---- reapply.c ---- */

/* Pass two on this core, whose shards are open. Yields. */
enum sqlstate reapply(struct engine_core *core, struct error *error);

#endif
