/* linux_run(): limits checked before anything starts, the choice of backend, signals, the report on a stack
 * that overflowed, cores that sleep. Whatever touches limits or signals happens in a process of its own. */
#include "base/linux/loop.h"
#include "test/unit/unit.h"

#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND 1000000U

static const struct linux_options plain = {
    .cores = 2, .memory_bytes = 1UL << 30, .connections_max = 100, .log_level = LOG_WARN};

static void nothing_main(struct world *world, void *argument)
{
    (void)world;
    (void)argument;
}

/* Runs and writes how it went to standard error: "failed STATE: message (hint)" or "ran". */
static void run_and_tell(const struct linux_options *options, const struct linux_tuning *tuning,
                         void (*core_main)(struct world *world, void *argument), void *argument)
{
    struct error error = {0};
    char state[6];
    enum sqlstate failed = linux_run_tuned(options, tuning, core_main, argument, &error);
    if (!failed) {
        fprintf(stderr, "ran\n");
        return;
    }
    sqlstate_text(failed, state);
    const char *hint = error_text(&error, ERROR_HINT);
    fprintf(stderr, "failed %s: %s (%s)\n", state, error_text(&error, ERROR_MESSAGE), hint ? hint : "");
}

/* Runs apart and gives what was said; asserts the exit status. */
static const char *said_apart(void (*run)(void *argument), void *argument, int status)
{
    static char said[16384];
    int got = unit_run_apart(run, argument, said, sizeof said);
    ck_assert_msg(got == status, "status %x, wanted %x; it said: %s", got, status, said);
    return said;
}

static void assert_says(const char *said, const char *words)
{
    ck_assert_msg(strstr(said, words), "\"%s\" is not in \"%s\"", words, said);
}

/* ---- limits ---- */

static void few_descriptors(void *argument)
{
    struct linux_options options = plain;
    (void)argument;
    options.connections_max = 5000;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){300, 900}), 0);
    run_and_tell(&options, &(struct linux_tuning){0}, nothing_main, NULL);
}

START_TEST(too_few_descriptors_are_refused_with_the_figure_they_must_be_raised_to)
{
    const char *said = said_apart(few_descriptors, NULL, 0);
    assert_says(said,
                "failed 53400: the limit of open files is 900, but 5000 connections on 2 cores need 5544");
    assert_says(said, "to 5544");
    assert_says(said, "RLIMIT_NOFILE");
}
END_TEST

static void soft_limit(void *argument)
{
    struct rlimit limit;
    (void)argument;
    getrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, limit.rlim_max}), 0);
    run_and_tell(&plain, &(struct linux_tuning){0}, nothing_main, NULL);
    getrlimit(RLIMIT_NOFILE, &limit);
    fprintf(stderr, "raised %d\n", limit.rlim_cur == limit.rlim_max);
}

START_TEST(the_soft_limit_is_raised_by_itself)
{
    const char *said = said_apart(soft_limit, NULL, 0);
    assert_says(said, "ran");
    assert_says(said, "raised 1");
}
END_TEST

/* Since Linux 6.14 rings are locked memory of users without CAP_IPC_LOCK; what the kernel says when asked
 * directly is what linux_run() must come to. */
static void little_locked_memory(void *argument)
{
    struct linux_options options = plain;
    enum linux_io *io = argument;
    options.io = *io;
    ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){4096, 4096}), 0);
    if (setgid(65534) || setuid(65534)) {
        fprintf(stderr, "kernel: cannot become nobody\n");
        return;
    }
    struct io_uring ring;
    int failed = io_uring_queue_init(1024, &ring, 0);
    if (!failed)
        io_uring_queue_exit(&ring);
    fprintf(stderr, "kernel: %s\n", failed == -ENOMEM ? "no memory" : failed ? "forbidden" : "rings for all");
    run_and_tell(&options, &(struct linux_tuning){0}, nothing_main, NULL);
}

START_TEST(too_little_locked_memory_is_refused_with_the_figure_it_must_be_raised_to)
{
    enum linux_io io = _i ? LINUX_IO_URING : LINUX_IO_AUTO;
    const char *said = said_apart(little_locked_memory, &io, 0);
    if (strstr(said, "kernel: no memory")) {
        assert_says(said,
                    "failed 53400: the limit of locked memory is 4096 bytes, but the rings of 2 cores need ");
        assert_says(said, "Raise the limit of locked memory (RLIMIT_MEMLOCK");
    } else if (strstr(said, "kernel: rings for all"))
        assert_says(said, "ran");
    else
        ck_assert_ptr_null(strstr(said, "53400"));
}
END_TEST

/* ---- the choice of backend ---- */

static void tell_io_main(struct world *world, void *argument)
{
    (void)argument;
    if (world->core == 0)
        fprintf(stderr, "io=%s\n", linux_io_name(world));
}

struct choice {
    enum linux_io io;
    uint32_t features_off;
};

static void choose(void *argument)
{
    const struct choice *choice = argument;
    struct linux_options options = plain;
    options.io = choice->io;
    run_and_tell(&options, &(struct linux_tuning){.features_off = choice->features_off}, tell_io_main, NULL);
}

START_TEST(without_io_uring_classic_takes_over_and_one_line_says_so)
{
    struct choice choice = {LINUX_IO_AUTO, LINUX_FEATURE_URING};
    const char *said = said_apart(choose, &choice, 0);
    assert_says(said, "io=classic");
    const char *line = strstr(said, "event=io_classic");
    ck_assert_ptr_nonnull(line);
    assert_says(line, "could not set up io_uring: Operation not permitted");
    ck_assert_ptr_null(strstr(line + 1, "event=io_classic"));
}
END_TEST

START_TEST(io_uring_or_nothing_fails_with_0A000_where_it_is_forbidden)
{
    struct choice choice = {LINUX_IO_URING, LINUX_FEATURE_URING};
    const char *said = said_apart(choose, &choice, 0);
    assert_says(said, "failed 0A000: could not set up io_uring: Operation not permitted");
    assert_says(said, "kernel.io_uring_disabled");
}
END_TEST

START_TEST(classic_is_used_when_asked_for_and_says_nothing)
{
    struct choice choice = {LINUX_IO_CLASSIC, 0};
    const char *said = said_apart(choose, &choice, 0);
    assert_says(said, "io=classic");
    ck_assert_ptr_null(strstr(said, "event="));
}
END_TEST

/* ---- signals ---- */

static void stop_main(struct world *world, void *argument)
{
    (void)argument;
    if (world->core == 1)
        kill(getpid(), SIGTERM);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN); /* and it stays so */
    fprintf(stderr, "core %u stops\n", world->core);
}

static void run_until_stopped(void *argument)
{
    struct linux_options options = plain;
    options.catch_signals = true;
    options.io = *(enum linux_io *)argument;
    run_and_tell(&options, &(struct linux_tuning){0}, stop_main, NULL);
    struct sigaction now;
    sigset_t mask;
    sigaction(SIGPIPE, NULL, &now);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    fprintf(stderr, "restored %d\n", now.sa_handler == SIG_DFL && !sigismember(&mask, SIGTERM));
}

static enum linux_io io_of(int index)
{
    return index ? LINUX_IO_CLASSIC : LINUX_IO_AUTO;
}

START_TEST(sigterm_asks_all_cores_to_stop)
{
    enum linux_io io = io_of(_i);
    const char *said = said_apart(run_until_stopped, &io, 0);
    assert_says(said, "core 0 stops");
    assert_says(said, "core 1 stops");
    assert_says(said, "ran");
    assert_says(said, "restored 1");
}
END_TEST

static void deaf_main(struct world *world, void *argument)
{
    (void)argument;
    if (world->core == 1)
        kill(getpid(), SIGINT);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
    if (world->core == 0) {
        fprintf(stderr, "stop was heard\n");
        kill(getpid(), SIGTERM);
    }
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, FIBER_NO_DEADLINE), FIBER_TIMED_OUT);
}

static void run_deaf(void *argument)
{
    struct linux_options options = plain;
    options.catch_signals = true;
    options.io = *(enum linux_io *)argument;
    run_and_tell(&options, &(struct linux_tuning){0}, deaf_main, NULL);
}

START_TEST(a_second_signal_ends_the_process_at_once)
{
    enum linux_io io = io_of(_i);
    const char *said = said_apart(run_deaf, &io, (128 + SIGTERM) << 8);
    assert_says(said, "stop was heard");
    ck_assert_ptr_null(strstr(said, "ran"));
}
END_TEST

static void stop_by_world_main(struct world *world, void *argument)
{
    (void)argument;
    if (world->core == 1)
        world_stop(world);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
}

START_TEST(a_core_may_stop_the_node)
{
    struct linux_options options = plain;
    struct error error = {0};
    options.io = io_of(_i);
    ck_assert_int_eq(linux_run(&options, stop_by_world_main, NULL, &error), SQLSTATE_OK);
}
END_TEST

/* ---- bad memory accesses ---- */

static int fall(int depth)
{
    volatile char frame[512];
    frame[depth % 512] = (char)depth;
    return depth < 0 ? 0 : fall(depth + 1) + frame[0];
}

static void falling_fiber(void *argument)
{
    *(volatile int *)argument = fall(0);
}

static void overflow_main(struct world *world, void *argument)
{
    struct error error;
    static int result;
    (void)argument;
    if (world->core == 1)
        ck_assert_int_eq(fiber_start(world->scheduler, world->scope, "plan the impossible", falling_fiber,
                                     &result, NULL, &error),
                         SQLSTATE_OK);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
}

static void run_overflow(void *argument)
{
    struct linux_options options = plain;
    (void)argument;
    options.catch_signals = true;
    run_and_tell(&options, &(struct linux_tuning){0}, overflow_main, NULL);
}

START_TEST(a_stack_overflow_names_the_fiber_and_stops)
{
    const char *said = said_apart(run_overflow, NULL, SIGABRT);
    assert_says(said, "fatal: stack overflow at 0x");
    assert_says(said, " in fiber \"plan the impossible\" of core 1, build ");
    assert_says(said, "test_run("); /* the backtrace */
}
END_TEST

static void wild_main(struct world *world, void *argument)
{
    (void)argument;
    if (world->core == 0)
        *(volatile int *)0x1000 = 1;
}

static void run_wild(void *argument)
{
    struct linux_options options = plain;
    (void)argument;
    options.catch_signals = true;
    run_and_tell(&options, &(struct linux_tuning){0}, wild_main, NULL);
}

START_TEST(a_wild_write_is_told_apart_from_an_overflow)
{
    const char *said = said_apart(run_wild, NULL, SIGABRT);
    assert_says(said, "fatal: invalid memory access at 0x1000 in fiber \"main\" of core 0");
}
END_TEST

/* ---- sleeping and waking ---- */

static void idle_main(struct world *world, void *argument)
{
    (void)argument;
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 500 * MILLISECOND),
                     FIBER_TIMED_OUT);
}

static uint64_t processor_time_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
}

/* Processor time, so that other load does not matter. Starting and ending take a few milliseconds of it. */
START_TEST(idle_cores_sleep)
{
    struct linux_options options = plain;
    struct error error = {0};
    options.io = io_of(_i);
    uint64_t before_ns = processor_time_ns();
    ck_assert_int_eq(linux_run(&options, idle_main, NULL, &error), SQLSTATE_OK);
    ck_assert_uint_lt(processor_time_ns() - before_ns, 200 * MILLISECOND);
}
END_TEST

#define LETTERS 2000

struct letter {
    struct mail mail;
    uint64_t number;
};

static void letter_deliver(struct world *here, struct mail *mail)
{
    container_of(mail, struct letter, mail)->number += 1;
    mail_return(here, mail);
}

/* Every core writes to the next one, waits for the answer, and sometimes sleeps so long that both do. */
static void letters_main(struct world *world, void *argument)
{
    struct error error;
    uint64_t seed = world->core;
    atomic_uint *writing = argument;
    struct letter *letter = scope_alloc_zeroed(world->scope, sizeof *letter);
    letter->mail.deliver = letter_deliver;
    for (uint64_t i = 0; i < LETTERS; i++) {
        ck_assert_int_eq(
            mail_call(world, world->scope, (world->core + 1) % world->cores, &letter->mail, &error),
            SQLSTATE_OK);
        if (letter->number != i + 1)
            ck_abort_msg("letter %lu came back %lu times", (unsigned long)i, (unsigned long)letter->number);
        if (unit_random_below(&seed, 50) == 0)
            (void)fiber_sleep_until(world->scheduler, world_now(world) + MILLISECOND);
    }
    /* Until all are done: a world that has ended takes no mail. */
    if (atomic_fetch_sub(writing, 1) == 1)
        world_stop(world);
    ck_assert_int_eq(world_wait_stop(world, FIBER_NO_DEADLINE), FIBER_WOKEN);
}

START_TEST(mail_wakes_sleeping_cores)
{
    struct linux_options options = plain;
    struct error error = {0};
    options.io = io_of(_i);
    options.cores = 4;
    atomic_uint writing = options.cores;
    ck_assert_int_eq(linux_run(&options, letters_main, &writing, &error), SQLSTATE_OK);
}
END_TEST

struct landing_test {
    struct linux_landing landing;
    struct linux_core *core;
    struct fiber_queue waiter;
    uint64_t landed;
    pthread_t thread;
};

static void note_landing(struct linux_core *core, struct linux_landing *landing)
{
    struct landing_test *test = container_of(landing, struct landing_test, landing);
    (void)core;
    test->landed++;
    fiber_wake_all(&test->waiter);
}

static void *hand_back(void *argument)
{
    struct landing_test *test = argument;
    linux_hand_back(test->core, &test->landing);
    return NULL;
}

static void landings_main(struct world *world, void *argument)
{
    struct landing_test *test = scope_alloc_zeroed(world->scope, sizeof *test);
    (void)argument;
    test->core = linux_core_of(world);
    test->landing.land = note_landing;
    fiber_queue_init(&test->waiter);
    for (uint64_t i = 1; i <= 200; i++) {
        ck_assert_int_eq(pthread_create(&test->thread, NULL, hand_back, test), 0);
        while (test->landed != i)
            ck_assert_int_eq(fiber_wait(world->scheduler, &test->waiter, FIBER_NO_DEADLINE), FIBER_WOKEN);
        pthread_join(test->thread, NULL);
    }
}

START_TEST(what_a_thread_hands_back_wakes_its_core)
{
    struct linux_options options = plain;
    struct error error = {0};
    options.io = io_of(_i);
    ck_assert_int_eq(linux_run(&options, landings_main, NULL, &error), SQLSTATE_OK);
}
END_TEST

/* ---- small things ---- */

static void world_main(struct world *world, void *argument)
{
    uint8_t one[64] = {0}, other[64] = {0};
    (void)argument;
    uint64_t before_ns = world_now(world);
    ck_assert_uint_ge(before_ns, world->now_ns);
    ck_assert_int_gt(world_wall(world), 1600000000LL * 1000000);
    world_random(world, one, sizeof one);
    world_random(world, other, sizeof other);
    ck_assert_mem_ne(one, other, sizeof one);
    ck_assert_uint_eq(world->cores, 3);
    ck_assert_int_eq(world_wait_stop(world, before_ns + MILLISECOND), FIBER_TIMED_OUT);
    ck_assert_uint_ge(world_now(world), before_ns + MILLISECOND);
}

START_TEST(a_pinned_world_tells_time_and_draws_numbers)
{
    struct linux_options options = plain;
    struct error error = {0};
    options.cores = 3;
    options.pin = true;
    ck_assert_int_eq(linux_run(&options, world_main, NULL, &error), SQLSTATE_OK);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("run");
    tcase_add_test(tests, too_few_descriptors_are_refused_with_the_figure_they_must_be_raised_to);
    tcase_add_test(tests, the_soft_limit_is_raised_by_itself);
    tcase_add_loop_test(tests, too_little_locked_memory_is_refused_with_the_figure_it_must_be_raised_to, 0,
                        2);
    tcase_add_test(tests, without_io_uring_classic_takes_over_and_one_line_says_so);
    tcase_add_test(tests, io_uring_or_nothing_fails_with_0A000_where_it_is_forbidden);
    tcase_add_test(tests, classic_is_used_when_asked_for_and_says_nothing);
    tcase_add_loop_test(tests, sigterm_asks_all_cores_to_stop, 0, 2);
    tcase_add_loop_test(tests, a_second_signal_ends_the_process_at_once, 0, 2);
    tcase_add_loop_test(tests, a_core_may_stop_the_node, 0, 2);
    tcase_add_test(tests, a_stack_overflow_names_the_fiber_and_stops);
    tcase_add_test(tests, a_wild_write_is_told_apart_from_an_overflow);
    tcase_add_loop_test(tests, idle_cores_sleep, 0, 2);
    tcase_add_loop_test(tests, mail_wakes_sleeping_cores, 0, 2);
    tcase_add_loop_test(tests, what_a_thread_hands_back_wakes_its_core, 0, 2);
    tcase_add_test(tests, a_pinned_world_tells_time_and_draws_numbers);
    return unit_run(tests);
}
