/* Who is asking: session keys, the console's cookie, API keys, passwords. Failures are counted by role and by address, and those
 * who fail too often wait. */
#include "base/base64.h"
#include "base/pbkdf2.h"
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- those who fail too often ---- */

struct throttle_slot {
    uint64_t hash;
    uint32_t failures;
    uint64_t since_ns; /* when the last one was forgotten */
};

static struct throttle_slot *throttle_slot(struct api *api, const char *kind, const char *what)
{
    char key[160];
    int size = snprintf(key, sizeof key, "%s:%s", kind, what);
    uint64_t hash =
        map_hash(api->seed, bytes_of(key, (size_t)size < sizeof key ? (size_t)size : sizeof key - 1));
    struct throttle_slot *slot = &api->throttle[hash % THROTTLE_SLOTS];
    uint64_t forgotten = (api->world->now_ns - slot->since_ns) / (THROTTLE_REFILL_MS * NS_PER_MS);
    if (slot->hash != hash || forgotten >= slot->failures)
        *slot = (struct throttle_slot){.hash = hash, .since_ns = api->world->now_ns};
    else if (forgotten) {
        slot->failures -= (uint32_t)forgotten;
        slot->since_ns += forgotten * THROTTLE_REFILL_MS * NS_PER_MS;
    }
    return slot;
}

void call_address(const struct http_call *call, char text[static NET_ADDRESS_TEXT_BYTES])
{
    net_address_text(&call->head->client, text);
}

/* The address without its port. */
static void address_host(const struct http_call *call, char text[static NET_ADDRESS_TEXT_BYTES])
{
    call_address(call, text);
    char *colon = strrchr(text, ':');
    if (colon)
        *colon = '\0';
}

static bool throttled(struct http_call *call, const char *role)
{
    char host[NET_ADDRESS_TEXT_BYTES];
    address_host(call, host);
    return throttle_slot(call->api, "role", role)->failures >= THROTTLE_BURST ||
           throttle_slot(call->api, "host", host)->failures >= THROTTLE_BURST * 4;
}

static enum sqlstate too_many_failed(struct error *error)
{
    return error_set(error, SQLSTATE_TOO_MANY_CONNECTIONS,
                     "too many sign-ins have failed: wait before the next");
}

static void throttle_count(struct http_call *call, const char *role)
{
    char host[NET_ADDRESS_TEXT_BYTES];
    address_host(call, host);
    throttle_slot(call->api, "role", role)->failures++;
    throttle_slot(call->api, "host", host)->failures++;
    metric_add(call->api->metrics.sign_ins_failed, 1);
}

/* ---- passwords ---- */

/* A proof that was found right: the keyed digest of role, verifier and password. A changed password has another verifier. */
struct proof {
    uint8_t digest[SHA256_BYTES];
    bool there;
};

/* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>: whether the password makes this stored key (RFC 5802, 3). */
static bool verifier_matches(struct scheduler *scheduler, const char *verifier, struct bytes password)
{
    static const char prefix[] = "SCRAM-SHA-256$";
    uint8_t salt[64], stored[SHA256_BYTES + 1], salted[SHA256_BYTES], client[SHA256_BYTES], key[SHA256_BYTES];
    char *colon;
    if (strncmp(verifier, prefix, sizeof prefix - 1) != 0)
        return false;
    long iterations = strtol(verifier + sizeof prefix - 1, &colon, 10);
    const char *dollar = *colon == ':' ? strchr(colon, '$') : NULL;
    const char *second = dollar ? strchr(dollar, ':') : NULL;
    if (iterations <= 0 || iterations > 1000000 || !second)
        return false;
    ptrdiff_t salt_bytes =
        base64_read(bytes_of(colon + 1, (size_t)(dollar - colon - 1)), BASE64_ANY, salt, sizeof salt);
    ptrdiff_t stored_bytes =
        base64_read(bytes_of(dollar + 1, (size_t)(second - dollar - 1)), BASE64_ANY, stored, sizeof stored);
    if (salt_bytes <= 0 || stored_bytes != SHA256_BYTES)
        return false;
    const struct bytes words = bytes_of_text("Client Key");
    pbkdf2_sha256(scheduler, password, bytes_of(salt, (size_t)salt_bytes), (uint32_t)iterations, salted);
    hmac_sha256(bytes_of(salted, sizeof salted), &words, 1, client);
    sha256(bytes_of(client, sizeof client), key);
    return sha256_same(key, stored);
}

/* A verifier nobody has: an unknown role costs as much time as a known one. */
static const char nobodys_verifier[] =
    "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/* Whether the password makes the verifier. One at a time on a core, so that of many wrong ones at once no more are tried than one
 * behind the other; what was found right before is not tried again. 53300 when too many have failed meanwhile. Yields. */
static enum sqlstate password_try(struct http_call *call, const char *role, const char *verifier,
                                  struct bytes password, bool *right, struct error *error)
{
    struct api *api = call->api;
    struct scheduler *scheduler = api->world->scheduler;
    uint8_t digest[SHA256_BYTES];
    const struct bytes pieces[] = {bytes_of(role, strlen(role) + 1), bytes_of(verifier, strlen(verifier) + 1),
                                   password};
    hmac_sha256(bytes_of(api->shared->secret, 32), pieces, 3, digest);
    struct proof *proof = &api->proofs[map_hash(api->seed, bytes_of_text(role)) % PROOFS_KEPT];
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && api->trying && !(proof->there && sha256_same(proof->digest, digest)))
        if (fiber_wait(scheduler, &api->tries, FIBER_NO_DEADLINE) != FIBER_WOKEN)
            failed = fiber_check_canceled(scheduler, error);
    *right = !failed && proof->there && sha256_same(proof->digest, digest);
    if (failed || *right)
        return failed;
    if (throttled(call, role))
        return too_many_failed(error);
    api->trying = true;
    *right = verifier_matches(scheduler, verifier, password);
    api->trying = false;
    if (*right) {
        memcpy(proof->digest, digest, sizeof digest);
        proof->there = true;
    } else {
        throttle_count(call, role);
    }
    fiber_wake_all(&api->tries);
    return SQLSTATE_OK;
}

enum sqlstate password_prove(struct http_call *call, const char *role, struct bytes password,
                             struct error *error)
{
    struct api *api = call->api;
    struct session_login login = {0};
    bool right = false;
    if (throttled(call, role))
        return too_many_failed(error);
    enum sqlstate failed = sessions_login(api->options.sessions, call->scope, role, &login, error);
    if (failed)
        return failed;
    bool expired = login.valid_until != INT64_MAX && wall_us(api) - US_FROM_1970_TO_2000 > login.valid_until;
    bool known = login.found && login.verifier && !expired;
    failed = password_try(call, role, known ? login.verifier : nobodys_verifier, password, &right, error);
    if (failed)
        return failed;
    if (!right || !known)
        return error_set(error, STATE_INVALID_PASSWORD, "password authentication failed for user \"%s\"",
                         role);
    if (!login.may_login)
        return error_set(error, SQLSTATE_INVALID_AUTHORIZATION, "role \"%s\" is not permitted to log in",
                         role);
    return SQLSTATE_OK;
}

bool basic_read(struct scope *scope, struct bytes header, const char **role, struct bytes *password)
{
    if (header.size < 6 || strncasecmp((const char *)header.data, "Basic ", 6) != 0)
        return false;
    uint8_t *text = scope_alloc(scope, header.size);
    ptrdiff_t size = base64_read(bytes_of(header.data + 6, header.size - 6), BASE64_ANY, text, header.size);
    const uint8_t *colon = size > 0 ? memchr(text, ':', (size_t)size) : NULL;
    if (!colon || colon == text || memchr(text, 0, (size_t)size))
        return false;
    *role = scope_text(scope, bytes_of(text, (size_t)(colon - text)));
    *password = bytes_of(colon + 1, (size_t)(text + size - colon - 1));
    return true;
}

/* ---- API keys: synk_<16 hex digits>_<43 of base64url> ---- */

/* A key that was found to hold. */
struct key_held {
    char id[17];
    uint8_t digest[SHA256_BYTES];
    char role[64], database[64];
    uint32_t scopes;
    int64_t expires_us; /* INT64_MAX = never */
    uint64_t found_ns;
};

static bool key_look(struct http_call *call, const char *id, struct key_held *held, struct error *error,
                     enum sqlstate *failed)
{
    struct api *api = call->api;
    struct table table;
    uint8_t digest[SHA256_BYTES + 1];
    *failed = records_ready(api, api->options.database, error);
    if (!*failed)
        *failed = query_house(api, call->scope, api->options.database,
                              "select digest, role, database, scopes,"
                              " (extract(epoch from expires_at) * 1000000)::bigint::text,"
                              " last_used_at is null or last_used_at < now() - interval '1 minute'"
                              " from synod_rest.api_key where id = $1",
                              &id, 1, &table, error);
    if (*failed || table.rows == 0)
        return false;
    if (table_cell(&table, 0, 5).data[0] == 't')
        *failed = query_house(api, call->scope, api->options.database,
                              "update synod_rest.api_key set last_used_at = now() where id = $1 and"
                              " (last_used_at is null or last_used_at < now() - interval '1 minute')",
                              &id, 1, NULL, error);
    if (*failed)
        return false;
    struct bytes stored = table_cell(&table, 0, 0), database = table_cell(&table, 0, 2),
                 expires = table_cell(&table, 0, 4);
    if (base64_read(stored, BASE64_URL, digest, sizeof digest) != SHA256_BYTES)
        return false;
    *held = (struct key_held){.expires_us = INT64_MAX, .found_ns = api->world->now_ns};
    memcpy(held->digest, digest, SHA256_BYTES);
    snprintf(held->id, sizeof held->id, "%s", id);
    snprintf(held->role, sizeof held->role, "%s", table_cell(&table, 0, 1).data);
    if (database.data)
        snprintf(held->database, sizeof held->database, "%s", database.data);
    held->scopes = (uint32_t)atoi((const char *)table_cell(&table, 0, 3).data);
    if (expires.data)
        sscanf((const char *)expires.data, "%" SCNd64, &held->expires_us);
    return true;
}

enum sqlstate proofs_open(struct api *api, struct error *error)
{
    static const size_t sizes[3] = {THROTTLE_SLOTS * sizeof(struct throttle_slot),
                                    PROOFS_KEPT * sizeof(struct proof), KEYS_KEPT * sizeof(struct key_held)};
    void *rooms[3];
    enum sqlstate failed = SQLSTATE_OK;
    for (int i = 0; i < 3 && !failed; i++)
        if (!(failed = scope_alloc_large(api->scope, sizes[i], 64, &rooms[i], error)))
            memset(rooms[i], 0, sizes[i]);
    if (failed)
        return failed;
    api->throttle = rooms[0];
    api->proofs = rooms[1];
    api->keys = rooms[2];
    return SQLSTATE_OK;
}

struct forget_mail {
    struct mail mail;
    struct api_shared *shared;
    const char *id;
};

static void forget_deliver(struct world *here, struct mail *mail)
{
    struct forget_mail *asked = container_of(mail, struct forget_mail, mail);
    struct api *api = asked->shared->core[here->core];
    if (api) {
        struct key_held *held = &api->keys[map_hash(api->seed, bytes_of_text(asked->id)) % KEYS_KEPT];
        if (strcmp(held->id, asked->id) == 0)
            held->id[0] = '\0';
    }
    mail_return(here, mail);
}

void key_forget(struct http_call *call, const char *id)
{
    struct api *api = call->api;
    struct error error = {0};
    for (uint32_t core = 0; core < api->shared->cores; core++) {
        struct forget_mail *mail = scope_alloc_zeroed(call->scope, sizeof *mail);
        *mail = (struct forget_mail){.mail = {.deliver = forget_deliver}, .shared = api->shared, .id = id};
        if (mail_call(api->world, call->scope, core, &mail->mail, &error))
            return;
    }
}

enum sqlstate key_prove(struct http_call *call, struct bytes key, struct principal *principal,
                        struct error *error)
{
    struct api *api = call->api;
    char id[17] = "";
    uint8_t digest[SHA256_BYTES];
    enum sqlstate failed = SQLSTATE_OK;
    bool right = key.size == 5 + 16 + 1 + 43 && key.data[21] == '_';
    if (right)
        memcpy(id, key.data + 5, 16);
    if (right && throttled(call, id))
        return too_many_failed(error);
    struct key_held *held = &api->keys[map_hash(api->seed, bytes_of_text(id)) % KEYS_KEPT];
    bool known = right && strcmp(held->id, id) == 0;
    if (right && (!known || api->world->now_ns > held->found_ns + KEY_HELD_MS * NS_PER_MS)) {
        struct key_held found;
        if (known)
            held->found_ns = api->world->now_ns; /* one looks; those that come meanwhile go by what is held */
        right = key_look(call, id, &found, error, &failed);
        if (failed && known)
            held->found_ns = 0;
        if (failed)
            return failed;
        if (right)
            *held = found;
        else
            held->id[0] = '\0';
    }
    if (right) {
        sha256(bytes_of(key.data + 22, 43), digest);
        right = sha256_same(digest, held->digest) && wall_us(api) < held->expires_us;
    }
    if (!right) {
        throttle_count(call, id);
        return error_set(error, SQLSTATE_INVALID_AUTHORIZATION, "the API key does not hold");
    }
    *principal = (struct principal){
        .kind = PRINCIPAL_KEY,
        .role = scope_copy_text(call->scope, held->role),
        .database = *held->database ? scope_copy_text(call->scope, held->database) : NULL,
        .scopes = held->scopes,
        .key_id = scope_copy_text(call->scope, id),
    };
    return SQLSTATE_OK;
}

/* ---- what the caller has shown ---- */

static void unauthorized(struct http_call *call, const char *type, const char *title, const char *detail)
{
    struct problem problem = problem_make(401, type, title, detail);
    problem.authenticate = "Bearer error=\"invalid_token\"";
    problem.retry = PROBLEM_SESSION;
    call_refuse(call, &problem);
}

static void session_principal(struct http_call *call, struct rest *rest)
{
    call->rest = rest;
    scope_hold(rest->scope);
    call->principal = (struct principal){
        .kind = PRINCIPAL_SESSION, .role = rest->role, .database = rest->database, .scopes = rest->scopes};
}

/* In a time that does not tell where they differ. */
static bool key_same(struct bytes given, const char wanted[static SESSION_KEY_TEXT_BYTES])
{
    uint8_t different = 0;
    for (size_t i = 0; i < SESSION_KEY_TEXT_BYTES - 1; i++)
        different |= (uint8_t)(given.data[i] ^ (uint8_t)wanted[i]);
    return given.size == SESSION_KEY_TEXT_BYTES - 1 && different == 0;
}

/* The session the key names. A wrong core is none of the client's business: the request goes on to the right one. The
 * signature costs as much as a statement, so a key that is the one we gave out, letter for letter, is not read again. */
static bool session_show(struct http_call *call, struct bytes text)
{
    struct api *api = call->api;
    struct session_key key;
    bool is_key = session_key_read(text, NULL, &key);
    uint32_t core = is_key ? id_core(api->shared, key.number) : 0;
    if (is_key && core != api->world->core) {
        http_pass_on(call->exchange, core);
        call->answered = true;
        return false;
    }
    struct rest *rest = is_key ? rest_find(api, key.number) : NULL;
    if (rest && !rest->cookie && !rest->ending && key_same(text, rest->key_text)) {
        session_principal(call, rest);
        return true;
    }
    if (!session_key_read(text, api->shared->secret, &key))
        unauthorized(call, "session-expired", "Session expired", "this is no key of a session of this node");
    else
        unauthorized(call, "session-expired", "Session expired",
                     rest && rest->ending ? rest->ending : "the session has ended");
    return false;
}

/* The value of one cookie. */
static struct bytes cookie_find(struct bytes header, const char *name)
{
    size_t size = strlen(name);
    for (size_t at = 0; at < header.size;) {
        while (at < header.size && (header.data[at] == ' ' || header.data[at] == ';'))
            at++;
        size_t end = at;
        while (end < header.size && header.data[end] != ';')
            end++;
        if (end - at > size && memcmp(header.data + at, name, size) == 0 && header.data[at + size] == '=')
            return bytes_of(header.data + at + size + 1, end - at - size - 1);
        at = end;
    }
    return (struct bytes){0};
}

static bool same_text(struct bytes given, const char *wanted)
{
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES];
    sha256(given, a);
    sha256(bytes_of_text(wanted), b);
    return sha256_same(a, b);
}

static bool cookie_core(struct bytes cookie, const struct api_shared *shared, uint32_t *core)
{
    uint8_t first[3];
    if (cookie.size != 46 || base64_read(bytes_of(cookie.data, 4), BASE64_URL, first, sizeof first) != 3)
        return false;
    *core = first[0];
    return *core < shared->cores;
}

static bool cookie_show(struct http_call *call, struct bytes cookie)
{
    struct api *api = call->api;
    uint32_t core;
    if (!cookie_core(cookie, api->shared, &core)) {
        unauthorized(call, "session-expired", "Session expired", "the session has ended");
        return false;
    }
    if (core != api->world->core) {
        http_pass_on(call->exchange, core);
        call->answered = true;
        return false;
    }
    struct rest *rest = map_find(&api->by_cookie, cookie);
    if (!rest || rest->ending) {
        unauthorized(call, "session-expired", "Session expired", "the session has ended");
        return false;
    }
    bool reads = strcmp(call->head->method, "GET") == 0 || strcmp(call->head->method, "HEAD") == 0;
    if (!reads && !same_text(http_header(call->exchange, "synod-csrf"), rest->csrf)) {
        call_problem(call, 403, "csrf", "Forged request",
                     "a request with the console's cookie needs the header Synod-Csrf");
        return false;
    }
    session_principal(call, rest);
    call->principal.cookie = true;
    return true;
}

bool call_authenticate(struct http_call *call)
{
    struct bytes header = http_header(call->exchange, "authorization"), password;
    const char *role;
    enum sqlstate failed;
    if (!header.data) {
        struct bytes cookie = cookie_find(http_header(call->exchange, "cookie"), "__Host-synod");
        if (cookie.data)
            return cookie_show(call, cookie);
        struct problem problem = problem_make(401, "credentials-missing", "Credentials missing",
                                              "say who you are: a session key, an API key, or a password");
        problem.authenticate = "Bearer, Basic realm=\"synod\"";
        problem.retry = PROBLEM_SESSION;
        call_refuse(call, &problem);
        return false;
    }
    if (header.size > 7 && strncasecmp((const char *)header.data, "Bearer ", 7) == 0) {
        struct bytes token = bytes_of(header.data + 7, header.size - 7);
        if (token.size < 5 || memcmp(token.data, "synk_", 5) != 0)
            return session_show(call, token);
        failed = key_prove(call, token, &call->principal, &call->error);
    } else if (basic_read(call->scope, header, &role, &password)) {
        failed = password_prove(call, role, password, &call->error);
        call->principal = (struct principal){.kind = PRINCIPAL_PASSWORD, .role = role, .scopes = SCOPE_ALL};
    } else {
        call_problem(call, 400, "invalid-header", "Invalid header",
                     "the header Authorization is neither Bearer nor Basic");
        return false;
    }
    if (failed)
        call_fail(call, &call->error);
    return !failed;
}

/* On a loop's thread: only what the request says. */
uint32_t api_place(void *argument, const struct http_head *head)
{
    const struct api_shared *shared = argument;
    struct session_key key;
    struct bytes header = http_head_header(head, "authorization");
    uint32_t core;
    if (header.size > 7 && strncasecmp((const char *)header.data, "Bearer ", 7) == 0)
        return session_key_read(bytes_of(header.data + 7, header.size - 7), NULL, &key)
                   ? id_core(shared, key.number)
                   : UINT32_MAX;
    struct bytes cookie = cookie_find(http_head_header(head, "cookie"), "__Host-synod");
    return cookie.data && cookie_core(cookie, shared, &core) ? core : UINT32_MAX;
}
