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

/* An answer that may be "not in memory". */
enum [[nodiscard]] tree_answer {
    TREE_ABSENT = 0,
    TREE_FOUND,
    TREE_MISSING, /* a page must be fetched first: *missing says which */
    TREE_DAMAGED, /* a page's content breaks the format although its checksum is right; *missing says which */
};

/* A value: in the page, or in an extent (then `inside` is empty). */
struct tree_value {
    struct bytes inside;  /* view, valid until the fiber yields or the tree changes */
    uint64_t extent;      /* first page; PAGE_NONE when inside */
    uint64_t size;        /* bytes in all */
};

/* What is recorded of a tree in its parent's root record. */
struct tree_root {
    uint64_t page;   /* PAGE_NONE = empty tree, no page at all */
    uint32_t height; /* 0 = empty, 1 = the root is a leaf */
    uint64_t rows;
    uint64_t pages;
};

/* A tree at that root. The struct is the scope's memory; the volume must outlive it. Does not yield, reads nothing. */
struct tree *tree_open(struct scope *scope, struct volume *volume, const struct tree_root *root);
struct tree_root tree_root(const struct tree *tree);

enum tree_answer tree_find(struct tree *tree, struct bytes key, struct tree_value *value, uint64_t *missing);

/* Brings a page into the cache. Yields. */
enum sqlstate tree_fetch(struct tree *tree, uint64_t missing, struct error *error);

/* Visits the rows of the leaf that holds the first key >= from (or, backward, the last key <= from; `from` empty and
 * `at_end` set = the ends of the tree), in order of direction, beginning there. *bound (STORE-size room by the caller)
 * gets the key range the leaf covers on the far side: the next call continues there; *last when there is none. The visitor
 * must not yield and gives false to stop. Never yields; prefetches the next leaves when `ahead`. */
struct tree_walk {
    struct bytes from;
    bool at_end;      /* from the open end of the tree in this direction */
    bool backward;
    bool exclusive;   /* do not give `from` itself */
    bool ahead;
    bool (*visit)(void *argument, struct bytes key, const struct tree_value *value);
    void *argument;
    uint8_t *bound;   /* out: room for the longest key */
    size_t bound_size;/* out */
    bool last;        /* out: no leaf beyond this one */
};
enum tree_answer tree_walk_leaf(struct tree *tree, struct tree_walk *walk, uint64_t *missing);

/* One change of a sorted batch. */
struct tree_change {
    struct bytes key;
    struct bytes value;
    bool remove;
    uint64_t extent;  /* value already lies in this extent (size in extent_bytes); PAGE_NONE = it is `value` */
    uint64_t extent_bytes;
};

/* Applies changes that are sorted by key, as many from the start as fall into one leaf (at least one): *applied says how
 * many. Pages needed are fetched first (yields), then everything changes at once without a yield: `before` (may be NULL)
 * is called for each applied change with the value it replaces (NULL when there was none) and `done` once at the end,
 * in the same atomic stretch. Splits and merges pages as needed. On failure nothing has changed. */
struct tree_merge {
    const struct tree_change *changes;
    size_t count;
    void (*before)(void *argument, size_t index, const struct tree_value *old);
    void (*done)(void *argument, size_t applied);
    void *argument;
};
enum sqlstate tree_apply(struct tree *tree, const struct tree_merge *merge, size_t *applied, struct error *error);

/* Fills an empty tree from ascending keys, pages packed to `fill` percent. Yields. */
struct tree_source {
    enum sqlstate (*next)(void *argument, struct bytes *key, struct bytes *value, bool *end, struct error *error);
    void *argument;
};
enum sqlstate tree_load(struct tree *tree, const struct tree_source *source, uint32_t fill, struct error *error);

/* Frees all pages of the tree; it is empty afterwards. Yields. */
enum sqlstate tree_drop(struct tree *tree, struct error *error);

/* Walks all pages and checks order, prefixes, fences, counts, heights, checksums, and that no page is reached twice.
 * A bad page is reported with the key range it covers, and the walk goes on beside it. Yields. */
enum sqlstate tree_verify(struct tree *tree,
                          void (*report)(void *argument, const char *sentence, struct bytes from, struct bytes to,
                                         bool to_open),
                          void *argument, struct error *error);

#endif
