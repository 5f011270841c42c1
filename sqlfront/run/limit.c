/* LIMIT and OFFSET, WITH TIES. */
#include "sqlfront/run/operator.h"

struct limit {
    struct operation step;
    struct program *limit, *offset;
    struct program **key; /* WITH TIES */
    bool begun, ended;
    bool all; /* no limit */
    uint64_t skip, left;
    uint16_t *selection;
    struct value *last; /* WITH TIES: keys of the last row within the limit */
};

static enum sqlstate open_limit(struct operation *step, struct error *error)
{
    struct limit *limit = (struct limit *)step;
    const struct plan *plan = step->plan;
    limit->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof(uint16_t));
    limit->key = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof limit->key[0]);
    limit->last = scope_alloc(step->scope, (plan->keys + 1) * sizeof limit->last[0]);
    enum sqlstate failed = operation_program(step, plan->limit, &limit->limit, error);
    if (!failed)
        failed = operation_program(step, plan->offset, &limit->offset, error);
    for (uint32_t i = 0; i < plan->keys && !failed && plan->with_ties; i++)
        failed = operation_program(step, plan->key[i].expression, &limit->key[i], error);
    return failed;
}

static enum sqlstate count_of(struct operation *step, struct program *program, enum sqlstate state,
                              const char *word, uint64_t *count, bool *given, struct error *error)
{
    struct value value = value_null();
    enum sqlstate failed =
        program ? program_run_row(program, NULL, 0, step->memory, &value, error) : SQLSTATE_OK;
    if (failed)
        return failed;
    *given = !value.null;
    *count = value.null ? 0 : (uint64_t)value.i;
    if (!value.null && value.i < 0)
        return error_set(error, state, "%s must not be negative", word);
    return SQLSTATE_OK;
}

static enum sqlstate begin(struct limit *limit, struct error *error)
{
    bool given;
    struct operation *step = &limit->step;
    limit->begun = true;
    enum sqlstate failed = count_of(step, limit->offset, SQLSTATE_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
                                    "OFFSET", &limit->skip, &given, error);
    if (!failed)
        failed = count_of(step, limit->limit, SQLSTATE_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT",
                          &limit->left, &given, error);
    limit->all = !given;
    return failed;
}

static enum sqlstate keys_of(struct limit *limit, const struct batch *input, const struct value ***keys,
                             struct error *error)
{
    struct operation *step = &limit->step;
    *keys = scope_alloc(step->scratch, (step->plan->keys + 1) * sizeof **keys);
    for (uint32_t i = 0; i < step->plan->keys; i++) {
        enum sqlstate failed = program_view(limit->key[i], input, step->scratch, &(*keys)[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate remember(struct limit *limit, const struct value **keys, uint32_t row,
                              struct error *error)
{
    const struct plan *plan = limit->step.plan;
    for (uint32_t i = 0; i < plan->keys; i++) {
        enum sqlstate failed =
            value_copy(limit->step.memory, plan->key[i].type, &keys[i][row], &limit->last[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static bool ties(const struct limit *limit, const struct value **keys, uint32_t row)
{
    const struct plan *plan = limit->step.plan;
    for (uint32_t i = 0; i < plan->keys; i++)
        if (plan_key_compare(operation_environment(&limit->step), &plan->key[i], &keys[i][row],
                             &limit->last[i]))
            return false;
    return true;
}

static enum sqlstate cut(struct limit *limit, const struct batch *input, uint32_t *kept, struct error *error)
{
    struct operation *step = &limit->step;
    bool with_ties = step->plan->with_ties && !limit->all;
    const struct value **keys = NULL;
    enum sqlstate failed = with_ties ? keys_of(limit, input, &keys, error) : SQLSTATE_OK;
    if (failed)
        return failed;
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = batch_row(input, i);
        if (limit->skip) {
            limit->skip--;
            continue;
        }
        if (!limit->all && limit->left == 0) {
            if (with_ties && ties(limit, keys, row)) {
                limit->selection[(*kept)++] = (uint16_t)row;
                continue;
            }
            limit->ended = true;
            return SQLSTATE_OK;
        }
        limit->selection[(*kept)++] = (uint16_t)row;
        if (!limit->all && --limit->left == 0 && with_ties && (failed = remember(limit, keys, row, error)))
            return failed;
    }
    limit->ended = !limit->all && limit->left == 0 && !with_ties;
    return SQLSTATE_OK;
}

static enum sqlstate next_limit(struct operation *step, const struct batch **batch, struct error *error)
{
    struct limit *limit = (struct limit *)step;
    enum sqlstate failed = limit->begun ? SQLSTATE_OK : begin(limit, error);
    if (!failed && !limit->all && limit->left == 0 && !step->plan->with_ties)
        limit->ended = true;
    uint32_t kept = 0;
    while (!failed && !limit->ended && kept == 0) {
        const struct batch *input;
        step->input[0]->wanted = limit->all || step->plan->with_ties ? 0 : limit->skip + limit->left;
        if ((failed = operation_next(step->input[0], &input, error)))
            break;
        limit->ended = input == NULL;
        if (input == NULL)
            break;
        operation_clear_scratch(step);
        failed = cut(limit, input, &kept, error);
        step->batch = *input;
        step->batch.selection = limit->selection;
        step->batch.count = kept;
    }
    if (!failed && kept)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_limit(struct operation *step, struct error *error)
{
    struct limit *limit = (struct limit *)step;
    limit->begun = limit->ended = false;
    return operation_restart_inputs(step, error);
}

const struct operation_ops limit_ops = {
    .bytes = sizeof(struct limit), .open = open_limit, .next = next_limit, .restart = restart_limit};
