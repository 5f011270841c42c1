/* One query level from its ranges to its targets; set operations; WITH. */
#include "base/fiber.h"
#include "base/world.h"
#include "sqlfront/plan/inside.h"

#include <string.h>

static bool never_true(const struct join_tree *tree)
{
    if (!tree || tree->leaf || tree->join != JOIN_INNER)
        return false;
    for (uint32_t i = 0; i < tree->conditions; i++) {
        const struct expression *condition = tree->condition[i];
        if (condition->kind == EXPRESSION_CONSTANT && (condition->constant.null || !condition->constant.i))
            return true;
    }
    return never_true(tree->left) || never_true(tree->right);
}

/* No rows, but all the slots that those above ask for. */
static struct path *empty_path(struct level *level)
{
    struct planner *planner = level->planner;
    struct path *path = plan_alloc(planner, sizeof *path);
    uint32_t count = 0, room = 0;
    for (uint32_t i = 0; i < level->query->ranges; i++)
        room += level->query->range[i].columns + 1;
    struct plan *plan = plan_make(planner, PLAN_EMPTY, room);
    path->plan = plan;
    path->slot = plan_alloc(planner, room * sizeof *path->slot);
    for (uint32_t i = 0; i < level->query->ranges; i++) {
        const struct range *range = &level->query->range[i];
        for (uint32_t c = 0; c < range->columns; c++) {
            if (!range->column || !range->column[c].type)
                continue;
            plan->column[count] = range->column[c].type;
            path->slot[count++] = (struct slot){i, (int32_t)c + 1};
        }
        if (level->wants_key[i]) {
            plan->column[count] = type_builtin(TYPE_BYTEA);
            path->slot[count++] = (struct slot){i, ROW_KEY};
        }
    }
    plan->columns = count;
    plan->rows = 1;
    return path;
}

static bool wants_system(const struct level *level)
{
    for (uint32_t i = 0; i < level->query->ranges; i++)
        if (level->wanted[i][(COLUMNS_MAX + 64) / 64 + 1])
            return true;
    return false;
}

enum sqlstate level_from(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    enum sqlstate failed = SQLSTATE_OK;
    if (!level->tree)
        failed = level_build_tree(level, error);
    if (!failed)
        failed = level_pull_up(level, error);
    if (!failed)
        failed = level_semi_joins(level, error);
    if (!failed)
        failed = level_pull_up(level, error); /* what came with the subqueries */
    if (failed)
        return failed;
    level_reduce_outer_joins(level);
    level_collect_wanted(level);
    level_want_written(level);
    if (level->tree && never_true(level->tree) && !wants_system(level)) {
        *path = empty_path(level);
        return SQLSTATE_OK;
    }
    if (level->tree)
        return level_join(level, path, error);
    *path = plan_alloc(planner, sizeof **path);
    (*path)->plan = plan_make(planner, PLAN_RESULT, 0);
    (*path)->plan->rows = 1;
    (*path)->plan->cost = 0.1;
    struct expression **parts = NULL;
    uint32_t count = 0;
    conjuncts_split(planner, query->where, &parts, &count);
    return level_filter(level, path, parts, count, error);
}

/* ---- WITH ---- */

static struct common_plan *common_find(struct planner *planner, const struct common *common, bool working)
{
    for (struct common_plan *known = planner->commons; known; known = known->next)
        if (known->common == common && known->working == working)
            return known;
    return NULL;
}

static struct common_plan *common_add(struct planner *planner, const struct common *common, struct plan *plan,
                                      bool working)
{
    struct common_plan *known = plan_alloc(planner, sizeof *known);
    *known = (struct common_plan){.next = planner->commons,
                                  .common = common,
                                  .slot = planner->common_slots++,
                                  .plan = plan,
                                  .rows = plan->rows,
                                  .working = working,
                                  .always = common->query->kind != QUERY_SELECT};
    planner->commons = known;
    return known;
}

static enum sqlstate plan_recursive(struct level *level, const struct common *common, struct path **path,
                                    struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = common->query;
    const struct set_tree *set = query->set;
    if (!set || set->operation != SET_UNION || set->left->operation || set->right->operation)
        return error_set(
            error, SQLSTATE_PACK('4', '2', 'P', '1', '9'),
            "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term",
            common->name);
    struct level *inner = plan_alloc(planner, sizeof *inner);
    *inner = (struct level){.planner = planner, .parent = level, .query = (struct query *)query};
    struct path *first, *second;
    enum sqlstate failed = planner_query(planner, inner, query->range[set->left->range].query, &first, error);
    if (failed)
        return failed;
    struct common_plan *working = common_add(planner, common, first->plan, true);
    failed = planner_query(planner, inner, query->range[set->right->range].query, &second, error);
    if (failed)
        return failed;
    struct path *result = path_over(planner, PLAN_RECURSIVE, first);
    result->plan->input[1] = second->plan;
    result->plan->all = set->all;
    result->plan->common_slot = working->slot;
    result->plan->rows = first->plan->rows * 10;
    result->plan->cost = first->plan->cost + 10 * second->plan->cost;
    result->orders = 0;
    *path = result;
    return SQLSTATE_OK;
}

enum sqlstate planner_common(struct level *owner, const struct common *common, bool self,
                             struct common_plan **plan, struct error *error)
{
    struct planner *planner = owner->planner;
    *plan = common_find(planner, common, self);
    if (*plan)
        return SQLSTATE_OK;
    struct path *path;
    enum sqlstate failed;
    if (common->recursive && common->query->kind == QUERY_SELECT)
        failed = plan_recursive(owner, common, &path, error);
    else if (common->query->kind == QUERY_SELECT)
        failed = planner_query(planner, owner, common->query, &path, error);
    else
        failed = planner_modify(planner, owner, common->query, &path, error);
    if (failed)
        return failed;
    *plan = common_add(planner, common, path->plan, false);
    return SQLSTATE_OK;
}

/* Those that change data are run whether anybody reads them or not. */
enum sqlstate level_modifying_commons(struct level *level, struct error *error)
{
    for (uint32_t i = 0; i < level->query->commons; i++) {
        struct common_plan *plan;
        if (level->query->common[i]->query->kind == QUERY_SELECT)
            continue;
        enum sqlstate failed = planner_common(level, level->query->common[i], false, &plan, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

void level_commons(struct level *level, struct path **path)
{
    struct planner *planner = level->planner;
    const struct query *query = level->query;
    uint32_t count = 0;
    if (query->commons == 0)
        return;
    struct plan **plans = plan_alloc(planner, query->commons * sizeof *plans);
    uint32_t *slots = plan_alloc(planner, query->commons * sizeof *slots);
    bool *always = plan_alloc(planner, query->commons * sizeof *always);
    const char **names = plan_alloc(planner, query->commons * sizeof *names);
    for (uint32_t i = 0; i < query->commons; i++) {
        const struct common_plan *known = common_find(planner, query->common[i], false);
        if (!known)
            continue;
        plans[count] = known->plan;
        always[count] = known->always;
        names[count] = query->common[i]->name;
        slots[count++] = known->slot;
    }
    if (count == 0)
        return;
    struct path *result = path_over(planner, PLAN_COMMON, *path);
    result->plan->commons = count;
    result->plan->common = plans;
    result->plan->common_slots = slots;
    result->plan->common_names = names;
    result->plan->common_always = always;
    *path = result;
}

/* ---- set operations ---- */

static enum sqlstate set_node(struct level *level, const struct set_tree *set, struct path **path,
                              struct error *error);

/* UNION ALL of UNION ALLs is one list. */
static enum sqlstate append_inputs(struct level *level, const struct set_tree *set,
                                   const struct set_tree *top, struct plan **list, uint32_t *count,
                                   struct error *error)
{
    if (set->operation == SET_UNION && (set->all || !top->all)) {
        enum sqlstate failed = append_inputs(level, set->left, top, list, count, error);
        return failed ? failed : append_inputs(level, set->right, top, list, count, error);
    }
    struct path *path;
    enum sqlstate failed = set_node(level, set, &path, error);
    if (!failed)
        list[(*count)++] = path->plan;
    return failed;
}

static uint32_t set_leaves(const struct set_tree *set)
{
    return set->operation ? set_leaves(set->left) + set_leaves(set->right) : 1;
}

static struct path *set_path(struct planner *planner, const struct set_tree *set, enum plan_kind kind)
{
    struct path *path = plan_alloc(planner, sizeof *path);
    path->plan = plan_make(planner, kind, set->columns);
    for (uint32_t i = 0; i < set->columns; i++)
        path->plan->column[i] = set->types[i];
    return path;
}

static struct path *distinct_rows(struct planner *planner, struct path *input)
{
    struct path *path = path_over(planner, PLAN_AGGREGATE, input);
    struct plan *plan = path->plan;
    plan->keys = plan->columns;
    plan->key = plan_alloc(planner, plan->keys * sizeof *plan->key);
    for (uint32_t i = 0; i < plan->keys; i++)
        plan->key[i] =
            (struct plan_key){.expression = slot_expression(planner, input, i), .type = plan->column[i]};
    plan->startup_cost = plan->cost += plan->rows * COST_AGGREGATE;
    return path;
}

static enum sqlstate set_node(struct level *level, const struct set_tree *set, struct path **path,
                              struct error *error)
{
    struct planner *planner = level->planner;
    if (!set->operation) {
        struct path *leaf;
        enum sqlstate failed = level_other_leaf(level, set->range, &leaf, error);
        *path = leaf;
        return failed;
    }
    if (set->operation == SET_UNION) {
        struct path *append = set_path(planner, set, PLAN_APPEND);
        append->plan->append = plan_alloc(planner, set_leaves(set) * sizeof *append->plan->append);
        enum sqlstate failed =
            append_inputs(level, set, set, append->plan->append, &append->plan->inputs, error);
        if (failed)
            return failed;
        for (uint32_t i = 0; i < append->plan->inputs; i++) {
            append->plan->rows += append->plan->append[i]->rows;
            append->plan->cost += append->plan->append[i]->cost;
        }
        *path = set->all ? append : distinct_rows(planner, append);
        return SQLSTATE_OK;
    }
    struct path *left, *right;
    enum sqlstate failed = set_node(level, set->left, &left, error);
    if (!failed)
        failed = set_node(level, set->right, &right, error);
    if (failed)
        return failed;
    *path = set_path(planner, set, PLAN_SET_OPERATION);
    struct plan *plan = (*path)->plan;
    plan->set_operation = set->operation;
    plan->all = set->all;
    plan->input[0] = left->plan;
    plan->input[1] = right->plan;
    plan->rows = left->plan->rows;
    plan->startup_cost = plan->cost =
        left->plan->cost + right->plan->cost + (left->plan->rows + right->plan->rows) * COST_AGGREGATE;
    return SQLSTATE_OK;
}

enum sqlstate planner_set_operation(struct planner *planner, struct level *level, struct path **path,
                                    struct error *error)
{
    const struct set_tree *set = level->query->set, *leftmost = set;
    while (leftmost->operation)
        leftmost = leftmost->left;
    enum sqlstate failed = set_node(level, set, path, error);
    if (failed)
        return failed;
    (*path)->slot = plan_alloc(planner, (*path)->plan->columns * sizeof *(*path)->slot);
    for (uint32_t i = 0; i < (*path)->plan->columns; i++)
        (*path)->slot[i] = (struct slot){leftmost->range, (int32_t)i + 1};
    (*path)->orders = 0;
    return SQLSTATE_OK;
}

/* ---- a query ---- */

static void wish_order(struct level *level)
{
    const struct query *query = level->query;
    if (query->has_aggregates || query->groups || query->has_windows || query->distinct ||
        query->distinct_on || query->has_set_calls)
        return;
    level->wish = query->order;
    level->wish_orders = query->orders;
    if (query->limit && query->limit->kind == EXPRESSION_CONSTANT && !query->limit->constant.null)
        level->wish_rows = (double)query->limit->constant.i;
    else if (query->limit)
        level->wish_rows = 100;
    else if (!level->parent)
        level->wish_rows = level->planner->request->rows_wanted;
}

enum sqlstate planner_query(struct planner *planner, struct level *parent, const struct query *query,
                            struct path **path, struct error *error)
{
    enum sqlstate failed = fiber_check_stack(planner->request->world->scheduler, error);
    if (failed)
        return failed;
    if (query->kind != QUERY_SELECT)
        return planner_modify(planner, parent, query, path, error);
    struct level *level = plan_alloc(planner, sizeof *level);
    *level = (struct level){.planner = planner, .parent = parent};
    level->query = planner_prepare(planner, query);
    planner_extremes(planner, level->query);
    failed = level_modifying_commons(level, error);
    if (!failed && level->query->set) {
        level_collect_wanted(level);
        failed = planner_set_operation(planner, level, path, error);
    } else if (!failed) {
        wish_order(level);
        failed = level_from(level, path, error);
    }
    if (!failed)
        failed = level_upper(level, path, error);
    if (!failed)
        level_commons(level, path);
    return failed;
}

/* ---- the door ---- */

static bool is_point(const struct plan *plan)
{
    if (plan->kind == PLAN_PROJECT)
        plan = plan->input[0];
    if (plan->kind != PLAN_SCAN || plan->bounds.any || plan->sample_percent)
        return false;
    if (!plan->index || plan->index->clustered)
        return plan->relation->key_columns > 0 && plan->bounds.equals == plan->relation->key_columns;
    return index_is_key(plan->index) && plan->bounds.equals == plan->index->key_columns;
}

static bool changes_something(const struct plan *plan)
{
    if (!plan)
        return false;
    if (plan->kind == PLAN_MODIFY || plan->kind == PLAN_LOCK)
        return true;
    for (uint32_t i = 0; i < plan->inputs && plan->append; i++)
        if (changes_something(plan->append[i]))
            return true;
    for (uint32_t i = 0; i < plan->commons; i++)
        if (changes_something(plan->common[i]))
            return true;
    return changes_something(plan->input[0]) || changes_something(plan->input[1]);
}

/* How many inputs each node has, for those who walk plans. */
static void count_inputs(struct plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->inputs && plan->append; i++)
        count_inputs(plan->append[i]);
    for (uint32_t i = 0; i < plan->commons; i++)
        count_inputs(plan->common[i]);
    count_inputs(plan->input[0]);
    count_inputs(plan->input[1]);
    if (!plan->append)
        plan->inputs = (plan->input[0] != NULL) + (plan->input[1] != NULL);
}

enum sqlstate plan_query(struct planner_request *request, const struct query *query, struct planned **planned,
                         struct error *error)
{
    struct planner *planner = scope_alloc_zeroed(request->scope, sizeof *planner);
    planner->request = request;
    planner->scope = request->scope;
    struct path *path;
    enum sqlstate failed = planner_query(planner, NULL, query, &path, error);
    if (failed)
        return failed;
    struct planned *done = scope_alloc_zeroed(request->scope, sizeof *done);
    done->plan = path->plan;
    if (request->gather && query->kind == QUERY_SELECT)
        plan_spread(planner, &done->plan, false);
    count_inputs(done->plan);
    done->kind = query->kind;
    done->outer_parameters = planner->outer_parameters;
    done->common_slots = planner->common_slots;
    done->catalog_version = catalog_view_version(request->view);
    done->cost = path->plan->cost;
    done->reads_only = !changes_something(path->plan);
    done->point = is_point(path->plan);
    const struct target *targets = query->kind == QUERY_SELECT ? query->target : query->returning;
    uint32_t count = query->kind == QUERY_SELECT ? query->targets : query->returnings;
    struct target *results = scope_alloc_zeroed(request->scope, (count + 1) * sizeof *results);
    for (uint32_t i = 0; i < count; i++)
        if (!targets[i].hidden)
            results[done->results++] = targets[i];
    done->result = results;
    *planned = done;
    return SQLSTATE_OK;
}
