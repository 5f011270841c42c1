/* Counters, gauges and histograms: written by one core without atomics or locks, read by any.
 *
 * Every core has a set of its own; a shared atomic on a hot path is a defect. Readers on other cores use
 * relaxed loads of single words, so each figure is right by itself, and a group of figures is nearly of one
 * moment.
 *
 * Histograms are log-linear: each power of two is cut into 4 equal buckets, so a value is known to 25 % or
 * better (12 % at the middle), in 256 buckets for the whole of 64 bits. */
#ifndef SYNOD_BASE_METRIC_H
#define SYNOD_BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

struct metric_set; /* one core's */
struct scope;

/* A figure that only grows, or a gauge. Touch it with the functions below, on the owning core only. */
struct metric_counter {
    uint64_t value;
};

#define METRIC_BUCKETS 256

struct metric_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t bucket[METRIC_BUCKETS];
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_set *metric_set_open(struct scope *scope);

/* Registers a metric; `name` (OpenMetrics, unit at its end) and `help` are literals. The memory is the set's
 * scope's. */
struct metric_counter *metric_counter_open(struct metric_set *set, const char *name, const char *help);
struct metric_counter *metric_gauge_open(struct metric_set *set, const char *name, const char *help);
struct metric_histogram *metric_histogram_open(struct metric_set *set, const char *name, const char *help);

static inline void metric_add(struct metric_counter *counter, uint64_t amount)
{
    __atomic_store_n(&counter->value, counter->value + amount, __ATOMIC_RELAXED);
}

static inline void metric_set_value(struct metric_counter *gauge, uint64_t value)
{
    __atomic_store_n(&gauge->value, value, __ATOMIC_RELAXED);
}

static inline uint64_t metric_value(const struct metric_counter *counter)
{
    return __atomic_load_n(&counter->value, __ATOMIC_RELAXED);
}

/* Which bucket a value falls into; the smallest value of a bucket. */
uint32_t metric_bucket_of(uint64_t value);
uint64_t metric_bucket_floor(uint32_t bucket);

void metric_observe(struct metric_histogram *histogram, uint64_t value);

/* The value below which `share` (0..1) of the observations lie, interpolated within the bucket; 0 when empty.
 */
uint64_t metric_quantile(const struct metric_histogram *histogram, double share);

/* Adds `from` to `to`, to merge the cores' figures. */
void metric_histogram_merge(struct metric_histogram *to, const struct metric_histogram *from);

/* Calls `visit` for each metric of the set in order of registration. */
void metric_each(const struct metric_set *set,
                 void (*visit)(void *argument, const char *name, const char *help, enum metric_kind kind,
                               const struct metric_counter *counter,
                               const struct metric_histogram *histogram),
                 void *argument);

#endif
