/* The data service of a node: tables of byte keys and rows, in shards, under transactions. The one door of engine/ for
 * those above (sqlfront/, node/, tests, bench); it knows nothing of SQL.
 *
 * A *table* is an ordered set of rows by key, cut into *shards* (key ranges). A shard is owned by one core; its store, its
 * locks and its histories are touched there only. A *transaction* lives on the core of its session (the coordinator) and
 * has a *branch* on every core it touched. Row functions may be called on the coordinator's core only; they go to the
 * owner and back by mail where that is another core. To save hops, send a *fragment*: a function that runs on the owner
 * with a branch in its hand.
 *
 * Reads follow the transaction's isolation: READ COMMITTED sees a snapshot per statement (transaction_statement()),
 * REPEATABLE READ one per transaction, SERIALIZABLE locks what it reads and sees the newest. Writers lock rows and wait. */
#ifndef SYNOD_ENGINE_ENGINE_H
#define SYNOD_ENGINE_ENGINE_H

#include "engine/lock/lock.h"
#include "engine/store/store.h"

struct branch;      /* a transaction on one core */
struct engine;      /* node-wide; the same pointer on all cores */
struct transaction; /* on its coordinator's core */

/* ---- the service ---- */

struct engine_options {
    const char *directory;  /* the node's data directory: log/ and volumes live in it */
    size_t memory_bytes;    /* pages, histories and batches of all cores together */
    uint64_t cluster;       /* identity, stamped on log and volumes */
    uint64_t segment_bytes; /* of the log; 0 = default */
    uint64_t
        disk_reserve_bytes;   /* new writes are refused (53100) when the file system has less; 0 = default */
    uint32_t page_bytes;      /* 0 = default */
    uint64_t shard_bytes_max; /* a shard above this is split; 0 = default */
    uint64_t checkpoint_log_bytes; /* log that may pile up before a checkpoint; 0 = default */
};

/* Opens the engine on this core; every core of the node calls it with the same options and the same zeroed `engine` room
 * (engine_size() bytes, shared memory that outlives all cores). Core 0 recovers first; all return when the node is ready
 * to serve. Progress of recovery is logged. Yields. */
size_t engine_size(void);
enum sqlstate engine_open(struct world *world, struct scope *scope, const struct engine_options *options,
                          struct engine *engine, struct error *error);

/* Stops serving on this core: running transactions are rolled back, a last checkpoint is made. Every core calls it; it
 * returns when all have. Yields. */
enum sqlstate engine_close(struct world *world, struct engine *engine, struct error *error);

/* ---- tables ---- */

enum table_layout { TABLE_ROW = 1, TABLE_MEMORY = 2 };

/* Makes or drops a table in the transaction: like rows, it is there (or gone) for others when that commits, and undone when
 * it rolls back. `table` is a number the caller never uses twice. Yields. */
enum sqlstate table_create(struct transaction *transaction, uint64_t table, enum table_layout layout,
                           struct error *error);
enum sqlstate table_drop(struct transaction *transaction, uint64_t table, struct error *error);

/* Fills an empty table, made in this transaction, from rows in ascending key order, past the log. Yields. */
enum sqlstate table_load(struct transaction *transaction, uint64_t table, const struct store_source *source,
                         struct error *error);

/* ---- transactions ---- */

enum isolation { READ_COMMITTED = 1, REPEATABLE_READ, SERIALIZABLE };

struct transaction_options {
    enum isolation isolation;
    bool read_only;
    bool commit_async;        /* synchronous_commit = off: answer before the commit is stable */
    uint64_t lock_timeout_ns; /* 0 = none */
    uint64_t after_scn;       /* snapshots see at least this: the session's last commit_async; 0 = none */
};

/* Begins; everything is undone when `scope` ends without a commit. Does not yield. */
enum sqlstate transaction_begin(struct world *world, struct engine *engine, struct scope *scope,
                                const struct transaction_options *options, struct transaction **transaction,
                                struct error *error);

/* A new statement starts: takes a snapshot if the isolation wants one, and lets reads see own changes made so far. */
void transaction_statement(struct transaction *transaction);

/* Commits. OK: it is durable (unless commit_async) and every later snapshot sees it. 40003: the log failed after the
 * commit was sent; whether it counts is unknown until the node has recovered. Other errors: rolled back. The transaction
 * is over in every case. Yields. */
enum sqlstate transaction_commit(struct transaction *transaction, struct error *error);

/* Rolls back; never fails. Yields. */
void transaction_rollback(struct transaction *transaction);

/* A savepoint is a number that grows; rolling back to one undoes rows and locks since, and keeps it. Yields. */
uint64_t transaction_savepoint(struct transaction *transaction);
enum sqlstate transaction_rollback_to(struct transaction *transaction, uint64_t savepoint,
                                      struct error *error);

uint64_t transaction_id(const struct transaction *transaction);
/* After a commit: its SCN; SCN_NONE when it wrote nothing. */
uint64_t transaction_scn(const struct transaction *transaction);

/* ---- rows, from the coordinator ---- */

/* The row the transaction sees; its memory is the scope's. Yields. */
enum sqlstate row_get(struct transaction *transaction, struct scope *scope, uint64_t table, struct bytes key,
                      struct bytes *row, bool *found, struct error *error);

/* Locks the row and gives its newest committed (or own) state. In REPEATABLE READ a row changed since the snapshot fails
 * with 40001. *outcome as in lock.h; *found tells whether the row is there. Yields. */
enum sqlstate row_lock(struct transaction *transaction, struct scope *scope, uint64_t table, struct bytes key,
                       enum lock_strength strength, enum lock_policy policy, struct bytes *row, bool *found,
                       enum lock_outcome *outcome, struct error *error);

/* Writes; locks the row first if need be. Insert of a key that is there: *done false. Update or delete of one that is not:
 * *done false. Yields. */
enum sqlstate row_insert(struct transaction *transaction, uint64_t table, struct bytes key, struct bytes row,
                         bool *done, struct error *error);
enum sqlstate row_update(struct transaction *transaction, uint64_t table, struct bytes key, struct bytes row,
                         bool *done, struct error *error);
enum sqlstate row_delete(struct transaction *transaction, uint64_t table, struct bytes key, bool *done,
                         struct error *error);

/* A scan over all shards of a table. Rows come in key order to the sink, in batches; the views are valid in the call. */
struct row_scan {
    uint64_t table;
    struct key_range range;
    bool backward;
    size_t rows_max; /* 0 = all */
};
enum sqlstate row_scan(struct transaction *transaction, const struct row_scan *scan,
                       const struct store_sink *sink, struct error *error);

/* ---- fragments, on the owner ---- */

/* Runs `run` on the core that owns the key's shard, with the transaction's branch there. `argument` must stay valid until
 * this returns. `run` may yield and use the branch_ functions. Yields. */
enum sqlstate transaction_run(struct transaction *transaction, uint64_t table, struct bytes key,
                              enum sqlstate (*run)(struct branch *branch, void *argument,
                                                   struct error *error),
                              void *argument, struct error *error);

/* As their row_ namesakes, for keys whose shard this core owns; row views are valid until the fiber yields. */
enum sqlstate branch_get(struct branch *branch, uint64_t table, struct bytes key, struct store_row *row,
                         bool *found, struct error *error);
enum sqlstate branch_lock(struct branch *branch, uint64_t table, struct bytes key,
                          enum lock_strength strength, enum lock_policy policy, struct store_row *row,
                          bool *found, enum lock_outcome *outcome, struct error *error);
enum sqlstate branch_write(struct branch *branch, uint64_t table, const struct effect *effect, bool *done,
                           struct error *error);

/* ---- locks without rows ---- */

enum sqlstate transaction_lock_object(struct transaction *transaction, const struct lock_object *object,
                                      enum lock_mode mode, enum lock_policy policy,
                                      enum lock_outcome *outcome, struct error *error);

/* ---- watching and tending ---- */

struct engine_figures {
    uint64_t visible_scn, oldest_scn;
    uint64_t oldest_transaction; /* who holds oldest_scn back; 0 = nobody */
    uint64_t transactions_active, commits, rollbacks, deadlocks;
    uint64_t log_first, log_stable, log_placed;
    uint64_t history_bytes, page_bytes, disk_bytes;
    uint64_t shards;
};
void engine_figures(struct world *world, struct engine *engine, struct engine_figures *figures);

/* Makes a checkpoint of everything now. Yields. */
enum sqlstate engine_checkpoint(struct world *world, struct engine *engine, struct error *error);

/* Moves a shard to another core while it is in use; splits one at a key. Yields. */
enum sqlstate shard_move(struct world *world, struct engine *engine, uint64_t shard, uint32_t core,
                         struct error *error);
enum sqlstate shard_split(struct world *world, struct engine *engine, uint64_t shard, struct bytes at,
                          struct error *error);

/* The shards of a table in key order. */
struct shard_view {
    uint64_t shard, table;
    uint32_t core;
    enum table_layout layout;
    struct bytes from, to;
    bool to_open;
    uint64_t rows, bytes;
};
enum sqlstate shard_each(struct world *world, struct engine *engine, uint64_t table,
                         void (*visit)(void *argument, const struct shard_view *shard), void *argument,
                         struct error *error);

/* Walks everything on disk and in memory; findings name table and key range. Yields. */
enum sqlstate engine_verify(struct world *world, struct engine *engine, const struct store_findings *findings,
                            struct error *error);

#endif
