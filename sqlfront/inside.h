/* What the files of the session share. One session is one client's; all of it belongs to the core it lives on. */
#ifndef SYNOD_SQLFRONT_INSIDE_H
#define SYNOD_SQLFRONT_INSIDE_H

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/scope.h"
#include "base/slab.h"
#include "base/text.h"
#include "sqlfront/bind/bind.h"
#include "sqlfront/catalog/catalog.h"
#include "sqlfront/define/define.h"
#include "sqlfront/parse/parse.h"
#include "sqlfront/plan/plan.h"
#include "sqlfront/run/run.h"
#include "sqlfront/session.h"
#include "sqlfront/settings.h"

/* What a core keeps of statements and recipes for whoever sends the same text again: the longest unused go first. Each is some
 * ten to thirty kilobytes; an application has some hundred that count. */
#define PLANS_BYTES_MAX (32UL * 1024 * 1024)
/* ... and of the node's memory for that core no more than this part. */
#define PLANS_SHARE(limit) ((limit) / 16)
/* Longer texts (bulk INSERTs) are hardly ever the same twice. */
#define STATEMENT_KEPT_BYTES_MAX (16 * 1024)
/* Texts remembered by their checksums, for the second time they come: 16 KiB a core. */
#define STATEMENTS_SEEN 4096
/* Recipes of one statement, for sessions of different roles, search paths or settings: they are looked through one by one. */
#define RECIPES_OF_STATEMENT_MAX 64
/* What pg_stat_activity shows of a statement: PostgreSQL's track_activity_query_size. */
#define ACTIVITY_BYTES 1024
/* Parameters of a statement: the protocol's bound. */
#define PARAMETERS_MAX 65535
/* Rows behind it that a cursor not declared SCROLL keeps, so that small ones can be read backward. */
#define CURSOR_PAST_ROWS_MAX 4096

#define US_FROM_1970_TO_2000 946684800000000L
#define NS_PER_MS            1000000UL

/* ---- all sessions ---- */

/* All cores of a node. */
struct sessions_shared {
    struct sessions *core[CORES_MAX]; /* each published by its core before that core's first session */
};

struct sessions {
    struct world *world;
    struct scope *scope;
    struct sessions_options options;
    struct sessions_shared *shared;
    struct list all; /* session.link */
    uint32_t count;
    uint32_t sequence; /* of the last process id */
    struct map_seed seed;
    int64_t started;   /* us since 2000 */
    uint64_t commands; /* of all sessions so far */
    struct plans *plans;
    /* tend.c */
    struct map watched;
    struct fiber *tending; /* NULL = it has ended */
    struct fiber_queue tended;
    bool closing;
};

/* ---- statements ---- */

struct Node;
struct RawStmt;

/* What a recipe depends on beside its text, its parameters' types and the catalog's version, as bytes that are the same for all
 * who have the same: database, roles, schemas of the search path, settings that binding and planning look at. */
struct footing {
    uint32_t holders; /* sessions and recipes */
    uint32_t bytes;
    uint8_t key[];
};

/* Types of a statement's parameters; `oid` NULL = as the client has given them, the others inferred. */
struct parameter_types {
    uint32_t count;
    const uint32_t *oid;
};

/* A plan that can be run, as long as somebody holds it. Nothing in it changes but the last two, so all sessions of a core use the
 * same. Who holds it holds its statement, whose tree it points into. */
struct recipe {
    struct scope *scope;
    struct list_link link;    /* in statement.recipes, the latest used first */
    struct list_link of_core; /* in plans.recipes, when it is of a kept statement */
    uint32_t holders;
    struct footing *footing;   /* held */
    struct catalog_view *view; /* holds the descriptors, and does nothing else */
    struct query *query;
    struct planned *planned;
    const struct point *point;  /* of `planned`; NULL = it is no such plan */
    struct session_shape shape; /* count 0 and columns NULL = gives no rows */
    struct parameter_types parameters;
    uint64_t catalog_version;
    size_t bytes;
    bool through_views;
    bool own;    /* made while this transaction had changed the catalog: not to be used again */
    bool forced; /* for types that were inferred when the catalog was another */
    bool again;  /* can be used again at all */
    /* Plans made for one execution's parameters, and what they cost together by their own estimates, planning included. */
    uint32_t customs;
    double customs_cost;
};

/* What the client of a prepared statement was told, and stays true; shared by those that were told the same. */
struct told {
    struct scope *scope;
    struct list_link link; /* in statement.told */
    uint32_t holders;
    struct parameter_types parameters;
    struct session_shape shape;
    const char *kind;
    bool reads_only;
};

/* A statement's text, parsed, with its recipes. Kept ones are the core's: any session may hold them. */
struct statement {
    struct scope *scope;
    struct statement *source; /* whose text and tree these are, held; NULL = own */
    struct list_link link;    /* in plans.recent, when `kept` */
    uint32_t holders;
    bool kept;       /* in the core's cache */
    const char *key; /* text, then the given parameter types: what the cache finds it by */
    size_t key_bytes;
    size_t bytes;     /* of a kept one, its recipes not counted */
    const char *text; /* the whole source; positions are in it */
    const struct parsed *parsed;
    struct bytes own_text;
    const struct Node *node; /* NULL = empty */
    uint32_t given;          /* parameter types given by the client */
    const uint32_t *given_types;
    bool plannable;      /* SELECT, INSERT, UPDATE, DELETE, MERGE */
    bool timeless;       /* its text has no 'now' or the like: a recipe may be used again */
    struct list recipes; /* recipe.link */
    struct list told;    /* told.link */
};

/* Statements and recipes that all sessions of a core use (plans.c). */
struct plans {
    struct scope *scope;
    struct slab_pool *pool; /* footings, prepared statements */
    struct map footings;    /* by key */
    struct map statements;  /* by key: those that are kept */
    struct list recent;     /* statement.link, longest unused first */
    struct list recipes;    /* recipe.of_core */
    uint64_t version;       /* of the catalog, which all of them are of */
    size_t bytes, bytes_max;
    uint32_t seen[STATEMENTS_SEEN]; /* checksums of texts that came lately, at their places */
    struct {
        struct metric_counter *parsed, *found; /* statements */
        struct metric_counter *made, *used;    /* recipes; used again */
        struct metric_counter *bytes;
    } metrics;
};

/* A prepared statement by name; a piece of plans.pool. */
struct prepared {
    struct statement *statement;
    struct told *told; /* NULL = nothing: prepared in a failed transaction, or empty */
    int64_t time;
    uint32_t bytes;
    bool from_sql;
    char name[];
};

/* ---- portals ---- */

/* Rows kept, in memory or on disk. */
struct spool;

enum portal_state { PORTAL_READY, PORTAL_RUNNING, PORTAL_DONE, PORTAL_FAILED };

struct portal {
    const char *name;
    struct list_link link; /* in session.portals_made, oldest first */
    struct session *session;
    struct scope *scope;
    struct statement *statement;
    struct recipe *recipe;        /* NULL of utilities */
    struct parameter_types types; /* those the client knows; `oid` NULL = as given */
    bool nameless;                /* cannot be found: of EXECUTE and the like */
    char tag[64];                 /* how it went */
    uint8_t state;
    bool is_cursor, scroll, no_scroll, hold, binary;
    bool analyze, keep; /* EXPLAIN ANALYZE: figures are taken; the execution is kept after its end */
    uint32_t parameters;
    struct value *values;
    struct session_shape shape; /* with the formats asked for */
    struct planned *planned;    /* the recipe's, or one for these parameters; NULL = not chosen yet */
    struct execution *execution;
    struct scope *running; /* of the execution */
    const struct batch *batch;
    uint32_t batch_at; /* rows of the batch that were given */
    struct spool *spool;
    uint64_t spool_first; /* place of the spool's first row in the result */
    uint64_t at;          /* rows before the cursor: 0 = before the first */
    bool complete;        /* everything is in the spool, the execution is over */
    bool past_end;        /* the cursor stands behind the last row */
    uint64_t rows;        /* given so far, for the tag */
    uint64_t depth;       /* savepoints when it was made */
    int64_t time;
};

/* ---- transactions ---- */

enum transaction_state { TRANSACTION_NONE, TRANSACTION_IMPLICIT, TRANSACTION_OPEN, TRANSACTION_FAILED };

struct savepoint {
    struct savepoint *below;
    const char *name;
    bool begun;      /* the engine's transaction had begun */
    uint64_t number; /* the engine's */
    uint64_t settings_mark;
    uint64_t depth; /* 1 = lowest */
    bool catalog_changed;
};

/* A lock taken by pg_advisory_lock(): held by a transaction of its own, which lasts until it is given back. */
struct advisory {
    struct list_link link;
    struct scope *scope;
    struct lock_object object;
    struct transaction *transaction; /* that holds it */
    bool shared, of_transaction;
    bool owed; /* held by the session's own transaction for the time being, to be taken when that is over */
    uint32_t count;
};

/* Settings that every statement asks for, read out of their texts once for each change of any. */
struct choices {
    uint64_t as_of; /* settings.changes */
    bool preset;    /* transaction_isolation and its like are what default_transaction_... says */
    bool read_only, commit_async;
    bool force_custom, force_generic; /* plan_cache_mode */
    uint32_t without;                 /* enum plan_without: enable_hashjoin and its like */
    enum isolation isolation;
    uint64_t lock_timeout_ms, statement_timeout_ms, idle_session_timeout_ms, idle_in_transaction_timeout_ms;
};

struct session {
    struct list_link link; /* in sessions.all */
    struct sessions *sessions;
    struct world *world;
    struct scope *scope;
    struct scope_undo *gone;
    struct session_options options;
    uint32_t process, key;
    bool superuser;
    bool several; /* the query under way holds several statements */

    struct catalog_session identity;
    struct activity *figures; /* the database's, on this core */
    const char *database, *role, *session_role, *login_role;
    struct known_role *known_roles; /* those that settings have named */
    struct environment environment;
    struct settings settings;
    uint64_t new_as_of; /* settings.changes when they were as at the start */
    struct choices choices;
    struct scope *zone_scope; /* of a time zone made of a rule; NULL = none */
    /* work_mem, the same times hash_mem_multiplier, temp_file_limit (0 = none), in bytes */
    struct {
        size_t memory, hash;
        uint64_t temporary;
    } grants;
    struct on_commit *on_commit; /* temporary tables that are emptied or dropped at commit */
    uint32_t on_commits, on_commits_room;
    uint32_t *path; /* identity.search_path */
    uint64_t path_version, path_generation;
    struct footing *footing; /* held; NULL = not asked for yet. For these: */
    uint64_t footing_generation, footing_path;
    uint64_t path_changes; /* how often other schemas were found */

    /* transaction.c */
    uint8_t state; /* enum transaction_state */
    struct scope *transaction_scope;
    struct transaction *transaction; /* NULL = not begun yet */
    struct deferred *deferred;
    struct savepoint *savepoint; /* innermost */
    bool catalog_changed;
    bool statements_run; /* something was asked of the data: the isolation is fixed */
    bool read_only;
    enum isolation isolation;
    uint64_t catalog_version;                      /* when the transaction began, or before */
    uint64_t async_scn;                            /* of the last commit that was not waited for */
    uint64_t commit_scn;                           /* of the last commit; 0 = it wrote nothing */
    uint32_t elevated_role, elevated_session_role; /* whose rights come back; 0 = they hold */
    bool elevated_superuser;
    struct list advisory_locks;

    /* statement.c */
    struct map prepared, portals; /* by name */
    uint32_t prepared_from_sql;   /* of the prepared ones, those of PREPARE */
    struct portal *unnamed;       /* the one called ""; NULL = there is none */
    struct list portals_made;     /* portal.link */

    /* the statement under way */
    struct fiber *fiber; /* NULL = idle */
    struct copy *copy;   /* the COPY FROM under way */
    uint32_t copy_range; /* place of its source in the statement being bound */
    struct progress progress;
    struct fiber_timer statement_timer, idle_timer;

    /* pg_stat_activity */
    char activity[ACTIVITY_BYTES];
    uint32_t activity_bytes;
    int64_t backend_start, transaction_start, query_start, state_change;
};

/* What the settings come to now. */
const struct choices *choices_renew(struct session *session);
static inline const struct choices *session_choices(struct session *session)
{
    return session->choices.as_of == session->settings.changes ? &session->choices : choices_renew(session);
}

/* ---- session.c ---- */

int64_t session_now(struct session *session); /* us since 2000-01-01 */

/* A notice, unless client_min_messages is above it. */
void session_notice(struct session *session, enum session_severity severity, enum sqlstate state,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
void session_notice_error(struct session *session, enum session_severity severity,
                          const struct error *notice);

/* Opens a view of the catalog for the scope, in the session's transaction (begun if need be), and puts it into the
 * environment. Yields. */
enum sqlstate session_view(struct session *session, struct scope *scope, struct catalog_view **view,
                           struct error *error);

/* Whether the session may have that role (SET ROLE, SET SESSION AUTHORIZATION): 22023 there is none, 42501. Yields. */
enum sqlstate session_role_check(struct session *session, const char *name, struct error *error);
enum sqlstate session_authorization_check(struct session *session, const char *name, struct error *error);
/* It has it from now on; "none" and "" stand for the one before. Does not yield. */
void session_role_apply(struct session *session, const char *name);
void session_authorization_apply(struct session *session, const char *name);

/* variable.c: what ALTER ROLE ... SET keeps, "name=value", checked; NULL = it resets. The scope's. May yield. */
struct VariableSetStmt;
enum sqlstate variable_setting_text(struct session *session, struct scope *scope,
                                    const struct VariableSetStmt *set, const char **text,
                                    struct error *error);

/* ---- transaction.c ---- */

/* A command begins: an implicit transaction if none is open. */
void transaction_enter(struct session *session);

/* The engine's transaction, begun if it has not been. Does not yield. */
enum sqlstate transaction_take(struct session *session, struct transaction **transaction,
                               struct error *error);

/* Whether the transaction goes on seeing data as of before the last change of the catalog. */
bool transaction_is_older(const struct session *session);

/* The statement failed: rolls back what has to be. Yields. */
void transaction_fail(struct session *session);

/* Ends the transaction: commits, or rolls back when it has failed (*rolled_back). Yields. */
enum sqlstate transaction_end(struct session *session, bool *rolled_back, struct error *error);
void transaction_abort(struct session *session);

struct TransactionStmt;
enum sqlstate transaction_statement_run(struct session *session, const struct TransactionStmt *statement,
                                        const char **tag, struct error *error);

/* 25001, 25P01 of statements that need to be alone, or in a transaction block. */
/* What CREATE TEMPORARY TABLE ... ON COMMIT asked for; in the transaction that commits. Yields. (utility.c) */
enum sqlstate temporaries_on_commit(struct session *session, struct error *error);
enum sqlstate transaction_require_none(struct session *session, const char *statement, struct error *error);
enum sqlstate transaction_require_block(struct session *session, const char *statement, struct error *error);

/* The isolation was chosen anew: a transaction of the engine's that nothing was asked of yet is begun again. Yields. */
void transaction_renew(struct session *session);

/* Whether the transaction is one that the user began. */
static inline bool transaction_is_block(const struct session *session)
{
    return session->state == TRANSACTION_OPEN || session->state == TRANSACTION_FAILED;
}

/* Whether `statement` may be run in a failed transaction. */
bool transaction_is_exit(const struct Node *statement);

/* ---- plans.c ---- */

void plans_open(struct sessions *sessions);

/* What the session's recipes stand on now: valid until its settings, roles or search path change. */
struct footing *session_footing(struct session *session);
void footing_release(struct plans *plans, struct footing *footing);

/* Whether a text that was parsed now is worth keeping: it came before, not long ago. Clients that write values into their statements
 * never send one twice, and what is thrown away at once was never cold. */
bool plans_seen_before(struct plans *plans, struct bytes key);
/* The statement kept for the text and types, held for the caller; NULL = none. */
struct statement *plans_find(struct plans *plans, struct bytes key);
/* Keeps one, whose scope is the core's; others may go for it. */
void plans_keep(struct plans *plans, struct statement *statement, struct bytes key);
/* The recipe for that, of that version; NULL = none. Of a statement that is kept or not. */
struct recipe *plans_recipe(struct plans *plans, struct statement *statement, const struct footing *footing,
                            uint64_t version, const struct parameter_types *types);
/* Puts one among the statement's, in front; the caller's hold stays the caller's. */
void plans_add(struct plans *plans, struct statement *statement, struct recipe *recipe);
/* Drops all recipes of a statement; of all kept statements (DISCARD PLANS). Those that run live on. */
void plans_drop(struct plans *plans, struct statement *statement);
void plans_forget(struct plans *plans);

/* ---- statement.c ---- */

/* Parses a text of one statement, or finds it among the kept ones. 42601 when it holds several (*several, may be NULL).
 * `repeats`: it is likely to come again, and kept at its first time. Held once for the caller. Does not yield. */
enum sqlstate statement_find(struct session *session, const char *text, const struct parameter_types *given,
                             bool repeats, bool *several, struct statement **statement, struct error *error);
/* A whole text of several statements; they are had by statement_of_text(). Held once for the caller. Does not yield. */
enum sqlstate statements_parse(struct session *session, const char *text, struct statement **source,
                               uint32_t *count, struct error *error);
/* One of them. Held once for the caller. */
struct statement *statement_of_text(struct session *session, struct statement *source, uint32_t index);
/* A statement within another one (EXPLAIN, DECLARE, PREPARE, COPY (query)). Held once for the caller. */
struct statement *statement_within(struct session *session, struct statement *outer, const struct Node *node);
void statement_hold(struct statement *statement);
void statement_release(struct session *session, struct statement *statement);

/* The statement's recipe for these types (NULL = as given), held for the caller, if there is one that still holds. */
bool statement_recipe_held(struct session *session, struct statement *statement,
                           const struct parameter_types *types, struct recipe **recipe);

/* The statement's recipe for these types (NULL = as given), made if there is none that still holds. `view` is one of now. The
 * recipe is held for the caller. Yields. */
enum sqlstate statement_recipe(struct session *session, struct statement *statement,
                               const struct parameter_types *types, struct catalog_view *view,
                               struct recipe **recipe, struct error *error);
void recipe_release(struct plans *plans, struct recipe *recipe);

/* The plan for an execution with these parameters: the recipe's, or one made for them alone in the scope. Yields. */
enum sqlstate recipe_plan(struct session *session, struct recipe *recipe, struct scope *scope,
                          const struct value *values, uint32_t count, struct planned **planned,
                          struct error *error);

/* "select", "insert", ... of what recipes are made for. */
const char *recipe_kind(const struct recipe *recipe);

/* ---- check.c ---- */

/* Privileges, read only: what must hold each time a recipe is run. Yields. */
enum sqlstate recipe_check(struct session *session, const struct recipe *recipe, struct catalog_view *view,
                           struct error *error);

/* ---- prepared.c: prepared statements by name ---- */

struct prepared *prepared_find(struct session *session, const char *name);
enum sqlstate prepared_make(struct session *session, const char *name, struct statement *statement,
                            bool from_sql, struct error *error);
/* Types of its parameters, and the shape of its rows (columns NULL = gives none), as the client knows them. */
const struct parameter_types *prepared_types(const struct prepared *prepared);
const struct session_shape *prepared_shape(const struct prepared *prepared);
/* 0A000 when the statement gives other columns now than the client was told of. */
enum sqlstate prepared_check(const struct prepared *prepared, const struct recipe *recipe,
                             struct error *error);
void prepared_drop(struct session *session, struct prepared *prepared);
void prepared_drop_all(struct session *session);

/* ---- portal.c ---- */

struct portal *portal_find(struct session *session, const char *name);

/* Makes a portal; `name` NULL = one that cannot be found. 42P03 when the name is taken and is not "". The statement is held
 * by it. */
enum sqlstate portal_make(struct session *session, const char *name, struct statement *statement,
                          struct portal **portal, struct error *error);
void portal_drop(struct portal *portal);

/* Starts a portal's plan with the parameters in portal->values. Yields. */
enum sqlstate portal_start(struct portal *portal, struct error *error);
/* Chooses the plan for them: done when it is run, and by EXPLAIN, which does not run it. Yields. */
enum sqlstate portal_plan(struct portal *portal, struct error *error);

/* The next rows, at most `most` (0 = what there is); rows->rows = 0 at the end. Valid until the next call. Yields. */
enum sqlstate portal_pull(struct portal *portal, uint32_t most, struct session_rows *rows,
                          struct error *error);

/* Puts everything that is still to come into the spool and ends the execution. Yields. */
enum sqlstate portal_settle(struct portal *portal, struct error *error);
/* The same for all that are under way, before something else is run in the transaction. Yields. */
enum sqlstate portals_settle(struct session *session, const struct portal *but, struct error *error);

/* At the end of a transaction (or of savepoints above `depth`): those made in it go, WITH HOLD ones stay if it commits. */
void portals_drop(struct session *session, uint64_t depth, bool committed);

/* FETCH and MOVE: rows go to the sink when `send`. Yields. */
struct FetchStmt;
enum sqlstate portal_fetch(struct session *session, const struct FetchStmt *fetch, const char **tag,
                           struct scope *scope, struct error *error);
struct DeclareCursorStmt;
enum sqlstate portal_declare(struct session *session, struct statement *outer,
                             const struct DeclareCursorStmt *declare, const struct portal *by,
                             struct error *error);

/* Runs a portal's plan into the sink for at most rows_max rows (0 = all); portal->tag says how it went, unless there is more.
 * Yields. */
enum sqlstate portal_send(struct portal *portal, uint32_t rows_max, bool *more, struct error *error);

/* Runs a portal likewise, and tells the sink: complete or suspended. Yields. */
enum sqlstate portal_run(struct portal *portal, uint32_t rows_max, struct error *error);

/* ---- tend.c ---- */

/* Begins to keep statistics current. */
enum sqlstate tending_open(struct sessions *sessions, struct error *error);
/* A plan was made: its tables are watched from now on. Does not yield. */
void tending_note(struct session *session, const struct plan *plan);

/* ---- spool.c ---- */

struct spool *spool_open(struct session *session, struct scope *scope, const struct session_shape *shape);
enum sqlstate spool_add(struct spool *spool, const struct session_rows *rows, struct error *error);
uint64_t spool_count(const struct spool *spool);
struct scope *spool_scope(const struct spool *spool);
/* Some rows from `at` on, at most `most` (0: as many as come); good until the next call. Yields. */
enum sqlstate spool_rows(struct spool *spool, uint64_t at, uint32_t most, struct session_rows *rows,
                         struct error *error);

/* ---- utility.c ---- */

/* Runs a statement that is no SELECT, INSERT, UPDATE, DELETE or MERGE; rows it gives go into the sink. `portal` is the one it
 * is run by. Yields. */
enum sqlstate utility_run(struct session *session, struct portal *portal, const char **tag,
                          struct error *error);

/* The arguments of EXECUTE, as parameters of a portal of the prepared statement: 42601 for their number. Yields. */
struct ExecuteStmt;
enum sqlstate execute_arguments(struct session *session, const struct portal *outer, struct portal *inner,
                                const struct ExecuteStmt *execute, const struct prepared *prepared,
                                struct error *error);

/* The shape of what it would give; NULL = no rows. Yields. */
enum sqlstate utility_shape(struct session *session, struct scope *scope, const struct statement *statement,
                            const struct session_shape **shape, struct error *error);

/* What PostgreSQL calls a statement by that defines something. */
const char *node_words(const struct Node *node);

/* The session's temporary tables go. Yields. */
enum sqlstate temporary_drop(struct session *session, struct error *error);

/* Runs a query of our own in the session's transaction and gives the values of its first row (of the scope; null when there is
 * none). Yields. */
enum sqlstate internal_row(struct session *session, struct scope *scope, const char *sql, uint32_t columns,
                           struct value *values, bool *found, struct error *error);

/* Sends one row of texts (NULL = null) with the portal's shape. Yields. */
enum sqlstate sink_text_row(struct session *session, const struct session_shape *shape,
                            const char *const *texts, struct error *error);

/* ---- others ---- */

/* activity.c: cancels (or ends) the session with that process id, on whichever core. Yields. */
enum sqlstate sessions_signal(struct session *session, uint32_t process, bool terminate, bool *found,
                              struct error *error);

struct VariableSetStmt;
enum sqlstate variable_set_run(struct session *session, struct scope *scope,
                               const struct VariableSetStmt *set, const char **tag, struct error *error);

/* explain.c */
struct ExplainStmt;
enum sqlstate explain_run(struct session *session, struct portal *portal, const struct ExplainStmt *explain,
                          struct error *error);

/* copy.c */
struct CopyStmt;
enum sqlstate copy_run(struct session *session, struct portal *portal, const struct CopyStmt *copy,
                       uint64_t *rows, struct error *error);

/* advisory.c: gives all session-level locks back; the transaction is about to end, is over. May yield. */
void advisory_release_all(struct session *session);
void advisory_transaction_ends(struct session *session);
void advisory_transaction_over(struct session *session);

#endif
