/* What the files of this folder share: the node, its cores, and how a kernel or a thread hands a core
 * something back. Nobody outside base/linux/ includes it (its tests do).
 *
 *     linux_node ---- one per linux_run(): options, mail rings, worker threads, flush threads, log writer
 *       |  core[i]
 *     linux_core ---- one per thread: the world its fibers see, its backend, its inbox
 *       |  backend
 *     linux_backend - how this core talks to the kernel: uring (uring*.c) or classic (classic*.c)
 *
 * One turn of a core (loop.c):
 *
 *     clock -> timers -> inbox -> mail in -> fibers -> mail out -> backend turn (submit, wait, complete) ->
 * ...
 *
 * Callbacks of completions run in the loop, outside fibers, and must not yield. They find the core by the
 * world: container_of(world, struct linux_core, world).
 *
 * Who provides what:
 *     run.c        linux_run: limits, threads, signals, the end
 *     loop.c       the turn, the inbox
 *     errors.c     errno -> SQLSTATE
 *     log_sink.c   the writer of log lines
 *     file.c       struct file: open, size, allocate, truncate
 *     socket.c     addresses, listening, refusing
 *     workers.c    pools of threads for calls that block, and jobs for them
 *     directory.c  names in directories, by such jobs         resolve.c  names to addresses, likewise
 *     lend.c       a sleeping core is run by another core's thread
 *     flush.c      threads for durable writes                 flush_choice.c  which path they take
 *     uring*.c     the io_uring backend                       classic*.c  the epoll backend */
#ifndef SYNOD_BASE_LINUX_LOOP_H
#define SYNOD_BASE_LINUX_LOOP_H

#include "base/linux/flush_choice.h"
#include "base/linux/linux.h"
#include "base/mailbox.h"
#include "base/scheduler.h"
#include "base/scope.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct linux_core;
struct log_sink;
struct workers;

/* ---- what tests may take away ---- */

/* Abilities of newer kernels; each has a fallback that works from 5.15 on. A core uses those that the kernel
 * has and that the tuning did not forbid. */
enum linux_feature {
    LINUX_FEATURE_URING = 1,              /* io_uring at all */
    LINUX_FEATURE_SINGLE_ISSUER = 2,      /* 6.0 */
    LINUX_FEATURE_DEFER_TASKRUN = 4,      /* 6.1 */
    LINUX_FEATURE_COOP_TASKRUN = 8,       /* 5.19 */
    LINUX_FEATURE_MULTISHOT_ACCEPT = 16,  /* 5.19 */
    LINUX_FEATURE_MULTISHOT_RECEIVE = 32, /* 6.0, with a ring of provided buffers */
    LINUX_FEATURE_QUIET_SEND = 64,        /* 6.0: no completion of a send that succeeded */
};

struct linux_tuning {
    uint32_t features_off;    /* of enum linux_feature: do as if the kernel had them not */
    uint32_t receive_buffers; /* of one core, a power of two; 0 = URING_RECEIVE_BUFFERS */
};

/* linux_run() with the tuning a test wants. */
enum sqlstate linux_run_tuned(const struct linux_options *options, const struct linux_tuning *tuning,
                              void (*core_main)(struct world *world, void *argument), void *argument,
                              struct error *error);

/* ---- the inbox: what threads hand back to a core (struct linux_landing, linux.h) ---- */

/* Hands `landing` to the core and wakes it if it sleeps. Callable from any thread; never waits. What the
 * thread wrote before is visible to `land`. The memory is the core's from then on: do not touch it again. */
void linux_hand_back(struct linux_core *core, struct linux_landing *landing);

/* ---- the node ---- */

struct linux_node {
    struct linux_options options;
    struct linux_tuning tuning;
    struct scope *scope; /* root; opened and closed by the thread that called linux_run() */
    struct mail_room *mail_room;
    struct log_sink *log_sink;
    struct workers *workers;             /* calls on files; NULL until linux_workers_open() */
    struct workers *resolvers;           /* name look-ups; likewise */
    struct workers *flushers;            /* durable writes; NULL until linux_flush_open() */
    const struct linux_backend *backend; /* of all cores */
    struct linux_core *core[CORES_MAX];
    char why_classic[256];        /* why io_uring was not to be had, or "" */
    atomic_bool stop_asked;       /* set once by anyone; each core looks at it every turn */
    atomic_bool hangup_asked;     /* a SIGHUP came that core 0 has not looked at */
    void *argument;               /* linux_run()'s, for options.hangup */
    atomic_uint cores_unfinished; /* cores whose world's scope is not gone; mail is moved until it is 0 */
};

/* ---- a core ---- */

struct linux_core {
    struct world world;
    struct linux_node *node;
    const struct linux_backend *backend;
    void *backend_state;               /* the backend's own; allocated from `scope` */
    struct flush_choice *flush_choice; /* flush.c's own; allocated from `scope` */
    struct scope *scope;               /* the core's machinery; outlives world.scope, whose parent it is */
    /* Parent of scopes for calls whose memory is no caller's: rename has no scope, and a canceled call may
     * land when its caller's is closing, where no child can be opened. Ends behind world.scope, before the
     * backend. */
    struct scope *calls;
    struct budget budget; /* of everything on this core */
    struct fiber_queue stop_waiters;
    bool opened;     /* the backend is */
    bool stop_seen;  /* the stop was told to stop_waiters */
    bool phase_over; /* what the loop turns for has come about: it returns rather than sleeps */
    struct linux_core
        *running;     /* the sleeping core this core's thread runs just now (lend.c); NULL = its own */
    bool borrowed;    /* this core's thread has run another one since it last looked into its mailbox */
    bool lent;        /* another core's thread runs this one */
    bool wanted_home; /* while it is lent: a fiber goes on only on the core's own thread */
    uint64_t sleeps_until_ns; /* while it sleeps: when it wakes by itself */
    /* core 0 alone: when it last looked how busy the node is, what `turns` of all cores came to, and whether the allocator has
     * given back what it has to spare since the node was last busy */
    uint64_t looked_ns, looked_turns;
    bool memory_given_back;
    uint64_t poll_ns;       /* how long to poll before the next sleep */
    uint32_t features;      /* of enum linux_feature, those in use */
    int wake_descriptor;    /* eventfd, non-blocking; written to wake the core; the backend watches it */
    int reserve_descriptor; /* given up for a moment to refuse a connection when there is no other left */
    pthread_t thread;

    /* Written by others, read by this core; on a line of their own. */
    _Alignas(64) _Atomic(struct linux_landing *) inbox; /* newest first */
    atomic_bool asleep; /* this core waits in the kernel or is about to, and wants wake_descriptor written */
    atomic_uint driver; /* who may run it: lend.c */
    /* Written by this core's thread, read by core 0's. */
    _Atomic uint64_t turns; /* of the loop */
};

static inline struct linux_core *linux_core_of(struct world *world)
{
    return container_of(world, struct linux_core, world);
}

/* Opens the core's scopes, scheduler, mailbox, log and backend; called on its thread. What was opened when it
 * fails, linux_core_close() closes. */
enum sqlstate linux_core_open(struct linux_core *core, struct error *error);

/* Runs `core_main` as the first fiber and turns until it has returned, the core's world is gone, and so are
 * those of all other cores. */
enum sqlstate linux_core_run(struct linux_core *core, void (*core_main)(struct world *world, void *argument),
                             void *argument, struct error *error);
void linux_core_close(struct linux_core *core);

/* Asks all cores of the node to stop. Callable from any thread. */
void linux_stop(struct linux_node *node);

/* Runs the landings in the inbox, oldest first; gives how many. Called by the loop. */
uint32_t linux_inbox_drain(struct linux_core *core);

/* Runs ready fibers of the core, so many or for so long, whichever is over first. */
void linux_run_fibers(struct linux_core *core, uint32_t fibers, uint64_t most_ns);

/* Wakes the core out of its wait in the kernel, or out of the next one. Callable from any thread. */
void linux_wake(struct linux_core *core);

/* ---- lend.c: a sleeping core is run by the thread that has work for it ---- */

/* Around this core's wait in the kernel, when nothing is left to be submitted: from the one to the end of the other, other
 * threads may run it. */
void linux_lend(struct linux_core *core);
void linux_reclaim(struct linux_core *core);

/* Runs the sleeping core `core` on the thread of `borrower` until what came for it is done or it takes long; false when it
 * cannot be had: wake it. Outside fibers. */
bool linux_borrow(struct linux_core *borrower, struct linux_core *core);

/* While it is lent: has the core's own thread hand over what was prepared. Returns when that is done. */
void linux_lent_submit(struct linux_core *core);

/* ---- backends ---- */

struct linux_backend {
    const char *name; /* "io_uring" or "classic" */
    /* Opens what the core needs; called on the core's thread before any fiber runs. Sets
     * core->backend_state. Fails with 0A000 when the kernel lacks or forbids the facility. */
    enum sqlstate (*open)(struct linux_core *core, struct error *error);
    /* One turn with the kernel: hands over what was prepared, waits until something happens or until
     * `wait_until_ns` (monotonic; 0 = do not wait, FIBER_NO_DEADLINE = for as long as it takes), calls back
     * what has completed. May return early. A write to wake_descriptor ends the wait; the backend reads it
     * empty. */
    void (*turn)(struct linux_core *core, uint64_t wait_until_ns);
    /* Whether turn() without waiting would find something, or this call itself has found it and called back.
     * Asked again and again while the loop polls: cheap, and never waits. */
    bool (*pending)(struct linux_core *core);
    /* Whether something was prepared that turn() has not handed over yet. */
    bool (*prepared)(struct linux_core *core);
    /* Hands it over, without waiting or calling back. On the core's thread. */
    void (*submit)(struct linux_core *core);
    /* Called on the core's thread when all operations have landed. */
    void (*close)(struct linux_core *core);
    const struct disk_ops *disk;
    const struct net_ops *net;
};

/* Whether rings can be had. Fails with 0A000 when the kernel has no io_uring or forbids it, with 53400 when
 * the limit of locked memory is too low for the rings of that many cores. */
enum sqlstate linux_uring_probe(uint32_t cores, uint32_t features_off, struct error *error);

extern const struct linux_backend linux_backend_uring;
extern const struct linux_backend linux_backend_classic;

/* ---- errors.c ---- */

/* What was tried, for the message and the state. */
enum linux_deed {
    DEED_OPEN,   /* the path names a file */
    DEED_FILE,   /* reading, writing, syncing ... an open file */
    DEED_SOCKET, /* a connection or listener */
    DEED_OTHER,
};

/* Writes the error for the system's `number` (errno, positive). `format` is a phrase in PostgreSQL's manner,
 * `could not open file "%s"`, to which `: <system's words>` is added. Gives the state. */
enum sqlstate linux_error(struct error *error, enum linux_deed deed, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- log_sink.c ---- */

/* A thread that writes lines to `descriptor`. Lines that find no room are dropped and counted. */
enum sqlstate log_sink_open(struct scope *scope, int descriptor, struct log_sink **sink, struct error *error);
void log_sink_write(void *sink, const char *line, size_t bytes); /* from any thread */
void log_sink_close(struct log_sink *sink); /* writes what is queued, says what was dropped */

/* ---- file.c: files, the same for both backends ---- */

struct file {
    struct linux_core *core;
    struct scope *scope; /* whose end closes it: every operation on the file holds it, beside its own */
    const char *path;    /* as given to open, for messages */
    int descriptor;
    uint32_t flags; /* of enum disk_open_flags */
};

enum sqlstate linux_disk_open(struct world *world, struct scope *scope, const char *path, uint32_t flags,
                              struct file **file, struct error *error);
enum sqlstate linux_disk_size(struct world *world, struct file *file, uint64_t *bytes, struct error *error);
enum sqlstate linux_disk_allocate(struct world *world, struct scope *scope, struct file *file,
                                  uint64_t offset, uint64_t bytes, struct error *error);
enum sqlstate linux_disk_truncate(struct world *world, struct scope *scope, struct file *file, uint64_t bytes,
                                  struct error *error);
enum sqlstate linux_disk_discard(struct world *world, struct scope *scope, struct file *file, uint64_t offset,
                                 uint64_t bytes, struct error *error);

/* ---- socket.c: what both backends do with sockets, without waiting ----
 *
 * Sockets stay in blocking mode, since io_uring answers EAGAIN at once on others: whoever calls recv() or
 * send() itself passes MSG_DONTWAIT. All are close-on-exec; streams have TCP_NODELAY. A handover's ticket is
 * the descriptor. */

struct listener; /* each backend defines its own */

/* Gives the length of `native`. */
socklen_t socket_address_native(const struct net_address *address, struct sockaddr_storage *native);
void socket_address_from_native(const struct sockaddr_storage *native, struct net_address *address);

/* Listens, writes the descriptor and the address really bound. */
enum sqlstate socket_listen(const struct net_address *address, int *descriptor, struct net_address *bound,
                            struct error *error);

/* Makes a handover of an accepted connection: asks for the peer, sets the options. False when the connection
 * has broken already; the descriptor is closed then. */
bool socket_accepted(int descriptor, struct net_handover *connection);

/* Accepts one connection and closes it at once, with the help of the core's reserve descriptor. */
void socket_refuse(struct linux_core *core, int listening);

/* A socket fit to connect to the address. */
enum sqlstate socket_open(const struct net_address *address, int *descriptor, struct error *error);

void linux_net_discard(struct world *world, const struct net_handover *connection);

/* ---- workers.c: calls that block, made by a few threads of the node ---- */

/* A call for a worker thread. Allocate it from the scope passed to linux_job_call(), texts included; `run`
 * sees nothing but the job. Put the results into the struct that embeds it. */
struct linux_job {
    struct linux_landing landing;       /* the workers' */
    struct linux_core *core;            /* set by linux_job_call() */
    struct scope *scope;                /* set by linux_job_call(): held until the job has landed */
    struct fiber_queue waiter;          /* the fiber that waits for it */
    bool landed;                        /* the job is back on its core */
    bool deserted;                      /* the fiber that asked was canceled and does not wait any more */
    void (*run)(struct linux_job *job); /* on a worker thread */
    void (*undo)(
        struct linux_job *job); /* on the core, only when deserted: closes what `run` opened; may be NULL */
};

enum sqlstate linux_workers_open(struct linux_node *node, struct error *error);
void linux_workers_close(struct linux_node *node); /* all jobs have landed */

/* Has a worker thread run the job and waits for it. Gives OK when it has run; when the fiber is canceled
 * first, its cancellation's state at once, and the job goes on to its end, then undo. Yields. */
enum sqlstate linux_job_call(struct linux_core *core, struct scope *scope, struct linux_job *job,
                             struct error *error);

enum sqlstate linux_disk_rename(struct world *world, const char *from, const char *to, struct error *error);
enum sqlstate linux_disk_remove(struct world *world, const char *path, struct error *error);
enum sqlstate linux_disk_make_directory(struct world *world, const char *path, struct error *error);
enum sqlstate linux_disk_list(struct world *world, struct scope *scope, const char *path, const char ***names,
                              size_t *count, struct error *error);
enum sqlstate linux_disk_sync_directory(struct world *world, const char *path, struct error *error);
enum sqlstate linux_disk_space(struct world *world, const char *path, uint64_t *free_bytes,
                               uint64_t *total_bytes, struct error *error);
enum sqlstate linux_net_resolve(struct world *world, const char *host, uint16_t port,
                                struct net_address *address, struct error *error);

/* ---- flush.c: durable writes by dedicated threads ---- */

/* Writes, then fdatasync() of each file among them. The memory (transfers included) stays put until it lands;
 * whoever starts it holds its scope. */
struct flush {
    struct linux_landing landing;    /* `land` is set by whoever starts it */
    struct linux_core *core;         /* set by linux_flush_start() */
    struct disk_transfer *transfers; /* in order; one of size 0 only syncs its file */
    size_t count;
    /* Out: */
    int number;          /* errno of the first failure, 0 = none */
    bool sync_failed;    /* it was the sync */
    struct file *failed; /* of which file */
};

enum sqlstate linux_flush_open(struct linux_node *node, struct error *error);
void linux_flush_close(struct linux_node *node); /* all flushes have landed */

/* Hands the flush to a thread. Does not wait. */
void linux_flush_start(struct linux_core *core, struct flush *flush);

/* The choice of path (LINUX_FLUSH_AUTO; flush_choice.h has the idea). Each durable write of a core that could
 * go either way is picked a path and, however it ends, reported with what it took from its start to its
 * landing. */
void linux_flush_choice_open(struct linux_core *core);
struct flush_pick linux_flush_pick(struct linux_core *core, size_t bytes);
void linux_flush_done(struct linux_core *core, struct flush_pick pick, size_t bytes, uint64_t took_ns,
                      bool succeeded);

#endif
