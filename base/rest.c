/* Stacks at rest. A statement goes some ten kilobytes deep into its connection's stack, a large one hundreds; a connection that
 * waits for its client stands on one page. Fibers that wait without a deadline are looked at when they have done so for a while,
 * and the pages they do not stand on go back to the system: a call for each of them, and three pages touched anew when it goes on.
 *
 * `warm` holds those that have waited since their stack was last given back, in no strict order: who has run meanwhile goes to its
 * end. While it is empty, nothing is looked at. */
#include "base/scheduler_state.h"

/* Fibers looked at in one go, at some microseconds each; with more of them it is gone on with after a moment. */
#define REST_FIBERS   64
#define REST_PAUSE_NS (10UL * 1000 * 1000)

static void rest_look(void *argument)
{
    struct scheduler *scheduler = argument;
    uint64_t now_ns = scheduler->timers.now_ns, rest_ns = scheduler->options.stack_rest_ns;
    uint64_t next_ns = now_ns + rest_ns;
    struct list_link *last = scheduler->warm.head.prev, *at = NULL;
    for (uint32_t looked = 0; looked < REST_FIBERS && at != last && !list_empty(&scheduler->warm); looked++) {
        at = list_take_first(&scheduler->warm);
        struct fiber *fiber = container_of(at, struct fiber, warm);
        if (fiber->state == FIBER_WAITING && now_ns - fiber->waits_since_ns >= rest_ns)
            stack_rest(fiber->stack, fiber->context.stack_pointer);
        else
            list_append(&scheduler->warm, at);
    }
    if (at != last)
        next_ns = now_ns + REST_PAUSE_NS;
    if (!list_empty(&scheduler->warm))
        fiber_timer_set(scheduler, &scheduler->warm_look, next_ns, rest_look, scheduler);
}

void rest_watch(struct fiber *fiber)
{
    struct scheduler *scheduler = fiber->scheduler;
    list_append(&scheduler->warm, &fiber->warm);
    if (!scheduler->warm_look.place)
        fiber_timer_set(scheduler, &scheduler->warm_look,
                        scheduler->timers.now_ns + scheduler->options.stack_rest_ns, rest_look, scheduler);
}
