/* Who may do what (PostgreSQL manual, 5.7): owners and superusers everything, others what lists grant to them, to a role
 * they are members of, or to PUBLIC. */
#include "sqlfront/catalog/privilege.h"

#include "base/scope.h"
#include "sqlfront/catalog/acl.h"
#include "sqlfront/catalog/role.h"

#include <string.h>

uint32_t acl_granted(const struct acl *acl, const struct membership *membership)
{
    uint32_t granted = 0;
    for (uint32_t i = 0; i < acl->count; i++) {
        bool applies = acl->items[i].grantee[0] == 0;
        for (uint32_t r = 0; r < membership->count && !applies; r++)
            applies = strcmp(membership->roles[r]->name, acl->items[i].grantee) == 0;
        if (applies)
            granted |= acl->items[i].privileges;
    }
    return granted;
}

static bool may_all(const struct membership *membership, uint32_t owner)
{
    return membership->count && (membership->roles[0]->superuser || membership_has(membership, owner));
}

enum sqlstate privileges_on(struct catalog_view *view, uint32_t role, uint32_t owner, char kind,
                            const char *acl_text, uint32_t *granted, struct error *error)
{
    const struct membership *membership;
    *granted = 0;
    enum sqlstate failed = membership_of(view, role, true, &membership, error);
    if (failed)
        return failed;
    if (may_all(membership, owner)) {
        *granted = UINT32_MAX;
        return SQLSTATE_OK;
    }
    struct scope *scope = scope_open(view->scope, "access list");
    struct acl acl;
    /* Who owns it was asked above: the owner here is one that no role is. (An empty name would be PUBLIC.) */
    if (!acl_text)
        acl = acl_default(scope, kind, "\x01");
    else if (!acl_parse(scope, acl_text, &acl))
        failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "access list \"%s\" makes no sense", acl_text);
    if (!failed)
        *granted = acl_granted(&acl, membership);
    scope_close(scope);
    return failed;
}

/* ---- columns ---- */

#define PRIVILEGES_OF_COLUMNS (PRIVILEGE_INSERT | PRIVILEGE_SELECT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES)

static bool wanted_column(int16_t number, const int16_t *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (columns[i] == number)
            return true;
    return false;
}

/* What columns grant: to *every those that all columns asked for have, to *some those that any column has. */
static enum sqlstate columns_grant(struct catalog_view *view, uint32_t role, uint32_t relation,
                                   const int16_t *columns, uint32_t count, uint32_t *every, uint32_t *some,
                                   struct error *error)
{
    const struct membership *membership;
    struct reading reading;
    struct tuples found;
    *every = PRIVILEGES_OF_COLUMNS;
    *some = 0;
    enum sqlstate failed = membership_of(view, role, true, &membership, error);
    if (!failed)
        failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    struct tuple_match match = {PG_ATTRIBUTE_ATTRELID, value_integer(relation)};
    failed = tuples_find(&reading.access, reading.scope, PG_ATTRIBUTE, &match, 1, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        struct acl acl;
        if (row[PG_ATTRIBUTE_ATTNUM].i <= 0 || row[PG_ATTRIBUTE_ATTISDROPPED].i)
            continue;
        failed = acl_read(reading.scope, &row[PG_ATTRIBUTE_ATTACL], &acl, error);
        uint32_t granted = failed ? 0 : acl_granted(&acl, membership);
        *some |= granted;
        if (!columns || wanted_column((int16_t)row[PG_ATTRIBUTE_ATTNUM].i, columns, count))
            *every &= granted;
    }
    if (columns && !count)
        *every = *some;
    reading_end(view, &reading);
    return failed;
}

enum sqlstate relation_privileges(struct catalog_view *view, uint32_t role, const struct relation *relation,
                                  const int16_t *columns, uint32_t count, uint32_t wanted, uint32_t *granted,
                                  struct error *error)
{
    char kind = relation->kind == RELATION_SEQUENCE ? 'S' : 'r';
    enum sqlstate failed =
        privileges_on(view, role, relation->owner, kind, relation->acl_text, granted, error);
    if (failed || !(wanted & ~*granted & PRIVILEGES_OF_COLUMNS))
        return failed;
    uint32_t every, some;
    failed = columns_grant(view, role, relation->oid, columns, count, &every, &some, error);
    *granted |= every;
    return failed;
}

static const char *kind_word(char kind)
{
    switch (kind) {
    case RELATION_VIEW:
        return "view";
    case RELATION_SEQUENCE:
        return "sequence";
    case RELATION_INDEX:
        return "index";
    default:
        return "table";
    }
}

enum sqlstate catalog_check_relation(struct catalog_view *view, uint32_t role,
                                     const struct relation *relation, uint32_t privileges,
                                     const int16_t *columns, uint32_t count, struct error *error)
{
    uint32_t granted;
    enum sqlstate failed = relation_privileges(view, role ? role : view->session->role, relation, columns,
                                               count, privileges, &granted, error);
    if (!failed && privileges & ~granted)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for %s %s",
                           kind_word(relation->kind), relation->name);
    return failed;
}

enum sqlstate catalog_check_procedure(struct catalog_view *view, const struct procedure *procedure,
                                      struct error *error)
{
    uint32_t granted;
    if (!procedure->acl_text)
        return SQLSTATE_OK;
    enum sqlstate failed =
        privileges_on(view, view->session->role, procedure->owner, 'f', procedure->acl_text, &granted, error);
    if (!failed && !(granted & PRIVILEGE_EXECUTE))
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for %s %s",
                           procedure->kind == 'p'   ? "procedure"
                           : procedure->kind == 'a' ? "aggregate"
                                                    : "function",
                           procedure->name);
    return failed;
}

enum sqlstate schema_privileges(struct catalog_view *view, uint32_t role, uint32_t schema, uint32_t *granted,
                                const char **name, struct error *error)
{
    struct reading reading;
    struct tuple tuple;
    *granted = 0;
    *name = NULL;
    if (schema && schema == view->session->temporary_schema) {
        *granted = acl_all('n');
        *name = "pg_temp";
        return SQLSTATE_OK;
    }
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_NAMESPACE, schema, &tuple, error);
    if (!failed && tuple.values) {
        *name = text_of(view->scope, &tuple.values[PG_NAMESPACE_NSPNAME]);
        failed = privileges_on(view, role, (uint32_t)tuple.values[PG_NAMESPACE_NSPOWNER].i, 'n',
                               access_list_text(reading.scope, &tuple.values[PG_NAMESPACE_NSPACL]), granted,
                               error);
    }
    reading_end(view, &reading);
    return failed;
}

enum sqlstate catalog_check_schema(struct catalog_view *view, uint32_t schema, uint32_t privileges,
                                   struct error *error)
{
    uint32_t granted;
    const char *name;
    enum sqlstate failed = schema_privileges(view, view->session->role, schema, &granted, &name, error);
    if (!failed && !name)
        return error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema with OID %u does not exist", schema);
    if (!failed && privileges & ~granted)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", name);
    return failed;
}

enum sqlstate catalog_check_owner(struct catalog_view *view, const struct relation *relation,
                                  struct error *error)
{
    bool has;
    enum sqlstate failed = catalog_role_has(view, view->session->role, relation->owner, &has, error);
    if (!failed && !has)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of %s %s",
                           kind_word(relation->kind), relation->name);
    return failed;
}
