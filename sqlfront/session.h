/* Sessions: what a client's connection stands for in SQL. The one door of sqlfront for pgwire, REST and node/.
 *
 * A session lives on one core and is used by one fiber at a time, the one that opened it or took it over. What statements
 * give goes into the session's *sink*, whose functions may yield, so a client that reads slowly holds its own statement
 * back and nobody else's. Functions that fail have done what an error does to the transaction (an implicit one is rolled
 * back, an explicit one has failed) before they return; whoever speaks to the client passes the error on.
 *
 *     session_open
 *       |  session_query                      a text of statements, each answered in order; ends an implicit transaction
 *       |  session_prepare, _bind, _describe,
 *       |  _execute, _forget ... session_sync  one by one, as the extended query protocol has them (PostgreSQL manual,
 *       |                                     55.2.3); an implicit transaction lasts until session_sync()
 *     session_close
 *
 * Prepared statements of PREPARE, cursors of DECLARE and their counterparts here share one namespace each, as in
 * PostgreSQL. The name "" is the unnamed one. */
#ifndef SYNOD_SQLFRONT_SESSION_H
#define SYNOD_SQLFRONT_SESSION_H

#include "base/world.h"
#include "sqlfront/value/value.h"

struct catalog;
struct engine;
struct session;
struct sessions; /* those of one core */

/* ---- what a statement gives ---- */

/* A column of a result. `relation` and `number` name the table's column it is, 0 when it is none. */
struct session_column {
    const char *name;
    const struct type *type;
    uint32_t relation;
    int32_t modifier;
    int16_t number;
    int16_t format; /* 0 text, 1 binary: as asked for in session_bind(), or by a binary cursor */
};

struct session_shape {
    uint32_t count;
    const struct session_column *columns;
};

/* Some rows: columns[c][selection ? selection[r] : r] for r in 0 .. rows-1. Values are borrowed for the call. */
struct session_rows {
    const struct session_shape *shape;
    const struct value *const *columns;
    const uint16_t *selection;
    uint32_t rows;
};

enum session_severity {
    SESSION_DEBUG,
    SESSION_LOG,
    SESSION_INFO,
    SESSION_NOTICE,
    SESSION_WARNING,
};

struct session_sink;

/* Where results go. What may yield says so; an error from it (the connection is gone, COPY was given up by the client)
 * ends the statement with that error. */
struct session_sink_ops {
    /* session_query() only: the shape of the rows that follow. After session_execute() the client knows it. May yield. */
    enum sqlstate (*shape)(struct session_sink *sink, const struct session_shape *shape, struct error *error);
    /* May yield. */
    enum sqlstate (*rows)(struct session_sink *sink, const struct session_rows *rows, struct error *error);
    /* A statement is done, with its tag ("INSERT 0 1"); NULL = the text held no statement. May yield. */
    enum sqlstate (*complete)(struct session_sink *sink, const char *tag, struct error *error);
    /* A portal has given as many rows as were asked for and has more. May yield. */
    enum sqlstate (*suspended)(struct session_sink *sink, struct error *error);
    /* A notice: an error's fields with another severity. May yield. */
    void (*notice)(struct session_sink *sink, enum session_severity severity, const struct error *notice);
    /* A setting that clients are told of has this value (from now on). May yield. */
    void (*parameter)(struct session_sink *sink, const char *name, const char *value);
    /* COPY TO: begins, gives bytes as they come, ends. May yield. */
    enum sqlstate (*copy_out_begin)(struct session_sink *sink, bool binary, uint32_t columns,
                                    struct error *error);
    enum sqlstate (*copy_out)(struct session_sink *sink, struct bytes row, struct error *error);
    enum sqlstate (*copy_out_end)(struct session_sink *sink, struct error *error);
    /* COPY FROM: begins; gives the next bytes, cut anywhere, valid until the next call; empty at the end. 57014 when the
     * client gave up, with its words. May yield. */
    enum sqlstate (*copy_in_begin)(struct session_sink *sink, bool binary, uint32_t columns,
                                   struct error *error);
    enum sqlstate (*copy_in)(struct session_sink *sink, struct bytes *data, struct error *error);
};

/* Embedded by whoever implements it. */
struct session_sink {
    const struct session_sink_ops *ops;
};

/* ---- all sessions of a core ---- */

struct sessions_options {
    struct engine *engine;
    struct catalog *catalog; /* this core's */
    void *shared;      /* zeroed room of sessions_shared_size() bytes, the same for all cores of the node */
    uint16_t sql_port; /* what SHOW port says */
};

/* Opens this core's part. Freed with the scope, after the last session. Does not yield. */
size_t sessions_shared_size(void);
enum sqlstate sessions_open(struct world *world, struct scope *scope, const struct sessions_options *options,
                            struct sessions **sessions, struct error *error);

/* Ends what the core's sessions do by themselves (statistics), and waits for it; to be called when no session is left, before
 * the engine closes. Yields. */
void sessions_close(struct sessions *sessions);

/* Before any core serves: removes what a crash has left of temporary files. Yields. */
enum sqlstate sessions_clean(struct world *world, struct engine *engine, struct error *error);

/* What there is to know of a role before its password was checked. An unknown one is `found` = false, to be treated like one
 * whose password is wrong. The verifier's memory is the scope's; NULL = the role has none. Yields. */
struct session_login {
    bool found;
    bool may_login;
    const char *verifier; /* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> */
    int64_t valid_until;  /* us since 2000-01-01; INT64_MAX = ever */
};
enum sqlstate sessions_login(struct sessions *sessions, struct scope *scope, const char *role,
                             struct session_login *login, struct error *error);

/* Asks the session that has this process id and key, on whichever core it is, to give up its statement: 57014. Nothing
 * happens when there is none, or it is idle. Yields. */
void sessions_cancel(struct sessions *sessions, uint32_t process, uint32_t key);

/* ---- one session ---- */

struct session_options {
    const char *database;
    const char *role;              /* whose password was checked; NULL: the node itself, with all rights */
    const char *const *parameters; /* name, value, name, value, ..., NULL: settings wanted at the start */
    const char *client_address;    /* "" = unknown */
    struct session_sink *sink;     /* outlives the session */
    /* Asks whoever runs the session to end it (pg_terminate_backend, idle timeouts): must not yield. The error is what to
     * tell the client. */
    void (*terminate)(void *argument, enum sqlstate state, const char *message);
    void *argument;
    /* The session lives in the scope that is given, which is the caller's to close behind session_close(), and not in one of its
     * own: that saves a chunk of memory. */
    bool in_scope;
};

/* Opens a session, tells the sink all parameters that clients are told of. 3D000 no such database, 28000 no such role, 42501,
 * 53300, 42704 and 22023 for parameters. It is closed with the scope, but should be closed before by session_close().
 * Yields. */
enum sqlstate session_open(struct sessions *sessions, struct scope *scope,
                           const struct session_options *options, struct session **session,
                           struct error *error);

/* Rolls back what is open and ends the session. Yields. */
void session_close(struct session *session);

/* Forgets plans and the unnamed statement; they are made again when they are wanted. For a session that nobody uses for a while;
 * nothing happens while a transaction is open. Does not yield. */
void session_trim(struct session *session);

/* Whether DISCARD ALL would change nothing that another client could see: plans are kept, and so is what was prepared by
 * session_prepare(), which the caller knows of. */
bool session_is_new(const struct session *session);

/* What a client needs to cancel its statements. */
void session_identity(const struct session *session, uint32_t *process, uint32_t *key);

/* 'I' no transaction is open, 'T' one is, 'E' one has failed. */
char session_status(const struct session *session);

/* The system change number of the last commit, 0 when it wrote nothing. */
uint64_t session_commit_scn(const struct session *session);

/* PostgreSQL's version that all sessions say they are (server_version). */
const char *sessions_server_version(void);

/* What a setting says now, in its unit; NULL when there is none of the name. Valid until it is set. */
const char *session_setting(const struct session *session, const char *name);

/* Asks the statement under way to stop (57014). Nothing happens when the session is idle. Does not yield. */
void session_interrupt(struct session *session);

/* Between the two, statements have the rights of the superuser made at first start, whatever the session's role; names must
 * be written with their schema. For what a door keeps beside its clients' statements, in the same transaction. A
 * statement's text must never come from a client. */
void session_elevate_begin(struct session *session);
void session_elevate_end(struct session *session);

/* Lets a portal that has more rows outlive the implicit transaction: session_sync() reads the rest into memory. */
void session_hold(struct session *session, const char *portal);

/* For forms of values (struct type_ops); valid while the session is. */
struct environment *session_environment(struct session *session);

/* A text of statements, as the simple query protocol has it: each is answered into the sink; all of them are one implicit
 * transaction unless they say otherwise, committed at the end. An empty text completes with tag NULL. `text` ends with a zero
 * byte and is read in the beginning only. Yields. */
enum sqlstate session_query(struct session *session, const char *text, struct error *error);

/* Prepares one statement. A type of 0 (or none given) is inferred; 42P05 when the name is taken. Yields. */
enum sqlstate session_prepare(struct session *session, const char *name, const char *text,
                              const uint32_t *parameter_types, uint32_t parameters, struct error *error);

/* Prepared statements and portals. */
enum session_thing { SESSION_STATEMENT = 'S', SESSION_PORTAL = 'P' };

struct session_description {
    uint32_t parameters; /* of a statement */
    const uint32_t *parameter_types;
    const struct session_shape *shape; /* NULL = it gives no rows */
    bool reads_only;  /* it is a query that changes nothing: has to be kept or done once by nobody */
    const char *kind; /* "select", "insert", ...; "utility" */
};

/* Memory is the thing's. 26000 or 34000 when there is none of the name. Yields. */
enum sqlstate session_describe(struct session *session, enum session_thing thing, const char *name,
                               struct session_description *description, struct error *error);

/* Makes a portal of a statement and parameters. Format counts are 0 (all text), 1 (for all) or one for each. */
struct session_bind {
    const char *portal;
    const char *statement;
    uint32_t parameters;
    const struct bytes *values; /* data NULL = null. Borrowed for the call */
    uint32_t parameter_formats;
    const int16_t *parameter_format;
    uint32_t result_formats;
    const int16_t *result_format;
};
enum sqlstate session_bind(struct session *session, const struct session_bind *bind, struct error *error);

/* Runs a portal for at most that many rows (0 = all); may be called again when it was suspended. Yields. */
enum sqlstate session_execute(struct session *session, const char *portal, uint32_t rows_max,
                              struct error *error);

/* Closes a statement or portal; that there is none is no error. Yields. */
void session_forget(struct session *session, enum session_thing thing, const char *name);

/* Ends the implicit transaction: commits it, or rolls it back when `failed` (something since the last sync went wrong, be it
 * outside the session). May fail as COMMIT does. Yields. */
enum sqlstate session_sync(struct session *session, bool failed, struct error *error);

#endif
