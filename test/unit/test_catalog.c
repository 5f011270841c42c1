/* The catalog over an engine in the simulator: a node's first start, what is found then, and who sees what when it changes. */
#include "base/scheduler.h"
#include "sqlfront/catalog/catalog.h"
#include "sqlfront/catalog/names.h"
#include "sqlfront/catalog/privilege.h"
#include "sqlfront/catalog/tuple.h"
#include "test/unit/engine_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DATABASE 5

static const uint32_t path[] = {SCHEMA_PG_CATALOG, SCHEMA_PUBLIC};
static const struct catalog_session superuser = {.database = DATABASE,
                                                 .role = ROLE_SYNOD,
                                                 .session_role = ROLE_SYNOD,
                                                 .search_path = path,
                                                 .search_path_count = 2};

static uint8_t shared_room[1024] __attribute__((aligned(64)));

static struct catalog *opened(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    bool made;
    struct catalog *catalog;
    must(catalog_bootstrap(world, stage->engine, "secret", &made, &error), &error);
    ck_assert_int_eq(made, stage->act == 0);
    must(catalog_open(world, scope, stage->engine, shared_room, &catalog, &error), &error);
    return catalog;
}

static struct catalog_view *look(struct catalog *catalog, struct scope *scope,
                                 struct transaction *transaction, bool changed)
{
    struct catalog_view *view;
    struct error error;
    must(catalog_view_open(catalog, scope, transaction, &superuser, changed, &view, &error), &error);
    return view;
}

static const struct relation *relation(struct catalog_view *view, const char *schema, const char *name)
{
    const struct relation *found;
    struct error error;
    must(catalog_relation(view, schema, name, &found, &error), &error);
    return found;
}

/* ---- a first start ---- */

static void first_start(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    bool exists;
    must(catalog_exists(world, stage->engine, &exists, &error), &error);
    ck_assert(!exists);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct catalog *catalog = opened(stage, world, scope);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (getenv("TIMES"))
        printf("first start: %ld ms\n",
               (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
    must(catalog_exists(world, stage->engine, &exists, &error), &error);
    ck_assert(exists);

    struct catalog_view *view = look(catalog, scope, NULL, false);
    const struct relation *class = relation(view, NULL, "pg_class");
    ck_assert_ptr_nonnull(class);
    ck_assert_uint_eq(class->oid, 1259);
    ck_assert_uint_eq(class->key_columns, 1);
    ck_assert_uint_eq(class->indexes, 3);
    const struct relation *tables = relation(view, NULL, "pg_tables");
    ck_assert_int_eq(tables->kind, RELATION_VIEW);
    ck_assert_ptr_nonnull(strstr(tables->view_text, "FROM ((pg_class c"));
    ck_assert_str_eq(tables->column[1].name, "tablename");
    const struct relation *columns = relation(view, "information_schema", "columns");
    ck_assert_uint_eq(columns->columns, 44);
    ck_assert_uint_eq(columns->column[0].type->oid, TYPE_NAME);
    ck_assert_ptr_null(relation(view, NULL, "no_such"));
    ck_assert_ptr_null(relation(view, "no_such", "pg_class"));
}

START_TEST(a_first_start_brings_what_postgresql_brings)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, first_start, false);
    stage_close(&stage);
}
END_TEST

static void rows_everywhere(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct catalog *catalog = opened(stage, world, scope);
    struct transaction *transaction = begin(stage, world, scope, READ_COMMITTED);
    transaction_statement(transaction);
    struct tuple_access access = {.catalog = catalog, .transaction = transaction, .database = DATABASE};
    struct tuples found;
    must(tuples_find(&access, scope, PG_PROC, NULL, 0, &found, &error), &error);
    ck_assert_uint_gt(found.count, 3200);
    /* by an index that is not the primary one */
    struct tuple_match match = {PG_PROC_PRONAME, value_text("abs")};
    must(tuples_find(&access, scope, PG_PROC, &match, 1, &found, &error), &error);
    ck_assert_uint_eq(found.count, 6);
    /* part of the primary index, a filter behind it */
    const struct tuple_match column[] = {{PG_ATTRIBUTE_ATTRELID, value_integer(1259)},
                                         {PG_ATTRIBUTE_ATTNUM, value_integer(2)}};
    struct tuple tuple;
    must(tuple_find(&access, scope, PG_ATTRIBUTE, column, 2, &tuple, &error), &error);
    ck_assert_str_eq(text_of(scope, &tuple.values[PG_ATTRIBUTE_ATTNAME]), "relname");
    must(tuple_by_oid(&access, scope, PG_AUTHID, ROLE_SYNOD, &tuple, &error), &error);
    ck_assert_int_eq(strncmp(text_of(scope, &tuple.values[PG_AUTHID_ROLPASSWORD]), "SCRAM-SHA-256$4096:", 19),
                     0);
    must(tuples_find(&access, scope, PG_DATABASE, NULL, 0, &found, &error), &error);
    ck_assert_uint_eq(found.count, 3);
    transaction_rollback(transaction);
}

START_TEST(rows_of_pg_catalog_are_found_by_their_indexes)
{
    struct stage stage;
    stage_open(&stage, 2);
    play(&stage, rows_everywhere, false);
    play(&stage, rows_everywhere, true); /* and after a restart, and one without power */
    play(&stage, rows_everywhere, false);
    stage_close(&stage);
}
END_TEST

/* ---- names ---- */

static void names_shown(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct catalog_view *view = look(opened(stage, world, scope), scope, NULL, false);
    const struct {
        uint32_t type;
        int32_t modifier;
        const char *shown;
    } types[] = {
        {TYPE_VARCHAR, 24, "character varying(20)"},
        {TYPE_VARCHAR, -1, "character varying"},
        {TYPE_BPCHAR, 5, "character(1)"},
        {TYPE_BPCHAR, -1, "bpchar"},
        {TYPE_NUMERIC, 655366, "numeric(10,2)"},
        {TYPE_TIMESTAMPTZ, 3, "timestamp(3) with time zone"},
        {TYPE_ARRAY_OF_INT4, -1, "integer[]"},
        {TYPE_OIDVECTOR, -1, "oidvector"},
        {TYPE_CHAR, -1, "\"char\""},
        {TYPE_INTERVAL, 0x7fff << 16 | 3, "interval(3)"},
        {83, -1, "pg_class"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const char *shown;
        must(type_shown(view, scope, types[i].type, types[i].modifier, true, &shown, &error), &error);
        ck_assert_str_eq(shown, types[i].shown);
    }
    struct environment environment = {.world = world, .catalog = view, .type_find = catalog_type_find};
    const struct {
        uint32_t type;
        const char *in, *out;
    } regs[] = {
        {TYPE_REGCLASS, "PG_Class", "pg_class"},
        {TYPE_REGCLASS, "information_schema.tables", "information_schema.tables"},
        {TYPE_REGTYPE, "Character Varying(20)", "character varying"},
        {TYPE_REGTYPE, "int[]", "integer[]"},
        {TYPE_REGTYPE, "pg_catalog.timestamptz", "timestamp with time zone"},
        {TYPE_REGPROC, "pg_catalog.array_in", "array_in"},
        {TYPE_REGPROCEDURE, "array_in(cstring,oid,integer)", "array_in(cstring,oid,integer)"},
        {TYPE_REGNAMESPACE, "public", "public"},
        {TYPE_REGROLE, "synod", "synod"},
        {TYPE_REGOPERATOR, "+(int4,int8)", "+(integer,bigint)"},
        {TYPE_REGCLASS, "-", "-"},
        {TYPE_REGCLASS, "4294967295", "4294967295"},
    };
    for (size_t i = 0; i < sizeof regs / sizeof *regs; i++) {
        const struct type *type;
        struct value value;
        struct bytes text;
        must(catalog_type_by_oid(view, regs[i].type, &type, &error), &error);
        must(type->ops->in(&environment, scope, type, -1, bytes_of_text(regs[i].in), &value, &error), &error);
        must(type->ops->out(&environment, scope, type, &value, &text, &error), &error);
        ck_assert_msg(text.size == strlen(regs[i].out) && memcmp(text.data, regs[i].out, text.size) == 0,
                      "%s gives %.*s", regs[i].in, (int)text.size, text.data);
    }
    const struct type *type;
    struct value value;
    must(catalog_type_by_oid(view, TYPE_REGCLASS, &type, &error), &error);
    ck_assert_int_eq(type->ops->in(&environment, scope, type, -1, bytes_of_text("nix"), &value, &error),
                     SQLSTATE_UNDEFINED_TABLE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "relation \"nix\" does not exist");
}

START_TEST(names_are_read_and_shown_as_postgresql_does)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, names_shown, false);
    stage_close(&stage);
}
END_TEST

/* ---- changes ---- */

static void schema_insert(struct catalog *catalog, struct scope *scope, struct transaction *transaction,
                          uint32_t oid, const char *name)
{
    struct error error;
    struct tuple_access access = {.catalog = catalog, .transaction = transaction, .database = DATABASE};
    struct value *values = tuple_make(scope, PG_NAMESPACE);
    values[PG_NAMESPACE_OID] = value_integer(oid);
    values[PG_NAMESPACE_NSPNAME] = tuple_text(scope, name);
    values[PG_NAMESPACE_NSPOWNER] = value_integer(ROLE_SYNOD);
    must(tuple_insert(&access, PG_NAMESPACE, values, &error), &error);
}

static uint32_t schema(struct catalog *catalog, struct scope *parent, struct transaction *transaction,
                       bool changed, const char *name)
{
    struct scope *scope = scope_open(parent, "look");
    struct error error;
    uint32_t oid;
    must(catalog_schema(look(catalog, scope, transaction, changed), name, &oid, &error), &error);
    scope_close(scope);
    return oid;
}

static void seen_by_others(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct catalog *here = opened(stage, world, scope), *there;
    must(catalog_open(world, scope, stage->engine, shared_room, &there, &error), &error);
    uint64_t version = catalog_version(here);

    ck_assert_uint_eq(schema(there, scope, NULL, false, "s"), 0);
    struct transaction *transaction = begin(stage, world, scope, READ_COMMITTED);
    transaction_statement(transaction);
    schema_insert(here, scope, transaction, 20000, "s");
    ck_assert_uint_eq(schema(here, scope, transaction, true, "s"), 20000);
    ck_assert_uint_eq(schema(here, scope, NULL, false, "s"), 0);
    ck_assert_uint_eq(schema(there, scope, NULL, false, "s"), 0);

    struct scope *statement = scope_open(scope, "statement");
    struct catalog_view *before = look(there, statement, NULL, false);
    catalog_commit_begin(here);
    must(transaction_commit(transaction, &error), &error);
    catalog_commit_end(here);
    ck_assert_uint_eq(catalog_version(there), version + 1);
    ck_assert_uint_eq(schema(there, scope, NULL, false, "s"), 20000);
    ck_assert_uint_eq(schema(here, scope, NULL, false, "s"), 20000);
    /* a statement that is under way keeps what it has */
    uint32_t oid;
    must(catalog_schema(before, "s", &oid, &error), &error);
    ck_assert_uint_eq(oid, 0);
    ck_assert_uint_eq(catalog_view_version(before), version);
    scope_close(statement);
}

START_TEST(a_commit_makes_others_look_again_and_leaves_running_statements_alone)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, seen_by_others, false);
    stage_close(&stage);
}
END_TEST

static void rolled_back(struct stage *stage, struct world *world, struct scope *scope)
{
    struct catalog *catalog = opened(stage, world, scope);
    struct transaction *transaction = begin(stage, world, scope, READ_COMMITTED);
    transaction_statement(transaction);
    schema_insert(catalog, scope, transaction, 20001, "gone");
    ck_assert_uint_eq(schema(catalog, scope, transaction, true, "gone"), 20001);
    transaction_rollback(transaction);
    ck_assert_uint_eq(schema(catalog, scope, NULL, false, "gone"), 0);
}

START_TEST(a_rollback_leaves_nothing)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, rolled_back, false);
    stage_close(&stage);
}
END_TEST

static void duplicates(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct catalog *catalog = opened(stage, world, scope);
    struct transaction *transaction = begin(stage, world, scope, READ_COMMITTED);
    transaction_statement(transaction);
    struct tuple_access access = {.catalog = catalog, .transaction = transaction, .database = DATABASE};
    struct tuple tuple;
    must(tuple_by_oid(&access, scope, PG_NAMESPACE, SCHEMA_PUBLIC, &tuple, &error), &error);
    struct value *values = tuple_make(scope, PG_NAMESPACE);
    memcpy(values, tuple.values, PG_NAMESPACE_COLUMNS * sizeof *values);
    values[PG_NAMESPACE_OID] = value_integer(20002);
    ck_assert_int_eq(tuple_insert(&access, PG_NAMESPACE, values, &error), SQLSTATE_UNIQUE_VIOLATION);
    ck_assert_str_eq(error_text(&error, ERROR_CONSTRAINT), "pg_namespace_nspname_index");
    /* an update that changes an index's key moves its entry */
    memcpy(values, tuple.values, PG_NAMESPACE_COLUMNS * sizeof *values);
    values[PG_NAMESPACE_NSPNAME] = value_text("private");
    transaction_rollback(transaction);
    transaction = begin(stage, world, scope, READ_COMMITTED);
    transaction_statement(transaction);
    access.transaction = transaction;
    must(tuple_update(&access, PG_NAMESPACE, &tuple, values, &error), &error);
    ck_assert_uint_eq(schema(catalog, scope, transaction, true, "private"), SCHEMA_PUBLIC);
    ck_assert_uint_eq(schema(catalog, scope, transaction, true, "public"), 0);
    transaction_statement(transaction);
    must(tuple_by_oid(&access, scope, PG_NAMESPACE, SCHEMA_PUBLIC, &tuple, &error), &error);
    must(tuple_delete(&access, PG_NAMESPACE, &tuple, &error), &error);
    ck_assert_uint_eq(schema(catalog, scope, transaction, true, "private"), 0);
    transaction_rollback(transaction);
}

START_TEST(unique_indexes_of_pg_catalog_hold)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, duplicates, false);
    stage_close(&stage);
}
END_TEST

/* ---- numbers ---- */

static uint64_t row_ids[3];
static uint32_t oids[3];

static void numbers(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct catalog *catalog = opened(stage, world, scope);
    row_ids[stage->act] = catalog_row_id(catalog);
    ck_assert_uint_gt(catalog_row_id(catalog), row_ids[stage->act]);
    must(catalog_new_oid(catalog, &oids[stage->act], &error), &error);
    ck_assert_uint_ge(oids[stage->act], OID_USER_FIRST);
}

START_TEST(row_ids_and_oids_are_not_given_again_after_a_crash)
{
    struct stage stage;
    stage_open(&stage, 1);
    for (int act = 0; act < 3; act++)
        play(&stage, numbers, act < 2);
    for (int act = 1; act < 3; act++) {
        ck_assert_uint_gt(row_ids[act], row_ids[act - 1]);
        ck_assert_uint_gt(oids[act], oids[act - 1]);
    }
    stage_close(&stage);
}
END_TEST

/* ---- privileges ---- */

static void privileges(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct catalog *catalog = opened(stage, world, scope);
    struct catalog_session reader = superuser;
    reader.role = 3374; /* pg_read_all_settings: neither owner nor superuser */
    struct catalog_view *view;
    must(catalog_view_open(catalog, scope, NULL, &reader, false, &view, &error), &error);
    must(catalog_check_relation(view, 0, relation(view, NULL, "pg_class"), PRIVILEGE_SELECT, NULL, 0, &error),
         &error);
    ck_assert_int_eq(
        catalog_check_relation(view, 0, relation(view, NULL, "pg_authid"), PRIVILEGE_SELECT, NULL, 0, &error),
        SQLSTATE_INSUFFICIENT_PRIVILEGE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "permission denied for table pg_authid");
    ck_assert_int_eq(catalog_check_owner(view, relation(view, NULL, "pg_class"), &error),
                     SQLSTATE_INSUFFICIENT_PRIVILEGE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "must be owner of table pg_class");
    must(catalog_check_schema(view, SCHEMA_PUBLIC, PRIVILEGE_USAGE, &error), &error);
    ck_assert_int_eq(catalog_check_schema(view, SCHEMA_PUBLIC, PRIVILEGE_CREATE, &error),
                     SQLSTATE_INSUFFICIENT_PRIVILEGE);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "permission denied for schema public");
    const struct role *role;
    must(catalog_role(view, "synod", &role, &error), &error);
    ck_assert(role->superuser && role->can_login);
    ck_assert_int_eq(role->valid_until, INT64_MAX);
}

START_TEST(privileges_are_those_of_the_lists)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, privileges, false);
    stage_close(&stage);
}
END_TEST

START_TEST(access_lists_read_and_write_the_same)
{
    struct scope *scope = scope_open_root("acl", NULL);
    struct acl acl;
    ck_assert(acl_parse(scope, "{synod=arwdDxt/synod,=r/synod,\"\\\"a b\\\"=r*w/synod\"}", &acl));
    ck_assert_uint_eq(acl.count, 3);
    ck_assert_str_eq(acl.items[2].grantee, "a b");
    ck_assert_uint_eq(acl.items[2].grantable, PRIVILEGE_SELECT);
    ck_assert_str_eq(acl_item_text(scope, &acl.items[2]), "\"a b\"=r*w/synod");
    acl_revoke(&acl, "", PRIVILEGE_SELECT, false);
    acl_tidy(&acl);
    ck_assert_uint_eq(acl.count, 2);
    acl_grant(scope, &acl, "", "synod", PRIVILEGE_INSERT, false);
    ck_assert_str_eq(acl_item_text(scope, &acl.items[2]), "=a/synod");
    struct acl_item item;
    ck_assert(!acl_item_parse(scope, "a=Q/b", &item));
    scope_close(scope);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("catalog");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_first_start_brings_what_postgresql_brings);
    tcase_add_test(tests, rows_of_pg_catalog_are_found_by_their_indexes);
    tcase_add_test(tests, names_are_read_and_shown_as_postgresql_does);
    tcase_add_test(tests, a_commit_makes_others_look_again_and_leaves_running_statements_alone);
    tcase_add_test(tests, a_rollback_leaves_nothing);
    tcase_add_test(tests, unique_indexes_of_pg_catalog_hold);
    tcase_add_test(tests, row_ids_and_oids_are_not_given_again_after_a_crash);
    tcase_add_test(tests, privileges_are_those_of_the_lists);
    tcase_add_test(tests, access_lists_read_and_write_the_same);
    return unit_run(tests);
}
