/* What all statements that define things need: seeing their own writes, names, owners. */
#include "sqlfront/define/inside.h"

#include "sqlfront/value/array/array.h"

#include <stdarg.h>
#include <stdio.h>

enum sqlstate work_look_again(struct work *work, struct error *error)
{
    work->result->changed = true;
    transaction_statement(work->access.transaction);
    enum sqlstate failed = catalog_view_open(work->request->catalog, work->scope, work->access.transaction,
                                             work->session, true, &work->view, error);
    work->request->environment->catalog = work->view;
    return failed;
}

void work_notice(struct work *work, enum sqlstate state, const char *format, ...)
{
    char message[ERROR_ROOM_BYTES];
    struct error notice = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    /* "00000" is the state of most notices, which error_set() takes for none */
    (void)!error_set(&notice, state ? state : SQLSTATE_INTERNAL_ERROR, "%s", message);
    notice.state = state;
    if (work->request->notice)
        work->request->notice(work->request->argument, DEFINE_NOTICE, &notice);
}

struct binder_request work_binder(struct work *work)
{
    return (struct binder_request){
        .world = work->request->world,
        .scope = work->scope,
        .view = work->view,
        .environment = work->request->environment,
        .text = work->request->text,
        .parameters_fixed = true,
        .column = work->column,
    };
}

enum sqlstate object_missing(struct error *error, enum sqlstate state, const char *format, const char *name)
{
    return error_set(error, state, format, name);
}

enum sqlstate not_supported(struct error *error, const char *what)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "%s is not supported", what);
}

/* ---- names ---- */

const char *relation_kind_word(char kind)
{
    switch (kind) {
    case RELATION_VIEW:
        return "view";
    case RELATION_SEQUENCE:
        return "sequence";
    case RELATION_INDEX:
        return "index";
    case RELATION_COMPOSITE:
        return "composite type";
    default:
        return "table";
    }
}

void name_of_list(const List *list, const char **schema, const char **name)
{
    int count = list_length(list);
    *schema = count > 1 ? strVal(list_nth(list, count - 2)) : NULL;
    *name = strVal(list_nth(list, count - 1));
}

RangeVar *range_var_of_list(struct scope *scope, const List *list)
{
    const char *schema, *name;
    name_of_list(list, &schema, &name);
    RangeVar *made = scope_alloc_zeroed(scope, sizeof *made);
    made->type = T_RangeVar;
    made->schemaname = (char *)schema;
    made->relname = (char *)name;
    made->inh = true;
    made->relpersistence = 'p';
    made->location = -1;
    return made;
}

enum sqlstate creation_schema(struct work *work, const char *schema, char persistence, uint32_t *oid,
                              struct error *error)
{
    enum sqlstate failed;
    *oid = 0;
    (void)persistence;
    if (schema) {
        failed = catalog_schema(work->view, schema, oid, error);
        if (!failed && !*oid)
            failed = error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", schema);
        if (failed)
            return failed;
    } else {
        for (uint32_t i = 0; i < work->session->search_path_count && !*oid; i++) {
            uint32_t candidate = work->session->search_path[i];
            if (candidate != SCHEMA_PG_CATALOG && candidate != work->session->temporary_schema)
                *oid = candidate;
        }
        if (!*oid)
            return error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "no schema has been selected to create in");
    }
    if (*oid == SCHEMA_PG_CATALOG) {
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "permission denied for schema pg_catalog");
        return failed;
    }
    return catalog_check_schema(work->view, *oid, PRIVILEGE_CREATE, error);
}

/* Makes the session's temporary schema: pg_temp_N, with a number nobody else has. */
static enum sqlstate temporary_schema(struct work *work, uint32_t *oid, struct error *error)
{
    *oid = work->session->temporary_schema;
    if (*oid)
        return SQLSTATE_OK;
    char name[32];
    enum sqlstate failed = catalog_new_oid(work->request->catalog, oid, error);
    if (failed)
        return failed;
    snprintf(name, sizeof name, "pg_temp_%u", *oid);
    struct value *values = tuple_make(work->scope, PG_NAMESPACE);
    values[PG_NAMESPACE_OID] = value_integer(*oid);
    values[PG_NAMESPACE_NSPNAME] = tuple_text(work->scope, name);
    values[PG_NAMESPACE_NSPOWNER] = value_integer(ROLE_SYNOD);
    failed = tuple_insert(&work->access, PG_NAMESPACE, values, error);
    work->request->session->temporary_schema = *oid;
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate creation_schema_of(struct work *work, const RangeVar *name, uint32_t *oid, char *persistence,
                                 struct error *error)
{
    bool temporary =
        name->relpersistence == 't' || (name->schemaname && strcmp(name->schemaname, "pg_temp") == 0);
    *persistence = temporary ? 't' : name->relpersistence;
    if (!temporary)
        return creation_schema(work, name->schemaname, *persistence, oid, error);
    if (name->schemaname && strcmp(name->schemaname, "pg_temp") != 0)
        return error_set(error, SQLSTATE_INVALID_TABLE_DEFINITION,
                         "cannot create temporary relation in non-temporary schema");
    return temporary_schema(work, oid, error);
}

static enum sqlstate relation_missing(const RangeVar *name, struct error *error)
{
    enum sqlstate failed;
    if (name->schemaname)
        failed = error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s.%s\" does not exist",
                           name->schemaname, name->relname);
    else
        failed = error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->relname);
    if (name->location >= 0)
        error->position = 0;
    return failed;
}

enum sqlstate relation_named(struct work *work, const RangeVar *name, enum lock_mode mode, bool missing_ok,
                             const struct relation **found, struct error *error)
{
    for (bool again = false;; again = true) {
        bool waited;
        enum sqlstate failed = catalog_relation(work->view, name->schemaname, name->relname, found, error);
        if (!failed && !*found && !missing_ok)
            failed = relation_missing(name, error);
        if (failed || !*found)
            return failed;
        failed = catalog_lock_relation(work->view, (*found)->oid, mode, LOCK_WAIT, &waited, error);
        if (failed || (!waited && (again || catalog_view_stands(work->view))))
            return failed;
        /* somebody may have changed or dropped it before it was locked */
        if ((failed = work_look_again(work, error)))
            return failed;
    }
}

enum sqlstate relation_check_owned(struct work *work, const struct relation *relation, struct error *error)
{
    enum sqlstate failed = catalog_check_owner(work->view, relation, error);
    if (!failed && relation->system)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
                           "permission denied: \"%s\" is a system catalog", relation->name);
    return failed;
}

enum sqlstate relation_owned(struct work *work, const RangeVar *name, bool missing_ok,
                             const struct relation **found, struct error *error)
{
    enum sqlstate failed = relation_named(work, name, LOCK_ACCESS_EXCLUSIVE, missing_ok, found, error);
    return failed || !*found ? failed : relation_check_owned(work, *found, error);
}

static enum sqlstate name_taken(struct work *work, const char *name, uint32_t schema, bool constraint,
                                bool *taken, struct error *error)
{
    struct tuple found;
    const struct tuple_match relation[] = {{PG_CLASS_RELNAME, value_text(name)},
                                           {PG_CLASS_RELNAMESPACE, value_integer(schema)}};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_CLASS, relation, 2, &found, error);
    *taken = !failed && found.values;
    if (failed || *taken || !constraint)
        return failed;
    const struct tuple_match match[] = {{PG_CONSTRAINT_CONNAME, value_text(name)},
                                        {PG_CONSTRAINT_CONNAMESPACE, value_integer(schema)}};
    failed = tuple_find(&work->access, work->scope, PG_CONSTRAINT, match, 2, &found, error);
    *taken = !failed && found.values;
    return failed;
}

/* PostgreSQL's makeObjectName: both names are shortened, the longer one first, until all fits. */
static void name_join(char *name, const char *first, const char *second, const char *label)
{
    size_t a = strlen(first), b = second ? strlen(second) : 0, extra = strlen(label) + 1 + (second ? 1 : 0);
    while (a + b + extra > NAME_BYTES_MAX) {
        if (a > b)
            a--;
        else
            b--;
    }
    while (a && (first[a] & 0xc0) == 0x80)
        a--;
    while (b && (second[b] & 0xc0) == 0x80)
        b--;
    snprintf(name, NAME_BYTES_MAX + 1, "%.*s%s%.*s_%s", (int)a, first, second ? "_" : "", (int)b,
             second ? second : "", label);
}

enum sqlstate name_choose(struct work *work, const char *first, const char *second, const char *label,
                          uint32_t schema, bool constraint, const char **name, struct error *error)
{
    char *room = scope_alloc(work->scope, NAME_BYTES_MAX + 1);
    char numbered[64];
    for (int attempt = 0;; attempt++) {
        bool taken;
        if (attempt)
            snprintf(numbered, sizeof numbered, "%.40s%d", label, attempt);
        name_join(room, first, second, attempt ? numbered : label);
        transaction_statement(work->access.transaction);
        enum sqlstate failed = name_taken(work, room, schema, constraint, &taken, error);
        *name = room;
        if (failed || !taken)
            return failed;
    }
}

/* ---- roles ---- */

enum sqlstate role_of_spec(struct work *work, const RoleSpec *spec, uint32_t *oid, struct error *error)
{
    const struct role *role;
    *oid = 0;
    switch (spec->roletype) {
    case ROLESPEC_CURRENT_ROLE:
    case ROLESPEC_CURRENT_USER:
        *oid = work->session->role;
        return SQLSTATE_OK;
    case ROLESPEC_SESSION_USER:
        *oid = work->session->session_role;
        return SQLSTATE_OK;
    case ROLESPEC_PUBLIC:
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "role \"%s\" does not exist", "public");
    case ROLESPEC_CSTRING:
        break;
    }
    enum sqlstate failed = catalog_role(work->view, spec->rolename, &role, error);
    if (!failed && !role)
        failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT, "role \"%s\" does not exist", spec->rolename);
    if (!failed)
        *oid = role->oid;
    return failed;
}

enum sqlstate role_name_of(struct work *work, uint32_t oid, const char **name, struct error *error)
{
    const struct role *role;
    enum sqlstate failed = catalog_role_by_oid(work->view, oid, &role, error);
    *name = !failed && role ? role->name : "unknown";
    return failed;
}

/* ---- tuples ---- */

struct value *tuple_copy(struct scope *scope, uint32_t relation, const struct tuple *tuple)
{
    const struct value *from = tuple->values;
    struct value *copy = tuple_make(scope, relation);
    memcpy(copy, from, tuple_columns(relation) * sizeof *copy);
    return copy;
}

static enum sqlstate set_columns(struct work *work, uint32_t relation, const struct tuple *old,
                                 const int *columns, const struct value *values, uint32_t count,
                                 struct error *error)
{
    struct value *copy = tuple_copy(work->scope, relation, old);
    for (uint32_t i = 0; i < count; i++)
        copy[columns[i]] = values[i];
    return tuple_update(&work->access, relation, old, copy, error);
}

enum sqlstate tuple_set(struct work *work, uint32_t relation, uint32_t oid, const int *columns,
                        const struct value *values, uint32_t count, struct error *error)
{
    struct tuple old;
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, relation, oid, &old, error);
    if (!failed && !old.values)
        failed = error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for object %u", oid);
    return failed ? failed : set_columns(work, relation, &old, columns, values, count, error);
}

enum sqlstate class_set(struct work *work, uint32_t relation, const int *columns, const struct value *values,
                        uint32_t count, struct error *error)
{
    return tuple_set(work, PG_CLASS, relation, columns, values, count, error);
}

enum sqlstate attribute_set(struct work *work, uint32_t relation, int16_t number, const int *columns,
                            const struct value *values, uint32_t count, struct error *error)
{
    struct tuple old;
    const struct tuple_match matches[] = {{PG_ATTRIBUTE_ATTRELID, value_integer(relation)},
                                          {PG_ATTRIBUTE_ATTNUM, value_integer(number)}};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_ATTRIBUTE, matches, 2, &old, error);
    if (!failed && !old.values)
        failed = error_set(error, SQLSTATE_INTERNAL_ERROR,
                           "cache lookup failed for attribute %d of relation %u", number, relation);
    return failed ? failed : set_columns(work, PG_ATTRIBUTE, &old, columns, values, count, error);
}

enum sqlstate array_of_one(struct scope *scope, const struct type *element, const struct value *value,
                           struct value *array, struct error *error)
{
    return array_build_list(scope, element, value, 1, array, error);
}
