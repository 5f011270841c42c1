/* Sockets through the ring.
 *
 * Receiving. While a fiber waits for bytes, one operation of the connection is with the kernel, and it stays
 * there after a deadline or a cancellation: nothing is lost, the next call finds what has come.
 *
 *     multishot   one submission for many receives. The kernel takes a buffer from the core's ring of buffers
 *                 only when there are bytes to put into it, so an idle connection pins none. Filled buffers
 *                 are chained on the connection; the fiber is given one at a time, and gives it back at its
 *                 next receive.
 *     poll        one submission per wait; when the socket is readable, the fiber calls recv() with a buffer
 *                 of the core's own. On kernels without multishot, and for one round when the ring had no
 *                 buffer left: other connections may hold all of them and wait for this one, so it takes
 *                 memory of its own.
 *
 * A peer that sends faster than we read fills URING_RECEIVE_AHEAD buffers; then the multishot is canceled.
 * (It may fill some 60 until the kernel has heard of that.)
 *
 * Sending. A small send is copied, and the call returns at once: the submission goes out with the turn's
 * system call, and a fiber that answers a request neither waits nor is switched to twice. More that is sent
 * in the same turn is added to the copy. Such a send is *quiet* where the kernel can (6.0): it must succeed
 * at once and in full, and only says something if it did not, so that its completion wakes nobody. What
 * remains is then sent by an ordinary submission, which waits in the kernel until the peer takes more, and
 * the connection's next send waits for that. An error of such a send is told by the next call. What the
 * kernel has not taken when the scope is closed is lost; stream_shutdown() waits for it.
 *
 * Larger sends, and connecting, end before the call returns, whatever happens: a canceled fiber cancels its
 * operation and waits, shielded, for it to land. So the kernel may use memory of the caller's stack.
 *
 * Rules:
 * 1. An operation holds the connection's scope from its submission to its landing.
 * 2. A descriptor is closed only when no operation on it is out, submissions not yet taken included: its
 * number could be another connection's by then.
 * 3. A broken connection stays broken. */
#include "base/linux/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pieces handed to the kernel at once. */
#define PIECES_PER_SEND 32
/* Receives that found something at once before the fiber lets others run. */
#define RECEIVES_AT_ONCE 16
/* Buffers for small sends made at a time. */
#define SEND_BUFFERS_STEP 8

static enum sqlstate too_late(struct error *error, const char *what, const struct net_address *peer)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(peer, text);
    return error_set(error, SQLSTATE_IDLE_SESSION_TIMEOUT, "%s %s took too long", what, text);
}

static enum sqlstate net_error(struct error *error, int number, const char *what,
                               const struct net_address *peer)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(peer, text);
    return linux_error(error, DEED_SOCKET, number, "could not %s %s", what, text);
}

/* ---- buffers for receiving ---- */

static uint8_t *buffer_data(const struct receive_buffers *buffers, uint16_t buffer)
{
    return buffers->memory + (size_t)buffer * URING_RECEIVE_BUFFER_BYTES;
}

/* Lends the buffer to the kernel, or puts it among the free ones. */
static void buffer_put(struct receive_buffers *buffers, uint16_t buffer)
{
    if (!buffers->ring) {
        buffers->next[buffer] = buffers->free;
        buffers->free = buffer;
        return;
    }
    io_uring_buf_ring_add(buffers->ring, buffer_data(buffers, buffer), URING_RECEIVE_BUFFER_BYTES, buffer,
                          io_uring_buf_ring_mask(buffers->count), 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
}

/* Lends the kernel (or makes free) as many again as it has. */
static void buffers_lend(struct receive_buffers *buffers)
{
    uint32_t from = buffers->lent;
    uint32_t upto = from == 0 ? URING_RECEIVE_BUFFERS_FIRST : 2 * from;
    buffers->lent = !buffers->ring || upto > buffers->count ? buffers->count : upto;
    for (uint32_t i = buffers->lent; i-- > from;)
        buffer_put(buffers, (uint16_t)i);
}

static void buffer_give(struct receive_buffers *buffers, uint16_t buffer)
{
    buffers->with_streams--;
    buffer_put(buffers, buffer);
}

enum sqlstate uring_receive_open(struct linux_core *core, uint32_t count, struct error *error)
{
    struct uring *uring = uring_of(core);
    struct receive_buffers *buffers = &uring->receive;
    void *memory;
    enum sqlstate failed = scope_alloc_large(core->scope, (size_t)count * URING_RECEIVE_BUFFER_BYTES,
                                             DISK_ALIGNMENT, &memory, error);
    if (failed)
        return failed;
    buffers->memory = memory;
    buffers->count = count;
    buffers->next = scope_alloc(core->scope, count * sizeof *buffers->next);
    buffers->bytes = scope_alloc(core->scope, count * sizeof *buffers->bytes);
    buffers->free = RECEIVE_NO_BUFFER;
    list_init(&uring->send.quiet);
    if (core->features & LINUX_FEATURE_MULTISHOT_RECEIVE) {
        failed = scope_alloc_large(core->scope, count * sizeof(struct io_uring_buf), DISK_ALIGNMENT, &memory,
                                   error);
        if (failed)
            return failed;
        struct io_uring_buf_reg ring = {
            .ring_addr = (uint64_t)(uintptr_t)memory, .ring_entries = count, .bgid = RECEIVE_GROUP};
        if (io_uring_register_buf_ring(&uring->ring, &ring, 0) == 0) {
            buffers->ring = memory;
            io_uring_buf_ring_init(buffers->ring);
        } else
            core->features &= ~(uint32_t)LINUX_FEATURE_MULTISHOT_RECEIVE;
    }
    buffers_lend(buffers);
    return SQLSTATE_OK;
}

void uring_receive_close(struct linux_core *core)
{
    struct uring *uring = uring_of(core);
    if (uring->receive.ring)
        io_uring_unregister_buf_ring(&uring->ring, RECEIVE_GROUP);
}

/* ---- streams ---- */

struct send_buffer {
    struct send_buffer *next;
    uint8_t data[URING_SEND_BYTES];
};

struct connection {
    struct stream stream; /* first: the stream is the connection */
    struct linux_core *core;
    struct scope *scope;
    struct uring_op receive;
    struct uring_op send;
    struct fiber_queue receivers;
    struct fiber_queue senders;
    void *own;                /* the view in use, when it is memory of the connection's own */
    int descriptor;           /* -1 once closed after a reset */
    int number;               /* errno of a receive that failed, told when the filled buffers are read */
    uint16_t view;            /* the view in use, when it is a buffer of the core */
    uint16_t first, last;     /* filled buffers nobody has read */
    uint16_t ahead;           /* how many of them */
    uint16_t at_once;         /* receives since one last waited */
    bool receiving;           /* the operation is out: */
    bool polling;             /*   a poll, else a multishot receive */
    bool stopping;            /*   and was canceled */
    struct send_buffer *copy; /* what the send that is out sends, when nobody waits for it */
    uint32_t copy_bytes;      /* in the copy */
    uint32_t copy_sent;       /* of them, by now */
    struct io_uring_sqe
        *copy_sqe;          /* its submission, which can be changed while nothing was submitted since */
    uint64_t copy_submits;  /* uring.submits when it was prepared */
    struct list_link quiet; /* in send_buffers.quiet */
    int send_number;        /* errno of a send nobody waited for */
    int32_t sent;           /* result of the last send somebody waited for */
    bool sending;           /* the operation is out */
    bool readable;          /* the poll said so */
    bool starved;           /* the kernel found no buffer in the ring */
    bool end_seen;          /* the peer has ended its side, behind the filled buffers */
    bool broken;            /* rule 3 */
};

/* Closes the descriptor of a connection that was reset, as soon as rule 2 allows. The linger time of zero
 * makes the kernel send a reset. */
static void close_if_reset(struct connection *connection)
{
    if (!connection->broken || connection->receiving || connection->sending || connection->descriptor < 0)
        return;
    close(connection->descriptor);
    connection->descriptor = -1;
}

static void connection_break(struct connection *connection)
{
    connection->broken = true;
    if (connection->receiving && !connection->stopping) {
        connection->stopping = true;
        uring_cancel(connection->core, &connection->receive);
    }
    if (connection->sending)
        uring_cancel(connection->core, &connection->send);
    fiber_wake_all(&connection->receivers);
    fiber_wake_all(&connection->senders);
}

static void connection_stop(void *argument)
{
    connection_break(argument);
}

/* Gives back what the last receive showed. */
static void view_give(struct connection *connection)
{
    if (connection->view != RECEIVE_NO_BUFFER)
        buffer_give(&uring_of(connection->core)->receive, connection->view);
    connection->view = RECEIVE_NO_BUFFER;
    if (connection->own)
        scope_free_large(connection->scope, connection->own);
    connection->own = NULL;
}

/* Takes the oldest filled buffer out. */
static uint16_t filled_take(struct connection *connection)
{
    uint16_t buffer = connection->first;
    connection->first = uring_of(connection->core)->receive.next[buffer];
    connection->ahead--;
    return buffer;
}

static void filled_append(struct connection *connection, uint16_t buffer, uint16_t bytes)
{
    struct receive_buffers *buffers = &uring_of(connection->core)->receive;
    buffers->bytes[buffer] = bytes;
    buffers->next[buffer] = RECEIVE_NO_BUFFER;
    if (connection->first == RECEIVE_NO_BUFFER)
        connection->first = buffer;
    else
        buffers->next[connection->last] = buffer;
    connection->last = buffer;
    connection->ahead++;
}

static void connection_close(void *argument)
{
    struct connection *connection = argument;
    view_give(connection);
    while (connection->first != RECEIVE_NO_BUFFER)
        buffer_give(&uring_of(connection->core)->receive, filled_take(connection));
    if (connection->descriptor >= 0)
        close(connection->descriptor);
}

/* ---- receiving ---- */

static void receive_failed(struct connection *connection, int number)
{
    switch (number) {
    case ENOBUFS:
        connection->starved = true;
        buffers_lend(&uring_of(connection->core)->receive);
        break;
    case EINVAL: /* the kernel knows no multishot receive after all */
        if (connection->core->features & LINUX_FEATURE_MULTISHOT_RECEIVE)
            connection->core->features &= ~(uint32_t)LINUX_FEATURE_MULTISHOT_RECEIVE;
        else
            connection->number = number;
        break;
    case ECANCELED:
    case EINTR:
    case EAGAIN:
        break;
    default:
        connection->number = number;
    }
}

static void receive_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags)
{
    struct connection *connection = container_of(op, struct connection, receive);
    struct scope *scope = connection->scope;
    if (flags & IORING_CQE_F_BUFFER) {
        uint16_t buffer = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
        struct receive_buffers *buffers = &uring_of(core)->receive;
        if (2 * ++buffers->with_streams >= buffers->lent)
            buffers_lend(buffers);
        if (result > 0)
            filled_append(connection, buffer, (uint16_t)result);
        else
            buffer_give(buffers, buffer);
    }
    if (connection->polling)
        connection->readable = result != -ECANCELED;
    else if (result < 0)
        receive_failed(connection, -result);
    else if (result == 0)
        connection->end_seen = true;
    fiber_wake_all(&connection->receivers);
    if (flags & IORING_CQE_F_MORE) {
        if (connection->ahead >= URING_RECEIVE_AHEAD && !connection->stopping) {
            connection->stopping = true;
            uring_cancel(core, &connection->receive);
        }
        return;
    }
    connection->receiving = connection->stopping = false;
    close_if_reset(connection);
    scope_release(scope);
}

static void receive_start(struct connection *connection)
{
    struct linux_core *core = connection->core;
    const struct receive_buffers *buffers = &uring_of(core)->receive;
    bool starved = connection->starved && buffers->with_streams == buffers->count;
    struct io_uring_sqe *sqe = uring_submission(core, &connection->receive);
    connection->starved = false;
    connection->receiving = true;
    connection->polling = starved || !(core->features & LINUX_FEATURE_MULTISHOT_RECEIVE);
    scope_hold(connection->scope);
    if (connection->polling) {
        io_uring_prep_poll_add(sqe, connection->descriptor, POLLIN | POLLRDHUP);
        return;
    }
    io_uring_prep_recv_multishot(sqe, connection->descriptor, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECEIVE_GROUP;
}

static enum sqlstate broken_error(const struct connection *connection, struct error *error)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(&connection->stream.peer, text);
    return error_set(error, SQLSTATE_CONNECTION_FAILURE, "connection with %s is broken", text);
}

/* Memory for one recv(): of the core's buffers, else of the connection's own. */
static enum sqlstate room_take(struct connection *connection, uint8_t **room, struct error *error)
{
    struct receive_buffers *buffers = &uring_of(connection->core)->receive;
    if (!buffers->ring && buffers->free != RECEIVE_NO_BUFFER) {
        connection->view = buffers->free;
        buffers->free = buffers->next[connection->view];
        buffers->with_streams++;
        *room = buffer_data(buffers, connection->view);
        return SQLSTATE_OK;
    }
    enum sqlstate failed =
        scope_alloc_large(connection->scope, URING_RECEIVE_BUFFER_BYTES, 16, &connection->own, error);
    *room = connection->own;
    return failed;
}

/* Calls recv() after the poll said that it pays. `*got` tells whether there was something to tell. Not inlined: its caller
 * waits in between, may go on on another thread (lend.c), and the compiler takes errno's place for constant. */
static __attribute__((noinline)) enum sqlstate receive_now(struct connection *connection, struct bytes *view,
                                                           bool *got, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = room_take(connection, &room, error);
    *got = true;
    if (failed)
        return failed;
    ssize_t count;
    do
        count = recv(connection->descriptor, room, URING_RECEIVE_BUFFER_BYTES, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    int number = errno;
    connection->readable = count == URING_RECEIVE_BUFFER_BYTES;
    *view = bytes_of(room, count > 0 ? (size_t)count : 0);
    if (count > 0)
        return SQLSTATE_OK;
    view_give(connection);
    if (count == 0) {
        connection->end_seen = true;
        return SQLSTATE_OK;
    }
    *got = number != EAGAIN && number != EWOULDBLOCK;
    if (!*got)
        return SQLSTATE_OK;
    connection_break(connection);
    return net_error(error, number, "receive from", &connection->stream.peer);
}

/* What can be told without waiting; `*got` is false when there is nothing. */
static enum sqlstate receive_ready(struct connection *connection, struct bytes *view, bool *got,
                                   struct error *error)
{
    const struct receive_buffers *buffers = &uring_of(connection->core)->receive;
    *got = true;
    if (connection->broken)
        return broken_error(connection, error);
    if (connection->first != RECEIVE_NO_BUFFER) {
        connection->view = filled_take(connection);
        *view = bytes_of(buffer_data(buffers, connection->view), buffers->bytes[connection->view]);
        return SQLSTATE_OK;
    }
    if (connection->number) {
        connection_break(connection);
        return net_error(error, connection->number, "receive from", &connection->stream.peer);
    }
    if (connection->end_seen) {
        *view = bytes_of(NULL, 0);
        return SQLSTATE_OK;
    }
    if (connection->readable)
        return receive_now(connection, view, got, error);
    *got = false;
    return SQLSTATE_OK;
}

static enum sqlstate receive_or_wait(struct connection *connection, struct bytes *view, uint64_t deadline_ns,
                                     struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    view_give(connection);
    if (fiber_canceled(scheduler))
        return fiber_check_canceled(scheduler, error);
    if (++connection->at_once > RECEIVES_AT_ONCE) {
        connection->at_once = 0;
        fiber_yield(scheduler);
    }
    for (;;) {
        bool got;
        enum sqlstate failed = receive_ready(connection, view, &got, error);
        if (failed || got)
            return failed;
        if (!connection->receiving)
            receive_start(connection);
        connection->at_once = 0;
        enum fiber_wake woken = fiber_wait(scheduler, &connection->receivers, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "receiving from", &connection->stream.peer);
    }
}

static enum sqlstate uring_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                   struct error *error)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct scope *scope = connection->scope;
    fiber_may_yield(connection->core->world.scheduler);
    scope_hold(scope);
    enum sqlstate failed = receive_or_wait(connection, view, deadline_ns, error);
    scope_release(scope);
    return failed;
}

/* ---- sending ---- */

static void send_landed(struct connection *connection)
{
    struct scope *scope = connection->scope;
    connection->sending = false;
    fiber_wake_all(&connection->senders);
    close_if_reset(connection);
    scope_release(scope);
}

/* ---- small sends: copied, not waited for ---- */

/* A buffer, or NULL when the core has as many as it may. */
static struct send_buffer *send_buffer_take(struct linux_core *core)
{
    struct send_buffers *buffers = &uring_of(core)->send;
    if (!buffers->free && buffers->made < URING_SEND_BUFFERS_MAX) {
        struct send_buffer *made = scope_alloc(core->scope, SEND_BUFFERS_STEP * sizeof *made);
        for (int i = 0; i < SEND_BUFFERS_STEP; i++) {
            made[i].next = buffers->free;
            buffers->free = &made[i];
        }
        buffers->made += SEND_BUFFERS_STEP;
    }
    struct send_buffer *buffer = buffers->free;
    if (buffer)
        buffers->free = buffer->next;
    return buffer;
}

static void copy_landed(struct connection *connection)
{
    struct send_buffers *buffers = &uring_of(connection->core)->send;
    connection->copy->next = buffers->free;
    buffers->free = connection->copy;
    connection->copy = NULL;
    send_landed(connection);
}

void uring_send_settle(struct linux_core *core)
{
    struct list_link *link;
    while ((link = list_take_first(&uring_of(core)->send.quiet)))
        copy_landed(container_of(link, struct connection, quiet));
}

/* Prepares the submission of what is left of the copy. */
static void copy_submit(struct connection *connection, bool quiet)
{
    struct uring *uring = uring_of(connection->core);
    struct io_uring_sqe *sqe = uring_submission(connection->core, &connection->send);
    io_uring_prep_send(sqe, connection->descriptor, connection->copy->data + connection->copy_sent,
                       connection->copy_bytes - connection->copy_sent,
                       MSG_NOSIGNAL | MSG_WAITALL | (quiet ? MSG_DONTWAIT : 0));
    connection->copy_sqe = sqe;
    connection->copy_submits = uring->submits;
    if (!quiet)
        return;
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    list_append(&uring->send.quiet, &connection->quiet);
}

/* A copy that was not quiet has said something, or a quiet one that failed or fell short. */
static void copy_complete(struct connection *connection, int32_t result)
{
    list_remove(&connection->quiet);
    if (result > 0)
        connection->copy_sent += (uint32_t)result;
    else if (result < 0 && result != -EAGAIN && result != -EINTR)
        connection->send_number = -result;
    if (connection->send_number || connection->broken || connection->copy_sent == connection->copy_bytes)
        copy_landed(connection);
    else
        copy_submit(connection, false);
}

static void send_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags)
{
    struct connection *connection = container_of(op, struct connection, send);
    (void)core;
    (void)flags;
    if (connection->copy) {
        copy_complete(connection, result);
        return;
    }
    connection->sent = result;
    send_landed(connection);
}

static void copy_pieces(struct connection *connection, const struct bytes *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size)
            memcpy(connection->copy->data + connection->copy_bytes, pieces[i].data, pieces[i].size);
        connection->copy_bytes += (uint32_t)pieces[i].size;
    }
}

/* Sends a copy of the pieces, `bytes` in all, without waiting, if that is possible now. */
static bool copy_send(struct connection *connection, const struct bytes *pieces, size_t count, size_t bytes)
{
    struct uring *uring = uring_of(connection->core);
    if (connection->sending) {
        if (!connection->copy || connection->copy_submits != uring->submits || connection->copy_sent ||
            connection->copy_bytes + bytes > URING_SEND_BYTES)
            return false;
        copy_pieces(connection, pieces, count);
        connection->copy_sqe->len += (uint32_t)bytes;
        return true;
    }
    connection->copy = send_buffer_take(connection->core);
    if (!connection->copy)
        return false;
    connection->copy_bytes = connection->copy_sent = 0;
    copy_pieces(connection, pieces, count);
    connection->sending = true;
    scope_hold(connection->scope);
    copy_submit(connection, connection->core->features & LINUX_FEATURE_QUIET_SEND);
    return true;
}

/* While the core is lent (lend.c), a submission would wake its thread: what the socket takes at once needs none. Gives how
 * much that is; errors are left to the submission of the rest. */
static size_t lent_send(const struct connection *connection, struct bytes bytes)
{
    ssize_t sent = send(connection->descriptor, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? (size_t)sent : 0;
}

/* Bytes of all pieces; anything above `enough` when they are more. */
static size_t pieces_bytes(const struct bytes *pieces, size_t count, size_t enough)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count && bytes <= enough; i++)
        bytes += pieces[i].size;
    return bytes;
}

/* ---- large sends: waited for ---- */

/* Waits until nothing is out. */
static enum sqlstate send_idle(struct connection *connection, uint64_t deadline_ns, struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    while (connection->sending && !connection->broken) {
        enum fiber_wake woken = fiber_wait(scheduler, &connection->senders, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "sending to", &connection->stream.peer);
    }
    if (connection->broken)
        return broken_error(connection, error);
    if (connection->send_number)
        return net_error(error, connection->send_number, "send to", &connection->stream.peer);
    return SQLSTATE_OK;
}

/* Waits until the send has landed; when the fiber may not wait any longer, cancels it, and waits. */
static enum sqlstate send_wait(struct connection *connection, uint64_t deadline_ns, struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    enum fiber_wake woken = FIBER_WOKEN;
    while (connection->sending && woken == FIBER_WOKEN)
        woken = fiber_wait(scheduler, &connection->senders, deadline_ns);
    if (!connection->sending)
        return SQLSTATE_OK;
    uring_cancel(connection->core, &connection->send);
    fiber_shield_begin(scheduler);
    while (connection->sending)
        (void)fiber_wait(scheduler, &connection->senders, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    if (connection->sent >= 0)
        return SQLSTATE_OK; /* it went out after all */
    if (woken == FIBER_CANCELED)
        return fiber_check_canceled(scheduler, error);
    return too_late(error, "sending to", &connection->stream.peer);
}

/* Leaves of `message` what comes behind the first `sent` bytes. */
static void message_advance(struct msghdr *message, size_t sent)
{
    while (message->msg_iovlen && sent >= message->msg_iov->iov_len) {
        sent -= message->msg_iov->iov_len;
        message->msg_iov++;
        message->msg_iovlen--;
    }
    if (sent) {
        message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
        message->msg_iov->iov_len -= sent;
    }
}

/* Sends up to PIECES_PER_SEND pieces whole. */
static enum sqlstate send_pieces(struct connection *connection, struct iovec *pieces, size_t count,
                                 uint64_t deadline_ns, struct error *error)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    while (message.msg_iovlen) {
        if (connection->broken)
            return broken_error(connection, error);
        struct io_uring_sqe *sqe = uring_submission(connection->core, &connection->send);
        /* Kernels from 5.19 on go on by themselves after a short send when told to wait for all. */
        if (message.msg_iovlen == 1)
            io_uring_prep_send(sqe, connection->descriptor, message.msg_iov->iov_base,
                               message.msg_iov->iov_len, MSG_NOSIGNAL | MSG_WAITALL);
        else
            io_uring_prep_sendmsg(sqe, connection->descriptor, &message, MSG_NOSIGNAL | MSG_WAITALL);
        connection->sending = true;
        scope_hold(connection->scope);
        enum sqlstate failed = send_wait(connection, deadline_ns, error);
        if (failed)
            return failed;
        int32_t sent = connection->sent;
        if (sent == -ECANCELED && connection->broken)
            return broken_error(connection, error);
        if (sent < 0 && sent != -EINTR && sent != -EAGAIN)
            return net_error(error, -sent, "send to", &connection->stream.peer);
        if (sent > 0)
            message_advance(&message, (size_t)sent);
    }
    return SQLSTATE_OK;
}

static enum sqlstate send_all(struct connection *connection, const struct bytes *pieces, size_t count,
                              uint64_t deadline_ns, struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    struct iovec native[PIECES_PER_SEND];
    size_t bytes = pieces_bytes(pieces, count, URING_SEND_BYTES);
    if (fiber_canceled(scheduler))
        return fiber_check_canceled(scheduler, error);
    if (connection->broken)
        return broken_error(connection, error);
    if (connection->send_number)
        return net_error(error, connection->send_number, "send to", &connection->stream.peer);
    struct bytes rest;
    if (connection->core->lent && !connection->sending && count == 1 && bytes <= URING_SEND_BYTES) {
        size_t sent = lent_send(connection, *pieces);
        rest = bytes_of(pieces->data + sent, pieces->size - sent);
        pieces = &rest;
        bytes -= sent;
    }
    if (bytes == 0 || (bytes <= URING_SEND_BYTES && copy_send(connection, pieces, count, bytes)))
        return SQLSTATE_OK;
    enum sqlstate failed = send_idle(connection, deadline_ns, error);
    if (failed || (bytes <= URING_SEND_BYTES && copy_send(connection, pieces, count, bytes)))
        return failed;
    while (count && !failed) {
        size_t now = count < PIECES_PER_SEND ? count : PIECES_PER_SEND, filled = 0;
        for (size_t i = 0; i < now; i++)
            if (pieces[i].size)
                native[filled++] =
                    (struct iovec){.iov_base = (void *)pieces[i].data, .iov_len = pieces[i].size};
        failed = send_pieces(connection, native, filled, deadline_ns, error);
        pieces += now;
        count -= now;
    }
    return failed;
}

static enum sqlstate uring_send(struct stream *stream, const struct bytes *pieces, size_t count,
                                uint64_t deadline_ns, struct error *error)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct scope *scope = connection->scope;
    fiber_may_yield(connection->core->world.scheduler);
    scope_hold(scope);
    enum sqlstate failed = send_all(connection, pieces, count, deadline_ns, error);
    if (failed)
        connection_break(connection); /* an unknown part is out: nothing sensible can follow it */
    scope_release(scope);
    return failed;
}

static enum sqlstate shutdown_sent(struct connection *connection, uint64_t deadline_ns, struct error *error)
{
    enum sqlstate failed = send_idle(connection, deadline_ns, error);
    if (!failed && shutdown(connection->descriptor, SHUT_WR))
        failed = net_error(error, errno, "end the connection with", &connection->stream.peer);
    if (failed)
        connection_break(connection);
    return failed;
}

static enum sqlstate uring_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct scope *scope = connection->scope;
    fiber_may_yield(connection->core->world.scheduler);
    scope_hold(scope);
    enum sqlstate failed = shutdown_sent(connection, deadline_ns, error);
    scope_release(scope);
    return failed;
}

static void uring_reset(struct stream *stream)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct linger none = {.l_onoff = 1};
    if (connection->descriptor >= 0)
        setsockopt(connection->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    connection_break(connection);
    close_if_reset(connection);
}

static const struct stream_ops uring_stream = {
    .receive = uring_receive,
    .send = uring_send,
    .shutdown = uring_shutdown,
    .reset = uring_reset,
};

static struct stream *connection_open(struct linux_core *core, struct scope *scope, int descriptor,
                                      const struct net_address *peer)
{
    struct connection *connection = scope_alloc_zeroed(scope, sizeof *connection);
    connection->stream.ops = &uring_stream;
    connection->stream.peer = *peer;
    connection->core = core;
    connection->scope = scope;
    connection->receive.complete = receive_complete;
    connection->send.complete = send_complete;
    connection->descriptor = descriptor;
    connection->view = connection->first = connection->last = RECEIVE_NO_BUFFER;
    list_link_init(&connection->quiet);
    fiber_queue_init(&connection->receivers);
    fiber_queue_init(&connection->senders);
    scope_undo(scope, connection_close, connection);
    scope_on_close(scope, connection_stop, connection);
    return &connection->stream;
}

static enum sqlstate uring_adopt(struct world *world, struct scope *scope,
                                 const struct net_handover *connection, struct stream **stream,
                                 struct error *error)
{
    (void)error;
    *stream = connection_open(linux_core_of(world), scope, (int)connection->ticket, &connection->peer);
    return SQLSTATE_OK;
}

/* ---- listening ---- */

struct listener {
    struct linux_core *core;
    struct scope *scope;
    struct uring_op accept;
    struct net_address bound;
    struct fiber_queue accepters;
    int descriptor;
    int number;     /* errno of an accept that failed, 0 = none to tell */
    bool accepting; /* the operation is out: */
    bool stopping;  /*   and was canceled */
    bool closed;
    uint32_t first, count;             /* of the connections accepted ahead, in a circle */
    int ahead[URING_ACCEPT_AHEAD_MAX]; /* their descriptors */
};

static void accept_stop(struct listener *listener)
{
    if (!listener->accepting || listener->stopping)
        return;
    listener->stopping = true;
    uring_cancel(listener->core, &listener->accept);
}

static void accept_failed(struct listener *listener, int number)
{
    switch (number) {
    case EMFILE:
    case ENFILE:
        socket_refuse(listener->core, listener->descriptor);
        listener->number = number;
        break;
    case ENOMEM:
    case ENOBUFS:
        listener->number = number;
        break;
    case EINVAL: /* the kernel knows no multishot accept after all */
        if (listener->core->features & LINUX_FEATURE_MULTISHOT_ACCEPT)
            listener->core->features &= ~(uint32_t)LINUX_FEATURE_MULTISHOT_ACCEPT;
        else
            listener->number = number;
        break;
    default: /* canceled, or the connection's own trouble (accept(2)), and it is gone: on to the next */
        break;
    }
}

static void accept_start(struct listener *listener);

static void accept_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags)
{
    struct listener *listener = container_of(op, struct listener, accept);
    struct scope *scope = listener->scope;
    (void)core;
    if (result < 0)
        accept_failed(listener, -result);
    else if (listener->closed || listener->count == URING_ACCEPT_AHEAD_MAX)
        close(result);
    else
        listener->ahead[(listener->first + listener->count++) % URING_ACCEPT_AHEAD_MAX] = result;
    fiber_wake_one(&listener->accepters);
    if (flags & IORING_CQE_F_MORE) {
        if (listener->count >= URING_ACCEPT_AHEAD)
            accept_stop(listener);
        return;
    }
    listener->accepting = listener->stopping = false;
    if (!listener->closed && !fiber_queue_empty(&listener->accepters))
        accept_start(listener);
    scope_release(scope);
}

static void accept_start(struct listener *listener)
{
    struct linux_core *core = listener->core;
    struct io_uring_sqe *sqe = uring_submission(core, &listener->accept);
    if (core->features & LINUX_FEATURE_MULTISHOT_ACCEPT)
        io_uring_prep_multishot_accept(sqe, listener->descriptor, NULL, NULL, SOCK_CLOEXEC);
    else
        io_uring_prep_accept(sqe, listener->descriptor, NULL, NULL, SOCK_CLOEXEC);
    listener->accepting = true;
    scope_hold(listener->scope);
}

static void listener_stop(void *argument)
{
    struct listener *listener = argument;
    listener->closed = true;
    accept_stop(listener);
    fiber_wake_all(&listener->accepters);
}

static void listener_close(void *argument)
{
    struct listener *listener = argument;
    for (; listener->count; listener->count--)
        close(listener->ahead[listener->first++ % URING_ACCEPT_AHEAD_MAX]);
    close(listener->descriptor);
}

static enum sqlstate uring_listen(struct world *world, struct scope *scope, const struct net_address *address,
                                  struct listener **listener, struct net_address *bound, struct error *error)
{
    struct net_address real;
    int descriptor;
    enum sqlstate failed = socket_listen(address, &descriptor, &real, error);
    if (failed)
        return failed;
    struct listener *opened = scope_alloc(scope, sizeof *opened);
    memset(opened, 0, offsetof(struct listener, ahead));
    opened->core = linux_core_of(world);
    opened->scope = scope;
    opened->accept.complete = accept_complete;
    opened->bound = real;
    opened->descriptor = descriptor;
    fiber_queue_init(&opened->accepters);
    scope_undo(scope, listener_close, opened);
    scope_on_close(scope, listener_stop, opened);
    *listener = opened;
    if (bound)
        *bound = real;
    return SQLSTATE_OK;
}

/* What can be told without waiting; `*got` is true when it is a connection. */
static enum sqlstate accept_ready(struct listener *listener, struct net_handover *connection, bool *got,
                                  struct error *error)
{
    if (listener->closed)
        return error_set(error, SQLSTATE_CONNECTION_DOES_NOT_EXIST, "the listener was closed");
    while (listener->count && !*got) {
        int descriptor = listener->ahead[listener->first];
        listener->first = (listener->first + 1) % URING_ACCEPT_AHEAD_MAX;
        listener->count--;
        *got = socket_accepted(descriptor, connection);
    }
    if (*got || !listener->number)
        return SQLSTATE_OK;
    int number = listener->number;
    listener->number = 0;
    return net_error(error, number, "accept a connection on", &listener->bound);
}

static enum sqlstate uring_accept(struct world *world, struct listener *listener,
                                  struct net_handover *connection, uint64_t deadline_ns, struct error *error)
{
    struct scope *scope = listener->scope;
    bool got = false;
    fiber_may_yield(world->scheduler);
    if (fiber_canceled(world->scheduler))
        return fiber_check_canceled(world->scheduler, error);
    scope_hold(scope);
    enum sqlstate failed = accept_ready(listener, connection, &got, error);
    while (!failed && !got) {
        if (!listener->accepting)
            accept_start(listener);
        enum fiber_wake woken = fiber_wait(world->scheduler, &listener->accepters, deadline_ns);
        if (woken == FIBER_CANCELED)
            failed = fiber_check_canceled(world->scheduler, error);
        else if (woken == FIBER_TIMED_OUT)
            failed = too_late(error, "accepting on", &listener->bound);
        else
            failed = accept_ready(listener, connection, &got, error);
    }
    scope_release(scope);
    return failed;
}

/* ---- connecting ---- */

/* A connection on its way; on the stack of the fiber that waits for it. */
struct connecting {
    struct uring_op op;
    struct linux_core *core;
    struct fiber_queue waiter;
    bool landed;
    bool stopping; /* it was canceled */
    int32_t result;
};

static void connect_complete(struct linux_core *core, struct uring_op *op, int32_t result, uint32_t flags)
{
    struct connecting *connecting = container_of(op, struct connecting, op);
    (void)core;
    (void)flags;
    connecting->result = result;
    connecting->landed = true;
    fiber_wake_all(&connecting->waiter);
}

static void connect_stop(void *argument)
{
    struct connecting *connecting = argument;
    if (connecting->landed || connecting->stopping)
        return;
    connecting->stopping = true;
    uring_cancel(connecting->core, &connecting->op);
}

/* Connects the descriptor; the operation has landed when this returns. Gives errno. */
static enum sqlstate connect_wait(struct connecting *connecting, struct scope *scope,
                                  const struct net_address *address, uint64_t deadline_ns,
                                  struct error *error)
{
    struct scheduler *scheduler = connecting->core->world.scheduler;
    struct scope_undo *stop = scope_on_close(scope, connect_stop, connecting);
    enum fiber_wake woken = FIBER_WOKEN;
    while (!connecting->landed && woken == FIBER_WOKEN)
        woken = fiber_wait(scheduler, &connecting->waiter, deadline_ns);
    connect_stop(connecting);
    fiber_shield_begin(scheduler);
    while (!connecting->landed)
        (void)fiber_wait(scheduler, &connecting->waiter, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    scope_undo_cancel(stop);
    if (woken == FIBER_CANCELED)
        return fiber_check_canceled(scheduler, error);
    int number = woken == FIBER_TIMED_OUT ? ETIMEDOUT : -connecting->result;
    if (scope_closing(scope))
        number = ECONNABORTED;
    return number ? net_error(error, number, "connect to", address) : SQLSTATE_OK;
}

static enum sqlstate uring_connect(struct world *world, struct scope *scope,
                                   const struct net_address *address, uint64_t deadline_ns,
                                   struct stream **stream, struct error *error)
{
    struct linux_core *core = linux_core_of(world);
    struct sockaddr_storage native;
    socklen_t length = socket_address_native(address, &native);
    struct connecting connecting = {.op.complete = connect_complete, .core = core};
    fiber_queue_init(&connecting.waiter);
    int descriptor;
    fiber_may_yield(world->scheduler);
    if (fiber_canceled(world->scheduler))
        return fiber_check_canceled(world->scheduler, error);
    enum sqlstate failed = socket_open(address, &descriptor, error);
    if (failed)
        return failed;
    scope_hold(scope);
    struct io_uring_sqe *sqe = uring_submission(core, &connecting.op);
    io_uring_prep_connect(sqe, descriptor, (struct sockaddr *)&native, length);
    failed = connect_wait(&connecting, scope, address, deadline_ns, error);
    if (failed)
        close(descriptor);
    else
        *stream = connection_open(core, scope, descriptor, address);
    scope_release(scope);
    return failed;
}

const struct net_ops uring_net_ops = {
    .resolve = linux_net_resolve,
    .listen = uring_listen,
    .accept = uring_accept,
    .adopt = uring_adopt,
    .discard = linux_net_discard,
    .connect = uring_connect,
};
