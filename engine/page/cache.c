/* Frames, table and replacement; see cache.h. */
#include "engine/page/cache.h"

#include "base/check.h"
#include "base/scope.h"
#include "base/world.h"
#include "engine/page/format.h"

/* Memory of frames is asked for in blocks of about this size. */
#define BLOCK_BYTES (4U * 1024 * 1024)

/* Frames looked at before an eviction gives up: when all those are dirty or pinned, writing helps more than looking. */
#define EVICTION_TRIES 256

/* ---- opening ---- */

static uint32_t bits_for(uint64_t count)
{
    uint32_t bits = 1;
    while (UINT64_C(1) << bits < count)
        bits++;
    return bits;
}

static enum sqlstate array(struct cache *cache, size_t count, size_t size, void *array_pointer,
                           struct error *error)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(cache->scope, count * size, 64, &memory, error);
    if (!failed)
        memcpy(array_pointer, &memory, sizeof memory);
    return failed;
}

enum sqlstate cache_open(struct cache *cache, struct scope *scope, uint32_t page_bytes, size_t cache_bytes,
                         struct error *error)
{
    uint64_t most = cache_bytes / page_bytes;
    most = most < VOLUME_CACHE_PAGES_MIN ? VOLUME_CACHE_PAGES_MIN : most;
    most = most > UINT32_MAX / 4 ? UINT32_MAX / 4 : most;
    *cache = (struct cache){.scope = scope, .page_bytes = page_bytes, .most = (uint32_t)most};
    cache->page_shift = (uint32_t)__builtin_ctz(page_bytes);
    uint32_t in_block = BLOCK_BYTES / page_bytes;
    while (in_block > 16 && in_block > most / 4)
        in_block /= 2;
    cache->block_shift = (uint32_t)__builtin_ctz(in_block);
    cache->slot_bits = bits_for(2 * most);
    cache->ghost_bits = bits_for(most);
    size_t slots = (size_t)1 << cache->slot_bits, ghosts = (size_t)1 << cache->ghost_bits;
    enum sqlstate failed = array(cache, most, sizeof *cache->frames, &cache->frames, error);
    if (!failed)
        failed = array(cache, most, sizeof *cache->use, &cache->use, error);
    if (!failed)
        failed = array(cache, most / in_block + 1, sizeof *cache->blocks, &cache->blocks, error);
    if (!failed)
        failed = array(cache, slots, sizeof *cache->slots, &cache->slots, error);
    if (!failed)
        failed = array(cache, ghosts, sizeof *cache->ghosts, &cache->ghosts, error);
    if (failed)
        return failed;
    memset(cache->slots, 0xff, slots * sizeof *cache->slots);
    memset(cache->ghosts, 0, ghosts * sizeof *cache->ghosts);
    for (int i = 0; i < QUEUES; i++)
        cache->queues[i] = (struct cache_queue){.head = NO_FRAME, .tail = NO_FRAME};
    return SQLSTATE_OK;
}

/* ---- queues ---- */

static void queue_enter(struct cache *cache, struct frame *frame, enum frame_queue which)
{
    struct cache_queue *queue = &cache->queues[which];
    frame->queue = (uint8_t)which;
    frame->prev = NO_FRAME;
    frame->next = queue->head;
    if (queue->head != NO_FRAME)
        cache->frames[queue->head].prev = frame->index;
    else
        queue->tail = frame->index;
    queue->head = frame->index;
    queue->count++;
}

static void queue_leave(struct cache *cache, struct frame *frame)
{
    struct cache_queue *queue = &cache->queues[frame->queue];
    if (frame->queue == QUEUE_NONE)
        return;
    if (frame->prev != NO_FRAME)
        cache->frames[frame->prev].next = frame->next;
    else
        queue->head = frame->next;
    if (frame->next != NO_FRAME)
        cache->frames[frame->next].prev = frame->prev;
    else
        queue->tail = frame->prev;
    queue->count--;
    frame->queue = QUEUE_NONE;
}

/* ---- table ---- */

static uint32_t slot_home(const struct cache *cache, uint64_t number)
{
    return (uint32_t)(cache_hash(number) >> (64 - cache->slot_bits));
}

static void slot_insert(struct cache *cache, uint64_t number, uint32_t frame, bool reading)
{
    uint32_t mask = (1U << cache->slot_bits) - 1, at = slot_home(cache, number);
    while (cache->slots[at].frame != NO_FRAME) {
        check(cache->slots[at].number != number, "page %llx is in the cache twice",
              (unsigned long long)number);
        at = (at + 1) & mask;
    }
    cache->slots[at] = (struct cache_slot){.number = number, .frame = frame, .reading = reading};
}

/* Closes the gap, so that every entry stays reachable from its home (Knuth, 6.4, algorithm R). */
static void slot_remove(struct cache *cache, struct cache_slot *slot)
{
    uint32_t mask = (1U << cache->slot_bits) - 1, gap = (uint32_t)(slot - cache->slots);
    for (uint32_t at = (gap + 1) & mask; cache->slots[at].frame != NO_FRAME; at = (at + 1) & mask) {
        uint32_t home = slot_home(cache, cache->slots[at].number);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            cache->slots[gap] = cache->slots[at];
            gap = at;
        }
    }
    cache->slots[gap].frame = NO_FRAME;
}

/* ---- ghost ---- */

static struct ghost *ghost_of(const struct cache *cache, uint64_t number, uint32_t *print)
{
    uint64_t hash = cache_hash(number ^ number >> 29);
    *print = (uint32_t)hash | 1;
    return &cache->ghosts[hash >> (64 - cache->ghost_bits)];
}

static void ghost_remember(struct cache *cache, uint64_t number)
{
    uint32_t print;
    struct ghost *ghost = ghost_of(cache, number, &print);
    *ghost = (struct ghost){.print = print, .when = cache->evicted++};
}

/* Whether it left lately: not longer ago than as many evictions as the main queue has room for. */
static bool ghost_knows(struct cache *cache, uint64_t number)
{
    uint32_t print;
    struct ghost *ghost = ghost_of(cache, number, &print);
    bool known = ghost->print == print && cache->evicted - ghost->when <= cache->made - cache->made / 10;
    if (known)
        ghost->print = 0;
    return known;
}

/* ---- frames ---- */

/* Gives a block of frames memory; false when there is none, and then the cache stays as large as it is. */
static bool make_block(struct cache *cache)
{
    struct error error;
    void *memory;
    uint32_t count = 1U << cache->block_shift;
    if (count > cache->most - cache->made)
        count = cache->most - cache->made;
    if (count == 0)
        return false;
    size_t bytes = (size_t)cache->page_bytes << cache->block_shift;
    if (scope_alloc_large(cache->scope, bytes, DISK_ALIGNMENT, &memory, &error)) {
        cache->most = cache->made;
        return false;
    }
    cache->blocks[cache->made >> cache->block_shift] = memory;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = cache->made++;
        struct frame *frame = &cache->frames[index];
        *frame = (struct frame){.index = index, .dirty = DIRTY_NOT};
        frame->page.body = cache_page(cache, index) + PAGE_HEADER_BYTES;
        frame->page.body_bytes = cache->page_bytes - PAGE_HEADER_BYTES;
        list_link_init(&frame->dirty_link);
        fiber_queue_init(&frame->readers);
        cache->use[index] = 0;
        queue_enter(cache, frame, QUEUE_FREE);
    }
    return true;
}

static bool evictable(const struct frame *frame)
{
    return frame->pins == 0 && frame->state == FRAME_READY && frame->dirty == DIRTY_NOT && !frame->writing;
}

static void rotate(struct cache *cache, struct frame *frame, enum frame_queue to)
{
    queue_leave(cache, frame);
    queue_enter(cache, frame, to);
}

/* Throws the page that deserves it least to stay out of the cache and puts its frame on the free list. */
static bool evict(struct cache *cache, uint32_t tries_most)
{
    struct cache_queue *small = &cache->queues[QUEUE_SMALL], *main = &cache->queues[QUEUE_MAIN];
    for (uint32_t tries = 0; tries < tries_most && small->count + main->count > 0; tries++) {
        bool from_small = small->count > cache->made / 10 || main->count == 0;
        struct frame *frame = &cache->frames[from_small ? small->tail : main->tail];
        uint32_t uses = cache->use[frame->index] & USE_MOST;
        if (from_small && uses > 1) {
            cache->use[frame->index] &= (uint8_t)~USE_MOST;
            rotate(cache, frame, QUEUE_MAIN);
        } else if (!from_small && uses > 0) {
            cache->use[frame->index]--;
            rotate(cache, frame, QUEUE_MAIN);
        } else if (!evictable(frame)) {
            rotate(cache, frame, QUEUE_MAIN);
        } else {
            if (from_small)
                ghost_remember(cache, frame->page.number);
            cache_forget(cache, frame);
            cache_give(cache, frame);
            cache->evictions++;
            return true;
        }
    }
    return false;
}

bool cache_reserve(struct cache *cache, uint32_t count)
{
    while (cache->queues[QUEUE_FREE].count < count) {
        if (!make_block(cache) && !evict(cache, EVICTION_TRIES))
            return false;
    }
    return true;
}

struct frame *cache_take(struct cache *cache)
{
    if (!cache_reserve(cache, 1))
        return NULL;
    struct frame *frame = &cache->frames[cache->queues[QUEUE_FREE].head];
    queue_leave(cache, frame);
    return frame;
}

bool cache_evict_any(struct cache *cache)
{
    return evict(cache, (USE_MOST + 2) * cache->made);
}

void cache_give(struct cache *cache, struct frame *frame)
{
    check(frame->queue == QUEUE_NONE && frame->pins == 0 && frame->dirty == DIRTY_NOT && !frame->writing);
    frame->state = FRAME_FREE;
    frame->gone = frame->frees_place = frame->temporary = false;
    frame->page.number = PAGE_NONE;
    queue_enter(cache, frame, QUEUE_FREE);
}

void cache_enter(struct cache *cache, struct frame *frame, uint64_t number, enum frame_state state)
{
    frame->page.number = number;
    frame->state = (uint8_t)state;
    cache->use[frame->index] = 0;
    slot_insert(cache, number, frame->index, state == FRAME_READING);
    queue_enter(cache, frame, ghost_knows(cache, number) ? QUEUE_MAIN : QUEUE_SMALL);
}

void cache_ready(struct cache *cache, struct frame *frame)
{
    frame->state = FRAME_READY;
    if (!frame->gone)
        cache_lookup(cache, frame->page.number)->reading = false;
}

void cache_forget(struct cache *cache, struct frame *frame)
{
    struct cache_slot *slot = cache_lookup(cache, frame->page.number);
    check(slot && slot->frame == frame->index);
    slot_remove(cache, slot);
    queue_leave(cache, frame);
}
