/* A heap of four children each: half the depth of a binary one, and the four children's keys share a cache
 * line.
 */
#include "base/heap.h"
#include "base/check.h"
#include "base/scope.h"

#include <string.h>

#define CHILDREN 4

/* Slots of the smallest heap. */
#define ROOM_LEAST 16

void heap_init(struct heap *heap, struct scope *scope)
{
    *heap = (struct heap){.scope = scope};
}

enum sqlstate heap_reserve(struct heap *heap, uint32_t count, struct error *error)
{
    if (count <= heap->room)
        return SQLSTATE_OK;
    uint64_t room = heap->room ? heap->room : ROOM_LEAST;
    while (room < count)
        room *= 2;
    room = room < UINT32_MAX ? room : UINT32_MAX;
    void *slots;
    enum sqlstate failed = scope_alloc_large(heap->scope, room * sizeof *heap->slots,
                                             CHILDREN * sizeof *heap->slots, &slots, error);
    if (failed)
        return failed;
    if (heap->slots) {
        memcpy(slots, heap->slots, heap->count * sizeof *heap->slots);
        scope_free_large(heap->scope, heap->slots);
    }
    heap->slots = slots;
    heap->room = (uint32_t)room;
    return SQLSTATE_OK;
}

static void put(struct heap *heap, uint32_t at, struct heap_slot slot)
{
    heap->slots[at] = slot;
    slot.item->place = at + 1;
}

/* Puts the slot at `at` or above, moving parents with larger keys down. */
static void sift_up(struct heap *heap, uint32_t at, struct heap_slot slot)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / CHILDREN;
        if (heap->slots[parent].key <= slot.key)
            break;
        put(heap, at, heap->slots[parent]);
        at = parent;
    }
    put(heap, at, slot);
}

/* Puts the slot at `at` or below, moving children with smaller keys up. */
static void sift_down(struct heap *heap, uint32_t at, struct heap_slot slot)
{
    for (;;) {
        uint64_t first = (uint64_t)at * CHILDREN + 1;
        if (first >= heap->count)
            break;
        uint32_t least = (uint32_t)first;
        uint64_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;
        for (uint32_t child = least + 1; child < end; child++) {
            if (heap->slots[child].key < heap->slots[least].key)
                least = child;
        }
        if (heap->slots[least].key >= slot.key)
            break;
        put(heap, at, heap->slots[least]);
        at = least;
    }
    put(heap, at, slot);
}

enum sqlstate heap_insert(struct heap *heap, struct heap_item *item, uint64_t key, struct error *error)
{
    check(item->place == 0, "the item is in a heap");
    if (heap->count == heap->room) {
        check(heap->count < UINT32_MAX);
        enum sqlstate failed = heap_reserve(heap, heap->count + 1, error);
        if (failed)
            return failed;
    }
    item->key = key;
    sift_up(heap, heap->count++, (struct heap_slot){.key = key, .item = item});
    return SQLSTATE_OK;
}

/* Puts the slot where `at` was left free. */
static void settle(struct heap *heap, uint32_t at, struct heap_slot slot)
{
    if (at > 0 && slot.key < heap->slots[(at - 1) / CHILDREN].key)
        sift_up(heap, at, slot);
    else
        sift_down(heap, at, slot);
}

static uint32_t place_of(const struct heap *heap, const struct heap_item *item)
{
    check(item->place >= 1 && item->place <= heap->count && heap->slots[item->place - 1].item == item,
          "the item has moved, or is in another heap");
    return item->place - 1;
}

void heap_change(struct heap *heap, struct heap_item *item, uint64_t key)
{
    uint32_t at = place_of(heap, item);
    item->key = key;
    settle(heap, at, (struct heap_slot){.key = key, .item = item});
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    if (item->place == 0)
        return;
    uint32_t at = place_of(heap, item);
    item->place = 0;
    struct heap_slot last = heap->slots[--heap->count];
    if (at < heap->count)
        settle(heap, at, last);
}

struct heap_item *heap_take_first(struct heap *heap)
{
    struct heap_item *first = heap_first(heap);
    if (first)
        heap_remove(heap, first);
    return first;
}
