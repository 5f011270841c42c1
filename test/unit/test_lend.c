/* Sleeping cores that are run by the thread that has mail for them (base/linux/lend.c). */
#include "base/linux/uring.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND 1000000000UL

/* More than a ring has places for submissions. */
#define READS (URING_SUBMISSIONS + 200)

static struct error error;

#define OK(call)                                                   \
    do {                                                           \
        enum sqlstate ok_state = (call);                           \
        if (ok_state)                                              \
            ck_abort_msg("%s", error_text(&error, ERROR_MESSAGE)); \
    } while (0)

/* What core 0 asks of core 1, which does nothing but that. */
struct visit {
    struct mail mail;
    struct world *there;
    void (*work)(struct visit *visit);
    pthread_t thread; /* that ran the work */
};

struct play {
    void (*work)(struct visit *visit);
    const char *path; /* of a file that core 1 has open, or NULL */
    struct file *file;
    void (*after)(struct visit *visit);
    uint32_t foreign; /* visits that core 0's thread ran itself */
    pthread_t thread_0;
    _Atomic(pthread_t) thread_1;
};

static struct play play;

/* The thread that runs now. A fiber may be on another one after it has waited, which the compiler must not overlook. */
static __attribute__((noinline)) pthread_t thread_now(void)
{
    __asm__ volatile("" ::: "memory");
    return pthread_self();
}

static void run_visit(void *argument)
{
    struct visit *visit = argument;
    visit->work(visit);
    mail_return(visit->there, &visit->mail);
}

static void visit_delivered(struct world *here, struct mail *mail)
{
    struct visit *visit = container_of(mail, struct visit, mail);
    visit->there = here;
    OK(fiber_start(here->scheduler, here->scope, "visit", run_visit, visit, NULL, &error));
}

/* Core 1 sleeps sooner or later, so visits go on until core 0's thread has run a few of them. */
static void run_core(struct world *world, void *argument)
{
    (void)argument;
    if (world->core == 1) {
        if (play.path)
            OK(disk_open(world, world->scope, play.path, DISK_READ_ONLY, &play.file, &error));
        atomic_store(&play.thread_1, thread_now());
        (void)world_wait_stop(world, FIBER_NO_DEADLINE);
        return;
    }
    play.thread_0 = thread_now(); /* core 1 has nothing for it yet */
    while (!atomic_load(&play.thread_1))
        (void)fiber_sleep_until(world->scheduler, world_now(world) + SECOND / 1000);
    uint64_t until_ns = world_now(world) + 60 * SECOND;
    while (play.foreign < 20) {
        ck_assert_msg(world_now(world) < until_ns, "core 1 was never run by the thread of core 0");
        struct visit visit = {.mail = {.deliver = visit_delivered}, .work = play.work};
        OK(mail_call(world, world->scope, 1, &visit.mail, &error));
        bool known = visit.thread == play.thread_0 || visit.thread == atomic_load(&play.thread_1);
        ck_assert_msg(known, "a third thread ran a core");
        if (play.after)
            play.after(&visit);
        else
            play.foreign += visit.thread == play.thread_0;
        (void)fiber_sleep_until(world->scheduler, world_now(world) + SECOND / 5000);
    }
    world_stop(world);
}

static void run(void (*work)(struct visit *visit), void (*after)(struct visit *visit))
{
    struct linux_options options = {.cores = 2,
                                    .io = LINUX_IO_URING,
                                    .memory_bytes = 1UL << 30,
                                    .connections_max = 10,
                                    .log_level = LOG_WARN};
    play.work = work;
    play.after = after;
    enum sqlstate failed = linux_run(&options, run_core, NULL, &error);
    ck_assert_msg(!failed, "%s", failed ? error_text(&error, ERROR_MESSAGE) : "");
}

static void note_thread(struct visit *visit)
{
    visit->thread = thread_now();
}

START_TEST(a_sleeping_core_is_run_by_who_has_mail_for_it)
{
    run(note_thread, NULL);
}
END_TEST

static bool was_foreign;

static void go_home(struct visit *visit)
{
    was_foreign = thread_now() != atomic_load(&play.thread_1);
    world_home(visit->there);
    visit->thread = thread_now();
}

static void is_home(struct visit *visit)
{
    ck_assert(visit->thread == atomic_load(&play.thread_1));
    play.foreign += was_foreign;
}

START_TEST(who_wants_to_go_home_is_run_by_the_cores_own_thread)
{
    run(go_home, is_home);
}
END_TEST

/* Reads more at a time than the ring takes, then waits for them: by then its own thread has it. */
static void read_much(struct visit *visit)
{
    static struct disk_transfer reads[READS];
    static char bytes[READS];
    struct world *world = visit->there;
    visit->thread = thread_now();
    for (size_t i = 0; i < READS; i++)
        reads[i] = (struct disk_transfer){.file = play.file, .data = bytes + i, .size = 1, .offset = i};
    OK(disk_read_many(world, world->scope, reads, READS, &error));
    for (size_t i = 0; i < READS; i++)
        ck_assert_int_eq(bytes[i], (char)i);
}

START_TEST(a_lent_core_can_submit_more_than_its_ring_holds)
{
    char path[] = "/tmp/synod-lend-XXXXXX";
    int descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    for (size_t i = 0; i < READS; i++)
        ck_assert_int_eq(write(descriptor, &(char){(char)i}, 1), 1);
    close(descriptor);
    play.path = path;
    run(read_much, NULL);
    unlink(path);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("lend");
    tcase_add_test(tests, a_sleeping_core_is_run_by_who_has_mail_for_it);
    tcase_add_test(tests, who_wants_to_go_home_is_run_by_the_cores_own_thread);
    tcase_add_test(tests, a_lent_core_can_submit_more_than_its_ring_holds);
    tcase_set_timeout(tests, 120);
    return unit_run(tests);
}
