/* CREATE, ALTER and DROP ROLE; membership (PostgreSQL manual, 22). */
#include "sqlfront/define/inside.h"

#include "sqlfront/catalog/scram.h"

static enum sqlstate may_manage(struct work *work, bool superuser_wanted, const char *doing,
                                struct error *error)
{
    const struct role *role;
    enum sqlstate failed = catalog_role_by_oid(work->view, work->session->role, &role, error);
    if (failed)
        return failed;
    if (role && (role->superuser || (role->create_role && !superuser_wanted)))
        return SQLSTATE_OK;
    if (superuser_wanted)
        return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be superuser to %s superusers", doing);
    return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied%s",
                     strcmp(doing, "create") == 0 ? " to create role" : "");
}

/* What the options say, over a row with its defaults or what it had. */
static enum sqlstate read_options(struct work *work, const List *options, struct value *values,
                                  bool *superuser, const List **add_to, const List **members,
                                  const List **admins, struct error *error)
{
    static const struct {
        const char *name;
        int column;
    } truths[] = {{"superuser", PG_AUTHID_ROLSUPER},       {"inherit", PG_AUTHID_ROLINHERIT},
                  {"createrole", PG_AUTHID_ROLCREATEROLE}, {"createdb", PG_AUTHID_ROLCREATEDB},
                  {"canlogin", PG_AUTHID_ROLCANLOGIN},     {"isreplication", PG_AUTHID_ROLREPLICATION},
                  {"bypassrls", PG_AUTHID_ROLBYPASSRLS}};
    ListCell *cell;
    foreach(cell, options)
    {
        const DefElem *option = lfirst(cell);
        bool known = false;
        for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
            if (strcmp(option->defname, truths[i].name) == 0) {
                values[truths[i].column] = value_boolean(boolVal(option->arg));
                *superuser = *superuser || truths[i].column == PG_AUTHID_ROLSUPER;
                known = true;
            }
        if (known)
            continue;
        if (strcmp(option->defname, "password") == 0) {
            const char *password = option->arg ? strVal(option->arg) : NULL;
            values[PG_AUTHID_ROLPASSWORD] = value_null();
            if (password && *password)
                values[PG_AUTHID_ROLPASSWORD] = tuple_text(
                    work->scope, scram_is_verifier(password)
                                     ? password
                                     : scram_verifier(work->request->world, work->scope, password));
            else if (password)
                work_notice(work, SQLSTATE_OK, "empty string is not a valid password, clearing password");
        } else if (strcmp(option->defname, "connectionlimit") == 0) {
            values[PG_AUTHID_ROLCONNLIMIT] = value_integer(intVal(option->arg));
            if (intVal(option->arg) < -1)
                return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "invalid connection limit: %d",
                                 intVal(option->arg));
        } else if (strcmp(option->defname, "validUntil") == 0) {
            const struct type *type = type_builtin(TYPE_TIMESTAMPTZ);
            enum sqlstate failed =
                type->ops->in(work->request->environment, work->scope, type, -1,
                              bytes_of_text(strVal(option->arg)), &values[PG_AUTHID_ROLVALIDUNTIL], error);
            if (failed)
                return failed;
        } else if (strcmp(option->defname, "addroleto") == 0) {
            *add_to = (const List *)option->arg;
        } else if (strcmp(option->defname, "rolemembers") == 0) {
            *members = (const List *)option->arg;
        } else if (strcmp(option->defname, "adminmembers") == 0) {
            *admins = (const List *)option->arg;
        } else if (strcmp(option->defname, "sysid") == 0) {
            work_notice(work, SQLSTATE_OK, "SYSID can no longer be specified");
        } else {
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "option \"%s\" not recognized", option->defname);
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate member_add(struct work *work, uint32_t role, uint32_t member, bool admin,
                                struct error *error)
{
    struct tuple old;
    bool circle;
    const char *role_name, *member_name;
    const struct tuple_match matches[] = {{PG_AUTH_MEMBERS_ROLEID, value_integer(role)},
                                          {PG_AUTH_MEMBERS_MEMBER, value_integer(member)}};
    enum sqlstate failed = role_name_of(work, role, &role_name, error);
    if (!failed)
        failed = role_name_of(work, member, &member_name, error);
    if (!failed)
        failed = role_is_member(work, role, member, &circle, error);
    if (failed)
        return failed;
    if (role == member || circle)
        return error_set(error, SQLSTATE_INVALID_GRANT_OPERATION, "role \"%s\" is a member of role \"%s\"",
                         role_name, member_name);
    failed = tuple_find(&work->access, work->scope, PG_AUTH_MEMBERS, matches, 2, &old, error);
    if (failed)
        return failed;
    if (old.values) {
        struct value *values = tuple_copy(work->scope, PG_AUTH_MEMBERS, &old);
        if (!admin || old.values[PG_AUTH_MEMBERS_ADMIN_OPTION].i) {
            work_notice(work, SQLSTATE_OK, "role \"%s\" is already a member of role \"%s\"", member_name,
                        role_name);
            return SQLSTATE_OK;
        }
        values[PG_AUTH_MEMBERS_ADMIN_OPTION] = value_boolean(true);
        return tuple_update(&work->access, PG_AUTH_MEMBERS, &old, values, error);
    }
    struct value *values = tuple_make(work->scope, PG_AUTH_MEMBERS);
    values[PG_AUTH_MEMBERS_ROLEID] = value_integer(role);
    values[PG_AUTH_MEMBERS_MEMBER] = value_integer(member);
    values[PG_AUTH_MEMBERS_GRANTOR] = value_integer(work->session->role);
    values[PG_AUTH_MEMBERS_ADMIN_OPTION] = value_boolean(admin);
    return tuple_insert(&work->access, PG_AUTH_MEMBERS, values, error);
}

/* Whether `role` is, through memberships alone, a member of `of`. */
enum sqlstate role_is_member(struct work *work, uint32_t role, uint32_t of, bool *is, struct error *error)
{
    uint32_t queue[256], count = 0;
    *is = false;
    queue[count++] = role;
    for (uint32_t at = 0; at < count && !*is; at++) {
        struct tuples found;
        struct tuple_match match = {PG_AUTH_MEMBERS_MEMBER, value_integer(queue[at])};
        enum sqlstate failed =
            tuples_find(&work->access, work->scope, PG_AUTH_MEMBERS, &match, 1, &found, error);
        if (failed)
            return failed;
        for (uint32_t i = 0; i < found.count; i++) {
            uint32_t next = (uint32_t)found.tuple[i].values[PG_AUTH_MEMBERS_ROLEID].i;
            bool seen = false;
            *is = *is || next == of;
            for (uint32_t k = 0; k < count; k++)
                seen = seen || queue[k] == next;
            if (!seen && count < sizeof queue / sizeof *queue)
                queue[count++] = next;
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate members_add(struct work *work, uint32_t role, const List *specs, bool role_is_member,
                                 bool admin, struct error *error)
{
    ListCell *cell;
    foreach(cell, specs)
    {
        uint32_t other;
        enum sqlstate failed = role_of_spec(work, lfirst(cell), &other, error);
        if (!failed)
            failed = role_is_member ? member_add(work, other, role, admin, error)
                                    : member_add(work, role, other, admin, error);
        if (!failed)
            failed = work_look_again(work, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

enum sqlstate define_create_role(struct work *work, const CreateRoleStmt *statement, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_AUTHID);
    const List *add_to = NULL, *members = NULL, *admins = NULL;
    const struct role *taken;
    bool superuser = false;
    uint32_t oid;
    for (int c = PG_AUTHID_ROLSUPER; c <= PG_AUTHID_ROLBYPASSRLS; c++)
        values[c] = value_boolean(false);
    values[PG_AUTHID_ROLINHERIT] = value_boolean(true);
    values[PG_AUTHID_ROLCANLOGIN] = value_boolean(statement->stmt_type == ROLESTMT_USER);
    values[PG_AUTHID_ROLCONNLIMIT] = value_integer(-1);
    enum sqlstate failed =
        read_options(work, statement->options, values, &superuser, &add_to, &members, &admins, error);
    if (!failed)
        failed = may_manage(work, values[PG_AUTHID_ROLSUPER].i, "create", error);
    if (!failed && (strncmp(statement->role, "pg_", 3) == 0 || strcmp(statement->role, "public") == 0 ||
                    strcmp(statement->role, "none") == 0)) {
        failed = error_set(error, SQLSTATE_RESERVED_NAME, "role name \"%s\" is reserved", statement->role);
        if (strncmp(statement->role, "pg_", 3) == 0)
            error_add(error, ERROR_DETAIL, "Role names starting with \"pg_\" are reserved.");
    }
    if (!failed)
        failed = catalog_role(work->view, statement->role, &taken, error);
    if (!failed && taken)
        failed = error_set(error, SQLSTATE_DUPLICATE_OBJECT, "role \"%s\" already exists", statement->role);
    if (!failed)
        failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (failed)
        return failed;
    values[PG_AUTHID_OID] = value_integer(oid);
    values[PG_AUTHID_ROLNAME] = tuple_text(work->scope, statement->role);
    failed = tuple_insert(&work->access, PG_AUTHID, values, error);
    if (!failed)
        failed = work_look_again(work, error);
    if (!failed)
        failed = members_add(work, oid, add_to, true, false, error);
    if (!failed)
        failed = members_add(work, oid, members, false, false, error);
    return failed ? failed : members_add(work, oid, admins, false, true, error);
}

enum sqlstate define_alter_role(struct work *work, const AlterRoleStmt *statement, struct error *error)
{
    const List *add_to = NULL, *members = NULL, *admins = NULL;
    bool superuser = false;
    uint32_t oid;
    struct tuple old;
    enum sqlstate failed = role_of_spec(work, statement->role, &oid, error);
    if (!failed)
        failed = tuple_by_oid(&work->access, work->scope, PG_AUTHID, oid, &old, error);
    if (failed)
        return failed;
    struct value *values = tuple_copy(work->scope, PG_AUTHID, &old);
    failed = read_options(work, statement->options, values, &superuser, &add_to, &members, &admins, error);
    /* everybody may change the own password */
    bool own_password = oid == work->session->role && list_length(statement->options) == 1 &&
                        strcmp(((const DefElem *)linitial(statement->options))->defname, "password") == 0;
    if (!failed && !own_password)
        failed = may_manage(work, superuser || old.values[PG_AUTHID_ROLSUPER].i, "alter", error);
    if (!failed)
        failed = tuple_update(&work->access, PG_AUTHID, &old, values, error);
    if (!failed && members) {
        if (statement->action > 0)
            failed = members_add(work, oid, members, false, false, error);
        else
            failed = members_drop(work, oid, members, false, error);
    }
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate members_drop(struct work *work, uint32_t role, const List *specs, bool admin_only,
                           struct error *error)
{
    ListCell *cell;
    foreach(cell, specs)
    {
        uint32_t member;
        struct tuple old;
        enum sqlstate failed = role_of_spec(work, lfirst(cell), &member, error);
        const struct tuple_match matches[] = {{PG_AUTH_MEMBERS_ROLEID, value_integer(role)},
                                              {PG_AUTH_MEMBERS_MEMBER, value_integer(failed ? 0 : member)}};
        if (!failed)
            failed = tuple_find(&work->access, work->scope, PG_AUTH_MEMBERS, matches, 2, &old, error);
        if (failed)
            return failed;
        if (!old.values) {
            const char *role_name, *member_name;
            if ((failed = role_name_of(work, role, &role_name, error)) ||
                (failed = role_name_of(work, member, &member_name, error)))
                return failed;
            work_notice(work, SQLSTATE_OK, "role \"%s\" is not a member of role \"%s\"", member_name,
                        role_name);
            continue;
        }
        if (!admin_only) {
            failed = tuple_delete(&work->access, PG_AUTH_MEMBERS, &old, error);
        } else {
            struct value *values = tuple_copy(work->scope, PG_AUTH_MEMBERS, &old);
            values[PG_AUTH_MEMBERS_ADMIN_OPTION] = value_boolean(false);
            failed = tuple_update(&work->access, PG_AUTH_MEMBERS, &old, values, error);
        }
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate role_unused(struct work *work, uint32_t oid, const char *name, struct error *error)
{
    struct tuples found;
    struct text detail = text_in(work->scope);
    const char *whole;
    const struct tuple_match matches[] = {{PG_SHDEPEND_REFCLASSID, value_integer(PG_AUTHID)},
                                          {PG_SHDEPEND_REFOBJID, value_integer(oid)}};
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_SHDEPEND, matches, 2, &found, error);
    if (failed || !found.count)
        return failed;
    uint32_t elsewhere = 0;
    for (uint32_t i = 0; i < found.count && !failed; i++) {
        const struct value *row = found.tuple[i].values;
        const char *shown;
        if (row[PG_SHDEPEND_DBID].i && row[PG_SHDEPEND_DBID].i != work->access.database) {
            elsewhere++;
            continue;
        }
        failed = object_shown(work,
                              (struct object){(uint32_t)row[PG_SHDEPEND_CLASSID].i,
                                              (uint32_t)row[PG_SHDEPEND_OBJID].i,
                                              (int32_t)row[PG_SHDEPEND_OBJSUBID].i},
                              &shown, error);
        text_format(&detail, "%s%s %s", detail.size ? "\n" : "",
                    row[PG_SHDEPEND_DEPTYPE].i == 'o' ? "owner of" : "privileges for", failed ? "" : shown);
    }
    if (elsewhere)
        text_format(&detail, "%s%u object%s in other databases", detail.size ? "\n" : "", elsewhere,
                    elsewhere == 1 ? "" : "s");
    if (!failed)
        failed = text_end(&detail, &whole, error);
    if (failed)
        return failed;
    failed = error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                       "role \"%s\" cannot be dropped because some objects depend on it", name);
    error_add(error, ERROR_DETAIL, "%s", whole);
    return failed;
}

static enum sqlstate drop_one(struct work *work, const RoleSpec *spec, bool missing_ok, struct error *error)
{
    const struct role *role;
    struct tuple row;
    enum sqlstate failed = catalog_role(work->view, spec->rolename ? spec->rolename : "", &role, error);
    if (failed)
        return failed;
    if (!role && missing_ok) {
        work_notice(work, SQLSTATE_OK, "role \"%s\" does not exist, skipping", spec->rolename);
        return SQLSTATE_OK;
    }
    if (!role)
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "role \"%s\" does not exist", spec->rolename);
    if (role->oid == work->session->role)
        return error_set(error, SQLSTATE_OBJECT_IN_USE, "current user cannot be dropped");
    if (role->oid == work->session->session_role)
        return error_set(error, SQLSTATE_OBJECT_IN_USE, "session user cannot be dropped");
    if (role->oid < OID_USER_FIRST)
        return error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                         "cannot drop role %s because it is required by the database system", role->name);
    failed = may_manage(work, role->superuser, "drop", error);
    if (!failed)
        failed = role_unused(work, role->oid, role->name, error);
    const int columns[] = {PG_AUTH_MEMBERS_ROLEID, PG_AUTH_MEMBERS_MEMBER};
    for (int c = 0; c < 2 && !failed; c++) {
        struct tuples found;
        struct tuple_match match = {columns[c], value_integer(role->oid)};
        failed = tuples_find(&work->access, work->scope, PG_AUTH_MEMBERS, &match, 1, &found, error);
        for (uint32_t i = 0; !failed && i < found.count; i++)
            failed = tuple_delete(&work->access, PG_AUTH_MEMBERS, &found.tuple[i], error);
    }
    if (!failed)
        failed = tuple_by_oid(&work->access, work->scope, PG_AUTHID, role->oid, &row, error);
    if (!failed && row.values)
        failed = tuple_delete(&work->access, PG_AUTHID, &row, error);
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate define_drop_role(struct work *work, const DropRoleStmt *statement, struct error *error)
{
    ListCell *cell;
    enum sqlstate failed = may_manage(work, false, "drop", error);
    if (failed)
        return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied to drop role");
    foreach(cell, statement->roles) if (!failed) failed =
        drop_one(work, lfirst(cell), statement->missing_ok, error);
    return failed;
}

enum sqlstate define_grant_role(struct work *work, const GrantRoleStmt *statement, struct error *error)
{
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, statement->granted_roles)
    {
        const AccessPriv *granted = lfirst(cell);
        const struct role *role;
        bool has = false;
        failed = catalog_role(work->view, granted->priv_name ? granted->priv_name : "", &role, error);
        if (!failed && !role)
            failed =
                error_set(error, SQLSTATE_UNDEFINED_OBJECT, "role \"%s\" does not exist", granted->priv_name);
        if (failed)
            return failed;
        if (may_manage(work, role->superuser, "alter", error)) { /* or whoever has the admin option */
            struct tuple membership;
            const struct tuple_match matches[] = {
                {PG_AUTH_MEMBERS_ROLEID, value_integer(role->oid)},
                {PG_AUTH_MEMBERS_MEMBER, value_integer(work->session->role)}};
            failed = tuple_find(&work->access, work->scope, PG_AUTH_MEMBERS, matches, 2, &membership, error);
            has = !failed && membership.values && membership.values[PG_AUTH_MEMBERS_ADMIN_OPTION].i;
            if (!failed && !has)
                failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
                                   "must have admin option on role \"%s\"", role->name);
            if (failed)
                return failed;
        }
        failed =
            statement->is_grant
                ? members_add(work, role->oid, statement->grantee_roles, false, statement->admin_opt, error)
                : members_drop(work, role->oid, statement->grantee_roles, statement->admin_opt, error);
        if (failed)
            return failed;
    }
    return work_look_again(work, error);
}
