/* A request on its loop: from h2o's hands through all checks to a core, and its answer back into h2o's.
 *
 * h2o frees a request whenever its stream is reset or its connection is lost, so whatever waits for it is found through a guard in
 * the request's pool, whose end is the one place where we learn that h2o has forgotten it. */
#include "restgw/http/door.h"

#include "base/check.h"
#include "restgw/http/json_out.h"
#include "restgw/http/problem.h"
#include "restgw/http/query.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <sys/socket.h>

/* In the request's pool. */
struct guard {
    h2o_generator_t generator; /* first: h2o gives it back */
    struct http_exchange *exchange;
};

static struct bytes bytes_of_iovec(h2o_iovec_t view)
{
    return bytes_of(view.base, view.len);
}

static struct http_connection *connection_of(const h2o_req_t *request)
{
    h2o_socket_t *socket = request->conn->callbacks->get_socket(request->conn);
    return socket->on_close.data;
}

/* ---- answering in h2o's terms ---- */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    default:
        return status < 300 ? "OK" : status < 500 ? "Refused" : "Failed";
    }
}

static void add(h2o_req_t *request, const h2o_token_t *name, const char *value, size_t size)
{
    h2o_add_header(&request->pool, &request->res.headers, name, NULL, value, size);
}

static void add_named(h2o_req_t *request, const char *name, const char *value)
{
    h2o_add_header_by_str(&request->pool, &request->res.headers, name, strlen(name), 0, NULL, value,
                          strlen(value));
}

/* What every answer bears. */
static void add_common(h2o_req_t *request, bool document)
{
    add(request, H2O_TOKEN_STRICT_TRANSPORT_SECURITY, H2O_STRLIT("max-age=31536000"));
    h2o_add_header_by_str(&request->pool, &request->res.headers, H2O_STRLIT("x-content-type-options"), 0,
                          NULL, H2O_STRLIT("nosniff"));
    if (!document)
        add(request, H2O_TOKEN_CACHE_CONTROL, H2O_STRLIT("no-store"));
}

static bool is_head(const h2o_req_t *request)
{
    return h2o_memis(request->method.base, request->method.len, H2O_STRLIT("HEAD"));
}

/* Only answers of status 200 may have an unknown length (h2o closes HTTP/1 connections after others), and those that have no body by
 * their nature must name none. */
static void begin(h2o_req_t *request, int status, size_t content_length)
{
    request->res.status = status;
    request->res.reason = reason_of(status);
    request->res.content_length = status == 204 || status == 304 ? SIZE_MAX : content_length;
    if (http_loop_of(request)->stopping)
        request->http1_is_persistent = 0;
}

/* A whole answer whose memory lasts as long as the process or the request's pool. */
static void send_whole(h2o_req_t *request, h2o_generator_t *generator, struct bytes body)
{
    static const h2o_generator_t no_generator; /* h2o only reads it */
    h2o_iovec_t piece = {(char *)body.data, body.size};
    bool empty = !body.size || is_head(request);
    h2o_start_response(request, generator ? generator : (h2o_generator_t *)&no_generator);
    h2o_send(request, &piece, empty ? 0 : 1, H2O_SEND_STATE_FINAL);
}

/* ---- what the loop answers itself ---- */

static int refuse(h2o_req_t *request, const struct problem *problem)
{
    struct http_loop *loop = http_loop_of(request);
    struct scope *scope = scope_open(loop->scope, "refusal");
    struct json_out out;
    json_out_open(&out, scope);
    problem_write(problem, &out);
    struct bytes text = json_out_bytes(&out);
    h2o_iovec_t body = h2o_strdup(&request->pool, (const char *)text.data, text.size);
    scope_close(scope);
    begin(request, problem->status, body.len);
    add(request, H2O_TOKEN_CONTENT_TYPE, H2O_STRLIT("application/problem+json"));
    add_common(request, false);
    if (problem->retry_after_ms)
        add(request, H2O_TOKEN_RETRY_AFTER, H2O_STRLIT("1"));
    if (problem->allow)
        add(request, H2O_TOKEN_ALLOW, problem->allow, strlen(problem->allow));
    send_whole(request, NULL, bytes_of_iovec(body));
    return 0;
}

static int refuse_with(h2o_req_t *request, int status, const char *type, const char *title,
                       const char *detail)
{
    const struct problem problem = problem_make(status, type, title, detail);
    return refuse(request, &problem);
}

static int refuse_busy(h2o_req_t *request, int status, const char *detail)
{
    struct problem problem =
        problem_make(status, "overloaded", status == 429 ? "Too many requests" : "Too busy", detail);
    figure_add(&http_loop_of(request)->figures.refused, 1);
    problem.retry = PROBLEM_AFTER_DELAY;
    problem.retry_after_ms = 1000;
    return refuse(request, &problem);
}

static const char content_security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static struct bytes header_of(const h2o_req_t *request, const h2o_token_t *name)
{
    ssize_t index = h2o_find_header(&request->headers, name, -1);
    return index < 0 ? bytes_of(NULL, 0) : bytes_of_iovec(request->headers.entries[index].value);
}

/* Whether a list of entity tags or of encodings names this one. */
static bool names(struct bytes list, const char *name)
{
    return list.size && memmem(list.data, list.size, name, strlen(name));
}

static int serve_file(h2o_req_t *request, const struct http_file *file)
{
    bool zipped = file->gzip.size && names(header_of(request, H2O_TOKEN_ACCEPT_ENCODING), "gzip");
    bool known = names(header_of(request, H2O_TOKEN_IF_NONE_MATCH), file->etag);
    struct bytes body = known ? bytes_of(NULL, 0) : zipped ? file->gzip : file->data;
    begin(request, known ? 304 : 200, body.size);
    if (!known)
        add(request, H2O_TOKEN_CONTENT_TYPE, file->content_type, strlen(file->content_type));
    if (zipped && !known)
        add(request, H2O_TOKEN_CONTENT_ENCODING, H2O_STRLIT("gzip"));
    if (file->gzip.size)
        add(request, H2O_TOKEN_VARY, H2O_STRLIT("accept-encoding"));
    const char *keep = file->immutable ? "public, max-age=31536000, immutable" : "no-cache";
    add(request, H2O_TOKEN_CACHE_CONTROL, keep, strlen(keep));
    add(request, H2O_TOKEN_ETAG, file->etag, strlen(file->etag));
    add_common(request, true);
    add_named(request, "content-security-policy", content_security_policy);
    add_named(request, "referrer-policy", "no-referrer");
    add_named(request, "cross-origin-opener-policy", "same-origin");
    send_whole(request, NULL, body);
    return 0;
}

static int serve_health(h2o_req_t *request)
{
    static const char body[] = "{\"status\":\"ok\"}";
    begin(request, 200, sizeof body - 1);
    add(request, H2O_TOKEN_CONTENT_TYPE, H2O_STRLIT("application/json"));
    add_common(request, false);
    send_whole(request, NULL, bytes_of(body, sizeof body - 1));
    return 0;
}

static int redirect(h2o_req_t *request, const char *to)
{
    begin(request, 308, 0);
    add(request, H2O_TOKEN_LOCATION, to, strlen(to));
    add_common(request, false);
    send_whole(request, NULL, bytes_of(NULL, 0));
    return 0;
}

/* ---- to the core ---- */

static void fill_random(struct http_loop *loop, uint8_t *bytes, size_t size)
{
    if (loop->random_left < size) {
        check(RAND_bytes(loop->random, sizeof loop->random) == 1, "no randomness");
        loop->random_left = sizeof loop->random;
    }
    loop->random_left -= size;
    memcpy(bytes, loop->random + loop->random_left, size);
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The client's own id, if it is a UUID. */
static bool read_id(struct bytes text, uint8_t id[static 16])
{
    size_t digits = 0;
    if (text.size != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int value = dash ? 0 : hex_value(text.data[i]);
        if (dash ? text.data[i] != '-' : value < 0)
            return false;
        if (!dash) {
            id[digits / 2] = (uint8_t)(digits % 2 ? id[digits / 2] | value : value << 4);
            digits++;
        }
    }
    return true;
}

static void make_id(struct http_loop *loop, uint8_t id[static 16])
{
    uint64_t ms = h2o_now(loop->context.loop); /* since 1970, as of this turn of the loop */
    fill_random(loop, id, 16);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = (id[6] & 0x0f) | 0x70;
    id[8] = (id[8] & 0x3f) | 0x80;
}

static void forgotten(void *argument);

/* Copies what follows one another into one piece of the exchange's memory. */
static struct bytes keep(uint8_t **room, const void *data, size_t size)
{
    struct bytes kept = bytes_of(*room, size);
    if (size)
        memcpy(*room, data, size);
    *room += size;
    return kept;
}

static void keep_headers(struct http_exchange *exchange, const h2o_req_t *request, uint8_t **room)
{
    struct http_header *headers =
        scope_alloc(exchange->loop_scope, (request->headers.size + 1) * sizeof *headers);
    size_t count = 0;
    for (size_t i = 0; i < request->headers.size; i++) {
        const h2o_header_t *header = &request->headers.entries[i];
        headers[count++] = (struct http_header){keep(room, header->name->base, header->name->len),
                                                keep(room, header->value.base, header->value.len)};
    }
    headers[count++] = (struct http_header){bytes_of_text("host"),
                                            keep(room, request->authority.base, request->authority.len)};
    exchange->head.headers = headers;
    exchange->head.header_count = count;
}

static size_t bytes_of_headers(const h2o_req_t *request)
{
    size_t bytes = request->authority.len;
    for (size_t i = 0; i < request->headers.size; i++)
        bytes += request->headers.entries[i].name->len + request->headers.entries[i].value.len;
    return bytes;
}

/* The parts of the request target, in our memory. */
static enum sqlstate keep_target(struct http_exchange *exchange, const h2o_req_t *request,
                                 const struct router_match *match, uint8_t **room, struct error *error)
{
    const struct http_route *route = match->route;
    bool has_query = request->query_at != SIZE_MAX;
    size_t path_size = has_query ? request->query_at : request->path.len;
    struct http_head *head = &exchange->head;
    head->path = keep(room, request->path.base, path_size);
    if (has_query)
        head->query = keep(room, request->path.base + path_size + 1, request->path.len - path_size - 1);
    exchange->query = scope_alloc(exchange->loop_scope, (route->query_count + 1) * sizeof *exchange->query);
    enum sqlstate failed = query_read_path(route, match->parameters, head->parameters, *room, error);
    *room += path_size;
    if (!failed)
        failed = query_read(route, head->query, exchange->query, *room, error);
    *room += head->query.size;
    return failed;
}

/* NULL when the system has none. */
static uint8_t *take_room(struct scope *scope, size_t bytes, struct error *error)
{
    void *memory;
    if (bytes <= HTTP_PIECE_BYTES)
        return scope_alloc(scope, bytes);
    return scope_alloc_large(scope, bytes, 16, &memory, error) ? NULL : memory;
}

static enum sqlstate exchange_open(struct http_loop *loop, h2o_req_t *request,
                                   const struct router_match *match, struct http_exchange **opened,
                                   struct error *error)
{
    struct scope *scope = scope_open(loop->scope, "http request");
    struct http_exchange *exchange = scope_alloc(scope, sizeof *exchange);
    memset(exchange, 0, sizeof *exchange);
    *opened = exchange;
    exchange->http = loop->http;
    exchange->loop = loop;
    exchange->loop_scope = scope;
    exchange->connection = connection_of(request);
    exchange->head.route = match->route;
    exchange->head.method = match->route->method;
    exchange->head.client = exchange->connection->client;
    exchange->head.tls = h2o_socket_get_ssl_protocol_version(exchange->connection->socket);
    exchange->head.version = request->version >= 0x200 ? 2 : 1;
    size_t text = 2 * request->path.len + bytes_of_headers(request);
    exchange->bytes = sizeof *exchange + text + request->entity.len;
    uint8_t *room = take_room(scope, text + request->entity.len + 1, error);
    if (!room)
        return error->state;
    enum sqlstate failed = keep_target(exchange, request, match, &room, error);
    keep_headers(exchange, request, &room);
    exchange->body = keep(&room, request->entity.base, request->entity.len);
    if (!read_id(http_head_header(&exchange->head, "synod-request-id"), exchange->head.id))
        make_id(loop, exchange->head.id);
    return failed;
}

static void exchange_close(struct http_exchange *exchange)
{
    scope_close(exchange->loop_scope);
}

/* Which core is to serve it: the one that has to, or the next in turn. */
static uint32_t place(struct http_loop *loop, const struct http_exchange *exchange)
{
    const struct http_options *options = &loop->http->options;
    uint32_t core = options->place ? options->place(options->argument, &exchange->head) : UINT32_MAX;
    if (core < loop->http->core_count)
        return core;
    loop->next_core = loop->next_core + 1 < loop->http->core_count ? loop->next_core + 1 : 0;
    return loop->next_core;
}

static void send_to_core(struct http_exchange *exchange, uint32_t core)
{
    exchange->core = core;
    exchange->arrival.land = http_arrive;
    linux_hand_over(exchange->http->core[core].world, &exchange->arrival);
}

static void exchange_begin(struct http_loop *loop, h2o_req_t *request, struct http_exchange *exchange)
{
    struct guard *guard = h2o_mem_alloc_shared(&request->pool, sizeof *guard, forgotten);
    *guard = (struct guard){.exchange = exchange};
    exchange->guard = guard;
    exchange->request = request;
    atomic_init(&exchange->gone, false);
    list_append(&loop->exchanges, &exchange->link);
    loop->exchange_count++;
    exchange->connection->open++;
    figure_add(&loop->figures.open, 1);
    atomic_fetch_add_explicit(&loop->http->bytes_in_flight, exchange->bytes, memory_order_relaxed);
    send_to_core(exchange, place(loop, exchange));
}

/* ---- checks ---- */

static bool is_type(struct bytes type, const char *name)
{
    size_t size = strlen(name);
    if (type.size < size || strncasecmp((const char *)type.data, name, size) != 0)
        return false;
    return type.size == size || type.data[size] == ';' || type.data[size] == ' ';
}

/* NULL, or what is wrong with the body's presence, size and type. */
static int refuse_body(h2o_req_t *request, const struct http_route *route, bool *refused)
{
    size_t size = request->entity.len;
    size_t most = route->body_bytes_max < HTTP_BODY_BYTES_MAX ? route->body_bytes_max : HTTP_BODY_BYTES_MAX;
    bool takes = route->flags & (HTTP_BODY_JSON | HTTP_BODY_TEXT);
    struct bytes type = header_of(request, H2O_TOKEN_CONTENT_TYPE);
    *refused = true;
    if (size && !takes)
        return refuse_with(request, 400, "unexpected-body", "This request takes no body", NULL);
    if (takes && size > most) {
        char detail[64];
        snprintf(detail, sizeof detail, "the body has %zu bytes, and %zu are allowed", size, most);
        return refuse_with(request, 413, "too-large", "The body is too large", detail);
    }
    if (!size && route->flags & HTTP_BODY_REQUIRED)
        return refuse_with(request, 400, "missing-body", "This request needs a body", NULL);
    if (size && !(route->flags & HTTP_BODY_TEXT) && !is_type(type, "application/json"))
        return refuse_with(request, 415, "unsupported-media-type", "The body must be application/json", NULL);
    *refused = false;
    return 0;
}

static int serve_route(h2o_req_t *request, const struct router_match *match)
{
    struct http_loop *loop = http_loop_of(request);
    struct http_connection *connection = connection_of(request);
    struct http_exchange *exchange;
    struct error error = {0};
    bool refused;
    int answered = refuse_body(request, match->route, &refused);
    if (refused)
        return answered;
    if (loop->stopping)
        return refuse_busy(request, 503, "the node is stopping");
    if (connection->open >= HTTP_EXCHANGES_PER_CONNECTION_MAX)
        return refuse_busy(request, 429, "this connection has too many requests under way");
    if (loop->exchange_count >= HTTP_EXCHANGES_PER_LOOP_MAX ||
        atomic_load_explicit(&loop->http->bytes_in_flight, memory_order_relaxed) + request->entity.len >
            HTTP_BYTES_IN_FLIGHT_MAX)
        return refuse_busy(request, 503, "too many requests are under way");
    if (exchange_open(loop, request, match, &exchange, &error)) {
        exchange_close(exchange);
        if (error.state == SQLSTATE_OUT_OF_MEMORY)
            return refuse_busy(request, 503, error_text(&error, ERROR_MESSAGE));
        return refuse_with(request, 400, error_text(&error, ERROR_DETAIL), "The request is not as it must be",
                           error_text(&error, ERROR_MESSAGE));
    }
    exchange_begin(loop, request, exchange);
    return 0;
}

int http_on_request(h2o_handler_t *handler, h2o_req_t *request)
{
    struct http_loop *loop = http_loop_of(request);
    struct http_connection *connection = connection_of(request);
    struct router_match match;
    (void)handler;
    figure_add(&loop->figures.requests, 1);
    http_active(connection);
    if (request->path.len > HTTP_PATH_BYTES_MAX)
        return refuse_with(request, 414, "uri-too-long", "The path is too long", NULL);
    size_t size = request->query_at == SIZE_MAX ? request->path.len : request->query_at;
    struct bytes path = bytes_of(request->path.base, size);
    switch (router_find(loop->http->router, bytes_of_iovec(request->method), path, &match)) {
    case ROUTER_ROUTE:
        return serve_route(request, &match);
    case ROUTER_FILE:
        return serve_file(request, match.file);
    case ROUTER_NO_METHOD: {
        struct problem problem = problem_make(405, "method-not-allowed", "The path has no such method", NULL);
        problem.allow = match.allow;
        return refuse(request, &problem);
    }
    case ROUTER_NOTHING:
        break;
    }
    if (bytes_compare(path, bytes_of_text("/healthz")) == 0)
        return serve_health(request);
    if (bytes_compare(path, bytes_of_text("/")) == 0 || bytes_compare(path, bytes_of_text("/console")) == 0)
        return redirect(request, "/console/");
    return refuse_with(request, 404, "not-found", "There is nothing at this path", NULL);
}

/* ---- from the core ---- */

static void hand_release(struct http_exchange *exchange)
{
    exchange->release.land = http_hear_release;
    linux_hand_over(exchange->http->core[exchange->core].world, &exchange->release);
}

/* From now on the core knows, and nobody waits for what it says. */
void http_forget_client(struct http_exchange *exchange)
{
    if (atomic_load_explicit(&exchange->gone, memory_order_relaxed))
        return;
    atomic_store_explicit(&exchange->gone, true, memory_order_release);
    if (exchange->finished || exchange->moving)
        return;
    figure_add(&exchange->loop->figures.gone, 1);
    exchange->gone_landing.land = http_hear_gone;
    linux_hand_over(exchange->http->core[exchange->core].world, &exchange->gone_landing);
}

static void count_reset(struct http_loop *loop, struct http_connection *connection)
{
    if (loop->now_ns - connection->resets_since_ns > HTTP_RESETS_PERIOD_NS) {
        connection->resets_since_ns = loop->now_ns;
        connection->resets = 0;
    }
    if (++connection->resets > HTTP_RESETS_MAX)
        http_cut(connection);
}

/* h2o has forgotten the request: it was answered, or its stream was reset, or its connection is lost. */
static void forgotten(void *argument)
{
    struct guard *guard = argument;
    struct http_exchange *exchange = guard->exchange;
    exchange->request = NULL;
    if (exchange->finished) {
        hand_release(exchange);
        return;
    }
    http_forget_client(exchange);
    count_reset(exchange->loop, exchange->connection);
}

static void add_answer_headers(h2o_req_t *request, const struct http_exchange *exchange)
{
    static const char digits[] = "0123456789abcdef";
    const char *type = exchange->answer_type;
    char *id = h2o_mem_alloc_pool(&request->pool, 36), *at = id;
    bool cache_control = false;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[exchange->head.id[i] >> 4];
        *at++ = digits[exchange->head.id[i] & 15];
    }
    if (type)
        add(request, H2O_TOKEN_CONTENT_TYPE, type, strlen(type));
    for (size_t i = 0; i < exchange->answer_header_count; i++) {
        const struct http_header *header = &exchange->answer_headers[i];
        cache_control |= bytes_compare(header->name, bytes_of_text("cache-control")) == 0;
        h2o_add_header_by_str(&request->pool, &request->res.headers, (const char *)header->name.data,
                              header->name.size, 1, NULL, (const char *)header->value.data,
                              header->value.size);
    }
    add_common(request, cache_control);
    h2o_add_header_by_str(&request->pool, &request->res.headers, H2O_STRLIT("synod-request-id"), 0, NULL, id,
                          36);
}

/* Ends a stream so that the client sees that something is missing: a reset in HTTP/2, a connection that closes within a
 * chunk in HTTP/1. The request is gone afterwards. */
static void end_cut(h2o_req_t *request)
{
    request->http1_is_persistent = 0;
    h2o_send(request, NULL, 0, H2O_SEND_STATE_ERROR);
}

/* h2o has sent the piece. */
static void proceed(h2o_generator_t *generator, h2o_req_t *request)
{
    struct http_exchange *exchange = ((struct guard *)generator)->exchange;
    if (!exchange->piece_with_h2o)
        return;
    exchange->piece_with_h2o = false;
    if (exchange->finished) { /* cut meanwhile */
        end_cut(request);
        return;
    }
    exchange->taken.land = http_hear_taken;
    linux_hand_over(exchange->http->core[exchange->core].world, &exchange->taken);
}

static void stream_begin(struct http_exchange *exchange, h2o_req_t *request)
{
    struct guard *guard = exchange->guard;
    guard->generator.proceed = proceed;
    exchange->begun = true;
    begin(request, exchange->status, SIZE_MAX);
    add_answer_headers(request, exchange);
    request->compress_hint = H2O_COMPRESS_HINT_DISABLE;
    h2o_start_response(request, &guard->generator);
}

void http_land_piece(struct http_loop *loop, struct http_word *word)
{
    struct http_exchange *exchange = container_of(word, struct http_exchange, piece);
    h2o_req_t *request = exchange->request;
    (void)loop;
    if (!request)
        return; /* the core hears of that in `gone` */
    if (!exchange->begun)
        stream_begin(exchange, request);
    h2o_iovec_t piece = {(char *)exchange->data.data, exchange->data.size};
    exchange->piece_with_h2o = true;
    h2o_send(request, &piece, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void send_last(struct http_exchange *exchange, h2o_req_t *request)
{
    struct guard *guard = exchange->guard;
    h2o_iovec_t piece = {(char *)exchange->data.data, exchange->data.size};
    switch (exchange->how) {
    case HTTP_LAST_ANSWER:
        begin(request, exchange->status, exchange->data.size);
        add_answer_headers(request, exchange);
        send_whole(request, &guard->generator, exchange->data);
        return;
    case HTTP_LAST_STREAM:
        if (!exchange->begun)
            stream_begin(exchange, request);
        h2o_send(request, &piece, piece.len && !is_head(request) ? 1 : 0, H2O_SEND_STATE_FINAL);
        return;
    case HTTP_LAST_CUT:
        if (!exchange->begun)
            refuse_with(request, 500, "internal", "The request was left without an answer", NULL);
        else if (!exchange->piece_with_h2o)
            end_cut(request);
        else if (exchange->head.version == 1)
            http_cut(exchange->connection); /* the piece under way fails, or proceed() ends it */
        return;
    case HTTP_LAST_ELSEWHERE:
        return;
    }
}

void http_land_last(struct http_loop *loop, struct http_word *word)
{
    struct http_exchange *exchange = container_of(word, struct http_exchange, last);
    h2o_req_t *request = exchange->request;
    if (exchange->how == HTTP_LAST_ELSEWHERE) {
        exchange->moving = true;
        hand_release(exchange);
        return;
    }
    exchange->finished = true;
    exchange->finished_ns = loop->now_ns;
    if (request)
        send_last(exchange, request); /* h2o forgets the request now or later: forgotten() */
    else
        hand_release(exchange);
}

void http_land_returned(struct http_loop *loop, struct http_word *word)
{
    struct http_exchange *exchange = container_of(word, struct http_exchange, returned);
    if (exchange->how == HTTP_LAST_ELSEWHERE &&
        !atomic_load_explicit(&exchange->gone, memory_order_relaxed)) {
        exchange->moving = false;
        send_to_core(exchange, exchange->elsewhere);
        return;
    }
    struct http_connection *connection = exchange->connection;
    connection->open--;
    if (connection->socket)
        http_active(connection);
    atomic_fetch_sub_explicit(&loop->http->bytes_in_flight, exchange->bytes, memory_order_relaxed);
    figure_add(&loop->figures.open, -1);
    loop->exchange_count--;
    list_remove(&exchange->link);
    exchange_close(exchange);
}
