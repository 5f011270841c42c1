/* Dropping a tree: its pages are looked up first, which takes as long as it takes, and freed at one moment. A commit
 * meanwhile still has the whole tree; none has a part of it. */
#include "engine/tree/inside.h"

#include "base/fiber.h"
#include "base/scope.h"
#include "base/world.h"

/* Pages between two yields. */
#define PAGES_PER_TURN 256

struct drop {
    struct tree *tree;
    struct page_set *pages;
    uint64_t visited;
    enum sqlstate damaged; /* the first page that could not be read */
    struct error *error;
};

/* Adds pages to those to be freed, up to the first that cannot be one; *news false when one of them was there already. In a
 * damaged tree both happen: neither may be walked twice, or the walk might not end. */
static enum sqlstate mark(struct drop *drop, uint64_t first, size_t pages, bool *news)
{
    bool added;
    *news = true;
    for (size_t i = 0; i < pages && *news; i++) {
        enum sqlstate failed = page_set_add(drop->pages, first + i, &added, drop->error);
        if (failed && failed != SQLSTATE_DATA_CORRUPTED)
            return failed;
        *news = !failed && added;
    }
    if (!*news)
        drop->damaged = tree_damaged(drop->tree, first, drop->error);
    return SQLSTATE_OK;
}

static enum sqlstate mark_subtree(struct drop *drop, uint64_t number, uint32_t level);

static enum sqlstate mark_below(struct drop *drop, const struct node *node)
{
    enum sqlstate failed = SQLSTATE_OK;
    bool news;
    for (uint32_t i = 0; i < node->count && !failed; i++) {
        uint64_t ahead[WALK_AHEAD];
        size_t count = 0;
        if (node->level) {
            for (; i % WALK_AHEAD == 0 && count < WALK_AHEAD && i + count < node->count; count++)
                ahead[count] = node_child(node, i + (uint32_t)count);
            if (node->level > 1 || drop->tree->root.extents)
                volume_prefetch(drop->tree->volume, ahead, count);
            failed = mark_subtree(drop, node_child(node, i), node->level - 1U);
            continue;
        }
        struct cell cell = node_cell(node, i);
        struct tree_value value = tree_value_of(&cell);
        if (cell.extent)
            failed = mark(drop, value.extent, volume_extent_pages(drop->tree->volume, value.size), &news);
    }
    return failed;
}

/* Pages that cannot be read, or not be understood, are freed alone; what is below them stays in use. */
static enum sqlstate mark_subtree(struct drop *drop, uint64_t number, uint32_t level)
{
    struct tree *tree = drop->tree;
    struct page *page;
    bool news;
    enum sqlstate failed = mark(drop, number, 1, &news);
    if (failed || !news || (level == 0 && tree->root.extents == 0))
        return failed;
    if (++drop->visited % PAGES_PER_TURN == 0)
        fiber_yield(volume_world(tree->volume)->scheduler);
    failed = volume_read(tree->volume, number, &page, drop->error);
    if (failed == SQLSTATE_DATA_CORRUPTED || failed == SQLSTATE_IO_ERROR) {
        drop->damaged = failed;
        return SQLSTATE_OK;
    }
    if (failed)
        return failed;
    const struct node *node = (const struct node *)page->body;
    if (node_fault(node, tree->bytes) || node->level != level)
        drop->damaged = tree_damaged(tree, number, drop->error);
    else
        failed = mark_below(drop, node);
    volume_unpin(tree->volume, page);
    return failed;
}

enum sqlstate tree_drop(struct tree *tree, struct error *error)
{
    if (tree->root.height == 0)
        return SQLSTATE_OK;
    struct scope *scope = scope_open(tree->scope, "tree drop");
    struct drop drop = {.tree = tree, .pages = page_set_open(scope, tree->volume), .error = error};
    enum sqlstate failed = tree->root.height > TREE_HEIGHT_MAX
                               ? tree_damaged(tree, tree->root.page, error)
                               : mark_subtree(&drop, tree->root.page, tree->root.height - 1);
    if (!failed) {
        volume_free_set(tree->volume, drop.pages);
        tree->root = (struct tree_root){0};
        tree->has_thin = false;
        tree->changes++;
    }
    scope_close(scope);
    return failed ? failed : drop.damaged;
}
