/* RESULT, EMPTY, VALUES: rows out of nothing. */
#include "sqlfront/run/operator.h"

struct values_step {
    struct operation step;
    struct program **program; /* [row][column] */
    uint32_t at;              /* rows given */
};

static enum sqlstate restart_values(struct operation *step, struct error *error)
{
    ((struct values_step *)step)->at = 0;
    return SQLSTATE_OK;
}

static enum sqlstate next_result(struct operation *step, const struct batch **batch, struct error *error)
{
    struct values_step *values = (struct values_step *)step;
    step->batch.count = 1;
    if (values->at++ == 0)
        *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate next_empty(struct operation *step, const struct batch **batch, struct error *error)
{
    return SQLSTATE_OK;
}

static enum sqlstate open_values(struct operation *step, struct error *error)
{
    const struct plan *plan = step->plan;
    return operation_programs(step, plan->expression, plan->value_rows * plan->columns,
                              &((struct values_step *)step)->program, error);
}

static enum sqlstate next_values(struct operation *step, const struct batch **batch, struct error *error)
{
    struct values_step *values = (struct values_step *)step;
    const struct plan *plan = step->plan;
    uint32_t left = plan->value_rows - values->at, count = left < BATCH_ROWS ? left : BATCH_ROWS;
    if (count == 0)
        return SQLSTATE_OK;
    operation_want_room(step, count);
    operation_clear_scratch(step);
    for (uint32_t row = 0; row < count; row++)
        for (uint32_t c = 0; c < plan->columns; c++) {
            struct program *program = values->program[(values->at + row) * plan->columns + c];
            enum sqlstate failed =
                program_run_row(program, NULL, 0, step->scratch, &step->room[c][row], error);
            if (failed)
                return failed;
        }
    values->at += count;
    step->batch.count = count;
    *batch = &step->batch;
    return SQLSTATE_OK;
}

const struct operation_ops result_ops = {
    .bytes = sizeof(struct values_step), .next = next_result, .restart = restart_values};
const struct operation_ops empty_ops = {
    .bytes = sizeof(struct values_step), .next = next_empty, .restart = restart_values};
const struct operation_ops values_ops = {
    .bytes = sizeof(struct values_step), .open = open_values, .next = next_values, .restart = restart_values};
