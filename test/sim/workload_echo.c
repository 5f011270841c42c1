/* The echo workload: a whole node (node/) with its data directory, certificate and two ports, and clients on two
 * other machines that compare each line that comes back with the one they sent, plain and through TLS.
 *
 * What must hold: lines come back as they were sent, in order; a node that crashed at any moment opens its data
 * directory again and serves; asked to stop, it stops cleanly. */
#include "base/check.h"
#include "base/scope.h"
#include "base/tls/tls.h"
#include "node/node.h"
#include "test/sim/dice.h"
#include "test/sim/workload.h"

#include <stdio.h>
#include <string.h>

#define SQL_PORT    5432
#define HTTPS_PORT  8443
#define CORES       3
#define MACHINES    2 /* of clients */
#define CLIENTS     3 /* on each machine */
#define LINE_MAX    300
#define IN_FLIGHT   5
#define PATIENCE_NS (20 * SIM_SECOND)

struct echo_state {
    struct sim *sim;
    struct scope *scope; /* of the present start's struct node */
    struct node *node;
    uint64_t lines; /* that came back */
    uint64_t goal;
    uint64_t conversations;
    uint64_t starts, failed_starts;
};

/* ---- the server ---- */

/* What main() does before the cores run; and what became of the start before. */
static void server_begin(void *argument)
{
    struct echo_state *state = argument;
    struct node_options options = {.data = "/data",
                                   .sql_host = "10.0.0.1",
                                   .sql_port = SQL_PORT,
                                   .https_host = "10.0.0.1",
                                   .https_port = HTTPS_PORT,
                                   .connections_max = MACHINES * CLIENTS};
    struct error error = {0};
    if (state->node && node_outcome(state->node, &error)) {
        state->failed_starts++;
        sim_note(state->sim, "the node had failed: %s", error_text(&error, ERROR_MESSAGE));
    }
    if (state->scope)
        scope_close(state->scope);
    state->starts++;
    state->scope = scope_open_root("node", NULL);
    enum sqlstate failed = node_open(state->scope, &options, &state->node, &error);
    check(!failed, "node_open: %s", error_text(&error, ERROR_MESSAGE));
}

static void server_core(struct world *world, void *argument)
{
    struct echo_state *state = argument;
    node_core_main(world, state->node);
}

/* ---- clients ---- */

struct client {
    struct world *world;
    struct echo_state *state;
    struct dice dice;
    struct tls_context *tls;
    uint64_t conversation;
    uint64_t sent, received; /* lines of this conversation */
    char line[LINE_MAX];     /* what has come of the next one */
    size_t used;
};

/* Line `number` of a conversation, with its newline; the same whenever it is asked for. */
static size_t line_make(const struct client *client, uint64_t number, char line[static LINE_MAX])
{
    size_t used = (size_t)snprintf(line, LINE_MAX, "%llu.%llu ", (unsigned long long)client->conversation,
                                   (unsigned long long)number);
    size_t size = used + (number * 37 + client->conversation * 11) % (LINE_MAX - used);
    for (; used < size; used++)
        line[used] = (char)('a' + (used + number) % 26);
    line[used - 1] = '\n';
    return used;
}

static enum sqlstate send_lines(struct client *client, struct stream *stream, struct error *error)
{
    uint64_t count = dice_between(&client->dice, 1, IN_FLIGHT);
    for (uint64_t i = 0; i < count; i++) {
        char line[LINE_MAX];
        size_t size = line_make(client, client->sent++, line);
        size_t cut = dice_below(&client->dice, 4) ? size : dice_below(&client->dice, size);
        struct bytes pieces[2] = {bytes_of(line, cut), bytes_of(line + cut, size - cut)};
        enum sqlstate failed = stream_send(stream, pieces, 2, client->world->now_ns + PATIENCE_NS, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* A whole line has come: ours, or the server's farewell. */
static enum sqlstate line_came(struct client *client, struct error *error)
{
    char wanted[LINE_MAX];
    size_t size = line_make(client, client->received, wanted);
    if (client->used >= 6 && !memcmp(client->line, "ERROR ", 6))
        return error_set(error, SQLSTATE_CONNECTION_FAILURE, "the server said %.*s", (int)client->used - 1,
                         client->line);
    if (client->used != size || memcmp(client->line, wanted, size))
        sim_fail(client->state->sim, "line %llu.%llu came back as \"%.*s\"",
                 (unsigned long long)client->conversation, (unsigned long long)client->received,
                 (int)client->used - 1, client->line);
    client->received++;
    client->state->lines++;
    client->used = 0;
    return SQLSTATE_OK;
}

static enum sqlstate take_bytes(struct client *client, struct bytes view, struct error *error)
{
    for (size_t i = 0; i < view.size; i++) {
        if (client->used == LINE_MAX)
            sim_fail(client->state->sim, "a line came back longer than any that was sent");
        client->line[client->used++ % LINE_MAX] = (char)view.data[i];
        enum sqlstate failed = view.data[i] == '\n' ? line_came(client, error) : SQLSTATE_OK;
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate receive_lines(struct client *client, struct stream *stream, struct error *error)
{
    while (client->received < client->sent) {
        struct bytes view;
        enum sqlstate failed = stream_receive(stream, &view, client->world->now_ns + PATIENCE_NS, error);
        if (!failed && !view.size)
            failed = error_set(error, SQLSTATE_CONNECTION_FAILURE, "the server ended the connection");
        if (!failed)
            failed = take_bytes(client, view, error);
        if (failed)
            return failed;
    }
    if (client->used)
        sim_fail(client->state->sim, "something came back that was not sent");
    return SQLSTATE_OK;
}

static enum sqlstate connect_server(struct client *client, struct scope *scope, struct stream **stream,
                                    struct error *error)
{
    struct world *world = client->world;
    bool tls = dice_below(&client->dice, 3) == 0;
    struct net_address address;
    struct stream *below;
    uint64_t deadline_ns = world->now_ns + PATIENCE_NS;
    enum sqlstate failed = net_resolve(world, "node1", tls ? HTTPS_PORT : SQL_PORT, &address, error);
    if (!failed)
        failed = net_connect(world, scope, &address, deadline_ns, &below, error);
    if (!failed && tls)
        failed = tls_open(client->tls, scope, below, deadline_ns, stream, error);
    else if (!failed)
        *stream = below;
    return failed;
}

static enum sqlstate converse(struct client *client, struct scope *scope, struct error *error)
{
    struct world *world = client->world;
    struct stream *stream;
    client->conversation = ++client->state->conversations;
    client->sent = client->received = client->used = 0;
    enum sqlstate failed = connect_server(client, scope, &stream, error);
    uint64_t rounds = dice_between(&client->dice, 1, 60);
    for (uint64_t i = 0; i < rounds && !failed; i++) {
        failed = send_lines(client, stream, error);
        if (!failed)
            failed = receive_lines(client, stream, error);
        uint64_t pause_ns = dice_around(&client->dice, 5 * SIM_MILLISECOND);
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
        scope_hold(scope); /* a stopping process closes it, too, and it is not ready for that */
        enum sqlstate failed = converse(client, scope, &error);
        scope_close(scope);
        scope_release(scope);
        uint64_t pause_ns = dice_around(&client->dice, 20 * SIM_MILLISECOND);
        if (failed && fiber_sleep_until(world->scheduler, world->now_ns + pause_ns) == FIBER_CANCELED)
            return;
    }
}

static void client_core(struct world *world, void *argument)
{
    struct echo_state *state = argument;
    struct tls_options options = {0};
    struct tls_context *tls;
    struct error error = {0};
    enum sqlstate failed = tls_context_open(world, world->scope, &options, &tls, &error);
    check(!failed, "a client without TLS: %s", error_text(&error, ERROR_MESSAGE));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *client = scope_alloc_zeroed(world->scope, sizeof *client);
        uint64_t seed;
        world_random(world, &seed, sizeof seed);
        *client = (struct client){.world = world, .state = state, .tls = tls};
        dice_open(&client->dice, seed, DICE_TEST, i);
        failed = fiber_start(world->scheduler, world->scope, "client", client_fiber, client, NULL, &error);
        check(!failed, "a client without a fiber");
    }
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

/* ---- the run ---- */

static bool goal_reached(void *argument)
{
    const struct echo_state *state = argument;
    return state->lines >= state->goal;
}

static void expect_clean_stop(struct play *play, struct echo_state *state, struct sim_process *server)
{
    struct error error = {0};
    play_stop(play, server);
    if (!sim_failure(play->sim) && node_outcome(state->node, &error))
        sim_fail(play->sim, "a stop that was asked for ended with: %s", error_text(&error, ERROR_MESSAGE));
}

static void echo_run(struct play *play, const struct workload *workload)
{
    struct echo_state state = {.sim = play->sim, .goal = 3000};
    struct sim_process *client[MACHINES];
    struct sim_process *server = play_target(play, 0,
                                             &(struct sim_program){.name = "synodd",
                                                                   .cores = CORES,
                                                                   .core_main = server_core,
                                                                   .argument = &state,
                                                                   .begin = server_begin,
                                                                   .respawn = true});
    for (uint32_t i = 0; i < MACHINES; i++)
        client[i] =
            sim_start(play->sim, i + 1,
                      &(struct sim_program){
                          .name = "client", .cores = 1, .core_main = client_core, .argument = &state});
    play_faults(play, 3 * SIM_SECOND, goal_reached, &state);
    state.goal = state.lines + 200;
    play_calm(play, 300 * SIM_SECOND, goal_reached, &state, "200 more lines");
    expect_clean_stop(play, &state, server);
    if (!sim_failure(play->sim)) {
        sim_restart(server);
        state.goal = state.lines + 200;
        play_calm(play, 300 * SIM_SECOND, goal_reached, &state, "200 more lines after a restart");
    }
    for (uint32_t i = 0; i < MACHINES; i++)
        play_stop(play, client[i]);
    expect_clean_stop(play, &state, server);
    if (state.scope)
        scope_close(state.scope);
}

const struct workload echo_workloads[] = {
    {.name = "echo", .summary = "a whole node that sends lines back", .nodes = 1 + MACHINES, .run = echo_run},
    {0},
};
