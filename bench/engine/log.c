/* The node log against the bare disk: durable appends per second.
 *
 *     bench_engine_log [--rounds N] [--ms N] [--directory D] [--io uring|classic] [--flush auto|ring|thread]
 *         [--in-flight N]
 *
 * In each round, for every combination of writers and cores, the log runs for a while (a writer appends a record of 100 bytes
 * and waits until it is stable), then one thread does pwrite and fdatasync of the same mean size in a file that was written
 * before, then one fiber of a world the same ("world/s"). Rounds go through all combinations in turn, so that other load on
 * the machine spoils a few figures of each and not the medians. At last a log is replayed. */
#include "engine/log/log.h"
#include "base/check.h"
#include "base/linux/linux.h"
#include "base/scheduler.h"
#include "base/scope.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES = 100, WRITERS_MAX = 256, ROUNDS_MAX = 101, SAMPLES_MAX = 1 << 20, RAW_BYTES = 64 << 20 };

static struct {
    const char *directory;
    uint32_t rounds;
    uint64_t for_ns;
    enum linux_io io;
    enum linux_flush flush;
    uint32_t in_flight;
} arguments = {.directory = "/tmp/synod-bench-log", .rounds = 5, .for_ns = 300000000};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void must(enum sqlstate failed, const struct error *error)
{
    check(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

/* ---- the log ---- */

struct run {
    uint32_t writers, cores;
    struct node_log *log;
    atomic_uint opened;
    atomic_bool over;
    atomic_uint_least64_t commits;
    uint32_t samples;
    uint32_t *sample; /* nanoseconds of core 0's commits */
    struct log_figures before, after;
    uint64_t took_ns, took_cpu_ns;
};

struct core {
    struct run *run;
    struct world *world;
    struct scope *scope;
    struct log_port *port;
    uint64_t commits;
    uint32_t busy;
    struct fiber_queue done;
};

struct commit {
    struct fiber_queue waiter;
    uint64_t position;
};

static void placed(void *argument, uint64_t position, struct bytes payload)
{
    struct commit *commit = argument;
    (void)payload;
    commit->position = position;
    fiber_wake_one(&commit->waiter);
}

static void commit_one(struct core *core)
{
    static const uint8_t row[RECORD_BYTES];
    struct error error;
    struct commit commit = {.position = 0};
    const struct log_record record = {
        .topic = 1, .epoch = 1, .kind = 1, .payload = bytes_of(row, sizeof row)};
    const struct log_notice notice = {.placed = placed, .argument = &commit};
    fiber_queue_init(&commit.waiter);
    must(log_port_make_room(core->port, sizeof row, &error), &error);
    log_port_append_noticed(core->port, &record, NULL, 0, &notice);
    while (!commit.position)
        (void)!fiber_wait(core->world->scheduler, &commit.waiter, FIBER_NO_DEADLINE);
    must(log_port_wait_stable(core->port, commit.position, &error), &error);
    core->commits++;
}

static void write_many(void *argument)
{
    struct core *core = argument;
    struct run *run = core->run;
    while (!atomic_load_explicit(&run->over, memory_order_relaxed)) {
        uint64_t began_ns = now_ns();
        commit_one(core);
        if (core->world->core == 0 && run->samples < SAMPLES_MAX)
            run->sample[run->samples++] = (uint32_t)(now_ns() - began_ns);
    }
    core->busy--;
    fiber_wake_all(&core->done);
}

static void open_log(struct core *core)
{
    struct run *run = core->run;
    struct error error;
    struct log_state state;
    const struct log_options options = {
        .directory = arguments.directory, .cluster = 1, .writes_in_flight = arguments.in_flight};
    must(node_log_open(core->world, core->scope, &options, &run->log, &state, &error), &error);
    must(node_log_start(run->log, &error), &error);
}

/* Waits by yielding: cores gather for a moment only. */
static void gather(struct core *core, uint32_t count)
{
    while (atomic_load(&core->run->opened) < count)
        (void)!fiber_sleep_until(core->world->scheduler, world_now(core->world) + 100000);
}

static void core_main(struct world *world, void *argument)
{
    struct run *run = argument;
    struct scope *scope = scope_open(world->scope, "bench");
    struct core *core = scope_alloc_zeroed(scope, sizeof *core);
    struct error error;
    *core = (struct core){.run = run, .world = world, .scope = scope};
    fiber_queue_init(&core->done);
    if (world->core == 0)
        open_log(core);
    else
        gather(core, 1);
    atomic_fetch_add(&run->opened, 1);
    gather(core, run->cores);
    must(log_port_open(world, scope, run->log, &core->port, &error), &error);
    uint32_t writers = run->writers / run->cores + (world->core < run->writers % run->cores);
    if (world->core == 0)
        node_log_figures(run->log, &run->before);
    uint64_t began_ns = now_ns(), began_cpu_ns = cpu_ns();
    for (core->busy = 0; core->busy < writers; core->busy++)
        must(fiber_start(world->scheduler, scope, "writer", write_many, core, NULL, &error), &error);
    (void)!fiber_sleep_until(world->scheduler, world_now(world) + arguments.for_ns);
    atomic_store(&run->over, true);
    while (core->busy)
        (void)!fiber_wait(world->scheduler, &core->done, FIBER_NO_DEADLINE);
    atomic_fetch_add(&run->commits, core->commits);
    if (world->core == 0) {
        run->took_ns = now_ns() - began_ns;
        run->took_cpu_ns = cpu_ns() - began_cpu_ns;
        node_log_figures(run->log, &run->after);
    }
    scope_close(scope);
}

static void run_world(uint32_t cores, void (*main)(struct world *world, void *argument), void *argument)
{
    struct error error;
    const struct linux_options options = {.cores = cores,
                                          .pin = false,
                                          .io = arguments.io,
                                          .flush = arguments.flush,
                                          .connections_max = 16,
                                          .log_level = LOG_ERROR};
    must(linux_run(&options, main, argument, &error), &error);
}

/* ---- the bare disk ---- */

static char raw_path[512];

static void raw_open(void)
{
    static uint8_t zeros[1 << 20] __attribute__((aligned(4096)));
    snprintf(raw_path, sizeof raw_path, "%s-raw", arguments.directory);
    int file = open(raw_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(file >= 0);
    for (uint32_t at = 0; at < RAW_BYTES; at += sizeof zeros) {
        ssize_t written = write(file, zeros, sizeof zeros);
        check(written == sizeof zeros);
    }
    fsync(file);
    close(file);
}

/* One thread: syncs a second, each behind a write of so many bytes. */
static double raw_rate(size_t bytes)
{
    static uint8_t block[2 << 20] __attribute__((aligned(4096)));
    int file = open(raw_path, O_RDWR | O_DIRECT | O_CLOEXEC);
    check(file >= 0);
    memset(block, 7, bytes);
    uint64_t began_ns = now_ns(), took_ns = 0, syncs = 0;
    for (off_t at = 0; took_ns < arguments.for_ns; syncs++, took_ns = now_ns() - began_ns) {
        at = at + (off_t)bytes > RAW_BYTES ? 0 : at;
        ssize_t written = pwrite(file, block, bytes, at);
        check(written == (ssize_t)bytes);
        int synced = fdatasync(file);
        check(!synced);
        at += (off_t)bytes;
    }
    close(file);
    return (double)syncs * 1e9 / (double)took_ns;
}

/* The same by one fiber of a world, which is what the log writes through. */
struct world_raw {
    size_t bytes;
    double rate;
};

static void world_raw_main(struct world *world, void *argument)
{
    struct world_raw *raw = argument;
    struct file *file;
    struct error error;
    void *block;
    must(disk_open(world, world->scope, raw_path, DISK_DIRECT, &file, &error), &error);
    must(scope_alloc_large(world->scope, raw->bytes, DISK_ALIGNMENT, &block, &error), &error);
    memset(block, 7, raw->bytes);
    uint64_t began_ns = now_ns(), took_ns = 0, syncs = 0;
    for (uint64_t at = 0; took_ns < arguments.for_ns; syncs++, took_ns = now_ns() - began_ns) {
        at = at + raw->bytes > RAW_BYTES ? 0 : at;
        must(disk_write_durable(world, world->scope, file, block, raw->bytes, at, &error), &error);
        at += raw->bytes;
    }
    raw->rate = (double)syncs * 1e9 / (double)took_ns;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static int compare_samples(const void *a, const void *b)
{
    return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

struct figures {
    double rate[ROUNDS_MAX], raw[ROUNDS_MAX], world[ROUNDS_MAX], ratio[ROUNDS_MAX], writes[ROUNDS_MAX],
        bytes[ROUNDS_MAX], p50_us[ROUNDS_MAX], p99_us[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
};

static void one_round(uint32_t writers, uint32_t cores, struct figures *figures, uint32_t round)
{
    static uint32_t samples[SAMPLES_MAX];
    struct run run = {.writers = writers, .cores = cores, .sample = samples};
    run_world(cores, core_main, &run);
    double writes = (double)(run.after.writes - run.before.writes);
    figures->rate[round] = (double)run.commits * 1e9 / (double)run.took_ns;
    figures->writes[round] = writes * 1e9 / (double)run.took_ns;
    figures->bytes[round] = (double)(run.after.bytes_written - run.before.bytes_written) / writes;
    figures->cpu_us[round] = (double)run.took_cpu_ns / 1e3 / (double)run.commits;
    qsort(samples, run.samples, sizeof *samples, compare_samples);
    figures->p50_us[round] = samples[run.samples / 2] / 1e3;
    figures->p99_us[round] = samples[(uint64_t)run.samples * 99 / 100] / 1e3;
    size_t bytes = ((size_t)figures->bytes[round] + 4095) / 4096 * 4096;
    figures->raw[round] = raw_rate(bytes);
    figures->ratio[round] = figures->rate[round] / figures->raw[round];
    struct world_raw world = {.bytes = bytes};
    run_world(1, world_raw_main, &world);
    figures->world[round] = world.rate;
}

static void measure_appends(void)
{
    static const struct {
        uint32_t writers, cores;
    } cases[] = {{1, 1}, {8, 1}, {64, 1}, {1, 2}, {8, 2}, {64, 2}, {256, 2}};
    static struct figures figures[sizeof cases / sizeof *cases];
    for (uint32_t round = 0; round < arguments.rounds; round++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            one_round(cases[i].writers, cases[i].cores, &figures[i], round);
    printf("%8s %6s %10s %10s %8s %10s %10s %8s %8s %8s %8s\n", "writers", "cores", "appends/s", "raw/s",
           "ratio", "world/s", "writes/s", "bytes", "p50 us", "p99 us", "cpu us");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct figures *of = &figures[i];
        printf("%8u %6u %10.0f %10.0f %8.2f %10.0f %10.0f %8.0f %8.0f %8.0f %8.2f\n", cases[i].writers,
               cases[i].cores, median(of->rate, arguments.rounds), median(of->raw, arguments.rounds),
               median(of->ratio, arguments.rounds), median(of->world, arguments.rounds),
               median(of->writes, arguments.rounds), median(of->bytes, arguments.rounds),
               median(of->p50_us, arguments.rounds), median(of->p99_us, arguments.rounds),
               median(of->cpu_us, arguments.rounds));
    }
}

/* ---- replay ---- */

enum { REPLAY_BYTES = 512 << 20, REPLAY_RECORD_BYTES = 150 };

static enum sqlstate count_record(void *argument, uint64_t position, const struct log_record *record,
                                  struct error *error)
{
    uint64_t *records = argument;
    (void)position;
    (void)record;
    (void)error;
    ++*records;
    return SQLSTATE_OK;
}

static void fill_main(struct world *world, void *argument)
{
    static const uint8_t row[REPLAY_RECORD_BYTES];
    struct run run = {.writers = 1, .cores = 1};
    struct core core = {.run = &run, .world = world, .scope = scope_open(world->scope, "bench")};
    struct error error;
    (void)argument;
    open_log(&core);
    must(log_port_open(world, core.scope, run.log, &core.port, &error), &error);
    for (uint64_t sequence = 1, bytes = 0; bytes < REPLAY_BYTES; bytes += sizeof row + 42, sequence++) {
        const struct log_record record = {
            .topic = 1, .sequence = sequence, .epoch = 1, .kind = 1, .payload = bytes_of(row, sizeof row)};
        must(log_port_make_room(core.port, sizeof row, &error), &error);
        log_port_append(core.port, &record, NULL, 0);
        if (sequence % 256 == 0)
            fiber_yield(world->scheduler);
    }
    scope_close(core.scope);
}

static void replay_main(struct world *world, void *argument)
{
    struct scope *scope = scope_open(world->scope, "bench");
    struct node_log *log;
    struct log_state state;
    struct error error;
    uint64_t records = 0;
    const struct log_options options = {.directory = arguments.directory, .cluster = 1};
    const struct log_visitor visitor = {.visit = count_record, .argument = &records};
    (void)argument;
    uint64_t began_ns = now_ns();
    must(node_log_open(world, scope, &options, &log, &state, &error), &error);
    uint64_t opened_ns = now_ns();
    for (int i = 0; i < 3; i++) {
        uint64_t start_ns = now_ns(), start_cpu_ns = cpu_ns();
        must(node_log_replay(world, scope, log, state.first, &visitor, &error), &error);
        double bytes = (double)(state.end - state.first);
        printf("replay of %.0f MB: %.2f GB/s, %.2f GB/s of processor time, %.0f ns a record\n", bytes / 1e6,
               bytes / (double)(now_ns() - start_ns), bytes / (double)(cpu_ns() - start_cpu_ns),
               (double)(now_ns() - start_ns) * (i + 1) / (double)records);
    }
    printf("opening it: %.1f ms\n", (double)(opened_ns - began_ns) / 1e6);
    scope_close(scope);
}

static void clear(void)
{
    char command[1024];
    snprintf(command, sizeof command, "rm -rf '%s'", arguments.directory);
    int status = system(command);
    check(status == 0);
}

static void measure_replay(void)
{
    clear();
    run_world(1, fill_main, NULL);
    run_world(1, replay_main, NULL);
}

/* ---- the program ---- */

static void refuse(const char *argument)
{
    fprintf(
        stderr,
        "bench_engine_log: there is no \"%s\"\nusage: bench_engine_log [--rounds N] [--ms N] [--directory D] "
        "[--io uring|classic] [--flush auto|ring|thread] [--in-flight N]\n",
        argument);
    exit(2);
}

static void read_arguments(int argc, char **argv)
{
    for (int at = 1; at < argc; at += 2) {
        const char *name = argv[at], *value = at + 1 < argc ? argv[at + 1] : "";
        if (!strcmp(name, "--rounds") && atoi(value) > 0 && atoi(value) <= ROUNDS_MAX)
            arguments.rounds = (uint32_t)atoi(value);
        else if (!strcmp(name, "--ms") && atoi(value) > 0)
            arguments.for_ns = (uint64_t)atoi(value) * 1000000;
        else if (!strcmp(name, "--in-flight") && atoi(value) > 0)
            arguments.in_flight = (uint32_t)atoi(value);
        else if (!strcmp(name, "--directory") && *value)
            arguments.directory = value;
        else if (!strcmp(name, "--io") && !strcmp(value, "uring"))
            arguments.io = LINUX_IO_URING;
        else if (!strcmp(name, "--io") && !strcmp(value, "classic"))
            arguments.io = LINUX_IO_CLASSIC;
        else if (!strcmp(name, "--flush") && !strcmp(value, "ring"))
            arguments.flush = LINUX_FLUSH_RING;
        else if (!strcmp(name, "--flush") && !strcmp(value, "thread"))
            arguments.flush = LINUX_FLUSH_THREAD;
        else if (!strcmp(name, "--flush") && !strcmp(value, "auto"))
            arguments.flush = LINUX_FLUSH_AUTO;
        else
            refuse(name);
    }
}

int main(int argc, char **argv)
{
    read_arguments(argc, argv);
    clear();
    raw_open();
    measure_appends();
    measure_replay();
    clear();
    unlink(raw_path);
    return 0;
}
