/* A B+-tree of byte keys and values over a copy-on-write page volume: the resting place of a row store.
 *
 * One version per key; what it holds is committed. A tree is changed in memory (its dirty pages) and becomes durable with
 * volume_commit(). Leaves keep the prefix their keys share once, and four bytes of each key beside its slot, so that a
 * search touches few cache lines. Values too large for a page live in extents.
 *
 * Reads come in two kinds. tree_find() and tree_walk() work on cached pages only and never yield: they answer "missing
 * page p" instead, the caller reads it (tree_fetch, may yield) and starts over from the root. So whoever needs the tree
 * and something else (histories) at one moment looks at both without a yield in between. */
#ifndef SYNOD_ENGINE_TREE_TREE_H
#define SYNOD_ENGINE_TREE_TREE_H

#include "engine/page/page.h"

struct tree;

/* Longest key in volumes of pages from 8 KiB on; tree_key_bytes_max() tells it for any. */
#define TREE_KEY_BYTES_MAX 2000

/* An answer that may be "not in memory". */
enum [[nodiscard]] tree_answer{
    TREE_ABSENT = 0, TREE_FOUND, TREE_MISSING, /* a page must be fetched first: *missing says which */
    TREE_DAMAGED, /* a page's content breaks the format although its checksum is right; *missing says which */
};

/* A value: in the page, or in an extent (then `inside` is empty). */
struct tree_value {
    struct bytes inside; /* view, valid until the fiber yields or the tree changes */
    uint64_t extent;     /* first page; PAGE_NONE when inside */
    uint64_t size;       /* bytes in all */
};

/* What is recorded of a tree in its parent's root record. */
struct tree_root {
    uint64_t page;   /* PAGE_NONE = empty tree, no page at all */
    uint32_t height; /* 0 = empty, 1 = the root is a leaf */
    uint64_t rows;
    uint64_t pages;   /* without extents */
    uint64_t extents; /* values in extents */
};

/* A tree at that root. The struct is the scope's memory; the volume must outlive it. Does not yield, reads nothing. */
struct tree *tree_open(struct scope *scope, struct volume *volume, const struct tree_root *root);
struct tree_root tree_root(const struct tree *tree);

/* An empty tree that no generation will contain: of its pages nothing is left after a restart. Extents given to it stay
 * temporary, too. */
struct tree *tree_open_temporary(struct scope *scope, struct volume *volume);

enum tree_answer tree_find(struct tree *tree, struct bytes key, struct tree_value *value, uint64_t *missing);

/* A key in about the middle of the tree, as its root knows it: ABSENT when there is none. `key` has room for the longest one. */
enum tree_answer tree_middle(struct tree *tree, uint8_t *key, size_t *size, uint64_t *missing);

/* Does something towards bringing a page into the cache; the caller looks again, from the root. To be called without a yield since
 * *missing was given. Yields. */
enum sqlstate tree_fetch(struct tree *tree, uint64_t missing, struct error *error);

/* A page that keeps a look for a key from going on, for it is not in memory or damaged, and the keys below it. */
struct tree_hole {
    uint64_t page;
    size_t from_size, to_size;
    bool to_open;
    uint8_t from[TREE_KEY_BYTES_MAX], to[TREE_KEY_BYTES_MAX];
};

/* The one on the way to the key's leaf, as its parent describes it; false when there is none. Does not yield. */
bool tree_find_hole(struct tree *tree, struct bytes key, struct tree_hole *hole);

/* Visits the rows of the leaf that holds the first key >= from (or, backward, the last key <= from; `from` empty and
 * `at_end` set = the ends of the tree), in order of direction, beginning there. *bound (STORE-size room by the caller)
 * gets the key range the leaf covers on the far side: the next call continues there; *last when there is none. The visitor
 * must not yield and gives false to stop. Never yields; prefetches the next leaves
 * when `ahead`. Answers MISSING and DAMAGED before it visited anything, ABSENT when the tree is empty. */
struct tree_walk {
    struct bytes from;
    bool at_end; /* from the open end of the tree in this direction */
    bool backward;
    bool exclusive; /* do not give `from` itself */
    bool ahead;
    /* The key is good until the visit after the next one. */
    bool (*visit)(void *argument, struct bytes key, const struct tree_value *value);
    void *argument;
    uint8_t *bound;    /* out: room for TREE_KEY_BYTES_MAX; told before the first visit, as the next two */
    size_t bound_size; /* out */
    bool last;         /* out: no leaf beyond this one */
    uint32_t left;     /* out, before each visit: how many come after it */
};
enum tree_answer tree_walk_leaf(struct tree *tree, struct tree_walk *walk, uint64_t *missing);

/* One change: the value replaces what the key has, or is new; or the key goes. */
struct tree_change {
    struct bytes key;
    struct bytes value;
    uint64_t
        extent; /* the value already lies in this extent (extent_size bytes of it); PAGE_NONE = it is `value` */
    uint64_t extent_size;
    bool remove; /* of a key that may be absent */
};

/* What becomes of what a key holds when a change is made. */
enum tree_replace {
    TREE_LEAVE = 0, /* the key stays as it is: no change */
    TREE_REPLACE,   /* its extent, if it has one, is freed */
    TREE_REPLACE_KEEP /* its extent belongs to the caller from now on, and is temporary (volume_extent_loosen) */
};

/* Changes for one leaf, pulled while nothing can yield, so that what they are made from cannot change meanwhile. */
struct tree_merge {
    /* The next change, in ascending order of keys, the first at or above `from`, all below `bound` (unless bound_open).
     * False when there is none (left) for this leaf. The views must stay as they are until tree_apply() returns. */
    bool (*next)(void *argument, struct bytes bound, bool bound_open, struct tree_change *change);
    /* What the key holds now (NULL = nothing), before the change is made. */
    enum tree_replace (*replaces)(void *argument, const struct tree_change *change,
                                  const struct tree_value *old);
    void *argument;
};

/* Largest value that is kept inside a page; larger ones must come as extents. */
size_t tree_inside_bytes_max(const struct tree *tree);

/* Longest key. */
size_t tree_key_bytes_max(const struct tree *tree);

/* Applies changes to the leaf that holds (or would hold) `from`: brings in the pages and makes room first (yields), then
 * pulls changes, applies them and returns in one stretch without a yield, as many as a few pages hold. `bound` (room for the longest key) gets the key to go on from, *last is set when the leaf was the last of the tree
 * and all changes were pulled. Splits and merges pages as needed. When it fails nothing was pulled and nothing changed. */
enum sqlstate tree_apply(struct tree *tree, struct bytes from, const struct tree_merge *merge, uint8_t *bound,
                         size_t *bound_size, bool *last, struct error *error);

/* Fills an empty tree from ascending keys, pages packed to `fill` percent. Yields. */
struct tree_source {
    enum sqlstate (*next)(void *argument, struct bytes *key, struct bytes *value, bool *end,
                          struct error *error);
    void *argument;
};
enum sqlstate tree_load(struct tree *tree, const struct tree_source *source, uint32_t fill,
                        struct error *error);

/* Frees all pages of the tree; it is empty afterwards. Yields. */
enum sqlstate tree_drop(struct tree *tree, struct error *error);

/* Walks all pages and checks order, prefixes, fences, counts, heights, checksums, and that no page is reached twice.
 * A bad page is reported with the key range it covers, and the walk goes on beside it. Yields. */
enum sqlstate tree_verify(struct tree *tree,
                          void (*report)(void *argument, const char *sentence, struct bytes from,
                                         struct bytes to, bool to_open),
                          void *argument, struct error *error);

#endif
