/* What comes above the joins: grouping, windows, functions that return sets, DISTINCT, ORDER BY, LIMIT, locks, and the
 * targets themselves. */
#include "sqlfront/plan/inside.h"

#include <math.h>
#include <string.h>

/* ---- finding calls in expressions ---- */

struct calls {
    struct walk walk;
    struct planner *planner;
    uint8_t kind;
    uint32_t depth;
    uint32_t window; /* for EXPRESSION_WINDOW */
    uint32_t count, room;
    struct expression **call;
    bool columns_too; /* columns outside of the calls as well: */
    uint32_t columns, columns_room;
    struct expression **column;
};

static void list_add(struct planner *planner, struct expression ***list, uint32_t *count, uint32_t *room,
                     struct expression *expression)
{
    for (uint32_t i = 0; i < *count; i++)
        if ((*list)[i] == expression || expression_equal((*list)[i], expression))
            return;
    if (*count == *room) {
        uint32_t more = *room ? 2 * *room : 8;
        struct expression **grown = plan_alloc(planner, more * sizeof *grown);
        if (*count)
            plan_copy(grown, *list, *count * sizeof *grown);
        *list = grown;
        *room = more;
    }
    (*list)[(*count)++] = expression;
}

static void calls_visit(struct walk *walk, struct expression **place)
{
    struct calls *calls = (struct calls *)walk;
    struct expression *node = *place;
    bool own_level = (node->kind != EXPRESSION_AGGREGATE && node->kind != EXPRESSION_GROUPING) ||
                     node->level == calls->depth;
    if (node->kind == calls->kind && own_level &&
        (node->kind != EXPRESSION_WINDOW || node->window == calls->window)) {
        struct expression *call = expression_lower(calls->planner, node, (uint32_t) - (int32_t)calls->depth);
        if (calls->depth) {
            call = expression_copy_node(calls->planner->scope, call);
            call->level = 0;
        }
        if (calls->kind != EXPRESSION_WINDOW && calls->kind != EXPRESSION_SET_CALL) {
            list_add(calls->planner, &calls->call, &calls->count, &calls->room, call);
            return;
        }
        list_add(calls->planner, &calls->call, &calls->count, &calls->room, call);
        if (calls->kind == EXPRESSION_WINDOW)
            return;
    }
    if (calls->columns_too && node->kind == EXPRESSION_COLUMN && node->level == calls->depth) {
        struct expression *column = expression_copy_node(calls->planner->scope, node);
        column->level = 0;
        list_add(calls->planner, &calls->column, &calls->columns, &calls->columns_room, column);
    }
    walk_expression(walk, node);
}

static void calls_query(struct walk *walk, struct query **place)
{
    struct calls *calls = (struct calls *)walk;
    if (calls->kind == EXPRESSION_WINDOW || calls->kind == EXPRESSION_SET_CALL)
        return;
    calls->depth++;
    walk_query(walk, *place);
    calls->depth--;
}

static void calls_in(struct calls *calls, struct expression *expression)
{
    if (expression)
        calls_visit(&calls->walk, &expression);
}

/* In everything that comes after grouping. */
static void calls_in_level(struct calls *calls, struct query *query)
{
    for (uint32_t i = 0; i < query->targets; i++)
        calls_in(calls, query->target[i].expression);
    calls_in(calls, query->having);
    for (uint32_t i = 0; i < query->orders; i++)
        calls_in(calls, query->order[i].expression);
    for (uint32_t i = 0; i < query->distinct_on; i++)
        calls_in(calls, query->distinct_key[i].expression);
    for (uint32_t w = 0; w < query->windows; w++) {
        for (uint32_t i = 0; i < query->window[w].partitions; i++)
            calls_in(calls, query->window[w].partition[i].expression);
        for (uint32_t i = 0; i < query->window[w].orders; i++)
            calls_in(calls, query->window[w].order[i].expression);
    }
}

static struct calls calls_of(struct planner *planner, uint8_t kind)
{
    return (struct calls){
        .walk = {.expression = calls_visit, .query = calls_query}, .planner = planner, .kind = kind};
}

static struct expression *key_expression(const struct query *query, const struct sort_key *key)
{
    return key->expression ? key->expression : query->target[key->target].expression;
}

/* ---- grouping ---- */

static struct slot identity_of(struct level *level, struct expression *expression)
{
    if (expression->kind == EXPRESSION_COLUMN && expression->level == 0)
        return (struct slot){expression->range, expression->number};
    return (struct slot){COMPUTED, level_computed(level, expression)};
}

static enum sqlstate aggregate_call(struct level *level, const struct path *path,
                                    const struct expression *call, struct plan_aggregate *aggregate,
                                    struct error *error)
{
    struct planner *planner = level->planner;
    *aggregate = (struct plan_aggregate){.aggregate = call->aggregate,
                                         .procedure = call->procedure,
                                         .arguments = call->arguments,
                                         .distinct = call->distinct,
                                         .orders = call->orders,
                                         .type = call->type};
    if (!call->aggregate)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "aggregate function %s is not supported yet",
                         call->procedure ? call->procedure->name : "");
    aggregate->argument = plan_alloc(planner, call->arguments * sizeof *aggregate->argument);
    for (uint32_t i = 0; i < call->arguments; i++) {
        enum sqlstate failed = level_resolve(level, path, call->argument[i], &aggregate->argument[i], error);
        if (failed)
            return failed;
    }
    if (call->filter) {
        enum sqlstate failed = level_resolve(level, path, call->filter, &aggregate->filter, error);
        if (failed)
            return failed;
    }
    aggregate->order = plan_alloc(planner, call->orders * sizeof *aggregate->order);
    for (uint32_t i = 0; i < call->orders; i++) {
        aggregate->order[i] = call->order[i];
        enum sqlstate failed =
            level_resolve(level, path, call->order[i].expression, &aggregate->order[i].expression, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate apply_in_call(struct level *level, struct path **path, struct expression *call,
                                   struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < call->arguments && !failed; i++)
        failed = level_apply(level, path, call->argument[i], error);
    if (!failed)
        failed = level_apply(level, path, call->filter, error);
    for (uint32_t i = 0; i < call->orders && !failed; i++)
        failed = level_apply(level, path, call->order[i].expression, error);
    return failed;
}

/* Whether each core may aggregate its own rows first. */
static bool may_gather(const struct plan *input, const struct plan *aggregate, const struct planner *planner)
{
    if (!planner->request->gather || aggregate->grouping_sets || !plan_spread_leaf(input))
        return false;
    for (uint32_t i = 0; i < aggregate->aggregates; i++) {
        const struct plan_aggregate *call = &aggregate->aggregate[i];
        if (call->distinct || call->orders || !call->aggregate->merge)
            return false;
        for (uint32_t a = 0; a < call->arguments; a++)
            if (expression_facts(call->argument[a]) & (FACT_SESSION | FACT_VOLATILE))
                return false;
        if (call->filter && (expression_facts(call->filter) & (FACT_SESSION | FACT_VOLATILE)))
            return false;
    }
    for (uint32_t i = 0; i < aggregate->keys; i++)
        if (expression_facts(aggregate->key[i].expression) & (FACT_SESSION | FACT_VOLATILE))
            return false;
    return true;
}

static struct plan *gathered(struct planner *planner, struct plan *whole)
{
    struct plan *partial = plan_alloc(planner, sizeof *partial),
                *gather = plan_make(planner, PLAN_GATHER, whole->columns);
    *partial = *whole;
    partial->phase = AGGREGATE_PARTIAL;
    partial->column = plan_alloc(planner, whole->columns * sizeof *partial->column);
    for (uint32_t i = 0; i < whole->columns; i++)
        partial->column[i] = i < whole->keys ? whole->column[i] : type_builtin(TYPE_BYTEA);
    plan_copy(gather->column, partial->column, whole->columns * sizeof *gather->column);
    gather->input[0] = partial;
    gather->rows = whole->rows * 2;
    gather->cost = partial->cost = whole->cost;
    struct plan *final = plan_alloc(planner, sizeof *final);
    *final = *whole;
    final->phase = AGGREGATE_FINAL;
    final->input[0] = gather;
    final->key = plan_alloc(planner, whole->keys * sizeof *final->key);
    final->aggregate = plan_alloc(planner, whole->aggregates * sizeof *final->aggregate);
    for (uint32_t i = 0; i < whole->keys; i++) {
        final->key[i] = whole->key[i];
        final->key[i].expression = expression_column(planner->scope, 0, (int32_t)i, whole->column[i], -1, 0);
    }
    for (uint32_t i = 0; i < whole->aggregates; i++) {
        final->aggregate[i] = whole->aggregate[i];
        final->aggregate[i].filter = NULL;
        final->aggregate[i].arguments = 1;
        final->aggregate[i].argument = plan_alloc(planner, sizeof *final->aggregate[i].argument);
        final->aggregate[i].argument[0] =
            expression_column(planner->scope, 0, (int32_t)(whole->keys + i), type_builtin(TYPE_BYTEA), -1, 0);
    }
    return final;
}

/* Whether one group at a time will do. */
static bool may_group_neighbours(const struct query *query, const struct calls *calls)
{
    for (uint32_t i = 0; i < calls->count; i++)
        if (!calls->call[i]->aggregate || calls->call[i]->distinct || calls->call[i]->orders)
            return false;
    return query->groups > 0 && !query->grouping_sets;
}

void level_group_wish(struct level *level)
{
    struct query *query = level->query;
    struct expression **key = plan_alloc(level->planner, (query->groups + query->targets + 1) * sizeof *key);
    level->group_wish = key;
    if (query->has_windows || query->has_set_calls || query->distinct_on)
        return;
    if (query->has_aggregates || query->groups) {
        struct calls calls = calls_of(level->planner, EXPRESSION_AGGREGATE);
        calls_in_level(&calls, query);
        if (!may_group_neighbours(query, &calls))
            return;
        level->group_calls = calls.count;
        for (uint32_t i = 0; i < query->groups; i++)
            key[level->group_wishes++] = key_expression(query, &query->group[i]);
        return;
    }
    for (uint32_t i = 0; i < query->targets && query->distinct; i++)
        key[level->group_wishes++] = query->target[i].expression;
}

/* Sorted groups come in the order of their input, as far as it is by keys. */
static void group_order(struct level *level, const struct path *input, struct expression *const *key,
                        uint32_t keys, struct path *result)
{
    result->order = plan_alloc(level->planner, (input->orders + 1) * sizeof *result->order);
    for (uint32_t o = 0; o < input->orders; o++) {
        const struct slot *slot = &input->slot[input->order[o].slot];
        uint32_t k = 0;
        while (k < keys && !column_is_equal(level, key[k], slot))
            k++;
        if (k == keys && input->order[o].constant)
            continue;
        if (k == keys)
            return;
        result->order[result->orders] = input->order[o];
        result->order[result->orders++].slot = k;
    }
}

static enum sqlstate level_group(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    struct calls calls = calls_of(planner, EXPRESSION_AGGREGATE),
                 groupings = calls_of(planner, EXPRESSION_GROUPING);
    calls.columns_too = true;
    calls_in_level(&calls, query);
    calls_in_level(&groupings, query);
    uint32_t keys = 0;
    struct expression **key = plan_alloc(planner, (query->groups + calls.columns + 1) * sizeof *key);
    for (uint32_t i = 0; i < query->groups; i++)
        key[keys++] = key_expression(query, &query->group[i]);
    enum sqlstate failed = SQLSTATE_OK;
    /* Columns that the grouping key determines go along as further keys; those inside of a grouped expression do not. */
    uint64_t grouped = 0;
    for (uint32_t i = 0; i < query->groups; i++)
        if (key[i]->kind == EXPRESSION_COLUMN)
            grouped |= set_of(key[i]->range);
    for (uint32_t c = 0; c < calls.columns && query->groups && !query->grouping_sets; c++) {
        bool there = false;
        for (uint32_t i = 0; i < query->groups; i++)
            there |= expression_equal(key[i], calls.column[c]);
        if (!there && (grouped & set_of(calls.column[c]->range)) &&
            path_slot(*path, calls.column[c]->range, calls.column[c]->number) >= 0)
            key[keys++] = calls.column[c];
    }
    for (uint32_t i = 0; i < keys && !failed; i++)
        failed = level_apply(level, path, key[i], error);
    for (uint32_t i = 0; i < calls.count && !failed; i++)
        failed = apply_in_call(level, path, calls.call[i], error);
    if (failed)
        return failed;
    struct path *result = plan_alloc(planner, sizeof *result);
    struct plan *plan = plan_make(planner, PLAN_AGGREGATE, keys + calls.count + groupings.count);
    result->plan = plan;
    result->slot = plan_alloc(planner, plan->columns * sizeof *result->slot);
    plan->input[0] = (*path)->plan;
    plan->keys = keys;
    plan->key = plan_alloc(planner, keys * sizeof *plan->key);
    plan->aggregates = calls.count;
    plan->aggregate = plan_alloc(planner, calls.count * sizeof *plan->aggregate);
    double groups = 1;
    for (uint32_t i = 0; i < keys; i++) {
        plan->key[i].type = plan->column[i] = key[i]->type;
        failed = level_resolve(level, *path, key[i], &plan->key[i].expression, error);
        if (failed)
            return failed;
        result->slot[i] = identity_of(level, key[i]);
        groups *= expression_distinct(level, key[i], (*path)->plan->rows);
    }
    for (uint32_t i = 0; i < calls.count; i++) {
        failed = aggregate_call(level, *path, calls.call[i], &plan->aggregate[i], error);
        if (failed)
            return failed;
        plan->column[keys + i] = calls.call[i]->type;
        result->slot[keys + i] = (struct slot){COMPUTED, level_computed(level, calls.call[i])};
    }
    plan->grouping_sets = query->grouping_sets;
    plan->grouping_set = query->grouping_set;
    plan->groupings = groupings.count;
    plan->grouping = plan_alloc(planner, groupings.count * sizeof *plan->grouping);
    for (uint32_t g = 0; g < groupings.count; g++) {
        const struct expression *call = groupings.call[g];
        struct grouping_set *set = &plan->grouping[g];
        set->key = plan_alloc(planner, call->arguments * sizeof *set->key);
        for (uint32_t a = 0; a < call->arguments; a++)
            for (uint32_t i = 0; i < query->groups; i++)
                if (expression_equal(key[i], call->argument[a])) {
                    set->key[set->keys++] = i;
                    break;
                }
        plan->column[keys + calls.count + g] = call->type;
        result->slot[keys + calls.count + g] =
            (struct slot){COMPUTED, level_computed(level, groupings.call[g])};
    }
    double in = (*path)->plan->rows;
    plan->rows = keys == 0 ? 1 : groups > in ? in : groups;
    if (query->grouping_sets)
        plan->rows *= query->grouping_sets;
    plan->sorted = may_group_neighbours(query, &calls) && path_has_groups(level, *path, key, query->groups);
    if (plan->sorted) {
        plan->startup_cost = (*path)->plan->startup_cost;
        plan->cost = (*path)->plan->cost + in * (COST_NEIGHBOUR + COST_AGGREGATE * 0.3 * calls.count);
        group_order(level, *path, key, keys, result);
    } else {
        plan->startup_cost = plan->cost =
            (*path)->plan->cost + in * COST_AGGREGATE * (1 + 0.3 * calls.count) + plan->rows * COST_GROUP;
        if (may_gather((*path)->plan, plan, planner))
            result->plan = gathered(planner, plan);
    }
    *path = result;
    struct expression **having = NULL;
    uint32_t count = 0;
    conjuncts_split(planner, query->having, &having, &count);
    double left = plan->rows;
    for (uint32_t i = 0; i < count; i++)
        left *= having_selectivity(level, having[i], in, plan->rows);
    failed = level_filter(level, path, having, count, error);
    if (!failed && count)
        (*path)->plan->rows = left < 1 ? 1 : left;
    return failed;
}

/* ---- sorting ---- */

struct sort_request {
    const struct sort_key *keys;
    uint32_t count;
    const struct sort_key *more; /* behind those */
    uint32_t more_count;
};

static enum sqlstate fill_key(struct level *level, const struct path *path, const struct sort_key *from,
                              struct plan_key *key, struct error *error)
{
    struct expression *expression = key_expression(level->query, from);
    key->type = expression->type;
    key->descending = from->descending;
    key->nulls_first = from->nulls_first;
    return level_resolve(level, path, expression, &key->expression, error);
}

static enum sqlstate sort_path(struct level *level, struct path **path, const struct sort_request *request,
                               struct error *error)
{
    struct planner *planner = level->planner;
    uint32_t count = request->count + request->more_count;
    if (count == 0)
        return SQLSTATE_OK;
    struct path *sorted = path_over(planner, PLAN_SORT, *path);
    struct plan *plan = sorted->plan;
    plan->keys = count;
    plan->key = plan_alloc(planner, count * sizeof *plan->key);
    sorted->orders = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct sort_key *from =
            i < request->count ? &request->keys[i] : &request->more[i - request->count];
        enum sqlstate failed = fill_key(level, *path, from, &plan->key[i], error);
        if (failed)
            return failed;
    }
    plan->startup_cost = plan->cost += sorting_cost(planner, plan->rows, plan->columns);
    *path = sorted;
    return SQLSTATE_OK;
}

/* ---- windows ---- */

static enum sqlstate level_windows(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    for (uint32_t w = 0; w < query->windows; w++) {
        struct window *window = &query->window[w];
        struct calls calls = calls_of(planner, EXPRESSION_WINDOW);
        calls.window = w;
        calls_in_level(&calls, query);
        if (calls.count == 0)
            continue;
        enum sqlstate failed = SQLSTATE_OK;
        for (uint32_t i = 0; i < calls.count && !failed; i++)
            failed = apply_in_call(level, path, calls.call[i], error);
        for (uint32_t i = 0; i < window->partitions && !failed; i++)
            failed = level_apply(level, path, key_expression(query, &window->partition[i]), error);
        for (uint32_t i = 0; i < window->orders && !failed; i++)
            failed = level_apply(level, path, key_expression(query, &window->order[i]), error);
        struct sort_request sort = {.keys = window->partition,
                                    .count = window->partitions,
                                    .more = window->order,
                                    .more_count = window->orders};
        if (!failed)
            failed = sort_path(level, path, &sort, error);
        if (failed)
            return failed;
        struct path *result = path_over(planner, PLAN_WINDOW, *path);
        struct plan *plan = result->plan;
        uint32_t before = (*path)->plan->columns;
        plan->columns = before + calls.count;
        plan->column = plan_alloc(planner, plan->columns * sizeof *plan->column);
        result->slot = plan_alloc(planner, plan->columns * sizeof *result->slot);
        plan_copy(plan->column, (*path)->plan->column, before * sizeof *plan->column);
        plan_copy(result->slot, (*path)->slot, before * sizeof *result->slot);
        plan->window = window;
        plan->window_calls = calls.count;
        plan->window_call = plan_alloc(planner, calls.count * sizeof *plan->window_call);
        for (uint32_t i = 0; i < calls.count && !failed; i++) {
            /* The call itself stays, its arguments become slots. */
            failed = level_resolve(level, *path, calls.call[i], &plan->window_call[i], error);
            plan->column[before + i] = calls.call[i]->type;
            result->slot[before + i] = (struct slot){COMPUTED, level_computed(level, calls.call[i])};
        }
        plan->partition_keys = window->partitions;
        plan->keys = window->partitions + window->orders;
        plan->key = plan_alloc(planner, plan->keys * sizeof *plan->key);
        for (uint32_t i = 0; i < plan->keys && !failed; i++)
            failed = fill_key(level, *path,
                              i < window->partitions ? &window->partition[i]
                                                     : &window->order[i - window->partitions],
                              &plan->key[i], error);
        if (failed)
            return failed;
        plan->cost += plan->rows * COST_AGGREGATE * calls.count;
        *path = result;
    }
    return SQLSTATE_OK;
}

/* ---- targets ---- */

/* A PROJECT (or SET_PROJECT) of expressions, which become the path's slots. */
static enum sqlstate project(struct level *level, struct path **path, enum plan_kind kind,
                             struct expression *const *expressions, uint32_t count, struct error *error)
{
    struct planner *planner = level->planner;
    struct path *result = plan_alloc(planner, sizeof *result);
    struct plan *plan = plan_make(planner, kind, count);
    result->plan = plan;
    result->slot = plan_alloc(planner, count * sizeof *result->slot);
    plan->expressions = count;
    plan->expression = plan_alloc(planner, count * sizeof *plan->expression);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = level_apply(level, path, expressions[i], error);
    for (uint32_t i = 0; i < count && !failed; i++) {
        failed = level_resolve(level, *path, expressions[i], &plan->expression[i], error);
        plan->column[i] = expressions[i]->type;
        result->slot[i] = identity_of(level, expressions[i]);
    }
    if (failed)
        return failed;
    plan->input[0] = (*path)->plan;
    plan->rows = (*path)->plan->rows * (kind == PLAN_SET_PROJECT ? 10 : 1);
    plan->startup_cost = (*path)->plan->startup_cost;
    plan->cost = (*path)->plan->cost + plan->rows * count * COST_ROW_OUT * 0.5;
    /* Columns that pass through keep their order. */
    if (kind == PLAN_PROJECT) {
        result->order = plan_alloc(planner, ((*path)->orders + 1) * sizeof *result->order);
        for (uint32_t o = 0; o < (*path)->orders; o++) {
            const struct slot *was = &(*path)->slot[(*path)->order[o].slot];
            int at = path_slot(result, was->range, was->number);
            if (at < 0 && !(*path)->order[o].constant)
                break;
            if (at < 0)
                continue;
            result->order[result->orders] = (*path)->order[o];
            result->order[result->orders++].slot = (uint32_t)at;
        }
    }
    *path = result;
    return SQLSTATE_OK;
}

/* Calls that give sets become slots, the innermost first; everything else passes. */
static enum sqlstate level_set_calls(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    struct calls calls = calls_of(planner, EXPRESSION_SET_CALL);
    for (uint32_t i = 0; i < query->targets; i++)
        calls_in(&calls, query->target[i].expression);
    bool *done = plan_alloc(planner, calls.count + 1);
    uint32_t left = calls.count;
    while (left > 0) {
        uint32_t now = 0, before = (*path)->plan->columns;
        struct expression **list = plan_alloc(planner, (before + calls.count) * sizeof *list);
        bool *taken = plan_alloc(planner, calls.count + 1);
        for (uint32_t i = 0; i < calls.count; i++) {
            if (done[i])
                continue;
            struct calls inner = calls_of(planner, EXPRESSION_SET_CALL);
            for (uint32_t a = 0; a < calls.call[i]->arguments; a++)
                calls_in(&inner, calls.call[i]->argument[a]);
            bool ready = true;
            for (uint32_t n = 0; n < inner.count; n++)
                for (uint32_t k = 0; k < calls.count; k++)
                    if (!done[k] && expression_equal(calls.call[k], inner.call[n]))
                        ready = false;
            if (ready) {
                list[now++] = calls.call[i];
                taken[i] = true;
            }
        }
        if (now == 0)
            break;
        for (uint32_t i = 0; i < now; i++) {
            enum sqlstate failed = SQLSTATE_OK;
            for (uint32_t a = 0; a < list[i]->arguments && !failed; a++)
                failed = level_apply(level, path, list[i]->argument[a], error);
            if (failed)
                return failed;
        }
        before = (*path)->plan->columns;
        struct path *result = path_over(planner, PLAN_SET_PROJECT, *path);
        struct plan *plan = result->plan;
        plan->columns = plan->expressions = before + now;
        plan->column = plan_alloc(planner, plan->columns * sizeof *plan->column);
        plan->expression = plan_alloc(planner, plan->columns * sizeof *plan->expression);
        result->slot = plan_alloc(planner, plan->columns * sizeof *result->slot);
        for (uint32_t i = 0; i < before; i++) {
            plan->column[i] = (*path)->plan->column[i];
            plan->expression[i] = slot_expression(planner, *path, i);
            result->slot[i] = (*path)->slot[i];
        }
        for (uint32_t i = 0; i < now; i++) {
            plan->column[before + i] = list[i]->type;
            enum sqlstate failed = level_resolve(level, *path, list[i], &plan->expression[before + i], error);
            if (failed)
                return failed;
            result->slot[before + i] = (struct slot){COMPUTED, level_computed(level, list[i])};
        }
        plan->rows *= 10;
        result->orders = 0;
        *path = result;
        for (uint32_t i = 0; i < calls.count; i++)
            if (taken[i]) {
                done[i] = true;
                left--;
            }
    }
    return SQLSTATE_OK;
}

enum sqlstate level_project(struct level *level, struct path **path, struct expression *const *expressions,
                            uint32_t count, struct error *error)
{
    return project(level, path, PLAN_PROJECT, expressions, count, error);
}

static enum sqlstate project_targets(struct level *level, struct path **path, bool visible_only,
                                     struct error *error)
{
    const struct query *query = level->query;
    struct expression **list = plan_alloc(level->planner, query->targets * sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i < query->targets; i++)
        if (!visible_only || !query->target[i].hidden)
            list[count++] = query->target[i].expression;
    return project(level, path, PLAN_PROJECT, list, count, error);
}

/* All targets computed, besides what the path has already. */
static enum sqlstate compute_targets(struct level *level, struct path **path, bool keep, struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = level->query;
    uint32_t before = keep ? (*path)->plan->columns : 0, count = before;
    if (!keep)
        return project_targets(level, path, false, error);
    for (uint32_t i = 0; i < query->targets; i++) {
        enum sqlstate failed = level_apply(level, path, query->target[i].expression, error);
        if (failed)
            return failed;
    }
    before = count = (*path)->plan->columns;
    struct path *result = path_over(planner, PLAN_PROJECT, *path);
    struct plan *plan = result->plan;
    uint32_t room = before + query->targets;
    plan->column = plan_alloc(planner, room * sizeof *plan->column);
    plan->expression = plan_alloc(planner, room * sizeof *plan->expression);
    result->slot = plan_alloc(planner, room * sizeof *result->slot);
    for (uint32_t i = 0; i < before; i++) {
        plan->column[i] = (*path)->plan->column[i];
        plan->expression[i] = slot_expression(planner, *path, i);
        result->slot[i] = (*path)->slot[i];
    }
    for (uint32_t i = 0; i < query->targets; i++) {
        struct expression *expression = query->target[i].expression;
        if (expression->kind == EXPRESSION_COLUMN)
            continue;
        enum sqlstate failed = level_resolve(level, *path, expression, &plan->expression[count], error);
        if (failed)
            return failed;
        plan->column[count] = expression->type;
        result->slot[count++] = identity_of(level, expression);
    }
    plan->columns = plan->expressions = count;
    *path = result;
    return SQLSTATE_OK;
}

/* ---- DISTINCT ---- */

/* Rows that come so that equal ones are neighbours: no table is needed. */
static enum sqlstate distinct_neighbours(struct level *level, struct path **path, bool *done,
                                         struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = level->query;
    struct expression **target = plan_alloc(planner, (query->targets + 1) * sizeof *target);
    uint32_t keys = 0;
    for (uint32_t i = 0; i < query->targets; i++)
        if (!query->target[i].hidden)
            target[keys++] = query->target[i].expression;
    *done = path_has_groups(level, *path, target, keys);
    if (!*done)
        return SQLSTATE_OK;
    struct path *unique = path_over(planner, PLAN_UNIQUE, *path);
    struct plan *plan = unique->plan;
    double distinct = 1;
    plan->keys = keys;
    plan->key = plan_alloc(planner, keys * sizeof *plan->key);
    for (uint32_t i = 0; i < keys; i++) {
        plan->key[i].type = target[i]->type;
        enum sqlstate failed = level_resolve(level, *path, target[i], &plan->key[i].expression, error);
        if (failed)
            return failed;
        distinct *= expression_distinct(level, target[i], plan->rows);
    }
    plan->cost += plan->rows * COST_NEIGHBOUR;
    plan->rows = distinct < plan->rows ? distinct : plan->rows;
    *path = unique;
    return SQLSTATE_OK;
}

static enum sqlstate level_distinct(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    if (query->distinct_on > 0 && !query->distinct) {
        /* The first row of each group in the order asked for: keys first, whatever ORDER BY says of them, then the rest. */
        struct sort_key *keys = plan_alloc(planner, (query->distinct_on + query->orders) * sizeof *keys);
        uint32_t count = 0;
        for (uint32_t i = 0; i < query->orders; i++)
            keys[count++] = query->order[i];
        for (uint32_t i = 0; i < query->distinct_on; i++) {
            bool there = false;
            for (uint32_t o = 0; o < query->orders; o++)
                there |= expression_equal(key_expression(query, &query->order[o]),
                                          key_expression(query, &query->distinct_key[i]));
            if (!there)
                keys[count++] = query->distinct_key[i];
        }
        struct sort_request sort = {.keys = keys, .count = count};
        enum sqlstate failed = sort_path(level, path, &sort, error);
        if (failed)
            return failed;
        struct path *unique = path_over(planner, PLAN_UNIQUE, *path);
        unique->plan->keys = query->distinct_on;
        unique->plan->key = plan_alloc(planner, query->distinct_on * sizeof *unique->plan->key);
        for (uint32_t i = 0; i < query->distinct_on && !failed; i++)
            failed = fill_key(level, *path, &query->distinct_key[i], &unique->plan->key[i], error);
        *path = unique;
        query->orders = 0; /* is done */
        return failed;
    }
    bool done;
    enum sqlstate failed = distinct_neighbours(level, path, &done, error);
    if (failed || done)
        return failed;
    struct path *result = path_over(planner, PLAN_AGGREGATE, *path);
    struct plan *plan = result->plan;
    uint32_t keys = 0;
    plan->key = plan_alloc(planner, query->targets * sizeof *plan->key);
    plan->column = plan_alloc(planner, query->targets * sizeof *plan->column);
    result->slot = plan_alloc(planner, query->targets * sizeof *result->slot);
    result->orders = 0;
    for (uint32_t i = 0; i < query->targets; i++) {
        if (query->target[i].hidden)
            continue;
        struct expression *expression = query->target[i].expression;
        plan->column[keys] = plan->key[keys].type = expression->type;
        result->slot[keys] = identity_of(level, expression);
        failed = level_resolve(level, *path, expression, &plan->key[keys].expression, error);
        if (failed)
            return failed;
        keys++;
    }
    plan->keys = plan->columns = keys;
    plan->startup_cost = plan->cost += plan->rows * COST_AGGREGATE;
    *path = result;
    return SQLSTATE_OK;
}

/* ---- LIMIT ---- */

static bool constant_int(const struct expression *expression, double *value)
{
    if (!expression || expression->kind != EXPRESSION_CONSTANT || expression->constant.null)
        return false;
    *value = (double)expression->constant.i;
    return true;
}

/* How many rows a sort below has to keep: limit and offset together. NULL = all. */
static struct expression *kept_rows(struct planner *planner, struct expression *limit,
                                    struct expression *offset)
{
    double rows, skipped;
    if (!offset)
        return limit;
    if (!constant_int(limit, &rows) || !constant_int(offset, &skipped) || rows + skipped > 1e9 || rows < 0 ||
        skipped < 0)
        return NULL;
    return expression_constant(planner->scope, limit->type,
                               value_integer(limit->constant.i + offset->constant.i));
}

static enum sqlstate level_limit(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = level->query;
    if (!query->limit && !query->offset)
        return SQLSTATE_OK;
    struct expression *limit = query->limit, *offset = query->offset;
    enum sqlstate hoisted = level_hoist(level, &limit, "LIMIT", error);
    if (!hoisted)
        hoisted = level_hoist(level, &offset, "OFFSET", error);
    if (hoisted)
        return hoisted;
    struct path *result = path_over(planner, PLAN_LIMIT, *path);
    struct plan *plan = result->plan;
    plan->limit = limit;
    plan->offset = offset;
    plan->with_ties = query->with_ties;
    if (query->with_ties) {
        plan->keys = query->orders;
        plan->key = plan_alloc(planner, query->orders * sizeof *plan->key);
        for (uint32_t i = 0; i < query->orders; i++) {
            enum sqlstate failed = fill_key(level, *path, &query->order[i], &plan->key[i], error);
            if (failed)
                return failed;
        }
    } else if ((*path)->plan->kind == PLAN_SORT && limit && !(*path)->plan->limit) {
        (*path)->plan->limit = kept_rows(planner, limit, offset);
    }
    double rows;
    if (constant_int(limit, &rows) && rows < plan->rows) {
        double part = plan->rows > 0 ? rows / plan->rows : 1;
        plan->cost = plan->startup_cost + (plan->cost - plan->startup_cost) * part;
        plan->rows = rows < 1 ? 1 : rows;
    }
    *path = result;
    return SQLSTATE_OK;
}

/* ---- FOR UPDATE ---- */

static enum sqlstate level_locks(struct level *level, struct path **path, struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = level->query;
    uint32_t count = 0;
    struct plan_lock *locks = plan_alloc(planner, (query->locks + 1) * sizeof *locks);
    for (uint32_t i = 0; i < query->locks; i++) {
        const struct lock_clause *clause = &query->lock[i];
        const struct range *range = &query->range[clause->range];
        int key = path_slot(*path, clause->range, ROW_KEY);
        if (range->kind != RANGE_RELATION || key < 0)
            continue;
        struct plan_lock *lock = &locks[count++];
        *lock = (struct plan_lock){
            .relation = range->relation, .key_slot = key, .strength = clause->strength, .wait = clause->wait};
        lock->old_slot = plan_alloc(planner, range->relation->columns * sizeof *lock->old_slot);
        for (uint32_t c = 0; c < range->relation->columns; c++)
            lock->old_slot[c] = path_slot(*path, clause->range, (int32_t)c + 1);
        struct expression *all = NULL;
        for (uint32_t n = 0; n < level->conditions; n++) {
            const struct condition *condition = &level->condition[n];
            if (!condition->derived && (condition->refs & set_of(clause->range)) &&
                !(expression_facts(condition->expression) & FACT_SUBQUERY))
                all = expression_and(planner->scope, all, condition->expression);
        }
        if (all) {
            enum sqlstate failed = level_resolve(level, *path, all, &lock->recheck, error);
            if (failed)
                return failed;
        }
    }
    if (count == 0)
        return SQLSTATE_OK;
    struct path *result = path_over(planner, PLAN_LOCK, *path);
    result->plan->locks = count;
    result->plan->lock = locks;
    *path = result;
    return SQLSTATE_OK;
}

/* ---- all of it ---- */

static bool orders_by_columns(const struct query *query)
{
    for (uint32_t i = 0; i < query->orders; i++)
        if (key_expression(query, &query->order[i])->kind != EXPRESSION_COLUMN)
            return false;
    return true;
}

enum sqlstate level_upper(struct level *level, struct path **path, struct error *error)
{
    struct query *query = level->query;
    enum sqlstate failed = SQLSTATE_OK;
    if (query->has_aggregates || query->groups || query->grouping_sets || query->having)
        failed = level_group(level, path, error);
    if (!failed && query->has_windows)
        failed = level_windows(level, path, error);
    if (!failed && query->has_set_calls)
        failed = level_set_calls(level, path, error);
    if (failed)
        return failed;
    bool distinct = query->distinct || query->distinct_on > 0;
    if (distinct || !orders_by_columns(query))
        failed = compute_targets(level, path, query->locks > 0 || query->distinct_on > 0 || !distinct, error);
    if (!failed && distinct)
        failed = level_distinct(level, path, error);
    for (uint32_t i = 0; i < query->orders && !failed; i++)
        failed = level_apply(level, path, key_expression(query, &query->order[i]), error);
    if (!failed && query->orders && !path_has_order(level, *path, query->order, query->orders)) {
        struct sort_request sort = {.keys = query->order, .count = query->orders};
        failed = sort_path(level, path, &sort, error);
    }
    if (!failed && query->locks)
        failed = level_locks(level, path, error);
    if (!failed)
        failed = level_limit(level, path, error);
    if (!failed)
        failed = project_targets(level, path, true, error);
    return failed ? failed : level_hoisted(level, path, error);
}
