/* Rows that are there already when a definition changes: filling an index, checking a constraint, writing a table anew.
 *
 * Rows are taken off the table a thousand at a time, decoded, put through compiled expressions where there are some, and
 * collected, sorted and loaded into the new table (pile.h), which goes again with the transaction. */
#include "sqlfront/define/inside.h"

#include "sqlfront/define/pile.h"
#include "sqlfront/evaluate/evaluate.h"

#define ROWS_TAKEN 1000

/* ---- going through a table ---- */

struct taken {
    struct bytes key, row;
};

struct walk {
    struct work *work;
    const struct relation *relation;
    struct scope *scope; /* of the rows in hand */
    struct taken *rows;
    uint32_t count;
    uint8_t at[STORE_KEY_BYTES_MAX + 1]; /* where to go on: behind the last key */
    size_t at_size;
    bool failed;
};

static struct bytes copied(struct walk *walk, struct bytes bytes)
{
    void *memory;
    struct error error;
    if (bytes.size < SCOPE_SMALL_BYTES)
        memory = scope_alloc(walk->scope, bytes.size + 1);
    else if ((walk->failed = scope_alloc_large(walk->scope, bytes.size, 16, &memory, &error)))
        return bytes_of(NULL, 0);
    if (bytes.size)
        memcpy(memory, bytes.data, bytes.size);
    return bytes_of(memory, bytes.size);
}

static bool take(void *argument, const struct store_row *row)
{
    struct walk *walk = argument;
    walk->rows[walk->count++] = (struct taken){.key = copied(walk, row->key), .row = copied(walk, row->row)};
    return !walk->failed && walk->count < ROWS_TAKEN;
}

static enum sqlstate walk_next(struct walk *walk, struct error *error)
{
    const struct row_scan scan = {.table = walk->relation->store,
                                  .range = {.from = bytes_of(walk->at, walk->at_size), .to_open = true},
                                  .rows_max = ROWS_TAKEN};
    const struct store_sink sink = {.take = take, .argument = walk};
    walk->scope = scope_open(walk->work->scope, "rows in hand");
    walk->rows = scope_alloc(walk->scope, ROWS_TAKEN * sizeof *walk->rows);
    walk->count = 0;
    enum sqlstate failed = row_scan(walk->work->access.transaction, &scan, &sink, error);
    if (!failed && walk->failed)
        failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    if (!failed && walk->count) {
        struct bytes last = walk->rows[walk->count - 1].key;
        memcpy(walk->at, last.data, last.size);
        walk->at[last.size] = 0; /* the smallest key behind it */
        walk->at_size = last.size + 1;
    }
    return failed;
}

/* Gives each row to `visit`: its key, and the values of all columns. */
static enum sqlstate rows_each(struct work *work, const struct relation *relation,
                               enum sqlstate (*visit)(void *argument, struct scope *scope, struct bytes key,
                                                      const struct value *values, struct error *error),
                               void *argument, struct error *error)
{
    struct walk *walk = scope_alloc_zeroed(work->scope, sizeof *walk);
    uint16_t *wanted = scope_alloc(work->scope, (relation->columns + 1) * sizeof *wanted);
    struct value *values = scope_alloc(work->scope, (relation->columns + 1) * sizeof *values);
    enum sqlstate failed;
    walk->work = work;
    walk->relation = relation;
    for (uint32_t c = 0; c < relation->columns; c++)
        wanted[c] = (uint16_t)c;
    transaction_statement(work->access.transaction);
    do {
        fiber_breathe(work->request->world->scheduler);
        failed = walk_next(walk, error);
        work->request->progress->rows_done += walk->count;
        for (uint32_t i = 0; i < walk->count && !failed; i++) {
            failed =
                row_decode(relation->layout, walk->rows[i].row, wanted, relation->columns, values, error);
            if (!failed)
                failed = visit(argument, walk->scope, walk->rows[i].key, values, error);
        }
        if (!failed)
            failed = fiber_check_canceled(work->request->world->scheduler, error);
        scope_close(walk->scope);
    } while (!failed && walk->count == ROWS_TAKEN);
    return failed;
}

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

/* ---- expressions over a row ---- */

/* Bound columns count from 1; compiled ones are places in the row. */
static struct expression *as_place(void *argument, const struct expression *node, uint32_t level)
{
    struct scope *scope = argument;
    if (node->kind != EXPRESSION_COLUMN || node->level != level)
        return NULL;
    struct expression *place = scope_copy(scope, node, sizeof *node);
    place->number--;
    return place;
}

static enum sqlstate compile(struct work *work, const struct expression *expression, struct program **program,
                             struct error *error)
{
    struct evaluation *evaluation = scope_alloc_zeroed(work->scope, sizeof *evaluation);
    evaluation->environment = work->request->environment;
    return program_make(work->scope, evaluation,
                        expression_map(work->scope, expression, as_place, work->scope, false), program,
                        error);
}

/* ---- messages ---- */

/* "(a, b)=(1, x)" */
static enum sqlstate key_words(struct work *work, const char *const *names, const struct type *const *types,
                               const struct value *values, uint32_t count, const char **words,
                               struct error *error)
{
    struct text text = text_in(work->scope);
    text_append(&text, "(");
    for (uint32_t i = 0; i < count; i++)
        text_format(&text, "%s%s", i ? ", " : "", names[i]);
    text_append(&text, ")=(");
    for (uint32_t i = 0; i < count; i++) {
        struct bytes shown = bytes_of_text("null");
        text_append(&text, i ? ", " : "");
        if (!values[i].null) {
            enum sqlstate failed = types[i]->ops->out(work->request->environment, work->scope, types[i],
                                                      &values[i], &shown, error);
            if (failed)
                return failed;
        }
        text_bytes(&text, shown);
    }
    text_append(&text, ")");
    return text_end(&text, words, error);
}

/* ---- indexes ---- */

/* One index, ready to take the entries of rows. */
struct filler {
    struct work *work;
    const struct relation *relation;
    const struct index *index;
    struct program **expressions;
    struct program *predicate;
    struct value *parts; /* of the row at hand: key columns, then included ones */
    struct pile pile;    /* its entries */
};

static void pile_of(struct work *work, struct pile *pile, uint64_t table)
{
    const struct pile_options options = {.world = work->request->world,
                                         .engine = catalog_engine(work->request->catalog),
                                         .transaction = work->access.transaction,
                                         .table = table,
                                         .memory = work->request->memory,
                                         .temporary = work->request->temporary};
    pile_open(pile, work->scope, &options);
}

static enum sqlstate filler_make(struct work *work, const struct relation *relation,
                                 const struct index *index, struct filler *filler, struct error *error)
{
    struct binder_request binder = work_binder(work);
    struct expression *bound;
    enum sqlstate failed = SQLSTATE_OK;
    *filler = (struct filler){.work = work, .relation = relation, .index = index};
    pile_of(work, &filler->pile, index->store);
    filler->parts = scope_alloc(work->scope, (index->columns + 1) * sizeof *filler->parts);
    filler->expressions =
        scope_alloc_zeroed(work->scope, (index->expressions + 1) * sizeof(struct program *));
    for (uint32_t i = 0; i < index->expressions && !failed; i++) {
        failed = bind_expression_text(&binder, index->expression_text[i], relation, NULL, -1, &bound, error);
        if (!failed)
            failed = compile(work, bound, &filler->expressions[i], error);
    }
    if (!failed && index->predicate_text) {
        failed = bind_expression_text(&binder, index->predicate_text, relation, type_builtin(TYPE_BOOL), -1,
                                      &bound, error);
        if (!failed)
            failed = compile(work, bound, &filler->predicate, error);
    }
    return failed;
}

static enum sqlstate duplicate_found(struct filler *filler, struct error *error)
{
    const char *names[KEY_COLUMNS_MAX], *words;
    const struct type *types[KEY_COLUMNS_MAX];
    const struct index *index = filler->index;
    uint32_t expression = 0;
    for (uint32_t i = 0; i < index->key_columns; i++) {
        int16_t number = index->column[i];
        names[i] = number ? filler->relation->column[number - 1].name : index->expression_text[expression++];
        types[i] = index->key_part[i].type;
    }
    enum sqlstate failed =
        key_words(filler->work, names, types, filler->parts, index->key_columns, &words, error);
    if (failed)
        return failed;
    failed = error_set(error, SQLSTATE_UNIQUE_VIOLATION, "could not create unique index \"%s\"", index->name);
    error_add(error, ERROR_DETAIL, "Key %s is duplicated.", words);
    error_add(error, ERROR_SCHEMA, "%s", filler->relation->schema_name);
    error_add(error, ERROR_TABLE, "%s", filler->relation->name);
    error_add(error, ERROR_CONSTRAINT, "%s", index->name);
    return failed;
}

/* The index's columns of a row: `false` in *wanted when the predicate does not hold. */
static enum sqlstate parts_of(struct filler *filler, struct scope *scope, const struct value *values,
                              bool *wanted, struct error *error)
{
    const struct index *index = filler->index;
    uint32_t expression = 0, columns = filler->relation->columns;
    enum sqlstate failed = SQLSTATE_OK;
    *wanted = true;
    if (filler->predicate) {
        struct value holds;
        failed = program_run_row(filler->predicate, values, columns, scope, &holds, error);
        *wanted = !failed && !holds.null && holds.i;
    }
    for (uint32_t i = 0; i < index->columns && !failed && *wanted; i++)
        if (index->column[i])
            filler->parts[i] = values[index->column[i] - 1];
        else
            failed = program_run_row(filler->expressions[expression++], values, columns, scope,
                                     &filler->parts[i], error);
    return failed;
}

static enum sqlstate entry_write(struct filler *filler, struct scope *scope, struct bytes row_key,
                                 struct error *error)
{
    const struct index *index = filler->index;
    struct key_writer key = {.size = 0};
    struct bytes row;
    bool whole = true;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < index->key_columns && !failed; i++) {
        whole = whole && (!filler->parts[i].null || !index->nulls_distinct);
        failed = key_append(&key, &index->key_part[i], &filler->parts[i], error);
    }
    if (failed)
        return failed;
    if (!(index->unique && whole)) {
        if (key.size + row_key.size > STORE_KEY_BYTES_MAX)
            return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "index row size %zu exceeds maximum %d for index \"%s\"",
                             key.size + row_key.size, STORE_KEY_BYTES_MAX, index->name);
        memcpy(key.bytes + key.size, row_key.data, row_key.size);
        key.size += (uint32_t)row_key.size;
    }
    struct value *entry = scope_alloc(scope, (1 + index->columns) * sizeof *entry);
    entry[0] = value_bytes(row_key.data, row_key.size);
    for (uint32_t i = index->key_columns; i < index->columns; i++)
        entry[1 + i - index->key_columns] = filler->parts[i];
    failed = row_encode(index->layout, scope, entry, &row, error);
    if (!failed)
        failed = pile_add(&filler->pile, bytes_of(key.bytes, key.size), row, error);
    return failed;
}

/* Writes what was collected; a key that came twice is named. */
static enum sqlstate finish_pile(struct pile *pile, struct filler *filler, struct error *error)
{
    const struct index *index = filler->index; /* NULL: keyed by hidden row ids */
    struct bytes duplicate;
    enum sqlstate failed = pile_finish(pile, &duplicate, error);
    if (failed || duplicate.size == 0)
        return failed;
    check(index, "hidden row ids are all different");
    for (uint32_t i = 0; i < index->key_columns && !failed; i++)
        failed = key_decode(filler->work->scope, &index->key_part[i], &duplicate, &filler->parts[i], error);
    return failed ? failed : duplicate_found(filler, error);
}

static enum sqlstate fill_one(void *argument, struct scope *scope, struct bytes key,
                              const struct value *values, struct error *error)
{
    struct filler *filler = argument;
    bool wanted;
    enum sqlstate failed = parts_of(filler, scope, values, &wanted, error);
    return failed || !wanted ? failed : entry_write(filler, scope, key, error);
}

/* Where pg_stat_progress_create_index looks for them, and what PostgreSQL's b-tree calls the parts of a build. */
enum {
    FIGURE_COMMAND = 0,
    FIGURE_INDEX = 6,
    FIGURE_METHOD = 8,
    FIGURE_PHASE,
    FIGURE_PART,
    FIGURE_ROWS,
    FIGURE_LOADED
};
enum { COMMAND_CREATE = 1, PHASE_BUILDING = 2, PART_SCANNING = 2, PART_LOADING = 5, METHOD_BTREE = 403 };

static enum sqlstate progress_begin(struct work *work, const struct relation *relation,
                                    const struct index *index, struct error *error)
{
    struct progress *progress = work->request->progress;
    *progress = (struct progress){.command = "CREATE INDEX", .relation = relation->oid};
    progress->figure[FIGURE_COMMAND] = COMMAND_CREATE;
    progress->figure[FIGURE_INDEX] = index->oid;
    progress->figure[FIGURE_METHOD] = METHOD_BTREE;
    progress->figure[FIGURE_PHASE] = PHASE_BUILDING;
    progress->figure[FIGURE_PART] = PART_SCANNING;
    struct table_size size;
    enum sqlstate failed = table_measure(work->request->world, catalog_engine(work->request->catalog),
                                         relation->store, &size, error);
    if (failed)
        return failed;
    progress->rows_total = size.rows;
    progress->blocks_total = size.bytes / PROGRESS_BLOCK_BYTES;
    return SQLSTATE_OK;
}

enum sqlstate index_fill(struct work *work, const struct relation *relation, const struct index *index,
                         struct error *error)
{
    struct filler filler;
    struct progress *progress = work->request->progress;
    enum sqlstate failed = filler_make(work, relation, index, &filler, error);
    if (!failed)
        failed = progress_begin(work, relation, index, error);
    if (!failed)
        failed = rows_each(work, relation, fill_one, &filler, error);
    progress->figure[FIGURE_PART] = PART_LOADING;
    progress->figure[FIGURE_ROWS] = (int64_t)progress->rows_done;
    filler.pile.options.loaded = &progress->figure[FIGURE_LOADED];
    if (!failed)
        failed = finish_pile(&filler.pile, &filler, error);
    progress->command = NULL;
    return failed;
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
            failed = compile(work, expression[c], &rewriting.programs[c], error);
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

static enum sqlstate file_new(struct work *work, uint32_t relation, struct error *error)
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
    enum sqlstate failed = compile(work, condition, &checking.condition, error);
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
