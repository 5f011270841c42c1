/* What the files of the row store share. */
#ifndef SYNOD_ENGINE_ROW_INSIDE_H
#define SYNOD_ENGINE_ROW_INSIDE_H

#include "base/map.h"
#include "base/world.h"
#include "engine/history/history.h"
#include "engine/row/row.h"

struct row_store {
    struct store store;
    struct world *world;
    struct scope *scope;
    struct volume *volume;
    struct tree *tree;
    struct history *history;
    size_t memory_bytes; /* limit of the history */
    void (*left)(struct writer *writer, struct bytes key);
    enum sqlstate (*relieve)(void *argument, struct error *error);
    void *argument;            /* relieve()'s */
    struct map_seed seed;      /* of hashes of keys */
    struct list spills;        /* spill.h */
    struct list spills_dead;   /* those whose pages are to be freed */
    struct barren *barren;     /* barren.c; NULL = none was ever met */
    uint64_t changes;          /* rows that came, and changes of the barren stretch */
    uint64_t holes;            /* pages that merges had to pass over */
    bool merging;              /* one fiber at a time brings versions into the tree, or into spills */
    struct fiber_queue merged; /* those who wait for it */
};

static inline uint64_t row_key_hash(const struct row_store *rows, struct bytes key)
{
    return map_hash(rows->seed, key);
}

static inline struct row_store *row_store_of(struct store *store)
{
    return container_of(store, struct row_store, store);
}

/* ---- the barren stretch (barren.c) ---- */

/* What a forward scan knows of the keys from where it began up to where it stands. */
struct barren_walk {
    bool looking;      /* there was no row yet, and none can come but by an insert */
    bool entered;      /* it began in the stretch */
    size_t passed;     /* rows that are gone, beyond the stretch it entered */
    uint64_t scn;      /* the latest of their deletions */
    struct bytes from; /* where it began, or the stretch it entered */
    uint64_t changes;  /* of the store, when it began */
};

/* A scan begins at *from, which moves to the end of the stretch when it lies in it and the snapshot sees nothing there. */
void barren_enter(struct row_store *rows, const struct snapshot *snapshot, struct bytes *from,
                  struct barren_walk *walk);
/* The scan has met a key that does not belong to the stretch, or its end. */
void barren_ends(struct row_store *rows, struct barren_walk *walk, struct bytes to);
/* A row is about to be inserted or updated. */
void barren_row_comes(struct row_store *rows, struct bytes key);

/* Between two stretches of a merge: others run, and the volume may be committed. Yields. */
enum sqlstate row_merge_pause(struct row_store *rows, struct error *error);

/* Brings the figures in `store` up to date. */
void row_account(struct store *store);

/* Brings committed versions up to `scn` into the tree: all of them but those that wait for a spill, or (`room` > 0) until the
 * history is below that many bytes. Those of a page that cannot be read stay (rows->holes tells). By whoever has the right to
 * merge. Yields. */
enum sqlstate row_merge(struct row_store *rows, uint64_t scn, uint64_t oldest, size_t room,
                        struct error *error);

/* The right to merge: one fiber at a time has it. Taking it may yield; it fails when the fiber is canceled. */
enum sqlstate row_merge_begin(struct row_store *rows, struct error *error);
void row_merge_end(struct row_store *rows);

/* Merges versions up to `scn` of keys from <= key < to, by whoever has the right. Yields. */
enum sqlstate row_merge_range(struct row_store *rows, uint64_t scn, uint64_t oldest, struct bytes from,
                              struct bytes to, bool to_open, struct error *error);

/* Whether something failed for a page on the way to the key's leaf that cannot be read, now or ever; adds to the error where that
 * is. */
bool row_hole(struct row_store *rows, enum sqlstate failed, struct bytes key, struct tree_hole *hole,
              struct error *error);

/* What to say of a tree page whose content is impossible. */
enum sqlstate row_damaged(const struct row_store *rows, uint64_t page, struct bytes key, struct error *error);

#endif
