/* The simulation as a whole: opening, the main loop, machines. */
#include "test/sim/sim.h"

#include "base/check.h"
#include "test/sim/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DISK_BYTES_DEFAULT (1ull << 30)

/* ---- opening and closing ---- */

static void node_open(struct sim_node *node, struct sim *sim, uint32_t number)
{
    node->sim = sim;
    node->number = number;
    node->powered = true;
    uint64_t bytes = sim->options.disk_bytes ? sim->options.disk_bytes : DISK_BYTES_DEFAULT;
    clock_open(&node->clock, sim->options.seed, number, sim->faults.drift_ppm);
    dice_open(&node->entropy, sim->options.seed, DICE_ENTROPY, number);
    disk_model_open(&node->disk, node, sim->options.seed);
    node->disk.pages_room = bytes / PAGE_BYTES;
    list_init(&node->listeners);
    node->next_port = 32768;
}

struct sim *sim_open(const struct sim_options *options)
{
    check(options->nodes >= 1 && options->nodes <= SIM_NODES_MAX, "%u nodes", options->nodes);
    check(options->faults.drift_ppm <= 100000, "clocks %u ppm wrong", options->faults.drift_ppm);
    check(options->faults.turns >= 1 && options->faults.window_bytes >= 1024,
          "faults were not initialised: use sim_faults_none() or sim_faults_draw()");
    struct scope *scope = scope_open_root("simulation", NULL);
    check(scope, "no memory for a simulation");
    struct sim *sim = scope_alloc_zeroed(scope, sizeof *sim);
    sim->scope = scope;
    sim->options = *options;
    sim->faults = options->faults;
    memory_open(&sim->memory, scope);
    event_queue_open(&sim->queue, &sim->memory, options->seed);
    trace_open(&sim->trace, options->trace, options->trace_argument);
    dice_open(&sim->fault_dice, options->seed, DICE_FAULTS, 0);
    list_init(&sim->processes);
    list_init(&sim->connections);
    sim->nodes = scope_alloc_zeroed(scope, options->nodes * sizeof *sim->nodes);
    for (uint32_t i = 0; i < options->nodes; i++)
        node_open(&sim->nodes[i], sim, i);
    faults_open(sim);
    return sim;
}

void sim_close(struct sim *sim)
{
    check(!sim->turning, "sim_close() from within a program");
    list_each (&sim->processes, at) {
        struct sim_process *process = container_of(at, struct sim_process, link);
        if (process->state == SIM_RUNNING || process->state == SIM_PAUSED)
            process_crash(process, SIM_KILL);
    }
    net_close_all(sim);
    for (uint32_t i = 0; i < sim->options.nodes; i++)
        disk_model_close(&sim->nodes[i].disk);
    event_queue_close(&sim->queue);
    check(!sim->memory.in_use, "%zu bytes of the simulation were not given back", sim->memory.in_use);
    scope_close(sim->scope);
}

struct sim_faults *sim_faults(struct sim *sim)
{
    return &sim->faults;
}

/* ---- running ---- */

enum sim_end sim_run(struct sim *sim, uint64_t for_ns, bool (*until)(void *argument), void *argument)
{
    uint64_t deadline_ns = sim->now_ns + for_ns;
    check(!sim->turning, "sim_run() from within a program");
    for (;;) {
        if (sim->failure[0])
            return SIM_FAILED;
        if (until && until(argument))
            return SIM_UNTIL;
        if (!sim->queue.count)
            return SIM_IDLE;
        if (event_next_time(&sim->queue) > deadline_ns) {
            sim->now_ns = deadline_ns > sim->now_ns ? deadline_ns : sim->now_ns;
            return SIM_DEADLINE;
        }
        uint64_t at_ns;
        struct event *event = event_take(&sim->queue, &at_ns);
        if (at_ns > sim->now_ns)
            sim->now_ns = at_ns;
        sim->totals.events++;
        event->happen(event);
    }
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->failure[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->failure, sizeof sim->failure, format, arguments);
    va_end(arguments);
    record(sim, EVERYWHERE, EVERYWHERE, TRACE_FAILURE, 0, 0, sim->failure);
}

const char *sim_failure(const struct sim *sim)
{
    return sim->failure[0] ? sim->failure : NULL;
}

void sim_note(struct sim *sim, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    record(sim, EVERYWHERE, EVERYWHERE, TRACE_NOTE, 0, 0, text);
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now_ns;
}

uint64_t sim_seed(const struct sim *sim)
{
    return sim->options.seed;
}

void sim_totals(const struct sim *sim, struct sim_totals *totals)
{
    *totals = sim->totals;
    totals->hash[0] = sim->trace.lane[0];
    totals->hash[1] = sim->trace.lane[1];
    totals->records = sim->trace.records;
}

/* ---- machines ---- */

static struct sim_node *node_of(struct sim *sim, uint32_t node)
{
    check(node < sim->options.nodes, "node %u of %u", node, sim->options.nodes);
    return &sim->nodes[node];
}

/* A clock that changes moves the deadlines of its cores: each looks anew. */
static void clock_changed(struct sim_node *node)
{
    list_each (&node->sim->processes, at) {
        struct sim_process *process = container_of(at, struct sim_process, link);
        for (uint32_t i = 0; process->node == node && process->cores && i < process->program.cores; i++)
            core_nudge(&process->cores[i]);
    }
}

void sim_wall_jump(struct sim *sim, uint32_t node, int64_t microseconds)
{
    record(sim, node, EVERYWHERE, TRACE_WALL_JUMP, (uint64_t)microseconds, 0, NULL);
    node_of(sim, node)->clock.wall_us += microseconds;
}

void sim_drift(struct sim *sim, uint32_t node, int32_t ppm)
{
    check(ppm >= -100000 && ppm <= 100000, "a clock %d ppm wrong", ppm);
    record(sim, node, EVERYWHERE, TRACE_DRIFT, (uint64_t)(int64_t)ppm, 0, NULL);
    clock_set_drift(&node_of(sim, node)->clock, sim->now_ns, (int64_t)ppm * 1000);
    clock_changed(node_of(sim, node));
}

void sim_disk_room(struct sim *sim, uint32_t node, uint64_t bytes)
{
    node_of(sim, node)->disk.pages_room = bytes / PAGE_BYTES;
}

void sim_disk_allow(struct sim *sim, bool (*allow)(void *argument, uint32_t node, const char *path),
                    void *argument)
{
    sim->disk_allow = allow;
    sim->disk_allow_argument = argument;
}

bool sim_disk_rot(struct sim *sim, uint32_t node, const char *path, uint64_t offset, uint32_t bit)
{
    struct place place = names_find(&node_of(sim, node)->disk, path);
    if (!place.inode || place.inode->directory || !content_rot(&place.inode->content, offset, bit))
        return false;
    record(sim, node, EVERYWHERE, TRACE_ROT, offset, bit, path);
    return true;
}

void sim_disk_slow(struct sim *sim, uint32_t node, uint32_t factor)
{
    check(factor >= 1);
    record(sim, node, EVERYWHERE, TRACE_DISK_SLOW, factor, 0, NULL);
    node_of(sim, node)->disk.slow_factor = factor;
}
