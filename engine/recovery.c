/* Recovery: what the log holds beyond the checkpoints comes back into the stores. engine/README.md, section 6.
 *
 * Pass one, on core 0, reads the log from the smallest position any volume needs: it learns which transactions committed, with
 * which SCN, and what they took back themselves; and it keeps the few effects on the directory of shards, which are
 * applied first, so that it is known which shards there are. Pass two, on every core at once, applies the committed effects of
 * its shards. Between the passes the book of commits does not change, so all cores read it. */
#include "engine/recovery.h"

#include "base/log.h"
#include "base/scope.h"
#include "engine/row/row.h"
#include "engine/volume_root.h"

/* Records between two yields of a pass. */
#define RECORDS_PER_YIELD 256
/* Of the node's memory effects may take this share between the passes: they do so while pages and histories are small. */
#define KEPT_SHARE 4

/* An effect on the directory, kept from pass one. */
struct directory_effect {
    struct directory_effect *next;
    const struct booked *booked;
    struct record_effect record;
};

struct pass {
    struct engine_core *core;
    struct recovery *recovery;
    struct progress progress;
    /* the last record's, for the next one is mostly of the same */
    uint64_t transaction;
    struct booked *booked;
};

enum sqlstate recovery_impossible(uint64_t position, uint32_t kind, struct error *error)
{
    return error_set(error, SQLSTATE_DATA_CORRUPTED,
                     "log record of kind %u at position %llu holds impossible content", kind,
                     (unsigned long long)position);
}

struct progress progress_begin(struct world *world, const char *name)
{
    return (struct progress){
        .world = world, .name = name, .started_ns = world->now_ns, .told_ns = world->now_ns};
}

void progress_tell(struct progress *progress, uint64_t bytes, uint64_t bytes_all)
{
    struct world *world = progress->world;
    if (++progress->records % RECORDS_PER_YIELD)
        return;
    fiber_yield(world->scheduler);
    uint64_t now = world->now_ns;
    if (now - progress->told_ns < 2000000000ull)
        return;
    progress->told_ns = now;
    double done = bytes_all > bytes ? (double)bytes / (double)bytes_all : 1;
    double seconds = (double)(now - progress->started_ns) / 1e9;
    log_line(world, LOG_INFO, "recovery_progress", "%s: %.0f %% of the log, %.0f MB/s, %.0f s left",
             progress->name, done * 100, (double)bytes / 1e6 / seconds,
             done > 0 ? seconds / done - seconds : 0);
}

/* ---- pass one ---- */

static struct booked *book(struct pass *pass, uint64_t transaction, struct error *error)
{
    struct recovery *recovery = pass->recovery;
    if (pass->booked && pass->transaction == transaction)
        return pass->booked;
    struct booked *booked = map_find_number(&recovery->book, transaction);
    if (!booked) {
        booked = scope_alloc_zeroed(recovery->scope, sizeof *booked);
        if (map_put_number(&recovery->book, transaction, booked, NULL, error))
            return NULL;
    }
    pass->transaction = transaction;
    pass->booked = booked;
    return booked;
}

static void keep_directory_effect(struct recovery *recovery, const struct booked *booked,
                                  const struct record_effect *effect)
{
    struct directory_effect *kept = scope_alloc(recovery->scope, sizeof *kept);
    *kept = (struct directory_effect){.booked = booked, .record = *effect};
    struct effect *copy = &kept->record.effect;
    if (copy->key.size)
        copy->key.data = scope_copy(recovery->scope, copy->key.data, copy->key.size);
    if (copy->row.size)
        copy->row.data = scope_copy(recovery->scope, copy->row.data, copy->row.size);
    *recovery->last_effect = kept;
    recovery->last_effect = &kept->next;
}

static enum sqlstate read_commit(struct recovery *recovery, uint64_t position,
                                 const struct log_record *record, struct booked *booked, struct error *error)
{
    struct record_commit commit;
    if (!record_commit_read(record->payload, &commit) || booked->scn != SCN_NONE ||
        commit.scn <= recovery->last_scn)
        return recovery_impossible(position, record->kind, error);
    booked->scn = commit.scn;
    booked->effects =
        commit.effects - booked->effects; /* those missing; judged when the checkpoints are known */
    recovery->last_scn = commit.scn;
    recovery->commits++;
    return SQLSTATE_OK;
}

static enum sqlstate read_effect(struct recovery *recovery, uint64_t position,
                                 const struct log_record *record, struct booked *booked, struct error *error)
{
    struct record_effect effect;
    booked->effects++;
    if (record->topic != SHARD_DIRECTORY)
        return kept_log_add(&recovery->kept, position, record, booked, error);
    if (!record_effect_read(record->payload, &effect))
        return recovery_impossible(position, record->kind, error);
    keep_directory_effect(recovery, booked, &effect);
    return SQLSTATE_OK;
}

static enum sqlstate read_undo(struct recovery *recovery, uint64_t position, const struct log_record *record,
                               struct booked *booked, struct error *error)
{
    struct record_undo undo;
    if (!record_undo_read(record->payload, &undo))
        return recovery_impossible(position, record->kind, error);
    struct undone *undone = scope_alloc(recovery->scope, sizeof *undone);
    *undone = (struct undone){booked->undone, record->topic, undo.above, undo.upto};
    booked->undone = undone;
    return SQLSTATE_OK;
}

static enum sqlstate visit(void *argument, uint64_t position, const struct log_record *record,
                           struct error *error)
{
    struct pass *pass = argument;
    struct recovery *recovery = pass->recovery;
    progress_tell(&pass->progress, position - recovery->from,
                  pass->core->engine->log_state.end - recovery->from);
    struct booked *booked = book(pass, record->transaction, error);
    if (!booked)
        return error->state;
    switch (record->kind) {
    case RECORD_COMMIT:
        return read_commit(recovery, position, record, booked, error);
    case RECORD_EFFECT:
        return read_effect(recovery, position, record, booked, error);
    case RECORD_PART:
        return kept_log_add(&recovery->kept, position, record, booked, error);
    case RECORD_UNDO:
        return read_undo(recovery, position, record, booked, error);
    case RECORD_ABORT:
        return SQLSTATE_OK;
    default:
        return recovery_impossible(position, record->kind, error);
    }
}

static enum sqlstate apply_directory(struct engine_core *core, struct error *error)
{
    struct recovery *recovery = core->engine->recovery;
    struct shard *directory = shard_by_number(core, SHARD_DIRECTORY);
    uint64_t checkpoint = directory->volume->checkpoint_scn;
    for (const struct directory_effect *kept = recovery->first_effect; kept; kept = kept->next) {
        if (booked_is_void(kept->booked, SHARD_DIRECTORY, kept->record.number, checkpoint))
            continue;
        const struct row_recovered effect = {directory->store, kept->record.effect, kept->booked->scn};
        enum sqlstate failed = row_stores_recover(&effect, 1, recovery->last_scn, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* A commit above every checkpoint must have all the effects it says it has: the log was needed from before the first. */
static enum sqlstate check_effects(struct engine_core *core, struct error *error)
{
    struct recovery *recovery = core->engine->recovery;
    uint64_t newest_checkpoint = 0;
    for (uint32_t i = 0; i < core->world->cores; i++)
        if (core->engine->first_scn[i] > newest_checkpoint)
            newest_checkpoint = core->engine->first_scn[i];
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&recovery->book, &at));) {
        const struct booked *booked = entry->value;
        if (booked->scn > newest_checkpoint && booked->effects != 0)
            return error_set(error, SQLSTATE_DATA_CORRUPTED,
                             "the log lacks %lld effects of transaction %llu, committed with SCN %llu",
                             (long long)booked->effects, (unsigned long long)entry->number,
                             (unsigned long long)booked->scn);
    }
    return SQLSTATE_OK;
}

enum sqlstate recovery_read(struct engine_core *core, struct error *error)
{
    struct engine *engine = core->engine;
    struct scope *scope = scope_open(core->scope, "recovery");
    struct recovery *recovery = scope_alloc_zeroed(scope, sizeof *recovery);
    struct map_seed seed;
    recovery->scope = scope;
    recovery->last_effect = &recovery->first_effect;
    world_random(core->world, &seed, sizeof seed);
    map_init(&recovery->book, MAP_OF_NUMBERS, scope, seed);
    kept_log_init(&recovery->kept, scope, core->options.memory_bytes / KEPT_SHARE, seed);
    recovery->from = engine->log_state.end;
    for (uint32_t i = 0; i < core->world->cores; i++) {
        if (engine->replay_from[i] < recovery->from)
            recovery->from = engine->replay_from[i];
    }
    if (recovery->from < engine->log_state.first)
        recovery->from =
            engine->log_state.first; /* a volume that never saw a checkpoint needs all there is */
    engine->recovery = recovery;
    struct pass pass = {
        .core = core, .recovery = recovery, .progress = progress_begin(core->world, "reading commits")};
    const struct log_visitor visitor = {.visit = visit, .argument = &pass};
    enum sqlstate failed =
        node_log_replay(core->world, core->scope, engine->log, recovery->from, &visitor, error);
    if (!failed)
        failed = check_effects(core, error);
    for (uint32_t i = 0; i < core->world->cores; i++)
        if (engine->first_scn[i] > recovery->last_scn)
            recovery->last_scn = engine->first_scn[i];
    if (!failed)
        failed = apply_directory(core, error);
    if (!failed)
        log_line(core->world, LOG_INFO, "recovery_read",
                 "the log holds %llu records, %llu commits, up to SCN %llu",
                 (unsigned long long)pass.progress.records, (unsigned long long)recovery->commits,
                 (unsigned long long)recovery->last_scn);
    return failed;
}

/* ---- the shards of a core ---- */

/* Roots of shards that the directory does not know: of tables dropped since, or loaded by a transaction that never committed.
 * Their pages go back. */
struct orphans {
    const struct shard_map *map;
    uint64_t shard[64];
    struct tree_root root[64];
    size_t count;
    bool damaged;
};

static bool find_orphan(void *argument, struct bytes key, const struct tree_value *value)
{
    struct orphans *orphans = argument;
    uint64_t shard = 0;
    struct tree_root root;
    if (key.size != sizeof shard || value->extent || !shard_root_read(value->inside, &root)) {
        orphans->damaged = true;
        return false;
    }
    memcpy(&shard, key.data, sizeof shard);
    shard = __builtin_bswap64(shard);
    for (size_t i = 0; i < orphans->map->count; i++)
        if (orphans->map->place[i].shard == shard)
            return true;
    orphans->shard[orphans->count] = shard;
    orphans->root[orphans->count] = root;
    return ++orphans->count < 64;
}

static enum sqlstate find_orphans(struct engine_core *core, struct core_volume *volume,
                                  struct orphans *orphans, struct error *error)
{
    uint8_t bound[STORE_KEY_BYTES_MAX], from[STORE_KEY_BYTES_MAX];
    struct tree_walk walk = {.at_end = true, .visit = find_orphan, .argument = orphans, .bound = bound};
    *orphans = (struct orphans){.map = engine_map(core->engine)};
    for (;;) {
        uint64_t missing;
        enum tree_answer answer = tree_walk_leaf(volume->roots, &walk, &missing);
        if (answer == TREE_MISSING) {
            enum sqlstate failed = tree_fetch(volume->roots, missing, error);
            if (failed)
                return failed;
            continue;
        }
        if (answer == TREE_DAMAGED || orphans->damaged)
            return error_set(error, SQLSTATE_DATA_CORRUPTED, "the roots of volume %u are damaged",
                             volume->number);
        if (answer == TREE_ABSENT || walk.last || orphans->count == 64)
            return SQLSTATE_OK;
        memcpy(from, bound, walk.bound_size);
        walk.from = bytes_of(from, walk.bound_size);
        walk.at_end = false;
    }
}

/* What is damaged of it stays in use: nobody needs it, and the node shall start. */
static enum sqlstate drop_orphan(struct engine_core *core, struct core_volume *volume,
                                 const struct tree_root *root, struct scope *scope, struct error *error)
{
    enum sqlstate failed = tree_drop(tree_open(scope, volume->volume, root), error);
    if (failed != SQLSTATE_DATA_CORRUPTED)
        return failed;
    log_error(core->world, LOG_ERROR, "orphan_drop", error,
              "pages of a dropped shard cannot be found in volume %u", volume->number);
    return SQLSTATE_OK;
}

static enum sqlstate drop_orphans(struct engine_core *core, struct core_volume *volume, struct error *error)
{
    struct orphans *orphans = scope_alloc(core->scope, sizeof *orphans);
    do {
        enum sqlstate failed = find_orphans(core, volume, orphans, error);
        for (size_t i = 0; i < orphans->count && !failed; i++) {
            struct scope *scope = scope_open(core->scope, "orphan");
            const struct tree_root none = {0};
            failed = volume_put_root(volume, orphans->shard[i], &none, error);
            if (!failed)
                failed = drop_orphan(core, volume, &orphans->root[i], scope, error);
            scope_close(scope);
        }
        if (failed)
            return failed;
    } while (orphans->count);
    return SQLSTATE_OK;
}

/* Opens the shards that lie on this core where its volumes say they rest. */
static enum sqlstate open_shards(struct engine_core *core, struct error *error)
{
    const struct shard_map *map = engine_map(core->engine);
    for (size_t i = 0; i < map->count; i++) {
        const struct shard_place *place = &map->place[i];
        if (volume_core(core, place->volume) != core->world->core || place->shard == SHARD_DIRECTORY)
            continue;
        struct tree_root root = {0};
        struct core_volume *volume = volume_by_number(core, place->volume);
        if (place->layout == TABLE_ROW && !volume)
            return error_set(error, SQLSTATE_DATA_CORRUPTED, "volume %u of shard %llu is missing",
                             place->volume, (unsigned long long)place->shard);
        if (place->layout == TABLE_ROW) {
            enum sqlstate failed = volume_shard_root(volume, place->shard, &root, error);
            if (failed)
                return failed;
        }
        shard_open(core, place, 0, &root);
    }
    return SQLSTATE_OK;
}

enum sqlstate recovery_apply(struct engine_core *core, struct error *error)
{
    enum sqlstate failed = open_shards(core, error);
    for (uint32_t i = 0; i < core->volumes && !failed; i++)
        failed = drop_orphans(core, &core->volume[i], error);
    return failed ? failed : reapply(core, error);
}

void recovery_end(struct engine_core *core)
{
    scope_close(core->engine->recovery->scope);
    core->engine->recovery = NULL;
}

uint64_t recovery_last_scn(const struct recovery *recovery)
{
    return recovery->last_scn;
}
