/* Walking leaf by leaf. The tree may change between two leaves: the next one is found by key, from the root. */
#include "engine/tree/inside.h"

/* Rows are looked at long before the processor's caches have them by themselves: cells lie in the order in which they were
 * written, leaves anywhere. So many cells before its turn one is asked for, and the first bytes of the next leaf when this one is
 * entered. */
#define CELLS_AHEAD     12
#define CACHE_LINE      64
#define LEAF_HEAD_LINES 4

static void ask_for_head(struct tree *tree, uint64_t number)
{
    bool vetted;
    const uint8_t *leaf = volume_peek(tree->volume, number, &vetted);
    for (size_t i = 0; leaf && i < LEAF_HEAD_LINES; i++)
        __builtin_prefetch(leaf + i * CACHE_LINE);
}

/* The cell's first bytes: keys and what conditions mostly ask for lie there. */
static inline void ask_for_cell(const struct node *leaf, uint32_t at)
{
    const uint8_t *cell = (const uint8_t *)leaf + node_entries(leaf)[at].offset;
    __builtin_prefetch(cell);
    __builtin_prefetch(cell + CACHE_LINE);
}

/* Asks for the leaves behind this one, as far as their parent, which is the last step but the leaf, knows them. */
static void read_ahead(struct tree *tree, const struct way *way, bool backward)
{
    uint64_t numbers[WALK_AHEAD];
    size_t count = 0;
    const struct step *step = NULL;
    for (uint32_t i = 0; i < way->steps; i++) {
        if (way->step[i].node->level == 1)
            step = &way->step[i];
    }
    if (!step)
        return;
    uint32_t at = step->child;
    while (count < WALK_AHEAD && (backward ? at > 0 : at + 1U < step->node->count)) {
        at += backward ? -1U : 1U;
        numbers[count++] = node_child(step->node, at);
    }
    volume_prefetch(tree->volume, numbers, count);
    if (count)
        ask_for_head(tree, numbers[0]);
}

/* The first entry to visit and how many there are, in order of direction. */
static uint32_t begin_at(const struct node *leaf, const struct tree_walk *walk, uint32_t *count)
{
    bool equal = false;
    uint32_t at = 0;
    bool whole = !walk->backward && !walk->exclusive && walk->from.size == leaf->lower &&
                 bytes_compare(walk->from, node_fences(leaf).lower) == 0;
    if (!walk->at_end && !whole)
        at = node_search(leaf, node_suffix(leaf, walk->from), &equal);
    if (!walk->backward) {
        at += equal && walk->exclusive;
        *count = leaf->count - at;
        return at;
    }
    /* Backward: entries below `at`, and itself when it is wanted. */
    *count = walk->at_end ? leaf->count : at + (equal && !walk->exclusive);
    return *count - 1;
}

/* Whether the leaf is where the walk wants to go on. In a damaged tree two ways may lead to one leaf, and who went on from its
 * bounds might come by for ever. */
static bool goes_on(const struct fences *fences, const struct tree_walk *walk)
{
    if (walk->at_end)
        return walk->backward ? fences->open : fences->lower.size == 0;
    int above_lower = bytes_compare(walk->from, fences->lower);
    int below_upper = fences->open ? -1 : bytes_compare(walk->from, fences->upper);
    if (walk->backward && walk->exclusive)
        return (above_lower > 0 || fences->lower.size == 0) && below_upper <= 0;
    return above_lower >= 0 && below_upper < 0;
}

static void visit_all(const struct node *leaf, struct tree_walk *walk)
{
    uint8_t rooms[2][TREE_KEY_BYTES_MAX];
    uint32_t count, at = begin_at(leaf, walk, &count);
    uint32_t step = walk->backward ? -1U : 1U;
    for (int i = 0; i < 2; i++)
        memcpy(rooms[i], leaf->fences, leaf->prefix); /* of all keys */
    for (uint32_t i = 0; i < count && i < CELLS_AHEAD; i++)
        ask_for_cell(leaf, at + i * step);
    for (; count-- > 0; at += step) {
        if (count >= CELLS_AHEAD)
            ask_for_cell(leaf, at + CELLS_AHEAD * step);
        struct cell cell = node_cell(leaf, at);
        struct tree_value value = tree_value_of(&cell);
        uint8_t *room = rooms[count & 1];
        bytes_copy(room + leaf->prefix, cell.suffix);
        walk->left = count;
        if (!walk->visit(walk->argument, bytes_of(room, leaf->prefix + cell.suffix.size), &value))
            return;
    }
}

enum tree_answer tree_walk_leaf(struct tree *tree, struct tree_walk *walk, uint64_t *missing)
{
    struct way way;
    enum way_to to = walk->at_end                        ? (walk->backward ? TO_LAST : TO_FIRST)
                     : walk->backward && walk->exclusive ? TO_BEFORE
                                                         : TO_KEY;
    walk->bound_size = 0;
    walk->last = true;
    if (tree->root.height == 0)
        return TREE_FOUND;
    enum tree_answer answer = tree_descend(tree, walk->from, to, 0, false, &way, missing);
    if (walk->ahead && (answer == TREE_FOUND || answer == TREE_MISSING))
        read_ahead(tree, &way, walk->backward);
    if (answer != TREE_FOUND)
        return answer;
    const struct node *leaf = way.step[way.steps - 1].node;
    struct fences fences = node_fences(leaf);
    if (!goes_on(&fences, walk)) {
        *missing = way.step[way.steps - 1].number;
        return TREE_DAMAGED;
    }
    struct bytes bound = walk->backward ? fences.lower : fences.upper;
    walk->last = walk->backward ? fences.lower.size == 0 : fences.open;
    if (bound.size)
        memcpy(walk->bound, bound.data, bound.size);
    walk->bound_size = bound.size;
    visit_all(leaf, walk);
    return TREE_FOUND;
}
