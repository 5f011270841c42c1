/* The directory of shards: which there are, as rows of table 0; and how a change of it reaches every core.
 *
 * A transaction that makes or drops a table writes directory rows like any other rows, keeps a list of its changes, and has the
 * shards' owners open the new ones at once (seen by this transaction only: shard->creator). When its COMMIT is placed, and
 * before the commit can become visible, core 0 publishes the new map; then the new shards are everybody's, and the dropped ones
 * are closed. They go when the commit is stable and no fiber is inside: until then a crash may bring them back, so checkpoints
 * take them along. */
#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/row/row.h"

/* How long a table's shards may change before a drop of it gives up. */
#define HOLD_WAIT_NS (1000 * 1000UL)
#define HOLD_TRIES   10000

/* ---- finding ---- */

/* Places outlive the answer: those of the map as long as nobody yields, the transaction's own as long as it. */
const struct shard_place *directory_find(const struct transaction *transaction, uint64_t table,
                                         struct bytes key)
{
    for (const struct directory_change *change = transaction->changes; change; change = change->next)
        if (change->place.table == table)
            return change->create ? &change->place : NULL;
    const struct shard_place *place = shard_map_find(engine_map(transaction->core->engine), table, key);
    bool newest = transaction->options.isolation == SERIALIZABLE;
    return place && (newest || place->scn <= transaction->terms.snapshot) ? place : NULL;
}

/* ---- opening and closing shards on their owners ---- */

struct shard_call {
    struct shard_place place;
    uint64_t creator;
};

static enum sqlstate open_there(struct engine_core *core, void *argument, struct error *error)
{
    struct shard_call *call = argument;
    (void)error;
    shard_open(core, &call->place, call->creator, NULL);
    return SQLSTATE_OK;
}

/* The transaction that made it has committed. */
static enum sqlstate confirm_there(struct engine_core *core, void *argument, struct error *error)
{
    struct shard_call *call = argument;
    (void)error;
    struct shard *shard = shard_by_number(core, call->place.shard);
    check(shard && shard->creator == call->creator);
    shard->creator = 0;
    return SQLSTATE_OK;
}

static enum sqlstate close_there(struct engine_core *core, void *argument, struct error *error)
{
    struct shard_call *call = argument;
    struct shard *shard = shard_by_number(core, call->place.shard);
    (void)error;
    check(shard && !shard->gone, "shard %llu is dropped twice", (unsigned long long)call->place.shard);
    shard->gone = true;
    return SQLSTATE_OK;
}

/* Whoever is inside, or wrote there and has not ended, is waited for. */
static enum sqlstate drop_there(struct engine_core *core, void *argument, struct error *error)
{
    struct shard_call *call = argument;
    struct shard *shard = shard_by_number(core, call->place.shard);
    check(shard && !shard->dropped, "shard %llu is dropped twice", (unsigned long long)call->place.shard);
    shard->gone = shard->dropped = true;
    while (shard->users || shard->reshaping || branch_writes_at(core, shard))
        fiber_yield(core->world->scheduler);
    return shard_drop(shard, error);
}

static void on_owner(struct transaction *transaction, const struct directory_change *change,
                     enum sqlstate (*run)(struct engine_core *core, void *argument, struct error *error))
{
    struct engine_core *core = transaction->core;
    struct shard_call call = {.place = change->place, .creator = transaction->terms.transaction};
    struct error error;
    if (core_call(core, volume_core(core, change->place.volume), run, &call, &error))
        log_error(core->world, LOG_ERROR, "shard_change", &error, "shard %llu could not be changed",
                  (unsigned long long)change->place.shard);
}

/* ---- making and dropping tables ---- */

static void add_change(struct transaction *transaction, bool create, const struct shard_place *place)
{
    struct directory_change *change = scope_alloc(transaction->scope, sizeof *change);
    *change = (struct directory_change){.next = transaction->changes,
                                        .savepoint = transaction->terms.savepoint,
                                        .create = create,
                                        .place = *place};
    if (place->from.size)
        change->place.from.data = scope_copy(transaction->scope, place->from.data, place->from.size);
    if (place->to.size)
        change->place.to.data = scope_copy(transaction->scope, place->to.data, place->to.size);
    transaction->changes = change;
}

/* Shards go round the volumes in use; sizing.c moves them later. */
static enum sqlstate choose_volume(struct engine_core *core, void *argument, struct error *error)
{
    (void)error;
    *(uint32_t *)argument = (uint32_t)(core->next_volume++ % core->world->cores);
    return SQLSTATE_OK;
}

enum sqlstate table_create(struct transaction *transaction, uint64_t table, enum table_layout layout,
                           struct error *error)
{
    struct engine_core *core = transaction->core;
    struct shard_place place = {
        .table = table, .to_open = true, .layout = layout, .shard = txn_new_id(core->txn)};
    if (directory_find(transaction, table, bytes_of(NULL, 0)))
        return error_set(error, SQLSTATE_DUPLICATE_TABLE, "table %llu already exists",
                         (unsigned long long)table);
    enum sqlstate failed = core_call(core, 0, choose_volume, &place.volume, error);
    if (failed)
        return failed;
    bool done = false;
    struct scope *scope = scope_open(transaction->scope, "directory row");
    failed = row_insert(transaction, TABLE_DIRECTORY, shard_place_key(scope, &place),
                        shard_place_write(scope, &place), &done, error);
    scope_close(scope);
    if (failed)
        return failed;
    if (!done)
        return error_set(error, SQLSTATE_DUPLICATE_TABLE, "table %llu already exists",
                         (unsigned long long)table);
    add_change(transaction, true, &place);
    on_owner(transaction, transaction->changes, open_there);
    return SQLSTATE_OK;
}

/* The table's places as this transaction sees them, copied. */
static struct shard_place *places_of(struct transaction *transaction, struct scope *scope, uint64_t table,
                                     size_t *count)
{
    for (const struct directory_change *change = transaction->changes; change; change = change->next)
        if (change->place.table == table) {
            *count = change->create;
            return scope_copy(scope, &change->place, sizeof change->place);
        }
    const struct shard_map *map = engine_map(transaction->core->engine);
    size_t first = shard_map_first(map, table), last = first;
    while (last < map->count && map->place[last].table == table)
        last++;
    *count = last - first;
    struct shard_place *places = scope_alloc(scope, (*count + 1) * sizeof *places);
    for (size_t i = 0; i < *count; i++) {
        places[i] = map->place[first + i];
        if (places[i].from.size)
            places[i].from.data = scope_copy(scope, places[i].from.data, places[i].from.size);
        if (places[i].to.size)
            places[i].to.data = scope_copy(scope, places[i].to.data, places[i].to.size);
    }
    return places;
}

/* Locks the rows of the places, after which these shards stay what they are; *same false when one was replaced before. */
static enum sqlstate lock_places(struct transaction *transaction, struct scope *scope,
                                 const struct shard_place *places, size_t count, bool *same,
                                 struct error *error)
{
    *same = true;
    for (size_t i = 0; i < count && *same; i++) {
        struct bytes row, expected = shard_place_write(scope, &places[i]);
        enum lock_outcome outcome;
        bool found;
        enum sqlstate failed =
            row_lock(transaction, scope, TABLE_DIRECTORY, shard_place_key(scope, &places[i]), LOCK_UPDATE,
                     LOCK_WAIT, &row, &found, &outcome, error);
        if (failed)
            return failed;
        *same = found && bytes_compare(row, expected) == 0;
    }
    return SQLSTATE_OK;
}

/* The places of a table, which are locked: shards may be split, moved and merged until they are. */
static enum sqlstate hold_places(struct transaction *transaction, struct scope *scope, uint64_t table,
                                 struct shard_place **places, size_t *count, struct error *error)
{
    struct scheduler *scheduler = transaction->core->world->scheduler;
    for (int tries = 0; tries < HOLD_TRIES; tries++) {
        bool same;
        *places = places_of(transaction, scope, table, count);
        if (!*count)
            return no_such_table(table, error);
        enum sqlstate failed = lock_places(transaction, scope, *places, *count, &same, error);
        if (failed || same)
            return failed;
        /* The new map is published soon after the commit that changed the directory; never when nobody will know whether that
         * was a commit. */
        struct log_figures log;
        node_log_figures(transaction->core->engine->log, &log);
        if (log.failed)
            return error_set(error, SQLSTATE_IO_ERROR, "the log has failed");
        if (fiber_sleep_until(scheduler, transaction->core->world->now_ns + HOLD_WAIT_NS) == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
    }
    return error_set(error, SQLSTATE_OBJECT_IN_USE, "the shards of table %llu change all the time",
                     (unsigned long long)table);
}

enum sqlstate table_drop(struct transaction *transaction, uint64_t table, struct error *error)
{
    struct scope *scope = scope_open(transaction->scope, "drop");
    size_t count = 0;
    struct shard_place *places;
    enum sqlstate failed = hold_places(transaction, scope, table, &places, &count, error);
    for (size_t i = 0; i < count && !failed; i++) {
        bool done = false;
        failed = row_delete(transaction, TABLE_DIRECTORY, shard_place_key(scope, &places[i]), &done, error);
        check(failed || done);
        if (!failed)
            add_change(transaction, false, &places[i]);
    }
    scope_close(scope);
    return failed;
}

/* ---- publishing ---- */

struct retired {
    struct mail mail;
    struct engine_core *core;
    bool back;
    struct fiber_queue *came_back;
};

static void retired_delivered(struct world *here, struct mail *mail)
{
    mail_return(here, mail);
}

static void retired_returned(struct world *here, struct mail *mail)
{
    struct retired *retired = container_of(mail, struct retired, mail);
    (void)here;
    retired->back = true;
    fiber_wake_all(retired->came_back);
}

/* Waits until every core has been outside its fibers once since the new map was published: nobody looks at the old one then. */
static void wait_for_cores(struct engine_core *core, struct scope *scope)
{
    struct fiber_queue came_back;
    fiber_queue_init(&came_back);
    struct retired *mails = scope_alloc_zeroed(scope, core->world->cores * sizeof *mails);
    for (uint32_t to = 1; to < core->world->cores; to++) {
        mails[to].core = core;
        mails[to].came_back = &came_back;
        mails[to].mail = (struct mail){.deliver = retired_delivered, .returned = retired_returned};
        mail_send(core->world, to, &mails[to].mail);
    }
    fiber_shield_begin(core->world->scheduler);
    for (uint32_t to = 1; to < core->world->cores; to++)
        while (!mails[to].back)
            (void)!fiber_wait(core->world->scheduler, &came_back, FIBER_NO_DEADLINE);
    fiber_shield_end(core->world->scheduler);
}

struct publish_call {
    const uint64_t *gone;
    size_t gone_count;
    const struct shard_place *added;
    size_t added_count;
};

static enum sqlstate publish_on_zero(struct engine_core *core, void *argument, struct error *error)
{
    const struct publish_call *call = argument;
    (void)error;
    struct shard_map *old = core->engine->map;
    struct shard_map *map =
        shard_map_change(core->scope, old, call->gone, call->gone_count, call->added, call->added_count);
    __atomic_store_n(&core->engine->map, map, __ATOMIC_RELEASE);
    struct scope *scope = scope_open(core->scope, "publish");
    wait_for_cores(core, scope);
    scope_close(scope);
    if (old)
        scope_close(old->scope);
    return SQLSTATE_OK;
}

void directory_replace(struct engine_core *core, const uint64_t *gone, size_t gone_count,
                       const struct shard_place *added, size_t added_count)
{
    struct publish_call call = {
        .gone = gone, .gone_count = gone_count, .added = added, .added_count = added_count};
    struct error error;
    (void)!core_call(core, 0, publish_on_zero, &call, &error);
}

static bool is_dropped_later(const struct directory_change *changes, const struct directory_change *made)
{
    for (const struct directory_change *change = changes; change != made; change = change->next)
        if (!change->create && change->place.shard == made->place.shard)
            return true;
    return false;
}

void directory_publish(struct transaction *transaction)
{
    struct engine_core *core = transaction->core;
    struct scope *scope = scope_open(transaction->scope, "publish");
    size_t count = 0;
    for (const struct directory_change *change = transaction->changes; change; change = change->next)
        count++;
    uint64_t *gone = scope_alloc(scope, (count + 1) * sizeof *gone);
    struct shard_place *added = scope_alloc(scope, (count + 1) * sizeof *added);
    struct publish_call call = {0};
    for (const struct directory_change *change = transaction->changes; change; change = change->next) {
        if (change->create && !is_dropped_later(transaction->changes, change)) {
            on_owner(transaction, change, confirm_there);
            added[call.added_count] = change->place;
            added[call.added_count++].scn = transaction->scn;
        } else if (!change->create)
            gone[call.gone_count++] = change->place.shard;
    }
    directory_replace(core, gone, call.gone_count, added, call.added_count);
    scope_close(scope);
}

void directory_close_shards(struct transaction *transaction)
{
    for (const struct directory_change *change = transaction->changes; change; change = change->next)
        if (!change->create)
            on_owner(transaction, change, close_there);
}

void directory_drop_shards(struct transaction *transaction)
{
    for (const struct directory_change *change = transaction->changes; change; change = change->next)
        if (!change->create)
            on_owner(transaction, change, drop_there);
}

void directory_rollback(struct transaction *transaction, uint64_t savepoint, bool all)
{
    while (transaction->changes && (all || transaction->changes->savepoint >= savepoint)) {
        struct directory_change *change = transaction->changes;
        transaction->changes = change->next;
        if (change->create)
            on_owner(transaction, change, drop_there);
    }
}

/* ---- at start ---- */

struct reading {
    struct scope *scope;
    struct shard_place *place;
    size_t count, room;
    bool damaged;
};

static bool read_place(void *argument, const struct store_row *row)
{
    struct reading *reading = argument;
    struct shard_place place;
    if (!shard_place_read(row->key, row->row, &place)) {
        reading->damaged = true;
        return false;
    }
    if (reading->count == reading->room) {
        size_t room = reading->room ? reading->room * 2 : 64;
        void *grown;
        struct error error;
        if (scope_alloc_large(reading->scope, room * sizeof place, 16, &grown, &error)) {
            reading->damaged = true;
            return false;
        }
        if (reading->count)
            memcpy(grown, reading->place, reading->count * sizeof place);
        reading->place = grown;
        reading->room = room;
    }
    if (place.from.size)
        place.from.data = scope_copy(reading->scope, place.from.data, place.from.size);
    if (place.to.size)
        place.to.data = scope_copy(reading->scope, place.to.data, place.to.size);
    reading->place[reading->count++] = place;
    return true;
}

enum sqlstate directory_read(struct engine_core *core, struct error *error)
{
    struct shard *directory = shard_by_number(core, SHARD_DIRECTORY);
    struct scope *scope = scope_open(core->scope, "directory");
    struct reading reading = {.scope = scope};
    struct store_cursor cursor = {.range = {.to_open = true}, .scope = scope};
    struct snapshot snapshot = {.scn = SCN_NEWEST};
    struct store_sink sink = {.take = read_place, .argument = &reading};
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && !cursor.done && !reading.damaged)
        failed = directory->store->ops->scan(directory->store, &snapshot, &cursor, 1000, &sink, error);
    if (!failed && reading.damaged)
        failed = error_set(error, SQLSTATE_DATA_CORRUPTED, "the directory of shards is damaged");
    if (!failed) {
        struct shard_place own = {
            .table = TABLE_DIRECTORY, .shard = SHARD_DIRECTORY, .to_open = true, .layout = TABLE_ROW};
        struct shard_map *base = shard_map_change(core->scope, NULL, NULL, 0, &own, 1);
        core->engine->map = shard_map_change(core->scope, base, NULL, 0, reading.place, reading.count);
        core->next_volume = reading.count;
        scope_close(base->scope);
    }
    scope_close(scope);
    return failed;
}
