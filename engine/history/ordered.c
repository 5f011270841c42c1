/* B+-tree in memory; see ordered.h.
 *
 *     inner   | child 0 | key 1, child 1 | key 2, child 2 | …      child i holds keys k with key i <= k < key
 * i+1 leaf    | head, row | head, row | …                          <-> next leaf
 *
 * Nodes split when full: in the middle, or, when the new key goes to the very end of the tree, behind the
 * last entry, so that rising keys fill leaves. A node goes when its last entry goes; half-empty neighbours
 * are not merged, for histories empty from one end to the other at every checkpoint. Separators are copies,
 * so they outlive the rows they came from. */
#include "engine/history/ordered.h"

#include "base/check.h"

#define NODE_ENTRIES     48
#define CACHE_LINE_BYTES 64
#define HEIGHT_MAX       16 /* 24^16 rows at least */

/* Of a version that is looked at soon: its head and a short row. */
#define VERSION_AHEAD_BYTES 192

struct separator {
    uint16_t size;
    uint8_t key[];
};

struct ordered_node {
    uint16_t count;
    uint8_t level;             /* 0 = leaf */
    struct ordered_node *next; /* leaves only */
    struct ordered_node *prev;
    uint64_t head[NODE_ENTRIES]; /* inner: head[0] is unused */
    union {
        struct history_row *row[NODE_ENTRIES];
        struct ordered_node *child[NODE_ENTRIES];
    };
    struct separator *key[]; /* inner nodes only: NODE_ENTRIES of them, key[0] NULL */
};

/* The way from the root to a leaf: the nodes, and which child was taken in each. */
struct way {
    struct ordered_node *node[HEIGHT_MAX];
    uint32_t slot[HEIGHT_MAX];
    uint32_t depth; /* inner nodes on the way */
};

static uint64_t head_of(struct bytes key)
{
    uint64_t head = 0;
    if (key.size >= 8) {
        memcpy(&head, key.data, 8);
        return __builtin_bswap64(head);
    }
    for (size_t i = 0; i < key.size; i++)
        head |= (uint64_t)key.data[i] << (56 - 8 * i);
    return head;
}

static size_t node_bytes(uint32_t level)
{
    return sizeof(struct ordered_node) + (level ? NODE_ENTRIES * sizeof(struct separator *) : 0);
}

static struct ordered_node *node_new(struct ordered *ordered, uint32_t level)
{
    struct ordered_node *node = slab_alloc(ordered->pool, node_bytes(level));
    node->count = 0;
    node->level = (uint8_t)level;
    node->next = node->prev = NULL;
    return node;
}

static struct separator *separator_new(struct ordered *ordered, struct bytes key)
{
    struct separator *separator = slab_alloc(ordered->pool, sizeof *separator + key.size);
    separator->size = (uint16_t)key.size;
    if (key.size)
        memcpy(separator->key, key.data, key.size);
    return separator;
}

static void separator_free(struct ordered *ordered, struct separator *separator)
{
    if (separator)
        slab_free(ordered->pool, separator, sizeof *separator + separator->size);
}

static struct bytes separator_bytes(const struct separator *separator)
{
    return bytes_of(separator->key, separator->size);
}

/* Order of entry `slot` against the key: <0 when the entry is before it. */
static int compare_at(const struct ordered_node *node, uint32_t slot, uint64_t head, struct bytes key)
{
    if (node->head[slot] != head)
        return node->head[slot] < head ? -1 : 1;
    struct bytes there = node->level ? separator_bytes(node->key[slot]) : history_key(node->row[slot]);
    return bytes_compare(there, key);
}

/* First entry of a leaf that is not before the key; *equal when it is the key. */
static uint32_t leaf_slot(const struct ordered_node *leaf, uint64_t head, struct bytes key, bool *equal)
{
    uint32_t low = 0, high = leaf->count;
    *equal = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare_at(leaf, middle, head, key);
        if (order == 0) {
            *equal = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The child whose range holds the key. */
static uint32_t inner_slot(const struct ordered_node *node, uint64_t head, struct bytes key)
{
    uint32_t low = 1, high = node->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare_at(node, middle, head, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* A search in a node of a large history misses the cache at each of its steps. Asked for together, the lines of the heads come
 * in the time of one. */
static inline void prefetch_heads(const struct ordered_node *node)
{
    const uint8_t *at = (const uint8_t *)node, *end = (const uint8_t *)&node->head[NODE_ENTRIES];
    for (; at < end; at += CACHE_LINE_BYTES)
        __builtin_prefetch(at);
}

static struct ordered_node *descend(const struct ordered *ordered, uint64_t head, struct bytes key,
                                    struct way *way)
{
    struct ordered_node *node = ordered->root;
    if (way)
        way->depth = 0;
    while (node && node->level) {
        uint32_t slot = inner_slot(node, head, key);
        if (way) {
            check(way->depth < HEIGHT_MAX);
            way->node[way->depth] = node;
            way->slot[way->depth++] = slot;
        }
        node = node->child[slot];
        prefetch_heads(node);
    }
    return node;
}

void ordered_init(struct ordered *ordered, struct slab_pool *pool)
{
    *ordered = (struct ordered){.pool = pool};
}

struct history_row *ordered_find(const struct ordered *ordered, struct bytes key)
{
    uint64_t head = head_of(key);
    struct ordered_node *leaf = descend(ordered, head, key, NULL);
    if (!leaf)
        return NULL;
    bool equal;
    uint32_t slot = leaf_slot(leaf, head, key, &equal);
    return equal ? leaf->row[slot] : NULL;
}

/* ---- looking ahead ---- */

static bool go_down(struct ordered_look *looks, size_t count)
{
    bool more = false;
    for (size_t i = 0; i < count; i++) {
        struct ordered_node *node = looks[i].node;
        if (!node || !node->level)
            continue;
        looks[i].node = node = node->child[inner_slot(node, looks[i].head, looks[i].key)];
        prefetch_heads(node);
        more = true;
    }
    return more;
}

/* The first entry with that head or a larger one; touches no row. */
static uint32_t head_slot(const struct ordered_node *leaf, uint64_t head)
{
    uint32_t low = 0, high = leaf->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (leaf->head[middle] < head)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void ordered_ahead(struct ordered_look *looks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ordered_look *look = &looks[i];
        look->node = look->ordered->root;
        look->head = head_of(look->key);
        if (look->node)
            prefetch_heads(look->node);
    }
    while (go_down(looks, count))
        ;
    uint32_t slot[ORDERED_LOOKS_MAX];
    check(count <= ORDERED_LOOKS_MAX);
    for (size_t i = 0; i < count; i++) {
        slot[i] = looks[i].node ? head_slot(looks[i].node, looks[i].head) : 0;
        if (looks[i].node)
            __builtin_prefetch(&looks[i].node->row[slot[i]]);
    }
    for (size_t i = 0; i < count; i++) {
        const struct ordered_node *leaf = looks[i].node;
        looks[i].row = leaf && slot[i] < leaf->count ? leaf->row[slot[i]] : NULL;
        if (looks[i].row)
            __builtin_prefetch(looks[i].row);
    }
    for (size_t i = 0; i < count; i++) {
        if (!looks[i].row)
            continue;
        const uint8_t *version = (const uint8_t *)looks[i].row->newest;
        for (uint32_t at = 0; at < VERSION_AHEAD_BYTES; at += CACHE_LINE_BYTES)
            __builtin_prefetch(version + at);
    }
}

/* ---- inserting ---- */

static void leaf_put(struct ordered_node *leaf, uint32_t slot, uint64_t head, struct history_row *row)
{
    size_t behind = leaf->count - slot;
    memmove(leaf->head + slot + 1, leaf->head + slot, behind * sizeof *leaf->head);
    memmove(leaf->row + slot + 1, leaf->row + slot, behind * sizeof *leaf->row);
    leaf->head[slot] = head;
    leaf->row[slot] = row;
    leaf->count++;
}

static void inner_put(struct ordered_node *node, uint32_t slot, struct separator *key,
                      struct ordered_node *child)
{
    size_t behind = node->count - slot;
    memmove(node->head + slot + 1, node->head + slot, behind * sizeof *node->head);
    memmove(node->child + slot + 1, node->child + slot, behind * sizeof *node->child);
    memmove(node->key + slot + 1, node->key + slot, behind * sizeof *node->key);
    node->head[slot] = head_of(separator_bytes(key));
    node->key[slot] = key;
    node->child[slot] = child;
    node->count++;
}

/* Moves entries from `from` on into a new right neighbour. */
static struct ordered_node *node_cut(struct ordered *ordered, struct ordered_node *node, uint32_t from)
{
    struct ordered_node *right = node_new(ordered, node->level);
    uint32_t moved = node->count - from;
    memcpy(right->head, node->head + from, moved * sizeof *node->head);
    if (node->level) {
        memcpy(right->child, node->child + from, moved * sizeof *node->child);
        memcpy(right->key, node->key + from, moved * sizeof *node->key);
    } else {
        memcpy(right->row, node->row + from, moved * sizeof *node->row);
        right->next = node->next;
        right->prev = node;
        if (node->next)
            node->next->prev = right;
        node->next = right;
    }
    right->count = (uint16_t)moved;
    node->count = (uint16_t)from;
    return right;
}

/* Puts a new child to the right of the one the way took, splitting upwards as far as needed. */
static void grow_upwards(struct ordered *ordered, struct way *way, struct separator *key,
                         struct ordered_node *child)
{
    while (way->depth) {
        struct ordered_node *node = way->node[--way->depth];
        uint32_t slot = way->slot[way->depth] + 1;
        if (node->count < NODE_ENTRIES) {
            inner_put(node, slot, key, child);
            return;
        }
        uint32_t from = slot == node->count ? node->count - 1 : node->count / 2;
        struct ordered_node *right = node_cut(ordered, node, from);
        struct separator *up = right->key[0]; /* the first key of an inner node is its parent's business */
        right->key[0] = NULL;
        if (slot <= from)
            inner_put(node, slot, key, child);
        else
            inner_put(right, slot - from, key, child);
        key = up;
        child = right;
    }
    struct ordered_node *root = node_new(ordered, ordered->root->level + 1u);
    check(root->level < HEIGHT_MAX);
    root->count = 1;
    root->head[0] = 0;
    root->key[0] = NULL;
    root->child[0] = ordered->root;
    inner_put(root, 1, key, child);
    ordered->root = root;
}

void ordered_insert(struct ordered *ordered, struct history_row *row)
{
    struct bytes key = history_key(row);
    uint64_t head = head_of(key);
    if (!ordered->root)
        ordered->root = node_new(ordered, 0);
    struct way way;
    struct ordered_node *leaf = descend(ordered, head, key, &way);
    bool equal;
    uint32_t slot = leaf_slot(leaf, head, key, &equal);
    check(!equal, "a key is inserted twice");
    ordered->rows++;
    if (leaf->count < NODE_ENTRIES) {
        leaf_put(leaf, slot, head, row);
        return;
    }
    bool rising = slot == leaf->count && !leaf->next;
    uint32_t from = rising ? leaf->count : leaf->count / 2;
    struct ordered_node *right = node_cut(ordered, leaf, from);
    if (slot <= from && !rising)
        leaf_put(leaf, slot, head, row);
    else
        leaf_put(right, slot - from, head, row);
    grow_upwards(ordered, &way, separator_new(ordered, history_key(right->row[0])), right);
}

/* ---- removing ---- */

static void inner_take(struct ordered *ordered, struct ordered_node *node, uint32_t slot)
{
    separator_free(ordered, node->key[slot]);
    size_t behind = node->count - slot - 1u;
    memmove(node->head + slot, node->head + slot + 1, behind * sizeof *node->head);
    memmove(node->child + slot, node->child + slot + 1, behind * sizeof *node->child);
    memmove(node->key + slot, node->key + slot + 1, behind * sizeof *node->key);
    node->count--;
    if (slot == 0 && node->count) {
        separator_free(ordered, node->key[0]);
        node->key[0] = NULL;
    }
}

/* An empty node leaves its parent, and so on upwards; a root with one child gives way to it. */
static void shrink_upwards(struct ordered *ordered, struct way *way, struct ordered_node *empty)
{
    for (;;) {
        uint32_t level = empty->level;
        slab_free(ordered->pool, empty, node_bytes(level));
        if (!way->depth) {
            ordered->root = NULL;
            return;
        }
        struct ordered_node *node = way->node[--way->depth];
        inner_take(ordered, node, way->slot[way->depth]);
        if (node->count)
            break;
        empty = node;
    }
    while (ordered->root->level && ordered->root->count == 1) {
        struct ordered_node *root = ordered->root;
        ordered->root = root->child[0];
        slab_free(ordered->pool, root, node_bytes(root->level));
    }
}

void ordered_remove(struct ordered *ordered, struct history_row *row)
{
    struct bytes key = history_key(row);
    uint64_t head = head_of(key);
    struct way way;
    struct ordered_node *leaf = descend(ordered, head, key, &way);
    bool equal = false;
    uint32_t slot = leaf ? leaf_slot(leaf, head, key, &equal) : 0;
    check(equal && leaf->row[slot] == row, "a row is removed that is not there");
    size_t behind = leaf->count - slot - 1u;
    memmove(leaf->head + slot, leaf->head + slot + 1, behind * sizeof *leaf->head);
    memmove(leaf->row + slot, leaf->row + slot + 1, behind * sizeof *leaf->row);
    leaf->count--;
    ordered->rows--;
    if (leaf->count)
        return;
    if (leaf->prev)
        leaf->prev->next = leaf->next;
    if (leaf->next)
        leaf->next->prev = leaf->prev;
    shrink_upwards(ordered, &way, leaf);
}

/* ---- walking ---- */

struct history_row *ordered_step(struct history_place *place, bool backward)
{
    struct ordered_node *leaf = place->leaf;
    if (backward) {
        if (place->slot > 0)
            place->slot--;
        else {
            leaf = leaf->prev;
            if (!leaf)
                return NULL;
            place->leaf = leaf;
            place->slot = leaf->count - 1u;
        }
    } else {
        if (place->slot + 1u < leaf->count)
            place->slot++;
        else {
            leaf = leaf->next;
            if (!leaf)
                return NULL;
            place->leaf = leaf;
            place->slot = 0;
        }
    }
    return leaf->row[place->slot];
}

static struct history_row *end_of(const struct ordered *ordered, bool last, struct history_place *place)
{
    struct ordered_node *node = ordered->root;
    while (node && node->level)
        node = node->child[last ? node->count - 1 : 0];
    if (!node)
        return NULL;
    place->leaf = node;
    place->slot = last ? node->count - 1u : 0;
    return node->row[place->slot];
}

struct history_row *ordered_seek(const struct ordered *ordered, struct bytes key, bool at_end, bool backward,
                                 bool exclusive, struct history_place *place)
{
    if (at_end)
        return end_of(ordered, backward, place);
    uint64_t head = head_of(key);
    struct ordered_node *leaf = descend(ordered, head, key, NULL);
    if (!leaf)
        return NULL;
    bool equal;
    uint32_t slot = leaf_slot(leaf, head, key, &equal);
    place->leaf = leaf;
    if (equal && !exclusive) {
        place->slot = slot;
        return leaf->row[slot];
    }
    /* `slot` is the first entry behind the key, or the key itself when it is excluded. */
    if (backward) {
        place->slot = slot;
        return ordered_step(place, true);
    }
    if (slot < leaf->count && !equal) {
        place->slot = slot;
        return leaf->row[slot];
    }
    place->slot = equal ? slot : leaf->count - 1u;
    return ordered_step(place, false);
}

/* ---- checking ---- */

static uint64_t check_node(const struct ordered_node *node, const struct separator *low,
                           const struct separator *high)
{
    check(node->count > 0 && node->count <= NODE_ENTRIES);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->level) {
            check((i == 0) == (node->key[i] == NULL));
            check(node->child[i]->level + 1 == node->level);
            const struct separator *next = i + 1u < node->count ? node->key[i + 1] : high;
            rows += check_node(node->child[i], i ? node->key[i] : low, next);
            continue;
        }
        struct bytes key = history_key(node->row[i]);
        check(node->head[i] == head_of(key));
        check(i == 0 || bytes_compare(history_key(node->row[i - 1]), key) < 0, "rows are out of order");
        check(!low || bytes_compare(separator_bytes(low), key) <= 0, "a row is left of its leaf");
        check(!high || bytes_compare(key, separator_bytes(high)) < 0, "a row is right of its leaf");
        rows++;
    }
    return rows;
}

void ordered_check(const struct ordered *ordered)
{
    uint64_t rows = ordered->root ? check_node(ordered->root, NULL, NULL) : 0;
    check(rows == ordered->rows);
    struct history_place place;
    uint64_t walked = 0;
    for (struct history_row *row = end_of(ordered, false, &place); row; row = ordered_step(&place, false))
        walked++;
    check(walked == rows, "%llu rows are chained, %llu are in the tree", (unsigned long long)walked,
          (unsigned long long)rows);
}
