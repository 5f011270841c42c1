/* What the files of the io_uring backend share. A ring belongs to one core: its thread alone submits to it
 * and reaps from it.
 *
 * An operation is a struct uring_op embedded in what it works for; its address is the operation's user data,
 * and `complete` runs in the loop, outside fibers, for each completion. It stays put until its last
 * completion (the one without IORING_CQE_F_MORE): "landed". User data 0 marks submissions whose outcome
 * nobody waits for. */
#ifndef SYNOD_BASE_LINUX_URING_H
#define SYNOD_BASE_LINUX_URING_H

#include "base/linux/loop.h"

#include <liburing.h>

/* Submissions of one turn before a system call in between takes them; 64 bytes each. */
#define URING_SUBMISSIONS 1024
/* Completions the kernel can leave before it chains them in memory of its own; 16 bytes each. */
#define URING_COMPLETIONS 8192
/* Buffers a core lends the kernel for receiving, and their size: enough for a core's busy connections, not
 * for all it has. One that finds none takes memory of its own. A buffer holds a TLS record cut in two, or 50
 * messages of a point statement. */
#define URING_RECEIVE_BUFFERS 512
/* The kernel takes them in turn, so all that it has been lent are touched, and stay: it gets twice as many when streams have half
 * of them. */
#define URING_RECEIVE_BUFFERS_FIRST 32
#define URING_RECEIVE_BUFFER_BYTES  8192
/* Buffers one connection may fill before anybody reads them; then the kernel is asked to stop, and TCP's
 * window holds back the peer. */
#define URING_RECEIVE_AHEAD 4
/* Sends up to this size are copied and go out with the turn's system call; larger ones are waited for,
 * which is cheaper than the copy. Such buffers of one core, 1 MiB; one that finds none is waited for, too.
 * */
#define URING_SEND_BYTES       4096
#define URING_SEND_BUFFERS_MAX 256
/* Connections accepted ahead of net_accept(): the kernel is asked to stop at the first figure. Until it
 * does, it may fill the completions that are there, and once more while it takes the request to stop; that
 * bounds the second. (A backlog comes in one go, and more clients move up into it meanwhile.) */
#define URING_ACCEPT_AHEAD     256
#define URING_ACCEPT_AHEAD_MAX (URING_ACCEPT_AHEAD + 2 * URING_COMPLETIONS)
/* Disk operations in flight on one core; fibers beyond wait. Devices take 1,024 at most (nr_requests). */
#define URING_DISK_OPERATIONS_MAX 2048

struct uring_op {
    /* `result` and `flags` are the completion's: a count or -errno, IORING_CQE_F_…. */
    void (*complete)(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags);
};

struct disk_pool;
struct send_buffer;

/* Buffers for receiving. A buffer is the kernel's (in the ring), a stream's, or free (without multishot). */
struct receive_buffers {
    struct io_uring_buf_ring *ring; /* NULL without multishot receive */
    uint8_t *memory;
    uint32_t count;
    uint32_t lent; /* the first ones, which the kernel was lent at least once; all without multishot */
    uint32_t with_streams; /* buffers that streams have */
    uint16_t *next;        /* of each buffer: the next one of the same stream, or of the free ones */
    uint16_t *bytes;       /* of each buffer: what it holds */
    uint16_t free;         /* first free one; RECEIVE_NO_BUFFER = none */
};

#define RECEIVE_NO_BUFFER UINT16_MAX
#define RECEIVE_GROUP     1 /* the buffer group's id in the ring */

/* Buffers of sends that nobody waits for. */
struct send_buffers {
    struct send_buffer *free;
    uint32_t made;
    struct list
        quiet; /* connections whose send has been submitted, or will be, and that is silent if it succeeds */
};

struct uring {
    struct io_uring ring;
    uint64_t submits;     /* system calls that took submissions: what was prepared before is out of reach */
    struct uring_op wake; /* the poll on wake_descriptor */
    struct receive_buffers receive;
    struct send_buffers send;
    struct disk_pool *disk;
};

static inline struct uring *uring_of(struct linux_core *core)
{
    return core->backend_state;
}

/* A place for a submission; cleared, user data `op` (may be NULL). Never fails: submits what is there when
 * the queue is full. */
struct io_uring_sqe *uring_submission(struct linux_core *core, struct uring_op *op);

/* Asks the kernel to cancel the operation. It still lands, with whatever outcome. */
void uring_cancel(struct linux_core *core, struct uring_op *op);

/* ---- uring_disk.c ---- */
void uring_disk_open(struct linux_core *core);
extern const struct disk_ops uring_disk_ops;

/* ---- uring_net.c ---- */
enum sqlstate uring_receive_open(struct linux_core *core, uint32_t buffers, struct error *error);
void uring_receive_close(struct linux_core *core);

/* Ends the sends that were submitted and have said nothing. Requires: all submissions were taken, all
 * completions called back. */
void uring_send_settle(struct linux_core *core);
extern const struct net_ops uring_net_ops;

#endif
