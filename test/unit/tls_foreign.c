/* OpenSSL by hand, over memory BIOs. */
#include "test/unit/tls_foreign.h"

#include "test/unit/unit.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* One call of OpenSSL, on the big stack: fibers' own stacks are small. */
struct step {
    struct foreign *foreign;
    enum { HANDSHAKE, READ, WRITE } what;
    void *data;
    size_t size;
    size_t done;
    int outcome;
};

static void take_step(void *argument)
{
    struct step *step = argument;
    SSL *ssl = step->foreign->ssl;
    ERR_clear_error();
    int result = step->what == HANDSHAKE ? SSL_do_handshake(ssl)
                 : step->what == READ    ? SSL_read_ex(ssl, step->data, step->size, &step->done)
                                         : SSL_write_ex(ssl, step->data, step->size, &step->done);
    step->outcome = SSL_get_error(ssl, result);
    if (step->outcome == SSL_ERROR_SSL)
        step->foreign->reason = ERR_peek_error();
}

void foreign_flush(struct foreign *foreign)
{
    char *data;
    long size = BIO_get_mem_data(foreign->out, &data);
    struct bytes piece = bytes_of(data, (size_t)size);
    struct error error;
    (void)!stream_send(&foreign->side->end->stream, &piece, 1, FIBER_NO_DEADLINE, &error);
    ck_assert_int_eq(BIO_reset(foreign->out), 1);
}

static bool feed(struct foreign *foreign)
{
    struct bytes view;
    struct error error;
    if (stream_receive(&foreign->side->end->stream, &view, FIBER_NO_DEADLINE, &error) || !view.size)
        return false;
    ck_assert_int_eq(BIO_write(foreign->in, view.data, (int)view.size), (int)view.size);
    return true;
}

/* Repeats the step until it is done; false when it failed or the connection ended. */
static bool run_step(struct step *step)
{
    while (true) {
        fiber_call_on_big_stack(step->foreign->side->meeting->room.world.scheduler, take_step, step);
        foreign_flush(step->foreign);
        if (step->outcome != SSL_ERROR_WANT_READ)
            return step->outcome == SSL_ERROR_NONE;
        if (!feed(step->foreign))
            return false;
    }
}

void foreign_send(struct foreign *foreign, const void *data, size_t size)
{
    struct step step = {.foreign = foreign, .what = WRITE, .data = (void *)data, .size = size};
    run_step(&step);
}

size_t foreign_receive(struct foreign *foreign, void *data, size_t size)
{
    struct step step = {.foreign = foreign, .what = READ, .data = data, .size = size};
    return run_step(&step) ? step.done : 0;
}

static void show_paper(struct foreign *foreign)
{
    const struct tls_options *options = &foreign->side->options;
    if (!options->certificate_pem.size)
        return;
    BIO *text = BIO_new_mem_buf(options->certificate_pem.data, (int)options->certificate_pem.size);
    X509 *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    BIO_free(text);
    text = BIO_new_mem_buf(options->key_pem.data, (int)options->key_pem.size);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
    BIO_free(text);
    ck_assert_int_eq(SSL_CTX_use_certificate(foreign->context, certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(foreign->context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void make_ssl(void *argument)
{
    struct foreign *foreign = argument;
    foreign->context = SSL_CTX_new(foreign->server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_security_level(foreign->context, 0);
    SSL_CTX_set_max_proto_version(foreign->context, foreign->version_max);
    show_paper(foreign);
    foreign->ssl = SSL_new(foreign->context);
    foreign->in = BIO_new(BIO_s_mem());
    foreign->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(foreign->in, -1);
    SSL_set_bio(foreign->ssl, foreign->in, foreign->out);
    if (foreign->server)
        SSL_set_accept_state(foreign->ssl);
    else
        SSL_set_connect_state(foreign->ssl);
}

static void run_foreign(void *argument)
{
    struct foreign *foreign = argument;
    struct step handshake = {.foreign = foreign, .what = HANDSHAKE};
    fiber_call_on_big_stack(foreign->side->meeting->room.world.scheduler, make_ssl, foreign);
    foreign->side->shook = run_step(&handshake);
    if (foreign->side->shook && foreign->then)
        foreign->then(foreign);
    SSL_free(foreign->ssl);
    SSL_CTX_free(foreign->context);
    pipe_end_close(foreign->side->end);
}

void foreign_start(struct foreign *foreign, struct side *side)
{
    struct world *world = &side->meeting->room.world;
    struct error error;
    foreign->side = side;
    foreign->server = side->options.server;
    ck_assert_int_eq(
        fiber_start(world->scheduler, world->scope, "foreign", run_foreign, foreign, NULL, &error), 0);
}
