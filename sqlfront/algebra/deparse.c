/* Expressions as SQL, worded as PostgreSQL's ruleutils.c words them: every operator in parentheses, every constant with its
 * type where it would be read as another one. What is written here is what pg_attrdef, pg_constraint and pg_index keep, and it
 * is read back by the binder, so it must mean the same whatever the search path is: names outside pg_catalog have their
 * schema unless they are visible.
 *
 * `shown` below is ruleutils' showimplicit: whether a cast nobody wrote is written, which it must be where the choice of an
 * operator or function hangs on it. */
#include "sqlfront/algebra/deparse.h"
#include "base/scope.h"
#include "base/text.h"
#include "sqlfront/algebra/algebra.h"
#include "sqlfront/catalog/names.h"

#include <ctype.h>
#include <string.h>

static void write(struct deparse *deparse, const struct expression *expression, bool shown);

static void failed_with(struct deparse *deparse, enum sqlstate failed)
{
    if (failed && !deparse->failed)
        deparse->failed = failed;
}

void deparse_type(struct deparse *deparse, const struct type *type, int32_t modifier)
{
    const char *name = NULL;
    failed_with(deparse,
                type_shown(deparse->view, deparse->scope, type->oid, modifier, true, &name, deparse->error));
    text_append(&deparse->text, name ? name : type->name);
}

void deparse_identifier(struct deparse *deparse, const char *name)
{
    text_append(&deparse->text, identifier(deparse->scope, name));
}

static void list(struct deparse *deparse, const struct expression *expression, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        text_append(&deparse->text, i > from ? ", " : "");
        write(deparse, expression->argument[i], true);
    }
}

/* ---- constants ---- */

/* A string in quotes; with a backslash in it as E'...'. */
static void quoted(struct deparse *deparse, struct bytes bytes)
{
    bool escape = bytes.size && memchr(bytes.data, '\\', bytes.size);
    text_append(&deparse->text, escape ? "E'" : "'");
    for (size_t i = 0; i < bytes.size; i++) {
        char c = (char)bytes.data[i];
        if (c == '\'' || c == '\\')
            text_bytes(&deparse->text, bytes_of(&c, 1));
        text_bytes(&deparse->text, bytes_of(&c, 1));
    }
    text_append(&deparse->text, "'");
}

static bool looks_like_float(struct bytes text)
{
    bool point = false;
    for (size_t i = 0; i < text.size; i++)
        point = point || text.data[i] == '.' || text.data[i] == 'e' || text.data[i] == 'E';
    return text.size && isdigit(text.data[0]) && point;
}

/* `label`: -1 never write the type, 0 where it is needed, 1 always. */
static void constant(struct deparse *deparse, const struct expression *expression, int label)
{
    const struct type *type = expression->type;
    struct bytes text = {0};
    bool needed = true;
    if (expression->constant.null) {
        text_append(&deparse->text, "NULL");
        if (label >= 0 && type->oid != TYPE_UNKNOWN) {
            text_append(&deparse->text, "::");
            deparse_type(deparse, type, expression->modifier);
        }
        return;
    }
    if (!type->ops || !type->ops->out) {
        failed_with(deparse, error_set(deparse->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                       "constants of type %s cannot be written", type->name));
        return;
    }
    struct environment environment = {.world = catalog_view_world(deparse->view),
                                      .catalog = deparse->view,
                                      .type_find = catalog_type_find,
                                      .standard_conforming_strings = true,
                                      .extra_float_digits = 1,
                                      .date_order = DATE_MDY};
    failed_with(deparse, type->ops->out(&environment, deparse->scope, type, &expression->constant, &text,
                                        deparse->error));
    if (deparse->failed)
        return;
    if (type->oid == TYPE_INT4 && text.size && text.data[0] != '-') {
        text_bytes(&deparse->text, text);
        needed = false;
    } else if (type->oid == TYPE_NUMERIC && looks_like_float(text)) {
        text_bytes(&deparse->text, text);
        needed = expression->modifier >= 0;
    } else if (type->oid == TYPE_BOOL) {
        text_append(&deparse->text, expression->constant.i ? "true" : "false");
        needed = false;
    } else {
        quoted(deparse, text);
        needed = type->oid != TYPE_UNKNOWN;
    }
    if (label > 0 || (label == 0 && needed)) {
        text_append(&deparse->text, "::");
        deparse_type(deparse, type, expression->modifier);
    }
}

/* ---- casts ---- */

static void cast(struct deparse *deparse, const struct expression *argument, const struct type *type,
                 int32_t modifier)
{
    if (argument->kind == EXPRESSION_CONSTANT && argument->type == type && argument->modifier == -1) {
        constant(deparse, argument, -1);
    } else {
        text_append(&deparse->text, "(");
        write(deparse, argument, false);
        text_append(&deparse->text, ")");
    }
    text_append(&deparse->text, "::");
    deparse_type(deparse, type, modifier);
}

static bool is_cast(const struct expression *expression)
{
    return expression->kind == EXPRESSION_RELABEL || expression->kind == EXPRESSION_CAST_TEXT ||
           expression->kind == EXPRESSION_CAST_ARRAY ||
           (expression->kind == EXPRESSION_CALL && expression->cast_form);
}

static void cast_or_argument(struct deparse *deparse, const struct expression *expression, bool shown)
{
    if (expression->cast_implicit && !shown)
        write(deparse, expression->argument[0], false);
    else
        cast(deparse, expression->argument[0], expression->type, expression->modifier);
}

/* ---- calls ---- */

static void function_name(struct deparse *deparse, const struct procedure *procedure)
{
    const char *name = NULL;
    failed_with(deparse, procedure_called(deparse->view, deparse->scope, procedure, &name, deparse->error));
    text_append(&deparse->text, name ? name : procedure->name);
}

static void call(struct deparse *deparse, const struct expression *expression)
{
    if (expression->operator_form && expression->operator) {
        text_append(&deparse->text, "(");
        if (expression->arguments == 2) {
            write(deparse, expression->argument[0], true);
            text_format(&deparse->text, " %s ", expression->operator->name);
            write(deparse, expression->argument[1], true);
        } else {
            text_format(&deparse->text, "%s ", expression->operator->name);
            write(deparse, expression->argument[0], true);
        }
        text_append(&deparse->text, ")");
        return;
    }
    function_name(deparse, expression->procedure);
    text_append(&deparse->text, "(");
    list(deparse, expression, 0, expression->arguments);
    text_append(&deparse->text, ")");
}

static void aggregate(struct deparse *deparse, const struct expression *expression)
{
    function_name(deparse, expression->procedure);
    text_append(&deparse->text, "(");
    text_append(&deparse->text, expression->distinct ? "DISTINCT " : "");
    if (expression->star)
        text_append(&deparse->text, "*");
    else
        list(deparse, expression, 0, expression->arguments);
    for (uint32_t i = 0; i < expression->orders; i++) {
        text_append(&deparse->text, i ? ", " : " ORDER BY ");
        deparse_sort_key(deparse, &expression->order[i], NULL);
    }
    text_append(&deparse->text, ")");
    if (expression->filter) {
        text_append(&deparse->text, " FILTER (WHERE ");
        write(deparse, expression->filter, false);
        text_append(&deparse->text, ")");
    }
}

void deparse_sort_key(struct deparse *deparse, const struct sort_key *key, const struct query *query)
{
    const struct expression *expression = key->expression;
    if (!expression && query)
        expression = query->target[key->target].expression;
    if (expression && expression->kind == EXPRESSION_CONSTANT)
        constant(deparse, expression, 1);
    else if (expression)
        write(deparse, expression, true);
    if (key->descending)
        text_append(&deparse->text, " DESC");
    if (key->nulls_first != key->descending)
        text_append(&deparse->text, key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

/* ---- columns ---- */

static void column(struct deparse *deparse, const struct expression *expression)
{
    const struct deparse_level *level = deparse->level;
    for (uint32_t up = 0; up < expression->level && level; up++)
        level = level->outer;
    const struct query *query = level ? level->query : NULL;
    if (!query || expression->range >= query->ranges) {
        failed_with(deparse, error_set(deparse->error, SQLSTATE_INTERNAL_ERROR, "a column has no range"));
        return;
    }
    const struct range *range = &query->range[expression->range];
    const char *name = NULL;
    if (expression->kind == EXPRESSION_WHOLE_ROW) {
        deparse_identifier(deparse, deparse_range_name(deparse, query, expression->range));
        text_append(&deparse->text, ".*");
        return;
    }
    if (expression->kind == EXPRESSION_SYSTEM_COLUMN) {
        static const char *const names[] = {"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"};
        name = names[-expression->number - 1];
    } else if (range->kind == RANGE_JOIN && range->column[expression->number - 1].stands_for &&
               !range->alias) {
        const struct expression *real = range->column[expression->number - 1].stands_for;
        if (real->kind == EXPRESSION_COLUMN) {
            column(deparse, real);
            return;
        }
        write(deparse, real, true); /* FULL JOIN USING: COALESCE of both */
        return;
    } else if (expression->number > 0 && (uint32_t)expression->number <= range->columns) {
        name = range->column[expression->number - 1].name;
    }
    if (deparse->qualified || expression->level > 0) {
        deparse_identifier(deparse, deparse_range_name(deparse, query, expression->range));
        text_append(&deparse->text, ".");
    }
    deparse_identifier(deparse, name ? name : "?column?");
}

/* ---- the other kinds ---- */

static void boolean(struct deparse *deparse, const struct expression *expression)
{
    const char *word = expression->kind == EXPRESSION_AND ? " AND " : " OR ";
    text_append(&deparse->text, "(");
    for (uint32_t i = 0; i < expression->arguments; i++) {
        text_append(&deparse->text, i ? word : "");
        write(deparse, expression->argument[i], false);
    }
    text_append(&deparse->text, ")");
}

static void in_list(struct deparse *deparse, const struct expression *expression, bool negated)
{
    text_append(&deparse->text, "(");
    write(deparse, expression->argument[0], true);
    text_append(&deparse->text, negated ? " <> ALL (ARRAY[" : " = ANY (ARRAY[");
    list(deparse, expression, 1, expression->arguments);
    text_append(&deparse->text, "]))");
}

static void test(struct deparse *deparse, const struct expression *expression)
{
    static const char *const words[] = {[TEST_NULL] = "NULL",       [TEST_NOT_NULL] = "NOT NULL",
                                        [TEST_TRUE] = "TRUE",       [TEST_NOT_TRUE] = "NOT TRUE",
                                        [TEST_FALSE] = "FALSE",     [TEST_NOT_FALSE] = "NOT FALSE",
                                        [TEST_UNKNOWN] = "UNKNOWN", [TEST_NOT_UNKNOWN] = "NOT UNKNOWN"};
    text_append(&deparse->text, "(");
    write(deparse, expression->argument[0], true);
    text_format(&deparse->text, " IS %s)", words[expression->test]);
}

/* A simple CASE is bound as comparisons with a CASE_VALUE: only the other side of each is written. */
static const struct expression *when_of(const struct expression *expression, const struct expression *when)
{
    if (expression->subject && when->kind == EXPRESSION_CALL && when->arguments == 2) {
        const struct expression *left = when->argument[0];
        while (is_cast(left) && left->arguments)
            left = left->argument[0];
        if (left->kind == EXPRESSION_CASE_VALUE)
            return when->argument[1];
    }
    return when;
}

static void new_line(struct deparse *deparse)
{
    text_append(&deparse->text, "\n");
    for (uint32_t i = 0; i < deparse->indent; i++)
        text_append(&deparse->text, "    ");
}

static void case_of(struct deparse *deparse, const struct expression *expression)
{
    text_append(&deparse->text, "CASE");
    if (expression->subject) {
        text_append(&deparse->text, " ");
        write(deparse, expression->subject, true);
    }
    deparse->indent++;
    for (uint32_t i = 0; i + 1 < expression->arguments; i += 2) {
        new_line(deparse);
        text_append(&deparse->text, "WHEN ");
        write(deparse, when_of(expression, expression->argument[i]), false);
        text_append(&deparse->text, " THEN ");
        write(deparse, expression->argument[i + 1], true);
    }
    new_line(deparse);
    text_append(&deparse->text, "ELSE ");
    write(deparse, expression->argument[expression->arguments - 1], true);
    deparse->indent--;
    new_line(deparse);
    text_append(&deparse->text, "END");
}

static void array(struct deparse *deparse, const struct expression *expression)
{
    text_append(&deparse->text, "ARRAY[");
    list(deparse, expression, 0, expression->arguments);
    text_append(&deparse->text, "]");
    if (!expression->arguments) {
        text_append(&deparse->text, "::");
        deparse_type(deparse, expression->type, -1);
    }
}

static void subscript(struct deparse *deparse, const struct expression *expression)
{
    const struct expression *container = expression->argument[0];
    bool bare = container->kind == EXPRESSION_COLUMN || container->kind == EXPRESSION_SUBSCRIPT;
    text_append(&deparse->text, bare ? "" : "(");
    write(deparse, container, true);
    text_append(&deparse->text, bare ? "" : ")");
    for (uint32_t i = 1; i < expression->arguments; i += expression->slice ? 2 : 1) {
        text_append(&deparse->text, "[");
        if (expression->argument[i])
            write(deparse, expression->argument[i], false);
        if (expression->slice) {
            text_append(&deparse->text, ":");
            if (expression->argument[i + 1])
                write(deparse, expression->argument[i + 1], false);
        }
        text_append(&deparse->text, "]");
    }
}

static void row_compare(struct deparse *deparse, const struct expression *expression)
{
    static const char *const operators[] = {"", "<", "<=", "=", ">=", ">", "<>"};
    uint32_t half = expression->arguments / 2;
    text_append(&deparse->text, "(ROW(");
    list(deparse, expression, 0, half);
    text_format(&deparse->text, ") %s ROW(", operators[expression->strategy % 7]);
    list(deparse, expression, half, expression->arguments);
    text_append(&deparse->text, "))");
}

static void time_of(struct deparse *deparse, const struct expression *expression)
{
    static const char *const words[] = {[TIME_CURRENT_DATE] = "CURRENT_DATE",
                                        [TIME_CURRENT_TIME] = "CURRENT_TIME",
                                        [TIME_CURRENT_TIMESTAMP] = "CURRENT_TIMESTAMP",
                                        [TIME_LOCALTIME] = "LOCALTIME",
                                        [TIME_LOCALTIMESTAMP] = "LOCALTIMESTAMP"};
    text_append(&deparse->text, words[expression->number]);
    if (expression->modifier >= 0)
        text_format(&deparse->text, "(%d)", expression->modifier);
}

static void any_or_all(struct deparse *deparse, const struct expression *expression)
{
    text_append(&deparse->text, "(");
    write(deparse, expression->argument[0], true);
    text_format(&deparse->text, " %s %s (", expression->operator? expression->operator->name : "=",
                expression->kind == EXPRESSION_ANY ? "ANY" : "ALL");
    write(deparse, expression->argument[1], true);
    text_append(&deparse->text, "))");
}

static void field(struct deparse *deparse, const struct expression *expression)
{
    const struct type *row = expression->argument[0]->type;
    text_append(&deparse->text, "(");
    write(deparse, expression->argument[0], true);
    text_append(&deparse->text, ").");
    if (row->fields && expression->number > 0 && (uint32_t)expression->number <= row->field_count)
        deparse_identifier(deparse, row->fields[expression->number - 1].name);
    else
        text_format(&deparse->text, "f%d", expression->number);
}

static void worded(struct deparse *deparse, const char *word, const struct expression *expression)
{
    text_format(&deparse->text, "%s(", word);
    list(deparse, expression, 0, expression->arguments);
    text_append(&deparse->text, ")");
}

static void subquery(struct deparse *deparse, const struct expression *expression)
{
    const struct expression *test_expression = expression->test_expression;
    switch (expression->subquery_kind) {
    case SUBQUERY_EXISTS:
        text_append(&deparse->text, "(EXISTS ");
        break;
    case SUBQUERY_ARRAY:
        text_append(&deparse->text, "ARRAY");
        break;
    case SUBQUERY_ANY:
    case SUBQUERY_ALL:
        text_append(&deparse->text, "(");
        if (expression->arguments > 1)
            text_append(&deparse->text, "(");
        list(deparse, expression, 0, expression->arguments);
        if (expression->arguments > 1)
            text_append(&deparse->text, ")");
        if (expression->subquery_kind == SUBQUERY_ANY && test_expression &&
            test_expression->operator&& strcmp(test_expression->operator->name, "=") == 0)
            text_append(&deparse->text, " IN ");
        else
            text_format(&deparse->text, " %s %s ",
                        test_expression && test_expression->operator? test_expression->operator->name : "=",
                        expression->subquery_kind == SUBQUERY_ANY ? "ANY" : "ALL");
        break;
    default:
        break;
    }
    text_append(&deparse->text, "(");
    deparse->indent++;
    deparse_query(deparse, expression->query);
    deparse->indent--;
    text_append(&deparse->text, ")");
    if (expression->subquery_kind == SUBQUERY_EXISTS || expression->subquery_kind == SUBQUERY_ANY ||
        expression->subquery_kind == SUBQUERY_ALL)
        text_append(&deparse->text, ")");
}

static void write(struct deparse *deparse, const struct expression *expression, bool shown)
{
    if (deparse->failed)
        return;
    if (is_cast(expression)) {
        cast_or_argument(deparse, expression, shown);
        return;
    }
    switch (expression->kind) {
    case EXPRESSION_CONSTANT:
        constant(deparse, expression, 0);
        return;
    case EXPRESSION_COLUMN:
    case EXPRESSION_WHOLE_ROW:
    case EXPRESSION_SYSTEM_COLUMN:
        column(deparse, expression);
        return;
    case EXPRESSION_PARAMETER:
        text_format(&deparse->text, "$%d", expression->number);
        return;
    case EXPRESSION_CALL:
    case EXPRESSION_SET_CALL:
        call(deparse, expression);
        return;
    case EXPRESSION_AGGREGATE:
        aggregate(deparse, expression);
        return;
    case EXPRESSION_WINDOW:
        aggregate(deparse, expression);
        deparse_over(deparse, expression->window);
        return;
    case EXPRESSION_AND:
    case EXPRESSION_OR:
        boolean(deparse, expression);
        return;
    case EXPRESSION_NOT:
        if (expression->argument[0]->kind == EXPRESSION_IN_LIST) {
            in_list(deparse, expression->argument[0], true);
            return;
        }
        text_append(&deparse->text, "(NOT ");
        write(deparse, expression->argument[0], false);
        text_append(&deparse->text, ")");
        return;
    case EXPRESSION_TEST:
        test(deparse, expression);
        return;
    case EXPRESSION_DISTINCT:
        text_append(&deparse->text, "(");
        write(deparse, expression->argument[0], true);
        text_append(&deparse->text,
                    expression->distinct_not ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM ");
        write(deparse, expression->argument[1], true);
        text_append(&deparse->text, ")");
        return;
    case EXPRESSION_NULLIF:
        worded(deparse, "NULLIF", expression);
        return;
    case EXPRESSION_CASE:
        case_of(deparse, expression);
        return;
    case EXPRESSION_COALESCE:
        worded(deparse, "COALESCE", expression);
        return;
    case EXPRESSION_GREATEST:
        worded(deparse, "GREATEST", expression);
        return;
    case EXPRESSION_LEAST:
        worded(deparse, "LEAST", expression);
        return;
    case EXPRESSION_GROUPING:
        worded(deparse, "GROUPING", expression);
        return;
    case EXPRESSION_ROW:
        worded(deparse, "ROW", expression);
        return;
    case EXPRESSION_ANY:
    case EXPRESSION_ALL:
        any_or_all(deparse, expression);
        return;
    case EXPRESSION_IN_LIST:
        in_list(deparse, expression, false);
        return;
    case EXPRESSION_ARRAY:
        array(deparse, expression);
        return;
    case EXPRESSION_ROW_COMPARE:
        row_compare(deparse, expression);
        return;
    case EXPRESSION_FIELD:
        field(deparse, expression);
        return;
    case EXPRESSION_SUBSCRIPT:
        subscript(deparse, expression);
        return;
    case EXPRESSION_TIME:
        time_of(deparse, expression);
        return;
    case EXPRESSION_SUBQUERY:
        subquery(deparse, expression);
        return;
    default:
        failed_with(deparse, error_set(deparse->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                       "an expression of this kind cannot be written as text"));
    }
}

void deparse_expression(struct deparse *deparse, const struct expression *expression, bool shown)
{
    write(deparse, expression, shown);
}

enum sqlstate expression_deparse(struct catalog_view *view, struct scope *scope,
                                 const struct expression *expression, const struct query *query,
                                 bool qualified, const char **text, struct error *error)
{
    struct deparse_level level = {.query = query};
    struct deparse deparse = {.view = view,
                              .scope = scope,
                              .text = text_in(scope),
                              .error = error,
                              .qualified = qualified,
                              .level = query ? &level : NULL};
    write(&deparse, expression, false);
    return deparse.failed ? deparse.failed : text_end(&deparse.text, text, error);
}
