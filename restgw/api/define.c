/* Changing what is in a database: requests become DDL, run as the caller. Names are always quoted; types, expressions and
 * definitions are SQL the caller wrote, who could as well send them as a statement. */
#include "restgw/api/inside.h"

#include <stdio.h>
#include <string.h>

static const char *path_text(struct http_call *call, const char *name)
{
    return scope_text(call->scope, http_path(call->exchange, name));
}

static const char *member_text(struct http_call *call, const struct json *object, const char *name)
{
    struct bytes text = json_text(object, name);
    return text.data ? scope_text(call->scope, text) : NULL;
}

static const struct json *member(const struct json *object, const char *name)
{
    return json_member(object, name);
}

static bool is_null(const struct json *value)
{
    return value && value->kind == HTTP_NULL;
}

/* The schema and name members of a body. */
static void qualified_member(struct text *text, struct http_call *call)
{
    const char *schema = member_text(call, call->body, "schema");
    if (schema) {
        text_identifier(text, schema);
        text_append(text, ".");
    }
    text_identifier(text, member_text(call, call->body, "name"));
}

static bool define_allowed(struct http_call *call)
{
    return call_allowed(call, SCOPE_ADMIN | SCOPE_SQL);
}

/* ---- what many have in common ---- */

/* DROP of what the path names. */
static void drop(struct http_call *call, const char *kind, const char *word, const char *parameter,
                 const char *database, const char *item_sql)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *name = path_text(call, parameter);
    const char *const values[] = {name};
    if (!define_allowed(call) || (item_sql && !item_matches(call, database, word, item_sql, values, 1)))
        return;
    text_format(&text, "drop %s ", kind);
    relation_write(&text, call, name);
    if (query_truth(call, "cascade"))
        text_append(&text, " cascade");
    ddl_add(&ddl, &text);
    ddl_run(&ddl, database, 200, call_format(call, "%s.drop", word), name);
}

static void alter_name(struct ddl *ddl, const char *kind, const char *old)
{
    struct http_call *call = ddl->call;
    const char *name = member_text(call, call->body, "name");
    struct text text = text_in(call->scope);
    if (!name)
        return;
    text_format(&text, "alter %s ", kind);
    relation_write(&text, call, old);
    text_append(&text, " rename to ");
    text_identifier(&text, name);
    ddl_add(ddl, &text);
}

static void alter_owner(struct ddl *ddl, const char *kind, const char *name)
{
    struct http_call *call = ddl->call;
    const char *owner = member_text(call, call->body, "owner");
    struct text text = text_in(call->scope);
    if (!owner)
        return;
    text_format(&text, "alter %s ", kind);
    relation_write(&text, call, name);
    text_append(&text, " owner to ");
    text_identifier(&text, owner);
    ddl_add(ddl, &text);
}

static void comment_add(struct ddl *ddl, const char *kind, const char *name)
{
    struct http_call *call = ddl->call;
    const struct json *comment = member(call->body, "comment");
    struct text text = text_in(call->scope);
    if (!comment)
        return;
    text_format(&text, "comment on %s ", kind);
    relation_write(&text, call, name);
    text_append(&text, " is ");
    if (is_null(comment))
        text_append(&text, "null");
    else
        text_literal(&text, scope_text(call->scope, comment->text));
    ddl_add(ddl, &text);
}

/* Settings of a database or role. */
static void settings_add(struct ddl *ddl, const char *kind, const char *name)
{
    struct http_call *call = ddl->call;
    const struct json *settings = member(call->body, "settings");
    for (const struct json *at = settings && settings->kind == HTTP_OBJECT ? settings->children : NULL;
         at && ddl->count < 24; at = at->next) {
        struct text text = text_in(call->scope);
        text_format(&text, "alter %s ", kind);
        text_identifier(&text, name);
        text_append(&text, is_null(at) ? " reset " : " set ");
        text_identifier(&text, scope_text(call->scope, at->name));
        if (!is_null(at)) {
            text_append(&text, " = ");
            text_literal(&text, at->kind == HTTP_BOOLEAN ? (at->truth ? "on" : "off")
                                                         : scope_text(call->scope, at->text));
        }
        ddl_add(ddl, &text);
    }
}

static bool changes(struct ddl *ddl)
{
    if (ddl->count)
        return true;
    call_problem(ddl->call, 400, "invalid-value", "Invalid value", "the request changes nothing");
    return false;
}

/* ---- databases ---- */

void api_create_database(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *name = member_text(call, call->body, "name"), *owner = member_text(call, call->body, "owner"),
               *template = member_text(call, call->body, "template");
    int64_t limit = json_integer(call->body, "connection_limit", -2);
    if (!define_allowed(call))
        return;
    text_append(&text, "create database ");
    text_identifier(&text, name);
    if (owner) {
        text_append(&text, " owner ");
        text_identifier(&text, owner);
    }
    if (template) {
        text_append(&text, " template ");
        text_identifier(&text, template);
    }
    if (limit > -2)
        text_format(&text, " connection limit %d", (int)limit);
    ddl_add(&ddl, &text);
    ddl_run(&ddl, NULL, 201, "database.create", name);
}

void api_update_database(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    const char *name = path_text(call, "database");
    const char *const values[] = {name};
    int64_t limit = json_integer(call->body, "connection_limit", -2);
    if (!define_allowed(call) || !item_matches(call, NULL, "database", database_sql(call), values, 1))
        return;
    if (limit > -2) {
        struct text text = text_in(call->scope);
        text_append(&text, "alter database ");
        text_identifier(&text, name);
        text_format(&text, " connection limit %d", (int)limit);
        ddl_add(&ddl, &text);
    }
    settings_add(&ddl, "database", name);
    comment_add(&ddl, "database", name);
    alter_owner(&ddl, "database", name);
    alter_name(&ddl, "database", name);
    if (changes(&ddl))
        ddl_run(&ddl, NULL, 200, "database.alter", name);
}

void api_update_database_by_post(struct http_call *call)
{
    api_update_database(call);
}

void api_delete_database(struct http_call *call)
{
    drop(call, "database", "database", "database", NULL, database_sql(call));
}

void api_delete_database_by_post(struct http_call *call)
{
    api_delete_database(call);
}

/* ---- schemas ---- */

void api_create_schema(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *name = member_text(call, call->body, "name"), *owner = member_text(call, call->body, "owner");
    if (!define_allowed(call))
        return;
    text_append(&text, "create schema ");
    text_identifier(&text, name);
    if (owner) {
        text_append(&text, " authorization ");
        text_identifier(&text, owner);
    }
    ddl_add(&ddl, &text);
    ddl_run(&ddl, path_text(call, "database"), 201, "schema.create", name);
}

void api_update_schema(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    const char *name = path_text(call, "schema"), *database = path_text(call, "database");
    const char *const values[] = {name};
    if (!define_allowed(call) || !item_matches(call, database, "schema", schema_sql(call), values, 1))
        return;
    comment_add(&ddl, "schema", name);
    alter_owner(&ddl, "schema", name);
    alter_name(&ddl, "schema", name);
    if (changes(&ddl))
        ddl_run(&ddl, database, 200, "schema.alter", name);
}

void api_update_schema_by_post(struct http_call *call)
{
    api_update_schema(call);
}

void api_delete_schema(struct http_call *call)
{
    drop(call, "schema", "schema", "schema", path_text(call, "database"), schema_sql(call));
}

void api_delete_schema_by_post(struct http_call *call)
{
    api_delete_schema(call);
}

/* ---- tables ---- */

static void column_definition(struct text *text, struct http_call *call, const struct json *column)
{
    const char *preset = member_text(call, column, "default"),
               *identity = member_text(call, column, "identity"),
               *generated = member_text(call, column, "generated");
    text_identifier(text, member_text(call, column, "name"));
    text_format(text, " %s", member_text(call, column, "type"));
    if (preset)
        text_format(text, " default %s", preset);
    if (generated)
        text_format(text, " generated always as (%s) stored", generated);
    if (identity)
        text_format(text, " generated %s as identity", identity[0] == 'a' ? "always" : "by default");
    if (!json_truth(column, "nullable", true))
        text_append(text, " not null");
}

static void constraint_definition(struct text *text, struct http_call *call, const struct json *constraint)
{
    const char *name = member_text(call, constraint, "name");
    if (name) {
        text_append(text, "constraint ");
        text_identifier(text, name);
        text_append(text, " ");
    }
    text_append(text, member_text(call, constraint, "definition"));
}

void api_create_table(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const struct json *columns = member(call->body, "columns"),
                      *constraints = member(call->body, "constraints");
    const char *layout = member_text(call, call->body, "layout");
    const char *name = member_text(call, call->body, "name"),
               *schema = member_text(call, call->body, "schema");
    bool first = true;
    if (!define_allowed(call))
        return;
    text_format(&text, "create %stable %s", json_truth(call->body, "temporary", false) ? "temporary " : "",
                json_truth(call->body, "if_not_exists", false) ? "if not exists " : "");
    qualified_member(&text, call);
    text_append(&text, " (");
    for (const struct json *column = columns->children; column; column = column->next, first = false) {
        text_append(&text, first ? "" : ", ");
        column_definition(&text, call, column);
    }
    for (const struct json *each = constraints && constraints->kind == HTTP_ARRAY ? constraints->children
                                                                                  : NULL;
         each; each = each->next, first = false) {
        text_append(&text, first ? "" : ", ");
        constraint_definition(&text, call, each);
    }
    text_append(&text, ")");
    if (layout) {
        text_append(&text, " using ");
        text_identifier(&text, layout);
    }
    ddl_add(&ddl, &text);
    const char *whole = schema ? call_format(call, "%s.%s", schema, name) : name;
    if (!is_null(member(call->body, "comment")))
        comment_add(&ddl, "table", whole);
    ddl_run(&ddl, path_text(call, "database"), 201, "table.create", whole);
}

void api_update_table(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    const char *name = path_text(call, "table"), *database = path_text(call, "database"),
               *schema = member_text(call, call->body, "schema");
    const char *const values[] = {name};
    if (!define_allowed(call) || !item_matches(call, database, "table", table_sql(), values, 1))
        return;
    comment_add(&ddl, "table", name);
    alter_owner(&ddl, "table", name);
    if (schema) {
        struct text text = text_in(call->scope);
        const char *renamed = member_text(call, call->body, "name");
        if (renamed) {
            alter_name(&ddl, "table", name);
            const char *dot = strchr(name, '.');
            name = dot ? call_format(call, "%.*s.%s", (int)(dot - name), name, renamed) : renamed;
        }
        text_append(&text, "alter table ");
        relation_write(&text, call, name);
        text_append(&text, " set schema ");
        text_identifier(&text, schema);
        ddl_add(&ddl, &text);
    } else
        alter_name(&ddl, "table", name);
    if (changes(&ddl))
        ddl_run(&ddl, database, 200, "table.alter", name);
}

void api_update_table_by_post(struct http_call *call)
{
    api_update_table(call);
}

void api_delete_table(struct http_call *call)
{
    drop(call, "table", "table", "table", path_text(call, "database"), table_sql());
}

void api_delete_table_by_post(struct http_call *call)
{
    api_delete_table(call);
}

/* ---- columns, constraints, indexes of a table ---- */

static void table_begin(struct text *text, struct http_call *call)
{
    text_append(text, "alter table ");
    relation_write(text, call, path_text(call, "table"));
}

static void table_end(struct ddl *ddl, struct text *text, int status, const char *action)
{
    ddl_add(ddl, text);
    ddl_run(ddl, path_text(ddl->call, "database"), status, action, path_text(ddl->call, "table"));
}

void api_create_column(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    if (!define_allowed(call))
        return;
    table_begin(&text, call);
    text_append(&text, " add column ");
    column_definition(&text, call, call->body);
    table_end(&ddl, &text, 201, "column.create");
}

static void column_alter(struct ddl *ddl, const char *column, const char *what)
{
    struct text text = text_in(ddl->call->scope);
    table_begin(&text, ddl->call);
    text_append(&text, " alter column ");
    text_identifier(&text, column);
    text_append(&text, what);
    ddl_add(ddl, &text);
}

void api_update_column(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    const char *column = path_text(call, "column"), *name = member_text(call, call->body, "name"),
               *type = member_text(call, call->body, "type"), *using = member_text(call, call->body, "using");
    const struct json *nullable = member(call->body, "nullable"), *preset = member(call->body, "default"),
                      *comment = member(call->body, "comment");
    if (!define_allowed(call))
        return;
    if (type)
        column_alter(&ddl, column,
                     call_format(call, " type %s%s%s", type, using ? " using " : "", using ? using : ""));
    if (nullable)
        column_alter(&ddl, column, nullable->truth ? " drop not null" : " set not null");
    if (preset)
        column_alter(&ddl, column,
                     is_null(preset)
                         ? " drop default"
                         : call_format(call, " set default %s", scope_text(call->scope, preset->text)));
    if (comment) {
        struct text text = text_in(call->scope);
        text_append(&text, "comment on column ");
        relation_write(&text, call, path_text(call, "table"));
        text_append(&text, ".");
        text_identifier(&text, column);
        text_append(&text, " is ");
        if (is_null(comment))
            text_append(&text, "null");
        else
            text_literal(&text, scope_text(call->scope, comment->text));
        ddl_add(&ddl, &text);
    }
    if (name) {
        struct text text = text_in(call->scope);
        table_begin(&text, call);
        text_append(&text, " rename column ");
        text_identifier(&text, column);
        text_append(&text, " to ");
        text_identifier(&text, name);
        ddl_add(&ddl, &text);
    }
    if (changes(&ddl))
        ddl_run(&ddl, path_text(call, "database"), 200, "column.alter", path_text(call, "table"));
}

void api_update_column_by_post(struct http_call *call)
{
    api_update_column(call);
}

static void part_drop(struct http_call *call, const char *kind, const char *parameter)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    if (!define_allowed(call))
        return;
    table_begin(&text, call);
    text_format(&text, " drop %s ", kind);
    text_identifier(&text, path_text(call, parameter));
    if (query_truth(call, "cascade"))
        text_append(&text, " cascade");
    table_end(&ddl, &text, 200, call_format(call, "%s.drop", kind));
}

void api_delete_column(struct http_call *call)
{
    part_drop(call, "column", "column");
}

void api_delete_column_by_post(struct http_call *call)
{
    api_delete_column(call);
}

void api_create_constraint(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    if (!define_allowed(call))
        return;
    table_begin(&text, call);
    text_append(&text, " add ");
    constraint_definition(&text, call, call->body);
    table_end(&ddl, &text, 201, "constraint.create");
}

void api_delete_constraint(struct http_call *call)
{
    part_drop(call, "constraint", "constraint");
}

void api_delete_constraint_by_post(struct http_call *call)
{
    api_delete_constraint(call);
}

void api_create_index(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const struct json *columns = member(call->body, "columns"), *include = member(call->body, "include");
    const char *name = member_text(call, call->body, "name"),
               *method = member_text(call, call->body, "method"),
               *predicate = member_text(call, call->body, "predicate");
    if (!define_allowed(call))
        return;
    text_format(&text, "create %sindex %s%s", json_truth(call->body, "unique", false) ? "unique " : "",
                json_truth(call->body, "concurrently", false) ? "concurrently " : "",
                json_truth(call->body, "if_not_exists", false) ? "if not exists " : "");
    if (name) {
        text_identifier(&text, name);
        text_append(&text, " ");
    }
    text_append(&text, "on ");
    relation_write(&text, call, path_text(call, "table"));
    if (method) {
        text_append(&text, " using ");
        text_identifier(&text, method);
    }
    text_append(&text, " (");
    for (const struct json *column = columns->children; column; column = column->next)
        text_format(&text, "%s%s", column == columns->children ? "" : ", ",
                    scope_text(call->scope, column->text));
    text_append(&text, ")");
    if (include && include->kind == HTTP_ARRAY && include->count) {
        text_append(&text, " include (");
        for (const struct json *column = include->children; column; column = column->next) {
            text_append(&text, column == include->children ? "" : ", ");
            text_identifier(&text, scope_text(call->scope, column->text));
        }
        text_append(&text, ")");
    }
    if (predicate)
        text_format(&text, " where %s", predicate);
    table_end(&ddl, &text, 201, "index.create");
}

void api_delete_index(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *table = path_text(call, "table"), *index = path_text(call, "index");
    const char *dot = strchr(table, '.');
    if (!define_allowed(call))
        return;
    /* An index lives in its table's schema. */
    if (dot && !strchr(index, '.'))
        index = call_format(call, "%.*s.%s", (int)(dot - table), table, index);
    text_append(&text, "drop index ");
    relation_write(&text, call, index);
    if (query_truth(call, "cascade"))
        text_append(&text, " cascade");
    table_end(&ddl, &text, 200, "index.drop");
}

void api_delete_index_by_post(struct http_call *call)
{
    api_delete_index(call);
}

/* ---- views ---- */

void api_create_view(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const struct json *columns = member(call->body, "columns");
    if (!define_allowed(call))
        return;
    text_append(&text,
                json_truth(call->body, "or_replace", false) ? "create or replace view " : "create view ");
    qualified_member(&text, call);
    if (columns && columns->kind == HTTP_ARRAY && columns->count) {
        text_append(&text, " (");
        for (const struct json *column = columns->children; column; column = column->next) {
            text_append(&text, column == columns->children ? "" : ", ");
            text_identifier(&text, scope_text(call->scope, column->text));
        }
        text_append(&text, ")");
    }
    text_format(&text, " as %s", member_text(call, call->body, "query"));
    ddl_add(&ddl, &text);
    ddl_run(&ddl, path_text(call, "database"), 201, "view.create", member_text(call, call->body, "name"));
}

void api_delete_view(struct http_call *call)
{
    drop(call, "view", "view", "view", path_text(call, "database"), view_sql());
}

void api_delete_view_by_post(struct http_call *call)
{
    api_delete_view(call);
}

/* ---- sequences ---- */

/* A whole number given as number or string; NULL when absent. */
static const char *number_member(struct http_call *call, const char *name)
{
    const struct json *value = member(call->body, name);
    if (!value || value->kind == HTTP_NULL)
        return NULL;
    const char *text = scope_text(call->scope, value->text);
    size_t sign = *text == '-';
    if (text[sign] && strspn(text + sign, "0123456789") == strlen(text + sign) && strlen(text) <= 20)
        return text;
    if (!call->answered)
        call_problem(call, 400, "invalid-value", "Invalid value",
                     call_format(call, "%s is no whole number", name));
    return NULL;
}

static void sequence_options(struct text *text, struct http_call *call)
{
    static const char *const options[][2] = {{"increment", " increment by "}, {"minimum", " minvalue "},
                                             {"maximum", " maxvalue "},       {"start", " start with "},
                                             {"restart", " restart with "},   {"cache", " cache "}};
    const struct json *cycle = member(call->body, "cycle");
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const char *number = number_member(call, options[i][0]);
        if (number)
            text_format(text, "%s%s", options[i][1], number);
    }
    if (cycle && cycle->kind == HTTP_BOOLEAN)
        text_append(text, cycle->truth ? " cycle" : " no cycle");
}

void api_create_sequence(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *type = member_text(call, call->body, "data_type"),
               *owned = member_text(call, call->body, "owned_by");
    if (!define_allowed(call))
        return;
    text_append(&text, "create sequence ");
    qualified_member(&text, call);
    if (type)
        text_format(&text, " as %s", type);
    sequence_options(&text, call);
    if (owned) {
        const char *dot = strrchr(owned, '.');
        text_append(&text, " owned by ");
        if (dot) {
            relation_write(&text, call, scope_text(call->scope, bytes_of(owned, (size_t)(dot - owned))));
            text_append(&text, ".");
            text_identifier(&text, dot + 1);
        } else
            text_append(&text, "none");
    }
    ddl_add(&ddl, &text);
    ddl_run(&ddl, path_text(call, "database"), 201, "sequence.create", member_text(call, call->body, "name"));
}

void api_update_sequence(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope), options = text_in(call->scope);
    const char *name = path_text(call, "sequence"), *database = path_text(call, "database"), *whole;
    const char *const values[] = {name};
    if (!define_allowed(call) || !item_matches(call, database, "sequence", sequence_sql(), values, 1))
        return;
    sequence_options(&options, call);
    if (text_end(&options, &whole, &call->error) == SQLSTATE_OK && *whole) {
        text_append(&text, "alter sequence ");
        relation_write(&text, call, name);
        text_append(&text, whole);
        ddl_add(&ddl, &text);
    }
    alter_owner(&ddl, "sequence", name);
    alter_name(&ddl, "sequence", name);
    if (!call->answered && changes(&ddl))
        ddl_run(&ddl, database, 200, "sequence.alter", name);
}

void api_update_sequence_by_post(struct http_call *call)
{
    api_update_sequence(call);
}

void api_delete_sequence(struct http_call *call)
{
    drop(call, "sequence", "sequence", "sequence", path_text(call, "database"), sequence_sql());
}

void api_delete_sequence_by_post(struct http_call *call)
{
    api_delete_sequence(call);
}

/* ---- types ---- */

void api_create_type(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const struct json *labels = member(call->body, "labels"), *attributes = member(call->body, "attributes");
    const char *base = member_text(call, call->body, "base_type"),
               *checks = member_text(call, call->body, "check");
    if (!define_allowed(call))
        return;
    if (!!labels + !!attributes + !!base != 1) {
        call_problem(call, 400, "invalid-value", "Invalid value",
                     "say one of labels, attributes and base_type");
        return;
    }
    text_append(&text, base ? "create domain " : "create type ");
    qualified_member(&text, call);
    if (base) {
        text_format(&text, " as %s", base);
        if (checks)
            text_format(&text, " check (%s)", checks);
    } else {
        const struct json *list = labels ? labels : attributes;
        text_append(&text, labels ? " as enum (" : " as (");
        for (const struct json *each = list->children; each; each = each->next) {
            text_append(&text, each == list->children ? "" : ", ");
            if (labels)
                text_literal(&text, scope_text(call->scope, each->text));
            else
                column_definition(&text, call, each);
        }
        text_append(&text, ")");
    }
    ddl_add(&ddl, &text);
    ddl_run(&ddl, path_text(call, "database"), 201, "type.create", member_text(call, call->body, "name"));
}

void api_delete_type(struct http_call *call)
{
    /* DROP TYPE drops domains as well. */
    drop(call, "type", "type", "type", path_text(call, "database"), type_sql());
}

void api_delete_type_by_post(struct http_call *call)
{
    api_delete_type(call);
}

/* ---- functions ---- */

void api_create_function(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *arguments = member_text(call, call->body, "arguments"),
               *returns = member_text(call, call->body, "returns"),
               *language = member_text(call, call->body, "language"),
               *volatility = member_text(call, call->body, "volatility");
    if (!define_allowed(call))
        return;
    text_format(&text, "create %sfunction ",
                json_truth(call->body, "or_replace", false) ? "or replace " : "");
    qualified_member(&text, call);
    text_format(&text, "(%s)", arguments ? arguments : "");
    if (returns)
        text_format(&text, " returns %s", returns);
    text_append(&text, " language ");
    text_identifier(&text, language ? language : "sql");
    if (volatility)
        text_format(&text, " %s", volatility);
    if (json_truth(call->body, "strict", false))
        text_append(&text, " strict");
    text_append(&text, " as ");
    text_literal(&text, member_text(call, call->body, "body"));
    ddl_add(&ddl, &text);
    ddl_run(&ddl, path_text(call, "database"), 201, "function.create", member_text(call, call->body, "name"));
}

/* The function's name as regprocedure gives it, which is quoted where it must be: it is looked up, not pasted. */
void api_delete_function(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    struct table table;
    const char *name = path_text(call, "function");
    const char *const values[] = {name};
    struct rest *rest = define_allowed(call) ? call_session(call, path_text(call, "database")) : NULL;
    if (!rest || !item_matches(call, path_text(call, "database"), "function", function_sql(name), values, 1))
        return;
    const char *sql = strchr(name, '(') ? "select pg_catalog.to_regprocedure($1)::text"
                                        : "select pg_catalog.to_regproc($1)::oid::regprocedure::text";
    enum sqlstate failed = session_status(rest->session) == 'I'
                               ? query_once(rest, call->scope, sql, values, 1, &table, &call->error)
                               : query_run(rest, call->scope, sql, values, 1, &table, &call->error);
    if (failed) {
        call_fail(call, &call->error);
        return;
    }
    if (!table.rows || !table_cell(&table, 0, 0).data) {
        call_problem(call, 404, "function-unknown", "Unknown function", "there is no such function");
        return;
    }
    text_format(&text, "drop routine %s", (const char *)table_cell(&table, 0, 0).data);
    if (query_truth(call, "cascade"))
        text_append(&text, " cascade");
    ddl_add(&ddl, &text);
    ddl_run(&ddl, path_text(call, "database"), 200, "function.drop", name);
}

void api_delete_function_by_post(struct http_call *call)
{
    api_delete_function(call);
}

/* ---- roles ---- */

static void flag(struct text *text, struct http_call *call, const char *name, const char *word)
{
    const struct json *value = member(call->body, name);
    if (value && value->kind == HTTP_BOOLEAN)
        text_format(text, " %s%s", value->truth ? "" : "no", word);
}

static void role_options(struct text *text, struct http_call *call)
{
    const struct json *password = member(call->body, "password"), *until = member(call->body, "valid_until");
    int64_t limit = json_integer(call->body, "connection_limit", -2);
    flag(text, call, "login", "login");
    flag(text, call, "superuser", "superuser");
    flag(text, call, "create_database", "createdb");
    flag(text, call, "create_role", "createrole");
    flag(text, call, "inherit", "inherit");
    if (limit > -2)
        text_format(text, " connection limit %d", (int)limit);
    if (until) {
        text_append(text, " valid until ");
        text_literal(text, is_null(until) ? "infinity" : scope_text(call->scope, until->text));
    }
    if (password && is_null(password))
        text_append(text, " password null");
    else if (password) {
        text_append(text, " password ");
        text_literal(text, scope_text(call->scope, password->text));
    }
}

void api_create_role(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *name = member_text(call, call->body, "name");
    const struct json *groups = member(call->body, "member_of");
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    text_append(&text, "create role ");
    text_identifier(&text, name);
    role_options(&text, call);
    ddl_add(&ddl, &text);
    for (const struct json *group = groups && groups->kind == HTTP_ARRAY ? groups->children : NULL;
         group && ddl.count < 24; group = group->next) {
        struct text grant = text_in(call->scope);
        text_append(&grant, "grant ");
        text_identifier(&grant, scope_text(call->scope, group->text));
        text_append(&grant, " to ");
        text_identifier(&grant, name);
        ddl_add(&ddl, &grant);
    }
    comment_add(&ddl, "role", name);
    ddl_run(&ddl, NULL, 201, "role.create", name);
}

void api_update_role(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope), options = text_in(call->scope);
    const char *name = path_text(call, "role"), *whole;
    const char *const values[] = {name};
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL) ||
        !item_matches(call, NULL, "role", role_sql(call), values, 1))
        return;
    role_options(&options, call);
    if (text_end(&options, &whole, &call->error) == SQLSTATE_OK && *whole) {
        text_append(&text, "alter role ");
        text_identifier(&text, name);
        text_append(&text, whole);
        ddl_add(&ddl, &text);
    }
    settings_add(&ddl, "role", name);
    comment_add(&ddl, "role", name);
    alter_name(&ddl, "role", name);
    if (changes(&ddl))
        ddl_run(&ddl, NULL, 200, "role.alter", name);
}

void api_update_role_by_post(struct http_call *call)
{
    api_update_role(call);
}

void api_delete_role(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const char *name = path_text(call, "role");
    const char *const values[] = {name};
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL) ||
        !item_matches(call, NULL, "role", role_sql(call), values, 1))
        return;
    text_append(&text, "drop role ");
    text_identifier(&text, name);
    ddl_add(&ddl, &text);
    ddl_run(&ddl, NULL, 200, "role.drop", name);
}

void api_delete_role_by_post(struct http_call *call)
{
    api_delete_role(call);
}

void api_add_member(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    text_append(&text, "grant ");
    text_identifier(&text, path_text(call, "role"));
    text_append(&text, " to ");
    text_identifier(&text, member_text(call, call->body, "member"));
    if (json_truth(call->body, "admin", false))
        text_append(&text, " with admin option");
    ddl_add(&ddl, &text);
    ddl_run(&ddl, NULL, 201, "role.grant", path_text(call, "role"));
}

void api_remove_member(struct http_call *call)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    text_append(&text, "revoke ");
    text_identifier(&text, path_text(call, "role"));
    text_append(&text, " from ");
    text_identifier(&text, path_text(call, "member"));
    ddl_add(&ddl, &text);
    ddl_run(&ddl, NULL, 200, "role.revoke", path_text(call, "role"));
}

void api_remove_member_by_post(struct http_call *call)
{
    api_remove_member(call);
}

/* ---- grants ---- */

static bool privilege_is_word(struct bytes word)
{
    for (size_t i = 0; i < word.size; i++)
        if (!((word.data[i] | 32) >= 'a' && (word.data[i] | 32) <= 'z') && word.data[i] != ' ')
            return false;
    return word.size > 0;
}

/* Of what: "table x", "all tables in schema y". */
static void grant_object(struct text *text, struct http_call *call)
{
    const char *kind = member_text(call, call->body, "kind"), *name = member_text(call, call->body, "name");
    if (strncmp(kind, "all_", 4) == 0) {
        text_format(text, "all %s in schema ", kind + 4);
        text_identifier(text, name);
        return;
    }
    text_format(text, "%s ", kind);
    const char *open = strcmp(kind, "function") == 0 ? strchr(name, '(') : NULL;
    if (open) {
        relation_write(text, call, scope_text(call->scope, bytes_of(name, (size_t)(open - name))));
        text_append(text, open);
    } else if (strcmp(kind, "database") == 0 || strcmp(kind, "schema") == 0)
        text_identifier(text, name);
    else
        relation_write(text, call, name);
}

static void grant(struct http_call *call, bool give)
{
    struct ddl ddl = {.call = call};
    struct text text = text_in(call->scope);
    const struct json *privileges = member(call->body, "privileges"),
                      *columns = member(call->body, "columns");
    if (!call_allowed(call, SCOPE_ADMIN | SCOPE_SQL))
        return;
    bool option = json_truth(call->body, "grant_option", false);
    text_append(&text, give ? "grant " : option ? "revoke grant option for " : "revoke ");
    for (const struct json *each = privileges->children; each; each = each->next) {
        if (!privilege_is_word(each->text)) {
            call_problem(call, 400, "invalid-value", "Invalid value", "a privilege is a word, as SELECT");
            return;
        }
        text_format(&text, "%s%s", each == privileges->children ? "" : ", ",
                    scope_text(call->scope, each->text));
        if (!columns || columns->kind != HTTP_ARRAY || !columns->count)
            continue;
        for (const struct json *column = columns->children; column; column = column->next) {
            text_append(&text, column == columns->children ? " (" : ", ");
            text_identifier(&text, scope_text(call->scope, column->text));
        }
        text_append(&text, ")");
    }
    text_append(&text, " on ");
    grant_object(&text, call);
    text_append(&text, give ? " to " : " from ");
    text_identifier(&text, path_text(call, "role"));
    if (give && option)
        text_append(&text, " with grant option");
    if (!give && json_truth(call->body, "cascade", false))
        text_append(&text, " cascade");
    ddl_add(&ddl, &text);
    ddl_run(&ddl, NULL, give ? 201 : 200, give ? "grant" : "revoke", path_text(call, "role"));
}

void api_add_grant(struct http_call *call)
{
    grant(call, true);
}

void api_revoke_grant(struct http_call *call)
{
    grant(call, false);
}
