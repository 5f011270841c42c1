/* Which statement goes where, and how it is called when it is done. */
#include "sqlfront/define/define.h"

#include "sqlfront/define/inside.h"

#include <stdio.h>

/* The words behind CREATE, ALTER, DROP, ... for a kind of thing. */
static const char *kind_tag(ObjectType type)
{
    switch (type) {
    case OBJECT_TABLE:
        return "TABLE";
    case OBJECT_VIEW:
        return "VIEW";
    case OBJECT_MATVIEW:
        return "MATERIALIZED VIEW";
    case OBJECT_INDEX:
        return "INDEX";
    case OBJECT_SEQUENCE:
        return "SEQUENCE";
    case OBJECT_SCHEMA:
        return "SCHEMA";
    case OBJECT_TYPE:
    case OBJECT_ATTRIBUTE:
        return "TYPE";
    case OBJECT_DOMAIN:
        return "DOMAIN";
    case OBJECT_FUNCTION:
        return "FUNCTION";
    case OBJECT_PROCEDURE:
        return "PROCEDURE";
    case OBJECT_ROUTINE:
        return "ROUTINE";
    case OBJECT_DATABASE:
        return "DATABASE";
    case OBJECT_ROLE:
        return "ROLE";
    case OBJECT_EXTENSION:
        return "EXTENSION";
    case OBJECT_TRIGGER:
        return "TRIGGER";
    case OBJECT_RULE:
        return "RULE";
    case OBJECT_POLICY:
        return "POLICY";
    case OBJECT_AGGREGATE:
        return "AGGREGATE";
    case OBJECT_OPERATOR:
        return "OPERATOR";
    default:
        return "TABLE"; /* columns and constraints of tables */
    }
}

static void tag(struct work *work, const char *verb, const char *kind)
{
    snprintf(work->result->tag, sizeof work->result->tag, "%s%s%s", verb, *kind ? " " : "", kind);
}

#define RUN(kind, name, verb, what) \
    case T_##kind:                  \
        tag(work, verb, what);      \
        return name(work, (const kind *)statement, error)

static enum sqlstate run(struct work *work, const Node *statement, struct error *error)
{
    switch (nodeTag(statement)) {
        RUN(CreateStmt, define_create_table, "CREATE", "TABLE");
        RUN(IndexStmt, define_index, "CREATE", "INDEX");
        RUN(CreateSeqStmt, define_create_sequence, "CREATE", "SEQUENCE");
        RUN(AlterSeqStmt, define_alter_sequence, "ALTER", "SEQUENCE");
        RUN(ReindexStmt, define_reindex, "REINDEX", "");
        RUN(DropStmt, define_drop, "DROP", kind_tag(((const DropStmt *)statement)->removeType));
    case T_AlterTableStmt:
        tag(work, "ALTER", kind_tag(((const AlterTableStmt *)statement)->objtype));
        return define_alter_table(work, (const AlterTableStmt *)statement, error);
    case T_RenameStmt: {
        const RenameStmt *rename = (const RenameStmt *)statement;
        bool part = rename->renameType == OBJECT_COLUMN || rename->renameType == OBJECT_TABCONSTRAINT;
        tag(work, "ALTER", kind_tag(part ? rename->relationType : rename->renameType));
        return define_rename(work, rename, error);
    }
        RUN(AlterObjectSchemaStmt, define_alter_schema_of, "ALTER",
            kind_tag(((const AlterObjectSchemaStmt *)statement)->objectType));
        RUN(AlterOwnerStmt, define_alter_owner, "ALTER",
            kind_tag(((const AlterOwnerStmt *)statement)->objectType));
        RUN(CreateRoleStmt, define_create_role, "CREATE", "ROLE");
        RUN(AlterRoleStmt, define_alter_role, "ALTER", "ROLE");
        RUN(ReassignOwnedStmt, define_reassign_owned, "REASSIGN OWNED", "");
        RUN(DropOwnedStmt, define_drop_owned, "DROP OWNED", "");
        RUN(AlterRoleSetStmt, define_role_setting, "ALTER", "ROLE");
        RUN(AlterDatabaseSetStmt, define_database_setting, "ALTER", "DATABASE");
        RUN(DropRoleStmt, define_drop_role, "DROP", "ROLE");
        RUN(GrantRoleStmt, define_grant_role,
            ((const GrantRoleStmt *)statement)->is_grant ? "GRANT" : "REVOKE", "ROLE");
        RUN(GrantStmt, define_grant, ((const GrantStmt *)statement)->is_grant ? "GRANT" : "REVOKE", "");
        RUN(AlterDefaultPrivilegesStmt, define_default_privileges, "ALTER", "DEFAULT PRIVILEGES");
        RUN(CreatedbStmt, define_create_database, "CREATE", "DATABASE");
        RUN(DropdbStmt, define_drop_database, "DROP", "DATABASE");
        RUN(CreateFunctionStmt, define_create_function, "CREATE",
            ((const CreateFunctionStmt *)statement)->is_procedure ? "PROCEDURE" : "FUNCTION");
        RUN(CreateExtensionStmt, define_create_extension, "CREATE", "EXTENSION");
        RUN(ViewStmt, define_view, "CREATE", "VIEW");
        RUN(CreateSchemaStmt, define_create_schema, "CREATE", "SCHEMA");
        RUN(CreateEnumStmt, define_create_enum, "CREATE", "TYPE");
        RUN(AlterEnumStmt, define_alter_enum, "ALTER", "TYPE");
        RUN(CompositeTypeStmt, define_composite, "CREATE", "TYPE");
        RUN(CommentStmt, define_comment, "COMMENT", "");
        RUN(TruncateStmt, define_truncate, "TRUNCATE", "TABLE");
    case T_SelectStmt: {
        CreateTableAsStmt *as = scope_alloc_zeroed(work->scope, sizeof *as);
        SelectStmt **at = (SelectStmt **)&as->query;
        as->type = T_CreateTableAsStmt;
        as->objtype = OBJECT_TABLE;
        as->is_select_into = true;
        as->into = define_into(statement);
        /* The first SELECT has the clause; what it is copied into loses it. */
        for (const SelectStmt *select = (const SelectStmt *)statement; select; select = select->larg) {
            *at = scope_copy(work->scope, select, sizeof *select);
            (*at)->intoClause = NULL;
            at = &(*at)->larg;
        }
        return run(work, (const struct Node *)as, error);
    }
    case T_CreateTableAsStmt: {
        tag(work, "CREATE TABLE AS", ""); /* where there is nothing to do */
        enum sqlstate failed = define_create_table_as(work, (const CreateTableAsStmt *)statement, error);
        return failed;
    }
    default:
        return not_supported(error, "this statement");
    }
}

struct IntoClause *define_into(const struct Node *statement)
{
    const SelectStmt *select = (const SelectStmt *)statement;
    if (!IsA(statement, SelectStmt))
        return NULL;
    while (select->larg)
        select = select->larg;
    return select->intoClause;
}

bool define_handles(const struct Node *statement)
{
    switch (nodeTag(statement)) {
    case T_SelectStmt:
        return define_into(statement) != NULL;
    case T_CreateStmt:
    case T_CreateTableAsStmt:
    case T_IndexStmt:
    case T_ReindexStmt:
    case T_CreateSeqStmt:
    case T_AlterSeqStmt:
    case T_DropStmt:
    case T_CreateRoleStmt:
    case T_AlterRoleStmt:
    case T_ReassignOwnedStmt:
    case T_DropOwnedStmt:
    case T_AlterRoleSetStmt:
    case T_AlterDatabaseSetStmt:
    case T_DropRoleStmt:
    case T_GrantRoleStmt:
    case T_GrantStmt:
    case T_AlterDefaultPrivilegesStmt:
    case T_CreatedbStmt:
    case T_DropdbStmt:
    case T_CreateFunctionStmt:
    case T_CreateExtensionStmt:
    case T_AlterTableStmt:
    case T_RenameStmt:
    case T_AlterObjectSchemaStmt:
    case T_AlterOwnerStmt:
    case T_ViewStmt:
    case T_CreateSchemaStmt:
    case T_CreateEnumStmt:
    case T_AlterEnumStmt:
    case T_CompositeTypeStmt:
    case T_CommentStmt:
    case T_TruncateStmt:
        return true;
    default:
        return false;
    }
}

/* Opens the view and does one thing in it: the statement, or what the end of a transaction asks for. */
static enum sqlstate work_do(const struct define_request *request, struct on_commit *tables, uint32_t *count,
                             struct define_result *result, struct error *error)
{
    struct catalog_view *outside = request->environment->catalog;
    struct work work = {
        .request = request,
        .result = result,
        .scope = request->scope,
        .access = {.catalog = request->catalog,
                   .transaction = request->transaction,
                   .database = request->session->database},
        .session = request->session,
    };
    *result = (struct define_result){.changed = request->changed};
    enum sqlstate failed = catalog_view_open(request->catalog, request->scope, request->transaction,
                                             request->session, request->changed, &work.view, error);
    if (!failed) {
        request->environment->catalog = work.view;
        failed = request->statement ? run(&work, (const Node *)request->statement, error)
                                    : on_commit_run(&work, tables, count, error);
    }
    request->environment->catalog = outside;
    return failed;
}

enum sqlstate define_execute(const struct define_request *request, struct define_result *result,
                             struct error *error)
{
    return work_do(request, NULL, NULL, result, error);
}

enum sqlstate define_on_commit(const struct define_request *request, struct on_commit *tables,
                               uint32_t *count, struct define_result *result, struct error *error)
{
    return work_do(request, tables, count, result, error);
}

/* Everything in the session's temporary schema, then the schema. */
static enum sqlstate drop_temporary(struct work *work, struct error *error)
{
    struct tuples found;
    const struct object schema = {PG_NAMESPACE, work->session->temporary_schema, 0};
    const struct tuple_match match = {PG_DEPEND_REFOBJID, value_integer(schema.oid)};
    const struct tuple_match class = {PG_DEPEND_REFCLASSID, value_integer(PG_NAMESPACE)};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEPEND,
                                       (const struct tuple_match[]){class, match}, 2, &found, error);
    struct object *objects = scope_alloc(work->scope, (found.count + 1) * sizeof *objects);
    for (uint32_t i = 0; !failed && i < found.count; i++)
        objects[i] = (struct object){(uint32_t)found.tuple[i].values[PG_DEPEND_CLASSID].i,
                                     (uint32_t)found.tuple[i].values[PG_DEPEND_OBJID].i, 0};
    if (!failed && found.count)
        failed = objects_drop(work, objects, found.count, true, error);
    return failed ? failed : objects_drop(work, &schema, 1, true, error);
}

enum sqlstate define_end_session(struct world *world, struct catalog *catalog,
                                 const struct catalog_session *session, struct error *error)
{
    if (!session->temporary_schema)
        return SQLSTATE_OK;
    struct scope *scope = scope_open(world->scope, "end of session");
    struct catalog_session own = *session;
    struct environment environment = {.world = world, .type_find = catalog_type_find};
    struct define_result result = {0};
    struct define_request request = {
        .world = world, .scope = scope, .catalog = catalog, .session = &own, .environment = &environment};
    struct work work = {.request = &request, .result = &result, .scope = scope, .session = &own};
    own.role = own.session_role = ROLE_SYNOD;
    const struct transaction_options options = {.isolation = READ_COMMITTED};
    enum sqlstate failed =
        transaction_begin(world, catalog_engine(catalog), scope, &options, &request.transaction, error);
    if (!failed) {
        work.access = (struct tuple_access){
            .catalog = catalog, .transaction = request.transaction, .database = own.database};
        failed = work_look_again(&work, error);
        if (!failed)
            failed = drop_temporary(&work, error);
        catalog_commit_begin(catalog);
        if (failed)
            transaction_rollback(request.transaction);
        else
            failed = transaction_commit(request.transaction, error);
        catalog_commit_end(catalog);
    }
    fiber_close_scope(world->scheduler, scope);
    return failed;
}
