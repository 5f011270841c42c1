/* Recovery: what the log holds beyond the checkpoints comes back into the stores. engine/README.md, section 6.
 *
 * Pass one, on core 0, reads the log from the smallest position any volume needs: it learns which transactions committed, with
 * which SCN, and what they took back themselves; and it keeps the few effects on the directory of shards, which are
 * applied first, so that it is known which shards there are. Pass two, on every core at once, applies the committed effects of
 * its shards. Between the passes the book of commits does not change, so all cores read it. */
#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/record.h"
#include "engine/row/row.h"
#include "engine/volume_root.h"

#include <stdio.h>

/* Records between two yields of a pass. */
#define RECORDS_PER_YIELD 256
/* Of keys and rows gathered before they are applied: those of short rows. */
#define WAITING_BYTES (64 * 1024)

struct undone {
    struct undone *next;
    uint64_t shard;
    uint32_t above, upto;
};

/* A transaction in the book. */
struct booked {
    uint64_t scn; /* SCN_NONE: no commit was found */
    uint64_t effects;
    struct undone *undone;
};

/* An effect on the directory, kept from pass one. */
struct kept {
    struct kept *next;
    uint64_t transaction;
    struct record_effect record;
};

struct recovery {
    struct scope *scope;
    struct map book; /* transaction -> struct booked */
    struct kept *first_kept, **last_kept;
    uint64_t from; /* where reading begins */
    uint64_t last_scn;
    uint64_t commits;
};

struct pass {
    struct engine_core *core;
    struct recovery *recovery;
    uint64_t records;
    uint64_t applied;
    uint64_t started_ns, told_ns;
    const char *name;
    /* pass two: a row that comes in parts */
    struct scope *parts_scope;
    uint64_t parts_transaction, parts_shard;
    uint32_t parts_number;
    uint8_t *parts;
    uint64_t parts_bytes;
    /* pass two: effects that wait for others, so that all are brought back together */
    struct row_recovered waiting[ROW_RECOVERED_MAX];
    size_t waiting_count, waiting_bytes;
    uint8_t waiting_room[WAITING_BYTES]; /* their keys and rows */
};

static enum sqlstate impossible(uint64_t position, const struct log_record *record, struct error *error)
{
    return error_set(error, SQLSTATE_DATA_CORRUPTED,
                     "log record of kind %u at position %llu holds impossible content", record->kind,
                     (unsigned long long)position);
}

/* Every few seconds: how far, how fast, how long still. */
static void tell_progress(struct pass *pass, uint64_t position)
{
    struct engine_core *core = pass->core;
    if (++pass->records % RECORDS_PER_YIELD == 0)
        fiber_yield(core->world->scheduler);
    uint64_t now = core->world->now_ns;
    if (now - pass->told_ns < 2000000000ull)
        return;
    pass->told_ns = now;
    uint64_t from = pass->recovery->from, end = core->engine->log_state.end;
    double done = end > from ? (double)(position - from) / (double)(end - from) : 1;
    double seconds = (double)(now - pass->started_ns) / 1e9;
    log_line(core->world, LOG_INFO, "recovery_progress", "%s: %.0f %% of the log, %.0f MB/s, %.0f s left",
             pass->name, done * 100, (double)(position - from) / 1e6 / seconds,
             done > 0 ? seconds / done - seconds : 0);
}

static struct pass *pass_open(struct engine_core *core, struct scope *scope, const char *name)
{
    struct pass *pass = scope_alloc_zeroed(scope, sizeof *pass);
    pass->core = core;
    pass->recovery = core->engine->recovery;
    pass->name = name;
    pass->started_ns = pass->told_ns = core->world->now_ns;
    return pass;
}

/* ---- pass one ---- */

static struct booked *book(struct recovery *recovery, uint64_t transaction, struct error *error)
{
    struct booked *booked = map_find_number(&recovery->book, transaction);
    if (booked)
        return booked;
    booked = scope_alloc_zeroed(recovery->scope, sizeof *booked);
    return map_put_number(&recovery->book, transaction, booked, NULL, error) ? NULL : booked;
}

static void keep_directory_effect(struct recovery *recovery, const struct log_record *record,
                                  const struct record_effect *effect)
{
    struct kept *kept = scope_alloc(recovery->scope, sizeof *kept);
    *kept = (struct kept){.transaction = record->transaction, .record = *effect};
    struct effect *copy = &kept->record.effect;
    if (copy->key.size)
        copy->key.data = scope_copy(recovery->scope, copy->key.data, copy->key.size);
    if (copy->row.size)
        copy->row.data = scope_copy(recovery->scope, copy->row.data, copy->row.size);
    *recovery->last_kept = kept;
    recovery->last_kept = &kept->next;
}

static enum sqlstate read_commit(struct recovery *recovery, uint64_t position,
                                 const struct log_record *record, struct error *error)
{
    struct record_commit commit;
    if (!record_commit_read(record->payload, &commit))
        return impossible(position, record, error);
    struct booked *booked = book(recovery, record->transaction, error);
    if (!booked)
        return error->state;
    if (booked->scn != SCN_NONE || commit.scn <= recovery->last_scn)
        return impossible(position, record, error);
    booked->scn = commit.scn;
    booked->effects =
        commit.effects - booked->effects; /* those missing; judged when the checkpoints are known */
    recovery->last_scn = commit.scn;
    recovery->commits++;
    return SQLSTATE_OK;
}

static enum sqlstate visit_one(void *argument, uint64_t position, const struct log_record *record,
                               struct error *error)
{
    struct pass *pass = argument;
    struct recovery *recovery = pass->recovery;
    struct booked *booked;
    struct record_effect effect;
    struct record_undo undo;
    tell_progress(pass, position);
    switch (record->kind) {
    case RECORD_COMMIT:
        return read_commit(recovery, position, record, error);
    case RECORD_EFFECT:
        if (!record_effect_read(record->payload, &effect))
            return impossible(position, record, error);
        booked = book(recovery, record->transaction, error);
        if (!booked)
            return error->state;
        booked->effects++;
        if (record->topic == SHARD_DIRECTORY)
            keep_directory_effect(recovery, record, &effect);
        return SQLSTATE_OK;
    case RECORD_UNDO:
        booked = book(recovery, record->transaction, error);
        if (!booked)
            return error->state;
        if (!record_undo_read(record->payload, &undo))
            return impossible(position, record, error);
        struct undone *undone = scope_alloc(recovery->scope, sizeof *undone);
        *undone = (struct undone){booked->undone, record->topic, undo.above, undo.upto};
        booked->undone = undone;
        return SQLSTATE_OK;
    case RECORD_PART:
    case RECORD_ABORT:
        return SQLSTATE_OK;
    default:
        return impossible(position, record, error);
    }
}

static bool is_undone(const struct booked *booked, uint64_t shard, uint32_t number)
{
    for (const struct undone *undone = booked->undone; undone; undone = undone->next)
        if (undone->shard == shard && number > undone->above && number <= undone->upto)
            return true;
    return false;
}

static enum sqlstate apply(struct engine_core *core, const struct row_recovered *effects, size_t count,
                           struct error *error)
{
    return row_stores_recover(effects, count, core->engine->recovery->last_scn, error);
}

static enum sqlstate apply_directory(struct engine_core *core, struct error *error)
{
    struct recovery *recovery = core->engine->recovery;
    struct shard *directory = shard_by_number(core, SHARD_DIRECTORY);
    uint64_t checkpoint = directory->volume->checkpoint_scn;
    for (const struct kept *kept = recovery->first_kept; kept; kept = kept->next) {
        const struct booked *booked = map_find_number(&recovery->book, kept->transaction);
        if (booked->scn <= checkpoint || is_undone(booked, SHARD_DIRECTORY, kept->record.number))
            continue;
        const struct row_recovered effect = {directory->store, kept->record.effect, booked->scn};
        enum sqlstate failed = apply(core, &effect, 1, error);
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
    recovery->last_kept = &recovery->first_kept;
    world_random(core->world, &seed, sizeof seed);
    map_init(&recovery->book, MAP_OF_NUMBERS, scope, seed);
    recovery->from = engine->log_state.end;
    for (uint32_t i = 0; i < core->world->cores; i++) {
        if (engine->replay_from[i] < recovery->from)
            recovery->from = engine->replay_from[i];
    }
    if (recovery->from < engine->log_state.first)
        recovery->from =
            engine->log_state.first; /* a volume that never saw a checkpoint needs all there is */
    engine->recovery = recovery;
    struct pass *pass = pass_open(core, scope, "reading commits");
    const struct log_visitor visitor = {.visit = visit_one, .argument = pass};
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
                 (unsigned long long)pass->records, (unsigned long long)recovery->commits,
                 (unsigned long long)recovery->last_scn);
    return failed;
}

/* ---- pass two ---- */

static enum sqlstate apply_waiting(struct pass *pass, struct error *error)
{
    size_t count = pass->waiting_count;
    pass->waiting_count = pass->waiting_bytes = 0;
    pass->applied += count;
    return count ? apply(pass->core, pass->waiting, count, error) : SQLSTATE_OK;
}

static struct bytes keep_waiting(struct pass *pass, struct bytes bytes)
{
    uint8_t *to = pass->waiting_room + pass->waiting_bytes;
    if (bytes.size)
        memcpy(to, bytes.data, bytes.size);
    pass->waiting_bytes += bytes.size;
    return bytes_of(to, bytes.size);
}

/* What is too large to wait is applied at once, behind those that do. */
static enum sqlstate apply_soon(struct pass *pass, struct row_recovered *effect, struct error *error)
{
    size_t bytes = effect->effect.key.size + effect->effect.row.size;
    enum sqlstate failed = SQLSTATE_OK;
    if (pass->waiting_count == ROW_RECOVERED_MAX || bytes > WAITING_BYTES - pass->waiting_bytes)
        failed = apply_waiting(pass, error);
    if (failed)
        return failed;
    if (bytes > WAITING_BYTES) {
        pass->applied++;
        return apply(pass->core, effect, 1, error);
    }
    effect->effect.key = keep_waiting(pass, effect->effect.key);
    effect->effect.row = keep_waiting(pass, effect->effect.row);
    pass->waiting[pass->waiting_count++] = *effect;
    return SQLSTATE_OK;
}

/* The commit an effect belongs to if it is to be applied to a shard of this core, else NULL. */
static const struct booked *wanted(struct pass *pass, const struct log_record *record, uint32_t number,
                                   struct shard **shard)
{
    *shard = shard_by_number(pass->core, record->topic);
    if (!*shard || record->topic == SHARD_DIRECTORY || !(*shard)->volume)
        return NULL;
    const struct booked *booked = map_find_number(&pass->recovery->book, record->transaction);
    if (!booked || booked->scn <= (*shard)->volume->checkpoint_scn ||
        is_undone(booked, record->topic, number))
        return NULL;
    return booked;
}

static enum sqlstate gather_part(struct pass *pass, uint64_t position, const struct log_record *record,
                                 struct error *error)
{
    struct record_part part;
    struct shard *shard;
    if (!record_part_read(record->payload, &part))
        return impossible(position, record, error);
    if (!wanted(pass, record, part.number, &shard))
        return SQLSTATE_OK;
    bool goes_on = pass->parts_scope && pass->parts_transaction == record->transaction &&
                   pass->parts_shard == record->topic && pass->parts_number == part.number;
    if (!goes_on || part.offset == 0) {
        if (part.offset != 0)
            return impossible(position, record, error);
        if (pass->parts_scope)
            scope_close(pass->parts_scope);
        pass->parts_scope = scope_open(pass->core->scope, "parts");
        pass->parts_transaction = record->transaction;
        pass->parts_shard = record->topic;
        pass->parts_number = part.number;
        pass->parts_bytes = 0;
        pass->parts = NULL;
    }
    if (part.offset != pass->parts_bytes)
        return impossible(position, record, error);
    /* Grown by doubling: its size is not known before the EFFECT. */
    uint64_t have = pass->parts ? (uint64_t)LOG_PAYLOAD_BYTES_MAX : 0;
    while (have && have < pass->parts_bytes)
        have *= 2;
    uint64_t need = pass->parts_bytes + part.piece.size;
    if (need > have) {
        uint64_t room = have ? have : LOG_PAYLOAD_BYTES_MAX;
        while (room < need)
            room *= 2;
        void *grown;
        enum sqlstate failed = scope_alloc_large(pass->parts_scope, room, 16, &grown, error);
        if (failed)
            return failed;
        if (pass->parts) {
            memcpy(grown, pass->parts, pass->parts_bytes);
            scope_free_large(pass->parts_scope, pass->parts);
        }
        pass->parts = grown;
    }
    memcpy(pass->parts + pass->parts_bytes, part.piece.data, part.piece.size);
    pass->parts_bytes = need;
    return SQLSTATE_OK;
}

static enum sqlstate apply_record(struct pass *pass, uint64_t position, const struct log_record *record,
                                  struct error *error)
{
    struct record_effect effect;
    struct shard *shard;
    if (!record_effect_read(record->payload, &effect))
        return impossible(position, record, error);
    const struct booked *booked = wanted(pass, record, effect.number, &shard);
    if (!booked)
        return SQLSTATE_OK;
    if (effect.row_bytes > effect.effect.row.size) {
        if (!pass->parts_scope || pass->parts_transaction != record->transaction ||
            pass->parts_shard != record->topic || pass->parts_number != effect.number ||
            pass->parts_bytes != effect.row_bytes)
            return impossible(position, record, error);
        effect.effect.row = bytes_of(pass->parts, pass->parts_bytes);
    }
    struct row_recovered recovered = {shard->store, effect.effect, booked->scn};
    return apply_soon(pass, &recovered, error);
}

static enum sqlstate visit_two(void *argument, uint64_t position, const struct log_record *record,
                               struct error *error)
{
    struct pass *pass = argument;
    struct shard *shard = shard_by_number(pass->core, record->topic);
    tell_progress(pass, position);
    if (!shard)
        return SQLSTATE_OK;
    if (record->sequence > shard->sequence)
        shard->sequence = record->sequence;
    if (record->kind == RECORD_EFFECT)
        return apply_record(pass, position, record, error);
    if (record->kind == RECORD_PART)
        return gather_part(pass, position, record, error);
    return SQLSTATE_OK;
}

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
    struct engine *engine = core->engine;
    enum sqlstate failed = open_shards(core, error);
    for (uint32_t i = 0; i < core->volumes && !failed; i++)
        failed = drop_orphans(core, &core->volume[i], error);
    if (failed)
        return failed;
    struct scope *scope = scope_open(core->scope, "applying effects");
    struct pass *pass = pass_open(core, scope, "applying effects");
    const struct log_visitor visitor = {.visit = visit_two, .argument = pass};
    failed = node_log_replay(core->world, core->scope, engine->log, engine->recovery->from, &visitor, error);
    if (!failed)
        failed = apply_waiting(pass, error);
    if (pass->parts_scope)
        scope_close(pass->parts_scope);
    if (!failed)
        log_line(core->world, LOG_INFO, "recovery_applied", "%llu effects were applied in %.1f s",
                 (unsigned long long)pass->applied, (double)(core->world->now_ns - pass->started_ns) / 1e9);
    scope_close(scope);
    return failed;
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
