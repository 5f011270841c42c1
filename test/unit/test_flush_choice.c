/* The choice between the ring and the threads for durable writes, fed with made-up latencies: which path the
 * flushes take, how soon a change of load is heard, and what the tries cost. */
#include "base/linux/flush_choice.h"

#include "test/unit/unit.h"

#define MICROSECONDS 1000ULL
#define PAGE         4096

/* A machine on which each path takes the time set here. */
struct machine {
    struct flush_choice choice;
    uint64_t latency_ns[FLUSH_PATHS];
    uint64_t flushes[FLUSH_PATHS]; /* how often each path was taken */
    uint64_t total_ns;
    uint64_t tries_ns;
};

static void one_flush(struct machine *machine)
{
    struct flush_pick pick = flush_choice_pick(&machine->choice, PAGE);
    uint64_t latency = machine->latency_ns[pick.path];
    machine->flushes[pick.path]++;
    machine->total_ns += latency;
    if (pick.is_try)
        machine->tries_ns += latency;
    flush_choice_measured(&machine->choice, pick, PAGE, latency, true);
}

static void run(struct machine *machine, int flushes)
{
    machine->flushes[FLUSH_BY_RING] = machine->flushes[FLUSH_BY_THREAD] = 0;
    machine->total_ns = machine->tries_ns = 0;
    for (int i = 0; i < flushes; i++)
        one_flush(machine);
}

static struct machine machine_with(uint64_t ring_ns, uint64_t thread_ns, enum flush_path first)
{
    struct machine machine = {.latency_ns = {[FLUSH_BY_RING] = ring_ns, [FLUSH_BY_THREAD] = thread_ns}};
    flush_choice_init(&machine.choice, first, false);
    return machine;
}

START_TEST(finds_the_better_path_from_either_start)
{
    struct machine calm = machine_with(125 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_THREAD);
    run(&calm, 4 * FLUSH_SCORE_MIN);
    ck_assert_int_eq(calm.choice.present, FLUSH_BY_RING);
    struct machine busy = machine_with(4000 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_RING);
    run(&busy, 4 * FLUSH_SCORE_MIN);
    ck_assert_int_eq(busy.choice.present, FLUSH_BY_THREAD);
}
END_TEST

START_TEST(tries_cost_a_bounded_share_of_the_time)
{
    struct machine machine = machine_with(125 * MICROSECONDS, 4000 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 100); /* the start measures both and pays for it later */
    run(&machine, 100000);
    ck_assert_uint_gt(machine.flushes[FLUSH_BY_THREAD], 10);
    ck_assert_uint_le(machine.tries_ns, machine.total_ns / FLUSH_TRY_SHARE + 4000 * MICROSECONDS);
}
END_TEST

START_TEST(tries_that_cost_more_than_expected_leave_a_debt)
{
    struct machine machine = machine_with(125 * MICROSECONDS, 160 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 1000);
    machine.latency_ns[FLUSH_BY_THREAD] = 50000 * MICROSECONDS;
    run(&machine, 20000);
    ck_assert_uint_ge(machine.flushes[FLUSH_BY_THREAD], 1);
    ck_assert_uint_le(machine.tries_ns, machine.total_ns / FLUSH_TRY_SHARE + 50000 * MICROSECONDS);
}
END_TEST

START_TEST(hears_a_worsening_of_the_present_path_within_eight_flushes)
{
    struct machine machine = machine_with(125 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 1000);
    ck_assert_int_eq(machine.choice.present, FLUSH_BY_RING);
    machine.latency_ns[FLUSH_BY_RING] = 4000 * MICROSECONDS; /* now all processors are busy */
    run(&machine, 2 * FLUSH_SCORE_TRIM);
    ck_assert_int_eq(machine.choice.present, FLUSH_BY_THREAD);
}
END_TEST

START_TEST(hears_that_the_other_path_has_recovered)
{
    struct machine machine = machine_with(4000 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 1000);
    ck_assert_int_eq(machine.choice.present, FLUSH_BY_THREAD);
    machine.latency_ns[FLUSH_BY_RING] = 125 * MICROSECONDS; /* the processors are free again */
    run(&machine, 2000);                                    /* a third of a second */
    ck_assert_int_eq(machine.choice.present, FLUSH_BY_RING);
}
END_TEST

START_TEST(equal_paths_do_not_change_places)
{
    struct machine machine = machine_with(150 * MICROSECONDS, 130 * MICROSECONDS, FLUSH_BY_RING);
    for (int i = 0; i < 10000; i++) {
        /* Noise of +-10 % in opposite directions, in a pattern that no window averages out. */
        machine.latency_ns[FLUSH_BY_RING] = (i % 7 < 3 ? 150 : 130) * MICROSECONDS;
        machine.latency_ns[FLUSH_BY_THREAD] = (i % 5 < 2 ? 130 : 150) * MICROSECONDS;
        one_flush(&machine);
    }
    ck_assert_uint_eq(machine.choice.switches, 0);
}
END_TEST

/* A latency as a shared disk has them: a sum of many small delays, now and then a long one. */
static uint64_t noisy(uint64_t *state)
{
    uint64_t latency = 80 * MICROSECONDS;
    for (int i = 0; i < 4; i++)
        latency += unit_random_below(state, 40 * MICROSECONDS);
    if (unit_random_below(state, 50) == 0)
        latency += unit_random_below(state, 5000 * MICROSECONDS);
    return latency;
}

START_TEST(noisy_equal_paths_hardly_ever_change_places)
{
    struct machine machine = machine_with(1, 1, FLUSH_BY_RING);
    uint64_t state = 42;
    for (int i = 0; i < 100000; i++) {
        machine.latency_ns[FLUSH_BY_RING] = noisy(&state);
        machine.latency_ns[FLUSH_BY_THREAD] = noisy(&state);
        one_flush(&machine);
    }
    ck_assert_uint_le(machine.choice.switches, 20);
}
END_TEST

START_TEST(noise_does_not_hide_the_better_path)
{
    struct machine machine = machine_with(1, 1, FLUSH_BY_RING);
    uint64_t state = 42;
    for (int i = 0; i < 100000; i++) {
        machine.latency_ns[FLUSH_BY_RING] = noisy(&state) * 3 / 2;
        machine.latency_ns[FLUSH_BY_THREAD] = noisy(&state);
        one_flush(&machine);
    }
    ck_assert_uint_ge(machine.flushes[FLUSH_BY_THREAD], 95000);
}
END_TEST

START_TEST(one_hiccup_changes_nothing)
{
    struct machine machine = machine_with(125 * MICROSECONDS, 140 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 1000);
    for (int i = 0; i < 100; i++) {
        machine.latency_ns[FLUSH_BY_RING] = 20000 * MICROSECONDS;
        run(&machine, 1);
        machine.latency_ns[FLUSH_BY_RING] = 125 * MICROSECONDS;
        run(&machine, 20);
    }
    ck_assert_uint_eq(machine.choice.switches, 0);
}
END_TEST

START_TEST(frequent_hiccups_are_heard)
{
    struct machine machine = machine_with(125 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 1000);
    for (int i = 0; i < 40 && machine.choice.present == FLUSH_BY_RING; i++) {
        machine.latency_ns[FLUSH_BY_RING] = (i % 4 ? 125 : 4000) * MICROSECONDS;
        one_flush(&machine);
    }
    ck_assert_int_eq(machine.choice.present, FLUSH_BY_THREAD);
}
END_TEST

START_TEST(at_most_one_try_is_in_flight)
{
    struct flush_choice choice;
    flush_choice_init(&choice, FLUSH_BY_RING, false);
    for (int i = 0; i < FLUSH_SCORE_MIN; i++)
        flush_choice_measured(&choice, flush_choice_pick(&choice, PAGE), PAGE, 125 * MICROSECONDS, true);
    struct flush_pick try_one = flush_choice_pick(&choice, PAGE);
    ck_assert(try_one.is_try && try_one.path == FLUSH_BY_THREAD);
    for (int i = 0; i < 100; i++) {
        struct flush_pick pick = flush_choice_pick(&choice, PAGE);
        ck_assert(!pick.is_try && pick.path == FLUSH_BY_RING);
        flush_choice_measured(&choice, pick, PAGE, 125 * MICROSECONDS, true);
    }
    flush_choice_measured(&choice, try_one, PAGE, 0, false); /* it failed: says nothing, ends the try */
    ck_assert(flush_choice_pick(&choice, PAGE).is_try);
    ck_assert_uint_eq(flush_choice_score(&choice, FLUSH_BY_THREAD), 0);
}
END_TEST

START_TEST(large_flushes_neither_try_nor_count)
{
    struct machine machine = machine_with(125 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_RING);
    run(&machine, 1000);
    uint64_t score = flush_choice_score(&machine.choice, FLUSH_BY_RING);
    for (int i = 0; i < 1000; i++) {
        uint64_t bytes = 16 * 1024 * 1024;
        struct flush_pick pick = flush_choice_pick(&machine.choice, bytes);
        ck_assert(!pick.is_try && pick.path == FLUSH_BY_RING);
        flush_choice_measured(&machine.choice, pick, bytes, 9000 * MICROSECONDS, true);
    }
    ck_assert_uint_eq(flush_choice_score(&machine.choice, FLUSH_BY_RING), score);
}
END_TEST

START_TEST(a_fixed_choice_stays)
{
    struct machine machine = machine_with(4000 * MICROSECONDS, 170 * MICROSECONDS, FLUSH_BY_RING);
    flush_choice_init(&machine.choice, FLUSH_BY_RING, true);
    run(&machine, 1000);
    ck_assert_uint_eq(machine.flushes[FLUSH_BY_THREAD], 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("flush_choice");
    tcase_add_test(tests, finds_the_better_path_from_either_start);
    tcase_add_test(tests, tries_cost_a_bounded_share_of_the_time);
    tcase_add_test(tests, tries_that_cost_more_than_expected_leave_a_debt);
    tcase_add_test(tests, hears_a_worsening_of_the_present_path_within_eight_flushes);
    tcase_add_test(tests, hears_that_the_other_path_has_recovered);
    tcase_add_test(tests, equal_paths_do_not_change_places);
    tcase_add_test(tests, noisy_equal_paths_hardly_ever_change_places);
    tcase_add_test(tests, noise_does_not_hide_the_better_path);
    tcase_add_test(tests, one_hiccup_changes_nothing);
    tcase_add_test(tests, frequent_hiccups_are_heard);
    tcase_add_test(tests, at_most_one_try_is_in_flight);
    tcase_add_test(tests, large_flushes_neither_try_nor_count);
    tcase_add_test(tests, a_fixed_choice_stays);
    return unit_run(tests);
}
