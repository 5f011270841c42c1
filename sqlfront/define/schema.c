/* CREATE SCHEMA. */
#include "sqlfront/define/inside.h"

static enum sqlstate schema_insert(struct work *work, const char *name, uint32_t owner, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_NAMESPACE);
    uint32_t oid;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (failed)
        return failed;
    values[PG_NAMESPACE_OID] = value_integer(oid);
    values[PG_NAMESPACE_NSPNAME] = tuple_text(work->scope, name);
    values[PG_NAMESPACE_NSPOWNER] = value_integer(owner);
    failed = tuple_insert(&work->access, PG_NAMESPACE, values, error);
    return failed ? failed : depend_on_owner(work, (struct object){PG_NAMESPACE, oid, 0}, owner, error);
}

enum sqlstate define_create_schema(struct work *work, const CreateSchemaStmt *statement, struct error *error)
{
    const char *name = statement->schemaname;
    uint32_t owner = work->session->role, oid, granted;
    struct tuple database;
    enum sqlstate failed = SQLSTATE_OK;
    if (statement->authrole)
        failed = role_of_spec(work, statement->authrole, &owner, error);
    if (!failed && !name)
        failed = role_name_of(work, owner, &name, error);
    if (!failed)
        failed =
            tuple_by_oid(&work->access, work->scope, PG_DATABASE, work->access.database, &database, error);
    if (failed)
        return failed;
    failed =
        privileges_on(work->view, work->session->role, (uint32_t)database.values[PG_DATABASE_DATDBA].i, 'd',
                      access_list_text(work->scope, &database.values[PG_DATABASE_DATACL]), &granted, error);
    if (!failed && !(granted & PRIVILEGE_CREATE))
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for database %s",
                           text_of(work->scope, &database.values[PG_DATABASE_DATNAME]));
    if (!failed && strncmp(name, "pg_", 3) == 0) {
        failed = error_set(error, SQLSTATE_RESERVED_NAME, "unacceptable schema name \"%s\"", name);
        error_add(error, ERROR_DETAIL, "The prefix \"pg_\" is reserved for system schemas.");
    }
    if (!failed)
        failed = catalog_schema(work->view, name, &oid, error);
    if (failed)
        return failed;
    if (oid && statement->if_not_exists) {
        work_notice(work, SQLSTATE_DUPLICATE_SCHEMA, "schema \"%s\" already exists, skipping", name);
        return SQLSTATE_OK;
    }
    if (oid)
        return error_set(error, SQLSTATE_DUPLICATE_SCHEMA, "schema \"%s\" already exists", name);
    if (statement->schemaElts)
        return not_supported(error, "CREATE SCHEMA with elements");
    failed = schema_insert(work, name, owner, error);
    return failed ? failed : work_look_again(work, error);
}
