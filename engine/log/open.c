/* Opening: where the log ends, and whether it ends where it should.
 *
 *     1. Segments are listed, and their names made durable; their positions must follow each other.
 *     2. The first head of each says what was stable when it was written. From the largest such position S on the groups are
 *        walked (walk.c) to the first that is not whole, at E. What is before S was checked when it became stable, and is
 *        checked again by whoever replays it.
 *     3. Heads behind E are looked at, whole groups or not. When one says that more than E was stable, E is damage: XX001.
 *        Otherwise what is behind E was in flight at the crash and never acknowledged: dropped.
 *     4. What was written and perhaps not synced is written again, in place, from the last stable position to E. Syncing
 *        would not do: after a failed sync, a file may show what never reaches the disk.
 *     5. The opening group of the new incarnation is written at E and synced. From then on nothing behind it that an older
 *        incarnation left can be taken for the log's (walk.c).
 *
 * Invariant of 2 and 3: a position that some head calls stable was the end of a group, and everything before it stayed in the
 * log for ever; so an incarnation's first group is never before it. That makes S a good place to start: the group at S is of
 * the incarnation of the head that spoke of S, or an opening group. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/log/scratch.h"
#include "engine/log/walk.h"

/* Rewritten at once. */
#define REPAIR_BYTES (1024 * 1024)

/* Blocks looked at between two turns of other fibers. */
#define BLOCKS_PER_TURN 256

/* In a segment that does not look begun: up to the first head that must be there behind a damaged group. */
#define LOOK_BYTES (WINDOW_BYTES + GROUP_BYTES_MAX)

struct opening {
    struct node_log *log;
    struct world *world;
    struct scope *scope; /* gone when the log is open */
    struct extent *extent;
    bool *begun; /* the extent's first head is whole */
    size_t count;
    uint64_t start;             /* where the walk starts */
    uint64_t start_incarnation; /* 0 = not known */
    uint64_t stable;            /* the largest position a head calls stable */
    uint64_t end;
    uint64_t next;        /* where a group behind the end is, or should be */
    uint64_t incarnation; /* of the last group */
    uint64_t torn;        /* where what is dropped ends */
};

static enum sqlstate damaged(const struct opening *opening, uint64_t position, const char *what,
                             struct error *error)
{
    const struct extents *found = &opening->log->found;
    size_t at = extents_find(found, position);
    uint64_t first = found->extent[at < found->count ? at : found->count - 1].first;
    enum sqlstate failed =
        error_set(error, SQLSTATE_DATA_CORRUPTED, "log segment \"%s/%016llx\" is damaged at position %llu",
                  found->directory, (unsigned long long)first, (unsigned long long)position);
    error_add(error, ERROR_DETAIL, "%s", what);
    return failed;
}

/* ---- 1: segments ---- */

/* Reads 16 small hex digits; false when the name is another one. */
static bool name_read(const char *name, uint64_t *first)
{
    *first = 0;
    if (strspn(name, "0123456789abcdef") != 16 || name[16])
        return false;
    for (const char *at = name; *at; at++)
        *first = *first << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return true;
}

static enum sqlstate look_at_segment(struct opening *opening, size_t number, struct group_head *head,
                                     void *block, struct error *error)
{
    struct scope *scope = scratch_open(opening->scope, "log segment");
    struct extent *extent = &opening->extent[number];
    const char *path = segment_path(scope, opening->log->options.directory, extent->first);
    struct file *file;
    size_t done;
    enum sqlstate failed = disk_open(opening->world, scope, path, DISK_READ_ONLY | DISK_DIRECT, &file, error);
    if (!failed)
        failed = disk_size(opening->world, file, &extent->bytes, error);
    if (!failed && (extent->bytes % DISK_ALIGNMENT || extent->bytes < GROUP_BYTES_LEAST))
        failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "log segment \"%s\" has a size of %llu bytes",
                           path, (unsigned long long)extent->bytes);
    if (!failed)
        failed = disk_read(opening->world, scope, file, block, DISK_ALIGNMENT, 0, &done, error);
    if (!failed)
        opening->begun[number] =
            done == DISK_ALIGNMENT && group_head_read(block, head) && head->position == extent->first;
    if (!failed && opening->begun[number] && head->cluster != opening->log->options.cluster)
        failed = error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                           "log segment \"%s\" belongs to another cluster", path);
    scratch_close(scope);
    return failed;
}

/* Remembers the head that knows most of what is stable, and of those the last one's incarnation. */
static void note_head(struct opening *opening, const struct group_head *head)
{
    if (head->stable < opening->stable)
        return;
    opening->stable = head->stable;
    opening->start = head->stable;
    opening->start_incarnation = head->incarnation;
}

static enum sqlstate look_at_segments(struct opening *opening, struct error *error)
{
    void *block;
    enum sqlstate failed = scope_alloc_large(opening->scope, DISK_ALIGNMENT, DISK_ALIGNMENT, &block, error);
    for (size_t i = 0; i < opening->count && !failed; i++) {
        const struct extent *before = i ? &opening->extent[i - 1] : NULL;
        struct group_head head;
        failed = look_at_segment(opening, i, &head, block, error);
        if (!failed && before && before->first + before->bytes != opening->extent[i].first)
            failed = error_set(error, SQLSTATE_DATA_CORRUPTED,
                               "log segment \"%s/%016llx\" is missing, or \"%016llx\" has a wrong size",
                               opening->log->options.directory,
                               (unsigned long long)(before->first + before->bytes),
                               (unsigned long long)before->first);
        if (!failed && opening->begun[i])
            note_head(opening, &head);
    }
    return failed;
}

/* A name that a killed process gave may be seen and not be durable yet; what is written to its file soon will be. */
static enum sqlstate list_segments(struct opening *opening, struct error *error)
{
    struct node_log *log = opening->log;
    const char **names;
    size_t count;
    void *memory;
    enum sqlstate failed = disk_sync_directory(opening->world, log->options.directory, error);
    if (!failed)
        failed = disk_list(opening->world, opening->scope, log->options.directory, &names, &count, error);
    if (!failed)
        failed = scope_alloc_large(log->scope, (count + 1) * sizeof(struct extent), 16, &memory, error);
    if (failed)
        return failed;
    opening->extent = memory;
    failed = scope_alloc_large(opening->scope, count + 1, 16, &memory, error);
    if (failed)
        return failed;
    opening->begun = memory;
    for (size_t i = 0; i < count; i++)
        opening->count += name_read(names[i], &opening->extent[opening->count].first);
    log->found = (struct extents){
        .directory = log->options.directory, .extent = opening->extent, .count = opening->count};
    return look_at_segments(opening, error);
}

/* ---- 2: the walk ---- */

static enum sqlstate find_end(struct opening *opening, struct error *error)
{
    const struct extent *first = &opening->extent[0], *last = &opening->extent[opening->count - 1];
    if (opening->start < first->first) {
        opening->start = first->first;
        opening->start_incarnation = 0;
    }
    struct scope *scope = scratch_open(opening->scope, "log walk");
    struct walk walk;
    bool found = true;
    enum sqlstate failed =
        walk_open(&walk, opening->world, scope, &opening->log->found, opening->log->options.cluster,
                  opening->start, opening->start_incarnation, last->first + last->bytes, error);
    while (!failed && found) {
        struct group_head head;
        const uint8_t *group;
        failed = walk_next(&walk, &head, &group, &found, error);
    }
    opening->end = walk.position;
    opening->next = walk.next;
    opening->incarnation = walk.incarnation;
    if (walk.stable > opening->stable)
        opening->stable = walk.stable;
    scratch_close_and_wait(opening->world->scheduler, scope);
    if (!failed && opening->end == first->first && first->first)
        failed = damaged(opening, opening->end, "The oldest segment does not begin with a group.", error);
    return failed;
}

/* ---- 3: what is behind the end ---- */

/* Where to stop looking: behind the end's segment and all that were begun after it. In the next one, whose first head may be
 * what is damaged, heads that speak of the end are not further than the window. */
static uint64_t look_until(const struct opening *opening)
{
    size_t at = extents_find(&opening->log->found, opening->end);
    size_t last = at;
    if (at == opening->count)
        return opening->end;
    while (last + 1 < opening->count && opening->begun[last + 1])
        last++;
    uint64_t until = opening->extent[last].first + opening->extent[last].bytes;
    if (last + 1 == opening->count)
        return until;
    uint64_t more = opening->extent[last + 1].bytes;
    return until + (more < LOOK_BYTES ? more : LOOK_BYTES);
}

static enum sqlstate look_behind(struct opening *opening, struct error *error)
{
    uint64_t until = look_until(opening);
    if (opening->end == until)
        return SQLSTATE_OK;
    struct scope *scope = scratch_open(opening->scope, "log tail");
    struct log_reader *reader;
    enum sqlstate failed =
        reader_open(opening->world, scope, &opening->log->found, opening->end, until, &reader, error);
    uint32_t blocks = 0;
    for (uint64_t at = opening->end; at < until && !failed; at += DISK_ALIGNMENT) {
        const uint8_t *block;
        struct group_head head;
        failed = reader_view(reader, at, DISK_ALIGNMENT, &block, error);
        if (failed)
            break;
        if (++blocks % BLOCKS_PER_TURN == 0)
            fiber_yield(opening->world->scheduler);
        if (!group_head_read(block, &head) || head.position != at ||
            head.cluster != opening->log->options.cluster)
            continue;
        if (head.stable > opening->stable)
            opening->stable = head.stable;
        if (head.incarnation == opening->incarnation && group_end(&head) > opening->torn)
            opening->torn = group_end(&head);
    }
    scratch_close_and_wait(opening->world->scheduler, scope);
    if (!failed && opening->stable > opening->end)
        failed = damaged(opening, opening->next, "What was acknowledged goes on behind it.", error);
    return failed;
}

/* ---- 4: writing again ---- */

static enum sqlstate write_again(struct opening *opening, const struct extent *extent, uint64_t from,
                                 uint64_t to, void *memory, struct error *error)
{
    struct world *world = opening->world;
    struct scope *scope = scratch_open(opening->scope, "log segment");
    struct file *file;
    enum sqlstate failed =
        disk_open(world, scope, segment_path(scope, opening->log->options.directory, extent->first),
                  DISK_DIRECT, &file, error);
    while (from < to && !failed) {
        size_t bytes = to - from < REPAIR_BYTES ? (size_t)(to - from) : REPAIR_BYTES;
        failed = disk_read(world, opening->scope, file, memory, bytes, from - extent->first, NULL, error);
        if (!failed)
            failed =
                disk_write_durable(world, opening->scope, file, memory, bytes, from - extent->first, error);
        from += bytes;
    }
    scratch_close(scope);
    return failed;
}

static enum sqlstate harden_tail(struct opening *opening, struct error *error)
{
    const struct extents *found = &opening->log->found;
    uint64_t from = opening->stable > found->extent[0].first ? opening->stable : found->extent[0].first;
    void *memory;
    if (from == opening->end)
        return SQLSTATE_OK;
    enum sqlstate failed = scope_alloc_large(opening->scope, REPAIR_BYTES, DISK_ALIGNMENT, &memory, error);
    while (from < opening->end && !failed) {
        const struct extent *extent = &found->extent[extents_find(found, from)];
        uint64_t to = extent->first + extent->bytes;
        to = to < opening->end ? to : opening->end;
        failed = write_again(opening, extent, from, to, memory, error);
        from = to;
    }
    return failed;
}

/* ---- 5: the new incarnation ---- */

static enum sqlstate make_buffers(struct node_log *log, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < log->options.writes_in_flight + GROUPS_SPARE && !failed; i++) {
        struct group *group = scope_alloc_zeroed(log->scope, sizeof *group);
        void *memory;
        failed = scope_alloc_large(log->scope, log->group_room, DISK_ALIGNMENT, &memory, error);
        group->memory = memory;
        if (!failed)
            list_append(&log->idle, &group->link);
    }
    return failed;
}

/* The segment the end is in, or the one behind it, open. */
static enum sqlstate find_current(struct node_log *log, struct error *error)
{
    list_each (&log->segments, at) {
        log->current = container_of(at, struct segment, link);
        if (log->end < log->current->first + log->current->bytes)
            return log->current->file ? SQLSTATE_OK : segment_open(log, log->current, error);
    }
    enum sqlstate failed = segment_make(log, error);
    if (!failed)
        log->current = container_of(list_last(&log->segments), struct segment, link);
    return failed;
}

/* Nobody hears of it: to those who read and append, the log goes on where it ended. */
static enum sqlstate write_opening_group(struct node_log *log, struct error *error)
{
    struct group *group = log_begin_group(log, 0);
    check(group, "the log's first group has a buffer and a segment");
    group->head.kind = GROUP_OPENING;
    log_close_filling(log);
    group = log_next_group(log);
    enum sqlstate failed = group_write(log, group, error);
    if (failed)
        return failed;
    list_remove(&group->link);
    list_append(&log->idle, &group->link);
    group->segment->groups--;
    atomic_store(&log->stable, log->end);
    atomic_store(&log->placed, log->end);
    return SQLSTATE_OK;
}

static enum sqlstate begin_incarnation(struct opening *opening, struct error *error)
{
    struct node_log *log = opening->log;
    for (size_t i = 0; i < opening->count; i++)
        segment_add(log, opening->extent[i].first, opening->extent[i].bytes);
    log->end = opening->end;
    log->incarnation = opening->incarnation + 1;
    atomic_store(&log->stable, log->end);
    enum sqlstate failed = find_current(log, error);
    if (!failed)
        failed = make_buffers(log, error);
    if (!failed)
        failed = write_opening_group(log, error);
    return failed;
}

/* ---- all of it ---- */

/* The directory, durable in the one above it. */
static enum sqlstate make_directory(struct opening *opening, struct error *error)
{
    const char *directory = opening->log->options.directory;
    char *above = scope_copy_text(opening->scope, directory);
    char *slash = strrchr(above, '/');
    enum sqlstate failed = disk_make_directory(opening->world, directory, error);
    if (failed)
        return failed;
    if (slash && slash != above)
        *slash = '\0';
    else
        above = slash ? "/" : ".";
    return disk_sync_directory(opening->world, above, error);
}

static enum sqlstate look_at_room(struct node_log *log, struct error *error)
{
    uint64_t free, total;
    enum sqlstate failed = disk_space(log->world, log->options.directory, &free, &total, error);
    if (failed)
        return failed;
    uint64_t reserve = log->options.disk_reserve_bytes;
    atomic_store(&log->room, free > reserve ? free - reserve : 0);
    return SQLSTATE_OK;
}

static enum sqlstate open_all(struct opening *opening, struct error *error)
{
    enum sqlstate failed = make_directory(opening, error);
    if (!failed)
        failed = list_segments(opening, error);
    if (!failed && opening->count)
        failed = find_end(opening, error);
    if (!failed && opening->count)
        failed = look_behind(opening, error);
    if (!failed && opening->count)
        failed = harden_tail(opening, error);
    if (!failed)
        failed = begin_incarnation(opening, error);
    if (!failed)
        failed = look_at_room(opening->log, error);
    return failed;
}

/* Bytes of a buffer. */
static size_t group_room(const struct log_options *options)
{
    size_t room = blocks_up(options->write_bytes_max);
    return room > GROUP_BYTES_LEAST ? room : GROUP_BYTES_LEAST;
}

static enum sqlstate check_options(struct log_options *options, struct error *error)
{
    if (!options->segment_bytes)
        options->segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (!options->write_bytes_max)
        options->write_bytes_max = WRITE_BYTES_DEFAULT;
    if (!options->writes_in_flight)
        options->writes_in_flight = WRITES_IN_FLIGHT_DEFAULT;
    if (options->segment_bytes % DISK_ALIGNMENT || options->segment_bytes < GROUP_BYTES_LEAST)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "log segments must have a multiple of %d bytes, at least %d", DISK_ALIGNMENT,
                         GROUP_BYTES_LEAST);
    if (options->write_bytes_max > GROUP_BYTES_MAX)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "log writes can have at most %d bytes",
                         GROUP_BYTES_MAX);
    if (options->writes_in_flight > WRITES_IN_FLIGHT_MAX)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "at most %d log writes can be in flight",
                         WRITES_IN_FLIGHT_MAX);
    uint64_t buffers = options->writes_in_flight + GROUPS_SPARE;
    if (buffers * group_room(options) > WINDOW_BYTES)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "log writes in flight can have at most %d bytes together", WINDOW_BYTES);
    return SQLSTATE_OK;
}

/* The caller's scope has come to its end, with everybody in it. */
static void log_ends(void *argument)
{
    struct node_log *log = argument;
    if (log_life(log) == LOG_OPENED) {
        list_each (&log->segments, at)
            segment_close(container_of(at, struct segment, link));
        fiber_timer_clear(log->world->scheduler, &log->marker);
        scratch_close(log->scope);
        return;
    }
    scope_hold(log->users);
    log->ending = true;
    writers_wake(log); /* what nobody waited for so far */
    fiber_wake_all(&log->keeper);
}

static enum sqlstate make_log(struct world *world, struct scope *scope, const struct log_options *options,
                              struct node_log **made, struct error *error)
{
    check(scope != world->scope, "the log ends with a scope below the world's");
    struct scope *own = scratch_open(world->scope, "log");
    void *memory;
    enum sqlstate failed = scope_alloc_large(own, sizeof(struct node_log), 64, &memory, error);
    struct node_log *log = memory;
    if (!failed)
        failed = scope_alloc_large(own, world->cores * sizeof(struct lane), 64, &memory, error);
    void *zeros;
    if (!failed)
        failed = scope_alloc_large(own, ZEROS_BYTES, DISK_ALIGNMENT, &zeros, error);
    if (failed) {
        scratch_close(own);
        return failed;
    }
    memset(zeros, 0, ZEROS_BYTES);
    memset(log, 0, sizeof *log);
    memset(memory, 0, world->cores * sizeof(struct lane));
    *log = (struct node_log){
        .world = world, .scope = own, .users = scope, .options = *options, .lane = memory, .zeros = zeros};
    log->options.directory = scope_copy_text(own, options->directory);
    list_init(&log->segments);
    list_init(&log->segments_free);
    list_init(&log->full);
    list_init(&log->in_flight);
    list_init(&log->idle);
    list_init(&log->followers);
    fiber_queue_init(&log->files);
    fiber_queue_init(&log->writers);
    fiber_queue_init(&log->tellers);
    fiber_queue_init(&log->keeper);
    fiber_queue_init(&log->truncators);
    for (uint32_t i = 0; i < world->cores; i++) {
        log->lane[i].core = i;
        log->lane[i].log = log;
        list_init(&log->lane[i].parcels);
    }
    scope_undo(scope, log_ends, log);
    *made = log;
    return SQLSTATE_OK;
}

enum sqlstate node_log_open(struct world *world, struct scope *scope, const struct log_options *options,
                            struct node_log **opened, struct log_state *state, struct error *error)
{
    struct log_options checked = *options;
    struct node_log *log;
    enum sqlstate failed = check_options(&checked, error);
    if (!failed)
        failed = make_log(world, scope, &checked, &log, error);
    if (failed)
        return failed;
    log->group_room = group_room(&checked);
    struct opening opening = {.log = log, .world = world, .scope = scratch_open(log->scope, "log opening")};
    failed = open_all(&opening, error);
    scratch_close_and_wait(world->scheduler, opening.scope);
    if (failed)
        return failed;
    log->found_end = opening.end;
    *state = (struct log_state){.first = atomic_load(&log->first),
                                .end = opening.end,
                                .torn_bytes = opening.torn > opening.end ? opening.torn - opening.end : 0,
                                .incarnation = log->incarnation};
    *opened = log;
    return SQLSTATE_OK;
}

enum sqlstate node_log_start(struct node_log *log, struct error *error)
{
    check(log_life(log) == LOG_OPENED, "a log is started once");
    enum sqlstate failed = keeper_open(log, error);
    if (failed)
        return failed;
    failed = writers_open(log, error);
    if (failed)
        log->error = *error;
    atomic_store_explicit(&log->life, failed ? LOG_FAILED : LOG_SERVING, memory_order_release);
    log_place(log);
    return failed;
}

void node_log_figures(const struct node_log *log, struct log_figures *figures)
{
    *figures = (struct log_figures){
        .first = atomic_load_explicit(&log->first, memory_order_relaxed),
        .placed = atomic_load_explicit(&log->placed, memory_order_relaxed),
        .stable = atomic_load_explicit(&log->stable, memory_order_relaxed),
        .segments = atomic_load_explicit(&log->segment_count, memory_order_relaxed),
        .writes = atomic_load_explicit(&log->writes, memory_order_relaxed),
        .syncs = atomic_load_explicit(&log->syncs, memory_order_relaxed),
        .bytes_written = atomic_load_explicit(&log->bytes_written, memory_order_relaxed),
        .full = !atomic_load_explicit(&log->room, memory_order_relaxed),
        .failed = log_life(log) == LOG_FAILED,
    };
}
