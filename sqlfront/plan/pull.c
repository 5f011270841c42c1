/* Subqueries in FROM that are no more than joins and conditions become part of the level they stand in; so do CTEs read
 * once. */
#include "sqlfront/plan/inside.h"

#include <string.h>

/* ---- moving a query to another place ---- */

struct moving {
    struct walk walk;
    uint32_t depth;
    uint32_t range_offset; /* of the query's own ranges */
    int32_t outer;         /* added to the level of what lies outside of it */
};

static void move_visit(struct walk *walk, struct expression **place)
{
    struct moving *moving = (struct moving *)walk;
    struct expression *node = *place;
    if (node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_WHOLE_ROW ||
        node->kind == EXPRESSION_SYSTEM_COLUMN) {
        if (node->level == moving->depth)
            node->range += moving->range_offset;
        else if (node->level > moving->depth)
            node->level = (uint32_t)((int32_t)node->level + moving->outer);
    }
    walk_expression(walk, node);
}

static void move_ranges(const struct moving *moving, struct query *query)
{
    for (uint32_t i = 0; i < query->ranges; i++)
        if (query->range[i].kind == RANGE_COMMON && query->range[i].common_level > moving->depth)
            query->range[i].common_level = (uint32_t)((int32_t)query->range[i].common_level + moving->outer);
}

static void move_query(struct walk *walk, struct query **place)
{
    struct moving *moving = (struct moving *)walk;
    moving->depth++;
    move_ranges(moving, *place);
    walk_query(walk, *place);
    moving->depth--;
}

static void move_from(struct from *from, uint32_t range_offset)
{
    from->range += range_offset;
    if (from->kind != FROM_JOIN)
        return;
    move_from(from->left, range_offset);
    move_from(from->right, range_offset);
}

static struct expression *copy_all(void *argument, const struct expression *node, uint32_t level)
{
    (void)argument;
    (void)node;
    (void)level;
    return NULL;
}

static struct query *query_moved(struct planner *planner, const struct query *query, uint32_t range_offset,
                                 int32_t outer)
{
    struct query *copy = query_map(planner->scope, query, copy_all, NULL);
    struct moving moving = {.walk = {.expression = move_visit, .query = move_query},
                            .range_offset = range_offset,
                            .outer = outer};
    move_ranges(&moving, copy);
    for (uint32_t i = 0; i < copy->froms; i++)
        move_from(copy->from[i], range_offset);
    walk_query(&moving.walk, copy);
    return copy;
}

struct query *query_absorb(struct planner *planner, const struct query *query, uint32_t range_offset)
{
    return query_moved(planner, query, range_offset, -1);
}

/* ---- putting its targets in place of its columns ---- */

struct replacing {
    struct walk walk;
    struct planner *planner;
    uint32_t depth, range;
    const struct target *target;
};

static void replace_visit(struct walk *walk, struct expression **place)
{
    struct replacing *replacing = (struct replacing *)walk;
    const struct expression *node = *place;
    if (node->kind == EXPRESSION_COLUMN && node->level == replacing->depth &&
        node->range == replacing->range) {
        struct expression *copy = expression_map(
            replacing->planner->scope, replacing->target[node->number - 1].expression, copy_all, NULL, true);
        *place = expression_lower(replacing->planner, copy, replacing->depth);
        return;
    }
    walk_expression(walk, *place);
}

static void replace_query(struct walk *walk, struct query **place)
{
    struct replacing *replacing = (struct replacing *)walk;
    replacing->depth++;
    walk_query(walk, *place);
    replacing->depth--;
}

static void replace_in_tree(struct replacing *replacing, struct join_tree *tree)
{
    if (!tree)
        return;
    for (uint32_t i = 0; i < tree->conditions; i++)
        replace_visit(&replacing->walk, &tree->condition[i]);
    if (!tree->leaf) {
        replace_in_tree(replacing, tree->left);
        replace_in_tree(replacing, tree->right);
    }
}

/* ---- what may be pulled up ---- */

bool query_is_simple(const struct query *query)
{
    return query->kind == QUERY_SELECT && !query->set && !query->has_aggregates && query->groups == 0 &&
           query->grouping_sets == 0 && !query->having && !query->has_windows && !query->distinct &&
           query->distinct_on == 0 && !query->limit && !query->offset && !query->has_set_calls &&
           query->locks == 0 && query->commons == 0 && query->froms > 0;
}

static bool targets_may_move(const struct query *query, bool nullable)
{
    for (uint32_t i = 0; i < query->targets; i++) {
        const struct expression *expression = query->target[i].expression;
        if (query->target[i].hidden)
            continue;
        if (expression_facts(expression) & FACT_VOLATILE)
            return false;
        if (nullable && (expression->kind != EXPRESSION_COLUMN || expression->level != 0))
            return false;
    }
    return true;
}

static bool query_is_volatile(const struct query *query)
{
    struct expression probe = {.kind = EXPRESSION_SUBQUERY, .query = (struct query *)query};
    return expression_facts(&probe) & FACT_VOLATILE;
}

/* A CTE that is read once and changes nothing might as well stand where it is read. */
static void inline_common(struct level *level, struct range *range)
{
    const struct common *common = range->common;
    if (range->common_self || common->recursive || common->materialized == 1 ||
        common->query->kind != QUERY_SELECT)
        return;
    if ((common->references != 1 && common->materialized != 2) || common->query->has_modifying_common ||
        query_is_volatile(common->query))
        return;
    range->kind = RANGE_SUBQUERY;
    range->query = query_moved(level->planner, common->query, 0, (int32_t)range->common_level);
    range->common = NULL;
}

static enum sqlstate pull_leaf(struct level *level, struct join_tree *leaf, bool nullable, bool *pulled,
                               struct error *error)
{
    struct planner *planner = level->planner;
    struct range *range = &level->query->range[leaf->range];
    *pulled = false;
    if (range->kind == RANGE_COMMON)
        inline_common(level, range);
    if (range->kind != RANGE_SUBQUERY || !query_is_simple(range->query) || range->query->orders > 0)
        return SQLSTATE_OK;
    struct query *prepared = planner_prepare(planner, range->query);
    uint32_t first;
    if (!targets_may_move(prepared, nullable) ||
        !level_add_ranges(level, prepared->range, prepared->ranges, &first))
        return SQLSTATE_OK;
    struct query *child = query_absorb(planner, prepared, first);
    range = &level->query->range[leaf->range]; /* the array has moved */
    memcpy(&level->query->range[first], child->range, child->ranges * sizeof *child->range);
    range->kind = RANGE_RESULT;
    range->query = NULL;
    struct replacing replacing = {.walk = {.expression = replace_visit, .query = replace_query},
                                  .planner = planner,
                                  .range = leaf->range,
                                  .target = child->target};
    walk_query(&replacing.walk, level->query);
    replace_in_tree(&replacing, level->tree);
    /* Its FROM, with its WHERE, stands where the leaf stood. */
    struct level inner = {.planner = planner, .query = child};
    enum sqlstate failed = level_build_tree(&inner, error);
    if (failed)
        return failed;
    struct join_tree *tree = inner.tree;
    *leaf = *tree;
    *pulled = true;
    return SQLSTATE_OK;
}

static enum sqlstate pull_tree(struct level *level, struct join_tree *tree, bool nullable,
                               struct error *error)
{
    if (!tree)
        return SQLSTATE_OK;
    enum sqlstate failed = SQLSTATE_OK;
    if (tree->leaf) {
        bool pulled;
        failed = pull_leaf(level, tree, nullable, &pulled, error);
        /* What came up may itself hold such subqueries. */
        if (!failed && pulled)
            failed = pull_tree(level, tree, nullable, error);
        return failed;
    }
    bool left = nullable || tree->join == JOIN_FULL,
         right = nullable || tree->join == JOIN_FULL || tree->join == JOIN_LEFT;
    failed = pull_tree(level, tree->left, left, error);
    /* NOT IN has to be one equality of columns: its subquery stays what it is. */
    if (failed || tree->null_aware)
        return failed;
    return pull_tree(level, tree->right, right, error);
}

enum sqlstate level_pull_up(struct level *level, struct error *error)
{
    return pull_tree(level, level->tree, false, error);
}
