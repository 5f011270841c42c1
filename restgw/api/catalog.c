/* What is in a database, read from pg_catalog as the caller, each row as one JSON text. Relations are named "schema.name", or by a
 * name that the search path finds; regclass reads both. */
#include "restgw/api/inside.h"

#include <string.h>

/* Names of schemas nobody made. */
#define OWN_SCHEMAS                                                                                     \
    "n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'synod_rest') and n.nspname !~ " \
    "'^pg_'"

static const char databases_sql[] =
    "select json_build_object('name', d.datname, 'owner', pg_catalog.pg_get_userbyid(d.datdba), "
    "'encoding', pg_catalog.pg_encoding_to_char(d.encoding), 'collation', d.datcollate, "
    "'allow_connections', d.datallowconn, 'connection_limit', d.datconnlimit, "
    "'comment', pg_catalog.shobj_description(d.oid, 'pg_database')) from pg_catalog.pg_database d";

static const char schemas_sql[] =
    "select json_build_object('name', n.nspname, 'owner', pg_catalog.pg_get_userbyid(n.nspowner), "
    "'comment', pg_catalog.obj_description(n.oid, 'pg_namespace'), 'table_count', (select count(*)::int from "
    "pg_catalog.pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'p'))) from "
    "pg_catalog.pg_namespace n";

/* Of relation c in schema n; the size is another matter: it asks every shard. */
#define TABLE_MEMBERS                                                                                   \
    "'schema', n.nspname, 'name', c.relname, 'kind', case c.relkind when 'p' then 'partitioned_table' " \
    "when 'f' then 'foreign_table' else 'table' end, 'owner', pg_catalog.pg_get_userbyid(c.relowner), " \
    "'layout', (select am.amname from pg_catalog.pg_am am where am.oid = c.relam), 'persistence', "     \
    "case c.relpersistence when 't' then 'temporary' when 'u' then 'unlogged' else 'permanent' end, "   \
    "'estimated_rows', case when c.reltuples < 0 then null else c.reltuples::bigint::text end, "        \
    "'comment', pg_catalog.obj_description(c.oid, 'pg_class')"
#define FROM_TABLES " from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "

#define COLUMN_OBJECT                                                                                 \
    "json_build_object('name', a.attname, 'position', a.attnum, 'type', "                             \
    "pg_catalog.format_type(a.atttypid, a.atttypmod), 'nullable', not a.attnotnull, 'default', "      \
    "case when a.attgenerated = '' then pg_catalog.pg_get_expr(f.adbin, f.adrelid) end, 'identity', " \
    "case a.attidentity when 'a' then 'always' when 'd' then 'by_default' end, 'generated', "         \
    "case when a.attgenerated <> '' then pg_catalog.pg_get_expr(f.adbin, f.adrelid) end, 'comment', " \
    "pg_catalog.col_description(a.attrelid, a.attnum))"
#define FROM_COLUMNS                                                                                   \
    " from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and " \
    "f.adnum = a.attnum where a.attnum > 0 and not a.attisdropped and a.attrelid = "

#define CONSTRAINT_OBJECT                                                                                    \
    "json_build_object('name', k.conname, 'kind', case k.contype when 'p' then 'primary_key' when 'u' then " \
    "'unique' when 'c' then 'check' when 'f' then 'foreign_key' when 'x' then 'exclusion' else 'trigger' "   \
    "end, "                                                                                                  \
    "'definition', pg_catalog.pg_get_constraintdef(k.oid), 'columns', (select array_agg(x.attname order by " \
    "array_position(k.conkey, x.attnum)) from pg_catalog.pg_attribute x where x.attrelid = k.conrelid and "  \
    "x.attnum = any (k.conkey)), 'references', case when k.confrelid <> 0 then k.confrelid::regclass::text " \
    "end, 'validated', k.convalidated, 'deferrable', k.condeferrable)"
#define FROM_CONSTRAINTS " from pg_catalog.pg_constraint k where k.conrelid = "

#define INDEX_OBJECT                                                                                 \
    "json_build_object('schema', n.nspname, 'name', c.relname, 'method', (select am.amname from "    \
    "pg_catalog.pg_am am where am.oid = c.relam), 'definition', pg_catalog.pg_get_indexdef(c.oid), " \
    "'unique', i.indisunique, 'primary', i.indisprimary, 'valid', i.indisvalid, 'predicate', "       \
    "pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'size_bytes', pg_catalog.pg_relation_size(c.oid)::text)"
#define FROM_INDEXES                                                                       \
    " from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join " \
    "pg_catalog.pg_namespace n on n.oid = c.relnamespace where i.indrelid = "

#define VIEW_MEMBERS                                                                                    \
    "'schema', n.nspname, 'name', c.relname, 'owner', pg_catalog.pg_get_userbyid(c.relowner), 'kind', " \
    "case c.relkind when 'm' then 'materialized_view' else 'view' end, 'definition', "                  \
    "pg_catalog.pg_get_viewdef(c.oid), 'comment', pg_catalog.obj_description(c.oid, 'pg_class')"

#define SEQUENCE_OBJECT                                                                                     \
    "json_build_object('schema', s.schemaname, 'name', s.sequencename, 'owner', s.sequenceowner, "          \
    "'data_type', s.data_type::text, 'start', s.start_value::text, 'minimum', s.min_value::text, "          \
    "'maximum', "                                                                                           \
    "s.max_value::text, 'increment', s.increment_by::text, 'cycle', s.cycle, 'cache', s.cache_size::text, " \
    "'last_value', s.last_value::text)"

#define TYPE_OBJECT                                                                                          \
    "json_build_object('schema', n.nspname, 'name', t.typname, 'kind', case t.typtype when 'b' then 'base' " \
    "when 'c' then 'composite' when 'd' then 'domain' when 'e' then 'enum' when 'p' then 'pseudo' when 'r' " \
    "then "                                                                                                  \
    "'range' else 'multirange' end, 'owner', pg_catalog.pg_get_userbyid(t.typowner), 'labels', (select "     \
    "array_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid), " \
    "'base_type', case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end, "   \
    "'comment', pg_catalog.obj_description(t.oid, 'pg_type'))"
#define FROM_TYPES                                                                                           \
    " from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where (t.typrelid " \
    "= "                                                                                                     \
    "0 or (select c.relkind from pg_catalog.pg_class c where c.oid = t.typrelid) = 'c') and t.typname !~ "   \
    "'^_' "

#define FUNCTION_OBJECT                                                                                \
    "json_build_object('schema', n.nspname, 'name', p.proname, 'kind', case p.prokind when 'p' then "  \
    "'procedure' when 'a' then 'aggregate' when 'w' then 'window' else 'function' end, 'arguments', "  \
    "pg_catalog.pg_get_function_identity_arguments(p.oid), 'result', "                                 \
    "pg_catalog.pg_get_function_result(p.oid), "                                                       \
    "'language', l.lanname, 'volatility', case p.provolatile when 'i' then 'immutable' when 's' then " \
    "'stable' "                                                                                        \
    "else 'volatile' end, 'owner', pg_catalog.pg_get_userbyid(p.proowner), 'definition', p.prosrc, "   \
    "'comment', "                                                                                      \
    "pg_catalog.obj_description(p.oid, 'pg_proc'))"
#define FROM_FUNCTIONS                                                                          \
    " from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace join " \
    "pg_catalog.pg_language l on l.oid = p.prolang where "

static const char *path_text(struct http_call *call, const char *name)
{
    return scope_text(call->scope, http_path(call->exchange, name));
}

static bool catalog_allowed(struct http_call *call)
{
    return call_allowed(call, SCOPE_ADMIN | SCOPE_SQL | SCOPE_READ);
}

/* A list with the filter `schema`, which is $1. */
static void list_by_schema(struct http_call *call, const char *select, const char *own)
{
    struct bytes schema = http_query(call->exchange, "schema");
    const char *const values[] = {schema.data ? scope_text(call->scope, schema) : NULL};
    if (!catalog_allowed(call))
        return;
    items_answer(
        call, path_text(call, "database"), false,
        call_format(call,
                    "%s and case when $1::text is null then %s else n.nspname = $1::text end order by 1",
                    select, own),
        values, 1);
}

/* Lists are sorted by their object's text, which begins with schema and name; json has no order, so its text is taken. */
#define AS_TEXT(object) "select (" object ")::text"

/* ---- databases, schemas ---- */

void api_list_databases(struct http_call *call)
{
    if (catalog_allowed(call))
        items_answer(call, NULL, false,
                     call_format(call, "%s where not d.datistemplate order by d.datname", databases_sql),
                     NULL, 0);
}

const char *database_sql(struct http_call *call)
{
    return call_format(call, "%s where d.datname = $1", databases_sql);
}

void api_get_database(struct http_call *call)
{
    const char *const values[] = {path_text(call, "database")};
    if (catalog_allowed(call))
        item_answer(call, NULL, false, "database", database_sql(call), values, 1);
}

void api_list_schemas(struct http_call *call)
{
    if (catalog_allowed(call))
        items_answer(call, path_text(call, "database"), false,
                     call_format(call, "%s where " OWN_SCHEMAS " order by n.nspname", schemas_sql), NULL, 0);
}

const char *schema_sql(struct http_call *call)
{
    return call_format(call, "%s where n.nspname = $1", schemas_sql);
}

void api_get_schema(struct http_call *call)
{
    const char *const values[] = {path_text(call, "schema")};
    if (catalog_allowed(call))
        item_answer(call, path_text(call, "database"), false, "schema", schema_sql(call), values, 1);
}

/* ---- tables ---- */

void api_list_tables(struct http_call *call)
{
    list_by_schema(call,
                   AS_TEXT("json_build_object(" TABLE_MEMBERS ")") FROM_TABLES
                   "where c.relkind in ('r', 'p', 'f')",
                   OWN_SCHEMAS);
}

const char *table_sql(void)
{
    return "select json_build_object(" TABLE_MEMBERS
           ", 'size_bytes', pg_catalog.pg_total_relation_size(c.oid)::text, "
           "'columns', (select coalesce(json_agg(" COLUMN_OBJECT " order by a.attnum), '[]')" FROM_COLUMNS
           "c.oid), 'constraints', (select coalesce(json_agg(" CONSTRAINT_OBJECT
           " order by k.conname), '[]')" FROM_CONSTRAINTS "c.oid))" FROM_TABLES
           "where c.relkind in ('r', 'p', 'f') and c.oid = pg_catalog.to_regclass($1)";
}

void api_get_table(struct http_call *call)
{
    const char *const values[] = {path_text(call, "table")};
    if (catalog_allowed(call))
        item_answer(call, path_text(call, "database"), false, "table", table_sql(), values, 1);
}

/* Things of a table; 404 when there is no such table. */
static void list_of_table(struct http_call *call, const char *sql)
{
    const char *const values[] = {path_text(call, "table")};
    if (catalog_allowed(call))
        items_answer(call, path_text(call, "database"), false, sql, values, 1);
}

void api_list_columns(struct http_call *call)
{
    list_of_table(call, "select " COLUMN_OBJECT FROM_COLUMNS "$1::regclass order by a.attnum");
}

void api_list_constraints(struct http_call *call)
{
    list_of_table(call, "select " CONSTRAINT_OBJECT FROM_CONSTRAINTS "$1::regclass order by k.conname");
}

void api_list_indexes(struct http_call *call)
{
    list_of_table(call, "select " INDEX_OBJECT FROM_INDEXES "$1::regclass order by c.relname");
}

void api_get_table_statistics(struct http_call *call)
{
    const char *const values[] = {path_text(call, "table")};
    if (catalog_allowed(call))
        item_answer(
            call, path_text(call, "database"), false, "table",
            "select json_build_object('estimated_rows', case when c.reltuples < 0 then null else "
            "c.reltuples::bigint::text end, 'size_bytes', pg_catalog.pg_table_size(c.oid)::text, "
            "'indexes_size_bytes', pg_catalog.pg_indexes_size(c.oid)::text, 'columns', (select coalesce("
            "json_agg(json_build_object('name', s.attname, 'null_fraction', s.null_frac, 'average_bytes', "
            "s.avg_width, 'distinct', s.n_distinct)), '[]') from pg_catalog.pg_stats s where s.schemaname = "
            "n.nspname and s.tablename = c.relname))" FROM_TABLES "where c.oid = pg_catalog.to_regclass($1)",
            values, 1);
}

void api_list_table_dependents(struct http_call *call)
{
    list_of_table(
        call,
        "select json_build_object('kind', d.kind, 'name', d.name) from (select 'view' as kind, "
        "r.ev_class::regclass::text as name from pg_catalog.pg_depend p join pg_catalog.pg_rewrite r on "
        "r.oid = p.objid where p.refobjid = $1::regclass and p.classid = 'pg_catalog.pg_rewrite'::regclass "
        "and r.ev_class <> p.refobjid union select 'foreign_key', k.conrelid::regclass::text || '.' || "
        "k.conname from pg_catalog.pg_constraint k where k.contype = 'f' and k.confrelid = $1::regclass) d "
        "order by d.kind, d.name");
}

/* ---- views, sequences, types, functions ---- */

void api_list_views(struct http_call *call)
{
    list_by_schema(call,
                   AS_TEXT("json_build_object(" VIEW_MEMBERS ")") FROM_TABLES "where c.relkind in ('v', 'm')",
                   OWN_SCHEMAS);
}

const char *view_sql(void)
{
    return "select json_build_object(" VIEW_MEMBERS ", 'columns', (select coalesce(json_agg(" COLUMN_OBJECT
           " order by a.attnum), '[]')" FROM_COLUMNS "c.oid))" FROM_TABLES
           "where c.relkind in ('v', 'm') and c.oid = pg_catalog.to_regclass($1)";
}

void api_get_view(struct http_call *call)
{
    const char *const values[] = {path_text(call, "view")};
    if (catalog_allowed(call))
        item_answer(call, path_text(call, "database"), false, "view", view_sql(), values, 1);
}

void api_list_sequences(struct http_call *call)
{
    struct bytes schema = http_query(call->exchange, "schema");
    const char *const values[] = {schema.data ? scope_text(call->scope, schema) : NULL};
    if (catalog_allowed(call))
        items_answer(call, path_text(call, "database"), false,
                     "select " SEQUENCE_OBJECT " from pg_catalog.pg_sequences s where $1::text is null or "
                     "s.schemaname = $1::text order by s.schemaname, s.sequencename",
                     values, 1);
}

const char *sequence_sql(void)
{
    return "select " SEQUENCE_OBJECT
           " from pg_catalog.pg_sequences s where (s.schemaname, s.sequencename) = (select "
           "n.nspname, c.relname" FROM_TABLES "where c.relkind = 'S' and c.oid = pg_catalog.to_regclass($1))";
}

void api_get_sequence(struct http_call *call)
{
    const char *const values[] = {path_text(call, "sequence")};
    if (catalog_allowed(call))
        item_answer(call, path_text(call, "database"), false, "sequence", sequence_sql(), values, 1);
}

void api_list_types(struct http_call *call)
{
    list_by_schema(call, AS_TEXT(TYPE_OBJECT) FROM_TYPES, OWN_SCHEMAS);
}

const char *type_sql(void)
{
    return "select " TYPE_OBJECT FROM_TYPES "and t.oid = pg_catalog.to_regtype($1)";
}

void api_get_type(struct http_call *call)
{
    const char *const values[] = {path_text(call, "type")};
    if (catalog_allowed(call))
        item_answer(call, path_text(call, "database"), false, "type", type_sql(), values, 1);
}

void api_list_functions(struct http_call *call)
{
    list_by_schema(call, AS_TEXT(FUNCTION_OBJECT) FROM_FUNCTIONS "true", OWN_SCHEMAS);
}

/* With parentheses: the function of those types; without: the only one of the name. */
const char *function_sql(const char *name)
{
    return strchr(name, '(') ? "select " FUNCTION_OBJECT FROM_FUNCTIONS
                               "p.oid = pg_catalog.to_regprocedure($1)"
                             : "select " FUNCTION_OBJECT FROM_FUNCTIONS "p.oid = pg_catalog.to_regproc($1)";
}

void api_get_function(struct http_call *call)
{
    const char *const values[] = {path_text(call, "function")};
    if (catalog_allowed(call))
        item_answer(call, path_text(call, "database"), false, "function", function_sql(values[0]), values, 1);
}
