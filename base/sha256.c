/* As the standards write it, a block at a time. */
#include "base/sha256.h"

#include <stdbool.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotated(uint32_t word, unsigned by)
{
    return word >> by | word << (32 - by);
}

static void block_take(uint32_t state[static 8], const uint8_t block[static 64])
{
    uint32_t words[64], at[8];
    for (unsigned i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) + words[i - 7] +
                   (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
    }
    memcpy(at, state, sizeof at);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t e = at[4], a = at[0];
        uint32_t one = at[7] + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                       ((e & at[5]) ^ (~e & at[6])) + constants[i] + words[i];
        uint32_t two =
            (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & at[1]) ^ (a & at[2]) ^ (at[1] & at[2]));
        memmove(at + 1, at, 7 * sizeof at[0]);
        at[4] += one;
        at[0] = one + two;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += at[i];
}

void sha256_begin(struct sha256 *sha)
{
    *sha = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                                     0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *sha, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size, filled = sha->size % 64;
    sha->size += left;
    if (filled) {
        size_t part = left < 64 - filled ? left : 64 - filled;
        memcpy(sha->block + filled, at, part);
        at += part;
        left -= part;
        if (filled + part < 64)
            return;
        block_take(sha->state, sha->block);
    }
    for (; left >= 64; at += 64, left -= 64)
        block_take(sha->state, at);
    if (left)
        memcpy(sha->block, at, left);
}

void sha256_end(struct sha256 *sha, uint8_t digest[static SHA256_BYTES])
{
    uint64_t bits = sha->size * 8;
    size_t filled = sha->size % 64;
    uint8_t tail[72] = {0x80};
    size_t zeros = (filled < 56 ? 56 : 120) - filled;
    for (unsigned i = 0; i < 8; i++)
        tail[zeros + i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(sha, bytes_of(tail, zeros + 8));
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256(struct bytes bytes, uint8_t digest[static SHA256_BYTES])
{
    struct sha256 sha;
    sha256_begin(&sha);
    sha256_add(&sha, bytes);
    sha256_end(&sha, digest);
}

void hmac_key_take(struct hmac_key *taken, struct bytes key)
{
    uint8_t pad[64] = {0};
    if (key.size > sizeof pad)
        sha256(key, pad);
    else if (key.size)
        memcpy(pad, key.data, key.size);
    for (unsigned i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    sha256_begin(&taken->inner);
    sha256_add(&taken->inner, bytes_of(pad, sizeof pad));
    for (unsigned i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_begin(&taken->outer);
    sha256_add(&taken->outer, bytes_of(pad, sizeof pad));
}

void hmac_digest(const struct hmac_key *key, const struct bytes *pieces, size_t count,
                 uint8_t digest[static SHA256_BYTES])
{
    struct sha256 sha = key->inner;
    for (size_t i = 0; i < count; i++)
        sha256_add(&sha, pieces[i]);
    sha256_end(&sha, digest);
    sha = key->outer;
    sha256_add(&sha, bytes_of(digest, SHA256_BYTES));
    sha256_end(&sha, digest);
}

void hmac_sha256(struct bytes key, const struct bytes *pieces, size_t count,
                 uint8_t digest[static SHA256_BYTES])
{
    struct hmac_key taken;
    hmac_key_take(&taken, key);
    hmac_digest(&taken, pieces, count, digest);
}

bool sha256_same(const uint8_t a[static SHA256_BYTES], const uint8_t b[static SHA256_BYTES])
{
    uint8_t differing = 0;
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        differing |= a[i] ^ b[i];
    return differing == 0;
}
