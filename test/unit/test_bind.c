/* Statements bound and written back as text, beside what PostgreSQL shows of the view with that query, or the error it gives.
 * The cases stand in bind/ (README.md there). With BIND_STATEMENTS=FILE it writes answers for the statements of that file
 * instead, one a line, for comparing more than is kept here. */
#include "base/scheduler.h"
#include "base/text.h"
#include "sqlfront/bind/bind.h"
#include "sqlfront/parse/parse.h"
#include "sqlfront/parse/tree.h"
#include "test/unit/engine_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE     5
#define TABLES_MAX   8
#define COLUMNS_ROOM 16

static const uint32_t path[] = {SCHEMA_PG_CATALOG, SCHEMA_PUBLIC};
static const struct catalog_session superuser = {.database = DATABASE,
                                                 .role = ROLE_SYNOD,
                                                 .session_role = ROLE_SYNOD,
                                                 .search_path = path,
                                                 .search_path_count = 2};
static uint8_t shared_room[1024] __attribute__((aligned(64)));

/* ---- the tables the statements are about: described here, never made ---- */

static const struct {
    const char *name;
    struct {
        const char *name;
        uint32_t type;
        int32_t modifier;
        const char *default_text;
    } column[COLUMNS_ROOM];
    int16_t key[2];
} tables[] = {
    {"t",
     {{"id", TYPE_INT4, -1, NULL},
      {"a", TYPE_INT4, -1, "7"},
      {"b", TYPE_TEXT, -1, NULL},
      {"c", TYPE_NUMERIC, 655366, NULL},
      {"d", TYPE_DATE, -1, NULL},
      {"ts", TYPE_TIMESTAMPTZ, -1, "now()"},
      {"arr", TYPE_ARRAY_OF_INT4, -1, NULL},
      {"v", TYPE_VARCHAR, 14, NULL},
      {"f", TYPE_FLOAT8, -1, NULL},
      {"j", TYPE_JSONB, -1, NULL},
      {"bl", TYPE_BOOL, -1, NULL}},
     {1}},
    {"u",
     {{"id", TYPE_INT4, -1, NULL},
      {"tid", TYPE_INT4, -1, NULL},
      {"name", TYPE_TEXT, -1, NULL},
      {"x", TYPE_INT8, -1, NULL}},
     {1}},
    {"w", {{"a", TYPE_INT4, -1, NULL}, {"b", TYPE_TEXT, -1, NULL}}, {0}},
};

static struct relation made[TABLES_MAX];

static const struct relation *table_made(struct scope *scope, size_t index)
{
    struct relation *relation = &made[index];
    if (relation->name)
        return relation;
    struct column *columns = scope_alloc_zeroed(scope, COLUMNS_ROOM * sizeof *columns);
    uint32_t count = 0;
    for (; tables[index].column[count].name; count++) {
        const struct type *type = type_builtin(tables[index].column[count].type);
        columns[count] = (struct column){.name = tables[index].column[count].name,
                                         .type = type,
                                         .modifier = tables[index].column[count].modifier,
                                         .collation = type->category == 'S' ? 100 : 0,
                                         .number = (int16_t)(count + 1),
                                         .default_text = tables[index].column[count].default_text};
    }
    *relation = (struct relation){.oid = OID_USER_FIRST + (uint32_t)index,
                                  .schema = SCHEMA_PUBLIC,
                                  .name = tables[index].name,
                                  .schema_name = "public",
                                  .kind = RELATION_TABLE,
                                  .persistence = 'p',
                                  .columns = count,
                                  .column = columns,
                                  .scope = scope};
    if (tables[index].key[0]) {
        struct constraint *primary = scope_alloc_zeroed(scope, sizeof *primary);
        *primary = (struct constraint){.name = "pkey",
                                       .kind = CONSTRAINT_PRIMARY,
                                       .columns = 1,
                                       .column = tables[index].key,
                                       .index = 1,
                                       .relation = relation->oid};
        struct index *key = scope_alloc_zeroed(scope, sizeof *key);
        *key = (struct index){.oid = 1,
                              .name = "pkey",
                              .unique = true,
                              .primary = true,
                              .immediate = true,
                              .valid = true,
                              .key_columns = 1,
                              .columns = 1,
                              .column = tables[index].key};
        struct index **indexes = scope_alloc(scope, sizeof(struct index *));
        indexes[0] = key;
        relation->constraint = primary;
        relation->constraints = 1;
        relation->index = indexes;
        relation->indexes = 1;
    }
    return relation;
}

static struct scope *table_scope;

enum sqlstate __real_catalog_relation(struct catalog_view *view, const char *schema, const char *name,
                                      const struct relation **found, struct error *error);
enum sqlstate __wrap_catalog_relation(struct catalog_view *view, const char *schema, const char *name,
                                      const struct relation **found, struct error *error);
enum sqlstate __wrap_catalog_relation(struct catalog_view *view, const char *schema, const char *name,
                                      const struct relation **found, struct error *error)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(tables[i].name, name) == 0 && (!schema || strcmp(schema, "public") == 0)) {
            *found = table_made(table_scope, i);
            return SQLSTATE_OK;
        }
    return __real_catalog_relation(view, schema, name, found, error);
}

/* ---- one statement ---- */

static const char *error_line(struct scope *scope, const struct error *error)
{
    char state[6];
    struct text text = text_in(scope);
    struct error ignored;
    const char *whole = "", *detail = error_text(error, ERROR_DETAIL), *hint = error_text(error, ERROR_HINT);
    sqlstate_text(error->state, state);
    text_format(&text, "!%s %s", state, error_text(error, ERROR_MESSAGE));
    if (detail)
        text_format(&text, " | %s", detail);
    if (hint)
        text_format(&text, " | %s", hint);
    if (error->position)
        text_format(&text, " @%u", error->position);
    return text_end(&text, &whole, &ignored) ? "" : whole;
}

static const char *answer(struct world *world, struct scope *scope, struct catalog *catalog,
                          const char *statement)
{
    struct error error = {0};
    struct parsed *parsed;
    struct catalog_view *view;
    struct query *query;
    const char *text;
    must(catalog_view_open(catalog, scope, NULL, &superuser, false, &view, &error), &error);
    if (parse_text(world, scope, statement, &parsed, &error))
        return error_line(scope, &error);
    struct environment environment = {.world = world, .catalog = view, .type_find = catalog_type_find};
    struct binder_request request = {
        .world = world, .scope = scope, .view = view, .environment = &environment, .text = statement};
    if (bind_statement(&request, (const struct Node *)parsed_statement(parsed, 0)->stmt, &query, &error))
        return error_line(scope, &error);
    if (query_deparse(view, scope, query, 0, &text, &error))
        return error_line(scope, &error);
    return text;
}

/* ---- cases ---- */

static char *read_file(struct scope *scope, const char *name)
{
    FILE *file = fopen(name, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", name);
    char *all = scope_alloc(scope, 1000000);
    size_t size = fread(all, 1, 999999, file);
    all[size] = 0;
    fclose(file);
    return all;
}

/* Blocks of "? statement", followed by the answer's lines. */
static void cases_check(struct world *world, struct scope *scope, struct catalog *catalog, char *all)
{
    uint32_t count = 0, wrong = 0;
    for (char *at = strncmp(all, "? ", 2) == 0 ? all : strstr(all, "\n? "); at;) {
        char *statement = at + (*at == '\n' ? 3 : 2), *end = strchr(statement, '\n');
        ck_assert_ptr_nonnull(end);
        *end = 0;
        char *expected = end + 1, *next = strstr(end + 1, "\n? ");
        if (next)
            *next = 0;
        size_t size = strlen(expected);
        while (size && expected[size - 1] == '\n')
            expected[--size] = 0;
        struct scope *one = scope_open(scope, "case");
        const char *given = answer(world, one, catalog, statement);
        count++;
        if (strcmp(given, expected) != 0) {
            wrong++;
            fprintf(stderr, "? %s\nexpected:\n%s\ngiven:\n%s\n", statement, expected, given);
        }
        at = next;
        if (at)
            *at = '\n';
    }
    ck_assert_uint_gt(count, 0);
    ck_assert_msg(wrong == 0, "%u of %u cases are answered differently", wrong, count);
}

static void story(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    bool bootstrapped;
    struct catalog *catalog;
    must(catalog_bootstrap(world, stage->engine, "secret", &bootstrapped, &error), &error);
    must(catalog_open(world, scope, stage->engine, shared_room, &catalog, &error), &error);
    table_scope = scope_open(scope, "tables");
    const char *statements = getenv("BIND_STATEMENTS"), *cases = getenv("BIND_CASES");
    if (statements) {
        char *all = read_file(scope, statements);
        for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
            struct scope *one = scope_open(scope, "statement");
            printf("? %s\n%s\n", line, answer(world, one, catalog, line));
            fflush(stdout);
        }
        return;
    }
    char name[1024];
    snprintf(name, sizeof name, "%s/statements.cases", cases);
    cases_check(world, scope, catalog, read_file(scope, name));
}

START_TEST(statements_are_bound_as_postgresql_binds_them)
{
    struct stage stage;
    stage_open(&stage, 1);
    play(&stage, story, false);
    stage_close(&stage);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("bind");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, statements_are_bound_as_postgresql_binds_them);
    return unit_run(tests);
}
