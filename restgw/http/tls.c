/* TLS as h2o wants it: an SSL_CTX of OpenSSL's default library, in which the loops' threads draw the system's randomness.
 * Sessions are resumed by tickets, whose keys each context makes for itself. */
#include "restgw/http/door.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static int no_passphrase(char *buffer, int size, int writing, void *argument)
{
    (void)buffer, (void)size, (void)writing, (void)argument;
    return -1;
}

static bool use_chain(SSL_CTX *tls, struct bytes pem)
{
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = text ? PEM_read_bio_X509_AUX(text, NULL, no_passphrase, NULL) : NULL;
    bool used = certificate && SSL_CTX_use_certificate(tls, certificate);
    X509_free(certificate);
    while (used && (certificate = PEM_read_bio_X509(text, NULL, no_passphrase, NULL))) {
        used = SSL_CTX_add0_chain_cert(tls, certificate);
        if (!used)
            X509_free(certificate);
    }
    BIO_free(text);
    return used;
}

static bool use_key(SSL_CTX *tls, struct bytes pem)
{
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
    bool used = key && SSL_CTX_use_PrivateKey(tls, key) && SSL_CTX_check_private_key(tls);
    EVP_PKEY_free(key);
    BIO_free(text);
    return used;
}

static void configure(SSL_CTX *tls)
{
    static const unsigned char session_context[] = "synod https";
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Of TLS 1.2 what still counts as sound (RFC 9325, 4.2); 1.3 has nothing else. */
    SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_num_tickets(tls, 1);
    SSL_CTX_set_session_id_context(tls, session_context, sizeof session_context - 1);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    h2o_ssl_register_alpn_protocols(tls, h2o_alpn_protocols);
}

enum sqlstate http_tls_open(struct bytes certificate_pem, struct bytes key_pem, SSL_CTX **tls,
                            struct error *error)
{
    ERR_clear_error();
    *tls = SSL_CTX_new(TLS_server_method());
    if (!*tls)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    configure(*tls);
    bool usable = certificate_pem.size <= INT32_MAX && key_pem.size <= INT32_MAX &&
                  use_chain(*tls, certificate_pem) && use_key(*tls, key_pem);
    if (usable) {
        ERR_clear_error();
        return SQLSTATE_OK;
    }
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    enum sqlstate failed =
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "certificate and key of the HTTPS port are unusable: %s",
                  reason ? reason : "not PEM");
    ERR_clear_error();
    SSL_CTX_free(*tls);
    *tls = NULL;
    return failed;
}
