/* The net workload: requests with numbers and their answers, over connections that break.
 *
 *     request, answer   | 0 size of the payload, u32 | 4 checksum, u32 | 8 number, u64 | 16 payload |
 *
 * A server of two cores accepts on core 0 and mails each connection to the core that is to serve it. Clients
 * on two other machines keep a few requests in flight on each connection and connect again when it breaks.
 *
 * What must hold: each answer is the request's own, and answers come in the order of the requests. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "test/sim/dice.h"
#include "test/sim/workload.h"

#include <stdio.h>
#include <string.h>

#define PORT          4000
#define SERVER_CORES  2
#define CLIENTS       2
#define CONNECTIONS   3 /* of each client */
#define IN_FLIGHT     4
#define PAYLOAD_MAX   2000
#define HEADER_BYTES  16
#define MESSAGE_BYTES (HEADER_BYTES + PAYLOAD_MAX)

enum mistake {
    RIGHT,
    SHARES_A_BUFFER,  /* one for all connections of a core, kept over a wait */
    EXPECTS_MESSAGES, /* takes what one receive gives for one message */
};

struct net_state {
    struct sim *sim;
    enum mistake mistake;
    uint64_t answers; /* right ones */
    uint64_t goal;
    uint64_t connects;
    uint8_t shared[SERVER_CORES][MESSAGE_BYTES];
};

/* ---- messages ---- */

/* Bytes that came in and do not make a whole message yet. */
struct assembler {
    uint8_t bytes[MESSAGE_BYTES];
    size_t used;
};

static uint32_t payload_size(const uint8_t *message)
{
    uint32_t size;
    memcpy(&size, message, 4);
    return size;
}

static uint64_t number_of(const uint8_t *message)
{
    uint64_t number;
    memcpy(&number, message + 8, 8);
    return number;
}

static size_t message_make(uint8_t *message, uint64_t number, struct dice *dice)
{
    uint32_t size = (uint32_t)dice_below(dice, dice_below(dice, 8) ? 64 : PAYLOAD_MAX);
    for (uint32_t i = 0; i < size; i++)
        message[HEADER_BYTES + i] = (uint8_t)(number * 11 + i);
    memcpy(message, &size, 4);
    memcpy(message + 8, &number, 8);
    uint32_t checksum = crc32c(bytes_of(message + 8, 8 + size));
    memcpy(message + 4, &checksum, 4);
    return HEADER_BYTES + size;
}

static bool message_right(const uint8_t *message)
{
    uint32_t checksum;
    memcpy(&checksum, message + 4, 4);
    return checksum == crc32c(bytes_of(message + 8, 8 + payload_size(message)));
}

/* Takes bytes out of the view until a message is whole; false when more are needed. */
static bool assemble(struct assembler *assembler, struct bytes *view)
{
    size_t wanted = HEADER_BYTES;
    for (;;) {
        if (assembler->used >= HEADER_BYTES)
            wanted = HEADER_BYTES + payload_size(assembler->bytes);
        if (wanted > MESSAGE_BYTES || (assembler->used >= HEADER_BYTES && assembler->used == wanted))
            return true;
        size_t part = wanted - assembler->used < view->size ? wanted - assembler->used : view->size;
        if (!part)
            return false;
        memcpy(assembler->bytes + assembler->used, view->data, part);
        assembler->used += part;
        *view = bytes_of(view->data + part, view->size - part);
    }
}

/* ---- the server ---- */

/* One connection on its way to, and on, the core that serves it. Belongs to a scope of core 0's. */
struct service {
    struct mail mail;
    struct net_handover handover;
    struct scope *scope; /* core 0's */
    struct net_state *state;
    struct world *world; /* that serves */
};

static enum sqlstate answer(struct service *service, struct stream *stream, struct assembler *assembler,
                            struct error *error)
{
    uint8_t *message = assembler->bytes;
    size_t bytes = HEADER_BYTES + payload_size(message);
    if (bytes > MESSAGE_BYTES || !message_right(message)) {
        sim_fail(service->state->sim, "a request came in other than it was sent");
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "bad request");
    }
    if (service->state->mistake == SHARES_A_BUFFER) {
        uint8_t *shared = service->state->shared[service->world->core];
        memcpy(shared, message, bytes);
        fiber_yield(service->world->scheduler);
        message = shared;
        bytes = HEADER_BYTES + payload_size(message);
    }
    struct bytes pieces[2] = {bytes_of(message, HEADER_BYTES),
                              bytes_of(message + HEADER_BYTES, bytes - HEADER_BYTES)};
    enum sqlstate failed = stream_send(stream, pieces, 2, service->world->now_ns + 30 * SIM_SECOND, error);
    assembler->used = 0;
    return failed;
}

static enum sqlstate serve(struct service *service, struct stream *stream, struct scope *scope,
                           struct error *error)
{
    struct assembler *assembler = scope_alloc_zeroed(scope, sizeof *assembler);
    for (;;) {
        struct bytes view;
        enum sqlstate failed = stream_receive(stream, &view, service->world->now_ns + 30 * SIM_SECOND, error);
        if (failed)
            return failed;
        if (!view.size)
            return stream_shutdown(stream, FIBER_NO_DEADLINE, error);
        if (service->state->mistake == EXPECTS_MESSAGES) {
            assembler->used = view.size < MESSAGE_BYTES ? view.size : MESSAGE_BYTES;
            memcpy(assembler->bytes, view.data, assembler->used);
            failed = answer(service, stream, assembler, error);
            if (failed)
                return failed;
            continue;
        }
        while (assemble(assembler, &view)) {
            failed = answer(service, stream, assembler, error);
            if (failed)
                return failed;
        }
    }
}

/* Serves one connection; the mail goes back to core 0 when it is over. */
static void service_fiber(void *argument)
{
    struct service *service = argument;
    struct scope *scope = scope_open(service->world->scope, "service");
    scope_hold(scope); /* a stopping process closes it, too, and it is not ready for that */
    struct stream *stream;
    struct error error = {0};
    enum sqlstate failed = net_adopt(service->world, scope, &service->handover, &stream, &error);
    if (!failed)
        failed = serve(service, stream, scope, &error);
    if (failed)
        log_error(service->world, LOG_DEBUG, "service_ended", &error, "a connection ended");
    scope_close(scope);
    scope_release(scope);
    mail_return(service->world, &service->mail);
}

static void service_delivered(struct world *here, struct mail *mail)
{
    struct service *service = container_of(mail, struct service, mail);
    struct error error = {0};
    service->world = here;
    if (!scope_closing(here->scope) &&
        !fiber_start(here->scheduler, here->scope, "service", service_fiber, service, NULL, &error))
        return;
    net_discard(here, &service->handover);
    mail_return(here, mail);
}

static void service_returned(struct world *here, struct mail *mail)
{
    struct service *service = container_of(mail, struct service, mail);
    if (mail->refused)
        net_discard(here, &service->handover);
    struct scope *scope = service->scope;
    scope_close(scope);
    scope_release(scope);
}

static void accept_fiber(struct world *world, struct net_state *state)
{
    struct error error = {0};
    struct listener *listener;
    struct net_address address = {.port = PORT};
    enum sqlstate failed = net_listen(world, world->scope, &address, &listener, NULL, &error);
    if (failed) {
        sim_fail(state->sim, "the server cannot listen: %s", error_text(&error, ERROR_MESSAGE));
        return;
    }
    for (uint32_t next = 0;; next++) {
        struct net_handover handover;
        failed = net_accept(world, listener, &handover, FIBER_NO_DEADLINE, &error);
        if (failed == SQLSTATE_TOO_MANY_CONNECTIONS)
            continue;
        if (failed)
            return;
        struct scope *scope = scope_open(world->scope, "handover");
        struct service *service = scope_alloc_zeroed(scope, sizeof *service);
        *service = (struct service){.handover = handover, .scope = scope, .state = state};
        service->mail.deliver = service_delivered;
        service->mail.returned = service_returned;
        scope_hold(scope);
        mail_send(world, next % world->cores, &service->mail);
    }
}

struct server {
    struct world *world;
    struct net_state *state;
};

static void accepter(void *argument)
{
    struct server *server = argument;
    accept_fiber(server->world, server->state);
}

static void server_core(struct world *world, void *argument)
{
    struct server *server = scope_alloc(world->scope, sizeof *server);
    struct error error = {0};
    *server = (struct server){world, argument};
    if (world->core == 0 &&
        fiber_start(world->scheduler, world->scope, "accept", accepter, server, NULL, &error))
        sim_fail(server->state->sim, "the server has no fiber");
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

/* ---- clients ---- */

struct client {
    struct world *world;
    struct net_state *state;
    struct scope *scope;
    struct dice dice;
    uint64_t next;     /* number of the next request */
    uint64_t expected; /* number of the next answer */
};

static enum sqlstate send_requests(struct client *client, struct stream *stream, struct error *error)
{
    uint8_t message[MESSAGE_BYTES];
    uint64_t count = dice_between(&client->dice, 1, IN_FLIGHT);
    for (uint64_t i = 0; i < count; i++) {
        struct bytes piece = bytes_of(message, message_make(message, client->next++, &client->dice));
        enum sqlstate failed = stream_send(stream, &piece, 1, client->world->now_ns + 20 * SIM_SECOND, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static void check_answer(struct client *client, const uint8_t *message)
{
    if (HEADER_BYTES + payload_size(message) > MESSAGE_BYTES || !message_right(message) ||
        number_of(message) != client->expected)
        sim_fail(client->state->sim, "the answer to request %llx is number %llx, or damaged",
                 (unsigned long long)client->expected, (unsigned long long)number_of(message));
    client->expected++;
    client->state->answers++;
}

static enum sqlstate receive_answers(struct client *client, struct stream *stream,
                                     struct assembler *assembler, struct error *error)
{
    while (client->expected < client->next) {
        struct bytes view;
        enum sqlstate failed = stream_receive(stream, &view, client->world->now_ns + 20 * SIM_SECOND, error);
        if (failed)
            return failed;
        if (!view.size)
            return error_set(error, SQLSTATE_CONNECTION_FAILURE, "the server ended the connection");
        while (client->expected < client->next && assemble(assembler, &view)) {
            check_answer(client, assembler->bytes);
            assembler->used = 0;
        }
        if (view.size)
            sim_fail(client->state->sim, "an answer to no request came");
    }
    return SQLSTATE_OK;
}

/* One connection's life. */
static enum sqlstate converse(struct client *client, struct scope *scope, struct error *error)
{
    struct world *world = client->world;
    struct assembler *assembler = scope_alloc_zeroed(scope, sizeof *assembler);
    struct net_address address;
    struct stream *stream;
    enum sqlstate failed = net_resolve(world, "node1", PORT, &address, error);
    if (!failed)
        failed = net_connect(world, scope, &address, world->now_ns + 5 * SIM_SECOND, &stream, error);
    client->next = ++client->state->connects << 32;
    client->expected = client->next;
    uint64_t rounds = dice_between(&client->dice, 1, 50);
    for (uint64_t i = 0; i < rounds && !failed; i++) {
        failed = send_requests(client, stream, error);
        if (!failed)
            failed = receive_answers(client, stream, assembler, error);
        uint64_t pause_ns = dice_around(&client->dice, 2 * SIM_MILLISECOND);
        if (!failed && fiber_sleep_until(world->scheduler, world->now_ns + pause_ns) == FIBER_CANCELED)
            failed = fiber_check_canceled(world->scheduler, error);
    }
    return failed;
}

static void client_fiber(void *argument)
{
    struct client *client = argument;
    struct world *world = client->world;
    while (!scope_closing(world->scope)) {
        struct scope *scope = scope_open(world->scope, "conversation");
        struct error error = {0};
        scope_hold(scope);
        enum sqlstate failed = converse(client, scope, &error);
        scope_close(scope);
        scope_release(scope);
        if (failed && fiber_sleep_until(world->scheduler,
                                        world->now_ns + dice_around(&client->dice, 10 * SIM_MILLISECOND)) ==
                          FIBER_CANCELED)
            return;
    }
}

static void client_core(struct world *world, void *argument)
{
    struct net_state *state = argument;
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct client *client = scope_alloc_zeroed(world->scope, sizeof *client);
        struct error error = {0};
        uint64_t seed;
        world_random(world, &seed, sizeof seed);
        *client = (struct client){.world = world, .state = state};
        dice_open(&client->dice, seed, DICE_TEST, i);
        if (fiber_start(world->scheduler, world->scope, "client", client_fiber, client, NULL, &error))
            sim_fail(state->sim, "a client has no fiber");
    }
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

/* ---- the run ---- */

static bool goal_reached(void *argument)
{
    const struct net_state *state = argument;
    return state->answers >= state->goal;
}

static void net_run(struct play *play, const struct workload *workload)
{
    struct scope *scope = scope_open_root("net workload", NULL);
    struct net_state *state = scope_alloc_zeroed(scope, sizeof *state);
    struct sim_process *process[1 + CLIENTS];
    state->sim = play->sim;
    state->mistake = workload->variant;
    state->goal = 2000;
    process[0] = play_target(play, 0,
                             &(struct sim_program){.name = "server",
                                                   .cores = SERVER_CORES,
                                                   .core_main = server_core,
                                                   .argument = state,
                                                   .respawn = true});
    for (uint32_t i = 1; i <= CLIENTS; i++)
        process[i] = sim_start(
            play->sim, i,
            &(struct sim_program){.name = "client", .cores = 1, .core_main = client_core, .argument = state});
    play_faults(play, 20 * SIM_SECOND, goal_reached, state);
    state->goal = state->answers + 200;
    play_calm(play, 120 * SIM_SECOND, goal_reached, state, "200 more answers");
    for (uint32_t i = 0; i <= CLIENTS; i++)
        play_stop(play, process[i]);
    scope_close(scope);
}

const struct workload net_workloads[] = {
    {.name = "net", .summary = "requests and answers over breaking connections", .nodes = 3, .run = net_run},
    {.name = "net-shares-buffer",
     .summary = "keeps one buffer for all connections over a wait",
     .nodes = 3,
     .broken = true,
     .variant = SHARES_A_BUFFER,
     .run = net_run},
    {.name = "net-expects-messages",
     .summary = "takes one receive for one message",
     .nodes = 3,
     .broken = true,
     .variant = EXPECTS_MESSAGES,
     .run = net_run},
    {0},
};
