/* WITH (parse_cte.c). Items of WITH RECURSIVE are bound when they are first named, so that each stands behind what it reads;
 * an item that is named while it is being bound is recursive. */
#include "sqlfront/algebra/walk.h"
#include "sqlfront/bind/binder.h"

bool common_columns_set(struct binder *binder, const CommonTableExpr *node, struct common *common,
                        const struct query *query)
{
    uint32_t columns = query_columns(query), given = (uint32_t)list_length(node->aliascolnames);
    common->columns = columns;
    common->column = memory(binder, (columns + 1) * sizeof *common->column);
    if (given > columns) {
        fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, node->location,
             "WITH query \"%s\" has %u columns available but %u columns specified", common->name, columns,
             given);
        return false;
    }
    for (uint32_t i = 0; i < columns; i++) {
        const struct target *target = query_column(query, i);
        const struct type *type = target->expression->type;
        const char *name = i < given ? node_string(list_nth(node->aliascolnames, (int)i)) : target->name;
        if (type->oid == TYPE_UNKNOWN)
            type = builtin(TYPE_TEXT);
        common->column[i] = (struct range_column){.name = scope_copy_text(binder->scope, name),
                                                  .type = type,
                                                  .modifier = target->expression->modifier,
                                                  .collation = collation_of_type(type)};
    }
    return true;
}

static bool item_bind(struct level *level, struct common_item *item)
{
    struct binder *binder = level->binder;
    const CommonTableExpr *node = item->node;
    struct query *query = level->query;
    bool modifies = !IsA(node->ctequery, SelectStmt);
    if (node->search_clause || node->cycle_clause) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, node->location, "%s clauses are not supported",
             node->search_clause ? "SEARCH" : "CYCLE");
        return false;
    }
    if (modifies && level->above) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, node->location,
             "WITH clause containing a data-modifying statement must be at the top level");
        return false;
    }
    query->has_modifying_common |= modifies;
    item->state = COMMON_LEFT;
    item->begun = ++level->commons_begun;
    struct level *inner = level_open(binder, level);
    inner->self = item;
    const SelectStmt *select = modifies ? NULL : (const SelectStmt *)node->ctequery;
    bool bound;
    if (modifies) {
        struct query *made = query_bind(binder, level, node->ctequery, false);
        bound = made != NULL;
        inner->query = made;
    } else if (select->op != SETOP_NONE) {
        bound = set_bind(inner, select);
    } else {
        inner->self = NULL;
        bound = select->valuesLists ? values_bind(inner, select) : select_bind(inner, select);
    }
    if (!bound)
        return false;
    if (item->common->recursive && item->itself > 1) {
        fail(binder, SQLSTATE_INVALID_RECURSION, item->named,
             "recursive reference to query \"%s\" must not appear more than once", item->common->name);
        return false;
    }
    item->common->query = inner->query;
    item->state = COMMON_DONE;
    if (!common_columns_set(binder, node, item->common, inner->query))
        return false;
    query->common = list_grow(binder, query->common, query->commons, sizeof(struct common *));
    query->common[query->commons++] = item->common;
    return true;
}

bool commons_bind(struct level *level, const WithClause *with)
{
    struct binder *binder = level->binder;
    uint32_t count = (uint32_t)list_length(with->ctes), at = 0;
    struct common_item **items = memory(binder, (count + 1) * sizeof(struct common_item *));
    const ListCell *cell;
    foreach(cell, with->ctes)
    {
        const CommonTableExpr *node = lfirst(cell);
        struct common_item *item = memory(binder, sizeof *item);
        item->node = node;
        item->common = memory(binder, sizeof *item->common);
        item->common->name = scope_copy_text(binder->scope, node->ctename);
        item->common->materialized = node->ctematerialized == CTEMaterializeAlways  ? 1
                                     : node->ctematerialized == CTEMaterializeNever ? 2
                                                                                    : 0;
        for (uint32_t i = 0; i < at; i++)
            if (strcmp(items[i]->common->name, node->ctename) == 0) {
                fail(binder, SQLSTATE_DUPLICATE_ALIAS, node->location,
                     "WITH query name \"%s\" specified more than once", node->ctename);
                return false;
            }
        items[at++] = item;
    }
    level->common_item = items;
    level->common_items = with->recursive ? count : 0;
    for (uint32_t i = 0; i < count; i++) {
        List future = *with->ctes;
        future.elements += i;
        future.length -= (int)i;
        level->future_commons = with->recursive ? NULL : &future;
        if (items[i]->state == COMMON_WAITING && !item_bind(level, items[i]))
            return false;
        level->future_commons = NULL;
        if (!with->recursive)
            level->common_items = i + 1;
    }
    return true;
}

/* Naming an item that is being bound is recursion, but only within itself. */
static bool innermost(struct level *owner, const struct common_item *item)
{
    for (uint32_t i = 0; i < owner->common_items; i++) {
        const struct common_item *other = owner->common_item[i];
        if (other->begun > item->begun && (other->state == COMMON_LEFT || other->state == COMMON_RIGHT)) {
            fail(owner->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, item->node->location,
                 "mutual recursion between WITH items is not implemented");
            return false;
        }
    }
    return true;
}

static bool item_use(struct level *owner, struct common_item *item, int32_t position)
{
    struct binder *binder = owner->binder;
    switch (item->state) {
    case COMMON_WAITING:
        return item_bind(owner, item);
    case COMMON_LEFT: {
        const Node *query = item->node->ctequery;
        bool union_form = IsA(query, SelectStmt) && ((const SelectStmt *)query)->op == SETOP_UNION;
        if (!innermost(owner, item))
            return false;
        if (union_form)
            fail(binder, SQLSTATE_INVALID_RECURSION, position,
                 "recursive reference to query \"%s\" must not appear within its non-recursive term",
                 item->common->name);
        else
            fail(
                binder, SQLSTATE_INVALID_RECURSION, item->node->location,
                "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term",
                item->common->name);
        return false;
    }
    case COMMON_RIGHT:
        item->itself++;
        item->named = position;
        return innermost(owner, item);
    default:
        return true;
    }
}

bool common_find(struct level *level, const char *name, int32_t position, struct common **found, uint32_t *up)
{
    *found = NULL;
    *up = 0;
    for (struct level *at = level; at; at = at->above, ++*up)
        for (uint32_t i = 0; i < at->common_items; i++) {
            if (strcmp(at->common_item[i]->common->name, name) != 0)
                continue;
            if (!item_use(at, at->common_item[i], position))
                return false;
            *found = at->common_item[i]->common;
            return true;
        }
    return true;
}

/* ---- where recursion may be ---- */

struct self_search {
    struct walk walk;
    const struct common *common;
    int32_t aggregate; /* position of the first one; -1 = none */
    bool found;
};

static void search_expression(struct walk *walk, struct expression **place)
{
    struct self_search *search = (struct self_search *)walk;
    if ((*place)->kind == EXPRESSION_AGGREGATE && search->aggregate < 0)
        search->aggregate = (*place)->position;
    walk_expression(walk, *place);
}

static void search_query(struct walk *walk, struct query **place)
{
    struct self_search *search = (struct self_search *)walk;
    for (uint32_t i = 0; i < (*place)->ranges; i++)
        search->found |= (*place)->range[i].common == search->common;
    walk_query(walk, *place);
}

/* Subqueries of expressions only: those of FROM are places like any other. */
static bool in_expressions(const struct query *query, const struct common *common, int32_t *aggregate)
{
    struct self_search search = {
        .walk = {.expression = search_expression, .query = search_query}, .common = common, .aggregate = -1};
    for (uint32_t i = 0; i < query->targets; i++)
        search_expression(&search.walk, &query->target[i].expression);
    struct expression *rest[] = {query->where, query->having};
    for (int i = 0; i < 2; i++)
        if (rest[i])
            search_expression(&search.walk, &rest[i]);
    *aggregate = search.aggregate;
    return search.found;
}

static bool in_nullable(const struct query *query, const struct from *from, const struct common *common,
                        bool nullable)
{
    if (from->kind == FROM_RANGE)
        return nullable && query->range[from->range].common == common;
    return in_nullable(query, from->left, common,
                       nullable || from->join == JOIN_RIGHT || from->join == JOIN_FULL) ||
           in_nullable(query, from->right, common,
                       nullable || from->join == JOIN_LEFT || from->join == JOIN_FULL);
}

bool recursion_check(struct level *level, const struct query *query, const struct common_item *item)
{
    struct binder *binder = level->binder;
    const struct common *common = item->common;
    int32_t aggregate;
    bool itself = false;
    for (uint32_t i = 0; i < query->ranges; i++)
        itself |= query->range[i].common == common;
    if (in_expressions(query, common, &aggregate)) {
        fail(binder, SQLSTATE_INVALID_RECURSION, item->named,
             "recursive reference to query \"%s\" must not appear within a subquery", common->name);
        return false;
    }
    if (itself && query->has_aggregates) {
        fail(binder, SQLSTATE_INVALID_RECURSION, aggregate,
             "aggregate functions are not allowed in a recursive query's recursive term");
        return false;
    }
    for (uint32_t i = 0; i < query->froms; i++)
        if (in_nullable(query, query->from[i], common, false)) {
            fail(binder, SQLSTATE_INVALID_RECURSION, item->named,
                 "recursive reference to query \"%s\" must not appear within an outer join", common->name);
            return false;
        }
    return true;
}
