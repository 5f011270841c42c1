/* The engine's workloads, as the simulator knows them. */
#include "test/sim/engine/scenarios.h"

static const struct scenario *const scenarios[] = {
    &bank_scenario,       &ring_scenario,       &register_scenario,   &append_scenarios[0],
    &append_scenarios[1], &append_scenarios[2], &append_scenarios[3], &memory_scenario,
    &queue_scenario,      &large_scenario,      &tables_scenario,     &phantom_scenario,
};

static void engine_run(struct play *play, const struct workload *workload)
{
    stand_run(play, scenarios[workload->variant], 20 * SIM_SECOND);
}

#define WORKLOAD(NUMBER, NAME, SUMMARY)                                                    \
    {                                                                                      \
        .name = NAME, .summary = SUMMARY, .nodes = 1, .variant = NUMBER, .run = engine_run \
    }

const struct workload engine_workloads[] = {
    WORKLOAD(0, "bank", "engine: transfers; the sum never changes"),
    WORKLOAD(1, "ring", "engine: a permutation that stays one ring"),
    WORKLOAD(2, "register", "engine: single rows, locks of all strengths, fragments"),
    WORKLOAD(3, "append-committed", "engine: list-append under READ COMMITTED"),
    WORKLOAD(4, "append-repeatable", "engine: list-append under REPEATABLE READ"),
    WORKLOAD(5, "append-serializable", "engine: list-append under SERIALIZABLE"),
    WORKLOAD(6, "append-mixed", "engine: list-append at all isolations together"),
    WORKLOAD(7, "memory", "engine: list-append over a row table and a memory table"),
    WORKLOAD(8, "queue", "engine: a work queue with SKIP LOCKED"),
    WORKLOAD(9, "large", "engine: transactions larger than memory"),
    WORKLOAD(10, "tables", "engine: tables made and dropped while others use them"),
    WORKLOAD(11, "phantom", "engine: ranges read, gaps filled"),
    {0},
};
