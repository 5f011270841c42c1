/* What must hold each time a recipe is run, whoever made it: that the session may read and write what the query does, and writes at
 * all. */
#include "sqlfront/inside.h"

#include "sqlfront/algebra/walk.h"

/* The words PostgreSQL calls a statement by when it may not run. */
static const char *query_words(const struct query *query)
{
    switch (query->kind) {
    case QUERY_INSERT:
        return "INSERT";
    case QUERY_UPDATE:
        return "UPDATE";
    case QUERY_DELETE:
        return "DELETE";
    case QUERY_MERGE:
        return "MERGE";
    default:
        break;
    }
    if (query->locks == 0)
        return "SELECT";
    switch (query->lock[0].strength) {
    case LOCK_KEY_SHARE:
        return "SELECT FOR KEY SHARE";
    case LOCK_SHARE:
        return "SELECT FOR SHARE";
    case LOCK_NO_KEY_UPDATE:
        return "SELECT FOR NO KEY UPDATE";
    default:
        return "SELECT FOR UPDATE";
    }
}

/* Column privileges: the numbers whose bits are set. */
static uint32_t columns_list(const struct range *range, const uint64_t *bits, int16_t *numbers)
{
    uint32_t count = 0;
    for (uint32_t i = 1; bits && i <= range->columns; i++)
        if (bits[i / 64] >> (i % 64) & 1)
            numbers[count++] = (int16_t)i;
    return count;
}

/* Schemas of the search path were looked at when it was put together. */
static enum sqlstate schema_check(struct catalog_view *view, const struct relation *relation,
                                  struct error *error)
{
    const struct catalog_session *session = catalog_view_session(view);
    for (uint32_t i = 0; i < session->search_path_count; i++)
        if (session->search_path[i] == relation->schema)
            return SQLSTATE_OK;
    return catalog_check_schema(view, relation->schema, PRIVILEGE_USAGE, error);
}

/* `role` 0: the session's. In a view nobody looks at schemas. */
static enum sqlstate range_check(struct catalog_view *view, struct scope *work, const struct range *range,
                                 uint32_t role, struct error *error)
{
    const uint32_t written = PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES;
    int16_t *numbers = scope_alloc(work, (range->columns + 1) * sizeof *numbers);
    uint32_t reads = range->privileges & PRIVILEGE_SELECT, writes = range->privileges & written;
    uint32_t others = range->privileges & ~(reads | writes), count;
    enum sqlstate failed = role ? SQLSTATE_OK : schema_check(view, range->relation, error);
    if (!failed && others)
        failed = catalog_check_relation(view, role, range->relation, others, NULL, 0, error);
    if (!failed && writes) {
        count = columns_list(range, range->columns_written, numbers);
        failed =
            catalog_check_relation(view, role, range->relation, writes, count ? numbers : NULL, count, error);
    }
    if (!failed && reads) {
        count = columns_list(range, range->columns_read, numbers);
        failed =
            catalog_check_relation(view, role, range->relation, reads, count ? numbers : NULL, count, error);
    }
    return failed;
}

static void check_expression(struct walk *walk, struct expression **place)
{
    walk_expression(walk, *place);
}

/* Everything a query reads and writes, subqueries wherever they stand; what stands in a view is asked of its owner. */
struct privileges_walk {
    struct walk walk;
    struct catalog_view *view;
    struct scope *work;
    const struct query *query;
    uint32_t role; /* whose privileges count; 0 = the session's */
    enum sqlstate failed;
    struct error *error;
};

static void query_check(struct privileges_walk *check, const struct query *query)
{
    const struct query *above = check->query;
    uint32_t of_target = check->role;
    check->query = query;
    for (uint32_t i = 0; i < query->throughs && !check->failed; i++) {
        check->failed = range_check(check->view, check->work, &query->through[i], of_target, check->error);
        of_target = query->through[i].relation->owner;
    }
    for (uint32_t i = 0; i < query->ranges && !check->failed; i++) {
        const struct range *range = &query->range[i];
        bool target = query->kind != QUERY_SELECT && i == query->result;
        if (range->relation && range->privileges)
            check->failed =
                range_check(check->view, check->work, range, target ? of_target : check->role, check->error);
    }
    if (!check->failed)
        walk_query(&check->walk, (struct query *)query);
    check->query = above;
}

static void check_query(struct walk *walk, struct query **place)
{
    struct privileges_walk *check = (struct privileges_walk *)walk;
    uint32_t role = check->role;
    for (uint32_t i = 0; i < check->query->ranges; i++)
        if (check->query->range[i].query == *place && check->query->range[i].from_view)
            check->role = check->query->range[i].relation->owner;
    if (!check->failed)
        query_check(check, *place);
    check->role = role;
}

enum sqlstate recipe_check(struct session *session, const struct recipe *recipe, struct catalog_view *view,
                           struct error *error)
{
    if (session->read_only && !recipe->planned->reads_only)
        return error_set(error, SQLSTATE_READ_ONLY_SQL_TRANSACTION,
                         "cannot execute %s in a read-only transaction", query_words(recipe->query));
    if (session->superuser && !recipe->through_views)
        return SQLSTATE_OK;
    struct scope *work = scope_open(session->scope, "privileges");
    struct privileges_walk check = {.walk = {.expression = check_expression, .query = check_query},
                                    .view = view,
                                    .work = work,
                                    .error = error};
    query_check(&check, recipe->query);
    scope_close(work);
    return check.failed;
}
