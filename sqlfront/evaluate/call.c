/* Functions and operators; what compares by them. */
#include "sqlfront/evaluate/inside.h"

static enum sqlstate raise_missing(const struct procedure *procedure, struct error *error)
{
    if (procedure == NULL)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "this function is not supported");
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "function %s is not supported", procedure->name);
}

enum sqlstate invocation_make(struct program *program, const struct procedure *procedure,
                              const struct type *result, const struct type *const *types, uint32_t arguments,
                              struct invocation **made, struct error *error)
{
    if (procedure == NULL || procedure->function == NULL)
        return raise_missing(procedure, error);
    struct environment *environment = program->evaluation->environment;
    if (procedure->function->flags & FUNCTION_SESSION && environment->catalog == NULL)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "function %s cannot be called here",
                         procedure->name);
    struct invocation *invocation = scope_alloc_zeroed(program->scope, sizeof *invocation);
    invocation->function = procedure->function;
    invocation->kernel = procedure->kernel;
    invocation->strict = procedure->strict && !(procedure->function->flags & FUNCTION_LENIENT);
    invocation->call = (struct call){.environment = environment,
                                     .scope_lasting = program->scope,
                                     .result = result,
                                     .types = types,
                                     .arguments = arguments,
                                     .modifier = -1};
    *made = invocation;
    return SQLSTATE_OK;
}

enum sqlstate invocation_run(struct invocation *invocation, struct frame *frame,
                             const struct value *arguments, struct value *result)
{
    struct call *call = &invocation->call;
    for (uint32_t i = 0; invocation->strict && i < call->arguments; i++)
        if (arguments[i].null) {
            *result = value_null();
            return SQLSTATE_OK;
        }
    call->scope = frame->scratch;
    call->error = frame->error;
    return invocation->function->run(call, arguments, result);
}

static const struct type **types_of(struct program *program, const struct node *node)
{
    const struct type **types = scope_alloc(program->scope, (node->arguments + 1) * sizeof types[0]);
    for (uint32_t i = 0; i < node->arguments; i++)
        types[i] = node->expression->argument[i]->type;
    return types;
}

/* ---- calls ---- */

struct call_extra {
    struct invocation *invocation;
    const struct value **values; /* of the arguments over the batch */
    struct value *tuple;
};

static enum sqlstate run_rows(const struct call_extra *extra, struct rows rows, struct value *result)
{
    struct call *call = &extra->invocation->call;
    const struct function *function = extra->invocation->function;
    uint32_t arguments = call->arguments;
    rows_each(rows, row)
    {
        bool null = false;
        for (uint32_t i = 0; i < arguments; i++) {
            extra->tuple[i] = extra->values[i][row];
            null |= extra->tuple[i].null;
        }
        if (null && extra->invocation->strict) {
            result[row] = value_null();
            continue;
        }
        result[row].null = false;
        enum sqlstate failed = function->run(call, extra->tuple, &result[row]);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate run_call(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    struct call_extra *extra = node->extra;
    for (uint32_t i = 0; i < node->arguments; i++) {
        enum sqlstate failed = node_values(node->argument[i], frame, rows, &extra->values[i]);
        if (failed)
            return failed;
    }
    struct call *call = &extra->invocation->call;
    call->scope = frame->scratch;
    call->error = frame->error;
    if (extra->invocation->kernel && rows.count > 1)
        return extra->invocation->kernel->run(call, extra->values, rows.selection, rows.count, result);
    return run_rows(extra, rows, result);
}

enum sqlstate node_make_call(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    struct call_extra *extra = scope_alloc_zeroed(program->scope, sizeof *extra);
    enum sqlstate failed =
        invocation_make(program, expression->procedure, expression->type, types_of(program, node),
                        node->arguments, &extra->invocation, error);
    if (failed)
        return failed;
    uint32_t room = node->arguments + 1;
    extra->values = scope_alloc(program->scope, room * sizeof extra->values[0]);
    extra->tuple = scope_alloc(program->scope, room * sizeof extra->tuple[0]);
    struct call *call = &extra->invocation->call;
    call->modifier = expression->modifier;
    call->collation = expression->collation;
    call->variadic = expression->nested;
    call->constant = scope_alloc(program->scope, room * sizeof(bool));
    for (uint32_t i = 0; i < node->arguments; i++)
        call->constant[i] = node->argument[i]->form == NODE_CONSTANT;
    node->extra = extra;
    node->run = run_call;
    return SQLSTATE_OK;
}

/* ---- IS DISTINCT FROM, NULLIF ---- */

static enum sqlstate run_pair(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    const struct expression *expression = node->expression;
    const struct value *left, *right;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &left);
    if (!failed)
        failed = node_values(node->argument[1], frame, rows, &right);
    if (failed)
        return failed;
    bool nullif = expression->kind == EXPRESSION_NULLIF;
    rows_each(rows, row)
    {
        struct value pair[] = {left[row], right[row]}, equal = value_boolean(false);
        bool same = pair[0].null && pair[1].null;
        if (!pair[0].null && !pair[1].null) {
            if ((failed = invocation_run(node->extra, frame, pair, &equal)))
                return failed;
            same = !equal.null && equal.i;
        }
        if (nullif)
            result[row] = same ? value_null() : pair[0];
        else
            result[row] = value_boolean(same == expression->distinct_not);
    }
    return SQLSTATE_OK;
}

/* ---- GREATEST, LEAST ---- */

static enum sqlstate run_extreme(struct node *node, struct frame *frame, struct rows rows,
                                 struct value *result)
{
    const struct type *type = node->expression->type;
    struct environment *environment = frame->program->evaluation->environment;
    int wanted = node->expression->kind == EXPRESSION_GREATEST ? 1 : -1;
    for (uint32_t i = 0; i < node->arguments; i++) {
        const struct value *values;
        enum sqlstate failed = node_values(node->argument[i], frame, rows, &values);
        if (failed)
            return failed;
        rows_each(rows, row)
        {
            const struct value *value = &values[row];
            if (i == 0 ||
                (!value->null &&
                 (result[row].null || value_compare(environment, type, value, &result[row]) * wanted > 0)))
                result[row] = *value;
        }
    }
    return SQLSTATE_OK;
}

/* ---- (a, b) < (c, d) ---- */

enum { LESS = 1, LESS_EQUAL, EQUAL, GREATER_EQUAL, GREATER, NOT_EQUAL };

struct row_compare {
    uint32_t pairs;
    const struct type **types;
    struct invocation **equality; /* EQUAL, NOT_EQUAL */
};

/* A pair that differs decides; else a null among the pairs makes it unknown. */
static enum sqlstate compare_equal(struct node *node, struct frame *frame, const struct value *tuple,
                                   struct value *result)
{
    const struct row_compare *compare = node->extra;
    bool unknown = false, differ = false;
    for (uint32_t i = 0; i < compare->pairs && !differ; i++) {
        struct value pair[] = {tuple[i], tuple[compare->pairs + i]}, equal = value_null();
        if (!pair[0].null && !pair[1].null) {
            enum sqlstate failed = invocation_run(compare->equality[i], frame, pair, &equal);
            if (failed)
                return failed;
        }
        /* The operator of <> may stand there instead of that of =. */
        differ = !equal.null && !equal.i;
        unknown |= equal.null;
    }
    bool want_equal = node->expression->strategy == EQUAL;
    *result = differ ? value_boolean(!want_equal) : unknown ? value_null() : value_boolean(want_equal);
    return SQLSTATE_OK;
}

static struct value compare_order(struct node *node, struct frame *frame, const struct value *tuple)
{
    const struct row_compare *compare = node->extra;
    struct environment *environment = frame->program->evaluation->environment;
    int order = 0;
    for (uint32_t i = 0; i < compare->pairs && order == 0; i++) {
        const struct value *left = &tuple[i], *right = &tuple[compare->pairs + i];
        if (left->null || right->null)
            return value_null();
        order = value_compare(environment, compare->types[i], left, right);
    }
    switch (node->expression->strategy) {
    case LESS:
        return value_boolean(order < 0);
    case LESS_EQUAL:
        return value_boolean(order <= 0);
    case GREATER_EQUAL:
        return value_boolean(order >= 0);
    default:
        return value_boolean(order > 0);
    }
}

static enum sqlstate run_row_compare(struct node *node, struct frame *frame, struct rows rows,
                                     struct value *result)
{
    uint8_t strategy = node->expression->strategy;
    const struct value **values = scope_alloc(frame->scratch, node->arguments * sizeof values[0]);
    struct value *tuple = scope_alloc(frame->scratch, node->arguments * sizeof tuple[0]);
    for (uint32_t i = 0; i < node->arguments; i++) {
        enum sqlstate failed = node_values(node->argument[i], frame, rows, &values[i]);
        if (failed)
            return failed;
    }
    rows_each(rows, row)
    {
        for (uint32_t i = 0; i < node->arguments; i++)
            tuple[i] = values[i][row];
        enum sqlstate failed = SQLSTATE_OK;
        if (strategy == EQUAL || strategy == NOT_EQUAL)
            failed = compare_equal(node, frame, tuple, &result[row]);
        else
            result[row] = compare_order(node, frame, tuple);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* Whether values of both types may be compared as those of the first: same type, or integers (floats) of two widths. */
static bool comparable(const struct type *left, const struct type *right)
{
    if (left->oid == right->oid || (left->order == ORDER_BYTES && right->order == ORDER_BYTES))
        return true;
    return left->category == 'N' && right->category == 'N' && left->order == right->order;
}

static enum sqlstate make_row_compare(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    struct row_compare *compare = scope_alloc_zeroed(program->scope, sizeof *compare);
    uint32_t pairs = compare->pairs = node->arguments / 2;
    bool equality = expression->strategy == EQUAL || expression->strategy == NOT_EQUAL;
    compare->types = types_of(program, node);
    compare->equality = scope_alloc_zeroed(program->scope, (pairs + 1) * sizeof(struct invocation *));
    for (uint32_t i = 0; i < pairs; i++) {
        const struct type **pair = scope_alloc(program->scope, 2 * sizeof pair[0]);
        pair[0] = compare->types[i];
        pair[1] = compare->types[pairs + i];
        enum sqlstate failed = SQLSTATE_OK;
        if (equality)
            failed = invocation_make(program, expression->procedures[i], expression->type, pair, 2,
                                     &compare->equality[i], error);
        else if (!comparable(pair[0], pair[1]) || pair[0]->order == ORDER_NONE)
            failed =
                error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                          "comparing rows of types %s and %s is not supported", pair[0]->name, pair[1]->name);
        if (failed)
            return failed;
    }
    node->extra = compare;
    node->run = run_row_compare;
    return SQLSTATE_OK;
}

enum sqlstate node_make_compare(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    if (expression->kind == EXPRESSION_ROW_COMPARE)
        return make_row_compare(program, node, error);
    if (expression->kind == EXPRESSION_GREATEST || expression->kind == EXPRESSION_LEAST) {
        node->run = run_extreme;
        if (expression->type->order == ORDER_NONE)
            return error_set(error, SQLSTATE_UNDEFINED_FUNCTION,
                             "could not identify a comparison function for type %s", expression->type->name);
        return SQLSTATE_OK;
    }
    struct invocation *invocation;
    enum sqlstate failed = invocation_make(program, expression->procedure, expression->type,
                                           types_of(program, node), 2, &invocation, error);
    node->extra = invocation;
    node->run = run_pair;
    return failed;
}
