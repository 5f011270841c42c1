/* Shares of a core in virtual time: time passes only when a fiber works, or when nobody may. */
#include "test/unit/one_core.h"

#include "base/limits.h"

#define US 1000U
#define MS (1000U * US)

static uint64_t now_ns, idle_ns, end_ns;

static uint64_t clock_now(void *argument)
{
    (void)argument;
    return now_ns;
}

static void share_open(void)
{
    core_open_with(&(struct scheduler_options){.clock = clock_now});
    now_ns = 1000 * MS;
    idle_ns = 0;
}

/* Drives the core until end_ns, as a loop does that never sleeps longer than to the next deadline, and then until all have
 * seen that it is over. */
static void drive(void)
{
    while (scheduler_fibers(scheduler)) {
        scheduler_tick(scheduler, now_ns);
        if (scheduler_ready(scheduler)) {
            scheduler_run(scheduler, 4);
            continue;
        }
        uint64_t next_ns = scheduler_next_deadline(scheduler);
        ck_assert_uint_ne(next_ns, FIBER_NO_DEADLINE);
        ck_assert_uint_gt(next_ns, now_ns);
        idle_ns += next_ns - now_ns;
        now_ns = next_ns;
    }
}

struct work {
    enum fiber_share share;
    uint64_t piece_ns; /* of core time, between two begins */
    uint64_t pause_ns; /* asleep after each */
    uint64_t used_ns;
    uint64_t latest_ns; /* the longest it took from a begin to its end, less what it used itself */
    uint64_t gap_ns;    /* the longest it was without the core within a piece */
    uint32_t pieces;
};

/* Works on pieces of `piece_ns`, in steps of 10 us. */
static void work_on(void *argument)
{
    struct work *work = argument;
    uint64_t wants_ns = now_ns; /* since when it could go on */
    while (now_ns < end_ns) {
        uint64_t began_ns = wants_ns, last_ns = wants_ns;
        fiber_share_begin(scheduler, work->share);
        for (uint64_t done = 0; done < work->piece_ns && now_ns < end_ns; done += 10 * US) {
            if (now_ns - last_ns > work->gap_ns)
                work->gap_ns = now_ns - last_ns;
            now_ns += 10 * US;
            last_ns = now_ns;
            work->used_ns += 10 * US;
            fiber_breathe(scheduler);
        }
        if (now_ns - began_ns > work->piece_ns && now_ns - began_ns - work->piece_ns > work->latest_ns)
            work->latest_ns = now_ns - began_ns - work->piece_ns;
        work->pieces++;
        fiber_share_begin(scheduler, work->share);
        wants_ns = now_ns;
        if (work->pause_ns) {
            wants_ns += work->pause_ns;
            ck_assert_int_eq(fiber_sleep_until(scheduler, wants_ns), FIBER_TIMED_OUT);
        }
    }
}

/* One statement that never ends, and what it is beside. */
static struct work statement(void)
{
    return (struct work){.share = FIBER_SHORT, .piece_ns = UINT64_MAX};
}

static uint64_t ran_ns;

static void play(uint64_t ns)
{
    end_ns = now_ns + ns;
    uint64_t began_ns = now_ns;
    drive();
    ran_ns = now_ns - began_ns;
}

static uint64_t percent(uint64_t part_ns)
{
    return part_ns * 100 / ran_ns;
}

START_TEST(long_work_alone_has_the_whole_core)
{
    struct work one = statement(), other = statement();
    start(work_on, &one);
    start(work_on, &other);
    play(200 * MS);
    ck_assert_uint_eq(idle_ns, 0);
    ck_assert_uint_eq(percent(one.used_ns + other.used_ns), 100);
    ck_assert_uint_ge(percent(one.used_ns), 49);
    ck_assert_uint_ge(percent(other.used_ns), 49);
}
END_TEST

START_TEST(beside_short_work_that_wants_everything_long_work_has_its_share)
{
    struct work analysis = statement(), question[3];
    start(work_on, &analysis);
    for (int i = 0; i < 3; i++) {
        question[i] = (struct work){.share = FIBER_SHORT, .piece_ns = 20 * US, .pause_ns = 30 * US};
        start(work_on, &question[i]);
    }
    play(1000 * MS);
    ck_assert_uint_ge(percent(analysis.used_ns), FIBER_LONG_PERCENT - 1);
    ck_assert_uint_le(percent(analysis.used_ns), FIBER_LONG_PERCENT + 1);
    /* It is never without the core for longer than its share takes to come round, and a little. */
    ck_assert_uint_le(analysis.gap_ns, 1 * MS);
}
END_TEST

START_TEST(the_share_can_be_set)
{
    struct work analysis = statement(), question = {.share = FIBER_SHORT, .piece_ns = 50 * US};
    scheduler_set_long_share(scheduler, 50);
    start(work_on, &analysis);
    question.pause_ns = 1;
    start(work_on, &question);
    play(1000 * MS);
    ck_assert_uint_ge(percent(analysis.used_ns), 49);
    ck_assert_uint_le(percent(analysis.used_ns), 51);
}
END_TEST

START_TEST(with_a_share_of_everything_long_work_never_rests)
{
    struct work analysis = statement(),
                question = {.share = FIBER_SHORT, .piece_ns = 20 * US, .pause_ns = 60 * US};
    scheduler_set_long_share(scheduler, 100);
    start(work_on, &analysis);
    start(work_on, &question);
    play(200 * MS);
    ck_assert_uint_eq(idle_ns, 0);
}
END_TEST

START_TEST(long_work_leaves_room_to_those_who_ask_short_questions)
{
    struct work analysis = statement(),
                question = {.share = FIBER_SHORT, .piece_ns = 20 * US, .pause_ns = 30 * US};
    start(work_on, &analysis);
    start(work_on, &question);
    play(1000 * MS);
    /* The question's client is outside: it has the core for 40 % at most, and a good part of the rest stays free. */
    ck_assert_uint_ge(percent(analysis.used_ns), FIBER_LONG_PERCENT - 1);
    ck_assert_uint_le(percent(analysis.used_ns), FIBER_LONG_PERCENT + 1);
    ck_assert_uint_ge(percent(idle_ns), 35);
}
END_TEST

START_TEST(few_short_questions_take_little_from_long_work)
{
    struct work analysis = statement(),
                question = {.share = FIBER_SHORT, .piece_ns = 20 * US, .pause_ns = 2 * MS};
    start(work_on, &analysis);
    start(work_on, &question);
    play(1000 * MS);
    ck_assert_uint_ge(percent(analysis.used_ns), 90);
    ck_assert_uint_ge(question.pieces, 450);
}
END_TEST

START_TEST(short_work_waits_for_a_stretch_of_long_work_and_no_more)
{
    struct work analysis[4], question = {.share = FIBER_SHORT, .piece_ns = 20 * US, .pause_ns = 700 * US};
    for (int i = 0; i < 4; i++) {
        analysis[i] = statement();
        start(work_on, &analysis[i]);
    }
    end_ns = now_ns + 500 * MS;
    for (int i = 0; i < 400; i++) /* until they have become long */
        scheduler_run(scheduler, 1);
    start(work_on, &question);
    play(500 * MS);
    ck_assert_uint_ge(question.pieces, 500);
    ck_assert_uint_le(question.latest_ns, FIBER_STRETCH_NS + 20 * US);
}
END_TEST

START_TEST(statements_one_after_another_do_not_hold_each_other_back)
{
    struct work analysis = {.share = FIBER_SHORT, .piece_ns = 5 * MS};
    start(work_on, &analysis);
    play(500 * MS);
    ck_assert_uint_eq(idle_ns, 0);
    ck_assert_uint_ge(analysis.pieces, 99);
    struct scheduler_totals totals;
    scheduler_totals(scheduler, &totals);
    ck_assert_uint_ge(totals.turned_long, 99);
}
END_TEST

START_TEST(the_node_s_own_work_goes_first_and_does_not_make_long_work_rest)
{
    struct work analysis = statement(), own = {.share = FIBER_OWN, .piece_ns = 40 * US, .pause_ns = 60 * US};
    start(work_on, &analysis);
    start(work_on, &own);
    play(500 * MS);
    ck_assert_uint_le(idle_ns, own.pause_ns); /* in the end, when it is alone */
    ck_assert_uint_le(own.latest_ns, 2 * (FIBER_STRETCH_NS + 10 * US));
}
END_TEST

/* ---- help from other fibers ---- */

static uint64_t helped_ns;
static enum fiber_share helped_as;

static void help(void *argument)
{
    (void)argument;
    fiber_share_help_begin(scheduler, helped_as);
    ck_assert_int_eq(fiber_share_now(scheduler), helped_as);
    for (int i = 0; i < 150; i++) {
        now_ns += 10 * US;
        fiber_breathe(scheduler);
    }
    helped_ns = fiber_share_help_end(scheduler);
    ck_assert_int_eq(fiber_share_now(scheduler), FIBER_OWN);
}

static void be_helped(void *argument)
{
    (void)argument;
    fiber_share_begin(scheduler, FIBER_SHORT);
    helped_as = fiber_share_now(scheduler);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(fiber_share_now(scheduler), FIBER_SHORT);
        ck_assert_int_eq(fiber_start(scheduler, root, "help", help, NULL, NULL, &error), SQLSTATE_OK);
        while (!helped_ns)
            fiber_yield(scheduler);
        fiber_share_add(scheduler, helped_ns);
        helped_ns = 0;
    }
    ck_assert_int_eq(fiber_share_now(scheduler), FIBER_LONG);
    fiber_share_begin(scheduler, FIBER_SHORT);
    ck_assert_int_eq(fiber_share_now(scheduler), FIBER_SHORT);
}

START_TEST(what_others_did_for_a_statement_counts_as_its_own)
{
    start(be_helped, NULL);
    drive();
    struct scheduler_totals totals;
    scheduler_totals(scheduler, &totals);
    ck_assert_uint_eq(totals.turned_long, 1);
}
END_TEST

START_TEST(help_for_long_work_is_long_from_the_start)
{
    struct work question = {.share = FIBER_SHORT, .piece_ns = 20 * US, .pause_ns = 30 * US};
    helped_ns = 0;
    helped_as = FIBER_LONG;
    end_ns = now_ns + 100 * MS;
    start(work_on, &question);
    start(help, NULL);
    drive();
    struct scheduler_totals totals;
    scheduler_totals(scheduler, &totals);
    ck_assert_uint_eq(totals.turned_long, 0);
    ck_assert_uint_ge(totals.long_ns, 1400 * US);
    ck_assert_uint_ge(helped_ns, 1400 * US);
}
END_TEST

/* ---- without a clock ---- */

static void begin_long(void *argument)
{
    fiber_share_begin(scheduler, FIBER_LONG);
    for (int i = 0; i < 3; i++) {
        note(*(const char *)argument);
        fiber_breathe(scheduler);
        fiber_yield(scheduler);
    }
}

START_TEST(without_a_clock_all_fibers_are_equal)
{
    core_close();
    core_open();
    start(begin_long, "a");
    start(begin_long, "b");
    run_all();
    ck_assert_str_eq(diary, "ababab");
    core_close();
    share_open();
}
END_TEST

START_TEST(fibers_of_long_work_can_be_forgotten)
{
    struct work analysis = statement();
    start(work_on, &analysis);
    end_ns = now_ns + 1000 * MS;
    for (int i = 0; i < 100; i++)
        scheduler_run(scheduler, 1);
    ck_assert_uint_gt(analysis.used_ns, FIBER_SHORT_NS);
    scheduler_abandon(scheduler);
    ck_assert(!scheduler_ready(scheduler));
    ck_assert_uint_eq(scheduler_next_deadline(scheduler), FIBER_NO_DEADLINE);
    scope_abandon_root(root);
    share_open();
}
END_TEST

static void begin_outside(void *argument)
{
    (void)argument;
    share_open();
    fiber_share_begin(scheduler, FIBER_SHORT);
}

static void share_of_nothing(void *argument)
{
    (void)argument;
    share_open();
    scheduler_set_long_share(scheduler, 0);
}

START_TEST(wrong_uses_stop_the_process)
{
    ck_assert(unit_check_fails(begin_outside, NULL, "a share begins outside any fiber"));
    ck_assert(unit_check_fails(share_of_nothing, NULL, "a share of 0 %"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("share");
    tcase_add_checked_fixture(tests, share_open, core_close);
    tcase_add_test(tests, long_work_alone_has_the_whole_core);
    tcase_add_test(tests, beside_short_work_that_wants_everything_long_work_has_its_share);
    tcase_add_test(tests, the_share_can_be_set);
    tcase_add_test(tests, with_a_share_of_everything_long_work_never_rests);
    tcase_add_test(tests, long_work_leaves_room_to_those_who_ask_short_questions);
    tcase_add_test(tests, few_short_questions_take_little_from_long_work);
    tcase_add_test(tests, short_work_waits_for_a_stretch_of_long_work_and_no_more);
    tcase_add_test(tests, statements_one_after_another_do_not_hold_each_other_back);
    tcase_add_test(tests, the_node_s_own_work_goes_first_and_does_not_make_long_work_rest);
    tcase_add_test(tests, what_others_did_for_a_statement_counts_as_its_own);
    tcase_add_test(tests, help_for_long_work_is_long_from_the_start);
    tcase_add_test(tests, without_a_clock_all_fibers_are_equal);
    tcase_add_test(tests, fibers_of_long_work_can_be_forgotten);
    tcase_add_test(tests, wrong_uses_stop_the_process);
    return unit_run(tests);
}
