/* WHERE, ORDER BY, GROUP BY, DISTINCT, LIMIT (parse_clause.c). */
#include "sqlfront/bind/binder.h"

struct expression *where_bind(struct level *level, const Node *node, enum place place, const char *name)
{
    struct expression *bound = expression_bind(level, node, place);
    return bound ? coerce_to_boolean(level, bound, name) : NULL;
}

/* ---- which target an item means ---- */

static const struct expression *without_implicit(const struct expression *expression)
{
    while (expression->arguments && expression->cast_form && expression->cast_implicit &&
           (expression->kind == EXPRESSION_CALL || expression->kind == EXPRESSION_RELABEL ||
            expression->kind == EXPRESSION_CAST_TEXT || expression->kind == EXPRESSION_CAST_ARRAY))
        expression = expression->argument[0];
    return expression;
}

/* SQL:1999: an expression, which may be that of a target. Gives the target's index. */
static bool find_target_99(struct level *level, const Node *node, enum place place, uint32_t *index)
{
    struct query *query = level->query;
    level->last_set_call = NULL;
    struct expression *bound = expression_bind(level, node, place);
    if (!bound)
        return false;
    for (uint32_t i = 0; i < query->targets; i++)
        if (expression_equal(bound, without_implicit(query->target[i].expression)) ||
            expression_equal(bound, query->target[i].expression)) {
            *index = i;
            return true;
        }
    *index = query->targets;
    return target_add(level, bound, NULL, true) != NULL;
}

static bool target_may_group(struct level *level, uint32_t index, enum place place, int32_t position)
{
    uint32_t facts = expression_facts(level->query->target[index].expression);
    if (place != PLACE_GROUP_BY)
        return true;
    if (facts & FACT_AGGREGATE)
        fail(level->binder, SQLSTATE_GROUPING_ERROR, position,
             "aggregate functions are not allowed in GROUP BY");
    else if (facts & FACT_WINDOW)
        fail(level->binder, SQLSTATE_WINDOWING_ERROR, position,
             "window functions are not allowed in GROUP BY");
    return !(facts & (FACT_AGGREGATE | FACT_WINDOW));
}

/* SQL:1992: the name or the number of a target; else as above. */
static bool find_target_92(struct level *level, const Node *node, enum place place, uint32_t *index)
{
    struct binder *binder = level->binder;
    const struct query *query = level->query;
    if (IsA(node, ColumnRef) && list_length(((const ColumnRef *)node)->fields) == 1 &&
        IsA(linitial(((const ColumnRef *)node)->fields), String)) {
        const char *name = node_string(linitial(((const ColumnRef *)node)->fields));
        int32_t position = ((const ColumnRef *)node)->location;
        struct expression *column = NULL;
        if (place == PLACE_GROUP_BY && !column_find(level, name, position, &column))
            return false;
        uint32_t found = UINT32_MAX;
        for (uint32_t i = 0; !column && i < query->targets; i++) {
            const struct target *target = &query->target[i];
            if (target->hidden || !target->name || strcmp(target->name, name) != 0)
                continue;
            if (found != UINT32_MAX &&
                !expression_equal(query->target[found].expression, target->expression)) {
                fail(binder, SQLSTATE_AMBIGUOUS_COLUMN, position, "%s \"%s\" is ambiguous", place_name(place),
                     name);
                return false;
            }
            if (found == UINT32_MAX)
                found = i;
        }
        if (found != UINT32_MAX) {
            *index = found;
            return target_may_group(level, found, place, position);
        }
    }
    if (IsA(node, A_Const) && !((const A_Const *)node)->isnull) {
        const A_Const *constant = (const A_Const *)node;
        if (!IsA(&constant->val, Integer)) {
            fail(binder, SQLSTATE_SYNTAX_ERROR, constant->location, "non-integer constant in %s",
                 place_name(place));
            return false;
        }
        int wanted = constant->val.ival.ival, at = 0;
        for (uint32_t i = 0; i < query->targets; i++)
            if (!query->target[i].hidden && ++at == wanted) {
                *index = i;
                return target_may_group(level, i, place, constant->location);
            }
        fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, constant->location,
             "%s position %d is not in select list", place_name(place), wanted);
        return false;
    }
    return find_target_99(level, node, place, index);
}

/* ---- ORDER BY ---- */

static bool using_operator(struct binder *binder, const struct expression *expression, const SortBy *by,
                           struct sort_key *key)
{
    const struct operator* operator=
        operator_find(binder, by->useOp, expression->type, expression->type, false, by->location);
    if (!operator)
        return false;
    if (operator->strategy != 1 && operator->strategy != 5) {
        fail(binder, SQLSTATE_WRONG_OBJECT_TYPE, by->location, "operator %s is not a valid ordering operator",
             node_string(llast(by->useOp)));
        fail_hint(binder, "Ordering operators must be \"<\" or \">\" members of btree operator families.");
        return false;
    }
    key->less = operator;
    key->descending = operator->strategy == 5;
    return true;
}

bool sort_key_of(struct binder *binder, const struct expression *expression, const SortBy *by,
                 int32_t position, struct sort_key *key)
{
    const struct type *type = expression->type;
    *key = (struct sort_key){.descending = by && by->sortby_dir == SORTBY_DESC};
    if (by && by->sortby_dir == SORTBY_USING) {
        if (!using_operator(binder, expression, by, key))
            return false;
    } else {
        key->less = type_comparison(binder, type, key->descending ? 5 : 1);
    }
    key->equality = type_comparison(binder, type, 3);
    key->nulls_first = key->descending;
    if (by && by->sortby_nulls != SORTBY_NULLS_DEFAULT)
        key->nulls_first = by->sortby_nulls == SORTBY_NULLS_FIRST;
    if (key->less && key->equality)
        return true;
    fail(binder, SQLSTATE_UNDEFINED_FUNCTION, position, "could not identify an ordering operator for type %s",
         type_name(binder, type));
    fail_hint(binder, "Use an explicit ordering operator or modify the query.");
    return false;
}

static bool target_settle(struct level *level, uint32_t index)
{
    return targets_settle_unknown(level, &level->query->target[index], 1);
}

bool sort_bind(struct level *level, const List *list, struct sort_key **keys, uint32_t *count,
               enum place place, bool sql99)
{
    struct binder *binder = level->binder;
    const ListCell *cell;
    foreach(cell, list)
    {
        const SortBy *by = lfirst(cell);
        uint32_t index;
        struct sort_key key;
        if (!(sql99 ? find_target_99(level, by->node, place, &index)
                    : find_target_92(level, by->node, place, &index)) ||
            !target_settle(level, index))
            return false;
        if (!sort_key_of(binder, level->query->target[index].expression, by, node_position(by->node), &key))
            return false;
        key.target = index;
        bool there = false;
        for (uint32_t i = 0; i < *count; i++)
            there |= (*keys)[i].target == index;
        if (there)
            continue;
        *keys = list_grow(binder, *keys, *count, sizeof **keys);
        (*keys)[(*count)++] = key;
    }
    return true;
}

bool aggregate_order_bind(struct level *level, const List *list, struct expression *aggregate)
{
    struct binder *binder = level->binder;
    const ListCell *cell;
    foreach(cell, list)
    {
        const SortBy *by = lfirst(cell);
        struct expression *bound = expression_bind(level, by->node, PLACE_ORDER_BY);
        if (bound && expression_is_unknown(bound))
            bound = coerce(level, bound, builtin(TYPE_TEXT), -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1);
        if (!bound)
            return false;
        /* count(DISTINCT x ORDER BY x): x as the aggregate takes it. */
        for (uint32_t i = 0; i < aggregate->arguments; i++)
            if (expression_equal(bound, without_implicit(aggregate->argument[i])))
                bound = aggregate->argument[i];
        struct sort_key key;
        if (!sort_key_of(binder, bound, by, expression_position(bound), &key))
            return false;
        key.expression = bound;
        aggregate->order = list_grow(binder, aggregate->order, aggregate->orders, sizeof *aggregate->order);
        aggregate->order[aggregate->orders++] = key;
    }
    return true;
}

/* ---- GROUP BY ---- */

struct sets {
    struct grouping_set *set;
    uint32_t count;
};

#define GROUPING_SETS_MAX 4096 /* PostgreSQL's bound */

static bool group_key_add(struct level *level, const Node *node, uint32_t *key)
{
    struct binder *binder = level->binder;
    struct query *query = level->query;
    uint32_t index;
    if (!find_target_92(level, node, PLACE_GROUP_BY, &index) || !target_settle(level, index))
        return false;
    for (uint32_t i = 0; i < query->groups; i++)
        if (query->group[i].target == index) {
            *key = i;
            return true;
        }
    const struct type *type = query->target[index].expression->type;
    struct sort_key made = {.target = index,
                            .equality = type_comparison(binder, type, 3),
                            .less = type_comparison(binder, type, 1)};
    if (!made.equality) {
        fail(binder, SQLSTATE_UNDEFINED_FUNCTION, node_position(node),
             "could not identify an equality operator for type %s", type_name(binder, type));
        return false;
    }
    query->group = list_grow(binder, query->group, query->groups, sizeof *query->group);
    *key = query->groups;
    query->group[query->groups++] = made;
    return true;
}

static bool is_plain_row(const Node *node)
{
    return IsA(node, RowExpr) && ((const RowExpr *)node)->row_format == COERCE_IMPLICIT_CAST;
}

static void set_add_key(struct binder *binder, struct grouping_set *set, uint32_t key)
{
    for (uint32_t i = 0; i < set->keys; i++)
        if (set->key[i] == key)
            return;
    set->key = list_grow(binder, set->key, set->keys, sizeof *set->key);
    set->key[set->keys++] = key;
}

/* (a, b) or a: one set. */
static bool simple_set(struct level *level, const Node *node, struct grouping_set *set)
{
    uint32_t key;
    *set = (struct grouping_set){0};
    if (!is_plain_row(node)) {
        if (!group_key_add(level, node, &key))
            return false;
        set_add_key(level->binder, set, key);
        return true;
    }
    const ListCell *cell;
    foreach(cell, ((const RowExpr *)node)->args)
    {
        if (!group_key_add(level, lfirst(cell), &key))
            return false;
        set_add_key(level->binder, set, key);
    }
    return true;
}

static bool sets_add(struct level *level, struct sets *sets, struct grouping_set set)
{
    if (sets->count >= GROUPING_SETS_MAX) {
        fail(level->binder, SQLSTATE_STATEMENT_TOO_COMPLEX, -1, "too many grouping sets present (maximum %d)",
             GROUPING_SETS_MAX);
        return false;
    }
    sets->set = list_grow(level->binder, sets->set, sets->count, sizeof *sets->set);
    sets->set[sets->count++] = set;
    return true;
}

static void set_join(struct binder *binder, struct grouping_set *into, const struct grouping_set *from)
{
    for (uint32_t i = 0; i < from->keys; i++)
        set_add_key(binder, into, from->key[i]);
}

static bool grouping_sets(struct level *level, const GroupingSet *node, struct sets *sets);

static bool rollup_or_cube(struct level *level, const GroupingSet *node, struct sets *sets)
{
    uint32_t count = (uint32_t)list_length(node->content), at = 0;
    struct grouping_set *parts = memory(level->binder, (count + 1) * sizeof *parts);
    const ListCell *cell;
    bool cube = node->kind == GROUPING_SET_CUBE;
    if (cube && count > 12) {
        fail(level->binder, SQLSTATE_TOO_MANY_COLUMNS, node->location, "CUBE is limited to 12 elements");
        return false;
    }
    foreach(cell, node->content) if (!simple_set(level, lfirst(cell), &parts[at++])) return false;
    uint32_t total = cube ? 1U << count : count + 1;
    for (uint32_t i = 0; i < total; i++) {
        struct grouping_set set = {0};
        for (uint32_t k = 0; k < count; k++) {
            /* ROLLUP drops from the end; CUBE counts down through all subsets. */
            bool in = cube ? ((total - 1 - i) >> (count - 1 - k)) & 1 : k < count - i;
            if (in)
                set_join(level->binder, &set, &parts[k]);
        }
        if (!sets_add(level, sets, set))
            return false;
    }
    return true;
}

static bool grouping_sets(struct level *level, const GroupingSet *node, struct sets *sets)
{
    const ListCell *cell;
    if (!stack_suffices(level->binder))
        return false;
    if (node->kind == GROUPING_SET_EMPTY)
        return sets_add(level, sets, (struct grouping_set){0});
    if (node->kind != GROUPING_SET_SETS)
        return rollup_or_cube(level, node, sets);
    foreach(cell, node->content)
    {
        const Node *inner = lfirst(cell);
        if (IsA(inner, GroupingSet)) {
            if (!grouping_sets(level, (const GroupingSet *)inner, sets))
                return false;
            continue;
        }
        struct grouping_set set;
        if (!simple_set(level, inner, &set) || !sets_add(level, sets, set))
            return false;
    }
    return true;
}

/* GROUP BY a, ROLLUP (b), CUBE (c): every set of the one with every set of the others. */
static bool sets_cross(struct level *level, struct sets *all, const struct sets *with)
{
    struct sets crossed = {0};
    for (uint32_t i = 0; i < all->count; i++)
        for (uint32_t k = 0; k < with->count; k++) {
            struct grouping_set set = {0};
            set_join(level->binder, &set, &all->set[i]);
            set_join(level->binder, &set, &with->set[k]);
            if (!sets_add(level, &crossed, set))
                return false;
        }
    *all = crossed;
    return true;
}

static bool sets_equal(const struct grouping_set *a, const struct grouping_set *b)
{
    if (a->keys != b->keys)
        return false;
    for (uint32_t i = 0; i < a->keys; i++) {
        bool there = false;
        for (uint32_t k = 0; k < b->keys; k++)
            there |= a->key[i] == b->key[k];
        if (!there)
            return false;
    }
    return true;
}

static void sets_distinct(struct sets *sets)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sets->count; i++) {
        bool twice = false;
        for (uint32_t k = 0; k < kept; k++)
            twice |= sets_equal(&sets->set[i], &sets->set[k]);
        if (!twice)
            sets->set[kept++] = sets->set[i];
    }
    sets->count = kept;
}

static bool group_item(struct level *level, const Node *node, struct sets *all)
{
    struct sets item = {0};
    if (IsA(node, GroupingSet)) {
        if (!grouping_sets(level, (const GroupingSet *)node, &item))
            return false;
    } else {
        struct grouping_set set;
        if (!simple_set(level, node, &set) || !sets_add(level, &item, set))
            return false;
    }
    return sets_cross(level, all, &item);
}

bool group_bind(struct level *level, const List *list, bool distinct)
{
    struct query *query = level->query;
    struct sets all = {0};
    const ListCell *cell;
    if (!list)
        return true;
    if (!sets_add(level, &all, (struct grouping_set){0}))
        return false;
    foreach(cell, list) if (!group_item(level, lfirst(cell), &all)) return false;
    if (distinct)
        sets_distinct(&all);
    query->group_distinct = distinct;
    query->grouping_set = all.set;
    query->grouping_sets = all.count;
    return true;
}

/* ---- DISTINCT ---- */

#define DISTINCT_ON_MAX 1664 /* as many as targets */

static bool distinct_key_add(struct level *level, uint32_t index, const struct sort_key *like,
                             struct sort_key **keys, uint32_t *count)
{
    struct binder *binder = level->binder;
    for (uint32_t i = 0; i < *count; i++)
        if ((*keys)[i].target == index)
            return true;
    const struct type *type = level->query->target[index].expression->type;
    struct sort_key key = {.target = index,
                           .equality = type_comparison(binder, type, 3),
                           .less = type_comparison(binder, type, 1)};
    if (like)
        key = *like;
    if (!key.equality) {
        fail(binder, SQLSTATE_UNDEFINED_FUNCTION, expression_position(level->query->target[index].expression),
             "could not identify an equality operator for type %s", type_name(binder, type));
        return false;
    }
    *keys = list_grow(binder, *keys, *count, sizeof **keys);
    (*keys)[(*count)++] = key;
    return true;
}

bool distinct_bind(struct level *level)
{
    struct query *query = level->query;
    uint32_t count = 0;
    query->distinct = true;
    for (uint32_t i = 0; i < query->orders; i++) {
        const struct target *target = &query->target[query->order[i].target];
        if (target->hidden) {
            fail(level->binder, SQLSTATE_INVALID_COLUMN_REFERENCE, expression_position(target->expression),
                 "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
            return false;
        }
    }
    for (uint32_t i = 0; i < query->targets; i++)
        if (!query->target[i].hidden && !distinct_key_add(level, i, NULL, &query->distinct_key, &count))
            return false;
    if (count)
        return true;
    fail(level->binder, SQLSTATE_SYNTAX_ERROR, -1, "SELECT DISTINCT must have at least one column");
    return false;
}

bool distinct_on_bind(struct level *level, const List *list)
{
    struct query *query = level->query;
    uint32_t wanted[DISTINCT_ON_MAX], wants = 0;
    const ListCell *cell;
    foreach(cell, list)
    {
        uint32_t index;
        if (wants == DISTINCT_ON_MAX) {
            fail(level->binder, SQLSTATE_TOO_MANY_COLUMNS, -1, "too many DISTINCT ON expressions");
            return false;
        }
        if (!find_target_92(level, lfirst(cell), PLACE_DISTINCT_ON, &index) || !target_settle(level, index))
            return false;
        wanted[wants++] = index;
    }
    bool skipped = false;
    for (uint32_t i = 0; i < query->orders; i++) {
        bool in = false;
        for (uint32_t k = 0; k < wants; k++)
            in |= wanted[k] == query->order[i].target;
        if (in && skipped) {
            fail(level->binder, SQLSTATE_INVALID_COLUMN_REFERENCE, node_position(linitial(list)),
                 "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
            return false;
        }
        skipped |= !in;
        if (in && !distinct_key_add(level, query->order[i].target, &query->order[i], &query->distinct_key,
                                    &query->distinct_on))
            return false;
    }
    for (uint32_t k = 0; k < wants; k++) {
        uint32_t before = query->distinct_on;
        if (!distinct_key_add(level, wanted[k], NULL, &query->distinct_key, &query->distinct_on))
            return false;
        if (query->distinct_on != before && skipped) {
            fail(level->binder, SQLSTATE_INVALID_COLUMN_REFERENCE, node_position(list_nth(list, (int)k)),
                 "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
            return false;
        }
    }
    return true;
}

/* ---- LIMIT ---- */

struct expression *limit_bind(struct level *level, const Node *node, enum place place, const char *name,
                              bool with_ties)
{
    struct binder *binder = level->binder;
    struct expression *bound = expression_bind(level, node, place);
    if (!bound)
        return NULL;
    if (with_ties && bound->kind == EXPRESSION_CONSTANT && bound->constant.null)
        return fail(binder, SQLSTATE_PACK('2', '2', '0', '1', 'W'), -1,
                    "row count cannot be null in FETCH FIRST ... WITH TIES clause");
    int32_t position = expression_position(bound);
    if (!(bound = coerce_to_specific(level, bound, TYPE_INT8, name)))
        return NULL;
    if (expression_facts(bound) & FACT_COLUMN)
        return fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, position,
                    "argument of %s must not contain variables", name);
    return bound;
}
