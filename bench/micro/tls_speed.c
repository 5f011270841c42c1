/* base/tls against OpenSSL by hand, both in memory and on one core: full handshakes, bulk, small messages.
 *
 * Client and server take turns on the same core, so a figure is the work of both. By hand means: default
 * library context, the same ciphers and curves, memory BIOs, no fibers, no streams. Time is that
 * of the processor, so that other load disturbs little. Rounds are interleaved, medians are printed. */
#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/tls/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define ROUNDS     7
#define HANDSHAKES 300
#define BULK_BYTES (256 << 20)
#define PIECE      65536
#define MESSAGES   100000
#define MESSAGE    100

/* ---- a world with a clock and random numbers ---- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t bench_now(struct world *world)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t bench_wall(struct world *world)
{
    return (int64_t)(clock_ns(CLOCK_REALTIME) / 1000);
}

static void bench_random(struct world *world, void *bytes, size_t size)
{
    check(getrandom(bytes, size, 0) == (ssize_t)size);
}

static const struct world_ops bench_ops = {.now = bench_now, .wall = bench_wall, .random = bench_random};
static struct world world = {.ops = &bench_ops, .cores = 1};
static struct bytes certificate, key;
static uint8_t data[PIECE];

/* ---- two ends in memory ---- */

#define WAY_BYTES (256 * 1024)

/* One direction: the sender fills one half, the receiver looks at the other. */
struct way {
    uint8_t *half[2];
    size_t used;
    int filling;
    bool ended;
    struct fiber_queue readers, writers;
};

struct end {
    struct stream stream;
    struct way *in, *out;
};

static enum sqlstate end_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                 struct error *error)
{
    struct way *way = container_of(stream, struct end, stream)->in;
    while (!way->used && !way->ended)
        (void)!fiber_wait(world.scheduler, &way->readers, deadline_ns);
    *view = bytes_of(way->half[way->filling], way->used);
    way->filling ^= 1;
    way->used = 0;
    fiber_wake_one(&way->writers);
    return SQLSTATE_OK;
}

static enum sqlstate end_send(struct stream *stream, const struct bytes *pieces, size_t count,
                              uint64_t deadline_ns, struct error *error)
{
    struct way *way = container_of(stream, struct end, stream)->out;
    for (size_t i = 0; i < count; i++) {
        while (WAY_BYTES - way->used < pieces[i].size)
            (void)!fiber_wait(world.scheduler, &way->writers, deadline_ns);
        memcpy(way->half[way->filling] + way->used, pieces[i].data, pieces[i].size);
        way->used += pieces[i].size;
        fiber_wake_one(&way->readers);
    }
    return SQLSTATE_OK;
}

static enum sqlstate end_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    struct way *way = container_of(stream, struct end, stream)->out;
    way->ended = true;
    fiber_wake_one(&way->readers);
    return SQLSTATE_OK;
}

static void end_reset(struct stream *stream)
{
}

static const struct stream_ops end_ops = {
    .receive = end_receive, .send = end_send, .shutdown = end_shutdown, .reset = end_reset};

static struct way ways[2];
static struct end ends[2];

static void open_ends(void)
{
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            if (!ways[i].half[j])
                ways[i].half[j] = malloc(WAY_BYTES);
        }
        ways[i].used = 0;
        ways[i].ended = false;
        fiber_queue_init(&ways[i].readers);
        fiber_queue_init(&ways[i].writers);
        ends[i] = (struct end){.stream.ops = &end_ops, .in = &ways[1 - i], .out = &ways[i]};
    }
}

/* ---- ours ---- */

enum work { HANDSHAKE, BULK, ECHO };

struct side {
    struct tls_context *context;
    struct stream *below;
    bool client;
    enum work work;
    uint64_t start_ns; /* when hands were shaken */
};

static void send_bulk(struct stream *stream, struct error *error)
{
    struct bytes piece = bytes_of(data, sizeof data);
    for (size_t sent = 0; sent < BULK_BYTES; sent += PIECE)
        check(!stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, error));
}

static size_t receive_bytes(struct stream *stream, size_t size, struct error *error)
{
    struct bytes view;
    size_t received = 0;
    do {
        check(!stream_receive(stream, &view, FIBER_NO_DEADLINE, error));
        received += view.size;
    } while (received < size && view.size);
    return received;
}

static void echo(struct side *side, struct stream *stream, struct error *error)
{
    struct bytes piece = bytes_of(data, MESSAGE);
    for (int i = 0; i < MESSAGES; i++) {
        if (!side->client)
            check(receive_bytes(stream, MESSAGE, error) == MESSAGE);
        check(!stream_send(stream, &piece, 1, FIBER_NO_DEADLINE, error));
        if (side->client)
            check(receive_bytes(stream, MESSAGE, error) == MESSAGE);
    }
}

static void run_side(void *argument)
{
    struct side *side = argument;
    struct scope *scope = scope_open(world.scope, "connection");
    struct stream *stream;
    struct error error;
    enum sqlstate failed = tls_open(side->context, scope, side->below, FIBER_NO_DEADLINE, &stream, &error);
    check(!failed, "%s", error_text(&error, ERROR_MESSAGE));
    side->start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (side->work == ECHO)
        echo(side, stream, &error);
    else if (side->work == BULK && side->client)
        send_bulk(stream, &error);
    else if (side->work == BULK)
        check(receive_bytes(stream, BULK_BYTES, &error) == BULK_BYTES);
    scope_close(scope);
}

/* Seconds for the work, after the handshake; for HANDSHAKE of the handshake itself. */
static double run_ours(struct tls_context *client, struct tls_context *server, enum work work)
{
    struct error error;
    uint64_t start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    open_ends();
    struct side sides[2] = {{.context = client, .below = &ends[0].stream, .client = true, .work = work},
                            {.context = server, .below = &ends[1].stream, .work = work}};
    for (int i = 0; i < 2; i++)
        check(!fiber_start(world.scheduler, world.scope, "side", run_side, &sides[i], NULL, &error));
    while (scheduler_fibers(world.scheduler)) {
        check(scheduler_ready(world.scheduler), "both wait");
        scheduler_run(world.scheduler, 1000);
    }
    if (work != HANDSHAKE)
        start_ns = sides[0].start_ns > sides[1].start_ns ? sides[0].start_ns : sides[1].start_ns;
    return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns) / 1e9;
}

/* ---- by hand ---- */

struct hand {
    SSL *ssl;
    BIO *in, *out;
};

static SSL_CTX *hand_context(bool server)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(context, "X25519");
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    BIO *text = BIO_new_mem_buf(certificate.data, (int)certificate.size);
    X509 *x509 = PEM_read_bio_X509(text, NULL, NULL, NULL);
    BIO_free(text);
    if (server) {
        text = BIO_new_mem_buf(key.data, (int)key.size);
        EVP_PKEY *private = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
        check(SSL_CTX_use_certificate(context, x509) && SSL_CTX_use_PrivateKey(context, private));
        BIO_free(text);
        EVP_PKEY_free(private);
    } else {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), x509);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    X509_free(x509);
    return context;
}

static void pass(struct hand *from, struct hand *to)
{
    char *bytes;
    long size = BIO_get_mem_data(from->out, &bytes);
    if (size > 0)
        BIO_write(to->in, bytes, (int)size);
    (void)BIO_reset(from->out);
}

static void hand_echo(struct hand *hands)
{
    uint8_t got[MESSAGE];
    for (int i = 0; i < 2 * MESSAGES; i++) {
        struct hand *from = &hands[i % 2], *to = &hands[1 - i % 2];
        check(SSL_write(from->ssl, data, MESSAGE) == MESSAGE);
        pass(from, to);
        check(SSL_read(to->ssl, got, MESSAGE) == MESSAGE);
    }
}

static void hand_bulk(struct hand *hands)
{
    static uint8_t got[16384];
    for (size_t sent = 0; sent < BULK_BYTES; sent += PIECE) {
        check(SSL_write(hands[0].ssl, data, PIECE) == PIECE);
        pass(&hands[0], &hands[1]);
        for (size_t received = 0; received < PIECE;) {
            int size = SSL_read(hands[1].ssl, got, sizeof got);
            check(size > 0);
            received += (size_t)size;
        }
    }
}

static double run_by_hand(SSL_CTX *client, SSL_CTX *server, enum work work)
{
    uint64_t start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    struct hand hands[2];
    for (int i = 0; i < 2; i++) {
        hands[i] = (struct hand){SSL_new(i ? server : client), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
        SSL_set_bio(hands[i].ssl, hands[i].in, hands[i].out);
        if (i)
            SSL_set_accept_state(hands[i].ssl);
        else
            SSL_set_connect_state(hands[i].ssl);
    }
    while (SSL_do_handshake(hands[0].ssl) + SSL_do_handshake(hands[1].ssl) != 2) {
        pass(&hands[0], &hands[1]);
        pass(&hands[1], &hands[0]);
    }
    if (work != HANDSHAKE)
        start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (work == BULK)
        hand_bulk(hands);
    else if (work == ECHO)
        hand_echo(hands);
    for (int i = 0; i < 2; i++)
        SSL_free(hands[i].ssl);
    return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns) / 1e9;
}

/* ---- the rounds ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, double *ours, double *by_hand, const char *unit)
{
    qsort(ours, ROUNDS, sizeof *ours, by_size);
    qsort(by_hand, ROUNDS, sizeof *by_hand, by_size);
    printf("%-24s %10.0f %s, by hand %10.0f, ratio %.2f\n", name, ours[ROUNDS / 2], unit, by_hand[ROUNDS / 2],
           ours[ROUNDS / 2] / by_hand[ROUNDS / 2]);
}

static struct tls_context *open_context(bool server)
{
    struct tls_context *context;
    struct error error;
    const struct tls_options options = {.server = server,
                                        .certificate_pem = server ? certificate : bytes_of(NULL, 0),
                                        .key_pem = server ? key : bytes_of(NULL, 0),
                                        .trust_pem = server ? bytes_of(NULL, 0) : certificate};
    check(!tls_context_open(&world, world.scope, &options, &context, &error));
    return context;
}

int main(void)
{
    struct error error;
    const struct tls_make make = {.common_name = "bench", .valid_days = 1};
    world.scope = scope_open_root("bench", NULL);
    check(!scheduler_open(world.scope, &(struct scheduler_options){0}, &world.scheduler, &error));
    check(!tls_make_certificate(&world, world.scope, &make, &certificate, &key, &error));
    struct tls_context *client = open_context(false), *server = open_context(true);
    SSL_CTX *hand_client = hand_context(false), *hand_server = hand_context(true);
    double ours[3][ROUNDS], by_hand[3][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double seconds[2] = {0};
        for (int i = 0; i < HANDSHAKES; i++) {
            seconds[0] += run_ours(client, server, HANDSHAKE);
            seconds[1] += run_by_hand(hand_client, hand_server, HANDSHAKE);
        }
        ours[0][round] = HANDSHAKES / seconds[0];
        by_hand[0][round] = HANDSHAKES / seconds[1];
        ours[1][round] = BULK_BYTES / 1e6 / run_ours(client, server, BULK);
        by_hand[1][round] = BULK_BYTES / 1e6 / run_by_hand(hand_client, hand_server, BULK);
        ours[2][round] = MESSAGES / run_ours(client, server, ECHO);
        by_hand[2][round] = MESSAGES / run_by_hand(hand_client, hand_server, ECHO);
    }
    report("full handshakes", ours[0], by_hand[0], "/s  ");
    report("bulk, 64 KiB sends", ours[1], by_hand[1], "MB/s");
    report("echoes of 100 bytes", ours[2], by_hand[2], "/s  ");
    SSL_CTX_free(hand_client);
    SSL_CTX_free(hand_server);
    scope_close(world.scope);
    return 0;
}
