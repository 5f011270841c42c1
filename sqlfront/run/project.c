/* PROJECT: slots computed from the input's. */
#include "sqlfront/run/operator.h"

struct project {
    struct operation step;
    struct program **program;
};

static enum sqlstate open_project(struct operation *step, struct error *error)
{
    return operation_programs(step, step->plan->expression, step->plan->expressions,
                              &((struct project *)step)->program, error);
}

static enum sqlstate next_project(struct operation *step, const struct batch **batch, struct error *error)
{
    struct project *project = (struct project *)step;
    const struct batch *input;
    step->input[0]->wanted = step->wanted;
    enum sqlstate failed = operation_next(step->input[0], &input, error);
    if (failed || input == NULL)
        return failed;
    operation_clear_scratch(step);
    for (uint32_t i = 0; i < step->plan->expressions; i++)
        if ((failed = program_view(project->program[i], input, step->scratch, &step->column[i], error)))
            return failed;
    step->batch.count = input->count;
    step->batch.selection = input->selection;
    *batch = &step->batch;
    return SQLSTATE_OK;
}

const struct operation_ops project_ops = {.bytes = sizeof(struct project),
                                          .open = open_project,
                                          .next = next_project,
                                          .restart = operation_restart_inputs};
