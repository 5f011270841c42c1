#include "test/fuzz/fake_loop.h"

#include "base/check.h"
#include "restgw/api/api.h"
#include "restgw/http/door.h"
#include "restgw/http/query.h"

#include <string.h>

#define NS_PER_MS 1000000UL

struct fake_door {
    struct world *world;
    struct scope *scope;
    struct http http;
    struct api *api;
};

/* A request at the loop. */
struct fake_exchange {
    struct http_exchange exchange;
    const struct fake_request *request;
    struct fake_answer *answer;
    struct scope *scope;
    struct fiber_queue changed;
    uint8_t *taken; /* of the stream */
    size_t taken_bytes, taken_room;
    bool said_last, returned;
};

/* ---- what a core calls ---- */

static void take(struct fake_exchange *fake, struct bytes data)
{
    if (fake->taken_bytes + data.size + 1 > fake->taken_room) {
        size_t room = 2 * (fake->taken_bytes + data.size + 1);
        uint8_t *larger = scope_alloc(fake->scope, room);
        if (fake->taken_bytes)
            memcpy(larger, fake->taken, fake->taken_bytes);
        fake->taken = larger;
        fake->taken_room = room;
    }
    if (data.size)
        memcpy(fake->taken + fake->taken_bytes, data.data, data.size);
    fake->taken_bytes += data.size;
}

static bool is_gone(const struct fake_exchange *fake)
{
    size_t after = fake->request->gone_after_bytes;
    return http_gone(&fake->exchange) || (after && fake->taken_bytes >= after);
}

void http_land_piece(struct http_loop *loop, struct http_word *word)
{
    struct fake_exchange *fake = container_of(word, struct fake_exchange, exchange.piece);
    take(fake, fake->exchange.data);
    /* A client that goes with this piece never takes it. */
    if (!is_gone(fake))
        http_hear_taken(NULL, &fake->exchange.taken);
}

void http_land_last(struct http_loop *loop, struct http_word *word)
{
    struct fake_exchange *fake = container_of(word, struct fake_exchange, exchange.last);
    struct http_exchange *exchange = &fake->exchange;
    fake->said_last = true;
    fake->answer->elsewhere = exchange->how == HTTP_LAST_ELSEWHERE;
    if (exchange->how != HTTP_LAST_ANSWER && exchange->how != HTTP_LAST_STREAM)
        return;
    take(fake, exchange->data);
    fake->answer->whole = true;
    fake->answer->status = exchange->status;
    fake->answer->type = exchange->answer_type;
}

void http_land_returned(struct http_loop *loop, struct http_word *word)
{
    container_of(word, struct fake_exchange, exchange.returned)->returned = true;
}

/* Words reach a real loop later; what lands here may not depend on that. */
void http_say(struct http_loop *loop, struct http_word *word)
{
    struct fiber_queue *changed = (struct fiber_queue *)loop;
    word->land(NULL, word);
    fiber_wake_all(changed);
}

void http_count(const struct http *http, struct http_counts *counts)
{
    *counts = (struct http_counts){0};
}

/* ---- what a loop does ---- */

static struct bytes split(struct bytes *rest, uint8_t at)
{
    const uint8_t *found = memchr(rest->data, at, rest->size);
    struct bytes before = bytes_of(rest->data, found ? (size_t)(found - rest->data) : rest->size);
    *rest = found ? bytes_of(found + 1, rest->size - before.size - 1) : bytes_of(rest->data, 0);
    return before;
}

/* False: the loop answers by itself. */
static bool route(struct fake_door *door, struct fake_exchange *fake)
{
    struct http_exchange *exchange = &fake->exchange;
    struct bytes query = bytes_of_text(fake->request->target), path = split(&query, '?');
    struct router_match match;
    struct error error;
    if (router_find(door->http.router, bytes_of_text(fake->request->method), path, &match) != ROUTER_ROUTE)
        return false;
    uint8_t *room = scope_alloc(fake->scope, 2 * (path.size + query.size) + 1);
    exchange->head.route = match.route;
    exchange->head.method = match.route->method;
    exchange->head.path = path;
    exchange->head.query = query;
    exchange->query = scope_alloc_zeroed(fake->scope, (match.route->query_count + 1) * sizeof(struct bytes));
    return !query_read_path(match.route, match.parameters, exchange->head.parameters, room, &error) &&
           !query_read(match.route, query, exchange->query, room + path.size, &error);
}

static void headers(struct fake_exchange *fake)
{
    struct http_header *header = scope_alloc(fake->scope, 3 * sizeof *header);
    size_t count = 0;
    header[count++] = (struct http_header){bytes_of_text("content-type"), bytes_of_text("application/json")};
    if (fake->request->authorization)
        header[count++] =
            (struct http_header){bytes_of_text("authorization"), bytes_of_text(fake->request->authorization)};
    if (fake->request->accept)
        header[count++] = (struct http_header){bytes_of_text("accept"), bytes_of_text(fake->request->accept)};
    fake->exchange.head.headers = header;
    fake->exchange.head.header_count = count;
}

static void client_goes(struct fake_exchange *fake)
{
    if (http_gone(&fake->exchange) || fake->said_last)
        return;
    atomic_store(&fake->exchange.gone, true);
    http_hear_gone(NULL, &fake->exchange.gone_landing);
}

void fake_ask(struct fake_door *door, struct scope *scope, const struct fake_request *request,
              struct fake_answer *answer)
{
    struct scheduler *scheduler = door->world->scheduler;
    struct fake_exchange *fake = scope_alloc_zeroed(scope, sizeof *fake);
    struct http_exchange *exchange = &fake->exchange;
    *answer = (struct fake_answer){0};
    *fake = (struct fake_exchange){.request = request, .answer = answer, .scope = scope};
    fiber_queue_init(&fake->changed);
    if (!route(door, fake)) {
        answer->status = 404;
        return;
    }
    headers(fake);
    exchange->http = &door->http;
    exchange->loop = (struct http_loop *)&fake->changed; /* who is told of a word */
    exchange->head.version = 2;
    exchange->body = request->body;
    atomic_init(&exchange->gone, false);
    uint64_t gone_ns =
        request->gone_after_ms ? door->world->now_ns + request->gone_after_ms * NS_PER_MS : FIBER_NO_DEADLINE;
    http_arrive(NULL, &exchange->arrival);
    while (!fake->said_last) {
        if (fiber_wait(scheduler, &fake->changed, gone_ns) == FIBER_TIMED_OUT || is_gone(fake)) {
            client_goes(fake);
            gone_ns = FIBER_NO_DEADLINE;
        }
    }
    answer->body = bytes_of(fake->taken, fake->taken_bytes);
    if (http_gone(exchange))
        answer->status = 0;
    http_hear_release(NULL, &exchange->release);
    while (!fake->returned)
        (void)fiber_wait(scheduler, &fake->changed, FIBER_NO_DEADLINE);
}

void fake_post(struct fake_door *door, struct scope *scope, const char *target, const char *body,
               struct fake_answer *answer)
{
    const struct fake_request request = {.method = "POST",
                                         .target = target,
                                         .authorization = "Basic c3lub2Q6c2VjcmV0", /* synod:secret */
                                         .body = bytes_of_text(body)};
    fake_ask(door, scope, &request, answer);
}

/* ---- the door ---- */

struct fake_door *fake_open(struct world *world, struct scope *scope, struct sessions *sessions)
{
    void *memory, *shared = scope_alloc_zeroed(scope, api_shared_size());
    const struct api_options options = {.sessions = sessions, .shared = shared, .database = "synod"};
    struct error error;
    check(!scope_alloc_large(scope, sizeof(struct fake_door), _Alignof(struct fake_door), &memory, &error));
    struct fake_door *door = memset(memory, 0, sizeof *door);
    door->world = world;
    door->scope = scope;
    door->http.options.serve = api_serve;
    door->http.options.argument = shared;
    door->http.options.send_timeout_ms = 1000;
    door->http.router = router_open(scope, api_routes, api_route_count, NULL, 0);
    struct http_core *core = http_core_of(&door->http, world->core);
    core->world = world;
    core->scope = scope_open(scope, "http");
    core->http = &door->http;
    api_shared_open(shared, world, NULL);
    check(!api_open(world, scope, &options, &door->api, &error), "%s", error_text(&error, ERROR_MESSAGE));
    return door;
}

void fake_close(void *argument)
{
    struct fake_door *door = argument;
    check(http_core_of(&door->http, door->world->core)->open == 0);
    api_drain(door->api);
}
