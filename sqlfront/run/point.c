/* A row by its whole key without any step: what SELECT columns FROM table WHERE key = ... comes down to.
 *
 * A plan is looked at once, when it is made; what is needed to carry it out then stands in a few words that nobody changes.
 * Anything that needs an expression to be evaluated, a condition, a lock or an index is for the steps. */
#include "sqlfront/run/operator.h"

/* Room for the row's bytes at first: most rows are shorter. */
#define ARENA_FIRST 512

/* One column of the key: a parameter of the statement, or a constant. */
struct point_part {
    uint32_t parameter; /* from 1; 0 = the constant */
    struct value constant;
};

struct point {
    const struct plan *scan;
    struct reader reader;
    uint32_t columns;
    uint16_t *slot; /* of the scan, for each column given */
    struct point_part part[];
};

/* A SCAN of the table by its whole key, and nothing else. */
static bool is_by_key(const struct plan *plan)
{
    const struct plan_bounds *bounds = &plan->bounds;
    return plan->kind == PLAN_SCAN && (!plan->index || plan->index->clustered) && !plan->condition &&
           !plan->sample_percent && !bounds->any && bounds->low_kind == BOUND_NONE &&
           bounds->high_kind == BOUND_NONE && plan->relation->key_columns > 0 &&
           bounds->equals == plan->relation->key_columns;
}

static bool is_given(const struct expression *expression)
{
    return expression->kind == EXPRESSION_CONSTANT ||
           (expression->kind == EXPRESSION_PARAMETER && expression->parameter_source == PARAMETER_STATEMENT);
}

const struct point *point_make(struct scope *scope, const struct planned *planned)
{
    const struct plan *top = planned->plan, *scan = top->kind == PLAN_PROJECT ? top->input[0] : top;
    if (!planned->point || !planned->reads_only || !is_by_key(scan))
        return NULL;
    for (uint32_t i = 0; i < scan->bounds.equals; i++)
        if (!is_given(scan->bounds.equal[i]))
            return NULL;
    for (uint32_t i = 0; top != scan && i < top->expressions; i++)
        if (top->expression[i]->kind != EXPRESSION_COLUMN)
            return NULL;
    struct point *point =
        scope_alloc_zeroed(scope, sizeof *point + scan->bounds.equals * sizeof point->part[0]);
    point->scan = scan;
    reader_make(scope, &point->reader, scan);
    point->columns = top->columns;
    point->slot = scope_alloc(scope, (top->columns + 1) * sizeof point->slot[0]);
    for (uint32_t i = 0; i < top->columns; i++)
        point->slot[i] = top == scan ? (uint16_t)i : (uint16_t)top->expression[i]->number;
    for (uint32_t i = 0; i < scan->bounds.equals; i++) {
        const struct expression *equal = scan->bounds.equal[i];
        if (equal->kind == EXPRESSION_PARAMETER)
            point->part[i].parameter = (uint32_t)equal->number;
        else
            point->part[i].constant = equal->constant;
    }
    return point;
}

/* The key asked for; *none: no row can have it. */
static enum sqlstate make_key(const struct point *point, const struct execution_request *request,
                              struct key_writer *key, bool *none, struct error *error)
{
    const struct relation *relation = point->scan->relation;
    key->size = 0;
    *none = false;
    for (uint32_t i = 0; i < relation->key_columns; i++) {
        const struct point_part *part = &point->part[i];
        const struct value *value =
            part->parameter ? &request->parameters[part->parameter - 1] : &part->constant;
        *none = value->null || bound_is_outside(relation->key_part[i].type, value);
        if (*none)
            return SQLSTATE_OK;
        enum sqlstate failed = key_append(key, &relation->key_part[i], value, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

enum sqlstate point_next(struct execution *execution, const struct point *point, const struct batch **batch,
                         struct error *error)
{
    struct scope *scope = execution->scope;
    struct key_writer writer;
    bool none, found = false;
    *batch = NULL;
    if (execution->settled)
        return SQLSTATE_OK;
    execution->settled = true;
    enum sqlstate failed = make_key(point, &execution->request, &writer, &none, error);
    if (failed || none)
        return failed;
    uint32_t slots = point->scan->columns;
    struct value *values = scope_alloc(scope, (slots + 1) * sizeof values[0]);
    struct row_room room = {.column = scope_alloc(scope, (slots + 1) * sizeof room.column[0]),
                            .arena = scope_alloc(scope, ARENA_FIRST),
                            .arena_size = ARENA_FIRST,
                            .borrowed = true};
    for (uint32_t i = 0; i < slots; i++)
        room.column[i] = &values[i];
    struct bytes key = bytes_of(writer.bytes, writer.size);
    failed = fetch_rows(execution, scope, &point->reader, point->scan->relation->store, &key, 1, &room,
                        &found, error);
    if (failed || !found)
        return failed;
    const struct value **column = scope_alloc(scope, (point->columns + 1) * sizeof column[0]);
    for (uint32_t i = 0; i < point->columns; i++)
        column[i] = &values[point->slot[i]];
    execution->result = (struct batch){.columns = point->columns, .count = 1, .column = column};
    execution->rows = 1;
    *batch = &execution->result;
    return SQLSTATE_OK;
}
