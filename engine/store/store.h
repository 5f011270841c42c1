/* The store: a shard's rows, materialised.
 *
 * A store applies effects in the order of its shard's topic and answers reads at a system change number
 * (SCN). It logs nothing of its own, knows no SQL and no types: rows and keys are bytes, and a range of keys
 * is a range of bytes (unsigned, shorter first). Row keys, never pages or positions, cross this door.
 *
 * Versions. Every write adds a version that belongs to a *writer*, a transaction's face at this shard. A
 * version is uncommitted while writer->scn is 0, becomes visible to snapshots at or above the writer's SCN
 * once that is set, and disappears when the writer is rolled back. Row locks (engine/txn) guarantee that at
 * most one open writer has versions of a row; a store relies on that and check()s it.
 *
 * Concurrency. One core owns a store. Functions that may yield say so; between two yields everything is
 * atomic, so a read sees one state of the store even while a checkpoint runs. */
#ifndef SYNOD_ENGINE_STORE_STORE_H
#define SYNOD_ENGINE_STORE_STORE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;
struct store;
struct world;

/* System change numbers: 1, 2, 3 … in the order of commits. 0 = not committed (yet). */
#define SCN_NONE   0
#define SCN_BOTTOM 1 /* older than any history kept: what lay in a store before the oldest snapshot */
#define SCN_LOADED 2 /* of bulk-loaded rows; commits and snapshots start above */
#define SCN_NEWEST UINT64_MAX /* as a snapshot: the newest committed state */

/* Largest key and row. A key must fit several times into a page; a row may be streamed (PostgreSQL's limit is
 * 1 GB). */
#define STORE_KEY_BYTES_MAX 2000
#define STORE_ROW_BYTES_MAX (1024UL * 1024 * 1024)

enum effect_kind {
    EFFECT_INSERT = 1, /* the key was absent */
    EFFECT_UPDATE = 2, /* the key was there; `row` is the whole new row */
    EFFECT_DELETE = 3, /* the key was there; `row` is empty */
};

/* A row that was written to where the store keeps large ones, before it is applied: what that is, the store knows. */
struct store_large {
    uint64_t at;
    uint64_t size; /* bytes */
};

/* One logical change of one row. A view: the store copies what it keeps. */
struct effect {
    enum effect_kind kind;
    struct bytes key;
    struct bytes row;
    const struct store_large *large; /* instead of `row`; the store's from now on. NULL = none */
};

/* A transaction's face at one store. Owned by engine/txn, which keeps it until `versions` is 0 and it has
 * ended. */
struct writer {
    uint64_t transaction; /* id, never reused */
    uint64_t scn;         /* SCN_NONE while open, then the commit's */
    uint32_t effects;     /* effects applied so far: the number of the next one is effects + 1 */
    bool ended;           /* committed or rolled back */
    uint64_t versions;    /* versions in the store that still point here; kept by the store */
    void *written;        /* while open: its newest version here; the store's own */
};

/* What a read sees: commits with SCN <= scn, and the own transaction's effects numbered <= own_effects. */
struct snapshot {
    uint64_t scn;
    uint64_t transaction; /* the reader's own id; 0 = it has written nothing here */
    uint32_t own_effects; /* so that a statement does not see its own changes (UINT32_MAX = sees all) */
};

/* Keys from <= key < to. An empty `from` starts at the first key; `to_open` means no upper end. */
struct key_range {
    struct bytes from;
    struct bytes to;
    bool to_open;
};

/* A row as a store gives it. The views are valid until the fiber yields or the store is written to. */
struct store_row {
    struct bytes key;
    struct bytes row;
    uint64_t
        scn; /* of the version; SCN_NONE when it is the reader's own; 1 when older than any history kept */
};

/* A committed version, as changed() gives it. Views as in a store_row. */
struct store_change {
    struct bytes key;
    bool exists;
    struct bytes row;
    struct store_large large; /* when size is not 0: instead of `row` */
    uint64_t scn;
};

/* A part of a row, for who does not want all of a large one in memory at once. */
struct store_piece {
    uint64_t offset;
    void *into;
    size_t room;
    /* back */
    bool found;
    uint64_t row_bytes; /* of the whole row */
    size_t bytes;       /* in `into`: less than `room` only at the row's end */
};

/* The newest version of a key, committed or not: what a writer must know before it writes. */
struct store_newest {
    bool exists;  /* a row is there (not absent, not deleted) */
    uint64_t scn; /* of the newest committed version, also if that is a deletion; SCN_NONE = none known */
    uint64_t transaction; /* of the open writer of the newest version; 0 = it is committed */
};

/* A scan in progress: where it stands. Initialise range, backward and scope; zero the rest. Survives yields
 * and concurrent writes, splits and checkpoints; sees exactly what its snapshot says. */
struct store_cursor {
    struct key_range range;
    bool backward;
    struct scope *scope; /* owns `at` */
    bool started;
    bool done;
    uint8_t *at; /* last key given (STORE_KEY_BYTES_MAX room) */
    size_t at_size;
    uint64_t given; /* rows, over all calls */
};

/* Takes rows from a scan: copies what it wants. Called with views valid during the call; must not yield or
 * write to the store. Gives false to stop the scan behind this row. */
struct store_sink {
    bool (*take)(void *argument, const struct store_row *row);
    void *argument;
};

/* What a checkpoint made durable. */
struct store_checkpoint {
    uint64_t
        scn; /* every commit of this shard up to here is in it: less than asked for when an old snapshot needs what the
                     * rest would replace, and memory cannot hold that */
    uint64_t rows;  /* about how many rows it holds */
    uint64_t bytes; /* on disk */
};

/* Gives rows in ascending key order for a bulk load; false at the end. May yield. */
struct store_source {
    enum sqlstate (*next)(void *argument, struct bytes *key, struct bytes *row, bool *end,
                          struct error *error);
    void *argument;
};

/* What verify found, reported once per finding: a sentence, and the range of keys concerned. */
struct store_findings {
    void (*report)(void *argument, const char *sentence, const struct key_range *range);
    void *argument;
};

enum store_ability {
    STORE_DURABLE = 1,     /* checkpoints survive a restart */
    STORE_SORTED_LOAD = 2, /* load() is faster than applying effects */
    STORE_LARGE = 4        /* takes rows that were written before they are applied: effect.large */
};

struct store_ops {
    /* The version of `key` the snapshot sees; *found false when there is none. A row too large for a page is
     * read into memory of the scope. May yield (a page must be read). */
    enum sqlstate (*get)(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                         struct bytes key, struct store_row *row, bool *found, struct error *error);
    /* As get(), a part of the row; large ones are read from the disk as far as asked for. `scope` is for what must be read
     * meanwhile, a MiB at most, and may be closed afterwards. May yield. */
    enum sqlstate (*read)(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                          struct bytes key, struct store_piece *piece, struct error *error);
    /* Rows of the cursor's range from where it stands, in order, to the sink, until the sink stops it,
     * `rows_max` were given or the end (cursor->done). May yield between rows, not during take(). */
    enum sqlstate (*scan)(struct store *store, const struct snapshot *snapshot, struct store_cursor *cursor,
                          size_t rows_max, const struct store_sink *sink, struct error *error);
    /* The newest version of a key, as `transaction` must know it, which holds the row's lock or is about to give up: versions
     * of other open writers may or may not be told. May yield. */
    enum sqlstate (*newest)(struct store *store, uint64_t transaction, struct bytes key,
                            struct store_newest *newest, struct error *error);
    /* Waits until there is memory for `bytes` more of versions, bringing committed ones up to `scn` to where they rest
     * meanwhile (`scn` and `oldest` as for checkpoint), and if that does not do, those of open writers to where there is room;
     * 53200 when that cannot be. Called before a statement writes. May yield. */
    enum sqlstate (*make_room)(struct store *store, size_t bytes, uint64_t scn, uint64_t oldest,
                               struct error *error);
    /* Adds a version by an open writer; numbers it ++writer->effects. Neither yields nor fails. */
    void (*apply)(struct store *store, struct writer *writer, const struct effect *effect);
    /* Takes back the writer's versions numbered > effects (savepoint; 0 = all), newest first, at most `limit`
     * of them; true when none is left to take back. Does not yield: between calls the rest is still there,
     * uncommitted. */
    bool (*rollback)(struct store *store, struct writer *writer, uint32_t effects, size_t limit);
    /* The writer has committed with `scn`: its versions count from now on. O(1); does not yield. */
    void (*commit)(struct store *store, struct writer *writer, uint64_t scn);
    /* Forgets versions no snapshot at or above `oldest` can see; bounded work, call again while it gives
     * true. */
    bool (*collect)(struct store *store, uint64_t oldest);
    /* Brings memory_bytes and rows_estimate up to now; in between they are as the last collect or checkpoint found them. */
    void (*account)(struct store *store);
    /* Requires that no writer who ended above `since` was so large that its versions left memory (row_store_spilled).
     * Gives every version that was committed above `since`, by key, those of a key from the oldest on (deletions with
     * `exists` false), from key `from` on, until the taker stops it. Requires a snapshot held at `since`, so that none of
     * them was forgotten. Large rows come as `large`, and stay where they are as long as the snapshot is held. Does not
     * yield. */
    void (*changed)(struct store *store, uint64_t since, struct bytes from,
                    bool (*take)(void *argument, const struct store_change *change), void *argument);
    /* Makes the committed state up to `scn` (which is stable in the log) durable, incrementally, while reads
     * and writes go on. `oldest` as for collect. Yields. */
    enum sqlstate (*checkpoint)(struct store *store, uint64_t scn, uint64_t oldest,
                                struct store_checkpoint *done, struct error *error);
    /* Fills an empty store from rows in ascending key order, as if committed with SCN_LOADED. Yields. */
    enum sqlstate (*load)(struct store *store, const struct store_source *source, struct error *error);
    /* Walks everything there is and reports what is wrong. Yields. */
    enum sqlstate (*verify)(struct store *store, const struct store_findings *findings, struct error *error);
};

/* What all stores share; implementations embed it first. */
struct store {
    const struct store_ops *ops;
    uint32_t abilities;     /* enum store_ability */
    uint64_t table, shard;  /* for messages */
    size_t memory_bytes;    /* in versions now */
    uint64_t rows_estimate; /* about */
};

/* What stores share of a cursor: where a scan seeks next (*at_end: the open end of its range; *exclusive: not
 * that key itself), whether a key lies beyond the range in the direction of the scan, and the last key given.
 */
struct bytes store_cursor_from(const struct store_cursor *cursor, bool *at_end, bool *exclusive);
bool store_cursor_ends_before(const struct store_cursor *cursor, struct bytes key);
void store_cursor_remember(struct store_cursor *cursor, struct bytes key);

/* Whether a version with that writer or SCN is visible: the one rule all stores share. `number` is the
 * effect's. */
static inline bool snapshot_sees(const struct snapshot *snapshot, uint64_t scn, uint64_t transaction,
                                 uint32_t number)
{
    if (scn != SCN_NONE)
        return scn <= snapshot->scn;
    return transaction == snapshot->transaction && transaction != 0 && number <= snapshot->own_effects;
}

/* What of a row that is in memory a piece asks for. */
void store_piece_take(struct store_piece *piece, struct bytes row);

#endif
