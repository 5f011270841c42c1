/* Roles and who is a member of which. */
#include "sqlfront/catalog/role.h"

#include "base/scope.h"

#include <string.h>

static struct role *describe(struct scope *scope, const struct value *row)
{
    struct role *role = scope_alloc_zeroed(scope, sizeof *role);
    role->oid = (uint32_t)row[PG_AUTHID_OID].i;
    role->name = text_of(scope, &row[PG_AUTHID_ROLNAME]);
    role->superuser = row[PG_AUTHID_ROLSUPER].i;
    role->inherit = row[PG_AUTHID_ROLINHERIT].i;
    role->create_role = row[PG_AUTHID_ROLCREATEROLE].i;
    role->create_database = row[PG_AUTHID_ROLCREATEDB].i;
    role->can_login = row[PG_AUTHID_ROLCANLOGIN].i;
    role->replication = row[PG_AUTHID_ROLREPLICATION].i;
    role->bypass_rls = row[PG_AUTHID_ROLBYPASSRLS].i;
    role->connection_limit = (int32_t)row[PG_AUTHID_ROLCONNLIMIT].i;
    role->password = text_of(scope, &row[PG_AUTHID_ROLPASSWORD]);
    role->valid_until = row[PG_AUTHID_ROLVALIDUNTIL].null ? INT64_MAX : row[PG_AUTHID_ROLVALIDUNTIL].i;
    return role;
}

static enum sqlstate read_role(struct catalog_view *view, const struct tuple_match *match,
                               const struct role **found, struct error *error)
{
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_find(&reading.access, reading.scope, PG_AUTHID, match, 1, &tuple, error);
    if (!failed && tuple.values)
        *found = describe(view->generation->scope, tuple.values);
    reading_end(view, &reading);
    return failed;
}

enum sqlstate catalog_role(struct catalog_view *view, const char *name, const struct role **found,
                           struct error *error)
{
    struct generation *generation = view->generation;
    void *known = map_find(&generation->role_names, bytes_of_text(name));
    *found = NULL;
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    struct tuple_match match = {PG_AUTHID_ROLNAME, value_text(name)};
    enum sqlstate failed = read_role(view, &match, found, error);
    if (failed)
        return failed;
    return map_put(&generation->role_names, bytes_of_text(scope_copy_text(generation->scope, name)),
                   *found ? (void *)*found : (void *)absent, NULL, error);
}

enum sqlstate catalog_role_by_oid(struct catalog_view *view, uint32_t oid, const struct role **found,
                                  struct error *error)
{
    struct generation *generation = view->generation;
    void *known = map_find_number(&generation->roles, oid);
    *found = NULL;
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    struct tuple_match match = {PG_AUTHID_OID, value_integer(oid)};
    enum sqlstate failed = read_role(view, &match, found, error);
    if (failed)
        return failed;
    return map_put_number(&generation->roles, oid, *found ? (void *)*found : (void *)absent, NULL, error);
}

/* ---- memberships ---- */

bool membership_has(const struct membership *membership, uint32_t role)
{
    for (uint32_t i = 0; i < membership->count; i++)
        if (membership->roles[i]->oid == role)
            return true;
    return false;
}

static enum sqlstate membership_add(struct catalog_view *view, struct membership *membership, uint32_t oid,
                                    struct error *error)
{
    const struct role *role;
    if (membership_has(membership, oid))
        return SQLSTATE_OK;
    enum sqlstate failed = catalog_role_by_oid(view, oid, &role, error);
    if (failed || !role)
        return failed;
    const struct role **roles =
        scope_alloc(view->generation->scope, (membership->count + 1) * sizeof(struct role *));
    if (membership->count)
        memcpy(roles, membership->roles, membership->count * sizeof(struct role *));
    roles[membership->count++] = role;
    membership->roles = roles;
    return SQLSTATE_OK;
}

static enum sqlstate database_owner(struct reading *reading, uint32_t *owner, struct error *error)
{
    struct tuple database;
    enum sqlstate failed = tuple_by_oid(&reading->access, reading->scope, PG_DATABASE,
                                        reading->access.database, &database, error);
    *owner = !failed && database.values ? (uint32_t)database.values[PG_DATABASE_DATDBA].i : 0;
    return failed;
}

/* Every role that `role` is a member of, itself first, found level by level. */
static enum sqlstate close_over(struct catalog_view *view, struct reading *reading, uint32_t role,
                                bool inherited_only, struct membership *membership, struct error *error)
{
    uint32_t owner;
    enum sqlstate failed = membership_add(view, membership, role, error);
    if (!failed)
        failed = database_owner(reading, &owner, error);
    for (uint32_t at = 0; !failed && at < membership->count; at++) {
        const struct role *member = membership->roles[at];
        struct tuples found;
        if (inherited_only && !member->inherit)
            continue;
        struct tuple_match match = {PG_AUTH_MEMBERS_MEMBER, value_integer(member->oid)};
        failed = tuples_find(&reading->access, reading->scope, PG_AUTH_MEMBERS, &match, 1, &found, error);
        for (uint32_t i = 0; !failed && i < found.count; i++)
            failed = membership_add(view, membership,
                                    (uint32_t)found.tuple[i].values[PG_AUTH_MEMBERS_ROLEID].i, error);
        if (!failed && member->oid == owner)
            failed = membership_add(view, membership, ROLE_DATABASE_OWNER, error);
    }
    return failed;
}

enum sqlstate membership_of(struct catalog_view *view, uint32_t role, bool inherited_only,
                            const struct membership **found, struct error *error)
{
    struct generation *generation = view->generation;
    uint64_t number = (uint64_t)inherited_only << 32 | role;
    if ((*found = map_find_number(&generation->memberships, number)))
        return SQLSTATE_OK;
    struct reading reading;
    struct membership *made = scope_alloc_zeroed(generation->scope, sizeof *made);
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = close_over(view, &reading, role, inherited_only, made, error);
    reading_end(view, &reading);
    *found = made;
    return failed ? failed : map_put_number(&generation->memberships, number, made, NULL, error);
}

enum sqlstate catalog_role_has(struct catalog_view *view, uint32_t member, uint32_t role, bool *has,
                               struct error *error)
{
    const struct membership *membership;
    enum sqlstate failed = membership_of(view, member, false, &membership, error);
    *has =
        !failed && membership->count && (membership->roles[0]->superuser || membership_has(membership, role));
    return failed;
}
