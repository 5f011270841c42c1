/* Constraints that wait for the end of the transaction: none does before MODIFY is there to leave some. */
#include "sqlfront/run/run.h"

struct deferred {
    bool waits; /* SET CONSTRAINTS ALL DEFERRED */
};

enum sqlstate deferred_open(struct scope *scope, struct deferred **deferred, struct error *error)
{
    *deferred = scope_alloc_zeroed(scope, sizeof **deferred);
    return SQLSTATE_OK;
}

enum sqlstate deferred_set(struct deferred *deferred, const struct execution_request *request,
                           uint32_t constraint, bool wait, struct error *error)
{
    if (!constraint)
        deferred->waits = wait;
    return SQLSTATE_OK;
}

enum sqlstate deferred_check(struct deferred *deferred, const struct execution_request *request,
                             struct error *error)
{
    return SQLSTATE_OK;
}
