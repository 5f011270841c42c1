/* FILTER: the rows for which the condition is true. */
#include "sqlfront/run/operator.h"

struct filter {
    struct operation step;
    struct program *condition;
    uint16_t *selection;
};

static enum sqlstate open_filter(struct operation *step, struct error *error)
{
    struct filter *filter = (struct filter *)step;
    filter->selection = scope_alloc(step->scope, BATCH_ROWS * sizeof(uint16_t));
    return operation_program(step, step->plan->condition, &filter->condition, error);
}

static enum sqlstate next_filter(struct operation *step, const struct batch **batch, struct error *error)
{
    struct filter *filter = (struct filter *)step;
    for (;;) {
        const struct batch *input;
        uint32_t count;
        enum sqlstate failed = operation_next(step->input[0], &input, error);
        if (failed || input == NULL)
            return failed;
        operation_clear_scratch(step);
        if (filter->condition == NULL) {
            *batch = input;
            return SQLSTATE_OK;
        }
        if ((failed =
                 program_select(filter->condition, input, step->scratch, filter->selection, &count, error)))
            return failed;
        step->figures.rows_filtered += input->count - count;
        if (count == 0)
            continue;
        step->batch = *input;
        step->batch.selection = filter->selection;
        step->batch.count = count;
        *batch = &step->batch;
        return SQLSTATE_OK;
    }
}

const struct operation_ops filter_ops = {.bytes = sizeof(struct filter),
                                         .open = open_filter,
                                         .next = next_filter,
                                         .restart = operation_restart_inputs};
