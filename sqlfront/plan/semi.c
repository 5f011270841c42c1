/* Subqueries in conditions that are joins in disguise.
 *
 *     EXISTS (SELECT ... WHERE inner.a = outer.b)      semi join
 *     x IN (SELECT y ...)                              semi join on x = y
 *     NOT EXISTS                                       anti join
 *     x NOT IN (SELECT y ...)                          anti join that knows of nulls
 *     (SELECT sum(z) ... WHERE inner.a = outer.b)      left join with the subquery grouped by a, when that is cheaper than
 *                                                      running it for each row
 *
 * What is none of these stays and becomes an APPLY. Source: the rules of Galindo-Legaria and Joshi, "Orthogonal optimization
 * of subqueries and aggregation", 2001, and PostgreSQL's pull_up_sublinks. */
#include "sqlfront/plan/inside.h"

#include <string.h>

/* ---- what a subquery refers to ---- */

struct outer_look {
    struct walk walk;
    uint32_t depth;
    bool parent, beyond; /* refers one level up; further */
};

static void look_visit(struct walk *walk, struct expression **place)
{
    struct outer_look *look = (struct outer_look *)walk;
    const struct expression *node = *place;
    if (node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_WHOLE_ROW ||
        node->kind == EXPRESSION_SYSTEM_COLUMN) {
        look->parent |= node->level == look->depth + 1;
        look->beyond |= node->level > look->depth + 1;
    }
    walk_expression(walk, *place);
}

static void look_query(struct walk *walk, struct query **place)
{
    struct outer_look *look = (struct outer_look *)walk;
    look->depth++;
    walk_query(walk, *place);
    look->depth--;
}

static struct outer_look look_at_query(const struct query *query)
{
    struct outer_look look = {.walk = {.expression = look_visit, .query = look_query}};
    walk_query(&look.walk, (struct query *)query);
    return look;
}

static struct outer_look look_at(const struct expression *expression)
{
    struct outer_look look = {.walk = {.expression = look_visit, .query = look_query}};
    struct expression *place = (struct expression *)expression;
    if (place)
        look_visit(&look.walk, &place);
    return look;
}

static bool from_refers_out(const struct query *query)
{
    struct query ranges_only = {.kind = QUERY_SELECT, .ranges = query->ranges, .range = query->range};
    struct outer_look look = look_at_query(&ranges_only);
    return look.parent;
}

/* ---- EXISTS and IN ---- */

struct disguise {
    struct expression *subquery;
    bool anti, any;
};

static bool disguised(struct expression *condition, struct disguise *disguise)
{
    *disguise = (struct disguise){0};
    if (condition->kind == EXPRESSION_NOT) {
        disguise->anti = true;
        condition = condition->argument[0];
    }
    if (condition->kind != EXPRESSION_SUBQUERY)
        return false;
    disguise->subquery = condition;
    if (condition->subquery_kind == SUBQUERY_EXISTS)
        return true;
    disguise->any = true;
    if (condition->subquery_kind == SUBQUERY_ANY)
        return true;
    /* x <> ALL (...) is NOT (x = ANY (...)); turned around by whoever converts it. */
    return false;
}

struct placing { /* columns of the subquery in its test */
    struct planner *planner;
    const struct target *target; /* expressions, already at this level; NULL: columns of `range` */
    uint32_t range;
};

static struct expression *place_column(void *argument, const struct expression *node, uint32_t level)
{
    struct placing *placing = argument;
    if (node->kind != EXPRESSION_PARAMETER || node->parameter_source != PARAMETER_SUBQUERY || level > 0)
        return NULL;
    if (placing->target)
        return placing->target[node->number].expression;
    return expression_column(placing->planner->scope, placing->range, node->number + 1, node->type,
                             node->modifier, node->collation);
}

/* The node that takes the place of `tree`: a join of what the tree held with `right`. */
static void join_over(struct level *level, struct join_tree *tree, struct join_tree *right, uint8_t join,
                      bool null_aware, struct expression **conditions, uint32_t count)
{
    struct join_tree *node = plan_alloc(level->planner, sizeof *node);
    node->join = join;
    node->null_aware = null_aware;
    node->left = tree->left;
    node->right = right;
    node->condition = conditions;
    node->conditions = count;
    tree->left = node;
}

static bool is_fixed(struct expression *const *conditions, uint32_t count, uint32_t range, int16_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct expression *c = conditions[i];
        if (c->kind != EXPRESSION_CALL || !c->operator|| c->operator->strategy != 3 || c->arguments != 2)
            continue;
        for (uint32_t side = 0; side < 2; side++) {
            const struct expression *column = c->argument[side];
            if (column->kind == EXPRESSION_COLUMN && column->level == 0 && column->range == range &&
                column->number == number && !(expression_ranges(c->argument[1 - side]) & set_of(range)))
                return true;
        }
    }
    return false;
}

static bool all_fixed(struct expression *const *conditions, uint32_t count, uint32_t range,
                      const int16_t *columns, uint32_t keys)
{
    uint32_t k = 0;
    while (k < keys && columns[k] > 0 && is_fixed(conditions, count, range, columns[k]))
        k++;
    return keys > 0 && k == keys;
}

/* Whether the conditions find one row of the table at most: a semi join with it is a plain join, which may be done in any order. */
static bool finds_one(const struct range *range, uint32_t at, struct expression *const *conditions,
                      uint32_t count)
{
    const struct relation *relation = range->relation;
    if (range->kind != RANGE_RELATION || !relation || relation->kind != RELATION_TABLE)
        return false;
    if (all_fixed(conditions, count, at, relation->key_column, relation->key_columns))
        return true;
    for (uint32_t i = 0; i < relation->indexes; i++) {
        const struct index *index = relation->index[i];
        if (index->unique && index->immediate && index->valid && !index->predicate_text &&
            all_fixed(conditions, count, at, index->column, index->key_columns))
            return true;
    }
    return false;
}

static bool holds_subquery(const struct expression *expression)
{
    return expression_facts(expression) & FACT_SUBQUERY;
}

/* A subquery without grouping: its FROM is the right side, its WHERE and the test the condition. */
static enum sqlstate join_flat(struct level *level, struct join_tree *tree, const struct disguise *disguise,
                               bool *done, struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = disguise->subquery->query;
    *done = false;
    if (!query_is_simple(query) || from_refers_out(query))
        return SQLSTATE_OK;
    struct query *prepared = planner_prepare(planner, query);
    for (uint32_t i = 0; disguise->any && i < prepared->targets; i++)
        if (expression_facts(prepared->target[i].expression) & (FACT_VOLATILE | FACT_SUBQUERY))
            return SQLSTATE_OK;
    struct expression **parts = NULL;
    uint32_t count = 0;
    conjuncts_split(planner, prepared->where, &parts, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct outer_look look = look_at(parts[i]);
        if (expression_facts(parts[i]) & FACT_VOLATILE)
            return SQLSTATE_OK;
        /* A condition on both sides that holds a subquery of its own would have to be asked inside of the join. */
        if (holds_subquery(parts[i]) && (expression_facts(parts[i]) & FACT_OUTER_COLUMN || look.parent))
            return SQLSTATE_OK;
    }
    uint32_t first;
    if (!level_add_ranges(level, prepared->range, prepared->ranges, &first))
        return SQLSTATE_OK;
    struct query *child = query_absorb(planner, prepared, first);
    memcpy(&level->query->range[first], child->range, child->ranges * sizeof *child->range);
    struct level inner = {.planner = planner, .query = child};
    enum sqlstate failed = level_build_tree(&inner, error);
    if (failed)
        return failed;
    struct join_tree *right = inner.tree; /* a filter node with its WHERE */
    uint64_t own = tree_ranges(right);
    struct expression **both = plan_alloc(planner, (right->conditions + 8) * sizeof *both);
    uint32_t boths = 0, kept = 0;
    for (uint32_t i = 0; i < right->conditions; i++) {
        if (subset(expression_ranges(right->condition[i]), own))
            right->condition[kept++] = right->condition[i];
        else
            both[boths++] = right->condition[i];
    }
    right->conditions = kept;
    if (disguise->any) {
        struct placing placing = {.planner = planner, .target = child->target};
        struct expression *test = expression_map(planner->scope, disguise->subquery->test_expression,
                                                 place_column, &placing, false);
        conjuncts_split(planner, test, &both, &boths);
    }
    bool one = child->ranges == 1 && finds_one(&level->query->range[first], first, both, boths);
    join_over(level, tree, right,
              disguise->anti ? JOIN_ANTI
              : one          ? JOIN_INNER
                             : JOIN_SEMI,
              false, both, boths);
    *done = true;
    return SQLSTATE_OK;
}

/* Whether the conditions find one row at most of a subquery's leaf: they give all it is grouped by a value. */
static bool finds_one_group(const struct query *query, uint32_t at, struct expression *const *conditions,
                            uint32_t count)
{
    bool whole = query->grouping_sets == 0 ||
                 (query->grouping_sets == 1 && query->grouping_set[0].keys == query->groups);
    if (query->groups == 0 || !whole || query->has_set_calls || query->set)
        return false;
    for (uint32_t g = 0; g < query->groups; g++) {
        const struct sort_key *group = &query->group[g];
        const struct expression *key =
            group->expression ? group->expression : query->target[group->target].expression;
        int16_t number = 0;
        bool fixed = false;
        for (uint32_t t = 0; t < query->targets && !fixed; t++) {
            number += !query->target[t].hidden;
            fixed = !query->target[t].hidden && expression_equal(query->target[t].expression, key) &&
                    is_fixed(conditions, count, at, number);
        }
        if (!fixed)
            return false;
    }
    return true;
}

/* Any other subquery that does not depend on the row: a leaf of its own. */
static enum sqlstate join_leaf(struct level *level, struct join_tree *tree, const struct disguise *disguise,
                               bool *done, struct error *error)
{
    struct planner *planner = level->planner;
    const struct query *query = disguise->subquery->query;
    *done = false;
    (void)error;
    if (look_at_query(query).parent || query->kind != QUERY_SELECT)
        return SQLSTATE_OK;
    struct range range = {.kind = RANGE_SUBQUERY, .name = "ANY_subquery", .query = (struct query *)query};
    uint32_t visible = 0;
    for (uint32_t i = 0; i < query->targets; i++)
        visible += !query->target[i].hidden;
    range.columns = visible;
    range.column = plan_alloc(planner, visible * sizeof *range.column);
    for (uint32_t i = 0; i < visible; i++)
        range.column[i] = (struct range_column){.name = query->target[i].name,
                                                .type = query->target[i].expression->type,
                                                .modifier = query->target[i].expression->modifier,
                                                .collation = query->target[i].expression->collation};
    uint32_t first;
    if (!level_add_ranges(level, &range, 1, &first))
        return SQLSTATE_OK;
    struct placing placing = {.planner = planner, .range = first};
    struct expression *test =
        expression_map(planner->scope, disguise->subquery->test_expression, place_column, &placing, false);
    struct expression **conditions = NULL;
    uint32_t count = 0;
    conjuncts_split(planner, test, &conditions, &count);
    struct join_tree *leaf = plan_alloc(planner, sizeof *leaf);
    leaf->leaf = true;
    leaf->range = first;
    bool one = !disguise->anti && finds_one_group(query, first, conditions, count);
    join_over(level, tree, leaf,
              disguise->anti ? JOIN_ANTI
              : one          ? JOIN_INNER
                             : JOIN_SEMI,
              disguise->anti, conditions, count);
    *done = true;
    return SQLSTATE_OK;
}

/* Whether the test is one equality that hashing can decide: what a null-aware anti join is made for. */
static bool plain_equality(const struct expression *test)
{
    return test && test->kind == EXPRESSION_CALL &&
           test->operator&& test->operator->strategy == 3 && test->operator->can_hash &&
           test->arguments == 2 && expression_ranges(test->argument[0]) &&
           types_hash_alike(test->argument[0]->type, test->argument[1]->type);
}

static enum sqlstate convert(struct level *level, struct join_tree *tree, struct expression *condition,
                             bool *done, struct error *error)
{
    struct disguise disguise;
    *done = false;
    if (!disguised(condition, &disguise))
        return SQLSTATE_OK;
    const struct expression *subquery = disguise.subquery;
    if (!disguise.any) {
        if (!look_at_query(subquery->query).parent)
            return SQLSTATE_OK; /* asked once, by an APPLY */
        return join_flat(level, tree, &disguise, done, error);
    }
    if (holds_subquery(subquery->argument[0]) ||
        (expression_facts(subquery->test_expression) & (FACT_VOLATILE | FACT_SUBQUERY)))
        return SQLSTATE_OK;
    if (disguise.anti) {
        if (!plain_equality(subquery->test_expression))
            return SQLSTATE_OK;
        return join_leaf(level, tree, &disguise, done, error);
    }
    enum sqlstate failed = join_flat(level, tree, &disguise, done, error);
    if (failed || *done)
        return failed;
    return join_leaf(level, tree, &disguise, done, error);
}

/* ---- scalar aggregates ---- */

static bool gives_null_for_nothing(const struct expression *node)
{
    switch (node->kind) {
    case EXPRESSION_CONSTANT:
    case EXPRESSION_PARAMETER:
        return true;
    case EXPRESSION_AGGREGATE:
        return strcmp(node->procedure->name, "count") != 0 &&
               strncmp(node->procedure->name, "regr_count", 10) != 0 && node->level == 0;
    case EXPRESSION_CALL:
        if (!node->procedure->strict || node->procedure->volatility == 'v')
            return false;
        break;
    case EXPRESSION_RELABEL:
    case EXPRESSION_CAST_TEXT:
        break;
    default:
        return false;
    }
    for (uint32_t i = 0; i < node->arguments; i++)
        if (!gives_null_for_nothing(node->argument[i]))
            return false;
    return true;
}

static bool has_aggregate(const struct expression *node)
{
    return expression_facts(node) & FACT_AGGREGATE;
}

static bool is_count(const struct expression *node)
{
    return node->kind == EXPRESSION_AGGREGATE && strcmp(node->procedure->name, "count") == 0 &&
           node->level == 0;
}

/* inner = outer: which side is which; false when it is no such condition. */
static bool correlation(const struct expression *part, const struct expression **inner,
                        const struct expression **outer)
{
    if (part->kind != EXPRESSION_CALL ||
        !part->operator|| part->operator->strategy != 3 || !part->operator->can_hash ||
         part->arguments != 2 ||(expression_facts(part) & (FACT_VOLATILE | FACT_SUBQUERY)))
        return false;
    struct outer_look a = look_at(part->argument[0]), b = look_at(part->argument[1]);
    uint64_t own_a = expression_ranges(part->argument[0]), own_b = expression_ranges(part->argument[1]);
    if (a.beyond || b.beyond)
        return false;
    if (own_a && !a.parent && !own_b && b.parent) {
        *inner = part->argument[0];
        *outer = part->argument[1];
        return true;
    }
    if (own_b && !b.parent && !own_a && a.parent) {
        *inner = part->argument[1];
        *outer = part->argument[0];
        return true;
    }
    return false;
}

/* Whether an index of the subquery's only table begins with that column: then running it for each row is cheap. */
static bool has_index(const struct query *query, const struct expression *inner)
{
    inner = expression_strip_relabel(inner);
    if (query->ranges != 1 || query->range[0].kind != RANGE_RELATION || inner->kind != EXPRESSION_COLUMN)
        return false;
    const struct relation *relation = query->range[0].relation;
    for (uint32_t i = 0; i < relation->indexes; i++)
        if (relation->index[i]->valid && !relation->index[i]->predicate_text &&
            relation->index[i]->column[0] == inner->number)
            return true;
    return relation->key_columns > 0 && relation->key_column[0] == inner->number;
}

static double leaf_rows(struct level *level, const struct join_tree *tree)
{
    if (!tree)
        return 0;
    if (tree->leaf) {
        const struct range *range = &level->query->range[tree->range];
        return range->kind == RANGE_RELATION ? relation_rows(level->planner, range->relation) : 1000;
    }
    double left = leaf_rows(level, tree->left), right = leaf_rows(level, tree->right);
    return left > right ? left : right;
}

/* How many rows the conditions leave of the level, very roughly: of its largest table. */
static double rough_rows(struct level *level)
{
    double rows = leaf_rows(level, level->tree);
    for (const struct join_tree *tree = level->tree; tree && !tree->leaf; tree = tree->left)
        for (uint32_t i = 0; i < tree->conditions; i++) {
            const struct expression *condition = tree->condition[i];
            if (!holds_subquery(condition) && __builtin_popcountll(expression_ranges(condition)) == 1)
                rows *= condition_selectivity(level, condition);
        }
    return rows;
}

struct grouping_target {
    struct expression **inner, **outer;
    uint32_t count;
};

static bool splits(struct planner *planner, const struct query *query, struct grouping_target *keys,
                   struct expression **rest)
{
    struct expression **parts = NULL;
    uint32_t count = 0;
    conjuncts_split(planner, query->where, &parts, &count);
    keys->inner = plan_alloc(planner, (count + 1) * sizeof *keys->inner);
    keys->outer = plan_alloc(planner, (count + 1) * sizeof *keys->outer);
    for (uint32_t i = 0; i < count; i++) {
        const struct expression *inner, *outer;
        if (!look_at(parts[i]).parent) {
            *rest = expression_and(planner->scope, *rest, parts[i]);
            continue;
        }
        if (!correlation(parts[i], &inner, &outer))
            return false;
        keys->inner[keys->count] = (struct expression *)inner;
        keys->outer[keys->count++] = (struct expression *)outer;
    }
    return keys->count > 0;
}

static struct expression *raise_node(void *argument, const struct expression *node, uint32_t level)
{
    struct planner *planner = argument;
    if (node->kind != EXPRESSION_COLUMN || node->level <= level)
        return NULL;
    struct expression *copy = expression_copy_node(planner->scope, node);
    copy->level--;
    return copy;
}

static bool ungrouped(const struct query *query)
{
    return query->kind == QUERY_SELECT && !query->set && query->has_aggregates && query->groups == 0 &&
           query->grouping_sets == 0 && !query->having && !query->has_windows && !query->distinct &&
           query->distinct_on == 0 && !query->limit && !query->offset && !query->has_set_calls &&
           query->locks == 0 && query->commons == 0 && query->froms > 0 && query->targets == 1;
}

/* The column that takes the place of a scalar subquery, or NULL when it stays. */
static struct expression *group_and_join(struct level *level, struct join_tree *tree,
                                         const struct expression *node)
{
    struct planner *planner = level->planner;
    const struct query *query = node->query;
    if (!ungrouped(query) || from_refers_out(query))
        return NULL;
    const struct expression *answer = query->target[0].expression;
    bool count = is_count(answer);
    if ((!count && (!gives_null_for_nothing(answer) || !has_aggregate(answer))) || look_at(answer).parent)
        return NULL;
    struct query *sub = planner_prepare(planner, query);
    answer = sub->target[0].expression;
    struct grouping_target keys = {0};
    struct expression *rest = NULL;
    if (!splits(planner, sub, &keys, &rest))
        return NULL;
    double inner_rows = 1000;
    if (sub->range[0].kind == RANGE_RELATION)
        inner_rows = relation_rows(planner, sub->range[0].relation);
    if (has_index(sub, keys.inner[0]) && rough_rows(level) < inner_rows / 20)
        return NULL;
    sub->where = rest;
    struct target *targets = plan_alloc(planner, (keys.count + 1) * sizeof *targets);
    struct sort_key *group = plan_alloc(planner, keys.count * sizeof *group);
    for (uint32_t i = 0; i < keys.count; i++) {
        targets[i] = (struct target){.expression = keys.inner[i], .name = "key"};
        group[i] = (struct sort_key){.target = i};
    }
    targets[keys.count] = sub->target[0];
    sub->target = targets;
    sub->targets = keys.count + 1;
    sub->group = group;
    sub->groups = keys.count;
    struct range range = {.kind = RANGE_SUBQUERY, .name = "grouped", .query = sub, .columns = keys.count + 1};
    range.column = plan_alloc(planner, range.columns * sizeof *range.column);
    for (uint32_t i = 0; i < range.columns; i++)
        range.column[i] = (struct range_column){.name = "column",
                                                .type = targets[i].expression->type,
                                                .modifier = targets[i].expression->modifier,
                                                .collation = targets[i].expression->collation};
    uint32_t first;
    if (!level_add_ranges(level, &range, 1, &first))
        return NULL;
    struct join_tree *leaf = plan_alloc(planner, sizeof *leaf), *join = plan_alloc(planner, sizeof *join);
    leaf->leaf = true;
    leaf->range = first;
    join->join = JOIN_LEFT;
    join->left = tree->left;
    join->right = leaf;
    join->condition = plan_alloc(planner, keys.count * sizeof *join->condition);
    for (uint32_t i = 0; i < keys.count; i++) {
        const struct type *type = keys.inner[i]->type;
        const struct operator* equal = catalog_comparison(type->oid, 3);
        struct expression *outer = expression_map(planner->scope, keys.outer[i], raise_node, planner, true);
        if (!equal || outer->type->oid != type->oid)
            return NULL;
        struct expression *call = expression_make(planner->scope, EXPRESSION_CALL, node->type);
        struct scope *scope = planner->scope;
        call->operator= equal;
        call->procedure = procedure_builtin(equal->procedure);
        call->type = type_builtin(TYPE_BOOL);
        call->arguments = 2;
        call->argument = plan_alloc(planner, 2 * sizeof *call->argument);
        call->argument[0] = outer;
        call->argument[1] =
            expression_column(scope, first, (int32_t)i + 1, type, -1, keys.inner[i]->collation);
        join->condition[join->conditions++] = call;
    }
    tree->left = join;
    struct expression *column = expression_column(planner->scope, first, (int32_t)keys.count + 1, node->type,
                                                  node->modifier, node->collation);
    if (!count)
        return column;
    struct expression *coalesce = expression_make(planner->scope, EXPRESSION_COALESCE, node->type);
    coalesce->arguments = 2;
    coalesce->argument = plan_alloc(planner, 2 * sizeof *coalesce->argument);
    coalesce->argument[0] = column;
    coalesce->argument[1] = expression_constant(planner->scope, node->type, value_integer(0));
    return coalesce;
}

struct scalar_walk {
    struct walk walk;
    struct level *level;
    struct join_tree *tree; /* the filter node that the subqueries stand in (or the topmost) */
};

static void scalar_visit(struct walk *walk, struct expression **place)
{
    struct scalar_walk *scalar = (struct scalar_walk *)walk;
    struct expression *node = *place;
    if (node->kind == EXPRESSION_SUBQUERY && node->subquery_kind == SUBQUERY_SCALAR) {
        struct expression *column = group_and_join(scalar->level, scalar->tree, node);
        if (column)
            *place = column;
        return;
    }
    /* Arguments of aggregates are evaluated below the grouping: their columns come from the join all the same. */
    walk_expression(walk, node);
}

static void scalar_skip(struct walk *walk, struct query **place)
{
    (void)walk;
    (void)place;
}

/* ---- the level ---- */

static void convert_scalars(struct level *level, struct join_tree *tree)
{
    struct scalar_walk scalar = {
        .walk = {.expression = scalar_visit, .query = scalar_skip}, .level = level, .tree = tree};
    for (uint32_t i = 0; i < tree->conditions; i++)
        scalar_visit(&scalar.walk, &tree->condition[i]);
}

/* Filter nodes, from the top down. */
static enum sqlstate convert_tree(struct level *level, struct join_tree *tree, struct error *error)
{
    if (!tree || tree->leaf)
        return SQLSTATE_OK;
    if (tree->join == JOIN_INNER && !tree->right) {
        uint32_t kept = 0, count = tree->conditions;
        for (uint32_t i = 0; i < count; i++) {
            bool done = false;
            enum sqlstate failed = convert(level, tree, tree->condition[i], &done, error);
            if (failed)
                return failed;
            if (!done)
                tree->condition[kept++] = tree->condition[i];
        }
        tree->conditions = kept;
        convert_scalars(level, tree);
    }
    enum sqlstate failed = convert_tree(level, tree->left, error);
    return failed ? failed : convert_tree(level, tree->right, error);
}

enum sqlstate level_semi_joins(struct level *level, struct error *error)
{
    if (!level->tree)
        return SQLSTATE_OK;
    enum sqlstate failed = convert_tree(level, level->tree, error);
    if (failed || level->tree->leaf || level->tree->right)
        return failed;
    struct scalar_walk scalar = {
        .walk = {.expression = scalar_visit, .query = scalar_skip}, .level = level, .tree = level->tree};
    if (!level->query->has_aggregates && level->query->kind == QUERY_SELECT)
        for (uint32_t i = 0; i < level->query->targets; i++)
            scalar_visit(&scalar.walk, &level->query->target[i].expression);
    return SQLSTATE_OK;
}
