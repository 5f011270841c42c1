/* Pages found, made, changed and freed; room for that. */
#include "engine/page/volume.h"

#include "base/check.h"
#include "base/log.h"

/* The file grows by a 32nd, within these bounds: files stay in few pieces, and little of one is ever in vain. */
#define GROWTH_BYTES_MIN (1024U * 1024)
#define GROWTH_BYTES_MAX (64U * 1024 * 1024)

/* ---- finding ---- */

const uint8_t *volume_peek(struct volume *volume, uint64_t number, bool *vetted)
{
    struct cache *cache = &volume->cache;
    const struct cache_slot *slot = cache_lookup(cache, number);
    if (!slot || slot->reading)
        return NULL;
    uint32_t frame = slot->frame;
    *vetted = cache->use[frame] & USE_VETTED;
    cache_used(cache, frame);
    cache->hits++;
    return cache_page(cache, frame) + PAGE_HEADER_BYTES;
}

void volume_vet(struct volume *volume, uint64_t number)
{
    const struct cache_slot *slot = cache_lookup(&volume->cache, number);
    if (slot && !slot->reading)
        volume->cache.use[slot->frame] |= USE_VETTED;
}

struct page *volume_find(struct volume *volume, uint64_t number)
{
    struct cache *cache = &volume->cache;
    const struct cache_slot *slot = cache_lookup(cache, number);
    if (!slot || slot->reading)
        return NULL;
    cache_used(cache, slot->frame);
    cache->hits++;
    struct frame *frame = &cache->frames[slot->frame];
    frame->pins++;
    return &frame->page;
}

void volume_unpin(struct volume *volume, struct page *page)
{
    struct frame *frame = frame_of(page);
    check(frame->pins > 0);
    if (--frame->pins == 0)
        frame_settle(volume, frame);
}

/* ---- room ---- */

static uint64_t growth(const struct volume *volume, uint64_t places)
{
    uint64_t bytes = volume->space.places * volume->page_bytes / 32;
    bytes = bytes < GROWTH_BYTES_MIN ? GROWTH_BYTES_MIN : bytes > GROWTH_BYTES_MAX ? GROWTH_BYTES_MAX : bytes;
    /* Larger maps need a larger reserve; a group and a directory more are enough for any step but the largest. */
    uint64_t chunk = bytes / volume->page_bytes,
             needed = places + 2 + places / group_places(volume->page_bytes);
    return chunk > needed ? chunk : needed;
}

static enum sqlstate grow_by(struct volume *volume, uint64_t places, struct error *error)
{
    uint64_t old = volume->space.places;
    enum sqlstate failed = disk_allocate(volume->world, volume->scope, volume->file,
                                         place_offset(volume, old), places * volume->page_bytes, error);
    return failed ? failed : space_grow(&volume->space, old + places, error);
}

enum sqlstate volume_grow(struct volume *volume, uint64_t places, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    fiber_shield_begin(volume->world->scheduler);
    if (volume->growing) {
        /* Somebody does it already; the caller looks again. */
        while (volume->growing)
            (void)!fiber_wait(volume->world->scheduler, &volume->grown, FIBER_NO_DEADLINE);
    } else {
        volume->growing = true;
        uint64_t wanted = growth(volume, places);
        failed = grow_by(volume, wanted, error);
        if (failed == SQLSTATE_DISK_FULL && wanted > places + 2)
            failed = grow_by(volume, places + 2, error);
        volume->growing = false;
        fiber_wake_all(&volume->grown);
    }
    fiber_shield_end(volume->world->scheduler);
    return failed;
}

enum sqlstate volume_make_room(struct volume *volume, size_t count, struct error *error)
{
    check(count <= VOLUME_CACHE_PAGES_MIN / 2);
    fiber_may_yield(volume->world->scheduler);
    wake_cleaners(volume);
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        if (volume->failed)
            return volume_refuses(volume, error);
        if (space_available(&volume->space) < count) {
            failed = volume_grow(volume, count, error);
        } else if (!cache_reserve(&volume->cache, (uint32_t)count)) {
            failed = frames_await(volume, (uint32_t)count, error);
        } else {
            return SQLSTATE_OK;
        }
        if (failed)
            return failed;
    }
}

/* ---- making ---- */

/* Requires room. */
static struct frame *frame_make(struct volume *volume, bool temporary)
{
    struct frame *frame = cache_take(&volume->cache);
    check(frame && space_available(&volume->space) > 0, "no room was made");
    uint64_t place = space_take(&volume->space, temporary);
    frame->temporary = temporary;
    cache_enter(&volume->cache, frame, number_of(place, volume->generation), FRAME_READY);
    frame->pins = 1;
    frame_dirty(volume, frame);
    return frame;
}

static enum sqlstate page_new(struct volume *volume, bool temporary, struct page **page, struct error *error)
{
    if (volume->failed || space_available(&volume->space) == 0 || !cache_reserve(&volume->cache, 1)) {
        enum sqlstate failed = volume_make_room(volume, 1, error);
        if (failed)
            return failed;
    }
    struct frame *frame = frame_make(volume, temporary);
    memset(frame->page.body, 0, frame->page.body_bytes);
    *page = &frame->page;
    return SQLSTATE_OK;
}

enum sqlstate volume_new(struct volume *volume, struct page **page, struct error *error)
{
    return page_new(volume, false, page, error);
}

enum sqlstate volume_new_temporary(struct volume *volume, struct page **page, struct error *error)
{
    return page_new(volume, true, page, error);
}

/* ---- freeing ---- */

void frame_go(struct volume *volume, struct frame *frame)
{
    bool private = frame_is_private(volume, frame);
    bool wanted_by_commit = volume->committing && !private;
    ahead_forget(volume, frame->page.number);
    cache_forget(&volume->cache, frame);
    frame->gone = true;
    if (!wanted_by_commit)
        frame_undirty(volume, frame);
    /* A write under way, or a read, must not meet with what the place will hold next. */
    if (frame->writing || frame->state == FRAME_READING)
        frame->frees_place = true;
    else
        space_free(&volume->space, number_place(frame->page.number), private);
    frame_settle(volume, frame);
}

void volume_free(struct volume *volume, struct page *page)
{
    struct frame *frame = frame_of(page);
    check(frame->pins > 0 && !frame->gone);
    frame->pins--;
    frame_go(volume, frame);
}

void volume_free_number(struct volume *volume, uint64_t number)
{
    const struct cache_slot *slot = cache_lookup(&volume->cache, number);
    uint64_t place = number_place(number);
    bool freed = true;
    ahead_forget(volume, number);
    if (slot)
        frame_go(volume, &volume->cache.frames[slot->frame]);
    else
        freed = space_valid(&volume->space, place) &&
                space_free(&volume->space, place,
                           space_bit(volume->space.loose, place) || number_is_of(number, volume->generation));
    if (!freed)
        log_line(volume->world, LOG_ERROR, "volume_free",
                 "page %llu of volume \"%s\" is freed and not in use", (unsigned long long)place,
                 volume->path);
}

bool volume_in_use(const struct volume *volume, uint64_t number)
{
    uint64_t place = number_place(number);
    return space_valid(&volume->space, place) &&
           (space_bit(volume->space.now, place) || space_bit(volume->space.loose, place));
}

/* ---- changing ---- */

struct page *volume_write(struct volume *volume, struct page *page)
{
    struct frame *old = frame_of(page);
    check(old->pins > 0 && !old->gone);
    if (frame_is_private(volume, old)) {
        frame_dirty(volume, old);
        return page;
    }
    struct frame *new = frame_make(volume, false);
    memcpy(new->page.body, page->body, page->body_bytes);
    volume->cache.use[new->index] |= volume->cache.use[old->index];
    volume_free(volume, page);
    return &new->page;
}
