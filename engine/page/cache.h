/* The cache of a volume: frames, each room for one page, found by page number.
 *
 *                 taken            read, or made new              unhashed, and nothing uses it
 *     on the free list -> FRAME_READING -> FRAME_READY -> (gone) ------------------------------> on the free list
 *
 * Replacement is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): newcomers enter a
 * small queue of a tenth of the frames; who was used twice by its end moves to the main queue, who was not leaves and is
 * remembered for a while in the *ghost*, from where a return leads straight to the main queue. The main queue gives
 * whoever was used another round. So a scan passes through the small queue and harms nobody; and a hit costs a saturating
 * counter in an array of one byte a frame, not a move in a list: the hottest path touches neither frames nor queues.
 * Where we differ: the ghost is a table of fingerprints, not a queue; it may forget, or remember wrongly, which costs
 * one wrong guess. */
#ifndef SYNOD_ENGINE_PAGE_CACHE_H
#define SYNOD_ENGINE_PAGE_CACHE_H

#include "base/fiber.h"
#include "base/list.h"
#include "engine/page/page.h"

#define NO_FRAME UINT32_MAX

enum frame_state { FRAME_FREE, FRAME_READING, FRAME_READY };
enum frame_queue { QUEUE_NONE, QUEUE_SMALL, QUEUE_MAIN, QUEUE_FREE, QUEUES };

/* Lists of dirty frames. Of the first two one is the present generation's, the other that of the commit under way. */
enum dirty_list { DIRTY_EVEN, DIRTY_ODD, DIRTY_TEMPORARY, DIRTY_LISTS, DIRTY_NOT = DIRTY_LISTS };

struct frame {
    struct page page;
    uint32_t index;
    uint32_t next, prev; /* in its queue */
    uint32_t pins;
    uint8_t queue;
    uint8_t state;
    uint8_t dirty; /* in which list; DIRTY_NOT = the disk has, or is being given, what the frame holds */
    bool writing;  /* a copy of it is on its way to the disk */
    bool temporary;
    bool gone;        /* unhashed: nobody will find it; leaves when no one uses it */
    bool frees_place; /* with gone: the place can be given away when the write has landed */
    struct list_link dirty_link;
    struct fiber_queue readers; /* wait for the end of FRAME_READING */
};

/* frame == NO_FRAME: free. */
struct cache_slot {
    uint64_t number;
    uint32_t frame;
    uint32_t reading;
};

struct cache_queue {
    uint32_t head, tail; /* enter at the head, leave at the tail */
    uint32_t count;
};

struct ghost {
    uint32_t print;
    uint32_t when;
};

#define USE_MOST   3    /* the saturating counter's */
#define USE_VETTED 0x80 /* the layer above knows the content to be sound */

struct cache {
    struct scope *scope;
    uint32_t page_bytes, page_shift;
    uint32_t most; /* frames there may be */
    uint32_t made; /* frames that have memory */
    uint32_t block_shift;
    uint8_t **blocks; /* memory of 2^block_shift frames each */
    struct frame *frames;
    uint8_t *use;             /* counter and flag of each frame */
    struct cache_slot *slots; /* linear probing, half empty */
    uint32_t slot_bits;
    struct cache_queue queues[QUEUES];
    struct ghost *ghosts;
    uint32_t ghost_bits;
    uint32_t evicted; /* into the ghost, ever; wraps around */
    uint64_t hits, misses, evictions;
};

/* Fails with 53200. */
enum sqlstate cache_open(struct cache *cache, struct scope *scope, uint32_t page_bytes, size_t cache_bytes,
                         struct error *error);

static inline uint64_t cache_hash(uint64_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint8_t *cache_page(const struct cache *cache, uint32_t frame)
{
    uint32_t within = frame & ((1U << cache->block_shift) - 1);
    return cache->blocks[frame >> cache->block_shift] + ((size_t)within << cache->page_shift);
}

/* The slot of a number, or NULL. */
static inline struct cache_slot *cache_lookup(const struct cache *cache, uint64_t number)
{
    uint32_t mask = (1U << cache->slot_bits) - 1;
    for (uint32_t at = (uint32_t)(cache_hash(number) >> (64 - cache->slot_bits));; at = (at + 1) & mask) {
        struct cache_slot *slot = &cache->slots[at];
        if (slot->number == number && slot->frame != NO_FRAME)
            return slot;
        if (slot->frame == NO_FRAME)
            return NULL;
    }
}

static inline void cache_used(struct cache *cache, uint32_t frame)
{
    uint8_t use = cache->use[frame];
    if ((use & USE_MOST) != USE_MOST)
        cache->use[frame] = use + 1;
}

static inline struct frame *frame_of(struct page *page)
{
    return container_of(page, struct frame, page);
}

/* A free frame if there is one, or if one can be made or evicted at once; else NULL. It is in no queue. Does not yield. */
struct frame *cache_take(struct cache *cache);

/* Puts frames on the free list, by evicting, until there are `count`; false when it did not get there. */
bool cache_reserve(struct cache *cache, uint32_t count);

/* Evicts a page if any can be evicted at all: looks at each as often as it may have been used. */
bool cache_evict_any(struct cache *cache);

/* Gives a frame that is in no queue and not hashed back. */
void cache_give(struct cache *cache, struct frame *frame);

/* Makes a taken frame findable. */
void cache_enter(struct cache *cache, struct frame *frame, uint64_t number, enum frame_state state);

/* FRAME_READING -> FRAME_READY. */
void cache_ready(struct cache *cache, struct frame *frame);

/* Nobody will find the frame any more: out of the table and its queue. */
void cache_forget(struct cache *cache, struct frame *frame);

#endif
