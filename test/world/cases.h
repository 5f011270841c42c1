/* The world's conformance suite: what every implementation of base/world.h must do, written against the door
 * alone. test/unit/test_world.c runs it on the Linux worlds, test/sim on the simulator.
 *
 * A case is the first fiber of every core of a node. It ends when it returns on all of them. What fails,
 * fails through Check (in a process of its own, so that a failure on any thread ends the test). */
#ifndef SYNOD_TEST_WORLD_CASES_H
#define SYNOD_TEST_WORLD_CASES_H

#include "base/world.h"

#include <check.h>

/* What a case is told beside its world: the same on all cores of the node. */
struct world_place {
    const char *directory; /* is there, is empty, is the case's to fill */
    uint32_t cores_done;   /* 0 at the start; for cases whose cores end together, core 0's alone */
};

struct world_case {
    const char *name;
    uint32_t cores;
    void (*run)(struct world *world, void *place); /* struct world_place */
};

/* Each ends with an entry whose name is NULL. */
extern const struct world_case world_clock_cases[];
extern const struct world_case world_disk_cases[];
extern const struct world_case world_net_cases[];
extern const struct world_case world_mail_cases[];

/* All of the above, one after the other. */
extern const struct world_case *const world_cases[4];

/* ---- for the cases ---- */

#define MILLISECOND 1000000ULL
#define SECOND      1000000000ULL

/* Fails the test when something failed that must not; when it did not fail with that state. */
void must(enum sqlstate failed, const struct error *error);
void must_fail(const char *state, enum sqlstate failed, const struct error *error);

/* "directory/name", allocated from the world's scope. */
const char *path_in(struct world *world, void *place, const char *name);

/* A deadline so far off that only a world that hangs gets there. */
uint64_t patience(struct world *world);

/* Something that comes about once, and those who wait for it. */
struct event {
    struct world *world;
    bool happened;
    struct fiber_queue waiting;
};
void event_init(struct event *event, struct world *world);
void event_happens(void *event); /* struct event; fits scope_undo() */
void event_wait(struct event *event);

/* A fiber of a case, and how it ended. */
struct task {
    struct world *world;
    void (*run)(struct task *task); /* sets `failed`, where that matters */
    void *with;                     /* the case's */
    enum sqlstate failed;
    struct error error;
    struct fiber *fiber;
    struct event over;
};

/* Starts the fiber in the scope. The task stays put until it is over. */
void task_start(struct task *task, struct world *world, struct scope *scope, void (*run)(struct task *task),
                void *with);
void task_join(struct task *task);

/* Starts it and lets it come to its first wait, cancels it there, and asks that it ended with 57014. */
void task_cancel_waiting(struct task *task, struct world *world, struct scope *scope,
                         void (*run)(struct task *task), void *with);

/* Bytes that differ by place and seed, and whether bytes are those. */
void pattern_fill(void *bytes, size_t size, uint64_t offset, uint32_t seed);
bool pattern_holds(const void *bytes, size_t size, uint64_t offset, uint32_t seed);

/* Memory of any size from the scope, aligned for direct transfers. */
void *memory_of(struct scope *scope, size_t bytes);

#endif
