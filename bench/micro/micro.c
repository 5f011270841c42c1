/* The ground floor's figures: fibers, mail between cores, scopes, metrics. */
#include "bench/micro/measure.h"

#include "base/check.h"
#include "base/context.h"
#include "base/mailbox.h"
#include "base/metric.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/world.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct scope *root;
static struct scheduler *scheduler;
static struct error error;

static double per_time(uint64_t began_ns, uint64_t times)
{
    return (double)(measure_now_ns() - began_ns) / (double)times;
}

static void start(struct scheduler *on, struct scope *scope, void (*run)(void *argument), void *argument)
{
    enum sqlstate failed = fiber_start(on, scope, "bench", run, argument, NULL, &error);
    check(!failed, "%s", error_text(&error, ERROR_MESSAGE));
}

/* ---- the bare switch ---- */

#define SWITCHES 100000

static struct context here, there;
static _Alignas(64) char other_stack[65536];

static void switch_back_forever(void *argument)
{
    (void)argument;
    context_arrived(&there);
    for (;;)
        context_switch(&there, &here);
}

static double round_switch(void *argument)
{
    (void)argument;
    uint64_t began_ns = measure_now_ns();
    for (int i = 0; i < SWITCHES / 2; i++)
        context_switch(&here, &there);
    return per_time(began_ns, SWITCHES);
}

/* ---- through the scheduler ---- */

#define YIELDS 100000

static void yield_many(void *argument)
{
    for (uint32_t left = *(uint32_t *)argument; left; left--)
        fiber_yield(scheduler);
}

/* `argument` fibers yield in turn; the time of one turn. */
static double round_yield(void *argument)
{
    uint32_t fibers = *(uint32_t *)argument, each = YIELDS / fibers;
    for (uint32_t i = 0; i < fibers; i++)
        start(scheduler, root, yield_many, &each);
    scheduler_run(scheduler, fibers); /* their stacks are touched */
    uint64_t began_ns = measure_now_ns();
    uint32_t turns = scheduler_run(scheduler, (each - 1) * fibers);
    double took = per_time(began_ns, turns);
    scheduler_run(scheduler, UINT32_MAX);
    return took;
}

static struct fiber_queue queue;

static void wait_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < YIELDS; i++)
        (void)fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
}

/* The loop wakes a fiber that waits in a queue; it waits again. */
static double round_wait_and_wake(void *argument)
{
    (void)argument;
    start(scheduler, root, wait_many, NULL);
    scheduler_run(scheduler, 1);
    uint64_t began_ns = measure_now_ns();
    while (fiber_wake_one(&queue))
        scheduler_run(scheduler, 1);
    return per_time(began_ns, YIELDS);
}

static void wait_many_with_deadline(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < YIELDS; i++)
        (void)fiber_wait(scheduler, &queue, 1000000 + i);
}

static double round_wait_with_deadline(void *argument)
{
    (void)argument;
    start(scheduler, root, wait_many_with_deadline, NULL);
    scheduler_run(scheduler, 1);
    uint64_t began_ns = measure_now_ns();
    while (fiber_wake_one(&queue))
        scheduler_run(scheduler, 1);
    return per_time(began_ns, YIELDS);
}

#define STARTS 10000

static void end_at_once(void *argument)
{
    (void)argument;
}

static double round_start_to_end(void *argument)
{
    (void)argument;
    uint64_t began_ns = measure_now_ns();
    for (int i = 0; i < STARTS; i++) {
        start(scheduler, root, end_at_once, NULL);
        scheduler_run(scheduler, 1);
    }
    return per_time(began_ns, STARTS);
}

#define CALLS 10000

static double round_big_stack(void *argument)
{
    (void)argument;
    uint64_t began_ns = measure_now_ns();
    for (int i = 0; i < CALLS; i++)
        fiber_call_on_big_stack(scheduler, end_at_once, NULL);
    double took = per_time(began_ns, CALLS);
    scheduler_tick(scheduler, 1);
    return took;
}

/* ---- mail between two busy cores ---- */

#define TRIPS     2000
#define IN_FLIGHT 256

struct core {
    struct world world;
    struct scope *scope;
};

static struct core cores[2];
static atomic_bool partner_stops;

static void no_wake(struct world *world, uint32_t core, bool takes_long)
{
    (void)world;
    (void)core;
    (void)takes_long;
}

static const struct world_ops busy_ops = {.wake = no_wake};

static void turn(struct world *world)
{
    mailbox_drain(world, UINT32_MAX);
    scheduler_run(world->scheduler, 1000);
    mailbox_flush(world);
}

/* The partner drains and answers, and never sleeps. */
static void *partner(void *argument)
{
    struct world *world = argument;
    while (!atomic_load_explicit(&partner_stops, memory_order_relaxed))
        turn(world);
    return NULL;
}

static void give_back(struct world *world, struct mail *mail)
{
    mail_return(world, mail);
}

static uint32_t trips_left;

static void call_many(void *argument)
{
    struct world *world = argument;
    struct mail mail = {.deliver = give_back};
    for (; trips_left; trips_left--) {
        enum sqlstate failed = mail_call(world, world->scope, 1, &mail, &error);
        check(!failed);
    }
}

static double round_trip(void *argument)
{
    struct world *world = argument;
    trips_left = TRIPS;
    start(world->scheduler, world->scope, call_many, world);
    uint64_t began_ns = measure_now_ns();
    while (trips_left)
        turn(world);
    double took = per_time(began_ns, TRIPS);
    turn(world);
    return took;
}

struct many_mails {
    struct mail mail[IN_FLIGHT];
    struct fiber_queue wanting;
    struct list free;
    uint32_t back;
};

static struct many_mails many;

static void one_is_back(struct world *world, struct mail *mail)
{
    (void)world;
    many.back++;
    list_append(&many.free, &mail->link);
    fiber_wake_one(&many.wanting);
}

#define STREAM 20000

static void send_many(void *argument)
{
    struct world *world = argument;
    for (int i = 0; i < STREAM; i++) {
        struct list_link *link;
        while (!(link = list_take_first(&many.free)))
            (void)fiber_wait(world->scheduler, &many.wanting, FIBER_NO_DEADLINE);
        mail_send(world, 1, container_of(link, struct mail, link));
    }
}

/* Many at a time: what one costs there and back. */
static double round_stream(void *argument)
{
    struct world *world = argument;
    list_init(&many.free);
    fiber_queue_init(&many.wanting);
    many.back = 0;
    for (int i = 0; i < IN_FLIGHT; i++) {
        many.mail[i] = (struct mail){.deliver = give_back, .returned = one_is_back};
        list_append(&many.free, &many.mail[i].link);
    }
    start(world->scheduler, world->scope, send_many, world);
    uint64_t began_ns = measure_now_ns();
    while (many.back < STREAM)
        turn(world);
    double took = per_time(began_ns, STREAM);
    turn(world);
    return took;
}

/* Binds the thread to the processor at that place among those we may use. */
static void pin(pthread_t thread, int place)
{
    cpu_set_t ours, one;
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof ours, &ours);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &ours) && place-- == 0)
            CPU_SET(i, &one);
    }
    pthread_setaffinity_np(thread, sizeof one, &one);
}

static void measure_mail(const struct measure *measure)
{
    cpu_set_t ours;
    sched_getaffinity(0, sizeof ours, &ours);
    if (CPU_COUNT(&ours) < 2) {
        fprintf(stderr, "mailbox benchmarks need two processors\n");
        return;
    }
    struct mail_room *room;
    pthread_t thread;
    enum sqlstate failed = mail_room_open(root, 2, &room, &error);
    check(!failed);
    for (uint32_t i = 0; i < 2; i++) {
        cores[i].world = (struct world){.ops = &busy_ops, .core = i, .cores = 2};
        cores[i].world.scope = cores[i].scope = scope_open_root("core", NULL);
        check(cores[i].scope);
        failed = scheduler_open(cores[i].scope, NULL, &cores[i].world.scheduler, &error);
        check(!failed);
        mailbox_open(room, &cores[i].world);
    }
    int created = pthread_create(&thread, NULL, partner, &cores[1].world);
    check(!created);
    pin(thread, 1);
    pin(pthread_self(), 0);
    struct world *world = &cores[0].world;
    measure_run(measure, &(struct measure_case){"mailbox: round trip, two busy cores", "ns", round_trip,
                                                world, MEASURE_AT_MOST, 1000});
    measure_run(measure, &(struct measure_case){"mailbox: there and back, 256 in flight", "ns", round_stream,
                                                world, MEASURE_NO_GOAL, 0});
    atomic_store(&partner_stops, true);
    pthread_join(thread, NULL);
    scope_close(cores[0].scope);
    scope_close(cores[1].scope);
}

/* ---- scopes and metrics ---- */

#define SCOPES       10000
#define OBSERVATIONS 100000

static double round_scope(void *argument)
{
    (void)argument;
    uint64_t began_ns = measure_now_ns();
    for (int i = 0; i < SCOPES; i++) {
        struct scope *scope = scope_open(root, "bench");
        for (size_t size = 16; size < 16 + 10 * 24; size += 24)
            measure_keep(scope_alloc(scope, size));
        scope_close(scope);
    }
    return per_time(began_ns, SCOPES);
}

static double round_metric_add(void *argument)
{
    struct metric_counter *counter = argument;
    uint64_t began_ns = measure_now_ns();
    for (uint64_t i = 0; i < OBSERVATIONS; i++) {
        metric_add(counter, i);
        measure_keep(counter);
    }
    return per_time(began_ns, OBSERVATIONS);
}

static double round_metric_observe(void *argument)
{
    uint64_t began_ns = measure_now_ns();
    for (uint64_t i = 0; i < OBSERVATIONS; i++)
        metric_observe(argument, i * 977);
    return per_time(began_ns, OBSERVATIONS);
}

int main(int argc, char **argv)
{
    struct measure measure;
    uint32_t two = 2, hundred = 100, thousand = 1000;
    measure_open(&measure, argc, argv);
    root = scope_open_root("bench", NULL);
    check(root);
    enum sqlstate failed = scheduler_open(root, NULL, &scheduler, &error);
    check(!failed);
    fiber_queue_init(&queue);
    context_adopt(&here);
    context_make(&there, other_stack, other_stack + sizeof other_stack, switch_back_forever, NULL);
    struct metric_set *metrics = metric_set_open(root);
    struct measure_case cases[] = {
        {"fiber: switch", "ns", round_switch, NULL, MEASURE_AT_MOST, 15},
        {"fiber: yield and resume, 2 fibers", "ns", round_yield, &two, MEASURE_AT_MOST, 40},
        {"fiber: yield and resume, 100 fibers", "ns", round_yield, &hundred, MEASURE_AT_MOST, 40},
        {"fiber: yield and resume, 1,000 fibers", "ns", round_yield, &thousand, MEASURE_AT_MOST, 40},
        {"fiber: wait, woken by the loop", "ns", round_wait_and_wake, NULL, MEASURE_NO_GOAL, 0},
        {"fiber: the same with a deadline", "ns", round_wait_with_deadline, NULL, MEASURE_NO_GOAL, 0},
        {"fiber: from start to end", "ns", round_start_to_end, NULL, MEASURE_NO_GOAL, 0},
        {"fiber: call on the big stack", "ns", round_big_stack, NULL, MEASURE_NO_GOAL, 0},
        {"scope: open, 10 allocations, close", "ns", round_scope, NULL, MEASURE_AT_MOST, 100},
        {"metric: add", "ns", round_metric_add, metric_counter_open(metrics, "bench_total", "Bench."),
         MEASURE_NO_GOAL, 0},
        {"metric: observe", "ns", round_metric_observe,
         metric_histogram_open(metrics, "bench_nanoseconds", "Bench."), MEASURE_NO_GOAL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        measure_run(&measure, &cases[i]);
    if (measure_wanted(&measure, "mailbox"))
        measure_mail(&measure);
    context_forget(&there);
    scope_close(root);
    return EXIT_SUCCESS;
}
