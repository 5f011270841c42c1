/* The loop of a core: one turn after another until its world has ended, asleep when there is nothing to do.
 *
 * Sleeping costs a system call here, one in whoever wakes us, and the time of a hop between processors (5 to
 * 37 us); polling costs a processor that others could use. So a core polls before it sleeps only while mail
 * ends its idle times soon, the way KVM polls before it halts a processor:
 *
 *     ended by mail within LOOP_POLL_MAX_NS   -> longer next time, if this time was not long enough
 *     otherwise                               -> half as long; an idle core soon does not poll at all
 *
 * Nobody polls for the disk or the network: a fiber that reads 4 KiB after 4 KiB got a third less done that
 * way on a busy machine, since the scheduler takes the processor from who always wants it and gives it at
 * once to who has slept.
 *
 * A core that sleeps and gets mail is woken only if the sender has something else to do; else the sender's thread runs it
 * (lend.c).
 *
 * How a sleeping core is not forgotten: the core says `asleep` (sequentially consistent) and then looks at
 * its inbox once more; a thread puts its landing into the inbox and then looks at `asleep`. One of the two
 * sees the other. Mail does the same in mailbox_sleep_begin(). */
#include "base/linux/loop.h"

#include "base/check.h"
#include "base/metric.h"

#include <errno.h>
#include <malloc.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Fibers that run before the kernel is asked again: enough to fill a batch, few enough that completions do
 * not wait long (some 256 us at 1 us a turn). */
#define LOOP_FIBERS_PER_TURN 256
/* And for how long: a statement that works for long lets others run every 200 us, and with nobody else ready it would be
 * next again, 256 times, before anybody heard that a request has come. */
#define LOOP_TURN_NS 100000
/* Mail taken in before fibers run; what is left follows in the next turn. */
#define LOOP_MAIL_PER_TURN 1024
/* Longest polling before a sleep. Longer than a hop between processors takes, and no more: see bench/micro.
 */
#define LOOP_POLL_MAX_NS 40000
/* A node whose cores turn less often together in so much time has nothing to do: what it does by itself is a tenth of that. */
#define LOOP_QUIET_NS    (5 * 1000000000UL)
#define LOOP_QUIET_TURNS 300
/* A client that has said nothing for so long lets its fiber's stack go. */
#define LOOP_STACK_REST_NS 1000000000UL
/* What polling starts with after a short sleep. */
#define LOOP_POLL_FIRST_NS 5000

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- the inbox ---- */

void linux_hand_back(struct linux_core *core, struct linux_landing *landing)
{
    struct linux_landing *head = atomic_load_explicit(&core->inbox, memory_order_relaxed);
    do
        landing->next = head;
    while (!atomic_compare_exchange_weak(&core->inbox, &head, landing));
    /* Whoever takes `asleep` back writes; the others need not. */
    if (atomic_load(&core->asleep) && atomic_exchange(&core->asleep, false))
        linux_wake(core);
}

void linux_hand_over(struct world *world, struct linux_landing *landing)
{
    linux_hand_back(linux_core_of(world), landing);
}

uint32_t linux_inbox_drain(struct linux_core *core)
{
    if (!atomic_load_explicit(&core->inbox, memory_order_relaxed))
        return 0;
    struct linux_landing *newest = atomic_exchange_explicit(&core->inbox, NULL, memory_order_acquire);
    struct linux_landing *oldest = NULL;
    while (newest) {
        struct linux_landing *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    uint32_t count = 0;
    for (; oldest; count++) {
        struct linux_landing *next = oldest->next;
        oldest->land(core, oldest);
        oldest = next;
    }
    return count;
}

void linux_wake(struct linux_core *core)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(core->wake_descriptor, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    /* EAGAIN: 2^64-1 wakes are pending, one of which will do. */
    check(written == sizeof one || errno == EAGAIN, "waking core %u: errno %d", core->world.core, errno);
}

/* ---- the turn ---- */

static void tell_stop(struct linux_core *core)
{
    if (core->stop_seen || !atomic_load_explicit(&core->node->stop_asked, memory_order_acquire))
        return;
    core->stop_seen = true;
    fiber_wake_all(&core->stop_waiters);
}

/* The loop is awake because whoever set the flag woke it; a flag set while it falls asleep leaves the descriptor readable. */
static void tell_hangup(struct linux_core *core)
{
    struct linux_node *node = core->node;
    if (core->world.core == 0 && atomic_load_explicit(&node->hangup_asked, memory_order_relaxed) &&
        atomic_exchange(&node->hangup_asked, false) && core->world.scope && !core->stop_seen)
        node->options.hangup(&core->world, node->argument);
}

/* What a load took and gave back stays with the allocator, between what is still in use: as much again as that. When the node
 * has been quiet for a while, core 0 has it given back to the system, once until the node was busy again: some ten
 * milliseconds, in which who allocates may wait. */
static void look_at_memory(struct linux_core *core)
{
    const struct linux_node *node = core->node;
    uint64_t turns = 0;
    for (uint32_t i = 0; i < node->options.cores; i++)
        turns += atomic_load_explicit(&node->core[i]->turns, memory_order_relaxed);
    bool quiet = turns - core->looked_turns < LOOP_QUIET_TURNS;
    core->looked_ns = core->world.now_ns;
    core->looked_turns = turns;
#ifdef __GLIBC__
    if (quiet && !core->memory_given_back)
        malloc_trim(0);
#endif
    core->memory_given_back = quiet;
}

/* Looks for something to do until `until_ns` without asking the kernel; true when there is. */
static bool poll_until(struct linux_core *core, uint64_t until_ns)
{
    do {
        for (int i = 0; i < 16; i++) {
            if (linux_inbox_drain(core) || mailbox_drain(&core->world, LOOP_MAIL_PER_TURN) ||
                core->backend->pending(core))
                return true;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            __asm__ volatile("yield");
#endif
        }
    } while (clock_ns(CLOCK_MONOTONIC) < until_ns);
    return false;
}

/* Whether fibers can run or the loop is to return: what a completion may have brought about at any time. */
static bool something_to_do(const struct linux_core *core)
{
    return scheduler_ready(core->world.scheduler) || core->phase_over;
}

/* Adapts the polling to how long the core was idle, polling included, and what ended that. */
static void learn(struct linux_core *core, uint64_t idle_ns, bool mail)
{
    if (!mail || idle_ns >= LOOP_POLL_MAX_NS)
        core->poll_ns = core->poll_ns <= LOOP_POLL_FIRST_NS ? 0 : core->poll_ns / 2;
    else if (idle_ns > core->poll_ns)
        core->poll_ns = core->poll_ns ? core->poll_ns * 2 : LOOP_POLL_FIRST_NS;
    if (core->poll_ns > LOOP_POLL_MAX_NS)
        core->poll_ns = LOOP_POLL_MAX_NS;
}

/* Sleeps in the kernel until something happens; the core has been idle since `idle_since_ns`. */
static void loop_sleep(struct linux_core *core, uint64_t idle_since_ns)
{
    atomic_store(&core->asleep, true);
    if (atomic_load(&core->inbox) || atomic_load(&core->node->stop_asked) != core->stop_seen ||
        !mailbox_sleep_begin(&core->world)) {
        atomic_store_explicit(&core->asleep, false, memory_order_relaxed);
        core->backend->turn(core, 0);
        return;
    }
    core->sleeps_until_ns = scheduler_next_deadline(core->world.scheduler);
    core->backend->turn(core, core->sleeps_until_ns);
    mailbox_sleep_end(&core->world);
    atomic_store_explicit(&core->asleep, false, memory_order_relaxed);
    bool mail = mailbox_drain(&core->world, LOOP_MAIL_PER_TURN) > 0;
    if (mail || core->poll_ns)
        learn(core, clock_ns(CLOCK_MONOTONIC) - idle_since_ns, mail);
}

void linux_run_fibers(struct linux_core *core, uint32_t fibers, uint64_t most_ns)
{
    enum { AT_LEAST = 4 };
    struct scheduler *scheduler = core->world.scheduler;
    uint64_t until_ns = scheduler_ready(scheduler) ? clock_ns(CLOCK_MONOTONIC) + most_ns : 0;
    for (uint32_t run = 0, more; run < fibers && scheduler_ready(scheduler) && !core->phase_over;
         run += more) {
        if (run && clock_ns(CLOCK_MONOTONIC) >= until_ns)
            return;
        /* All that are ready now have their turn, however long one of them takes. */
        more = scheduler_ready_count(scheduler);
        more = more < AT_LEAST ? AT_LEAST : more;
        more = more < fibers - run ? more : fibers - run;
        if (scheduler_run(scheduler, more) < more)
            return; /* who has had the core for a whole stretch is alone: time to hear of others */
    }
}

static void loop_turn(struct linux_core *core)
{
    struct world *world = &core->world;
    world->now_ns = clock_ns(CLOCK_MONOTONIC);
    atomic_store_explicit(&core->turns, atomic_load_explicit(&core->turns, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    if (world->core == 0 && world->now_ns - core->looked_ns >= LOOP_QUIET_NS)
        look_at_memory(core);
    scheduler_tick(world->scheduler, world->now_ns);
    tell_stop(core);
    tell_hangup(core);
    linux_inbox_drain(core);
    mailbox_drain(world, LOOP_MAIL_PER_TURN);
    linux_run_fibers(core, LOOP_FIBERS_PER_TURN, LOOP_TURN_NS);
    mailbox_flush(world); /* what finds no room is no reason to stay awake: whoever makes room wakes us */
    if (core->borrowed) {
        /* The answers are here already. */
        core->borrowed = false;
        mailbox_drain(world, LOOP_MAIL_PER_TURN);
    }
    if (!something_to_do(core) && !core->poll_ns) {
        loop_sleep(core, clock_ns(CLOCK_MONOTONIC));
        return;
    }
    core->backend->turn(core, 0);
    if (something_to_do(core))
        return;
    uint64_t idle_since_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t until_ns = idle_since_ns + core->poll_ns,
             deadline_ns = scheduler_next_deadline(world->scheduler);
    if (!poll_until(core, until_ns < deadline_ns ? until_ns : deadline_ns))
        loop_sleep(core, idle_since_ns);
}

/* Turns until somebody on this core says that the phase is over. */
static void turn_until_over(struct linux_core *core)
{
    while (!core->phase_over)
        loop_turn(core);
    core->phase_over = false;
}

/* ---- the life of a core ---- */

static const struct world_ops linux_world_ops;

/* As an undo action of a scope: the scope is gone. As the end of the main fiber: it has returned. */
static void end_phase(void *argument)
{
    struct linux_core *core = argument;
    core->phase_over = true;
}

static uint64_t read_monotonic(void *argument)
{
    (void)argument;
    return clock_ns(CLOCK_MONOTONIC);
}

enum sqlstate linux_core_open(struct linux_core *core, struct error *error)
{
    struct world *world = &core->world;
    struct scheduler_options scheduling = {.clock = read_monotonic, .stack_rest_ns = LOOP_STACK_REST_NS};
    core->scope = scope_open_root("core", &core->budget);
    if (!core->scope)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    enum sqlstate failed = scheduler_open(core->scope, &scheduling, &world->scheduler, error);
    if (failed)
        return failed;
    if (core->node->options.long_share)
        scheduler_set_long_share(world->scheduler, core->node->options.long_share);
    core->calls = scope_open(core->scope, "calls");
    scope_undo(core->calls, end_phase, core);
    world->scope = scope_open(core->scope, "world");
    scope_undo(world->scope, end_phase, core);
    world->ops = &linux_world_ops;
    world->disk = core->backend->disk;
    world->net = core->backend->net;
    world->log = log_open(core->scope, core->node->options.log_level, log_sink_write, core->node->log_sink);
    world->metrics = metric_set_open(core->scope);
    world->now_ns = clock_ns(CLOCK_MONOTONIC);
    fiber_queue_init(&core->stop_waiters);
    mailbox_open(core->node->mail_room, world);
    linux_flush_choice_open(core);
    failed = core->backend->open(core, error);
    core->opened = !failed;
    return failed;
}

struct main_call {
    struct linux_core *core;
    void (*core_main)(struct world *world, void *argument);
    void *argument;
};

static void main_fiber(void *argument)
{
    struct main_call *call = argument;
    call->core_main(&call->core->world, call->argument);
    end_phase(call->core);
}

enum sqlstate linux_core_run(struct linux_core *core, void (*core_main)(struct world *world, void *argument),
                             void *argument, struct error *error)
{
    struct linux_node *node = core->node;
    struct main_call call = {core, core_main, argument};
    if (core->world.core == 0 && node->why_classic[0])
        log_line(&core->world, LOG_WARN, "io_classic",
                 "io_uring cannot be used, epoll and threads take over: %s", node->why_classic);
    enum sqlstate failed =
        fiber_start(core->world.scheduler, core->world.scope, "main", main_fiber, &call, NULL, error);
    if (failed) {
        end_phase(core);
        linux_stop(node);
    }
    turn_until_over(core);
    /* The main fiber has returned, the others are told to end; operations in flight still land. */
    scope_close(core->world.scope);
    turn_until_over(core);
    /* Other cores may still have mail of ours, or send some: it must be moved until nobody needs it. */
    if (atomic_fetch_sub(&node->cores_unfinished, 1) == 1) {
        for (uint32_t i = 0; i < node->options.cores; i++)
            linux_wake(node->core[i]);
    }
    while (atomic_load(&node->cores_unfinished))
        loop_turn(core);
    scope_close(core->calls);
    turn_until_over(core);
    core->world.scope = core->calls = NULL;
    return failed;
}

void linux_core_close(struct linux_core *core)
{
    if (core->opened)
        core->backend->close(core);
    if (core->scope)
        scope_close(core->scope);
}

/* ---- what a world offers beside disk and net ---- */

static uint64_t loop_now(struct world *world)
{
    (void)world;
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t loop_wall(struct world *world)
{
    (void)world;
    return (int64_t)(clock_ns(CLOCK_REALTIME) / 1000);
}

static void loop_random(struct world *world, void *bytes, size_t size)
{
    (void)world;
    uint8_t *at = bytes;
    while (size) {
        ssize_t got = getrandom(at, size, 0);
        check(got > 0 || errno == EINTR, "getrandom: errno %d", errno);
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

/* Mail is there for a core that sleeps. Who has nothing else to do runs it rather than wakes it, unless
 * that is meant to be done beside what it does itself. */
static void loop_wake(struct world *world, uint32_t core, bool takes_long)
{
    struct linux_core *here = linux_core_of(world), *there = here->node->core[core];
    if (takes_long || scheduler_ready(world->scheduler) || !linux_borrow(here, there))
        linux_wake(there);
}

void linux_stop(struct linux_node *node)
{
    if (atomic_exchange(&node->stop_asked, true))
        return;
    for (uint32_t i = 0; i < node->options.cores; i++)
        linux_wake(node->core[i]);
}

static void loop_stop(struct world *world)
{
    linux_stop(linux_core_of(world)->node);
}

static void loop_home(struct world *world)
{
    struct linux_core *core = linux_core_of(world);
    while (core->lent) {
        core->wanted_home = true;
        fiber_yield(world->scheduler);
    }
}

static enum fiber_wake loop_wait_stop(struct world *world, uint64_t deadline_ns)
{
    struct linux_core *core = linux_core_of(world);
    tell_stop(core);
    if (core->stop_seen)
        return FIBER_WOKEN;
    return fiber_wait(world->scheduler, &core->stop_waiters, deadline_ns);
}

static const struct world_ops linux_world_ops = {
    .now = loop_now,
    .wall = loop_wall,
    .random = loop_random,
    .wake = loop_wake,
    .stop = loop_stop,
    .home = loop_home,
    .wait_stop = loop_wait_stop,
};

const char *linux_io_name(const struct world *world)
{
    return ((const struct linux_core *)((const char *)world - offsetof(struct linux_core, world)))
        ->backend->name;
}
