/* Following a log that goes on; see log.h.
 *
 * A follower stands where a group ended, at p, and wants the group behind it:
 *
 *     segments   | group | group | group | group |  ...  | group | group |            stable
 *     recent                                      [ group | group | group ]  in memory    |
 *                        ^ p: walked, with read-ahead        ^ p: copied                   ^ p: waits
 *
 * Groups enter the recent ones, a ring of bytes, when they become stable and anybody follows; so nothing else is ever seen.
 * Who is further behind walks the segments from p to what was stable when the walk began, with a walk of its own (walk.c), and
 * looks into the ring again behind that.
 *
 * A follower's segments stay as long as it holds them, up to its bound. Beyond that they are recycled under it: what it reads
 * then is of another position, incarnation or checksum and no group, and it is told that its place is gone. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/scope.h"
#include "engine/log/walk.h"

#include <assert.h>

/* Memory for recent groups: some milliseconds of a disk's full speed. */
#define RECENT_BYTES  (4 * 1024 * 1024)
#define RECENT_GROUPS 1024

static_assert(RECENT_BYTES >= 2 * GROUP_BYTES_MAX);

/* ---- recent groups ---- */

struct recent_group {
    struct group_head head;
    size_t at; /* in the ring's memory */
};

struct log_recent {
    uint8_t *memory;
    size_t next; /* where the next group goes */
    struct recent_group group[RECENT_GROUPS];
    uint32_t first, count;
};

static struct recent_group *recent_at(struct log_recent *recent, uint32_t index)
{
    return &recent->group[(recent->first + index) % RECENT_GROUPS];
}

/* The oldest goes. */
static void recent_drop(struct log_recent *recent)
{
    recent->first = (recent->first + 1) % RECENT_GROUPS;
    recent->count--;
}

/* Those that lie within bytes [from, to) of the memory are the oldest, if the ring is to go on there. */
static void recent_clear(struct log_recent *recent, size_t from, size_t to)
{
    while (recent->count) {
        const struct recent_group *oldest = recent_at(recent, 0);
        if (oldest->at >= to || oldest->at + oldest->head.bytes <= from)
            return;
        recent_drop(recent);
    }
}

void log_recent_add(struct node_log *log, const struct group *group)
{
    struct log_recent *recent = log->recent;
    size_t bytes = group->head.bytes;
    if (list_empty(&log->followers))
        return;
    if (recent->next + bytes > RECENT_BYTES) {
        recent_clear(recent, recent->next, RECENT_BYTES);
        recent->next = 0;
    }
    recent_clear(recent, recent->next, recent->next + bytes);
    if (recent->count == RECENT_GROUPS)
        recent_drop(recent);
    memcpy(recent->memory + recent->next, group->memory, bytes);
    *recent_at(recent, recent->count++) = (struct recent_group){.head = group->head, .at = recent->next};
    recent->next += bytes;
}

/* The group that follows a position, or NULL. */
static const struct recent_group *recent_behind(struct log_recent *recent, uint64_t position)
{
    for (uint32_t i = recent->count; i-- > 0;) {
        const struct recent_group *group = recent_at(recent, i);
        if (group->head.previous == position)
            return group;
        if (group->head.previous < position)
            return NULL;
    }
    return NULL;
}

/* ---- followers ---- */

struct log_follower {
    struct list_link link;
    struct node_log *log;
    struct scope *scope;
    struct log_follow options;
    uint64_t position;    /* where the last group ended */
    uint64_t incarnation; /* its, or 0 */
    uint64_t held;        /* what is before is not needed */
    bool found;           /* the first record wanted */
    bool gone;
    struct fiber_queue stable; /* waits for something to be stable behind `position` */
    struct record_cursor cursor;
    uint8_t *copy;           /* of a recent group */
    struct passage *passage; /* NULL = none */
};

/* A walk through segments, in memory of a scope of its own. */
struct passage {
    struct scope *scope;
    struct extents extents;
    struct walk walk;
};

void log_followers_wake(struct node_log *log)
{
    list_each (&log->followers, at)
        fiber_wake_all(&container_of(at, struct log_follower, link)->stable);
}

uint64_t log_followers_hold(const struct node_log *log, uint64_t position)
{
    uint64_t stable = atomic_load_explicit(&log->stable, memory_order_relaxed);
    list_each (&log->followers, at) {
        const struct log_follower *follower = container_of(at, struct log_follower, link);
        uint64_t most = follower->options.hold_bytes_max;
        uint64_t least = stable > most ? stable - most : 0;
        if (!follower->gone && follower->held >= least && follower->held < position)
            position = follower->held;
    }
    return position;
}

static uint64_t stable_end(const struct log_follower *follower)
{
    return atomic_load_explicit(&follower->log->stable, memory_order_relaxed);
}

static uint64_t first_held(const struct node_log *log)
{
    return container_of(list_first(&log->segments), struct segment, link)->first;
}

static enum sqlstate is_gone(struct log_follower *follower, struct error *error)
{
    follower->gone = true;
    enum sqlstate failed =
        error_set(error, SQLSTATE_UNDEFINED_FILE, "what the log held at position %llu has been recycled",
                  (unsigned long long)follower->position);
    error_add(error, ERROR_DETAIL, "It begins at position %llu now.",
              (unsigned long long)first_held(follower->log));
    return failed;
}

static enum sqlstate not_followed(struct error *error)
{
    return error_set(error, SQLSTATE_QUERY_CANCELED, "the log is not followed any more");
}

/* ---- through segments ---- */

static void passage_end(struct log_follower *follower)
{
    if (follower->passage)
        scope_close(follower->passage->scope);
    follower->passage = NULL;
}

static enum sqlstate passage_begin(struct log_follower *follower, struct error *error)
{
    const struct node_log *log = follower->log;
    size_t count = 0;
    struct scope *scope = scope_open(follower->scope, "log walk");
    struct passage *passage = scope_alloc_zeroed(scope, sizeof *passage);
    passage->scope = scope;
    follower->passage = passage;
    list_each (&log->segments, at)
        count++;
    struct extent *extent = scope_alloc(scope, count * sizeof *extent);
    passage->extents = (struct extents){.directory = log->options.directory, .extent = extent};
    list_each (&log->segments, at) {
        const struct segment *segment = container_of(at, struct segment, link);
        extent[passage->extents.count++] = (struct extent){.first = segment->first, .bytes = segment->bytes};
    }
    return walk_open(&passage->walk, log->world, scope, &passage->extents, log->options.cluster,
                     follower->position, follower->incarnation, stable_end(follower), error);
}

static enum sqlstate damaged(const struct passage *passage, struct error *error)
{
    const struct extents *extents = &passage->extents;
    uint64_t position = passage->walk.next;
    size_t at = extents_find(extents, position);
    enum sqlstate failed = error_set(
        error, SQLSTATE_DATA_CORRUPTED, "log segment \"%s/%016llx\" is damaged at position %llu",
        extents->directory, (unsigned long long)(at < extents->count ? extents->extent[at].first : 0),
        (unsigned long long)position);
    error_add(error, ERROR_DETAIL, "What stands there is no group of records.");
    return failed;
}

/* The next group of the walk. The follower's scope may close meanwhile, which cancels who reads ahead. */
static enum sqlstate walk_on(struct log_follower *follower, struct error *error)
{
    struct group_head head;
    const uint8_t *group;
    bool got = false;
    if (follower->position < first_held(follower->log))
        return is_gone(follower, error);
    enum sqlstate failed = follower->passage ? SQLSTATE_OK : passage_begin(follower, error);
    struct passage *passage = follower->passage;
    struct scope *scope = passage->scope;
    scope_hold(scope);
    if (!failed)
        failed = walk_next(&passage->walk, &head, &group, &got, error);
    if (!failed && scope_closing(scope)) {
        failed = not_followed(error);
    } else if (got) {
        follower->position = passage->walk.position;
        follower->incarnation = head.incarnation;
        follower->cursor = record_first(group, &head);
    } else if (follower->position < first_held(follower->log))
        failed = is_gone(follower, error);
    else if (!failed)
        failed = damaged(passage, error);
    scope_release(scope);
    return failed;
}

/* ---- the next group ---- */

/* Copied, for the ring goes on while the caller looks at records. */
static bool take_recent(struct log_follower *follower)
{
    struct log_recent *recent = follower->log->recent;
    const struct recent_group *group = recent_behind(recent, follower->position);
    if (!group)
        return false;
    memcpy(follower->copy, recent->memory + group->at, group->head.bytes);
    follower->position = group_end(&group->head);
    follower->incarnation = group->head.incarnation;
    follower->cursor = record_first(follower->copy, &group->head);
    return true;
}

static enum sqlstate log_over(const struct log_follower *follower, struct error *error)
{
    if (log_life(follower->log) != LOG_FAILED)
        return SQLSTATE_OK;
    enum sqlstate failed = error_set(error, SQLSTATE_IO_ERROR, "the log has failed");
    error_add(error, ERROR_DETAIL, "%s", error_text(&follower->log->error, ERROR_MESSAGE));
    return failed;
}

/* Waits for something behind the last group. */
static enum sqlstate await(struct log_follower *follower, uint64_t deadline_ns, enum log_followed *what,
                           struct error *error)
{
    struct scheduler *scheduler = follower->log->world->scheduler;
    *what = LOG_FOLLOWED_RECORD;
    while (follower->position >= stable_end(follower)) {
        enum log_life life = log_life(follower->log);
        *what = LOG_FOLLOWED_END;
        if (life == LOG_FAILED || life == LOG_ENDED)
            return log_over(follower, error);
        *what = LOG_FOLLOWED_NOTHING;
        enum fiber_wake wake = fiber_wait(scheduler, &follower->stable, deadline_ns);
        if (wake == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (scope_closing(follower->scope))
            return not_followed(error);
        if (wake == FIBER_TIMED_OUT && follower->position >= stable_end(follower))
            return SQLSTATE_OK;
        *what = LOG_FOLLOWED_RECORD;
    }
    return SQLSTATE_OK;
}

static enum sqlstate next_group(struct log_follower *follower, uint64_t deadline_ns, enum log_followed *what,
                                struct error *error)
{
    enum sqlstate failed = await(follower, deadline_ns, what, error);
    if (failed || *what != LOG_FOLLOWED_RECORD)
        return failed;
    if (follower->passage && follower->passage->walk.position < follower->passage->walk.end)
        return walk_on(follower, error);
    passage_end(follower);
    return take_recent(follower) ? SQLSTATE_OK : walk_on(follower, error);
}

/* ---- the door ---- */

/* Whether the record is one that is asked for; the first must be the very one. */
static enum sqlstate wants(struct log_follower *follower, uint64_t position, const struct log_record *record,
                           bool *wanted, struct error *error)
{
    const struct log_follow *options = &follower->options;
    *wanted = position >= options->position && (options->all_topics || record->topic == options->topic) &&
              (follower->found || record->sequence >= options->sequence);
    if (!*wanted || follower->found)
        return SQLSTATE_OK;
    follower->found = true;
    if (!options->sequence || record->sequence == options->sequence)
        return SQLSTATE_OK;
    follower->gone = true;
    return error_set(error, SQLSTATE_UNDEFINED_FILE,
                     "record %llu of topic %llu has been recycled: the first that is left is %llu",
                     (unsigned long long)options->sequence, (unsigned long long)options->topic,
                     (unsigned long long)record->sequence);
}

static enum sqlstate next_record(struct log_follower *follower, uint64_t deadline_ns, enum log_followed *what,
                                 uint64_t *position, struct log_record *record, struct error *error)
{
    bool wanted = false;
    enum sqlstate failed = SQLSTATE_OK;
    *what = LOG_FOLLOWED_NOTHING;
    if (follower->gone)
        return is_gone(follower, error);
    while (!failed && !wanted) {
        if (record_next(&follower->cursor, position, record)) {
            failed = wants(follower, *position, record, &wanted, error);
            if (!follower->options.acknowledges)
                follower->held = *position;
            continue;
        }
        failed = next_group(follower, deadline_ns, what, error);
        if (failed || *what != LOG_FOLLOWED_RECORD)
            return failed;
    }
    *what = LOG_FOLLOWED_RECORD;
    return failed;
}

enum sqlstate log_follower_next(struct log_follower *follower, uint64_t deadline_ns, enum log_followed *what,
                                uint64_t *position, struct log_record *record, struct error *error)
{
    struct scope *scope = follower->scope;
    /* Its caller may hold what has closed already; the segments it was reading are gone then. */
    if (scope_closing(scope))
        return not_followed(error);
    scope_hold(scope);
    enum sqlstate failed = next_record(follower, deadline_ns, what, position, record, error);
    /* Closed meanwhile: what was found goes with it. */
    if (!failed && scope_closing(scope))
        failed = not_followed(error);
    scope_release(scope);
    return failed;
}

void log_follower_acknowledge(struct log_follower *follower, uint64_t position)
{
    check(follower->options.acknowledges);
    if (position > follower->held)
        follower->held = position;
}

uint64_t log_follower_stable(const struct log_follower *follower)
{
    return stable_end(follower);
}

static void follower_end(void *argument)
{
    struct log_follower *follower = argument;
    list_remove(&follower->link);
    fiber_wake_all(&follower->log->keeper);
}

/* Where to begin: at the position if a group ended there that is not behind the stable end, else with its segment. */
static enum sqlstate find_start(struct log_follower *follower, struct error *error)
{
    const struct node_log *log = follower->log;
    uint64_t from = follower->options.position;
    if (from >= stable_end(follower)) {
        follower->position = follower->options.position = stable_end(follower);
        return SQLSTATE_OK;
    }
    follower->position = first_held(log);
    if (from && from < follower->position) {
        follower->position = from;
        return is_gone(follower, error);
    }
    list_each (&log->segments, at) {
        const struct segment *segment = container_of(at, struct segment, link);
        if (segment->first <= from)
            follower->position = segment->first;
    }
    return SQLSTATE_OK;
}

static enum sqlstate recent_open(struct node_log *log, struct error *error)
{
    void *memory;
    if (log->recent)
        return SQLSTATE_OK;
    enum sqlstate failed = scope_alloc_large(log->scope, RECENT_BYTES, 64, &memory, error);
    if (failed)
        return failed;
    log->recent = scope_alloc_zeroed(log->scope, sizeof *log->recent);
    log->recent->memory = memory;
    return SQLSTATE_OK;
}

enum sqlstate log_follow(struct node_log *log, struct scope *scope, const struct log_follow *options,
                         struct log_follower **opened, struct error *error)
{
    void *copy;
    check(log_life(log) != LOG_OPENED && (!options->sequence || !options->all_topics));
    enum sqlstate failed = recent_open(log, error);
    if (!failed)
        failed = scope_alloc_large(scope, GROUP_BYTES_MAX, DISK_ALIGNMENT, &copy, error);
    if (failed)
        return failed;
    struct log_follower *follower = scope_alloc_zeroed(scope, sizeof *follower);
    *follower = (struct log_follower){.log = log, .scope = scope, .options = *options, .copy = copy};
    failed = find_start(follower, error);
    if (failed)
        return failed;
    follower->held = options->position > follower->position ? options->position : follower->position;
    fiber_queue_init(&follower->stable);
    /* What was in the ring when nobody followed has a gap behind it. */
    if (list_empty(&log->followers))
        log->recent->count = 0;
    list_append(&log->followers, &follower->link);
    scope_undo(scope, follower_end, follower);
    *opened = follower;
    return SQLSTATE_OK;
}
