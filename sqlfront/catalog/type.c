/* Types that are not built in: enums, row types, their arrays; and finding types by name. */
#include "base/scope.h"
#include "sqlfront/catalog/names.h"
#include "sqlfront/catalog/view.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/text/text.h"

#include <stdlib.h>
#include <string.h>

static int by_position(const void *a, const void *b)
{
    double left = ((const struct enum_label *)a)->position, right = ((const struct enum_label *)b)->position;
    return (left > right) - (left < right);
}

static enum sqlstate read_labels(struct generation *generation, struct reading *reading, struct type *type,
                                 struct error *error)
{
    struct tuples found;
    struct tuple_match match = {PG_ENUM_ENUMTYPID, value_integer(type->oid)};
    enum sqlstate failed = tuples_find(&reading->access, reading->scope, PG_ENUM, &match, 1, &found, error);
    if (failed)
        return failed;
    struct enum_label *labels = scope_alloc(generation->scope, (found.count + 1) * sizeof *labels);
    for (uint32_t i = 0; i < found.count; i++) {
        const struct value *values = found.tuple[i].values;
        labels[i] = (struct enum_label){.oid = (uint32_t)values[PG_ENUM_OID].i,
                                        .position = values[PG_ENUM_ENUMSORTORDER].f,
                                        .label = text_of(generation->scope, &values[PG_ENUM_ENUMLABEL])};
    }
    qsort(labels, found.count, sizeof *labels, by_position);
    type->labels = labels;
    type->label_count = found.count;
    return SQLSTATE_OK;
}

static enum sqlstate read_fields(struct generation *generation, struct reading *reading, struct type *type,
                                 struct error *error)
{
    struct tuples found;
    struct tuple_match match = {PG_ATTRIBUTE_ATTRELID, value_integer(type->relation)};
    enum sqlstate failed =
        tuples_find(&reading->access, reading->scope, PG_ATTRIBUTE, &match, 1, &found, error);
    if (failed)
        return failed;
    struct row_field *fields = scope_alloc(generation->scope, (found.count + 1) * sizeof *fields);
    for (uint32_t i = 0; i < found.count; i++) {
        const struct value *values = found.tuple[i].values;
        if (values[PG_ATTRIBUTE_ATTNUM].i > 0 && !values[PG_ATTRIBUTE_ATTISDROPPED].i)
            fields[type->field_count++] =
                (struct row_field){.name = text_of(generation->scope, &values[PG_ATTRIBUTE_ATTNAME]),
                                   .type = (uint32_t)values[PG_ATTRIBUTE_ATTTYPID].i,
                                   .modifier = (int32_t)values[PG_ATTRIBUTE_ATTTYPMOD].i};
    }
    type->fields = fields;
    return SQLSTATE_OK;
}

/* What the row of pg_type says; the type behind a domain for those (information_schema's, we have no others). */
static enum sqlstate describe(struct catalog_view *view, struct reading *reading, const struct value *row,
                              const struct type **described, struct error *error)
{
    struct generation *generation = view->generation;
    char kind = (char)row[PG_TYPE_TYPTYPE].i;
    if (kind == 'd') {
        *described = type_static((uint32_t)row[PG_TYPE_TYPBASETYPE].i);
        return SQLSTATE_OK;
    }
    struct type *type = scope_alloc_zeroed(generation->scope, sizeof *type);
    type->oid = (uint32_t)row[PG_TYPE_OID].i;
    type->name = text_of(generation->scope, &row[PG_TYPE_TYPNAME]);
    type->length = (int16_t)row[PG_TYPE_TYPLEN].i;
    type->category = (char)row[PG_TYPE_TYPCATEGORY].i;
    type->type_type = kind;
    type->preferred = row[PG_TYPE_TYPISPREFERRED].i;
    type->kind = VALUE_BYTES;
    type->ops = &unsupported_ops;
    type->array = (uint32_t)row[PG_TYPE_TYPARRAY].i;
    type->relation = (uint32_t)row[PG_TYPE_TYPRELID].i;
    *described = type;
    if (kind == 'e') {
        type->kind = VALUE_INTEGER;
        type->width = 4;
        type->order = ORDER_ENUM;
        type->ops = &enum_ops;
        return read_labels(generation, reading, type, error);
    }
    if (kind == 'c') {
        type->order = ORDER_RECORD;
        type->ops = &record_ops;
        return read_fields(generation, reading, type, error);
    }
    if (type->category == 'A') {
        type->order = ORDER_ARRAY;
        type->ops = &array_ops;
        type->element = (uint32_t)row[PG_TYPE_TYPELEM].i;
    }
    return SQLSTATE_OK;
}

enum sqlstate catalog_type_by_oid(struct catalog_view *view, uint32_t oid, const struct type **found,
                                  struct error *error)
{
    struct generation *generation = view->generation;
    if ((*found = type_static(oid)))
        return SQLSTATE_OK;
    void *known = map_find_number(&generation->types, oid);
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_TYPE, oid, &tuple, error);
    if (!failed && tuple.values)
        failed = describe(view, &reading, tuple.values, found, error);
    reading_end(view, &reading);
    if (failed)
        return failed;
    /* somebody else may have read it meanwhile: the first one stays */
    known = map_find_number(&generation->types, oid);
    if (known) {
        *found = known == absent ? NULL : known;
        return SQLSTATE_OK;
    }
    return map_put_number(&generation->types, oid, *found ? (void *)*found : (void *)absent, NULL, error);
}

static enum sqlstate oid_in_schema(struct catalog_view *view, uint32_t schema, const char *name,
                                   const void **found, struct error *error)
{
    struct generation *generation = view->generation;
    struct bytes key = name_key(generation->scope, schema, name);
    void *known = map_find(&generation->type_names, key);
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
    const struct tuple_match matches[] = {{PG_TYPE_TYPNAME, value_text(name)},
                                          {PG_TYPE_TYPNAMESPACE, value_integer(schema)}};
    failed = tuple_find(&reading.access, reading.scope, PG_TYPE, matches, 2, &tuple, error);
    uint32_t *oid = NULL;
    if (!failed && tuple.values) {
        oid = scope_alloc(generation->scope, sizeof *oid);
        *oid = (uint32_t)tuple.values[PG_TYPE_OID].i;
    }
    reading_end(view, &reading);
    if (!failed)
        failed = map_put(&generation->type_names, key, oid ? (void *)oid : (void *)absent, NULL, error);
    *found = oid;
    return failed;
}

enum sqlstate catalog_type(struct catalog_view *view, const char *schema, const char *name,
                           const struct type **found, struct error *error)
{
    const void *oid;
    *found = NULL;
    enum sqlstate failed = along_path(view, schema, name, oid_in_schema, &oid, error);
    return failed || !oid ? failed : catalog_type_by_oid(view, *(const uint32_t *)oid, found, error);
}

const struct type *catalog_type_find(struct environment *environment, uint32_t oid)
{
    const struct type *found = type_static(oid);
    struct error error;
    if (found || !environment->catalog)
        return found;
    return catalog_type_by_oid(environment->catalog, oid, &found, &error) ? NULL : found;
}

enum sqlstate type_schema(struct catalog_view *view, struct scope *scope, uint32_t oid, const char **schema,
                          struct error *error)
{
    struct reading reading;
    struct tuple tuple;
    *schema = NULL;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, PG_TYPE, oid, &tuple, error);
    uint32_t namespace = !failed && tuple.values ? (uint32_t)tuple.values[PG_TYPE_TYPNAMESPACE].i : 0;
    reading_end(view, &reading);
    return failed || !namespace ? failed : catalog_schema_name(view, scope, namespace, schema, error);
}
