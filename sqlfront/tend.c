/* Statistics kept current without anybody asking: every ten seconds each core looks at the tables its plans were made for, and runs
 * ANALYZE where a table has grown or shrunk by a fifth (and 500 rows) since the last one, whoever ran that. Tables that nobody plans
 * for cost nothing. ANALYZE gives the catalog another version, so plans are made anew with what it found. */
#include "sqlfront/inside.h"

#include <stdio.h>

#define LOOK_EVERY_NS 10000000000UL
/* As PostgreSQL's autovacuum_analyze_scale_factor and _threshold, but that few rows are looked at more seldom. */
#define CHANGED_SHARE 0.2
#define CHANGED_ROWS  500
/* Tables one core watches at most; those that come later are analyzed by ANALYZE alone. */
#define WATCHED_MAX 10000

struct watched {
    uint64_t store;
    uint32_t relation;
    const char *database;
    double rows; /* when last looked at */
};

/* ---- what is watched ---- */

static void watch(struct session *session, const struct relation *relation)
{
    struct sessions *sessions = session->sessions;
    struct error error = {0};
    if (relation->oid < OID_USER_FIRST || relation->kind != RELATION_TABLE || relation->persistence == 't' ||
        sessions->watched.count >= WATCHED_MAX || map_find_number(&sessions->watched, relation->store))
        return;
    struct watched *watched = scope_alloc(sessions->scope, sizeof *watched);
    *watched = (struct watched){.store = relation->store,
                                .relation = relation->oid,
                                .database = scope_copy_text(sessions->scope, session->database)};
    (void)map_put_number(&sessions->watched, relation->store, watched, NULL, &error);
}

void tending_note(struct session *session, const struct plan *plan)
{
    if (plan->relation && (plan->kind == PLAN_SCAN || plan->kind == PLAN_LOOKUP_JOIN))
        watch(session, plan->relation);
    for (uint32_t i = 0; i < plan->inputs; i++)
        tending_note(session, plan->kind == PLAN_APPEND ? plan->append[i] : plan->input[i]);
    for (uint32_t i = 0; i < plan->commons; i++)
        tending_note(session, plan->common[i]);
}

/* ---- a client of our own: keeps the first text it is given ---- */

struct reader {
    struct session_sink sink;
    char text[512];
};

static enum sqlstate reader_shape(struct session_sink *sink, const struct session_shape *shape,
                                  struct error *error)
{
    (void)sink;
    (void)shape;
    (void)error;
    return SQLSTATE_OK;
}

static enum sqlstate reader_rows(struct session_sink *sink, const struct session_rows *rows,
                                 struct error *error)
{
    struct reader *reader = container_of(sink, struct reader, sink);
    (void)error;
    const struct value *value = &rows->columns[0][rows->selection ? rows->selection[0] : 0];
    if (rows->rows && !value->null && value->size < sizeof reader->text) {
        memcpy(reader->text, value->p, value->size);
        reader->text[value->size] = 0;
    }
    return SQLSTATE_OK;
}

static enum sqlstate reader_complete(struct session_sink *sink, const char *tag, struct error *error)
{
    (void)sink;
    (void)tag;
    (void)error;
    return SQLSTATE_OK;
}

static void reader_notice(struct session_sink *sink, enum session_severity severity,
                          const struct error *notice)
{
    (void)sink;
    (void)severity;
    (void)notice;
}

static void reader_parameter(struct session_sink *sink, const char *name, const char *value)
{
    (void)sink;
    (void)name;
    (void)value;
}

static const struct session_sink_ops reader_ops = {.shape = reader_shape,
                                                   .rows = reader_rows,
                                                   .complete = reader_complete,
                                                   .notice = reader_notice,
                                                   .parameter = reader_parameter};

/* ---- looking ---- */

static bool has_changed(struct sessions *sessions, struct watched *watched)
{
    struct table_size size;
    struct error error = {0};
    if (table_measure(sessions->world, sessions->options.engine, watched->store, &size, &error))
        return false;
    double rows = (double)size.rows;
    double difference = rows > watched->rows ? rows - watched->rows : watched->rows - rows;
    if (difference <= CHANGED_SHARE * watched->rows + CHANGED_ROWS)
        return false;
    watched->rows = rows;
    return true;
}

/* Whether it is due says pg_class: others analyze, too. */
static void analyze(struct sessions *sessions, const struct watched *watched)
{
    static const char *const parameters[] = {"application_name", "autovacuum worker", NULL};
    struct scope *scope = scope_open(sessions->scope, "autovacuum worker");
    struct reader reader = {.sink = {.ops = &reader_ops}};
    const struct session_options options = {
        .database = watched->database, .parameters = parameters, .client_address = "", .sink = &reader.sink};
    struct session *session;
    struct error error = {0};
    char sql[600];
    snprintf(sql, sizeof sql,
             "SELECT pg_catalog.format('ANALYZE %%I.%%I', n.nspname, c.relname) "
             "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) "
             "c.relnamespace "
             "WHERE c.oid OPERATOR(pg_catalog.=) %u AND c.relkind OPERATOR(pg_catalog.=) 'r' AND "
             "pg_catalog.abs(%.0f - greatest(c.reltuples, 0)) OPERATOR(pg_catalog.>) %g "
             "* greatest(c.reltuples, 0) + %d",
             watched->relation, watched->rows, CHANGED_SHARE, CHANGED_ROWS);
    if (!session_open(sessions, scope, &options, &session, &error)) {
        if (strcmp(settings_get(&session->settings, "autovacuum"), "on") == 0 &&
            !session_query(session, sql, &error) && reader.text[0] &&
            session_query(session, reader.text, &error))
            log_error(sessions->world, LOG_WARN, "auto_analyze_failed", &error, "%s", reader.text);
        session_close(session);
    }
    fiber_close_scope(sessions->world->scheduler, scope);
}

static void look_at_all(struct sessions *sessions)
{
    const struct map_entry *entry;
    size_t at = 0, count = 0;
    struct scope *scope = scope_open(sessions->scope, "watched tables");
    /* Others may be noted while we wait. */
    struct watched **list = scope_alloc(scope, (sessions->watched.count + 1) * sizeof *list);
    for (size_t most = sessions->watched.count; count < most && (entry = map_next(&sessions->watched, &at));)
        list[count++] = entry->value;
    for (size_t i = 0; i < count && !sessions->closing; i++)
        if (has_changed(sessions, list[i]))
            analyze(sessions, list[i]);
    fiber_close_scope(sessions->world->scheduler, scope);
}

static void run_tending(void *argument)
{
    struct sessions *sessions = argument;
    struct scheduler *scheduler = sessions->world->scheduler;
    uint64_t commands =
        0; /* until the last look: when nobody asked anything since, nobody waits for statistics */
    while (!sessions->closing) {
        if (fiber_sleep_until(scheduler, sessions->world->now_ns + LOOK_EVERY_NS) == FIBER_CANCELED)
            break;
        if (!sessions->closing && sessions->commands != commands)
            look_at_all(sessions);
        commands = sessions->commands;
    }
    sessions->tending = NULL;
    (void)fiber_wake_all(&sessions->tended);
}

enum sqlstate tending_open(struct sessions *sessions, struct error *error)
{
    map_init(&sessions->watched, MAP_OF_NUMBERS, sessions->scope, sessions->seed);
    fiber_queue_init(&sessions->tended);
    return fiber_start(sessions->world->scheduler, sessions->scope, "statistics", run_tending, sessions,
                       &sessions->tending, error);
}

void sessions_close(struct sessions *sessions)
{
    struct scheduler *scheduler = sessions->world->scheduler;
    sessions->closing = true;
    if (sessions->tending)
        fiber_cancel(sessions->tending, SQLSTATE_ADMIN_SHUTDOWN,
                     "terminating autovacuum process due to administrator command");
    fiber_shield_begin(scheduler);
    while (sessions->tending)
        (void)fiber_wait(scheduler, &sessions->tended, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    plans_forget(sessions->plans);
}
