/* The real world. The only folder that includes operating-system headers. */
#ifndef SYNOD_BASE_LINUX_LINUX_H
#define SYNOD_BASE_LINUX_LINUX_H

#include "base/log.h"
#include "base/world.h"

/* How a core talks to the kernel. */
enum linux_io {
    LINUX_IO_AUTO,    /* io_uring where the kernel allows it, else classic */
    LINUX_IO_URING,   /* io_uring or fail */
    LINUX_IO_CLASSIC, /* epoll and worker threads */
};

/* How durable writes reach the disk. */
enum linux_flush {
    LINUX_FLUSH_AUTO,   /* by whichever path is faster under the present load, measured all the time */
    LINUX_FLUSH_RING,   /* through io_uring */
    LINUX_FLUSH_THREAD, /* pwrite and fdatasync by dedicated threads */
};

struct linux_options {
    uint32_t cores;      /* 1 .. CORES_MAX */
    bool pin;            /* core i runs on the i-th processor this process may use */
    uint32_t long_share; /* per cent of a core that long work gets at least; 0 = FIBER_LONG_PERCENT */
    enum linux_io io;
    enum linux_flush flush;
    size_t memory_bytes;      /* limit of the cores' root budgets together */
    uint32_t connections_max; /* descriptors to ask the system for, beside files */
    enum log_level log_level;
    bool catch_signals; /* SIGTERM and SIGINT ask the node to stop; SIGPIPE is ignored */
    /* Called in the loop of core 0 for each SIGHUP (several may count as one), with linux_run()'s argument; must not
     * yield. NULL = SIGHUP does what it does in any process. Needs catch_signals. */
    void (*hangup)(struct world *world, void *argument);
};

/* Runs `core_main` as the first fiber of every core, each on a thread of its own, and returns when all of
 * them have returned and their scopes are gone. Fails before any core started when the system lacks
 * something, with an error that says which limit must be raised to what (53400), or which facility is missing
 * (0A000). */
enum sqlstate linux_run(const struct linux_options *options,
                        void (*core_main)(struct world *world, void *argument), void *argument,
                        struct error *error);

/* ---- threads that are none of ours: libraries with loops of their own ---- */

struct linux_core;

/* Embed in whatever a foreign thread has for a core. `land` runs once in the loop of the core; it must not yield. */
struct linux_landing {
    struct linux_landing *next; /* the inbox's while it is in there */
    void (*land)(struct linux_core *core, struct linux_landing *landing);
};

/* Hands `landing` to the core whose world this is, which must run until it has landed, and wakes it if it sleeps. What
 * one thread hands over lands in that order. Callable from any thread; never waits. What the thread wrote before is visible
 * to `land`. The memory is the core's from then on: do not touch it again. */
void linux_hand_over(struct world *world, struct linux_landing *landing);

/* Processors this process may run on. */
uint32_t linux_processors(void);

/* Bytes of memory this process may use: the machine's, or its control group's if that is less. */
size_t linux_memory(void);

/* Which implementation a world of this folder uses: "io_uring" or "classic"; for logs and tests. */
const char *linux_io_name(const struct world *world);

#endif
