/* Transactions of a session (PostgreSQL manual, 13 and 55.2.2.1).
 *
 *                    any statement                        BEGIN
 *         NONE ----------------------> IMPLICIT ----------------------> OPEN <------------+
 *          ^  ^                           |                              |  |             | ROLLBACK TO
 *          |  |      end of the query,    |            COMMIT, ROLLBACK  |  |  an error   |
 *          |  +--- Sync, or an error -----+   +--------------------------+  +--------> FAILED
 *          |                                  |                                           |
 *          +----------------------------------+------------- COMMIT, ROLLBACK ------------+
 *
 * The engine's transaction begins with the first statement that needs one, so that SET TRANSACTION may still choose. When a
 * block fails it is rolled back to its innermost savepoint at once, or as a whole: its locks are free before the client
 * has said a word. */
#include "sqlfront/inside.h"

#include "sqlfront/parse/tree.h"

#include <string.h>
#include <strings.h>

/* The engine's number for a level's name. READ UNCOMMITTED is READ COMMITTED. */
static enum isolation isolation_of(const char *name)
{
    if (strcasecmp(name, "serializable") == 0)
        return SERIALIZABLE;
    return strcasecmp(name, "repeatable read") == 0 ? REPEATABLE_READ : READ_COMMITTED;
}

static uint64_t milliseconds(const struct settings *settings, const char *name)
{
    const char *text = settings_get(settings, name);
    uint64_t ms = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        ms = ms * 10 + (uint64_t)(*text - '0');
    return ms;
}

static bool is(const struct settings *settings, const char *name, const char *value)
{
    return strcmp(settings_get(settings, name), value) == 0;
}

/* The ways to carry a plan out that settings tell to do without. */
static uint32_t without(const struct settings *settings)
{
    static const struct {
        const char *setting;
        enum plan_without without;
    } ways[] = {{"enable_hashjoin", WITHOUT_HASH_JOIN},
                {"enable_mergejoin", WITHOUT_MERGE_JOIN},
                {"enable_nestloop", WITHOUT_NESTED_LOOP},
                {"enable_hashagg", WITHOUT_HASH_AGGREGATE},
                {"enable_sort", WITHOUT_SORT}};
    uint32_t told = 0;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (is(settings, ways[i].setting, "off"))
            told |= ways[i].without;
    return told;
}

const struct choices *choices_renew(struct session *session)
{
    const struct settings *settings = &session->settings;
    struct choices *choices = &session->choices;
    const char *isolation = settings_get(settings, "default_transaction_isolation");
    const char *read_only = settings_get(settings, "default_transaction_read_only");
    const char *deferrable = settings_get(settings, "default_transaction_deferrable");
    *choices = (struct choices){
        .as_of = settings->changes,
        .preset = is(settings, "transaction_isolation", isolation) &&
                  is(settings, "transaction_read_only", read_only) &&
                  is(settings, "transaction_deferrable", deferrable),
        .read_only = is(settings, "transaction_read_only", "on"),
        .commit_async = is(settings, "synchronous_commit", "off"),
        .force_custom = is(settings, "plan_cache_mode", "force_custom_plan"),
        .force_generic = is(settings, "plan_cache_mode", "force_generic_plan"),
        .without = without(settings),
        .isolation = isolation_of(settings_get(settings, "transaction_isolation")),
        .lock_timeout_ms = milliseconds(settings, "lock_timeout"),
        .statement_timeout_ms = milliseconds(settings, "statement_timeout"),
        .idle_session_timeout_ms = milliseconds(settings, "idle_session_timeout"),
        .idle_in_transaction_timeout_ms = milliseconds(settings, "idle_in_transaction_session_timeout"),
    };
    return choices;
}

static void characteristics_preset(struct session *session)
{
    if (session_choices(session)->preset)
        return;
    struct settings *settings = &session->settings;
    settings_force(settings, "transaction_isolation",
                   settings_get(settings, "default_transaction_isolation"));
    settings_force(settings, "transaction_read_only",
                   settings_get(settings, "default_transaction_read_only"));
    settings_force(settings, "transaction_deferrable",
                   settings_get(settings, "default_transaction_deferrable"));
}

void transaction_enter(struct session *session)
{
    if (session->state != TRANSACTION_NONE)
        return;
    session->state = TRANSACTION_IMPLICIT;
    session->environment.transaction_time = session->environment.statement_time;
    session->transaction_start = session->environment.transaction_time;
    session->statements_run = false;
    characteristics_preset(session);
}

enum sqlstate transaction_take(struct session *session, struct transaction **transaction, struct error *error)
{
    *transaction = session->transaction;
    if (session->transaction)
        return SQLSTATE_OK;
    const struct choices *choices = session_choices(session);
    uint64_t sequences = catalog_async_scn(session->sessions->options.catalog);
    session->isolation = choices->isolation;
    session->read_only = choices->read_only;
    struct transaction_options options = {
        .isolation = session->isolation,
        .read_only = session->read_only,
        .commit_async = choices->commit_async,
        .lock_timeout_ns = choices->lock_timeout_ms * NS_PER_MS,
        .after_scn = session->async_scn > sequences ? session->async_scn : sequences,
    };
    session->transaction_scope = scope_open(session->scope, "transaction");
    session->catalog_version = catalog_version(session->sessions->options.catalog);
    session->identity.older = false;
    enum sqlstate failed =
        transaction_begin(session->world, session->sessions->options.engine, session->transaction_scope,
                          &options, &session->transaction, error);
    if (!failed)
        failed = deferred_open(session->transaction_scope, &session->deferred, error);
    if (!failed)
        transaction_statement(session->transaction);
    *transaction = session->transaction;
    return failed;
}

bool transaction_is_older(const struct session *session)
{
    return session->transaction && session->isolation == REPEATABLE_READ &&
           session->catalog_version != catalog_version(session->sessions->options.catalog);
}

void transaction_renew(struct session *session)
{
    if (!session->transaction || session->statements_run || session->savepoint)
        return;
    fiber_shield_begin(session->world->scheduler);
    transaction_rollback(session->transaction);
    fiber_shield_end(session->world->scheduler);
    session->environment.catalog = NULL;
    advisory_transaction_ends(session);
    fiber_close_scope(session->world->scheduler, session->transaction_scope);
    session->transaction_scope = NULL;
    session->transaction = NULL;
    session->deferred = NULL;
}

/* What is left to do when a transaction is over, however it ended. */
static void transaction_over(struct session *session, bool committed)
{
    *(committed ? &session->figures->commits : &session->figures->rollbacks) += 1;
    advisory_transaction_ends(session);
    if (session->transaction_scope)
        fiber_close_scope(session->world->scheduler, session->transaction_scope);
    session->transaction_scope = NULL;
    session->transaction = NULL;
    session->deferred = NULL;
    session->savepoint = NULL;
    if (session->catalog_changed)
        session->path_version = 0;
    session->catalog_changed = false;
    session->environment.catalog = NULL;
    session->state = TRANSACTION_NONE;
    session->transaction_start = 0;
    if (committed)
        settings_commit(&session->settings);
    else
        settings_undo_to(&session->settings, 0);
    advisory_transaction_over(session);
}

void transaction_abort(struct session *session)
{
    portals_drop(session, 0, false);
    if (session->transaction) {
        fiber_shield_begin(session->world->scheduler);
        transaction_rollback(session->transaction);
        fiber_shield_end(session->world->scheduler);
    }
    transaction_over(session, false);
}

/* Back to a savepoint: rows, locks, settings, cursors. It stays. */
static enum sqlstate savepoint_restore(struct session *session, const struct savepoint *savepoint,
                                       struct error *error)
{
    portals_drop(session, savepoint->depth, false);
    enum sqlstate failed = SQLSTATE_OK;
    fiber_shield_begin(session->world->scheduler);
    if (savepoint->begun)
        failed = transaction_rollback_to(session->transaction, savepoint->number, error);
    else if (session->transaction)
        transaction_rollback(session->transaction);
    fiber_shield_end(session->world->scheduler);
    if (!savepoint->begun && session->transaction) {
        session->environment.catalog = NULL;
        advisory_transaction_ends(session);
        fiber_close_scope(session->world->scheduler, session->transaction_scope);
        session->transaction_scope = NULL;
        session->transaction = NULL;
        session->deferred = NULL;
    }
    advisory_transaction_ends(session); /* which of them are left the engine knows */
    session->catalog_changed = savepoint->catalog_changed;
    session->path_version = 0;
    settings_undo_to(&session->settings, savepoint->settings_mark);
    return failed;
}

void transaction_fail(struct session *session)
{
    struct error error = {0};
    if (session->state == TRANSACTION_NONE || session->state == TRANSACTION_FAILED)
        return;
    if (session->state == TRANSACTION_IMPLICIT) {
        transaction_abort(session);
        return;
    }
    session->state = TRANSACTION_FAILED;
    if (session->savepoint && !savepoint_restore(session, session->savepoint, &error))
        return;
    /* Nothing of it can come back: give its rows and locks free now. */
    portals_drop(session, 0, false);
    if (!session->transaction)
        return;
    fiber_shield_begin(session->world->scheduler);
    transaction_rollback(session->transaction);
    fiber_shield_end(session->world->scheduler);
    session->environment.catalog = NULL;
    advisory_transaction_ends(session);
    fiber_close_scope(session->world->scheduler, session->transaction_scope);
    session->transaction_scope = NULL;
    session->transaction = NULL;
    session->deferred = NULL;
    session->savepoint = NULL;
    session->catalog_changed = false;
    session->path_version = 0;
}

static enum sqlstate constraints_check(struct session *session, struct error *error)
{
    struct scope *work = scope_open(session->transaction_scope, "deferred");
    struct catalog_view *view;
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
        failed = deferred_check(session->deferred, &request, error);
    scope_close(work);
    return failed;
}

/* Cursors that outlive the transaction, deferred constraints, then what is done with temporary tables: all in it. */
static enum sqlstate before_commit(struct session *session, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    list_each (&session->portals_made, at) {
        struct portal *portal = container_of(at, struct portal, link);
        if (portal->hold && portal->execution && !failed)
            failed = portal_settle(portal, error);
    }
    if (!failed && session->deferred && deferred_any(session->deferred))
        failed = constraints_check(session, error);
    return failed || !session->on_commits ? failed : temporaries_on_commit(session, error);
}

enum sqlstate transaction_end(struct session *session, bool *rolled_back, struct error *error)
{
    *rolled_back = session->state == TRANSACTION_FAILED;
    if (*rolled_back) {
        transaction_abort(session);
        return SQLSTATE_OK;
    }
    enum sqlstate failed = session->transaction ? before_commit(session, error) : SQLSTATE_OK;
    if (failed) {
        transaction_abort(session);
        return failed;
    }
    portals_drop(session, 0, true);
    bool committed = true;
    session->commit_scn = 0;
    if (session->transaction) {
        bool changed = session->catalog_changed;
        struct catalog *catalog = session->sessions->options.catalog;
        bool async = session_choices(session)->commit_async;
        if (changed) {
            /* Others read descriptors in transactions that know nothing of this one's SCN. */
            transaction_commit_waits(session->transaction);
            catalog_commit_begin(catalog);
        }
        failed = transaction_commit(session->transaction, error);
        if (changed)
            catalog_commit_end(catalog);
        committed = !failed;
        session->commit_scn = committed ? transaction_scn(session->transaction) : 0;
        if (committed && async && transaction_scn(session->transaction))
            session->async_scn = transaction_scn(session->transaction);
    }
    transaction_over(session, committed);
    return failed;
}

/* ---- the statements ---- */

static enum sqlstate options_take(struct session *session, const struct List *options, struct error *error)
{
    for (int i = 0; i < list_length(options); i++) {
        const DefElem *option = list_nth(options, i);
        const char *value = NULL;
        if (IsA(option->arg, A_Const)) {
            const A_Const *constant = (const A_Const *)option->arg;
            value = IsA(&constant->val, String)    ? constant->val.sval.sval
                    : IsA(&constant->val, Integer) ? (constant->val.ival.ival ? "on" : "off")
                    : IsA(&constant->val, Boolean) ? (constant->val.boolval.boolval ? "on" : "off")
                                                   : "on";
        }
        enum sqlstate failed =
            settings_set(&session->settings, option->defname, value ? value : "on", SET_LOCAL, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate begin_run(struct session *session, const TransactionStmt *statement, const char **tag,
                               struct error *error)
{
    *tag = statement->kind == TRANS_STMT_BEGIN ? "BEGIN" : "START TRANSACTION";
    if (session->state == TRANSACTION_OPEN)
        session_notice(session, SESSION_WARNING, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                       "there is already a transaction in progress");
    session->state = TRANSACTION_OPEN;
    return options_take(session, statement->options, error);
}

static enum sqlstate end_run(struct session *session, const TransactionStmt *statement, const char **tag,
                             struct error *error)
{
    bool commit = statement->kind == TRANS_STMT_COMMIT, rolled_back = !commit;
    bool chain = statement->chain, is_block = transaction_is_block(session);
    enum sqlstate failed = SQLSTATE_OK;
    char isolation[32], read_only[8], deferrable[8];
    *tag = commit ? "COMMIT" : "ROLLBACK";
    if (!is_block) {
        if (chain)
            return error_set(error, SQLSTATE_PACK('2', '5', 'P', '0', '1'),
                             "%s can only be used in transaction blocks",
                             commit ? "COMMIT AND CHAIN" : "ROLLBACK AND CHAIN");
        session_notice(session, SESSION_WARNING, SQLSTATE_PACK('2', '5', 'P', '0', '1'),
                       "there is no transaction in progress");
    }
    if (chain) {
        snprintf(isolation, sizeof isolation, "%s",
                 settings_get(&session->settings, "transaction_isolation"));
        snprintf(read_only, sizeof read_only, "%s",
                 settings_get(&session->settings, "transaction_read_only"));
        snprintf(deferrable, sizeof deferrable, "%s",
                 settings_get(&session->settings, "transaction_deferrable"));
    }
    if (commit)
        failed = transaction_end(session, &rolled_back, error);
    else
        transaction_abort(session);
    if (failed)
        return failed;
    if (rolled_back)
        *tag = "ROLLBACK";
    if (chain) {
        session->environment.statement_time = session_now(session);
        transaction_enter(session);
        session->state = TRANSACTION_OPEN;
        settings_force(&session->settings, "transaction_isolation", isolation);
        settings_force(&session->settings, "transaction_read_only", read_only);
        settings_force(&session->settings, "transaction_deferrable", deferrable);
    }
    return SQLSTATE_OK;
}

static struct savepoint *savepoint_find(struct session *session, const char *name)
{
    struct savepoint *at = session->savepoint;
    while (at && strcmp(at->name, name) != 0)
        at = at->below;
    return at;
}

static enum sqlstate no_savepoint(const char *name, struct error *error)
{
    return error_set(error, SQLSTATE_PACK('3', 'B', '0', '0', '1'), "savepoint \"%s\" does not exist", name);
}

static enum sqlstate savepoint_run(struct session *session, const TransactionStmt *statement,
                                   const char **tag, struct error *error)
{
    *tag = statement->kind == TRANS_STMT_SAVEPOINT ? "SAVEPOINT"
           : statement->kind == TRANS_STMT_RELEASE ? "RELEASE"
                                                   : "ROLLBACK";
    const char *words = statement->kind == TRANS_STMT_SAVEPOINT ? "SAVEPOINT"
                        : statement->kind == TRANS_STMT_RELEASE ? "RELEASE SAVEPOINT"
                                                                : "ROLLBACK TO SAVEPOINT";
    enum sqlstate failed = transaction_require_block(session, words, error);
    if (failed)
        return failed;
    if (statement->kind == TRANS_STMT_SAVEPOINT) {
        struct transaction *transaction;
        failed = transaction_take(session, &transaction, error);
        if (failed)
            return failed;
        struct savepoint *made = scope_alloc(session->transaction_scope, sizeof *made);
        *made = (struct savepoint){
            .below = session->savepoint,
            .name = scope_copy_text(session->transaction_scope, statement->savepoint_name),
            .begun = true,
            .number = transaction_savepoint(transaction),
            .settings_mark = settings_mark(&session->settings),
            .depth = session->savepoint ? session->savepoint->depth + 1 : 1,
            .catalog_changed = session->catalog_changed,
        };
        session->savepoint = made;
        return SQLSTATE_OK;
    }
    struct savepoint *found = savepoint_find(session, statement->savepoint_name);
    if (!found)
        return no_savepoint(statement->savepoint_name, error);
    if (statement->kind == TRANS_STMT_RELEASE) {
        session->savepoint = found->below;
        return SQLSTATE_OK;
    }
    session->savepoint = found;
    failed = savepoint_restore(session, found, error);
    if (!failed)
        session->state = TRANSACTION_OPEN;
    return failed;
}

enum sqlstate transaction_statement_run(struct session *session, const TransactionStmt *statement,
                                        const char **tag, struct error *error)
{
    switch (statement->kind) {
    case TRANS_STMT_BEGIN:
    case TRANS_STMT_START:
        return begin_run(session, statement, tag, error);
    case TRANS_STMT_COMMIT:
    case TRANS_STMT_ROLLBACK:
        return end_run(session, statement, tag, error);
    case TRANS_STMT_SAVEPOINT:
    case TRANS_STMT_RELEASE:
    case TRANS_STMT_ROLLBACK_TO:
        return savepoint_run(session, statement, tag, error);
    default:
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "prepared transactions are disabled");
    }
}

enum sqlstate transaction_require_none(struct session *session, const char *statement, struct error *error)
{
    if (!transaction_is_block(session) && !session->several)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION, "%s cannot run inside a transaction block",
                     statement);
}

enum sqlstate transaction_require_block(struct session *session, const char *statement, struct error *error)
{
    if (transaction_is_block(session))
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_PACK('2', '5', 'P', '0', '1'),
                     "%s can only be used in transaction blocks", statement);
}

bool transaction_is_exit(const struct Node *statement)
{
    if (!IsA(statement, TransactionStmt))
        return false;
    switch (((const TransactionStmt *)statement)->kind) {
    case TRANS_STMT_COMMIT:
    case TRANS_STMT_ROLLBACK:
    case TRANS_STMT_ROLLBACK_TO:
    case TRANS_STMT_PREPARE:
        return true;
    default:
        return false;
    }
}
