/* The io_uring backend: the ring itself. One ring per core, one system call per turn: it submits what the
 * fibers of this turn prepared, waits if the core has nothing else to do, and completions are called back
 * right after.
 *
 * What newer kernels offer is used where it is there, and each has a fallback down to Linux 5.15:
 *
 *     SINGLE_ISSUER,       completions are worked out in our own system call, in batches, never by an
 *     DEFER_TASKRUN        interruption of the thread; else COOP_TASKRUN; else as it comes
 *     multishot accept     one submission for all connections; else one each
 *     multishot receive    an idle connection has no buffer, and no submission is needed when data comes;
 *                          else poll, then recv() into a buffer of the core's pool (uring_net.c)
 *     quiet send           a small send that succeeds has no completion (uring_net.c)
 *
 * A core is woken by its eventfd. A message between rings (MSG_RING) took no less time and more of the
 * processor (5.5 us instead of 4.7 us for a round trip), and threads without a ring must wake cores, too.
 *
 * Rings count as locked memory (since Linux 6.14 again), so their size is checked before anything starts. */
#include "base/linux/uring.h"

#include "base/check.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- opening ---- */

/* Locked memory one core's ring takes at most. */
static size_t ring_bytes(void)
{
    return URING_SUBMISSIONS * (sizeof(struct io_uring_sqe) + sizeof(uint32_t)) +
           URING_COMPLETIONS * sizeof(struct io_uring_cqe) +
           URING_RECEIVE_BUFFERS * sizeof(struct io_uring_buf) + 16384;
}

/* Sets up a ring with the most of `wanted` that the kernel takes; `features` gets what was taken. */
static int ring_open(struct io_uring *ring, uint32_t wanted, uint32_t *features)
{
    static const struct {
        uint32_t features, flags;
    } steps[] = {
        {LINUX_FEATURE_SINGLE_ISSUER | LINUX_FEATURE_DEFER_TASKRUN,
         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
        {LINUX_FEATURE_SINGLE_ISSUER | LINUX_FEATURE_COOP_TASKRUN,
         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
        {LINUX_FEATURE_COOP_TASKRUN, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
        {0, 0},
    };
    int failed = -EINVAL;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if ((wanted & steps[i].features) != steps[i].features)
            continue;
        struct io_uring_params parameters = {.flags =
                                                 steps[i].flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                             .cq_entries = URING_COMPLETIONS};
        failed = io_uring_queue_init_params(URING_SUBMISSIONS, ring, &parameters);
        *features = steps[i].features;
        if (failed != -EINVAL)
            return failed;
    }
    return failed;
}

/* What the ring's kernel can do beside the flags of its setup. */
static uint32_t probe_features(struct io_uring *ring)
{
    uint32_t features = 0;
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    if (!probe)
        return features;
    /* Multishot cannot be asked for; operations that came with the same kernel can. */
    if (io_uring_opcode_supported(probe, IORING_OP_SOCKET))
        features |= LINUX_FEATURE_MULTISHOT_ACCEPT;
    /* LINUX_FEATURE_QUIET_SEND came with it, and is not taken up yet: when the last submission before the core sleeps is such
     * a send, the fiber that waits for it only goes on when something else wakes the core (a flood of 100,000 lines stood
     * still). Every send says that it has landed. */
    if (io_uring_opcode_supported(probe, IORING_OP_SEND_ZC))
        features |= LINUX_FEATURE_MULTISHOT_RECEIVE;
    io_uring_free_probe(probe);
    return features;
}

static enum sqlstate ring_error(int number, uint32_t cores, struct error *error)
{
    enum sqlstate state;
    if (number == ENOSYS || number == EPERM || number == EACCES || number == EINVAL) {
        state = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "could not set up io_uring: %s",
                          strerror(number));
        error_add(error, ERROR_HINT,
                  number == EPERM || number == EACCES
                      ? "Allow io_uring (sysctl kernel.io_uring_disabled, the container's seccomp profile)."
                      : "io_uring needs Linux 5.15 or newer.");
        return state;
    }
    if (number == ENOMEM) {
        struct rlimit limit = {0};
        getrlimit(RLIMIT_MEMLOCK, &limit);
        size_t needed = ring_bytes() * cores;
        state = error_set(error, SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED,
                          "the limit of locked memory is %llu bytes, but the rings of %u cores need %zu",
                          (unsigned long long)limit.rlim_cur, cores, needed);
        error_add(
            error, ERROR_HINT,
            "Raise the limit of locked memory (RLIMIT_MEMLOCK: ulimit -l, LimitMEMLOCK) to %zu bytes, or "
            "use fewer cores.",
            needed);
        return state;
    }
    return linux_error(error, DEED_OPEN, number, "could not set up io_uring");
}

enum sqlstate linux_uring_probe(uint32_t cores, uint32_t features_off, struct error *error)
{
    struct io_uring ring;
    uint32_t features;
    if (features_off & LINUX_FEATURE_URING)
        return ring_error(EPERM, cores, error);
    int failed = ring_open(&ring, ~features_off, &features);
    if (failed)
        return ring_error(-failed, cores, error);
    /* 5.13 or newer; what came between that and 5.15 we do not use. */
    bool old = !(ring.features & IORING_FEAT_RSRC_TAGS);
    io_uring_queue_exit(&ring);
    return old ? ring_error(ENOSYS, cores, error) : SQLSTATE_OK;
}

static void watch_wakes(struct linux_core *core);

/* Somebody wrote to wake_descriptor. It is never read: each write triggers the poll anew, whether or not the
 * counter was zero before, and a system call is saved. */
static void wake_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags)
{
    (void)op;
    check(result >= 0, "poll on the wake descriptor: errno %d", -result);
    if (!(flags & IORING_CQE_F_MORE))
        watch_wakes(core);
}

static void watch_wakes(struct linux_core *core)
{
    struct io_uring_sqe *sqe = uring_submission(core, &uring_of(core)->wake);
    io_uring_prep_poll_multishot(sqe, core->wake_descriptor, POLLIN);
}

static enum sqlstate uring_open(struct linux_core *core, struct error *error)
{
    uint32_t wanted = ~core->node->tuning.features_off;
    struct uring *uring = scope_alloc_zeroed(core->scope, sizeof *uring);
    core->backend_state = uring;
    int failed = ring_open(&uring->ring, wanted, &core->features);
    if (failed)
        return ring_error(-failed, core->world.cores, error);
    core->features |= probe_features(&uring->ring) & wanted;
    io_uring_register_ring_fd(&uring->ring); /* saves a look-up per system call where the kernel can (5.18) */
    uint32_t buffers = core->node->tuning.receive_buffers;
    enum sqlstate opened = uring_receive_open(core, buffers ? buffers : URING_RECEIVE_BUFFERS, error);
    if (opened) {
        io_uring_queue_exit(&uring->ring);
        return opened;
    }
    uring_disk_open(core);
    uring->wake.complete = wake_complete;
    watch_wakes(core);
    return SQLSTATE_OK;
}

static void uring_close(struct linux_core *core)
{
    uring_receive_close(core);
    io_uring_queue_exit(&uring_of(core)->ring);
}

/* ---- submitting ---- */

/* Whether a failed system call of the ring is one of those that pass: interrupted; the kernel short of memory
 * for requests, or its completions not all taken; time over. */
static bool passing(int number)
{
    return number == EINTR || number == EAGAIN || number == EBUSY || number == ETIME || number == ENOMEM;
}

static void submit_now(struct linux_core *core)
{
    uring_of(core)->submits++;
    int submitted = io_uring_submit(&uring_of(core)->ring);
    check(submitted >= 0 || passing(-submitted), "submitting to the ring of core %u: errno %d",
          core->world.core, -submitted);
    if (submitted < 0)
        sched_yield();
}

/* The ring takes submissions from the core's own thread alone. */
static void submit(struct linux_core *core)
{
    if (core->lent)
        linux_lent_submit(core);
    else
        submit_now(core);
}

struct io_uring_sqe *uring_submission(struct linux_core *core, struct uring_op *op)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&uring_of(core)->ring)))
        submit(core);
    io_uring_sqe_set_data(sqe, op);
    return sqe;
}

void uring_cancel(struct linux_core *core, struct uring_op *op)
{
    struct io_uring_sqe *sqe = uring_submission(core, NULL);
    io_uring_prep_cancel(sqe, op, 0);
}

/* ---- the turn ---- */

static bool uring_prepared(struct linux_core *core)
{
    return io_uring_sq_ready(&uring_of(core)->ring) > 0;
}

static bool uring_pending(struct linux_core *core)
{
    struct io_uring *ring = &uring_of(core)->ring;
    return io_uring_cq_ready(ring) ||
           IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN);
}

/* Calls back the completions that are there now. Each is taken out before its call, which may submit. */
static void reap(struct linux_core *core)
{
    struct io_uring *ring = &uring_of(core)->ring;
    uint32_t ready = io_uring_cq_ready(ring);
    struct io_uring_cqe *cqe;
    while (ready-- > 0 && io_uring_peek_cqe(ring, &cqe) == 0) {
        struct uring_op *op = io_uring_cqe_get_data(cqe);
        int32_t result = cqe->res;
        uint32_t flags = cqe->flags;
        io_uring_cqe_seen(ring, cqe);
        if (op)
            op->complete(core, op, result, flags);
    }
}

/* Time left until the deadline, at least 1 ns (0 would mean for ever to some). */
static struct __kernel_timespec time_left(uint64_t deadline_ns)
{
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    uint64_t now_ns = (uint64_t)clock.tv_sec * 1000000000U + (uint64_t)clock.tv_nsec;
    uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 1;
    return (struct __kernel_timespec){.tv_sec = (int64_t)(left_ns / 1000000000U),
                                      .tv_nsec = (int64_t)(left_ns % 1000000000U)};
}

static void uring_turn(struct linux_core *core, uint64_t wait_until_ns)
{
    struct io_uring *ring = &uring_of(core)->ring;
    int outcome = 0;
    uring_of(core)->submits++;
    if (wait_until_ns && !uring_pending(core)) {
        struct io_uring_cqe *cqe;
        struct __kernel_timespec left;
        bool limited = wait_until_ns != FIBER_NO_DEADLINE;
        if (limited)
            left = time_left(wait_until_ns);
        if (uring_prepared(core)) {
            outcome = io_uring_submit_and_wait_timeout(ring, &cqe, 1, limited ? &left : NULL, NULL);
        } else {
            linux_lend(core);
            outcome = io_uring_wait_cqes(ring, &cqe, 1, limited ? &left : NULL, NULL);
            linux_reclaim(core);
        }
    } else if (io_uring_sq_ready(ring) || IO_URING_READ_ONCE(*ring->sq.kflags))
        outcome = io_uring_submit_and_get_events(ring);
    check(outcome >= 0 || passing(-outcome), "turning the ring of core %u: errno %d", core->world.core,
          -outcome);
    /* Before callbacks prepare more. What the kernel has not taken it takes the next time. */
    bool all_taken = io_uring_sq_ready(ring) == 0;
    reap(core);
    if (all_taken && !(IO_URING_READ_ONCE(*ring->sq.kflags) & IORING_SQ_CQ_OVERFLOW))
        uring_send_settle(core);
}

const struct linux_backend linux_backend_uring = {
    .name = "io_uring",
    .open = uring_open,
    .turn = uring_turn,
    .pending = uring_pending,
    .prepared = uring_prepared,
    .submit = submit_now,
    .close = uring_close,
    .disk = &uring_disk_ops,
    .net = &uring_net_ops,
};
