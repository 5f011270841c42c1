/* The doors: a statement, an expression, a type, a coercion. Each makes the binder of one call. */
#include "sqlfront/bind/binder.h"

static struct binder *binder_make(struct binder_request *request, struct error *error)
{
    struct binder *binder = scope_alloc_zeroed(request->scope, sizeof *binder);
    binder->request = request;
    binder->scope = request->scope;
    binder->view = request->view;
    binder->environment = request->environment;
    binder->error = error;
    binder->text = request->text;
    return binder;
}

/* What a failed call gives: never "fine", whatever was forgotten. */
static enum sqlstate failed(struct binder *binder)
{
    if (binder->error->state)
        return binder->error->state;
    return error_set(binder->error, SQLSTATE_INTERNAL_ERROR, "the statement could not be bound");
}

/* $n whose type nothing told. */
static bool parameters_known(struct binder *binder)
{
    struct binder_request *request = binder->request;
    for (uint32_t i = 0; i < request->parameters; i++)
        if (request->parameter_types[i] == 0 || request->parameter_types[i] == TYPE_UNKNOWN) {
            fail(binder, SQLSTATE_INDETERMINATE_DATATYPE, -1,
                 "could not determine data type of parameter $%u", i + 1);
            return false;
        }
    return true;
}

enum sqlstate bind_statement(struct binder_request *request, const struct Node *statement,
                             struct query **query, struct error *error)
{
    error_clear(error);
    struct binder *binder = binder_make(request, error);
    if (IsA(statement, RawStmt))
        statement = ((const RawStmt *)statement)->stmt;
    *query = query_bind(binder, NULL, statement, false);
    if (!*query || !parameters_known(binder))
        return failed(binder);
    return scope_check_budget(binder->scope, error);
}

enum sqlstate bind_expression(struct binder_request *request, const struct Node *expression,
                              const struct relation *relation, const struct type *type, int32_t modifier,
                              struct expression **bound, struct error *error)
{
    error_clear(error);
    struct binder *binder = binder_make(request, error);
    struct level *level = level_open(binder, NULL);
    enum place place = !relation                ? PLACE_DEFAULT
                       : !type                  ? PLACE_INDEX
                       : type->oid == TYPE_BOOL ? PLACE_CHECK
                                                : PLACE_GENERATED;
    if (relation) {
        RangeVar variable = {
            .type = T_RangeVar, .relname = (char *)(uintptr_t)relation->name, .location = -1};
        uint32_t range;
        if (!range_relation_add(level, &variable, relation, &range))
            return failed(binder);
        space_push(level, space_add(level, range, true, true));
    }
    struct expression *made = expression_bind(level, expression, place);
    if (!made)
        return failed(binder);
    if (!type) {
        if (expression_is_unknown(made) &&
            !(made = coerce(level, made, builtin(TYPE_TEXT), -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return failed(binder);
        *bound = made;
        return SQLSTATE_OK;
    }
    if (place == PLACE_CHECK)
        return (*bound = coerce_to_boolean(level, made, "CHECK")) ? SQLSTATE_OK : failed(binder);
    return bind_coerce(request, made, type, modifier, false, bound, error);
}

enum sqlstate bind_expression_text(struct binder_request *request, const char *text,
                                   const struct relation *relation, const struct type *type, int32_t modifier,
                                   struct expression **bound, struct error *error)
{
    struct text whole = text_in(request->scope);
    const char *select;
    struct parsed *parsed;
    enum sqlstate state;
    text_format(&whole, "SELECT %s", text);
    if ((state = text_end(&whole, &select, error)))
        return state;
    if ((state = parse_text(request->world, request->scope, select, &parsed, error))) {
        error->position = 0;
        return state;
    }
    const SelectStmt *statement = (const SelectStmt *)parsed_statement(parsed, 0)->stmt;
    const ResTarget *target = linitial(statement->targetList);
    /* Positions are those of a text nobody sees. */
    struct binder_request inner = *request;
    inner.text = NULL;
    return bind_expression(&inner, target->val, relation, type, modifier, bound, error);
}

enum sqlstate bind_type(struct binder_request *request, const struct TypeName *name, const struct type **type,
                        int32_t *modifier, struct error *error)
{
    error_clear(error);
    struct binder *binder = binder_make(request, error);
    struct level *level = level_open(binder, NULL);
    return type_of_name(level, name, type, modifier) ? SQLSTATE_OK : failed(binder);
}

enum sqlstate bind_coerce(struct binder_request *request, struct expression *from, const struct type *type,
                          int32_t modifier, bool is_explicit, struct expression **to, struct error *error)
{
    error_clear(error);
    struct binder *binder = binder_make(request, error);
    struct level *level = level_open(binder, NULL);
    if (!coerce_to_target(level, from, type, modifier, is_explicit ? COERCE_EXPLICITLY : COERCE_ASSIGN,
                          is_explicit ? FORM_EXPLICIT : FORM_IMPLICIT, -1, to))
        return failed(binder);
    if (*to)
        return SQLSTATE_OK;
    if (is_explicit)
        fail(binder, SQLSTATE_CANNOT_COERCE, expression_position(from), "cannot cast type %s to %s",
             type_name(binder, from->type), type_name(binder, type));
    else if (request->column) {
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, -1,
             "column \"%s\" is of type %s but default expression is of type %s", request->column,
             type_name(binder, type), type_name(binder, from->type));
        fail_hint(binder, "You will need to rewrite or cast the expression.");
    } else
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(from),
             "expression is of type %s, but type %s is needed", type_name(binder, from->type),
             type_name(binder, type));
    return failed(binder);
}
