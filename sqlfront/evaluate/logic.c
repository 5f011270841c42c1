/* AND, OR, NOT, IS, CASE, COALESCE.
 *
 * Arguments are evaluated for the rows that are not decided yet: from argument to argument the selection gets shorter, and
 * what it would have raised for the others never happens. */
#include "sqlfront/evaluate/inside.h"

/* AND, with `decides` 0; OR, with 1: the first argument of that truth settles a row, a null makes it unknown. */
static enum sqlstate run_junction(struct node *node, struct frame *frame, struct rows rows,
                                  struct value *result)
{
    bool decides = node->expression->kind == EXPRESSION_OR;
    struct rows open = rows;
    rows_each(rows, row) result[row] = value_boolean(!decides);
    for (uint32_t i = 0; i < node->arguments && open.count; i++) {
        const struct value *values;
        enum sqlstate failed = node_values(node->argument[i], frame, open, &values);
        if (failed)
            return failed;
        uint16_t *left = node_selection(node, frame, 0);
        uint32_t count = 0;
        for (uint32_t at = 0; at < open.count; at++) {
            uint32_t row = rows_at(open, at);
            const struct value *value = &values[row];
            if (value->null)
                result[row] = value_null();
            if (!value->null && (value->i != 0) == decides)
                result[row] = value_boolean(decides);
            else
                left[count++] = (uint16_t)row;
        }
        open = (struct rows){.selection = left, .count = count};
    }
    return SQLSTATE_OK;
}

static enum sqlstate run_not(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    const struct value *values;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &values);
    if (failed)
        return failed;
    rows_each(rows, row) result[row] = values[row].null ? value_null() : value_boolean(!values[row].i);
    return SQLSTATE_OK;
}

static bool test(enum test_kind kind, const struct value *value)
{
    switch (kind) {
    case TEST_NULL:
    case TEST_UNKNOWN:
        return value->null;
    case TEST_NOT_NULL:
    case TEST_NOT_UNKNOWN:
        return !value->null;
    case TEST_TRUE:
        return !value->null && value->i;
    case TEST_NOT_TRUE:
        return value->null || !value->i;
    case TEST_FALSE:
        return !value->null && !value->i;
    default:
        return value->null || value->i;
    }
}

static enum sqlstate run_test(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    const struct value *values;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &values);
    if (failed)
        return failed;
    enum test_kind kind = node->expression->test;
    rows_each(rows, row) result[row] = value_boolean(test(kind, &values[row]));
    return SQLSTATE_OK;
}

static enum sqlstate run_coalesce(struct node *node, struct frame *frame, struct rows rows,
                                  struct value *result)
{
    struct rows open = rows;
    rows_each(rows, row) result[row] = value_null();
    for (uint32_t i = 0; i < node->arguments && open.count; i++) {
        const struct value *values;
        enum sqlstate failed = node_values(node->argument[i], frame, open, &values);
        if (failed)
            return failed;
        uint16_t *left = node_selection(node, frame, 0);
        uint32_t count = 0;
        for (uint32_t at = 0; at < open.count; at++) {
            uint32_t row = rows_at(open, at);
            result[row] = values[row];
            left[count] = (uint16_t)row;
            count += values[row].null;
        }
        open = (struct rows){.selection = left, .count = count};
    }
    return SQLSTATE_OK;
}

enum sqlstate node_make_logic(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    switch (expression->kind) {
    case EXPRESSION_AND:
    case EXPRESSION_OR:
        node->run = run_junction;
        break;
    case EXPRESSION_NOT:
        node->run = run_not;
        break;
    case EXPRESSION_TEST:
        node->run = run_test;
        if (expression->argument[0]->type->order == ORDER_RECORD &&
            (expression->test == TEST_NULL || expression->test == TEST_NOT_NULL))
            return node_make_build(program, node, error); /* asks the fields */
        break;
    default:
        node->run = run_coalesce;
    }
    return SQLSTATE_OK;
}

/* ---- CASE ---- */

struct case_extra {
    struct subject subject;
    struct node *tested; /* NULL = none */
};

static enum sqlstate take_values(struct node *node, struct frame *frame, struct rows rows,
                                 struct value *result)
{
    const struct value *values;
    enum sqlstate failed = rows.count ? node_values(node, frame, rows, &values) : SQLSTATE_OK;
    if (!failed)
        rows_each(rows, row) result[row] = values[row];
    return failed;
}

static enum sqlstate run_case(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    struct case_extra *extra = node->extra;
    struct rows open = rows;
    enum sqlstate failed = SQLSTATE_OK;
    if (extra->tested)
        failed = node_values(extra->tested, frame, rows, &extra->subject.values);
    for (uint32_t i = 0; !failed && i + 1 < node->arguments && open.count; i += 2) {
        const struct value *values;
        if ((failed = node_values(node->argument[i], frame, open, &values)))
            break;
        uint16_t *left = node_selection(node, frame, 0), *taken = node_selection(node, frame, 1);
        uint32_t left_count = 0, taken_count = 0;
        for (uint32_t at = 0; at < open.count; at++) {
            uint32_t row = rows_at(open, at);
            if (!values[row].null && values[row].i)
                taken[taken_count++] = (uint16_t)row;
            else
                left[left_count++] = (uint16_t)row;
        }
        struct rows chosen = {.selection = taken, .count = taken_count};
        failed = take_values(node->argument[i + 1], frame, chosen, result);
        open = (struct rows){.selection = left, .count = left_count};
    }
    if (!failed)
        failed = take_values(node->argument[node->arguments - 1], frame, open, result);
    return failed;
}

enum sqlstate node_make_case(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    struct case_extra *extra = scope_alloc_zeroed(program->scope, sizeof *extra);
    enum sqlstate failed = SQLSTATE_OK;
    check(expression->arguments % 2 == 1);
    if (expression->subject && (failed = step_make(program, expression->subject, &extra->tested, error)))
        return failed;
    if (expression->subject) {
        extra->subject.above = program->subject;
        program->subject = &extra->subject;
    }
    node->arguments = expression->arguments;
    node->argument = scope_alloc(program->scope, node->arguments * sizeof node->argument[0]);
    for (uint32_t i = 0; i < node->arguments && !failed; i++)
        failed = step_make(program, expression->argument[i], &node->argument[i], error);
    if (expression->subject)
        program->subject = extra->subject.above;
    node->extra = extra;
    node->run = run_case;
    return failed;
}
