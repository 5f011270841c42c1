/* Register: reads and writes of single rows, many of them in fragments on the core that owns the row. */
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#define TABLE         1
#define REGISTERS_MAX 24

struct registers {
    struct cell *cells;
    uint64_t count;
};

static void register_open(struct stand *stand)
{
    struct registers *registers = stand->state;
    registers->count = dice_between(&stand->dice, 1, REGISTERS_MAX);
    registers->cells = cells_open(stand, TABLE, registers->count, WITNESS_CHAIN);
}

static bool register_set_up(struct client *client)
{
    return cells_set_up(client, TABLE, TABLE_ROW, NULL, 0, 0);
}

/* Locks of all strengths and policies, now and then. */
static bool hold_somehow(struct deal *deal, const struct cell *cell)
{
    struct seen seen;
    enum lock_strength strength = LOCK_KEY_SHARE + (enum lock_strength)client_below(deal->client, 4);
    enum lock_policy policy = (enum lock_policy)client_below(deal->client, 3);
    return deal_hold(deal, cell, strength, policy, NULL, &seen);
}

static void register_step(struct client *client)
{
    struct registers *registers = client->stand->state;
    struct deal deal;
    struct seen seen;
    if (!deal_open(&deal, client))
        return;
    uint64_t operations = 1 + client_below(client, 3);
    bool right = true;
    for (uint64_t i = 0; i < operations && right; i++) {
        const struct cell *cell = &registers->cells[client_below(client, registers->count)];
        if (i)
            deal_statement(&deal);
        switch (client_below(client, 8)) {
        case 0:
        case 1:
        case 2:
            right = deal_see(&deal, cell, &seen);
            break;
        case 3:
            right = hold_somehow(&deal, cell);
            break;
        case 4:
            right = deal_take(&deal, cell, &seen);
            deal_statement(&deal);
            right = right && deal_write(&deal, cell, &seen, 0);
            break;
        default:
            right = deal_bump(&deal, cell, 0);
        }
    }
    deal_end(&deal, client_chance(client, 95));
}

static void register_look(struct client *client)
{
    struct registers *registers = client->stand->state;
    cells_look(client, registers->cells, registers->count, NULL, NULL);
}

const struct scenario register_scenario = {
    .state_bytes = sizeof(struct registers),
    .commits = 1000,
    .open = register_open,
    .set_up = register_set_up,
    .step = register_step,
    .look = register_look,
};
