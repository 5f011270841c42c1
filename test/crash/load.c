/* See load.h. Rows are cells as in test/sim/engine: a value of its own for each write, and filling that follows from it. */
#include "test/crash/load.h"

#include "base/scope.h"
#include "engine/engine.h"
#include "test/witness/witness.h"

#include <stdlib.h>
#include <string.h>

#define TABLE 1

struct node {
    const struct load *load;
    struct engine *engine;
    struct engine_options options;
    uint32_t set_up; /* the table is there */
};

struct client {
    struct node *node;
    struct world *world;
    uint32_t number;
    uint64_t random;
};

/* One transaction of a client. */
struct deal {
    struct client *client;
    struct scope *scope;
    struct transaction *transaction;
    enum isolation isolation;
    bool broken; /* an error came: only its end is left */
    struct error error;
};

static uint64_t below(struct client *client, uint64_t bound)
{
    uint64_t mixed = (client->random += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return (mixed ^ (mixed >> 31)) % bound;
}

static struct diary *diary_of(const struct deal *deal)
{
    return deal->client->node->load->diary;
}

static void note(const struct deal *deal, enum diary_kind kind, uint32_t key, uint32_t what, uint64_t value,
                 uint64_t previous)
{
    const struct diary_line line = {.kind = kind,
                                    .client = deal->client->number,
                                    .key = key,
                                    .what = what,
                                    .value = value,
                                    .previous = previous};
    diary_write(diary_of(deal), &line);
}

/* ---- rows ---- */

struct row_head {
    uint64_t value;
    uint32_t key;
    uint32_t bytes;
};

#define ROW_BYTES_MAX 9000

static uint32_t row_bytes(uint64_t value)
{
    uint64_t mixed = value * 0x9e3779b97f4a7c15u >> 32;
    return (uint32_t)(sizeof(struct row_head) + mixed % (mixed % 50 == 0 ? ROW_BYTES_MAX - 100 : 600));
}

static uint8_t filling(uint64_t value, uint32_t at)
{
    return (uint8_t)(value * 31 + at * 7);
}

static struct bytes row_make(struct deal *deal, uint32_t key, uint64_t value)
{
    struct row_head head = {.value = value, .key = key, .bytes = row_bytes(value)};
    uint8_t *row = scope_alloc(deal->scope, head.bytes);
    memcpy(row, &head, sizeof head);
    for (uint32_t at = sizeof head; at < head.bytes; at++)
        row[at] = filling(value, at);
    return bytes_of(row, head.bytes);
}

static uint64_t row_value(struct deal *deal, uint32_t key, struct bytes row)
{
    struct row_head head = {0};
    bool whole = row.size >= sizeof head;
    if (whole)
        memcpy(&head, row.data, sizeof head);
    whole = whole && head.key == key && head.bytes == row.size && head.bytes == row_bytes(head.value);
    for (uint32_t at = sizeof head; whole && at < head.bytes; at++)
        whole = row.data[at] == filling(head.value, at);
    if (!whole)
        diary_break(diary_of(deal), "row %u is garbage: %zu bytes, value %lu of key %u", key, row.size,
                    head.value, head.key);
    return head.value;
}

static struct bytes key_of(uint32_t key, uint8_t room[static 12])
{
    for (int i = 0; i < 4; i++)
        room[i] = (uint8_t)(key >> (24 - 8 * i));
    memcpy(room + 4, "a longer", 8);
    return bytes_of(room, key % 3 ? 12 : 4);
}

/* ---- deals ---- */

static bool may_come(const struct deal *deal, enum sqlstate failed)
{
    switch (failed) {
    case SQLSTATE_SERIALIZATION_FAILURE:
        return deal->isolation == REPEATABLE_READ;
    case SQLSTATE_DISK_FULL:
    case SQLSTATE_IO_ERROR:
    case SQLSTATE_STATEMENT_COMPLETION_UNKNOWN:
        return deal->client->node->load->faults;
    case SQLSTATE_DEADLOCK_DETECTED:
    case SQLSTATE_OUT_OF_MEMORY:
    case SQLSTATE_QUERY_CANCELED:
    case SQLSTATE_ADMIN_SHUTDOWN:
    case SQLSTATE_CANNOT_CONNECT_NOW:
        return true;
    default:
        return false;
    }
}

/* Gives whether all is well. */
static bool went_well(struct deal *deal, const char *what, enum sqlstate failed)
{
    char state[6];
    if (!failed)
        return true;
    deal->broken = true;
    sqlstate_text(failed, state);
    if (!may_come(deal, failed))
        diary_break(diary_of(deal), "%s gave %s: %s", what, state, error_text(&deal->error, ERROR_MESSAGE));
    return false;
}

static bool deal_begin(struct deal *deal, struct client *client, enum isolation isolation)
{
    static const enum witness_level levels[] = {0, WITNESS_STATEMENT, WITNESS_SNAPSHOT, WITNESS_STRICT};
    const struct transaction_options options = {.isolation = isolation};
    *deal = (struct deal){.client = client, .isolation = isolation};
    deal->scope = scope_open(client->world->scope, "deal");
    note(deal, DIARY_BEGIN, 0, levels[isolation], 0, 0);
    if (went_well(deal, "transaction_begin",
                  transaction_begin(client->world, client->node->engine, deal->scope, &options,
                                    &deal->transaction, &deal->error)))
        return true;
    note(deal, DIARY_END, 0, WITNESS_FAILED, 0, 0);
    scope_close(deal->scope);
    return false;
}

static void deal_statement(struct deal *deal)
{
    note(deal, DIARY_STATEMENT, 0, 0, 0, 0);
    transaction_statement(deal->transaction);
}

/* Reads, and before a write in READ COMMITTED locks. *value 0: no row. */
static bool deal_read(struct deal *deal, uint32_t key, bool locks, uint64_t *value)
{
    uint8_t room[12];
    struct bytes row;
    bool found = false;
    enum lock_outcome outcome;
    enum sqlstate failed =
        locks ? row_lock(deal->transaction, deal->scope, TABLE, key_of(key, room), LOCK_UPDATE, LOCK_WAIT,
                         &row, &found, &outcome, &deal->error)
              : row_get(deal->transaction, deal->scope, TABLE, key_of(key, room), &row, &found, &deal->error);
    if (!went_well(deal, locks ? "row_lock" : "row_get", failed))
        return false;
    *value = found ? row_value(deal, key, row) : 0;
    note(deal, DIARY_READ, key, locks, *value, 0);
    return true;
}

static bool deal_write(struct deal *deal, uint32_t key, uint64_t previous)
{
    uint8_t room[12];
    bool done;
    uint64_t value = diary_value(diary_of(deal));
    struct bytes row = row_make(deal, key, value);
    note(deal, DIARY_WRITE, key, 0, value, previous);
    enum sqlstate failed =
        previous ? row_update(deal->transaction, TABLE, key_of(key, room), row, &done, &deal->error)
                 : row_insert(deal->transaction, TABLE, key_of(key, room), row, &done, &deal->error);
    if (!went_well(deal, previous ? "row_update" : "row_insert", failed))
        return false;
    if (!done) {
        note(deal, DIARY_REFUSED, key, 0, value, 0);
        deal->broken = true;
    }
    return done;
}

static void deal_end(struct deal *deal, bool wanted)
{
    enum witness_outcome outcome = WITNESS_FAILED;
    uint64_t scn = 0;
    if (deal->broken || !wanted)
        transaction_rollback(deal->transaction);
    else {
        enum sqlstate failed = transaction_commit(deal->transaction, &deal->error);
        if (went_well(deal, "transaction_commit", failed)) {
            outcome = WITNESS_OK;
            scn = transaction_scn(deal->transaction);
            __atomic_add_fetch(&diary_of(deal)->commits, 1, __ATOMIC_RELAXED);
        } else if (failed == SQLSTATE_STATEMENT_COMPLETION_UNKNOWN)
            outcome = WITNESS_UNKNOWN;
    }
    note(deal, DIARY_END, 0, outcome, scn, 0);
    scope_close(deal->scope);
}

/* ---- what clients do ---- */

static bool change_one(struct deal *deal, uint32_t key)
{
    uint64_t value;
    bool locks = deal->isolation == READ_COMMITTED || below(deal->client, 2);
    deal_statement(deal);
    if (!deal_read(deal, key, locks, &value))
        return false;
    deal_statement(deal);
    return deal_write(deal, key, value);
}

static void small_deal(struct client *client)
{
    struct deal deal;
    if (!deal_begin(&deal, client, READ_COMMITTED + (enum isolation)below(client, 3)))
        return;
    bool saved = false;
    for (uint64_t i = 1 + below(client, 6); i > 0 && !deal.broken; i--) {
        uint32_t key = (uint32_t)below(client, below(client, 2) ? LOAD_KEYS : 20);
        uint64_t value, what = below(client, 10);
        if (what < 4) {
            deal_statement(&deal);
            deal_read(&deal, key, false, &value);
        } else if (what < 9 || deal.isolation == SERIALIZABLE)
            change_one(&deal, key);
        else if (!saved) {
            note(&deal, DIARY_SAVEPOINT, 0, 0, 0, 0);
            uint64_t savepoint = transaction_savepoint(deal.transaction);
            saved = true;
            if (change_one(&deal, key) && below(client, 2)) {
                (void)!transaction_rollback_to(deal.transaction, savepoint, &deal.error);
                note(&deal, DIARY_BACK, 0, 0, 0, 0);
            }
        }
    }
    deal_end(&deal, below(client, 10) != 0);
}

/* Changes most rows; upwards, so that two such do not lock each other up. */
static void large_deal(struct client *client)
{
    struct deal deal;
    if (!deal_begin(&deal, client, READ_COMMITTED))
        return;
    for (uint32_t key = (uint32_t)below(client, 50); key < LOAD_KEYS && !deal.broken;
         key += 1 + (uint32_t)below(client, 2))
        change_one(&deal, key);
    deal_end(&deal, below(client, 4) != 0);
}

static void run_client(void *argument)
{
    struct client *client = argument;
    while (!fiber_canceled(client->world->scheduler)) {
        if (below(client, 60) == 0)
            large_deal(client);
        else
            small_deal(client);
        if (below(client, 4) == 0 &&
            fiber_sleep_until(client->world->scheduler, client->world->now_ns + below(client, 2000000)) ==
                FIBER_CANCELED)
            return;
    }
}

static void run_checkpoints(void *argument)
{
    struct client *client = argument;
    struct scheduler *scheduler = client->world->scheduler;
    struct error error;
    while (fiber_sleep_until(scheduler, client->world->now_ns + 20000000 + below(client, 100000000)) !=
           FIBER_CANCELED)
        if (engine_checkpoint(client->world, client->node->engine, &error) && !client->node->load->faults)
            diary_break(client->node->load->diary, "a checkpoint failed: %s",
                        error_text(&error, ERROR_MESSAGE));
}

/* ---- the last look ---- */

static void report_finding(void *argument, const struct engine_finding *finding)
{
    diary_break(argument, "verify: %s", finding->sentence);
}

static void look(struct client *client)
{
    struct diary *diary = client->node->load->diary;
    struct engine_findings findings = {.report = report_finding, .argument = diary};
    struct error error;
    struct deal deal;
    for (uint32_t key = 0; key < LOAD_KEYS; key += 20) {
        uint64_t value;
        if (!deal_begin(&deal, client, SERIALIZABLE))
            return;
        note(&deal, DIARY_FINAL, 0, 0, 0, 0);
        for (uint32_t i = 0; i < 20; i++)
            if (!deal_read(&deal, key + i, false, &value))
                diary_break(diary, "the last look failed: %s", error_text(&deal.error, ERROR_MESSAGE));
        deal_end(&deal, true);
    }
    if (engine_verify(client->world, client->node->engine, &findings, &error))
        diary_break(diary, "engine_verify: %s", error_text(&error, ERROR_MESSAGE));
}

/* ---- a core ---- */

static void set_up(struct client *client)
{
    struct node *node = client->node;
    struct error error;
    for (;;) {
        struct transaction *transaction;
        struct scope *scope = scope_open(client->world->scope, "set up");
        enum sqlstate failed = transaction_begin(client->world, node->engine, scope,
                                                 &(struct transaction_options){.isolation = READ_COMMITTED},
                                                 &transaction, &error);
        if (!failed) {
            failed = table_create(transaction, TABLE, TABLE_ROW, &error);
            if (failed)
                transaction_rollback(transaction);
            else
                failed = transaction_commit(transaction, &error);
        }
        scope_close(scope);
        if (!failed || failed == SQLSTATE_DUPLICATE_TABLE)
            break;
        if (!node->load->faults) {
            diary_break(node->load->diary, "the table cannot be made: %s", error_text(&error, ERROR_MESSAGE));
            return;
        }
        if (fiber_sleep_until(client->world->scheduler, client->world->now_ns + 10000000) == FIBER_CANCELED)
            return;
    }
    __atomic_store_n(&node->set_up, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&node->load->diary->ready, 1, __ATOMIC_RELEASE);
}

static struct client *client_open(struct node *node, struct world *world, struct scope *scope,
                                  uint32_t number)
{
    struct client *client = scope_alloc_zeroed(scope, sizeof *client);
    client->node = node;
    client->world = world;
    client->number = number;
    world_random(world, &client->random, sizeof client->random);
    return client;
}

static void start(struct node *node, struct world *world, struct scope *scope, uint32_t number,
                  void (*run)(void *argument))
{
    struct error error;
    struct client *client = client_open(node, world, scope, number);
    if (fiber_start(world->scheduler, scope, "client", run, client, NULL, &error))
        diary_break(node->load->diary, "no fiber: %s", error_text(&error, ERROR_MESSAGE));
}

static void serve(struct node *node, struct world *world)
{
    const struct load *load = node->load;
    struct scope *scope = scope_open(world->scope, "clients");
    struct client *first = client_open(node, world, scope, 0);
    if (world->core == 0)
        set_up(first);
    while (!__atomic_load_n(&node->set_up, __ATOMIC_ACQUIRE) && world_wait_stop(world, 0) != FIBER_WOKEN)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + 1000000);
    for (uint32_t i = 0; i < load->clients; i++)
        start(node, world, scope, 1 + world->core * load->clients + i, run_client);
    if (world->core == 0)
        start(node, world, scope, 0, run_checkpoints);
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
    fiber_close_scope(world->scheduler, scope);
}

static void core_main(struct world *world, void *argument)
{
    struct node *node = argument;
    struct diary *diary = node->load->diary;
    struct scope *scope = scope_open(world->scope, "engine");
    struct error error;
    if (engine_open(world, scope, &node->options, node->engine, &error)) {
        if (!node->load->faults && error.state != SQLSTATE_CANNOT_CONNECT_NOW)
            diary_break(diary, "engine_open: %s", error_text(&error, ERROR_MESSAGE));
        world_stop(world);
    } else {
        if (world->core == 0)
            diary_write(diary, &(struct diary_line){.kind = DIARY_RESTARTED});
        if (!diary->looks)
            serve(node, world);
        else if (world->core == 0) {
            look(client_open(node, world, scope, 0));
            world_stop(world);
        } else
            (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
        enum sqlstate failed = engine_close(world, node->engine, &error);
        if (failed && !node->load->faults)
            diary_break(diary, "engine_close: %s", error_text(&error, ERROR_MESSAGE));
    }
    fiber_close_scope(world->scheduler, scope);
}

int load_run(const struct load *load)
{
    struct node node = {.load = load,
                        .options = {.directory = load->directory,
                                    .memory_bytes = 8 << 20,
                                    .cluster = 4711,
                                    .segment_bytes = 1 << 20,
                                    .disk_reserve_bytes = 2 << 20,
                                    .page_bytes = 4096,
                                    .shard_bytes_max = 96 << 10,
                                    .checkpoint_log_bytes = 1 << 20,
                                    .sizing_every_ns = 50000000}};
    const struct linux_options options = {.cores = load->cores,
                                          .io = load->io,
                                          .flush = load->flush,
                                          .memory_bytes = SIZE_MAX,
                                          .connections_max = 10,
                                          .log_level = LOG_WARN,
                                          .catch_signals = true};
    struct error error;
    node.engine = aligned_alloc(64, (engine_size() + 63) / 64 * 64);
    if (!node.engine)
        return EXIT_FAILURE;
    memset(node.engine, 0, engine_size());
    if (linux_run(&options, core_main, &node, &error))
        diary_break(load->diary, "linux_run: %s", error_text(&error, ERROR_MESSAGE));
    free(node.engine);
    return load->diary->broken ? EXIT_FAILURE : EXIT_SUCCESS;
}
