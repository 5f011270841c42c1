/* What the files of the REST interface share. All of it belongs to the core it lives on, but for struct api_shared. */
#ifndef SYNOD_RESTGW_API_INSIDE_H
#define SYNOD_RESTGW_API_INSIDE_H

#include "base/check.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/scope.h"
#include "base/text.h"
#include "restgw/api/api.h"
#include "restgw/api/key.h"
#include "restgw/api/limits.h"
#include "restgw/api/operations.h"
#include "restgw/http/http.h"
#include "restgw/http/json_in.h"
#include "restgw/http/json_out.h"
#include "restgw/http/problem.h"
#include "sqlfront/session.h"

#define NS_PER_MS            1000000UL
#define US_PER_MS            1000L
#define US_FROM_1970_TO_2000 946684800000000L
#define JSON_TYPE            "application/json"
#define LINES_TYPE           "application/x-ndjson"

/* States that sqlfront raises and that mean something here. */
#define STATE_UNKNOWN_OUTCOME  SQLSTATE_PACK('4', '0', '0', '0', '3')
#define STATE_INVALID_PASSWORD SQLSTATE_PACK('2', '8', 'P', '0', '1')
#define STATE_PRIVILEGE        SQLSTATE_PACK('4', '2', '5', '0', '1')
#define STATE_NO_TABLE         SQLSTATE_PACK('4', '2', 'P', '0', '1')
#define STATE_NO_SCHEMA        SQLSTATE_PACK('3', 'F', '0', '0', '0')
#define STATE_NO_STATEMENT     SQLSTATE_PACK('2', '6', '0', '0', '0')
#define STATE_NO_DATABASE      SQLSTATE_PACK('3', 'D', '0', '0', '0')
#define STATE_BAD_TEXT         SQLSTATE_PACK('2', '2', 'P', '0', '2')

/* All cores of a node: written before any of them serves, but for `core`. */
struct api_shared {
    struct http *http;
    uint32_t cores;
    uint64_t started_us; /* since 1970: numbers begin here, so that none comes twice after a restart */
    uint8_t secret[32];
    struct api *core[CORES_MAX]; /* published by each core when it begins to serve */
};

struct metrics {
    struct metric_counter *sessions, *sessions_total, *sign_ins_failed;
    struct metric_counter *statements, *errors, *rows, *transactions, *cancelled, *replayed;
    struct metric_histogram *statement_us;
};

/* One core's. */
struct api {
    struct world *world;
    struct scope *scope;
    struct api_shared *shared;
    struct api_options options;
    struct map_seed seed;
    uint64_t number; /* of the last id */
    bool draining;
    struct list sessions; /* rest.link, longest unused first */
    uint32_t session_count;
    struct map by_number; /* of rests with a key */
    struct map by_cookie;
    struct list one_offs; /* rest.link: idle ones without a key, longest unused first */
    uint32_t one_off_count;
    struct map runs;     /* struct run by its id, those that can be asked for */
    struct map prepared; /* struct common by its id */
    struct list commons; /* longest unused first */
    uint32_t common_count;
    struct outcome *outcomes; /* a ring of OUTCOMES_KEPT */
    uint64_t outcome_count;
    struct request_record *requests; /* a ring of REQUESTS_KEPT */
    uint64_t request_count;
    struct throttle_slot *throttle; /* THROTTLE_SLOTS */
    struct proof *proofs;           /* PROOFS_KEPT */
    struct key_held *keys;          /* KEYS_KEPT */
    bool trying;                    /* a password is being tried */
    struct fiber_queue tries;       /* those who wait for that */
    struct fiber *ticker;
    struct fiber_queue ticker_gone;
    struct list known; /* databases whose schema `synod_rest` is there: struct known_database */
    struct metrics metrics;
};

/* ---- who asks ---- */

enum scope_bits { SCOPE_SQL = 1, SCOPE_READ = 2, SCOPE_ADMIN = 4, SCOPE_METRICS = 8, SCOPE_ALL = 15 };

enum principal_kind { PRINCIPAL_NONE, PRINCIPAL_SESSION, PRINCIPAL_KEY, PRINCIPAL_PASSWORD };

struct principal {
    enum principal_kind kind;
    const char *role, *database; /* `database` NULL = not said */
    uint32_t scopes;             /* of enum scope_bits */
    bool cookie;
    const char *key_id; /* of an API key */
};

/* One request at its handler. */
struct http_call {
    struct api *api;
    struct world *world;
    struct http_exchange *exchange;
    const struct http_head *head;
    struct scope *scope;     /* the exchange's */
    const struct json *body; /* checked; NULL when the route takes none */
    struct principal principal;
    struct rest *rest;    /* the caller's own session; NULL = it has none */
    struct rest *serving; /* the session taken for this call: its own, or a one-off; NULL = none yet */
    bool answered;
    int status;  /* of the answer */
    char id[37]; /* the request's, as text */
    uint64_t began_ns;
    uint64_t request; /* its place in the log of requests */
    struct error error;
};

/* ---- sessions ---- */

/* A transaction that has an id. */
struct rest_transaction {
    uint64_t number; /* 0 = none */
    bool named;      /* begun here, not by SQL's BEGIN: statements must name it */
    bool wrote;
    uint64_t seq; /* the last statement's */
    int64_t started_us;
    char label[201];
    /* The last statement's answer, to be given again. */
    int status;
    struct bytes body; /* data == NULL: it cannot be given again (a stream) */
    void *memory;
};

struct rest {
    struct list_link link; /* in api.sessions or api.one_offs */
    struct api *api;
    struct scope *scope;
    struct session *session;
    struct session_sink sink;
    struct result *result; /* where the statement under way gives its rows; NULL = nowhere */
    uint64_t number;       /* 0 = has no key: a one-off */
    const char *role, *database;
    char application[64];
    uint32_t scopes;
    uint32_t idle_ms;
    int64_t created_us, used_us;
    uint64_t used_ns;
    bool busy;
    bool trimmed;       /* nothing is kept for its next statement */
    bool closing;       /* no request begins any more */
    const char *ending; /* why it was told to end; NULL = it was not */
    bool cookie;
    char cookie_text[64], csrf[24];
    char key_text[SESSION_KEY_TEXT_BYTES]; /* the key that was given out; "" = none was */
    uint32_t waiting;
    struct fiber_queue queue;
    struct rest_transaction transaction;
    struct list runs; /* run.link, oldest first */
    uint32_t run_count, cursors;
    const struct idempotency *idempotency; /* of the statement under way; NULL = none */
    uint32_t portal_number;
    bool implicit;    /* cursors hold the implicit transaction open */
    struct map ready; /* prepared statements the session has: struct ready by id */
    struct list readies;
    uint32_t ready_count;
    struct load *load; /* what the session was opened for; NULL = for its client */
};

/* rest.c */

struct rest_options {
    const char *role, *database, *application, *client;
    const char *const *settings; /* name, value, ..., NULL */
    uint32_t idle_ms, scopes;
    bool keyed, cookie;
};

/* Opens a session. Yields. */
enum sqlstate rest_open(struct api *api, const struct rest_options *options, struct rest **rest,
                        struct error *error);

/* Ends it: waits for whoever uses it, rolls back. The memory is gone then. Yields. */
void rest_close(struct rest *rest);

/* Takes the session for one request, first come first served; 53300 when too many wait, 08003 when it ends. Yields. */
enum sqlstate rest_take(struct rest *rest, struct error *error);
void rest_give(struct rest *rest);

/* A session for one request without one: of that role in that database. Taken. Yields. */
enum sqlstate one_off_take(struct api *api, const char *role, const char *database, const char *client,
                           struct rest **rest, struct error *error);
/* Makes it as new and keeps it for the next, or ends it. Yields. */
void one_off_give(struct rest *rest);

struct rest *rest_find(struct api *api, uint64_t number);

/* Looks for what nobody uses any more, every REST_TICK_MS. */
void rest_tick(void *api);

/* "1.1.4711" of a session, transaction or load, in the scope. */
const char *id_text(struct scope *scope, uint64_t number);
bool id_read(struct bytes text, uint64_t *number);
uint64_t id_draw(struct api *api);
static inline uint32_t id_core(const struct api_shared *shared, uint64_t number)
{
    return (uint32_t)(number & (CORES_MAX - 1)) % shared->cores;
}

int64_t wall_us(const struct api *api);

/* ---- who is it (signin.c) ---- */

/* Memory for what sign-ins remember. */
enum sqlstate proofs_open(struct api *api, struct error *error);

/* Whether the password is the role's: 28P01, 28000 when not, 53300 when there were too many failures. Yields. */
enum sqlstate password_prove(struct http_call *call, const char *role, struct bytes password,
                             struct error *error);
/* Takes "Basic ..." apart. */
bool basic_read(struct scope *scope, struct bytes header, const char **role, struct bytes *password);
/* Whose API key it is: 28000 when nobody's. Yields. */
enum sqlstate key_prove(struct http_call *call, struct bytes key, struct principal *principal,
                        struct error *error);
/* What the caller has shown of itself. False after an answer was given. Yields. */
bool call_authenticate(struct http_call *call);
/* Has every core forget that the key was found to hold. Yields. */
void key_forget(struct http_call *call, const char *id);
void call_address(const struct http_call *call, char text[static NET_ADDRESS_TEXT_BYTES]);

/* One request of the last REQUESTS_KEPT. */
struct request_record {
    char id[37], method[8], path[160], role[64];
    int status;
    int64_t started_us;
    uint64_t elapsed_us;
    uint64_t session;
};

/* ---- calls (call.c) ---- */

/* Gives back what the call took. Yields. */
void call_end(struct http_call *call);

/* A text in the call's scope. */
const char *call_format(struct http_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *scope_text(struct scope *scope, struct bytes bytes);

/* Appends "schema.name" or "name", as it stands in a path, as identifiers of SQL. A part may be quoted as SQL quotes, which is
 * how regclass wants names with capitals; unquoted ones are taken as they are. A name with a dot in it may be "schema.na.me". */
void relation_write(struct text *text, struct http_call *call, const char *name);

/* The session that serves the call, taken: the caller's own, or one for this request in `database` (NULL = the caller's).
 * NULL after an answer was given. Yields. */
struct rest *call_session(struct http_call *call, const char *database);

/* The same for looking something up: where the caller's session is busy or its transaction has failed, another one of the same
 * role answers, so that a page can show tables and sessions while its own statement runs. */
struct rest *call_reader(struct http_call *call, const char *database);

/* The caller's own session, not taken; NULL after an answer was given that it needs one. */
struct rest *call_own(struct http_call *call);

/* Refuses what the caller's API key is not for. False after an answer was given. */
bool call_allowed(struct http_call *call, uint32_t scope);

/* Whether the caller is a superuser; false after an answer was given when `must`. Yields. */
bool call_superuser(struct http_call *call, bool must);

/* Answers. */
void call_fail(struct http_call *call, const struct error *error);
void call_problem(struct http_call *call, int status, const char *type, const char *title,
                  const char *detail);
void call_refuse(struct http_call *call, struct problem *problem);
void call_answer(struct http_call *call, int status, struct json_out *out);
/* Any whole answer, with one header (NULL = none), whose texts and body outlive the call (constants, or the call's scope). */
void call_reply(struct http_call *call, int status, const char *type, const char *name, const char *value,
                struct bytes body);
void call_body(struct http_call *call, int status, struct bytes body, bool replayed);
void call_nothing(struct http_call *call); /* 204 */
/* The node's own version and PostgreSQL's, as members of an object. */
void versions_write(struct json_out *out);

/* The problem an error is, with the state of the session's transaction. */
struct problem call_problem_of(struct http_call *call, const struct rest *rest, const struct error *error);

/* ---- what statements ask and give (result.c, value.c, parameter.c) ---- */

enum result_mode { RESULT_PAGE, RESULT_LINES, RESULT_CELLS, RESULT_COPY };

struct result_options {
    bool text, int8_number, json_inline;
    uint32_t rows_max;
    size_t bytes_max;
};

struct notice {
    char severity[8];
    struct error error;
};

/* Cells as texts: what our own queries give. */
struct table {
    uint32_t columns, rows;
    struct bytes *cell; /* row by row; data == NULL is null */
    uint32_t room;
};

/* Where a statement's rows go. */
struct result {
    enum result_mode mode;
    struct rest *rest;
    struct scope *scope;
    struct result_options options;
    struct json_out
        out; /* of a page: rows separated by commas, without brackets; of lines: what is not sent yet */
    struct bytes columns; /* JSON of the columns; data == NULL = it gives none */
    uint64_t rows;        /* given on this page, or stream */
    size_t bytes;         /* of the rows of this page that left `out` */
    bool suspended, completed, truncated;
    char tag[64];
    struct notice *notices; /* NOTICES_MAX at most */
    uint32_t notice_count, notices_lost;
    struct table table; /* RESULT_CELLS */
    /* RESULT_LINES, RESULT_COPY */
    struct http_exchange *exchange;
    const char *content_type;
    const struct http_header *headers;
    size_t header_count;
    bool streaming; /* the answer has begun */
    uint64_t progress_ns;
    /* several statements in one text */
    bool several;
    struct json_out earlier; /* of a page: the results before this one, as JSON objects */
    uint32_t results;
    /* COPY FROM */
    struct bytes input;
    bool input_given, streaming_input;
};

extern const struct session_sink_ops result_sink_ops;

/* The members `columns` and `rows`, when it has some. */
void result_rows_write(struct json_out *out, const struct result *result);
void result_begin(struct result *result, struct rest *rest, struct scope *scope, enum result_mode mode);

/* JSON of the columns. */
void columns_write(struct json_out *out, struct environment *environment, const struct session_shape *shape);
void type_name_write(struct json_out *out, struct environment *environment, const struct type *type);

/* "SELECT" of "SELECT 5"; the number at its end, -1 when there is none. */
void tag_read(const char *tag, char command[static 64], int64_t *count);

/* Sends what there is of a stream, beginning the answer if need be. Yields. */
enum sqlstate result_send(struct result *result, struct error *error);

/* value.c: one value as JSON. `scope` is for what it takes meanwhile. Does not yield. */
enum sqlstate value_write(struct json_out *out, struct environment *environment, struct scope *scope,
                          const struct result_options *options, const struct type *type,
                          const struct value *value, struct error *error);

/* parameter.c: the bytes (text form) of a JSON value for a parameter of that type (0 = not known). `number` is the
 * parameter's, for words. 22023, 22P02. Does not yield. */
struct parameters {
    uint32_t count;
    const struct json *const *value;
    uint32_t *type; /* given; 0 = to be inferred */
};
enum sqlstate parameters_read(struct rest *rest, struct scope *scope, const struct json *array,
                              struct parameters *parameters, struct error *error);
enum sqlstate parameter_form(struct environment *environment, struct scope *scope, uint32_t number,
                             const struct json *value, uint32_t type, struct bytes *form,
                             struct error *error);

/* Types by the names clients know them by; 0 when it is none that is built in. */
uint32_t type_named(const char *name);

/* json.c: writes a value that was read, as it was. */
void json_copy(struct json_out *out, const struct json *value);

/* ---- own queries (query.c) ---- */

/* Runs one statement in the session with text parameters (NULL = null) in whatever transaction is open, or an implicit one that
 * is not ended. `table` may be NULL. Cells are the scope's. Yields. */
enum sqlstate query_run(struct rest *rest, struct scope *scope, const char *sql, const char *const *values,
                        uint32_t count, struct table *table, struct error *error);
/* The same as a transaction of its own. */
enum sqlstate query_once(struct rest *rest, struct scope *scope, const char *sql, const char *const *values,
                         uint32_t count, struct table *table, struct error *error);
/* The same with the house's rights, in a session of the house: in that database. */
enum sqlstate query_house(struct api *api, struct scope *scope, const char *database, const char *sql,
                          const char *const *values, uint32_t count, struct table *table,
                          struct error *error);
static inline struct bytes table_cell(const struct table *table, uint32_t row, uint32_t column)
{
    return table->cell[row * table->columns + column];
}

/* record.c: makes sure that schema `synod_rest` and its tables are in that database. Yields. */
enum sqlstate records_ready(struct api *api, const char *database, struct error *error);
/* What was done, by whom: written in the background of the request, after it. Yields. */
void audit_write(struct http_call *call, const char *role, const char *action, const char *subject,
                 const char *outcome);
/* Forgets records that are too old. Yields. */
void records_clean(struct api *api);

/* ---- transactions (transaction.c) ---- */

struct outcome {
    uint64_t number;
    uint64_t commit_scn;
    uint64_t seq;
    uint8_t state; /* enum outcome_state */
    char role[64];
    char label[64];
    int64_t started_us, ended_us;
};
enum outcome_state { OUTCOME_NONE, OUTCOME_COMMITTED, OUTCOME_ROLLED_BACK, OUTCOME_UNKNOWN };

/* Begins one with an id in the session. Yields. */
enum sqlstate transaction_open(struct rest *rest, const struct json *options, struct error *error);
/* Ends it. A commit that writes leaves its outcome in a table first. 08007 when the outcome is not known. Yields. */
enum sqlstate transaction_finish(struct rest *rest, bool commit, struct error *error);
/* Looks at the session after a statement: SQL may have begun or ended a transaction. */
void transaction_look(struct rest *rest, const char *tag);
void transaction_write(struct json_out *out, const struct rest *rest);
void outcome_write(struct json_out *out, const struct outcome *outcome);
const struct outcome *outcome_find(const struct api *api, uint64_t number);
const char *transaction_state_word(const struct rest *rest);
/* The word for problems: none, active, failed. */
const char *problem_transaction_state(const struct rest *rest);

/* ---- statements ---- */

/* What POST /v1/statements asks for. Memory is that of the scope it was read into. */
struct statement_request {
    const char *sql; /* NULL = `prepared` */
    const char *prepared;
    const struct json *params, *param_sets; /* NULL = absent */
    const struct json *transaction;
    struct result_options options;
    uint32_t timeout_ms;
    int64_t wait_ms; /* -1 = until it has ended */
    const char *label;
    char id[37];
    bool id_given;
    bool lines;
};

/* request.c: what the body asks for. 22023, 54000. */
enum sqlstate request_read(struct scope *scope, const struct json *body, struct statement_request *request,
                           struct error *error);
void result_options_read(const struct json *options, struct result_options *result);
/* Whether a text may hold several statements: a semicolon outside of strings and comments, with something behind it. */
bool text_is_several(const char *text);

enum run_status { RUN_RUNNING, RUN_COMPLETE, RUN_FAILED, RUN_CANCELLED, RUN_CLOSED };

/* A statement that can be asked for: it goes on without its request, has rows to give, or its id was chosen by the client. */
struct run {
    struct list_link link; /* in rest.runs, oldest first */
    struct rest *rest;
    struct scope *scope;
    char id[37];
    enum run_status status;
    bool held;           /* a cursor: there are more rows */
    bool in_transaction; /* its cursor ends with the session's transaction */
    bool detached;       /* runs in a fiber of its own */
    bool stop;           /* cancelled before it began */
    char portal[16];
    struct result_options options;
    const char *sql, *label;
    int64_t started_us, ended_us;
    uint64_t used_ns;
    uint64_t page;        /* the number of the last page given */
    uint64_t rows;        /* given so far */
    struct bytes columns; /* JSON */
    int answer;           /* HTTP status of `body` */
    struct bytes body;    /* the last page, or the problem; data == NULL = none */
    void *memory;
    struct fiber_queue ended;         /* woken when it has ended */
    struct statement_request request; /* of a detached one */
};

/* run.c */
struct run *run_open(struct rest *rest, const char *id, const char *sql, const char *label,
                     struct error *error);
void run_forget(struct run *run);
void runs_drop(struct rest *rest);
void runs_tick(struct rest *rest, uint64_t now_ns);
struct run *run_find(struct api *api, const char *id);
/* Keeps a copy of the body: what GET gives. */
void run_keep(struct run *run, int status, struct bytes body);
/* Forgets ended ones that are too many. */
void runs_trim(struct rest *rest);
void run_write(struct json_out *out, const struct run *run);
/* Writes one of the caller's role, on whichever core it is, and whether it is running; nothing when there is none. Yields. */
enum sqlstate run_show(struct http_call *call, struct scope *scope, const char *id, struct json_out *out,
                       bool *running, void (*write)(struct json_out *out, const struct run *run));
/* Has it cancelled likewise; whether there is one. Yields. */
bool run_stop(struct http_call *call, const char *id);
/* Answers with a list of the statements of all cores. Yields. */
void runs_answer(struct http_call *call, bool all, bool detached, struct bytes status,
                 void (*write)(struct json_out *out, const struct run *run));

/* Cursors of the session's transaction end with it. */
void runs_transaction_over(struct rest *rest);

/* statement.c: runs a statement in a taken session and writes the answer's body (of RESULT_LINES: everything but what was sent
 * already). What has more rows than fit becomes *run's cursor; *run may be NULL, then one is made. Yields. */
enum sqlstate statement_run(struct rest *rest, struct statement_request *request, struct result *result,
                            struct run **run, struct json_out *body, struct error *error);

/* Runs a statement in a fiber of its own and answers when it has ended, or has taken too long. Yields. */
void statement_detach(struct http_call *call, const struct statement_request *request);

/* Finds or begins the transaction a statement is to run in. *replay: its answer was given before. Yields. */
enum sqlstate selector_take(struct rest *rest, const struct json *selector, bool *replay,
                            struct error *error);

/* Runs a statement and answers with lines. Yields. */
void lines_answer(struct http_call *call, struct rest *rest, struct statement_request *request);

/* The next page of a cursor. Yields. */
enum sqlstate statement_page(struct run *run, struct scope *scope, uint32_t rows_max, struct json_out *body,
                             struct error *error);

/* Ends the implicit transaction that cursors hold open: their rows are kept in memory from now on. Yields. */
enum sqlstate cursors_settle(struct rest *rest, struct error *error);

/* A statement in the session, ready to be bound. */
struct ready {
    struct list_link link;
    const char *name; /* in the session; also its id where it has one */
    struct scope *scope;
    uint32_t parameters;
    const uint32_t *types;
    struct bytes columns; /* JSON; data == NULL = it gives no rows */
    bool reads_only;
    const char *kind;
};

/* Describes what was prepared under that name. Memory is the scope's. Yields. */
enum sqlstate ready_describe(struct rest *rest, struct scope *scope, const char *name, struct ready *ready,
                             struct error *error);

/* prepared.c: the statement of that id, prepared in the session: 26000 when nobody here knows the id. Yields. */
enum sqlstate ready_find(struct rest *rest, const char *id, struct ready **ready, struct error *error);
/* It could not be bound: when that is because its columns have changed, or the session has none of the name (DEALLOCATE), it
 * goes, and the client is told to prepare it again. Gives the error to answer with. Does not yield. */
enum sqlstate ready_lost(struct rest *rest, struct ready *ready, struct error *error);
void readies_drop(struct rest *rest);
void commons_drop(struct api *api);
void parameters_write(struct json_out *out, struct environment *environment, const uint32_t *types,
                      uint32_t count);

/* idempotency.c: "not twice". */
struct idempotency {
    const char *key; /* NULL = none */
    const char *role, *digest;
    bool replayed;
    int status; /* of the replay */
    struct bytes body;
};
/* Begins: what was kept is in *idempotency when `replayed`. 55006 while another request with the key is under way, 22023 when
 * it was another request's. Leaves the implicit transaction open. Yields. */
enum sqlstate idempotency_begin(struct http_call *call, struct rest *rest, struct idempotency *idempotency,
                                struct error *error);
/* Writes the record, before the implicit transaction is committed. Yields. */
enum sqlstate idempotency_keep(struct rest *rest, struct scope *scope, const struct idempotency *idempotency,
                               int status, struct bytes body, struct error *error);

/* load.c */
void loads_drop(struct rest *rest);

/* metrics.c */
void metrics_open(struct api *api);
/* What the figures were when they were last shown. */
struct picture {
    uint64_t at_ns, statements;
    struct metric_histogram statement_us;
};
/* The figures now, as one object; rates are since `before`, which is set. */
void metrics_picture(struct api *api, struct picture *before, struct json_out *out);

/* items.c: rows of one JSON text each, as a list with `limit` and `cursor`, or the only one of them. `house`: with the house's
 * rights. `database` NULL = the caller's. 404 with `what` when there is none. Yields. */
void items_answer(struct http_call *call, const char *database, bool house, const char *sql,
                  const char *const *values, uint32_t count);
void item_answer(struct http_call *call, const char *database, bool house, const char *what, const char *sql,
                 const char *const *values, uint32_t count);
/* Whether what is there is what the header If-Match wants; false after an answer was given. Yields. */
bool item_matches(struct http_call *call, const char *database, const char *what, const char *sql,
                  const char *const *values, uint32_t count);

/* catalog.c, roles.c: the query that gives one thing, whose name is $1. */
const char *database_sql(struct http_call *call);
const char *schema_sql(struct http_call *call);
const char *table_sql(void);
const char *view_sql(void);
const char *sequence_sql(void);
const char *type_sql(void);
const char *function_sql(const char *name);
const char *role_sql(struct http_call *call);

/* sessions.c: {"<process id>": {"session_id": .., "statement_id": ..}} of all REST sessions. Yields. */
enum sqlstate session_names(struct api *api, struct scope *scope, const char **object, struct error *error);
/* activity.c: pid and j, with that object as $1. */
extern const char activity_sql[];

/* DDL run as the caller, in one transaction; answered with its text, or only that when the query says dry_run. Yields. */
struct ddl {
    struct http_call *call;
    const char *text[32];
    uint32_t count;
};
void ddl_add(struct ddl *ddl, struct text *text);
void ddl_run(struct ddl *ddl, const char *database, int status, const char *action, const char *subject);
bool query_truth(struct http_call *call, const char *name);
uint64_t query_number(struct http_call *call, const char *name, uint64_t otherwise);

/* One session made known to those who come without its key: its cursors or running statement outlive the request. */
enum sqlstate rest_keep(struct rest *rest, struct error *error);

#endif
