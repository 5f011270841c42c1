/* ALTER ... RENAME, SET SCHEMA, OWNER TO. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/drop.h"
#include "sqlfront/define/find.h"
#include "sqlfront/define/renew.h"

#include <stdio.h>

static enum sqlstate class_name_free(struct work *work, const char *name, uint32_t schema,
                                     struct error *error)
{
    struct tuple found;
    const struct tuple_match matches[] = {{PG_CLASS_RELNAME, value_text(name)},
                                          {PG_CLASS_RELNAMESPACE, value_integer(schema)}};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_CLASS, matches, 2, &found, error);
    if (!failed && found.values)
        failed = error_set(error, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists", name);
    return failed;
}

/* The row type goes by its relation's name; its array by that with an underscore, where that is free. */
static enum sqlstate type_rename(struct work *work, uint32_t type, const char *name, struct error *error)
{
    const int column = PG_TYPE_TYPNAME;
    char array_name[NAME_BYTES_MAX + 2];
    struct tuple row, taken;
    struct value value = tuple_text(work->scope, name);
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_TYPE, type, &row, error);
    if (failed || !row.values)
        return failed;
    const struct tuple_match same[] = {{PG_TYPE_TYPNAME, value},
                                       {PG_TYPE_TYPNAMESPACE, row.values[PG_TYPE_TYPNAMESPACE]}};
    failed = tuple_find(&work->access, work->scope, PG_TYPE, same, 2, &taken, error);
    if (!failed && taken.values)
        failed = error_set(error, SQLSTATE_DUPLICATE_OBJECT, "type \"%s\" already exists", name);
    if (!failed)
        failed = tuple_set(work, PG_TYPE, type, &column, &value, 1, error);
    uint32_t array = (uint32_t)row.values[PG_TYPE_TYPARRAY].i;
    if (failed || !array)
        return failed;
    snprintf(array_name, NAME_BYTES_MAX + 1, "_%s", name);
    value = tuple_text(work->scope, array_name);
    const struct tuple_match same_array[] = {{PG_TYPE_TYPNAME, value},
                                             {PG_TYPE_TYPNAMESPACE, row.values[PG_TYPE_TYPNAMESPACE]}};
    failed = tuple_find(&work->access, work->scope, PG_TYPE, same_array, 2, &taken, error);
    return failed || taken.values ? failed : tuple_set(work, PG_TYPE, array, &column, &value, 1, error);
}

static enum sqlstate relation_rename(struct work *work, const struct relation *relation, const char *name,
                                     struct error *error)
{
    const int column = PG_CLASS_RELNAME, constraint_column = PG_CONSTRAINT_CONNAME;
    const struct value value = tuple_text(work->scope, name);
    enum sqlstate failed = class_name_free(work, name, relation->schema, error);
    if (!failed)
        failed = class_set(work, relation->oid, &column, &value, 1, error);
    if (!failed && relation->row_type)
        failed = type_rename(work, relation->row_type, name, error);
    if (failed || relation->kind != RELATION_INDEX)
        return failed;
    /* a constraint has its index's name */
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_CLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_OBJID, value_integer(relation->oid)},
                                          {PG_DEPEND_REFCLASSID, value_integer(PG_CONSTRAINT)}};
    failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 3, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++)
        failed = tuple_set(work, PG_CONSTRAINT, (uint32_t)found.tuple[i].values[PG_DEPEND_REFOBJID].i,
                           &constraint_column, &value, 1, error);
    return failed;
}

static enum sqlstate column_rename(struct work *work, struct renewal *renewal,
                                   const struct relation *relation, const char *from, const char *to,
                                   struct error *error)
{
    const struct column *column;
    const int place = PG_ATTRIBUTE_ATTNAME;
    const struct value value = tuple_text(work->scope, to);
    enum sqlstate failed = column_found(relation, from, &column, error);
    if (failed)
        return error_set(error, SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" does not exist", from);
    for (uint32_t c = 0; c < relation->columns && !failed; c++)
        if (!relation->column[c].dropped && strcmp(relation->column[c].name, to) == 0)
            failed = error_set(error, SQLSTATE_DUPLICATE_COLUMN,
                               "column \"%s\" of relation \"%s\" already exists", to, relation->name);
    if (!failed)
        failed = renewal_of(work, renewal, (struct object){PG_CLASS, relation->oid, column->number}, error);
    if (!failed)
        failed = attribute_set(work, relation->oid, column->number, &place, &value, 1, error);
    for (uint32_t i = 0; i < relation->indexes && !failed; i++)
        for (uint32_t c = 0; c < relation->index[i]->columns && !failed; c++)
            if (relation->index[i]->column[c] == column->number)
                failed =
                    attribute_set(work, relation->index[i]->oid, (int16_t)(c + 1), &place, &value, 1, error);
    return failed;
}

static enum sqlstate constraint_rename(struct work *work, const struct relation *relation, const char *from,
                                       const char *to, struct error *error)
{
    const struct constraint *constraint;
    const int place = PG_CONSTRAINT_CONNAME, class_place = PG_CLASS_RELNAME;
    const struct value value = tuple_text(work->scope, to);
    enum sqlstate failed = constraint_found(relation, from, false, &constraint, error);
    for (uint32_t i = 0; i < relation->constraints && !failed; i++)
        if (strcmp(relation->constraint[i].name, to) == 0)
            failed = error_set(error, SQLSTATE_DUPLICATE_OBJECT,
                               "constraint \"%s\" for relation \"%s\" already exists", to, relation->name);
    if (!failed && (constraint->kind == CONSTRAINT_PRIMARY || constraint->kind == CONSTRAINT_UNIQUE)) {
        failed = class_name_free(work, to, relation->schema, error);
        if (!failed)
            failed = class_set(work, constraint->index, &class_place, &value, 1, error);
    }
    return failed ? failed : tuple_set(work, PG_CONSTRAINT, constraint->oid, &place, &value, 1, error);
}

static enum sqlstate rename_row(struct work *work, const struct object *object, int column, const char *to,
                                const char *word, enum sqlstate duplicate, struct error *error)
{
    struct tuple found;
    const struct value value = tuple_text(work->scope, to);
    struct tuple_match match = {column, value};
    enum sqlstate failed = tuple_find(&work->access, work->scope, object->class, &match, 1, &found, error);
    if (!failed && found.values && object->class != PG_PROC)
        failed = error_set(error, duplicate, "%s \"%s\" already exists", word, to);
    return failed ? failed : tuple_set(work, object->class, object->oid, &column, &value, 1, error);
}

static enum sqlstate rename_other(struct work *work, struct renewal *renewal, const RenameStmt *statement,
                                  struct error *error)
{
    struct object object;
    String name = {.type = T_String, .sval = statement->subname};
    const Node *node = statement->renameType == OBJECT_SCHEMA || statement->renameType == OBJECT_DATABASE ||
                               statement->renameType == OBJECT_ROLE
                           ? (const Node *)&name
                           : statement->object;
    if (statement->renameType == OBJECT_DATABASE || statement->renameType == OBJECT_ROLE)
        return not_supported(error, "renaming databases and roles");
    enum sqlstate failed = object_named(work, statement->renameType, node, &object, error);
    if (!failed)
        failed = statement->renameType == OBJECT_SCHEMA ? renewal_of_schema(work, renewal, object.oid, error)
                                                        : renewal_of(work, renewal, object, error);
    if (failed)
        return failed;
    switch (statement->renameType) {
    case OBJECT_SCHEMA:
        return rename_row(work, &object, PG_NAMESPACE_NSPNAME, statement->newname, "schema",
                          SQLSTATE_DUPLICATE_SCHEMA, error);
    case OBJECT_TYPE:
        return type_rename(work, object.oid, statement->newname, error);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        return rename_row(work, &object, PG_PROC_PRONAME, statement->newname, "function",
                          SQLSTATE_DUPLICATE_FUNCTION, error);
    default:
        return not_supported(error, "renaming this kind of object");
    }
}

enum sqlstate define_rename(struct work *work, const RenameStmt *statement, struct error *error)
{
    const struct relation *relation;
    struct renewal *renewal;
    enum sqlstate failed = renewal_begin(work, &renewal, error);
    if (failed)
        return failed;
    if (!statement->relation || statement->renameType == OBJECT_TYPE) {
        failed = rename_other(work, renewal, statement, error);
        if (!failed)
            failed = renewal_end(work, renewal, error);
        return failed ? failed : work_look_again(work, error);
    }
    failed = relation_owned(work, statement->relation, statement->missing_ok, &relation, error);
    if (failed)
        return failed;
    if (!relation) {
        work_notice(work, SQLSTATE_OK, "relation \"%s\" does not exist, skipping",
                    statement->relation->relname);
        return SQLSTATE_OK;
    }
    if (statement->renameType == OBJECT_COLUMN || statement->renameType == OBJECT_ATTRIBUTE)
        failed = column_rename(work, renewal, relation, statement->subname, statement->newname, error);
    else if (statement->renameType == OBJECT_TABCONSTRAINT)
        failed = constraint_rename(work, relation, statement->subname, statement->newname, error);
    else {
        failed = renewal_of(work, renewal, (struct object){PG_CLASS, relation->oid, 0}, error);
        if (!failed)
            failed = relation_rename(work, relation, statement->newname, error);
    }
    if (!failed)
        failed = renewal_end(work, renewal, error);
    return failed ? failed : work_look_again(work, error);
}

/* ---- SET SCHEMA ---- */

static enum sqlstate move_dependency(struct work *work, struct object object, uint32_t schema,
                                     struct error *error)
{
    enum sqlstate failed = depend_forget(work, object, 'n', PG_NAMESPACE, error);
    return failed ? failed : depend(work, object, (struct object){PG_NAMESPACE, schema, 0}, 'n', error);
}

static enum sqlstate type_move(struct work *work, uint32_t type, uint32_t schema, struct error *error)
{
    const int column = PG_TYPE_TYPNAMESPACE;
    const struct value value = value_integer(schema);
    struct tuple row;
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_TYPE, type, &row, error);
    if (failed || !row.values)
        return failed;
    failed = tuple_set(work, PG_TYPE, type, &column, &value, 1, error);
    uint32_t array = (uint32_t)row.values[PG_TYPE_TYPARRAY].i;
    return failed || !array ? failed : tuple_set(work, PG_TYPE, array, &column, &value, 1, error);
}

static enum sqlstate relation_move(struct work *work, const struct relation *relation, uint32_t schema,
                                   struct error *error)
{
    const int column = PG_CLASS_RELNAMESPACE, constraint_column = PG_CONSTRAINT_CONNAMESPACE;
    const struct value value = value_integer(schema);
    struct tuples owned;
    enum sqlstate failed = class_name_free(work, relation->name, schema, error);
    if (!failed)
        failed = class_set(work, relation->oid, &column, &value, 1, error);
    if (!failed && relation->row_type)
        failed = type_move(work, relation->row_type, schema, error);
    if (!failed)
        failed = move_dependency(work, (struct object){PG_CLASS, relation->oid, 0}, schema, error);
    for (uint32_t i = 0; i < relation->indexes && !failed; i++)
        failed = class_set(work, relation->index[i]->oid, &column, &value, 1, error);
    for (uint32_t i = 0; i < relation->constraints && !failed; i++)
        failed =
            tuple_set(work, PG_CONSTRAINT, relation->constraint[i].oid, &constraint_column, &value, 1, error);
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(relation->oid)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CLASS)}};
    if (!failed)
        failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 3, &owned, error);
    for (uint32_t i = 0; !failed && i < owned.count; i++) { /* its sequences come along */
        const struct relation *sequence;
        failed = catalog_relation_by_oid(work->view, (uint32_t)owned.tuple[i].values[PG_DEPEND_OBJID].i,
                                         &sequence, error);
        if (!failed && sequence && sequence->kind == RELATION_SEQUENCE)
            failed = relation_move(work, sequence, schema, error);
    }
    return failed;
}

enum sqlstate define_alter_schema_of(struct work *work, const AlterObjectSchemaStmt *statement,
                                     struct error *error)
{
    uint32_t schema;
    struct object object;
    struct renewal *renewal;
    enum sqlstate failed = creation_schema(work, statement->newschema, 'p', &schema, error);
    if (!failed)
        failed = renewal_begin(work, &renewal, error);
    if (failed)
        return failed;
    if (statement->relation) {
        const struct relation *relation;
        failed = relation_owned(work, statement->relation, statement->missing_ok, &relation, error);
        if (!failed && !relation)
            work_notice(work, SQLSTATE_OK, "relation \"%s\" does not exist, skipping",
                        statement->relation->relname);
        if (!failed && relation && relation->schema != schema) {
            failed = renewal_of(work, renewal, (struct object){PG_CLASS, relation->oid, 0}, error);
            if (!failed)
                failed = relation_move(work, relation, schema, error);
            if (!failed)
                failed = renewal_end(work, renewal, error);
        }
        return failed ? failed : work_look_again(work, error);
    }
    failed = object_named(work, statement->objectType, statement->object, &object, error);
    if (!failed)
        failed = renewal_of(work, renewal, object, error);
    if (!failed && object.class == PG_TYPE)
        failed = type_move(work, object.oid, schema, error);
    else if (!failed && object.class == PG_PROC) {
        const int column = PG_PROC_PRONAMESPACE;
        const struct value value = value_integer(schema);
        failed = tuple_set(work, PG_PROC, object.oid, &column, &value, 1, error);
    } else if (!failed)
        return not_supported(error, "SET SCHEMA of this kind of object");
    if (!failed)
        failed = move_dependency(work, object, schema, error);
    if (!failed)
        failed = renewal_end(work, renewal, error);
    return failed ? failed : work_look_again(work, error);
}

/* ---- OWNER TO ---- */

/* Privileges the old owner had as such are the new one's. */
static enum sqlstate list_owner(struct work *work, struct value *list, uint32_t from, uint32_t to,
                                struct error *error)
{
    struct acl acl;
    const char *from_name, *to_name;
    if (list->null)
        return SQLSTATE_OK;
    enum sqlstate failed = acl_read(work->scope, list, &acl, error);
    if (!failed)
        failed = role_name_of(work, from, &from_name, error);
    if (!failed)
        failed = role_name_of(work, to, &to_name, error);
    for (uint32_t i = 0; i < (failed ? 0 : acl.count); i++) {
        if (strcmp(acl.items[i].grantee, from_name) == 0)
            acl.items[i].grantee = to_name;
        if (strcmp(acl.items[i].grantor, from_name) == 0)
            acl.items[i].grantor = to_name;
    }
    return failed ? failed : acl_write(work->scope, &acl, list, error);
}

/* A type and its array. */
static enum sqlstate type_owner(struct work *work, uint32_t type, struct value owner, struct error *error)
{
    const int column = PG_TYPE_TYPOWNER;
    struct tuple row;
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_TYPE, type, &row, error);
    if (failed || !row.values)
        return failed;
    uint32_t array = (uint32_t)row.values[PG_TYPE_TYPARRAY].i;
    failed = tuple_set(work, PG_TYPE, type, &column, &owner, 1, error);
    return failed || !array ? failed : tuple_set(work, PG_TYPE, array, &column, &owner, 1, error);
}

/* Indexes have their table's owner; sequences of its columns go along, too. */
static enum sqlstate parts_owner(struct work *work, uint32_t table, uint32_t owner, struct error *error)
{
    const int column = PG_CLASS_RELOWNER;
    const struct value value = value_integer(owner);
    const struct relation *relation, *sequence;
    struct tuples owned;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(table)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CLASS)}};
    enum sqlstate failed = catalog_relation_by_oid(work->view, table, &relation, error);
    for (uint32_t i = 0; !failed && relation && i < relation->indexes; i++)
        failed = class_set(work, relation->index[i]->oid, &column, &value, 1, error);
    if (!failed)
        failed = tuples_find(&work->access, work->scope, PG_DEPEND, matches, 3, &owned, error);
    for (uint32_t i = 0; !failed && i < owned.count; i++) {
        uint32_t oid = (uint32_t)owned.tuple[i].values[PG_DEPEND_OBJID].i;
        if (!strchr("ai", (char)owned.tuple[i].values[PG_DEPEND_DEPTYPE].i))
            continue;
        failed = catalog_relation_by_oid(work->view, oid, &sequence, error);
        if (!failed && sequence && sequence->kind == RELATION_SEQUENCE)
            failed = owner_change(work, (struct object){PG_CLASS, oid, 0}, owner, error);
    }
    return failed;
}

enum sqlstate owner_change(struct work *work, struct object object, uint32_t owner, struct error *error)
{
    static const struct {
        uint32_t class;
        int owner, acl;
    } places[] = {{PG_CLASS, PG_CLASS_RELOWNER, PG_CLASS_RELACL},
                  {PG_TYPE, PG_TYPE_TYPOWNER, PG_TYPE_TYPACL},
                  {PG_PROC, PG_PROC_PROOWNER, PG_PROC_PROACL},
                  {PG_NAMESPACE, PG_NAMESPACE_NSPOWNER, PG_NAMESPACE_NSPACL},
                  {PG_DATABASE, PG_DATABASE_DATDBA, PG_DATABASE_DATACL}};
    struct tuple row;
    struct acl acl = {0};
    bool member;
    enum sqlstate failed = catalog_role_has(work->view, work->session->role, owner, &member, error);
    if (!failed && !member) {
        const char *name;
        failed = role_name_of(work, owner, &name, error);
        return failed
                   ? failed
                   : error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be member of role \"%s\"", name);
    }
    if (!failed)
        failed = tuple_by_oid(&work->access, work->scope, object.class, object.oid, &row, error);
    for (size_t i = 0; i < sizeof places / sizeof *places && !failed && row.values; i++) {
        if (places[i].class != object.class)
            continue;
        const int columns[] = {places[i].owner, places[i].acl};
        struct value values[] = {value_integer(owner), row.values[places[i].acl]};
        failed = list_owner(work, &values[1], (uint32_t)row.values[places[i].owner].i, owner, error);
        if (!failed)
            failed = tuple_set(work, object.class, object.oid, columns, values, 2, error);
        if (!failed && !values[1].null)
            failed = acl_read(work->scope, &values[1], &acl, error);
        uint32_t type = object.class == PG_CLASS  ? (uint32_t)row.values[PG_CLASS_RELTYPE].i
                        : object.class == PG_TYPE ? object.oid
                                                  : 0;
        if (!failed && type)
            failed = type_owner(work, type, values[0], error);
        if (!failed && object.class == PG_CLASS)
            failed = parts_owner(work, object.oid, owner, error);
    }
    return failed ? failed : depend_on_new_owner(work, object, owner, &acl, error);
}

enum sqlstate define_alter_owner(struct work *work, const AlterOwnerStmt *statement, struct error *error)
{
    struct object object;
    uint32_t owner;
    enum sqlstate failed = object_named(work, statement->objectType, statement->object, &object, error);
    if (!failed)
        failed = role_of_spec(work, statement->newowner, &owner, error);
    if (!failed)
        failed = owner_change(work, object, owner, error);
    return failed ? failed : work_look_again(work, error);
}
