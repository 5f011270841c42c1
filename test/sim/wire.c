/* Segments, acknowledgements, resets, handshakes and partitions; see wire.h. */
#include "test/sim/wire.h"

#include "base/check.h"

#include <string.h>

enum way { WAY_OPEN, WAY_STALLS, WAY_REFUSES };

struct segment {
    struct event event;
    struct list_link link; /* in pipe->segments */
    struct pipe *pipe;
    uint64_t upto; /* of pipe->written */
    bool fin;
};

static struct end *end_from(struct pipe *pipe)
{
    return &pipe->connection->end[pipe->side];
}

static struct end *end_to(struct pipe *pipe)
{
    return &pipe->connection->end[!pipe->side];
}

static void record_wire(const struct end *end, enum trace_kind kind, uint64_t figure, const char *text)
{
    record(end->connection->sim, end->node->number, end->side, kind, end->connection->number, figure, text);
}

/* How long a packet takes. */
static uint64_t delay_ns(struct connection *connection)
{
    const struct sim_faults *faults = &connection->sim->faults;
    uint64_t delay = dice_latency(&connection->dice, faults->delay_ns);
    if (connection->end[0].node == connection->end[1].node)
        delay = delay / 8 + 1;
    if (dice_chance(&connection->dice, faults->spike_ppm))
        delay += dice_around(&connection->dice, faults->spike_ns);
    return delay;
}

static uint64_t give_up_ns(struct connection *connection)
{
    uint64_t mean = connection->sim->faults.give_up_ns;
    return mean / 2 + dice_around(&connection->dice, mean / 2) + 1;
}

bool way_open(const struct sim_node *from, const struct sim_node *to)
{
    return from == to || (to->powered && from->sim->cut[from->number][to->number] == WAY_OPEN);
}

static void end_wake(struct end *end)
{
    fiber_wake_all(&end->receivers);
    fiber_wake_all(&end->senders);
    if (end->core)
        core_nudge(end->core);
}

/* ---- breaking ---- */

static void pipe_drop_events(struct pipe *pipe)
{
    struct sim *sim = pipe->connection->sim;
    struct list_link *link;
    while ((link = list_take_first(&pipe->segments))) {
        struct segment *segment = container_of(link, struct segment, link);
        event_drop(&sim->queue, &segment->event);
        memory_give(&sim->memory, segment, sizeof *segment);
    }
    event_drop(&sim->queue, &pipe->ack);
    event_drop(&sim->queue, &pipe->give_up);
}

void end_break(struct end *end, const char *words, bool lose)
{
    struct pipe *incoming = &end->connection->pipe[!end->side];
    if (lose) {
        end->lost_unread |= incoming->delivered > incoming->consumed;
        incoming->consumed = incoming->delivered;
    }
    if (end->broken)
        return;
    end->broken = true;
    end->words = words;
    end_wake(end);
}

void end_die(struct end *end, const char *words, bool lose)
{
    end->dead = true;
    end_break(end, words, lose);
}

static void reset_arrives(struct event *event)
{
    struct end *end = container_of(event, struct end, reset);
    struct connection *connection = end->connection;
    if (end->gone)
        return;
    record_wire(end, TRACE_RESET, 0, NULL);
    connection->sim->totals.resets++;
    end_die(end, "Connection reset by peer", dice_below(&connection->dice, 2));
}

static void end_expect_reset(struct end *end, uint64_t in_ns)
{
    struct sim *sim = end->connection->sim;
    uint64_t at_ns = sim->now_ns + in_ns;
    if (end->gone || (event_planned(&end->reset) && event_time(&sim->queue, &end->reset) <= at_ns))
        return;
    event_plan(&sim->queue, &end->reset, at_ns);
}

/* A reset that finds no way is lost; the peer learns when it sends, or gives up by itself. */
void end_send_reset(struct end *end)
{
    struct connection *connection = end->connection;
    struct end *peer = &connection->end[!end->side];
    if (peer->gone)
        return;
    bool lost = connection->pipe[end->side].vanishing || !way_open(end->node, peer->node);
    end_expect_reset(peer, lost ? give_up_ns(connection) : delay_ns(connection));
}

void end_leave(struct end *end, bool silent)
{
    struct connection *connection = end->connection;
    struct sim *sim = connection->sim;
    struct pipe *incoming = &connection->pipe[!end->side], *outgoing = &connection->pipe[end->side];
    struct end *peer = &connection->end[!end->side];
    if (end->gone)
        return;
    bool unread = end->lost_unread || incoming->delivered > incoming->consumed;
    record_wire(end, TRACE_CLOSE, silent ? 2 : unread, NULL);
    end->gone = true;
    end->silent = silent;
    if (end->process)
        list_remove(&end->link);
    list_remove(&end->waiting);
    end->process = NULL;
    end->core = NULL;
    event_drop(&sim->queue, &end->reset);
    fiber_queue_init(&end->receivers); /* after a crash, fibers that are no more stand in them */
    fiber_queue_init(&end->senders);
    if (end->view)
        memory_give(&sim->memory, end->view, VIEW_BYTES);
    end->view = NULL;
    if (silent)
        end_expect_reset(peer, 2 * give_up_ns(connection));
    else if (!end->dead && (unread || (end->side == 0 && !end->established)))
        end_send_reset(end);
    else if (!end->dead && !outgoing->finished)
        pipe_finish(outgoing);
}

void connection_collect(struct connection *connection)
{
    struct sim *sim = connection->sim;
    if (!connection->end[0].gone || !connection->end[1].gone)
        return;
    for (int i = 0; i < 2; i++) {
        pipe_drop_events(&connection->pipe[i]);
        memory_give(&sim->memory, connection->pipe[i].ring, connection->pipe[i].capacity);
    }
    event_drop(&sim->queue, &connection->handshake);
    list_remove(&connection->link);
    memory_give(&sim->memory, connection, sizeof *connection);
}

/* ---- segments ---- */

static void segment_arrives(struct event *event);
static void acknowledge(struct event *event);
static void give_up(struct event *event);

static void segment_send(struct pipe *pipe, uint64_t upto, bool fin, uint64_t bytes, uint64_t extra_ns)
{
    struct connection *connection = pipe->connection;
    struct sim *sim = connection->sim;
    struct segment *segment = memory_take(&sim->memory, sizeof *segment);
    *segment = (struct segment){.event.happen = segment_arrives, .pipe = pipe, .upto = upto, .fin = fin};
    list_append(&pipe->segments, &segment->link);
    uint64_t arrival_ns = sim->now_ns + extra_ns + delay_ns(connection);
    if (arrival_ns <= pipe->arrival_ns)
        arrival_ns = pipe->arrival_ns + 1;
    arrival_ns += bytes * SIM_SECOND / sim->faults.bytes_per_second;
    pipe->arrival_ns = arrival_ns;
    if (dice_chance(&connection->dice, sim->faults.vanish_ppm))
        pipe->vanishing = true;
    event_plan(&sim->queue, &segment->event, arrival_ns);
}

uint32_t pipe_room(const struct pipe *pipe)
{
    return pipe->capacity - (uint32_t)(pipe->written - pipe->acked);
}

void pipe_write(struct pipe *pipe, const void *data, size_t size)
{
    struct connection *connection = pipe->connection;
    struct sim *sim = connection->sim;
    check(size <= pipe_room(pipe) && !pipe->finished);
    if (!pipe->ring)
        pipe->ring = memory_take(&sim->memory, pipe->capacity);
    uint32_t at = (uint32_t)pipe->written & (pipe->capacity - 1);
    size_t first = pipe->capacity - at < size ? pipe->capacity - at : size;
    memcpy(pipe->ring + at, data, first);
    memcpy(pipe->ring, (const uint8_t *)data + first, size - first);
    while (size) {
        size_t part = size;
        if (size > 1 && dice_chance(&connection->dice, sim->faults.split_ppm))
            part = dice_between(&connection->dice, 1, size - 1);
        pipe->written += part;
        segment_send(pipe, pipe->written, false, part, 0);
        size -= part;
    }
}

void pipe_finish(struct pipe *pipe)
{
    pipe->finished = true;
    segment_send(pipe, pipe->written, true, 0, 0);
}

/* The sender's machine has sent in vain for long enough. */
static void give_up(struct event *event)
{
    struct pipe *pipe = container_of(event, struct pipe, give_up);
    struct connection *connection = pipe->connection;
    record_wire(end_from(pipe), TRACE_STALL, 1, NULL);
    pipe->vanishing = true;
    end_expect_reset(end_to(pipe), give_up_ns(connection));
    if (!end_from(pipe)->gone) {
        connection->sim->totals.resets++;
        end_die(end_from(pipe), "Connection timed out", false);
    }
}

static void pipe_stick(struct pipe *pipe, uint64_t upto)
{
    struct connection *connection = pipe->connection;
    if (!pipe->stuck)
        record_wire(end_from(pipe), TRACE_STALL, 0, NULL);
    pipe->stuck = true;
    pipe->stuck_upto = upto;
    if (!event_planned(&pipe->give_up))
        event_plan(&connection->sim->queue, &pipe->give_up, connection->sim->now_ns + give_up_ns(connection));
}

/* What was stuck is sent again, when there is a way. */
static void pipe_unstick(struct pipe *pipe)
{
    struct connection *connection = pipe->connection;
    struct sim *sim = connection->sim;
    if (pipe->vanishing)
        return;
    if (pipe->ack_stuck && way_open(end_to(pipe)->node, end_from(pipe)->node)) {
        pipe->ack_stuck = false;
        event_plan(&sim->queue, &pipe->ack, sim->now_ns + 4 * delay_ns(connection));
    }
    if (!pipe->stuck || !way_open(end_from(pipe)->node, end_to(pipe)->node))
        return;
    pipe->stuck = false;
    event_drop(&sim->queue, &pipe->give_up);
    segment_send(pipe, pipe->stuck_upto, pipe->finished && pipe->stuck_upto == pipe->written, 0,
                 4 * delay_ns(connection));
}

/* Bytes at an end where nobody is are answered with a reset; so is anything at a machine that lost power. */
static void segment_unwanted(struct pipe *pipe, const struct segment *segment)
{
    struct end *to = end_to(pipe);
    if (to->silent || segment->upto > pipe->delivered)
        end_send_reset(to);
}

static void segment_arrives(struct event *event)
{
    struct segment *segment = container_of(event, struct segment, event);
    struct pipe *pipe = segment->pipe;
    struct connection *connection = pipe->connection;
    struct end *to = end_to(pipe);
    list_remove(&segment->link);
    if (pipe->stuck || pipe->vanishing || !way_open(end_from(pipe)->node, to->node)) {
        pipe_stick(pipe, segment->upto);
    } else if (dice_chance(&connection->dice, connection->sim->faults.reset_ppm)) {
        end_expect_reset(to, 1);
        end_expect_reset(end_from(pipe), delay_ns(connection));
    } else if (to->gone) {
        segment_unwanted(pipe, segment);
    } else if (!to->broken) {
        record_wire(to, TRACE_ARRIVE, segment->upto, segment->fin ? "fin" : NULL);
        if (segment->upto > pipe->delivered)
            pipe->delivered = segment->upto;
        pipe->fin_delivered |= segment->fin;
        fiber_wake_all(&to->receivers);
        if (to->core)
            core_nudge(to->core);
    }
    memory_give(&connection->sim->memory, segment, sizeof *segment);
}

static void acknowledge(struct event *event)
{
    struct pipe *pipe = container_of(event, struct pipe, ack);
    struct connection *connection = pipe->connection;
    if (pipe->vanishing || !way_open(end_to(pipe)->node, end_from(pipe)->node)) {
        pipe->ack_stuck = true;
        if (!event_planned(&pipe->give_up))
            event_plan(&connection->sim->queue, &pipe->give_up,
                       connection->sim->now_ns + give_up_ns(connection));
        return;
    }
    if (!pipe->stuck)
        event_drop(&connection->sim->queue, &pipe->give_up);
    pipe->acked = pipe->consumed;
    fiber_wake_all(&end_from(pipe)->senders);
    if (end_from(pipe)->core)
        core_nudge(end_from(pipe)->core);
}

/* The reader tells the writer how far it is, when that matters: half the window is taken. */
size_t pipe_read(struct pipe *pipe, void *data, size_t size)
{
    struct connection *connection = pipe->connection;
    uint64_t ready = pipe->delivered - pipe->consumed;
    if (size > ready)
        size = ready;
    uint32_t at = (uint32_t)pipe->consumed & (pipe->capacity - 1);
    size_t first = pipe->capacity - at < size ? pipe->capacity - at : size;
    memcpy(data, pipe->ring + at, first);
    memcpy((uint8_t *)data + first, pipe->ring, size - first);
    pipe->consumed += size;
    if (pipe->written - pipe->acked >= pipe->capacity / 2 && !event_planned(&pipe->ack) && !pipe->ack_stuck)
        event_plan(&connection->sim->queue, &pipe->ack, connection->sim->now_ns + delay_ns(connection));
    return size;
}

/* ---- beginning ---- */

static void syn_arrives(struct event *event);
static void syn_answered(struct event *event);

static void end_open(struct connection *connection, uint32_t side, struct sim_node *node)
{
    struct end *end = &connection->end[side];
    end->connection = connection;
    end->side = side;
    end->node = node;
    end->reset.happen = reset_arrives;
    fiber_queue_init(&end->receivers);
    fiber_queue_init(&end->senders);
    list_link_init(&end->link);
    list_link_init(&end->waiting);
    struct pipe *pipe = &connection->pipe[side];
    pipe->connection = connection;
    pipe->side = side;
    pipe->capacity = 1024;
    while (pipe->capacity < connection->sim->faults.window_bytes)
        pipe->capacity *= 2;
    pipe->ack.happen = acknowledge;
    pipe->give_up.happen = give_up;
    list_init(&pipe->segments);
}

struct connection *connection_make(struct sim_core *client, struct sim_node *server,
                                   const struct net_address *address)
{
    struct sim *sim = client->process->sim;
    struct connection *connection = memory_take_zeroed(&sim->memory, sizeof *connection);
    connection->sim = sim;
    connection->number = ++sim->next_connection;
    dice_open(&connection->dice, sim->options.seed, DICE_CONNECTION, connection->number);
    end_open(connection, 0, client->process->node);
    end_open(connection, 1, server);
    connection->end[0].process = client->process;
    connection->end[0].core = client;
    connection->end[1].gone = true;
    connection->end[1].address = *address;
    list_append(&client->process->ends, &connection->end[0].link);
    list_append(&sim->connections, &connection->link);
    return connection;
}

void connection_begin(struct connection *connection)
{
    struct sim *sim = connection->sim;
    connection->handshake.happen = syn_arrives;
    connection->handshake_until_ns = sim->now_ns + give_up_ns(connection);
    event_plan(&sim->queue, &connection->handshake, sim->now_ns + delay_ns(connection));
}

static void connect_failed(struct connection *connection, const char *words)
{
    record_wire(&connection->end[0], TRACE_REFUSED, 0, words);
    end_die(&connection->end[0], words, true);
}

/* A packet of the handshake got lost: it is sent again later, for a while. */
static void handshake_again(struct connection *connection, struct event *event)
{
    struct sim *sim = connection->sim;
    if (sim->now_ns >= connection->handshake_until_ns)
        connect_failed(connection, "Connection timed out");
    else
        event_plan(&sim->queue, event, sim->now_ns + dice_around(&connection->dice, SIM_SECOND / 4) + 1);
}

struct listener *listener_find(const struct sim_node *node, const struct net_address *address)
{
    static const uint8_t any[4];
    list_each (&node->listeners, at) {
        struct listener *listener = container_of(at, struct listener, link);
        const struct net_address *mine = &listener->address;
        bool wild = mine->v6 ? !memcmp(mine->ip, (const uint8_t[16]){0}, 16) : !memcmp(mine->ip + 12, any, 4);
        if (mine->port == address->port && mine->v6 == address->v6 &&
            (wild || !memcmp(mine->ip, address->ip, 16)))
            return listener;
    }
    return NULL;
}

static void syn_arrives(struct event *event)
{
    struct connection *connection = container_of(event, struct connection, handshake);
    struct sim *sim = connection->sim;
    struct end *client = &connection->end[0], *server = &connection->end[1];
    if (!way_open(client->node, server->node)) {
        if (server->node->powered && sim->cut[client->node->number][server->node->number] == WAY_REFUSES)
            connect_failed(connection, "Connection refused");
        else
            handshake_again(connection, event);
        return;
    }
    struct listener *listener = listener_find(server->node, &server->address);
    if (listener && listener->backlog_count >= BACKLOG_MAX) {
        handshake_again(connection, event);
        return;
    }
    connection->handshake.happen = syn_answered;
    event_plan(&sim->queue, &connection->handshake, sim->now_ns + delay_ns(connection));
    if (!listener || listener->closed || dice_chance(&connection->dice, sim->faults.refuse_ppm))
        return;
    connection->taken = true;
    server->gone = false;
    server->process = listener->process;
    list_append(&server->process->ends, &server->link);
    list_append(&listener->backlog, &server->waiting);
    listener->backlog_count++;
    fiber_wake_one(&listener->accepters);
    core_nudge(listener->core);
}

static void syn_answered(struct event *event)
{
    struct connection *connection = container_of(event, struct connection, handshake);
    struct end *client = &connection->end[0], *server = &connection->end[1];
    if (client->gone || client->broken)
        return;
    if (!way_open(server->node, client->node)) {
        handshake_again(connection, event);
    } else if (!connection->taken) {
        connect_failed(connection, "Connection refused");
    } else {
        record_wire(client, TRACE_CONNECTED, 0, NULL);
        client->established = true;
        end_wake(client);
    }
}

void listener_close(struct listener *listener)
{
    struct sim *sim = listener->process->sim;
    struct list_link *link;
    while ((link = list_first(&listener->backlog))) {
        struct end *end = container_of(link, struct end, waiting);
        end_send_reset(end);
        end->dead = true;
        end_leave(end, false);
        connection_collect(end->connection);
    }
    list_remove(&listener->link);
    memory_give(&sim->memory, listener, sizeof *listener);
}

/* ---- processes and machines ---- */

void net_process_gone(struct sim_process *process, bool silent)
{
    struct list_link *link;
    list_each_safe (&process->node->listeners, at) {
        struct listener *listener = container_of(at, struct listener, link);
        if (listener->process == process)
            listener_close(listener);
    }
    while ((link = list_first(&process->ends))) {
        struct end *end = container_of(link, struct end, link);
        struct connection *connection = end->connection;
        end_leave(end, silent);
        connection_collect(connection);
    }
}

static void unstick_all(struct sim *sim)
{
    list_each (&sim->connections, at) {
        struct connection *connection = container_of(at, struct connection, link);
        pipe_unstick(&connection->pipe[0]);
        pipe_unstick(&connection->pipe[1]);
    }
}

void net_node_powered(struct sim_node *node)
{
    unstick_all(node->sim);
}

void net_close_all(struct sim *sim)
{
    struct list_link *link;
    while ((link = list_first(&sim->connections))) {
        struct connection *connection = container_of(link, struct connection, link);
        end_leave(&connection->end[0], true);
        end_leave(&connection->end[1], true);
        connection_collect(connection);
    }
}

/* ---- partitions ---- */

void sim_cut(struct sim *sim, uint32_t from, uint32_t to, bool refuse)
{
    check(from < sim->options.nodes && to < sim->options.nodes && from != to);
    record(sim, from, EVERYWHERE, TRACE_PARTITION, to, refuse, NULL);
    sim->cut[from][to] = refuse ? WAY_REFUSES : WAY_STALLS;
}

void sim_heal(struct sim *sim, uint32_t from, uint32_t to)
{
    check(from < sim->options.nodes && to < sim->options.nodes);
    record(sim, from, EVERYWHERE, TRACE_HEAL, to, 0, NULL);
    sim->cut[from][to] = WAY_OPEN;
    unstick_all(sim);
}

void sim_heal_all(struct sim *sim)
{
    record(sim, EVERYWHERE, EVERYWHERE, TRACE_HEAL, 0, 0, NULL);
    memset(sim->cut, WAY_OPEN, sizeof sim->cut);
    unstick_all(sim);
}

void sim_reset_connections(struct sim *sim, uint32_t node, uint32_t other)
{
    list_each (&sim->connections, at) {
        struct connection *connection = container_of(at, struct connection, link);
        uint32_t a = connection->end[0].node->number, b = connection->end[1].node->number;
        if ((a != node || b != other) && (a != other || b != node))
            continue;
        end_expect_reset(&connection->end[0], 1);
        end_expect_reset(&connection->end[1], 1);
    }
}
