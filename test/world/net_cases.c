/* Connections. All over the loopback address, which the simulator has, too. */
#include "test/world/cases.h"

#include "base/scope.h"

#include <string.h>

static const struct net_address loopback = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};

static struct listener *listen_somewhere(struct world *world, struct scope *scope, struct net_address *bound)
{
    struct listener *listener = NULL;
    struct error error = {0};
    must(net_listen(world, scope, &loopback, &listener, bound, &error), &error);
    ck_assert_uint_ne(bound->port, 0);
    return listener;
}

static struct stream *accept_one(struct world *world, struct scope *scope, struct listener *listener)
{
    struct net_handover connection;
    struct stream *stream = NULL;
    struct error error = {0};
    must(net_accept(world, listener, &connection, patience(world), &error), &error);
    must(net_adopt(world, scope, &connection, &stream, &error), &error);
    return stream;
}

/* The two ends of one connection, each in a scope of its own. */
struct pair {
    struct world *world;
    struct net_address address;
    struct scope *client_scope, *server_scope;
    struct stream *client, *server;
};

static void connect_client(struct task *task)
{
    struct pair *pair = task->with;
    task->failed = net_connect(task->world, pair->client_scope, &pair->address, patience(task->world),
                               &pair->client, &task->error);
}

static void pair_open(struct pair *pair, struct world *world)
{
    struct task connecting;
    struct scope *scope = scope_open(world->scope, "listener");
    *pair = (struct pair){.world = world};
    pair->client_scope = scope_open(world->scope, "client");
    pair->server_scope = scope_open(world->scope, "server");
    struct listener *listener = listen_somewhere(world, scope, &pair->address);
    task_start(&connecting, world, world->scope, connect_client, pair);
    pair->server = accept_one(world, pair->server_scope, listener);
    task_join(&connecting);
    must(connecting.failed, &connecting.error);
    fiber_close_scope(world->scheduler, scope);
}

/* Sends `size` bytes of the pattern in pieces that differ in size, some empty. */
static enum sqlstate send_pattern(struct world *world, struct stream *stream, size_t size, uint32_t seed,
                                  uint64_t deadline_ns, struct error *error)
{
    struct scope *scope = scope_open(world->scope, "send");
    uint8_t *data = memory_of(scope, size ? size : 1);
    struct bytes pieces[101];
    size_t count = 1 + seed * 29 % 101, at = 0;
    pattern_fill(data, size, 0, seed);
    for (size_t i = 0; i < count; i++) {
        size_t rest = size - at;
        size_t piece = i + 1 == count ? rest : i % 5 == 3 ? 0 : rest / (count - i);
        pieces[i] = bytes_of(piece ? data + at : NULL, piece);
        at += piece;
    }
    enum sqlstate failed = stream_send(stream, pieces, count, deadline_ns, error);
    scope_close(scope); /* the memory is ours again, however it ended */
    return failed;
}

/* Receives exactly `size` bytes of the pattern. */
static void expect_bytes(struct world *world, struct stream *stream, size_t size, uint32_t seed)
{
    struct error error = {0};
    for (size_t at = 0; at < size;) {
        struct bytes view;
        must(stream_receive(stream, &view, patience(world), &error), &error);
        ck_assert_msg(view.size > 0, "the end after %zu of %zu bytes", at, size);
        ck_assert_uint_le(view.size, size - at);
        ck_assert_msg(pattern_holds(view.data, view.size, at, seed), "bytes differ behind %zu", at);
        at += view.size;
    }
}

static void expect_end(struct world *world, struct stream *stream)
{
    struct error error = {0};
    for (int i = 0; i < 2; i++) { /* and it stays the end */
        struct bytes view = bytes_of("x", 1);
        must(stream_receive(stream, &view, patience(world), &error), &error);
        ck_assert_uint_eq(view.size, 0);
    }
}

/* Sends back what comes until the end, then ends. */
static void echo(struct task *task)
{
    struct stream *stream = task->with;
    struct bytes view;
    for (;;) {
        task->failed = stream_receive(stream, &view, FIBER_NO_DEADLINE, &task->error);
        if (task->failed || !view.size)
            break;
        task->failed = stream_send(stream, &view, 1, FIBER_NO_DEADLINE, &task->error);
        if (task->failed)
            return;
    }
    if (!task->failed)
        task->failed = stream_shutdown(stream, FIBER_NO_DEADLINE, &task->error);
}

/* ---- listening and connecting ---- */

static void port_zero_gives_a_free_port(struct world *world, void *place)
{
    struct net_address first = {0}, second = {0};
    listen_somewhere(world, world->scope, &first);
    listen_somewhere(world, world->scope, &second);
    ck_assert_uint_ne(first.port, second.port);
    ck_assert_mem_eq(first.ip, loopback.ip, 16);
    ck_assert(!first.v6);
}

static void address_in_use_is_told(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address, again;
    struct listener *second;
    char text[NET_ADDRESS_TEXT_BYTES];
    struct scope *scope = scope_open(world->scope, "listener");
    listen_somewhere(world, scope, &address);
    must_fail("55006", net_listen(world, world->scope, &address, &second, &again, &error), &error);
    net_address_text(&address, text);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), text));
    fiber_close_scope(world->scheduler, scope);
    must(net_listen(world, world->scope, &address, &second, &again, &error), &error);
    ck_assert_uint_eq(again.port, address.port);
}

static void refused_connection_is_told(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address;
    struct stream *stream;
    struct scope *scope = scope_open(world->scope, "listener");
    listen_somewhere(world, scope, &address);
    fiber_close_scope(world->scheduler, scope);
    must_fail("08006", net_connect(world, world->scope, &address, patience(world), &stream, &error), &error);
}

static void numeric_and_local_names_resolve(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address = {0};
    must(net_resolve(world, "127.0.0.1", 77, &address, &error), &error);
    ck_assert_mem_eq(address.ip, loopback.ip, 16);
    ck_assert_uint_eq(address.port, 77);
    must(net_resolve(world, "::1", 78, &address, &error), &error);
    ck_assert(address.v6 && address.port == 78);
    must(net_resolve(world, "localhost", 79, &address, &error), &error);
    ck_assert_uint_eq(address.port, 79);
    must_fail("08006", net_resolve(world, "no such host", 80, &address, &error), &error);
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "no such host"));
}

static void both_ends_know_the_peer(struct world *world, void *place)
{
    struct pair pair;
    pair_open(&pair, world);
    ck_assert_uint_eq(pair.client->peer.port, pair.address.port);
    ck_assert_mem_eq(pair.client->peer.ip, loopback.ip, 16);
    ck_assert_uint_ne(pair.server->peer.port, 0);
    ck_assert_mem_eq(pair.server->peer.ip, loopback.ip, 16);
}

/* ---- bytes ---- */

struct sender {
    struct pair *pair;
    size_t size;
    uint32_t seed;
};

static void send_from_client(struct task *task)
{
    struct sender *sender = task->with;
    task->failed = send_pattern(task->world, sender->pair->client, sender->size, sender->seed,
                                patience(task->world), &task->error);
}

static void echo_gives_back_every_byte_once(struct world *world, void *place)
{
    static const size_t sizes[] = {0, 1, 2, 3, 100, 4095, 4096, 4097, 65535, 65536, 70001, 300000, 1 << 20};
    struct pair pair;
    struct task echoing, sending;
    struct error error = {0};
    pair_open(&pair, world);
    task_start(&echoing, world, world->scope, echo, pair.server);
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sender sender = {&pair, sizes[i], i};
        task_start(&sending, world, world->scope, send_from_client, &sender);
        expect_bytes(world, pair.client, sizes[i], i);
        task_join(&sending);
        must(sending.failed, &sending.error);
    }
    must(stream_shutdown(pair.client, patience(world), &error), &error);
    expect_end(world, pair.client);
    task_join(&echoing);
    must(echoing.failed, &echoing.error);
}

static void half_closed_connection_still_works_the_other_way(struct world *world, void *place)
{
    struct pair pair;
    struct error error = {0};
    pair_open(&pair, world);
    must(send_pattern(world, pair.client, 1000, 1, patience(world), &error), &error);
    must(stream_shutdown(pair.client, patience(world), &error), &error);
    expect_bytes(world, pair.server, 1000, 1);
    expect_end(world, pair.server);
    must(send_pattern(world, pair.server, 3000, 2, patience(world), &error), &error);
    expect_bytes(world, pair.client, 3000, 2);
    must(stream_shutdown(pair.server, patience(world), &error), &error);
    expect_end(world, pair.client);
}

static void closing_the_scope_ends_the_connection_in_order(struct world *world, void *place)
{
    struct pair pair;
    struct error error = {0};
    pair_open(&pair, world);
    must(send_pattern(world, pair.client, 5000, 1, patience(world), &error), &error);
    fiber_close_scope(world->scheduler, pair.client_scope);
    expect_bytes(world, pair.server, 5000, 1);
    expect_end(world, pair.server);
}

static void receive_once(struct task *task)
{
    struct stream *stream = task->with;
    struct bytes view = bytes_of(NULL, 0);
    task->failed = stream_receive(stream, &view, FIBER_NO_DEADLINE, &task->error);
    if (!task->failed)
        ck_assert_uint_gt(view.size, 0);
}

static void reset_is_seen_at_both_ends(struct world *world, void *place)
{
    struct pair pair;
    struct task near, far;
    struct error error = {0};
    pair_open(&pair, world);
    task_start(&near, world, world->scope, receive_once, pair.server);
    task_start(&far, world, world->scope, receive_once, pair.client);
    fiber_yield(world->scheduler);
    stream_reset(pair.server);
    task_join(&near);
    task_join(&far);
    must_fail("08006", near.failed, &near.error);
    must_fail("08006", far.failed, &far.error);
    must_fail("08006", send_pattern(world, pair.server, 10, 1, patience(world), &error), &error);
    stream_reset(pair.server); /* again: harmless */
}

static void sending_to_a_peer_that_reset_fails_in_the_end(struct world *world, void *place)
{
    struct pair pair;
    struct error error = {0};
    enum sqlstate failed;
    uint64_t deadline_ns = patience(world);
    pair_open(&pair, world);
    stream_reset(pair.server);
    do { /* the first may still find room on this side */
        failed = send_pattern(world, pair.client, 100000, 1, deadline_ns, &error);
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + MILLISECOND / 10),
                         FIBER_TIMED_OUT);
    } while (!failed);
    must_fail("08006", failed, &error);
}

/* ---- deadlines and cancellation ---- */

static void deadline_of_receive_loses_nothing(struct world *world, void *place)
{
    struct pair pair;
    struct error error = {0};
    struct bytes view;
    pair_open(&pair, world);
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t deadline_ns = world_now(world) + i * MILLISECOND / 10;
        must_fail("57P05", stream_receive(pair.server, &view, deadline_ns, &error), &error);
        ck_assert_uint_ge(world_now(world), deadline_ns);
        must(send_pattern(world, pair.client, 1 + i * 100, i, patience(world), &error), &error);
        expect_bytes(world, pair.server, 1 + i * 100, i);
    }
}

static void canceled_receive_loses_nothing(struct world *world, void *place)
{
    struct pair pair;
    struct task receiving;
    struct error error = {0};
    pair_open(&pair, world);
    for (uint32_t i = 0; i < 5; i++) {
        task_cancel_waiting(&receiving, world, world->scope, receive_once, pair.server);
        must(send_pattern(world, pair.client, 5000, i, patience(world), &error), &error);
        expect_bytes(world, pair.server, 5000, i);
    }
}

/* Even when there is no need to wait: or a peer that always sends would keep a session from ending. */
static void canceled_fiber_does_not_receive_until_it_forgets(struct world *world, void *place)
{
    struct pair pair;
    struct error error = {0};
    struct bytes view;
    struct fiber *self = fiber_running(world->scheduler);
    pair_open(&pair, world);
    must(send_pattern(world, pair.client, 5000, 1, patience(world), &error), &error);
    expect_bytes(world, pair.server, 5000, 1);
    must(send_pattern(world, pair.client, 100, 2, patience(world), &error), &error);
    fiber_cancel(self, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    for (int i = 0; i < 3; i++)
        must_fail("57014", stream_receive(pair.server, &view, patience(world), &error), &error);
    /* Shielded, it works as ever, to say good-bye; and when the cancellation was answered. */
    fiber_shield_begin(world->scheduler);
    expect_bytes(world, pair.server, 100, 2);
    fiber_shield_end(world->scheduler);
    fiber_cancel_clear(self);
    must(send_pattern(world, pair.client, 200, 3, patience(world), &error), &error);
    expect_bytes(world, pair.server, 200, 3);
    fiber_cancel(self, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    must_fail("57014", send_pattern(world, pair.client, 100, 2, patience(world), &error), &error);
    fiber_cancel_clear(self);
}

static void accept_once(struct task *task)
{
    struct net_handover connection;
    task->failed = net_accept(task->world, task->with, &connection, FIBER_NO_DEADLINE, &task->error);
    if (!task->failed)
        net_discard(task->world, &connection);
}

static void accepting_times_out_and_is_cancelable_and_goes_on(struct world *world, void *place)
{
    struct error error = {0};
    struct net_handover connection;
    struct task accepting, connecting;
    struct pair pair = {.world = world, .client_scope = world->scope};
    struct listener *listener = listen_somewhere(world, world->scope, &pair.address);
    for (int i = 0; i < 3; i++) {
        task_cancel_waiting(&accepting, world, world->scope, accept_once, listener);
        must_fail("57P05", net_accept(world, listener, &connection, world_now(world) + MILLISECOND, &error),
                  &error);
        task_start(&connecting, world, world->scope, connect_client, &pair);
        struct stream *server = accept_one(world, world->scope, listener);
        task_join(&connecting);
        must(connecting.failed, &connecting.error);
        must(send_pattern(world, pair.client, 100, 1, patience(world), &error), &error);
        expect_bytes(world, server, 100, 1);
    }
}

static void closing_a_listener_ends_the_wait_for_it(struct world *world, void *place)
{
    struct net_address address;
    struct task accepting;
    struct event gone;
    struct scope *scope = scope_open(world->scope, "listener");
    struct listener *listener = listen_somewhere(world, scope, &address);
    event_init(&gone, world);
    scope_undo(scope, event_happens, &gone);
    task_start(&accepting, world, world->scope, accept_once, listener);
    fiber_yield(world->scheduler);
    ck_assert(!accepting.over.happened);
    scope_close(scope);
    task_join(&accepting);
    ck_assert_int_ne(accepting.failed, SQLSTATE_OK);
    event_wait(&gone);
}

static void canceled_connect_leaves_nothing_behind(struct world *world, void *place)
{
    struct error error = {0};
    struct net_address address;
    struct stream *stream;
    struct fiber *self = fiber_running(world->scheduler);
    struct scope *scope = scope_open(world->scope, "listener");
    struct scope *client_scope = scope_open(world->scope, "client");
    listen_somewhere(world, scope, &address);
    fiber_cancel(self, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    must_fail("57014", net_connect(world, client_scope, &address, patience(world), &stream, &error), &error);
    fiber_cancel_clear(self);
    fiber_close_scope(world->scheduler, client_scope); /* hangs if an operation still held it */
    fiber_close_scope(world->scheduler, scope);
}

/* More than any kernel keeps for a peer that does not read. */
#define FLOOD_BYTES (64 << 20)

static void flood(struct task *task)
{
    struct stream *stream = task->with;
    struct scope *scope = scope_open(task->world->scope, "flood");
    struct bytes piece = bytes_of(memory_of(scope, 1 << 20), 1 << 20);
    memset((void *)piece.data, 1, piece.size);
    task->failed = SQLSTATE_OK;
    for (size_t sent = 0; sent < FLOOD_BYTES && !task->failed; sent += piece.size)
        task->failed = stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, &task->error);
    scope_close(scope);
}

/* The same in one send. */
static void flood_at_once(struct task *task, struct stream *stream, uint64_t deadline_ns)
{
    struct scope *scope = scope_open(task->world->scope, "flood");
    struct bytes pieces[FLOOD_BYTES >> 20];
    uint8_t *data = memory_of(scope, 1 << 20);
    memset(data, 1, 1 << 20);
    for (size_t i = 0; i < FLOOD_BYTES >> 20; i++)
        pieces[i] = bytes_of(data, 1 << 20);
    task->failed = stream_send(stream, pieces, FLOOD_BYTES >> 20, deadline_ns, &task->error);
    scope_close(scope);
}

static void flood_until_deadline(struct task *task)
{
    flood_at_once(task, task->with, world_now(task->world) + 20 * MILLISECOND);
}

static void flood_without_deadline(struct task *task)
{
    flood_at_once(task, task->with, FIBER_NO_DEADLINE);
}

static void sending_to_a_peer_that_does_not_read_meets_its_deadline(struct world *world, void *place)
{
    struct pair pair;
    struct task flooding;
    struct error error = {0};
    struct bytes view;
    pair_open(&pair, world);
    task_start(&flooding, world, world->scope, flood_until_deadline, pair.client);
    task_join(&flooding);
    must_fail("57P05", flooding.failed, &flooding.error);
    /* What followed would be in the middle of what was cut off. */
    must_fail("08006", send_pattern(world, pair.client, 10, 1, patience(world), &error), &error);
    must_fail("08006", stream_receive(pair.client, &view, patience(world), &error), &error);
}

static void canceled_send_gives_the_memory_back(struct world *world, void *place)
{
    struct pair pair;
    struct task flooding;
    struct error error = {0};
    pair_open(&pair, world);
    task_start(&flooding, world, world->scope, flood, pair.client);
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 5 * MILLISECOND),
                     FIBER_TIMED_OUT);
    ck_assert(!flooding.over.happened);
    fiber_cancel(flooding.fiber, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    task_join(&flooding);
    must_fail("57014", flooding.failed, &flooding.error);
    must_fail("08006", send_pattern(world, pair.client, 10, 1, patience(world), &error), &error);
}

static void sending_goes_on_when_the_peer_reads_again(struct world *world, void *place)
{
    struct pair pair;
    struct task flooding;
    struct error error = {0};
    pair_open(&pair, world);
    task_start(&flooding, world, world->scope, flood, pair.client);
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 5 * MILLISECOND),
                     FIBER_TIMED_OUT);
    for (size_t at = 0; at < FLOOD_BYTES;) {
        struct bytes view;
        must(stream_receive(pair.server, &view, patience(world), &error), &error);
        ck_assert_uint_gt(view.size, 0);
        ck_assert_uint_eq(view.data[0], 1);
        ck_assert_uint_eq(view.data[view.size - 1], 1);
        at += view.size;
    }
    task_join(&flooding);
    must(flooding.failed, &flooding.error);
}

static void receive_all(struct task *task)
{
    struct bytes view;
    do
        task->failed = stream_receive(task->with, &view, FIBER_NO_DEADLINE, &task->error);
    while (!task->failed && view.size);
}

static void flood_for_ever(struct task *task)
{
    do
        flood(task);
    while (!task->failed);
}

/* A peer that sends without end, and one that reads without end, leave the core to others, too. */
static void flood_does_not_take_the_core_for_itself(struct world *world, void *place)
{
    struct pair pair;
    struct task flooding, draining;
    pair_open(&pair, world);
    task_start(&flooding, world, world->scope, flood_for_ever, pair.client);
    task_start(&draining, world, world->scope, receive_all, pair.server);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + MILLISECOND),
                         FIBER_TIMED_OUT);
    fiber_cancel(flooding.fiber, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    task_join(&flooding);
    must_fail("57014", flooding.failed, &flooding.error);
    fiber_cancel(draining.fiber, SQLSTATE_QUERY_CANCELED, "canceled by the case");
    task_join(&draining);
    must_fail("57014", draining.failed, &draining.error);
}

/* ---- lifetimes ---- */

static void closing_a_streams_scope_ends_its_receive(struct world *world, void *place)
{
    struct pair pair;
    struct task receiving;
    struct event gone;
    pair_open(&pair, world);
    event_init(&gone, world);
    scope_undo(pair.server_scope, event_happens, &gone);
    task_start(&receiving, world, world->scope, receive_once, pair.server);
    fiber_yield(world->scheduler);
    ck_assert(!receiving.over.happened);
    scope_close(pair.server_scope);
    task_join(&receiving);
    ck_assert_int_ne(receiving.failed, SQLSTATE_OK);
    event_wait(&gone);
    expect_end(world, pair.client);
}

static void closing_a_streams_scope_ends_its_send(struct world *world, void *place)
{
    struct pair pair;
    struct task flooding;
    struct event gone;
    pair_open(&pair, world);
    event_init(&gone, world);
    scope_undo(pair.client_scope, event_happens, &gone);
    task_start(&flooding, world, world->scope, flood_without_deadline, pair.client);
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 5 * MILLISECOND),
                     FIBER_TIMED_OUT);
    ck_assert(!flooding.over.happened);
    scope_close(pair.client_scope);
    task_join(&flooding);
    ck_assert_int_ne(flooding.failed, SQLSTATE_OK);
    event_wait(&gone);
}

/* The fiber and its stream in one scope, as a session is. */
static void closing_a_sessions_scope_cancels_and_closes(struct world *world, void *place)
{
    struct pair pair;
    struct task receiving;
    pair_open(&pair, world);
    task_start(&receiving, world, pair.server_scope, receive_once, pair.server);
    fiber_yield(world->scheduler);
    fiber_close_scope(world->scheduler, pair.server_scope);
    ck_assert(receiving.over.happened);
    ck_assert_int_ne(receiving.failed, SQLSTATE_OK);
    expect_end(world, pair.client);
}

static void discarded_connection_is_closed(struct world *world, void *place)
{
    struct error error = {0};
    struct net_handover connection;
    struct bytes view = bytes_of("x", 1);
    struct task connecting;
    struct pair pair = {.world = world, .client_scope = world->scope};
    struct listener *listener = listen_somewhere(world, world->scope, &pair.address);
    task_start(&connecting, world, world->scope, connect_client, &pair);
    must(net_accept(world, listener, &connection, patience(world), &error), &error);
    task_join(&connecting);
    must(connecting.failed, &connecting.error);
    net_discard(world, &connection);
    /* In order or as a reset, but at an end. */
    enum sqlstate failed = stream_receive(pair.client, &view, patience(world), &error);
    if (failed)
        must_fail("08006", failed, &error);
    else
        ck_assert_uint_eq(view.size, 0);
}

#define MANY 100

struct client {
    struct task task;
    struct net_address address;
    uint32_t number;
};

static void connect_and_echo(struct task *task)
{
    struct client *client = task->with;
    struct world *world = task->world;
    struct scope *scope = scope_open(world->scope, "client");
    struct stream *stream;
    for (uint32_t i = 0; i < 3 && !task->failed; i++) {
        if (i == 0)
            task->failed =
                net_connect(world, scope, &client->address, patience(world), &stream, &task->error);
        if (!task->failed)
            task->failed =
                send_pattern(world, stream, 500 + client->number, i, patience(world), &task->error);
        if (!task->failed)
            expect_bytes(world, stream, 500 + client->number, i);
    }
    fiber_close_scope(world->scheduler, scope);
}

static void many_connections_keep_their_bytes_apart(struct world *world, void *place)
{
    struct net_address address;
    struct listener *listener = listen_somewhere(world, world->scope, &address);
    struct client *clients = memory_of(world->scope, MANY * sizeof *clients);
    struct task *echoes = memory_of(world->scope, MANY * sizeof *echoes);
    for (uint32_t i = 0; i < MANY; i++) {
        clients[i].address = address;
        clients[i].number = i;
        task_start(&clients[i].task, world, world->scope, connect_and_echo, &clients[i]);
    }
    for (uint32_t i = 0; i < MANY; i++)
        task_start(&echoes[i], world, world->scope, echo, accept_one(world, world->scope, listener));
    for (uint32_t i = 0; i < MANY; i++) {
        task_join(&clients[i].task);
        must(clients[i].task.failed, &clients[i].task.error);
        task_join(&echoes[i]);
        must(echoes[i].failed, &echoes[i].error);
    }
}

const struct world_case world_net_cases[] = {
    {"port_zero_gives_a_free_port", 1, port_zero_gives_a_free_port},
    {"address_in_use_is_told", 1, address_in_use_is_told},
    {"refused_connection_is_told", 1, refused_connection_is_told},
    {"numeric_and_local_names_resolve", 1, numeric_and_local_names_resolve},
    {"both_ends_know_the_peer", 1, both_ends_know_the_peer},
    {"echo_gives_back_every_byte_once", 1, echo_gives_back_every_byte_once},
    {"half_closed_connection_still_works_the_other_way", 1, half_closed_connection_still_works_the_other_way},
    {"closing_the_scope_ends_the_connection_in_order", 1, closing_the_scope_ends_the_connection_in_order},
    {"reset_is_seen_at_both_ends", 1, reset_is_seen_at_both_ends},
    {"sending_to_a_peer_that_reset_fails_in_the_end", 1, sending_to_a_peer_that_reset_fails_in_the_end},
    {"deadline_of_receive_loses_nothing", 1, deadline_of_receive_loses_nothing},
    {"canceled_receive_loses_nothing", 1, canceled_receive_loses_nothing},
    {"canceled_fiber_does_not_receive_until_it_forgets", 1, canceled_fiber_does_not_receive_until_it_forgets},
    {"accepting_times_out_and_is_cancelable_and_goes_on", 1,
     accepting_times_out_and_is_cancelable_and_goes_on},
    {"closing_a_listener_ends_the_wait_for_it", 1, closing_a_listener_ends_the_wait_for_it},
    {"canceled_connect_leaves_nothing_behind", 1, canceled_connect_leaves_nothing_behind},
    {"sending_to_a_peer_that_does_not_read_meets_its_deadline", 1,
     sending_to_a_peer_that_does_not_read_meets_its_deadline},
    {"canceled_send_gives_the_memory_back", 1, canceled_send_gives_the_memory_back},
    {"sending_goes_on_when_the_peer_reads_again", 1, sending_goes_on_when_the_peer_reads_again},
    {"flood_does_not_take_the_core_for_itself", 1, flood_does_not_take_the_core_for_itself},
    {"closing_a_streams_scope_ends_its_receive", 1, closing_a_streams_scope_ends_its_receive},
    {"closing_a_streams_scope_ends_its_send", 1, closing_a_streams_scope_ends_its_send},
    {"closing_a_sessions_scope_cancels_and_closes", 1, closing_a_sessions_scope_cancels_and_closes},
    {"discarded_connection_is_closed", 1, discarded_connection_is_closed},
    {"many_connections_keep_their_bytes_apart", 1, many_connections_keep_their_bytes_apart},
    {NULL},
};
