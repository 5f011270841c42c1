/* Subqueries in expressions (transformSubLink). */
#include "sqlfront/bind/binder.h"

static struct expression *make_subquery(struct level *level, const SubLink *link, struct query *query,
                                        enum subquery_kind kind, const struct type *type)
{
    struct expression *made = make(level->binder, EXPRESSION_SUBQUERY, type, link->location);
    made->subquery_kind = (uint8_t)kind;
    made->query = query;
    level->query->has_subqueries = true;
    return made;
}

static struct expression *one_column(struct level *level, const SubLink *link, struct query *query)
{
    struct binder *binder = level->binder;
    if (query_columns(query) != 1)
        return fail(binder, SQLSTATE_SYNTAX_ERROR, link->location, "subquery must return only one column");
    const struct expression *column = query_column(query, 0)->expression;
    if (link->subLinkType == EXPR_SUBLINK) {
        struct expression *made = make_subquery(level, link, query, SUBQUERY_SCALAR, column->type);
        made->modifier = column->modifier;
        made->collation = column->collation;
        return made;
    }
    uint32_t array = column->type->array;
    if (!array && type_is_array(column->type))
        array = column->type->oid;
    if (!array)
        return fail(binder, SQLSTATE_UNDEFINED_OBJECT, link->location,
                    "could not find array type for data type %s", type_name(binder, column->type));
    const struct type *type = type_by_oid(binder, array);
    return type ? make_subquery(level, link, query, SUBQUERY_ARRAY, type) : NULL;
}

static bool left_arguments(struct level *level, const Node *test, struct expression ***left, uint32_t *count)
{
    struct expression *bound = node_bind(level, test);
    if (!bound)
        return false;
    if (IsA(test, RowExpr)) {
        *left = bound->argument;
        *count = bound->arguments;
        return true;
    }
    *left = memory(level->binder, sizeof(struct expression *));
    (*left)[0] = bound;
    *count = 1;
    return true;
}

static bool same_count(struct level *level, const SubLink *link, uint32_t left, uint32_t right)
{
    if (left == right)
        return true;
    fail(level->binder, SQLSTATE_SYNTAX_ERROR, link->location,
         left < right ? "subquery has too many columns" : "subquery has too few columns");
    return false;
}

static const struct type *row_type_of_query(struct binder *binder, const struct query *query)
{
    uint32_t count = query_columns(query);
    const struct type **types = memory(binder, (count + 1) * sizeof *types);
    const char **names = memory(binder, (count + 1) * sizeof *names);
    int32_t *modifiers = memory(binder, (count + 1) * sizeof *modifiers);
    for (uint32_t i = 0; i < count; i++) {
        const struct target *target = query_column(query, i);
        types[i] = target->expression->type;
        names[i] = target->name;
        modifiers[i] = target->expression->modifier;
    }
    return record_type(binder, count, names, types, modifiers);
}

/* Field `index` of a subquery that gives a row. */
static struct expression *row_field(struct binder *binder, struct expression *row, uint32_t index)
{
    const struct expression *column = query_column(row->query, index)->expression;
    struct expression *made = make(binder, EXPRESSION_FIELD, column->type, row->position);
    made->number = (int32_t)index + 1;
    made->modifier = column->modifier;
    argument_add(binder, made, row);
    return made;
}

static struct expression *row_comparison(struct level *level, const SubLink *link, struct query *query)
{
    struct binder *binder = level->binder;
    struct expression **left;
    uint32_t count, columns = query_columns(query);
    if (!left_arguments(level, link->testexpr, &left, &count) || !same_count(level, link, count, columns))
        return NULL;
    struct expression *row =
        make_subquery(level, link, query, SUBQUERY_ROW, row_type_of_query(binder, query));
    struct expression **right = memory(binder, (columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < columns; i++)
        right[i] = row_field(binder, row, i);
    return row_compare_make(level, link->operName, left, right, columns, link->location);
}

static struct expression *any_or_all(struct level *level, const SubLink *link, struct query *query)
{
    struct binder *binder = level->binder;
    struct expression **left;
    uint32_t count, columns = query_columns(query);
    if (!left_arguments(level, link->testexpr, &left, &count) || !same_count(level, link, count, columns))
        return NULL;
    struct expression **right = memory(binder, (columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < columns; i++) {
        const struct expression *column = query_column(query, i)->expression;
        right[i] = make(binder, EXPRESSION_PARAMETER, column->type, link->location);
        right[i]->parameter_source = PARAMETER_SUBQUERY;
        right[i]->number = (int32_t)i;
        right[i]->modifier = column->modifier;
    }
    struct expression *made =
        make_subquery(level, link, query, link->subLinkType == ANY_SUBLINK ? SUBQUERY_ANY : SUBQUERY_ALL,
                      builtin(TYPE_BOOL));
    String part = {.type = T_String, .sval = (char *)(uintptr_t) "="};
    ListCell cell = {.ptr_value = &part};
    List equal = {.type = T_List, .length = 1, .max_length = 1, .elements = &cell};
    made->test_expression = row_compare_make(level, link->operName ? link->operName : &equal, left, right,
                                             columns, link->location);
    if (!made->test_expression)
        return NULL;
    made->operator_form = link->operName != NULL; /* = ANY (...) and IN (...) are written as they were */
    made->operator= made->test_expression->operator;
    made->argument = left;
    made->arguments = count;
    return made;
}

struct expression *sublink_bind(struct level *level, const SubLink *link)
{
    struct binder *binder = level->binder;
    switch (level->place) {
    case PLACE_CHECK:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, link->location,
                    "cannot use subquery in check constraint");
    case PLACE_DEFAULT:
    case PLACE_FUNCTION_DEFAULT:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, link->location,
                    "cannot use subquery in DEFAULT expression");
    case PLACE_INDEX:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, link->location,
                    "cannot use subquery in index expression");
    case PLACE_INDEX_PREDICATE:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, link->location,
                    "cannot use subquery in index predicate");
    case PLACE_ALTER_TYPE:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, link->location,
                    "cannot use subquery in transform expression");
    case PLACE_GENERATED:
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, link->location,
                    "cannot use subquery in column generation expression");
    default:
        break;
    }
    struct query *query = query_bind(binder, level, link->subselect, false);
    if (!query)
        return NULL;
    switch (link->subLinkType) {
    case EXISTS_SUBLINK:
        return make_subquery(level, link, query, SUBQUERY_EXISTS, builtin(TYPE_BOOL));
    case EXPR_SUBLINK:
    case ARRAY_SUBLINK:
        return one_column(level, link, query);
    case ROWCOMPARE_SUBLINK:
        return row_comparison(level, link, query);
    case MULTIEXPR_SUBLINK:
        return make_subquery(level, link, query, SUBQUERY_ROW, row_type_of_query(binder, query));
    default:
        return any_or_all(level, link, query);
    }
}
