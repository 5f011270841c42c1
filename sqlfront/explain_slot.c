/* A slot is followed down to the table it was read from, or to the expression that computed it. */
#include "sqlfront/explain_slot.h"

#include <string.h>

#define DEPTH_MAX 200

static bool reads_table(const struct plan *plan)
{
    return plan->kind == PLAN_SCAN || plan->kind == PLAN_LOOKUP_JOIN;
}

static void collect(struct slot_names *names, const struct plan *plan, uint32_t depth)
{
    if (!plan || depth > DEPTH_MAX)
        return;
    if (reads_table(plan) && names->query.ranges < 64) {
        struct range *range = &names->query.range[names->query.ranges];
        const struct relation *relation = plan->relation;
        *range = (struct range){.kind = RANGE_RELATION,
                                .relation = relation,
                                .name = plan->alias ? plan->alias : relation->name,
                                .columns = relation->columns};
        range->alias = strcmp(range->name, relation->name) == 0 ? NULL : range->name;
        range->column = scope_alloc_zeroed(names->scope, (relation->columns + 1) * sizeof *range->column);
        for (uint32_t c = 0; c < relation->columns; c++)
            range->column[c] =
                (struct range_column){.name = relation->column[c].name, .type = relation->column[c].type};
        names->leaf[names->query.ranges++] = plan;
    }
    collect(names, plan->input[0], depth + 1);
    collect(names, plan->input[1], depth + 1);
    for (uint32_t i = 0; plan->append && i < plan->inputs; i++)
        collect(names, plan->append[i], depth + 1);
    for (uint32_t i = 0; i < plan->commons; i++)
        collect(names, plan->common[i], depth + 1);
}

void slot_names_open(struct slot_names *names, struct scope *scope, const struct plan *plan)
{
    *names = (struct slot_names){.scope = scope, .query = {.kind = QUERY_SELECT}};
    names->query.range = scope_alloc_zeroed(scope, 64 * sizeof *names->query.range);
    collect(names, plan, 0);
}

static struct expression *column_of(struct slot_names *names, const struct plan *leaf, uint32_t at)
{
    for (uint32_t r = 0; r < names->query.ranges; r++)
        if (names->leaf[r] == leaf && at < leaf->wanted && leaf->want[at] > 0)
            return expression_column(names->scope, r, leaf->want[at],
                                     leaf->relation->column[leaf->want[at] - 1].type, -1, 0);
    return NULL;
}

/* Where an expression's slots come from. */
struct origin {
    struct slot_names *names;
    const struct plan *plan;
    bool own;   /* they are the node's own slots */
    bool right; /* its second input's */
    uint32_t depth;
};

static struct expression *put(const struct origin *origin, const struct expression *expression);

static struct expression *trace(struct slot_names *names, const struct plan *plan, uint32_t slot,
                                uint32_t depth)
{
    if (!plan || depth > DEPTH_MAX)
        return NULL;
    uint32_t left = plan->input[0] ? plan->input[0]->columns : 0;
    struct origin inputs = {.names = names, .plan = plan, .depth = depth + 1};
    switch (plan->kind) {
    case PLAN_SCAN:
        return column_of(names, plan, slot);
    case PLAN_LOOKUP_JOIN:
        return slot < left ? trace(names, plan->input[0], slot, depth + 1)
                           : column_of(names, plan, slot - left);
    case PLAN_PROJECT:
    case PLAN_SET_PROJECT:
        return slot < plan->expressions ? put(&inputs, plan->expression[slot]) : NULL;
    case PLAN_HASH_JOIN:
    case PLAN_MERGE_JOIN:
    case PLAN_NESTED_JOIN:
    case PLAN_APPLY:
        if (slot < left)
            return trace(names, plan->input[0], slot, depth + 1);
        if (plan->kind == PLAN_APPLY && plan->apply != APPLY_JOIN)
            return NULL;
        return trace(names, plan->input[1], slot - left, depth + 1);
    case PLAN_AGGREGATE: {
        const struct plan *whole = plan;
        if (plan->phase == AGGREGATE_FINAL && plan->input[0]->kind == PLAN_GATHER)
            whole = plan->input[0]->input[0];
        inputs.plan = whole;
        if (slot < whole->keys)
            return put(&inputs, whole->key[slot].expression);
        if (slot >= whole->keys + whole->aggregates)
            return NULL;
        const struct plan_aggregate *aggregate = &whole->aggregate[slot - whole->keys];
        struct expression *call = expression_make(names->scope, EXPRESSION_AGGREGATE, aggregate->type);
        call->procedure = aggregate->procedure;
        call->aggregate = aggregate->aggregate;
        call->distinct = aggregate->distinct;
        call->star = aggregate->arguments == 0;
        call->arguments = aggregate->arguments;
        call->argument = scope_alloc_zeroed(names->scope, (call->arguments + 1) * sizeof *call->argument);
        for (uint32_t i = 0; i < call->arguments; i++)
            call->argument[i] = put(&inputs, aggregate->argument[i]);
        return call;
    }
    case PLAN_WINDOW:
        return slot < left ? trace(names, plan->input[0], slot, depth + 1)
                           : put(&inputs, plan->window_call[slot - left]);
    case PLAN_FILTER:
    case PLAN_SORT:
    case PLAN_UNIQUE:
    case PLAN_LIMIT:
    case PLAN_LOCK:
    case PLAN_GATHER:
    case PLAN_COMMON:
        return trace(names, plan->input[0], slot, depth + 1);
    default:
        return NULL;
    }
}

static struct expression *trace_column(const struct origin *origin, uint32_t slot)
{
    const struct plan *plan = origin->plan;
    if (origin->own)
        return trace(origin->names, plan, slot, origin->depth);
    if (origin->right)
        return trace(origin->names, plan->input[1], slot, origin->depth);
    uint32_t left = plan->input[0] ? plan->input[0]->columns : 0;
    if (plan->kind == PLAN_LOOKUP_JOIN && slot >= left)
        return column_of(origin->names, plan, slot - left);
    return slot < left ? trace(origin->names, plan->input[0], slot, origin->depth)
                       : trace(origin->names, plan->input[1], slot - left, origin->depth);
}

static struct expression *put_node(void *argument, const struct expression *node, uint32_t level)
{
    const struct origin *origin = argument;
    if (node->kind != EXPRESSION_COLUMN || level > 0 || node->number < 0)
        return NULL;
    struct expression *named = trace_column(origin, (uint32_t)node->number);
    /* What has no name is written as "?". */
    return named ? named : expression_make(origin->names->scope, EXPRESSION_DOMAIN_VALUE, node->type);
}

static struct expression *put(const struct origin *origin, const struct expression *expression)
{
    return expression_map(origin->names->scope, expression, put_node, (void *)origin, false);
}

const struct expression *slot_names_put(struct slot_names *names, const struct plan *plan,
                                        const struct expression *expression)
{
    struct origin origin = {.names = names, .plan = plan, .own = plan->kind == PLAN_SCAN};
    return put(&origin, expression);
}

const struct expression *slot_names_put_right(struct slot_names *names, const struct plan *plan,
                                              const struct expression *expression)
{
    struct origin origin = {.names = names, .plan = plan, .right = true};
    return put(&origin, expression);
}
