/* Our own queries: statements whose text is ours, with text parameters, into cells. */
#include "restgw/api/inside.h"

enum sqlstate query_run(struct rest *rest, struct scope *scope, const char *sql, const char *const *values,
                        uint32_t count, struct table *table, struct error *error)
{
    struct result *before = rest->result;
    struct result *result = scope_alloc(scope, sizeof *result);
    struct bytes *forms = scope_alloc(scope, (count + 1) * sizeof *forms);
    for (uint32_t i = 0; i < count; i++)
        forms[i] = values[i] ? bytes_of_text(values[i]) : (struct bytes){0};
    const struct session_bind bind = {.portal = "", .statement = "", .parameters = count, .values = forms};
    result_begin(result, rest, scope, RESULT_CELLS);
    enum sqlstate failed = session_prepare(rest->session, "", sql, NULL, 0, error);
    if (!failed)
        failed = session_bind(rest->session, &bind, error);
    if (!failed)
        failed = session_execute(rest->session, "", 0, error);
    rest->result = before;
    if (table)
        *table = result->table;
    return failed;
}

enum sqlstate query_once(struct rest *rest, struct scope *scope, const char *sql, const char *const *values,
                         uint32_t count, struct table *table, struct error *error)
{
    enum sqlstate failed = cursors_settle(rest, error);
    if (!failed)
        failed = query_run(rest, scope, sql, values, count, table, error);
    struct error second = {0};
    enum sqlstate synced = session_sync(rest->session, failed != SQLSTATE_OK, &second);
    if (!failed && synced) {
        *error = second;
        failed = synced;
    }
    return failed;
}

enum sqlstate query_house(struct api *api, struct scope *scope, const char *database, const char *sql,
                          const char *const *values, uint32_t count, struct table *table, struct error *error)
{
    struct rest *rest;
    enum sqlstate failed = one_off_take(api, "synod", database, "", &rest, error);
    if (failed)
        return failed;
    failed = query_once(rest, scope, sql, values, count, table, error);
    one_off_give(rest);
    return failed;
}
