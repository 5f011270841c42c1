/* Operators applied: alone, over arrays (ANY, ALL), over rows, IS DISTINCT FROM. */
#include "sqlfront/bind/binder.h"

List *names_of(struct binder *binder, const char *name)
{
    String *parts = memory(binder, 2 * sizeof *parts);
    parts[0] = (String){.type = T_String, .sval = (char *)(uintptr_t) "pg_catalog"};
    parts[1] = (String){.type = T_String, .sval = (char *)(uintptr_t)name};
    ListCell *cells = memory(binder, 2 * sizeof *cells);
    cells[0].ptr_value = &parts[0];
    cells[1].ptr_value = &parts[1];
    List *list = memory(binder, sizeof *list);
    list->type = T_List;
    list->length = list->max_length = 2;
    list->elements = cells;
    return list;
}

/* Finds the operator, brings the operands to its types, and gives a node of `kind` over them. */
static struct expression *operator_node(struct level *level, enum expression_kind kind,
                                        const struct operator* operator, struct expression * left,
                                        struct expression *right, int32_t position)
{
    struct binder *binder = level->binder;
    uint32_t count = left ? 2 : 1;
    struct expression *operands[2] = {left ? left : right, right};
    uint32_t actual[2] = {operands[0]->type->oid, right->type->oid};
    uint32_t declared[2] = {left ? operator->left : operator->right, operator->right };
    bool failed;
    uint32_t result = enforce_generic(binder, actual, declared, count, operator->result, &failed);
    if (failed)
        return NULL;
    const struct type *type = type_by_oid(binder, result);
    if (!type)
        return NULL;
    struct expression *made = make(binder, kind, type, position);
    made->operator= operator;
    made->operator_form = true;
    if (!(made->procedure = procedure_by_oid(binder, operator->procedure)))
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct type *wanted = type_by_oid(binder, declared[i]);
        if (!wanted)
            return NULL;
        struct expression *operand =
            coerce(level, operands[i], wanted, -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1);
        if (!operand)
            return NULL;
        argument_add(binder, made, operand);
    }
    if (made->procedure->returns_set) {
        made->kind = EXPRESSION_SET_CALL;
        level->query->has_set_calls = true;
    }
    return made;
}

struct expression *operator_call(struct level *level, const struct operator* operator,
                                 struct expression * left, struct expression *right, int32_t position)
{
    return operator_node(level, EXPRESSION_CALL, operator, left, right, position);
}

struct expression *operator_make(struct level *level, const List *name, struct expression *left,
                                 struct expression *right, int32_t position)
{
    const struct operator* operator=
        operator_find(level->binder, name, left ? left->type : NULL, right->type, false, position);
    if (!operator) {
        fail_at(level->binder, position);
        return NULL;
    }
    return operator_node(level, EXPRESSION_CALL, operator, left, right, position);
}

struct expression *operator_array_make(struct level *level, const List *name, bool any,
                                       struct expression *left, struct expression *right, int32_t position)
{
    struct binder *binder = level->binder;
    const struct type *element = builtin(TYPE_UNKNOWN);
    if (right->type->oid != TYPE_UNKNOWN) {
        if (!type_is_array(right->type) && !right->type->element)
            return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, position,
                        "op ANY/ALL (array) requires array on right side");
        if (!(element = type_by_oid(binder, right->type->element)))
            return NULL;
    }
    const struct operator* operator= operator_find(binder, name, left->type, element, false, position);
    if (!operator)
        return NULL;
    uint32_t actual[2] = {left->type->oid, element->oid}, declared[2] = {operator->left, operator->right };
    bool failed;
    uint32_t result = enforce_generic(binder, actual, declared, 2, operator->result, &failed);
    if (failed)
        return NULL;
    if (result != TYPE_BOOL)
        return fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, position,
                    "op ANY/ALL (array) requires operator to yield boolean");
    const struct type *left_type = type_by_oid(binder, declared[0]);
    const struct type *right_type = type_by_oid(binder, declared[1]);
    if (!left_type || !right_type)
        return NULL;
    if (declared[1] == TYPE_ANYELEMENT || declared[1] == TYPE_ANY) {
        right_type = right->type;
    } else {
        if (!right_type->array)
            return fail(binder, SQLSTATE_UNDEFINED_OBJECT, position,
                        "could not find array type for data type %s", type_name(binder, right_type));
        if (!(right_type = type_by_oid(binder, right_type->array)))
            return NULL;
    }
    struct expression *made =
        make(binder, any ? EXPRESSION_ANY : EXPRESSION_ALL, builtin(TYPE_BOOL), position);
    made->operator= operator;
    made->operator_form = true;
    if (!(made->procedure = procedure_by_oid(binder, operator->procedure)))
        return NULL;
    left = coerce(level, left, left_type, -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1);
    right = left ? coerce(level, right, right_type, -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1) : NULL;
    if (!right)
        return NULL;
    argument_add(binder, made, left);
    argument_add(binder, made, right);
    return made;
}

struct expression *distinct_make(struct level *level, const List *name, struct expression *left,
                                 struct expression *right, int32_t position)
{
    struct expression *made = operator_make(level, name, left, right, position);
    if (!made)
        return NULL;
    if (made->type->oid != TYPE_BOOL)
        return fail(level->binder, SQLSTATE_DATATYPE_MISMATCH, position,
                    "IS DISTINCT FROM requires = operator to yield boolean");
    made->kind = EXPRESSION_DISTINCT;
    return made;
}

/* Both sides of a pair to one type, so that one order compares them. */
static struct expression *pair_of_one_type(struct level *level, const List *name, struct expression *pair,
                                           int32_t position)
{
    if (pair->argument[0]->type->oid == pair->argument[1]->type->oid)
        return pair;
    bool failed;
    const struct type *type = common_type(level->binder, pair->argument, 2, NULL, &failed);
    if (!type)
        return pair;
    struct expression *left = coerce_to_common(level, pair->argument[0], type, "row comparison");
    struct expression *right =
        left ? coerce_to_common(level, pair->argument[1], type, "row comparison") : NULL;
    return right ? operator_make(level, name, left, right, position) : NULL;
}

struct expression *row_compare_make(struct level *level, const List *name, struct expression **left,
                                    struct expression **right, uint32_t count, int32_t position)
{
    struct binder *binder = level->binder;
    struct expression **pairs = memory(binder, (count + 1) * sizeof(struct expression *));
    if (count == 0)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position, "cannot compare rows of zero length");
    for (uint32_t i = 0; i < count; i++) {
        if (!(pairs[i] = operator_make(level, name, left[i], right[i], position)))
            return NULL;
        if (pairs[i]->type->oid != TYPE_BOOL)
            return fail(binder, SQLSTATE_DATATYPE_MISMATCH, position,
                        "row comparison operator must yield type boolean, not type %s",
                        type_name(binder, pairs[i]->type));
    }
    if (count == 1)
        return pairs[0];
    uint8_t strategy = pairs[0]->operator->strategy;
    for (uint32_t i = 0; i < count; i++)
        if (pairs[i]->operator->strategy != strategy)
            strategy = 0;
    if (strategy == 0) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, position,
             "could not determine interpretation of row comparison operator %s", node_string(llast(name)));
        fail_hint(binder, "Row comparison operators must be associated with btree operator families.");
        return NULL;
    }
    struct expression *made = make(binder,
                                   strategy == 3   ? EXPRESSION_AND
                                   : strategy == 6 ? EXPRESSION_OR
                                                   : EXPRESSION_ROW_COMPARE,
                                   builtin(TYPE_BOOL), position);
    if (made->kind != EXPRESSION_ROW_COMPARE) {
        for (uint32_t i = 0; i < count; i++)
            argument_add(binder, made, pairs[i]);
        return made;
    }
    const struct procedure **procedures = memory(binder, count * sizeof *procedures);
    made->strategy = strategy;
    made->operator= pairs[0]->operator;
    made->operator_form = true;
    for (uint32_t i = 0; i < count; i++) {
        if (!(pairs[i] = pair_of_one_type(level, name, pairs[i], position)))
            return NULL;
        procedures[i] = pairs[i]->procedure;
        argument_add(binder, made, pairs[i]->argument[0]);
    }
    for (uint32_t i = 0; i < count; i++)
        argument_add(binder, made, pairs[i]->argument[1]);
    made->procedures = procedures;
    return made;
}
