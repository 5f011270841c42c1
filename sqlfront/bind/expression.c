/* Expressions (parse_expr.c): one function per kind of node, all below node_bind(). */
#include "sqlfront/bind/binder.h"

#include "base/fiber.h"

/* ---- literals and parameters ---- */

static struct expression *literal(struct binder *binder, uint32_t type, struct value value, int32_t position)
{
    struct expression *made = make(binder, EXPRESSION_CONSTANT, builtin(type), position);
    made->constant = value;
    return made;
}

/* Digits that fit 64 bits. */
static bool read_integer(const char *text, int64_t *value)
{
    const char *at = text;
    bool negative = *at == '-';
    uint64_t sum = 0;
    at += negative || *at == '+';
    if (!*at)
        return false;
    for (; *at; at++) {
        if (*at < '0' || *at > '9' || sum > (UINT64_MAX - 9) / 10)
            return false;
        sum = sum * 10 + (uint64_t)(*at - '0');
    }
    if (sum > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

static struct expression *literal_read(struct binder *binder, uint32_t oid, const char *text,
                                       int32_t position)
{
    const struct type *type = builtin(oid);
    struct value value = value_null();
    if (type->ops->in(binder->environment, binder->scope, type, -1, bytes_of_text(text), &value,
                      binder->error)) {
        fail_at(binder, position);
        return NULL;
    }
    if (type->kind == VALUE_BYTES && value_copy(binder->scope, type, &value, &value, binder->error))
        return NULL;
    return literal(binder, oid, value, position);
}

struct expression *constant_bind(struct binder *binder, const A_Const *constant)
{
    int32_t position = constant->location;
    if (constant->isnull)
        return literal(binder, TYPE_UNKNOWN, value_null(), position);
    switch (nodeTag(&constant->val)) {
    case T_Integer:
        return literal(binder, TYPE_INT4, value_integer(constant->val.ival.ival), position);
    case T_Float: {
        int64_t value;
        if (!read_integer(constant->val.fval.fval, &value))
            return literal_read(binder, TYPE_NUMERIC, constant->val.fval.fval, position);
        bool fits = value >= INT32_MIN && value <= INT32_MAX;
        return literal(binder, fits ? TYPE_INT4 : TYPE_INT8, value_integer(value), position);
    }
    case T_Boolean:
        return literal(binder, TYPE_BOOL, value_boolean(constant->val.boolval.boolval), position);
    case T_String: {
        /* With its zero byte. May be long: a text of megabytes is a literal, too. */
        const char *text = constant->val.sval.sval;
        const struct value given = value_bytes(text, strlen(text) + 1);
        struct value kept;
        if (value_copy(binder->scope, type_builtin(TYPE_TEXT), &given, &kept, binder->error))
            return NULL;
        kept.size--;
        return literal(binder, TYPE_UNKNOWN, kept, position);
    }
    case T_BitString:
        return literal_read(binder, TYPE_BIT, constant->val.bsval.bsval, position);
    default:
        return fail(binder, SQLSTATE_INTERNAL_ERROR, position, "unrecognized node type: %d",
                    (int)nodeTag(&constant->val));
    }
}

#define PARAMETERS_MAX 65535 /* the protocol counts them in 16 bits */

static bool parameter_room(struct binder *binder, const ParamRef *parameter)
{
    struct binder_request *request = binder->request;
    uint32_t number = (uint32_t)parameter->number;
    if (parameter->number <= 0 || number > PARAMETERS_MAX ||
        (request->parameters_fixed && number > request->parameters)) {
        fail(binder, SQLSTATE_UNDEFINED_PARAMETER, parameter->location, "there is no parameter $%d",
             parameter->number);
        return false;
    }
    if (number <= request->parameters)
        return true;
    uint32_t *longer = memory(binder, number * sizeof *longer);
    if (!longer)
        return false;
    if (request->parameters)
        memcpy(longer, request->parameter_types, request->parameters * sizeof *longer);
    request->parameter_types = longer;
    request->parameters = number;
    return true;
}

struct expression *parameter_bind(struct level *level, const ParamRef *parameter)
{
    struct binder *binder = level->binder;
    if (binder->body_of) {
        if (parameter->number <= 0 || (uint32_t)parameter->number > binder->body_of->arguments)
            return fail(binder, SQLSTATE_UNDEFINED_PARAMETER, parameter->location,
                        "there is no parameter $%d", parameter->number);
        uint32_t depth = 0;
        for (struct level *at = level; at->above; at = at->above)
            depth++;
        binder->body_uses[parameter->number - 1]++;
        return column_at_level(binder, binder->body_arguments[parameter->number - 1], depth,
                               parameter->location);
    }
    if (!parameter_room(binder, parameter))
        return NULL;
    uint32_t *known = &binder->request->parameter_types[parameter->number - 1];
    if (*known == 0)
        *known = TYPE_UNKNOWN;
    const struct type *type = type_by_oid(binder, *known);
    if (!type)
        return NULL;
    struct expression *made = make(binder, EXPRESSION_PARAMETER, type, parameter->location);
    made->parameter_source = PARAMETER_STATEMENT;
    made->number = parameter->number;
    return made;
}

/* ---- operators ---- */

static bool is_row(const Node *node)
{
    return node && IsA(node, RowExpr);
}

static struct expression *rows_compare(struct level *level, const List *name, struct expression *left,
                                       struct expression *right, int32_t position)
{
    if (left->arguments != right->arguments)
        return fail(level->binder, SQLSTATE_SYNTAX_ERROR, position,
                    "unequal number of entries in row expressions");
    return row_compare_make(level, name, left->argument, right->argument, left->arguments, position);
}

static struct expression *bind_operator(struct level *level, const A_Expr *node)
{
    if (is_row(node->lexpr) && node->rexpr && IsA(node->rexpr, SubLink) &&
        ((const SubLink *)node->rexpr)->subLinkType == EXPR_SUBLINK) {
        SubLink link = *(const SubLink *)node->rexpr;
        link.subLinkType = ROWCOMPARE_SUBLINK;
        link.testexpr = node->lexpr;
        link.operName = node->name;
        link.location = node->location;
        return sublink_bind(level, &link);
    }
    struct expression *left = NULL, *right;
    struct expression *set_before = level->last_set_call;
    if (node->lexpr && !(left = node_bind(level, node->lexpr)))
        return NULL;
    if (!(right = node_bind(level, node->rexpr)))
        return NULL;
    if (is_row(node->lexpr) && is_row(node->rexpr))
        return rows_compare(level, node->name, left, right, node->location);
    (void)set_before;
    return operator_make(level, node->name, left, right, node->location);
}

static bool is_null_constant(const Node *node)
{
    return IsA(node, A_Const) && ((const A_Const *)node)->isnull;
}

static struct expression *null_test(struct level *level, struct expression *argument, bool is_null,
                                    int32_t position)
{
    struct expression *made = make(level->binder, EXPRESSION_TEST, builtin(TYPE_BOOL), position);
    made->test = is_null ? TEST_NULL : TEST_NOT_NULL;
    argument_add(level->binder, made, argument);
    return made;
}

static struct expression *rows_distinct(struct level *level, const A_Expr *node, struct expression *left,
                                        struct expression *right)
{
    struct binder *binder = level->binder;
    struct expression *all = NULL;
    if (left->arguments != right->arguments)
        return fail(binder, SQLSTATE_SYNTAX_ERROR, node->location,
                    "unequal number of entries in row expressions");
    for (uint32_t i = 0; i < left->arguments; i++) {
        struct expression *one =
            distinct_make(level, node->name, left->argument[i], right->argument[i], node->location);
        if (!one)
            return NULL;
        all = all ? make_boolean_list(binder, EXPRESSION_OR, all, one, node->location) : one;
    }
    return all ? all : literal(binder, TYPE_BOOL, value_boolean(false), node->location);
}

static struct expression *bind_distinct(struct level *level, const A_Expr *node)
{
    bool not = node->kind == AEXPR_NOT_DISTINCT;
    if (is_null_constant(node->rexpr) || is_null_constant(node->lexpr)) {
        struct expression *argument =
            node_bind(level, is_null_constant(node->rexpr) ? node->lexpr : node->rexpr);
        return argument ? null_test(level, argument, not, node->location) : NULL;
    }
    struct expression *left = node_bind(level, node->lexpr);
    struct expression *right = left ? node_bind(level, node->rexpr) : NULL;
    if (!right)
        return NULL;
    struct expression *made;
    if (is_row(node->lexpr) && is_row(node->rexpr)) {
        if (!(made = rows_distinct(level, node, left, right)))
            return NULL;
        return not ? make_boolean_list(level->binder, EXPRESSION_NOT, made, NULL, node->location) : made;
    }
    if (!(made = distinct_make(level, node->name, left, right, node->location)))
        return NULL;
    made->distinct_not = not ;
    return made;
}

static struct expression *bind_nullif(struct level *level, const A_Expr *node)
{
    struct expression *left = node_bind(level, node->lexpr);
    struct expression *right = left ? node_bind(level, node->rexpr) : NULL;
    struct expression *made = right ? operator_make(level, node->name, left, right, node->location) : NULL;
    if (!made)
        return NULL;
    if (made->type->oid != TYPE_BOOL)
        return fail(level->binder, SQLSTATE_DATATYPE_MISMATCH, node->location,
                    "NULLIF requires = operator to yield boolean");
    made->kind = EXPRESSION_NULLIF;
    made->type = made->argument[0]->type;
    made->collation = collation_of_type(made->type);
    return made;
}

/* x IN (a, b, ...): items of one type without columns become a list that can be looked up; the rest are compared singly. */
static struct expression *in_list(struct level *level, const A_Expr *node, struct expression *left,
                                  struct expression **items, uint32_t count, bool *made_list)
{
    struct binder *binder = level->binder;
    bool failed;
    *made_list = false;
    struct expression **all = memory(binder, (count + 1) * sizeof(struct expression *));
    if (!all)
        return NULL;
    all[0] = left;
    memcpy(all + 1, items, count * sizeof(struct expression *));
    const struct type *type = common_type(binder, all, count + 1, NULL, &failed);
    if (!type || type->oid == TYPE_RECORD || !type->array)
        return NULL;
    for (uint32_t i = 0; i <= count; i++)
        if (!can_coerce(binder, 1, &all[i]->type->oid, &type->oid, COERCE_IMPLICIT_ONLY))
            return NULL;
    *made_list = true;
    for (uint32_t i = 0; i <= count; i++)
        if (!(all[i] = coerce_to_common(level, all[i], type, "IN")))
            return NULL;
    List *name = names_of(binder, "=");
    const struct operator* operator= operator_find(binder, list_length(node->name) > 1 ? node->name : name,
                                                   type, type, false, node->location);
    if (!operator)
        return NULL;
    struct expression *made = make(binder, EXPRESSION_IN_LIST, builtin(TYPE_BOOL), node->location);
    made->operator= operator;
    if (!(made->procedure = procedure_by_oid(binder, operator->procedure)))
        return NULL;
    const struct type *operand = operator->left == type->oid || type_is_polymorphic(operator->left)
                                     ? type
                                     : type_by_oid(binder, operator->left);
    if (!operand)
        return NULL;
    for (uint32_t i = 0; i <= count; i++)
        if (!(all[i] = coerce(level, all[i], operand, -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return NULL;
    made->argument = all;
    made->arguments = count + 1;
    return made;
}

static struct expression *bind_in(struct level *level, const A_Expr *node)
{
    struct binder *binder = level->binder;
    bool use_or = strcmp(node_string(llast(node->name)), "<>") != 0;
    const List *list = (const List *)node->rexpr;
    struct expression *left = node_bind(level, node->lexpr), *result = NULL;
    uint32_t length = (uint32_t)list_length(list), plain = 0, rest = 0;
    struct expression **items = memory(binder, (length + 1) * sizeof(struct expression *));
    struct expression **others = memory(binder, (length + 1) * sizeof(struct expression *));
    const Node **other_nodes = memory(binder, (length + 1) * sizeof(Node *));
    const ListCell *cell;
    if (!left || !items || !others || !other_nodes)
        return NULL;
    foreach(cell, list)
    {
        struct expression *item = node_bind(level, lfirst(cell));
        if (!item)
            return NULL;
        if (is_row(lfirst(cell)) ||
            expression_facts(item) & (FACT_COLUMN | FACT_OUTER_COLUMN | FACT_SUBQUERY)) {
            other_nodes[rest] = lfirst(cell);
            others[rest++] = item;
        } else {
            items[plain++] = item;
        }
    }
    if (plain > 1) {
        bool made_list;
        result = in_list(level, node, left, items, plain, &made_list);
        if (!result && (made_list || binder->error->state))
            return NULL;
        if (result && !use_or)
            result = make_boolean_list(binder, EXPRESSION_NOT, result, NULL, node->location);
    }
    if (!result) { /* in the order in which they were written */
        rest = 0;
        uint32_t at_plain = 0;
        struct expression **mixed = memory(binder, (length + 1) * sizeof(struct expression *));
        uint32_t at_other = 0, at = 0;
        foreach(cell, list)
        {
            bool other = at_other < length && other_nodes[at_other] == lfirst(cell);
            mixed[at++] = other ? others[at_other++] : items[at_plain++];
        }
        others = mixed;
        foreach(cell, list) other_nodes[rest++] = lfirst(cell);
    }
    for (uint32_t i = 0; i < rest; i++) {
        struct expression *one = is_row(node->lexpr) && is_row(other_nodes[i])
                                     ? rows_compare(level, node->name, left, others[i], node->location)
                                     : operator_make(level, node->name, left, others[i], node->location);
        if (!one || !(one = coerce_to_boolean(level, one, "IN")))
            return NULL;
        if (!result)
            result = one;
        else if (result->kind == (use_or ? EXPRESSION_OR : EXPRESSION_AND) && i > 1)
            argument_add(binder, result, one);
        else
            result = make_boolean_list(binder, use_or ? EXPRESSION_OR : EXPRESSION_AND, result, one,
                                       node->location);
    }
    return result;
}

static struct expression *compare(struct level *level, const char *name, struct expression *left,
                                  struct expression *right, int32_t position)
{
    String part = {.type = T_String, .sval = (char *)(uintptr_t)name};
    ListCell cell = {.ptr_value = &part};
    List list = {.type = T_List, .length = 1, .max_length = 1, .elements = &cell};
    return operator_make(level, &list, left, right, position);
}

static struct expression *between(struct level *level, struct expression *value, struct expression *low,
                                  struct expression *high, bool outside, int32_t position)
{
    struct expression *a = compare(level, outside ? "<" : ">=", value, low, position);
    struct expression *b = a ? compare(level, outside ? ">" : "<=", value, high, position) : NULL;
    if (!b || !(a = coerce_to_boolean(level, a, "AND")) || !(b = coerce_to_boolean(level, b, "AND")))
        return NULL;
    return make_boolean_list(level->binder, outside ? EXPRESSION_OR : EXPRESSION_AND, a, b, position);
}

static struct expression *bind_between(struct level *level, const A_Expr *node)
{
    const List *bounds = (const List *)node->rexpr;
    bool outside = node->kind == AEXPR_NOT_BETWEEN || node->kind == AEXPR_NOT_BETWEEN_SYM;
    bool symmetric = node->kind == AEXPR_BETWEEN_SYM || node->kind == AEXPR_NOT_BETWEEN_SYM;
    struct expression *value = node_bind(level, node->lexpr);
    struct expression *low = value ? node_bind(level, linitial(bounds)) : NULL;
    struct expression *high = low ? node_bind(level, lsecond(bounds)) : NULL;
    if (!high)
        return NULL;
    struct expression *made = between(level, value, low, high, outside, node->location);
    if (!made || !symmetric)
        return made;
    struct expression *swapped = between(level, value, high, low, outside, node->location);
    return swapped ? make_boolean_list(level->binder, outside ? EXPRESSION_AND : EXPRESSION_OR, made, swapped,
                                       node->location)
                   : NULL;
}

static struct expression *bind_a_expr(struct level *level, const A_Expr *node)
{
    switch (node->kind) {
    case AEXPR_OP:
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
    case AEXPR_SIMILAR:
        return bind_operator(level, node);
    case AEXPR_OP_ANY:
    case AEXPR_OP_ALL: {
        struct expression *left = node_bind(level, node->lexpr);
        struct expression *right = left ? node_bind(level, node->rexpr) : NULL;
        return right ? operator_array_make(level, node->name, node->kind == AEXPR_OP_ANY, left, right,
                                           node->location)
                     : NULL;
    }
    case AEXPR_DISTINCT:
    case AEXPR_NOT_DISTINCT:
        return bind_distinct(level, node);
    case AEXPR_NULLIF:
        return bind_nullif(level, node);
    case AEXPR_IN:
        return bind_in(level, node);
    default:
        return bind_between(level, node);
    }
}

static struct expression *bind_boolean(struct level *level, const BoolExpr *node)
{
    struct binder *binder = level->binder;
    const char *name = node->boolop == AND_EXPR ? "AND" : node->boolop == OR_EXPR ? "OR" : "NOT";
    struct expression *made = make(binder,
                                   node->boolop == AND_EXPR  ? EXPRESSION_AND
                                   : node->boolop == OR_EXPR ? EXPRESSION_OR
                                                             : EXPRESSION_NOT,
                                   builtin(TYPE_BOOL), node->location);
    const ListCell *cell;
    foreach(cell, node->args)
    {
        struct expression *argument = node_bind(level, lfirst(cell));
        if (!argument || !(argument = coerce_to_boolean(level, argument, name)))
            return NULL;
        argument_add(binder, made, argument);
    }
    return made;
}

/* ---- CASE and its kind ---- */

static bool no_sets_within(struct level *level, struct expression *set_before, const char *construct)
{
    if (level->last_set_call == set_before)
        return true;
    fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, level->last_set_call->position,
         "set-returning functions are not allowed in %s", construct);
    fail_hint(level->binder,
              "You might be able to move the set-returning function into a LATERAL FROM item.");
    return false;
}

static struct expression *bind_case(struct level *level, const CaseExpr *node)
{
    struct binder *binder = level->binder;
    struct expression *set_before = level->last_set_call, *placeholder = NULL;
    struct expression *made = make(binder, EXPRESSION_CASE, builtin(TYPE_TEXT), node->location);
    uint32_t branches = (uint32_t)list_length(node->args), at = 0;
    struct expression **results = memory(binder, (branches + 1) * sizeof(struct expression *));
    const ListCell *cell;
    if (node->arg) {
        struct expression *subject = node_bind(level, (const Node *)node->arg);
        if (!subject)
            return NULL;
        if (expression_is_unknown(subject) && !(subject = coerce(level, subject, builtin(TYPE_TEXT), -1,
                                                                 COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return NULL;
        made->subject = subject;
        placeholder = make(binder, EXPRESSION_CASE_VALUE, subject->type, subject->position);
        placeholder->modifier = subject->modifier;
    }
    foreach(cell, node->args)
    {
        const CaseWhen *when = lfirst(cell);
        struct expression *condition = node_bind(level, (const Node *)when->expr);
        if (!condition)
            return NULL;
        if (placeholder && !(condition = compare(level, "=", placeholder, condition, when->location)))
            return NULL;
        if (!(condition = coerce_to_boolean(level, condition, "CASE/WHEN")))
            return NULL;
        argument_add(binder, made, condition);
        if (!(results[++at] = node_bind(level, (const Node *)when->result)))
            return NULL;
        argument_add(binder, made, results[at]);
    }
    results[0] = node->defresult ? node_bind(level, (const Node *)node->defresult)
                                 : literal(binder, TYPE_UNKNOWN, value_null(), node->location);
    if (!results[0])
        return NULL;
    argument_add(binder, made, results[0]);
    bool failed;
    if (!(made->type = common_type(binder, results, branches + 1, "CASE", &failed)))
        return NULL;
    made->collation = collation_of_type(made->type);
    for (uint32_t i = 1; i < made->arguments; i += 2)
        if (!(made->argument[i] = coerce_to_common(level, made->argument[i], made->type, "CASE/WHEN")))
            return NULL;
    uint32_t last = made->arguments - 1;
    if (!(made->argument[last] = coerce_to_common(level, made->argument[last], made->type, "CASE/ELSE")))
        return NULL;
    made->modifier = common_modifier(results, branches + 1, made->type);
    return no_sets_within(level, set_before, "CASE") ? made : NULL;
}

/* COALESCE, GREATEST, LEAST: all of one type. */
static struct expression *bind_alike(struct level *level, enum expression_kind kind, const List *arguments,
                                     const char *name, int32_t position)
{
    struct binder *binder = level->binder;
    struct expression *set_before = level->last_set_call;
    struct expression *made = make(binder, kind, builtin(TYPE_TEXT), position);
    const ListCell *cell;
    foreach(cell, arguments)
    {
        struct expression *argument = node_bind(level, lfirst(cell));
        if (!argument)
            return NULL;
        argument_add(binder, made, argument);
    }
    bool failed;
    if (!(made->type = common_type(binder, made->argument, made->arguments, name, &failed)))
        return NULL;
    made->collation = collation_of_type(made->type);
    made->modifier = common_modifier(made->argument, made->arguments, made->type);
    for (uint32_t i = 0; i < made->arguments; i++)
        if (!(made->argument[i] = coerce_to_common(level, made->argument[i], made->type, name)))
            return NULL;
    if (kind != EXPRESSION_COALESCE) {
        const struct operator* less = type_comparison(binder, made->type, 1);
        if (!less)
            return fail(binder, SQLSTATE_UNDEFINED_FUNCTION, position,
                        "could not identify a comparison function for type %s",
                        type_name(binder, made->type));
        if (!(made->procedure = procedure_by_oid(binder, less->procedure)))
            return NULL;
        return made;
    }
    return no_sets_within(level, set_before, name) ? made : NULL;
}

/* ---- rows, arrays, casts ---- */

struct expression *row_bind(struct level *level, const RowExpr *row)
{
    struct binder *binder = level->binder;
    struct expression *made = make(binder, EXPRESSION_ROW, builtin(TYPE_RECORD), row->location);
    const ListCell *cell;
    foreach(cell, row->args)
    {
        const Node *node = lfirst(cell);
        if (node_is_star(node)) {
            struct expression **expressions;
            const char **names;
            uint32_t count;
            if (!star_expand(level, node, &expressions, &names, &count))
                return NULL;
            for (uint32_t i = 0; i < count; i++)
                argument_add(binder, made, expressions[i]);
            continue;
        }
        struct expression *argument = node_bind(level, node);
        if (!argument)
            return NULL;
        argument_add(binder, made, argument);
    }
    if (made->arguments > 1664)
        return fail(binder, SQLSTATE_TOO_MANY_COLUMNS, row->location,
                    "ROW expressions can have at most %d entries", 1664);
    const struct type **types = memory(binder, (made->arguments + 1) * sizeof *types);
    const char **names = memory(binder, (made->arguments + 1) * sizeof *names);
    int32_t *modifiers = memory(binder, (made->arguments + 1) * sizeof *modifiers);
    for (uint32_t i = 0; i < made->arguments; i++) {
        struct expression *field = made->argument[i];
        if (expression_is_unknown(field) && field->kind == EXPRESSION_CONSTANT) {
            /* Stays as written for what is yet to come (an assignment); a record's text field else. */
            types[i] = builtin(TYPE_TEXT);
        } else {
            types[i] = field->type;
        }
        modifiers[i] = field->modifier;
        struct text name = text_in(binder->scope);
        text_format(&name, "f%u", i + 1);
        if (text_end(&name, &names[i], binder->error))
            return NULL;
    }
    made->type = record_type(binder, made->arguments, names, types, modifiers);
    return made;
}

struct expression *array_bind(struct level *level, const A_ArrayExpr *array, const struct type *type,
                              const struct type *element, int32_t modifier)
{
    struct binder *binder = level->binder;
    struct expression *made = make(binder, EXPRESSION_ARRAY, type, array->location);
    const struct type *common = element;
    const ListCell *cell;
    foreach(cell, array->elements)
    {
        const Node *node = lfirst(cell);
        struct expression *one = IsA(node, A_ArrayExpr)
                                     ? array_bind(level, (const A_ArrayExpr *)node, type, element, modifier)
                                     : node_bind(level, node);
        if (!one)
            return NULL;
        made->nested |= IsA(node, A_ArrayExpr) || (type_is_array(one->type) && !one->type->array);
        argument_add(binder, made, one);
    }
    if (!type) {
        if (made->arguments == 0) {
            fail(binder, SQLSTATE_INDETERMINATE_DATATYPE, array->location,
                 "cannot determine type of empty array");
            fail_hint(binder, "Explicitly cast to the desired type, for example ARRAY[]::integer[].");
            return NULL;
        }
        bool failed;
        if (!(common = common_type(binder, made->argument, made->arguments, "ARRAY", &failed)))
            return NULL;
        if (made->nested) {
            made->type = common;
        } else if (!common->array) {
            return fail(binder, SQLSTATE_UNDEFINED_OBJECT, array->location,
                        "could not find array type for data type %s", type_name(binder, common));
        } else if (!(made->type = type_by_oid(binder, common->array))) {
            return NULL;
        }
    } else if (made->nested) {
        common = type;
    }
    made->collation = collation_of_type(made->type);
    for (uint32_t i = 0; i < made->arguments; i++) {
        struct expression *from = made->argument[i], *to;
        if (!type) {
            if (!(made->argument[i] = coerce_to_common(level, from, common, "ARRAY")))
                return NULL;
            continue;
        }
        if (!coerce_to_target(level, from, common, modifier, COERCE_EXPLICITLY, FORM_EXPLICIT, -1, &to))
            return NULL;
        if (!to)
            return fail(binder, SQLSTATE_CANNOT_COERCE, expression_position(from),
                        "cannot cast type %s to %s", type_name(binder, from->type),
                        type_name(binder, common));
        made->argument[i] = to;
    }
    return made;
}

struct expression *cast_bind(struct level *level, const TypeCast *cast)
{
    struct binder *binder = level->binder;
    const struct type *type;
    int32_t modifier;
    struct expression *from, *to;
    if (!type_of_name(level, cast->typeName, &type, &modifier))
        return NULL;
    if (IsA(cast->arg, A_ArrayExpr) && type_is_array(type)) {
        const struct type *element = type_by_oid(binder, type->element);
        if (!element)
            return NULL;
        from = array_bind(level, (const A_ArrayExpr *)cast->arg, type, element, modifier);
    } else {
        from = node_bind(level, cast->arg);
    }
    if (!from)
        return NULL;
    int32_t position = cast->location >= 0 ? cast->location : cast->typeName->location;
    if (!coerce_to_target(level, from, type, modifier, COERCE_EXPLICITLY, FORM_EXPLICIT, position, &to))
        return NULL;
    if (!to)
        return fail(binder, SQLSTATE_CANNOT_COERCE, position, "cannot cast type %s to %s",
                    type_name(binder, from->type), type_name(binder, type));
    return to;
}

struct expression *collate_bind(struct level *level, const CollateClause *clause)
{
    struct binder *binder = level->binder;
    struct expression *argument = node_bind(level, clause->arg);
    const char *schema, *name;
    if (!argument || !names_split(binder, clause->collname, &schema, &name))
        return NULL;
    if (!collation_of_type(argument->type) && argument->type->oid != TYPE_UNKNOWN)
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, clause->location,
                    "collations are not supported by type %s", type_name(binder, argument->type));
    uint32_t collation = 0;
    if (!schema || strcmp(schema, "pg_catalog") == 0) {
        if (strcmp(name, "C") == 0 || strcmp(name, "ucs_basic") == 0)
            collation = 950;
        else if (strcmp(name, "POSIX") == 0)
            collation = 951;
        else if (strcmp(name, "default") == 0)
            collation = 100;
    }
    if (!collation)
        return fail(binder, SQLSTATE_UNDEFINED_OBJECT, clause->location,
                    "collation \"%s\" for encoding \"UTF8\" does not exist",
                    names_text(binder, clause->collname));
    struct expression *made = make(binder, EXPRESSION_RELABEL, argument->type, clause->location);
    argument_add(binder, made, argument);
    made->modifier = argument->modifier;
    made->collation = collation;
    return made;
}

/* ---- the rest ---- */

static struct expression *bind_value_function(struct level *level, const SQLValueFunction *node)
{
    static const struct {
        uint8_t op, function;
        uint32_t type;
    } times[] = {
        {SVFOP_CURRENT_DATE, TIME_CURRENT_DATE, TYPE_DATE},
        {SVFOP_CURRENT_TIME, TIME_CURRENT_TIME, TYPE_TIMETZ},
        {SVFOP_CURRENT_TIME_N, TIME_CURRENT_TIME, TYPE_TIMETZ},
        {SVFOP_CURRENT_TIMESTAMP, TIME_CURRENT_TIMESTAMP, TYPE_TIMESTAMPTZ},
        {SVFOP_CURRENT_TIMESTAMP_N, TIME_CURRENT_TIMESTAMP, TYPE_TIMESTAMPTZ},
        {SVFOP_LOCALTIME, TIME_LOCALTIME, TYPE_TIME},
        {SVFOP_LOCALTIME_N, TIME_LOCALTIME, TYPE_TIME},
        {SVFOP_LOCALTIMESTAMP, TIME_LOCALTIMESTAMP, TYPE_TIMESTAMP},
        {SVFOP_LOCALTIMESTAMP_N, TIME_LOCALTIMESTAMP, TYPE_TIMESTAMP},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i].op == node->op) {
            struct expression *made =
                make(level->binder, EXPRESSION_TIME, builtin(times[i].type), node->location);
            made->number = times[i].function;
            made->modifier = node->typmod > 6 ? 6 : node->typmod;
            return made;
        }
    static const struct {
        const char *function, *keyword;
    } names[] = {
        [SVFOP_CURRENT_ROLE] = {"current_user", "CURRENT_ROLE"},
        [SVFOP_CURRENT_USER] = {"current_user", "CURRENT_USER"},
        [SVFOP_USER] = {"current_user", "USER"},
        [SVFOP_SESSION_USER] = {"session_user", "SESSION_USER"},
        [SVFOP_CURRENT_CATALOG] = {"current_database", "CURRENT_CATALOG"},
        [SVFOP_CURRENT_SCHEMA] = {"current_schema", "CURRENT_SCHEMA"},
    };
    struct expression *made = function_call_builtin(level, names[node->op].function, 0, NULL, node->location);
    if (made)
        made->name = names[node->op].keyword;
    return made;
}

static struct expression *bind_boolean_test(struct level *level, const BooleanTest *node)
{
    static const struct {
        uint8_t test;
        const char *name;
    } tests[] = {
        [IS_TRUE] = {TEST_TRUE, "IS TRUE"},          [IS_NOT_TRUE] = {TEST_NOT_TRUE, "IS NOT TRUE"},
        [IS_FALSE] = {TEST_FALSE, "IS FALSE"},       [IS_NOT_FALSE] = {TEST_NOT_FALSE, "IS NOT FALSE"},
        [IS_UNKNOWN] = {TEST_UNKNOWN, "IS UNKNOWN"}, [IS_NOT_UNKNOWN] = {TEST_NOT_UNKNOWN, "IS NOT UNKNOWN"},
    };
    struct expression *argument = node_bind(level, (const Node *)node->arg);
    if (!argument || !(argument = coerce_to_boolean(level, argument, tests[node->booltesttype].name)))
        return NULL;
    struct expression *made = make(level->binder, EXPRESSION_TEST, builtin(TYPE_BOOL), node->location);
    made->test = tests[node->booltesttype].test;
    argument_add(level->binder, made, argument);
    return made;
}

static struct expression *bind_current_of(struct level *level, const CurrentOfExpr *node)
{
    struct expression *made = make(level->binder, EXPRESSION_CURRENT_OF, builtin(TYPE_BOOL), -1);
    if (!node->cursor_name)
        return fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1,
                    "WHERE CURRENT OF with a parameter is not supported");
    made->name = scope_copy_text(level->binder->scope, node->cursor_name);
    made->range = level->query->result;
    return made;
}

static struct expression *bind_kind(struct level *level, const Node *node)
{
    struct binder *binder = level->binder;
    switch (nodeTag(node)) {
    case T_ColumnRef:
        return column_bind(level, (const ColumnRef *)node);
    case T_ParamRef:
        return parameter_bind(level, (const ParamRef *)node);
    case T_A_Const:
        return constant_bind(binder, (const A_Const *)node);
    case T_A_Indirection:
        return indirection_bind(level, (const A_Indirection *)node);
    case T_A_ArrayExpr:
        return array_bind(level, (const A_ArrayExpr *)node, NULL, NULL, -1);
    case T_TypeCast:
        return cast_bind(level, (const TypeCast *)node);
    case T_CollateClause:
        return collate_bind(level, (const CollateClause *)node);
    case T_A_Expr:
        return bind_a_expr(level, (const A_Expr *)node);
    case T_BoolExpr:
        return bind_boolean(level, (const BoolExpr *)node);
    case T_FuncCall:
        return function_bind(level, (const FuncCall *)node);
    case T_GroupingFunc:
        return grouping_bind(level, (const GroupingFunc *)node);
    case T_SubLink:
        return sublink_bind(level, (const SubLink *)node);
    case T_CaseExpr:
        return bind_case(level, (const CaseExpr *)node);
    case T_RowExpr:
        return row_bind(level, (const RowExpr *)node);
    case T_CoalesceExpr:
        return bind_alike(level, EXPRESSION_COALESCE, ((const CoalesceExpr *)node)->args, "COALESCE",
                          ((const CoalesceExpr *)node)->location);
    case T_MinMaxExpr: {
        const MinMaxExpr *extreme = (const MinMaxExpr *)node;
        bool greatest = extreme->op == IS_GREATEST;
        return bind_alike(level, greatest ? EXPRESSION_GREATEST : EXPRESSION_LEAST, extreme->args,
                          greatest ? "GREATEST" : "LEAST", extreme->location);
    }
    case T_SQLValueFunction:
        return bind_value_function(level, (const SQLValueFunction *)node);
    case T_NullTest: {
        const NullTest *test = (const NullTest *)node;
        struct expression *argument = node_bind(level, (const Node *)test->arg);
        return argument ? null_test(level, argument, test->nulltesttype == IS_NULL, test->location) : NULL;
    }
    case T_BooleanTest:
        return bind_boolean_test(level, (const BooleanTest *)node);
    case T_CurrentOfExpr:
        return bind_current_of(level, (const CurrentOfExpr *)node);
    case T_SetToDefault:
        return fail(binder, SQLSTATE_SYNTAX_ERROR, ((const SetToDefault *)node)->location,
                    "DEFAULT is not allowed in this context");
    case T_XmlExpr:
    case T_XmlSerialize:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1, "unsupported XML feature");
    default:
        return fail(binder, SQLSTATE_INTERNAL_ERROR, -1, "unrecognized node type: %d", (int)nodeTag(node));
    }
}

struct expression *node_bind(struct level *level, const Node *node)
{
    struct binder *binder = level->binder;
    if (!stack_suffices(binder))
        return NULL;
    if (binder->nesting >= NESTING_MAX)
        return fail(binder, SQLSTATE_STATEMENT_TOO_COMPLEX, -1, "stack depth limit exceeded");
    binder->nesting++;
    struct expression *bound = bind_kind(level, node);
    binder->nesting--;
    return bound;
}

struct expression *expression_bind(struct level *level, const Node *node, enum place place)
{
    uint8_t before = level->place;
    level->place = (uint8_t)place;
    struct expression *bound = node_bind(level, node);
    level->place = before;
    return bound;
}
