/* Reading the log's stream in order, with read-ahead, over segment borders. One fiber of one core uses a reader. */
#ifndef SYNOD_ENGINE_LOG_READER_H
#define SYNOD_ENGINE_LOG_READER_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct scope;
struct log_reader;
struct world;

/* Part of the stream that one file holds. */
struct extent {
    uint64_t first;
    uint64_t bytes;
};

/* Files of a directory, oldest first, each going on where the one before ends. */
struct extents {
    const char *directory;
    const struct extent *extent;
    size_t count;
};

/* Which extent holds the position; `count` when none does. */
size_t extents_find(const struct extents *extents, uint64_t position);

/* Path of the segment whose first byte has this position; lives in the scope. */
const char *segment_path(struct scope *scope, const char *directory, uint64_t first);

/* Opens a reader from `from` (a block's start) up to `end`. `extents` must outlive it. Its memory, up to 16 MiB, is the
 * scope's; closing the scope ends the read-ahead. Does not yield. */
enum sqlstate reader_open(struct world *world, struct scope *scope, const struct extents *extents,
                          uint64_t from, uint64_t end, struct log_reader **reader, struct error *error);

/* Shows `bytes` (at most GROUP_BYTES_MAX) from `position` on, of one segment and before the stream's end. Positions never go
 * back. The view is good until the next call. May yield. */
enum sqlstate reader_view(struct log_reader *reader, uint64_t position, size_t bytes, const uint8_t **data,
                          struct error *error);

#endif
