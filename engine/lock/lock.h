/* Locks of one core: rows and key ranges of the shards it owns, objects, advisory keys. Only this core
 * touches them.
 *
 * An owner is a transaction's face at this core. Requests that conflict wait in one fair queue per lock: a
 * request waits when it conflicts with what is granted or with what waits before it (an owner that already
 * holds a weaker strength of the same lock passes the queue: it would deadlock with itself). Grants go out in
 * the order of the queue, whole runs of compatible requests at once.
 *
 * Row strengths and their conflicts are PostgreSQL's (manual 13.3.2):
 *
 *                    KEY SHARE   SHARE   NO KEY UPDATE   UPDATE
 *     KEY SHARE          .         .           .            x
 *     SHARE              .         .           x            x
 *     NO KEY UPDATE      .         x           x            x
 *     UPDATE             x         x           x            x
 *
 * Key ranges are locked shared only, by serializable reads; a range conflicts with another owner's NO KEY
 * UPDATE or UPDATE of any key inside it, present or not. Object locks have PostgreSQL's eight modes and its
 * matrix (13.3.1); advisory locks are SHARE or EXCLUSIVE object locks of a class of their own. */
#ifndef SYNOD_ENGINE_LOCK_LOCK_H
#define SYNOD_ENGINE_LOCK_LOCK_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lock_table;
struct scope;
struct world;

enum lock_strength { LOCK_KEY_SHARE = 1, LOCK_SHARE, LOCK_NO_KEY_UPDATE, LOCK_UPDATE };

enum lock_mode {
    LOCK_ACCESS_SHARE = 1,
    LOCK_ROW_SHARE,
    LOCK_ROW_EXCLUSIVE,
    LOCK_SHARE_UPDATE_EXCLUSIVE,
    LOCK_OBJECT_SHARE,
    LOCK_SHARE_ROW_EXCLUSIVE,
    LOCK_EXCLUSIVE,
    LOCK_ACCESS_EXCLUSIVE,
};

/* What an object lock is on: a class of the layer above (table, database, advisory …) and up to 128 bits of
 * name. */
struct lock_object {
    uint32_t class;
    uint64_t high, low;
};

enum lock_policy {
    LOCK_WAIT,   /* until granted, the deadline (55P03), a deadlock (40P01), or cancellation */
    LOCK_NOWAIT, /* 55P03 at once */
    LOCK_SKIP,   /* LOCK_SKIPPED at once */
};

/* How a request ended without error. */
enum lock_outcome {
    LOCK_GRANTED = 0,
    LOCK_WAITED,  /* granted after waiting: what was read before may be stale */
    LOCK_SKIPPED, /* not granted (LOCK_SKIP) */
};

/* A transaction's locks at one core. The memory is the caller's; nothing may be held when it goes. */
struct lock_owner {
    uint64_t transaction;
    uint64_t work;       /* effects so far, kept by the caller: the deadlock victim is who has least */
    uint64_t started_ns; /* younger loses a tie */
    struct list held;    /* newest last; lock.c's */
    uint64_t held_count;
    uint64_t grants; /* so far: numbers them */
    void *waiting;   /* the request it waits with, lock.c's; NULL = none */
};

struct lock_request {
    enum lock_policy policy;
    uint64_t deadline_ns;
    const char *relation; /* for messages: `could not obtain lock on row in relation "%s"`; may be NULL */
};

enum sqlstate lock_table_open(struct world *world, struct scope *scope, struct lock_table **table,
                              struct error *error);

void lock_owner_init(struct lock_owner *owner, uint64_t transaction, uint64_t started_ns);

/* Each may yield when the policy is LOCK_WAIT. Errors as PostgreSQL words them. `outcome` may be NULL. */
enum sqlstate lock_row(struct lock_table *table, struct lock_owner *owner, uint64_t shard, struct bytes key,
                       enum lock_strength strength, const struct lock_request *request,
                       enum lock_outcome *outcome, struct error *error);
enum sqlstate lock_range(struct lock_table *table, struct lock_owner *owner, uint64_t shard,
                         struct bytes from, struct bytes to, bool to_open, const struct lock_request *request,
                         enum lock_outcome *outcome, struct error *error);
enum sqlstate lock_object(struct lock_table *table, struct lock_owner *owner,
                          const struct lock_object *object, enum lock_mode mode,
                          const struct lock_request *request, enum lock_outcome *outcome,
                          struct error *error);

/* Strength the owner holds on a row, 0 = none. */
uint32_t lock_row_held(const struct lock_table *table, const struct lock_owner *owner, uint64_t shard,
                       struct bytes key);

/* Whether nobody holds or wants the row, nor a range of its shard. */
bool lock_row_idle(const struct lock_table *table, uint64_t shard, struct bytes key);

/* Gives up the owner's locks on a row without anybody noticing, for something else answers for the row from now on; who asks
 * for it must look there first (lock_row_regain). False when it stays: others hold it, too, or somebody waits for it, or for
 * a range of the shard. */
bool lock_row_shed(struct lock_table *table, struct lock_owner *owner, uint64_t shard, struct bytes key);

/* The owner holds the row in that strength, and has since before all savepoints. Requires: nobody holds what conflicts. */
void lock_row_regain(struct lock_table *table, struct lock_owner *owner, uint64_t shard, struct bytes key,
                     enum lock_strength strength);

/* Locks there are, held or waited for. */
uint64_t lock_count(const struct lock_table *table);

/* Whether the owner holds any row or range of the shard. */
bool lock_owner_holds(const struct lock_owner *owner, uint64_t shard);

/* Gives back one object lock (session-level advisory unlock); false when not held. */
bool lock_object_release(struct lock_table *table, struct lock_owner *owner, const struct lock_object *object,
                         enum lock_mode mode);

/* A mark for savepoints, and the release of what was taken (or strengthened) since. */
uint64_t lock_mark(const struct lock_owner *owner);
void lock_release_since(struct lock_table *table, struct lock_owner *owner, uint64_t mark);

/* Releases everything the owner holds; waiters are granted. Does not yield. */
void lock_release_all(struct lock_table *table, struct lock_owner *owner);

/* Releases rows and ranges; true when object locks are left. Does not yield. */
bool lock_release_rows(struct lock_table *table, struct lock_owner *owner);

/* Ends the wait of a transaction, if it waits here, with 40P01 "deadlock detected" and that detail. */
bool lock_break(struct lock_table *table, uint64_t transaction, const char *detail);

/* Who waits for whom here, for deadlock detection: one call per (waiter, blocker) pair, blockers being
 * holders and those who wait before it in a conflicting way. Bounded by the waits. */
struct lock_edge {
    uint64_t waiter, blocker;
    uint64_t since_ns;
    uint64_t waiter_work;
};
void lock_edges(const struct lock_table *table, void (*visit)(void *argument, const struct lock_edge *edge),
                void *argument);

/* Called (if set) when a request starts to wait, so that a detector can look at once. Must not yield. */
void lock_on_wait(struct lock_table *table, void (*waits)(void *argument, uint64_t waiter), void *argument);

/* Every lock and request, for pg_locks-like views. */
struct lock_row_view {
    uint64_t transaction, shard;
    struct bytes key, to; /* row key; or range */
    const struct lock_object *object;
    uint32_t mode; /* strength or mode */
    bool range, granted;
    uint64_t since_ns;
};
void lock_each(const struct lock_table *table,
               void (*visit)(void *argument, const struct lock_row_view *lock), void *argument);

/* Moves what concerns keys [from, to) of a shard to another table's hands: refused (false) while any is held
 * or waited for. Used when a shard moves. */
bool lock_shard_idle(const struct lock_table *table, uint64_t shard);

#endif
