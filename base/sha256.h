/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104) over it: with PBKDF2 (pbkdf2.h) what passwords are kept and proved with (SCRAM,
 * RFC 5802). Here and not taken from OpenSSL because folders that know nothing of TLS need it, a few times a session. */
#ifndef SYNOD_BASE_SHA256_H
#define SYNOD_BASE_SHA256_H

#include "base/bytes.h"

#define SHA256_BYTES 32

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes taken so far */
    uint8_t block[64];
};

/* Begins; takes more; writes the digest of all. The struct is used up then. */
void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, struct bytes bytes);
void sha256_end(struct sha256 *sha, uint8_t digest[static SHA256_BYTES]);

/* The digest of bytes. */
void sha256(struct bytes bytes, uint8_t digest[static SHA256_BYTES]);

/* A key that is used many times: the two blocks it makes are taken once. */
struct hmac_key {
    struct sha256 inner, outer;
};
void hmac_key_take(struct hmac_key *taken, struct bytes key);
void hmac_digest(const struct hmac_key *key, const struct bytes *pieces, size_t count,
                 uint8_t digest[static SHA256_BYTES]);

/* The keyed digest of `count` pieces, one behind the other. */
void hmac_sha256(struct bytes key, const struct bytes *pieces, size_t count,
                 uint8_t digest[static SHA256_BYTES]);

/* Whether two digests are the same, in a time that does not tell where they differ. */
_Bool sha256_same(const uint8_t a[static SHA256_BYTES], const uint8_t b[static SHA256_BYTES]);

#endif
