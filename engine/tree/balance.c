/* Thin nodes: merged with a neighbour, or filled up from it.
 *
 * A node that is filled by less than a quarter is joined with a neighbour under the same parent: both become one page if
 * they fit into seven eighths of it, else they are cut in two equal halves. Then its parent, which may have lost an entry,
 * is looked at. A root with one child gives way to it; an empty tree has no page. Neighbours that are not in memory are
 * left for later: the caller may not wait. */
#include "engine/tree/inside.h"

#include "base/check.h"

static bool is_thin(const struct node *node, uint32_t bytes)
{
    return node_used(node, bytes) < bytes / 4;
}

/* Bytes of the entries, had they no prefix. */
static size_t whole_bytes(const struct node *node, uint32_t bytes)
{
    size_t cells = (size_t)(bytes - node->cells) - node->garbage;
    return cells + node->count * (sizeof(struct node_entry) + node->prefix);
}

/* Two neighbours: copies of them in scratch memory, and where they stand. */
struct pair {
    struct node *parent;
    uint32_t index; /* of the left one in its parent */
    const struct node *left, *right;
};

/* Both into the left page. */
static void unite(struct tree *tree, const struct pair *pair, const struct fences *fences)
{
    uint64_t left_number = node_child(pair->parent, pair->index);
    uint64_t right_number = node_child(pair->parent, pair->index + 1);
    struct node *node = tree_make_changeable(tree, &left_number);
    node_make(node, tree->bytes, pair->left->level, fences);
    node_append(node, pair->left, 0, pair->left->count);
    node_append(node, pair->right, 0, pair->right->count);
    node_set_child(pair->parent, pair->index, left_number);
    node_remove(pair->parent, pair->index + 1);
    volume_free_number(tree->volume, right_number);
    tree->root.pages--;
}

static struct bytes pair_key(const struct pair *pair, uint32_t at, uint8_t *room)
{
    uint32_t left = pair->left->count;
    return at < left ? node_key(pair->left, at, room) : node_key(pair->right, at - left, room);
}

static size_t pair_bytes(const struct pair *pair, uint32_t at)
{
    uint32_t left = pair->left->count;
    const struct node *node = at < left ? pair->left : pair->right;
    return sizeof(struct node_entry) + node_entries(node)[at < left ? at : at - left].size + node->prefix;
}

/* Adds entries [from, to) of both to a node. */
static void pair_append(const struct pair *pair, struct node *node, uint32_t from, uint32_t to)
{
    uint32_t left = pair->left->count;
    if (from < left)
        node_append(node, pair->left, from, to < left ? to : left);
    if (to > left)
        node_append(node, pair->right, from > left ? from - left : 0, to - left);
}

/* Where two halves of equal bytes meet; *left_bytes gets the left one's. */
static uint32_t half_of(const struct pair *pair, size_t whole, size_t *left_bytes)
{
    uint32_t count = (uint32_t)pair->left->count + pair->right->count, at = 0;
    for (*left_bytes = 0; at + 1 < count && *left_bytes + pair_bytes(pair, at) / 2 < whole / 2; at++)
        *left_bytes += pair_bytes(pair, at);
    return at;
}

/* Cuts both anew in the middle, if all fits then: the separator may be longer than the old one. */
static void level_out(struct tree *tree, const struct pair *pair, size_t whole)
{
    uint8_t rooms[FENCES_ROOM];
    size_t left_bytes;
    uint32_t count = (uint32_t)pair->left->count + pair->right->count, at = half_of(pair, whole, &left_bytes);
    if (at == 0 || at == pair->left->count)
        return;
    struct bytes key = separator(pair->left->level, pair_key(pair, at - 1, rooms),
                                 pair_key(pair, at, rooms + TREE_KEY_BYTES_MAX));
    struct fences left = node_fences(pair->left), right = node_fences(pair->right);
    left.upper = right.lower = key;
    left.open = false;
    size_t old_entry = node_entries(pair->parent)[pair->index + 1].size + sizeof(struct node_entry);
    struct cell cell = {.suffix = node_suffix(pair->parent, key)};
    if (fences_bytes(&left) + left_bytes - at * fences_prefix(&left) > tree->bytes ||
        fences_bytes(&right) + whole - left_bytes - (count - at) * fences_prefix(&right) > tree->bytes ||
        node_room(pair->parent, tree->bytes) + old_entry < entry_bytes(cell.suffix.size, CHILD_BYTES))
        return;
    uint64_t left_number = node_child(pair->parent, pair->index);
    uint64_t right_number = node_child(pair->parent, pair->index + 1);
    struct node *left_node = tree_make_changeable(tree, &left_number);
    struct node *right_node = tree_make_changeable(tree, &right_number);
    node_make(left_node, tree->bytes, pair->left->level, &left);
    node_make(right_node, tree->bytes, pair->right->level, &right);
    pair_append(pair, left_node, 0, at);
    pair_append(pair, right_node, at, count);
    node_set_child(pair->parent, pair->index, left_number);
    node_remove(pair->parent, pair->index + 1);
    cell.value = bytes_of(&right_number, sizeof right_number);
    check(node_insert(pair->parent, tree->bytes, pair->index + 1, &cell, volume_scratch(tree->volume, 0)));
}

/* Joins children `index` and `index + 1` of the node at `level` on the way to the key. Both are cached and sound. */
static void join(struct tree *tree, struct bytes key, uint32_t level, uint32_t index)
{
    uint64_t number;
    bool vetted;
    struct node *parent = tree_changeable(tree, key, level, &number);
    struct pair pair = {.parent = parent, .index = index};
    for (uint32_t i = 0; i < 2; i++) {
        const uint8_t *body = volume_peek(tree->volume, node_child(parent, index + i), &vetted);
        memcpy(volume_scratch(tree->volume, i), body, tree->bytes);
    }
    pair.left = (const struct node *)volume_scratch(tree->volume, 0);
    pair.right = (const struct node *)volume_scratch(tree->volume, 1);
    struct fences fences = node_fences(pair.left), right = node_fences(pair.right);
    fences.upper = right.upper;
    fences.open = right.open;
    size_t whole = whole_bytes(pair.left, tree->bytes) + whole_bytes(pair.right, tree->bytes);
    size_t count = (size_t)pair.left->count + pair.right->count;
    size_t united = fences_bytes(&fences) + whole - count * fences_prefix(&fences);
    if (united <= tree->bytes - tree->bytes / 8)
        unite(tree, &pair, &fences);
    else
        level_out(tree, &pair, whole);
}

/* A root with one child gives way to it. */
static void shrink(struct tree *tree)
{
    for (;;) {
        bool vetted;
        const struct node *root = (const struct node *)volume_peek(tree->volume, tree->root.page, &vetted);
        if (!root || root->count > (tree->root.height > 1))
            return;
        uint64_t former = tree->root.page;
        tree->root.page = tree->root.height > 1 ? node_child(root, 0) : PAGE_NONE;
        tree->root.height--;
        tree->root.pages--;
        volume_free_number(tree->volume, former);
        if (tree->root.height == 0)
            return;
    }
}

enum tree_answer tree_balance(struct tree *tree, struct bytes key, uint64_t *missing)
{
    for (uint32_t level = 0; level + 1 < tree->root.height; level++) {
        struct way way;
        const struct node *neighbour;
        enum tree_answer answer = tree_descend(tree, key, TO_KEY, level, true, &way, missing);
        if (answer != TREE_FOUND)
            return answer;
        if (!is_thin(way.step[way.steps - 1].node, tree->bytes))
            break;
        const struct step *parent = &way.step[way.steps - 2];
        if (parent->node->count == 1)
            continue;
        uint32_t left = parent->child ? parent->child - 1 : 0, other = parent->child ? left : 1;
        *missing = node_child(parent->node, other);
        answer = tree_child(tree, parent->node, other, *missing, level, true, &neighbour);
        if (answer != TREE_FOUND)
            return answer;
        join(tree, key, level + 1, left);
    }
    if (tree->root.height > 0)
        shrink(tree);
    return TREE_FOUND;
}
