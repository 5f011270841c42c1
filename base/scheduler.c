/* The scheduler: who runs next.
 *
 * Ready fibers stand in a list, the longest ready first. A fiber that waits picks the next one itself and
 * switches straight to it; the loop (whoever called scheduler_run) comes back only when none is ready, when
 * the turns are used up, or when a fiber ended: an ended fiber leaves to the loop, which takes it apart on
 * the thread's own stack. There, undo actions of a scope the fiber held last have room, may end the scheduler
 * itself, and cannot yield by mistake. */
#include "base/check.h"
#include "base/scheduler_state.h"

static void scheduler_close(void *argument)
{
    struct scheduler *scheduler = argument;
    check(scheduler->fibers == 0 && !scheduler->running, "a scheduler closes while %u fibers have not ended",
          scheduler->fibers);
    stack_pool_close(&scheduler->stacks);
    big_stack_close(scheduler);
    if (scheduler->gone)
        *scheduler->gone = true;
}

enum sqlstate scheduler_open(struct scope *scope, const struct scheduler_options *options,
                             struct scheduler **opened, struct error *error)
{
    struct scheduler *scheduler = scope_alloc_zeroed(scope, sizeof *scheduler);
    enum sqlstate failed = big_stack_open(scheduler, error);
    if (failed)
        return failed;
    list_init(&scheduler->ready);
    list_init(&scheduler->everyone);
    list_init(&scheduler->warm);
    shares_open(&scheduler->shares);
    if (options)
        scheduler->options = *options;
    timers_open(&scheduler->timers, scope);
    stack_pool_open(&scheduler->stacks);
    scope_undo(scope, scheduler_close, scheduler);
    *opened = scheduler;
    return SQLSTATE_OK;
}

/* ---- states ---- */

/* The moves drawn in fiber.h: for each state, the states that may follow. */
static const uint8_t moves[] = {
    [FIBER_READY] = 1 << FIBER_RUNNING,
    [FIBER_RUNNING] = 1 << FIBER_READY | 1 << FIBER_WAITING | 1 << FIBER_ENDED,
    [FIBER_WAITING] = 1 << FIBER_READY,
    [FIBER_ENDED] = 0,
};

void fiber_move(struct fiber *fiber, enum fiber_state to)
{
    check(moves[fiber->state] >> to & 1, "fiber \"%s\" moves from state %d to %d", fiber->name, fiber->state,
          to);
    fiber->state = to;
}

void scheduler_enqueue(struct fiber *fiber)
{
    struct scheduler *scheduler = fiber->scheduler;
    if (fiber->share == FIBER_LONG && scheduler->options.clock) {
        list_append(&scheduler->shares.ready, &fiber->link);
        scheduler->shares.ready_count++;
        return;
    }
    list_append(&scheduler->ready, &fiber->link);
    scheduler->ready_count++;
}

/* ---- picking and switching ---- */

static struct list_link *chosen(struct scheduler *scheduler)
{
    uint32_t skip = scheduler->options.choose(scheduler->options.choose_argument, scheduler->ready_count);
    check(skip < scheduler->ready_count, "choose gave %u of %u ready fibers", skip, scheduler->ready_count);
    struct list_link *at = list_first(&scheduler->ready);
    while (skip--)
        at = at->next;
    /* Whoever yields has been promised that all who were ready go first. */
    while (container_of(at, struct fiber, link)->yielded && at != list_first(&scheduler->ready))
        at = at->prev;
    return at;
}

static struct list_link *take_next(struct scheduler *scheduler)
{
    if (scheduler->shares.ready_count && shares_long_is_next(scheduler)) {
        scheduler->shares.ready_count--;
        return list_take_first(&scheduler->shares.ready);
    }
    struct list_link *link = scheduler->options.choose && scheduler->ready_count > 1
                                 ? chosen(scheduler)
                                 : scheduler->ready.head.next;
    list_remove(link);
    scheduler->ready_count--;
    return link;
}

/* Takes the fiber that runs next out of its ready list and makes it the running one. Requires scheduler_ready(). */
static struct fiber *pick(struct scheduler *scheduler)
{
    struct list_link *link = take_next(scheduler);
    scheduler->turns_left--;
    scheduler->totals.switches++;
    struct fiber *next = container_of(link, struct fiber, link);
    next->yielded = false;
    next->began_ns = shares_measure(scheduler) ? scheduler->shares.now_ns : 0;
    fiber_move(next, FIBER_RUNNING);
    scheduler->running = next;
    return next;
}

void scheduler_suspend(struct fiber *self)
{
    struct scheduler *scheduler = self->scheduler;
    if (scheduler->turns_left && !scheduler->hears && scheduler_ready(scheduler)) {
        struct fiber *next = pick(scheduler);
        if (next != self)
            context_switch(&self->context, &next->context);
    } else {
        scheduler->running = NULL;
        context_switch(&self->context, &scheduler->loop);
    }
}

void scheduler_leave(struct fiber *self)
{
    struct scheduler *scheduler = self->scheduler;
    share_end(self);
    fiber_move(self, FIBER_ENDED);
    scheduler->ended = self;
    scheduler->running = NULL;
    context_leave(&self->context, &scheduler->loop);
}

/* Whether the scheduler is still there afterwards: it may have belonged to the scope the fiber held. */
static bool take_apart_ended(struct scheduler *scheduler)
{
    struct scope *held = fiber_take_apart(scheduler->ended);
    scheduler->ended = NULL;
    bool gone = false;
    scheduler->gone = &gone;
    scope_release(held);
    if (!gone)
        scheduler->gone = NULL;
    return !gone;
}

uint32_t scheduler_run(struct scheduler *scheduler, uint32_t turns_max)
{
    check(!scheduler->running && !scheduler->gone, "scheduler_run() within a fiber or within its own turn");
    context_adopt(&scheduler->loop);
    uint32_t turns_left = turns_max;
    if (shares_measure(scheduler))
        scheduler->shares.now_ns = scheduler->options.clock(scheduler->options.clock_argument);
    scheduler->hears = false;
    while (turns_left && !scheduler->hears && scheduler_ready(scheduler)) {
        scheduler->turns_left = turns_left;
        struct fiber *next = pick(scheduler);
        context_switch(&scheduler->loop, &next->context);
        turns_left = scheduler->turns_left;
        if (scheduler->ended && !take_apart_ended(scheduler))
            break;
    }
    return turns_max - turns_left;
}

bool scheduler_ready(const struct scheduler *scheduler)
{
    return scheduler->ready_count > 0 || shares_ready(scheduler);
}

uint32_t scheduler_ready_count(const struct scheduler *scheduler)
{
    return scheduler->ready_count;
}

/* ---- time ---- */

void scheduler_tick(struct scheduler *scheduler, uint64_t now_ns)
{
    check(!scheduler->running, "scheduler_tick() within a fiber");
    scheduler_set_now(scheduler, now_ns);
    timers_tick(&scheduler->timers, now_ns);
    big_stack_trim(scheduler, now_ns);
}

uint64_t scheduler_next_deadline(const struct scheduler *scheduler)
{
    uint64_t next_ns = timers_next(&scheduler->timers);
    const struct shares *shares = &scheduler->shares;
    return shares->ready_count && shares->resting && shares->free_ns < next_ns ? shares->free_ns : next_ns;
}

/* ---- the end ---- */

void scheduler_abandon(struct scheduler *scheduler)
{
    check(!scheduler->running, "scheduler_abandon() within a fiber");
    struct list_link *link;
    while ((link = list_take_first(&scheduler->everyone))) {
        struct fiber *fiber = container_of(link, struct fiber, everyone);
        context_forget(&fiber->context);
        stack_give(&scheduler->stacks, fiber->stack);
    }
    stack_pool_close(&scheduler->stacks);
    big_stack_close(scheduler);
    list_init(&scheduler->ready);
    list_init(&scheduler->warm);
    scheduler->warm_look.place = 0; /* the timers are forgotten below */
    scheduler->ready_count = 0;
    shares_open(&scheduler->shares);
    scheduler->fibers = 0;
    timers_open(&scheduler->timers, scheduler->timers.scope);
}

uint32_t scheduler_fibers(const struct scheduler *scheduler)
{
    return scheduler->fibers;
}

void scheduler_totals(const struct scheduler *scheduler, struct scheduler_totals *totals)
{
    *totals = scheduler->totals;
}
