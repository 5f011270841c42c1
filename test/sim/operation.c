/* The life of operations; see operation.h. */
#include "test/sim/operation.h"

#include "base/check.h"

void *operation_take(struct world *world, size_t bytes)
{
    struct sim_core *core = core_of(world);
    struct operation *operation = memory_take_zeroed(&core->process->sim->memory, bytes);
    operation->core = core;
    operation->bytes = bytes;
    fiber_queue_init(&operation->waiting);
    return operation;
}

void operation_hold(struct operation *operation, struct scope *scope)
{
    for (int i = 0; scope && i < OPERATION_SCOPES; i++) {
        if (operation->held[i] == scope)
            return;
        if (!operation->held[i]) {
            operation->held[i] = scope;
            scope_hold(scope);
            return;
        }
    }
    check(!scope, "an operation holds more than %d scopes", OPERATION_SCOPES);
}

static void operation_give(struct operation *operation)
{
    if (operation->give)
        operation->give(operation);
    list_remove(&operation->link);
    memory_give(&operation->core->process->sim->memory, operation, operation->bytes);
}

static void operation_land(struct event *event)
{
    struct operation *operation = container_of(event, struct operation, event);
    struct sim_core *core = operation->core;
    struct error spare;
    if (!operation->waited)
        operation->error = &spare;
    operation->land(operation);
    operation->landed = true;
    for (int i = 0; i < OPERATION_SCOPES && operation->held[i]; i++)
        scope_release(operation->held[i]);
    if (operation->waited)
        fiber_wake_one(&operation->waiting);
    else
        operation_give(operation);
    core_nudge(core);
}

enum sqlstate operation_run(struct operation *operation, uint64_t takes_ns, struct error *error)
{
    struct sim_core *core = operation->core;
    struct sim_process *process = core->process;
    check(fiber_running(core->world.scheduler), "only a fiber can wait for a disk");
    operation->error = error;
    operation->waited = true;
    operation->event.happen = operation_land;
    list_append(&process->operations, &operation->link);
    event_plan(&process->sim->queue, &operation->event, process->sim->now_ns + takes_ns);
    enum fiber_wake woken = fiber_wait(core->world.scheduler, &operation->waiting, FIBER_NO_DEADLINE);
    if (woken == FIBER_CANCELED && !operation->landed) {
        operation->waited = false;
        return fiber_check_canceled(core->world.scheduler, error);
    }
    enum sqlstate failed = operation->failed;
    operation_give(operation);
    return failed;
}

void operations_break_off(struct sim_process *process)
{
    struct list_link *link;
    struct error spare;
    while ((link = list_first(&process->operations))) {
        struct operation *operation = container_of(link, struct operation, link);
        operation->waited = false;
        operation->error = &spare;
        event_drop(&process->sim->queue, &operation->event);
        if (!operation->landed && operation->break_off)
            operation->break_off(operation);
        operation_give(operation);
    }
}
