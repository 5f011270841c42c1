/* Filling an index from the rows of its table. */
#include "sqlfront/define/fill.h"

void pile_of(struct work *work, struct pile *pile, uint64_t table)
{
    const struct pile_options options = {.world = work->request->world,
                                         .engine = catalog_engine(work->request->catalog),
                                         .transaction = work->access.transaction,
                                         .table = table,
                                         .memory = work->request->memory,
                                         .temporary = work->request->temporary};
    pile_open(pile, work->scope, &options);
}

enum sqlstate filler_make(struct work *work, const struct relation *relation, const struct index *index,
                          struct filler *filler, struct error *error)
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
            failed = row_program(work, bound, &filler->expressions[i], error);
    }
    if (!failed && index->predicate_text) {
        failed = bind_expression_text(&binder, index->predicate_text, relation, type_builtin(TYPE_BOOL), -1,
                                      &bound, error);
        if (!failed)
            failed = row_program(work, bound, &filler->predicate, error);
    }
    return failed;
}

enum sqlstate duplicate_found(struct filler *filler, struct error *error)
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

enum sqlstate parts_of(struct filler *filler, struct scope *scope, const struct value *values, bool *wanted,
                       struct error *error)
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

enum sqlstate entry_make(struct filler *filler, struct scope *scope, struct bytes row_key,
                         struct key_writer *key, struct bytes *row, struct error *error)
{
    const struct index *index = filler->index;
    bool whole = true;
    enum sqlstate failed = SQLSTATE_OK;
    key->size = 0;
    for (uint32_t i = 0; i < index->key_columns && !failed; i++) {
        whole = whole && (!filler->parts[i].null || !index->nulls_distinct);
        failed = key_append(key, &index->key_part[i], &filler->parts[i], error);
    }
    if (failed)
        return failed;
    if (!(index_is_key(index) && whole)) {
        if (key->size + row_key.size > STORE_KEY_BYTES_MAX)
            return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "index row size %zu exceeds maximum %d for index \"%s\"",
                             key->size + row_key.size, STORE_KEY_BYTES_MAX, index->name);
        memcpy(key->bytes + key->size, row_key.data, row_key.size);
        key->size += (uint32_t)row_key.size;
    }
    struct value *entry = scope_alloc(scope, (1 + index->columns) * sizeof *entry);
    entry[0] = value_bytes(row_key.data, row_key.size);
    for (uint32_t i = index->key_columns; i < index->columns; i++)
        entry[1 + i - index->key_columns] = filler->parts[i];
    return row_encode(index->layout, scope, entry, row, error);
}

/* ---- a deferrable unique constraint's index: keys are told apart by their rows, so neighbours are compared ---- */

struct neighbours {
    struct filler *filler;
    struct scope *scope;
    uint8_t last[STORE_KEY_BYTES_MAX]; /* what the key before begins with */
    size_t last_size;
    bool any, twice;
    enum sqlstate failed;
    struct error *error;
};

static bool key_holds_null(struct neighbours *neighbours, struct bytes key)
{
    const struct index *index = neighbours->filler->index;
    struct value *parts = neighbours->filler->parts;
    bool any_null = false;
    for (uint32_t i = 0; i < index->key_columns && !neighbours->failed; i++) {
        neighbours->failed =
            key_decode(neighbours->scope, &index->key_part[i], &key, &parts[i], neighbours->error);
        any_null |= parts[i].null;
    }
    return any_null;
}

static bool compare_neighbours(void *argument, const struct store_row *row)
{
    struct neighbours *neighbours = argument;
    const struct index *index = neighbours->filler->index;
    struct value of;
    neighbours->failed = row_decode(index->layout, row->row, (uint16_t[]){0}, 1, &of, neighbours->error);
    if (neighbours->failed)
        return false;
    size_t size = row->key.size - value_view(&of).size;
    bool same = neighbours->any && size == neighbours->last_size &&
                memcmp(neighbours->last, row->key.data, size) == 0;
    neighbours->twice = same && !(key_holds_null(neighbours, row->key) && index->nulls_distinct);
    memcpy(neighbours->last, row->key.data, size);
    neighbours->last_size = size;
    neighbours->any = true;
    return !neighbours->twice && !neighbours->failed;
}

static enum sqlstate check_neighbours(struct filler *filler, struct error *error)
{
    struct work *work = filler->work;
    struct neighbours *neighbours = scope_alloc(work->scope, sizeof *neighbours);
    *neighbours =
        (struct neighbours){.filler = filler, .scope = scope_open(work->scope, "neighbours"), .error = error};
    const struct row_scan scan = {.table = filler->index->store, .range = {.to_open = true}};
    const struct store_sink sink = {.take = compare_neighbours, .argument = neighbours};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = row_scan(work->access.transaction, &scan, &sink, error);
    if (!failed)
        failed = neighbours->failed;
    if (!failed && neighbours->twice)
        failed = duplicate_found(filler, error);
    scope_close(neighbours->scope);
    return failed;
}

enum sqlstate finish_pile(struct pile *pile, struct filler *filler, struct error *error)
{
    const struct index *index = filler->index; /* NULL: keyed by hidden row ids */
    struct bytes duplicate;
    enum sqlstate failed = pile_finish(pile, &duplicate, error);
    if (!failed && index && index->unique && !index->immediate)
        failed = check_neighbours(filler, error);
    if (failed || duplicate.size == 0)
        return failed;
    check(index, "hidden row ids are all different");
    for (uint32_t i = 0; i < index->key_columns && !failed; i++)
        failed = key_decode(filler->work->scope, &index->key_part[i], &duplicate, &filler->parts[i], error);
    return failed ? failed : duplicate_found(filler, error);
}

enum sqlstate fill_one(void *argument, struct scope *scope, struct bytes key, const struct value *values,
                       struct error *error)
{
    struct filler *filler = argument;
    struct key_writer entry_key;
    struct bytes entry_row;
    bool wanted;
    enum sqlstate failed = parts_of(filler, scope, values, &wanted, error);
    if (failed || !wanted)
        return failed;
    failed = entry_make(filler, scope, key, &entry_key, &entry_row, error);
    return failed ? failed
                  : pile_add(&filler->pile, bytes_of(entry_key.bytes, entry_key.size), entry_row, error);
}

enum sqlstate fill_progress_begin(struct work *work, const struct relation *relation,
                                  const struct index *index, bool concurrent, struct error *error)
{
    struct progress *progress = work->request->progress;
    *progress = (struct progress){.command = "CREATE INDEX", .relation = relation->oid};
    progress->figure[FIGURE_COMMAND] = concurrent ? COMMAND_CREATE_CONCURRENTLY : COMMAND_CREATE;
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
        failed = fill_progress_begin(work, relation, index, false, error);
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
