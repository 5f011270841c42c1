/* Opening a core's part of the catalog; counters; numbers of rows and of things. */
#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "sqlfront/catalog/inside.h"

#include <string.h>

/* ---- the shapes of system tables ---- */

static void parts_make(struct scope *scope, struct system_table *table)
{
    const struct system_relation *shape = table->shape;
    table->primary = -1;
    table->parts = scope_alloc(scope, (shape->indexes + 1) * sizeof *table->parts);
    for (uint32_t i = 0; i < shape->indexes; i++) {
        struct key_part *parts = scope_alloc_zeroed(scope, shape->index[i].columns * sizeof *parts);
        for (uint32_t c = 0; c < shape->index[i].columns; c++) {
            const struct type *type = table->types[shape->index[i].column[c] - 1];
            /* pg_proc.proargtypes: arrays are no keys, but their bytes are the same when they are */
            parts[c].type = type->order == ORDER_ARRAY ? type_builtin(TYPE_BYTEA) : type;
        }
        table->parts[i] = parts;
        if (shape->index[i].primary)
            table->primary = (int)i;
    }
}

enum sqlstate catalog_make(struct world *world, struct scope *scope, struct engine *engine,
                           struct catalog **catalog, struct error *error)
{
    struct catalog *made = scope_alloc_zeroed(scope, sizeof *made);
    made->world = world;
    made->scope = scope;
    made->engine = engine;
    list_init(&made->generations);
    world_random(world, &made->seed, sizeof made->seed);
    const struct type **entry = scope_alloc(scope, sizeof *entry);
    entry[0] = type_builtin(TYPE_BYTEA);
    map_init(&made->activities, MAP_OF_NUMBERS, scope, made->seed);
    made->entry_layout = row_layout_make(scope, entry, 1, NULL);
    made->tables = scope_alloc_zeroed(scope, system_relations_count * sizeof *made->tables);
    for (uint32_t i = 0; i < system_relations_count; i++) {
        struct system_table *table = &made->tables[i];
        table->shape = &system_relations[i];
        table->types = scope_alloc(scope, table->shape->columns * sizeof *table->types);
        for (uint32_t c = 0; c < table->shape->columns; c++) {
            table->types[c] = type_static(table->shape->column[c].type);
            check(table->types[c], "type %u of pg_catalog is not built in", table->shape->column[c].type);
        }
        table->layout = row_layout_make(scope, table->types, table->shape->columns, NULL);
        parts_make(scope, table);
    }
    *catalog = made;
    (void)error;
    return SQLSTATE_OK;
}

size_t catalog_shared_size(void)
{
    return sizeof(struct catalog_shared);
}

enum sqlstate catalog_open(struct world *world, struct scope *scope, struct engine *engine, void *shared,
                           struct catalog **catalog, struct error *error)
{
    uint64_t start;
    enum sqlstate failed = catalog_make(world, scope, engine, catalog, error);
    if (!failed)
        failed = counter_take(*catalog, COUNTER_START, 1, &start, error);
    if (failed)
        return failed;
    (*catalog)->shared = shared;
    (*catalog)->shared->core[world->core] = *catalog;
    (*catalog)->row_id = start << 40;
    return SQLSTATE_OK;
}

enum sqlstate catalog_exists(struct world *world, struct engine *engine, bool *exists, struct error *error)
{
    struct transaction *transaction;
    struct bytes row;
    uint64_t key = __builtin_bswap64(COUNTER_OID);
    const struct transaction_options options = {.isolation = READ_COMMITTED, .read_only = true};
    struct scope *scope = scope_open(world->scope, "catalog exists");
    *exists = false;
    enum sqlstate failed = transaction_begin(world, engine, scope, &options, &transaction, error);
    if (!failed) {
        transaction_statement(transaction);
        failed = row_get(transaction, scope, TABLE_COUNTERS, bytes_of(&key, sizeof key), &row, exists, error);
        if (failed == SQLSTATE_UNDEFINED_TABLE) {
            failed = SQLSTATE_OK;
            *exists = false;
            error_clear(error);
        }
        transaction_rollback(transaction);
    }
    fiber_close_scope(world->scheduler, scope);
    return failed;
}

/* ---- counters ---- */

static enum sqlstate take(struct transaction *transaction, struct scope *scope, enum counter counter,
                          uint64_t count, uint64_t *first, struct error *error)
{
    uint64_t key = __builtin_bswap64(counter);
    struct bytes row;
    bool found, done = false;
    enum lock_outcome outcome;
    transaction_statement(transaction);
    enum sqlstate failed = row_lock(transaction, scope, TABLE_COUNTERS, bytes_of(&key, sizeof key),
                                    LOCK_UPDATE, LOCK_WAIT, &row, &found, &outcome, error);
    if (failed)
        return failed;
    if (!found || row.size != sizeof *first)
        return error_set(error, SQLSTATE_DATA_CORRUPTED, "counter %d of the catalog is not there", counter);
    memcpy(first, row.data, sizeof *first);
    uint64_t next = *first + count;
    failed = row_update(transaction, TABLE_COUNTERS, bytes_of(&key, sizeof key), bytes_of(&next, sizeof next),
                        &done, error);
    check(failed || done, "the row is locked");
    return failed;
}

enum sqlstate counter_take(struct catalog *catalog, enum counter counter, uint64_t count, uint64_t *first,
                           struct error *error)
{
    struct transaction *transaction;
    const struct transaction_options options = {.isolation = READ_COMMITTED};
    struct scope *scope = scope_open(catalog->world->scope, "counter");
    enum sqlstate failed =
        transaction_begin(catalog->world, catalog->engine, scope, &options, &transaction, error);
    if (!failed) {
        failed = take(transaction, scope, counter, count, first, error);
        if (failed)
            transaction_rollback(transaction);
        else
            failed = transaction_commit(transaction, error);
    }
    fiber_close_scope(catalog->world->scheduler, scope);
    return failed;
}

/* Oids a core takes from the counter at once: a commit for some fifty tables. */
#define OIDS_TAKEN 256

enum sqlstate catalog_new_oid(struct catalog *catalog, uint32_t *oid, struct error *error)
{
    if (catalog->oid_next == catalog->oid_end) {
        uint64_t first;
        enum sqlstate failed = counter_take(catalog, COUNTER_OID, OIDS_TAKEN, &first, error);
        if (failed)
            return failed;
        if (first + OIDS_TAKEN > UINT32_MAX)
            return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "all object identifiers are used up");
        /* another fiber may have brought some meanwhile: what is left of those is never used */
        catalog->oid_next = (uint32_t)first;
        catalog->oid_end = (uint32_t)first + OIDS_TAKEN;
    }
    *oid = catalog->oid_next++;
    return SQLSTATE_OK;
}

/* The number of this core's start above 40 bits that count: never given before, and growing. */
uint64_t catalog_row_id(struct catalog *catalog)
{
    check((catalog->row_id + 1) >> 40 == catalog->row_id >> 40, "a start has 2^40 row ids");
    return ++catalog->row_id;
}

uint64_t catalog_async_scn(const struct catalog *catalog)
{
    return catalog->async_scn;
}

/* ---- versions ---- */

uint64_t catalog_version(const struct catalog *catalog)
{
    return atomic_load_explicit(&catalog->shared->version, memory_order_acquire);
}

void catalog_commit_begin(struct catalog *catalog)
{
    atomic_fetch_add_explicit(&catalog->shared->changing, 1, memory_order_seq_cst);
}

void catalog_commit_end(struct catalog *catalog)
{
    atomic_fetch_add_explicit(&catalog->shared->version, 1, memory_order_seq_cst);
    atomic_fetch_sub_explicit(&catalog->shared->changing, 1, memory_order_seq_cst);
}
