/* UNION, INTERSECT, EXCEPT (transformSetOperationStmt), and with them the recursive queries of WITH. */
#include "sqlfront/bind/binder.h"

static const char *operation_name(enum set_operation operation)
{
    return operation == SET_UNION ? "UNION" : operation == SET_INTERSECT ? "INTERSECT" : "EXCEPT";
}

/* ---- leaves ---- */

/* The side of a set operation brings its columns to the operation's types: in its own target list where nothing hangs on
 * the old type, else in a query around it. */
static bool needs_cover(const struct query *query)
{
    return query->orders || query->distinct || query->distinct_on || query->groups || query->set ||
           query->has_set_calls || query->limit || query->kind != QUERY_SELECT;
}

static bool cover(struct level *level, uint32_t range)
{
    struct binder *binder = level->binder;
    struct level *around = level_open(binder, level);
    struct query *inner = level->query->range[range].query;
    uint32_t inside;
    if (!range_subquery_add(around, inner, NULL, false, &inside))
        return false;
    around->query->range[inside].name = "*SELECT*";
    from_add(around, from_range(around, inside));
    const struct space *space = space_add(around, inside, false, true);
    for (uint32_t i = 0; i < space->columns; i++)
        if (!target_add(around, space->column[i], space->names[i], false))
            return false;
    /* What the covered query says of queries above is one level further now. */
    level->query->range[range].query = around->query;
    return true;
}

struct deeper {
    struct binder *binder;
};

/* Columns, aggregates and CTEs above the covered query. */
static struct expression *deepen(void *argument, const struct expression *node, uint32_t depth)
{
    struct deeper *deeper = argument;
    if (node->kind != EXPRESSION_COLUMN && node->kind != EXPRESSION_WHOLE_ROW &&
        node->kind != EXPRESSION_SYSTEM_COLUMN)
        return NULL;
    if (node->level <= depth)
        return NULL;
    struct expression *made = scope_copy(deeper->binder->scope, node, sizeof *made);
    made->level++;
    return made;
}

static void commons_deepen(struct query *query, uint32_t depth)
{
    for (uint32_t i = 0; i < query->ranges; i++) {
        if (query->range[i].kind == RANGE_COMMON && query->range[i].common_level > depth)
            query->range[i].common_level++;
        if (query->range[i].query)
            commons_deepen(query->range[i].query, depth + 1);
    }
}

static bool leaf_cast(struct level *level, uint32_t range, const struct type **types)
{
    struct binder *binder = level->binder;
    struct query *query = level->query->range[range].query;
    bool differs = false;
    for (uint32_t i = 0, at = 0; i < query->targets; i++) {
        if (query->target[i].hidden)
            continue;
        differs |= query->target[i].expression->type->oid != types[at]->oid &&
                   !expression_is_unknown(query->target[i].expression);
        at++;
    }
    if (differs && needs_cover(query)) {
        struct deeper deeper = {.binder = binder};
        level->query->range[range].query = query_map(binder->scope, query, deepen, &deeper);
        commons_deepen(level->query->range[range].query, 0);
        if (!cover(level, range))
            return false;
        query = level->query->range[range].query;
    }
    struct range *leaf = &level->query->range[range];
    for (uint32_t i = 0, at = 0; i < query->targets; i++) {
        struct target *target = &query->target[i];
        if (target->hidden)
            continue;
        if (!(target->expression = coerce_to_common(level, target->expression, types[at], "UNION")))
            return false;
        leaf->column[at].type = types[at];
        leaf->column[at].modifier = target->expression->modifier;
        leaf->column[at].collation = collation_of_type(types[at]);
        at++;
    }
    return true;
}

static bool tree_cast(struct level *level, struct set_tree *tree, const struct type **types)
{
    if (tree->operation == 0)
        return leaf_cast(level, tree->range, types);
    bool same = true;
    for (uint32_t i = 0; i < tree->columns; i++)
        same &= tree->types[i]->oid == types[i]->oid;
    if (same)
        return true;
    for (uint32_t i = 0; i < tree->columns; i++) {
        tree->types[i] = types[i];
        tree->equality[i] = type_comparison(level->binder, types[i], 3);
    }
    return tree_cast(level, tree->left, types) && tree_cast(level, tree->right, types);
}

/* ---- the tree ---- */

/* Columns of a side, as far as its types go: literals of a leaf show themselves, for their type is open. */
static struct expression **side_columns(struct level *level, const struct set_tree *tree)
{
    struct binder *binder = level->binder;
    struct expression **columns = memory(binder, (tree->columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < tree->columns; i++) {
        if (tree->operation == 0) {
            columns[i] = query_column(level->query->range[tree->range].query, i)->expression;
        } else {
            columns[i] = expression_make(binder->scope, EXPRESSION_CONSTANT, tree->types[i]);
            columns[i]->constant = value_null();
        }
    }
    return columns;
}

static int32_t side_position(struct level *level, const struct set_tree *tree)
{
    while (tree->operation)
        tree = tree->left;
    const struct query *query = level->query->range[tree->range].query;
    return query_columns(query) ? expression_position(query_column(query, 0)->expression) : -1;
}

static struct set_tree *leaf_bind(struct level *level, const SelectStmt *select)
{
    struct binder *binder = level->binder;
    struct set_tree *leaf = memory(binder, sizeof *leaf);
    struct query *query = query_bind(binder, level, (const Node *)select, true);
    if (!query)
        return NULL;
    if (!range_subquery_add(level, query, NULL, false, &leaf->range))
        return NULL;
    struct text name = text_in(binder->scope);
    text_format(&name, "*SELECT* %u", leaf->range + 1);
    if (text_end(&name, &level->query->range[leaf->range].name, binder->error))
        return NULL;
    leaf->columns = query_columns(query);
    return leaf;
}

static int32_t column_position(struct level *level, const struct set_tree *tree, uint32_t column)
{
    while (tree->operation)
        tree = tree->left;
    const struct expression *expression =
        query_column(level->query->range[tree->range].query, column)->expression;
    while (expression->cast_implicit && expression->arguments)
        expression = expression->argument[0];
    return expression_position(expression);
}

/* The left side of WITH RECURSIVE's UNION says what columns there are. */
static bool recursive_begin(struct level *level, const struct set_tree *left)
{
    struct binder *binder = level->binder;
    struct common_item *self = level->self;
    struct expression **columns = side_columns(level, left);
    const struct set_tree *leftmost = left;
    while (leftmost->operation)
        leftmost = leftmost->left;
    struct query *first = level->query->range[leftmost->range].query;
    struct query shape = {.kind = QUERY_SELECT};
    shape.target = memory(binder, (left->columns + 1) * sizeof *shape.target);
    shape.targets = left->columns;
    for (uint32_t i = 0; i < left->columns; i++)
        shape.target[i] = (struct target){.expression = columns[i], .name = query_column(first, i)->name};
    self->state = COMMON_RIGHT;
    return common_columns_set(binder, self->node, self->common, &shape);
}

static bool recursive_end(struct level *level, const struct set_tree *tree)
{
    struct binder *binder = level->binder;
    const struct common *common = level->self->common;
    level->self->state = COMMON_LEFT;
    if (!common->recursive)
        return true;
    if (tree->operation != SET_UNION) {
        fail(binder, SQLSTATE_INVALID_RECURSION, level->self->node->location,
             "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term",
             common->name);
        return false;
    }
    for (uint32_t i = 0; i < tree->columns; i++)
        if (tree->types[i]->oid != common->column[i].type->oid) {
            fail(binder, SQLSTATE_DATATYPE_MISMATCH, column_position(level, tree->left, i),
                 "recursive query \"%s\" column %u has type %s in non-recursive term but type %s overall",
                 common->name, i + 1, type_name(binder, common->column[i].type),
                 type_name(binder, tree->types[i]));
            fail_hint(binder, "Cast the output of the non-recursive term to the correct type.");
            return false;
        }
    return true;
}

static bool types_settle(struct level *level, struct set_tree *tree)
{
    struct binder *binder = level->binder;
    const char *name = operation_name(tree->operation);
    struct expression **left = side_columns(level, tree->left), **right = side_columns(level, tree->right);
    if (tree->left->columns != tree->right->columns) {
        fail(binder, SQLSTATE_SYNTAX_ERROR, side_position(level, tree->right),
             "each %s query must have the same number of columns", name);
        return false;
    }
    tree->columns = tree->left->columns;
    tree->types = memory(binder, (tree->columns + 1) * sizeof *tree->types);
    tree->equality = memory(binder, (tree->columns + 1) * sizeof *tree->equality);
    for (uint32_t i = 0; i < tree->columns; i++) {
        struct expression *pair[2] = {left[i], right[i]};
        bool failed;
        if (!(tree->types[i] = common_type(binder, pair, 2, name, &failed)))
            return false;
        for (int side = 0; side < 2; side++)
            if (!can_coerce(binder, 1, &pair[side]->type->oid, &tree->types[i]->oid, COERCE_IMPLICIT_ONLY)) {
                fail(binder, SQLSTATE_CANNOT_COERCE, expression_position(pair[side]),
                     "%s could not convert type %s to %s", name, type_name(binder, pair[side]->type),
                     type_name(binder, tree->types[i]));
                return false;
            }
        tree->equality[i] = type_comparison(binder, tree->types[i], 3);
        if (!tree->equality[i] && !(tree->operation == SET_UNION && tree->all)) {
            fail(binder, SQLSTATE_UNDEFINED_FUNCTION, expression_position(pair[0]),
                 "could not identify an equality operator for type %s", type_name(binder, tree->types[i]));
            return false;
        }
    }
    return tree_cast(level, tree->left, tree->types) && tree_cast(level, tree->right, tree->types);
}

static struct set_tree *tree_bind(struct level *level, const SelectStmt *select, bool top)
{
    struct binder *binder = level->binder;
    if (!stack_suffices(binder))
        return NULL;
    if (select->intoClause)
        return fail(binder, SQLSTATE_SYNTAX_ERROR, select->intoClause->rel->location,
                    "INTO is only allowed on first SELECT of UNION/INTERSECT/EXCEPT");
    bool own_clauses = !top && (select->sortClause || select->limitOffset || select->limitCount ||
                                select->lockingClause || select->withClause);
    if (select->op == SETOP_NONE || own_clauses)
        return leaf_bind(level, select);
    struct set_tree *tree = memory(binder, sizeof *tree);
    tree->operation = select->op == SETOP_UNION       ? SET_UNION
                      : select->op == SETOP_INTERSECT ? SET_INTERSECT
                                                      : SET_EXCEPT;
    tree->all = select->all;
    if (!(tree->left = tree_bind(level, select->larg, false)))
        return NULL;
    if (top && level->self && !recursive_begin(level, tree->left))
        return NULL;
    if (!(tree->right = tree_bind(level, select->rarg, false)))
        return NULL;
    if (top && level->self && tree->right->operation == 0 &&
        !recursion_check(level, level->query->range[tree->right->range].query, level->self))
        return NULL;
    if (!types_settle(level, tree))
        return NULL;
    if (top && level->self && !recursive_end(level, tree))
        return NULL;
    return tree;
}

/* ---- the whole ---- */

static bool result_targets(struct level *level, const struct set_tree *tree, struct space *names)
{
    struct binder *binder = level->binder;
    const struct set_tree *leftmost = tree;
    while (leftmost->operation)
        leftmost = leftmost->left;
    const struct range *range = &level->query->range[leftmost->range];
    names->columns = tree->columns;
    names->range = leftmost->range;
    names->columns_visible = true;
    names->names = memory(binder, (tree->columns + 1) * sizeof(char *));
    names->column = memory(binder, (tree->columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < tree->columns; i++) {
        /* Of the leaves' modifier only what all agree on; telling that from here is not worth a walk for more than two. */
        int32_t modifier = -1;
        if (tree->left->operation == 0 && tree->right->operation == 0) {
            const struct range *right = &level->query->range[tree->right->range];
            modifier =
                range->column[i].modifier == right->column[i].modifier ? range->column[i].modifier : -1;
        }
        struct expression *column =
            expression_column(binder->scope, leftmost->range, (int32_t)i + 1, tree->types[i], modifier,
                              collation_of_type(tree->types[i]));
        column->position = query_column(range->query, i)->expression->position;
        names->names[i] = range->column[i].name;
        names->column[i] = column;
        if (!target_add(level, column, range->column[i].name, false))
            return false;
    }
    return true;
}

static bool set_order_bind(struct level *level, const SelectStmt *select, struct space *names)
{
    struct query *query = level->query;
    uint32_t before = query->targets;
    space_push(level, names);
    if (!sort_bind(level, select->sortClause, &query->order, &query->orders, PLACE_ORDER_BY, false))
        return false;
    level->spaces--;
    if (query->targets == before)
        return true;
    fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, expression_position(query->target[before].expression),
         "invalid UNION/INTERSECT/EXCEPT ORDER BY clause");
    fail_detail(level->binder, "Only result column names can be used, not expressions or functions.");
    fail_hint(level->binder,
              "Add the expression/function to every SELECT, or move the UNION into a FROM clause.");
    return false;
}

/* What a recursive query may not have around its UNION. */
static bool recursion_plain(struct level *level, const SelectStmt *select)
{
    if (!level->self || !level->self->common->recursive)
        return true;
    const Node *node = select->sortClause      ? (const Node *)select->sortClause
                       : select->limitOffset   ? select->limitOffset
                       : select->limitCount    ? select->limitCount
                       : select->lockingClause ? (const Node *)select->lockingClause
                                               : NULL;
    if (!node)
        return true;
    fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, node_position(node),
         "%s in a recursive query is not implemented",
         select->sortClause    ? "ORDER BY"
         : select->limitOffset ? "OFFSET"
         : select->limitCount  ? "LIMIT"
                               : "FOR UPDATE/SHARE");
    return false;
}

bool set_bind(struct level *level, const SelectStmt *select)
{
    struct query *query = level->query;
    if (select->lockingClause) {
        fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1,
             "FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT");
        return false;
    }
    if (select->withClause && !commons_bind(level, select->withClause))
        return false;
    if (!(query->set = tree_bind(level, select, true)))
        return false;
    struct space *names = memory(level->binder, sizeof *names);
    if (!recursion_plain(level, select) || !result_targets(level, query->set, names) ||
        !set_order_bind(level, select, names))
        return false;
    if (select->limitOffset &&
        !(query->offset = limit_bind(level, select->limitOffset, PLACE_OFFSET, "OFFSET", false)))
        return false;
    bool ties = (int)select->limitOption == TREE_LIMIT_OPTION_WITH_TIES;
    if (select->limitCount &&
        !(query->limit = limit_bind(level, select->limitCount, PLACE_LIMIT, "LIMIT", ties)))
        return false;
    query->with_ties = ties && query->limit;
    return true;
}
