/* What the files of the engine itself share: the node-wide struct, a core's part, shards, branches, transactions, and the
 * calls that travel between cores. */
#ifndef SYNOD_ENGINE_INSIDE_H
#define SYNOD_ENGINE_INSIDE_H

#include "base/mailbox.h"
#include "base/map.h"
#include "base/slab.h"
#include "base/world.h"
#include "engine/engine.h"
#include "engine/lock/lock.h"
#include "engine/log/log.h"
#include "engine/map.h"
#include "engine/page/page.h"
#include "engine/tree/tree.h"
#include "engine/txn/txn.h"

struct engine_core;
struct fragment;
struct recovery;

/* All cores of a node come together here; core 0's memory. See barrier.c. */
struct barrier {
    struct list arrived; /* mails of the others */
    uint32_t count;
    bool any_failed;
    struct fiber_queue full;
    bool ready;
};

struct engine {
    struct txn_shared txn;
    struct shard_map *map; /* published by core 0 */
    struct node_log *log;
    /* The options', for the log outlives the cores' parts. */
    enum sqlstate (*archive)(void *argument, const char *path, uint64_t first_position, struct error *error);
    void *archive_argument;
    struct engine_core *core[CORES_MAX];
    struct barrier barrier;
    struct recovery *recovery; /* while opening; read by all, written by core 0 */
    struct log_state log_state;
    uint64_t
        replay_from[CORES_MAX]; /* core i's volumes need the log from here; written by it between barriers */
    uint64_t first_scn[CORES_MAX]; /* largest SCN its volumes know */
    uint32_t serving;              /* core 0 writes it */
    struct core_load {
        /* Written by its core now and then, read by all: what it has to do. See sizing.c. */
        _Alignas(64) uint64_t calls; /* at its shards, in a second */
        uint64_t bytes;              /* in its shards */
    } load[CORES_MAX];
};

/* ---- shards ---- */

struct core_volume {
    uint32_t number;
    struct volume *volume;
    struct tree *roots;      /* shard (u64, big endian) -> where it rests */
    uint64_t checkpoint_scn; /* of the last durable checkpoint */
    uint64_t replay_from;    /* the log is needed from here */
    bool held;               /* somebody makes a checkpoint or takes a shard out */
    struct fiber_queue free;
    bool
        writing; /* somebody writes roots and commits; who holds the volume may take this, not the other way round */
    struct fiber_queue written;
};

struct shard {
    struct list_link of_core;
    struct scope *scope;
    struct engine_core *core;
    struct core_volume *volume; /* NULL for memory */
    struct store *store;
    uint64_t shard, table;
    enum table_layout layout;
    uint64_t sequence;        /* of its topic: the last record's */
    struct tree_root written; /* as the volume's roots have it */
    uint64_t creator;         /* the transaction that makes it, while that is open; 0 */
    bool gone;                /* dropped or replaced: nothing new may begin */
    bool dropped;             /* and the log has that for good: checkpoints need not merge it */
    bool drop_later;          /* there was no room for dropping it */
    uint32_t users;           /* fibers inside */
    uint32_t bare;            /* open writers that have inserted rows here without locking them (branch.c) */
    bool gate;                /* closed to those who are not in yet: the shard is about to be replaced */
    struct fiber_queue opened;
    bool reshaping;
    /* for sizing.c */
    uint64_t calls;         /* since it was opened */
    uint64_t calls_seen;    /* at the last look */
    uint64_t calls_second;  /* in a second, at the last look */
    uint64_t rests_till_ns; /* a replacement has failed: not before this again */
    uint64_t scanned;       /* rows that long scans went through; fades from look to look */
    bool was_large;         /* small now, it may be merged */
};

/* ---- branches ---- */

/* A transaction's writing at one shard. Outlives the branch while versions point at it, and while a checkpoint may need
 * the log from its floor on. */
struct branch_writer {
    struct branch *branch; /* while open */
    struct list_link link; /* of the branch; then of core->settling */
    struct shard *shard;   /* NULL once the shard was dropped */
    struct writer writer;
    bool bare;               /* counted in shard->bare */
    uint32_t statement_mark; /* effects when the present statement began */
    uint64_t floor;          /* log position at or below its first effect */
};

/* A savepoint as a branch knows it: made when the first call behind it comes. */
struct branch_mark {
    struct list_link link;
    uint64_t newest; /* the newest savepoint it serves; it serves all since the mark before */
    uint64_t lock_mark;
    size_t count;
    struct branch_mark_writer {
        struct branch_writer *writer;
        uint32_t effects;
    } at[];
};

/* What a transaction's calls tell a branch, and what they bring back. */
struct branch_terms {
    uint64_t transaction;
    enum isolation isolation;
    bool read_only;
    uint64_t snapshot;
    uint64_t statement, savepoint;
    uint64_t lock_timeout_ns;
    uint64_t started_ns;
    /* back */
    struct log_ticket ticket; /* of the last effect; batch 0 = none */
    uint64_t effects;         /* EFFECT records this branch has logged */
    uint64_t after_scn;       /* the newest commit it may have seen or overwritten under locks */
    bool wrote;
};

struct branch {
    struct list_link of_core;
    struct engine_core *core;
    struct branch_terms terms;
    struct lock_owner owner;
    struct list writers;
    struct list marks;
    uint64_t statement_seen;
    uint64_t savepoint_seen;   /* savepoints up to here have their marks */
    uint64_t savepoint_opened; /* the transaction's newest when this branch was opened */
    uint32_t fragments;        /* that run just now */
    struct list stays;         /* of branch_stay */
    struct list larges;        /* of branch_large */
    uint32_t larges_written;   /* so many were begun: their names in the log */
    struct fiber_queue turn;   /* those who want to wait for a lock while another fragment waits for one */
};

/* A large row on its way into the log: what was placed of it is needed, though no effect is there yet. */
struct branch_large {
    struct list_link link; /* of the branch */
    uint64_t floor;
};

/* A fragment keeps a shard where it is. */
struct branch_stay {
    struct list_link link; /* of the branch */
    struct shard *shard;
};

/* ---- a core's part ---- */

struct engine_core {
    struct engine *engine;
    struct world *world;
    struct scope *scope;
    struct slab_pool *pool;
    struct engine_options options;
    struct log_port *port;
    struct lock_table *locks;
    struct txn_core *txn;
    struct core_volume volume[CORES_MAX];
    uint32_t volumes;
    struct list shards;
    struct map by_number; /* shard -> struct shard */
    struct list branches; /* open ones */
    struct list settling; /* writers of ended branches */
    struct list idle;     /* workers without work */
    struct list calls;    /* fragments without a worker */
    uint32_t workers;
    uint64_t newest_scn; /* of the commits stamped here */
    uint64_t active, commits, rollbacks;
    uint64_t checkpoint_at; /* core 0: log position where the next checkpoint is due */
    bool checkpointing;     /* core 0 */
    struct fiber_queue checkpointed;
    struct fiber_queue tend;
    bool closing;
    uint64_t next_volume;       /* core 0: where the next shard goes */
    bool sizing;                /* replaces a shard just now */
    struct fiber_queue scanned; /* the fiber of sizing.c, between two looks */
    uint32_t uneven;            /* looks, one after the other, that found another core with far fewer calls */
};

static inline struct engine_core *engine_core_of(struct engine *engine, const struct world *world)
{
    return engine->core[world->core];
}

static inline const struct shard_map *engine_map(struct engine *engine)
{
    return __atomic_load_n(&engine->map, __ATOMIC_ACQUIRE);
}

static inline bool engine_serving(const struct engine *engine)
{
    return __atomic_load_n(&engine->serving, __ATOMIC_ACQUIRE);
}

static inline uint32_t volume_core(const struct engine_core *core, uint32_t volume)
{
    return volume % core->world->cores;
}

/* ---- calls between cores (fragment.c) ---- */

enum fragment_kind {
    FRAGMENT_RUN,      /* run() with the branch */
    FRAGMENT_STAMP,    /* the commit has that SCN: stamp, release row locks */
    FRAGMENT_RELEASE,  /* the commit is visible: release object locks */
    FRAGMENT_ROLLBACK, /* to `savepoint`, or all */
    FRAGMENT_CORE,     /* core_run() without a branch */
};

struct fragment {
    struct mail mail;
    struct engine *engine;
    enum fragment_kind kind;
    struct branch **branch; /* the transaction's memory of its branch there */
    struct branch_terms *terms;
    enum sqlstate (*run)(struct branch *branch, struct scope *scope, void *argument, struct error *error);
    enum sqlstate (*core_run)(struct engine_core *core, void *argument, struct error *error);
    void *argument;
    uint64_t scn, savepoint;
    bool all;
    bool takes_long; /* it is worth waking the owner's thread, so that it runs beside others */
    struct error *error;
    enum sqlstate failed;
    enum fiber_share share; /* of the sender's work */
    uint64_t used_ns;       /* of the owner's core, as far as it was measured */
    /* on the owner's core */
    struct list_link link;
    struct fiber *worker;
    bool canceled;
    enum sqlstate canceled_state;
    const char *canceled_message;
    /* on the coordinator's core */
    bool back;
    struct fiber_queue *came_back; /* set by the sender when one fiber waits for several; else `own` */
    struct fiber_queue own;
};

/* Sends a prepared fragment to a core, which may be this one's own; `fragment` stays put until fragment_wait(). Yields. */
void fragment_send(struct engine_core *core, uint32_t to, struct fragment *fragment);

/* Waits for it. With `cancelable`, a cancellation of this fiber goes on to the worker; either way the fragment is back when
 * this returns. Yields. */
enum sqlstate fragment_wait(struct engine_core *core, uint32_t to, struct fragment *fragment,
                            bool cancelable);

/* Has the worker of a fragment that is out give up, for the cancellation's state and message; it comes back all the same.
 * Yields, not cancelable. */
void fragment_cancel(struct engine_core *core, uint32_t to, struct fragment *fragment, enum sqlstate state,
                     const char *message);

/* Both for core_run; runs in place when `to` is this core. */
enum sqlstate core_call(struct engine_core *core, uint32_t to,
                        enum sqlstate (*run)(struct engine_core *core, void *argument, struct error *error),
                        void *argument, struct error *error);

/* Runs a fragment's work in the fiber that calls. */
enum sqlstate fragment_do(struct engine_core *core, struct fragment *fragment, struct error *error);

/* ---- branches (branch.c) ---- */

/* Until branch_leave() the shard that holds all of the range is neither moved nor split. Fails as branch_scan() does. May
 * yield. */
enum sqlstate branch_stay(struct branch *branch, uint64_t table, const struct key_range *range,
                          struct branch_stay *stay, struct error *error);
void branch_leave(struct branch_stay *stay);

/* Versions of a row have left memory, and stand for its lock. */
void branch_row_left(struct writer *writer, struct bytes key);

enum sqlstate branch_lock_object(struct branch *branch, const struct lock_object *object, enum lock_mode mode,
                                 enum lock_policy policy, enum lock_outcome *outcome, struct error *error);

struct branch *branch_open(struct engine_core *core, const struct branch_terms *terms);
/* Takes over the terms of a call, making marks as they ask. */
void branch_enter(struct branch *branch, const struct branch_terms *terms);
bool branch_idle(const struct branch *branch);
/* Commits: versions count, row and range locks go. True when the branch is gone; it stays (false) while it holds object
 * locks, which go when the commit is visible: whoever gets one then takes a snapshot and must see it. Does not yield. */
bool branch_stamp(struct branch *branch, uint64_t scn);
void branch_release(struct branch *branch);
/* Takes back what was done since the savepoint, or all (then the branch is gone). Yields, not cancelable. */
void branch_rollback(struct branch *branch, uint64_t savepoint, bool all);
/* Log positions this core's open or not yet visible writers need, the lowest; `none` when there is none. */
uint64_t branch_floor(const struct engine_core *core, uint64_t visible, uint64_t none);
/* The shard goes, and nothing the branch wrote there is left. */
void branch_forget_shard(struct branch *branch, const struct shard *shard);
/* Whether an open transaction has written at the shard. */
bool branch_writes_at(const struct engine_core *core, const struct shard *shard);
/* Frees writers nobody needs any more. */
void branch_sweep(struct engine_core *core);

/* ---- shards (shard.c) ---- */

struct shard *shard_open(struct engine_core *core, const struct shard_place *place, uint64_t creator,
                         const struct tree_root *root);
struct shard *shard_by_number(const struct engine_core *core, uint64_t number);
/* The shard on this core that holds the key for this branch; NULL when the table is not there. */
struct shard *shard_find(struct engine_core *core, const struct branch *branch, uint64_t table,
                         struct bytes key);
/* Ends a shard nobody may use any more; its pages go back. Requires that no restart brings it back: what removed it from the
 * directory is stable, or nothing ever put it there. When it fails, it is tried again by and by. Yields. */
enum sqlstate shard_drop(struct shard *shard, struct error *error);
enum sqlstate no_such_table(uint64_t table, struct error *error);

/* The core's volumes: opens those that are its own. Yields. */
enum sqlstate volumes_open(struct engine_core *core, struct error *error);
struct core_volume *volume_by_number(struct engine_core *core, uint32_t number);
/* The root the volume's roots have for a shard; zero when none. Yields. */
enum sqlstate volume_shard_root(struct core_volume *volume, uint64_t shard, struct tree_root *root,
                                struct error *error);

/* ---- the directory (directory.c) ---- */

struct directory_change {
    struct directory_change *next; /* newest first */
    uint64_t savepoint;            /* made under this savepoint */
    bool create;
    struct shard_place place;
};

/* Publishes the changes of a committed transaction to all cores and opens or drops the shards. On the coordinator. Yields,
 * not cancelable. */
void directory_publish(struct transaction *transaction);
/* Closes the shards a committed transaction has dropped. On the coordinator, after its branches were stamped. Yields. */
void directory_close_shards(struct transaction *transaction);
/* Gives their pages back. When the commit is stable: if it is lost after all, they are needed. Yields. */
void directory_drop_shards(struct transaction *transaction);
/* The place a transaction uses for a key: its own changes, then the map. */
const struct shard_place *directory_find(const struct transaction *transaction, uint64_t table,
                                         struct bytes key);
/* Undoes shards made by changes newer than the savepoint (or all). Yields. */
void directory_rollback(struct transaction *transaction, uint64_t savepoint, bool all);
/* Has core 0 publish a map without `gone` and with `added`; gives when every core uses it. Yields. */
void directory_replace(struct engine_core *core, const uint64_t *gone, size_t gone_count,
                       const struct shard_place *added, size_t added_count);
/* The first map, from the directory's rows; opens nothing. Core 0. Yields. */
enum sqlstate directory_read(struct engine_core *core, struct error *error);

/* ---- transactions (transaction.c) ---- */

struct transaction {
    struct list_link of_core;
    struct engine_core *core;
    struct scope *scope;     /* its own, under the core's */
    struct scope_undo *undo; /* in the caller's scope */
    struct transaction_options options;
    struct branch_terms terms;
    struct snapshot_hold snapshot;
    struct snapshot_hold ahead; /* of transaction_look_ahead() */
    struct branch **branch;     /* per core: its branch there, NULL = none; */
    struct log_ticket *ticket;  /* ... its last record; */
    uint64_t *effects;          /* ... and how many effects it has logged */
    uint64_t after_scn;
    uint64_t caught_up; /* every commit up to here is stamped: snapshots see at least this */
    bool wrote;
    struct directory_change *changes;
    uint64_t scn;
    bool over;
};

/* Runs a function with the branch on a core. Yields. */
enum sqlstate transaction_run_on(struct transaction *transaction, uint32_t core,
                                 enum sqlstate (*run)(struct branch *branch, struct scope *scope,
                                                      void *argument, struct error *error),
                                 void *argument, struct error *error);
/* What a branch told of itself goes into the transaction's books; in any order. */
void transaction_note(struct transaction *transaction, uint32_t core, const struct branch_terms *terms);

/* ---- ranges in parts (range.c) ---- */

/* A range of keys, of a list of them. */
struct range_piece {
    struct list_link link;
    struct key_range range;
};
/* Cuts a table's range where shards begin: pieces in key order are put in front of `before` in its list, copied into memory
 * of the scope, for the map may change at the next yield. */
void range_cut(struct transaction *transaction, struct scope *scope, uint64_t table,
               const struct key_range *range, struct list_link *before);
/* What is left of the cursor's range behind the last row it gave, in memory of the scope. */
struct key_range range_rest(const struct store_cursor *cursor, struct scope *scope);

/* ---- loading (load.c) ---- */

/* Fills an empty, uncommitted shard on core `to` from a source on this core, durably. Yields. */
enum sqlstate load_shard(struct engine_core *core, struct scope *scope, uint32_t to, uint64_t shard,
                         const struct store_source *source, struct error *error);

/* ---- replacing shards (reshape.c) ---- */

enum reshape_kind { RESHAPE_MOVE = 1, RESHAPE_SPLIT, RESHAPE_MERGE };

struct reshape_call {
    enum reshape_kind kind;
    uint64_t shard;
    struct bytes at;  /* split: where */
    uint32_t to_core; /* of the new shard, or of the right half */
    bool rests;       /* the new shard shall stay where it is for a while */
};
/* On the core that owns the shard (and its neighbour); `argument` is a struct reshape_call. Yields. */
enum sqlstate reshape_there(struct engine_core *core, void *argument, struct error *error);

/* A scan has gone through rows of the shard: `given` in all, `more` of them since the last call of this. */
void sizing_scanned(struct shard *shard, uint64_t given, uint64_t more);

/* Splits large shards, spreads scanned ones, merges small ones, moves busy ones: a fiber. */
enum sqlstate sizing_open(struct engine_core *core, struct error *error);

/* ---- recovery and checkpoints ---- */

/* Pass one (core 0) and two (every core), see recovery.c. Yield. */
enum sqlstate recovery_read(struct engine_core *core, struct error *error);
enum sqlstate recovery_apply(struct engine_core *core, struct error *error);
void recovery_end(struct engine_core *core);
uint64_t recovery_last_scn(const struct recovery *recovery);

/* Makes this core's volumes durable at the visible SCN. Yields. */
enum sqlstate checkpoint_core(struct engine_core *core, struct error *error);
/* Writes a shard's root into the volume's roots, or takes it out when the tree is empty. The volume is held. Yields. */
enum sqlstate volume_put_root(struct core_volume *volume, uint64_t shard, const struct tree_root *root,
                              struct error *error);
/* One at a time makes checkpoints of a volume or takes shards out of it. Waiting yields, not cancelable. */
void volume_hold(struct engine_core *core, struct core_volume *volume);
void volume_release(struct core_volume *volume);
/* One at a time changes the volume's roots. Waiting yields, not cancelable. */
void volume_write_begin(struct engine_core *core, struct core_volume *volume);
void volume_write_end(struct core_volume *volume);
/* The row store's relieve(); `argument` is a struct shard. */
enum sqlstate volume_relieve(void *argument, struct error *error);
/* All cores, then cuts the log. Core 0. Yields. */
enum sqlstate checkpoint_node(struct engine_core *core, struct error *error);
enum sqlstate tend_open(struct engine_core *core, struct error *error);

/* Waits until every core has come here; true when none had failed. Yields. */
bool barrier_wait(struct engine_core *core, bool failed);

#endif
