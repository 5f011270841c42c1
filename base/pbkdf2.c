#include "base/pbkdf2.h"

#include "base/fiber.h"

#include <string.h>

void pbkdf2_sha256(struct scheduler *scheduler, struct bytes password, struct bytes salt, uint32_t iterations,
                   uint8_t key[static SHA256_BYTES])
{
    static const uint8_t first[4] = {0, 0, 0, 1};
    const struct bytes begin[2] = {salt, bytes_of(first, sizeof first)};
    uint8_t round[SHA256_BYTES];
    struct hmac_key keyed;
    hmac_key_take(&keyed, password);
    hmac_digest(&keyed, begin, 2, round);
    memcpy(key, round, SHA256_BYTES);
    for (uint32_t i = 1; i < iterations; i++) {
        const struct bytes last = bytes_of(round, sizeof round);
        hmac_digest(&keyed, &last, 1, round);
        for (unsigned j = 0; j < SHA256_BYTES; j++)
            key[j] ^= round[j];
        if (scheduler && i % PBKDF2_SLICE == 0)
            fiber_yield(scheduler);
    }
    explicit_bzero(&keyed, sizeof keyed);
}
