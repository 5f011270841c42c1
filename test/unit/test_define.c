/* Statements that define things, over an engine in the simulator: what pg_catalog holds afterwards, what is refused and how
 * that is worded, and what is left when a transaction is undone or a node loses power in the middle. */
#include "base/scheduler.h"
#include "sqlfront/catalog/catalog.h"
#include "sqlfront/catalog/names.h"
#include "sqlfront/catalog/tuple.h"
#include "sqlfront/define/define.h"
#include "sqlfront/parse/parse.h"
#include "sqlfront/parse/tree.h"
#include "test/unit/engine_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE 5

static uint8_t shared_room[1024] __attribute__((aligned(64)));

/* A session that only defines. */
struct definer {
    struct stage *stage;
    struct world *world;
    struct scope *scope;
    struct catalog *catalog;
    struct catalog_session session;
    uint32_t path[2];
    struct environment environment;
    struct transaction *transaction; /* open: NULL = each statement commits */
    bool changed;
    struct error error;
    char notice[1024];
    char tag[64];
};

static void notice(void *argument, enum define_severity severity, const struct error *notice)
{
    struct definer *definer = argument;
    (void)severity;
    snprintf(definer->notice, sizeof definer->notice, "%s", error_text(notice, ERROR_MESSAGE));
}

static enum sqlstate run_query(void *argument, struct catalog_view *view, const struct Node *statement,
                               uint64_t *rows, struct error *error)
{
    (void)argument, (void)view, (void)statement, (void)rows;
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "no queries here");
}

static void definer_open(struct definer *definer, struct stage *stage, struct world *world,
                         struct scope *scope)
{
    struct error error;
    bool made;
    *definer = (struct definer){
        .stage = stage, .world = world, .scope = scope, .path = {SCHEMA_PG_CATALOG, SCHEMA_PUBLIC}};
    must(catalog_bootstrap(world, stage->engine, "secret", &made, &error), &error);
    must(catalog_open(world, scope, stage->engine, shared_room, &definer->catalog, &error), &error);
    definer->session = (struct catalog_session){.database = DATABASE,
                                                .role = ROLE_SYNOD,
                                                .session_role = ROLE_SYNOD,
                                                .search_path = definer->path,
                                                .search_path_count = 2};
    definer->environment = (struct environment){.world = world,
                                                .type_find = catalog_type_find,
                                                .standard_conforming_strings = true,
                                                .extra_float_digits = 1,
                                                .date_order = DATE_MDY};
}

static void open_transaction(struct definer *definer)
{
    definer->transaction = begin(definer->stage, definer->world, definer->scope, READ_COMMITTED);
    definer->changed = false;
}

static void close_transaction(struct definer *definer, bool keep)
{
    struct error error;
    if (keep) {
        catalog_commit_begin(definer->catalog);
        must(transaction_commit(definer->transaction, &error), &error);
        catalog_commit_end(definer->catalog);
    } else {
        transaction_rollback(definer->transaction);
    }
    definer->transaction = NULL;
}

static enum sqlstate execute(struct definer *definer, const char *text)
{
    bool alone = !definer->transaction;
    struct scope *scope = scope_open(definer->scope, "statement");
    struct parsed *parsed;
    struct define_result result;
    definer->notice[0] = 0;
    error_clear(&definer->error);
    must(parse_text(definer->world, scope, text, &parsed, &definer->error), &definer->error);
    if (alone)
        open_transaction(definer);
    transaction_statement(definer->transaction);
    struct progress progress = {0};
    const struct define_request request = {
        .progress = &progress,
        .world = definer->world,
        .scope = scope,
        .catalog = definer->catalog,
        .transaction = definer->transaction,
        .session = &definer->session,
        .environment = &definer->environment,
        .changed = definer->changed,
        .statement = (const struct Node *)parsed_statement(parsed, 0)->stmt,
        .text = text,
        .in_block = !alone,
        .notice = notice,
        .run = run_query,
        .argument = definer,
    };
    ck_assert_msg(define_handles(request.statement), "%s", text);
    enum sqlstate failed = define_execute(&request, &result, &definer->error);
    definer->changed = definer->changed || result.changed;
    snprintf(definer->tag, sizeof definer->tag, "%s", result.tag);
    if (alone)
        close_transaction(definer, !failed);
    fiber_close_scope(definer->world->scheduler, scope);
    return failed;
}

static void does(struct definer *definer, const char *text)
{
    enum sqlstate failed = execute(definer, text);
    ck_assert_msg(!failed, "%s: %s (%s)", text, error_text(&definer->error, ERROR_MESSAGE),
                  error_text(&definer->error, ERROR_DETAIL) ? error_text(&definer->error, ERROR_DETAIL) : "");
}

static void fails(struct definer *definer, const char *text, const char *state, const char *message)
{
    char found[6];
    enum sqlstate failed = execute(definer, text);
    ck_assert_msg(failed, "%s succeeds", text);
    sqlstate_text(failed, found);
    ck_assert_msg(strcmp(found, state) == 0 &&
                      strcmp(error_text(&definer->error, ERROR_MESSAGE), message) == 0,
                  "%s: %s %s", text, found, error_text(&definer->error, ERROR_MESSAGE));
}

static const struct relation *relation(struct definer *definer, const char *name)
{
    struct error error;
    struct catalog_view *view;
    const struct relation *found;
    must(catalog_view_open(definer->catalog, definer->scope, definer->transaction, &definer->session,
                           definer->changed && definer->transaction, &view, &error),
         &error);
    must(catalog_relation(view, NULL, name, &found, &error), &error);
    return found;
}

static uint32_t rows_of(struct definer *definer, uint32_t catalog)
{
    struct error error;
    struct tuples found;
    struct transaction *transaction = begin(definer->stage, definer->world, definer->scope, READ_COMMITTED);
    struct tuple_access access = {
        .catalog = definer->catalog, .transaction = transaction, .database = DATABASE};
    transaction_statement(transaction);
    must(tuples_find(&access, definer->scope, catalog, NULL, 0, &found, &error), &error);
    transaction_rollback(transaction);
    return found.count;
}

/* ---- CREATE TABLE ---- */

static void tables(struct stage *stage, struct world *world, struct scope *scope)
{
    struct definer definer;
    definer_open(&definer, stage, world, scope);
    does(&definer, "CREATE TABLE t (id serial PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', price "
                   "numeric(10,2) CHECK "
                   "(price > 0), at timestamptz DEFAULT now(), tags text[], UNIQUE (name, price))");
    ck_assert_str_eq(definer.tag, "CREATE TABLE");
    const struct relation *t = relation(&definer, "t");
    ck_assert_ptr_nonnull(t);
    ck_assert_uint_eq(t->columns, 5);
    ck_assert_uint_eq(t->key_columns, 1);
    ck_assert_int_eq(t->key_column[0], 1);
    ck_assert(t->column[0].not_null);
    char nextval[40];
    snprintf(nextval, sizeof nextval, "nextval('%u'::regclass)", relation(&definer, "t_id_seq")->oid);
    ck_assert_str_eq(t->column[0].default_text, nextval);
    ck_assert_str_eq(t->column[1].default_text, "'x'::character varying");
    ck_assert_int_eq(t->column[1].modifier, 24);
    ck_assert_str_eq(t->column[3].default_text, "now()");
    ck_assert_uint_eq(t->column[4].type->oid, TYPE_ARRAY_OF_TEXT);
    ck_assert_uint_eq(t->indexes, 2);
    ck_assert_uint_eq(t->constraints, 3);
    bool check = false, unique = false, primary = false;
    for (uint32_t i = 0; i < t->constraints; i++) {
        const struct constraint *c = &t->constraint[i];
        if (c->kind == CONSTRAINT_CHECK) {
            ck_assert_str_eq(c->name, "t_price_check");
            ck_assert_str_eq(c->check_text, "(price > (0)::numeric)");
            check = true;
        }
        if (c->kind == CONSTRAINT_UNIQUE) {
            ck_assert_str_eq(c->name, "t_name_price_key");
            unique = true;
        }
        if (c->kind == CONSTRAINT_PRIMARY) {
            ck_assert_str_eq(c->name, "t_pkey");
            primary = true;
        }
    }
    ck_assert(check && unique && primary);
    const struct relation *sequence = relation(&definer, "t_id_seq");
    ck_assert_int_eq(sequence->kind, RELATION_SEQUENCE);
    fails(&definer, "CREATE TABLE t (a int)", "42P07", "relation \"t\" already exists");
    does(&definer, "CREATE TABLE IF NOT EXISTS t (a int)");
    ck_assert_str_eq(definer.notice, "relation \"t\" already exists, skipping");
    fails(&definer, "CREATE TABLE u (a int, a int)", "42701", "column \"a\" specified more than once");
    fails(&definer, "CREATE TABLE u (a int PRIMARY KEY, b int PRIMARY KEY)", "42P16",
          "multiple primary keys for table \"u\" are not allowed");
    fails(&definer, "CREATE TABLE u (a nosuch)", "42704", "type \"nosuch\" does not exist");
    fails(&definer, "CREATE TABLE nix.u (a int)", "3F000", "schema \"nix\" does not exist");
    fails(&definer, "CREATE TABLE u (a json PRIMARY KEY)", "42704",
          "data type json has no default operator class for access method \"btree\"");
}

START_TEST(a_table_has_what_was_written)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, tables, false);
    stage_close(&stage);
}
END_TEST

/* ---- sequences ---- */

static void sequences(struct stage *stage, struct world *world, struct scope *scope)
{
    struct definer definer;
    struct error error;
    struct catalog_view *view;
    int64_t value;
    definer_open(&definer, stage, world, scope);
    does(&definer, "CREATE SEQUENCE s INCREMENT 2 MINVALUE 1 MAXVALUE 5");
    const struct relation *s = relation(&definer, "s");
    must(catalog_view_open(definer.catalog, scope, NULL, &definer.session, false, &view, &error), &error);
    for (int64_t expected = 1; expected <= 5; expected += 2) {
        must(sequence_next(view, s->oid, &value, &error), &error);
        ck_assert_int_eq(value, expected);
    }
    ck_assert_int_eq(sequence_next(view, s->oid, &value, &error), SQLSTATE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "nextval: reached maximum value of sequence \"s\" (5)");
    must(sequence_set(view, s->oid, 3, false, &error), &error);
    must(sequence_next(view, s->oid, &value, &error), &error);
    ck_assert_int_eq(value, 3);
    does(&definer, "ALTER SEQUENCE s MAXVALUE 100 RESTART WITH 50");
    must(sequence_next(view, s->oid, &value, &error), &error);
    ck_assert_int_eq(value, 50);
    fails(&definer, "CREATE SEQUENCE x INCREMENT 0", "22023", "INCREMENT must not be zero");
    fails(&definer, "CREATE SEQUENCE x MINVALUE 5 MAXVALUE 3", "22023",
          "MINVALUE (5) must be less than MAXVALUE (3)");
}

START_TEST(sequences_count_as_they_were_told)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, sequences, false);
    stage_close(&stage);
}
END_TEST

/* ---- DROP ---- */

static void drops(struct stage *stage, struct world *world, struct scope *scope)
{
    struct definer definer;
    definer_open(&definer, stage, world, scope);
    const uint32_t watched[] = {PG_CLASS,  PG_ATTRIBUTE, PG_TYPE,     PG_INDEX,    PG_CONSTRAINT,
                                PG_DEPEND, PG_ATTRDEF,   PG_SEQUENCE, PG_NAMESPACE};
    uint32_t before[9];
    for (int i = 0; i < 9; i++)
        before[i] = rows_of(&definer, watched[i]);
    does(&definer, "CREATE TABLE a (id int PRIMARY KEY, v text UNIQUE)");
    does(&definer, "CREATE TABLE b (id bigserial PRIMARY KEY, a_id int REFERENCES a ON DELETE CASCADE, g int "
                   "GENERATED ALWAYS "
                   "AS IDENTITY, CHECK (a_id > 0))");
    const struct relation *a = relation(&definer, "a"), *b = relation(&definer, "b");
    ck_assert_uint_eq(a->referencing, 1);
    ck_assert_str_eq(a->referenced_by[0].name, "b_a_id_fkey");
    ck_assert_int_eq(a->referenced_by[0].on_delete, 'c');
    ck_assert_int_eq(b->column[2].identity, 'a');
    fails(&definer, "DROP TABLE a", "2BP01", "cannot drop table a because other objects depend on it");
    ck_assert_str_eq(error_text(&definer.error, ERROR_DETAIL),
                     "constraint b_a_id_fkey on table b depends on table a");
    ck_assert_str_eq(error_text(&definer.error, ERROR_HINT),
                     "Use DROP ... CASCADE to drop the dependent objects too.");
    does(&definer, "DROP TABLE a CASCADE");
    ck_assert_str_eq(definer.notice, "drop cascades to constraint b_a_id_fkey on table b");
    b = relation(&definer, "b");
    for (uint32_t i = 0; i < b->constraints; i++)
        ck_assert_int_ne(b->constraint[i].kind, CONSTRAINT_FOREIGN);
    fails(&definer, "DROP SEQUENCE b_id_seq", "2BP01",
          "cannot drop sequence b_id_seq because other objects depend on it");
    fails(&definer, "DROP INDEX b_pkey", "2BP01",
          "cannot drop index b_pkey because constraint b_pkey on table b requires it");
    fails(&definer, "DROP VIEW b", "42809", "\"b\" is not a view");
    does(&definer, "DROP TABLE b");
    fails(&definer, "DROP TABLE b", "42P01", "table \"b\" does not exist");
    does(&definer, "DROP TABLE IF EXISTS b");
    ck_assert_str_eq(definer.notice, "table \"b\" does not exist, skipping");
    for (int i = 0; i < 9; i++)
        ck_assert_msg(rows_of(&definer, watched[i]) == before[i], "relation %u has %u rows, had %u",
                      watched[i], rows_of(&definer, watched[i]), before[i]);
}

START_TEST(a_drop_leaves_no_rows_behind)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, drops, false);
    stage_close(&stage);
}
END_TEST

/* ---- transactions ---- */

static void undone(struct stage *stage, struct world *world, struct scope *scope)
{
    struct definer definer;
    definer_open(&definer, stage, world, scope);
    uint32_t classes = rows_of(&definer, PG_CLASS);
    open_transaction(&definer);
    does(&definer, "CREATE TABLE t (id serial PRIMARY KEY)");
    ck_assert_ptr_nonnull(relation(&definer, "t"));
    does(&definer, "CREATE INDEX ON t ((id % 10))");
    ck_assert_ptr_nonnull(relation(&definer, "t_expr_idx"));
    close_transaction(&definer, false);
    ck_assert_ptr_null(relation(&definer, "t"));
    ck_assert_uint_eq(rows_of(&definer, PG_CLASS), classes);
    does(&definer, "CREATE TABLE t (id serial PRIMARY KEY)");
    open_transaction(&definer);
    does(&definer, "DROP TABLE t");
    ck_assert_ptr_null(relation(&definer, "t"));
    close_transaction(&definer, false);
    ck_assert_ptr_nonnull(relation(&definer, "t"));
}

START_TEST(definitions_are_undone_with_their_transaction)
{
    struct stage stage;
    stage_open(&stage, 2);
    play(&stage, undone, false);
    stage_close(&stage);
}
END_TEST

static void before_the_crash(struct stage *stage, struct world *world, struct scope *scope)
{
    struct definer definer;
    definer_open(&definer, stage, world, scope);
    does(&definer, "CREATE TABLE kept (id int PRIMARY KEY, b text)");
    open_transaction(&definer);
    does(&definer, "CREATE TABLE lost (id int PRIMARY KEY)");
    does(&definer, "DROP TABLE kept");
}

static void after_the_crash(struct stage *stage, struct world *world, struct scope *scope)
{
    struct definer definer;
    definer_open(&definer, stage, world, scope);
    ck_assert_ptr_nonnull(relation(&definer, "kept"));
    ck_assert_ptr_null(relation(&definer, "lost"));
    does(&definer, "CREATE TABLE lost (id int)");
    does(&definer, "DROP TABLE kept, lost");
    verify(stage, world);
}

START_TEST(a_crash_in_the_middle_leaves_what_was_committed)
{
    struct stage stage;
    stage_open(&stage, 2);
    play(&stage, before_the_crash, true);
    play(&stage, after_the_crash, false);
    stage_close(&stage);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("define");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_table_has_what_was_written);
    tcase_add_test(tests, sequences_count_as_they_were_told);
    tcase_add_test(tests, a_drop_leaves_no_rows_behind);
    tcase_add_test(tests, definitions_are_undone_with_their_transaction);
    tcase_add_test(tests, a_crash_in_the_middle_leaves_what_was_committed);
    return unit_run(tests);
}
