/* List-append: transactions read lists and append to them, with savepoints now and then; at one isolation, or mixed. A list
 * that has grown long is left alone and a new one takes its place, so that lists stay short and orders well known.
 *
 * In the memory scenario half of the lists are in a memory table. They are gone after a restart, and declared so: new ones
 * take their places. */
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#include "base/check.h"

#define TABLE              1
#define TABLE_MEMORY_LISTS 2
#define LISTS_MAX          4000 /* of each table, over a play */
#define ACTIVE_MAX         16
#define LONG               14

struct lists {
    struct cell *cells;
    uint64_t used; /* the lowest that were never active begin here */
    uint64_t active[ACTIVE_MAX];
    uint64_t count;  /* of active ones */
    uint64_t base;   /* memory: those below it are gone */
    uint64_t starts; /* memory: of the process, when they were made */
};

struct append {
    struct lists row, memory;
};

static void replace(struct stand *stand, struct lists *lists, uint64_t at)
{
    if (lists->used < LISTS_MAX)
        lists->active[at] = lists->used++;
    else
        stand->goal = 0; /* enough */
}

static void lists_open(struct stand *stand, struct lists *lists, uint64_t table)
{
    lists->cells = cells_open(stand, table, LISTS_MAX, WITNESS_LIST);
    lists->count = dice_between(&stand->dice, 2, ACTIVE_MAX);
    for (uint64_t i = 0; i < lists->count; i++)
        replace(stand, lists, i);
}

static void append_open(struct stand *stand)
{
    struct append *append = stand->state;
    lists_open(stand, &append->row, TABLE);
    if (stand->scenario == &memory_scenario)
        lists_open(stand, &append->memory, TABLE_MEMORY_LISTS);
}

static bool append_set_up(struct client *client)
{
    return cells_set_up(client, TABLE, TABLE_ROW, NULL, 0, 0);
}

static bool memory_set_up(struct client *client)
{
    struct stand *stand = client->stand;
    struct append *append = stand->state;
    struct lists *lists = &append->memory;
    if (lists->starts != stand->starts) {
        lists->starts = stand->starts;
        lists->base = lists->used;
        for (uint64_t i = 0; i < lists->count; i++)
            replace(stand, lists, i);
    }
    return append_set_up(client) && cells_set_up(client, TABLE_MEMORY_LISTS, TABLE_MEMORY, NULL, 0, 0);
}

static struct lists *choose(struct client *client)
{
    struct append *append = client->stand->state;
    bool memory = append->memory.cells && client_chance(client, 50);
    return memory ? &append->memory : &append->row;
}

static bool add(struct deal *deal, struct lists *lists, uint64_t at)
{
    const struct cell *cell = &lists->cells[lists->active[at]];
    struct seen seen;
    if (!deal_take(deal, cell, &seen))
        return false;
    if (seen.count >= LONG && lists->active[at] == cell->index)
        replace(deal->client->stand, lists, at);
    deal_statement(deal);
    return deal_write(deal, cell, &seen, 0);
}

/* Some neighbours at once: lists in use, and old ones. */
static bool scan_some(struct deal *deal, struct lists *lists, uint64_t at)
{
    struct seen seen[8];
    uint64_t to = lists->active[at] + 1, some = 1 + client_below(deal->client, 8);
    uint64_t from = to > lists->base + some ? to - some : lists->base;
    return deal_scan(deal, lists->cells, from, to, client_chance(deal->client, 50), seen);
}

static bool append_operation(struct deal *deal)
{
    struct client *client = deal->client;
    struct lists *lists = choose(client);
    uint64_t at = client_below(client, lists->count);
    struct seen seen;
    switch (client_below(client, 8)) {
    case 0:
    case 1:
    case 2:
        return deal_see(deal, &lists->cells[lists->active[at]], &seen);
    case 3:
        return scan_some(deal, lists, at);
    default:
        return add(deal, lists, at);
    }
}

static void append_step(struct client *client)
{
    struct deal deal;
    struct deal_mark marks[4];
    uint64_t marked = 0;
    if (!deal_open(&deal, client))
        return;
    uint64_t operations = 1 + client_below(client, 6);
    bool saves = client_chance(client, 30);
    for (uint64_t i = 0; i < operations && !deal.broken; i++) {
        if (i)
            deal_statement(&deal);
        append_operation(&deal);
        if (!saves || deal.broken)
            continue;
        if (marked && client_chance(client, 40)) {
            marked = 1 + client_below(client, marked);
            deal_rollback_to(&deal, &marks[marked - 1]);
        } else if (marked < 4)
            deal_savepoint(&deal, &marks[marked++]);
        if (client_chance(client, 10))
            client_sleep(client, 500 * SIM_MICROSECOND);
    }
    deal_end(&deal, client_chance(client, 90));
}

static void append_look(struct client *client)
{
    struct append *append = client->stand->state;
    cells_look(client, append->row.cells, append->row.used, NULL, NULL);
}

#define APPEND(LEVELS)                                                                               \
    {                                                                                                \
        .state_bytes = sizeof(struct append), .commits = 600, .levels = LEVELS, .open = append_open, \
        .set_up = append_set_up, .step = append_step, .look = append_look                            \
    }

const struct scenario append_scenarios[4] = {
    APPEND(1 << READ_COMMITTED),
    APPEND(1 << REPEATABLE_READ),
    APPEND(1 << SERIALIZABLE),
    APPEND(0),
};

const struct scenario memory_scenario = {
    .state_bytes = sizeof(struct append),
    .commits = 500,
    .open = append_open,
    .set_up = memory_set_up,
    .step = append_step,
    .look = append_look,
};
