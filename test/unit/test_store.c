/* Stores at random against a model: for every key all versions ever committed. Runs in the simulator, where every read of a page
 * yields, while a second fiber makes checkpoints and a third collects. With little memory, versions of open writers leave it
 * all the time. */
#include "base/scope.h"
#include "engine/memory/memory.h"
#include "engine/row/row.h"
#include "engine/row/spill.h"
#include "test/sim/sim.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS    1500
#define WRITERS 5
#define OLD     4 /* snapshots held over a while */

struct past {
    uint64_t scn;
    uint32_t value; /* 0 = no row */
};

struct model_row {
    struct past *past;
    size_t count;
    int open_writer;
    uint32_t open[64], open_number[64];
    size_t open_count;
};

struct model {
    struct world *world;
    struct scope *scope;
    struct store *store;
    struct volume *volume;
    struct model_row row[KEYS];
    struct writer *writer[WRITERS];
    uint64_t held[OLD];
    uint64_t scn, transactions, random;
    bool row_store, done;
    uint8_t room[40000]; /* for the row that is written */
    size_t memory_bytes;
    uint64_t refused;   /* writes for which there was no room */
    uint64_t spilled;   /* times versions were found outside of memory: of open or committed writers */
    uint64_t kept_back; /* checkpoints that had to leave something out */
    uint32_t fibers;
};

static const uint64_t large_from = 990; /* values from here on are rows too large for a page */

static struct bytes key_of(unsigned i, char text[64])
{
    const char *form = i % 4 == 0   ? "%u"
                       : i % 4 == 1 ? "prefix/%u"
                       : i % 4 == 2 ? "a longer prefix/%08u"
                                    : "p%050u";
    return bytes_of(text, (size_t)snprintf(text, 64, form, i));
}

static size_t size_of(uint32_t value)
{
    return value >= large_from ? 20000 + value * 10 : 4 + value % 300;
}

static struct bytes row_of(uint32_t value, uint8_t *room)
{
    memset(room, (int)value, size_of(value));
    memcpy(room, &value, 4);
    return bytes_of(room, size_of(value));
}

static uint32_t value_of(struct bytes row)
{
    uint32_t value;
    ck_assert_uint_ge(row.size, 4);
    memcpy(&value, row.data, 4);
    ck_assert_uint_eq(row.size, size_of(value));
    bool whole = true;
    for (size_t i = 4; i < row.size; i++)
        whole = whole && row.data[i] == (uint8_t)value;
    ck_assert(whole);
    return value;
}

static uint64_t oldest(const struct model *m)
{
    uint64_t oldest = m->scn;
    for (int i = 0; i < OLD; i++)
        oldest = m->held[i] < oldest ? m->held[i] : oldest;
    return oldest;
}

static void must(enum sqlstate failed, const struct error *error)
{
    ck_assert_msg(!failed, "%s", error_text(error, ERROR_MESSAGE));
}

/* A new writer each time: the store may point at the old one for a while. */
static void begin(struct model *m, int w)
{
    m->writer[w] = scope_alloc_zeroed(m->scope, sizeof *m->writer[w]);
    m->writer[w]->transaction = ++m->transactions;
}

static void write_value(struct model *m, int w, unsigned k, uint32_t value)
{
    struct model_row *row = &m->row[k];
    struct error error;
    enum sqlstate failed = m->store->ops->make_room(m->store, 50000, m->scn, oldest(m), &error);
    if (failed == SQLSTATE_OUT_OF_MEMORY) {
        /* Old snapshots keep what there is: they end. */
        m->refused++;
        for (int i = 0; i < OLD; i++)
            m->held[i] = m->scn;
        return;
    }
    must(failed, &error);
    if ((row->open_writer >= 0 && row->open_writer != w) || row->open_count == 64)
        return;
    char text[64];
    struct effect effect = {.kind = value ? EFFECT_UPDATE : EFFECT_DELETE, .key = key_of(k, text)};
    if (value)
        effect.row = row_of(value, m->room);
    m->store->ops->apply(m->store, m->writer[w], &effect);
    row->open_writer = w;
    row->open[row->open_count] = value;
    row->open_number[row->open_count++] = m->writer[w]->effects;
}

static void write_one(struct model *m, int w, unsigned k)
{
    uint32_t value = unit_random_below(&m->random, 4) ? 1 + (uint32_t)unit_random_below(&m->random, 1000) : 0;
    write_value(m, w, k, value);
}

/* Deletes the rows that stand in front, as who works off a queue does: scans pass over them from then on. */
static void delete_front(struct model *m, int w)
{
    for (unsigned k = 0; k < KEYS; k += 4)
        write_value(m, w, k, 0);
}

static void commit(struct model *m, int w)
{
    m->scn++;
    for (unsigned k = 0; k < KEYS; k++) {
        struct model_row *row = &m->row[k];
        if (row->open_writer != w || !row->open_count)
            continue;
        row->past = realloc(row->past, (row->count + 1) * sizeof *row->past);
        row->past[row->count++] = (struct past){m->scn, row->open[row->open_count - 1]};
        row->open_count = 0;
        row->open_writer = -1;
    }
    m->store->ops->commit(m->store, m->writer[w], m->scn);
    begin(m, w);
}

static void rollback(struct model *m, int w, uint32_t effects)
{
    for (unsigned k = 0; k < KEYS; k++) {
        struct model_row *row = &m->row[k];
        if (row->open_writer != w)
            continue;
        while (row->open_count && row->open_number[row->open_count - 1] > effects)
            row->open_count--;
        if (!row->open_count)
            row->open_writer = -1;
    }
    while (!m->store->ops->rollback(m->store, m->writer[w], effects, 5))
        ;
    if (!effects)
        begin(m, w);
}

static uint32_t model_value(const struct model *m, unsigned k, const struct snapshot *snapshot)
{
    const struct model_row *row = &m->row[k];
    if (row->open_writer >= 0 && m->writer[row->open_writer]->transaction == snapshot->transaction)
        for (size_t i = row->open_count; i-- > 0;)
            if (row->open_number[i] <= snapshot->own_effects)
                return row->open[i];
    for (size_t i = row->count; i-- > 0;)
        if (row->past[i].scn <= snapshot->scn)
            return row->past[i].value;
    return 0;
}

static struct snapshot some_snapshot(struct model *m)
{
    struct snapshot snapshot = {.scn = m->held[unit_random_below(&m->random, OLD)]};
    if (unit_random_below(&m->random, 2)) {
        int w = (int)unit_random_below(&m->random, WRITERS);
        snapshot.transaction = m->writer[w]->transaction;
        snapshot.own_effects = (uint32_t)unit_random_below(&m->random, m->writer[w]->effects + 1u);
    }
    return snapshot;
}

/* Reads one row. Meanwhile the fiber may yield, but writers are this fiber's, so the model stands still. */
static void read_one(struct model *m, unsigned k)
{
    struct snapshot snapshot = some_snapshot(m);
    struct scope *scope = scope_open(m->scope, "read");
    struct store_row row;
    struct error error;
    char text[64];
    bool found;
    must(m->store->ops->get(m->store, scope, &snapshot, key_of(k, text), &row, &found, &error), &error);
    uint32_t expected = model_value(m, k, &snapshot);
    ck_assert_uint_eq(found ? value_of(row.row) : 0, expected);
    struct store_newest newest;
    const struct model_row *there = &m->row[k];
    uint64_t owner = there->open_count ? m->writer[there->open_writer]->transaction : 0;
    must(m->store->ops->newest(m->store, owner, key_of(k, text), &newest, &error), &error);
    bool exists = there->open_count ? there->open[there->open_count - 1]
                                    : there->count && there->past[there->count - 1].value;
    ck_assert_int_eq(newest.exists, exists);
    ck_assert_uint_eq(newest.transaction, owner);
    if (newest.scn > SCN_LOADED)
        ck_assert_uint_eq(newest.scn, there->past[there->count - 1].scn);
    scope_close(scope);
}

struct scanned {
    struct model *m;
    uint32_t value[KEYS];
    char last[64];
    size_t last_size, rows;
    bool backward;
    size_t stop_after;
};

static unsigned key_number(struct bytes key)
{
    char text[64];
    memcpy(text, key.data, key.size);
    text[key.size] = '\0';
    const char *digits = strpbrk(text, "0123456789");
    return (unsigned)strtoul(digits, NULL, 10);
}

static bool take_row(void *argument, const struct store_row *row)
{
    struct scanned *scanned = argument;
    struct bytes last = bytes_of(scanned->last, scanned->last_size);
    if (scanned->rows)
        ck_assert(scanned->backward ? bytes_compare(row->key, last) < 0 : bytes_compare(row->key, last) > 0);
    memcpy(scanned->last, row->key.data, row->key.size);
    scanned->last_size = row->key.size;
    scanned->rows++;
    scanned->value[key_number(row->key)] = value_of(row->row);
    return scanned->stop_after == 0 || --scanned->stop_after > 0;
}

static void scan_some(struct model *m)
{
    struct snapshot snapshot = some_snapshot(m);
    struct scanned *scanned = calloc(1, sizeof *scanned);
    struct error error;
    char from[64], to[64];
    scanned->m = m;
    scanned->backward = unit_random_below(&m->random, 2);
    struct store_cursor cursor = {.backward = scanned->backward, .scope = scope_open(m->scope, "scan")};
    struct store_sink sink = {.take = take_row, .argument = scanned};
    cursor.range.from = key_of((unsigned)unit_random_below(&m->random, KEYS), from);
    if (unit_random_below(&m->random, 2))
        cursor.range.from = bytes_of(NULL, 0);
    cursor.range.to_open = unit_random_below(&m->random, 2);
    cursor.range.to =
        cursor.range.to_open ? bytes_of(NULL, 0) : key_of((unsigned)unit_random_below(&m->random, KEYS), to);
    while (!cursor.done) {
        scanned->stop_after = unit_random_below(&m->random, 50);
        must(m->store->ops->scan(m->store, &snapshot, &cursor, 1 + unit_random_below(&m->random, 100), &sink,
                                 &error),
             &error);
    }
    for (unsigned k = 0; k < KEYS; k++) {
        char text[64];
        struct bytes key = key_of(k, text);
        bool inside = bytes_compare(key, cursor.range.from) >= 0 &&
                      (cursor.range.to_open || bytes_compare(key, cursor.range.to) < 0);
        uint32_t expected = inside ? model_value(m, k, &snapshot) : 0;
        ck_assert_msg(scanned->value[k] == expected,
                      "row %u: %u, expected %u; snapshot %lu, own %lu up to %u%s, %u open, oldest %lu", k,
                      scanned->value[k], expected, snapshot.scn, snapshot.transaction, snapshot.own_effects,
                      scanned->backward ? ", backward" : "", (unsigned)m->row[k].open_count, oldest(m));
    }
    scope_close(cursor.scope);
    free(scanned);
}

static void run_checkpoints(void *argument)
{
    struct model *m = argument;
    struct error error;
    struct store_checkpoint done;
    while (!m->done) {
        uint64_t scn = m->scn;
        must(m->store->ops->checkpoint(m->store, scn, oldest(m), &done, &error), &error);
        m->kept_back += done.scn < scn;
        if (m->row_store)
            must(volume_commit(m->volume, bytes_of("root", 4), &error), &error);
        (void)!fiber_sleep_until(m->world->scheduler, m->world->now_ns + 2 * SIM_MILLISECOND);
    }
    m->fibers--;
}

static void run_collecting(void *argument)
{
    struct model *m = argument;
    while (!m->done) {
        m->store->ops->collect(m->store, oldest(m));
        (void)!fiber_sleep_until(m->world->scheduler, m->world->now_ns + SIM_MILLISECOND);
    }
    m->fibers--;
}

static void no_finding(void *argument, const char *sentence, const struct key_range *range)
{
    (void)argument;
    (void)range;
    ck_abort_msg("verify found: %s", sentence);
}

static void play(struct model *m)
{
    for (int step = 0; step < 6000; step++) {
        int w = (int)unit_random_below(&m->random, WRITERS);
        uint64_t dice = unit_random_below(&m->random, 200);
        if (dice < 4)
            commit(m, w);
        else if (dice < 6)
            rollback(m, w,
                     unit_random_below(&m->random, 2)
                         ? 0
                         : (uint32_t)unit_random_below(&m->random, m->writer[w]->effects + 1u));
        else if (dice < 8)
            m->held[unit_random_below(&m->random, OLD)] = m->scn;
        else if (dice < 10)
            scan_some(m);
        else if (dice < 11)
            delete_front(m, w);
        else if (dice < 60)
            read_one(m, (unsigned)unit_random_below(&m->random, KEYS));
        else
            write_one(m, w, (unsigned)unit_random_below(&m->random, KEYS));
        if (step % 50 == 0)
            fiber_yield(m->world->scheduler);
        if (m->row_store)
            m->spilled += row_store_spilled(m->store, 0);
    }
}

/* When all have ended and nobody looks back, everything is in the tree. */
static void nothing_is_left(struct model *m)
{
    struct error error;
    struct store_checkpoint done;
    struct volume_figures figures;
    for (int w = 0; w < WRITERS; w++)
        if (m->writer[w]->effects)
            rollback(m, w, 0);
    must(m->store->ops->checkpoint(m->store, m->scn, m->scn, &done, &error), &error);
    ck_assert_uint_eq(done.scn, m->scn);
    ck_assert(!row_store_spilled(m->store, 0));
    /* What snapshots needed of large rows lies in extents until it is collected. */
    m->store->ops->collect(m->store, m->scn);
    ck_assert_uint_eq(m->store->memory_bytes, 0);
    volume_figures(m->volume, &figures);
    ck_assert_uint_eq(figures.temporary_pages, 0);
}

static void core_main(struct world *world, void *argument)
{
    struct model *m = argument;
    struct error error;
    uint8_t root[VOLUME_ROOT_BYTES_MAX];
    size_t root_bytes;
    m->world = world;
    m->scope = scope_open(world->scope, "model");
    if (m->row_store) {
        struct volume_options options = {
            .path = "volume", .cache_bytes = 1 << 20, .page_bytes = 4096, .identity = 1};
        struct row_store_options row = {.world = world, .shard = 1, .memory_bytes = m->memory_bytes};
        must(volume_open(world, m->scope, &options, &m->volume, root, &root_bytes, &error), &error);
        row.volume = m->volume;
        m->store = row_store_open(m->scope, &row);
    } else
        m->store = memory_store_open(m->scope, 1, 256 << 20);
    for (int w = 0; w < WRITERS; w++)
        begin(m, w);
    m->fibers = 2;
    must(fiber_start(world->scheduler, m->scope, "checkpoints", run_checkpoints, m, NULL, &error), &error);
    must(fiber_start(world->scheduler, m->scope, "collecting", run_collecting, m, NULL, &error), &error);
    play(m);
    m->done = true;
    while (m->fibers)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    if (m->row_store)
        nothing_is_left(m);
    struct store_findings findings = {.report = no_finding};
    must(m->store->ops->verify(m->store, &findings, &error), &error);
    fiber_close_scope(world->scheduler, m->scope);
}

static bool ended(void *argument)
{
    return sim_state(argument) == SIM_ENDED;
}

static void run_model(bool row_store, size_t memory_bytes)
{
    struct model *m = calloc(1, sizeof *m);
    m->random = unit_seed();
    m->row_store = row_store;
    m->memory_bytes = memory_bytes;
    m->scn = 10;
    for (int i = 0; i < OLD; i++)
        m->held[i] = m->scn;
    for (unsigned k = 0; k < KEYS; k++)
        m->row[k].open_writer = -1;
    struct sim_options options = {.seed = m->random, .nodes = 1, .log_level = LOG_WARN};
    sim_faults_none(&options.faults);
    struct sim *sim = sim_open(&options);
    struct sim_program program = {
        .name = "model", .cores = 1, .core_main = core_main, .argument = m, .spared = true};
    struct sim_process *process = sim_start(sim, 0, &program);
    ck_assert_int_eq(sim_run(sim, 3600 * SIM_SECOND, ended, process), SIM_UNTIL);
    sim_close(sim);
    if (row_store && memory_bytes < 1 << 20)
        ck_assert_uint_gt(m->spilled, 0);
    else
        ck_assert_uint_eq(m->spilled + m->kept_back, 0);
    for (unsigned k = 0; k < KEYS; k++)
        free(m->row[k].past);
    free(m);
}

START_TEST(the_memory_store_answers_like_a_list_of_all_versions)
{
    run_model(false, 0);
}
END_TEST

START_TEST(the_row_store_answers_like_a_list_of_all_versions_while_it_makes_checkpoints)
{
    run_model(true, 6 << 20);
}
END_TEST

START_TEST(the_row_store_answers_like_a_list_of_all_versions_when_open_writers_do_not_fit_into_memory)
{
    run_model(true, 400 << 10);
}
END_TEST

/* ---- a commit that is folded, half of it ---- */

#define FOLDED_ROWS 2000

struct half {
    struct world *world;
    struct scope *scope;
    struct store *store;
    struct row_store *rows;
};

static void half_write(struct half *half, struct writer *writer, unsigned k, uint32_t value)
{
    struct error error;
    uint8_t room[400];
    char text[64];
    must(half->store->ops->make_room(half->store, 1000, 10, 10, &error), &error);
    int size = snprintf(text, sizeof text, "%08u", k);
    struct effect effect = {
        .kind = EFFECT_UPDATE, .key = bytes_of(text, (size_t)size), .row = row_of(value, room)};
    half->store->ops->apply(half->store, writer, &effect);
}

static uint32_t half_read(struct half *half, unsigned k, uint64_t scn)
{
    const struct snapshot snapshot = {.scn = scn};
    struct store_row row;
    struct error error;
    char text[64];
    bool found;
    struct bytes key = bytes_of(text, (size_t)snprintf(text, sizeof text, "%08u", k));
    must(half->store->ops->get(half->store, half->scope, &snapshot, key, &row, &found, &error), &error);
    return found ? value_of(row.row) : 0;
}

static bool take_value(void *argument, const struct store_row *row)
{
    uint32_t *value = argument;
    *value = value_of(row->row);
    return false;
}

static uint32_t half_scan_first(struct half *half, uint64_t scn)
{
    const struct snapshot snapshot = {.scn = scn};
    struct store_cursor cursor = {.range = {.to_open = true}, .scope = half->scope};
    uint32_t value = 0;
    struct error error;
    const struct store_sink sink = {take_value, &value};
    must(half->store->ops->scan(half->store, &snapshot, &cursor, 1, &sink, &error), &error);
    return value;
}

/* A commit too large for memory is folded piece by piece. A row of a piece that was folded is written anew, and that goes into
 * the tree at once: what the rest of the fold still has of the row is older. */
static void half_main(struct world *world, void *argument)
{
    struct half half = {.world = world, .scope = scope_open(world->scope, "half")};
    struct error error;
    uint8_t root[VOLUME_ROOT_BYTES_MAX];
    size_t root_bytes;
    bool done;
    (void)argument;
    const struct volume_options options = {
        .path = "volume", .cache_bytes = 1 << 20, .page_bytes = 4096, .identity = 1};
    struct row_store_options row = {.world = world, .shard = 1, .memory_bytes = 400 << 10};
    must(volume_open(world, half.scope, &options, &row.volume, root, &root_bytes, &error), &error);
    half.store = row_store_open(half.scope, &row);
    half.rows = row_store_of(half.store);
    struct writer large = {.transaction = 1}, small = {.transaction = 2};
    for (unsigned k = 0; k < FOLDED_ROWS; k++)
        half_write(&half, &large, k, 280);
    half.store->ops->commit(half.store, &large, 11);
    must(row_merge_begin(half.rows, &error), &error);
    must(spill_fold(half.rows, 11, 11, &done, &error), &error);
    ck_assert(!done);
    row_merge_end(half.rows);
    half_write(&half, &small, 0, 281);
    half.store->ops->commit(half.store, &small, 12);
    must(row_merge_begin(half.rows, &error), &error);
    must(row_merge(half.rows, 12, 12, 0, &error), &error);
    row_merge_end(half.rows);
    ck_assert_ptr_null(history_find(half.rows->history, bytes_of("00000000", 8)));
    ck_assert(row_store_spilled(half.store, 0));
    ck_assert_uint_eq(half_read(&half, 0, 12), 281);
    ck_assert_uint_eq(half_scan_first(&half, 12), 281);
    ck_assert_uint_eq(half_read(&half, 1, 12), 280);
    ck_assert_uint_eq(half_read(&half, FOLDED_ROWS - 1, 12), 280);
    fiber_close_scope(world->scheduler, half.scope);
}

static void run_alone(const char *name, void (*core_main)(struct world *world, void *argument))
{
    struct sim_options options = {.seed = 1, .nodes = 1, .log_level = LOG_WARN};
    sim_faults_none(&options.faults);
    struct sim *sim = sim_open(&options);
    struct sim_program program = {.name = name, .cores = 1, .core_main = core_main, .spared = true};
    struct sim_process *process = sim_start(sim, 0, &program);
    ck_assert_int_eq(sim_run(sim, 3600 * SIM_SECOND, ended, process), SIM_UNTIL);
    sim_close(sim);
}

START_TEST(what_is_written_over_the_folded_half_of_a_large_commit_is_newer_than_the_commit)
{
    run_alone("half", half_main);
}
END_TEST

/* ---- the stretch in front where everything is gone ---- */

#define QUEUE_ROWS 200

static void half_delete(struct half *half, struct writer *writer, unsigned k)
{
    struct error error;
    char text[64];
    must(half->store->ops->make_room(half->store, 1000, 10, 10, &error), &error);
    struct bytes key = bytes_of(text, (size_t)snprintf(text, sizeof text, "%08u", k));
    half->store->ops->apply(half->store, writer, &(struct effect){.kind = EFFECT_DELETE, .key = key});
}

/* A queue is worked off from its front, and scanned for its first row all the while. What comes to the front is found, by its
 * own writer at once; who looks at an older state finds what was there. */
static void queue_main(struct world *world, void *argument)
{
    struct half half = {.world = world, .scope = scope_open(world->scope, "queue")};
    struct error error;
    uint8_t root[VOLUME_ROOT_BYTES_MAX];
    size_t root_bytes;
    (void)argument;
    const struct volume_options options = {
        .path = "volume", .cache_bytes = 1 << 20, .page_bytes = 4096, .identity = 1};
    struct row_store_options row = {.world = world, .shard = 1, .memory_bytes = 4 << 20};
    must(volume_open(world, half.scope, &options, &row.volume, root, &root_bytes, &error), &error);
    half.store = row_store_open(half.scope, &row);
    struct writer writer[QUEUE_ROWS + 3] = {{.transaction = 1}};
    for (unsigned k = 0; k < QUEUE_ROWS; k++)
        half_write(&half, &writer[0], k, 100 + k);
    half.store->ops->commit(half.store, &writer[0], 11);
    for (unsigned k = 0; k < QUEUE_ROWS; k++) {
        uint64_t scn = 11 + k;
        ck_assert_uint_eq(half_scan_first(&half, scn), 100 + k);
        writer[k + 1].transaction = k + 2;
        half_delete(&half, &writer[k + 1], k);
        ck_assert_uint_eq(half_scan_first(&half, scn), 100 + k);
        half.store->ops->commit(half.store, &writer[k + 1], scn + 1);
        ck_assert_uint_eq(half_scan_first(&half, 11 + k / 2), 100 + k / 2);
    }
    ck_assert_uint_eq(half_scan_first(&half, 1000), 0);
    struct writer *late = &writer[QUEUE_ROWS + 1], *latest = &writer[QUEUE_ROWS + 2];
    late->transaction = 1001;
    latest->transaction = 1002;
    half_write(&half, late, QUEUE_ROWS, 700);
    half.store->ops->commit(half.store, late, 1001);
    ck_assert_uint_eq(half_scan_first(&half, 1001), 700);
    half_write(&half, latest, 50, 800);
    ck_assert_uint_eq(half_scan_first(&half, 1001), 700);
    half.store->ops->commit(half.store, latest, 1002);
    ck_assert_uint_eq(half_scan_first(&half, 1001), 700);
    ck_assert_uint_eq(half_scan_first(&half, 1002), 800);
    fiber_close_scope(world->scheduler, half.scope);
}

START_TEST(a_queue_worked_off_from_its_front_gives_its_first_row)
{
    run_alone("queue", queue_main);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("store");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, the_memory_store_answers_like_a_list_of_all_versions);
    tcase_add_test(tests, the_row_store_answers_like_a_list_of_all_versions_while_it_makes_checkpoints);
    tcase_add_test(
        tests, the_row_store_answers_like_a_list_of_all_versions_when_open_writers_do_not_fit_into_memory);
    tcase_add_test(tests, a_queue_worked_off_from_its_front_gives_its_first_row);
    tcase_add_test(tests, what_is_written_over_the_folded_half_of_a_large_commit_is_newer_than_the_commit);
    return unit_run(tests);
}
