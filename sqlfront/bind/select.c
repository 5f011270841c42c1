/* SELECT, VALUES, FOR UPDATE (analyze.c): the order in which the clauses of a query are bound. */
#include "sqlfront/bind/binder.h"

struct level *level_open(struct binder *binder, struct level *above)
{
    struct level *level = memory(binder, sizeof *level);
    level->binder = binder;
    level->above = above;
    level->query = memory(binder, sizeof *level->query);
    level->query->kind = QUERY_SELECT;
    level->place = PLACE_OTHER;
    return level;
}

static bool statement_bind(struct level *level, const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_SelectStmt: {
        const SelectStmt *select = (const SelectStmt *)statement;
        if (select->op != SETOP_NONE)
            return set_bind(level, select);
        return select->valuesLists ? values_bind(level, select) : select_bind(level, select);
    }
    case T_InsertStmt:
        return insert_bind(level, (const InsertStmt *)statement);
    case T_UpdateStmt:
        return update_bind(level, (const UpdateStmt *)statement);
    case T_DeleteStmt:
        return delete_bind(level, (const DeleteStmt *)statement);
    case T_MergeStmt:
        return merge_bind(level, (const MergeStmt *)statement);
    default:
        fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1, "this kind of statement cannot be planned");
        return false;
    }
}

struct query *query_bind(struct binder *binder, struct level *above, const Node *statement, bool keep_unknown)
{
    if (!stack_suffices(binder))
        return NULL;
    if (binder->queries >= QUERIES_NESTED_MAX)
        return fail(binder, SQLSTATE_STATEMENT_TOO_COMPLEX, -1, "stack depth limit exceeded");
    struct level *level = level_open(binder, above);
    level->keep_unknown = keep_unknown;
    binder->queries++;
    bool bound = statement_bind(level, statement);
    binder->queries--;
    return bound ? level->query : NULL;
}

/* What all kinds of SELECT end with. */
static bool limits_bind(struct level *level, const SelectStmt *select)
{
    struct query *query = level->query;
    bool ties = (int)select->limitOption == TREE_LIMIT_OPTION_WITH_TIES;
    if (select->limitOffset &&
        !(query->offset = limit_bind(level, select->limitOffset, PLACE_OFFSET, "OFFSET", false)))
        return false;
    if (select->limitCount &&
        !(query->limit = limit_bind(level, select->limitCount, PLACE_LIMIT, "LIMIT", ties)))
        return false;
    query->with_ties = ties && query->limit;
    return true;
}

static bool no_into(struct level *level, const SelectStmt *select)
{
    if (!select->intoClause)
        return true;
    fail(level->binder, SQLSTATE_SYNTAX_ERROR, select->intoClause->rel->location,
         "SELECT ... INTO is not allowed here");
    return false;
}

static bool from_or_nothing(struct level *level, const List *list)
{
    if (list)
        return from_bind(level, list);
    from_add(level, from_range(level, range_add(level, RANGE_RESULT, NULL, NULL)));
    return true;
}

bool query_finish(struct level *level)
{
    struct query *query = level->query;
    if (!level->keep_unknown && !targets_settle_unknown(level, query->target, query->targets))
        return false;
    for (uint32_t i = 0; i < query->targets; i++)
        target_origin(level, &query->target[i]);
    return aggregates_check(level);
}

bool select_bind(struct level *level, const SelectStmt *select)
{
    struct query *query = level->query;
    if (select->withClause && !commons_bind(level, select->withClause))
        return false;
    if (!no_into(level, select) || !from_or_nothing(level, select->fromClause) ||
        !windows_bind(level, select->windowClause) ||
        !targets_bind(level, select->targetList, PLACE_SELECT_TARGET, &query->target, &query->targets))
        return false;
    if (select->whereClause && !(query->where = where_bind(level, select->whereClause, PLACE_WHERE, "WHERE")))
        return false;
    if (select->havingClause &&
        !(query->having = where_bind(level, select->havingClause, PLACE_HAVING, "HAVING")))
        return false;
    if (!sort_bind(level, select->sortClause, &query->order, &query->orders, PLACE_ORDER_BY, false) ||
        !group_bind(level, select->groupClause, select->groupDistinct))
        return false;
    if (select->distinctClause) {
        bool on = linitial(select->distinctClause) != NULL;
        if (!targets_settle_unknown(level, query->target, query->targets))
            return false;
        if (on ? !distinct_on_bind(level, select->distinctClause) : !distinct_bind(level))
            return false;
    }
    return limits_bind(level, select) && query_finish(level) && locks_bind(level, select->lockingClause);
}

/* ---- VALUES ---- */

static bool values_common(struct level *level, struct expression ***rows, uint32_t count, uint32_t columns)
{
    struct binder *binder = level->binder;
    struct expression **column = memory(binder, (count + 1) * sizeof(struct expression *));
    if (!column)
        return false;
    for (uint32_t i = 0; i < columns; i++) {
        bool failed;
        for (uint32_t row = 0; row < count; row++)
            column[row] = rows[row][i];
        const struct type *type = common_type(binder, column, count, "VALUES", &failed);
        if (!type)
            return false;
        for (uint32_t row = 0; row < count; row++)
            if (!(rows[row][i] = coerce_to_common(level, column[row], type, "VALUES")))
                return false;
    }
    return true;
}

bool values_rows(struct level *level, const List *lists, enum place place, struct expression ****rows,
                 uint32_t *count, uint32_t *columns, bool allow_default)
{
    struct binder *binder = level->binder;
    const ListCell *outer, *inner;
    *count = (uint32_t)list_length(lists);
    *columns = (uint32_t)list_length(linitial(lists));
    uint32_t row = 0;
    if (!(*rows = memory(binder, (*count + 1) * sizeof(struct expression **))))
        return false;
    foreach(outer, lists)
    {
        const List *list = lfirst(outer);
        uint32_t at = 0;
        if ((uint32_t)list_length(list) != *columns) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, node_position((const Node *)list),
                 "VALUES lists must all be the same length");
            return false;
        }
        (*rows)[row] = memory(binder, (*columns + 1) * sizeof(struct expression *));
        foreach(inner, list)
        {
            const Node *node = lfirst(inner);
            struct expression *bound;
            if (allow_default && IsA(node, SetToDefault))
                bound = make(binder, EXPRESSION_DEFAULT, builtin(TYPE_UNKNOWN),
                             ((const SetToDefault *)node)->location);
            else
                bound = expression_bind(level, node, place);
            if (!bound)
                return false;
            (*rows)[row][at++] = bound;
        }
        row++;
    }
    return true;
}

bool values_bind(struct level *level, const SelectStmt *select)
{
    struct query *query = level->query;
    struct expression ***rows;
    uint32_t count, columns, range;
    if (select->withClause && !commons_bind(level, select->withClause))
        return false;
    level->lateral_active = true;
    if (!values_rows(level, select->valuesLists, PLACE_VALUES, &rows, &count, &columns, false))
        return false;
    level->lateral_active = false;
    if (!values_common(level, rows, count, columns) ||
        !range_values_add(level, rows, count, columns, NULL, &range))
        return false;
    from_add(level, from_range(level, range));
    struct space *space = space_add(level, range, true, true);
    space_push(level, space);
    for (uint32_t i = 0; i < columns; i++)
        if (!target_add(level, column_at_level(level->binder, space->column[i], 0, -1), space->names[i],
                        false))
            return false;
    if (!sort_bind(level, select->sortClause, &query->order, &query->orders, PLACE_ORDER_BY, false) ||
        !limits_bind(level, select))
        return false;
    if (select->lockingClause) {
        fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1, "FOR UPDATE cannot be applied to VALUES");
        return false;
    }
    return query_finish(level);
}

/* ---- FOR UPDATE and its kind ---- */

static const char *lock_name(LockClauseStrength strength)
{
    switch (strength) {
    case LCS_FORKEYSHARE:
        return "FOR KEY SHARE";
    case LCS_FORSHARE:
        return "FOR SHARE";
    case LCS_FORNOKEYUPDATE:
        return "FOR NO KEY UPDATE";
    default:
        return "FOR UPDATE";
    }
}

static bool locking_possible(struct level *level, const char *name)
{
    const struct query *query = level->query;
    const char *with = query->set                              ? "UNION/INTERSECT/EXCEPT"
                       : query->distinct || query->distinct_on ? "DISTINCT clause"
                       : query->groups || query->grouping_sets ? "GROUP BY clause"
                       : query->having                         ? "HAVING clause"
                       : query->has_aggregates                 ? "aggregate functions"
                       : query->has_windows                    ? "window functions"
                                                               : NULL;
    for (uint32_t i = 0; !with && i < query->targets; i++)
        if (expression_facts(query->target[i].expression) & FACT_SET_CALL)
            with = "set-returning functions in the target list";
    if (!with)
        return true;
    fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1, "%s is not allowed with %s", name, with);
    return false;
}

static void lock_add(struct binder *binder, struct query *query, uint32_t range, const LockingClause *clause)
{
    static const enum lock_strength strengths[] = {
        [LCS_FORKEYSHARE] = LOCK_KEY_SHARE,
        [LCS_FORSHARE] = LOCK_SHARE,
        [LCS_FORNOKEYUPDATE] = LOCK_NO_KEY_UPDATE,
        [LCS_FORUPDATE] = LOCK_UPDATE,
    };
    uint8_t wait = clause->waitPolicy == LockWaitSkip    ? WAIT_SKIP
                   : clause->waitPolicy == LockWaitError ? WAIT_ERROR
                                                         : WAIT_BLOCK;
    query->range[range].privileges |= PRIVILEGE_UPDATE;
    for (uint32_t i = 0; i < query->locks; i++)
        if (query->lock[i].range == range) {
            if (strengths[clause->strength] > query->lock[i].strength)
                query->lock[i].strength = strengths[clause->strength];
            if (wait > query->lock[i].wait)
                query->lock[i].wait = wait;
            return;
        }
    query->lock = list_grow(binder, query->lock, query->locks, sizeof *query->lock);
    query->lock[query->locks++] =
        (struct lock_clause){.range = range, .strength = strengths[clause->strength], .wait = wait};
}

/* A locked subquery locks what it reads. */
static void lock_all(struct binder *binder, struct query *query, const LockingClause *clause)
{
    if (query->kind != QUERY_SELECT || query->set || query->distinct || query->groups ||
        query->has_aggregates)
        return;
    for (uint32_t i = 0; i < query->ranges; i++) {
        struct range *range = &query->range[i];
        if (range->kind == RANGE_RELATION)
            lock_add(binder, query, i, clause);
        else if (range->kind == RANGE_SUBQUERY)
            lock_all(binder, range->query, clause);
    }
}

static bool lock_named(struct level *level, const LockingClause *clause, const RangeVar *named)
{
    struct binder *binder = level->binder;
    struct query *query = level->query;
    const char *name = lock_name(clause->strength);
    for (uint32_t i = 0; i < query->ranges; i++) {
        struct range *range = &query->range[i];
        if (!range->name || strcmp(range->name, named->relname) != 0)
            continue;
        const char *what = range->kind == RANGE_JOIN       ? "a join"
                           : range->kind == RANGE_FUNCTION ? "a function"
                           : range->kind == RANGE_VALUES   ? "VALUES"
                           : range->kind == RANGE_COMMON   ? "a WITH query"
                                                           : NULL;
        if (what) {
            fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, named->location, "%s cannot be applied to %s", name,
                 what);
            return false;
        }
        if (range->kind == RANGE_RELATION)
            lock_add(binder, query, i, clause);
        else if (range->kind == RANGE_SUBQUERY)
            lock_all(binder, range->query, clause);
        return true;
    }
    fail(binder, SQLSTATE_UNDEFINED_TABLE, named->location,
         "relation \"%s\" in %s clause not found in FROM clause", named->relname, name);
    return false;
}

bool locks_bind(struct level *level, const List *clauses)
{
    const ListCell *cell, *inner;
    foreach(cell, clauses)
    {
        const LockingClause *clause = lfirst(cell);
        if (!locking_possible(level, lock_name(clause->strength)))
            return false;
        if (!clause->lockedRels)
            lock_all(level->binder, level->query, clause);
        foreach(inner, clause->lockedRels) if (!lock_named(level, clause, lfirst(inner))) return false;
    }
    return true;
}
