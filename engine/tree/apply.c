/* Changes to a leaf, and the splits they cause.
 *
 * First everything that may wait: the pages on the way to the leaf are brought in, and room for new ones is made. Then, in
 * one stretch, changes are pulled and made, until the leaf has had all of its own or the room is used up. The way is made
 * changeable when the first change is there, so that a call that finds none copies nothing.
 *
 * A leaf that is full is split in two at the middle of its bytes; at its end when the newcomer goes there, so that rising
 * keys leave full leaves behind. When rows or separators are so long that two pages will not do, it becomes several. The
 * separators go into the parent, which may split in turn. */
#include "engine/tree/inside.h"

#include "base/check.h"
#include "base/fiber.h"
#include "base/scope.h"
#include "base/world.h"

/* Changes go on while there is room for one more; so much is made beyond what one needs. */
#define ROOM_BEYOND 16

/* Pieces a node may fall into: any two neighbours hold more than a page less its fences. */
#define PIECES_MAX 8

/* ---- changeable nodes ---- */

struct node *tree_make_changeable(struct tree *tree, uint64_t *number)
{
    struct page *page = volume_find(tree->volume, *number);
    check(page, "a page on the way has left the cache");
    page = volume_write(tree->volume, page);
    *number = page->number;
    struct node *node = (struct node *)page->body;
    volume_unpin(tree->volume, page);
    return node;
}

struct node *tree_changeable(struct tree *tree, struct bytes key, uint32_t level, uint64_t *number)
{
    struct node *node = tree_make_changeable(tree, &tree->root.page);
    *number = tree->root.page;
    for (uint32_t at = tree->root.height - 1; at > level; at--) {
        uint32_t index = node_search_child(node, node_suffix(node, key));
        uint64_t child = node_child(node, index);
        *number = child;
        struct node *below = tree_make_changeable(tree, number);
        if (*number != child)
            node_set_child(node, index, *number);
        node = below;
    }
    return node;
}

struct node *tree_new_node(struct tree *tree, uint64_t *number)
{
    struct page *page;
    struct error error;
    enum sqlstate failed = tree->temporary ? volume_new_temporary(tree->volume, &page, &error)
                                           : volume_new(tree->volume, &page, &error);
    check(!failed, "no room was made for a page");
    *number = page->number;
    struct node *node = (struct node *)page->body;
    volume_unpin(tree->volume, page);
    tree->root.pages++;
    return node;
}

/* ---- splitting ---- */

/* The entries of a node with one more among them (in place of `dropped` of its own). */
struct line {
    const struct node *node;
    uint32_t count;   /* with the newcomer */
    uint32_t at;      /* the newcomer's place */
    uint32_t dropped; /* 0 or 1 entries of the node at `at` that it replaces */
    struct bytes key;
    struct bytes value;
    bool extent;
};

static struct bytes line_key(const struct line *line, uint32_t index, uint8_t *room)
{
    if (index == line->at)
        return line->key;
    return node_key(line->node, index < line->at ? index : index - 1 + line->dropped, room);
}

/* Bytes of an entry with its whole key. */
static size_t line_bytes(const struct line *line, uint32_t index)
{
    if (index == line->at)
        return entry_bytes(line->key.size, line->value.size);
    uint32_t own = index < line->at ? index : index - 1 + line->dropped;
    return sizeof(struct node_entry) + node_entries(line->node)[own].size + line->node->prefix;
}

static void line_append(const struct line *line, struct node *to, uint32_t from, uint32_t until)
{
    for (uint32_t i = from; i < until; i++) {
        uint32_t own = i < line->at ? i : i - 1 + line->dropped;
        if (i == line->at)
            node_append_key(to, line->key, line->value, line->extent);
        else
            node_append(to, line->node, own, own + 1);
    }
}

/* Bytes of a node with entries [from, until) between those fences, `whole` being their bytes with whole keys. */
static size_t piece_bytes(const struct fences *fences, size_t whole, uint32_t entries)
{
    return fences_bytes(fences) + whole - entries * fences_prefix(fences);
}

/* Where pieces begin; the last one ends with the line. */
struct cuts {
    uint32_t pieces;
    uint32_t begin[PIECES_MAX + 1];
};

static struct bytes cut_key(const struct line *line, uint32_t at, uint8_t *room)
{
    return separator(line->node->level, line_key(line, at - 1, room),
                     line_key(line, at, room + TREE_KEY_BYTES_MAX));
}

/* Whether entries [from, until) fit into a page. `rooms` is FENCES_ROOM twice. */
static bool piece_fits(const struct tree *tree, const struct line *line, uint32_t from, uint32_t until,
                       uint8_t *rooms)
{
    struct fences fences = node_fences(line->node);
    size_t whole = 0;
    if (from > 0)
        fences.lower = cut_key(line, from, rooms);
    if (until < line->count) {
        fences.upper = cut_key(line, until, rooms + FENCES_ROOM);
        fences.open = false;
    }
    for (uint32_t i = from; i < until; i++)
        whole += line_bytes(line, i);
    return piece_bytes(&fences, whole, until - from) <= tree->bytes;
}

/* The best place to cut the line in two: the middle of its bytes, or right before a newcomer at its end. */
static uint32_t middle_of(const struct line *line)
{
    size_t total = 0, left = 0;
    uint32_t at = 0;
    if (line->at == line->count - 1 && !line->dropped)
        return line->at;
    for (uint32_t i = 0; i < line->count; i++)
        total += line_bytes(line, i);
    while (at + 1 < line->count && left + line_bytes(line, at) / 2 < total / 2)
        left += line_bytes(line, at++);
    return at ? at : 1;
}

/* In two, or if that does not do, as many entries as go into each page from the left. */
static void cut(const struct tree *tree, const struct line *line, struct cuts *cuts, uint8_t *rooms)
{
    uint32_t middle = middle_of(line);
    *cuts = (struct cuts){.pieces = 2, .begin = {0, middle}};
    if (piece_fits(tree, line, 0, middle, rooms) && piece_fits(tree, line, middle, line->count, rooms))
        return;
    cuts->pieces = 0;
    for (uint32_t from = 0; from < line->count;) {
        uint32_t until = line->count;
        while (until > from + 1 && !piece_fits(tree, line, from, until, rooms))
            until--;
        check(cuts->pieces < PIECES_MAX, "a node falls into too many pieces");
        cuts->begin[cuts->pieces++] = from;
        from = until;
    }
}

/* Distributes the line over the node and new ones; gives how many new ones. (Not part of split(), whose frame is on the
 * stack once a level.) */
static __attribute__((noinline)) uint32_t divide(struct tree *tree, struct node *node, struct line *line,
                                                 const struct node **pieces, uint64_t *numbers)
{
    uint8_t rooms[2 * FENCES_ROOM];
    struct cuts cuts;
    struct node *old = (struct node *)volume_scratch(tree->volume, 1);
    memcpy(old, node, tree->bytes);
    line->node = old;
    cut(tree, line, &cuts, rooms);
    for (uint32_t i = 0; i < cuts.pieces; i++) {
        struct fences fences = node_fences(old);
        uint32_t from = cuts.begin[i], until = i + 1 < cuts.pieces ? cuts.begin[i + 1] : line->count;
        if (from > 0)
            fences.lower = cut_key(line, from, rooms);
        if (until < line->count) {
            fences.upper = cut_key(line, until, rooms + FENCES_ROOM);
            fences.open = false;
        }
        struct node *piece = i ? tree_new_node(tree, &numbers[i - 1]) : node;
        node_make(piece, tree->bytes, old->level, &fences);
        line_append(line, piece, from, until);
        if (i)
            pieces[i - 1] = piece;
    }
    return cuts.pieces - 1;
}

static void insert_child(struct tree *tree, uint32_t level, struct bytes key, uint64_t child);

/* Splits a node, putting the newcomer in; then tells the parent of the new nodes. (Splits of parents use the same scratch
 * memory again: by then it is not needed any more.) */
static void split(struct tree *tree, struct node *node, struct line *line)
{
    const struct node *pieces[PIECES_MAX];
    uint64_t numbers[PIECES_MAX];
    uint32_t count = divide(tree, node, line, pieces, numbers);
    for (uint32_t i = 0; i < count; i++)
        insert_child(tree, pieces[i]->level + 1U, node_fences(pieces[i]).lower, numbers[i]);
}

/* The root becomes a child of a new one. */
static void root_grow(struct tree *tree)
{
    uint64_t number, child = tree->root.page;
    struct fences all = {.lower = bytes_of(NULL, 0), .upper = bytes_of(NULL, 0), .open = true};
    check(tree->root.height < TREE_HEIGHT_MAX);
    struct node *root = tree_new_node(tree, &number);
    node_make(root, tree->bytes, tree->root.height, &all);
    node_append_key(root, bytes_of(NULL, 0), bytes_of(&child, sizeof child), false);
    tree->root.page = number;
    tree->root.height++;
}

/* Puts an entry into a node, splitting it when it is full. */
static void put(struct tree *tree, struct node *node, struct line *line)
{
    uint8_t *scratch = volume_scratch(tree->volume, 0);
    struct cell cell = {.suffix = node_suffix(node, line->key), .value = line->value, .extent = line->extent};
    bool done = line->dropped ? node_replace(node, tree->bytes, line->at, line->value, line->extent, scratch)
                              : node_insert(node, tree->bytes, line->at, &cell, scratch);
    if (done)
        return;
    if (node->level + 1U == tree->root.height)
        root_grow(tree);
    line->count = node->count + 1U - line->dropped;
    split(tree, node, line);
}

static void insert_child(struct tree *tree, uint32_t level, struct bytes key, uint64_t child)
{
    uint64_t number;
    bool equal;
    struct node *node = tree_changeable(tree, key, level, &number);
    uint32_t at = node_search(node, node_suffix(node, key), &equal);
    check(!equal);
    struct line line = {.at = at, .key = key, .value = bytes_of(&child, sizeof child)};
    put(tree, node, &line);
}

/* ---- changes ---- */

static void value_leave(struct tree *tree, const struct tree_value *value, enum tree_replace how)
{
    if (value->extent == PAGE_NONE)
        return;
    size_t pages = volume_extent_pages(tree->volume, value->size);
    tree->root.extents--;
    if (how == TREE_REPLACE)
        volume_extent_free(tree->volume, value->extent, pages);
    else if (!tree->temporary)
        volume_extent_loosen(tree->volume, value->extent, pages);
}

/* Inserts or replaces. */
static void set(struct tree *tree, struct node *leaf, uint32_t at, bool there,
                const struct tree_change *change)
{
    uint8_t extent[EXTENT_BYTES];
    struct line line = {.at = at, .dropped = there, .key = change->key, .value = change->value};
    check(change->key.size <= tree_key_bytes_max(tree));
    if (change->extent != PAGE_NONE) {
        memcpy(extent, &change->extent, sizeof change->extent);
        memcpy(extent + sizeof change->extent, &change->extent_size, sizeof change->extent_size);
        line.value = bytes_of(extent, sizeof extent);
        line.extent = true;
        tree->root.extents++;
        if (!tree->temporary)
            volume_extent_keep(tree->volume, change->extent,
                               volume_extent_pages(tree->volume, change->extent_size));
    }
    check(line.value.size <= tree_inside_bytes_max(tree), "a value too large for a page");
    tree->root.rows += !there;
    put(tree, leaf, &line);
}

/* Makes one change, if the merge wants it. */
static void change_one(struct tree *tree, const struct tree_merge *merge, const struct tree_change *change)
{
    uint64_t number;
    bool there;
    struct tree_value old;
    struct node *leaf = tree_changeable(tree, change->key, 0, &number);
    uint32_t at = node_search(leaf, node_suffix(leaf, change->key), &there);
    if (there) {
        struct cell cell = node_cell(leaf, at);
        old = tree_value_of(&cell);
    }
    enum tree_replace how = merge->replaces(merge->argument, change, there ? &old : NULL);
    if (how == TREE_LEAVE)
        return;
    if (!change->remove) {
        struct tree_value left = there ? old : (struct tree_value){0};
        set(tree, leaf, at, there, change);
        value_leave(tree, &left, how);
    } else if (there) {
        value_leave(tree, &old, how);
        node_remove(leaf, at);
        tree->root.rows--;
    }
}

/* The least key above `key`, in `key`'s own memory (TREE_KEY_BYTES_MAX); false when there is none. */
static bool next_key(uint8_t *key, size_t *size)
{
    if (*size < TREE_KEY_BYTES_MAX) {
        key[(*size)++] = 0;
        return true;
    }
    while (*size && key[*size - 1] == 0xff)
        --*size;
    if (*size)
        key[*size - 1]++;
    return *size;
}

static void root_plant(struct tree *tree)
{
    struct fences all = {.lower = bytes_of(NULL, 0), .upper = bytes_of(NULL, 0), .open = true};
    struct node *leaf = tree_new_node(tree, &tree->root.page);
    node_make(leaf, tree->bytes, 0, &all);
    tree->root.height = 1;
}

/* Remembers that a leaf is thin and its neighbour not in memory. */
static void remember_thin(struct tree *tree, struct bytes key)
{
    if (!tree->thin)
        tree->thin = scope_alloc(tree->scope, TREE_KEY_BYTES_MAX);
    if (key.size)
        memcpy(tree->thin, key.data, key.size);
    tree->thin_size = key.size;
    tree->has_thin = true;
}

/* The stretch without a yield. `bound` is the leaf's upper fence, then where to go on from. */
static void apply_all(struct tree *tree, uint32_t room, const struct tree_merge *merge, uint8_t *bound,
                      size_t *bound_size, bool *last)
{
    struct tree_change change;
    uint8_t leaf_bound[TREE_KEY_BYTES_MAX];
    struct bytes end = bytes_of(leaf_bound, *bound_size);
    uint64_t missing, pages = tree->root.pages;
    struct bytes done = bytes_of(NULL, 0); /* the key changed last */
    bool open = *last, changed = false;
    if (end.size)
        memcpy(leaf_bound, bound, end.size);
    for (;;) {
        uint64_t made = tree->root.pages - pages + (changed ? tree->root.height : 0);
        if (changed && room - made < pages_for_change(tree)) {
            if (done.size)
                memcpy(bound, done.data, done.size);
            *bound_size = done.size;
            *last = !next_key(bound, bound_size);
            break;
        }
        if (!merge->next(merge->argument, end, open, &change))
            break;
        if (tree->root.height == 0)
            root_plant(tree);
        if (!changed)
            tree->changes++;
        changed = true;
        change_one(tree, merge, &change);
        done = change.key;
    }
    if (changed && tree->root.height > 0 && tree_balance(tree, done, &missing) == TREE_MISSING)
        remember_thin(tree, done);
}

/* ---- the call ---- */

static uint32_t pages_for_apply(const struct tree *tree)
{
    return tree->root.height + pages_for_change(tree) + ROOM_BEYOND;
}

/* Brings the way to the key in and makes room for changes and balancing; both are there until the next yield. */
static enum sqlstate prepare(struct tree *tree, struct bytes key, struct way *way, struct error *error)
{
    for (;;) {
        uint64_t missing;
        if (tree->root.height > TREE_HEIGHT_MAX)
            return tree_damaged(tree, tree->root.page, error);
        enum sqlstate failed =
            volume_make_room(tree->volume, pages_for_apply(tree) + pages_for_balance(tree), error);
        if (failed || tree->root.height == 0)
            return failed;
        switch (tree_descend(tree, key, TO_KEY, 0, true, way, &missing)) {
        case TREE_FOUND:
            return SQLSTATE_OK;
        case TREE_MISSING:
            failed = tree_fetch(tree, missing, error);
            break;
        case TREE_ABSENT:
        case TREE_DAMAGED:
            return tree_damaged(tree, missing, error);
        }
        if (failed)
            return failed;
    }
}

/* Merges the leaf that was left thin. What keeps it from that is no failure of the change to come. */
static void tidy(struct tree *tree)
{
    struct error error;
    struct way way;
    uint8_t room[TREE_KEY_BYTES_MAX];
    struct bytes key = bytes_of(room, tree->thin_size);
    uint64_t missing;
    if (key.size)
        memcpy(room, tree->thin, key.size);
    tree->has_thin = false;
    while (tree->root.height > 0 && prepare(tree, key, &way, &error) == SQLSTATE_OK) {
        if (tree_balance(tree, key, &missing) != TREE_MISSING || tree_fetch(tree, missing, &error))
            break;
    }
}

enum sqlstate tree_apply(struct tree *tree, struct bytes from, const struct tree_merge *merge, uint8_t *bound,
                         size_t *bound_size, bool *last, struct error *error)
{
    struct way way;
    struct scheduler *scheduler = volume_world(tree->volume)->scheduler;
    if (tree->has_thin)
        tidy(tree);
    enum sqlstate failed = prepare(tree, from, &way, error);
    if (failed)
        return failed;
    fiber_still_begin(scheduler);
    struct fences fences = {.upper = bytes_of(NULL, 0), .open = true};
    if (tree->root.height > 0)
        fences = node_fences(way.step[way.steps - 1].node);
    if (fences.upper.size)
        memcpy(bound, fences.upper.data, fences.upper.size);
    *bound_size = fences.upper.size;
    *last = fences.open;
    apply_all(tree, pages_for_apply(tree), merge, bound, bound_size, last);
    fiber_still_end(scheduler);
    return SQLSTATE_OK;
}
