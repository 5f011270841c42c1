/* An exchange on the core that serves it: the fiber, the answer, the stream, and the client that goes away. */
#include "restgw/http/exchange.h"

#include "base/check.h"
#include "base/log.h"
#include "base/scheduler.h"
#include "restgw/http/door.h"
#include "restgw/http/json_in.h"
#include "restgw/http/json_out.h"
#include "restgw/http/limits.h"
#include "restgw/http/problem.h"

#define NS_PER_MS 1000000UL

/* ---- coming and going ---- */

static void say_last(struct http_exchange *exchange, enum http_last how)
{
    check(!exchange->answered, "%s answered twice", exchange->head.route->operation);
    exchange->answered = true;
    exchange->how = how;
    exchange->last.land = http_land_last;
    http_say(exchange->loop, &exchange->last);
}

/* Nothing of the exchange is left here; the loop may free it at any moment now. */
static void core_is_left(void *argument)
{
    struct http_exchange *exchange = argument;
    struct http_core *core = http_core_of(exchange->http, exchange->world->core);
    exchange->returned.land = http_land_returned;
    core->open--;
    http_say(exchange->loop, &exchange->returned);
}

static void leave_core(struct http_exchange *exchange)
{
    if (!exchange->released || exchange->fiber)
        return;
    scope_on_gone(exchange->scope, &exchange->scope_gone, core_is_left, exchange);
    scope_close(exchange->scope);
}

static void serve_fiber(void *argument)
{
    struct http_exchange *exchange = argument;
    const struct http_options *options = http_options_of(exchange->http);
    if (!atomic_load_explicit(&exchange->gone, memory_order_acquire))
        options->serve(options->argument, exchange->world, exchange);
    if (!exchange->answered) {
        log_line(exchange->world, LOG_WARN, "http_unanswered", "%s left its request without an end",
                 exchange->head.route->operation);
        say_last(exchange, HTTP_LAST_CUT);
    }
    exchange->fiber = NULL;
    leave_core(exchange);
}

void http_arrive(struct linux_core *core, struct linux_landing *landing)
{
    struct http_exchange *exchange = container_of(landing, struct http_exchange, arrival);
    struct http_core *here = http_core_of(exchange->http, exchange->core);
    struct error error = {0};
    (void)core;
    here->open++;
    exchange->world = here->world;
    exchange->scope = scope_open(here->scope, "http exchange");
    exchange->released = exchange->answered = exchange->streaming = exchange->piece_out = false;
    exchange->on_gone = NULL;
    exchange->answer_header_count = 0;
    exchange->data = bytes_of(NULL, 0);
    fiber_queue_init(&exchange->taken_waiter);
    /* Requests that were taken back before their turn cost nothing but this. */
    if (atomic_load_explicit(&exchange->gone, memory_order_acquire)) {
        exchange->fiber = NULL;
        say_last(exchange, HTTP_LAST_CUT);
    } else if (fiber_start(here->world->scheduler, exchange->scope, "http", serve_fiber, exchange,
                           &exchange->fiber, &error)) {
        exchange->fiber = NULL;
        const struct problem problem = problem_of(&error);
        http_problem(exchange, &problem);
    }
}

void http_hear_gone(struct linux_core *core, struct linux_landing *landing)
{
    struct http_exchange *exchange = container_of(landing, struct http_exchange, gone_landing);
    (void)core;
    fiber_wake_all(&exchange->taken_waiter);
    if (exchange->fiber && atomic_load_explicit(&exchange->http->cutting, memory_order_relaxed))
        fiber_cancel(exchange->fiber, SQLSTATE_ADMIN_SHUTDOWN,
                     "terminating connection due to administrator command");
    if (exchange->on_gone && !exchange->answered)
        exchange->on_gone(exchange->on_gone_argument);
}

void http_hear_taken(struct linux_core *core, struct linux_landing *landing)
{
    struct http_exchange *exchange = container_of(landing, struct http_exchange, taken);
    (void)core;
    exchange->piece_out = false;
    fiber_wake_all(&exchange->taken_waiter);
}

void http_hear_release(struct linux_core *core, struct linux_landing *landing)
{
    struct http_exchange *exchange = container_of(landing, struct http_exchange, release);
    (void)core;
    exchange->released = true;
    leave_core(exchange);
}

/* ---- the request ---- */

const struct http_head *http_head(const struct http_exchange *exchange)
{
    return &exchange->head;
}

struct scope *http_scope(const struct http_exchange *exchange)
{
    return exchange->scope;
}

struct bytes http_head_header(const struct http_head *head, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (header->name.size == size && memcmp(header->name.data, name, size) == 0)
            return header->value;
    }
    return bytes_of(NULL, 0);
}

struct bytes http_header(const struct http_exchange *exchange, const char *name)
{
    return http_head_header(&exchange->head, name);
}

struct bytes http_path(const struct http_exchange *exchange, const char *name)
{
    const struct http_route *route = exchange->head.route;
    for (size_t i = 0; i < route->parameter_count; i++) {
        if (strcmp(route->parameters[i].name, name) == 0)
            return exchange->head.parameters[i];
    }
    check(false, "%s has no parameter \"%s\" in its path", route->operation, name);
    return bytes_of(NULL, 0);
}

struct bytes http_query(struct http_exchange *exchange, const char *name)
{
    const struct http_route *route = exchange->head.route;
    for (size_t i = 0; i < route->query_count; i++) {
        if (strcmp(route->query[i].name, name) == 0)
            return exchange->query[i];
    }
    check(false, "%s has no parameter \"%s\" in its query", route->operation, name);
    return bytes_of(NULL, 0);
}

struct bytes http_body(const struct http_exchange *exchange)
{
    return exchange->body;
}

static const struct json *refuse_body(struct http_exchange *exchange, const struct error *error,
                                      const char *type)
{
    struct problem problem =
        problem_make(error->state == SQLSTATE_OUT_OF_MEMORY ? 503 : 400, type,
                     "The request is not as it must be", error_text(error, ERROR_MESSAGE));
    if (error->state == SQLSTATE_OUT_OF_MEMORY)
        problem = problem_of(error);
    http_problem(exchange, &problem);
    return NULL;
}

const struct json *http_json(struct http_exchange *exchange)
{
    static const struct json empty = {.kind = HTTP_OBJECT};
    const struct http_route *route = exchange->head.route;
    const struct json *json = &empty;
    struct error error = {0};
    if (exchange->body.size) {
        if (json_read(exchange->scope, exchange->body, &json, &error))
            return refuse_body(exchange, &error,
                               error.state == SQLSTATE_STATEMENT_TOO_COMPLEX ? "too-deep" : "malformed-json");
    }
    if (route->body && json_fits(json, route->body, &error))
        return refuse_body(exchange, &error, error_text(&error, ERROR_DETAIL));
    return json;
}

/* ---- the answer ---- */

/* Nobody can smuggle a header or a second answer into ours. The table may be on the fiber's stack: the loop looks at it later. */
static void take_headers(struct http_exchange *exchange, const struct http_header *headers, size_t count)
{
    check(count <= HTTP_ANSWER_HEADERS_MAX, "%zu headers", count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < headers[i].value.size; j++) {
            uint8_t byte = headers[i].value.data[j];
            check(byte >= ' ' && byte != 127, "a byte %u in a header's value", byte);
        }
    }
    exchange->answer_headers = count ? scope_copy(exchange->scope, headers, count * sizeof *headers) : NULL;
    exchange->answer_header_count = count;
}

void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const struct http_header *headers, size_t header_count, struct bytes body)
{
    check(!exchange->streaming, "an answer within a stream");
    take_headers(exchange, headers, header_count);
    exchange->status = status;
    exchange->answer_type = content_type;
    exchange->data = body;
    say_last(exchange, HTTP_LAST_ANSWER);
}

void http_problem(struct http_exchange *exchange, const struct problem *given)
{
    struct problem problem = *given;
    struct scope *scope = exchange->scope;
    struct json_out out;
    struct http_header *headers = scope_alloc(scope, 3 * sizeof *headers);
    size_t count = 0;
    problem.request_id = exchange->head.id;
    json_out_open(&out, scope);
    problem_write(&problem, &out);
    if (problem.retry_after_ms) {
        char seconds[16];
        int size = snprintf(seconds, sizeof seconds, "%u", (problem.retry_after_ms + 999) / 1000);
        headers[count++] = (struct http_header){
            bytes_of_text("retry-after"), bytes_of(scope_copy(scope, seconds, (size_t)size), (size_t)size)};
    }
    if (problem.status == 401)
        headers[count++] = (struct http_header){
            bytes_of_text("www-authenticate"),
            bytes_of_text(problem.authenticate ? scope_copy_text(scope, problem.authenticate)
                                               : "Bearer realm=\"synod\"")};
    if (problem.allow)
        headers[count++] = (struct http_header){bytes_of_text("allow"),
                                                bytes_of_text(scope_copy_text(scope, problem.allow))};
    http_answer(exchange, problem.status, "application/problem+json", headers, count, json_out_bytes(&out));
}

/* ---- streams ---- */

void http_stream_begin(struct http_exchange *exchange, const char *content_type,
                       const struct http_header *headers, size_t header_count)
{
    check(!exchange->streaming && !exchange->answered, "a stream begins behind an answer");
    take_headers(exchange, headers, header_count);
    exchange->streaming = true;
    exchange->status = 200;
    exchange->answer_type = content_type;
    exchange->piece_room = HTTP_PIECE_BYTES_FIRST;
    exchange->filling = scope_alloc(exchange->scope, 2 * HTTP_PIECE_BYTES_FIRST);
    exchange->sending = exchange->filling + HTTP_PIECE_BYTES_FIRST;
    exchange->filled = 0;
}

static enum sqlstate is_gone(struct error *error)
{
    return error_set(error, SQLSTATE_CONNECTION_FAILURE, "connection to client lost");
}

/* Waits until the loop has taken the piece before. */
static enum sqlstate wait_taken(struct http_exchange *exchange, struct error *error)
{
    struct scheduler *scheduler = exchange->world->scheduler;
    uint64_t deadline_ns =
        exchange->world->now_ns + http_options_of(exchange->http)->send_timeout_ms * NS_PER_MS;
    while (exchange->piece_out) {
        if (http_gone(exchange))
            return is_gone(error);
        enum fiber_wake wake = fiber_wait(scheduler, &exchange->taken_waiter, deadline_ns);
        if (wake == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (wake == FIBER_TIMED_OUT && exchange->piece_out)
            return error_set(error, SQLSTATE_IDLE_SESSION_TIMEOUT,
                             "terminating connection because the client takes nothing");
    }
    return http_gone(exchange) ? is_gone(error) : SQLSTATE_OK;
}

static enum sqlstate send_piece(struct http_exchange *exchange, struct error *error)
{
    enum sqlstate failed = wait_taken(exchange, error);
    if (failed)
        return failed;
    uint8_t *sent = exchange->filling;
    exchange->data = bytes_of(sent, exchange->filled);
    exchange->filling = exchange->sending;
    exchange->sending = sent;
    exchange->filled = 0;
    exchange->piece_out = true;
    exchange->piece.land = http_land_piece;
    http_say(exchange->loop, &exchange->piece);
    return SQLSTATE_OK;
}

/* More is coming than the small pieces hold: large ones take their place when none is out. */
static enum sqlstate enlarge(struct http_exchange *exchange, struct error *error)
{
    enum sqlstate failed = wait_taken(exchange, error);
    if (failed)
        return failed;
    uint8_t *memory = scope_alloc(exchange->scope, 2 * HTTP_PIECE_BYTES);
    memcpy(memory, exchange->filling, exchange->filled);
    exchange->filling = memory;
    exchange->sending = memory + HTTP_PIECE_BYTES;
    exchange->piece_room = HTTP_PIECE_BYTES;
    return SQLSTATE_OK;
}

enum sqlstate http_stream_write(struct http_exchange *exchange, struct bytes bytes, struct error *error)
{
    check(exchange->streaming && !exchange->answered, "a write outside a stream");
    if (http_gone(exchange))
        return is_gone(error);
    while (bytes.size) {
        enum sqlstate failed = SQLSTATE_OK;
        size_t room = exchange->piece_room - exchange->filled;
        if (room < bytes.size && exchange->piece_room < HTTP_PIECE_BYTES) {
            failed = enlarge(exchange, error);
            room = exchange->piece_room - exchange->filled;
        } else if (room == 0) {
            failed = send_piece(exchange, error);
            room = exchange->piece_room;
        }
        if (failed)
            return failed;
        size_t size = bytes.size < room ? bytes.size : room;
        memcpy(exchange->filling + exchange->filled, bytes.data, size);
        exchange->filled += size;
        bytes = bytes_of(bytes.data + size, bytes.size - size);
    }
    return SQLSTATE_OK;
}

enum sqlstate http_stream_flush(struct http_exchange *exchange, struct error *error)
{
    check(exchange->streaming && !exchange->answered, "a flush outside a stream");
    if (!exchange->filled)
        return http_gone(exchange) ? is_gone(error) : SQLSTATE_OK;
    return send_piece(exchange, error);
}

void http_stream_end(struct http_exchange *exchange, bool complete)
{
    struct error error = {0};
    check(exchange->streaming, "the end of no stream");
    fiber_shield_begin(exchange->world->scheduler);
    if (complete && wait_taken(exchange, &error))
        complete = false;
    fiber_shield_end(exchange->world->scheduler);
    if (complete)
        exchange->data = bytes_of(exchange->filling, exchange->filled);
    say_last(exchange, complete ? HTTP_LAST_STREAM : HTTP_LAST_CUT);
}

/* ---- the client goes ---- */

bool http_gone(const struct http_exchange *exchange)
{
    return atomic_load_explicit(&exchange->gone, memory_order_acquire);
}

void http_on_gone(struct http_exchange *exchange, void (*gone)(void *argument), void *argument)
{
    exchange->on_gone = NULL;
    if (gone && http_gone(exchange)) {
        gone(argument);
        return;
    }
    exchange->on_gone = gone;
    exchange->on_gone_argument = argument;
}

void http_pass_on(struct http_exchange *exchange, uint32_t core)
{
    check(core < exchange->world->cores, "core %u of %u", core, exchange->world->cores);
    exchange->elsewhere = core;
    say_last(exchange, HTTP_LAST_ELSEWHERE);
}
