/* Effects and locks of many rows, on their owners at once. */
#include "sqlfront/run/write.h"

/* ---- effects ---- */

struct effects {
    uint64_t table;
    const struct effect *effect;
    bool *done;
};

static enum sqlstate write_share(struct branch *branch, struct scope *scope, struct key_share *share,
                                 void *argument, struct error *error)
{
    struct effects *effects = argument;
    for (; share->done < share->count; share->done++) {
        uint32_t at = share->number[share->done];
        branch_keys_ahead(branch, share);
        enum sqlstate failed =
            branch_write(branch, effects->table, &effects->effect[at], &effects->done[at], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate write_one(struct branch *branch, struct scope *scope, void *argument,
                               struct error *error)
{
    struct effects *effects = argument;
    return branch_write(branch, effects->table, &effects->effect[0], &effects->done[0], error);
}

enum sqlstate write_effects(struct execution *execution, uint64_t table, const struct effect *effect,
                            uint32_t count, bool *done, struct error *error)
{
    struct transaction *transaction = execution->request.transaction;
    struct effects effects = {.table = table, .effect = effect, .done = done};
    if (count == 0)
        return SQLSTATE_OK;
    if (count == 1)
        return transaction_run(transaction, table, effect[0].key, write_one, &effects, error);
    struct scope *scope = scope_open(execution->scope, "effects");
    struct bytes *keys = scope_alloc(scope, count * sizeof keys[0]);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = effect[i].key;
    struct key_run run = {
        .table = table, .key = keys, .count = count, .run = write_share, .argument = &effects};
    enum sqlstate failed = transaction_run_keys(transaction, &run, error);
    scope_close(scope);
    return failed;
}

/* ---- locks ---- */

struct locks {
    const struct lock_request_rows *request;
    struct locked_row *locked;
    uint8_t *arena; /* for rows that changed, shared by the parts */
    size_t arena_size, used, wanted;
};

static bool same_value(const struct type *type, const struct value *a, const struct value *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT)
        return a->i == b->i;
    if (a->small || b->small)
        return a->small && b->small && a->i == b->i && a->scale == b->scale;
    return a->size == b->size && (a->size == 0 || memcmp(a->p, b->p, a->size) == 0);
}

/* Whether a row is as it was read. */
static bool same_row(const struct lock_request_rows *request, struct scope *scope, struct bytes row,
                     uint32_t at, enum sqlstate *failed, struct error *error)
{
    const struct relation *relation = request->relation;
    for (uint32_t c = 0; c < relation->columns; c++) {
        struct value value;
        uint16_t column = (uint16_t)c;
        if (request->old[c] == NULL)
            continue;
        if ((*failed = row_decode(relation->layout, row, &column, 1, &value, error)))
            return false;
        if (!same_value(relation->types[c], &value, &request->old[c][at]))
            return false;
    }
    return true;
}

static enum sqlstate lock_at(struct branch *branch, struct scope *scope, struct locks *locks, uint32_t at,
                             struct error *error)
{
    const struct lock_request_rows *request = locks->request;
    struct locked_row *locked = &locks->locked[at];
    struct store_row row;
    enum lock_outcome outcome;
    bool found;
    enum sqlstate failed = branch_lock(branch, scope, request->table, request->key[at], request->strength,
                                       request->policy, &row, &found, &outcome, error);
    if (failed)
        return failed;
    locked->result = outcome == LOCK_SKIPPED ? ROW_SKIPPED : found ? ROW_SAME : ROW_GONE;
    if (locked->result != ROW_SAME || (!request->old && !request->always) ||
        (!request->always && same_row(request, scope, row.row, at, &failed, error)))
        return failed;
    size_t to = __atomic_fetch_add(&locks->used, row.row.size, __ATOMIC_RELAXED);
    locked->result = ROW_CHANGED;
    if (failed || to + row.row.size > locks->arena_size) {
        __atomic_fetch_add(&locks->wanted, row.row.size, __ATOMIC_RELAXED);
        return failed;
    }
    memcpy(locks->arena + to, row.row.data, row.row.size);
    locked->row = bytes_of(locks->arena + to, row.row.size);
    return SQLSTATE_OK;
}

static enum sqlstate lock_share(struct branch *branch, struct scope *scope, struct key_share *share,
                                void *argument, struct error *error)
{
    for (; share->done < share->count; share->done++) {
        branch_keys_ahead(branch, share);
        enum sqlstate failed = lock_at(branch, scope, argument, share->number[share->done], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate lock_one(struct branch *branch, struct scope *scope, void *argument, struct error *error)
{
    return lock_at(branch, scope, argument, 0, error);
}

/* On the core of the first row; the first row that lies on another ends it. A second visit, for rows that had no room, changes
 * nothing in what the first has found. */
static enum sqlstate lock_enough(struct branch *branch, struct scope *scope, void *argument,
                                 struct error *error)
{
    struct locks *locks = argument;
    uint32_t got = 0;
    for (uint32_t at = 0; at < locks->request->count && got < locks->request->enough; at++) {
        const struct locked_row *locked = &locks->locked[at];
        enum sqlstate failed = SQLSTATE_OK;
        if (locked->result == ROW_UNTRIED || locked->result == ROW_CHANGED)
            failed = lock_at(branch, scope, locks, at, error);
        if (failed == (enum sqlstate)SQLSTATE_SHARD_MOVED && at > 0)
            return SQLSTATE_OK;
        if (failed)
            return failed;
        got += locked->result == ROW_SAME || locked->result == ROW_CHANGED;
    }
    return SQLSTATE_OK;
}

/* Where the rows are, once. */
static enum sqlstate visit_rows(struct transaction *transaction, struct locks *locks, struct error *error)
{
    const struct lock_request_rows *request = locks->request;
    const struct key_run run = {.table = request->table,
                                .key = request->key,
                                .count = request->count,
                                .run = lock_share,
                                .argument = locks};
    if (request->enough || request->count == 1)
        return transaction_run(transaction, request->table, request->key[0],
                               request->enough ? lock_enough : lock_one, locks, error);
    return transaction_run_keys(transaction, &run, error);
}

enum sqlstate lock_rows(struct execution *execution, struct scope *scope,
                        const struct lock_request_rows *request, struct locked_row *locked,
                        struct error *error)
{
    struct transaction *transaction = execution->request.transaction;
    struct locks locks = {.request = request, .locked = locked};
    if (request->count == 0)
        return SQLSTATE_OK;
    if (request->always || request->enough) {
        locks.arena_size = 1024 + 256UL * (request->always ? request->count : request->enough);
        enum sqlstate failed = scope_alloc_large(scope, locks.arena_size, 16, (void **)&locks.arena, error);
        if (failed)
            return failed;
    }
    for (;;) {
        locks.used = locks.wanted = 0;
        enum sqlstate failed = visit_rows(transaction, &locks, error);
        if (failed || locks.wanted == 0)
            return failed;
        /* The locks are held now, so the rows stay as they are. */
        locks.arena_size = locks.used + 4096;
        failed = scope_alloc_large(scope, locks.arena_size, 16, (void **)&locks.arena, error);
        if (failed)
            return failed;
    }
}
