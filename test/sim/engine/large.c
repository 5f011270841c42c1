/* Large: transactions that write many rows, larger than the memory for versions, beside small ones. */
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#define TABLE    1
#define ROWS     1200
#define SEEN_MAX 64

struct large {
    struct cell *cells;
};

static void large_open(struct stand *stand)
{
    struct large *large = stand->state;
    large->cells = cells_open(stand, TABLE, ROWS, WITNESS_CHAIN);
    stand->options.memory_bytes = (size_t)dice_between(&stand->dice, 3, 12) << 20;
    stand->row_bytes = (uint32_t)dice_between(&stand->dice, 200, 4000);
    if (stand->row_bytes_rare > 60000)
        stand->row_bytes_rare = 60000;
}

static bool large_set_up(struct client *client)
{
    return cells_set_up(client, TABLE, TABLE_ROW, NULL, 0, 0);
}

static void append_to(struct client *client, struct deal *deal, uint64_t at)
{
    struct large *large = client->stand->state;
    struct seen seen;
    if (!deal->broken)
        deal_statement(deal);
    if (deal_take(deal, &large->cells[at], &seen))
        deal_write(deal, &large->cells[at], &seen, 0);
}

/* Rows in ascending order, so that two such transactions wait for each other and do not lock up; then perhaps some of them again, in
 * any order. */
static void write_many(struct client *client)
{
    struct deal deal;
    struct deal_mark mark;
    bool saved = false;
    uint64_t taken = 0;
    if (!deal_open(&deal, client))
        return;
    uint64_t count = 50 + client_below(client, ROWS), from = client_below(client, ROWS);
    uint64_t step = 1 + client_below(client, 3);
    for (uint64_t at = from; taken < count && at < ROWS && !deal.broken; taken++, at += step) {
        if (client_below(client, 200) == 0) {
            if (saved && client_chance(client, 50))
                deal_rollback_to(&deal, &mark);
            deal_savepoint(&deal, &mark);
            saved = true;
        }
        append_to(client, &deal, at);
    }
    for (uint64_t again = client_chance(client, 50) ? taken : 0; again && !deal.broken; again--)
        append_to(client, &deal, from + step * client_below(client, taken));
    deal_end(&deal, client_chance(client, 80));
}

static void read_some(struct client *client)
{
    struct large *large = client->stand->state;
    struct deal deal;
    if (!deal_open(&deal, client))
        return;
    for (uint64_t i = 0; i < 3 && !deal.broken; i++) {
        struct seen seen[SEEN_MAX];
        uint64_t from = client_below(client, ROWS - SEEN_MAX), some = 1 + client_below(client, SEEN_MAX);
        deal_scan(&deal, large->cells, from, from + some, client_chance(client, 50), seen);
        client_sleep(client, SIM_MILLISECOND);
    }
    deal_end(&deal, true);
}

static void write_one(struct client *client)
{
    struct large *large = client->stand->state;
    const struct cell *cell = &large->cells[client_below(client, ROWS)];
    struct seen seen;
    struct deal deal;
    if (!deal_open(&deal, client))
        return;
    if (deal_take(&deal, cell, &seen)) {
        deal_statement(&deal);
        deal_write(&deal, cell, &seen, 0);
    }
    deal_end(&deal, true);
}

static void large_step(struct client *client)
{
    uint64_t what = client_below(client, 10);
    if (what < 2)
        write_many(client);
    else if (what < 6)
        read_some(client);
    else
        write_one(client);
}

static void large_look(struct client *client)
{
    struct large *large = client->stand->state;
    cells_look(client, large->cells, ROWS, NULL, NULL);
}

const struct scenario large_scenario = {
    .state_bytes = sizeof(struct large),
    .commits = 150,
    .open = large_open,
    .set_up = large_set_up,
    .step = large_step,
    .look = large_look,
};
