/* Nodes: slotted pages of sorted keys and values. Leaves hold rows, inner nodes separators and children.
 *
 *     offset  size  meaning (of the page's body; integers little-endian)
 *          0     2  level: 0 = leaf
 *          2     2  count of entries
 *          4     2  bytes of the prefix: all keys begin with that much of the lower fence
 *          6     2  bytes of the lower fence: no key is below it
 *          8     2  bytes of the upper fence: all keys are below it
 *         10     2  flags: 1 = there is no upper fence
 *         12     2  offset of the first entry, a multiple of 8
 *         14     2  offset of the lowest cell
 *         16     2  bytes of dead cells
 *         18     6  zero
 *         24        lower fence, upper fence, up to 7 zero bytes, then the entries:
 *                       4  head: the first bytes of the key behind the prefix, as a big-endian number
 *                       2  offset of the cell
 *                       2  bytes of the cell
 *                   then free bytes, then cells in any order:
 *                       2  bytes of the key behind the prefix; the highest bit: the value is an extent
 *                          key behind the prefix
 *                          value: of a leaf, the row, or an extent's first page and size, 8 bytes each;
 *                                 of an inner node, the child's page number, 8 bytes
 *
 * An inner node's entry i covers the keys from its own up to the next one's; its first key is the lower fence. A child's
 * fences are its parent's keys left and right of it. Since they bound all keys that can ever come in, what they share is
 * the prefix, and it need not be found anew when keys come and go (Graefe, "Write-optimized B-trees", VLDB 2004; heads:
 * Graefe and Larson, "B-tree indexes and CPU caches", ICDE 2001; separators: Bayer and Unterauer, "Prefix B-trees",
 * 1977).
 *
 * Functions want nodes that node_fault() found nothing wrong with, except where they say otherwise; then they stay
 * within the page whatever it holds. */
#ifndef SYNOD_ENGINE_TREE_NODE_H
#define SYNOD_ENGINE_TREE_NODE_H

#include "base/bytes.h"
#include "engine/tree/tree.h"

#include <assert.h>

#define NODE_OPEN         1
#define NODE_HEADER_BYTES 24
#define NODE_BYTES_MAX    65536 /* offsets have 16 bits */

#define CELL_HEADER_BYTES 2
#define CELL_EXTENT       0x8000
#define EXTENT_BYTES      16
#define CHILD_BYTES       8

struct node {
    uint16_t level;
    uint16_t count;
    uint16_t prefix;
    uint16_t lower;
    uint16_t upper;
    uint16_t flags;
    uint16_t entries;
    uint16_t cells;
    uint16_t garbage;
    uint16_t zero[3];
    uint8_t fences[];
};
static_assert(offsetof(struct node, fences) == NODE_HEADER_BYTES);

struct node_entry {
    uint32_t head;
    uint16_t offset;
    uint16_t size;
};
static_assert(sizeof(struct node_entry) == 8);

/* The range of keys a node covers. */
struct fences {
    struct bytes lower;
    struct bytes upper;
    bool open; /* no upper end */
};

/* What an entry holds. */
struct cell {
    struct bytes suffix; /* the key behind the prefix */
    struct bytes value;
    bool extent;
};

/* ---- reading ---- */

static inline const struct node_entry *node_entries(const struct node *node)
{
    return (const struct node_entry *)((const uint8_t *)node + node->entries);
}

static inline struct fences node_fences(const struct node *node)
{
    return (struct fences){.lower = bytes_of(node->fences, node->lower),
                           .upper = bytes_of(node->fences + node->lower, node->upper),
                           .open = node->flags & NODE_OPEN};
}

static inline struct cell node_cell(const struct node *node, uint32_t index)
{
    const struct node_entry *entry = &node_entries(node)[index];
    const uint8_t *cell = (const uint8_t *)node + entry->offset;
    uint16_t word;
    memcpy(&word, cell, sizeof word);
    uint32_t suffix = word & ~(uint32_t)CELL_EXTENT;
    return (struct cell){.suffix = bytes_of(cell + CELL_HEADER_BYTES, suffix),
                         .value = bytes_of(cell + CELL_HEADER_BYTES + suffix,
                                           (size_t)(entry->size - CELL_HEADER_BYTES) - suffix),
                         .extent = word & CELL_EXTENT};
}

/* The first four bytes, zeros behind the end: orders as the bytes do, as far as it goes. */
static inline uint32_t head_of(struct bytes suffix)
{
    uint32_t head = 0;
    if (__builtin_expect(suffix.size >= 4, 1)) {
        memcpy(&head, suffix.data, 4);
        return __builtin_bswap32(head);
    }
    for (size_t i = 0; i < suffix.size; i++)
        head |= (uint32_t)suffix.data[i] << (24 - 8 * i);
    return head;
}

/* The key without the node's prefix. A key shorter than the prefix, which no sound tree asks for, counts as empty; an empty
 * one may be NULL, to which nothing may be added. */
static inline struct bytes node_suffix(const struct node *node, struct bytes key)
{
    if (node->prefix == 0)
        return key;
    if (__builtin_expect(key.size < node->prefix, 0))
        return bytes_of(key.data, 0);
    return bytes_of(key.data + node->prefix, key.size - node->prefix);
}

/* The first entry not below the suffix, 0 .. count; *equal when it is that key. */
uint32_t node_search(const struct node *node, struct bytes suffix, bool *equal);

/* Of an inner node: the child whose range holds the suffix; below all of them the first. */
uint32_t node_search_child(const struct node *node, struct bytes suffix);

uint64_t node_child(const struct node *node, uint32_t index);

/* The whole key of an entry, in `room` (TREE_KEY_BYTES_MAX). */
struct bytes node_key(const struct node *node, uint32_t index, uint8_t *room);

/* What is wrong with bytes that are to be a node, or NULL. The bytes are aligned to 8. */
const char *node_fault(const void *body, uint32_t bytes);

/* ---- changing ---- */

/* Bytes an entry with a cell takes. */
static inline size_t entry_bytes(size_t suffix, size_t value)
{
    return sizeof(struct node_entry) + CELL_HEADER_BYTES + suffix + value;
}

/* Bytes of an empty node with those fences. */
size_t fences_bytes(const struct fences *fences);

/* Bytes that keys between the fences share. */
size_t fences_prefix(const struct fences *fences);

/* Bytes in fences, entries and living cells. */
static inline size_t node_used(const struct node *node, uint32_t bytes)
{
    return node->entries + node->count * sizeof(struct node_entry) + (bytes - node->cells) - node->garbage;
}

/* Bytes that entries could still take. */
static inline size_t node_room(const struct node *node, uint32_t bytes)
{
    return bytes - node_used(node, bytes);
}

/* An empty node. */
void node_make(struct node *node, uint32_t bytes, uint32_t level, const struct fences *fences);

/* Puts an entry in front of `index`. False, changing nothing, when there is no room. `scratch` is a page's memory. */
bool node_insert(struct node *node, uint32_t bytes, uint32_t index, const struct cell *cell,
                 uint8_t *scratch);

/* Gives an entry another value. False, changing nothing, when there is no room. */
bool node_replace(struct node *node, uint32_t bytes, uint32_t index, struct bytes value, bool extent,
                  uint8_t *scratch);

void node_remove(struct node *node, uint32_t index);

void node_set_child(struct node *node, uint32_t index, uint64_t child);

/* Adds entries [from, to) of another node behind those there are. Requires room, order, and that the target's prefix is
 * part of their keys. */
void node_append(struct node *node, const struct node *from_node, uint32_t from, uint32_t to);

/* Adds one entry behind those there are, by its whole key. Requires room. */
void node_append_key(struct node *node, struct bytes key, struct bytes value, bool extent);

/* What separates two neighbours whose last and first keys are those: between leaves, the shortest key above `left` and not
 * above `right`; between inner nodes, `right`, for that is their first child's lower fence. A view of right. */
struct bytes separator(uint32_t level, struct bytes left, struct bytes right);

static inline size_t shared_bytes(struct bytes a, struct bytes b)
{
    size_t most = a.size < b.size ? a.size : b.size, shared = 0;
    while (shared < most && a.data[shared] == b.data[shared])
        shared++;
    return shared;
}

#endif
