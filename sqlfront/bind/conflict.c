/* ON CONFLICT: which unique index decides (infer_arbiter_indexes), and what is done then. */
#include "sqlfront/bind/binder.h"

struct wanted {
    int16_t column[KEY_COLUMNS_MAX];
    uint32_t columns;
    struct expression *expression[KEY_COLUMNS_MAX];
    uint32_t expressions;
    struct expression *where;
};

static bool wanted_bind(struct level *level, const InferClause *infer, struct wanted *wanted)
{
    struct binder *binder = level->binder;
    const ListCell *cell;
    foreach(cell, infer->indexElems)
    {
        const IndexElem *element = lfirst(cell);
        if (wanted->columns == KEY_COLUMNS_MAX || wanted->expressions == KEY_COLUMNS_MAX) {
            fail(binder, SQLSTATE_TOO_MANY_COLUMNS, -1, "cannot use more than %d columns in an index",
                 KEY_COLUMNS_MAX);
            return false;
        }
        if (element->ordering != SORTBY_DEFAULT || element->nulls_ordering != SORTBY_NULLS_DEFAULT) {
            fail(binder, SQLSTATE_INVALID_COLUMN_REFERENCE, -1, "%s is not allowed in ON CONFLICT clause",
                 element->ordering != SORTBY_DEFAULT ? "ASC/DESC" : "NULLS FIRST/LAST");
            return false;
        }
        if (!element->expr) {
            int16_t number = target_column(level, element->name, true);
            if (number < 0)
                return false;
            if (!number) {
                fail(binder, SQLSTATE_UNDEFINED_COLUMN, infer->location, "column \"%s\" does not exist",
                     element->name);
                return false;
            }
            wanted->column[wanted->columns++] = number;
            continue;
        }
        struct expression *bound = expression_bind(level, element->expr, PLACE_INDEX);
        if (!bound)
            return false;
        if (bound->kind == EXPRESSION_COLUMN)
            wanted->column[wanted->columns++] = (int16_t)bound->number;
        else
            wanted->expression[wanted->expressions++] = bound;
    }
    return !infer->whereClause ||
           (wanted->where = where_bind(level, infer->whereClause, PLACE_INDEX_PREDICATE, "WHERE"));
}

/* Whether each part of the index's predicate is a part of the one given. */
static bool implied(const struct expression *predicate, const struct expression *where)
{
    if (!predicate)
        return true;
    if (!where)
        return false;
    if (predicate->kind == EXPRESSION_AND) {
        for (uint32_t i = 0; i < predicate->arguments; i++)
            if (!implied(predicate->argument[i], where))
                return false;
        return true;
    }
    if (where->kind == EXPRESSION_AND) {
        for (uint32_t i = 0; i < where->arguments; i++)
            if (expression_equal(predicate, where->argument[i]))
                return true;
        return false;
    }
    return expression_equal(predicate, where);
}

static bool columns_match(const struct index *index, const struct wanted *wanted)
{
    uint32_t plain = 0;
    for (uint32_t i = 0; i < index->key_columns; i++) {
        if (index->column[i] == 0)
            continue;
        bool there = false;
        for (uint32_t k = 0; k < wanted->columns; k++)
            there |= wanted->column[k] == index->column[i];
        if (!there)
            return false;
        plain++;
    }
    for (uint32_t k = 0; k < wanted->columns; k++) {
        bool there = false;
        for (uint32_t i = 0; i < index->key_columns; i++)
            there |= wanted->column[k] == index->column[i];
        if (!there)
            return false;
    }
    return plain + index->expressions == index->key_columns;
}

static bool expressions_match(const struct index *index, const struct index_bound *bound,
                              const struct wanted *wanted)
{
    for (uint32_t k = 0; k < wanted->expressions; k++) {
        bool there = false;
        for (uint32_t i = 0; i < index->expressions; i++)
            there |= expression_equal(wanted->expression[k], bound->expression[i]);
        if (!there)
            return false;
    }
    for (uint32_t i = 0; i < index->expressions; i++) {
        bool there = false;
        for (uint32_t k = 0; k < wanted->expressions; k++)
            there |= expression_equal(wanted->expression[k], bound->expression[i]);
        if (!there)
            return false;
    }
    return true;
}

static bool fail_deferrable(struct level *level)
{
    fail(level->binder, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
         "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters");
    return false;
}

static bool arbiter_by_columns(struct level *level, const InferClause *infer)
{
    struct query *query = level->query;
    const struct relation *relation = query->range[query->result].relation;
    struct wanted wanted = {0};
    if (!wanted_bind(level, infer, &wanted))
        return false;
    for (uint32_t i = 0; i < relation->indexes; i++) {
        const struct index *index = relation->index[i];
        const struct index_bound *bound = query->bound->index[i];
        if (!index->unique || !index->valid || !columns_match(index, &wanted) ||
            !expressions_match(index, bound, &wanted) || !implied(bound->predicate, wanted.where))
            continue;
        if (!index->immediate)
            return fail_deferrable(level);
        query->conflict_index = index;
        return true;
    }
    fail(level->binder, SQLSTATE_INVALID_COLUMN_REFERENCE, -1,
         "there is no unique or exclusion constraint matching the ON CONFLICT specification");
    return false;
}

static bool arbiter_by_name(struct level *level, const char *name)
{
    struct query *query = level->query;
    const struct relation *relation = query->range[query->result].relation;
    for (uint32_t i = 0; i < relation->constraints; i++) {
        const struct constraint *constraint = &relation->constraint[i];
        if (strcmp(constraint->name, name) != 0)
            continue;
        if (constraint->deferrable)
            return fail_deferrable(level);
        for (uint32_t k = 0; k < relation->indexes; k++)
            if ((constraint->kind == CONSTRAINT_PRIMARY || constraint->kind == CONSTRAINT_UNIQUE) &&
                relation->index[k]->oid == constraint->index) {
                query->conflict_index = relation->index[k];
                return true;
            }
        fail(level->binder, SQLSTATE_WRONG_OBJECT_TYPE, -1,
             "constraint in ON CONFLICT clause has no associated index");
        return false;
    }
    fail(level->binder, SQLSTATE_UNDEFINED_OBJECT, -1, "constraint \"%s\" for table \"%s\" does not exist",
         name, relation->name);
    return false;
}

static bool excluded_add(struct level *level, const struct relation *relation)
{
    uint32_t range;
    Alias alias = {.type = T_Alias, .aliasname = (char *)(uintptr_t) "excluded"};
    RangeVar variable = {
        .type = T_RangeVar, .relname = (char *)(uintptr_t)relation->name, .alias = &alias, .location = -1};
    if (!range_relation_add(level, &variable, relation, &range))
        return false;
    level->query->conflict_excluded = range;
    struct space *space = space_add(level, range, true, true);
    if (level->view)
        space_of_view(level, space, level->view);
    space_push(level, space);
    return true;
}

bool conflict_bind(struct level *level, const OnConflictClause *clause)
{
    struct query *query = level->query;
    const struct relation *relation = query->range[query->result].relation;
    bool update = clause->action == ONCONFLICT_UPDATE;
    query->conflict = update ? CONFLICT_UPDATE : CONFLICT_NOTHING;
    if (update && !clause->infer) {
        fail(level->binder, SQLSTATE_SYNTAX_ERROR, clause->location,
             "ON CONFLICT DO UPDATE requires inference specification or constraint name");
        fail_hint(level->binder, "For example, ON CONFLICT (column_name).");
        return false;
    }
    if (clause->infer && clause->infer->indexElems && !arbiter_by_columns(level, clause->infer))
        return false;
    if (clause->infer && clause->infer->conname && !arbiter_by_name(level, clause->infer->conname))
        return false;
    if (!update)
        return true;
    if (!excluded_add(level, relation) ||
        !assignments_bind(level, clause->targetList, &query->conflict_target, &query->conflict_targets))
        return false;
    return !clause->whereClause ||
           (query->conflict_where = where_bind(level, clause->whereClause, PLACE_WHERE, "WHERE"));
}
