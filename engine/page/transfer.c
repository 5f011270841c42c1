/* Between memory and disk: reading, reading ahead, and writing of dirty pages in batches.
 *
 * A batch is made up without a yield: pages are taken off their dirty list, sorted, copied into the writer's staging
 * memory and sealed there; neighbours on the disk become one transfer. From then on the pages may be changed (and so
 * become dirty again); they cannot leave the cache and their places cannot be given away until the batch has landed, and
 * a page is in one batch at most, so that two writes of it never race.
 *
 * Pages are written early, before their commit, when they fill too much of the cache. That is safe: nothing durable
 * refers to them. */
#include "engine/page/volume.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"

#include <stdlib.h>

/* How long to wait for a frame while all of them are pinned or being read. */
#define FRAME_WAIT_NS (10 * UINT64_C(1000000000))

/* ---- errors ---- */

enum sqlstate volume_damaged(const struct volume *volume, uint64_t number, const char *fault,
                             struct error *error)
{
    if (volume->failed)
        return error_set(error, SQLSTATE_IO_ERROR,
                         "page %llu of volume \"%s\" is not there (%s), for an earlier write failed",
                         (unsigned long long)number_place(number), volume->path, fault);
    return error_set(error, SQLSTATE_DATA_CORRUPTED, "page %llu of volume \"%s\" is damaged: %s",
                     (unsigned long long)number_place(number), volume->path, fault);
}

enum sqlstate volume_refuses(const struct volume *volume, struct error *error)
{
    return error_set(error, SQLSTATE_IO_ERROR,
                     "volume \"%s\" takes no more changes, for an earlier write to it failed", volume->path);
}

void volume_fail(struct volume *volume, const struct error *error)
{
    if (!volume->failed)
        log_error(volume->world, LOG_ERROR, "volume_write", error,
                  "a write to volume \"%s\" failed; it takes no more changes", volume->path);
    volume->failed = true;
}

enum sqlstate volume_transfer(struct volume *volume, struct scope *scope, bool write,
                              struct disk_transfer *transfers, size_t count, struct error *error)
{
    enum sqlstate failed;
    fiber_shield_begin(volume->world->scheduler);
    if (write)
        failed = disk_write_many(volume->world, scope, transfers, count, false, error);
    else
        failed = disk_read_many(volume->world, scope, transfers, count, error);
    fiber_shield_end(volume->world->scheduler);
    for (size_t i = 0; i < count && !failed && !write; i++) {
        if (transfers[i].done < transfers[i].size)
            failed = volume_damaged(volume, (transfers[i].offset + transfers[i].done) / volume->page_bytes,
                                    "the file ends before it", error);
    }
    return failed;
}

/* ---- frames ---- */

void frame_dirty_in(struct volume *volume, struct frame *frame, enum dirty_list list)
{
    frame->dirty = (uint8_t)list;
    list_append(&volume->dirty[list], &frame->dirty_link);
    volume->dirty_count[list]++;
}

void frame_dirty(struct volume *volume, struct frame *frame)
{
    enum dirty_list list = volume->present;
    if (frame->dirty != DIRTY_NOT)
        return;
    if (frame->temporary)
        list = DIRTY_TEMPORARY;
    else if (volume->committing && !number_is_of(frame->page.number, volume->generation))
        list = !volume->present;
    frame_dirty_in(volume, frame, list);
}

void frame_undirty(struct volume *volume, struct frame *frame)
{
    if (frame->dirty == DIRTY_NOT)
        return;
    volume->dirty_count[frame->dirty]--;
    list_remove(&frame->dirty_link);
    frame->dirty = DIRTY_NOT;
}

void frame_settle(struct volume *volume, struct frame *frame)
{
    if (frame->pins || frame->writing || frame->state == FRAME_READING)
        return;
    if (frame->gone && frame->frees_place) {
        space_free(&volume->space, number_place(frame->page.number), frame_is_private(volume, frame));
        frame->frees_place = false;
    }
    if (frame->gone && frame->dirty == DIRTY_NOT)
        cache_give(&volume->cache, frame);
    fiber_wake_all(&volume->frame_free); /* they want different numbers of frames */
}

/* Writes what is dirty, whatever generation it belongs to. */
static enum sqlstate clean_some(struct volume *volume, bool *wrote, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *wrote = false;
    for (int list = 0; list < DIRTY_LISTS && !*wrote && !failed; list++)
        failed = write_batch(volume, (enum dirty_list)list, wrote, error);
    return failed;
}

enum sqlstate frames_await(struct volume *volume, uint32_t count, struct error *error)
{
    fiber_may_yield(volume->world->scheduler);
    uint64_t deadline_ns = volume->world->now_ns + FRAME_WAIT_NS;
    while (!cache_reserve(&volume->cache, count)) {
        bool wrote = false;
        enum sqlstate failed = volume->failed ? SQLSTATE_OK : clean_some(volume, &wrote, error);
        if (failed)
            return failed;
        if (wrote || cache_evict_any(&volume->cache))
            continue;
        switch (fiber_wait(volume->world->scheduler, &volume->frame_free, deadline_ns)) {
        case FIBER_WOKEN:
            break;
        case FIBER_CANCELED:
            return fiber_check_canceled(volume->world->scheduler, error);
        case FIBER_TIMED_OUT:
            if (volume->failed)
                return volume_refuses(volume, error);
            return error_set(error, SQLSTATE_OUT_OF_MEMORY,
                             "all pages in the cache of volume \"%s\" are in use", volume->path);
        }
    }
    return SQLSTATE_OK;
}

enum sqlstate frame_take(struct volume *volume, struct frame **frame, struct error *error)
{
    enum sqlstate failed = frames_await(volume, 1, error);
    if (failed)
        return failed;
    *frame = cache_take(&volume->cache);
    check(*frame);
    return SQLSTATE_OK;
}

/* ---- reading ---- */

static const char *frame_fault(const struct volume *volume, const struct frame *frame)
{
    const uint8_t *page = cache_page(&volume->cache, frame->index);
    const char *fault = page_fault(page, volume->page_bytes, PAGE_OF_LAYER, volume->id, frame->page.number);
    struct page_header header;
    memcpy(&header, page, sizeof header);
    if (!fault && header.generation > volume->generation)
        return "it is of a generation to come";
    return fault;
}

/* Enters a page that is not in the cache, to be read. */
static void begin_reading(struct volume *volume, struct frame *frame, uint64_t number,
                          struct disk_transfer *transfer)
{
    cache_enter(&volume->cache, frame, number, FRAME_READING);
    frame->temporary = space_bit(volume->space.loose, number_place(number));
    volume->reads++;
    *transfer = (struct disk_transfer){.file = volume->file,
                                       .data = cache_page(&volume->cache, frame->index),
                                       .size = volume->page_bytes,
                                       .offset = place_offset(volume, number_place(number))};
}

/* The read has ended: the page is there for all who wait, or it is not and they will see for themselves. */
static void end_reading(struct volume *volume, struct frame *frame, bool read)
{
    if (!read && !frame->gone) {
        cache_forget(&volume->cache, frame);
        frame->gone = true;
    }
    cache_ready(&volume->cache, frame);
    fiber_wake_all(&frame->readers);
    frame_settle(volume, frame);
}

/* A page that was freed while it was read is nobody's any more, and what was read of it no failure. */
static enum sqlstate read_one(struct volume *volume, struct frame *frame, uint64_t number,
                              struct error *error)
{
    struct disk_transfer transfer;
    begin_reading(volume, frame, number, &transfer);
    enum sqlstate failed = volume_transfer(volume, volume->scope, false, &transfer, 1, error);
    const char *fault = failed ? NULL : frame_fault(volume, frame);
    if (fault)
        failed = volume_damaged(volume, number, fault, error);
    bool wanted = !frame->gone;
    end_reading(volume, frame, !failed);
    return wanted ? failed : SQLSTATE_OK;
}

enum sqlstate volume_read(struct volume *volume, uint64_t number, struct page **page, struct error *error)
{
    struct frame *frame;
    volume->cache.misses += !cache_lookup(&volume->cache, number);
    for (;;) {
        struct cache_slot *slot = cache_lookup(&volume->cache, number);
        if (slot && slot->reading) {
            fiber_may_yield(volume->world->scheduler);
            if (fiber_wait(volume->world->scheduler, &volume->cache.frames[slot->frame].readers,
                           FIBER_NO_DEADLINE) == FIBER_CANCELED)
                return fiber_check_canceled(volume->world->scheduler, error);
            continue;
        }
        if (slot) {
            *page = volume_find(volume, number);
            return SQLSTATE_OK;
        }
        if (!space_valid(&volume->space, number_place(number)))
            return volume_damaged(volume, number, "there is no such page", error);
        enum sqlstate failed = frame_take(volume, &frame, error);
        if (failed)
            return failed;
        if (cache_lookup(&volume->cache, number)) { /* somebody was faster */
            cache_give(&volume->cache, frame);
            continue;
        }
        failed = read_one(volume, frame, number, error);
        if (failed)
            return failed;
    }
}

enum sqlstate volume_fetch(struct volume *volume, uint64_t number, struct error *error)
{
    struct scheduler *scheduler = volume->world->scheduler;
    struct cache_slot *slot = cache_lookup(&volume->cache, number);
    fiber_may_yield(scheduler);
    volume->cache.misses += !slot;
    if (slot && slot->reading) {
        struct frame *reading = &volume->cache.frames[slot->frame];
        return fiber_wait(scheduler, &reading->readers, FIBER_NO_DEADLINE) == FIBER_CANCELED
                   ? fiber_check_canceled(scheduler, error)
                   : SQLSTATE_OK;
    }
    if (slot)
        return SQLSTATE_OK;
    if (!space_valid(&volume->space, number_place(number)))
        return volume_damaged(volume, number, "there is no such page", error);
    struct frame *frame = cache_take(&volume->cache);
    return frame ? read_one(volume, frame, number, error) : frames_await(volume, 1, error);
}

/* ---- reading ahead ---- */

void ahead_forget(struct volume *volume, uint64_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < volume->ahead_count; i++) {
        uint64_t asked = volume->ahead[(volume->ahead_first + i) % AHEAD_MOST];
        if (asked != number)
            volume->ahead[(volume->ahead_first + kept++) % AHEAD_MOST] = asked;
    }
    volume->ahead_count = kept;
}

void volume_prefetch(struct volume *volume, const uint64_t *numbers, size_t count)
{
    uint32_t added = 0;
    for (size_t i = 0; i < count && volume->ahead_count < AHEAD_MOST; i++) {
        if (cache_lookup(&volume->cache, numbers[i]) ||
            !space_valid(&volume->space, number_place(numbers[i])))
            continue;
        volume->ahead[(volume->ahead_first + volume->ahead_count++) % AHEAD_MOST] = numbers[i];
        added++;
    }
    if (added)
        fiber_wake_one(&volume->reading_ahead);
}

/* Reads some of the pages that were asked for, as far as frames can be had at once. */
static void read_ahead(struct volume *volume)
{
    struct disk_transfer transfers[AHEAD_BATCH];
    struct frame *frames[AHEAD_BATCH];
    struct error error;
    size_t count = 0;
    while (volume->ahead_count && count < AHEAD_BATCH) {
        uint64_t number = volume->ahead[volume->ahead_first];
        volume->ahead_first = (volume->ahead_first + 1) % AHEAD_MOST;
        volume->ahead_count--;
        if (cache_lookup(&volume->cache, number))
            continue;
        struct frame *frame = cache_take(&volume->cache);
        if (!frame) {
            volume->ahead_count = 0;
            break;
        }
        begin_reading(volume, frame, number, &transfers[count]);
        frames[count++] = frame;
    }
    if (count == 0)
        return;
    bool read = !volume_transfer(volume, volume->scope, false, transfers, count, &error);
    for (size_t i = 0; i < count; i++)
        end_reading(volume, frames[i], read && !frame_fault(volume, frames[i]));
}

static void read_ahead_run(void *argument)
{
    struct volume *volume = argument;
    while (!fiber_canceled(volume->world->scheduler)) {
        if (volume->ahead_count)
            read_ahead(volume);
        else
            (void)!fiber_wait(volume->world->scheduler, &volume->reading_ahead, FIBER_NO_DEADLINE);
    }
}

/* ---- writing ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t left = number_place((*(struct frame *const *)a)->page.number);
    uint64_t right = number_place((*(struct frame *const *)b)->page.number);
    return (left > right) - (left < right);
}

static struct writer *writer_take(struct volume *volume)
{
    for (;;) {
        for (int i = 0; i < WRITERS; i++) {
            if (!volume->writers[i].taken) {
                volume->writers[i].taken = true;
                volume->writers[i].turn++;
                return &volume->writers[i];
            }
        }
        (void)!fiber_wait(volume->world->scheduler, &volume->writer_free, FIBER_NO_DEADLINE);
    }
}

static void writer_give(struct volume *volume, struct writer *writer)
{
    writer->taken = false;
    writer->turn++;
    fiber_wake_one(&volume->writer_free);
    fiber_wake_all(&volume->landed);
}

/* Takes up to a batch of frames off a list, sorted by place. */
static size_t gather(struct volume *volume, enum dirty_list list, struct frame **frames)
{
    size_t count = 0;
    list_each_safe (&volume->dirty[list], at) {
        struct frame *frame = container_of(at, struct frame, dirty_link);
        if (frame->writing)
            continue;
        frame_undirty(volume, frame);
        frame->writing = true;
        frames[count++] = frame;
        if (count == volume->batch)
            break;
    }
    qsort(frames, count, sizeof *frames, by_number);
    return count;
}

/* Copies and seals pages; gives the number of transfers, neighbours being one. */
static size_t stage(struct volume *volume, struct writer *writer, size_t count)
{
    size_t transfers = 0;
    for (size_t i = 0; i < count; i++) {
        const struct page *page = &writer->frames[i]->page;
        uint8_t *copy = writer->staging + i * volume->page_bytes;
        uint64_t offset = place_offset(volume, number_place(page->number));
        memcpy(copy + PAGE_HEADER_BYTES, page->body, page->body_bytes);
        page_seal(copy, volume->page_bytes, PAGE_OF_LAYER, volume->id, page->number,
                  number_generation(page->number, volume->generation));
        struct disk_transfer *last = transfers ? &writer->transfers[transfers - 1] : NULL;
        if (last && last->offset + last->size == offset)
            last->size += volume->page_bytes;
        else
            writer->transfers[transfers++] = (struct disk_transfer){
                .file = volume->file, .data = copy, .size = volume->page_bytes, .offset = offset};
    }
    return transfers;
}

/* The batch has landed: what failed is dirty again, what was freed meanwhile leaves. */
static void land(struct volume *volume, struct frame **frames, size_t count, bool written)
{
    for (size_t i = 0; i < count; i++) {
        struct frame *frame = frames[i];
        frame->writing = false;
        if (!written && !frame->frees_place)
            frame_dirty(volume, frame);
        frame_settle(volume, frame);
    }
}

enum sqlstate write_batch(struct volume *volume, enum dirty_list list, bool *wrote, struct error *error)
{
    *wrote = false;
    if (volume->failed)
        return volume_refuses(volume, error);
    if (list_empty(&volume->dirty[list]))
        return SQLSTATE_OK;
    fiber_shield_begin(volume->world->scheduler);
    struct writer *writer = writer_take(volume);
    size_t count = gather(volume, list, writer->frames);
    enum sqlstate failed = SQLSTATE_OK;
    if (count) {
        size_t transfers = stage(volume, writer, count);
        failed = volume_transfer(volume, volume->scope, true, writer->transfers, transfers, error);
        if (failed && failed != SQLSTATE_DISK_FULL)
            volume_fail(volume, error);
        volume->writes += count;
        land(volume, writer->frames, count, !failed);
    }
    writer_give(volume, writer);
    fiber_shield_end(volume->world->scheduler);
    *wrote = count > 0 && !failed;
    return failed;
}

void wait_for_writers(struct volume *volume)
{
    uint64_t turns[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        turns[i] = volume->writers[i].turn;
    fiber_shield_begin(volume->world->scheduler);
    for (int i = 0; i < WRITERS; i++) {
        while (turns[i] % 2 && volume->writers[i].turn == turns[i])
            (void)!fiber_wait(volume->world->scheduler, &volume->landed, FIBER_NO_DEADLINE);
    }
    fiber_shield_end(volume->world->scheduler);
}

/* ---- cleaning ---- */

/* A quarter of the cache may be dirty before it is written early: pages that change often should be written once. */
static bool much_dirty(const struct volume *volume)
{
    uint64_t dirty = volume->dirty_count[volume->present] + volume->dirty_count[DIRTY_TEMPORARY];
    return dirty > volume->cache.most / 4;
}

void wake_cleaners(struct volume *volume)
{
    if (much_dirty(volume))
        fiber_wake_all(&volume->cleaning);
}

static void clean(struct volume *volume)
{
    struct error error;
    bool wrote = false;
    enum sqlstate failed = SQLSTATE_OK;
    if (volume->committing && !volume->failed && !list_empty(&volume->dirty[!volume->present])) {
        failed = write_batch(volume, !volume->present, &wrote, &error);
    } else if (much_dirty(volume) && !volume->failed) {
        bool temporary = volume->dirty_count[DIRTY_TEMPORARY] > volume->dirty_count[volume->present];
        failed = write_batch(volume, temporary ? DIRTY_TEMPORARY : volume->present, &wrote, &error);
    }
    (void)failed; /* the pages are dirty as before; whoever needs them written will hear of it */
    if (!wrote)
        (void)!fiber_wait(volume->world->scheduler, &volume->cleaning, FIBER_NO_DEADLINE);
}

static void cleaner_run(void *argument)
{
    struct volume *volume = argument;
    while (!fiber_canceled(volume->world->scheduler))
        clean(volume);
}

/* ---- opening ---- */

static enum sqlstate writer_open(struct volume *volume, struct writer *writer, struct error *error)
{
    void *staging;
    writer->frames = scope_alloc(volume->scope, volume->batch * sizeof *writer->frames);
    writer->transfers = scope_alloc(volume->scope, volume->batch * sizeof *writer->transfers);
    enum sqlstate failed = scope_alloc_large(volume->scope, (size_t)volume->batch * volume->page_bytes,
                                             DISK_ALIGNMENT, &staging, error);
    writer->staging = staging;
    return failed;
}

enum sqlstate transfer_open(struct volume *volume, struct error *error)
{
    struct scheduler *scheduler = volume->world->scheduler;
    struct fiber_queue *queues[] = {&volume->writer_free, &volume->landed,        &volume->frame_free,
                                    &volume->cleaning,    &volume->reading_ahead, &volume->grown};
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        fiber_queue_init(queues[i]);
    for (int i = 0; i < DIRTY_LISTS; i++)
        list_init(&volume->dirty[i]);
    list_init(&volume->holds);
    uint32_t most = BATCH_BYTES / volume->page_bytes, share = volume->cache.most / 16;
    volume->batch = share < most ? share : most;
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < WRITERS && !failed; i++)
        failed = writer_open(volume, &volume->writers[i], error);
    for (int i = 0; i < AHEAD_FIBERS && !failed; i++)
        failed = fiber_start(scheduler, volume->scope, "read ahead", read_ahead_run, volume, NULL, error);
    for (int i = 0; i < CLEANERS && !failed; i++)
        failed = fiber_start(scheduler, volume->scope, "page cleaner", cleaner_run, volume, NULL, error);
    return failed;
}
