/* Workloads: programs for the simulator that check themselves, and playing one of them from a seed.
 *
 * A workload sets processes up, lets them run while faults come as the seed draws them, then asks for calm
 * and for progress. What must hold is kept outside of the simulated memory, where no crash can reach it.
 *
 * A workload marked `broken` has a mistake on purpose: a seed must find it. They prove that the simulator has
 * teeth, and are no part of "all". */
#ifndef SYNOD_TEST_SIM_WORKLOAD_H
#define SYNOD_TEST_SIM_WORKLOAD_H

#include "test/sim/sim.h"

struct play;
struct workload;

/* How to play. */
struct play_options {
    uint64_t seed;
    bool peace;        /* no faults at all */
    uint64_t crash_at; /* turn of the target's fibers at which it crashes; 0 = none */
    uint64_t
        crash_at_write;   /* the same, when so many operations that change the disk have landed; 0 = none */
    uint64_t crash_again; /* and once more, so many later; 0 = not */
    enum sim_crash crash_how; /* for both */
    bool lose_all;            /* a loss of power takes all that was not synced, always */
    uint64_t limit_ns;        /* virtual time under faults; 0 = the workload's own */
    enum log_level log_level;
    void (*trace)(void *argument, const char *line, size_t bytes);
    void *trace_argument;
};

struct play_result {
    bool failed;
    char words[512]; /* why */
    struct sim_totals totals;
    uint64_t virtual_ns;
    uint64_t target_yields; /* turns of the target's fibers */
    bool crashed;           /* something did before the calm: in an exact play, where the options say */
};

struct workload {
    const char *name;
    const char *summary;
    uint32_t nodes;
    bool broken;
    uint32_t variant; /* the workload's own: which mistake */
    /* Fails through sim_fail(). Calls play_target() for the process that crash_at is about. */
    void (*run)(struct play *play, const struct workload *workload);
};

/* What a running workload knows of how it is played. */
struct play {
    const struct play_options *options;
    struct sim *sim;
    struct sim_process *target;
    bool crashed; /* something did, before it was asked for calm */
};

/* Whether crashes come where the play's options say, and no other faults. Such a play is repeated for each place, so it should be
 * short. */
static inline bool play_is_exact(const struct play *play)
{
    return play->options->crash_at || play->options->crash_at_write;
}

/* Starts a program that `crash_at` is about. */
struct sim_process *play_target(struct play *play, uint32_t node, const struct sim_program *program);

/* Runs under faults until the predicate holds, for `for_ns` of virtual time (or what the options say). */
void play_faults(struct play *play, uint64_t for_ns, bool (*until)(void *argument), void *argument);

/* Asks for calm, then for the predicate within `for_ns`; `what` completes "in calm weather, ... did not come
 * about". */
void play_calm(struct play *play, uint64_t for_ns, bool (*until)(void *argument), void *argument,
               const char *what);

/* Asks a process to stop and waits until it has. */
void play_stop(struct play *play, struct sim_process *process);

/* Plays a workload from beginning to end. */
void play(const struct workload *workload, const struct play_options *options, struct play_result *result);

/* The faults of a seed, as play() sets them. */
void play_draw_faults(const struct play_options *options, struct sim_faults *faults);

/* All of them, with a NULL at the end. */
extern const struct workload *const workloads[];

/* By name, or NULL. */
const struct workload *workload_find(const char *name);

/* workload_*.c; each ends with an entry without a name. */
extern const struct workload disk_workloads[];
extern const struct workload net_workloads[];
extern const struct workload mail_workloads[];
extern const struct workload echo_workloads[];
extern const struct workload engine_workloads[]; /* engine/ */

#endif
