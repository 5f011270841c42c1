/* Requests that are done once: the record (role, key, digest of the request, answer) is written by the transaction that did the
 * work, so either both are there or neither. A second request with the key gets the first one's answer.
 *
 * These queries run with the house's rights in the client's session, whose search path may name the client's own types and
 * operators first: every name in them has its schema. */
#include "base/base64.h"
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *digest_of(struct http_call *call)
{
    const struct http_head *head = call->head;
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES];
    char *text = scope_alloc(call->scope, 64);
    sha256_begin(&sha);
    sha256_add(&sha, bytes_of(head->method, strlen(head->method) + 1));
    sha256_add(&sha, head->path);
    sha256_add(&sha, bytes_of("", 1));
    sha256_add(&sha, http_body(call->exchange));
    sha256_end(&sha, digest);
    base64_write(bytes_of(digest, sizeof digest), BASE64_URL, text);
    return text;
}

/* A lock that whoever works on the key holds until its transaction is over. */
static const char *lock_number(struct http_call *call, const char *role, const char *key)
{
    uint8_t digest[SHA256_BYTES];
    const struct bytes pieces[] = {bytes_of(role, strlen(role) + 1), bytes_of_text(key)};
    int64_t number;
    hmac_sha256(bytes_of_text("idempotency"), pieces, 2, digest);
    memcpy(&number, digest, sizeof number);
    return call_format(call, "%" PRId64, number);
}

enum sqlstate idempotency_begin(struct http_call *call, struct rest *rest, struct idempotency *idempotency,
                                struct error *error)
{
    struct table table;
    idempotency->role = rest->role;
    idempotency->digest = digest_of(call);
    if (session_status(rest->session) != 'I')
        return error_set(error, SQLSTATE_INVALID_TRANSACTION_STATE,
                         "an idempotency key is for a statement that is a transaction of its own");
    enum sqlstate failed = records_ready(call->api, rest->database, error);
    if (!failed)
        failed = cursors_settle(rest, error);
    if (failed)
        return failed;
    const char *const lock[] = {lock_number(call, rest->role, idempotency->key)};
    const char *const values[] = {rest->role, idempotency->key};
    session_elevate_begin(rest->session);
    failed = query_run(rest, call->scope,
                       "select pg_catalog.pg_try_advisory_xact_lock($1::pg_catalog.int8)::pg_catalog.text",
                       lock, 1, &table, error);
    bool mine = !failed && table.rows && table_cell(&table, 0, 0).data[0] == 't';
    if (mine)
        failed = query_run(rest, call->scope,
                           "select digest, status::pg_catalog.text, body from synod_rest.request where role "
                           "operator(pg_catalog.=) $1 and key "
                           "operator(pg_catalog.=) $2",
                           values, 2, &table, error);
    session_elevate_end(rest->session);
    struct error second = {0};
    if (failed || !mine) {
        (void)session_sync(rest->session, failed != SQLSTATE_OK, &second);
        if (failed)
            return failed;
        struct problem problem = problem_make(409, "idempotency-key-in-progress", "Request in progress",
                                              "another request with this idempotency key is under way");
        problem.retry = PROBLEM_AFTER_DELAY;
        problem.retry_after_ms = 100;
        call_refuse(call, &problem);
        return SQLSTATE_OK;
    }
    if (!table.rows)
        return SQLSTATE_OK;
    if (strcmp((const char *)table_cell(&table, 0, 0).data, idempotency->digest) != 0) {
        (void)session_sync(rest->session, false, &second);
        call_problem(call, 422, "idempotency-key-reused", "Idempotency key reused",
                     "this idempotency key was another request's");
        return SQLSTATE_OK;
    }
    idempotency->replayed = true;
    idempotency->status = atoi((const char *)table_cell(&table, 0, 1).data);
    idempotency->body = table_cell(&table, 0, 2);
    return SQLSTATE_OK;
}

enum sqlstate idempotency_keep(struct rest *rest, struct scope *scope, const struct idempotency *idempotency,
                               int status, struct bytes body, struct error *error)
{
    char number[16];
    snprintf(number, sizeof number, "%d", status);
    const char *const values[] = {idempotency->role, idempotency->key, idempotency->digest, number,
                                  scope_text(scope, body)};
    if (session_status(rest->session) != 'I')
        return error_set(error, SQLSTATE_INVALID_TRANSACTION_STATE,
                         "a statement with an idempotency key may not begin a transaction");
    session_elevate_begin(rest->session);
    enum sqlstate failed = query_run(rest, scope,
                                     "insert into synod_rest.request (role, key, digest, status, body) "
                                     "values ($1, $2, $3, $4::pg_catalog.int4, $5)",
                                     values, 5, NULL, error);
    session_elevate_end(rest->session);
    return failed;
}
