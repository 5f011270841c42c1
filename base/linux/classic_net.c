/* Sockets through epoll: each call first tries, and waits for the next edge when the kernel has nothing (or
 * takes nothing). No operation is ever in the kernel's hands while a fiber waits, so a wait that is canceled
 * or times out has ended when the call returns, and nothing is lost.
 *
 * Rules:
 * 1. `readable` is false only after the kernel said that there is nothing, or gave less than was asked for
 * while the end had not come into sight: whatever comes later is a new edge. Likewise `ready` of a listener.
 * 2. A waiting fiber holds the scope of what it waits on: closing that scope breaks the connection (or closes
 *    the listener), which ends the wait, and the last to leave ends the scope.
 * 3. A broken connection stays broken; its descriptor is closed at the reset or with the scope. */
#include "base/linux/classic.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pieces handed to the kernel at once. */
#define PIECES_PER_SEND 64

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

/* ---- streams ---- */

struct connection {
    struct stream stream; /* first: the stream is the connection */
    struct watch watch;
    struct linux_core *core;
    struct scope *scope;
    struct receive_buffer *buffer; /* of the view in use, or NULL */
    struct fiber_queue receivers;
    struct fiber_queue senders;
    int descriptor; /* -1 after a reset */
    bool readable;  /* rule 1 */
    bool end_seen;  /* the peer has ended or broken the connection; there may still be bytes before that */
    bool broken;    /* rule 3 */
    uint8_t received_at_once; /* receives since one last waited, */
    uint8_t sent_at_once;     /* and sends: a fiber that never waits must yield all the same */
};

static void connection_ready(struct watch *watch, uint32_t events)
{
    struct connection *connection = container_of(watch, struct connection, watch);
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->end_seen = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        connection->readable = true;
        fiber_wake_all(&connection->receivers);
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        fiber_wake_all(&connection->senders);
}

static void connection_break(struct connection *connection)
{
    connection->broken = true;
    fiber_wake_all(&connection->receivers);
    fiber_wake_all(&connection->senders);
}

static void connection_stop(void *argument)
{
    connection_break(argument);
}

static void buffer_give(struct connection *connection)
{
    struct receive_buffer *buffer = connection->buffer;
    struct classic *classic = connection->core->backend_state;
    connection->buffer = NULL;
    if (!buffer)
        return;
    if (classic->buffers_kept == CLASSIC_RECEIVE_KEPT) {
        scope_free_large(connection->core->scope, buffer);
        return;
    }
    buffer->next = classic->free_buffers;
    classic->free_buffers = buffer;
    classic->buffers_kept++;
}

static enum sqlstate buffer_take(struct connection *connection, struct error *error)
{
    struct classic *classic = connection->core->backend_state;
    struct receive_buffer *buffer = classic->free_buffers;
    if (buffer) {
        classic->free_buffers = buffer->next;
        classic->buffers_kept--;
    } else {
        void *memory;
        enum sqlstate failed = scope_alloc_large(connection->core->scope, sizeof *buffer,
                                                 _Alignof(struct receive_buffer), &memory, error);
        if (failed)
            return failed;
        buffer = memory;
    }
    connection->buffer = buffer;
    return SQLSTATE_OK;
}

static void connection_close(void *argument)
{
    struct connection *connection = argument;
    buffer_give(connection);
    if (connection->descriptor >= 0)
        close(connection->descriptor);
}

static enum sqlstate broken_error(const struct connection *connection, struct error *error)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(&connection->stream.peer, text);
    return error_set(error, SQLSTATE_CONNECTION_FAILURE, "connection with %s is broken", text);
}

/* Tries once. `*got` tells whether there was something to tell: bytes, the end, or a failure. */
static enum sqlstate receive_try(struct connection *connection, struct bytes *view, bool *got,
                                 struct error *error)
{
    enum sqlstate failed = buffer_take(connection, error);
    *got = true;
    if (failed)
        return failed;
    ssize_t count;
    do
        count = recv(connection->descriptor, connection->buffer->data, CLASSIC_RECEIVE_BYTES, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count > 0) {
        *view = bytes_of(connection->buffer->data, (size_t)count);
        connection->readable = count == CLASSIC_RECEIVE_BYTES || connection->end_seen;
        return SQLSTATE_OK;
    }
    int number = errno;
    buffer_give(connection);
    *view = bytes_of(NULL, 0);
    if (count == 0)
        return SQLSTATE_OK;
    if (number == EAGAIN || number == EWOULDBLOCK) {
        *got = connection->readable = false;
        return SQLSTATE_OK;
    }
    connection_break(connection);
    return net_error(error, number, "receive from", &connection->stream.peer);
}

/* Called before each receive (or send) that may find the kernel ready, so that a peer that floods us, or takes
 * whatever we send, does not get the core for itself. */
static void let_others_run(struct connection *connection, uint8_t *at_once)
{
    if (++*at_once < CLASSIC_OPERATIONS_PER_TURN)
        return;
    *at_once = 0;
    fiber_yield(connection->core->world.scheduler);
}

static enum sqlstate receive(struct connection *connection, struct bytes *view, uint64_t deadline_ns,
                             struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    buffer_give(connection);
    let_others_run(connection, &connection->received_at_once);
    for (;;) {
        if (fiber_canceled(scheduler))
            return fiber_check_canceled(scheduler, error);
        if (connection->broken)
            return broken_error(connection, error);
        if (connection->readable) {
            bool got;
            enum sqlstate failed = receive_try(connection, view, &got, error);
            if (failed || got)
                return failed;
        }
        connection->received_at_once = 0;
        enum fiber_wake woken = fiber_wait(scheduler, &connection->receivers, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "receiving from", &connection->stream.peer);
    }
}

static enum sqlstate classic_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                     struct error *error)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct scope *scope = connection->scope;
    fiber_may_yield(connection->core->world.scheduler);
    scope_hold(scope);
    enum sqlstate failed = receive(connection, view, deadline_ns, error);
    scope_release(scope);
    return failed;
}

/* Waits until the kernel takes bytes again. */
static enum sqlstate wait_writable(struct connection *connection, uint64_t deadline_ns, struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    connection->sent_at_once = 0;
    enum fiber_wake woken = fiber_wait(scheduler, &connection->senders, deadline_ns);
    if (woken == FIBER_CANCELED)
        return fiber_check_canceled(scheduler, error);
    if (woken == FIBER_TIMED_OUT)
        return too_late(error, "sending to", &connection->stream.peer);
    return SQLSTATE_OK;
}

/* Sends up to PIECES_PER_SEND pieces whole. */
static enum sqlstate send_pieces(struct connection *connection, struct iovec *pieces, size_t count,
                                 uint64_t deadline_ns, struct error *error)
{
    struct scheduler *scheduler = connection->core->world.scheduler;
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    while (message.msg_iovlen) {
        let_others_run(connection, &connection->sent_at_once);
        if (fiber_canceled(scheduler))
            return fiber_check_canceled(scheduler, error);
        if (connection->broken)
            return broken_error(connection, error);
        ssize_t sent = sendmsg(connection->descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return net_error(error, errno, "send to", &connection->stream.peer);
        if (sent < 0) {
            enum sqlstate failed = wait_writable(connection, deadline_ns, error);
            if (failed)
                return failed;
            continue;
        }
        size_t rest = (size_t)sent;
        while (message.msg_iovlen && rest >= message.msg_iov->iov_len) {
            rest -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (rest) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + rest;
            message.msg_iov->iov_len -= rest;
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate classic_send(struct stream *stream, const struct bytes *pieces, size_t count,
                                  uint64_t deadline_ns, struct error *error)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct scope *scope = connection->scope;
    struct iovec native[PIECES_PER_SEND];
    enum sqlstate failed = connection->broken ? broken_error(connection, error) : SQLSTATE_OK;
    fiber_may_yield(connection->core->world.scheduler);
    scope_hold(scope);
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
    if (failed)
        connection_break(connection); /* an unknown part is out: nothing sensible can follow it */
    scope_release(scope);
    return failed;
}

static enum sqlstate classic_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    (void)deadline_ns;
    struct connection *connection = container_of(stream, struct connection, stream);
    if (connection->broken)
        return broken_error(connection, error);
    if (shutdown(connection->descriptor, SHUT_WR)) {
        connection_break(connection);
        return net_error(error, errno, "end the connection with", &connection->stream.peer);
    }
    return SQLSTATE_OK;
}

/* Closing with a linger time of zero makes the kernel send a reset instead of an orderly end. */
static void classic_reset(struct stream *stream)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    struct linger none = {.l_onoff = 1};
    if (connection->descriptor >= 0) {
        setsockopt(connection->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        close(connection->descriptor);
        connection->descriptor = -1;
    }
    connection_break(connection);
}

static const struct stream_ops classic_stream = {
    .receive = classic_receive,
    .send = classic_send,
    .shutdown = classic_shutdown,
    .reset = classic_reset,
};

/* Makes the descriptor a stream of the scope. `watched` tells that epoll knows it already. Fails with the
 * descriptor closed. */
static enum sqlstate connection_open(struct world *world, struct scope *scope, int descriptor,
                                     const struct net_address *peer, bool watched, struct stream **stream,
                                     struct error *error)
{
    struct connection *connection = scope_alloc_zeroed(scope, sizeof *connection);
    uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    connection->stream.ops = &classic_stream;
    connection->stream.peer = *peer;
    connection->watch.ready = connection_ready;
    connection->core = linux_core_of(world);
    connection->scope = scope;
    connection->descriptor = descriptor;
    connection->readable = true; /* unknown: a try will tell */
    fiber_queue_init(&connection->receivers);
    fiber_queue_init(&connection->senders);
    int failed = (watched ? classic_watch_by : classic_watch)(classic_of(world), descriptor, events,
                                                              &connection->watch);
    if (failed) {
        close(descriptor);
        return net_error(error, failed, "watch the connection with", peer);
    }
    scope_undo(scope, connection_close, connection);
    scope_on_close(scope, connection_stop, connection);
    *stream = &connection->stream;
    return SQLSTATE_OK;
}

static enum sqlstate classic_adopt(struct world *world, struct scope *scope,
                                   const struct net_handover *connection, struct stream **stream,
                                   struct error *error)
{
    return connection_open(world, scope, (int)connection->ticket, &connection->peer, false, stream, error);
}

/* ---- listening ---- */

struct listener {
    struct watch watch;
    struct linux_core *core;
    struct scope *scope;
    struct net_address bound;
    struct fiber_queue accepters;
    int descriptor;
    bool ready; /* rule 1 */
    bool closed;
};

static void listener_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct listener *listener = container_of(watch, struct listener, watch);
    listener->ready = true;
    fiber_wake_all(&listener->accepters);
}

static void listener_stop(void *argument)
{
    struct listener *listener = argument;
    listener->closed = true;
    fiber_wake_all(&listener->accepters);
}

static void listener_close(void *argument)
{
    struct listener *listener = argument;
    close(listener->descriptor);
}

/* Non-blocking, since a connection can go between the edge and the accept. */
static void make_nonblocking(int descriptor)
{
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

static enum sqlstate classic_listen(struct world *world, struct scope *scope,
                                    const struct net_address *address, struct listener **listener,
                                    struct net_address *bound, struct error *error)
{
    struct net_address real;
    int descriptor;
    enum sqlstate failed = socket_listen(address, &descriptor, &real, error);
    if (failed)
        return failed;
    make_nonblocking(descriptor);
    struct listener *opened = scope_alloc_zeroed(scope, sizeof *opened);
    opened->watch.ready = listener_ready;
    opened->core = linux_core_of(world);
    opened->scope = scope;
    opened->bound = real;
    opened->descriptor = descriptor;
    opened->ready = true;
    fiber_queue_init(&opened->accepters);
    int number = classic_watch(classic_of(world), descriptor, EPOLLIN, &opened->watch);
    if (number) {
        close(descriptor);
        return net_error(error, number, "listen on", address);
    }
    scope_undo(scope, listener_close, opened);
    scope_on_close(scope, listener_stop, opened);
    *listener = opened;
    if (bound)
        *bound = real;
    return SQLSTATE_OK;
}

/* Tries once; `*got` tells whether there was a connection or a failure. */
static enum sqlstate accept_try(struct listener *listener, struct net_handover *connection, bool *got,
                                struct error *error)
{
    int accepted = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC);
    int number = errno;
    *got = false;
    if (accepted >= 0) {
        *got = socket_accepted(accepted, connection);
        return SQLSTATE_OK;
    }
    switch (number) {
    case EAGAIN:
        listener->ready = false;
        return SQLSTATE_OK;
    case EMFILE:
    case ENFILE:
        socket_refuse(listener->core, listener->descriptor);
        [[fallthrough]];
    case ENOMEM:
    case ENOBUFS:
        *got = true;
        return net_error(error, number, "accept a connection on", &listener->bound);
    default: /* the connection's own trouble (accept(2)), and it is gone: on to the next */
        return SQLSTATE_OK;
    }
}

static enum sqlstate accept_next(struct listener *listener, struct net_handover *connection,
                                 uint64_t deadline_ns, struct error *error)
{
    struct scheduler *scheduler = listener->core->world.scheduler;
    for (;;) {
        if (fiber_canceled(scheduler))
            return fiber_check_canceled(scheduler, error);
        if (listener->closed)
            return error_set(error, SQLSTATE_CONNECTION_DOES_NOT_EXIST, "the listener was closed");
        if (listener->ready) {
            bool got;
            enum sqlstate failed = accept_try(listener, connection, &got, error);
            if (failed || got)
                return failed;
            continue;
        }
        enum fiber_wake woken = fiber_wait(scheduler, &listener->accepters, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "accepting on", &listener->bound);
    }
}

static enum sqlstate classic_accept(struct world *world, struct listener *listener,
                                    struct net_handover *connection, uint64_t deadline_ns,
                                    struct error *error)
{
    struct scope *scope = listener->scope;
    fiber_may_yield(world->scheduler);
    scope_hold(scope);
    enum sqlstate failed = accept_next(listener, connection, deadline_ns, error);
    scope_release(scope);
    return failed;
}

/* ---- connecting ---- */

/* A connection on its way; on the stack of the fiber that waits for it. */
struct connecting {
    struct watch watch;
    struct fiber_queue waiter;
    bool over; /* connected or failed, or the scope was closed */
};

static void connecting_ready(struct watch *watch, uint32_t events)
{
    struct connecting *connecting = container_of(watch, struct connecting, watch);
    if (!(events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
        return;
    connecting->over = true;
    fiber_wake_all(&connecting->waiter);
}

static void connecting_stop(void *argument)
{
    struct connecting *connecting = argument;
    connecting->over = true;
    fiber_wake_all(&connecting->waiter);
}

/* Waits until the kernel knows whether the connection stands. */
static enum sqlstate wait_connected(struct world *world, struct scope *scope, int descriptor,
                                    struct connecting *connecting, const struct net_address *address,
                                    uint64_t deadline_ns, struct error *error)
{
    enum fiber_wake woken = FIBER_WOKEN;
    struct scope_undo *stop = scope_on_close(scope, connecting_stop, connecting);
    while (!connecting->over && woken == FIBER_WOKEN)
        woken = fiber_wait(world->scheduler, &connecting->waiter, deadline_ns);
    scope_undo_cancel(stop);
    if (woken == FIBER_CANCELED)
        return fiber_check_canceled(world->scheduler, error);
    int number = woken == FIBER_TIMED_OUT ? ETIMEDOUT : 0;
    socklen_t length = sizeof number;
    if (!number && getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length))
        number = errno;
    if (!number && scope_closing(scope))
        number = ECONNABORTED;
    return number ? net_error(error, number, "connect to", address) : SQLSTATE_OK;
}

static enum sqlstate connect_to(struct world *world, struct scope *scope, const struct net_address *address,
                                uint64_t deadline_ns, struct stream **stream, struct error *error)
{
    struct sockaddr_storage native;
    socklen_t length = socket_address_native(address, &native);
    struct connecting connecting = {.watch.ready = connecting_ready};
    fiber_queue_init(&connecting.waiter);
    int descriptor;
    enum sqlstate failed = socket_open(address, &descriptor, error);
    if (failed)
        return failed;
    make_nonblocking(descriptor);
    int number = connect(descriptor, (struct sockaddr *)&native, length) ? errno : 0;
    bool waits = number == EINPROGRESS || number == EINTR;
    if (waits)
        number =
            classic_watch(classic_of(world), descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP, &connecting.watch);
    if (number)
        failed = net_error(error, number, "connect to", address);
    else if (waits)
        failed = wait_connected(world, scope, descriptor, &connecting, address, deadline_ns, error);
    if (failed) {
        close(descriptor);
        return failed;
    }
    return connection_open(world, scope, descriptor, address, waits, stream, error);
}

static enum sqlstate classic_connect(struct world *world, struct scope *scope,
                                     const struct net_address *address, uint64_t deadline_ns,
                                     struct stream **stream, struct error *error)
{
    fiber_may_yield(world->scheduler);
    if (fiber_canceled(world->scheduler))
        return fiber_check_canceled(world->scheduler, error);
    scope_hold(scope);
    enum sqlstate failed = connect_to(world, scope, address, deadline_ns, stream, error);
    scope_release(scope);
    return failed;
}

const struct net_ops classic_net = {
    .resolve = linux_net_resolve,
    .listen = classic_listen,
    .accept = classic_accept,
    .adopt = classic_adopt,
    .discard = linux_net_discard,
    .connect = classic_connect,
};
