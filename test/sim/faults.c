/* Faults that come of themselves: how often, drawn from the seed; when and to whom, drawn as time goes on.
 *
 * Each kind of fault of each machine or process is an event that does its harm and plans its next coming. */
#include "base/check.h"
#include "test/sim/inside.h"

#include <stdio.h>

enum node_fault { NODE_WALL_JUMP, NODE_SLOW, NODE_ROT };
enum process_fault { PROCESS_CRASH, PROCESS_PAUSE };

/* While a kind of fault is switched off, whether it was switched on is looked up so often. */
#define LOOK_AGAIN_NS (SIM_SECOND / 2)

/* ---- profiles ---- */

void sim_faults_none(struct sim_faults *faults)
{
    *faults = (struct sim_faults){
        .turn_ns = 1000,
        .turns = 4,
        .wake_ns = 5000,
        .down_ns = 200 * SIM_MILLISECOND,
        .read_ns = 60 * SIM_MICROSECOND,
        .write_ns = 20 * SIM_MICROSECOND,
        .sync_ns = 130 * SIM_MICROSECOND,
        .slow_factor = 1,
        .lost_ppm = 400000,
        .torn_ppm = 200000,
        .delay_ns = 100 * SIM_MICROSECOND,
        .bytes_per_second = 1000000000,
        .window_bytes = 65536,
        .split_ppm = 100000,
        .spike_ns = 20 * SIM_MILLISECOND,
        .give_up_ns = 10 * SIM_SECOND,
    };
}

/* A rate: 0 in half of the seeds, else anything up to `most`, small ones as likely as large ones. */
static uint32_t draw_rate(struct dice *dice, uint32_t most)
{
    if (dice_below(dice, 2))
        return 0;
    return (uint32_t)(1 + dice_below(dice, most >> dice_below(dice, 8)));
}

/* A mean time between faults: never in one of `never` seeds, else from `least` up to 256 times as long. */
static uint64_t draw_every(struct dice *dice, uint64_t least, uint64_t never)
{
    if (dice_below(dice, never) == 0)
        return 0;
    return (least + dice_below(dice, least)) << dice_below(dice, 8);
}

/* A duration from `least` up to `least` << (doublings + 1), short ones as likely as long ones. */
static uint64_t draw_span(struct dice *dice, uint64_t least, uint64_t doublings)
{
    return (least + dice_below(dice, least)) << dice_below(dice, doublings + 1);
}

static void draw_network(struct sim_faults *faults, struct dice *dice)
{
    faults->delay_ns = draw_span(dice, 10 * SIM_MICROSECOND, 8);
    faults->bytes_per_second = 1000000000 >> dice_below(dice, 8);
    faults->window_bytes = 1024u << dice_below(dice, 9);
    faults->split_ppm = (uint32_t)dice_below(dice, 3) * 400000;
    faults->spike_ppm = draw_rate(dice, 50000);
    faults->spike_ns = draw_span(dice, SIM_MILLISECOND, 8);
    faults->reset_ppm = draw_rate(dice, 10000);
    faults->vanish_ppm = draw_rate(dice, 5000);
    faults->give_up_ns = draw_span(dice, SIM_SECOND / 4, 5);
    faults->refuse_ppm = draw_rate(dice, 100000);
    faults->accept_ppm = draw_rate(dice, 50000);
    faults->partition_every_ns = draw_every(dice, 20 * SIM_MILLISECOND, 2);
    faults->partition_ns = draw_span(dice, SIM_MILLISECOND, 13);
    faults->partition_one_way_ppm = (uint32_t)dice_below(dice, 3) * 500000;
    faults->partition_refuse_ppm = (uint32_t)dice_below(dice, 3) * 500000;
}

static void draw_disk(struct sim_faults *faults, struct dice *dice)
{
    faults->read_ns = (5 * SIM_MICROSECOND) << dice_below(dice, 8);
    faults->write_ns = (5 * SIM_MICROSECOND) << dice_below(dice, 6);
    faults->sync_ns = (20 * SIM_MICROSECOND) << dice_below(dice, 9);
    faults->slow_every_ns = draw_every(dice, 20 * SIM_MILLISECOND, 2);
    faults->slow_ns = draw_span(dice, SIM_MILLISECOND, 10);
    faults->slow_factor = 1u << dice_below(dice, 11);
    faults->read_error_ppm = draw_rate(dice, 2000);
    faults->write_error_ppm = draw_rate(dice, 2000);
    faults->sync_error_ppm = draw_rate(dice, 50000);
    faults->lost_ppm = (uint32_t)dice_below(dice, 1000001);
    faults->torn_ppm = (uint32_t)dice_below(dice, 1000001 - faults->lost_ppm) / 2;
}

void sim_faults_draw(struct sim_faults *faults, uint64_t seed)
{
    struct dice dice;
    sim_faults_none(faults);
    dice_open(&dice, seed, DICE_PROFILE, 0);
    faults->turn_ns = 200ull << dice_below(&dice, 6);
    faults->turns = 1u << dice_below(&dice, 7);
    faults->wake_ns = 500ull << dice_below(&dice, 10);
    faults->crash_every_ns = draw_every(&dice, 10 * SIM_MILLISECOND, 4);
    faults->crash_power_ppm = (uint32_t)dice_below(&dice, 3) * 500000;
    faults->down_ns = draw_span(&dice, SIM_MILLISECOND, 10);
    faults->pause_every_ns = draw_every(&dice, 10 * SIM_MILLISECOND, 2);
    faults->pause_ns = draw_span(&dice, 10 * SIM_MICROSECOND, 16);
    faults->drift_ppm = draw_rate(&dice, 100000);
    faults->wall_jump_every_ns = draw_every(&dice, 10 * SIM_MILLISECOND, 2);
    faults->wall_jump_us = 1000ull << dice_below(&dice, 22);
    draw_network(faults, &dice);
    draw_disk(faults, &dice);
}

/* ---- when ---- */

static void fault_happens(struct event *event);

static uint64_t fault_every_ns(const struct fault *fault)
{
    const struct sim_faults *faults = &fault->sim->faults;
    if (fault->process)
        return fault->kind == PROCESS_CRASH ? faults->crash_every_ns : faults->pause_every_ns;
    switch (fault->kind) {
    case NODE_WALL_JUMP:
        return faults->wall_jump_every_ns;
    case NODE_SLOW:
        return faults->slow_every_ns;
    default:
        return faults->rot_every_ns;
    }
}

static void fault_plan(struct fault *fault, uint64_t in_ns)
{
    fault->event.happen = fault_happens;
    event_plan(&fault->sim->queue, &fault->event, fault->sim->now_ns + in_ns);
}

static void fault_plan_next(struct fault *fault)
{
    uint64_t every_ns = fault_every_ns(fault);
    if (!fault->sim->calm)
        fault_plan(fault, every_ns ? dice_around(&fault->sim->fault_dice, every_ns) + 1 : LOOK_AGAIN_NS);
}

/* ---- what ---- */

/* Whether a crash may take the machine's power: not when a spared process runs on it. */
static bool may_lose_power(const struct sim_node *node)
{
    list_each (&node->sim->processes, at) {
        const struct sim_process *process = container_of(at, struct sim_process, link);
        if (process->node == node && process->program.spared)
            return false;
    }
    return true;
}

static void crash(struct sim_process *process)
{
    struct sim *sim = process->sim;
    if (process->state != SIM_RUNNING && process->state != SIM_PAUSED)
        return;
    bool power = dice_chance(&sim->fault_dice, sim->faults.crash_power_ppm) && may_lose_power(process->node);
    process_crash_and_restart(process, power ? SIM_POWER : SIM_KILL, true);
}

/* Going on is planned in the same event. */
static void pause_or_resume(struct fault *fault)
{
    struct sim_process *process = fault->process;
    struct sim *sim = fault->sim;
    if (fault->under_way) {
        fault->under_way = false;
        sim_resume(process);
        fault_plan_next(fault);
        return;
    }
    fault->under_way = true;
    sim_pause(process);
    fault_plan(fault, dice_around(&sim->fault_dice, sim->faults.pause_ns) + 1);
}

static void wall_jump(struct sim_node *node)
{
    struct sim *sim = node->sim;
    uint64_t most = sim->faults.wall_jump_us;
    sim_wall_jump(sim, node->number, (int64_t)dice_below(&sim->fault_dice, 2 * most + 1) - (int64_t)most);
}

static void slow_or_fast(struct fault *fault)
{
    struct sim *sim = fault->sim;
    if (fault->under_way) {
        fault->under_way = false;
        sim_disk_slow(sim, fault->node->number, 1);
        fault_plan_next(fault);
        return;
    }
    fault->under_way = true;
    sim_disk_slow(sim, fault->node->number, sim->faults.slow_factor);
    fault_plan(fault, dice_around(&sim->fault_dice, sim->faults.slow_ns) + 1);
}

/* Finds one of the files below a directory that may rot, each as likely as the others: the k-th replaces the
 * one found before with chance 1/k. */
static void find_rotten(struct sim_node *node, struct inode *directory, char *path, size_t length,
                        uint32_t *found, struct inode **rotten)
{
    struct sim *sim = node->sim;
    for (uint32_t i = 0; i < directory->visible.count; i++) {
        struct name *name = &directory->visible.entries[i];
        size_t more = (size_t)snprintf(path + length, 512 - length, "/%s", name->text);
        if (length + more >= 512)
            continue;
        if (name->inode->directory)
            find_rotten(node, name->inode, path, length + more, found, rotten);
        else if (name->inode->content.durable_size &&
                 sim->disk_allow(sim->disk_allow_argument, node->number, path) &&
                 dice_below(&sim->fault_dice, ++*found) == 0)
            *rotten = name->inode;
    }
}

static void rot(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct inode *rotten = NULL;
    char path[512] = "";
    uint32_t found = 0;
    if (sim->disk_allow)
        find_rotten(node, node->disk.root, path, 0, &found, &rotten);
    if (!rotten)
        return;
    uint64_t offset = dice_below(&sim->fault_dice, rotten->content.durable_size);
    if (content_rot(&rotten->content, offset, (uint32_t)dice_below(&sim->fault_dice, 8)))
        record(sim, node->number, EVERYWHERE, TRACE_ROT, offset, 0, NULL);
}

static void fault_happens(struct event *event)
{
    struct fault *fault = container_of(event, struct fault, event);
    bool pausing = fault->process && fault->kind == PROCESS_PAUSE;
    bool slowing = !fault->process && fault->kind == NODE_SLOW;
    bool wanted = fault_every_ns(fault) != 0;
    if (pausing && (wanted || fault->under_way)) {
        pause_or_resume(fault);
        return;
    }
    if (slowing && (wanted || fault->under_way)) {
        slow_or_fast(fault);
        return;
    }
    if (wanted && fault->process)
        crash(fault->process);
    else if (wanted && fault->kind == NODE_WALL_JUMP)
        wall_jump(fault->node);
    else if (wanted && fault->kind == NODE_ROT)
        rot(fault->node);
    fault_plan_next(fault);
}

/* ---- partitions ---- */

static void partition_ends(struct event *event);

static void partition_plan(struct sim *sim)
{
    uint64_t every_ns = sim->faults.partition_every_ns;
    if (sim->options.nodes > 1 && !sim->calm)
        event_plan(&sim->queue, &sim->partition_begins,
                   sim->now_ns + (every_ns ? dice_around(&sim->fault_dice, every_ns) + 1 : LOOK_AGAIN_NS));
}

/* Each machine is drawn to one of two sides; between the sides nothing passes, or nothing passes one way. */
static void partition_begins(struct event *event)
{
    struct sim *sim = container_of(event, struct sim, partition_begins);
    struct dice *dice = &sim->fault_dice;
    if (!sim->faults.partition_every_ns) {
        partition_plan(sim);
        return;
    }
    uint64_t side = dice_next(dice);
    bool one_way = dice_chance(dice, sim->faults.partition_one_way_ppm);
    bool refuse = dice_chance(dice, sim->faults.partition_refuse_ppm);
    sim->totals.partitions++;
    for (uint32_t from = 0; from < sim->options.nodes; from++)
        for (uint32_t to = 0; to < sim->options.nodes; to++)
            if ((side >> from & 1) != (side >> to & 1) && (!one_way || side >> from & 1))
                sim_cut(sim, from, to, refuse);
    event_plan(&sim->queue, &sim->partition_ends,
               sim->now_ns + dice_around(dice, sim->faults.partition_ns) + 1);
}

static void partition_ends(struct event *event)
{
    struct sim *sim = container_of(event, struct sim, partition_ends);
    sim_heal_all(sim);
    partition_plan(sim);
}

/* ---- beginning and end ---- */

void faults_open(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        for (uint32_t kind = 0; kind < NODE_FAULTS; kind++) {
            struct fault *fault = &sim->nodes[i].faults[kind];
            *fault = (struct fault){.sim = sim, .node = &sim->nodes[i], .kind = kind};
            fault_plan_next(fault);
        }
    }
    sim->partition_begins.happen = partition_begins;
    sim->partition_ends.happen = partition_ends;
    partition_plan(sim);
}

void faults_open_process(struct sim_process *process)
{
    for (uint32_t kind = 0; kind < PROCESS_FAULTS && !process->program.spared; kind++) {
        struct fault *fault = &process->faults[kind];
        *fault = (struct fault){.sim = process->sim, .process = process, .kind = kind};
        fault_plan_next(fault);
    }
}

void faults_end(struct sim *sim)
{
    sim->calm = true;
    event_drop(&sim->queue, &sim->partition_begins);
    event_drop(&sim->queue, &sim->partition_ends);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        for (uint32_t kind = 0; kind < NODE_FAULTS; kind++)
            event_drop(&sim->queue, &sim->nodes[i].faults[kind].event);
        sim->nodes[i].disk.slow_factor = 1;
    }
    list_each (&sim->processes, at) {
        struct sim_process *process = container_of(at, struct sim_process, link);
        for (uint32_t kind = 0; kind < PROCESS_FAULTS; kind++)
            event_drop(&sim->queue, &process->faults[kind].event);
    }
    struct sim_faults *faults = &sim->faults;
    faults->read_error_ppm = faults->write_error_ppm = faults->sync_error_ppm = faults->misdirect_ppm = 0;
    faults->spike_ppm = faults->reset_ppm = faults->vanish_ppm = faults->refuse_ppm = faults->accept_ppm = 0;
}
