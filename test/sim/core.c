/* One simulated core: a scheduler, a mailbox and a world, and the turns they get.
 *
 *     asleep --an operation lands, mail, bytes, a deadline, stop--> [turn planned] --event--> turn
 *        ^                                                                ^                    |
 *        '--------------- nothing to do ----------------------------------+-- more to do ------'
 *
 * A turn is what the loop of base/linux does in one: tick, mail in, fibers, mail out. It costs drawn time, in
 * which the core can do nothing else; what happens to it meanwhile waits. A paused process gets no turns. */
#include "base/check.h"
#include "base/metric.h"
#include "base/scheduler.h"
#include "test/sim/inside.h"

#include <stdio.h>

/* What reading the clock costs; so that time goes on for a fiber that looks at it. */
#define CLOCK_READ_NS 25

/* ---- clocks ---- */

/* 2026-11-20 16:06:58 UTC: the wall clock of virtual time 0, give or take a machine's own error. */
#define WALL_BEGIN_US 1795190818000000ll

void clock_open(struct clock *clock, uint64_t seed, uint32_t node, uint32_t drift_ppm_max)
{
    *clock = (struct clock){0};
    dice_open(&clock->dice, seed, DICE_CLOCK, node);
    clock->base_ns = dice_between(&clock->dice, SIM_SECOND, 1000000 * SIM_SECOND);
    int64_t error_us = (int64_t)dice_below(&clock->dice, 20000) - 10000;
    clock->wall_us = WALL_BEGIN_US + error_us - (int64_t)(clock->base_ns / 1000);
    clock->drift_ppb =
        (int64_t)dice_below(&clock->dice, 2000ull * drift_ppm_max + 1) - (int64_t)drift_ppm_max * 1000;
}

uint64_t clock_local(const struct clock *clock, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - clock->since_ns;
    return clock->base_ns + elapsed + (uint64_t)(int64_t)((__int128)elapsed * clock->drift_ppb / 1000000000);
}

uint64_t clock_when(const struct clock *clock, uint64_t local_ns)
{
    if (local_ns <= clock->base_ns)
        return clock->since_ns;
    unsigned __int128 elapsed = (unsigned __int128)(local_ns - clock->base_ns) * 1000000000u /
                                (uint64_t)(1000000000 + clock->drift_ppb);
    if (elapsed > UINT64_MAX / 2)
        return UINT64_MAX / 2;
    uint64_t when = clock->since_ns + (uint64_t)elapsed;
    while (when > clock->since_ns && clock_local(clock, when - 1) >= local_ns)
        when--;
    while (clock_local(clock, when) < local_ns)
        when++;
    return when;
}

void clock_set_drift(struct clock *clock, uint64_t now_ns, int64_t ppb)
{
    clock->base_ns = clock_local(clock, now_ns);
    clock->since_ns = now_ns;
    clock->drift_ppb = ppb;
}

void clock_reboot(struct clock *clock, uint64_t now_ns)
{
    uint64_t before = clock_local(clock, now_ns);
    clock->base_ns = dice_between(&clock->dice, SIM_SECOND, 60 * SIM_SECOND);
    clock->since_ns = now_ns;
    clock->wall_us += (int64_t)(before / 1000) - (int64_t)(clock->base_ns / 1000);
}

/* ---- turns ---- */

void core_nudge(struct sim_core *core)
{
    struct sim *sim = core->process->sim;
    uint64_t at_ns = core->busy_until_ns > sim->now_ns ? core->busy_until_ns : sim->now_ns;
    if (core->process->state != SIM_RUNNING || core == sim->turning)
        return;
    if (!event_planned(&core->turn) || event_time(&sim->queue, &core->turn) > at_ns)
        event_plan(&sim->queue, &core->turn, at_ns);
}

/* How many fibers' turns at most: as drawn, but not beyond the one after which a crash is wanted. */
static uint32_t turns_allowed(struct sim_core *core)
{
    struct sim_process *process = core->process;
    uint64_t turns = dice_between(&core->dice, 1, process->sim->faults.turns);
    if (process->crash_at_yields && process->crash_at_yields - process->yields < turns)
        turns = process->crash_at_yields - process->yields;
    return (uint32_t)turns;
}

/* Mail, fibers, mail; gives the fibers' turns. */
static uint32_t core_work(struct sim_core *core, uint32_t mail, bool *more)
{
    struct world *world = &core->world;
    uint32_t drained = mailbox_drain(world, mail);
    uint32_t turns = scheduler_run(world->scheduler, turns_allowed(core));
    if (core->main_returned && !core->closing) {
        core->closing = true;
        scope_close(world->scope);
    }
    mailbox_flush(world);
    *more = drained == mail || scheduler_ready(world->scheduler);
    return turns;
}

/* Plans the next turn: at once when there is more to do, else when the next deadline comes. */
static void core_rest(struct sim_core *core, bool more)
{
    struct sim *sim = core->process->sim;
    if (more || !mailbox_sleep_begin(&core->world)) {
        event_plan(&sim->queue, &core->turn, core->busy_until_ns);
        return;
    }
    core->asleep = true;
    uint64_t deadline_ns = scheduler_next_deadline(core->world.scheduler);
    if (deadline_ns == FIBER_NO_DEADLINE)
        return;
    uint64_t when_ns = clock_when(&core->process->node->clock, deadline_ns);
    event_plan(&sim->queue, &core->turn, when_ns > core->busy_until_ns ? when_ns : core->busy_until_ns);
}

static void core_turn(struct event *event)
{
    struct sim_core *core = container_of(event, struct sim_core, turn);
    struct sim_process *process = core->process;
    struct sim *sim = process->sim;
    if (process->state != SIM_RUNNING)
        return;
    sim->turning = core;
    if (core->asleep)
        mailbox_sleep_end(&core->world);
    core->asleep = false;
    core->world.now_ns = clock_local(&process->node->clock, sim->now_ns);
    scheduler_tick(core->world.scheduler, core->world.now_ns);
    bool more;
    uint32_t turns = core_work(core, (uint32_t)dice_between(&core->dice, 1, 32), &more);
    process->yields += turns;
    sim->totals.yields += turns;
    core->busy_until_ns =
        sim->now_ns + 1 +
        turns * (sim->faults.turn_ns / 2 + dice_below(&core->dice, sim->faults.turn_ns + 1));
    record_core(core, TRACE_TURN, turns, more, NULL);
    core_rest(core, more);
    sim->turning = NULL;
    if (process->doomed)
        process_crash(process, process->doom);
    else if (process->crash_at_yields && process->yields >= process->crash_at_yields)
        process_crash_and_restart(process, process->crash_how, false);
    else if (core->scope_gone)
        process_end_if_done(process);
}

/* ---- the life of a core ---- */

static uint32_t choose(void *argument, uint32_t ready)
{
    struct sim_core *core = argument;
    return (uint32_t)dice_below(&core->dice, ready);
}

static void log_sink(void *argument, const char *line, size_t bytes)
{
    struct sim_core *core = argument;
    char text[LOG_LINE_BYTES + 1];
    size_t length = bytes < LOG_LINE_BYTES ? bytes : LOG_LINE_BYTES;
    while (length && line[length - 1] == '\n')
        length--;
    snprintf(text, sizeof text, "%.*s", (int)length, line);
    record_core(core, TRACE_LOG, bytes, 0, text);
}

static void main_fiber(void *argument)
{
    struct sim_core *core = argument;
    core->process->program.core_main(&core->world, core->process->program.argument);
    core->main_returned = true;
}

static void scope_gone(void *argument)
{
    struct sim_core *core = argument;
    core->scope_gone = true;
}

void core_open(struct sim_core *core, struct sim_process *process, uint32_t number, struct mail_room *room)
{
    struct sim *sim = process->sim;
    struct world *world = &core->world;
    struct error error;
    *core = (struct sim_core){.process = process, .turn.happen = core_turn};
    dice_open(&core->dice, sim->options.seed, DICE_CORE,
              process->starts << 32 | (uint64_t)process->number << 8 | number);
    core->root = scope_open_root("core", &process->budget);
    check(core->root, "no memory for a simulated core");
    struct scheduler_options options = {.choose = choose, .choose_argument = core};
    enum sqlstate failed = scheduler_open(core->root, &options, &world->scheduler, &error);
    check(!failed, "no scheduler for a simulated core");
    world->ops = &sim_world_ops;
    world->disk = &sim_disk_ops;
    world->net = &sim_net_ops;
    world->core = number;
    world->cores = process->program.cores;
    world->now_ns = clock_local(&process->node->clock, sim->now_ns);
    world->log = log_open(core->root, sim->options.log_level, log_sink, core);
    world->metrics = metric_set_open(core->root);
    world->scope = scope_open(core->root, "world");
    scope_on_gone(world->scope, &core->gone, scope_gone, core);
    fiber_queue_init(&core->stop_waiters);
    mailbox_open(room, world);
    failed = fiber_start(world->scheduler, world->scope, "main", main_fiber, core, NULL, &error);
    check(!failed, "no fiber for a simulated core");
    event_plan(&sim->queue, &core->turn, sim->now_ns + dice_around(&core->dice, sim->faults.wake_ns));
}

void core_close(struct sim_core *core)
{
    event_drop(&core->process->sim->queue, &core->turn);
    scope_close(core->root);
}

void core_abandon(struct sim_core *core)
{
    event_drop(&core->process->sim->queue, &core->turn);
    scheduler_abandon(core->world.scheduler);
    scope_abandon_root(core->root);
}

/* ---- what the world offers beside disk and net ---- */

static uint64_t sim_world_now(struct world *world)
{
    struct sim *sim = core_of(world)->process->sim;
    sim->now_ns += CLOCK_READ_NS;
    return clock_local(&core_of(world)->process->node->clock, sim->now_ns);
}

static int64_t sim_world_wall(struct world *world)
{
    const struct sim_node *node = core_of(world)->process->node;
    return node->clock.wall_us + (int64_t)(clock_local(&node->clock, node->sim->now_ns) / 1000);
}

static void sim_world_random(struct world *world, void *bytes, size_t size)
{
    struct sim_core *core = core_of(world);
    dice_fill(&core->process->node->entropy, bytes, size);
    record_core(core, TRACE_RANDOM, size, trace_digest(bytes, size), NULL);
}

struct wake {
    struct list_link link; /* in process->wakes */
    struct event event;
    struct sim_core *core;
};

static void wake_arrives(struct event *event)
{
    struct wake *wake = container_of(event, struct wake, event);
    struct sim_core *core = wake->core;
    list_remove(&wake->link);
    memory_give(&core->process->sim->memory, wake, sizeof *wake);
    core_nudge(core);
}

static void sim_world_wake(struct world *world, uint32_t number, bool takes_long)
{
    (void)takes_long;
    struct sim_core *core = core_of(world);
    struct sim_process *process = core->process;
    struct wake *wake = memory_take(&process->sim->memory, sizeof *wake);
    *wake = (struct wake){.event.happen = wake_arrives, .core = &process->cores[number]};
    list_append(&process->wakes, &wake->link);
    uint64_t takes_ns = dice_around(&core->dice, process->sim->faults.wake_ns);
    record_core(core, TRACE_WAKE, number, takes_ns, NULL);
    event_plan(&process->sim->queue, &wake->event, process->sim->now_ns + takes_ns);
}

void wakes_forget(struct sim_process *process)
{
    struct list_link *link;
    while ((link = list_take_first(&process->wakes))) {
        struct wake *wake = container_of(link, struct wake, link);
        event_drop(&process->sim->queue, &wake->event);
        memory_give(&process->sim->memory, wake, sizeof *wake);
    }
}

static void sim_world_stop(struct world *world)
{
    sim_stop(core_of(world)->process);
}

/* A simulated core has no thread of its own to go home to. */
static void sim_world_home(struct world *world)
{
    (void)world;
}

static enum fiber_wake sim_world_wait_stop(struct world *world, uint64_t deadline_ns)
{
    struct sim_core *core = core_of(world);
    if (core->process->stop_asked)
        return FIBER_WOKEN;
    return fiber_wait(world->scheduler, &core->stop_waiters, deadline_ns);
}

const struct world_ops sim_world_ops = {
    .now = sim_world_now,
    .wall = sim_world_wall,
    .random = sim_world_random,
    .wake = sim_world_wake,
    .stop = sim_world_stop,
    .home = sim_world_home,
    .wait_stop = sim_world_wait_stop,
};
