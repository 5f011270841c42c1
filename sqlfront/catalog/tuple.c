/* Rows of pg_catalog in the engine.
 *
 * A system relation lies in a table of the engine, keyed by its primary index, or by row ids where it has none; each other
 * index is a table of its own, whose entries are what catalog.h says of struct index. Reads choose the index that has
 * the most of the columns asked for at its front; what it does not cover is compared. */
#include "sqlfront/catalog/tuple.h"

#include "base/check.h"
#include "sqlfront/catalog/inside.h"
#include "sqlfront/value/array/array.h"

#include <inttypes.h>
#include <string.h>

const struct system_table *system_table_find(const struct catalog *catalog, uint32_t relation)
{
    const struct system_relation *shape = system_relation_find(relation);
    check(shape, "%u is no relation of pg_catalog", relation);
    return &catalog->tables[shape - system_relations];
}

uint64_t system_store(uint32_t database, const struct system_relation *shape, uint32_t relation)
{
    return store_number(shape->shared ? 0 : database, relation);
}

enum sqlstate tuple_key(const struct system_table *table, int index, const struct value *values,
                        struct key_writer *key, bool *whole, struct error *error)
{
    const struct system_index *shape = &table->shape->index[index];
    *whole = true;
    for (uint32_t c = 0; c < shape->columns; c++) {
        const struct value *value = &values[shape->column[c] - 1];
        *whole = *whole && !value->null;
        enum sqlstate failed = key_append(key, &table->parts[index][c], value, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- reading ---- */

struct found_row {
    struct bytes key, row;
};

struct collect {
    struct scope *scope;
    struct found_row *rows;
    uint32_t count, room;
    bool failed;
};

static struct bytes copied(struct scope *scope, struct bytes bytes, bool *failed)
{
    void *memory;
    struct error error;
    if (bytes.size <= SCOPE_SMALL_BYTES)
        memory = scope_alloc(scope, bytes.size + 1);
    else if (scope_alloc_large(scope, bytes.size, 16, &memory, &error))
        *failed = true;
    if (*failed)
        return bytes_of(NULL, 0);
    if (bytes.size)
        memcpy(memory, bytes.data, bytes.size);
    return bytes_of(memory, bytes.size);
}

static bool collect_take(void *argument, const struct store_row *row)
{
    struct collect *collect = argument;
    if (collect->count == collect->room) {
        uint32_t room = collect->room ? 2 * collect->room : 16;
        void *memory;
        struct error error;
        if (scope_alloc_large(collect->scope, room * sizeof *collect->rows, 16, &memory, &error)) {
            collect->failed = true;
            return false;
        }
        if (collect->count)
            memcpy(memory, collect->rows, collect->count * sizeof *collect->rows);
        if (collect->rows)
            scope_free_large(collect->scope, collect->rows);
        collect->rows = memory;
        collect->room = room;
    }
    collect->rows[collect->count++] =
        (struct found_row){.key = copied(collect->scope, row->key, &collect->failed),
                           .row = copied(collect->scope, row->row, &collect->failed)};
    return !collect->failed;
}

static enum sqlstate scan_prefix(struct transaction *transaction, uint64_t store, struct bytes prefix,
                                 struct collect *collect, struct error *error)
{
    uint8_t after[sizeof((struct key_writer *)0)->bytes];
    uint32_t after_size = 0;
    struct row_scan scan = {.table = store, .range = {.from = prefix, .to_open = true}};
    if (prefix.size && key_after_prefix(prefix, after, &after_size)) {
        scan.range.to = bytes_of(after, after_size);
        scan.range.to_open = false;
    }
    const struct store_sink sink = {.take = collect_take, .argument = collect};
    enum sqlstate failed = row_scan(transaction, &scan, &sink, error);
    if (!failed && collect->failed)
        failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return failed;
}

static const struct tuple_match *match_of(const struct tuple_match *matches, uint32_t count, int16_t number)
{
    for (uint32_t i = 0; i < count; i++)
        if (matches[i].column == number - 1)
            return &matches[i];
    return NULL;
}

/* How many of the index's first columns are asked for. */
static uint32_t covered(const struct system_index *index, const struct tuple_match *matches, uint32_t count)
{
    uint32_t c = 0;
    while (c < index->columns && match_of(matches, count, index->column[c]))
        c++;
    return c;
}

static int best_index(const struct system_table *table, const struct tuple_match *matches, uint32_t count,
                      uint32_t *columns)
{
    int best = table->primary;
    *columns = best >= 0 ? covered(&table->shape->index[best], matches, count) : 0;
    for (uint32_t i = 0; i < table->shape->indexes; i++) {
        uint32_t c = covered(&table->shape->index[i], matches, count);
        if (c > *columns) {
            best = (int)i;
            *columns = c;
        }
    }
    return *columns ? best : -1;
}

static enum sqlstate decode(const struct system_table *table, struct scope *scope, struct bytes row,
                            struct value **values, struct error *error)
{
    uint16_t wanted[64];
    uint32_t columns = table->shape->columns;
    check(columns <= 64);
    for (uint32_t c = 0; c < columns; c++)
        wanted[c] = (uint16_t)c;
    *values = scope_alloc(scope, columns * sizeof **values);
    return row_decode(table->layout, row, wanted, columns, *values, error);
}

static bool matches_all(const struct system_table *table, const struct value *values,
                        const struct tuple_match *matches, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &values[matches[i].column];
        if (value->null || !value_equal(NULL, table->types[matches[i].column], value, &matches[i].value))
            return false;
    }
    return true;
}

/* Entries of an index, exchanged for the rows they point at. */
static enum sqlstate fetch_rows(const struct tuple_access *access, const struct system_table *table,
                                struct scope *scope, struct collect *entries, struct error *error)
{
    uint64_t store = system_store(access->database, table->shape, table->shape->oid);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < entries->count; i++) {
        struct value key;
        uint16_t wanted = 0;
        bool found;
        struct bytes row;
        enum sqlstate failed =
            row_decode(access->catalog->entry_layout, entries->rows[i].row, &wanted, 1, &key, error);
        if (!failed)
            failed = row_get(access->transaction, scope, store, value_view(&key), &row, &found, error);
        if (failed)
            return failed;
        if (found)
            entries->rows[kept++] = (struct found_row){.key = value_view(&key), .row = row};
    }
    entries->count = kept;
    return SQLSTATE_OK;
}

enum sqlstate tuples_find(const struct tuple_access *access, struct scope *scope, uint32_t relation,
                          const struct tuple_match *matches, uint32_t count, struct tuples *found,
                          struct error *error)
{
    const struct system_table *table = system_table_find(access->catalog, relation);
    uint32_t columns;
    int index = best_index(table, matches, count, &columns);
    struct key_writer prefix = {.size = 0};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t c = 0; c < columns && !failed; c++)
        failed = key_append(&prefix, &table->parts[index][c],
                            &match_of(matches, count, table->shape->index[index].column[c])->value, error);
    if (failed)
        return failed;
    uint32_t store = index < 0 || index == table->primary ? relation : table->shape->index[index].oid;
    struct collect collect = {.scope = scope};
    failed = scan_prefix(access->transaction, system_store(access->database, table->shape, store),
                         bytes_of(prefix.bytes, prefix.size), &collect, error);
    if (!failed && store != relation)
        failed = fetch_rows(access, table, scope, &collect, error);
    if (failed)
        return failed;
    *found = (struct tuples){0};
    void *memory;
    if ((failed = scope_alloc_large(scope, (collect.count + 1) * sizeof *found->tuple, 16, &memory, error)))
        return failed;
    found->tuple = memory;
    for (uint32_t i = 0; i < collect.count && !failed; i++) {
        struct tuple *tuple = &found->tuple[found->count];
        tuple->key = collect.rows[i].key;
        failed = decode(table, scope, collect.rows[i].row, &tuple->values, error);
        if (!failed && matches_all(table, tuple->values, matches, count))
            found->count++;
    }
    return failed;
}

enum sqlstate tuple_find(const struct tuple_access *access, struct scope *scope, uint32_t relation,
                         const struct tuple_match *matches, uint32_t count, struct tuple *found,
                         struct error *error)
{
    struct tuples all;
    *found = (struct tuple){0};
    enum sqlstate failed = tuples_find(access, scope, relation, matches, count, &all, error);
    if (!failed && all.count)
        *found = all.tuple[0];
    return failed;
}

enum sqlstate tuple_by_oid(const struct tuple_access *access, struct scope *scope, uint32_t relation,
                           uint32_t oid, struct tuple *found, struct error *error)
{
    struct tuple_match match = {0, value_integer(oid)};
    return tuple_find(access, scope, relation, &match, 1, found, error);
}

/* ---- writing ---- */

static enum sqlstate duplicate(const struct system_index *index, struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_UNIQUE_VIOLATION,
                                     "duplicate key value violates unique constraint \"%s\"", index->name);
    error_add(error, ERROR_SCHEMA, "pg_catalog");
    error_add(error, ERROR_CONSTRAINT, "%s", index->name);
    return failed;
}

/* The key of a tuple's entry in an index: the columns, and the row's key where those do not suffice. */
static enum sqlstate entry_key(const struct system_table *table, int index, const struct value *values,
                               struct bytes row_key, struct key_writer *key, struct error *error)
{
    bool whole;
    key->size = 0;
    enum sqlstate failed = tuple_key(table, index, values, key, &whole, error);
    if (failed || (whole && table->shape->index[index].unique))
        return failed;
    if (key->size + row_key.size > sizeof key->bytes)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "index row size exceeds maximum for index \"%s\"", table->shape->index[index].name);
    memcpy(key->bytes + key->size, row_key.data, row_key.size);
    key->size += (uint32_t)row_key.size;
    return SQLSTATE_OK;
}

static enum sqlstate entry_insert(const struct tuple_access *access, const struct system_table *table,
                                  int index, const struct value *values, struct bytes row_key,
                                  struct error *error)
{
    struct key_writer key;
    struct bytes row;
    struct value key_value = value_bytes(row_key.data, row_key.size);
    bool done = false;
    struct scope *scope = scope_open(access->catalog->scope, "index entry");
    enum sqlstate failed = entry_key(table, index, values, row_key, &key, error);
    if (!failed)
        failed = row_encode(access->catalog->entry_layout, scope, &key_value, &row, error);
    if (!failed)
        failed = row_insert(access->transaction,
                            system_store(access->database, table->shape, table->shape->index[index].oid),
                            bytes_of(key.bytes, key.size), row, &done, error);
    scope_close(scope);
    if (!failed && !done)
        failed = duplicate(&table->shape->index[index], error);
    return failed;
}

static enum sqlstate entry_delete(const struct tuple_access *access, const struct system_table *table,
                                  int index, const struct tuple *old, struct error *error)
{
    struct key_writer key;
    bool done;
    enum sqlstate failed = entry_key(table, index, old->values, old->key, &key, error);
    if (!failed)
        failed = row_delete(access->transaction,
                            system_store(access->database, table->shape, table->shape->index[index].oid),
                            bytes_of(key.bytes, key.size), &done, error);
    return failed;
}

static enum sqlstate row_key_of(const struct tuple_access *access, const struct system_table *table,
                                const struct value *values, struct key_writer *key, struct error *error)
{
    bool whole;
    key->size = 0;
    if (table->primary >= 0)
        return tuple_key(table, table->primary, values, key, &whole, error);
    uint64_t id = __builtin_bswap64(catalog_row_id(access->catalog));
    memcpy(key->bytes, &id, sizeof id);
    key->size = sizeof id;
    return SQLSTATE_OK;
}

static enum sqlstate row_put(const struct tuple_access *access, const struct system_table *table,
                             struct bytes key, const struct value *values, bool update, struct error *error)
{
    uint64_t store = system_store(access->database, table->shape, table->shape->oid);
    struct bytes row;
    bool done = false;
    struct scope *scope = scope_open(access->catalog->scope, "catalog row");
    enum sqlstate failed = row_encode(table->layout, scope, values, &row, error);
    if (!failed && update)
        failed = row_update(access->transaction, store, key, row, &done, error);
    else if (!failed)
        failed = row_insert(access->transaction, store, key, row, &done, error);
    scope_close(scope);
    if (failed || done)
        return failed;
    if (update)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "tuple concurrently updated");
    return table->primary >= 0 ? duplicate(&table->shape->index[table->primary], error)
                               : error_set(error, SQLSTATE_INTERNAL_ERROR, "row id was given twice");
}

enum sqlstate tuple_insert(const struct tuple_access *access, uint32_t relation, const struct value *values,
                           struct error *error)
{
    const struct system_table *table = system_table_find(access->catalog, relation);
    struct key_writer key;
    enum sqlstate failed = row_key_of(access, table, values, &key, error);
    if (!failed)
        failed = row_put(access, table, bytes_of(key.bytes, key.size), values, false, error);
    for (uint32_t i = 0; i < table->shape->indexes && !failed; i++)
        if ((int)i != table->primary)
            failed = entry_insert(access, table, (int)i, values, bytes_of(key.bytes, key.size), error);
    return failed;
}

enum sqlstate tuple_delete(const struct tuple_access *access, uint32_t relation, const struct tuple *old,
                           struct error *error)
{
    const struct system_table *table = system_table_find(access->catalog, relation);
    bool done = false;
    enum sqlstate failed = row_delete(
        access->transaction, system_store(access->database, table->shape, relation), old->key, &done, error);
    if (!failed && !done)
        failed = error_set(error, SQLSTATE_INTERNAL_ERROR, "tuple concurrently deleted");
    for (uint32_t i = 0; i < table->shape->indexes && !failed; i++)
        if ((int)i != table->primary)
            failed = entry_delete(access, table, (int)i, old, error);
    return failed;
}

static bool same_values(const struct type *type, const struct value *a, const struct value *b)
{
    if (a->null || b->null)
        return a->null && b->null;
    if (type->kind == VALUE_INTEGER)
        return a->i == b->i;
    if (type->kind == VALUE_FLOAT)
        return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    return bytes_compare(value_view(a), value_view(b)) == 0;
}

static bool same_key(const struct system_table *table, int index, const struct value *a,
                     const struct value *b)
{
    const struct system_index *shape = &table->shape->index[index];
    for (uint32_t c = 0; c < shape->columns; c++) {
        int at = shape->column[c] - 1;
        if (!same_values(table->types[at], &a[at], &b[at]))
            return false;
    }
    return true;
}

enum sqlstate tuple_update(const struct tuple_access *access, uint32_t relation, const struct tuple *old,
                           const struct value *values, struct error *error)
{
    const struct system_table *table = system_table_find(access->catalog, relation);
    if (table->primary >= 0 && !same_key(table, table->primary, old->values, values)) {
        enum sqlstate failed = tuple_delete(access, relation, old, error);
        return failed ? failed : tuple_insert(access, relation, values, error);
    }
    enum sqlstate failed = row_put(access, table, old->key, values, true, error);
    for (uint32_t i = 0; i < table->shape->indexes && !failed; i++)
        if ((int)i != table->primary && !same_key(table, (int)i, old->values, values)) {
            failed = entry_delete(access, table, (int)i, old, error);
            if (!failed)
                failed = entry_insert(access, table, (int)i, values, old->key, error);
        }
    return failed;
}

/* ---- values ---- */

struct value *tuple_make(struct scope *scope, uint32_t relation)
{
    const struct system_relation *shape = system_relation_find(relation);
    check(shape, "%u is no relation of pg_catalog", relation);
    struct value *values = scope_alloc(scope, shape->columns * sizeof *values);
    for (uint32_t c = 0; c < shape->columns; c++)
        values[c] = value_null();
    return values;
}

uint32_t tuple_columns(uint32_t relation)
{
    return system_relation_find(relation)->columns;
}

struct value tuple_text(struct scope *scope, const char *text)
{
    size_t size = strlen(text);
    return value_bytes(scope_copy(scope, text, size + 1), size);
}

char *text_of(struct scope *scope, const struct value *value)
{
    if (value->null)
        return NULL;
    char *text = scope_alloc(scope, value->size + 1UL);
    if (value->size)
        memcpy(text, value->p, value->size);
    text[value->size] = 0;
    return text;
}

enum sqlstate list_make(struct scope *scope, uint32_t element, bool vector, const int64_t *numbers,
                        uint32_t count, struct value *list, struct error *error)
{
    const struct type *type = type_builtin(element);
    int32_t length = (int32_t)count, lower = vector ? 0 : 1;
    struct value *values = scope_alloc(scope, (count + 1) * sizeof *values);
    for (uint32_t i = 0; i < count; i++)
        values[i] = type->kind == VALUE_FLOAT ? value_float((double)numbers[i]) : value_integer(numbers[i]);
    return array_build(scope, type, count ? 1 : 0, &length, &lower, values, list, error);
}

enum sqlstate list_make_texts(struct scope *scope, uint32_t element, const char *const *texts, uint32_t count,
                              struct value *list, struct error *error)
{
    struct value *values = scope_alloc(scope, (count + 1) * sizeof *values);
    for (uint32_t i = 0; i < count; i++)
        values[i] = tuple_text(scope, texts[i]);
    return array_build_list(scope, type_static(element), values, count, list, error);
}

uint32_t list_numbers(struct scope *scope, const struct value *list, int64_t **numbers)
{
    struct array array = {0};
    if (!list->null)
        array_read(list, &array);
    *numbers = scope_alloc(scope, (array.count + 1) * sizeof **numbers);
    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_get(&array, i);
        (*numbers)[i] = value.null ? 0 : array.kind == VALUE_FLOAT ? (int64_t)value.f : value.i;
    }
    return array.count;
}

uint32_t list_texts(struct scope *scope, const struct value *list, const char ***texts)
{
    struct array array = {0};
    if (!list->null)
        array_read(list, &array);
    *texts = scope_alloc(scope, (array.count + 1) * sizeof **texts);
    for (uint32_t i = 0; i < array.count; i++) {
        struct value value = array_get(&array, i);
        (*texts)[i] = value.null ? "" : text_of(scope, &value);
    }
    return array.count;
}
