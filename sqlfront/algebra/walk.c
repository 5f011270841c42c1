/* The one place that knows where in a tree expressions and queries hang. */
#include "sqlfront/algebra/walk.h"

static void walk_one(struct walk *walk, struct expression **place)
{
    if (*place)
        walk->expression(walk, place);
}

static void walk_keys(struct walk *walk, struct sort_key *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        walk_one(walk, &keys[i].expression);
}

static void walk_targets(struct walk *walk, struct target *targets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        walk_one(walk, &targets[i].expression);
}

void walk_expression(struct walk *walk, struct expression *expression)
{
    walk_one(walk, &expression->subject);
    for (uint32_t i = 0; i < expression->arguments; i++)
        walk_one(walk, &expression->argument[i]);
    walk_one(walk, &expression->element);
    walk_one(walk, &expression->test_expression);
    walk_one(walk, &expression->filter);
    walk_keys(walk, expression->order, expression->orders);
    if (expression->query)
        walk->query(walk, &expression->query);
}

static void walk_range(struct walk *walk, struct range *range)
{
    for (uint32_t i = 0; range->column && i < range->columns; i++)
        walk_one(walk, &range->column[i].stands_for);
    if (range->query)
        walk->query(walk, &range->query);
    for (uint32_t i = 0; i < range->functions; i++)
        walk_one(walk, &range->function[i]);
    for (uint32_t row = 0; row < range->values; row++)
        for (uint32_t i = 0; i < range->columns; i++)
            walk_one(walk, &range->value[row][i]);
    walk_one(walk, &range->sample_percent);
    walk_one(walk, &range->sample_seed);
}

static void walk_from(struct walk *walk, struct from *from)
{
    if (from->kind != FROM_JOIN)
        return;
    walk_from(walk, from->left);
    walk_from(walk, from->right);
    walk_one(walk, &from->condition);
}

void walk_query(struct walk *walk, struct query *query)
{
    for (uint32_t i = 0; i < query->commons; i++)
        if (query->common[i]->query)
            walk->query(walk, &query->common[i]->query);
    for (uint32_t i = 0; i < query->ranges; i++)
        walk_range(walk, &query->range[i]);
    for (uint32_t i = 0; i < query->froms; i++)
        walk_from(walk, query->from[i]);
    walk_one(walk, &query->where);
    walk_targets(walk, query->target, query->targets);
    walk_keys(walk, query->group, query->groups);
    walk_one(walk, &query->having);
    for (uint32_t i = 0; i < query->windows; i++) {
        struct window *window = &query->window[i];
        walk_keys(walk, window->partition, window->partitions);
        walk_keys(walk, window->order, window->orders);
        walk_one(walk, &window->from_offset);
        walk_one(walk, &window->to_offset);
    }
    walk_keys(walk, query->distinct_key, query->distinct_on);
    walk_keys(walk, query->order, query->orders);
    walk_one(walk, &query->limit);
    walk_one(walk, &query->offset);
    walk_targets(walk, query->returning, query->returnings);
    walk_targets(walk, query->conflict_target, query->conflict_targets);
    walk_one(walk, &query->conflict_where);
    for (uint32_t i = 0; i < query->merge_actions; i++) {
        walk_one(walk, &query->merge_action[i].condition);
        walk_targets(walk, query->merge_action[i].target, query->merge_action[i].targets);
    }
    walk_one(walk, &query->merge_condition);
}

/* ---- copies ---- */

#define COPY_ARRAY(scope, place, count) \
    ((place) = (count) ? scope_copy((scope), (place), (count) * sizeof *(place)) : (place))

struct expression *expression_copy_node(struct scope *scope, const struct expression *expression)
{
    struct expression *copy = scope_copy(scope, expression, sizeof *expression);
    COPY_ARRAY(scope, copy->argument, copy->arguments);
    COPY_ARRAY(scope, copy->order, copy->orders);
    return copy;
}

static struct from *from_copy(struct scope *scope, const struct from *from)
{
    struct from *copy = scope_copy(scope, from, sizeof *from);
    if (copy->kind == FROM_JOIN) {
        copy->left = from_copy(scope, from->left);
        copy->right = from_copy(scope, from->right);
    }
    return copy;
}

static void range_copy_inside(struct scope *scope, struct range *range)
{
    if (range->column)
        COPY_ARRAY(scope, range->column, range->columns);
    COPY_ARRAY(scope, range->function, range->functions);
    COPY_ARRAY(scope, range->value, range->values);
    for (uint32_t row = 0; row < range->values; row++)
        COPY_ARRAY(scope, range->value[row], range->columns);
}

struct query *query_copy_node(struct scope *scope, const struct query *query)
{
    struct query *copy = scope_copy(scope, query, sizeof *query);
    COPY_ARRAY(scope, copy->common, copy->commons);
    for (uint32_t i = 0; i < copy->commons; i++)
        copy->common[i] = scope_copy(scope, copy->common[i], sizeof *copy->common[i]);
    COPY_ARRAY(scope, copy->range, copy->ranges);
    for (uint32_t i = 0; i < copy->ranges; i++)
        range_copy_inside(scope, &copy->range[i]);
    COPY_ARRAY(scope, copy->from, copy->froms);
    for (uint32_t i = 0; i < copy->froms; i++)
        copy->from[i] = from_copy(scope, copy->from[i]);
    COPY_ARRAY(scope, copy->target, copy->targets);
    COPY_ARRAY(scope, copy->group, copy->groups);
    COPY_ARRAY(scope, copy->window, copy->windows);
    for (uint32_t i = 0; i < copy->windows; i++) {
        COPY_ARRAY(scope, copy->window[i].partition, copy->window[i].partitions);
        COPY_ARRAY(scope, copy->window[i].order, copy->window[i].orders);
    }
    COPY_ARRAY(scope, copy->distinct_key, copy->distinct_on);
    COPY_ARRAY(scope, copy->order, copy->orders);
    COPY_ARRAY(scope, copy->returning, copy->returnings);
    COPY_ARRAY(scope, copy->conflict_target, copy->conflict_targets);
    COPY_ARRAY(scope, copy->merge_action, copy->merge_actions);
    for (uint32_t i = 0; i < copy->merge_actions; i++)
        COPY_ARRAY(scope, copy->merge_action[i].target, copy->merge_action[i].targets);
    return copy;
}
