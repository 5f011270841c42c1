/* Operations in flight: a fiber starts one and waits; virtual time passes; an event lands it.
 *
 *     started --event--> landed --the fiber goes on--> gone        the ordinary way
 *        |                  ^---- the fiber was canceled: nobody waits, gone at once
 *        '--crash--> broken off: an unknown part of it happened
 *
 * An operation lies in the simulator's memory, for it may outlive the fiber; it holds the scopes whose memory
 * it uses until it has landed. */
#ifndef SYNOD_TEST_SIM_OPERATION_H
#define SYNOD_TEST_SIM_OPERATION_H

#include "test/sim/inside.h"

#define OPERATION_SCOPES 2

struct operation {
    struct list_link link; /* in process->operations */
    struct sim_core *core;
    size_t bytes; /* of the whole structure this one is the head of */
    struct event event;
    struct scope *held[OPERATION_SCOPES];
    struct fiber_queue waiting;
    bool waited; /* a fiber still wants the outcome */
    bool landed;
    enum sqlstate failed;
    struct error *error; /* the caller's, or spare when nobody waits */
    /* Does it. Sets failed (and error). */
    void (*land)(struct operation *operation);
    /* The process is crashing: does a part of it, as `dice` say. May be NULL. */
    void (*break_off)(struct operation *operation);
    /* Gives back what it owns. May be NULL. */
    void (*give)(struct operation *operation);
};

/* Takes a zeroed structure of `bytes` whose head is the operation. */
void *operation_take(struct world *world, size_t bytes);

/* Holds a scope until the operation has landed; NULL and repetitions are harmless. */
void operation_hold(struct operation *operation, struct scope *scope);

/* Starts it and waits. Gives its outcome, or the cancellation's state. The operation is gone afterwards (or
 * will be, when it lands). Yields. */
enum sqlstate operation_run(struct operation *operation, uint64_t takes_ns, struct error *error);

/* All operations of a process that crashes: they are broken off and gone. */
void operations_break_off(struct sim_process *process);

#endif
