/* Sets of pages, which are kept or freed as a whole. */
#include "engine/page/volume.h"

#include "base/check.h"
#include "base/scope.h"

struct page_set {
    struct scope *scope;
    struct volume *volume;
    uint64_t *places;
    uint64_t words;
};

struct page_set *page_set_open(struct scope *scope, struct volume *volume)
{
    struct page_set *set = scope_alloc_zeroed(scope, sizeof *set);
    set->scope = scope;
    set->volume = volume;
    return set;
}

/* The volume may have grown. */
static enum sqlstate reach(struct page_set *set, uint64_t place, struct error *error)
{
    uint64_t words = set->volume->space.places / 64 + 1;
    void *memory;
    words = words > place / 64 ? words : place / 64 + 1;
    words += words / 4;
    enum sqlstate failed = scope_alloc_large(set->scope, words * sizeof *set->places, 64, &memory, error);
    if (failed)
        return failed;
    memset(memory, 0, words * sizeof *set->places);
    if (set->places) {
        memcpy(memory, set->places, set->words * sizeof *set->places);
        scope_free_large(set->scope, set->places);
    }
    set->places = memory;
    set->words = words;
    return SQLSTATE_OK;
}

enum sqlstate page_set_add(struct page_set *set, uint64_t number, bool *added, struct error *error)
{
    uint64_t place = number_place(number), bit = UINT64_C(1) << place % 64;
    if (!space_valid(&set->volume->space, place))
        return volume_damaged(set->volume, number, "there is no such page", error);
    if (place / 64 >= set->words) {
        enum sqlstate failed = reach(set, place, error);
        if (failed)
            return failed;
    }
    *added = !(set->places[place / 64] & bit);
    set->places[place / 64] |= bit;
    return SQLSTATE_OK;
}

static bool set_has(const struct page_set *set, uint64_t place)
{
    return place / 64 < set->words && space_bit(set->places, place);
}

/* The next cached page of the set, from slot *at on, or NULL. A frame that leaves has another move into its slot, so the
 * same slot is looked at again. */
static struct frame *next_cached(struct volume *volume, const struct page_set *set, uint64_t *at)
{
    for (; *at < UINT64_C(1) << volume->cache.slot_bits; ++*at) {
        const struct cache_slot *slot = &volume->cache.slots[*at];
        if (slot->frame != NO_FRAME && set_has(set, number_place(slot->number)))
            return &volume->cache.frames[slot->frame];
    }
    return NULL;
}

void volume_keep_set(struct volume *volume, const struct page_set *set)
{
    struct frame *frame;
    for (uint64_t at = 0; (frame = next_cached(volume, set, &at)); at++) {
        bool dirty = frame->dirty != DIRTY_NOT;
        if (!frame->temporary)
            continue;
        frame_undirty(volume, frame);
        frame->temporary = false;
        if (dirty)
            frame_dirty_in(volume, frame, volume->present);
    }
    for (uint64_t word = 0; word < set->words; word++) {
        if (set->places[word])
            space_keep_word(&volume->space, word, set->places[word]);
    }
}

void volume_free_set(struct volume *volume, struct page_set *set)
{
    struct frame *frame;
    volume->ahead_count = 0; /* some of it may be asked for: for no good any more */
    for (uint64_t at = 0; (frame = next_cached(volume, set, &at));) {
        /* Its place may be freed later, when a write of it has landed. */
        uint64_t place = number_place(frame->page.number);
        frame_go(volume, frame);
        set->places[place / 64] &= ~(UINT64_C(1) << place % 64);
    }
    for (uint64_t word = 0; word < set->words; word++) {
        if (set->places[word])
            space_free_word(&volume->space, word, set->places[word]);
    }
}
