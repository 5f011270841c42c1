/* What roles own and were granted, all at once: REASSIGN OWNED and DROP OWNED (PostgreSQL manual, 22.4). pg_shdepend knows it. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/drop.h"

static enum sqlstate member_of(struct work *work, const RoleSpec *spec, const char *verb, uint32_t *role,
                               struct error *error)
{
    bool member = true;
    enum sqlstate failed = role_of_spec(work, spec, role, error);
    if (!failed)
        failed = catalog_role_has(work->view, work->session->role, *role, &member, error);
    return failed || member
               ? failed
               : error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied to %s objects", verb);
}

/* The rows of what hangs on a role, in this database or in none; 2BP01 for a role the system needs. */
static enum sqlstate hanging_on(struct work *work, uint32_t role, const char *what, struct tuples *found,
                                struct error *error)
{
    const char *name;
    const struct tuple_match matches[] = {{PG_SHDEPEND_REFCLASSID, value_integer(PG_AUTHID)},
                                          {PG_SHDEPEND_REFOBJID, value_integer(role)}};
    enum sqlstate failed = SQLSTATE_OK;
    if (role < OID_USER_FIRST) {
        failed = role_name_of(work, role, &name, error);
        return failed
                   ? failed
                   : error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                               "cannot %s objects owned by role %s because they are required by the database "
                               "system",
                               what, name);
    }
    transaction_statement(work->access.transaction);
    failed = tuples_find(&work->access, work->scope, PG_SHDEPEND, matches, 2, found, error);
    uint32_t kept = 0;
    for (uint32_t i = 0; !failed && i < found->count; i++) {
        int64_t database = found->tuple[i].values[PG_SHDEPEND_DBID].i;
        if (database == 0 || database == work->access.database)
            found->tuple[kept++] = found->tuple[i];
    }
    found->count = failed ? 0 : kept;
    return failed;
}

static struct object object_of(const struct value *row)
{
    return (struct object){(uint32_t)row[PG_SHDEPEND_CLASSID].i, (uint32_t)row[PG_SHDEPEND_OBJID].i,
                           (int32_t)row[PG_SHDEPEND_OBJSUBID].i};
}

/* ---- REASSIGN OWNED ---- */

static enum sqlstate reassign(struct work *work, uint32_t from, uint32_t to, struct error *error)
{
    struct tuples found;
    enum sqlstate failed = hanging_on(work, from, "reassign ownership of", &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        if (row[PG_SHDEPEND_DEPTYPE].i == 'o' && row[PG_SHDEPEND_CLASSID].i != PG_DEFAULT_ACL)
            failed = owner_change(work, object_of(row), to, error);
    }
    return failed;
}

enum sqlstate define_reassign_owned(struct work *work, const ReassignOwnedStmt *statement,
                                    struct error *error)
{
    ListCell *cell;
    uint32_t from, to;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, statement->roles)
    {
        if (!failed)
            failed = member_of(work, lfirst(cell), "reassign", &from, error);
    }
    if (!failed)
        failed = member_of(work, statement->newrole, "reassign", &to, error);
    foreach(cell, statement->roles)
    {
        if (!failed)
            failed = role_of_spec(work, lfirst(cell), &from, error);
        if (!failed)
            failed = reassign(work, from, to, error);
    }
    return failed ? failed : work_look_again(work, error);
}

/* ---- DROP OWNED ---- */

/* Where the access lists of a kind of thing are. */
static const struct {
    uint32_t class;
    int acl;
} lists[] = {{PG_CLASS, PG_CLASS_RELACL},        {PG_TYPE, PG_TYPE_TYPACL},
             {PG_PROC, PG_PROC_PROACL},          {PG_NAMESPACE, PG_NAMESPACE_NSPACL},
             {PG_DATABASE, PG_DATABASE_DATACL},  {PG_DEFAULT_ACL, PG_DEFAULT_ACL_DEFACLACL},
             {PG_ATTRIBUTE, PG_ATTRIBUTE_ATTACL}};

/* What is left of default privileges; goes when it says no more than what holds without it. */
static enum sqlstate default_gone(struct work *work, struct object object, const struct value *row,
                                  const struct acl *left, bool *gone, struct error *error)
{
    const char *owner;
    enum sqlstate failed = role_name_of(work, (uint32_t)row[PG_DEFAULT_ACL_DEFACLROLE].i, &owner, error);
    *gone = !failed && acl_needless(work->scope, left, (char)row[PG_DEFAULT_ACL_DEFACLOBJTYPE].i, owner,
                                    row[PG_DEFAULT_ACL_DEFACLNAMESPACE].i != 0);
    return *gone ? object_remove(work, object, error) : failed;
}

/* Takes a role, and what it granted further, out of the access list of a thing or a column. */
static enum sqlstate privileges_take(struct work *work, struct object object, const char *role,
                                     struct error *error)
{
    uint32_t class = object.part ? PG_ATTRIBUTE : object.class;
    size_t at = 0;
    struct tuple row;
    struct acl acl;
    struct value list = value_null();
    const struct tuple_match column[] = {{PG_ATTRIBUTE_ATTRELID, value_integer(object.oid)},
                                         {PG_ATTRIBUTE_ATTNUM, value_integer(object.part)}};
    while (at < sizeof lists / sizeof *lists && lists[at].class != class)
        at++;
    if (at == sizeof lists / sizeof *lists)
        return SQLSTATE_OK;
    const int place = lists[at].acl;
    transaction_statement(work->access.transaction);
    enum sqlstate failed = object.part
                               ? tuple_find(&work->access, work->scope, PG_ATTRIBUTE, column, 2, &row, error)
                               : tuple_by_oid(&work->access, work->scope, class, object.oid, &row, error);
    if (failed || !row.values || row.values[place].null)
        return failed;
    failed = acl_read(work->scope, &row.values[place], &acl, error);
    for (uint32_t i = 0; !failed && i < acl.count; i++)
        if (strcmp(acl.items[i].grantee, role) == 0 || strcmp(acl.items[i].grantor, role) == 0)
            acl.items[i].privileges = acl.items[i].grantable = 0;
    if (failed)
        return failed;
    acl_tidy(&acl);
    bool gone = false;
    if (class == PG_DEFAULT_ACL)
        failed = default_gone(work, object, row.values, &acl, &gone, error);
    if (failed || gone)
        return failed;
    if (acl.count || !object.part)
        failed = acl_write(work->scope, &acl, &list, error);
    if (!failed)
        failed = object.part ? attribute_set(work, object.oid, (int16_t)object.part, &place, &list, 1, error)
                             : tuple_set(work, class, object.oid, &place, &list, 1, error);
    return failed ? failed : depend_on_grantees(work, object, &acl, error);
}

/* What a role owns here joins `objects`; what it was granted, here and on what all databases share, is taken. */
static enum sqlstate disown(struct work *work, uint32_t role, struct object **objects, uint32_t *count,
                            struct error *error)
{
    struct tuples found;
    const char *name;
    enum sqlstate failed = hanging_on(work, role, "drop", &found, error);
    if (!failed)
        failed = role_name_of(work, role, &name, error);
    if (failed)
        return failed;
    struct object *all = scope_alloc(work->scope, (*count + found.count + 1) * sizeof *all);
    if (*count)
        memcpy(all, *objects, *count * sizeof *all);
    *objects = all;
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        if (row[PG_SHDEPEND_DEPTYPE].i == 'a')
            failed = privileges_take(work, object_of(row), name, error);
        else if (row[PG_SHDEPEND_DEPTYPE].i == 'o' && row[PG_SHDEPEND_DBID].i)
            all[(*count)++] = object_of(row);
    }
    return failed;
}

enum sqlstate define_drop_owned(struct work *work, const DropOwnedStmt *statement, struct error *error)
{
    ListCell *cell;
    uint32_t role, count = 0;
    struct object *objects = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, statement->roles)
    {
        if (!failed)
            failed = member_of(work, lfirst(cell), "drop", &role, error);
    }
    foreach(cell, statement->roles)
    {
        if (!failed)
            failed = role_of_spec(work, lfirst(cell), &role, error);
        if (!failed)
            failed = disown(work, role, &objects, &count, error);
    }
    if (!failed && count)
        return objects_drop(work, objects, count, statement->behavior == DROP_CASCADE, error);
    return failed ? failed : work_look_again(work, error);
}
