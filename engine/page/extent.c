/* Extents: large values in contiguous pages, past the cache.
 *
 * Each page of an extent is sealed like any other, with a kind of its own, and numbered by its first page's generation,
 * so that what was not written, or is left of another value, is found. */
#include "engine/page/volume.h"

#include "base/check.h"
#include "base/scope.h"

static size_t body_bytes(const struct volume *volume)
{
    return volume->page_bytes - PAGE_HEADER_BYTES;
}

/* Pages transferred at once. */
static size_t batch_pages(const struct volume *volume, size_t pages)
{
    size_t most = BATCH_BYTES / volume->page_bytes;
    return pages < most ? pages : most;
}

size_t volume_extent_unit(const struct volume *volume)
{
    return body_bytes(volume);
}

size_t volume_extent_pages(const struct volume *volume, uint64_t bytes)
{
    return (size_t)(bytes / body_bytes(volume) + (bytes % body_bytes(volume) != 0));
}

bool volume_extent_fits(const struct volume *volume, uint64_t first, uint64_t bytes)
{
    uint64_t place = number_place(first);
    return space_valid(&volume->space, place) &&
           volume_extent_pages(volume, bytes) <= volume->space.places - place;
}

enum sqlstate volume_extent_new(struct volume *volume, size_t pages, uint64_t *first, struct error *error)
{
    check(pages > 0);
    for (;;) {
        if (volume->failed)
            return volume_refuses(volume, error);
        uint64_t place = space_available(&volume->space) >= pages ? space_take_run(&volume->space, pages) : 0;
        if (place) {
            *first = number_of(place, volume->generation);
            return SQLSTATE_OK;
        }
        enum sqlstate failed = volume_grow(volume, pages, error);
        if (failed)
            return failed;
    }
}

/* Composes the pages for `bytes` in the buffer; gives how many. */
static size_t compose(const struct volume *volume, uint8_t *buffer, uint64_t first, struct bytes bytes)
{
    size_t count = 0, body = body_bytes(volume);
    for (size_t done = 0; done < bytes.size; done += body, count++) {
        uint8_t *page = buffer + count * volume->page_bytes;
        size_t part = bytes.size - done < body ? bytes.size - done : body;
        memcpy(page + PAGE_HEADER_BYTES, bytes.data + done, part);
        memset(page + PAGE_HEADER_BYTES + part, 0, body - part);
        page_seal(page, volume->page_bytes, PAGE_OF_EXTENT, volume->id, first + count,
                  number_generation(first, volume->generation));
    }
    return count;
}

enum sqlstate volume_extent_write(struct volume *volume, struct scope *scope, uint64_t first, size_t offset,
                                  struct bytes bytes, struct error *error)
{
    void *buffer;
    size_t body = body_bytes(volume), batch = batch_pages(volume, volume_extent_pages(volume, bytes.size));
    check(offset % body == 0, "an extent is written from the start of a page");
    if (bytes.size == 0)
        return SQLSTATE_OK;
    if (volume->failed)
        return volume_refuses(volume, error);
    enum sqlstate failed =
        scope_alloc_large(scope, batch * volume->page_bytes, DISK_ALIGNMENT, &buffer, error);
    if (failed)
        return failed;
    for (size_t done = 0; done < bytes.size && !failed; done += batch * body) {
        size_t part = bytes.size - done < batch * body ? bytes.size - done : batch * body;
        uint64_t number = first + (offset + done) / body;
        size_t count = compose(volume, buffer, number, bytes_of(bytes.data + done, part));
        struct disk_transfer transfer = {.file = volume->file,
                                         .data = buffer,
                                         .size = count * volume->page_bytes,
                                         .offset = place_offset(volume, number_place(number))};
        failed = volume_transfer(volume, scope, true, &transfer, 1, error);
        if (failed && failed != SQLSTATE_DISK_FULL)
            volume_fail(volume, error);
        volume->writes += count;
    }
    scope_free_large(scope, buffer);
    return failed;
}

/* Copies what of [offset, offset + size) lies in `count` pages of the extent, the first of them its page `index`. */
static enum sqlstate take_apart(const struct volume *volume, const uint8_t *buffer, uint64_t first,
                                size_t index, size_t count, size_t offset, void *bytes, size_t size,
                                struct error *error)
{
    size_t body = body_bytes(volume);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *page = buffer + i * volume->page_bytes;
        const char *fault =
            page_fault(page, volume->page_bytes, PAGE_OF_EXTENT, volume->id, first + index + i);
        if (fault)
            return volume_damaged(volume, first + index + i, fault, error);
        size_t start = (index + i) * body, from = offset > start ? offset - start : 0;
        size_t to = offset + size - start < body ? offset + size - start : body;
        memcpy((uint8_t *)bytes + (start + from - offset), page + PAGE_HEADER_BYTES + from, to - from);
    }
    return SQLSTATE_OK;
}

enum sqlstate volume_extent_read(struct volume *volume, struct scope *scope, uint64_t first, size_t offset,
                                 void *bytes, size_t size, struct error *error)
{
    void *buffer;
    size_t body = body_bytes(volume), index = offset / body;
    if (size == 0)
        return SQLSTATE_OK;
    size_t end = (offset + size - 1) / body + 1, batch = batch_pages(volume, end - index);
    if (!volume_extent_fits(volume, first, offset + size))
        return volume_damaged(volume, first, "its extent ends outside of the file", error);
    enum sqlstate failed =
        scope_alloc_large(scope, batch * volume->page_bytes, DISK_ALIGNMENT, &buffer, error);
    if (failed)
        return failed;
    for (; index < end && !failed; index += batch) {
        size_t count = end - index < batch ? end - index : batch;
        struct disk_transfer transfer = {.file = volume->file,
                                         .data = buffer,
                                         .size = count * volume->page_bytes,
                                         .offset = place_offset(volume, number_place(first) + index)};
        failed = volume_transfer(volume, scope, false, &transfer, 1, error);
        volume->reads += count;
        if (!failed)
            failed = take_apart(volume, buffer, first, index, count, offset, bytes, size, error);
    }
    scope_free_large(scope, buffer);
    return failed;
}

void volume_extent_keep(struct volume *volume, uint64_t first, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        space_keep(&volume->space, number_place(first) + i);
}

/* What a damaged page says of an extent may be anything. */
static size_t pages_within(const struct volume *volume, uint64_t first, size_t pages)
{
    uint64_t place = number_place(first);
    return place >= volume->space.places || pages > volume->space.places - place ? 1 : pages;
}

void volume_extent_loosen(struct volume *volume, uint64_t first, size_t pages)
{
    pages = pages_within(volume, first, pages);
    for (size_t i = 0; i < pages; i++)
        space_loosen(&volume->space, number_place(first) + i);
}

static struct extent_hold *hold_of(const struct volume *volume, uint64_t first)
{
    list_each (&volume->holds, at) {
        struct extent_hold *hold = container_of(at, struct extent_hold, link);
        if (hold->first == first)
            return hold;
    }
    return NULL;
}

/* Whether somebody reads it: then it is freed when that is over. No generation shall know it from now on, for after a crash
 * nobody would free it. */
static bool free_later(struct volume *volume, uint64_t first, size_t pages, bool loosened)
{
    struct extent_hold *hold = hold_of(volume, first);
    if (!hold || hold->pages != pages || hold->freed)
        return false;
    hold->freed = true;
    hold->loosened = loosened || space_bit(volume->space.now, number_place(first));
    volume_extent_loosen(volume, first, pages);
    return true;
}

void volume_extent_free(struct volume *volume, uint64_t first, size_t pages)
{
    pages = pages_within(volume, first, pages);
    if (free_later(volume, first, pages, false))
        return;
    for (size_t i = 0; i < pages; i++)
        volume_free_number(volume, first + i);
}

/* The durable generation may refer to it, so its places wait for the next one. */
void volume_extent_free_loosened(struct volume *volume, uint64_t first, size_t pages)
{
    pages = pages_within(volume, first, pages);
    if (free_later(volume, first, pages, true))
        return;
    bool at_once = number_is_of(first, volume->generation);
    for (size_t i = 0; i < pages; i++)
        space_free(&volume->space, number_place(first) + i, at_once);
}

void volume_extent_hold(struct volume *volume, struct extent_hold *hold, uint64_t first, uint64_t bytes)
{
    *hold = (struct extent_hold){.first = first, .pages = volume_extent_pages(volume, bytes)};
    list_append(&volume->holds, &hold->link);
}

void volume_extent_release(struct volume *volume, struct extent_hold *hold)
{
    list_remove(&hold->link);
    struct extent_hold *other = hold->freed ? hold_of(volume, hold->first) : NULL;
    if (other) {
        other->freed = true;
        other->loosened = hold->loosened;
    } else if (hold->freed && hold->loosened) {
        volume_extent_free_loosened(volume, hold->first, hold->pages);
    } else if (hold->freed) {
        volume_extent_free(volume, hold->first, hold->pages);
    }
}
