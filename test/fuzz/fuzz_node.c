/* Nodes of trees, whatever the bytes: what node_fault() finds nothing wrong with can be searched, and changed into nodes that
 * nothing is wrong with.
 *
 * An input is a byte that chooses the page's size and whether the node is mended, a length (two bytes, little-endian), so
 * many bytes for the start of the page and the rest for its end. Mending sets what follows from the rest (prefix, heads,
 * counted bytes), or no input would come further. */
#include "base/check.h"
#include "engine/tree/node.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES (4096 - 32)
#define LARGE_BYTES (65536 - 32)

struct subject {
    struct node *node; /* memory of its exact size, so that the address sanitizer sees a step beyond */
    uint8_t *scratch;
    uint32_t bytes;
};

static void mend_entry(struct subject *subject, struct node_entry *entry)
{
    uint16_t word;
    if ((uint32_t)entry->offset + entry->size > subject->bytes || entry->size < CELL_HEADER_BYTES)
        return;
    memcpy(&word, (uint8_t *)subject->node + entry->offset, sizeof word);
    size_t suffix = word & ~(uint32_t)CELL_EXTENT;
    if (suffix <= entry->size - (size_t)CELL_HEADER_BYTES)
        entry->head = head_of(bytes_of((uint8_t *)subject->node + entry->offset + CELL_HEADER_BYTES, suffix));
}

static void mend(struct subject *subject, uint32_t tail)
{
    struct node *node = subject->node;
    uint32_t cells = 0;
    node->flags &= NODE_OPEN;
    node->upper = node->flags ? 0 : node->upper;
    if (node->lower > TREE_KEY_BYTES_MAX || node->upper > TREE_KEY_BYTES_MAX)
        return;
    struct fences fences = node_fences(node);
    size_t start = fences_bytes(&fences);
    if (start + tail > subject->bytes)
        return;
    node->entries = (uint16_t)start;
    node->prefix = (uint16_t)fences_prefix(&fences);
    node->cells = (uint16_t)(subject->bytes - tail);
    node->count %= (subject->bytes - tail - start) / sizeof(struct node_entry) + 1;
    for (uint32_t i = 0; i < node->count; i++) {
        struct node_entry *entry = (struct node_entry *)((uint8_t *)node + start) + i;
        mend_entry(subject, entry);
        cells += entry->size;
    }
    node->garbage = (uint16_t)(tail - cells);
}

static void must_be_sound(const struct subject *subject)
{
    const char *fault = node_fault(subject->node, subject->bytes);
    check(!fault, "%s", fault);
}

/* Each key is found where it stands, and lies between the fences. */
static void look(const struct subject *subject)
{
    const struct node *node = subject->node;
    struct fences fences = node_fences(node);
    uint8_t room[TREE_KEY_BYTES_MAX];
    bool equal;
    for (uint32_t i = 0; i < node->count; i++) {
        struct bytes key = node_key(node, i, room);
        check(key.size <= TREE_KEY_BYTES_MAX && bytes_compare(key, fences.lower) >= 0);
        check(fences.open || bytes_compare(key, fences.upper) < 0);
        check(node_search(node, node_suffix(node, key), &equal) == i && equal);
        check(node_search_child(node, node_suffix(node, key)) == i);
        struct cell cell = node_cell(node, i);
        struct tree_value value = {0};
        if (node->level)
            value.extent = node_child(node, i);
        else if (cell.extent)
            memcpy(&value.extent, cell.value.data, sizeof value.extent);
        if (cell.value.size)
            subject->scratch[0] ^= (uint8_t)value.extent ^ cell.value.data[cell.value.size - 1];
    }
}

/* Puts an entry in, its key being the lower fence with `more` behind it; gives whether it was possible and there was room. */
static bool insert(struct subject *subject, struct bytes more, size_t value_bytes)
{
    static const uint8_t zeros[4096];
    struct node *node = subject->node;
    uint8_t room[2 * TREE_KEY_BYTES_MAX];
    struct fences fences = node_fences(node);
    bool equal;
    memcpy(room, fences.lower.data, fences.lower.size);
    if (more.size > TREE_KEY_BYTES_MAX - fences.lower.size)
        more.size = TREE_KEY_BYTES_MAX - fences.lower.size;
    if (more.size)
        memcpy(room + fences.lower.size, more.data, more.size);
    struct bytes key = bytes_of(room, fences.lower.size + more.size);
    if (!fences.open && bytes_compare(key, fences.upper) >= 0)
        return false;
    uint32_t at = node_search(node, node_suffix(node, key), &equal);
    if (equal)
        return false;
    struct cell cell = {.suffix = node_suffix(node, key),
                        .value = bytes_of(zeros, node->level ? CHILD_BYTES : value_bytes)};
    if (!node_insert(node, subject->bytes, at, &cell, subject->scratch))
        return false;
    must_be_sound(subject);
    check(node_search(node, node_suffix(node, key), &equal) == at && equal);
    check(node_cell(node, at).value.size == cell.value.size);
    return true;
}

static void change(struct subject *subject, const uint8_t *data, size_t size)
{
    static const uint8_t zeros[4096];
    struct node *node = subject->node;
    for (size_t i = 0; i + 3 < size && i < 64 && node->count > 0; i += 4) {
        uint32_t at = data[i + 1] % node->count, value = data[i + 2] * 8U;
        switch (data[i] % 3) {
        case 0:
            insert(subject, bytes_of(data + i, size - i < data[i + 3] ? size - i : data[i + 3]), value);
            break;
        case 1:
            if (node->level)
                node_set_child(node, at, value);
            else
                (void)node_replace(node, subject->bytes, at, bytes_of(zeros, value), false, subject->scratch);
            break;
        default:
            if (at > 0 || node->level == 0) /* an inner node's first key is its fence */
                node_remove(node, at);
        }
        must_be_sound(subject);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct subject subject = {.bytes = data[0] & 1 ? LARGE_BYTES : SMALL_BYTES};
    size_t rest = size - 3, head = ((size_t)data[1] | (size_t)data[2] << 8) % (rest + 1);
    if (rest > subject.bytes || rest - head > subject.bytes - NODE_HEADER_BYTES)
        return 0;
    subject.node = calloc(1, subject.bytes);
    subject.scratch = calloc(1, subject.bytes);
    check(subject.node && subject.scratch);
    memcpy(subject.node, data + 3, head);
    memcpy((uint8_t *)subject.node + subject.bytes - (rest - head), data + 3 + head, rest - head);
    if (data[0] & 2)
        mend(&subject, (uint32_t)(rest - head));
    if (!node_fault(subject.node, subject.bytes)) {
        look(&subject);
        change(&subject, data, size);
        look(&subject);
    }
    free(subject.node);
    free(subject.scratch);
    return 0;
}
