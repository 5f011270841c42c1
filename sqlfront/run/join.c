/* Trying candidate pairs; what of them goes out (join.h). */
#include "sqlfront/run/join.h"

struct needs {
    bool *needed;
    uint32_t slots;
};

static void mark_needed(void *argument, struct expression *expression)
{
    struct needs *needs = argument;
    if (expression->kind == EXPRESSION_COLUMN && (uint32_t)expression->number < needs->slots)
        needs->needed[expression->number] = true;
    expression_children(expression, mark_needed, argument);
}

enum sqlstate join_open(struct operation *step, struct error *error)
{
    struct join *join = (struct join *)step;
    const struct plan *plan = step->plan;
    join->left_columns = plan->input[0]->columns;
    join->right_columns = plan->input[1]->columns;
    uint32_t slots = join->left_columns + join->right_columns;
    join->outputs = plan->columns;
    join->output = scope_alloc(step->scope, (plan->columns + 1) * sizeof join->output[0]);
    join->needed = scope_alloc_zeroed(step->scope, (slots + 1) * sizeof(bool));
    for (uint32_t i = 0; i < plan->columns; i++)
        join->output[i] = plan->output ? plan->output[i] : (uint16_t)i;
    struct needs needs = {.needed = join->needed, .slots = slots};
    if (plan->condition)
        mark_needed(&needs, plan->condition);
    join->pair_row = scope_alloc(step->scope, BATCH_ROWS * sizeof join->pair_row[0]);
    join->pair_tuple = scope_alloc(step->scope, BATCH_ROWS * sizeof join->pair_tuple[0]);
    join->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof join->selection[0]);
    join->passed = scope_alloc(step->scope, BATCH_ROWS * sizeof join->passed[0]);
    join->pair_column = scope_alloc_zeroed(step->scope, (slots + 1) * sizeof join->pair_column[0]);
    for (uint32_t i = 0; i < slots; i++)
        if (join->needed[i])
            join->pair_column[i] = scope_alloc(step->scope, BATCH_ROWS * sizeof(struct value));
    return operation_program(step, plan->condition, &join->condition, error);
}

/* ---- trying ---- */

/* Which pairs the condition lets pass. Ends of rows have no tuple, and pass nothing. */
static enum sqlstate try_pairs(struct join *join, struct error *error)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < join->pairs; i++) {
        join->passed[i] = join->condition == NULL && join->pair_tuple[i];
        join->selection[count] = (uint16_t)i;
        count += join->pair_tuple[i] != NULL;
    }
    if (join->condition == NULL || count == 0)
        return SQLSTATE_OK;
    uint32_t slots = join->left_columns + join->right_columns;
    for (uint32_t c = 0; c < slots; c++) {
        struct value *column = join->pair_column[c];
        if (column == NULL)
            continue;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t pair = join->selection[i];
            column[pair] = c < join->left_columns ? join->probe->column[c][join->pair_row[pair]]
                                                  : join->pair_tuple[pair]->value[c - join->left_columns];
        }
    }
    struct batch batch = {.columns = slots,
                          .count = count,
                          .selection = join->selection,
                          .column = (const struct value **)join->pair_column};
    enum sqlstate failed =
        program_select(join->condition, &batch, join->step.scratch, join->selection, &count, error);
    for (uint32_t i = 0; i < count && !failed; i++)
        join->passed[join->selection[i]] = true;
    return failed;
}

/* Sends out the probe's row and the tuple; either may be missing. */
static void emit(struct join *join, uint32_t row, bool has_row, const struct tuple *tuple)
{
    struct operation *step = &join->step;
    uint32_t at = step->batch.count++;
    for (uint32_t i = 0; i < join->outputs; i++) {
        uint32_t slot = join->output[i];
        if (slot < join->left_columns)
            step->room[i][at] = has_row ? join->probe->column[slot][row] : value_null();
        else
            step->room[i][at] = tuple ? tuple->value[slot - join->left_columns] : value_null();
    }
}

static void walk_pairs(struct join *join)
{
    const struct plan *plan = join->step.plan;
    for (uint32_t i = 0; i < join->pairs; i++) {
        struct tuple *tuple = join->pair_tuple[i];
        uint32_t row = join->pair_row[i];
        if (tuple) {
            if (!join->passed[i])
                continue;
            join->row_matched = tuple->matched = true;
            if (!join_gives_left_only(plan))
                emit(join, row, true, tuple);
            continue;
        }
        bool out = join_keeps_left(plan) || plan->join == JOIN_ANTI
                       ? !join->row_matched
                       : plan->join == JOIN_SEMI && join->row_matched;
        join->row_matched = false;
        if (out)
            emit(join, row, true, NULL);
    }
    join->pairs = 0;
}

/* Shows rows of the probe batch until the pairs' room is full or the batch is through. */
static void show_rows(struct join *join, const struct join_ops *ops)
{
    while (join->probe_at < join->probe->count) {
        uint32_t row = batch_row(join->probe, join->probe_at);
        if (!ops->show(join, row) || !join_pair(join, row, NULL))
            return;
        join->row_begun = false;
        join->probe_at++;
    }
}

static void give_unmatched(struct join *join)
{
    struct operation *step = &join->step;
    for (; join->unmatched_at < join->store.count && step->batch.count < BATCH_ROWS; join->unmatched_at++)
        if (!join->store.tuple[join->unmatched_at]->matched)
            emit(join, 0, false, join->store.tuple[join->unmatched_at]);
}

static enum sqlstate next_probe(struct join *join, const struct join_ops *ops, struct error *error)
{
    enum sqlstate failed = operation_next(join->step.input[0], &join->probe, error);
    join->probe_at = 0;
    join->row_begun = false;
    join->probe_ended = join->probe == NULL;
    return failed || join->probe_ended || !ops->begin_batch ? failed : ops->begin_batch(join, error);
}

enum sqlstate join_next(struct join *join, const struct join_ops *ops, const struct batch **batch,
                        struct error *error)
{
    struct operation *step = &join->step;
    const struct plan *plan = step->plan;
    enum sqlstate failed = SQLSTATE_OK;
    if (!join->built) {
        tuple_store_init(&join->store, step->memory, join->right_columns, plan->input[1]->column);
        failed = ops->build(join, error);
        join->built = true;
    }
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    bool needs_tuples = plan->join == JOIN_INNER || plan->join == JOIN_SEMI || plan->join == JOIN_RIGHT;
    if (!failed && join->store.count == 0 && needs_tuples)
        return SQLSTATE_OK;
    while (!failed && !join->probe_ended && step->batch.count == 0) {
        /* What an earlier batch pointed to may go now. */
        if (join->probe == NULL || join->probe_at == join->probe->count)
            if ((failed = next_probe(join, ops, error)) || join->probe_ended)
                break;
        operation_clear_scratch(step);
        show_rows(join, ops);
        if ((failed = try_pairs(join, error)))
            break;
        walk_pairs(join);
        failed = operation_breathe(operation_world(step), error);
    }
    if (!failed && join->probe_ended && join_keeps_right(plan))
        give_unmatched(join);
    if (!failed && step->batch.count)
        *batch = &step->batch;
    return failed;
}

enum sqlstate join_restart(struct operation *step, struct error *error)
{
    struct join *join = (struct join *)step;
    join->built = join->probe_ended = join->row_begun = join->row_matched = false;
    join->probe = NULL;
    join->pairs = 0;
    join->candidate = NULL;
    join->candidate_at = join->unmatched_at = 0;
    return operation_restart_inputs(step, error);
}
