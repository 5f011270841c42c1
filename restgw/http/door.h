/* What the files of this folder share about the door and its loops. */
#ifndef SYNOD_RESTGW_HTTP_DOOR_H
#define SYNOD_RESTGW_HTTP_DOOR_H

#include "restgw/http/exchange.h"
#include "restgw/http/limits.h"
#include "restgw/http/router.h"

#include <h2o.h>
#include <pthread.h>
#include <stdio.h>

struct http {
    struct scope *scope;
    struct http_options
        options; /* set by http_listen(), with its defaults filled in; constant from then on */
    const struct router *router;
    uint32_t core_count;
    _Atomic uint32_t loop_count; /* grows while those before are at work already */
    struct http_loop *loop[HTTP_LOOPS_MAX];
    struct http_core core[CORES_MAX];
    atomic_bool stop_asked, stopping;
    atomic_bool cutting; /* the deadline of the stop has come: fibers are told to end */
    _Atomic uint64_t stop_deadline_ns;
    _Atomic uint64_t bytes_in_flight;
    _Atomic uint32_t connections;
    FILE *errors; /* the process's own stream for errors while ours takes its place */
};

static inline struct http_core *http_core_of(struct http *http, uint32_t core)
{
    return &http->core[core];
}

static inline const struct http_options *http_options_of(const struct http *http)
{
    return &http->options;
}

/* One client's connection; the loop's. */
struct http_connection {
    struct list_link link; /* in the loop's connections, the one that was quiet longest first */
    struct http_loop *loop;
    h2o_socket_t *socket;
    struct net_address client;
    uint64_t opened_ns;
    uint64_t quiet_since_ns; /* a request came or was answered */
    uint32_t open;           /* exchanges of it, those that were reset and still run included */
    uint32_t resets;         /* in the present period */
    uint64_t resets_since_ns;
    bool cut; /* shut down; its close is on its way */
};

/* Counted by the loop, read by anyone. */
struct http_figures {
    _Atomic uint64_t connections, refused_connections, requests, refused, gone, cut;
    _Atomic uint64_t open;
};

/* Tells a core that a loop has said its last word. */
struct http_ended {
    struct linux_landing landing;
    struct http_core *core;
};

struct http_loop {
    struct http *http;
    uint32_t number;
    pthread_t thread;
    struct scope *scope; /* root: of all its exchanges */
    h2o_globalconf_t config;
    h2o_hostconf_t *host;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener, *wake_socket;
    int listening;       /* descriptor of its own for the port they share */
    int wake_descriptor; /* the cores' end, closed with the door */
    int wake_copy;       /* the loop's end, h2o's */
    bool listener_paused;
    bool stopping, shutdown_said;
    uint64_t now_ns, ticked_ns, stop_begun_ns;
    struct list exchanges; /* open ones */
    uint32_t exchange_count;
    uint32_t next_core; /* those that may be served anywhere take turns */
    struct list connections;
    uint32_t connection_count;
    struct list dead_connections; /* closed, with exchanges that still run */
    uint8_t random[1024];         /* for request ids */
    size_t random_left;
    struct http_figures figures;
    struct http_ended ended[CORES_MAX];
    SSL_CTX *tls; /* taken into use by the loop, swapped by its control word */

    /* Written by cores. */
    _Alignas(64) _Atomic(struct http_word *) words; /* newest first */
    atomic_bool asleep;
    _Atomic(SSL_CTX *) tls_next; /* to be taken at the next turn */
};

static inline void figure_add(_Atomic uint64_t *figure, int64_t amount)
{
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + (uint64_t)amount,
                          memory_order_relaxed);
}

/* ---- loop.c ---- */

/* Starts the thread. `tls` is the loop's from then on. Fails with 53200, 53400. */
enum sqlstate http_loop_start(struct http *http, uint32_t number, int listening, SSL_CTX *tls,
                              struct error *error);

/* Wakes the loop out of its wait, or the next one. Callable from any thread. */
void http_loop_wake(struct http_loop *loop);

/* Cuts the connection: h2o notices at once. */
void http_cut(struct http_connection *connection);

/* Something of the connection came or ended: it is the one that was quiet for the shortest time. */
static inline void http_active(struct http_connection *connection)
{
    connection->quiet_since_ns = connection->loop->now_ns;
    list_remove(&connection->link);
    list_append(&connection->loop->connections, &connection->link);
}

static inline struct http_loop *http_loop_of(const h2o_req_t *request)
{
    return container_of(request->conn->ctx, struct http_loop, context);
}

/* ---- request.c ---- */

/* h2o's handler for every path. */
int http_on_request(h2o_handler_t *handler, h2o_req_t *request);

/* The client of this exchange is gone. */
void http_forget_client(struct http_exchange *exchange);

/* ---- tls.c ---- */

enum sqlstate http_tls_open(struct bytes certificate_pem, struct bytes key_pem, SSL_CTX **tls,
                            struct error *error);

#endif
