/* The inside of a lock table, shared by the files of this folder.
 *
 *     table ── hash ──> lock (row or object) ── granted ──> record ── of ──> owner (its records, newest last)
 *        │                                   └─ waiting ──> request, first come first
 *        ├─ shards ──> shard: ranges granted and waiting, and (while there are any) the row locks by key
 *        └─ waiting: all requests in order of arrival
 *
 * A record is one grant of one mode; an owner that strengthens a lock has two records on it, so that a
 * savepoint can take the second back. A request lives on the stack of the fiber that waits. */
#ifndef SYNOD_ENGINE_LOCK_TABLE_H
#define SYNOD_ENGINE_LOCK_TABLE_H

#include "base/fiber.h"
#include "base/slab.h"
#include "engine/lock/interval.h"
#include "engine/lock/lock.h"

#define LOCK_MODES 9 /* 1..8 for objects, 1..4 for rows */

struct lock_shard {
    struct lock_shard *next; /* in the hash chain */
    uint64_t shard;
    struct list rows; /* row locks of this shard */
    uint64_t row_count;
    struct interval_set ranges;      /* granted */
    struct interval_set ranges_wait; /* requested */
    struct interval_set ordered;     /* row locks by key, while `watched` */
    bool watched;                    /* somebody locks ranges here */
    uint32_t generation;             /* of `ordered`: a lock is in it when its own number is equal */
    uint32_t unranged;               /* row locks made since the last range went */
};

struct lock {
    struct lock *next; /* in the hash chain */
    uint64_t hash;
    struct lock_shard *shard; /* rows; NULL for objects */
    struct lock_object object;
    uint32_t granted_count[LOCK_MODES];
    struct list granted;
    struct list waiting;
    struct list_link of_shard;
    struct interval point; /* the key, in shard->ordered */
    uint32_t generation;
    uint16_t key_bytes;
    uint8_t key[];
};

/* A range somebody holds or wants. */
struct range {
    struct interval interval;
    struct lock_shard *shard;
    struct lock_owner *owner;
    struct record *record;   /* once granted */
    struct request *request; /* while waiting */
    size_t key_bytes;        /* of both ends */
    uint8_t keys[];
};

struct record {
    struct list_link of_owner;
    struct list_link of_lock; /* rows and objects */
    struct lock_owner *owner;
    struct lock *lock;   /* or */
    struct range *range; /* this */
    uint32_t mode;
    uint64_t number; /* grows with each grant of the owner */
};

struct request {
    struct list_link of_lock;  /* rows and objects */
    struct list_link of_table; /* all, by arrival */
    struct lock_owner *owner;
    struct lock *lock;
    struct range *range;
    uint32_t mode;
    uint64_t arrival;
    uint64_t since_ns;
    struct fiber_queue queue;
    bool granted;
    bool broken; /* chosen as a deadlock's victim */
    char detail[256];
    /* for the search of cycles */
    uint64_t seen;
    struct request *reached_from;
    struct list_link to_look_at;
};

struct lock_table {
    struct world *world;
    struct scope *scope;
    struct slab_pool *pool;
    struct lock **bucket;
    uint64_t buckets; /* power of two */
    uint64_t locks;
    uint64_t seed;
    struct lock_shard *shard[256];
    struct list waiting;
    uint64_t waiting_count;
    uint64_t arrivals;
    uint64_t searches;
    void (*waits)(void *argument, uint64_t waiter);
    void *waits_argument;
};

static inline bool row_mode_writes(uint32_t mode)
{
    return mode >= LOCK_NO_KEY_UPDATE;
}

/* Modes that conflict with `mode` on this kind of lock, as bits. */
uint32_t lock_conflicts(const struct lock *lock, uint32_t mode);

/* Calls `visit` for each owner (not the request's own) that stands in the request's way: holders, and those
 * who wait before it. The visitor gives false to stop; gives false when it did. Owners may come more than
 * once. */
bool request_blockers(const struct lock_table *table, const struct request *request,
                      bool (*visit)(void *argument, struct lock_owner *blocker), void *argument);

/* Looks for cycles of waits through this request's owner and breaks them. Gives true when the owner itself is
 * the victim; the request's detail then says why. */
bool deadlock_search(struct lock_table *table, struct request *request);

/* Ends a waiting request with 40P01. */
void request_break(struct request *request, const char *detail);

#endif
