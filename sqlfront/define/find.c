/* Finding things by kind and name. */
#include "sqlfront/define/find.h"

#include "sqlfront/define/drop.h"

enum sqlstate column_found(const struct relation *relation, const char *name, const struct column **column,
                           struct error *error)
{
    for (uint32_t c = 0; c < relation->columns; c++)
        if (!relation->column[c].dropped && strcmp(relation->column[c].name, name) == 0) {
            *column = &relation->column[c];
            return SQLSTATE_OK;
        }
    return error_set(error, SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist",
                     name, relation->name);
}

enum sqlstate constraint_found(const struct relation *relation, const char *name, bool missing_ok,
                               const struct constraint **constraint, struct error *error)
{
    *constraint = NULL;
    for (uint32_t i = 0; i < relation->constraints; i++)
        if (strcmp(relation->constraint[i].name, name) == 0)
            *constraint = &relation->constraint[i];
    if (*constraint || missing_ok)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "constraint \"%s\" of relation \"%s\" does not exist",
                     name, relation->name);
}

static enum sqlstate relation_object(struct work *work, ObjectType kind, const List *name,
                                     struct object *object, struct error *error)
{
    const struct relation *relation;
    enum sqlstate failed = relation_named(work, range_var_of_list(work->scope, name),
                                          LOCK_SHARE_UPDATE_EXCLUSIVE, false, &relation, error);
    char wanted = kind == OBJECT_VIEW       ? RELATION_VIEW
                  : kind == OBJECT_INDEX    ? RELATION_INDEX
                  : kind == OBJECT_SEQUENCE ? RELATION_SEQUENCE
                                            : RELATION_TABLE;
    if (!failed && relation->kind != wanted)
        failed = error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not %s %s", relation->name,
                           wanted == RELATION_INDEX ? "an" : "a", relation_kind_word(wanted));
    if (!failed)
        failed = relation_check_owned(work, relation, error);
    if (!failed)
        *object = (struct object){PG_CLASS, relation->oid, 0};
    return failed;
}

/* A part of a relation: the last name is the part's. */
static enum sqlstate relation_of_part(struct work *work, const List *names, const struct relation **relation,
                                      const char **part, struct error *error)
{
    int count = list_length(names);
    RangeVar *name = scope_alloc_zeroed(work->scope, sizeof *name);
    *part = strVal(list_nth(names, count - 1));
    if (count < 2)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "column name must be qualified");
    name->type = T_RangeVar;
    name->relname = strVal(list_nth(names, count - 2));
    name->schemaname = count > 2 ? strVal(list_nth(names, count - 3)) : NULL;
    name->location = -1;
    enum sqlstate failed = relation_named(work, name, LOCK_SHARE_UPDATE_EXCLUSIVE, false, relation, error);
    return failed ? failed : relation_check_owned(work, *relation, error);
}

static enum sqlstate named_row(struct work *work, uint32_t catalog, int column, const char *name,
                               const char *word, enum sqlstate missing, struct object *object,
                               struct error *error)
{
    struct tuple found;
    struct tuple_match match = {column, value_text(name)};
    enum sqlstate failed = tuple_find(&work->access, work->scope, catalog, &match, 1, &found, error);
    if (!failed && !found.values)
        failed = error_set(error, missing, "%s \"%s\" does not exist", word, name);
    if (!failed)
        *object = (struct object){catalog, (uint32_t)found.values[0].i, 0};
    return failed;
}

static enum sqlstate check_row_owner(struct work *work, const struct object *object, int column,
                                     const char *word, const char *name, struct error *error)
{
    struct tuple row;
    bool has = false;
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, object->class, object->oid, &row, error);
    if (!failed && row.values)
        failed =
            catalog_role_has(work->view, work->session->role, (uint32_t)row.values[column].i, &has, error);
    if (!failed && !has)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of %s %s", word, name);
    return failed;
}

enum sqlstate object_named(struct work *work, ObjectType kind, const Node *node, struct object *object,
                           struct error *error)
{
    const struct relation *relation;
    const struct column *column;
    const struct constraint *constraint;
    const struct procedure *procedure;
    const struct type *type;
    const char *name, *schema;
    enum sqlstate failed;
    *object = (struct object){0};
    switch (kind) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_INDEX:
    case OBJECT_SEQUENCE:
        return relation_object(work, kind, (const List *)node, object, error);
    case OBJECT_COLUMN:
        failed = relation_of_part(work, (const List *)node, &relation, &name, error);
        if (!failed)
            failed = column_found(relation, name, &column, error);
        if (!failed)
            *object = (struct object){PG_CLASS, relation->oid, column->number};
        return failed;
    case OBJECT_TABCONSTRAINT:
        failed = relation_of_part(work, (const List *)node, &relation, &name, error);
        if (!failed)
            failed = constraint_found(relation, name, false, &constraint, error);
        if (!failed)
            *object = (struct object){PG_CONSTRAINT, constraint->oid, 0};
        return failed;
    case OBJECT_SCHEMA:
        name = strVal(node);
        failed = named_row(work, PG_NAMESPACE, PG_NAMESPACE_NSPNAME, name, "schema",
                           SQLSTATE_INVALID_SCHEMA_NAME, object, error);
        return failed ? failed : check_row_owner(work, object, PG_NAMESPACE_NSPOWNER, "schema", name, error);
    case OBJECT_DATABASE:
        name = strVal(node);
        failed = named_row(work, PG_DATABASE, PG_DATABASE_DATNAME, name, "database",
                           SQLSTATE_UNDEFINED_DATABASE, object, error);
        return failed ? failed : check_row_owner(work, object, PG_DATABASE_DATDBA, "database", name, error);
    case OBJECT_ROLE:
        return named_row(work, PG_AUTHID, PG_AUTHID_ROLNAME, strVal(node), "role", SQLSTATE_UNDEFINED_OBJECT,
                         object, error);
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        name_of_list(IsA(node, TypeName) ? ((const TypeName *)node)->names : (const List *)node, &schema,
                     &name);
        failed = catalog_type(work->view, schema, name, &type, error);
        if (!failed && !type)
            failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type \"%s\" does not exist", name);
        if (failed)
            return failed;
        *object = (struct object){PG_TYPE, type->oid, 0};
        return check_row_owner(work, object, PG_TYPE_TYPOWNER, "type", name, error);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        failed = function_named(work, (const ObjectWithArgs *)node, "function", false, &procedure, error);
        if (failed)
            return failed;
        *object = (struct object){PG_PROC, procedure->oid, 0};
        return check_row_owner(work, object, PG_PROC_PROOWNER, "function", procedure->name, error);
    case OBJECT_EXTENSION:
        return named_row(work, PG_EXTENSION, PG_EXTENSION_EXTNAME, strVal(node), "extension",
                         SQLSTATE_UNDEFINED_OBJECT, object, error);
    default:
        return not_supported(error, "this kind of object");
    }
}
