/* Making plan nodes, and expressions over their slots. */
#include "sqlfront/plan/inside.h"

#include <string.h>

void *plan_alloc(struct planner *planner, size_t bytes)
{
    return scope_alloc_zeroed(planner->scope, bytes ? bytes : 1);
}

struct plan *plan_make(struct planner *planner, enum plan_kind kind, uint32_t columns)
{
    struct plan *plan = plan_alloc(planner, sizeof *plan);
    plan->kind = (uint8_t)kind;
    plan->columns = columns;
    plan->column = plan_alloc(planner, columns * sizeof *plan->column);
    return plan;
}

struct path *path_over(struct planner *planner, enum plan_kind kind, struct path *input)
{
    struct path *path = plan_alloc(planner, sizeof *path);
    struct plan *plan = plan_alloc(planner, sizeof *plan);
    *path = *input;
    path->plan = plan;
    plan->kind = (uint8_t)kind;
    plan->columns = input->plan->columns;
    plan->column = input->plan->column;
    plan->input[0] = input->plan;
    plan->rows = input->plan->rows;
    plan->cost = input->plan->cost;
    plan->startup_cost = input->plan->startup_cost;
    return path;
}

int path_slot(const struct path *path, uint32_t range, int32_t number)
{
    for (uint32_t i = 0; i < path->plan->columns; i++)
        if (path->slot[i].range == range && path->slot[i].number == number)
            return (int)i;
    return -1;
}

struct expression *slot_expression(struct planner *planner, const struct path *path, uint32_t slot)
{
    return expression_column(planner->scope, 0, (int32_t)slot, path->plan->column[slot], -1, 0);
}

/* ---- resolving ---- */

struct resolver {
    struct level *level;
    const struct path *path;
    bool any_computed;
    const struct expression *missing;
};

static struct expression *slot_like(struct resolver *resolver, int slot, const struct expression *node)
{
    struct expression *column = slot_expression(resolver->level->planner, resolver->path, (uint32_t)slot);
    column->type = node->type;
    column->modifier = node->modifier;
    column->collation = node->collation;
    column->position = node->position;
    return column;
}

static struct expression *resolve_node(void *argument, const struct expression *node, uint32_t level)
{
    struct resolver *resolver = argument;
    (void)level;
    if (resolver->any_computed && node->kind != EXPRESSION_CONSTANT && node->kind != EXPRESSION_PARAMETER)
        for (uint32_t i = 0; i < resolver->path->plan->columns; i++) {
            const struct slot *slot = &resolver->path->slot[i];
            if (slot->range != COMPUTED)
                continue;
            const struct expression *computed = resolver->level->computed_expression[slot->number];
            if (computed == node || expression_equal(computed, node))
                return slot_like(resolver, (int)i, node);
        }
    int slot = 0;
    switch (node->kind) {
    case EXPRESSION_COLUMN:
    case EXPRESSION_SYSTEM_COLUMN:
        slot = path_slot(resolver->path, node->range, node->number);
        if (slot >= 0)
            return slot_like(resolver, slot, node);
        resolver->missing = node;
        return (struct expression *)node;
    case EXPRESSION_SUBQUERY:
    case EXPRESSION_AGGREGATE:
    case EXPRESSION_GROUPING:
    case EXPRESSION_WHOLE_ROW:
        resolver->missing = node;
        return (struct expression *)node;
    case EXPRESSION_WINDOW: /* its own slot is above; here its arguments are asked for */
    default:
        return NULL;
    }
}

enum sqlstate level_resolve(struct level *level, const struct path *path, const struct expression *expression,
                            struct expression **resolved, struct error *error)
{
    struct resolver resolver = {.level = level, .path = path};
    for (uint32_t i = 0; i < path->plan->columns; i++)
        resolver.any_computed |= path->slot[i].range == COMPUTED;
    *resolved = expression_map(level->planner->scope, expression, resolve_node, &resolver, false);
    if (!resolver.missing)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_INTERNAL_ERROR,
                     "planner: expression of kind %u (range %u, number %d) is not in its input",
                     resolver.missing->kind, resolver.missing->range, resolver.missing->number);
}

int32_t level_computed(struct level *level, struct expression *expression)
{
    for (uint32_t i = 0; i < level->computed; i++)
        if (level->computed_expression[i] == expression)
            return (int32_t)i;
    if (level->computed == level->computed_room) {
        uint32_t room = level->computed_room ? 2 * level->computed_room : 16;
        struct expression **grown = plan_alloc(level->planner, room * sizeof *grown);
        if (level->computed)
            memcpy(grown, level->computed_expression, level->computed * sizeof *grown);
        level->computed_expression = grown;
        level->computed_room = room;
    }
    level->computed_expression[level->computed] = expression;
    return (int32_t)level->computed++;
}

enum sqlstate level_filter(struct level *level, struct path **path, struct expression **conditions,
                           uint32_t count, struct error *error)
{
    struct expression *all = NULL;
    for (uint32_t i = 0; i < count; i++)
        all = expression_and(level->planner->scope, all, conditions[i]);
    if (!all)
        return SQLSTATE_OK;
    enum sqlstate failed = level_apply(level, path, all, error);
    struct expression *resolved;
    if (!failed)
        failed = level_resolve(level, *path, all, &resolved, error);
    if (failed)
        return failed;
    struct path *filter = path_over(level->planner, PLAN_FILTER, *path);
    filter->plan->condition = resolved;
    for (uint32_t i = 0; i < count; i++)
        filter->plan->rows *= condition_selectivity(level, conditions[i]);
    if (filter->plan->rows < 1)
        filter->plan->rows = 1;
    filter->plan->cost += (*path)->plan->rows * COST_CONDITION * count;
    *path = filter;
    return SQLSTATE_OK;
}

/* ---- looking at expressions ---- */

struct ranges_walk {
    struct walk walk;
    uint32_t level;
    uint64_t ranges;
};

static void ranges_visit(struct walk *walk, struct expression **place)
{
    struct ranges_walk *ranges = (struct ranges_walk *)walk;
    const struct expression *node = *place;
    if ((node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_WHOLE_ROW ||
         node->kind == EXPRESSION_SYSTEM_COLUMN) &&
        node->level == ranges->level && node->range < RANGES_MAX)
        ranges->ranges |= set_of(node->range);
    walk_expression(walk, *place);
}

static void ranges_query(struct walk *walk, struct query **place)
{
    struct ranges_walk *ranges = (struct ranges_walk *)walk;
    ranges->level++;
    walk_query(walk, *place);
    ranges->level--;
}

uint64_t expression_ranges(const struct expression *expression)
{
    struct ranges_walk ranges = {.walk = {.expression = ranges_visit, .query = ranges_query}};
    struct expression *place = (struct expression *)expression;
    if (place)
        ranges_visit(&ranges.walk, &place);
    return ranges.ranges;
}

struct lowering {
    struct scope *scope;
    uint32_t by;
};

static struct expression *lower_node(void *argument, const struct expression *node, uint32_t level)
{
    struct lowering *lowering = argument;
    bool leveled = node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_WHOLE_ROW ||
                   node->kind == EXPRESSION_SYSTEM_COLUMN;
    if (!leveled || node->level < level)
        return NULL;
    struct expression *copy = expression_copy_node(lowering->scope, node);
    copy->level += lowering->by;
    return copy;
}

struct expression *expression_lower(struct planner *planner, const struct expression *expression, uint32_t by)
{
    if (by == 0)
        return (struct expression *)expression;
    struct lowering lowering = {.scope = planner->scope, .by = by};
    return expression_map(planner->scope, expression, lower_node, &lowering, true);
}

void conjuncts_split(struct planner *planner, struct expression *expression, struct expression ***list,
                     uint32_t *count)
{
    if (!expression)
        return;
    if (expression->kind == EXPRESSION_AND) {
        for (uint32_t i = 0; i < expression->arguments; i++)
            conjuncts_split(planner, expression->argument[i], list, count);
        return;
    }
    if (expression->kind == EXPRESSION_CONSTANT && !expression->constant.null && expression->constant.i)
        return;
    struct expression **grown = plan_alloc(planner, (*count + 1) * sizeof *grown);
    if (*count)
        memcpy(grown, *list, *count * sizeof *grown);
    grown[(*count)++] = expression;
    *list = grown;
}

bool type_is_same_key(const struct type *column, const struct type *other)
{
    if (column->oid == other->oid)
        return true;
    if (column->kind != other->kind || column->order != other->order)
        return false;
    if (column->kind == VALUE_BYTES)
        return column->order == ORDER_BYTES && column->category == other->category;
    /* oid and what is named by oid; not int4 and date */
    return column->kind == VALUE_INTEGER && column->width == other->width && column->order == ORDER_INTEGER &&
           column->category == 'N' && other->category == 'N';
}

bool types_hash_alike(const struct type *a, const struct type *b)
{
    if (a->oid == b->oid)
        return a->order != ORDER_NONE;
    if (a->kind == VALUE_INTEGER && a->order == ORDER_INTEGER && a->category == 'N')
        return b->kind == VALUE_INTEGER && b->order == ORDER_INTEGER && b->category == 'N';
    return a->kind == VALUE_FLOAT && b->kind == VALUE_FLOAT;
}

const struct expression *expression_strip_relabel(const struct expression *expression)
{
    while (expression->kind == EXPRESSION_RELABEL)
        expression = expression->argument[0];
    return expression;
}
