/* The history: the versions of a shard's rows that are in memory, ordered by key.
 *
 * A B+-tree in memory; each row in it has a chain of versions, newest first. Stores are built from it: a
 * memory store is a history alone, a row store keeps the newest committed versions it needs no snapshot for
 * in a tree on disk *below* the history. "Below" is where a reader must look when the chain has no version
 * for it.
 *
 *     row "k7": newest -> [#3 of open T9] -> [SCN 30, in tree] -> [SCN 10] -> [bottom: what the tree held
 * before] -> NULL
 *
 * A version of an open writer points at the writer; once the writer has committed the version takes the SCN
 * over when it is next looked at ("settles"), so committing costs the same however much was written. Versions
 * of an open writer are also chained in the order of writing, for rollback.
 *
 * One core owns a history; nothing here yields. */
#ifndef SYNOD_ENGINE_HISTORY_HISTORY_H
#define SYNOD_ENGINE_HISTORY_HISTORY_H

#include "engine/store/store.h"

struct history;

struct version {
    struct version *older;
    struct writer *writer;          /* NULL once settled */
    uint64_t scn;                   /* SCN_NONE while the writer is open */
    struct version *written_before; /* while open: the writer's previous version in this history */
    struct version *written_after;  /* while open: its next one */
    struct history_row *of;
    uint32_t number; /* of the effect, from 1 */
    uint32_t row_bytes;
    bool exists;   /* a row; false = deleted */
    bool inserted; /* the key was absent before */
    bool merged;   /* the tree below holds this version */
    bool large;    /* `row` is a struct store_large: this version's own, or while it is `merged` the tree's */
    bool kept;     /* a large row that was the tree's once */
    uint8_t row[];
};

struct history_row {
    struct version *newest; /* never NULL while the row is in the history */
    struct list_link aging; /* linked while it may have versions to collect */
    uint16_t key_bytes;
    uint16_t holds; /* while not 0, nothing is collected here: somebody looks at a version over a yield */
    uint8_t key[];
};

struct history *history_open(struct scope *scope);

/* Who is told that a version went whose large row was its own; before any such is applied. Must not yield. */
void history_on_large_gone(struct history *history,
                           void (*gone)(void *argument, const struct store_large *large, bool kept),
                           void *argument);

/* Tells of all that are left; the history is of no use afterwards. */
void history_give_up_large(struct history *history);

/* Bytes in rows and versions; rows; versions. */
size_t history_bytes(const struct history *history);
uint64_t history_rows(const struct history *history);
uint64_t history_versions(const struct history *history);

struct history_row *history_find(const struct history *history, struct bytes key);

/* A place in the order of keys. Valid until the history is written to or collected. */
struct history_place {
    void *leaf;
    uint32_t slot;
};

/* The first row with key >= `key` (> when exclusive), or NULL. Backward: the last with key <= (<). `at_end`
 * ignores the key: the first, or backward the last, of all. */
struct history_row *history_seek(const struct history *history, struct bytes key, bool at_end, bool backward,
                                 bool exclusive, struct history_place *place);

/* The next row in that direction, or NULL. */
struct history_row *history_step(struct history_place *place, bool backward);

static inline struct bytes history_key(const struct history_row *row)
{
    return bytes_of(row->key, row->key_bytes);
}

static inline struct bytes version_row(const struct version *version)
{
    return bytes_of(version->row, version->row_bytes);
}

static inline struct store_large version_large(const struct version *version)
{
    struct store_large large;
    memcpy(&large, version->row, sizeof large);
    return large;
}

/* The version's SCN, settling it when its writer has committed. SCN_NONE: still open. */
uint64_t version_settle(struct version *version);

/* The version of this row the snapshot sees, or NULL: look below. The version may be a deletion. */
struct version *history_visible(struct history_row *row, const struct snapshot *snapshot);

/* The newest committed version, or NULL: below. */
struct version *history_newest_committed(struct history_row *row);

/* Adds a version by an open writer. Requires: the newest version is not another open writer's. */
void history_apply(struct history *history, struct writer *writer, const struct effect *effect);

/* Recovery, before anybody reads: a committed version in the place of what the row had. Commits come in their order. */
struct history_recovered {
    struct history *history;
    struct bytes key;
    struct bytes row;
    const struct store_large *large; /* as in an effect */
    bool exists;
    uint64_t scn;
};
void history_recover(const struct history_recovered *effect);

/* Says which will be recovered next: at most HISTORY_AHEAD_MAX. Only makes that faster. */
#define HISTORY_AHEAD_MAX 64
void history_recover_ahead(const struct history_recovered *effects, size_t count);

/* The writer has committed: its versions count from now on. A few are settled at once, so that a small writer
 * is free (versions == 0) when this returns. */
void history_commit(struct history *history, struct writer *writer, uint64_t scn);

/* Takes back the writer's versions numbered > effects, newest first; at most `limit` of them. True when none
 * is left to take back. */
bool history_rollback(struct history *history, struct writer *writer, uint32_t effects, size_t limit);

/* The open writer that has versions of this row, or NULL. They are the newest. */
struct writer *history_open_writer(struct history_row *row);

/* The open writer that has inserted this row, or NULL. */
struct writer *history_inserter(struct history_row *row);

/* Takes the open writer's versions of a row out: they are kept elsewhere now. The row goes when nothing else is in it. */
void history_take_out(struct history *history, struct history_row *row);

/* Adds a committed version at its place among those of the key, unless there is one of the same commit, which is newer. */
void history_put_back(struct history *history, struct bytes key, struct bytes row, bool exists, uint64_t scn);

/* The version that a checkpoint up to `scn` must bring into the tree below: the newest committed one up to
 * there, or NULL when the tree holds that one or a newer one already. */
struct version *history_to_merge(struct history_row *row, uint64_t scn);

/* Keeps a row's versions where they are over yields; and lets them go: what nobody needs leaves at once. */
void history_hold(struct history_row *row);
void history_release(struct history *history, struct history_row *row, uint64_t oldest, bool below);

/* Whether the tree's old value must become the bottom of the chain when `version` is merged: a snapshot at or above
 * `oldest`, below the version, may ask for it, and nothing in the chain answers. */
bool history_needs_bottom(const struct version *version, uint64_t oldest);

/* The version that the tree below holds now, or NULL. */
struct version *history_version_below(struct history_row *row);

/* Marks `version` (from history_to_merge) as held by the tree below, whose former value `old` (NULL = no row)
 * becomes the bottom of the chain if a snapshot below the version's SCN, not below `oldest`, may still ask
 * and the chain cannot answer. A large row of the version that the tree held before is that version's own again. Versions no one can see any more leave; when nothing remains, the row itself
 * leaves (then gives true, and `row` is gone). */
struct history_old {
    struct bytes row;
    bool large; /* `row` is a struct store_large, the history's from now on */
};
bool history_merged(struct history *history, struct history_row *row, struct version *version,
                    const struct history_old *old, uint64_t oldest);

/* Drops versions that no snapshot at or above `oldest` can see, looking at up to `limit` rows in the order in
 * which they aged. With `below`, a merged version that everyone may see leaves, too (the tree answers);
 * without, a deletion that everyone sees takes its row along. True when there may be more to do now. */
bool history_collect(struct history *history, uint64_t oldest, bool below, size_t limit);

/* store.h's changed(), for both stores. */
void history_changed(struct history *history, uint64_t since, struct bytes from,
                     bool (*take)(void *argument, const struct store_change *change), void *argument);

/* Checks order, chains, counts; stops the process on a broken rule. For tests and verify. */
void history_check(const struct history *history);

#endif
