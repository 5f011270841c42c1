/* OpenSSL as one core uses it; shared by the files of this folder.
 *
 * Each core has a library context of its own, so that nothing of OpenSSL's is shared between cores but its
 * read-only tables: no locks meet, and the random bytes and the time come from that core's world. The context
 * is made when the core first needs TLS, hangs at world->tls, and ends with the world's scope. */
#ifndef SYNOD_BASE_TLS_LIBRARY_H
#define SYNOD_BASE_TLS_LIBRARY_H

#include "base/limits.h"
#include "base/scope.h"
#include "base/world.h"

#include <openssl/bio.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/types.h>

/* Most bytes of text in one record (RFC 8446, 5.1), and room for what surrounds them: header, type, tag. */
#define TLS_RECORD_BYTES     16384
#define TLS_RECORD_OVERHEAD  64
#define TLS_BUFFER_BYTES     (TLS_BUFFER_RECORDS * (TLS_RECORD_BYTES + TLS_RECORD_OVERHEAD) + TLS_CONTROL_BYTES)
#define TLS_BUFFER_ALIGNMENT 64

/* Text or records of one stream for as long as they are of use; then another stream's. */
struct tls_buffer {
    struct tls_buffer *next; /* among the spare ones */
    uint32_t used;           /* bytes written into data */
    uint32_t sent;           /* bytes of them passed on */
    uint8_t data[TLS_BUFFER_BYTES];
};

struct tls_library {
    struct world *world;
    OSSL_LIB_CTX *openssl;
    OSSL_PROVIDER *random;     /* gives the world's random bytes */
    OSSL_PROVIDER *algorithms; /* OpenSSL's default ones */
    BIO_METHOD *transport;     /* how OpenSSL reaches a tls_stream's bytes */
    uint8_t *gathered;         /* TLS_RECORD_BYTES: small pieces on their way into one record */
    struct tls_buffer *spare;
    uint32_t spares;
    uint64_t records_per_key; /* TLS_RECORDS_PER_KEY; a test has less patience */
};

/* Gives this core's library, making it if need be. Fails with 53200. */
enum sqlstate tls_library_of(struct world *world, struct tls_library **library, struct error *error);

/* Takes an empty buffer; fails with 53200. Gives one back; NULL is harmless. */
enum sqlstate tls_buffer_take(struct tls_library *library, struct tls_buffer **buffer, struct error *error);
void tls_buffer_give(struct tls_library *library, struct tls_buffer *buffer);

/* Why the last call of OpenSSL failed, in its words. The queue of errors is the thread's, so
 * ERR_clear_error() comes before each call and this one before anything yields. */
const char *tls_reason(void);

/* The provider of random bytes: add it to a library context under this name, load it, tell it its world. */
#define TLS_RANDOM_NAME "world-random"
OSSL_provider_init_fn tls_random_init;
void tls_random_set_world(OSSL_PROVIDER *provider, struct world *world);

/* The transport over struct tls_stream, in stream.c; NULL when there is no memory. */
BIO_METHOD *tls_transport_new(void);

struct tls_context {
    struct tls_library *library;
    SSL_CTX *ssl;
    bool server;
    bool verifies;          /* the peer's certificate is asked for and verified */
    const char *host;       /* client: whom to reach; NULL = any */
    bool host_is_name;      /* not an address */
    struct bytes protocols; /* as the extension bears them: a length byte before each (RFC 7301, 3.1) */
};

#endif
