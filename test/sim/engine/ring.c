/* Ring: each row names the next place; turning three of them around keeps it one ring, half a turn does not. */
#include "test/witness/ring.h"
#include "test/sim/engine/deal.h"
#include "test/sim/engine/scenarios.h"

#define TABLE      1
#define PLACES_MAX 40

struct ring {
    struct cell *places;
    uint64_t count;
};

static void ring_open(struct stand *stand)
{
    struct ring *ring = stand->state;
    ring->count = dice_between(&stand->dice, 4, PLACES_MAX);
    ring->places = cells_open(stand, TABLE, ring->count, WITNESS_CHAIN);
}

/* Places first hold -1, which stands for the next one. */
static bool ring_set_up(struct client *client)
{
    struct ring *ring = client->stand->state;
    return cells_set_up(client, TABLE, TABLE_ROW, ring->places, ring->count, -1);
}

static uint64_t next_of(const struct ring *ring, uint64_t at, const struct seen *seen)
{
    return seen->number < 0 ? (at + 1) % ring->count : (uint64_t)seen->number % ring->count;
}

static void check_whole(struct stand *stand, const struct ring *ring, const struct seen *seen)
{
    uint32_t next[PLACES_MAX];
    for (uint64_t i = 0; i < ring->count; i++) {
        if (!seen[i].there) {
            stand_fail(stand, "ring: place %llu is not there", (unsigned long long)i);
            return;
        }
        next[i] = (uint32_t)next_of(ring, i, &seen[i]);
    }
    if (!ring_is_whole(next, ring->count))
        stand_fail(stand, "ring: it is broken");
}

static void look_around(struct client *client)
{
    struct ring *ring = client->stand->state;
    struct seen seen[PLACES_MAX];
    struct deal deal;
    if (!deal_open(&deal, client))
        return;
    if (deal_scan(&deal, ring->places, 0, ring->count, client_chance(client, 50), seen))
        check_whole(client->stand, ring, seen);
    deal_end(&deal, true);
}

/* a -> b -> c -> d becomes a -> c -> b -> d. */
static void turn(struct client *client)
{
    struct ring *ring = client->stand->state;
    struct seen a, b, c;
    struct deal deal;
    if (!deal_open(&deal, client))
        return;
    uint64_t at = client_below(client, ring->count), second = 0, third = 0;
    bool right = deal_take(&deal, &ring->places[at], &a);
    deal_statement(&deal);
    if (right) {
        second = next_of(ring, at, &a);
        right = deal_take(&deal, &ring->places[second], &b);
    }
    deal_statement(&deal);
    if (right) {
        third = next_of(ring, second, &b);
        right = deal_take(&deal, &ring->places[third], &c);
    }
    deal_statement(&deal);
    right = right && deal_write(&deal, &ring->places[at], &a, (int64_t)third);
    right = right && deal_write(&deal, &ring->places[third], &c, (int64_t)second);
    right = right && deal_write(&deal, &ring->places[second], &b, (int64_t)next_of(ring, third, &c));
    deal_end(&deal, client_chance(client, 90));
}

static void ring_step(struct client *client)
{
    if (client_chance(client, 70))
        turn(client);
    else
        look_around(client);
}

static void take_seen(void *argument, size_t at, const struct seen *seen)
{
    struct seen *all = argument;
    all[at] = *seen;
}

static void ring_look(struct client *client)
{
    struct ring *ring = client->stand->state;
    struct seen seen[PLACES_MAX];
    cells_look(client, ring->places, ring->count, take_seen, seen);
    check_whole(client->stand, ring, seen);
}

const struct scenario ring_scenario = {
    .state_bytes = sizeof(struct ring),
    .commits = 500,
    .open = ring_open,
    .set_up = ring_set_up,
    .step = ring_step,
    .look = ring_look,
};
