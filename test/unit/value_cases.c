/* Runs the cases of one file: see values/README.md for their form.
 *
 * A scalar function is called once through its function and, where it has one, three times through its kernel: with a
 * selection, and beside a null. An aggregate is fed as a whole, and again in two parts that are merged. */
#include "test/unit/value_cases.h"

#include "sqlfront/library/library.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/number/number.h"
#include "test/unit/unit.h"
#include "test/unit/value_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ARGUMENTS_MAX 64
#define COLUMNS_MAX   8

struct test_case {
    char *line; /* owns the rest */
    const char *place;
    char *function; /* "int4pl", "@sum", "=", "send", ... */
    const struct type *types[ARGUMENTS_MAX];
    int32_t modifier; /* of "=" and of the result, -1 = none */
    uint32_t type_count;
    bool variadic;
    const struct type *result;
    const struct type *columns[COLUMNS_MAX]; /* of a set of rows; result is record then */
    uint32_t column_count;
    char *arguments[ARGUMENTS_MAX];
    uint32_t argument_count;
    const char *expected;
};

static struct environment *environment;
static struct scope *scope;

static const struct type *type_named(const char *name)
{
    for (uint32_t oid = 16; oid < 7000; oid++) {
        const struct type *type = type_builtin(oid);
        if (type && strcmp(type->name, name) == 0)
            return type;
    }
    ck_abort_msg("no type %s", name);
}

/* "int4pl(int4,int4)int4" */
static void read_head(struct test_case *test, char *head)
{
    char *open = strrchr(head, '('), *close = strrchr(head, ')');
    ck_assert_msg(open && close, "%s: a case begins with function(types)type", test->place);
    *open = *close = 0;
    test->variadic = strncmp(head, "variadic ", 9) == 0;
    test->function = test->variadic ? head + 9 : head;
    test->modifier = -1;
    char *colon = strchr(close + 1, ':');
    if (colon) {
        *colon = 0;
        test->modifier = atoi(colon + 1);
    }
    for (char *name = strtok(close + 1, ","); name; name = strtok(NULL, ","))
        test->columns[test->column_count++] = type_named(name);
    test->result = test->column_count > 1 ? type_named("record") : test->columns[0];
    for (char *name = strtok(open + 1, ","); name; name = strtok(NULL, ","))
        test->types[test->type_count++] = type_named(name);
}

static void read_case(struct test_case *test, char *line)
{
    char *at = line, *fields[ARGUMENTS_MAX + 2];
    uint32_t count = 0;
    while (at && count < ARGUMENTS_MAX + 2)
        fields[count++] = strsep(&at, "\t");
    ck_assert_msg(count >= 2, "%s: a case has an answer", test->place);
    read_head(test, fields[0]);
    for (uint32_t i = 1; i + 1 < count; i++)
        test->arguments[test->argument_count++] = fields[i];
    test->expected = fields[count - 1];
}

static enum sqlstate read_argument(const struct type *type, int32_t modifier, const char *text,
                                   struct value *value, struct error *error)
{
    if (strcmp(text, "\\N") == 0) {
        *value = value_null();
        return SQLSTATE_OK;
    }
    return type->ops->in(environment, scope, type, modifier, bytes_of_text(text), value, error);
}

/* What the file would say of this outcome. */
static char *shown(const struct type *type, enum sqlstate failed, const struct value *value,
                   struct error *error)
{
    static char text[1 << 18]; /* a newline in an answer is a blank in the files */
    struct bytes out = {0};
    if (!failed && value->null)
        return strcpy(text, "\\N");
    if (!failed)
        failed = type->ops->out(environment, scope, type, value, &out, error);
    if (!failed) {
        ck_assert_uint_lt(out.size, sizeof text);
        for (size_t i = 0; i < out.size; i++)
            text[i] = out.data[i] == '\n' ? ' ' : (char)out.data[i];
        text[out.size] = 0;
        return text;
    }
    char state[6];
    sqlstate_text(failed, state);
    const char *detail = error_text(error, ERROR_DETAIL), *hint = error_text(error, ERROR_HINT);
    snprintf(text, sizeof text, "!%s %s%s%s%s%s", state, error_text(error, ERROR_MESSAGE),
             detail ? " | " : "", detail ? detail : "", hint ? " | " : "", hint ? hint : "");
    return text;
}

/* All wrong answers of a file are worth seeing; the test fails at its end. */
#define WRONG_SHOWN_MAX 40
static uint32_t wrong;

static void expect(const struct test_case *test, const char *how, const char *is)
{
    if (strcmp(is, test->expected) == 0 || wrong++ >= WRONG_SHOWN_MAX)
        return;
    fprintf(stderr, "%s%s: %s(", test->place, how, test->function);
    for (uint32_t i = 0; i < test->argument_count; i++)
        fprintf(stderr, "%s%s", i ? ", " : "", test->arguments[i]);
    fprintf(stderr, ") gives\n  %.300s\nnot\n  %.300s\n", is, test->expected);
}

/* ---- types: "=" reads and writes; "send" gives the binary form as hexadecimal digits, which is read back ---- */

static void run_type(const struct test_case *test, bool binary)
{
    struct error error = {0};
    struct value value;
    const struct type *type = test->types[0];
    enum sqlstate failed = read_argument(type, test->modifier, test->arguments[0], &value, &error);
    if (!binary || failed) {
        expect(test, "", shown(type, failed, &value, &error));
        return;
    }
    struct bytes sent;
    ck_assert_int_eq(type->ops->send(environment, scope, type, &value, &sent, &error), SQLSTATE_OK);
    char *text = scope_alloc(scope, 2 * sent.size + 1);
    for (size_t i = 0; i < sent.size; i++)
        snprintf(text + 2 * i, 3, "%02x", sent.data[i]);
    text[2 * sent.size] = 0;
    expect(test, "", text);
    struct value back;
    ck_assert_int_eq(type->ops->receive(environment, scope, type, -1, sent, &back, &error), SQLSTATE_OK);
    if (type->order == ORDER_NONE) { /* nothing but its text can be told equal */
        char *first = scope_copy_text(scope, shown(type, SQLSTATE_OK, &value, &error));
        ck_assert_str_eq(first, shown(type, SQLSTATE_OK, &back, &error));
        return;
    }
    ck_assert_msg(value_equal(environment, type, &value, &back), "%s: reads back as another", test->place);
    ck_assert_uint_eq(value_hash(environment, type, &value), value_hash(environment, type, &back));
    if (sent.size && type->category != 'S' && type->oid != TYPE_BYTEA) { /* any part of a text is one */
        struct bytes cut = bytes_of(sent.data, sent.size - 1);
        ck_assert_int_ne(type->ops->receive(environment, scope, type, -1, cut, &back, &error), SQLSTATE_OK);
    }
}

/* ---- functions ---- */

static void run_kernel(const struct test_case *test, struct call *call, const struct value *values)
{
    const struct kernel *kernel = kernel_find(test->function);
    if (!kernel)
        return;
    const struct value *columns[ARGUMENTS_MAX];
    struct value result[4];
    const uint16_t selection[2] = {3, 1};
    for (uint32_t i = 0; i < test->argument_count; i++) {
        struct value *column = scope_alloc(scope, 4 * sizeof *column);
        column[0] = column[1] = column[2] = values[i];
        column[3] = value_null();
        columns[i] = column;
    }
    memset(result, 0, sizeof result);
    enum sqlstate failed = kernel->run(call, columns, NULL, 4, result);
    expect(test, " (kernel)", shown(test->result, failed, &result[2], call->error));
    ck_assert(failed || result[3].null);
    memset(result, 0, sizeof result);
    failed = kernel->run(call, columns, selection, 2, result);
    expect(test, " (kernel, selected)", shown(test->result, failed, &result[1], call->error));
    ck_assert(failed || result[3].null);
}

static struct call call_of(const struct test_case *test, struct error *error)
{
    return (struct call){.environment = environment,
                         .scope = scope,
                         .scope_lasting = scope,
                         .error = error,
                         .result = test->result,
                         .types = test->types,
                         .arguments = test->type_count,
                         .modifier = test->modifier,
                         .variadic = test->variadic};
}

static void run_function(const struct test_case *test)
{
    struct error error = {0};
    struct value values[ARGUMENTS_MAX], result = {0};
    struct call call = call_of(test, &error);
    const struct function *function = function_find(test->function);
    ck_assert_msg(function != NULL, "%s: no function %s", test->place, test->function);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < test->argument_count && !failed; i++)
        failed = read_argument(test->types[i], -1, test->arguments[i], &values[i], &error);
    bool read = !failed;
    if (!failed)
        failed = function->run(&call, values, &result);
    expect(test, "", shown(test->result, failed, &result, &error));
    if (read)
        run_kernel(test, &call, values);
}

/* The rows one behind the other, between commas. */
static void run_set(const struct test_case *test, const struct set_function *set)
{
    struct error error = {0};
    struct value values[ARGUMENTS_MAX], row, columns[COLUMNS_MAX] = {0};
    struct call call = call_of(test, &error);
    static char all[1 << 16];
    bool end = false;
    strcpy(all, "\\N"); /* no row */
    for (uint32_t i = 0; i < test->argument_count; i++)
        ck_assert_int_eq(read_argument(test->types[i], -1, test->arguments[i], &values[i], &error),
                         SQLSTATE_OK);
    enum sqlstate failed = set->open(&call, values);
    uint32_t many = 1000; /* enough for any case */
    for (uint32_t rows = 0; !failed && !end && rows < many; rows++)
        if (!(failed = set->next(&call, columns, &end)) && !end) {
            row = columns[0];
            if (test->column_count > 1)
                ck_assert_int_eq(record_build(scope, test->result, test->columns, columns, test->column_count,
                                              &row, &error),
                                 SQLSTATE_OK);
            const char *text = shown(test->result, SQLSTATE_OK, &row, &error);
            rows ? strcat(strcat(all, ","), text) : strcpy(all, text);
        }
    expect(test, "", failed ? shown(test->result, failed, &row, &error) : all);
}

/* ---- aggregates: one row for each argument, "y:x" where there are two columns ---- */

static enum sqlstate step_row(const struct test_case *test, const struct aggregate *aggregate,
                              struct call *call, void *state, char *row)
{
    struct value values[2];
    bool null = false;
    char copy[4096], *at = strcpy(copy, row);
    for (uint32_t i = 0; i < test->type_count; i++) {
        char *text = test->type_count > 1 ? strsep(&at, ":") : at;
        enum sqlstate failed = read_argument(test->types[i], -1, text, &values[i], call->error);
        if (failed)
            return failed;
        null |= values[i].null;
    }
    return null && !aggregate->takes_null ? SQLSTATE_OK : aggregate->step(call, state, values);
}

static void run_aggregate(const struct test_case *test, uint32_t parts)
{
    struct error error = {0};
    struct call call = call_of(test, &error);
    uint32_t oids[2] = {0};
    for (uint32_t i = 0; i < test->type_count; i++)
        oids[i] = test->types[i]->oid;
    const struct aggregate *aggregate = aggregate_find(test->function + 1, oids, test->type_count);
    const uint32_t any[2] = {TYPE_ANY, TYPE_ANY}, any_array[2] = {TYPE_ANYARRAY},
                   element[2] = {TYPE_ANYELEMENT}, plain[2] = {TYPE_ANYNONARRAY},
                   second[2] = {oids[0], TYPE_ANYELEMENT};
    if (!aggregate)
        aggregate = aggregate_find(test->function + 1, any, test->type_count);
    if (!aggregate)
        aggregate = aggregate_find(test->function + 1, element, test->type_count);
    if (!aggregate)
        aggregate = aggregate_find(test->function + 1, test->types[0]->category == 'A' ? any_array : plain,
                                   test->type_count);
    if (!aggregate)
        aggregate = aggregate_find(test->function + 1, any_array, test->type_count);
    if (!aggregate)
        aggregate = aggregate_find(test->function + 1, second, test->type_count);
    ck_assert_msg(aggregate != NULL, "%s: no aggregate %s", test->place, test->function + 1);
    if (parts > 1 && !aggregate->merge)
        return;
    void *states[3];
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t part = 0; part < parts; part++)
        states[part] = scope_alloc_zeroed(scope, aggregate->state_bytes);
    for (uint32_t row = 0; row < test->argument_count && !failed; row++)
        failed = step_row(test, aggregate, &call, states[row * parts / test->argument_count],
                          test->arguments[row]);
    for (uint32_t part = 1; part < parts && !failed; part++) {
        void *from = states[part];
        struct bytes saved;
        if (aggregate->save) { /* as if it had been on another core */
            failed = aggregate->save(&call, from, &saved);
            from = scope_alloc_zeroed(scope, aggregate->state_bytes);
            if (!failed)
                failed = aggregate->load(&call, from, saved);
        }
        if (!failed)
            failed = aggregate->merge(&call, states[0], from);
    }
    struct value result = {0};
    if (!failed)
        failed = aggregate->finish(&call, states[0], &result);
    const char *is = shown(test->result, failed, &result, &error);
    if (parts > 1 && !failed && !result.null && test->result->kind == VALUE_FLOAT &&
        fabs(result.f - strtod(test->expected, NULL)) <= 1e-12 * fabs(result.f))
        return; /* floats added in another order differ in their last digits */
    expect(test, parts > 1 ? " (merged)" : "", is);
}

/* ---- files ---- */

static void run_line(char *line, const char *place)
{
    if (line[0] == '#' || line[0] == 0)
        return;
    if (strncmp(line, "set ", 4) == 0) {
        value_session_set(line + 4);
        return;
    }
    struct test_case test = {.place = place};
    read_case(&test, line);
    const struct set_function *set = set_function_find(test.function);
    if (strcmp(test.function, "=") == 0)
        run_type(&test, false);
    else if (strcmp(test.function, "send") == 0)
        run_type(&test, true);
    else if (test.function[0] == '@') {
        run_aggregate(&test, 1);
        run_aggregate(&test, 2);
        run_aggregate(&test, 3);
    } else if (set)
        run_set(&test, set);
    else
        run_function(&test);
}

void value_cases_run(const char *name)
{
    struct scope *root = scope_open_root("test", NULL);
    environment = value_session_open(root);
    char path[512], place[600];
    snprintf(path, sizeof path, "%s/%s", getenv("VALUE_CASES") ? getenv("VALUE_CASES") : "test/unit/values",
             name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    wrong = 0;
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    for (int number = 1; (size = getline(&line, &room, file)) > 0; number++) {
        if (line[size - 1] == '\n')
            line[size - 1] = 0;
        snprintf(place, sizeof place, "%s:%d", name, number);
        scope = scope_open(root, "case");
        run_line(line, place);
        scope_close(scope);
    }
    free(line);
    fclose(file);
    scope_close(root);
    ck_assert_msg(wrong == 0, "%s: %u wrong answers", name, wrong);
}
