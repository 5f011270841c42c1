/* Queue: items are put by some and taken by others with SKIP LOCKED; each is delivered once. */
#include "test/witness/queue.h"
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#include <inttypes.h>

#define TABLE     1
#define ITEMS_MAX 20000
#define SOME_MAX  8

struct items {
    struct queue *queue;
};

static void items_open(struct stand *stand)
{
    struct items *items = stand->state;
    items->queue = queue_open();
}

static void items_close(struct stand *stand)
{
    struct items *items = stand->state;
    queue_close(items->queue);
}

static bool items_set_up(struct client *client)
{
    return cells_set_up(client, TABLE, TABLE_ROW, NULL, 0, 0);
}

static struct cell cell_of(uint64_t item)
{
    return (struct cell){.table = TABLE, .index = item};
}

static void put(struct client *client)
{
    struct items *items = client->stand->state;
    uint64_t put[SOME_MAX], count = 1 + client_below(client, SOME_MAX);
    struct deal deal;
    if (queue_items(items->queue) + SOME_MAX > ITEMS_MAX) {
        client->stand->goal = 0;
        client_sleep(client, SIM_MILLISECOND);
        return;
    }
    if (!deal_open(&deal, client))
        return;
    for (uint64_t i = 0; i < count; i++)
        put[i] = queue_put(items->queue);
    for (uint64_t i = 0; i < count && !deal.broken; i++) {
        struct cell cell = cell_of(put[i]);
        if (!deal_write(&deal, &cell, &(struct seen){0}, 0) && !deal.failed)
            stand_fail(client->stand, "queue: item %" PRIu64 " was there before it was put", put[i]);
    }
    enum witness_outcome outcome = deal_end(&deal, client_chance(client, 90));
    if (outcome == WITNESS_OK && deal.async)
        outcome = WITNESS_UNKNOWN;
    for (uint64_t i = 0; i < count; i++)
        queue_put_ended(items->queue, put[i], outcome);
}

/* ---- taking ---- */

struct choice {
    uint64_t items[4 * SOME_MAX];
    uint64_t count;
};

static bool take_item(void *argument, const struct store_row *row)
{
    struct choice *choice = argument;
    choice->items[choice->count++] = cell_index(row->key);
    return choice->count < sizeof choice->items / sizeof *choice->items;
}

/* Items from the front of the queue. */
static bool look_for_items(struct deal *deal, struct choice *choice)
{
    struct row_scan scan = {.table = TABLE, .range = {.to_open = true}};
    struct store_sink sink = {.take = take_item, .argument = choice};
    choice->count = 0;
    if (client_chance(deal->client, 50))
        scan.rows_max = 1 + client_below(deal->client, 4 * SOME_MAX);
    enum sqlstate failed = row_scan(deal->transaction, &scan, &sink, &deal->error);
    if (failed)
        return deal_broke(deal, "row_scan", failed);
    if (scan.rows_max && choice->count > scan.rows_max)
        stand_fail(deal->client->stand, "queue: a scan gave %" PRIu64 " rows of %zu", choice->count,
                   scan.rows_max);
    return true;
}

/* Takes it if nobody else has it: true when it is ours. */
static bool try_item(struct deal *deal, uint64_t item)
{
    struct cell cell = cell_of(item);
    enum lock_outcome outcome;
    struct seen seen;
    bool done;
    if (!deal_hold(deal, &cell, LOCK_UPDATE, LOCK_SKIP, &outcome, &seen))
        return false;
    if (outcome == LOCK_WAITED)
        stand_fail(deal->client->stand, "queue: SKIP LOCKED has waited");
    if (outcome == LOCK_SKIPPED || !seen.there || !deal_delete(deal, &cell, &done))
        return false;
    if (!done)
        stand_fail(deal->client->stand, "queue: item %" PRIu64 " was locked and is gone", item);
    return done;
}

static void take(struct client *client)
{
    struct items *items = client->stand->state;
    uint64_t taken[SOME_MAX], count = 0, wanted = 1 + client_below(client, SOME_MAX);
    struct choice choice;
    struct deal deal;
    /* A serializable scan locks what it reads, so nothing could be skipped. */
    if (!deal_begin(&deal, client, client_chance(client, 80) ? READ_COMMITTED : REPEATABLE_READ))
        return;
    bool right = look_for_items(&deal, &choice);
    deal_statement(&deal);
    for (uint64_t i = 0; right && i < choice.count && count < wanted && !deal.broken; i++)
        if (try_item(&deal, choice.items[i]))
            taken[count++] = choice.items[i];
    if (client_chance(client, 20))
        client_sleep(client, SIM_MILLISECOND);
    /* A crash while it commits leaves the outcome unknown: the ledger must know before. */
    for (uint64_t i = 0; i < count; i++)
        queue_take(items->queue, taken[i]);
    enum witness_outcome outcome = deal_end(&deal, client_chance(client, 85));
    for (uint64_t i = 0; i < count; i++)
        queue_take_ended(items->queue, taken[i], outcome);
}

static void items_step(struct client *client)
{
    if (client_chance(client, 40))
        put(client);
    else
        take(client);
}

static bool still_there(void *argument, const struct store_row *row)
{
    queue_is_there(argument, cell_index(row->key));
    return true;
}

static void items_look(struct client *client)
{
    struct items *items = client->stand->state;
    struct row_scan scan = {.table = TABLE, .range = {.to_open = true}};
    struct store_sink sink = {.take = still_there, .argument = items->queue};
    struct deal deal;
    if (!deal_begin(&deal, client, SERIALIZABLE)) {
        stand_fail(client->stand, "the last look cannot begin");
        return;
    }
    enum sqlstate failed = row_scan(deal.transaction, &scan, &sink, &deal.error);
    if (failed)
        stand_fail(client->stand, "the last look failed: %s", error_text(&deal.error, ERROR_MESSAGE));
    deal_end(&deal, true);
}

static void items_judge(struct stand *stand)
{
    struct items *items = stand->state;
    uint64_t item;
    enum queue_finding finding = queue_check(items->queue, &item);
    if (finding != QUEUE_RIGHT)
        stand_fail(stand, "queue: item %" PRIu64 " %s", item, queue_finding_name(finding));
}

const struct scenario queue_scenario = {
    .state_bytes = sizeof(struct items),
    .commits = 600,
    .open = items_open,
    .set_up = items_set_up,
    .step = items_step,
    .look = items_look,
    .judge = items_judge,
    .close = items_close,
};
