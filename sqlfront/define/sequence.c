/* CREATE and ALTER SEQUENCE (PostgreSQL manual, CREATE SEQUENCE). */
#include "sqlfront/define/inside.h"

#include <inttypes.h>
#include <stdlib.h>

struct shape {
    const struct type *type;
    int64_t increment, start, minimum, maximum, cache, last;
    bool cycle, called;
    bool type_given, minimum_given, maximum_given, start_given, restart;
    const List *owned_by;
};

static enum sqlstate number_of(const DefElem *element, int64_t *number, struct error *error)
{
    char *end;
    if (IsA(element->arg, Integer)) {
        *number = intVal(element->arg);
        return SQLSTATE_OK;
    }
    if (IsA(element->arg, Float)) {
        *number = strtoll(castNode(Float, element->arg)->fval, &end, 10);
        if (!*end)
            return SQLSTATE_OK;
        return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION,
                         "invalid input syntax for type bigint: \"%s\"", castNode(Float, element->arg)->fval);
    }
    return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s requires a numeric value", element->defname);
}

static enum sqlstate read_type(struct work *work, const DefElem *element, struct shape *shape,
                               struct error *error)
{
    struct binder_request binder = work_binder(work);
    const struct type *type;
    int32_t modifier;
    enum sqlstate failed = bind_type(&binder, (const TypeName *)element->arg, &type, &modifier, error);
    if (!failed && type->oid != TYPE_INT2 && type->oid != TYPE_INT4 && type->oid != TYPE_INT8)
        failed = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                           "sequence type must be smallint, integer, or bigint");
    if (!failed) {
        shape->type_given = shape->type != type;
        shape->type = type;
    }
    return failed;
}

static enum sqlstate read_option(struct work *work, const DefElem *element, struct shape *shape,
                                 struct error *error)
{
    const char *name = element->defname;
    if (strcmp(name, "as") == 0)
        return SQLSTATE_OK; /* read before the others */
    if (strcmp(name, "increment") == 0)
        return number_of(element, &shape->increment, error);
    if (strcmp(name, "start") == 0) {
        shape->start_given = true;
        return number_of(element, &shape->start, error);
    }
    if (strcmp(name, "restart") == 0) {
        shape->restart = true;
        shape->called = false;
        shape->last = shape->start;
        return element->arg ? number_of(element, &shape->last, error) : SQLSTATE_OK;
    }
    if (strcmp(name, "minvalue") == 0) {
        shape->minimum_given = element->arg != NULL;
        return element->arg ? number_of(element, &shape->minimum, error) : SQLSTATE_OK;
    }
    if (strcmp(name, "maxvalue") == 0) {
        shape->maximum_given = element->arg != NULL;
        return element->arg ? number_of(element, &shape->maximum, error) : SQLSTATE_OK;
    }
    if (strcmp(name, "cache") == 0)
        return number_of(element, &shape->cache, error);
    if (strcmp(name, "cycle") == 0)
        shape->cycle = boolVal(element->arg);
    else if (strcmp(name, "owned_by") == 0)
        shape->owned_by = (const List *)element->arg;
    else if (strcmp(name, "sequence_name") != 0)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "option \"%s\" not recognized", name);
    (void)work;
    return SQLSTATE_OK;
}

static int64_t type_maximum(const struct type *type)
{
    return type->oid == TYPE_INT2 ? INT16_MAX : type->oid == TYPE_INT4 ? INT32_MAX : INT64_MAX;
}

static int64_t type_minimum(const struct type *type)
{
    return type->oid == TYPE_INT2 ? INT16_MIN : type->oid == TYPE_INT4 ? INT32_MIN : INT64_MIN;
}

static enum sqlstate check_shape(const struct shape *shape, struct error *error)
{
    const struct type *type = shape->type;
    const char *type_name = type->oid == TYPE_INT2   ? "smallint"
                            : type->oid == TYPE_INT4 ? "integer"
                                                     : "bigint";
    if (shape->increment == 0)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "INCREMENT must not be zero");
    if (shape->maximum > type_maximum(type) || shape->maximum < type_minimum(type))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "MAXVALUE (%" PRId64 ") is out of range for sequence data type %s", shape->maximum,
                         type_name);
    if (shape->minimum > type_maximum(type) || shape->minimum < type_minimum(type))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "MINVALUE (%" PRId64 ") is out of range for sequence data type %s", shape->minimum,
                         type_name);
    if (shape->minimum >= shape->maximum)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "MINVALUE (%" PRId64 ") must be less than MAXVALUE (%" PRId64 ")", shape->minimum,
                         shape->maximum);
    if (shape->start < shape->minimum)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "START value (%" PRId64 ") cannot be less than MINVALUE (%" PRId64 ")", shape->start,
                         shape->minimum);
    if (shape->start > shape->maximum)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "START value (%" PRId64 ") cannot be greater than MAXVALUE (%" PRId64 ")",
                         shape->start, shape->maximum);
    if (shape->last < shape->minimum)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "RESTART value (%" PRId64 ") cannot be less than MINVALUE (%" PRId64 ")",
                         shape->last, shape->minimum);
    if (shape->last > shape->maximum)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "RESTART value (%" PRId64 ") cannot be greater than MAXVALUE (%" PRId64 ")",
                         shape->last, shape->maximum);
    if (shape->cache <= 0)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "CACHE (%" PRId64 ") must be greater than zero", shape->cache);
    return SQLSTATE_OK;
}

static bool has_option(const List *options, const char *name)
{
    ListCell *cell;
    foreach(cell, options) if (strcmp(((DefElem *)lfirst(cell))->defname, name) == 0) return true;
    return false;
}

/* Reads options over a shape: a new sequence's defaults (`made`), or what an old one has. */
static enum sqlstate read_options(struct work *work, const List *options, bool made, struct shape *shape,
                                  struct error *error)
{
    int64_t old_maximum = type_maximum(shape->type), old_minimum = type_minimum(shape->type);
    ListCell *cell;
    enum sqlstate failed = SQLSTATE_OK;
    foreach(cell, options) if (!failed && strcmp(((DefElem *)lfirst(cell))->defname, "as") == 0) failed =
        read_type(work, lfirst(cell), shape, error);
    foreach(cell, options) if (!failed) failed = read_option(work, lfirst(cell), shape, error);
    if (failed)
        return failed;
    bool up = shape->increment > 0;
    bool reset_maximum = shape->type_given && !made && shape->maximum == old_maximum;
    bool reset_minimum = shape->type_given && !made && shape->minimum == old_minimum;
    if (!shape->maximum_given && (made || reset_maximum || has_option(options, "maxvalue")))
        shape->maximum = up || reset_maximum ? type_maximum(shape->type) : -1;
    if (!shape->minimum_given && (made || reset_minimum || has_option(options, "minvalue")))
        shape->minimum = !up || reset_minimum ? type_minimum(shape->type) : 1;
    if (made && !shape->start_given)
        shape->start = up ? shape->minimum : shape->maximum;
    if (made)
        shape->last = shape->start;
    return check_shape(shape, error);
}

static void shape_row(const struct shape *shape, struct value *values)
{
    values[PG_SEQUENCE_SEQTYPID] = value_integer(shape->type->oid);
    values[PG_SEQUENCE_SEQSTART] = value_integer(shape->start);
    values[PG_SEQUENCE_SEQINCREMENT] = value_integer(shape->increment);
    values[PG_SEQUENCE_SEQMAX] = value_integer(shape->maximum);
    values[PG_SEQUENCE_SEQMIN] = value_integer(shape->minimum);
    values[PG_SEQUENCE_SEQCACHE] = value_integer(shape->cache);
    values[PG_SEQUENCE_SEQCYCLE] = value_boolean(shape->cycle);
}

/* The sequence's one row: (last_value, log_cnt, is_called) under row id 1. */
static enum sqlstate row_write(struct work *work, uint64_t store, int64_t last, bool called, bool made,
                               struct error *error)
{
    const struct type *types[] = {type_builtin(TYPE_INT8), type_builtin(TYPE_INT8), type_builtin(TYPE_BOOL)};
    const struct row_layout *layout = row_layout_make(work->scope, types, 3, NULL);
    const struct value values[] = {value_integer(last), value_integer(0), value_boolean(called)};
    const uint64_t key = __builtin_bswap64(1);
    struct bytes row;
    bool done;
    enum sqlstate failed = row_encode(layout, work->scope, values, &row, error);
    if (!failed && made)
        failed = row_insert(work->access.transaction, store, bytes_of(&key, sizeof key), row, &done, error);
    else if (!failed)
        failed = row_update(work->access.transaction, store, bytes_of(&key, sizeof key), row, &done, error);
    return failed;
}

enum sqlstate sequence_owned_by(struct work *work, uint32_t sequence, uint32_t relation, int16_t number,
                                char kind, struct error *error)
{
    enum sqlstate failed = depend_forget(work, (struct object){PG_CLASS, sequence, 0}, 'a', PG_CLASS, error);
    return failed || !relation ? failed
                               : depend(work, (struct object){PG_CLASS, sequence, 0},
                                        (struct object){PG_CLASS, relation, number}, kind, error);
}

/* OWNED BY table.column, or NONE. */
static enum sqlstate own(struct work *work, uint32_t sequence, const List *owned_by, struct error *error)
{
    int count = list_length(owned_by);
    if (count == 1 && strcmp(strVal(linitial(owned_by)), "none") == 0)
        return sequence_owned_by(work, sequence, 0, 0, 'a', error);
    if (count < 2)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "invalid OWNED BY option");
    const struct relation *table, *self;
    RangeVar *name = scope_alloc_zeroed(work->scope, sizeof *name);
    name->type = T_RangeVar;
    name->schemaname = count > 2 ? strVal(list_nth(owned_by, count - 3)) : NULL;
    name->relname = strVal(list_nth(owned_by, count - 2));
    name->location = -1;
    enum sqlstate failed = relation_named(work, name, LOCK_ACCESS_SHARE, false, &table, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, sequence, &self, error);
    if (failed)
        return failed;
    if (self && table->owner != self->owner)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "sequence must have same owner as table it is linked to");
    if (self && table->schema != self->schema)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                         "sequence must be in same schema as table it is linked to");
    for (uint32_t c = 0; c < table->columns; c++)
        if (!table->column[c].dropped &&
            strcmp(table->column[c].name, strVal(list_nth(owned_by, count - 1))) == 0)
            return sequence_owned_by(work, sequence, table->oid, table->column[c].number, 'a', error);
    return error_set(error, SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist",
                     strVal(list_nth(owned_by, count - 1)), table->name);
}

enum sqlstate sequence_create(struct work *work, const struct sequence_make *make, uint32_t *oid,
                              struct error *error)
{
    static const char *const names[] = {"last_value", "log_cnt", "is_called"};
    static const uint32_t types[] = {TYPE_INT8, TYPE_INT8, TYPE_BOOL};
    struct shape shape = {
        .type = make->type ? make->type : type_builtin(TYPE_INT8), .increment = 1, .cache = 1};
    struct column_make columns[3] = {0};
    enum sqlstate failed = read_options(work, make->options, true, &shape, error);
    if (failed)
        return failed;
    for (int c = 0; c < 3; c++)
        columns[c] = (struct column_make){
            .name = names[c], .type = type_builtin(types[c]), .modifier = -1, .not_null = true};
    const struct relation_make class = {.name = make->name,
                                        .schema = make->schema,
                                        .kind = RELATION_SEQUENCE,
                                        .persistence = make->persistence,
                                        .owner = make->owner,
                                        .columns = 3,
                                        .column = columns};
    if ((failed = relation_create(work, &class, oid, error)))
        return failed;
    struct value *values = tuple_make(work->scope, PG_SEQUENCE);
    values[PG_SEQUENCE_SEQRELID] = value_integer(*oid);
    shape_row(&shape, values);
    failed = tuple_insert(&work->access, PG_SEQUENCE, values, error);
    if (!failed)
        failed = row_write(work, store_number(work->access.database, *oid), shape.start, false, true, error);
    if (!failed)
        failed = work_look_again(work, error);
    if (!failed && shape.owned_by)
        failed = own(work, *oid, shape.owned_by, error);
    return failed;
}

enum sqlstate define_create_sequence(struct work *work, const CreateSeqStmt *statement, struct error *error)
{
    struct sequence_make make = {
        .name = statement->sequence->relname, .options = statement->options, .owner = work->session->role};
    uint32_t oid;
    struct tuple found;
    enum sqlstate failed =
        creation_schema_of(work, statement->sequence, &make.schema, &make.persistence, error);
    if (failed)
        return failed;
    const struct tuple_match matches[] = {{PG_CLASS_RELNAME, value_text(make.name)},
                                          {PG_CLASS_RELNAMESPACE, value_integer(make.schema)}};
    if (statement->if_not_exists) {
        failed = tuple_find(&work->access, work->scope, PG_CLASS, matches, 2, &found, error);
        if (failed)
            return failed;
        if (found.values) {
            work_notice(work, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists, skipping",
                        make.name);
            return SQLSTATE_OK;
        }
    }
    return sequence_create(work, &make, &oid, error);
}

enum sqlstate sequence_change(struct work *work, const struct relation *relation, const List *options,
                              struct error *error)
{
    struct tuple old;
    struct tuple_match match = {PG_SEQUENCE_SEQRELID, value_integer(relation->oid)};
    const uint64_t key = __builtin_bswap64(1);
    const uint16_t wanted[] = {0, 2};
    struct value row_values[2];
    struct bytes row;
    bool found = false;
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_SEQUENCE, &match, 1, &old, error);
    if (!failed)
        failed = row_get(work->access.transaction, work->scope, relation->store, bytes_of(&key, sizeof key),
                         &row, &found, error);
    if (!failed && (!found || !old.values))
        failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "sequence \"%s\" has no row", relation->name);
    if (!failed)
        failed = row_decode(relation->layout, row, wanted, 2, row_values, error);
    if (failed)
        return failed;
    struct shape shape = {
        .type = type_builtin((uint32_t)old.values[PG_SEQUENCE_SEQTYPID].i),
        .start = old.values[PG_SEQUENCE_SEQSTART].i,
        .increment = old.values[PG_SEQUENCE_SEQINCREMENT].i,
        .maximum = old.values[PG_SEQUENCE_SEQMAX].i,
        .minimum = old.values[PG_SEQUENCE_SEQMIN].i,
        .cache = old.values[PG_SEQUENCE_SEQCACHE].i,
        .cycle = old.values[PG_SEQUENCE_SEQCYCLE].i,
        .last = row_values[0].i,
        .called = row_values[1].i,
    };
    if ((failed = read_options(work, options, false, &shape, error)))
        return failed;
    struct value *values = tuple_copy(work->scope, PG_SEQUENCE, &old);
    shape_row(&shape, values);
    failed = tuple_update(&work->access, PG_SEQUENCE, &old, values, error);
    if (!failed && shape.restart)
        failed = row_write(work, relation->store, shape.last, shape.called, false, error);
    if (!failed && shape.owned_by)
        failed = own(work, relation->oid, shape.owned_by, error);
    return failed ? failed : work_look_again(work, error);
}

enum sqlstate define_alter_sequence(struct work *work, const AlterSeqStmt *statement, struct error *error)
{
    const struct relation *relation;
    enum sqlstate failed = relation_owned(work, statement->sequence, statement->missing_ok, &relation, error);
    if (failed)
        return failed;
    if (!relation) {
        work_notice(work, SQLSTATE_OK, "relation \"%s\" does not exist, skipping",
                    statement->sequence->relname);
        return SQLSTATE_OK;
    }
    if (relation->kind != RELATION_SEQUENCE)
        return error_set(error, SQLSTATE_WRONG_OBJECT_TYPE, "\"%s\" is not a sequence", relation->name);
    return sequence_change(work, relation, statement->options, error);
}
