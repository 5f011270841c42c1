/* A 4-ary heap: half the depth of a binary one, and the four children lie side by side. */
#include "test/sim/events.h"

#include "base/check.h"
#include "test/sim/memory.h"

#include <string.h>

void event_queue_open(struct event_queue *queue, struct memory *memory, uint64_t seed)
{
    *queue = (struct event_queue){.capacity = 256, .memory = memory};
    queue->heap = memory_take(memory, queue->capacity * sizeof *queue->heap);
    dice_open(&queue->ties, seed, DICE_TIES, 0);
}

void event_queue_close(struct event_queue *queue)
{
    memory_give(queue->memory, queue->heap, queue->capacity * sizeof *queue->heap);
}

static bool earlier(const struct event_slot *a, const struct event_slot *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->tie < b->tie);
}

static void put(struct event_queue *queue, uint32_t place, struct event_slot slot)
{
    queue->heap[place] = slot;
    slot.event->place = place + 1;
}

static void rise(struct event_queue *queue, uint32_t place, struct event_slot slot)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / 4;
        if (!earlier(&slot, &queue->heap[parent]))
            break;
        put(queue, place, queue->heap[parent]);
        place = parent;
    }
    put(queue, place, slot);
}

static void sink(struct event_queue *queue, uint32_t place, struct event_slot slot)
{
    for (;;) {
        uint32_t first = place * 4 + 1, best = first;
        if (first >= queue->count)
            break;
        for (uint32_t child = first + 1; child < first + 4 && child < queue->count; child++)
            if (earlier(&queue->heap[child], &queue->heap[best]))
                best = child;
        if (!earlier(&queue->heap[best], &slot))
            break;
        put(queue, place, queue->heap[best]);
        place = best;
    }
    put(queue, place, slot);
}

static void settle(struct event_queue *queue, uint32_t place, struct event_slot slot)
{
    if (place > 0 && earlier(&slot, &queue->heap[(place - 1) / 4]))
        rise(queue, place, slot);
    else
        sink(queue, place, slot);
}

static void grow(struct event_queue *queue)
{
    size_t bytes = queue->capacity * sizeof *queue->heap;
    struct event_slot *heap = memory_take(queue->memory, 2 * bytes);
    memcpy(heap, queue->heap, bytes);
    memory_give(queue->memory, queue->heap, bytes);
    queue->heap = heap;
    queue->capacity *= 2;
}

void event_plan(struct event_queue *queue, struct event *event, uint64_t at_ns)
{
    struct event_slot slot = {.at_ns = at_ns, .tie = dice_next(&queue->ties), .event = event};
    if (event->place) {
        settle(queue, event->place - 1, slot);
        return;
    }
    if (queue->count == queue->capacity)
        grow(queue);
    rise(queue, queue->count++, slot);
}

static void take_out(struct event_queue *queue, uint32_t place)
{
    struct event_slot last = queue->heap[--queue->count];
    queue->heap[place].event->place = 0;
    if (place < queue->count)
        settle(queue, place, last);
}

void event_drop(struct event_queue *queue, struct event *event)
{
    if (!event->place)
        return;
    check(queue->heap[event->place - 1].event == event);
    take_out(queue, event->place - 1);
}

struct event *event_take(struct event_queue *queue, uint64_t *at_ns)
{
    if (!queue->count)
        return NULL;
    struct event *event = queue->heap[0].event;
    *at_ns = queue->heap[0].at_ns;
    take_out(queue, 0);
    return event;
}
