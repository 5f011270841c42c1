/* Metrics of one core.
 *
 * The set is a list that only grows; readers on other cores may walk it while the owner registers: a metric
 * is complete before the release store that links it, and readers load links with acquire. Figures are single
 * words, written relaxed by the owner. */
#include "base/metric.h"
#include "base/check.h"
#include "base/scope.h"

#include <string.h>

struct metric {
    struct metric *next; /* published word */
    const char *name;
    const char *help;
    enum metric_kind kind;
    struct metric_counter counter;      /* gauges, too */
    struct metric_histogram *histogram; /* NULL unless it is one */
};

struct metric_set {
    struct scope *scope;
    struct metric *first; /* published word */
    struct metric **end;  /* where the next is linked; the owner's */
};

struct metric_set *metric_set_open(struct scope *scope)
{
    struct metric_set *set = scope_alloc_zeroed(scope, sizeof *set);
    set->scope = scope;
    set->end = &set->first;
    return set;
}

static struct metric *metric_open(struct metric_set *set, const char *name, const char *help,
                                  enum metric_kind kind)
{
    for (const struct metric *other = set->first; other; other = other->next)
        check(strcmp(other->name, name) != 0, "the metric \"%s\" is registered twice", name);
    struct metric *metric = scope_alloc_zeroed(set->scope, sizeof *metric);
    metric->name = name;
    metric->help = help;
    metric->kind = kind;
    if (kind == METRIC_HISTOGRAM)
        metric->histogram = scope_alloc_zeroed(set->scope, sizeof *metric->histogram);
    __atomic_store_n(set->end, metric, __ATOMIC_RELEASE);
    set->end = &metric->next;
    return metric;
}

struct metric_counter *metric_counter_open(struct metric_set *set, const char *name, const char *help)
{
    return &metric_open(set, name, help, METRIC_COUNTER)->counter;
}

struct metric_counter *metric_gauge_open(struct metric_set *set, const char *name, const char *help)
{
    return &metric_open(set, name, help, METRIC_GAUGE)->counter;
}

struct metric_histogram *metric_histogram_open(struct metric_set *set, const char *name, const char *help)
{
    return metric_open(set, name, help, METRIC_HISTOGRAM)->histogram;
}

/* 0, 1, 2, 3 have buckets of their own; from 4 on, a value of which bit e is the highest falls into one of
 * the four buckets of [2^e, 2^(e+1)), by the two bits below: the last in use is that of e = 63, number 251.
 */
uint32_t metric_bucket_of(uint64_t value)
{
    if (value < 4)
        return (uint32_t)value;
    uint32_t highest = 63U - (uint32_t)__builtin_clzll(value);
    return 4 * (highest - 1) + (uint32_t)(value >> (highest - 2) & 3);
}

#define BUCKETS_USED 252

uint64_t metric_bucket_floor(uint32_t bucket)
{
    check(bucket < METRIC_BUCKETS);
    if (bucket < 4)
        return bucket;
    if (bucket >= BUCKETS_USED)
        return UINT64_MAX;
    return (uint64_t)(4 + bucket % 4) << (bucket / 4 - 1);
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void add(uint64_t *word, uint64_t amount)
{
    __atomic_store_n(word, *word + amount, __ATOMIC_RELAXED);
}

void metric_observe(struct metric_histogram *histogram, uint64_t value)
{
    add(&histogram->bucket[metric_bucket_of(value)], 1);
    add(&histogram->sum, value);
    add(&histogram->count, 1);
}

/* Counts the buckets themselves: `count` may be a moment older. A bucket's observations are taken to lie
 * evenly over its values, of which the largest is one below the next bucket's floor. */
uint64_t metric_quantile(const struct metric_histogram *histogram, double share)
{
    uint64_t counts[BUCKETS_USED], total = 0;
    uint32_t last = 0, bucket = 0;
    for (uint32_t i = 0; i < BUCKETS_USED; i++) {
        counts[i] = load(&histogram->bucket[i]);
        total += counts[i];
        if (counts[i])
            last = i;
    }
    if (total == 0)
        return 0;
    double below = (share < 0 ? 0 : share > 1 ? 1 : share) * (double)total;
    for (; bucket < last && (counts[bucket] == 0 || below > (double)counts[bucket]); bucket++)
        below -= (double)counts[bucket];
    uint64_t floor = metric_bucket_floor(bucket), width = metric_bucket_floor(bucket + 1) - floor;
    double part = below / (double)counts[bucket] * (double)width;
    return floor + (part < (double)(width - 1) ? (uint64_t)part : width - 1);
}

void metric_histogram_merge(struct metric_histogram *to, const struct metric_histogram *from)
{
    for (uint32_t i = 0; i < METRIC_BUCKETS; i++)
        add(&to->bucket[i], load(&from->bucket[i]));
    add(&to->sum, load(&from->sum));
    add(&to->count, load(&from->count));
}

void metric_each(const struct metric_set *set,
                 void (*visit)(void *argument, const char *name, const char *help, enum metric_kind kind,
                               const struct metric_counter *counter,
                               const struct metric_histogram *histogram),
                 void *argument)
{
    const struct metric *metric = __atomic_load_n(&set->first, __ATOMIC_ACQUIRE);
    for (; metric; metric = __atomic_load_n(&metric->next, __ATOMIC_ACQUIRE)) {
        visit(argument, metric->name, metric->help, metric->kind, metric->histogram ? NULL : &metric->counter,
              metric->histogram);
    }
}
