/* Opening, closing and watching the engine of a node. The order of opening is that of engine/README.md, section 6. */
#include "engine/engine.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/record.h"
#include "engine/row/row.h"

#include <stdio.h>

size_t engine_size(void)
{
    return sizeof(struct engine);
}

/* ---- what the log tells core 0 ---- */

static void log_stamps(void *argument, uint64_t position, struct log_record *record, uint8_t *payload)
{
    struct engine *engine = argument;
    record_commit_stamp(payload, sequencer_place(engine->core[0]->txn, record->transaction, position));
}

static void log_is_stable(void *argument, uint64_t position)
{
    struct engine *engine = argument;
    sequencer_stable(engine->core[0]->txn, position);
}

static void log_has_failed(void *argument, const struct error *error)
{
    struct engine *engine = argument;
    struct engine_core *core = engine->core[0];
    log_error(core->world, LOG_ERROR, "log_failed", error, "the log has failed: the node stops");
    sequencer_failed(core->txn);
    world_stop(core->world);
}

static enum sqlstate log_archives(void *argument, const char *path, uint64_t first_position,
                                  struct error *error)
{
    struct engine *engine = argument;
    return engine->archive(engine->archive_argument, path, first_position, error);
}

/* ---- opening ---- */

/* Makes a directory that is still there after a crash: its name must have reached the disk, too. */
static enum sqlstate make_directory(struct world *world, const char *path, struct error *error)
{
    char parent[1024];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash && slash != parent)
        *slash = '\0';
    else
        snprintf(parent, sizeof parent, slash ? "/" : ".");
    enum sqlstate failed = disk_make_directory(world, path, error);
    return failed ? failed : disk_sync_directory(world, parent, error);
}

static enum sqlstate open_core(struct world *world, struct scope *scope, const struct engine_options *options,
                               struct engine *engine, struct engine_core **opened, struct error *error)
{
    /* A scope of its own under the caller's: the log, which lives under the core's root, ends when this one has. */
    scope = scope_open(scope, "engine");
    struct engine_core *core = scope_alloc_zeroed(scope, sizeof *core);
    struct map_seed seed;
    *opened = core;
    core->engine = engine;
    core->world = world;
    core->scope = scope;
    core->options = *options;
    if (!options->large_bytes || options->large_bytes > RECORD_ROW_BYTES_MAX)
        core->options.large_bytes = RECORD_ROW_BYTES_MAX;
    core->pool = slab_pool_open(scope);
    list_init(&core->shards);
    list_init(&core->branches);
    list_init(&core->settling);
    list_init(&core->idle);
    list_init(&core->calls);
    fiber_queue_init(&core->tend);
    world_random(world, &seed, sizeof seed);
    map_init(&core->by_number, MAP_OF_NUMBERS, scope, seed);
    engine->core[world->core] = core;
    enum sqlstate failed = make_directory(world, options->directory, error);
    if (!failed)
        failed = lock_table_open(world, scope, &core->locks, error);
    if (!failed)
        failed = txn_core_open(world, scope, &engine->txn, core->locks, &core->txn, error);
    if (!failed)
        failed = volumes_open(core, error);
    if (failed)
        return failed;
    engine->replay_from[world->core] = UINT64_MAX;
    engine->first_scn[world->core] = SCN_LOADED;
    for (uint32_t i = 0; i < core->volumes; i++) {
        const struct core_volume *volume = &core->volume[i];
        if (volume->replay_from < engine->replay_from[world->core])
            engine->replay_from[world->core] = volume->replay_from;
        if (volume->checkpoint_scn > engine->first_scn[world->core])
            engine->first_scn[world->core] = volume->checkpoint_scn;
    }
    return SQLSTATE_OK;
}

static enum sqlstate open_log(struct engine_core *core, struct error *error)
{
    struct engine *engine = core->engine;
    char directory[1024];
    snprintf(directory, sizeof directory, "%s/log", core->options.directory);
    const struct log_options options = {.directory = scope_copy_text(core->scope, directory),
                                        .segment_bytes = core->options.segment_bytes,
                                        .cluster = core->options.cluster,
                                        .disk_reserve_bytes = core->options.disk_reserve_bytes,
                                        .stamp = log_stamps,
                                        .stable = log_is_stable,
                                        .failed = log_has_failed,
                                        .archive = core->options.archive ? log_archives : NULL,
                                        .argument = engine};
    engine->archive = core->options.archive;
    engine->archive_argument = core->options.archive_argument;
    enum sqlstate failed = make_directory(core->world, directory, error);
    if (!failed)
        failed = node_log_open(core->world, core->scope, &options, &engine->log, &engine->log_state, error);
    if (!failed && engine->log_state.torn_bytes)
        log_line(core->world, LOG_INFO, "log_tail",
                 "%llu bytes behind the end of the log were never acknowledged",
                 (unsigned long long)engine->log_state.torn_bytes);
    return failed;
}

/* Core 0, while the others wait: the directory of shards first, for it says what else there is. */
static enum sqlstate recover_on_zero(struct engine_core *core, struct error *error)
{
    struct core_volume *volume = volume_by_number(core, 0);
    struct shard_place own = {
        .table = TABLE_DIRECTORY, .shard = SHARD_DIRECTORY, .to_open = true, .layout = TABLE_ROW};
    struct tree_root root;
    enum sqlstate failed = open_log(core, error);
    if (!failed)
        failed = volume_shard_root(volume, SHARD_DIRECTORY, &root, error);
    if (failed)
        return failed;
    shard_open(core, &own, 0, &root);
    failed = recovery_read(core, error);
    if (!failed)
        failed = directory_read(core, error);
    return failed;
}

static enum sqlstate another_failed(struct error *error)
{
    return error_set(error, SQLSTATE_CANNOT_CONNECT_NOW, "another core could not open the engine");
}

static enum sqlstate start_serving(struct engine_core *core, struct error *error)
{
    struct engine *engine = core->engine;
    uint64_t incarnation = engine->log_state.incarnation % UINT16_MAX + 1;
    txn_set_incarnation(core->txn, incarnation);
    enum sqlstate failed = log_port_open(core->world, core->scope, engine->log, &core->port, error);
    if (!failed)
        failed = tend_open(core, error);
    if (!failed)
        failed = sizing_open(core, error);
    if (!failed && core->world->core == 0) {
        sequencer_start(core->txn, recovery_last_scn(engine->recovery));
        failed = node_log_start(engine->log, error);
        recovery_end(core);
    }
    return failed;
}

/* Every step is taken by all cores; a core that has failed still comes to the next barrier, so that nobody waits for it. */
enum sqlstate engine_open(struct world *world, struct scope *scope, const struct engine_options *options,
                          struct engine *engine, struct error *error)
{
    struct engine_core *core;
    enum sqlstate failed = open_core(world, scope, options, engine, &core, error);
    if (!barrier_wait(core, failed != SQLSTATE_OK))
        return failed ? failed : another_failed(error);
    if (world->core == 0)
        failed = recover_on_zero(core, error);
    if (!barrier_wait(core, failed != SQLSTATE_OK))
        return failed ? failed : another_failed(error);
    failed = recovery_apply(core, error);
    if (!barrier_wait(core, failed != SQLSTATE_OK))
        return failed ? failed : another_failed(error);
    failed = start_serving(core, error);
    if (world->core == 0)
        __atomic_store_n(&engine->serving, !failed, __ATOMIC_RELEASE);
    if (!barrier_wait(core, failed != SQLSTATE_OK))
        return failed ? failed : another_failed(error);
    return SQLSTATE_OK;
}

enum sqlstate engine_close(struct world *world, struct engine *engine, struct error *error)
{
    struct engine_core *core = engine_core_of(engine, world);
    barrier_wait(core, false);
    if (world->core == 0)
        __atomic_store_n(&engine->serving, 0, __ATOMIC_RELEASE);
    barrier_wait(core, false); /* now nobody begins anything new */
    while (!list_empty(&core->branches) || core->active || core->sizing)
        if (fiber_sleep_until(world->scheduler, world->now_ns + 1000000) == FIBER_CANCELED)
            break;
    barrier_wait(core, false);
    enum sqlstate failed = SQLSTATE_OK;
    if (world->core == 0)
        failed = checkpoint_node(core, error);
    barrier_wait(core, false);
    core->closing = true;
    barrier_wait(core, false);
    return failed;
}

/* ---- watching ---- */

struct core_figures {
    uint64_t active, commits, rollbacks, deadlocks, history_bytes, page_bytes, disk_bytes, disk_used_bytes,
        shards, locks;
};

static enum sqlstate figures_there(struct engine_core *core, void *argument, struct error *error)
{
    struct core_figures *figures = argument;
    (void)error;
    *figures = (struct core_figures){.active = core->active,
                                     .commits = core->commits,
                                     .rollbacks = core->rollbacks,
                                     .deadlocks = txn_deadlocks(core->txn),
                                     .locks = lock_count(core->locks)};
    list_each (&core->shards, at) {
        const struct shard *shard = container_of(at, struct shard, of_core);
        figures->history_bytes += shard->store->memory_bytes;
        figures->shards++;
    }
    for (uint32_t i = 0; i < core->volumes; i++) {
        struct volume_figures volume;
        volume_figures(core->volume[i].volume, &volume);
        uint64_t page = volume_page_body_bytes(core->volume[i].volume);
        figures->page_bytes += volume.cached_pages * page;
        figures->disk_bytes += volume.pages * page;
        figures->disk_used_bytes += (volume.pages - volume.free_pages - volume.held_pages) * page;
    }
    return SQLSTATE_OK;
}

const char *engine_directory(const struct engine *engine, const struct world *world)
{
    return engine->core[world->core]->options.directory;
}

void engine_figures(struct world *world, struct engine *engine, struct engine_figures *figures)
{
    struct engine_core *core = engine_core_of(engine, world);
    *figures =
        (struct engine_figures){.visible_scn = txn_visible(core->txn), .oldest_scn = txn_oldest(core->txn)};
    for (uint32_t to = 0; to < world->cores; to++) {
        struct core_figures by_core = {0};
        struct error error;
        if (core_call(core, to, figures_there, &by_core, &error))
            continue;
        figures->transactions_active += by_core.active;
        figures->commits += by_core.commits;
        figures->rollbacks += by_core.rollbacks;
        figures->deadlocks += by_core.deadlocks;
        figures->history_bytes += by_core.history_bytes;
        figures->page_bytes += by_core.page_bytes;
        figures->disk_bytes += by_core.disk_bytes;
        figures->disk_used_bytes += by_core.disk_used_bytes;
        figures->shards += by_core.shards;
        figures->locks += by_core.locks;
        const struct txn_shared_core *shared = &engine->txn.core[to];
        if (__atomic_load_n(&shared->oldest, __ATOMIC_ACQUIRE) == figures->oldest_scn)
            figures->oldest_transaction = __atomic_load_n(&shared->oldest_transaction, __ATOMIC_RELAXED);
    }
    struct log_figures log;
    node_log_figures(engine->log, &log);
    figures->log_first = log.first;
    figures->log_placed = log.placed;
    figures->log_stable = log.stable;
}

/* What is copied for another core. */
struct lock_look {
    struct engine_core *core;
    bool waiting;
    struct lock_sight *locks;
    struct lock_edge *waits;
    size_t room, count;
};

static void copy_lock(void *argument, const struct lock_row_view *view)
{
    struct lock_look *look = argument;
    if (look->waiting && view->granted)
        return;
    const struct shard *shard = view->object ? NULL : shard_by_number(look->core, view->shard);
    if (!view->object && !shard)
        return;
    if (look->count++ >= look->room)
        return;
    struct lock_sight *sight = &look->locks[look->count - 1];
    *sight = (struct lock_sight){.transaction = view->transaction,
                                 .table = shard ? shard->table : 0,
                                 .key_check = view->object ? 0 : crc32c(view->key),
                                 .mode = view->mode,
                                 .range = view->range,
                                 .granted = view->granted};
    if (view->object)
        sight->object = *view->object;
    uint64_t now_ns = look->core->world->now_ns;
    if (!view->granted && now_ns > view->since_ns)
        sight->waits_ns = now_ns - view->since_ns;
}

static enum sqlstate locks_there(struct engine_core *core, void *argument, struct error *error)
{
    struct lock_look *look = argument;
    (void)error;
    look->core = core;
    look->count = 0;
    lock_each(core->locks, copy_lock, look);
    return SQLSTATE_OK;
}

enum sqlstate engine_locks(struct world *world, struct engine *engine, uint32_t core, bool waiting,
                           struct lock_sight *locks, size_t room, size_t *count, struct error *error)
{
    struct lock_look look = {.waiting = waiting, .locks = locks, .room = room};
    enum sqlstate failed = core_call(engine_core_of(engine, world), core, locks_there, &look, error);
    *count = look.count;
    return failed;
}

struct holders_look {
    const struct lock_object *object;
    enum lock_mode mode;
    uint64_t *transactions;
    size_t room, count;
};

static void copy_holder(void *argument, const struct lock_row_view *view)
{
    struct holders_look *look = argument;
    if (!view->object || !view->granted || view->mode < (uint32_t)look->mode ||
        view->object->class != look->object->class || view->object->high != look->object->high ||
        view->object->low != look->object->low)
        return;
    if (look->count++ < look->room)
        look->transactions[look->count - 1] = view->transaction;
}

static enum sqlstate holders_there(struct engine_core *core, void *argument, struct error *error)
{
    struct holders_look *look = argument;
    (void)error;
    look->count = 0;
    lock_each(core->locks, copy_holder, look);
    return SQLSTATE_OK;
}

enum sqlstate engine_lock_holders(struct world *world, struct engine *engine, uint32_t core,
                                  const struct lock_object *object, enum lock_mode mode,
                                  uint64_t *transactions, size_t room, size_t *count, struct error *error)
{
    struct holders_look look = {.object = object, .mode = mode, .transactions = transactions, .room = room};
    enum sqlstate failed = core_call(engine_core_of(engine, world), core, holders_there, &look, error);
    *count = look.count;
    return failed;
}

static void copy_wait(void *argument, const struct lock_edge *edge)
{
    struct lock_look *look = argument;
    if (look->count++ < look->room)
        look->waits[look->count - 1] = *edge;
}

static enum sqlstate waits_there(struct engine_core *core, void *argument, struct error *error)
{
    struct lock_look *look = argument;
    (void)error;
    look->count = 0;
    lock_edges(core->locks, copy_wait, look);
    return SQLSTATE_OK;
}

enum sqlstate engine_waits(struct world *world, struct engine *engine, uint32_t core, struct lock_edge *waits,
                           size_t room, size_t *count, struct error *error)
{
    struct lock_look look = {.waits = waits, .room = room};
    enum sqlstate failed = core_call(engine_core_of(engine, world), core, waits_there, &look, error);
    *count = look.count;
    return failed;
}

enum sqlstate engine_checkpoint(struct world *world, struct engine *engine, struct error *error)
{
    return checkpoint_node(engine_core_of(engine, world), error);
}

struct verified {
    const struct engine_findings *findings;
    const struct shard *shard;
};

static void report_finding(void *argument, const char *sentence, const struct key_range *range)
{
    const struct verified *verified = argument;
    const struct engine_finding finding = {.table = verified->shard->table,
                                           .shard = verified->shard->shard,
                                           .sentence = sentence,
                                           .range = range};
    verified->findings->report(verified->findings->argument, &finding);
}

static enum sqlstate verify_there(struct engine_core *core, void *argument, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        if (shard->gone || failed)
            continue;
        shard->users++;
        struct verified verified = {.findings = argument, .shard = shard};
        const struct store_findings findings = {.report = report_finding, .argument = &verified};
        failed = shard->store->ops->verify(shard->store, &findings, error);
        shard->users--;
    }
    return failed;
}

enum sqlstate engine_verify(struct world *world, struct engine *engine,
                            const struct engine_findings *findings, struct error *error)
{
    struct engine_core *core = engine_core_of(engine, world);
    for (uint32_t to = 0; to < world->cores; to++) {
        enum sqlstate failed = core_call(core, to, verify_there, (void *)findings, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* ---- shards ---- */

struct shard_rows {
    uint64_t shard;
    uint64_t rows, bytes;
};

static enum sqlstate rows_there(struct engine_core *core, void *argument, struct error *error)
{
    struct shard_rows *rows = argument;
    const struct shard *shard = shard_by_number(core, rows->shard);
    (void)error;
    if (!shard)
        return SQLSTATE_OK;
    shard->store->ops->account(shard->store);
    rows->rows = shard->store->rows_estimate;
    rows->bytes = shard->store->memory_bytes;
    if (shard->volume)
        rows->bytes += row_store_root(shard->store).pages * volume_page_body_bytes(shard->volume->volume);
    return SQLSTATE_OK;
}

static struct bytes copy_bytes(struct scope *scope, struct bytes bytes)
{
    return bytes.size ? bytes_of(scope_copy(scope, bytes.data, bytes.size), bytes.size) : bytes_of(NULL, 0);
}

enum sqlstate shard_each(struct world *world, struct engine *engine, uint64_t table,
                         void (*visit)(void *argument, const struct shard_view *shard), void *argument,
                         struct error *error)
{
    struct engine_core *core = engine_core_of(engine, world);
    struct scope *scope = scope_open(core->scope, "shards");
    const struct shard_map *map = engine_map(engine);
    size_t first = shard_map_first(map, table), count = 0;
    while (first + count < map->count && map->place[first + count].table == table)
        count++;
    struct shard_view *views = scope_alloc(scope, (count + 1) * sizeof *views);
    for (size_t i = 0; i < count; i++) {
        const struct shard_place *place = &map->place[first + i];
        views[i] = (struct shard_view){.shard = place->shard,
                                       .table = table,
                                       .core = volume_core(core, place->volume),
                                       .layout = place->layout,
                                       .from = copy_bytes(scope, place->from),
                                       .to = copy_bytes(scope, place->to),
                                       .to_open = place->to_open};
    }
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t i = 0; i < count && !failed; i++) {
        struct shard_rows rows = {.shard = views[i].shard};
        failed = core_call(core, views[i].core, rows_there, &rows, error);
        views[i].rows = rows.rows;
        views[i].bytes = rows.bytes;
        if (!failed)
            visit(argument, &views[i]);
    }
    scope_close(scope);
    return failed;
}

static void add_size(void *argument, const struct shard_view *shard)
{
    struct table_size *size = argument;
    size->rows += shard->rows;
    size->bytes += shard->bytes;
}

enum sqlstate table_measure(struct world *world, struct engine *engine, uint64_t table,
                            struct table_size *size, struct error *error)
{
    *size = (struct table_size){0};
    return shard_each(world, engine, table, add_size, size, error);
}
