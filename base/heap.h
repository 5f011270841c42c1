/* Heap: the earliest of many things first. The things know their place, so any of them can be taken out.
 *
 *     struct lease { struct heap_item item; … };
 *     heap_init(&leases, scope);
 *     failed = heap_insert(&leases, &lease->item, expires_ns, error);
 *     container_of(heap_first(&leases), struct lease, item)
 *
 * Inserting and removing take O(log n) steps, the first is known at once. Things with equal keys come out in
 * an order that depends only on the calls made. One core owns a heap; an item in it must stay where it is. */
#ifndef SYNOD_BASE_HEAP_H
#define SYNOD_BASE_HEAP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;

/* Embed in the thing. Zeroed, it is in no heap. */
struct heap_item {
    uint64_t key;   /* smaller comes first */
    uint32_t place; /* in the heap's slots, from 1; 0 = in no heap */
};

/* The keys stand beside the pointers, so that finding a place does not touch the items. */
struct heap_slot {
    uint64_t key;
    struct heap_item *item;
};

struct heap {
    struct scope *scope;
    struct heap_slot *slots; /* slot i has the children 4i + 1 .. 4i + 4, none with a smaller key */
    uint32_t count;
    uint32_t room;
};

/* Makes an empty heap whose memory is the scope's. */
void heap_init(struct heap *heap, struct scope *scope);

/* Makes room for `count` items in all, so that inserting up to there cannot fail. Fails with 53200. */
enum sqlstate heap_reserve(struct heap *heap, uint32_t count, struct error *error);

/* Puts an item in, which must be in no heap. Fails with 53200 when the heap must grow and cannot. */
enum sqlstate heap_insert(struct heap *heap, struct heap_item *item, uint64_t key, struct error *error);

/* Gives an item of the heap another key. */
void heap_change(struct heap *heap, struct heap_item *item, uint64_t key);

/* Takes an item out; harmless when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_item *item);

/* Takes the first item out and gives it, or NULL when there is none. */
struct heap_item *heap_take_first(struct heap *heap);

/* The item with the smallest key, or NULL when there is none. */
static inline struct heap_item *heap_first(const struct heap *heap)
{
    return heap->count ? heap->slots[0].item : NULL;
}

#endif
