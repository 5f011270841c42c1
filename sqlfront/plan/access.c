/* How to read a table: whole, or a stretch of its key or of an index; and the same once for each row of another input. */
#include "sqlfront/plan/inside.h"

#include <string.h>

/* ---- what a condition says of a column ---- */

struct bound { /* column <strategy> value */
    int strategy;
    struct expression *value;
    bool any; /* value is an array, of which one element does */
};

/* The value in the column's own representation, or NULL when that may change what is compared. */
static struct expression *value_as(struct planner *planner, const struct type *column,
                                   struct expression *value)
{
    if (type_is_same_key(column, value->type))
        return value;
    bool integers = column->kind == VALUE_INTEGER && column->order == ORDER_INTEGER &&
                    column->category == 'N' && value->type->kind == VALUE_INTEGER &&
                    value->type->order == ORDER_INTEGER && value->type->category == 'N';
    if (integers && value->kind == EXPRESSION_CONSTANT && !value->constant.null) {
        int64_t i = value->constant.i, most = column->width == 2   ? INT16_MAX
                                              : column->width == 4 ? INT32_MAX
                                                                   : INT64_MAX;
        if (i > most || i < -most - 1)
            return NULL;
        return expression_constant(planner->scope, column, value->constant);
    }
    const struct cast *cast = catalog_cast(value->type->oid, column->oid);
    if (!cast || cast->context != 'i' || cast->method != 'f')
        return NULL;
    struct expression *call = expression_make(planner->scope, EXPRESSION_CALL, column);
    call->procedure = procedure_builtin(cast->procedure);
    if (!call->procedure || call->procedure->arguments != 1)
        return NULL;
    call->arguments = 1;
    call->argument = plan_alloc(planner, sizeof *call->argument);
    call->argument[0] = value;
    call->cast_form = call->cast_implicit = true;
    return call;
}

static bool is_column(const struct expression *expression, uint32_t range, int32_t number)
{
    const struct expression *bare = expression_strip_relabel(expression);
    return bare->kind == EXPRESSION_COLUMN && bare->level == 0 && bare->range == range &&
           bare->number == number;
}

static bool usable(const struct expression *value, uint64_t outer)
{
    return subset(expression_ranges(value), outer) &&
           !(expression_facts(value) &
             (FACT_VOLATILE | FACT_SUBQUERY | FACT_AGGREGATE | FACT_WINDOW | FACT_SET_CALL));
}

static int turned(int strategy)
{
    static const int other[] = {0, 5, 4, 3, 2, 1, 6};
    return other[strategy];
}

static struct expression *array_of_list(struct planner *planner, const struct expression *list,
                                        const struct type *element)
{
    const struct type *type = element->array ? type_builtin(element->array) : NULL;
    if (!type)
        return NULL;
    struct expression *array = expression_make(planner->scope, EXPRESSION_ARRAY, type);
    array->arguments = list->arguments - 1;
    array->argument = plan_alloc(planner, array->arguments * sizeof *array->argument);
    for (uint32_t i = 0; i < array->arguments; i++) {
        array->argument[i] = value_as(planner, element, list->argument[i + 1]);
        if (!array->argument[i])
            return NULL;
    }
    return array;
}

static bool bound_of(struct planner *planner, const struct expression *condition, uint32_t range,
                     int32_t number, const struct type *type, uint64_t outer, struct bound *bound)
{
    *bound = (struct bound){0};
    if (condition->kind == EXPRESSION_IN_LIST && is_column(condition->argument[0], range, number)) {
        for (uint32_t i = 1; i < condition->arguments; i++)
            if (!usable(condition->argument[i], outer))
                return false;
        bound->strategy = 3;
        bound->any = true;
        bound->value = array_of_list(planner, condition, type);
        return bound->value != NULL;
    }
    const struct operator* operator= condition->operator;
    if (!operator|| operator->strategy<1 || operator->strategy> 5 || condition->arguments != 2)
        return false;
    if (condition->kind == EXPRESSION_ANY &&
        operator->strategy == 3 && is_column(condition->argument[0], range, number) &&
        usable(condition->argument[1], outer)) {
        const struct expression *array = expression_strip_relabel(condition->argument[1]);
        const struct type *element = type_builtin(array->type->element);
        bound->strategy = 3;
        bound->any = true;
        bound->value = condition->argument[1];
        return element && type_is_same_key(type, element);
    }
    if (condition->kind == EXPRESSION_TEST || condition->kind != EXPRESSION_CALL)
        return false;
    struct expression *value = NULL;
    int strategy = operator->strategy;
    if (is_column(condition->argument[0], range, number) && usable(condition->argument[1], outer)) {
        value = condition->argument[1];
    } else if (is_column(condition->argument[1], range, number) && usable(condition->argument[0], outer)) {
        value = condition->argument[0];
        strategy = turned(strategy);
    }
    if (!value)
        return false;
    bound->strategy = strategy;
    bound->value = value_as(planner, type, value);
    return bound->value != NULL;
}

/* ---- matching an index ---- */

struct match {
    struct plan_bounds bounds;
    bool used[256]; /* by place in the list of conditions */
    double selectivity;
    bool unique; /* one row at most */
};

static void match_range(struct planner *planner, uint32_t range, int32_t number, const struct key_part *part,
                        struct condition **conditions, uint32_t count, uint64_t outer, struct match *match)
{
    for (uint32_t i = 0; i < count && i < 256; i++) {
        struct bound bound;
        if (match->used[i] ||
            !bound_of(planner, conditions[i]->expression, range, number, part->type, outer, &bound) ||
            bound.any || bound.strategy == 3)
            continue;
        /* In an index that descends, what is greater comes first. */
        int strategy = part->descending ? turned(bound.strategy) : bound.strategy;
        bool low = strategy >= 4;
        uint8_t kind = strategy == 4 || strategy == 2 ? BOUND_INCLUSIVE : BOUND_EXCLUSIVE;
        if (low ? match->bounds.low_kind : match->bounds.high_kind)
            continue; /* the other one stays a condition */
        if (low) {
            match->bounds.low_kind = kind;
            match->bounds.low = bound.value;
        } else {
            match->bounds.high_kind = kind;
            match->bounds.high = bound.value;
        }
        match->used[i] = true;
        match->selectivity *= conditions[i]->selectivity;
    }
}

/* How much of the key the conditions pin down; false when nothing. */
static bool match_key(struct level *level, uint32_t range, const int16_t *columns,
                      const struct key_part *parts, uint32_t keys, bool unique, struct condition **conditions,
                      uint32_t count, uint64_t outer, struct match *match)
{
    struct planner *planner = level->planner;
    *match = (struct match){.selectivity = 1};
    match->bounds.equal = plan_alloc(planner, keys * sizeof *match->bounds.equal);
    for (uint32_t k = 0; k < keys; k++) {
        bool found = false;
        if (columns[k] == 0)
            break;
        for (uint32_t i = 0; i < count && i < 256 && !found; i++) {
            struct bound bound;
            if (!bound_of(planner, conditions[i]->expression, range, columns[k], parts[k].type, outer,
                          &bound) ||
                bound.strategy != 3 || (bound.any && match->bounds.any))
                continue;
            match->bounds.equal[k] = bound.value;
            if (bound.any) {
                match->bounds.any = true;
                match->bounds.any_at = k;
            }
            match->used[i] = found = true;
            match->selectivity *= conditions[i]->selectivity;
        }
        if (!found) {
            match_range(planner, range, columns[k], &parts[k], conditions, count, outer, match);
            break;
        }
        match->bounds.equals = k + 1;
    }
    match->unique = unique && match->bounds.equals == keys && !match->bounds.any;
    return match->bounds.equals > 0 || match->bounds.low_kind || match->bounds.high_kind;
}

struct moved_to {
    struct scope *scope;
    uint32_t range;
};

static struct expression *to_range(void *argument, const struct expression *node, uint32_t level)
{
    struct moved_to *to = argument;
    if (node->kind != EXPRESSION_COLUMN || node->level != level)
        return NULL;
    return expression_column(to->scope, to->range, node->number, node->type, node->modifier, node->collation);
}

/* Whether the conditions say what a partial index's predicate says; said[i] (NULL: nobody asks) becomes true for those that do. */
static bool index_applies(struct level *level, uint32_t range, const struct relation *relation, uint32_t at,
                          struct condition **conditions, uint32_t count, bool *said)
{
    const struct index *index = relation->index[at];
    if (!index->valid)
        return false;
    if (!index->predicate_text)
        return true;
    const struct table_bound *bound = relation->bound;
    if (!bound || !bound->index || !bound->index[at] || !bound->index[at]->predicate)
        return false;
    struct moved_to to = {.scope = level->planner->scope, .range = range};
    struct expression *predicate =
        expression_map(to.scope, bound->index[at]->predicate, to_range, &to, false);
    struct expression **parts = NULL;
    uint32_t parts_count = 0;
    conjuncts_split(level->planner, predicate, &parts, &parts_count);
    for (uint32_t p = 0; p < parts_count; p++) {
        uint32_t i = 0;
        while (i < count && !expression_equal(parts[p], conditions[i]->expression))
            i++;
        if (i == count)
            return false;
        if (said)
            said[i] = true;
    }
    return true;
}

/* ---- scans ---- */

static bool is_wanted(const struct level *level, uint32_t range, int32_t number)
{
    return level->wanted[range][number / 64] >> (number % 64) & 1;
}

static uint64_t system_wanted(const struct level *level, uint32_t range)
{
    return level->wanted[range][(COLUMNS_MAX + 64) / 64 + 1];
}

static void scan_columns(struct level *level, uint32_t range, struct path *path, struct plan *plan)
{
    struct planner *planner = level->planner;
    const struct relation *relation = level->query->range[range].relation;
    uint32_t room = relation->columns + 8, wanted = 0;
    int16_t *want = plan_alloc(planner, room * sizeof *want);
    plan->column = plan_alloc(planner, room * sizeof *plan->column);
    plan->column_name = plan_alloc(planner, room * sizeof *plan->column_name);
    path->slot = plan_alloc(planner, room * sizeof *path->slot);
    for (uint32_t c = 0; c < relation->columns; c++)
        if (!relation->column[c].dropped && is_wanted(level, range, (int32_t)c + 1)) {
            plan->column[wanted] = relation->column[c].type;
            plan->column_name[wanted] = relation->column[c].name;
            path->slot[wanted] = (struct slot){range, (int32_t)c + 1};
            want[wanted++] = (int16_t)(c + 1);
        }
    for (int number = 1; number <= 6; number++)
        if (system_wanted(level, range) >> number & 1) {
            static const uint32_t types[] = {0, TYPE_TID, TYPE_XID, TYPE_CID, TYPE_XID, TYPE_CID, TYPE_OID};
            plan->column[wanted] = type_builtin(types[number]);
            path->slot[wanted] = (struct slot){range, -number};
            want[wanted++] = (int16_t)-number;
        }
    plan->wanted = wanted;
    plan->want = want;
    plan->columns = wanted;
    if (level->wants_key[range]) {
        plan->wants_key = true;
        plan->column[wanted] = type_builtin(TYPE_BYTEA);
        path->slot[wanted] = (struct slot){range, ROW_KEY};
        plan->columns++;
    }
    plan->relation = relation;
    plan->alias = level->query->range[range].name;
}

static bool comes_back_whole(const struct type *type)
{
    return (type->kind == VALUE_INTEGER && type->order == ORDER_INTEGER) ||
           (type->kind == VALUE_BYTES && type->order == ORDER_BYTES);
}

/* Whether the index's entries hold all columns the plan wants, as they were written. */
static bool covers(const struct plan *plan, const struct index *index)
{
    for (uint32_t w = 0; w < plan->wanted; w++) {
        bool found = false;
        for (uint32_t c = 0; c < index->columns && !found; c++)
            found = plan->want[w] > 0 && index->column[c] == plan->want[w] &&
                    (c >= index->key_columns || comes_back_whole(index->key_part[c].type));
        if (!found)
            return false;
    }
    return true;
}

static void scan_order(struct level *level, struct path *path, uint32_t range, const int16_t *columns,
                       const struct key_part *parts, uint32_t keys, const struct match *match, bool backward)
{
    path->order = plan_alloc(level->planner, keys * sizeof *path->order);
    path->orders = 0;
    if (match && match->bounds.any)
        return;
    for (uint32_t k = 0; k < keys; k++) {
        int slot = columns[k] > 0 ? path_slot(path, range, columns[k]) : -1;
        bool constant = match && k < match->bounds.equals;
        if (slot < 0 && constant)
            continue;
        if (slot < 0)
            return;
        path->order[path->orders++] = (struct ordering){.slot = (uint32_t)slot,
                                                        .descending = parts[k].descending != backward,
                                                        .nulls_first = parts[k].nulls_first != backward,
                                                        .constant = constant};
    }
}

static enum sqlstate add_condition(struct level *level, struct path *path, struct condition **conditions,
                                   uint32_t count, const bool *used, const bool *said, struct error *error)
{
    struct expression *all = NULL;
    for (uint32_t i = 0; i < count; i++)
        if ((!used || i >= 256 || !used[i]) && (!said || !said[i]))
            all = expression_and(level->planner->scope, all, conditions[i]->expression);
    return all ? level_resolve(level, path, all, &path->plan->condition, error) : SQLSTATE_OK;
}

/* Of the rows read, those that will fail a condition though all of them pass now. */
#define FAILING_SHARE 0.2

struct candidate {
    const struct index *index; /* NULL: the table */
    const int16_t *columns;
    const struct key_part *parts;
    uint32_t keys;
    struct match match;
    bool matches;
    bool *said;   /* conditions that a partial index's predicate says: true of all it holds */
    double share; /* of the table's rows that stand in it */
};

/* Of the conditions that bound the scan, all together: two ends of a range say more than each of them. */
static double used_selectivity(struct level *level, struct condition **conditions, uint32_t count,
                               const struct match *match)
{
    struct expression *all = NULL;
    uint32_t used = 0;
    for (uint32_t i = 0; i < count && i < 256; i++)
        if (match->used[i]) {
            all = expression_and(level->planner->scope, all, conditions[i]->expression);
            used++;
        }
    return used < 2 ? match->selectivity : condition_selectivity(level, all);
}

static enum sqlstate scan_path(struct level *level, uint32_t range, const struct candidate *candidate,
                               bool backward, struct condition **conditions, uint32_t count, double rows_out,
                               struct path **result, struct error *error)
{
    struct planner *planner = level->planner;
    const struct range *from = &level->query->range[range];
    const struct relation *relation = from->relation;
    struct path *path = plan_alloc(planner, sizeof *path);
    struct plan *plan = plan_alloc(planner, sizeof *plan);
    plan->kind = PLAN_SCAN;
    path->plan = plan;
    scan_columns(level, range, path, plan);
    plan->sample_percent = from->sample_percent;
    plan->sample_seed = from->sample_seed;
    plan->sample_system = from->sample_system;
    plan->backward = backward;
    double total = relation_rows(planner, relation) * (candidate ? candidate->share : 1), read = total;
    const struct match *match = candidate && candidate->matches ? &candidate->match : NULL;
    if (match) {
        plan->bounds = match->bounds;
        read = match->unique ? 1 : total * used_selectivity(level, conditions, count, match);
    }
    bool indirect = candidate && candidate->index && !candidate->index->clustered;
    if (candidate && candidate->index)
        plan->index = candidate->index;
    if (candidate)
        scan_order(level, path, range, candidate->columns, candidate->parts, candidate->keys, match,
                   backward);
    plan->index_only = indirect && covers(plan, candidate->index);
    enum sqlstate failed = add_condition(level, path, conditions, count, match ? match->used : NULL,
                                         candidate ? candidate->said : NULL, error);
    if (failed)
        return failed;
    if (read < 1)
        read = 1;
    /* A plan outlives what statistics saw: where all rows pass now, some will not by and by. */
    double failing = plan->condition ? read * FAILING_SHARE : 0;
    path->failing = read - rows_out > failing ? read - rows_out : failing;
    plan->rows = match && match->unique ? 1 : rows_out;
    plan->startup_cost = COST_HOP / 4;
    plan->cost = plan->startup_cost + (match ? COST_LOOKUP : COST_HOP) +
                 read * (COST_SCAN_ROW + (indirect && !plan->index_only ? COST_FETCH : 0)) +
                 read * count * COST_CONDITION;
    *result = path;
    return SQLSTATE_OK;
}

/* The leaf's own conditions: those a scan may ask on the core that owns the rows, or (`above`) the others. */
static uint32_t leaf_conditions(struct level *level, uint32_t range, bool above, struct condition ***list)
{
    uint32_t count = 0;
    *list = plan_alloc(level->planner, (level->conditions + 1) * sizeof **list);
    for (uint32_t i = 0; i < level->conditions; i++) {
        struct condition *condition = &level->condition[i];
        if (condition->special < 0 && condition->required == set_of(range) &&
            above == !!(expression_facts(condition->expression) & (FACT_SUBQUERY | FACT_SESSION))) {
            if (condition->selectivity == 0)
                condition->selectivity = condition_selectivity(level, condition->expression);
            (*list)[count++] = condition;
        }
    }
    return count;
}

static double all_selectivity(struct level *level, struct condition **conditions, uint32_t count)
{
    struct expression *all = NULL;
    if (count == 1 && conditions[0]->selectivity > 0)
        return conditions[0]->selectivity;
    for (uint32_t i = 0; i < count; i++)
        all = expression_and(level->planner->scope, all, conditions[i]->expression);
    return all ? condition_selectivity(level, all) : 1;
}

static void consider(struct path *path, struct path **best)
{
    if (!*best || path->plan->cost < (*best)->plan->cost)
        *best = path;
}

/* A way through the table by one of its indexes; false when the index does not have all rows that are asked for. */
static bool candidate_of_index(struct level *level, uint32_t range, const struct relation *relation,
                               uint32_t at, struct condition **conditions, uint32_t count,
                               struct candidate *candidate)
{
    const struct index *index = relation->index[at];
    struct condition **said = plan_alloc(level->planner, (count + 1) * sizeof *said);
    uint32_t says = 0;
    *candidate = (struct candidate){.index = index,
                                    .columns = index->column,
                                    .parts = index->key_part,
                                    .keys = index->key_columns,
                                    .said = plan_alloc(level->planner, (count + 1) * sizeof(bool)),
                                    .share = 1};
    if (!index_applies(level, range, relation, at, conditions, count, candidate->said))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (candidate->said[i])
            said[says++] = conditions[i];
    if (says)
        candidate->share = all_selectivity(level, said, says);
    return true;
}

/* The same scan, bound to its order: one core after the other reads. */
static struct path *in_order(struct planner *planner, const struct path *scan)
{
    struct path *path = plan_alloc(planner, sizeof *path);
    struct plan *plan = plan_alloc(planner, sizeof *plan);
    *path = *scan;
    *plan = *scan->plan;
    path->plan = plan;
    plan->ordered = true;
    if (planner->request->gather && plan->cost > GATHER_ROWS_MIN * COST_SCAN_ROW)
        plan->cost *= COST_ONE_CORE;
    return path;
}

static enum sqlstate relation_leaf(struct level *level, uint32_t range, struct condition **conditions,
                                   uint32_t count, struct path **best, struct paths *kept,
                                   struct error *error)
{
    struct planner *planner = level->planner;
    const struct relation *relation = level->query->range[range].relation;
    uint32_t candidates = 0;
    struct candidate *list = plan_alloc(planner, (relation->indexes + 1) * sizeof *list);
    bool by_key = false, unique = false;
    for (uint32_t i = 0; i < relation->indexes; i++) {
        if (!candidate_of_index(level, range, relation, i, conditions, count, &list[candidates]))
            continue;
        by_key |= relation->index[i]->clustered;
        candidates++;
    }
    if (!by_key && relation->key_columns > 0)
        list[candidates++] = (struct candidate){.columns = relation->key_column,
                                                .parts = relation->key_part,
                                                .keys = relation->key_columns,
                                                .share = 1};
    for (uint32_t i = 0; i < candidates; i++) {
        struct candidate *c = &list[i];
        bool is_unique = !c->index || (index_is_key(c->index) && !c->index->predicate_text);
        c->matches = match_key(level, range, c->columns, c->parts, c->keys, is_unique, conditions, count, 0,
                               &c->match);
        unique |= c->matches && c->match.unique;
    }
    double rows = 1;
    if (!unique) {
        rows = relation_rows(planner, relation) * all_selectivity(level, conditions, count);
        rows = rows < 1 ? 1 : rows;
    }
    level->leaf_rows[range] = rows;
    struct path *path;
    enum sqlstate failed = SQLSTATE_OK;
    if (!unique) {
        failed = scan_path(level, range, NULL, false, conditions, count, rows, &path, error);
        if (!failed)
            consider(path, best);
    }
    for (uint32_t i = 0; i < candidates && !failed; i++)
        for (int backward = 0; backward < 2 && !failed; backward++) {
            if (backward && !level->wish_orders)
                break;
            failed = scan_path(level, range, &list[i], backward, conditions, count, rows, &path, error);
            if (failed)
                break;
            if (backward && !path_has_order(level, path, level->wish, level->wish_orders))
                continue;
            struct path *ordered = in_order(planner, path);
            if (!backward && list[i].matches) {
                path->orders = 0; /* several cores may read it */
                consider(path, best);
            }
            paths_keep(level, kept, ordered);
        }
    return failed;
}

static enum sqlstate filter_above(struct level *level, struct path **path, struct condition **conditions,
                                  uint32_t count, struct error *error)
{
    if (!*path || count == 0)
        return SQLSTATE_OK;
    struct expression **filters = plan_alloc(level->planner, count * sizeof *filters);
    for (uint32_t i = 0; i < count; i++)
        filters[i] = conditions[i]->expression;
    return level_filter(level, path, filters, count, error);
}

enum sqlstate level_leaf(struct level *level, uint32_t range, struct path **best, struct paths *kept,
                         struct error *error)
{
    struct condition **conditions, **above;
    uint32_t count = leaf_conditions(level, range, false, &conditions);
    uint32_t aboves = leaf_conditions(level, range, true, &above);
    enum sqlstate failed;
    *best = NULL;
    *kept = (struct paths){0};
    if (level->query->range[range].kind == RANGE_RELATION) {
        failed = relation_leaf(level, range, conditions, count, best, kept, error);
    } else {
        failed = level_other_leaf(level, range, best, error);
        if (failed)
            return failed;
        level->leaf_rows[range] = (*best)->plan->rows;
        failed = filter_above(level, best, conditions, count, error);
    }
    if (!failed)
        failed = filter_above(level, best, above, aboves, error);
    for (uint32_t i = 0; i < kept->count && !failed; i++)
        failed = filter_above(level, &kept->path[i], above, aboves, error);
    if (!failed)
        level->leaf_rows[range] = (*best)->plan->rows;
    return failed;
}

/* ---- look-ups ---- */

enum sqlstate level_lookup(struct level *level, struct path *outer, uint32_t range, uint8_t join,
                           struct condition **conditions, uint32_t count, double rows, struct path **best,
                           struct error *error)
{
    struct planner *planner = level->planner;
    const struct range *from = &level->query->range[range];
    *best = NULL;
    if (from->kind != RANGE_RELATION || from->sample_percent)
        return SQLSTATE_OK;
    const struct relation *relation = from->relation;
    struct condition **own, **all;
    if (leaf_conditions(level, range, true, &own) > 0)
        return SQLSTATE_OK;
    uint32_t owns = leaf_conditions(level, range, false, &own), alls = 0;
    all = plan_alloc(planner, (owns + count + 1) * sizeof *all);
    for (uint32_t i = 0; i < count; i++)
        all[alls++] = conditions[i];
    for (uint32_t i = 0; i < owns; i++)
        all[alls++] = own[i];
    uint64_t outer_ranges = ~set_of(range);
    double total = relation_rows(planner, relation);
    for (uint32_t i = 0; i <= relation->indexes; i++) {
        const struct index *index = i < relation->indexes ? relation->index[i] : NULL;
        if (index && !index_applies(level, range, relation, i, all, alls, NULL))
            continue;
        if (!index && relation->key_columns == 0)
            continue;
        const int16_t *columns = index ? index->column : relation->key_column;
        const struct key_part *parts = index ? index->key_part : relation->key_part;
        uint32_t keys = index ? index->key_columns : relation->key_columns;
        struct match match;
        if (!match_key(level, range, columns, parts, keys,
                       !index || (index_is_key(index) && !index->predicate_text), all, alls, outer_ranges,
                       &match) ||
            match.bounds.equals == 0 || match.bounds.any)
            continue;
        bool depends = false;
        for (uint32_t k = 0; k < match.bounds.equals; k++)
            depends |= expression_ranges(match.bounds.equal[k]) != 0;
        if (!depends)
            continue;
        struct path inner = {0}, *path = plan_alloc(planner, sizeof *path);
        struct plan *plan = plan_alloc(planner, sizeof *plan), inner_plan = {0};
        inner.plan = &inner_plan;
        scan_columns(level, range, &inner, &inner_plan);
        *plan = inner_plan;
        plan->kind = PLAN_LOOKUP_JOIN;
        plan->join = join;
        plan->index = index;
        plan->input[0] = outer->plan;
        bool indirect = index && !index->clustered;
        plan->index_only = indirect && covers(&inner_plan, index);
        uint32_t left = outer->plan->columns, columns_all = left + inner_plan.columns;
        /* Conditions are over both; a semi or anti join gives the left side only. */
        path->plan = plan;
        path->slot = plan_alloc(planner, columns_all * sizeof *path->slot);
        plan->column = plan_alloc(planner, columns_all * sizeof *plan->column);
        plan_copy(path->slot, outer->slot, left * sizeof *path->slot);
        plan_copy(path->slot + left, inner.slot, inner_plan.columns * sizeof *path->slot);
        plan_copy(plan->column, outer->plan->column, left * sizeof *plan->column);
        plan_copy(plan->column + left, inner_plan.column, inner_plan.columns * sizeof *plan->column);
        plan->columns = columns_all;
        plan->bounds = match.bounds;
        plan->bounds.equal = plan_alloc(planner, match.bounds.equals * sizeof *plan->bounds.equal);
        enum sqlstate failed = SQLSTATE_OK;
        for (uint32_t k = 0; k < match.bounds.equals && !failed; k++)
            failed = level_resolve(level, outer, match.bounds.equal[k], &plan->bounds.equal[k], error);
        if (!failed && match.bounds.low)
            failed = level_resolve(level, outer, match.bounds.low, &plan->bounds.low, error);
        if (!failed && match.bounds.high)
            failed = level_resolve(level, outer, match.bounds.high, &plan->bounds.high, error);
        if (!failed)
            failed = add_condition(level, path, all, alls, match.used, NULL, error);
        if (failed)
            return failed;
        if (join == JOIN_SEMI || join == JOIN_ANTI)
            plan->columns = left;
        double per_row = match.unique ? 1 : total * match.selectivity;
        per_row = per_row < 0.1 ? 0.1 : per_row;
        plan->rows = rows;
        plan->cost =
            outer->plan->cost + COST_HOP +
            outer->plan->rows *
                (COST_LOOKUP + per_row * (COST_FOUND_ROW + (indirect && !plan->index_only ? COST_FETCH : 0)));
        path->orders = outer->orders;
        path->order = outer->order;
        consider(path, best);
    }
    return SQLSTATE_OK;
}
