/* Fibers: stackful coroutines of one core.
 *
 * A fiber runs until it waits; then the next ready one runs. Nothing else interrupts it, so code between two
 * waits is atomic on its core. All waiting is here or in what is built on it (world.h, stream.h, mailbox.h);
 * a function whose contract does not say "may yield" does not.
 *
 *            fiber_start              picked                  function returns
 *     (none) ----------> READY -------------------> RUNNING -----------------> ended
 *                          ^                          |
 *                          |  woken, timed out,       |  fiber_wait, fiber_sleep_until, ...
 *                          |  canceled                v
 *                          +---------------------- WAITING
 *
 * A fiber belongs to a scope: it holds the scope while it runs, and closing the scope cancels it. */
#ifndef SYNOD_BASE_FIBER_H
#define SYNOD_BASE_FIBER_H

#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fiber;
struct scheduler;
struct scope;

/* A deadline that never comes. All deadlines are monotonic nanoseconds as world_now() counts them. */
#define FIBER_NO_DEADLINE UINT64_MAX

/* How a wait ended. */
enum [[nodiscard]] fiber_wake{
    FIBER_WOKEN = 0,
    FIBER_TIMED_OUT,
    FIBER_CANCELED,
};

/* Fibers waiting for something, first come first served. Initialise with fiber_queue_init(). */
struct fiber_queue {
    struct list waiting;
};

/* Starts a fiber; it runs at a later turn. `name` is a literal. The fiber holds `scope` until `run` returned;
 * when the scope is closed (or is closing already), the fiber is canceled with 57P01. Fails with 53200 when
 * there is no stack to be had and with 53400 at FIBERS_PER_CORE_MAX. Does not yield. `started` may be NULL;
 * the pointer is good until the fiber ended. */
enum sqlstate fiber_start(struct scheduler *scheduler, struct scope *scope, const char *name,
                          void (*run)(void *argument), void *argument, struct fiber **started,
                          struct error *error);

/* The fiber that runs now on this scheduler, or NULL when the driving loop itself runs. */
struct fiber *fiber_running(const struct scheduler *scheduler);
const char *fiber_name(const struct fiber *fiber);

/* Lets every other ready fiber run before this one goes on. Yields; not a cancellation point. */
void fiber_yield(struct scheduler *scheduler);

/* ---- shares: short work before long work (share.c) ---- */

/* Whose work a fiber does. */
enum fiber_share {
    FIBER_OWN = 0, /* the node's: it goes on beside short work, and paces itself. Every fiber at its start. */
    FIBER_SHORT,   /* a client's. Becomes long by itself when it has used FIBER_SHORT_NS of the core. */
    FIBER_LONG,    /* a client's that has used much: gives way to short work, down to a share of the core */
};

/* The running fiber ends its piece of work, if it had one, and begins another: OWN, or a client's, which is SHORT at first.
 * Does not yield. */
void fiber_share_begin(struct scheduler *scheduler, enum fiber_share share);

/* Between the two, the running fiber, whose work was OWN, does a part of what another fiber does for a client: `share` is
 * fiber_share_now() there, and what the end gives (ns of the core, as far as they were measured) is to be told to
 * fiber_share_add() there. Do not yield. */
void fiber_share_help_begin(struct scheduler *scheduler, enum fiber_share share);
uint64_t fiber_share_help_end(struct scheduler *scheduler);

/* Of the running fiber's work by now; FIBER_OWN outside any fiber. */
enum fiber_share fiber_share_now(const struct scheduler *scheduler);

/* Others used `ns` of their cores for the running fiber's piece of work. */
void fiber_share_add(struct scheduler *scheduler, uint64_t ns);

/* Between two stretches of work: yields when the running fiber has had the core for FIBER_STRETCH_NS, by the scheduler's
 * clock; without a clock it never does. Costs a look at the clock. Not a cancellation point. */
void fiber_breathe(struct scheduler *scheduler);

/* Waits in the queue until woken, the deadline, or cancellation. A fiber that is already canceled does not
 * wait; a deadline that has passed is noticed at the scheduler's next tick. Yields. */
enum fiber_wake fiber_wait(struct scheduler *scheduler, struct fiber_queue *queue, uint64_t deadline_ns);

/* Waits for the deadline or cancellation. FIBER_TIMED_OUT is the ordinary end. Yields. */
enum fiber_wake fiber_sleep_until(struct scheduler *scheduler, uint64_t deadline_ns);

void fiber_queue_init(struct fiber_queue *queue);
bool fiber_queue_empty(const struct fiber_queue *queue);

/* Makes the longest waiting fiber ready, with FIBER_WOKEN; false when none waited. Does not yield. */
bool fiber_wake_one(struct fiber_queue *queue);

/* Makes every waiting fiber ready, in order; gives how many. Does not yield. */
size_t fiber_wake_all(struct fiber_queue *queue);

/* Cancels: from now on each cancelable wait of the fiber ends at once with FIBER_CANCELED, and a wait under
 * way is woken so. `state` and `message` (a literal) say why, in PostgreSQL's words; a later cancel does not
 * replace an earlier one. Does not yield. May be called on the running fiber. */
void fiber_cancel(struct fiber *fiber, enum sqlstate state, const char *message);

/* Whether the next cancelable wait of the running fiber would end with FIBER_CANCELED: it was canceled and is
 * not shielded. For those who build waits and would rather not start what nobody will wait for. */
bool fiber_canceled(const struct scheduler *scheduler);

/* Writes the reason the running fiber was canceled for into `error`; OK when it was not. */
enum sqlstate fiber_check_canceled(const struct scheduler *scheduler, struct error *error);

/* Forgets a cancellation that was answered, so that the fiber can do other work. */
void fiber_cancel_clear(struct fiber *fiber);

/* Between the two, waits of the running fiber are not cancelable (cleaning up, finishing a commit). They
 * nest. */
void fiber_shield_begin(struct scheduler *scheduler);
void fiber_shield_end(struct scheduler *scheduler);

/* Between the two, the running code may not yield: a check() stops the process if it does. They nest. Put
 * around every stretch that leaves a page, a list or a counter half changed. */
void fiber_still_begin(struct scheduler *scheduler);
void fiber_still_end(struct scheduler *scheduler);

/* Stops the process unless the running code may yield now: it is a fiber's and not within
 * fiber_still_begin(). For functions that yield only sometimes, so that a forbidden call is found the first
 * time. */
void fiber_may_yield(const struct scheduler *scheduler);

/* Whether it may: for who is called from everywhere and yields only where that is allowed. */
bool fiber_can_yield(const struct scheduler *scheduler);

/* Runs foreign, deeply recursive code (a parser, a cryptographic library) on this core's big stack of
 * FIBER_BIG_STACK_BYTES. The code must not yield, and calls do not nest. Works outside a fiber, too. */
void fiber_call_on_big_stack(struct scheduler *scheduler, void (*run)(void *argument), void *argument);

/* Whether the running code is on the big stack already: then it can call what needs much stack just so. */
bool fiber_is_on_big_stack(const struct scheduler *scheduler);

/* Closes the scope and waits, shielded, until it is gone. Yields. The running fiber must not hold it. */
void fiber_close_scope(struct scheduler *scheduler, struct scope *scope);

/* A function to be called by the scheduler at a time. Embed it; `armed` timers must stay where they are. */
struct fiber_timer {
    uint64_t deadline_ns;
    uint32_t place; /* in the scheduler's heap, from 1; 0 = not armed, as it must be before the first use */
    void (*fire)(void *argument);
    void *argument;
};

/* Arms (or re-arms) the timer; FIBER_NO_DEADLINE disarms it. `fire` runs outside any fiber and must not
 * yield; equal deadlines fire in the order they were armed. */
void fiber_timer_set(struct scheduler *scheduler, struct fiber_timer *timer, uint64_t deadline_ns,
                     void (*fire)(void *argument), void *argument);

/* Disarms; harmless when not armed. */
void fiber_timer_clear(struct scheduler *scheduler, struct fiber_timer *timer);

/* Bytes of its stack the running fiber (or an earlier one on the same stack) ever touched, in whole pages. */
size_t fiber_stack_high_water(const struct scheduler *scheduler);

/* 54001 "stack depth limit exceeded" when the running fiber has less than FIBER_STACK_ROOM_MIN of its stack left: to be
 * called by whatever recurses over a user's input. OK outside any fiber and on the big stack. */
enum sqlstate fiber_check_stack(const struct scheduler *scheduler, struct error *error);

#endif
