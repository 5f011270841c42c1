/* The engine under the works of this folder.
 *
 * Rows are cut into as many tables as there are cores, for a table of the size measured here is one shard and so one core's;
 * clients are fibers on the core that owns their rows, as sessions are whose statements go to the owner. Works:
 *
 *     load    table_load of all rows                       commit      durable single-row updates by `clients` fibers
 *     read    point reads, `batch` under a snapshot        update      random updates of three times the rows, lazily
 *     scan    WORK_SCAN_ROWS rows in order                 checkpoint  as commit, while checkpoints follow each other
 *     crash   `bytes` of log, then SIGKILL                 tables      makes `rows` empty tables
 *     large   one transaction a client: as many random updates as it has rows, then a checkpoint
 *     open    opens, says how long it took */
#include "base/linux/linux.h"
#include "base/scope.h"
#include "bench/engine/work.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND      1000000000UL
#define MILLISECOND 1000000UL
/* Readers on one core give way to each other after so many reads. */
#define READS_PER_TURN 4096
/* Each client's rows lie on its own core: shards are not split nor moved. */
#define NEVER_NS (1000000UL * SECOND)
/* A fiber that looks how late it is woken, so often. */
#define PROBE_EVERY_NS (200 * 1000UL)
/* Between two checkpoints of the work `checkpoint`. */
#define CHECKPOINT_PAUSE_NS    (100 * MILLISECOND)
#define TABLES_PER_TRANSACTION 100

/* What a core measured; its own until core_main() returned. */
struct core_result {
    uint64_t operations;
    uint64_t began_ns, ended_ns;
    struct metric_histogram latency_ns;
    struct metric_histogram stall_ns; /* of probes, while a checkpoint went on */
} __attribute__((aligned(64)));

struct run {
    struct work work;
    struct engine_options options;
    struct engine *engine;
    struct core_result core[CORES_MAX];
    uint64_t opened_ns; /* by core 0 */
    uint32_t checkpointing;
    uint64_t checkpoints;
    double resident_bytes;
    uint32_t ready, done;     /* cores that are about to begin, that have ended */
    double processor_seconds; /* of all between the two */
    double processor_began;
};

/* A core's side of a run. */
struct side {
    struct run *run;
    struct world *world;
    struct core_result *result;
    uint64_t table;        /* whose shard this core owns; 0 = none */
    uint64_t first, share; /* its rows */
    uint32_t fibers;       /* clients on this core */
    uint32_t running;
    struct fiber_queue ended;
    uint64_t end_ns;
};

struct client {
    struct side *side;
    uint32_t number; /* among those of the core */
    uint64_t random;
    uint64_t last_number, last_version;
};

static void must(enum sqlstate failed, const struct error *error)
{
    if (!failed)
        return;
    const char *detail = error_text(error, ERROR_DETAIL);
    work_fail("%s%s%s", error_text(error, ERROR_MESSAGE), detail ? ": " : "", detail ? detail : "");
}

static struct bytes key_of(uint64_t number, uint8_t room[static WORK_KEY_BYTES])
{
    work_key(number, room);
    return bytes_of(room, WORK_KEY_BYTES);
}

static struct transaction *begin(struct side *side, struct scope *scope, bool read_only, bool lazily)
{
    struct transaction *transaction;
    struct error error;
    const struct transaction_options options = {
        .isolation = READ_COMMITTED, .read_only = read_only, .commit_async = lazily};
    must(transaction_begin(side->world, side->run->engine, scope, &options, &transaction, &error), &error);
    return transaction;
}

static void commit(struct transaction *transaction)
{
    struct error error;
    must(transaction_commit(transaction, &error), &error);
}

/* Rows of a table, by the core that will own it. */
static void cut(const struct work *work, uint32_t part, uint64_t *first, uint64_t *share)
{
    *share = work->rows / work->cores;
    *first = *share * part;
    if (part + 1 == work->cores)
        *share = work->rows - *first;
}

/* ---- loading ---- */

struct source {
    uint64_t next, end;
    uint8_t key[WORK_KEY_BYTES];
    uint8_t row[WORK_ROW_BYTES];
};

static enum sqlstate next_row(void *argument, struct bytes *key, struct bytes *row, bool *end,
                              struct error *error)
{
    struct source *source = argument;
    (void)error;
    *end = source->next == source->end;
    if (*end)
        return SQLSTATE_OK;
    work_key(source->next, source->key);
    work_row(source->next, 0, source->row);
    *key = bytes_of(source->key, sizeof source->key);
    *row = bytes_of(source->row, sizeof source->row);
    source->next++;
    return SQLSTATE_OK;
}

/* Loads this core's part. Tables are made by core 0, so that the first goes to the first core. */
static void load_part(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    struct scope *scope = scope_open(side->world->scope, "load");
    struct transaction *transaction = begin(side, scope, false, false);
    struct source source = {0};
    struct error error;
    uint64_t share;
    cut(&side->run->work, client->number, &source.next, &share);
    source.end = source.next + share;
    must(table_create(transaction, client->number + 1, TABLE_ROW, &error), &error);
    must(table_load(transaction, client->number + 1,
                    &(struct store_source){.next = next_row, .argument = &source}, &error),
         &error);
    commit(transaction);
    side->result->operations += share;
    fiber_close_scope(side->world->scheduler, scope);
}

static void make_tables(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    struct error error;
    for (uint64_t table = 1; table <= side->run->work.rows;) {
        struct scope *scope = scope_open(side->world->scope, "tables");
        struct transaction *transaction = begin(side, scope, false, false);
        for (uint32_t i = 0; i < TABLES_PER_TRANSACTION && table <= side->run->work.rows; i++)
            must(table_create(transaction, table++, TABLE_ROW, &error), &error);
        commit(transaction);
        fiber_close_scope(side->world->scheduler, scope);
        side->result->operations = table - 1;
    }
}

/* ---- reading ---- */

struct reading {
    struct client *client;
    uint32_t count;
};

static enum sqlstate read_some(struct branch *branch, struct scope *scope, void *argument,
                               struct error *error)
{
    struct reading *reading = argument;
    struct side *side = reading->client->side;
    for (uint32_t i = 0; i < reading->count; i++) {
        uint8_t room[WORK_KEY_BYTES];
        uint64_t number = side->first + work_random(&reading->client->random) % side->share;
        struct store_row row;
        bool found;
        enum sqlstate failed =
            branch_get(branch, scope, side->table, key_of(number, room), &row, &found, error);
        if (failed)
            return failed;
        if (!found)
            work_fail("row %lu is missing", number);
        work_check_row(number, row.row.data, row.row.size);
    }
    return SQLSTATE_OK;
}

static void read_rows(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    struct scope *scope = scope_open(side->world->scope, "reader");
    struct transaction *transaction = begin(side, scope, true, false);
    struct reading reading = {.client = client, .count = side->run->work.batch};
    uint8_t room[WORK_KEY_BYTES];
    struct bytes key = key_of(side->first, room);
    struct error error;
    uint32_t in_turn = 0;
    while (world_now(side->world) < side->end_ns)
        for (int i = 0; i < 16; i++) {
            transaction_statement(transaction);
            must(transaction_run(transaction, side->table, key, read_some, &reading, &error), &error);
            side->result->operations += reading.count;
            in_turn += reading.count;
            if (in_turn >= READS_PER_TURN) {
                in_turn = 0;
                fiber_yield(side->world->scheduler);
            }
        }
    commit(transaction);
    fiber_close_scope(side->world->scheduler, scope);
}

struct scanned {
    uint64_t next;
    uint64_t count;
};

static bool take_scanned(void *argument, const struct store_row *row)
{
    struct scanned *scanned = argument;
    if (row->key.size != WORK_KEY_BYTES || work_key_number(row->key.data) != scanned->next)
        work_fail("a scan misses row %lu", scanned->next);
    work_check_row(scanned->next, row->row.data, row->row.size);
    scanned->next++;
    scanned->count++;
    return true;
}

static void scan_rows(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    uint64_t count = side->share < WORK_SCAN_ROWS ? side->share : WORK_SCAN_ROWS;
    struct scope *scope = scope_open(side->world->scope, "scanner");
    struct transaction *transaction = begin(side, scope, true, false);
    while (world_now(side->world) < side->end_ns) {
        uint8_t room[WORK_KEY_BYTES];
        struct error error;
        struct scanned scanned = {.next =
                                      side->first + work_random(&client->random) % (side->share - count + 1)};
        const struct row_scan scan = {.table = side->table,
                                      .range = {.from = key_of(scanned.next, room), .to_open = true},
                                      .rows_max = count};
        transaction_statement(transaction);
        must(row_scan(transaction, &scan, &(struct store_sink){take_scanned, &scanned}, &error), &error);
        if (scanned.count != count)
            work_fail("a scan gave %lu rows instead of %lu", scanned.count, count);
        side->result->operations += count;
        fiber_yield(side->world->scheduler);
    }
    commit(transaction);
    fiber_close_scope(side->world->scheduler, scope);
}

/* ---- writing ---- */

/* A client's rows are those of its core whose place leaves its own remainder, so that it knows which version it must find. */
static uint64_t own_row(struct client *client)
{
    struct side *side = client->side;
    uint64_t share = side->share / side->fibers;
    return side->first + work_random(&client->random) % share * side->fibers + client->number;
}

static void update(struct transaction *transaction, uint64_t table, uint64_t number, uint64_t version)
{
    uint8_t room[WORK_KEY_BYTES], row[WORK_ROW_BYTES];
    struct error error;
    bool done;
    work_row(number, version, row);
    must(row_update(transaction, table, key_of(number, room), bytes_of(row, sizeof row), &done, &error),
         &error);
    if (!done)
        work_fail("row %lu is missing", number);
}

static uint64_t version_of(struct side *side, uint64_t table, uint64_t number)
{
    struct scope *scope = scope_open(side->world->scope, "look");
    struct transaction *transaction = begin(side, scope, true, false);
    uint8_t room[WORK_KEY_BYTES];
    struct bytes row;
    struct error error;
    bool found;
    must(row_get(transaction, scope, table, key_of(number, room), &row, &found, &error), &error);
    if (!found)
        work_fail("row %lu is missing", number);
    uint64_t version = work_check_row(number, row.data, row.size);
    commit(transaction);
    fiber_close_scope(side->world->scheduler, scope);
    return version;
}

static void commit_rows(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    uint64_t count = 0;
    for (uint64_t now_ns = world_now(side->world); now_ns < side->end_ns; count++) {
        struct scope *scope = scope_open(side->world->scope, "writer");
        struct transaction *transaction = begin(side, scope, false, false);
        client->last_number = own_row(client);
        client->last_version = now_ns;
        update(transaction, side->table, client->last_number, client->last_version);
        commit(transaction);
        scope_close(scope);
        uint64_t after_ns = world_now(side->world);
        metric_observe(&side->result->latency_ns, after_ns - now_ns);
        now_ns = after_ns;
    }
    side->result->operations += count;
    if (count && version_of(side, side->table, client->last_number) != client->last_version)
        work_fail("row %lu is not as it was committed", client->last_number);
}

/* Changes WORK_BATCH_ROWS rows in a transaction that does not wait for the disk. */
static void update_lazily(struct client *client, uint64_t version)
{
    struct side *side = client->side;
    struct scope *scope = scope_open(side->world->scope, "writer");
    struct transaction *transaction = begin(side, scope, false, true);
    for (uint32_t i = 0; i < WORK_BATCH_ROWS; i++)
        update(transaction, side->table, own_row(client), version);
    commit(transaction);
    scope_close(scope);
}

static void update_rows(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    uint64_t updates = 3 * side->share / side->fibers;
    for (uint64_t count = 0; count < updates; count += WORK_BATCH_ROWS) {
        update_lazily(client, count + 1);
        side->result->operations += WORK_BATCH_ROWS;
    }
}

struct batch {
    uint8_t key[WORK_BATCH_ROWS][WORK_KEY_BYTES], row[WORK_BATCH_ROWS][WORK_ROW_BYTES];
    struct effect effect[WORK_BATCH_ROWS];
    struct bytes keys[WORK_BATCH_ROWS];
};

static enum sqlstate write_batch(struct branch *branch, struct scope *scope, struct key_share *share,
                                 void *argument, struct error *error)
{
    const struct batch *batch = argument;
    (void)scope;
    for (; share->done < share->count; share->done++) {
        bool done;
        branch_keys_ahead(branch, share);
        enum sqlstate failed =
            branch_write(branch, share->table, &batch->effect[share->number[share->done]], &done, error);
        if (failed)
            return failed;
        if (!done)
            work_fail("a row is missing");
    }
    return SQLSTATE_OK;
}

/* As a statement does it: many rows at a time are sent to their owners. */
static void update_batch(struct client *client, struct transaction *transaction, uint64_t version)
{
    struct side *side = client->side;
    struct batch batch;
    struct error error;
    for (uint32_t i = 0; i < WORK_BATCH_ROWS; i++) {
        client->last_number = own_row(client);
        work_key(client->last_number, batch.key[i]);
        work_row(client->last_number, version, batch.row[i]);
        batch.keys[i] = bytes_of(batch.key[i], WORK_KEY_BYTES);
        batch.effect[i] = (struct effect){
            .kind = EFFECT_UPDATE, .key = batch.keys[i], .row = bytes_of(batch.row[i], WORK_ROW_BYTES)};
    }
    const struct key_run run = {.table = side->table,
                                .key = batch.keys,
                                .count = WORK_BATCH_ROWS,
                                .run = write_batch,
                                .argument = &batch};
    must(transaction_run_keys(transaction, &run, &error), &error);
}

/* A transaction larger than memory, if memory is small, in no order of keys; then everything is brought to rest. */
static void write_large(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    uint64_t count = side->share / side->fibers;
    struct scope *scope = scope_open(side->world->scope, "writer");
    struct transaction *transaction = begin(side, scope, false, false);
    struct error error;
    for (; side->result->operations < count; side->result->operations += WORK_BATCH_ROWS)
        update_batch(client, transaction, side->result->operations + 1);
    commit(transaction);
    fiber_close_scope(side->world->scheduler, scope);
    if (version_of(side, side->table, client->last_number) != side->result->operations + 1 - WORK_BATCH_ROWS)
        work_fail("row %lu is not as it was committed", client->last_number);
    must(engine_checkpoint(side->world, side->run->engine, &error), &error);
}

static uint64_t log_bytes(struct side *side)
{
    struct engine_figures figures;
    engine_figures(side->world, side->run->engine, &figures);
    return figures.log_placed - figures.log_first;
}

/* Waits until no core is far behind this one: else the log's owner would write least, and recovery would be that of one core. */
static void keep_step(struct side *side)
{
    enum { LEAD_TRANSACTIONS_MAX = 1000 };
    const struct run *run = side->run;
    for (;;) {
        uint64_t least = UINT64_MAX;
        for (uint32_t i = 0; i < run->work.cores; i++) {
            uint64_t here = __atomic_load_n(&run->core[i].operations, __ATOMIC_RELAXED);
            least = here < least ? here : least;
        }
        if (side->result->operations <= least + LEAD_TRANSACTIONS_MAX || log_bytes(side) >= run->work.bytes ||
            fiber_sleep_until(side->world->scheduler, world_now(side->world) + MILLISECOND) == FIBER_CANCELED)
            return;
    }
}

/* Every core writes an equal share of the log; core 0 makes the last commit durable, says it, and the process dies. */
static void fill(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    const struct work *work = &side->run->work;
    uint64_t version = 1, transactions = 0;
    do {
        for (int i = 0; i < 16; i++, transactions++)
            update_lazily(client, version++);
        __atomic_add_fetch(&side->result->operations, 16, __ATOMIC_RELAXED);
        keep_step(side);
    } while (log_bytes(side) < work->bytes);
    if (side->world->core != 0 || client->number != 0)
        return;
    struct scope *scope = scope_open(side->world->scope, "last");
    struct transaction *transaction = begin(side, scope, false, false);
    update(transaction, 1, 0, version);
    commit(transaction);
    const struct work_figure figures[] = {{"log_bytes", (double)log_bytes(side)},
                                          {"version", (double)version}};
    work_print(work, "synod", figures, sizeof figures / sizeof *figures);
    work_crash();
}

/* ---- checkpoints under load ---- */

static void probe(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    struct run *run = side->run;
    while (world_now(side->world) < side->end_ns) {
        bool during = __atomic_load_n(&run->checkpointing, __ATOMIC_RELAXED);
        uint64_t due_ns = world_now(side->world) + PROBE_EVERY_NS;
        if (fiber_sleep_until(side->world->scheduler, due_ns) == FIBER_CANCELED)
            return;
        during |= __atomic_load_n(&run->checkpointing, __ATOMIC_RELAXED);
        if (during)
            metric_observe(&side->result->stall_ns, world_now(side->world) - due_ns);
    }
}

static void make_checkpoints(void *argument)
{
    struct client *client = argument;
    struct side *side = client->side;
    struct run *run = side->run;
    struct error error;
    while (world_now(side->world) < side->end_ns) {
        uint64_t next_ns = world_now(side->world) + CHECKPOINT_PAUSE_NS;
        if (fiber_sleep_until(side->world->scheduler, next_ns) == FIBER_CANCELED)
            return;
        __atomic_store_n(&run->checkpointing, 1, __ATOMIC_RELAXED);
        must(engine_checkpoint(side->world, run->engine, &error), &error);
        __atomic_store_n(&run->checkpointing, 0, __ATOMIC_RELAXED);
        run->checkpoints++;
    }
}

/* ---- a core ---- */

struct fiber_call {
    struct client client;
    void (*run)(void *argument);
};

static void run_call(void *argument)
{
    struct fiber_call *call = argument;
    struct side *side = call->client.side;
    call->run(&call->client);
    side->running--;
    fiber_wake_all(&side->ended);
}

static void start(struct side *side, uint32_t number, void (*run)(void *argument))
{
    struct fiber_call *call = scope_alloc(side->world->scope, sizeof *call);
    struct error error;
    *call = (struct fiber_call){
        .client = {.side = side, .number = number, .random = (side->world->core + 1) * 1000 + number},
        .run = run};
    must(fiber_start(side->world->scheduler, side->world->scope, "client", run_call, call, NULL, &error),
         &error);
    side->running++;
}

struct client_work {
    const char *name;
    void (*run)(void *argument);
    bool needs_rows;
};

static const struct client_work client_works[] = {
    {"load", load_part, false}, {"tables", make_tables, false},    {"read", read_rows, true},
    {"scan", scan_rows, true},  {"commit", commit_rows, true},     {"update", update_rows, true},
    {"crash", fill, true},      {"checkpoint", commit_rows, true}, {"large", write_large, true}};

static const struct client_work *client_work_of(const struct work *work)
{
    for (size_t i = 0; i < sizeof client_works / sizeof *client_works; i++)
        if (work_is(work, client_works[i].name))
            return &client_works[i];
    return NULL;
}

static void note_core(void *argument, const struct shard_view *shard)
{
    struct side *side = argument;
    if (shard->core == side->world->core) {
        side->table = shard->table;
        cut(&side->run->work, (uint32_t)shard->table - 1, &side->first, &side->share);
    }
}

static void find_rows(struct side *side)
{
    struct error error;
    for (uint32_t table = 1; table <= side->world->cores && !side->table; table++)
        must(shard_each(side->world, side->run->engine, table, note_core, side, &error), &error);
    if (!side->table)
        work_fail("core %u owns no table: load first, with as many cores", side->world->core);
}

/* Reads all rows of the core once, so that those in cache are there. */
static void warm_up(struct side *side)
{
    struct scope *scope = scope_open(side->world->scope, "warm up");
    struct transaction *transaction = begin(side, scope, true, false);
    struct scanned scanned = {.next = side->first};
    const struct row_scan scan = {.table = side->table, .range = {.to_open = true}};
    struct error error;
    must(row_scan(transaction, &scan, &(struct store_sink){take_scanned, &scanned}, &error), &error);
    if (scanned.count != side->share)
        work_fail("core %u has %lu rows instead of %lu", side->world->core, scanned.count, side->share);
    commit(transaction);
    fiber_close_scope(side->world->scheduler, scope);
}

/* Waits until all cores have come here. */
static void meet(struct side *side, uint32_t *count)
{
    uint32_t cores = side->world->cores;
    if (__atomic_add_fetch(count, 1, __ATOMIC_ACQ_REL) == cores) {
        double now = work_processor_seconds();
        side->run->processor_seconds = now - side->run->processor_began;
        if (count == &side->run->ready)
            side->run->processor_began = now;
    }
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < cores)
        if (fiber_sleep_until(side->world->scheduler, world_now(side->world) + MILLISECOND) == FIBER_CANCELED)
            work_fail("interrupted");
}

static void work_on(struct side *side)
{
    const struct work *work = &side->run->work;
    const struct client_work *what = client_work_of(work);
    uint32_t cores = side->world->cores, core = side->world->core;
    if (!what)
        return;
    if (what->needs_rows)
        find_rows(side);
    if (work_is(work, "load"))
        side->fibers = core == 0 ? cores : 0;
    else if (work_is(work, "tables"))
        side->fibers = core == 0;
    else
        side->fibers = work->clients / cores + (core < work->clients % cores);
    if (what->needs_rows && side->fibers && side->share / side->fibers == 0)
        work_fail("there are more clients than rows");
    if (what->needs_rows && work_warm(work))
        warm_up(side);
    meet(side, &side->run->ready);
    side->result->began_ns = world_now(side->world);
    side->end_ns = side->result->began_ns + (uint64_t)(work->seconds * (double)SECOND);
    for (uint32_t i = 0; i < side->fibers; i++)
        start(side, i, what->run);
    if (work_is(work, "checkpoint")) {
        start(side, 0, probe);
        if (core == 0)
            start(side, 0, make_checkpoints);
    }
    while (side->running)
        if (fiber_wait(side->world->scheduler, &side->ended, FIBER_NO_DEADLINE) == FIBER_CANCELED)
            work_fail("interrupted");
    side->result->ended_ns = world_now(side->world);
    meet(side, &side->run->done);
}

static void core_main(struct world *world, void *argument)
{
    struct run *run = argument;
    struct side side = {.run = run, .world = world, .result = &run->core[world->core]};
    struct error error;
    fiber_queue_init(&side.ended);
    /* The engine's scope is one of its own: what the engine leaves to the core's root ends after it. */
    struct scope *scope = scope_open(world->scope, "engine of the benchmark");
    uint64_t began_ns = world_now(world);
    double processor = work_processor_seconds();
    must(engine_open(world, scope, &run->options, run->engine, &error), &error);
    if (world->core == 0) {
        run->opened_ns = world_now(world) - began_ns;
        run->resident_bytes = work_resident_bytes();
        if (work_is(&run->work, "open")) {
            run->processor_seconds = work_processor_seconds() - processor;
            if (run->work.expect && version_of(&side, 1, 0) != run->work.expect)
                work_fail("the last durable commit is lost");
        }
    }
    work_on(&side);
    must(engine_close(world, run->engine, &error), &error);
    fiber_close_scope(world->scheduler, scope);
}

/* ---- the program ---- */

static void print_open(const struct run *run)
{
    const struct work_figure figures[] = {{"open_seconds", (double)run->opened_ns / 1e9},
                                          {"processor_seconds", run->processor_seconds},
                                          {"resident_bytes", run->resident_bytes}};
    work_print(&run->work, "synod", figures, sizeof figures / sizeof *figures);
}

static void print_work(const struct run *run)
{
    static struct metric_histogram latency_ns, stall_ns;
    uint64_t operations = 0;
    double seconds = 0;
    for (uint32_t i = 0; i < run->work.cores; i++) {
        const struct core_result *core = &run->core[i];
        double took = (double)(core->ended_ns - core->began_ns) / 1e9;
        operations += core->operations;
        seconds = took > seconds ? took : seconds;
        metric_histogram_merge(&latency_ns, &core->latency_ns);
        metric_histogram_merge(&stall_ns, &core->stall_ns);
    }
    const struct work_figure figures[] = {{"per_second", (double)operations / seconds},
                                          {"processor_us", run->processor_seconds * 1e6 / (double)operations},
                                          {"p50_us", (double)metric_quantile(&latency_ns, 0.5) / 1e3},
                                          {"p99_us", (double)metric_quantile(&latency_ns, 0.99) / 1e3},
                                          {"disk_bytes", work_disk_bytes(run->work.directory)},
                                          {"resident_bytes", run->resident_bytes},
                                          {"checkpoints", (double)run->checkpoints},
                                          {"stall_p99_us", (double)metric_quantile(&stall_ns, 0.99) / 1e3},
                                          {"stall_max_us", (double)metric_quantile(&stall_ns, 1) / 1e3}};
    size_t count = sizeof figures / sizeof *figures;
    work_print(&run->work, "synod", figures, work_is(&run->work, "checkpoint") ? count : count - 3);
}

int main(int count, char **arguments)
{
    static struct run run;
    struct error error;
    work_open(&run.work, count, arguments);
    if (!client_work_of(&run.work) && !work_is(&run.work, "open"))
        work_fail("there is no work %s for synod", run.work.name);
    if (run.work.cores > CORES_MAX)
        work_fail("a node has at most %d cores", CORES_MAX);
    run.options = (struct engine_options){.directory = run.work.directory,
                                          .memory_bytes = run.work.cache,
                                          .cluster = 1,
                                          .sizing_every_ns = NEVER_NS};
    if (work_is(&run.work, "crash"))
        run.options.checkpoint_log_bytes = UINT64_MAX / 2;
    size_t room = (engine_size() + 63) / 64 * 64;
    run.engine = aligned_alloc(64, room);
    memset(run.engine, 0, room);
    const struct linux_options options = {.cores = run.work.cores,
                                          .io = LINUX_IO_AUTO,
                                          .memory_bytes = SIZE_MAX,
                                          .connections_max = 10,
                                          .log_level = LOG_WARN,
                                          .catch_signals = true};
    must(linux_run(&options, core_main, &run, &error), &error);
    if (work_is(&run.work, "open"))
        print_open(&run);
    else
        print_work(&run);
    free(run.engine);
    return EXIT_SUCCESS;
}
