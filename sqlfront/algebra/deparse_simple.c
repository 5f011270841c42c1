/* Which operands need no parentheses in the pretty form: isSimpleNode() of ruleutils, case for case. */
#include "sqlfront/algebra/writer.h"

static bool is_boolean(const struct expression *node)
{
    return node->kind == EXPRESSION_AND || node->kind == EXPRESSION_OR || node->kind == EXPRESSION_NOT;
}

static bool is_operator(const struct expression *node)
{
    return node->kind == EXPRESSION_CALL && node->operator_form && node->operator;
}

/* What encloses its arguments itself: a call, ARRAY[], CASE and their like. */
static bool encloses(const struct expression *parent)
{
    switch (parent->kind) {
    case EXPRESSION_CALL:
    case EXPRESSION_SET_CALL:
        return !is_operator(parent) && !parent->cast_form && !parent->syntax_form;
    case EXPRESSION_ARRAY:
    case EXPRESSION_ROW:
    case EXPRESSION_COALESCE:
    case EXPRESSION_GREATEST:
    case EXPRESSION_LEAST:
    case EXPRESSION_NULLIF:
    case EXPRESSION_AGGREGATE:
    case EXPRESSION_GROUPING:
    case EXPRESSION_WINDOW:
    case EXPRESSION_CASE:
    case EXPRESSION_SUBSCRIPT:
    case EXPRESSION_ASSIGN_SUBSCRIPT:
        return true;
    default:
        return false;
    }
}

/* 1: + and -; 2: *, / and %; 0: of the others nothing is known. */
static int priority(const struct expression *node)
{
    if (node->arguments != 2 || !node->operator->name[0] || node->operator->name[1])
        return 0;
    return strchr("+-", *node->operator->name) ? 1 : strchr("*/%", *node->operator->name) ? 2 : 0;
}

static bool operator_is_simple(const struct expression *node, const struct expression *parent)
{
    int own = priority(node), above = priority(parent);
    if (!own || !above)
        return false;
    if (own != above)
        return own > above;
    return node == parent->argument[0]; /* (a - b) - c, but not a - (b - c) */
}

static bool is_simple(const struct expression *node, const struct expression *parent)
{
    if (node->written)
        node = node->written;
    switch (node->kind) {
    case EXPRESSION_COLUMN:
    case EXPRESSION_WHOLE_ROW:
    case EXPRESSION_SYSTEM_COLUMN:
    case EXPRESSION_CONSTANT:
    case EXPRESSION_PARAMETER:
    case EXPRESSION_CASE_VALUE:
    case EXPRESSION_DEFAULT:
    case EXPRESSION_CURRENT_OF:
    case EXPRESSION_SUBSCRIPT:
    case EXPRESSION_ASSIGN_SUBSCRIPT:
    case EXPRESSION_ARRAY:
    case EXPRESSION_ROW:
    case EXPRESSION_COALESCE:
    case EXPRESSION_GREATEST:
    case EXPRESSION_LEAST:
    case EXPRESSION_NULLIF:
    case EXPRESSION_TIME:
    case EXPRESSION_AGGREGATE:
    case EXPRESSION_GROUPING:
    case EXPRESSION_WINDOW:
    case EXPRESSION_SET_CALL:
    case EXPRESSION_CASE:
        return true;
    case EXPRESSION_FIELD:
        return parent->kind != EXPRESSION_FIELD;
    case EXPRESSION_RELABEL:
    case EXPRESSION_CAST_TEXT:
    case EXPRESSION_CAST_ARRAY:
        return node->cast_form && is_simple(node->argument[0], node);
    case EXPRESSION_CALL:
        if (!is_operator(node))
            return true;
        if (is_operator(parent))
            return operator_is_simple(node, parent);
        return is_boolean(parent) || encloses(parent);
    case EXPRESSION_DISTINCT:
        if (node->distinct_not) /* NOT (a IS DISTINCT FROM b) */
            return parent->kind == EXPRESSION_AND || parent->kind == EXPRESSION_OR || encloses(parent);
        return is_boolean(parent) || encloses(parent);
    case EXPRESSION_SUBQUERY:
    case EXPRESSION_TEST:
        return is_boolean(parent) || encloses(parent);
    case EXPRESSION_NOT:
        if (node->argument[0]->kind == EXPRESSION_IN_LIST) /* written <> ALL */
            return false;
        return parent->kind == EXPRESSION_AND || parent->kind == EXPRESSION_OR || encloses(parent);
    case EXPRESSION_AND:
        return parent->kind == EXPRESSION_AND || parent->kind == EXPRESSION_OR || encloses(parent);
    case EXPRESSION_OR:
        return parent->kind == EXPRESSION_OR || encloses(parent);
    default:
        return false;
    }
}

void write_operand(struct deparser *writer, const struct expression *expression, bool bare,
                   const struct expression *parent)
{
    bool parens = writer->pretty && !is_simple(expression, parent);
    text_append(writer->text, parens ? "(" : "");
    if (bare)
        write_bare(writer, expression);
    else
        write_expression(writer, expression);
    text_append(writer->text, parens ? ")" : "");
}
