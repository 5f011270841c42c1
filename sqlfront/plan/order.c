/* Orders: in which one a path's rows come, whether that is what somebody wants, and what it saves.
 *
 * A path names the slots its rows are ordered by. An order is *useful* as far as its columns are those of ORDER BY, of GROUP BY or
 * DISTINCT, or of an equality with a table that is not joined yet (a merge join's key). Beside the cheapest way to a set of leaves
 * those are kept that come in a useful order no cheaper one has (Selinger's interesting orders, 1979). Columns that conditions of
 * inner joins make equal stand for each other. */
#include "sqlfront/plan/inside.h"

#include <math.h>
#include <string.h>

/* ---- columns that are equal ---- */

static bool names(const struct expression *expression, const struct slot *slot)
{
    return expression && expression->kind == EXPRESSION_COLUMN && expression->level == 0 &&
           expression->range == slot->range && expression->number == slot->number;
}

/* The class of equal columns; -1 = none. */
static int class_of(const struct level *level, const struct slot *slot)
{
    for (uint32_t i = 0; i < level->conditions; i++) {
        const struct condition *c = &level->condition[i];
        if (c->class >= 0 && (names(c->left, slot) || names(c->right, slot)))
            return c->class;
    }
    return -1;
}

/* Whether the column has the slot's value in all rows of a path that has both their ranges. */
static bool is_equal(const struct level *level, const struct expression *column, const struct slot *slot)
{
    if (names(column, slot))
        return true;
    const struct slot other = {column->range, column->number};
    int class = class_of(level, slot);
    return class >= 0 && class == class_of(level, &other);
}

static const struct expression *plain_column(const struct expression *expression)
{
    expression = expression_strip_relabel(expression);
    return expression->kind == EXPRESSION_COLUMN && expression->level == 0 ? expression : NULL;
}

bool column_is_equal(const struct level *level, const struct expression *column, const struct slot *slot)
{
    const struct expression *plain = plain_column(column);
    return plain && is_equal(level, plain, slot);
}

static const struct slot *order_slot(const struct path *path, uint32_t at)
{
    return &path->slot[path->order[at].slot];
}

static uint64_t path_ranges(const struct path *path)
{
    uint64_t ranges = 0;
    for (uint32_t i = 0; i < path->plan->columns; i++)
        if (path->slot[i].range < RANGES_MAX)
            ranges |= set_of(path->slot[i].range);
    return ranges;
}

/* ---- what an order does ---- */

static bool is_constant(const struct level *level, const struct path *path, const struct expression *column)
{
    for (uint32_t o = 0; o < path->orders; o++)
        if (path->order[o].constant && is_equal(level, column, order_slot(path, o)))
            return true;
    return false;
}

bool path_has_order(const struct level *level, const struct path *path, const struct sort_key *wish,
                    uint32_t count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct expression *key = plain_column(
            wish[i].expression ? wish[i].expression : level->query->target[wish[i].target].expression);
        if (!key || path_slot(path, key->range, key->number) < 0)
            return false;
        if (is_constant(level, path, key))
            continue;
        while (at < path->orders && path->order[at].constant)
            at++;
        if (at >= path->orders || !is_equal(level, key, order_slot(path, at)) ||
            path->order[at].descending != wish[i].descending)
            return false;
        const struct range *range = &level->query->range[key->range];
        bool never_null = range->kind == RANGE_RELATION && key->number > 0 &&
                          range->relation->column[key->number - 1].not_null;
        if (!never_null && path->order[at].nulls_first != wish[i].nulls_first)
            return false;
        at++;
    }
    return count > 0;
}

/* Whether the columns of a table's key are all among those keys that are `covered`: then its other columns depend on them. */
static bool key_is_covered(const struct level *level, uint32_t range, struct expression *const *key,
                           uint32_t count, const bool *covered)
{
    const struct range *from = &level->query->range[range];
    if (from->kind != RANGE_RELATION || !from->relation || from->relation->key_columns == 0)
        return false;
    for (uint32_t k = 0; k < from->relation->key_columns; k++) {
        const struct slot part = {range, from->relation->key_column[k]};
        bool found = false;
        for (uint32_t i = 0; i < count && !found; i++)
            found = covered[i] && is_equal(level, plain_column(key[i]), &part);
        if (!found)
            return false;
    }
    return true;
}

static bool all_covered(const struct level *level, struct expression *const *key, uint32_t count,
                        const bool *covered)
{
    for (uint32_t i = 0; i < count; i++)
        if (!covered[i] && !key_is_covered(level, plain_column(key[i])->range, key, count, covered))
            return false;
    return true;
}

bool path_has_groups(struct level *level, const struct path *path, struct expression *const *key,
                     uint32_t count)
{
    bool *covered = plan_alloc(level->planner, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct expression *column = plain_column(key[i]);
        if (!column || path_slot(path, column->range, column->number) < 0)
            return false;
        covered[i] = is_constant(level, path, column);
    }
    for (uint32_t o = 0; o < path->orders && !all_covered(level, key, count, covered); o++) {
        bool any = path->order[o].constant;
        for (uint32_t i = 0; i < count; i++)
            if (is_equal(level, plain_column(key[i]), order_slot(path, o)))
                any = covered[i] = true;
        if (!any)
            return false;
    }
    return count > 0 && all_covered(level, key, count, covered);
}

/* ---- which ones are kept ---- */

static bool is_useful(const struct level *level, uint64_t ranges, const struct slot *slot)
{
    for (uint32_t i = 0; i < level->wish_orders; i++) {
        const struct sort_key *wish = &level->wish[i];
        const struct expression *key =
            plain_column(wish->expression ? wish->expression : level->query->target[wish->target].expression);
        if (key && is_equal(level, key, slot))
            return true;
    }
    for (uint32_t i = 0; i < level->group_wishes; i++) {
        const struct expression *key = plain_column(level->group_wish[i]);
        if (key && is_equal(level, key, slot))
            return true;
    }
    for (uint32_t i = 0; i < level->conditions; i++) {
        const struct condition *c = &level->condition[i];
        if (c->equality && ((names(c->left, slot) && !subset(c->right_refs, ranges)) ||
                            (names(c->right, slot) && !subset(c->left_refs, ranges))))
            return true;
    }
    return false;
}

static uint32_t useful_orders(const struct level *level, const struct path *path)
{
    uint64_t ranges = path_ranges(path);
    uint32_t useful = 0;
    for (uint32_t o = 0; o < path->orders; o++) {
        if (path->order[o].constant)
            continue;
        if (!is_useful(level, ranges, order_slot(path, o)))
            break;
        useful = o + 1;
    }
    return useful;
}

/* Whether `path` comes in the order that `other` comes in, at least. */
static bool is_as_ordered(const struct level *level, const struct path *path, const struct path *other)
{
    uint32_t at = 0;
    for (uint32_t o = 0; o < other->orders; o++) {
        if (other->order[o].constant)
            continue;
        while (at < path->orders && path->order[at].constant)
            at++;
        if (at == path->orders || path->order[at].descending != other->order[o].descending ||
            path->order[at].nulls_first != other->order[o].nulls_first)
            return false;
        const struct slot *slot = order_slot(other, o);
        const struct expression column = {
            .kind = EXPRESSION_COLUMN, .range = slot->range, .number = slot->number};
        if (!is_equal(level, &column, order_slot(path, at++)))
            return false;
    }
    return true;
}

static bool is_better(const struct level *level, const struct path *path, const struct path *other)
{
    return path->plan->cost <= other->plan->cost && is_as_ordered(level, path, other) &&
           first_rows_cost(level, path) <= first_rows_cost(level, other);
}

void paths_keep(struct level *level, struct paths *paths, struct path *path)
{
    uint32_t kept = 0;
    path->orders = useful_orders(level, path);
    if (path->orders == 0)
        return;
    for (uint32_t i = 0; i < paths->count; i++)
        if (is_better(level, paths->path[i], path))
            return;
    for (uint32_t i = 0; i < paths->count; i++)
        if (!is_better(level, path, paths->path[i]))
            paths->path[kept++] = paths->path[i];
    if (kept < PATHS_KEPT_MAX)
        paths->path[kept++] = path;
    paths->count = kept;
}

/* ---- costs ---- */

/* Rows that fail the conditions may all stand in front of the first ones (of a queue, the jobs that are done), so a part of them
 * is taken for granted: an index that has none of them is the safer way. */
double first_rows_cost(const struct level *level, const struct path *path)
{
    const double in_front = 0.1;
    const struct plan *plan = path->plan;
    if (level->wish_rows <= 0 || level->wish_rows >= plan->rows)
        return plan->cost;
    return plan->startup_cost + (plan->cost - plan->startup_cost) * level->wish_rows / plan->rows +
           path->failing * in_front * COST_SCAN_ROW;
}

/* Bytes of a row kept in memory, roughly: its head, and values with what they point to. */
static double row_bytes(double rows, uint32_t columns)
{
    return rows * (48.0 + 24.0 * columns);
}

double sorting_cost(const struct planner *planner, double rows, uint32_t columns)
{
    size_t memory = planner->request->memory;
    double cost = rows * (2 * COST_NEIGHBOUR + COST_SORT * (rows > 2 ? log2(rows) : 1));
    if (memory && row_bytes(rows, columns) > (double)memory)
        cost += rows * COST_SPILL;
    return planner->request->without & WITHOUT_SORT ? cost + 1e10 : cost;
}

double hash_spill_cost(const struct planner *planner, double table_rows, uint32_t columns,
                       double probing_rows)
{
    size_t memory = planner->request->hash_memory;
    double bytes = row_bytes(table_rows, columns);
    if (!memory || bytes <= (double)memory)
        return 0;
    return (table_rows + probing_rows) * COST_SPILL * (1 - (double)memory / bytes);
}

static double groups_of(struct level *level, double rows)
{
    double groups = 1;
    for (uint32_t i = 0; i < level->group_wishes; i++)
        groups *= expression_distinct(level, level->group_wish[i], rows);
    return groups < rows ? groups : rows;
}

static double grouping_cost(struct level *level, const struct path *path)
{
    const struct planner *planner = level->planner;
    const struct query *query = level->query;
    double rows = path->plan->rows, groups = groups_of(level, rows), cost = path->plan->cost;
    double calls = rows * 0.3 * COST_AGGREGATE * level->group_calls, part = 1;
    bool sorted = path_has_groups(level, path, level->group_wish, level->group_wishes);
    bool ordered = sorted && path_has_order(level, path, query->order, query->orders);
    if (!sorted)
        return cost + calls + rows * COST_AGGREGATE + groups * COST_GROUP +
               hash_spill_cost(planner, groups, level->group_wishes + level->group_calls, rows) +
               (query->orders ? sorting_cost(planner, groups, 2) : 0) +
               (planner->request->without & WITHOUT_HASH_AGGREGATE ? 1e10 : 0);
    if (query->limit && (ordered || !query->orders)) {
        double wanted = query->limit->kind == EXPRESSION_CONSTANT && !query->limit->constant.null
                            ? (double)query->limit->constant.i
                            : 100;
        part = wanted < groups ? wanted / groups : 1;
    }
    return (cost + calls + rows * COST_NEIGHBOUR) * part +
           (query->orders && !ordered ? sorting_cost(planner, groups, 2) : 0);
}

double finishing_cost(struct level *level, const struct path *path)
{
    double rows = path->plan->rows, cost = path->plan->cost;
    if (level->group_wishes)
        return grouping_cost(level, path);
    if (level->wish_orders == 0)
        return cost;
    if (!path_has_order(level, path, level->wish, level->wish_orders))
        return cost + sorting_cost(level->planner, rows, path->plan->columns);
    return first_rows_cost(level, path);
}

/* ---- sorting ---- */

enum sqlstate path_sorted(struct level *level, struct path **path, struct expression *const *key,
                          const struct ordering *order, uint32_t count, struct error *error)
{
    struct planner *planner = level->planner;
    struct path *sorted = path_over(planner, PLAN_SORT, *path);
    struct plan *plan = sorted->plan;
    plan->keys = count;
    plan->key = plan_alloc(planner, count * sizeof *plan->key);
    sorted->orders = 0;
    sorted->order = plan_alloc(planner, count * sizeof *sorted->order);
    bool plain = true;
    for (uint32_t i = 0; i < count; i++) {
        plan->key[i] = (struct plan_key){
            .type = key[i]->type, .descending = order[i].descending, .nulls_first = order[i].nulls_first};
        enum sqlstate failed = level_resolve(level, *path, key[i], &plan->key[i].expression, error);
        if (failed)
            return failed;
        const struct expression *column = plain_column(key[i]);
        int slot = column ? path_slot(sorted, column->range, column->number) : -1;
        plain = plain && slot >= 0;
        if (plain)
            sorted->order[sorted->orders++] = (struct ordering){.slot = (uint32_t)slot,
                                                                .descending = order[i].descending,
                                                                .nulls_first = order[i].nulls_first};
    }
    plan->startup_cost = plan->cost += sorting_cost(planner, plan->rows, plan->columns);
    *path = sorted;
    return SQLSTATE_OK;
}
