/* The thread of the core and the thread of the fuzzer take turns: one hands work over and waits, the other does it. */
#include "test/fuzz/database.h"

#include "base/check.h"
#include "base/linux/linux.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "engine/engine.h"
#include "sqlfront/catalog/catalog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So that a statement that would go on for ever is a matter of a moment, with sanitizers, too. */
#define STATEMENT_TIMEOUT "500ms"

#define NODE_MEMORY_BYTES (256 << 20)

struct job {
    struct linux_landing landing;
    void (*work)(struct client *client, void *argument);
    void *argument;
    const char *const *setup;
    bool stop;
};

static struct database {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open, done;
    char directory[64];
    /* the core's */
    struct world *world;
    struct sessions *sessions;
    struct fiber_queue wanted;
    struct job *job;
    void (*end)(void *argument);
    void *end_argument;
} database = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- the client ---- */

static enum sqlstate sink_shape(struct session_sink *sink, const struct session_shape *shape,
                                struct error *error)
{
    return SQLSTATE_OK;
}

static enum sqlstate sink_rows(struct session_sink *sink, const struct session_rows *rows,
                               struct error *error)
{
    struct client *client = (struct client *)sink;
    struct environment *environment = session_environment(client->session);
    struct scope *scope = scope_open(client->scope, "rows");
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t r = 0; r < rows->rows && !failed; r++)
        for (uint32_t c = 0; c < rows->shape->count && !failed; c++) {
            const struct value *value = &rows->columns[c][rows->selection ? rows->selection[r] : r];
            const struct type *type = rows->shape->columns[c].type;
            struct bytes form;
            check(type && type->ops);
            if (value->null)
                continue;
            failed = type->ops->out(environment, scope, type, value, &form, error);
            if (!failed)
                failed = type->ops->send(environment, scope, type, value, &form, error);
            if (!failed && client->keeps)
                client->sent =
                    bytes_of(scope_copy(client->scope, form.data, form.size + !form.size), form.size);
        }
    client->rows += rows->rows;
    scope_close(scope);
    /* A type without a binary form is the client's mistake to ask for. */
    return failed == SQLSTATE_UNDEFINED_FUNCTION ? SQLSTATE_OK : failed;
}

static enum sqlstate sink_complete(struct session_sink *sink, const char *tag, struct error *error)
{
    return SQLSTATE_OK;
}

static enum sqlstate sink_suspended(struct session_sink *sink, struct error *error)
{
    return SQLSTATE_OK;
}

static void sink_notice(struct session_sink *sink, enum session_severity severity, const struct error *notice)
{
    check(error_text(notice, ERROR_MESSAGE));
}

static void sink_parameter(struct session_sink *sink, const char *name, const char *value)
{
    check(name && value);
}

static enum sqlstate sink_copy_begin(struct session_sink *sink, bool binary, uint32_t columns,
                                     struct error *error)
{
    return SQLSTATE_OK;
}

static enum sqlstate sink_copy_out(struct session_sink *sink, struct bytes row, struct error *error)
{
    struct client *client = (struct client *)sink;
    if (!client->copy_out)
        return SQLSTATE_OK;
    if (client->copy_out_size + row.size > client->copy_out_room)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "more than was meant to be copied");
    if (row.size)
        memcpy(client->copy_out + client->copy_out_size, row.data, row.size);
    client->copy_out_size += row.size;
    return SQLSTATE_OK;
}

static enum sqlstate sink_copy_out_end(struct session_sink *sink, struct error *error)
{
    return SQLSTATE_OK;
}

static enum sqlstate sink_copy_in(struct session_sink *sink, struct bytes *data, struct error *error)
{
    struct client *client = (struct client *)sink;
    size_t size = client->copy_in.size;
    if (client->copy_piece && size > client->copy_piece)
        size = client->copy_piece;
    *data = bytes_of(client->copy_in.data, size);
    client->copy_in = bytes_of(client->copy_in.data + size, client->copy_in.size - size);
    return SQLSTATE_OK;
}

static const struct session_sink_ops client_ops = {
    .shape = sink_shape,
    .rows = sink_rows,
    .complete = sink_complete,
    .suspended = sink_suspended,
    .notice = sink_notice,
    .parameter = sink_parameter,
    .copy_out_begin = sink_copy_begin,
    .copy_out = sink_copy_out,
    .copy_out_end = sink_copy_out_end,
    .copy_in_begin = sink_copy_begin,
    .copy_in = sink_copy_in,
};

/* Whether PostgreSQL, too, calls it an internal error. */
static bool is_postgres_own(const char *message)
{
    return strncmp(message, "unsupported jsonb version number ", 33) == 0;
}

/* What failed says why, with a state that is one of SQL's. */
static enum sqlstate judge(struct client *client, enum sqlstate failed)
{
    char state[6];
    check(!failed || error_text(&client->error, ERROR_MESSAGE));
    check(!failed || failed == client->error.state);
    if (failed) {
        const char *message = error_text(&client->error, ERROR_MESSAGE);
        sqlstate_text(failed, state);
        check(strncmp(state, "SY", 2) != 0 && (strncmp(state, "XX", 2) != 0 || is_postgres_own(message)),
              "%s %s", state, message);
    }
    return failed;
}

enum sqlstate client_query(struct client *client, const char *text)
{
    error_clear(&client->error);
    client->rows = 0;
    return judge(client, session_query(client->session, text, &client->error));
}

enum sqlstate client_execute(struct client *client, const char *text, const uint32_t *types,
                             const struct session_bind *bind)
{
    static const struct session_bind no_values = {.portal = "", .statement = ""};
    struct session_description description;
    error_clear(&client->error);
    client->rows = 0;
    client->sent = bytes_of(NULL, 0);
    enum sqlstate failed = session_prepare(client->session, "", text, types,
                                           types && bind ? bind->parameters : 0, &client->error);
    if (!failed)
        failed = session_describe(client->session, SESSION_STATEMENT, "", &description, &client->error);
    if (!failed && (description.parameters == (bind ? bind->parameters : 0)))
        failed = session_bind(client->session, bind ? bind : &no_values, &client->error);
    else if (!failed)
        return SQLSTATE_OK; /* a text with parameters that nobody gives */
    if (!failed)
        failed = session_execute(client->session, "", 0, &client->error);
    return judge(client, failed);
}

enum sqlstate client_try(struct client *client, const char *text, const uint32_t *types,
                         const struct session_bind *bind)
{
    struct error error;
    check(!client_query(client, "SAVEPOINT fuzz; SET LOCAL statement_timeout = '" STATEMENT_TIMEOUT "'"),
          "%s", error_text(&client->error, ERROR_MESSAGE));
    enum sqlstate failed = client_execute(client, text, types, bind);
    error = client->error;
    if (failed) {
        struct error sync;
        check(!session_sync(client->session, true, &sync));
        check(session_status(client->session) == 'E');
        check(!client_query(client, "ROLLBACK TO fuzz"), "%s", error_text(&client->error, ERROR_MESSAGE));
    } else {
        failed = session_sync(client->session, false, &error);
    }
    client->error = error;
    return failed;
}

/* ---- the core ---- */

static void must(enum sqlstate failed, const struct error *error)
{
    check(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

static void client_open(struct client *client, struct scope *scope)
{
    static const char *const parameters[] = {"statement_timeout",
                                             STATEMENT_TIMEOUT,
                                             "lock_timeout",
                                             "100ms",
                                             "work_mem",
                                             "1MB",
                                             "temp_file_limit",
                                             "64MB",
                                             NULL};
    *client = (struct client){
        .sink = {&client_ops}, .world = database.world, .sessions = database.sessions, .scope = scope};
    const struct session_options options = {.database = "synod",
                                            .role = "synod",
                                            .parameters = parameters,
                                            .client_address = "",
                                            .sink = &client->sink};
    must(session_open(database.sessions, scope, &options, &client->session, &client->error), &client->error);
}

static void job_do(struct job *job)
{
    struct scope *scope = scope_open(database.world->scope, "input");
    struct client *client = scope_alloc(scope, sizeof *client);
    client_open(client, scope);
    for (; job->setup && *job->setup; job->setup++)
        must(client_query(client, *job->setup), &client->error);
    if (job->work) {
        must(client_query(client, "BEGIN"), &client->error);
        job->work(client, job->argument);
        must(client_query(client, "ROLLBACK"), &client->error);
        check(session_status(client->session) == 'I');
    }
    session_close(client->session);
    fiber_close_scope(database.world->scheduler, scope);
}

static void job_done(void)
{
    check(pthread_mutex_lock(&database.mutex) == 0);
    database.job = NULL;
    database.done = true;
    pthread_cond_broadcast(&database.changed);
    check(pthread_mutex_unlock(&database.mutex) == 0);
}

static void core_main(struct world *world, void *argument)
{
    struct engine *engine = argument;
    struct scope *scope = world->scope;
    struct error error;
    bool made;
    const struct engine_options options = {
        .directory = database.directory, .memory_bytes = 64 << 20, .cluster = 7};
    struct sessions_options sessions = {.engine = engine};
    void *shared;
    must(engine_open(world, scope, &options, engine, &error), &error);
    must(catalog_bootstrap(world, engine, "secret", &made, &error), &error);
    must(scope_alloc_large(scope, catalog_shared_size(), 64, &shared, &error), &error);
    memset(shared, 0, catalog_shared_size());
    must(catalog_open(world, scope, engine, shared, &sessions.catalog, &error), &error);
    must(scope_alloc_large(scope, sessions_shared_size(), 64, &sessions.shared, &error), &error);
    memset(sessions.shared, 0, sessions_shared_size());
    must(sessions_open(world, scope, &sessions, &database.sessions, &error), &error);
    database.world = world;
    fiber_queue_init(&database.wanted);
    for (bool stop = false; !stop;) {
        job_done();
        while (!database.job)
            (void)fiber_wait(world->scheduler, &database.wanted, FIBER_NO_DEADLINE);
        stop = database.job->stop;
        if (!stop)
            job_do(database.job);
    }
    if (database.end)
        database.end(database.end_argument);
    sessions_close(database.sessions);
    must(engine_close(world, engine, &error), &error);
}

void database_at_end(void (*end)(void *argument), void *argument)
{
    database.end = end;
    database.end_argument = argument;
}

static void *core_thread(void *argument)
{
    const struct linux_options options = {
        .cores = 1, .memory_bytes = NODE_MEMORY_BYTES, .connections_max = 1, .log_level = LOG_ERROR};
    struct error error;
    void *engine = aligned_alloc(64, (engine_size() + 63) / 64 * 64);
    check(engine);
    memset(engine, 0, engine_size());
    must(linux_run(&options, core_main, engine, &error), &error);
    free(engine);
    return NULL;
}

/* ---- the fuzzer's thread ---- */

static void job_land(struct linux_core *core, struct linux_landing *landing)
{
    database.job = (struct job *)landing;
    fiber_wake_one(&database.wanted);
}

static void wait_done(void)
{
    check(pthread_mutex_lock(&database.mutex) == 0);
    while (!database.done)
        check(pthread_cond_wait(&database.changed, &database.mutex) == 0);
    check(pthread_mutex_unlock(&database.mutex) == 0);
}

static void hand_over(struct job *job)
{
    job->landing.land = job_land;
    database.done = false;
    linux_hand_over(database.world, &job->landing);
}

static void database_close(void)
{
    struct job job = {.stop = true};
    char command[96];
    hand_over(&job);
    pthread_join(database.thread, NULL);
    snprintf(command, sizeof command, "rm -rf %s", database.directory);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", database.directory);
}

void database_try(const char *const *setup, void (*work)(struct client *client, void *argument),
                  void *argument)
{
    if (!database.open) {
        snprintf(database.directory, sizeof database.directory, "/tmp/synod_fuzz_XXXXXX");
        check(mkdtemp(database.directory));
        check(pthread_create(&database.thread, NULL, core_thread, NULL) == 0);
        wait_done();
        struct job job = {.setup = setup};
        hand_over(&job);
        wait_done();
        database.open = true;
        atexit(database_close);
    }
    struct job job = {.work = work, .argument = argument};
    hand_over(&job);
    wait_done();
}
