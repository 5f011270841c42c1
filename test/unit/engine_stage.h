/* A node with an engine in the simulator, on which core 0 plays stories; and the words the stories are told in. */
#ifndef SYNOD_TEST_UNIT_ENGINE_STAGE_H
#define SYNOD_TEST_UNIT_ENGINE_STAGE_H

#include "base/scope.h"
#include "engine/engine.h"
#include "test/sim/sim.h"
#include "test/unit/unit.h"

/* A node with an engine, and the story that core 0 plays on it. */
struct stage {
    struct sim *sim;
    struct sim_process *process;
    struct engine *engine;
    uint64_t starts; /* of the process, as seen by the first core that runs */
    uint32_t cores;
    void (*story)(struct stage *stage, struct world *world, struct scope *scope);
    int act;    /* how many times the node was started before */
    bool crash; /* at the end of the act, instead of closing */
    bool done;
    struct engine_options options;
};

void stage_open(struct stage *stage, uint32_t cores);
void stage_close(struct stage *stage);

/* Plays one act: the first starts the node, later ones start it again over what its disk holds. With `crash` the act ends
 * with a loss of power. */
void play(struct stage *stage, void (*story)(struct stage *stage, struct world *world, struct scope *scope),
          bool crash);

/* ---- words of the stories: what they ask for must succeed ---- */

void must(enum sqlstate failed, const struct error *error);

struct transaction *begin(struct stage *stage, struct world *world, struct scope *scope,
                          enum isolation isolation);
void commit(struct transaction *transaction);

/* Makes a table, in a transaction of its own. */
void create(struct stage *stage, struct world *world, struct scope *scope, uint64_t table,
            enum table_layout layout);

/* Keys are numbers, rows are texts. What they give is `done`. */
struct bytes number_key(uint64_t number, uint8_t room[static 8]);
bool insert(struct transaction *transaction, uint64_t table, uint64_t number, const char *row);
bool update(struct transaction *transaction, uint64_t table, uint64_t number, const char *row);
bool delete_row(struct transaction *transaction, uint64_t table, uint64_t number);

/* What the transaction sees, in a new statement; "" when there is no row. */
const char *get(struct transaction *transaction, struct scope *scope, uint64_t table, uint64_t number);

/* Rows of a table, in a new statement; they must come in order. */
uint64_t count(struct transaction *transaction, uint64_t table, bool backward);

/* engine_verify() must find nothing. */
void verify(struct stage *stage, struct world *world);

#endif
