/* DROP: finding what is named, and taking away the rows and files of each thing. What else goes is dependency.c's affair. */
#include "sqlfront/define/drop.h"

#include <stdio.h>

/* ---- showing ---- */

static enum sqlstate relation_words(struct work *work, uint32_t oid, const char **shown, struct error *error)
{
    const struct relation *relation;
    const char *name;
    struct tuple index;
    enum sqlstate failed = relation_shown(work->view, work->scope, oid, false, &name, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, oid, &relation, error);
    if (!failed && !name)
        name = "?";
    char kind = !failed && relation ? relation->kind : 'r';
    (void)index;
    struct text text = text_in(work->scope);
    text_format(&text, "%s %s", relation_kind_word(kind), name);
    return failed ? failed : text_end(&text, shown, error);
}

static enum sqlstate column_words(struct work *work, struct object object, const char **shown,
                                  struct error *error)
{
    const struct relation *relation;
    const char *table;
    enum sqlstate failed = relation_words(work, object.oid, &table, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, object.oid, &relation, error);
    if (failed)
        return failed;
    struct text text = text_in(work->scope);
    text_format(&text, "column %s of %s",
                relation && (uint32_t)object.part <= relation->columns
                    ? identifier(work->scope, relation->column[object.part - 1].name)
                    : "?",
                table);
    return text_end(&text, shown, error);
}

static enum sqlstate default_words(struct work *work, const struct value *row, const char **shown,
                                   struct error *error)
{
    struct object column = {PG_CLASS, (uint32_t)row[PG_ATTRDEF_ADRELID].i, (int32_t)row[PG_ATTRDEF_ADNUM].i};
    const char *of;
    enum sqlstate failed = column_words(work, column, &of, error);
    struct text text = text_in(work->scope);
    text_format(&text, "default value for %s", of);
    return failed ? failed : text_end(&text, shown, error);
}

static enum sqlstate constraint_words(struct work *work, const struct value *row, const char **shown,
                                      struct error *error)
{
    const char *table;
    enum sqlstate failed = relation_words(work, (uint32_t)row[PG_CONSTRAINT_CONRELID].i, &table, error);
    struct text text = text_in(work->scope);
    text_format(&text, "constraint %s on %s",
                identifier(work->scope, text_of(work->scope, &row[PG_CONSTRAINT_CONNAME])), table);
    return failed ? failed : text_end(&text, shown, error);
}

/* "default privileges on new relations belonging to role r in schema s" */
static enum sqlstate default_privileges_words(struct work *work, const struct value *row, const char **shown,
                                              struct error *error)
{
    static const char *const kinds[] = {"rrelations", "Ssequences", "ffunctions", "Ttypes", "nschemas"};
    const char *role, *schema = NULL, *things = "things";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i][0] == row[PG_DEFAULT_ACL_DEFACLOBJTYPE].i)
            things = kinds[i] + 1;
    enum sqlstate failed = role_name_of(work, (uint32_t)row[PG_DEFAULT_ACL_DEFACLROLE].i, &role, error);
    if (!failed && row[PG_DEFAULT_ACL_DEFACLNAMESPACE].i)
        failed = catalog_schema_name(work->view, work->scope, (uint32_t)row[PG_DEFAULT_ACL_DEFACLNAMESPACE].i,
                                     &schema, error);
    if (failed)
        return failed;
    struct text text = text_in(work->scope);
    text_format(&text, "default privileges on new %s belonging to role %s%s%s", things, role,
                schema ? " in schema " : "", schema ? schema : "");
    return text_end(&text, shown, error);
}

enum sqlstate object_shown(struct work *work, struct object object, const char **shown, struct error *error)
{
    struct tuple tuple;
    const char *name = NULL, *word = "object";
    enum sqlstate failed = SQLSTATE_OK;
    if (object.class == PG_CLASS)
        return object.part ? column_words(work, object, shown, error)
                           : relation_words(work, object.oid, shown, error);
    failed = tuple_by_oid(&work->access, work->scope, object.class, object.oid, &tuple, error);
    if (failed)
        return failed;
    if (tuple.values && object.class == PG_CONSTRAINT)
        return constraint_words(work, tuple.values, shown, error);
    if (tuple.values && object.class == PG_DEFAULT_ACL)
        return default_privileges_words(work, tuple.values, shown, error);
    if (tuple.values && object.class == PG_ATTRDEF)
        return default_words(work, tuple.values, shown, error);
    if (tuple.values && object.class == PG_REWRITE)
        return relation_words(work, (uint32_t)tuple.values[PG_REWRITE_EV_CLASS].i, shown, error);
    if (object.class == PG_TYPE) {
        word = "type";
        failed = type_shown(work->view, work->scope, object.oid, -1, false, &name, error);
    } else if (object.class == PG_PROC) {
        word = tuple.values && tuple.values[PG_PROC_PROKIND].i == 'p' ? "procedure" : "function";
        failed = procedure_shown(work->view, work->scope, object.oid, true, &name, error);
    } else if (object.class == PG_NAMESPACE) {
        word = "schema";
        failed = catalog_schema_name(work->view, work->scope, object.oid, &name, error);
        if (!failed && name)
            name = identifier(work->scope, name);
    }
    struct text text = text_in(work->scope);
    text_format(&text, "%s %s", word, name ? name : "?");
    return failed ? failed : text_end(&text, shown, error);
}

/* ---- removing ---- */

static enum sqlstate delete_all(struct work *work, uint32_t catalog, const struct tuple_match *matches,
                                uint32_t count, struct error *error)
{
    struct tuples found;
    enum sqlstate failed = tuples_find(&work->access, work->scope, catalog, matches, count, &found, error);
    for (uint32_t i = 0; !failed && i < found.count; i++)
        failed = tuple_delete(&work->access, catalog, &found.tuple[i], error);
    return failed;
}

static enum sqlstate comments_remove(struct work *work, struct object object, struct error *error)
{
    const struct tuple_match matches[] = {{PG_DESCRIPTION_OBJOID, value_integer(object.oid)},
                                          {PG_DESCRIPTION_CLASSOID, value_integer(object.class)},
                                          {PG_DESCRIPTION_OBJSUBID, value_integer(object.part)}};
    return delete_all(work, PG_DESCRIPTION, matches, object.part ? 3 : 2, error);
}

/* Whether an index is the table itself, without a file of its own. */
static enum sqlstate index_clustered(struct work *work, uint32_t oid, bool *clustered, struct error *error)
{
    struct tuple index;
    struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(oid)};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_INDEX, &match, 1, &index, error);
    *clustered = !failed && index.values && index.values[PG_INDEX_INDISPRIMARY].i &&
                 index.values[PG_INDEX_INDIMMEDIATE].i;
    return failed;
}

static enum sqlstate relation_remove(struct work *work, uint32_t oid, struct error *error)
{
    struct tuple class;
    bool clustered = false;
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_CLASS, oid, &class, error);
    if (failed || !class.values)
        return failed;
    char kind = (char)class.values[PG_CLASS_RELKIND].i;
    uint32_t file = (uint32_t) class.values[PG_CLASS_RELFILENODE].i;
    failed = catalog_lock_relation(work->view, oid, LOCK_ACCESS_EXCLUSIVE, LOCK_WAIT, NULL, error);
    if (!failed && kind == RELATION_INDEX)
        failed = index_clustered(work, oid, &clustered, error);
    if (!failed && file && !clustered)
        failed = table_drop(work->access.transaction, store_number(work->access.database, file), error);
    const struct tuple_match attributes = {PG_ATTRIBUTE_ATTRELID, value_integer(oid)},
                             index = {PG_INDEX_INDEXRELID, value_integer(oid)},
                             sequence = {PG_SEQUENCE_SEQRELID, value_integer(oid)},
                             statistics = {PG_STATISTIC_STARELID, value_integer(oid)};
    if (!failed)
        failed = delete_all(work, PG_ATTRIBUTE, &attributes, 1, error);
    if (!failed)
        failed = delete_all(work, PG_STATISTIC, &statistics, 1, error);
    if (!failed && kind == RELATION_INDEX)
        failed = delete_all(work, PG_INDEX, &index, 1, error);
    if (!failed && kind == RELATION_SEQUENCE)
        failed = delete_all(work, PG_SEQUENCE, &sequence, 1, error);
    return failed ? failed : tuple_delete(&work->access, PG_CLASS, &class, error);
}

/* A dropped column keeps its place; its type is remembered in attstattarget, since the bytes are still in the rows. */
static enum sqlstate column_remove(struct work *work, uint32_t relation, int32_t number, struct error *error)
{
    char name[40];
    struct tuple old;
    const struct tuple_match matches[] = {{PG_ATTRIBUTE_ATTRELID, value_integer(relation)},
                                          {PG_ATTRIBUTE_ATTNUM, value_integer(number)}},
                             statistics[] = {{PG_STATISTIC_STARELID, value_integer(relation)},
                                             {PG_STATISTIC_STAATTNUM, value_integer(number)}};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = delete_all(work, PG_STATISTIC, statistics, 2, error);
    if (!failed)
        failed = tuple_find(&work->access, work->scope, PG_ATTRIBUTE, matches, 2, &old, error);
    if (failed || !old.values)
        return failed;
    struct value *values = tuple_copy(work->scope, PG_ATTRIBUTE, &old);
    snprintf(name, sizeof name, "........pg.dropped.%d........", number);
    values[PG_ATTRIBUTE_ATTNAME] = tuple_text(work->scope, name);
    values[PG_ATTRIBUTE_ATTSTATTARGET] = old.values[PG_ATTRIBUTE_ATTTYPID];
    values[PG_ATTRIBUTE_ATTTYPID] = value_integer(0);
    values[PG_ATTRIBUTE_ATTNOTNULL] = value_boolean(false);
    values[PG_ATTRIBUTE_ATTGENERATED] = value_integer(0);
    values[PG_ATTRIBUTE_ATTIDENTITY] = value_integer(0);
    values[PG_ATTRIBUTE_ATTISDROPPED] = value_boolean(true);
    values[PG_ATTRIBUTE_ATTACL] = value_null();
    return tuple_update(&work->access, PG_ATTRIBUTE, &old, values, error);
}

static enum sqlstate constraint_remove(struct work *work, uint32_t oid, struct error *error)
{
    struct tuple old, class;
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_CONSTRAINT, oid, &old, error);
    if (failed || !old.values)
        return failed;
    uint32_t relation = (uint32_t)old.values[PG_CONSTRAINT_CONRELID].i;
    if (old.values[PG_CONSTRAINT_CONTYPE].i == CONSTRAINT_CHECK && relation) {
        const int column = PG_CLASS_RELCHECKS;
        transaction_statement(work->access.transaction);
        failed = tuple_by_oid(&work->access, work->scope, PG_CLASS, relation, &class, error);
        if (!failed && class.values) {
            struct value checks = value_integer(class.values[PG_CLASS_RELCHECKS].i - 1);
            failed = class_set(work, relation, &column, &checks, 1, error);
        }
    }
    return failed ? failed : tuple_delete(&work->access, PG_CONSTRAINT, &old, error);
}

static enum sqlstate default_remove(struct work *work, uint32_t oid, struct error *error)
{
    struct tuple old;
    const int column = PG_ATTRIBUTE_ATTHASDEF;
    const struct value no = value_boolean(false);
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, PG_ATTRDEF, oid, &old, error);
    if (failed || !old.values)
        return failed;
    failed = attribute_set(work, (uint32_t)old.values[PG_ATTRDEF_ADRELID].i,
                           (int16_t)old.values[PG_ATTRDEF_ADNUM].i, &column, &no, 1, error);
    return failed ? failed : tuple_delete(&work->access, PG_ATTRDEF, &old, error);
}

static enum sqlstate row_remove(struct work *work, struct object object, struct error *error)
{
    struct tuple old;
    enum sqlstate failed = tuple_by_oid(&work->access, work->scope, object.class, object.oid, &old, error);
    return failed || !old.values ? failed : tuple_delete(&work->access, object.class, &old, error);
}

enum sqlstate object_remove(struct work *work, struct object object, struct error *error)
{
    const struct tuple_match labels = {PG_ENUM_ENUMTYPID, value_integer(object.oid)};
    enum sqlstate failed = SQLSTATE_OK;
    transaction_statement(work->access.transaction);
    switch (object.class) {
    case PG_CLASS:
        failed = object.part ? column_remove(work, object.oid, object.part, error)
                             : relation_remove(work, object.oid, error);
        break;
    case PG_CONSTRAINT:
        failed = constraint_remove(work, object.oid, error);
        break;
    case PG_ATTRDEF:
        failed = default_remove(work, object.oid, error);
        break;
    case PG_TYPE:
        failed = delete_all(work, PG_ENUM, &labels, 1, error);
        if (!failed)
            failed = row_remove(work, object, error);
        break;
    default:
        failed = row_remove(work, object, error);
    }
    if (!failed)
        failed = comments_remove(work, object, error);
    if (!failed)
        failed = depend_forget(work, object, 0, 0, error);
    if (!failed && !object.part)
        failed = owner_forget(work, object, error);
    return failed;
}

/* ---- DROP ---- */

static const struct kind {
    ObjectType type;
    char kind;
    const char *word, *right_word, *hint;
} kinds[] = {
    {OBJECT_TABLE, RELATION_TABLE, "table", "a table", "Use DROP TABLE to remove a table."},
    {OBJECT_VIEW, RELATION_VIEW, "view", "a view", "Use DROP VIEW to remove a view."},
    {OBJECT_INDEX, RELATION_INDEX, "index", "an index", "Use DROP INDEX to remove an index."},
    {OBJECT_SEQUENCE, RELATION_SEQUENCE, "sequence", "a sequence", "Use DROP SEQUENCE to remove a sequence."},
    {OBJECT_MATVIEW, 'm', "materialized view", "a materialized view",
     "Use DROP MATERIALIZED VIEW to remove a materialized view."},
    {OBJECT_FOREIGN_TABLE, 'f', "foreign table", "a foreign table",
     "Use DROP FOREIGN TABLE to remove a foreign table."},
    {OBJECT_TYPE, RELATION_COMPOSITE, "type", "a type", "Use DROP TYPE to remove a type."},
};

static const struct kind *kind_of(char kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return &kinds[0];
}

/* The table of an index is locked first, as those do who use it. *found NULL = there is no such thing; it may be no index. */
enum sqlstate index_named(struct work *work, const RangeVar *name, enum lock_mode mode,
                          const struct relation **found, struct error *error)
{
    for (;;) {
        struct tuple row;
        bool waited = false;
        enum sqlstate failed = catalog_relation(work->view, name->schemaname, name->relname, found, error);
        if (failed || !*found || (*found)->kind != RELATION_INDEX)
            return failed ? failed : relation_named(work, name, mode, true, found, error);
        struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer((*found)->oid)};
        failed = tuple_find(&work->access, work->scope, PG_INDEX, &match, 1, &row, error);
        if (!failed && row.values)
            failed = catalog_lock_relation(work->view, (uint32_t)row.values[PG_INDEX_INDRELID].i, mode,
                                           LOCK_WAIT, &waited, error);
        if (failed || !waited)
            return failed ? failed : relation_named(work, name, mode, true, found, error);
        if ((failed = work_look_again(work, error)))
            return failed;
    }
}

static enum sqlstate relation_to_drop(struct work *work, const struct kind *kind, const List *list,
                                      enum lock_mode mode, bool missing_ok, struct object *object,
                                      struct error *error)
{
    const RangeVar *name = range_var_of_list(work->scope, list);
    const struct relation *relation;
    uint32_t schema = 1;
    enum sqlstate failed = SQLSTATE_OK;
    if (name->schemaname)
        failed = catalog_schema(work->view, name->schemaname, &schema, error);
    if (!failed && !schema && missing_ok) {
        work_notice(work, SQLSTATE_OK, "schema \"%s\" does not exist, skipping", name->schemaname);
        return SQLSTATE_OK;
    }
    if (!failed && !schema)
        return error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist",
                         name->schemaname);
    if (!failed)
        failed = kind->kind == RELATION_INDEX ? index_named(work, name, mode, &relation, error)
                                              : relation_named(work, name, mode, true, &relation, error);
    if (failed)
        return failed;
    if (!relation && missing_ok) {
        work_notice(work, SQLSTATE_OK, "%s \"%s\" does not exist, skipping", kind->word, name->relname);
        return SQLSTATE_OK;
    }
    if (!relation)
        return error_set(error,
                         kind->kind == RELATION_INDEX ? SQLSTATE_UNDEFINED_OBJECT : SQLSTATE_UNDEFINED_TABLE,
                         "%s \"%s\" does not exist", kind->word, name->relname);
    if (relation->kind != kind->kind) {
        failed = error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not %s", relation->name,
                           kind->right_word);
        error_add(error, ERROR_HINT, "%s", kind_of(relation->kind)->hint);
        return failed;
    }
    *object = (struct object){PG_CLASS, relation->oid, 0};
    return relation_check_owned(work, relation, error);
}

static enum sqlstate schema_to_drop(struct work *work, const char *name, bool missing_ok,
                                    struct object *object, struct error *error)
{
    uint32_t oid;
    struct tuple tuple;
    bool has;
    enum sqlstate failed = catalog_schema(work->view, name, &oid, error);
    if (!failed && !oid && missing_ok) {
        work_notice(work, SQLSTATE_OK, "schema \"%s\" does not exist, skipping", name);
        return SQLSTATE_OK;
    }
    if (!failed && !oid)
        failed = error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%s\" does not exist", name);
    if (!failed)
        failed = tuple_by_oid(&work->access, work->scope, PG_NAMESPACE, oid, &tuple, error);
    if (failed)
        return failed;
    if (oid < OID_USER_FIRST && oid != SCHEMA_PUBLIC)
        return error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                         "cannot drop schema %s because it is required by the database system", name);
    failed = catalog_role_has(work->view, work->session->role,
                              (uint32_t)tuple.values[PG_NAMESPACE_NSPOWNER].i, &has, error);
    if (!failed && !has)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of schema %s", name);
    *object = (struct object){PG_NAMESPACE, oid, 0};
    return failed;
}

static enum sqlstate type_to_drop(struct work *work, const TypeName *name, bool missing_ok,
                                  struct object *object, struct error *error)
{
    const char *schema, *word;
    const struct type *type;
    struct tuple tuple;
    bool has;
    name_of_list(name->names, &schema, &word);
    enum sqlstate failed = catalog_type(work->view, schema, word, &type, error);
    if (failed)
        return failed;
    if (!type && missing_ok) {
        work_notice(work, SQLSTATE_OK, "type \"%s\" does not exist, skipping", word);
        return SQLSTATE_OK;
    }
    if (!type)
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type \"%s%s%s\" does not exist",
                         schema ? schema : "", schema ? "." : "", word);
    if (type->oid < OID_USER_FIRST)
        return error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                         "cannot drop type %s because it is required by the database system", word);
    failed = tuple_by_oid(&work->access, work->scope, PG_TYPE, type->oid, &tuple, error);
    if (!failed && tuple.values)
        failed = catalog_role_has(work->view, work->session->role, (uint32_t)tuple.values[PG_TYPE_TYPOWNER].i,
                                  &has, error);
    if (!failed && !has)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of type %s", word);
    *object = (struct object){PG_TYPE, type->oid, 0};
    return failed;
}

static enum sqlstate signature(struct work *work, const ObjectWithArgs *function, const char **text,
                               uint32_t *types, uint32_t *count, struct error *error)
{
    struct binder_request binder = work_binder(work);
    struct text shown = text_in(work->scope);
    const char *schema, *name;
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    name_of_list(function->objname, &schema, &name);
    text_format(&shown, "%s%s%s(", schema ? schema : "", schema ? "." : "", name);
    *count = 0;
    foreach(cell, function->objargs)
    {
        const struct type *type;
        int32_t modifier;
        const char *word;
        failed = bind_type(&binder, lfirst(cell), &type, &modifier, error);
        if (!failed)
            failed = type_shown(work->view, work->scope, type->oid, -1, false, &word, error);
        if (failed)
            return failed;
        text_format(&shown, "%s%s", *count ? "," : "", word);
        if (*count < 100)
            types[(*count)++] = type->oid;
    }
    text_append(&shown, ")");
    return text_end(&shown, text, error);
}

enum sqlstate function_named(struct work *work, const ObjectWithArgs *function, const char *word,
                             bool missing_ok, const struct procedure **found, struct error *error)
{
    uint32_t types[100], count = 0, candidates;
    const char *shown, *schema, *name;
    const struct procedure *const *list;
    *found = NULL;
    enum sqlstate failed = signature(work, function, &shown, types, &count, error);
    name_of_list(function->objname, &schema, &name);
    if (!failed)
        failed = catalog_procedures(work->view, work->scope, schema, name, &list, &candidates, error);
    if (failed)
        return failed;
    uint32_t matching = 0;
    for (uint32_t i = 0; i < candidates; i++)
        if (function->args_unspecified ||
            (list[i]->arguments == count &&
             memcmp(list[i]->argument_types, types, count * sizeof *types) == 0)) {
            *found = *found ? *found : list[i];
            matching++;
        }
    if (function->args_unspecified && matching > 1) {
        failed = error_set(error, SQLSTATE_AMBIGUOUS_FUNCTION, "%s name \"%s\" is not unique", word, name);
        error_add(error, ERROR_HINT, "Specify the argument list to select the %s unambiguously.", word);
        return failed;
    }
    if (*found)
        return SQLSTATE_OK;
    if (missing_ok) {
        work_notice(work, SQLSTATE_OK, "%s %s does not exist, skipping", word, shown);
        return SQLSTATE_OK;
    }
    if (function->args_unspecified)
        return error_set(error, SQLSTATE_UNDEFINED_FUNCTION, "could not find a %s named \"%s\"", word, name);
    return error_set(error, SQLSTATE_UNDEFINED_FUNCTION, "%s %s does not exist", word, shown);
}

static enum sqlstate function_to_drop(struct work *work, const DropStmt *statement,
                                      const ObjectWithArgs *function, struct object *object,
                                      struct error *error)
{
    const struct procedure *found;
    const char *word = statement->removeType == OBJECT_PROCEDURE ? "procedure" : "function";
    enum sqlstate failed = function_named(work, function, word, statement->missing_ok, &found, error);
    if (failed || !found)
        return failed;
    if (found->oid < OID_USER_FIRST)
        return error_set(error, SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST,
                         "cannot drop function %s because it is required by the database system",
                         found->name);
    *object = (struct object){PG_PROC, found->oid, 0};
    return SQLSTATE_OK;
}

static enum sqlstate extension_to_drop(struct work *work, const char *name, bool missing_ok,
                                       struct object *object, struct error *error)
{
    struct tuple found;
    struct tuple_match match = {PG_EXTENSION_EXTNAME, value_text(name)};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_EXTENSION, &match, 1, &found, error);
    if (failed)
        return failed;
    if (found.values)
        *object = (struct object){PG_EXTENSION, (uint32_t)found.values[PG_EXTENSION_OID].i, 0};
    else if (missing_ok)
        work_notice(work, SQLSTATE_OK, "extension \"%s\" does not exist, skipping", name);
    else
        failed = error_set(error, SQLSTATE_UNDEFINED_OBJECT, "extension \"%s\" does not exist", name);
    return failed;
}

static enum sqlstate find_one(struct work *work, const DropStmt *statement, Node *node, struct object *object,
                              struct error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].type == statement->removeType && statement->removeType != OBJECT_TYPE)
            return relation_to_drop(work, &kinds[i], (List *)node, LOCK_ACCESS_EXCLUSIVE,
                                    statement->missing_ok, object, error);
    switch (statement->removeType) {
    case OBJECT_SCHEMA:
        return schema_to_drop(work, strVal(node), statement->missing_ok, object, error);
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        return type_to_drop(work, (TypeName *)node, statement->missing_ok, object, error);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        return function_to_drop(work, statement, (ObjectWithArgs *)node, object, error);
    case OBJECT_EXTENSION:
        return extension_to_drop(work, strVal(node), statement->missing_ok, object, error);
    case OBJECT_TRIGGER:
    case OBJECT_RULE:
    case OBJECT_POLICY:
    case OBJECT_OPERATOR:
    case OBJECT_AGGREGATE:
    case OBJECT_CAST:
    case OBJECT_COLLATION:
    case OBJECT_FDW:
    case OBJECT_FOREIGN_SERVER:
    case OBJECT_PUBLICATION:
        if (statement->missing_ok)
            return SQLSTATE_OK;
        [[fallthrough]];
    default:
        return not_supported(error, "DROP of this kind of object");
    }
}

enum sqlstate index_to_drop(struct work *work, const DropStmt *statement, struct object *object,
                            struct error *error)
{
    const struct kind *kind = kind_of(RELATION_INDEX);
    *object = (struct object){0};
    return relation_to_drop(work, kind, linitial(statement->objects), LOCK_SHARE_UPDATE_EXCLUSIVE,
                            statement->missing_ok, object, error);
}

enum sqlstate define_drop(struct work *work, const DropStmt *statement, struct error *error)
{
    uint32_t count = 0;
    struct object *objects =
        scope_alloc(work->scope, ((size_t)list_length(statement->objects) + 1) * sizeof *objects);
    ListCell *cell;
    foreach(cell, statement->objects)
    {
        struct object object = {0};
        enum sqlstate failed = find_one(work, statement, lfirst(cell), &object, error);
        if (failed)
            return failed;
        if (object.oid)
            objects[count++] = object;
    }
    return count ? objects_drop(work, objects, count, statement->behavior == DROP_CASCADE, error)
                 : SQLSTATE_OK;
}
