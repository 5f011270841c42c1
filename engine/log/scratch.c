#include "engine/log/scratch.h"

#include "base/fiber.h"
#include "base/scope.h"

struct scope *scratch_open(struct scope *above, const char *name)
{
    struct scope *scratch = scope_open(above, name);
    scope_hold(scratch);
    return scratch;
}

void scratch_close(struct scope *scratch)
{
    scope_close(scratch);
    scope_release(scratch);
}

/* A fiber that waits; on its stack. */
struct closing {
    struct scope_gone record;
    struct fiber_queue waiter;
    bool gone;
};

static void is_gone(void *argument)
{
    struct closing *closing = argument;
    closing->gone = true;
    fiber_wake_one(&closing->waiter);
}

void scratch_close_and_wait(struct scheduler *scheduler, struct scope *scratch)
{
    struct closing closing = {.gone = false};
    fiber_queue_init(&closing.waiter);
    scope_on_gone(scratch, &closing.record, is_gone, &closing);
    scratch_close(scratch);
    fiber_shield_begin(scheduler);
    while (!closing.gone)
        (void)!fiber_wait(scheduler, &closing.waiter, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
}
