/* A tree from inside engine/tree/.
 *
 * Files: node.* pages of sorted entries; tree.c the way from the root to a leaf, and point reads; walk.c leaf by leaf;
 * apply.c changes and splits; balance.c merging of thin nodes; load.c from sorted rows; verify.c; drop.c.
 *
 * No page knows its parent: whoever needs it descends again. What must be true between two yields: (1) a page of the
 * present generation has only ancestors of the present generation, (2) a child's fences are its parent's keys beside it,
 * (3) every leaf is as deep as any other. */
#ifndef SYNOD_ENGINE_TREE_INSIDE_H
#define SYNOD_ENGINE_TREE_INSIDE_H

#include "engine/tree/node.h"
#include "engine/tree/tree.h"

/* More is not a tree: with the longest keys and 8-KiB pages, three children a node, 3^16 leaves. */
#define TREE_HEIGHT_MAX 16

/* Prefetched beyond the leaf that is walked. */
#define WALK_AHEAD 16

struct tree {
    struct volume *volume;
    struct scope *scope;
    struct tree_root root;
    uint32_t bytes;   /* of a page's body */
    uint64_t changes; /* calls that changed it */
    bool temporary;
    uint8_t *
        thin; /* a key of a leaf that could not be merged, for its neighbour was not in memory; NULL = never any */
    size_t thin_size;
    bool has_thin;
};

/* How to go down. */
enum way_to {
    TO_KEY,    /* the leaf whose range holds the key */
    TO_BEFORE, /* the leaf whose range holds what is right below the key */
    TO_FIRST,
    TO_LAST,
};

/* The nodes on the way from the root (step[0]) down to `level`; good until the fiber yields. */
struct way {
    uint32_t steps;
    struct step {
        uint64_t number;
        const struct node *node;
        uint32_t child; /* which was taken; of the last step: undefined */
    } step[TREE_HEIGHT_MAX];
};

/* Goes down to `level` (0 = a leaf). On TREE_MISSING and TREE_DAMAGED *missing is the page, and the way's steps are those
 * above it. Requires a tree that is not empty. Does not yield.
 *
 * `strict`: compares each node's fences with its parent's keys every time, not only when it came into memory. Who changes
 * nodes needs that, for a damaged tree may lead to one page by two ways. */
enum tree_answer tree_descend(struct tree *tree, struct bytes key, enum way_to to, uint32_t level,
                              bool strict, struct way *way, uint64_t *missing);

/* The range of child `index` of a node (NULL: of a root); views of the node and of `room` (FENCES_ROOM). */
#define FENCES_ROOM (2 * TREE_KEY_BYTES_MAX)
struct fences tree_child_fences(const struct node *node, uint32_t index, uint8_t *room);

/* A child (or, without parent, the root) if it is cached, is `level` and covers its range; or what keeps it from being
 * used. */
enum tree_answer tree_child(struct tree *tree, const struct node *parent, uint32_t index, uint64_t number,
                            uint32_t level, bool strict, const struct node **node);

static inline struct tree_value tree_value_of(const struct cell *cell)
{
    struct tree_value value = {.inside = cell->value, .extent = PAGE_NONE, .size = cell->value.size};
    if (cell->extent) {
        memcpy(&value.extent, cell->value.data, sizeof value.extent);
        memcpy(&value.size, cell->value.data + sizeof value.extent, sizeof value.size);
        value.inside = bytes_of(NULL, 0);
    }
    return value;
}

/* XX001. */
enum sqlstate tree_damaged(const struct tree *tree, uint64_t number, struct error *error);

/* ---- apply.c ---- */

/* Pages that one change may need anew, at most: a leaf falls into up to six, each level above gets one or two more. */
static inline uint32_t pages_for_change(const struct tree *tree)
{
    return 8 + 2 * tree->root.height;
}

/* Pages that tree_balance() may need: copies of a neighbour a level, and of the way. */
static inline uint32_t pages_for_balance(const struct tree *tree)
{
    return 2 * (tree->root.height + 2);
}

/* Makes a page on a changeable way changeable, too; *number is the new one. Requires: it is cached, and room. */
struct node *tree_make_changeable(struct tree *tree, uint64_t *number);

/* The node at `level` on the way to the key, changeable, as are all above it; pinned by nobody. Requires: all of them are
 * cached and sound, and room. */
struct node *tree_changeable(struct tree *tree, struct bytes key, uint32_t level, uint64_t *number);

/* Makes a page, not pinned. Requires room. */
struct node *tree_new_node(struct tree *tree, uint64_t *number);

/* ---- balance.c ---- */

/* Merges what is thin on the way to the key, as far as neighbours are in memory; *missing is a page that is not
 * (TREE_MISSING). Requires pages_for_balance(). Does not yield. */
enum tree_answer tree_balance(struct tree *tree, struct bytes key, uint64_t *missing);

#endif
