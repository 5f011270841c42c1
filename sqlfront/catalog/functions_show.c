/* Definitions as SQL: format_type, pg_get_indexdef, pg_get_constraintdef, ... (PostgreSQL manual, 9.26.3). What they print
 * is what the catalog keeps, with the names the search path asks for. */
#include "sqlfront/catalog/functions.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum sqlstate gives_grown(struct text *text, struct value *result, struct error *error)
{
    const char *whole;
    enum sqlstate failed = text_end(text, &whole, error);
    return failed ? failed : gives_text(result, whole);
}

static enum sqlstate format_type(struct call *call, const struct value *arguments, struct value *result)
{
    const char *shown;
    if (arguments[0].null)
        return gives_text(result, NULL);
    bool with = !arguments[1].null;
    if (arguments[0].i == 0)
        return gives_text(result, "-");
    enum sqlstate failed = type_shown(call->environment->catalog, call->scope, (uint32_t)arguments[0].i,
                                      with ? (int32_t)arguments[1].i : -1, with, &shown, call->error);
    return failed ? failed : gives_text(result, shown ? shown : "???");
}

/* '16384'::regclass as 'name'::regclass: a default keeps the number, so that renames do it no harm. */
static enum sqlstate with_names(struct call *call, const char *sql, struct text *text)
{
    static const char cast[] = "'::regclass";
    for (const char *at; (at = strstr(sql, cast)); sql = at + sizeof cast - 1) {
        const char *digits = at;
        while (digits > sql && isdigit((unsigned char)digits[-1]))
            digits--;
        bool number = digits < at && digits > sql && digits[-1] == '\'';
        const char *shown = NULL;
        if (number) {
            enum sqlstate failed =
                relation_shown(call->environment->catalog, call->scope, (uint32_t)strtoul(digits, NULL, 10),
                               false, &shown, call->error);
            if (failed)
                return failed;
        }
        if (shown) {
            text_bytes(text, bytes_of(sql, (size_t)(digits - 1 - sql)));
            text_literal(text, shown);
            text_append(text, cast + 1);
        } else {
            text_bytes(text, bytes_of(sql, (size_t)(at + sizeof cast - 1 - sql)));
        }
    }
    text_append(text, sql);
    return SQLSTATE_OK;
}

/* Kept SQL for people. What cannot be bound any more is shown as it is kept. */
static const char *kept_show(struct call *call, const struct relation *relation, const char *sql, bool query,
                             bool pretty)
{
    const struct catalog_session *session = catalog_view_session(call->environment->catalog);
    const struct sql_kept kept = {.text = sql, .relation = relation, .query = query, .pretty = pretty};
    const char *shown = sql;
    struct error ignored = {0};
    /* Nothing in it depends on the search path. */
    bool plain = !query && !pretty && !strchr(sql, '.') && !strstr(sql, "::regclass");
    if (!session->sql_show || plain ||
        session->sql_show(call->environment, call->scope, &kept, &shown, &ignored))
        return sql;
    return shown;
}

/* Node trees are kept as SQL; several in one column are a list. */
static enum sqlstate get_expr(struct call *call, const struct value *arguments, struct value *result)
{
    const char **texts;
    struct text text = text_in(call->scope);
    uint32_t count = expressions_split(call->scope, &arguments[0], &texts);
    const struct relation *relation = NULL;
    const bool pretty = call->arguments > 2 && arguments[2].i;
    enum sqlstate failed = SQLSTATE_OK;
    if (arguments[1].i)
        failed = catalog_relation_by_oid(call->environment->catalog, (uint32_t)arguments[1].i, &relation,
                                         call->error);
    if (failed)
        return failed;
    for (uint32_t i = 0; i < count; i++) {
        text_append(&text, i ? ", " : "");
        failed = with_names(call, kept_show(call, relation, texts[i], false, pretty), &text);
        if (failed)
            return failed;
    }
    return gives_grown(&text, result, call->error);
}

static enum sqlstate get_userbyid(struct call *call, const struct value *arguments, struct value *result)
{
    const struct role *role;
    struct text text = text_in(call->scope);
    enum sqlstate failed =
        catalog_role_by_oid(call->environment->catalog, (uint32_t)arguments[0].i, &role, call->error);
    if (failed)
        return failed;
    if (role)
        return gives_text(result, role->name);
    text_format(&text, "unknown (OID=%u)", (uint32_t)arguments[0].i);
    return gives_grown(&text, result, call->error);
}

/* ---- indexes ---- */

/* Whether an expression is a bare call, which needs no parentheses. */
static bool is_call(const char *text)
{
    int depth = 0;
    bool opened = false;
    if (!isalpha((unsigned char)*text) && *text != '_' && *text != '"')
        return false;
    for (; *text; text++) {
        if (opened && depth == 0)
            return false; /* something stands behind the call */
        if (*text == '(') {
            depth++;
            opened = true;
        } else if (*text == ')') {
            depth--;
        } else if (!opened && !isalnum((unsigned char)*text) && !strchr("_.\"", *text)) {
            return false;
        }
    }
    return opened;
}

static enum sqlstate class_words(struct call *call, uint32_t class, struct text *text)
{
    struct reading reading;
    struct tuple tuple;
    struct catalog_view *view = call->environment->catalog;
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_OPCLASS, class, &tuple, call->error);
    if (!failed && tuple.values && !tuple.values[PG_OPCLASS_OPCDEFAULT].i)
        text_format(text, " %s",
                    identifier(call->scope, text_of(call->scope, &tuple.values[PG_OPCLASS_OPCNAME])));
    reading_end(view, &reading);
    return failed;
}

static enum sqlstate index_part(struct call *call, const struct relation *relation, const struct index *index,
                                uint32_t at, bool options, bool pretty, struct text *text)
{
    uint32_t expression = 0;
    for (uint32_t i = 0; i < at; i++)
        expression += index->column[i] == 0;
    if (index->column[at]) {
        text_append(text, identifier(call->scope, relation->column[index->column[at] - 1].name));
    } else {
        const char *sql = kept_show(call, relation, index->expression_text[expression], false, pretty);
        text_format(text, is_call(sql) ? "%s" : "(%s)", sql);
    }
    if (!options || at >= index->key_columns)
        return SQLSTATE_OK;
    uint32_t collation = index->collation ? index->collation[at] : 0;
    if (collation && index->column[at] && collation != relation->column[index->column[at] - 1].collation)
        text_format(text, " COLLATE %s",
                    collation == 950   ? "\"C\""
                    : collation == 951 ? "\"POSIX\""
                                       : "\"default\"");
    enum sqlstate failed = class_words(call, index->operator_class[at], text);
    const struct key_part *part = &index->key_part[at];
    if (part->descending)
        text_append(text, part->nulls_first ? " DESC" : " DESC NULLS LAST");
    else if (part->nulls_first)
        text_append(text, " NULLS FIRST");
    return failed;
}

/* The table an index is on, and the index in its descriptor; NULL when there is none. */
static enum sqlstate find_index(struct call *call, uint32_t oid, const struct relation **relation,
                                const struct index **index, const char **method)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuple tuple, class;
    struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(oid)};
    *relation = NULL;
    *index = NULL;
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuple_find(&reading.access, reading.scope, PG_INDEX, &match, 1, &tuple, call->error);
    uint32_t table = !failed && tuple.values ? (uint32_t)tuple.values[PG_INDEX_INDRELID].i : 0;
    if (table)
        failed = tuple_by_oid(&reading.access, reading.scope, PG_CLASS, oid, &class, call->error);
    *method = table && !failed && class.values && class.values[PG_CLASS_RELAM].i == 405 ? "hash" : "btree";
    reading_end(view, &reading);
    if (failed || !table)
        return failed;
    failed = catalog_relation_by_oid(view, table, relation, call->error);
    for (uint32_t i = 0; !failed && *relation && i < (*relation)->indexes; i++)
        if ((*relation)->index[i]->oid == oid)
            *index = (*relation)->index[i];
    return failed;
}

static enum sqlstate index_definition(struct call *call, uint32_t oid, int64_t column, bool pretty,
                                      struct value *result)
{
    const struct relation *relation;
    const struct index *index;
    const char *method, *table;
    struct text text = text_in(call->scope);
    enum sqlstate failed = find_index(call, oid, &relation, &index, &method);
    if (failed || !index)
        return failed ? failed : gives_text(result, NULL);
    if (column) {
        if (column < 0 || column > index->columns)
            return gives_text(result, "");
        failed = index_part(call, relation, index, (uint32_t)column - 1, false, pretty, &text);
        return failed ? failed : gives_grown(&text, result, call->error);
    }
    failed =
        relation_shown(call->environment->catalog, call->scope, relation->oid, !pretty, &table, call->error);
    text_format(&text, "CREATE %sINDEX %s ON %s USING %s (", index->unique ? "UNIQUE " : "",
                identifier(call->scope, index->name), failed ? "" : table, method);
    for (uint32_t i = 0; i < index->columns && !failed; i++) {
        text_append(&text, i == index->key_columns ? ") INCLUDE (" : i ? ", " : "");
        failed = index_part(call, relation, index, i, true, pretty, &text);
    }
    text_append(&text, index->nulls_distinct ? ")" : ") NULLS NOT DISTINCT");
    if (index->predicate_text)
        text_format(&text, " WHERE %s", kept_show(call, relation, index->predicate_text, false, pretty));
    return failed ? failed : gives_grown(&text, result, call->error);
}

static enum sqlstate get_indexdef(struct call *call, const struct value *arguments, struct value *result)
{
    return index_definition(call, (uint32_t)arguments[0].i, 0, false, result);
}

static enum sqlstate get_indexdef_ext(struct call *call, const struct value *arguments, struct value *result)
{
    return index_definition(call, (uint32_t)arguments[0].i, arguments[1].i, arguments[2].i, result);
}

/* ---- constraints ---- */

static void names_of(struct call *call, const struct relation *relation, const int16_t *columns,
                     uint32_t count, struct text *text)
{
    for (uint32_t i = 0; i < count; i++)
        text_format(text, "%s%s", i ? ", " : "",
                    identifier(call->scope, relation->column[columns[i] - 1].name));
}

static const char *action_words(char action)
{
    switch (action) {
    case 'r':
        return "RESTRICT";
    case 'c':
        return "CASCADE";
    case 'n':
        return "SET NULL";
    case 'd':
        return "SET DEFAULT";
    default:
        return NULL;
    }
}

static enum sqlstate foreign_words(struct call *call, const struct relation *relation,
                                   const struct constraint *constraint, struct text *text)
{
    const struct relation *referenced;
    const char *name;
    struct catalog_view *view = call->environment->catalog;
    enum sqlstate failed = catalog_relation_by_oid(view, constraint->referenced, &referenced, call->error);
    if (!failed)
        failed = relation_shown(view, call->scope, constraint->referenced, false, &name, call->error);
    if (failed || !referenced)
        return failed;
    text_append(text, "FOREIGN KEY (");
    names_of(call, relation, constraint->column, constraint->columns, text);
    text_format(text, ") REFERENCES %s(", name);
    names_of(call, referenced, constraint->referenced_column, constraint->columns, text);
    text_append(text, constraint->match == 'f' ? ") MATCH FULL" : ")");
    if (action_words(constraint->on_update))
        text_format(text, " ON UPDATE %s", action_words(constraint->on_update));
    if (action_words(constraint->on_delete))
        text_format(text, " ON DELETE %s", action_words(constraint->on_delete));
    return failed;
}

static void key_words(struct call *call, const struct relation *relation, const struct constraint *constraint,
                      struct text *text)
{
    const struct index *index = NULL;
    for (uint32_t i = 0; i < relation->indexes; i++)
        if (relation->index[i]->oid == constraint->index)
            index = relation->index[i];
    text_append(text, constraint->kind == CONSTRAINT_PRIMARY ? "PRIMARY KEY (" : "UNIQUE ");
    if (constraint->kind == CONSTRAINT_UNIQUE)
        text_append(text, index && !index->nulls_distinct ? "NULLS NOT DISTINCT (" : "(");
    names_of(call, relation, constraint->column, constraint->columns, text);
    text_append(text, ")");
    if (index && index->columns > index->key_columns) {
        text_append(text, " INCLUDE (");
        names_of(call, relation, index->column + index->key_columns, index->columns - index->key_columns,
                 text);
        text_append(text, ")");
    }
}

static enum sqlstate find_constraint(struct call *call, uint32_t oid, const struct relation **relation,
                                     const struct constraint **constraint)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuple tuple;
    *relation = NULL;
    *constraint = NULL;
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_CONSTRAINT, oid, &tuple, call->error);
    uint32_t table = !failed && tuple.values ? (uint32_t)tuple.values[PG_CONSTRAINT_CONRELID].i : 0;
    reading_end(view, &reading);
    if (failed || !table)
        return failed;
    failed = catalog_relation_by_oid(view, table, relation, call->error);
    for (uint32_t i = 0; !failed && *relation && i < (*relation)->constraints; i++)
        if ((*relation)->constraint[i].oid == oid)
            *constraint = &(*relation)->constraint[i];
    return failed;
}

static enum sqlstate get_constraintdef(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    const struct constraint *constraint;
    struct text text = text_in(call->scope);
    const bool pretty = call->arguments > 1 && arguments[1].i;
    enum sqlstate failed = find_constraint(call, (uint32_t)arguments[0].i, &relation, &constraint);
    if (failed || !constraint)
        return failed ? failed : gives_text(result, NULL);
    if (constraint->kind == CONSTRAINT_FOREIGN)
        failed = foreign_words(call, relation, constraint, &text);
    else if (constraint->kind == CONSTRAINT_CHECK)
        text_format(&text, "CHECK (%s)%s", kept_show(call, relation, constraint->check_text, false, pretty),
                    constraint->no_inherit ? " NO INHERIT" : "");
    else
        key_words(call, relation, constraint, &text);
    if (constraint->deferrable)
        text_append(&text, " DEFERRABLE");
    if (constraint->deferred)
        text_append(&text, " INITIALLY DEFERRED");
    if (!constraint->validated)
        text_append(&text, " NOT VALID");
    return failed ? failed : gives_grown(&text, result, call->error);
}

/* ---- views ---- */

static enum sqlstate view_definition(struct call *call, const struct relation *relation, bool pretty,
                                     struct value *result)
{
    struct text text = text_in(call->scope);
    if (!relation || !relation->view_text)
        return gives_text(result, relation ? "Not a view" : NULL);
    const char *shown = kept_show(call, relation, relation->view_text, true, pretty);
    size_t length = strlen(shown);
    text_format(&text, "%s%s", shown, length && shown[length - 1] == ';' ? "" : ";");
    return gives_grown(&text, result, call->error);
}

/* With a width to wrap at instead of the word, always. */
static bool view_pretty(const struct call *call, const struct value *arguments)
{
    return call->arguments > 1 && (call->types[1]->oid != TYPE_BOOL || arguments[1].i);
}

static enum sqlstate get_viewdef(struct call *call, const struct value *arguments, struct value *result)
{
    const struct relation *relation;
    enum sqlstate failed =
        catalog_relation_by_oid(call->environment->catalog, (uint32_t)arguments[0].i, &relation, call->error);
    return failed ? failed : view_definition(call, relation, view_pretty(call, arguments), result);
}

static enum sqlstate get_viewdef_name(struct call *call, const struct value *arguments, struct value *result)
{
    const char *schema, *name;
    const struct relation *relation;
    enum sqlstate failed = name_parse(call->scope, value_view(&arguments[0]), &schema, &name, call->error);
    if (!failed)
        failed = catalog_relation(call->environment->catalog, schema, name, &relation, call->error);
    if (!failed && !relation)
        failed = error_set(call->error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s\" does not exist", name);
    return failed ? failed : view_definition(call, relation, view_pretty(call, arguments), result);
}

/* ---- functions ---- */

static enum sqlstate find_procedure(struct call *call, const struct value *argument,
                                    const struct procedure **procedure)
{
    return catalog_procedure_by_oid(call->environment->catalog, (uint32_t)argument->i, procedure,
                                    call->error);
}

static enum sqlstate type_words(struct call *call, uint32_t type, struct text *text)
{
    const char *shown;
    enum sqlstate failed =
        type_shown(call->environment->catalog, call->scope, type, -1, false, &shown, call->error);
    text_append(text, failed || !shown ? "???" : shown);
    return failed;
}

/* Parameters of all modes but TABLE (print_function_arguments). */
static enum sqlstate moded_words(struct call *call, const struct procedure *procedure, bool defaults,
                                 struct text *text)
{
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t input = 0, first = procedure->arguments - procedure->defaults;
    bool any = false;
    for (uint32_t i = 0; i < procedure->all && !failed; i++) {
        char mode = procedure->all_modes[i];
        const char *name = procedure->all_names[i];
        if (mode == 't')
            continue;
        text_format(text, "%s%s", any ? ", " : "",
                    mode == 'o'   ? "OUT "
                    : mode == 'b' ? "INOUT "
                    : mode == 'v' ? "VARIADIC "
                                  : "");
        if (*name)
            text_format(text, "%s ", identifier(call->scope, name));
        failed = type_words(call, procedure->all_types[i], text);
        if (mode != 'o' && defaults && input >= first)
            text_format(text, " DEFAULT %s", procedure->default_texts[input - first]);
        input += mode != 'o';
        any = true;
    }
    return failed;
}

static enum sqlstate arguments_words(struct call *call, const struct procedure *procedure, bool defaults,
                                     struct text *text)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (procedure->all_modes)
        return moded_words(call, procedure, defaults, text);
    for (uint32_t i = 0; i < procedure->arguments && !failed; i++) {
        text_append(text, i ? ", " : "");
        if (procedure->variadic && i + 1 == procedure->arguments)
            text_append(text, "VARIADIC ");
        if (procedure->argument_names && procedure->argument_names[i][0])
            text_format(text, "%s ", identifier(call->scope, procedure->argument_names[i]));
        failed = type_words(call, procedure->argument_types[i], text);
        uint32_t first = procedure->arguments - procedure->defaults;
        if (defaults && i >= first)
            text_format(text, " DEFAULT %s", procedure->default_texts[i - first]);
    }
    bool table = procedure->returns_set && procedure->outputs && procedure->result == TYPE_RECORD;
    for (uint32_t i = 0; i < procedure->outputs && !failed && defaults && !table; i++) {
        text_format(text, "%sOUT %s%s", procedure->arguments || i ? ", " : "",
                    procedure->output_names[i][0] ? identifier(call->scope, procedure->output_names[i]) : "",
                    procedure->output_names[i][0] ? " " : "");
        failed = type_words(call, procedure->output_types[i], text);
    }
    return failed;
}

static enum sqlstate get_arguments(struct call *call, const struct value *arguments, struct value *result)
{
    const struct procedure *procedure;
    struct text text = text_in(call->scope);
    enum sqlstate failed = find_procedure(call, &arguments[0], &procedure);
    if (failed || !procedure)
        return failed ? failed : gives_text(result, NULL);
    failed = arguments_words(call, procedure, true, &text);
    return failed ? failed : gives_grown(&text, result, call->error);
}

static enum sqlstate get_identity_arguments(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    const struct procedure *procedure;
    struct text text = text_in(call->scope);
    enum sqlstate failed = find_procedure(call, &arguments[0], &procedure);
    if (failed || !procedure)
        return failed ? failed : gives_text(result, NULL);
    failed = arguments_words(call, procedure, false, &text);
    return failed ? failed : gives_grown(&text, result, call->error);
}

static enum sqlstate result_words(struct call *call, const struct procedure *procedure, struct text *text)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (procedure->all_modes && strchr(procedure->all_modes, 't')) {
        text_append(text, "TABLE(");
        for (uint32_t i = 0; i < procedure->outputs && !failed; i++) {
            text_format(text, "%s%s ", i ? ", " : "", identifier(call->scope, procedure->output_names[i]));
            failed = type_words(call, procedure->output_types[i], text);
        }
        text_append(text, ")");
        return failed;
    }
    text_append(text, procedure->returns_set ? "SETOF " : "");
    return type_words(call, procedure->result, text);
}

static enum sqlstate get_result(struct call *call, const struct value *arguments, struct value *result)
{
    const struct procedure *procedure;
    struct text text = text_in(call->scope);
    enum sqlstate failed = find_procedure(call, &arguments[0], &procedure);
    if (failed || !procedure || procedure->kind == 'p')
        return failed ? failed : gives_text(result, NULL);
    failed = result_words(call, procedure, &text);
    return failed ? failed : gives_grown(&text, result, call->error);
}

static enum sqlstate get_functiondef(struct call *call, const struct value *arguments, struct value *result)
{
    const struct procedure *procedure;
    const char *schema;
    struct text text = text_in(call->scope);
    enum sqlstate failed = find_procedure(call, &arguments[0], &procedure);
    if (failed || !procedure)
        return failed ? failed : gives_text(result, NULL);
    if (procedure->kind == 'a')
        return error_set(call->error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is an aggregate function",
                         procedure->name);
    failed =
        catalog_schema_name(call->environment->catalog, call->scope, procedure->schema, &schema, call->error);
    text_format(&text, "CREATE OR REPLACE %s %s.%s(", procedure->kind == 'p' ? "PROCEDURE" : "FUNCTION",
                failed || !schema ? "" : identifier(call->scope, schema),
                identifier(call->scope, procedure->name));
    if (!failed)
        failed = arguments_words(call, procedure, true, &text);
    text_append(&text, ")\n");
    if (procedure->kind != 'p') {
        text_append(&text, " RETURNS ");
        if (!failed)
            failed = result_words(call, procedure, &text);
        text_append(&text, "\n");
    }
    text_format(&text, " LANGUAGE %s\n", procedure->language == 's' ? "sql" : "internal");
    if (procedure->volatility != 'v' || procedure->strict)
        text_format(&text, "%s%s\n",
                    procedure->volatility == 'i'   ? " IMMUTABLE"
                    : procedure->volatility == 's' ? " STABLE"
                                                   : "",
                    procedure->strict ? " STRICT" : "");
    text_format(&text, "AS $function$%s$function$\n", procedure->source);
    return failed ? failed : gives_grown(&text, result, call->error);
}

static enum sqlstate get_arg_default(struct call *call, const struct value *arguments, struct value *result)
{
    const struct procedure *procedure;
    enum sqlstate failed = find_procedure(call, &arguments[0], &procedure);
    if (failed || !procedure)
        return failed ? failed : gives_text(result, NULL);
    int64_t at = arguments[1].i - 1 - (int64_t)(procedure->arguments - procedure->defaults);
    bool has = at >= 0 && at < procedure->defaults;
    return gives_text(result, has ? procedure->default_texts[at] : NULL);
}

/* ---- serial columns ---- */

static enum sqlstate owned_sequence(struct call *call, const struct relation *relation, int16_t number,
                                    uint32_t *sequence)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(relation->oid)},
                                          {PG_DEPEND_REFOBJSUBID, value_integer(number)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CLASS)}};
    *sequence = 0;
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuples_find(&reading.access, reading.scope, PG_DEPEND, matches, 4, &found, call->error);
    for (uint32_t i = 0; !failed && i < found.count && !*sequence; i++) {
        struct tuple class;
        uint32_t oid = (uint32_t)found.tuple[i].values[PG_DEPEND_OBJID].i;
        failed = tuple_by_oid(&reading.access, reading.scope, PG_CLASS, oid, &class, call->error);
        if (!failed && class.values && class.values[PG_CLASS_RELKIND].i == RELATION_SEQUENCE)
            *sequence = oid;
    }
    reading_end(view, &reading);
    return failed;
}

static enum sqlstate get_serial_sequence(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    const char *schema, *name, *shown, *column = text_argument(call, &arguments[1]);
    const struct relation *relation;
    uint32_t sequence;
    enum sqlstate failed = name_parse(call->scope, value_view(&arguments[0]), &schema, &name, call->error);
    if (!failed)
        failed = catalog_relation(view, schema, name, &relation, call->error);
    if (!failed && !relation)
        failed = error_set(call->error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s\" does not exist", name);
    if (failed)
        return failed;
    for (uint32_t c = 0; c < relation->columns; c++)
        if (!relation->column[c].dropped && strcmp(relation->column[c].name, column) == 0) {
            failed = owned_sequence(call, relation, relation->column[c].number, &sequence);
            if (!failed && sequence)
                failed = relation_shown(view, call->scope, sequence, true, &shown, call->error);
            return failed ? failed : gives_text(result, sequence ? shown : NULL);
        }
    return error_set(call->error, SQLSTATE_UNDEFINED_COLUMN,
                     "column \"%s\" of relation \"%s\" does not exist", column, relation->name);
}

/* Of rules, triggers, partitions and extended statistics there are none. */
static enum sqlstate nothing(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call, (void)arguments;
    *result = value_null();
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    ASKS("format_type", format_type),
    ASKS("pg_get_expr", get_expr),
    ASKS("pg_get_expr_ext", get_expr),
    ASKS("pg_get_userbyid", get_userbyid),
    ASKS("pg_get_indexdef", get_indexdef),
    ASKS("pg_get_indexdef_ext", get_indexdef_ext),
    ASKS("pg_get_constraintdef", get_constraintdef),
    ASKS("pg_get_constraintdef_ext", get_constraintdef),
    ASKS("pg_get_viewdef", get_viewdef),
    ASKS("pg_get_viewdef_ext", get_viewdef),
    ASKS("pg_get_viewdef_wrap", get_viewdef),
    ASKS("pg_get_viewdef_name", get_viewdef_name),
    ASKS("pg_get_viewdef_name_ext", get_viewdef_name),
    ASKS("pg_get_function_arguments", get_arguments),
    ASKS("pg_get_function_identity_arguments", get_identity_arguments),
    ASKS("pg_get_function_result", get_result),
    ASKS("pg_get_functiondef", get_functiondef),
    ASKS("pg_get_function_arg_default", get_arg_default),
    ASKS("pg_get_serial_sequence", get_serial_sequence),
    {.name = "pg_get_function_sqlbody", .run = nothing},
    {.name = "pg_get_ruledef", .run = nothing},
    {.name = "pg_get_ruledef_ext", .run = nothing},
    {.name = "pg_get_triggerdef", .run = nothing},
    {.name = "pg_get_triggerdef_ext", .run = nothing},
    {.name = "pg_get_partkeydef", .run = nothing},
    {.name = "pg_get_partition_constraintdef", .run = nothing},
    {.name = "pg_get_statisticsobjdef", .run = nothing},
    {.name = "pg_get_statisticsobjdef_columns", .run = nothing},
    {.name = "pg_get_statisticsobjdef_expressions", .run = nothing},
    {0},
};

const struct library show_library = {.functions = functions};
