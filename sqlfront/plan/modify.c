/* INSERT, UPDATE, DELETE and MERGE: a MODIFY over the rows to be written. */
#include "sqlfront/plan/inside.h"

#include <string.h>

static void want_whole_row(struct level *level, uint32_t range)
{
    const struct relation *relation = level->query->range[range].relation;
    for (uint32_t c = 1; c <= relation->columns; c++)
        level->wanted[range][c / 64] |= (uint64_t)1 << (c % 64);
    level->wants_key[range] = true;
}

static struct join_tree *leaf_of(struct planner *planner, uint32_t range)
{
    struct join_tree *leaf = plan_alloc(planner, sizeof *leaf);
    leaf->leaf = true;
    leaf->range = range;
    return leaf;
}

/* The tree of FROM with the relation written to in it. */
static enum sqlstate build_tree(struct level *level, struct error *error)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    struct expression *where = query->where;
    query->where = NULL;
    enum sqlstate failed = level_build_tree(level, error);
    if (failed || query->kind == QUERY_INSERT) {
        query->where = where;
        return failed;
    }
    struct join_tree *tree = level->tree;
    if (!(tree_ranges(tree) & set_of(query->result))) {
        struct join_tree *join = plan_alloc(planner, sizeof *join);
        join->left = tree;
        join->right = leaf_of(planner, query->result);
        join->join = JOIN_INNER;
        if (query->kind == QUERY_MERGE) {
            for (uint32_t i = 0; i < query->merge_actions; i++)
                if (!query->merge_action[i].matched)
                    join->join = JOIN_LEFT;
            conjuncts_split(planner, query->merge_condition, &join->condition, &join->conditions);
            query->merge_condition = NULL;
        }
        tree = tree ? join : join->right;
    }
    struct join_tree *filter = plan_alloc(planner, sizeof *filter);
    filter->join = JOIN_INNER;
    filter->left = tree;
    conjuncts_split(planner, where, &filter->condition, &filter->conditions);
    level->tree = filter;
    return SQLSTATE_OK;
}

static enum sqlstate resolve_set(struct level *level, struct path **path, const struct target *targets,
                                 uint32_t count, const struct relation *relation, struct expression ***set,
                                 struct error *error)
{
    *set = plan_alloc(level->planner, relation->columns * sizeof **set);
    for (uint32_t i = 0; i < count; i++) {
        if (targets[i].assigned <= 0)
            continue;
        enum sqlstate failed =
            level_resolve(level, *path, targets[i].expression, &(*set)[targets[i].assigned - 1], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* A path that is only slots: columns of a relation by attnum, behind them more. */
static struct path row_slots(struct planner *planner, uint32_t range, const struct relation *relation,
                             const struct path *more, uint32_t more_range)
{
    uint32_t extra = more ? more->plan->columns : more_range != COMPUTED ? relation->columns : 0;
    struct path path = {.plan = plan_make(planner, PLAN_RESULT, relation->columns + extra)};
    path.slot = plan_alloc(planner, path.plan->columns * sizeof *path.slot);
    for (uint32_t c = 0; c < relation->columns; c++) {
        path.slot[c] = (struct slot){range, (int32_t)c + 1};
        path.plan->column[c] = relation->column[c].type;
    }
    for (uint32_t i = 0; i < extra; i++) {
        path.slot[relation->columns + i] = more ? more->slot[i] : (struct slot){more_range, (int32_t)i + 1};
        path.plan->column[relation->columns + i] = more ? more->plan->column[i] : relation->column[i].type;
    }
    return path;
}

static enum sqlstate conflict_clause(struct level *level, struct plan *plan, struct error *error)
{
    const struct query *query = level->query;
    plan->conflict = query->conflict;
    plan->conflict_index = query->conflict_index;
    if (query->conflict != CONFLICT_UPDATE)
        return SQLSTATE_OK;
    const struct relation *relation = query->range[query->result].relation;
    struct path rows = row_slots(level->planner, query->result, relation, NULL, query->conflict_excluded);
    struct path *path = &rows;
    enum sqlstate failed = level_hoist(level, &level->query->conflict_where, "ON CONFLICT", error);
    for (uint32_t i = 0; i < query->conflict_targets && !failed; i++)
        failed = level_hoist(level, &query->conflict_target[i].expression, "ON CONFLICT", error);
    if (!failed)
        failed = resolve_set(level, &path, query->conflict_target, query->conflict_targets, relation,
                             &plan->conflict_set, error);
    if (!failed && query->conflict_where)
        failed = level_resolve(level, &rows, query->conflict_where, &plan->conflict_where, error);
    return failed;
}

static enum sqlstate merge_actions(struct level *level, struct path **path, struct plan *plan,
                                   struct error *error)
{
    const struct query *query = level->query;
    const struct relation *relation = query->range[query->result].relation;
    plan->merge_actions = query->merge_actions;
    plan->merge = plan_alloc(level->planner, query->merge_actions * sizeof *plan->merge);
    for (uint32_t i = 0; i < query->merge_actions; i++) {
        const struct merge_action *action = &query->merge_action[i];
        plan->merge[i].matched = action->matched;
        plan->merge[i].kind = action->kind;
        enum sqlstate failed = SQLSTATE_OK;
        if (action->condition)
            failed = level_resolve(level, *path, action->condition, &plan->merge[i].condition, error);
        if (!failed)
            failed = resolve_set(level, path, action->target, action->targets, relation, &plan->merge[i].set,
                                 error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* INSERT has no old row to take system columns from: MODIFY gives them in slots of their own, in the order of enum
 * system_column. */
static void add_system_slots(struct planner *planner, struct path *path, uint32_t range)
{
    static const uint32_t types[SYSTEM_COLUMNS] = {TYPE_TID, TYPE_XID, TYPE_CID,
                                                   TYPE_XID, TYPE_CID, TYPE_OID};
    struct path wider = {.plan = plan_make(planner, PLAN_RESULT, path->plan->columns + SYSTEM_COLUMNS)};
    wider.slot = plan_alloc(planner, wider.plan->columns * sizeof *wider.slot);
    for (uint32_t i = 0; i < path->plan->columns; i++) {
        wider.slot[i] = path->slot[i];
        wider.plan->column[i] = path->plan->column[i];
    }
    for (uint32_t i = 0; i < SYSTEM_COLUMNS; i++) {
        wider.slot[path->plan->columns + i] = (struct slot){range, -1 - (int32_t)i};
        wider.plan->column[path->plan->columns + i] = type_builtin(types[i]);
    }
    *path = wider;
}

/* RETURNING sees the relation's columns as they are now, and whatever else the statement joined. With subqueries in it
 * MODIFY gives all of those, and a PROJECT above asks. */
static enum sqlstate returning(struct level *level, const struct path *input, struct plan *plan,
                               struct path *result, bool *project_above, struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = level->query;
    const struct relation *relation = query->range[query->result].relation;
    uint32_t count = query->returnings;
    struct path over = row_slots(planner, query->result, relation, input, COMPUTED);
    if (query->kind == QUERY_INSERT)
        add_system_slots(planner, &over, query->result);
    *project_above = false;
    for (uint32_t i = 0; i < count; i++)
        *project_above |= (expression_facts(query->returning[i].expression) & FACT_SUBQUERY) != 0;
    if (*project_above)
        count = over.plan->columns;
    plan->returnings = plan->columns = count;
    plan->returning = plan_alloc(planner, count * sizeof *plan->returning);
    plan->column = plan_alloc(planner, count * sizeof *plan->column);
    result->slot = plan_alloc(planner, count * sizeof *result->slot);
    for (uint32_t i = 0; i < count; i++) {
        if (*project_above) {
            plan->returning[i] = slot_expression(planner, &over, i);
            plan->column[i] = over.plan->column[i];
            result->slot[i] = over.slot[i];
            continue;
        }
        struct expression *expression = query->returning[i].expression;
        enum sqlstate failed = level_resolve(level, &over, expression, &plan->returning[i], error);
        if (failed)
            return failed;
        plan->column[i] = expression->type;
        result->slot[i] = (struct slot){COMPUTED, level_computed(level, expression)};
    }
    return SQLSTATE_OK;
}

static enum sqlstate project_returning(struct level *level, struct path **path, struct error *error)
{
    const struct query *query = level->query;
    struct expression **list = plan_alloc(level->planner, query->returnings * sizeof *list);
    for (uint32_t i = 0; i < query->returnings; i++)
        list[i] = query->returning[i].expression;
    return level_project(level, path, list, query->returnings, error);
}

static enum sqlstate apply_targets(struct level *level, struct path **path, const struct target *targets,
                                   uint32_t count, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = level_apply(level, path, targets[i].expression, error);
    return failed;
}

static enum sqlstate apply_all(struct level *level, struct path **path, struct error *error)
{
    const struct query *query = level->query;
    enum sqlstate failed = apply_targets(level, path, query->target, query->targets, error);
    for (uint32_t i = 0; i < query->merge_actions && !failed; i++) {
        failed = level_apply(level, path, query->merge_action[i].condition, error);
        if (!failed)
            failed = apply_targets(level, path, query->merge_action[i].target, query->merge_action[i].targets,
                                   error);
    }
    return failed;
}

static enum sqlstate recheck(struct level *level, const struct path *path, struct plan_target *target,
                             struct error *error)
{
    struct expression *all = NULL;
    for (uint32_t i = 0; i < level->conditions; i++) {
        const struct condition *condition = &level->condition[i];
        if (!condition->derived && condition->special < 0)
            all = expression_and(level->planner->scope, all, condition->expression);
    }
    return all ? level_resolve(level, path, all, &target->recheck, error) : SQLSTATE_OK;
}

/* INSERT ... SELECT: the targets are over the source's own slots; nothing of the relation is read. */
enum sqlstate planner_modify(struct planner *planner, struct level *parent, const struct query *original,
                             struct path **path, struct error *error)
{
    struct level *level = plan_alloc(planner, sizeof *level);
    *level = (struct level){.planner = planner, .parent = parent};
    level->query = planner_prepare(planner, original);
    struct query *query = level->query;
    const struct relation *relation = query->range[query->result].relation;
    level->writes = true;
    enum sqlstate failed = level_modifying_commons(level, error);
    if (!failed)
        failed = build_tree(level, error);
    if (!failed)
        failed = level_from(level, path, error);
    if (!failed)
        failed = apply_all(level, path, error);
    if (failed)
        return failed;
    struct path *input = *path, *result = path_over(planner, PLAN_MODIFY, input);
    struct plan *plan = result->plan;
    struct plan_target *target = plan_alloc(planner, sizeof *target);
    plan->modify = query->kind;
    plan->query = query;
    plan->target = target;
    target->relation = relation;
    target->bound = query->bound;
    target->key_slot = -1;
    result->orders = 0;
    if (query->kind == QUERY_INSERT) {
        failed = conflict_clause(level, plan, error);
    } else {
        target->key_slot = path_slot(input, query->result, ROW_KEY);
        target->old_slot = plan_alloc(planner, relation->columns * sizeof *target->old_slot);
        for (uint32_t c = 0; c < relation->columns; c++)
            target->old_slot[c] = path_slot(input, query->result, (int32_t)c + 1);
        if (query->kind == QUERY_MERGE)
            failed = merge_actions(level, path, plan, error);
        else
            failed = recheck(level, input, target, error);
    }
    if (!failed && (query->kind == QUERY_INSERT || query->kind == QUERY_UPDATE))
        failed = resolve_set(level, path, query->target, query->targets, relation, &target->set, error);
    bool project_above = false;
    if (!failed)
        failed = returning(level, input, plan, result, &project_above, error);
    if (failed)
        return failed;
    plan->cost += plan->rows * 5;
    *path = result;
    if (project_above)
        failed = project_returning(level, path, error);
    if (!failed)
        failed = level_hoisted(level, path, error);
    if (!failed)
        level_commons(level, path);
    return failed;
}

void level_want_written(struct level *level)
{
    if (level->writes && level->query->kind != QUERY_INSERT)
        want_whole_row(level, level->query->result);
}
