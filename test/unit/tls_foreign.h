/* A peer that is not ours: OpenSSL used by hand over one end of a pipe, to do what our own side never does.
 */
#ifndef SYNOD_TEST_UNIT_TLS_FOREIGN_H
#define SYNOD_TEST_UNIT_TLS_FOREIGN_H

#include "test/unit/tls_meeting.h"

#include <openssl/ssl.h>

struct foreign {
    struct side *side; /* whose place it takes; its options' certificate is shown */
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
    int version_max; /* TLS1_2_VERSION, ...; 0 = any */
    bool server;
    void (*then)(struct foreign *foreign); /* after the handshake */
    void *argument;
    unsigned long reason; /* why it failed, as ERR_get_error() has it; 0 = it did not */
    char got[256];        /* for `then` to fill */
};

/* Starts a fiber that shakes hands, does `then`, and closes its end. */
void foreign_start(struct foreign *foreign, struct side *side);

/* Sends text; passes on whatever OpenSSL wants to say. */
void foreign_send(struct foreign *foreign, const void *data, size_t size);
void foreign_flush(struct foreign *foreign);

/* Receives up to `size` bytes of text; 0 at the end or on failure. */
size_t foreign_receive(struct foreign *foreign, void *data, size_t size);

#endif
