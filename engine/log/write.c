/* Writing: groups go to the disk, several at once, and become stable in their order.
 *
 *     idle --begin--> filling --close--> full --a writer is free--> in flight --written, and all before it--> idle
 *
 * Each writer is a fiber with one durable write under way. A writer that has nothing full takes what is being filled when it
 * is *due*:
 *
 *     somebody waits for a record in it, and nothing is in flight     a lone committer waits for one write and nothing else
 *     as many wait for it as wait for all that is in flight           so a second one need not wait for the first, and with
 *                                                                     many of them writes are few and large: a write costs
 *                                                                     40 us of processor time, whatever its size
 *     it has grown to GROUP_BYTES_ENOUGH, or is GROUP_AFTER_NS old
 *
 * Effects without their COMMIT, and commits nobody waits for, are not worth a write of their own.
 *
 * The stable position goes on over groups from the first in flight, as far as they are written. A group behind one that is
 * still being written is durable and may yet be dropped by the next opening; nobody has been told of it. */
#include "engine/log/inside.h"

#include "base/check.h"
#include "base/scope.h"

/* ---- telling ---- */

static void stable_delivered(struct world *here, struct mail *mail)
{
    struct lane *lane = container_of(mail, struct lane, stable_mail);
    struct log_port *port = atomic_load_explicit(&lane->port, memory_order_acquire);
    if (port)
        port_hear(port);
    mail_return(here, mail);
}

static void stable_returned(struct world *here, struct mail *mail)
{
    struct lane *lane = container_of(mail, struct lane, stable_mail);
    (void)here;
    lane->telling = false;
    fiber_wake_all(&lane->log->tellers);
}

/* Tells the cores whose fibers wait, one mail at a time for each: what happens meanwhile is in the next. */
static void run_teller(void *argument)
{
    struct node_log *log = argument;
    struct world *world = log->world;
    fiber_shield_begin(world->scheduler);
    for (bool telling = true; telling || log_life(log) != LOG_ENDED;) {
        telling = false;
        for (uint32_t i = 0; i < world->cores; i++) {
            struct lane *lane = &log->lane[i];
            if (lane->tell && !lane->telling) {
                lane->tell = false;
                lane->telling = true;
                lane->stable_mail = (struct mail){.deliver = stable_delivered, .returned = stable_returned};
                mail_send(world, i, &lane->stable_mail);
            }
            telling |= lane->telling;
        }
        if (telling || log_life(log) != LOG_ENDED)
            (void)!fiber_wait(world->scheduler, &log->tellers, FIBER_NO_DEADLINE);
    }
    fiber_shield_end(world->scheduler);
}

/* Something was published that waiters want to know: who asked is told, or, `all` cores with a port. */
static void tell(struct node_log *log, bool all)
{
    bool any = false;
    for (uint32_t i = 0; i < log->world->cores; i++) {
        struct lane *lane = &log->lane[i];
        struct log_port *port = atomic_load_explicit(&lane->port, memory_order_acquire);
        if (!port)
            continue;
        if (i == log->world->core)
            port_hear(port);
        else if (all || (atomic_load(&lane->wants) && atomic_exchange(&lane->wants, false)))
            any = lane->tell = true;
    }
    if (any)
        fiber_wake_all(&log->tellers);
}

void log_tell_all(struct node_log *log)
{
    tell(log, true);
}

/* ---- failing ---- */

void log_fail(struct node_log *log, const struct error *error)
{
    if (log_life(log) != LOG_SERVING)
        return;
    log->error = *error;
    atomic_store_explicit(&log->life, LOG_FAILED, memory_order_release);
    if (log->filling)
        list_append(&log->full, &log->filling->link);
    log->filling = NULL;
    list_splice(&log->idle, &log->full);
    fiber_timer_clear(log->world->scheduler, &log->marker);
    fiber_timer_clear(log->world->scheduler, &log->due);
    log_refuse(log);
    if (log->options.failed)
        log->options.failed(log->options.argument, error);
    log_followers_wake(log);
    tell(log, true);
    fiber_wake_all(&log->keeper);
}

/* ---- becoming stable ---- */

static void marker_due(void *argument)
{
    struct node_log *log = argument;
    log->mark = true;
    writers_wake(log);
}

bool writers_idle(const struct node_log *log)
{
    return !log->filling && list_empty(&log->full) && list_empty(&log->in_flight);
}

/* The group is written, and all before it. */
static void retire(struct node_log *log, struct group *group)
{
    struct segment *segment = group->segment;
    list_remove(&group->link);
    list_append(&log->idle, &group->link);
    if (--segment->groups == 0 && segment != log->current)
        segment_close(segment);
}

void log_advance(struct node_log *log)
{
    uint64_t stable = 0;
    struct list_link *link;
    while ((link = list_first(&log->in_flight))) {
        struct group *group = container_of(link, struct group, link);
        if (!group->written)
            break;
        stable = group_end(&group->head);
        log->unmarked = group->head.kind == GROUP_RECORDS;
        log_recent_add(log, group);
        retire(log, group);
    }
    if (!stable)
        return;
    atomic_store(&log->stable, stable);
    if (log->options.stable)
        log->options.stable(log->options.argument, stable);
    log_followers_wake(log);
    tell(log, false);
    if (log->blocked)
        log_place(log);
    if (!writers_idle(log))
        return;
    if (log->unmarked && !log->ending)
        fiber_timer_set(log->world->scheduler, &log->marker, world_now(log->world) + MARKER_AFTER_NS,
                        marker_due, log);
    if (log->ending)
        fiber_wake_all(&log->keeper);
}

/* ---- writing ---- */

/* Puts a group without records behind the full ones, unless there is no room for it. */
void log_begin_marker(struct node_log *log)
{
    struct group *group = log_begin_group(log, 0);
    if (!group)
        return;
    group->head.kind = GROUP_MARKER;
    log_close_filling(log);
}

/* Whether the group that is being filled should go to the disk now. */
static bool filling_due(const struct node_log *log)
{
    const struct group *group = log->filling;
    if (!group)
        return false;
    if (log->overdue || log->ending || group->head.bytes >= GROUP_BYTES_ENOUGH)
        return true;
    return group->waited && group->waited >= log->waited;
}

static void group_is_due(void *argument)
{
    struct node_log *log = argument;
    log->overdue = true;
    writers_wake(log);
}

void writers_look(struct node_log *log)
{
    if (!list_empty(&log->full) || filling_due(log))
        writers_wake(log);
    else if (log->filling && !log->due.place)
        fiber_timer_set(log->world->scheduler, &log->due, world_now(log->world) + GROUP_AFTER_NS,
                        group_is_due, log);
}

/* The next group for the disk, or NULL. */
struct group *log_next_group(struct node_log *log)
{
    if (log_life(log) == LOG_FAILED)
        return NULL;
    if (log->mark && log->unmarked && writers_idle(log))
        log_begin_marker(log);
    log->mark = false;
    if (list_empty(&log->full) && filling_due(log))
        log_close_filling(log);
    struct list_link *link = list_take_first(&log->full);
    if (!link)
        return NULL;
    struct group *group = container_of(link, struct group, link);
    list_append(&log->in_flight, link);
    log->waited += group->waited;
    writers_look(log);
    return group;
}

enum sqlstate group_write(struct node_log *log, struct group *group, struct error *error)
{
    group->head.stable = atomic_load_explicit(&log->stable, memory_order_relaxed);
    group_seal(group->memory, &group->head);
    struct disk_transfer transfer = {.file = group->segment->file,
                                     .data = group->memory,
                                     .size = blocks_up(group->head.bytes),
                                     .offset = group->head.position - group->segment->first};
    enum sqlstate failed = disk_write_many(log->world, log->scope, &transfer, 1, true, error);
    log_count(&log->writes, 1);
    log_count(&log->syncs, 1);
    log_count(&log->bytes_written, transfer.size);
    return failed;
}

static void run_writer(void *argument)
{
    struct node_log *log = argument;
    struct scheduler *scheduler = log->world->scheduler;
    struct error error;
    fiber_shield_begin(scheduler);
    while (log_life(log) != LOG_ENDED) {
        struct group *group = log_next_group(log);
        if (!group) {
            (void)!fiber_wait(scheduler, &log->writers, FIBER_NO_DEADLINE);
            continue;
        }
        log->writing++;
        enum sqlstate failed = group_write(log, group, &error);
        log->writing--;
        log->waited -= group->waited;
        if (failed)
            log_fail(log, &error);
        group->written = true;
        if (log_life(log) == LOG_SERVING)
            log_advance(log);
        else
            fiber_wake_all(&log->keeper);
    }
    fiber_shield_end(scheduler);
    if (--log->writers_running == 0)
        fiber_wake_all(&log->keeper);
}

void writers_wake(struct node_log *log)
{
    fiber_wake_one(&log->writers);
}

enum sqlstate writers_open(struct node_log *log, struct error *error)
{
    struct scheduler *scheduler = log->world->scheduler;
    enum sqlstate failed = fiber_start(scheduler, log->scope, "log teller", run_teller, log, NULL, error);
    for (uint32_t i = 0; i < log->options.writes_in_flight && !failed; i++) {
        failed = fiber_start(scheduler, log->scope, "log writer", run_writer, log, NULL, error);
        log->writers_running += !failed;
    }
    return failed;
}
