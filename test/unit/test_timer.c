/* Timers: fire in order, once, and never after they were cleared; checked against the plainest model. */
#include "test/unit/one_core.h"

#include <stdio.h>

struct alarm {
    struct fiber_timer timer;
    char letter;
    struct alarm *other;     /* cleared when this one fires, or NULL */
    uint64_t again_ns;       /* armed again for then, once; 0 = no */
    uint64_t model_deadline; /* FIBER_NO_DEADLINE = not armed */
    uint64_t model_order;
};

static void ring(void *argument)
{
    struct alarm *alarm = argument;
    note(alarm->letter);
    if (alarm->other)
        fiber_timer_clear(scheduler, &alarm->other->timer);
    uint64_t again_ns = alarm->again_ns;
    alarm->again_ns = 0;
    if (again_ns)
        fiber_timer_set(scheduler, &alarm->timer, again_ns, ring, alarm);
}

static void set(struct alarm *alarm, uint64_t deadline_ns)
{
    fiber_timer_set(scheduler, &alarm->timer, deadline_ns, ring, alarm);
}

START_TEST(timers_fire_in_order_of_their_deadlines)
{
    struct alarm a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};
    set(&a, 300);
    set(&b, 100);
    set(&c, 200);
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), 100);
    scheduler_tick(scheduler, 99);
    ck_assert_str_eq(diary, "");
    scheduler_tick(scheduler, 250);
    ck_assert_str_eq(diary, "bc");
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), 300);
    scheduler_tick(scheduler, 300);
    scheduler_tick(scheduler, 400);
    ck_assert_str_eq(diary, "bca");
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
}
END_TEST

START_TEST(a_cleared_timer_does_not_fire)
{
    struct alarm a = {.letter = 'a'}, b = {.letter = 'b'};
    fiber_timer_clear(scheduler, &a.timer);
    set(&a, 100);
    set(&b, 100);
    fiber_timer_clear(scheduler, &a.timer);
    fiber_timer_clear(scheduler, &a.timer);
    scheduler_tick(scheduler, 100);
    ck_assert_str_eq(diary, "b");
}
END_TEST

START_TEST(setting_again_replaces_the_deadline_either_way)
{
    struct alarm a = {.letter = 'a'}, b = {.letter = 'b'};
    set(&a, 100);
    set(&b, 200);
    set(&a, 300);
    set(&b, 50);
    scheduler_tick(scheduler, 200);
    ck_assert_str_eq(diary, "b");
    scheduler_tick(scheduler, 300);
    ck_assert_str_eq(diary, "ba");
}
END_TEST

START_TEST(setting_to_no_deadline_disarms)
{
    struct alarm a = {.letter = 'a'};
    set(&a, 100);
    set(&a, FIBER_NO_DEADLINE);
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
    scheduler_tick(scheduler, UINT64_MAX - 1);
    ck_assert_str_eq(diary, "");
}
END_TEST

START_TEST(a_firing_timer_clears_another_that_is_due)
{
    struct alarm b = {.letter = 'b'}, a = {.letter = 'a', .other = &b};
    set(&a, 100);
    set(&b, 100);
    scheduler_tick(scheduler, 100);
    ck_assert_str_eq(diary, "a");
}
END_TEST

START_TEST(a_timer_that_arms_itself_for_the_past_fires_at_the_next_tick)
{
    struct alarm a = {.letter = 'a', .again_ns = 1}, b = {.letter = 'b'};
    set(&a, 100);
    set(&b, 100);
    scheduler_tick(scheduler, 100);
    ck_assert_str_eq(diary, "ab");
    ck_assert_uint_le(scheduler_next_deadline(scheduler), 101);
    scheduler_tick(scheduler, 101);
    ck_assert_str_eq(diary, "aba");
}
END_TEST

/* ---- against a model ---- */

#define ALARMS 3000 /* more than two segments of the heap */

static struct alarm alarms[ALARMS];
static struct alarm *fired[ALARMS];
static uint32_t fired_count;

static void record(void *argument)
{
    fired[fired_count++] = argument;
}

/* The armed alarm that is due first, or NULL. */
static struct alarm *model_first(void)
{
    struct alarm *first = NULL;
    for (int i = 0; i < ALARMS; i++) {
        struct alarm *alarm = &alarms[i];
        if (alarm->model_deadline != FIBER_NO_DEADLINE &&
            (!first || alarm->model_deadline < first->model_deadline ||
             (alarm->model_deadline == first->model_deadline && alarm->model_order < first->model_order)))
            first = alarm;
    }
    return first;
}

static void model_tick(uint64_t now_ns)
{
    fired_count = 0;
    scheduler_tick(scheduler, now_ns);
    uint32_t at = 0;
    for (struct alarm *first; (first = model_first()) && first->model_deadline <= now_ns; at++) {
        ck_assert_uint_lt(at, fired_count);
        ck_assert_ptr_eq(fired[at], first);
        first->model_deadline = FIBER_NO_DEADLINE;
    }
    ck_assert_uint_eq(at, fired_count);
    struct alarm *next = model_first();
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), next ? next->model_deadline : FIBER_NO_DEADLINE);
}

START_TEST(a_hundred_thousand_random_operations_agree_with_a_model)
{
    uint64_t state = unit_seed(), now_ns = 0, orders = 0;
    for (int i = 0; i < ALARMS; i++)
        alarms[i] = (struct alarm){.model_deadline = FIBER_NO_DEADLINE};
    for (int i = 0; i < 100000; i++) {
        struct alarm *alarm = &alarms[unit_random_below(&state, ALARMS)];
        uint64_t dice = unit_random_below(&state, 100);
        if (dice < 70) {
            /* Few different deadlines, so that equals are common. */
            alarm->model_deadline = now_ns + 1 + unit_random_below(&state, 5000);
            alarm->model_order = orders++;
            fiber_timer_set(scheduler, &alarm->timer, alarm->model_deadline, record, alarm);
        } else if (dice < 98) {
            alarm->model_deadline = FIBER_NO_DEADLINE;
            fiber_timer_clear(scheduler, &alarm->timer);
        } else {
            now_ns += unit_random_below(&state, 100);
            model_tick(now_ns);
        }
    }
    model_tick(now_ns + 5000);
    ck_assert_ptr_null(model_first());
}
END_TEST

static void move_an_armed_timer(void *argument)
{
    (void)argument;
    struct alarm a = {.letter = 'a'}, b = {.letter = 'b'}, moved;
    set(&a, 100);
    set(&b, 200);
    moved = b;
    fiber_timer_clear(scheduler, &moved.timer);
}

START_TEST(moving_an_armed_timer_stops_the_process)
{
    ck_assert(unit_check_fails(move_an_armed_timer, NULL, "an armed timer has moved"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("timer");
    tcase_add_checked_fixture(tests, core_open, core_close);
    tcase_add_test(tests, timers_fire_in_order_of_their_deadlines);
    tcase_add_test(tests, a_cleared_timer_does_not_fire);
    tcase_add_test(tests, setting_again_replaces_the_deadline_either_way);
    tcase_add_test(tests, setting_to_no_deadline_disarms);
    tcase_add_test(tests, a_firing_timer_clears_another_that_is_due);
    tcase_add_test(tests, a_timer_that_arms_itself_for_the_past_fires_at_the_next_tick);
    tcase_add_test(tests, a_hundred_thousand_random_operations_agree_with_a_model);
    tcase_add_test(tests, moving_an_armed_timer_stops_the_process);
    return unit_run(tests);
}
