/* Time, randomness, and the request to stop. */
#include "test/world/cases.h"

#include "base/scope.h"

#include <string.h>

static void clock_never_goes_back(struct world *world, void *place)
{
    uint64_t before_ns = world_now(world);
    for (int i = 0; i < 1000; i++) {
        uint64_t now_ns = world_now(world);
        ck_assert_uint_ge(now_ns, before_ns);
        ck_assert_uint_ge(now_ns, world->now_ns);
        before_ns = now_ns;
    }
    ck_assert_int_gt(world_wall(world), 0);
}

static void sleep_ends_at_its_deadline_not_before(struct world *world, void *place)
{
    for (uint64_t length_ns = 1; length_ns < 20 * MILLISECOND; length_ns *= 9) {
        uint64_t deadline_ns = world_now(world) + length_ns;
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, deadline_ns), FIBER_TIMED_OUT);
        ck_assert_uint_ge(world_now(world), deadline_ns);
        ck_assert_uint_ge(world->now_ns, deadline_ns);
    }
}

static void random_bytes_differ_and_stay_in_bounds(struct world *world, void *place)
{
    uint8_t first[300], second[300], zeros[300] = {0};
    memset(first, 0, sizeof first);
    world_random(world, first, 267); /* more than the kernel gives in one uninterrupted piece */
    world_random(world, second, sizeof second);
    ck_assert_int_ne(memcmp(first, second, 267), 0);
    ck_assert_int_ne(memcmp(first + 235, zeros, 32), 0);
    ck_assert_int_eq(memcmp(first + 267, zeros, sizeof first - 267), 0);
    world_random(world, second, 0);
}

struct order {
    struct world *world;
    int fired[4];
    int count;
    struct event all;
};

struct numbered_timer {
    struct fiber_timer timer;
    struct order *order;
    int number;
};

static void fire(void *argument)
{
    struct numbered_timer *timer = argument;
    ck_assert_uint_ge(world_now(timer->order->world), timer->timer.deadline_ns);
    timer->order->fired[timer->order->count++] = timer->number;
    if (timer->order->count == 3)
        event_happens(&timer->order->all);
}

static void timers_fire_in_order_and_cleared_ones_do_not(struct world *world, void *place)
{
    struct order order = {.world = world};
    struct numbered_timer timers[4];
    uint64_t now_ns = world_now(world);
    event_init(&order.all, world);
    for (int i = 0; i < 4; i++) {
        timers[i] = (struct numbered_timer){.order = &order, .number = i};
        fiber_timer_set(world->scheduler, &timers[i].timer, now_ns + (uint64_t)(5 - i) * MILLISECOND, fire,
                        &timers[i]);
    }
    fiber_timer_clear(world->scheduler, &timers[2].timer);
    event_wait(&order.all);
    ck_assert_int_eq(order.count, 3);
    ck_assert_int_eq(order.fired[0], 3);
    ck_assert_int_eq(order.fired[1], 1);
    ck_assert_int_eq(order.fired[2], 0);
}

static void wait_for_stop(struct task *task)
{
    task->failed = SQLSTATE_OK;
    if (world_wait_stop(task->world, FIBER_NO_DEADLINE) == FIBER_CANCELED)
        task->failed = fiber_check_canceled(task->world->scheduler, &task->error);
}

static void waiting_for_stop_times_out_and_is_cancelable(struct world *world, void *place)
{
    struct task waiting;
    ck_assert_int_eq(world_wait_stop(world, world_now(world) + MILLISECOND), FIBER_TIMED_OUT);
    task_cancel_waiting(&waiting, world, world->scope, wait_for_stop, NULL);
}

static void stop_from_any_core_ends_the_wait_on_all(struct world *world, void *place)
{
    struct task waiting[3];
    for (int i = 0; i < 3; i++)
        task_start(&waiting[i], world, world->scope, wait_for_stop, NULL);
    if (world->core == world->cores - 1) {
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 5 * MILLISECOND),
                         FIBER_TIMED_OUT);
        world_stop(world);
        world_stop(world);
    }
    ck_assert_int_eq(world_wait_stop(world, patience(world)), FIBER_WOKEN);
    ck_assert_int_eq(world_wait_stop(world, patience(world)), FIBER_WOKEN); /* and stays so */
    for (int i = 0; i < 3; i++) {
        task_join(&waiting[i]);
        must(waiting[i].failed, &waiting[i].error);
    }
}

const struct world_case world_clock_cases[] = {
    {"clock_never_goes_back", 1, clock_never_goes_back},
    {"sleep_ends_at_its_deadline_not_before", 1, sleep_ends_at_its_deadline_not_before},
    {"random_bytes_differ_and_stay_in_bounds", 1, random_bytes_differ_and_stay_in_bounds},
    {"timers_fire_in_order_and_cleared_ones_do_not", 1, timers_fire_in_order_and_cleared_ones_do_not},
    {"waiting_for_stop_times_out_and_is_cancelable", 1, waiting_for_stop_times_out_and_is_cancelable},
    {"stop_from_any_core_ends_the_wait_on_all", 4, stop_from_any_core_ends_the_wait_on_all},
    {NULL},
};
