/* CREATE EXTENSION of those whose functions are built in: what they bring are rows of pg_proc that name functions of the
 * library. */
#include "sqlfront/define/inside.h"

#define LANGUAGE_INTERNAL 12

/* A function without arguments. */
struct brought {
    const char *name, *source;
    uint32_t result;
};

static const struct extension {
    const char *name, *version;
    struct brought functions[2];
} extensions[] = {
    {"uuid-ossp", "1.1", {{"uuid_generate_v4", "gen_random_uuid", TYPE_UUID}}},
    {"pgcrypto", "1.3", {{0}}}, /* gen_random_uuid() is there already; its ciphers are not */
};

static enum sqlstate function_insert(struct work *work, const struct brought *brought, uint32_t schema,
                                     uint32_t extension, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_PROC);
    uint32_t oid;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (failed)
        return failed;
    values[PG_PROC_OID] = value_integer(oid);
    values[PG_PROC_PRONAME] = tuple_text(work->scope, brought->name);
    values[PG_PROC_PRONAMESPACE] = value_integer(schema);
    values[PG_PROC_PROOWNER] = value_integer(work->session->role);
    values[PG_PROC_PROLANG] = value_integer(LANGUAGE_INTERNAL);
    values[PG_PROC_PROCOST] = value_float(1);
    values[PG_PROC_PROROWS] = value_float(0);
    values[PG_PROC_PROVARIADIC] = value_integer(0);
    values[PG_PROC_PROSUPPORT] = value_integer(0);
    values[PG_PROC_PROKIND] = value_integer('f');
    values[PG_PROC_PROSECDEF] = value_boolean(false);
    values[PG_PROC_PROLEAKPROOF] = value_boolean(false);
    values[PG_PROC_PROISSTRICT] = value_boolean(true);
    values[PG_PROC_PRORETSET] = value_boolean(false);
    values[PG_PROC_PROVOLATILE] = value_integer('v');
    values[PG_PROC_PROPARALLEL] = value_integer('s');
    values[PG_PROC_PRONARGS] = value_integer(0);
    values[PG_PROC_PRONARGDEFAULTS] = value_integer(0);
    values[PG_PROC_PRORETTYPE] = value_integer(brought->result);
    values[PG_PROC_PROSRC] = tuple_text(work->scope, brought->source);
    failed = list_make(work->scope, TYPE_OID, true, NULL, 0, &values[PG_PROC_PROARGTYPES], error);
    if (!failed)
        failed = tuple_insert(&work->access, PG_PROC, values, error);
    if (!failed)
        failed = depend(work, (struct object){PG_PROC, oid, 0}, (struct object){PG_EXTENSION, extension, 0},
                        'e', error);
    return failed;
}

static enum sqlstate extension_insert(struct work *work, const struct extension *extension, uint32_t schema,
                                      struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_EXTENSION);
    uint32_t oid;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (failed)
        return failed;
    values[PG_EXTENSION_OID] = value_integer(oid);
    values[PG_EXTENSION_EXTNAME] = tuple_text(work->scope, extension->name);
    values[PG_EXTENSION_EXTOWNER] = value_integer(work->session->role);
    values[PG_EXTENSION_EXTNAMESPACE] = value_integer(schema);
    values[PG_EXTENSION_EXTRELOCATABLE] = value_boolean(true);
    values[PG_EXTENSION_EXTVERSION] = tuple_text(work->scope, extension->version);
    failed = tuple_insert(&work->access, PG_EXTENSION, values, error);
    if (!failed)
        failed = depend(work, (struct object){PG_EXTENSION, oid, 0}, (struct object){PG_NAMESPACE, schema, 0},
                        'n', error);
    for (size_t i = 0; i < 2 && !failed && extension->functions[i].name; i++)
        failed = function_insert(work, &extension->functions[i], schema, oid, error);
    return failed;
}

enum sqlstate define_create_extension(struct work *work, const CreateExtensionStmt *statement,
                                      struct error *error)
{
    const struct extension *extension = NULL;
    const char *schema_name = NULL;
    uint32_t schema;
    struct tuple found;
    ListCell *cell;
    struct tuple_match match = {PG_EXTENSION_EXTNAME, value_text(statement->extname)};
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (strcmp(extensions[i].name, statement->extname) == 0)
            extension = &extensions[i];
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_EXTENSION, &match, 1, &found, error);
    if (failed)
        return failed;
    if (found.values && statement->if_not_exists) {
        work_notice(work, SQLSTATE_DUPLICATE_OBJECT, "extension \"%s\" already exists, skipping",
                    statement->extname);
        return SQLSTATE_OK;
    }
    if (found.values)
        return error_set(error, SQLSTATE_DUPLICATE_OBJECT, "extension \"%s\" already exists",
                         statement->extname);
    if (!extension)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "extension \"%s\" is not available",
                         statement->extname);
    foreach(cell, statement->options) if (strcmp(((const DefElem *)lfirst(cell))->defname, "schema") == 0)
        schema_name = strVal(((const DefElem *)lfirst(cell))->arg);
    failed = creation_schema(work, schema_name, 'p', &schema, error);
    if (!failed)
        failed = extension_insert(work, extension, schema, error);
    return failed ? failed : work_look_again(work, error);
}
