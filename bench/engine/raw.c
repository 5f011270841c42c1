/* The disk itself, as the measure of durable commits: pwrite and fdatasync, a block each time, in a file that is written
 * before; and of loads: one large sequential write. Works: commit, load. */
#include "bench/engine/work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 4096
#define FILE_BYTES  (16UL << 20)
#define LARGE_BYTES (1UL << 20)

static uint8_t block[LARGE_BYTES] __attribute__((aligned(4096)));

static void write_all(int file, size_t bytes, uint64_t offset)
{
    if (pwrite(file, block, bytes, (off_t)offset) != (ssize_t)bytes)
        work_fail("the disk does not write");
}

static void sync_file(int file)
{
    if (fdatasync(file))
        work_fail("the disk does not sync");
}

static void commit(const struct work *work, int file)
{
    static struct metric_histogram latency_ns;
    for (uint64_t at = 0; at < FILE_BYTES; at += LARGE_BYTES)
        write_all(file, LARGE_BYTES, at);
    sync_file(file);
    uint64_t began_ns = work_now_ns(), end_ns = began_ns + (uint64_t)(work->seconds * 1e9), count = 0;
    for (uint64_t now_ns = began_ns; now_ns < end_ns; count++) {
        write_all(file, BLOCK_BYTES, count * BLOCK_BYTES % FILE_BYTES);
        sync_file(file);
        uint64_t after_ns = work_now_ns();
        metric_observe(&latency_ns, after_ns - now_ns);
        now_ns = after_ns;
    }
    double seconds = (double)(work_now_ns() - began_ns) / 1e9;
    const struct work_figure figures[] = {{"per_second", (double)count / seconds},
                                          {"p50_us", (double)metric_quantile(&latency_ns, 0.5) / 1e3},
                                          {"p99_us", (double)metric_quantile(&latency_ns, 0.99) / 1e3}};
    work_print(work, "raw", figures, sizeof figures / sizeof *figures);
}

/* As many bytes as the rows have; per_second counts rows, so that it stands beside those of loads. */
static void load(const struct work *work, int file)
{
    uint64_t bytes = work->rows * (WORK_KEY_BYTES + WORK_ROW_BYTES), began_ns = work_now_ns();
    for (uint64_t at = 0; at < bytes; at += LARGE_BYTES)
        write_all(file, LARGE_BYTES, at);
    sync_file(file);
    double seconds = (double)(work_now_ns() - began_ns) / 1e9;
    const struct work_figure figures[] = {{"per_second", (double)work->rows / seconds},
                                          {"bytes_per_second", (double)bytes / seconds}};
    work_print(work, "raw", figures, sizeof figures / sizeof *figures);
}

int main(int count, char **arguments)
{
    struct work work;
    char path[4096];
    work_open(&work, count, arguments);
    mkdir(work.directory, 0700);
    snprintf(path, sizeof path, "%s/raw", work.directory);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
    if (file < 0)
        work_fail("%s cannot be opened", path);
    memset(block, 'x', sizeof block);
    if (work_is(&work, "commit"))
        commit(&work, file);
    else if (work_is(&work, "load"))
        load(&work, file);
    else
        work_fail("there is no work %s for the raw disk", work.name);
    close(file);
    return EXIT_SUCCESS;
}
