/* Whether two trees compute the same, node by node. Positions, and how a node was written, do not count. Constants are the
 * same when their bytes are: 1.0 and 1.00 are different ones, for they are shown differently. */
#include "sqlfront/algebra/walk.h"

static bool query_equal(const struct query *a, const struct query *b);

static bool type_same(const struct type *a, const struct type *b)
{
    return a == b || (a && b && a->oid == b->oid);
}

static bool value_same(const struct type *type, const struct value *a, const struct value *b)
{
    if (a->null || b->null)
        return a->null && b->null;
    if (type->kind == VALUE_NUMERIC && a->small != b->small)
        return false;
    if (type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT || (type->kind == VALUE_NUMERIC && a->small))
        return a->i == b->i && (type->kind != VALUE_NUMERIC || a->scale == b->scale);
    return a->size == b->size && (a->size == 0 || memcmp(a->p, b->p, a->size) == 0);
}

static bool place_equal(const struct expression *a, const struct expression *b)
{
    return a == b || (a && b && expression_equal(a, b));
}

static bool keys_equal(const struct sort_key *a, const struct sort_key *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].target != b[i].target || a[i].descending != b[i].descending ||
            a[i].nulls_first != b[i].nulls_first || a[i].equality != b[i].equality ||
            a[i].less != b[i].less || !place_equal(a[i].expression, b[i].expression))
            return false;
    return true;
}

static bool node_equal(const struct expression *a, const struct expression *b)
{
    return a->kind == b->kind && a->test == b->test && a->subquery_kind == b->subquery_kind &&
           a->parameter_source == b->parameter_source && a->strategy == b->strategy && a->slice == b->slice &&
           a->nested == b->nested && a->distinct_not == b->distinct_not && a->star == b->star &&
           a->distinct == b->distinct && type_same(a->type, b->type) && a->modifier == b->modifier &&
           a->collation == b->collation && a->arguments == b->arguments && a->range == b->range &&
           a->level == b->level && a->number == b->number && a->procedure == b->procedure &&
           a->window == b->window && a->orders == b->orders &&
           (a->kind != EXPRESSION_CONSTANT || value_same(a->type, &a->constant, &b->constant)) &&
           (a->name == b->name || (a->name && b->name && strcmp(a->name, b->name) == 0));
}

bool expression_equal(const struct expression *a, const struct expression *b)
{
    if (a == b)
        return true;
    if (!a || !b || !node_equal(a, b))
        return false;
    for (uint32_t i = 0; i < a->arguments; i++)
        if (!place_equal(a->argument[i], b->argument[i]))
            return false;
    for (uint32_t i = 0; a->procedures && b->procedures && i < a->arguments / 2; i++)
        if (a->procedures[i] != b->procedures[i])
            return false;
    return place_equal(a->subject, b->subject) && place_equal(a->element, b->element) &&
           place_equal(a->test_expression, b->test_expression) && place_equal(a->filter, b->filter) &&
           keys_equal(a->order, b->order, a->orders) &&
           (a->query == b->query || (a->query && b->query && query_equal(a->query, b->query)));
}

/* ---- queries ---- */

static bool targets_equal(const struct target *a, const struct target *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].hidden != b[i].hidden || a[i].assigned != b[i].assigned ||
            !place_equal(a[i].expression, b[i].expression))
            return false;
    return true;
}

static bool range_equal(const struct range *a, const struct range *b)
{
    if (a->kind != b->kind || a->lateral != b->lateral || a->ordinality != b->ordinality ||
        a->columns != b->columns || a->functions != b->functions || a->values != b->values ||
        a->relation != b->relation || a->common != b->common || a->sampled != b->sampled ||
        a->sample_system != b->sample_system || !place_equal(a->sample_percent, b->sample_percent) ||
        !place_equal(a->sample_seed, b->sample_seed))
        return false;
    for (uint32_t i = 0; i < a->functions; i++)
        if (!place_equal(a->function[i], b->function[i]))
            return false;
    for (uint32_t row = 0; row < a->values; row++)
        for (uint32_t i = 0; i < a->columns; i++)
            if (!place_equal(a->value[row][i], b->value[row][i]))
                return false;
    return a->query == b->query || (a->query && b->query && query_equal(a->query, b->query));
}

static bool from_equal(const struct from *a, const struct from *b)
{
    if (a->kind != b->kind || a->range != b->range)
        return false;
    return a->kind == FROM_RANGE || (a->join == b->join && place_equal(a->condition, b->condition) &&
                                     from_equal(a->left, b->left) && from_equal(a->right, b->right));
}

static bool set_equal(const struct set_tree *a, const struct set_tree *b)
{
    if (!a || !b)
        return a == b;
    return a->operation == b->operation && a->all == b->all &&
           (a->operation == 0 ? a->range == b->range
                              : set_equal(a->left, b->left) && set_equal(a->right, b->right));
}

/* Windows, grouping sets, locks, CTEs and what modifies data: never the same, which costs nothing but a grouping by such
 * a subquery being refused. */
static bool query_equal(const struct query *a, const struct query *b)
{
    if (a->kind != QUERY_SELECT || b->kind != QUERY_SELECT || a->ranges != b->ranges ||
        a->froms != b->froms || a->targets != b->targets || a->groups != b->groups ||
        a->orders != b->orders || a->windows || b->windows || a->grouping_sets != b->grouping_sets ||
        a->grouping_sets > 1 || a->locks || b->locks || a->commons || b->commons ||
        a->distinct != b->distinct || a->distinct_on != b->distinct_on || a->with_ties != b->with_ties ||
        !set_equal(a->set, b->set))
        return false;
    for (uint32_t i = 0; i < a->ranges; i++)
        if (!range_equal(&a->range[i], &b->range[i]))
            return false;
    for (uint32_t i = 0; i < a->froms; i++)
        if (!from_equal(a->from[i], b->from[i]))
            return false;
    return place_equal(a->where, b->where) && targets_equal(a->target, b->target, a->targets) &&
           keys_equal(a->group, b->group, a->groups) && place_equal(a->having, b->having) &&
           keys_equal(a->distinct_key, b->distinct_key, a->distinct_on) &&
           keys_equal(a->order, b->order, a->orders) && place_equal(a->limit, b->limit) &&
           place_equal(a->offset, b->offset);
}

/* ---- hash ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 29);
}

static uint64_t value_mix(uint64_t hash, const struct type *type, const struct value *value)
{
    if (value->null)
        return mix(hash, 1);
    if (type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT ||
        (type->kind == VALUE_NUMERIC && value->small))
        return mix(hash, (uint64_t)value->i);
    for (uint32_t i = 0; i < value->size; i++)
        hash = mix(hash, value->p[i]);
    return hash;
}

struct hasher {
    struct walk walk;
    uint64_t hash;
};

static void hash_visit(struct walk *walk, struct expression **place)
{
    struct hasher *hasher = (struct hasher *)walk;
    hasher->hash = mix(hasher->hash, expression_hash(*place));
}

static void hash_skip(struct walk *walk, struct query **place)
{
}

uint64_t expression_hash(const struct expression *expression)
{
    uint64_t hash = mix(expression->kind, expression->type ? expression->type->oid : 0);
    hash = mix(hash, (uint64_t)expression->range << 32 | expression->level);
    hash = mix(hash, (uint64_t)(uint32_t)expression->number << 32 | expression->arguments);
    hash = mix(hash, expression->procedure ? expression->procedure->oid : 0);
    if (expression->kind == EXPRESSION_CONSTANT)
        hash = value_mix(hash, expression->type, &expression->constant);
    struct hasher hasher = {.walk = {.expression = hash_visit, .query = hash_skip}, .hash = hash};
    walk_expression(&hasher.walk, (struct expression *)expression);
    return hasher.hash;
}
