/* Target lists (parse_target.c): expressions with names, stars, where a column comes from. */
#include "sqlfront/bind/binder.h"

#define TARGETS_MAX 1664 /* PostgreSQL's MaxTupleAttributeNumber */

/* ---- names of columns (FigureColname) ---- */

static int name_of(const Node *node, const char **name);

static int name_of_query(const Node *node, const char **name)
{
    if (!IsA(node, SelectStmt))
        return 0;
    const SelectStmt *select = (const SelectStmt *)node;
    while (select->op != SETOP_NONE)
        select = select->larg;
    if (select->valuesLists) {
        *name = "column1";
        return 2;
    }
    if (!select->targetList)
        return 0;
    const ResTarget *first = linitial(select->targetList);
    if (first->name) {
        *name = first->name;
        return 2;
    }
    if (!name_of(first->val, name))
        *name = "?column?";
    return 2;
}

static int name_of_sublink(const SubLink *link, const char **name)
{
    switch (link->subLinkType) {
    case EXISTS_SUBLINK:
        *name = "exists";
        return 2;
    case ARRAY_SUBLINK:
        *name = "array";
        return 2;
    case EXPR_SUBLINK:
        return name_of_query(link->subselect, name);
    default:
        return 0;
    }
}

static int name_of_value_function(const SQLValueFunction *node, const char **name)
{
    static const char *const names[] = {
        [SVFOP_CURRENT_DATE] = "current_date",
        [SVFOP_CURRENT_TIME] = "current_time",
        [SVFOP_CURRENT_TIME_N] = "current_time",
        [SVFOP_CURRENT_TIMESTAMP] = "current_timestamp",
        [SVFOP_CURRENT_TIMESTAMP_N] = "current_timestamp",
        [SVFOP_LOCALTIME] = "localtime",
        [SVFOP_LOCALTIME_N] = "localtime",
        [SVFOP_LOCALTIMESTAMP] = "localtimestamp",
        [SVFOP_LOCALTIMESTAMP_N] = "localtimestamp",
        [SVFOP_CURRENT_ROLE] = "current_role",
        [SVFOP_CURRENT_USER] = "current_user",
        [SVFOP_USER] = "user",
        [SVFOP_SESSION_USER] = "session_user",
        [SVFOP_CURRENT_CATALOG] = "current_catalog",
        [SVFOP_CURRENT_SCHEMA] = "current_schema",
    };
    *name = names[node->op];
    return 2;
}

static int named(const char **name, const char *text, int strength)
{
    *name = text;
    return strength;
}

/* The last name in the list; 0 when it holds none. */
static int last_name(const List *list, const char **name)
{
    const ListCell *cell;
    int strength = 0;
    foreach(cell, list) if (IsA(lfirst(cell), String)) strength = named(name, node_string(lfirst(cell)), 2);
    return strength;
}

/* How good the name is: 2 of a column or function, 1 of a type, 0 none. */
static int name_of(const Node *node, const char **name)
{
    int strength;
    if (!node)
        return 0;
    switch (nodeTag(node)) {
    case T_ColumnRef:
        return last_name(((const ColumnRef *)node)->fields, name);
    case T_A_Indirection:
        strength = last_name(((const A_Indirection *)node)->indirection, name);
        return strength ? strength : name_of(((const A_Indirection *)node)->arg, name);
    case T_FuncCall:
        return named(name, node_string(llast(((const FuncCall *)node)->funcname)), 2);
    case T_A_Expr:
        return ((const A_Expr *)node)->kind == AEXPR_NULLIF ? named(name, "nullif", 2) : 0;
    case T_TypeCast:
        strength = name_of(((const TypeCast *)node)->arg, name);
        if (strength <= 1 && ((const TypeCast *)node)->typeName->names)
            return named(name, node_string(llast(((const TypeCast *)node)->typeName->names)), 1);
        return strength;
    case T_CollateClause:
        return name_of(((const CollateClause *)node)->arg, name);
    case T_GroupingFunc:
        return named(name, "grouping", 2);
    case T_SubLink:
        return name_of_sublink((const SubLink *)node, name);
    case T_CaseExpr:
        strength = name_of((const Node *)((const CaseExpr *)node)->defresult, name);
        return strength <= 1 ? named(name, "case", 1) : strength;
    case T_A_ArrayExpr:
        return named(name, "array", 2);
    case T_RowExpr:
        return named(name, "row", 2);
    case T_CoalesceExpr:
        return named(name, "coalesce", 2);
    case T_MinMaxExpr:
        return named(name, ((const MinMaxExpr *)node)->op == IS_GREATEST ? "greatest" : "least", 2);
    case T_SQLValueFunction:
        return name_of_value_function((const SQLValueFunction *)node, name);
    default:
        return 0;
    }
}

const char *target_name(struct binder *binder, const Node *node)
{
    const char *name = NULL;
    name_of(node, &name);
    return name ? scope_copy_text(binder->scope, name) : "?column?";
}

/* ---- where a column comes from (RowDescription's table oid and number) ---- */

static void origin_of(const struct level *level, const struct query *query, const struct expression *column,
                      struct target *target)
{
    if (column->kind != EXPRESSION_COLUMN || column->number <= 0)
        return;
    if (level)
        for (uint32_t up = 0; up < column->level; up++) {
            level = level->above;
            if (!level)
                return;
            query = level->query;
        }
    else if (column->level)
        return;
    const struct range *range = &query->range[column->range];
    const struct query *inner = range->query;
    if (range->kind == RANGE_RELATION || range->from_view) {
        target->relation = range->relation->oid;
        target->number = (int16_t)column->number;
        return;
    }
    if (range->kind == RANGE_COMMON && !range->common_self)
        inner = range->common->query;
    if (!inner || (range->kind != RANGE_SUBQUERY && range->kind != RANGE_COMMON) ||
        (uint32_t)column->number > query_columns(inner))
        return;
    const struct target *below = query_column(inner, (uint32_t)column->number - 1);
    target->relation = below->relation;
    target->number = below->number;
}

void target_origin(struct level *level, struct target *target)
{
    origin_of(level, level->query, target->expression, target);
}

/* ---- stars ---- */

bool node_is_star(const Node *node)
{
    if (IsA(node, ColumnRef))
        return IsA(llast(((const ColumnRef *)node)->fields), A_Star);
    return IsA(node, A_Indirection) && IsA(llast(((const A_Indirection *)node)->indirection), A_Star);
}

static bool expansion_add(struct binder *binder, struct expression ***expressions, const char ***names,
                          uint32_t *count, struct expression *expression, const char *name)
{
    *expressions = list_grow(binder, *expressions, *count, sizeof(struct expression *));
    *names = list_grow(binder, *names, *count, sizeof(char *));
    if (!*expressions || !*names)
        return false;
    (*expressions)[*count] = expression;
    (*names)[(*count)++] = name;
    return true;
}

bool space_expand(struct level *level, const struct space *space, uint32_t up, int32_t position,
                  struct expression ***expressions, const char ***names, uint32_t *count)
{
    struct level *owner = level;
    for (uint32_t i = 0; i < up; i++)
        owner = owner->above;
    struct range *range = &owner->query->range[space->range];
    if (range->kind == RANGE_RELATION)
        range->privileges |= PRIVILEGE_SELECT;
    for (uint32_t i = 0; i < space->columns; i++) {
        if (!space->names[i])
            continue;
        const struct expression *template = space->column[i];
        if (space->through)
            view_note_read(space->through, i);
        if (template->kind == EXPRESSION_COLUMN)
            column_note_read(level, up, template->range, template->number);
        for (uint32_t k = 0; k < template->arguments; k++)
            if (template->argument[k]->kind == EXPRESSION_COLUMN)
                column_note_read(level, up, template->argument[k]->range, template->argument[k]->number);
        if (!expansion_add(level->binder, expressions, names, count,
                           column_at_level(level->binder, template, up, position), space->names[i]))
            return false;
    }
    return true;
}

bool record_expand(struct level *level, struct expression *record, int32_t position,
                   struct expression ***expressions, const char ***names, uint32_t *count)
{
    struct binder *binder = level->binder;
    if (record->kind == EXPRESSION_WHOLE_ROW) {
        struct level *owner = level;
        for (uint32_t i = 0; i < record->level; i++)
            owner = owner->above;
        return space_expand(level, owner->range_space[record->range], record->level, position, expressions,
                            names, count);
    }
    if (record->kind == EXPRESSION_ROW) {
        for (uint32_t i = 0; i < record->arguments; i++)
            if (!expansion_add(binder, expressions, names, count, record->argument[i],
                               record->type->fields ? record->type->fields[i].name : "?column?"))
                return false;
        return true;
    }
    if (!type_is_composite(record->type) || !record->type->fields) {
        if (type_is_composite(record->type))
            fail(binder, SQLSTATE_SYNTAX_ERROR, position, "record type has not been registered");
        else
            fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, position, "type %s is not composite",
                 type_name(binder, record->type));
        return false;
    }
    for (uint32_t i = 0; i < record->type->field_count; i++) {
        const struct row_field *field = &record->type->fields[i];
        if (!field->name)
            continue;
        const struct type *type = type_by_oid(binder, field->type);
        if (!type)
            return false;
        struct expression *made = make(binder, EXPRESSION_FIELD, type, position);
        made->number = (int32_t)i + 1;
        made->modifier = field->modifier;
        argument_add(binder, made, record);
        if (!expansion_add(binder, expressions, names, count, made, field->name))
            return false;
    }
    return true;
}

static bool expand_all(struct level *level, int32_t position, struct expression ***expressions,
                       const char ***names, uint32_t *count)
{
    bool any = false;
    for (uint32_t i = 0; i < level->spaces; i++) {
        const struct space *space = level->space[i];
        if (!space->columns_visible)
            continue;
        any = true;
        if (!space_expand(level, space, 0, position, expressions, names, count))
            return false;
    }
    if (!any)
        fail(level->binder, SQLSTATE_SYNTAX_ERROR, position,
             "SELECT * with no tables specified is not valid");
    return any;
}

static bool expand_reference(struct level *level, const ColumnRef *reference,
                             struct expression ***expressions, const char ***names, uint32_t *count)
{
    const List *fields = reference->fields;
    int length = list_length(fields);
    int32_t position = reference->location;
    if (length == 1)
        return expand_all(level, position, expressions, names, count);
    const char *name = node_string(list_nth(fields, length - 2));
    const char *schema = length > 2 ? node_string(list_nth(fields, length - 3)) : NULL;
    struct space *space;
    uint32_t up;
    if (!space_find(level, schema, name, position, &space, &up))
        return false;
    if (space)
        return space_expand(level, space, up, position, expressions, names, count);
    /* (x).*, written without the parentheses: x a column of a row type. */
    struct expression *column = NULL;
    if (length == 2 && !column_find(level, name, position, &column))
        return false;
    if (!column || !type_is_composite(column->type)) {
        fail_missing_range(level, schema, name, position);
        return false;
    }
    return record_expand(level, column, position, expressions, names, count);
}

bool star_expand(struct level *level, const Node *node, struct expression ***expressions, const char ***names,
                 uint32_t *count)
{
    *expressions = NULL;
    *names = NULL;
    *count = 0;
    if (IsA(node, ColumnRef))
        return expand_reference(level, (const ColumnRef *)node, expressions, names, count);
    A_Indirection inner = *(const A_Indirection *)node;
    List shorter = *inner.indirection;
    shorter.length--;
    inner.indirection = &shorter;
    struct expression *record = indirection_bind(level, &inner);
    return record && record_expand(level, record, record->position, expressions, names, count);
}

/* ---- lists ---- */

static bool list_add(struct binder *binder, struct target **targets, uint32_t *count,
                     struct expression *expression, const char *name)
{
    *targets = list_grow(binder, *targets, *count, sizeof **targets);
    if (!*targets)
        return false;
    if (*count >= TARGETS_MAX) {
        fail(binder, SQLSTATE_TOO_MANY_COLUMNS, -1, "target lists can have at most %d entries", TARGETS_MAX);
        return false;
    }
    (*targets)[(*count)++] = (struct target){.expression = expression, .name = name};
    return true;
}

struct target *target_add(struct level *level, struct expression *expression, const char *name, bool hidden)
{
    struct query *query = level->query;
    if (!list_add(level->binder, &query->target, &query->targets, expression, name))
        return NULL;
    query->target[query->targets - 1].hidden = hidden;
    return &query->target[query->targets - 1];
}

/* Name of an expression: a subquery's is that of its own column, which only the bound one knows for sure. */
static const char *name_for(struct binder *binder, const ResTarget *item, const struct expression *bound)
{
    if (item->name)
        return scope_copy_text(binder->scope, item->name);
    if (IsA(item->val, SubLink) && bound->kind == EXPRESSION_SUBQUERY &&
        bound->subquery_kind == SUBQUERY_SCALAR)
        return query_column(bound->query, 0)->name;
    return target_name(binder, item->val);
}

bool targets_bind(struct level *level, const List *list, enum place place, struct target **targets,
                  uint32_t *count)
{
    struct binder *binder = level->binder;
    const ListCell *cell;
    uint8_t before = level->place;
    level->place = (uint8_t)place;
    foreach(cell, list)
    {
        const ResTarget *item = lfirst(cell);
        if (node_is_star(item->val)) {
            struct expression **expressions;
            const char **names;
            uint32_t expanded;
            if (!star_expand(level, item->val, &expressions, &names, &expanded))
                return false;
            for (uint32_t i = 0; i < expanded; i++)
                if (!list_add(binder, targets, count, expressions[i], names[i]))
                    return false;
            continue;
        }
        level->last_set_call = NULL;
        struct expression *bound = node_bind(level, item->val);
        if (!bound || !list_add(binder, targets, count, bound, name_for(binder, item, bound)))
            return false;
    }
    level->place = before;
    return true;
}

bool targets_settle_unknown(struct level *level, struct target *targets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct expression *expression = targets[i].expression;
        if (expression_is_unknown(expression) &&
            !(targets[i].expression =
                  coerce(level, expression, builtin(TYPE_TEXT), -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return false;
    }
    return true;
}

uint32_t query_columns(const struct query *query)
{
    if (query->kind != QUERY_SELECT)
        return query->returnings;
    uint32_t columns = 0;
    for (uint32_t i = 0; i < query->targets; i++)
        columns += !query->target[i].hidden;
    return columns;
}

const struct target *query_column(const struct query *query, uint32_t index)
{
    if (query->kind != QUERY_SELECT)
        return &query->returning[index];
    for (uint32_t i = 0; i < query->targets; i++)
        if (!query->target[i].hidden && index-- == 0)
            return &query->target[i];
    return NULL;
}
