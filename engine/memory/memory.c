/* See memory.h. Nothing here yields: all there is to look at is in memory. */
#include "engine/memory/memory.h"

#include "base/check.h"
#include "base/scope.h"
#include "engine/history/history.h"

/* Rows looked at in one call of collect: about 100 us. */
#define COLLECT_ROWS 1000

struct memory_store {
    struct store store;
    struct history *history;
    size_t memory_bytes; /* limit */
};

static struct memory_store *memory_of(struct store *store)
{
    return container_of(store, struct memory_store, store);
}

static void memory_account(struct store *store)
{
    struct memory_store *memory = memory_of(store);
    memory->store.memory_bytes = history_bytes(memory->history);
    memory->store.rows_estimate = history_rows(memory->history);
}

static struct store_row row_of(const struct history_row *row, const struct version *version)
{
    return (struct store_row){.key = history_key(row), .row = version_row(version), .scn = version->scn};
}

static enum sqlstate memory_get(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                                struct bytes key, struct store_row *row, bool *found, struct error *error)
{
    (void)scope;
    (void)error;
    struct history_row *there = history_find(memory_of(store)->history, key);
    struct version *version = there ? history_visible(there, snapshot) : NULL;
    *found = version && version->exists;
    if (*found)
        *row = row_of(there, version);
    return SQLSTATE_OK;
}

static enum sqlstate memory_read(struct store *store, struct scope *scope, const struct snapshot *snapshot,
                                 struct bytes key, struct store_piece *piece, struct error *error)
{
    struct store_row row;
    enum sqlstate failed = memory_get(store, scope, snapshot, key, &row, &piece->found, error);
    if (piece->found)
        store_piece_take(piece, row.row);
    return failed;
}

static enum sqlstate memory_scan(struct store *store, const struct snapshot *snapshot,
                                 struct store_cursor *cursor, size_t rows_max, const struct store_sink *sink,
                                 struct error *error)
{
    (void)error;
    bool at_end, exclusive, more = true;
    struct bytes from = store_cursor_from(cursor, &at_end, &exclusive);
    struct history_place place;
    struct history_row *last = NULL;
    struct history_row *at =
        history_seek(memory_of(store)->history, from, at_end, cursor->backward, exclusive, &place);
    size_t given = 0;
    for (; at && more && given < rows_max; at = history_step(&place, cursor->backward)) {
        if (store_cursor_ends_before(cursor, history_key(at)))
            break;
        struct version *version = history_visible(at, snapshot);
        if (!version || !version->exists)
            continue;
        struct store_row row = row_of(at, version);
        more = sink->take(sink->argument, &row);
        given++;
        last = at;
    }
    cursor->done = !at || store_cursor_ends_before(cursor, history_key(at));
    if (last)
        store_cursor_remember(cursor, history_key(last));
    cursor->given += given;
    return SQLSTATE_OK;
}

static enum sqlstate memory_newest(struct store *store, uint64_t transaction, struct bytes key,
                                   struct store_newest *newest, struct error *error)
{
    (void)transaction;
    (void)error;
    *newest = (struct store_newest){0};
    struct history_row *row = history_find(memory_of(store)->history, key);
    if (!row)
        return SQLSTATE_OK;
    newest->exists = row->newest->exists;
    if (version_settle(row->newest) == SCN_NONE)
        newest->transaction = row->newest->writer->transaction;
    struct version *committed = history_newest_committed(row);
    newest->scn = committed ? committed->scn : SCN_NONE;
    return SQLSTATE_OK;
}

static bool has_room(const struct memory_store *memory, size_t bytes)
{
    return bytes <= memory->memory_bytes && memory->store.memory_bytes <= memory->memory_bytes - bytes;
}

static bool memory_collect(struct store *store, uint64_t oldest)
{
    bool more = history_collect(memory_of(store)->history, oldest, false, COLLECT_ROWS);
    memory_account(store);
    return more;
}

static enum sqlstate memory_make_room(struct store *store, size_t bytes, uint64_t scn, uint64_t oldest,
                                      struct error *error)
{
    struct memory_store *memory = memory_of(store);
    (void)scn;
    memory_account(store);
    if (has_room(memory, bytes))
        return SQLSTATE_OK;
    while (memory_collect(store, oldest))
        ;
    if (has_room(memory, bytes))
        return SQLSTATE_OK;
    enum sqlstate failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    error_add(error, ERROR_DETAIL, "A table in memory would take %zu bytes; its limit is %zu.",
              store->memory_bytes + bytes, memory->memory_bytes);
    return failed;
}

static void memory_apply(struct store *store, struct writer *writer, const struct effect *effect)
{
    history_apply(memory_of(store)->history, writer, effect);
    memory_account(store);
}

static bool memory_rollback(struct store *store, struct writer *writer, uint32_t effects, size_t limit)
{
    bool done = history_rollback(memory_of(store)->history, writer, effects, limit);
    memory_account(store);
    return done;
}

static void memory_commit(struct store *store, struct writer *writer, uint64_t scn)
{
    history_commit(memory_of(store)->history, writer, scn);
}

static void memory_changed(struct store *store, uint64_t since, struct bytes from,
                           bool (*take)(void *argument, const struct store_change *change), void *argument)
{
    history_changed(memory_of(store)->history, since, from, take, argument);
}

/* There is nothing to make durable, and saying so is the whole answer. */
static enum sqlstate memory_checkpoint(struct store *store, uint64_t scn, uint64_t oldest,
                                       struct store_checkpoint *done, struct error *error)
{
    (void)oldest;
    (void)error;
    *done = (struct store_checkpoint){.scn = scn, .rows = store->rows_estimate};
    return SQLSTATE_OK;
}

static enum sqlstate memory_load(struct store *store, const struct store_source *source, struct error *error)
{
    struct memory_store *memory = memory_of(store);
    check(history_rows(memory->history) == 0, "a load needs an empty store");
    for (;;) {
        struct bytes key, row;
        bool end = false;
        enum sqlstate failed = source->next(source->argument, &key, &row, &end, error);
        if (failed || end)
            return failed;
        failed = memory_make_room(store, key.size + row.size, 0, 0, error);
        if (failed)
            return failed;
        /* A writer of one row, committed before any snapshot. */
        struct writer writer = {.transaction = 1};
        struct effect effect = {.kind = EFFECT_INSERT, .key = key, .row = row};
        history_apply(memory->history, &writer, &effect);
        history_commit(memory->history, &writer, SCN_LOADED);
        check(writer.versions == 0);
    }
}

static enum sqlstate memory_verify(struct store *store, const struct store_findings *findings,
                                   struct error *error)
{
    (void)findings;
    (void)error;
    history_check(memory_of(store)->history);
    return SQLSTATE_OK;
}

static const struct store_ops memory_ops = {
    .get = memory_get,
    .read = memory_read,
    .scan = memory_scan,
    .newest = memory_newest,
    .make_room = memory_make_room,
    .apply = memory_apply,
    .rollback = memory_rollback,
    .commit = memory_commit,
    .collect = memory_collect,
    .account = memory_account,
    .changed = memory_changed,
    .checkpoint = memory_checkpoint,
    .load = memory_load,
    .verify = memory_verify,
};

struct store *memory_store_open(struct scope *scope, uint64_t shard, size_t memory_bytes)
{
    struct memory_store *memory = scope_alloc_zeroed(scope, sizeof *memory);
    memory->store = (struct store){.ops = &memory_ops, .shard = shard};
    memory->history = history_open(scope);
    memory->memory_bytes = memory_bytes;
    return &memory->store;
}
