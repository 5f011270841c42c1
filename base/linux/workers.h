/* Threads that make calls which block, so that the cores do not.
 *
 *     core:    workers_put(work) ──> queue ──┐                     ┌──> inbox of the core: land(work)
 *     worker:                                └─> run(work) ────────┘    (linux_hand_back)
 *
 * A node has three pools: one for calls on files and directories, one for name look-ups (which may hang for
 * seconds and must not keep files waiting), one for durable writes (flush.c). Threads are started when all
 * others are busy, up to the pool's maximum, and sleep when there is nothing to do. */
#ifndef SYNOD_BASE_LINUX_WORKERS_H
#define SYNOD_BASE_LINUX_WORKERS_H

#include "base/linux/loop.h"

struct workers_options {
    const char *name;     /* of the threads, at most 15 bytes */
    uint32_t threads_max; /* 1 .. WORKERS_PER_POOL_MAX */
    /* On a worker. May block. Hands the work back to its core as its last act; sees nothing but the work and
     * what it points at (whose scope its core holds meanwhile). */
    void (*run)(struct linux_landing *work);
};

/* Opens a pool with one thread, so that work put there is always done. Fails with 53000 when the system gives
 * none. */
enum sqlstate workers_open(struct scope *scope, const struct workers_options *options,
                           struct workers **workers, struct error *error);

/* Ends the threads and waits for them. All work has been handed back. */
void workers_close(struct workers *workers);

/* Queues work; it is taken up in this order. Callable from any thread of the node. Never fails, never waits
 * for the work. */
void workers_put(struct workers *workers, struct linux_landing *work);

/* Threads started so far; those of them that sleep. */
uint32_t workers_threads(struct workers *workers);
uint32_t workers_idle(struct workers *workers);

/* linux_job_call() on a pool of one's choice, whose `run` is linux_job_run(). */
enum sqlstate linux_job_call_on(struct workers *workers, struct linux_core *core, struct scope *scope,
                                struct linux_job *job, struct error *error);

/* What a pool runs for work that is a linux_job. */
void linux_job_run(struct linux_landing *work);

#endif
