/* Roles, their members and grants as they are; and API keys. */
#include "base/base64.h"
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char roles_sql[] =
    "select json_build_object('name', r.rolname, 'login', r.rolcanlogin, 'superuser', r.rolsuper, "
    "'create_database', r.rolcreatedb, 'create_role', r.rolcreaterole, 'inherit', r.rolinherit, "
    "'replication', "
    "r.rolreplication, 'bypass_row_security', r.rolbypassrls, 'connection_limit', r.rolconnlimit, "
    "'valid_until', "
    "r.rolvaliduntil::text, 'settings', r.rolconfig, 'member_of', coalesce((select array_agg(g.rolname order "
    "by "
    "g.rolname) from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid where "
    "m.member = "
    "r.oid), array[]::name[]), 'comment', pg_catalog.shobj_description(r.oid, 'pg_authid')) from "
    "pg_catalog.pg_roles r";

static bool roles_allowed(struct http_call *call)
{
    return call_allowed(call, SCOPE_ADMIN | SCOPE_SQL);
}

const char *role_sql(struct http_call *call)
{
    return call_format(call, "%s where r.rolname = $1", roles_sql);
}

void api_list_roles(struct http_call *call)
{
    if (roles_allowed(call))
        items_answer(call, NULL, false,
                     call_format(call, "%s where r.rolname !~ '^pg_' order by r.rolname", roles_sql), NULL,
                     0);
}

void api_get_role(struct http_call *call)
{
    const char *const values[] = {scope_text(call->scope, http_path(call->exchange, "role"))};
    if (roles_allowed(call))
        item_answer(call, NULL, false, "role", role_sql(call), values, 1);
}

void api_list_members(struct http_call *call)
{
    const char *const values[] = {scope_text(call->scope, http_path(call->exchange, "role"))};
    if (roles_allowed(call))
        items_answer(
            call, NULL, false,
            "select json_build_object('member', u.rolname, 'admin', m.admin_option, 'granted_by', g.rolname) "
            "from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.roleid join "
            "pg_catalog.pg_roles u on u.oid = m.member left join pg_catalog.pg_roles g on g.oid = m.grantor "
            "where r.rolname = $1 order by u.rolname",
            values, 1);
}

/* aclexplode() of each kind of thing, for one role. */
#define GRANTS(kind, name, acl, from)                                                              \
    "select '" kind "' as kind, " name " as name, x.privilege_type as privilege, x.is_grantable, " \
    "pg_catalog.pg_get_userbyid(x.grantor) as grantor from " from ", pg_catalog.aclexplode(" acl   \
    ") x where x.grantee = (select oid from pg_catalog.pg_roles where rolname = $1)"

void api_list_grants(struct http_call *call)
{
    const char *const values[] = {scope_text(call->scope, http_path(call->exchange, "role"))};
    if (roles_allowed(call))
        items_answer(
            call, NULL, false,
            "select json_build_object('kind', kind, 'name', name, 'privilege', privilege, 'grantable', "
            "is_grantable, "
            "'granted_by', grantor) from (" GRANTS("database", "d.datname::text", "d.datacl", "pg_catalog.pg_database d") " union all " GRANTS(
                "schema", "n.nspname::text", "n.nspacl",
                "pg_catalog.pg_"
                "namespace n") " "
                               "union all " GRANTS(
                                   "table", "c.oid::regclass::text", "c.relacl",
                                   "pg_catalog.pg_class c") " and c.relkind <> 'S' union "
                                                            "all " GRANTS(
                                                                "sequence",
                                                                "c.oid::regclass::"
                                                                "text",
                                                                "c.relacl",
                                                                "pg_catalog.pg_"
                                                                "class c") " and "
                                                                           "c.relkind "
                                                                           "= 'S' "
                                                                           "union "
                                                                           "all"
                                                                           " " GRANTS(
                                                                               "functio"
                                                                               "n",
                                                                               "p.oid::"
                                                                               "regproc"
                                                                               "edure::"
                                                                               "text",
                                                                               "p."
                                                                               "proacl",
                                                                               "pg_"
                                                                               "catalog"
                                                                               ".pg_"
                                                                               "proc p") ") g order by kind, "
                                                                                         "name, privilege",
            values, 1);
}

/* ---- API keys ---- */

#define SCOPE_WORDS                                                                                          \
    "array_remove(array[case when scopes & 1 > 0 then 'sql' end, case when scopes & 2 > 0 then 'read' end, " \
    "case when scopes & 4 > 0 then 'admin' end, case when scopes & 8 > 0 then 'metrics' end], null)"
#define KEY_OBJECT                                                                       \
    "json_build_object('key_id', id, 'name', name, 'role', role, 'database', database, " \
    "'scopes', " SCOPE_WORDS                                                             \
    ", 'created_at', created_at, 'expires_at', expires_at, 'last_used_at', last_used_at)"

/* NULL = a superuser, who sees all keys. False after an answer was given. */
static bool keys_of(struct http_call *call, const char **role)
{
    if (!roles_allowed(call))
        return false;
    bool all = call_superuser(call, false);
    if (call->answered)
        return false;
    *role = all ? NULL : call->principal.role;
    if (records_ready(call->api, call->api->options.database, &call->error) == SQLSTATE_OK)
        return true;
    call_fail(call, &call->error);
    return false;
}

void api_list_api_keys(struct http_call *call)
{
    const char *values[1];
    if (keys_of(call, &values[0]))
        items_answer(call, call->api->options.database, true,
                     "select " KEY_OBJECT
                     " from synod_rest.api_key where $1::text is null or role = $1::text order by "
                     "created_at, id",
                     values, 1);
}

void api_get_api_key(struct http_call *call)
{
    const char *values[2] = {NULL, scope_text(call->scope, http_path(call->exchange, "key_id"))};
    if (keys_of(call, &values[0]))
        item_answer(call, call->api->options.database, true, "api-key",
                    "select " KEY_OBJECT
                    " from synod_rest.api_key where ($1::text is null or role = $1::text) and id = $2",
                    values, 2);
}

void api_delete_api_key(struct http_call *call)
{
    const char *values[2] = {NULL, scope_text(call->scope, http_path(call->exchange, "key_id"))};
    struct table table;
    if (!keys_of(call, &values[0]))
        return;
    if (query_house(call->api, call->scope, call->api->options.database,
                    "delete from synod_rest.api_key where ($1::text is null or role = $1::text) and id = $2 "
                    "returning id",
                    values, 2, &table, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    if (!table.rows) {
        call_problem(call, 404, "api-key-unknown", "Unknown API key", "there is no such key");
        return;
    }
    key_forget(call, values[1]);
    audit_write(call, call->principal.role, "api_key.delete", values[1], "done");
    call_nothing(call);
}

void api_delete_api_key_by_post(struct http_call *call)
{
    api_delete_api_key(call);
}

static uint32_t scopes_read(const struct json *list)
{
    static const char *const words[] = {"sql", "read", "admin", "metrics"};
    uint32_t scopes = 0;
    if (!list || list->kind != HTTP_ARRAY)
        return SCOPE_SQL;
    for (const struct json *each = list->children; each; each = each->next)
        for (int i = 0; i < 4; i++)
            if (each->text.size == strlen(words[i]) &&
                memcmp(each->text.data, words[i], each->text.size) == 0)
                scopes |= 1U << i;
    return scopes;
}

void api_create_api_key(struct http_call *call)
{
    struct bytes role = json_text(call->body, "role"), name = json_text(call->body, "name"),
                 database = json_text(call->body, "database"), expires = json_text(call->body, "expires_at");
    const char *all;
    struct table table;
    if (!keys_of(call, &all))
        return;
    const char *wanted = role.data ? scope_text(call->scope, role) : call->principal.role;
    uint32_t scopes = scopes_read(json_member(call->body, "scopes"));
    if (all && strcmp(wanted, call->principal.role) != 0) {
        call_problem(call, 403, "insufficient-privilege", "Insufficient privilege",
                     "a key for another role is made by a superuser");
        return;
    }
    /* A key makes no key that may do more than itself. */
    if (scopes & ~call->principal.scopes) {
        call_problem(call, 403, "scope-missing", "Scope missing",
                     "the key would be for more than the caller is");
        return;
    }
    uint8_t random[8 + 32], digest[SHA256_BYTES];
    char id[17], secret[48], stored[48];
    world_random(call->world, random, sizeof random);
    for (int i = 0; i < 8; i++)
        snprintf(id + 2 * i, 3, "%02x", random[i]);
    base64_write(bytes_of(random + 8, 32), BASE64_URL, secret);
    sha256(bytes_of_text(secret), digest);
    base64_write(bytes_of(digest, sizeof digest), BASE64_URL, stored);
    const char *const values[] = {id,
                                  name.data ? scope_text(call->scope, name) : NULL,
                                  wanted,
                                  database.data ? scope_text(call->scope, database) : NULL,
                                  call_format(call, "%u", scopes),
                                  stored,
                                  expires.data ? scope_text(call->scope, expires) : NULL};
    if (query_house(
            call->api, call->scope, call->api->options.database,
            "insert into synod_rest.api_key (id, name, role, database, scopes, digest, expires_at) select "
            "$1, $2, $3, "
            "$4, $5::int, $6, $7::timestamptz where exists (select 1 from pg_catalog.pg_roles where "
            "rolname = "
            "$3::text) returning " KEY_OBJECT "::text",
            values, 7, &table, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    if (!table.rows) {
        (void)error_set(&call->error, SQLSTATE_PACK('4', '2', '7', '0', '4'), "role \"%s\" does not exist",
                        wanted);
        call_fail(call, &call->error);
        return;
    }
    audit_write(call, call->principal.role, "api_key.create", id, "done");
    /* The object as it was written, with the secret in front. */
    struct bytes object = table_cell(&table, 0, 0);
    const char *body = call_format(call, "{\"api_key\":\"synk_%s_%s\",%.*s", id, secret, (int)object.size - 1,
                                   (const char *)object.data + 1);
    call_body(call, 201, bytes_of_text(body), false);
}
