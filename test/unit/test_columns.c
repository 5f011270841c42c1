/* What is computed by columns gives what is computed value by value: kernels of numerics, aggregates stepped through a batch. */
#include "base/scope.h"
#include "sqlfront/library/library.h"
#include "sqlfront/value/value.h"
#include "test/unit/unit.h"

#define ROWS   64
#define GROUPS 3
#define ROUNDS 400

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

static struct value numeric_of(const char *text)
{
    struct value value;
    const struct type *type = type_builtin(TYPE_NUMERIC);
    ck_assert(!type->ops->in(&environment, scope, type, -1, bytes_of_text(text), &value, &error));
    return value;
}

/* A column mostly of one scale, as a table's is; what does not fit 64 bits, other scales, no numbers and nulls among them. */
static void draw_numerics(uint64_t *state, struct value *column)
{
    static const char *const odd[] = {"NaN",
                                      "Infinity",
                                      "-Infinity",
                                      "123456789012345678901234567890.5",
                                      "-1e30",
                                      "9223372036854775807",
                                      "-9223372036854775807",
                                      "-9223372036854775808",
                                      "0.000000000000000001",
                                      "9.223372036854775807",
                                      "0",
                                      "7"};
    int scale = (int)unit_random_below(state, 5);
    uint64_t strange = unit_random_below(state, 3) ? 0 : 1 + unit_random_below(state, 8);
    for (uint32_t row = 0; row < ROWS; row++) {
        int64_t unscaled = (int64_t)unit_random(state) >> (8 + unit_random_below(state, 50));
        column[row] = value_small_numeric(unscaled, scale);
        if (unit_random_below(state, 16) < strange)
            column[row] = unit_random_below(state, 3)
                              ? numeric_of(odd[unit_random_below(state, sizeof odd / sizeof odd[0])])
                              : value_null();
    }
}

static struct call call_of(const struct type *const *types, uint32_t arguments, const struct type *result)
{
    return (struct call){.environment = &environment,
                         .scope = scope,
                         .scope_lasting = scope,
                         .error = &error,
                         .result = result,
                         .types = types,
                         .arguments = arguments,
                         .modifier = -1};
}

/* As shown, digits behind the point and all; a null and a failure are told apart, too. */
static const char *shown(const struct type *type, enum sqlstate failed, const struct value *value)
{
    struct bytes text;
    if (failed)
        return "failed";
    if (value->null)
        return "null";
    ck_assert(!type->ops->out(&environment, scope, type, value, &text, &error));
    char *copy = scope_alloc(scope, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return copy;
}

static uint32_t draw_selection(uint64_t *state, uint16_t *selection)
{
    uint32_t count = 0;
    for (uint16_t row = 0; row < ROWS; row++)
        if (unit_random_below(state, 3))
            selection[count++] = row;
    return count;
}

START_TEST(arithmetic_of_numeric_columns_is_that_of_their_values)
{
    static const char *const names[] = {"numeric_add", "numeric_sub", "numeric_mul"};
    uint64_t state = unit_seed();
    const struct type *numeric = type_builtin(TYPE_NUMERIC), *types[] = {numeric, numeric};
    struct call call = call_of(types, 2, numeric);
    for (int round = 0; round < ROUNDS; round++) {
        struct value a[ROWS], b[ROWS], result[ROWS];
        uint16_t selection[ROWS];
        draw_numerics(&state, a);
        draw_numerics(&state, b);
        uint32_t count = draw_selection(&state, selection);
        const char *name = names[round % 3];
        const struct value *columns[] = {a, b};
        if (count == 0 || kernel_find(name)->run(&call, columns, selection, count, result))
            continue; /* a failure is the first row's that has one */
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = selection[i];
            struct value pair[] = {a[row], b[row]}, one = value_null();
            enum sqlstate failed = SQLSTATE_OK;
            if (!pair[0].null && !pair[1].null) {
                one.null = false;
                failed = function_find(name)->run(&call, pair, &one);
            }
            ck_assert_str_eq(shown(numeric, SQLSTATE_OK, &result[row]), shown(numeric, failed, &one));
        }
    }
}
END_TEST

static void draw_column(uint64_t *state, const struct type *type, struct value *column)
{
    if (type->kind == VALUE_NUMERIC) {
        draw_numerics(state, column);
        return;
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        int64_t drawn = (int64_t)unit_random(state) >> (type->width == 4 ? 40 : 8);
        column[row] = type->kind == VALUE_FLOAT ? value_float((double)drawn / 64) : value_integer(drawn);
        if (unit_random_below(state, 8) == 0)
            column[row] = value_null();
    }
}

static void step_both(uint64_t *state, const char *name, const uint32_t *types_of, uint32_t arguments,
                      uint32_t result_type)
{
    const struct type *type = type_builtin(arguments ? types_of[0] : TYPE_INT4), *types[] = {type};
    const struct aggregate *aggregate = aggregate_find(name, types_of, arguments);
    ck_assert(aggregate && aggregate->step_rows);
    struct call call = call_of(types, arguments, type_builtin(result_type));
    struct value column[ROWS];
    const struct value *columns[] = {column};
    uint16_t selection[ROWS];
    void *states[ROWS], *by_rows[GROUPS], *by_one[GROUPS];
    draw_column(state, type, column);
    uint32_t count = draw_selection(state, selection);
    for (uint32_t g = 0; g < GROUPS; g++) {
        by_rows[g] = scope_alloc_zeroed(scope, 16 + aggregate->state_bytes);
        by_one[g] = scope_alloc_zeroed(scope, aggregate->state_bytes);
    }
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection[i], group = (uint32_t)unit_random_below(state, GROUPS);
        states[row] = by_rows[group];
        if (!failed && (aggregate->takes_null || !column[row].null))
            failed = aggregate->step(&call, by_one[group], &column[row]);
    }
    ck_assert_int_eq(aggregate->step_rows(&call, states, 16, columns, selection, count), failed);
    for (uint32_t g = 0; g < GROUPS && !failed; g++) {
        struct value one = {0}, rows = {0};
        enum sqlstate ended = aggregate->finish(&call, by_one[g], &one);
        enum sqlstate rows_ended = aggregate->finish(&call, (uint8_t *)by_rows[g] + 16, &rows);
        ck_assert_str_eq(shown(call.result, rows_ended, &rows), shown(call.result, ended, &one));
    }
}

START_TEST(aggregates_of_columns_are_those_of_their_values)
{
    uint64_t state = unit_seed();
    static const uint32_t two[] = {TYPE_INT2}, four[] = {TYPE_INT4}, eight[] = {TYPE_INT8},
                          real[] = {TYPE_FLOAT8}, exact[] = {TYPE_NUMERIC};
    for (int round = 0; round < ROUNDS; round++) {
        step_both(&state, "sum", exact, 1, TYPE_NUMERIC);
        step_both(&state, "avg", exact, 1, TYPE_NUMERIC);
        step_both(&state, "min", exact, 1, TYPE_NUMERIC);
        step_both(&state, "max", exact, 1, TYPE_NUMERIC);
        step_both(&state, "sum", two, 1, TYPE_INT8);
        step_both(&state, "sum", four, 1, TYPE_INT8);
        step_both(&state, "max", four, 1, TYPE_INT4);
        step_both(&state, "sum", eight, 1, TYPE_NUMERIC);
        step_both(&state, "avg", eight, 1, TYPE_NUMERIC);
        step_both(&state, "sum", real, 1, TYPE_FLOAT8);
        step_both(&state, "count", NULL, 0, TYPE_INT8);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("columns");
    tcase_add_checked_fixture(tests, open_scope, close_scope);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, arithmetic_of_numeric_columns_is_that_of_their_values);
    tcase_add_test(tests, aggregates_of_columns_are_those_of_their_values);
    return unit_run(tests);
}
