/* Fibers: starting, waiting, waking, canceling, and the scopes they work for. */
#include "test/unit/one_core.h"

#include "base/check.h"
#include "base/list.h"

#include <stdio.h>
#include <sys/wait.h>

/* ---- the system's stacks, made to fail (linked with --wrap) ---- */

static bool system_has_none;

void *__real_system_pages_map(size_t bytes, bool guard);
void *__wrap_system_pages_map(size_t bytes, bool guard);

void *__wrap_system_pages_map(size_t bytes, bool guard)
{
    return system_has_none ? NULL : __real_system_pages_map(bytes, guard);
}

/* ---- what the tested fibers do ---- */

static struct fiber_queue queue;

/* A fiber that waits once: where, until when, and how it ended. */
struct waiter {
    char letter; /* noted when it goes on */
    uint64_t deadline_ns;
    enum fiber_wake wake;
    bool ended;
};

#define waiter_of(mark)                                                                 \
    (struct waiter)                                                                     \
    {                                                                                   \
        .letter = (mark), .deadline_ns = FIBER_NO_DEADLINE, .wake = (enum fiber_wake)99 \
    }

static void wait_in_queue(void *argument)
{
    struct waiter *waiter = argument;
    waiter->wake = fiber_wait(scheduler, &queue, waiter->deadline_ns);
    note(waiter->letter);
    waiter->ended = true;
}

static void sleep_until(void *argument)
{
    struct waiter *waiter = argument;
    waiter->wake = fiber_sleep_until(scheduler, waiter->deadline_ns);
    note(waiter->letter);
    waiter->ended = true;
}

static void note_letter(void *argument)
{
    note(*(const char *)argument);
}

static void open_with_queue(void)
{
    core_open();
    fiber_queue_init(&queue);
}

/* ---- starting and ending ---- */

START_TEST(a_started_fiber_runs_at_a_later_turn_and_in_order)
{
    start(note_letter, "a");
    start(note_letter, "b");
    start(note_letter, "c");
    ck_assert_str_eq(diary, "");
    ck_assert_uint_eq(scheduler_fibers(scheduler), 3);
    run_all();
    ck_assert_str_eq(diary, "abc");
    ck_assert_uint_eq(scheduler_fibers(scheduler), 0);
}
END_TEST

static void look_at_oneself(void *argument)
{
    struct fiber **self = argument;
    ck_assert_ptr_eq(fiber_running(scheduler), *self);
    ck_assert_str_eq(fiber_name(*self), "tested");
    note('x');
}

START_TEST(the_running_fiber_is_known_inside_and_none_outside)
{
    struct fiber *self;
    ck_assert_ptr_null(fiber_running(scheduler));
    self = start(look_at_oneself, &self);
    run_all();
    ck_assert_ptr_null(fiber_running(scheduler));
    ck_assert_str_eq(diary, "x");
}
END_TEST

static void start_another(void *argument)
{
    start(note_letter, argument);
    note('1');
    fiber_yield(scheduler);
    note('2');
}

START_TEST(a_fiber_starts_fibers)
{
    start(start_another, "n");
    run_all();
    ck_assert_str_eq(diary, "1n2");
}
END_TEST

static void is_gone(void *argument)
{
    (void)argument;
    note('g');
}

START_TEST(a_fiber_holds_its_scope_until_it_ended)
{
    struct scope *scope = scope_open(root, "held");
    struct scope_gone record;
    struct waiter waiter = waiter_of('w');
    start_in(scope, wait_in_queue, &waiter);
    run_all();
    scope_on_gone(scope, &record, is_gone, NULL);
    scope_close(scope);
    ck_assert_str_eq(diary, "");
    run_all();
    ck_assert_str_eq(diary, "wg");
    ck_assert_int_eq(waiter.wake, FIBER_CANCELED);
}
END_TEST

START_TEST(starting_many_fibers_in_one_scope_does_not_make_it_grow)
{
    struct scope *scope = scope_open(root, "long-lived");
    start_in(scope, note_letter, "f");
    run_all();
    size_t before = scope_bytes(scope);
    for (int i = 0; i < 10000; i++) {
        diary[0] = '\0';
        start_in(scope, note_letter, "f");
        run_all();
    }
    ck_assert_uint_eq(scope_bytes(scope), before);
    scope_close(scope);
}
END_TEST

START_TEST(no_stack_to_be_had_is_53200_and_later_starts_work)
{
    system_has_none = true;
    struct fiber *started = NULL;
    enum sqlstate failed = fiber_start(scheduler, root, "hopeless", note_letter, "h", &started, &error);
    system_has_none = false;
    ck_assert_int_eq(failed, SQLSTATE_OUT_OF_MEMORY);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "out of memory");
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_DETAIL), "hopeless"));
    ck_assert_ptr_null(started);
    ck_assert_uint_eq(scheduler_fibers(scheduler), 0);
    start(note_letter, "l");
    run_all();
    ck_assert_str_eq(diary, "l");
}
END_TEST

#ifndef UNIT_SANITIZED /* whose shadows make 30,000 stacks too many for a shared machine */
static void count(void *argument)
{
    (*(int *)argument)++;
}

START_TEST(the_fiber_beyond_the_limit_is_53400)
{
    int ran = 0;
    for (int i = 0; i < FIBERS_PER_CORE_MAX; i++)
        start(count, &ran);
    enum sqlstate failed = fiber_start(scheduler, root, "one more", count, &ran, NULL, &error);
    ck_assert_int_eq(failed, SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED);
    run_all();
    ck_assert_int_eq(ran, FIBERS_PER_CORE_MAX);
    start(count, &ran);
    run_all();
    ck_assert_int_eq(ran, FIBERS_PER_CORE_MAX + 1);
}
END_TEST
#endif

/* ---- yielding ---- */

static void yield_twice(void *argument)
{
    for (int i = 0; i < 3; i++) {
        note(*(const char *)argument);
        if (i < 2)
            fiber_yield(scheduler);
    }
}

START_TEST(yielding_lets_every_other_ready_fiber_run_first)
{
    start(yield_twice, "a");
    start(yield_twice, "b");
    start(yield_twice, "c");
    run_all();
    ck_assert_str_eq(diary, "abcabcabc");
}
END_TEST

static void yield_when_canceled(void *argument)
{
    fiber_cancel(fiber_running(scheduler), SQLSTATE_QUERY_CANCELED,
                 "canceling statement due to user request");
    fiber_yield(scheduler);
    note(*(const char *)argument);
}

START_TEST(yielding_is_no_cancellation_point)
{
    start(yield_when_canceled, "y");
    start(note_letter, "o");
    run_all();
    ck_assert_str_eq(diary, "oy");
}
END_TEST

/* ---- the three ends of a wait ---- */

START_TEST(a_wait_ends_when_woken)
{
    struct waiter waiter = waiter_of('w');
    start(wait_in_queue, &waiter);
    run_all();
    ck_assert(!fiber_queue_empty(&queue));
    ck_assert(fiber_wake_one(&queue));
    ck_assert(!waiter.ended);
    ck_assert(fiber_queue_empty(&queue));
    run_all();
    ck_assert_int_eq(waiter.wake, FIBER_WOKEN);
    ck_assert(waiter.ended);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline_and_not_before)
{
    struct waiter waiter = waiter_of('w');
    waiter.deadline_ns = 1000;
    start(wait_in_queue, &waiter);
    run_all();
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), 1000);
    scheduler_tick(scheduler, 999);
    ck_assert(!scheduler_ready(scheduler));
    scheduler_tick(scheduler, 1000);
    ck_assert(fiber_queue_empty(&queue));
    run_all();
    ck_assert_int_eq(waiter.wake, FIBER_TIMED_OUT);
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
}
END_TEST

START_TEST(a_wait_ends_when_canceled)
{
    struct waiter waiter = waiter_of('w');
    waiter.deadline_ns = 1000;
    struct fiber *fiber = start(wait_in_queue, &waiter);
    run_all();
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    ck_assert(fiber_queue_empty(&queue));
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
    run_all();
    ck_assert_int_eq(waiter.wake, FIBER_CANCELED);
}
END_TEST

START_TEST(a_deadline_that_has_passed_is_noticed_at_the_next_tick)
{
    scheduler_tick(scheduler, 5000);
    struct waiter waiter = waiter_of('w');
    waiter.deadline_ns = 1;
    start(wait_in_queue, &waiter);
    run_all();
    ck_assert(!waiter.ended);
    scheduler_tick(scheduler, 5000);
    run_all();
    ck_assert_int_eq(waiter.wake, FIBER_TIMED_OUT);
}
END_TEST

START_TEST(a_woken_fiber_does_not_time_out)
{
    struct waiter waiter = waiter_of('w');
    waiter.deadline_ns = 1000;
    start(wait_in_queue, &waiter);
    run_all();
    ck_assert(fiber_wake_one(&queue));
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
    scheduler_tick(scheduler, 2000);
    run_all();
    ck_assert_int_eq(waiter.wake, FIBER_WOKEN);
}
END_TEST

START_TEST(a_wake_is_not_lost_on_a_fiber_that_timed_out_or_was_canceled)
{
    struct waiter late = waiter_of('l'), canceled = waiter_of('c'), patient = waiter_of('p');
    late.deadline_ns = 10;
    start(wait_in_queue, &late);
    struct fiber *fiber = start(wait_in_queue, &canceled);
    start(wait_in_queue, &patient);
    run_all();
    scheduler_tick(scheduler, 10);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    ck_assert(fiber_wake_one(&queue));
    ck_assert(!fiber_wake_one(&queue));
    run_all();
    ck_assert_int_eq(late.wake, FIBER_TIMED_OUT);
    ck_assert_int_eq(canceled.wake, FIBER_CANCELED);
    ck_assert_int_eq(patient.wake, FIBER_WOKEN);
}
END_TEST

START_TEST(waking_goes_in_order_of_waiting)
{
    struct waiter a = waiter_of('a'), b = waiter_of('b'), c = waiter_of('c'), d = waiter_of('d');
    start(wait_in_queue, &a);
    start(wait_in_queue, &b);
    start(wait_in_queue, &c);
    start(wait_in_queue, &d);
    run_all();
    ck_assert(fiber_wake_one(&queue));
    run_all();
    ck_assert_str_eq(diary, "a");
    ck_assert_uint_eq(fiber_wake_all(&queue), 3);
    ck_assert_uint_eq(fiber_wake_all(&queue), 0);
    run_all();
    ck_assert_str_eq(diary, "abcd");
}
END_TEST

static void wait_forever_again(void *argument)
{
    struct waiter *waiter = argument;
    for (;;) {
        waiter->wake = fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
        note(waiter->letter);
        if (waiter->wake == FIBER_CANCELED)
            return;
    }
}

START_TEST(whoever_waits_again_stands_behind_the_others)
{
    struct waiter a = waiter_of('a'), b = waiter_of('b'), c = waiter_of('c');
    struct fiber *fibers[] = {start(wait_forever_again, &a), start(wait_forever_again, &b),
                              start(wait_forever_again, &c)};
    run_all();
    for (int i = 0; i < 7; i++) {
        ck_assert(fiber_wake_one(&queue));
        run_all();
    }
    ck_assert_str_eq(diary, "abcabca");
    for (int i = 0; i < 3; i++)
        fiber_cancel(fibers[i], SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    run_all();
}
END_TEST

START_TEST(sleepers_wake_in_order_of_their_deadlines_and_equals_in_order_of_coming)
{
    static const uint64_t deadlines[] = {30, 10, 20, 10, 30, 10};
    struct waiter sleepers[6];
    for (int i = 0; i < 6; i++) {
        sleepers[i] = waiter_of((char)('a' + i));
        sleepers[i].deadline_ns = deadlines[i];
        start(sleep_until, &sleepers[i]);
    }
    run_all();
    scheduler_tick(scheduler, 10);
    run_all();
    ck_assert_str_eq(diary, "bdf");
    scheduler_tick(scheduler, 30);
    run_all();
    ck_assert_str_eq(diary, "bdfcae");
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(sleepers[i].wake, FIBER_TIMED_OUT);
}
END_TEST

/* ---- canceling ---- */

START_TEST(a_fiber_canceled_before_it_ran_does_not_wait)
{
    struct waiter waiter = waiter_of('w'), sleeper = waiter_of('s');
    struct fiber *waiting = start(wait_in_queue, &waiter), *sleeping = start(sleep_until, &sleeper);
    fiber_cancel(waiting, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    fiber_cancel(sleeping, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    run_all();
    ck_assert_int_eq(waiter.wake, FIBER_CANCELED);
    ck_assert_int_eq(sleeper.wake, FIBER_CANCELED);
    ck_assert(fiber_queue_empty(&queue));
}
END_TEST

START_TEST(a_sleep_without_deadline_ends_when_canceled)
{
    struct waiter sleeper = waiter_of('s');
    struct fiber *fiber = start(sleep_until, &sleeper);
    run_all();
    ck_assert(!sleeper.ended);
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    run_all();
    ck_assert_int_eq(sleeper.wake, FIBER_CANCELED);
}
END_TEST

static void wait_twice(void *argument)
{
    enum fiber_wake *wakes = argument;
    wakes[0] = fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
    wakes[1] = fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
}

START_TEST(a_fiber_woken_and_then_canceled_reports_both_one_after_the_other)
{
    enum fiber_wake wakes[2];
    struct fiber *fiber = start(wait_twice, wakes);
    run_all();
    ck_assert(fiber_wake_one(&queue));
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    run_all();
    ck_assert_int_eq(wakes[0], FIBER_WOKEN);
    ck_assert_int_eq(wakes[1], FIBER_CANCELED);
}
END_TEST

static void ask_why_canceled(void *argument)
{
    (void)argument;
    ck_assert(!fiber_canceled(scheduler));
    ck_assert_int_eq(fiber_check_canceled(scheduler, &error), SQLSTATE_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE), FIBER_CANCELED);
        ck_assert(fiber_canceled(scheduler));
        ck_assert_int_eq(fiber_check_canceled(scheduler, &error), SQLSTATE_QUERY_CANCELED);
        ck_assert_int_eq(error.state, SQLSTATE_QUERY_CANCELED);
        ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "canceling statement due to 100% of reasons");
    }
    fiber_cancel_clear(fiber_running(scheduler));
    ck_assert(!fiber_canceled(scheduler));
    ck_assert_int_eq(fiber_check_canceled(scheduler, &error), SQLSTATE_OK);
    ck_assert_int_eq(fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE), FIBER_WOKEN);
    note('d');
}

START_TEST(a_cancellation_stays_with_its_first_reason_until_it_is_cleared)
{
    struct fiber *fiber = start(ask_why_canceled, NULL);
    run_all();
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to 100% of reasons");
    fiber_cancel(fiber, SQLSTATE_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
    run_all();
    ck_assert(fiber_wake_one(&queue));
    run_all();
    ck_assert_str_eq(diary, "d");
}
END_TEST

static void wait_in_two_shields(void *argument)
{
    enum fiber_wake *wakes = argument;
    fiber_shield_begin(scheduler);
    fiber_shield_begin(scheduler);
    wakes[0] = fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    ck_assert(!fiber_canceled(scheduler));
    ck_assert_int_eq(fiber_check_canceled(scheduler, &error), SQLSTATE_QUERY_CANCELED);
    wakes[1] = fiber_wait(scheduler, &queue, 1000);
    fiber_shield_end(scheduler);
    ck_assert(fiber_canceled(scheduler));
    wakes[2] = fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
}

START_TEST(a_shielded_wait_ends_as_if_nobody_had_canceled)
{
    enum fiber_wake wakes[3];
    struct fiber *fiber = start(wait_in_two_shields, wakes);
    run_all();
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    ck_assert(!scheduler_ready(scheduler));
    ck_assert(fiber_wake_one(&queue));
    run_all();
    scheduler_tick(scheduler, 1000);
    run_all();
    ck_assert_int_eq(wakes[0], FIBER_WOKEN);
    ck_assert_int_eq(wakes[1], FIBER_TIMED_OUT);
    ck_assert_int_eq(wakes[2], FIBER_CANCELED);
    ck_assert_uint_eq(scheduler_fibers(scheduler), 0);
}
END_TEST

/* ---- a scope closes while a fiber is somewhere ---- */

static void check_why(enum fiber_wake wake)
{
    ck_assert_int_eq(wake, FIBER_CANCELED);
    ck_assert_int_eq(fiber_check_canceled(scheduler, &error), SQLSTATE_ADMIN_SHUTDOWN);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "terminating connection due to administrator command");
    note('c');
}

static void be_in_queue(void *argument)
{
    (void)argument;
    check_why(fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE));
}

static void be_in_queue_with_deadline(void *argument)
{
    (void)argument;
    check_why(fiber_wait(scheduler, &queue, 1000));
}

static void be_asleep(void *argument)
{
    (void)argument;
    check_why(fiber_sleep_until(scheduler, 1000));
}

static void be_ready(void *argument)
{
    (void)argument;
    fiber_yield(scheduler);
    check_why(fiber_sleep_until(scheduler, 1000));
}

static void be_shielded(void *argument)
{
    (void)argument;
    fiber_shield_begin(scheduler);
    ck_assert_int_eq(fiber_wait(scheduler, &queue, 1000), FIBER_TIMED_OUT);
    fiber_shield_end(scheduler);
    check_why(fiber_sleep_until(scheduler, 1000));
}

static void be_closing_another(void *argument)
{
    struct scope *child = scope_open(root, "other");
    (void)argument;
    start_in(child, be_asleep, NULL);
    fiber_close_scope(scheduler, child);
    check_why(fiber_sleep_until(scheduler, 1000));
}

static void (*const places[])(void *argument) = {
    be_in_queue, be_in_queue_with_deadline, be_asleep, be_ready, be_shielded, be_closing_another,
};

START_TEST(a_scope_closes_at_every_wait_of_its_fiber)
{
    /* `_i` says where the fiber is, and whether it had run at all. */
    struct scope *scope = scope_open(root, "closed");
    struct scope_gone record;
    start_in(scope, places[_i / 2], NULL);
    if (_i % 2)
        scheduler_run(scheduler, 1);
    scope_on_gone(scope, &record, is_gone, NULL);
    scope_close(scope);
    run_all();
    scheduler_tick(scheduler, 1000);
    run_all();
    ck_assert_str_eq(diary, places[_i / 2] == be_closing_another ? "ccg" : "cg");
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
}
END_TEST

START_TEST(a_fiber_started_in_a_closing_scope_is_canceled_from_the_start)
{
    struct scope *scope = scope_open(root, "closing");
    scope_hold(scope);
    scope_close(scope);
    start_in(scope, be_asleep, NULL);
    run_all();
    ck_assert_str_eq(diary, "c");
    scope_release(scope);
}
END_TEST

static void close_own_scope(void *argument)
{
    scope_close(argument);
    check_why(fiber_sleep_until(scheduler, 1000));
}

START_TEST(a_fiber_closes_the_scope_it_works_for)
{
    struct scope *scope = scope_open(root, "own");
    start_in(scope, close_own_scope, scope);
    run_all();
    ck_assert_str_eq(diary, "c");
    ck_assert_uint_eq(scheduler_fibers(scheduler), 0);
}
END_TEST

/* The scheduler lies in the root scope, which the last fiber's end ends. */
START_TEST(the_last_fiber_ends_the_scope_of_its_own_scheduler)
{
    struct scope_gone record;
    start(be_asleep, NULL);
    start(be_asleep, NULL);
    run_all();
    core_gone = false;
    scope_on_gone(root, &record, core_is_gone, NULL);
    scope_close(root);
    ck_assert(!core_gone);
    ck_assert_uint_eq(scheduler_run(scheduler, 10), 2);
    ck_assert(core_gone);
    ck_assert_str_eq(diary, "cc");
    open_with_queue(); /* for the one that closes after each test */
}
END_TEST

/* ---- closing a scope and waiting until it is gone ---- */

static void close_and_note(void *argument)
{
    fiber_close_scope(scheduler, argument);
    note('d');
}

START_TEST(closing_waits_until_the_last_hold_is_gone)
{
    struct scope *scope = scope_open(root, "held");
    scope_undo(scope, note_letter, "u");
    scope_hold(scope);
    start(close_and_note, scope);
    run_all();
    ck_assert(scope_closing(scope));
    ck_assert_str_eq(diary, "");
    scope_release(scope);
    ck_assert_str_eq(diary, "u");
    run_all();
    ck_assert_str_eq(diary, "ud");
}
END_TEST

START_TEST(closing_what_nobody_holds_does_not_wait)
{
    struct scope *scope = scope_open(root, "free");
    scope_undo(scope, note_letter, "u");
    start(close_and_note, scope);
    ck_assert_uint_eq(scheduler_run(scheduler, 10), 1);
    ck_assert_str_eq(diary, "ud");
}
END_TEST

START_TEST(closing_is_not_cut_short_by_cancellation)
{
    struct scope *scope = scope_open(root, "held");
    scope_hold(scope);
    struct fiber *fiber = start(close_and_note, scope);
    run_all();
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    run_all();
    ck_assert_str_eq(diary, "");
    scope_release(scope);
    run_all();
    ck_assert_str_eq(diary, "d");
}
END_TEST

START_TEST(two_fibers_wait_for_the_same_scope_to_be_gone)
{
    struct scope *scope = scope_open(root, "held");
    scope_hold(scope);
    start(close_and_note, scope);
    start(close_and_note, scope);
    run_all();
    scope_release(scope);
    run_all();
    ck_assert_str_eq(diary, "dd");
}
END_TEST

/* ---- broken rules ---- */

static void run_alone(void *run)
{
    core_open();
    fiber_queue_init(&queue);
    start((void (*)(void *))run, NULL);
    run_all();
}

static void yield_while_still(void *argument)
{
    (void)argument;
    fiber_still_begin(scheduler);
    fiber_yield(scheduler);
}

static void wait_while_still(void *argument)
{
    (void)argument;
    fiber_still_begin(scheduler);
    (void)fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
}

static void sleep_while_still(void *argument)
{
    (void)argument;
    fiber_still_begin(scheduler);
    fiber_still_begin(scheduler);
    fiber_still_end(scheduler);
    (void)fiber_sleep_until(scheduler, 1);
}

/* It would not even have waited. */
static void wait_while_still_and_canceled(void *argument)
{
    (void)argument;
    fiber_cancel(fiber_running(scheduler), SQLSTATE_QUERY_CANCELED,
                 "canceling statement due to user request");
    fiber_still_begin(scheduler);
    (void)fiber_wait(scheduler, &queue, FIBER_NO_DEADLINE);
}

static void close_while_still(void *argument)
{
    (void)argument;
    fiber_still_begin(scheduler);
    fiber_close_scope(scheduler, scope_open(root, "closed"));
}

static void end_while_still(void *argument)
{
    (void)argument;
    fiber_still_begin(scheduler);
}

static void end_while_shielded(void *argument)
{
    (void)argument;
    fiber_shield_begin(scheduler);
}

static void end_still_twice(void *argument)
{
    (void)argument;
    fiber_still_begin(scheduler);
    fiber_still_end(scheduler);
    fiber_still_end(scheduler);
}

static void end_shield_twice(void *argument)
{
    (void)argument;
    fiber_shield_begin(scheduler);
    fiber_shield_end(scheduler);
    fiber_shield_end(scheduler);
}

static void yield_within_big_stack(void *argument)
{
    (void)argument;
    fiber_yield(scheduler);
}

static void yield_on_big_stack(void *argument)
{
    (void)argument;
    fiber_call_on_big_stack(scheduler, yield_within_big_stack, NULL);
}

static void call_within_big_stack(void *argument)
{
    (void)argument;
    fiber_call_on_big_stack(scheduler, yield_within_big_stack, NULL);
}

static void nest_big_stack(void *argument)
{
    (void)argument;
    fiber_call_on_big_stack(scheduler, call_within_big_stack, NULL);
}

static void drive_within_a_fiber(void *argument)
{
    (void)argument;
    scheduler_run(scheduler, 1);
}

static void tick_within_a_fiber(void *argument)
{
    (void)argument;
    scheduler_tick(scheduler, 1);
}

static void abandon_within_a_fiber(void *argument)
{
    (void)argument;
    scheduler_abandon(scheduler);
}

static void cancel_for_no_reason(void *argument)
{
    (void)argument;
    fiber_cancel(fiber_running(scheduler), SQLSTATE_OK, "");
}

static const struct {
    void (*run)(void *argument);
    const char *words;
} sins[] = {
    {yield_while_still, "\"tested\" yields within fiber_still_begin()"},
    {wait_while_still, "\"tested\" yields within fiber_still_begin()"},
    {sleep_while_still, "\"tested\" yields within fiber_still_begin()"},
    {wait_while_still_and_canceled, "\"tested\" yields within fiber_still_begin()"},
    {close_while_still, "\"tested\" yields within fiber_still_begin()"},
    {end_while_still, "\"tested\" ended within fiber_still_begin()"},
    {end_while_shielded, "\"tested\" ended within fiber_shield_begin()"},
    {end_still_twice, "fiber_still_end() without its begin"},
    {end_shield_twice, "a shield ends that did not begin"},
    {yield_on_big_stack, "\"tested\" yields within fiber_still_begin()"},
    {nest_big_stack, "fiber_call_on_big_stack() within itself"},
    {drive_within_a_fiber, "scheduler_run() within a fiber"},
    {tick_within_a_fiber, "scheduler_tick() within a fiber"},
    {abandon_within_a_fiber, "scheduler_abandon() within a fiber"},
    {cancel_for_no_reason, "a fiber canceled for no reason"},
};

START_TEST(a_broken_rule_stops_the_process)
{
    ck_assert(unit_check_fails(run_alone, (void *)sins[_i].run, sins[_i].words));
}
END_TEST

static void wait_outside(void *argument)
{
    (void)argument;
    core_open();
    (void)fiber_sleep_until(scheduler, 1);
}

START_TEST(waiting_outside_a_fiber_stops_the_process)
{
    ck_assert(unit_check_fails(wait_outside, NULL, "a wait outside any fiber"));
}
END_TEST

static void close_below_fibers(void *argument)
{
    (void)argument;
    struct scope *whole = scope_open_root("whole", NULL), *lower = scope_open(whole, "lower");
    ck_assert_int_eq(scheduler_open(lower, NULL, &scheduler, &error), SQLSTATE_OK);
    start_in(whole, be_asleep, NULL);
    scope_close(lower);
}

START_TEST(closing_the_scheduler_under_living_fibers_stops_the_process)
{
    ck_assert(unit_check_fails(close_below_fibers, NULL, "a scheduler closes while 1 fibers have not ended"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("fiber");
    tcase_add_checked_fixture(tests, open_with_queue, core_close);
    tcase_add_test(tests, a_started_fiber_runs_at_a_later_turn_and_in_order);
    tcase_add_test(tests, the_running_fiber_is_known_inside_and_none_outside);
    tcase_add_test(tests, a_fiber_starts_fibers);
    tcase_add_test(tests, a_fiber_holds_its_scope_until_it_ended);
    tcase_add_test(tests, starting_many_fibers_in_one_scope_does_not_make_it_grow);
    tcase_add_test(tests, no_stack_to_be_had_is_53200_and_later_starts_work);
#ifndef UNIT_SANITIZED
    tcase_add_test(tests, the_fiber_beyond_the_limit_is_53400);
#endif
    tcase_add_test(tests, yielding_lets_every_other_ready_fiber_run_first);
    tcase_add_test(tests, yielding_is_no_cancellation_point);
    tcase_add_test(tests, a_wait_ends_when_woken);
    tcase_add_test(tests, a_wait_ends_at_its_deadline_and_not_before);
    tcase_add_test(tests, a_wait_ends_when_canceled);
    tcase_add_test(tests, a_deadline_that_has_passed_is_noticed_at_the_next_tick);
    tcase_add_test(tests, a_woken_fiber_does_not_time_out);
    tcase_add_test(tests, a_wake_is_not_lost_on_a_fiber_that_timed_out_or_was_canceled);
    tcase_add_test(tests, waking_goes_in_order_of_waiting);
    tcase_add_test(tests, whoever_waits_again_stands_behind_the_others);
    tcase_add_test(tests, sleepers_wake_in_order_of_their_deadlines_and_equals_in_order_of_coming);
    tcase_add_test(tests, a_fiber_canceled_before_it_ran_does_not_wait);
    tcase_add_test(tests, a_sleep_without_deadline_ends_when_canceled);
    tcase_add_test(tests, a_fiber_woken_and_then_canceled_reports_both_one_after_the_other);
    tcase_add_test(tests, a_cancellation_stays_with_its_first_reason_until_it_is_cleared);
    tcase_add_test(tests, a_shielded_wait_ends_as_if_nobody_had_canceled);
    tcase_add_loop_test(tests, a_scope_closes_at_every_wait_of_its_fiber, 0,
                        2 * sizeof places / sizeof *places);
    tcase_add_test(tests, a_fiber_started_in_a_closing_scope_is_canceled_from_the_start);
    tcase_add_test(tests, a_fiber_closes_the_scope_it_works_for);
    tcase_add_test(tests, closing_waits_until_the_last_hold_is_gone);
    tcase_add_test(tests, closing_what_nobody_holds_does_not_wait);
    tcase_add_test(tests, closing_is_not_cut_short_by_cancellation);
    tcase_add_test(tests, two_fibers_wait_for_the_same_scope_to_be_gone);
    tcase_add_loop_test(tests, a_broken_rule_stops_the_process, 0, sizeof sins / sizeof *sins);
    tcase_add_test(tests, waiting_outside_a_fiber_stops_the_process);
    tcase_add_test(tests, closing_the_scheduler_under_living_fibers_stops_the_process);
    tcase_add_test(tests, the_last_fiber_ends_the_scope_of_its_own_scheduler);
    return unit_run(tests);
}
