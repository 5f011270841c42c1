/* A reader: a ring of buffers, one that is looked at while fibers fill the others, each its own one, so that the disk never waits
 * for the next request.
 *
 *     | lead: GROUP_BYTES_MAX | PIECE_BYTES, as they stand in a file |
 *
 * A piece never crosses a segment's end. When a view begins in one piece and ends in the next, what is left of the first is
 * copied in front of the second: the lead has room for that, since a view is a group at most. */
#include "engine/log/reader.h"

#include "base/check.h"
#include "base/scope.h"
#include "base/world.h"
#include "engine/log/format.h"
#include "engine/log/scratch.h"

#include <stdio.h>

/* Read at once, in parts that go to the disk side by side: a device reaches its sequential rate from about 1 MiB on. */
#define PIECE_BYTES (2 * 1024 * 1024)
#define PART_BYTES  (256 * 1024)
#define PARTS       (PIECE_BYTES / PART_BYTES)

enum { BUFFERS = 4, FILLERS = 2 };

/* FILLING is a filler's, FILLED and EMPTY the looking side's until the next filler takes it. */
enum filling { EMPTY, FILLING, FILLED };

struct buffer {
    uint8_t *memory; /* lead and piece */
    uint64_t first;  /* position of the piece */
    size_t lead;     /* bytes in use in front of the piece */
    size_t bytes;    /* of the piece */
    enum filling state;
};

/* A fiber that fills one buffer after the other. */
struct filler {
    struct log_reader *reader;
    /* of the file it reads: */
    struct scope *file_scope;
    struct file *file;
    size_t file_extent;
};

struct log_reader {
    struct world *world;
    struct scope *scope;
    const struct extents *extents;
    uint64_t next; /* position of the next piece to read */
    uint64_t end;
    uint32_t filling, looking; /* buffers: the next to be taken by a filler, the one that is looked at */
    struct buffer buffer[BUFFERS];
    struct filler filler[FILLERS];
    struct fiber_queue filled, emptied;
    enum sqlstate failed; /* the read-ahead has; `error` says how */
    struct error error;
};

size_t extents_find(const struct extents *extents, uint64_t position)
{
    for (size_t i = extents->count; i--;) {
        const struct extent *extent = &extents->extent[i];
        if (position >= extent->first)
            return position - extent->first < extent->bytes ? i : extents->count;
    }
    return extents->count;
}

const char *segment_path(struct scope *scope, const char *directory, uint64_t first)
{
    size_t room = strlen(directory) + 1 + 16 + 1;
    char *path = scope_alloc(scope, room);
    snprintf(path, room, "%s/%016llx", directory, (unsigned long long)first);
    return path;
}

/* ---- reading ahead ---- */

static enum sqlstate open_extent(struct filler *filler, size_t extent, struct error *error)
{
    struct log_reader *reader = filler->reader;
    if (filler->file && filler->file_extent == extent)
        return SQLSTATE_OK;
    if (filler->file_scope)
        scratch_close(filler->file_scope);
    filler->file = NULL;
    filler->file_scope = scratch_open(reader->scope, "log segment");
    filler->file_extent = extent;
    const char *path =
        segment_path(filler->file_scope, reader->extents->directory, reader->extents->extent[extent].first);
    return disk_open(reader->world, filler->file_scope, path, DISK_READ_ONLY | DISK_DIRECT, &filler->file,
                     error);
}

/* Reads the piece of a segment that begins at a position into the buffer. */
static enum sqlstate fill(struct filler *filler, struct buffer *buffer, size_t number, uint64_t first,
                          size_t bytes, struct error *error)
{
    struct log_reader *reader = filler->reader;
    const struct extent *extent = &reader->extents->extent[number];
    enum sqlstate failed = open_extent(filler, number, error);
    if (failed)
        return failed;
    struct disk_transfer parts[PARTS];
    size_t count = 0;
    for (size_t at = 0; at < bytes; at += PART_BYTES)
        parts[count++] = (struct disk_transfer){.file = filler->file,
                                                .data = buffer->memory + GROUP_BYTES_MAX + at,
                                                .size = bytes - at < PART_BYTES ? bytes - at : PART_BYTES,
                                                .offset = first - extent->first + at};
    failed = disk_read_many(reader->world, reader->scope, parts, count, error);
    for (size_t i = 0; i < count && !failed; i++)
        if (parts[i].done < parts[i].size)
            failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "log segment \"%s/%016llx\" ends early",
                               reader->extents->directory, (unsigned long long)extent->first);
    buffer->first = first;
    buffer->lead = 0;
    buffer->bytes = bytes;
    return failed;
}

/* Takes the next piece and the next buffer in one step, so that both have the same order; then waits for the buffer. */
static enum sqlstate fill_next(struct filler *filler, struct error *error)
{
    struct log_reader *reader = filler->reader;
    struct scheduler *scheduler = reader->world->scheduler;
    struct buffer *buffer = &reader->buffer[reader->filling];
    uint64_t first = reader->next;
    size_t number = extents_find(reader->extents, first);
    check(number < reader->extents->count, "the stream goes on where no segment is");
    const struct extent *extent = &reader->extents->extent[number];
    uint64_t end = extent->first + extent->bytes < reader->end ? extent->first + extent->bytes : reader->end;
    size_t bytes = end - first < PIECE_BYTES ? (size_t)(end - first) : PIECE_BYTES;
    reader->next += bytes;
    reader->filling = (reader->filling + 1) % BUFFERS;
    while (buffer->state != EMPTY)
        if (fiber_wait(scheduler, &reader->emptied, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
    buffer->state = FILLING;
    enum sqlstate failed = fill(filler, buffer, number, first, bytes, error);
    buffer->state = failed ? FILLING : FILLED;
    return failed;
}

static void read_ahead(void *argument)
{
    struct filler *filler = argument;
    struct log_reader *reader = filler->reader;
    while (reader->next < reader->end && !reader->failed) {
        struct error error;
        enum sqlstate failed = fill_next(filler, &error);
        if (failed && !reader->failed) {
            reader->failed = failed;
            reader->error = error;
        }
        fiber_wake_all(&reader->filled);
    }
    if (filler->file_scope)
        scratch_close(filler->file_scope);
}

/* ---- looking ---- */

static enum sqlstate await(struct log_reader *reader, struct buffer *buffer, struct error *error)
{
    while (buffer->state != FILLED) {
        if (reader->failed) {
            *error = reader->error;
            return reader->failed;
        }
        if (fiber_wait(reader->world->scheduler, &reader->filled, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            return fiber_check_canceled(reader->world->scheduler, error);
    }
    return SQLSTATE_OK;
}

/* Goes to the next piece and takes along what it has from `position` on. */
static enum sqlstate advance(struct log_reader *reader, uint64_t position, struct error *error)
{
    struct buffer *old = &reader->buffer[reader->looking];
    struct buffer *new = &reader->buffer[(reader->looking + 1) % BUFFERS];
    enum sqlstate failed = await(reader, new, error);
    if (failed)
        return failed;
    uint64_t end = old->first + old->bytes;
    if (position < end) {
        new->lead = (size_t)(end - position);
        check(new->lead <= GROUP_BYTES_MAX &&new->first == end);
        memcpy(new->memory + GROUP_BYTES_MAX - new->lead,
               old->memory + GROUP_BYTES_MAX + old->bytes - new->lead, new->lead);
    }
    old->state = EMPTY;
    old->lead = 0;
    reader->looking = (reader->looking + 1) % BUFFERS;
    fiber_wake_all(&reader->emptied);
    return SQLSTATE_OK;
}

enum sqlstate reader_view(struct log_reader *reader, uint64_t position, size_t bytes, const uint8_t **data,
                          struct error *error)
{
    check(bytes <= GROUP_BYTES_MAX && position + bytes <= reader->end);
    for (;;) {
        struct buffer *buffer = &reader->buffer[reader->looking];
        enum sqlstate failed = await(reader, buffer, error);
        if (failed)
            return failed;
        uint64_t start = buffer->first - buffer->lead;
        check(position >= start, "a reader goes back");
        if (position + bytes <= buffer->first + buffer->bytes) {
            *data = buffer->memory + GROUP_BYTES_MAX - buffer->lead + (size_t)(position - start);
            return SQLSTATE_OK;
        }
        failed = advance(reader, position, error);
        if (failed)
            return failed;
    }
}

enum sqlstate reader_open(struct world *world, struct scope *scope, const struct extents *extents,
                          uint64_t from, uint64_t end, struct log_reader **opened, struct error *error)
{
    struct log_reader *reader = scope_alloc_zeroed(scope, sizeof *reader);
    *reader =
        (struct log_reader){.world = world, .scope = scope, .extents = extents, .next = from, .end = end};
    fiber_queue_init(&reader->filled);
    fiber_queue_init(&reader->emptied);
    uint64_t room = end - from < PIECE_BYTES ? blocks_up(end - from) : PIECE_BYTES;
    for (int i = 0; i < BUFFERS; i++) {
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(scope, GROUP_BYTES_MAX + room, DISK_ALIGNMENT, &memory, error);
        if (failed)
            return failed;
        reader->buffer[i].memory = memory;
    }
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < FILLERS && !failed; i++) {
        reader->filler[i].reader = reader;
        failed = fiber_start(world->scheduler, scope, "log read-ahead", read_ahead, &reader->filler[i], NULL,
                             error);
    }
    *opened = reader;
    return failed;
}
