/* Filling an empty tree from sorted rows, bottom up.
 *
 * Each level gathers entries until they fill a page, makes the page, and hands its lower fence and number to the level
 * above. What a page will hold is known only when the key behind it is: that decides its upper fence, hence the prefix,
 * hence the size of all its keys. So keys are gathered whole. Should the key behind shorten the prefix so much that the
 * entries do not fit any more, the page takes as many as do, and the rest begins the next one.
 *
 * Pages are temporary until the last one is there: a commit meanwhile knows nothing of the tree. They are written early,
 * in the order they were made, which is that of their places where the file has room. */
#include "engine/tree/inside.h"

#include "base/check.h"
#include "base/fiber.h"
#include "base/scope.h"
#include "base/world.h"

/* Memory for gathered entries, in pages: keys may share three quarters of their bytes and still fill pages. */
#define ARENA_PAGES 4

/* Leaves between two yields: about a millisecond. */
#define LEAVES_PER_TURN 8

struct item {
    uint32_t at; /* of the key in the arena; the value stands behind it */
    uint16_t key;
    uint16_t value;
    bool extent;
};

/* Entries gathered for the next page of a level. */
struct level {
    uint32_t number; /* 0 = leaves */
    uint8_t *arena;
    uint32_t arena_used, arena_bytes;
    struct item *items;
    uint32_t count, room;
    size_t whole; /* bytes of the entries with whole keys */
    uint64_t pages;
    uint64_t first_page;
    struct bytes lower; /* of the next page; view of lower_room */
    uint8_t lower_room[TREE_KEY_BYTES_MAX];
};

struct load {
    struct tree *tree;
    struct scope *scope;
    struct page_set *pages; /* all that were made, extents', too */
    size_t fill;            /* bytes of a page to be used */
    struct level *levels[TREE_HEIGHT_MAX];
    struct tree_root root;
    uint32_t leaves;
};

/* ---- items ---- */

static struct bytes item_key(const struct level *level, uint32_t index)
{
    return bytes_of(level->arena + level->items[index].at, level->items[index].key);
}

static struct bytes item_value(const struct level *level, uint32_t index)
{
    const struct item *item = &level->items[index];
    return bytes_of(level->arena + item->at + item->key, item->value);
}

static enum sqlstate level_open(struct load *load, uint32_t index, struct error *error)
{
    void *arena, *items;
    struct level *level = scope_alloc_zeroed(load->scope, sizeof *level);
    uint32_t bytes = ARENA_PAGES * load->tree->bytes;
    level->number = index;
    level->arena_bytes = bytes;
    level->room = bytes / sizeof(struct node_entry);
    enum sqlstate failed = scope_alloc_large(load->scope, bytes, 16, &arena, error);
    if (!failed)
        failed = scope_alloc_large(load->scope, level->room * sizeof *level->items, 16, &items, error);
    if (failed)
        return failed;
    level->arena = arena;
    level->items = items;
    level->lower = bytes_of(level->lower_room, 0);
    load->levels[index] = level;
    return SQLSTATE_OK;
}

/* Takes the first `count` items out. */
static void drop_items(struct level *level, uint32_t count)
{
    uint32_t cut = count < level->count ? level->items[count].at : level->arena_used;
    for (uint32_t i = 0; i < count; i++)
        level->whole -= entry_bytes(level->items[i].key, level->items[i].value);
    memmove(level->arena, level->arena + cut, level->arena_used - cut);
    memmove(level->items, level->items + count, (level->count - count) * sizeof *level->items);
    level->arena_used -= cut;
    level->count -= count;
    for (uint32_t i = 0; i < level->count; i++)
        level->items[i].at -= cut;
}

/* ---- pages ---- */

/* Fences of a page of the first `count` items when `behind` follows (NULL: nothing ever). */
static struct fences fences_of(const struct level *level, uint32_t count, const struct bytes *behind)
{
    struct fences fences = {.lower = level->lower, .upper = bytes_of(NULL, 0), .open = true};
    struct bytes next = count < level->count ? item_key(level, count) : behind ? *behind : fences.upper;
    if (count < level->count || behind) {
        fences.upper = separator(level->number, item_key(level, count - 1), next);
        fences.open = false;
    }
    return fences;
}

static size_t page_bytes(const struct level *level, uint32_t count, size_t whole, const struct bytes *behind)
{
    struct fences fences = fences_of(level, count, behind);
    return fences_bytes(&fences) + whole - count * fences_prefix(&fences);
}

static enum sqlstate add(struct load *load, uint32_t index, struct bytes key, struct bytes value, bool extent,
                         struct error *error);

/* Makes a page of the first `count` items and tells the level above. */
static enum sqlstate emit(struct load *load, uint32_t index, uint32_t count, const struct bytes *behind,
                          struct error *error)
{
    struct tree *tree = load->tree;
    struct level *level = load->levels[index];
    struct page *page;
    bool added;
    enum sqlstate failed = volume_new_temporary(tree->volume, &page, error);
    if (failed)
        return failed;
    uint64_t number = page->number;
    struct node *node = (struct node *)page->body;
    struct fences fences = fences_of(level, count, behind);
    node_make(node, tree->bytes, index, &fences);
    for (uint32_t i = 0; i < count; i++)
        node_append_key(node, item_key(level, i), item_value(level, i), level->items[i].extent);
    volume_unpin(tree->volume, page);
    failed = page_set_add(load->pages, number, &added, error);
    if (failed) { /* nobody else knows it */
        volume_free_number(tree->volume, number);
        return failed;
    }
    load->root.pages++;
    if (level->pages++ == 0)
        level->first_page = number;
    if (index + 1 == TREE_HEIGHT_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a tree cannot be higher than %d",
                         TREE_HEIGHT_MAX);
    failed = add(load, index + 1, level->lower, bytes_of(&number, sizeof number), false, error);
    if (failed)
        return failed;
    level->lower = bytes_of(level->lower_room, fences.upper.size);
    if (fences.upper.size)
        memmove(level->lower_room, fences.upper.data, fences.upper.size);
    drop_items(level, count);
    if (index == 0 && ++load->leaves % LEAVES_PER_TURN == 0)
        fiber_yield(volume_world(tree->volume)->scheduler);
    return SQLSTATE_OK;
}

/* Makes pages until those items that are left, if any, fit into one; of all items when nothing comes behind. */
static enum sqlstate flush(struct load *load, uint32_t index, const struct bytes *behind, struct error *error)
{
    struct level *level = load->levels[index];
    enum sqlstate failed = SQLSTATE_OK;
    for (bool first = true; !failed && level->count > 0 && (first || !behind); first = false) {
        uint32_t count = level->count;
        size_t whole = level->whole;
        while (count > 1 && page_bytes(level, count, whole, behind) > load->tree->bytes) {
            count--;
            whole -= entry_bytes(level->items[count].key, level->items[count].value);
        }
        failed = emit(load, index, count, behind, error);
    }
    return failed;
}

/* Whether the page would be as full as it should be before this entry came. */
static bool is_full(const struct load *load, const struct level *level, struct bytes key, size_t value)
{
    if (level->count == 0)
        return false;
    if (level->count == level->room || level->arena_used + key.size + value > level->arena_bytes)
        return true;
    /* With the newcomer as its last key, the page would share this much at most. */
    size_t whole = level->whole + entry_bytes(key.size, value);
    size_t prefix = shared_bytes(level->lower, key);
    size_t bytes = NODE_HEADER_BYTES + level->lower.size + key.size + 8 + whole - (level->count + 1) * prefix;
    return bytes > load->fill;
}

static enum sqlstate add(struct load *load, uint32_t index, struct bytes key, struct bytes value, bool extent,
                         struct error *error)
{
    enum sqlstate failed = load->levels[index] ? SQLSTATE_OK : level_open(load, index, error);
    while (!failed && is_full(load, load->levels[index], key, value.size))
        failed = flush(load, index, &key, error);
    if (failed)
        return failed;
    struct level *level = load->levels[index];
    level->items[level->count++] = (struct item){
        .at = level->arena_used, .key = (uint16_t)key.size, .value = (uint16_t)value.size, .extent = extent};
    if (key.size)
        memcpy(level->arena + level->arena_used, key.data, key.size);
    if (value.size)
        memcpy(level->arena + level->arena_used + key.size, value.data, value.size);
    level->arena_used += (uint32_t)(key.size + value.size);
    level->whole += entry_bytes(key.size, value.size);
    return SQLSTATE_OK;
}

/* Makes the last pages of all levels, up to the root. */
static enum sqlstate finish(struct load *load, struct error *error)
{
    for (uint32_t index = 0; load->levels[index]; index++) {
        enum sqlstate failed = flush(load, index, NULL, error);
        if (failed)
            return failed;
        if (load->levels[index]->pages == 1) {
            load->root.page = load->levels[index]->first_page;
            load->root.height = index + 1;
            break;
        }
    }
    return SQLSTATE_OK;
}

/* ---- rows ---- */

/* Writes a value into an extent; `place` (EXTENT_BYTES) is what the leaf keeps. */
static enum sqlstate write_extent(struct load *load, struct bytes value, uint8_t *place, struct error *error)
{
    struct volume *volume = load->tree->volume;
    uint64_t first, size = value.size;
    size_t pages = volume_extent_pages(volume, size);
    bool added;
    enum sqlstate failed = volume_extent_new(volume, pages, &first, error);
    if (failed)
        return failed;
    for (size_t i = 0; i < pages && !failed; i++)
        failed = page_set_add(load->pages, first + i, &added, error);
    if (failed) {
        volume_extent_free(volume, first, pages);
        return failed;
    }
    load->root.extents++;
    memcpy(place, &first, sizeof first);
    memcpy(place + sizeof first, &size, sizeof size);
    return volume_extent_write(volume, load->scope, first, 0, value, error);
}

static enum sqlstate add_row(struct load *load, struct bytes key, struct bytes value, struct error *error)
{
    uint8_t place[EXTENT_BYTES];
    struct level *leaf = load->levels[0];
    bool large = value.size > tree_inside_bytes_max(load->tree);
    enum sqlstate failed = SQLSTATE_OK;
    check(key.size <= tree_key_bytes_max(load->tree));
    if (leaf && leaf->count && bytes_compare(item_key(leaf, leaf->count - 1), key) >= 0)
        return error_set(error, SQLSTATE_DATA_EXCEPTION,
                         "rows to be loaded are not in ascending order of keys");
    if (large)
        failed = write_extent(load, value, place, error);
    if (!failed)
        failed = add(load, 0, key, large ? bytes_of(place, sizeof place) : value, large, error);
    load->root.rows++;
    return failed;
}

static enum sqlstate load_all(struct load *load, const struct tree_source *source, struct error *error)
{
    for (;;) {
        struct bytes key, value;
        bool end = false;
        enum sqlstate failed = source->next(source->argument, &key, &value, &end, error);
        if (failed)
            return failed;
        if (end)
            return finish(load, error);
        failed = add_row(load, key, value, error);
        if (failed)
            return failed;
    }
}

enum sqlstate tree_load(struct tree *tree, const struct tree_source *source, uint32_t fill,
                        struct error *error)
{
    check(tree->root.height == 0, "a tree that is loaded must be empty");
    check(fill >= 10 && fill <= 100);
    struct scope *scope = scope_open(tree->scope, "tree load");
    struct load *load = scope_alloc_zeroed(scope, sizeof *load);
    *load = (struct load){.tree = tree,
                          .scope = scope,
                          .pages = page_set_open(scope, tree->volume),
                          .fill = (size_t)tree->bytes * fill / 100};
    enum sqlstate failed = load_all(load, source, error);
    check(tree->root.height == 0, "a tree was changed while it was loaded");
    if (failed) {
        volume_free_set(tree->volume, load->pages);
    } else {
        if (!tree->temporary)
            volume_keep_set(tree->volume, load->pages);
        tree->root = load->root;
        tree->changes++;
    }
    scope_close(scope);
    return failed;
}
