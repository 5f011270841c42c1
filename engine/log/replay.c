/* Replay: the records found at opening, in order, on any core.
 *
 * What opening found to be the log's end is where a replay must arrive: a group that is missing or damaged before it is an
 * error, never an end. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/map.h"
#include "base/scope.h"
#include "engine/log/scratch.h"
#include "engine/log/walk.h"

/* The last sequence number of a topic in an incarnation. */
struct topic {
    uint64_t incarnation;
    uint64_t sequence;
};

struct replay {
    struct world *world;
    struct scope *scope;
    const struct log_visitor *visitor;
    uint64_t from;
    struct map topics; /* number: struct topic */
};

static enum sqlstate damaged(const struct node_log *log, uint64_t position, const char *what,
                             struct error *error)
{
    const struct extents *found = &log->found;
    size_t at = extents_find(found, position);
    check(at < found->count);
    enum sqlstate failed = error_set(
        error, SQLSTATE_DATA_CORRUPTED, "log segment \"%s/%016llx\" is damaged at position %llu",
        found->directory, (unsigned long long)found->extent[at].first, (unsigned long long)position);
    error_add(error, ERROR_DETAIL, "%s", what);
    return failed;
}

/* Sequence numbers of a topic go on by one while the log is open. An appender may begin again from a lower number (a shard
 * that moved, another incarnation); a number left out is a record that is missing. */
static enum sqlstate check_sequence(struct replay *replay, const struct node_log *log, uint64_t incarnation,
                                    uint64_t position, const struct log_record *record, struct error *error)
{
    if (!record->sequence)
        return SQLSTATE_OK;
    struct topic *topic = map_find_number(&replay->topics, record->topic);
    if (!topic) {
        topic = scope_alloc_zeroed(replay->scope, sizeof *topic);
        enum sqlstate failed = map_put_number(&replay->topics, record->topic, topic, NULL, error);
        if (failed)
            return failed;
    }
    if (topic->incarnation == incarnation && record->sequence > topic->sequence + 1)
        return damaged(log, position, "A record of its topic is missing before it.", error);
    *topic = (struct topic){.incarnation = incarnation, .sequence = record->sequence};
    return SQLSTATE_OK;
}

static enum sqlstate visit_group(struct replay *replay, const struct node_log *log,
                                 const struct group_head *head, const uint8_t *group, struct error *error)
{
    struct record_cursor cursor = record_first(group, head);
    struct log_record record;
    uint64_t position;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && record_next(&cursor, &position, &record)) {
        if (position < replay->from)
            continue;
        failed = check_sequence(replay, log, head->incarnation, position, &record, error);
        if (!failed)
            failed = replay->visitor->visit(replay->visitor->argument, position, &record, error);
    }
    return failed;
}

static enum sqlstate run(struct replay *replay, const struct node_log *log, uint64_t start,
                         struct error *error)
{
    struct walk walk;
    enum sqlstate failed = walk_open(&walk, replay->world, replay->scope, &log->found, log->options.cluster,
                                     start, 0, log->found_end, error);
    while (!failed && walk.position < log->found_end) {
        struct group_head head;
        const uint8_t *group;
        bool found;
        failed = walk_next(&walk, &head, &group, &found, error);
        if (!failed && !found)
            failed = damaged(log, walk.next, "What stands there is no group of records.", error);
        if (!failed && group_end(&head) > replay->from)
            failed = visit_group(replay, log, &head, group, error);
    }
    return failed;
}

enum sqlstate node_log_replay(struct world *world, struct scope *scope, struct node_log *log, uint64_t from,
                              const struct log_visitor *visitor, struct error *error)
{
    check(log_life(log) == LOG_OPENED, "a log is replayed before it is started");
    if (from >= log->found_end)
        return SQLSTATE_OK;
    size_t first = extents_find(&log->found, from);
    check(first < log->found.count, "replay from %llu, which the log does not hold",
          (unsigned long long)from);
    struct scope *own = scratch_open(scope, "log replay");
    struct replay replay = {.world = world, .scope = own, .visitor = visitor, .from = from};
    struct map_seed seed;
    world_random(world, &seed, sizeof seed);
    map_init(&replay.topics, MAP_OF_NUMBERS, own, seed);
    enum sqlstate failed = run(&replay, log, log->found.extent[first].first, error);
    scratch_close_and_wait(world->scheduler, own);
    return failed;
}
