/* Pages, their two images, and the way from one to the other; see content.h. */
#include "test/sim/content.h"

#include "base/check.h"

#include <string.h>

#define SECTORS     (PAGE_BYTES / SECTOR_BYTES)
#define ALL_SECTORS 0xff
/* Dirty sectors that reach the disk by themselves before they are overwritten: one in four. */
#define WRITE_BACK_PPM 250000

void content_open(struct content *content, struct memory *memory)
{
    *content = (struct content){.memory = memory};
    list_init(&content->unsynced);
}

/* ---- pages ---- */

static struct page *page_find(const struct content *content, uint64_t number)
{
    uint64_t leaf = number / LEAF_PAGES;
    if (leaf >= content->leaves_count || !content->leaves[leaf])
        return NULL;
    return &content->leaves[leaf]->pages[number % LEAF_PAGES];
}

static void leaves_grow(struct content *content, uint64_t leaf)
{
    uint32_t count = content->leaves_count ? content->leaves_count : 1;
    while (count <= leaf)
        count *= 2;
    struct leaf **leaves = memory_take_zeroed(content->memory, count * sizeof *leaves);
    if (content->leaves) {
        memcpy(leaves, content->leaves, content->leaves_count * sizeof *leaves);
        memory_give(content->memory, content->leaves, content->leaves_count * sizeof *leaves);
    }
    content->leaves = leaves;
    content->leaves_count = count;
}

static struct page *page_make(struct content *content, uint64_t number)
{
    check(number < CONTENT_BYTES_MAX / PAGE_BYTES);
    uint64_t leaf = number / LEAF_PAGES;
    if (leaf >= content->leaves_count)
        leaves_grow(content, leaf);
    if (!content->leaves[leaf]) {
        struct leaf *made = memory_take_zeroed(content->memory, sizeof *made);
        for (uint32_t i = 0; i < LEAF_PAGES; i++) {
            made->pages[i].number = (uint32_t)(leaf * LEAF_PAGES + i);
            list_link_init(&made->pages[i].link);
        }
        content->leaves[leaf] = made;
    }
    return &content->leaves[leaf]->pages[number % LEAF_PAGES];
}

static void image_give(struct content *content, uint8_t *image)
{
    memory_give(content->memory, image, PAGE_BYTES);
}

static uint8_t *image_copy(struct content *content, const uint8_t *image)
{
    uint8_t *copy = memory_take(content->memory, PAGE_BYTES);
    if (image)
        memcpy(copy, image, PAGE_BYTES);
    else
        memset(copy, 0, PAGE_BYTES);
    return copy;
}

static void page_count(struct content *content, struct page *page)
{
    bool counted = page->visible || page->reserved;
    content->pages += (uint64_t)counted - (uint64_t)page->counted;
    page->counted = counted;
}

/* Gives both images memory of their own. */
static void page_part(struct content *content, struct page *page)
{
    if (!page->visible || page->visible == page->durable)
        page->visible = image_copy(content, page->visible);
    if (!list_linked(&page->link))
        list_append(&content->unsynced, &page->link);
    page_count(content, page);
}

/* Drops both images but the visible one, which is durable now. */
static void page_join(struct content *content, struct page *page)
{
    if (page->durable != page->visible)
        image_give(content, page->durable);
    page->durable = page->visible;
    page->dirty = page->syncing = page->lost = 0;
    list_remove(&page->link);
}

/* Copies part of the visible image to the durable one. */
static void page_harden(struct content *content, struct page *page, uint32_t from, uint32_t bytes)
{
    if (page->durable == page->visible)
        return;
    if (!page->durable)
        page->durable = image_copy(content, NULL);
    if (page->visible)
        memcpy(page->durable + from, page->visible + from, bytes);
    else
        memset(page->durable + from, 0, bytes);
}

/* Hardens sectors; afterwards they differ no more. */
static void page_harden_sectors(struct content *content, struct page *page, uint8_t sectors)
{
    if (!((page->dirty | page->lost) & ~sectors)) {
        page_join(content, page);
        return;
    }
    for (uint32_t i = 0; i < SECTORS; i++)
        if (sectors >> i & 1)
            page_harden(content, page, i * SECTOR_BYTES, SECTOR_BYTES);
    page->dirty &= (uint8_t)~sectors;
    page->syncing &= (uint8_t)~sectors;
    page->lost &= (uint8_t)~sectors;
}

void content_close(struct content *content)
{
    for (uint32_t i = 0; i < content->leaves_count; i++) {
        struct leaf *leaf = content->leaves[i];
        for (uint32_t j = 0; leaf && j < LEAF_PAGES; j++) {
            if (leaf->pages[j].durable != leaf->pages[j].visible)
                image_give(content, leaf->pages[j].durable);
            image_give(content, leaf->pages[j].visible);
        }
        memory_give(content->memory, leaf, sizeof *leaf);
    }
    memory_give(content->memory, content->leaves, content->leaves_count * sizeof *content->leaves);
    content_open(content, content->memory);
}

/* ---- reading and writing ---- */

size_t content_read(const struct content *content, uint64_t offset, void *data, size_t size)
{
    if (offset >= content->size)
        return 0;
    if (size > content->size - offset)
        size = content->size - offset;
    uint8_t *to = data;
    for (size_t done = 0; done < size;) {
        uint32_t from = (offset + done) % PAGE_BYTES;
        size_t part = PAGE_BYTES - from < size - done ? PAGE_BYTES - from : size - done;
        const struct page *page = page_find(content, (offset + done) / PAGE_BYTES);
        if (page && page->visible)
            memcpy(to + done, page->visible + from, part);
        else
            memset(to + done, 0, part);
        done += part;
    }
    return size;
}

/* The sectors that bytes [from, from+bytes) of a page touch. */
static uint8_t sectors_of(uint32_t from, size_t bytes)
{
    uint32_t first = from / SECTOR_BYTES, last = (uint32_t)(from + bytes - 1) / SECTOR_BYTES;
    return (uint8_t)((ALL_SECTORS >> (SECTORS - 1 - last)) & (ALL_SECTORS << first));
}

/* Sectors are about to be overwritten. What a sync under way covers is written by it as it is now; of the
 * other dirty ones some have been written back. */
static void page_before_write(struct content *content, struct page *page, uint8_t sectors, struct dice *dice)
{
    uint8_t hard = page->syncing & sectors;
    uint8_t others = page->dirty & sectors & (uint8_t)~hard;
    if (others && dice_chance(dice, WRITE_BACK_PPM))
        hard |= others;
    for (uint32_t i = 0; hard >> i; i++)
        if (hard >> i & 1)
            page_harden(content, page, i * SECTOR_BYTES, SECTOR_BYTES);
    page->syncing &= (uint8_t)~hard;
}

static void page_write(struct content *content, struct page *page, uint32_t from, const void *data,
                       size_t bytes, struct dice *dice)
{
    uint8_t sectors = sectors_of(from, bytes);
    page_before_write(content, page, sectors, dice);
    page_part(content, page);
    if (data)
        memcpy(page->visible + from, data, bytes);
    else
        memset(page->visible + from, 0, bytes);
    page->dirty |= sectors;
    page->lost &= (uint8_t)~sectors;
}

/* The old size may have become durable by itself, too. */
static void size_change(struct content *content, uint64_t size, struct dice *dice)
{
    if (content->durable_size != content->size && dice_chance(dice, WRITE_BACK_PPM))
        content->durable_size = content->size;
    content->size = size;
}

/* Pages behind the end come into sight again: they read as zero, and their old durable content must go. */
static void grow(struct content *content, uint64_t size, struct dice *dice)
{
    if (content->shrunk) {
        list_each (&content->unsynced, at) {
            struct page *page = container_of(at, struct page, link);
            if ((uint64_t)page->number * PAGE_BYTES >= content->size && !page->visible && page->durable)
                page->dirty = ALL_SECTORS;
        }
    }
    content->shrunk = false;
    size_change(content, size, dice);
}

void content_write(struct content *content, uint64_t offset, const void *data, size_t size, struct dice *dice)
{
    check(offset <= CONTENT_BYTES_MAX && size <= CONTENT_BYTES_MAX - offset);
    if (offset + size > content->size && size)
        grow(content, offset + size, dice);
    for (size_t done = 0; done < size;) {
        uint32_t from = (offset + done) % PAGE_BYTES;
        size_t part = PAGE_BYTES - from < size - done ? PAGE_BYTES - from : size - done;
        page_write(content, page_make(content, (offset + done) / PAGE_BYTES), from,
                   (const uint8_t *)data + done, part, dice);
        done += part;
    }
}

/* Calls `visit` for each page that begins at or behind `size`. */
static void each_page_behind(struct content *content, uint64_t size,
                             void (*visit)(struct content *content, struct page *page))
{
    uint64_t first = (size + PAGE_BYTES - 1) / PAGE_BYTES;
    for (uint64_t leaf = first / LEAF_PAGES; leaf < content->leaves_count; leaf++)
        for (uint32_t i = 0; content->leaves[leaf] && i < LEAF_PAGES; i++)
            if (content->leaves[leaf]->pages[i].number >= first)
                visit(content, &content->leaves[leaf]->pages[i]);
}

static void page_cut(struct content *content, struct page *page)
{
    if (page->visible && page->visible != page->durable)
        image_give(content, page->visible);
    page->visible = NULL;
    page->reserved = false;
    page->dirty = page->lost = 0;
    if (page->durable && !list_linked(&page->link))
        list_append(&content->unsynced, &page->link);
    else if (!page->durable)
        list_remove(&page->link);
    page_count(content, page);
}

void content_resize(struct content *content, uint64_t size, struct dice *dice)
{
    check(size <= CONTENT_BYTES_MAX);
    if (size >= content->size) {
        if (size > content->size)
            grow(content, size, dice);
        return;
    }
    size_change(content, size, dice);
    uint32_t tail = size % PAGE_BYTES;
    struct page *page = tail ? page_find(content, size / PAGE_BYTES) : NULL;
    if (page && page->visible)
        page_write(content, page, tail, NULL, PAGE_BYTES - tail, dice);
    each_page_behind(content, size, page_cut);
    content->shrunk = true;
}

void content_reserve(struct content *content, uint64_t offset, uint64_t bytes, struct dice *dice)
{
    check(offset <= CONTENT_BYTES_MAX && bytes <= CONTENT_BYTES_MAX - offset);
    if (offset + bytes > content->size)
        grow(content, offset + bytes, dice);
    for (uint64_t number = offset / PAGE_BYTES; number * PAGE_BYTES < offset + bytes; number++) {
        struct page *page = page_make(content, number);
        page->reserved = true;
        page_count(content, page);
    }
}

uint64_t content_pages_missing(const struct content *content, uint64_t offset, uint64_t bytes)
{
    uint64_t missing = 0;
    for (uint64_t number = offset / PAGE_BYTES; bytes && number <= (offset + bytes - 1) / PAGE_BYTES;
         number++) {
        const struct page *page = page_find(content, number);
        missing += !page || !page->counted;
    }
    return missing;
}

/* ---- making durable ---- */

void content_make_durable(struct content *content, uint64_t offset, uint64_t bytes)
{
    for (uint64_t at = offset; at < offset + bytes;) {
        uint32_t from = at % PAGE_BYTES;
        uint64_t part = PAGE_BYTES - from < offset + bytes - at ? PAGE_BYTES - from : offset + bytes - at;
        struct page *page = page_find(content, at / PAGE_BYTES);
        if (page && list_linked(&page->link))
            page_harden_sectors(content, page, sectors_of(from, part));
        at += part;
    }
    uint64_t end = offset + bytes < content->size ? offset + bytes : content->size;
    if (end > content->durable_size)
        content->durable_size = end;
}

void content_sync_begin(struct content *content)
{
    list_each (&content->unsynced, at) {
        struct page *page = container_of(at, struct page, link);
        page->syncing |= page->dirty;
        if ((uint64_t)page->number * PAGE_BYTES >= content->size)
            page->syncing = ALL_SECTORS;
    }
}

void content_sync_end(struct content *content)
{
    list_each_safe (&content->unsynced, at) {
        struct page *page = container_of(at, struct page, link);
        if (page->syncing)
            page_harden_sectors(content, page, page->syncing);
    }
    content->durable_size = content->size;
}

void content_sync_fail(struct content *content, struct dice *dice)
{
    list_each_safe (&content->unsynced, at) {
        struct page *page = container_of(at, struct page, link);
        uint8_t covered = page->syncing & page->dirty;
        page->syncing = 0;
        uint64_t drawn = dice_next(dice);
        uint8_t hardened = covered & (uint8_t)drawn, gone = covered & (uint8_t)~drawn & (uint8_t)(drawn >> 8);
        for (uint32_t i = 0; gone >> i; i++) {
            if (!(gone >> i & 1))
                continue;
            page_part(content, page);
            if (page->durable)
                memcpy(page->visible + i * SECTOR_BYTES, page->durable + i * SECTOR_BYTES, SECTOR_BYTES);
            else
                memset(page->visible + i * SECTOR_BYTES, 0, SECTOR_BYTES);
        }
        page->dirty &= (uint8_t)~covered;
        page->lost |= covered & (uint8_t) ~(hardened | gone);
        if (hardened | gone)
            page_harden_sectors(content, page, hardened | gone);
    }
    if (content->durable_size != content->size && dice_below(dice, 2))
        content->durable_size = content->size;
}

/* ---- losing power ---- */

/* What becomes of one unit of sectors: nothing, all or half of it reaches the disk. */
static void unit_lose_power(struct content *content, struct page *page, uint32_t first,
                            struct power_loss *loss)
{
    uint32_t from = first * SECTOR_BYTES, bytes = loss->unit * SECTOR_BYTES;
    uint64_t drawn = dice_below(loss->dice, 1000000);
    if (drawn < loss->lost_ppm) {
        loss->lost++;
    } else if (drawn < (uint64_t)loss->lost_ppm + loss->torn_ppm) {
        uint32_t half = (uint32_t)dice_between(loss->dice, 1, bytes - 1);
        bool front = dice_below(loss->dice, 2);
        page_harden(content, page, front ? from : from + half, front ? half : bytes - half);
        loss->torn++;
    } else
        page_harden(content, page, from, bytes);
}

static void page_lose_power(struct content *content, struct page *page, struct power_loss *loss)
{
    for (uint32_t first = 0; first < SECTORS; first += loss->unit)
        if (page->dirty >> first & ((1u << loss->unit) - 1))
            unit_lose_power(content, page, first, loss);
    if (page->visible != page->durable)
        image_give(content, page->visible);
    page->visible = page->durable;
    page_count(content, page);
    page_join(content, page);
}

/* Both images are the same here. */
static void page_drop(struct content *content, struct page *page)
{
    image_give(content, page->visible);
    page->visible = page->durable = NULL;
    page->reserved = false;
    page_count(content, page);
}

void content_lose_power(struct content *content, struct power_loss *loss)
{
    list_each_safe (&content->unsynced, at)
        page_lose_power(content, container_of(at, struct page, link), loss);
    if (content->size != content->durable_size && dice_below(loss->dice, 1000000) < loss->lost_ppm)
        content->size = content->durable_size;
    content->durable_size = content->size;
    each_page_behind(content, content->size, page_drop);
    uint32_t tail = content->size % PAGE_BYTES;
    struct page *page = tail ? page_find(content, content->size / PAGE_BYTES) : NULL;
    if (page && page->visible)
        memset(page->visible + tail, 0, PAGE_BYTES - tail);
}

bool content_rot(struct content *content, uint64_t offset, uint32_t bit)
{
    struct page *page = page_find(content, offset / PAGE_BYTES);
    if (offset >= content->durable_size || !page || !page->durable)
        return false;
    uint32_t at = offset % PAGE_BYTES;
    page->durable[at] ^= (uint8_t)(1u << (bit & 7));
    if (page->visible && page->visible != page->durable &&
        !((page->dirty | page->lost) >> (at / SECTOR_BYTES) & 1))
        page->visible[at] ^= (uint8_t)(1u << (bit & 7));
    return true;
}
