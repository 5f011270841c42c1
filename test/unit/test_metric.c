/* Metrics count right, over the whole of 64 bits, while other threads look on. */
#include "test/unit/unit.h"

#include "base/metric.h"
#include "base/scope.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scope *root;
static struct metric_set *set;

static void open_set(void)
{
    root = scope_open_root("test", NULL);
    set = metric_set_open(root);
}

static void close_set(void)
{
    scope_close(root);
}

START_TEST(counters_grow_and_gauges_are_set)
{
    struct metric_counter *counter = metric_counter_open(set, "reads_total", "Reads.");
    struct metric_counter *gauge = metric_gauge_open(set, "connections", "Open connections.");
    ck_assert_uint_eq(metric_value(counter), 0);
    metric_add(counter, 3);
    metric_add(counter, 4);
    metric_set_value(gauge, 9);
    metric_set_value(gauge, 2);
    ck_assert_uint_eq(metric_value(counter), 7);
    ck_assert_uint_eq(metric_value(gauge), 2);
}
END_TEST

static char seen[256];

static void see(void *argument, const char *name, const char *help, enum metric_kind kind,
                const struct metric_counter *counter, const struct metric_histogram *histogram)
{
    ck_assert_ptr_eq(argument, seen);
    ck_assert_int_eq(kind == METRIC_HISTOGRAM, counter == NULL);
    ck_assert_int_eq(kind == METRIC_HISTOGRAM, histogram != NULL);
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s|%s|%d|%llu;", name, help, (int)kind,
             (unsigned long long)(counter ? metric_value(counter) : histogram->count));
}

START_TEST(a_walk_sees_each_metric_in_order_of_registration)
{
    metric_add(metric_counter_open(set, "b_total", "B."), 1);
    metric_observe(metric_histogram_open(set, "c_seconds", "C."), 5);
    metric_set_value(metric_gauge_open(set, "a", "A."), 3);
    metric_each(set, see, seen);
    ck_assert_str_eq(seen, "b_total|B.|0|1;c_seconds|C.|2|1;a|A.|1|3;");
}
END_TEST

static void register_twice(void *argument)
{
    metric_counter_open(set, "same_total", "");
    metric_gauge_open(set, "same_total", "");
}

START_TEST(a_name_is_registered_once)
{
    ck_assert(unit_check_fails(register_twice, NULL, "\"same_total\" is registered twice"));
}
END_TEST

START_TEST(buckets_follow_each_other_without_gap_and_are_narrow)
{
    ck_assert_uint_eq(metric_bucket_of(0), 0);
    ck_assert_uint_eq(metric_bucket_of(UINT64_MAX), 251);
    for (uint32_t bucket = 0; bucket < 252; bucket++) {
        uint64_t floor = metric_bucket_floor(bucket), next = metric_bucket_floor(bucket + 1);
        ck_assert_uint_eq(metric_bucket_of(floor), bucket);
        ck_assert_uint_eq(metric_bucket_of(next - 1), bucket);
        if (bucket > 0)
            ck_assert_uint_eq(metric_bucket_of(floor - 1), bucket - 1);
        ck_assert_uint_le(next - floor, floor / 4 + 1); /* 25 % */
    }
    for (uint32_t bucket = 252; bucket < METRIC_BUCKETS; bucket++)
        ck_assert_uint_eq(metric_bucket_floor(bucket), UINT64_MAX);
}
END_TEST

static void ask_for_a_bucket_too_many(void *argument)
{
    metric_bucket_floor(METRIC_BUCKETS);
}

START_TEST(there_is_no_bucket_behind_the_last)
{
    ck_assert(unit_check_fails(ask_for_a_bucket_too_many, NULL, "bucket < METRIC_BUCKETS"));
}
END_TEST

START_TEST(an_empty_histogram_has_no_quantiles)
{
    struct metric_histogram histogram = {0};
    ck_assert_uint_eq(metric_quantile(&histogram, 0.5), 0);
}
END_TEST

START_TEST(one_observation_is_every_quantile)
{
    static const uint64_t values[] = {0, 1, 3, 4, 7, 1000, UINT64_MAX};
    static const double shares[] = {-1, 0, 0.5, 0.99, 1, 2};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct metric_histogram histogram = {0};
        metric_observe(&histogram, values[i]);
        for (size_t j = 0; j < sizeof shares / sizeof *shares; j++) {
            uint64_t answer = metric_quantile(&histogram, shares[j]);
            ck_assert_uint_eq(metric_bucket_of(answer), metric_bucket_of(values[i]));
            if (values[i] < 8)
                ck_assert_uint_eq(answer, values[i]);
        }
    }
}
END_TEST

static int ascending(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

START_TEST(quantiles_are_right_to_a_bucket)
{
    static uint64_t values[5000];
    uint64_t random = unit_seed();
    for (int round = 0; round < 20; round++) {
        struct metric_histogram histogram = {0};
        uint64_t sum = 0;
        size_t count = 1 + unit_random_below(&random, 5000);
        for (size_t i = 0; i < count; i++) {
            values[i] = unit_random(&random) >> (10 + unit_random_below(&random, 54));
            metric_observe(&histogram, values[i]);
            sum += values[i];
        }
        qsort(values, count, sizeof *values, ascending);
        ck_assert_uint_eq(histogram.count, count);
        ck_assert_uint_eq(histogram.sum, sum);
        for (int percent = 0; percent <= 100; percent++) {
            uint64_t answer = metric_quantile(&histogram, percent / 100.0);
            /* The value asked for, one to either side for rounding. */
            size_t place = (size_t)((double)count * percent / 100.0);
            uint64_t low = values[place > 1 ? place - 2 : 0],
                     high = values[place + 1 < count ? place + 1 : count - 1];
            ck_assert_uint_ge(metric_bucket_of(answer), metric_bucket_of(low));
            ck_assert_uint_le(metric_bucket_of(answer), metric_bucket_of(high));
        }
    }
}
END_TEST

START_TEST(merged_histograms_are_as_one)
{
    uint64_t random = unit_seed();
    struct metric_histogram one = {0}, a = {0}, b = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t value = unit_random(&random) >> unit_random_below(&random, 64);
        metric_observe(&one, value);
        metric_observe(i % 3 ? &a : &b, value);
    }
    metric_histogram_merge(&a, &b);
    ck_assert_int_eq(memcmp(&a, &one, sizeof one), 0);
}
END_TEST

/* ---- a reader on another thread; the thread sanitizer watches ---- */

static void count_metric(void *argument, const char *name, const char *help, enum metric_kind kind,
                         const struct metric_counter *counter, const struct metric_histogram *histogram)
{
    uint64_t *found = argument;
    if (name && help && (counter ? metric_value(counter) <= 1000 : metric_quantile(histogram, 1) < 10))
        ++*found;
}

#define REGISTERED 200

static void *read_until_all_are_there(void *argument)
{
    uint64_t found = 0, before = 0;
    while (found < REGISTERED) {
        found = 0;
        metric_each(set, count_metric, &found);
        if (found < before)
            return "metrics have vanished";
        before = found;
    }
    return NULL;
}

START_TEST(another_core_may_read_while_the_owner_registers)
{
    static char names[REGISTERED][16];
    pthread_t reader;
    void *failed;
    ck_assert_int_eq(pthread_create(&reader, NULL, read_until_all_are_there, NULL), 0);
    for (int i = 0; i < REGISTERED; i++) {
        snprintf(names[i], sizeof names[i], "metric_%d", i);
        if (i % 2) {
            struct metric_counter *counter = metric_counter_open(set, names[i], "Help.");
            for (int j = 0; j < 1000; j++)
                metric_add(counter, 1);
        } else {
            struct metric_histogram *histogram = metric_histogram_open(set, names[i], "Help.");
            for (int j = 0; j < 1000; j++)
                metric_observe(histogram, 7);
        }
    }
    pthread_join(reader, &failed);
    ck_assert_msg(!failed, "%s", (char *)failed);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("metric");
    tcase_add_checked_fixture(tests, open_set, close_set);
    tcase_add_test(tests, counters_grow_and_gauges_are_set);
    tcase_add_test(tests, a_walk_sees_each_metric_in_order_of_registration);
    tcase_add_test(tests, a_name_is_registered_once);
    tcase_add_test(tests, buckets_follow_each_other_without_gap_and_are_narrow);
    tcase_add_test(tests, there_is_no_bucket_behind_the_last);
    tcase_add_test(tests, an_empty_histogram_has_no_quantiles);
    tcase_add_test(tests, one_observation_is_every_quantile);
    tcase_add_test(tests, quantiles_are_right_to_a_bucket);
    tcase_add_test(tests, merged_histograms_are_as_one);
    tcase_add_test(tests, another_core_may_read_while_the_owner_registers);
    return unit_run(tests);
}
