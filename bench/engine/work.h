/* What the programs of this folder share, so that they do the same work: the command line, the rows and how they are
 * checked, random numbers, and one way to print.
 *
 * Rows are numbered 0, 1, 2 ...; a key is the number, big endian. A row says which number and version it is, and the rest
 * follows from the two, so a reader knows from a row alone whether it is right. Every read is checked. */
#ifndef SYNOD_BENCH_ENGINE_WORK_H
#define SYNOD_BENCH_ENGINE_WORK_H

#include "base/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORK_KEY_BYTES 8
#define WORK_ROW_BYTES 100

/* Rows one scan reads. */
#define WORK_SCAN_ROWS 10000
/* Rows a transaction changes where durability of each is not the question. */
#define WORK_BATCH_ROWS 100

/* How the program was called: --work NAME [--rows N] [--seconds S] [--directory D] [--json] [--cores N] [--clients N]
 * [--cache BYTES] [--batch N] [--bytes N] [--expect N]. */
struct work {
    const char *name;
    uint64_t rows;
    double seconds;
    const char *directory;
    bool json;
    uint32_t cores;   /* cores or threads */
    uint32_t clients; /* at the same time, over all cores */
    uint64_t cache;   /* bytes of memory for pages */
    uint32_t batch;   /* reads under one snapshot */
    uint64_t bytes;   /* of log to write before the crash */
    uint64_t expect;  /* version row 0 must have after the crash; 0 = do not look */
};

struct work_figure {
    const char *name; /* unit at its end */
    double value;
};

/* Reads the arguments; ends the program with a sentence when it does not understand them. */
void work_open(struct work *work, int count, char **arguments);

/* Whether this is the work asked for. */
bool work_is(const struct work *work, const char *name);

/* Whether everything is read once before the measurement: it reads rows, and the cache holds them all. */
bool work_warm(const struct work *work);

/* Prints one line of what was measured. */
void work_print(const struct work *work, const char *engine, const struct work_figure *figures, size_t count);

/* Ends the program with a sentence. */
_Noreturn void work_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program the way a crash does: no destructor, no buffer written. */
_Noreturn void work_crash(void);

void work_key(uint64_t number, uint8_t key[static WORK_KEY_BYTES]);
uint64_t work_key_number(const void *key);
void work_row(uint64_t number, uint64_t version, uint8_t row[static WORK_ROW_BYTES]);

/* Ends the program unless these bytes are some version of the row; gives the version. */
uint64_t work_check_row(uint64_t number, const void *row, size_t bytes);

/* The next of a sequence of random numbers; the state may start anywhere. */
uint64_t work_random(uint64_t *state);

/* Monotonic nanoseconds. */
uint64_t work_now_ns(void);

/* Of this process so far. */
double work_processor_seconds(void);
double work_resident_bytes(void);

/* What all files below the directory occupy. */
double work_disk_bytes(const char *directory);

#endif
