/* ANY, ALL and IN: one value against many.
 *
 * Where the list is the same for all rows, long, and asked for equality of one type, it is hashed once. */
#include "sqlfront/evaluate/inside.h"
#include "sqlfront/value/array/array.h"

#include <string.h>

/* Shorter lists are looked through. */
#define HASHED_FROM 9

struct table {
    uint64_t mask;
    const struct value **slot; /* NULL = free */
    bool has_null;
};

struct membership {
    struct invocation *invocation;
    const struct type *type; /* of the left side */
    bool all;
    bool equality;       /* the operator is = of one type, whose values can be hashed */
    bool looked;         /* whether the table was thought of */
    struct table *table; /* NULL = none */
    struct value *elements;
    uint32_t count;
};

static void table_make(struct frame *frame, struct membership *list, struct value *elements, uint32_t count)
{
    struct scope *scope = frame->program->scope;
    struct environment *environment = frame->program->evaluation->environment;
    struct table *table = scope_alloc_zeroed(scope, sizeof *table);
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)count)
        slots *= 2;
    if (slots * sizeof table->slot[0] > SCOPE_SMALL_BYTES)
        return; /* looked through, then */
    table->mask = slots - 1;
    table->slot = scope_alloc_zeroed(scope, slots * sizeof table->slot[0]);
    for (uint32_t i = 0; i < count; i++) {
        table->has_null |= elements[i].null;
        if (elements[i].null)
            continue;
        uint64_t at = value_hash(environment, list->type, &elements[i]) & table->mask;
        while (table->slot[at])
            at = (at + 1) & table->mask;
        table->slot[at] = &elements[i];
    }
    list->table = table;
}

static struct value table_ask(struct frame *frame, const struct membership *list, const struct value *value)
{
    const struct table *table = list->table;
    struct environment *environment = frame->program->evaluation->environment;
    if (value->null)
        return value_null();
    uint64_t at = value_hash(environment, list->type, value) & table->mask;
    for (; table->slot[at]; at = (at + 1) & table->mask)
        if (value_equal(environment, list->type, value, table->slot[at]))
            return value_boolean(true);
    return table->has_null ? value_null() : value_boolean(false);
}

/* One more comparison of a row that is not settled: true when it is now. */
static enum sqlstate compare_one(struct membership *list, struct frame *frame, const struct value *left,
                                 const struct value *right, struct value *result, bool *settled)
{
    struct value pair[] = {*left, *right}, truth = value_null();
    enum sqlstate failed = invocation_run(list->invocation, frame, pair, &truth);
    if (failed)
        return failed;
    *settled = !truth.null && (truth.i != 0) != list->all;
    if (*settled)
        *result = value_boolean(!list->all);
    else if (truth.null)
        *result = value_null();
    return SQLSTATE_OK;
}

/* ---- ANY, ALL over an array ---- */

static enum sqlstate unpack(struct scope *scope, const struct value *array, struct membership *list,
                            struct error *error)
{
    struct array view;
    void *memory;
    array_read(array, &view);
    size_t bytes = (view.count + 1) * sizeof list->elements[0];
    enum sqlstate failed = scope_alloc_large(scope, bytes, 16, &memory, error);
    if (failed)
        return failed;
    list->elements = memory;
    list->count = view.count;
    for (uint32_t i = 0; i < view.count; i++)
        list->elements[i] = array_get(&view, i);
    return SQLSTATE_OK;
}

static enum sqlstate compare_array(struct membership *list, struct frame *frame, const struct value *left,
                                   const struct value *array, struct value *result)
{
    struct array view;
    bool settled = false;
    array_read(array, &view);
    *result = value_boolean(list->all);
    for (uint32_t i = 0; i < view.count && !settled; i++) {
        struct value element = array_get(&view, i);
        enum sqlstate failed = compare_one(list, frame, left, &element, result, &settled);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate look_at_array(struct node *node, struct frame *frame, const struct value *array)
{
    struct membership *list = node->extra;
    list->looked = true;
    if (!list->equality || list->all || node->argument[1]->form != NODE_CONSTANT || array->null)
        return SQLSTATE_OK;
    enum sqlstate failed = unpack(frame->program->scope, array, list, frame->error);
    if (!failed && list->count >= HASHED_FROM)
        table_make(frame, list, list->elements, list->count);
    return failed;
}

static enum sqlstate run_array(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    struct membership *list = node->extra;
    const struct value *left, *arrays;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &left);
    if (!failed)
        failed = node_values(node->argument[1], frame, rows, &arrays);
    if (!failed && !list->looked)
        failed = look_at_array(node, frame, &arrays[rows_at(rows, 0)]);
    if (failed)
        return failed;
    rows_each(rows, row)
    {
        if (arrays[row].null)
            result[row] = value_null();
        else if (list->table)
            result[row] = table_ask(frame, list, &left[row]);
        else if ((failed = compare_array(list, frame, &left[row], &arrays[row], &result[row])))
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- IN (a, b, c) ---- */

static enum sqlstate look_at_list(struct node *node, struct frame *frame)
{
    struct membership *list = node->extra;
    uint32_t count = node->arguments - 1;
    list->looked = true;
    if (!list->equality || count < HASHED_FROM || count > SCOPE_SMALL_BYTES / sizeof(struct value))
        return SQLSTATE_OK;
    for (uint32_t i = 0; i < count; i++)
        if (node->argument[i + 1]->form != NODE_CONSTANT)
            return SQLSTATE_OK;
    list->elements = scope_alloc(frame->program->scope, count * sizeof list->elements[0]);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *values;
        struct frame apart = frame_apart(frame, 1);
        enum sqlstate failed = node_values(node->argument[i + 1], &apart, (struct rows){.count = 1}, &values);
        if (failed)
            return failed;
        list->elements[i] = values[0];
    }
    table_make(frame, list, list->elements, count);
    return SQLSTATE_OK;
}

static enum sqlstate run_in(struct node *node, struct frame *frame, struct rows rows, struct value *result)
{
    struct membership *list = node->extra;
    const struct value *left, *values;
    enum sqlstate failed = node_values(node->argument[0], frame, rows, &left);
    if (!failed && !list->looked)
        failed = look_at_list(node, frame);
    if (failed)
        return failed;
    rows_each(rows, row) result[row] =
        list->table ? table_ask(frame, list, &left[row]) : value_boolean(false);
    struct rows open = rows;
    for (uint32_t i = 1; !list->table && i < node->arguments && open.count; i++) {
        if ((failed = node_values(node->argument[i], frame, open, &values)))
            return failed;
        uint16_t *unsettled = node_selection(node, frame, 0);
        uint32_t count = 0;
        for (uint32_t at = 0; at < open.count; at++) {
            uint32_t row = rows_at(open, at);
            bool settled;
            if ((failed = compare_one(list, frame, &left[row], &values[row], &result[row], &settled)))
                return failed;
            unsettled[count] = (uint16_t)row;
            count += !settled;
        }
        open = (struct rows){.selection = unsettled, .count = count};
    }
    return SQLSTATE_OK;
}

/* Whether the procedure is the type's own equality, so that value_equal() says the same. */
static bool is_equality(const struct procedure *procedure, const struct type *left, const struct type *right)
{
    if (left->oid != right->oid || left->order == ORDER_NONE || left->order == ORDER_RECORD)
        return false;
    const struct operator* own = catalog_comparison(left->oid, 3);
    return own && own->procedure == procedure->oid;
}

enum sqlstate node_make_list(struct program *program, struct node *node, struct error *error)
{
    const struct expression *expression = node->expression;
    struct membership *list = scope_alloc_zeroed(program->scope, sizeof *list);
    const struct type **types = scope_alloc(program->scope, 2 * sizeof types[0]);
    bool in = expression->kind == EXPRESSION_IN_LIST;
    types[0] = expression->argument[0]->type;
    types[1] = expression->argument[1]->type;
    enum sqlstate failed = SQLSTATE_OK;
    if (!in && (failed = type_find(program, types[1]->element, &types[1], error)))
        return failed;
    if ((failed = invocation_make(program, expression->procedure, expression->type, types, 2,
                                  &list->invocation, error)))
        return failed;
    list->type = types[0];
    list->all = expression->kind == EXPRESSION_ALL;
    list->equality = is_equality(expression->procedure, types[0], types[1]);
    node->extra = list;
    node->run = in ? run_in : run_array;
    return SQLSTATE_OK;
}
