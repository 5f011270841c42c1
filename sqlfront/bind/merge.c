/* MERGE (parse_merge.c). */
#include "sqlfront/bind/binder.h"

static bool reachable(struct level *level, const List *clauses)
{
    bool done[2] = {false, false};
    const ListCell *cell;
    foreach(cell, clauses)
    {
        const MergeWhenClause *when = lfirst(cell);
        if (done[when->matched]) {
            fail(level->binder, SQLSTATE_SYNTAX_ERROR, -1,
                 "unreachable WHEN clause specified after unconditional WHEN clause");
            return false;
        }
        done[when->matched] = !when->condition;
    }
    return true;
}

static uint32_t privileges_of(const List *clauses)
{
    uint32_t privileges = 0;
    const ListCell *cell;
    foreach(cell, clauses)
    {
        const MergeWhenClause *when = lfirst(cell);
        privileges |= when->commandType == CMD_INSERT   ? PRIVILEGE_INSERT
                      : when->commandType == CMD_UPDATE ? PRIVILEGE_UPDATE
                      : when->commandType == CMD_DELETE ? PRIVILEGE_DELETE
                                                        : 0;
    }
    return privileges;
}

static bool action_bind(struct level *level, const MergeWhenClause *when, struct merge_action *action)
{
    struct query *query = level->query;
    *action = (struct merge_action){.matched = when->matched};
    /* A source row that matches nothing has no row of the target to look at. */
    level->target_space->name_visible = level->target_space->columns_visible = when->matched;
    if (when->condition &&
        !(action->condition = where_bind(level, when->condition, PLACE_MERGE_WHEN, "WHEN")))
        return false;
    switch ((int)when->commandType) {
    case CMD_INSERT:
        action->kind = QUERY_INSERT;
        query->overriding_system = when->override == OVERRIDING_SYSTEM_VALUE;
        query->overriding_user = when->override == OVERRIDING_USER_VALUE;
        return insert_values_single(level, when->targetList, when->values, &action->target, &action->targets,
                                    PLACE_VALUES_SINGLE);
    case CMD_UPDATE:
        action->kind = QUERY_UPDATE;
        return assignments_bind(level, when->targetList, &action->target, &action->targets);
    case CMD_DELETE:
        action->kind = QUERY_DELETE;
        return true;
    default:
        return true;
    }
}

bool merge_bind(struct level *level, const MergeStmt *merge)
{
    struct query *query = level->query;
    const ListCell *cell;
    query->kind = QUERY_MERGE;
    if (merge->withClause && !commons_bind(level, merge->withClause))
        return false;
    if (!reachable(level, merge->mergeWhenClauses) ||
        !target_relation_open(level, merge->relation, false, privileges_of(merge->mergeWhenClauses)))
        return false;
    ListCell source = {.ptr_value = merge->sourceRelation};
    List sources = {.type = T_List, .length = 1, .max_length = 1, .elements = &source};
    if (!from_bind(level, &sources))
        return false;
    for (uint32_t i = 0; i < level->spaces; i++)
        if (level->space[i]->name && strcmp(level->space[i]->name, level->target_space->name) == 0) {
            fail(level->binder, SQLSTATE_DUPLICATE_ALIAS, -1, "name \"%s\" specified more than once",
                 level->target_space->name);
            fail_detail(level->binder, "The name is used both as MERGE target table and data source.");
            return false;
        }
    space_push(level, level->target_space);
    if (!(query->merge_condition = where_bind(level, merge->joinCondition, PLACE_JOIN_ON, "JOIN/ON")))
        return false;
    query->merge_action = memory(level->binder, ((size_t)list_length(merge->mergeWhenClauses) + 1) *
                                                    sizeof *query->merge_action);
    foreach(
        cell,
        merge->mergeWhenClauses) if (!action_bind(level, lfirst(cell),
                                                  &query->merge_action[query->merge_actions++])) return false;
    return true;
}
