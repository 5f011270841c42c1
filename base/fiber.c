/* Fibers: starting and ending them, waiting, waking, canceling. Who runs next is scheduler.c's affair.
 *
 * Every wait ends in one place, end_wait(), with one of three causes: a wake, the timer, a cancel. Whichever
 * comes first takes the fiber out of its queue and disarms the timer, so that the others find nothing: a wake
 * is never lost on a fiber that timed out, and a fiber that was woken and then canceled before it ran still
 * reports its wake, the cancel being due at its next wait. */
#include "base/fiber.h"
#include "base/check.h"
#include "base/scheduler_state.h"
#include "base/system.h"

/* ---- starting and ending ---- */

/* The operator closes what the fiber works for (a session, the node). */
static void cancel_by_close(void *argument)
{
    fiber_cancel(argument, SQLSTATE_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
}

static _Noreturn void run(void *argument)
{
    struct fiber *self = argument;
    context_arrived(&self->context);
    self->run(self->argument);
    check(self->scheduler->stills == 0, "fiber \"%s\" ended within fiber_still_begin()", self->name);
    check(self->shields == 0, "fiber \"%s\" ended within fiber_shield_begin()", self->name);
    scheduler_leave(self);
}

static void wait_timed_out(void *argument);

static struct fiber *make(struct scheduler *scheduler, struct stack *stack)
{
    size_t size = (sizeof(struct fiber) + STACK_LINE_BYTES - 1) / STACK_LINE_BYTES * STACK_LINE_BYTES;
    struct fiber *fiber = (struct fiber *)((char *)stack - size);
    *fiber = (struct fiber){.scheduler = scheduler, .state = FIBER_READY, .stack = stack};
    fiber->timer.fire = wait_timed_out;
    fiber->timer.argument = fiber;
    list_link_init(&fiber->link);
    list_link_init(&fiber->warm);
    context_make(&fiber->context, stack->low + system_page_bytes(), fiber, run, fiber);
    return fiber;
}

enum sqlstate fiber_start(struct scheduler *scheduler, struct scope *scope, const char *name,
                          void (*run)(void *argument), void *argument, struct fiber **started,
                          struct error *error)
{
    if (scheduler->fibers == FIBERS_PER_CORE_MAX)
        return error_set(error, SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED,
                         "too many fibers: a core runs at most %d at a time", FIBERS_PER_CORE_MAX);
    struct stack *stack = stack_take(&scheduler->stacks);
    if (!stack) {
        enum sqlstate failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        error_add(error, ERROR_DETAIL, "The system gave no stack for fiber \"%s\"; %u run on this core.",
                  name, scheduler->fibers);
        return failed;
    }
    struct fiber *fiber = make(scheduler, stack);
    fiber->run = run;
    fiber->argument = argument;
    fiber->name = name;
    fiber->scope = scope;
    scope_hold(scope);
    if (scope_closing(scope))
        cancel_by_close(fiber);
    else
        fiber->on_close = scope_on_close(scope, cancel_by_close, fiber);
    list_append(&scheduler->everyone, &fiber->everyone);
    scheduler->fibers++;
    scheduler->totals.fibers_started++;
    scheduler_enqueue(fiber);
    if (started)
        *started = fiber;
    return SQLSTATE_OK;
}

/* Stacks are looked at when every 64th fiber ends: it takes a system call. */
#define HIGH_WATER_SAMPLE 64

struct scope *fiber_take_apart(struct fiber *fiber)
{
    struct scheduler *scheduler = fiber->scheduler;
    struct scope *held = fiber->scope;
    if (fiber->on_close)
        scope_undo_cancel(fiber->on_close);
    list_remove(&fiber->everyone);
    list_remove(&fiber->warm);
    scheduler->fibers--;
    if ((scheduler->totals.fibers_started - scheduler->fibers) % HIGH_WATER_SAMPLE == 1) {
        size_t touched = stack_touched(&scheduler->stacks, fiber->stack);
        if (touched > scheduler->totals.stack_high_water)
            scheduler->totals.stack_high_water = touched;
    }
    context_forget(&fiber->context);
    stack_give(&scheduler->stacks, fiber->stack);
    return held;
}

struct fiber *fiber_running(const struct scheduler *scheduler)
{
    return scheduler->running;
}

const char *fiber_name(const struct fiber *fiber)
{
    return fiber->name;
}

/* ---- waiting ---- */

/* The running fiber, which is about to yield; asked even when the wait turns out to be over already. */
static struct fiber *yielding(const struct scheduler *scheduler)
{
    check(scheduler->running, "a wait outside any fiber");
    check(scheduler->stills == 0, "fiber \"%s\" yields within fiber_still_begin()", scheduler->running->name);
    return scheduler->running;
}

void fiber_may_yield(const struct scheduler *scheduler)
{
    (void)yielding(scheduler);
}

bool fiber_can_yield(const struct scheduler *scheduler)
{
    return scheduler->running && scheduler->stills == 0 && !scheduler->big_stack_taken;
}

static enum fiber_wake wait(struct scheduler *scheduler, struct fiber_queue *queue, uint64_t deadline_ns)
{
    struct fiber *self = yielding(scheduler);
    if (self->cancel_state && !self->shields)
        return FIBER_CANCELED;
    fiber_move(self, FIBER_WAITING);
    share_leave(self);
    if (queue)
        list_append(&queue->waiting, &self->link);
    if (deadline_ns != FIBER_NO_DEADLINE)
        timers_set(&scheduler->timers, &self->timer, deadline_ns);
    else
        rest_note(self);
    scheduler_suspend(self);
    return self->wake;
}

static void end_wait(struct fiber *fiber, enum fiber_wake wake)
{
    list_remove(&fiber->link);
    timers_clear(&fiber->scheduler->timers, &fiber->timer);
    fiber->wake = wake;
    fiber_move(fiber, FIBER_READY);
    scheduler_enqueue(fiber);
}

static void wait_timed_out(void *argument)
{
    end_wait(argument, FIBER_TIMED_OUT);
}

void fiber_yield(struct scheduler *scheduler)
{
    struct fiber *self = yielding(scheduler);
    self->yielded = true;
    share_yields(self);
    fiber_move(self, FIBER_READY);
    scheduler_enqueue(self);
    scheduler_suspend(self);
}

enum fiber_wake fiber_wait(struct scheduler *scheduler, struct fiber_queue *queue, uint64_t deadline_ns)
{
    return wait(scheduler, queue, deadline_ns);
}

enum fiber_wake fiber_sleep_until(struct scheduler *scheduler, uint64_t deadline_ns)
{
    return wait(scheduler, NULL, deadline_ns);
}

/* ---- waking ---- */

void fiber_queue_init(struct fiber_queue *queue)
{
    list_init(&queue->waiting);
}

bool fiber_queue_empty(const struct fiber_queue *queue)
{
    return list_empty(&queue->waiting);
}

bool fiber_wake_one(struct fiber_queue *queue)
{
    struct list_link *first = list_first(&queue->waiting);
    if (!first)
        return false;
    end_wait(container_of(first, struct fiber, link), FIBER_WOKEN);
    return true;
}

size_t fiber_wake_all(struct fiber_queue *queue)
{
    size_t woken = 0;
    while (fiber_wake_one(queue))
        woken++;
    return woken;
}

/* ---- canceling ---- */

void fiber_cancel(struct fiber *fiber, enum sqlstate state, const char *message)
{
    check(state != SQLSTATE_OK, "a fiber canceled for no reason");
    if (fiber->cancel_state)
        return;
    fiber->cancel_state = state;
    fiber->cancel_message = message;
    if (fiber->state == FIBER_WAITING && !fiber->shields)
        end_wait(fiber, FIBER_CANCELED);
}

bool fiber_canceled(const struct scheduler *scheduler)
{
    const struct fiber *self = scheduler->running;
    check(self, "fiber_canceled() outside any fiber");
    return self->cancel_state && !self->shields;
}

enum sqlstate fiber_check_canceled(const struct scheduler *scheduler, struct error *error)
{
    const struct fiber *self = scheduler->running;
    check(self, "fiber_check_canceled() outside any fiber");
    return self->cancel_state ? error_set(error, self->cancel_state, "%s", self->cancel_message)
                              : SQLSTATE_OK;
}

void fiber_cancel_clear(struct fiber *fiber)
{
    fiber->cancel_state = SQLSTATE_OK;
    fiber->cancel_message = NULL;
}

void fiber_shield_begin(struct scheduler *scheduler)
{
    check(scheduler->running, "a shield outside any fiber");
    scheduler->running->shields++;
}

void fiber_shield_end(struct scheduler *scheduler)
{
    check(scheduler->running && scheduler->running->shields > 0, "a shield ends that did not begin");
    scheduler->running->shields--;
}

void fiber_still_begin(struct scheduler *scheduler)
{
    scheduler->stills++;
}

void fiber_still_end(struct scheduler *scheduler)
{
    check(scheduler->stills > 0, "fiber_still_end() without its begin");
    scheduler->stills--;
}

/* ---- scopes ---- */

/* A fiber that waits for a scope to be gone; on its stack. */
struct closing {
    struct scope_gone record;
    struct fiber_queue waiter;
    bool gone;
};

static void scope_is_gone(void *argument)
{
    struct closing *closing = argument;
    closing->gone = true;
    fiber_wake_one(&closing->waiter);
}

void fiber_close_scope(struct scheduler *scheduler, struct scope *scope)
{
    struct fiber *self = yielding(scheduler);
    struct closing closing = {.gone = false};
    fiber_queue_init(&closing.waiter);
    scope_on_gone(scope, &closing.record, scope_is_gone, &closing);
    self->shields++;
    scope_close(scope);
    while (!closing.gone)
        (void)fiber_wait(scheduler, &closing.waiter, FIBER_NO_DEADLINE);
    self->shields--;
}

/* ---- answers ---- */

size_t fiber_stack_high_water(const struct scheduler *scheduler)
{
    check(scheduler->running, "fiber_stack_high_water() outside any fiber");
    return stack_touched(&scheduler->stacks, scheduler->running->stack);
}

enum sqlstate fiber_check_stack(const struct scheduler *scheduler, struct error *error)
{
    if (!scheduler->running || scheduler->big_stack_taken)
        return SQLSTATE_OK;
    const char *here = __builtin_frame_address(0), *low = scheduler->running->stack->low;
    if ((size_t)(here - low) > FIBER_STACK_ROOM_MIN)
        return SQLSTATE_OK;
    enum sqlstate failed = error_set(error, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    error_add(error, ERROR_HINT, "Write the statement with less nesting.");
    return failed;
}
