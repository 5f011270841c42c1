/* Spills: what open writers have written and memory cannot hold; see spill.c. */
#ifndef SYNOD_ENGINE_ROW_SPILL_H
#define SYNOD_ENGINE_ROW_SPILL_H

#include "engine/row/inside.h"

/* Effects that were rolled back while their versions lay in the spill: above < number <= upto. */
struct spill_void {
    struct spill_void *lower; /* the next one with lower numbers */
    uint32_t above, upto;
};

/* A run of one writer's versions; a writer may have several. In rows->spills: open ones first, then committed ones, the newest
 * commit first, of one writer the newest run first; or in rows->spills_dead. */
struct spill {
    struct list_link link;
    struct scope *scope;
    struct tree *tree;     /* temporary */
    struct writer *writer; /* while open; else NULL */
    uint64_t transaction;
    uint32_t run;     /* among those of the writer, from 1, rising */
    uint64_t scn;     /* SCN_NONE while open */
    uint32_t highest; /* number of the highest version that was ever in it */
    struct spill_void *voids;
    /* Which keys it may hold: from `lowest` to `highest_key`, and what the filter lets through (Bloom, "Space/time trade-offs in
     * hash coding with allowable errors", 1970; a key's bits lie in one block). */
    uint8_t lowest_key[STORE_KEY_BYTES_MAX], highest_key[STORE_KEY_BYTES_MAX];
    size_t lowest_size, highest_size;
    struct spill_block *block; /* NULL = there is no filter */
    uint64_t blocks;
    uint64_t keys, keys_max; /* in the filter; above that it lets too many through to be worth a look */
    /* Once committed: keys below this one have been folded; what the spill has of them counts no more. */
    bool folding;
    uint8_t folded[STORE_KEY_BYTES_MAX];
    size_t folded_size;
};

/* A version in a spill, as somebody sees it. */
struct spilled {
    bool exists;
    struct bytes row;
    uint64_t scn; /* SCN_NONE: the reader's own */
};

static inline bool spill_has_folded(const struct spill *spill, struct bytes key)
{
    return spill->folding && bytes_compare(key, bytes_of(spill->folded, spill->folded_size)) < 0;
}

/* Whether a snapshot may see something of a spill. */
static inline bool spill_concerns(const struct spill *spill, const struct snapshot *snapshot)
{
    return spill->scn == SCN_NONE ? spill->transaction == snapshot->transaction : spill->scn <= snapshot->scn;
}

/* The version in a spill's value that the snapshot sees; false when none. *damaged: the value is not one. */
bool spill_pick(const struct spill *spill, struct bytes value, const struct snapshot *snapshot,
                struct spilled *found, bool *damaged);

/* A look at one key. Zeroed, but for the first four. */
struct spill_look {
    struct row_store *rows;
    struct scope *scope;
    const struct snapshot *snapshot;
    struct bytes key;
    bool there;
    struct spilled found; /* when there; good until the fiber yields */
    /* Spills whose large value was read and has nothing for this snapshot. */
    struct spill_nothing {
        struct spill_nothing *next;
        uint64_t transaction;
        uint32_t run;
    } * nothing;
};

/* Cache line of a filter. */
struct spill_block {
    _Alignas(64) uint64_t word[8];
};

/* Whether a run may hold a key; false = it does not. `hash` is row_key_hash() of the key. */
bool spill_may_hold(const struct spill *spill, struct bytes key, uint64_t hash);

/* Brings in what a look into a spill's tree missed. Yields. */
enum sqlstate spill_bring_in(struct row_store *rows, enum tree_answer answer, struct tree *tree,
                             uint64_t missing, struct bytes key, struct error *error);

/* What the spills have of the key for the snapshot, when that is newer than `version`, which the history has for it (NULL:
 * nothing). *again: something was read meanwhile: look at the history and here again, with the same struct. May yield. */
enum sqlstate spill_look(struct spill_look *look, const struct version *version, bool *again,
                         struct error *error);

/* A writer's rollback of effects numbered above `effects`, and its commit, as far as spills go. O(1) or about. */
void spill_rollback(struct row_store *rows, const struct writer *writer, uint32_t effects);
void spill_commit(struct row_store *rows, const struct writer *writer, uint64_t scn);

/* The newest SCN up to which versions of that key may be merged into the tree: below it lies no commit whose versions are
 * still in a spill. */
uint64_t spill_cap(const struct row_store *rows, struct bytes key, uint64_t scn);

/* Smallest SCN of a commit whose versions are (partly) in a spill; UINT64_MAX when there is none. */
uint64_t spill_lowest(const struct row_store *rows);

/* Moves versions of open writers into their spills until the history is below `room` bytes or none is left. Requires the
 * right to merge. Yields. */
enum sqlstate spill_out(struct row_store *rows, size_t room, struct error *error);

/* Brings some of the oldest commit's versions that lie in a spill, and that all snapshots see, into the tree; *done when there
 * are none. Frees spills that nobody needs. Requires the right to merge. Yields. */
enum sqlstate spill_fold(struct row_store *rows, uint64_t scn, uint64_t oldest, bool *done,
                         struct error *error);

/* Gives all their pages back. Yields. */
void spill_drop_all(struct row_store *rows);

#endif
