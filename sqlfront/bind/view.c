/* Writing to a view: one that shows rows of one table is written through to it (rewriteTargetView). Views of such views, too. */
#include "sqlfront/bind/binder.h"

static const char *why_not(const struct query *query)
{
    if (query->distinct || query->distinct_on)
        return "Views containing DISTINCT are not automatically updatable.";
    if (query->groups || query->grouping_sets)
        return "Views containing GROUP BY are not automatically updatable.";
    if (query->having)
        return "Views containing HAVING are not automatically updatable.";
    if (query->set)
        return "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.";
    if (query->commons)
        return "Views containing WITH are not automatically updatable.";
    if (query->limit || query->offset)
        return "Views containing LIMIT or OFFSET are not automatically updatable.";
    if (query->has_aggregates)
        return "Views that return aggregate functions are not automatically updatable.";
    if (query->has_windows)
        return "Views that return window functions are not automatically updatable.";
    if (query->has_set_calls)
        return "Views that return set-returning functions are not automatically updatable.";
    const struct range *range = &query->range[0];
    if (query->ranges != 1 || query->froms != 1 || range->sampled ||
        !((range->kind == RANGE_RELATION && range->relation->kind == RELATION_TABLE) || range->from_view))
        return "Views that do not select from a single table or view are not automatically updatable.";
    return NULL;
}

static void *not_updatable(struct level *level, const struct relation *view, uint32_t privileges,
                           const char *why)
{
    struct binder *binder = level->binder;
    bool insert = privileges & PRIVILEGE_INSERT, update = privileges & PRIVILEGE_UPDATE;
    fail(binder, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, -1,
         insert   ? "cannot insert into view \"%s\""
         : update ? "cannot update view \"%s\""
                  : "cannot delete from view \"%s\"",
         view->name);
    fail_detail(binder, "%s", why);
    fail_hint(
        binder,
        insert
            ? "To enable inserting into the view, provide an INSTEAD OF INSERT trigger or an unconditional "
              "ON INSERT DO INSTEAD rule."
        : update
            ? "To enable updating the view, provide an INSTEAD OF UPDATE trigger or an unconditional ON "
              "UPDATE DO INSTEAD rule."
            : "To enable deleting from the view, provide an INSTEAD OF DELETE trigger or an unconditional "
              "ON DELETE DO INSTEAD rule.");
    return NULL;
}

/* A column of the view below, by what that stands for. */
static struct expression *through(void *argument, const struct expression *node, uint32_t level)
{
    const struct view_target *below = argument;
    if (node->kind != EXPRESSION_COLUMN || node->level != level || (uint32_t)node->number > below->columns)
        return NULL;
    return level == 0 ? below->column[node->number - 1] : NULL;
}

static uint64_t *bits(struct binder *binder, uint32_t columns)
{
    return memory(binder, (columns + 64) / 64 * sizeof(uint64_t));
}

static struct view_target *query_target(struct level *level, const struct relation *view,
                                        const struct query *query, uint32_t privileges)
{
    struct binder *binder = level->binder;
    const char *why = why_not(query);
    if (why)
        return not_updatable(level, view, privileges, why);
    const struct range *range = &query->range[0];
    struct view_target *target = memory(binder, sizeof *target), *below = NULL;
    if (range->from_view && !(below = query_target(level, range->relation, range->query, privileges)))
        return NULL;
    target->view = view;
    target->columns_read = below ? below->columns_read : range->columns_read;
    target->throughs = below ? below->throughs + 1 : 1;
    target->through = memory(binder, target->throughs * sizeof(struct range));
    target->through[0] = (struct range){.kind = RANGE_SUBQUERY,
                                        .from_view = true,
                                        .relation = view,
                                        .name = view->name,
                                        .columns = view->columns,
                                        .columns_read = bits(binder, view->columns),
                                        .columns_written = bits(binder, view->columns)};
    for (uint32_t i = 1; i < target->throughs; i++)
        target->through[i] = below->through[i - 1];
    target->table = below ? below->table : range->relation;
    target->columns = query_columns(query);
    target->column = memory(binder, (target->columns + 1) * sizeof(struct expression *));
    for (uint32_t i = 0; i < target->columns; i++) {
        struct expression *column = query_column(query, i)->expression;
        target->column[i] = below ? expression_map(binder->scope, column, through, below, false) : column;
    }
    target->where = query->where;
    if (below && query->where)
        target->where = expression_map(binder->scope, query->where, through, below, false);
    if (below)
        target->where = expression_and(binder->scope, below->where, target->where);
    return target;
}

struct view_target *view_target_find(struct level *level, const struct relation *view, uint32_t privileges)
{
    struct query *query = view_query(level, view);
    return query ? query_target(level, view, query, privileges) : NULL;
}

void view_target_privileges(struct level *level, uint32_t privileges)
{
    struct query *query = level->query;
    struct range *table = &query->range[query->result];
    query->throughs = level->view->throughs;
    query->through = level->view->through;
    for (uint32_t i = 0; i < query->throughs; i++)
        query->through[i].privileges |= privileges;
    memcpy(table->columns_read, level->view->columns_read, (table->columns + 64) / 64 * sizeof(uint64_t));
}

void view_note_read(struct range *view, uint32_t index)
{
    view->privileges |= PRIVILEGE_SELECT;
    view->columns_read[(index + 1) / 64] |= 1ULL << ((index + 1) % 64);
}

int16_t target_column(struct level *level, const char *name, bool insert)
{
    const struct view_target *view = level->view;
    if (!view)
        return relation_column(level->query->range[level->query->result].relation, name);
    for (uint32_t i = 0; i < view->columns; i++) {
        const struct expression *column = view->column[i];
        if (strcmp(view->view->column[i].name, name) != 0)
            continue;
        if (column->kind == EXPRESSION_COLUMN && column->level == 0) {
            view->through->columns_written[(i + 1) / 64] |= 1ULL << ((i + 1) % 64);
            return (int16_t)column->number;
        }
        fail(level->binder, SQLSTATE_FEATURE_NOT_SUPPORTED, -1,
             insert ? "cannot insert into column \"%s\" of view \"%s\""
                    : "cannot update column \"%s\" of view \"%s\"",
             name, view->view->name);
        fail_detail(level->binder,
                    "View columns that are not columns of their base relation are not updatable.");
        return -1;
    }
    return 0;
}

static struct expression *of_range(void *argument, const struct expression *node, uint32_t level)
{
    const struct space *space = argument;
    if (node->kind != EXPRESSION_COLUMN || node->level != level)
        return NULL;
    return level == 0 ? space->column[node->number - 1] : NULL;
}

void space_of_view(struct level *level, struct space *space, const struct view_target *view)
{
    struct binder *binder = level->binder;
    struct expression **column = memory(binder, (view->columns + 1) * sizeof(struct expression *));
    const char **names = memory(binder, (view->columns + 1) * sizeof(char *));
    for (uint32_t i = 0; i < view->columns; i++) {
        names[i] = view->view->column[i].name;
        column[i] = expression_map(binder->scope, view->column[i], of_range, space, false);
    }
    space->through = view->through;
    space->columns = view->columns;
    space->column = column;
    space->names = names;
}
