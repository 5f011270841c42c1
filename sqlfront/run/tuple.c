/* Rows kept in memory: lists of them, hash tables over them. */
#include "sqlfront/run/operator.h"

void tuple_store_init(struct tuple_store *store, struct scope *scope, uint32_t columns,
                      const struct type *const *types)
{
    *store = (struct tuple_store){.scope = scope, .columns = columns, .types = types};
}

static enum sqlstate store_append(struct tuple_store *store, struct tuple *tuple, struct error *error)
{
    if (store->count == store->room) {
        size_t room = store->room ? store->room * 2 : 64;
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(store->scope, room * sizeof store->tuple[0], 16, &memory, error);
        if (failed)
            return failed;
        if (store->count)
            memcpy(memory, store->tuple, store->count * sizeof store->tuple[0]);
        if (store->room > 64 * 1024)
            scope_free_large(store->scope, store->tuple);
        store->tuple = memory;
        store->room = room;
    }
    store->tuple[store->count++] = tuple;
    return SQLSTATE_OK;
}

static struct tuple *tuple_alloc(struct tuple_store *store)
{
    struct tuple *tuple = scope_alloc(store->scope, sizeof *tuple + store->columns * sizeof tuple->value[0]);
    *tuple = (struct tuple){0};
    return tuple;
}

enum sqlstate tuple_store_add(struct tuple_store *store, const struct value *const *columns, uint32_t row,
                              struct tuple **added, struct error *error)
{
    struct tuple *tuple = *added = tuple_alloc(store);
    for (uint32_t i = 0; i < store->columns; i++) {
        enum sqlstate failed =
            value_copy(store->scope, store->types[i], &columns[i][row], &tuple->value[i], error);
        if (failed)
            return failed;
    }
    return store_append(store, tuple, error);
}

enum sqlstate tuple_store_add_values(struct tuple_store *store, const struct value *values,
                                     struct tuple **added, struct error *error)
{
    struct tuple *tuple = *added = tuple_alloc(store);
    for (uint32_t i = 0; i < store->columns; i++) {
        enum sqlstate failed = value_copy(store->scope, store->types[i], &values[i], &tuple->value[i], error);
        if (failed)
            return failed;
    }
    return store_append(store, tuple, error);
}

uint32_t tuple_store_give(const struct tuple_store *store, size_t at, struct value **room, uint32_t rows)
{
    uint32_t count = store->count - at < rows ? (uint32_t)(store->count - at) : rows;
    for (uint32_t c = 0; c < store->columns; c++)
        for (uint32_t i = 0; i < count; i++)
            room[c][i] = store->tuple[at + i]->value[c];
    return count;
}

/* ---- hash tables ---- */

#define FIRST_BUCKETS 64

static enum sqlstate take_buckets(struct tuple_table *table, uint64_t buckets, struct error *error)
{
    void *memory;
    enum sqlstate failed =
        scope_alloc_large(table->scope, buckets * sizeof table->bucket[0], 16, &memory, error);
    if (failed)
        return failed;
    memset(memory, 0, buckets * sizeof table->bucket[0]);
    table->bucket = memory;
    table->mask = buckets - 1;
    return SQLSTATE_OK;
}

enum sqlstate tuple_table_init(struct tuple_table *table, struct scope *scope, struct error *error)
{
    *table = (struct tuple_table){.scope = scope};
    return take_buckets(table, FIRST_BUCKETS, error);
}

static enum sqlstate grow(struct tuple_table *table, struct error *error)
{
    struct tuple **old = table->bucket;
    uint64_t buckets = table->mask + 1;
    enum sqlstate failed = take_buckets(table, buckets * 4, error);
    if (failed)
        return failed;
    for (uint64_t i = 0; i < buckets; i++)
        for (struct tuple *tuple = old[i], *next; tuple; tuple = next) {
            next = tuple->next;
            tuple->next = table->bucket[tuple->hash & table->mask];
            table->bucket[tuple->hash & table->mask] = tuple;
        }
    scope_free_large(table->scope, old);
    return SQLSTATE_OK;
}

enum sqlstate tuple_table_add(struct tuple_table *table, struct tuple *tuple, struct error *error)
{
    enum sqlstate failed = table->count > table->mask ? grow(table, error) : SQLSTATE_OK;
    if (failed)
        return failed;
    tuple->next = table->bucket[tuple->hash & table->mask];
    table->bucket[tuple->hash & table->mask] = tuple;
    table->count++;
    return SQLSTATE_OK;
}

/* What the loop over a column does, by the column's kind: told once a column, not once a row. */
enum hashed { HASHED_INTEGER, HASHED_TEXT, HASHED_ANY };

static inline uint64_t hash_one(enum hashed hashed, struct environment *environment, const struct type *type,
                                const struct value *value)
{
    if (value->null)
        return HASH_OF_NULL;
    if (hashed == HASHED_INTEGER)
        return value_hash_integer(value->i);
    bool few = hashed == HASHED_TEXT && value->size - 1 < HASH_FEW_BYTES;
    if (few && (type->order == ORDER_BYTES || value->p[value->size - 1] != ' '))
        return value_hash_few(value_view(value));
    return value_hash(environment, type, value);
}

static inline void hash_values(enum hashed hashed, struct environment *environment, const struct type *type,
                               const struct value *values, const struct batch *batch, uint64_t *hash)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t row = batch_row(batch, i);
        hash[row] = hash_combine(hash[row], hash_one(hashed, environment, type, &values[row]));
    }
}

void hash_column(struct environment *environment, const struct type *type, const struct value *values,
                 const struct batch *batch, uint64_t *hash)
{
    if (type->order == ORDER_INTEGER)
        hash_values(HASHED_INTEGER, environment, type, values, batch, hash);
    else if (type->order == ORDER_BYTES || type->order == ORDER_PADDED)
        hash_values(HASHED_TEXT, environment, type, values, batch, hash);
    else
        hash_values(HASHED_ANY, environment, type, values, batch, hash);
}

/* ---- order ---- */

int plan_key_compare(struct environment *environment, const struct plan_key *key, const struct value *a,
                     const struct value *b)
{
    if (a->null || b->null) {
        if (a->null && b->null)
            return 0;
        return a->null == key->nulls_first ? -1 : 1;
    }
    int order = key->type->order == ORDER_INTEGER ? (a->i > b->i) - (a->i < b->i)
                                                  : value_compare(environment, key->type, a, b);
    return key->descending ? -order : order;
}
