/* Prepared statements by content: the id is the digest of text, database, search path and types, so preparing twice gives the
 * same, and any session can run it. A core keeps the texts; a session prepares one when it first runs it. */
#include "restgw/api/inside.h"

#include <stdio.h>
#include <string.h>

enum { ID_BYTES = 35 }; /* "p_", 32 digits, a zero byte */

/* What a core knows of one. */
struct common {
    struct list_link link; /* in api.commons, longest unused first */
    struct scope *scope;
    char id[ID_BYTES];
    const char *sql, *database, *path;
    uint32_t given;
    const uint32_t *types;
};

static void common_drop(struct api *api, struct common *common)
{
    map_remove(&api->prepared, bytes_of_text(common->id));
    list_remove(&common->link);
    api->common_count--;
    scope_close(common->scope);
}

void commons_drop(struct api *api)
{
    while (!list_empty(&api->commons))
        common_drop(api, container_of(list_first(&api->commons), struct common, link));
}

static void id_write(const struct common *common, char id[static ID_BYTES])
{
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES];
    sha256_begin(&sha);
    sha256_add(&sha, bytes_of(common->database, strlen(common->database) + 1));
    sha256_add(&sha, bytes_of(common->path, strlen(common->path) + 1));
    sha256_add(&sha, bytes_of(common->types, common->given * sizeof *common->types));
    sha256_add(&sha, bytes_of(common->sql, strlen(common->sql) + 1));
    sha256_end(&sha, digest);
    memcpy(id, "p_", 2);
    for (int i = 0; i < 16; i++)
        snprintf(id + 2 + 2 * i, 3, "%02x", digest[i]);
}

static struct common *common_keep(struct api *api, const struct common *wanted, struct error *error)
{
    char id[ID_BYTES];
    id_write(wanted, id);
    struct common *common = map_find(&api->prepared, bytes_of(id, ID_BYTES - 1));
    if (common) {
        list_remove(&common->link);
        list_append(&api->commons, &common->link);
        return common;
    }
    if (api->common_count >= PREPARED_KEPT_MAX)
        common_drop(api, container_of(list_first(&api->commons), struct common, link));
    struct scope *scope = scope_open(api->scope, "prepared");
    common = scope_alloc_zeroed(scope, sizeof *common);
    *common = (struct common){
        .scope = scope,
        .sql = scope_copy_text(scope, wanted->sql),
        .database = scope_copy_text(scope, wanted->database),
        .path = scope_copy_text(scope, wanted->path),
        .given = wanted->given,
        .types = scope_copy(scope, wanted->types, (wanted->given + 1) * sizeof *wanted->types),
    };
    memcpy(common->id, id, sizeof id);
    if (map_put(&api->prepared, bytes_of_text(common->id), common, NULL, error)) {
        scope_close(scope);
        return NULL;
    }
    list_append(&api->commons, &common->link);
    api->common_count++;
    return common;
}

/* ---- asking other cores: a statement prepared on one is run on another ---- */

struct common_mail {
    struct mail mail;
    struct api_shared *shared;
    const char *id;
    struct scope
        *scope; /* the asker's, read by nobody else: the copy is made by the asked core into its own */
    struct scope *lent; /* the asked core's: held until the asker has copied */
    const struct common *common;
};

static void common_deliver(struct world *here, struct mail *mail)
{
    struct common_mail *asked = container_of(mail, struct common_mail, mail);
    struct api *api = asked->shared->core[here->core];
    if (!asked->lent) {
        struct common *found = api ? map_find(&api->prepared, bytes_of_text(asked->id)) : NULL;
        asked->common = found;
        asked->lent = found ? found->scope : NULL;
        if (asked->lent)
            scope_hold(asked->lent);
    } else {
        scope_release(asked->lent);
        asked->lent = NULL;
    }
    mail_return(here, mail);
}

static enum sqlstate common_find(struct api *api, struct scope *scope, const char *id, struct common **found,
                                 struct error *error)
{
    *found = map_find(&api->prepared, bytes_of_text(id));
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t core = 0; core < api->shared->cores && !*found && !failed; core++) {
        if (core == api->world->core)
            continue;
        struct common_mail *mail = scope_alloc_zeroed(scope, sizeof *mail);
        *mail = (struct common_mail){.mail = {.deliver = common_deliver}, .shared = api->shared, .id = id};
        /* What was lent must be given back, whatever happens to us. */
        fiber_shield_begin(api->world->scheduler);
        failed = mail_call(api->world, scope, core, &mail->mail, error);
        if (!failed && mail->common) {
            *found = common_keep(api, mail->common, error);
            failed = mail_call(api->world, scope, core, &mail->mail, error);
            if (!failed && !*found)
                failed = error->state;
        }
        fiber_shield_end(api->world->scheduler);
    }
    return failed;
}

/* ---- in a session ---- */

static void ready_drop(struct rest *rest, struct ready *ready)
{
    map_remove(&rest->ready, bytes_of_text(ready->name));
    list_remove(&ready->link);
    rest->ready_count--;
    if (rest->session)
        session_forget(rest->session, SESSION_STATEMENT, ready->name);
    scope_close(ready->scope);
}

void readies_drop(struct rest *rest)
{
    while (!list_empty(&rest->readies))
        ready_drop(rest, container_of(list_first(&rest->readies), struct ready, link));
}

static bool path_is(struct rest *rest, const char *path)
{
    const char *now = session_setting(rest->session, "search_path");
    return strcmp(now ? now : "", path) == 0;
}

enum sqlstate ready_find(struct rest *rest, const char *id, struct ready **ready, struct error *error)
{
    struct ready *found = map_find(&rest->ready, bytes_of_text(id));
    if (found) {
        list_remove(&found->link);
        list_append(&rest->readies, &found->link);
        *ready = found;
        return SQLSTATE_OK;
    }
    struct common *common;
    struct scope *scope = scope_open(rest->scope, "ready");
    enum sqlstate failed = common_find(rest->api, scope, id, &common, error);
    if (!failed && (!common || strcmp(common->database, rest->database) != 0 || !path_is(rest, common->path)))
        failed = error_set(error, STATE_NO_STATEMENT, "prepared statement \"%s\" does not exist here", id);
    if (!failed && rest->ready_count >= PREPARED_PER_SESSION_MAX)
        ready_drop(rest, container_of(list_first(&rest->readies), struct ready, link));
    const char *name = scope_copy_text(scope, id);
    struct ready *made = scope_alloc(scope, sizeof *made);
    if (!failed)
        failed = session_prepare(rest->session, name, common->sql, common->types, common->given, error);
    if (!failed) {
        failed = ready_describe(rest, scope, name, made, error);
        list_link_init(&made->link);
        if (!failed)
            failed = map_put(&rest->ready, bytes_of_text(name), made, NULL, error);
        if (failed)
            session_forget(rest->session, SESSION_STATEMENT, name);
    }
    if (failed) {
        scope_close(scope);
        return failed;
    }
    list_append(&rest->readies, &made->link);
    rest->ready_count++;
    *ready = made;
    return SQLSTATE_OK;
}

enum sqlstate ready_lost(struct rest *rest, struct ready *ready, struct error *error)
{
    if (error->state != STATE_NO_STATEMENT && error->state != SQLSTATE_FEATURE_NOT_SUPPORTED)
        return error->state;
    const char *why = error->state == STATE_NO_STATEMENT ? "does not exist" : "gives other columns now";
    struct scope *scope = ready->scope;
    scope_hold(scope);
    ready_drop(rest, ready);
    enum sqlstate failed =
        error_set(error, STATE_NO_STATEMENT, "prepared statement \"%s\" %s", ready->name, why);
    scope_release(scope);
    return failed;
}

/* ---- handlers ---- */

void parameters_write(struct json_out *out, struct environment *environment, const uint32_t *types,
                      uint32_t count)
{
    json_out_array(out);
    for (uint32_t i = 0; i < count; i++) {
        const struct type *type = environment->type_find(environment, types[i]);
        json_out_object(out);
        json_out_name(out, "type");
        if (type)
            type_name_write(out, environment, type);
        else
            json_out_format(out, "%u", types[i]);
        json_out_name(out, "oid");
        json_out_integer(out, types[i]);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void prepared_answer(struct http_call *call, struct rest *rest, const struct common *common,
                            const struct ready *ready)
{
    struct json_out out;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "prepared_id");
    json_out_text(&out, common->id);
    json_out_name(&out, "sql");
    json_out_text(&out, common->sql);
    json_out_name(&out, "database");
    json_out_text(&out, common->database);
    json_out_name(&out, "search_path");
    json_out_text(&out, common->path);
    json_out_name(&out, "params");
    parameters_write(&out, session_environment(rest->session), ready->types, ready->parameters);
    json_out_name(&out, "columns");
    if (ready->columns.data)
        json_out_value(&out, ready->columns);
    else
        json_out_null(&out);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

/* Ends what preparing began: an implicit transaction. */
static void prepared_end(struct http_call *call, struct rest *rest, bool failed)
{
    struct error second = {0};
    if (session_status(rest->session) == 'I')
        (void)session_sync(rest->session, failed, &second);
    if (failed)
        call_fail(call, &call->error);
}

void api_create_prepared(struct http_call *call)
{
    struct rest *rest = call_allowed(call, SCOPE_SQL | SCOPE_READ) ? call_session(call, NULL) : NULL;
    if (!rest)
        return;
    const struct json *types = json_member(call->body, "param_types");
    struct bytes path = json_text(call->body, "search_path");
    uint32_t count = types && types->kind == HTTP_ARRAY ? types->count : 0, at = 0;
    uint32_t *oids = scope_alloc_zeroed(call->scope, (count + 1) * sizeof *oids);
    for (const struct json *type = count ? types->children : NULL; type; type = type->next, at++) {
        const char *name = type->kind == HTTP_STRING ? scope_text(call->scope, type->text) : NULL;
        oids[at] = name ? type_named(name) : 0;
        if (!name || oids[at])
            continue;
        (void)error_set(&call->error, SQLSTATE_PACK('4', '2', '7', '0', '4'), "type \"%s\" does not exist",
                        name);
        call_fail(call, &call->error);
        return;
    }
    const char *now = session_setting(rest->session, "search_path");
    const struct common wanted = {
        .sql = scope_text(call->scope, json_text(call->body, "sql")),
        .database = rest->database,
        .path = path.data ? scope_text(call->scope, path)
                : now     ? now
                          : "",
        .given = count,
        .types = oids,
    };
    enum sqlstate failed = cursors_settle(rest, &call->error);
    if (!failed && strlen(wanted.sql) > PREPARED_BYTES_MAX)
        failed = error_set(&call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                           "a prepared statement's text has at most %d bytes", PREPARED_BYTES_MAX);
    struct ready *ready = NULL;
    struct common *common = NULL;
    if (!failed && !(common = common_keep(call->api, &wanted, &call->error)))
        failed = call->error.state;
    struct scope *hold = common ? common->scope : NULL;
    if (hold)
        scope_hold(hold);
    if (!failed) {
        failed = ready_find(rest, common->id, &ready, &call->error);
        /* A text that cannot be prepared is not to be found by its id. */
        if (failed && map_find(&call->api->prepared, bytes_of_text(common->id)) == common)
            common_drop(call->api, common);
    }
    if (!failed)
        prepared_answer(call, rest, common, ready);
    if (hold)
        scope_release(hold);
    prepared_end(call, rest, failed != SQLSTATE_OK);
}

void api_get_prepared(struct http_call *call)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "prepared_id"));
    struct common *common;
    struct ready *ready;
    struct rest *rest = call_session(call, NULL);
    if (!rest)
        return;
    enum sqlstate failed = cursors_settle(rest, &call->error);
    if (!failed)
        failed = common_find(call->api, call->scope, id, &common, &call->error);
    if (!failed && (!common || strcmp(common->database, rest->database) != 0)) {
        call_problem(call, 404, "prepared-unknown", "Unknown prepared statement",
                     "nothing was prepared under this id here");
        return;
    }
    struct scope *hold = failed ? NULL : common->scope;
    if (hold)
        scope_hold(hold);
    if (!failed)
        failed = ready_find(rest, id, &ready, &call->error);
    if (!failed)
        prepared_answer(call, rest, common, ready);
    if (hold)
        scope_release(hold);
    prepared_end(call, rest, failed != SQLSTATE_OK);
}

void api_list_prepared(struct http_call *call)
{
    struct json_out out;
    const char *database = call->principal.database ? call->principal.database : call->api->options.database;
    json_out_open(&out, call->scope);
    json_out_object(&out);
    json_out_name(&out, "items");
    json_out_array(&out);
    /* A session sees those it has ready: another role's texts may hold what is none of its business. */
    if (call->rest)
        list_each (&call->rest->readies, at) {
            const struct ready *ready = container_of(at, struct ready, link);
            const struct common *common = map_find(&call->api->prepared, bytes_of_text(ready->name));
            if (!common || strcmp(common->database, database) != 0)
                continue;
            json_out_object(&out);
            json_out_name(&out, "prepared_id");
            json_out_text(&out, common->id);
            json_out_name(&out, "sql");
            json_out_text(&out, common->sql);
            json_out_object_end(&out);
        }
    json_out_array_end(&out);
    json_out_name(&out, "next_cursor");
    json_out_null(&out);
    json_out_object_end(&out);
    call_answer(call, 200, &out);
}

/* Forgets it in the session; the core's text goes when nobody has wanted it for long. */
void api_close_prepared(struct http_call *call)
{
    const char *id = scope_text(call->scope, http_path(call->exchange, "prepared_id"));
    struct rest *rest = call_session(call, NULL);
    if (!rest)
        return;
    struct ready *ready = map_find(&rest->ready, bytes_of_text(id));
    if (ready)
        ready_drop(rest, ready);
    call_nothing(call);
}
