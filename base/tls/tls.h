/* TLS over any stream, by OpenSSL: what the doors speak to clients, and nodes (mutually) to each other.
 *
 * OpenSSL runs on the core's big stack and never waits: bytes go in and out of it through memory, and the
 * fiber waits on the stream below. It draws its random bytes and the time from the world, so that in the
 * simulator a seed fixes every byte sent.
 *
 * TLS 1.3, or 1.2 where allowed. No tickets, no renegotiation, no compression. A waiting connection holds no
 * buffers. */
#ifndef SYNOD_BASE_TLS_TLS_H
#define SYNOD_BASE_TLS_TLS_H

#include "base/world.h"

struct tls_context; /* certificate, key, trust; one core's */

struct tls_options {
    bool server;
    struct bytes certificate_pem; /* this side's chain; empty for an anonymous client */
    struct bytes key_pem;         /* its private key */
    struct bytes trust_pem; /* certificates the peer must descend from; empty = the peer is not verified */
    bool require_peer;      /* server: refuse clients without a certificate (mutual TLS) */
    bool tls12;             /* allow TLS 1.2 beside 1.3 (clients); false between nodes */
    /* Client: name (also told to the server) or address that a verified peer's certificate must bear; NULL =
     * any. */
    const char *host;
    const char *const *protocols; /* ALPN, most wanted first, NULL at the end; NULL = none */
};

/* Makes a context; freed with the scope. Fails with F0000 and OpenSSL's words when a PEM text is unusable or
 * key and certificate do not belong together; with 53200. */
enum sqlstate tls_context_open(struct world *world, struct scope *scope, const struct tls_options *options,
                               struct tls_context **context, struct error *error);

/* Does the handshake over `below` (which must outlive the result; same core) and gives the stream inside.
 * Both are freed with their scopes. Fails with 08006 (broken off), 08P01 (not TLS, or no common version or
 * protocol), 28000 (one side refused the other's certificate), 53200, and as `below` does: 57P05 at the
 * deadline, the cancellation's state. After a failure close the connection; the peer was told why if it could
 * be done at once. Yields.
 *
 * The stream's end is the peer's close_notify; without one, receive fails with 08006, since bytes may be
 * missing. In TLS 1.3 a client whose certificate is refused learns it, as 28000, when it first receives. The
 * pieces of one send share records of 16 KiB. */
enum sqlstate tls_open(struct tls_context *context, struct scope *scope, struct stream *below,
                       uint64_t deadline_ns, struct stream **stream, struct error *error);

/* The ALPN protocol both sides agreed on, or "". The subject common name of the peer's certificate, or "" when
 * it gave none or was not verified. */
const char *tls_protocol(const struct stream *stream);
const char *tls_peer_name(const struct stream *stream);

/* Makes an ECDSA P-256 key and a certificate for it, as PEM texts allocated from the scope, whose end wipes
 * the key. Valid from an hour ago (clocks differ) by world_wall(). Fails with 22023 when a name, the days or
 * the authority are unusable. Does not yield. */
struct tls_make {
    const char *common_name;
    const char *const *names; /* subject alternative names (DNS names and addresses), NULL at the end */
    uint32_t valid_days;
    bool authority;                         /* may sign others */
    struct bytes authority_certificate_pem; /* who signs; empty = itself */
    struct bytes authority_key_pem;
};
enum sqlstate tls_make_certificate(struct world *world, struct scope *scope, const struct tls_make *make,
                                   struct bytes *certificate_pem, struct bytes *key_pem, struct error *error);

#endif
