/* Opening and making volumes; what is left of the door. */
#include "engine/page/volume.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"

/* How long another process may have the file before it is taken for alive. */
#define LOCK_WAIT_NS (3 * 1000 * 1000 * 1000UL)
#define LOCK_POLL_NS (5 * 1000 * 1000UL)

/* A new file has so much beside its superblocks. */
#define NEW_BYTES (1024U * 1024)

/* Pages of the allocation map read at once. */
#define MAP_BATCH 64

/* ---- making ---- */

static const char *parent_of(struct scope *scope, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    char *parent = scope_copy_text(scope, path);
    parent[slash == path ? 1 : slash - path] = '\0';
    return parent;
}

static enum sqlstate write_new(struct world *world, struct scope *scope, struct file *file,
                               const struct volume_options *options, uint32_t page_bytes, struct error *error)
{
    uint64_t places = (SUPERBLOCKS_BYTES + NEW_BYTES) / page_bytes, in_group = group_places(page_bytes);
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, SUPERBLOCK_BYTES, DISK_ALIGNMENT, &memory, error);
    if (failed)
        return failed;
    struct superblock *superblock = memory;
    *superblock = (struct superblock){.identity = options->identity,
                                      .generation = 1,
                                      .page_bytes = page_bytes,
                                      .places = places,
                                      .groups = (uint32_t)((places + in_group - 1) / in_group),
                                      .directories = 1};
    world_random(world, &superblock->volume, sizeof superblock->volume);
    superblock_seal(superblock);
    failed = disk_truncate(world, scope, file, 0, error);
    if (!failed)
        failed = disk_allocate(world, scope, file, 0, places * page_bytes, error);
    if (!failed)
        failed = superblock_write(world, scope, file, 0, superblock, error);
    return failed ? failed : disk_sync(world, scope, file, error);
}

/* Makes the file beside its place and renames it, so that there is a whole volume or none. */
static enum sqlstate make(struct world *world, struct scope *scope, const struct volume_options *options,
                          struct error *error)
{
    uint32_t page_bytes = options->page_bytes ? options->page_bytes : PAGE_BYTES_DEFAULT;
    check(page_bytes >= PAGE_BYTES_MIN && page_bytes <= PAGE_BYTES_MAX && !(page_bytes & (page_bytes - 1)));
    struct file *file;
    struct scope *work = scope_open(scope, "new volume");
    size_t length = strlen(options->path);
    char *path = scope_alloc(work, length + sizeof ".new");
    memcpy(path, options->path, length);
    memcpy(path + length, ".new", sizeof ".new");
    enum sqlstate failed = disk_open(world, work, path, DISK_CREATE | DISK_DIRECT, &file, error);
    if (!failed)
        failed = write_new(world, work, file, options, page_bytes, error);
    if (!failed)
        failed = disk_rename(world, path, options->path, error);
    if (!failed)
        failed = disk_sync_directory(world, parent_of(work, options->path), error);
    scope_close(work);
    return failed;
}

/* ---- superblocks ---- */

/* What was read of the superblocks. */
struct superblocks {
    struct superblock *best; /* the newest sound one; NULL = none */
    const char *fault;       /* what is wrong with one that is not */
};

/* Reads one copy. One that the disk does not give may be the newest: without it nobody knows which generation is the durable
 * one, and to take an older one for it could lose a commit. One that is there and not sound was torn. */
static enum sqlstate superblock_read(struct volume *volume, struct scope *work, uint32_t slot, uint32_t copy,
                                     struct superblock *into, const char **fault, struct error *error)
{
    struct disk_transfer transfer = {
        .file = volume->file, .data = into, .size = sizeof *into, .offset = superblock_offset(slot, copy)};
    enum sqlstate failed = volume_transfer(volume, work, false, &transfer, 1, error);
    *fault = failed ? "it cannot be read" : superblock_fault(into);
    return failed == SQLSTATE_DATA_CORRUPTED ? SQLSTATE_OK : failed; /* the file ends before it */
}

/* Reads a slot: any sound copy will do, for both are the same, or one of them was torn and the other is what was there
 * before or was to come. */
static enum sqlstate slot_read(struct volume *volume, struct scope *work, uint32_t slot,
                               struct superblock *into, struct superblocks *all, struct error *error)
{
    enum sqlstate unread = SQLSTATE_OK;
    bool sound = false;
    for (uint32_t copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
        const char *fault;
        enum sqlstate failed = superblock_read(volume, work, slot, copy, &into[copy], &fault, error);
        unread = failed ? failed : unread;
        sound = sound || !fault;
        if (fault)
            all->fault = fault;
        if (fault || (all->best && all->best->generation >= into[copy].generation))
            continue;
        all->best = &into[copy];
        volume->slot = slot;
    }
    return sound ? SQLSTATE_OK : unread;
}

static enum sqlstate superblock_choose(struct volume *volume, struct scope *work,
                                       struct superblock **superblock, struct error *error)
{
    struct superblocks all = {0};
    void *memory;
    enum sqlstate failed =
        scope_alloc_large(work, (size_t)SUPERBLOCK_SLOTS * SUPERBLOCK_COPIES * SUPERBLOCK_BYTES,
                          DISK_ALIGNMENT, &memory, error);
    for (uint32_t slot = 0; slot < SUPERBLOCK_SLOTS && !failed; slot++)
        failed = slot_read(volume, work, slot, (struct superblock *)memory + slot * SUPERBLOCK_COPIES, &all,
                           error);
    if (failed)
        return failed;
    *superblock = all.best;
    if (!all.best)
        return error_set(error, SQLSTATE_DATA_CORRUPTED, "both superblocks of volume \"%s\" are damaged: %s",
                         volume->path, all.fault);
    if (all.best->identity == volume->identity)
        return SQLSTATE_OK;
    failed = error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "volume \"%s\" belongs to another node or core", volume->path);
    error_add(error, ERROR_DETAIL, "Its identity is %016llx, expected was %016llx.",
              (unsigned long long)all.best->identity, (unsigned long long)volume->identity);
    return failed;
}

/* ---- the allocation map ---- */

/* Whether the page at `page` is the one meant. */
static bool map_page_sound(const struct volume *volume, const uint8_t *page, enum page_kind kind,
                           uint64_t number)
{
    const char *fault = page_fault(page, volume->page_bytes, kind, volume->id, number);
    if (fault)
        log_line(volume->world, LOG_ERROR, "volume_map_damaged",
                 "page %llu of the allocation map of volume \"%s\" is damaged: %s; what it describes counts "
                 "as used",
                 (unsigned long long)number_place(number), volume->path, fault);
    return !fault;
}

struct map_reader {
    struct volume *volume;
    struct scope *scope;
    uint8_t *buffer;
    struct disk_transfer transfers[MAP_BATCH];
};

/* Reads up to MAP_BATCH pages into the buffer; what cannot be read is zeroed, so that it is no page. */
static void read_map_pages(struct map_reader *reader, const uint64_t *numbers, size_t count)
{
    struct volume *volume = reader->volume;
    struct error error;
    for (size_t i = 0; i < count; i++)
        reader->transfers[i] =
            (struct disk_transfer){.file = volume->file,
                                   .data = reader->buffer + i * volume->page_bytes,
                                   .size = volume->page_bytes,
                                   .offset = place_offset(volume, number_place(numbers[i]))};
    if (!volume_transfer(volume, reader->scope, false, reader->transfers, count, &error))
        return;
    for (size_t i = 0; i < count; i++) {
        if (volume_transfer(volume, reader->scope, false, &reader->transfers[i], 1, &error))
            memset(reader->transfers[i].data, 0, volume->page_bytes);
    }
}

/* Loads groups [first, first + count) whose numbers are in the space already. */
static void load_groups(struct map_reader *reader, uint32_t first, uint32_t count)
{
    struct volume *volume = reader->volume;
    uint64_t numbers[MAP_BATCH];
    uint32_t groups[MAP_BATCH];
    for (uint32_t at = first; at < first + count;) {
        size_t batch = 0;
        for (; at < first + count && batch < MAP_BATCH; at++) {
            uint64_t number = volume->space.group[at].number;
            if (number == PAGE_NONE)
                continue;
            groups[batch] = at;
            numbers[batch++] = number;
        }
        read_map_pages(reader, numbers, batch);
        for (size_t i = 0; i < batch; i++) {
            const uint8_t *page = reader->buffer + i * volume->page_bytes;
            bool sound = map_page_sound(volume, page, PAGE_OF_GROUP, numbers[i]);
            space_load(&volume->space, groups[i],
                       sound ? (const uint64_t *)(page + PAGE_HEADER_BYTES) : NULL);
        }
    }
}

static void load_directory(struct map_reader *reader, uint32_t index)
{
    struct volume *volume = reader->volume;
    struct space *space = &volume->space;
    uint32_t in_directory = directory_groups(volume->page_bytes), first = index * in_directory;
    uint32_t count = space->groups - first < in_directory ? space->groups - first : in_directory;
    uint64_t number = space->directory[index].number;
    if (number == PAGE_NONE)
        return;
    read_map_pages(reader, &number, 1);
    bool sound = map_page_sound(volume, reader->buffer, PAGE_OF_DIRECTORY, number);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t group = PAGE_NONE;
        if (sound)
            memcpy(&group, reader->buffer + PAGE_HEADER_BYTES + i * sizeof group, sizeof group);
        if (!sound || (group != PAGE_NONE && !space_valid(space, number_place(group))))
            space_load(space, first + i, NULL);
        else
            space->group[first + i].number = group;
    }
    load_groups(reader, first, count);
}

static enum sqlstate load_map(struct volume *volume, struct scope *work, const struct superblock *superblock,
                              struct error *error)
{
    struct space *space = &volume->space;
    struct map_reader *reader = scope_alloc_zeroed(work, sizeof *reader);
    void *buffer;
    reader->volume = volume;
    reader->scope = work;
    space_open(space, volume->scope, volume->page_bytes);
    enum sqlstate failed = space_grow(space, superblock->places, error);
    if (!failed)
        failed =
            scope_alloc_large(work, (size_t)MAP_BATCH * volume->page_bytes, DISK_ALIGNMENT, &buffer, error);
    if (failed)
        return failed;
    reader->buffer = buffer;
    for (uint32_t i = 0; i < superblock->directories; i++) {
        space->directory[i].number = superblock->directory[i];
        load_directory(reader, i);
    }
    /* The map's own pages are in use whatever it says. */
    for (uint32_t i = 0; i < superblock->directories; i++) {
        if (space->directory[i].number != PAGE_NONE)
            space_claim(space, number_place(space->directory[i].number));
    }
    for (uint32_t i = 0; i < space->groups; i++) {
        if (space->group[i].number != PAGE_NONE)
            space_claim(space, number_place(space->group[i].number));
    }
    return SQLSTATE_OK;
}

/* ---- opening ---- */

/* Of a process that was killed the kernel lets files go a moment after the process is gone: those it was reading or writing.
 * Whoever starts it anew at once must not fail for that. */
static enum sqlstate open_locked(struct volume *volume, struct error *error)
{
    struct world *world = volume->world;
    uint64_t deadline_ns = world_now(world) + LOCK_WAIT_NS;
    for (;;) {
        enum sqlstate failed =
            disk_open(world, volume->scope, volume->path, DISK_DIRECT | DISK_LOCK, &volume->file, error);
        if (failed != SQLSTATE_LOCK_FILE_EXISTS || world_now(world) >= deadline_ns)
            return failed;
        if (fiber_sleep_until(world->scheduler, world_now(world) + LOCK_POLL_NS) == FIBER_CANCELED)
            return failed;
    }
}

static enum sqlstate open_file(struct volume *volume, const struct volume_options *options,
                               struct error *error)
{
    enum sqlstate failed = open_locked(volume, error);
    if (failed != SQLSTATE_UNDEFINED_FILE)
        return failed;
    failed = make(volume->world, volume->scope, options, error);
    return failed ? failed : open_locked(volume, error);
}

/* Writes the newest superblock once more where it was read, one copy after the other. A write of it that had failed may be in
 * sight, and no sync would ever bring it to the disk; then the other slot, which comes next, would be the only one there is. The
 * bytes are the same, so a torn write changes nothing. */
static enum sqlstate superblock_confirm(struct volume *volume, struct scope *work,
                                        struct superblock *superblock, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t copy = 0; copy < SUPERBLOCK_COPIES && !failed; copy++) {
        struct disk_transfer transfer = {.file = volume->file,
                                         .data = superblock,
                                         .size = sizeof *superblock,
                                         .offset = superblock_offset(volume->slot, copy)};
        failed = disk_write_many(volume->world, work, &transfer, 1, true, error);
    }
    return failed;
}

static enum sqlstate open_in(struct volume *volume, struct scope *work, const struct volume_options *options,
                             uint8_t *root, size_t *root_bytes, struct error *error)
{
    struct superblock *superblock;
    void *scratch;
    enum sqlstate failed = open_file(volume, options, error);
    if (!failed)
        failed = superblock_choose(volume, work, &superblock, error);
    if (failed)
        return failed;
    volume->page_bytes = superblock->page_bytes;
    volume->id = superblock->volume;
    volume->durable = superblock->generation;
    volume->generation = superblock->generation + 1;
    failed = load_map(volume, work, superblock, error);
    if (!failed)
        failed = cache_open(&volume->cache, volume->scope, volume->page_bytes, options->cache_bytes, error);
    if (!failed)
        failed = superblock_confirm(volume, work, superblock, error);
    if (!failed)
        failed = transfer_open(volume, error);
    if (!failed)
        failed = scope_alloc_large(volume->scope, 2 * (size_t)volume->page_bytes, 64, &scratch, error);
    if (failed)
        return failed;
    volume->scratch = scratch;
    memcpy(root, superblock->root, superblock->root_bytes);
    *root_bytes = superblock->root_bytes;
    /* What was read may have been written and not be durable yet, by a process that was killed. Nothing may be
     * overwritten that an older superblock still refers to, so it is committed once more, under a new generation: which
     * also tells its pages from those the killed process wrote last. */
    return volume_commit(volume, bytes_of(root, *root_bytes), error);
}

enum sqlstate volume_open(struct world *world, struct scope *scope, const struct volume_options *options,
                          struct volume **volume, uint8_t *root, size_t *root_bytes, struct error *error)
{
    struct scope *own = scope_open(scope, "volume"), *work = scope_open(scope, "volume open");
    *volume = scope_alloc_zeroed(own, sizeof **volume);
    **volume = (struct volume){.world = world,
                               .scope = own,
                               .path = scope_copy_text(own, options->path),
                               .identity = options->identity};
    enum sqlstate failed = open_in(*volume, work, options, root, root_bytes, error);
    scope_close(work);
    if (failed)
        scope_close(own);
    return failed;
}

/* ---- looking ---- */

struct world *volume_world(const struct volume *volume)
{
    return volume->world;
}

bool volume_failed(const struct volume *volume)
{
    return volume->failed;
}

uint8_t *volume_scratch(struct volume *volume, uint32_t which)
{
    check(which < 2);
    return volume->scratch + (size_t)which * volume->page_bytes;
}

uint32_t volume_page_body_bytes(const struct volume *volume)
{
    return volume->page_bytes - PAGE_HEADER_BYTES;
}

uint64_t volume_reads(const struct volume *volume)
{
    return volume->reads;
}

void volume_figures(const struct volume *volume, struct volume_figures *figures)
{
    const struct cache *cache = &volume->cache;
    *figures = (struct volume_figures){
        .pages = volume->space.places,
        .free_pages = space_available(&volume->space),
        .held_pages = volume->space.held,
        .temporary_pages = volume->space.loose_count,
        .hole_pages = volume->space.hole_words * 64,
        .cached_pages = cache->made - cache->queues[QUEUE_FREE].count,
        .cache_pages = cache->most,
        .hits = cache->hits,
        .misses = cache->misses,
        .reads = volume->reads,
        .writes = volume->writes,
        .evictions = cache->evictions,
        .generation = volume->durable,
        .unknown_pages = volume->space.unknown,
    };
    for (int i = 0; i < DIRTY_LISTS; i++)
        figures->dirty_pages += volume->dirty_count[i];
}

/* ---- checking what is on the disk ---- */

/* Whether the disk holds the page as it is, and will as long as it is in use. */
static bool settled(const struct volume *volume, uint64_t number)
{
    const struct cache_slot *slot = cache_lookup(&volume->cache, number);
    const struct frame *frame = slot ? &volume->cache.frames[slot->frame] : NULL;
    return !number_is_of(number, volume->generation) &&
           !space_bit(volume->space.loose, number_place(number)) &&
           !(frame && (frame->dirty != DIRTY_NOT || frame->writing));
}

static enum sqlstate check_one(struct volume *volume, struct scope *work, uint8_t *buffer, uint64_t number,
                               struct error *error)
{
    if (!space_valid(&volume->space, number_place(number)))
        return volume_damaged(volume, number, "there is no such page", error);
    struct disk_transfer transfer = {.file = volume->file,
                                     .data = buffer,
                                     .size = volume->page_bytes,
                                     .offset = place_offset(volume, number_place(number))};
    for (;;) {
        uint64_t durable = volume->durable;
        if (!settled(volume, number))
            return SQLSTATE_OK;
        enum sqlstate failed = volume_transfer(volume, work, false, &transfer, 1, error);
        const char *fault =
            failed ? NULL : page_fault(buffer, volume->page_bytes, PAGE_OF_LAYER, volume->id, number);
        if (fault)
            failed = volume_damaged(volume, number, fault, error);
        /* Meanwhile a commit may have given the place away. */
        if (!failed || durable == volume->durable)
            return failed;
    }
}

enum sqlstate volume_check(struct volume *volume, const uint64_t *numbers, size_t count, size_t *bad,
                           struct error *error)
{
    struct scope *work = scope_open(volume->scope, "volume check");
    void *buffer;
    enum sqlstate failed = scope_alloc_large(work, volume->page_bytes, DISK_ALIGNMENT, &buffer, error);
    for (*bad = 0; *bad < count && !failed; *bad += !failed)
        failed = check_one(volume, work, buffer, numbers[*bad], error);
    scope_close(work);
    return failed;
}
