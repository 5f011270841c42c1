/* A row by its whole key without steps: what SELECT columns FROM table WHERE key = ... comes down to, and how UPDATE and DELETE
 * of such a row get at it.
 *
 * A plan is looked at once, when it is made; what is needed to carry it out then stands in a few words that nobody changes.
 * Anything that needs an expression to be evaluated before there is a row, a condition or an index is for the steps.
 *
 * A row that is to be written is read and locked in one visit to its owner. That is only for READ COMMITTED: the newest state of
 * a row the snapshot sees is what the statement would come to in the end, for its condition is the key alone. */
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
    const struct plan *modify; /* which writes the row; NULL = it is only read, and then: */
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

static bool is_write(const struct plan *plan)
{
    return plan->kind == PLAN_MODIFY && (plan->modify == QUERY_UPDATE || plan->modify == QUERY_DELETE);
}

const struct point *point_make(struct scope *scope, const struct planned *planned)
{
    const struct plan *top = planned->plan;
    bool projects = top->kind == PLAN_PROJECT, writes = is_write(top);
    const struct plan *scan = projects || writes ? top->input[0] : top;
    if (!is_by_key(scan))
        return NULL;
    for (uint32_t i = 0; i < scan->bounds.equals; i++)
        if (!is_given(scan->bounds.equal[i]))
            return NULL;
    for (uint32_t i = 0; projects && i < top->expressions; i++)
        if (top->expression[i]->kind != EXPRESSION_COLUMN)
            return NULL;
    struct point *point =
        scope_alloc_zeroed(scope, sizeof *point + scan->bounds.equals * sizeof point->part[0]);
    point->scan = scan;
    point->modify = writes ? top : NULL;
    reader_make(scope, &point->reader, scan);
    point->columns = writes ? 0 : top->columns;
    point->slot = scope_alloc(scope, (point->columns + 1) * sizeof point->slot[0]);
    for (uint32_t i = 0; i < point->columns; i++)
        point->slot[i] = projects ? (uint16_t)top->expression[i]->number : (uint16_t)i;
    for (uint32_t i = 0; i < scan->bounds.equals; i++) {
        const struct expression *equal = scan->bounds.equal[i];
        if (equal->kind == EXPRESSION_PARAMETER)
            point->part[i].parameter = (uint32_t)equal->number;
        else
            point->part[i].constant = equal->constant;
    }
    return point;
}

bool point_reads(const struct point *point)
{
    return !point->modify;
}

bool point_is_of_modify(const struct execution *execution, const struct plan *plan)
{
    const struct execution_request *request = &execution->request;
    return request->point && request->point->modify == plan && !request->analyze &&
           request->isolation == READ_COMMITTED;
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

/* The row into columns of one value; locked (`strength`), or as the snapshot sees it (NULL). */
static enum sqlstate take_row(struct execution *execution, const struct point *point, struct scope *scope,
                              const enum lock_strength *strength, struct value ***columns, bool *found,
                              struct error *error)
{
    struct key_writer writer;
    bool none;
    *found = false;
    enum sqlstate failed = make_key(point, &execution->request, &writer, &none, error);
    if (failed || none)
        return failed;
    uint32_t slots = point->scan->columns;
    uint64_t table = point->scan->relation->store;
    struct value *values = scope_alloc(scope, (slots + 1) * sizeof values[0]);
    struct row_room room = {.column = scope_alloc(scope, (slots + 1) * sizeof room.column[0]),
                            .arena = scope_alloc(scope, ARENA_FIRST),
                            .arena_size = ARENA_FIRST,
                            .borrowed = true};
    for (uint32_t i = 0; i < slots; i++)
        room.column[i] = &values[i];
    *columns = room.column;
    struct bytes key = bytes_of(writer.bytes, writer.size);
    failed = strength
                 ? fetch_locked(execution, scope, &point->reader, table, key, *strength, &room, found, error)
                 : fetch_rows(execution, scope, &point->reader, table, &key, 1, &room, found, error);
    count_scan(execution, point->scan, 1, *found, *found);
    return failed;
}

enum sqlstate point_take_locked(struct execution *execution, const struct point *point, struct scope *scope,
                                enum lock_strength strength, struct value ***columns, bool *found,
                                struct error *error)
{
    return take_row(execution, point, scope, &strength, columns, found, error);
}

enum sqlstate point_next(struct execution *execution, const struct point *point, const struct batch **batch,
                         struct error *error)
{
    struct scope *scope = execution->scope;
    struct value **columns;
    bool found;
    *batch = NULL;
    if (execution->settled)
        return SQLSTATE_OK;
    execution->settled = true;
    enum sqlstate failed = take_row(execution, point, scope, NULL, &columns, &found, error);
    if (failed || !found)
        return failed;
    const struct value **column = scope_alloc(scope, (point->columns + 1) * sizeof column[0]);
    for (uint32_t i = 0; i < point->columns; i++)
        column[i] = columns[point->slot[i]];
    execution->result = (struct batch){.columns = point->columns, .count = 1, .column = column};
    execution->rows = 1;
    *batch = &execution->result;
    return SQLSTATE_OK;
}
