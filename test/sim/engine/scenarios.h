/* The scenarios. */
#ifndef SYNOD_TEST_SIM_ENGINE_SCENARIOS_H
#define SYNOD_TEST_SIM_ENGINE_SCENARIOS_H

#include "test/sim/engine/stand.h"

extern const struct scenario bank_scenario;
extern const struct scenario ring_scenario;
extern const struct scenario register_scenario;
extern const struct scenario append_scenarios[4]; /* by isolation; the last mixes all */
extern const struct scenario memory_scenario;
extern const struct scenario queue_scenario;
extern const struct scenario large_scenario;
extern const struct scenario tables_scenario;
extern const struct scenario phantom_scenario;

#endif
