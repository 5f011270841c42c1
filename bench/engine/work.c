/* The command line, rows, random numbers and printing; see work.h. */
#include "bench/engine/work.h"

#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROWS_DEFAULT  10000000
#define CACHE_DEFAULT (4UL << 30)

_Noreturn void work_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench_engine: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    /* Threads and cores may be in the middle of anything: nothing is closed. */
    _exit(EXIT_FAILURE);
}

_Noreturn void work_crash(void)
{
    fflush(stdout);
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* ---- the command line ---- */

static uint64_t number_of(const char *name, const char *text)
{
    char *end;
    uint64_t number = strtoul(text, &end, 10);
    if (*end || end == text)
        work_fail("%s wants a number, not \"%s\"", name, text);
    return number;
}

static void take_argument(struct work *work, const char *name, const char *value)
{
    if (!strcmp(name, "--work"))
        work->name = value;
    else if (!strcmp(name, "--rows"))
        work->rows = number_of(name, value);
    else if (!strcmp(name, "--seconds"))
        work->seconds = strtod(value, NULL);
    else if (!strcmp(name, "--directory"))
        work->directory = value;
    else if (!strcmp(name, "--cores"))
        work->cores = (uint32_t)number_of(name, value);
    else if (!strcmp(name, "--clients"))
        work->clients = (uint32_t)number_of(name, value);
    else if (!strcmp(name, "--cache"))
        work->cache = number_of(name, value);
    else if (!strcmp(name, "--batch"))
        work->batch = (uint32_t)number_of(name, value);
    else if (!strcmp(name, "--bytes"))
        work->bytes = number_of(name, value);
    else if (!strcmp(name, "--expect"))
        work->expect = number_of(name, value);
    else
        work_fail("there is no option %s", name);
}

void work_open(struct work *work, int count, char **arguments)
{
    *work = (struct work){.rows = ROWS_DEFAULT,
                          .seconds = 1,
                          .directory = "bench-engine",
                          .cores = 2,
                          .clients = 1,
                          .cache = CACHE_DEFAULT,
                          .batch = 1,
                          .bytes = 1UL << 30};
    for (int i = 1; i < count; i++) {
        if (!strcmp(arguments[i], "--json")) {
            work->json = true;
            continue;
        }
        if (i + 1 == count)
            work_fail("%s wants a value", arguments[i]);
        take_argument(work, arguments[i], arguments[i + 1]);
        i++;
    }
    if (!work->name)
        work_fail("--work must say what to do");
    if (!work->rows || !work->cores || !work->clients || !work->batch || work->rows < work->cores)
        work_fail("rows, cores, clients and batch must be at least 1, and rows not fewer than cores");
}

bool work_is(const struct work *work, const char *name)
{
    return !strcmp(work->name, name);
}

bool work_warm(const struct work *work)
{
    bool reads = work_is(work, "read") || work_is(work, "scan") || work_is(work, "commit") ||
                 work_is(work, "checkpoint");
    return reads && work->cache / 2 >= work->rows * (WORK_KEY_BYTES + WORK_ROW_BYTES);
}

void work_print(const struct work *work, const char *engine, const struct work_figure *figures, size_t count)
{
    if (work->json)
        printf("{\"engine\": \"%s\", \"work\": \"%s\", \"rows\": %lu, \"cores\": %u, \"clients\": %u, "
               "\"batch\": %u, \"cache\": %lu",
               engine, work->name, work->rows, work->cores, work->clients, work->batch, work->cache);
    else
        printf("%-8s %-12s", engine, work->name);
    for (size_t i = 0; i < count; i++)
        printf(work->json ? ", \"%s\": %.9g" : "  %s %.9g", figures[i].name, figures[i].value);
    puts(work->json ? "}" : "");
    fflush(stdout);
}

/* ---- rows ---- */

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014). */
static inline uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
}

uint64_t work_random(uint64_t *state)
{
    return mix(*state += 0x9e3779b97f4a7c15);
}

void work_key(uint64_t number, uint8_t key[static WORK_KEY_BYTES])
{
    number = __builtin_bswap64(number);
    memcpy(key, &number, sizeof number);
}

uint64_t work_key_number(const void *key)
{
    uint64_t number;
    memcpy(&number, key, sizeof number);
    return __builtin_bswap64(number);
}

/* offset 0: number; 8: version; 16: ten words and a half that follow from the two */
void work_row(uint64_t number, uint64_t version, uint8_t row[static WORK_ROW_BYTES])
{
    memcpy(row, &number, 8);
    memcpy(row + 8, &version, 8);
    uint64_t word = mix(number ^ (version << 40));
    for (size_t at = 16; at + 8 <= WORK_ROW_BYTES; at += 8) {
        word = (word ^ (word >> 29)) * 0xbf58476d1ce4e5b9 + 1;
        memcpy(row + at, &word, 8);
    }
    memcpy(row + WORK_ROW_BYTES - 4, &word, 4);
}

uint64_t work_check_row(uint64_t number, const void *row, size_t bytes)
{
    uint8_t right[WORK_ROW_BYTES];
    uint64_t version;
    if (bytes != WORK_ROW_BYTES)
        work_fail("row %lu has %zu bytes", number, bytes);
    memcpy(&version, (const uint8_t *)row + 8, sizeof version);
    work_row(number, version, right);
    if (memcmp(right, row, sizeof right) != 0)
        work_fail("row %lu is wrong", number);
    return version;
}

/* ---- the machine ---- */

uint64_t work_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double work_processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

double work_resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        work_fail("/proc/self/statm cannot be read");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* nftw() has no argument for its function. */
static double disk_bytes;

static int add_file(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)path;
    (void)place;
    if (kind == FTW_F)
        disk_bytes += (double)status->st_blocks * 512;
    return 0;
}

double work_disk_bytes(const char *directory)
{
    disk_bytes = 0;
    if (nftw(directory, add_file, 16, FTW_PHYS))
        work_fail("%s cannot be walked", directory);
    return disk_bytes;
}
