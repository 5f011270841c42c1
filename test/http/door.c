/* The HTTPS door with simple things behind it, for the tests of this folder and for measuring: door PORT CORES LOOPS
 * CERTIFICATE KEY [option=value...]. Prints "ready ADDRESS", serves until SIGTERM; SIGHUP reads the certificate again.
 *
 * What stands here is what a handler may do: answer at once, wait, stream as fast as the client takes it, notice that the client went,
 * pass a request on to another core, fail. */
#include "base/check.h"
#include "base/linux/linux.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "restgw/http/http.h"
#include "restgw/http/json_in.h"
#include "restgw/http/json_out.h"
#include "restgw/http/problem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000UL

struct door;

struct http_call {
    struct world *world;
    struct http_exchange *exchange;
    struct door *door;
};

struct door {
    struct http *http;
    struct http_options options;
    const char *certificate_path, *key_path;
    struct bytes certificate, key;
    struct world *first;
    atomic_uint listening; /* cores may go on to wait for the stop */
    atomic_uint opened;
    atomic_uint gone_seen; /* sleepers that were told that their client went */
    atomic_ullong gone_us; /* how long the last of them had slept */
    atomic_uint served;
    bool failed;
};

/* ---- handlers ---- */

static void answer_json(struct http_call *call, int status, struct json_out *out)
{
    http_answer(call->exchange, status, "application/json", NULL, 0, json_out_bytes(out));
}

/* What came, as we understood it. */
static void echo(struct http_call *call)
{
    const struct json *body = http_json(call->exchange);
    struct json_out out;
    if (!body)
        return;
    json_out_open(&out, http_scope(call->exchange));
    json_out_object(&out);
    json_out_name(&out, "text");
    json_out_string(&out, json_text(body, "text"));
    json_out_name(&out, "number");
    const struct json *number = json_member(body, "number");
    if (number)
        json_out_value(&out, number->text);
    else
        json_out_null(&out);
    json_out_name(&out, "core");
    json_out_integer(&out, call->world->core);
    json_out_object_end(&out);
    answer_json(call, 200, &out);
}

static void hello(struct http_call *call)
{
    http_answer(call->exchange, 200, "application/json", NULL, 0, bytes_of_text("{\"hello\":\"world\"}"));
}

static void item(struct http_call *call)
{
    struct json_out out;
    json_out_open(&out, http_scope(call->exchange));
    json_out_object(&out);
    json_out_name(&out, "name");
    json_out_string(&out, http_path(call->exchange, "name"));
    json_out_name(&out, "limit");
    struct bytes limit = http_query(call->exchange, "limit");
    if (limit.data)
        json_out_value(&out, limit);
    else
        json_out_null(&out);
    json_out_name(&out, "request_header");
    struct bytes header = http_header(call->exchange, "x-test");
    json_out_string(&out, header);
    json_out_object_end(&out);
    answer_json(call, 200, &out);
}

static void empty(struct http_call *call)
{
    http_answer(call->exchange, 204, NULL, NULL, 0, bytes_of(NULL, 0));
}

struct sleeper {
    struct fiber_queue queue;
    bool gone;
};

static void client_went(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->gone = true;
    fiber_wake_all(&sleeper->queue);
}

static void sleep_a_while(struct http_call *call)
{
    struct world *world = call->world;
    struct bytes text = http_query(call->exchange, "ms");
    struct sleeper sleeper = {.gone = false};
    uint64_t began_ns = world_now(world);
    char number[16] = "";
    snprintf(number, sizeof number, "%.*s", (int)(text.size < 15 ? text.size : 15), (const char *)text.data);
    fiber_queue_init(&sleeper.queue);
    http_on_gone(call->exchange, client_went, &sleeper);
    (void)fiber_wait(world->scheduler, &sleeper.queue, began_ns + strtoull(number, NULL, 10) * NS_PER_MS);
    http_on_gone(call->exchange, NULL, NULL);
    if (sleeper.gone) {
        atomic_store(&call->door->gone_us, (world_now(world) - began_ns) / 1000);
        atomic_fetch_add(&call->door->gone_seen, 1);
    }
    http_answer(call->exchange, 200, "text/plain", NULL, 0, bytes_of_text("slept\n"));
}

/* Lines until as many bytes as were asked for are out. */
static void stream(struct http_call *call)
{
    struct bytes text = http_query(call->exchange, "bytes");
    char number[24] = "";
    snprintf(number, sizeof number, "%.*s", (int)(text.size < 23 ? text.size : 23), (const char *)text.data);
    uint64_t left = strtoull(number, NULL, 10);
    struct error error = {0};
    enum sqlstate failed = SQLSTATE_OK;
    static const char line[] = "[\"0123456789\",\"abcdefghijklmnopqrstuvwxyz\",42,true,null]\n";
    http_stream_begin(call->exchange, "application/x-ndjson", NULL, 0);
    while (left && !failed) {
        size_t size = left < sizeof line - 1 ? left : sizeof line - 1;
        failed = http_stream_write(call->exchange, bytes_of(line, size), &error);
        left -= size;
    }
    if (failed)
        atomic_fetch_add(&call->door->gone_seen, 1);
    /* A stream of 700013 bytes ends badly. */
    http_stream_end(call->exchange, !failed && strcmp(number, "700013") != 0);
}

static void large(struct http_call *call)
{
    struct error error = {0};
    void *memory;
    size_t size = 8 * 1024 * 1024;
    if (scope_alloc_large(http_scope(call->exchange), size, 16, &memory, &error)) {
        const struct problem problem = problem_of(&error);
        http_problem(call->exchange, &problem);
        return;
    }
    memset(memory, 'x', size);
    http_answer(call->exchange, 200, "text/plain", NULL, 0, bytes_of(memory, size));
}

static void other_core(struct http_call *call)
{
    struct bytes text = http_query(call->exchange, "core");
    uint32_t core = (uint32_t)(text.data[0] - '0') % call->world->cores;
    struct json_out out;
    if (core != call->world->core) {
        http_pass_on(call->exchange, core);
        return;
    }
    json_out_open(&out, http_scope(call->exchange));
    json_out_integer(&out, core);
    answer_json(call, 200, &out);
}

static void fail(struct http_call *call)
{
    struct error error = {0};
    (void)error_set(&error, SQLSTATE_DEADLOCK_DETECTED, "deadlock detected");
    struct problem problem = problem_of(&error);
    problem.transaction_state = "rolled_back";
    http_problem(call->exchange, &problem);
}

static void forget_to_answer(struct http_call *call)
{
    (void)call;
}

static void counts(struct http_call *call)
{
    struct http_counts figures;
    struct json_out out;
    struct door *door = call->door;
    http_count(door->http, &figures);
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"connections_open", figures.connections_open},
        {"requests_open", figures.requests_open},
        {"requests_total", figures.requests_total},
        {"gone_total", figures.gone_total},
        {"cut_total", figures.cut_total},
        {"refused_total", figures.refused_total},
        {"bytes_in_flight", figures.bytes_in_flight},
        {"gone_seen", atomic_load(&door->gone_seen)},
        {"gone_us", atomic_load(&door->gone_us)},
        {"served", atomic_load(&door->served)},
    };
    json_out_open(&out, http_scope(call->exchange));
    json_out_object(&out);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        json_out_name(&out, all[i].name);
        json_out_unsigned(&out, all[i].value);
    }
    json_out_object_end(&out);
    answer_json(call, 200, &out);
}

/* ---- tables, as tool/openapi writes them ---- */

static const struct http_schema any_string = {.kinds = HTTP_STRING, .size_max = 1000000};
static const struct http_schema short_string = {.kinds = HTTP_STRING, .size_max = 100};
static const struct http_schema any_number = {.kinds = HTTP_NUMBER | HTTP_INTEGER | HTTP_NULL};
static const struct http_schema small_integer = {
    .kinds = HTTP_INTEGER, .limited = true, .minimum = 1, .maximum = 1000};
static const struct http_schema big_integer = {
    .kinds = HTTP_INTEGER, .limited = true, .minimum = 0, .maximum = INT64_MAX};
static const struct http_schema anything = {.kinds = HTTP_ANY, .open = true};
static const char *const colors[] = {"red", "green", NULL};
static const struct http_schema color = {.kinds = HTTP_STRING, .values = colors};
static const struct http_member inner_members[] = {{"type", true, &short_string},
                                                   {"value", false, &anything}};
static const struct http_schema inner = {.kinds = HTTP_OBJECT, .members = inner_members, .member_count = 2};
static const struct http_schema list = {.kinds = HTTP_ARRAY, .items = &inner, .size_max = 10};
static const struct http_member echo_members[] = {{"text", true, &any_string},
                                                  {"number", false, &any_number},
                                                  {"params", false, &list},
                                                  {"color", false, &color}};
static const struct http_schema echo_body = {
    .kinds = HTTP_OBJECT, .members = echo_members, .member_count = 4};
static const struct http_member item_path[] = {{"name", true, &short_string}};
static const struct http_member item_query[] = {{"limit", false, &small_integer}, {"color", false, &color}};
static const struct http_member ms_query[] = {{"ms", true, &big_integer}};
static const struct http_member bytes_query[] = {{"bytes", true, &big_integer}};
static const struct http_member core_query[] = {{"core", true, &big_integer}};

static const struct http_route routes[] = {
    {"GET", "/v1/hello", "hello", HTTP_PUBLIC, 0, NULL, NULL, 0, NULL, 0, hello},
    {"POST", "/v1/hello", "say_hello", HTTP_BODY_JSON, 1 << 20, NULL, NULL, 0, NULL, 0, hello},
    {"POST", "/v1/echo", "echo", HTTP_BODY_JSON | HTTP_BODY_REQUIRED, 1 << 20, &echo_body, NULL, 0, NULL, 0,
     echo},
    {"GET", "/v1/items/{name}", "item", 0, 0, NULL, item_path, 1, item_query, 2, item},
    {"GET", "/v1/items/special", "special", 0, 0, NULL, NULL, 0, NULL, 0, hello},
    {"DELETE", "/v1/items/{name}", "item_delete", 0, 0, NULL, item_path, 1, NULL, 0, empty},
    {"GET", "/v1/sleep", "sleep", 0, 0, NULL, NULL, 0, ms_query, 1, sleep_a_while},
    {"GET", "/v1/stream", "stream", 0, 0, NULL, NULL, 0, bytes_query, 1, stream},
    {"GET", "/v1/large", "large", 0, 0, NULL, NULL, 0, NULL, 0, large},
    {"GET", "/v1/core", "core", 0, 0, NULL, NULL, 0, core_query, 1, other_core},
    {"GET", "/v1/fail", "fail", 0, 0, NULL, NULL, 0, NULL, 0, fail},
    {"GET", "/v1/forget", "forget", 0, 0, NULL, NULL, 0, NULL, 0, forget_to_answer},
    {"GET", "/v1/counts", "counts", 0, 0, NULL, NULL, 0, NULL, 0, counts},
};

static const struct http_file files[] = {
    {"/console/",
     "text/html; charset=utf-8",
     "\"e1\"",
     false,
     {(const uint8_t *)"<html>hi</html>", 15},
     {NULL, 0}},
    {"/console/app-1a2b.js", "text/javascript", "\"e2\"", true, {(const uint8_t *)"1;", 2}, {NULL, 0}},
};

/* ---- the program ---- */

static void serve(void *argument, struct world *here, struct http_exchange *exchange)
{
    struct http_call call = {here, exchange, argument};
    atomic_fetch_add_explicit(&call.door->served, 1, memory_order_relaxed);
    http_head(exchange)->route->handle(&call);
}

static struct bytes read_file(struct scope *scope, const char *path)
{
    FILE *file = fopen(path, "rb");
    check(file, "%s", path);
    char *text = scope_alloc(scope, 65536);
    size_t size = fread(text, 1, 65536, file);
    fclose(file);
    return bytes_of(text, size);
}

static void reload(struct world *world, void *argument)
{
    struct door *door = argument;
    struct error error = {0};
    struct bytes certificate = read_file(world->scope, door->certificate_path);
    struct bytes key = read_file(world->scope, door->key_path);
    bool failed = http_reload_certificate(door->http, certificate, key, &error);
    printf("reloaded %s\n", failed ? error_text(&error, ERROR_MESSAGE) : "ok");
    fflush(stdout);
}

static void listen_on_core_0(struct door *door, struct world *world)
{
    struct error error = {0};
    struct net_address bound;
    char text[NET_ADDRESS_TEXT_BYTES];
    while (atomic_load(&door->opened) < world->cores)
        (void)fiber_sleep_until(world->scheduler, world->now_ns + NS_PER_MS);
    door->options.certificate_pem = read_file(world->scope, door->certificate_path);
    door->options.key_pem = read_file(world->scope, door->key_path);
    if (http_listen(door->http, world, &door->options, &bound, &error)) {
        fprintf(stderr, "%s\n", error_text(&error, ERROR_MESSAGE));
        door->failed = true;
        world_stop(world);
    } else {
        net_address_text(&bound, text);
        printf("ready %s\n", text);
        fflush(stdout);
    }
    atomic_store(&door->listening, 1);
}

static void core_main(struct world *world, void *argument)
{
    struct door *door = argument;
    struct error error = {0};
    check(!http_core_open(door->http, world, world->scope, &error));
    atomic_fetch_add(&door->opened, 1);
    if (world->core == 0)
        listen_on_core_0(door, world);
    (void)world_wait_stop(world, FIBER_NO_DEADLINE);
    while (!atomic_load(&door->listening))
        (void)fiber_sleep_until(world->scheduler, world->now_ns + NS_PER_MS);
    http_stop(door->http, world->now_ns + 2000 * NS_PER_MS);
    http_drain(door->http, world);
}

static void read_option(struct door *door, const char *option)
{
    uint32_t value = (uint32_t)strtoul(strchr(option, '=') + 1, NULL, 10);
    if (strncmp(option, "connections=", 12) == 0)
        door->options.connections_max = value;
    else if (strncmp(option, "idle_ms=", 8) == 0)
        door->options.idle_timeout_ms = value;
    else if (strncmp(option, "send_ms=", 8) == 0)
        door->options.send_timeout_ms = value;
    else
        check(false, "option %s", option);
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct door door = {0};
    check(argc >= 6, "door PORT CORES LOOPS CERTIFICATE KEY [option=value...]");
    struct scope *scope = scope_open_root("door", NULL);
    check(scope && !http_open(scope, &door.http, &error));
    door.options = (struct http_options){
        .routes = routes,
        .route_count = sizeof routes / sizeof *routes,
        .files = files,
        .file_count = sizeof files / sizeof *files,
        .loops = (uint32_t)atoi(argv[3]),
        .serve = serve,
        .argument = &door,
    };
    check(net_address_parse("127.0.0.1", &door.options.address));
    door.options.address.port = (uint16_t)atoi(argv[1]);
    door.certificate_path = argv[4];
    door.key_path = argv[5];
    for (int i = 6; i < argc; i++)
        read_option(&door, argv[i]);
    const struct linux_options options = {
        .cores = (uint32_t)atoi(argv[2]),
        .memory_bytes = 1UL << 30,
        .connections_max = 1000,
        .log_level = LOG_WARN,
        .catch_signals = true,
        .hangup = reload,
    };
    if (linux_run(&options, core_main, &door, &error)) {
        fprintf(stderr, "%s\n", error_text(&error, ERROR_MESSAGE));
        return 1;
    }
    scope_close(scope);
    return door.failed;
}
