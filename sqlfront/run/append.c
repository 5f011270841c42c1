/* APPEND: all rows of each input, one input after the other. */
#include "sqlfront/run/operator.h"

struct append {
    struct operation step;
    struct operation **inputs;
    uint32_t at;
};

static enum sqlstate open_append(struct operation *step, struct error *error)
{
    struct append *append = (struct append *)step;
    append->inputs = scope_alloc_zeroed(step->scope, (step->plan->inputs + 1) * sizeof append->inputs[0]);
    for (uint32_t i = 0; i < step->plan->inputs; i++) {
        enum sqlstate failed =
            operation_make(step->execution, step->plan->append[i], &append->inputs[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate next_append(struct operation *step, const struct batch **batch, struct error *error)
{
    struct append *append = (struct append *)step;
    for (; append->at < step->plan->inputs; append->at++) {
        enum sqlstate failed = operation_next(append->inputs[append->at], batch, error);
        if (failed || *batch)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate restart_append(struct operation *step, struct error *error)
{
    struct append *append = (struct append *)step;
    enum sqlstate failed = SQLSTATE_OK;
    append->at = 0;
    for (uint32_t i = 0; i < step->plan->inputs && !failed; i++)
        failed = operation_restart(append->inputs[i], error);
    return failed;
}

const struct operation_ops append_ops = {
    .bytes = sizeof(struct append), .open = open_append, .next = next_append, .restart = restart_append};
