/* Walking from group to group, as far as they are whole. */
#ifndef SYNOD_ENGINE_LOG_WALK_H
#define SYNOD_ENGINE_LOG_WALK_H

#include "engine/log/format.h"
#include "engine/log/reader.h"

struct walk {
    struct world *world;
    const struct extents *extents;
    struct log_reader *reader;
    uint64_t cluster;
    uint64_t incarnation; /* of the last group; 0 = none yet, any will do */
    uint64_t position;    /* where the last group ended */
    uint64_t next;        /* where the next one is or should be: there, or at the start of the next segment */
    uint64_t stable;      /* the largest any head spoke of */
    uint64_t end;         /* groups are looked for up to here */
    uint64_t looked_at;   /* bytes, since the fiber last let others run */
};

/* Starts at `from`, where a group ended or a segment begins. `incarnation`: a group behind it has this or a later one; 0 = not
 * known. Groups are looked for up to `end`. Memory is the scope's. */
enum sqlstate walk_open(struct walk *walk, struct world *world, struct scope *scope,
                        const struct extents *extents, uint64_t cluster, uint64_t from, uint64_t incarnation,
                        uint64_t end, struct error *error);

/* The next group, whole, or *found false when there is none at walk->position; then the walk is over. The group is good until
 * the next call. Yields now and then. */
enum sqlstate walk_next(struct walk *walk, struct group_head *head, const uint8_t **group, bool *found,
                        struct error *error);

#endif
