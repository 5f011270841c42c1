/* Processes: started, asked to stop, ended, crashed, paused.
 *
 *                   sim_start, restart                 every core done
 *      (none), -----------------------> SIM_RUNNING ----------------------> SIM_ENDED
 *      SIM_ENDED, SIM_CRASHED            |  ^   |
 *                                  pause |  |   '---- crash ----> SIM_CRASHED
 *                                        v  | resume      ^
 *                                     SIM_PAUSED ---------'
 */
#include "base/check.h"
#include "test/sim/inside.h"
#include "test/sim/operation.h"

static void restart_happens(struct event *event);
static void doom_happens(struct event *event);
static void write_doom_happens(struct event *event);

struct sim_process *sim_start(struct sim *sim, uint32_t node, const struct sim_program *program)
{
    check(node < sim->options.nodes, "node %u of %u", node, sim->options.nodes);
    check(program->cores >= 1 && program->cores <= CORES_MAX, "%u cores", program->cores);
    struct sim_process *process = scope_alloc_zeroed(sim->scope, sizeof *process);
    process->sim = sim;
    process->node = &sim->nodes[node];
    process->program = *program;
    process->number = sim->processes_count++;
    process->state = SIM_ENDED;
    process->budget.limit = program->memory_bytes ? program->memory_bytes : SIZE_MAX;
    list_init(&process->operations);
    list_init(&process->handles);
    list_init(&process->ends);
    list_init(&process->wakes);
    process->restart.happen = restart_happens;
    process->doom_event.happen = doom_happens;
    process->write_doom.happen = write_doom_happens;
    list_append(&sim->processes, &process->link);
    process_start(process);
    faults_open_process(process);
    return process;
}

void process_start(struct sim_process *process)
{
    struct sim *sim = process->sim;
    struct error error;
    struct mail_room *room;
    check(process->state == SIM_ENDED || process->state == SIM_CRASHED, "\"%s\" runs already",
          process->program.name);
    event_drop(&sim->queue, &process->restart);
    if (!process->node->powered) {
        process->node->powered = true;
        net_node_powered(process->node);
    }
    process->state = SIM_RUNNING;
    process->stop_asked = process->doomed = process->down_for_good = false;
    process->starts++;
    record(sim, process->node->number, EVERYWHERE, TRACE_START, process->number, process->starts,
           process->program.name);
    if (process->program.begin)
        process->program.begin(process->program.argument);
    process->room_scope = scope_open_root("mail room", &process->budget);
    check(process->room_scope, "no memory for a simulated process");
    enum sqlstate failed = mail_room_open(process->room_scope, process->program.cores, &room, &error);
    check(!failed, "no memory for a simulated process");
    process->cores = memory_take(&sim->memory, process->program.cores * sizeof *process->cores);
    for (uint32_t i = 0; i < process->program.cores; i++)
        core_open(&process->cores[i], process, i, room);
}

/* What is left after its cores are gone. */
static void process_clear(struct sim_process *process)
{
    struct sim *sim = process->sim;
    wakes_forget(process);
    event_drop(&sim->queue, &process->doom_event);
    event_drop(&sim->queue, &process->write_doom);
    memory_give(&sim->memory, process->cores, process->program.cores * sizeof *process->cores);
    process->cores = NULL;
    process->doomed = false;
}

static void restart_later(struct sim_process *process)
{
    struct sim *sim = process->sim;
    event_plan(&sim->queue, &process->restart,
               sim->now_ns + dice_around(&sim->fault_dice, sim->faults.down_ns) + SIM_MICROSECOND);
}

static void restart_happens(struct event *event)
{
    process_start(container_of(event, struct sim_process, restart));
}

void process_end_if_done(struct sim_process *process)
{
    for (uint32_t i = 0; i < process->program.cores; i++)
        if (!process->cores[i].scope_gone)
            return;
    if (!list_empty(&process->operations))
        return;
    record(process->sim, process->node->number, EVERYWHERE, TRACE_END, process->number, 0,
           process->program.name);
    process->state = SIM_ENDED;
    net_process_gone(process, false);
    check(list_empty(&process->handles), "a file is open after every scope has ended");
    for (uint32_t i = 0; i < process->program.cores; i++)
        core_close(&process->cores[i]);
    scope_close(process->room_scope);
    process_clear(process);
    if (process->program.respawn && !process->down_for_good)
        restart_later(process);
}

/* Nothing is undone; what the kernel would do is done. */
static void process_kill(struct sim_process *process, bool silent)
{
    struct list_link *handle;
    process->state = SIM_CRASHED;
    process->crash_at_yields = 0;
    operations_break_off(process);
    net_process_gone(process, silent);
    while ((handle = list_first(&process->handles)))
        handle_close(container_of(handle, struct handle, link));
    for (uint32_t i = 0; i < process->program.cores; i++)
        core_abandon(&process->cores[i]);
    scope_abandon_root(process->room_scope);
    process_clear(process);
}

static bool alive(const struct sim_process *process)
{
    return process->state == SIM_RUNNING || process->state == SIM_PAUSED;
}

static void node_lose_power(struct sim_node *node)
{
    struct sim *sim = node->sim;
    record(sim, node->number, EVERYWHERE, TRACE_POWER_OFF, 0, 0, NULL);
    sim->totals.power_losses++;
    node->powered = false;
    list_each (&sim->processes, at) {
        struct sim_process *process = container_of(at, struct sim_process, link);
        if (process->node == node && alive(process))
            process_kill(process, true);
    }
    disk_model_lose_power(&node->disk);
    clock_reboot(&node->clock, sim->now_ns);
}

void process_crash(struct sim_process *process, enum sim_crash how)
{
    struct sim *sim = process->sim;
    check(!sim->turning, "a crash while a fiber runs");
    if (!alive(process))
        return;
    sim->totals.crashes++;
    record(sim, process->node->number, EVERYWHERE, TRACE_CRASH, how, process->yields, process->program.name);
    if (how == SIM_POWER)
        node_lose_power(process->node);
    else
        process_kill(process, false);
}

void process_crash_and_restart(struct sim_process *process, enum sim_crash how, bool all)
{
    list_each (&process->sim->processes, at) {
        struct sim_process *other = container_of(at, struct sim_process, link);
        bool dies = other == process || (how == SIM_POWER && other->node == process->node);
        if (dies && alive(other) && !other->down_for_good && (all || other->program.respawn))
            restart_later(other);
    }
    process_crash(process, how);
}

/* ---- the door ---- */

static void doom_happens(struct event *event)
{
    struct sim_process *process = container_of(event, struct sim_process, doom_event);
    process_crash(process, process->doom);
}

static void write_doom_happens(struct event *event)
{
    struct sim_process *process = container_of(event, struct sim_process, write_doom);
    uint64_t again = process->crash_again;
    process->crash_again = 0;
    process->crash_at_writes = again ? process->writes + again : 0;
    process_crash_and_restart(process, process->crash_how, false);
}

/* What is still in flight is broken off by the crash, and lands, or not, as part of it. */
void process_wrote(struct sim_process *process)
{
    struct event_queue *queue = &process->sim->queue;
    if (process->state != SIM_RUNNING)
        return;
    process->writes++;
    if (process->crash_at_writes && process->writes >= process->crash_at_writes &&
        !event_planned(&process->write_doom))
        event_plan(queue, &process->write_doom, process->sim->now_ns);
}

void sim_crash_after_writes(struct sim_process *process, uint64_t writes, uint64_t again, enum sim_crash how)
{
    process->crash_at_writes = writes ? process->writes + writes : 0;
    process->crash_again = again;
    process->crash_how = how;
}

uint64_t sim_writes(const struct sim_process *process)
{
    return process->writes;
}

void sim_crash(struct sim_process *process, enum sim_crash how)
{
    struct sim *sim = process->sim;
    if (!sim->turning) {
        process_crash(process, how);
        return;
    }
    process->doomed = true;
    process->doom = how;
    if (sim->turning->process != process)
        event_plan(&sim->queue, &process->doom_event, sim->now_ns);
}

void sim_lose_power(struct sim *sim, uint32_t node)
{
    check(node < sim->options.nodes && !sim->turning);
    node_lose_power(&sim->nodes[node]);
}

void sim_crash_after(struct sim_process *process, uint64_t yields, enum sim_crash how)
{
    process->crash_at_yields = yields ? process->yields + yields : 0;
    process->crash_how = how;
}

void sim_restart(struct sim_process *process)
{
    process_start(process);
}

void sim_stop(struct sim_process *process)
{
    struct sim *sim = process->sim;
    if (!alive(process) || process->stop_asked)
        return;
    process->stop_asked = true;
    process->down_for_good = !sim->turning;
    record(sim, process->node->number, EVERYWHERE, TRACE_STOP, process->number, 0, process->program.name);
    for (uint32_t i = 0; i < process->program.cores; i++) {
        fiber_wake_all(&process->cores[i].stop_waiters);
        core_nudge(&process->cores[i]);
    }
}

void sim_pause(struct sim_process *process)
{
    if (process->state != SIM_RUNNING)
        return;
    process->state = SIM_PAUSED;
    process->sim->totals.pauses++;
    record(process->sim, process->node->number, EVERYWHERE, TRACE_PAUSE, process->number, 0,
           process->program.name);
}

/* Whatever has happened meanwhile is found at the next turn. */
void sim_resume(struct sim_process *process)
{
    if (process->state != SIM_PAUSED)
        return;
    process->state = SIM_RUNNING;
    record(process->sim, process->node->number, EVERYWHERE, TRACE_RESUME, process->number, 0,
           process->program.name);
    for (uint32_t i = 0; i < process->program.cores; i++)
        core_nudge(&process->cores[i]);
}

void sim_calm(struct sim *sim)
{
    check(!sim->turning, "sim_calm() from within a program");
    sim_note(sim, "calm");
    faults_end(sim);
    sim_heal_all(sim);
    list_each (&sim->processes, at) {
        struct sim_process *process = container_of(at, struct sim_process, link);
        process->crash_at_yields = process->crash_at_writes = 0;
        event_drop(&sim->queue, &process->write_doom);
        sim_resume(process);
        bool down =
            process->state == SIM_CRASHED || (process->state == SIM_ENDED && process->program.respawn);
        if (down && !process->down_for_good)
            process_start(process);
    }
}

enum sim_state sim_state(const struct sim_process *process)
{
    return process->state;
}

uint64_t sim_yields(const struct sim_process *process)
{
    return process->yields;
}

uint64_t sim_restarts(const struct sim_process *process)
{
    return process->starts - 1;
}

size_t sim_memory(const struct sim_process *process)
{
    return process->budget.used;
}
