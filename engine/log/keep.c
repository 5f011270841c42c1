/* Keeping the log going, and ending it: the segment that comes next, the room on the disk, truncation, the last write.
 *
 * A full disk. Room is what the file system has free beyond the reserve. When there is none, or the next segment could not be
 * allocated, log_port_make_room() refuses new work; what was begun goes on, in the rest of the present segment, the one made
 * ahead, and those that can still be allocated from the reserve. The keeper looks again until there is room. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/log/scratch.h"

/* ---- the next segment ---- */

static bool next_is_ready(const struct node_log *log)
{
    const struct segment *next = segment_next(log, log->current);
    return next && next->file;
}

static enum sqlstate make_next(struct node_log *log, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    segments_lock(log);
    struct segment *next = segment_next(log, log->current);
    if (!next)
        failed = segment_make(log, error);
    else if (!next->file)
        failed = segment_open(log, next, error);
    segments_unlock(log);
    return failed;
}

/* A disk that is full may have room later; any other failure to make a file is the log's. */
static void prepare(struct node_log *log)
{
    struct error error;
    enum sqlstate failed = make_next(log, &error);
    if (failed == SQLSTATE_DISK_FULL) {
        if (!log->allocation_failed)
            log_error(log->world, LOG_WARN, "log_full", &error, "the log cannot make its next segment");
        log->allocation_failed = true;
        atomic_store_explicit(&log->room, 0, memory_order_relaxed);
        log_tell_all(log);
        return;
    }
    if (failed) {
        log_fail(log, &error);
        return;
    }
    if (log->allocation_failed)
        log_line(log->world, LOG_INFO, "log_room", "the log has made its next segment");
    log->allocation_failed = false;
    if (log->blocked)
        log_place(log);
}

/* ---- room ---- */

static void look_at_room(struct node_log *log)
{
    struct error error;
    uint64_t free, total, reserve = log->options.disk_reserve_bytes;
    log->used = false;
    if (disk_space(log->world, log->options.directory, &free, &total, &error)) {
        log_error(log->world, LOG_WARN, "log_room", &error, "the log cannot see how much room the disk has");
        return;
    }
    uint64_t room = free > reserve && !log->allocation_failed ? free - reserve : 0;
    uint64_t before = atomic_load_explicit(&log->room, memory_order_relaxed);
    atomic_store_explicit(&log->room, room, memory_order_relaxed);
    if (!room && before)
        log_tell_all(log);
}

/* ---- ending ---- */

static bool ports_gone(const struct node_log *log)
{
    for (uint32_t i = 0; i < log->world->cores; i++)
        if (atomic_load_explicit(&log->lane[i].port, memory_order_acquire))
            return false;
    return true;
}

static void wait_for(struct node_log *log)
{
    (void)!fiber_wait(log->world->scheduler, &log->keeper, FIBER_NO_DEADLINE);
}

/* Who closes does not wait for room on the disk. What was appended and could not be placed never will be, on no core: records
 * elsewhere may follow it. */
static bool stuck(const struct node_log *log)
{
    bool closing = log->ending;
    for (uint32_t i = 0; i < log->world->cores; i++)
        closing |= atomic_load_explicit(&log->lane[i].closing, memory_order_acquire);
    return closing && log->blocked && log->allocation_failed;
}

/* Nobody can append any more. What was placed is written, then a marker, so that the next opening knows all of it to have
 * been acknowledged. */
static void finish(struct node_log *log)
{
    struct error error;
    while (log_life(log) == LOG_SERVING && !writers_idle(log))
        wait_for(log);
    if (log_life(log) == LOG_SERVING && log->unmarked)
        log_begin_marker(log);
    struct group *last = log_life(log) == LOG_SERVING ? log_next_group(log) : NULL;
    if (last && group_write(log, last, &error))
        log_error(log->world, LOG_WARN, "log_end", &error, "the log's last marker could not be written");
    while (log->writing)
        wait_for(log);
    atomic_store_explicit(&log->life, LOG_ENDED, memory_order_release);
    fiber_timer_clear(log->world->scheduler, &log->marker);
    fiber_timer_clear(log->world->scheduler, &log->due);
    fiber_wake_all(&log->writers);
    fiber_wake_all(&log->tellers);
    log_followers_wake(log);
    while (log->writers_running || !list_empty(&log->followers))
        wait_for(log);
    segments_lock(log);
    list_each (&log->segments, at)
        segment_close(container_of(at, struct segment, link));
    segments_unlock(log);
}

/* ---- the keeper ---- */

static void run_keeper(void *argument)
{
    struct node_log *log = argument;
    struct scheduler *scheduler = log->world->scheduler;
    uint64_t look_at_ns = 0;
    fiber_shield_begin(scheduler);
    while (!log->ending || !ports_gone(log)) {
        bool due = log->look_again || log->world->now_ns >= look_at_ns;
        log->look_again = false;
        if (log_life(log) == LOG_SERVING && !next_is_ready(log) && (due || !log->allocation_failed))
            prepare(log);
        bool full = !atomic_load_explicit(&log->room, memory_order_relaxed);
        if ((log->used || full) && due) {
            look_at_room(log);
            look_at_ns = log->world->now_ns + ROOM_EVERY_NS;
        }
        if (stuck(log)) {
            struct error error;
            (void)!error_set(&error, SQLSTATE_DISK_FULL, "the log ends while the disk is full");
            log_fail(log, &error);
        }
        uint64_t deadline_ns = log->used || full ? look_at_ns : FIBER_NO_DEADLINE;
        /* What came up while it looked, which yields, has woken nobody. */
        if (!log->look_again && !(log->ending && ports_gone(log)))
            (void)!fiber_wait(scheduler, &log->keeper, deadline_ns);
    }
    finish(log);
    struct scope *users = log->users;
    fiber_shield_end(scheduler);
    scratch_close(log->scope);
    scope_release(users);
}

enum sqlstate keeper_open(struct node_log *log, struct error *error)
{
    return fiber_start(log->world->scheduler, log->scope, "log keeper", run_keeper, log, NULL, error);
}

/* ---- truncation ---- */

static enum sqlstate archive(struct node_log *log, const struct segment *segment, struct error *error)
{
    if (!log->options.archive)
        return SQLSTATE_OK;
    struct scope *scratch = scratch_open(log->scope, "log path");
    const char *path = segment_path(scratch, log->options.directory, segment->first);
    enum sqlstate failed = log->options.archive(log->options.argument, path, segment->first, error);
    scratch_close(scratch);
    return failed;
}

/* The oldest segment if nothing of it is needed: all of it is before `position`, and nothing of it is being written. And the
 * next one has a stable group: otherwise a crash could leave a log in which no segment has any, as if all were damaged. */
static struct segment *unneeded(const struct node_log *log, uint64_t position)
{
    uint64_t stable = atomic_load_explicit(&log->stable, memory_order_relaxed);
    struct segment *oldest = container_of(list_first(&log->segments), struct segment, link);
    uint64_t end = oldest->first + oldest->bytes;
    if (oldest == log->current || oldest->groups || end > position || end >= stable)
        return NULL;
    return oldest;
}

enum sqlstate node_log_truncate(struct node_log *log, uint64_t position, struct error *error)
{
    struct scheduler *scheduler = log->world->scheduler;
    enum sqlstate failed = SQLSTATE_OK;
    struct segment *oldest;
    fiber_shield_begin(scheduler);
    while (log->truncating)
        (void)!fiber_wait(scheduler, &log->truncators, FIBER_NO_DEADLINE);
    log->truncating = true;
    while (!failed && log_life(log) == LOG_SERVING &&
           (oldest = unneeded(log, log_followers_hold(log, position)))) {
        failed = archive(log, oldest, error);
        segments_lock(log);
        if (!failed)
            failed = segment_recycle(log, error);
        segments_unlock(log);
    }
    log->truncating = false;
    fiber_wake_one(&log->truncators);
    fiber_shield_end(scheduler);
    log->look_again = true;
    fiber_wake_all(&log->keeper);
    return failed;
}
