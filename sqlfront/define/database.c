/* CREATE DATABASE and DROP DATABASE: a new one begins with what PostgreSQL brings (template0, template1), in the
 * statement's own transaction. */
#include "sqlfront/define/inside.h"

#include "sqlfront/catalog/bootstrap.h"
#include "sqlfront/catalog/builtin.h"
#include "sqlfront/define/drop.h"

#include <strings.h>

static enum sqlstate read_options(struct work *work, const CreatedbStmt *statement, uint32_t *owner,
                                  struct value *values, struct error *error)
{
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, statement->options)
    {
        const DefElem *option = lfirst(cell);
        const char *name = option->defname;
        const char *word = option->arg && IsA(option->arg, String) ? strVal(option->arg) : NULL;
        if (strcmp(name, "owner") == 0 && word) {
            const struct role *role;
            failed = catalog_role(work->view, word, &role, error);
            if (!failed && !role)
                failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT, "role \"%s\" does not exist", word);
            *owner = failed ? 0 : role->oid;
        } else if (strcmp(name, "template") == 0 && word) {
            if (strcmp(word, "template0") != 0 && strcmp(word, "template1") != 0)
                failed = not_supported(error, "a database as template");
        } else if (strcmp(name, "encoding") == 0 && word) {
            if (strcasecmp(word, "UTF8") != 0 && strcasecmp(word, "UTF-8") != 0 &&
                strcasecmp(word, "UNICODE") != 0)
                failed = not_supported(error, "an encoding other than UTF8");
        } else if (strcmp(name, "connection_limit") == 0) {
            values[PG_DATABASE_DATCONNLIMIT] = value_integer(intVal(option->arg));
        } else if (strcmp(name, "is_template") == 0) {
            values[PG_DATABASE_DATISTEMPLATE] = value_boolean(
                option->arg && (IsA(option->arg, Boolean) ? boolVal(option->arg)
                                : word ? strcasecmp(word, "true") == 0 || strcasecmp(word, "on") == 0
                                       : intVal(option->arg) != 0));
        }
        /* Locales: every one is the "C" that all databases have. */
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

enum sqlstate define_create_database(struct work *work, const CreatedbStmt *statement, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_DATABASE);
    uint32_t owner = work->session->role, oid, taken;
    const struct role *role;
    if (work->request->in_block)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "CREATE DATABASE cannot run inside a transaction block");
    enum sqlstate failed = catalog_role_by_oid(work->view, work->session->role, &role, error);
    if (!failed && !(role && (role->superuser || role->create_database)))
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied to create database");
    if (!failed)
        failed = catalog_database(work->view, statement->dbname, &taken, error);
    if (!failed && taken)
        failed = error_set(error, SQLSTATE_DUPLICATE_DATABASE, "database \"%s\" already exists",
                           statement->dbname);
    if (!failed)
        failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (failed)
        return failed;
    database_row(work->scope, values, oid, statement->dbname, owner);
    if ((failed = read_options(work, statement, &owner, values, error)))
        return failed;
    values[PG_DATABASE_DATDBA] = value_integer(owner);
    failed = tuple_insert(&work->access, PG_DATABASE, values, error);
    if (!failed)
        failed = depend_on_owner(work, (struct object){PG_DATABASE, oid, 0}, owner, error);
    if (!failed)
        failed = database_fill(work->request->catalog, work->access.transaction, oid, error);
    return failed ? failed : work_look_again(work, error);
}

/* Every table of the engine that holds something of the database. */
static enum sqlstate stores_drop(struct work *work, uint32_t database, struct error *error)
{
    struct tuples found;
    struct tuple_access inside = {
        .catalog = work->request->catalog, .transaction = work->access.transaction, .database = database};
    enum sqlstate failed = tuples_find(&inside, work->scope, PG_CLASS, NULL, 0, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        uint32_t oid = (uint32_t)row[PG_CLASS_OID].i, file = (uint32_t)row[PG_CLASS_RELFILENODE].i;
        bool table = row[PG_CLASS_RELKIND].i == RELATION_TABLE;
        if (file && (oid >= OID_USER_FIRST || (table && !system_relation_find(oid) && oid > 12000)))
            failed = table_drop(inside.transaction, store_number(database, file), error);
    }
    for (uint32_t i = 0; !failed && i < system_relations_count; i++) {
        const struct system_relation *shape = &system_relations[i];
        if (shape->shared)
            continue;
        failed = table_drop(inside.transaction, store_number(database, shape->oid), error);
        for (uint32_t k = 0; k < shape->indexes && !failed; k++)
            if (!shape->index[k].primary)
                failed = table_drop(inside.transaction, store_number(database, shape->index[k].oid), error);
    }
    return failed;
}

enum sqlstate define_drop_database(struct work *work, const DropdbStmt *statement, struct error *error)
{
    struct tuple row;
    bool has;
    struct tuple_match match = {PG_DATABASE_DATNAME, value_text(statement->dbname)};
    if (work->request->in_block)
        return error_set(error, SQLSTATE_ACTIVE_SQL_TRANSACTION,
                         "DROP DATABASE cannot run inside a transaction block");
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_DATABASE, &match, 1, &row, error);
    if (failed)
        return failed;
    if (!row.values && statement->missing_ok) {
        work_notice(work, SQLSTATE_OK, "database \"%s\" does not exist, skipping", statement->dbname);
        return SQLSTATE_OK;
    }
    if (!row.values)
        return error_set(error, SQLSTATE_UNDEFINED_DATABASE, "database \"%s\" does not exist",
                         statement->dbname);
    uint32_t oid = (uint32_t)row.values[PG_DATABASE_OID].i;
    failed = catalog_role_has(work->view, work->session->role, (uint32_t)row.values[PG_DATABASE_DATDBA].i,
                              &has, error);
    if (!failed && !has)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of database %s",
                           statement->dbname);
    if (!failed && oid == work->access.database)
        failed = error_set(error, SQLSTATE_OBJECT_IN_USE, "cannot drop the currently open database");
    if (!failed && row.values[PG_DATABASE_DATISTEMPLATE].i)
        failed = error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "cannot drop a template database");
    if (!failed)
        failed = stores_drop(work, oid, error);
    if (!failed)
        failed = tuple_delete(&work->access, PG_DATABASE, &row, error);
    if (!failed)
        failed = owner_forget(work, (struct object){PG_DATABASE, oid, 0}, error);
    return failed ? failed : work_look_again(work, error);
}
