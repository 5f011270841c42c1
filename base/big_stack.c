/* The big stack of a core: one, reserved when the scheduler opens (so that running out of address space is an
 * answer then, and cannot happen in the middle of a statement), committed when touched.
 *
 * Pages a deep call has touched would stay committed for good. Looking for them takes a system call, so it is
 * done in some tick afterwards rather than after each call. */
#include "base/check.h"
#include "base/scheduler_state.h"
#include "base/system.h"

/* What stays committed: ordinary calls touch less, and need not fault their pages in again each time. */
#define BIG_STACK_KEPT_BYTES (1024 * 1024)

/* A stretch below what is kept that every deeper call touches, since hardly a frame jumps over it whole. */
#define BIG_STACK_PROBE_BYTES (256 * 1024)

enum sqlstate big_stack_open(struct scheduler *scheduler, struct error *error)
{
    scheduler->big_stack = system_pages_map(FIBER_BIG_STACK_BYTES, true);
    if (scheduler->big_stack) {
        scheduler->big_stack_name =
            context_stack_known(scheduler->big_stack, scheduler->big_stack + FIBER_BIG_STACK_BYTES);
        return SQLSTATE_OK;
    }
    enum sqlstate failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    error_add(error, ERROR_DETAIL, "The system gave no address space for a stack of %lu bytes.",
              FIBER_BIG_STACK_BYTES);
    return failed;
}

void big_stack_close(struct scheduler *scheduler)
{
    if (!scheduler->big_stack)
        return;
    context_stack_gone(scheduler->big_stack_name);
    system_pages_unmap(scheduler->big_stack, FIBER_BIG_STACK_BYTES);
    scheduler->big_stack = NULL;
}

/* Looking is a system call, and with TLS every other turn uses the stack. */
#define BIG_STACK_LOOK_EVERY_NS 10000000

void big_stack_trim(struct scheduler *scheduler, uint64_t now_ns)
{
    if (!scheduler->big_stack_used || now_ns - scheduler->big_stack_looked_ns < BIG_STACK_LOOK_EVERY_NS)
        return;
    scheduler->big_stack_used = false;
    scheduler->big_stack_looked_ns = now_ns;
    size_t page = system_page_bytes(), kept = FIBER_BIG_STACK_BYTES - BIG_STACK_KEPT_BYTES;
    /* The lowest page given is taken for a guard and not looked at. */
    char *probe = scheduler->big_stack + kept - BIG_STACK_PROBE_BYTES - page;
    if (system_pages_touched_from_top(probe, BIG_STACK_PROBE_BYTES + page))
        system_pages_discard(scheduler->big_stack + page, kept - page);
}

void fiber_call_on_big_stack(struct scheduler *scheduler, void (*run)(void *argument), void *argument)
{
    check(!scheduler->big_stack_taken, "fiber_call_on_big_stack() within itself");
    scheduler->big_stack_taken = scheduler->big_stack_used = true;
    fiber_still_begin(scheduler);
    context_call(scheduler->big_stack + system_page_bytes(), scheduler->big_stack + FIBER_BIG_STACK_BYTES,
                 run, argument);
    fiber_still_end(scheduler);
    scheduler->big_stack_taken = false;
}

/* (Whoever is on it does not yield, so nobody else can ask.) */
bool fiber_is_on_big_stack(const struct scheduler *scheduler)
{
    return scheduler->big_stack_taken;
}
