/* From texts to an SSL_CTX: certificate, key, trust, and what our TLS will and won't do. */
#include "base/tls/library.h"
#include "base/tls/tls.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* What we offer and take, best first. AES-128 before AES-256: as good for all we know, and faster. */
static const char tls13_ciphers[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char tls12_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char key_groups[] = "X25519:P-256:P-384";

/* No tickets, no compression, no renegotiation: each costs memory or has been a hole, and none is needed. */
static const uint64_t ssl_options = SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;

static const long ssl_modes =
    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;

struct opening {
    struct tls_context *context;
    const struct tls_options *options;
    struct error *error;
    enum sqlstate failed;
};

/* ---- PEM texts ---- */

/* Nobody is there to type a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    return -1;
}

static enum sqlstate pem_unusable(struct opening *opening, const char *what)
{
    return error_set(opening->error, SQLSTATE_CONFIG_FILE_ERROR, "%s is unusable: %s", what, tls_reason());
}

/* A certificate of the text, or NULL; the error queue says why. */
static X509 *read_certificate(struct opening *opening, BIO *text)
{
    X509 *certificate = X509_new_ex(opening->context->library->openssl, NULL);
    if (certificate && PEM_read_bio_X509(text, &certificate, no_passphrase, NULL))
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* Whether reading stopped because the text is at its end, not because something in it is wrong. */
static bool text_ended(void)
{
    unsigned long reason = ERR_peek_last_error();
    if (ERR_GET_LIB(reason) != ERR_LIB_PEM || ERR_GET_REASON(reason) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

static enum sqlstate load_chain(struct opening *opening, BIO *text)
{
    SSL_CTX *ssl = opening->context->ssl;
    X509 *leaf = read_certificate(opening, text);
    bool loaded = leaf && SSL_CTX_use_certificate(ssl, leaf);
    X509_free(leaf);
    X509 *above = NULL;
    while (loaded && (above = read_certificate(opening, text))) {
        loaded = SSL_CTX_add1_chain_cert(ssl, above);
        X509_free(above);
    }
    return loaded && text_ended() ? SQLSTATE_OK : pem_unusable(opening, "the certificate");
}

static enum sqlstate load_key(struct opening *opening, BIO *text)
{
    SSL_CTX *ssl = opening->context->ssl;
    EVP_PKEY *key =
        PEM_read_bio_PrivateKey_ex(text, NULL, no_passphrase, NULL, opening->context->library->openssl, NULL);
    if (!key)
        return pem_unusable(opening, "the private key");
    bool loaded = SSL_CTX_use_PrivateKey(ssl, key) && SSL_CTX_check_private_key(ssl);
    EVP_PKEY_free(key);
    if (!loaded)
        return error_set(opening->error, SQLSTATE_CONFIG_FILE_ERROR,
                         "the private key does not belong to the certificate: %s", tls_reason());
    return SQLSTATE_OK;
}

/* A server also tells clients the names of those it trusts, so that they can choose a certificate. */
static enum sqlstate load_trust(struct opening *opening, BIO *text)
{
    SSL_CTX *ssl = opening->context->ssl;
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    X509 *trusted;
    uint32_t count = 0;
    bool loaded = true;
    for (; loaded && (trusted = read_certificate(opening, text)); count++) {
        loaded = X509_STORE_add_cert(store, trusted) &&
                 (!opening->options->server || SSL_CTX_add_client_CA(ssl, trusted));
        X509_free(trusted);
    }
    return loaded && count && text_ended() ? SQLSTATE_OK : pem_unusable(opening, "the trusted certificate");
}

static enum sqlstate load(struct opening *opening, struct bytes pem,
                          enum sqlstate (*from)(struct opening *opening, BIO *text), const char *what)
{
    if (!pem.size)
        return SQLSTATE_OK;
    if (pem.size > TLS_PEM_BYTES_MAX)
        return error_set(opening->error, SQLSTATE_CONFIG_FILE_ERROR,
                         "%s is too long: %zu bytes, %d are allowed", what, pem.size, TLS_PEM_BYTES_MAX);
    ERR_clear_error();
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (!text)
        return pem_unusable(opening, what);
    enum sqlstate failed = from(opening, text);
    BIO_free(text);
    return failed;
}

/* ---- application protocols ---- */

/* The names as the extension bears them. */
static enum sqlstate copy_protocols(struct scope *scope, const char *const *names, struct bytes *protocols,
                                    struct error *error)
{
    size_t size = 0;
    for (const char *const *name = names; name && *name; name++) {
        size_t length = strlen(*name);
        if (length == 0 || length > UINT8_MAX)
            return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
                             "the name of an application protocol has 1 to 255 bytes, not %zu", length);
        size += 1 + length;
    }
    if (size > TLS_PROTOCOLS_BYTES_MAX)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
                         "too many application protocols: %zu bytes of names, %d are allowed", size,
                         TLS_PROTOCOLS_BYTES_MAX);
    uint8_t *wire = scope_alloc(scope, size + 1), *at = wire;
    for (const char *const *name = names; name && *name; name++) {
        size_t length = strlen(*name);
        *at++ = (uint8_t)length;
        memcpy(at, *name, length);
        at += length;
    }
    *protocols = bytes_of(wire, size);
    return SQLSTATE_OK;
}

/* The server's choice: the first of ours that the client offers, else the handshake ends (RFC 7301, 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *offered, unsigned int offered_size, void *argument)
{
    const struct tls_context *context = argument;
    struct bytes ours = context->protocols;
    for (size_t i = 0; i < ours.size; i += 1 + (size_t)ours.data[i]) {
        for (size_t j = 0; j < offered_size; j += 1 + (size_t)offered[j]) {
            if (ours.data[i] != offered[j] || memcmp(&ours.data[i + 1], &offered[j + 1], offered[j]) != 0)
                continue;
            *chosen = &ours.data[i + 1];
            *size = ours.data[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- the context ---- */

static bool set_protocols(struct tls_context *context)
{
    struct bytes protocols = context->protocols;
    if (!protocols.size)
        return true;
    if (context->server) {
        SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, context);
        return true;
    }
    return SSL_CTX_set_alpn_protos(context->ssl, protocols.data, (unsigned int)protocols.size) == 0;
}

static bool set_behaviour(struct tls_context *context, const struct tls_options *options)
{
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_options(ssl, ssl_options);
    SSL_CTX_set_mode(ssl, ssl_modes);
    SSL_CTX_set_security_level(ssl, 2);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    if (context->verifies)
        SSL_CTX_set_verify(
            ssl, SSL_VERIFY_PEER | (options->require_peer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    /* Trust may be put in any certificate of a chain, not only in its root. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    return SSL_CTX_set_num_tickets(ssl, 0) &&
           SSL_CTX_set_min_proto_version(ssl, options->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) &&
           SSL_CTX_set_ciphersuites(ssl, tls13_ciphers) && SSL_CTX_set_cipher_list(ssl, tls12_ciphers) &&
           SSL_CTX_set1_groups_list(ssl, key_groups) && set_protocols(context);
}

static enum sqlstate fill(struct opening *opening)
{
    struct tls_context *context = opening->context;
    const struct tls_options *options = opening->options;
    if (!set_behaviour(context, options))
        return error_set(opening->error, SQLSTATE_CONFIG_FILE_ERROR, "TLS could not be set up: %s",
                         tls_reason());
    enum sqlstate failed = load(opening, options->certificate_pem, load_chain, "the certificate");
    if (!failed)
        failed = load(opening, options->key_pem, load_key, "the private key");
    if (!failed)
        failed = load(opening, options->trust_pem, load_trust, "the trusted certificate");
    return failed;
}

static void open_context(void *argument)
{
    struct opening *opening = argument;
    struct tls_context *context = opening->context;
    ERR_clear_error();
    context->ssl = SSL_CTX_new_ex(context->library->openssl, NULL,
                                  context->server ? TLS_server_method() : TLS_client_method());
    opening->failed = context->ssl ? fill(opening)
                                   : error_set(opening->error, SQLSTATE_OUT_OF_MEMORY,
                                               "TLS could not be set up: %s", tls_reason());
}

static void close_context(void *argument)
{
    struct tls_context *context = argument;
    SSL_CTX_free(context->ssl);
}

/* What no text can mend: options that contradict each other. */
static enum sqlstate check_options(const struct tls_options *options, struct error *error)
{
    if ((options->certificate_pem.size == 0) != (options->key_pem.size == 0))
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "a TLS %s is of no use without its %s",
                         options->key_pem.size ? "key" : "certificate",
                         options->key_pem.size ? "certificate" : "key");
    if (options->server && !options->certificate_pem.size)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "a TLS server needs a certificate and its key");
    if (options->server && options->require_peer && !options->trust_pem.size)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
                         "certificates are required of clients, but none are trusted");
    if (options->host && !*options->host)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "the name of the host is empty");
    return SQLSTATE_OK;
}

enum sqlstate tls_context_open(struct world *world, struct scope *scope, const struct tls_options *options,
                               struct tls_context **context, struct error *error)
{
    struct tls_library *library;
    enum sqlstate failed = check_options(options, error);
    if (!failed)
        failed = tls_library_of(world, &library, error);
    if (failed)
        return failed;
    struct tls_context *new = scope_alloc_zeroed(scope, sizeof *new);
    new->library = library;
    new->server = options->server;
    new->verifies = options->trust_pem.size > 0;
    if (options->host && !options->server) {
        struct net_address address;
        new->host = scope_copy_text(scope, options->host);
        new->host_is_name = !net_address_parse(options->host, &address);
    }
    failed = copy_protocols(scope, options->protocols, &new->protocols, error);
    if (failed)
        return failed;
    world_home(world);
    struct opening opening = {.context = new, .options = options, .error = error};
    struct scope_undo *close = scope_undo_foreign(scope, close_context, new);
    fiber_call_on_big_stack(world->scheduler, open_context, &opening);
    if (opening.failed) {
        scope_undo_now(close);
        return opening.failed;
    }
    *context = new;
    return SQLSTATE_OK;
}
