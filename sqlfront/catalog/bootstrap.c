/* A node's first start: the catalogs a new database begins with, from the rows PostgreSQL brings (postgres/rows.copy).
 *
 * Rows are read in COPY's text form by the types' own forms, sorted by key and loaded past the log, table by table, in one
 * transaction: after a crash the catalogs are there as a whole or not at all. */
#include "sqlfront/catalog/bootstrap.h"

#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "sqlfront/catalog/inside.h"
#include "sqlfront/catalog/scram.h"

#include <stdlib.h>
#include <string.h>

/* ---- rows of one table of the engine ---- */

struct bulk_row {
    struct bytes key, row;
};

struct bulk {
    struct scope *scope;
    struct bulk_row *rows;
    uint32_t count, room, at;
};

static void bulk_add(struct bulk *bulk, struct bytes key, struct bytes row)
{
    if (bulk->count == bulk->room) {
        uint32_t room = bulk->room ? 2 * bulk->room : 64;
        struct bulk_row *rows = scope_alloc(bulk->scope, room * sizeof *rows);
        if (bulk->count)
            memcpy(rows, bulk->rows, bulk->count * sizeof *rows);
        bulk->rows = rows;
        bulk->room = room;
    }
    bulk->rows[bulk->count++] =
        (struct bulk_row){.key = bytes_of(scope_copy(bulk->scope, key.data, key.size), key.size), .row = row};
}

static int compare_rows(const void *a, const void *b)
{
    const struct bulk_row *left = a, *right = b;
    return bytes_compare(left->key, right->key);
}

static enum sqlstate bulk_next(void *argument, struct bytes *key, struct bytes *row, bool *end,
                               struct error *error)
{
    struct bulk *bulk = argument;
    (void)error;
    *end = bulk->at == bulk->count;
    if (!*end) {
        *key = bulk->rows[bulk->at].key;
        *row = bulk->rows[bulk->at++].row;
    }
    return SQLSTATE_OK;
}

/* Makes the table and fills it. A few rows are written like any others: each load makes a volume durable. */
#define ROWS_LOADED_FROM 256

static enum sqlstate store_fill(struct transaction *transaction, uint64_t store, struct bulk *bulk,
                                struct error *error)
{
    enum sqlstate failed = table_create(transaction, store, TABLE_ROW, error);
    if (failed || !bulk->count)
        return failed;
    qsort(bulk->rows, bulk->count, sizeof *bulk->rows, compare_rows);
    if (bulk->count >= ROWS_LOADED_FROM)
        return table_load(transaction, store, &(struct store_source){.next = bulk_next, .argument = bulk},
                          error);
    for (uint32_t i = 0; i < bulk->count && !failed; i++) {
        bool done = false;
        failed = row_insert(transaction, store, bulk->rows[i].key, bulk->rows[i].row, &done, error);
        check(failed || done, "a key is there twice");
    }
    return failed;
}

/* ---- a relation ---- */

struct filling {
    struct catalog *catalog;
    struct transaction *transaction;
    struct environment environment;
    uint32_t database;
    const struct system_table *table;
    struct scope *scope; /* of the relation */
    struct bulk rows;
    struct bulk *entries; /* of each index */
};

static void fill_begin(struct filling *filling, const struct system_table *table)
{
    filling->table = table;
    filling->rows = (struct bulk){.scope = filling->scope};
    filling->entries =
        scope_alloc_zeroed(filling->scope, (table->shape->indexes + 1) * sizeof *filling->entries);
    for (uint32_t i = 0; i < table->shape->indexes; i++)
        filling->entries[i].scope = filling->scope;
}

static enum sqlstate fill_add(struct filling *filling, const struct value *values, struct error *error)
{
    const struct system_table *table = filling->table;
    struct key_writer row_key = {.size = 0}, key;
    struct bytes row, entry;
    bool whole;
    enum sqlstate failed = SQLSTATE_OK;
    if (table->primary >= 0) {
        failed = tuple_key(table, table->primary, values, &row_key, &whole, error);
    } else {
        uint64_t id = __builtin_bswap64(catalog_row_id(filling->catalog));
        memcpy(row_key.bytes, &id, sizeof id);
        row_key.size = sizeof id;
    }
    if (!failed)
        failed = row_encode(table->layout, filling->scope, values, &row, error);
    if (failed)
        return failed;
    bulk_add(&filling->rows, bytes_of(row_key.bytes, row_key.size), row);
    struct value pointer = value_bytes(row_key.bytes, row_key.size);
    if ((failed = row_encode(filling->catalog->entry_layout, filling->scope, &pointer, &entry, error)))
        return failed;
    for (uint32_t i = 0; i < table->shape->indexes; i++) {
        if ((int)i == table->primary)
            continue;
        key.size = 0;
        if ((failed = tuple_key(table, (int)i, values, &key, &whole, error)))
            return failed;
        if (!whole || !table->shape->index[i].unique) {
            memcpy(key.bytes + key.size, row_key.bytes, row_key.size);
            key.size += row_key.size;
        }
        bulk_add(&filling->entries[i], bytes_of(key.bytes, key.size), entry);
    }
    return SQLSTATE_OK;
}

static enum sqlstate fill_end(struct filling *filling, struct error *error)
{
    const struct system_relation *shape = filling->table->shape;
    enum sqlstate failed = store_fill(
        filling->transaction, system_store(filling->database, shape, shape->oid), &filling->rows, error);
    for (uint32_t i = 0; i < shape->indexes && !failed; i++)
        if ((int)i != filling->table->primary)
            failed =
                store_fill(filling->transaction, system_store(filling->database, shape, shape->index[i].oid),
                           &filling->entries[i], error);
    return failed;
}

/* ---- reading COPY's text form ---- */

static const char *const escapes = "b\bf\fn\nr\rt\tv\v";

/* A field's bytes without escapes; copied only when there are some. */
static struct bytes unescape(struct scope *scope, const char *from, size_t size)
{
    if (!memchr(from, '\\', size))
        return bytes_of(from, size);
    char *to = scope_alloc(scope, size), *start = to;
    for (size_t i = 0; i < size; i++) {
        if (from[i] != '\\') {
            *to++ = from[i];
            continue;
        }
        const char *escape = strchr(escapes, from[++i]);
        bool letter = escape && (escape - escapes) % 2 == 0;
        if (from[i] >= '0' && from[i] <= '7') {
            *to++ = (char)((from[i] - '0') << 6 | (from[i + 1] - '0') << 3 | (from[i + 2] - '0'));
            i += 2;
        } else {
            *to++ = letter ? escape[1] : from[i];
        }
    }
    return bytes_of(start, (size_t)(to - start));
}

static enum sqlstate read_value(struct filling *filling, const struct type *type, struct bytes text,
                                struct value *value, struct error *error)
{
    if (type->kind == VALUE_BYTES && (type->order == ORDER_BYTES || type->oid == TYPE_TEXT)) {
        *value = value_bytes(text.data, text.size);
        return SQLSTATE_OK;
    }
    if (type->kind == VALUE_INTEGER && type->width == 4 && type->category == 'N') {
        *value = value_integer(strtoll((const char *)text.data, NULL, 10));
        return SQLSTATE_OK;
    }
    return type->ops->in(&filling->environment, filling->scope, type, -1, text, value, error);
}

/* The fields of one line. */
static enum sqlstate read_line(struct filling *filling, const char *line, const char *end,
                               struct value *values, struct error *error)
{
    const struct system_table *table = filling->table;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t c = 0; c < table->shape->columns && !failed; c++) {
        const char *stop = memchr(line, '\t', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        if (size == 2 && memcmp(line, "\\N", 2) == 0)
            values[c] = value_null();
        else
            failed =
                read_value(filling, table->types[c], unescape(filling->scope, line, size), &values[c], error);
        line = stop ? stop + 1 : end;
    }
    return failed;
}

/* The relation's section of the rows: from the first line to behind the last one. */
static const char *section(const char *name, const char **end, uint32_t *oid)
{
    size_t length = strlen(name);
    for (const char *at = catalog_rows; at < catalog_rows_end;) {
        const char *line_end = memchr(at, '\n', (size_t)(catalog_rows_end - at));
        const char *first = line_end + 1, *next = first;
        while (next < catalog_rows_end && *next != '@')
            next = (const char *)memchr(next, '\n', (size_t)(catalog_rows_end - next)) + 1;
        if (strncmp(at + 1, name, length) == 0 && at[1 + length] == ' ') {
            *end = next;
            *oid = (uint32_t)strtoul(at + 1 + length, NULL, 10);
            return first;
        }
        at = next;
    }
    return NULL;
}

static enum sqlstate fill_section(struct filling *filling,
                                  void (*change)(struct filling *filling, void *argument,
                                                 struct value *values),
                                  void *argument, struct error *error)
{
    const char *end;
    uint32_t oid;
    const char *line = section(filling->table->shape->name, &end, &oid);
    enum sqlstate failed = SQLSTATE_OK;
    check(line, "no rows of %s", filling->table->shape->name);
    struct value values[64];
    while (line < end && !failed) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        failed = read_line(filling, line, line_end, values, error);
        if (!failed && change)
            change(filling, argument, values);
        if (!failed)
            failed = fill_add(filling, values, error);
        line = line_end + 1;
    }
    return failed;
}

/* ---- a database ---- */

/* Tables of information_schema: they come empty. */
static const char *const information_tables[] = {"sql_features", "sql_implementation_info", "sql_parts",
                                                 "sql_sizing"};

enum sqlstate database_fill(struct catalog *catalog, struct transaction *transaction, uint32_t database,
                            struct error *error)
{
    struct filling filling = {.catalog = catalog,
                              .transaction = transaction,
                              .database = database,
                              .environment = environment_plain(catalog->world)};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < system_relations_count && !failed; i++) {
        if (system_relations[i].shared)
            continue;
        filling.scope = scope_open(catalog->scope, "catalog rows");
        fill_begin(&filling, &catalog->tables[i]);
        failed = fill_section(&filling, NULL, NULL, error);
        if (!failed)
            failed = fill_end(&filling, error);
        scope_close(filling.scope);
    }
    for (size_t i = 0; i < sizeof information_tables / sizeof *information_tables && !failed; i++) {
        const char *end;
        uint32_t oid;
        const char *rows = section(information_tables[i], &end, &oid);
        check(rows, "no section of %s", information_tables[i]);
        failed = table_create(transaction, store_number(database, oid), TABLE_ROW, error);
    }
    return failed;
}

static void set_password(struct filling *filling, void *argument, struct value *values)
{
    if (values[PG_AUTHID_OID].i == ROLE_SYNOD)
        values[PG_AUTHID_ROLPASSWORD] = tuple_text(filling->scope, argument);
}

static enum sqlstate add_database(struct filling *filling, uint32_t oid, const char *name, bool template,
                                  bool connects, struct error *error)
{
    struct value *values = tuple_make(filling->scope, PG_DATABASE);
    database_row(filling->scope, values, oid, name, ROLE_SYNOD);
    values[PG_DATABASE_DATISTEMPLATE] = value_boolean(template);
    values[PG_DATABASE_DATALLOWCONN] = value_boolean(connects);
    return fill_add(filling, values, error);
}

void database_row(struct scope *scope, struct value *values, uint32_t oid, const char *name, uint32_t owner)
{
    values[PG_DATABASE_OID] = value_integer(oid);
    values[PG_DATABASE_DATNAME] = tuple_text(scope, name);
    values[PG_DATABASE_DATDBA] = value_integer(owner);
    values[PG_DATABASE_ENCODING] = value_integer(6); /* UTF8 */
    values[PG_DATABASE_DATLOCPROVIDER] = value_integer('c');
    values[PG_DATABASE_DATISTEMPLATE] = value_boolean(false);
    values[PG_DATABASE_DATALLOWCONN] = value_boolean(true);
    values[PG_DATABASE_DATCONNLIMIT] = value_integer(-1);
    values[PG_DATABASE_DATFROZENXID] = value_integer(0);
    values[PG_DATABASE_DATMINMXID] = value_integer(0);
    values[PG_DATABASE_DATTABLESPACE] = value_integer(1663);
    values[PG_DATABASE_DATCOLLATE] = tuple_text(scope, "C");
    values[PG_DATABASE_DATCTYPE] = tuple_text(scope, "C");
}

static enum sqlstate shared_fill(struct catalog *catalog, struct transaction *transaction,
                                 const char *verifier, struct error *error)
{
    struct filling filling = {
        .catalog = catalog, .transaction = transaction, .environment = environment_plain(catalog->world)};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < system_relations_count && !failed; i++) {
        if (!system_relations[i].shared)
            continue;
        filling.scope = scope_open(catalog->scope, "catalog rows");
        fill_begin(&filling, &catalog->tables[i]);
        if (system_relations[i].oid == PG_AUTHID)
            failed = fill_section(&filling, verifier ? set_password : NULL, (void *)verifier, error);
        else if (system_relations[i].oid != PG_DATABASE)
            failed = fill_section(&filling, NULL, NULL, error);
        else if (!(failed = add_database(&filling, DATABASE_SYNOD, "synod", false, true, error)) &&
                 !(failed = add_database(&filling, DATABASE_TEMPLATE1, "template1", true, false, error)))
            failed = add_database(&filling, DATABASE_TEMPLATE0, "template0", true, false, error);
        if (!failed)
            failed = fill_end(&filling, error);
        scope_close(filling.scope);
    }
    return failed;
}

static enum sqlstate counters_fill(struct transaction *transaction, struct error *error)
{
    const struct {
        enum counter counter;
        uint64_t first;
    } counters[] = {{COUNTER_OID, OID_USER_FIRST}, {COUNTER_START, 2}}; /* the bootstrap itself is start 1 */
    enum sqlstate failed = table_create(transaction, TABLE_COUNTERS, TABLE_ROW, error);
    for (size_t i = 0; i < sizeof counters / sizeof *counters && !failed; i++) {
        uint64_t key = __builtin_bswap64(counters[i].counter);
        bool done;
        failed = row_insert(transaction, TABLE_COUNTERS, bytes_of(&key, sizeof key),
                            bytes_of(&counters[i].first, sizeof counters[i].first), &done, error);
    }
    return failed;
}

enum sqlstate catalog_bootstrap(struct world *world, struct engine *engine, const char *password, bool *made,
                                struct error *error)
{
    struct catalog *catalog;
    struct transaction *transaction;
    bool exists;
    const struct transaction_options options = {.isolation = READ_COMMITTED};
    enum sqlstate failed = catalog_exists(world, engine, &exists, error);
    *made = false;
    if (failed || exists)
        return failed;
    struct scope *scope = scope_open(world->scope, "bootstrap");
    const char *verifier = password ? scram_verifier(world, scope, password) : NULL;
    if (!(failed = catalog_make(world, scope, engine, &catalog, error)))
        failed = transaction_begin(world, engine, scope, &options, &transaction, error);
    if (!failed) {
        catalog->row_id = 1UL << 40;
        transaction_statement(transaction);
        failed = counters_fill(transaction, error);
        if (!failed)
            failed = shared_fill(catalog, transaction, verifier, error);
        if (!failed)
            failed = database_fill(catalog, transaction, DATABASE_SYNOD, error);
        if (failed)
            transaction_rollback(transaction);
        else
            failed = transaction_commit(transaction, error);
    }
    fiber_close_scope(world->scheduler, scope);
    *made = !failed;
    return failed;
}
