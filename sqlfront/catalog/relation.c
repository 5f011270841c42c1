/* Descriptors of relations: of pg_catalog from their static shapes, of all others from the rows of pg_class, pg_attribute,
 * pg_attrdef, pg_index, pg_constraint and pg_rewrite. */
#include "base/check.h"
#include "base/scope.h"
#include "sqlfront/catalog/view.h"
#include "sqlfront/value/array/array.h"

#include <stdio.h>
#include <string.h>

/* What is being put together. */
struct draft {
    struct catalog_view *view;
    struct reading *reading;
    struct scope *scope; /* the descriptor's */
    struct relation *relation;
    struct column *columns;
};

static enum sqlstate find_by(struct draft *draft, uint32_t relation, int column, uint32_t oid,
                             struct tuples *found, struct error *error)
{
    struct tuple_match match = {column, value_integer(oid)};
    return tuples_find(&draft->reading->access, draft->reading->scope, relation, &match, 1, found, error);
}

static int16_t *numbers_copied(struct draft *draft, const struct value *list, uint32_t *count)
{
    int64_t *numbers;
    *count = list_numbers(draft->reading->scope, list, &numbers);
    int16_t *copy = scope_alloc(draft->scope, (*count + 1) * sizeof *copy);
    for (uint32_t i = 0; i < *count; i++)
        copy[i] = (int16_t)numbers[i];
    return copy;
}

static uint32_t *oids_copied(struct draft *draft, const struct value *list, uint32_t *count)
{
    int64_t *numbers;
    *count = list_numbers(draft->reading->scope, list, &numbers);
    uint32_t *copy = scope_alloc(draft->scope, (*count + 1) * sizeof *copy);
    for (uint32_t i = 0; i < *count; i++)
        copy[i] = (uint32_t)numbers[i];
    return copy;
}

/* ---- columns ---- */

static enum sqlstate read_missing(struct draft *draft, const struct value *list, struct column *column,
                                  struct error *error)
{
    struct array array;
    column->missing = value_null();
    if (list->null)
        return SQLSTATE_OK;
    array_read(list, &array);
    if (!array.count)
        return SQLSTATE_OK;
    struct value value = array_get(&array, 0);
    return value.null ? SQLSTATE_OK : value_copy(draft->scope, column->type, &value, &column->missing, error);
}

/* A domain stands for the type behind it, with its modifier: information_schema.yes_or_no is varchar(3). */
static enum sqlstate domain_modifier(struct draft *draft, uint32_t domain, int32_t *modifier,
                                     struct error *error)
{
    struct tuple row;
    enum sqlstate failed =
        tuple_by_oid(&draft->reading->access, draft->reading->scope, PG_TYPE, domain, &row, error);
    if (!failed && row.values)
        *modifier = (int32_t)row.values[PG_TYPE_TYPTYPMOD].i;
    return failed;
}

static enum sqlstate read_column(struct draft *draft, const struct value *row, struct column *column,
                                 struct error *error)
{
    column->name = text_of(draft->scope, &row[PG_ATTRIBUTE_ATTNAME]);
    column->modifier = (int32_t)row[PG_ATTRIBUTE_ATTTYPMOD].i;
    column->collation = (uint32_t)row[PG_ATTRIBUTE_ATTCOLLATION].i;
    column->number = (int16_t)row[PG_ATTRIBUTE_ATTNUM].i;
    column->dropped = row[PG_ATTRIBUTE_ATTISDROPPED].i;
    column->not_null = row[PG_ATTRIBUTE_ATTNOTNULL].i;
    column->identity = (char)row[PG_ATTRIBUTE_ATTIDENTITY].i;
    column->generated = (char)row[PG_ATTRIBUTE_ATTGENERATED].i;
    uint32_t type = (uint32_t)row[PG_ATTRIBUTE_ATTTYPID].i;
    column->missing = value_null();
    /* The bytes of a dropped column are still in the rows: DROP COLUMN keeps its type in attstattarget. */
    if (column->dropped)
        type = (uint32_t)row[PG_ATTRIBUTE_ATTSTATTARGET].i;
    enum sqlstate failed = catalog_type_by_oid(draft->view, type, &column->type, error);
    if (!failed && !column->type && column->dropped)
        column->type =
            type_builtin(row[PG_ATTRIBUTE_ATTBYVAL].i ? TYPE_INT4 : TYPE_TEXT); /* an enum, or a record */
    if (!failed && !column->type)
        failed = error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for type %u", type);
    if (!failed && column->type->oid == TYPE_VARCHAR && type != TYPE_VARCHAR)
        failed = domain_modifier(draft, type, &column->modifier, error);
    return failed ? failed : read_missing(draft, &row[PG_ATTRIBUTE_ATTMISSINGVAL], column, error);
}

static enum sqlstate read_columns(struct draft *draft, struct error *error)
{
    struct relation *relation = draft->relation;
    struct tuples found;
    enum sqlstate failed = find_by(draft, PG_ATTRIBUTE, PG_ATTRIBUTE_ATTRELID, relation->oid, &found, error);
    if (failed)
        return failed;
    draft->columns = scope_alloc_zeroed(draft->scope, (found.count + 1) * sizeof *draft->columns);
    for (uint32_t i = 0; i < found.count && !failed; i++)
        if (found.tuple[i].values[PG_ATTRIBUTE_ATTNUM].i > 0)
            failed = read_column(draft, found.tuple[i].values, &draft->columns[relation->columns++], error);
    relation->column = draft->columns;
    return failed ? failed : SQLSTATE_OK;
}

/* An identity column takes its values from the sequence that is a part of it. */
static enum sqlstate read_identity(struct draft *draft, struct column *column, struct error *error)
{
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(draft->relation->oid)},
                                          {PG_DEPEND_REFOBJSUBID, value_integer(column->number)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_DEPTYPE, value_integer('i')}};
    enum sqlstate failed =
        tuples_find(&draft->reading->access, draft->reading->scope, PG_DEPEND, matches, 5, &found, error);
    if (failed || !found.count)
        return failed;
    char *text = scope_alloc(draft->scope, 40);
    snprintf(text, 40, "nextval('%u'::regclass)", (uint32_t)found.tuple[0].values[PG_DEPEND_OBJID].i);
    column->default_text = text;
    return SQLSTATE_OK;
}

static enum sqlstate read_defaults(struct draft *draft, struct error *error)
{
    struct tuples found;
    enum sqlstate failed =
        find_by(draft, PG_ATTRDEF, PG_ATTRDEF_ADRELID, draft->relation->oid, &found, error);
    for (uint32_t i = 0; i < (failed ? 0 : found.count); i++) {
        const struct value *row = found.tuple[i].values;
        int64_t number = row[PG_ATTRDEF_ADNUM].i;
        if (number > 0 && number <= draft->relation->columns)
            draft->columns[number - 1].default_text = text_of(draft->scope, &row[PG_ATTRDEF_ADBIN]);
    }
    for (uint32_t c = 0; c < draft->relation->columns && !failed; c++)
        if (draft->columns[c].identity && !draft->columns[c].dropped)
            failed = read_identity(draft, &draft->columns[c], error);
    return failed;
}

static void layout_make(struct draft *draft)
{
    struct relation *relation = draft->relation;
    const struct type **types = scope_alloc(draft->scope, (relation->columns + 1) * sizeof *types);
    struct value *missing = scope_alloc(draft->scope, (relation->columns + 1) * sizeof *missing);
    for (uint32_t c = 0; c < relation->columns; c++) {
        types[c] = relation->column[c].type;
        missing[c] = relation->column[c].missing;
    }
    relation->types = types;
    relation->layout = row_layout_make(draft->scope, types, relation->columns, missing);
}

/* ---- indexes ---- */

/* Parts of an index's key, and the layout of its entries' rows: the row's key, then the included columns. */
static enum sqlstate index_parts(struct draft *draft, struct index *index, const int64_t *options,
                                 uint32_t options_count, struct error *error)
{
    struct tuples found;
    enum sqlstate failed = find_by(draft, PG_ATTRIBUTE, PG_ATTRIBUTE_ATTRELID, index->oid, &found, error);
    if (failed)
        return failed;
    struct key_part *parts = scope_alloc_zeroed(draft->scope, (index->key_columns + 1) * sizeof *parts);
    const struct type **row = scope_alloc(draft->scope, (index->columns + 1) * sizeof *row);
    const struct type **expressions = scope_alloc(draft->scope, (index->columns + 1) * sizeof *expressions);
    uint32_t expression = 0;
    row[0] = type_builtin(TYPE_BYTEA);
    for (uint32_t c = 0; c < index->columns && c < found.count; c++) {
        const struct type *type;
        uint32_t oid = (uint32_t)found.tuple[c].values[PG_ATTRIBUTE_ATTTYPID].i;
        if ((failed = catalog_type_by_oid(draft->view, oid, &type, error)))
            return failed;
        if (!type)
            return error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for type %u", oid);
        if (index->column[c] == 0)
            expressions[expression++] = type;
        int64_t option = c < options_count ? options[c] : 0;
        if (c < index->key_columns)
            parts[c] =
                (struct key_part){.type = type, .descending = option & 1, .nulls_first = (option & 2) != 0};
        else
            row[1 + c - index->key_columns] = type;
    }
    index->key_part = parts;
    index->expression_type = expressions;
    index->layout = row_layout_make(draft->scope, row, 1 + index->columns - index->key_columns, NULL);
    return SQLSTATE_OK;
}

static enum sqlstate read_index(struct draft *draft, const struct value *row, struct index *index,
                                struct error *error)
{
    struct tuple class;
    index->oid = (uint32_t)row[PG_INDEX_INDEXRELID].i;
    enum sqlstate failed =
        tuple_by_oid(&draft->reading->access, draft->reading->scope, PG_CLASS, index->oid, &class, error);
    if (!failed && !class.values)
        failed = error_set(error, SQLSTATE_INTERNAL_ERROR, "cache lookup failed for index %u", index->oid);
    if (failed)
        return failed;
    index->name = text_of(draft->scope, &class.values[PG_CLASS_RELNAME]);
    index->unique = row[PG_INDEX_INDISUNIQUE].i;
    index->primary = row[PG_INDEX_INDISPRIMARY].i;
    index->immediate = row[PG_INDEX_INDIMMEDIATE].i;
    index->valid = row[PG_INDEX_INDISVALID].i;
    index->ready = row[PG_INDEX_INDISREADY].i;
    index->nulls_distinct = !row[PG_INDEX_INDNULLSNOTDISTINCT].i;
    index->clustered = index->primary && index->immediate;
    index->store = index->clustered ? draft->relation->store
                                    : store_number(draft->reading->access.database,
                                                   (uint32_t) class.values[PG_CLASS_RELFILENODE].i);
    index->key_columns = (uint32_t)row[PG_INDEX_INDNKEYATTS].i;
    index->column = numbers_copied(draft, &row[PG_INDEX_INDKEY], &index->columns);
    uint32_t classes;
    index->operator_class = oids_copied(draft, &row[PG_INDEX_INDCLASS], &classes);
    index->collation = oids_copied(draft, &row[PG_INDEX_INDCOLLATION], &classes);
    index->predicate_text = text_of(draft->scope, &row[PG_INDEX_INDPRED]);
    int64_t *options;
    uint32_t count = list_numbers(draft->reading->scope, &row[PG_INDEX_INDOPTION], &options);
    if (!row[PG_INDEX_INDEXPRS].null) {
        const char **texts;
        index->expressions = expressions_split(draft->scope, &row[PG_INDEX_INDEXPRS], &texts);
        index->expression_text = texts;
    }
    return index_parts(draft, index, options, count, error);
}

/* An old snapshot sees nothing of an index that was built, or moved, since. */
static enum sqlstate valid_as_of(struct draft *draft, struct index *index, struct error *error)
{
    const struct tuple_access access = {.catalog = draft->view->catalog,
                                        .transaction = draft->view->transaction,
                                        .database = draft->reading->access.database};
    const struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(index->oid)};
    struct tuple row, class;
    enum sqlstate failed = tuple_find(&access, draft->reading->scope, PG_INDEX, &match, 1, &row, error);
    if (!failed)
        failed = tuple_by_oid(&access, draft->reading->scope, PG_CLASS, index->oid, &class, error);
    if (failed)
        return failed;
    index->newer =
        !row.values || !class.values ||
        (!index->clustered &&
         index->store != store_number(access.database, (uint32_t) class.values[PG_CLASS_RELFILENODE].i));
    index->valid &= !index->newer && row.values[PG_INDEX_INDISVALID].i;
    return SQLSTATE_OK;
}

uint32_t expressions_split(struct scope *scope, const struct value *value, const char ***texts)
{
    char *whole = text_of(scope, value);
    uint32_t count = 1;
    for (char *at = whole; *at; at++)
        count += *at == EXPRESSION_END;
    *texts = scope_alloc(scope, count * sizeof **texts);
    char *at = whole;
    for (uint32_t i = 0; i < count; i++) {
        (*texts)[i] = at;
        at = strchrnul(at, EXPRESSION_END);
        *at++ = 0;
    }
    return count;
}

static enum sqlstate read_indexes(struct draft *draft, struct error *error)
{
    struct relation *relation = draft->relation;
    struct tuples found;
    enum sqlstate failed = find_by(draft, PG_INDEX, PG_INDEX_INDRELID, relation->oid, &found, error);
    if (failed)
        return failed;
    struct index **list = scope_alloc(draft->scope, (found.count + 1) * sizeof(struct index *));
    struct index *indexes = scope_alloc_zeroed(draft->scope, (found.count + 1) * sizeof *indexes);
    for (uint32_t i = 0; i < found.count && !failed; i++) {
        list[i] = &indexes[i];
        failed = read_index(draft, found.tuple[i].values, &indexes[i], error);
        if (!failed && draft->view->older)
            failed = valid_as_of(draft, &indexes[i], error);
        if (!failed && indexes[i].clustered) {
            relation->key_columns = indexes[i].key_columns;
            relation->key_column = indexes[i].column;
            relation->key_part = indexes[i].key_part;
        }
    }
    relation->indexes = failed ? 0 : found.count;
    relation->index = list;
    return failed;
}

/* ---- constraints ---- */

static void read_constraint(struct draft *draft, const struct value *row, struct constraint *constraint)
{
    uint32_t count;
    constraint->oid = (uint32_t)row[PG_CONSTRAINT_OID].i;
    constraint->name = text_of(draft->scope, &row[PG_CONSTRAINT_CONNAME]);
    constraint->kind = (char)row[PG_CONSTRAINT_CONTYPE].i;
    constraint->deferrable = row[PG_CONSTRAINT_CONDEFERRABLE].i;
    constraint->deferred = row[PG_CONSTRAINT_CONDEFERRED].i;
    constraint->validated = row[PG_CONSTRAINT_CONVALIDATED].i;
    constraint->no_inherit = row[PG_CONSTRAINT_CONNOINHERIT].i;
    constraint->relation = (uint32_t)row[PG_CONSTRAINT_CONRELID].i;
    constraint->index = (uint32_t)row[PG_CONSTRAINT_CONINDID].i;
    constraint->column = numbers_copied(draft, &row[PG_CONSTRAINT_CONKEY], &constraint->columns);
    constraint->check_text = text_of(draft->scope, &row[PG_CONSTRAINT_CONBIN]);
    constraint->referenced = (uint32_t)row[PG_CONSTRAINT_CONFRELID].i;
    constraint->referenced_column = numbers_copied(draft, &row[PG_CONSTRAINT_CONFKEY], &count);
    constraint->on_update = (char)row[PG_CONSTRAINT_CONFUPDTYPE].i;
    constraint->on_delete = (char)row[PG_CONSTRAINT_CONFDELTYPE].i;
    constraint->match = (char)row[PG_CONSTRAINT_CONFMATCHTYPE].i;
    constraint->equality = oids_copied(draft, &row[PG_CONSTRAINT_CONPFEQOP], &count);
}

static enum sqlstate read_constraints(struct draft *draft, struct error *error)
{
    struct relation *relation = draft->relation;
    struct tuples found;
    enum sqlstate failed =
        find_by(draft, PG_CONSTRAINT, PG_CONSTRAINT_CONRELID, relation->oid, &found, error);
    if (failed)
        return failed;
    struct constraint *constraints =
        scope_alloc_zeroed(draft->scope, (found.count + 1) * sizeof *constraints);
    for (uint32_t i = 0; i < found.count; i++) {
        read_constraint(draft, found.tuple[i].values, &constraints[i]);
        for (uint32_t x = 0; x < relation->indexes; x++)
            if (constraints[i].kind != CONSTRAINT_FOREIGN && relation->index[x]->oid == constraints[i].index)
                relation->index[x]->constraint = constraints[i].oid;
    }
    relation->constraint = constraints;
    relation->constraints = found.count;
    return SQLSTATE_OK;
}

/* Foreign keys that point here: they depend on this relation, which pg_depend's index finds. */
static enum sqlstate read_referencing(struct draft *draft, struct error *error)
{
    struct relation *relation = draft->relation;
    struct tuples found;
    const struct tuple_match matches[] = {{PG_DEPEND_REFCLASSID, value_integer(PG_CLASS)},
                                          {PG_DEPEND_REFOBJID, value_integer(relation->oid)},
                                          {PG_DEPEND_CLASSID, value_integer(PG_CONSTRAINT)}};
    enum sqlstate failed =
        tuples_find(&draft->reading->access, draft->reading->scope, PG_DEPEND, matches, 3, &found, error);
    if (failed)
        return failed;
    struct constraint *constraints =
        scope_alloc_zeroed(draft->scope, (found.count + 1) * sizeof *constraints);
    uint32_t count = 0;
    for (uint32_t i = 0; i < found.count; i++) {
        struct tuple tuple;
        uint32_t oid = (uint32_t)found.tuple[i].values[PG_DEPEND_OBJID].i;
        bool seen = false;
        for (uint32_t k = 0; k < count; k++)
            seen = seen || constraints[k].oid == oid;
        if (seen)
            continue;
        failed =
            tuple_by_oid(&draft->reading->access, draft->reading->scope, PG_CONSTRAINT, oid, &tuple, error);
        if (failed)
            return failed;
        if (tuple.values && tuple.values[PG_CONSTRAINT_CONTYPE].i == CONSTRAINT_FOREIGN &&
            tuple.values[PG_CONSTRAINT_CONFRELID].i == relation->oid)
            read_constraint(draft, tuple.values, &constraints[count++]);
    }
    relation->referenced_by = constraints;
    relation->referencing = count;
    return SQLSTATE_OK;
}

static enum sqlstate read_view(struct draft *draft, struct error *error)
{
    struct tuples found;
    enum sqlstate failed =
        find_by(draft, PG_REWRITE, PG_REWRITE_EV_CLASS, draft->relation->oid, &found, error);
    if (!failed && found.count)
        draft->relation->view_text = text_of(draft->scope, &found.tuple[0].values[PG_REWRITE_EV_ACTION]);
    return failed;
}

/* ---- whole relations ---- */

static enum sqlstate describe_from_rows(struct draft *draft, const struct value *row, struct error *error)
{
    struct relation *relation = draft->relation;
    relation->oid = (uint32_t)row[PG_CLASS_OID].i;
    relation->schema = (uint32_t)row[PG_CLASS_RELNAMESPACE].i;
    relation->owner = (uint32_t)row[PG_CLASS_RELOWNER].i;
    relation->row_type = (uint32_t)row[PG_CLASS_RELTYPE].i;
    relation->name = text_of(draft->scope, &row[PG_CLASS_RELNAME]);
    relation->kind = (char)row[PG_CLASS_RELKIND].i;
    relation->persistence = (char)row[PG_CLASS_RELPERSISTENCE].i;
    relation->acl_text = access_list_text(draft->scope, &row[PG_CLASS_RELACL]);
    uint32_t file = (uint32_t)row[PG_CLASS_RELFILENODE].i;
    relation->store = file ? store_number(draft->reading->access.database, file) : 0;
    enum sqlstate failed =
        catalog_schema_name(draft->view, draft->scope, relation->schema, &relation->schema_name, error);
    if (failed)
        return failed;
    if (!relation->schema_name)
        relation->schema_name = "";
    relation->system =
        relation->schema == SCHEMA_PG_CATALOG || strcmp(relation->schema_name, "information_schema") == 0;
    failed = read_columns(draft, error);
    if (!failed)
        failed = read_defaults(draft, error);
    if (!failed && relation->kind == RELATION_VIEW)
        return read_view(draft, error);
    if (!failed && relation->kind != RELATION_COMPOSITE)
        layout_make(draft);
    if (!failed && relation->kind == RELATION_TABLE)
        failed = read_indexes(draft, error);
    if (!failed && relation->kind == RELATION_TABLE)
        failed = read_constraints(draft, error);
    if (!failed && relation->kind == RELATION_TABLE)
        failed = read_referencing(draft, error);
    return failed;
}

static void describe_system_index(struct draft *draft, const struct system_table *table, uint32_t at,
                                  struct index *index)
{
    const struct system_index *shape = &table->shape->index[at];
    struct relation *relation = draft->relation;
    *index = (struct index){
        .oid = shape->oid,
        .name = shape->name,
        .unique = shape->unique,
        .primary = shape->primary,
        .clustered = shape->primary,
        .store = shape->primary ? relation->store
                                : system_store(draft->reading->access.database, table->shape, shape->oid),
        .immediate = true,
        .valid = true,
        .ready = true,
        .nulls_distinct = true,
        .key_columns = shape->columns,
        .columns = shape->columns,
        .column = shape->column,
        .key_part = table->parts[at],
        .operator_class = shape->operator_class,
        .layout = draft->view->catalog->entry_layout,
    };
    if (index->clustered) {
        relation->key_columns = index->key_columns;
        relation->key_column = index->column;
        relation->key_part = index->key_part;
    }
}

static void describe_system(struct draft *draft, const struct system_relation *shape)
{
    struct relation *relation = draft->relation;
    const struct system_table *table = system_table_find(draft->view->catalog, shape->oid);
    struct column *columns = scope_alloc_zeroed(draft->scope, shape->columns * sizeof *columns);
    for (uint32_t c = 0; c < shape->columns; c++)
        columns[c] = (struct column){.name = shape->column[c].name,
                                     .type = table->types[c],
                                     .modifier = -1,
                                     .collation = shape->column[c].collation,
                                     .number = (int16_t)(c + 1),
                                     .not_null = shape->column[c].not_null,
                                     .missing = value_null()};
    *relation = (struct relation){
        .oid = shape->oid,
        .schema = SCHEMA_PG_CATALOG,
        .owner = ROLE_SYNOD,
        .row_type = shape->row_type,
        .name = shape->name,
        .schema_name = "pg_catalog",
        .kind = RELATION_TABLE,
        .persistence = 'p',
        .store = system_store(draft->reading->access.database, shape, shape->oid),
        .columns = shape->columns,
        .column = columns,
        .types = table->types,
        .layout = table->layout,
        .indexes = shape->indexes,
        .acl_text = shape->acl_text,
        .system = true,
        .version = relation->version,
        .scope = draft->scope,
    };
    struct index **list = scope_alloc(draft->scope, (shape->indexes + 1) * sizeof(struct index *));
    struct index *indexes = scope_alloc_zeroed(draft->scope, (shape->indexes + 1) * sizeof *indexes);
    for (uint32_t i = 0; i < shape->indexes; i++) {
        list[i] = &indexes[i];
        describe_system_index(draft, table, i, &indexes[i]);
    }
    relation->index = list;
}

enum sqlstate relation_describe(struct catalog_view *view, struct reading *reading, uint32_t oid,
                                struct relation **described, struct error *error)
{
    struct scope *scope = scope_open(view->generation->scope, "relation");
    struct draft draft = {.view = view, .reading = reading, .scope = scope};
    const struct system_relation *shape = system_relation_find(oid);
    struct tuple tuple;
    *described = NULL;
    draft.relation = scope_alloc_zeroed(scope, sizeof *draft.relation);
    draft.relation->version = view->generation->version;
    draft.relation->scope = scope;
    if (shape) {
        describe_system(&draft, shape);
        *described = draft.relation;
        return SQLSTATE_OK;
    }
    enum sqlstate failed = tuple_by_oid(&reading->access, reading->scope, PG_CLASS, oid, &tuple, error);
    if (!failed && tuple.values)
        failed = describe_from_rows(&draft, tuple.values, error);
    if (failed || !tuple.values)
        scope_close(scope);
    else
        *described = draft.relation;
    return failed;
}

enum sqlstate catalog_relation_by_oid(struct catalog_view *view, uint32_t oid, const struct relation **found,
                                      struct error *error)
{
    struct generation *generation = view->generation;
    void *known = map_find_number(&generation->relations, oid);
    *found = NULL;
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    struct reading reading;
    struct relation *described;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = relation_describe(view, &reading, oid, &described, error);
    reading_end(view, &reading);
    if (failed)
        return failed;
    known = map_find_number(&generation->relations, oid);
    if (known) { /* another fiber was faster: its descriptor is in use already */
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    *found = described;
    return map_put_number(&generation->relations, oid, described ? (void *)described : (void *)absent, NULL,
                          error);
}

static enum sqlstate oid_in_schema(struct catalog_view *view, uint32_t schema, const char *name,
                                   const void **found, struct error *error)
{
    struct generation *generation = view->generation;
    struct bytes key = name_key(generation->scope, schema, name);
    void *known = map_find(&generation->relation_names, key);
    *found = NULL;
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    const struct tuple_match matches[] = {{PG_CLASS_RELNAME, value_text(name)},
                                          {PG_CLASS_RELNAMESPACE, value_integer(schema)}};
    failed = tuple_find(&reading.access, reading.scope, PG_CLASS, matches, 2, &tuple, error);
    uint32_t *oid = NULL;
    if (!failed && tuple.values) {
        oid = scope_alloc(generation->scope, sizeof *oid);
        *oid = (uint32_t)tuple.values[PG_CLASS_OID].i;
    }
    reading_end(view, &reading);
    if (!failed)
        failed = map_put(&generation->relation_names, key, oid ? (void *)oid : (void *)absent, NULL, error);
    *found = oid;
    return failed;
}

enum sqlstate catalog_relation(struct catalog_view *view, const char *schema, const char *name,
                               const struct relation **found, struct error *error)
{
    const void *oid;
    *found = NULL;
    enum sqlstate failed = along_path(view, schema, name, oid_in_schema, &oid, error);
    return failed || !oid ? failed : catalog_relation_by_oid(view, *(const uint32_t *)oid, found, error);
}
