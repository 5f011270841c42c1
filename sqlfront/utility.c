/* Statements that are neither queries nor definitions, and those that hold another statement. */
#include "sqlfront/analyze.h"
#include "sqlfront/inside.h"

#include "sqlfront/define/define.h"
#include "sqlfront/locks.h"
#include "sqlfront/parse/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- rows that are not a query's ---- */

static const struct session_shape *text_shape(struct scope *scope, const char *const *names, uint32_t count)
{
    struct session_shape *shape = scope_alloc(scope, sizeof *shape);
    struct session_column *columns = scope_alloc_zeroed(scope, count * sizeof *columns);
    for (uint32_t i = 0; i < count; i++)
        columns[i] =
            (struct session_column){.name = names[i], .type = type_builtin(TYPE_TEXT), .modifier = -1};
    *shape = (struct session_shape){.count = count, .columns = columns};
    return shape;
}

enum sqlstate sink_text_row(struct session *session, const struct session_shape *shape,
                            const char *const *texts, struct error *error)
{
    enum { TEXTS_MAX = 8 };
    struct value values[TEXTS_MAX];
    const struct value *columns[TEXTS_MAX];
    check(shape->count <= TEXTS_MAX);
    for (uint32_t i = 0; i < shape->count; i++) {
        values[i] = texts[i] ? value_text(texts[i]) : value_null();
        columns[i] = &values[i];
    }
    const struct session_rows rows = {.shape = shape, .columns = columns, .rows = 1};
    return session->options.sink->ops->rows(session->options.sink, &rows, error);
}

static const char *option_text(const DefElem *option)
{
    if (!option->arg)
        return NULL;
    return IsA(option->arg, String) ? ((const String *)option->arg)->sval : NULL;
}

static const struct session_shape *explain_shape(struct scope *scope, const ExplainStmt *explain)
{
    static const char *const names[] = {"QUERY PLAN"};
    struct session_shape *shape = (struct session_shape *)text_shape(scope, names, 1);
    for (int i = 0; i < list_length(explain->options); i++) {
        const DefElem *option = list_nth(explain->options, i);
        const char *format = strcmp(option->defname, "format") == 0 ? option_text(option) : NULL;
        if (format && strcasecmp(format, "json") == 0)
            ((struct session_column *)shape->columns)->type = type_builtin(TYPE_JSON);
    }
    return shape;
}

enum sqlstate utility_shape(struct session *session, struct scope *scope, const struct statement *statement,
                            const struct session_shape **shape, struct error *error)
{
    static const char *const all[] = {"name", "setting", "description"};
    const struct Node *node = statement->node;
    *shape = NULL;
    switch (nodeTag(node)) {
    case T_VariableShowStmt: {
        const char *name = ((const VariableShowStmt *)node)->name;
        const struct setting *setting = setting_find(name);
        if (strcmp(name, "all") == 0) {
            *shape = text_shape(scope, all, 3);
            return SQLSTATE_OK;
        }
        const char **names = scope_alloc(scope, sizeof *names);
        names[0] = setting ? setting->name : scope_copy_text(scope, name);
        *shape = text_shape(scope, names, 1);
        return setting || settings_get(&session->settings, name)
                   ? SQLSTATE_OK
                   : error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '4'),
                               "unrecognized configuration parameter \"%s\"", name);
    }
    case T_ExplainStmt:
        *shape = explain_shape(scope, (const ExplainStmt *)node);
        return SQLSTATE_OK;
    case T_FetchStmt: {
        const FetchStmt *fetch = (const FetchStmt *)node;
        const struct portal *cursor = portal_find(session, fetch->portalname);
        if (cursor && cursor->shape.columns && !fetch->ismove)
            *shape = &cursor->shape;
        return SQLSTATE_OK;
    }
    case T_ExecuteStmt: {
        const struct prepared *prepared = prepared_find(session, ((const ExecuteStmt *)node)->name);
        if (prepared && prepared_shape(prepared)->columns)
            *shape = prepared_shape(prepared);
        return SQLSTATE_OK;
    }
    default:
        return SQLSTATE_OK;
    }
}

static enum sqlstate show_run(struct session *session, struct portal *portal, const VariableShowStmt *show,
                              struct error *error)
{
    const char *texts[3];
    if (strcmp(show->name, "all") != 0) {
        enum sqlstate failed = settings_show(&session->settings, portal->scope, show->name, &texts[0], error);
        return failed ? failed : sink_text_row(session, &portal->shape, texts, error);
    }
    for (uint32_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->flags & SETTING_HIDDEN)
            continue;
        texts[0] = setting->name;
        texts[1] = setting_shown(portal->scope, setting, settings_get(&session->settings, setting->name));
        texts[2] = setting->description;
        enum sqlstate failed = sink_text_row(session, &portal->shape, texts, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- PREPARE, EXECUTE, DEALLOCATE ---- */

static enum sqlstate prepare_run(struct session *session, struct portal *portal, const PrepareStmt *prepare,
                                 struct error *error)
{
    uint32_t given = (uint32_t)list_length(prepare->argtypes);
    if (!*prepare->name)
        return error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                         "invalid statement name: must not be empty");
    if (prepared_find(session, prepare->name))
        return error_set(error, SQLSTATE_PACK('4', '2', 'P', '0', '5'),
                         "prepared statement \"%s\" already exists", prepare->name);
    struct statement *statement =
        statement_within(session, portal->statement, (const struct Node *)prepare->query);
    statement->given = given;
    if (given) {
        struct catalog_view *view;
        uint32_t *types = scope_alloc(statement->scope, given * sizeof *types);
        struct scope *work = scope_open(session->scope, "types");
        enum sqlstate failed = session_view(session, work, &view, error);
        struct binder_request bind = {.world = session->world,
                                      .scope = work,
                                      .view = view,
                                      .environment = &session->environment,
                                      .text = statement->text};
        for (uint32_t i = 0; i < given && !failed; i++) {
            const struct type *type;
            int32_t modifier;
            failed = bind_type(&bind, list_nth(prepare->argtypes, (int)i), &type, &modifier, error);
            types[i] = failed ? 0 : type->oid;
        }
        fiber_close_scope(session->world->scheduler, work);
        statement->given_types = types;
        if (failed) {
            statement_release(session, statement);
            return failed;
        }
    } else
        statement->given_types = NULL;
    enum sqlstate failed = prepared_make(session, prepare->name, statement, true, error);
    statement_release(session, statement);
    return failed;
}

enum sqlstate execute_arguments(struct session *session, const struct portal *outer, struct portal *inner,
                                const ExecuteStmt *execute, const struct prepared *prepared,
                                struct error *error)
{
    const List *arguments = execute->params;
    uint32_t count = (uint32_t)list_length(arguments);
    struct catalog_view *view;
    const struct parameter_types *types = prepared_types(prepared);
    if (count != types->count) {
        enum sqlstate failed =
            error_set(error, SQLSTATE_SYNTAX_ERROR,
                      "wrong number of parameters for prepared statement \"%s\"", prepared->name);
        error_add(error, ERROR_DETAIL, "Expected %u parameters but got %u.", types->count, count);
        return failed;
    }
    if (count == 0)
        return SQLSTATE_OK;
    struct scope *work = scope_open(inner->scope, "arguments");
    enum sqlstate failed = session_view(session, work, &view, error);
    struct binder_request bind = {.world = session->world,
                                  .scope = work,
                                  .view = view,
                                  .environment = &session->environment,
                                  .text = outer->statement->text};
    struct evaluation evaluation = {.environment = &session->environment};
    inner->values = scope_alloc(inner->scope, count * sizeof *inner->values);
    inner->parameters = count;
    for (uint32_t i = 0; i < count && !failed; i++) {
        const struct type *type = session->environment.type_find(&session->environment, types->oid[i]);
        struct expression *expression;
        struct value value;
        failed = bind_expression(&bind, list_nth(arguments, (int)i), NULL, type, -1, &expression, error);
        if (!failed)
            failed = evaluate_constant(work, &evaluation, expression, &value, error);
        if (!failed)
            failed = value_copy(inner->scope, type, &value, &inner->values[i], error);
    }
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

static enum sqlstate execute_run(struct session *session, struct portal *portal, const ExecuteStmt *execute,
                                 const char **tag, struct error *error)
{
    struct prepared *prepared = prepared_find(session, execute->name);
    struct portal *inner;
    bool more;
    if (!prepared)
        return error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                         "prepared statement \"%s\" does not exist", execute->name);
    if (!prepared->statement->node)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "EXECUTE of an empty statement");
    enum sqlstate failed = portal_make(session, NULL, prepared->statement, &inner, error);
    if (failed)
        return failed;
    inner->types = *prepared_types(prepared);
    failed = execute_arguments(session, portal, inner, execute, prepared, error);
    if (!failed)
        failed = portal_start(inner, error);
    if (!failed && inner->recipe)
        failed = prepared_check(prepared, inner->recipe, error);
    /* The client was told of the rows; their formats are those asked for. */
    if (!failed && portal->shape.columns && inner->shape.count == portal->shape.count)
        inner->shape = portal->shape;
    if (!failed && inner->statement->plannable)
        failed = portal_send(inner, 0, &more, error);
    else if (!failed)
        failed = utility_run(session, inner, tag, error);
    if (!failed && inner->statement->plannable)
        *tag = scope_copy_text(portal->scope, inner->tag);
    portal_drop(inner);
    return failed;
}

static enum sqlstate deallocate_run(struct session *session, const DeallocateStmt *deallocate,
                                    const char **tag, struct error *error)
{
    *tag = deallocate->name ? "DEALLOCATE" : "DEALLOCATE ALL";
    if (!deallocate->name) {
        prepared_drop_all(session);
        return SQLSTATE_OK;
    }
    struct prepared *prepared = prepared_find(session, deallocate->name);
    if (!prepared)
        return error_set(error, SQLSTATE_PACK('2', '6', '0', '0', '0'),
                         "prepared statement \"%s\" does not exist", deallocate->name);
    prepared_drop(session, prepared);
    return SQLSTATE_OK;
}

/* ---- cursors, DISCARD ---- */

static void cursors_close(struct session *session)
{
    list_each_safe (&session->portals_made, at) {
        struct portal *portal = container_of(at, struct portal, link);
        if (portal->is_cursor)
            portal_drop(portal);
    }
}

static enum sqlstate close_run(struct session *session, const ClosePortalStmt *close, const char **tag,
                               struct error *error)
{
    *tag = close->portalname ? "CLOSE CURSOR" : "CLOSE CURSOR ALL";
    if (!close->portalname) {
        cursors_close(session);
        return SQLSTATE_OK;
    }
    struct portal *portal = portal_find(session, close->portalname);
    if (!portal)
        return error_set(error, SQLSTATE_PACK('3', '4', '0', '0', '0'), "cursor \"%s\" does not exist",
                         close->portalname);
    portal_drop(portal);
    return SQLSTATE_OK;
}

static void sequences_forget(struct session *session)
{
    struct sequence_memory *memory = session->identity.sequences;
    memory->count = memory->last = 0;
}

static enum sqlstate discard_run(struct session *session, const DiscardStmt *discard, const char **tag,
                                 struct error *error)
{
    enum sqlstate failed;
    switch (discard->target) {
    case DISCARD_PLANS:
        *tag = "DISCARD PLANS";
        plans_forget(session->sessions->plans);
        return SQLSTATE_OK;
    case DISCARD_SEQUENCES:
        *tag = "DISCARD SEQUENCES";
        sequences_forget(session);
        return SQLSTATE_OK;
    case DISCARD_TEMP:
        *tag = "DISCARD TEMP";
        return temporary_drop(session, error);
    case DISCARD_ALL:
        break;
    }
    *tag = "DISCARD ALL";
    failed = transaction_require_none(session, "DISCARD ALL", error);
    if (failed)
        return failed;
    cursors_close(session);
    failed = settings_set(&session->settings, "session_authorization", NULL, SET_SESSION, error);
    if (!failed)
        failed = settings_reset_all(&session->settings, error);
    session->new_as_of = failed ? 0 : session->settings.changes;
    prepared_drop_all(session);
    sequences_forget(session);
    advisory_release_all(session);
    return failed ? failed : temporary_drop(session, error);
}

bool session_is_new(const struct session *session)
{
    return session->state == TRANSACTION_NONE && session->settings.changes == session->new_as_of &&
           !session->prepared_from_sql && list_empty(&session->portals_made) &&
           !session->identity.sequences->count && list_empty(&session->advisory_locks) &&
           !session->identity.temporary_schema;
}

enum sqlstate temporary_drop(struct session *session, struct error *error)
{
    if (!session->identity.temporary_schema)
        return SQLSTATE_OK;
    enum sqlstate failed =
        define_end_session(session->world, session->sessions->options.catalog, &session->identity, error);
    if (!failed)
        session->identity.temporary_schema = 0;
    session->path_version = 0;
    return failed;
}

/* ---- LOCK TABLE, SET CONSTRAINTS ---- */

#define LOCK_CLASS_RELATION 1

static enum sqlstate relation_find(struct session *session, struct catalog_view *view, const RangeVar *name,
                                   const struct relation **relation, struct error *error)
{
    (void)session;
    enum sqlstate failed = catalog_relation(view, name->schemaname, name->relname, relation, error);
    if (failed || *relation)
        return failed;
    return name->schemaname
               ? error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s.%s\" does not exist",
                           name->schemaname, name->relname)
               : error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->relname);
}

static enum sqlstate lock_run(struct session *session, const LockStmt *lock, struct error *error)
{
    struct catalog_view *view;
    enum sqlstate failed = transaction_require_block(session, "LOCK TABLE", error);
    if (failed)
        return failed;
    struct scope *work = scope_open(session->scope, "lock");
    failed = session_view(session, work, &view, error);
    for (int i = 0; i < list_length(lock->relations) && !failed; i++) {
        const struct relation *relation;
        enum lock_outcome outcome;
        failed = relation_find(session, view, list_nth(lock->relations, i), &relation, error);
        if (failed)
            break;
        if (relation->kind != RELATION_TABLE && relation->kind != RELATION_VIEW) {
            failed = error_set(error, SQLSTATE_PACK('4', '2', '8', '0', '9'), "\"%s\" is not a table or view",
                               relation->name);
            break;
        }
        uint32_t wanted = lock->mode == LOCK_ACCESS_SHARE    ? PRIVILEGE_SELECT
                          : lock->mode == LOCK_ROW_EXCLUSIVE ? PRIVILEGE_INSERT
                                                             : PRIVILEGE_UPDATE;
        if (!session->superuser)
            failed = catalog_check_relation(view, 0, relation, wanted, NULL, 0, error);
        const struct lock_object object = {
            .class = LOCK_CLASS_RELATION, .high = session->identity.database, .low = relation->oid};
        if (!failed)
            failed = transaction_lock_object(session->transaction, &object, (enum lock_mode)lock->mode,
                                             lock->nowait ? LOCK_NOWAIT : LOCK_WAIT, &outcome, error);
        if (failed == SQLSTATE_LOCK_NOT_AVAILABLE && lock->nowait)
            failed = error_set(error, SQLSTATE_LOCK_NOT_AVAILABLE, "could not obtain lock on relation \"%s\"",
                               relation->name);
    }
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

/* Constraints of that name in the schema, or along the search path: their tables are looked through. */
static enum sqlstate constraint_find(struct session *session, struct catalog_view *view, const RangeVar *name,
                                     uint32_t *oid, struct error *error);

static enum sqlstate constraints_run(struct session *session, const ConstraintsSetStmt *set,
                                     struct error *error)
{
    struct catalog_view *view;
    if (!transaction_is_block(session))
        session_notice(session, SESSION_WARNING, SQLSTATE_PACK('2', '5', 'P', '0', '1'),
                       "SET CONSTRAINTS can only be used in transaction blocks");
    struct scope *work = scope_open(session->scope, "constraints");
    enum sqlstate failed = session_view(session, work, &view, error);
    const struct execution_request request = {
        .world = session->world,
        .scope = work,
        .engine = session->sessions->options.engine,
        .catalog = session->sessions->options.catalog,
        .view = view,
        .transaction = session->transaction,
        .environment = &session->environment,
        .isolation = session->isolation,
        .deferred = session->deferred,
    };
    if (!failed)
        transaction_statement(session->transaction);
    if (!failed && !set->constraints)
        failed = deferred_set(session->deferred, &request, 0, set->deferred, error);
    for (int i = 0; i < list_length(set->constraints) && !failed; i++) {
        uint32_t oid = 0;
        failed = constraint_find(session, view, list_nth(set->constraints, i), &oid, error);
        if (!failed)
            failed = deferred_set(session->deferred, &request, oid, set->deferred, error);
    }
    fiber_close_scope(session->world->scheduler, work);
    return failed;
}

/* By SQL, since that is what knows how to look into pg_constraint. */
static enum sqlstate constraint_find(struct session *session, struct catalog_view *view, const RangeVar *name,
                                     uint32_t *oid, struct error *error)
{
    (void)view;
    struct scope *work = scope_open(session->scope, "constraint");
    struct text text = text_in(work);
    const char *sql;
    struct value values[2];
    text_append(&text, "SELECT oid, condeferrable FROM pg_catalog.pg_constraint WHERE conname = ");
    text_literal(&text, name->relname);
    if (name->schemaname) {
        text_append(&text, " AND connamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ");
        text_literal(&text, name->schemaname);
        text_append(&text, ")");
    }
    bool found = false;
    enum sqlstate failed = text_end(&text, &sql, error);
    if (!failed)
        failed = internal_row(session, work, sql, 2, values, &found, error);
    if (!failed && !found)
        failed = error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '4'), "constraint \"%s\" does not exist",
                           name->relname);
    if (!failed && !values[1].i)
        failed = error_set(error, SQLSTATE_PACK('4', '2', '8', '0', '9'),
                           "constraint \"%s\" is not deferrable", name->relname);
    *oid = failed ? 0 : (uint32_t)values[0].i;
    scope_close(work);
    return failed;
}

/* ---- queries of our own ---- */

enum sqlstate internal_row(struct session *session, struct scope *scope, const char *sql, uint32_t columns,
                           struct value *values, bool *found, struct error *error)
{
    struct statement *statement;
    struct portal *portal;
    struct session_rows rows;
    *found = false;
    enum sqlstate failed = statement_find(session, sql, NULL, false, NULL, &statement, error);
    if (failed)
        return failed;
    failed = portal_make(session, NULL, statement, &portal, error);
    statement_release(session, statement);
    if (failed)
        return failed;
    failed = portal_start(portal, error);
    if (!failed)
        failed = portal_pull(portal, 1, &rows, error);
    if (!failed && rows.rows) {
        uint32_t at = rows.selection ? rows.selection[0] : 0;
        *found = true;
        for (uint32_t c = 0; c < columns && !failed; c++)
            failed =
                value_copy(scope, portal->shape.columns[c].type, &rows.columns[c][at], &values[c], error);
    }
    portal_drop(portal);
    return failed;
}

/* ---- definitions ---- */

struct defining {
    struct session *session;
    struct portal *portal;
};

static void define_notice(void *argument, enum define_severity severity, const struct error *notice)
{
    const struct defining *defining = argument;
    session_notice_error(defining->session, severity == DEFINE_WARNING ? SESSION_WARNING : SESSION_NOTICE,
                         notice);
}

/* Runs a query for a definition, through a view that sees what it has defined. */
static enum sqlstate define_run(void *argument, struct catalog_view *view, const struct Node *node,
                                uint64_t *rows, struct error *error)
{
    const struct defining *defining = argument;
    struct session *session = defining->session;
    bool changed = session->catalog_changed;
    (void)view;
    struct statement *statement = statement_within(session, defining->portal->statement, node);
    struct portal *inner;
    session->catalog_changed = true;
    enum sqlstate failed = portal_make(session, NULL, statement, &inner, error);
    statement_release(session, statement);
    if (!failed) {
        *rows = 0;
        failed = portal_start(inner, error);
        while (!failed) {
            struct session_rows batch;
            failed = portal_pull(inner, 0, &batch, error);
            if (failed || batch.rows == 0)
                break;
            *rows += batch.rows;
        }
        if (!failed && inner->recipe->query->kind != QUERY_SELECT)
            *rows = inner->rows;
        portal_drop(inner);
    }
    session->catalog_changed = changed;
    return failed;
}

/* Who reads now may have planned with what the catalog said before. */
static enum sqlstate define_wait_readers(void *argument, struct error *error)
{
    const struct defining *defining = argument;
    struct session *session = defining->session;
    struct world *world = session->world;
    struct scope *scope = scope_open(session->scope, "readers");
    struct transaction_list first, now;
    enum sqlstate failed = transactions_reading(session, scope, &first, error);
    while (!failed && first.count) {
        struct scope *look = scope_open(scope, "look");
        uint32_t left = 0;
        (void)fiber_sleep_until(world->scheduler, world->now_ns + 5 * NS_PER_MS);
        if (!(failed = fiber_check_canceled(world->scheduler, error)))
            failed = transactions_reading(session, look, &now, error);
        for (uint32_t i = 0; i < first.count && !failed; i++)
            for (uint32_t k = 0; k < now.count; k++)
                if (now.transaction[k] == first.transaction[i]) {
                    first.transaction[left++] = first.transaction[i];
                    break;
                }
        first.count = left;
        fiber_close_scope(world->scheduler, look);
    }
    fiber_close_scope(world->scheduler, scope);
    return failed;
}

static struct define_request define_request_of(struct session *session, struct scope *scope,
                                               struct defining *defining)
{
    return (struct define_request){
        .world = session->world,
        .scope = scope,
        .catalog = session->sessions->options.catalog,
        .transaction = session->transaction,
        .session = &session->identity,
        .environment = &session->environment,
        .changed = session->catalog_changed,
        .progress = &session->progress,
        .memory = (size_t)strtoull(settings_get(&session->settings, "maintenance_work_mem"), NULL, 10) * 1024,
        .temporary = session->grants.temporary,
        .lock_timeout_ns = session_choices(session)->lock_timeout_ms * NS_PER_MS,
        .notice = define_notice,
        .run = define_run,
        .wait_readers = define_wait_readers,
        .argument = defining,
    };
}

static void note_on_commit(struct session *session, struct on_commit table)
{
    if (session->on_commits == session->on_commits_room) {
        uint32_t room = session->on_commits_room ? 2 * session->on_commits_room : 8;
        struct on_commit *more = scope_alloc(session->scope, room * sizeof *more);
        if (session->on_commits)
            memcpy(more, session->on_commit, session->on_commits * sizeof *more);
        session->on_commit = more;
        session->on_commits_room = room;
    }
    session->on_commit[session->on_commits++] = table;
}

static void define_silently(void *argument, enum define_severity severity, const struct error *notice)
{
    (void)argument;
    (void)severity;
    (void)notice;
}

enum sqlstate temporaries_on_commit(struct session *session, struct error *error)
{
    struct define_result result = {0};
    struct defining defining = {.session = session};
    struct scope *work = scope_open(session->transaction_scope, "on commit");
    struct catalog_view *view;
    transaction_statement(session->transaction);
    enum sqlstate failed = session_view(session, work, &view, error); /* the search path is resolved */
    struct define_request request = define_request_of(session, work, &defining);
    request.notice = define_silently;
    if (!failed)
        failed = define_on_commit(&request, session->on_commit, &session->on_commits, &result, error);
    session->environment.catalog = NULL;
    fiber_close_scope(session->world->scheduler, work);
    session->catalog_changed |= result.changed;
    return failed;
}

static enum sqlstate definition_run(struct session *session, struct portal *portal, const char **tag,
                                    struct error *error)
{
    struct transaction *transaction;
    struct define_result result = {0};
    struct defining defining = {.session = session, .portal = portal};
    if (session->read_only || strcmp(settings_get(&session->settings, "transaction_read_only"), "on") == 0)
        return error_set(error, SQLSTATE_READ_ONLY_SQL_TRANSACTION,
                         "cannot execute %s in a read-only transaction", node_words(portal->statement->node));
    const char *concurrent = define_concurrent_words(portal->statement->node);
    if (concurrent && transaction_require_none(session, concurrent, error))
        return error->state;
    if (concurrent && session->statements_run)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION, "%s cannot be executed within a pipeline",
                         concurrent);
    enum sqlstate failed = portals_settle(session, portal, error);
    if (!failed)
        failed = transaction_take(session, &transaction, error);
    if (failed)
        return failed;
    transaction_statement(transaction);
    session->statements_run = !concurrent;
    struct scope *work = scope_open(portal->scope, "definition");
    struct catalog_view *view;
    const struct Node *node = portal->statement->node;
    const VariableSetStmt *set = IsA(node, AlterRoleSetStmt) ? ((const AlterRoleSetStmt *)node)->setstmt
                                 : IsA(node, AlterDatabaseSetStmt)
                                     ? ((const AlterDatabaseSetStmt *)node)->setstmt
                                     : NULL;
    const char *setting = NULL;
    if (set && (failed = variable_setting_text(session, work, set, &setting, error)))
        return failed;
    failed = session_view(session, work, &view, error); /* the search path is resolved */
    if (concurrent) {
        transaction_renew(session); /* what it sees must not be waited for */
        transaction = NULL;
    }
    struct define_request request = define_request_of(session, work, &defining);
    request.transaction = transaction;
    request.statement = portal->statement->node;
    request.text = portal->statement->text;
    request.setting = setting;
    request.in_block = transaction_is_block(session) || session->several;
    if (!failed && concurrent)
        failed = define_concurrently(&request, tag, error);
    else if (!failed)
        failed = define_execute(&request, &result, error);
    session->environment.catalog = NULL;
    fiber_close_scope(session->world->scheduler, work);
    if (failed)
        return failed;
    if (result.changed) {
        session->catalog_changed = true;
        session->path_version = 0;
    }
    if (result.on_commit.relation)
        note_on_commit(session, result.on_commit);
    if (!concurrent)
        *tag = scope_copy_text(portal->scope, result.tag);
    return SQLSTATE_OK;
}

const char *node_words(const struct Node *node)
{
    switch (nodeTag(node)) {
    case T_CreateStmt:
        return "CREATE TABLE";
    case T_CreateTableAsStmt:
        return "CREATE TABLE AS";
    case T_SelectStmt:
        return "SELECT INTO";
    case T_IndexStmt:
        return "CREATE INDEX";
    case T_ViewStmt:
        return "CREATE VIEW";
    case T_CreateSeqStmt:
        return "CREATE SEQUENCE";
    case T_CreateSchemaStmt:
        return "CREATE SCHEMA";
    case T_DropStmt:
        switch (((const DropStmt *)node)->removeType) {
        case OBJECT_TABLE:
            return "DROP TABLE";
        case OBJECT_INDEX:
            return "DROP INDEX";
        case OBJECT_VIEW:
            return "DROP VIEW";
        case OBJECT_SEQUENCE:
            return "DROP SEQUENCE";
        case OBJECT_SCHEMA:
            return "DROP SCHEMA";
        default:
            return "DROP";
        }
    case T_AlterTableStmt:
        return "ALTER TABLE";
    case T_TruncateStmt:
        return "TRUNCATE TABLE";
    case T_ReindexStmt:
        return "REINDEX";
    case T_CommentStmt:
        return "COMMENT";
    case T_GrantStmt:
        return ((const GrantStmt *)node)->is_grant ? "GRANT" : "REVOKE";
    default:
        return "this statement";
    }
}

/* ---- all ---- */

static enum sqlstate checkpoint_run(struct session *session, struct error *error)
{
    if (!session->superuser)
        return error_set(error, SQLSTATE_PACK('4', '2', '5', '0', '1'),
                         "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT");
    return engine_checkpoint(session->world, session->sessions->options.engine, error);
}

static enum sqlstate missing(const char *statement, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "%s is not supported", statement);
}

enum sqlstate utility_run(struct session *session, struct portal *portal, const char **tag,
                          struct error *error)
{
    const struct Node *node = portal->statement->node;
    enum sqlstate failed = SQLSTATE_OK;
    uint64_t rows = 0;
    char *text;
    switch (nodeTag(node)) {
    case T_TransactionStmt:
        return transaction_statement_run(session, (const TransactionStmt *)node, tag, error);
    case T_VariableSetStmt:
        return variable_set_run(session, portal->scope, (const VariableSetStmt *)node, tag, error);
    case T_VariableShowStmt:
        *tag = "SHOW";
        return show_run(session, portal, (const VariableShowStmt *)node, error);
    case T_PrepareStmt:
        *tag = "PREPARE";
        return prepare_run(session, portal, (const PrepareStmt *)node, error);
    case T_ExecuteStmt:
        return execute_run(session, portal, (const ExecuteStmt *)node, tag, error);
    case T_DeallocateStmt:
        return deallocate_run(session, (const DeallocateStmt *)node, tag, error);
    case T_DeclareCursorStmt:
        *tag = "DECLARE CURSOR";
        return portal_declare(session, portal->statement, (const DeclareCursorStmt *)node, portal, error);
    case T_FetchStmt:
        return portal_fetch(session, (const FetchStmt *)node, tag, portal->scope, error);
    case T_ClosePortalStmt:
        return close_run(session, (const ClosePortalStmt *)node, tag, error);
    case T_DiscardStmt:
        return discard_run(session, (const DiscardStmt *)node, tag, error);
    case T_ExplainStmt:
        *tag = "EXPLAIN";
        return explain_run(session, portal, (const ExplainStmt *)node, error);
    case T_CopyStmt:
        failed = copy_run(session, portal, (const CopyStmt *)node, &rows, error);
        text = scope_alloc(portal->scope, 32);
        snprintf(text, 32, "COPY %" PRIu64, rows);
        *tag = text;
        return failed;
    case T_VacuumStmt:
        return vacuum_run(session, (const VacuumStmt *)node, tag, error);
    case T_CheckPointStmt:
        *tag = "CHECKPOINT";
        return checkpoint_run(session, error);
    case T_ClusterStmt:
        *tag = "CLUSTER";
        return SQLSTATE_OK;
    case T_LockStmt:
        *tag = "LOCK TABLE";
        return lock_run(session, (const LockStmt *)node, error);
    case T_ConstraintsSetStmt:
        *tag = "SET CONSTRAINTS";
        return constraints_run(session, (const ConstraintsSetStmt *)node, error);
    case T_UnlistenStmt:
        *tag = "UNLISTEN";
        return SQLSTATE_OK;
    case T_ListenStmt:
        return missing("LISTEN", error);
    case T_NotifyStmt:
        return missing("NOTIFY", error);
    case T_LoadStmt:
        return missing("LOAD", error);
    case T_DoStmt:
        return missing("DO", error);
    case T_CallStmt:
        return missing("CALL", error);
    default:
        break;
    }
    if (define_handles(node))
        return definition_run(session, portal, tag, error);
    return missing(node_words(node), error);
}
