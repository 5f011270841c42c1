/* What is yet to happen, ordered by virtual time; of events of one time, the drawn tie-break decides. */
#ifndef SYNOD_TEST_SIM_EVENTS_H
#define SYNOD_TEST_SIM_EVENTS_H

#include "test/sim/dice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory;

/* Embed it; a planned event must stay where it is. */
struct event {
    uint32_t place; /* in the heap, from 1; 0 = not planned */
    void (*happen)(struct event *event);
};

struct event_slot {
    uint64_t at_ns;
    uint64_t tie;
    struct event *event;
};

struct event_queue {
    struct event_slot *heap; /* 4-ary, [0] is the earliest */
    uint32_t count;
    uint32_t capacity;
    struct dice ties;
    struct memory *memory;
};

void event_queue_open(struct event_queue *queue, struct memory *memory, uint64_t seed);

static inline bool event_planned(const struct event *event)
{
    return event->place != 0;
}

/* When a planned event happens. */
static inline uint64_t event_time(const struct event_queue *queue, const struct event *event)
{
    return queue->heap[event->place - 1].at_ns;
}

/* Plans the event, or moves it when it was planned. event->happen must be set. */
void event_plan(struct event_queue *queue, struct event *event, uint64_t at_ns);

/* Forgets the event; harmless when it is not planned. */
void event_drop(struct event_queue *queue, struct event *event);

void event_queue_close(struct event_queue *queue);

/* When the earliest event happens. Requires that there is one. */
static inline uint64_t event_next_time(const struct event_queue *queue)
{
    return queue->heap[0].at_ns;
}

/* Takes the earliest event out and says when it is to happen; NULL when there is none. */
struct event *event_take(struct event_queue *queue, uint64_t *at_ns);

#endif
