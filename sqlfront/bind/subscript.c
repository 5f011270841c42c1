/* What stands behind an expression: fields, subscripts, slices (transformIndirection, transformContainerSubscripts). */
#include "sqlfront/bind/binder.h"

static void *no_such_field(struct level *level, const struct expression *record, const char *name,
                           int32_t position)
{
    struct binder *binder = level->binder;
    if (record->kind == EXPRESSION_WHOLE_ROW) {
        struct level *owner = level;
        for (uint32_t i = 0; i < record->level; i++)
            owner = owner->above;
        return fail(binder, SQLSTATE_UNDEFINED_COLUMN, position, "column %s.%s does not exist",
                    owner->query->range[record->range].name, name);
    }
    if (record->type->type_type == 'c')
        return fail(binder, SQLSTATE_UNDEFINED_COLUMN, position, "column \"%s\" not found in data type %s",
                    name, type_name(binder, record->type));
    if (record->type->oid == TYPE_RECORD)
        return fail(binder, SQLSTATE_UNDEFINED_COLUMN, position,
                    "could not identify column \"%s\" in record data type", name);
    return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, position,
                "column notation .%s applied to type %s, which is not a composite type", name,
                type_name(binder, record->type));
}

static struct expression *bind_subscript(struct level *level, const Node *node)
{
    struct binder *binder = level->binder;
    struct expression *index = node_bind(level, node), *coerced;
    if (!index)
        return NULL;
    if (!coerce_to_target(level, index, builtin(TYPE_INT4), -1, COERCE_ASSIGN, FORM_IMPLICIT, -1, &coerced))
        return NULL;
    if (!coerced)
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(index),
                    "array subscript must have type integer");
    return coerced;
}

/* jsonb['a'][1]: a path; reading is jsonb_extract_path, assigning jsonb_set. */
static struct expression *subscript_jsonb(struct level *level, struct expression *container,
                                          const List *subscripts, int32_t position,
                                          struct expression *assigned)
{
    struct binder *binder = level->binder;
    struct expression *path = make(binder, EXPRESSION_ARRAY, builtin(TYPE_ARRAY_OF_TEXT), position);
    const ListCell *cell;
    foreach(cell, subscripts)
    {
        const A_Indices *indices = lfirst(cell);
        if (indices->is_slice)
            return fail(binder, SQLSTATE_DATATYPE_MISMATCH,
                        node_position(indices->uidx ? indices->uidx : indices->lidx),
                        "jsonb subscript does not support slices");
        struct expression *key = node_bind(level, indices->uidx), *text;
        if (!key)
            return NULL;
        bool number =
            key->type->oid == TYPE_INT2 || key->type->oid == TYPE_INT4 || key->type->oid == TYPE_INT8;
        if (!number && key->type->category != 'S' && key->type->oid != TYPE_UNKNOWN) {
            fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(key),
                 "subscript type %s is not supported", type_name(binder, key->type));
            fail_hint(binder, "jsonb subscript must be coercible to either integer or text.");
            return NULL;
        }
        if (!coerce_to_target(level, key, builtin(TYPE_TEXT), -1, COERCE_ASSIGN, FORM_IMPLICIT, -1, &text) ||
            !text)
            return NULL;
        argument_add(binder, path, text);
    }
    static const uint32_t read_types[] = {TYPE_JSONB, TYPE_ARRAY_OF_TEXT};
    if (assigned) {
        struct expression *assignment =
            make(binder, EXPRESSION_ASSIGN_SUBSCRIPT, builtin(TYPE_JSONB), position);
        argument_add(binder, assignment, container);
        for (uint32_t i = 0; i < path->arguments; i++)
            argument_add(binder, assignment, path->argument[i]);
        argument_add(binder, assignment, assigned);
        return assignment;
    }
    struct expression *made = make(binder, EXPRESSION_CALL, builtin(TYPE_JSONB), position);
    if (!(made->procedure = procedure_by_types(binder, "jsonb_extract_path", 2, read_types)))
        return NULL;
    argument_add(binder, made, container);
    argument_add(binder, made, path);
    struct expression *written = make(binder, EXPRESSION_SUBSCRIPT, builtin(TYPE_JSONB), position);
    argument_add(binder, written, container);
    for (uint32_t i = 0; i < path->arguments; i++)
        argument_add(binder, written, path->argument[i]);
    made->written = written;
    return made;
}

/* name[i] is the byte at i, counted from 0, as "char": substr(name::text, i + 1, 1)::"char". */
static struct expression *subscript_name(struct level *level, struct expression *container,
                                         const List *subscripts, int32_t position)
{
    struct binder *binder = level->binder;
    const A_Indices *indices = linitial(subscripts);
    struct expression *one = make_integer(binder, 1, TYPE_INT4);
    struct expression *index = indices->uidx ? bind_subscript(level, indices->uidx) : NULL;
    struct expression *text =
        index ? coerce(level, container, builtin(TYPE_TEXT), -1, COERCE_EXPLICITLY, FORM_IMPLICIT, position)
              : NULL;
    if (!text)
        return NULL;
    struct expression *sum[] = {index, one};
    struct expression *place = function_call_builtin(level, "int4pl", 2, sum, position);
    struct expression *arguments[] = {text, place, one};
    struct expression *byte = place ? function_call_builtin(level, "substr", 3, arguments, position) : NULL;
    return byte ? coerce(level, byte, builtin(TYPE_CHAR), -1, COERCE_EXPLICITLY, FORM_IMPLICIT, position)
                : NULL;
}

struct expression *subscripts_bind(struct level *level, struct expression *container, const List *subscripts,
                                   int32_t position, struct expression *assigned)
{
    struct binder *binder = level->binder;
    const struct type *type = container->type;
    const ListCell *cell;
    bool slice = false;
    if (type->oid == TYPE_JSONB)
        return subscript_jsonb(level, container, subscripts, position, assigned);
    bool one = list_length(subscripts) == 1 && !((const A_Indices *)linitial(subscripts))->is_slice;
    if (type->oid == TYPE_NAME && one && !assigned)
        return subscript_name(level, container, subscripts, position);
    if (!type->element || type->oid == TYPE_NAME || type->type_type == 'c')
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(container),
                    "cannot subscript type %s because it does not support subscripting",
                    type_name(binder, type));
    foreach(cell, subscripts) slice |= ((const A_Indices *)lfirst(cell))->is_slice;
    const struct type *element = type_by_oid(binder, type->element);
    if (!element)
        return NULL;
    struct expression *made = make(binder, assigned ? EXPRESSION_ASSIGN_SUBSCRIPT : EXPRESSION_SUBSCRIPT,
                                   assigned || slice ? type : element, position);
    made->slice = slice;
    made->modifier = container->modifier;
    argument_add(binder, made, container);
    if (list_length(subscripts) > 6)
        return fail(binder, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, position,
                    "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                    list_length(subscripts), 6);
    foreach(cell, subscripts)
    {
        const A_Indices *indices = lfirst(cell);
        struct expression *lower = NULL, *upper = NULL;
        if (indices->lidx && !(lower = bind_subscript(level, indices->lidx)))
            return NULL;
        if (indices->uidx && !(upper = bind_subscript(level, indices->uidx)))
            return NULL;
        if (slice && !indices->is_slice)
            lower = make_integer(binder, 1, TYPE_INT4);
        if (slice)
            argument_add(binder, made, lower);
        argument_add(binder, made, upper);
    }
    if (assigned)
        argument_add(binder, made, assigned);
    return made;
}

/* The run of subscripts from `from` on, as a list of its own. */
static List *run_of_subscripts(struct binder *binder, const List *list, int from, int *end)
{
    int at = from;
    while (at < list_length(list) && IsA(list_nth(list, at), A_Indices))
        at++;
    *end = at;
    List *run = memory(binder, sizeof *run);
    run->type = T_List;
    run->length = run->max_length = at - from;
    run->elements = list->elements + from;
    return run;
}

struct expression *indirection_bind(struct level *level, const A_Indirection *indirection)
{
    struct binder *binder = level->binder;
    struct expression *result = node_bind(level, indirection->arg);
    const List *list = indirection->indirection;
    if (!result)
        return NULL;
    for (int at = 0; at < list_length(list);) {
        const Node *node = list_nth(list, at);
        int32_t position = result->position;
        if (IsA(node, A_Indices)) {
            int end;
            List *run = run_of_subscripts(binder, list, at, &end);
            if (!(result = subscripts_bind(level, result, run, position, NULL)))
                return NULL;
            at = end;
            continue;
        }
        if (IsA(node, A_Star))
            return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position,
                        "row expansion via \"*\" is not supported here");
        bool missing = false;
        struct expression *field = field_of(level, result, node_string(node), position, &missing);
        if (!field && !missing)
            return NULL;
        if (!field) { /* x.f may be f(x) */
            String part = {.type = T_String, .sval = (char *)(uintptr_t)node_string(node)};
            ListCell cell = {.ptr_value = &part};
            List name = {.type = T_List, .length = 1, .max_length = 1, .elements = &cell};
            struct expression *arguments[1] = {result};
            field = type_is_composite(result->type)
                        ? function_apply(level, &name, arguments, 1, NULL, false, position, false)
                        : NULL;
            if (!field && binder->error->state && binder->error->state != SQLSTATE_UNDEFINED_FUNCTION)
                return NULL;
            if (!field) {
                error_clear(binder->error);
                return no_such_field(level, result, node_string(node), position);
            }
        }
        result = field;
        at++;
    }
    return result;
}
