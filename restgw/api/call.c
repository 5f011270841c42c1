/* One request at its handler: the session that serves it, and its answer. */
#include "restgw/api/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *scope_text(struct scope *scope, struct bytes bytes)
{
    char *text = scope_alloc(scope, bytes.size + 1);
    if (bytes.size)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return text;
}

const char *call_format(struct http_call *call, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    char *text = scope_alloc(call->scope, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

/* ---- sessions ---- */

/* The client is gone: nobody waits for the statement any more. */
static void call_gone(void *argument)
{
    struct http_call *call = argument;
    if (call->serving)
        session_interrupt(call->serving->session);
}

/* A session for the request: its own (`own`, if that is in the database), or one taken for it alone. */
static struct rest *session_for(struct http_call *call, const char *database, bool own)
{
    struct api *api = call->api;
    enum sqlstate failed;
    if (call->serving)
        return call->serving;
    if (own && call->rest && (!database || strcmp(database, call->rest->database) == 0)) {
        failed = rest_take(call->rest, &call->error);
        call->serving = failed ? NULL : call->rest;
    } else {
        char address[NET_ADDRESS_TEXT_BYTES];
        call_address(call, address);
        const char *own = call->principal.database ? call->principal.database : api->options.database;
        failed = one_off_take(api, call->principal.role, database ? database : own, address, &call->serving,
                              &call->error);
        if (failed)
            call->serving = NULL;
        else
            call->serving->scopes = call->principal.scopes;
    }
    if (failed == STATE_NO_DATABASE && database)
        call_problem(call, 404, "database-unknown", "Unknown database",
                     error_text(&call->error, ERROR_MESSAGE));
    else if (failed)
        call_fail(call, &call->error);
    else
        http_on_gone(call->exchange, call_gone, call);
    return call->serving;
}

struct rest *call_session(struct http_call *call, const char *database)
{
    return session_for(call, database, true);
}

struct rest *call_reader(struct http_call *call, const char *database)
{
    const struct rest *own = call->rest;
    return session_for(call, database,
                       own && (own->closing || (!own->busy && session_status(own->session) != 'E')));
}

void call_end(struct http_call *call)
{
    struct rest *serving = call->serving;
    if (!serving && !call->rest)
        return;
    http_on_gone(call->exchange, NULL, NULL);
    call->serving = NULL;
    if (serving && serving->number)
        rest_give(serving);
    else if (serving)
        one_off_give(serving);
    if (call->rest)
        scope_release(call->rest->scope);
}

struct rest *call_own(struct http_call *call)
{
    if (call->rest)
        return call->rest;
    struct problem problem = problem_make(401, "session-missing", "Session missing",
                                          "this needs a session: POST /v1/sessions first");
    problem.retry = PROBLEM_SESSION;
    call_refuse(call, &problem);
    return NULL;
}

bool call_allowed(struct http_call *call, uint32_t scope)
{
    if (call->principal.scopes & scope)
        return true;
    call_problem(call, 403, "scope-missing", "Scope missing", "the API key is not for this");
    return false;
}

bool call_superuser(struct http_call *call, bool must)
{
    struct table table;
    const char *const values[] = {call->principal.role};
    if (query_house(call->api, call->scope, call->api->options.database,
                    "select 1 from pg_catalog.pg_roles where rolname = $1 and rolsuper", values, 1, &table,
                    &call->error)) {
        call_fail(call, &call->error);
        return false;
    }
    if (!table.rows && must)
        call_problem(call, 403, "insufficient-privilege", "Insufficient privilege", "this is for superusers");
    return table.rows > 0;
}

/* ---- names in paths ---- */

/* The dot behind the first part, or the end. */
static const char *part_end(const char *name)
{
    bool quoted = false;
    for (; *name && (quoted || *name != '.'); name++)
        quoted ^= *name == '"';
    return name;
}

static void part_write(struct text *text, struct http_call *call, struct bytes part)
{
    char *name = scope_copy(call->scope, part.data, part.size + 1);
    size_t size = 0;
    bool quoted = part.size >= 2 && name[0] == '"' && name[part.size - 1] == '"';
    for (size_t i = quoted; i < part.size - quoted; i++) {
        name[size++] = name[i];
        if (quoted && name[i] == '"' && name[i + 1] == '"')
            i++;
    }
    name[size] = '\0';
    text_identifier(text, name);
}

void relation_write(struct text *text, struct http_call *call, const char *name)
{
    const char *dot = part_end(name);
    if (*dot) {
        part_write(text, call, bytes_of(name, (size_t)(dot - name)));
        text_append(text, ".");
        name = dot + 1;
    }
    part_write(text, call, bytes_of_text(name));
}

/* ---- answers ---- */

void versions_write(struct json_out *out)
{
    json_out_name(out, "version");
    json_out_text(out, SYNOD_VERSION);
    json_out_name(out, "server_version");
    json_out_text(out, sessions_server_version());
}

void call_reply(struct http_call *call, int status, const char *type, const char *name, const char *value,
                struct bytes body)
{
    struct http_header *header = NULL;
    check(!call->answered);
    call->answered = true;
    call->status = status;
    if (name) {
        header = scope_alloc(call->scope, sizeof *header);
        *header = (struct http_header){bytes_of_text(name), bytes_of_text(value)};
    }
    http_answer(call->exchange, status, type, header, name ? 1 : 0, body);
}

void call_body(struct http_call *call, int status, struct bytes body, bool replayed)
{
    call_reply(call, status, JSON_TYPE, replayed ? "idempotency-replayed" : NULL, "true", body);
}

void call_answer(struct http_call *call, int status, struct json_out *out)
{
    struct error error = {0};
    if (json_out_outcome(out, &error))
        call_fail(call, &error);
    else
        call_body(call, status, json_out_bytes(out), false);
}

void call_nothing(struct http_call *call)
{
    call_reply(call, 204, NULL, NULL, NULL, (struct bytes){0});
}

void call_refuse(struct http_call *call, struct problem *problem)
{
    check(!call->answered);
    call->answered = true;
    call->status = problem->status;
    metric_add(call->api->metrics.errors, 1);
    http_problem(call->exchange, problem);
}

void call_problem(struct http_call *call, int status, const char *type, const char *title, const char *detail)
{
    struct problem problem = problem_make(status, type, title, detail);
    call_refuse(call, &problem);
}

struct problem call_problem_of(struct http_call *call, const struct rest *rest, const struct error *error)
{
    struct problem problem = problem_of(error);
    if (rest && rest->session) {
        problem.transaction_state = problem_transaction_state(rest);
        if (rest->transaction.number)
            problem.transaction_id = id_text(call->scope, rest->transaction.number);
    }
    return problem;
}

void call_fail(struct http_call *call, const struct error *error)
{
    struct problem problem = call_problem_of(call, call->serving, error);
    call_refuse(call, &problem);
}
