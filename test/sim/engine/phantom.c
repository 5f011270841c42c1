/* Phantoms: transactions look at a range and then fill a gap in it, or one beside it. What was not there when the range was
 * read must not have come to be before. */
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#define TABLE     1
#define PLACES    6000
#define WINDOW    24
#define RANGE_MAX 12

struct phantom {
    struct cell *cells;
    uint64_t from;   /* of the window where things happen */
    uint64_t filled; /* about how many places of it */
};

static void phantom_open(struct stand *stand)
{
    struct phantom *phantom = stand->state;
    phantom->cells = cells_open(stand, TABLE, PLACES, WITNESS_CHAIN);
}

static bool phantom_set_up(struct client *client)
{
    return cells_set_up(client, TABLE, TABLE_ROW, NULL, 0, 0);
}

static void phantom_step(struct client *client)
{
    struct stand *stand = client->stand;
    struct phantom *phantom = stand->state;
    struct seen seen[RANGE_MAX], held;
    struct deal deal;
    if (phantom->filled > WINDOW * 2 / 3 && phantom->from + 2 * WINDOW < PLACES) {
        phantom->from += WINDOW / 2;
        phantom->filled = WINDOW / 4;
    }
    if (!deal_open(&deal, client))
        return;
    uint64_t writes = 0;
    for (uint64_t i = 0; i < 2 && !deal.broken; i++) {
        uint64_t from = phantom->from + client_below(client, WINDOW);
        uint64_t to = from + 1 + client_below(client, RANGE_MAX);
        uint64_t at = phantom->from + client_below(client, WINDOW);
        deal_statement(&deal);
        if (!deal_scan(&deal, phantom->cells, from, to, client_chance(client, 50), seen))
            break;
        if (client_chance(client, 40))
            continue;
        deal_statement(&deal);
        if (deal_take(&deal, &phantom->cells[at], &held) && (!held.there || client_chance(client, 50))) {
            deal_statement(&deal);
            writes += deal_write(&deal, &phantom->cells[at], &held, 0) && !held.there;
        }
    }
    if (deal_end(&deal, client_chance(client, 90)) == WITNESS_OK)
        phantom->filled += writes;
}

static void phantom_look(struct client *client)
{
    struct phantom *phantom = client->stand->state;
    uint64_t end = phantom->from + 3 * WINDOW;
    cells_look(client, phantom->cells, end < PLACES ? end : PLACES, NULL, NULL);
}

const struct scenario phantom_scenario = {
    .state_bytes = sizeof(struct phantom),
    .commits = 500,
    .open = phantom_open,
    .set_up = phantom_set_up,
    .step = phantom_step,
    .look = phantom_look,
};
