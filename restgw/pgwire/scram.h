/* SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, as PostgreSQL speaks it (manual, 55.3.1): two questions, two
 * answers. An unknown role goes through the same motions with a salt made of its name and the node's secret. */
#ifndef SYNOD_RESTGW_PGWIRE_SCRAM_H
#define SYNOD_RESTGW_PGWIRE_SCRAM_H

#include "base/sha256.h"
#include "base/world.h"

/* Longest of the messages we make: both nonces, salt, iterations. */
#define SCRAM_MESSAGE_BYTES 512

struct scram {
    bool known;   /* the role and its verifier: without them no proof is accepted */
    bool binding; /* the client bound the exchange to the channel */
    uint32_t iterations;
    uint8_t salt[64];
    uint32_t salt_bytes;
    uint8_t stored_key[SHA256_BYTES], server_key[SHA256_BYTES];
    char client_first_bare[SCRAM_MESSAGE_BYTES];
    char server_first[SCRAM_MESSAGE_BYTES];
    char nonce[256]; /* both, joined */
    char gs2_header[300];
};

/* Begins. `verifier` NULL, or malformed = the role is unknown. */
void scram_begin(struct scram *scram, const char *role, const char *verifier,
                 const uint8_t secret[static 32]);

/* Takes client-first-message, writes server-first-message. `bound`: the client chose the -PLUS mechanism; `offered`: we had
 * offered it. 08P01, 0A000, 28000. */
enum sqlstate scram_first(struct scram *scram, struct world *world, struct bytes message, bool bound,
                          bool offered, char answer[static SCRAM_MESSAGE_BYTES], struct error *error);

/* Takes client-final-message, writes server-final-message. `binding` is the channel's data. *proved tells whether the password
 * was right. 08P01, 28000. */
enum sqlstate scram_final(struct scram *scram, struct bytes message, struct bytes binding, bool *proved,
                          char answer[static SCRAM_MESSAGE_BYTES], struct error *error);

#endif
