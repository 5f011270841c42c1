/* A node with an engine under test: clients on every core, crashes and restarts, a look at everything in the end.
 *
 * What clients did and saw is kept outside of the simulated memory (struct stand and what it points to), where no crash
 * reaches it. A *scenario* says what the clients do; the stand does the rest:
 *
 *     under faults: start -> set up (tables) -> clients step, core 0 tends (checkpoints, splits, moves) -> crash -> start ...
 *     in calm weather: some more commits of every scenario must come about
 *     stop or power loss -> start -> look at all rows, verify -> judge
 */
#ifndef SYNOD_TEST_SIM_ENGINE_STAND_H
#define SYNOD_TEST_SIM_ENGINE_STAND_H

#include "base/scope.h"
#include "engine/engine.h"
#include "test/sim/dice.h"
#include "test/sim/workload.h"
#include "test/witness/witness.h"

struct client;
struct scenario;

/* One play of one scenario. */
struct stand {
    struct play *play;
    struct sim *sim;
    struct sim_process *process;
    const struct scenario *scenario;
    void *state; /* the scenario's; of `scope` */
    struct scope *scope;
    struct witness *witness;
    struct dice dice; /* how this play is set up */
    struct engine_options options;
    uint32_t cores;
    uint32_t clients;        /* on each core */
    uint32_t row_bytes;      /* rows are filled up to about so many */
    uint32_t row_bytes_rare; /* and one in a hundred to so many */
    bool brief;              /* a short play, for it is repeated with a crash at each place */
    bool tends;              /* checkpoints, splits and moves at random */
    bool reshapes;
    uint32_t async_percent; /* of transactions */
    /* what is known of the node, over crashes */
    struct engine *engine;
    uint64_t starts;  /* of the process, as seen by the first core that ran */
    bool answered;    /* an engine has opened since the last start */
    bool set_up;      /* since the last start */
    bool stopping;    /* clients shall end */
    bool final;       /* this start is for looking */
    bool looked;      /* and that was done */
    bool full;        /* there is no room on the disk, or was a moment ago */
    bool faults;      /* of the disk may happen */
    uint32_t running; /* clients */
    uint64_t commits; /* acknowledged, over all starts */
    uint64_t goal;    /* for sim_run */
    uint64_t scn;     /* the largest of an acknowledged commit that waited for the disk */
    uint64_t visible; /* the largest seen visible since the last start */
    uint64_t statistics[8];
};

/* One client: a fiber. In simulated memory. */
struct client {
    struct stand *stand;
    struct world *world;
    struct dice dice;
    uint32_t number;
    uint64_t after_scn; /* of its last commit_async */
};

struct scenario {
    size_t state_bytes;
    uint32_t commits;  /* after which a play under faults ends early */
    bool quiet_shards; /* shards are neither split nor moved */
    uint32_t levels;   /* isolations to draw from, as bits 1 << isolation; 0 = all */
    /* Draws the scenario's own figures; no simulated thing exists yet. */
    void (*open)(struct stand *stand);
    /* Makes what is not there yet, at each start: true when all is. Yields. */
    bool (*set_up)(struct client *client);
    /* One transaction or so. Yields. */
    void (*step)(struct client *client);
    /* Looks at everything there is, at the end, on core 0. Yields. */
    void (*look)(struct client *client);
    /* Judges what the witness cannot; after the end. */
    void (*judge)(struct stand *stand);
    void (*close)(struct stand *stand);
};

/* What a workload's run is. */
void stand_run(struct play *play, const struct scenario *scenario, uint64_t for_ns);

/* Says what is wrong. */
#define stand_fail(stand, ...) sim_fail((stand)->sim, __VA_ARGS__)

/* Sleeps about so long. Yields. */
void client_sleep(struct client *client, uint64_t about_ns);

static inline uint64_t client_below(struct client *client, uint64_t bound)
{
    return dice_below(&client->dice, bound);
}

/* True in so many of a hundred cases. */
static inline bool client_chance(struct client *client, uint32_t percent)
{
    return dice_below(&client->dice, 100) < percent;
}

#endif
