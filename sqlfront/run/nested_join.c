/* NESTED_JOIN: every pair is a candidate; the second input is kept in memory. */
#include "sqlfront/run/join.h"

static enum sqlstate build(struct join *join, struct error *error)
{
    struct operation *step = &join->step;
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed) {
        const struct batch *input;
        if ((failed = operation_next(step->input[1], &input, error)) || input == NULL)
            break;
        for (uint32_t i = 0; i < input->count && !failed; i++) {
            struct tuple *tuple;
            failed = tuple_store_add(&join->store, input->column, batch_row(input, i), &tuple, error);
        }
    }
    return failed;
}

static bool show(struct join *join, uint32_t row)
{
    if (!join->row_begun)
        join->candidate_at = 0;
    join->row_begun = true;
    bool one_will_do = join->condition == NULL && join_gives_left_only(join->step.plan);
    for (; join->candidate_at < join->store.count; join->candidate_at++) {
        if (!join_pair(join, row, join->store.tuple[join->candidate_at]))
            return false;
        if (one_will_do)
            return true;
    }
    return true;
}

/* Without tuples the rows of the first input need not be read. */
static enum sqlstate next_probe(struct join *join, struct error *error)
{
    uint8_t kind = join->step.plan->join;
    join->probe = NULL;
    if (join->store.count == 0 && (kind == JOIN_INNER || kind == JOIN_SEMI || kind == JOIN_RIGHT))
        return SQLSTATE_OK;
    return operation_next(join->step.input[0], &join->probe, error);
}

static enum sqlstate next_nested_join(struct operation *step, const struct batch **batch, struct error *error)
{
    static const struct join_ops ops = {.build = build, .next_probe = next_probe, .show = show};
    return join_next((struct join *)step, &ops, batch, error);
}

const struct operation_ops nested_join_ops = {
    .bytes = sizeof(struct join), .open = join_open, .next = next_nested_join, .restart = join_restart};
