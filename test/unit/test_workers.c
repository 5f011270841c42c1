/* Pools of threads that make blocking calls, with a core that is only an inbox: how many threads there are, in
 * which order work is done, and what the threads inherit from whoever started them. */
#include "base/linux/workers.h"
#include "base/scope.h"
#include "test/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the system's threads, made to fail (linked with --wrap) ---- */

static bool no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    return no_threads ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

/* ---- a core to come back to ---- */

/* A core that never runs: work comes back to its inbox, which the test drains. */
struct desk {
    struct scope *scope;
    struct linux_core core;
    struct workers *workers;
    sem_t may_go;        /* work that blocks waits for one of these */
    atomic_uint started; /* pieces of work that began to run */
    uint32_t landed;
    uint32_t order[64]; /* numbers in the order of landing */
};

struct piece {
    struct linux_landing landing;
    struct desk *desk;
    uint32_t number;
    cpu_set_t processors; /* of the thread that ran it */
    sigset_t blocked;
};

static void land(struct linux_core *core, struct linux_landing *landing)
{
    struct piece *piece = container_of(landing, struct piece, landing);
    struct desk *desk = piece->desk;
    ck_assert_ptr_eq(core, &desk->core);
    if (desk->landed < 64)
        desk->order[desk->landed] = piece->number;
    desk->landed++;
}

static void run_at_once(struct linux_landing *work)
{
    struct piece *piece = container_of(work, struct piece, landing);
    sched_getaffinity(0, sizeof piece->processors, &piece->processors);
    pthread_sigmask(SIG_SETMASK, NULL, &piece->blocked);
    linux_hand_back(&piece->desk->core, work);
}

static void run_when_allowed(struct linux_landing *work)
{
    struct piece *piece = container_of(work, struct piece, landing);
    atomic_fetch_add(&piece->desk->started, 1);
    sem_wait(&piece->desk->may_go);
    linux_hand_back(&piece->desk->core, work);
}

static void desk_open(struct desk *desk, uint32_t threads_max, void (*run)(struct linux_landing *work))
{
    struct workers_options options = {.name = "desk", .threads_max = threads_max, .run = run};
    struct error error = {0};
    *desk = (struct desk){.scope = scope_open_root("desk", NULL)};
    desk->core.wake_descriptor = eventfd(0, EFD_CLOEXEC);
    sem_init(&desk->may_go, 0, 0);
    ck_assert_msg(!workers_open(desk->scope, &options, &desk->workers, &error), "%s",
                  error_text(&error, ERROR_MESSAGE));
}

static void desk_close(struct desk *desk)
{
    workers_close(desk->workers);
    sem_destroy(&desk->may_go);
    close(desk->core.wake_descriptor);
    scope_close(desk->scope);
}

static struct piece *put(struct desk *desk, uint32_t number)
{
    struct piece *piece = scope_alloc_zeroed(desk->scope, sizeof *piece);
    *piece = (struct piece){.landing.land = land, .desk = desk, .number = number};
    workers_put(desk->workers, &piece->landing);
    return piece;
}

/* Sleeps as a core does until so much has landed. */
static void wait_for(struct desk *desk, uint32_t landed)
{
    while (linux_inbox_drain(&desk->core), desk->landed < landed) {
        uint64_t wakes;
        atomic_store(&desk->core.asleep, true);
        if (!atomic_load(&desk->core.inbox))
            ck_assert_int_eq(read(desk->core.wake_descriptor, &wakes, sizeof wakes), sizeof wakes);
        atomic_store(&desk->core.asleep, false);
    }
}

START_TEST(work_comes_back_to_its_core)
{
    struct desk desk;
    desk_open(&desk, 4, run_at_once);
    for (uint32_t i = 0; i < 1000; i++) {
        put(&desk, i);
        if (i % 10 == 9)
            wait_for(&desk, i + 1);
    }
    ck_assert_uint_eq(desk.landed, 1000);
    desk_close(&desk);
}
END_TEST

START_TEST(one_thread_does_work_in_order)
{
    struct desk desk;
    desk_open(&desk, 1, run_when_allowed);
    for (uint32_t i = 0; i < 64; i++)
        put(&desk, i);
    for (uint32_t i = 0; i < 64; i++)
        sem_post(&desk.may_go);
    wait_for(&desk, 64);
    for (uint32_t i = 0; i < 64; i++)
        ck_assert_uint_eq(desk.order[i], i);
    ck_assert_uint_eq(workers_threads(desk.workers), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(threads_are_added_while_others_block_up_to_the_maximum)
{
    struct desk desk;
    desk_open(&desk, 5, run_when_allowed);
    ck_assert_uint_eq(workers_threads(desk.workers), 1);
    for (uint32_t i = 0; i < 50; i++)
        put(&desk, i);
    ck_assert_uint_eq(workers_threads(desk.workers), 5);
    while (atomic_load(&desk.started) < 5) /* all five block at once */
        sched_yield();
    ck_assert_uint_eq(atomic_load(&desk.started), 5);
    for (uint32_t i = 0; i < 50; i++)
        sem_post(&desk.may_go);
    wait_for(&desk, 50);
    ck_assert_uint_eq(workers_threads(desk.workers), 5);
    desk_close(&desk);
}
END_TEST

START_TEST(no_thread_is_added_while_one_sleeps)
{
    struct desk desk;
    desk_open(&desk, 8, run_at_once);
    for (uint32_t i = 0; i < 200; i++) {
        while (workers_idle(desk.workers) == 0)
            sched_yield();
        put(&desk, i);
        wait_for(&desk, i + 1);
    }
    ck_assert_uint_eq(workers_threads(desk.workers), 1);
    desk_close(&desk);
}
END_TEST

/* A core's thread that was pinned, opens a pool and has it do something. */
static void *pinned_core(void *argument)
{
    struct desk *desk = argument;
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
    desk_open(desk, 2, run_at_once);
    struct piece *piece = put(desk, 0);
    wait_for(desk, 1);
    ck_assert(CPU_EQUAL(&piece->processors, &all));
    ck_assert_int_eq(sigismember(&piece->blocked, SIGTERM), 1);
    ck_assert_int_eq(sigismember(&piece->blocked, SIGINT), 1);
    desk_close(desk);
    return NULL;
}

START_TEST(threads_take_no_signals_and_are_not_pinned_with_their_core)
{
    struct desk desk;
    pthread_t core;
    ck_assert_int_eq(pthread_create(&core, NULL, pinned_core, &desk), 0);
    ck_assert_int_eq(pthread_join(core, NULL), 0);
}
END_TEST

START_TEST(a_pool_without_any_thread_is_refused)
{
    struct error error = {0};
    struct workers *workers;
    struct workers_options options = {.name = "desk", .threads_max = 1, .run = run_at_once};
    struct scope *scope = scope_open_root("desk", NULL);
    no_threads = true;
    ck_assert_int_eq(workers_open(scope, &options, &workers, &error), SQLSTATE_INSUFFICIENT_RESOURCES);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "could not start a worker thread: Resource temporarily unavailable");
    scope_close(scope);
}
END_TEST

START_TEST(a_pool_that_gets_no_further_thread_works_with_those_it_has)
{
    struct desk desk;
    desk_open(&desk, 8, run_at_once);
    no_threads = true;
    for (uint32_t i = 0; i < 100; i++)
        put(&desk, i);
    wait_for(&desk, 100);
    ck_assert_uint_eq(workers_threads(desk.workers), 1);
    desk_close(&desk);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("workers");
    tcase_add_test(tests, work_comes_back_to_its_core);
    tcase_add_test(tests, one_thread_does_work_in_order);
    tcase_add_test(tests, threads_are_added_while_others_block_up_to_the_maximum);
    tcase_add_test(tests, no_thread_is_added_while_one_sleeps);
    tcase_add_test(tests, threads_take_no_signals_and_are_not_pinned_with_their_core);
    tcase_add_test(tests, a_pool_without_any_thread_is_refused);
    tcase_add_test(tests, a_pool_that_gets_no_further_thread_works_with_those_it_has);
    return unit_run(tests);
}
