/* Function calls (parse_func.c): finding the function, bringing the arguments to its types, and telling plain calls from
 * aggregates, window functions and sets. */
#include "sqlfront/bind/binder.h"

#define ARGUMENTS_MAX 100

/* Everything known of a call while it is bound. */
struct calling {
    struct level *level;
    const List *name;
    const FuncCall *call; /* NULL: none of its extras were written */
    struct expression **arguments;
    uint32_t count;
    const char *names[ARGUMENTS_MAX]; /* of named arguments */
    bool any_named;
    uint32_t types[ARGUMENTS_MAX];
    int32_t position;
    struct function_search search;
};

static const char *signature_text(struct calling *calling)
{
    struct binder *binder = calling->level->binder;
    struct text text = text_in(binder->scope);
    text_format(&text, "%s(", names_text(binder, calling->name));
    for (uint32_t i = 0; i < calling->count; i++) {
        text_append(&text, i ? ", " : "");
        if (calling->names[i])
            text_format(&text, "%s => ", calling->names[i]);
        text_append(&text, type_name_oid(binder, calling->types[i]));
    }
    text_append(&text, ")");
    const char *whole = "";
    return text_end(&text, &whole, binder->error) ? "" : whole;
}

static void *not_found(struct calling *calling, bool ambiguous)
{
    struct binder *binder = calling->level->binder;
    const char *signature = signature_text(calling);
    if (ambiguous) {
        fail(binder, SQLSTATE_AMBIGUOUS_FUNCTION, calling->position, "function %s is not unique", signature);
        fail_hint(binder,
                  "Could not choose a best candidate function. You might need to add explicit type casts.");
        return NULL;
    }
    if (calling->search.schema) {
        uint32_t schema = 0;
        if (catalog_schema(binder->view, calling->search.schema, &schema, binder->error))
            return NULL;
        if (!schema)
            return fail(binder, SQLSTATE_INVALID_SCHEMA_NAME, calling->position,
                        "schema \"%s\" does not exist", calling->search.schema);
    }
    fail(binder, SQLSTATE_UNDEFINED_FUNCTION, calling->position, "function %s does not exist", signature);
    if (calling->call && calling->call->agg_order && !calling->call->agg_within_group)
        fail_hint(binder,
                  "No aggregate function matches the given name and argument types. Perhaps you misplaced "
                  "ORDER BY; ORDER BY must appear after all regular arguments of the aggregate.");
    else
        fail_hint(binder,
                  "No function matches the given name and argument types. You might need to add explicit "
                  "type casts.");
    return NULL;
}

/* What only aggregates and window functions may have written with them. */
static bool extras_allowed(struct calling *calling, char kind)
{
    struct binder *binder = calling->level->binder;
    const FuncCall *call = calling->call;
    const char *name = names_text(binder, calling->name);
    if (!call)
        return true;
    const char *extra = NULL;
    if (kind != 'a') {
        if (call->agg_star)
            extra = "(*)";
        else if (call->agg_distinct)
            extra = "DISTINCT";
        else if (call->agg_within_group)
            extra = "WITHIN GROUP";
        else if (call->agg_order)
            extra = "ORDER BY";
        else if (call->agg_filter && kind != 'w')
            extra = "FILTER";
    }
    if (kind == 'w' && extra)
        extra = NULL; /* they have their own words for it */
    if (extra && extra[0] == '(') {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
             "%s(*) specified, but %s is not an aggregate function", name, name);
        return false;
    }
    if (extra) {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
             "%s specified, but %s is not an aggregate function", extra, name);
        return false;
    }
    if (call->over && kind != 'a' && kind != 'w') {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
             "OVER specified, but %s is not a window function nor an aggregate function", name);
        return false;
    }
    return true;
}

/* Sets may not stand everywhere (check_srf_call_placement). */
static bool set_allowed(struct level *level, int32_t position)
{
    struct binder *binder = level->binder;
    switch (level->place) {
    case PLACE_FROM_FUNCTION:
    case PLACE_SELECT_TARGET:
    case PLACE_INSERT_TARGET:
    case PLACE_GROUP_BY:
    case PLACE_ORDER_BY:
    case PLACE_DISTINCT_ON:
    case PLACE_WINDOW_PARTITION:
    case PLACE_WINDOW_ORDER:
    case PLACE_FROM_SUBSELECT:
    case PLACE_VALUES_SINGLE:
    case PLACE_OTHER:
        level->query->has_set_calls |= level->place != PLACE_FROM_FUNCTION;
        return true;
    case PLACE_FILTER:
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position,
             "set-returning functions are not allowed in FILTER");
        return false;
    default:
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position,
             "set-returning functions are not allowed in %s", place_name(level->place));
        return false;
    }
}

/* What a function gives: its declared type, or a record of its OUT columns. */
static const struct type *result_type(struct calling *calling, const struct procedure *procedure,
                                      const uint32_t *actual, const uint32_t *declared, uint32_t count,
                                      uint32_t result)
{
    struct binder *binder = calling->level->binder;
    if (procedure->outputs < 2 || result != TYPE_RECORD)
        return type_by_oid(binder, result);
    const struct type **types = memory(binder, procedure->outputs * sizeof *types);
    const char **names = memory(binder, procedure->outputs * sizeof *names);
    for (uint32_t i = 0; i < procedure->outputs; i++) {
        uint32_t oid = procedure->output_types[i];
        if (type_is_polymorphic(oid)) {
            uint32_t *again = memory(binder, (count + 1) * sizeof *again);
            memcpy(again, procedure->argument_types,
                   (procedure->arguments < count ? procedure->arguments : count) * sizeof *again);
            bool failed;
            oid = enforce_generic(binder, actual, again,
                                  count < procedure->arguments ? count : procedure->arguments, oid, &failed);
            if (failed)
                return NULL;
        }
        if (!(types[i] = type_by_oid(binder, oid)))
            return NULL;
        names[i] = procedure->output_names && procedure->output_names[i] && *procedure->output_names[i]
                       ? procedure->output_names[i]
                       : "column";
    }
    return record_type(binder, procedure->outputs, names, types, NULL);
}

/* The arguments in the function's order, left out ones by their defaults; coerced to the declared types. */
static bool arguments_settle(struct calling *calling, struct expression *made, const struct candidate *found)
{
    struct level *level = calling->level;
    struct binder *binder = level->binder;
    const struct procedure *procedure = found->procedure;
    uint32_t plain = found->variadics ? procedure->arguments - 1 : procedure->arguments;
    uint32_t total = found->variadics ? calling->count : procedure->arguments;
    struct expression **all = memory(binder, (total + 1) * sizeof(struct expression *));
    uint32_t *actual = memory(binder, (total + 1) * sizeof *actual);
    uint32_t *declared = memory(binder, (total + 1) * sizeof *declared);
    made->number = found->place ? 0 : (int32_t)found->defaults;
    for (uint32_t i = 0; i < total; i++) {
        uint32_t from = found->place ? found->place[i] : i < calling->count ? i : UINT32_MAX;
        declared[i] = found->variadics && i >= plain ? procedure->variadic : procedure->argument_types[i];
        if (from != UINT32_MAX) {
            all[i] = calling->arguments[from];
        } else {
            const struct type *type = type_by_oid(binder, declared[i]);
            const char *text = procedure->default_texts[i - (procedure->arguments - procedure->defaults)];
            bool generic = type_is_polymorphic(declared[i]);
            if (!type || bind_expression_text(binder->request, text, NULL, generic ? NULL : type, -1, &all[i],
                                              binder->error))
                return false;
        }
        actual[i] = all[i]->type->oid;
    }
    bool failed;
    uint32_t result = enforce_generic(binder, actual, declared, total, procedure->result, &failed);
    if (failed)
        return false;
    if (!(made->type = result_type(calling, procedure, actual, declared, total, result)))
        return false;
    made->collation = collation_of_type(made->type);
    for (uint32_t i = 0; i < total; i++) {
        const struct type *type = type_by_oid(binder, declared[i]);
        if (!type || !(all[i] = coerce(level, all[i], type, -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return false;
        if (made->collation == collation_of_type(builtin(TYPE_TEXT)) && all[i]->collation)
            made->collation = all[i]->collation; /* one that is not the default wins */
    }
    bool gather = found->variadics && procedure->variadic != TYPE_ANY;
    for (uint32_t i = 0; i < (gather ? plain : total); i++)
        argument_add(binder, made, all[i]);
    if (gather) {
        const struct type *element = type_by_oid(binder, declared[plain]);
        const struct type *array = element && element->array ? type_by_oid(binder, element->array) : NULL;
        if (!array)
            return fail(binder, SQLSTATE_UNDEFINED_OBJECT, calling->position,
                        "could not find array type for data type %s",
                        type_name_oid(binder, declared[plain])) != NULL;
        struct expression *gathered = make(binder, EXPRESSION_ARRAY, array, calling->position);
        for (uint32_t i = plain; i < total; i++)
            argument_add(binder, gathered, all[i]);
        argument_add(binder, made, gathered);
    }
    return true;
}

static struct expression *plain_call(struct calling *calling, const struct procedure *procedure)
{
    struct level *level = calling->level;
    struct expression *made = make(level->binder, EXPRESSION_CALL, builtin(TYPE_VOID), calling->position);
    made->nested = calling->call && calling->call->func_variadic && procedure->variadic == TYPE_ANY;
    const struct expression *last = made->nested ? calling->arguments[calling->count - 1] : NULL;
    if (last && !type_is_array(last->type))
        return fail(level->binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(last),
                    "VARIADIC argument must be an array");
    made->procedure = procedure;
    made->syntax_form = calling->call && calling->call->funcformat == COERCE_SQL_SYNTAX;
    if (!arguments_settle(calling, made, &calling->search.found))
        return NULL;
    if (procedure->returns_set) {
        if (level->place == PLACE_FROM_FUNCTION && level->last_set_call)
            return fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, level->last_set_call->position,
                        "set-returning functions must appear at top level of FROM");
        if (!set_allowed(level, calling->position))
            return NULL;
        made->kind = EXPRESSION_SET_CALL;
        if (procedure->language == 's' && level->place != PLACE_FROM_FUNCTION)
            return function_rows_join(level, made);
        level->last_set_call = made;
        return made;
    }
    return procedure->language == 's' ? function_inline(level, made) : made;
}

static struct expression *aggregate_call(struct calling *calling, const struct procedure *procedure)
{
    struct level *level = calling->level;
    struct binder *binder = level->binder;
    const FuncCall *call = calling->call;
    const char *name = names_text(binder, calling->name);
    bool within = call && call->agg_within_group;
    if (procedure->aggregate_kind != 'n' && !within) {
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
                    "WITHIN GROUP is required for ordered-set aggregate %s", name);
    }
    if (procedure->aggregate_kind == 'n' && within)
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
                    "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", name);
    if (calling->count == 0 && !(call && call->agg_star) && !within)
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
                    "%s(*) must be used to call a parameterless aggregate function", name);
    if (calling->any_named)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, calling->position,
                    "aggregates cannot use named arguments");
    struct expression *made = make(binder, EXPRESSION_AGGREGATE, builtin(TYPE_VOID), calling->position);
    made->procedure = procedure;
    made->star = call && call->agg_star;
    if (!arguments_settle(calling, made, &calling->search.found))
        return NULL;
    made->aggregate = aggregate_find(procedure->name, procedure->argument_types, procedure->arguments);
    return aggregate_finish(
        level, made, call, within ? calling->count - (uint32_t)list_length(call->agg_order) : calling->count);
}

static struct expression *window_call(struct calling *calling, const struct procedure *procedure)
{
    struct level *level = calling->level;
    struct binder *binder = level->binder;
    const FuncCall *call = calling->call;
    const char *name = names_text(binder, calling->name);
    if (!call || !call->over)
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
                    "window function %s requires an OVER clause", name);
    if (call->agg_within_group)
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
                    "window function %s cannot have WITHIN GROUP", name);
    if (procedure->kind == 'a' && procedure->aggregate_kind != 'n')
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, calling->position,
                    "OVER is not supported for ordered-set aggregate %s", name);
    if (call->agg_distinct)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, calling->position,
                    "DISTINCT is not implemented for window functions");
    if (procedure->kind == 'a' && calling->count == 0 && !call->agg_star)
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position,
                    "%s(*) must be used to call a parameterless aggregate function", name);
    if (call->agg_order)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, calling->position,
                    "aggregate ORDER BY is not implemented for window functions");
    if (procedure->kind != 'a' && call->agg_filter)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, calling->position,
                    "FILTER is not implemented for non-aggregate window functions");
    struct expression *made = make(binder, EXPRESSION_WINDOW, builtin(TYPE_VOID), calling->position);
    made->procedure = procedure;
    made->star = call->agg_star;
    if (!arguments_settle(calling, made, &calling->search.found))
        return NULL;
    if (procedure->kind == 'a') {
        made->aggregate = aggregate_find(procedure->name, procedure->argument_types, procedure->arguments);
        if (!made->aggregate)
            return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, calling->position,
                        "aggregate function %s is not supported", signature_text(calling));
    }
    for (uint32_t i = 0; i < made->arguments; i++)
        if (expression_facts(made->argument[i]) & FACT_SET_CALL)
            return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, expression_position(made->argument[i]),
                        "window function calls cannot contain set-returning function calls");
    if (call->agg_filter && !(made->filter = where_bind(level, call->agg_filter, PLACE_FILTER, "FILTER")))
        return NULL;
    return window_find(level, call->over, made) ? made : NULL;
}

static bool names_settle(struct calling *calling)
{
    struct binder *binder = calling->level->binder;
    for (uint32_t i = 0; i < calling->count; i++) {
        if (!calling->names[i] && calling->any_named) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, expression_position(calling->arguments[i]),
                 "positional argument cannot follow named argument");
            return false;
        }
        calling->any_named |= calling->names[i] != NULL;
        for (uint32_t k = 0; k < i; k++)
            if (calling->names[i] && calling->names[k] && strcmp(calling->names[i], calling->names[k]) == 0) {
                fail(binder, SQLSTATE_SYNTAX_ERROR, expression_position(calling->arguments[i]),
                     "argument name \"%s\" used more than once", calling->names[i]);
                return false;
            }
    }
    return true;
}

static struct expression *apply(struct calling *calling, bool column_notation)
{
    struct level *level = calling->level;
    struct binder *binder = level->binder;
    const FuncCall *call = calling->call;
    bool bare = !call || (!call->agg_order && !call->agg_filter && !call->over && !call->agg_star &&
                          !call->agg_distinct && !call->func_variadic);
    bool projection = calling->count == 1 && !calling->any_named && bare && list_length(calling->name) == 1;
    if (!names_split(binder, calling->name, &calling->search.schema, &calling->search.name))
        return NULL;
    bool missing = false;
    if (projection && column_notation) {
        struct expression *field =
            field_of(level, calling->arguments[0], calling->search.name, calling->position, &missing);
        if (!missing)
            return field;
    }
    calling->search.arguments = calling->count;
    calling->search.types = calling->types;
    calling->search.names = calling->any_named ? calling->names : NULL;
    calling->search.spread = !(call && call->func_variadic);
    calling->search.defaults = true;
    enum find_result result = function_find_best(binder, &calling->search);
    if (result == FIND_FAILED)
        return NULL;
    if (result == FIND_COERCION && bare)
        return coerce(level, calling->arguments[0], calling->search.coercion, -1, COERCE_EXPLICITLY,
                      FORM_CALL, calling->position);
    if (result != FIND_FOUND) {
        if (projection && !column_notation && type_is_composite(calling->arguments[0]->type)) {
            struct expression *field =
                field_of(level, calling->arguments[0], calling->search.name, calling->position, &missing);
            if (!missing)
                return field;
        }
        return not_found(calling, result == FIND_AMBIGUOUS);
    }
    const struct procedure *procedure = calling->search.found.procedure;
    if (!extras_allowed(calling, procedure->kind))
        return NULL;
    if (procedure->kind == 'p') {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, calling->position, "%s is a procedure",
             signature_text(calling));
        fail_hint(binder, "To call a procedure, use CALL.");
        return NULL;
    }
    if (catalog_check_procedure(binder->view, procedure, binder->error))
        return NULL;
    if (procedure->kind == 'w' || (call && call->over))
        return window_call(calling, procedure);
    if (procedure->kind == 'a')
        return aggregate_call(calling, procedure);
    return plain_call(calling, procedure);
}

struct expression *function_apply(struct level *level, const List *name, struct expression **arguments,
                                  uint32_t count, const FuncCall *call, bool is_procedure, int32_t position,
                                  bool column_notation)
{
    struct calling *calling = memory(level->binder, sizeof *calling);
    if (count > ARGUMENTS_MAX)
        return fail(level->binder, SQLSTATE_TOO_MANY_ARGUMENTS, position,
                    "cannot pass more than %d arguments to a function", ARGUMENTS_MAX);
    *calling = (struct calling){.level = level,
                                .name = name,
                                .call = call,
                                .arguments = arguments,
                                .count = count,
                                .position = position};
    for (uint32_t i = 0; i < count; i++)
        calling->types[i] = arguments[i]->type->oid;
    const ListCell *cell;
    uint32_t at = 0;
    if (call)
        foreach(cell, call->args)
        {
            if (at < count && IsA(lfirst(cell), NamedArgExpr))
                calling->names[at] = ((const NamedArgExpr *)lfirst(cell))->name;
            at++;
        }
    return names_settle(calling) ? apply(calling, column_notation) : NULL;
}

struct expression *function_call_builtin(struct level *level, const char *name, uint32_t count,
                                         struct expression **arguments, int32_t position)
{
    return function_apply(level, names_of(level->binder, name), arguments, count, NULL, false, position,
                          false);
}

struct expression *function_bind(struct level *level, const FuncCall *call)
{
    struct binder *binder = level->binder;
    uint32_t count = (uint32_t)list_length(call->args), at = 0;
    uint32_t ordered = call->agg_within_group ? (uint32_t)list_length(call->agg_order) : 0;
    struct expression **arguments = memory(binder, (count + ordered + 1) * sizeof(struct expression *));
    struct expression *set_before = level->last_set_call;
    const ListCell *cell;
    if (!arguments)
        return NULL;
    foreach(cell, call->args)
    {
        const Node *node = lfirst(cell);
        if (IsA(node, NamedArgExpr))
            node = (const Node *)((const NamedArgExpr *)node)->arg;
        if (!(arguments[at] = node_bind(level, node)))
            return NULL;
        /* JDBC calls a function with a place for its result, a parameter of type void. */
        at += !(IsA(node, ParamRef) && arguments[at]->type->oid == TYPE_VOID);
    }
    for (uint32_t i = 0; i < ordered; i++) {
        const SortBy *by = list_nth(call->agg_order, (int)i);
        if (!(arguments[at++] = expression_bind(level, by->node, PLACE_ORDER_BY)))
            return NULL;
    }
    struct expression *made =
        function_apply(level, call->funcname, arguments, at, call, false, call->location, false);
    /* Only a set inside this call's arguments is nested in it. */
    if (made && made->kind != EXPRESSION_SET_CALL)
        level->last_set_call = level->last_set_call == set_before ? set_before : level->last_set_call;
    return made;
}
