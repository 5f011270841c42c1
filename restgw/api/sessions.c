/* Sessions as resources: signing in, what a session is, keeping it alive, resetting, closing, and others' sessions. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Settings a sign-in may bring. */
enum { SETTINGS_MAX = 64 };

static void session_members(struct http_call *call, struct json_out *out, struct rest *rest)
{
    static const char *const shown[] = {"timezone",
                                        "datestyle",
                                        "search_path",
                                        "application_name",
                                        "statement_timeout",
                                        "lock_timeout",
                                        "default_transaction_isolation"};
    uint32_t process, key;
    session_identity(rest->session, &process, &key);
    json_out_name(out, "session_id");
    json_out_text(out, id_text(call->scope, rest->number));
    json_out_name(out, "role");
    json_out_text(out, rest->role);
    json_out_name(out, "database");
    json_out_text(out, rest->database);
    json_out_name(out, "application_name");
    json_out_text(out, session_setting(rest->session, "application_name"));
    json_out_name(out, "process_id");
    json_out_integer(out, process);
    json_out_name(out, "idle_timeout_ms");
    json_out_integer(out, rest->idle_ms);
    json_out_name(out, "created_at");
    json_out_time(out, rest->created_us);
    json_out_name(out, "expires_at");
    json_out_time(out, wall_us(rest->api) + rest->idle_ms * US_PER_MS);
    json_out_name(out, "settings");
    json_out_object(out);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const char *value = session_setting(rest->session, shown[i]);
        json_out_name(out, shown[i]);
        json_out_text(out, value ? value : "");
    }
    json_out_object_end(out);
    json_out_name(out, "transaction");
    transaction_write(out, rest);
    json_out_name(out, "endpoints");
    json_out_array(out);
    json_out_array_end(out);
    json_out_name(out, "server");
    json_out_object(out);
    versions_write(out);
    json_out_name(out, "node");
    json_out_text(out, "1");
    json_out_name(out, "view");
    json_out_text(out, "1");
    json_out_object_end(out);
}

static void session_answer(struct http_call *call, struct rest *rest)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    session_members(call, &out, rest);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

/* ---- signing in ---- */

/* A setting's value as text; NULL for null. */
static const char *setting_text(struct http_call *call, const struct json *value)
{
    switch (value->kind) {
    case HTTP_BOOLEAN:
        return value->truth ? "on" : "off";
    case HTTP_STRING:
    case HTTP_INTEGER:
    case HTTP_NUMBER:
        return scope_text(call->scope, value->text);
    default:
        return NULL;
    }
}

static const char *const *settings_list(struct http_call *call, const char *application)
{
    const struct json *settings = json_member(call->body, "settings");
    const char **list = scope_alloc_zeroed(call->scope, (2 * SETTINGS_MAX + 4) * sizeof *list);
    uint32_t count = 0;
    list[count++] = "application_name";
    list[count++] = application;
    for (const struct json *at = settings && settings->kind == HTTP_OBJECT ? settings->children : NULL;
         at && count < 2 * SETTINGS_MAX; at = at->next) {
        const char *value = setting_text(call, at);
        if (!value)
            continue;
        list[count++] = scope_text(call->scope, at->name);
        list[count++] = value;
    }
    return list;
}

/* Who wants in: what the header shows, or role and password of the body. False after an answer was given. */
static bool session_credentials(struct http_call *call)
{
    struct bytes role = json_text(call->body, "role"), password = json_text(call->body, "password");
    if (!role.data || !password.data)
        return call_authenticate(call);
    const char *name = scope_text(call->scope, role);
    if (password_prove(call, name, password, &call->error)) {
        call_fail(call, &call->error);
        return false;
    }
    call->principal = (struct principal){.kind = PRINCIPAL_PASSWORD, .role = name, .scopes = SCOPE_ALL};
    return true;
}

static void created_answer(struct http_call *call, struct rest *rest)
{
    struct json_out out;
    const char *cookie = NULL;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    session_members(call, &out, rest);
    if (rest->cookie) {
        json_out_name(&out, "csrf_token");
        json_out_text(&out, rest->csrf);
        cookie = call_format(call, "__Host-synod=%s; Path=/; Secure; HttpOnly; SameSite=Strict",
                             rest->cookie_text);
    } else {
        struct session_key made = {.view = 1,
                                   .node = 1,
                                   .number = rest->number,
                                   .role_check = session_key_role_check(rest->role),
                                   .issued_us = rest->created_us};
        world_random(call->world, made.random, sizeof made.random);
        session_key_write(&made, call->api->shared->secret, rest->key_text);
        json_out_name(&out, "session_key");
        json_out_text(&out, rest->key_text);
    }
    json_out_object_end(&out);
    if (json_out_outcome(&out, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    call_reply(call, 201, JSON_TYPE, cookie ? "set-cookie" : NULL, cookie, json_out_bytes(&out));
}

void api_create_session(struct http_call *call)
{
    struct bytes database, application, console = http_header(call->exchange, "synod-console");
    struct rest *rest;
    char address[NET_ADDRESS_TEXT_BYTES];
    if (!call->body || !session_credentials(call))
        return;
    if (!call_allowed(call, SCOPE_SQL | SCOPE_READ | SCOPE_ADMIN))
        return;
    database = json_text(call->body, "database");
    application = json_text(call->body, "application_name");
    call_address(call, address);
    const char *name = application.data ? scope_text(call->scope, application) : "synod rest";
    const struct rest_options options = {
        .role = call->principal.role,
        .database = database.data              ? scope_text(call->scope, database)
                    : call->principal.database ? call->principal.database
                                               : call->api->options.database,
        .application = name,
        .client = address,
        .settings = settings_list(call, name),
        .idle_ms = (uint32_t)json_integer(call->body, "idle_timeout_ms", REST_IDLE_DEFAULT_MS),
        .scopes = call->principal.scopes,
        .keyed = true,
        .cookie = console.size == 1 && console.data[0] == '1',
    };
    if (rest_open(call->api, &options, &rest, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    created_answer(call, rest);
}

/* ---- the caller's own ---- */

void api_get_current_session(struct http_call *call)
{
    struct rest *rest = call_own(call) ? call_session(call, NULL) : NULL;
    if (rest)
        session_answer(call, rest);
}

/* Every request puts the end off; this one does nothing else, and does not wait for its turn. */
void api_keep_session_alive(struct http_call *call)
{
    struct rest *rest = call_own(call);
    if (!rest)
        return;
    rest->used_ns = call->world->now_ns;
    call_nothing(call);
}

void api_set_session_settings(struct http_call *call)
{
    struct rest *rest = call_own(call) ? call_session(call, NULL) : NULL;
    enum sqlstate failed = SQLSTATE_OK;
    if (!rest)
        return;
    failed = cursors_settle(rest, &call->error);
    for (const struct json *at = call->body->children; at && !failed; at = at->next) {
        const char *value = setting_text(call, at);
        const char *const values[] = {scope_text(call->scope, at->name), value};
        struct text text = text_in(call->scope);
        const char *sql;
        if (value)
            failed = query_run(rest, call->scope, "select pg_catalog.set_config($1, $2, false)", values, 2,
                               NULL, &call->error);
        else {
            text_append(&text, "reset ");
            text_identifier(&text, values[0]);
            failed = text_end(&text, &sql, &call->error);
            if (!failed)
                failed = query_run(rest, call->scope, sql, NULL, 0, NULL, &call->error);
        }
    }
    struct error second = {0};
    if (session_status(rest->session) == 'I' || failed) {
        enum sqlstate synced = session_sync(rest->session, failed != SQLSTATE_OK, &second);
        if (!failed && synced) {
            failed = synced;
            call->error = second;
        }
    }
    if (failed)
        call_fail(call, &call->error);
    else
        session_answer(call, rest);
}

void api_reset_session(struct http_call *call)
{
    struct rest *rest = call_own(call) ? call_session(call, NULL) : NULL;
    struct error second = {0};
    if (!rest)
        return;
    runs_drop(rest);
    rest->implicit = false;
    if (rest->transaction.number)
        (void)transaction_finish(rest, false, &second);
    (void)session_sync(rest->session, true, &second);
    loads_drop(rest);
    readies_drop(rest);
    if (session_query(rest->session, "discard all", &call->error))
        call_fail(call, &call->error);
    else
        session_answer(call, rest);
}

void api_close_session(struct http_call *call)
{
    struct rest *rest = call_own(call);
    if (!rest)
        return;
    bool cookie = rest->cookie;
    rest_close(rest);
    call_reply(call, 204, NULL, cookie ? "set-cookie" : NULL,
               "__Host-synod=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0", (struct bytes){0});
}

/* ---- anybody's ---- */

/* Asks a core for the process id of one of its sessions. */
struct process_mail {
    struct mail mail;
    struct api_shared *shared;
    uint64_t number;
    uint32_t process;
};

static void process_deliver(struct world *here, struct mail *mail)
{
    struct process_mail *asked = container_of(mail, struct process_mail, mail);
    struct api *api = asked->shared->core[here->core];
    const struct rest *rest = api ? rest_find(api, asked->number) : NULL;
    uint32_t key;
    if (rest)
        session_identity(rest->session, &asked->process, &key);
    mail_return(here, mail);
}

/* The process id the path names: by itself, or by a session's id. 0 after an answer was given. Yields. */
static uint32_t process_of(struct http_call *call)
{
    struct bytes text = http_path(call->exchange, "session_id");
    uint64_t number = 0;
    struct process_mail *mail = scope_alloc_zeroed(call->scope, sizeof *mail);
    mail->mail.deliver = process_deliver;
    mail->shared = call->api->shared;
    if (id_read(text, &mail->number)) {
        if (mail_call(call->world, call->scope, id_core(call->api->shared, mail->number), &mail->mail,
                      &call->error)) {
            call_fail(call, &call->error);
            return 0;
        }
        number = mail->process;
    } else
        for (size_t i = 0; i < text.size && number < INT32_MAX && text.size < 11; i++) {
            if (text.data[i] < '0' || text.data[i] > '9') {
                number = 0;
                break;
            }
            number = number * 10 + (uint64_t)(text.data[i] - '0');
        }
    if (number == 0 || number > INT32_MAX) {
        call_problem(call, 404, "session-unknown", "Unknown session", "there is no such session");
        return 0;
    }
    return (uint32_t)number;
}

/* Session ids of the REST sessions of all cores, by process id, as a JSON object for the query that shows activity. */
struct names_mail {
    struct mail mail;
    struct api_shared *shared;
    uint32_t room, count;
    struct {
        uint32_t process;
        uint64_t number;
        char run[37];
    } * name;
};

static void names_deliver(struct world *here, struct mail *mail)
{
    struct names_mail *asked = container_of(mail, struct names_mail, mail);
    struct api *api = asked->shared->core[here->core];
    asked->count = 0;
    if (api)
        list_each (&api->sessions, at) {
            const struct rest *rest = container_of(at, struct rest, link);
            uint32_t key;
            if (asked->count < asked->room) {
                session_identity(rest->session, &asked->name[asked->count].process, &key);
                asked->name[asked->count].number = rest->number;
                asked->name[asked->count].run[0] = '\0';
                list_each (&rest->runs, link) {
                    const struct run *run = container_of(link, struct run, link);
                    if (run->status == RUN_RUNNING)
                        memcpy(asked->name[asked->count].run, run->id, sizeof run->id);
                }
            }
            asked->count++;
        }
    mail_return(here, mail);
}

enum sqlstate session_names(struct api *api, struct scope *scope, const char **object, struct error *error)
{
    struct json_out out;
    json_out_open(&out, scope);
    json_out_object(&out);
    for (uint32_t core = 0; core < api->shared->cores; core++) {
        uint32_t room = 256;
        struct names_mail *mail;
        do {
            void *memory;
            mail = scope_alloc_zeroed(scope, sizeof *mail);
            enum sqlstate failed = scope_alloc_large(scope, room * sizeof *mail->name, 16, &memory, error);
            if (failed)
                return failed;
            *mail = (struct names_mail){
                .mail = {.deliver = names_deliver}, .shared = api->shared, .room = room, .name = memory};
            failed = mail_call(api->world, scope, core, &mail->mail, error);
            if (failed)
                return failed;
            room = mail->count + 64;
        } while (mail->count > mail->room);
        for (uint32_t i = 0; i < mail->count; i++) {
            char process[16];
            snprintf(process, sizeof process, "%u", mail->name[i].process);
            json_out_name_text(&out, bytes_of_text(process));
            json_out_object(&out);
            json_out_name(&out, "session_id");
            json_out_text(&out, id_text(scope, mail->name[i].number));
            json_out_name(&out, "statement_id");
            json_out_text(&out, mail->name[i].run[0] ? mail->name[i].run : NULL);
            json_out_object_end(&out);
        }
    }
    json_out_object_end(&out);
    *object = scope_text(scope, json_out_bytes(&out));
    return json_out_outcome(&out, error);
}

void api_get_session(struct http_call *call)
{
    const char *names;
    uint32_t process = call_allowed(call, SCOPE_ADMIN | SCOPE_SQL) ? process_of(call) : 0;
    if (!process)
        return;
    if (session_names(call->api, call->scope, &names, &call->error)) {
        call_fail(call, &call->error);
        return;
    }
    const char *const values[] = {names, call_format(call, "%u", process)};
    item_answer(call, NULL, false, "session",
                call_format(call, "select j from (%s) a where pid = $2::int", activity_sql), values, 2);
}

static void process_tell(struct http_call *call, const char *sql, const char *action)
{
    struct table table;
    struct json_out out;
    uint32_t process = call_allowed(call, SCOPE_ADMIN | SCOPE_SQL) ? process_of(call) : 0;
    /* Not by a session that is busy: it may be the one that is to be told. */
    struct rest *rest = process ? call_reader(call, NULL) : NULL;
    if (!rest)
        return;
    const char *const values[] = {call_format(call, "%u", process)};
    enum sqlstate failed = session_status(rest->session) == 'I'
                               ? query_once(rest, call->scope, sql, values, 1, &table, &call->error)
                               : query_run(rest, call->scope, sql, values, 1, &table, &call->error);
    if (failed) {
        call_fail(call, &call->error);
        return;
    }
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "told");
    json_out_boolean(&out,
                     table.rows && table_cell(&table, 0, 0).data && table_cell(&table, 0, 0).data[0] == 't');
    json_out_object_end(&out);
    audit_write(call, call->principal.role, action, values[0], "done");
    call_answer(call, 202, &out);
}

void api_terminate_session(struct http_call *call)
{
    process_tell(call, "select pg_catalog.pg_terminate_backend($1::int)", "session.terminate");
}

void api_cancel_session(struct http_call *call)
{
    process_tell(call, "select pg_catalog.pg_cancel_backend($1::int)", "session.cancel");
}
