/* What runs once for each row: subqueries in expressions, and lateral items in FROM. */
#include "sqlfront/plan/inside.h"

#include <string.h>

/* In a combined path: column `number` of the subquery. */
#define OF_SUBQUERY 0xfffffffeu

/* ---- columns of outer levels as parameters ---- */

static uint32_t outer_use(struct level *level, struct expression *source)
{
    struct planner *planner = level->planner;
    for (uint32_t i = 0; i < level->uses; i++)
        if (expression_equal(level->use[i].source, source))
            return level->use[i].parameter;
    if (level->uses == level->uses_room) {
        uint32_t room = level->uses_room ? 2 * level->uses_room : 8;
        struct outer_use *grown = plan_alloc(planner, room * sizeof *grown);
        if (level->uses)
            plan_copy(grown, level->use, level->uses * sizeof *grown);
        level->use = grown;
        level->uses_room = room;
    }
    level->use[level->uses] = (struct outer_use){.source = source, .parameter = planner->outer_parameters++};
    return level->use[level->uses++].parameter;
}

struct outward {
    struct planner *planner;
    struct level *level; /* one level up from the tree's own level */
    uint32_t base;       /* what counts as one level up: level > depth + base - 1 */
};

static struct expression *outward_node(void *argument, const struct expression *node, uint32_t depth)
{
    struct outward *outward = argument;
    bool leveled = node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_SYSTEM_COLUMN ||
                   node->kind == EXPRESSION_AGGREGATE || node->kind == EXPRESSION_GROUPING;
    if (!leveled || node->level < depth + outward->base)
        return NULL;
    uint32_t up = node->level - depth - outward->base;
    struct level *level = outward->level;
    for (uint32_t i = 0; i < up && level; i++)
        level = level->parent;
    if (!level)
        return NULL;
    struct expression *source;
    if (node->kind == EXPRESSION_AGGREGATE || node->kind == EXPRESSION_GROUPING) {
        source = expression_lower(outward->planner, node, (uint32_t)-node->level);
        source = expression_copy_node(outward->planner->scope, source);
    } else {
        source = expression_copy_node(outward->planner->scope, node);
    }
    source->level = 0;
    struct expression *parameter = expression_make(outward->planner->scope, EXPRESSION_PARAMETER, node->type);
    parameter->parameter_source = PARAMETER_OUTER;
    parameter->number = (int32_t)outer_use(level, source);
    parameter->modifier = node->modifier;
    parameter->collation = node->collation;
    parameter->position = node->position;
    return parameter;
}

/* A copy of a query one level below `level` in which what lies outside of it is parameters. */
static struct query *query_outward(struct level *level, const struct query *query)
{
    struct outward outward = {.planner = level->planner, .level = level, .base = 1};
    return query_map(level->planner->scope, query, outward_node, &outward);
}

/* An expression of `level` itself in which all columns are parameters: of a lateral function. */
static struct expression *expression_outward(struct level *level, const struct expression *expression)
{
    struct outward outward = {.planner = level->planner, .level = level, .base = 0};
    return expression_map(level->planner->scope, expression, outward_node, &outward, true);
}

static enum sqlstate plan_below(struct level *level, const struct query *query, struct path **path,
                                struct error *error)
{
    return planner_query(level->planner, level, query_outward(level, query), path, error);
}

struct uses {
    uint32_t count, room;
    struct outer_use *use;
};

static struct uses uses_begin(struct level *level)
{
    struct uses saved = {.count = level->uses, .room = level->uses_room, .use = level->use};
    level->uses = level->uses_room = 0;
    level->use = NULL;
    return saved;
}

/* What the subquery just planned needs becomes the APPLY's parameters; *resolves false when the path lacks one. */
static enum sqlstate uses_end(struct level *level, const struct uses *saved, const struct path *outer,
                              struct plan *apply, struct error *error)
{
    struct planner *planner = level->planner;
    uint32_t count = level->uses;
    struct outer_use *use = level->use;
    level->uses = saved->count;
    level->uses_room = saved->room;
    level->use = saved->use;
    uint32_t *parameters = plan_alloc(planner, count * sizeof *parameters);
    apply->parameters = count;
    apply->parameter = parameters;
    apply->parameter_value = plan_alloc(planner, count * sizeof *apply->parameter_value);
    apply->once = count == 0;
    for (uint32_t i = 0; i < count; i++) {
        parameters[i] = use[i].parameter;
        enum sqlstate failed = level_resolve(level, outer, use[i].source, &apply->parameter_value[i], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- subqueries in expressions ---- */

static struct expression *of_subquery(void *argument, const struct expression *node, uint32_t level)
{
    struct planner *planner = argument;
    if (node->kind != EXPRESSION_PARAMETER || node->parameter_source != PARAMETER_SUBQUERY || level > 0)
        return NULL;
    return expression_column(planner->scope, OF_SUBQUERY, node->number, node->type, node->modifier,
                             node->collation);
}

static struct path combined(struct planner *planner, const struct path *left, const struct path *right)
{
    struct path path = {.plan = plan_make(planner, PLAN_RESULT, left->plan->columns + right->plan->columns)};
    path.slot = plan_alloc(planner, path.plan->columns * sizeof *path.slot);
    plan_copy(path.slot, left->slot, left->plan->columns * sizeof *path.slot);
    plan_copy(path.plan->column, left->plan->column, left->plan->columns * sizeof *path.plan->column);
    for (uint32_t i = 0; i < right->plan->columns; i++) {
        path.slot[left->plan->columns + i] =
            right->slot ? right->slot[i] : (struct slot){OF_SUBQUERY, (int32_t)i};
        path.plan->column[left->plan->columns + i] = right->plan->column[i];
    }
    return path;
}

/* x = ANY (SELECT y) that does not depend on the row is looked up in a hash table. */
static enum sqlstate apply_hashed(struct level *level, const struct path *outer, struct plan *apply,
                                  const struct expression *test, struct error *error)
{
    const struct operator* operator= test->operator;
    if (!apply->once || test->kind != EXPRESSION_CALL || !operator || operator->strategy != 3 || !operator->can_hash ||
        test->arguments != 2 || test->argument[1]->kind != EXPRESSION_PARAMETER ||
        test->argument[1]->parameter_source != PARAMETER_SUBQUERY ||
        !types_hash_alike(test->argument[0]->type, test->argument[1]->type))
        return SQLSTATE_OK;
    struct planner *planner = level->planner;
    apply->keys = 1;
    apply->key = plan_alloc(planner, sizeof *apply->key);
    apply->right_key = plan_alloc(planner, sizeof *apply->right_key);
    apply->key->type = apply->right_key->type = test->argument[0]->type;
    apply->right_key->expression =
        expression_column(planner->scope, 0, test->argument[1]->number, test->argument[1]->type, -1, 0);
    apply->hashed = true;
    return level_resolve(level, outer, test->argument[0], &apply->key->expression, error);
}

static const uint8_t apply_kinds[] = {
    [SUBQUERY_EXISTS] = APPLY_EXISTS, [SUBQUERY_SCALAR] = APPLY_SCALAR, [SUBQUERY_ANY] = APPLY_ANY,
    [SUBQUERY_ALL] = APPLY_ALL,       [SUBQUERY_ARRAY] = APPLY_ARRAY,   [SUBQUERY_ROW] = APPLY_SCALAR,
};

/* The subquery's columns as one record. */
static struct path *as_record(struct planner *planner, const struct path *path, const struct type *record)
{
    struct path *row = plan_alloc(planner, sizeof *row);
    row->plan = plan_make(planner, PLAN_PROJECT, 1);
    row->plan->input[0] = path->plan;
    row->plan->rows = path->plan->rows;
    row->plan->cost = path->plan->cost;
    row->plan->column[0] = record;
    struct expression *expression = expression_make(planner->scope, EXPRESSION_ROW, record);
    expression->arguments = path->plan->columns;
    expression->argument = plan_alloc(planner, path->plan->columns * sizeof *expression->argument);
    for (uint32_t i = 0; i < path->plan->columns; i++)
        expression->argument[i] = slot_expression(planner, path, i);
    row->plan->expressions = 1;
    row->plan->expression = plan_alloc(planner, sizeof *row->plan->expression);
    row->plan->expression[0] = expression;
    return row;
}

static enum sqlstate apply_subquery(struct level *level, struct path **path, struct expression *node,
                                    struct error *error)
{
    struct planner *planner = level->planner;
    for (uint32_t i = 0; i < node->arguments; i++) {
        enum sqlstate failed = level_apply(level, path, node->argument[i], error);
        if (failed)
            return failed;
    }
    if (node->test_expression) {
        enum sqlstate failed = level_apply(level, path, node->test_expression, error);
        if (failed)
            return failed;
    }
    struct path *inner, *outer = *path;
    struct uses saved = uses_begin(level);
    enum sqlstate failed = plan_below(level, node->query, &inner, error);
    if (failed)
        return failed;
    if (node->subquery_kind == SUBQUERY_ROW)
        inner = as_record(planner, inner, node->type);
    struct path *result = path_over(planner, PLAN_APPLY, outer);
    struct plan *apply = result->plan;
    apply->apply = apply_kinds[node->subquery_kind];
    apply->input[1] = inner->plan;
    failed = uses_end(level, &saved, outer, apply, error);
    if (failed)
        return failed;
    apply->columns = outer->plan->columns + 1;
    apply->column = plan_alloc(planner, apply->columns * sizeof *apply->column);
    result->slot = plan_alloc(planner, apply->columns * sizeof *result->slot);
    plan_copy(apply->column, outer->plan->column, outer->plan->columns * sizeof *apply->column);
    plan_copy(result->slot, outer->slot, outer->plan->columns * sizeof *result->slot);
    apply->column[outer->plan->columns] = node->type;
    result->slot[outer->plan->columns] = (struct slot){COMPUTED, level_computed(level, node)};
    if (node->subquery_kind == SUBQUERY_ANY || node->subquery_kind == SUBQUERY_ALL) {
        struct path right = {.plan = inner->plan}, both = combined(planner, outer, &right);
        struct expression *test =
            expression_map(planner->scope, node->test_expression, of_subquery, planner, false);
        failed = level_resolve(level, &both, test, &apply->condition, error);
        if (!failed && node->subquery_kind == SUBQUERY_ANY)
            failed = apply_hashed(level, outer, apply, node->test_expression, error);
        if (failed)
            return failed;
    }
    apply->cost += apply->once ? inner->plan->cost : outer->plan->rows * inner->plan->cost;
    *path = result;
    return SQLSTATE_OK;
}

struct finding {
    struct walk walk;
    struct level *level;
    struct path **path;
    struct error *error;
    enum sqlstate failed;
};

static void find_subquery(struct walk *walk, struct expression **place)
{
    struct finding *finding = (struct finding *)walk;
    struct expression *node = *place;
    if (finding->failed)
        return;
    for (uint32_t i = 0; i < (*finding->path)->plan->columns; i++) {
        const struct slot *slot = &(*finding->path)->slot[i];
        if (slot->range == COMPUTED && finding->level->computed_expression[slot->number] == node)
            return;
    }
    if (node->kind == EXPRESSION_SUBQUERY) {
        finding->failed = apply_subquery(finding->level, finding->path, node, finding->error);
        return;
    }
    walk_expression(walk, node);
}

static void skip_query(struct walk *walk, struct query **place)
{
    (void)walk;
    (void)place;
}

enum sqlstate level_apply(struct level *level, struct path **path, struct expression *expression,
                          struct error *error)
{
    struct finding finding = {.walk = {.expression = find_subquery, .query = skip_query},
                              .level = level,
                              .path = path,
                              .error = error};
    if (expression)
        find_subquery(&finding.walk, &expression);
    return finding.failed;
}

/* ---- subqueries asked beforehand ---- */

static struct path *result_path(struct planner *planner)
{
    struct path *path = plan_alloc(planner, sizeof *path);
    path->plan = plan_make(planner, PLAN_RESULT, 0);
    path->plan->rows = 1;
    path->plan->cost = 0.1;
    return path;
}

struct hoisting {
    struct walk walk;
    struct level *level;
    struct hoisted *hoisted;
    const char *where;
    struct error *error;
    enum sqlstate failed;
};

static void hoist_visit(struct walk *walk, struct expression **place)
{
    struct hoisting *hoisting = (struct hoisting *)walk;
    struct level *level = hoisting->level;
    struct expression *node = *place;
    if (hoisting->failed)
        return;
    if (node->kind != EXPRESSION_SUBQUERY) {
        walk_expression(walk, node);
        return;
    }
    struct hoisted *hoisted = hoisting->hoisted;
    if (hoisted->count == HOISTED_MAX || expression_ranges(node) != 0) {
        hoisting->failed = error_set(
            hoisting->error, SQLSTATE_FEATURE_NOT_SUPPORTED, "%s subqueries in %s are not supported yet",
            hoisted->count == HOISTED_MAX ? "so many" : "correlated", hoisting->where);
        return;
    }
    struct expression *parameter = expression_make(level->planner->scope, EXPRESSION_PARAMETER, node->type);
    parameter->parameter_source = PARAMETER_OUTER;
    parameter->number = (int32_t)level->planner->outer_parameters++;
    parameter->modifier = node->modifier;
    parameter->collation = node->collation;
    hoisted->node[hoisted->count] = node;
    hoisted->parameter[hoisted->count++] = (uint32_t)parameter->number;
    *place = parameter;
}

static enum sqlstate hoist(struct level *level, struct hoisted *hoisted, struct expression **expression,
                           const char *where, struct error *error)
{
    struct hoisting hoisting = {.walk = {.expression = hoist_visit, .query = skip_query},
                                .level = level,
                                .hoisted = hoisted,
                                .where = where,
                                .error = error};
    if (*expression)
        hoist_visit(&hoisting.walk, expression);
    return hoisting.failed;
}

enum sqlstate level_hoist(struct level *level, struct expression **expression, const char *where,
                          struct error *error)
{
    return hoist(level, &level->hoisted, expression, where, error);
}

/* First the subqueries, then the path with their values as parameters. */
static enum sqlstate hoisted_first(struct level *level, const struct hoisted *hoisted, struct path **path,
                                   struct error *error)
{
    struct planner *planner = level->planner;
    if (hoisted->count == 0)
        return SQLSTATE_OK;
    struct path *before = result_path(planner), *inner = *path;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < hoisted->count && !failed; i++)
        failed = level_apply(level, &before, hoisted->node[i], error);
    if (failed)
        return failed;
    struct path *result = plan_alloc(planner, sizeof *result);
    *result = combined(planner, before, inner);
    struct plan *apply = result->plan;
    apply->kind = PLAN_APPLY;
    apply->apply = APPLY_JOIN;
    apply->join = JOIN_INNER;
    apply->input[0] = before->plan;
    apply->input[1] = inner->plan;
    apply->rows = inner->plan->rows;
    apply->cost = before->plan->cost + inner->plan->cost;
    apply->parameters = hoisted->count;
    apply->parameter = plan_alloc(planner, hoisted->count * sizeof *apply->parameter);
    apply->parameter_value = plan_alloc(planner, hoisted->count * sizeof *apply->parameter_value);
    for (uint32_t i = 0; i < hoisted->count; i++) {
        ((uint32_t *)apply->parameter)[i] = hoisted->parameter[i];
        failed = level_resolve(level, before, hoisted->node[i], &apply->parameter_value[i], error);
        if (failed)
            return failed;
    }
    /* Only the inner slots go on. */
    uint32_t skip = before->plan->columns, count = inner->plan->columns;
    struct path *project = path_over(planner, PLAN_PROJECT, result);
    project->plan->columns = project->plan->expressions = count;
    project->plan->column = inner->plan->column;
    project->plan->expression = plan_alloc(planner, (count + 1) * sizeof *project->plan->expression);
    for (uint32_t i = 0; i < count; i++)
        project->plan->expression[i] = slot_expression(planner, result, skip + i);
    project->slot = inner->slot;
    *path = project;
    return SQLSTATE_OK;
}

enum sqlstate level_hoisted(struct level *level, struct path **path, struct error *error)
{
    return hoisted_first(level, &level->hoisted, path, error);
}

/* ---- leaves that are no tables ---- */

static struct path *leaf_path(struct level *level, uint32_t range, struct plan *plan)
{
    struct path *path = plan_alloc(level->planner, sizeof *path);
    path->plan = plan;
    path->slot = plan_alloc(level->planner, plan->columns * sizeof *path->slot);
    for (uint32_t i = 0; i < plan->columns; i++)
        path->slot[i] = (struct slot){range, (int32_t)i + 1};
    return path;
}

static enum sqlstate function_leaf(struct level *level, uint32_t at, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    const struct range *range = &level->query->range[at];
    struct plan *plan = plan_make(planner, PLAN_FUNCTION, range->columns);
    struct hoisted hoisted = {0};
    for (uint32_t i = 0; i < range->columns; i++)
        plan->column[i] = range->column[i].type;
    plan->functions = range->functions;
    plan->ordinality = range->ordinality;
    plan->alias = range->name;
    plan->function = plan_alloc(planner, range->functions * sizeof *plan->function);
    for (uint32_t i = 0; i < range->functions; i++) {
        struct expression *call = expression_outward(level, range->function[i]);
        enum sqlstate failed = hoist(level, &hoisted, &call, "a function in FROM", error);
        if (failed)
            return failed;
        plan->function[i] = (struct plan_function){.call = call, .columns = range->function_columns[i]};
    }
    plan->rows = 100;
    for (uint32_t i = 0; i < range->functions; i++)
        if (!plan->function[i].call->procedure || !plan->function[i].call->procedure->returns_set)
            plan->rows = range->functions == 1 ? 1 : plan->rows;
    plan->cost = plan->rows * COST_SCAN_ROW;
    *path = leaf_path(level, at, plan);
    return hoisted_first(level, &hoisted, path, error);
}

static bool any_subquery(const struct range *range)
{
    for (uint32_t row = 0; row < range->values; row++)
        for (uint32_t c = 0; c < range->columns; c++)
            if (expression_facts(range->value[row][c]) & FACT_SUBQUERY)
                return true;
    return false;
}

/* Each row by itself: one with a subquery in it needs an APPLY. */
static enum sqlstate values_appended(struct level *level, const struct range *range, struct plan **append,
                                     struct error *error)
{
    struct planner *planner = level->planner;
    struct plan *plan = plan_make(planner, PLAN_APPEND, range->columns);
    plan->inputs = range->values;
    plan->append = plan_alloc(planner, range->values * sizeof *plan->append);
    for (uint32_t row = 0; row < range->values; row++) {
        struct path *path = result_path(planner);
        struct plan *project = plan_make(planner, PLAN_PROJECT, range->columns);
        project->expressions = range->columns;
        project->expression = plan_alloc(planner, range->columns * sizeof *project->expression);
        for (uint32_t c = 0; c < range->columns; c++) {
            struct expression *expression = expression_outward(level, range->value[row][c]);
            enum sqlstate failed = level_apply(level, &path, expression, error);
            if (!failed)
                failed = level_resolve(level, path, expression, &project->expression[c], error);
            if (failed)
                return failed;
            project->column[c] = range->column[c].type;
        }
        project->input[0] = path->plan;
        project->rows = 1;
        plan->append[row] = project;
    }
    *append = plan;
    return SQLSTATE_OK;
}

static enum sqlstate values_leaf(struct level *level, uint32_t at, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    const struct range *range = &level->query->range[at];
    struct plan *plan = NULL;
    if (any_subquery(range)) {
        enum sqlstate failed = values_appended(level, range, &plan, error);
        if (failed)
            return failed;
    } else {
        plan = plan_make(planner, PLAN_VALUES, range->columns);
        plan->value_rows = range->values;
        plan->expressions = range->values * range->columns;
        void *memory;
        enum sqlstate failed = scope_alloc_large(
            planner->scope, (plan->expressions + 1) * sizeof *plan->expression, 16, &memory, error);
        if (failed)
            return failed;
        plan->expression = memory;
        for (uint32_t row = 0; row < range->values; row++)
            for (uint32_t c = 0; c < range->columns; c++)
                plan->expression[row * range->columns + c] =
                    level->lateral_of[at] ? expression_outward(level, range->value[row][c])
                                          : range->value[row][c];
    }
    for (uint32_t c = 0; c < range->columns; c++)
        plan->column[c] = range->column[c].type;
    plan->rows = range->values;
    plan->cost = range->values * COST_SCAN_ROW;
    *path = leaf_path(level, at, plan);
    return SQLSTATE_OK;
}

static enum sqlstate common_leaf(struct level *level, uint32_t at, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    const struct range *range = &level->query->range[at];
    struct level *owner = level;
    for (uint32_t i = 0; i < range->common_level && owner->parent; i++)
        owner = owner->parent;
    struct common_plan *common;
    enum sqlstate failed = planner_common(owner, range->common, range->common_self, &common, error);
    if (failed)
        return failed;
    struct plan *plan =
        plan_make(planner, range->common_self ? PLAN_WORK_TABLE : PLAN_COMMON_SCAN, common->plan->columns);
    plan_copy(plan->column, common->plan->column, plan->columns * sizeof *plan->column);
    plan->common_slot = common->slot;
    plan->alias = range->name;
    plan->rows = common->rows;
    plan->cost = common->rows * COST_SCAN_ROW;
    *path = leaf_path(level, at, plan);
    return SQLSTATE_OK;
}

enum sqlstate level_other_leaf(struct level *level, uint32_t at, struct path **path, struct error *error)
{
    const struct range *range = &level->query->range[at];
    enum sqlstate failed;
    switch (range->kind) {
    case RANGE_SUBQUERY:
        failed = plan_below(level, range->query, path, error);
        if (!failed)
            *path = leaf_path(level, at, (*path)->plan);
        return failed;
    case RANGE_FUNCTION:
        return function_leaf(level, at, path, error);
    case RANGE_VALUES:
        return values_leaf(level, at, path, error);
    case RANGE_COMMON:
        return common_leaf(level, at, path, error);
    case RANGE_RESULT:
        *path = result_path(level->planner);
        return SQLSTATE_OK;
    default:
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "planner: a range of kind %u is in FROM",
                         range->kind);
    }
}

enum sqlstate level_apply_leaf(struct level *level, struct path *outer, uint32_t at, uint8_t join,
                               struct expression **conditions, uint32_t count, struct path **path,
                               struct error *error)
{
    struct planner *planner = level->planner;
    *path = NULL;
    if (join != JOIN_INNER && join != JOIN_LEFT)
        return SQLSTATE_OK; /* semi joins and the like find another order */
    struct uses saved = uses_begin(level);
    struct path *inner;
    struct paths kept;
    enum sqlstate failed = level_leaf(level, at, &inner, &kept, error);
    if (failed)
        return failed;
    struct path *result = plan_alloc(planner, sizeof *result);
    *result = combined(planner, outer, inner);
    struct plan *apply = result->plan;
    apply->kind = PLAN_APPLY;
    apply->apply = APPLY_JOIN;
    apply->join = join;
    apply->input[0] = outer->plan;
    apply->input[1] = inner->plan;
    result->orders = outer->orders;
    result->order = outer->order;
    failed = uses_end(level, &saved, outer, apply, error);
    struct expression *all = NULL;
    for (uint32_t i = 0; i < count; i++)
        all = expression_and(planner->scope, all, conditions[i]);
    if (!failed && all)
        failed = level_resolve(level, result, all, &apply->condition, error);
    if (failed)
        return failed;
    apply->rows = outer->plan->rows * inner->plan->rows;
    apply->cost = outer->plan->cost + outer->plan->rows * (inner->plan->cost + COST_ROW_OUT);
    *path = result;
    return SQLSTATE_OK;
}
