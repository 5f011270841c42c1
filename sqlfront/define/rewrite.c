/* Rows that are there already when a definition changes: checking a constraint, writing a table anew.
 *
 * Rows are collected, sorted and loaded into the new table (pile.h), which goes again with the transaction. */
#include "sqlfront/define/fill.h"

static bool any_row(void *argument, const struct store_row *row)
{
    (void)row;
    *(bool *)argument = true;
    return false;
}

enum sqlstate relation_has_rows(struct work *work, const struct relation *relation, bool *any,
                                struct error *error)
{
    const struct row_scan scan = {.table = relation->store, .range = {.to_open = true}, .rows_max = 1};
    const struct store_sink sink = {.take = any_row, .argument = any};
    *any = false;
    return row_scan(work->access.transaction, &scan, &sink, error);
}

/* ---- writing a table anew ---- */

struct rewriting {
    struct work *work;
    const struct relation *to;
    struct program **programs; /* of each column; NULL = as it is */
    uint32_t from_columns;
    struct value *values;
    struct filler *fillers;
    struct filler clustered; /* for messages */
    struct pile pile;        /* the new rows */
};

static enum sqlstate new_key(struct rewriting *rewriting, struct key_writer *key, struct error *error)
{
    const struct relation *to = rewriting->to;
    key->size = 0;
    if (!to->key_columns) {
        uint64_t id = __builtin_bswap64(catalog_row_id(rewriting->work->request->catalog));
        memcpy(key->bytes, &id, sizeof id);
        key->size = sizeof id;
        return SQLSTATE_OK;
    }
    for (uint32_t i = 0; i < to->key_columns; i++) {
        enum sqlstate failed =
            key_append(key, &to->key_part[i], &rewriting->values[to->key_column[i] - 1], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate null_found(const struct relation *relation, const struct column *column,
                                struct error *error)
{
    enum sqlstate failed =
        error_set(error, SQLSTATE_NOT_NULL_VIOLATION, "column \"%s\" of relation \"%s\" contains null values",
                  column->name, relation->name);
    error_add(error, ERROR_SCHEMA, "%s", relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", relation->name);
    error_add(error, ERROR_COLUMN, "%s", column->name);
    return failed;
}

static enum sqlstate rewrite_one(void *argument, struct scope *scope, struct bytes old_key,
                                 const struct value *values, struct error *error)
{
    struct rewriting *rewriting = argument;
    const struct relation *to = rewriting->to;
    struct key_writer key;
    struct bytes row;
    enum sqlstate failed = SQLSTATE_OK;
    (void)old_key;
    for (uint32_t c = 0; c < to->columns && !failed; c++) {
        rewriting->values[c] =
            c < rewriting->from_columns && !to->column[c].dropped ? values[c] : value_null();
        if (rewriting->programs[c])
            failed = program_run_row(rewriting->programs[c], values, rewriting->from_columns, scope,
                                     &rewriting->values[c], error);
        if (!failed && to->column[c].not_null && !to->column[c].dropped && rewriting->values[c].null)
            failed = null_found(to, &to->column[c], error);
    }
    if (!failed)
        failed = new_key(rewriting, &key, error);
    if (!failed)
        failed = row_encode(to->layout, scope, rewriting->values, &row, error);
    if (!failed)
        failed = pile_add(&rewriting->pile, bytes_of(key.bytes, key.size), row, error);
    for (uint32_t i = 0; i < to->indexes && !failed; i++)
        if (!to->index[i]->clustered)
            failed = fill_one(&rewriting->fillers[i], scope, bytes_of(key.bytes, key.size), rewriting->values,
                              error);
    return failed;
}

enum sqlstate rows_rewrite(struct work *work, const struct relation *from, const struct relation *to,
                           struct expression *const *expression, struct error *error)
{
    struct rewriting rewriting = {.work = work, .to = to, .from_columns = from->columns};
    enum sqlstate failed = SQLSTATE_OK;
    rewriting.programs = scope_alloc_zeroed(work->scope, (to->columns + 1) * sizeof(struct program *));
    rewriting.values = scope_alloc(work->scope, (to->columns + 1) * sizeof *rewriting.values);
    rewriting.fillers = scope_alloc_zeroed(work->scope, (to->indexes + 1) * sizeof *rewriting.fillers);
    for (uint32_t c = 0; c < to->columns && !failed; c++)
        if (expression && expression[c])
            failed = row_program(work, expression[c], &rewriting.programs[c], error);
    for (uint32_t i = 0; i < to->indexes && !failed; i++) {
        failed = filler_make(work, to, to->index[i], &rewriting.fillers[i], error);
        if (to->index[i]->clustered)
            rewriting.clustered = rewriting.fillers[i];
    }
    pile_of(work, &rewriting.pile, to->store);
    if (!failed)
        failed = rows_each(work, from, rewrite_one, &rewriting, error);
    if (!failed)
        failed = finish_pile(&rewriting.pile, &rewriting.clustered, error);
    for (uint32_t i = 0; i < to->indexes && !failed; i++)
        if (!to->index[i]->clustered)
            failed = finish_pile(&rewriting.fillers[i].pile, &rewriting.fillers[i], error);
    return failed;
}

enum sqlstate file_new(struct work *work, uint32_t relation, struct error *error)
{
    const int column = PG_CLASS_RELFILENODE;
    uint32_t file;
    enum sqlstate failed = catalog_new_oid(work->request->catalog, &file, error);
    const struct value value = value_integer(file);
    if (!failed)
        failed = table_create(work->access.transaction, store_number(work->access.database, file), TABLE_ROW,
                              error);
    return failed ? failed : class_set(work, relation, &column, &value, 1, error);
}

enum sqlstate relation_new_files(struct work *work, const struct relation *relation, struct error *error)
{
    enum sqlstate failed = file_new(work, relation->oid, error);
    for (uint32_t i = 0; i < relation->indexes && !failed; i++)
        if (!relation->index[i]->clustered)
            failed = file_new(work, relation->index[i]->oid, error);
    return failed;
}

enum sqlstate relation_drop_files(struct work *work, const struct relation *relation, struct error *error)
{
    enum sqlstate failed = table_drop(work->access.transaction, relation->store, error);
    for (uint32_t i = 0; i < relation->indexes && !failed; i++)
        if (!relation->index[i]->clustered)
            failed = table_drop(work->access.transaction, relation->index[i]->store, error);
    return failed;
}

enum sqlstate table_rewrite(struct work *work, const struct relation *before,
                            struct expression *const *expression, struct error *error)
{
    const struct relation *present, *to;
    enum sqlstate failed = work_look_again(work, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, before->oid, &present, error);
    if (!failed)
        failed = relation_new_files(work, present, error);
    if (!failed)
        failed = work_look_again(work, error);
    if (!failed)
        failed = catalog_relation_by_oid(work->view, before->oid, &to, error);
    if (!failed)
        failed = rows_rewrite(work, before, to, expression, error);
    /* Indexes that are new have no file to give back but the empty one they were made with. */
    if (!failed)
        failed = relation_drop_files(work, present, error);
    return failed;
}

enum sqlstate rows_rekey(struct work *work, const struct relation *before, struct error *error)
{
    return table_rewrite(work, before, NULL, error);
}

/* ---- checking ---- */

struct checking {
    struct program *condition;
    uint32_t columns;
    enum sqlstate (*fail)(void *argument, struct error *error);
    void *argument;
};

static enum sqlstate check_one(void *argument, struct scope *scope, struct bytes key,
                               const struct value *values, struct error *error)
{
    struct checking *checking = argument;
    struct value holds;
    (void)key;
    enum sqlstate failed =
        program_run_row(checking->condition, values, checking->columns, scope, &holds, error);
    if (!failed && !holds.null && !holds.i)
        failed = checking->fail(checking->argument, error);
    return failed;
}

enum sqlstate rows_check(struct work *work, const struct relation *relation, struct expression *condition,
                         enum sqlstate (*fail)(void *argument, struct error *error), void *argument,
                         struct error *error)
{
    struct checking checking = {.columns = relation->columns, .fail = fail, .argument = argument};
    enum sqlstate failed = row_program(work, condition, &checking.condition, error);
    return failed ? failed : rows_each(work, relation, check_one, &checking, error);
}

struct null_check {
    const struct relation *relation;
    const struct column *column;
};

static enum sqlstate null_check_one(void *argument, struct scope *scope, struct bytes key,
                                    const struct value *values, struct error *error)
{
    const struct null_check *check = argument;
    (void)scope, (void)key;
    return values[check->column->number - 1].null ? null_found(check->relation, check->column, error)
                                                  : SQLSTATE_OK;
}

enum sqlstate column_check_not_null(struct work *work, const struct relation *relation,
                                    const struct column *column, struct error *error)
{
    struct null_check check = {relation, column};
    return rows_each(work, relation, null_check_one, &check, error);
}

struct reference_check {
    struct work *work;
    const struct relation *relation, *referenced;
    const struct constraint *constraint;
    const struct index *index;
};

/* A value of our column as one of the referenced column's type, which compares equal by the constraint's operator. */
static struct value as_type(struct value value, const struct type *from, const struct type *to)
{
    if (from->kind == VALUE_INTEGER && to->kind == VALUE_NUMERIC)
        return value_small_numeric(value.i, 0);
    if (from->kind == VALUE_INTEGER && to->kind == VALUE_FLOAT)
        return value_float((double)value.i);
    return value;
}

static enum sqlstate reference_missing(struct reference_check *check, const struct value *values,
                                       struct error *error)
{
    const char *names[KEY_COLUMNS_MAX], *words;
    const struct type *types[KEY_COLUMNS_MAX];
    struct value own[KEY_COLUMNS_MAX];
    for (uint32_t i = 0; i < check->constraint->columns; i++) {
        const struct column *column = &check->relation->column[check->constraint->column[i] - 1];
        names[i] = column->name;
        types[i] = column->type;
        own[i] = values[column->number - 1];
    }
    enum sqlstate failed =
        key_words(check->work, names, types, own, check->constraint->columns, &words, error);
    if (failed)
        return failed;
    failed = error_set(error, SQLSTATE_FOREIGN_KEY_VIOLATION,
                       "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
                       check->relation->name, check->constraint->name);
    error_add(error, ERROR_DETAIL, "Key %s is not present in table \"%s\".", words, check->referenced->name);
    error_add(error, ERROR_SCHEMA, "%s", check->relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", check->relation->name);
    error_add(error, ERROR_CONSTRAINT, "%s", check->constraint->name);
    return failed;
}

static enum sqlstate reference_one(void *argument, struct scope *scope, struct bytes row_key,
                                   const struct value *values, struct error *error)
{
    struct reference_check *check = argument;
    const struct constraint *constraint = check->constraint;
    struct key_writer key = {.size = 0};
    struct bytes row;
    bool found;
    (void)row_key;
    for (uint32_t i = 0; i < constraint->columns; i++)
        if (values[constraint->column[i] - 1].null)
            return SQLSTATE_OK;
    for (uint32_t i = 0; i < check->index->key_columns; i++)
        for (uint32_t k = 0; k < constraint->columns; k++) {
            const struct column *own = &check->relation->column[constraint->column[k] - 1];
            if (constraint->referenced_column[k] != check->index->column[i])
                continue;
            struct value value = as_type(values[own->number - 1], own->type, check->index->key_part[i].type);
            enum sqlstate failed = key_append(&key, &check->index->key_part[i], &value, error);
            if (failed)
                return failed;
        }
    enum sqlstate failed = row_get(check->work->access.transaction, scope, check->index->store,
                                   bytes_of(key.bytes, key.size), &row, &found, error);
    return failed || found ? failed : reference_missing(check, values, error);
}

enum sqlstate rows_check_references(struct work *work, const struct relation *relation,
                                    const struct relation *referenced, const struct constraint *constraint,
                                    struct error *error)
{
    struct reference_check check = {
        .work = work, .relation = relation, .referenced = referenced, .constraint = constraint};
    for (uint32_t i = 0; i < referenced->indexes; i++)
        if (referenced->index[i]->oid == constraint->index)
            check.index = referenced->index[i];
    if (!check.index)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "index %u is not there", constraint->index);
    return rows_each(work, relation, reference_one, &check, error);
}
