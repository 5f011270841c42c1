/* Each connection is a scope, a fiber and, only while a line is incomplete, a buffer. Whole lines are sent
 * back from where the stream received them.
 *
 *                 handshake done        whole or partial line
 *     OPENING ---------------------> IDLE <----------------> BUSY
 *        |                            |    all sent, none     |
 *        +----------------------------+----------+------------+
 *                                                v
 *                     fiber ends, scope closes: connection_gone(), visit->ended()
 *
 * A stop cancels what is OPENING or IDLE; what is BUSY ends itself when it comes to be IDLE. */
#include "node/echo.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/tls/tls.h"
#include "node/limits.h"

#include <stdio.h>

#define NS_PER_MS 1000000UL

struct echo {
    struct world *world;
    struct scope *scope;
    struct echo_options options;
    struct list connections; /* echo_connection.link */
    uint32_t count;          /* in that list */
    bool stopping;
    struct fiber_queue gone; /* woken whenever a connection is */
};

enum connection_state { CONNECTION_OPENING, CONNECTION_IDLE, CONNECTION_BUSY };

struct echo_connection {
    struct list_link link;
    struct echo *echo;
    struct echo_visit *visit;
    struct scope *scope;
    struct fiber *fiber;
    struct stream *stream; /* what the client's bytes come through; NULL while opening */
    enum connection_state state;
    uint32_t partial_bytes;    /* of an incomplete line, in `partial` */
    uint8_t *partial;          /* ECHO_LINE_BYTES_MAX bytes, or NULL */
    uint64_t line_deadline_ns; /* when that line must be whole */
    struct error error;        /* here, not on the stack: an idle connection's stack shall fit in one page */
};

static void connection_run(void *argument);
static void connection_gone(void *argument);

/* ---- the door ---- */

struct echo *echo_open(struct world *world, struct scope *scope, const struct echo_options *options)
{
    struct echo *echo = scope_alloc_zeroed(scope, sizeof *echo);
    echo->world = world;
    echo->scope = scope;
    echo->options = *options;
    list_init(&echo->connections);
    fiber_queue_init(&echo->gone);
    return echo;
}

void echo_serve(struct echo *echo, struct echo_visit *visit)
{
    struct world *world = echo->world;
    if (echo->stopping) {
        net_discard(world, &visit->connection);
        visit->ended(world, visit);
        return;
    }
    struct scope *scope = scope_open(echo->scope, "connection");
    struct echo_connection *connection = scope_alloc(scope, sizeof *connection);
    *connection = (struct echo_connection){.echo = echo, .visit = visit, .scope = scope};
    list_append(&echo->connections, &connection->link);
    echo->count++;
    scope_undo(scope, connection_gone, connection);
    if (fiber_start(world->scheduler, scope, "echo", connection_run, connection, &connection->fiber,
                    &connection->error)) {
        log_error(world, LOG_WARN, "connection_refused", &connection->error,
                  "a connection is closed because there is no fiber for it");
        net_discard(world, &visit->connection);
        scope_close(scope);
    }
}

/* The last of the connection's undo actions: its stream is closed. */
static void connection_gone(void *argument)
{
    struct echo_connection *connection = argument;
    struct echo *echo = connection->echo;
    list_remove(&connection->link);
    echo->count--;
    fiber_wake_all(&echo->gone);
    connection->visit->ended(echo->world, connection->visit);
}

static void connections_cancel(struct echo *echo, bool also_busy)
{
    list_each (&echo->connections, at) {
        struct echo_connection *connection = container_of(at, struct echo_connection, link);
        /* A fiber that has ended, while its connection is still being closed, needs no telling. */
        if (connection->fiber && (also_busy || connection->state != CONNECTION_BUSY))
            fiber_cancel(connection->fiber, SQLSTATE_ADMIN_SHUTDOWN,
                         "terminating connection due to administrator command");
    }
}

void echo_drain(struct echo *echo, uint64_t deadline_ns)
{
    struct scheduler *scheduler = echo->world->scheduler;
    echo->stopping = true;
    connections_cancel(echo, false);
    fiber_shield_begin(scheduler);
    while (echo->count > 0) {
        if (fiber_wait(scheduler, &echo->gone, deadline_ns) != FIBER_TIMED_OUT)
            continue;
        connections_cancel(echo, true);
        deadline_ns = FIBER_NO_DEADLINE;
    }
    fiber_shield_end(scheduler);
}

/* ---- one connection ---- */

static uint64_t deadline_in(const struct echo *echo, uint32_t ms)
{
    return echo->world->now_ns + ms * NS_PER_MS;
}

static enum sqlstate connection_send(struct echo_connection *connection, const struct bytes *pieces,
                                     size_t count)
{
    struct echo *echo = connection->echo;
    return stream_send(connection->stream, pieces, count, deadline_in(echo, echo->options.send_timeout_ms),
                       &connection->error);
}

/* Reads and forgets what the client is still sending, for a while: closing a connection with unread bytes
 * would reset it, and the client would lose the last words it was sent. */
static void connection_linger(struct echo_connection *connection)
{
    enum { LINGER_MS = 1000, LINGER_BYTES_MAX = 1024 * 1024 };
    struct bytes view;
    size_t total = 0;
    uint64_t deadline_ns = deadline_in(connection->echo, LINGER_MS);
    while (total < LINGER_BYTES_MAX) {
        if (stream_receive(connection->stream, &view, deadline_ns, &connection->error) || view.size == 0)
            return;
        total += view.size;
    }
}

static enum sqlstate connection_shutdown(struct echo_connection *connection)
{
    struct echo *echo = connection->echo;
    return stream_shutdown(connection->stream, deadline_in(echo, echo->options.send_timeout_ms),
                           &connection->error);
}

/* Ends the connection with an error line. OK when it was told. */
static enum sqlstate connection_refuse(struct echo_connection *connection, enum sqlstate state,
                                       const char *sentence)
{
    char code[6], line[128];
    sqlstate_text(state, code);
    int length = snprintf(line, sizeof line, "ERROR %s %s\n", code, sentence);
    check(length > 0 && length < (int)sizeof line);
    const struct bytes piece = bytes_of(line, (size_t)length);
    enum sqlstate failed = connection_send(connection, &piece, 1);
    if (!failed)
        failed = connection_shutdown(connection);
    if (!failed)
        connection_linger(connection);
    return failed;
}

/* Bytes at the start of `view` that are whole lines within the bound, when `carried` bytes of the first line
 * came before. `too_long`: what follows them is already longer than a line may be. */
static size_t whole_lines(struct bytes view, size_t carried, bool *too_long)
{
    const uint8_t *at = view.data, *end = view.data + view.size;
    *too_long = false;
    if (carried + view.size <= ECHO_LINE_BYTES_MAX) {
        const uint8_t *last = memrchr(view.data, '\n', view.size);
        return last ? (size_t)(last + 1 - view.data) : 0;
    }
    for (;;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = carried + (size_t)((newline ? newline : end) - at);
        if (length > ECHO_LINE_BYTES_MAX)
            *too_long = true;
        if (!newline || *too_long)
            return (size_t)(at - view.data);
        at = newline + 1;
        carried = 0;
    }
}

static void partial_drop(struct echo_connection *connection)
{
    if (connection->partial)
        scope_free_large(connection->scope, connection->partial);
    connection->partial = NULL;
    connection->partial_bytes = 0;
}

static enum sqlstate partial_append(struct echo_connection *connection, struct bytes rest)
{
    struct echo *echo = connection->echo;
    if (!connection->partial) {
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(connection->scope, ECHO_LINE_BYTES_MAX, 16, &memory, &connection->error);
        if (failed)
            return failed;
        connection->partial = memory;
        connection->line_deadline_ns = deadline_in(echo, echo->options.line_timeout_ms);
    }
    check(connection->partial_bytes + rest.size <= ECHO_LINE_BYTES_MAX);
    memcpy(connection->partial + connection->partial_bytes, rest.data, rest.size);
    connection->partial_bytes += (uint32_t)rest.size;
    return SQLSTATE_OK;
}

/* Sends back the partial line and `whole`, which completes it. */
static enum sqlstate connection_answer(struct echo_connection *connection, struct bytes whole)
{
    struct bytes pieces[2];
    size_t count = 0;
    if (connection->partial_bytes > 0)
        pieces[count++] = bytes_of(connection->partial, connection->partial_bytes);
    if (whole.size > 0)
        pieces[count++] = whole;
    enum sqlstate failed = connection_send(connection, pieces, count);
    partial_drop(connection);
    return failed;
}

/* Answers what has come. `*refused` when the connection was ended instead. */
static enum sqlstate connection_take(struct echo_connection *connection, struct bytes view, bool *refused)
{
    enum sqlstate failed = SQLSTATE_OK;
    size_t whole = whole_lines(view, connection->partial_bytes, refused);
    if (whole > 0)
        failed = connection_answer(connection, bytes_of(view.data, whole));
    if (failed)
        return failed;
    if (*refused)
        return connection_refuse(connection, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "line is too long");
    if (whole < view.size)
        failed = partial_append(connection, bytes_of(view.data + whole, view.size - whole));
    return failed;
}

/* Receives and answers until the client closes its side or is refused (OK), or something fails. */
static enum sqlstate connection_echo(struct echo_connection *connection)
{
    struct echo *echo = connection->echo;
    enum sqlstate failed = SQLSTATE_OK;
    bool refused = false;
    while (!failed && !refused) {
        struct bytes view;
        bool carried = connection->partial_bytes > 0;
        connection->state = carried ? CONNECTION_BUSY : CONNECTION_IDLE;
        if (!carried && echo->stopping)
            return connection_shutdown(connection);
        failed =
            stream_receive(connection->stream, &view,
                           carried ? connection->line_deadline_ns : FIBER_NO_DEADLINE, &connection->error);
        if (failed == SQLSTATE_IDLE_SESSION_TIMEOUT)
            return connection_refuse(connection, failed, "line was not ended in time");
        if (failed)
            return failed;
        connection->state = CONNECTION_BUSY;
        if (view.size == 0) {
            failed = carried ? connection_answer(connection, bytes_of(NULL, 0)) : SQLSTATE_OK;
            return failed ? failed : connection_shutdown(connection);
        }
        failed = connection_take(connection, view, &refused);
    }
    return failed;
}

static enum sqlstate connection_serve(struct echo_connection *connection)
{
    struct echo *echo = connection->echo;
    struct stream *below;
    enum sqlstate failed =
        net_adopt(echo->world, connection->scope, &connection->visit->connection, &below, &connection->error);
    if (failed)
        return failed;
    connection->stream = below;
    if (connection->visit->tls)
        failed = tls_open(echo->options.tls, connection->scope, below,
                          deadline_in(echo, echo->options.handshake_timeout_ms), &connection->stream,
                          &connection->error);
    if (failed)
        return failed;
    if (connection->visit->refused)
        return connection_refuse(connection, SQLSTATE_TOO_MANY_CONNECTIONS,
                                 "sorry, too many clients already");
    return connection_echo(connection);
}

/* The connection's fiber. What ends it is the client's affair or the stop's, so it is told to nobody but the
 * debug log. */
static void connection_run(void *argument)
{
    struct echo_connection *connection = argument;
    if (connection_serve(connection)) {
        log_error(connection->echo->world, LOG_DEBUG, "connection_ended", &connection->error,
                  "connection ended");
        /* Closed in order, the kernel would go on for minutes to offer the client what it does not take. */
        if (connection->state == CONNECTION_BUSY)
            stream_reset(connection->stream);
    }
    connection->fiber = NULL;
    scope_close(connection->scope);
}
