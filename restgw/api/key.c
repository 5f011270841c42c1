#include "restgw/api/key.h"

#include "base/base64.h"

#include <string.h>

enum { SIGNED_BYTES = 50, KEY_VERSION = 1 };

static uint8_t *put(uint8_t *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

static const uint8_t *get(const uint8_t *at, uint64_t *number, unsigned bytes)
{
    *number = 0;
    for (unsigned i = 0; i < bytes; i++)
        *number = *number << 8 | at[i];
    return at + bytes;
}

void session_key_write(const struct session_key *key, const uint8_t secret[static 32],
                       char text[static SESSION_KEY_TEXT_BYTES])
{
    uint8_t bytes[SESSION_KEY_BYTES], digest[SHA256_BYTES];
    uint8_t *at = put(bytes, KEY_VERSION, 1);
    at = put(at, 0, 1);
    at = put(at, key->view, 8);
    at = put(at, key->node, 4);
    at = put(at, key->number, 8);
    at = put(at, key->role_check, 4);
    at = put(at, (uint64_t)key->issued_us, 8);
    memcpy(at, key->random, 16);
    const struct bytes piece = bytes_of(bytes, SIGNED_BYTES);
    hmac_sha256(bytes_of(secret, 32), &piece, 1, digest);
    memcpy(bytes + SIGNED_BYTES, digest, 16);
    memcpy(text, "syns_", 5);
    base64_write(bytes_of(bytes, sizeof bytes), BASE64_URL, text + 5);
}

bool session_key_read(struct bytes text, const uint8_t *secret, struct session_key *key)
{
    uint8_t bytes[SESSION_KEY_BYTES];
    uint64_t version, number;
    if (text.size != SESSION_KEY_TEXT_BYTES - 1 || memcmp(text.data, "syns_", 5) != 0 ||
        base64_read(bytes_of(text.data + 5, text.size - 5), BASE64_URL, bytes, sizeof bytes) != sizeof bytes)
        return false;
    if (secret) {
        uint8_t wanted[SHA256_BYTES], given[SHA256_BYTES];
        const struct bytes piece = bytes_of(bytes, SIGNED_BYTES);
        hmac_sha256(bytes_of(secret, 32), &piece, 1, wanted);
        memcpy(given, wanted, sizeof given);
        memcpy(given, bytes + SIGNED_BYTES, 16);
        if (!sha256_same(given, wanted))
            return false;
    }
    const uint8_t *at = get(bytes, &version, 1);
    at = get(at, &number, 1);
    if (version != KEY_VERSION || number != 0)
        return false;
    at = get(at, &key->view, 8);
    at = get(at, &number, 4);
    key->node = (uint32_t)number;
    at = get(at, &key->number, 8);
    at = get(at, &number, 4);
    key->role_check = (uint32_t)number;
    at = get(at, &number, 8);
    key->issued_us = (int64_t)number;
    memcpy(key->random, at, 16);
    return true;
}

uint32_t session_key_role_check(const char *role)
{
    uint8_t digest[SHA256_BYTES];
    uint64_t check;
    sha256(bytes_of_text(role), digest);
    get(digest, &check, 4);
    return (uint32_t)check;
}

void uuid_write(const uint8_t id[static 16], char text[static 37])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[id[i] >> 4];
        *at++ = digits[id[i] & 15];
    }
    *at = '\0';
}

bool uuid_is(struct bytes text)
{
    if (text.size != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        uint8_t c = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !digit)
            return false;
    }
    return true;
}
