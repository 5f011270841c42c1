/* The order of a history: a B+-tree in memory of pointers to history rows, by key. Leaves are chained both
 * ways. Beside each pointer stands the key's *head*, its first eight bytes as a big-endian number, so that
 * most comparisons touch no row. */
#ifndef SYNOD_ENGINE_HISTORY_ORDERED_H
#define SYNOD_ENGINE_HISTORY_ORDERED_H

#include "base/slab.h"
#include "engine/history/history.h"

struct ordered_node;

struct ordered {
    struct slab_pool *pool;
    struct ordered_node *root; /* NULL when empty */
    uint64_t rows;
};

void ordered_init(struct ordered *ordered, struct slab_pool *pool);
struct history_row *ordered_find(const struct ordered *ordered, struct bytes key);

/* Looks at once: more than the lines a processor can wait for, few enough that what they bring in stays. */
#define ORDERED_LOOKS_MAX 64

/* A look that is to come. */
struct ordered_look {
    const struct ordered *ordered;
    struct bytes key;
    /* its own: */
    uint64_t head;
    struct ordered_node *node;
    struct history_row *row;
};

/* Brings what the looks will touch into the processor's cache, all at the same time: one after the other each would wait for
 * memory at every level. Changes nothing else. */
void ordered_ahead(struct ordered_look *looks, size_t count);

/* Requires: no row has that key. */
void ordered_insert(struct ordered *ordered, struct history_row *row);

/* Requires: the row is there. Frees nothing of the row. */
void ordered_remove(struct ordered *ordered, struct history_row *row);

struct history_row *ordered_seek(const struct ordered *ordered, struct bytes key, bool at_end, bool backward,
                                 bool exclusive, struct history_place *place);
struct history_row *ordered_step(struct history_place *place, bool backward);

void ordered_check(const struct ordered *ordered);

#endif
