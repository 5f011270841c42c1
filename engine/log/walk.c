/* Which groups follow each other.
 *
 * A walk stands where a group ended, at p. The next group's head is at p; or, when the rest of that segment was too short
 * for it, at the start of the next segment with `previous` = p, so that nothing can have been between.
 *
 * Incarnations. A crash leaves groups behind the first hole of what was in flight; they are dropped, and their blocks lie
 * where the next incarnation's groups will be. It may crash, too, when one of its groups has just reached such a block:
 *
 *     | 5 | 5 | hole | 5 | 5 |          dropped from the hole on, opened as 6
 *     | 5 | 5 | 6 o  | 6 | 5 |          must end behind the second 6
 *
 * So a group follows only one of its own incarnation, but for an incarnation's first group ("o"), which follows any older
 * one. It was durable before anything of its incarnation was placed behind it (open.c), so an incarnation without its
 * opening group cannot be found. */
#include "engine/log/walk.h"

#include "base/scope.h"

/* A walk that finds everything in memory lets others run this often: 256 KiB take about 100 us. */
#define BYTES_PER_TURN (256 * 1024)

enum sqlstate walk_open(struct walk *walk, struct world *world, struct scope *scope,
                        const struct extents *extents, uint64_t cluster, uint64_t from, uint64_t incarnation,
                        uint64_t end, struct error *error)
{
    *walk = (struct walk){.world = world,
                          .extents = extents,
                          .cluster = cluster,
                          .incarnation = incarnation,
                          .position = from,
                          .end = end};
    return reader_open(world, scope, extents, from, end, &walk->reader, error);
}

static bool follows(const struct walk *walk, const struct group_head *head, uint64_t position)
{
    if (head->cluster != walk->cluster || head->position != position)
        return false;
    if (walk->incarnation == 0)
        return true;
    return head->previous == walk->position &&
           (head->incarnation == walk->incarnation ||
            (head->incarnation > walk->incarnation && head->kind == GROUP_OPENING));
}

/* Looks for the next group at this position, of the segment `extent`. */
static enum sqlstate look_at(struct walk *walk, uint64_t position, const struct extent *extent,
                             struct group_head *head, const uint8_t **group, bool *found, struct error *error)
{
    const uint8_t *block;
    uint64_t limit = extent->first + extent->bytes < walk->end ? extent->first + extent->bytes : walk->end;
    enum sqlstate failed = reader_view(walk->reader, position, DISK_ALIGNMENT, &block, error);
    if (failed)
        return failed;
    if (!group_head_read(block, head) || !follows(walk, head, position) || group_end(head) > limit)
        return SQLSTATE_OK;
    walk->next = position;
    failed = reader_view(walk->reader, position, blocks_up(head->bytes), group, error);
    if (!failed)
        *found = group_check(*group, head);
    return failed;
}

enum sqlstate walk_next(struct walk *walk, struct group_head *head, const uint8_t **group, bool *found,
                        struct error *error)
{
    *found = false;
    if (walk->looked_at > BYTES_PER_TURN) {
        walk->looked_at = 0;
        fiber_yield(walk->world->scheduler);
    }
    size_t at = extents_find(walk->extents, walk->position);
    walk->next = walk->position;
    enum sqlstate failed = SQLSTATE_OK;
    if (at < walk->extents->count && walk->position < walk->end)
        failed = look_at(walk, walk->position, &walk->extents->extent[at], head, group, found, error);
    const struct extent *next = at + 1 < walk->extents->count ? &walk->extents->extent[at + 1] : NULL;
    if (!failed && !*found && next && walk->position > walk->extents->extent[at].first &&
        next->first < walk->end)
        failed = look_at(walk, next->first, next, head, group, found, error);
    if (failed || !*found)
        return failed;
    walk->position = group_end(head);
    walk->incarnation = head->incarnation;
    if (head->stable > walk->stable)
        walk->stable = head->stable;
    walk->looked_at += blocks_up(head->bytes);
    return SQLSTATE_OK;
}
