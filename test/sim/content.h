/* What is in a file, twice: as programs see it, and as it would be after a loss of power.
 *
 * A page of 4 KiB has a visible image and a durable one (the same memory while they are equal). Of its eight
 * sectors of 512 bytes,
 *
 *     dirty    differ because they were written and not synced; a loss of power draws what becomes of each
 *     syncing  are dirty and covered by a sync under way
 *     lost     differ because a sync of them failed: programs still see them, no later sync writes them
 *
 * Syncing is a promise, not a moment: a dirty sector may reach the durable image earlier, as the system's own
 * write-back does; that is drawn when it is overwritten. */
#ifndef SYNOD_TEST_SIM_CONTENT_H
#define SYNOD_TEST_SIM_CONTENT_H

#include "base/list.h"
#include "test/sim/dice.h"
#include "test/sim/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES        4096
#define SECTOR_BYTES      512
#define LEAF_PAGES        64
#define CONTENT_BYTES_MAX (64ull << 30) /* 64 GiB: pointers for 262,144 leaves */

struct page {
    uint8_t *visible; /* NULL = zeros */
    uint8_t *durable; /* NULL = zeros; == visible when nothing differs */
    uint32_t number;
    uint8_t dirty, syncing, lost; /* a bit for each sector */
    bool reserved;                /* counted although it may hold nothing */
    bool counted;                 /* in content->pages */
    struct list_link link;        /* in content->unsynced, when the images may differ */
};

struct leaf {
    struct page pages[LEAF_PAGES];
};

struct content {
    struct memory *memory;
    struct leaf **leaves; /* NULL = LEAF_PAGES pages of zeros */
    uint32_t leaves_count;
    uint64_t size;         /* bytes, as seen */
    uint64_t durable_size; /* after a loss of power, unless more survives */
    uint64_t pages;        /* that take room on the disk */
    bool shrunk;           /* there may be pages behind the end whose durable image is not zeros */
    struct list unsynced;  /* struct page */
};

/* What a loss of power does to unsynced sectors; the rest survives. */
struct power_loss {
    struct dice *dice;
    uint32_t lost_ppm, torn_ppm;
    uint32_t unit;       /* sectors written as one: 1 or 8 */
    uint64_t lost, torn; /* out: added to */
};

void content_open(struct content *content, struct memory *memory);
void content_close(struct content *content);

/* Gives how many bytes could be read: less than `size` at the end of the file. */
size_t content_read(const struct content *content, uint64_t offset, void *data, size_t size);

/* Requires offset + size <= CONTENT_BYTES_MAX. */
void content_write(struct content *content, uint64_t offset, const void *data, size_t size,
                   struct dice *dice);
void content_resize(struct content *content, uint64_t size, struct dice *dice);

/* Counts pages as taken; the file grows to cover them. */
void content_reserve(struct content *content, uint64_t offset, uint64_t bytes, struct dice *dice);

/* How many pages more a write of this range would take. */
uint64_t content_pages_missing(const struct content *content, uint64_t offset, uint64_t bytes);

/* A range is durable from now on, as after a durable write. */
void content_make_durable(struct content *content, uint64_t offset, uint64_t bytes);

void content_sync_begin(struct content *content);
void content_sync_end(struct content *content);
/* A failed sync: each sector it covered is durable, or lost, or gone from sight, too. */
void content_sync_fail(struct content *content, struct dice *dice);

void content_lose_power(struct content *content, struct power_loss *loss);

/* Turns over a bit in the durable image, and in the visible one where the sector is clean; false when the
 * durable image has no such byte. */
bool content_rot(struct content *content, uint64_t offset, uint32_t bit);

#endif
