/* Statistics on columns: sketches count well, samples stay even however many rows come, what is common is found. */
#include "base/scope.h"
#include "sqlfront/library/library.h"
#include "sqlfront/statistics/statistics.h"
#include "test/unit/unit.h"

#include <math.h>
#include <stdio.h>

#define COLUMNS 3 /* id, a value that is common or rare, text with nulls */
#define TARGET  100

static struct scope *scope;
static struct error error;
static struct environment environment;
static const struct type *types[COLUMNS];
static const uint16_t wanted[] = {0, 1, 2};
static struct row_layout *layout;

static const struct type *find(struct environment *unused, uint32_t oid)
{
    (void)unused;
    return type_builtin(oid);
}

static void open_scope(void)
{
    scope = scope_open_root("test", NULL);
    environment = (struct environment){.type_find = find};
    types[0] = type_builtin(TYPE_INT8);
    types[1] = type_builtin(TYPE_INT4);
    types[2] = type_builtin(TYPE_TEXT);
    const struct value missing[COLUMNS] = {value_null(), value_null(), value_null()};
    layout = row_layout_make(scope, types, COLUMNS, missing);
}

static void close_scope(void)
{
    scope_close(scope);
}

static struct gathering *gather(double expected)
{
    struct gathering *gathering;
    const struct gathering_request request = {.environment = &environment,
                                              .layout = layout,
                                              .types = types,
                                              .wanted = wanted,
                                              .wanted_count = COLUMNS,
                                              .columns = COLUMNS,
                                              .rows_wanted = TARGET * STATISTICS_ROWS_PER_TARGET,
                                              .rows_expected = expected,
                                              .seed = unit_seed()};
    ck_assert_int_eq(gathering_open(scope, &request, &gathering, &error), SQLSTATE_OK);
    return gathering;
}

/* Rows from .. to-1: a tenth of them has 7 in the second column, the others 1000 + a number below 5000; every fourth text is
 * null. */
static void take(struct gathering *gathering, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct scope *row_scope = scope_open(scope, "row");
        struct bytes row;
        char text[32];
        snprintf(text, sizeof text, "text %u", i % 997);
        const struct value values[COLUMNS] = {
            value_integer(i), value_integer(i % 10 == 0 ? 7 : 1000 + (int64_t)(i * 2654435761U % 5000)),
            i % 4 == 0 ? value_null() : value_text(text)};
        ck_assert_int_eq(row_encode(layout, row_scope, values, &row, &error), SQLSTATE_OK);
        ck_assert_int_eq(gathering_row(gathering, row, i, &error), SQLSTATE_OK);
        scope_close(row_scope);
    }
}

static struct column_statistics look(struct gathering **gatherings, uint32_t count, uint32_t column)
{
    struct column_statistics statistics;
    ck_assert_int_eq(statistics_column(scope, gatherings, count, column, TARGET, &statistics, &error),
                     SQLSTATE_OK);
    return statistics;
}

START_TEST(a_sketch_is_right_within_five_percent)
{
    for (uint32_t count = 1; count <= 1000000; count *= 10) {
        uint8_t registers[2][SKETCH_BYTES] = {0};
        for (uint32_t i = 0; i < count; i++) {
            sketch_add(registers[i % 2], i * 0x9e3779b97f4a7c15UL);
            sketch_add(registers[0], (i / 2) * 0x9e3779b97f4a7c15UL); /* again: makes no difference */
        }
        sketch_merge(registers[0], registers[1]);
        ck_assert_double_le(fabs(sketch_count(registers[0]) - count), 0.05 * count + 0.5);
    }
    uint8_t nothing[SKETCH_BYTES] = {0};
    ck_assert_double_eq(sketch_count(nothing), 0);
}
END_TEST

static void check_table(struct gathering **gatherings, uint32_t count, uint32_t rows)
{
    gatherings_even(gatherings, count);
    struct column_statistics id = look(gatherings, count, 0), value = look(gatherings, count, 1),
                             text = look(gatherings, count, 2);
    ck_assert(id.grows);
    ck_assert_double_le(fabs(id.distinct - rows), 0.05 * rows);
    ck_assert_uint_eq(id.commons, 0);
    ck_assert_uint_eq(id.bounds, TARGET + 1);
    for (uint32_t i = 0; i < id.bounds; i++) {
        double even = (double)rows * i / TARGET;
        ck_assert_double_le(fabs((double)id.bound[i].i - even), 0.03 * rows);
    }
    ck_assert(id.has_correlation && id.correlation > 0.999);
    ck_assert(!value.grows);
    ck_assert_double_le(fabs(value.distinct - 5001), 250);
    ck_assert_uint_ge(value.commons, 1);
    ck_assert_int_eq(value.common[0].i, 7);
    ck_assert_double_le(fabs(value.share[0] - 0.1), 0.01);
    ck_assert_double_le(fabs(value.correlation), 0.05);
    ck_assert_double_le(fabs(text.null_share - 0.25), 0.001);
    ck_assert_double_le(fabs(text.distinct - 997), 50);
    ck_assert_double_le(fabs(text.width - 9), 1);
}

START_TEST(a_sample_stays_even_when_more_rows_come_than_expected)
{
    struct gathering *one = gather(10);
    take(one, 0, 200000);
    check_table(&one, 1, 200000);
}
END_TEST

START_TEST(a_sample_is_drawn_beforehand_from_many_rows)
{
    struct gathering *one = gather(400000);
    take(one, 0, 400000);
    ck_assert_uint_eq(gathering_rows(one), 400000);
    check_table(&one, 1, 400000);
}
END_TEST

START_TEST(cores_with_unlike_shares_are_evened_out)
{
    struct gathering *both[] = {gather(10), gather(10)};
    take(both[0], 0, 180000);
    take(both[1], 180000, 200000);
    check_table(both, 2, 200000);
}
END_TEST

START_TEST(a_small_table_is_known_exactly)
{
    struct gathering *both[] = {gather(100), gather(100)};
    take(both[0], 0, 60);
    take(both[1], 60, 100);
    gatherings_even(both, 2);
    struct column_statistics id = look(both, 2, 0), value = look(both, 2, 1), text = look(both, 2, 2);
    ck_assert_double_eq(id.distinct, 100);
    ck_assert_uint_eq(id.bounds, 100);
    for (uint32_t i = 0; i < 100; i++)
        ck_assert_int_eq(id.bound[i].i, i);
    ck_assert_double_eq(id.correlation, 1);
    ck_assert_double_eq(value.share[0], 0.1);
    ck_assert_double_eq(text.null_share, 0.25);
}
END_TEST

START_TEST(rows_larger_than_the_memory_and_values_that_are_too_long_do_no_harm)
{
    struct gathering *one = gather(10);
    size_t size = 3000000;
    uint8_t *large = scope_alloc(scope, size);
    memset(large, 'x', size);
    for (int i = 0; i < 20; i++) {
        struct scope *row_scope = scope_open(scope, "row");
        struct bytes row;
        const struct value values[COLUMNS] = {value_integer(i), value_integer(i % 2),
                                              value_bytes(large, i % 2 ? size : 5)};
        ck_assert_int_eq(row_encode(layout, row_scope, values, &row, &error), SQLSTATE_OK);
        ck_assert_int_eq(gathering_row(one, row, (uint64_t)i, &error), SQLSTATE_OK);
        scope_close(row_scope);
    }
    gatherings_even(&one, 1);
    struct column_statistics text = look(&one, 1, 2);
    ck_assert_double_eq(text.null_share, 0);
    ck_assert_double_ge(text.width, (double)size / 2);
    for (uint32_t i = 0; i < text.commons; i++)
        ck_assert_uint_eq(text.common[i].size, 5);
}
END_TEST

START_TEST(an_empty_table_has_no_statistics)
{
    struct gathering *one = gather(0);
    gatherings_even(&one, 1);
    struct column_statistics id = look(&one, 1, 0);
    ck_assert_double_eq(id.distinct, 0);
    ck_assert_uint_eq(id.commons + id.bounds, 0);
    ck_assert(!id.has_correlation);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("statistics");
    tcase_add_checked_fixture(tests, open_scope, close_scope);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_sketch_is_right_within_five_percent);
    tcase_add_test(tests, a_sample_stays_even_when_more_rows_come_than_expected);
    tcase_add_test(tests, a_sample_is_drawn_beforehand_from_many_rows);
    tcase_add_test(tests, cores_with_unlike_shares_are_evened_out);
    tcase_add_test(tests, a_small_table_is_known_exactly);
    tcase_add_test(tests, rows_larger_than_the_memory_and_values_that_are_too_long_do_no_harm);
    tcase_add_test(tests, an_empty_table_has_no_statistics);
    return unit_run(tests);
}
