/* REST sessions: opening, taking turns, ending.
 *
 *     rest_open --> free <--> taken (by one request at a time; others wait in the order they came)
 *                     |
 *                     +--> closing: asked to close, told to end (pg_terminate_backend), or nobody came for idle_ms --> gone
 *
 * One-offs are sessions without a key, for requests that come with a password or an API key: kept between requests, each time
 * made as new. */
#include "base/base64.h"
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- numbers ---- */

int64_t wall_us(const struct api *api)
{
    return world_wall(api->world);
}

uint64_t id_draw(struct api *api)
{
    api->number += CORES_MAX;
    return api->number;
}

const char *id_text(struct scope *scope, uint64_t number)
{
    char *text = scope_alloc(scope, 32);
    snprintf(text, 32, "1.1.%" PRIu64, number);
    return text;
}

bool id_read(struct bytes text, uint64_t *number)
{
    if (text.size < 5 || text.size > 24 || memcmp(text.data, "1.1.", 4) != 0)
        return false;
    *number = 0;
    for (size_t i = 4; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *number > UINT64_MAX / 10 - 10)
            return false;
        *number = *number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return true;
}

struct rest *rest_find(struct api *api, uint64_t number)
{
    return map_find_number(&api->by_number, number);
}

/* ---- opening ---- */

/* Called from anywhere on this core; the ticker ends the session. */
static void rest_terminate(void *argument, enum sqlstate state, const char *message)
{
    struct rest *rest = argument;
    (void)state;
    if (!rest->ending)
        rest->ending = message;
    session_interrupt(rest->session);
}

static enum sqlstate rest_list(struct rest *rest, const struct rest_options *options, struct error *error)
{
    struct api *api = rest->api;
    enum sqlstate failed = SQLSTATE_OK;
    if (!options->keyed)
        return SQLSTATE_OK;
    rest->number = id_draw(api);
    failed = map_put_number(&api->by_number, rest->number, rest, NULL, error);
    if (!failed && options->cookie) {
        uint8_t random[34] = {(uint8_t)api->world->core};
        world_random(api->world, random + 1, 33);
        base64_write(bytes_of(random, sizeof random), BASE64_URL, rest->cookie_text);
        base64_write(bytes_of(random + 18, 16), BASE64_URL, rest->csrf);
        /* What the page may read must not be a part of what it may not. */
        world_random(api->world, random + 18, 16);
        base64_write(bytes_of(random, sizeof random), BASE64_URL, rest->cookie_text);
        rest->cookie = true;
        failed = map_put(&api->by_cookie, bytes_of_text(rest->cookie_text), rest, NULL, error);
    }
    if (failed) {
        map_remove_number(&api->by_number, rest->number);
        return failed;
    }
    list_append(&api->sessions, &rest->link);
    api->session_count++;
    metric_set_value(api->metrics.sessions, api->session_count);
    metric_add(api->metrics.sessions_total, 1);
    return SQLSTATE_OK;
}

enum sqlstate rest_keep(struct rest *rest, struct error *error)
{
    const struct rest_options options = {.keyed = true};
    return rest->number ? SQLSTATE_OK : rest_list(rest, &options, error);
}

enum sqlstate rest_open(struct api *api, const struct rest_options *options, struct rest **opened,
                        struct error *error)
{
    if (api->draining)
        return error_set(error, SQLSTATE_CANNOT_CONNECT_NOW, "the database system is shutting down");
    if (options->keyed && api->session_count >= REST_SESSIONS_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_CONNECTIONS, "sorry, too many clients already");
    struct scope *scope = scope_open(api->scope, "rest session");
    struct rest *rest = scope_alloc_zeroed(scope, sizeof *rest);
    rest->api = api;
    rest->scope = scope;
    rest->sink.ops = &result_sink_ops;
    rest->role = scope_copy_text(scope, options->role);
    rest->database = scope_copy_text(scope, options->database);
    rest->scopes = options->scopes;
    rest->idle_ms = options->idle_ms ? options->idle_ms : REST_IDLE_DEFAULT_MS;
    rest->created_us = rest->used_us = wall_us(api);
    rest->used_ns = api->world->now_ns;
    snprintf(rest->application, sizeof rest->application, "%s",
             options->application ? options->application : "");
    list_init(&rest->runs);
    list_init(&rest->readies);
    list_link_init(&rest->link);
    fiber_queue_init(&rest->queue);
    map_init(&rest->ready, MAP_OF_BYTES, scope, api->seed);
    const struct session_options session = {
        .database = rest->database,
        .role = rest->role,
        .parameters = options->settings,
        .client_address = options->client ? options->client : "",
        .sink = &rest->sink,
        .terminate = rest_terminate,
        .argument = rest,
        .in_scope = true,
    };
    enum sqlstate failed = session_open(api->options.sessions, scope, &session, &rest->session, error);
    if (!failed)
        failed = rest_list(rest, options, error);
    if (failed) {
        fiber_close_scope(api->world->scheduler, scope);
        return failed;
    }
    *opened = rest;
    return SQLSTATE_OK;
}

/* ---- taking turns ---- */

enum sqlstate rest_take(struct rest *rest, struct error *error)
{
    struct api *api = rest->api;
    if (rest->busy && rest->waiting >= REST_WAITING_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_CONNECTIONS, "more than %d requests wait for this session",
                         REST_WAITING_MAX);
    enum sqlstate failed = SQLSTATE_OK;
    if (rest->busy) {
        rest->waiting++;
        /* Who gives it up leaves `busy` on and wakes the next, so that nobody comes in between. */
        enum fiber_wake wake = fiber_wait(api->world->scheduler, &rest->queue, FIBER_NO_DEADLINE);
        rest->waiting--;
        if (wake != FIBER_WOKEN)
            return fiber_check_canceled(api->world->scheduler, error);
    }
    rest->busy = true;
    if (rest->closing || rest->ending)
        failed = error_set(error, SQLSTATE_CONNECTION_DOES_NOT_EXIST, "%s",
                           rest->ending ? rest->ending : "the session is closed");
    if (failed)
        rest_give(rest);
    return failed;
}

void rest_give(struct rest *rest)
{
    struct api *api = rest->api;
    rest->result = NULL;
    rest->used_ns = api->world->now_ns;
    rest->trimmed = false;
    if (rest->number && !rest->closing) {
        list_remove(&rest->link);
        list_append(&api->sessions, &rest->link);
    }
    if (!fiber_wake_one(&rest->queue))
        rest->busy = false;
}

/* ---- ending ---- */

static void rest_unlist(struct rest *rest)
{
    struct api *api = rest->api;
    if (!rest->number)
        return;
    map_remove_number(&api->by_number, rest->number);
    if (rest->cookie)
        map_remove(&api->by_cookie, bytes_of_text(rest->cookie_text));
    list_remove(&rest->link);
    list_link_init(&rest->link);
    api->session_count--;
    metric_set_value(api->metrics.sessions, api->session_count);
}

void rest_close(struct rest *rest)
{
    struct api *api = rest->api;
    struct scheduler *scheduler = api->world->scheduler;
    struct error error = {0};
    if (rest->closing)
        return;
    rest->closing = true;
    rest_unlist(rest);
    fiber_shield_begin(scheduler);
    if (rest->busy) {
        session_interrupt(rest->session);
        rest->waiting++;
        (void)fiber_wait(scheduler, &rest->queue, FIBER_NO_DEADLINE);
        rest->waiting--;
    }
    rest->busy = true;
    /* Those that wait behind us learn that it is closing, and let the next one in. */
    while (rest->waiting > 0) {
        fiber_wake_one(&rest->queue);
        fiber_yield(scheduler);
    }
    rest->busy = true;
    rest->result = NULL;
    if (rest->transaction.number)
        (void)transaction_finish(rest, false, &error);
    runs_drop(rest);
    loads_drop(rest);
    readies_drop(rest);
    session_close(rest->session);
    rest->session = NULL;
    /* Requests that came by its key may still look at it: they hold the scope. */
    scope_close(rest->scope);
    fiber_shield_end(scheduler);
}

/* ---- one-offs ---- */

enum sqlstate one_off_take(struct api *api, const char *role, const char *database, const char *client,
                           struct rest **taken, struct error *error)
{
    list_each (&api->one_offs, at) {
        struct rest *rest = container_of(at, struct rest, link);
        if (rest->ending || strcmp(rest->role, role) != 0 || strcmp(rest->database, database) != 0)
            continue;
        list_remove(&rest->link);
        list_link_init(&rest->link);
        api->one_off_count--;
        rest->busy = true;
        *taken = rest;
        return SQLSTATE_OK;
    }
    const char *const settings[] = {"application_name", "synod rest", NULL};
    const struct rest_options options = {
        .role = role,
        .database = database,
        .application = "synod rest",
        .client = client,
        .settings = settings,
        .idle_ms = ONE_OFF_IDLE_MS,
        .scopes = SCOPE_ALL,
    };
    enum sqlstate failed = rest_open(api, &options, taken, error);
    if (!failed)
        (*taken)->busy = true;
    return failed;
}

static bool rest_is_new(struct rest *rest)
{
    return session_status(rest->session) == 'I' && !rest->implicit && list_empty(&rest->runs);
}

void one_off_give(struct rest *rest)
{
    struct api *api = rest->api;
    struct error error = {0};
    enum sqlstate failed = SQLSTATE_OK;
    fiber_shield_begin(api->world->scheduler);
    if (!rest_is_new(rest) || api->one_off_count >= ONE_OFF_KEPT || rest->ending || api->draining)
        failed = SQLSTATE_TOO_MANY_CONNECTIONS;
    /* Those with the same role may find what one of them has prepared: it is found by its content alone. */
    if (!failed && !session_is_new(rest->session)) {
        readies_drop(rest);
        failed = session_query(rest->session, "discard all", &error);
    }
    fiber_shield_end(api->world->scheduler);
    /* Nobody else knows of it: it would wait for us for ever. */
    rest->busy = false;
    if (failed) {
        rest_close(rest);
        return;
    }
    rest->result = NULL;
    rest->used_ns = api->world->now_ns;
    list_prepend(&api->one_offs, &rest->link); /* the warmest is taken first, the others may grow old */
    api->one_off_count++;
}

/* ---- who is not used any more ---- */

/* The longest unused one that has to end; NULL when there is none. */
static struct rest *rest_stale(struct api *api, uint64_t now_ns)
{
    list_each (&api->sessions, at) {
        struct rest *rest = container_of(at, struct rest, link);
        if (rest->ending || (!rest->busy && now_ns > rest->used_ns + rest->idle_ms * NS_PER_MS))
            return rest;
    }
    list_each (&api->one_offs, at) {
        struct rest *rest = container_of(at, struct rest, link);
        if (rest->ending || now_ns > rest->used_ns + rest->idle_ms * NS_PER_MS)
            return rest;
    }
    return NULL;
}

/* What a session keeps for its next statement is no use when that does not come: it goes, and is made again. */
static void sessions_trim(struct api *api)
{
    list_each (&api->sessions, at) {
        struct rest *rest = container_of(at, struct rest, link);
        if (api->world->now_ns < rest->used_ns + REST_TRIM_MS * NS_PER_MS)
            return; /* those behind were used later */
        if (rest->busy || rest->trimmed || rest->cursors || session_status(rest->session) != 'I')
            continue;
        readies_drop(rest);
        session_trim(rest->session);
        rest->trimmed = true;
    }
}

static void tick_once(struct api *api)
{
    sessions_trim(api);
    struct rest *rest;
    while ((rest = rest_stale(api, api->world->now_ns))) {
        if (!rest->number) {
            list_remove(&rest->link);
            list_link_init(&rest->link);
            api->one_off_count--;
        }
        rest_close(rest);
    }
    /* Cursors: closing one may yield, so the walk begins anew then. */
    for (bool again = true; again;) {
        again = false;
        list_each (&api->sessions, at) {
            struct rest *each = container_of(at, struct rest, link);
            if (each->busy || !each->cursors)
                continue;
            uint32_t before = each->cursors;
            each->busy = true;
            runs_tick(each, api->world->now_ns);
            again = each->cursors != before;
            if (!fiber_wake_one(&each->queue))
                each->busy = false;
            if (again)
                break;
        }
    }
}

void rest_tick(void *argument)
{
    struct api *api = argument;
    struct scheduler *scheduler = api->world->scheduler;
    uint64_t cleaned_ns = api->world->now_ns;
    while (!api->draining) {
        if (fiber_sleep_until(scheduler, api->world->now_ns + REST_TICK_MS * NS_PER_MS) == FIBER_CANCELED)
            break;
        tick_once(api);
        if (api->world->core != 0 || api->world->now_ns < cleaned_ns + 10 * 60 * 1000 * NS_PER_MS)
            continue;
        cleaned_ns = api->world->now_ns;
        records_clean(api);
    }
    api->ticker = NULL;
    fiber_wake_all(&api->ticker_gone);
}
