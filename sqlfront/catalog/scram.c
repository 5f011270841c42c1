/* SCRAM-SHA-256 verifiers (RFC 5802, 3):
 *
 *     SaltedPassword = PBKDF2(password, salt, iterations)
 *     StoredKey      = SHA-256(HMAC(SaltedPassword, "Client Key"))
 *     ServerKey      = HMAC(SaltedPassword, "Server Key")
 *
 * Passwords are taken as they come; SASLprep (RFC 4013) changes none of plain ASCII. */
#include "sqlfront/catalog/scram.h"

#include "base/base64.h"
#include "base/pbkdf2.h"
#include "base/scope.h"

#include <stdio.h>
#include <string.h>

#define ITERATIONS 4096
#define SALT_BYTES 16

const char *scram_verifier(struct world *world, struct scope *scope, const char *password)
{
    uint8_t salt[SALT_BYTES], salted[SHA256_BYTES], client[SHA256_BYTES], stored[SHA256_BYTES],
        server[SHA256_BYTES];
    char salt_text[32], stored_text[64], server_text[64];
    struct bytes client_name = bytes_of_text("Client Key"), server_name = bytes_of_text("Server Key");
    world_random(world, salt, sizeof salt);
    pbkdf2_sha256(world->scheduler, bytes_of_text(password), bytes_of(salt, sizeof salt), ITERATIONS, salted);
    hmac_sha256(bytes_of(salted, sizeof salted), &client_name, 1, client);
    hmac_sha256(bytes_of(salted, sizeof salted), &server_name, 1, server);
    sha256(bytes_of(client, sizeof client), stored);
    base64_write(bytes_of(salt, sizeof salt), BASE64, salt_text);
    base64_write(bytes_of(stored, sizeof stored), BASE64, stored_text);
    base64_write(bytes_of(server, sizeof server), BASE64, server_text);
    explicit_bzero(salted, sizeof salted);
    explicit_bzero(client, sizeof client);
    char *verifier = scope_alloc(scope, 192);
    snprintf(verifier, 192, "SCRAM-SHA-256$%d:%s$%s:%s", ITERATIONS, salt_text, stored_text, server_text);
    return verifier;
}

bool scram_is_verifier(const char *text)
{
    static const char scheme[] = "SCRAM-SHA-256$";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *salt = strchr(text, ':');
    const char *keys = salt ? strchr(salt, '$') : NULL;
    return keys && strchr(keys, ':');
}
