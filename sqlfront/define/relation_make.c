/* Making relations and types: the rows of pg_class, pg_attribute, pg_type, pg_attrdef, and the engine's table. */
#include "sqlfront/define/inside.h"

#include <stdio.h>

#define ACCESS_METHOD_HEAP 2

/* What PostgreSQL's pg_type says of how values of a type lie in its pages: shown, and used for nothing here. */
static void storage_of(const struct type *type, bool *by_value, char *align, char *storage)
{
    *by_value = type->length == 1 || type->length == 2 || type->length == 4 || type->length == 8;
    *storage = type->length < 0 ? 'x' : 'p';
    *align = 'i';
    if (type->length == 1 || type->oid == TYPE_UUID || type->oid == TYPE_NAME)
        *align = 'c';
    else if (type->length == 2 || type->oid == TYPE_TID)
        *align = 's';
    else if (type->length == 8 || type->oid == TYPE_INTERVAL || type->oid == TYPE_TIMETZ ||
             type->type_type == 'c' || type->element == TYPE_INT8 || type->element == TYPE_FLOAT8)
        *align = 'd';
    if (type->oid == TYPE_NUMERIC || type->oid == TYPE_INET || type->oid == TYPE_CIDR)
        *storage = 'm';
    if (type->oid == TYPE_UUID || type->oid == TYPE_MACADDR || type->oid == TYPE_NAME)
        *by_value = false;
}

static bool has_storage(char kind)
{
    return kind == RELATION_TABLE || kind == RELATION_SEQUENCE || kind == RELATION_INDEX;
}

static int dimensions_of(const struct type *type)
{
    return type->category == 'A' ? 1 : 0;
}

enum sqlstate attribute_insert(struct work *work, uint32_t relation, int16_t number,
                               const struct column_make *column, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_ATTRIBUTE);
    bool by_value;
    char align, storage;
    storage_of(column->type, &by_value, &align, &storage);
    values[PG_ATTRIBUTE_ATTRELID] = value_integer(relation);
    values[PG_ATTRIBUTE_ATTNAME] = tuple_text(work->scope, column->name);
    values[PG_ATTRIBUTE_ATTTYPID] = value_integer(column->type->oid);
    values[PG_ATTRIBUTE_ATTSTATTARGET] = value_integer(-1);
    values[PG_ATTRIBUTE_ATTLEN] = value_integer(column->type->length);
    values[PG_ATTRIBUTE_ATTNUM] = value_integer(number);
    values[PG_ATTRIBUTE_ATTNDIMS] = value_integer(number > 0 ? dimensions_of(column->type) : 0);
    values[PG_ATTRIBUTE_ATTCACHEOFF] = value_integer(-1);
    values[PG_ATTRIBUTE_ATTTYPMOD] = value_integer(column->modifier);
    values[PG_ATTRIBUTE_ATTBYVAL] = value_boolean(by_value);
    values[PG_ATTRIBUTE_ATTALIGN] = value_integer(align);
    values[PG_ATTRIBUTE_ATTSTORAGE] = value_integer(storage);
    values[PG_ATTRIBUTE_ATTCOMPRESSION] = value_integer(0);
    values[PG_ATTRIBUTE_ATTNOTNULL] = value_boolean(column->not_null);
    values[PG_ATTRIBUTE_ATTHASDEF] = value_boolean(false);
    values[PG_ATTRIBUTE_ATTHASMISSING] = value_boolean(false);
    values[PG_ATTRIBUTE_ATTIDENTITY] = value_integer(column->identity);
    values[PG_ATTRIBUTE_ATTGENERATED] = value_integer(column->generated);
    values[PG_ATTRIBUTE_ATTISDROPPED] = value_boolean(false);
    values[PG_ATTRIBUTE_ATTISLOCAL] = value_boolean(true);
    values[PG_ATTRIBUTE_ATTINHCOUNT] = value_integer(0);
    values[PG_ATTRIBUTE_ATTCOLLATION] = value_integer(column->collation);
    enum sqlstate failed = tuple_insert(&work->access, PG_ATTRIBUTE, values, error);
    if (!failed && column->type->oid >= OID_USER_FIRST && !column->of_index)
        failed = depend(work, (struct object){PG_CLASS, relation, number},
                        (struct object){1247, column->type->oid, 0}, 'n', error);
    return failed;
}

static enum sqlstate system_attributes(struct work *work, uint32_t relation, struct error *error)
{
    static const struct {
        const char *name;
        uint32_t type;
        int16_t number;
    } columns[] = {{"ctid", TYPE_TID, -1}, {"xmin", TYPE_XID, -2}, {"cmin", TYPE_CID, -3},
                   {"xmax", TYPE_XID, -4}, {"cmax", TYPE_CID, -5}, {"tableoid", TYPE_OID, -6}};
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t i = 0; i < sizeof columns / sizeof *columns && !failed; i++) {
        const struct column_make column = {
            .name = columns[i].name, .type = type_builtin(columns[i].type), .modifier = -1, .not_null = true};
        failed = attribute_insert(work, relation, columns[i].number, &column, error);
    }
    return failed;
}

/* ---- types ---- */

static void type_row(struct work *work, struct value *values, uint32_t oid, const char *name,
                     const struct type_make *make)
{
    values[PG_TYPE_OID] = value_integer(oid);
    values[PG_TYPE_TYPNAME] = tuple_text(work->scope, name);
    values[PG_TYPE_TYPNAMESPACE] = value_integer(make->schema);
    values[PG_TYPE_TYPOWNER] = value_integer(make->owner);
    values[PG_TYPE_TYPISPREFERRED] = value_boolean(false);
    values[PG_TYPE_TYPISDEFINED] = value_boolean(true);
    values[PG_TYPE_TYPDELIM] = value_integer(',');
    values[PG_TYPE_TYPRELID] = value_integer(0);
    values[PG_TYPE_TYPSUBSCRIPT] = value_integer(0);
    values[PG_TYPE_TYPELEM] = value_integer(0);
    values[PG_TYPE_TYPARRAY] = value_integer(0);
    values[PG_TYPE_TYPMODIN] = value_integer(0);
    values[PG_TYPE_TYPMODOUT] = value_integer(0);
    values[PG_TYPE_TYPANALYZE] = value_integer(0);
    values[PG_TYPE_TYPNOTNULL] = value_boolean(false);
    values[PG_TYPE_TYPBASETYPE] = value_integer(0);
    values[PG_TYPE_TYPTYPMOD] = value_integer(-1);
    values[PG_TYPE_TYPNDIMS] = value_integer(0);
    values[PG_TYPE_TYPCOLLATION] = value_integer(0);
}

/* Oids of the forms' functions in pg_proc: *_in, *_out, *_recv, *_send. */
static void type_forms(struct value *values, uint32_t in, uint32_t out, uint32_t receive, uint32_t send)
{
    values[PG_TYPE_TYPINPUT] = value_integer(in);
    values[PG_TYPE_TYPOUTPUT] = value_integer(out);
    values[PG_TYPE_TYPRECEIVE] = value_integer(receive);
    values[PG_TYPE_TYPSEND] = value_integer(send);
}

/* "_name", with more underscores in front where it is taken. */
static enum sqlstate array_name(struct work *work, const struct type_make *make, char *name,
                                struct error *error)
{
    struct tuple found;
    enum sqlstate failed;
    snprintf(name, NAME_BYTES_MAX + 1, "_%s", make->name);
    for (;;) {
        const struct tuple_match matches[] = {{PG_TYPE_TYPNAME, value_text(name)},
                                              {PG_TYPE_TYPNAMESPACE, value_integer(make->schema)}};
        failed = tuple_find(&work->access, work->scope, PG_TYPE, matches, 2, &found, error);
        if (failed || !found.values)
            return failed;
        char longer[NAME_BYTES_MAX + 2];
        snprintf(longer, sizeof longer, "_%s", name);
        memcpy(name, longer, NAME_BYTES_MAX);
        name[NAME_BYTES_MAX] = 0;
    }
}

static enum sqlstate array_type(struct work *work, const struct type_make *make, uint32_t element,
                                uint32_t oid, struct error *error)
{
    char name[NAME_BYTES_MAX + 2];
    struct value *values = tuple_make(work->scope, PG_TYPE);
    enum sqlstate failed = array_name(work, make, name, error);
    if (failed)
        return failed;
    type_row(work, values, oid, name, make);
    type_forms(values, 750, 751, 2400, 2401);
    values[PG_TYPE_TYPLEN] = value_integer(-1);
    values[PG_TYPE_TYPBYVAL] = value_boolean(false);
    values[PG_TYPE_TYPTYPE] = value_integer('b');
    values[PG_TYPE_TYPCATEGORY] = value_integer('A');
    values[PG_TYPE_TYPSUBSCRIPT] = value_integer(6179);
    values[PG_TYPE_TYPELEM] = value_integer(element);
    values[PG_TYPE_TYPANALYZE] = value_integer(3816);
    values[PG_TYPE_TYPALIGN] = value_integer(make->kind == 'c' ? 'd' : 'i');
    values[PG_TYPE_TYPSTORAGE] = value_integer('x');
    failed = tuple_insert(&work->access, PG_TYPE, values, error);
    if (!failed)
        failed =
            depend(work, (struct object){PG_TYPE, oid, 0}, (struct object){PG_TYPE, element, 0}, 'i', error);
    return failed;
}

enum sqlstate type_create(struct work *work, const struct type_make *make, uint32_t *type,
                          struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_TYPE);
    uint32_t array;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, type, error);
    if (!failed)
        failed = catalog_new_oid(work->request->catalog, &array, error);
    if (failed)
        return failed;
    bool row = make->kind == 'c';
    type_row(work, values, *type, make->name, make);
    if (row)
        type_forms(values, 2290, 2291, 2402, 2403);
    else
        type_forms(values, 3506, 3507, 3532, 3533);
    values[PG_TYPE_TYPLEN] = value_integer(row ? -1 : 4);
    values[PG_TYPE_TYPBYVAL] = value_boolean(!row);
    values[PG_TYPE_TYPTYPE] = value_integer(make->kind);
    values[PG_TYPE_TYPCATEGORY] = value_integer(row ? 'C' : 'E');
    values[PG_TYPE_TYPRELID] = value_integer(make->relation);
    values[PG_TYPE_TYPARRAY] = value_integer(array);
    values[PG_TYPE_TYPALIGN] = value_integer(row ? 'd' : 'i');
    values[PG_TYPE_TYPSTORAGE] = value_integer(row ? 'x' : 'p');
    failed = tuple_insert(&work->access, PG_TYPE, values, error);
    if (!failed)
        failed = array_type(work, make, *type, array, error);
    if (!failed && !make->relation)
        failed = depend(work, (struct object){PG_TYPE, *type, 0},
                        (struct object){PG_NAMESPACE, make->schema, 0}, 'n', error);
    if (!failed && !make->relation)
        failed = depend_on_owner(work, (struct object){PG_TYPE, *type, 0}, make->owner, error);
    return failed;
}

/* ---- relations ---- */

static enum sqlstate check_names(struct work *work, const struct relation_make *make, struct error *error)
{
    struct tuple found;
    const struct tuple_match relation[] = {{PG_CLASS_RELNAME, value_text(make->name)},
                                           {PG_CLASS_RELNAMESPACE, value_integer(make->schema)}};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_CLASS, relation, 2, &found, error);
    if (!failed && found.values)
        return error_set(error, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists", make->name);
    if (failed || make->kind == RELATION_INDEX || make->kind == RELATION_SEQUENCE)
        return failed;
    const struct tuple_match type[] = {{PG_TYPE_TYPNAME, value_text(make->name)},
                                       {PG_TYPE_TYPNAMESPACE, value_integer(make->schema)}};
    failed = tuple_find(&work->access, work->scope, PG_TYPE, type, 2, &found, error);
    if (!failed && found.values && found.values[PG_TYPE_TYPCATEGORY].i != 'A')
        failed = error_set(error, SQLSTATE_DUPLICATE_OBJECT, "type \"%s\" already exists", make->name);
    if (failed == SQLSTATE_DUPLICATE_OBJECT)
        error_add(error, ERROR_HINT,
                  "A relation has an associated type of the same name, so you must use a name that doesn't "
                  "conflict with any existing type.");
    return failed;
}

/* What ALTER DEFAULT PRIVILEGES says of new things of this kind ('r', 'S', 'f', 'T', 'n'). */
static enum sqlstate default_list(struct work *work, char kind, uint32_t owner, uint32_t schema,
                                  struct value *list, struct error *error)
{
    struct tuples found;
    struct tuple_match match = {PG_DEFAULT_ACL_DEFACLROLE, value_integer(owner)};
    *list = value_null();
    enum sqlstate failed = tuples_find(&work->access, work->scope, PG_DEFAULT_ACL, &match, 1, &found, error);
    struct acl acl = {0}, item;
    const char *owner_name;
    if (failed || !found.count)
        return failed;
    bool any = false;
    if ((failed = role_name_of(work, owner, &owner_name, error)))
        return failed;
    acl = acl_default(work->scope, kind, owner_name);
    for (int global = 1; global >= 0 && !failed; global--)
        for (uint32_t i = 0; i < found.count && !failed; i++) {
            const struct value *row = found.tuple[i].values;
            uint32_t of = (uint32_t)row[PG_DEFAULT_ACL_DEFACLNAMESPACE].i;
            if (row[PG_DEFAULT_ACL_DEFACLOBJTYPE].i != kind || (global ? of != 0 : of != schema))
                continue;
            failed = acl_read(work->scope, &row[PG_DEFAULT_ACL_DEFACLACL], &item, error);
            if (global) /* replaces the built-in list; a schema's adds to it */
                acl = item;
            for (uint32_t k = 0; k < item.count && !failed && !global; k++)
                acl_grant(work->scope, &acl, item.items[k].grantee, item.items[k].grantor,
                          item.items[k].privileges, item.items[k].grantable != 0);
            any = true;
        }
    return failed || !any ? failed : acl_write(work->scope, &acl, list, error);
}

static enum sqlstate class_insert(struct work *work, const struct relation_make *make, uint32_t oid,
                                  uint32_t type, struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_CLASS);
    enum sqlstate failed = SQLSTATE_OK;
    values[PG_CLASS_OID] = value_integer(oid);
    values[PG_CLASS_RELNAME] = tuple_text(work->scope, make->name);
    values[PG_CLASS_RELNAMESPACE] = value_integer(make->schema);
    values[PG_CLASS_RELTYPE] = value_integer(type);
    values[PG_CLASS_RELOFTYPE] = value_integer(0);
    values[PG_CLASS_RELOWNER] = value_integer(make->owner);
    values[PG_CLASS_RELAM] = value_integer(make->kind == RELATION_TABLE   ? ACCESS_METHOD_HEAP
                                           : make->kind == RELATION_INDEX ? make->method
                                                                          : 0);
    values[PG_CLASS_RELFILENODE] = value_integer(has_storage(make->kind) && !make->no_file ? oid : 0);
    values[PG_CLASS_RELTABLESPACE] = value_integer(0);
    values[PG_CLASS_RELPAGES] = value_integer(0);
    values[PG_CLASS_RELTUPLES] = value_float(make->kind == RELATION_TABLE ? -1 : 0);
    values[PG_CLASS_RELALLVISIBLE] = value_integer(0);
    values[PG_CLASS_RELTOASTRELID] = value_integer(0);
    values[PG_CLASS_RELHASINDEX] = value_boolean(false);
    values[PG_CLASS_RELISSHARED] = value_boolean(false);
    values[PG_CLASS_RELPERSISTENCE] = value_integer(make->persistence);
    values[PG_CLASS_RELKIND] = value_integer(make->kind);
    values[PG_CLASS_RELNATTS] = value_integer(make->columns + make->attributes);
    values[PG_CLASS_RELCHECKS] = value_integer(0);
    values[PG_CLASS_RELHASRULES] = value_boolean(make->kind == RELATION_VIEW);
    values[PG_CLASS_RELHASTRIGGERS] = value_boolean(false);
    values[PG_CLASS_RELHASSUBCLASS] = value_boolean(false);
    values[PG_CLASS_RELROWSECURITY] = value_boolean(false);
    values[PG_CLASS_RELFORCEROWSECURITY] = value_boolean(false);
    values[PG_CLASS_RELISPOPULATED] = value_boolean(true);
    values[PG_CLASS_RELREPLIDENT] = value_integer(make->kind == RELATION_TABLE ? 'd' : 'n');
    values[PG_CLASS_RELISPARTITION] = value_boolean(false);
    values[PG_CLASS_RELREWRITE] = value_integer(0);
    values[PG_CLASS_RELFROZENXID] = value_integer(0);
    values[PG_CLASS_RELMINMXID] = value_integer(0);
    if (make->kind == RELATION_TABLE || make->kind == RELATION_VIEW || make->kind == RELATION_SEQUENCE)
        failed = default_list(work, make->kind == RELATION_SEQUENCE ? 'S' : 'r', make->owner, make->schema,
                              &values[PG_CLASS_RELACL], error);
    return failed ? failed : tuple_insert(&work->access, PG_CLASS, values, error);
}

static enum sqlstate relation_depends(struct work *work, const struct relation_make *make, uint32_t oid,
                                      uint32_t type, struct error *error)
{
    const struct object self = {PG_CLASS, oid, 0};
    enum sqlstate failed = SQLSTATE_OK;
    if (make->kind == RELATION_INDEX)
        return failed;
    if (make->kind == RELATION_COMPOSITE) {
        failed = depend(work, self, (struct object){PG_TYPE, type, 0}, 'i', error);
        return failed ? failed : depend_on_owner(work, (struct object){PG_TYPE, type, 0}, make->owner, error);
    }
    if (type)
        failed = depend(work, (struct object){PG_TYPE, type, 0}, self, 'i', error);
    if (!failed)
        failed = depend(work, self, (struct object){PG_NAMESPACE, make->schema, 0}, 'n', error);
    return failed ? failed : depend_on_owner(work, self, make->owner, error);
}

enum sqlstate relation_create(struct work *work, const struct relation_make *make, uint32_t *oid,
                              struct error *error)
{
    uint32_t type = 0;
    enum sqlstate failed;
    if (make->columns > COLUMNS_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_COLUMNS, "tables can have at most %d columns", COLUMNS_MAX);
    transaction_statement(work->access.transaction);
    if ((failed = check_names(work, make, error)))
        return failed;
    if ((failed = catalog_new_oid(work->request->catalog, oid, error)))
        return failed;
    bool typed =
        make->kind == RELATION_TABLE || make->kind == RELATION_VIEW || make->kind == RELATION_COMPOSITE;
    if (typed) {
        const struct type_make row = {
            .name = make->name, .schema = make->schema, .owner = make->owner, .kind = 'c', .relation = *oid};
        failed = type_create(work, &row, &type, error);
    }
    if (!failed)
        failed = class_insert(work, make, *oid, type, error);
    for (uint32_t c = 0; c < make->columns && !failed; c++)
        failed = attribute_insert(work, *oid, (int16_t)(c + 1), &make->column[c], error);
    if (!failed && make->kind == RELATION_TABLE)
        failed = system_attributes(work, *oid, error);
    if (!failed)
        failed = relation_depends(work, make, *oid, type, error);
    if (!failed && has_storage(make->kind) && !make->no_file)
        failed = table_create(work->access.transaction, store_number(work->access.database, *oid), TABLE_ROW,
                              error);
    return failed;
}

/* ---- defaults ---- */

enum sqlstate expression_store(struct work *work, const Node *tree, const struct relation *relation,
                               const struct type *type, int32_t modifier, const char **text,
                               struct expression **bound, struct error *error)
{
    struct binder_request binder = work_binder(work);
    enum sqlstate failed =
        bind_expression(&binder, (const struct Node *)tree, relation, type, modifier, bound, error);
    return failed ? failed
                  : bound_text(work->view, work->scope, *bound, relation, DEPARSE_STORED, text, error);
}

/* Relations in a default go by number: `'name'::regclass` becomes `'number'::regclass`. */
struct numbering {
    struct work *work;
    const char *text;
    enum sqlstate failed;
    struct error *error;
};

static void number_constants(void *argument, struct expression *expression)
{
    struct numbering *numbering = argument;
    struct scope *scope = numbering->work->scope;
    const char *shown, *whole;
    if (!expression || numbering->failed)
        return;
    expression_children(expression, number_constants, numbering);
    if (expression->kind != EXPRESSION_CONSTANT || expression->type->oid != TYPE_REGCLASS ||
        expression->constant.null)
        return;
    numbering->failed = relation_shown(numbering->work->view, scope, (uint32_t)expression->constant.i, false,
                                       &shown, numbering->error);
    if (numbering->failed || !shown)
        return;
    struct text named = text_in(scope), numbered = text_in(scope);
    text_literal(&named, shown);
    text_append(&named, "::regclass");
    numbering->failed = text_end(&named, &whole, numbering->error);
    const char *at = numbering->failed ? NULL : strstr(numbering->text, whole);
    if (!at)
        return;
    text_bytes(&numbered, bytes_of(numbering->text, (size_t)(at - numbering->text)));
    text_format(&numbered, "'%u'::regclass%s", (uint32_t)expression->constant.i, at + strlen(whole));
    numbering->failed = text_end(&numbered, &numbering->text, numbering->error);
}

enum sqlstate default_store(struct work *work, const struct relation *relation, int16_t number,
                            const char *text, const struct expression *expression, struct error *error)
{
    struct tuple old;
    const int column = PG_ATTRIBUTE_ATTHASDEF;
    const struct value has = value_boolean(text != NULL);
    const struct tuple_match matches[] = {{PG_ATTRDEF_ADRELID, value_integer(relation->oid)},
                                          {PG_ATTRDEF_ADNUM, value_integer(number)}};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_ATTRDEF, matches, 2, &old, error);
    if (!failed && old.values) {
        struct object self = {PG_ATTRDEF, (uint32_t)old.values[PG_ATTRDEF_OID].i, 0};
        failed = tuple_delete(&work->access, PG_ATTRDEF, &old, error);
        if (!failed)
            failed = depend_forget(work, self, 0, 0, error);
    }
    if (!failed)
        failed = attribute_set(work, relation->oid, number, &column, &has, 1, error);
    if (failed || !text)
        return failed;
    uint32_t oid;
    if ((failed = catalog_new_oid(work->request->catalog, &oid, error)))
        return failed;
    struct value *values = tuple_make(work->scope, PG_ATTRDEF);
    values[PG_ATTRDEF_OID] = value_integer(oid);
    values[PG_ATTRDEF_ADRELID] = value_integer(relation->oid);
    values[PG_ATTRDEF_ADNUM] = value_integer(number);
    struct numbering numbering = {.work = work, .text = text, .error = error};
    if (expression)
        number_constants(&numbering, (struct expression *)expression);
    if (numbering.failed)
        return numbering.failed;
    values[PG_ATTRDEF_ADBIN] = tuple_text(work->scope, numbering.text);
    const struct object self = {PG_ATTRDEF, oid, 0};
    failed = tuple_insert(&work->access, PG_ATTRDEF, values, error);
    if (!failed)
        failed = depend(work, self, (struct object){PG_CLASS, relation->oid, number}, 'a', error);
    if (!failed && expression)
        failed = depend_on_expression(work, self, expression, relation, error);
    return failed;
}
