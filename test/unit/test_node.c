/* A whole node in the simulator, where minutes pass in no time: its deadlines, its limits, its stop, and each way
 * to fail at the start. What clients see in the real world is in test/wire/. */
#include "test/unit/unit.h"

#include "base/scope.h"
#include "base/tls/tls.h"
#include "node/limits.h"
#include "node/node.h"
#include "test/sim/sim.h"

#include <stdio.h>
#include <string.h>

enum { SQL_PORT = 5432, HTTPS_PORT = 8443 };

static struct sim *sim;
static struct scope *root; /* of what outlives the simulated processes */

/* The node under test, on machine 0. */
static struct node *node;
static struct sim_process *server;
static bool ready;

static void must(enum sqlstate failed, const struct error *error)
{
    ck_assert_msg(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

/* ---- the scene ---- */

static void set_up(void)
{
    static uint64_t seed;
    seed = seed ? seed + 1 : unit_seed();
    struct sim_options options = {.seed = seed, .nodes = 2, .log_level = LOG_ERROR};
    sim_faults_none(&options.faults);
    sim = sim_open(&options);
    root = scope_open_root("test", NULL);
    ready = false;
}

static void tear_down(void)
{
    sim_close(sim);
    scope_close(root);
}

static void note_ready(void *argument, const char *sql_address, const char *https_address)
{
    ck_assert_str_eq(sql_address, "10.0.0.1:5432");
    ck_assert_str_eq(https_address, "10.0.0.1:8443");
    ready = true;
}

static struct node_options usual_options(void)
{
    return (struct node_options){.data = "data",
                                 .sql_host = "10.0.0.1",
                                 .sql_port = SQL_PORT,
                                 .https_host = "10.0.0.1",
                                 .https_port = HTTPS_PORT,
                                 .ready = note_ready};
}

static void server_start(const struct node_options *options)
{
    struct error error = {0};
    must(node_open(root, options, &node, &error), &error);
    server = sim_start(
        sim, 0,
        &(struct sim_program){.name = "synodd", .cores = 3, .core_main = node_core_main, .argument = node});
}

static bool has_ended(void *process)
{
    return sim_state(process) == SIM_ENDED;
}

static bool is_true(void *flag)
{
    return *(bool *)flag;
}

static void server_serves(const struct node_options *options)
{
    server_start(options);
    ck_assert_int_eq(sim_run(sim, 10 * SIM_SECOND, is_true, &ready), SIM_UNTIL);
}

/* The server, asked to stop, does so within that time, cleanly. */
static void server_stops_within(uint64_t ns)
{
    struct error error = {0};
    sim_stop(server);
    ck_assert_int_eq(sim_run(sim, ns, has_ended, server), SIM_UNTIL);
    must(node_outcome(node, &error), &error);
}

static void server_fails(enum sqlstate state, const char *words)
{
    struct error error = {0};
    ck_assert_int_eq(sim_run(sim, 10 * SIM_SECOND, has_ended, server), SIM_UNTIL);
    enum sqlstate failed = node_outcome(node, &error);
    ck_assert_msg(failed == state && strstr(error_text(&error, ERROR_MESSAGE), words), "%s",
                  failed ? error_text(&error, ERROR_MESSAGE) : "it did not fail");
    ck_assert(!ready);
}

/* ---- clients, on machine 1 ---- */

/* What a client does, in its one fiber. */
static void client_run(void (*client)(struct world *world, void *argument))
{
    struct sim_process *process =
        sim_start(sim, 1, &(struct sim_program){.name = "client", .cores = 1, .core_main = client});
    ck_assert_int_eq(sim_run(sim, 1000 * SIM_SECOND, has_ended, process), SIM_UNTIL);
}

static struct stream *client_connect(struct world *world, uint16_t port)
{
    struct error error = {0};
    struct stream *stream;
    struct net_address address = {.port = port};
    ck_assert(net_address_parse("10.0.0.1", &address));
    must(net_connect(world, world->scope, &address, FIBER_NO_DEADLINE, &stream, &error), &error);
    return stream;
}

static struct stream *client_connect_tls(struct world *world)
{
    struct error error = {0};
    struct tls_context *context;
    struct stream *stream;
    must(tls_context_open(world, world->scope, &(struct tls_options){0}, &context, &error), &error);
    must(tls_open(context, world->scope, client_connect(world, HTTPS_PORT), FIBER_NO_DEADLINE, &stream,
                  &error),
         &error);
    return stream;
}

static void client_send(struct stream *stream, const char *text)
{
    struct error error = {0};
    const struct bytes piece = bytes_of_text(text);
    must(stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, &error), &error);
}

/* Everything the server sends until it closes in order, as a text of the world's scope. */
static const char *client_receive_all(struct world *world, struct stream *stream)
{
    enum { ROOM = 4096 };
    struct error error = {0};
    char *text = scope_alloc(world->scope, ROOM);
    size_t used = 0;
    for (;;) {
        struct bytes view;
        must(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error), &error);
        text[used] = '\0';
        if (view.size == 0)
            return text;
        ck_assert_uint_lt(used + view.size, ROOM);
        memcpy(text + used, view.data, view.size);
        used += view.size;
    }
}

static void client_expect(struct stream *stream, const char *text)
{
    struct error error = {0};
    while (*text) {
        struct bytes view;
        must(stream_receive(stream, &view, FIBER_NO_DEADLINE, &error), &error);
        ck_assert_msg(view.size > 0, "closed before \"%s\"", text);
        ck_assert(view.size <= strlen(text) && memcmp(view.data, text, view.size) == 0);
        text += view.size;
    }
}

static double seconds_since(struct world *world, uint64_t began_ns)
{
    return (double)(world_now(world) - began_ns) / SIM_SECOND;
}

/* ---- serving ---- */

static void echo_on_both_ports(struct world *world, void *argument)
{
    struct stream *streams[] = {client_connect(world, SQL_PORT), client_connect_tls(world)};
    for (int i = 0; i < 2; i++) {
        client_send(streams[i], "one\ntwo\nthr");
        client_expect(streams[i], "one\ntwo\n");
        client_send(streams[i], "ee\n");
        client_expect(streams[i], "three\n");
    }
}

START_TEST(lines_come_back_on_both_ports)
{
    struct node_options options = usual_options();
    server_serves(&options);
    client_run(echo_on_both_ports);
    ck_assert_uint_eq(node_connections_total(node), 2);
    server_stops_within(SIM_SECOND);
    ck_assert_uint_eq(node_connections(node), 0);
}
END_TEST

static void thirty_at_once(struct world *world, void *argument)
{
    struct stream *streams[30];
    for (int i = 0; i < 30; i++)
        streams[i] = client_connect(world, SQL_PORT);
    for (int i = 0; i < 30; i++)
        client_send(streams[i], "line\n");
    for (int i = 0; i < 30; i++)
        client_expect(streams[i], "line\n");
    ck_assert_uint_eq(node_connections(node), 30);
}

START_TEST(connections_are_counted_while_they_last)
{
    struct node_options options = usual_options();
    server_serves(&options);
    client_run(thirty_at_once);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, NULL, NULL), SIM_DEADLINE);
    ck_assert_uint_eq(node_connections(node), 0);
    ck_assert_uint_eq(node_connections_total(node), 30);
    server_stops_within(SIM_SECOND);
}
END_TEST

/* ---- deadlines ---- */

static void begin_a_line_and_wait(struct world *world, void *argument)
{
    struct stream *stream = client_connect(world, SQL_PORT);
    uint64_t began_ns = world_now(world);
    client_send(stream, "whole\nhalf");
    ck_assert_str_eq(client_receive_all(world, stream), "whole\nERROR 57P05 line was not ended in time\n");
    double seconds = seconds_since(world, began_ns);
    ck_assert_msg(seconds > 29 && seconds < 31, "after %f s", seconds);
}

START_TEST(a_line_that_does_not_end_in_time_is_refused)
{
    struct node_options options = usual_options();
    options.line_timeout_ms = 30000;
    server_serves(&options);
    client_run(begin_a_line_and_wait);
    server_stops_within(SIM_SECOND);
}
END_TEST

static void be_silent_for_an_hour(struct world *world, void *argument)
{
    struct stream *stream = client_connect(world, SQL_PORT);
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 900 * SIM_SECOND),
                     FIBER_TIMED_OUT);
    client_send(stream, "still here\n");
    client_expect(stream, "still here\n");
}

START_TEST(a_silent_client_may_be_silent)
{
    struct node_options options = usual_options();
    server_serves(&options);
    client_run(be_silent_for_an_hour);
}
END_TEST

static void say_nothing_instead_of_hello(struct world *world, void *argument)
{
    struct error error = {0};
    struct bytes view;
    struct stream *stream = client_connect(world, HTTPS_PORT);
    uint64_t began_ns = world_now(world);
    /* Closed or broken, as the server likes: there is no language yet to say anything in. */
    if (!stream_receive(stream, &view, FIBER_NO_DEADLINE, &error))
        ck_assert_uint_eq(view.size, 0);
    double seconds = seconds_since(world, began_ns);
    ck_assert_msg(seconds > 19 && seconds < 22, "after %f s", seconds);
}

START_TEST(a_handshake_that_does_not_come_is_not_waited_for)
{
    struct node_options options = usual_options();
    options.handshake_timeout_ms = 20000;
    server_serves(&options);
    client_run(say_nothing_instead_of_hello);
}
END_TEST

/* Sends without ever receiving; the server cuts it off. */
static void take_nothing(struct world *world, void *argument)
{
    static char lines[64 * 1024];
    struct error error = {0};
    enum sqlstate failed = SQLSTATE_OK;
    struct stream *stream = client_connect(world, SQL_PORT);
    uint64_t began_ns = world_now(world), sent = 0;
    memset(lines, '\n', sizeof lines);
    const struct bytes piece = bytes_of(lines, sizeof lines);
    while (!failed && sent < 1ull << 30) {
        failed = stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, &error);
        sent += sizeof lines;
    }
    ck_assert_msg(failed, "the server takes without end");
    double seconds = seconds_since(world, began_ns);
    ck_assert_msg(seconds > 14 && seconds < 18, "after %f s", seconds);
}

START_TEST(a_client_that_takes_nothing_is_cut_off)
{
    struct node_options options = usual_options();
    options.send_timeout_ms = 15000;
    server_serves(&options);
    client_run(take_nothing);
    ck_assert_int_eq(sim_run(sim, 5 * SIM_SECOND, NULL, NULL), SIM_DEADLINE);
    ck_assert_uint_eq(node_connections(node), 0);
}
END_TEST

/* ---- limits ---- */

static void one_more_than_five(struct world *world, void *argument)
{
    struct stream *streams[5];
    for (int i = 0; i < 5; i++) {
        streams[i] = i % 2 ? client_connect_tls(world) : client_connect(world, SQL_PORT);
        client_send(streams[i], "x\n");
        client_expect(streams[i], "x\n");
    }
    static const char sorry[] = "ERROR 53300 sorry, too many clients already\n";
    ck_assert_str_eq(client_receive_all(world, client_connect(world, SQL_PORT)), sorry);
    ck_assert_str_eq(client_receive_all(world, client_connect_tls(world)), sorry);
}

START_TEST(one_client_too_many_is_told_so)
{
    struct node_options options = usual_options();
    options.connections_max = 5;
    server_serves(&options);
    client_run(one_more_than_five);
    server_stops_within(SIM_SECOND);
    ck_assert_uint_eq(node_connections_total(node), 5);
}
END_TEST

/* Many come at once and never listen: each takes a place among those being told, until there is none. */
static void a_hundred_too_many(struct world *world, void *argument)
{
    struct stream *first = client_connect(world, SQL_PORT);
    client_send(first, "x\n");
    client_expect(first, "x\n");
    for (int i = 0; i < NODE_REFUSALS_MAX + 40; i++) {
        struct error error = {0};
        struct stream *stream = client_connect(world, HTTPS_PORT);
        struct bytes view;
        /* Those past the bound are closed without a word, at once; the others wait for a handshake. */
        if (i < NODE_REFUSALS_MAX)
            continue;
        if (!stream_receive(stream, &view, world_now(world) + 2 * SIM_SECOND, &error))
            ck_assert_uint_eq(view.size, 0);
        else
            ck_assert_int_eq(error.state, SQLSTATE_CONNECTION_FAILURE);
    }
    client_send(first, "y\n");
    client_expect(first, "y\n");
}

START_TEST(refusing_is_bounded_itself)
{
    struct node_options options = usual_options();
    options.connections_max = 1;
    server_serves(&options);
    client_run(a_hundred_too_many);
    server_stops_within(SIM_SECOND);
}
END_TEST

/* ---- stopping ---- */

static void hold_half_a_line(struct world *world, void *argument)
{
    struct error error = {0};
    struct bytes view;
    struct stream *stream = client_connect(world, SQL_PORT);
    client_send(stream, "whole\nhalf");
    client_expect(stream, "whole\n");
    uint64_t began_ns = world_now(world);
    world_stop(world); /* of the client itself: the test then stops the server */
    if (!stream_receive(stream, &view, FIBER_NO_DEADLINE, &error))
        ck_assert_uint_eq(view.size, 0);
    double seconds = seconds_since(world, began_ns);
    ck_assert_msg(seconds > 6 && seconds < 9, "after %f s", seconds);
}

static bool one_connection(void *argument)
{
    return node_connections(node) == 1;
}

START_TEST(a_line_that_never_ends_holds_the_stop_up_for_the_grace_only)
{
    struct node_options options = usual_options();
    options.grace_ms = 7000;
    server_serves(&options);
    struct sim_process *client =
        sim_start(sim, 1, &(struct sim_program){.name = "client", .cores = 1, .core_main = hold_half_a_line});
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, one_connection, NULL), SIM_UNTIL);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND / 10, NULL, NULL), SIM_DEADLINE);
    server_stops_within(8 * SIM_SECOND);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, has_ended, client), SIM_UNTIL);
}
END_TEST

static void finish_the_line(struct world *world, void *argument)
{
    struct stream *stream = client_connect(world, SQL_PORT);
    client_send(stream, "half");
    ck_assert_int_eq(fiber_sleep_until(world->scheduler, world_now(world) + 3 * SIM_SECOND), FIBER_TIMED_OUT);
    client_send(stream, " and half\n");
    ck_assert_str_eq(client_receive_all(world, stream), "half and half\n");
}

START_TEST(a_line_under_way_is_answered_before_the_stop)
{
    struct node_options options = usual_options();
    server_serves(&options);
    struct sim_process *client =
        sim_start(sim, 1, &(struct sim_program){.name = "client", .cores = 1, .core_main = finish_the_line});
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, NULL, NULL), SIM_DEADLINE);
    server_stops_within(4 * SIM_SECOND);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, has_ended, client), SIM_UNTIL);
}
END_TEST

START_TEST(a_stop_at_any_time_of_the_start_is_clean)
{
    for (uint64_t ns = 0; ns < 5 * SIM_MILLISECOND; ns += 50 * SIM_MICROSECOND) {
        struct error error = {0};
        struct node_options options = usual_options();
        server_start(&options);
        ck_assert_int_eq(sim_run(sim, ns, NULL, NULL), SIM_DEADLINE);
        sim_stop(server);
        ck_assert_int_eq(sim_run(sim, 10 * SIM_SECOND, has_ended, server), SIM_UNTIL);
        must(node_outcome(node, &error), &error);
        tear_down();
        set_up();
    }
}
END_TEST

/* ---- failing at the start ---- */

static void take_the_port(struct world *world, void *argument)
{
    struct error error = {0};
    struct listener *listener;
    struct net_address address = {.port = HTTPS_PORT}, bound;
    ck_assert(net_address_parse("10.0.0.1", &address));
    must(net_listen(world, world->scope, &address, &listener, &bound, &error), &error);
    *(bool *)argument = true;
    (void)world_wait_stop(world, FIBER_NO_DEADLINE);
}

START_TEST(a_port_in_use_ends_the_start_on_all_cores)
{
    struct node_options options = usual_options();
    bool taken = false;
    sim_start(
        sim, 0,
        &(struct sim_program){.name = "other", .cores = 1, .core_main = take_the_port, .argument = &taken});
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, is_true, &taken), SIM_UNTIL);
    server_start(&options);
    server_fails(SQLSTATE_OBJECT_IN_USE, "8443");
}
END_TEST

START_TEST(a_port_that_is_given_back_soon_is_waited_for)
{
    struct node_options options = usual_options();
    bool taken = false;
    struct sim_process *other = sim_start(
        sim, 0,
        &(struct sim_program){.name = "other", .cores = 1, .core_main = take_the_port, .argument = &taken});
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, is_true, &taken), SIM_UNTIL);
    server_start(&options);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND / 2, NULL, NULL), SIM_DEADLINE);
    ck_assert(!ready);
    sim_stop(other);
    ck_assert_int_eq(sim_run(sim, SIM_SECOND, is_true, &ready), SIM_UNTIL);
    server_stops_within(SIM_SECOND);
}
END_TEST

START_TEST(a_missing_certificate_ends_the_start_on_all_cores)
{
    struct node_options options = usual_options();
    options.tls_certificate = "none.crt";
    options.tls_key = "none.key";
    server_start(&options);
    server_fails(SQLSTATE_UNDEFINED_FILE, "none.key");
}
END_TEST

START_TEST(an_unknown_host_ends_the_start_on_all_cores)
{
    struct node_options options = usual_options();
    options.sql_host = "nowhere.invalid";
    server_start(&options);
    ck_assert_int_eq(sim_run(sim, 100 * SIM_SECOND, has_ended, server), SIM_UNTIL);
    struct error error = {0};
    ck_assert(node_outcome(node, &error));
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_MESSAGE), "nowhere.invalid"));
}
END_TEST

START_TEST(a_disk_that_errs_lets_it_start_or_says_so)
{
    uint64_t random = unit_seed(), started = 0, failed = 0;
    for (int i = 0; i < 60; i++) {
        struct error error = {0};
        struct node_options options = usual_options();
        struct sim_faults *faults = sim_faults(sim);
        faults->read_error_ppm = faults->write_error_ppm = faults->sync_error_ppm =
            (uint32_t)unit_random_below(&random, 100000);
        server_start(&options);
        sim_stop(server);
        ck_assert_int_eq(sim_run(sim, 10 * SIM_SECOND, has_ended, server), SIM_UNTIL);
        if (node_outcome(node, &error))
            ck_assert_msg(++failed && error.state == SQLSTATE_IO_ERROR, "%s",
                          error_text(&error, ERROR_MESSAGE));
        else
            started++;
    }
    ck_assert_uint_gt(started, 0);
    ck_assert_uint_gt(failed, 0);
    struct node_options options = usual_options();
    sim_calm(sim);
    ready = false;
    server_serves(&options);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("node");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, lines_come_back_on_both_ports);
    tcase_add_test(tests, connections_are_counted_while_they_last);
    tcase_add_test(tests, a_line_that_does_not_end_in_time_is_refused);
    tcase_add_test(tests, a_silent_client_may_be_silent);
    tcase_add_test(tests, a_handshake_that_does_not_come_is_not_waited_for);
    tcase_add_test(tests, a_client_that_takes_nothing_is_cut_off);
    tcase_add_test(tests, one_client_too_many_is_told_so);
    tcase_add_test(tests, refusing_is_bounded_itself);
    tcase_add_test(tests, a_line_that_never_ends_holds_the_stop_up_for_the_grace_only);
    tcase_add_test(tests, a_line_under_way_is_answered_before_the_stop);
    tcase_add_test(tests, a_stop_at_any_time_of_the_start_is_clean);
    tcase_add_test(tests, a_port_in_use_ends_the_start_on_all_cores);
    tcase_add_test(tests, a_port_that_is_given_back_soon_is_waited_for);
    tcase_add_test(tests, a_missing_certificate_ends_the_start_on_all_cores);
    tcase_add_test(tests, an_unknown_host_ends_the_start_on_all_cores);
    tcase_add_test(tests, a_disk_that_errs_lets_it_start_or_says_so);
    return unit_run(tests);
}
