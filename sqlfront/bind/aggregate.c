/* Aggregates and GROUPING (parse_agg.c): which query they belong to, where they may stand, and that nothing ungrouped is left
 * outside of them. */
#include "sqlfront/algebra/walk.h"
#include "sqlfront/bind/binder.h"

const char *place_name(enum place place)
{
    switch (place) {
    case PLACE_JOIN_ON:
        return "JOIN conditions";
    case PLACE_FROM_FUNCTION:
        return "functions in FROM";
    case PLACE_WHERE:
        return "WHERE";
    case PLACE_HAVING:
        return "HAVING";
    case PLACE_FILTER:
        return "FILTER";
    case PLACE_WINDOW_PARTITION:
    case PLACE_WINDOW_ORDER:
        return "window definitions";
    case PLACE_WINDOW_FRAME_RANGE:
        return "window RANGE";
    case PLACE_WINDOW_FRAME_ROWS:
        return "window ROWS";
    case PLACE_WINDOW_FRAME_GROUPS:
        return "window GROUPS";
    case PLACE_SELECT_TARGET:
        return "SELECT";
    case PLACE_INSERT_TARGET:
        return "INSERT";
    case PLACE_UPDATE_SOURCE:
    case PLACE_UPDATE_TARGET:
        return "UPDATE";
    case PLACE_MERGE_WHEN:
        return "MERGE WHEN conditions";
    case PLACE_GROUP_BY:
        return "GROUP BY";
    case PLACE_ORDER_BY:
        return "ORDER BY";
    case PLACE_DISTINCT_ON:
        return "DISTINCT ON";
    case PLACE_LIMIT:
        return "LIMIT";
    case PLACE_OFFSET:
        return "OFFSET";
    case PLACE_RETURNING:
        return "RETURNING";
    case PLACE_VALUES:
    case PLACE_VALUES_SINGLE:
        return "VALUES";
    case PLACE_CHECK:
        return "check constraints";
    case PLACE_DEFAULT:
    case PLACE_FUNCTION_DEFAULT:
        return "DEFAULT expressions";
    case PLACE_INDEX:
        return "index expressions";
    case PLACE_INDEX_PREDICATE:
        return "index predicates";
    case PLACE_ALTER_TYPE:
        return "transform expressions";
    case PLACE_GENERATED:
        return "column generation expressions";
    default:
        return "this context";
    }
}

/* ---- whose aggregate it is ---- */

struct levels {
    struct walk walk;
    uint32_t depth;
    int64_t columns, aggregates; /* the lowest levels found; -1 = none */
    bool windows;
    int32_t window_position, aggregate_position;
};

static void lower(int64_t *lowest, uint32_t level, uint32_t depth)
{
    if (level >= depth && (*lowest < 0 || level - depth < *lowest))
        *lowest = level - depth;
}

static void levels_visit(struct walk *walk, struct expression **place)
{
    struct levels *levels = (struct levels *)walk;
    const struct expression *node = *place;
    switch (node->kind) {
    case EXPRESSION_COLUMN:
    case EXPRESSION_WHOLE_ROW:
    case EXPRESSION_SYSTEM_COLUMN:
        lower(&levels->columns, node->level, levels->depth);
        break;
    case EXPRESSION_AGGREGATE:
    case EXPRESSION_GROUPING:
        lower(&levels->aggregates, node->level, levels->depth);
        if (levels->aggregate_position < 0)
            levels->aggregate_position = node->position;
        break;
    case EXPRESSION_WINDOW:
        if (levels->depth == 0 && !levels->windows) {
            levels->windows = true;
            levels->window_position = node->position;
        }
        break;
    default:
        break;
    }
    walk_expression(walk, *place);
}

static void levels_visit_query(struct walk *walk, struct query **place)
{
    struct levels *levels = (struct levels *)walk;
    levels->depth++;
    walk_query(walk, *place);
    levels->depth--;
}

static bool aggregate_allowed(struct level *level, bool grouping, int32_t position)
{
    struct binder *binder = level->binder;
    const char *what = grouping ? "grouping operations" : "aggregate functions";
    switch (level->place) {
    case PLACE_OTHER:
    case PLACE_HAVING:
    case PLACE_WINDOW_PARTITION:
    case PLACE_WINDOW_ORDER:
    case PLACE_SELECT_TARGET:
    case PLACE_ORDER_BY:
    case PLACE_DISTINCT_ON:
        return true;
    case PLACE_FROM_SUBSELECT:
        fail(binder, SQLSTATE_GROUPING_ERROR, position,
             "%s are not allowed in FROM clause of their own query level", what);
        return false;
    default:
        fail(binder, SQLSTATE_GROUPING_ERROR, position, "%s are not allowed in %s", what,
             place_name(level->place));
        return false;
    }
}

/* Sets `level` of the node: that of the lowest column in it (check_agglevels_and_constraints). */
static bool level_settle(struct level *level, struct expression *node)
{
    struct binder *binder = level->binder;
    struct levels levels = {.walk = {.expression = levels_visit, .query = levels_visit_query},
                            .columns = -1,
                            .aggregates = -1,
                            .window_position = -1,
                            .aggregate_position = -1};
    walk_expression(&levels.walk, node);
    if (levels.windows) {
        fail(binder, SQLSTATE_GROUPING_ERROR, levels.window_position,
             "aggregate function calls cannot contain window function calls");
        return false;
    }
    int64_t lowest = levels.columns < 0                                            ? levels.aggregates
                     : levels.aggregates < 0 || levels.columns < levels.aggregates ? levels.columns
                                                                                   : levels.aggregates;
    if (lowest >= 0 && lowest == levels.aggregates) {
        fail(binder, SQLSTATE_GROUPING_ERROR, levels.aggregate_position,
             "aggregate function calls cannot be nested");
        return false;
    }
    node->level = lowest < 0 ? 0 : (uint32_t)lowest;
    struct level *owner = level;
    for (uint32_t up = 0; up < node->level && owner->above; up++)
        owner = owner->above;
    if (!aggregate_allowed(owner, node->kind == EXPRESSION_GROUPING, node->position))
        return false;
    if (node->kind == EXPRESSION_AGGREGATE)
        owner->query->has_aggregates = true;
    else
        owner->has_grouping = true;
    return true;
}

/* rank(3) WITHIN GROUP (ORDER BY x): 3 becomes what x is, or both something common. */
static bool hypothetical_unify(struct level *level, struct expression *aggregate, uint32_t direct)
{
    struct binder *binder = level->binder;
    uint32_t ordered = aggregate->arguments - direct;
    if (direct != ordered) {
        fail(binder, SQLSTATE_UNDEFINED_FUNCTION, aggregate->position, "function %s does not exist",
             aggregate->procedure->name);
        fail_hint(
            binder,
            "To use the hypothetical-set aggregate %s, the number of hypothetical direct arguments (here %u) "
            "must match the number of ordering columns (here %u).",
            aggregate->procedure->name, direct, ordered);
        return false;
    }
    for (uint32_t i = 0; i < direct; i++) {
        struct expression *pair[2] = {aggregate->argument[direct + i], aggregate->argument[i]};
        bool failed;
        const struct type *type = common_type(binder, pair, 2, "WITHIN GROUP", &failed);
        if (!type || !(pair[0] = coerce_to_common(level, pair[0], type, "WITHIN GROUP")) ||
            !(pair[1] = coerce_to_common(level, pair[1], type, "WITHIN GROUP")))
            return false;
        aggregate->argument[direct + i] = pair[0];
        aggregate->argument[i] = pair[1];
    }
    return true;
}

static bool within_group_bind(struct level *level, struct expression *aggregate, const FuncCall *call,
                              uint32_t direct)
{
    struct binder *binder = level->binder;
    uint32_t ordered = aggregate->arguments - direct;
    if (aggregate->procedure->aggregate_kind == 'h' && !hypothetical_unify(level, aggregate, direct))
        return false;
    aggregate->order = memory(binder, (ordered + 1) * sizeof *aggregate->order);
    for (uint32_t i = 0; i < ordered; i++) {
        struct expression *argument = aggregate->argument[direct + i];
        if (expression_is_unknown(argument) && !(argument = coerce(level, argument, builtin(TYPE_TEXT), -1,
                                                                   COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1)))
            return false;
        aggregate->argument[direct + i] = argument;
        const SortBy *by = list_nth(call->agg_order, (int)i);
        if (!sort_key_of(binder, argument, by, argument->position, &aggregate->order[i]))
            return false;
        aggregate->order[i].expression = argument;
    }
    aggregate->orders = ordered;
    return true;
}

struct expression *aggregate_finish(struct level *level, struct expression *aggregate, const FuncCall *call,
                                    uint32_t direct)
{
    struct binder *binder = level->binder;
    aggregate->distinct = call && call->agg_distinct;
    if (call && call->agg_within_group) {
        if (!within_group_bind(level, aggregate, call, direct))
            return NULL;
    } else if (call && call->agg_order && !aggregate_order_bind(level, call->agg_order, aggregate)) {
        return NULL;
    }
    for (uint32_t i = 0; aggregate->distinct && i < aggregate->arguments; i++) {
        if (type_comparison(binder, aggregate->argument[i]->type, 3))
            continue;
        return fail(binder, SQLSTATE_UNDEFINED_FUNCTION, expression_position(aggregate->argument[i]),
                    "could not identify an equality operator for type %s",
                    type_name(binder, aggregate->argument[i]->type));
    }
    for (uint32_t i = 0; aggregate->distinct && i < aggregate->orders; i++) {
        bool listed = false;
        for (uint32_t k = 0; k < aggregate->arguments; k++)
            listed |= expression_equal(aggregate->order[i].expression, aggregate->argument[k]);
        if (!listed)
            return fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE,
                        expression_position(aggregate->order[i].expression),
                        "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list");
    }
    if (call && call->agg_filter &&
        !(aggregate->filter = where_bind(level, call->agg_filter, PLACE_FILTER, "FILTER")))
        return NULL;
    for (uint32_t i = 0; i < aggregate->arguments; i++)
        if (expression_facts(aggregate->argument[i]) & FACT_SET_CALL) {
            fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, expression_position(aggregate->argument[i]),
                 "aggregate function calls cannot contain set-returning function calls");
            fail_hint(binder,
                      "You might be able to move the set-returning function into a LATERAL FROM item.");
            return NULL;
        }
    if (!level_settle(level, aggregate))
        return NULL;
    if (!aggregate->aggregate)
        return fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, aggregate->position,
                    "aggregate function %s is not supported for these types", aggregate->procedure->name);
    return aggregate;
}

struct expression *grouping_bind(struct level *level, const GroupingFunc *node)
{
    struct binder *binder = level->binder;
    struct expression *made = make(binder, EXPRESSION_GROUPING, builtin(TYPE_INT4), node->location);
    const ListCell *cell;
    if (list_length(node->args) > 31)
        return fail(binder, SQLSTATE_TOO_MANY_ARGUMENTS, node->location,
                    "GROUPING must have fewer than 32 arguments");
    foreach(cell, node->args)
    {
        struct expression *argument = node_bind(level, lfirst(cell));
        if (!argument)
            return NULL;
        argument_add(binder, made, argument);
    }
    return level_settle(level, made) ? made : NULL;
}

/* ---- nothing ungrouped ---- */

struct ungrouped {
    struct walk walk;
    struct level *level;
    uint32_t depth;
    bool failed;
};

static const struct expression *key_expression(const struct query *query, const struct sort_key *key)
{
    return key->expression ? key->expression : query->target[key->target].expression;
}

/* Whether the key is in all grouping sets (for a plain GROUP BY: yes). */
static bool key_common(const struct query *query, uint32_t key)
{
    for (uint32_t i = 0; i < query->grouping_sets; i++) {
        bool there = false;
        for (uint32_t k = 0; k < query->grouping_set[i].keys; k++)
            there |= query->grouping_set[i].key[k] == key;
        if (!there)
            return false;
    }
    return true;
}

static bool column_grouped(const struct query *query, uint32_t range, int32_t number, bool common)
{
    for (uint32_t i = 0; i < query->groups; i++) {
        const struct expression *grouped = key_expression(query, &query->group[i]);
        if (grouped->kind == EXPRESSION_COLUMN && grouped->level == 0 && grouped->range == range &&
            grouped->number == number && (!common || key_common(query, i)))
            return true;
    }
    return false;
}

/* All columns of the range's primary key are grouped: its other columns have one value in each group. */
static bool key_grouped(const struct query *query, uint32_t range)
{
    const struct relation *relation = query->range[range].relation;
    if (query->range[range].kind != RANGE_RELATION || !relation)
        return false;
    for (uint32_t i = 0; i < relation->constraints; i++) {
        const struct constraint *constraint = &relation->constraint[i];
        bool all =
            constraint->kind == CONSTRAINT_PRIMARY && !constraint->deferrable && constraint->columns > 0;
        for (uint32_t k = 0; all && k < constraint->columns; k++)
            all = column_grouped(query, range, constraint->column[k], true);
        if (all)
            return true;
    }
    return false;
}

static void ungrouped_fail(struct ungrouped *ungrouped, const struct expression *node)
{
    struct binder *binder = ungrouped->level->binder;
    const struct range *range = &ungrouped->level->query->range[node->range];
    const char *column = node->kind == EXPRESSION_WHOLE_ROW ? "*"
                         : node->number > 0 && (uint32_t)node->number <= range->columns
                             ? range->column[node->number - 1].name
                             : "?";
    ungrouped->failed = true;
    if (ungrouped->depth)
        fail(binder, SQLSTATE_GROUPING_ERROR, node->position,
             "subquery uses ungrouped column \"%s.%s\" from outer query", range->name, column);
    else
        fail(binder, SQLSTATE_GROUPING_ERROR, node->position,
             "column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function",
             range->name, column);
}

static bool grouping_checked(struct ungrouped *ungrouped, const struct expression *node)
{
    const struct query *query = ungrouped->level->query;
    for (uint32_t i = 0; i < node->arguments; i++) {
        bool grouped = false;
        for (uint32_t k = 0; k < query->groups; k++)
            grouped |= expression_equal(node->argument[i], key_expression(query, &query->group[k]));
        if (!grouped) {
            ungrouped->failed = true;
            fail(ungrouped->level->binder, SQLSTATE_GROUPING_ERROR, expression_position(node->argument[i]),
                 "arguments to GROUPING must be grouping expressions of the associated query level");
            return false;
        }
    }
    return true;
}

static void ungrouped_visit(struct walk *walk, struct expression **place)
{
    struct ungrouped *ungrouped = (struct ungrouped *)walk;
    struct expression *node = *place;
    const struct query *query = ungrouped->level->query;
    if (ungrouped->failed || node->kind == EXPRESSION_CONSTANT || node->kind == EXPRESSION_PARAMETER)
        return;
    if (node->kind == EXPRESSION_AGGREGATE && node->level == ungrouped->depth) {
        uint32_t direct = node->procedure->aggregate_kind == 'n' ? 0 : node->arguments - node->orders;
        for (uint32_t i = 0; i < direct; i++)
            ungrouped_visit(walk, &node->argument[i]);
        return;
    }
    if (node->kind == EXPRESSION_GROUPING && node->level == ungrouped->depth) {
        grouping_checked(ungrouped, node);
        return;
    }
    if ((node->kind == EXPRESSION_AGGREGATE || node->kind == EXPRESSION_GROUPING) &&
        node->level > ungrouped->depth)
        return;
    for (uint32_t i = 0; ungrouped->depth == 0 && i < query->groups; i++)
        if (expression_equal(node, key_expression(query, &query->group[i])))
            return;
    if ((node->kind == EXPRESSION_COLUMN || node->kind == EXPRESSION_WHOLE_ROW ||
         node->kind == EXPRESSION_SYSTEM_COLUMN) &&
        node->level == ungrouped->depth) {
        if (node->kind == EXPRESSION_COLUMN && column_grouped(query, node->range, node->number, false))
            return;
        if (!key_grouped(query, node->range))
            ungrouped_fail(ungrouped, node);
        return;
    }
    walk_expression(walk, node);
}

static void ungrouped_visit_query(struct walk *walk, struct query **place)
{
    struct ungrouped *ungrouped = (struct ungrouped *)walk;
    ungrouped->depth++;
    walk_query(walk, *place);
    ungrouped->depth--;
}

bool aggregates_check(struct level *level)
{
    struct query *query = level->query;
    if (!query->groups && !query->has_aggregates && !query->having && !query->grouping_sets &&
        !level->has_grouping)
        return true;
    if (level->recursive_common && query->has_aggregates) {
        fail(level->binder, SQLSTATE_INVALID_RECURSION, -1,
             "aggregate functions are not allowed in a recursive query's recursive term");
        return false;
    }
    struct ungrouped ungrouped = {.walk = {.expression = ungrouped_visit, .query = ungrouped_visit_query},
                                  .level = level};
    for (uint32_t i = 0; i < query->targets && !ungrouped.failed; i++)
        ungrouped_visit(&ungrouped.walk, &query->target[i].expression);
    if (query->having && !ungrouped.failed)
        ungrouped_visit(&ungrouped.walk, &query->having);
    for (uint32_t i = 0; i < query->windows && !ungrouped.failed; i++) {
        struct window *window = &query->window[i];
        for (uint32_t k = 0; k < window->partitions; k++)
            if (window->partition[k].expression)
                ungrouped_visit(&ungrouped.walk, &window->partition[k].expression);
        for (uint32_t k = 0; k < window->orders; k++)
            if (window->order[k].expression)
                ungrouped_visit(&ungrouped.walk, &window->order[k].expression);
    }
    return !ungrouped.failed;
}
