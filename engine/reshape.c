/* Replacing shards by others, while they are in use: a move to another core is a replacement by one shard elsewhere, a split
 * one by two, a merge one of two neighbours by one. On the old shards' own core:
 *
 *   1. New shards are opened, unseen (creator = the transaction that changes the directory).
 *   2. At a snapshot s their rows are copied, durably. Writes go on.
 *   3. Wait until no snapshot older than s is in use: such a one could not be answered by the copies, which know one version
 *      of each row as of s.
 *   4. Close the gate: only transactions that are in go on. When nobody is in, nothing changes any more. Somebody inside may wait
 *      for somebody at the gate, which no detector sees; so if it takes longer than GATE_NS the gate opens for a while.
 *   5. Copy what was committed after s (it is all in the history, for the snapshot s is held), with its SCNs.
 *   6. Make the copies durable, then commit the directory's change, publish the map; those at the gate find the shard gone
 *      and are sent on. Drop the old shard.
 *
 * A crash before 6's commit leaves the old shard as it was and copies the directory does not know, which recovery drops; a crash
 * after it finds the new ones: they hold all commits up to their volume's checkpoint, and nothing was committed between. */
#include "base/check.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/row/row.h"

#define GATE_NS      (200 * 1000 * 1000UL)
#define GATE_TRIES   20
#define SNAPSHOTS_NS (10 * 1000 * 1000 * 1000UL)
#define POLL_NS      (1000 * 1000UL)
#define DELTA_BYTES  (256 * 1024)
#define SOURCE_ROWS  256
#define SOURCE_BYTES (1024 * 1024)
/* Large rows go over in pieces of about that. */
#define LARGE_PIECE_BYTES (512 * 1024)
#define TARGETS_MAX       2
#define OLD_MAX           2
/* How long a shard rests that was moved because it was busy. */
#define SHARD_REST_NS (10 * 1000 * 1000 * 1000UL)

struct reshape {
    struct engine_core *core;
    struct scope *scope;
    struct old_shard {
        struct shard *shard;
        struct bytes from;
    } old[OLD_MAX]; /* in key order */
    size_t olds;
    struct shard_place target[TARGETS_MAX];
    size_t targets;
    bool rests;
    struct transaction *transaction;
    struct snapshot_hold snapshot;
};

/* Whoever drops the table, or stops the node, waits for this to notice. */
static enum sqlstate still_there(const struct reshape *reshape, struct error *error)
{
    if (!engine_serving(reshape->core->engine))
        return error_set(error, SQLSTATE_CANNOT_CONNECT_NOW, "the node stops");
    for (size_t i = 0; i < reshape->olds; i++)
        if (reshape->old[i].shard->gone)
            return no_such_table(reshape->old[i].shard->table, error);
    return SQLSTATE_OK;
}

/* ---- 2: the rows as of the snapshot ---- */

struct source_row {
    struct bytes key, row;
};

struct source {
    struct reshape *reshape;
    size_t old; /* whose rows come */
    struct store_cursor cursor;
    struct scope *batch;
    struct source_row row[SOURCE_ROWS];
    size_t count, at;
    size_t bytes;
};

static bool take_source(void *argument, const struct store_row *row)
{
    struct source *source = argument;
    struct source_row *to = &source->row[source->count++];
    to->key = bytes_of(scope_copy(source->batch, row->key.data, row->key.size), row->key.size);
    void *memory = NULL;
    struct error error;
    if (row->row.size && scope_alloc_large(source->batch, row->row.size, 16, &memory, &error)) {
        source->count = SIZE_MAX;
        return false;
    }
    if (row->row.size)
        memcpy(memory, row->row.data, row->row.size);
    to->row = bytes_of(memory, row->row.size);
    source->bytes += row->row.size;
    return source->count < SOURCE_ROWS && source->bytes < SOURCE_BYTES;
}

/* The next batch, of the next shard when one is through. */
static enum sqlstate fill_source(struct source *source, struct error *error)
{
    struct reshape *reshape = source->reshape;
    struct store *store = reshape->old[source->old].shard->store;
    struct snapshot snapshot = {.scn = reshape->snapshot.scn};
    struct store_sink sink = {.take = take_source, .argument = source};
    enum sqlstate failed = still_there(reshape, error);
    if (failed)
        return failed;
    if (source->cursor.done) {
        source->old++;
        source->cursor.started = source->cursor.done = false;
        return SQLSTATE_OK;
    }
    scope_close(source->batch);
    source->batch = scope_open(reshape->scope, "batch");
    source->count = source->at = source->bytes = 0;
    failed = store->ops->scan(store, &snapshot, &source->cursor, SOURCE_ROWS, &sink, error);
    if (!failed && source->count == SIZE_MAX)
        failed = error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    return failed;
}

static enum sqlstate next_source(void *argument, struct bytes *key, struct bytes *row, bool *end,
                                 struct error *error)
{
    struct source *source = argument;
    while (source->at == source->count && source->old < source->reshape->olds) {
        enum sqlstate failed = fill_source(source, error);
        if (failed)
            return failed;
    }
    *end = source->at == source->count;
    if (!*end) {
        *key = source->row[source->at].key;
        *row = source->row[source->at++].row;
    }
    return SQLSTATE_OK;
}

static enum sqlstate open_target(struct engine_core *core, void *argument, struct error *error)
{
    const struct shard_place *place = argument;
    (void)error;
    shard_open(core, place, place->shard, NULL);
    return SQLSTATE_OK;
}

static enum sqlstate copy_rows(struct reshape *reshape, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t i = 0; i < reshape->targets && !failed; i++) {
        const struct shard_place *target = &reshape->target[i];
        struct source *source = scope_alloc_zeroed(reshape->scope, sizeof *source);
        struct store_source rows = {.next = next_source, .argument = source};
        source->reshape = reshape;
        source->batch = scope_open(reshape->scope, "batch");
        source->cursor = (struct store_cursor){
            .range = {.from = target->from, .to = target->to, .to_open = target->to_open},
            .scope = reshape->scope};
        failed = load_shard(reshape->core, reshape->scope, volume_core(reshape->core, target->volume),
                            target->shard, &rows, error);
        scope_close(source->batch);
    }
    return failed;
}

/* ---- 3, 4: waiting ---- */

static enum sqlstate wait_for_snapshots(struct reshape *reshape, struct error *error)
{
    struct engine_core *core = reshape->core;
    uint64_t deadline = core->world->now_ns + SNAPSHOTS_NS;
    while (txn_oldest(core->txn) < reshape->snapshot.scn) {
        if (core->world->now_ns > deadline)
            return error_set(error, SQLSTATE_OBJECT_IN_USE, "an old snapshot keeps shard %llu in its place",
                             (unsigned long long)reshape->old[0].shard->shard);
        if (fiber_sleep_until(core->world->scheduler, core->world->now_ns + POLL_NS) == FIBER_CANCELED)
            return fiber_check_canceled(core->world->scheduler, error);
        enum sqlstate failed = still_there(reshape, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* Nobody is in: no lock, no open writer, no fiber, and every commit is visible. */
static bool is_quiet(const struct shard *shard)
{
    const struct engine_core *core = shard->core;
    uint64_t visible = txn_visible(core->txn);
    if (shard->users || !lock_shard_idle(core->locks, shard->shard))
        return false;
    list_each (&core->branches, at)
        list_each (&container_of(at, struct branch, of_core)->writers, of)
            if (container_of(of, struct branch_writer, link)->shard == shard)
                return false;
    list_each (&core->settling, at) {
        const struct branch_writer *writer = container_of(at, struct branch_writer, link);
        if (writer->shard == shard && writer->writer.scn > visible)
            return false;
    }
    return true;
}

static bool are_quiet(const struct reshape *reshape)
{
    for (size_t i = 0; i < reshape->olds; i++)
        if (!is_quiet(reshape->old[i].shard))
            return false;
    return true;
}

static void gates_close(struct reshape *reshape)
{
    for (size_t i = 0; i < reshape->olds; i++)
        reshape->old[i].shard->gate = true;
}

static void gates_open(struct reshape *reshape)
{
    for (size_t i = 0; i < reshape->olds; i++) {
        reshape->old[i].shard->gate = false;
        fiber_wake_all(&reshape->old[i].shard->opened);
    }
}

static enum sqlstate wait_behind_gates(struct reshape *reshape, struct error *error)
{
    struct engine_core *core = reshape->core;
    struct scheduler *scheduler = core->world->scheduler;
    for (int i = 0; i < GATE_TRIES; i++) {
        uint64_t deadline = core->world->now_ns + GATE_NS;
        gates_close(reshape);
        while (core->world->now_ns < deadline) {
            if (are_quiet(reshape))
                return SQLSTATE_OK;
            if (fiber_sleep_until(scheduler, core->world->now_ns + POLL_NS / 4) == FIBER_CANCELED)
                break;
        }
        gates_open(reshape);
        if (fiber_sleep_until(scheduler, core->world->now_ns + GATE_NS) == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
        enum sqlstate failed = still_there(reshape, error);
        if (failed)
            return failed;
    }
    return error_set(error, SQLSTATE_OBJECT_IN_USE, "shard %llu is never idle",
                     (unsigned long long)reshape->old[0].shard->shard);
}

/* ---- 5: what was committed since ---- */

/* Packed: u64 SCN, u8 what it is, bytes key, bytes row (of a large row: where it lies in the new shard, once it has been
 * copied there; in the old one before). All versions of a key go in one batch, for the next batch begins at a key;
 * when they do not fit into an empty one, its room grows. */
enum packed { PACKED_DELETION, PACKED_ROW, PACKED_LARGE };

struct delta {
    struct reshape *reshape;
    uint64_t shard;
    const struct shard_place *target;
    uint8_t *memory;
    size_t room, used, wanted;
    size_t key_start;  /* where the present key's versions begin */
    struct bytes key;  /* the present key, in `memory` */
    struct bytes next; /* where the next batch begins */
    bool more;
};

static bool take_change(void *argument, const struct store_change *change)
{
    struct delta *delta = argument;
    const struct shard_place *target = delta->target;
    bool large = change->large.size;
    struct bytes row = large ? bytes_of(&change->large, sizeof change->large) : change->row;
    if (!target->to_open && bytes_compare(change->key, target->to) >= 0)
        return false;
    if (delta->used == 0 || bytes_compare(change->key, delta->key) != 0)
        delta->key_start = delta->used;
    size_t bytes = 9 + codec_bytes_size(change->key.size) + codec_bytes_size(row.size);
    if (bytes > delta->room - delta->used) {
        delta->wanted = delta->key_start ? 0 : 2 * (delta->used + bytes);
        delta->used = delta->key_start;
        delta->next =
            bytes_of(scope_copy(delta->reshape->scope, change->key.data, change->key.size), change->key.size);
        delta->more = true;
        return false;
    }
    struct codec_writer out = codec_writer_of(delta->memory + delta->used, bytes);
    codec_write_u64(&out, change->scn);
    codec_write_u8(&out, large ? PACKED_LARGE : change->exists ? PACKED_ROW : PACKED_DELETION);
    codec_write_bytes(&out, change->key);
    delta->key = bytes_of(out.at - change->key.size, change->key.size);
    codec_write_bytes(&out, row);
    check(!out.failed);
    delta->used += codec_written(&out).size;
    return true;
}

static enum sqlstate apply_delta(struct engine_core *core, void *argument, struct error *error)
{
    const struct delta *delta = argument;
    struct shard *shard = shard_by_number(core, delta->shard);
    struct codec_reader in = codec_reader_of(bytes_of(delta->memory, delta->used));
    while (codec_left(&in)) {
        uint64_t scn = codec_read_u64(&in);
        enum packed what = codec_read_u8(&in);
        struct bytes key = codec_read_bytes(&in), row = codec_read_bytes(&in);
        struct store_large large;
        check(!in.failed);
        enum sqlstate failed = shard->store->ops->make_room(
            shard->store, key.size + row.size + 256, txn_visible(core->txn), txn_oldest(core->txn), error);
        if (failed)
            return failed;
        struct writer writer = {.transaction = delta->shard};
        struct effect effect = {
            .kind = what == PACKED_DELETION ? EFFECT_DELETE : EFFECT_UPDATE, .key = key, .row = row};
        if (what == PACKED_LARGE) {
            memcpy(&large, row.data, sizeof large);
            effect.row = bytes_of(NULL, 0);
            effect.large = &large;
        }
        shard->store->ops->apply(shard->store, &writer, &effect);
        shard->store->ops->commit(shard->store, &writer, scn);
    }
    return SQLSTATE_OK;
}

/* A large row on its way into a new shard, piece by piece. */
struct large_copy {
    uint64_t shard;
    struct store_large large; /* there */
    uint64_t offset;
    struct bytes piece;
};

static enum sqlstate large_begin(struct engine_core *core, void *argument, struct error *error)
{
    struct large_copy *copy = argument;
    struct shard *shard = shard_by_number(core, copy->shard);
    return row_store_large_begin(shard->store, copy->large.size, &copy->large, error);
}

static enum sqlstate large_write(struct engine_core *core, void *argument, struct error *error)
{
    const struct large_copy *copy = argument;
    struct shard *shard = shard_by_number(core, copy->shard);
    return row_store_large_write(shard->store, &copy->large, copy->offset, copy->piece, error);
}

/* Gives where the copy lies. One that is not finished goes with the shard, or at the next start. */
static enum sqlstate copy_large(struct reshape *reshape, struct store *from, const struct shard_place *target,
                                struct store_large *large, uint8_t *memory, struct error *error)
{
    struct engine_core *core = reshape->core;
    uint32_t to = volume_core(core, target->volume);
    struct large_copy copy = {.shard = target->shard, .large = *large};
    size_t unit = row_store_large_unit(from), step = LARGE_PIECE_BYTES / unit * unit;
    enum sqlstate failed = core_call(core, to, large_begin, &copy, error);
    for (; !failed && copy.offset < large->size; copy.offset += step) {
        size_t left = large->size - copy.offset;
        copy.piece = bytes_of(memory, left < step ? left : step);
        failed = row_store_large_read(from, large, copy.offset, memory, copy.piece.size, error);
        if (!failed)
            failed = core_call(core, to, large_write, &copy, error);
    }
    *large = copy.large;
    return failed;
}

/* Large rows among what was packed go over first. */
static enum sqlstate copy_larges(struct reshape *reshape, struct store *from, const struct delta *delta,
                                 struct error *error)
{
    struct scope *scope = NULL;
    void *memory = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    struct codec_reader in = codec_reader_of(bytes_of(delta->memory, delta->used));
    while (codec_left(&in) && !failed) {
        codec_read_u64(&in);
        enum packed what = codec_read_u8(&in);
        codec_read_bytes(&in);
        struct bytes row = codec_read_bytes(&in);
        struct store_large large;
        if (what != PACKED_LARGE)
            continue;
        if (!scope) {
            scope = scope_open(reshape->scope, "large rows");
            failed = scope_alloc_large(scope, LARGE_PIECE_BYTES, 16, &memory, error);
        }
        memcpy(&large, row.data, sizeof large);
        if (!failed)
            failed = copy_large(reshape, from, delta->target, &large, memory, error);
        memcpy(delta->memory + (row.data - delta->memory), &large, sizeof large);
    }
    if (scope)
        scope_close(scope);
    return failed;
}

static enum sqlstate copy_changes(struct reshape *reshape, const struct shard *old,
                                  const struct shard_place *target, struct error *error)
{
    struct delta delta = {.reshape = reshape, .shard = target->shard, .target = target, .room = DELTA_BYTES};
    struct store *store = old->store;
    void *memory;
    enum sqlstate failed = scope_alloc_large(reshape->scope, delta.room, 16, &memory, error);
    delta.memory = memory;
    delta.next = target->from;
    do {
        if (failed)
            return failed;
        delta.used = delta.wanted = delta.key_start = 0;
        delta.more = false;
        store->ops->changed(store, reshape->snapshot.scn, delta.next, take_change, &delta);
        if (delta.wanted) { /* then nothing was packed */
            scope_free_large(reshape->scope, delta.memory);
            failed = scope_alloc_large(reshape->scope, delta.wanted, 16, &memory, error);
            delta.memory = memory;
            delta.room = delta.wanted;
        } else if (delta.used) {
            failed = copy_larges(reshape, store, &delta, error);
            if (!failed)
                failed = core_call(reshape->core, volume_core(reshape->core, target->volume), apply_delta,
                                   &delta, error);
        }
    } while (delta.more);
    return failed;
}

/* ---- 6: the change of the directory ---- */

/* What a new shard is told when the directory has it. */
struct confirm {
    uint64_t shard;
    bool was_large, rests;
};

static enum sqlstate confirm_there(struct engine_core *core, void *argument, struct error *error)
{
    const struct confirm *confirm = argument;
    struct shard *shard = shard_by_number(core, confirm->shard);
    (void)error;
    shard->creator = 0;
    shard->was_large = confirm->was_large;
    if (confirm->rests)
        shard->rests_till_ns = core->world->now_ns + SHARD_REST_NS;
    return SQLSTATE_OK;
}

static void confirm_targets(struct reshape *reshape)
{
    struct error error;
    bool was_large = false;
    for (size_t i = 0; i < reshape->olds; i++)
        was_large |= reshape->old[i].shard->was_large;
    for (size_t i = 0; i < reshape->targets; i++) {
        struct confirm confirm = {reshape->target[i].shard, was_large, reshape->rests};
        (void)!core_call(reshape->core, volume_core(reshape->core, reshape->target[i].volume), confirm_there,
                         &confirm, &error);
    }
}

static enum sqlstate make_durable(struct engine_core *core, void *argument, struct error *error)
{
    (void)argument;
    return checkpoint_core(core, error);
}

static enum sqlstate drop_target(struct engine_core *core, void *argument, struct error *error)
{
    const struct shard_place *place = argument;
    struct shard *shard = shard_by_number(core, place->shard);
    if (!shard)
        return SQLSTATE_OK;
    shard->gone = shard->dropped = true;
    return shard_drop(shard, error);
}

static enum sqlstate on_targets(struct reshape *reshape,
                                enum sqlstate (*run)(struct engine_core *core, void *argument,
                                                     struct error *error),
                                struct error *error)
{
    for (size_t i = 0; i < reshape->targets; i++) {
        struct shard_place *target = &reshape->target[i];
        enum sqlstate failed =
            core_call(reshape->core, volume_core(reshape->core, target->volume), run, target, error);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

/* A row of the directory goes. Who drops the table holds its lock, and may wait at the gate: nobody waits for it here. */
static enum sqlstate delete_place(struct reshape *reshape, const struct old_shard *old, struct error *error)
{
    struct shard_place place = {.table = old->shard->table, .from = old->from};
    struct bytes key = shard_place_key(reshape->scope, &place), row;
    enum lock_outcome outcome;
    bool found, done = false;
    enum sqlstate failed = row_lock(reshape->transaction, reshape->scope, TABLE_DIRECTORY, key, LOCK_UPDATE,
                                    LOCK_NOWAIT, &row, &found, &outcome, error);
    if (!failed)
        failed = row_delete(reshape->transaction, TABLE_DIRECTORY, key, &done, error);
    return failed || done ? failed : no_such_table(place.table, error); /* dropped meanwhile */
}

static enum sqlstate write_directory(struct reshape *reshape, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t i = 0; i < reshape->olds && !failed; i++)
        failed = delete_place(reshape, &reshape->old[i], error);
    for (size_t i = 0; i < reshape->targets && !failed; i++) {
        const struct shard_place *target = &reshape->target[i];
        bool done = false;
        failed = row_insert(reshape->transaction, TABLE_DIRECTORY, shard_place_key(reshape->scope, target),
                            shard_place_write(reshape->scope, target), &done, error);
        check(failed || done);
    }
    return failed;
}

/* All that was committed since the snapshot, to where it belongs. */
static enum sqlstate copy_all_changes(struct reshape *reshape, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t o = 0; o < reshape->olds && !failed; o++) {
        const struct shard *old = reshape->old[o].shard;
        if (old->volume && row_store_spilled(old->store, reshape->snapshot.scn))
            failed =
                error_set(error, SQLSTATE_OBJECT_IN_USE, "a large transaction has just ended in shard %llu",
                          (unsigned long long)old->shard);
        for (size_t i = 0; i < reshape->targets && !failed; i++)
            failed = copy_changes(reshape, old, &reshape->target[i], error);
    }
    return failed;
}

/* The shards are quiet behind their gates. */
static enum sqlstate replace(struct reshape *reshape, struct error *error)
{
    struct engine_core *core = reshape->core;
    uint64_t gone[OLD_MAX];
    enum sqlstate failed = copy_all_changes(reshape, error);
    if (!failed && reshape->old[0].shard->volume)
        failed = on_targets(reshape, make_durable, error);
    if (!failed)
        failed = write_directory(reshape, error);
    if (failed) {
        transaction_rollback(reshape->transaction);
        return failed;
    }
    failed = transaction_commit(reshape->transaction, error);
    if (failed)
        return failed; /* 40003 included: the node is about to stop, and recovery knows */
    confirm_targets(reshape);
    for (size_t i = 0; i < reshape->olds; i++)
        gone[i] = reshape->old[i].shard->shard;
    directory_replace(core, gone, reshape->olds, reshape->target, reshape->targets);
    for (size_t i = 0; i < reshape->olds; i++)
        reshape->old[i].shard->gone = reshape->old[i].shard->dropped = true;
    gates_open(reshape);
    return SQLSTATE_OK;
}

static enum sqlstate drop_olds(struct reshape *reshape, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (size_t i = 0; i < reshape->olds; i++) {
        struct error ignored;
        while (reshape->old[i].shard->users)
            fiber_yield(reshape->core->world->scheduler);
        enum sqlstate one = shard_drop(reshape->old[i].shard, failed ? &ignored : error);
        failed = failed ? failed : one;
    }
    return failed;
}

static enum sqlstate reshape_run(struct reshape *reshape, struct error *error)
{
    struct engine_core *core = reshape->core;
    const struct transaction_options options = {.isolation = READ_COMMITTED};
    enum sqlstate failed = on_targets(reshape, open_target, error);
    snapshot_take(core->txn, &reshape->snapshot, 0, 0);
    if (!failed)
        failed = copy_rows(reshape, error);
    if (!failed)
        failed = wait_for_snapshots(reshape, error);
    if (!failed)
        failed = wait_behind_gates(reshape, error);
    if (!failed) {
        failed = transaction_begin(core->world, core->engine, reshape->scope, &options, &reshape->transaction,
                                   error);
        if (!failed)
            failed = replace(reshape, error);
        gates_open(reshape);
    }
    snapshot_drop(core->txn, &reshape->snapshot);
    if (failed) {
        struct error ignored;
        if (failed != SQLSTATE_STATEMENT_COMPLETION_UNKNOWN)
            (void)!on_targets(reshape, drop_target, &ignored);
        return failed;
    }
    return drop_olds(reshape, error);
}

/* ---- the doors ---- */

static struct bytes copy(struct scope *scope, struct bytes bytes)
{
    return bytes.size ? bytes_of(scope_copy(scope, bytes.data, bytes.size), bytes.size) : bytes_of(NULL, 0);
}

static enum sqlstate set_targets(struct reshape *reshape, const struct reshape_call *call,
                                 struct shard_place whole, struct error *error)
{
    reshape->targets = call->kind == RESHAPE_SPLIT ? 2 : 1;
    for (size_t i = 0; i < reshape->targets; i++) {
        reshape->target[i] = whole;
        reshape->target[i].shard = txn_new_id(reshape->core->txn);
    }
    reshape->target[reshape->targets - 1].volume = call->to_core;
    if (call->kind != RESHAPE_SPLIT)
        return SQLSTATE_OK;
    struct bytes at = copy(reshape->scope, call->at);
    if (bytes_compare(at, whole.from) <= 0 || (!whole.to_open && bytes_compare(at, whole.to) >= 0))
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "the key to split at is not inside the shard");
    reshape->target[0].to = at;
    reshape->target[0].to_open = false;
    reshape->target[1].from = at;
    return SQLSTATE_OK;
}

static enum sqlstate cannot(uint64_t shard, struct error *error)
{
    return error_set(error, SQLSTATE_OBJECT_IN_USE, "shard %llu cannot be moved, split or merged now",
                     (unsigned long long)shard);
}

/* The shards to be replaced, and the range they cover together; their places are of the map as it is now. */
static enum sqlstate set_olds(struct reshape *reshape, const struct reshape_call *call,
                              struct shard_place *whole, struct error *error)
{
    struct engine_core *core = reshape->core;
    const struct shard_map *map = engine_map(core->engine);
    const struct shard_place *place = shard_map_of(map, call->shard);
    if (!place)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "there is no shard %llu",
                         (unsigned long long)call->shard);
    *whole = *place;
    for (size_t i = 0; i < (call->kind == RESHAPE_MERGE ? 2 : 1); i++, place++) {
        if (place == map->place + map->count || place->table != whole->table)
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "shard %llu has no neighbour to its right", (unsigned long long)call->shard);
        struct shard *shard = shard_by_number(core, place->shard);
        if (!shard || shard->gone || shard->creator || shard->reshaping || place->shard == SHARD_DIRECTORY)
            return cannot(place->shard, error);
        whole->to = place->to;
        whole->to_open = place->to_open;
        if (place->scn > whole->scn)
            whole->scn = place->scn;
        reshape->old[reshape->olds++] = (struct old_shard){shard, copy(reshape->scope, place->from)};
    }
    whole->from = copy(reshape->scope, whole->from);
    whole->to = copy(reshape->scope, whole->to);
    return SQLSTATE_OK;
}

enum sqlstate reshape_there(struct engine_core *core, void *argument, struct error *error)
{
    const struct reshape_call *call = argument;
    struct scope *scope = scope_open(core->scope, "reshape");
    struct reshape *reshape = scope_alloc_zeroed(scope, sizeof *reshape);
    struct shard_place whole;
    reshape->core = core;
    reshape->scope = scope;
    reshape->rests = call->rests;
    enum sqlstate failed = set_olds(reshape, call, &whole, error);
    if (!failed)
        failed = set_targets(reshape, call, whole, error);
    if (!failed) {
        for (size_t i = 0; i < reshape->olds; i++)
            reshape->old[i].shard->reshaping = true;
        failed = reshape_run(reshape, error);
        for (size_t i = 0; i < reshape->olds && failed; i++)
            reshape->old[i].shard->reshaping = false;
    }
    scope_close(scope);
    return failed;
}

static enum sqlstate reshape_call(struct world *world, struct engine *engine, struct reshape_call *call,
                                  struct error *error)
{
    struct engine_core *core = engine_core_of(engine, world);
    const struct shard_place *place = shard_map_of(engine_map(engine), call->shard);
    if (!place)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "there is no shard %llu",
                         (unsigned long long)call->shard);
    if (call->kind != RESHAPE_MOVE)
        call->to_core = volume_core(core, place->volume);
    return core_call(core, volume_core(core, place->volume), reshape_there, call, error);
}

enum sqlstate shard_move(struct world *world, struct engine *engine, uint64_t shard, uint32_t core,
                         struct error *error)
{
    if (core >= world->cores)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "there is no core %u", core);
    struct reshape_call call = {.kind = RESHAPE_MOVE, .shard = shard, .to_core = core};
    return reshape_call(world, engine, &call, error);
}

enum sqlstate shard_split(struct world *world, struct engine *engine, uint64_t shard, struct bytes at,
                          struct error *error)
{
    struct reshape_call call = {.kind = RESHAPE_SPLIT, .shard = shard, .at = at};
    return reshape_call(world, engine, &call, error);
}

enum sqlstate shard_merge(struct world *world, struct engine *engine, uint64_t shard, struct error *error)
{
    struct reshape_call call = {.kind = RESHAPE_MERGE, .shard = shard};
    return reshape_call(world, engine, &call, error);
}
