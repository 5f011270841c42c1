/* CREATE TYPE AS ENUM, ALTER TYPE ADD VALUE, CREATE TYPE AS (...). */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/table.h"

static enum sqlstate check_free(struct work *work, const char *name, uint32_t schema, struct error *error)
{
    struct tuple found;
    const struct tuple_match matches[] = {{PG_TYPE_TYPNAME, value_text(name)},
                                          {PG_TYPE_TYPNAMESPACE, value_integer(schema)}};
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_TYPE, matches, 2, &found, error);
    if (!failed && found.values)
        failed = error_set(error, SQLSTATE_DUPLICATE_OBJECT, "type \"%s\" already exists", name);
    return failed;
}

static enum sqlstate label_insert(struct work *work, uint32_t type, const char *label, double position,
                                  struct error *error)
{
    struct value *values = tuple_make(work->scope, PG_ENUM);
    uint32_t oid;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, &oid, error);
    if (failed)
        return failed;
    if (strlen(label) > NAME_BYTES_MAX) {
        failed = error_set(error, SQLSTATE_INVALID_NAME, "invalid enum label \"%s\"", label);
        error_add(error, ERROR_DETAIL, "Labels must be %d bytes or less.", NAME_BYTES_MAX);
        return failed;
    }
    values[PG_ENUM_OID] = value_integer(oid);
    values[PG_ENUM_ENUMTYPID] = value_integer(type);
    values[PG_ENUM_ENUMSORTORDER] = value_float(position);
    values[PG_ENUM_ENUMLABEL] = tuple_text(work->scope, label);
    return tuple_insert(&work->access, PG_ENUM, values, error);
}

enum sqlstate define_create_enum(struct work *work, const CreateEnumStmt *statement, struct error *error)
{
    struct type_make make = {.kind = 'e', .owner = work->session->role};
    const char *schema;
    uint32_t type;
    int position = 0;
    ListCell *cell;
    name_of_list(statement->typeName, &schema, &make.name);
    enum sqlstate failed = creation_schema(work, schema, 'p', &make.schema, error);
    if (!failed)
        failed = check_free(work, make.name, make.schema, error);
    if (!failed)
        failed = type_create(work, &make, &type, error);
    foreach(cell, statement->vals) if (!failed) failed =
        label_insert(work, type, strVal(lfirst(cell)), ++position, error);
    return failed ? failed : work_look_again(work, error);
}

static const struct enum_label *label_of(const struct type *type, const char *label, uint32_t *at)
{
    for (*at = 0; *at < type->label_count; ++*at)
        if (strcmp(type->labels[*at].label, label) == 0)
            return &type->labels[*at];
    return NULL;
}

/* Between its new neighbours: positions are never changed, since keys hold them. */
static enum sqlstate position_of(const struct type *type, const AlterEnumStmt *statement, double *position,
                                 struct error *error)
{
    uint32_t at;
    uint32_t count = type->label_count;
    if (!statement->newValNeighbor) {
        *position = count ? type->labels[count - 1].position + 1 : 1;
        return SQLSTATE_OK;
    }
    if (!label_of(type, statement->newValNeighbor, &at))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "\"%s\" is not an existing enum label",
                         statement->newValNeighbor);
    double here = type->labels[at].position;
    if (statement->newValIsAfter)
        *position = at + 1 < count ? (here + type->labels[at + 1].position) / 2 : here + 1;
    else
        *position = at ? (type->labels[at - 1].position + here) / 2 : here - 1;
    /* what is kept is a float4 */
    *position = (float)*position;
    for (uint32_t i = 0; i < count; i++)
        if (type->labels[i].position == *position)
            return not_supported(error, "another label between these two");
    return SQLSTATE_OK;
}

static enum sqlstate rename_label(struct work *work, const struct type *type, const AlterEnumStmt *statement,
                                  struct error *error)
{
    uint32_t at, other;
    const int column = PG_ENUM_ENUMLABEL;
    const struct enum_label *label = label_of(type, statement->oldVal, &at);
    if (!label)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "\"%s\" is not an existing enum label",
                         statement->oldVal);
    if (label_of(type, statement->newVal, &other))
        return error_set(error, SQLSTATE_DUPLICATE_OBJECT, "enum label \"%s\" already exists",
                         statement->newVal);
    const struct value name = tuple_text(work->scope, statement->newVal);
    enum sqlstate failed = tuple_set(work, PG_ENUM, label->oid, &column, &name, 1, error);
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate define_alter_enum(struct work *work, const AlterEnumStmt *statement, struct error *error)
{
    const char *schema, *name;
    const struct type *type;
    struct tuple row;
    double position = 0;
    uint32_t at;
    bool has;
    name_of_list(statement->typeName, &schema, &name);
    enum sqlstate failed = catalog_type(work->view, schema, name, &type, error);
    if (failed)
        return failed;
    if (!type)
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type \"%s\" does not exist", name);
    if (type->type_type != 'e')
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "%s is not an enum", name);
    failed = tuple_by_oid(&work->access, work->scope, PG_TYPE, type->oid, &row, error);
    if (!failed)
        failed = catalog_role_has(work->view, work->session->role, (uint32_t)row.values[PG_TYPE_TYPOWNER].i,
                                  &has, error);
    if (!failed && !has)
        failed = error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE, "must be owner of type %s", name);
    if (failed)
        return failed;
    if (statement->oldVal)
        return rename_label(work, type, statement, error);
    if (label_of(type, statement->newVal, &at)) {
        if (!statement->skipIfNewValExists)
            return error_set(error, SQLSTATE_DUPLICATE_OBJECT, "enum label \"%s\" already exists",
                             statement->newVal);
        work_notice(work, SQLSTATE_DUPLICATE_OBJECT, "enum label \"%s\" already exists, skipping",
                    statement->newVal);
        return SQLSTATE_OK;
    }
    failed = position_of(type, statement, &position, error);
    if (!failed)
        failed = label_insert(work, type->oid, statement->newVal, position, error);
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate define_composite(struct work *work, const CompositeTypeStmt *statement, struct error *error)
{
    struct table_plan plan = {.name = statement->typevar->relname};
    uint32_t schema, oid;
    ListCell *cell;
    enum sqlstate failed = creation_schema(work, statement->typevar->schemaname, 'p', &schema, error);
    if (!failed)
        failed = check_free(work, plan.name, schema, error);
    foreach(cell, statement->coldeflist) if (!failed) failed =
        column_plan_make(work, &plan, lfirst(cell), error);
    struct column_make *columns = scope_alloc(work->scope, (plan.count + 1) * sizeof *columns);
    for (uint32_t c = 0; c < plan.count; c++)
        columns[c] = plan.column[c].make;
    const struct relation_make make = {.name = plan.name,
                                       .schema = schema,
                                       .kind = RELATION_COMPOSITE,
                                       .persistence = 'p',
                                       .owner = work->session->role,
                                       .columns = plan.count,
                                       .column = columns};
    if (!failed)
        failed = relation_create(work, &make, &oid, error);
    return failed ? failed : work_look_again(work, error);
}
