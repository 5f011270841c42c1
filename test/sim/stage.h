/* What the tests of the simulator share: small worlds, and functions run in them to their end. */
#ifndef SYNOD_TEST_SIM_STAGE_H
#define SYNOD_TEST_SIM_STAGE_H

#include "test/sim/sim.h"

#include <check.h>

/* Runs one test case and gives main()'s answer. */
int stage_run(TCase *tests);

/* A world without faults and without drawn splits; change options.faults before stage_open(). */
struct sim_options stage_options(uint64_t seed, uint32_t nodes);

/* One without faults. */
struct sim *stage_open(uint64_t seed, uint32_t nodes);

/* Starts `act` as the main of a process of one core. */
struct sim_process *stage_start(struct sim *sim, uint32_t node, void (*act)(struct world *, void *),
                                void *argument);

/* Starts it and runs the simulation until it has ended. */
void stage_act(struct sim *sim, uint32_t node, void (*act)(struct world *, void *), void *argument);

/* Runs until every process given has ended. Ends with NULL. */
void stage_until_ended(struct sim *sim, struct sim_process *process, ...) __attribute__((sentinel));

/* Lets virtual time pass. */
void stage_wait(struct sim *sim, uint64_t for_ns);

/* Fails the test when something failed that must not; when it did not fail with that state. */
void must(enum sqlstate failed, const struct error *error);
void must_fail(enum sqlstate wanted, enum sqlstate failed, const struct error *error);

/* Sleeps, in a program. */
void nap(struct world *world, uint64_t for_ns);

/* The simulation's address and port, connected to; must not fail. */
struct stream *stage_connect(struct world *world, struct scope *scope, const char *host, uint16_t port);

/* Receives until `size` bytes are there or the connection has ended or failed; gives how many. */
size_t stage_receive(struct world *world, struct stream *stream, void *bytes, size_t size,
                     uint64_t patience_ns, enum sqlstate *failed);

/* Listens on a port and accepts one connection. */
struct stream *stage_accept(struct world *world, struct scope *scope, uint16_t port);

/* Whether two plays of the same options give the same hash. */
bool same_hash(const struct sim_totals *a, const struct sim_totals *b);

#endif
