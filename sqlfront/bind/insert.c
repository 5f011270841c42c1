/* INSERT (transformInsertStmt, and the filling in of defaults that PostgreSQL's rewriter does). */
#include "sqlfront/bind/binder.h"

int16_t relation_column(const struct relation *relation, const char *name)
{
    for (uint32_t i = 0; i < relation->columns; i++)
        if (!relation->column[i].dropped && strcmp(relation->column[i].name, name) == 0)
            return (int16_t)(i + 1);
    return 0;
}

bool target_relation_open(struct level *level, const RangeVar *variable, bool in_from, uint32_t privileges)
{
    struct binder *binder = level->binder;
    const struct relation *relation;
    uint32_t range;
    if (!relation_open(level, variable, &relation))
        return false;
    if (relation->kind == RELATION_SEQUENCE) {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, -1, "cannot change sequence \"%s\"", relation->name);
        return false;
    }
    RangeVar named = *variable;
    Alias alias = {.type = T_Alias, .aliasname = (char *)(uintptr_t)relation->name};
    if (relation->kind == RELATION_VIEW) {
        if (!(level->view = view_target_find(level, relation, privileges)))
            return false;
        relation = level->view->table;
        if (variable->alias)
            alias.aliasname = variable->alias->aliasname;
        named.alias = &alias;
    }
    if (!range_relation_add(level, &named, relation, &range))
        return false;
    level->query->result = range;
    level->query->range[range].privileges |= privileges;
    level->target_space = space_add(level, range, true, true);
    if (level->view) {
        view_target_privileges(level, privileges);
        space_of_view(level, level->target_space, level->view);
    }
    if (in_from)
        space_push(level, level->target_space);
    return !bind_table(binder->request, relation, &level->query->bound, binder->error);
}

static const struct relation *target_of(const struct level *level)
{
    return level->query->range[level->query->result].relation;
}

/* A view's column may have a default of its own. */
static struct expression *view_default(struct level *level, uint32_t index)
{
    const struct view_target *view = level->view;
    struct error unused;
    struct table_bound *bound;
    for (uint32_t i = 0; view && i < view->columns; i++) {
        const struct expression *column = view->column[i];
        if (column->kind != EXPRESSION_COLUMN || column->number != (int32_t)index + 1 ||
            !view->view->column[i].default_text)
            continue;
        return bind_table(level->binder->request, view->view, &bound, &unused) ? NULL : bound->defaults[i];
    }
    return NULL;
}

struct expression *column_default(struct level *level, const struct relation *relation, uint32_t index)
{
    struct expression *own = view_default(level, index);
    /* UPDATE asks the view alone, as in PostgreSQL. */
    bool asks_view_alone = level->view && level->query->kind == QUERY_UPDATE;
    return own || asks_view_alone ? own : level->query->bound->defaults[index];
}

static void *column_missing(struct level *level, const char *name, int32_t position)
{
    const struct relation *named = level->view ? level->view->view : target_of(level);
    return fail(level->binder, SQLSTATE_UNDEFINED_COLUMN, position,
                "column \"%s\" of relation \"%s\" does not exist", name, named->name);
}

bool insert_columns(struct level *level, const List *list, const struct relation *relation,
                    const ResTarget ***items, int16_t **numbers, uint32_t *count)
{
    struct binder *binder = level->binder;
    uint32_t given = (uint32_t)list_length(list);
    *numbers = memory(binder, (given + relation->columns + 1) * sizeof **numbers);
    *items = memory(binder, (given + relation->columns + 1) * sizeof(ResTarget *));
    *count = 0;
    for (uint32_t i = 0; !list && !level->view && i < relation->columns; i++)
        if (!relation->column[i].dropped)
            (*numbers)[(*count)++] = (int16_t)(i + 1);
    for (uint32_t i = 0; !list && level->view && i < level->view->columns; i++) {
        int16_t number = target_column(level, level->view->view->column[i].name, true);
        if (number < 0)
            return false;
        (*numbers)[(*count)++] = number;
    }
    const ListCell *cell;
    foreach(cell, list)
    {
        const ResTarget *item = lfirst(cell);
        int16_t number = target_column(level, item->name, true);
        if (number < 0)
            return false;
        if (!number)
            return column_missing(level, item->name, item->location) != NULL;
        for (uint32_t i = 0; i < *count; i++)
            if ((*numbers)[i] == number && (!item->indirection || !(*items)[i]->indirection)) {
                fail(binder, SQLSTATE_DUPLICATE_COLUMN, item->location,
                     "column \"%s\" specified more than once", item->name);
                return false;
            }
        (*items)[*count] = item;
        (*numbers)[(*count)++] = number;
    }
    return true;
}

/* ---- one row of values to the columns ---- */

static bool counts_match(struct level *level, struct expression *const *row, uint32_t given,
                         const ResTarget *const *items, uint32_t wanted, bool exact)
{
    struct binder *binder = level->binder;
    if (given > wanted) {
        fail(binder, SQLSTATE_SYNTAX_ERROR, expression_position(row[wanted]),
             "INSERT has more expressions than target columns");
        return false;
    }
    if (given < wanted && exact) {
        fail(binder, SQLSTATE_SYNTAX_ERROR, items[given] ? items[given]->location : -1,
             "INSERT has more target columns than expressions");
        if (given == 1 && row[0]->kind == EXPRESSION_ROW && row[0]->arguments == wanted)
            fail_hint(binder,
                      "The insertion source is a row expression containing the same number of columns "
                      "expected by the INSERT. Did you accidentally use extra parentheses?");
        return false;
    }
    return true;
}

static bool may_be_given(struct level *level, const struct column *column, struct expression **value)
{
    struct binder *binder = level->binder;
    const struct query *query = level->query;
    bool is_default = (*value)->kind == EXPRESSION_DEFAULT;
    if (column->generated && !is_default) {
        fail(binder, SQLSTATE_GENERATED_ALWAYS, -1, "cannot insert a non-DEFAULT value into column \"%s\"",
             column->name);
        fail_detail(binder, "Column \"%s\" is a generated column.", column->name);
        return false;
    }
    if (column->identity == 'a' && !is_default && !query->overriding_system && !query->overriding_user) {
        fail(binder, SQLSTATE_GENERATED_ALWAYS, -1, "cannot insert a non-DEFAULT value into column \"%s\"",
             column->name);
        fail_detail(binder, "Column \"%s\" is an identity column defined as GENERATED ALWAYS.", column->name);
        fail_hint(binder, "Use OVERRIDING SYSTEM VALUE to override.");
        return false;
    }
    if (column->identity && query->overriding_user)
        *value = make(binder, EXPRESSION_DEFAULT, builtin(TYPE_UNKNOWN), -1);
    return true;
}

/* The value as the column takes it; DEFAULT stays. */
static struct expression *value_settle(struct level *level, struct expression *value,
                                       const struct column *column, const ResTarget *item)
{
    if (value->kind == EXPRESSION_DEFAULT)
        return value;
    return assignment_coerce(level, value, column, item ? item->indirection : NULL,
                             item ? item->location : -1, true);
}

static struct expression *default_or_null(struct level *level, const struct relation *relation,
                                          int16_t number)
{
    struct expression *value = column_default(level, relation, (uint32_t)number - 1);
    if (value)
        return value;
    const struct column *column = &relation->column[number - 1];
    value = make(level->binder, EXPRESSION_CONSTANT, column->type, -1);
    value->constant = value_null();
    value->modifier = column->modifier;
    return value;
}

/* ---- the target list: a value for each column that has one ---- */

struct inserting {
    const struct relation *relation;
    const ResTarget **items;
    int16_t *numbers;
    uint32_t count;
    struct expression **value; /* per column of the relation */
};

static void note_written(struct level *level, int16_t number)
{
    struct range *range = &level->query->range[level->query->result];
    range->columns_written[number / 64] |= 1ULL << (number % 64);
}

static bool inserting_set(struct level *level, struct inserting *inserting, struct expression *const *row,
                          uint32_t given)
{
    for (uint32_t i = 0; i < given; i++) {
        int16_t number = inserting->numbers[i];
        const struct column *column = &inserting->relation->column[number - 1];
        struct expression *value = row[i];
        if (!may_be_given(level, column, &value) ||
            !(value = value_settle(level, value, column, inserting->items[i])))
            return false;
        note_written(level, number);
        if (value->kind == EXPRESSION_DEFAULT)
            value = column->generated ? NULL : default_or_null(level, inserting->relation, number);
        struct expression *before = inserting->value[number - 1];
        if (before && value && value->kind == EXPRESSION_ASSIGN_SUBSCRIPT)
            value->argument[0] = before; /* INSERT INTO t (a[1], a[2]) */
        inserting->value[number - 1] = value;
    }
    return true;
}

static bool targets_make(struct level *level, const struct inserting *inserting, struct target **targets,
                         uint32_t *count)
{
    const struct relation *relation = inserting->relation;
    for (uint32_t i = 0; i < relation->columns; i++) {
        const struct column *column = &relation->column[i];
        struct expression *value = inserting->value[i];
        if (column->dropped || column->generated)
            continue;
        if (!value)
            value = column_default(level, relation, i);
        if (!value)
            continue;
        *targets = list_grow(level->binder, *targets, *count, sizeof **targets);
        (*targets)[(*count)++] =
            (struct target){.expression = value, .name = column->name, .assigned = (int16_t)(i + 1)};
    }
    return true;
}

bool insert_values_single(struct level *level, const List *columns, const List *values,
                          struct target **targets, uint32_t *count, enum place place)
{
    struct binder *binder = level->binder;
    struct inserting inserting = {.relation = target_of(level)};
    inserting.value = memory(binder, (inserting.relation->columns + 1) * sizeof(struct expression *));
    if (!insert_columns(level, columns, inserting.relation, &inserting.items, &inserting.numbers,
                        &inserting.count))
        return false;
    struct expression **row = memory(binder, ((size_t)list_length(values) + 1) * sizeof(struct expression *));
    uint32_t given = 0;
    const ListCell *cell;
    foreach(cell, values)
    {
        const Node *node = lfirst(cell);
        if (IsA(node, SetToDefault))
            row[given] = make(binder, EXPRESSION_DEFAULT, builtin(TYPE_UNKNOWN),
                              ((const SetToDefault *)node)->location);
        else if (!(row[given] = expression_bind(level, node, place)))
            return false;
        given++;
    }
    return (!values || counts_match(level, row, given, inserting.items, inserting.count, columns != NULL)) &&
           inserting_set(level, &inserting, row, given) && targets_make(level, &inserting, targets, count);
}

/* ---- several rows ---- */

/* Each row's values in the columns' types; DEFAULTs replaced. */
static bool rows_settle(struct level *level, struct inserting *inserting, struct expression ***rows,
                        uint32_t count, uint32_t columns)
{
    for (uint32_t row = 0; row < count; row++) {
        if (!counts_match(level, rows[row], columns, inserting->items, inserting->count,
                          inserting->items[0] != NULL))
            return false;
        for (uint32_t i = 0; i < columns; i++) {
            int16_t number = inserting->numbers[i];
            const struct column *column = &inserting->relation->column[number - 1];
            const ResTarget *item = inserting->items[i];
            if (!may_be_given(level, column, &rows[row][i]))
                return false;
            if (item && item->indirection) {
                fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, item->location,
                     "assignments to parts of columns in multi-row INSERT are not supported");
                return false;
            }
            struct expression *value = value_settle(level, rows[row][i], column, NULL);
            if (!value)
                return false;
            if (value->kind == EXPRESSION_DEFAULT)
                value = default_or_null(level, inserting->relation, number);
            rows[row][i] = value;
        }
    }
    return true;
}

static bool insert_rows(struct level *level, const SelectStmt *select, struct inserting *inserting)
{
    struct expression ***rows;
    uint32_t count, columns, range;
    if (!values_rows(level, select->valuesLists, PLACE_VALUES, &rows, &count, &columns, true) ||
        !rows_settle(level, inserting, rows, count, columns))
        return false;
    if (!range_values_add(level, rows, count, columns, NULL, &range))
        return false;
    from_add(level, from_range(level, range));
    for (uint32_t i = 0; i < columns; i++) {
        const struct column *column = &inserting->relation->column[inserting->numbers[i] - 1];
        note_written(level, inserting->numbers[i]);
        if (!column->generated)
            inserting->value[inserting->numbers[i] - 1] =
                expression_column(level->binder->scope, range, (int32_t)i + 1, rows[0][i]->type,
                                  level->query->range[range].column[i].modifier, column->collation);
    }
    return true;
}

static bool insert_query(struct level *level, const SelectStmt *select, struct inserting *inserting)
{
    struct binder *binder = level->binder;
    uint32_t range;
    struct query *source = query_bind(binder, level, (const Node *)select, true);
    if (!source || !range_subquery_add(level, source, NULL, false, &range))
        return false;
    level->query->range[range].name = "*SELECT*";
    from_add(level, from_range(level, range));
    uint32_t columns = query_columns(source);
    struct expression **row = memory(binder, (columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < columns; i++) {
        const struct target *target = query_column(source, i);
        struct expression *value = target->expression;
        bool literal = expression_is_unknown(value) &&
                       (value->kind == EXPRESSION_CONSTANT || value->kind == EXPRESSION_PARAMETER) &&
                       !source->set;
        row[i] = literal ? value
                         : expression_column(binder->scope, range, (int32_t)i + 1, value->type,
                                             value->modifier, value->collation);
        row[i]->position = value->position;
    }
    return counts_match(level, row, columns, inserting->items, inserting->count,
                        inserting->items[0] != NULL) &&
           inserting_set(level, inserting, row, columns);
}

static bool is_plain_values(const SelectStmt *select)
{
    return select->valuesLists && !select->sortClause && !select->limitOffset && !select->limitCount &&
           !select->lockingClause && !select->withClause;
}

static bool insert_source(struct level *level, const InsertStmt *insert)
{
    struct query *query = level->query;
    const SelectStmt *select = (const SelectStmt *)insert->selectStmt;
    bool plain = select && is_plain_values(select);
    if (!select || (plain && list_length(select->valuesLists) == 1)) {
        const List *values = select ? linitial(select->valuesLists) : NULL;
        from_add(level, from_range(level, range_add(level, RANGE_RESULT, NULL, NULL)));
        return insert_values_single(level, insert->cols, values, &query->target, &query->targets,
                                    PLACE_VALUES_SINGLE);
    }
    struct inserting inserting = {.relation = target_of(level)};
    inserting.value = memory(level->binder, (inserting.relation->columns + 1) * sizeof(struct expression *));
    return insert_columns(level, insert->cols, inserting.relation, &inserting.items, &inserting.numbers,
                          &inserting.count) &&
           (plain ? insert_rows(level, select, &inserting) : insert_query(level, select, &inserting)) &&
           targets_make(level, &inserting, &query->target, &query->targets);
}

bool insert_bind(struct level *level, const InsertStmt *insert)
{
    struct query *query = level->query;
    bool updates = insert->onConflictClause && insert->onConflictClause->action == ONCONFLICT_UPDATE;
    query->kind = QUERY_INSERT;
    query->overriding_system = insert->override == OVERRIDING_SYSTEM_VALUE;
    query->overriding_user = insert->override == OVERRIDING_USER_VALUE;
    if (insert->withClause && !commons_bind(level, insert->withClause))
        return false;
    if (!target_relation_open(level, insert->relation, false,
                              PRIVILEGE_INSERT | (updates ? PRIVILEGE_UPDATE : 0)) ||
        !insert_source(level, insert))
        return false;
    level->spaces = 0;
    space_push(level, level->target_space);
    if (insert->onConflictClause && !conflict_bind(level, insert->onConflictClause))
        return false;
    level->spaces = 0;
    space_push(level, level->target_space);
    return returning_bind(level, insert->returningList);
}
