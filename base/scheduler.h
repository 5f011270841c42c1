/* The scheduler of one core's fibers, as seen by whoever drives it: the Linux loop and the simulator.
 * Everyone else includes fiber.h. */
#ifndef SYNOD_BASE_SCHEDULER_H
#define SYNOD_BASE_SCHEDULER_H

#include "base/fiber.h"

struct scheduler_options {
    /* Picks which of `ready` (>= 2) fibers runs next, 0 = the longest ready. NULL = always 0. The simulator
     * draws. */
    uint32_t (*choose)(void *argument, uint32_t ready);
    void *choose_argument;
    /* Nanoseconds as scheduler_tick() is told them, now. NULL = nobody's time is measured, and all fibers are equal. */
    uint64_t (*clock)(void *argument);
    void *clock_argument;
    /* A fiber that has waited so long (for whatever has no deadline) gives back the pages of its stack that it does not stand
     * on. 0 = it keeps them. */
    uint64_t stack_rest_ns;
};

/* Opens a scheduler; its memory is the scope's, its stacks the system's. The scope's end closes it (every
 * fiber must have ended by then; it may be the last one's end that ends the scope). `options` may be NULL.
 * Fails with 53200. */
enum sqlstate scheduler_open(struct scope *scope, const struct scheduler_options *options,
                             struct scheduler **scheduler, struct error *error);

/* Runs the fibers that are ready now and those they make ready, at most `turns_max` turns; comes back earlier when a fiber
 * has had the core for a whole stretch (fiber_breathe()) and only long work is ready. Gives the turns taken. */
uint32_t scheduler_run(struct scheduler *scheduler, uint32_t turns_max);

/* Whether a fiber is ready to run and may: long work that has had its share rests until scheduler_next_deadline(). */
bool scheduler_ready(const struct scheduler *scheduler);

/* How many are, those of long work not counted. */
uint32_t scheduler_ready_count(const struct scheduler *scheduler);

/* Says what time it is: fires timers and ends waits whose deadline has come. */
void scheduler_tick(struct scheduler *scheduler, uint64_t now_ns);

/* Says what time it is without firing anything: before scheduler_run(), by whoever does not tick. */
void scheduler_set_now(struct scheduler *scheduler, uint64_t now_ns);

/* Per cent of the core that long work gets at least, however much short work there is: 1 .. 100; 100 = it never rests. */
void scheduler_set_long_share(struct scheduler *scheduler, uint32_t percent);

/* Earliest deadline anyone waits for, or FIBER_NO_DEADLINE. */
uint64_t scheduler_next_deadline(const struct scheduler *scheduler);

/* Fibers that have not ended. */
uint32_t scheduler_fibers(const struct scheduler *scheduler);

/* Forgets all fibers where they stand and gives their stacks back, as a crash of the process would: no fiber
 * runs again, nothing is undone. The memory of their scopes is the caller's affair (scope_abandon_root).
 * Simulator only. */
void scheduler_abandon(struct scheduler *scheduler);

/* Totals since opening. */
struct scheduler_totals {
    uint64_t switches; /* into fibers */
    uint64_t fibers_started;
    uint64_t stack_high_water; /* bytes, the largest seen at the end of a fiber (sampled: 1 of 64) */
    uint64_t long_ns;          /* that long work had the core */
    uint64_t turned_long;      /* pieces of work that became long */
};
void scheduler_totals(const struct scheduler *scheduler, struct scheduler_totals *totals);

#endif
