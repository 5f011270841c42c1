/* TLS handshakes: who may come in, who may not, and what both are told. */
#include "test/unit/tls_meeting.h"
#include "test/unit/unit.h"

#include <openssl/ssl.h>
#include <stdio.h>

#define SEED 1

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

static void expect_talk(const struct meeting *meeting)
{
    ck_assert_msg(!meeting->client.failed, "client: %s", message_of(&meeting->client));
    ck_assert_msg(!meeting->server.failed, "server: %s", message_of(&meeting->server));
    ck_assert_str_eq(meeting->client.got, meeting->server.say);
    ck_assert_str_eq(meeting->server.got, meeting->client.say);
}

/* Whether the bytes that went one way contain the text. */
static bool tape_shows(const struct pipe_way *way, const char *text)
{
    return memmem(way->tape, way->sent, text, strlen(text)) != NULL;
}

/* ---- handshakes that succeed ---- */

START_TEST(both_sides_shake_hands_and_talk)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting_hold(&meeting);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.peer_name, "the server");
    ck_assert_str_eq(meeting.server.peer_name, "");
    ck_assert_str_eq(meeting.client.protocol, "");
    meeting_close(&meeting);
}
END_TEST

START_TEST(records_may_arrive_torn_anywhere)
{
    uint64_t seed = unit_seed();
    for (size_t chunk_max = 1; chunk_max < 1000; chunk_max = 2 * chunk_max + 1) {
        struct meeting meeting;
        meeting_open(&meeting, seed + chunk_max, chunk_max);
        meeting_make_mutual(&meeting);
        meeting_hold(&meeting);
        expect_talk(&meeting);
        meeting_close(&meeting);
    }
}
END_TEST

START_TEST(what_is_said_and_who_says_it_cannot_be_read_on_the_way)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.pipe.records = true;
    meeting_make_mutual(&meeting);
    meeting_hold(&meeting);
    expect_talk(&meeting);
    for (int way = 0; way < 2; way++) {
        ck_assert(!tape_shows(&meeting.pipe.ways[way], "hello"));
        ck_assert(!tape_shows(&meeting.pipe.ways[way], "the server"));
        ck_assert(!tape_shows(&meeting.pipe.ways[way], "the client"));
    }
    meeting_close(&meeting);
}
END_TEST

START_TEST(mutual_tls_tells_both_names)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting_make_mutual(&meeting);
    meeting_hold(&meeting);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.peer_name, "the server");
    ck_assert_str_eq(meeting.server.peer_name, "the client");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_server_may_ask_for_a_certificate_and_do_without)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.server.options.trust_pem = meeting.authority.certificate;
    meeting_hold(&meeting);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.server.peer_name, "");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_peer_that_is_not_verified_has_no_name)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.options.trust_pem = bytes_of(NULL, 0);
    meeting_hold(&meeting);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.peer_name, "");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_self_signed_certificate_can_be_trusted_itself)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    struct paper own = room_paper(&meeting.room, NULL, "alone");
    meeting.server.options.certificate_pem = own.certificate;
    meeting.server.options.key_pem = own.key;
    meeting.client.options.trust_pem = own.certificate;
    meeting.client.options.host = "server.test";
    meeting_hold(&meeting);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.peer_name, "alone");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_chain_of_authorities_is_followed)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    struct room *room = &meeting.room;
    struct error error;
    struct paper middle;
    struct tls_make make = {.common_name = "middle",
                            .valid_days = 100,
                            .authority = true,
                            .authority_certificate_pem = meeting.authority.certificate,
                            .authority_key_pem = meeting.authority.key};
    ck_assert_int_eq(tls_make_certificate(&room->world, room->world.scope, &make, &middle.certificate,
                                          &middle.key, &error),
                     0);
    struct paper leaf = room_paper(room, &middle, "leaf");
    char *chain = scope_alloc(room->world.scope, leaf.certificate.size + middle.certificate.size);
    memcpy(chain, leaf.certificate.data, leaf.certificate.size);
    memcpy(chain + leaf.certificate.size, middle.certificate.data, middle.certificate.size);
    meeting.server.options.certificate_pem = bytes_of(chain, leaf.certificate.size + middle.certificate.size);
    meeting.server.options.key_pem = leaf.key;
    meeting_hold(&meeting);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.peer_name, "leaf");
    meeting_close(&meeting);
}
END_TEST

static void hold_for_host(const char *host, struct side *client)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting.client.options.host = host;
    meeting_hold(&meeting);
    *client = meeting.client;
    meeting_close(&meeting);
}

START_TEST(a_host_is_found_by_name_and_address)
{
    static const char *const hosts[] = {"server.test", "SERVER.test", "127.0.0.1", "::1", "0:0:0:0:0:0:0:1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct side client;
        hold_for_host(hosts[i], &client);
        ck_assert_msg(!client.failed, "%s: %s", hosts[i], message_of(&client));
    }
}
END_TEST

START_TEST(a_server_with_another_name_is_refused)
{
    static const char *const hosts[] = {"other.test", "the server", "test", "www.server.test", ""};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct side client;
        hold_for_host(hosts[i], &client);
        if (hosts[i][0])
            expect_error(&client, SQLSTATE_INVALID_AUTHORIZATION,
                         "the certificate of the server is refused: hostname mismatch");
        else
            expect_error(&client, SQLSTATE_CONFIG_FILE_ERROR, "the name of the host is empty");
    }
    static const char *const addresses[] = {"127.0.0.2", "::2"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct side client;
        hold_for_host(addresses[i], &client);
        expect_error(&client, SQLSTATE_INVALID_AUTHORIZATION,
                     "the certificate of the server is refused: IP address mismatch");
    }
}
END_TEST

/* ---- application protocols ---- */

static void hold_with_protocols(struct meeting *meeting, const char *const *client, const char *const *server)
{
    meeting_open(meeting, SEED, 65536);
    meeting->client.options.protocols = client;
    meeting->server.options.protocols = server;
    meeting_hold(meeting);
}

static const char *const web[] = {"h2", "http/1.1", NULL};
static const char *const old_web[] = {"http/1.0", "http/1.1", NULL};
static const char *const postgresql[] = {"postgresql", NULL};

START_TEST(the_protocol_the_server_wants_most_is_agreed_on)
{
    static const char *const reversed[] = {"http/1.1", "h2", NULL};
    struct meeting meeting;
    hold_with_protocols(&meeting, reversed, web);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.protocol, "h2");
    ck_assert_str_eq(meeting.server.protocol, "h2");
    meeting_close(&meeting);
    hold_with_protocols(&meeting, old_web, web);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.protocol, "http/1.1");
    ck_assert_str_eq(meeting.server.protocol, "http/1.1");
    meeting_close(&meeting);
}
END_TEST

START_TEST(without_a_common_protocol_there_is_no_connection)
{
    struct meeting meeting;
    hold_with_protocols(&meeting, postgresql, web);
    expect_error(&meeting.server, SQLSTATE_PROTOCOL_VIOLATION,
                 "TLS handshake with the client failed: no application protocol");
    expect_error(&meeting.client, SQLSTATE_PROTOCOL_VIOLATION,
                 "TLS handshake with the server failed: tlsv1 alert no application protocol");
    meeting_close(&meeting);
}
END_TEST

START_TEST(one_side_alone_agrees_on_no_protocol)
{
    struct meeting meeting;
    hold_with_protocols(&meeting, NULL, web);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.server.protocol, "");
    meeting_close(&meeting);
    hold_with_protocols(&meeting, web, NULL);
    expect_talk(&meeting);
    ck_assert_str_eq(meeting.client.protocol, "");
    meeting_close(&meeting);
}
END_TEST

/* ---- peers that are refused ---- */

START_TEST(a_client_without_a_certificate_is_refused)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting_make_mutual(&meeting);
    meeting.client.options.certificate_pem = meeting.client.options.key_pem = bytes_of(NULL, 0);
    meeting_hold(&meeting);
    expect_error(&meeting.server, SQLSTATE_INVALID_AUTHORIZATION, "the client has given no certificate");
    /* In TLS 1.3 the client learns it when it has shaken hands already. */
    ck_assert(meeting.client.shook);
    expect_error(&meeting.client, SQLSTATE_INVALID_AUTHORIZATION,
                 "the server refused our certificate: tlsv13 alert certificate required");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_client_of_another_authority_is_refused)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting_make_mutual(&meeting);
    struct paper other = room_authority(&meeting.room, "another authority");
    struct paper foreign = room_paper(&meeting.room, &other, "the client");
    meeting.client.options.certificate_pem = foreign.certificate;
    meeting.client.options.key_pem = foreign.key;
    meeting_hold(&meeting);
    expect_error(&meeting.server, SQLSTATE_INVALID_AUTHORIZATION,
                 "the certificate of the client is refused: unable to get local issuer certificate");
    expect_error(&meeting.client, SQLSTATE_INVALID_AUTHORIZATION,
                 "the server refused our certificate: tlsv1 alert unknown ca");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_forged_authority_of_the_same_name_is_refused)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    struct paper forged = room_authority(&meeting.room, "authority");
    struct paper leaf = room_paper(&meeting.room, &forged, "the server");
    meeting.server.options.certificate_pem = leaf.certificate;
    meeting.server.options.key_pem = leaf.key;
    meeting_hold(&meeting);
    expect_error(&meeting.client, SQLSTATE_INVALID_AUTHORIZATION,
                 "the certificate of the server is refused: ");
    expect_error(&meeting.server, SQLSTATE_INVALID_AUTHORIZATION, "the client refused our certificate: ");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_certificate_that_may_not_sign_makes_no_authority)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    struct room *room = &meeting.room;
    struct tls_make make = {.common_name = "child",
                            .valid_days = 1,
                            .authority_certificate_pem = meeting.server_paper.certificate,
                            .authority_key_pem = meeting.server_paper.key};
    struct paper child;
    struct error error;
    ck_assert_int_eq(
        tls_make_certificate(&room->world, room->world.scope, &make, &child.certificate, &child.key, &error),
        SQLSTATE_INVALID_PARAMETER_VALUE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "the certificate that is to sign is not one of an authority");
    meeting_close(&meeting);
}
END_TEST

/* Holds a meeting so many days after (or before) the certificates were made. */
static void hold_after(struct meeting *meeting, int days)
{
    meeting_open(meeting, SEED, 65536);
    meeting_make_mutual(meeting);
    meeting->room.wall_us += days * DAY_US;
    meeting_hold(meeting);
}

START_TEST(certificates_hold_for_their_days_and_not_longer)
{
    struct meeting meeting;
    hold_after(&meeting, 29);
    expect_talk(&meeting);
    meeting_close(&meeting);
    hold_after(&meeting, 31);
    expect_error(&meeting.client, SQLSTATE_INVALID_AUTHORIZATION,
                 "the certificate of the server is refused: certificate has expired");
    expect_error(&meeting.server, SQLSTATE_INVALID_AUTHORIZATION,
                 "the client refused our certificate: sslv3 alert certificate expired");
    meeting_close(&meeting);
    hold_after(&meeting, -1);
    expect_error(&meeting.client, SQLSTATE_INVALID_AUTHORIZATION,
                 "the certificate of the server is refused: certificate is not yet valid");
    meeting_close(&meeting);
}
END_TEST

START_TEST(an_expired_client_is_refused)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    meeting_make_mutual(&meeting);
    meeting.room.wall_us += 25 * DAY_US;
    struct paper fresh = room_paper(&meeting.room, &meeting.authority, "the server");
    meeting.server.options.certificate_pem = fresh.certificate;
    meeting.server.options.key_pem = fresh.key;
    meeting.room.wall_us += 10 * DAY_US;
    meeting_hold(&meeting);
    expect_error(&meeting.server, SQLSTATE_INVALID_AUTHORIZATION,
                 "the certificate of the client is refused: certificate has expired");
    expect_error(&meeting.client, SQLSTATE_INVALID_AUTHORIZATION,
                 "the server refused our certificate: sslv3 alert certificate expired");
    meeting_close(&meeting);
}
END_TEST

/* ---- peers that do not speak TLS ---- */

/* Sends bytes below TLS and no more, then listens until the end, like a peer that has never heard of TLS. */
static void speak_plainly(void *argument)
{
    struct side *side = argument;
    struct stream *below = &side->end->stream;
    struct bytes view;
    struct error error;
    enum sqlstate failed = stream_send(below, &side->options.certificate_pem, 1, FIBER_NO_DEADLINE, &error);
    if (!failed)
        failed = stream_shutdown(below, FIBER_NO_DEADLINE, &error);
    while (!failed && !(failed = stream_receive(below, &view, FIBER_NO_DEADLINE, &error)) && view.size)
        ;
    pipe_end_close(side->end);
}

/* One side speaks TLS, the other (whose certificate is what it says) does not. */
static void hold_with_plain_side(struct meeting *meeting, struct side *speaks, struct side *plain,
                                 struct bytes said)
{
    struct world *world = &meeting->room.world;
    struct error error;
    plain->options.certificate_pem = said;
    side_start(speaks);
    ck_assert_int_eq(fiber_start(world->scheduler, world->scope, "plain", speak_plainly, plain, NULL, &error),
                     0);
    room_run(&meeting->room);
}

START_TEST(plain_text_is_recognised)
{
    static const struct {
        const char *said, *words;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n", "client did not speak TLS: http request"},
        {"POST / HTTP/1.1\r\n\r\n", "client did not speak TLS: http request"},
        {"CONNECT server.test:443 HTTP/1.1\r\n\r\n", "client did not speak TLS: https proxy request"},
        {"hello, is anybody there?", "client did not speak TLS: wrong version number"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "client did not speak TLS: "},
        {"\x80\x2e\x01\x03\x01 a hello of SSL 2.0, forty-six bytes or more .....",
         "client did not speak TLS: "},
        {"\x16\x03\x01\xff\x10 a record too long",
         "TLS handshake with the client failed: packet length too long"},
        {"\x16\x03\x01\x01\x01", "TLS handshake with the client failed: "},
        {"\x17\x03\x03\x01\x01", "TLS handshake with the client failed: "},
    };
    struct meeting meeting;
    meeting_open(&meeting, SEED, 7);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[600];
        size_t length = strlen(cases[i].said);
        memset(said, 'z', sizeof said);
        memcpy(said, cases[i].said, length);
        hold_with_plain_side(&meeting, &meeting.server, &meeting.client,
                             bytes_of(said, length > 5 ? length : sizeof said));
        expect_error(&meeting.server, SQLSTATE_PROTOCOL_VIOLATION, cases[i].words);
        meeting_again(&meeting);
    }
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_server_without_tls_is_recognised)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    hold_with_plain_side(&meeting, &meeting.client, &meeting.server,
                         bytes_of_text("SSH-2.0-OpenSSH_9.2\r\n"));
    expect_error(&meeting.client, SQLSTATE_PROTOCOL_VIOLATION,
                 "server did not speak TLS: wrong version number");
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_client_that_says_nothing_and_goes_broke_the_connection_off)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 65536);
    hold_with_plain_side(&meeting, &meeting.server, &meeting.client, bytes_of(NULL, 0));
    expect_error(&meeting.server, SQLSTATE_CONNECTION_FAILURE,
                 "the client broke the connection off during the TLS handshake");
    meeting_close(&meeting);
}
END_TEST

/* PostgreSQL manual, 55.7: a startup message for protocol 3.0, and the request for TLS that precedes it. */
static const uint8_t startup_packet[] = {0, 0,   0,   8,   4,   210, 22,  47,  0, 0, 0, 20, 0, 3, 0,
                                         0, 'u', 's', 'e', 'r', 0,   'm', 'e', 0, 0, 0, 0,  0, 0};

START_TEST(a_postgresql_startup_packet_is_no_tls)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 3);
    hold_with_plain_side(&meeting, &meeting.server, &meeting.client,
                         bytes_of(startup_packet, sizeof startup_packet));
    expect_error(&meeting.server, SQLSTATE_PROTOCOL_VIOLATION,
                 "client did not speak TLS: wrong version number");
    meeting_close(&meeting);
}
END_TEST

START_TEST(random_garbage_never_gets_in)
{
    uint64_t random = unit_seed();
    struct meeting meeting;
    meeting_open(&meeting, random, 100);
    for (int round = 0; round < 300; round++) {
        uint8_t said[400];
        for (size_t i = 0; i < sizeof said; i++)
            said[i] = (uint8_t)unit_random(&random);
        if (round % 2)
            memcpy(said, "\x16\x03\x01\x00\xf0\x01\x00\x00\xec\x03\x03", 11); /* the head of a ClientHello */
        hold_with_plain_side(&meeting, &meeting.server, &meeting.client,
                             bytes_of(said, (size_t)unit_random_below(&random, sizeof said)));
        ck_assert_msg(meeting.server.failed == SQLSTATE_PROTOCOL_VIOLATION ||
                          meeting.server.failed == SQLSTATE_CONNECTION_FAILURE,
                      "%s", message_of(&meeting.server));
        meeting_again(&meeting);
    }
    meeting_close(&meeting);
}
END_TEST

/* ---- connections that break ---- */

/* A mutual meeting whose sides part as soon as they have shaken hands. */
static void open_short_meeting(struct meeting *meeting, size_t chunk_max)
{
    meeting_open(meeting, SEED, chunk_max);
    meeting_make_mutual(meeting);
    meeting->client.then = meeting->server.then = NULL;
}

START_TEST(a_handshake_cut_at_any_byte_is_an_error_on_the_side_that_waits)
{
    struct meeting meeting;
    open_short_meeting(&meeting, 65536);
    meeting_hold(&meeting);
    ck_assert(meeting.client.shook && meeting.server.shook);
    uint64_t whole[] = {meeting.pipe.ways[0].sent, meeting.pipe.ways[1].sent};
    for (int way = 0; way < 2; way++) {
        for (uint64_t cut = 0; cut + 10 < whole[way]; cut++) {
            meeting_again(&meeting);
            meeting.pipe.ways[way].cut_after = cut;
            meeting_hold(&meeting);
            expect_error(way ? &meeting.client : &meeting.server, SQLSTATE_CONNECTION_FAILURE,
                         "broke the connection off during the TLS handshake");
        }
    }
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_handshake_broken_at_any_byte_fails_on_both_sides)
{
    struct meeting meeting;
    open_short_meeting(&meeting, 100);
    for (int way = 0; way < 2; way++) {
        for (uint64_t at = 0; at < 1000; at += 37) {
            meeting_again(&meeting);
            meeting.client.then = meeting.server.then = say_and_listen;
            meeting.pipe.ways[way].reset_after = at;
            meeting_hold(&meeting);
            expect_error(&meeting.client, SQLSTATE_CONNECTION_FAILURE, "connection reset by peer");
            expect_error(&meeting.server, SQLSTATE_CONNECTION_FAILURE, "connection reset by peer");
        }
    }
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_handshake_that_stalls_ends_at_its_deadline)
{
    struct meeting meeting;
    open_short_meeting(&meeting, 65536);
    for (int way = 0; way < 2; way++) {
        for (uint64_t at = 0; at < 700; at += 53) {
            meeting_again(&meeting);
            meeting.pipe.ways[way].stall_after = at;
            uint64_t deadline_ns = meeting.room.world.now_ns + 5000000000;
            meeting.client.deadline_ns = meeting.server.deadline_ns = deadline_ns;
            meeting_hold(&meeting);
            expect_error(way ? &meeting.client : &meeting.server, SQLSTATE_IDLE_SESSION_TIMEOUT,
                         "the deadline has come");
            ck_assert_uint_eq(meeting.room.world.now_ns, deadline_ns);
        }
    }
    meeting_close(&meeting);
}
END_TEST

START_TEST(a_byte_changed_on_the_way_never_makes_two_sides_disagree)
{
    struct meeting meeting;
    open_short_meeting(&meeting, 65536);
    uint32_t unnoticed = 0;
    for (int way = 0; way < 2; way++) {
        for (uint64_t at = 0; at < 1100; at += 7) {
            meeting_again(&meeting);
            meeting.client.then = meeting.server.then = say_and_listen;
            meeting.pipe.ways[way].flip_at = at;
            meeting.client.deadline_ns = meeting.server.deadline_ns = meeting.room.world.now_ns + 5000000000;
            meeting_hold(&meeting);
            if (!meeting.client.failed && !meeting.server.failed) {
                expect_talk(&meeting);
                unnoticed++;
            }
            ck_assert(!meeting.client.got[0] || !strcmp(meeting.client.got, meeting.server.say));
            ck_assert(!meeting.server.got[0] || !strcmp(meeting.server.got, meeting.client.say));
        }
    }
    /* A few bytes of record headers mean nothing (RFC 8446, 5.1). */
    ck_assert_uint_le(unnoticed, 4);
    meeting_close(&meeting);
}
END_TEST

/* ---- cancellation ---- */

struct interruption {
    struct side *side;
    uint64_t at; /* which wait of the pipe */
};

static void interrupt(void *argument, uint64_t wait)
{
    struct interruption *interruption = argument;
    if (wait == interruption->at && interruption->side->fiber)
        fiber_cancel(interruption->side->fiber, SQLSTATE_QUERY_CANCELED, "canceling at the user's request");
}

START_TEST(either_side_can_be_canceled_at_every_wait)
{
    struct meeting meeting;
    meeting_open(&meeting, SEED, 40);
    meeting_make_mutual(&meeting);
    meeting.pipe.room = 80; /* both may send before they listen: a record and a close_notify are 67 bytes */
    for (int i = 0; i < 2; i++) {
        struct side *side = i ? &meeting.client : &meeting.server;
        uint64_t canceled = 0;
        bool reached = true;
        for (uint64_t at = 0; reached; at++) {
            meeting_again(&meeting);
            struct interruption interruption = {.side = side, .at = at};
            meeting.pipe.on_wait = interrupt;
            meeting.pipe.on_wait_argument = &interruption;
            meeting_hold(&meeting);
            reached = meeting.pipe.waits > at;
            canceled += side->failed != SQLSTATE_OK;
            if (side->failed)
                expect_error(side, SQLSTATE_QUERY_CANCELED, "canceling at the user's request");
        }
        ck_assert_uint_ge(canceled, 20);
    }
    meeting_close(&meeting);
}
END_TEST

/* ---- the same seed, the same bytes ---- */

struct tapes {
    uint8_t *bytes[2];
    size_t size[2];
};

static struct tapes tapes_of(uint64_t seed)
{
    struct meeting meeting;
    meeting_open(&meeting, seed, 300);
    meeting.pipe.records = true;
    meeting_make_mutual(&meeting);
    meeting_hold(&meeting);
    expect_talk(&meeting);
    struct tapes tapes;
    for (int way = 0; way < 2; way++) {
        tapes.bytes[way] = meeting.pipe.ways[way].tape;
        tapes.size[way] = meeting.pipe.ways[way].sent;
        meeting.pipe.ways[way].tape = NULL;
    }
    meeting_close(&meeting);
    return tapes;
}

START_TEST(the_seed_fixes_every_byte_on_the_wire)
{
    struct tapes first = tapes_of(7), again = tapes_of(7), other = tapes_of(8);
    for (int way = 0; way < 2; way++) {
        ck_assert_uint_eq(first.size[way], again.size[way]);
        ck_assert_mem_eq(first.bytes[way], again.bytes[way], first.size[way]);
        ck_assert(first.size[way] != other.size[way] ||
                  memcmp(first.bytes[way], other.bytes[way], first.size[way]) != 0);
        free(first.bytes[way]);
        free(again.bytes[way]);
        free(other.bytes[way]);
    }
}
END_TEST

/* Keys, serial numbers and signatures draw random numbers, too. */
START_TEST(the_seed_fixes_certificates_and_their_signatures)
{
    struct room first, again, other;
    room_open(&first, 7);
    room_open(&again, 7);
    room_open(&other, 8);
    struct paper a = room_paper(&first, NULL, "me"), b = room_paper(&again, NULL, "me"),
                 c = room_paper(&other, NULL, "me");
    ck_assert(bytes_compare(a.certificate, b.certificate) == 0 && bytes_compare(a.key, b.key) == 0);
    ck_assert(bytes_compare(a.certificate, c.certificate) != 0 && bytes_compare(a.key, c.key) != 0);
    struct paper second = room_paper(&first, NULL, "me");
    ck_assert(bytes_compare(a.certificate, second.certificate) != 0);
    room_close(&first);
    room_close(&again);
    room_close(&other);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tls");
    tcase_add_test(tests, both_sides_shake_hands_and_talk);
    tcase_add_test(tests, records_may_arrive_torn_anywhere);
    tcase_add_test(tests, what_is_said_and_who_says_it_cannot_be_read_on_the_way);
    tcase_add_test(tests, mutual_tls_tells_both_names);
    tcase_add_test(tests, a_server_may_ask_for_a_certificate_and_do_without);
    tcase_add_test(tests, a_peer_that_is_not_verified_has_no_name);
    tcase_add_test(tests, a_self_signed_certificate_can_be_trusted_itself);
    tcase_add_test(tests, a_chain_of_authorities_is_followed);
    tcase_add_test(tests, a_host_is_found_by_name_and_address);
    tcase_add_test(tests, a_server_with_another_name_is_refused);
    tcase_add_test(tests, the_protocol_the_server_wants_most_is_agreed_on);
    tcase_add_test(tests, without_a_common_protocol_there_is_no_connection);
    tcase_add_test(tests, one_side_alone_agrees_on_no_protocol);
    tcase_add_test(tests, a_client_without_a_certificate_is_refused);
    tcase_add_test(tests, a_client_of_another_authority_is_refused);
    tcase_add_test(tests, a_forged_authority_of_the_same_name_is_refused);
    tcase_add_test(tests, a_certificate_that_may_not_sign_makes_no_authority);
    tcase_add_test(tests, certificates_hold_for_their_days_and_not_longer);
    tcase_add_test(tests, an_expired_client_is_refused);
    tcase_add_test(tests, plain_text_is_recognised);
    tcase_add_test(tests, a_postgresql_startup_packet_is_no_tls);
    tcase_add_test(tests, a_server_without_tls_is_recognised);
    tcase_add_test(tests, a_client_that_says_nothing_and_goes_broke_the_connection_off);
    tcase_add_test(tests, random_garbage_never_gets_in);
    tcase_add_test(tests, a_handshake_cut_at_any_byte_is_an_error_on_the_side_that_waits);
    tcase_add_test(tests, a_handshake_broken_at_any_byte_fails_on_both_sides);
    tcase_add_test(tests, a_handshake_that_stalls_ends_at_its_deadline);
    tcase_add_test(tests, a_byte_changed_on_the_way_never_makes_two_sides_disagree);
    tcase_add_test(tests, either_side_can_be_canceled_at_every_wait);
    tcase_add_test(tests, the_seed_fixes_every_byte_on_the_wire);
    tcase_add_test(tests, the_seed_fixes_certificates_and_their_signatures);
    tcase_set_timeout(tests, 120);
    return unit_run(tests);
}
