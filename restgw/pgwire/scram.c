#include "restgw/pgwire/scram.h"

#include "base/base64.h"
#include "restgw/pgwire/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define INVALID_AUTHORIZATION SQLSTATE_PACK('2', '8', '0', '0', '0')

/* ---- verifiers ---- */

/* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> */
static bool verifier_read(struct scram *scram, const char *verifier)
{
    static const char prefix[] = "SCRAM-SHA-256$";
    if (!verifier || strncmp(verifier, prefix, sizeof prefix - 1) != 0)
        return false;
    char *colon;
    long iterations = strtol(verifier + sizeof prefix - 1, &colon, 10);
    if (iterations <= 0 || iterations > INT32_MAX || *colon != ':')
        return false;
    const char *salt = colon + 1, *dollar = strchr(salt, '$');
    const char *second = dollar ? strchr(dollar, ':') : NULL;
    if (!second)
        return false;
    ptrdiff_t salt_bytes =
        base64_read(bytes_of(salt, (size_t)(dollar - salt)), BASE64, scram->salt, sizeof scram->salt);
    if (salt_bytes <= 0 ||
        base64_read(bytes_of(dollar + 1, (size_t)(second - dollar - 1)), BASE64, scram->stored_key,
                    SHA256_BYTES) != SHA256_BYTES ||
        base64_read(bytes_of_text(second + 1), BASE64, scram->server_key, SHA256_BYTES) != SHA256_BYTES)
        return false;
    scram->salt_bytes = (uint32_t)salt_bytes;
    scram->iterations = (uint32_t)iterations;
    return true;
}

void scram_begin(struct scram *scram, const char *role, const char *verifier, const uint8_t secret[static 32])
{
    *scram = (struct scram){0};
    scram->known = verifier_read(scram, verifier);
    if (scram->known)
        return;
    uint8_t digest[SHA256_BYTES];
    const struct bytes name = bytes_of_text(role);
    hmac_sha256(bytes_of(secret, 32), &name, 1, digest);
    memcpy(scram->salt, digest, 16);
    scram->salt_bytes = 16;
    scram->iterations = WIRE_SCRAM_ITERATIONS;
}

/* ---- the exchange ---- */

static enum sqlstate malformed(struct error *error, const char *detail)
{
    enum sqlstate failed = error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "malformed SCRAM message");
    error_add(error, ERROR_DETAIL, "%s", detail);
    return failed;
}

/* The message as a text: printable, with no zero byte in it. */
static enum sqlstate message_copy(struct bytes message, char *text, size_t room, struct error *error)
{
    if (message.size == 0)
        return malformed(error, "The message is empty.");
    if (message.size >= room || memchr(message.data, 0, message.size))
        return malformed(error, "Message length does not match input length.");
    memcpy(text, message.data, message.size);
    text[message.size] = '\0';
    return SQLSTATE_OK;
}

/* Takes "<letter>=<value>," off; NULL when it is not there. */
static char *attribute_take(char **at, char letter)
{
    if (!*at || (*at)[0] != letter || (*at)[1] != '=')
        return NULL;
    char *value = *at + 2, *comma = strchr(value, ',');
    if (comma)
        *comma = '\0';
    *at = comma ? comma + 1 : NULL;
    return value;
}

static enum sqlstate binding_flag(struct scram *scram, const char *text, bool bound, bool offered,
                                  struct error *error)
{
    switch (text[0]) {
    case 'n':
        if (bound)
            return malformed(error,
                             "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include "
                             "channel binding data.");
        return SQLSTATE_OK;
    case 'y':
        if (bound)
            return malformed(error,
                             "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include "
                             "channel binding data.");
        if (offered) {
            enum sqlstate failed =
                error_set(error, INVALID_AUTHORIZATION, "SCRAM channel binding negotiation error");
            error_add(error, ERROR_DETAIL,
                      "The client supports SCRAM channel binding but thinks the server does not.  "
                      "However, this server does support channel binding.");
            return failed;
        }
        return SQLSTATE_OK;
    case 'p':
        if (!bound)
            return malformed(error,
                             "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM "
                             "message includes channel binding data.");
        if (strncmp(text, "p=tls-server-end-point,", 23) != 0)
            return error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                             "unsupported SCRAM channel-binding type \"%.40s\"", text + 2);
        scram->binding = true;
        return SQLSTATE_OK;
    default:
        return malformed(error, "Unexpected channel-binding flag.");
    }
}

enum sqlstate scram_first(struct scram *scram, struct world *world, struct bytes message, bool bound,
                          bool offered, char answer[static SCRAM_MESSAGE_BYTES], struct error *error)
{
    char text[SCRAM_MESSAGE_BYTES];
    uint8_t random[18];
    char own[32], salt[128];
    enum sqlstate failed = message_copy(message, text, sizeof text, error);
    if (!failed)
        failed = binding_flag(scram, text, bound, offered, error);
    if (failed)
        return failed;
    /* gs2-header is the flag, a comma, an authorization name we do not take, a comma. */
    const char *comma = strchr(text, ',');
    if (!comma)
        return malformed(error, "Comma expected, but found the end.");
    if (comma[1] == 'a')
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "client uses authorization identity, but it is not supported");
    if (comma[1] != ',')
        return malformed(error, "Unexpected attribute in client-first-message.");
    size_t header = (size_t)(comma + 2 - text);
    if (header >= sizeof scram->gs2_header)
        return malformed(error, "The channel-binding header is too long.");
    memcpy(scram->gs2_header, text, header);
    scram->gs2_header[header] = '\0';
    snprintf(scram->client_first_bare, sizeof scram->client_first_bare, "%s", text + header);
    char *at = text + header;
    if (*at == 'm')
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "client requires an unsupported SCRAM extension");
    /* The name is the startup packet's; what stands here is ignored, as in PostgreSQL. */
    if (!attribute_take(&at, 'n'))
        return malformed(error, "Attribute expected: n.");
    const char *nonce = attribute_take(&at, 'r');
    if (!nonce || !*nonce || strlen(nonce) > 200)
        return malformed(error, "Attribute expected: r.");
    for (const char *c = nonce; *c; c++)
        if (*c < 0x21 || *c > 0x7e)
            return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "non-printable characters in SCRAM nonce");
    world_random(world, random, sizeof random);
    base64_write(bytes_of(random, sizeof random), BASE64, own);
    snprintf(scram->nonce, sizeof scram->nonce, "%s%s", nonce, own);
    base64_write(bytes_of(scram->salt, scram->salt_bytes), BASE64, salt);
    snprintf(scram->server_first, sizeof scram->server_first, "r=%s,s=%s,i=%u", scram->nonce, salt,
             scram->iterations);
    snprintf(answer, SCRAM_MESSAGE_BYTES, "%s", scram->server_first);
    return SQLSTATE_OK;
}

/* Whether c= is what the client said before, and the channel's data. */
static bool binding_matches(const struct scram *scram, const char *given, struct bytes binding)
{
    uint8_t wanted[400];
    char text[600];
    size_t header = strlen(scram->gs2_header);
    memcpy(wanted, scram->gs2_header, header);
    if (scram->binding && header + binding.size > sizeof wanted)
        return false;
    if (scram->binding)
        memcpy(wanted + header, binding.data, binding.size);
    base64_write(bytes_of(wanted, header + (scram->binding ? binding.size : 0)), BASE64, text);
    return strcmp(text, given) == 0;
}

enum sqlstate scram_final(struct scram *scram, struct bytes message, struct bytes binding, bool *proved,
                          char answer[static SCRAM_MESSAGE_BYTES], struct error *error)
{
    enum { FINAL_BYTES = 2048 };
    char text[FINAL_BYTES], without_proof[FINAL_BYTES], signature_text[64];
    uint8_t proof[SHA256_BYTES], signature[SHA256_BYTES], key[SHA256_BYTES];
    enum sqlstate failed = message_copy(message, text, sizeof text, error);
    if (failed)
        return failed;
    const char *last = strstr(text, ",p=");
    if (!last)
        return malformed(error, "Attribute expected: p.");
    snprintf(without_proof, sizeof without_proof, "%.*s", (int)(last - text), text);
    char *at = text;
    const char *channel = attribute_take(&at, 'c');
    if (!channel)
        return malformed(error, "Attribute expected: c.");
    if (!binding_matches(scram, channel, binding))
        return error_set(error, INVALID_AUTHORIZATION, "SCRAM channel binding check failed");
    const char *nonce = attribute_take(&at, 'r');
    if (!nonce || strcmp(nonce, scram->nonce) != 0) {
        failed = error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "invalid SCRAM response");
        error_add(error, ERROR_DETAIL, "Nonce does not match.");
        return failed;
    }
    const char *given = last + 3;
    if (base64_read(bytes_of_text(given), BASE64, proof, sizeof proof) != sizeof proof)
        return malformed(error, "Malformed proof in client-final-message.");
    const struct bytes said[5] = {bytes_of_text(scram->client_first_bare), bytes_of_text(","),
                                  bytes_of_text(scram->server_first), bytes_of_text(","),
                                  bytes_of_text(without_proof)};
    hmac_sha256(bytes_of(scram->stored_key, SHA256_BYTES), said, 5, signature);
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        proof[i] ^= signature[i];
    sha256(bytes_of(proof, sizeof proof), key);
    *proved = sha256_same(key, scram->stored_key) && scram->known;
    hmac_sha256(bytes_of(scram->server_key, SHA256_BYTES), said, 5, signature);
    base64_write(bytes_of(signature, sizeof signature), BASE64, signature_text);
    snprintf(answer, SCRAM_MESSAGE_BYTES, "v=%s", signature_text);
    return SQLSTATE_OK;
}
