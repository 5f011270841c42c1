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
        disk_reserve_bytes; /* new writes are refused (53100) when the file system has less; 0 = default */
    uint32_t page_bytes;    /* 0 = default */
    /* Rows above this are written to where they rest as they come, piece by piece, and never held in memory; at most and by
     * default about 250 KB. */
    size_t large_bytes;
    uint64_t shard_bytes_max; /* a shard above this is split; 0 = default */
    /* A shard above this that is scanned again and again is split, too, so that all cores have some. 0 = default */
    uint64_t shard_bytes_spread;
    uint64_t sizing_every_ns; /* how often shards are looked at, to be split, merged or moved; 0 = default */
    uint64_t checkpoint_log_bytes; /* log that may pile up before a checkpoint; 0 = default */
    /* Fewer pages than that never cause a commit of a volume in the middle of a merge; 0 = default. */
    uint64_t generation_pages;
    /* Offered each full segment of the log before it is recycled, on core 0; OK = it may go, else it is offered again.
     * NULL: all may go. Yields. */
    enum sqlstate (*archive)(void *argument, const char *path, uint64_t first_position, struct error *error);
    void *archive_argument;
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

/* The node's data directory, as this core was told. Files that are removed as soon as they are opened may be made in it. */
const char *engine_directory(const struct engine *engine, const struct world *world);

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
    /* synchronous_commit = off: answer before the commit is stable. Not when tables were made or dropped. */
    bool commit_async;
    uint64_t lock_timeout_ns; /* 0 = none */
    uint64_t after_scn;       /* snapshots see at least this: the session's last commit_async; 0 = none */
};

/* Begins; everything is undone when `scope` ends without a commit. Does not yield. */
enum sqlstate transaction_begin(struct world *world, struct engine *engine, struct scope *scope,
                                const struct transaction_options *options, struct transaction **transaction,
                                struct error *error);

/* A new statement starts: takes a snapshot if the isolation wants one, and lets reads see own changes made so far. */
void transaction_statement(struct transaction *transaction);

/* Before a statement of a READ COMMITTED transaction: waits until what its locks were handed over by can be seen. Locks are
 * given back before commits are stable, so a snapshot taken at once might miss the commit that was waited for. Waits for
 * other cores at most, not for the disk, and only when there is something to wait for. Yields. */
enum sqlstate transaction_catch_up(struct transaction *transaction, struct error *error);

/* REPEATABLE READ: until transaction_look_back() reads see what is committed by now, as in READ COMMITTED, whatever the
 * transaction's snapshot is (a foreign key must see the children that others have made since). Nothing may be written or
 * locked meanwhile. In the other isolations nothing happens. Yields. */
enum sqlstate transaction_look_ahead(struct transaction *transaction, struct error *error);
void transaction_look_back(struct transaction *transaction);

/* Commits. OK: it is durable (unless commit_async) and every later snapshot sees it. 40003: the log failed after the
 * commit was sent; whether it counts is unknown until the node has recovered. Other errors: rolled back. The transaction
 * is over in every case. Yields. */
enum sqlstate transaction_commit(struct transaction *transaction, struct error *error);

/* Its commit waits until it is stable and seen by every later snapshot, whatever commit_async says. Does not yield. */
void transaction_commit_waits(struct transaction *transaction);

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

/* A part of the row the transaction sees, up to `room` bytes from `offset` on, into memory of the caller. Of a large row no
 * more is read than asked for: calls of one statement see one row. Yields. */
enum sqlstate row_get_piece(struct transaction *transaction, uint64_t table, struct bytes key,
                            struct store_piece *piece, struct error *error);

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

/* ---- fragments: work that goes to where the rows are ----
 *
 *     session's core                                owner of shard 1            owner of shard 2
 *     transaction_run_range(5, [a, z))  ─────────>  run(part [a, k))            run(part [k, z))
 *       waits                                         branch_scan: 1000 rows      branch_scan: 1000 rows
 *                                                     (filter, send on, wait)     ...
 *                                                     branch_scan: 1000 rows      shard is split at p meanwhile
 *                                                     done                        branch_scan: SHARD_SPLIT
 *       cuts the rest anew  ─────────────────────────────────────────────────>  run([m, p))  run([p, z))
 *     gives when all are through
 *
 * A fragment runs in a fiber on the owner's core. Several fragments of one transaction may run at once, on one core or on
 * many, and use all branch_ functions; none of the transaction_ and row_ functions of the same transaction may be called
 * meanwhile but further transaction_run… ones, in other fibers of the coordinator's core, and no statement may begin.
 *
 * Shards are moved and split while fragments run. A branch_ function that finds its shard gone fails with one of the two
 * states below; the fragment ends what it has begun with the rows it has got, and gives that state up untouched: then
 * the rest is sent again by the new map, and nobody else ever sees these states. */
#define SQLSTATE_SHARD_MOVED SQLSTATE_PACK('S', 'Y', '0', '0', '1') /* lies on another core now */
#define SQLSTATE_SHARD_SPLIT SQLSTATE_PACK('S', 'Y', '0', '0', '2') /* the range lies in several now */

/* Runs `run` on the core that owns the key's shard, with the transaction's branch there. It may yield; `scope` is for memory
 * on that core and ends with it. `argument` must stay valid until this returns. When the shard has moved, `run` is called
 * again from its beginning: it must not have written to another shard before. (A shard in which the transaction has
 * written or locked a row stays where it is.) Yields. */
enum sqlstate transaction_run(struct transaction *transaction, uint64_t table, struct bytes key,
                              enum sqlstate (*run)(struct branch *branch, struct scope *scope, void *argument,
                                                   struct error *error),
                              void *argument, struct error *error);

/* What of a range lies in one shard. */
struct range_part {
    uint64_t table;
    uint32_t number;            /* 0, 1, 2 … in the order in which parts are begun */
    struct store_cursor cursor; /* ready to be scanned with; its range is the part */
};

struct range_run {
    uint64_t table;
    struct key_range range;
    bool backward;
    /* Parts that run at once; 0 = all. With 1 they run one after the other in the order of keys (`backward`: the other
     * way), so what they give is in order. */
    uint32_t width;
    /* Shards are not replaced while one of their parts runs. For what writes: rows that were taken but not written yet must
     * not be sent away. For what only reads it would hold up splits and moves for as long as it runs. */
    bool stays;
    /* One part, on its owner. When it gives SQLSTATE_SHARD_…, what lies behind the last row that part->cursor gave is run
     * again, as one part or several: rows up to there count as done. */
    enum sqlstate (*run)(struct branch *branch, struct scope *scope, struct range_part *part, void *argument,
                         struct error *error);
    void *
        argument; /* shared by the parts, which run on several cores: read it, or find your own in it by part->number */
};

/* Runs a fragment for each shard that holds some of the range, on the shards' owners. Gives when all are through. When one
 * fails the others are canceled, and its failure is given. To use what they send meanwhile, call this in a fiber of its
 * own. Yields. */
enum sqlstate transaction_run_range(struct transaction *transaction, const struct range_run *run,
                                    struct error *error);

/* Of a list of keys those whose shards one core owns, in the order of the list. */
struct key_share {
    uint64_t table;
    uint32_t part;           /* 0, 1, 2 … in the order in which parts are begun */
    const struct bytes *key; /* the whole list */
    const uint32_t *number;  /* places in the list of those that are meant here */
    size_t count;
    size_t done; /* so many of them are through: branch_get_keys() counts, or the fragment does */
    /* branch_keys_ahead()'s: when to look again (0 = it was not called yet), and pages read by then */
    size_t look_at;
    uint64_t reads;
};

struct key_run {
    uint64_t table;
    const struct bytes *key; /* the same key may be there twice */
    size_t count;
    /* One part, on its owner. When it gives SQLSTATE_SHARD_MOVED, the keys from part->done on are run again. */
    enum sqlstate (*run)(struct branch *branch, struct scope *scope, struct key_share *part, void *argument,
                         struct error *error);
    void *argument; /* shared by the parts: as in range_run; a place of its own for each key will do */
};

/* Runs a fragment for each core that owns some of the keys' shards: point reads or writes of many rows in one hop. Else
 * as transaction_run_range(). Yields. */
enum sqlstate transaction_run_keys(struct transaction *transaction, const struct key_run *run,
                                   struct error *error);

/* ---- what fragments use, on the owner ---- */

struct world *branch_world(const struct branch *branch);

/* As their row_ namesakes, for keys whose shard this core owns; row views are valid until the fiber yields. A row too
 * large for a page is in memory of the scope. Yield. */
enum sqlstate branch_get(struct branch *branch, struct scope *scope, uint64_t table, struct bytes key,
                         struct store_row *row, bool *found, struct error *error);
enum sqlstate branch_get_piece(struct branch *branch, struct scope *scope, uint64_t table, struct bytes key,
                               struct store_piece *piece, struct error *error);
enum sqlstate branch_lock(struct branch *branch, struct scope *scope, uint64_t table, struct bytes key,
                          enum lock_strength strength, enum lock_policy policy, struct store_row *row,
                          bool *found, enum lock_outcome *outcome, struct error *error);
enum sqlstate branch_write(struct branch *branch, uint64_t table, const struct effect *effect, bool *done,
                           struct error *error);

/* Rows from where the cursor stands, to the sink, until that has enough, `rows_max` were given, or cursor->done. The range
 * lies in one shard of this core (a part's does). Between two calls the caller may yield and write; every call sees the
 * state the statement sees. store.h says more of cursors and sinks. Yields. */
enum sqlstate branch_scan(struct branch *branch, uint64_t table, struct store_cursor *cursor, size_t rows_max,
                          const struct store_sink *sink, struct error *error);

/* Takes the row of a key, or NULL when there is none; `number` is the key's place in the list. Views are valid in the
 * call; it must not yield. */
struct key_sink {
    void (*take)(void *argument, uint32_t number, const struct store_row *row);
    void *argument;
};

/* The rows of the part's next keys, at most `keys_max`; part->done counts them. Yields. */
enum sqlstate branch_get_keys(struct branch *branch, struct scope *scope, struct key_share *part,
                              size_t keys_max, const struct key_sink *sink, struct error *error);

/* For who goes through the keys one by one, before each: where pages had to be read lately, those of the next keys are read side by
 * side. branch_get_keys() does it itself. Does not yield. */
void branch_keys_ahead(struct branch *branch, struct key_share *part);

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
    uint64_t history_bytes, page_bytes;
    uint64_t disk_bytes, disk_used_bytes; /* of volumes: their files' size; what of it is in use */
    uint64_t shards;
    uint64_t locks; /* in memory: of rows, ranges and objects, held or waited for */
};
void engine_figures(struct world *world, struct engine *engine, struct engine_figures *figures);

/* A lock of a core's, held or waited for: of a row, of a key range, or of an object. */
struct lock_sight {
    uint64_t transaction;
    uint64_t table;     /* of a row or range; 0 = an object */
    uint32_t key_check; /* tells keys apart, mostly */
    uint32_t mode;      /* enum lock_strength, of an object enum lock_mode */
    struct lock_object object;
    bool range, granted;
    uint64_t waits_ns; /* how long it has been waited for */
};

/* Copies the locks of a core into `locks`, at most `room`; *count is how many there are. With `waiting` only those that are
 * not granted. Locks of rows that only their writer cares for may be missing: their versions answer for them until somebody
 * else asks. Yields. */
enum sqlstate engine_locks(struct world *world, struct engine *engine, uint32_t core, bool waiting,
                           struct lock_sight *locks, size_t room, size_t *count, struct error *error);

/* Which transactions hold an object's lock on a core, in that mode or a stronger one: as above. Yields. */
enum sqlstate engine_lock_holders(struct world *world, struct engine *engine, uint32_t core,
                                  const struct lock_object *object, enum lock_mode mode,
                                  uint64_t *transactions, size_t room, size_t *count, struct error *error);

/* Likewise who waits for whom. Yields. */
enum sqlstate engine_waits(struct world *world, struct engine *engine, uint32_t core, struct lock_edge *waits,
                           size_t room, size_t *count, struct error *error);

/* Makes a checkpoint of everything now. Yields. */
enum sqlstate engine_checkpoint(struct world *world, struct engine *engine, struct error *error);

/* Moves a shard to another core while it is in use; splits one at a key. Yields. */
enum sqlstate shard_move(struct world *world, struct engine *engine, uint64_t shard, uint32_t core,
                         struct error *error);
enum sqlstate shard_split(struct world *world, struct engine *engine, uint64_t shard, struct bytes at,
                          struct error *error);

/* Makes one shard of this one and its neighbour to the right, which must lie on the same core (55006). Yields. */
enum sqlstate shard_merge(struct world *world, struct engine *engine, uint64_t shard, struct error *error);

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

/* About how many rows a table has, and the bytes they take, over all its shards. Yields. */
struct table_size {
    uint64_t rows, bytes;
};
enum sqlstate table_measure(struct world *world, struct engine *engine, uint64_t table,
                            struct table_size *size, struct error *error);

/* What verification found: `report` is called once per finding, on the shard's core, and must not yield. */
struct engine_finding {
    uint64_t table, shard;
    const char *sentence;
    const struct key_range *range; /* of the keys concerned */
};
struct engine_findings {
    void (*report)(void *argument, const struct engine_finding *finding);
    void *argument;
};

/* Walks everything on disk and in memory, one core after the other. Yields. */
enum sqlstate engine_verify(struct world *world, struct engine *engine,
                            const struct engine_findings *findings, struct error *error);

#endif
