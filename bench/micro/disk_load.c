/* Disk through the world: random reads at a depth, and small durable writes, as fio and pg_test_fsync do
 * them.
 *
 *     disk_load read FILE BLOCK DEPTH SECONDS [IO]         random direct reads by DEPTH fibers of one core
 *     disk_load append FILE WRITERS SECONDS FLUSH [IO]    8 KiB durable writes by WRITERS fibers, a file each
 *
 * IO is uring (default) or classic, FLUSH is auto, ring or thread. Prints operations per second, the
 * processor time of one in microseconds, and the median and 99th percentile latency in microseconds. The
 * files must be there with their blocks written: extending a file is another measurement. run-disk compares
 * with the peers. */
#include "base/linux/linux.h"
#include "base/metric.h"
#include "base/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Of each appended file: written from the start to the end, then again. pg_test_fsync has 16 MiB. */
#define APPEND_FILE_BYTES (16 << 20)
#define APPEND_BYTES      8192
#define SECOND            1000000000UL

struct bench {
    bool append;
    const char *path;
    size_t block; /* bytes of one transfer */
    uint32_t fibers;
    double seconds;

    struct world *world;
    struct file *file; /* of reads */
    uint64_t blocks;
    uint64_t end_ns;
    uint64_t operations;
    uint32_t running;
    struct fiber_queue ended;
    struct metric_histogram latency_ns;
};

struct fiber_call {
    struct bench *bench;
    uint32_t number;
};

static void must(enum sqlstate failed, const struct error *error)
{
    if (!failed)
        return;
    fprintf(stderr, "disk_load: %s\n", error_text(error, ERROR_MESSAGE));
    exit(EXIT_FAILURE);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *block_of(struct bench *bench)
{
    struct error error;
    void *block;
    must(scope_alloc_large(bench->world->scope, bench->block, DISK_ALIGNMENT, &block, &error), &error);
    memset(block, 'x', bench->block);
    return block;
}

static void end(struct bench *bench)
{
    bench->running--;
    fiber_wake_all(&bench->ended);
}

/* Counts one operation that began at `began_ns`; gives when it ended. */
static uint64_t count(struct bench *bench, uint64_t began_ns)
{
    uint64_t now_ns = world_now(bench->world);
    metric_observe(&bench->latency_ns, now_ns - began_ns);
    bench->operations++;
    return now_ns;
}

static void read_fiber(void *argument)
{
    struct fiber_call *call = argument;
    struct bench *bench = call->bench;
    struct world *world = bench->world;
    struct error error;
    void *block = block_of(bench);
    uint64_t random = 88172645463325252U + call->number;
    for (uint64_t now_ns = world_now(world); now_ns < bench->end_ns; now_ns = count(bench, now_ns)) {
        uint64_t offset = next_random(&random) % bench->blocks * bench->block;
        must(disk_read(world, world->scope, bench->file, block, bench->block, offset, NULL, &error), &error);
    }
    end(bench);
}

static void append_fiber(void *argument)
{
    struct fiber_call *call = argument;
    struct bench *bench = call->bench;
    struct world *world = bench->world;
    struct error error;
    struct file *file;
    char path[4096];
    void *block = block_of(bench);
    snprintf(path, sizeof path, "%s.%u", bench->path, call->number);
    must(disk_open(world, world->scope, path, DISK_DIRECT, &file, &error), &error);
    uint64_t offset = 0;
    for (uint64_t now_ns = world_now(world); now_ns < bench->end_ns; now_ns = count(bench, now_ns)) {
        must(disk_write_durable(world, world->scope, file, block, bench->block, offset, &error), &error);
        offset = (offset + bench->block) % APPEND_FILE_BYTES;
    }
    end(bench);
}

static void bench_main(struct world *world, void *argument)
{
    struct bench *bench = argument;
    struct error error;
    bench->world = world;
    fiber_queue_init(&bench->ended);
    if (!bench->append) {
        uint64_t bytes;
        must(disk_open(world, world->scope, bench->path, DISK_READ_ONLY | DISK_DIRECT, &bench->file, &error),
             &error);
        must(disk_size(world, bench->file, &bytes, &error), &error);
        bench->blocks = bytes / bench->block;
    }
    bench->end_ns = world_now(world) + (uint64_t)(bench->seconds * (double)SECOND);
    for (uint32_t i = 0; i < bench->fibers; i++) {
        struct fiber_call *call = scope_alloc(world->scope, sizeof *call);
        *call = (struct fiber_call){bench, i};
        must(fiber_start(world->scheduler, world->scope, "bench", bench->append ? append_fiber : read_fiber,
                         call, NULL, &error),
             &error);
        bench->running++;
    }
    while (bench->running)
        if (fiber_wait(world->scheduler, &bench->ended, FIBER_NO_DEADLINE) != FIBER_WOKEN)
            return;
}

static double processor_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static _Noreturn void usage(void)
{
    fputs("usage: disk_load read FILE BLOCK DEPTH SECONDS [uring|classic]\n"
          "       disk_load append FILE WRITERS SECONDS auto|ring|thread [uring|classic]\n",
          stderr);
    exit(EXIT_FAILURE);
}

int main(int count_of_arguments, char **arguments)
{
    struct bench bench = {0};
    struct error error;
    if (count_of_arguments < 6)
        usage();
    bench.append = !strcmp(arguments[1], "append");
    bench.path = arguments[2];
    bench.block = bench.append ? APPEND_BYTES : strtoul(arguments[3], NULL, 10);
    bench.fibers = (uint32_t)strtoul(arguments[bench.append ? 3 : 4], NULL, 10);
    bench.seconds = strtod(arguments[bench.append ? 4 : 5], NULL);
    struct linux_options options = {.cores = 1,
                                    .io = LINUX_IO_URING,
                                    .connections_max = 10,
                                    .log_level = LOG_WARN,
                                    .catch_signals = true};
    int next = 6;
    if (bench.append)
        options.flush = !strcmp(arguments[5], "ring")     ? LINUX_FLUSH_RING
                        : !strcmp(arguments[5], "thread") ? LINUX_FLUSH_THREAD
                                                          : LINUX_FLUSH_AUTO;
    if (count_of_arguments > next && !strcmp(arguments[next], "classic"))
        options.io = LINUX_IO_CLASSIC;
    if (!bench.block || !bench.fibers)
        usage();
    double before_us = processor_us();
    must(linux_run(&options, bench_main, &bench, &error), &error);
    printf("%.0f %.2f %.1f %.1f\n", (double)bench.operations / bench.seconds,
           (processor_us() - before_us) / (double)bench.operations,
           (double)metric_quantile(&bench.latency_ns, 0.5) / 1000,
           (double)metric_quantile(&bench.latency_ns, 0.99) / 1000);
    return EXIT_SUCCESS;
}
