/* A client and a server that meet over a pipe. */
#include "test/unit/tls_meeting.h"

#include "test/unit/unit.h"

#include "base/scheduler.h"

#include <stdio.h>

/* ---- the room ---- */

static struct room *room_of(struct world *world)
{
    return container_of(world, struct room, world);
}

static uint64_t room_now(struct world *world)
{
    return world->now_ns;
}

static int64_t room_wall(struct world *world)
{
    return room_of(world)->wall_us + (int64_t)(world->now_ns / 1000);
}

static void room_random(struct world *world, void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)unit_random(&room_of(world)->random);
}

static void room_home(struct world *world)
{
    (void)world; /* one thread runs it all */
}

static const struct world_ops room_ops = {
    .now = room_now, .wall = room_wall, .random = room_random, .home = room_home};

void room_open(struct room *room, uint64_t seed)
{
    *room = (struct room){.world = {.ops = &room_ops, .cores = 1, .now_ns = 1},
                          .budget = {.limit = SIZE_MAX},
                          .random = seed,
                          .wall_us = MEETING_WALL_US};
    struct error error;
    room->world.scope = scope_open_root("room", &room->budget);
    ck_assert_int_eq(
        scheduler_open(room->world.scope, &(struct scheduler_options){0}, &room->world.scheduler, &error), 0);
}

void room_run(struct room *room)
{
    struct scheduler *scheduler = room->world.scheduler;
    while (scheduler_fibers(scheduler)) {
        if (scheduler_ready(scheduler)) {
            scheduler_run(scheduler, 100);
            continue;
        }
        uint64_t next_ns = scheduler_next_deadline(scheduler);
        ck_assert_msg(next_ns != FIBER_NO_DEADLINE, "all fibers wait for ever");
        if (next_ns > room->world.now_ns)
            room->world.now_ns = next_ns;
        scheduler_tick(scheduler, room->world.now_ns);
    }
}

void room_close(struct room *room)
{
    scope_close(room->world.scope);
    ck_assert_uint_eq(room->budget.used, 0);
}

static struct paper make_paper(struct room *room, const struct paper *authority,
                               const struct tls_make *wanted)
{
    struct tls_make make = *wanted;
    struct paper paper;
    struct error error = {0};
    if (authority) {
        make.authority_certificate_pem = authority->certificate;
        make.authority_key_pem = authority->key;
    }
    enum sqlstate failed =
        tls_make_certificate(&room->world, room->world.scope, &make, &paper.certificate, &paper.key, &error);
    ck_assert_msg(!failed, "%s", error_text(&error, ERROR_MESSAGE));
    return paper;
}

struct paper room_authority(struct room *room, const char *common_name)
{
    return make_paper(room, NULL,
                      &(struct tls_make){.common_name = common_name, .valid_days = 365, .authority = true});
}

struct paper room_paper(struct room *room, const struct paper *authority, const char *common_name)
{
    static const char *const names[] = {"server.test", "127.0.0.1", "::1", NULL};
    return make_paper(room, authority,
                      &(struct tls_make){.common_name = common_name, .names = names, .valid_days = 30});
}

/* ---- what sides do ---- */

void side_send(struct side *side, const char *text)
{
    struct bytes piece = bytes_of_text(text);
    side->failed = stream_send(side->stream, &piece, 1, FIBER_NO_DEADLINE, &side->error);
}

size_t side_receive_all(struct side *side, char *text, size_t room)
{
    size_t total = 0, kept = 0;
    struct bytes view;
    do {
        side->failed = stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error);
        if (side->failed)
            break;
        size_t keep = view.size < room - 1 - kept ? view.size : room - 1 - kept;
        if (keep)
            memcpy(text + kept, view.data, keep);
        kept += keep;
        total += view.size;
    } while (view.size);
    text[kept] = '\0';
    return total;
}

void say_and_listen(struct side *side)
{
    side_send(side, side->say);
    if (!side->failed)
        side->failed = stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error);
    if (!side->failed)
        side_receive_all(side, side->got, sizeof side->got);
}

/* ---- the meeting ---- */

static void meet(struct side *side)
{
    struct tls_context *context = side->context;
    struct world *world = &side->meeting->room.world;
    if (!context)
        side->failed = tls_context_open(world, side->scope, &side->options, &context, &side->error);
    if (side->failed)
        return;
    side->failed =
        tls_open(context, side->scope, &side->end->stream, side->deadline_ns, &side->stream, &side->error);
    if (side->failed)
        return;
    side->shook = true;
    snprintf(side->protocol, sizeof side->protocol, "%s", tls_protocol(side->stream));
    snprintf(side->peer_name, sizeof side->peer_name, "%s", tls_peer_name(side->stream));
    if (side->then)
        side->then(side);
}

/* As a door does it: the connection has a scope, which ends with it, whatever happened. */
static void run_side(void *argument)
{
    struct side *side = argument;
    side->scope = scope_open(side->meeting->room.world.scope, "connection");
    meet(side);
    side->fiber = NULL;
    scope_close(side->scope);
    pipe_end_close(side->end);
}

void side_start(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    struct error error;
    ck_assert_int_eq(
        fiber_start(world->scheduler, world->scope, "side", run_side, side, &side->fiber, &error), 0);
}

void meeting_open(struct meeting *meeting, uint64_t seed, size_t chunk_max)
{
    *meeting = (struct meeting){0};
    room_open(&meeting->room, seed);
    pipe_open(&meeting->pipe, meeting->room.world.scheduler, seed, 65536, chunk_max);
    meeting->authority = room_authority(&meeting->room, "authority");
    meeting->server_paper = room_paper(&meeting->room, &meeting->authority, "the server");
    meeting->client_paper = room_paper(&meeting->room, &meeting->authority, "the client");
    meeting->client = (struct side){.meeting = meeting,
                                    .end = &meeting->pipe.ends[0],
                                    .options = {.trust_pem = meeting->authority.certificate},
                                    .deadline_ns = FIBER_NO_DEADLINE,
                                    .say = "hello from the client",
                                    .then = say_and_listen};
    meeting->server = (struct side){.meeting = meeting,
                                    .end = &meeting->pipe.ends[1],
                                    .options = {.server = true,
                                                .certificate_pem = meeting->server_paper.certificate,
                                                .key_pem = meeting->server_paper.key},
                                    .deadline_ns = FIBER_NO_DEADLINE,
                                    .say = "hello from the server",
                                    .then = say_and_listen};
}

static void forget(struct side *side)
{
    side->stream = NULL;
    side->shook = false;
    side->failed = SQLSTATE_OK;
    side->protocol[0] = side->peer_name[0] = side->got[0] = '\0';
}

void meeting_again(struct meeting *meeting)
{
    size_t room = meeting->pipe.room, chunk_max = meeting->pipe.chunk_max;
    uint64_t seed = meeting->pipe.random;
    pipe_close(&meeting->pipe);
    pipe_open(&meeting->pipe, meeting->room.world.scheduler, seed, room, chunk_max);
    forget(&meeting->client);
    forget(&meeting->server);
}

void meeting_make_mutual(struct meeting *meeting)
{
    meeting->client.options.certificate_pem = meeting->client_paper.certificate;
    meeting->client.options.key_pem = meeting->client_paper.key;
    meeting->server.options.trust_pem = meeting->authority.certificate;
    meeting->server.options.require_peer = true;
}

void meeting_hold(struct meeting *meeting)
{
    side_start(&meeting->server);
    side_start(&meeting->client);
    room_run(&meeting->room);
}

void meeting_close(struct meeting *meeting)
{
    pipe_close(&meeting->pipe);
    room_close(&meeting->room);
}
