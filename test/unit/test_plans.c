/* Plans that all sessions of a core use: what is shared, what must not be, what makes an end of it, and what it costs. A whole
 * database on one core of the real world. */
#include "test/unit/unit.h"

#include "base/linux/linux.h"
#include "base/scheduler.h"
#include "sqlfront/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS 20

static struct sessions *sessions;
static struct plans *plans;
static struct scope *scope;
static struct error error;

/* ---- a client that keeps the last value it is given, as text ---- */

struct client {
    struct session_sink sink;
    struct scope *scope;
    struct session *session;
    char last[256];
    uint32_t rows;
};

static enum sqlstate sink_shape(struct session_sink *sink, const struct session_shape *shape,
                                struct error *failure)
{
    (void)sink;
    (void)shape;
    (void)failure;
    return SQLSTATE_OK;
}

static enum sqlstate sink_rows(struct session_sink *sink, const struct session_rows *rows,
                               struct error *failure)
{
    struct client *client = (struct client *)sink;
    const struct session_column *column = &rows->shape->columns[rows->shape->count - 1];
    for (uint32_t r = 0; r < rows->rows; r++) {
        const struct value *value =
            &rows->columns[rows->shape->count - 1][rows->selection ? rows->selection[r] : r];
        struct bytes text = bytes_of("null", 4);
        struct scope *work = scope_open(client->scope, "text");
        if (!value->null)
            ck_assert_int_eq(column->type->ops->out(session_environment(client->session), work, column->type,
                                                    value, &text, failure),
                             SQLSTATE_OK);
        snprintf(client->last, sizeof client->last, "%.*s", (int)text.size, (const char *)text.data);
        scope_close(work);
    }
    client->rows += rows->rows;
    return SQLSTATE_OK;
}

static enum sqlstate sink_complete(struct session_sink *sink, const char *tag, struct error *failure)
{
    (void)sink;
    (void)tag;
    (void)failure;
    return SQLSTATE_OK;
}

static void sink_notice(struct session_sink *sink, enum session_severity severity, const struct error *notice)
{
    (void)sink;
    (void)severity;
    (void)notice;
}

static void sink_parameter(struct session_sink *sink, const char *name, const char *value)
{
    (void)sink;
    (void)name;
    (void)value;
}

static const struct session_sink_ops client_ops = {.shape = sink_shape,
                                                   .rows = sink_rows,
                                                   .complete = sink_complete,
                                                   .notice = sink_notice,
                                                   .parameter = sink_parameter};

static void client_open(struct client *client, const char *role)
{
    *client = (struct client){.sink = {&client_ops}, .scope = scope_open(scope, "client")};
    const struct session_options options = {
        .database = "synod", .role = role, .client_address = "", .sink = &client->sink};
    ck_assert_int_eq(session_open(sessions, client->scope, &options, &client->session, &error), SQLSTATE_OK);
}

static void client_close(struct client *client)
{
    session_close(client->session);
    fiber_close_scope(sessions->world->scheduler, client->scope);
}

static enum sqlstate try_query(struct client *client, const char *text)
{
    client->rows = 0;
    client->last[0] = '\0';
    error_clear(&error);
    return session_query(client->session, text, &error);
}

static const char *query(struct client *client, const char *text)
{
    enum sqlstate failed = try_query(client, text);
    ck_assert_msg(!failed, "%s: %s", text, failed ? error_text(&error, ERROR_MESSAGE) : "");
    return client->last;
}

static void prepare(struct client *client, const char *name, const char *text)
{
    error_clear(&error);
    ck_assert_msg(!session_prepare(client->session, name, text, NULL, 0, &error), "%s: %s", text,
                  error_text(&error, ERROR_MESSAGE));
}

/* Runs a prepared statement; with one parameter, unless that is NULL. */
static enum sqlstate try_execute(struct client *client, const char *name, const char *parameter)
{
    const struct bytes value = parameter ? bytes_of_text(parameter) : bytes_of(NULL, 0);
    const struct session_bind bind = {
        .portal = "", .statement = name, .parameters = parameter != NULL, .values = &value};
    client->rows = 0;
    client->last[0] = '\0';
    error_clear(&error);
    enum sqlstate failed = session_bind(client->session, &bind, &error);
    if (!failed)
        failed = session_execute(client->session, "", 0, &error);
    struct error sync;
    enum sqlstate synced = session_sync(client->session, failed, &sync);
    ck_assert_int_eq(synced, SQLSTATE_OK);
    return failed;
}

static const char *execute(struct client *client, const char *name, const char *parameter)
{
    enum sqlstate failed = try_execute(client, name, parameter);
    ck_assert_msg(!failed, "%s: %s", name, failed ? error_text(&error, ERROR_MESSAGE) : "");
    return client->last;
}

/* ---- what is counted ---- */

static uint64_t made, used, parsed;

static void count_from_here(void)
{
    made = metric_value(plans->metrics.made);
    used = metric_value(plans->metrics.used);
    parsed = metric_value(plans->metrics.parsed);
}

static uint64_t made_since(void)
{
    return metric_value(plans->metrics.made) - made;
}

static uint64_t used_since(void)
{
    return metric_value(plans->metrics.used) - used;
}

static uint64_t parsed_since(void)
{
    return metric_value(plans->metrics.parsed) - parsed;
}

/* ---- a database ---- */

static char directory[64];
static void (*part)(void);

static void must(enum sqlstate failed)
{
    ck_assert_msg(!failed, "%s", failed ? error_text(&error, ERROR_MESSAGE) : "");
}

static void core_main(struct world *world, void *argument)
{
    struct engine *engine = argument;
    const struct engine_options options = {.directory = directory, .memory_bytes = 64 << 20, .cluster = 7};
    struct sessions_options opening = {.engine = engine};
    struct client client;
    void *shared;
    bool new;
    scope = world->scope;
    must(engine_open(world, scope, &options, engine, &error));
    must(catalog_bootstrap(world, engine, "secret", &new, &error));
    must(scope_alloc_large(scope, catalog_shared_size(), 64, &shared, &error));
    memset(shared, 0, catalog_shared_size());
    must(catalog_open(world, scope, engine, shared, &opening.catalog, &error));
    must(scope_alloc_large(scope, sessions_shared_size(), 64, &opening.shared, &error));
    memset(opening.shared, 0, sessions_shared_size());
    must(sessions_open(world, scope, &opening, &sessions, &error));
    plans = sessions->plans;
    client_open(&client, "synod");
    query(&client, "create table thing (id int primary key, name text, size int)");
    query(&client, "insert into thing select g, 'thing ' || g, g * 10 from generate_series(1, 100) g");
    client_close(&client);
    part();
    sessions_close(sessions);
    /* Nothing is left that a session has had. */
    ck_assert_uint_eq(plans->bytes, 0);
    ck_assert_uint_eq(plans->statements.count, 0);
    ck_assert_uint_eq(plans->footings.count, 0);
    ck_assert_uint_eq(slab_pool_used(plans->pool), 0);
    must(engine_close(world, engine, &error));
}

static void play(void (*played)(void))
{
    const struct linux_options options = {
        .cores = 1, .memory_bytes = 256 << 20, .connections_max = 100, .log_level = LOG_ERROR};
    char command[96];
    part = played;
    snprintf(directory, sizeof directory, "/tmp/synod_plans_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    void *engine = aligned_alloc(64, (engine_size() + 63) / 64 * 64);
    memset(engine, 0, engine_size());
    must(linux_run(&options, core_main, engine, &error));
    free(engine);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

/* ---- what is shared ---- */

static void one_plan_main(void)
{
    static struct client client[SESSIONS];
    for (int i = 0; i < SESSIONS; i++)
        client_open(&client[i], "synod");
    count_from_here();
    for (int i = 0; i < SESSIONS; i++) {
        char number[8], name[32];
        snprintf(number, sizeof number, "%d", i + 1);
        snprintf(name, sizeof name, "thing %d", i + 1);
        prepare(&client[i], "get", "select name from thing where id = $1");
        ck_assert_str_eq(execute(&client[i], "get", number), name);
    }
    ck_assert_uint_eq(parsed_since(), 1);
    ck_assert_uint_eq(made_since(), 1);
    ck_assert_uint_ge(used_since(), 2 * SESSIONS - 1);
    /* As a simple query, too, from the second time on. */
    count_from_here();
    for (int i = 0; i < SESSIONS; i++)
        ck_assert_str_eq(query(&client[i], "select size from thing where id = 7"), "70");
    ck_assert_uint_eq(parsed_since(), 2);
    ck_assert_uint_eq(made_since(), 2);
    /* With types that the client gives, it is another statement. */
    static const uint32_t bigint = TYPE_INT8;
    count_from_here();
    for (int i = 0; i < 2; i++)
        must(session_prepare(client[i].session, "big", "select name from thing where id = $1", &bigint, 1,
                             &error));
    ck_assert_uint_eq(made_since(), 1);
    for (int i = 0; i < SESSIONS; i++)
        client_close(&client[i]);
}

START_TEST(all_sessions_use_one_plan)
{
    play(one_plan_main);
}
END_TEST

/* What a session has of ten prepared statements that others have, too. */
static void cost_main(void)
{
    static struct client client[SESSIONS];
    size_t before[SESSIONS], core = 0, pool = 0;
    for (int i = 0; i < SESSIONS; i++) {
        client_open(&client[i], "synod");
        before[i] = scope_bytes(client[i].session->scope);
        if (i == 1) {
            core = plans->bytes;
            pool = slab_pool_used(plans->pool);
        }
        for (int s = 0; s < 10; s++) {
            char name[16], text[128];
            snprintf(name, sizeof name, "statement %d", s);
            snprintf(text, sizeof text, "select name, size + %d from thing where id = $1", s);
            prepare(&client[i], name, text);
            execute(&client[i], name, "5");
        }
        ck_assert_uint_le(scope_bytes(client[i].session->scope) - before[i], 8192);
    }
    ck_assert_uint_eq(plans->bytes, core);
    ck_assert_uint_le(slab_pool_used(plans->pool) - pool, (SESSIONS - 1) * 10 * 128);
    for (int i = 0; i < SESSIONS; i++)
        client_close(&client[i]);
}

START_TEST(a_session_has_some_hundred_bytes_of_a_prepared_statement_that_others_have)
{
    play(cost_main);
}
END_TEST

/* ---- what makes an end of it ---- */

static void definition_main(void)
{
    struct client one, two;
    client_open(&one, "synod");
    client_open(&two, "synod");
    prepare(&one, "all", "select * from thing where id = $1");
    prepare(&one, "some", "select size from thing where size = $1");
    ck_assert_str_eq(execute(&one, "some", "50"), "50");
    count_from_here();
    query(&two, "create index on thing (size)");
    ck_assert_str_eq(execute(&one, "some", "50"), "50");
    ck_assert_uint_eq(made_since(), 1);
    query(&two, "alter table thing add column colour text default 'red'");
    ck_assert_int_eq(try_execute(&one, "all", "5"), SQLSTATE_FEATURE_NOT_SUPPORTED);
    prepare(&two, "all", "select * from thing where id = $1");
    ck_assert_str_eq(execute(&two, "all", "5"), "red");
    /* Types that were inferred stay what they were for those that were told; who prepares anew is told anew. */
    query(&two, "alter table thing alter column size type text using size::text");
    ck_assert_int_eq(try_execute(&one, "some", "50"), SQLSTATE_UNDEFINED_FUNCTION);
    prepare(&two, "some", "select size from thing where size = $1");
    ck_assert_str_eq(execute(&two, "some", "50"), "50");
    query(&two, "drop table thing");
    ck_assert_int_eq(try_execute(&two, "some", "50"), SQLSTATE_UNDEFINED_TABLE);
    /* One version's recipes are kept, no more. */
    query(&two, "create table thing (id int primary key, size text)");
    execute(&two, "some", "50");
    list_each (&plans->recipes, at)
        ck_assert_uint_eq(container_of(at, struct recipe, of_core)->catalog_version, plans->version);
    client_close(&one);
    client_close(&two);
}

START_TEST(a_definition_of_another_session_makes_an_end_of_plans)
{
    play(definition_main);
}
END_TEST

static void uncommitted_main(void)
{
    struct client one, two;
    client_open(&one, "synod");
    client_open(&two, "synod");
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(query(&two, "select max(id) from thing"), "100");
    query(
        &one,
        "begin; alter table thing rename to old; create table thing (id int); insert into thing values (7)");
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(query(&one, "select max(id) from thing"), "7");
    ck_assert_str_eq(query(&two, "select min(id) from generate_series(1, 3) id"), "1");
    query(&one, "rollback");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(query(&one, "select max(id) from thing"), "100");
        ck_assert_str_eq(query(&two, "select max(id) from thing"), "100");
    }
    client_close(&one);
    client_close(&two);
}

START_TEST(plans_of_an_uncommitted_definition_are_nobody_elses)
{
    play(uncommitted_main);
}
END_TEST

static void bound_main(void)
{
    struct client client, other;
    client_open(&client, "synod");
    client_open(&other, "synod");
    plans->bytes_max = 512 * 1024;
    prepare(&client, "kept", "select name from thing where id = $1");
    ck_assert_str_eq(execute(&client, "kept", "1"), "thing 1");
    for (int i = 0; i < 200; i++) {
        char text[128];
        snprintf(text, sizeof text, "select name, size from thing where id = $1 and size > %d", i);
        prepare(&other, "", text);
        execute(&other, "", "100");
        ck_assert_uint_le(plans->bytes, plans->bytes_max);
    }
    ck_assert_uint_gt(plans->statements.count, 5);
    ck_assert_uint_lt(plans->statements.count, 200);
    /* The plan of the one that is held had to go; its statement did not. */
    count_from_here();
    ck_assert_str_eq(execute(&client, "kept", "2"), "thing 2");
    ck_assert_uint_eq(made_since(), 1);
    ck_assert_uint_eq(parsed_since(), 0);
    ck_assert_str_eq(execute(&client, "kept", "3"), "thing 3");
    ck_assert_uint_eq(made_since(), 1);
    /* And so does DISCARD PLANS. */
    query(&other, "discard plans");
    ck_assert_str_eq(execute(&client, "kept", "4"), "thing 4");
    ck_assert_uint_eq(made_since(), 2);
    client_close(&client);
    client_close(&other);
}

START_TEST(what_is_kept_is_bounded_and_the_longest_unused_goes_first)
{
    play(bound_main);
}
END_TEST

/* ---- what must not be shared ---- */

static void path_main(void)
{
    struct client one, two;
    client_open(&one, "synod");
    client_open(&two, "synod");
    query(&one, "create schema a; create schema b; create table a.t (v text); create table b.t (v text)");
    query(&one, "insert into a.t values ('of a'); insert into b.t values ('of b')");
    query(&one, "set search_path = a");
    query(&two, "set search_path = b");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(query(&one, "select v from t"), "of a");
        ck_assert_str_eq(query(&two, "select v from t"), "of b");
    }
    prepare(&one, "v", "select v from t where v > $1");
    prepare(&two, "v", "select v from t where v > $1");
    ck_assert_str_eq(execute(&one, "v", ""), "of a");
    ck_assert_str_eq(execute(&two, "v", ""), "of b");
    /* Back where somebody else has been. */
    count_from_here();
    query(&two, "set search_path = a");
    ck_assert_str_eq(query(&two, "select v from t"), "of a");
    ck_assert_str_eq(execute(&two, "v", ""), "of a");
    ck_assert_uint_eq(made_since(), 0);
    client_close(&one);
    client_close(&two);
}

START_TEST(other_search_paths_have_other_plans)
{
    play(path_main);
}
END_TEST

static void role_main(void)
{
    struct client owner, stranger;
    client_open(&owner, "synod");
    query(&owner, "create role stranger login; create table secret (id int primary key, v text)");
    query(&owner, "insert into secret values (1, 'told')");
    client_open(&stranger, "stranger");
    prepare(&owner, "s", "select v from secret where id = $1");
    ck_assert_str_eq(execute(&owner, "s", "1"), "told");
    prepare(&stranger, "s", "select v from secret where id = $1");
    ck_assert_int_eq(try_execute(&stranger, "s", "1"), SQLSTATE_INSUFFICIENT_PRIVILEGE);
    query(&owner, "grant select on secret to stranger");
    ck_assert_str_eq(execute(&stranger, "s", "1"), "told");
    query(&owner, "revoke select on secret from stranger");
    ck_assert_int_eq(try_execute(&stranger, "s", "1"), SQLSTATE_INSUFFICIENT_PRIVILEGE);
    ck_assert_str_eq(execute(&owner, "s", "1"), "told");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(query(&owner, "select current_user"), "synod");
        ck_assert_str_eq(query(&stranger, "select current_user"), "stranger");
    }
    /* Whether a function may be called is asked when its call is bound. */
    query(&owner, "create function own(int) returns int language sql as 'select $1 * 2'");
    query(&owner, "revoke execute on function own(int) from public");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(query(&owner, "select own(21)"), "42");
        ck_assert_int_eq(try_query(&stranger, "select own(21)"), SQLSTATE_INSUFFICIENT_PRIVILEGE);
    }
    query(&owner, "set role stranger");
    ck_assert_str_eq(query(&owner, "select current_user"), "stranger");
    ck_assert_int_eq(try_execute(&owner, "s", "1"), SQLSTATE_INSUFFICIENT_PRIVILEGE);
    query(&owner, "reset role");
    ck_assert_str_eq(execute(&owner, "s", "1"), "told");
    client_close(&stranger);
    client_close(&owner);
}

START_TEST(other_roles_have_their_own_rights)
{
    play(role_main);
}
END_TEST

static void temporary_main(void)
{
    struct client one, two, three;
    client_open(&one, "synod");
    client_open(&two, "synod");
    client_open(&three, "synod");
    prepare(&one, "n", "select name from thing where id = $1");
    prepare(&two, "n", "select name from thing where id = $1");
    ck_assert_str_eq(execute(&one, "n", "1"), "thing 1");
    query(&one, "create temporary table thing (id int primary key, name text)");
    query(&one, "insert into thing values (1, 'my own')");
    query(&three, "create temporary table thing (id int primary key, name text)");
    query(&three, "insert into thing values (1, 'the third one''s')");
    prepare(&three, "n", "select name from thing where id = $1");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(execute(&one, "n", "1"), "my own");
        ck_assert_str_eq(execute(&two, "n", "1"), "thing 1");
        ck_assert_str_eq(execute(&three, "n", "1"), "the third one's");
        ck_assert_str_eq(query(&one, "select name from pg_temp.thing"), "my own");
        ck_assert_str_eq(query(&three, "select name from pg_temp.thing"), "the third one's");
        ck_assert_int_eq(try_query(&two, "select name from pg_temp.thing"), SQLSTATE_UNDEFINED_TABLE);
    }
    query(&one, "drop table thing");
    ck_assert_str_eq(execute(&one, "n", "1"), "thing 1");
    query(&three, "discard temp");
    ck_assert_str_eq(execute(&three, "n", "1"), "thing 1");
    client_close(&one);
    client_close(&two);
    client_close(&three);
}

START_TEST(temporary_tables_are_their_sessions_own)
{
    play(temporary_main);
}
END_TEST

static void settings_main(void)
{
    struct client one, two;
    client_open(&one, "synod");
    client_open(&two, "synod");
    query(&one, "set timezone = 'UTC'");
    query(&two, "set timezone = 'America/New_York'");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(query(&one, "select extract(epoch from timestamptz '2000-01-01 00:00')::int"),
                         "946684800");
        ck_assert_str_eq(query(&two, "select extract(epoch from timestamptz '2000-01-01 00:00')::int"),
                         "946702800");
    }
    query(&one, "set datestyle = 'ISO, DMY'");
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(query(&one, "select date '01/02/2003'"), "2003-02-01");
        ck_assert_str_eq(query(&two, "select date '01/02/2003'"), "2003-01-02");
    }
    /* Settings that mean nothing to plans part nobody. */
    query(&one, "set datestyle = 'ISO, MDY'; set timezone = 'America/New_York'; set application_name = 'x'");
    count_from_here();
    ck_assert_str_eq(query(&one, "select date '01/02/2003'"), "2003-01-02");
    ck_assert_uint_eq(made_since(), 0);
    client_close(&one);
    client_close(&two);
}

START_TEST(settings_that_texts_are_read_by_part_plans)
{
    play(settings_main);
}
END_TEST

static void moment_main(void)
{
    struct client client;
    char first[64];
    client_open(&client, "synod");
    for (int i = 0; i < 3; i++)
        query(&client, "select timestamptz 'now'");
    snprintf(first, sizeof first, "%s", client.last);
    (void)fiber_sleep_until(sessions->world->scheduler, sessions->world->now_ns + 2000000);
    ck_assert_str_ne(query(&client, "select timestamptz 'now'"), first);
    client_close(&client);
}

START_TEST(a_text_that_means_a_moment_is_bound_each_time)
{
    play(moment_main);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("plans");
    tcase_add_test(tests, all_sessions_use_one_plan);
    tcase_add_test(tests, a_session_has_some_hundred_bytes_of_a_prepared_statement_that_others_have);
    tcase_add_test(tests, a_definition_of_another_session_makes_an_end_of_plans);
    tcase_add_test(tests, plans_of_an_uncommitted_definition_are_nobody_elses);
    tcase_add_test(tests, what_is_kept_is_bounded_and_the_longest_unused_goes_first);
    tcase_add_test(tests, other_search_paths_have_other_plans);
    tcase_add_test(tests, other_roles_have_their_own_rights);
    tcase_add_test(tests, temporary_tables_are_their_sessions_own);
    tcase_add_test(tests, settings_that_texts_are_read_by_part_plans);
    tcase_add_test(tests, a_text_that_means_a_moment_is_bound_each_time);
    return unit_run(tests);
}
