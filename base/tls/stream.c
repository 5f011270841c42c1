/* A stream inside a stream: text on this side, TLS records on the side below.
 *
 *     tls_send     pieces ---> gathered into records of up to 16 KiB ---> output ---> stream_send(below)
 *                               SSL_write                transport_write
 *     tls_receive  view <--- text <--- whole records <--- arrived <--- stream_receive(below)
 *                               SSL_read                 transport_read
 *
 * OpenSSL only ever moves bytes between memory and memory, on the core's big stack, and never waits: its BIO
 * (the "transport") reads from the view that the stream below gave and appends to the output buffer. The
 * fiber waits below, and nowhere else. Idle connections hold no buffers: a waiting receiver has given its
 * last view back, and OpenSSL frees its own between records (SSL_MODE_RELEASE_BUFFERS).
 *
 * Rules that hold whenever a fiber yields:
 *  1. OpenSSL has no write under way: whatever it wrote is in the output buffer, complete records in order.
 *  2. Only the sender passes output on. What receiving makes OpenSSL write (the answer to a KeyUpdate) waits
 *     for the next send, as RFC 8446, 4.6.3 allows; TLS_CONTROL_BYTES of room are kept for it.
 *  3. Once `broken` is set, every call fails with it. The one exception to rule 2 is the alert that tells
 *     the peer why: whoever finds the connection broken sends it if no sender is at work.
 *
 * The core that owns the stream below owns this one. */
#include "base/tls/library.h"
#include "base/tls/tls.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/x509.h>

struct tls_stream {
    struct stream stream;
    struct tls_context *context;
    struct tls_library *library;
    struct scope *scope;
    struct stream *below;
    SSL *ssl;
    struct bytes arrived;      /* of the view last given by `below`: what OpenSSL has not read yet */
    struct tls_buffer *text;   /* holds the view last given out; NULL = none */
    struct tls_buffer *output; /* records made and not all passed on; NULL = none */
    uint64_t key_records;      /* sent under the present key, about */
    const char *broken;        /* what every call answers from now on; NULL = all is well */
    enum sqlstate broken_state;
    bool receiving; /* a fiber is in tls_receive */
    bool sending;   /* a fiber is in tls_send or tls_shutdown */
    bool ended;     /* the peer's close_notify has come */
    bool shut;      /* ours has gone */
    const char *protocol;
    const char *peer_name;
};

static struct tls_stream *tls_of(const struct stream *stream)
{
    return container_of(stream, struct tls_stream, stream);
}

/* ---- the transport: how OpenSSL reaches the bytes ---- */

static int transport_read(BIO *bio, char *data, size_t size, size_t *done)
{
    struct tls_stream *tls = BIO_get_data(bio);
    *done = size < tls->arrived.size ? size : tls->arrived.size;
    BIO_clear_retry_flags(bio);
    if (*done == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(data, tls->arrived.data, *done);
    tls->arrived = bytes_of(tls->arrived.data + *done, tls->arrived.size - *done);
    return 1;
}

static int transport_write(BIO *bio, const char *data, size_t size, size_t *done)
{
    struct tls_stream *tls = BIO_get_data(bio);
    struct tls_buffer *output = tls->output;
    size_t room = TLS_BUFFER_BYTES - output->used;
    *done = size < room ? size : room;
    BIO_clear_retry_flags(bio);
    if (*done == 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    memcpy(output->data + output->used, data, *done);
    output->used += (uint32_t)*done;
    return 1;
}

static long transport_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH; /* bytes are never held back; nothing else is supported */
}

static int transport_open(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *tls_transport_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
    if (method && BIO_meth_set_read_ex(method, transport_read) &&
        BIO_meth_set_write_ex(method, transport_write) && BIO_meth_set_ctrl(method, transport_control) &&
        BIO_meth_set_create(method, transport_open))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- output ---- */

static enum sqlstate prepare_output(struct tls_stream *tls, struct error *error)
{
    return tls->output ? SQLSTATE_OK : tls_buffer_take(tls->library, &tls->output, error);
}

static void give_output(struct tls_stream *tls)
{
    tls_buffer_give(tls->library, tls->output);
    tls->output = NULL;
}

/* Passes on what is in the output buffer, also what is added meanwhile. */
static enum sqlstate flush(struct tls_stream *tls, uint64_t deadline_ns, struct error *error)
{
    while (tls->output && tls->output->sent < tls->output->used) {
        struct tls_buffer *output = tls->output;
        struct bytes piece = bytes_of(output->data + output->sent, output->used - output->sent);
        enum sqlstate failed = stream_send(tls->below, &piece, 1, deadline_ns, error);
        if (failed)
            return failed;
        output->sent += (uint32_t)piece.size;
    }
    give_output(tls);
    return SQLSTATE_OK;
}

/* Tries for a moment to tell the peer what OpenSSL has to say about the end of the connection. */
static void flush_alert(struct tls_stream *tls, uint64_t deadline_ns)
{
    struct error ignored;
    uint64_t soon_ns = world_now(tls->library->world) + TLS_ALERT_WAIT_NS;
    (void)!flush(tls, soon_ns < deadline_ns ? soon_ns : deadline_ns, &ignored);
    give_output(tls);
}

/* ---- the end of a connection ---- */

/* From now on every call fails with this state and sentence. The first reason stays. */
static void break_off(struct tls_stream *tls, enum sqlstate state, const char *sentence)
{
    if (tls->broken)
        return;
    tls->broken = sentence;
    tls->broken_state = state;
}

static enum sqlstate broken_error(struct tls_stream *tls, struct error *error)
{
    return error_set(error, tls->broken_state, "%s", tls->broken);
}

/* Whether the peer's alert says that it does not take our certificate. */
static bool refuses_certificate(unsigned long reason)
{
    if (ERR_GET_LIB(reason) != ERR_LIB_SSL)
        return false;
    switch (ERR_GET_REASON(reason)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

static const char *peer_word(const struct tls_stream *tls)
{
    return tls->context->server ? "client" : "server";
}

/* Turns the failure of OpenSSL's last call on an open connection into what every call says from now on. */
static void break_by_openssl(struct tls_stream *tls, int outcome)
{
    struct error error;
    if (outcome == SSL_ERROR_WANT_WRITE)
        (void)!error_set(&error, SQLSTATE_CONNECTION_FAILURE,
                         "TLS connection broken: the %s asks for more answers than it reads", peer_word(tls));
    else if (refuses_certificate(ERR_peek_error()))
        (void)!error_set(&error, SQLSTATE_INVALID_AUTHORIZATION, "the %s refused our certificate: %s",
                         peer_word(tls), tls_reason());
    else
        (void)!error_set(&error, SQLSTATE_CONNECTION_FAILURE, "TLS connection broken: %s", tls_reason());
    break_off(tls, error.state, scope_copy_text(tls->scope, error_text(&error, ERROR_MESSAGE)));
}

/* ---- receiving ---- */

/* On the big stack: opens the records that have arrived, as far as they are complete and there is room. The
 * only thing OpenSSL has to answer in TLS 1.2 is the wish to negotiate anew: it refuses, and so we part. */
static void open_records(void *argument)
{
    struct tls_stream *tls = argument;
    struct tls_buffer *text = tls->text;
    uint32_t output_used = tls->output->used;
    size_t got = 0;
    int more = 1;
    while (more && TLS_BUFFER_BYTES - text->used >= TLS_RECORD_BYTES &&
           (tls->arrived.size || SSL_pending(tls->ssl))) {
        ERR_clear_error();
        more = SSL_read_ex(tls->ssl, text->data + text->used, TLS_BUFFER_BYTES - text->used, &got);
        if (more)
            text->used += (uint32_t)got;
    }
    int outcome = more ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, 0);
    if (outcome == SSL_ERROR_ZERO_RETURN)
        tls->ended = true;
    else if (outcome != SSL_ERROR_NONE && outcome != SSL_ERROR_WANT_READ)
        break_by_openssl(tls, outcome);
    else if (tls->output->used > output_used && SSL_version(tls->ssl) != TLS1_3_VERSION)
        break_off(tls, SQLSTATE_CONNECTION_FAILURE, "TLS connection broken: the peer asks to negotiate anew");
}

/* Makes text of what has arrived; the buffers stay only if something is in them. */
static enum sqlstate receive_text(struct tls_stream *tls, struct error *error)
{
    enum sqlstate failed = prepare_output(tls, error);
    if (!failed)
        failed = tls_buffer_take(tls->library, &tls->text, error);
    if (!failed)
        fiber_call_on_big_stack(tls->library->world->scheduler, open_records, tls);
    if (tls->text && !tls->text->used) {
        tls_buffer_give(tls->library, tls->text);
        tls->text = NULL;
    }
    if (tls->output && !tls->output->used)
        give_output(tls);
    return failed;
}

/* Waits for bytes below. Their end without a close_notify may be an attacker's doing. */
static enum sqlstate receive_records(struct tls_stream *tls, uint64_t deadline_ns, struct error *error)
{
    enum sqlstate failed = stream_receive(tls->below, &tls->arrived, deadline_ns, error);
    if (failed || tls->arrived.size)
        return failed;
    break_off(tls, SQLSTATE_CONNECTION_FAILURE,
              "TLS connection broken off: it ended without a close_notify, so data may be missing");
    return SQLSTATE_OK;
}

static enum sqlstate receive(struct tls_stream *tls, struct bytes *view, uint64_t deadline_ns,
                             struct error *error)
{
    tls_buffer_give(tls->library, tls->text);
    tls->text = NULL;
    *view = bytes_of(NULL, 0);
    for (;;) {
        enum sqlstate failed = SQLSTATE_OK;
        if (!tls->broken && !tls->ended && (tls->arrived.size || SSL_pending(tls->ssl)))
            failed = receive_text(tls, error);
        if (failed)
            return failed;
        if (tls->text) {
            *view = bytes_of(tls->text->data, tls->text->used);
            return SQLSTATE_OK;
        }
        if (tls->broken) {
            if (tls->output && !tls->sending)
                flush_alert(tls, deadline_ns);
            return broken_error(tls, error);
        }
        if (tls->ended)
            return SQLSTATE_OK;
        if (!tls->arrived.size)
            failed = receive_records(tls, deadline_ns, error);
        if (failed)
            return failed;
    }
}

static enum sqlstate tls_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                 struct error *error)
{
    struct tls_stream *tls = tls_of(stream);
    check(!tls->receiving, "two fibers receive on one TLS stream");
    tls->receiving = true;
    scope_hold(tls->scope);
    enum sqlstate failed = receive(tls, view, deadline_ns, error);
    tls->receiving = false;
    scope_release(tls->scope);
    return failed;
}

/* ---- sending ---- */

/* What is still to be sent. */
struct cursor {
    const struct bytes *piece;
    size_t pieces;  /* from `piece` on */
    size_t skipped; /* bytes of the first that are sent already */
};

static bool cursor_more(struct cursor *cursor)
{
    while (cursor->pieces && cursor->skipped == cursor->piece->size) {
        cursor->piece++;
        cursor->pieces--;
        cursor->skipped = 0;
    }
    return cursor->pieces > 0;
}

static struct bytes cursor_take(struct cursor *cursor, size_t size_max)
{
    size_t left = cursor->piece->size - cursor->skipped;
    struct bytes taken = bytes_of(cursor->piece->data + cursor->skipped, left < size_max ? left : size_max);
    cursor->skipped += taken.size;
    return taken;
}

/* The next record's text: straight from its piece where that fills a record or is the last, else gathered. */
static struct bytes next_record(struct cursor *cursor, uint8_t *gathered)
{
    size_t size = 0;
    struct bytes part = cursor_take(cursor, TLS_RECORD_BYTES);
    if (part.size == TLS_RECORD_BYTES || !cursor_more(cursor))
        return part;
    do {
        memcpy(gathered + size, part.data, part.size);
        size += part.size;
        if (size == TLS_RECORD_BYTES || !cursor_more(cursor))
            break;
        part = cursor_take(cursor, TLS_RECORD_BYTES - size);
    } while (true);
    return bytes_of(gathered, size);
}

struct sealing {
    struct tls_stream *tls;
    struct cursor cursor;
};

static bool write_record(struct tls_stream *tls, struct bytes record)
{
    ERR_clear_error();
    /* TLS 1.3 keys wear out (RFC 8446, 5.5); TLS 1.2 knows no way to change them that is safe. */
    if (++tls->key_records > tls->library->records_per_key && SSL_version(tls->ssl) == TLS1_3_VERSION) {
        tls->key_records = 1;
        if (!SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED))
            return false;
    }
    while (record.size) {
        size_t done;
        if (!SSL_write_ex(tls->ssl, record.data, record.size, &done))
            return false;
        record = bytes_of(record.data + done, record.size - done);
    }
    return true;
}

/* On the big stack: seals records of what is to be sent, as far as there is room for them. */
static void seal_records(void *argument)
{
    struct sealing *sealing = argument;
    struct tls_stream *tls = sealing->tls;
    const uint32_t full = TLS_BUFFER_BYTES - TLS_CONTROL_BYTES - TLS_RECORD_BYTES - TLS_RECORD_OVERHEAD;
    while (tls->output->used <= full && cursor_more(&sealing->cursor)) {
        struct bytes record = next_record(&sealing->cursor, tls->library->gathered);
        if (!write_record(tls, record)) {
            break_by_openssl(tls, SSL_get_error(tls->ssl, 0));
            return;
        }
    }
}

static enum sqlstate send_pieces(struct tls_stream *tls, const struct bytes *pieces, size_t count,
                                 uint64_t deadline_ns, struct error *error)
{
    struct sealing sealing = {.tls = tls, .cursor = {.piece = pieces, .pieces = count}};
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && !tls->broken && cursor_more(&sealing.cursor)) {
        failed = prepare_output(tls, error);
        if (!failed) {
            fiber_call_on_big_stack(tls->library->world->scheduler, seal_records, &sealing);
            failed = flush(tls, deadline_ns, error);
        }
    }
    if (failed) {
        break_off(tls, SQLSTATE_CONNECTION_FAILURE, "TLS connection broken: an earlier send failed");
        give_output(tls);
        return failed;
    }
    return tls->broken ? broken_error(tls, error) : SQLSTATE_OK;
}

static enum sqlstate tls_send(struct stream *stream, const struct bytes *pieces, size_t count,
                              uint64_t deadline_ns, struct error *error)
{
    struct tls_stream *tls = tls_of(stream);
    check(!tls->sending, "two fibers send on one TLS stream");
    if (tls->broken)
        return broken_error(tls, error);
    if (tls->shut)
        return error_set(error, SQLSTATE_CONNECTION_FAILURE, "TLS connection is shut down for sending");
    tls->sending = true;
    scope_hold(tls->scope);
    enum sqlstate failed = send_pieces(tls, pieces, count, deadline_ns, error);
    tls->sending = false;
    scope_release(tls->scope);
    return failed;
}

static void write_close_notify(void *argument)
{
    struct tls_stream *tls = argument;
    ERR_clear_error();
    if (SSL_shutdown(tls->ssl) < 0)
        break_by_openssl(tls, SSL_get_error(tls->ssl, -1));
}

static enum sqlstate say_goodbye(struct tls_stream *tls, uint64_t deadline_ns, struct error *error)
{
    enum sqlstate failed = prepare_output(tls, error);
    if (failed)
        return failed;
    tls->shut = true;
    fiber_call_on_big_stack(tls->library->world->scheduler, write_close_notify, tls);
    failed = flush(tls, deadline_ns, error);
    if (!failed && !tls->broken)
        failed = stream_shutdown(tls->below, deadline_ns, error);
    if (failed) {
        break_off(tls, SQLSTATE_CONNECTION_FAILURE, "TLS connection broken: an earlier shutdown failed");
        give_output(tls);
        return failed;
    }
    return tls->broken ? broken_error(tls, error) : SQLSTATE_OK;
}

static enum sqlstate tls_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    struct tls_stream *tls = tls_of(stream);
    check(!tls->sending, "a TLS stream is shut down while a fiber sends");
    if (tls->broken)
        return broken_error(tls, error);
    if (tls->shut)
        return SQLSTATE_OK;
    tls->sending = true;
    scope_hold(tls->scope);
    enum sqlstate failed = say_goodbye(tls, deadline_ns, error);
    tls->sending = false;
    scope_release(tls->scope);
    return failed;
}

static void tls_reset(struct stream *stream)
{
    struct tls_stream *tls = tls_of(stream);
    break_off(tls, SQLSTATE_CONNECTION_FAILURE, "TLS connection was reset");
    stream_reset(tls->below);
}

static const struct stream_ops tls_ops = {
    .receive = tls_receive, .send = tls_send, .shutdown = tls_shutdown, .reset = tls_reset};

/* ---- the handshake ---- */

struct handshake {
    struct tls_stream *tls;
    int outcome;      /* SSL_ERROR_... of the last step */
    uint8_t first[2]; /* the first bytes from the peer */
    uint8_t first_size;
    struct error *error; /* why, when the outcome is a failure */
    enum sqlstate failed;
};

static void note_first_bytes(struct handshake *handshake, struct bytes arrived)
{
    for (size_t i = 0; i < arrived.size && handshake->first_size < sizeof handshake->first; i++)
        handshake->first[handshake->first_size++] = arrived.data[i];
}

/* A TLS record starts with its type (20 to 23) and the major version 3 (RFC 8446, 5.1). */
static bool speaks_tls(const struct handshake *handshake)
{
    return handshake->first_size < 2 ||
           (handshake->first[0] >= SSL3_RT_CHANGE_CIPHER_SPEC &&
            handshake->first[0] <= SSL3_RT_APPLICATION_DATA && handshake->first[1] == SSL3_VERSION_MAJOR);
}

static enum sqlstate handshake_failed(struct handshake *handshake)
{
    struct tls_stream *tls = handshake->tls;
    struct error *error = handshake->error;
    const char *peer = peer_word(tls);
    unsigned long reason = ERR_peek_error();
    bool ours = ERR_GET_LIB(reason) == ERR_LIB_SSL;
    if (ours && ERR_GET_REASON(reason) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return error_set(error, SQLSTATE_INVALID_AUTHORIZATION, "the certificate of the %s is refused: %s",
                         peer, X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
    if (ours && ERR_GET_REASON(reason) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return error_set(error, SQLSTATE_INVALID_AUTHORIZATION, "the %s has given no certificate", peer);
    if (refuses_certificate(reason))
        return error_set(error, SQLSTATE_INVALID_AUTHORIZATION, "the %s refused our certificate: %s", peer,
                         tls_reason());
    return error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                     speaks_tls(handshake) ? "TLS handshake with the %s failed: %s"
                                           : "%s did not speak TLS: %s",
                     peer, tls_reason());
}

/* On the big stack: goes on as far as the bytes that arrived carry. */
static void step(void *argument)
{
    struct handshake *handshake = argument;
    ERR_clear_error();
    int done = SSL_do_handshake(handshake->tls->ssl);
    handshake->outcome = SSL_get_error(handshake->tls->ssl, done);
    if (handshake->outcome == SSL_ERROR_SSL || handshake->outcome == SSL_ERROR_SYSCALL)
        handshake->failed = handshake_failed(handshake);
}

static enum sqlstate shake_hands(struct handshake *handshake, uint64_t deadline_ns, struct error *error)
{
    struct tls_stream *tls = handshake->tls;
    do {
        enum sqlstate failed = prepare_output(tls, error);
        if (failed)
            return failed;
        world_home(tls->library->world); /* a handshake draws random bytes (library.c) */
        fiber_call_on_big_stack(tls->library->world->scheduler, step, handshake);
        if (handshake->failed) {
            flush_alert(tls, deadline_ns);
            return handshake->failed;
        }
        failed = flush(tls, deadline_ns, error);
        if (!failed && handshake->outcome == SSL_ERROR_WANT_READ) {
            failed = stream_receive(tls->below, &tls->arrived, deadline_ns, error);
            if (!failed && !tls->arrived.size)
                failed =
                    error_set(error, SQLSTATE_CONNECTION_FAILURE,
                              "the %s broke the connection off during the TLS handshake", peer_word(tls));
            note_first_bytes(handshake, tls->arrived);
        }
        if (failed)
            return failed;
    } while (handshake->outcome != SSL_ERROR_NONE);
    return SQLSTATE_OK;
}

/* The subject's common name of a peer that was verified. A name with a zero byte inside is none: it would
 * read as another. */
static const char *copy_peer_name(struct tls_stream *tls)
{
    X509 *peer = tls->context->verifies ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    X509_NAME *subject = peer ? X509_get_subject_name(peer) : NULL;
    int place = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    unsigned char *text = NULL;
    int size =
        place < 0 ? -1
                  : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
    const char *name =
        size > 0 && !memchr(text, 0, (size_t)size) ? scope_copy_text(tls->scope, (const char *)text) : "";
    OPENSSL_free(text);
    return name;
}

static const char *copy_protocol(struct tls_stream *tls)
{
    const unsigned char *name;
    unsigned int size;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    if (!size)
        return "";
    char *copy = scope_alloc(tls->scope, size + 1);
    memcpy(copy, name, size);
    copy[size] = '\0';
    return copy;
}

/* ---- opening ---- */

static void close_tls(void *argument)
{
    struct tls_stream *tls = argument;
    SSL_free(tls->ssl);
    tls_buffer_give(tls->library, tls->text);
    tls_buffer_give(tls->library, tls->output);
}

/* Whom the client wants to reach: told to the server, and looked for in its certificate. */
static bool set_host(struct tls_stream *tls)
{
    const struct tls_context *context = tls->context;
    if (!context->host)
        return true;
    if (context->host_is_name && !SSL_set_tlsext_host_name(tls->ssl, context->host))
        return false;
    if (!context->verifies)
        return true;
    return context->host_is_name ? SSL_set1_host(tls->ssl, context->host)
                                 : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), context->host);
}

static bool open_ssl(struct tls_stream *tls)
{
    tls->ssl = SSL_new(tls->context->ssl);
    BIO *transport = BIO_new(tls->library->transport);
    if (!tls->ssl || !transport) {
        BIO_free(transport);
        return false;
    }
    BIO_set_data(transport, tls);
    SSL_set_bio(tls->ssl, transport, transport);
    if (tls->context->server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), world_wall(tls->library->world) / 1000000);
    return set_host(tls);
}

static void open_on_big_stack(void *argument)
{
    struct handshake *handshake = argument;
    ERR_clear_error();
    if (!open_ssl(handshake->tls))
        handshake->failed = error_set(handshake->error, SQLSTATE_OUT_OF_MEMORY,
                                      "no memory for a TLS connection: %s", tls_reason());
}

enum sqlstate tls_open(struct tls_context *context, struct scope *scope, struct stream *below,
                       uint64_t deadline_ns, struct stream **stream, struct error *error)
{
    struct tls_stream *tls = scope_alloc_zeroed(scope, sizeof *tls);
    tls->stream = (struct stream){.ops = &tls_ops, .peer = below->peer};
    tls->context = context;
    tls->library = context->library;
    tls->scope = scope;
    tls->below = below;
    struct handshake handshake = {.tls = tls, .error = error};
    scope_undo_foreign(scope, close_tls, tls);
    world_home(tls->library->world);
    fiber_call_on_big_stack(tls->library->world->scheduler, open_on_big_stack, &handshake);
    if (handshake.failed)
        return handshake.failed;
    scope_hold(scope);
    enum sqlstate failed = shake_hands(&handshake, deadline_ns, error);
    if (!failed) {
        tls->protocol = copy_protocol(tls);
        tls->peer_name = copy_peer_name(tls);
        *stream = &tls->stream;
    }
    scope_release(scope);
    return failed;
}

const char *tls_protocol(const struct stream *stream)
{
    return tls_of(stream)->protocol;
}

const char *tls_peer_name(const struct stream *stream)
{
    return tls_of(stream)->peer_name;
}
