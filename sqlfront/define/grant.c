/* GRANT, REVOKE, ALTER DEFAULT PRIVILEGES (PostgreSQL manual, 5.7). */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/drop.h"
#include "sqlfront/define/find.h"

/* What is granted, on one kind of thing. */
struct grant {
    struct work *work;
    const GrantStmt *statement;
    uint32_t privileges; /* 0 = all */
    uint32_t all;
};

/* ---- privileges ---- */

static const char *kind_words(char kind)
{
    switch (kind) {
    case 'r':
        return "relation";
    case 'S':
        return "sequence";
    case 'f':
        return "function";
    case 'n':
        return "schema";
    case 'd':
        return "database";
    case 'c':
        return "column";
    default:
        return "type";
    }
}

/* Privileges without columns; those of `allowed` are meant by ALL. */
static enum sqlstate read_privileges(const List *list, char kind, uint32_t *bits, struct error *error)
{
    ListCell *cell;
    *bits = list ? 0 : acl_all(kind);
    foreach(cell, list)
    {
        const AccessPriv *privilege = lfirst(cell);
        if (privilege->cols)
            continue;
        if (!privilege->priv_name) {
            *bits |= acl_all(kind);
            continue;
        }
        uint32_t bit = privilege_of_word(privilege->priv_name, strlen(privilege->priv_name));
        if (!bit)
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "unrecognized privilege type \"%s\"",
                             privilege->priv_name);
        if (!(bit & acl_all(kind)))
            return error_set(error, SQLSTATE_INVALID_GRANT_OPERATION, "invalid privilege type %s for %s",
                             privilege_word(bit), kind_words(kind));
        *bits |= bit;
    }
    return SQLSTATE_OK;
}

/* Applies grantees and privileges to a list. */
static enum sqlstate change_list(struct work *work, const List *grantees, bool is_grant, bool option,
                                 uint32_t bits, const char *grantor, struct acl *acl, struct error *error)
{
    ListCell *cell;
    foreach(cell, grantees)
    {
        const RoleSpec *spec = lfirst(cell);
        const char *name = "";
        if (spec->roletype != ROLESPEC_PUBLIC) {
            uint32_t oid;
            enum sqlstate failed = role_of_spec(work, spec, &oid, error);
            if (!failed)
                failed = role_name_of(work, oid, &name, error);
            if (failed)
                return failed;
        } else if (is_grant && option) {
            return error_set(error, SQLSTATE_INVALID_GRANT_OPERATION,
                             "grant options can only be granted to roles");
        }
        if (is_grant)
            acl_grant(work->scope, acl, name, grantor, bits, option);
        else
            acl_revoke(acl, name, bits, option);
    }
    acl_tidy(acl);
    return SQLSTATE_OK;
}

/* Who grants: the owner, if the role is one of its members, else the role itself, which must have the option. */
static enum sqlstate grantor_of(struct work *work, uint32_t owner, const struct acl *acl, uint32_t bits,
                                const char *thing, const char *name, const char **grantor,
                                struct error *error)
{
    bool has;
    enum sqlstate failed = catalog_role_has(work->view, work->session->role, owner, &has, error);
    if (!failed)
        failed = role_name_of(work, has ? owner : work->session->role, grantor, error);
    if (failed || has)
        return failed;
    uint32_t may = 0;
    for (uint32_t i = 0; i < acl->count; i++)
        if (strcmp(acl->items[i].grantee, *grantor) == 0)
            may |= acl->items[i].grantable;
    if (!(may & bits))
        return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for %s %s", thing, name);
    return SQLSTATE_OK;
}

/* ---- one thing ---- */

struct place {
    uint32_t class;
    int name, owner, acl;
    char kind;
    const char *word;
};

static const struct place places[] = {
    {PG_CLASS, PG_CLASS_RELNAME, PG_CLASS_RELOWNER, PG_CLASS_RELACL, 'r', "table"},
    {PG_CLASS, PG_CLASS_RELNAME, PG_CLASS_RELOWNER, PG_CLASS_RELACL, 'S', "sequence"},
    {PG_NAMESPACE, PG_NAMESPACE_NSPNAME, PG_NAMESPACE_NSPOWNER, PG_NAMESPACE_NSPACL, 'n', "schema"},
    {PG_DATABASE, PG_DATABASE_DATNAME, PG_DATABASE_DATDBA, PG_DATABASE_DATACL, 'd', "database"},
    {PG_PROC, PG_PROC_PRONAME, PG_PROC_PROOWNER, PG_PROC_PROACL, 'f', "function"},
    {PG_TYPE, PG_TYPE_TYPNAME, PG_TYPE_TYPOWNER, PG_TYPE_TYPACL, 'T', "type"},
};

static const struct place *place_of(char kind)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i].kind == kind)
            return &places[i];
    return NULL;
}

static enum sqlstate list_or_default(struct work *work, const struct value *list, char kind, uint32_t owner,
                                     struct acl *acl, struct error *error)
{
    const char *name;
    enum sqlstate failed = role_name_of(work, owner, &name, error);
    if (failed)
        return failed;
    if (!list->null)
        return acl_read(work->scope, list, acl, error);
    *acl = acl_default(work->scope, kind, name);
    return SQLSTATE_OK;
}

static enum sqlstate grant_on(struct work *work, const GrantStmt *statement, char kind, uint32_t oid,
                              struct error *error)
{
    const struct place *place = place_of(kind);
    struct tuple row;
    struct acl acl;
    const char *grantor;
    uint32_t bits;
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, place->class, oid, &row, error);
    if (failed || !row.values)
        return failed;
    if (kind == 'r' && row.values[PG_CLASS_RELKIND].i == RELATION_SEQUENCE)
        kind = 'S'; /* GRANT ... ON TABLE of a sequence grants what sequences have */
    failed = read_privileges(statement->privileges, kind, &bits, error);
    uint32_t owner = (uint32_t)row.values[place->owner].i;
    if (!failed)
        failed = list_or_default(work, &row.values[place->acl], kind, owner, &acl, error);
    if (!failed)
        failed = grantor_of(work, owner, &acl, bits, place->word,
                            text_of(work->scope, &row.values[place->name]), &grantor, error);
    if (!failed && bits)
        failed = change_list(work, statement->grantees, statement->is_grant, statement->grant_option, bits,
                             grantor, &acl, error);
    struct value list = value_null();
    if (!failed)
        failed = acl_write(work->scope, &acl, &list, error);
    if (failed || !bits)
        return failed;
    failed = tuple_set(work, place->class, oid, &place->acl, &list, 1, error);
    return failed ? failed : depend_on_grantees(work, (struct object){place->class, oid, 0}, &acl, error);
}

/* ---- columns ---- */

static enum sqlstate grant_column(struct work *work, const GrantStmt *statement,
                                  const struct relation *relation, const char *name, uint32_t bits,
                                  struct error *error)
{
    const struct column *column;
    struct tuple row;
    struct acl acl;
    const char *grantor;
    const int place = PG_ATTRIBUTE_ATTACL;
    enum sqlstate failed = column_found(relation, name, &column, error);
    const struct tuple_match matches[] = {{PG_ATTRIBUTE_ATTRELID, value_integer(relation->oid)},
                                          {PG_ATTRIBUTE_ATTNUM, value_integer(failed ? 0 : column->number)}};
    transaction_statement(work->access.transaction);
    if (!failed)
        failed = tuple_find(&work->access, work->scope, PG_ATTRIBUTE, matches, 2, &row, error);
    if (!failed)
        failed = acl_read(work->scope, &row.values[PG_ATTRIBUTE_ATTACL], &acl, error);
    if (!failed)
        failed = grantor_of(work, relation->owner, &acl, bits, "table", relation->name, &grantor, error);
    if (!failed)
        failed = change_list(work, statement->grantees, statement->is_grant, statement->grant_option, bits,
                             grantor, &acl, error);
    struct value list = value_null();
    if (!failed && acl.count)
        failed = acl_write(work->scope, &acl, &list, error);
    if (!failed)
        failed = attribute_set(work, relation->oid, column->number, &place, &list, 1, error);
    return failed ? failed
                  : depend_on_grantees(work, (struct object){PG_CLASS, relation->oid, column->number}, &acl,
                                       error);
}

static enum sqlstate grant_columns(struct work *work, const GrantStmt *statement,
                                   const struct relation *relation, struct error *error)
{
    ListCell *cell, *name;
    foreach(cell, statement->privileges)
    {
        const AccessPriv *privilege = lfirst(cell);
        uint32_t bits = privilege->priv_name
                            ? privilege_of_word(privilege->priv_name, strlen(privilege->priv_name))
                            : acl_all('c');
        if (!privilege->cols)
            continue;
        if (!(bits & acl_all('c')))
            return error_set(error, SQLSTATE_INVALID_GRANT_OPERATION, "invalid privilege type %s for column",
                             privilege_word(bits));
        foreach(name, privilege->cols)
        {
            enum sqlstate failed = grant_column(work, statement, relation, strVal(lfirst(name)), bits, error);
            if (failed)
                return failed;
        }
    }
    return SQLSTATE_OK;
}

/* ---- the statement's objects ---- */

static char kind_of(ObjectType type)
{
    switch (type) {
    case OBJECT_TABLE:
        return 'r';
    case OBJECT_SEQUENCE:
        return 'S';
    case OBJECT_SCHEMA:
        return 'n';
    case OBJECT_DATABASE:
        return 'd';
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        return 'f';
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        return 'T';
    default:
        return 0;
    }
}

static enum sqlstate named_object(struct work *work, char kind, Node *node, uint32_t *oid,
                                  struct error *error)
{
    const struct place *place = place_of(kind);
    const struct type *type;
    const struct procedure *procedure;
    const char *schema, *name;
    struct tuple found;
    enum sqlstate failed;
    switch (kind) {
    case 'f':
        failed = function_named(work, (const ObjectWithArgs *)node, "function", false, &procedure, error);
        *oid = failed ? 0 : procedure->oid;
        return failed;
    case 'T':
        name_of_list((const List *)node, &schema, &name);
        failed = catalog_type(work->view, schema, name, &type, error);
        if (!failed && !type)
            failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type \"%s\" does not exist", name);
        *oid = failed ? 0 : type->oid;
        return failed;
    default:
        break;
    }
    struct tuple_match match = {place->name, value_text(strVal(node))};
    failed = tuple_find(&work->access, work->scope, place->class, &match, 1, &found, error);
    if (!failed && !found.values)
        failed = error_set(error, kind == 'n' ? SQLSTATE_INVALID_SCHEMA_NAME : SQLSTATE_UNDEFINED_DATABASE,
                           "%s \"%s\" does not exist", place->word, strVal(node));
    *oid = failed ? 0 : (uint32_t)found.values[0].i;
    return failed;
}

static enum sqlstate grant_relation(struct work *work, const GrantStmt *statement, char kind,
                                    const RangeVar *name, struct error *error)
{
    const struct relation *relation;
    enum sqlstate failed = relation_named(work, name, LOCK_ACCESS_SHARE, false, &relation, error);
    if (failed)
        return failed;
    if (kind == 'S' && relation->kind != RELATION_SEQUENCE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", relation->name);
    if (relation->kind == RELATION_INDEX)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is an index", relation->name);
    failed = grant_columns(work, statement, relation, error);
    return failed ? failed : grant_on(work, statement, kind, relation->oid, error);
}

static enum sqlstate grant_all_in_schema(struct work *work, const GrantStmt *statement, char kind,
                                         const char *schema, struct error *error)
{
    uint32_t namespace;
    struct tuples found;
    bool functions = kind == 'f';
    enum sqlstate failed = catalog_schema(work->view, schema, &namespace, error);
    if (!failed && !namespace)
        failed = error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema);
    if (!failed)
        failed =
            tuples_find(&work->access, work->scope, functions ? PG_PROC : PG_CLASS, NULL, 0, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++) {
        const struct value *row = found.tuple[i].values;
        if (row[functions ? (int)PG_PROC_PRONAMESPACE : (int)PG_CLASS_RELNAMESPACE].i != namespace)
            continue;
        int64_t relation_kind = functions ? 0 : row[PG_CLASS_RELKIND].i;
        bool wanted =
            functions || (kind == 'S' ? relation_kind == RELATION_SEQUENCE
                                      : relation_kind == RELATION_TABLE || relation_kind == RELATION_VIEW);
        if (wanted)
            failed = grant_on(work, statement, kind, (uint32_t)row[0].i, error);
    }
    return failed;
}

enum sqlstate define_grant(struct work *work, const GrantStmt *statement, struct error *error)
{
    char kind = kind_of(statement->objtype);
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    if (!kind)
        return not_supported(error, "GRANT on this kind of object");
    foreach(cell, statement->objects)
    {
        uint32_t oid;
        if (statement->targtype == ACL_TARGET_ALL_IN_SCHEMA) {
            failed = grant_all_in_schema(work, statement, kind, strVal(lfirst(cell)), error);
        } else if (kind == 'r' || kind == 'S') {
            failed = grant_relation(work, statement, kind, lfirst(cell), error);
        } else {
            failed = named_object(work, kind, lfirst(cell), &oid, error);
            if (!failed)
                failed = grant_on(work, statement, kind, oid, error);
        }
        if (failed)
            return failed;
    }
    return work_look_again(work, error);
}

/* ---- ALTER DEFAULT PRIVILEGES ---- */

static enum sqlstate change_default(struct work *work, const GrantStmt *action, uint32_t role,
                                    uint32_t schema, struct error *error)
{
    char kind = kind_of(action->objtype);
    struct tuple old;
    struct acl acl = {0};
    const char *owner;
    uint32_t bits, oid;
    struct value list;
    if (!kind || kind == 'd')
        return not_supported(error, "default privileges on this kind of object");
    const struct tuple_match matches[] = {{PG_DEFAULT_ACL_DEFACLROLE, value_integer(role)},
                                          {PG_DEFAULT_ACL_DEFACLNAMESPACE, value_integer(schema)},
                                          {PG_DEFAULT_ACL_DEFACLOBJTYPE, value_integer(kind)}};
    enum sqlstate failed = read_privileges(action->privileges, kind, &bits, error);
    if (!failed)
        failed = role_name_of(work, role, &owner, error);
    if (!failed)
        failed = tuple_find(&work->access, work->scope, PG_DEFAULT_ACL, matches, 3, &old, error);
    if (!failed && old.values)
        failed = acl_read(work->scope, &old.values[PG_DEFAULT_ACL_DEFACLACL], &acl, error);
    else if (!failed && !schema)
        acl = acl_default(work->scope, kind, owner);
    if (!failed)
        failed = change_list(work, action->grantees, action->is_grant, action->grant_option, bits, owner,
                             &acl, error);
    if (!failed)
        failed = acl_write(work->scope, &acl, &list, error);
    if (failed)
        return failed;
    bool needless = acl_needless(work->scope, &acl, kind, owner, schema != 0);
    if (needless && !old.values)
        return SQLSTATE_OK;
    if (needless)
        return object_remove(
            work, (struct object){PG_DEFAULT_ACL, (uint32_t)old.values[PG_DEFAULT_ACL_OID].i, 0}, error);
    struct value *values =
        old.values ? tuple_copy(work->scope, PG_DEFAULT_ACL, &old) : tuple_make(work->scope, PG_DEFAULT_ACL);
    values[PG_DEFAULT_ACL_DEFACLACL] = list;
    if (old.values) {
        failed = tuple_update(&work->access, PG_DEFAULT_ACL, &old, values, error);
        return failed ? failed
                      : depend_on_grantees(
                            work, (struct object){PG_DEFAULT_ACL, (uint32_t)values[PG_DEFAULT_ACL_OID].i, 0},
                            &acl, error);
    }
    if ((failed = catalog_new_oid(work->request->catalog, &oid, error)))
        return failed;
    const struct object self = {PG_DEFAULT_ACL, oid, 0};
    values[PG_DEFAULT_ACL_OID] = value_integer(oid);
    for (int i = 0; i < 3; i++)
        values[matches[i].column] = matches[i].value;
    failed = tuple_insert(&work->access, PG_DEFAULT_ACL, values, error);
    if (!failed && schema)
        failed = depend(work, self, (struct object){PG_NAMESPACE, schema, 0}, 'a', error);
    if (!failed)
        failed = depend_on_owner(work, self, role, error);
    return failed ? failed : depend_on_grantees(work, self, &acl, error);
}

enum sqlstate define_default_privileges(struct work *work, const AlterDefaultPrivilegesStmt *statement,
                                        struct error *error)
{
    const List *roles = NULL, *schemas = NULL;
    ListCell *cell;
    foreach(cell, statement->options)
    {
        const DefElem *option = lfirst(cell);
        if (strcmp(option->defname, "roles") == 0)
            roles = (const List *)option->arg;
        if (strcmp(option->defname, "schemas") == 0)
            schemas = (const List *)option->arg;
    }
    int role_count = list_length(roles), schema_count = list_length(schemas);
    for (int r = 0; r < (role_count ? role_count : 1); r++) {
        uint32_t role = work->session->role;
        enum sqlstate failed =
            role_count ? role_of_spec(work, list_nth(roles, r), &role, error) : SQLSTATE_OK;
        for (int s = 0; s < (schema_count ? schema_count : 1) && !failed; s++) {
            uint32_t schema = 0;
            if (schema_count) {
                const char *name = strVal(list_nth(schemas, s));
                failed = catalog_schema(work->view, name, &schema, error);
                if (!failed && !schema)
                    failed =
                        error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
            }
            if (!failed)
                failed = change_default(work, statement->action, role, schema, error);
        }
        if (failed)
            return failed;
    }
    return work_look_again(work, error);
}
