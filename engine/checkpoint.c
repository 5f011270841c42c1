/* Checkpoints, and the other work that nobody waits for. engine/README.md, section 5.
 *
 * A volume's checkpoint at SCN c, while everything goes on:
 *   1. c = visible. P = the lowest log position that a transaction not visible at c may have written on this core.
 *   2. Each shard of the volume brings its committed versions up to c into its tree. When many pages wait for it, the volume is
 *      committed in between with the promise of the last checkpoint, so that it need not have room for two of each page.
 *   3. The roots tree gets the shards' new roots; as that yields, and a shard may move on meanwhile (making room), until
 *      none has.
 *      When a shard has to leave a large commit out, c and P stay what they were at the last checkpoint.
 *   4. volume_commit() with {c, P, root of the roots tree}, begun in the same stretch in which step 3 found nothing to do.
 * Later the log before the smallest P of all volumes is not needed. */
#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/row/row.h"
#include "engine/volume_root.h"

/* How often a core looks for versions to collect. */
#define TEND_EVERY_NS (50 * 1000 * 1000UL)
/* And at most so seldom, when a second's looks have found nothing new: each wakes a processor. */
#define TEND_REST_NS (1000 * 1000 * 1000UL)
/* Of so many rounds at the same oldest snapshot one collects all the same: merging leaves versions behind, too. */
#define COLLECT_ALWAYS 20
/* Log between checkpoints when the options do not say. */
#define CHECKPOINT_LOG_BYTES (256UL * 1024 * 1024)
/* Of a volume's pages in use, so many may wait for the next commit before one is made in the middle of a merge. */
#define GENERATION_SHARE     16
#define GENERATION_PAGES_MIN 64
/* Calls of collect for one shard in one round; each is bounded itself. */
#define COLLECT_CALLS 20

/* ---- one volume ---- */

struct root_change {
    uint64_t key; /* shard, big endian */
    uint8_t row[SHARD_ROOT_BYTES];
    bool given;
    bool remove;
};

static bool next_root(void *argument, struct bytes bound, bool bound_open, struct tree_change *change)
{
    struct root_change *root = argument;
    (void)bound;
    (void)bound_open;
    if (root->given)
        return false;
    root->given = true;
    *change = (struct tree_change){.key = bytes_of(&root->key, sizeof root->key), .remove = root->remove};
    if (!root->remove)
        change->value = bytes_of(root->row, sizeof root->row);
    return true;
}

static enum tree_replace replace_root(void *argument, const struct tree_change *change,
                                      const struct tree_value *old)
{
    (void)argument;
    (void)change;
    (void)old;
    return TREE_REPLACE;
}

enum sqlstate volume_put_root(struct core_volume *volume, uint64_t shard, const struct tree_root *root,
                              struct error *error)
{
    struct root_change change = {.key = __builtin_bswap64(shard), .remove = root->page == PAGE_NONE};
    shard_root_write(change.row, root);
    const struct tree_merge merge = {.next = next_root, .replaces = replace_root, .argument = &change};
    uint8_t bound[STORE_KEY_BYTES_MAX];
    size_t bound_size;
    bool last;
    return tree_apply(volume->roots, bytes_of(&change.key, sizeof change.key), &merge, bound, &bound_size,
                      &last, error);
}

static bool same_root(const struct tree_root *a, const struct tree_root *b)
{
    return a->page == b->page && a->rows == b->rows && a->pages == b->pages && a->extents == b->extents &&
           a->height == b->height;
}

/* A shard whose root the roots tree does not have as it is, or NULL. Shards of open transactions are written, too: a bulk load
 * must be durable before its transaction commits; if it does not, nobody will ask for the root, and it goes at the drop. So are
 * those that are dropped: their pages may have changed in a merge that was under way, and the old root leads to freed ones. */
static struct shard *changed_shard(struct engine_core *core, const struct core_volume *volume)
{
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        if (shard->volume != volume)
            continue;
        struct tree_root root = row_store_root(shard->store);
        if (!same_root(&root, &shard->written))
            return shard;
    }
    return NULL;
}

static enum sqlstate write_roots(struct engine_core *core, struct core_volume *volume, struct error *error)
{
    for (struct shard *shard; (shard = changed_shard(core, volume));) {
        struct tree_root root = row_store_root(shard->store);
        shard->users++;
        enum sqlstate failed = volume_put_root(volume, shard->shard, &root, error);
        shard->users--;
        if (failed)
            return failed; /* the roots still have the old one, and `written` says so */
        shard->written = root;
    }
    return SQLSTATE_OK;
}

/* Shards come and go while a checkpoint yields: each is held while it is worked on, and the walk goes by number. */
static struct shard *next_shard(struct engine_core *core, const struct core_volume *volume, uint64_t behind)
{
    struct shard *next = NULL;
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        if (shard->volume == volume && !shard->dropped && shard->shard > behind &&
            (!next || shard->shard < next->shard))
            next = shard;
    }
    return next;
}

/* A shard is left as it is because of what cannot be read of it; the others are not to suffer. */
static bool is_left(const struct shard *shard, enum sqlstate failed, const struct error *error)
{
    if ((failed != SQLSTATE_DATA_CORRUPTED && failed != SQLSTATE_IO_ERROR) ||
        volume_failed(shard->volume->volume))
        return false;
    log_error(shard->core->world, LOG_ERROR, "shard_damaged", error,
              "shard %llu of table %llu is left out of a checkpoint", (unsigned long long)shard->shard,
              (unsigned long long)shard->table);
    return true;
}

/* *whole: every commit up to `scn` is in the trees; false when some large ones must wait (engine/row/spill.c), or pages cannot be
 * read. */
static enum sqlstate merge_shards(struct engine_core *core, struct core_volume *volume, uint64_t scn,
                                  bool *whole, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    uint64_t behind = 0;
    *whole = true;
    for (struct shard *shard; !failed && (shard = next_shard(core, volume, behind));) {
        behind = shard->shard;
        if (!row_store_dirty(shard->store, &shard->written))
            continue;
        struct store_checkpoint done;
        shard->users++;
        failed = shard->store->ops->checkpoint(shard->store, scn, txn_oldest(core->txn), &done, error);
        shard->users--;
        if (failed ? is_left(shard, failed, error) : done.scn < scn) {
            failed = SQLSTATE_OK;
            *whole = false;
        }
    }
    return failed;
}

void volume_hold(struct engine_core *core, struct core_volume *volume)
{
    fiber_shield_begin(core->world->scheduler);
    while (volume->held)
        (void)!fiber_wait(core->world->scheduler, &volume->free, FIBER_NO_DEADLINE);
    fiber_shield_end(core->world->scheduler);
    volume->held = true;
}

void volume_release(struct core_volume *volume)
{
    volume->held = false;
    fiber_wake_one(&volume->free);
}

void volume_write_begin(struct engine_core *core, struct core_volume *volume)
{
    fiber_shield_begin(core->world->scheduler);
    while (volume->writing)
        (void)!fiber_wait(core->world->scheduler, &volume->written, FIBER_NO_DEADLINE);
    fiber_shield_end(core->world->scheduler);
    volume->writing = true;
}

void volume_write_end(struct core_volume *volume)
{
    volume->writing = false;
    fiber_wake_one(&volume->written);
}

/* Makes the trees durable as they are, with the promise that they hold every commit up to `scn`, and that the rest is in the log
 * from `floor` on. */
static enum sqlstate make_durable(struct engine_core *core, struct core_volume *volume, uint64_t scn,
                                  uint64_t floor, struct error *error)
{
    enum sqlstate failed = write_roots(core, volume, error);
    if (failed)
        return failed;
    uint8_t record[VOLUME_ROOT_BYTES];
    struct volume_root root = {
        .checkpoint_scn = scn, .replay_from = floor, .roots = tree_root(volume->roots)};
    size_t bytes = volume_root_write(record, &root);
    return volume_commit(volume->volume, bytes_of(record, bytes), error);
}

/* Whether the pages that wait for a commit are so many that it is time for one. */
static bool is_crowded(const struct engine_core *core, const struct core_volume *volume)
{
    struct volume_figures figures;
    uint64_t least = core->options.generation_pages ? core->options.generation_pages : GENERATION_PAGES_MIN;
    volume_figures(volume->volume, &figures);
    return figures.held_pages > least &&
           figures.held_pages > (figures.pages - figures.free_pages) / GENERATION_SHARE;
}

/* Changed pages are there twice until the next commit, and a merge of updates all over a tree changes each of its leaves. So it
 * is committed piece by piece. The last checkpoint's promise stands: trees may be ahead of it. */
enum sqlstate volume_relieve(void *argument, struct error *error)
{
    const struct shard *shard = argument;
    struct engine_core *core = shard->core;
    struct core_volume *volume = shard->volume;
    if (!is_crowded(core, volume))
        return SQLSTATE_OK;
    enum sqlstate failed = SQLSTATE_OK;
    volume_write_begin(core, volume);
    if (is_crowded(core, volume))
        failed = make_durable(core, volume, volume->checkpoint_scn, volume->replay_from, error);
    volume_write_end(volume);
    return failed;
}

static enum sqlstate checkpoint_volume(struct engine_core *core, struct core_volume *volume,
                                       struct error *error)
{
    volume_hold(core, volume);
    uint64_t scn = txn_visible(core->txn);
    uint64_t floor = branch_floor(core, scn, log_port_stable(core->port));
    bool whole;
    enum sqlstate failed = merge_shards(core, volume, scn, &whole, error);
    if (!whole) {
        /* The trees may be ahead of what is promised, not behind: the last promise stands. */
        scn = volume->checkpoint_scn;
        floor = volume->replay_from;
    }
    volume_write_begin(core, volume);
    if (!failed)
        failed = make_durable(core, volume, scn, floor, error);
    if (!failed) {
        volume->checkpoint_scn = scn;
        volume->replay_from = floor;
    }
    volume_write_end(volume);
    volume_release(volume);
    return failed;
}

enum sqlstate checkpoint_core(struct engine_core *core, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < core->volumes && !failed; i++)
        failed = checkpoint_volume(core, &core->volume[i], error);
    return failed;
}

/* ---- the node ---- */

static enum sqlstate checkpoint_there(struct engine_core *core, void *argument, struct error *error)
{
    uint64_t *needed = argument;
    enum sqlstate failed = checkpoint_core(core, error);
    *needed = UINT64_MAX;
    for (uint32_t i = 0; i < core->volumes; i++)
        if (core->volume[i].replay_from < *needed)
            *needed = core->volume[i].replay_from;
    return failed;
}

static enum sqlstate checkpoint_all(struct engine_core *core, struct error *error)
{
    uint64_t needed = UINT64_MAX;
    for (uint32_t to = 0; to < core->world->cores; to++) {
        uint64_t by_core;
        enum sqlstate failed = core_call(core, to, checkpoint_there, &by_core, error);
        if (failed)
            return failed;
        needed = by_core < needed ? by_core : needed;
    }
    return node_log_truncate(core->engine->log, needed, error);
}

static enum sqlstate checkpoint_on_zero(struct engine_core *core, void *argument, struct error *error)
{
    struct scheduler *scheduler = core->world->scheduler;
    (void)argument;
    while (core->checkpointing)
        if (fiber_wait(scheduler, &core->checkpointed, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            return fiber_check_canceled(scheduler, error);
    core->checkpointing = true;
    enum sqlstate failed = checkpoint_all(core, error);
    uint64_t due =
        core->options.checkpoint_log_bytes ? core->options.checkpoint_log_bytes : CHECKPOINT_LOG_BYTES;
    core->checkpoint_at = log_port_stable(core->port) + due;
    core->checkpointing = false;
    fiber_wake_all(&core->checkpointed);
    return failed;
}

enum sqlstate checkpoint_node(struct engine_core *core, struct error *error)
{
    return core_call(core, 0, checkpoint_on_zero, NULL, error);
}

/* ---- tending ---- */

/* Whether all was collected that can be at `oldest`. Shards come and go while this yields, so it goes by their numbers. */
static bool collect_all(struct engine_core *core, uint64_t oldest)
{
    bool all = true;
    size_t count = 0, shards = 0;
    list_each (&core->shards, at)
        shards++;
    struct scope *scope = scope_open(core->scope, "collect");
    uint64_t *numbers = scope_alloc(scope, (shards + 1) * sizeof *numbers);
    list_each (&core->shards, at)
        numbers[count++] = container_of(at, struct shard, of_core)->shard;
    for (size_t n = 0; n < count; n++) {
        struct shard *shard = shard_by_number(core, numbers[n]);
        if (!shard || shard->gone)
            continue;
        shard->users++;
        bool more = true;
        for (int i = 0; i < COLLECT_CALLS && (more = shard->store->ops->collect(shard->store, oldest)); i++)
            fiber_yield(core->world->scheduler);
        shard->users--;
        all &= !more;
    }
    scope_close(scope);
    return all;
}

/* A volume that takes no more changes will never be committed again, and may have lost what was written since the last
 * commit. The log has all of it: the next start brings it back. */
static bool a_volume_has_failed(struct engine_core *core)
{
    for (uint32_t i = 0; i < core->volumes; i++) {
        if (!volume_failed(core->volume[i].volume))
            continue;
        log_line(core->world, LOG_ERROR, "volume_failed", "volume %u has failed: the node stops",
                 core->volume[i].number);
        world_stop(core->world);
        return true;
    }
    return false;
}

static void drop_what_could_not_be(struct engine_core *core)
{
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        struct error error;
        if (!shard->drop_later)
            continue;
        if (shard_drop(shard, &error))
            log_error(core->world, LOG_DEBUG, "shard_drop", &error, "a shard is dropped later");
        return; /* the list may have changed */
    }
}

/* How long to wait until the next look: nothing was committed, here or on other cores, since the one before. */
struct tending {
    uint64_t oldest, stable; /* at the last look */
    uint32_t still;          /* looks since something was new */
    uint64_t pause_ns;
};

static void tending_pause(struct tending *tending, struct engine_core *core, uint64_t oldest)
{
    uint64_t stable = log_port_stable(core->port);
    bool due = core->world->core == 0 && stable >= core->checkpoint_at;
    bool is_new = oldest != tending->oldest || stable != tending->stable || due;
    tending->oldest = oldest;
    tending->stable = stable;
    tending->still = is_new ? 0 : tending->still + 1;
    if (tending->still <= COLLECT_ALWAYS)
        tending->pause_ns = TEND_EVERY_NS;
    else if (tending->pause_ns < TEND_REST_NS)
        tending->pause_ns *= 2;
}

static void run_tending(void *argument)
{
    struct engine_core *core = argument;
    struct scheduler *scheduler = core->world->scheduler;
    uint64_t collected = SCN_NONE; /* at this oldest snapshot nothing is left to be collected */
    uint64_t round = 0;
    struct tending tending = {.pause_ns = TEND_EVERY_NS};
    while (!core->closing) {
        if (fiber_sleep_until(scheduler, core->world->now_ns + tending.pause_ns) == FIBER_CANCELED)
            return;
        if (core->closing || !engine_serving(core->engine))
            continue;
        if (a_volume_has_failed(core))
            return;
        uint64_t oldest = txn_oldest(core->txn);
        if (oldest != collected || round++ % COLLECT_ALWAYS == 0)
            collected = collect_all(core, oldest) ? oldest : SCN_NONE;
        tending_pause(&tending, core, oldest);
        branch_sweep(core);
        drop_what_could_not_be(core);
        if (core->world->core != 0 || log_port_stable(core->port) < core->checkpoint_at ||
            core->checkpointing)
            continue;
        struct error error;
        if (checkpoint_node(core, &error))
            log_error(core->world, LOG_ERROR, "checkpoint_failed", &error, "a checkpoint has failed");
    }
}

enum sqlstate tend_open(struct engine_core *core, struct error *error)
{
    fiber_queue_init(&core->checkpointed);
    return fiber_start(core->world->scheduler, core->scope, "tending", run_tending, core, NULL, error);
}
