/* Rows and keys as bytes: what is written comes back, order holds, damage is noticed. */
#include "base/scope.h"
#include "sqlfront/library/library.h"
#include "sqlfront/value/value.h"
#include "test/unit/unit.h"

#include <stdlib.h>

static struct scope *scope;
static struct error error;
static struct environment environment;

static const struct type *find(struct environment *unused, uint32_t oid)
{
    (void)unused;
    return type_builtin(oid);
}

static void open_scope(void)
{
    scope = scope_open_root("test", NULL);
    environment = (struct environment){.type_find = find};
}

static void close_scope(void)
{
    scope_close(scope);
}

static const uint32_t oids[] = {TYPE_BOOL,    TYPE_INT2,   TYPE_INT4,    TYPE_OID,    TYPE_INT8,
                                TYPE_FLOAT4,  TYPE_FLOAT8, TYPE_TEXT,    TYPE_BYTEA,  TYPE_UUID,
                                TYPE_NUMERIC, TYPE_BPCHAR, TYPE_VARCHAR, TYPE_NUMERIC};
#define TYPES (sizeof oids / sizeof oids[0])

static struct value read_text(const struct type *type, const char *text)
{
    struct value value;
    enum sqlstate failed = type->ops->in(&environment, scope, type, -1, bytes_of_text(text), &value, &error);
    ck_assert_msg(!failed, "%s: %s", text, error_text(&error, ERROR_MESSAGE));
    return value;
}

/* Few different values, the borders among them, so that equal ones meet. */
static struct value draw(uint64_t *state, const struct type *type)
{
    static const char *const numerics[] = {"0",
                                           "1",
                                           "1.0",
                                           "-1",
                                           "1.5",
                                           "-1.5",
                                           "0.00001",
                                           "-0.00001",
                                           "123456789012345678901234567890.123",
                                           "-123456789012345678901234567890.124",
                                           "9999",
                                           "10000",
                                           "9999.9999",
                                           "1e100",
                                           "-1e100",
                                           "1e-100",
                                           "NaN",
                                           "Infinity",
                                           "-Infinity",
                                           "99990000",
                                           "123456789.000000001"};
    static const double floats[] = {
        0, -0.0, 1, -1, 1e300, -1e300, 0.5, -0.5, __builtin_inf(), -__builtin_inf(), __builtin_nan("")};
    static const int64_t integers[] = {0,         1,         -1,        2,         255,       256, INT16_MAX,
                                       INT16_MIN, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 77};
    uint64_t pick = unit_random(state);
    int64_t i = integers[pick % 13];
    switch (type->kind) {
    case VALUE_INTEGER:
        if (type->width == 1)
            return value_integer(i & 1);
        if (type_is_unsigned(type))
            return value_integer((uint32_t)i);
        return value_integer(type->width == 2 ? (int16_t)i : type->width == 4 ? (int32_t)i : i);
    case VALUE_FLOAT:
        return value_float(type->width == 4 ? (double)(float)floats[pick % 11] : floats[pick % 11]);
    case VALUE_NUMERIC:
        return read_text(type, numerics[pick % 21]);
    default:
        break;
    }
    uint32_t size = type->width ? type->width : (uint32_t)(pick % 5);
    uint8_t *room = scope_alloc(scope, 32);
    for (uint32_t at = 0; at < size; at++)
        room[at] = (uint8_t) "\0\1 a\xff"[unit_random_below(state, 5)];
    return value_bytes(room, size);
}

START_TEST(rows_come_back_as_written_whatever_columns_are_wanted)
{
    uint64_t state = unit_seed();
    const struct type *types[TYPES];
    for (size_t i = 0; i < TYPES; i++)
        types[i] = type_builtin(oids[i]);
    struct row_layout *layout = row_layout_make(scope, types, TYPES, NULL);
    for (int round = 0; round < 300; round++) {
        struct value values[TYPES], back[TYPES];
        for (size_t i = 0; i < TYPES; i++)
            values[i] =
                unit_random_below(&state, round % 3 ? 4 : 1000) ? draw(&state, types[i]) : value_null();
        struct bytes row;
        ck_assert(!row_encode(layout, scope, values, &row, &error));
        uint16_t wanted[TYPES];
        uint32_t count = (uint32_t)unit_random_below(&state, TYPES + 1);
        for (uint32_t i = 0; i < count; i++)
            wanted[i] = (uint16_t)unit_random_below(&state, TYPES);
        ck_assert(!row_decode(layout, row, wanted, count, back, &error));
        for (uint32_t i = 0; i < count; i++) {
            const struct value *was = &values[wanted[i]];
            ck_assert_int_eq(back[i].null, was->null);
            if (!was->null)
                ck_assert(value_equal(&environment, types[wanted[i]], was, &back[i]));
            if (!was->null && types[wanted[i]]->kind == VALUE_NUMERIC && was->small)
                ck_assert_int_eq(back[i].scale, was->scale);
        }
    }
}
END_TEST

START_TEST(columns_added_later_have_what_was_missing)
{
    const struct type *types[] = {type_builtin(TYPE_TEXT), type_builtin(TYPE_INT4), type_builtin(TYPE_TEXT)};
    struct value missing[] = {value_null(), value_integer(42), value_text("new")}, back[3];
    struct row_layout *old = row_layout_make(scope, types, 1, NULL);
    struct row_layout *new = row_layout_make(scope, types, 3, missing);
    struct value text = value_text("old");
    struct bytes row;
    ck_assert(!row_encode(old, scope, &text, &row, &error));
    ck_assert(!row_decode(new, row, (uint16_t[]){0, 1, 2}, 3, back, &error));
    ck_assert_int_eq(bytes_compare(value_view(&back[0]), bytes_of_text("old")), 0);
    ck_assert_int_eq(back[1].i, 42);
    ck_assert_int_eq(bytes_compare(value_view(&back[2]), bytes_of_text("new")), 0);
}
END_TEST

START_TEST(values_above_64_kib_take_wide_ends)
{
    const struct type *types[] = {type_builtin(TYPE_TEXT), type_builtin(TYPE_TEXT)};
    struct row_layout *layout = row_layout_make(scope, types, 2, NULL);
    char *large = scope_alloc(scope, 100000);
    memset(large, 'x', 100000);
    struct value values[] = {value_bytes(large, 100000), value_text("behind")}, back;
    struct bytes row;
    ck_assert(!row_encode(layout, scope, values, &row, &error));
    ck_assert(!row_decode(layout, row, (uint16_t[]){1}, 1, &back, &error));
    ck_assert_int_eq(bytes_compare(value_view(&back), bytes_of_text("behind")), 0);
}
END_TEST

/* A damaged row gives XX001 or values whose bytes lie in the row. */
START_TEST(damaged_rows_are_noticed_or_harmless)
{
    uint64_t state = unit_seed();
    const struct type *types[] = {type_builtin(TYPE_TEXT), type_builtin(TYPE_INT4),
                                  type_builtin(TYPE_NUMERIC)};
    struct row_layout *layout = row_layout_make(scope, types, 3, NULL);
    int noticed = 0;
    for (int round = 0; round < 3000; round++) {
        struct value values[] = {value_text("abcdef"), value_integer(7), value_small_numeric(1234, 2)},
                     back[3];
        struct bytes row;
        ck_assert(!row_encode(layout, scope, values, &row, &error));
        size_t size = unit_random_below(&state, row.size + 1);
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, row.data, size);
        for (int i = 0; size && i < 2; i++)
            copy[unit_random_below(&state, size)] = (uint8_t)unit_random(&state);
        enum sqlstate failed =
            row_decode(layout, bytes_of(copy, size), (uint16_t[]){0, 1, 2}, 3, back, &error);
        noticed += failed == SQLSTATE_DATA_CORRUPTED;
        for (int i = 0; !failed && i < 3; i++)
            if (!back[i].null && back[i].size && !back[i].small)
                ck_assert(back[i].p >= copy && back[i].p + back[i].size <= copy + size);
        free(copy);
    }
    ck_assert_int_gt(noticed, 1000);
}
END_TEST

/* ---- conditions of stored rows ---- */

#define CONDITIONS 4

/* What a condition says of decoded values. */
static bool says(const struct row_test *test, const struct value *values)
{
    const struct value *value = &values[test->column];
    bool any = false;
    for (uint32_t i = 0; i < (test->constants ? test->constants : 1); i++) {
        const struct value *other = test->constants ? &test->constant[i] : &values[test->other];
        if (value->null || other->null)
            return false;
        int order = value_compare(&environment, test->type, value, other);
        const bool truth[] = {[ROW_LESS] = order<0, [ROW_LESS_EQUAL] = order <= 0, [ROW_EQUAL] = order == 0,
                                                 [ROW_GREATER_EQUAL] = order >= 0, [ROW_GREATER] = order> 0,
                              [ROW_NOT_EQUAL] = order != 0};
        any |= truth[test->relation];
    }
    return any;
}

static struct row_test draw_condition(uint64_t *state, const struct type *const *types, const uint32_t *asked,
                                      uint32_t kinds)
{
    uint16_t column = (uint16_t)asked[unit_random_below(state, kinds)];
    struct row_test test = {.column = column,
                            .other = column,
                            .type = types[column],
                            .relation = (uint8_t)(ROW_LESS + unit_random_below(state, 6))};
    for (uint16_t c = 0; c < TYPES; c++)
        if (types[c]->oid == types[column]->oid)
            test.other = c;
    if (unit_random_below(state, 5) == 0)
        return test;
    test.constants = test.relation == ROW_EQUAL ? 1 + (uint32_t)unit_random_below(state, 3) : 1;
    struct value *constant = scope_alloc(scope, test.constants * sizeof constant[0]);
    for (uint32_t i = 0; i < test.constants; i++)
        constant[i] = draw(state, types[column]);
    test.constant = constant;
    return test;
}

/* Whole rows, rows with nulls and rows of fewer columns; a column asked several times has its bounds joined. */
START_TEST(conditions_hold_of_stored_rows_as_of_decoded_ones)
{
    uint64_t state = unit_seed();
    const struct type *types[TYPES];
    uint32_t asked[TYPES], kinds = 0, passed = 0, rounds = 20000;
    struct value missing[TYPES];
    for (uint32_t i = 0; i < TYPES; i++) {
        types[i] = type_builtin(oids[i]);
        missing[i] = draw(&state, types[i]);
        if (types[i]->order == ORDER_INTEGER || types[i]->order == ORDER_NUMERIC ||
            types[i]->order == ORDER_BYTES || types[i]->order == ORDER_PADDED)
            asked[kinds++] = i;
    }
    struct row_layout *layout = row_layout_make(scope, types, TYPES, missing);
    struct row_layout *shorter = row_layout_make(scope, types, TYPES / 2, missing);
    for (uint32_t round = 0; round < rounds; round++) {
        struct value values[TYPES];
        struct row_test tests[CONDITIONS];
        uint32_t count = 1 + (uint32_t)unit_random_below(&state, CONDITIONS),
                 few = round % 4 == 0 ? 1 : kinds;
        bool short_row = round % 7 == 0, expected = true;
        for (uint32_t i = 0; i < TYPES; i++)
            values[i] =
                round % 3 == 0 && unit_random_below(&state, 4) == 0 ? value_null() : draw(&state, types[i]);
        for (uint32_t i = TYPES / 2; i < TYPES && short_row; i++)
            values[i] = missing[i];
        uint32_t from = (uint32_t)unit_random_below(&state, kinds - few + 1);
        for (uint32_t i = 0; i < count; i++) {
            tests[i] = draw_condition(&state, types, asked + from, few);
            expected &= says(&tests[i], values);
        }
        struct bytes row;
        ck_assert(!row_encode(short_row ? shorter : layout, scope, values, &row, &error));
        row_tests_prepare(scope, layout, tests, count);
        ck_assert_int_eq(row_passes(layout, &environment, row, tests, count), expected);
        passed += expected;
    }
    ck_assert_uint_gt(passed, rounds / 20);
    ck_assert_uint_lt(passed, rounds / 20 * 19);
}
END_TEST

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static int compare_parts(const struct key_part *part, const struct value *a, const struct value *b)
{
    if (a->null || b->null)
        return part->nulls_first ? b->null - a->null : a->null - b->null;
    int order = sign(value_compare(&environment, part->type, a, b));
    return part->descending ? -order : order;
}

START_TEST(keys_order_as_their_values_and_come_back)
{
    uint64_t state = unit_seed();
    for (int round = 0; round < 20000; round++) {
        struct key_part parts[2];
        struct value values[2][2];
        struct key_writer writer[2] = {{.size = 0}, {.size = 0}};
        int order = 0;
        for (int p = 0; p < 2; p++) {
            parts[p] = (struct key_part){.type = type_builtin(oids[unit_random_below(&state, TYPES)]),
                                         .descending = unit_random(&state) & 1,
                                         .nulls_first = unit_random(&state) & 1};
            for (int t = 0; t < 2; t++) {
                values[t][p] = unit_random_below(&state, 6) ? draw(&state, parts[p].type) : value_null();
                ck_assert(!key_append(&writer[t], &parts[p], &values[t][p], &error));
            }
            if (order == 0)
                order = compare_parts(&parts[p], &values[0][p], &values[1][p]);
        }
        struct bytes a = bytes_of(writer[0].bytes, writer[0].size),
                     b = bytes_of(writer[1].bytes, writer[1].size);
        ck_assert_int_eq(sign(bytes_compare(a, b)), order);
        for (int p = 0; p < 2; p++) {
            struct value back;
            ck_assert(!key_decode(scope, &parts[p], &a, &back, &error));
            ck_assert_int_eq(back.null, values[0][p].null);
            if (!back.null)
                ck_assert(value_equal(&environment, parts[p].type, &back, &values[0][p]));
        }
        ck_assert_uint_eq(a.size, 0);
        if (round % 500 == 0) {
            close_scope();
            open_scope();
        }
    }
}
END_TEST

START_TEST(keys_too_long_fail_with_54000)
{
    struct key_part part = {.type = type_builtin(TYPE_TEXT)};
    char large[2100];
    memset(large, 'x', sizeof large);
    struct value value = value_bytes(large, sizeof large);
    struct key_writer writer = {.size = 0};
    ck_assert_int_eq(key_append(&writer, &part, &value, &error), SQLSTATE_PROGRAM_LIMIT_EXCEEDED);
}
END_TEST

START_TEST(damaged_keys_are_noticed_or_harmless)
{
    uint64_t state = unit_seed();
    int noticed = 0;
    for (int round = 0; round < 5000; round++) {
        struct key_part part = {.type = type_builtin(oids[unit_random_below(&state, TYPES)]),
                                .descending = unit_random(&state) & 1};
        struct value value = draw(&state, part.type), back;
        struct key_writer writer = {.size = 0};
        ck_assert(!key_append(&writer, &part, &value, &error));
        size_t size = unit_random_below(&state, writer.size + 1);
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, writer.bytes, size);
        if (size && unit_random(&state) & 1)
            copy[unit_random_below(&state, size)] = (uint8_t)unit_random(&state);
        struct bytes key = bytes_of(copy, size);
        enum sqlstate failed = key_decode(scope, &part, &key, &back, &error);
        noticed += failed == SQLSTATE_INDEX_CORRUPTED;
        free(copy);
    }
    ck_assert_int_gt(noticed, 1000);
}
END_TEST

START_TEST(the_key_after_a_prefix_is_above_all_that_begin_with_it)
{
    uint8_t room[4];
    uint32_t size;
    ck_assert(key_after_prefix(bytes_of("a\xff\xff", 3), room, &size));
    ck_assert_uint_eq(size, 1);
    ck_assert_int_eq(room[0], 'b');
    ck_assert(!key_after_prefix(bytes_of("\xff\xff", 2), room, &size));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("row_key");
    tcase_add_checked_fixture(tests, open_scope, close_scope);
    tcase_add_test(tests, rows_come_back_as_written_whatever_columns_are_wanted);
    tcase_add_test(tests, columns_added_later_have_what_was_missing);
    tcase_add_test(tests, values_above_64_kib_take_wide_ends);
    tcase_add_test(tests, damaged_rows_are_noticed_or_harmless);
    tcase_add_test(tests, conditions_hold_of_stored_rows_as_of_decoded_ones);
    tcase_add_test(tests, keys_order_as_their_values_and_come_back);
    tcase_add_test(tests, keys_too_long_fail_with_54000);
    tcase_add_test(tests, damaged_keys_are_noticed_or_harmless);
    tcase_add_test(tests, the_key_after_a_prefix_is_above_all_that_begin_with_it);
    return unit_run(tests);
}
