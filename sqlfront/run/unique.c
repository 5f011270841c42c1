/* UNIQUE: of neighbours that are equal in the keys the first one. */
#include "sqlfront/run/operator.h"

struct unique {
    struct operation step;
    struct program **key;
    struct value *last;
    struct scope *last_scope;
    bool any;
    uint16_t *selection;
};

static enum sqlstate open_unique(struct operation *step, struct error *error)
{
    struct unique *unique = (struct unique *)step;
    const struct plan *plan = step->plan;
    unique->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof(uint16_t));
    unique->last = scope_alloc(step->scope, (plan->keys + 1) * sizeof unique->last[0]);
    unique->key = scope_alloc_zeroed(step->scope, (plan->keys + 1) * sizeof unique->key[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->keys && !failed; i++)
        failed = operation_program(step, plan->key[i].expression, &unique->key[i], error);
    return failed;
}

static bool same(const struct unique *unique, const struct value **keys, uint32_t row)
{
    const struct plan *plan = unique->step.plan;
    for (uint32_t i = 0; i < plan->keys; i++) {
        const struct value *a = &keys[i][row], *b = &unique->last[i];
        if (a->null != b->null)
            return false;
        if (!a->null && !value_equal(operation_environment(&unique->step), plan->key[i].type, a, b))
            return false;
    }
    return true;
}

static enum sqlstate keep(struct unique *unique, const struct value **keys, uint32_t row, bool copy,
                          struct error *error)
{
    const struct plan *plan = unique->step.plan;
    if (copy) {
        if (unique->last_scope)
            scope_close(unique->last_scope);
        unique->last_scope = scope_open(unique->step.memory, "last");
    }
    for (uint32_t i = 0; i < plan->keys; i++) {
        unique->last[i] = keys[i][row];
        enum sqlstate failed =
            copy ? value_copy(unique->last_scope, plan->key[i].type, &keys[i][row], &unique->last[i], error)
                 : SQLSTATE_OK;
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate thin(struct unique *unique, const struct batch *input, uint32_t *kept,
                          struct error *error)
{
    struct operation *step = &unique->step;
    const struct value **keys = scope_alloc(step->scratch, (step->plan->keys + 1) * sizeof keys[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < step->plan->keys && !failed; i++)
        failed = program_view(unique->key[i], input, step->scratch, &keys[i], error);
    for (uint32_t i = 0; i < input->count && !failed; i++) {
        uint32_t row = batch_row(input, i);
        if (unique->any && same(unique, keys, row))
            continue;
        unique->any = true;
        unique->selection[(*kept)++] = (uint16_t)row;
        failed = keep(unique, keys, row, false, error);
    }
    /* The batch goes, the last keys are still needed. */
    if (!failed && *kept)
        failed = keep(unique, keys, unique->selection[*kept - 1], true, error);
    return failed;
}

static enum sqlstate next_unique(struct operation *step, const struct batch **batch, struct error *error)
{
    struct unique *unique = (struct unique *)step;
    for (uint32_t kept = 0;;) {
        const struct batch *input;
        enum sqlstate failed = operation_next(step->input[0], &input, error);
        if (failed || input == NULL)
            return failed;
        operation_clear_scratch(step);
        if ((failed = thin(unique, input, &kept, error)))
            return failed;
        if (kept == 0)
            continue;
        step->batch = *input;
        step->batch.selection = unique->selection;
        step->batch.count = kept;
        *batch = &step->batch;
        return SQLSTATE_OK;
    }
}

static enum sqlstate restart_unique(struct operation *step, struct error *error)
{
    struct unique *unique = (struct unique *)step;
    unique->any = false;
    unique->last_scope = NULL;
    return operation_restart_inputs(step, error);
}

const struct operation_ops unique_ops = {
    .bytes = sizeof(struct unique), .open = open_unique, .next = next_unique, .restart = restart_unique};
