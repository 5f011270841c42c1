/* The stand. */
#include "test/sim/engine/stand.h"

#include "base/check.h"
#include "base/log.h"
#include "test/sim/engine/deal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commits of a play that is repeated with a crash at each place. */
#define BRIEF_COMMITS 40

/* Longer than anything right takes, in calm weather and on the slowest simulated disk. */
#define PATIENCE_NS (900 * SIM_SECOND)

void client_sleep(struct client *client, uint64_t about_ns)
{
    struct world *world = client->world;
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + dice_around(&client->dice, about_ns));
}

/* ---- clients ---- */

static struct client *client_open(struct stand *stand, struct world *world, struct scope *scope,
                                  uint32_t number)
{
    struct client *client = scope_alloc_zeroed(scope, sizeof *client);
    uint64_t seed;
    world_random(world, &seed, sizeof seed);
    dice_open(&client->dice, seed, DICE_TEST, number);
    client->stand = stand;
    client->world = world;
    client->number = number;
    return client;
}

static void run_client(void *argument)
{
    struct client *client = argument;
    struct stand *stand = client->stand;
    while (!stand->stopping && !fiber_canceled(client->world->scheduler)) {
        if (client_chance(client, 30))
            client_sleep(client, SIM_MILLISECOND);
        stand->scenario->step(client);
    }
    stand->running--;
}

/* ---- tending ---- */

struct shard_choice {
    struct client *client;
    uint64_t seen, shard;
    uint64_t table;
};

static void choose_shard(void *argument, const struct shard_view *view)
{
    struct shard_choice *choice = argument;
    if (client_below(choice->client, ++choice->seen) == 0)
        choice->shard = view->shard;
}

/* Splits or moves a shard of one of the first tables. What the engine refuses (a shard is busy, memory is short) is no
 * finding: that rows stay as they are is. */
static void reshape(struct client *client)
{
    struct stand *stand = client->stand;
    struct shard_choice choice = {.client = client, .table = 1 + client_below(client, 2)};
    struct error error = {0};
    uint8_t room[CELL_KEY_BYTES_MAX];
    enum sqlstate failed =
        shard_each(client->world, stand->engine, choice.table, choose_shard, &choice, &error);
    if (failed || !choice.seen)
        return;
    if (client_chance(client, 50))
        failed = shard_split(client->world, stand->engine, choice.shard,
                             cell_key(1 + client_below(client, 64), room), &error);
    else
        failed = shard_move(client->world, stand->engine, choice.shard,
                            (uint32_t)client_below(client, stand->cores), &error);
    if (failed)
        log_error(client->world, LOG_DEBUG, "reshape", &error, "shard %" PRIu64 " stays", choice.shard);
    stand->statistics[failed ? 1 : 0]++;
}

/* Figures that must hold at any time. */
static void look_at_figures(struct client *client)
{
    struct stand *stand = client->stand;
    struct engine_figures figures;
    uint64_t acknowledged = stand->scn; /* before asking, which takes time */
    engine_figures(client->world, stand->engine, &figures);
    if (figures.visible_scn < stand->visible)
        stand_fail(stand, "the visible SCN went back from %" PRIu64 " to %" PRIu64, stand->visible,
                   figures.visible_scn);
    if (figures.visible_scn < acknowledged)
        stand_fail(stand, "SCN %" PRIu64 " was acknowledged, and only %" PRIu64 " is visible", acknowledged,
                   figures.visible_scn);
    if (figures.log_first > figures.log_stable)
        stand_fail(stand, "the log has %" PRIu64 " first, %" PRIu64 " stable", figures.log_first,
                   figures.log_stable);
    stand->visible = figures.visible_scn;
}

static void tend(void *argument)
{
    struct client *client = argument;
    struct stand *stand = client->stand;
    while (!stand->stopping && !fiber_canceled(client->world->scheduler)) {
        struct error error = {0};
        client_sleep(client, stand->brief ? 2 * SIM_MILLISECOND : 30 * SIM_MILLISECOND);
        if (stand->stopping)
            break;
        look_at_figures(client);
        if (stand->tends && client_chance(client, stand->brief ? 100 : 30)) {
            enum sqlstate failed = engine_checkpoint(client->world, stand->engine, &error);
            if (failed && !stand->faults && !stand->full)
                stand_fail(stand, "a checkpoint failed: %s", error_text(&error, ERROR_MESSAGE));
        }
        if (stand->reshapes && client_chance(client, 20))
            reshape(client);
    }
    stand->running--;
}

/* ---- a core ---- */

static void start_fiber(struct stand *stand, struct world *world, struct scope *scope, const char *name,
                        void (*run)(void *argument), uint32_t number)
{
    struct error error;
    struct client *client = client_open(stand, world, scope, number);
    enum sqlstate failed = fiber_start(world->scheduler, scope, name, run, client, NULL, &error);
    check(!failed, "no fiber for a client");
    stand->running++;
}

/* Clients work until the node is asked to stop, then come to an end. */
static void serve(struct stand *stand, struct world *world)
{
    struct scope *scope = scope_open(world->scope, "clients");
    for (uint32_t i = 0; i < stand->clients; i++)
        start_fiber(stand, world, scope, "client", run_client, world->core * stand->clients + i);
    if (world->core == 0)
        start_fiber(stand, world, scope, "tending", tend, UINT32_MAX);
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
    stand->stopping = true;
    uint64_t until = world_now(world) + PATIENCE_NS;
    while (stand->running) {
        if (fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND) == FIBER_CANCELED)
            break;
        if (world_now(world) < until)
            continue;
        stand_fail(stand, "a client hangs: %u have not come to an end", stand->running);
        break;
    }
    fiber_close_scope(world->scheduler, scope);
}

/* Core 0 makes tables and first rows, the others wait. False when the node stops first. */
static bool set_up(struct stand *stand, struct world *world)
{
    struct client *client = client_open(stand, world, world->scope, UINT32_MAX - 1);
    while (!stand->set_up) {
        if (world_wait_stop(world, 0) == FIBER_WOKEN)
            return false;
        if (world->core == 0 && stand->scenario->set_up(client))
            stand->set_up = true;
        else
            client_sleep(client, SIM_MILLISECOND);
    }
    return true;
}

static void report_finding(void *argument, const struct engine_finding *finding)
{
    struct stand *stand = argument;
    stand_fail(stand, "verify: %s", finding->sentence);
}

/* The last start: everything is looked at. */
static void look(struct stand *stand, struct world *world)
{
    struct client *client = client_open(stand, world, world->scope, UINT32_MAX - 1);
    struct engine_findings findings = {.report = report_finding, .argument = stand};
    struct error error = {0};
    if (world->core == 0) {
        stand->scenario->look(client);
        enum sqlstate failed = engine_verify(world, stand->engine, &findings, &error);
        if (failed)
            stand_fail(stand, "engine_verify: %s", error_text(&error, ERROR_MESSAGE));
        look_at_figures(client);
        stand->looked = true;
        world_stop(world);
    }
    (void)!world_wait_stop(world, FIBER_NO_DEADLINE);
}

/* The first core that runs after a start finds a new engine. */
static void start_anew(struct stand *stand)
{
    uint64_t starts = sim_restarts(stand->process) + 1;
    if (stand->starts == starts)
        return;
    stand->starts = starts;
    stand->answered = stand->set_up = stand->stopping = false;
    stand->running = 0;
    stand->visible = 0;
    memset(stand->engine, 0, engine_size());
}

static void open_failed(struct stand *stand, struct world *world, const struct error *error)
{
    log_error(world, LOG_WARN, "open_failed", error, "core %u cannot open the engine", world->core);
    bool full = error->state == SQLSTATE_DISK_FULL && stand->full;
    if (!stand->faults && !full && error->state != SQLSTATE_CANNOT_CONNECT_NOW)
        stand_fail(stand, "engine_open: %s (%s)", error_text(error, ERROR_MESSAGE),
                   error_text(error, ERROR_DETAIL) ? error_text(error, ERROR_DETAIL) : "");
    world_stop(world);
}

static void use_engine(struct stand *stand, struct world *world)
{
    struct error error = {0};
    if (!stand->answered) {
        stand->answered = true;
        witness_restarted(stand->witness);
    }
    if (stand->final)
        look(stand, world);
    else if (set_up(stand, world))
        serve(stand, world);
    enum sqlstate failed = engine_close(world, stand->engine, &error);
    if (failed && !stand->faults && !stand->full)
        stand_fail(stand, "engine_close: %s", error_text(&error, ERROR_MESSAGE));
}

static void stand_core(struct world *world, void *argument)
{
    struct stand *stand = argument;
    struct scope *scope = scope_open(world->scope, "engine");
    struct error error = {0};
    start_anew(stand);
    if (engine_open(world, scope, &stand->options, stand->engine, &error))
        open_failed(stand, world, &error);
    else
        use_engine(stand, world);
    fiber_close_scope(world->scheduler, scope);
}

/* ---- a play ---- */

static void draw(struct stand *stand)
{
    struct dice *dice = &stand->dice;
    static const uint32_t pages[] = {4096, 4096, 8192, 16384, 0};
    stand->cores = (uint32_t)dice_between(dice, 1, 4);
    stand->clients = (uint32_t)dice_between(dice, 1, 5);
    stand->row_bytes = dice_below(dice, 3) ? (uint32_t)dice_below(dice, 400) : 3000;
    stand->row_bytes_rare = dice_below(dice, 3) ? 3000 : dice_below(dice, 2) ? 60000 : 300000;
    stand->tends = dice_below(dice, 4) != 0;
    stand->reshapes = !stand->scenario->quiet_shards && dice_below(dice, 2) != 0;
    stand->async_percent = dice_below(dice, 3) ? 0 : 20;
    stand->options = (struct engine_options){
        .directory = "data",
        .memory_bytes = (size_t)dice_between(dice, 4, 64) << 20,
        .cluster = 77,
        .segment_bytes = dice_below(dice, 2) ? 512 << 10 : 2 << 20,
        .disk_reserve_bytes = 4 << 20,
        .page_bytes = pages[dice_below(dice, sizeof pages / sizeof *pages)],
        .shard_bytes_max = dice_below(dice, 2) ? 64 << 10 : 0,
        .shard_bytes_spread = dice_below(dice, 2) ? 16 << 10 : 0,
        .checkpoint_log_bytes = dice_below(dice, 2) ? 256 << 10 : 4 << 20,
        .generation_pages = dice_below(dice, 3) ? dice_between(dice, 1, 16) : 0,
        .sizing_every_ns = dice_below(dice, 2) ? 5 * SIM_MILLISECOND : 100 * SIM_MILLISECOND,
    };
    /* Large rows are common, and have many pieces, or are as rare as they are. */
    static const uint32_t large[] = {2000, 10000, 40000, 0};
    stand->options.large_bytes = large[dice_below(dice, sizeof large / sizeof *large)];
}

/* Little, but of everything: checkpoints, a segment that ends, rows of all sizes. */
static void make_brief(struct stand *stand)
{
    stand->brief = stand->tends = true;
    stand->clients = stand->cores > 2 ? 1 : 2;
    stand->row_bytes_rare = 60000;
    stand->options.large_bytes = 20000;
    stand->options.segment_bytes = 512 << 10;
    stand->options.checkpoint_log_bytes = 64 << 10;
}

static void stand_open(struct stand *stand, struct play *play, const struct scenario *scenario)
{
    struct scope *scope = scope_open_root("engine workload", NULL);
    void *memory;
    struct error error;
    check(scope);
    *stand = (struct stand){.play = play, .sim = play->sim, .scenario = scenario, .scope = scope};
    stand->witness = witness_open();
    enum sqlstate failed = scope_alloc_large(scope, engine_size(), 64, &memory, &error);
    check(!failed);
    stand->engine = memory;
    stand->state = scope_alloc_zeroed(scope, scenario->state_bytes + 1);
    dice_open(&stand->dice, sim_seed(play->sim), DICE_TEST, 1);
    const struct sim_faults *faults = sim_faults(play->sim);
    stand->faults = faults->read_error_ppm || faults->write_error_ppm || faults->sync_error_ppm;
    draw(stand);
    if (play_is_exact(play))
        make_brief(stand);
    scenario->open(stand);
}

static void stand_close(struct stand *stand)
{
    if (stand->scenario->close)
        stand->scenario->close(stand);
    witness_close(stand->witness);
    scope_close(stand->scope);
}

static bool commits_reached(void *argument)
{
    const struct stand *stand = argument;
    return stand->commits >= stand->goal;
}

static bool has_looked(void *argument)
{
    const struct stand *stand = argument;
    return stand->looked;
}

static bool has_ended(void *argument)
{
    const struct stand *stand = argument;
    return stand->looked && sim_state(stand->process) == SIM_ENDED;
}

/* Slices of time; in some of them the disk is full, and the process has to live on what it has. */
static void under_faults(struct stand *stand, uint64_t for_ns)
{
    struct dice *dice = &stand->dice;
    bool fills = dice_below(dice, 4) == 0 && !stand->play->options->peace && !play_is_exact(stand->play);
    uint64_t slices = fills ? 6 : 1;
    stand->goal = stand->brief ? BRIEF_COMMITS : stand->scenario->commits;
    for (uint64_t i = 0; i < slices && !sim_failure(stand->sim) && !commits_reached(stand); i++) {
        bool full = fills && i % 2;
        if (full) {
            stand->full = true;
            sim_disk_room(stand->sim, 0, dice_below(dice, 12) << 20);
        }
        play_faults(stand->play, for_ns / slices, commits_reached, stand);
        if (full)
            sim_disk_room(stand->sim, 0, 1u << 30);
    }
}

/* The last start, over what is on the disk. */
static void play_final(struct stand *stand)
{
    if (sim_failure(stand->sim))
        return;
    if (dice_below(&stand->dice, 2))
        sim_crash(stand->process, SIM_POWER);
    else {
        play_stop(stand->play, stand->process);
        if (sim_failure(stand->sim))
            return;
    }
    stand->final = true;
    stand->faults = stand->full = stand->looked = false;
    sim_restart(stand->process);
    if (sim_run(stand->sim, PATIENCE_NS, has_looked, stand) != SIM_UNTIL) {
        stand_fail(stand, "the last look does not end");
        return;
    }
    if (sim_run(stand->sim, PATIENCE_NS, has_ended, stand) != SIM_UNTIL)
        stand_fail(stand, "the process does not end after the last look");
}

/* A line of the trace takes so much. */
#define NOTE_BYTES 360

/* The transactions a verdict names, into the trace. */
static void note_transactions(struct stand *stand, const char *words)
{
    char line[4000];
    for (const char *at = words; (at = strchr(at, 'T')); at++)
        if (at[1] >= '0' && at[1] <= '9' &&
            witness_tell(stand->witness, (uint32_t)strtoul(at + 1, NULL, 10), line, sizeof line))
            for (const char *rest = line; *rest; rest += strnlen(rest, NOTE_BYTES))
                sim_note(stand->sim, "%.*s", NOTE_BYTES, rest);
}

static void judge(struct stand *stand)
{
    struct witness_verdict verdict = {0};
    witness_check(stand->witness, &verdict);
    if (!sim_failure(stand->sim))
        witness_check_final(stand->witness, &verdict);
    if (verdict.total) {
        note_transactions(stand, verdict.words);
        stand_fail(stand, "%s", verdict.words);
    }
    if (stand->scenario->judge && !sim_failure(stand->sim))
        stand->scenario->judge(stand);
    sim_note(stand->sim, "%" PRIu64 " commits, %" PRIu64 " operations, %" PRIu64 " reshaped, %" PRIu64 " not",
             stand->commits, witness_operations(stand->witness), stand->statistics[0], stand->statistics[1]);
}

void stand_run(struct play *play, const struct scenario *scenario, uint64_t for_ns)
{
    struct stand stand;
    stand_open(&stand, play, scenario);
    stand.process = play_target(play, 0,
                                &(struct sim_program){.name = "engine",
                                                      .cores = stand.cores,
                                                      .core_main = stand_core,
                                                      .argument = &stand,
                                                      .respawn = true});
    under_faults(&stand, for_ns);
    stand.goal = stand.commits + (stand.brief ? 3 : 20);
    play_calm(play, PATIENCE_NS, commits_reached, &stand, "more commits");
    play_final(&stand);
    judge(&stand);
    stand_close(&stand);
}
