/* net_ops and stream_ops of the simulated world, over wire.h.
 *
 * A fiber that waits holds the scope of what it waits on; closing that scope breaks the connection (or closes
 * the listener), which ends the wait. */
#include "base/check.h"
#include "test/sim/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Receives that find something at once before the others get a turn. */
#define RECEIVES_AT_ONCE 16

/* What the program holds; lies in the stream's scope. */
struct sim_stream {
    struct stream stream;
    struct end *end;
};

static struct sim *sim_of(const struct world *world)
{
    return core_of(world)->process->sim;
}

/* ---- failing ---- */

static enum sqlstate fail(struct error *error, enum sqlstate state, const char *what,
                          const struct net_address *address, const char *words)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(address, text);
    return error_set(error, state, "could not %s %s: %s", what, text, words);
}

static enum sqlstate too_late(struct error *error, const char *what, const struct net_address *peer)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(peer, text);
    return error_set(error, SQLSTATE_IDLE_SESSION_TIMEOUT, "%s %s took too long", what, text);
}

/* ---- streams ---- */

static struct end *end_of(struct stream *stream)
{
    return container_of(stream, struct sim_stream, stream)->end;
}

static struct pipe *incoming_of(struct end *end)
{
    return &end->connection->pipe[!end->side];
}

static struct pipe *outgoing_of(struct end *end)
{
    return &end->connection->pipe[end->side];
}

/* A view of some of the bytes that are there. What the last view showed is overwritten. */
static void take_view(struct end *end, struct bytes *view)
{
    struct connection *connection = end->connection;
    struct pipe *pipe = incoming_of(end);
    size_t size = pipe->delivered - pipe->consumed;
    size = size < VIEW_BYTES ? size : VIEW_BYTES;
    if (size > 1 && dice_chance(&connection->dice, connection->sim->faults.split_ppm))
        size = dice_between(&connection->dice, 1, size);
    if (!end->view)
        end->view = memory_take(&connection->sim->memory, VIEW_BYTES);
    *view = bytes_of(end->view, pipe_read(pipe, end->view, size));
    record_core(end->core, TRACE_RECEIVE, connection->number, size, NULL);
}

static enum sqlstate receive(struct end *end, struct bytes *view, uint64_t deadline_ns,
                             const struct net_address *peer, struct error *error)
{
    struct scheduler *scheduler = end->core->world.scheduler;
    struct pipe *pipe = incoming_of(end);
    if (end->view)
        memset(end->view, 0xdd, 64);
    if (++end->at_once >= RECEIVES_AT_ONCE) {
        end->at_once = 0;
        fiber_yield(scheduler);
    }
    for (;;) {
        if (fiber_canceled(scheduler))
            return fiber_check_canceled(scheduler, error);
        if (pipe->delivered > pipe->consumed) {
            take_view(end, view);
            return SQLSTATE_OK;
        }
        if (end->broken)
            return fail(error, SQLSTATE_CONNECTION_FAILURE, "receive from", peer, end->words);
        if (pipe->fin_delivered) {
            *view = bytes_of(NULL, 0);
            return SQLSTATE_OK;
        }
        end->at_once = 0;
        enum fiber_wake woken = fiber_wait(scheduler, &end->receivers, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "receiving from", peer);
    }
}

static enum sqlstate sim_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                 struct error *error)
{
    struct end *end = end_of(stream);
    struct scope *scope = end->scope;
    struct net_address peer = stream->peer;
    fiber_may_yield(end->core->world.scheduler);
    scope_hold(scope);
    enum sqlstate failed = receive(end, view, deadline_ns, &peer, error);
    scope_release(scope);
    return failed;
}

static enum sqlstate send_piece(struct end *end, struct bytes piece, uint64_t deadline_ns,
                                const struct net_address *peer, struct error *error)
{
    struct scheduler *scheduler = end->core->world.scheduler;
    struct pipe *pipe = outgoing_of(end);
    for (;;) {
        if (fiber_canceled(scheduler))
            return fiber_check_canceled(scheduler, error);
        if (end->broken)
            return fail(error, SQLSTATE_CONNECTION_FAILURE, "send to", peer, end->words);
        if (pipe->finished)
            return fail(error, SQLSTATE_CONNECTION_FAILURE, "send to", peer, "Broken pipe");
        size_t part = pipe_room(pipe) < piece.size ? pipe_room(pipe) : piece.size;
        if (part) {
            record_core(end->core, TRACE_SEND, end->connection->number, trace_digest(piece.data, part), NULL);
            pipe_write(pipe, piece.data, part);
        }
        piece = bytes_of(piece.data + part, piece.size - part);
        if (!piece.size)
            return SQLSTATE_OK;
        enum fiber_wake woken = fiber_wait(scheduler, &end->senders, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "sending to", peer);
    }
}

static enum sqlstate sim_send(struct stream *stream, const struct bytes *pieces, size_t count,
                              uint64_t deadline_ns, struct error *error)
{
    struct end *end = end_of(stream);
    struct scope *scope = end->scope;
    struct net_address peer = stream->peer;
    enum sqlstate failed = SQLSTATE_OK;
    fiber_may_yield(end->core->world.scheduler);
    scope_hold(scope);
    for (size_t i = 0; i < count && !failed; i++)
        if (pieces[i].size)
            failed = send_piece(end, pieces[i], deadline_ns, &peer, error);
    if (failed)
        end_break(end, "an earlier send has failed", true);
    scope_release(scope);
    return failed;
}

static enum sqlstate sim_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    struct end *end = end_of(stream);
    if (end->broken)
        return fail(error, SQLSTATE_CONNECTION_FAILURE, "end the connection with", &stream->peer, end->words);
    record_core(end->core, TRACE_FINISH, end->connection->number, 0, NULL);
    if (!outgoing_of(end)->finished)
        pipe_finish(outgoing_of(end));
    return SQLSTATE_OK;
}

static void sim_reset(struct stream *stream)
{
    struct end *end = end_of(stream);
    if (end->dead) /* not when it is only broken: after a send that failed here, the peer has heard nothing */
        return;
    record_core(end->core, TRACE_RESET, end->connection->number, 1, NULL);
    end_send_reset(end);
    end_die(end, "the connection was reset", true);
}

static const struct stream_ops sim_stream_ops = {
    .receive = sim_receive,
    .send = sim_send,
    .shutdown = sim_shutdown,
    .reset = sim_reset,
};

static void leave(struct end *end)
{
    struct connection *connection = end->connection;
    end_leave(end, false);
    connection_collect(connection);
}

/* The scope is closing: whoever waits on the stream shall stop. What was sent still goes out. */
static void stream_stop(void *argument)
{
    struct end *end = argument;
    if (!end->broken && (!fiber_queue_empty(&end->receivers) || !fiber_queue_empty(&end->senders)))
        end_break(end, "its scope was closed", true);
}

static void stream_close(void *argument)
{
    leave(argument);
}

static struct stream *stream_make(struct end *end, struct scope *scope)
{
    struct sim_stream *made = scope_alloc(scope, sizeof *made);
    *made = (struct sim_stream){.stream.ops = &sim_stream_ops, .end = end};
    made->stream.peer = end->connection->end[!end->side].address;
    end->scope = scope;
    scope_on_close(scope, stream_stop, end);
    scope_undo(scope, stream_close, end);
    return &made->stream;
}

/* ---- names and addresses ---- */

static struct net_address node_address(const struct sim_node *node, uint16_t port)
{
    struct net_address address = {.port = port};
    memcpy(address.ip, (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, 16);
    address.ip[15] = (uint8_t)(node->number + 1);
    return address;
}

static bool is_zero(const uint8_t *ip, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (ip[i])
            return false;
    return true;
}

/* Whether it means the machine itself: loopback or "any". */
static bool is_own(const struct net_address *address)
{
    const uint8_t *ip = address->ip;
    if (address->v6)
        return is_zero(ip, 15) && ip[15] <= 1;
    return ip[12] == 127 || is_zero(ip + 12, 4);
}

/* The machine at an address as another one sees it, or NULL. */
static struct sim_node *node_at(struct sim_node *from, const struct net_address *address)
{
    const uint8_t *ip = address->ip;
    if (is_own(address))
        return from;
    if (address->v6 || ip[12] != 10 || ip[13] || ip[14] || !ip[15] || ip[15] > from->sim->options.nodes)
        return NULL;
    return &from->sim->nodes[ip[15] - 1];
}

static bool find_name(struct sim *sim, const char *host, struct net_address *address)
{
    if (net_address_parse(host, address))
        return true;
    if (!strcmp(host, "localhost"))
        return net_address_parse("127.0.0.1", address);
    if (strncmp(host, "node", 4) || host[4] < '1' || host[4] > '9')
        return false;
    char *end;
    unsigned long number = strtoul(host + 4, &end, 10);
    if (*end || number > sim->options.nodes)
        return false;
    *address = node_address(&sim->nodes[number - 1], 0);
    return true;
}

static enum sqlstate sim_resolve(struct world *world, const char *host, uint16_t port,
                                 struct net_address *address, struct error *error)
{
    struct sim *sim = sim_of(world);
    uint64_t takes_ns = dice_around(&core_of(world)->dice, sim->faults.delay_ns);
    fiber_may_yield(world->scheduler);
    if (!net_address_parse(host, address) &&
        fiber_sleep_until(world->scheduler, world->now_ns + takes_ns) == FIBER_CANCELED)
        return fiber_check_canceled(world->scheduler, error);
    if (!find_name(sim, host, address))
        return error_set(error, SQLSTATE_CONNECTION_FAILURE,
                         "could not find host \"%s\": Name or service not known", host);
    address->port = port;
    return SQLSTATE_OK;
}

/* ---- listening ---- */

static void listener_stop(void *argument)
{
    struct listener *listener = argument;
    listener->closed = true;
    fiber_wake_all(&listener->accepters);
}

static void listener_undo(void *argument)
{
    listener_close(argument);
}

/* Two listeners are in each other's way when one of them would take the other's connections. */
static bool in_use(const struct sim_node *node, const struct net_address *address)
{
    list_each (&node->listeners, at) {
        const struct net_address *other = &container_of(at, struct listener, link)->address;
        size_t bytes = address->v6 ? 16 : 4;
        if (other->port == address->port && other->v6 == address->v6 &&
            (is_zero(other->ip + 16 - bytes, bytes) || is_zero(address->ip + 16 - bytes, bytes) ||
             !memcmp(other->ip, address->ip, 16)))
            return true;
    }
    return false;
}

static uint16_t next_port(struct sim_node *node)
{
    node->next_port = node->next_port == 60999 ? 32768 : node->next_port + 1;
    return node->next_port;
}

static enum sqlstate sim_listen(struct world *world, struct scope *scope, const struct net_address *address,
                                struct listener **made, struct net_address *bound, struct error *error)
{
    struct sim_core *core = core_of(world);
    struct sim_node *node = core->process->node;
    struct net_address own = *address;
    if (node_at(node, &own) != node)
        return fail(error, SQLSTATE_SYSTEM_ERROR, "listen on", &own, "Cannot assign requested address");
    while (!own.port) {
        own.port = next_port(node);
        if (in_use(node, &own))
            own.port = 0;
    }
    if (in_use(node, &own))
        return fail(error, SQLSTATE_OBJECT_IN_USE, "listen on", &own, "Address already in use");
    struct listener *listener = memory_take_zeroed(&core->process->sim->memory, sizeof *listener);
    listener->process = core->process;
    listener->core = core;
    listener->scope = scope;
    listener->address = own;
    list_init(&listener->backlog);
    fiber_queue_init(&listener->accepters);
    list_append(&node->listeners, &listener->link);
    scope_on_close(scope, listener_stop, listener);
    scope_undo(scope, listener_undo, listener);
    record_core(core, TRACE_LISTEN, own.port, 0, NULL);
    if (bound)
        *bound = own;
    *made = listener;
    return SQLSTATE_OK;
}

/* The longest waiting connection, or NULL. */
static struct end *take_waiting(struct listener *listener)
{
    struct list_link *link = list_take_first(&listener->backlog);
    if (!link)
        return NULL;
    listener->backlog_count--;
    return container_of(link, struct end, waiting);
}

static enum sqlstate accept_next(struct listener *listener, struct net_handover *handover,
                                 uint64_t deadline_ns, struct error *error)
{
    struct sim_core *core = listener->core;
    struct scheduler *scheduler = core->world.scheduler;
    for (;;) {
        if (fiber_canceled(scheduler))
            return fiber_check_canceled(scheduler, error);
        if (listener->closed)
            return error_set(error, SQLSTATE_CONNECTION_DOES_NOT_EXIST, "the listener was closed");
        struct end *end = take_waiting(listener);
        if (end) {
            struct connection *connection = end->connection;
            record_core(core, TRACE_ACCEPT, connection->number, 0, NULL);
            if (dice_chance(&connection->dice, core->process->sim->faults.accept_ppm)) {
                leave(end);
                return error_set(error, SQLSTATE_TOO_MANY_CONNECTIONS,
                                 "could not accept a connection: Too many open files");
            }
            *handover = (struct net_handover){connection->number, connection->end[0].address};
            return SQLSTATE_OK;
        }
        enum fiber_wake woken = fiber_wait(scheduler, &listener->accepters, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return too_late(error, "accepting on", &listener->address);
    }
}

static enum sqlstate sim_accept(struct world *world, struct listener *listener, struct net_handover *handover,
                                uint64_t deadline_ns, struct error *error)
{
    struct scope *scope = listener->scope;
    check(listener->core == core_of(world), "core %u accepts for core %u", world->core,
          listener->core->world.core);
    fiber_may_yield(world->scheduler);
    scope_hold(scope);
    enum sqlstate failed = accept_next(listener, handover, deadline_ns, error);
    scope_release(scope);
    return failed;
}

/* The accepted end that the ticket stands for. Young ones are at the back. */
static struct end *end_of_ticket(const struct world *world, uint64_t ticket)
{
    const struct sim_process *process = core_of(world)->process;
    for (struct list_link *at = process->ends.head.prev; at != &process->ends.head; at = at->prev) {
        struct end *end = container_of(at, struct end, link);
        if (end->connection->number == ticket && end->side == 1 && !end->core)
            return end;
    }
    check(false, "connection %llu is not there to be taken", (unsigned long long)ticket);
    return NULL;
}

static enum sqlstate sim_adopt(struct world *world, struct scope *scope, const struct net_handover *handover,
                               struct stream **stream, struct error *error)
{
    struct end *end = end_of_ticket(world, handover->ticket);
    record_core(core_of(world), TRACE_ADOPT, handover->ticket, 0, NULL);
    end->core = core_of(world);
    *stream = stream_make(end, scope);
    return SQLSTATE_OK;
}

static void sim_discard(struct world *world, const struct net_handover *handover)
{
    leave(end_of_ticket(world, handover->ticket));
}

/* ---- connecting ---- */

static void connect_stop(void *argument)
{
    end_break(argument, "its scope was closed", true);
}

/* Waits until the connection stands or is known not to. */
static enum sqlstate wait_established(struct end *end, uint64_t deadline_ns,
                                      const struct net_address *address, struct error *error)
{
    struct scheduler *scheduler = end->core->world.scheduler;
    while (!end->established && !end->broken) {
        enum fiber_wake woken = fiber_wait(scheduler, &end->receivers, deadline_ns);
        if (woken == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        if (woken == FIBER_TIMED_OUT)
            return fail(error, SQLSTATE_CONNECTION_FAILURE, "connect to", address, "Connection timed out");
    }
    if (end->broken)
        return fail(error, SQLSTATE_CONNECTION_FAILURE, "connect to", address, end->words);
    return SQLSTATE_OK;
}

static enum sqlstate sim_connect(struct world *world, struct scope *scope, const struct net_address *address,
                                 uint64_t deadline_ns, struct stream **stream, struct error *error)
{
    struct sim_core *core = core_of(world);
    struct sim_node *node = core->process->node, *server = node_at(node, address);
    fiber_may_yield(world->scheduler);
    if (fiber_canceled(world->scheduler))
        return fiber_check_canceled(world->scheduler, error);
    if (!server)
        return fail(error, SQLSTATE_CONNECTION_FAILURE, "connect to", address, "No route to host");
    struct connection *connection = connection_make(core, server, address);
    struct end *end = &connection->end[0];
    end->address = is_own(address) ? *address : node_address(node, 0);
    end->address.port = next_port(node);
    record_core(core, TRACE_CONNECT, connection->number, address->port, NULL);
    connection_begin(connection);
    scope_hold(scope);
    struct scope_undo *stop = scope_on_close(scope, connect_stop, end);
    enum sqlstate failed = wait_established(end, deadline_ns, address, error);
    scope_undo_cancel(stop);
    if (failed)
        leave(end);
    else
        *stream = stream_make(end, scope);
    scope_release(scope);
    return failed;
}

const struct net_ops sim_net_ops = {
    .resolve = sim_resolve,
    .listen = sim_listen,
    .accept = sim_accept,
    .adopt = sim_adopt,
    .discard = sim_discard,
    .connect = sim_connect,
};
