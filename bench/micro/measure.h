/* What the micro benchmarks share: rounds, medians, one way to print.
 *
 * A benchmark is a function that does its work many times and gives what one time took (or achieved). It is
 * called for a number of rounds, short ones, so that other load on the machine spoils a few of them and not
 * the median; the first round only warms up. */
#ifndef SYNOD_BENCH_MICRO_MEASURE_H
#define SYNOD_BENCH_MICRO_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/* How the program was called: [--json] [--rounds N] [NAME ...]. */
struct measure {
    bool json;
    uint32_t rounds;
    char **names; /* only benchmarks whose names contain one of these; none = all */
    int names_count;
};

enum measure_goal { MEASURE_AT_MOST, MEASURE_AT_LEAST, MEASURE_NO_GOAL };

struct measure_case {
    const char *name;
    const char *unit;                /* of what `round` gives */
    double (*round)(void *argument); /* one round */
    void *argument;
    enum measure_goal kind;
    double goal;
};

/* Reads the arguments; ends the program with a sentence when it does not understand them. */
void measure_open(struct measure *measure, int argc, char **argv);

/* Whether the arguments ask for a benchmark of this name. */
bool measure_wanted(const struct measure *measure, const char *name);

/* Runs the benchmark, if it is wanted, and prints a line: aligned text, or with --json
 * {"name", "unit", "median", "min", "max", "rounds", "goal"}, where goal is null when there is none. */
void measure_run(const struct measure *measure, const struct measure_case *benchmark);

/* Monotonic nanoseconds. */
uint64_t measure_now_ns(void);

/* Makes the compiler believe that the value is used. */
static inline void measure_keep(const void *value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

#endif
