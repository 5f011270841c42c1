/* Operators that are not there yet. */
#include "sqlfront/run/operator.h"

static enum sqlstate open_missing(struct operation *step, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "plan nodes of kind %u are not supported yet",
                     step->plan->kind);
}
#define MISSING(name) \
    const struct operation_ops name##_ops = {.bytes = sizeof(struct operation), .open = open_missing}
MISSING(merge_join);
MISSING(gather);
