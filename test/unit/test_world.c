/* The worlds of base/linux: the conformance suite (test/world/) on each of them, and what only a real system
 * can do to them. Every case runs in a process of its own, with a directory of its own. */
#include "base/linux/loop.h"
#include "base/scope.h"
#include "test/unit/unit.h"
#include "test/world/cases.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A way to run a world. */
struct variant {
    const char *name;
    const char *io_name;
    enum linux_io io;
    enum linux_flush flush;
    uint32_t features_off;
};

static const struct variant variants[] = {
    {"classic", "classic", LINUX_IO_CLASSIC, LINUX_FLUSH_AUTO, 0},
    {"uring_now", "io_uring", LINUX_IO_URING, LINUX_FLUSH_RING, 0},
    /* As on Linux 5.15, the oldest we run on. */
    {"uring_5_15", "io_uring", LINUX_IO_URING, LINUX_FLUSH_THREAD,
     LINUX_FEATURE_SINGLE_ISSUER | LINUX_FEATURE_DEFER_TASKRUN | LINUX_FEATURE_COOP_TASKRUN |
         LINUX_FEATURE_MULTISHOT_ACCEPT | LINUX_FEATURE_MULTISHOT_RECEIVE | LINUX_FEATURE_QUIET_SEND},
};

struct linux_place {
    struct world_place place; /* first: what the shared cases see */
    const struct variant *variant;
};

/* ---- what only a real system does ---- */

static void world_is_the_one_asked_for(struct world *world, void *place)
{
    ck_assert_str_eq(linux_io_name(world), ((struct linux_place *)place)->variant->io_name);
}

/* /dev/full is a disk without room. */
static void full_disk_is_53100(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    uint8_t *data = memory_of(world->scope, DISK_ALIGNMENT);
    memset(data, 1, DISK_ALIGNMENT);
    must(disk_open(world, world->scope, "/dev/full", 0, &file, &error), &error);
    must_fail("53100", disk_write(world, world->scope, file, data, 100, 0, &error), &error);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "could not write file \"/dev/full\": No space left on device");
    must_fail("53100", disk_write_durable(world, world->scope, file, data, 100, 0, &error), &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "/dev/full"));
}

/* A limit on the size of files stands for a quota: what does not fit fails with EFBIG. */
static void file_beyond_the_limit_is_53100(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    uint8_t *data = memory_of(world->scope, 2 << 20);
    size_t done;
    memset(data, 7, 2 << 20);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20}), 0);
    must(disk_open(world, world->scope, path_in(world, place, "a"), DISK_CREATE, &file, &error), &error);
    must_fail("53100", disk_write(world, world->scope, file, data, 2 << 20, 0, &error), &error);
    must_fail("53100", disk_write_durable(world, world->scope, file, data, 100, 1 << 20, &error), &error);
    must_fail("53100", disk_allocate(world, world->scope, file, 0, 2 << 20, &error), &error);
    must_fail("53100", disk_truncate(world, world->scope, file, 2 << 20, &error), &error);
    /* What fits still goes. */
    must(disk_write_durable(world, world->scope, file, data, 100, 0, &error), &error);
    must(disk_read(world, world->scope, file, data, 100, 0, &done, &error), &error);
    ck_assert_uint_eq(done, 100);
}

/* No page is mapped at address 0, and reading it as a file is an I/O error. */
static void failing_device_is_58030(struct world *world, void *place)
{
    struct error error = {0};
    struct file *broken, *sound;
    uint8_t data[3][100];
    size_t done;
    must(disk_open(world, world->scope, "/proc/self/mem", DISK_READ_ONLY, &broken, &error), &error);
    must_fail("58030", disk_read(world, world->scope, broken, data[0], 100, 0, &done, &error), &error);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "could not read file \"/proc/self/mem\": Input/output error");
    /* One bad transfer among good ones is found. */
    must(disk_open(world, world->scope, path_in(world, place, "a"), DISK_CREATE, &sound, &error), &error);
    must(disk_write(world, world->scope, sound, "sound", 5, 0, &error), &error);
    struct disk_transfer transfers[3] = {
        {.file = sound, .data = data[0], .size = 100},
        {.file = broken, .data = data[1], .size = 100},
        {.file = sound, .data = data[2], .size = 100},
    };
    must_fail("58030", disk_read_many(world, world->scope, transfers, 3, &error), &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "/proc/self/mem"));
}

/* A file that cannot be synced: the write succeeds, and the sync's failure must not be lost. */
static void failing_sync_is_told(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    must(disk_open(world, world->scope, "/dev/null", 0, &file, &error), &error);
    must(disk_write(world, world->scope, file, "x", 1, 0, &error), &error);
    must_fail("58000", disk_sync(world, world->scope, file, &error), &error);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "could not sync file \"/dev/null\": Invalid argument");
    must_fail("58000", disk_write_durable(world, world->scope, file, "x", 1, 0, &error), &error);
}

static void directory_is_no_file(struct world *world, void *place)
{
    struct error error = {0};
    struct file *file;
    const char *directory = ((struct world_place *)place)->directory;
    ck_assert_int_ne(disk_open(world, world->scope, directory, 0, &file, &error), SQLSTATE_OK);
    ck_assert_int_ne(disk_open(world, world->scope, directory, DISK_READ_ONLY, &file, &error), SQLSTATE_OK);
}

static struct sockaddr_in native_loopback(uint16_t port)
{
    struct sockaddr_in native = {.sin_family = AF_INET, .sin_port = htons(port)};
    native.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return native;
}

/* Listens with a queue so short that the next connection waits for ever: a peer that does not answer. */
static struct net_address silent_peer(void)
{
    struct sockaddr_in native = native_loopback(0);
    socklen_t length = sizeof native;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&native, sizeof native), 0);
    ck_assert_int_eq(listen(listening, 0), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&native, &length), 0);
    int queued = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(queued, (struct sockaddr *)&native, sizeof native), 0);
    struct net_address address;
    ck_assert(net_address_parse("127.0.0.1", &address));
    address.port = ntohs(native.sin_port);
    return address;
}

static void connect_to_silent_peer(struct task *task)
{
    struct stream *stream;
    task->failed =
        net_connect(task->world, task->world->scope, task->with, FIBER_NO_DEADLINE, &stream, &task->error);
}

static void connecting_times_out_and_is_cancelable(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address = silent_peer();
    struct stream *stream;
    struct task connecting;
    uint64_t deadline_ns = world_now(world) + 20 * MILLISECOND;
    must_fail("08006", net_connect(world, world->scope, &address, deadline_ns, &stream, &error), &error);
    ck_assert_uint_ge(world_now(world), deadline_ns);
    task_cancel_waiting(&connecting, world, world->scope, connect_to_silent_peer, &address);
    /* Closing the scope the stream was to be in ends the attempt, too. */
    struct scope *scope = scope_open(world->scope, "attempt");
    task_start(&connecting, world, scope, connect_to_silent_peer, &address);
    fiber_yield(world->scheduler);
    ck_assert(!connecting.over.happened);
    fiber_close_scope(world->scheduler, scope);
    ck_assert(connecting.over.happened);
    must_fail("57P01", connecting.failed, &connecting.error);
}

/* Opens descriptors until there is none left. */
static size_t take_all_descriptors(int *taken, size_t room)
{
    size_t count = 0;
    for (; count < room; count++) {
        taken[count] = open("/dev/null", O_RDONLY);
        if (taken[count] < 0)
            break;
    }
    ck_assert_uint_lt(count, room);
    ck_assert_int_eq(errno, EMFILE);
    return count;
}

static void connection_without_descriptor_is_refused_with_53300(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address;
    struct net_handover connection;
    struct listener *listener;
    static int taken[512];
    uint8_t byte;
    ck_assert(net_address_parse("127.0.0.1", &address));
    address.port = 0;
    must(net_listen(world, world->scope, &address, &listener, &address, &error), &error);
    struct sockaddr_in native = native_loopback(address.port);
    int refused = socket(AF_INET, SOCK_STREAM, 0), accepted = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){256, 4096}), 0);
    size_t count = take_all_descriptors(taken, sizeof taken / sizeof *taken);
    ck_assert_int_eq(connect(refused, (struct sockaddr *)&native, sizeof native), 0);
    must_fail("53300", net_accept(world, listener, &connection, patience(world), &error), &error);
    ck_assert_ptr_nonnull(error_text(&error, ERROR_HINT));
    ck_assert_int_le(recv(refused, &byte, 1, 0), 0); /* its end, and it did not wait in vain */
    while (count)
        close(taken[--count]);
    ck_assert_int_eq(connect(accepted, (struct sockaddr *)&native, sizeof native), 0);
    must(net_accept(world, listener, &connection, patience(world), &error), &error);
    net_discard(world, &connection);
    close(refused);
    close(accepted);
}

#define IDLE 100

/* One of many connections that once had something to say. */
struct idler {
    struct task task;
    struct stream *stream;
    struct event heard;
};

static void listen_on(struct task *task)
{
    struct idler *idler = task->with;
    struct bytes view;
    for (;;) {
        task->failed = stream_receive(idler->stream, &view, FIBER_NO_DEADLINE, &task->error);
        if (task->failed || !view.size)
            return;
        event_happens(&idler->heard);
    }
}

/* A connection has a receive buffer while its view is in use, and none while it waits. */
static void idle_connections_pin_no_buffer(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address;
    struct net_handover connection;
    struct listener *listener;
    struct idler *idlers = memory_of(world->scope, IDLE * sizeof *idlers);
    int client[IDLE];
    ck_assert(net_address_parse("127.0.0.1", &address));
    address.port = 0;
    must(net_listen(world, world->scope, &address, &listener, &address, &error), &error);
    struct sockaddr_in native = native_loopback(address.port);
    size_t used = 0;
    for (int i = 0; i < IDLE; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(client[i], (struct sockaddr *)&native, sizeof native), 0);
        must(net_accept(world, listener, &connection, patience(world), &error), &error);
        must(net_adopt(world, world->scope, &connection, &idlers[i].stream, &error), &error);
        event_init(&idlers[i].heard, world);
        task_start(&idlers[i].task, world, world->scope, listen_on, &idlers[i]);
        ck_assert_int_eq(write(client[i], "hello", 5), 5);
        event_wait(&idlers[i].heard);
        if (i == 0) /* the first has made the core take what it keeps for all */
            used = linux_core_of(world)->budget.used;
    }
    ck_assert_uint_le(linux_core_of(world)->budget.used, used + IDLE * 2048);
    for (int i = 0; i < IDLE; i++) {
        close(client[i]);
        task_join(&idlers[i].task);
        must(idlers[i].task.failed, &idlers[i].task.error);
    }
}

static const struct world_case linux_cases[] = {
    {"world_is_the_one_asked_for", 1, world_is_the_one_asked_for},
    {"full_disk_is_53100", 1, full_disk_is_53100},
    {"file_beyond_the_limit_is_53100", 1, file_beyond_the_limit_is_53100},
    {"failing_device_is_58030", 1, failing_device_is_58030},
    {"failing_sync_is_told", 1, failing_sync_is_told},
    {"directory_is_no_file", 1, directory_is_no_file},
    {"connecting_times_out_and_is_cancelable", 1, connecting_times_out_and_is_cancelable},
    {"connection_without_descriptor_is_refused_with_53300", 1,
     connection_without_descriptor_is_refused_with_53300},
    {"idle_connections_pin_no_buffer", 1, idle_connections_pin_no_buffer},
    {NULL},
};

/* ---- the runner ---- */

#define ENTRIES_MAX 400

/* One case on one world. */
struct entry {
    const struct variant *variant;
    const struct world_case *tested;
    char name[128];
    TTest test;
};

static struct entry entries[ENTRIES_MAX];
static int entry_count;

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    return remove(path);
}

static void run_entry(int index)
{
    const struct entry *entry = &entries[index];
    const struct linux_tuning tuning = {.features_off = entry->variant->features_off};
    const struct linux_options options = {.cores = entry->tested->cores,
                                          .io = entry->variant->io,
                                          .flush = entry->variant->flush,
                                          .connections_max = 400,
                                          .log_level = LOG_WARN};
    const char *parent = getenv("TMPDIR");
    char directory[256];
    struct error error = {0};
    snprintf(directory, sizeof directory, "%s/test_world.XXXXXX", parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    struct linux_place place = {{.directory = directory}, entry->variant};
    must(linux_run_tuned(&options, &tuning, entry->tested->run, &place, &error), &error);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Adds those whose name contains `wanted`. */
static void add_cases(TCase *tests, const struct variant *variant, const struct world_case *cases,
                      const char *wanted)
{
    for (; cases->name; cases++) {
        struct entry *entry = &entries[entry_count];
        if (entry_count == ENTRIES_MAX)
            abort();
        entry->variant = variant;
        entry->tested = cases;
        snprintf(entry->name, sizeof entry->name, "%s_%s", variant->name, cases->name);
        if (!strstr(entry->name, wanted))
            continue;
        entry->test = (TTest){entry->name, run_entry, __FILE__, __LINE__};
        tcase_add_loop_test(tests, &entry->test, entry_count, entry_count + 1);
        entry_count++;
    }
}

/* Asked of the kernel itself, so that a world that wrongly says so does not go untested. */
static bool uring_is_forbidden(void)
{
    struct io_uring_params parameters = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 2, &parameters);
    if (ring >= 0)
        close(ring);
    return ring < 0;
}

/* test_world [PART-OF-A-NAME] */
int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "";
    TCase *tests = tcase_create("world");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (variants[i].io == LINUX_IO_URING && uring_is_forbidden()) {
            printf("%s: not run, the kernel forbids io_uring here\n", variants[i].name);
            continue;
        }
        for (size_t j = 0; j < sizeof world_cases / sizeof *world_cases; j++)
            add_cases(tests, &variants[i], world_cases[j], wanted);
        add_cases(tests, &variants[i], linux_cases, wanted);
    }
    return unit_run(tests);
}
