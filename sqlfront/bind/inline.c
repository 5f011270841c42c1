/* SQL functions are bound, not called: the body's query stands in the call's place with the arguments in it. A body that is
 * one expression becomes that expression; any other becomes a subquery. */
#include "sqlfront/bind/binder.h"

#include <strings.h>

/* An argument that may be written down several times: nothing that runs twice would cost or change anything. */
static bool may_repeat(const struct expression *argument)
{
    return argument->kind == EXPRESSION_CONSTANT || argument->kind == EXPRESSION_COLUMN ||
           argument->kind == EXPRESSION_PARAMETER ||
           !(expression_facts(argument) & (FACT_VOLATILE | FACT_SUBQUERY | FACT_AGGREGATE | FACT_WINDOW));
}

static struct binder *body_binder(struct level *level, const struct procedure *procedure,
                                  struct expression **arguments)
{
    struct binder *binder = level->binder, *inner = memory(binder, sizeof *inner);
    struct binder_request *request = memory(binder, sizeof *request);
    *request = *binder->request;
    request->text = NULL;
    request->parameters = 0;
    request->parameter_types = NULL;
    request->parameters_fixed = true;
    *inner = *binder;
    inner->request = request;
    inner->text = NULL;
    inner->depth++;
    inner->body_of = procedure;
    inner->body_arguments = arguments;
    inner->body_uses = memory(binder, (procedure->arguments + 1) * sizeof *inner->body_uses);
    return inner;
}

/* RETURN x, as new-style bodies are shown, is SELECT x. */
static const SelectStmt *body_parse(struct level *level, const struct procedure *procedure)
{
    struct binder *binder = level->binder;
    struct text text = text_in(binder->scope);
    const char *source = procedure->source, *whole;
    struct parsed *parsed;
    while (*source == ' ' || *source == '\n' || *source == '\t' || *source == '\r')
        source++;
    if (strncasecmp(source, "RETURN ", 7) == 0)
        text_format(&text, "SELECT %s", source + 7);
    else if (strncasecmp(source, "BEGIN ATOMIC", 12) == 0)
        text_bytes(&text, bytes_of(source + 12, strlen(source) - 12 - (strlen(source) > 15 ? 3 : 0)));
    else
        text_append(&text, source);
    if (text_end(&text, &whole, binder->error) ||
        parse_text(binder->request->world, binder->scope, whole, &parsed, binder->error))
        return NULL;
    if (parsed->count != 1 || !IsA(parsed_statement(parsed, 0)->stmt, SelectStmt))
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1,
                    "SQL function \"%s\" is more than one SELECT, which is not supported", procedure->name);
    return (const SelectStmt *)parsed_statement(parsed, 0)->stmt;
}

static bool is_one_expression(const SelectStmt *select)
{
    return select->op == SETOP_NONE && !select->valuesLists && !select->fromClause && !select->whereClause &&
           !select->groupClause && !select->havingClause && !select->distinctClause &&
           !select->windowClause && !select->sortClause && !select->limitCount && !select->limitOffset &&
           !select->withClause && list_length(select->targetList) == 1;
}

static struct expression *body_result(struct level *level, struct expression *body,
                                      const struct expression *call)
{
    struct expression *to;
    if (!coerce_to_target(level, body, call->type, -1, COERCE_ASSIGN, FORM_IMPLICIT, -1, &to))
        return NULL;
    if (!to)
        return fail(level->binder, SQLSTATE_DATATYPE_MISMATCH, -1,
                    "return type mismatch in function declared to return %s",
                    type_name(level->binder, call->type));
    return to;
}

/* Whether the body gives null by itself when an argument is null: strict calls all the way down to it. */
static bool gives_null(const struct expression *body, const struct expression *argument)
{
    if (body == argument || expression_equal(body, argument))
        return true;
    bool passes = (body->kind == EXPRESSION_CALL && body->procedure->strict) ||
                  body->kind == EXPRESSION_RELABEL || body->kind == EXPRESSION_CAST_TEXT;
    for (uint32_t i = 0; passes && i < body->arguments; i++)
        if (gives_null(body->argument[i], argument))
            return true;
    return false;
}

/* A strict function gives null for a null argument before its body is looked at. */
static struct expression *strict_guard(struct level *level, const struct expression *call,
                                       struct expression *body)
{
    struct binder *binder = level->binder;
    struct expression *any = NULL;
    for (uint32_t i = 0; call->procedure->strict && i < call->arguments; i++) {
        const struct expression *argument = call->argument[i];
        if ((argument->kind == EXPRESSION_CONSTANT && !argument->constant.null) || gives_null(body, argument))
            continue;
        struct expression *test = make(binder, EXPRESSION_TEST, builtin(TYPE_BOOL), -1);
        test->test = TEST_NULL;
        argument_add(binder, test, call->argument[i]);
        any = any ? make_boolean_list(binder, EXPRESSION_OR, any, test, -1) : test;
    }
    if (!any)
        return body;
    struct expression *made = make(binder, EXPRESSION_CASE, body->type, call->position);
    struct expression *null = make(binder, EXPRESSION_CONSTANT, body->type, -1);
    null->constant = value_null();
    made->modifier = body->modifier;
    argument_add(binder, made, any);
    argument_add(binder, made, null);
    argument_add(binder, made, body);
    return made;
}

/* $1 is seen from one query further down there. */
static struct expression *as_subquery(struct level *level, struct expression *call, const SelectStmt *select)
{
    struct binder *binder = level->binder;
    struct expression **arguments = memory(binder, (call->arguments + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < call->arguments; i++)
        arguments[i] = column_at_level(binder, call->argument[i], 1, call->argument[i]->position);
    struct binder *inner = body_binder(level, call->procedure, arguments);
    struct query *query = query_bind(inner, NULL, (const Node *)select, false);
    if (!query)
        return NULL;
    bool row = query_columns(query) != 1;
    if (row && (!type_is_composite(call->type) || !call->type->fields ||
                call->type->field_count != query_columns(query)))
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, call->position,
                    "return type mismatch in function declared to return %s", type_name(binder, call->type));
    if (!query->limit)
        query->limit = make_integer(binder, 1, TYPE_INT8);
    struct expression *made =
        make(binder, EXPRESSION_SUBQUERY, row ? call->type : query_column(query, 0)->expression->type,
             call->position);
    made->subquery_kind = row ? SUBQUERY_ROW : SUBQUERY_SCALAR;
    made->query = query;
    level->query->has_subqueries = true;
    return made;
}

struct expression *function_inline(struct level *level, struct expression *call)
{
    struct binder *binder = level->binder;
    if (binder->depth >= BIND_DEPTH_MAX)
        return fail(binder, SQLSTATE_STATEMENT_TOO_COMPLEX, call->position, "stack depth limit exceeded");
    const SelectStmt *select = body_parse(level, call->procedure);
    if (!select)
        return NULL;
    struct expression *body = NULL;
    if (is_one_expression(select)) {
        struct binder *inner = body_binder(level, call->procedure, call->argument);
        struct level *own = level_open(inner, NULL);
        const ResTarget *target = linitial(select->targetList);
        if (!(body = expression_bind(own, target->val, PLACE_OTHER)))
            return NULL;
        level->query->has_subqueries |= own->query->has_subqueries;
        for (uint32_t i = 0; body && i < call->arguments; i++)
            if (inner->body_uses[i] > 1 && !may_repeat(call->argument[i]))
                body = NULL;
    }
    if (!body)
        body = as_subquery(level, call, select);
    if (!body || !(body = body_result(level, body, call)))
        return NULL;
    body = strict_guard(level, call, body);
    struct expression *made = scope_copy(binder->scope, body, sizeof *made);
    made->written = call;
    return made;
}

/* ---- sets ---- */

/* The body's columns are of the types the function declares. */
static bool rows_typed(struct level *level, const struct expression *call, struct query *query)
{
    struct binder *binder = level->binder;
    bool composite = type_is_composite(call->type);
    uint32_t columns = query_columns(query), at = 0;
    if (composite && !call->type->fields)
        return true;
    if (columns != (composite ? call->type->field_count : 1)) {
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, call->position,
             "return type mismatch in function declared to return %s", type_name(binder, call->type));
        return false;
    }
    for (uint32_t i = 0; i < query->targets; i++) {
        struct target *target = &query->target[i];
        if (target->hidden)
            continue;
        const struct type *type = composite ? type_by_oid(binder, call->type->fields[at].type) : call->type;
        struct expression *to;
        if (!type ||
            !coerce_to_target(level, target->expression, type, -1, COERCE_ASSIGN, FORM_IMPLICIT, -1, &to))
            return false;
        if (!to) {
            fail(binder, SQLSTATE_DATATYPE_MISMATCH, call->position,
                 "return type mismatch in function declared to return %s", type_name(binder, call->type));
            return false;
        }
        target->expression = to;
        if (composite && call->type->fields[at].name)
            target->name = call->type->fields[at].name;
        at++;
    }
    return true;
}

/* A strict function has no rows for a null argument. */
static bool rows_strict(struct level *level, struct query *query, const struct expression *call,
                        struct expression *const *arguments)
{
    struct binder *binder = level->binder;
    for (uint32_t i = 0; call->procedure->strict && i < call->arguments; i++) {
        if (arguments[i]->kind == EXPRESSION_CONSTANT && !arguments[i]->constant.null)
            continue;
        if (query->set || query->groups || query->has_aggregates || query->limit) {
            fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, call->position,
                 "strict SQL function \"%s\" is not supported with these arguments", call->procedure->name);
            return false;
        }
        struct expression *test = make(binder, EXPRESSION_TEST, builtin(TYPE_BOOL), -1);
        test->test = TEST_NOT_NULL;
        argument_add(binder, test, arguments[i]);
        query->where = expression_and(binder->scope, query->where, test);
    }
    return true;
}

struct query *function_rows(struct level *level, const struct expression *call)
{
    struct binder *binder = level->binder;
    if (binder->depth >= BIND_DEPTH_MAX)
        return fail(binder, SQLSTATE_STATEMENT_TOO_COMPLEX, call->position, "stack depth limit exceeded");
    const SelectStmt *select = body_parse(level, call->procedure);
    if (!select)
        return NULL;
    struct expression **arguments = memory(binder, (call->arguments + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < call->arguments; i++)
        arguments[i] = column_at_level(binder, call->argument[i], 1, call->argument[i]->position);
    struct binder *inner = body_binder(level, call->procedure, arguments);
    struct query *query = query_bind(inner, NULL, (const Node *)select, false);
    return query && rows_typed(level, call, query) && rows_strict(level, query, call, arguments) ? query
                                                                                                 : NULL;
}

struct expression *function_rows_join(struct level *level, struct expression *call)
{
    struct binder *binder = level->binder;
    uint32_t range;
    /* Sets in one target list go side by side: the same call is the same set. */
    for (uint32_t i = 0; i < level->rows_calls; i++)
        if (expression_equal(level->rows_call[i], call))
            return type_is_composite(call->type)
                       ? space_whole(level, level->range_space[level->rows_range[i]], 0, call->position)
                       : column_at_level(binder, level->range_space[level->rows_range[i]]->column[0], 0,
                                         call->position);
    struct query *query = function_rows(level, call);
    if (!query || !range_subquery_add(level, query, NULL, true, &range))
        return NULL;
    level->query->range[range].name = call->procedure->name;
    struct space *space = space_add(level, range, false, false);
    level->rows_call = list_grow(binder, level->rows_call, level->rows_calls, sizeof(struct expression *));
    level->rows_range = list_grow(binder, level->rows_range, level->rows_calls, sizeof(uint32_t));
    level->rows_call[level->rows_calls] = call;
    level->rows_range[level->rows_calls++] = range;
    from_add(level, from_range(level, range));
    if (!type_is_composite(call->type))
        return column_at_level(binder, space->column[0], 0, call->position);
    return space_whole(level, space, 0, call->position);
}
