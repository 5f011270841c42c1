/* Building an index while others write to its table.
 *
 *     registered    ready, not valid: writers keep its entries from their next statement on, nobody reads it
 *     waited        until all transactions that may write without knowing of it are over
 *     built         a thousand rows at a time: each is locked against changes, looked whether its entry is there, and
 *                   the entry is made if not. A row that somebody has locked is left for later, one by one
 *     valid
 *
 * Why that is enough: after the waiting every change of a row leaves its entries as they should be, where there were some; and every
 * row is held still once while its entry is looked for. So when all rows were taken, each has its entry, and no entry is there without
 * a row. (PostgreSQL builds first and lets writers in afterwards, since its entries may be left behind: rows decide there.)
 *
 * A transaction that sees older data than the index's last entries must not read it: see catalog_session.older. */
#include "sqlfront/define/concurrent.h"

#define WAIT_FIRST_NS 1000000UL
#define WAIT_LAST_NS  20000000UL

/* ---- steps ---- */

enum sqlstate stage_step(struct stage *stage,
                         enum sqlstate (*run)(struct stage *stage, struct work *work, struct error *error),
                         struct error *error)
{
    struct catalog_view *outside = stage->request->environment->catalog;
    struct define_request request = *stage->request;
    struct define_result result = {0};
    struct catalog *catalog = request.catalog;
    struct work work = {.request = &request, .result = &result, .session = request.session};
    const struct transaction_options options = {
        .isolation = READ_COMMITTED, .commit_async = true, .lock_timeout_ns = request.lock_timeout_ns};
    work.scope = request.scope = scope_open(stage->request->scope, "step");
    request.transaction = NULL;
    request.changed = false;
    enum sqlstate failed = transaction_begin(request.world, catalog_engine(catalog), request.scope, &options,
                                             &request.transaction, error);
    if (!failed) {
        work.access = (struct tuple_access){
            .catalog = catalog, .transaction = request.transaction, .database = request.session->database};
        failed = catalog_view_open(catalog, request.scope, request.transaction, request.session, false,
                                   &work.view, error);
    }
    request.environment->catalog = work.view;
    if (!failed)
        failed = run(stage, &work, error);
    if (result.changed)
        catalog_commit_begin(catalog);
    if (!failed && result.changed)
        transaction_commit_waits(request.transaction);
    if (!failed)
        failed = transaction_commit(request.transaction, error);
    else if (request.transaction)
        transaction_rollback(request.transaction);
    if (result.changed)
        catalog_commit_end(catalog);
    request.environment->catalog = outside;
    fiber_close_scope(request.world->scheduler, request.scope);
    return failed;
}

enum sqlstate stage_find(struct stage *stage, struct work *work, uint32_t oid,
                         const struct relation **relation, const struct index **index, struct error *error)
{
    bool waited;
    *index = NULL;
    enum sqlstate failed = catalog_lock_relation(work->view, stage->relation, LOCK_SHARE_UPDATE_EXCLUSIVE,
                                                 LOCK_WAIT, &waited, error);
    if (!failed)
        failed = transaction_catch_up(work->access.transaction, error);
    if (!failed)
        failed = catalog_view_renew(work->view, work->scope, &work->view, error);
    if (failed)
        return failed;
    transaction_statement(work->access.transaction);
    work->request->environment->catalog = work->view;
    failed = catalog_relation_by_oid(work->view, stage->relation, relation, error);
    for (uint32_t i = 0; !failed && *relation && i < (*relation)->indexes; i++)
        if ((*relation)->index[i]->oid == oid)
            *index = (*relation)->index[i];
    if (!failed && !*index)
        failed =
            error_set(error, SQLSTATE_UNDEFINED_OBJECT, "index with OID %u was dropped concurrently", oid);
    return failed;
}

enum sqlstate stage_set(struct work *work, uint32_t index, const int *columns, const bool *values,
                        uint32_t count, struct error *error)
{
    struct tuple old;
    const struct tuple_match match = {PG_INDEX_INDEXRELID, value_integer(index)};
    transaction_statement(work->access.transaction);
    enum sqlstate failed = tuple_find(&work->access, work->scope, PG_INDEX, &match, 1, &old, error);
    if (failed || !old.values)
        return failed;
    struct value *copy = tuple_copy(work->scope, PG_INDEX, &old);
    for (uint32_t i = 0; i < count; i++)
        copy[columns[i]] = value_boolean(values[i]);
    failed = tuple_update(&work->access, PG_INDEX, &old, copy, error);
    return failed ? failed : work_look_again(work, error);
}

/* ---- waiting for writers ---- */

struct writers {
    uint64_t *transaction;
    size_t count;
};

static enum sqlstate writers_of_core(struct stage *stage, struct scope *scope, uint32_t core,
                                     struct writers *writers, struct error *error)
{
    const struct define_request *request = stage->request;
    const struct lock_object object = {
        .class = LOCK_CLASS_RELATION, .high = request->session->database, .low = stage->relation};
    struct engine *engine = catalog_engine(request->catalog);
    for (size_t room = 64, count;; room = count + 64) {
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(scope, (writers->count + room) * sizeof(uint64_t), 16, &memory, error);
        if (failed)
            return failed;
        if (writers->count)
            memcpy(memory, writers->transaction, writers->count * sizeof(uint64_t));
        writers->transaction = memory;
        failed = engine_lock_holders(request->world, engine, core, &object, LOCK_ROW_EXCLUSIVE,
                                     writers->transaction + writers->count, room, &count, error);
        if (failed || count <= room) {
            writers->count += failed ? 0 : count;
            return failed;
        }
    }
}

static enum sqlstate writers_now(struct stage *stage, struct scope *scope, struct writers *writers,
                                 struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    *writers = (struct writers){0};
    for (uint32_t core = 0; core < stage->request->world->cores && !failed; core++)
        failed = writers_of_core(stage, scope, core, writers, error);
    return failed;
}

static bool writers_have(const struct writers *writers, uint64_t transaction)
{
    for (size_t i = 0; i < writers->count; i++)
        if (writers->transaction[i] == transaction)
            return true;
    return false;
}

/* Nothing is held meanwhile, so nobody can be in a circle with this. */
enum sqlstate stage_wait_writers(struct stage *stage, struct error *error)
{
    struct world *world = stage->request->world;
    struct scope *scope = scope_open(stage->request->scope, "writers");
    struct writers first;
    uint64_t pause_ns = WAIT_FIRST_NS;
    enum sqlstate failed = writers_now(stage, scope, &first, error);
    while (!failed && first.count) {
        struct scope *look = scope_open(scope, "look");
        struct writers now;
        size_t left = 0;
        (void)fiber_sleep_until(world->scheduler, world->now_ns + pause_ns);
        if (!(failed = fiber_check_canceled(world->scheduler, error)))
            failed = writers_now(stage, look, &now, error);
        for (size_t i = 0; i < first.count && !failed; i++)
            if (writers_have(&now, first.transaction[i]))
                first.transaction[left++] = first.transaction[i];
        first.count = left;
        scope_close(look);
        pause_ns = pause_ns < WAIT_LAST_NS / 2 ? 2 * pause_ns : WAIT_LAST_NS;
    }
    scope_close(scope);
    return failed;
}

/* ---- a thousand rows ---- */

enum entry_state { ENTRY_BUSY = 1, ENTRY_GONE, ENTRY_HELD, ENTRY_THERE, ENTRY_DUPLICATE };

/* Written by the cores that own the rows and entries, each its own; read when all are through. */
struct entry {
    struct bytes row_key, row; /* as they were read */
    struct bytes key, value;
    uint8_t state; /* enum entry_state */
};

struct entries {
    const struct relation *relation;
    const struct index *index;
    struct entry *entry;
    uint32_t count;
};

static enum sqlstate hold_share(struct branch *branch, struct scope *scope, struct key_share *share,
                                void *argument, struct error *error)
{
    struct entries *entries = argument;
    for (; share->done < share->count; share->done++) {
        struct entry *entry = &entries->entry[share->number[share->done]];
        struct store_row row;
        enum lock_outcome outcome;
        bool found;
        branch_keys_ahead(branch, share);
        enum sqlstate failed = branch_lock(branch, scope, entries->relation->store, entry->row_key,
                                           LOCK_SHARE, LOCK_SKIP, &row, &found, &outcome, error);
        if (failed)
            return failed;
        bool same = outcome != LOCK_SKIPPED && found && row.row.size == entry->row.size &&
                    (row.row.size == 0 || memcmp(row.row.data, entry->row.data, row.row.size) == 0);
        entry->state = outcome == LOCK_SKIPPED ? ENTRY_BUSY
                       : !found                ? ENTRY_GONE
                       : same                  ? ENTRY_HELD
                                               : ENTRY_BUSY;
    }
    return SQLSTATE_OK;
}

/* Whether the entry that has the key is of that row. */
static enum sqlstate of_row(const struct index *index, struct bytes stored, struct bytes row_key, bool *own,
                            struct error *error)
{
    struct value of;
    enum sqlstate failed = row_decode(index->layout, stored, (uint16_t[]){0}, 1, &of, error);
    struct bytes found = failed ? bytes_of(NULL, 0) : value_view(&of);
    *own = found.size == row_key.size && memcmp(found.data, row_key.data, found.size) == 0;
    return failed;
}

static enum sqlstate write_entry(struct branch *branch, struct scope *scope, const struct index *index,
                                 struct entry *entry, struct error *error)
{
    struct store_row row;
    enum lock_outcome outcome;
    bool found, done;
    enum sqlstate failed = branch_lock(branch, scope, index->store, entry->key, LOCK_UPDATE, LOCK_SKIP, &row,
                                       &found, &outcome, error);
    if (failed)
        return failed;
    if (outcome == LOCK_SKIPPED) {
        entry->state = ENTRY_BUSY;
        return SQLSTATE_OK;
    }
    if (found) {
        failed = of_row(index, row.row, entry->row_key, &done, error);
        entry->state = done ? ENTRY_THERE : ENTRY_DUPLICATE;
        return failed;
    }
    const struct effect effect = {.kind = EFFECT_INSERT, .key = entry->key, .row = entry->value};
    failed = branch_write(branch, index->store, &effect, &done, error);
    check(failed || done, "the entry is locked and was not there");
    entry->state = ENTRY_THERE;
    return failed;
}

static enum sqlstate write_share(struct branch *branch, struct scope *scope, struct key_share *share,
                                 void *argument, struct error *error)
{
    struct entries *entries = argument;
    for (; share->done < share->count; share->done++) {
        branch_keys_ahead(branch, share);
        enum sqlstate failed =
            write_entry(branch, scope, entries->index, &entries->entry[share->number[share->done]], error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* Runs over the entries' own keys, or those of their rows. */
static enum sqlstate entries_run(struct work *work, struct entries *entries, bool of_rows,
                                 struct error *error)
{
    struct bytes *keys = scope_alloc(work->scope, (entries->count + 1) * sizeof *keys);
    for (uint32_t i = 0; i < entries->count; i++)
        keys[i] = of_rows ? entries->entry[i].row_key : entries->entry[i].key;
    const struct key_run run = {.table = of_rows ? entries->relation->store : entries->index->store,
                                .key = keys,
                                .count = entries->count,
                                .run = of_rows ? hold_share : write_share,
                                .argument = entries};
    return entries->count ? transaction_run_keys(work->access.transaction, &run, error) : SQLSTATE_OK;
}

static enum sqlstate note_busy(struct stage *stage, struct bytes key, struct error *error)
{
    if (stage->busy_count == stage->busy_room) {
        uint32_t room = stage->busy_room ? 2 * stage->busy_room : ROWS_TAKEN;
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(stage->scope, room * sizeof *stage->busy, 16, &memory, error);
        if (failed)
            return failed;
        if (stage->busy_count)
            memcpy(memory, stage->busy, stage->busy_count * sizeof *stage->busy);
        stage->busy = memory;
        stage->busy_room = room;
    }
    stage->busy[stage->busy_count++] = bytes_of(scope_copy(stage->scope, key.data, key.size), key.size);
    return SQLSTATE_OK;
}

/* What the row's entry is; *wanted false: it has none. */
static enum sqlstate entry_of(struct filler *filler, struct bytes row_key, struct bytes row,
                              struct bytes *entry_key, struct bytes *entry_row, bool *wanted,
                              struct error *error)
{
    struct scope *scope = filler->work->scope;
    const struct relation *relation = filler->relation;
    uint16_t *all = scope_alloc(scope, (relation->columns + 1) * sizeof *all);
    struct value *values = scope_alloc(scope, (relation->columns + 1) * sizeof *values);
    struct key_writer key;
    for (uint32_t c = 0; c < relation->columns; c++)
        all[c] = (uint16_t)c;
    enum sqlstate failed = row_decode(relation->layout, row, all, relation->columns, values, error);
    if (!failed)
        failed = parts_of(filler, scope, values, wanted, error);
    if (failed || !*wanted)
        return failed;
    failed = entry_make(filler, scope, row_key, &key, entry_row, error);
    *entry_key = bytes_of(scope_copy(scope, key.bytes, key.size), failed ? 0 : key.size);
    return failed;
}

static enum sqlstate raise_entry(struct filler *filler, const struct entry *entry, struct error *error)
{
    struct bytes key, row;
    bool wanted;
    enum sqlstate failed = entry_of(filler, entry->row_key, entry->row, &key, &row, &wanted, error);
    return failed ? failed : duplicate_found(filler, error);
}

/* Leaves those in the list that are held, and notes those to be tried again. */
static enum sqlstate keep_held(struct stage *stage, struct entries *entries, struct error *error)
{
    uint32_t kept = 0;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < entries->count && !failed; i++) {
        struct entry *entry = &entries->entry[i];
        if (entry->state == ENTRY_BUSY)
            failed = note_busy(stage, entry->row_key, error);
        else if (entry->state != ENTRY_GONE)
            entries->entry[kept++] = *entry;
    }
    entries->count = kept;
    return failed;
}

/* The table may have been written anew since the last step: then everything begins again. */
static void stage_rewind(struct stage *stage, const struct relation *relation)
{
    stage->store = relation->store;
    stage->walk.at_size = 0;
    stage->through = false;
    stage->busy_count = 0;
    stage->request->progress->rows_done = 0;
}

static enum sqlstate build_some(struct stage *stage, struct work *work, struct error *error)
{
    const struct relation *relation;
    struct entries entries = {0};
    struct filler filler;
    struct walk *walk = &stage->walk;
    enum sqlstate failed = stage_find(stage, work, stage->target, &relation, &entries.index, error);
    if (failed)
        return failed;
    if (relation->store != stage->store)
        stage_rewind(stage, relation);
    entries.relation = walk->relation = relation;
    walk->work = work;
    if (!stage->request->progress->command)
        failed = fill_progress_begin(work, relation, entries.index, true, error);
    if (!failed)
        failed = filler_make(work, relation, entries.index, &filler, error);
    if (!failed)
        failed = rows_next(walk, error);
    if (failed)
        return failed;
    entries.entry = scope_alloc_zeroed(work->scope, (walk->count + 1) * sizeof *entries.entry);
    for (uint32_t i = 0; i < walk->count && !failed; i++) {
        struct entry *entry = &entries.entry[entries.count];
        bool wanted;
        *entry = (struct entry){.row_key = walk->rows[i].key, .row = walk->rows[i].row};
        failed = entry_of(&filler, entry->row_key, entry->row, &entry->key, &entry->value, &wanted, error);
        /* One that is left out now and changes is its writer's affair. */
        entries.count += !failed && wanted;
    }
    if (!failed)
        failed = entries_run(work, &entries, true, error);
    if (!failed)
        failed = keep_held(stage, &entries, error);
    if (!failed)
        failed = entries_run(work, &entries, false, error);
    for (uint32_t i = 0; i < entries.count && !failed; i++)
        if (entries.entry[i].state == ENTRY_DUPLICATE)
            failed = raise_entry(&filler, &entries.entry[i], error);
    if (!failed)
        failed = keep_held(stage, &entries, error);
    stage->through = walk->count < ROWS_TAKEN;
    stage->request->progress->rows_done += walk->count;
    return failed;
}

/* ---- rows that others had locked ---- */

/* The last of them, with all patience: nothing but this row is held while it waits. */
static enum sqlstate build_one(struct stage *stage, struct work *work, struct error *error)
{
    const struct relation *relation;
    const struct index *index;
    struct filler filler;
    struct bytes key = stage->busy[stage->busy_count - 1], row, entry_key, entry_row, stored;
    struct transaction *transaction = work->access.transaction;
    enum lock_outcome outcome;
    bool found = false, wanted = false, done;
    enum sqlstate failed = stage_find(stage, work, stage->target, &relation, &index, error);
    if (failed)
        return failed;
    if (relation->store != stage->store) {
        stage_rewind(stage, relation);
        return SQLSTATE_OK;
    }
    failed = filler_make(work, relation, index, &filler, error);
    if (!failed)
        failed = row_lock(transaction, work->scope, relation->store, key, LOCK_SHARE, LOCK_WAIT, &row, &found,
                          &outcome, error);
    if (!failed && found)
        failed = entry_of(&filler, key, row, &entry_key, &entry_row, &wanted, error);
    if (failed || !wanted) {
        stage->busy_count -= !failed;
        return failed;
    }
    failed = row_lock(transaction, work->scope, index->store, entry_key, LOCK_UPDATE, LOCK_WAIT, &stored,
                      &found, &outcome, error);
    if (!failed && found) {
        failed = of_row(index, stored, key, &done, error);
        if (!failed && !done)
            failed = duplicate_found(&filler, error);
    } else if (!failed) {
        failed = row_insert(transaction, index->store, entry_key, entry_row, &done, error);
        check(failed || done, "the entry is locked and was not there");
    }
    stage->busy_count -= !failed;
    return failed;
}

enum sqlstate stage_build(struct stage *stage, uint32_t index, struct error *error)
{
    struct scheduler *scheduler = stage->request->world->scheduler;
    enum sqlstate failed = SQLSTATE_OK;
    stage->target = index;
    stage->scope = scope_open(stage->request->scope, "rows that were locked");
    stage->busy = NULL;
    stage->busy_count = stage->busy_room = 0;
    stage->through = false;
    while (!failed && (!stage->through || stage->busy_count)) {
        failed = stage_step(stage, stage->through ? build_one : build_some, error);
        /* Who waits in a circle with us goes on first. */
        if (failed == SQLSTATE_DEADLOCK_DETECTED && stage->through) {
            error_clear(error);
            failed = SQLSTATE_OK;
        }
        if (!failed)
            failed = fiber_check_canceled(scheduler, error);
        fiber_breathe(scheduler);
    }
    stage->request->progress->command = NULL;
    scope_close(stage->scope);
    return failed;
}
