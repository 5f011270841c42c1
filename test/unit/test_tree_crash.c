/* Crashes, losses of power and failing disks, at any moment of a volume's life: what is there afterwards is the last
 * committed generation, or the one being committed, whole.
 *
 * A life opens the volume, compares all of it with the ledger, then changes and commits, changes meanwhile, and so on.
 * The ledger lies outside of the simulated memory, where no crash reaches it. */
#include "base/scope.h"
#include "test/sim/stage.h"
#include "test/unit/tree_model.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

struct root {
    uint64_t number; /* of the commit */
    struct tree_root tree;
};

struct ledger {
    uint64_t state; /* of drawing */
    enum key_shape shape;
    uint32_t page_bytes;
    size_t changes, rounds; /* a round's changes; rounds of a life */
    size_t size_most;
    bool faults;                  /* the disk may fail: then a life may end early */
    uint64_t durable, committing; /* numbers of commits; 0 = none */
    struct model durable_model, committing_model, working;
    uint64_t lives, whole_lives;
};

static void ledger_open(struct ledger *ledger)
{
    model_open(&ledger->durable_model);
    model_open(&ledger->committing_model);
    model_open(&ledger->working);
}

static void ledger_close(struct ledger *ledger)
{
    model_close(&ledger->durable_model);
    model_close(&ledger->committing_model);
    model_close(&ledger->working);
}

static void replace(struct model *to, const struct model *from)
{
    struct model copy;
    model_copy(&copy, from);
    model_close(to);
    *to = copy;
}

/* ---- a life ---- */

struct life {
    struct world *world;
    struct ledger *ledger;
    struct volume *volume;
    struct tree *tree;
    enum sqlstate failed; /* of the commit */
    bool begun, committed;
    struct fiber_queue done;
};

static bool end_commit(struct life *life)
{
    while (life->begun && !life->committed)
        (void)!fiber_wait(life->world->scheduler, &life->done, FIBER_NO_DEADLINE);
    return !life->failed;
}

/* Whether a life ends with that failure, which is one it may meet: after a failed sync, pages that were written and not
 * committed may be gone. */
static bool may_fail(struct life *life, enum sqlstate failed, const struct error *error)
{
    if (!failed)
        return false;
    if (failed == SQLSTATE_DATA_CORRUPTED)
        end_commit(life); /* the disk knows of a failed sync before we do */
    ck_assert_msg(life->ledger->faults &&
                      (failed == SQLSTATE_IO_ERROR || (failed == SQLSTATE_DATA_CORRUPTED && life->failed)),
                  "%s", error_text(error, ERROR_MESSAGE));
    return true;
}

static void commit_run(void *argument)
{
    struct life *life = argument;
    struct ledger *ledger = life->ledger;
    struct error error = {0};
    /* Root, model and the beginning of the commit are of one moment. */
    ledger->committing = ledger->durable + 1;
    replace(&ledger->committing_model, &ledger->working);
    struct root root = {.number = ledger->committing, .tree = tree_root(life->tree)};
    life->begun = true;
    life->failed = volume_commit(life->volume, bytes_of(&root, sizeof root), &error);
    life->committed = true;
    fiber_wake_all(&life->done);
    if (may_fail(life, life->failed, &error))
        return;
    ledger->durable = ledger->committing;
    replace(&ledger->durable_model, &ledger->committing_model);
    ledger->committing = 0;
}

/* Begins a commit; it takes what the tree is now. */
static void begin_commit(struct life *life)
{
    struct error error = {0};
    life->begun = life->committed = false;
    must(fiber_start(life->world->scheduler, life->world->scope, "commit", commit_run, life, NULL, &error),
         &error);
    while (!life->begun)
        fiber_yield(life->world->scheduler);
}

static bool change(struct life *life)
{
    struct ledger *ledger = life->ledger;
    struct error error = {0};
    struct scope *scope = scope_open(life->world->scope, "change");
    enum sqlstate failed = model_change(
        life->tree, life->volume, scope, &ledger->working, ledger->shape, 2000, 40, ledger->size_most,
        1 + unit_random_below(&ledger->state, ledger->changes), &ledger->state, &error);
    scope_close(scope);
    return !may_fail(life, failed, &error);
}

/* Opens the volume and compares it with what was committed. */
static bool wake_up(struct life *life)
{
    struct ledger *ledger = life->ledger;
    struct error error = {0};
    uint8_t bytes[VOLUME_ROOT_BYTES_MAX];
    size_t size;
    struct root root = {0};
    struct volume_options options = {
        .path = "/volume", .page_bytes = ledger->page_bytes, .cache_bytes = 0, .identity = 7};
    enum sqlstate failed =
        volume_open(life->world, life->world->scope, &options, &life->volume, bytes, &size, &error);
    if (may_fail(life, failed, &error))
        return false;
    memcpy(&root, bytes, size);
    ck_assert_msg(root.number == ledger->durable || (ledger->committing && root.number == ledger->committing),
                  "commit %llu is there, %llu was the last", (unsigned long long)root.number,
                  (unsigned long long)ledger->durable);
    if (root.number != ledger->durable) {
        ledger->durable = root.number;
        replace(&ledger->durable_model, &ledger->committing_model);
    }
    ledger->committing = 0;
    replace(&ledger->working, &ledger->durable_model);
    life->tree = tree_open(life->world->scope, life->volume, &root.tree);
    failed = model_verify(life->tree, ledger->faults, &error);
    if (!failed)
        failed = model_compare(life->tree, life->volume, life->world->scope, &ledger->working, &ledger->state,
                               &error);
    return !may_fail(life, failed, &error);
}

static void act_life(struct world *world, void *argument)
{
    struct ledger *ledger = argument;
    struct life life = {.world = world, .ledger = ledger};
    fiber_queue_init(&life.done);
    ledger->lives++;
    bool good = wake_up(&life);
    for (size_t i = 0; i < ledger->rounds && good; i++) {
        good = change(&life);
        if (!good)
            break;
        begin_commit(&life);
        bool changed = change(&life);
        good = end_commit(&life) && changed;
    }
    ledger->whole_lives += good;
}

/* ---- crashes at every turn ---- */

static struct sim *open_world(uint64_t seed)
{
    struct sim_options options = stage_options(seed, 1);
    options.faults.lost_ppm = 400000;
    options.faults.torn_ppm = 300000;
    return sim_open(&options);
}

static bool over(void *argument)
{
    enum sim_state state = sim_state(argument);
    return state == SIM_ENDED || state == SIM_CRASHED;
}

/* One life that crashes at that turn (0 = lives to its end), and one after it. Gives whether it crashed. */
static bool crash_at(const struct ledger *how, uint64_t turn, enum sim_crash crash)
{
    struct ledger ledger = *how;
    struct sim *sim = open_world(how->state);
    ledger_open(&ledger);
    struct sim_process *process = stage_start(sim, 0, act_life, &ledger);
    sim_crash_after(process, turn, crash);
    ck_assert_int_eq(sim_run(sim, 1000 * SIM_SECOND, over, process), SIM_UNTIL);
    bool crashed = sim_state(process) == SIM_CRASHED;
    sim_crash_after(process, 0, crash);
    ledger.whole_lives = 0;
    sim_restart(process);
    ck_assert_int_eq(sim_run(sim, 1000 * SIM_SECOND, over, process), SIM_UNTIL);
    ck_assert_uint_eq(ledger.whole_lives, 1);
    sim_close(sim);
    ledger_close(&ledger);
    return crashed;
}

static void crash_at_every_turn(enum sim_crash crash, struct ledger how)
{
    uint64_t turn = 1, seed = unit_seed();
    while (how.state = seed, crash_at(&how, turn, crash))
        turn++;
    printf("%llu turns\n", (unsigned long long)turn);
    ck_assert_uint_gt(turn, 50);
}

START_TEST(a_loss_of_power_at_any_turn_leaves_a_commit)
{
    crash_at_every_turn(
        SIM_POWER,
        (struct ledger){
            .shape = KEYS_MIXED, .page_bytes = 8192, .changes = 30, .rounds = 10, .size_most = 20000});
}
END_TEST

START_TEST(a_kill_at_any_turn_leaves_a_commit)
{
    crash_at_every_turn(
        SIM_KILL,
        (struct ledger){
            .shape = KEYS_MIXED, .page_bytes = 8192, .changes = 30, .rounds = 10, .size_most = 20000});
}
END_TEST

/* ---- long lives ---- */

static bool lived_long(void *argument)
{
    const struct ledger *ledger = argument;
    return ledger->lives >= 30;
}

static bool lived_well(void *argument)
{
    const struct ledger *ledger = argument;
    return ledger->whole_lives >= 2;
}

static void long_life(uint64_t seed)
{
    struct ledger ledger = {.state = seed,
                            .shape = seed % KEY_SHAPES,
                            .page_bytes = 8192U << seed % 2,
                            .changes = 100,
                            .rounds = 12,
                            .size_most = 30000,
                            .faults = true};
    struct sim_options options = {.seed = seed, .nodes = 1, .log_level = LOG_ERROR};
    sim_faults_draw(&options.faults, seed);
    struct sim *sim = sim_open(&options);
    ledger_open(&ledger);
    struct sim_program program = {
        .name = "life", .cores = 1, .core_main = act_life, .argument = &ledger, .respawn = true};
    sim_start(sim, 0, &program);
    (void)!sim_run(sim, 20 * SIM_SECOND, lived_long, &ledger);
    sim_calm(sim);
    ledger.whole_lives = 0;
    ck_assert_int_eq(sim_run(sim, 2000 * SIM_SECOND, lived_well, &ledger), SIM_UNTIL);
    sim_close(sim);
    ledger_close(&ledger);
}

START_TEST(drawn_crashes_and_failures_leave_a_commit)
{
    uint64_t state = unit_seed();
    for (int i = 0; i < 8; i++)
        long_life(unit_random(&state) >> 16);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tree_crash");
    tcase_add_test(tests, a_loss_of_power_at_any_turn_leaves_a_commit);
    tcase_add_test(tests, a_kill_at_any_turn_leaves_a_commit);
    tcase_add_test(tests, drawn_crashes_and_failures_leave_a_commit);
    return stage_run(tests);
}
