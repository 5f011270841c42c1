/* The \d family (describe.h). Patterns are psql's: * any characters, ? one, a dot between schema and name, "..." as it
 * stands. */
#include "node/cli/describe.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char describe_help[] = "  \\d [NAME]       tables, views and sequences, or one relation\n"
                             "  \\dt \\dv \\di \\ds  tables, views, indexes, sequences [PATTERN]\n"
                             "  \\dn \\df \\dT \\du  schemas, functions, types, roles [PATTERN]\n"
                             "  \\dp             privileges [PATTERN]\n"
                             "  \\l              databases\n";

/* ---- patterns ---- */

/* Reads a pattern up to `end` as a regular expression. */
static void part_read(struct buffer *expression, const char *at, const char *end)
{
    bool quoted = false;
    buffer_text(expression, "^(");
    for (; at < end; at++) {
        char c = *at;
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (!quoted)
            c = (char)tolower((unsigned char)c);
        if (!quoted && c == '*')
            buffer_text(expression, ".*");
        else if (!quoted && c == '?')
            buffer_text(expression, ".");
        else {
            if (strchr("|*+?()[]{}.^$\\", c))
                buffer_text(expression, "\\");
            buffer_add(expression, &c, 1);
        }
    }
    buffer_text(expression, ")$");
}

static const char *schema_dot(const char *pattern)
{
    bool quoted = false;
    for (; *pattern; pattern++) {
        quoted ^= *pattern == '"';
        if (*pattern == '.' && !quoted)
            return pattern;
    }
    return NULL;
}

/* " AND ..." for a pattern over columns; `schema` NULL: such things have none. */
static void add_pattern(struct buffer *sql, const char *pattern, const char *schema, const char *name,
                        const char *visible)
{
    const char *dot = schema ? schema_dot(pattern) : NULL, *part = dot ? dot + 1 : pattern;
    struct buffer expression = {0};
    if (*part) {
        part_read(&expression, part, part + strlen(part));
        buffer_format(sql, " AND %s OPERATOR(pg_catalog.~) ", name);
        buffer_literal(sql, buffer_string(&expression));
    }
    buffer_clear(&expression);
    if (dot) {
        part_read(&expression, pattern, dot);
        buffer_format(sql, " AND %s OPERATOR(pg_catalog.~) ", schema);
        buffer_literal(sql, buffer_string(&expression));
    } else if (visible && *part)
        buffer_format(sql, " AND %s", visible);
    else if (visible)
        buffer_format(sql, " AND %s AND %s NOT IN ('pg_catalog', 'information_schema')", visible, schema);
    buffer_free(&expression);
}

/* ---- lists ---- */

struct list {
    const char *command, *title;
    const char *select; /* up to its WHERE, which is open for more */
    const char *schema, *name, *visible, *order;
};

#define RELATIONS                                                                                           \
    "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' " \
    "THEN "                                                                                                 \
    "'view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'm' THEN 'materialized view' END AS "       \
    "\"Type\", "                                                                                            \
    "pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\""
#define RELATIONS_FROM                                                                                      \
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind " \
    "IN "
#define OF_RELATIONS "n.nspname", "c.relname", "pg_catalog.pg_table_is_visible(c.oid)", "1, 2"

static const struct list lists[] = {
    {"d", "List of relations", RELATIONS RELATIONS_FROM "('r', 'v', 'S', 'm')", OF_RELATIONS},
    {"dt", "List of relations",
     RELATIONS ", pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS \"Size\"" RELATIONS_FROM
               "('r')",
     OF_RELATIONS},
    {"dv", "List of relations", RELATIONS RELATIONS_FROM "('v', 'm')", OF_RELATIONS},
    {"ds", "List of relations", RELATIONS RELATIONS_FROM "('S')", OF_RELATIONS},
    {"di", "List of relations",
     RELATIONS
     ", t.relname AS \"Table\" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
     "c.relnamespace JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid JOIN pg_catalog.pg_class t ON t.oid "
     "= i.indrelid WHERE c.relkind = 'i'",
     OF_RELATIONS},
    {"dp", "Access privileges",
     "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' "
     "THEN 'view' WHEN "
     "'S' THEN 'sequence' END AS \"Type\", pg_catalog.array_to_string(c.relacl, E'\\n') AS \"Access "
     "privileges\"" RELATIONS_FROM "('r', 'v', 'S')",
     OF_RELATIONS},
    {"dn", "List of schemas",
     "SELECT n.nspname AS \"Name\", pg_catalog.pg_get_userbyid(n.nspowner) AS \"Owner\" FROM "
     "pg_catalog.pg_namespace n "
     "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
     NULL, "n.nspname", NULL, "1"},
    {"df", "List of functions",
     "SELECT n.nspname AS \"Schema\", p.proname AS \"Name\", pg_catalog.pg_get_function_result(p.oid) AS "
     "\"Result data "
     "type\", pg_catalog.pg_get_function_arguments(p.oid) AS \"Argument data types\", CASE p.prokind WHEN "
     "'a' THEN 'agg' "
     "WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS \"Type\" FROM pg_catalog.pg_proc p JOIN "
     "pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE true",
     "n.nspname", "p.proname", "pg_catalog.pg_function_is_visible(p.oid)", "1, 2, 4"},
    {"dT", "List of data types",
     "SELECT n.nspname AS \"Schema\", pg_catalog.format_type(t.oid, NULL) AS \"Name\", "
     "pg_catalog.obj_description(t.oid, "
     "'pg_type') AS \"Description\" FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = "
     "t.typnamespace "
     "WHERE (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) "
     "AND NOT "
     "EXISTS (SELECT 1 FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)",
     "n.nspname", "t.typname", "pg_catalog.pg_type_is_visible(t.oid)", "1, 2"},
    {"du", "List of roles",
     "SELECT r.rolname AS \"Role name\", pg_catalog.concat_ws(', ', CASE WHEN r.rolsuper THEN 'Superuser' "
     "END, CASE WHEN "
     "r.rolcreaterole THEN 'Create role' END, CASE WHEN r.rolcreatedb THEN 'Create DB' END, CASE WHEN NOT "
     "r.rolcanlogin "
     "THEN 'Cannot login' END) AS \"Attributes\", ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m "
     "JOIN "
     "pg_catalog.pg_roles b ON m.roleid = b.oid WHERE m.member = r.oid) AS \"Member of\" FROM "
     "pg_catalog.pg_roles r WHERE "
     "r.rolname !~ '^pg_'",
     NULL, "r.rolname", NULL, "1"},
    {"l", "List of databases",
     "SELECT d.datname AS \"Name\", pg_catalog.pg_get_userbyid(d.datdba) AS \"Owner\", "
     "pg_catalog.pg_encoding_to_char(d.encoding) AS \"Encoding\", d.datcollate AS \"Collate\" FROM "
     "pg_catalog.pg_database d WHERE true",
     NULL, "d.datname", NULL, "1"},
};

static bool list_write(struct server *server, const struct list *list, const char *pattern,
                       const struct print_options *options, FILE *to)
{
    struct print_options own = *options;
    struct buffer sql = {0};
    buffer_text(&sql, list->select);
    add_pattern(&sql, pattern, list->schema, list->name, list->visible);
    buffer_format(&sql, " ORDER BY %s", list->order);
    if (own.format == PRINT_ALIGNED && !own.tuples_only)
        fprintf(to, "%s\n", list->title);
    bool done = print_statement(server, buffer_string(&sql), &own, to);
    buffer_free(&sql);
    return done;
}

/* ---- one relation ---- */

/* What stands below the columns: a query over %s = the relation's oid, whose only column is shown a line each. */
static const struct {
    const char *title, *query;
} footers[] = {
    {"Indexes:", "SELECT '    \"' || i.relname || '\" ' || CASE WHEN x.indisprimary THEN 'PRIMARY KEY, ' "
                 "WHEN k.contype = 'u' THEN "
                 "'UNIQUE CONSTRAINT, ' WHEN x.indisunique THEN 'UNIQUE, ' ELSE '' END || "
                 "pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(i.oid), '^.* USING ', '') FROM "
                 "pg_catalog.pg_index x JOIN "
                 "pg_catalog.pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_catalog.pg_constraint k ON "
                 "k.conindid = i.oid AND "
                 "k.contype IN ('p', 'u') AND k.conrelid = x.indrelid WHERE x.indrelid = %s ORDER BY "
                 "x.indisprimary DESC, i.relname"},
    {"Check constraints:", "SELECT '    \"' || conname || '\" ' || pg_catalog.pg_get_constraintdef(oid, "
                           "true) FROM pg_catalog.pg_constraint "
                           "WHERE conrelid = %s AND contype = 'c' ORDER BY conname"},
    {"Foreign-key constraints:", "SELECT '    \"' || conname || '\" ' || "
                                 "pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint "
                                 "WHERE conrelid = %s AND contype = 'f' ORDER BY conname"},
    {"Referenced by:", "SELECT '    TABLE \"' || conrelid::pg_catalog.regclass::text || '\" CONSTRAINT \"' "
                       "|| conname || '\" ' || "
                       "pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint WHERE "
                       "confrelid = %s AND contype = 'f' "
                       "ORDER BY conrelid, conname"},
    {"View definition:", "SELECT pg_catalog.pg_get_viewdef(c.oid, true) FROM pg_catalog.pg_class c WHERE "
                         "c.oid = %s AND c.relkind = 'v'"},
};

static bool footers_write(struct server *server, const char *oid, FILE *to)
{
    for (size_t i = 0; i < sizeof footers / sizeof footers[0]; i++) {
        struct cells cells;
        const char *hole = strstr(footers[i].query, "%s");
        char *sql = text_make("%.*s%s%s", (int)(hole - footers[i].query), footers[i].query, oid, hole + 2);
        bool done = cells_read(server, sql, &cells);
        free(sql);
        if (done && cells.rows)
            fprintf(to, "%s\n", footers[i].title);
        for (size_t r = 0; r < cells.rows; r++)
            fprintf(to, "%s\n", cells.cell[r] ? cells.cell[r] : "");
        cells_free(&cells);
        if (!done)
            return false;
    }
    return true;
}

static const char *kind_word(const char *kind)
{
    switch (kind[0]) {
    case 'v':
        return "View";
    case 'i':
        return "Index";
    case 'S':
        return "Sequence";
    default:
        return "Table";
    }
}

static bool relation_write(struct server *server, char *const *found, const struct print_options *options,
                           FILE *to)
{
    char *title = text_make("%s \"%s.%s\"", kind_word(found[3]), found[1], found[2]);
    struct print_options own = *options;
    own.title = title;
    char *sql =
        text_make("SELECT a.attname AS \"Column\", pg_catalog.format_type(a.atttypid, a.atttypmod) AS "
                  "\"Type\", CASE WHEN "
                  "a.attnotnull THEN 'not null' ELSE '' END AS \"Nullable\", CASE WHEN a.attidentity = 'a' "
                  "THEN 'generated always "
                  "as identity' WHEN a.attidentity = 'd' THEN 'generated by default as identity' WHEN "
                  "a.attgenerated = 's' THEN "
                  "'generated always as (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') stored' ELSE "
                  "coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') END AS \"Default\" FROM "
                  "pg_catalog.pg_attribute a LEFT "
                  "JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE "
                  "a.attrelid = %s AND "
                  "a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                  found[0]);
    bool done = print_statement(server, sql, &own, to) && footers_write(server, found[0], to);
    putc('\n', to);
    free(sql);
    free(title);
    return done;
}

static bool relations_write(struct server *server, const char *pattern, const struct print_options *options,
                            FILE *to)
{
    struct buffer sql = {0};
    struct cells found;
    buffer_text(&sql, "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN "
                      "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE true");
    add_pattern(&sql, pattern, "n.nspname", "c.relname", "pg_catalog.pg_table_is_visible(c.oid)");
    buffer_text(&sql, " ORDER BY 2, 3");
    bool done = cells_read(server, buffer_string(&sql), &found);
    buffer_free(&sql);
    if (done && found.rows == 0) {
        fprintf(stderr, "Did not find any relation named \"%s\".\n", pattern);
        done = false;
    }
    for (size_t r = 0; r < found.rows && done; r++)
        done = relation_write(server, &found.cell[r * found.columns], options, to);
    cells_free(&found);
    return done;
}

bool describe(struct server *server, const char *command, const char *pattern,
              const struct print_options *options, FILE *to, bool *done)
{
    size_t size = strcspn(command, "+S");
    if (size == 1 && command[0] == 'd' && *pattern) {
        *done = relations_write(server, pattern, options, to);
        return true;
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strlen(lists[i].command) == size && strncmp(command, lists[i].command, size) == 0) {
            *done = list_write(server, &lists[i], pattern, options, to);
            return true;
        }
    return false;
}
