/* Rounds, medians, printing; see measure.h. */
#include "bench/micro/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_DEFAULT 51
#define ROUNDS_MAX     10000

uint64_t measure_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void refuse(const char *program, const char *what, const char *argument)
{
    fprintf(stderr, "%s: %s \"%s\"\nusage: %s [--json] [--rounds N] [NAME ...]\n", program, what, argument,
            program);
    exit(2);
}

void measure_open(struct measure *measure, int argc, char **argv)
{
    *measure = (struct measure){.rounds = ROUNDS_DEFAULT};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        char *end = NULL;
        if (!strcmp(argv[at], "--json")) {
            measure->json = true;
        } else if (!strcmp(argv[at], "--rounds") && at + 1 < argc) {
            unsigned long rounds = strtoul(argv[++at], &end, 10);
            if (*end || rounds < 1 || rounds > ROUNDS_MAX)
                refuse(argv[0], "rounds are a number from 1 to 10000, not", argv[at]);
            measure->rounds = (uint32_t)rounds;
        } else {
            refuse(argv[0], "there is no option", argv[at]);
        }
    }
    measure->names = argv + at;
    measure->names_count = argc - at;
    if (!measure->json)
        printf("%-44s %10s %10s %10s  %-10s %s\n", "", "median", "min", "max", "unit", "goal");
}

bool measure_wanted(const struct measure *measure, const char *name)
{
    for (int i = 0; i < measure->names_count; i++) {
        if (strstr(name, measure->names[i]))
            return true;
    }
    return measure->names_count == 0;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_text(const struct measure_case *benchmark, double median, double min, double max)
{
    printf("%-44s %10.2f %10.2f %10.2f  %-10s", benchmark->name, median, min, max, benchmark->unit);
    if (benchmark->kind != MEASURE_NO_GOAL) {
        bool most = benchmark->kind == MEASURE_AT_MOST;
        bool met = most ? median <= benchmark->goal : median >= benchmark->goal;
        printf(" %s %g: %s", most ? "<=" : ">=", benchmark->goal, met ? "met" : "MISSED");
    }
    printf("\n");
}

static void print_json(const struct measure_case *benchmark, double median, double min, double max,
                       uint32_t rounds)
{
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"median\": %.3f, \"min\": %.3f, \"max\": %.3f, "
           "\"rounds\": %u, \"goal\": ",
           benchmark->name, benchmark->unit, median, min, max, rounds);
    if (benchmark->kind == MEASURE_NO_GOAL)
        printf("null}\n");
    else
        printf("%g}\n", benchmark->goal);
}

void measure_run(const struct measure *measure, const struct measure_case *benchmark)
{
    static double took[ROUNDS_MAX];
    if (!measure_wanted(measure, benchmark->name))
        return;
    benchmark->round(benchmark->argument);
    for (uint32_t i = 0; i < measure->rounds; i++)
        took[i] = benchmark->round(benchmark->argument);
    qsort(took, measure->rounds, sizeof *took, compare);
    double median = (took[(measure->rounds - 1) / 2] + took[measure->rounds / 2]) / 2;
    if (measure->json)
        print_json(benchmark, median, took[0], took[measure->rounds - 1], measure->rounds);
    else
        print_text(benchmark, median, took[0], took[measure->rounds - 1]);
    fflush(stdout);
}
