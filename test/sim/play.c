/* Playing a workload. */
#include "test/sim/workload.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

const struct workload *const workloads[] = {disk_workloads, net_workloads,    mail_workloads,
                                            echo_workloads, engine_workloads, NULL};

const struct workload *workload_find(const char *name)
{
    for (uint32_t i = 0; workloads[i]; i++)
        for (const struct workload *workload = workloads[i]; workload->name; workload++)
            if (!strcmp(workload->name, name))
                return workload;
    return NULL;
}

struct sim_process *play_target(struct play *play, uint32_t node, const struct sim_program *program)
{
    check(!play->target, "a workload has one target");
    play->target = sim_start(play->sim, node, program);
    if (play->options->crash_at)
        sim_crash_after(play->target, play->options->crash_at, play->options->crash_how);
    if (play->options->crash_at_write)
        sim_crash_after_writes(play->target, play->options->crash_at_write, play->options->crash_again,
                               play->options->crash_how);
    return play->target;
}

void play_faults(struct play *play, uint64_t for_ns, bool (*until)(void *argument), void *argument)
{
    (void)!sim_run(play->sim, play->options->limit_ns ? play->options->limit_ns : for_ns, until, argument);
}

void play_calm(struct play *play, uint64_t for_ns, bool (*until)(void *argument), void *argument,
               const char *what)
{
    struct sim_totals totals;
    if (sim_failure(play->sim))
        return;
    sim_totals(play->sim, &totals);
    play->crashed = totals.crashes > 0;
    sim_calm(play->sim);
    enum sim_end end = sim_run(play->sim, for_ns, until, argument);
    if (end == SIM_DEADLINE || end == SIM_IDLE)
        sim_fail(play->sim, "in calm weather, %s did not come about (%s)", what,
                 end == SIM_IDLE ? "nothing can happen any more" : "time is up");
}

static bool has_ended(void *argument)
{
    return sim_state(argument) == SIM_ENDED;
}

void play_stop(struct play *play, struct sim_process *process)
{
    if (sim_failure(play->sim))
        return;
    sim_stop(process);
    enum sim_end end = sim_run(play->sim, 60 * SIM_SECOND, has_ended, process);
    if (end == SIM_DEADLINE || end == SIM_IDLE)
        sim_fail(play->sim, "a process that was asked to stop has not");
}

void play_draw_faults(const struct play_options *options, struct sim_faults *faults)
{
    if (options->peace || options->crash_at || options->crash_at_write)
        sim_faults_none(faults);
    else
        sim_faults_draw(faults, options->seed);
}

void play(const struct workload *workload, const struct play_options *options, struct play_result *result)
{
    struct sim_options simulation = {.seed = options->seed,
                                     .nodes = workload->nodes,
                                     .log_level = options->log_level,
                                     .trace = options->trace,
                                     .trace_argument = options->trace_argument};
    play_draw_faults(options, &simulation.faults);
    simulation.faults.lose_all = options->lose_all;
    struct play play = {.options = options, .sim = sim_open(&simulation)};
    workload->run(&play, workload);
    *result = (struct play_result){.failed = sim_failure(play.sim) != NULL, .virtual_ns = sim_now(play.sim)};
    if (result->failed)
        snprintf(result->words, sizeof result->words, "%s", sim_failure(play.sim));
    sim_totals(play.sim, &result->totals);
    result->crashed = play.crashed;
    result->target_yields = play.target ? sim_yields(play.target) : 0;
    sim_close(play.sim);
}
