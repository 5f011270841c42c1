/* Commits: how the present generation becomes the durable one.
 *
 *     freeze    (no yield)  the allocation map's changed pages get numbers, its bits are copied; the dirty pages of
 *                           generation g are from now on those of the commit; whoever changes one makes a copy for g+1
 *     write     pages of g, then the allocation map; batches, several in flight; changes for g+1 go on
 *     sync      all of it
 *     seal      the superblock of g, both copies, durably, into the slot that does not hold the durable generation's
 *     thaw      g is durable: what only the generation before it referred to is free
 *
 * What must be true: (1) nothing of the durable generation is overwritten before `seal` has succeeded, (2) `seal` begins
 * after `sync` has succeeded, (3) the durable generation's superblock is never written to.
 *
 * When there is no room for a write, the commit ends as if it had not begun: the pages of g stay dirty, the next commit
 * takes them along. Any other failure is for good (volume_fail): after a failed write or sync nobody knows what the disk
 * holds, and trying again would prove nothing (invariant 13 of the group layer ends the process then). */
#include "engine/page/volume.h"

#include "base/check.h"
#include "base/scope.h"

/* When so much of a volume is free, and that is worth it, what is free beyond an eighth of what is used goes back to the disk. */
#define GIVE_BACK_SHARE 4
#define GIVE_BACK_BYTES (8U * 1024 * 1024)
/* In pieces of at most this, and at most so many with each commit. */
#define GIVE_BACK_AT_ONCE (64U * 1024 * 1024)
#define GIVE_BACK_PIECES  64

/* Groups whose freed places are looked for at once: 64 x 2,044 words, about 100 us. */
#define THAW_GROUPS 64

/* A commit under way. */
struct commit {
    struct volume *volume;
    struct scope *scope;
    struct superblock *superblock;
    uint64_t generation;
    enum dirty_list pages;
    uint8_t *buffer; /* of map pages being written */
    struct disk_transfer *transfers;
    size_t buffered; /* pages */
    size_t buffer_pages;
    uint32_t groups; /* when it began; the file may grow meanwhile */
};

/* ---- freeze ---- */

/* Pages that a failed commit left behind go with this one. */
static void take_left_behind(struct volume *volume)
{
    enum dirty_list left = !volume->present, present = volume->present;
    list_each (&volume->dirty[left], at)
        container_of(at, struct frame, dirty_link)->dirty = (uint8_t)present;
    list_splice(&volume->dirty[present], &volume->dirty[left]);
    volume->dirty_count[present] += volume->dirty_count[left];
    volume->dirty_count[left] = 0;
}

static void superblock_compose(struct superblock *superblock, const struct volume *volume,
                               uint64_t generation, struct bytes root)
{
    *superblock = (struct superblock){.identity = volume->identity,
                                      .volume = volume->id,
                                      .generation = generation,
                                      .page_bytes = volume->page_bytes,
                                      .root_bytes = (uint32_t)root.size,
                                      .places = volume->space.places,
                                      .groups = volume->space.groups,
                                      .directories = space_directories(&volume->space)};
    for (uint32_t i = 0; i < superblock->directories; i++)
        superblock->directory[i] = volume->space.directory[i].number;
    if (root.size)
        memcpy(superblock->root, root.data, root.size);
    superblock_seal(superblock);
}

static enum sqlstate freeze(struct commit *commit, struct bytes root, struct error *error)
{
    struct volume *volume = commit->volume;
    void *superblock, *buffer;
    commit->buffer_pages = volume->batch;
    enum sqlstate failed =
        scope_alloc_large(commit->scope, SUPERBLOCK_BYTES, DISK_ALIGNMENT, &superblock, error);
    if (!failed)
        failed = scope_alloc_large(commit->scope, commit->buffer_pages * volume->page_bytes, DISK_ALIGNMENT,
                                   &buffer, error);
    if (!failed)
        failed = space_freeze(&volume->space, commit->scope, volume->generation, error);
    if (failed)
        return failed;
    commit->superblock = superblock;
    commit->buffer = buffer;
    commit->transfers = scope_alloc(commit->scope, commit->buffer_pages * sizeof *commit->transfers);
    commit->generation = volume->generation++;
    commit->groups = volume->space.groups;
    superblock_compose(commit->superblock, volume, commit->generation, root);
    take_left_behind(volume);
    commit->pages = volume->present;
    volume->present = !volume->present;
    volume->committing = true;
    return SQLSTATE_OK;
}

/* ---- write ---- */

static enum sqlstate write_pages(struct commit *commit, struct error *error)
{
    struct volume *volume = commit->volume;
    fiber_wake_all(&volume->cleaning); /* they help */
    for (;;) {
        bool wrote;
        enum sqlstate failed = write_batch(volume, commit->pages, &wrote, error);
        if (failed)
            return failed;
        if (wrote)
            continue;
        wait_for_writers(volume);
        /* A batch that failed has put its pages back. */
        if (list_empty(&volume->dirty[commit->pages]))
            return SQLSTATE_OK;
    }
}

static enum sqlstate flush_map(struct commit *commit, struct error *error)
{
    if (commit->buffered == 0)
        return SQLSTATE_OK;
    struct volume *volume = commit->volume;
    enum sqlstate failed =
        volume_transfer(volume, commit->scope, true, commit->transfers, commit->buffered, error);
    volume->writes += commit->buffered;
    commit->buffered = 0;
    return failed;
}

/* Adds a page of the allocation map, whose body is given up to its zero rest, to those to be written. */
static enum sqlstate write_map_page(struct commit *commit, enum page_kind kind, uint64_t number,
                                    const void *body, size_t bytes, struct error *error)
{
    struct volume *volume = commit->volume;
    enum sqlstate failed = commit->buffered == commit->buffer_pages ? flush_map(commit, error) : SQLSTATE_OK;
    uint8_t *page = commit->buffer + commit->buffered * volume->page_bytes;
    memcpy(page + PAGE_HEADER_BYTES, body, bytes);
    memset(page + PAGE_HEADER_BYTES + bytes, 0, volume->page_bytes - PAGE_HEADER_BYTES - bytes);
    page_seal(page, volume->page_bytes, kind, volume->id, number, commit->generation);
    commit->transfers[commit->buffered++] =
        (struct disk_transfer){.file = volume->file,
                               .data = page,
                               .size = volume->page_bytes,
                               .offset = place_offset(volume, number_place(number))};
    return failed;
}

static enum sqlstate write_directory(struct commit *commit, uint32_t index, struct error *error)
{
    const struct space *space = &commit->volume->space;
    uint32_t in_directory = directory_groups(space->page_bytes);
    uint64_t *numbers = scope_alloc_zeroed(commit->scope, in_directory * sizeof *numbers);
    for (uint32_t i = 0; i < in_directory && index * in_directory + i < commit->groups; i++)
        numbers[i] = space->group[index * in_directory + i].number;
    return write_map_page(commit, PAGE_OF_DIRECTORY, space->directory[index].number, numbers,
                          in_directory * sizeof *numbers, error);
}

static enum sqlstate write_map(struct commit *commit, struct error *error)
{
    struct space *space = &commit->volume->space;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < commit->groups && !failed; i++) {
        if (space->group[i].frozen)
            failed = write_map_page(commit, PAGE_OF_GROUP, space->group[i].number, space->group[i].frozen,
                                    (size_t)space->words_in_group * 8, error);
    }
    for (uint32_t i = 0; i < SUPERBLOCK_DIRECTORIES && !failed; i++) {
        if (space->directory[i].renumbered)
            failed = write_directory(commit, i, error);
    }
    return failed ? failed : flush_map(commit, error);
}

/* ---- seal ---- */

enum sqlstate superblock_write(struct world *world, struct scope *scope, struct file *file, uint32_t slot,
                               struct superblock *superblock, struct error *error)
{
    struct disk_transfer transfers[SUPERBLOCK_COPIES];
    for (uint32_t copy = 0; copy < SUPERBLOCK_COPIES; copy++)
        transfers[copy] = (struct disk_transfer){.file = file,
                                                 .data = superblock,
                                                 .size = sizeof *superblock,
                                                 .offset = superblock_offset(slot, copy)};
    return disk_write_many(world, scope, transfers, SUPERBLOCK_COPIES, true, error);
}

static enum sqlstate seal(struct commit *commit, struct error *error)
{
    struct volume *volume = commit->volume;
    enum sqlstate failed = disk_sync(volume->world, commit->scope, volume->file, error);
    if (!failed)
        failed = superblock_write(volume->world, commit->scope, volume->file, !volume->slot,
                                  commit->superblock, error);
    if (failed) {
        volume_fail(volume, error);
        return failed;
    }
    volume->slot = !volume->slot;
    volume->durable = commit->generation;
    return SQLSTATE_OK;
}

/* ---- thaw ---- */

static void thaw(struct commit *commit)
{
    struct volume *volume = commit->volume;
    for (uint32_t group = 0; group < commit->groups; group += THAW_GROUPS) {
        space_thaw(&volume->space, group, group + THAW_GROUPS);
        if (group + THAW_GROUPS < commit->groups)
            fiber_yield(volume->world->scheduler);
    }
}

/* Free places' room goes back to the disk, from the end of the file on. They are taken meanwhile, so that nobody writes there.
 * A disk that cannot do it keeps them, and that is all. */
static void give_back(struct commit *commit)
{
    struct volume *volume = commit->volume;
    struct space *space = &volume->space;
    uint64_t word_bytes = 64ul * volume->page_bytes, used = space->places - space->free;
    uint64_t end = space->places / 64, keep = used / 8, first, count;
    if (space->free < space->places / GIVE_BACK_SHARE || space->free * volume->page_bytes < GIVE_BACK_BYTES)
        return;
    uint64_t most = GIVE_BACK_AT_ONCE / word_bytes ? GIVE_BACK_AT_ONCE / word_bytes : 1;
    for (int i = 0; i < GIVE_BACK_PIECES; i++) {
        struct error error;
        uint64_t kept = keep + space->hole_words * 64;
        uint64_t left = space_available(space) > kept ? (space_available(space) - kept) / 64 : 0;
        if (!left || !space_find_free_words(space, end, left < most ? left : most, &first, &count))
            return;
        space_hole_begin(space, first, count);
        (void)!disk_discard(volume->world, commit->scope, volume->file, first * word_bytes,
                            count * word_bytes, &error);
        space_hole_end(space, first, count);
        end = first;
    }
}

enum sqlstate volume_commit(struct volume *volume, struct bytes root, struct error *error)
{
    check(root.size <= VOLUME_ROOT_BYTES_MAX);
    check(!volume->committing, "two commits of one volume at a time");
    fiber_may_yield(volume->world->scheduler);
    if (volume->failed)
        return volume_refuses(volume, error);
    struct commit commit = {.volume = volume, .scope = scope_open(volume->scope, "commit")};
    fiber_shield_begin(volume->world->scheduler);
    enum sqlstate failed = freeze(&commit, root, error);
    if (!failed) {
        failed = write_pages(&commit, error);
        if (!failed)
            failed = write_map(&commit, error);
        if (failed && failed != SQLSTATE_DISK_FULL)
            volume_fail(volume, error);
        if (!failed)
            failed = seal(&commit, error);
        if (failed)
            space_unfreeze(&volume->space);
        else
            thaw(&commit);
        volume->committing = false;
        if (!failed)
            give_back(&commit);
    }
    fiber_shield_end(volume->world->scheduler);
    scope_close(commit.scope);
    return failed;
}
