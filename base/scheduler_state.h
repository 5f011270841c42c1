/* What fiber.c, scheduler.c, timer.c and big_stack.c share: the scheduler's and the fibers' fields. Nobody
 * else includes this. */
#ifndef SYNOD_BASE_SCHEDULER_STATE_H
#define SYNOD_BASE_SCHEDULER_STATE_H

#include "base/context.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/stack.h"

/* ---- timers (timer.c) ---- */

/* The heap is cut into segments, so that it grows without moving and a small core stays small. */
#define TIMER_SEGMENT_ENTRIES 1024
#define TIMER_SEGMENTS        (FIBER_TIMERS_MAX / TIMER_SEGMENT_ENTRIES)

/* Keys beside the pointer: comparing never touches the timers, which lie on many stacks. */
struct timer_entry {
    uint64_t deadline_ns;
    uint64_t order; /* of arming; makes equal deadlines first come, first served */
    struct fiber_timer *timer;
};

/* A binary heap of the armed timers, the earliest first. */
struct timers {
    struct scope *scope; /* owns the segments */
    uint32_t count;
    bool ticking;
    uint64_t now_ns; /* of the last tick */
    uint64_t orders; /* given out so far */
    struct timer_entry *segment[TIMER_SEGMENTS];
};

void timers_open(struct timers *timers, struct scope *scope);
void timers_set(struct timers *timers, struct fiber_timer *timer, uint64_t deadline_ns);
void timers_clear(struct timers *timers, struct fiber_timer *timer);
void timers_tick(struct timers *timers, uint64_t now_ns);
uint64_t timers_next(const struct timers *timers);

/* ---- fibers (fiber.c) ---- */

/* ---- shares (share.c) ---- */

struct shares {
    struct list ready; /* fibers of long work, the longest ready first */
    uint32_t ready_count;
    uint32_t measured; /* fibers whose time is measured; while there is one, everybody's is */
    bool resting;      /* long work waits for free_ns, although nobody else is ready */
    uint32_t percent;  /* long work gets at least */
    uint64_t now_ns;   /* the last time the clock was read, or told */
    uint64_t due_ns;   /* then long work goes before others: its least share wants it */
    uint64_t free_ns;  /* until then it has used what is not kept free for short work */
    /* What short work uses: a window's sum, and of the windows before in 1/1024 of the core. */
    uint64_t window_ns, window_short_ns;
    uint32_t short_part;
};

enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_WAITING, FIBER_ENDED };

/* Lies at the upper end of its own stack, so that an idle fiber has touched one page or two. */
struct fiber {
    struct list_link link; /* READY: in the scheduler's ready list; WAITING: in a queue, or on its own */
    struct context context;
    struct scheduler *scheduler;
    enum fiber_state state;
    enum fiber_wake wake; /* how its last wait ended */
    uint32_t shields;     /* nested fiber_shield_begin() */
    bool measured;        /* counts in shares.measured */
    enum fiber_share share;
    bool helps;                 /* its work is part of another fiber's */
    uint64_t began_ns;          /* RUNNING: since then; 0 = nobody looked */
    uint64_t used_ns;           /* of the core, by its present piece of work, as far as it was measured */
    bool yielded;               /* READY by fiber_yield(): those who were ready before it go first */
    enum sqlstate cancel_state; /* why it was canceled; SQLSTATE_OK = it was not */
    const char *cancel_message;
    struct fiber_timer timer; /* of the wait under way */
    void (*run)(void *argument);
    void *argument;
    const char *name;
    struct scope *scope;         /* held */
    struct scope_undo *on_close; /* cancels it; NULL when the scope was closing already */
    struct stack *stack;
    struct list_link everyone; /* in the scheduler's list of all fibers */
    struct list_link warm;     /* in the scheduler's `warm` (rest.c) */
    uint64_t waits_since_ns;   /* the last wait without a deadline began */
};

/* Called by the loop when the fiber ended: takes it apart. Gives the scope it held, to be released last, for
 * that may end the scheduler itself. */
struct scope *fiber_take_apart(struct fiber *fiber);

/* ---- the scheduler (scheduler.c) ---- */

struct scheduler {
    struct context loop;   /* whoever called scheduler_run() */
    struct fiber *running; /* NULL = the loop */
    struct list ready;     /* the longest ready first */
    uint32_t ready_count;
    uint32_t turns_left;  /* of this scheduler_run() */
    bool hears;           /* this scheduler_run() is to come back: others may have become ready outside */
    uint32_t stills;      /* nested fiber_still_begin() */
    uint32_t fibers;      /* that have not ended */
    struct fiber *ended;  /* has just left for good; the loop takes it apart */
    struct list everyone; /* all fibers that have not ended */
    struct scheduler_options options;
    struct shares shares;
    struct timers timers;
    struct stack_pool stacks;
    struct list warm;             /* fibers whose stacks may have pages they do not stand on (rest.c) */
    struct fiber_timer warm_look; /* armed while there are such */
    char *big_stack;              /* FIBER_BIG_STACK_BYTES */
    unsigned int big_stack_name;  /* valgrind's for it */
    bool big_stack_taken;         /* a call is under way on it */
    bool big_stack_used;          /* since it was looked at how deep that went: */
    uint64_t big_stack_looked_ns; /* when that was */
    bool *gone; /* while scheduler_run() must learn whether the scheduler is gone; else NULL */
    struct scheduler_totals totals;
};

/* The one place that moves a fiber from state to state. */
void fiber_move(struct fiber *fiber, enum fiber_state to);

/* Appends a READY fiber, in no list so far, to the ready list. */
void scheduler_enqueue(struct fiber *fiber);

/* Runs others until the running fiber, READY or WAITING by now and in the list it belongs to, is picked
 * again. */
void scheduler_suspend(struct fiber *self);

/* Leaves the running fiber for good. */
_Noreturn void scheduler_leave(struct fiber *self);

/* ---- stacks at rest (rest.c) ---- */

void rest_watch(struct fiber *fiber);

/* The running fiber begins to wait, without a deadline. */
static inline void rest_note(struct fiber *fiber)
{
    struct scheduler *scheduler = fiber->scheduler;
    fiber->waits_since_ns = scheduler->timers.now_ns;
    if (scheduler->options.stack_rest_ns && !list_linked(&fiber->warm))
        rest_watch(fiber);
}

/* ---- shares (share.c) ---- */

void shares_open(struct shares *shares);

/* Whether times are to be read at every switch. */
static inline bool shares_measure(const struct scheduler *scheduler)
{
    return scheduler->shares.measured > 0;
}

/* The running fiber leaves the core: what it used is its own, and its share's. */
void share_leave(struct fiber *fiber);

/* The running fiber would yield: its time is measured from now on, and it may turn out to be long. */
void share_yields(struct fiber *fiber);

/* It ended. */
void share_end(struct fiber *fiber);

/* Whether the next fiber to run is one of long work. Requires a ready one of either kind. */
bool shares_long_is_next(struct scheduler *scheduler);

/* Whether one of long work is ready and may run when nobody else is. */
static inline bool shares_ready(const struct scheduler *scheduler)
{
    return scheduler->shares.ready_count > 0 && !scheduler->shares.resting;
}

/* ---- the big stack (big_stack.c) ---- */

enum sqlstate big_stack_open(struct scheduler *scheduler, struct error *error);
void big_stack_close(struct scheduler *scheduler);

/* Gives the pages a deep call has touched back to the system, if it has been some time since it was last looked for them. */
void big_stack_trim(struct scheduler *scheduler, uint64_t now_ns);

#endif
