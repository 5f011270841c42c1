/* SORT: all rows in order (sorter.c); with a limit only the first ones are kept. */
#include "sqlfront/run/sorter.h"

struct sort_step {
    struct operation step;
    struct program **key;
    struct program *limit;
    uint32_t *key_at; /* where in the row each key stands: a slot, or behind the slots */
    const struct type **types;
    uint32_t extra;        /* keys that are no slots */
    struct sorter *sorter; /* NULL: nothing was read yet */
    const struct value **columns;
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
    sort->columns = scope_alloc(step->scope, (plan->columns + plan->keys + 1) * sizeof sort->columns[0]);
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

static enum sqlstate add(struct sort_step *sort, const struct batch *input, struct error *error)
{
    struct operation *step = &sort->step;
    const struct plan *plan = step->plan;
    enum sqlstate failed = SQLSTATE_OK;
    memcpy(sort->columns, input->column, plan->columns * sizeof sort->columns[0]);
    for (uint32_t i = 0; i < plan->keys && !failed; i++)
        if (sort->key[i])
            failed = program_view(sort->key[i], input, step->scratch, &sort->columns[sort->key_at[i]], error);
    for (uint32_t i = 0; i < input->count && !failed; i++)
        failed = sorter_add(sort->sorter, sort->columns, batch_row(input, i), error);
    return failed;
}

static void note_figures(struct sort_step *sort)
{
    struct node_figures *figures = &sort->step.figures;
    struct sorter_figures sorted;
    sorter_figures(sort->sorter, &sorted);
    if (sorted.memory_peak > figures->memory_peak)
        figures->memory_peak = sorted.memory_peak;
    figures->spilled_bytes += sorted.disk_bytes;
    figures->sort_shortened |= sorted.shortened;
}

static enum sqlstate read_all(struct sort_step *sort, struct error *error)
{
    struct operation *step = &sort->step;
    enum sqlstate failed = SQLSTATE_OK;
    struct value limit = value_null();
    if (sort->limit && (failed = program_run_row(sort->limit, NULL, 0, step->memory, &limit, error)))
        return failed;
    const struct sorter_options options = {.step = step,
                                           .scope = step->memory,
                                           .columns = step->plan->columns + sort->extra,
                                           .types = sort->types,
                                           .keys = step->plan->keys,
                                           .key = step->plan->key,
                                           .key_at = sort->key_at,
                                           .limit =
                                               limit.null || limit.i < 0 ? UINT64_MAX : (uint64_t)limit.i,
                                           .grant = operation_grant(step, false)};
    sorter_open(&options, &sort->sorter);
    for (;;) {
        const struct batch *input;
        if ((failed = operation_next(step->input[0], &input, error)) || input == NULL)
            break;
        operation_clear_scratch(step);
        if ((failed = add(sort, input, error)))
            break;
    }
    if (!failed)
        failed = sorter_sort(sort->sorter, error);
    note_figures(sort);
    return failed;
}

static enum sqlstate next_sort(struct operation *step, const struct batch **batch, struct error *error)
{
    struct sort_step *sort = (struct sort_step *)step;
    enum sqlstate failed = sort->sorter ? SQLSTATE_OK : read_all(sort, error);
    if (failed)
        return failed;
    operation_clear_scratch(step);
    operation_want_room(step, BATCH_ROWS);
    failed = sorter_give(sort->sorter, step->scratch, step->plan->columns, step->room, BATCH_ROWS,
                         &step->batch.count, error);
    if (!failed && step->batch.count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_sort(struct operation *step, struct error *error)
{
    ((struct sort_step *)step)->sorter = NULL;
    return operation_restart_inputs(step, error);
}

const struct operation_ops sort_ops = {
    .bytes = sizeof(struct sort_step), .open = open_sort, .next = next_sort, .restart = restart_sort};
