/* The statement: its options, its columns, and the plan that reads or writes.
 *
 * COPY FROM is an INSERT whose rows come from a set-returning function that reads what the client sends: the statement bound is
 *
 *     INSERT INTO t (a, b) VALUES ($1, $2)
 *
 * with the columns' own types, in whose tree the VALUES are replaced by the function and $n by its columns. So defaults, checks,
 * indexes and foreign keys are the runner's, once, and WHERE is an expression over the function's columns. */
#include "sqlfront/copy.h"

#include "sqlfront/parse/tree.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- options ---- */

static enum sqlstate refused(struct error *error, const char *format, const char *argument)
{
    char text[256];
    snprintf(text, sizeof text, format, argument);
    return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "%s", text);
}

/* Says where the option stands: in characters from 1. */
static enum sqlstate placed(const struct copy *copy, const DefElem *option, enum sqlstate failed,
                            struct error *error)
{
    if (option->location < 0)
        return failed;
    error->position = 1;
    for (int i = 0; i < option->location; i++)
        error->position += (copy->text[i] & 0xc0) != 0x80;
    return failed;
}

static const char *option_text(const DefElem *option)
{
    if (!option->arg)
        return NULL;
    switch (nodeTag(option->arg)) {
    case T_String:
        return ((const String *)option->arg)->sval;
    case T_Boolean:
        return ((const Boolean *)option->arg)->boolval ? "true" : "false";
    case T_Integer:
        return ((const Integer *)option->arg)->ival ? "1" : "0";
    default:
        return NULL;
    }
}

static enum sqlstate option_boolean(const DefElem *option, bool *value, struct error *error)
{
    const char *text = option_text(option);
    *value = true;
    if (!option->arg || (text && boolean_read(text, value)))
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s requires a Boolean value", option->defname);
}

/* Columns of FORCE_QUOTE and the like: all, or a list. */
static enum sqlstate option_columns(struct copy *copy, const DefElem *option, size_t flag,
                                    struct error *error)
{
    if (option->arg && IsA(option->arg, A_Star)) {
        copy->force_quote_all = true;
        return SQLSTATE_OK;
    }
    if (!option->arg || !IsA(option->arg, List))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "argument to option \"%s\" must be a list of column names", option->defname);
    const List *list = (const List *)option->arg;
    for (int i = 0; i < list_length(list); i++) {
        const char *name = ((const String *)list_nth(list, i))->sval;
        struct copy_column *found = NULL;
        for (uint32_t c = 0; c < copy->columns; c++)
            if (strcmp(copy->column[c].name, name) == 0)
                found = &copy->column[c];
        if (!found)
            return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '3'),
                             "%s column \"%s\" not referenced by COPY",
                             strcmp(option->defname, "force_quote") == 0      ? "FORCE_QUOTE"
                             : strcmp(option->defname, "force_not_null") == 0 ? "FORCE_NOT_NULL"
                                                                              : "FORCE_NULL",
                             name);
        *(bool *)((char *)found + flag) = true;
    }
    return SQLSTATE_OK;
}

static enum sqlstate one_byte(const char *name, const char *text, char *byte, struct error *error)
{
    if (!text || strlen(text) != 1)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "COPY %s must be a single one-byte character",
                         name);
    *byte = *text;
    return SQLSTATE_OK;
}

static enum sqlstate format_read(struct copy *copy, const List *options, struct error *error)
{
    for (int i = 0; i < list_length(options); i++) {
        const DefElem *option = list_nth(options, i);
        if (strcmp(option->defname, "format") != 0)
            continue;
        const char *text = option_text(option);
        if (text && strcasecmp(text, "text") == 0)
            copy->format = COPY_TEXT;
        else if (text && strcasecmp(text, "csv") == 0)
            copy->format = COPY_CSV;
        else if (text && strcasecmp(text, "binary") == 0)
            copy->format = COPY_BINARY;
        else
            return placed(copy, option, refused(error, "COPY format \"%s\" not recognized", text ? text : ""),
                          error);
    }
    return SQLSTATE_OK;
}

static enum sqlstate option_read(struct copy *copy, const DefElem *option, struct error *error)
{
    const char *name = option->defname, *text = option_text(option);
    bool on;
    if (strcmp(name, "format") == 0)
        return SQLSTATE_OK;
    if (strcmp(name, "freeze") == 0)
        return option_boolean(option, &on, error);
    if (strcmp(name, "delimiter") == 0)
        return one_byte("delimiter", text, &copy->delimiter, error);
    if (strcmp(name, "null") == 0) {
        copy->null = text ? text : "";
        return SQLSTATE_OK;
    }
    if (strcmp(name, "header") == 0) {
        if (text && strcasecmp(text, "match") == 0) {
            copy->header = HEADER_MATCH;
            return SQLSTATE_OK;
        }
        enum sqlstate failed = option_boolean(option, &on, error);
        copy->header = on ? HEADER_LINE : HEADER_NONE;
        return failed;
    }
    if (strcmp(name, "quote") == 0)
        return one_byte("quote", text, &copy->quote, error);
    if (strcmp(name, "escape") == 0)
        return one_byte("escape", text, &copy->escape, error);
    if (strcmp(name, "force_quote") == 0)
        return option_columns(copy, option, offsetof(struct copy_column, force_quote), error);
    if (strcmp(name, "force_not_null") == 0)
        return option_columns(copy, option, offsetof(struct copy_column, force_not_null), error);
    if (strcmp(name, "force_null") == 0)
        return option_columns(copy, option, offsetof(struct copy_column, force_null), error);
    if (strcmp(name, "encoding") == 0) {
        if (text && (strcasecmp(text, "utf8") == 0 || strcasecmp(text, "utf-8") == 0 ||
                     strcasecmp(text, "sql_ascii") == 0 || strcasecmp(text, "unicode") == 0))
            return SQLSTATE_OK;
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "COPY with encoding \"%s\" is not supported",
                         text ? text : "");
    }
    return placed(copy, option, error_set(error, SQLSTATE_SYNTAX_ERROR, "option \"%s\" not recognized", name),
                  error);
}

static enum sqlstate options_read(struct copy *copy, const CopyStmt *statement, struct error *error)
{
    bool quote_given = false, escape_given = false, csv_only = false, text_only = false;
    enum sqlstate failed = format_read(copy, statement->options, error);
    if (failed)
        return failed;
    copy->delimiter = copy->format == COPY_CSV ? ',' : '\t';
    copy->null = copy->format == COPY_CSV ? "" : "\\N";
    copy->quote = copy->escape = '"';
    for (int i = 0; i < list_length(statement->options) && !failed; i++) {
        const DefElem *option = list_nth(statement->options, i);
        for (int j = 0; j < i; j++)
            if (strcmp(((const DefElem *)list_nth(statement->options, j))->defname, option->defname) == 0)
                return placed(copy, option,
                              error_set(error, SQLSTATE_SYNTAX_ERROR, "conflicting or redundant options"),
                              error);
        quote_given |= strcmp(option->defname, "quote") == 0;
        escape_given |= strcmp(option->defname, "escape") == 0;
        csv_only |= strncmp(option->defname, "force_", 6) == 0;
        text_only |= strcmp(option->defname, "delimiter") == 0 || strcmp(option->defname, "null") == 0 ||
                     strcmp(option->defname, "header") == 0;
        failed = option_read(copy, option, error);
    }
    if (failed)
        return failed;
    copy->null_size = strlen(copy->null);
    if (quote_given && !escape_given)
        copy->escape = copy->quote;
    if (copy->format == COPY_BINARY && text_only)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "cannot specify %s in BINARY mode",
                         copy->header              ? "HEADER"
                         : copy->delimiter != '\t' ? "DELIMITER"
                                                   : "NULL");
    if (copy->format != COPY_CSV && (quote_given || escape_given || csv_only))
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "COPY %s available only in CSV mode",
                         quote_given    ? "quote"
                         : escape_given ? "escape"
                                        : "force quote");
    if (copy->delimiter == '\n' || copy->delimiter == '\r')
        return refused(error, "COPY delimiter cannot be newline or carriage return%s", "");
    if (copy->format == COPY_TEXT && strchr("\\.abcdefghijklmnopqrstuvwxyz0123456789", copy->delimiter))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "COPY delimiter cannot be \"%c\"",
                         copy->delimiter);
    if (strpbrk(copy->null, "\r\n"))
        return refused(error, "COPY null representation cannot use newline or carriage return%s", "");
    if (copy->format == COPY_CSV && copy->delimiter == copy->quote)
        return refused(error, "COPY delimiter and quote must be different%s", "");
    return SQLSTATE_OK;
}

/* ---- columns ---- */

static enum sqlstate columns_find(struct copy *copy, const struct relation *relation, const List *names,
                                  struct error *error)
{
    uint32_t listed = (uint32_t)list_length(names);
    copy->column = scope_alloc_zeroed(copy->scope, (relation->columns + listed + 1) * sizeof *copy->column);
    for (uint32_t i = 0; i < (names ? listed : relation->columns); i++) {
        const struct column *column = names ? NULL : &relation->column[i];
        const char *name = names ? ((const String *)list_nth(names, (int)i))->sval : column->name;
        if (!names && (column->dropped || column->generated))
            continue;
        for (uint32_t c = 0; names && c < relation->columns && !column; c++)
            if (!relation->column[c].dropped && strcmp(relation->column[c].name, name) == 0)
                column = &relation->column[c];
        if (!column)
            return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '3'),
                             "column \"%s\" of relation \"%s\" does not exist", name, relation->name);
        if (column->generated) {
            enum sqlstate failed = error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '3'),
                                             "column \"%s\" is a generated column", name);
            error_add(error, ERROR_DETAIL, "Generated columns cannot be used in COPY.");
            return failed;
        }
        for (uint32_t c = 0; c < copy->columns; c++)
            if (copy->column[c].number == column->number)
                return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '1'),
                                 "column \"%s\" specified more than once", name);
        copy->column[copy->columns++] = (struct copy_column){.name = column->name,
                                                             .type = column->type,
                                                             .modifier = column->modifier,
                                                             .number = column->number};
    }
    return SQLSTATE_OK;
}

static void names_write(struct text *text, const struct copy *copy)
{
    for (uint32_t c = 0; c < copy->columns; c++) {
        text_append(text, c ? ", " : "");
        text_identifier(text, copy->column[c].name);
    }
}

static enum sqlstate relation_find(struct catalog_view *view, const RangeVar *name, bool from,
                                   const struct relation **relation, struct error *error)
{
    enum sqlstate failed = catalog_relation(view, name->schemaname, name->relname, relation, error);
    if (failed)
        return failed;
    if (!*relation)
        return error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s%s%s\" does not exist",
                         name->schemaname ? name->schemaname : "", name->schemaname ? "." : "",
                         name->relname);
    if ((*relation)->kind == RELATION_TABLE)
        return SQLSTATE_OK;
    failed = error_set(error, SQLSTATE_PACK('4', '2', '8', '0', '9'), "cannot copy %s %s \"%s\"",
                       from ? "to" : "from",
                       (*relation)->kind == RELATION_VIEW       ? "view"
                       : (*relation)->kind == RELATION_SEQUENCE ? "sequence"
                                                                : "non-table relation",
                       (*relation)->name);
    if (!from && (*relation)->kind == RELATION_VIEW)
        error_add(error, ERROR_HINT, "Try the COPY (SELECT ...) TO variant.");
    return failed;
}

/* ---- TO ---- */

static enum sqlstate to_table(struct copy *copy, const CopyStmt *statement, struct statement **source,
                              struct error *error)
{
    struct catalog_view *view;
    const struct relation *relation;
    struct text text = text_in(copy->scope);
    const char *sql;
    enum sqlstate failed = session_view(copy->session, copy->scope, &view, error);
    if (!failed)
        failed = relation_find(view, statement->relation, false, &relation, error);
    if (!failed)
        failed = columns_find(copy, relation, statement->attlist, error);
    if (failed)
        return failed;
    copy->relation = relation->oid;
    text_append(&text, "SELECT ");
    names_write(&text, copy);
    text_append(&text, " FROM ONLY ");
    text_identifier(&text, relation->schema_name);
    text_append(&text, ".");
    text_identifier(&text, relation->name);
    failed = text_end(&text, &sql, error);
    return failed ? failed : statement_find(copy->session, sql, NULL, false, NULL, source, error);
}

static enum sqlstate to_run(struct copy *copy, struct portal *portal, const CopyStmt *statement,
                            struct error *error)
{
    struct statement *source;
    struct portal *inner;
    enum sqlstate failed = SQLSTATE_OK;
    if (statement->relation)
        failed = to_table(copy, statement, &source, error);
    else
        source = statement_within(copy->session, portal->statement, (const struct Node *)statement->query);
    if (failed)
        return failed;
    if (!source->plannable) {
        statement_release(copy->session, source);
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "COPY of this statement is not supported");
    }
    failed = portal_make(copy->session, NULL, source, &inner, error);
    statement_release(copy->session, source);
    if (failed)
        return failed;
    failed = portal_start(inner, error);
    if (!failed && !inner->shape.columns)
        failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause");
    if (!failed && !statement->relation) {
        copy->columns = inner->shape.count;
        copy->column = scope_alloc_zeroed(copy->scope, (copy->columns + 1) * sizeof *copy->column);
        for (uint32_t c = 0; c < copy->columns; c++)
            copy->column[c] = (struct copy_column){.name = inner->shape.columns[c].name,
                                                   .type = inner->shape.columns[c].type,
                                                   .modifier = inner->shape.columns[c].modifier};
    }
    if (!failed)
        failed = options_read(copy, statement, error);
    copy->session->progress =
        (struct progress){.command = "COPY", .relation = copy->relation, .figure = {[4] = 2, [5] = 3}};
    if (!failed)
        failed = copy_out(copy, inner, error);
    copy->session->progress.command = NULL;
    portal_drop(inner);
    return failed;
}

/* ---- FROM ---- */

/* The function whose rows are the client's. */
static enum sqlstate source_open(struct call *call, const struct value *arguments)
{
    (void)arguments;
    call->memory = ((struct session *)call->environment->session)->copy;
    return SQLSTATE_OK;
}

static enum sqlstate source_next(struct call *call, struct value *const *results, uint32_t most,
                                 uint32_t *count)
{
    return copy_in_rows(call->memory, call->scope, results, most, count, call->error);
}

static const struct set_function source_function = {
    .name = "copy_source", .open = source_open, .next_rows = source_next};

static const struct procedure source_procedure = {
    .name = "copy",
    .schema = SCHEMA_PG_CATALOG,
    .kind = 'f',
    .volatility = 'v',
    .returns_set = true,
    .result = TYPE_RECORD,
    .source = "copy_source",
    .language = 'i',
    .set_function = &source_function,
};

struct replacing {
    struct scope *scope;
    const struct copy *copy;
    uint32_t range;
    bool of_relation; /* columns of range 0 by attnum, instead of parameters */
    const char *missing;
};

/* Whether it makes $n fit the column's modifier (numeric(15,2), char(10)): reading the value did that. */
static bool is_fitted(const struct copy *copy, const struct expression *node)
{
    if (node->kind != EXPRESSION_CALL || node->arguments < 2 || node->modifier < 0 ||
        node->argument[0]->kind != EXPRESSION_PARAMETER)
        return false;
    const struct copy_column *column = &copy->column[node->argument[0]->number - 1];
    return node->type->oid == column->type->oid && node->modifier == column->modifier &&
           node->argument[0]->type->oid == column->type->oid;
}

/* $n, or a column of the table, as a column of the source. */
static struct expression *source_column(void *argument, const struct expression *node, uint32_t level)
{
    struct replacing *replacing = argument;
    const struct copy *copy = replacing->copy;
    int32_t number = -1;
    if (!replacing->of_relation && is_fitted(copy, node))
        number = node->argument[0]->number;
    if (!replacing->of_relation && node->kind == EXPRESSION_PARAMETER)
        number = node->number;
    for (uint32_t c = 0; replacing->of_relation && c < copy->columns; c++)
        if (node->kind == EXPRESSION_COLUMN && node->level == level && copy->column[c].number == node->number)
            number = (int32_t)c + 1;
    if (number < 0)
        return NULL;
    return expression_column(replacing->scope, replacing->range, number, node->type, node->modifier,
                             node->collation);
}

static struct range source_range(struct scope *scope, const struct copy *copy)
{
    struct type *type = scope_copy(scope, type_builtin(TYPE_RECORD), sizeof *type);
    struct row_field *fields = scope_alloc(scope, (copy->columns + 1) * sizeof *fields);
    struct expression *call = expression_make(scope, EXPRESSION_SET_CALL, type);
    struct range_column *columns = scope_alloc_zeroed(scope, (copy->columns + 1) * sizeof *columns);
    struct expression **functions = scope_alloc(scope, sizeof *functions);
    uint32_t *counts = scope_alloc(scope, sizeof *counts);
    call->procedure = &source_procedure;
    for (uint32_t c = 0; c < copy->columns; c++) {
        columns[c] = (struct range_column){
            .name = copy->column[c].name, .type = copy->column[c].type, .modifier = copy->column[c].modifier};
        fields[c] = (struct row_field){.name = copy->column[c].name,
                                       .type = copy->column[c].type->oid,
                                       .modifier = copy->column[c].modifier};
    }
    type->fields = fields;
    type->field_count = copy->columns;
    functions[0] = call;
    counts[0] = copy->columns;
    return (struct range){.kind = RANGE_FUNCTION,
                          .name = "copy",
                          .columns = copy->columns,
                          .column = columns,
                          .functions = 1,
                          .function = functions,
                          .function_columns = counts};
}

/* Puts the source in the place of the statement's VALUES. */
static enum sqlstate source_graft(struct copy *copy, struct scope *scope, struct query *bound,
                                  struct query **query, struct error *error)
{
    uint32_t at = bound->ranges;
    for (uint32_t i = 0; i < bound->ranges; i++)
        if (i != bound->result &&
            (bound->range[i].kind == RANGE_VALUES || bound->range[i].kind == RANGE_RESULT))
            at = i;
    struct replacing replacing = {.scope = scope, .copy = copy, .range = at};
    bool values = at < bound->ranges && bound->range[at].kind == RANGE_VALUES;
    for (uint32_t c = 0; values && c < copy->columns; c++)
        if (bound->range[at].values != 1 || bound->range[at].value[0][c]->kind != EXPRESSION_PARAMETER)
            return error_set(error, SQLSTATE_INTERNAL_ERROR, "COPY does not understand its own statement");
    struct query *made = query_map(scope, bound, source_column, &replacing);
    struct range *ranges = scope_alloc(scope, (bound->ranges + 1) * sizeof *ranges);
    memcpy(ranges, made->range, bound->ranges * sizeof *ranges);
    ranges[at] = source_range(scope, copy);
    made->range = ranges;
    if (at == bound->ranges) {
        struct from **froms = scope_alloc(scope, (bound->froms + 1) * sizeof *froms);
        struct from *from = scope_alloc_zeroed(scope, sizeof *from);
        if (bound->froms)
            memcpy(froms, made->from, bound->froms * sizeof *froms);
        *from = (struct from){.kind = FROM_RANGE, .range = at};
        froms[made->froms++] = from;
        made->from = froms;
        made->ranges++;
    }
    copy->session->copy_range = at;
    *query = made;
    return SQLSTATE_OK;
}

/* SELECT all columns of the source WHERE the condition holds. */
static struct query *source_query(struct scope *scope, const struct range *source, struct expression *where)
{
    struct query *query = scope_alloc_zeroed(scope, sizeof *query);
    struct from *from = scope_alloc_zeroed(scope, sizeof *from);
    struct from **froms = scope_copy(scope, &from, sizeof from);
    struct target *targets = scope_alloc_zeroed(scope, (source->columns + 1) * sizeof *targets);
    from->kind = FROM_RANGE;
    for (uint32_t c = 0; c < source->columns; c++)
        targets[c] = (struct target){
            .name = source->column[c].name,
            .expression = expression_column(scope, 0, (int32_t)c + 1, source->column[c].type,
                                            source->column[c].modifier, source->column[c].collation)};
    *query = (struct query){
        .kind = QUERY_SELECT,
        .ranges = 1,
        .range = scope_copy(scope, source, sizeof *source),
        .froms = 1,
        .from = froms,
        .where = where,
        .targets = source->columns,
        .target = targets,
        .has_subqueries = where && expression_facts(where) & FACT_SUBQUERY,
    };
    return query;
}

static enum sqlstate where_bind(struct copy *copy, struct binder_request *bind, const CopyStmt *statement,
                                const struct relation *relation, struct query *query, struct error *error)
{
    struct expression *where;
    if (!statement->whereClause)
        return SQLSTATE_OK;
    enum sqlstate failed = bind_expression(bind, (const struct Node *)statement->whereClause, relation,
                                           type_builtin(TYPE_BOOL), -1, &where, error);
    if (failed)
        return failed;
    struct replacing replacing = {.scope = bind->scope, .copy = copy, .of_relation = true};
    where = expression_map(bind->scope, where, source_column, &replacing, false);
    struct range *source = &query->range[copy->session->copy_range];
    source->query = source_query(bind->scope, source, where);
    source->kind = RANGE_SUBQUERY;
    source->functions = 0;
    return SQLSTATE_OK;
}

static enum sqlstate insert_text(struct copy *copy, const struct relation *relation, const char **sql,
                                 struct error *error)
{
    struct text text = text_in(copy->scope);
    text_append(&text, "INSERT INTO ");
    text_identifier(&text, relation->schema_name);
    text_append(&text, ".");
    text_identifier(&text, relation->name);
    text_append(&text, " (");
    names_write(&text, copy);
    text_append(&text, ") OVERRIDING SYSTEM VALUE VALUES (");
    for (uint32_t c = 0; c < copy->columns; c++)
        text_format(&text, "%s$%u", c ? ", " : "", c + 1);
    text_append(&text, ")");
    return text_end(&text, sql, error);
}

/* Binds and plans the insertion, checks that it may be done. */
static enum sqlstate from_plan(struct copy *copy, struct portal *portal, const CopyStmt *statement,
                               struct recipe *recipe, struct error *error)
{
    struct session *session = copy->session;
    const struct relation *relation = NULL;
    struct parsed *parsed;
    struct query *bound;
    const char *sql;
    enum sqlstate failed = session_view(session, copy->scope, &recipe->view, error);
    for (bool again = true; !failed && again;) {
        bool waited;
        uint32_t locked = relation ? relation->oid : 0;
        failed = relation_find(recipe->view, statement->relation, true, &relation, error);
        if (!failed)
            failed = catalog_lock_relation(recipe->view, relation->oid, LOCK_ROW_EXCLUSIVE, LOCK_WAIT,
                                           &waited, error);
        /* Until it was locked its definition may have become another. */
        again = !failed && (waited || (relation->oid != locked && !catalog_view_stands(recipe->view)));
        if (again)
            failed = session_view(session, copy->scope, &recipe->view, error);
    }
    if (!failed)
        failed = columns_find(copy, relation, statement->attlist, error);
    if (!failed)
        failed = options_read(copy, statement, error);
    if (!failed)
        failed = insert_text(copy, relation, &sql, error);
    if (!failed)
        failed = parse_text(session->world, copy->scope, sql, &parsed, error);
    if (failed)
        return failed;
    uint32_t *types = scope_alloc(copy->scope, (copy->columns + 1) * sizeof *types);
    for (uint32_t c = 0; c < copy->columns; c++)
        types[c] = copy->column[c].type->oid;
    struct binder_request bind = {.world = session->world,
                                  .scope = copy->scope,
                                  .view = recipe->view,
                                  .environment = &session->environment,
                                  .text = sql,
                                  .parameters = copy->columns,
                                  .parameter_types = types,
                                  .parameters_fixed = true};
    copy->name = relation->name;
    copy->relation = relation->oid;
    failed = bind_statement(&bind, (const struct Node *)parsed_statement(parsed, 0)->stmt, &bound, error);
    if (!failed)
        failed = source_graft(copy, copy->scope, bound, &recipe->query, error);
    bind.text = portal->statement->text;
    bind.parameters = 0;
    if (!failed)
        failed = where_bind(copy, &bind, statement, relation, recipe->query, error);
    struct planner_request plan = {.world = session->world,
                                   .scope = copy->scope,
                                   .view = recipe->view,
                                   .environment = &session->environment,
                                   .engine = session->sessions->options.engine};
    if (!failed)
        failed = plan_query(&plan, recipe->query, &recipe->planned, error);
    if (!failed && session->read_only)
        failed = error_set(error, SQLSTATE_READ_ONLY_SQL_TRANSACTION,
                           "cannot execute COPY FROM in a read-only transaction");
    return failed ? failed : recipe_check(session, recipe, recipe->view, error);
}

static enum sqlstate from_execute(struct copy *copy, const struct recipe *recipe, struct error *error)
{
    struct session *session = copy->session;
    struct execution *execution;
    const struct batch *batch;
    const struct execution_request request = {
        .world = session->world,
        .scope = copy->scope,
        .engine = session->sessions->options.engine,
        .catalog = session->sessions->options.catalog,
        .view = recipe->view,
        .transaction = session->transaction,
        .environment = &session->environment,
        .isolation = session->isolation,
        .deferred = session->deferred,
        .memory_grant = session->grants.memory,
        .hash_grant = session->grants.hash,
        .temporary_limit = session->grants.temporary,
    };
    enum sqlstate failed = execution_open(&request, recipe->planned, &execution, error);
    do
        failed = failed ? failed : execution_next(execution, &batch, error);
    while (!failed && batch);
    if (!failed)
        copy->rows = execution_rows(execution);
    return failed;
}

static enum sqlstate from_run(struct copy *copy, struct portal *portal, const CopyStmt *statement,
                              struct error *error)
{
    struct session *session = copy->session;
    struct recipe recipe = {.scope = copy->scope, .holders = 1};
    struct copy *before = session->copy;
    enum sqlstate failed = from_plan(copy, portal, statement, &recipe, error);
    if (failed)
        return failed;
    transaction_statement(session->transaction);
    session->statements_run = true;
    failed = session->options.sink->ops->copy_in_begin(session->options.sink, copy->format == COPY_BINARY,
                                                       copy->columns, error);
    session->copy = copy;
    if (!failed)
        failed = from_execute(copy, &recipe, error);
    session->copy = before;
    /* Rows that nobody asked for (a table without columns, say) are still to be taken from the client. */
    while (!failed && !copy->finished) {
        uint32_t count;
        struct scope *work = scope_open(copy->scope, "rest");
        struct value **values = scope_alloc(work, (copy->columns + 1) * sizeof values[0]);
        for (uint32_t c = 0; c < copy->columns; c++)
            values[c] = scope_alloc(work, sizeof values[c][0]);
        failed = copy_in_rows(copy, work, values, 1, &count, error);
        scope_close(work);
    }
    return failed;
}

enum sqlstate copy_run(struct session *session, struct portal *portal, const CopyStmt *statement,
                       uint64_t *rows, struct error *error)
{
    if (statement->filename || statement->is_program) {
        enum sqlstate failed = error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                         "COPY to or from files of the server is not supported");
        error_add(error, ERROR_HINT, "You may want a client-side facility such as psql's \\copy.");
        return failed;
    }
    enum sqlstate failed = portals_settle(session, portal, error);
    if (failed)
        return failed;
    struct scope *scope = scope_open(portal->scope, "copy");
    struct copy *copy = scope_alloc_zeroed(scope, sizeof *copy);
    copy->session = session;
    copy->scope = scope;
    copy->text = portal->statement->text;
    failed = statement->is_from ? from_run(copy, portal, statement, error)
                                : to_run(copy, portal, statement, error);
    *rows = copy->rows;
    session->environment.catalog = NULL;
    fiber_close_scope(session->world->scheduler, scope);
    return failed;
}
