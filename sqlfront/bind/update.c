/* UPDATE, DELETE, RETURNING, and assignments: to columns, to their elements and fields, to several at once. */
#include "sqlfront/bind/binder.h"

static const struct relation *target_of(const struct level *level)
{
    return level->query->range[level->query->result].relation;
}

/* ---- one assignment ---- */

struct assignment {
    struct level *level;
    const char *column;
    const List *indirection;
    struct expression *value;
    int32_t position;
};

static struct expression *assign_into(struct assignment *assignment, struct expression *base,
                                      const struct type *type, int32_t modifier, int at, const char *field,
                                      bool subscripted);

static struct expression *assign_value(struct assignment *assignment, const struct type *type,
                                       int32_t modifier, const char *field, bool subscripted)
{
    struct level *level = assignment->level;
    struct binder *binder = level->binder;
    struct expression *value = assignment->value, *to;
    if (!coerce_to_target(level, value, type, modifier, COERCE_ASSIGN, FORM_IMPLICIT, -1, &to))
        return NULL;
    if (to)
        return to;
    if (subscripted)
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(value),
             "subscripted assignment to \"%s\" requires type %s but expression is of type %s", field,
             type_name(binder, type), type_name(binder, value->type));
    else
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(value),
             assignment->indirection ? "subfield \"%s\" is of type %s but expression is of type %s"
                                     : "column \"%s\" is of type %s but expression is of type %s",
             field, type_name(binder, type), type_name(binder, value->type));
    fail_hint(binder, "You will need to rewrite or cast the expression.");
    return NULL;
}

/* t.f = x: the whole row with another field. */
static struct expression *assign_field(struct assignment *assignment, struct expression *base,
                                       const struct type *type, int at, const char *column)
{
    struct binder *binder = assignment->level->binder;
    const char *name = node_string(list_nth(assignment->indirection, at));
    uint32_t index = 0;
    if (!type_is_composite(type) || !type->fields)
        return fail(
            binder, SQLSTATE_DATATYPE_MISMATCH, -1,
            "cannot assign to field \"%s\" of column \"%s\" because its type %s is not a composite type",
            name, column, type_name(binder, type));
    while (index < type->field_count &&
           (!type->fields[index].name || strcmp(type->fields[index].name, name) != 0))
        index++;
    if (index == type->field_count)
        return fail(
            binder, SQLSTATE_UNDEFINED_COLUMN, -1,
            "cannot assign to field \"%s\" of column \"%s\" because there is no such column in data type %s",
            name, column, type_name(binder, type));
    struct expression *made = make(binder, EXPRESSION_ROW, type, -1);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct type *field_type = type_by_oid(binder, type->fields[i].type);
        if (!field_type)
            return NULL;
        struct expression *field = make(binder, EXPRESSION_FIELD, field_type, -1);
        field->number = (int32_t)i + 1;
        field->modifier = type->fields[i].modifier;
        argument_add(binder, field, base);
        if (i == index && !(field = assign_into(assignment, field, field_type, type->fields[i].modifier,
                                                at + 1, name, false)))
            return NULL;
        argument_add(binder, made, field);
    }
    return made;
}

static struct expression *assign_elements(struct assignment *assignment, struct expression *base,
                                          const struct type *type, int32_t modifier, int at, const char *name)
{
    struct level *level = assignment->level;
    struct binder *binder = level->binder;
    int end = at;
    bool slice = false;
    while (end < list_length(assignment->indirection) &&
           IsA(list_nth(assignment->indirection, end), A_Indices)) {
        slice |= ((const A_Indices *)list_nth(assignment->indirection, end))->is_slice;
        end++;
    }
    List run = {.type = T_List,
                .length = end - at,
                .max_length = end - at,
                .elements = assignment->indirection->elements + at};
    if (type->oid != TYPE_JSONB && !type->element)
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, assignment->position,
                    "cannot subscript type %s because it does not support subscripting",
                    type_name(binder, type));
    const struct type *element = type->oid == TYPE_JSONB || slice ? type : type_by_oid(binder, type->element);
    if (!element)
        return NULL;
    struct expression *inner = base;
    if (end < list_length(assignment->indirection) && !(inner = subscripts_bind(level, base, &run, -1, NULL)))
        return NULL;
    struct expression *value = assign_into(assignment, inner, element, modifier, end, name, true);
    return value ? subscripts_bind(level, base, &run, -1, value) : NULL;
}

static struct expression *assign_into(struct assignment *assignment, struct expression *base,
                                      const struct type *type, int32_t modifier, int at, const char *field,
                                      bool subscripted)
{
    if (!stack_suffices(assignment->level->binder))
        return NULL;
    if (at >= list_length(assignment->indirection))
        return assign_value(assignment, type, modifier, field, subscripted);
    const Node *next = list_nth(assignment->indirection, at);
    if (IsA(next, A_Star))
        return fail(assignment->level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1,
                    "row expansion via \"*\" is not supported here");
    return IsA(next, A_Indices) ? assign_elements(assignment, base, type, modifier, at, field)
                                : assign_field(assignment, base, type, at, field);
}

struct expression *assignment_coerce(struct level *level, struct expression *value,
                                     const struct column *column, const List *indirection, int32_t position,
                                     bool is_insert)
{
    struct binder *binder = level->binder;
    struct assignment assignment = {.level = level,
                                    .column = column->name,
                                    .indirection = indirection,
                                    .value = value,
                                    .position = position};
    struct expression *base = NULL;
    if (indirection) {
        base = is_insert ? make(binder, EXPRESSION_CONSTANT, column->type, -1)
                         : expression_column(binder->scope, level->query->result, column->number,
                                             column->type, column->modifier, column->collation);
        if (is_insert)
            base->constant = value_null();
        else
            column_note_read(level, 0, level->query->result, column->number);
    }
    return assign_into(&assignment, base, column->type, column->modifier, 0, column->name, false);
}

/* ---- SET lists ---- */

/* (a, b) = ...: the source is bound once, for the first of the columns. */
struct multiple {
    const Node *node;
    struct expression *source;
};

static struct expression *multiple_bind(struct level *level, const MultiAssignRef *reference,
                                        struct multiple *multiple)
{
    struct binder *binder = level->binder;
    const Node *node = reference->source;
    uint32_t index = (uint32_t)reference->colno - 1, columns = (uint32_t)reference->ncolumns;
    if (IsA(node, SubLink) && ((const SubLink *)node)->subLinkType == EXPR_SUBLINK) {
        if (multiple->node != node) {
            SubLink link = *(const SubLink *)node;
            link.subLinkType = MULTIEXPR_SUBLINK;
            multiple->node = node;
            if (!(multiple->source = expression_bind(level, (const Node *)&link, PLACE_UPDATE_SOURCE)))
                return NULL;
            if (query_columns(multiple->source->query) != columns)
                return fail(binder, SQLSTATE_SYNTAX_ERROR, link.location,
                            "number of columns does not match number of values");
        }
        const struct expression *column = query_column(multiple->source->query, index)->expression;
        struct expression *made = make(binder, EXPRESSION_FIELD, column->type, -1);
        made->number = (int32_t)index + 1;
        made->modifier = column->modifier;
        argument_add(binder, made, multiple->source);
        return made;
    }
    if (!IsA(node, RowExpr))
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, node_position(node),
                    "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression");
    const RowExpr *row = (const RowExpr *)node;
    if ((uint32_t)list_length(row->args) != columns)
        return fail(binder, SQLSTATE_SYNTAX_ERROR, row->location,
                    "number of columns does not match number of values");
    const Node *item = list_nth(row->args, (int)index);
    if (IsA(item, SetToDefault))
        return make(binder, EXPRESSION_DEFAULT, builtin(TYPE_UNKNOWN),
                    ((const SetToDefault *)item)->location);
    return expression_bind(level, item, PLACE_UPDATE_SOURCE);
}

static struct expression *default_value(struct level *level, const struct column *column)
{
    struct expression *value = column_default(level, target_of(level), (uint32_t)column->number - 1);
    if (value)
        return value;
    value = make(level->binder, EXPRESSION_CONSTANT, column->type, -1);
    value->constant = value_null();
    value->modifier = column->modifier;
    return value;
}

static bool may_be_updated(struct level *level, const struct column *column, bool is_default)
{
    struct binder *binder = level->binder;
    if (is_default || (!column->generated && column->identity != 'a'))
        return true;
    fail(binder, SQLSTATE_GENERATED_ALWAYS, -1, "column \"%s\" can only be updated to DEFAULT", column->name);
    fail_detail(binder,
                column->generated ? "Column \"%s\" is a generated column."
                                  : "Column \"%s\" is an identity column defined as GENERATED ALWAYS.",
                column->name);
    return false;
}

/* a[1] = x, a[2] = y: the second assigns to what the first made. */
static bool chain(struct expression *value, struct expression *before)
{
    struct expression *at = value;
    while (at->kind == EXPRESSION_ASSIGN_SUBSCRIPT && at->argument[0]->kind == EXPRESSION_ASSIGN_SUBSCRIPT)
        at = at->argument[0];
    if (at->kind != EXPRESSION_ASSIGN_SUBSCRIPT || before->kind != EXPRESSION_ASSIGN_SUBSCRIPT)
        return false;
    at->argument[0] = before;
    return true;
}

bool assignments_bind(struct level *level, const List *list, struct target **targets, uint32_t *count)
{
    struct binder *binder = level->binder;
    const struct relation *relation = target_of(level);
    struct multiple multiple = {0};
    const ListCell *cell;
    foreach(cell, list)
    {
        const ResTarget *item = lfirst(cell);
        struct expression *value;
        level->last_set_call = NULL;
        if (IsA(item->val, MultiAssignRef))
            value = multiple_bind(level, (const MultiAssignRef *)item->val, &multiple);
        else if (IsA(item->val, SetToDefault))
            value = make(binder, EXPRESSION_DEFAULT, builtin(TYPE_UNKNOWN), node_position(item->val));
        else
            value = expression_bind(level, item->val, PLACE_UPDATE_SOURCE);
        if (!value)
            return false;
        int16_t number = target_column(level, item->name, false);
        if (number < 0)
            return false;
        if (!number) {
            fail(binder, SQLSTATE_UNDEFINED_COLUMN, item->location,
                 "column \"%s\" of relation \"%s\" does not exist", item->name,
                 level->view ? level->view->view->name : relation->name);
            return false;
        }
        const struct column *column = &relation->column[number - 1];
        bool is_default = value->kind == EXPRESSION_DEFAULT;
        if (is_default && item->indirection) {
            fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, value->position,
                 IsA(linitial(item->indirection), A_Indices) ? "cannot set an array element to DEFAULT"
                                                             : "cannot set a subfield to DEFAULT");
            return false;
        }
        uint8_t place = level->place;
        level->place = PLACE_UPDATE_TARGET;
        if (!is_default &&
            !(value = assignment_coerce(level, value, column, item->indirection, item->location, false)))
            return false;
        level->place = place;
        if (!may_be_updated(level, column, is_default))
            return false;
        struct range *range = &level->query->range[level->query->result];
        range->columns_written[number / 64] |= 1ULL << (number % 64);
        if (column->generated)
            continue;
        if (is_default)
            value = default_value(level, column);
        bool chained = false;
        for (uint32_t i = 0; i < *count && !chained; i++) {
            if ((*targets)[i].assigned != number)
                continue;
            if (!item->indirection || !(chained = chain(value, (*targets)[i].expression))) {
                fail(binder, SQLSTATE_SYNTAX_ERROR, -1, "multiple assignments to same column \"%s\"",
                     column->name);
                return false;
            }
            (*targets)[i].expression = value;
        }
        if (chained)
            continue;
        *targets = list_grow(binder, *targets, *count, sizeof **targets);
        (*targets)[(*count)++] =
            (struct target){.expression = value, .name = column->name, .assigned = number};
    }
    return true;
}

/* ---- the statements ---- */

bool returning_bind(struct level *level, const List *list)
{
    struct query *query = level->query;
    if (!list)
        return true;
    if (!targets_bind(level, list, PLACE_RETURNING, &query->returning, &query->returnings))
        return false;
    if (query->returnings == 0) {
        fail(level->binder, SQLSTATE_SYNTAX_ERROR, node_position(linitial(list)),
             "RETURNING must have at least one column");
        return false;
    }
    if (!targets_settle_unknown(level, query->returning, query->returnings))
        return false;
    for (uint32_t i = 0; i < query->returnings; i++)
        target_origin(level, &query->returning[i]);
    return true;
}

/* FROM of UPDATE, USING of DELETE: the table written to may not be named in its LATERAL items. */
static bool further_from(struct level *level, const List *list)
{
    level->target_space->lateral_only = true;
    level->target_space->lateral_ok = false;
    if (!from_bind(level, list))
        return false;
    level->target_space->lateral_only = false;
    level->target_space->lateral_ok = true;
    return true;
}

/* Of a view only the rows that it shows are written to. */
static bool where_of(struct level *level, const Node *node)
{
    struct expression *where = NULL;
    if (node && !(where = where_bind(level, node, PLACE_WHERE, "WHERE")))
        return false;
    level->query->where =
        expression_and(level->binder->scope, level->view ? level->view->where : NULL, where);
    return true;
}

bool update_bind(struct level *level, const UpdateStmt *update)
{
    struct query *query = level->query;
    query->kind = QUERY_UPDATE;
    if (update->withClause && !commons_bind(level, update->withClause))
        return false;
    return target_relation_open(level, update->relation, true, PRIVILEGE_UPDATE) &&
           further_from(level, update->fromClause) && where_of(level, update->whereClause) &&
           returning_bind(level, update->returningList) &&
           assignments_bind(level, update->targetList, &query->target, &query->targets);
}

bool delete_bind(struct level *level, const DeleteStmt *delete)
{
    level->query->kind = QUERY_DELETE;
    if (delete->withClause && !commons_bind(level, delete->withClause))
        return false;
    return target_relation_open(level, delete->relation, true, PRIVILEGE_DELETE) &&
           further_from(level, delete->usingClause) && where_of(level, delete->whereClause) &&
           returning_bind(level, delete->returningList);
}
