/* Segment files: how they come, go on, and go.
 *
 * A segment is made under the name "new", allocated, filled with zeros and synced, and only then gets its position's name; so
 * whatever bears such a name has its full size. One that is not needed any more gets the name behind the last: its old bytes say other
 * positions than those it now has, and are not taken for new ones (format.c).
 *
 * Names change one at a time, each durable before the next: after a crash the positions of the names still follow each other
 * without a gap, since the oldest goes first and the newest comes last. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/log/scratch.h"

#include <stdio.h>

void segments_lock(struct node_log *log)
{
    struct scheduler *scheduler = log->world->scheduler;
    fiber_shield_begin(scheduler);
    while (log->files_busy)
        (void)!fiber_wait(scheduler, &log->files, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    log->files_busy = true;
}

void segments_unlock(struct node_log *log)
{
    log->files_busy = false;
    fiber_wake_one(&log->files);
}

static void publish(struct node_log *log)
{
    uint64_t count = 0;
    list_each (&log->segments, at)
        count++;
    struct list_link *first = list_first(&log->segments);
    atomic_store_explicit(&log->segment_count, count, memory_order_relaxed);
    if (first)
        atomic_store_explicit(&log->first, container_of(first, struct segment, link)->first,
                              memory_order_relaxed);
}

struct segment *segment_add(struct node_log *log, uint64_t first, uint64_t bytes)
{
    struct list_link *link = list_take_first(&log->segments_free);
    struct segment *segment =
        link ? container_of(link, struct segment, link) : scope_alloc(log->scope, sizeof *segment);
    *segment = (struct segment){.first = first, .bytes = bytes};
    list_append(&log->segments, &segment->link);
    publish(log);
    return segment;
}

struct segment *segment_next(const struct node_log *log, const struct segment *segment)
{
    struct list_link *next = segment->link.next;
    return next == &log->segments.head ? NULL : container_of(next, struct segment, link);
}

static uint64_t stream_end(const struct node_log *log)
{
    struct list_link *last = list_last(&log->segments);
    if (!last)
        return 0;
    const struct segment *segment = container_of(last, struct segment, link);
    return segment->first + segment->bytes;
}

static enum sqlstate open_file(struct node_log *log, const char *path, uint32_t flags, struct scope **scope,
                               struct file **file, struct error *error)
{
    *scope = scratch_open(log->scope, "log segment");
    enum sqlstate failed = disk_open(log->world, *scope, path, DISK_DIRECT | flags, file, error);
    if (failed)
        scratch_close(*scope);
    return failed;
}

enum sqlstate segment_open(struct node_log *log, struct segment *segment, struct error *error)
{
    struct scope *scratch = scratch_open(log->scope, "log path");
    const char *path = segment_path(scratch, log->options.directory, segment->first);
    struct scope *scope;
    struct file *file;
    enum sqlstate failed = open_file(log, path, 0, &scope, &file, error);
    if (!failed) {
        segment->scope = scope;
        segment->file = file;
    }
    scratch_close(scratch);
    return failed;
}

void segment_close(struct segment *segment)
{
    if (!segment->file)
        return;
    scratch_close(segment->scope);
    segment->scope = NULL;
    segment->file = NULL;
}

/* ---- making ---- */

/* Writes zeros all over it. The first write to a block that was only allocated makes the file system note in its journal that
 * the block is in use now, and the sync behind it waits for that: it takes twice as long as any later one. */
static enum sqlstate write_zeros(struct node_log *log, struct scope *scope, struct file *file,
                                 struct error *error)
{
    uint64_t bytes = log->options.segment_bytes;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint64_t at = 0, size; at < bytes && !failed; at += size) {
        size = bytes - at < ZEROS_BYTES ? bytes - at : ZEROS_BYTES;
        failed = disk_write(log->world, scope, file, log->zeros, size, at, error);
    }
    return failed;
}

static enum sqlstate make_whole(struct node_log *log, struct scope *scope, struct file *file,
                                const char *path, const char *name, struct error *error)
{
    struct world *world = log->world;
    enum sqlstate failed = disk_truncate(world, scope, file, 0, error); /* of a crash's leavings */
    if (!failed)
        failed = disk_allocate(world, scope, file, 0, log->options.segment_bytes, error);
    if (!failed)
        failed = write_zeros(log, scope, file, error);
    if (!failed)
        failed = disk_sync(world, scope, file, error);
    if (!failed)
        failed = disk_rename(world, path, name, error);
    if (!failed)
        failed = disk_sync_directory(world, log->options.directory, error);
    return failed;
}

enum sqlstate segment_make(struct node_log *log, struct error *error)
{
    struct scope *scratch = scratch_open(log->scope, "log path");
    size_t room = strlen(log->options.directory) + sizeof "/new";
    char *path = scope_alloc(scratch, room);
    snprintf(path, room, "%s/new", log->options.directory);
    const char *name = segment_path(scratch, log->options.directory, stream_end(log));
    struct scope *scope;
    struct file *file;
    enum sqlstate failed = open_file(log, path, DISK_CREATE, &scope, &file, error);
    if (!failed) {
        failed = make_whole(log, scope, file, path, name, error);
        struct error ignored;
        if (failed) {
            scratch_close(scope);
            if (disk_remove(log->world, path, &ignored))
                log_error(log->world, LOG_WARN, "log_segment", &ignored, "an unfinished log segment stays");
        } else {
            struct segment *segment = segment_add(log, stream_end(log), log->options.segment_bytes);
            segment->scope = scope;
            segment->file = file;
        }
    }
    scratch_close(scratch);
    return failed;
}

/* ---- recycling ---- */

static uint32_t segments_ahead(const struct node_log *log)
{
    uint32_t ahead = 0;
    for (const struct segment *at = log->current; (at = segment_next(log, at));)
        ahead++;
    return ahead;
}

enum sqlstate segment_recycle(struct node_log *log, struct error *error)
{
    struct segment *oldest = container_of(list_first(&log->segments), struct segment, link);
    struct scope *scratch = scratch_open(log->scope, "log path");
    const char *path = segment_path(scratch, log->options.directory, oldest->first);
    bool keep = oldest->bytes == log->options.segment_bytes && segments_ahead(log) < SEGMENTS_AHEAD_MAX;
    uint64_t end = stream_end(log);
    check(oldest != log->current && !oldest->groups && !oldest->file);
    enum sqlstate failed =
        keep ? disk_rename(log->world, path, segment_path(scratch, log->options.directory, end), error)
             : disk_remove(log->world, path, error);
    if (!failed) {
        /* From here on nobody knows which name a crash leaves, unless the directory is synced. */
        failed = disk_sync_directory(log->world, log->options.directory, error);
        if (failed)
            log_fail(log, error);
    }
    if (!failed) {
        list_remove(&oldest->link);
        list_append(&log->segments_free, &oldest->link);
        if (keep)
            segment_add(log, end, log->options.segment_bytes);
        publish(log);
    }
    scratch_close(scratch);
    return failed;
}
