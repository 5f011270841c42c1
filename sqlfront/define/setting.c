/* ALTER ROLE ... SET and ALTER DATABASE ... SET: what sessions of a role, in a database, begin with (pg_db_role_setting). The
 * session has read and checked it; here it is kept, as "name=value". */
#include "sqlfront/define/inside.h"

#include <strings.h>

/* The old list with the setting's new value in its place, or at the end, or without it. */
static enum sqlstate list_renew(struct work *work, const struct value *old, const VariableSetStmt *set,
                                struct value *list, struct error *error)
{
    const char **entries;
    uint32_t count = old ? list_texts(work->scope, old, &entries) : 0, kept = 0;
    const char **all = scope_alloc(work->scope, (count + 1) * sizeof all[0]);
    const char *setting = work->request->setting;
    for (uint32_t i = 0; i < count && set->kind != VAR_RESET_ALL; i++) {
        size_t size = strcspn(entries[i], "=");
        if (strlen(set->name) != size || strncasecmp(entries[i], set->name, size) != 0) {
            all[kept++] = entries[i];
        } else if (setting) {
            all[kept++] = setting;
            setting = NULL;
        }
    }
    if (setting)
        all[kept++] = setting;
    *list = value_null();
    return kept ? list_make_texts(work->scope, TYPE_TEXT, all, kept, list, error) : SQLSTATE_OK;
}

static enum sqlstate keep(struct work *work, uint32_t database, uint32_t role, const VariableSetStmt *set,
                          struct error *error)
{
    struct tuple row;
    struct value list;
    const struct tuple_match matches[] = {{PG_DB_ROLE_SETTING_SETDATABASE, value_integer(database)},
                                          {PG_DB_ROLE_SETTING_SETROLE, value_integer(role)}};
    enum sqlstate failed =
        tuple_find(&work->access, work->scope, PG_DB_ROLE_SETTING, matches, 2, &row, error);
    if (!failed)
        failed = list_renew(work, row.values ? &row.values[PG_DB_ROLE_SETTING_SETCONFIG] : NULL, set, &list,
                            error);
    if (failed || (list.null && !row.values))
        return failed;
    if (list.null)
        return tuple_delete(&work->access, PG_DB_ROLE_SETTING, &row, error);
    struct value values[PG_DB_ROLE_SETTING_COLUMNS] = {[PG_DB_ROLE_SETTING_SETDATABASE] =
                                                           value_integer(database),
                                                       [PG_DB_ROLE_SETTING_SETROLE] = value_integer(role),
                                                       [PG_DB_ROLE_SETTING_SETCONFIG] = list};
    return row.values ? tuple_update(&work->access, PG_DB_ROLE_SETTING, &row, values, error)
                      : tuple_insert(&work->access, PG_DB_ROLE_SETTING, values, error);
}

static enum sqlstate database_oid(struct work *work, const char *name, uint32_t *database,
                                  struct error *error)
{
    *database = 0;
    enum sqlstate failed = name ? catalog_database(work->view, name, database, error) : SQLSTATE_OK;
    if (!failed && name && !*database)
        failed =
            error_set(error, SQLSTATE_PACK('3', 'D', '0', '0', '0'), "database \"%s\" does not exist", name);
    return failed;
}

enum sqlstate define_role_setting(struct work *work, const AlterRoleSetStmt *statement, struct error *error)
{
    uint32_t role = 0, database = 0;
    const struct role *own;
    struct tuple other = {0};
    enum sqlstate failed = statement->role ? role_of_spec(work, statement->role, &role, error) : SQLSTATE_OK;
    if (!failed)
        failed = database_oid(work, statement->database, &database, error);
    if (!failed)
        failed = catalog_role_by_oid(work->view, work->session->role, &own, error);
    if (!failed && role)
        failed = tuple_by_oid(&work->access, work->scope, PG_AUTHID, role, &other, error);
    if (failed)
        return failed;
    bool of_superuser = !role || (other.values && other.values[PG_AUTHID_ROLSUPER].i);
    if (!own->superuser && role != own->oid && (of_superuser || !own->create_role))
        return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
                         !role          ? "must be superuser to alter settings globally"
                         : of_superuser ? "must be superuser to alter superusers"
                                        : "permission denied");
    return keep(work, database, role, statement->setstmt, error);
}

enum sqlstate define_database_setting(struct work *work, const AlterDatabaseSetStmt *statement,
                                      struct error *error)
{
    uint32_t database;
    struct tuple row;
    bool may = false;
    enum sqlstate failed = database_oid(work, statement->dbname, &database, error);
    if (!failed)
        failed = tuple_by_oid(&work->access, work->scope, PG_DATABASE, database, &row, error);
    if (!failed)
        failed = catalog_role_has(work->view, work->session->role, (uint32_t)row.values[PG_DATABASE_DATDBA].i,
                                  &may, error);
    if (!failed && !may)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of database %s",
                           statement->dbname);
    return failed ? failed : keep(work, database, 0, statement->setstmt, error);
}
