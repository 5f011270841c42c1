/* FUNCTION: functions in FROM, side by side (ROWS FROM); those that end first go on with nulls. */
#include "sqlfront/run/set_call.h"

struct function_step {
    struct operation step;
    struct set_call *call;
    struct value *row;
    bool begun, ended;
    int64_t number; /* WITH ORDINALITY */
};

static enum sqlstate open_function(struct operation *step, struct error *error)
{
    struct function_step *function = (struct function_step *)step;
    const struct plan *plan = step->plan;
    function->call = scope_alloc_zeroed(step->scope, (plan->functions + 1) * sizeof function->call[0]);
    function->row = scope_alloc_zeroed(step->scope, (plan->columns + 1) * sizeof function->row[0]);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < plan->functions && !failed; i++)
        failed = set_call_make(step, plan->function[i].call, plan->function[i].columns, true,
                               &function->call[i], error);
    return failed;
}

/* Rows side by side, one after the other; gives how many in *count. */
static enum sqlstate gather_rows(struct function_step *function, uint32_t *given, struct error *error)
{
    struct operation *step = &function->step;
    const struct plan *plan = step->plan;
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t count = 0;
    while (!failed && !function->ended && count < BATCH_ROWS) {
        uint32_t at = 0;
        bool any = false;
        for (uint32_t i = 0; i < plan->functions && !failed; i++) {
            bool end;
            failed = set_call_next(step, &function->call[i], function->row + at, &end, error);
            for (uint32_t c = 0; end && c < plan->function[i].columns; c++)
                function->row[at + c] = value_null();
            any |= !end;
            at += plan->function[i].columns;
        }
        if (failed)
            return failed;
        if (!any) {
            function->ended = true;
            break;
        }
        if (plan->ordinality)
            function->row[at++] = value_integer(++function->number);
        for (uint32_t c = 0; c < plan->columns; c++)
            step->room[c][count] = c < at ? function->row[c] : value_null();
        count++;
    }
    *given = count;
    return failed;
}

static enum sqlstate next_function(struct operation *step, const struct batch **batch, struct error *error)
{
    struct function_step *function = (struct function_step *)step;
    const struct plan *plan = step->plan;
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t count = 0;
    operation_clear_scratch(step);
    for (uint32_t i = 0; i < plan->functions && !function->begun && !failed; i++)
        failed = set_call_open(step, &function->call[i], NULL, 0, error);
    function->begun = true;
    operation_want_room(step, BATCH_ROWS);
    if (!failed && set_call_by_batches(&function->call[0]))
        failed = set_call_next_rows(step, &function->call[0], step->room, BATCH_ROWS, &count, error);
    else if (!failed)
        failed = gather_rows(function, &count, error);
    step->batch.count = count;
    if (!failed && count)
        *batch = &step->batch;
    return failed;
}

static enum sqlstate restart_function(struct operation *step, struct error *error)
{
    struct function_step *function = (struct function_step *)step;
    (void)error;
    function->begun = function->ended = false;
    function->number = 0;
    for (uint32_t i = 0; i < step->plan->functions; i++)
        function->call[i].lasting = NULL; /* went with the run's memory */
    return SQLSTATE_OK;
}

const struct operation_ops function_ops = {.bytes = sizeof(struct function_step),
                                           .open = open_function,
                                           .next = next_function,
                                           .restart = restart_function};
