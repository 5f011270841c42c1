/* Programs over batches: three-valued logic, arguments for the rows that need them, lists. */
#include "base/scope.h"
#include "sqlfront/evaluate/evaluate.h"
#include "sqlfront/value/array/array.h"
#include "test/unit/unit.h"

static struct scope *scope;
static struct error error;
static struct environment environment;
static struct evaluation evaluation;
static const struct type *boolean, *int4;

static const struct type *find(struct environment *unused, uint32_t oid)
{
    (void)unused;
    return type_builtin(oid);
}

static void open_scope(void)
{
    scope = scope_open_root("test", NULL);
    environment = (struct environment){.type_find = find};
    evaluation = (struct evaluation){.environment = &environment};
    boolean = type_builtin(TYPE_BOOL);
    int4 = type_builtin(TYPE_INT4);
}

static void close_scope(void)
{
    scope_close(scope);
}

/* ---- expressions ---- */

static struct expression *column(int number, const struct type *type)
{
    return expression_column(scope, 0, number, type, -1, 0);
}

static struct expression *number(int64_t i)
{
    return expression_constant(scope, int4, value_integer(i));
}

static struct expression *make(enum expression_kind kind, const struct type *type, uint32_t count,
                               struct expression **arguments)
{
    struct expression *made = expression_make(scope, kind, type);
    made->arguments = count;
    made->argument = scope_copy(scope, arguments, count * sizeof arguments[0]);
    return made;
}
#define MAKE(kind, type, ...)                                                                    \
    make(kind, type, sizeof((struct expression *[]){__VA_ARGS__}) / sizeof(struct expression *), \
         (struct expression *[]){__VA_ARGS__})

/* int4div and int4eq of pg_proc. */
static struct expression *binary(uint32_t procedure, const struct type *type, struct expression *a,
                                 struct expression *b)
{
    struct expression *call = MAKE(EXPRESSION_CALL, type, a, b);
    call->procedure = procedure_builtin(procedure);
    return call;
}
#define DIVIDE 154
#define EQUAL  65

/* 1 / x = 1 */
static struct expression *one_by(struct expression *x)
{
    return binary(EQUAL, boolean, binary(DIVIDE, int4, number(1), x), number(1));
}

static void run(const struct expression *expression, const struct value *const *columns, uint32_t count,
                uint32_t rows, struct value *result)
{
    struct program *program;
    const struct value *column[4];
    for (uint32_t i = 0; i < count; i++)
        column[i] = columns[i];
    struct batch batch = {.columns = count, .count = rows, .column = column};
    ck_assert_msg(!program_make(scope, &evaluation, expression, &program, &error), "%s",
                  error_text(&error, ERROR_MESSAGE));
    ck_assert_msg(!program_run(program, &batch, scope, result, &error), "%s",
                  error_text(&error, ERROR_MESSAGE));
}

static char letter(const struct value *value)
{
    return value->null ? 'n' : value->i ? 't' : 'f';
}

static void expect(const struct value *values, const char *letters)
{
    for (uint32_t i = 0; letters[i]; i++)
        ck_assert_msg(letter(&values[i]) == letters[i], "row %u is %c", i, letter(&values[i]));
}

START_TEST(and_and_or_follow_the_truth_tables_of_three_values)
{
    struct value a[9], b[9], result[9];
    for (int i = 0; i < 9; i++) {
        a[i] = i / 3 == 2 ? value_null() : value_boolean(i / 3);
        b[i] = i % 3 == 2 ? value_null() : value_boolean(i % 3);
    }
    const struct value *columns[] = {a, b};
    run(MAKE(EXPRESSION_AND, boolean, column(0, boolean), column(1, boolean)), columns, 2, 9, result);
    expect(result, "fffftnfnn");
    run(MAKE(EXPRESSION_OR, boolean, column(0, boolean), column(1, boolean)), columns, 2, 9, result);
    expect(result, "ftntttntn");
}
END_TEST

START_TEST(arguments_are_evaluated_for_the_rows_that_need_them_only)
{
    struct value a[] = {value_integer(0), value_integer(1), value_integer(2), value_null()}, result[4];
    const struct value *columns[] = {a};
    struct expression *zero = binary(EQUAL, boolean, column(0, int4), number(0));
    run(MAKE(EXPRESSION_OR, boolean, zero, one_by(column(0, int4))), columns, 1, 4, result);
    expect(result, "ttfn");
    run(MAKE(EXPRESSION_CASE, boolean, zero, number(0), one_by(column(0, int4))), columns, 1, 4, result);
    expect(result, "ftfn");
    struct expression *nullif = MAKE(EXPRESSION_NULLIF, int4, column(0, int4), number(0));
    nullif->procedure = procedure_builtin(EQUAL);
    run(one_by(nullif), columns, 1, 4, result);
    expect(result, "ntfn");
}
END_TEST

START_TEST(an_error_of_a_row_that_is_needed_is_raised)
{
    struct value a[] = {value_integer(1), value_integer(0)}, result[2];
    const struct value *column_values[] = {a};
    struct batch batch = {.columns = 1, .count = 2, .column = column_values};
    struct program *program;
    ck_assert(!program_make(scope, &evaluation, one_by(column(0, int4)), &program, &error));
    ck_assert_int_eq(program_run(program, &batch, scope, result, &error), SQLSTATE_DIVISION_BY_ZERO);
}
END_TEST

START_TEST(select_keeps_the_rows_that_are_true)
{
    struct value a[100];
    uint16_t selection[BATCH_ROWS];
    uint32_t count;
    for (int i = 0; i < 100; i++)
        a[i] = i % 7 ? value_integer(i % 3) : value_null();
    const struct value *columns[] = {a};
    struct batch batch = {.columns = 1, .count = 100, .column = columns};
    struct program *program;
    ck_assert(!program_make(scope, &evaluation, binary(EQUAL, boolean, column(0, int4), number(1)), &program,
                            &error));
    ck_assert(!program_select(program, &batch, scope, selection, &count, &error));
    uint32_t expected = 0;
    for (int i = 0; i < 100; i++)
        if (i % 7 && i % 3 == 1)
            ck_assert_int_eq(selection[expected++], i);
    ck_assert_uint_eq(count, expected);
}
END_TEST

/* Short lists are looked through, long ones hashed: the same answers. */
START_TEST(lists_answer_alike_whether_hashed_or_not)
{
    struct value a[] = {value_integer(3), value_integer(50), value_null()}, result[3];
    const struct value *columns[] = {a};
    for (uint32_t count = 2; count <= 40; count += 19)
        for (int with_null = 0; with_null < 2; with_null++) {
            struct expression *arguments[42] = {column(0, int4)};
            struct value elements[41];
            for (uint32_t i = 0; i < count; i++) {
                elements[i] = value_integer(i + 2);
                arguments[i + 1] = number(i + 2);
            }
            if (with_null)
                elements[0] = arguments[1]->constant = value_null();
            struct expression *in = make(EXPRESSION_IN_LIST, boolean, count + 1, arguments);
            in->procedure = procedure_builtin(EQUAL);
            run(in, columns, 1, 3, result);
            expect(result, with_null ? "tnn" : "tfn");
            struct value array;
            ck_assert(!array_build_list(scope, int4, elements, count, &array, &error));
            struct expression *any =
                MAKE(EXPRESSION_ANY, boolean, column(0, int4),
                     expression_constant(scope, type_builtin(TYPE_ARRAY_OF_INT4), array));
            any->procedure = procedure_builtin(EQUAL);
            run(any, columns, 1, 3, result);
            expect(result, with_null ? "tnn" : "tfn");
        }
}
END_TEST

START_TEST(rows_compare_by_their_first_difference_and_nulls_make_unknown)
{
    struct value a[] = {value_integer(1), value_integer(1), value_null()}, result[3];
    struct value b[] = {value_integer(5), value_null(), value_integer(5)};
    const struct value *columns[] = {a, b};
    struct expression *less =
        MAKE(EXPRESSION_ROW_COMPARE, boolean, column(0, int4), column(1, int4), number(1), number(9));
    less->strategy = 1;
    run(less, columns, 2, 3, result);
    expect(result, "tnn");
    struct expression *equal =
        MAKE(EXPRESSION_ROW_COMPARE, boolean, column(0, int4), column(1, int4), number(2), number(5));
    equal->strategy = 3;
    const struct procedure *procedures[] = {procedure_builtin(EQUAL), procedure_builtin(EQUAL)};
    equal->procedures = procedures;
    run(equal, columns, 2, 3, result);
    expect(result, "ffn");
}
END_TEST

START_TEST(arrays_and_records_are_built_and_taken_apart)
{
    struct value a[] = {value_integer(7), value_null()}, result[2];
    const struct value *columns[] = {a};
    struct expression *array =
        MAKE(EXPRESSION_ARRAY, type_builtin(TYPE_ARRAY_OF_INT4), number(1), column(0, int4));
    run(MAKE(EXPRESSION_SUBSCRIPT, int4, array, number(2)), columns, 1, 2, result);
    ck_assert_int_eq(result[0].i, 7);
    ck_assert(result[1].null);
    struct expression *record = MAKE(EXPRESSION_ROW, type_builtin(TYPE_RECORD), number(1), column(0, int4));
    struct expression *field = MAKE(EXPRESSION_FIELD, int4, record);
    field->number = 2;
    run(field, columns, 1, 2, result);
    ck_assert_int_eq(result[0].i, 7);
    ck_assert(result[1].null);
}
END_TEST

START_TEST(a_function_nobody_brings_is_not_supported)
{
    struct procedure missing = {.name = "missing"};
    struct program *program;
    struct expression *call = make(EXPRESSION_CALL, int4, 0, NULL);
    call->procedure = &missing;
    ck_assert_int_eq(program_make(scope, &evaluation, call, &program, &error),
                     SQLSTATE_FEATURE_NOT_SUPPORTED);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("evaluate");
    tcase_add_checked_fixture(tests, open_scope, close_scope);
    tcase_add_test(tests, and_and_or_follow_the_truth_tables_of_three_values);
    tcase_add_test(tests, arguments_are_evaluated_for_the_rows_that_need_them_only);
    tcase_add_test(tests, an_error_of_a_row_that_is_needed_is_raised);
    tcase_add_test(tests, select_keeps_the_rows_that_are_true);
    tcase_add_test(tests, lists_answer_alike_whether_hashed_or_not);
    tcase_add_test(tests, rows_compare_by_their_first_difference_and_nulls_make_unknown);
    tcase_add_test(tests, arrays_and_records_are_built_and_taken_apart);
    tcase_add_test(tests, a_function_nobody_brings_is_not_supported);
    return unit_run(tests);
}
