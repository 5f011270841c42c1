/* The page volume: a file of pages, copy on write, with a cache in front. One core owns a volume.
 *
 * Generations. Pages are reached from a *root record* (opaque bytes of the layer above). volume_commit() makes a new
 * generation durable: all dirty pages are written, synced, and then one of two superblocks (in turn) names the root. A
 * page of an older generation never changes: to change it, volume_write() gives a fresh page number with a copy, and the
 * old number is freed when no durable generation refers to it any more. So a crash at any moment leaves the last
 * committed generation whole, and a torn write can only hit pages nobody refers to.
 *
 * Page numbers are 64 bits: the place in the file (low 40 bits) and the generation that wrote it (24 bits), so that a
 * page that was never written, or written elsewhere, is not taken for the one meant. Compare them, add to those of an
 * extent, store them; otherwise they mean nothing outside of here.
 *
 * Temporary pages belong to no generation: no commit writes them, and after a restart their places are free.
 *
 * Every page carries volume id, own place, generation and CRC32C; a page that fails is reported (XX001 with its place)
 * and nothing else is affected.
 *
 * Waiting for the disk here is not cancelable: no write may be under way to a place that was given to someone else. */
#ifndef SYNOD_ENGINE_PAGE_PAGE_H
#define SYNOD_ENGINE_PAGE_PAGE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;
struct volume;
struct world;

#define PAGE_NONE 0 /* no page: place 0 is a superblock */

/* Largest root record of the layer above. */
#define VOLUME_ROOT_BYTES_MAX 2048

/* Least memory for pages: enough for what one change of a tree may need, several times. */
#define VOLUME_CACHE_PAGES_MIN 256

struct volume_options {
    const char *path;
    uint32_t page_bytes; /* when made: 4,096 .. 65,536, power of two; 0 = the default */
    size_t
        cache_bytes; /* memory for pages; at least VOLUME_CACHE_PAGES_MIN of them are taken. It is asked of the
                          * system as pages come in. */
    uint64_t identity; /* cluster and core: a foreign volume is refused (55000) */
};

/* A page in the cache, pinned: it stays where it is until unpinned. */
struct page {
    uint64_t number;
    uint8_t *body; /* the layer's */
    uint32_t body_bytes;
};

/* Opens or makes; `root` gets the committed root record (size 0 in a new volume; room for VOLUME_ROOT_BYTES_MAX). When
 * the newer superblock is damaged the older counts, if it was the last one durable. Fails with XX001 when no superblock
 * is whole. `scope` closed: the volume goes; what was not committed is lost. Yields. */
enum sqlstate volume_open(struct world *world, struct scope *scope, const struct volume_options *options,
                          struct volume **volume, uint8_t *root, size_t *root_bytes, struct error *error);

uint32_t volume_page_body_bytes(const struct volume *volume);
struct world *volume_world(const struct volume *volume);

/* A write has failed: changes are refused (58030) for good, and what was written since the last commit may be gone, which
 * reads report as 58030, too. The process should end; the log has what is missing. Does not yield. */
bool volume_failed(const struct volume *volume);

/* ---- reading ---- */

/* The body of a page that is in the cache, else NULL: not pinned, good until the fiber yields. Counts as a use. *vetted:
 * volume_vet() was called for it since it came into the cache. The fastest way to read; does not yield. */
const uint8_t *volume_peek(struct volume *volume, uint64_t number, bool *vetted);

/* The layer above has looked at the content of a cached page and found it sound. */
void volume_vet(struct volume *volume, uint64_t number);

/* The page if it is in the cache, pinned, else NULL. Never yields. */
struct page *volume_find(struct volume *volume, uint64_t number);

/* The page, read if need be, pinned. Nobody may free it meanwhile. Concurrent readers of one page share one read. Fails with XX001 (damaged), 58030, or
 * 53200 (all of the cache is pinned or waits to be written). May yield. */
enum sqlstate volume_read(struct volume *volume, uint64_t number, struct page **page, struct error *error);

/* Does something towards having the page in the cache, and waits for that; the caller looks whether it still wants it, and whether it
 * is there, and if not so calls again. For pages that others may free meanwhile: a read begins at once or not at all, and the place of
 * what is being read is not given away. So nobody reads what has become another page. Errors as volume_read(). Yields. */
enum sqlstate volume_fetch(struct volume *volume, uint64_t number, struct error *error);

/* Starts reading pages without waiting for them (read-ahead); errors show when they are read. Does not yield. */
void volume_prefetch(struct volume *volume, const uint64_t *numbers, size_t count);

void volume_unpin(struct volume *volume, struct page *page);

/* ---- changing ---- */

/* Promises that the next `count` volume_new/volume_write calls neither fail nor yield, until the fiber next yields.
 * Requires count <= VOLUME_CACHE_PAGES_MIN / 2. 53100 when the disk is full, 53200 when the cache is. Yields. */
enum sqlstate volume_make_room(struct volume *volume, size_t count, struct error *error);

/* A new page, zeroed body, pinned. Errors as volume_make_room(). May yield (room in the cache, growing). */
enum sqlstate volume_new(struct volume *volume, struct page **page, struct error *error);
enum sqlstate volume_new_temporary(struct volume *volume, struct page **page, struct error *error);

/* Makes a pinned page changeable: itself when it belongs to the present, uncommitted generation (or is temporary); else a
 * copy under a new number (pinned; the old one is unpinned and freed). Whoever refers to it must be changed to the new
 * number. What is changed must be changed before the fiber yields. Requires a promise by volume_make_room(). Does not
 * yield. */
struct page *volume_write(struct volume *volume, struct page *page);

/* The page is not referred to any more: its number is reused once no durable generation needs it. The caller's pin ends. */
void volume_free(struct volume *volume, struct page *page);

/* The same by number, without reading it. A number that was not in use is left alone, and logged. */
void volume_free_number(struct volume *volume, uint64_t number);

/* Whether the present generation, or what is temporary, has a page of that number. For verification. */
bool volume_in_use(const struct volume *volume, uint64_t number);

/* ---- many pages at one moment ---- */

/* A set of pages, kept or temporary, extents' too: one bit for each place of the volume. Memory of the scope. */
struct page_set;
struct page_set *page_set_open(struct scope *scope, struct volume *volume);

/* Adds a page; *added false when it was there already. Fails with 53200. Does not yield. */
enum sqlstate page_set_add(struct page_set *set, uint64_t number, bool *added, struct error *error);

/* All pages of the set, temporary so far, belong to the present generation from now on: whatever refers to them was made
 * over several yields, and no commit may have half of it. Does not yield. */
void volume_keep_set(struct volume *volume, const struct page_set *set);

/* Frees all pages of the set, which is of no use afterwards. Does not yield. */
void volume_free_set(struct volume *volume, struct page_set *set);

/* ---- large values: contiguous pages, written and read past the cache ---- */

/* Bytes of a value in one page. */
size_t volume_extent_unit(const struct volume *volume);

/* How many pages hold so many bytes. */
size_t volume_extent_pages(const struct volume *volume, uint64_t bytes);

/* Whether an extent of so many bytes can lie there: what a page says of one may be anything. Does not yield. */
bool volume_extent_fits(const struct volume *volume, uint64_t first, uint64_t bytes);

/* Takes contiguous places; their numbers are first, first + 1 … They are temporary until volume_extent_keep(). Yields. */
enum sqlstate volume_extent_new(struct volume *volume, size_t pages, uint64_t *first, struct error *error);

/* Writes bytes from `offset` on, a multiple of the body's bytes; only a value's last piece may end within a page (whose
 * rest is zeroed). Yields. */
enum sqlstate volume_extent_write(struct volume *volume, struct scope *scope, uint64_t first, size_t offset,
                                  struct bytes bytes, struct error *error);

/* Reads `size` bytes from any offset. Fails with XX001 when a page is damaged. Yields. */
enum sqlstate volume_extent_read(struct volume *volume, struct scope *scope, uint64_t first, size_t offset,
                                 void *bytes, size_t size, struct error *error);

/* From now on the extent belongs to the present generation: something refers to it. All of it must have been written.
 * tree_apply() and tree_load() do it. Does not yield. */
void volume_extent_keep(struct volume *volume, uint64_t first, size_t pages);

/* A kept extent is temporary again: the tree does not refer to it any more, but somebody in memory still does. Its places are
 * not used for anything else before it is freed, and no generation that knows it is. Does not yield. */
void volume_extent_loosen(struct volume *volume, uint64_t first, size_t pages);

/* Frees all pages of an extent, kept or not, as volume_free_number() does; and one that was kept and loosened. One that is held
 * goes when it is let go. Do not yield. */
void volume_extent_free(struct volume *volume, uint64_t first, size_t pages);
void volume_extent_free_loosened(struct volume *volume, uint64_t first, size_t pages);

/* Somebody reads an extent over yields: whoever frees it meanwhile, it stays as it is until it is let go. Neither yields. */
struct extent_hold {
    struct list_link link;
    uint64_t first;
    size_t pages;
    bool freed, loosened; /* somebody wanted to free it; it had been kept */
};
void volume_extent_hold(struct volume *volume, struct extent_hold *hold, uint64_t first, uint64_t bytes);
void volume_extent_release(struct volume *volume, struct extent_hold *hold);

/* ---- generations ---- */

/* Makes the present generation durable with this root record. What is changed after the call began belongs to the next
 * generation: `root` must be of the same moment. At most one at a time. On 53100 and 53200 the former generation stands
 * and a later commit may succeed; after any other failure of a write the volume refuses commits (58030) for good, for
 * nobody knows what is on the disk. Yields. */
enum sqlstate volume_commit(struct volume *volume, struct bytes root, struct error *error);

/* Reads pages from the disk to compare their checksums, whatever the cache holds; *bad gets the place in `numbers` of the
 * first that fails (whose failure is given) or `count`. Pages that were never written are passed over. Yields. */
enum sqlstate volume_check(struct volume *volume, const uint64_t *numbers, size_t count, size_t *bad,
                           struct error *error);

/* Two pages' bodies of memory for whoever needs it between two yields. */
uint8_t *volume_scratch(struct volume *volume, uint32_t which);

struct volume_figures {
    uint64_t pages;      /* the file has places for */
    uint64_t free_pages; /* places that can be taken at once */
    uint64_t
        held_pages; /* freed, but the durable generation still refers to them: the next commit frees them */
    uint64_t temporary_pages;
    uint64_t hole_pages;                             /* free ones whose room the disk has back */
    uint64_t dirty_pages, cached_pages, cache_pages; /* in memory */
    uint64_t hits, misses, reads, writes, evictions;
    uint64_t generation;    /* the last durable one */
    uint64_t unknown_pages; /* places lost to damaged pages of the allocation map: taken for used */
};
/* Pages read from the disk so far; of the figures that one who is in a hurry wants. */
uint64_t volume_reads(const struct volume *volume);
void volume_figures(const struct volume *volume, struct volume_figures *figures);

#endif
