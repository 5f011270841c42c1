/* In which order to join, and how: dynamic programming over connected sets of leaves, greedily where there are too many.
 *
 * Outer, semi and anti joins restrict the order: each is remembered with the leaves that must be there on either side, and two
 * sets may be joined only if that carries out at most one of them whole and tears none apart (as PostgreSQL's
 * join_is_legal). Equalities of columns are closed transitively, so that a = b and b = c allow joining a with c first.
 * Source: Moerkotte and Neumann, "Analysis of two existing and one new dynamic programming algorithm", 2006, for the
 * enumeration; PostgreSQL, optimizer/README, for outer joins. */
#include "sqlfront/plan/inside.h"

#include <math.h>
#include <string.h>

/* Leaves up to which all orders are looked at, and pairs of sets after which it goes on greedily. */
#define DYNAMIC_LEAVES_MAX 14
#define DYNAMIC_PAIRS_MAX  60000
/* Of a way that settings tell to do without. */
#define COST_FORBIDDEN 1e10

/* ---- conditions and special joins, from the tree ---- */

static struct condition *condition_add(struct level *level, struct expression *expression, uint64_t required,
                                       int special)
{
    if (level->conditions == level->conditions_room) {
        uint32_t room = level->conditions_room ? 2 * level->conditions_room : 16;
        struct condition *grown = plan_alloc(level->planner, room * sizeof *grown);
        if (level->conditions)
            plan_copy(grown, level->condition, level->conditions * sizeof *grown);
        level->condition = grown;
        level->conditions_room = room;
    }
    struct condition *condition = &level->condition[level->conditions++];
    *condition = (struct condition){.expression = expression,
                                    .refs = expression_ranges(expression),
                                    .special = special,
                                    .class = -1,
                                    .restricts = -1};
    condition->required = required ? required : condition->refs;
    const struct operator* operator= expression->operator;
    if (expression->kind == EXPRESSION_CALL &&
        operator&& operator->strategy == 3 && operator->can_hash &&
        expression->arguments == 2 && !(expression_facts(expression) & (FACT_VOLATILE | FACT_SUBQUERY))) {
        condition->left = expression->argument[0];
        condition->right = expression->argument[1];
        condition->left_refs = expression_ranges(condition->left);
        condition->right_refs = expression_ranges(condition->right);
        condition->equality = condition->left_refs && condition->right_refs &&
                              !(condition->left_refs & condition->right_refs) &&
                              condition->left->type->order != ORDER_NONE;
    }
    return condition;
}

/* Outer joins below `tree` whose nullable side the condition looks at must come first. */
static uint64_t with_specials(const struct level *level, uint32_t first, uint64_t refs)
{
    bool grown = true;
    while (grown) {
        grown = false;
        for (uint32_t i = first; i < level->specials; i++) {
            const struct special_join *special = &level->special[i];
            uint64_t nullable = special->join == JOIN_LEFT   ? special->right
                                : special->join == JOIN_FULL ? special->left | special->right
                                                             : 0;
            uint64_t all = special->min_left | special->min_right;
            if ((nullable & refs) && !subset(all, refs)) {
                refs |= all;
                grown = true;
            }
        }
    }
    return refs;
}

static enum sqlstate deconstruct(struct level *level, struct join_tree *tree, struct error *error);

/* What an OR over several tables says of one of them: each arm's conditions on it, one of which must be true. */
static struct expression *restriction(struct level *level, const struct expression * or, uint32_t range)
{
    struct planner *planner = level->planner;
    struct expression *result = expression_make(planner->scope, EXPRESSION_OR, or->type);
    result->argument = plan_alloc(planner, or->arguments * sizeof *result->argument);
    for (uint32_t i = 0; i < or->arguments; i++) {
        struct expression **parts = NULL, *own = NULL;
        uint32_t count = 0;
        conjuncts_split(planner, or->argument[i], &parts, &count);
        for (uint32_t p = 0; p < count; p++)
            if (expression_ranges(parts[p]) == set_of(range))
                own = expression_and(planner->scope, own, parts[p]);
        if (!own)
            return NULL;
        result->argument[result->arguments++] = own;
    }
    return result;
}

static void add_restrictions(struct level *level, const struct expression *condition, uint32_t first)
{
    int or = (int)level->conditions - 1;
    uint64_t refs = expression_ranges(condition);
    if (condition->kind != EXPRESSION_OR || __builtin_popcountll(refs) < 2 ||
        (expression_facts(condition) & (FACT_VOLATILE | FACT_SUBQUERY)))
        return;
    for (uint64_t rest = refs; rest; rest &= rest - 1) {
        uint32_t range = (uint32_t)__builtin_ctzll(rest);
        struct expression *own = restriction(level, condition, range);
        if (own && with_specials(level, first, set_of(range)) == set_of(range)) {
            struct condition *part = condition_add(level, own, set_of(range), -1);
            part->derived = true;
            part->restricts = or ;
        }
    }
}

static enum sqlstate add_filters(struct level *level, const struct join_tree *tree, uint32_t first,
                                 struct error *error)
{
    uint64_t all = tree_ranges(tree);
    (void)error;
    for (uint32_t i = 0; i < tree->conditions; i++) {
        struct expression *condition = tree->condition[i];
        uint64_t refs = expression_ranges(condition);
        /* A subquery is asked when everything it stands over is there. */
        if ((expression_facts(condition) & (FACT_SUBQUERY | FACT_VOLATILE)) || refs == 0)
            refs = all;
        condition_add(level, condition, with_specials(level, first, refs), -1);
        add_restrictions(level, condition, first);
    }
    return SQLSTATE_OK;
}

static enum sqlstate add_special(struct level *level, const struct join_tree *tree, uint32_t first,
                                 struct error *error)
{
    uint64_t left = tree_ranges(tree->left), right = tree_ranges(tree->right), refs = 0;
    if (level->specials == RANGES_MAX)
        return error_set(error, SQLSTATE_STATEMENT_TOO_COMPLEX, "too many outer joins in one query level");
    for (uint32_t i = 0; i < tree->conditions; i++) {
        uint64_t own = expression_ranges(tree->condition[i]);
        bool pushed = own && subset(own, right) && tree->join != JOIN_FULL && !tree->null_aware;
        if (!pushed && (expression_facts(tree->condition[i]) & FACT_SUBQUERY)) {
            enum sqlstate failed =
                level_hoist(level, &tree->condition[i], "the condition of an outer join", error);
            if (failed)
                return failed;
        }
        refs |= own;
    }
    struct special_join special = {
        .join = tree->join, .null_aware = tree->null_aware, .left = left, .right = right};
    special.min_right = right;
    special.min_left = tree->join == JOIN_FULL ? left : with_specials(level, first, refs & left) & left;
    /* Without a condition on the left any of it will do; all of it is simplest. */
    if (!special.min_left)
        special.min_left = left;
    /* An anti or outer join's left side may not be filtered by an outer join that comes later: keep those that are below
     * and whose nullable side is looked at (with_specials did), and semi joins as they are. */
    int number = (int)level->specials;
    for (uint32_t i = 0; i < tree->conditions; i++) {
        uint64_t own = expression_ranges(tree->condition[i]);
        bool volatile_ = expression_facts(tree->condition[i]) & FACT_VOLATILE;
        bool right_only =
            own && subset(own, right) && !volatile_ && tree->join != JOIN_FULL && !tree->null_aware;
        bool left_only = own && subset(own, left) && !volatile_ && tree->join == JOIN_SEMI;
        if (expression_facts(tree->condition[i]) & FACT_SUBQUERY)
            own = right; /* asked when everything on that side is there */
        if (right_only || left_only)
            condition_add(level, tree->condition[i], with_specials(level, first, own), -1);
        else
            condition_add(level, tree->condition[i], own | special.min_left | special.min_right, number);
    }
    level->special[level->specials++] = special;
    return SQLSTATE_OK;
}

static enum sqlstate deconstruct(struct level *level, struct join_tree *tree, struct error *error)
{
    if (tree->leaf)
        return SQLSTATE_OK;
    uint32_t first = level->specials;
    enum sqlstate failed = deconstruct(level, tree->left, error);
    if (!failed && tree->right)
        failed = deconstruct(level, tree->right, error);
    if (failed)
        return failed;
    if (tree->join == JOIN_INNER)
        return add_filters(level, tree, first, error);
    return add_special(level, tree, first, error);
}

/* ---- equalities that follow ---- */

struct member {
    struct expression *column;
    uint64_t range;
    int class;
};

static bool same_column(const struct expression *a, const struct expression *b)
{
    return a->range == b->range && a->number == b->number;
}

static int member_find(struct member *members, uint32_t *count, struct expression *column)
{
    for (uint32_t i = 0; i < *count; i++)
        if (same_column(members[i].column, column))
            return (int)i;
    members[*count] = (struct member){.column = column, .range = set_of(column->range), .class = (int)*count};
    return (int)(*count)++;
}

static bool plain_column(const struct expression *expression)
{
    return expression->kind == EXPRESSION_COLUMN && expression->level == 0;
}

static struct expression *equality_of(struct level *level, struct expression *a, struct expression *b)
{
    const struct operator* equal = catalog_comparison(a->type->oid, 3);
    if (!equal)
        return NULL;
    struct expression *call =
        expression_make(level->planner->scope, EXPRESSION_CALL, type_builtin(TYPE_BOOL));
    call->operator= equal;
    call->procedure = procedure_builtin(equal->procedure);
    call->operator_form = true;
    call->collation = 0;
    call->arguments = 2;
    call->argument = plan_alloc(level->planner, 2 * sizeof *call->argument);
    call->argument[0] = a;
    call->argument[1] = b;
    return call;
}

static bool nullable_anywhere(const struct level *level, uint64_t ranges)
{
    for (uint32_t i = 0; i < level->specials; i++) {
        const struct special_join *special = &level->special[i];
        if (special->join == JOIN_LEFT && (special->right & ranges))
            return true;
        if (special->join == JOIN_FULL && ((special->left | special->right) & ranges))
            return true;
        /* What only a semi or anti join's inner side says is not true outside. */
        if ((special->join == JOIN_SEMI || special->join == JOIN_ANTI) && (special->right & ranges))
            return true;
    }
    return false;
}

/* Columns known equal get the constants of each other, and conditions between all pairs. */
static void close_equalities(struct level *level)
{
    uint32_t given = level->conditions, members = 0;
    struct member *member = plan_alloc(level->planner, (2 * given + 1) * sizeof *member);
    for (uint32_t i = 0; i < given; i++) {
        struct condition *c = &level->condition[i];
        if (c->special >= 0 || !c->equality || !plain_column(c->left) || !plain_column(c->right) ||
            c->left->type->oid != c->right->type->oid || nullable_anywhere(level, c->refs))
            continue;
        int a = member_find(member, &members, c->left), b = member_find(member, &members, c->right);
        int from = member[b].class, to = member[a].class;
        for (uint32_t m = 0; m < members; m++)
            if (member[m].class == from)
                member[m].class = to;
    }
    for (uint32_t i = 0; i < given; i++) {
        struct condition *c = &level->condition[i];
        if (c->special >= 0 || !c->equality || !plain_column(c->left) || nullable_anywhere(level, c->refs))
            continue;
        for (uint32_t m = 0; m < members; m++)
            if (same_column(member[m].column, c->left) && plain_column(c->right) &&
                c->left->type->oid == c->right->type->oid)
                c->class = member[m].class;
    }
    for (uint32_t a = 0; a < members; a++)
        for (uint32_t b = a + 1; b < members; b++) {
            /* (Of two columns of one range, too: each join asks one condition of a class only.) */
            if (member[a].class != member[b].class)
                continue;
            bool there = false;
            for (uint32_t i = 0; i < given && !there; i++) {
                const struct condition *c = &level->condition[i];
                there = c->class == member[a].class && c->refs == (member[a].range | member[b].range) &&
                        (same_column(c->left, member[a].column) || same_column(c->left, member[b].column));
            }
            struct expression *equal = there ? NULL : equality_of(level, member[a].column, member[b].column);
            if (!equal)
                continue;
            struct condition *added = condition_add(level, equal, 0, -1);
            added->derived = true;
            added->class = member[a].class;
        }
    /* column = constant goes to all that equal the column */
    for (uint32_t i = 0; i < given; i++) {
        struct condition *c = &level->condition[i];
        if (c->special >= 0 || !c->left || c->equality || nullable_anywhere(level, c->refs))
            continue;
        struct expression *column = plain_column(c->left) && !c->right_refs   ? c->left
                                    : plain_column(c->right) && !c->left_refs ? c->right
                                                                              : NULL;
        struct expression *value = column == c->left ? c->right : c->left;
        if (!column || column->type->oid != value->type->oid)
            continue;
        int class = -1;
        for (uint32_t m = 0; m < members; m++)
            if (same_column(member[m].column, column))
                class = member[m].class;
        for (uint32_t m = 0; m < members && class >= 0; m++)
            if (member[m].class == class && !same_column(member[m].column, column)) {
                struct expression *equal = equality_of(level, member[m].column, value);
                if (equal)
                    condition_add(level, equal, 0, -1)->derived = true;
                c = &level->condition[i];
            }
    }
}

/* ---- sets of leaves joined ---- */

struct joined {
    uint64_t set;
    struct path *best;
    struct paths kept; /* in useful orders */
    double rows;
    struct joined *next; /* of the same size */
};

struct joining {
    struct level *level;
    struct joined *of_size[RANGES_MAX + 1];
    struct joined **table; /* open addressing by set */
    uint32_t table_size, count;
    uint64_t pairs;
};

static uint32_t place_of(const struct joining *joining, uint64_t set)
{
    uint64_t hash = set * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 32) & (joining->table_size - 1);
    while (joining->table[at] && joining->table[at]->set != set)
        at = (at + 1) & (joining->table_size - 1);
    return at;
}

static void table_grow(struct joining *joining)
{
    struct joined **was = joining->table;
    uint32_t size = joining->table_size;
    joining->table_size = size ? 2 * size : 256;
    joining->table = plan_alloc(joining->level->planner, joining->table_size * sizeof *joining->table);
    for (uint32_t i = 0; i < size; i++)
        if (was[i])
            joining->table[place_of(joining, was[i]->set)] = was[i];
}

static struct joined *joined_find(struct joining *joining, uint64_t set, bool make)
{
    if (2 * joining->count + 2 > joining->table_size)
        table_grow(joining);
    uint32_t at = place_of(joining, set);
    if (joining->table[at] || !make)
        return joining->table[at];
    struct joined *joined = plan_alloc(joining->level->planner, sizeof *joined);
    uint32_t size = (uint32_t)__builtin_popcountll(set);
    joined->set = set;
    joined->rows = -1;
    joined->next = joining->of_size[size];
    joining->of_size[size] = joined;
    joining->table[at] = joined;
    joining->count++;
    return joined;
}

/* Whether two sets may be joined, and which special join that is (-1: inner); *turned: `b` is its left side. */
static bool may_join(const struct level *level, uint64_t a, uint64_t b, int *number, bool *turned)
{
    uint64_t all = a | b;
    *number = -1;
    *turned = false;
    for (uint32_t i = 0; i < level->specials; i++) {
        const struct special_join *s = &level->special[i];
        uint64_t both = s->min_left | s->min_right;
        if (!(s->min_right & all) || subset(all, s->min_right))
            continue;
        if (subset(both, a) || subset(both, b))
            continue;
        bool forth = subset(s->min_left, a) && subset(s->min_right, b);
        bool back = subset(s->min_left, b) && subset(s->min_right, a);
        if (!forth && !back) {
            /* Its right side is being torn apart, or joined with what does not belong to it. */
            return false;
        }
        uint64_t right = forth ? b : a;
        if (right != s->right || *number >= 0)
            return false;
        *number = (int)i;
        *turned = back;
    }
    return true;
}

static bool lateral_fits(const struct level *level, uint64_t a, uint64_t b, bool *depends)
{
    *depends = false;
    for (uint64_t rest = b; rest; rest &= rest - 1) {
        uint32_t range = (uint32_t)__builtin_ctzll(rest);
        uint64_t needs = level->lateral_of[range] & ~b;
        if (!needs)
            continue;
        if (b != set_of(range) || !subset(needs, a))
            return false;
        *depends = true;
    }
    return true;
}

/* Nothing in it waits for rows from outside of it. */
static bool complete(const struct level *level, uint64_t set)
{
    bool depends;
    return lateral_fits(level, 0, set, &depends);
}

/* What the condition leaves of the rows that come to it: an OR over several tables has had its part in what came of each. */
static double join_selectivity(struct level *level, uint32_t at)
{
    double selectivity = condition_selectivity(level, level->condition[at].expression);
    for (uint32_t i = 0; i < level->conditions; i++) {
        struct condition *part = &level->condition[i];
        if (part->restricts != (int)at)
            continue;
        if (part->selectivity == 0)
            part->selectivity = condition_selectivity(level, part->expression);
        selectivity /= part->selectivity;
    }
    return selectivity < 1 ? selectivity : 1;
}

/* The conditions that become askable when `a` and `b` come together. */
static uint32_t new_conditions(struct level *level, uint64_t a, uint64_t b, int special, bool of_special,
                               struct condition **list)
{
    uint32_t count = 0;
    uint64_t all = a | b;
    uint64_t classes_seen[4] = {0};
    for (uint32_t i = 0; i < level->conditions; i++) {
        struct condition *c = &level->condition[i];
        if (of_special ? c->special != special : c->special >= 0)
            continue;
        if (!of_special && (!subset(c->required, all) || subset(c->required, a) || subset(c->required, b)))
            continue;
        if (c->class >= 0 && c->class < 256) { /* one of those that follow from each other is enough */
            if (classes_seen[c->class / 64] >> (c->class % 64) & 1)
                continue;
            classes_seen[c->class / 64] |= (uint64_t)1 << (c->class % 64);
        }
        if (c->selectivity == 0)
            c->selectivity = join_selectivity(level, i);
        list[count++] = c;
    }
    return count;
}

static bool connected(struct level *level, uint64_t a, uint64_t b)
{
    uint64_t all = a | b;
    for (uint32_t i = 0; i < level->conditions; i++) {
        const struct condition *c = &level->condition[i];
        if ((c->refs & a) && (c->refs & b) && subset(c->refs, all))
            return true;
    }
    for (uint64_t rest = all; rest; rest &= rest - 1)
        if (level->lateral_of[__builtin_ctzll(rest)] & all)
            return true;
    return false;
}

/* ---- ways to join two paths ---- */

struct path *joined_path(struct level *level, enum plan_kind kind, const struct joining_request *request)
{
    struct planner *planner = level->planner;
    const struct plan *left = request->left->plan, *right = request->right->plan;
    struct path *path = plan_alloc(planner, sizeof *path);
    struct plan *plan = plan_make(planner, kind, left->columns + right->columns);
    path->plan = plan;
    path->slot = plan_alloc(planner, plan->columns * sizeof *path->slot);
    plan_copy(path->slot, request->left->slot, left->columns * sizeof *path->slot);
    plan_copy(path->slot + left->columns, request->right->slot, right->columns * sizeof *path->slot);
    plan_copy(plan->column, left->column, left->columns * sizeof *plan->column);
    plan_copy(plan->column + left->columns, right->column, right->columns * sizeof *plan->column);
    plan->join = request->join;
    plan->null_aware = request->null_aware;
    plan->input[0] = request->left->plan;
    plan->input[1] = request->right->plan;
    plan->rows = request->rows;
    return path;
}

static void left_slots_only(struct path *path, const struct joining_request *request)
{
    if (request->join == JOIN_SEMI || request->join == JOIN_ANTI)
        path->plan->columns = request->left->plan->columns;
}

static bool path_holds(const struct path *path, const struct condition *condition, bool left_side)
{
    uint64_t refs = left_side ? condition->left_refs : condition->right_refs, have = 0;
    for (uint32_t i = 0; i < path->plan->columns; i++)
        if (path->slot[i].range < RANGES_MAX)
            have |= set_of(path->slot[i].range);
    return subset(refs, have);
}

bool condition_as_keys(const struct joining_request *request, const struct condition *c,
                       struct expression **left, struct expression **right)
{
    if (!c->equality || !types_hash_alike(c->left->type, c->right->type))
        return false;
    bool forth = path_holds(request->left, c, true) && path_holds(request->right, c, false);
    if (!forth && !(path_holds(request->left, c, false) && path_holds(request->right, c, true)))
        return false;
    *left = forth ? c->left : c->right;
    *right = forth ? c->right : c->left;
    return true;
}

static enum sqlstate hash_join(struct level *level, const struct joining_request *request,
                               struct path **result, struct error *error)
{
    struct planner *planner = level->planner;
    uint32_t keys = 0;
    struct plan_key *left = plan_alloc(planner, (request->count + 1) * sizeof *left);
    struct plan_key *right = plan_alloc(planner, (request->count + 1) * sizeof *right);
    struct expression *rest = NULL;
    *result = NULL;
    for (uint32_t i = 0; i < request->count; i++) {
        const struct condition *c = request->conditions[i];
        struct expression *a, *b;
        if (!condition_as_keys(request, c, &a, &b)) {
            rest = expression_and(planner->scope, rest, c->expression);
            continue;
        }
        left[keys].type = right[keys].type = a->type;
        enum sqlstate failed = level_resolve(level, request->left, a, &left[keys].expression, error);
        if (!failed)
            failed = level_resolve(level, request->right, b, &right[keys].expression, error);
        if (failed)
            return failed;
        keys++;
    }
    if (keys == 0)
        return SQLSTATE_OK;
    struct path *path = joined_path(level, PLAN_HASH_JOIN, request);
    struct plan *plan = path->plan;
    plan->keys = keys;
    plan->key = left;
    plan->right_key = right;
    if (rest) {
        enum sqlstate failed = level_resolve(level, path, rest, &plan->condition, error);
        if (failed)
            return failed;
    }
    left_slots_only(path, request);
    const struct plan *l = request->left->plan, *r = request->right->plan;
    plan->startup_cost =
        r->cost + r->rows * COST_HASH_BUILD + hash_spill_cost(planner, r->rows, r->columns, l->rows);
    plan->cost = plan->startup_cost + l->cost + l->rows * COST_HASH_PROBE + plan->rows * COST_ROW_OUT;
    *result = path;
    return SQLSTATE_OK;
}

static enum sqlstate nested_join(struct level *level, const struct joining_request *request,
                                 struct path **result, struct error *error)
{
    struct path *path = joined_path(level, PLAN_NESTED_JOIN, request);
    struct plan *plan = path->plan;
    struct expression *all = NULL;
    for (uint32_t i = 0; i < request->count; i++)
        all = expression_and(level->planner->scope, all, request->conditions[i]->expression);
    if (all) {
        enum sqlstate failed = level_resolve(level, path, all, &plan->condition, error);
        if (failed)
            return failed;
    }
    left_slots_only(path, request);
    const struct plan *l = request->left->plan, *r = request->right->plan;
    plan->startup_cost = r->cost;
    plan->cost = r->cost + l->cost + l->rows * r->rows * (COST_CONDITION * (request->count + 1)) +
                 plan->rows * COST_ROW_OUT;
    *result = path;
    return SQLSTATE_OK;
}

static void consider(struct level *level, struct joined *joined, struct path *path)
{
    if (!path)
        return;
    if (!joined->best || path->plan->cost < joined->best->plan->cost)
        joined->best = path;
    paths_keep(level, &joined->kept, path);
}

/* What the join itself leaves, before conditions that can only be asked of its result. */
static double join_rows(const struct joined *a, const struct joined *b, uint8_t join, double selectivity)
{
    double rows = a->rows * b->rows * selectivity;
    switch (join) {
    case JOIN_LEFT:
        return rows < a->rows ? a->rows : rows;
    case JOIN_FULL:
        return rows < a->rows + b->rows ? a->rows + b->rows : rows;
    case JOIN_SEMI: {
        double match = b->rows * selectivity;
        return a->rows * (match < 1 ? match : 1);
    }
    case JOIN_ANTI: {
        double match = b->rows * selectivity;
        return a->rows * (match < 0.9 ? 1 - match : 0.1);
    }
    default:
        return rows;
    }
}

static enum sqlstate filtered(struct level *level, struct path **path, struct condition **after,
                              uint32_t count, struct error *error)
{
    if (!*path || count == 0)
        return SQLSTATE_OK;
    struct expression **filters = plan_alloc(level->planner, count * sizeof *filters);
    for (uint32_t i = 0; i < count; i++)
        filters[i] = after[i]->expression;
    return level_filter(level, path, filters, count, error);
}

/* Whether the condition gives the range's column a value from outside of it; so does one of a column that equals it. */
static bool fixes(const struct level *level, const struct condition *c, uint32_t range, int16_t attnum,
                  uint64_t outside)
{
    if (!c->equality || !((c->left_refs | c->right_refs) & outside))
        return false;
    for (uint32_t i = 0; i < level->conditions; i++) {
        const struct condition *of_class = &level->condition[i];
        if (of_class != c && (c->class < 0 || of_class->class != c->class || !of_class->equality))
            continue;
        const struct expression *left = of_class->left, *right = of_class->right;
        if ((plain_column(left) && left->range == range && left->number == attnum) ||
            (plain_column(right) && right->range == range && right->number == attnum))
            return true;
    }
    return false;
}

/* The product of the selectivities of conditions that fix a key of the range together; 1 when they do not. */
static double key_selectivity(const struct level *level, struct condition *const *conditions, uint32_t count,
                              uint32_t range, uint64_t outside, const int16_t *columns, uint32_t keys)
{
    double product = 1;
    for (uint32_t k = 0; k < keys; k++) {
        uint32_t i = 0;
        while (i < count && !fixes(level, conditions[i], range, columns[k], outside))
            i++;
        if (i == count)
            return 1;
        product *= conditions[i]->selectivity;
    }
    return product;
}

/* All columns of a table's key together tell its rows apart, not each by itself: as factors they would make too little of a
 * join by a key of several columns. Gives by how much more it is. */
static double key_correction(struct level *level, uint64_t a, uint64_t b, struct condition *const *conditions,
                             uint32_t count)
{
    double most = 1;
    for (uint64_t rest = a | b; rest && count > 1; rest &= rest - 1) {
        uint32_t range = (uint32_t)__builtin_ctzll(rest);
        const struct relation *relation = level->query->range[range].relation;
        if (level->query->range[range].kind != RANGE_RELATION || !relation || relation->key_columns < 2)
            continue;
        uint64_t outside = subset(set_of(range), a) ? b : a;
        double product = key_selectivity(level, conditions, count, range, outside, relation->key_column,
                                         relation->key_columns);
        double least = 1 / fmax(relation_rows(level->planner, relation), 1);
        if (product < 1 && product > 0 && least / product > most)
            most = least / product;
    }
    return most;
}

/* Two sets being joined. */
struct ways {
    struct joining *joining;
    struct joined *a, *b, *joined;
    struct joining_request request;
    struct condition **after; /* asked of what was joined */
    uint32_t afters;
    bool hashed;
};

static enum sqlstate take_way(struct ways *ways, struct path *path, struct error *error)
{
    struct level *level = ways->joining->level;
    enum sqlstate failed = filtered(level, &path, ways->after, ways->afters, error);
    if (!failed)
        consider(level, ways->joined, path);
    return failed;
}

static bool does_without(const struct level *level, enum plan_without what)
{
    return level->planner->request->without & what;
}

static enum sqlstate by_hash(struct ways *ways, struct error *error)
{
    struct level *level = ways->joining->level;
    struct path *path = NULL;
    enum sqlstate failed = hash_join(level, &ways->request, &path, error);
    ways->hashed = path != NULL;
    if (failed || !path)
        return failed;
    /* Told to do without, it stays for where there is nothing else. */
    double penalty = does_without(level, WITHOUT_HASH_JOIN) ? COST_FORBIDDEN : 0;
    path->plan->cost += penalty;
    failed = take_way(ways, path, error);
    if (failed || ways->request.join != JOIN_LEFT || ways->a->rows >= ways->b->rows)
        return failed;
    /* The smaller side in the table: the same join, seen from the right. */
    struct joining_request turned = ways->request;
    turned.left = ways->request.right;
    turned.right = ways->request.left;
    turned.join = JOIN_RIGHT;
    failed = hash_join(level, &turned, &path, error);
    if (failed || !path)
        return failed;
    path->plan->cost += penalty;
    return take_way(ways, path, error);
}

static enum sqlstate by_merge(struct ways *ways, struct error *error)
{
    struct level *level = ways->joining->level;
    struct paths found = {0};
    if (ways->request.null_aware || does_without(level, WITHOUT_MERGE_JOIN))
        return SQLSTATE_OK;
    double most = ways->joined->best ? ways->joined->best->plan->cost : INFINITY;
    enum sqlstate failed =
        level_merge_join(level, &ways->request, &ways->a->kept, &ways->b->kept, most, &found, error);
    for (uint32_t i = 0; i < found.count && !failed; i++)
        failed = take_way(ways, found.path[i], error);
    return failed;
}

static enum sqlstate by_loop(struct ways *ways, struct error *error)
{
    struct level *level = ways->joining->level;
    const struct joining_request *request = &ways->request;
    bool small = ways->a->rows * ways->b->rows < 1e4;
    struct path *path;
    if ((ways->hashed && (!small || request->join == JOIN_FULL)) || request->null_aware)
        return SQLSTATE_OK;
    enum sqlstate failed = nested_join(level, request, &path, error);
    if (failed)
        return failed;
    if (does_without(level, WITHOUT_NESTED_LOOP))
        path->plan->cost += COST_FORBIDDEN;
    return take_way(ways, path, error);
}

/* Looks the rows of `a` up in b's index, as they come in the cheapest order and in the others. */
static enum sqlstate by_look_up(struct ways *ways, struct error *error)
{
    struct level *level = ways->joining->level;
    const struct joining_request *request = &ways->request;
    if (__builtin_popcountll(ways->b->set) != 1 || request->join == JOIN_FULL || request->null_aware)
        return SQLSTATE_OK;
    uint32_t range = (uint32_t)__builtin_ctzll(ways->b->set);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i <= ways->a->kept.count && !failed; i++) {
        struct path *outer = i ? ways->a->kept.path[i - 1] : ways->a->best, *path;
        if (i && outer == ways->a->best)
            continue;
        failed = level_lookup(level, outer, range, request->join, request->conditions, request->count,
                              request->rows, &path, error);
        if (failed || !path)
            break;
        path->plan->ordered = path->orders > 0;
        if (does_without(level, WITHOUT_NESTED_LOOP))
            path->plan->cost += COST_FORBIDDEN;
        failed = take_way(ways, path, error);
    }
    return failed;
}

/* Joins `a` with `b` in this direction in all ways that are worth it. */
static enum sqlstate join_pair(struct joining *joining, struct joined *a, struct joined *b, int special,
                               bool depends, struct error *error)
{
    struct level *level = joining->level;
    struct planner *planner = level->planner;
    struct condition **conditions = plan_alloc(planner, (level->conditions + 1) * sizeof *conditions);
    struct condition **after = plan_alloc(planner, (level->conditions + 1) * sizeof *after);
    uint32_t count, afters = 0;
    uint8_t join = JOIN_INNER;
    bool null_aware = false;
    double selectivity = 1, after_selectivity = 1;
    if (special >= 0) {
        join = level->special[special].join;
        null_aware = level->special[special].null_aware;
        count = new_conditions(level, a->set, b->set, special, true, conditions);
        afters = new_conditions(level, a->set, b->set, special, false, after);
    } else {
        count = new_conditions(level, a->set, b->set, -1, false, conditions);
        /* Subqueries are asked above the join. */
        uint32_t kept = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (expression_facts(conditions[i]->expression) & FACT_SUBQUERY)
                after[afters++] = conditions[i];
            else
                conditions[kept++] = conditions[i];
        }
        count = kept;
    }
    for (uint32_t i = 0; i < count; i++)
        selectivity *= conditions[i]->selectivity;
    selectivity *= key_correction(level, a->set, b->set, conditions, count);
    for (uint32_t i = 0; i < afters; i++)
        after_selectivity *= after[i]->selectivity;
    struct joined *joined = joined_find(joining, a->set | b->set, true);
    double rows = join_rows(a, b, join, selectivity);
    rows = rows < 1 ? 1 : rows;
    if (joined->rows < 0)
        joined->rows = rows * after_selectivity < 1 ? 1 : rows * after_selectivity;
    struct joining_request request = {.left = a->best,
                                      .right = b->best,
                                      .join = join,
                                      .null_aware = null_aware,
                                      .conditions = conditions,
                                      .count = count,
                                      .rows = rows};
    struct path *path = NULL;
    enum sqlstate failed;
    if (depends) {
        struct expression **on = plan_alloc(planner, (count + 1) * sizeof *on);
        for (uint32_t i = 0; i < count; i++)
            on[i] = conditions[i]->expression;
        failed = level_apply_leaf(level, a->best, (uint32_t)__builtin_ctzll(b->set), join, on, count, &path,
                                  error);
        if (!failed && path)
            path->plan->rows = rows;
        if (!failed)
            failed = filtered(level, &path, after, afters, error);
        if (!failed)
            consider(level, joined, path);
        return failed;
    }
    struct ways ways = {.joining = joining,
                        .a = a,
                        .b = b,
                        .joined = joined,
                        .request = request,
                        .after = after,
                        .afters = afters};
    failed = by_hash(&ways, error);
    if (!failed)
        failed = by_merge(&ways, error);
    if (!failed)
        failed = by_loop(&ways, error);
    return failed ? failed : by_look_up(&ways, error);
}

static enum sqlstate try_pair(struct joining *joining, struct joined *a, struct joined *b, bool *joined,
                              struct error *error)
{
    struct level *level = joining->level;
    int special;
    bool turned, depends_b, depends_a;
    *joined = false;
    joining->pairs++;
    if (!may_join(level, a->set, b->set, &special, &turned))
        return SQLSTATE_OK;
    bool fits_b = lateral_fits(level, a->set, b->set, &depends_b),
         fits_a = lateral_fits(level, b->set, a->set, &depends_a);
    enum sqlstate failed = SQLSTATE_OK;
    bool symmetric = special < 0 || level->special[special].join == JOIN_FULL;
    if ((symmetric || !turned) && fits_b && complete(level, a->set)) {
        failed = join_pair(joining, a, b, special, depends_b, error);
        *joined = true;
    }
    if (!failed && (symmetric || turned) && fits_a && complete(level, b->set)) {
        failed = join_pair(joining, b, a, special, depends_a, error);
        *joined = true;
    }
    return failed;
}

/* All sets of `size` leaves out of two smaller ones. */
static enum sqlstate dynamic_size(struct joining *joining, uint32_t size, bool cross, struct error *error)
{
    for (uint32_t small = 1; 2 * small <= size; small++)
        for (struct joined *a = joining->of_size[size - small]; a; a = a->next)
            for (struct joined *b = joining->of_size[small]; b; b = b->next) {
                bool joined;
                if ((a->set & b->set) || !a->best || !b->best || (2 * small == size && a->set < b->set))
                    continue;
                if (!cross && !connected(joining->level, a->set, b->set))
                    continue;
                enum sqlstate failed = try_pair(joining, a, b, &joined, error);
                if (failed || joining->pairs > DYNAMIC_PAIRS_MAX)
                    return failed;
            }
    return SQLSTATE_OK;
}

/* Joins what gives the fewest rows first, until one set is left. */
static enum sqlstate greedy(struct joining *joining, uint64_t all, struct joined **result,
                            struct error *error)
{
    struct joined *parts[RANGES_MAX];
    uint32_t count = 0;
    for (struct joined *leaf = joining->of_size[1]; leaf; leaf = leaf->next)
        parts[count++] = leaf;
    while (count > 1) {
        struct joined *best = NULL;
        uint32_t best_a = 0, best_b = 0;
        for (int cross = 0; cross < 2 && !best; cross++)
            for (uint32_t a = 0; a < count; a++)
                for (uint32_t b = a + 1; b < count; b++) {
                    bool joined = false;
                    if (!cross && !connected(joining->level, parts[a]->set, parts[b]->set))
                        continue;
                    struct joined *known = joined_find(joining, parts[a]->set | parts[b]->set, false);
                    if (!known || !known->best) {
                        enum sqlstate failed = try_pair(joining, parts[a], parts[b], &joined, error);
                        if (failed)
                            return failed;
                        known = joined_find(joining, parts[a]->set | parts[b]->set, false);
                    }
                    if (known && known->best && (!best || known->rows < best->rows)) {
                        best = known;
                        best_a = a;
                        best_b = b;
                    }
                }
        if (!best)
            return error_set(error, SQLSTATE_INTERNAL_ERROR,
                             "planner: no order of joins fits the outer joins");
        parts[best_a] = best;
        parts[best_b] = parts[--count];
    }
    (void)all;
    *result = parts[0];
    return SQLSTATE_OK;
}

static enum sqlstate plan_leaves(struct joining *joining, uint64_t leaves, struct error *error)
{
    struct level *level = joining->level;
    for (uint64_t rest = leaves; rest; rest &= rest - 1) {
        uint32_t range = (uint32_t)__builtin_ctzll(rest);
        struct joined *leaf = joined_find(joining, set_of(range), true);
        if (level->lateral_of[range]) {
            /* Planned anew by each join that hands it its rows; here only to be counted. */
            struct path *path = plan_alloc(level->planner, sizeof *path);
            path->plan = plan_make(level->planner, PLAN_EMPTY, 0);
            path->plan->rows = 10;
            leaf->best = path;
            leaf->rows = 10;
            continue;
        }
        enum sqlstate failed = level_leaf(level, range, &leaf->best, &leaf->kept, error);
        if (failed)
            return failed;
        leaf->rows = leaf->best->plan->rows;
    }
    return SQLSTATE_OK;
}

static void find_laterals(struct level *level, uint64_t leaves)
{
    for (uint64_t rest = leaves; rest; rest &= rest - 1) {
        uint32_t at = (uint32_t)__builtin_ctzll(rest);
        struct range *range = &level->query->range[at];
        struct expression probe = {.kind = EXPRESSION_SUBQUERY, .query = range->query};
        if (range->query)
            level->lateral_of[at] |= expression_ranges(&probe);
        for (uint32_t i = 0; i < range->functions; i++)
            level->lateral_of[at] |= expression_ranges(range->function[i]);
        for (uint32_t row = 0; row < range->values; row++)
            for (uint32_t c = 0; c < range->columns; c++)
                level->lateral_of[at] |= expression_ranges(range->value[row][c]);
    }
}

enum sqlstate level_join(struct level *level, struct path **path, struct error *error)
{
    uint64_t leaves = tree_ranges(level->tree);
    struct joining joining = {.level = level};
    find_laterals(level, leaves);
    enum sqlstate failed = deconstruct(level, level->tree, error);
    if (failed)
        return failed;
    close_equalities(level);
    level_group_wish(level);
    failed = plan_leaves(&joining, leaves, error);
    if (failed)
        return failed;
    uint32_t size = (uint32_t)__builtin_popcountll(leaves);
    struct joined *result = joined_find(&joining, leaves, false);
    if (size > 1 && size <= DYNAMIC_LEAVES_MAX) {
        for (uint32_t s = 2; s <= size && !failed && joining.pairs <= DYNAMIC_PAIRS_MAX; s++) {
            failed = dynamic_size(&joining, s, false, error);
            if (!failed && !joining.of_size[s] && joining.pairs <= DYNAMIC_PAIRS_MAX)
                failed = dynamic_size(&joining, s, true, error);
        }
        result = joined_find(&joining, leaves, false);
        if (!failed && (!result || !result->best) && joining.pairs <= DYNAMIC_PAIRS_MAX) {
            /* Parts that no condition connects. */
            for (uint32_t s = 2; s <= size && !failed && joining.pairs <= DYNAMIC_PAIRS_MAX; s++)
                failed = dynamic_size(&joining, s, true, error);
            result = joined_find(&joining, leaves, false);
        }
    }
    if (!failed && (!result || !result->best))
        failed = greedy(&joining, leaves, &result, error);
    if (failed)
        return failed;
    *path = result->best;
    double least = finishing_cost(level, *path);
    for (uint32_t i = 0; i < result->kept.count; i++) {
        double cost = finishing_cost(level, result->kept.path[i]);
        if (cost > least)
            continue;
        least = cost;
        *path = result->kept.path[i];
    }
    return SQLSTATE_OK;
}
