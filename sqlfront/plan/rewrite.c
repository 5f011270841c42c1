/* Preparing a query for planning: columns of joins become what they stand for, whole rows their columns, constants are
 * folded, FROM becomes a join tree, outer joins that a condition makes inner ones become so. */
#include "sqlfront/evaluate/evaluate.h"
#include "sqlfront/plan/inside.h"

#include <string.h>

/* ---- folding ---- */

static bool is_constant(const struct expression *node)
{
    return node->kind == EXPRESSION_CONSTANT;
}

static bool all_constant(const struct expression *node)
{
    for (uint32_t i = 0; i < node->arguments; i++)
        if (node->argument[i] && !is_constant(node->argument[i]))
            return false;
    return !node->subject || is_constant(node->subject);
}

static struct expression *constant_like(struct planner *planner, const struct expression *node,
                                        struct value value)
{
    struct expression *constant = expression_constant(planner->scope, node->type, value);
    constant->modifier = node->modifier;
    constant->collation = node->collation;
    constant->position = node->position;
    return constant;
}

/* What it comes to; NULL when it fails, since it may never be asked when the statement runs. */
static struct expression *evaluate_now(struct planner *planner, struct expression *node)
{
    struct value value;
    struct error error = {0};
    struct evaluation evaluation = {.environment = planner->request->environment};
    if (evaluate_constant(planner->scope, &evaluation, node, &value, &error))
        return NULL;
    return constant_like(planner, node, value);
}

static bool constant_true(const struct expression *node)
{
    return is_constant(node) && !node->constant.null && node->constant.i;
}

static bool constant_false(const struct expression *node)
{
    return is_constant(node) && !node->constant.null && !node->constant.i;
}

static bool arm_has(const struct expression *arm, const struct expression *part)
{
    if (arm->kind != EXPRESSION_AND)
        return expression_equal(arm, part);
    for (uint32_t i = 0; i < arm->arguments; i++)
        if (expression_equal(arm->argument[i], part))
            return true;
    return false;
}

/* What is left of an arm without the common parts; NULL = nothing. */
static struct expression *arm_without(struct planner *planner, struct expression *arm,
                                      struct expression **common, uint32_t count)
{
    struct expression *rest = NULL, **parts = arm->kind == EXPRESSION_AND ? arm->argument : &arm;
    uint32_t parts_count = arm->kind == EXPRESSION_AND ? arm->arguments : 1;
    for (uint32_t i = 0; i < parts_count; i++) {
        bool taken = false;
        for (uint32_t c = 0; c < count; c++)
            taken |= expression_equal(parts[i], common[c]);
        if (!taken)
            rest = expression_and(planner->scope, rest, parts[i]);
    }
    return rest;
}

/* (a AND b) OR (a AND c)   is   a AND (b OR c) */
static struct expression *factor_or(struct planner *planner, struct expression *node)
{
    struct expression *first = node->argument[0], *result = NULL;
    struct expression **parts = first->kind == EXPRESSION_AND ? first->argument : &first;
    uint32_t parts_count = first->kind == EXPRESSION_AND ? first->arguments : 1, count = 0;
    struct expression **common = plan_alloc(planner, (parts_count + 1) * sizeof *common);
    if (expression_facts(node) & (FACT_VOLATILE | FACT_SUBQUERY))
        return node;
    for (uint32_t p = 0; p < parts_count; p++) {
        bool everywhere = true;
        for (uint32_t i = 1; i < node->arguments && everywhere; i++)
            everywhere = arm_has(node->argument[i], parts[p]);
        if (everywhere)
            common[count++] = parts[p];
    }
    if (count == 0)
        return node;
    for (uint32_t c = 0; c < count; c++)
        result = expression_and(planner->scope, result, common[c]);
    struct expression *arms = expression_copy_node(planner->scope, node);
    for (uint32_t i = 0; i < node->arguments; i++) {
        arms->argument[i] = arm_without(planner, node->argument[i], common, count);
        if (!arms->argument[i])
            return result; /* one arm asks no more than the common parts */
    }
    return expression_and(planner->scope, result, arms);
}

static struct expression *fold_and_or(struct planner *planner, struct expression *node)
{
    bool is_and = node->kind == EXPRESSION_AND;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->arguments; i++) {
        struct expression *argument = node->argument[i];
        if (is_and ? constant_false(argument) : constant_true(argument))
            return argument;
        if (is_and ? constant_true(argument) : constant_false(argument))
            continue;
        node->argument[kept++] = argument;
    }
    if (kept == 0)
        return constant_like(planner, node, value_boolean(is_and));
    node->arguments = kept;
    if (kept == 1)
        return node->argument[0];
    return is_and ? node : factor_or(planner, node);
}

static struct expression *fold_case(struct expression *node)
{
    if (node->subject)
        return node;
    uint32_t kept = 0, pairs = node->arguments / 2;
    for (uint32_t i = 0; i < pairs; i++) {
        struct expression *when = node->argument[2 * i], *then = node->argument[2 * i + 1];
        if (is_constant(when) && !constant_true(when))
            continue;
        if (constant_true(when)) {
            if (kept == 0)
                return then;
            node->argument[2 * kept] = then; /* becomes the ELSE */
            node->arguments = 2 * kept + 1;
            return node;
        }
        node->argument[2 * kept] = when;
        node->argument[2 * kept + 1] = then;
        kept++;
    }
    node->argument[2 * kept] = node->argument[node->arguments - 1];
    node->arguments = 2 * kept + 1;
    return kept == 0 ? node->argument[0] : node;
}

static struct expression *fold_call(struct planner *planner, struct expression *node)
{
    const struct procedure *procedure = node->procedure;
    if (!procedure || procedure->returns_set || procedure->volatility == 'v')
        return node;
    if (procedure->strict)
        for (uint32_t i = 0; i < node->arguments; i++)
            if (is_constant(node->argument[i]) && node->argument[i]->constant.null)
                return constant_like(planner, node, value_null());
    return NULL;
}

static struct expression *fold_node(struct planner *planner, struct expression *node)
{
    const struct planner_request *request = planner->request;
    struct expression *folded = NULL;
    switch (node->kind) {
    case EXPRESSION_PARAMETER:
        if (node->parameter_source == PARAMETER_STATEMENT && request->parameters &&
            node->number <= (int32_t)request->parameter_count)
            return constant_like(planner, node, request->parameters[node->number - 1]);
        return node;
    case EXPRESSION_AND:
    case EXPRESSION_OR:
        return fold_and_or(planner, node);
    case EXPRESSION_CASE:
        return fold_case(node);
    case EXPRESSION_CALL:
        folded = fold_call(planner, node);
        if (folded)
            return folded;
        break;
    case EXPRESSION_NOT:
    case EXPRESSION_TEST:
    case EXPRESSION_DISTINCT:
    case EXPRESSION_NULLIF:
    case EXPRESSION_COALESCE:
    case EXPRESSION_GREATEST:
    case EXPRESSION_LEAST:
    case EXPRESSION_IN_LIST:
    case EXPRESSION_ARRAY:
    case EXPRESSION_CAST_TEXT:
    case EXPRESSION_RELABEL:
        break;
    default:
        return node;
    }
    if (!all_constant(node) || (expression_facts(node) & (FACT_STABLE | FACT_VOLATILE | FACT_SESSION |
                                                          FACT_PARAMETER | FACT_SUBQUERY)))
        return node;
    folded = evaluate_now(planner, node);
    return folded ? folded : node;
}

struct folding {
    struct walk walk;
    struct planner *planner;
};

static void fold_place(struct walk *walk, struct expression **place)
{
    walk_expression(walk, *place);
    *place = fold_node(((struct folding *)walk)->planner, *place);
}

static void skip_query(struct walk *walk, struct query **place)
{
    (void)walk;
    (void)place;
}

static struct expression *copy_all(void *argument, const struct expression *node, uint32_t level)
{
    (void)argument;
    (void)node;
    (void)level;
    return NULL;
}

struct expression *planner_fold(struct planner *planner, const struct expression *expression)
{
    struct folding folding = {.walk = {.expression = fold_place, .query = skip_query}, .planner = planner};
    struct expression *copy = expression_map(planner->scope, expression, copy_all, NULL, true);
    if (copy)
        fold_place(&folding.walk, &copy);
    return copy;
}

/* ---- columns of joins, whole rows ---- */

struct preparing {
    struct planner *planner;
    const struct query *query;
};

static struct expression *prepare_node(void *argument, const struct expression *node, uint32_t level);

static struct expression *stands_for(struct preparing *preparing, const struct expression *node,
                                     uint32_t level)
{
    const struct range *range = &preparing->query->range[node->range];
    struct expression *stands = range->column[node->number - 1].stands_for;
    stands = expression_map(preparing->planner->scope, stands, prepare_node, preparing, true);
    return expression_lower(preparing->planner, stands, level);
}

static struct expression *row_of_columns(struct preparing *preparing, const struct expression *node,
                                         uint32_t level)
{
    struct scope *scope = preparing->planner->scope;
    const struct range *range = &preparing->query->range[node->range];
    struct expression *row = expression_make(scope, EXPRESSION_ROW, node->type);
    row->argument = plan_alloc(preparing->planner, range->columns * sizeof *row->argument);
    for (uint32_t i = 0; i < range->columns; i++) {
        const struct range_column *column = &range->column[i];
        if (!column->name)
            continue;
        struct expression *field = expression_column(scope, node->range, (int32_t)i + 1, column->type,
                                                     column->modifier, column->collation);
        if (range->kind == RANGE_JOIN)
            field = stands_for(preparing, field, 0);
        row->argument[row->arguments++] = expression_lower(preparing->planner, field, level);
    }
    return row;
}

static struct expression *prepare_node(void *argument, const struct expression *node, uint32_t level)
{
    struct preparing *preparing = argument;
    if (node->level != level)
        return NULL;
    if (node->kind == EXPRESSION_COLUMN && preparing->query->range[node->range].kind == RANGE_JOIN)
        return stands_for(preparing, node, level);
    if (node->kind == EXPRESSION_WHOLE_ROW)
        return row_of_columns(preparing, node, level);
    if (node->kind == EXPRESSION_SYSTEM_COLUMN && node->number == SYSTEM_TABLEOID &&
        preparing->query->range[node->range].relation)
        return expression_constant(preparing->planner->scope, node->type,
                                   value_integer(preparing->query->range[node->range].relation->oid));
    return NULL;
}

struct query *planner_prepare(struct planner *planner, const struct query *query)
{
    struct preparing preparing = {.planner = planner, .query = query};
    struct query *copy = query_map(planner->scope, query, prepare_node, &preparing);
    struct folding folding = {.walk = {.expression = fold_place, .query = skip_query}, .planner = planner};
    for (uint32_t i = 0; i < copy->ranges; i++)
        if (copy->range[i].kind == RANGE_JOIN) {
            copy->range[i].columns = 0;
            copy->range[i].column = NULL;
        }
    walk_query(&folding.walk, copy);
    /* One set with all keys is what GROUP BY does anyway. */
    if (copy->grouping_sets == 1 && copy->grouping_set[0].keys == copy->groups)
        copy->grouping_sets = 0;
    return copy;
}

/* ---- the join tree ---- */

static struct join_tree *tree_node(struct level *level, struct join_tree *left, struct join_tree *right,
                                   uint8_t join)
{
    struct join_tree *tree = plan_alloc(level->planner, sizeof *tree);
    tree->left = left;
    tree->right = right;
    tree->join = join;
    return tree;
}

static struct join_tree *tree_from(struct level *level, const struct from *from)
{
    struct planner *planner = level->planner;
    if (from->kind == FROM_RANGE) {
        struct join_tree *leaf = plan_alloc(planner, sizeof *leaf);
        leaf->leaf = true;
        leaf->range = from->range;
        return leaf;
    }
    struct join_tree *left = tree_from(level, from->left), *right = tree_from(level, from->right);
    struct join_tree *tree = from->join == JOIN_RIGHT ? tree_node(level, right, left, JOIN_LEFT)
                                                      : tree_node(level, left, right, from->join);
    conjuncts_split(planner, from->condition, &tree->condition, &tree->conditions);
    return tree;
}

enum sqlstate level_build_tree(struct level *level, struct error *error)
{
    struct query *query = level->query;
    if (query->ranges > RANGES_MAX)
        return error_set(error, SQLSTATE_STATEMENT_TOO_COMPLEX,
                         "a query level may have at most %d tables, subqueries and joins", RANGES_MAX);
    struct join_tree *tree = NULL;
    for (uint32_t i = 0; i < query->froms; i++) {
        struct join_tree *item = tree_from(level, query->from[i]);
        tree = tree ? tree_node(level, tree, item, JOIN_INNER) : item;
    }
    if (tree) {
        tree = tree_node(level, tree, NULL, JOIN_INNER);
        conjuncts_split(level->planner, query->where, &tree->condition, &tree->conditions);
        query->where = NULL;
        query->froms = 0;
    }
    level->tree = tree;
    return SQLSTATE_OK;
}

uint64_t tree_ranges(const struct join_tree *tree)
{
    if (!tree)
        return 0;
    return tree->leaf ? set_of(tree->range) : tree_ranges(tree->left) | tree_ranges(tree->right);
}

bool level_add_ranges(struct level *level, const struct range *ranges, uint32_t count, uint32_t *first)
{
    struct query *query = level->query;
    if (query->ranges + count > RANGES_MAX)
        return false;
    struct range *grown = plan_alloc(level->planner, (query->ranges + count) * sizeof *grown);
    memcpy(grown, query->range, query->ranges * sizeof *grown);
    memcpy(grown + query->ranges, ranges, count * sizeof *grown);
    *first = query->ranges;
    query->range = grown;
    query->ranges += count;
    return true;
}

/* ---- outer joins that are none ---- */

/* Ranges whose columns cannot all be null when the expression is true (`truth`), or is not null. */
static uint64_t not_null_ranges(const struct expression *node, bool truth)
{
    uint64_t ranges = 0;
    switch (node->kind) {
    case EXPRESSION_COLUMN:
        return node->level == 0 && node->range < RANGES_MAX ? set_of(node->range) : 0;
    case EXPRESSION_CALL:
        if (!node->procedure || !node->procedure->strict || node->procedure->returns_set)
            return 0;
        for (uint32_t i = 0; i < node->arguments; i++)
            ranges |= not_null_ranges(node->argument[i], false);
        return ranges;
    case EXPRESSION_RELABEL:
    case EXPRESSION_CAST_TEXT:
    case EXPRESSION_NOT:
        return not_null_ranges(node->argument[0], false);
    case EXPRESSION_ANY:
    case EXPRESSION_IN_LIST:
        return not_null_ranges(node->argument[0], false);
    case EXPRESSION_AND:
        if (!truth)
            return 0;
        for (uint32_t i = 0; i < node->arguments; i++)
            ranges |= not_null_ranges(node->argument[i], true);
        return ranges;
    case EXPRESSION_OR:
        ranges = ~(uint64_t)0;
        for (uint32_t i = 0; i < node->arguments; i++)
            ranges &= not_null_ranges(node->argument[i], truth);
        return ranges;
    case EXPRESSION_TEST:
        if (truth && (node->test == TEST_NOT_NULL || node->test == TEST_TRUE || node->test == TEST_FALSE ||
                      node->test == TEST_NOT_UNKNOWN))
            return not_null_ranges(node->argument[0], false);
        return 0;
    default:
        return 0;
    }
}

static uint64_t conditions_not_null(const struct join_tree *tree)
{
    uint64_t ranges = 0;
    for (uint32_t i = 0; i < tree->conditions; i++)
        ranges |= not_null_ranges(tree->condition[i], true);
    return ranges;
}

static void reduce(struct join_tree *tree, uint64_t not_null)
{
    if (!tree || tree->leaf)
        return;
    if (tree->join == JOIN_FULL) {
        bool left = not_null & tree_ranges(tree->left), right = not_null & tree_ranges(tree->right);
        if (left && right)
            tree->join = JOIN_INNER;
        else if (left)
            tree->join = JOIN_LEFT;
        else if (right) {
            struct join_tree *was = tree->left;
            tree->left = tree->right;
            tree->right = was;
            tree->join = JOIN_LEFT;
        }
    } else if (tree->join == JOIN_LEFT && (not_null & tree_ranges(tree->right))) {
        tree->join = JOIN_INNER;
    }
    uint64_t own = conditions_not_null(tree);
    switch (tree->join) {
    case JOIN_INNER:
        reduce(tree->left, not_null | own);
        reduce(tree->right, not_null | own);
        break;
    case JOIN_SEMI:
        reduce(tree->left, not_null | own);
        reduce(tree->right, own);
        break;
    case JOIN_LEFT:
    case JOIN_ANTI:
        reduce(tree->left, not_null);
        reduce(tree->right, own);
        break;
    default:
        reduce(tree->left, 0);
        reduce(tree->right, 0);
    }
}

void level_reduce_outer_joins(struct level *level)
{
    reduce(level->tree, 0);
}

/* ---- which columns are needed ---- */

struct wanting {
    struct walk walk;
    struct level *level;
    uint32_t depth;
};

static void want(struct level *level, uint32_t range, int32_t number)
{
    if (number > 0)
        level->wanted[range][number / 64] |= (uint64_t)1 << (number % 64);
    else if (number > -64)
        level->wanted[range][(COLUMNS_MAX + 64) / 64 + 1] |= (uint64_t)1 << -number;
}

static void want_visit(struct walk *walk, struct expression **place)
{
    struct wanting *wanting = (struct wanting *)walk;
    const struct expression *node = *place;
    if ((node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_SYSTEM_COLUMN) &&
        node->level == wanting->depth && node->range < wanting->level->query->ranges)
        want(wanting->level, node->range, node->number);
    walk_expression(walk, *place);
}

static void want_query(struct walk *walk, struct query **place)
{
    struct wanting *wanting = (struct wanting *)walk;
    wanting->depth++;
    walk_query(walk, *place);
    wanting->depth--;
}

static void want_tree(struct wanting *wanting, const struct join_tree *tree)
{
    if (!tree)
        return;
    for (uint32_t i = 0; i < tree->conditions; i++)
        want_visit(&wanting->walk, &tree->condition[i]);
    if (tree->leaf)
        return;
    want_tree(wanting, tree->left);
    want_tree(wanting, tree->right);
}

void level_collect_wanted(struct level *level)
{
    struct planner *planner = level->planner;
    struct query *query = level->query;
    level->wanted = plan_alloc(planner, query->ranges * sizeof *level->wanted);
    level->wants_key = plan_alloc(planner, query->ranges * sizeof *level->wants_key);
    for (uint32_t i = 0; i < query->ranges; i++)
        level->wanted[i] = plan_alloc(planner, ((COLUMNS_MAX + 64) / 64 + 2) * sizeof(uint64_t));
    struct wanting wanting = {.walk = {.expression = want_visit, .query = want_query}, .level = level};
    walk_query(&wanting.walk, query);
    want_tree(&wanting, level->tree);
    for (uint32_t i = 0; i < query->locks; i++) {
        const struct range *range = &query->range[query->lock[i].range];
        level->wants_key[query->lock[i].range] = range->kind == RANGE_RELATION;
    }
}

/* ---- min and max of a whole table ---- */

/* An index that begins with the column, so that its first (or last) entry is the answer. */
static bool begins_index(const struct relation *relation, int32_t number)
{
    if (relation->key_columns > 0 && relation->key_column[0] == number)
        return true;
    for (uint32_t i = 0; i < relation->indexes; i++)
        if (relation->index[i]->valid && !relation->index[i]->predicate_text &&
            relation->index[i]->column[0] == number)
            return true;
    return false;
}

static bool is_extreme(const struct query *query, const struct expression *node, bool *largest)
{
    if (node->kind != EXPRESSION_AGGREGATE || node->level != 0 || node->arguments != 1 || node->filter ||
        node->orders || !node->procedure)
        return false;
    *largest = strcmp(node->procedure->name, "max") == 0;
    const struct expression *column = node->argument[0];
    return (*largest || strcmp(node->procedure->name, "min") == 0) && column->kind == EXPRESSION_COLUMN &&
           column->level == 0 && column->number > 0 &&
           begins_index(query->range[column->range].relation, column->number);
}

/* SELECT min(a) FROM t   as   SELECT (SELECT a FROM t WHERE a IS NOT NULL ORDER BY a LIMIT 1) */
static struct expression *first_of(struct planner *planner, const struct query *query,
                                   const struct expression *node, bool largest)
{
    struct scope *scope = planner->scope;
    const struct expression *column = node->argument[0];
    struct query *sub = plan_alloc(planner, sizeof *sub);
    *sub = (struct query){.kind = QUERY_SELECT,
                          .ranges = query->ranges,
                          .range = query->range,
                          .froms = query->froms,
                          .from = query->from,
                          .targets = 1,
                          .orders = 1};
    sub->target = plan_alloc(planner, sizeof *sub->target);
    sub->target[0] = (struct target){.expression = (struct expression *)column, .name = "extreme"};
    sub->order = plan_alloc(planner, sizeof *sub->order);
    sub->order[0] = (struct sort_key){.descending = largest,
                                      .nulls_first = largest,
                                      .equality = catalog_comparison(column->type->oid, 3),
                                      .less = catalog_comparison(column->type->oid, largest ? 5 : 1)};
    struct expression *test = expression_make(scope, EXPRESSION_TEST, type_builtin(TYPE_BOOL));
    test->test = TEST_NOT_NULL;
    test->arguments = 1;
    test->argument = plan_alloc(planner, sizeof *test->argument);
    test->argument[0] = (struct expression *)column;
    sub->where = test;
    sub->limit = expression_constant(scope, type_builtin(TYPE_INT8), value_integer(1));
    struct expression *subquery = expression_make(scope, EXPRESSION_SUBQUERY, node->type);
    subquery->subquery_kind = SUBQUERY_SCALAR;
    subquery->query = sub;
    return subquery;
}

void planner_extremes(struct planner *planner, struct query *query)
{
    if (!query->has_aggregates || query->groups || query->grouping_sets || query->having || query->where ||
        query->froms != 1 || query->from[0]->kind != FROM_RANGE || query->has_windows ||
        query->has_set_calls || query->distinct || query->distinct_on || query->locks || query->set ||
        query->orders)
        return;
    const struct range *range = &query->range[query->from[0]->range];
    if (range->kind != RANGE_RELATION || range->sample_percent)
        return;
    bool largest;
    for (uint32_t i = 0; i < query->targets; i++)
        if (!is_extreme(query, query->target[i].expression, &largest))
            return;
    struct query from = *query;
    for (uint32_t i = 0; i < query->targets; i++) {
        struct expression *node = query->target[i].expression;
        (void)is_extreme(query, node, &largest);
        query->target[i].expression = first_of(planner, &from, node, largest);
    }
    query->has_aggregates = false;
    query->has_subqueries = true;
    query->froms = 0;
    query->ranges = 0;
}
