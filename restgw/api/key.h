/* Session keys: what a client shows to be served by its session, from any connection, by any node.
 *
 *     offset size
 *     0      1    version, 1
 *     1      1    number of the secret that signed it
 *     2      8    view                    big-endian, like all numbers here
 *     10     4    node
 *     14     8    number of the session; its lowest 6 bits name the core
 *     22     4    the role's check: the first bytes of the digest of its name
 *     26     8    issued, us since 1970
 *     34     16   random
 *     50     16   HMAC-SHA-256 of all before, its first half
 *
 * written as "syns_" and base64url without padding. A session's own core compares the key with the one it gave out; whoever does not
 * have the session can tell by the signature whether there ever was such a one. */
#ifndef SYNOD_RESTGW_API_KEY_H
#define SYNOD_RESTGW_API_KEY_H

#include "base/bytes.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_KEY_BYTES      66
#define SESSION_KEY_TEXT_BYTES (5 + 88 + 1)

struct session_key {
    uint64_t view;
    uint32_t node;
    uint64_t number;
    uint32_t role_check;
    int64_t issued_us;
    uint8_t random[16];
};

void session_key_write(const struct session_key *key, const uint8_t secret[static 32],
                       char text[static SESSION_KEY_TEXT_BYTES]);

/* What the text says; false when it is no key, or `secret` is given and did not sign it. */
bool session_key_read(struct bytes text, const uint8_t *secret, struct session_key *key);

uint32_t session_key_role_check(const char *role);

/* A UUID as text, 36 characters and a zero byte; whether a text is one. */
void uuid_write(const uint8_t id[static 16], char text[static 37]);
bool uuid_is(struct bytes text);

#endif
