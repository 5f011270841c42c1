/* A volume from inside. One core owns it; nothing here is seen from outside of engine/page/.
 *
 * Files: format.* the bytes on the disk, space.* which places are in use, cache.* which pages are in memory,
 * transfer.c between memory and disk, change.c new, changed and freed pages, extent.c large values, commit.c generations,
 * volume.c opening and what is left of the door. */
#ifndef SYNOD_ENGINE_PAGE_VOLUME_H
#define SYNOD_ENGINE_PAGE_VOLUME_H

#include "base/world.h"
#include "engine/page/cache.h"
#include "engine/page/format.h"
#include "engine/page/space.h"

/* Batches of pages that may be on their way to the disk at once: two keep the device busy while a third is made up. */
#define WRITERS 3

/* Bytes of a batch: large enough that the device's own latency does not count (2 GB/s x 120 us = 240 KiB), small enough
 * that copying it (150 us) is no stall. */
#define BATCH_BYTES (1024U * 1024)

/* Pages asked to be read ahead and not begun yet; what is asked beyond is forgotten. */
#define AHEAD_MOST 256
/* Fibers that read ahead, and pages each reads at once. */
#define AHEAD_FIBERS 2
#define AHEAD_BATCH  32

/* Fibers that write early, when much of the cache is dirty. */
#define CLEANERS 2

/* A batch of dirty pages: copied, sealed and sorted in `staging`, so that the pages themselves may change meanwhile. */
struct writer {
    uint8_t *staging;
    struct frame **frames;
    struct disk_transfer *transfers;
    uint64_t turn; /* counts its batches; odd while one is under way */
    bool taken;
};

struct volume {
    struct world *world;
    struct scope *scope;
    struct file *file;
    const char *path;
    uint64_t identity;
    uint64_t id;
    uint32_t page_bytes;
    uint64_t generation; /* the present one, not committed yet */
    uint64_t durable;    /* the last committed one */
    uint32_t slot;       /* whose superblock is the durable one */
    bool failed;         /* a write failed: nothing more may be written */
    bool committing;
    bool growing;
    struct fiber_queue grown;
    struct space space;
    struct cache cache;
    uint32_t present; /* DIRTY_EVEN or DIRTY_ODD: the present generation's list */
    struct list dirty[DIRTY_LISTS];
    uint64_t dirty_count[DIRTY_LISTS];
    uint32_t batch; /* pages of a writer */
    struct writer writers[WRITERS];
    struct fiber_queue writer_free; /* wait for a writer */
    struct fiber_queue landed;      /* wait for a batch to land */
    struct fiber_queue frame_free;  /* wait for a frame that could be evicted */
    struct fiber_queue cleaning;    /* cleaners with nothing to do */
    struct fiber_queue reading_ahead;
    uint64_t ahead[AHEAD_MOST]; /* ring */
    uint32_t ahead_first, ahead_count;
    uint64_t reads, writes;
    struct list holds; /* extents that are being read */
    uint8_t *scratch;  /* two pages */
};

static inline uint64_t place_offset(const struct volume *volume, uint64_t place)
{
    return place * volume->page_bytes;
}

/* Whether nothing but the present generation can know the page, so that it may be changed in place. */
static inline bool frame_is_private(const struct volume *volume, const struct frame *frame)
{
    return frame->temporary || number_is_of(frame->page.number, volume->generation);
}

/* ---- transfer.c ---- */

enum sqlstate transfer_open(struct volume *volume, struct error *error);

/* XX001 with the page's place and what is wrong. After a failed write 58030: what was written since the last commit may be
 * gone, and that is no rot. */
enum sqlstate volume_damaged(const struct volume *volume, uint64_t number, const char *fault,
                             struct error *error);

/* 58030: an earlier write failed. */
enum sqlstate volume_refuses(const struct volume *volume, struct error *error);

/* A write failed, and not for want of room: nobody knows what is on the disk, so nothing more is written. */
void volume_fail(struct volume *volume, const struct error *error);

/* Waits, evicting and writing if need be, until so many frames are free. Yields. */
enum sqlstate frames_await(struct volume *volume, uint32_t count, struct error *error);

/* A free frame, in no queue; waits likewise. Yields. */
enum sqlstate frame_take(struct volume *volume, struct frame **frame, struct error *error);

/* Says that the frame holds what the disk does not. */
void frame_dirty(struct volume *volume, struct frame *frame);

void frame_dirty_in(struct volume *volume, struct frame *frame, enum dirty_list list);

/* Takes the frame off the dirty list: what it holds is not wanted on the disk any more. */
void frame_undirty(struct volume *volume, struct frame *frame);

/* The frame may have become free to be evicted or given back: gives it back if it is gone, tells who waits. */
void frame_settle(struct volume *volume, struct frame *frame);

/* Writes a batch from a list of dirty pages; *wrote false when all of them are on their way already. Yields. */
enum sqlstate write_batch(struct volume *volume, enum dirty_list list, bool *wrote, struct error *error);

/* Waits until every batch under way at the call has landed. Yields. */
void wait_for_writers(struct volume *volume);

/* Reads or writes without being cancelable; a short read is XX001. */
enum sqlstate volume_transfer(struct volume *volume, struct scope *scope, bool write,
                              struct disk_transfer *transfers, size_t count, struct error *error);

/* The page is freed: what is read ahead later would be another one's place. */
void ahead_forget(struct volume *volume, uint64_t number);

/* Wakes cleaners when there is much to write. */
void wake_cleaners(struct volume *volume);

/* ---- change.c ---- */

/* Makes the file larger, so that `places` more can be taken. Yields. */
enum sqlstate volume_grow(struct volume *volume, uint64_t places, struct error *error);

/* Nobody will ask for the page any more. */
void frame_go(struct volume *volume, struct frame *frame);

/* ---- commit.c ---- */

/* Writes both copies of a sealed superblock, durably. Yields. */
enum sqlstate superblock_write(struct world *world, struct scope *scope, struct file *file, uint32_t slot,
                               struct superblock *superblock, struct error *error);

#endif
