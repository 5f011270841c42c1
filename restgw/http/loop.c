/* A loop: h2o's event loop on a thread of its own, from its start to the last word.
 *
 *     wait for sockets (h2o) -> words of cores -> every HTTP_TICK_MS: who is gone, too slow, too greedy -> ...
 *
 * How a sleeping loop is not forgotten is the same as with a core's inbox (base/linux/loop.c): the loop says `asleep`, then
 * looks at its words once more; a core puts its word in, then looks at `asleep`. */
#include "restgw/http/door.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <h2o/http2.h>
#include <h2o/http2_internal.h>

#define NS_PER_MS 1000000UL

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- words ---- */

void http_loop_wake(struct http_loop *loop)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(loop->wake_descriptor, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    check(written == sizeof one || errno == EAGAIN, "waking loop %u: errno %d", loop->number, errno);
}

void http_say(struct http_loop *loop, struct http_word *word)
{
    struct http_word *head = atomic_load_explicit(&loop->words, memory_order_relaxed);
    do
        word->next = head;
    while (!atomic_compare_exchange_weak(&loop->words, &head, word));
    /* Whoever takes `asleep` back wakes; the others need not. */
    if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false))
        http_loop_wake(loop);
}

static void hear_words(struct http_loop *loop)
{
    if (!atomic_load_explicit(&loop->words, memory_order_relaxed))
        return;
    struct http_word *newest = atomic_exchange_explicit(&loop->words, NULL, memory_order_acquire),
                     *oldest = NULL;
    while (newest) {
        struct http_word *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct http_word *next = oldest->next;
        oldest->land(loop, oldest);
        oldest = next;
    }
}

static void on_wake(h2o_socket_t *socket, const char *failed)
{
    struct http_loop *loop = socket->data;
    uint64_t count;
    (void)failed;
    while (read(loop->wake_descriptor, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* ---- connections ---- */

void http_cut(struct http_connection *connection)
{
    if (connection->cut || !connection->socket)
        return;
    connection->cut = true;
    figure_add(&connection->loop->figures.cut, 1);
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

static void connection_closed(void *argument)
{
    struct http_connection *connection = argument;
    struct http_loop *loop = connection->loop;
    connection->socket = NULL;
    list_remove(&connection->link);
    loop->connection_count--;
    atomic_fetch_sub_explicit(&loop->http->connections, 1, memory_order_relaxed);
    list_append(&loop->dead_connections, &connection->link);
}

/* Memory of connections that are closed and have no work left. */
static void bury_connections(struct http_loop *loop)
{
    for (struct list_link *at = loop->dead_connections.head.next, *next; at != &loop->dead_connections.head;
         at = next) {
        struct http_connection *connection = container_of(at, struct http_connection, link);
        next = at->next;
        if (connection->open)
            continue;
        list_remove(at);
        scope_free_large(loop->scope, connection);
    }
}

static void read_address(h2o_socket_t *socket, struct net_address *address)
{
    struct sockaddr_storage native;
    *address = (struct net_address){0};
    if (!h2o_socket_getpeername(socket, (struct sockaddr *)&native))
        return;
    if (native.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&native;
        memcpy(address->ip, &six->sin6_addr, 16);
        address->port = ntohs(six->sin6_port);
        address->v6 = true;
    } else if (native.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&native;
        memcpy(address->ip + 12, &four->sin_addr, 4);
        address->port = ntohs(four->sin_port);
    }
}

/* There are too many: whoever has been without a request for longest makes room, unless it has only just come. */
static bool make_room(struct http_loop *loop)
{
    list_each (&loop->connections, at) {
        struct http_connection *connection = container_of(at, struct http_connection, link);
        if (loop->now_ns - connection->quiet_since_ns < HTTP_YOUNG_NS)
            return false;
        if (connection->open || connection->cut)
            continue;
        http_cut(connection);
        return true;
    }
    return false;
}

static void take_in(struct http_loop *loop, h2o_socket_t *socket)
{
    struct error error = {0};
    void *memory;
    bool full = atomic_load_explicit(&loop->http->connections, memory_order_relaxed) >=
                loop->http->options.connections_max;
    if ((full && !make_room(loop)) ||
        scope_alloc_large(loop->scope, sizeof(struct http_connection), 16, &memory, &error)) {
        figure_add(&loop->figures.refused_connections, 1);
        h2o_socket_close(socket);
        return;
    }
    struct http_connection *connection = memory;
    *connection = (struct http_connection){
        .loop = loop, .socket = socket, .opened_ns = loop->now_ns, .quiet_since_ns = loop->now_ns};
    read_address(socket, &connection->client);
    list_append(&loop->connections, &connection->link);
    loop->connection_count++;
    atomic_fetch_add_explicit(&loop->http->connections, 1, memory_order_relaxed);
    figure_add(&loop->figures.connections, 1);
    socket->on_close.cb = connection_closed;
    socket->on_close.data = connection;
    h2o_accept(&loop->accept, socket);
}

static void on_accept(h2o_socket_t *listener, const char *failed)
{
    struct http_loop *loop = listener->data;
    if (failed)
        return;
    for (int i = 0; i < HTTP_ACCEPTS_PER_TURN; i++) {
        errno = 0;
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (socket) {
            take_in(loop, socket);
            continue;
        }
        /* Without a descriptor left the listener stays readable: look away until the next tick. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            h2o_socket_read_stop(listener);
            loop->listener_paused = true;
        }
        return;
    }
}

/* ---- the tick ---- */

/* h2o does not look at an HTTP/1 socket while a request of it runs, so the client's going is asked of the kernel. */
static void look_for_gone(struct http_loop *loop)
{
    struct pollfd watched[64];
    struct http_exchange *exchanges[64];
    nfds_t count = 0;
    for (struct list_link *at = loop->exchanges.head.next;; at = at->next) {
        bool end = at == &loop->exchanges.head;
        if (count == 64 || (end && count)) {
            int found = poll(watched, count, 0);
            for (nfds_t i = 0; i < count && found > 0; i++) {
                if (!watched[i].revents)
                    continue;
                http_forget_client(exchanges[i]);
                http_cut(exchanges[i]->connection);
            }
            count = 0;
        }
        if (end)
            return;
        struct http_exchange *exchange = container_of(at, struct http_exchange, link);
        if (!exchange->request || exchange->head.version != 1 || exchange->finished ||
            !exchange->connection || exchange->connection->cut ||
            atomic_load_explicit(&exchange->gone, memory_order_relaxed))
            continue;
        watched[count] =
            (struct pollfd){.fd = h2o_socket_get_fd(exchange->connection->socket), .events = POLLRDHUP};
        exchanges[count++] = exchange;
    }
}

/* Whoever takes nothing of a finished answer for long: the time a slow link needs is given. */
static void look_for_stalled(struct http_loop *loop)
{
    uint64_t patience_ns = loop->http->options.send_timeout_ms * NS_PER_MS;
    list_each (&loop->exchanges, at) {
        struct http_exchange *exchange = container_of(at, struct http_exchange, link);
        uint64_t extra_ns = exchange->data.size * 1000000000UL / (64 * 1024);
        if (exchange->finished && exchange->request && exchange->connection &&
            loop->now_ns - exchange->finished_ns > patience_ns + extra_ns)
            http_cut(exchange->connection);
    }
}

/* Connections without a whole request for long. h2o has clocks of its own for idle ones; this is for those who keep it busy with
 * crumbs: a byte now and then, pings, a handshake that never ends. */
static void look_for_idle(struct http_loop *loop)
{
    uint64_t patience_ns = 2 * loop->http->options.idle_timeout_ms * NS_PER_MS;
    list_each (&loop->connections, at) {
        struct http_connection *connection = container_of(at, struct http_connection, link);
        if (loop->now_ns - connection->quiet_since_ns <= patience_ns)
            return; /* those behind were active later */
        if (!connection->open)
            http_cut(connection);
    }
}

/* Bytes a connection has of requests that are not whole yet. */
static size_t receiving_bytes(h2o_http2_conn_t *connection)
{
    size_t bytes = connection->sock->input->size;
    h2o_http2_stream_t *stream;
    if (connection->num_streams.pull.open <= connection->num_streams.pull.half_closed)
        return bytes;
    kh_foreach_value(connection->streams, stream, {
        if (stream->_req_body)
            bytes += stream->_req_body->size;
    });
    return bytes;
}

static struct http_connection *connection_of(const h2o_socket_t *socket)
{
    return socket->on_close.data;
}

/* h2o gathers whole bodies before it asks us, so what is being received is bounded here: above the limit, whoever has most
 * is cut, until the rest is below it. */
static void look_for_greedy(struct http_loop *loop)
{
    for (;;) {
        size_t all = atomic_load_explicit(&loop->http->bytes_in_flight, memory_order_relaxed), most = 0;
        struct http_connection *greediest = NULL;
        for (h2o_linklist_t *at = loop->context.http2._conns.next; at != &loop->context.http2._conns;
             at = at->next) {
            h2o_http2_conn_t *connection = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, at);
            if (!connection->sock || connection_of(connection->sock)->cut)
                continue;
            size_t bytes = receiving_bytes(connection);
            all += bytes;
            if (bytes > most) {
                most = bytes;
                greediest = connection_of(connection->sock);
            }
        }
        list_each (&loop->connections, at) {
            struct http_connection *connection = container_of(at, struct http_connection, link);
            size_t bytes = connection->cut             ? 0
                           : connection->socket->input ? connection->socket->input->size
                                                       : 0;
            if (bytes < HTTP_PIECE_BYTES)
                continue;
            all += bytes;
            if (bytes > most) {
                most = bytes;
                greediest = connection;
            }
        }
        if (all <= HTTP_BYTES_IN_FLIGHT_MAX || !greediest)
            return;
        http_cut(greediest);
    }
}

static void stop_listening(struct http_loop *loop)
{
    if (loop->listener)
        h2o_socket_close(loop->listener);
    loop->listener = NULL;
}

/* Goodbye to those who are served; those who are not are cut a moment later, all others at the deadline. */
static void look_at_stop(struct http_loop *loop)
{
    if (!loop->stopping)
        return;
    if (!loop->shutdown_said) {
        loop->shutdown_said = true;
        loop->stop_begun_ns = loop->now_ns;
        stop_listening(loop);
        h2o_context_request_shutdown(&loop->context);
        return;
    }
    bool late = loop->now_ns >= atomic_load(&loop->http->stop_deadline_ns);
    if (late)
        atomic_store(&loop->http->cutting, true);
    for (struct list_link *at = loop->exchanges.head.next, *next; at != &loop->exchanges.head; at = next) {
        struct http_exchange *exchange = container_of(at, struct http_exchange, link);
        next = at->next;
        if ((late || exchange->head.route->flags & HTTP_LONG) && !exchange->finished)
            http_forget_client(exchange);
    }
    list_each (&loop->connections, at) {
        struct http_connection *connection = container_of(at, struct http_connection, link);
        if (late || (!connection->open && loop->now_ns - loop->stop_begun_ns > HTTP_TICK_MS * NS_PER_MS))
            http_cut(connection);
    }
}

static void tick(struct http_loop *loop)
{
    loop->ticked_ns = loop->now_ns;
    look_for_gone(loop);
    look_for_stalled(loop);
    look_for_idle(loop);
    look_for_greedy(loop);
    bury_connections(loop);
    if (loop->listener_paused && loop->listener) {
        loop->listener_paused = false;
        h2o_socket_read_start(loop->listener, on_accept);
    }
    look_at_stop(loop);
}

/* ---- the thread ---- */

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* What h2o keeps for a thread it does not give back at the thread's end: a few pages, once. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
#endif

static void take_certificate(struct http_loop *loop)
{
    if (!atomic_load_explicit(&loop->tls_next, memory_order_relaxed))
        return;
    SSL_CTX *next = atomic_exchange(&loop->tls_next, NULL);
    if (!next)
        return;
    SSL_CTX_free(loop->tls); /* open connections hold it */
    loop->tls = loop->accept.ssl_ctx = next;
}

static bool is_over(const struct http_loop *loop)
{
    return loop->stopping && loop->shutdown_said && !loop->exchange_count && !loop->connection_count;
}

/* What we sent outside of h2o's turn may have left it callbacks to make, which it does not look at before it waits. */
static bool has_pending(const struct http_loop *loop)
{
    const h2o_loop_t *h2o_loop = loop->context.loop;
    return h2o_loop->_pending_as_client || h2o_loop->_pending_as_server;
}

/* Nobody is there to be looked after. */
static bool is_quiet(const struct http_loop *loop)
{
    return !loop->connection_count && !loop->exchange_count && !loop->listener_paused && !loop->stopping;
}

static void turn(struct http_loop *loop)
{
    int32_t wait_ms = is_quiet(loop) ? HTTP_REST_MS : HTTP_TICK_MS;
    atomic_store(&loop->asleep, true);
    if (has_pending(loop) || atomic_load(&loop->words) || atomic_load(&loop->tls_next) ||
        atomic_load(&loop->http->stopping) != loop->stopping)
        wait_ms = 0;
    h2o_evloop_run(loop->context.loop, wait_ms); /* -1: a signal, of which this thread has none */
    atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
    loop->now_ns = monotonic_ns();
    take_certificate(loop);
    hear_words(loop);
    if (atomic_load_explicit(&loop->http->stopping, memory_order_relaxed) && !loop->stopping) {
        loop->stopping = true;
        tick(loop);
    }
    if (loop->now_ns - loop->ticked_ns >= HTTP_TICK_MS * NS_PER_MS)
        tick(loop);
}

static void configure(struct http_loop *loop)
{
    const struct http_options *options = &loop->http->options;
    h2o_config_init(&loop->config);
    loop->config.server_name = h2o_iovec_init(H2O_STRLIT("synod"));
    loop->config.max_request_entity_size = HTTP_BODY_BYTES_TAKEN;
    loop->config.handshake_timeout = HTTP_HANDSHAKE_TIMEOUT_MS;
    loop->config.http1.req_timeout = options->idle_timeout_ms;
    loop->config.http1.upgrade_to_http2 = 0;
    loop->config.http2.idle_timeout = options->idle_timeout_ms;
    loop->config.http2.graceful_shutdown_timeout = 5000;
    loop->host = h2o_config_register_host(&loop->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(loop->host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = http_on_request;
    h2o_context_init(&loop->context, h2o_evloop_create(), &loop->config);
    loop->accept =
        (h2o_accept_ctx_t){.ctx = &loop->context, .hosts = loop->config.hosts, .ssl_ctx = loop->tls};
    loop->listener = h2o_evloop_socket_create(loop->context.loop, loop->listening, H2O_SOCKET_FLAG_DONT_READ);
    loop->listener->data = loop;
    h2o_socket_read_start(loop->listener, on_accept);
    loop->wake_socket =
        h2o_evloop_socket_create(loop->context.loop, loop->wake_copy, H2O_SOCKET_FLAG_DONT_READ);
    loop->wake_socket->data = loop;
    h2o_socket_read_start(loop->wake_socket, on_wake);
}

/* Closed sockets are freed in the loop's next turn, and h2o insists that no clock of its own runs any more. */
static void dispose(struct http_loop *loop)
{
    h2o_loop_t *h2o_loop = loop->context.loop;
    stop_listening(loop);
    h2o_socket_close(loop->wake_socket);
    h2o_evloop_run(h2o_loop, 0);
    if (h2o_timeout_is_linked(&loop->context.http2._graceful_shutdown_timeout))
        h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    h2o_context_dispose(&loop->context);
    h2o_config_dispose(&loop->config);
    h2o_evloop_destroy(h2o_loop);
}

static void *loop_thread(void *argument)
{
    struct http_loop *loop = argument;
    struct http *http = loop->http;
    loop->now_ns = loop->ticked_ns = monotonic_ns();
    configure(loop);
    while (!is_over(loop))
        turn(loop);
    bury_connections(loop);
    dispose(loop);
    SSL_CTX_free(loop->tls);
    SSL_CTX_free(atomic_exchange(&loop->tls_next, NULL));
    scope_close(loop->scope);
    /* The loop itself is the door's memory, and core 0 joins this thread. */
    for (uint32_t i = 0; i < http->core_count; i++)
        linux_hand_over(http->core[i].world, &loop->ended[i].landing);
    return NULL;
}

static void hear_ended(struct linux_core *linux_core, struct linux_landing *landing)
{
    struct http_core *core = container_of(landing, struct http_ended, landing)->core;
    (void)linux_core;
    core->loops_ended++;
    fiber_wake_all(&core->changed);
}

static void loop_init(struct http_loop *loop, struct http *http, uint32_t number, SSL_CTX *tls)
{
    memset(loop, 0, sizeof *loop);
    loop->http = http;
    loop->number = number;
    loop->tls = tls;
    list_init(&loop->exchanges);
    list_init(&loop->connections);
    list_init(&loop->dead_connections);
    for (uint32_t i = 0; i < http->core_count; i++)
        loop->ended[i] = (struct http_ended){.landing.land = hear_ended, .core = &http->core[i]};
}

/* No signal is for a loop's thread. */
static int thread_start(struct http_loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&loop->thread, NULL, loop_thread, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum sqlstate http_loop_start(struct http *http, uint32_t number, int listening, SSL_CTX *tls,
                              struct error *error)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(http->scope, sizeof(struct http_loop), 64, &memory, error);
    if (failed)
        return failed;
    struct http_loop *loop = memory;
    loop_init(loop, http, number, tls);
    loop->scope = scope_open_root("http loop", NULL);
    loop->listening = fcntl(listening, F_DUPFD_CLOEXEC, 0);
    loop->wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->wake_copy = loop->wake_descriptor < 0 ? -1 : fcntl(loop->wake_descriptor, F_DUPFD_CLOEXEC, 0);
    int number_failed = errno;
    if (loop->scope && loop->listening >= 0 && loop->wake_copy >= 0) {
        http->loop[number] = loop;
        number_failed = thread_start(loop);
        if (!number_failed) {
            http->loop_count = number + 1;
            return SQLSTATE_OK;
        }
    }
    if (loop->scope)
        scope_close(loop->scope);
    if (loop->listening >= 0)
        close(loop->listening);
    if (loop->wake_copy >= 0)
        close(loop->wake_copy);
    if (loop->wake_descriptor >= 0)
        close(loop->wake_descriptor);
    return error_set(error, SQLSTATE_INSUFFICIENT_RESOURCES, "could not start a loop of the HTTPS port: %s",
                     strerrordesc_np(number_failed));
}
