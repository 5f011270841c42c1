/* has_..._privilege, pg_has_role, access lists as rows (PostgreSQL manual, 9.26.2). Each family comes in six or more
 * shapes: the role by name, by number or the current one; the thing by name or number. */
#include "sqlfront/catalog/functions.h"
#include "sqlfront/catalog/reg.h"
#include "sqlfront/catalog/role.h"
#include "sqlfront/value/array/array.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- arguments ---- */

/* The role an argument names: 42704. */
static enum sqlstate role_argument(struct call *call, const struct value *argument, bool by_name,
                                   uint32_t *role)
{
    const struct role *found;
    if (!by_name) {
        *role = (uint32_t)argument->i;
        return SQLSTATE_OK;
    }
    const char *name = text_argument(call, argument);
    if (strcmp(name, "public") == 0) {
        *role = 0;
        return SQLSTATE_OK;
    }
    enum sqlstate failed = catalog_role(call->environment->catalog, name, &found, call->error);
    if (!failed && !found)
        failed = error_set(call->error, SQLSTATE_UNDEFINED_OBJECT, "role \"%s\" does not exist", name);
    *role = failed ? 0 : found->oid;
    return failed;
}

/* "SELECT, UPDATE WITH GRANT OPTION": any of them will do. *grantable holds those with the option. */
static enum sqlstate privilege_argument(struct call *call, const struct value *argument, uint32_t allowed,
                                        uint32_t *plain, uint32_t *grantable)
{
    const char *at = text_argument(call, argument);
    *plain = *grantable = 0;
    while (*at) {
        const char *end = strchrnul(at, ',');
        while (at < end && isspace((unsigned char)*at))
            at++;
        size_t size = (size_t)(end - at);
        while (size && isspace((unsigned char)at[size - 1]))
            size--;
        static const char option[] = " WITH GRANT OPTION", admin[] = " WITH ADMIN OPTION";
        bool with = (size > sizeof option - 1 &&
                     strncasecmp(at + size - (sizeof option - 1), option, sizeof option - 1) == 0) ||
                    (size > sizeof admin - 1 &&
                     strncasecmp(at + size - (sizeof admin - 1), admin, sizeof admin - 1) == 0);
        if (with)
            size -= strncasecmp(at + size - (sizeof option - 1), option, sizeof option - 1) == 0
                        ? sizeof option - 1
                        : sizeof admin - 1;
        uint32_t bit = privilege_of_word(at, size);
        if (!(bit & allowed))
            return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "unrecognized privilege type: \"%.*s\"", (int)size, at);
        *(with ? grantable : plain) |= bit;
        at = *end ? end + 1 : end;
    }
    return SQLSTATE_OK;
}

/* Bits a role may grant on: owners all, others what lists give with the option. */
static enum sqlstate grantable_on(struct call *call, uint32_t role, uint32_t owner, const char *acl_text,
                                  uint32_t *bits)
{
    struct catalog_view *view = call->environment->catalog;
    const struct membership *membership;
    struct acl acl = {0};
    *bits = 0;
    enum sqlstate failed = membership_of(view, role, true, &membership, call->error);
    if (failed)
        return failed;
    if (membership->count && (membership->roles[0]->superuser || membership_has(membership, owner))) {
        *bits = UINT32_MAX;
        return SQLSTATE_OK;
    }
    if (acl_text && acl_parse(call->scope, acl_text, &acl)) {
        for (uint32_t i = 0; i < acl.count; i++)
            acl.items[i].privileges = acl.items[i].grantable;
        *bits = acl_granted(&acl, membership);
    }
    return SQLSTATE_OK;
}

/* ---- relations ---- */

static enum sqlstate relation_argument(struct call *call, const struct value *argument, bool by_name,
                                       const struct relation **relation)
{
    const char *schema, *name;
    struct catalog_view *view = call->environment->catalog;
    if (!by_name)
        return catalog_relation_by_oid(view, (uint32_t)argument->i, relation, call->error);
    enum sqlstate failed = name_parse(call->scope, value_view(argument), &schema, &name, call->error);
    if (!failed)
        failed = catalog_relation(view, schema, name, relation, call->error);
    if (!failed && !*relation)
        failed = error_set(call->error, SQLSTATE_UNDEFINED_TABLE, "relation \"%.*s\" does not exist",
                           (int)argument->size, argument->p);
    return failed;
}

/* What is asked: which argument is what. */
struct question {
    bool role_given, role_by_name, thing_by_name;
};

static enum sqlstate asked_role(struct call *call, const struct question *question,
                                const struct value **arguments, uint32_t *role)
{
    *role = call->environment->catalog->session->role;
    if (!question->role_given)
        return SQLSTATE_OK;
    enum sqlstate failed = role_argument(call, *arguments, question->role_by_name, role);
    ++*arguments;
    return failed;
}

static enum sqlstate on_relation(struct call *call, const struct question *question,
                                 const struct value *arguments, uint32_t allowed, struct value *result)
{
    uint32_t role, plain, grantable, granted = 0, may_grant = 0;
    const struct relation *relation;
    *result = value_null();
    enum sqlstate failed = asked_role(call, question, &arguments, &role);
    if (!failed)
        failed = relation_argument(call, &arguments[0], question->thing_by_name, &relation);
    if (!failed)
        failed = privilege_argument(call, &arguments[1], allowed, &plain, &grantable);
    if (failed || !relation)
        return failed;
    failed =
        relation_privileges(call->environment->catalog, role, relation, NULL, 0, 0, &granted, call->error);
    if (!failed && grantable)
        failed = grantable_on(call, role, relation->owner, relation->acl_text, &may_grant);
    *result = value_boolean((plain & granted) || (grantable & may_grant));
    return failed;
}

static enum sqlstate on_any_column(struct call *call, const struct question *question,
                                   const struct value *arguments, uint32_t allowed, struct value *result)
{
    static const int16_t none;
    uint32_t role, plain, grantable, granted = 0;
    const struct relation *relation;
    *result = value_null();
    enum sqlstate failed = asked_role(call, question, &arguments, &role);
    if (!failed)
        failed = relation_argument(call, &arguments[0], question->thing_by_name, &relation);
    if (!failed)
        failed = privilege_argument(call, &arguments[1], allowed, &plain, &grantable);
    if (failed || !relation)
        return failed;
    failed = relation_privileges(call->environment->catalog, role, relation, &none, 0, plain | grantable,
                                 &granted, call->error);
    *result = value_boolean((plain | grantable) & granted);
    return failed;
}

static enum sqlstate on_column(struct call *call, const struct question *question, bool number_given,
                               const struct value *arguments, struct value *result)
{
    uint32_t role, plain, grantable, granted = 0;
    const struct relation *relation;
    int16_t number = 0;
    *result = value_null();
    enum sqlstate failed = asked_role(call, question, &arguments, &role);
    if (!failed)
        failed = relation_argument(call, &arguments[0], question->thing_by_name, &relation);
    if (!failed)
        failed = privilege_argument(call, &arguments[2], acl_all('c'), &plain, &grantable);
    if (failed || !relation)
        return failed;
    if (number_given) {
        number = (int16_t)arguments[1].i;
    } else {
        const char *name = text_argument(call, &arguments[1]);
        for (uint32_t c = 0; c < relation->columns; c++)
            if (!relation->column[c].dropped && strcmp(relation->column[c].name, name) == 0)
                number = relation->column[c].number;
        if (!number)
            return error_set(call->error, SQLSTATE_UNDEFINED_COLUMN,
                             "column \"%s\" of relation \"%s\" does not exist", name, relation->name);
    }
    if (number <= 0 || (uint32_t)number > relation->columns || relation->column[number - 1].dropped)
        return SQLSTATE_OK;
    failed = relation_privileges(call->environment->catalog, role, relation, &number, 1, plain | grantable,
                                 &granted, call->error);
    *result = value_boolean((plain | grantable) & granted);
    return failed;
}

/* ---- rows of other catalogs ---- */

struct kind {
    uint32_t class;
    int name, owner, acl;
    char letter;
    const char *word;
};

static const struct kind
    databases = {PG_DATABASE, PG_DATABASE_DATNAME, PG_DATABASE_DATDBA, PG_DATABASE_DATACL, 'd', "database"},
    schemas = {PG_NAMESPACE, PG_NAMESPACE_NSPNAME, PG_NAMESPACE_NSPOWNER, PG_NAMESPACE_NSPACL, 'n', "schema"},
    functions_kind = {PG_PROC, PG_PROC_PRONAME, PG_PROC_PROOWNER, PG_PROC_PROACL, 'f', "function"},
    types = {PG_TYPE, PG_TYPE_TYPNAME, PG_TYPE_TYPOWNER, PG_TYPE_TYPACL, 'T', "type"},
    languages = {PG_LANGUAGE, PG_LANGUAGE_LANNAME, PG_LANGUAGE_LANOWNER, PG_LANGUAGE_LANACL, 'T', "language"},
    tablespaces = {PG_TABLESPACE, PG_TABLESPACE_SPCNAME, PG_TABLESPACE_SPCOWNER, PG_TABLESPACE_SPCACL,
                   'n',           "tablespace"};

static const struct kind wrappers = {PG_FOREIGN_DATA_WRAPPER,
                                     PG_FOREIGN_DATA_WRAPPER_FDWNAME,
                                     PG_FOREIGN_DATA_WRAPPER_FDWOWNER,
                                     PG_FOREIGN_DATA_WRAPPER_FDWACL,
                                     'T',
                                     "foreign-data wrapper"},
                         servers = {PG_FOREIGN_SERVER,
                                    PG_FOREIGN_SERVER_SRVNAME,
                                    PG_FOREIGN_SERVER_SRVOWNER,
                                    PG_FOREIGN_SERVER_SRVACL,
                                    'T',
                                    "server"};

/* The oid of what an argument names. */
static enum sqlstate thing_argument(struct call *call, const struct kind *kind, const struct value *argument,
                                    bool by_name, uint32_t *oid)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed;
    if (!by_name) {
        *oid = (uint32_t)argument->i;
        return SQLSTATE_OK;
    }
    if (kind->class == PG_PROC || kind->class == PG_TYPE) {
        failed = reg_find(view, call->scope, kind->class == PG_PROC ? TYPE_REGPROCEDURE : TYPE_REGTYPE,
                          value_view(argument), oid, call->error);
    } else {
        struct tuple_match match = {kind->name, *argument};
        if ((failed = reading_begin(view, &reading, call->error)))
            return failed;
        failed = tuple_find(&reading.access, reading.scope, kind->class, &match, 1, &tuple, call->error);
        *oid = !failed && tuple.values ? (uint32_t)tuple.values[0].i : 0;
        reading_end(view, &reading);
    }
    if (!failed && !*oid)
        failed = error_set(call->error,
                           kind->class == PG_NAMESPACE  ? SQLSTATE_INVALID_SCHEMA_NAME
                           : kind->class == PG_DATABASE ? SQLSTATE_UNDEFINED_DATABASE
                           : kind->class == PG_PROC     ? SQLSTATE_UNDEFINED_FUNCTION
                                                        : SQLSTATE_UNDEFINED_OBJECT,
                           "%s \"%.*s\" does not exist", kind->word, (int)argument->size, argument->p);
    return failed;
}

static enum sqlstate on_row(struct call *call, const struct kind *kind, const struct question *question,
                            const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuple tuple;
    uint32_t role, oid, plain, grantable, granted = 0, may_grant = 0;
    uint32_t allowed = kind->class == PG_TABLESPACE ? PRIVILEGE_CREATE : acl_all(kind->letter);
    *result = value_null();
    enum sqlstate failed = asked_role(call, question, &arguments, &role);
    if (!failed)
        failed = thing_argument(call, kind, &arguments[0], question->thing_by_name, &oid);
    if (!failed)
        failed = privilege_argument(call, &arguments[1], allowed, &plain, &grantable);
    if (!failed)
        failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, kind->class, oid, &tuple, call->error);
    if (!failed && tuple.values) {
        const char *list = access_list_text(reading.scope, &tuple.values[kind->acl]);
        uint32_t owner = (uint32_t)tuple.values[kind->owner].i;
        failed = privileges_on(view, role, owner, kind->letter, list, &granted, call->error);
        if (!failed && grantable)
            failed = grantable_on(call, role, owner, list, &may_grant);
        *result = value_boolean((plain & granted) || (grantable & may_grant));
    }
    reading_end(view, &reading);
    return failed;
}

/* ---- roles ---- */

static enum sqlstate has_role(struct call *call, const struct question *question,
                              const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    const struct membership *membership;
    uint32_t member, role;
    enum sqlstate failed = asked_role(call, question, &arguments, &member);
    if (!failed)
        failed = role_argument(call, &arguments[0], question->thing_by_name, &role);
    if (failed)
        return failed;
    const char *word = text_argument(call, &arguments[1]);
    bool usage = strncasecmp(word, "USAGE", 5) == 0;
    if (!usage && strncasecmp(word, "MEMBER", 6) != 0)
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "unrecognized privilege type: \"%s\"",
                         word);
    failed = membership_of(view, member, usage, &membership, call->error);
    *result = value_boolean(!failed && membership->count &&
                            (membership->roles[0]->superuser || membership_has(membership, role)));
    return failed;
}

/* ---- access lists ---- */

static enum sqlstate default_list(struct call *call, const struct value *arguments, struct value *result)
{
    const struct role *owner;
    char kind = (char)arguments[0].i;
    enum sqlstate failed =
        catalog_role_by_oid(call->environment->catalog, (uint32_t)arguments[1].i, &owner, call->error);
    if (failed)
        return failed;
    /* acldefault() has letters of its own for some */
    kind = kind == 's' ? 'S' : kind == 't' ? 'n' : kind == 'l' ? 'T' : kind;
    if (!acl_all(kind) && !strchr("LFSp", kind))
        return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "unrecognized object type abbreviation: %c", kind);
    struct acl acl = acl_default(call->scope, kind, owner ? owner->name : "");
    return acl_write(call->scope, &acl, result, call->error);
}

static enum sqlstate make_item(struct call *call, const struct value *arguments, struct value *result)
{
    const struct role *grantee = NULL, *grantor = NULL;
    struct catalog_view *view = call->environment->catalog;
    uint32_t plain = 0, grantable;
    enum sqlstate failed = SQLSTATE_OK;
    if (arguments[0].i)
        failed = catalog_role_by_oid(view, (uint32_t)arguments[0].i, &grantee, call->error);
    if (!failed)
        failed = catalog_role_by_oid(view, (uint32_t)arguments[1].i, &grantor, call->error);
    if (!failed)
        failed = privilege_argument(call, &arguments[2], UINT32_MAX, &plain, &grantable);
    const struct acl_item item = {.grantee = grantee ? grantee->name : "",
                                  .grantor = grantor ? grantor->name : "",
                                  .privileges = plain,
                                  .grantable = arguments[3].i ? plain : 0};
    return failed ? failed : gives_text(result, acl_item_text(call->scope, &item));
}

static enum sqlstate list_contains(struct call *call, const struct value *arguments, struct value *result)
{
    struct acl acl;
    struct acl_item item;
    enum sqlstate failed = acl_read(call->scope, &arguments[0], &acl, call->error);
    *result = value_boolean(false);
    if (failed || !acl_item_parse(call->scope, text_argument(call, &arguments[1]), &item))
        return failed;
    for (uint32_t i = 0; i < acl.count; i++)
        if (strcmp(acl.items[i].grantee, item.grantee) == 0 &&
            strcmp(acl.items[i].grantor, item.grantor) == 0 &&
            (item.privileges & ~acl.items[i].privileges) == 0)
            *result = value_boolean(true);
    return SQLSTATE_OK;
}

struct explosion {
    struct acl acl;
    uint32_t item, bit;
};

static enum sqlstate explode_open(struct call *call, const struct value *arguments)
{
    struct explosion *explosion = scope_alloc_zeroed(call->scope_lasting, sizeof *explosion);
    call->memory = explosion;
    return acl_read(call->scope_lasting, &arguments[0], &explosion->acl, call->error);
}

static enum sqlstate role_number(struct call *call, const char *name, struct value *value)
{
    const struct role *role = NULL;
    enum sqlstate failed =
        *name ? catalog_role(call->environment->catalog, name, &role, call->error) : SQLSTATE_OK;
    *value = value_integer(role ? role->oid : 0);
    return failed;
}

static enum sqlstate explode_next(struct call *call, struct value *results, bool *end)
{
    struct explosion *explosion = call->memory;
    while (explosion->item < explosion->acl.count) {
        const struct acl_item *item = &explosion->acl.items[explosion->item];
        uint32_t bit = 1u << explosion->bit++;
        if (explosion->bit == 32) {
            explosion->bit = 0;
            explosion->item++;
        }
        if (!(item->privileges & bit))
            continue;
        *end = false;
        enum sqlstate failed = role_number(call, item->grantor, &results[0]);
        if (!failed)
            failed = role_number(call, item->grantee, &results[1]);
        results[2] = value_text(privilege_word(bit));
        results[3] = value_boolean((item->grantable & bit) != 0);
        return failed;
    }
    *end = true;
    return SQLSTATE_OK;
}

static const struct set_function sets[] = {
    {.name = "aclexplode", .open = explode_open, .next = explode_next},
    {0},
};

/* ---- the families ---- */

#define SHAPE(name, given, role_name, thing_name, answer)                                             \
    static enum sqlstate name(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                 \
        static const struct question question = {given, role_name, thing_name};                       \
        return answer;                                                                                \
    }
#define FAMILY(family, answer)                          \
    SHAPE(family##_name_name, true, true, true, answer) \
    SHAPE(family##_name_id, true, true, false, answer)  \
    SHAPE(family##_id_name, true, false, true, answer)  \
    SHAPE(family##_id_id, true, false, false, answer)   \
    SHAPE(family##_name, false, false, true, answer)    \
    SHAPE(family##_id, false, false, false, answer)

FAMILY(table, on_relation(call, &question, arguments, acl_all('r'), result))
FAMILY(sequence, on_relation(call, &question, arguments, acl_all('S'), result))
FAMILY(any_column, on_any_column(call, &question, arguments, acl_all('c'), result))
FAMILY(database, on_row(call, &databases, &question, arguments, result))
FAMILY(schema, on_row(call, &schemas, &question, arguments, result))
FAMILY(function, on_row(call, &functions_kind, &question, arguments, result))
FAMILY(type, on_row(call, &types, &question, arguments, result))
FAMILY(language, on_row(call, &languages, &question, arguments, result))
FAMILY(tablespace, on_row(call, &tablespaces, &question, arguments, result))
FAMILY(wrapper, on_row(call, &wrappers, &question, arguments, result))
FAMILY(server, on_row(call, &servers, &question, arguments, result))
FAMILY(role, has_role(call, &question, arguments, result))
FAMILY(column_by_name, on_column(call, &question, false, arguments, result))
FAMILY(column_by_number, on_column(call, &question, true, arguments, result))

/* clang-format off */
#define ROWS(family, source)                             \
    ASKS(source "_name_name", family##_name_name),       \
    ASKS(source "_name_id", family##_name_id),           \
    ASKS(source "_id_name", family##_id_name),           \
    ASKS(source "_id_id", family##_id_id),               \
    ASKS(source "_name", family##_name),                 \
    ASKS(source "_id", family##_id)

static const struct function functions[] = {
    ROWS(table, "has_table_privilege"),
    ROWS(sequence, "has_sequence_privilege"),
    ROWS(any_column, "has_any_column_privilege"),
    ROWS(database, "has_database_privilege"),
    ROWS(schema, "has_schema_privilege"),
    ROWS(function, "has_function_privilege"),
    ROWS(type, "has_type_privilege"),
    ROWS(language, "has_language_privilege"),
    ROWS(tablespace, "has_tablespace_privilege"),
    ROWS(wrapper, "has_foreign_data_wrapper_privilege"),
    ROWS(server, "has_server_privilege"),
    ROWS(role, "pg_has_role"),
    ASKS("has_column_privilege_name_name_name", column_by_name_name_name),
    ASKS("has_column_privilege_name_id_name", column_by_name_name_id),
    ASKS("has_column_privilege_id_name_name", column_by_name_id_name),
    ASKS("has_column_privilege_id_id_name", column_by_name_id_id),
    ASKS("has_column_privilege_name_name", column_by_name_name),
    ASKS("has_column_privilege_id_name", column_by_name_id),
    ASKS("has_column_privilege_name_name_attnum", column_by_number_name_name),
    ASKS("has_column_privilege_name_id_attnum", column_by_number_name_id),
    ASKS("has_column_privilege_id_name_attnum", column_by_number_id_name),
    ASKS("has_column_privilege_id_id_attnum", column_by_number_id_id),
    ASKS("has_column_privilege_name_attnum", column_by_number_name),
    ASKS("has_column_privilege_id_attnum", column_by_number_id),
    ASKS("acldefault_sql", default_list),
    ASKS("makeaclitem", make_item),
    {.name = "aclcontains", .run = list_contains},
    {0},
};
/* clang-format on */

const struct library privilege_library = {.functions = functions, .set_functions = sets};
