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

void join_mark_needed(bool *needed, uint32_t slots, struct expression *expression)
{
    struct needs needs = {.needed = needed, .slots = slots};
    if (expression)
        mark_needed(&needs, expression);
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
    join_mark_needed(join->needed, slots, plan->condition);
    join->out_row = scope_alloc(step->scope, BATCH_ROWS * sizeof join->out_row[0]);
    join->out_tuple = scope_alloc(step->scope, BATCH_ROWS * sizeof join->out_tuple[0]);
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

/* The probe's row and the tuple will go out; either may be missing. */
static inline void emit(struct join *join, uint32_t row, struct tuple *tuple)
{
    uint32_t at = join->step.batch.count++;
    join->out_row[at] = (uint16_t)row;
    join->out_tuple[at] = tuple;
}

/* Fills the columns of what goes out. */
static void fill_out(struct join *join)
{
    struct operation *step = &join->step;
    uint32_t count = step->batch.count;
    for (uint32_t i = 0; i < join->outputs; i++) {
        uint32_t slot = join->output[i];
        struct value *column = step->room[i];
        if (slot < join->left_columns) {
            const struct value *from = join->probe ? join->probe->column[slot] : NULL;
            for (uint32_t r = 0; r < count; r++)
                column[r] = join->left_missing ? value_null() : from[join->out_row[r]];
        } else {
            slot -= join->left_columns;
            for (uint32_t r = 0; r < count; r++)
                column[r] = join->out_tuple[r] ? join->out_tuple[r]->value[slot] : value_null();
        }
    }
}

/* The last pair of a row was walked. */
static enum sqlstate end_row(struct join *join, const struct join_ops *ops, uint32_t row, struct error *error)
{
    const struct plan *plan = join->step.plan;
    bool before = join->was_matched && join->was_matched[row], matched = join->row_matched || before;
    join->row_matched = false;
    if (plan->join == JOIN_SEMI) {
        if (matched && !before)
            emit(join, row, NULL);
        /* One that matched is through. */
        return join->defers && !matched ? ops->defer(join, row, false, error) : SQLSTATE_OK;
    }
    if (join->defers)
        return ops->defer(join, row, matched, error);
    if ((join_keeps_left(plan) || plan->join == JOIN_ANTI) && !matched)
        emit(join, row, NULL);
    return SQLSTATE_OK;
}

static enum sqlstate walk_pairs(struct join *join, const struct join_ops *ops, struct error *error)
{
    const struct plan *plan = join->step.plan;
    bool left_only = join_gives_left_only(plan), keeps_right = join_keeps_right(plan);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < join->pairs && !failed; i++) {
        struct tuple *tuple = join->pair_tuple[i];
        uint32_t row = join->pair_row[i];
        if (!tuple) {
            failed = end_row(join, ops, row, error);
            continue;
        }
        if (!join->passed[i])
            continue;
        join->row_matched = true;
        /* Only where it is asked for: several cores may look at one table. */
        if (keeps_right)
            tuple->matched = true;
        if (!left_only)
            emit(join, row, tuple);
    }
    join->pairs = 0;
    return failed;
}

/* Shows rows of the probe batch until the pairs' room is full or the batch is through. */
static void show_rows(struct join *join, const struct join_ops *ops)
{
    uint8_t kind = join->step.plan->join;
    bool ends = (kind != JOIN_INNER && kind != JOIN_RIGHT) || join->defers;
    while (join->probe_at < join->probe->count) {
        uint32_t row = batch_row(join->probe, join->probe_at);
        if (!ops->show(join, row) || (ends && !join_pair(join, row, NULL)))
            return;
        join->row_begun = false;
        join->probe_at++;
    }
}

static void give_unmatched(struct join *join)
{
    struct operation *step = &join->step;
    join->left_missing = true;
    for (; join->unmatched_at < join->store.count && step->batch.count < BATCH_ROWS; join->unmatched_at++)
        if (!join->store.tuple[join->unmatched_at]->matched)
            emit(join, 0, join->store.tuple[join->unmatched_at]);
}

static enum sqlstate next_probe(struct join *join, const struct join_ops *ops, struct error *error)
{
    enum sqlstate failed = ops->next_probe ? ops->next_probe(join, error)
                                           : operation_next(join->step.input[0], &join->probe, error);
    join->probe_at = 0;
    join->row_begun = false;
    join->probe_ended = !failed && join->probe == NULL;
    return failed;
}

/* Pairs of one round, until some go out or it is through. */
static enum sqlstate run_round(struct join *join, const struct join_ops *ops, struct error *error)
{
    struct operation *step = &join->step;
    enum sqlstate failed = SQLSTATE_OK;
    join->left_missing = false;
    while (!failed && !join->probe_ended && step->batch.count == 0) {
        /* What an earlier batch pointed to may go now. */
        if (join->probe == NULL || join->probe_at == join->probe->count)
            if ((failed = next_probe(join, ops, error)) || join->probe_ended)
                break;
        operation_clear_scratch(step);
        show_rows(join, ops);
        if ((failed = try_pairs(join, error)) || (failed = walk_pairs(join, ops, error)))
            break;
        failed = operation_breathe(operation_world(step), error);
    }
    if (!failed && join->probe_ended && join_keeps_right(step->plan) && step->batch.count == 0)
        give_unmatched(join);
    return failed;
}

enum sqlstate join_next(struct join *join, const struct join_ops *ops, const struct batch **batch,
                        struct error *error)
{
    struct operation *step = &join->step;
    enum sqlstate failed = SQLSTATE_OK;
    if (!join->built) {
        tuple_store_init(&join->store, step->memory, join->right_columns, step->plan->input[1]->column);
        failed = ops->build(join, error);
        join->built = true;
    }
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    for (bool more = true; !failed && more && step->batch.count == 0;) {
        failed = run_round(join, ops, error);
        if (failed || step->batch.count)
            break;
        more = false;
        if (ops->next_round)
            failed = ops->next_round(join, &more, error);
        if (more) {
            join->probe = NULL;
            join->probe_ended = false;
            join->unmatched_at = 0;
        }
    }
    if (failed || step->batch.count == 0)
        return failed;
    fill_out(join);
    *batch = &step->batch;
    return SQLSTATE_OK;
}

enum sqlstate join_restart(struct operation *step, struct error *error)
{
    struct join *join = (struct join *)step;
    join->built = join->probe_ended = join->row_begun = join->row_matched = false;
    join->probe = NULL;
    join->pairs = 0;
    join->defers = false;
    join->was_matched = NULL;
    join->candidate = NULL;
    join->candidate_at = join->unmatched_at = 0;
    return operation_restart_inputs(step, error);
}
