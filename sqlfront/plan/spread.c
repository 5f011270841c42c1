/* Scans on all cores: where a plan reads many rows and few of them are left by its conditions and the hash joins on the way, a
 * GATHER has that done on the owners of the table's shards.
 *
 * Rows come out of a GATHER in no order, and all of them before the first goes on. So it is put only below what takes in all
 * of its input before it gives anything, whatever its order: sorts, hashed groups, the tables of hash joins. */
#include "sqlfront/plan/inside.h"

/* A GATHER keeps the rows it got: it pays when at most one row of so many comes. */
#define ROWS_LEFT_SHARE 4

/* Whether all cores may look their rows of the first input up in one table, made of the second. */
static bool may_share(const struct plan *plan)
{
    return plan->kind == PLAN_HASH_JOIN && (!plan->null_aware || (plan->keys == 1 && !plan->condition)) &&
           (plan->join == JOIN_INNER || plan->join == JOIN_LEFT || plan->join == JOIN_SEMI ||
            plan->join == JOIN_ANTI);
}

const struct plan *plan_spread_leaf(const struct plan *top)
{
    const struct plan *scan = top;
    while (scan->kind == PLAN_PROJECT || scan->kind == PLAN_FILTER || may_share(scan))
        scan = scan->input[0];
    if (scan->kind != PLAN_SCAN || scan->sample_percent || scan->rows < 0)
        return NULL;
    for (uint32_t i = 0; i < scan->wanted; i++)
        if (scan->want[i] < 0)
            return NULL;
    return scan->cost > GATHER_ROWS_MIN * COST_SCAN_ROW ? scan : NULL;
}

static bool needs_session(const struct expression *expression)
{
    return expression && expression_facts(expression) & (FACT_SESSION | FACT_VOLATILE);
}

/* Whether a chain down to its scan is worth a GATHER of its own. */
static bool is_worth_it(const struct plan *top)
{
    const struct plan *scan = plan_spread_leaf(top);
    if (!scan || scan->ordered || scan->wants_key || (scan->index && !scan->index->clustered) ||
        scan->bounds.equals > 0 || top->rows * ROWS_LEFT_SHARE * COST_SCAN_ROW > scan->cost)
        return false;
    for (const struct plan *plan = top;; plan = plan->input[0]) {
        if (needs_session(plan->condition))
            return false;
        for (uint32_t i = 0; i < plan->expressions; i++)
            if (needs_session(plan->expression[i]))
                return false;
        if (plan == scan)
            return true;
    }
}

static struct plan *gather_of(struct planner *planner, struct plan *top)
{
    struct plan *gather = plan_make(planner, PLAN_GATHER, top->columns);
    plan_copy(gather->column, top->column, top->columns * sizeof *gather->column);
    gather->column_name = top->column_name;
    gather->input[0] = top;
    gather->rows = top->rows;
    gather->cost = top->cost;
    gather->startup_cost = top->cost;
    return gather;
}

/* The tables of the joins on the way are built before the fragments begin, so they may be gathered, too. */
static void spread_tables(struct planner *planner, struct plan *top)
{
    for (struct plan *plan = top; plan && plan->kind != PLAN_SCAN; plan = plan->input[0])
        if (plan->kind == PLAN_HASH_JOIN)
            plan_spread(planner, &plan->input[1], true);
}

/* Some aggregates tell in which order rows came: those that cannot be merged. */
static bool takes_any_order(const struct plan *aggregate)
{
    for (uint32_t i = 0; i < aggregate->aggregates; i++)
        if (!aggregate->aggregate[i].aggregate->merge && !aggregate->aggregate[i].orders)
            return false;
    return true;
}

void plan_spread(struct planner *planner, struct plan **place, bool any_order)
{
    struct plan *plan = *place;
    if (any_order && is_worth_it(plan)) {
        *place = gather_of(planner, plan);
        spread_tables(planner, plan);
        return;
    }
    switch (plan->kind) {
    case PLAN_GATHER:
        spread_tables(planner, plan->input[0]);
        break;
    case PLAN_SORT:
        plan_spread(planner, &plan->input[0], true);
        break;
    case PLAN_AGGREGATE:
        plan_spread(planner, &plan->input[0], !plan->sorted && takes_any_order(plan));
        break;
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_JOIN:
        plan_spread(planner, &plan->input[0], any_order);
        plan_spread(planner, &plan->input[1], true);
        break;
    case PLAN_PROJECT:
    case PLAN_FILTER:
    case PLAN_LOOKUP_JOIN:
        plan_spread(planner, &plan->input[0], any_order);
        break;
    case PLAN_APPLY:
        plan_spread(planner, &plan->input[0], any_order);
        if (plan->once)
            plan_spread(planner, &plan->input[1], false);
        break;
    case PLAN_MERGE_JOIN:
        plan_spread(planner, &plan->input[0], false);
        plan_spread(planner, &plan->input[1], false);
        break;
    case PLAN_LIMIT:
    case PLAN_WINDOW:
    case PLAN_UNIQUE:
        plan_spread(planner, &plan->input[0], false);
        break;
    case PLAN_COMMON:
        plan_spread(planner, &plan->input[0], any_order);
        for (uint32_t i = 0; i < plan->commons; i++)
            plan_spread(planner, &plan->common[i], false);
        break;
    default:
        break;
    }
}
