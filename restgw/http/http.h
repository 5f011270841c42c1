/* The HTTPS door: HTTP/1.1 and HTTP/2 over TLS, by h2o on threads of its own (*loops*). Requests that pass its checks are
 * served by fibers on the cores; answers go back as one piece or as a stream that the client's speed holds back.
 *
 *     client <--TLS--> loop (h2o)  --- exchange: routed, checked, whole body --->  core: fiber runs options.serve
 *                                  <-- answer, or pieces of a stream -----------
 *                                  --- the client is gone --------------------->  http_on_gone()
 *
 * Nothing above this header knows h2o or the operating system, so what serves can be run by a test that implements these
 * functions itself. What the loops answer alone: unknown paths (404), methods (405), bodies too large (413), overload (429,
 * 503), files, /healthz, and the redirect of / to the console. */
#ifndef SYNOD_RESTGW_HTTP_HTTP_H
#define SYNOD_RESTGW_HTTP_HTTP_H

#include "base/world.h"
#include "restgw/http/route.h"

struct http;          /* the door of a node: its loops, shared by the cores */
struct http_exchange; /* one request and its answer, on the core it was given to */
struct json;
struct problem;

/* A header of a request (the name in small letters) or of an answer. */
struct http_header {
    struct bytes name;
    struct bytes value;
};

/* What is known of a request before its body is looked at. Valid as long as the exchange. */
struct http_head {
    const struct http_route *route;
    const char *method; /* "GET" */
    struct bytes path;  /* as sent, without the query */
    struct bytes query; /* as sent, without "?" */
    struct bytes
        parameters[HTTP_PATH_PARAMETERS_MAX]; /* those of the path, decoded, in the order of the template */
    const struct http_header *headers;
    size_t header_count;
    struct net_address client;
    const char *tls;  /* "TLSv1.3" */
    uint32_t version; /* 1 = HTTP/1.x, 2 = HTTP/2 */
    uint8_t id[16];   /* the request's own: a UUID (version 7), for Synod-Request-Id */
};

struct http_options {
    struct net_address address;
    struct bytes certificate_pem, key_pem;
    uint32_t loops; /* threads; 0 = default (limits.h) */
    const struct http_route *routes;
    size_t route_count;
    const struct http_file *files; /* each answered to GET and HEAD of its path */
    size_t file_count;
    uint32_t connections_max; /* 0 = defaults of limits.h, as below */
    uint32_t send_timeout_ms; /* a client that takes nothing of a stream for so long is cut off */
    uint32_t idle_timeout_ms; /* for a request to come as a whole, and between requests */
    /* Which core is to serve the request; UINT32_MAX = any. Called on a loop's thread: looks at nothing but the head and
     * what never changes. */
    uint32_t (*place)(void *argument, const struct http_head *head);
    /* Serves one request, in a fiber of its own on that core. Answers exactly once before it returns: http_answer(),
     * http_problem(), a stream from begin to end, or http_pass_on(). What it leaves open is ended as a failure. May yield. */
    void (*serve)(void *argument, struct world *here, struct http_exchange *exchange);
    void *argument; /* of both */
};

/* ---- the door's life ---- */

/* Makes the door; before any core opens its part. The options' texts and tables are borrowed until the end. The memory is
 * the scope's, which outlives all cores. Does not yield. */
enum sqlstate http_open(struct scope *scope, struct http **http, struct error *error);

/* Opens this core's part; every core does, before http_listen(). Does not yield. */
enum sqlstate http_core_open(struct http *http, struct world *world, struct scope *scope,
                             struct error *error);

/* On core 0, when every core has opened its part: listens and starts the loops. `bound` is the address with its real port.
 * Fails with 55006 when the address is in use, F0000 when certificate and key are unusable. May block shortly. */
enum sqlstate http_listen(struct http *http, struct world *world, const struct http_options *options,
                          struct net_address *bound, struct error *error);

/* Takes another certificate for connections to come; those that are open keep theirs. F0000 when it is unusable: then the
 * old one stays. Called on core 0. Does not yield. */
enum sqlstate http_reload_certificate(struct http *http, struct bytes certificate_pem, struct bytes key_pem,
                                      struct error *error);

/* Stops: no new connections, GOAWAY to HTTP/2, "Connection: close" to HTTP/1; requests under way may end until the
 * deadline, then they are cut. Only the first call's deadline counts. Callable on any core. Does not yield. */
void http_stop(struct http *http, uint64_t deadline_ns);

/* Waits, after http_stop(), until nothing of the door is left on this core; every core calls it. A door that never listened
 * is drained at once. Yields. */
void http_drain(struct http *http, struct world *world);

/* Figures of all loops since the start, for /metrics. Callable on any core at any time. */
struct http_counts {
    uint64_t connections_open, connections_total, connections_refused;
    uint64_t requests_total, requests_open;
    uint64_t refused_total; /* answered 429 or 503 by the loops */
    uint64_t gone_total;    /* requests whose client went before the answer's end */
    uint64_t cut_total; /* connections cut for their behaviour: resets, stalled reading, too much memory */
    uint64_t bytes_in_flight;
};
void http_count(const struct http *http, struct http_counts *counts);

/* ---- the request ---- */

const struct http_head *http_head(const struct http_exchange *exchange);

/* The scope of the exchange on this core; it lives until the answer was sent (or cut). */
struct scope *http_scope(const struct http_exchange *exchange);

/* A header's value; data == NULL when there is none. `name` in small letters. */
struct bytes http_header(const struct http_exchange *exchange, const char *name);
struct bytes http_head_header(const struct http_head *head, const char *name);

/* A parameter of the path, decoded, by its name in the route's template; of the query, decoded (data == NULL when there is
 * none). Which parameters there may be and how their values must look was checked before `serve` was called. */
struct bytes http_path(const struct http_exchange *exchange, const char *name);
struct bytes http_query(struct http_exchange *exchange, const char *name);

struct bytes http_body(const struct http_exchange *exchange);

/* The body as JSON, checked against the route's table (route.h): NULL after an answer was given, which says what is wrong
 * (400, 415); the caller just returns then. The tree is the exchange's. An absent body is an empty object where the route
 * does not require one. */
const struct json *http_json(struct http_exchange *exchange);

/* ---- the answer ---- */

/* One whole answer. `content_type` is a literal or NULL (no body). What headers and body point to is borrowed until the end of
 * the exchange: constants, or from http_scope(); the table of headers is copied. Content-Length, Date, Synod-Request-Id,
 * Cache-Control: no-store and the security headers are added. Values that could end a header (CR, LF, NUL) are refused by a
 * check(). Does not yield. */
void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const struct http_header *headers, size_t header_count, struct bytes body);

/* The same with a problem document (RFC 9457, problem.h). Does not yield. */
void http_problem(struct http_exchange *exchange, const struct problem *problem);

/* Begins an answer whose length is not known (status 200). Does not yield. */
void http_stream_begin(struct http_exchange *exchange, const char *content_type,
                       const struct http_header *headers, size_t header_count);

/* Adds to the stream; the bytes are copied. Gathers up to 64 KiB before the client gets them, and yields while the client
 * has not taken what went before. Fails with 08006 when the client is gone, 57P05 when it takes nothing for
 * send_timeout_ms, and the fiber's cancellation. */
enum sqlstate http_stream_write(struct http_exchange *exchange, struct bytes bytes, struct error *error);

/* Sends what was gathered now. Yields; fails alike. */
enum sqlstate http_stream_flush(struct http_exchange *exchange, struct error *error);

/* Ends the stream: properly, or (`complete` = false) so that the client sees it was cut. Yields while the client is slow. */
void http_stream_end(struct http_exchange *exchange, bool complete);

/* Has `gone` called, once and in the loop of this core, when the client vanishes before the answer's end; at once if it has
 * already. NULL forgets. It must not yield. */
void http_on_gone(struct http_exchange *exchange, void (*gone)(void *argument), void *argument);
bool http_gone(const struct http_exchange *exchange);

/* Has the request served again from its beginning, on another core. Nothing was answered yet, and `serve` returns next. */
void http_pass_on(struct http_exchange *exchange, uint32_t core);

#endif
