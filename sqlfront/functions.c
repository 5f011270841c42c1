/* Functions that ask the session, or tell it (PostgreSQL manual, 9.26 and 9.27), under PostgreSQL's own prosrc names. */
#include "sqlfront/inside.h"

#include "sqlfront/functions.h"
#include "sqlfront/locks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct session *session_of(const struct call *call)
{
    return call->environment->session;
}

static const char *text_of(const struct call *call, const struct value *value)
{
    char *text = scope_alloc(call->scope, value->size + 1);
    if (value->size)
        memcpy(text, value->p, value->size);
    text[value->size] = '\0';
    return text;
}

/* A value of a type by its text form: for arrays and the like, whose making is their own library's. */
static enum sqlstate by_text(struct call *call, uint32_t oid, const char *text, struct value *result)
{
    const struct type *type = type_builtin(oid);
    if (!type)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "values of type %u are not supported",
                         oid);
    return type->ops->in(call->environment, call->scope, type, -1, bytes_of_text(text), result, call->error);
}

static enum sqlstate version(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call;
    (void)arguments;
    *result = value_text("PostgreSQL 15.8 (Synod 0.1) on "
#if defined(__x86_64__)
                         "x86_64"
#else
                         "aarch64"
#endif
                         "-pc-linux-gnu, compiled by "
#if defined(__clang__)
                         "clang " __clang_version__
#else
                         "gcc " __VERSION__
#endif
                         ", 64-bit");
    return SQLSTATE_OK;
}

/* ---- settings ---- */

static enum sqlstate current_setting(struct call *call, const struct value *arguments, struct value *result)
{
    const char *shown;
    enum sqlstate failed = settings_show(&session_of(call)->settings, call->scope,
                                         text_of(call, &arguments[0]), &shown, call->error);
    if (!failed)
        *result = value_text(scope_copy_text(call->scope, shown));
    return failed;
}

static enum sqlstate current_setting_missing_ok(struct call *call, const struct value *arguments,
                                                struct value *result)
{
    enum sqlstate failed = current_setting(call, arguments, result);
    if (failed && arguments[1].i) {
        error_clear(call->error);
        *result = value_null();
        return SQLSTATE_OK;
    }
    return failed;
}

static enum sqlstate set_config(struct call *call, const struct value *arguments, struct value *result)
{
    struct session *session = session_of(call);
    if (arguments[0].null)
        return error_set(call->error, SQLSTATE_PACK('2', '2', '0', '0', '4'), "SET requires parameter name");
    const char *name = text_of(call, &arguments[0]);
    const char *value = arguments[1].null ? NULL : text_of(call, &arguments[1]);
    bool local = !arguments[2].null && arguments[2].i;
    enum sqlstate failed =
        settings_set(&session->settings, name, value, local ? SET_LOCAL : SET_SESSION, call->error);
    if (failed)
        return failed;
    const char *shown;
    failed = settings_show(&session->settings, call->scope, name, &shown, call->error);
    if (!failed)
        *result = value_text(scope_copy_text(call->scope, shown));
    return failed;
}

/* ---- who and where ---- */

static enum sqlstate current_user(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_text(session_of(call)->role);
    return SQLSTATE_OK;
}

static enum sqlstate session_user(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_text(session_of(call)->session_role);
    return SQLSTATE_OK;
}

static enum sqlstate current_database(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_text(session_of(call)->database);
    return SQLSTATE_OK;
}

static bool is_implicit(const struct session *session, uint32_t at)
{
    uint32_t schema = session->identity.search_path[at];
    const char *path = settings_get(&session->settings, "search_path");
    return (schema == SCHEMA_PG_CATALOG && !strstr(path, "pg_catalog")) ||
           (schema == session->identity.temporary_schema && !strstr(path, "pg_temp"));
}

static enum sqlstate current_schema(struct call *call, const struct value *arguments, struct value *result)
{
    struct session *session = session_of(call);
    (void)arguments;
    *result = value_null();
    for (uint32_t i = 0; i < session->identity.search_path_count; i++) {
        const char *name;
        if (is_implicit(session, i))
            continue;
        enum sqlstate failed = catalog_schema_name(call->environment->catalog, call->scope,
                                                   session->identity.search_path[i], &name, call->error);
        if (!failed && name)
            *result = value_text(name);
        return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate current_schemas(struct call *call, const struct value *arguments, struct value *result)
{
    struct session *session = session_of(call);
    struct text text = text_in(call->scope);
    const char *whole, *comma = "";
    text_append(&text, "{");
    for (uint32_t i = 0; i < session->identity.search_path_count; i++) {
        const char *name;
        if (!arguments[0].i && is_implicit(session, i))
            continue;
        enum sqlstate failed = catalog_schema_name(call->environment->catalog, call->scope,
                                                   session->identity.search_path[i], &name, call->error);
        if (failed)
            return failed;
        if (!name)
            continue;
        text_append(&text, comma);
        text_append(&text, "\"");
        for (const char *c = name; *c; c++)
            text_format(&text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        text_append(&text, "\"");
        comma = ",";
    }
    text_append(&text, "}");
    enum sqlstate failed = text_end(&text, &whole, call->error);
    return failed ? failed : by_text(call, TYPE_ARRAY_OF_NAME, whole, result);
}

static enum sqlstate backend_pid(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_integer(session_of(call)->process);
    return SQLSTATE_OK;
}

static enum sqlstate client_encoding(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_text(settings_get(&session_of(call)->settings, "client_encoding"));
    return SQLSTATE_OK;
}

static enum sqlstate database_encoding(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call;
    (void)arguments;
    *result = value_text("UTF8");
    return SQLSTATE_OK;
}

/* "1.2.3.4:5" or "[::1]:5" */
static enum sqlstate client_address(struct call *call, const struct value *arguments, struct value *result)
{
    char host[64];
    (void)arguments;
    const char *address = session_of(call)->options.client_address, *colon = strrchr(address, ':');
    *result = value_null();
    if (!colon)
        return SQLSTATE_OK;
    bool v6 = *address == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * v6, address + v6);
    return by_text(call, TYPE_INET, host, result);
}

static enum sqlstate client_port(struct call *call, const struct value *arguments, struct value *result)
{
    int port;
    (void)arguments;
    const char *colon = strrchr(session_of(call)->options.client_address, ':');
    *result = colon && sscanf(colon + 1, "%d", &port) == 1 ? value_integer(port) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate server_port(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_integer(session_of(call)->sessions->options.sql_port);
    return SQLSTATE_OK;
}

static enum sqlstate start_time(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_integer(session_of(call)->sessions->started);
    return SQLSTATE_OK;
}

static enum sqlstate says_false(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call;
    (void)arguments;
    *result = value_boolean(false);
    return SQLSTATE_OK;
}

static enum sqlstate says_zero(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = call->result && call->result->kind == VALUE_FLOAT ? value_float(0) : value_integer(0);
    return SQLSTATE_OK;
}

static enum sqlstate says_nothing(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call;
    (void)arguments;
    *result = value_null();
    return SQLSTATE_OK;
}

static enum sqlstate says_void(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call;
    (void)arguments;
    *result = value_bytes("", 0);
    return SQLSTATE_OK;
}

static enum sqlstate no_pids(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    return by_text(call, TYPE_ARRAY_OF_INT4, "{}", result);
}

static enum sqlstate temporary_schema(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    *result = value_integer(session_of(call)->identity.temporary_schema);
    return SQLSTATE_OK;
}

/* ---- transactions ---- */

static enum sqlstate transaction_number(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct transaction *transaction;
    (void)arguments;
    enum sqlstate failed = transaction_take(session_of(call), &transaction, call->error);
    if (!failed)
        *result = value_integer((int64_t)transaction_id(transaction));
    return failed;
}

/* ---- others' statements ---- */

static enum sqlstate cancel_backend(struct call *call, const struct value *arguments, struct value *result)
{
    bool found;
    enum sqlstate failed =
        sessions_signal(session_of(call), (uint32_t)arguments[0].i, false, &found, call->error);
    if (!failed && !found)
        session_notice(session_of(call), SESSION_WARNING, SQLSTATE_WARNING,
                       "PID %d is not a PostgreSQL server process", (int)arguments[0].i);
    *result = value_boolean(found);
    return failed;
}

static enum sqlstate terminate_backend(struct call *call, const struct value *arguments, struct value *result)
{
    bool found;
    enum sqlstate failed =
        sessions_signal(session_of(call), (uint32_t)arguments[0].i, true, &found, call->error);
    if (!failed && !found)
        session_notice(session_of(call), SESSION_WARNING, SQLSTATE_WARNING,
                       "PID %d is not a PostgreSQL server process", (int)arguments[0].i);
    *result = value_boolean(found);
    return failed;
}

static enum sqlstate sleep_run(struct call *call, const struct value *arguments, struct value *result)
{
    struct world *world = session_of(call)->world;
    double seconds = arguments[0].f;
    *result = value_bytes("", 0);
    if (!(seconds > 0))
        return SQLSTATE_OK;
    uint64_t ns = seconds > 1e9 ? (uint64_t)1e18 : (uint64_t)(seconds * 1e9);
    if (fiber_sleep_until(world->scheduler, world_now(world) + ns) == FIBER_CANCELED)
        return fiber_check_canceled(world->scheduler, call->error);
    return SQLSTATE_OK;
}

static enum sqlstate no_notify(struct call *call, const struct value *arguments, struct value *result)
{
    (void)arguments;
    (void)result;
    return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "NOTIFY is not supported");
}

/* ---- the list ---- */

#define ASKS(source, does)                                     \
    {                                                          \
        .name = source, .run = does, .flags = FUNCTION_SESSION \
    }
#define LOCKS(source, does) ASKS("pg_" source "_int8", does), ASKS("pg_" source "_int4", does)

static const struct function functions[] = {
    {.name = "pgsql_version", .run = version},
    ASKS("show_config_by_name", current_setting),
    ASKS("show_config_by_name_missing_ok", current_setting_missing_ok),
    ASKS("set_config_by_name", set_config),
    ASKS("current_user", current_user),
    ASKS("pg_stat_get_db_numbackends", activity_backends),
    ASKS("session_user", session_user),
    ASKS("current_database", current_database),
    ASKS("current_schema", current_schema),
    ASKS("current_schemas", current_schemas),
    ASKS("pg_backend_pid", backend_pid),
    ASKS("pg_client_encoding", client_encoding),
    ASKS("getdatabaseencoding", database_encoding),
    ASKS("inet_client_addr", client_address),
    ASKS("inet_client_port", client_port),
    ASKS("inet_server_port", server_port),
    ASKS("inet_server_addr", says_nothing),
    ASKS("pg_postmaster_start_time", start_time),
    ASKS("pg_conf_load_time", start_time),
    ASKS("pg_is_in_recovery", says_false),
    ASKS("pg_is_wal_replay_paused", says_false),
    ASKS("pg_jit_available", says_false),
    ASKS("pg_trigger_depth", says_zero),
    ASKS("pg_notification_queue_usage", says_zero),
    ASKS("pg_my_temp_schema", temporary_schema),
    ASKS("pg_is_other_temp_schema", says_false),
    ASKS("pg_current_xact_id", transaction_number),
    ASKS("pg_current_xact_id_if_assigned", transaction_number),
    ASKS("pg_cancel_backend", cancel_backend),
    ASKS("pg_terminate_backend", terminate_backend),
    ASKS("pg_blocking_pids", blocking_pids),
    ASKS("pg_safe_snapshot_blocking_pids", no_pids),
    ASKS("pg_stat_clear_snapshot", says_void),
    ASKS("pg_sleep", sleep_run),
    ASKS("pg_notify", no_notify),
    LOCKS("advisory_lock", function_advisory_lock),
    LOCKS("advisory_lock_shared", function_advisory_lock_shared),
    LOCKS("try_advisory_lock", function_try_advisory_lock),
    LOCKS("try_advisory_lock_shared", function_try_advisory_lock_shared),
    LOCKS("advisory_xact_lock", function_advisory_xact_lock),
    LOCKS("advisory_xact_lock_shared", function_advisory_xact_lock_shared),
    LOCKS("try_advisory_xact_lock", function_try_advisory_xact_lock),
    LOCKS("try_advisory_xact_lock_shared", function_try_advisory_xact_lock_shared),
    LOCKS("advisory_unlock", function_advisory_unlock),
    LOCKS("advisory_unlock_shared", function_advisory_unlock_shared),
    ASKS("pg_advisory_unlock_all", function_advisory_unlock_all),
    {0},
};

uint32_t session_functions_count(void)
{
    return sizeof functions / sizeof functions[0] - 1;
}

const struct library session_library = {.functions = functions, .set_functions = session_set_functions};
