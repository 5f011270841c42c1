/* TLS streams once hands are shaken: every byte, in order, once, until a proper end, or an error. */
#include "test/unit/tls_foreign.h"
#include "test/unit/unit.h"

#include "base/scheduler.h"
#include "base/tls/library.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

#define SEED         1
#define RECORD_EXTRA 22 /* header, type and tag of a TLS 1.3 record with AES-GCM */

static const char *message_of(const struct side *side)
{
    return side->failed ? error_text(&side->error, ERROR_MESSAGE) : "no error";
}

static void expect_error(const struct side *side, enum sqlstate state, const char *words)
{
    char text[6];
    sqlstate_text(side->failed, text);
    ck_assert_msg(side->failed == state && strstr(message_of(side), words), "%s %s, but expected: %s", text,
                  message_of(side), words);
}

static void expect_no_error(const struct side *side)
{
    ck_assert_msg(!side->failed, "%s", message_of(side));
}

/* ---- what OpenSSL takes from the system, counted ---- */

static size_t foreign_bytes;

/* In front of each block. */
union block_size {
    size_t bytes;
    max_align_t align;
};

static void *counted_malloc(size_t bytes, const char *file, int line)
{
    union block_size *block = malloc(sizeof *block + bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    foreign_bytes += bytes;
    return block + 1;
}

static void counted_free(void *memory, const char *file, int line)
{
    union block_size *block = memory;
    if (!memory)
        return;
    foreign_bytes -= block[-1].bytes;
    free(block - 1);
}

static void *counted_realloc(void *memory, size_t bytes, const char *file, int line)
{
    void *moved = counted_malloc(bytes, file, line);
    if (memory && moved) {
        size_t old = ((union block_size *)memory)[-1].bytes;
        memcpy(moved, memory, old < bytes ? old : bytes);
        counted_free(memory, file, line);
    }
    return moved;
}

/* ---- records on the wire ---- */

/* Sends what a test has laid down, and says how many bytes that became. */
struct measured {
    struct bytes pieces[100];
    size_t count;
    uint64_t wire;
};
static struct measured measured;

static void send_measured(struct side *side)
{
    uint64_t before = side->end->out->sent;
    side->failed =
        stream_send(side->stream, measured.pieces, measured.count, FIBER_NO_DEADLINE, &side->error);
    measured.wire = side->end->out->sent - before;
    if (!side->failed)
        side->failed = stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error);
}

static size_t received_size;

static void receive_and_count(struct side *side)
{
    received_size = side_receive_all(side, side->got, sizeof side->got);
}

static uint64_t wire_bytes(size_t piece_size, size_t count)
{
    static uint8_t data[200000];
    struct meeting meeting;
    measured.count = count;
    for (size_t i = 0; i < count; i++)
        measured.pieces[i] = bytes_of(data, piece_size);
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = send_measured;
    meeting.server.then = receive_and_count;
    meeting_hold(&meeting);
    expect_no_error(&meeting.client);
    expect_no_error(&meeting.server);
    ck_assert_uint_eq(received_size, piece_size * count);
    meeting_close(&meeting);
    return measured.wire;
}

START_TEST(small_pieces_of_one_send_share_a_record)
{
    ck_assert_uint_eq(wire_bytes(10, 1), 10 + RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(10, 100), 1000 + RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(163, 100), 16300 + RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(164, 100), 16400 + 2 * RECORD_EXTRA);
}
END_TEST

START_TEST(big_sends_fill_their_records)
{
    ck_assert_uint_eq(wire_bytes(16384, 1), 16384 + RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(16385, 1), 16385 + 2 * RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(16384, 10), 163840 + 10 * RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(10000, 100), 1000000 + 62 * RECORD_EXTRA);
    ck_assert_uint_eq(wire_bytes(200000, 3), 600000 + 37 * RECORD_EXTRA);
}
END_TEST

START_TEST(nothing_sent_is_no_record)
{
    ck_assert_uint_eq(wire_bytes(0, 0), 0);
    ck_assert_uint_eq(wire_bytes(0, 50), 0);
}
END_TEST

/* ---- much, both ways at once ---- */

#define BULK_BYTES (10 << 20)

/* What goes one way: byte i is a function of i, so that the receiver can tell every loss and every swap. */
static uint8_t bulk_byte(uint64_t place, uint8_t salt)
{
    return (uint8_t)((place * 0x9e3779b97f4a7c15ULL >> 32) ^ salt);
}

struct bulk {
    struct side *side;
    uint8_t salt;
    uint64_t random;
    bool wrong;
    uint64_t received;
    struct fiber_queue done;
    bool sent;
};

static void send_bulk(void *argument)
{
    struct bulk *bulk = argument;
    static uint8_t data[2][150000];
    uint8_t *mine = data[bulk->salt];
    struct error error;
    for (uint64_t at = 0; at < BULK_BYTES;) {
        size_t size = (size_t)unit_random_below(&bulk->random, sizeof data[0]) + 1;
        if (unit_random_below(&bulk->random, 3) == 0)
            size = size % 300 + 1;
        if (size > BULK_BYTES - at)
            size = BULK_BYTES - at;
        for (size_t i = 0; i < size; i++)
            mine[i] = bulk_byte(at + i, bulk->salt);
        size_t first = (size_t)unit_random_below(&bulk->random, size);
        struct bytes pieces[] = {bytes_of(mine, first), bytes_of(mine + first, size - first)};
        ck_assert_int_eq(stream_send(bulk->side->stream, pieces, 2, FIBER_NO_DEADLINE, &error), 0);
        memset(mine, 0xee, size); /* it is ours again */
        at += size;
    }
    ck_assert_int_eq(stream_shutdown(bulk->side->stream, FIBER_NO_DEADLINE, &error), 0);
    bulk->sent = true;
    fiber_wake_all(&bulk->done);
}

static struct bulk bulks[2];

/* Receives in this fiber, sends in another. */
static void exchange_bulk(struct side *side)
{
    bool client = side == &side->meeting->client;
    struct bulk *bulk = &bulks[client];
    struct world *world = &side->meeting->room.world;
    *bulk = (struct bulk){.side = side, .salt = client, .random = side->meeting->room.random};
    fiber_queue_init(&bulk->done);
    struct error error;
    ck_assert_int_eq(fiber_start(world->scheduler, side->scope, "bulk", send_bulk, bulk, NULL, &error), 0);
    struct bytes view;
    while (!(side->failed = stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error)) &&
           view.size) {
        for (size_t i = 0; i < view.size; i++)
            bulk->wrong |= view.data[i] != bulk_byte(bulk->received + i, !client);
        bulk->received += view.size;
    }
    while (!bulk->sent)
        (void)!fiber_wait(world->scheduler, &bulk->done, FIBER_NO_DEADLINE);
}

START_TEST(ten_megabytes_go_both_ways_at_once)
{
    struct meeting meeting;
    meeting_open(&meeting, unit_seed(), 100000);
    meeting.client.then = meeting.server.then = exchange_bulk;
    meeting_hold(&meeting);
    expect_no_error(&meeting.client);
    expect_no_error(&meeting.server);
    for (int i = 0; i < 2; i++) {
        ck_assert(!bulks[i].wrong);
        ck_assert_uint_eq(bulks[i].received, BULK_BYTES);
    }
    meeting_close(&meeting);
}
END_TEST

/* ---- how streams end ---- */

static void shut_down_then_listen(struct side *side)
{
    side->failed = stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error);
    if (!side->failed)
        receive_and_count(side);
}

static void listen_then_say_much(struct side *side)
{
    static const uint8_t data[100000];
    side_receive_all(side, side->got, sizeof side->got);
    for (int i = 0; i < 10 && !side->failed; i++) {
        struct bytes piece = bytes_of(data, sizeof data);
        side->failed = stream_send(side->stream, &piece, 1, FIBER_NO_DEADLINE, &side->error);
    }
    if (!side->failed)
        side->failed = stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error);
}

START_TEST(one_side_may_close_while_the_other_sends_on)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = shut_down_then_listen;
    meeting.server.then = listen_then_say_much;
    meeting_hold(&meeting);
    expect_no_error(&meeting.client);
    expect_no_error(&meeting.server);
    ck_assert_uint_eq(received_size, 1000000);
    meeting_close(&meeting);
}
END_TEST

static void end_repeatedly(struct side *side)
{
    struct bytes view;
    shut_down_then_listen(side);
    ck_assert_int_eq(side->failed, 0);
    /* The end stays the end, and closing again is harmless. */
    ck_assert_int_eq(stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error), 0);
    ck_assert_uint_eq(view.size, 0);
    ck_assert_int_eq(stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error), 0);
    side_send(side, "too late");
}

START_TEST(after_its_shutdown_a_side_cannot_send)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = end_repeatedly;
    meeting_hold(&meeting);
    expect_no_error(&meeting.server);
    expect_error(&meeting.client, SQLSTATE_CONNECTION_FAILURE, "TLS connection is shut down for sending");
    meeting_close(&meeting);
}
END_TEST

/* Bytes each way until hands are shaken, when nothing is said after that. */
static uint64_t handshake_bytes(struct meeting *meeting, int way)
{
    meeting->client.then = meeting->server.then = NULL;
    meeting_hold(meeting);
    uint64_t bytes = meeting->pipe.ways[way].sent;
    meeting->client.then = meeting->server.then = say_and_listen;
    return bytes;
}

static bool is_prefix(const char *part, const char *whole)
{
    return strncmp(part, whole, strlen(part)) == 0;
}

START_TEST(a_connection_cut_at_any_byte_is_not_taken_for_its_end)
{
    for (int way = 0; way < 2; way++) {
        struct meeting meeting;
        meeting_open(&meeting, SEED, 65536);
        uint64_t start = handshake_bytes(&meeting, way), end = start + 21 + RECORD_EXTRA + 2 + RECORD_EXTRA;
        for (uint64_t cut = start; cut < end; cut++) {
            meeting_again(&meeting);
            meeting.pipe.ways[way].cut_after = cut;
            meeting_hold(&meeting);
            struct side *hears = way ? &meeting.client : &meeting.server;
            expect_error(hears, SQLSTATE_CONNECTION_FAILURE,
                         "it ended without a close_notify, so data may be missing");
            ck_assert(is_prefix(hears->got, way ? meeting.server.say : meeting.client.say));
        }
        meeting_again(&meeting);
        meeting.pipe.ways[way].cut_after = end;
        meeting_hold(&meeting);
        expect_no_error(&meeting.client);
        expect_no_error(&meeting.server);
        meeting_close(&meeting);
    }
}
END_TEST

START_TEST(a_byte_changed_in_any_place_is_noticed)
{
    for (int way = 0; way < 2; way++) {
        struct meeting meeting;
        meeting_open(&meeting, SEED, 65536);
        uint64_t start = handshake_bytes(&meeting, way), end = start + 21 + RECORD_EXTRA + 2 + RECORD_EXTRA;
        for (uint64_t flip = start; flip < end; flip++) {
            meeting_again(&meeting);
            meeting.pipe.ways[way].flip_at = flip;
            meeting_hold(&meeting);
            struct side *hears = way ? &meeting.client : &meeting.server;
            expect_error(hears, SQLSTATE_CONNECTION_FAILURE, "TLS connection broken");
            ck_assert(!hears->got[0] || !strcmp(hears->got, way ? meeting.server.say : meeting.client.say));
        }
        meeting_close(&meeting);
    }
}
END_TEST

/* ---- deadlines, cancellation, reset ---- */

static struct bytes at_deadline;

static void poll_until_something_comes(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    int polls = 0;
    do {
        polls++;
        side->failed = stream_receive(side->stream, &at_deadline, world->now_ns + 1000, &side->error);
    } while (side->failed == SQLSTATE_IDLE_SESSION_TIMEOUT);
    ck_assert_int_ge(polls, 10);
    ck_assert_int_eq(side->failed, 0);
    memcpy(side->got, at_deadline.data, at_deadline.size);
}

static void say_it_slowly(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 20000);
    side_send(side, side->say);
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 20000);
}

START_TEST(a_deadline_of_receive_loses_nothing)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = say_it_slowly;
    meeting.server.then = poll_until_something_comes;
    meeting_hold(&meeting);
    expect_no_error(&meeting.server);
    ck_assert_str_eq(meeting.server.got, meeting.client.say);
    meeting_close(&meeting);
}
END_TEST

static void send_too_much(struct side *side)
{
    static const uint8_t data[300000];
    struct bytes piece = bytes_of(data, sizeof data), view;
    uint64_t deadline_ns = side->meeting->room.world.now_ns + 1000;
    side->failed = stream_send(side->stream, &piece, 1, deadline_ns, &side->error);
    expect_error(side, SQLSTATE_IDLE_SESSION_TIMEOUT, "the deadline has come");
    struct error error;
    ck_assert_int_eq(stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &error),
                     SQLSTATE_CONNECTION_FAILURE);
    ck_assert_int_eq(stream_shutdown(side->stream, FIBER_NO_DEADLINE, &error), SQLSTATE_CONNECTION_FAILURE);
    side_send(side, "more");
}

static void sleep_a_while(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 1000000);
}

START_TEST(after_a_failed_send_the_stream_only_fails)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = send_too_much;
    meeting.server.then = sleep_a_while;
    meeting_hold(&meeting);
    expect_error(&meeting.client, SQLSTATE_CONNECTION_FAILURE,
                 "TLS connection broken: an earlier send failed");
    meeting_close(&meeting);
}
END_TEST

/* Cancels the client's fiber while it waits, and lets it go on. */
static void be_canceled_and_go_on(struct side *side)
{
    struct bytes view;
    side->failed = stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error);
    expect_error(side, SQLSTATE_QUERY_CANCELED, "enough");
    fiber_cancel_clear(side->fiber);
    say_and_listen(side);
}

static void cancel_the_client(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 1000);
    fiber_cancel(side->meeting->client.fiber, SQLSTATE_QUERY_CANCELED, "enough");
    say_and_listen(side);
}

START_TEST(a_canceled_receive_loses_nothing)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = be_canceled_and_go_on;
    meeting.server.then = cancel_the_client;
    meeting_hold(&meeting);
    expect_no_error(&meeting.client);
    expect_no_error(&meeting.server);
    ck_assert_str_eq(meeting.client.got, meeting.server.say);
    ck_assert_str_eq(meeting.server.got, meeting.client.say);
    meeting_close(&meeting);
}
END_TEST

static void reset_later(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 1000);
    stream_reset(side->stream);
    side_send(side, "after the end");
}

START_TEST(reset_wakes_the_waiting_peer_and_fails_our_own_calls)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = reset_later;
    meeting.server.then = receive_and_count;
    meeting_hold(&meeting);
    expect_error(&meeting.server, SQLSTATE_CONNECTION_FAILURE, "connection reset by peer");
    expect_error(&meeting.client, SQLSTATE_CONNECTION_FAILURE, "TLS connection was reset");
    meeting_close(&meeting);
}
END_TEST

/* ---- keys that wear out ---- */

#define MANY_RECORDS 400

static void say_many_times(struct side *side)
{
    side->meeting->room.world.tls->records_per_key = 3;
    for (int i = 0; i < MANY_RECORDS && !side->failed; i++)
        side_send(side, "0123456789");
    if (!side->failed)
        side->failed = stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error);
}

START_TEST(keys_are_changed_before_they_wear_out)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = say_many_times;
    meeting.server.then = receive_and_count;
    meeting_hold(&meeting);
    expect_no_error(&meeting.client);
    expect_no_error(&meeting.server);
    ck_assert_uint_eq(received_size, MANY_RECORDS * 10);
    /* A KeyUpdate is 5 bytes in a record of its own. */
    uint64_t plain = 10 + RECORD_EXTRA;
    ck_assert_uint_gt(meeting.pipe.ways[0].sent,
                      MANY_RECORDS * plain + (MANY_RECORDS / 3 - 1) * (5 + RECORD_EXTRA));
    meeting_close(&meeting);
}
END_TEST

/* ---- foreign peers ---- */

static void foreign_talk(struct foreign *foreign)
{
    foreign_send(foreign, "hello from afar", 15);
    foreign_receive(foreign, foreign->got, sizeof foreign->got - 1);
}

static void answer_once(struct side *side)
{
    struct bytes view;
    side->failed = stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error);
    if (side->failed)
        return;
    memcpy(side->got, view.data, view.size);
    side_send(side, side->say);
}

static void meet_foreign_client(struct meeting *meeting, struct foreign *foreign, bool tls12)
{
    meeting_open(meeting, SEED, 100);
    meeting->server.options.tls12 = tls12;
    meeting->server.then = answer_once;
    if (!foreign->then)
        foreign->then = foreign_talk;
    side_start(&meeting->server);
    foreign_start(foreign, &meeting->client);
    room_run(&meeting->room);
}

START_TEST(a_foreign_client_is_served)
{
    struct meeting meeting;
    struct foreign foreign = {0};
    meet_foreign_client(&meeting, &foreign, false);
    expect_no_error(&meeting.server);
    ck_assert_str_eq(meeting.server.got, "hello from afar");
    ck_assert_str_eq(foreign.got, meeting.server.say);
    meeting_close(&meeting);
}
END_TEST

START_TEST(tls_1_2_is_spoken_where_it_is_allowed)
{
    struct meeting meeting;
    struct foreign foreign = {.version_max = TLS1_2_VERSION};
    meet_foreign_client(&meeting, &foreign, true);
    expect_no_error(&meeting.server);
    ck_assert_str_eq(meeting.server.got, "hello from afar");
    ck_assert_str_eq(foreign.got, meeting.server.say);
    meeting_close(&meeting);
}
END_TEST

START_TEST(tls_1_2_is_refused_where_it_is_not_allowed)
{
    struct meeting meeting;
    struct foreign foreign = {.version_max = TLS1_2_VERSION};
    meet_foreign_client(&meeting, &foreign, false);
    expect_error(&meeting.server, SQLSTATE_PROTOCOL_VIOLATION,
                 "TLS handshake with the client failed: unsupported protocol");
    ck_assert_int_eq(ERR_GET_REASON(foreign.reason), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    meeting_close(&meeting);
}
END_TEST

START_TEST(older_tls_is_refused)
{
    struct meeting meeting;
    struct foreign foreign = {.version_max = TLS1_1_VERSION};
    meet_foreign_client(&meeting, &foreign, true);
    expect_error(&meeting.server, SQLSTATE_PROTOCOL_VIOLATION,
                 "TLS handshake with the client failed: unsupported protocol");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_tls_1_2_client_without_a_certificate_is_refused_during_the_handshake)
{
    struct meeting meeting;
    struct foreign foreign = {.version_max = TLS1_2_VERSION};
    meeting_open(&meeting, SEED, 100);
    meeting_make_mutual(&meeting);
    meeting.server.options.tls12 = true;
    meeting.client.options.certificate_pem = bytes_of(NULL, 0);
    side_start(&meeting.server);
    foreign_start(&foreign, &meeting.client);
    room_run(&meeting.room);
    expect_error(&meeting.server, SQLSTATE_INVALID_AUTHORIZATION, "the client has given no certificate");
    ck_assert(!meeting.client.shook);
    meeting_close(&meeting);
}
END_TEST

/* A foreign server with tickets (OpenSSL sends two unasked) and of TLS 1.2. */
START_TEST(foreign_servers_are_understood)
{
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct meeting meeting;
        struct foreign foreign = {.version_max = version, .then = foreign_talk};
        meeting_open(&meeting, SEED, 100);
        meeting.client.options.tls12 = true;
        meeting.client.options.host = "server.test";
        meeting.client.then = answer_once;
        side_start(&meeting.client);
        foreign_start(&foreign, &meeting.server);
        room_run(&meeting.room);
        expect_no_error(&meeting.client);
        ck_assert_str_eq(meeting.client.peer_name, "the server");
        ck_assert_str_eq(meeting.client.got, "hello from afar");
        ck_assert_str_eq(foreign.got, meeting.client.say);
        meeting_close(&meeting);
    }
}
END_TEST

static void ask_for_new_keys(struct foreign *foreign)
{
    ck_assert_int_eq(SSL_key_update(foreign->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    foreign_talk(foreign);
}

START_TEST(a_peer_may_ask_for_new_keys)
{
    struct meeting meeting;
    struct foreign foreign = {.then = ask_for_new_keys};
    meet_foreign_client(&meeting, &foreign, false);
    expect_no_error(&meeting.server);
    ck_assert_str_eq(meeting.server.got, "hello from afar");
    ck_assert_str_eq(foreign.got, meeting.server.say);
    meeting_close(&meeting);
}
END_TEST

static void ask_for_new_keys_for_ever(struct foreign *foreign)
{
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(SSL_key_update(foreign->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        foreign_send(foreign, "x", 1);
    }
}

START_TEST(a_peer_that_only_asks_for_new_keys_is_cut_off)
{
    struct meeting meeting;
    struct foreign foreign = {.then = ask_for_new_keys_for_ever};
    meeting_open(&meeting, SEED, 100000);
    meeting.server.then = receive_and_count;
    side_start(&meeting.server);
    foreign_start(&foreign, &meeting.client);
    room_run(&meeting.room);
    expect_error(&meeting.server, SQLSTATE_CONNECTION_FAILURE,
                 "TLS connection broken: the client asks for more answers than it reads");
    ck_assert_uint_lt(received_size, 3000);
    meeting_close(&meeting);
}
END_TEST

static void renegotiate(struct foreign *foreign)
{
    ck_assert_int_eq(SSL_renegotiate(foreign->ssl), 1);
    foreign_talk(foreign);
}

START_TEST(renegotiation_is_refused)
{
    struct meeting meeting;
    struct foreign foreign = {.version_max = TLS1_2_VERSION, .then = renegotiate};
    meet_foreign_client(&meeting, &foreign, true);
    ck_assert_str_eq(foreign.got, "");
    ck_assert_str_eq(meeting.server.got, "");
    expect_error(&meeting.server, SQLSTATE_CONNECTION_FAILURE,
                 "TLS connection broken: the peer asks to negotiate anew");
    ck_assert_int_eq(ERR_GET_REASON(foreign.reason), SSL_R_NO_RENEGOTIATION);
    meeting_close(&meeting);
}
END_TEST

/* ---- memory ---- */

#define IDLE_PAIRS 20

static void talk_and_idle(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    struct bytes view;
    side_send(side, side->say);
    if (!side->failed)
        side->failed = stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error);
    if (!side->failed)
        side->failed = stream_receive(side->stream, &view, world->now_ns + 1000000000, &side->error);
}

static void open_context(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    ck_assert_int_eq(tls_context_open(world, world->scope, &side->options, &side->context, &side->error), 0);
}

static size_t idle_bytes;
static uint32_t idle_spares;

static void look_around(void *argument)
{
    struct room *room = argument;
    (void)!fiber_sleep_until(room->world.scheduler, 500000000);
    idle_bytes = foreign_bytes;
    idle_spares = room->world.tls->spares;
}

/* OpenSSL's bytes while one pair or twenty (with the same two contexts) wait for a word at the same time. */
static size_t bytes_while_idle(bool many)
{
    static struct meeting meeting;
    static struct pipe pipes[IDLE_PAIRS];
    static struct side sides[IDLE_PAIRS][2];
    struct error error;
    meeting_open(&meeting, SEED, 65536);
    open_context(&meeting.client);
    open_context(&meeting.server);
    for (int i = 0; i < (many ? IDLE_PAIRS : 1); i++) {
        pipe_open(&pipes[i], meeting.room.world.scheduler, SEED, 65536, 65536);
        for (int j = 0; j < 2; j++) {
            sides[i][j] = j ? meeting.server : meeting.client;
            sides[i][j].end = &pipes[i].ends[j];
            sides[i][j].then = talk_and_idle;
            side_start(&sides[i][j]);
        }
    }
    struct world *world = &meeting.room.world;
    ck_assert_int_eq(
        fiber_start(world->scheduler, world->scope, "look", look_around, &meeting.room, NULL, &error), 0);
    room_run(&meeting.room);
    for (int i = 0; i < (many ? IDLE_PAIRS : 1); i++) {
        expect_error(&sides[i][0], SQLSTATE_IDLE_SESSION_TIMEOUT, "");
        pipe_close(&pipes[i]);
    }
    meeting_close(&meeting);
    return idle_bytes;
}

START_TEST(idle_connections_hold_no_buffers_and_little_else)
{
    size_t one = bytes_while_idle(false), all = bytes_while_idle(true);
    size_t pair = (all - one) / (IDLE_PAIRS - 1);
    printf("OpenSSL's bytes per idle connection, both sides: %zu\n", pair);
    ck_assert_uint_le(pair, 40000);
    ck_assert_uint_le(idle_spares, 4);
}
END_TEST

static void leave_all_behind(uint64_t seed)
{
    struct meeting meeting;
    meeting_open(&meeting, seed, 65536);
    meeting_make_mutual(&meeting);
    meeting.client.then = meeting.server.then = talk_and_idle;
    side_start(&meeting.server);
    side_start(&meeting.client);
    while (scheduler_ready(meeting.room.world.scheduler))
        scheduler_run(meeting.room.world.scheduler, 100);
    ck_assert(meeting.server.shook && meeting.client.shook);
    scheduler_abandon(meeting.room.world.scheduler);
    scope_abandon_root(meeting.room.world.scope);
    pipe_close(&meeting.pipe);
}

START_TEST(a_crash_leaves_nothing_behind)
{
    leave_all_behind(1);
    size_t before = foreign_bytes;
    for (uint64_t seed = 2; seed < 10; seed++)
        leave_all_behind(seed);
    ck_assert_uint_eq(foreign_bytes, before);
}
END_TEST

START_TEST(closing_leaves_nothing_behind)
{
    size_t before = 0;
    for (int round = 0; round < 5; round++) {
        struct meeting meeting;
        meeting_open(&meeting, SEED, 65536);
        meeting_make_mutual(&meeting);
        meeting_hold(&meeting);
        expect_no_error(&meeting.client);
        meeting_close(&meeting);
        ck_assert(round == 0 || foreign_bytes == before);
        before = foreign_bytes;
    }
}
END_TEST

/* Lets the room have no more memory, then enough again. */
static void receive_without_memory(struct side *side)
{
    struct budget *budget = &side->meeting->room.budget;
    struct bytes view;
    while (side->meeting->room.world.tls->spare) {
        struct tls_buffer *spare;
        ck_assert_int_eq(tls_buffer_take(side->meeting->room.world.tls, &spare, &side->error), 0);
    }
    budget->limit = budget->used;
    struct world *world = &side->meeting->room.world;
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 100000);
    side->failed = stream_receive(side->stream, &view, FIBER_NO_DEADLINE, &side->error);
    expect_error(side, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    budget->limit = SIZE_MAX;
    receive_and_count(side);
}

static void say_it_at_once(struct side *side)
{
    struct world *world = &side->meeting->room.world;
    side_send(side, side->say);
    if (!side->failed)
        side->failed = stream_shutdown(side->stream, FIBER_NO_DEADLINE, &side->error);
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 1000000);
}

START_TEST(a_receive_without_memory_loses_nothing)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.then = say_it_at_once;
    meeting.server.then = receive_without_memory;
    meeting_hold(&meeting);
    expect_no_error(&meeting.server);
    ck_assert_str_eq(meeting.server.got, meeting.client.say);
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_handshake_without_memory_is_an_error)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.room.budget.limit = meeting.room.budget.used + 65536;
    meeting_hold(&meeting);
    expect_error(&meeting.server, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    meeting.room.budget.limit = SIZE_MAX;
    meeting_close(&meeting);
}
END_TEST

int main(void)
{
    if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
        return 1;
    TCase *tests = tcase_create("tls_stream");
    tcase_add_test(tests, small_pieces_of_one_send_share_a_record);
    tcase_add_test(tests, big_sends_fill_their_records);
    tcase_add_test(tests, nothing_sent_is_no_record);
    tcase_add_test(tests, ten_megabytes_go_both_ways_at_once);
    tcase_add_test(tests, one_side_may_close_while_the_other_sends_on);
    tcase_add_test(tests, after_its_shutdown_a_side_cannot_send);
    tcase_add_test(tests, a_connection_cut_at_any_byte_is_not_taken_for_its_end);
    tcase_add_test(tests, a_byte_changed_in_any_place_is_noticed);
    tcase_add_test(tests, a_deadline_of_receive_loses_nothing);
    tcase_add_test(tests, after_a_failed_send_the_stream_only_fails);
    tcase_add_test(tests, a_canceled_receive_loses_nothing);
    tcase_add_test(tests, reset_wakes_the_waiting_peer_and_fails_our_own_calls);
    tcase_add_test(tests, keys_are_changed_before_they_wear_out);
    tcase_add_test(tests, a_foreign_client_is_served);
    tcase_add_test(tests, tls_1_2_is_spoken_where_it_is_allowed);
    tcase_add_test(tests, tls_1_2_is_refused_where_it_is_not_allowed);
    tcase_add_test(tests, older_tls_is_refused);
    tcase_add_test(tests, a_tls_1_2_client_without_a_certificate_is_refused_during_the_handshake);
    tcase_add_test(tests, foreign_servers_are_understood);
    tcase_add_test(tests, a_peer_may_ask_for_new_keys);
    tcase_add_test(tests, a_peer_that_only_asks_for_new_keys_is_cut_off);
    tcase_add_test(tests, renegotiation_is_refused);
    tcase_add_test(tests, idle_connections_hold_no_buffers_and_little_else);
    tcase_add_test(tests, a_crash_leaves_nothing_behind);
    tcase_add_test(tests, closing_leaves_nothing_behind);
    tcase_add_test(tests, a_receive_without_memory_loses_nothing);
    tcase_add_test(tests, a_handshake_without_memory_is_an_error);
    tcase_set_timeout(tests, 120);
    return unit_run(tests);
}
