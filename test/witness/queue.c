/* Queues. */
#include "test/witness/queue.h"

#include "base/check.h"
#include "test/witness/inside.h"

struct item {
    enum witness_outcome put; /* unknown until it has ended */
    bool there;
    uint32_t taken;       /* acknowledged */
    uint32_t maybe_taken; /* unknown */
};

struct queue {
    struct scope *scope;
    struct item *items;
    size_t count, room;
    uint64_t delivered;
    uint64_t made_up; /* an item nobody put, + 1 */
};

struct queue *queue_open(void)
{
    struct scope *scope = scope_open_root("queue", NULL);
    check(scope, "no memory for a queue");
    struct queue *queue = scope_alloc_zeroed(scope, sizeof *queue);
    queue->scope = scope;
    return queue;
}

void queue_close(struct queue *queue)
{
    scope_close(queue->scope);
}

uint64_t queue_put(struct queue *queue)
{
    witness_grow(queue->scope, (void **)&queue->items, queue->count, &queue->room, sizeof *queue->items);
    queue->items[queue->count] = (struct item){.put = WITNESS_UNKNOWN};
    return queue->count++;
}

void queue_put_ended(struct queue *queue, uint64_t item, enum witness_outcome outcome)
{
    check(item < queue->count);
    queue->items[item].put = outcome;
}

void queue_take(struct queue *queue, uint64_t item)
{
    if (item < queue->count)
        queue->items[item].maybe_taken++;
    else
        queue->made_up = item + 1;
}

void queue_take_ended(struct queue *queue, uint64_t item, enum witness_outcome outcome)
{
    if (item >= queue->count || outcome == WITNESS_UNKNOWN)
        return;
    queue->items[item].maybe_taken--;
    queue->items[item].taken += outcome == WITNESS_OK;
    queue->delivered += outcome == WITNESS_OK;
}

void queue_is_there(struct queue *queue, uint64_t item)
{
    if (item < queue->count)
        queue->items[item].there = true;
    else
        queue->made_up = item + 1;
}

uint64_t queue_items(const struct queue *queue)
{
    return queue->count;
}

uint64_t queue_delivered(const struct queue *queue)
{
    return queue->delivered;
}

const char *queue_finding_name(enum queue_finding finding)
{
    switch (finding) {
    case QUEUE_TWICE:
        return "was delivered twice";
    case QUEUE_LOST:
        return "was put, is gone, and nobody took it";
    case QUEUE_MADE_UP:
        return "is there, and nobody put it";
    case QUEUE_STAYED:
        return "was delivered and is still there";
    default:
        return "is right";
    }
}

static enum queue_finding judge(const struct item *item)
{
    if (item->taken > 1)
        return QUEUE_TWICE;
    if (item->put == WITNESS_FAILED && (item->taken || item->there))
        return QUEUE_MADE_UP;
    if (item->taken && item->there)
        return QUEUE_STAYED;
    if (item->put == WITNESS_OK && !item->there && !item->taken && !item->maybe_taken)
        return QUEUE_LOST;
    return QUEUE_RIGHT;
}

enum queue_finding queue_check(const struct queue *queue, uint64_t *item)
{
    *item = queue->made_up - 1;
    if (queue->made_up)
        return QUEUE_MADE_UP;
    for (*item = 0; *item < queue->count; ++*item) {
        enum queue_finding finding = judge(&queue->items[*item]);
        if (finding != QUEUE_RIGHT)
            return finding;
    }
    return QUEUE_RIGHT;
}
