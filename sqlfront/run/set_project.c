/* SET_PROJECT: expressions of which some give sets. Each input row gives as many rows as the longest set; shorter ones go on
 * with nulls (PostgreSQL manual 38.5.9). */
#include "sqlfront/run/set_call.h"

struct set_project {
    struct operation step;
    struct set_call *call;    /* per expression; expression NULL where it is none */
    struct program **program; /* per expression, where it is no set */
    const struct batch *input;
    uint32_t at;
    bool running;
    const struct value **value; /* of the plain expressions, for the input batch */
};

static enum sqlstate open_set_project(struct operation *step, struct error *error)
{
    struct set_project *project = (struct set_project *)step;
    const struct plan *plan = step->plan;
    project->call = scope_alloc_zeroed(step->scope, (plan->columns + 1) * sizeof project->call[0]);
    project->program = scope_alloc_zeroed(step->scope, (plan->columns + 1) * sizeof project->program[0]);
    project->value = scope_alloc_zeroed(step->scope, (plan->columns + 1) * sizeof project->value[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t c = 0; c < plan->columns && !failed; c++) {
        if (plan->expression[c]->kind == EXPRESSION_SET_CALL)
            failed = set_call_make(step, plan->expression[c], 1, false, &project->call[c], error);
        else
            failed = operation_program(step, plan->expression[c], &project->program[c], error);
    }
    return failed;
}

static enum sqlstate next_input(struct set_project *project, struct error *error)
{
    struct operation *step = &project->step;
    enum sqlstate failed = operation_next(step->input[0], &project->input, error);
    project->at = 0;
    if (failed || !project->input)
        return failed;
    operation_clear_scratch(step);
    for (uint32_t c = 0; c < step->plan->columns && !failed; c++)
        if (project->program[c])
            failed =
                program_view(project->program[c], project->input, step->scratch, &project->value[c], error);
    return failed;
}

/* One more row out of the input row at hand; *end when its sets have all ended. */
static enum sqlstate put_row(struct set_project *project, bool *end, struct error *error)
{
    struct operation *step = &project->step;
    const struct plan *plan = step->plan;
    uint32_t row = batch_row(project->input, project->at), to = step->batch.count;
    *end = true;
    for (uint32_t c = 0; c < plan->columns; c++) {
        if (!project->call[c].expression) {
            step->room[c][to] = project->value[c][row];
            continue;
        }
        bool ended;
        enum sqlstate failed = set_call_next(step, &project->call[c], &step->room[c][to], &ended, error);
        if (failed)
            return failed;
        if (ended)
            step->room[c][to] = value_null();
        *end &= ended;
    }
    if (!*end)
        step->batch.count++;
    return SQLSTATE_OK;
}

static enum sqlstate next_set_project(struct operation *step, const struct batch **batch, struct error *error)
{
    struct set_project *project = (struct set_project *)step;
    const struct plan *plan = step->plan;
    operation_want_room(step, BATCH_ROWS);
    step->batch.count = 0;
    while (step->batch.count < BATCH_ROWS) {
        enum sqlstate failed = SQLSTATE_OK;
        if (!project->input || project->at == project->input->count) {
            if (step->batch.count > 0)
                break; /* its rows refer to the input batch */
            failed = next_input(project, error);
            if (failed || !project->input)
                return failed;
        }
        if (!project->running) {
            uint32_t row = batch_row(project->input, project->at);
            for (uint32_t c = 0; c < plan->columns && !failed; c++)
                if (project->call[c].expression)
                    failed = set_call_open(step, &project->call[c], project->input, row, error);
            project->running = true;
        }
        bool end = false;
        if (!failed)
            failed = put_row(project, &end, error);
        if (failed)
            return failed;
        if (end) {
            project->running = false;
            project->at++;
        }
    }
    *batch = &step->batch;
    return SQLSTATE_OK;
}

static enum sqlstate restart_set_project(struct operation *step, struct error *error)
{
    struct set_project *project = (struct set_project *)step;
    project->input = NULL;
    project->running = false;
    for (uint32_t c = 0; c < step->plan->columns; c++)
        project->call[c].lasting = NULL;
    return operation_restart_inputs(step, error);
}

const struct operation_ops set_project_ops = {.bytes = sizeof(struct set_project),
                                              .open = open_set_project,
                                              .next = next_set_project,
                                              .restart = restart_set_project};
