/* Pass two of recovery: committed effects above the checkpoint go into the shards of this core; what pass one kept of them first,
 * shard by shard, then what only the log has.
 *
 * Effects are gathered, a window at a time, and of each row the newest goes into the store, in the order of keys (newest.c).
 * The parts of a large row are written to where it rests as they come; it goes into the store at its EFFECT, behind those
 * gathered so far. */
#include "base/log.h"
#include "base/scope.h"
#include "engine/recovery.h"
#include "engine/row/row.h"

/* Effects sorted at once: the more, the more of them are of rows that come again and of neighbouring leaves. What sorting them
 * takes is this share of the core's memory. */
#define SORTED_SHARE 16
#define SORTED_MOST  (4UL * 1024 * 1024)
/* Of the log behind what pass one kept, a core keeps so much at a time. */
#define WINDOW_BYTES (8 * 1024 * 1024)

/* A large row whose parts were seen and whose EFFECT was not yet: they are where it will rest already. */
struct gathered {
    struct list_link link;
    const struct booked *booked;
    struct shard *shard;
    uint32_t name;
    struct store_large large;
    uint64_t bytes; /* written */
};

struct pass {
    struct engine_core *core;
    struct scope *scope;
    struct progress progress;
    uint64_t bytes, bytes_all; /* for telling */
    uint64_t applied;
    struct list larges; /* struct gathered */
    /* what is gathered, all of one shard */
    struct newest newest;
    struct shard *shard;
    /* of what only the log has, as much as fits */
    struct scope *window_scope;
    struct kept_log window;
};

static enum sqlstate apply(struct pass *pass, const struct row_recovered *effects, size_t count,
                           struct error *error)
{
    pass->applied += count;
    return row_stores_recover(effects, count, pass->core->engine->recovery->last_scn, error);
}

/* What was gathered goes into the store. */
static enum sqlstate apply_gathered(struct pass *pass, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    newest_sort(&pass->newest);
    for (bool more = true; more && !failed;) {
        struct row_recovered effects[ROW_RECOVERED_MAX];
        size_t count = 0;
        while (more && count < ROW_RECOVERED_MAX) {
            struct record_effect effect;
            const struct kept_record *record = newest_take(&pass->newest, &effect);
            more = record != NULL;
            if (more)
                effects[count++] =
                    (struct row_recovered){pass->shard->store, effect.effect, record->booked->scn};
        }
        if (count)
            failed = apply(pass, effects, count, error);
        fiber_yield(pass->core->world->scheduler);
    }
    return failed;
}

/* ---- large rows ---- */

static struct gathered *find_large(const struct pass *pass, const struct shard *shard,
                                   const struct booked *booked, uint32_t name)
{
    list_each (&pass->larges, at) {
        struct gathered *large = container_of(at, struct gathered, link);
        if (large->shard == shard && large->booked == booked && large->name == name)
            return large;
    }
    return NULL;
}

static void forget_large(struct pass *pass, struct gathered *large)
{
    list_remove(&large->link);
    slab_free(pass->core->pool, large, sizeof *large);
}

/* Its effect has not come, or does not count. */
static void drop_large(struct pass *pass, struct gathered *large)
{
    row_store_large_drop(large->shard->store, &large->large);
    forget_large(pass, large);
}

static enum sqlstate begin_large(struct pass *pass, struct shard *shard, const struct booked *booked,
                                 const struct record_part *part, struct gathered **begun, struct error *error)
{
    struct store_large large;
    enum sqlstate failed = row_store_large_begin(shard->store, part->row_bytes, &large, error);
    if (failed)
        return failed;
    *begun = slab_alloc(pass->core->pool, sizeof **begun);
    **begun = (struct gathered){.booked = booked, .shard = shard, .name = part->large, .large = large};
    list_append(&pass->larges, &(*begun)->link);
    return SQLSTATE_OK;
}

static bool is_void(const struct shard *shard, const struct booked *booked, uint32_t number)
{
    return booked_is_void(booked, shard->shard, number, shard->volume->checkpoint_scn);
}

static enum sqlstate take_part(struct pass *pass, struct shard *shard, const struct kept_record *record,
                               struct error *error)
{
    struct record_part part;
    enum sqlstate failed = SQLSTATE_OK;
    if (!record_part_read(bytes_of(record->payload, record->payload_bytes), &part))
        return recovery_impossible(record->position, record->kind, error);
    if (is_void(shard, record->booked, 0))
        return SQLSTATE_OK;
    struct gathered *large = find_large(pass, shard, record->booked, part.large);
    if (part.offset == 0) {
        if (large)
            drop_large(pass, large);
        failed = begin_large(pass, shard, record->booked, &part, &large, error);
    }
    if (failed)
        return failed;
    if (!large || part.offset != large->bytes || part.row_bytes != large->large.size ||
        part.offset % row_store_large_unit(shard->store))
        return recovery_impossible(record->position, record->kind, error);
    large->bytes += part.piece.size;
    return row_store_large_write(shard->store, &large->large, part.offset, part.piece, error);
}

static enum sqlstate apply_large(struct pass *pass, struct shard *shard, const struct kept_record *record,
                                 struct record_effect *effect, struct error *error)
{
    struct gathered *large = find_large(pass, shard, record->booked, effect->large);
    if (!large || large->bytes != effect->row_bytes || large->large.size != effect->row_bytes)
        return recovery_impossible(record->position, record->kind, error);
    effect->effect.large = &large->large;
    const struct row_recovered recovered = {shard->store, effect->effect, record->booked->scn};
    enum sqlstate failed = apply_gathered(pass, error);
    if (!failed)
        failed = apply(pass, &recovered, 1, error);
    if (!failed)
        forget_large(pass, large);
    return failed;
}

static void drop_larges(struct pass *pass)
{
    for (struct list_link *link; (link = list_first(&pass->larges));)
        drop_large(pass, container_of(link, struct gathered, link));
}

/* ---- records ---- */

/* Takes a record that stays where it is until apply_gathered(). */
static enum sqlstate take(struct pass *pass, const struct kept_record *record, struct error *error)
{
    struct shard *shard = pass->shard;
    struct record_effect effect;
    if (record->kind == RECORD_PART)
        return take_part(pass, shard, record, error);
    if (!record_effect_read(bytes_of(record->payload, record->payload_bytes), &effect))
        return recovery_impossible(record->position, record->kind, error);
    if (is_void(shard, record->booked, effect.number)) {
        struct gathered *large = effect.large ? find_large(pass, shard, record->booked, effect.large) : NULL;
        if (large)
            drop_large(pass, large);
        return SQLSTATE_OK;
    }
    if (effect.large)
        return apply_large(pass, shard, record, &effect, error);
    newest_add(&pass->newest, effect.effect.key, record);
    return pass->newest.count == pass->newest.room ? apply_gathered(pass, error) : SQLSTATE_OK;
}

static enum sqlstate reapply_kept(struct pass *pass, struct shard *shard, const struct kept_shard *kept,
                                  struct error *error)
{
    struct kept_cursor cursor = {.chunk = kept->first};
    const struct kept_record *record;
    enum sqlstate failed = SQLSTATE_OK;
    pass->shard = shard;
    while (!failed && (record = kept_next(&cursor))) {
        pass->bytes += sizeof *record + record->payload_bytes;
        progress_tell(&pass->progress, pass->bytes, pass->bytes_all);
        failed = take(pass, record, error);
    }
    return failed ? failed : apply_gathered(pass, error);
}

/* The directory has got its effects; and what is in memory only has none. */
static bool is_wanted(const struct shard *shard)
{
    return shard && shard->volume && shard->shard != SHARD_DIRECTORY;
}

static enum sqlstate reapply_all_kept(struct pass *pass, const struct kept_log *kept, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    list_each (&pass->core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        const struct kept_shard *of_shard = kept_log_shard(kept, shard->shard);
        if (failed || !of_shard)
            continue;
        if (of_shard->sequence > shard->sequence)
            shard->sequence = of_shard->sequence;
        if (is_wanted(shard))
            failed = reapply_kept(pass, shard, of_shard, error);
    }
    return failed;
}

/* ---- what only the log has ---- */

static void begin_window(struct pass *pass)
{
    struct map_seed seed;
    world_random(pass->core->world, &seed, sizeof seed);
    pass->window_scope = scope_open(pass->scope, "window");
    kept_log_init(&pass->window, pass->window_scope, WINDOW_BYTES, seed);
}

static enum sqlstate end_window(struct pass *pass, struct error *error)
{
    enum sqlstate failed = reapply_all_kept(pass, &pass->window, error);
    scope_close(pass->window_scope);
    return failed;
}

static enum sqlstate visit(void *argument, uint64_t position, const struct log_record *record,
                           struct error *error)
{
    struct pass *pass = argument;
    struct shard *shard = shard_by_number(pass->core, record->topic);
    if (shard && record->sequence > shard->sequence)
        shard->sequence = record->sequence;
    if (!is_wanted(shard) || (record->kind != RECORD_EFFECT && record->kind != RECORD_PART))
        return SQLSTATE_OK;
    const struct booked *booked = map_find_number(&pass->core->engine->recovery->book, record->transaction);
    if (!booked || booked->scn == SCN_NONE)
        return SQLSTATE_OK;
    enum sqlstate failed = kept_log_add(&pass->window, position, record, booked, error);
    if (failed || pass->window.until == LOG_NOWHERE)
        return failed;
    failed = end_window(pass, error);
    begin_window(pass);
    if (!failed)
        failed = kept_log_add(&pass->window, position, record, booked, error);
    if (!failed && pass->window.until != LOG_NOWHERE)
        failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return failed;
}

static enum sqlstate reapply_rest(struct pass *pass, struct error *error)
{
    struct engine_core *core = pass->core;
    uint64_t from = core->engine->recovery->kept.until;
    const struct log_visitor visitor = {.visit = visit, .argument = pass};
    if (from == LOG_NOWHERE)
        return SQLSTATE_OK;
    begin_window(pass);
    enum sqlstate failed =
        node_log_replay(core->world, core->scope, core->engine->log, from, &visitor, error);
    return failed ? failed : end_window(pass, error);
}

/* ---- all of it ---- */

/* What is to be gone through, about: of the log's rest all, for nobody knows yet how much of it is for this core. */
static uint64_t bytes_ahead(const struct engine_core *core)
{
    const struct recovery *recovery = core->engine->recovery;
    uint64_t bytes = 0;
    list_each (&core->shards, at) {
        const struct kept_shard *kept =
            kept_log_shard(&recovery->kept, container_of(at, struct shard, of_core)->shard);
        bytes += kept ? kept->bytes : 0;
    }
    if (recovery->kept.until != LOG_NOWHERE)
        bytes += core->engine->log_state.end - recovery->kept.until;
    return bytes;
}

enum sqlstate reapply(struct engine_core *core, struct error *error)
{
    struct scope *scope = scope_open(core->scope, "applying effects");
    struct pass *pass = scope_alloc_zeroed(scope, sizeof *pass);
    *pass = (struct pass){.core = core,
                          .scope = scope,
                          .progress = progress_begin(core->world, "applying effects"),
                          .bytes_all = bytes_ahead(core)};
    enum sqlstate failed = SQLSTATE_OK;
    list_init(&pass->larges);
    if (pass->bytes_all) {
        uint64_t most = pass->bytes_all / sizeof(struct kept_record) + 1;
        uint64_t room =
            core->options.memory_bytes / core->world->cores / SORTED_SHARE / NEWEST_ROOM_BYTES + 1;
        room = room < SORTED_MOST ? room : SORTED_MOST;
        failed = newest_init(&pass->newest, scope, most < room ? most : room, error);
    }
    if (!failed)
        failed = reapply_all_kept(pass, &core->engine->recovery->kept, error);
    if (!failed)
        failed = reapply_rest(pass, error);
    drop_larges(pass);
    if (!failed)
        log_line(core->world, LOG_INFO, "recovery_applied",
                 "%llu effects were applied in %.1f s: of each row the newest, as far as they were sorted "
                 "together",
                 (unsigned long long)pass->applied,
                 (double)(core->world->now_ns - pass->progress.started_ns) / 1e9);
    scope_close(scope);
    return failed;
}
