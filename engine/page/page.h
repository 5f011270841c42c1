/* The page volume: a file of pages, copy on write, with a cache in front. One core owns a volume.
 *
 * Generations. Pages are reached from a *root record* (opaque bytes of the layer above). volume_commit() makes a new
 * generation durable: all dirty pages are written, synced, and then one of two superblocks (in turn) names the root. A
 * page of an older generation never changes: to change it, volume_write() gives a fresh page number with a copy, and the
 * old number is freed when no durable generation refers to it any more. So a crash at any moment leaves the last
 * committed generation whole, and a torn write can only hit pages nobody refers to.
 *
 * Every page carries volume id, own number, generation and CRC32C; a page that fails is reported (XX001 with its number)
 * and nothing else is affected. */
#ifndef SYNOD_ENGINE_PAGE_PAGE_H
#define SYNOD_ENGINE_PAGE_PAGE_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;
struct volume;
struct world;

#define PAGE_NONE 0 /* no page: number 0 is a superblock */

/* Largest root record of the layer above. */
#define VOLUME_ROOT_BYTES_MAX 2048

struct volume_options {
    const char *path;
    uint32_t page_bytes; /* when made: 4,096 .. 65,536, power of two; 0 = the measured default */
    size_t cache_bytes;  /* memory for pages */
    uint64_t identity;   /* cluster and core: a foreign volume is refused */
};

/* A page in the cache, pinned: it stays where it is until unpinned. */
struct page {
    uint64_t number;
    uint8_t *bytes; /* page_bytes - header are the layer's, from `body` on */
    uint8_t *body;
    uint32_t body_bytes;
    bool dirty; /* belongs to the present, uncommitted generation: may be changed in place */
};

/* Opens or makes; `root` gets the committed root record (size 0 in a new volume; room for VOLUME_ROOT_BYTES_MAX). When
 * the newer superblock is damaged the older counts. Yields. */
enum sqlstate volume_open(struct world *world, struct scope *scope, const struct volume_options *options,
                          struct volume **volume, uint8_t *root, size_t *root_bytes, struct error *error);

uint32_t volume_page_body_bytes(const struct volume *volume);

/* The page if it is in the cache, pinned, else NULL. Never yields. */
struct page *volume_find(struct volume *volume, uint64_t number);

/* The page, read if need be, pinned. Concurrent readers of one page share one read. Fails with XX001 (damaged) or 58030.
 * May yield. */
enum sqlstate volume_read(struct volume *volume, uint64_t number, struct page **page, struct error *error);

/* Starts reading pages without waiting for them (read-ahead); errors show when they are read. Does not yield. */
void volume_prefetch(struct volume *volume, const uint64_t *numbers, size_t count);

/* A new page, zeroed body, dirty, pinned. 53100 when the disk is full. May yield (room in the cache, growing). */
enum sqlstate volume_new(struct volume *volume, struct page **page, struct error *error);

/* Makes a pinned page changeable: itself when dirty; else a dirty copy under a new number (pinned; the old one is unpinned
 * and freed). Whoever refers to it must be changed to the new number. Does not yield once volume_make_room() has
 * promised the pages. */
struct page *volume_write(struct volume *volume, struct page *page);

/* Promises that the next `count` volume_new/volume_write calls neither fail nor yield. Yields. */
enum sqlstate volume_make_room(struct volume *volume, size_t count, struct error *error);

void volume_unpin(struct volume *volume, struct page *page);

/* The page is not referred to any more: its number is reused once no durable generation needs it. The caller's pin ends. */
void volume_free(struct volume *volume, struct page *page);

/* The same by number, without reading it. */
void volume_free_number(struct volume *volume, uint64_t number);

/* Contiguous pages for large values, written and read past the cache; freed by volume_free_number for each. Yields. */
enum sqlstate volume_extent_new(struct volume *volume, size_t pages, uint64_t *first, struct error *error);
enum sqlstate volume_extent_write(struct volume *volume, struct scope *scope, uint64_t first, size_t offset,
                                  struct bytes bytes, struct error *error);
enum sqlstate volume_extent_read(struct volume *volume, struct scope *scope, uint64_t first, size_t offset,
                                 void *bytes, size_t size, struct error *error);

/* Makes the present generation durable with this root record. Changes made while it runs belong to the next generation.
 * At most one at a time. Yields. */
enum sqlstate volume_commit(struct volume *volume, struct bytes root, struct error *error);

struct volume_figures {
    uint64_t pages, free_pages, dirty_pages, cached_pages;
    uint64_t hits, misses, reads, writes, evictions, generation;
};
void volume_figures(const struct volume *volume, struct volume_figures *figures);

#endif
