/* The door: opening, serving a request, ending. */
#include "restgw/api/inside.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

size_t api_shared_size(void)
{
    return sizeof(struct api_shared);
}

void api_shared_open(void *room, struct world *world, struct http *http)
{
    struct api_shared *shared = room;
    shared->http = http;
    shared->cores = world->cores;
    shared->started_us = (uint64_t)world_wall(world);
    world_random(world, shared->secret, sizeof shared->secret);
}

enum sqlstate api_open(struct world *world, struct scope *scope, const struct api_options *options,
                       struct api **opened, struct error *error)
{
    struct api *api = scope_alloc_zeroed(scope, sizeof *api);
    void *rings[2];
    static const size_t sizes[2] = {OUTCOMES_KEPT * sizeof(struct outcome),
                                    REQUESTS_KEPT * sizeof(struct request_record)};
    api->world = world;
    api->scope = scope;
    api->options = *options;
    api->shared = options->shared;
    api->number = api->shared->started_us * CORES_MAX + world->core;
    world_random(world, &api->seed, sizeof api->seed);
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < 2 && !failed; i++)
        if (!(failed = scope_alloc_large(scope, sizes[i], 64, &rings[i], error)))
            memset(rings[i], 0, sizes[i]);
    if (!failed)
        failed = proofs_open(api, error);
    if (failed)
        return failed;
    api->outcomes = rings[0];
    api->requests = rings[1];
    list_init(&api->sessions);
    list_init(&api->one_offs);
    list_init(&api->commons);
    list_init(&api->known);
    fiber_queue_init(&api->ticker_gone);
    fiber_queue_init(&api->tries);
    map_init(&api->by_number, MAP_OF_NUMBERS, scope, api->seed);
    map_init(&api->by_cookie, MAP_OF_BYTES, scope, api->seed);
    map_init(&api->runs, MAP_OF_BYTES, scope, api->seed);
    map_init(&api->prepared, MAP_OF_BYTES, scope, api->seed);
    metrics_open(api);
    failed = fiber_start(world->scheduler, scope, "rest ticker", rest_tick, api, &api->ticker, error);
    if (failed)
        return failed;
    __atomic_store_n(&api->shared->core[world->core], api, __ATOMIC_RELEASE);
    *opened = api;
    return SQLSTATE_OK;
}

void api_drain(struct api *api)
{
    struct scheduler *scheduler = api->world->scheduler;
    api->draining = true;
    fiber_shield_begin(scheduler);
    if (api->ticker)
        fiber_cancel(api->ticker, SQLSTATE_ADMIN_SHUTDOWN, "the node stops");
    while (api->ticker)
        (void)fiber_wait(scheduler, &api->ticker_gone, FIBER_NO_DEADLINE);
    while (!list_empty(&api->sessions))
        rest_close(container_of(list_first(&api->sessions), struct rest, link));
    struct list_link *at;
    while ((at = list_take_first(&api->one_offs)))
        rest_close(container_of(at, struct rest, link));
    commons_drop(api);
    fiber_shield_end(scheduler);
}

/* ---- one request ---- */

static void request_begin(struct http_call *call)
{
    struct api *api = call->api;
    const struct http_head *head = call->head;
    call->request = api->request_count++;
    struct request_record *record = &api->requests[call->request % REQUESTS_KEPT];
    record->status = 0;
    record->elapsed_us = 0;
    record->session = 0;
    record->role[0] = '\0';
    record->started_us = wall_us(api);
    memcpy(record->id, call->id, sizeof record->id);
    size_t method = strnlen(head->method, sizeof record->method - 1);
    memcpy(record->method, head->method, method);
    record->method[method] = '\0';
    size_t size = head->path.size < sizeof record->path ? head->path.size : sizeof record->path - 1;
    memcpy(record->path, head->path.data, size);
    record->path[size] = '\0';
}

static void request_end(struct http_call *call)
{
    struct api *api = call->api;
    struct request_record *record = &api->requests[call->request % REQUESTS_KEPT];
    if (call->request + REQUESTS_KEPT < api->request_count)
        return;
    record->status = call->status;
    record->elapsed_us = (world_now(api->world) - call->began_ns) / 1000;
    record->session = call->rest ? call->rest->number : 0;
    size_t role = call->principal.role ? strnlen(call->principal.role, sizeof record->role - 1) : 0;
    memcpy(record->role, role ? call->principal.role : "", role);
    record->role[role] = '\0';
}

static void call_run(struct http_call *call)
{
    const struct http_route *route = call->head->route;
    bool own = route->handle == api_create_session; /* which looks itself */
    if (!(route->flags & HTTP_PUBLIC) && !own && !call_authenticate(call))
        return;
    request_begin(call);
    if (route->flags & HTTP_BODY_JSON && !(route->flags & HTTP_BODY_TEXT)) {
        call->body = http_json(call->exchange);
        if (!call->body) {
            call->answered = true;
            call->status = 400;
            request_end(call);
            return;
        }
    }
    route->handle(call);
    if (!call->answered)
        call_problem(call, 500, "internal-error", "Internal error", "the request was not answered");
    request_end(call);
}

void api_serve(void *argument, struct world *here, struct http_exchange *exchange)
{
    const struct api_shared *shared = argument;
    struct api *api = shared->core[here->core];
    const struct http_head *head = http_head(exchange);
    struct http_call call = {
        .api = api,
        .world = here,
        .exchange = exchange,
        .head = head,
        .scope = http_scope(exchange),
        .began_ns = world_now(here),
    };
    uuid_write(head->id, call.id);
    if (!api || api->draining) {
        struct problem problem =
            problem_make(503, "starting-or-stopping", "Not serving", "the node is starting or shutting down");
        problem.retry = PROBLEM_AFTER_DELAY;
        problem.retry_after_ms = 1000;
        http_problem(exchange, &problem);
        return;
    }
    call_run(&call);
    call_end(&call);
}
