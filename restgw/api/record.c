/* What is kept in tables: schema `synod_rest` of a database has the outcomes of transactions and the answers of requests with an
 * idempotency key; that of the first database API keys and the audit log besides. They are made when first needed. Nobody but
 * superusers has rights on them: what is written there beside a client's statements is written with the house's rights. Its name is
 * no role's: a role finds a schema of its own name first ("$user"). */
#include "restgw/api/inside.h"

#include <stdio.h>
#include <string.h>

struct known_database {
    struct list_link link;
    const char *name;
};

static const char *const definitions[] = {
    "create schema if not exists synod_rest",
    "create table if not exists synod_rest.transaction_outcome (id text primary key, role text not null, "
    "label "
    "text, "
    "at timestamptz not null default now())",
    "create table if not exists synod_rest.request (role text, key text, digest text not null, status int "
    "not "
    "null, "
    "body text not null, at timestamptz not null default now(), primary key (role, key))",
    NULL,
};

static const char *const first_definitions[] = {
    "create table if not exists synod_rest.api_key (id text primary key, name text, role text not null, "
    "database "
    "text, "
    "scopes int not null, digest text not null, created_at timestamptz not null default now(), "
    "expires_at timestamptz, last_used_at timestamptz)",
    "create table if not exists synod_rest.audit_log (id bigint generated always as identity primary key, "
    "at timestamptz not null default now(), role text, client_address text, action text not null, subject "
    "text, "
    "outcome text not null, request_id text)",
    NULL,
};

static enum sqlstate make_all(struct api *api, struct scope *scope, const char *database,
                              const char *const *texts, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (; *texts && !failed; texts++)
        failed = query_house(api, scope, database, *texts, NULL, 0, NULL, error);
    return failed;
}

enum sqlstate records_ready(struct api *api, const char *database, struct error *error)
{
    list_each (&api->known, at)
        if (strcmp(container_of(at, struct known_database, link)->name, database) == 0)
            return SQLSTATE_OK;
    struct scope *scope = scope_open(api->scope, "records");
    struct table table = {0};
    bool first = strcmp(database, api->options.database) == 0;
    const char *const values[] = {first ? "synod_rest.audit_log" : "synod_rest.request"};
    enum sqlstate failed = query_house(api, scope, database, "select pg_catalog.to_regclass($1)::text",
                                       values, 1, &table, error);
    /* Two cores may make them at the same time: who comes second finds them there, or fails and looks again. */
    for (int attempt = 0; attempt < 3 && !failed && (!table.rows || !table_cell(&table, 0, 0).data);
         attempt++) {
        enum sqlstate made = make_all(api, scope, database, definitions, error);
        if (!made && first)
            made = make_all(api, scope, database, first_definitions, error);
        if (!made)
            break;
        if (attempt == 2)
            failed = made;
        else
            failed = query_house(api, scope, database, "select pg_catalog.to_regclass($1)::text", values, 1,
                                 &table, error);
    }
    if (!failed) {
        struct known_database *known = scope_alloc(api->scope, sizeof *known);
        known->name = scope_copy_text(api->scope, database);
        list_link_init(&known->link);
        list_append(&api->known, &known->link);
    }
    scope_close(scope);
    return failed;
}

void audit_write(struct http_call *call, const char *role, const char *action, const char *subject,
                 const char *outcome)
{
    char address[NET_ADDRESS_TEXT_BYTES];
    struct error error = {0};
    struct api *api = call->api;
    call_address(call, address);
    const char *const values[] = {role, address, action, subject, outcome, call->id};
    if (records_ready(api, api->options.database, &error) == SQLSTATE_OK)
        (void)query_house(
            api, call->scope, api->options.database,
            "insert into synod_rest.audit_log (role, client_address, action, subject, outcome, request_id) "
            "values ($1, $2, $3, $4, $5, $6)",
            values, 6, NULL, &error);
}

void records_clean(struct api *api)
{
    static const char *const texts[] = {
        "delete from synod_rest.transaction_outcome where at < now() - interval '24 hours'",
        "delete from synod_rest.request where at < now() - interval '24 hours'",
    };
    list_each (&api->known, at) {
        const char *database = container_of(at, struct known_database, link)->name;
        struct scope *scope = scope_open(api->scope, "clean");
        struct error error = {0};
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            if (query_house(api, scope, database, texts[i], NULL, 0, NULL, &error))
                break;
        scope_close(scope);
    }
}

/* ---- handlers ---- */

void api_list_audit_log(struct http_call *call)
{
    if (!call_allowed(call, SCOPE_ADMIN) || !call_superuser(call, true))
        return;
    if (records_ready(call->api, call->api->options.database, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    items_answer(
        call, call->api->options.database, true,
        "select json_build_object('id', id::text, 'at', at, 'role', role, 'client_address', client_address, "
        "'action', action, 'subject', subject, 'outcome', outcome, 'request_id', request_id) "
        "from synod_rest.audit_log order by id desc",
        NULL, 0);
}
