/* Opening and closing sessions, their role and search path, cancelling, and the calls of the two doors. */
#include "sqlfront/define/define.h"
#include "sqlfront/inside.h"

#include "base/utf8.h"
#include "sqlfront/catalog/columns.h"
#include "sqlfront/catalog/tuple.h"
#include "sqlfront/functions.h"
#include "sqlfront/parse/tree.h"
#include "sqlfront/run/spill.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- all sessions of a core ---- */

enum sqlstate sessions_clean(struct world *world, struct engine *engine, struct error *error)
{
    return spill_clean(world, engine_directory(engine, world), error);
}

size_t sessions_shared_size(void)
{
    return sizeof(struct sessions_shared);
}

enum sqlstate sessions_open(struct world *world, struct scope *scope, const struct sessions_options *options,
                            struct sessions **sessions, struct error *error)
{
    check(session_functions_count() > 0);
    struct sessions *made = scope_alloc_zeroed(scope, sizeof *made);
    made->world = world;
    made->scope = scope;
    made->options = *options;
    made->shared = options->shared;
    made->started = world_wall(world) - US_FROM_1970_TO_2000;
    list_init(&made->all);
    world_random(world, &made->seed, sizeof made->seed);
    plans_open(made);
    __atomic_store_n(&made->shared->core[world->core], made, __ATOMIC_RELEASE);
    *sessions = made;
    return tending_open(made, error);
}

enum sqlstate sessions_login(struct sessions *sessions, struct scope *scope, const char *role,
                             struct session_login *login, struct error *error)
{
    struct scope *work = scope_open(scope, "login");
    const struct catalog_session nobody = {.role = ROLE_SYNOD, .session_role = ROLE_SYNOD};
    struct catalog_view *view;
    const struct role *found = NULL;
    *login = (struct session_login){0};
    enum sqlstate failed =
        catalog_view_open(sessions->options.catalog, work, NULL, &nobody, false, &view, error);
    if (!failed)
        failed = catalog_role(view, role, &found, error);
    if (!failed && found)
        *login = (struct session_login){
            .found = true,
            .may_login = found->can_login,
            .verifier = found->password ? scope_copy_text(scope, found->password) : NULL,
            .valid_until = found->valid_until,
        };
    scope_close(work);
    return failed;
}

/* ---- cancelling ---- */

/* Process ids: core, then a number that no living session of the core has. They look like a process's to clients: positive. */
enum { SEQUENCE_BITS = 22 };

static uint32_t process_core(uint32_t process)
{
    return (process >> SEQUENCE_BITS) - 1;
}

static struct session *session_find(struct sessions *sessions, uint32_t process)
{
    list_each (&sessions->all, at) {
        struct session *session = container_of(at, struct session, link);
        if (session->process == process)
            return session;
    }
    return NULL;
}

static uint32_t process_draw(struct sessions *sessions)
{
    for (;;) {
        uint32_t process = (sessions->world->core + 1) << SEQUENCE_BITS |
                           (++sessions->sequence & ((1U << SEQUENCE_BITS) - 1));
        if (!session_find(sessions, process))
            return process;
    }
}

struct cancel_mail {
    struct mail mail;
    struct sessions_shared *shared;
    uint32_t process, key;
};

static void cancel_deliver(struct world *here, struct mail *mail)
{
    struct cancel_mail *cancel = container_of(mail, struct cancel_mail, mail);
    struct sessions *sessions = cancel->shared->core[here->core];
    struct session *session = sessions ? session_find(sessions, cancel->process) : NULL;
    if (session && session->key == cancel->key && session->fiber)
        fiber_cancel(session->fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    mail_return(here, mail);
}

void sessions_cancel(struct sessions *sessions, uint32_t process, uint32_t key)
{
    struct world *world = sessions->world;
    struct error error = {0};
    uint32_t core = process_core(process);
    if (core >= world->cores)
        return;
    struct scope *scope = scope_open(sessions->scope, "cancel");
    struct cancel_mail *cancel = scope_alloc_zeroed(scope, sizeof *cancel);
    *cancel = (struct cancel_mail){
        .mail = {.deliver = cancel_deliver}, .shared = sessions->shared, .process = process, .key = key};
    (void)mail_call(world, scope, core, &cancel->mail, &error);
    scope_close(scope);
}

/* ---- time, notices ---- */

int64_t session_now(struct session *session)
{
    return world_wall_of_turn(session->world) - US_FROM_1970_TO_2000;
}

/* How loud a word of client_min_messages is, in the order of enum session_severity. */
static int loudness(const char *word)
{
    static const char *const words[] = {"debug", "log", "info", "notice", "warning", "error"};
    for (int i = 0; i < 6; i++)
        if (strncmp(word, words[i], strlen(words[i])) == 0)
            return i;
    return 6;
}

void session_notice_error(struct session *session, enum session_severity severity, const struct error *notice)
{
    int least = loudness(settings_get(&session->settings, "client_min_messages"));
    if (severity == SESSION_INFO || (int)severity >= least)
        session->options.sink->ops->notice(session->options.sink, severity, notice);
}

void session_notice(struct session *session, enum session_severity severity, enum sqlstate state,
                    const char *format, ...)
{
    struct error notice = {0};
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)error_set(&notice, state ? state : SQLSTATE_INTERNAL_ERROR, "%s", text);
    notice.state = state;
    session_notice_error(session, severity, &notice);
}

/* ---- views and the search path ---- */

/* One name of a list as SET search_path keeps it: quoted or not. Gives where the next begins, NULL at the end. */
static const char *path_next(const char *at, char name[static NAME_BYTES_MAX + 1])
{
    size_t size = 0;
    while (*at == ' ' || *at == ',' || *at == '\t' || *at == '\n')
        at++;
    if (!*at)
        return NULL;
    bool quoted = *at == '"';
    for (at += quoted; *at; at++) {
        if (quoted && *at == '"' && at[1] == '"')
            at++;
        else if (quoted ? *at == '"' : (*at == ',' || *at == ' '))
            break;
        char letter = !quoted && *at >= 'A' && *at <= 'Z' ? (char)(*at + 'a' - 'A') : *at;
        if (size < NAME_BYTES_MAX)
            name[size++] = letter;
    }
    name[size] = '\0';
    return at + (*at == '"');
}

enum { PATH_MAX_SCHEMAS = 64 };

static enum sqlstate path_resolve(struct session *session, struct catalog_view *view, struct error *error)
{
    struct catalog_session *identity = &session->identity;
    const char *at = settings_get(&session->settings, "search_path");
    char name[NAME_BYTES_MAX + 1];
    uint32_t found[PATH_MAX_SCHEMAS + 2], count = 0;
    bool catalog_named = false, temporary_named = false;
    while (count < PATH_MAX_SCHEMAS && (at = path_next(at, name))) {
        uint32_t oid = 0;
        if (strcmp(name, "pg_temp") == 0) {
            temporary_named = true;
            if (identity->temporary_schema)
                found[count++] = identity->temporary_schema;
            continue;
        }
        enum sqlstate failed =
            catalog_schema(view, strcmp(name, "$user") == 0 ? session->role : name, &oid, error);
        if (failed)
            return failed;
        /* Schemas that the role may not use are not there. */
        struct error denied = {0};
        if (oid && oid != SCHEMA_PG_CATALOG && !session->superuser)
            failed = catalog_check_schema(view, oid, PRIVILEGE_USAGE, &denied);
        if (failed == SQLSTATE_INSUFFICIENT_PRIVILEGE)
            continue;
        if (failed) {
            *error = denied;
            return failed;
        }
        bool seen = oid == 0;
        for (uint32_t i = 0; i < count && !seen; i++)
            seen = found[i] == oid;
        if (!seen)
            found[count++] = oid;
        catalog_named |= oid == SCHEMA_PG_CATALOG;
    }
    if (!catalog_named) {
        memmove(found + 1, found, count * sizeof found[0]);
        found[0] = SCHEMA_PG_CATALOG;
        count++;
    }
    if (identity->temporary_schema && !temporary_named) {
        memmove(found + 1, found, count * sizeof found[0]);
        found[0] = identity->temporary_schema;
        count++;
    }
    if (!session->path)
        session->path = scope_alloc(session->scope, sizeof found);
    if (identity->search_path_count != count || memcmp(session->path, found, count * sizeof found[0]) != 0)
        session->path_changes++;
    memcpy(session->path, found, count * sizeof found[0]);
    identity->search_path = session->path;
    identity->search_path_count = count;
    session->path_version = session->catalog_changed ? 0 : catalog_view_version(view);
    session->path_generation = session->settings.generation;
    return SQLSTATE_OK;
}

enum sqlstate session_view(struct session *session, struct scope *scope, struct catalog_view **view,
                           struct error *error)
{
    struct transaction *transaction;
    enum sqlstate failed = transaction_take(session, &transaction, error);
    session->identity.older = !failed && transaction_is_older(session);
    if (!failed)
        failed = catalog_view_open(session->sessions->options.catalog, scope, transaction, &session->identity,
                                   session->catalog_changed, view, error);
    if (failed)
        return failed;
    session->environment.catalog = *view;
    if (session->path && !session->catalog_changed && session->path_version == catalog_view_version(*view) &&
        session->path_generation == session->settings.generation)
        return SQLSTATE_OK;
    return path_resolve(session, *view, error);
}

/* ---- roles ---- */

static enum sqlstate role_find(struct session *session, const char *name, const struct role **role,
                               struct scope *scope, struct error *error)
{
    struct catalog_view *view;
    enum sqlstate failed = session_view(session, scope, &view, error);
    if (!failed)
        failed = catalog_role(view, name, role, error);
    if (!failed && !*role)
        failed = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "role \"%s\" does not exist", name);
    return failed;
}

/* Roles that settings name, as they were when they were set: undoing a SET must not ask the catalog. */
struct known_role {
    struct known_role *next;
    const char *name;
    uint32_t oid;
    bool superuser;
};

static struct known_role *role_known(const struct session *session, const char *name)
{
    for (struct known_role *known = session->known_roles; known; known = known->next)
        if (strcmp(known->name, name) == 0)
            return known;
    return NULL;
}

static void role_remember(struct session *session, const struct role *role)
{
    struct known_role *known = role_known(session, role->name);
    if (!known) {
        known = scope_alloc(session->scope, sizeof *known);
        *known = (struct known_role){.next = session->known_roles,
                                     .name = scope_copy_text(session->scope, role->name)};
        session->known_roles = known;
    }
    known->oid = role->oid;
    known->superuser = role->superuser;
}

static void role_take(struct session *session, const struct known_role *role)
{
    session->identity.role = role->oid;
    session->role = role->name;
    session->superuser = role->superuser;
    session->path_version = 0;
    session->settings.generation++;
    settings_force(&session->settings, "is_superuser", role->superuser ? "on" : "off");
}

enum sqlstate session_role_check(struct session *session, const char *name, struct error *error)
{
    struct scope *work = scope_open(session->scope, "role");
    const struct role *role;
    bool may = true;
    enum sqlstate failed = role_find(session, name, &role, work, error);
    if (!failed)
        failed = catalog_role_has(session->environment.catalog, session->identity.session_role, role->oid,
                                  &may, error);
    if (!failed && !may)
        failed =
            error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied to set role \"%s\"", name);
    if (!failed)
        role_remember(session, role);
    scope_close(work);
    return failed;
}

enum sqlstate session_authorization_check(struct session *session, const char *name, struct error *error)
{
    struct scope *work = scope_open(session->scope, "role");
    const struct role *role, *login;
    enum sqlstate failed = role_find(session, session->login_role, &login, work, error);
    if (!failed)
        failed = role_find(session, name, &role, work, error);
    if (!failed && role->oid != login->oid && !login->superuser)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
                           "permission denied to set session authorization");
    if (!failed)
        role_remember(session, role);
    scope_close(work);
    return failed ? failed : settings_set(&session->settings, "role", "none", SET_SESSION, error);
}

void session_role_apply(struct session *session, const char *name)
{
    const struct known_role *role =
        role_known(session, strcasecmp(name, "none") == 0 ? session->session_role : name);
    if (role)
        role_take(session, role);
}

void session_authorization_apply(struct session *session, const char *name)
{
    const struct known_role *role = role_known(session, *name ? name : session->login_role);
    if (!role)
        return;
    session->session_role = role->name;
    session->identity.session_role = role->oid;
    session_role_apply(session, settings_get(&session->settings, "role"));
}

/* ---- open ---- */

static enum sqlstate identity_find(struct session *session, struct error *error)
{
    struct scope *work = scope_open(session->scope, "identity");
    const struct catalog_session nobody = {.role = ROLE_SYNOD, .session_role = ROLE_SYNOD};
    const struct role *role = NULL;
    struct catalog_view *view;
    uint32_t database = 0;
    enum sqlstate failed =
        catalog_view_open(session->sessions->options.catalog, work, NULL, &nobody, false, &view, error);
    if (!failed)
        failed = catalog_database(view, session->options.database, &database, error);
    if (!failed && !database)
        failed = error_set(error, SQLSTATE_PACK('3', 'D', '0', '0', '0'), "database \"%s\" does not exist",
                           session->options.database);
    if (!failed)
        failed = session->options.role ? catalog_role(view, session->options.role, &role, error)
                                       : catalog_role_by_oid(view, ROLE_SYNOD, &role, error);
    if (!failed && !role)
        failed = error_set(error, SQLSTATE_INVALID_AUTHORIZATION, "role \"%s\" does not exist",
                           session->options.role);
    if (!failed) {
        struct sequence_memory *sequences = scope_alloc_zeroed(session->scope, sizeof *sequences);
        sequences->scope = session->scope;
        session->identity = (struct catalog_session){.database = database,
                                                     .role = role->oid,
                                                     .session_role = role->oid,
                                                     .sequences = sequences,
                                                     .sql_show = define_show};
        role_remember(session, role);
        role_take(session, session->known_roles);
        session->login_role = session->session_role = session->role;
    }
    scope_close(work);
    return failed;
}

static const char *name_before(struct scope *scope, const char *entry, size_t size)
{
    char *name = scope_alloc(scope, size + 1);
    memcpy(name, entry, size);
    name[size] = '\0';
    return name;
}

/* What ALTER ROLE ... SET and ALTER DATABASE ... SET have kept for this role and database, the more special ones last. What
 * cannot be set any more is passed over. */
static enum sqlstate configured_take(struct session *session, struct error *error)
{
    const struct catalog_session *identity = &session->identity;
    const struct transaction_options options = {.isolation = READ_COMMITTED, .read_only = true};
    const uint32_t keys[][2] = {
        {0, 0}, {identity->database, 0}, {0, identity->role}, {identity->database, identity->role}};
    struct scope *work = scope_open(session->scope, "configured");
    struct transaction *transaction;
    enum sqlstate failed = transaction_begin(session->world, session->sessions->options.engine, work,
                                             &options, &transaction, error);
    const struct tuple_access access = {.catalog = session->sessions->options.catalog,
                                        .transaction = failed ? NULL : transaction,
                                        .database = identity->database};
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !failed; i++) {
        struct tuple row;
        const char **entries;
        struct error ignored = {0};
        const struct tuple_match matches[] = {{PG_DB_ROLE_SETTING_SETDATABASE, value_integer(keys[i][0])},
                                              {PG_DB_ROLE_SETTING_SETROLE, value_integer(keys[i][1])}};
        failed = tuple_find(&access, work, PG_DB_ROLE_SETTING, matches, 2, &row, error);
        uint32_t count =
            failed || !row.values ? 0 : list_texts(work, &row.values[PG_DB_ROLE_SETTING_SETCONFIG], &entries);
        for (uint32_t k = 0; k < count; k++) {
            const char *end = strchr(entries[k], '=');
            if (end)
                (void)settings_set(&session->settings,
                                   name_before(work, entries[k], (size_t)(end - entries[k])), end + 1,
                                   SET_START, &ignored);
        }
    }
    if (access.transaction)
        transaction_rollback(transaction);
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

static enum sqlstate parameters_take(struct session *session, struct error *error)
{
    const char *const *parameters = session->options.parameters;
    char port[8];
    for (; parameters && *parameters; parameters += 2) {
        enum sqlstate failed =
            settings_set(&session->settings, parameters[0], parameters[1], SET_START, error);
        if (failed)
            return failed;
    }
    snprintf(port, sizeof port, "%u", session->sessions->options.sql_port);
    settings_force(&session->settings, "port", port);
    settings_force(&session->settings, "session_authorization", session->role);
    return SQLSTATE_OK;
}

static void session_gone(void *argument)
{
    struct session *session = argument;
    fiber_timer_clear(session->world->scheduler, &session->statement_timer);
    fiber_timer_clear(session->world->scheduler, &session->idle_timer);
    list_remove(&session->link);
    session->sessions->count--;
    if (session->footing)
        footing_release(session->sessions->plans, session->footing);
}

static void environment_open(struct session *session)
{
    struct environment *environment = &session->environment;
    *environment = (struct environment){
        .world = session->world,
        .session = session,
        .type_find = catalog_type_find,
        .date_style = DATE_ISO,
        .date_order = DATE_MDY,
        .interval_style = INTERVAL_POSTGRES,
        .extra_float_digits = 1,
        .standard_conforming_strings = true,
    };
    world_random(session->world, environment->random, sizeof environment->random);
    environment->transaction_time = environment->statement_time = session_now(session);
}

enum sqlstate session_open(struct sessions *sessions, struct scope *scope,
                           const struct session_options *options, struct session **opened,
                           struct error *error)
{
    struct scope *own = options->in_scope ? scope : scope_open(scope, "session");
    struct session *session = scope_alloc_zeroed(own, sizeof *session);
    session->sessions = sessions;
    session->world = sessions->world;
    session->scope = own;
    session->options = *options;
    session->options.database = scope_copy_text(own, options->database);
    session->options.role = options->role ? scope_copy_text(own, options->role) : NULL;
    session->options.client_address = scope_copy_text(own, options->client_address);
    session->database = session->options.database;
    session->figures = catalog_activity(sessions->options.catalog, 0, 0);
    session->role = session->session_role = session->login_role = session->options.role;
    session->process = process_draw(sessions);
    world_random(session->world, &session->key, sizeof session->key);
    list_init(&session->portals_made);
    list_init(&session->advisory_locks);
    map_init(&session->prepared, MAP_OF_BYTES, own, sessions->seed);
    map_init(&session->portals, MAP_OF_BYTES, own, sessions->seed);
    environment_open(session);
    session->isolation = READ_COMMITTED;
    session->backend_start = session->state_change = session_now(session);
    list_append(&sessions->all, &session->link);
    sessions->count++;
    session->gone = scope_undo(own, session_gone, session);
    settings_open(&session->settings, session, own);
    settings_apply_grants(session, NULL, NULL);
    enum sqlstate failed = identity_find(session, error);
    if (!failed)
        session->figures = catalog_activity(sessions->options.catalog, session->identity.database, 0);
    if (!failed)
        failed = configured_take(session, error);
    if (!failed)
        failed = parameters_take(session, error);
    if (failed) {
        if (!options->in_scope)
            scope_close(own);
        return failed;
    }
    session->options.parameters = NULL;
    session->new_as_of = session->settings.changes;
    settings_report_all(&session->settings);
    *opened = session;
    return SQLSTATE_OK;
}

void session_trim(struct session *session)
{
    if (session->state != TRANSACTION_NONE)
        return;
    struct prepared *unnamed = prepared_find(session, "");
    if (unnamed)
        prepared_drop(session, unnamed);
}

void session_close(struct session *session)
{
    struct error error = {0};
    if (session->state != TRANSACTION_NONE)
        transaction_abort(session);
    portals_drop(session, 0, false);
    while (!list_empty(&session->portals_made))
        portal_drop(container_of(list_first(&session->portals_made), struct portal, link));
    advisory_release_all(session);
    prepared_drop_all(session);
    (void)temporary_drop(session, &error);
    if (session->options.in_scope)
        scope_undo_now(session->gone);
    else
        fiber_close_scope(session->world->scheduler, session->scope);
}

void session_identity(const struct session *session, uint32_t *process, uint32_t *key)
{
    *process = session->process;
    *key = session->key;
}

char session_status(const struct session *session)
{
    return session->state == TRANSACTION_OPEN ? 'T' : session->state == TRANSACTION_FAILED ? 'E' : 'I';
}

struct environment *session_environment(struct session *session)
{
    return &session->environment;
}

uint64_t session_commit_scn(const struct session *session)
{
    return session->commit_scn;
}

const char *sessions_server_version(void)
{
    return setting_find("server_version")->preset;
}

const char *session_setting(const struct session *session, const char *name)
{
    return settings_get(&session->settings, name);
}

void session_interrupt(struct session *session)
{
    if (session->fiber)
        fiber_cancel(session->fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
}

/* The search path stays the role's own: what is written with its schema does not ask for it. */
void session_elevate_begin(struct session *session)
{
    check(!session->elevated_role);
    session->elevated_role = session->identity.role;
    session->elevated_session_role = session->identity.session_role;
    session->elevated_superuser = session->superuser;
    session->identity.role = session->identity.session_role = ROLE_SYNOD;
    session->superuser = true;
}

void session_elevate_end(struct session *session)
{
    check(session->elevated_role);
    session->identity.role = session->elevated_role;
    session->identity.session_role = session->elevated_session_role;
    session->superuser = session->elevated_superuser;
    session->elevated_role = 0;
}

void session_hold(struct session *session, const char *name)
{
    struct portal *portal = portal_find(session, name);
    if (portal)
        portal->hold = true;
}

/* ---- commands ---- */

static void statement_late(void *argument)
{
    struct session *session = argument;
    if (session->fiber)
        fiber_cancel(session->fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to statement timeout");
}

static void session_idle_late(void *argument)
{
    struct session *session = argument;
    bool in_transaction = session->state != TRANSACTION_NONE;
    session->options.terminate(session->options.argument,
                               in_transaction ? SQLSTATE_PACK('2', '5', 'P', '0', '3')
                                              : SQLSTATE_IDLE_SESSION_TIMEOUT,
                               in_transaction ? "terminating connection due to idle-in-transaction timeout"
                                              : "terminating connection due to idle-session timeout");
}

/* The clock of statement_timeout, unless it runs already. */
static void timeout_begin(struct session *session)
{
    uint64_t timeout_ms = session_choices(session)->statement_timeout_ms;
    if (timeout_ms && !session->statement_timer.place)
        fiber_timer_set(session->world->scheduler, &session->statement_timer,
                        session->world->now_ns + timeout_ms * NS_PER_MS, statement_late, session);
}

/* The door calls: from here on the session is busy. */
static void session_wakes(struct session *session)
{
    struct scheduler *scheduler = session->world->scheduler;
    session->fiber = fiber_running(scheduler);
    session->sessions->commands++;
    if (fiber_share_now(scheduler) == FIBER_OWN)
        fiber_share_begin(scheduler, FIBER_SHORT);
    fiber_timer_clear(scheduler, &session->idle_timer);
    timeout_begin(session);
}

/* A command begins now. */
static void command_begin(struct session *session, const char *text)
{
    session_wakes(session);
    session->environment.statement_time = session->query_start = session->state_change = session_now(session);
    if (!text)
        return;
    /* Not strnlen(): libpg_query brings one of its own, which goes byte by byte. */
    const char *end = memchr(text, '\0', ACTIVITY_BYTES);
    size_t size = utf8_cut(bytes_of(text, end ? (size_t)(end - text) : ACTIVITY_BYTES));
    memcpy(session->activity, text, size);
    session->activity_bytes = (uint32_t)size;
}

/* The door's call is done. `idle`: the client is to speak next. */
static enum sqlstate command_end(struct session *session, enum sqlstate failed, bool idle)
{
    struct scheduler *scheduler = session->world->scheduler;
    struct error canceled;
    fiber_timer_clear(scheduler, &session->statement_timer);
    if (failed)
        transaction_fail(session);
    session->environment.catalog = NULL;
    if (idle)
        session->state_change = session_now(session);
    /* A cancellation that came too late, or was answered. */
    error_clear(&canceled);
    if (session->fiber && fiber_check_canceled(scheduler, &canceled) == SQLSTATE_QUERY_CANCELED)
        fiber_cancel_clear(session->fiber);
    if (idle) {
        settings_report(&session->settings);
        fiber_share_begin(scheduler, FIBER_SHORT);
    }
    session->fiber = NULL;
    const struct choices *choices = session_choices(session);
    uint64_t timeout_ms = !idle                                ? 0
                          : session->state == TRANSACTION_NONE ? choices->idle_session_timeout_ms
                                                               : choices->idle_in_transaction_timeout_ms;
    if (timeout_ms && session->options.terminate)
        fiber_timer_set(scheduler, &session->idle_timer, session->world->now_ns + timeout_ms * NS_PER_MS,
                        session_idle_late, session);
    return failed;
}

/* 22021 unless the text is UTF-8. */
static enum sqlstate encoding_check(struct bytes text, struct error *error)
{
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (at < end) {
        uint32_t point;
        if (*at < 0x80) {
            at++;
            continue;
        }
        size_t size = utf8_read(bytes_of(at, (size_t)(end - at)), &point);
        if (size == 0) {
            char bytes[32];
            size_t used = 0, wanted = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 1;
            for (size_t i = 0; i < wanted && at + i < end; i++)
                used += (size_t)snprintf(bytes + used, sizeof bytes - used, "%s0x%02x", i ? " " : "", at[i]);
            return error_set(error, SQLSTATE_PACK('2', '2', '0', '2', '1'),
                             "invalid byte sequence for encoding \"UTF8\": %s", bytes);
        }
        at += size;
    }
    return SQLSTATE_OK;
}

static enum sqlstate failed_transaction(struct session *session, const struct Node *node, struct error *error)
{
    if (session->state != TRANSACTION_FAILED || (node && transaction_is_exit(node)))
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_PACK('2', '5', 'P', '0', '2'),
                     "current transaction is aborted, commands ignored until end of transaction block");
}

/* One statement of a simple query. */
static enum sqlstate query_one(struct session *session, struct statement *statement, struct error *error)
{
    struct portal *portal;
    enum sqlstate failed = failed_transaction(session, statement->node, error);
    if (failed)
        return failed;
    transaction_enter(session);
    failed = portal_make(session, "", statement, &portal, error);
    if (failed)
        return failed;
    failed = portal_start(portal, error);
    if (!failed && portal->shape.columns)
        failed = session->options.sink->ops->shape(session->options.sink, &portal->shape, error);
    if (!failed)
        failed = portal_run(portal, 0, error);
    /* COMMIT, ROLLBACK and DISCARD take the portals away. */
    portal = portal_find(session, "");
    if (portal)
        portal_drop(portal);
    return failed;
}

static enum sqlstate implicit_commit(struct session *session, struct error *error)
{
    bool rolled_back;
    if (session->state != TRANSACTION_IMPLICIT)
        return SQLSTATE_OK;
    return transaction_end(session, &rolled_back, error);
}

/* Several statements: parsed together, bound and run one after the other. */
static enum sqlstate query_many(struct session *session, const char *text, struct error *error)
{
    struct statement *source;
    uint32_t count;
    enum sqlstate failed = statements_parse(session, text, &source, &count, error);
    if (failed)
        return failed;
    session->several = true;
    for (uint32_t i = 0; i < count && !failed; i++) {
        struct statement *statement = statement_of_text(session, source, i);
        fiber_timer_clear(session->world->scheduler, &session->statement_timer);
        timeout_begin(session); /* each has its own time, and the one before may have set it */
        failed = query_one(session, statement, error);
        statement_release(session, statement);
    }
    session->several = false;
    statement_release(session, source);
    return failed ? failed : implicit_commit(session, error);
}

static enum sqlstate query_text(struct session *session, const char *text, struct error *error)
{
    struct statement *statement;
    bool several = false;
    enum sqlstate failed = encoding_check(bytes_of_text(text), error);
    if (!failed)
        failed = statement_find(session, text, NULL, false, &several, &statement, error);
    if (several) {
        error_clear(error);
        return query_many(session, text, error);
    }
    if (failed)
        return failed;
    if (statement->node)
        failed = query_one(session, statement, error);
    else
        failed = session->options.sink->ops->complete(session->options.sink, NULL, error);
    statement_release(session, statement);
    return failed ? failed : implicit_commit(session, error);
}

enum sqlstate session_query(struct session *session, const char *text, struct error *error)
{
    struct prepared *unnamed = prepared_find(session, "");
    struct portal *portal = portal_find(session, "");
    command_begin(session, text);
    if (unnamed)
        prepared_drop(session, unnamed);
    if (portal)
        portal_drop(portal);
    return command_end(session, query_text(session, text, error), true);
}

/* ---- one by one ---- */

static enum sqlstate prepare(struct session *session, const char *name, const char *text,
                             const uint32_t *parameter_types, uint32_t parameters, struct error *error)
{
    const struct parameter_types given = {parameters, parameter_types};
    struct statement *statement;
    struct prepared *unnamed = *name ? NULL : prepared_find(session, "");
    enum sqlstate failed = encoding_check(bytes_of_text(text), error);
    if (unnamed)
        prepared_drop(session, unnamed);
    if (!failed)
        failed = statement_find(session, text, &given, *name || strchr(text, '$'), NULL, &statement, error);
    if (failed)
        return failed;
    failed = statement->node ? failed_transaction(session, statement->node, error) : SQLSTATE_OK;
    if (!failed && *name && prepared_find(session, name))
        failed = error_set(error, SQLSTATE_PACK('4', '2', 'P', '0', '5'),
                           "prepared statement \"%s\" already exists", name);
    if (!failed && session->state != TRANSACTION_FAILED)
        transaction_enter(session);
    if (!failed)
        failed = prepared_make(session, name, statement, false, error);
    statement_release(session, statement);
    return failed;
}

enum sqlstate session_prepare(struct session *session, const char *name, const char *text,
                              const uint32_t *parameter_types, uint32_t parameters, struct error *error)
{
    command_begin(session, text);
    return command_end(session, prepare(session, name, text, parameter_types, parameters, error), false);
}

static enum sqlstate describe(struct session *session, enum session_thing thing, const char *name,
                              struct session_description *description, struct error *error)
{
    *description = (struct session_description){0};
    if (thing == SESSION_PORTAL) {
        const struct portal *portal = portal_find(session, name);
        if (!portal)
            return error_set(error, SQLSTATE_PACK('3', '4', '0', '0', '0'), "portal \"%s\" does not exist",
                             name);
        description->shape = portal->shape.columns ? &portal->shape : NULL;
        description->kind = portal->recipe ? recipe_kind(portal->recipe) : "utility";
        description->reads_only = portal->recipe && portal->recipe->planned->reads_only;
        return SQLSTATE_OK;
    }
    struct prepared *prepared = prepared_find(session, name);
    if (!prepared)
        return *name ? error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                                 "prepared statement \"%s\" does not exist", name)
                     : error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                                 "unnamed prepared statement does not exist");
    description->parameters = prepared_types(prepared)->count;
    description->parameter_types = prepared_types(prepared)->oid;
    description->shape = prepared_shape(prepared)->columns ? prepared_shape(prepared) : NULL;
    description->kind = prepared->told ? prepared->told->kind : "utility";
    description->reads_only = prepared->told && prepared->told->reads_only;
    return SQLSTATE_OK;
}

enum sqlstate session_describe(struct session *session, enum session_thing thing, const char *name,
                               struct session_description *description, struct error *error)
{
    command_begin(session, NULL);
    return command_end(session, describe(session, thing, name, description, error), false);
}

/* The value of a parameter out of the bytes the client sent. */
static enum sqlstate parameter_read(struct session *session, struct portal *portal, uint32_t number,
                                    struct bytes bytes, int16_t format, struct error *error)
{
    uint32_t oid = portal->recipe ? portal->recipe->parameters.oid[number] : TYPE_TEXT;
    const struct type *type = session->environment.type_find(&session->environment, oid);
    struct value *value = &portal->values[number];
    if (!type)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for type %u", oid);
    if (!bytes.data) {
        *value = value_null();
        return SQLSTATE_OK;
    }
    if (format != 0 && format != 1)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "unsupported format code: %d", format);
    /* What the type makes of them may be a view of the bytes, which are the client's message. */
    const uint8_t *copy = bytes.data;
    if (bytes.size < SCOPE_SMALL_BYTES)
        copy = scope_copy(portal->scope, bytes.data, bytes.size ? bytes.size : 1);
    else {
        void *memory;
        enum sqlstate failed = scope_alloc_large(portal->scope, bytes.size, 16, &memory, error);
        if (failed)
            return failed;
        copy = memcpy(memory, bytes.data, bytes.size);
    }
    bytes = bytes_of(copy, bytes.size);
    enum sqlstate failed = format ? SQLSTATE_OK : encoding_check(bytes, error);
    if (!failed)
        failed = (format ? type->ops->receive : type->ops->in)(&session->environment, portal->scope, type, -1,
                                                               bytes, value, error);
    /* As PostgreSQL does with log_parameter_max_length_on_error = 0. */
    if (failed && *portal->name)
        error_add(error, ERROR_CONTEXT, "portal \"%s\" parameter $%u%s", portal->name, number + 1,
                  format ? "" : " = '...'");
    else if (failed)
        error_add(error, ERROR_CONTEXT, "unnamed portal parameter $%u%s", number + 1,
                  format ? "" : " = '...'");
    return failed;
}

static int16_t format_of(uint32_t count, const int16_t *formats, uint32_t at)
{
    return count == 0 ? 0 : formats[count == 1 ? 0 : at];
}

static enum sqlstate bind_check(const struct session_bind *bind, const struct prepared *prepared,
                                struct error *error)
{
    if (bind->parameter_formats > 1 && bind->parameter_formats != bind->parameters)
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                         "bind message has %u parameter formats but %u parameters", bind->parameter_formats,
                         bind->parameters);
    if (bind->parameters != prepared_types(prepared)->count)
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                         "bind message supplies %u parameters, but prepared statement \"%s\" requires %u",
                         bind->parameters, bind->statement, prepared_types(prepared)->count);
    return SQLSTATE_OK;
}

static enum sqlstate formats_take(struct portal *portal, const struct session_bind *bind, struct error *error)
{
    struct session_column *columns;
    if (!portal->shape.columns)
        return SQLSTATE_OK;
    if (bind->result_formats > 1 && bind->result_formats != portal->shape.count)
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                         "bind message has %u result formats but query has %u columns", bind->result_formats,
                         portal->shape.count);
    columns = scope_copy(portal->scope, portal->shape.columns,
                         (portal->shape.count ? portal->shape.count : 1) * sizeof *columns);
    for (uint32_t c = 0; c < portal->shape.count; c++)
        columns[c].format = format_of(bind->result_formats, bind->result_format, c);
    portal->shape.columns = columns;
    return SQLSTATE_OK;
}

/* Whether the values of all parameters can be read without looking into the catalog. */
static bool types_are_plain(const struct prepared *prepared)
{
    const struct parameter_types *types = prepared_types(prepared);
    for (uint32_t i = 0; i < types->count; i++)
        switch (types->oid[i]) {
        case TYPE_BOOL:
        case TYPE_INT2:
        case TYPE_INT4:
        case TYPE_INT8:
        case TYPE_FLOAT4:
        case TYPE_FLOAT8:
        case TYPE_NUMERIC:
        case TYPE_TEXT:
        case TYPE_VARCHAR:
        case TYPE_BPCHAR:
        case TYPE_BYTEA:
        case TYPE_UUID:
            continue;
        default:
            return false;
        }
    return true;
}

static enum sqlstate bind_portal(struct session *session, const struct session_bind *bind,
                                 struct error *error)
{
    struct prepared *prepared = prepared_find(session, bind->statement);
    struct portal *portal = *bind->portal ? NULL : portal_find(session, "");
    if (!prepared)
        return *bind->statement ? error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                                            "prepared statement \"%s\" does not exist", bind->statement)
                                : error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                                            "unnamed prepared statement does not exist");
    enum sqlstate failed = bind_check(bind, prepared, error);
    if (!failed && prepared->statement->node)
        failed = failed_transaction(session, prepared->statement->node, error);
    if (failed)
        return failed;
    if (portal)
        portal_drop(portal);
    transaction_enter(session);
    failed = portal_make(session, bind->portal, prepared->statement, &portal, error);
    if (failed)
        return failed;
    struct catalog_view *view = NULL;
    portal->types = *prepared_types(prepared);
    bool known = statement_recipe_held(session, portal->statement, &portal->types, &portal->recipe) &&
                 types_are_plain(prepared);
    if (!known && (portal->statement->plannable || bind->parameters))
        failed = session_view(session, portal->scope, &view, error);
    if (!failed && portal->statement->plannable && !portal->recipe)
        failed = statement_recipe(session, portal->statement, &portal->types, view, &portal->recipe, error);
    if (!failed && portal->recipe)
        failed = prepared_check(prepared, portal->recipe, error);
    size_t bytes = bind->parameters * sizeof *portal->values;
    if (bytes < SCOPE_SMALL_BYTES)
        portal->values = scope_alloc(portal->scope, bytes + 1);
    else if (!failed)
        failed = scope_alloc_large(portal->scope, bytes, 16, (void **)&portal->values, error);
    portal->parameters = bind->parameters;
    for (uint32_t i = 0; i < bind->parameters && !failed; i++)
        failed = parameter_read(session, portal, i, bind->values[i],
                                format_of(bind->parameter_formats, bind->parameter_format, i), error);
    if (!failed)
        failed = portal_start(portal, error);
    return failed ? failed : formats_take(portal, bind, error);
}

enum sqlstate session_bind(struct session *session, const struct session_bind *bind, struct error *error)
{
    command_begin(session, NULL);
    enum sqlstate failed = bind_portal(session, bind, error);
    if (failed) {
        struct portal *portal = portal_find(session, bind->portal);
        if (portal && !portal->execution && portal->state == PORTAL_READY && !portal->is_cursor)
            portal_drop(portal);
    }
    return command_end(session, failed, false);
}

enum sqlstate session_execute(struct session *session, const char *name, uint32_t rows_max,
                              struct error *error)
{
    struct portal *portal = portal_find(session, name);
    command_begin(session, portal ? portal->statement->text : NULL);
    enum sqlstate failed = SQLSTATE_OK;
    if (!portal)
        failed =
            error_set(error, SQLSTATE_PACK('3', '4', '0', '0', '0'), "portal \"%s\" does not exist", name);
    else if (!portal->statement->node)
        failed = session->options.sink->ops->complete(session->options.sink, NULL, error);
    else if (!(failed = failed_transaction(session, portal->statement->node, error))) {
        transaction_enter(session);
        failed = portal_run(portal, rows_max, error);
    }
    return command_end(session, failed, false);
}

void session_forget(struct session *session, enum session_thing thing, const char *name)
{
    command_begin(session, NULL);
    if (thing == SESSION_PORTAL) {
        struct portal *portal = portal_find(session, name);
        if (portal)
            portal_drop(portal);
    } else {
        struct prepared *prepared = prepared_find(session, name);
        if (prepared)
            prepared_drop(session, prepared);
    }
    (void)command_end(session, SQLSTATE_OK, false);
}

enum sqlstate session_sync(struct session *session, bool failed, struct error *error)
{
    session_wakes(session);
    if (failed && session->state != TRANSACTION_FAILED)
        transaction_fail(session);
    return command_end(session, failed ? SQLSTATE_OK : implicit_commit(session, error), true);
}
