/* Which shards are split, merged and moved, and when. Every core looks at its own shards now and then and does at most one
 * thing at a time; how a shard is replaced while it is in use is reshape.c's affair.
 *
 *     split    above shard_bytes_max, in the middle of its tree; the right half goes to the core that has the fewest of the
 *              table's shards, and then least to do
 *     spread   above shard_bytes_spread, if a core has none of the table's and long scans ask for it: when as many rows as
 *              the shard has were gone through SPREAD_SCANS times of late. It is split likewise, or moved when this core
 *              has another of the table's. What is only read and written row by row stays together: to such work cores are
 *              no help, and transactions that find their rows on one core are cheaper
 *     merge    a shard that was large and is small now (an eighth of the limit), with a small neighbour to its right; when that
 *              lies on another core, the left one moves there first. A shard that never was large is left alone: somebody may
 *              have cut it on purpose, before its rows come
 *     move     from a core with far more calls than the least busy one, at several looks one after the other: the busiest
 *              shard that does not turn the tables and whose copy is soon paid back; then it rests
 *
 * What a core has to do is told by two words that each core publishes (engine->load): calls at its shards in a second, and
 * bytes in them. They are hints: a reader may see an old one or one of two, and then moves a shard too many or too few.
 *
 * Copying a shard costs as much as a few scans of it. So whoever waits for that many before it spreads the shard never spends more
 * than twice what it would have, had it known what comes. A spread table stays spread: to gather it would cost
 * another copy, and gain little.
 *
 * The limits are apart (a half of what was split is four times what would be merged), so nothing swings. */
#include "base/check.h"
#include "base/log.h"
#include "base/scope.h"
#include "engine/inside.h"
#include "engine/row/row.h"

/* A shard this large is copied in about a second, and a scan of ten of them keeps many cores busy. */
#define SHARD_BYTES_MAX (256UL * 1024 * 1024)
/* Work for some ms: a scan of two such halves on two cores gains more than sending for them costs. */
#define SHARD_BYTES_SPREAD (8UL * 1024 * 1024)
/* A shard was scanned so many times of late: about what its copy costs. */
#define SPREAD_SCANS 4
/* A scan is long that has gone through a shard's rows / LONG_SHARE: in shards worth spreading that is a ms or so. */
#define LONG_SHARE 16
/* What was scanned counts less with every look: half after eleven. */
#define FADE_LOOKS 16
/* Long beside what a look costs, short beside the time in which a shard fills. */
#define SIZING_EVERY_NS (1000 * 1000 * 1000UL)
/* A shard of at most limit / MERGE_SHARE is small. */
#define MERGE_SHARE 8
/* Looks that a shard is left in peace for after its replacement has failed. */
#define REST_LOOKS 10
/* A move needs so many calls a second more on this core than on the other: fewer are not worth a copy. */
#define MOVE_CALLS_MIN 1000
/* ... at so many looks one after the other: what lasts shorter is over before the copy is. */
#define MOVE_LOOKS 3
/* A call costs some us, a byte some ns to be copied: with so many bytes for each call a second a move pays in ten seconds. */
#define MOVE_BYTES_PER_CALL 8192

static uint64_t bytes_max(const struct engine_core *core)
{
    return core->options.shard_bytes_max ? core->options.shard_bytes_max : SHARD_BYTES_MAX;
}

/* From which size on a shard is worth spreading: as many shards as there are cores may have twice what a single one may, and
 * so on. */
static uint64_t bytes_spread(const struct engine_core *core, uint64_t table)
{
    uint64_t first = core->options.shard_bytes_spread ? core->options.shard_bytes_spread : SHARD_BYTES_SPREAD;
    const struct shard_map *map = engine_map(core->engine);
    uint64_t shards = 0, cores = core->world->cores;
    if (cores == 1)
        return bytes_max(core);
    for (size_t at = shard_map_first(map, table); at < map->count && map->place[at].table == table; at++)
        shards++;
    uint64_t bytes = 2 * shards > cores ? first * 2 * shards / cores : first;
    return bytes < bytes_max(core) ? bytes : bytes_max(core);
}

static uint64_t every_ns(const struct engine_core *core)
{
    return core->options.sizing_every_ns ? core->options.sizing_every_ns : SIZING_EVERY_NS;
}

static uint64_t bytes_of_shard(const struct shard *shard)
{
    uint64_t bytes = shard->store->memory_bytes;
    if (shard->volume)
        bytes += row_store_root(shard->store).pages * volume_page_body_bytes(shard->volume->volume);
    return bytes;
}

static bool is_small(const struct engine_core *core, const struct shard *shard)
{
    uint64_t bytes = shard->volume ? bytes_spread(core, shard->table) : bytes_max(core);
    return bytes_of_shard(shard) <= bytes / MERGE_SHARE;
}

static bool is_large(const struct engine_core *core, const struct shard *shard)
{
    return bytes_of_shard(shard) > bytes_max(core);
}

/* Whether long scans have asked for more than one core. */
static bool is_scanned(const struct shard *shard)
{
    return shard->scanned > SPREAD_SCANS * shard->store->rows_estimate;
}

void sizing_scanned(struct shard *shard, uint64_t given, uint64_t more)
{
    bool before = is_scanned(shard);
    if (given < shard->store->rows_estimate / LONG_SHARE)
        return;
    shard->scanned += more;
    if (!before && is_scanned(shard) && bytes_of_shard(shard) > bytes_spread(shard->core, shard->table))
        fiber_wake_all(&shard->core->scanned);
}

/* Whether the shard may be replaced now. */
static bool is_free(const struct shard *shard)
{
    return !shard->gone && !shard->reshaping && !shard->creator && shard->shard != SHARD_DIRECTORY &&
           shard->core->world->now_ns >= shard->rests_till_ns;
}

/* ---- who has how much to do ---- */

static void look_at_load(struct engine_core *core, uint64_t passed_ns)
{
    struct core_load *load = &core->engine->load[core->world->core];
    uint64_t calls = 0, bytes = 0;
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        uint64_t more = shard->calls - shard->calls_seen;
        shard->calls_second = more * 1000000000 / (passed_ns ? passed_ns : 1);
        shard->calls_seen = shard->calls;
        shard->was_large |= !is_small(core, shard);
        shard->scanned -= shard->scanned / FADE_LOOKS;
        calls += shard->calls_second;
        bytes += bytes_of_shard(shard);
    }
    __atomic_store_n(&load->calls, calls, __ATOMIC_RELAXED);
    __atomic_store_n(&load->bytes, bytes, __ATOMIC_RELAXED);
}

static uint64_t calls_of(const struct engine_core *core, uint32_t of)
{
    return __atomic_load_n(&core->engine->load[of].calls, __ATOMIC_RELAXED);
}

static uint64_t bytes_on(const struct engine_core *core, uint32_t of)
{
    return __atomic_load_n(&core->engine->load[of].bytes, __ATOMIC_RELAXED);
}

/* The core with the fewest calls; of those with about as few the one with the fewest bytes. */
static uint32_t least_busy(const struct engine_core *core)
{
    uint32_t least = core->world->core;
    for (uint32_t of = 0; of < core->world->cores; of++) {
        uint64_t calls = calls_of(core, of) / MOVE_CALLS_MIN, best = calls_of(core, least) / MOVE_CALLS_MIN;
        if (calls < best || (calls == best && bytes_on(core, of) < bytes_on(core, least)))
            least = of;
    }
    return least;
}

static uint32_t shards_on(const struct engine_core *core, uint64_t table, uint32_t of)
{
    const struct shard_map *map = engine_map(core->engine);
    uint32_t shards = 0;
    for (size_t at = shard_map_first(map, table); at < map->count && map->place[at].table == table; at++)
        shards += volume_core(core, map->place[at].volume) == of;
    return shards;
}

/* Where a half goes: to the core with the fewest shards of the table, for what reads all of it is as slow as the slowest. */
static uint32_t core_for_half(const struct engine_core *core, uint64_t table)
{
    uint32_t to = least_busy(core);
    for (uint32_t of = 0; of < core->world->cores; of++)
        if (shards_on(core, table, of) < shards_on(core, table, to))
            to = of;
    return to;
}

/* ---- doing it ---- */

/* Whether the shard is still there afterwards is nobody's affair: if it is, it is left in peace for a while. */
static void do_it(struct engine_core *core, const struct reshape_call *call, const char *what)
{
    struct error error;
    enum sqlstate failed = reshape_there(core, (void *)call, &error);
    struct shard *shard = shard_by_number(core, call->shard);
    if (failed) {
        log_error(core->world, LOG_DEBUG, "sizing", &error, "shard %llu could not be %s",
                  (unsigned long long)call->shard, what);
        if (shard)
            shard->rests_till_ns = core->world->now_ns + REST_LOOKS * every_ns(core);
    } else
        log_line(core->world, LOG_INFO, "sizing", "shard %llu was %s", (unsigned long long)call->shard, what);
}

/* A shard in memory has no tree whose root knows the middle: the middle row of its history is looked for. */
struct middle {
    uint64_t left;
    uint8_t *key;
    size_t size;
};

static bool take_middle(void *argument, const struct store_row *row)
{
    struct middle *middle = argument;
    if (row->key.size)
        memcpy(middle->key, row->key.data, row->key.size);
    middle->size = row->key.size;
    return --middle->left > 0;
}

static enum sqlstate middle_in_memory(struct shard *shard, uint8_t *key, size_t *size, bool *found,
                                      struct error *error)
{
    struct engine_core *core = shard->core;
    struct scope *scope = scope_open(core->scope, "middle");
    struct middle middle = {.left = shard->store->rows_estimate / 2 + 1, .key = key};
    struct store_cursor cursor = {.range = {.to_open = true}, .scope = scope};
    struct store_sink sink = {.take = take_middle, .argument = &middle};
    const struct snapshot snapshot = {.scn = SCN_NEWEST};
    enum sqlstate failed = SQLSTATE_OK;
    while (!failed && !cursor.done && middle.left > 0) {
        failed = shard->store->ops->scan(shard->store, &snapshot, &cursor, 1000, &sink, error);
        fiber_yield(core->world->scheduler);
    }
    *size = middle.size;
    *found = cursor.started;
    scope_close(scope);
    return failed;
}

/* The largest of those the condition holds for; NULL when it holds for none. */
static struct shard *largest_of(const struct engine_core *core,
                                bool (*condition)(const struct engine_core *core, const struct shard *shard))
{
    struct shard *largest = NULL;
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        if (is_free(shard) && condition(core, shard) &&
            (!largest || bytes_of_shard(shard) > bytes_of_shard(largest)))
            largest = shard;
    }
    return largest;
}

static void split_in_the_middle(struct engine_core *core, struct shard *shard)
{
    struct reshape_call call = {
        .kind = RESHAPE_SPLIT, .shard = shard->shard, .to_core = core_for_half(core, shard->table)};
    struct scope *scope = scope_open(core->scope, "split");
    uint8_t *key = scope_alloc(scope, STORE_KEY_BYTES_MAX);
    size_t size = 0;
    bool found = false;
    struct error error;
    shard->users++;
    enum sqlstate failed = shard->volume ? row_store_middle(shard->store, key, &size, &found, &error)
                                         : middle_in_memory(shard, key, &size, &found, &error);
    shard->users--;
    call.at = bytes_of(key, size);
    if (!failed && found)
        do_it(core, &call, "split");
    else
        shard->rests_till_ns = core->world->now_ns + REST_LOOKS * every_ns(core);
    scope_close(scope);
}

static bool split_one(struct engine_core *core)
{
    struct shard *shard = largest_of(core, is_large);
    if (shard)
        split_in_the_middle(core, shard);
    return shard;
}

/* Whether scans of the shard's table wait for this core while another has nothing of it. */
static bool is_to_be_spread(const struct engine_core *core, const struct shard *shard)
{
    return shard->volume && is_scanned(shard) && bytes_of_shard(shard) > bytes_spread(core, shard->table) &&
           shards_on(core, shard->table, core_for_half(core, shard->table)) == 0;
}

static bool spread_one(struct engine_core *core)
{
    struct shard *shard = largest_of(core, is_to_be_spread);
    if (!shard)
        return false;
    if (shards_on(core, shard->table, core->world->core) == 1) {
        split_in_the_middle(core, shard);
        return true;
    }
    do_it(core,
          &(struct reshape_call){.kind = RESHAPE_MOVE,
                                 .shard = shard->shard,
                                 .to_core = core_for_half(core, shard->table),
                                 .rests = true},
          "moved to where its table has none");
    return true;
}

/* The neighbour to the right of a shard of this core; NULL when it has none. */
static const struct shard_place *right_of(const struct engine_core *core, const struct shard *shard)
{
    const struct shard_map *map = engine_map(core->engine);
    const struct shard_place *place = shard_map_of(map, shard->shard);
    if (!place || place + 1 == map->place + map->count || place[1].table != shard->table)
        return NULL;
    return place + 1;
}

struct neighbour_call {
    uint64_t shard;
    bool small;
    bool settled; /* it will not move to a neighbour of its own */
};

static enum sqlstate ask_small(struct engine_core *core, void *argument, struct error *error)
{
    struct neighbour_call *call = argument;
    const struct shard *shard = shard_by_number(core, call->shard);
    (void)error;
    call->small = shard && is_free(shard) && is_small(core, shard);
    return SQLSTATE_OK;
}

/* Of a run of small shards on different cores the right end stays, or each would run after the next. */
static enum sqlstate ask_neighbour(struct engine_core *core, void *argument, struct error *error)
{
    struct neighbour_call *call = argument;
    (void)!ask_small(core, call, error);
    const struct shard_place *right = call->small ? right_of(core, shard_by_number(core, call->shard)) : NULL;
    if (!right) {
        call->settled = true;
        return SQLSTATE_OK;
    }
    struct neighbour_call next = {.shard = right->shard};
    call->settled = !shard_by_number(core, call->shard)->was_large;
    enum sqlstate failed = core_call(core, volume_core(core, right->volume), ask_small, &next, error);
    call->settled |= !next.small;
    return failed;
}

static bool merge_with_right(struct engine_core *core, struct shard *shard)
{
    const struct shard_place *right = right_of(core, shard);
    if (!right)
        return false;
    uint32_t there = volume_core(core, right->volume);
    struct neighbour_call neighbour = {.shard = right->shard};
    struct reshape_call call = {.kind = RESHAPE_MERGE, .shard = shard->shard, .to_core = there};
    struct error error;
    if (core_call(core, there, ask_neighbour, &neighbour, &error) || !neighbour.small)
        return false;
    if (there != core->world->core && !neighbour.settled)
        return false;
    if (there != core->world->core)
        call.kind = RESHAPE_MOVE;
    do_it(core, &call, there == core->world->core ? "merged with its neighbour" : "moved to its neighbour");
    return true;
}

/* Shards come and go while neighbours are asked: the walk goes by number. */
static bool merge_one(struct engine_core *core)
{
    for (uint64_t behind = 0;;) {
        struct shard *next = NULL;
        list_each (&core->shards, at) {
            struct shard *shard = container_of(at, struct shard, of_core);
            if (shard->shard > behind && shard->was_large && is_free(shard) && is_small(core, shard) &&
                (!next || shard->shard < next->shard))
                next = shard;
        }
        if (!next)
            return false;
        behind = next->shard;
        if (merge_with_right(core, next))
            return true;
    }
}

/* A move that is worth its copy, and leaves a table on the cores its scans have spread it over. */
static bool is_movable(const struct engine_core *core, const struct shard *shard, uint32_t to)
{
    if (!is_free(shard) || bytes_of_shard(shard) > shard->calls_second * MOVE_BYTES_PER_CALL)
        return false;
    return !is_scanned(shard) ||
           shards_on(core, shard->table, to) < shards_on(core, shard->table, core->world->core);
}

static void move_one(struct engine_core *core)
{
    uint32_t to = least_busy(core);
    uint64_t own = calls_of(core, core->world->core), other = calls_of(core, to);
    bool uneven = to != core->world->core && own >= other + other / 2 + MOVE_CALLS_MIN;
    core->uneven = uneven ? core->uneven + 1 : 0;
    if (core->uneven < MOVE_LOOKS)
        return;
    struct shard *busiest = NULL;
    list_each (&core->shards, at) {
        struct shard *shard = container_of(at, struct shard, of_core);
        if (shard->calls_second && shard->calls_second <= (own - other) / 2 && is_movable(core, shard, to) &&
            (!busiest || shard->calls_second > busiest->calls_second))
            busiest = shard;
    }
    if (!busiest)
        return;
    core->uneven = 0;
    do_it(core,
          &(struct reshape_call){.kind = RESHAPE_MOVE, .shard = busiest->shard, .to_core = to, .rests = true},
          "moved");
}

/* Scans wait: what one look finds is done at once. */
static bool spread_all(struct engine_core *core)
{
    bool any = false;
    while (!core->closing && spread_one(core))
        any = true;
    return any;
}

/* All that one look finds to do, one thing of what can wait. */
static void look(struct engine_core *core, uint64_t passed_ns)
{
    look_at_load(core, passed_ns);
    if (!spread_all(core) && !split_one(core) && !merge_one(core))
        move_one(core);
}

static void run_sizing(void *argument)
{
    struct engine_core *core = argument;
    uint64_t looked_ns = core->world->now_ns;
    while (!core->closing) {
        enum fiber_wake wake =
            fiber_wait(core->world->scheduler, &core->scanned, core->world->now_ns + every_ns(core));
        if (wake == FIBER_CANCELED)
            return;
        if (core->closing || !engine_serving(core->engine))
            continue;
        core->sizing = true;
        if (wake == FIBER_TIMED_OUT) {
            uint64_t passed_ns = core->world->now_ns - looked_ns;
            looked_ns = core->world->now_ns;
            look(core, passed_ns);
        } else
            (void)spread_all(core);
        core->sizing = false;
    }
}

enum sqlstate sizing_open(struct engine_core *core, struct error *error)
{
    fiber_queue_init(&core->scanned);
    return fiber_start(core->world->scheduler, core->scope, "sizing", run_sizing, core, NULL, error);
}
