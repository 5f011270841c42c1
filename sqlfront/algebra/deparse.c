/* Expressions as text, as PostgreSQL's ruleutils writes them: clients parse what pg_get_expr() and its kind give, and dumps are
 * read back. */
#include "sqlfront/algebra/writer.h"
#include "sqlfront/catalog/names.h"

#include <stdlib.h>

/* ---- words ---- */

static void trim_blanks(struct text *text)
{
    while (text->size > 0 && text->data[text->size - 1] == ' ')
        text->data[--text->size] = 0;
}

#define INDENT_MAX 40 /* ruleutils begins anew beyond */

void write_keyword(struct deparser *writer, const char *keyword, int before, int after, int plus)
{
    writer->indent += before;
    trim_blanks(writer->text);
    int amount;
    if (writer->indent < INDENT_MAX) {
        amount = (writer->indent > 0 ? writer->indent : 0) + plus;
    } else {
        amount = INDENT_MAX + (writer->indent - INDENT_MAX) / (INDENT_STANDARD / 2);
        amount = amount % INDENT_MAX + plus;
    }
    text_format(writer->text, "\n%*s%s", amount, "", keyword);
    writer->indent += after;
    if (writer->indent < 0)
        writer->indent = 0;
}

void write_name(struct deparser *writer, const char *name)
{
    text_append(writer->text, identifier(writer->scope, name));
}

/* The schema of a type of the user's own, unless the search path finds it. */
static void write_type_schema(struct deparser *writer, const struct type *type)
{
    const struct type *element = NULL, *found = NULL;
    const char *schema = NULL;
    if (!writer->view || writer->failed)
        return;
    if (type->category == 'A' && type->element)
        writer->failed = catalog_type_by_oid(writer->view, type->element, &element, writer->error);
    if (element)
        type = element;
    if (writer->failed || type->oid < OID_USER_FIRST || !type->name)
        return;
    if (!writer->stored)
        writer->failed = catalog_type(writer->view, NULL, type->name, &found, writer->error);
    if (writer->failed || (found && found->oid == type->oid))
        return;
    writer->failed = type_schema(writer->view, writer->scope, type->oid, &schema, writer->error);
    if (!writer->failed && schema)
        text_format(writer->text, "%s.", identifier(writer->scope, schema));
}

void write_type(struct deparser *writer, const struct type *type, int32_t modifier)
{
    write_type_schema(writer, type);
    text_append(writer->text, type_text(writer->view, writer->scope, type, true, modifier));
}

static bool schema_is_searched(const struct deparser *writer, uint32_t schema)
{
    if (schema == SCHEMA_PG_CATALOG || !writer->view)
        return true;
    if (writer->stored)
        return false;
    const struct catalog_session *session = catalog_view_session(writer->view);
    for (uint32_t i = 0; i < session->search_path_count; i++)
        if (session->search_path[i] == schema)
            return true;
    return false;
}

void write_procedure_name(struct deparser *writer, const struct procedure *procedure)
{
    const char *schema = NULL;
    if (!schema_is_searched(writer, procedure->schema) && !writer->failed) {
        writer->failed =
            catalog_schema_name(writer->view, writer->scope, procedure->schema, &schema, writer->error);
        if (!writer->failed && schema)
            text_format(writer->text, "%s.", identifier(writer->scope, schema));
    }
    write_name(writer, procedure->name);
}

/* ---- constants ---- */

static void write_quoted(struct deparser *writer, struct bytes value)
{
    struct text *text = writer->text;
    text_append(text, "'");
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '\'')
            text_bytes(text, bytes_of(&value.data[i], 1));
        text_bytes(text, bytes_of(&value.data[i], 1));
    }
    text_append(text, "'");
}

static bool looks_like_numeric(struct bytes value)
{
    if (value.size == 0 || value.data[0] < '0' || value.data[0] > '9')
        return false;
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] == 'e' || value.data[i] == 'E' || value.data[i] == '.')
            return true;
    return false;
}

/* show_type: -1 never, 0 where it would not be known, 1 always. */
void write_constant(struct deparser *writer, const struct expression *constant, int show_type)
{
    const struct type *type = constant->type;
    bool label = true;
    struct bytes shown = {0};
    if (constant->constant.null) {
        text_append(writer->text, "NULL");
        if (show_type >= 0) {
            text_append(writer->text, "::");
            write_type(writer, type, constant->modifier);
        }
        return;
    }
    if (type->oid == TYPE_UNKNOWN) {
        shown = value_view(&constant->constant);
    } else if (type->oid == TYPE_REGCLASS && writer->stored) { /* by number: renames do it no harm */
        struct text number = text_in(writer->scope);
        const char *digits = "";
        text_format(&number, "%u", (uint32_t)constant->constant.i);
        writer->failed = text_end(&number, &digits, writer->error);
        shown = bytes_of(digits, strlen(digits));
    } else {
        struct environment environment = {.type_find = catalog_type_find, .catalog = writer->view};
        if (type->ops->out(&environment, writer->scope, type, &constant->constant, &shown, writer->error)) {
            writer->failed = writer->error->state;
            return;
        }
    }
    switch (type->oid) {
    case TYPE_INT4:
        label = shown.size && shown.data[0] == '-';
        if (label)
            write_quoted(writer, shown);
        else
            text_bytes(writer->text, shown);
        break;
    case TYPE_NUMERIC:
        label = !looks_like_numeric(shown);
        if (label)
            write_quoted(writer, shown);
        else
            text_bytes(writer->text, shown);
        label |= constant->modifier >= 0;
        break;
    case TYPE_BOOL:
        label = false;
        text_append(writer->text, constant->constant.i ? "true" : "false");
        break;
    case TYPE_BIT:
    case TYPE_VARBIT:
        text_append(writer->text, "B'");
        text_bytes(writer->text, shown);
        text_append(writer->text, "'");
        break;
    case TYPE_UNKNOWN:
        label = false;
        write_quoted(writer, shown);
        break;
    default:
        write_quoted(writer, shown);
        break;
    }
    if (show_type < 0 || (!label && show_type == 0))
        return;
    text_append(writer->text, "::");
    write_type(writer, type, constant->modifier);
}

/* ---- columns ---- */

static const struct writing *writing_at(const struct deparser *writer, uint32_t level)
{
    const struct writing *writing = writer->writing;
    while (level-- && writing)
        writing = writing->above;
    return writing;
}

const char *system_column_name(int32_t number)
{
    switch (number) {
    case SYSTEM_CTID:
        return "ctid";
    case SYSTEM_XMIN:
        return "xmin";
    case SYSTEM_CMIN:
        return "cmin";
    case SYSTEM_XMAX:
        return "xmax";
    case SYSTEM_CMAX:
        return "cmax";
    default:
        return "tableoid";
    }
}

static void write_column(struct deparser *writer, const struct expression *column)
{
    const struct writing *writing = writing_at(writer, column->level);
    if (!writing || !writing->query || column->range >= writing->query->ranges) {
        text_format(writer->text, "?");
        return;
    }
    const struct range *range = &writing->query->range[column->range];
    const char *name = writing->names ? writing->names[column->range] : range->name;
    if (column->kind == EXPRESSION_WHOLE_ROW) {
        write_name(writer, name ? name : "?");
        text_append(writer->text, ".*");
        return;
    }
    if (writer->qualified && name && (range->kind != RANGE_JOIN || range->alias)) {
        write_name(writer, name);
        text_append(writer->text, ".");
    }
    if (column->kind == EXPRESSION_SYSTEM_COLUMN)
        text_append(writer->text, system_column_name(column->number));
    else
        write_name(writer,
                   (uint32_t)column->number <= range->columns && range->column[column->number - 1].name
                       ? range->column[column->number - 1].name
                       : "?dropped?column?");
}

/* ---- calls ---- */

const struct expression *without_implicit_casts(const struct expression *expression)
{
    while (expression->cast_form && expression->cast_implicit && expression->arguments)
        expression = expression->argument[0];
    return expression;
}

void write_bare(struct deparser *writer, const struct expression *expression)
{
    write_expression(writer, without_implicit_casts(expression));
}

void write_list(struct deparser *writer, struct expression *const *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_append(writer->text, i ? ", " : "");
        write_expression(writer, list[i]);
    }
}

/* x::type; the modifier of a length coercion is in its second argument. */
static void write_cast(struct deparser *writer, const struct expression *cast)
{
    const struct expression *argument = cast->argument[0];
    if (argument->kind == EXPRESSION_CONSTANT && argument->type->oid == cast->type->oid &&
        argument->modifier == -1) {
        write_constant(writer, argument, -1);
    } else {
        text_append(writer->text, writer->pretty ? "" : "(");
        write_operand(writer, argument, true, cast);
        text_append(writer->text, writer->pretty ? "" : ")");
    }
    text_append(writer->text, "::");
    write_type(writer, cast->type, cast->modifier);
}

static void write_operator(struct deparser *writer, const struct operator* operator)
{
    const char *schema = NULL;
    if (schema_is_searched(writer, operator->schema)) {
        text_append(writer->text, operator->name);
        return;
    }
    writer->failed =
        catalog_schema_name(writer->view, writer->scope, operator->schema, &schema, writer->error);
    text_format(writer->text, "OPERATOR(%s.%s)",
                schema ? identifier(writer->scope, schema) : "?", operator->name);
}

static void write_operator_call(struct deparser *writer, const struct expression *call)
{
    text_append(writer->text, writer->pretty ? "" : "(");
    if (call->arguments == 1) {
        write_operator(writer, call->operator);
        text_append(writer->text, " ");
        write_operand(writer, call->argument[0], false, call);
    } else {
        write_operand(writer, call->argument[0], false, call);
        text_append(writer->text, " ");
        write_operator(writer, call->operator);
        text_append(writer->text, " ");
        write_operand(writer, call->argument[1], false, call);
    }
    text_append(writer->text, writer->pretty ? "" : ")");
}

static void write_pair(struct deparser *writer, const char *before, const struct expression *first,
                       const char *between, const struct expression *second, const char *after)
{
    text_append(writer->text, before);
    write_expression(writer, first);
    text_append(writer->text, between);
    if (second)
        write_expression(writer, second);
    text_append(writer->text, after);
}

/* EXTRACT, AT TIME ZONE and others that the grammar turned into calls. False: an ordinary call after all. */
static bool write_syntax(struct deparser *writer, const struct expression *call)
{
    const struct expression *argument[4] = {NULL};
    const char *name = call->procedure->name;
    if (call->arguments > 4)
        return false;
    for (uint32_t i = 0; i < call->arguments; i++)
        argument[i] = without_implicit_casts(call->argument[i]);
    if (strcmp(name, "timezone") == 0 && call->arguments == 2) {
        write_pair(writer, "(", argument[1], " AT TIME ZONE ", argument[0], ")");
    } else if (strcmp(name, "extract") == 0 && argument[0]->kind == EXPRESSION_CONSTANT) {
        text_append(writer->text, "EXTRACT(");
        text_bytes(writer->text, value_view(&argument[0]->constant));
        write_pair(writer, " FROM ", argument[1], ")", NULL, "");
    } else if (strcmp(name, "overlaps") == 0) {
        write_pair(writer, "((", argument[0], ", ", argument[1], ") OVERLAPS (");
        write_pair(writer, "", argument[2], ", ", argument[3], "))");
    } else if (strcmp(name, "position") == 0) {
        write_pair(writer, "POSITION((", argument[1], ") IN (", argument[0], "))");
    } else if (strcmp(name, "substring") == 0 && call->arguments >= 2 &&
               (call->arguments == 3 || argument[1]->type->oid == TYPE_INT4)) {
        write_pair(writer, "SUBSTRING(", argument[0],
                   argument[1]->type->oid == TYPE_INT4 ? " FROM " : " SIMILAR ", argument[1], "");
        if (argument[1]->type->oid == TYPE_INT4 && call->arguments == 3)
            write_pair(writer, " FOR ", argument[2], "", NULL, "");
        else if (call->arguments == 3)
            write_pair(writer, " ESCAPE ", argument[2], "", NULL, "");
        text_append(writer->text, ")");
    } else if (strcmp(name, "overlay") == 0) {
        write_pair(writer, "OVERLAY(", argument[0], " PLACING ", argument[1], " FROM ");
        write_expression(writer, argument[2]);
        if (call->arguments == 4)
            write_pair(writer, " FOR ", argument[3], "", NULL, "");
        text_append(writer->text, ")");
    } else if (strcmp(name, "btrim") == 0 || strcmp(name, "ltrim") == 0 || strcmp(name, "rtrim") == 0) {
        text_append(writer->text, *name == 'b'   ? "TRIM(BOTH"
                                  : *name == 'l' ? "TRIM(LEADING"
                                                 : "TRIM(TRAILING");
        if (call->arguments == 2)
            write_pair(writer, " ", argument[1], "", NULL, "");
        write_pair(writer, " FROM ", argument[0], ")", NULL, "");
    } else if (strcmp(name, "xmlexists") == 0 || strcmp(name, "pg_collation_for") == 0) {
        write_pair(writer, "COLLATION FOR (", argument[0], ")", NULL, "");
    } else {
        return false;
    }
    return true;
}

static void write_call(struct deparser *writer, const struct expression *call)
{
    if (call->operator_form && call->operator) {
        write_operator_call(writer, call);
        return;
    }
    if (call->cast_form) {
        write_cast(writer, call);
        return;
    }
    if (call->name) {
        text_append(writer->text, call->name);
        return;
    }
    if (call->syntax_form && write_syntax(writer, call))
        return;
    write_procedure_name(writer, call->procedure);
    text_append(writer->text, "(");
    uint32_t written = call->arguments - (uint32_t)call->number; /* the rest are defaults */
    for (uint32_t i = 0; i < written; i++) {
        text_append(writer->text, i ? ", " : "");
        bool one_type = call->procedure->variadic && call->procedure->variadic != TYPE_ANY;
        if (i + 1 == call->arguments && (one_type || call->nested))
            text_append(writer->text, "VARIADIC ");
        write_expression(writer, call->argument[i]);
    }
    text_append(writer->text, ")");
}

static void write_aggregate(struct deparser *writer, const struct expression *call)
{
    bool within = call->procedure->kind == 'a' && call->procedure->aggregate_kind != 'n' &&
                  call->procedure->aggregate_kind;
    uint32_t direct = within ? call->arguments - call->orders : call->arguments;
    const struct query *query = writer->writing ? writer->writing->query : NULL;
    write_procedure_name(writer, call->procedure);
    text_append(writer->text, "(");
    if (call->distinct)
        text_append(writer->text, "DISTINCT ");
    if (call->star)
        text_append(writer->text, "*");
    write_list(writer, call->argument, direct);
    if (!within && call->orders) {
        text_append(writer->text, " ORDER BY ");
        write_order(writer, query, call->order, call->orders);
    }
    text_append(writer->text, ")");
    if (within) {
        text_append(writer->text, " WITHIN GROUP (ORDER BY ");
        write_order(writer, query, call->order, call->orders);
        text_append(writer->text, ")");
    }
    if (call->filter)
        write_pair(writer, " FILTER (WHERE ", without_implicit_casts(call->filter), ")", NULL, "");
    if (call->kind != EXPRESSION_WINDOW)
        return;
    text_append(writer->text, " OVER ");
    const struct window *window = query ? &query->window[call->window] : NULL;
    if (window && window->name)
        write_name(writer, window->name);
    else if (window)
        write_window(writer, window);
}

/* ---- the other kinds ---- */

static void write_boolean(struct deparser *writer, const struct expression *node)
{
    text_append(writer->text, writer->pretty ? "" : "(");
    if (node->kind == EXPRESSION_NOT)
        text_append(writer->text, "NOT ");
    for (uint32_t i = 0; i < node->arguments; i++) {
        text_append(writer->text, i == 0 ? "" : node->kind == EXPRESSION_AND ? " AND " : " OR ");
        write_operand(writer, node->argument[i], true, node);
    }
    text_append(writer->text, writer->pretty ? "" : ")");
}

static void write_test(struct deparser *writer, const struct expression *node)
{
    static const char *const tests[] = {
        [TEST_NULL] = " IS NULL",       [TEST_NOT_NULL] = " IS NOT NULL",
        [TEST_TRUE] = " IS TRUE",       [TEST_NOT_TRUE] = " IS NOT TRUE",
        [TEST_FALSE] = " IS FALSE",     [TEST_NOT_FALSE] = " IS NOT FALSE",
        [TEST_UNKNOWN] = " IS UNKNOWN", [TEST_NOT_UNKNOWN] = " IS NOT UNKNOWN",
    };
    const struct expression *argument = node->argument[0];
    text_append(writer->text, writer->pretty ? "" : "(");
    write_operand(writer, argument, node->test > TEST_NOT_NULL, node);
    text_format(writer->text, "%s%s", tests[node->test], writer->pretty ? "" : ")");
}

static void write_case(struct deparser *writer, const struct expression *node)
{
    const struct expression *before = writer->subject_of;
    write_keyword(writer, "CASE", 0, INDENT_VARIABLE, 0);
    if (node->subject)
        write_pair(writer, " ", node->subject, "", NULL, "");
    for (uint32_t i = 0; i + 1 < node->arguments; i += 2) {
        const struct expression *condition = node->argument[i];
        write_keyword(writer, "WHEN ", 0, 0, 0);
        const struct expression *compared = without_implicit_casts(condition);
        if (node->subject && compared->operator_form && compared->arguments == 2)
            write_expression(writer, compared->argument[1]);
        else
            write_bare(writer, condition);
        write_pair(writer, " THEN ", node->argument[i + 1], "", NULL, "");
    }
    write_keyword(writer, "ELSE ", 0, 0, 0);
    write_expression(writer, node->argument[node->arguments - 1]);
    write_keyword(writer, "END", -INDENT_VARIABLE, 0, 0);
    writer->subject_of = before;
}

static void write_in_list(struct deparser *writer, const struct expression *node, bool negated)
{
    text_append(writer->text, writer->pretty ? "" : "(");
    write_operand(writer, node->argument[0], false, node);
    text_append(writer->text, negated ? " <> ALL (ARRAY[" : " = ANY (ARRAY[");
    write_list(writer, node->argument + 1, node->arguments - 1);
    text_append(writer->text, writer->pretty ? "])" : "]))");
}

static void write_array_operator(struct deparser *writer, const struct expression *node)
{
    text_append(writer->text, writer->pretty ? "" : "(");
    write_operand(writer, node->argument[0], false, node);
    text_append(writer->text, " ");
    write_operator(writer, node->operator);
    text_append(writer->text, node->kind == EXPRESSION_ANY ? " ANY (" : " ALL (");
    write_operand(writer, node->argument[1], false, node);
    text_append(writer->text, writer->pretty ? ")" : "))");
}

static void write_row_compare(struct deparser *writer, const struct expression *node)
{
    uint32_t half = node->arguments / 2;
    text_append(writer->text, "(ROW(");
    write_list(writer, node->argument, half);
    text_format(writer->text, ") %s ROW(", node->operator->name);
    write_list(writer, node->argument + half, half);
    text_append(writer->text, "))");
}

static void write_subscript(struct deparser *writer, const struct expression *node)
{
    uint32_t end = node->kind == EXPRESSION_ASSIGN_SUBSCRIPT ? node->arguments - 1 : node->arguments;
    bool plain = node->argument[0]->kind == EXPRESSION_COLUMN || node->argument[0]->kind == EXPRESSION_FIELD;
    write_pair(writer, plain ? "" : "(", node->argument[0], plain ? "" : ")", NULL, "");
    for (uint32_t i = 1; i < end; i += node->slice ? 2 : 1) {
        text_append(writer->text, "[");
        if (node->slice) {
            if (node->argument[i])
                write_bare(writer, node->argument[i]);
            text_append(writer->text, ":");
        }
        const struct expression *upper = node->argument[node->slice ? i + 1 : i];
        if (upper)
            write_bare(writer, upper);
        text_append(writer->text, "]");
    }
}

static void write_field(struct deparser *writer, const struct expression *node)
{
    const struct expression *record = node->argument[0];
    bool plain = record->kind == EXPRESSION_FIELD || record->kind == EXPRESSION_SUBSCRIPT;
    write_pair(writer, plain ? "" : "(", record, plain ? "" : ")", NULL, ".");
    const struct row_field *fields = record->type->fields;
    write_name(writer, fields && fields[node->number - 1].name ? fields[node->number - 1].name : "?column?");
}

static void write_time(struct deparser *writer, const struct expression *node)
{
    static const char *const names[] = {
        [TIME_CURRENT_DATE] = "CURRENT_DATE",           [TIME_CURRENT_TIME] = "CURRENT_TIME",
        [TIME_CURRENT_TIMESTAMP] = "CURRENT_TIMESTAMP", [TIME_LOCALTIME] = "LOCALTIME",
        [TIME_LOCALTIMESTAMP] = "LOCALTIMESTAMP",
    };
    text_append(writer->text, names[node->number]);
    if (node->modifier >= 0)
        text_format(writer->text, "(%d)", node->modifier);
}

static void write_array(struct deparser *writer, const struct expression *node)
{
    text_append(writer->text, "ARRAY[");
    write_list(writer, node->argument, node->arguments);
    text_append(writer->text, "]");
    if (node->arguments == 0) {
        text_append(writer->text, "::");
        write_type(writer, node->type, -1);
    }
}

/* ---- subqueries ---- */

/* The left side of x IN (SELECT ...), or (x, y) IN; and its operator. */
static const char *write_tested(struct deparser *writer, const struct expression *node)
{
    const struct expression *test = node->test_expression;
    const struct operator* operator= test->operator;
    if (test->kind == EXPRESSION_CALL) {
        write_expression(writer, test->argument[0]);
    } else {
        text_append(writer->text, "(");
        uint32_t count = test->kind == EXPRESSION_ROW_COMPARE ? test->arguments / 2 : test->arguments;
        for (uint32_t i = 0; i < count; i++) {
            const struct expression *one = test->argument[i];
            text_append(writer->text, i ? ", " : "");
            write_expression(writer, test->kind == EXPRESSION_ROW_COMPARE ? one : one->argument[0]);
            if (test->kind != EXPRESSION_ROW_COMPARE)
                operator= one->operator;
        }
        text_append(writer->text, ")");
    }
    return operator? operator->name : "=";
}

static void write_subquery(struct deparser *writer, const struct expression *node)
{
    struct text *text = writer->text;
    bool inner = true;
    text_append(text, node->subquery_kind == SUBQUERY_ARRAY ? "ARRAY(" : "(");
    if (node->subquery_kind == SUBQUERY_EXISTS) {
        text_append(text, "EXISTS ");
    } else if (node->test_expression) {
        const char *name = write_tested(writer, node);
        if (node->subquery_kind == SUBQUERY_ANY && strcmp(name, "=") == 0)
            text_append(text, " IN ");
        else
            text_format(text, " %s %s ", name, node->subquery_kind == SUBQUERY_ANY ? "ANY" : "ALL");
    } else {
        inner = false;
    }
    text_append(text, inner ? "(" : "");
    bool qualified = writer->qualified;
    int indent = writer->indent;
    write_query(writer, node->query, false, NULL);
    writer->indent = indent;
    writer->qualified = qualified;
    text_append(text, inner ? "))" : ")");
}

void write_expression(struct deparser *writer, const struct expression *node)
{
    struct text *text = writer->text;
    if (writer->failed)
        return;
    if (node->written)
        node = node->written;
    switch (node->kind) {
    case EXPRESSION_CONSTANT:
        write_constant(writer, node, 0);
        break;
    case EXPRESSION_COLUMN:
    case EXPRESSION_WHOLE_ROW:
    case EXPRESSION_SYSTEM_COLUMN:
        write_column(writer, node);
        break;
    case EXPRESSION_PARAMETER:
        text_format(text, "$%d", node->number);
        break;
    case EXPRESSION_CALL:
    case EXPRESSION_SET_CALL:
        write_call(writer, node);
        break;
    case EXPRESSION_AGGREGATE:
    case EXPRESSION_WINDOW:
        write_aggregate(writer, node);
        break;
    case EXPRESSION_NOT:
        if (node->argument[0]->kind == EXPRESSION_IN_LIST) {
            write_in_list(writer, node->argument[0], true);
            break;
        }
        write_boolean(writer, node);
        break;
    case EXPRESSION_AND:
    case EXPRESSION_OR:
        write_boolean(writer, node);
        break;
    case EXPRESSION_TEST:
        write_test(writer, node);
        break;
    case EXPRESSION_DISTINCT:
        text_append(text, writer->pretty ? "" : "(");
        text_append(text, !node->distinct_not ? "" : writer->pretty ? "NOT " : "NOT (");
        write_operand(writer, node->argument[0], false, node);
        text_append(text, " IS DISTINCT FROM ");
        write_operand(writer, node->argument[1], false, node);
        text_append(text, writer->pretty ? "" : node->distinct_not ? "))" : ")");
        break;
    case EXPRESSION_NULLIF:
        write_pair(writer, "NULLIF(", node->argument[0], ", ", node->argument[1], ")");
        break;
    case EXPRESSION_CASE:
        write_case(writer, node);
        break;
    case EXPRESSION_CASE_VALUE:
        text_append(text, "CASE_TEST_EXPR");
        break;
    case EXPRESSION_COALESCE:
    case EXPRESSION_GREATEST:
    case EXPRESSION_LEAST:
    case EXPRESSION_GROUPING:
        text_append(text, node->kind == EXPRESSION_COALESCE   ? "COALESCE("
                          : node->kind == EXPRESSION_GREATEST ? "GREATEST("
                          : node->kind == EXPRESSION_LEAST    ? "LEAST("
                                                              : "GROUPING(");
        write_list(writer, node->argument, node->arguments);
        text_append(text, ")");
        break;
    case EXPRESSION_ANY:
    case EXPRESSION_ALL:
        write_array_operator(writer, node);
        break;
    case EXPRESSION_IN_LIST:
        write_in_list(writer, node, false);
        break;
    case EXPRESSION_SUBQUERY:
        write_subquery(writer, node);
        break;
    case EXPRESSION_ARRAY:
        write_array(writer, node);
        break;
    case EXPRESSION_ROW:
        text_append(text, "ROW(");
        write_list(writer, node->argument, node->arguments);
        text_append(text, ")");
        if (node->cast_form && !node->cast_implicit) {
            text_append(text, "::");
            write_type(writer, node->type, -1);
        }
        break;
    case EXPRESSION_ROW_COMPARE:
        write_row_compare(writer, node);
        break;
    case EXPRESSION_FIELD:
        write_field(writer, node);
        break;
    case EXPRESSION_SUBSCRIPT:
    case EXPRESSION_ASSIGN_SUBSCRIPT:
        write_subscript(writer, node);
        break;
    case EXPRESSION_CAST_TEXT:
    case EXPRESSION_CAST_ARRAY:
    case EXPRESSION_RELABEL:
        if (!node->cast_form) {
            text_append(text, writer->pretty ? "" : "(");
            write_operand(writer, node->argument[0], false, node);
            text_append(text, node->collation == 950   ? " COLLATE \"C\""
                              : node->collation == 951 ? " COLLATE \"POSIX\""
                                                       : " COLLATE \"default\"");
            text_append(text, writer->pretty ? "" : ")");
        } else
            write_cast(writer, node);
        break;
    case EXPRESSION_TIME:
        write_time(writer, node);
        break;
    case EXPRESSION_DEFAULT:
        text_append(text, "DEFAULT");
        break;
    case EXPRESSION_CURRENT_OF:
        text_format(text, "CURRENT OF %s", identifier(writer->scope, node->name));
        break;
    default:
        text_append(text, "?");
        break;
    }
}

enum sqlstate expression_deparse(struct catalog_view *view, struct scope *scope,
                                 const struct expression *expression, const struct query *query,
                                 bool qualified, unsigned flags, const char **text, struct error *error)
{
    struct text whole = text_in(scope);
    struct writing writing = {.query = query};
    struct deparser writer = {.text = &whole,
                              .scope = scope,
                              .view = view,
                              .error = error,
                              .writing = &writing,
                              .stored = flags & DEPARSE_STORED,
                              .pretty = flags & DEPARSE_PRETTY,
                              .qualified = qualified};
    write_bare(&writer, expression);
    return writer.failed ? writer.failed : text_end(&whole, text, error);
}
