/* SORT: all rows in memory, then in order; with a limit only the first ones are kept. */
#include "sqlfront/run/operator.h"

struct sort_step {
    struct operation step;
    struct program **key;
    struct program *limit;
    bool sorted;
    uint32_t *key_at; /* where in the tuple each key stands: a slot, or behind the slots */
    const struct type **types;
    uint32_t extra; /* keys that are no slots */
    struct tuple_store store;
    size_t at;
    uint64_t wanted; /* rows; UINT64_MAX = all */
};

static bool key_is_slot(const struct plan_key *key)
{
    return key->expression->kind == EXPRESSION_COLUMN;
}

static enum sqlstate open_sort(struct operation *step, struct error *error)
{
    struct sort_step *sort = (struct sort_step *)step;
    const struct plan *plan = step->plan;
    sort->key = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof sort->key[0]);
    sort->key_at = scope_alloc(step->scope, (plan->keys + 1) * sizeof sort->key_at[0]);
    sort->types = scope_alloc(step->scope, (plan->columns + plan->keys + 1) * sizeof sort->types[0]);
    memcpy(sort->types, plan->column, plan->columns * sizeof sort->types[0]);
    enum sqlstate failed = operation_program(step, plan->limit, &sort->limit, error);
    for (uint32_t i = 0; i < plan->keys && !failed; i++) {
        const struct plan_key *key = &plan->key[i];
        sort->key_at[i] = key_is_slot(key) ? (uint32_t)key->expression->number : plan->columns + sort->extra;
        if (key_is_slot(key))
            continue;
        sort->types[plan->columns + sort->extra++] = key->type;
        failed = operation_program(step, key->expression, &sort->key[i], error);
    }
    return failed;
}

static int compare(const void *argument, const struct tuple *a, const struct tuple *b)
{
    const struct sort_step *sort = argument;
    const struct plan *plan = sort->step.plan;
    for (uint32_t i = 0; i < plan->keys; i++) {
        uint32_t at = sort->key_at[i];
        int order =
            plan_key_compare(operation_environment(&sort->step), &plan->key[i], &a->value[at], &b->value[at]);
        if (order)
            return order;
    }
    return 0;
}

/* Keeps the first `wanted` of what there is, in memory of their own: the rest's goes back. */
static enum sqlstate shorten(struct sort_step *sort, struct error *error)
{
    struct operation *step = &sort->step;
    struct tuple_store old = sort->store;
    enum sqlstate failed = tuples_sort(step, old.tuple, old.count, compare, sort, error);
    size_t keep = old.count < sort->wanted ? old.count : (size_t)sort->wanted;
    struct scope *scope = scope_open(step->memory, "first rows");
    tuple_store_init(&sort->store, scope, old.columns, old.types);
    for (size_t i = 0; i < keep && !failed; i++) {
        struct tuple *tuple;
        failed = tuple_store_add_values(&sort->store, old.tuple[i]->value, &tuple, error);
    }
    scope_close(old.scope);
    return failed;
}

static enum sqlstate add(struct sort_step *sort, const struct batch *input, struct error *error)
{
    struct operation *step = &sort->step;
    const struct plan *plan = step->plan;
    const struct value **columns =
        scope_alloc(step->scratch, (plan->columns + sort->extra + 1) * sizeof columns[0]);
    enum sqlstate failed = SQLSTATE_OK;
    memcpy(columns, input->column, plan->columns * sizeof columns[0]);
    for (uint32_t i = 0; i < plan->keys && !failed; i++)
        if (sort->key[i])
            failed = program_view(sort->key[i], input, step->scratch, &columns[sort->key_at[i]], error);
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        struct tuple *tuple;
        failed = tuple_store_add(&sort->store, columns, batch_row(input, i), &tuple, error);
    }
    return failed;
}

static enum sqlstate read_all(struct sort_step *sort, struct error *error)
{
    struct operation *step = &sort->step;
    enum sqlstate failed = SQLSTATE_OK;
    struct value limit = value_null();
    if (sort->limit && (failed = program_run_row(sort->limit, NULL, 0, step->memory, &limit, error)))
        return failed;
    sort->wanted = limit.null || limit.i < 0 ? UINT64_MAX : (uint64_t)limit.i;
    tuple_store_init(&sort->store, scope_open(step->memory, "rows"), step->plan->columns + sort->extra,
                     sort->types);
    for (;;) {
        const struct batch *input;
        if ((failed = operation_next(step->input[0], &input, error)) || input == NULL)
            break;
        operation_clear_scratch(step);
        if ((failed = add(sort, input, error)))
            break;
        bool plenty = sort->wanted != UINT64_MAX && sort->store.count / 4 >= sort->wanted / 2 + BATCH_ROWS;
        if (plenty && (failed = shorten(sort, error)))
            break;
    }
    if (!failed)
        failed = tuples_sort(step, sort->store.tuple, sort->store.count, compare, sort, error);
    if (sort->store.count > sort->wanted)
        sort->store.count = (size_t)sort->wanted;
    sort->store.columns = step->plan->columns;
    sort->sorted = true;
    return failed;
}

static enum sqlstate next_sort(struct operation *step, const struct batch **batch, struct error *error)
{
    struct sort_step *sort = (struct sort_step *)step;
    enum sqlstate failed = sort->sorted ? SQLSTATE_OK : read_all(sort, error);
    if (failed || sort->at == sort->store.count)
        return failed;
    size_t left = sort->store.count - sort->at;
    operation_want_room(step, left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS);
    step->batch.count = tuple_store_give(&sort->store, sort->at, step->room, step->room_rows);
    sort->at += step->batch.count;
    *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate restart_sort(struct operation *step, struct error *error)
{
    struct sort_step *sort = (struct sort_step *)step;
    sort->sorted = false;
    sort->at = 0;
    return operation_restart_inputs(step, error);
}

const struct operation_ops sort_ops = {
    .bytes = sizeof(struct sort_step), .open = open_sort, .next = next_sort, .restart = restart_sort};
