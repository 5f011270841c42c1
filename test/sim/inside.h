/* What the files of the simulator share. Test programs include sim.h only.
 *
 *     sim.c        opening, the main loop, nodes and processes
 *     core.c       one simulated core: its turns, clock, randomness, wake, stop
 *     operation.c  operations in flight: what fibers wait for while a disk works
 *     disk.c       disk_ops: operations on files and names
 *     names.c      directories, and what of them survives
 *     content.c    what is in a file, and what of it survives
 *     net.c        net_ops and stream_ops
 *     wire.c       segments on their way, resets, partitions
 *     faults.c     faults the seed draws */
#ifndef SYNOD_TEST_SIM_INSIDE_H
#define SYNOD_TEST_SIM_INSIDE_H

#include "base/list.h"
#include "base/mailbox.h"
#include "base/scope.h"
#include "test/sim/disk.h"
#include "test/sim/events.h"
#include "test/sim/memory.h"
#include "test/sim/sim.h"
#include "test/sim/trace.h"

#define SIM_NODES_MAX 64
#define EVERYWHERE    UINT32_MAX /* a core or node that is all of them */

/* A machine's clocks. local = base + elapsed, where elapsed runs wrong by drift. */
struct clock {
    uint64_t since_ns; /* virtual time of the last change */
    uint64_t base_ns;  /* what the monotonic clock said then */
    int64_t drift_ppb;
    int64_t wall_us; /* wall clock minus monotonic clock */
    struct dice dice;
};

/* Faults that come of themselves, one of each kind for each machine or process. */
struct fault {
    struct event event;
    struct sim *sim;
    struct sim_node *node;
    struct sim_process *process;
    uint32_t kind;  /* faults.c */
    bool under_way; /* of those that last: it has begun and not ended */
};

#define NODE_FAULTS    3
#define PROCESS_FAULTS 2

struct sim_node {
    struct sim *sim;
    uint32_t number;
    bool powered;
    struct clock clock;
    struct dice entropy;
    struct disk disk;
    struct list listeners;
    uint16_t next_port; /* for connections and port 0 */
    struct fault faults[NODE_FAULTS];
};

struct sim_core {
    struct world world; /* what the program sees */
    struct sim_process *process;
    struct scope *root;     /* scheduler, mailbox, log: outlives the program's scopes */
    struct scope_gone gone; /* told when world.scope is */
    bool main_returned;
    bool closing; /* world.scope was closed, and may be gone */
    bool scope_gone;
    bool asleep;
    uint64_t busy_until_ns;
    struct event turn;
    struct fiber_queue stop_waiters;
    struct dice dice;
};

struct sim_process {
    struct list_link link; /* in sim->processes */
    struct sim *sim;
    struct sim_node *node;
    struct sim_program program;
    uint32_t number;
    enum sim_state state;
    bool stop_asked;
    bool down_for_good; /* it was asked to stop, so nothing starts it again */
    uint64_t starts;
    uint64_t yields;
    uint64_t crash_at_yields; /* 0 = none */
    uint64_t writes;          /* operations on the disk that change something and have landed */
    uint64_t crash_at_writes; /* 0 = none */
    uint64_t crash_again;     /* so many writes behind that one; 0 = not */
    enum sim_crash crash_how;
    bool doomed; /* crashes as soon as no fiber runs */
    enum sim_crash doom;
    struct budget budget;
    struct scope *room_scope; /* owns the mail rings */
    struct sim_core *cores;   /* program.cores of them while it runs, else NULL */
    struct list operations;   /* struct operation, in flight or not yet collected */
    struct list handles;      /* struct handle: open files */
    struct list ends;         /* struct end: connections it owns or may adopt */
    struct list wakes;        /* on their way to its cores */
    struct event restart;
    struct event doom_event;
    struct event write_doom; /* after a write that was waited for */
    struct fault faults[PROCESS_FAULTS];
};

struct sim {
    struct scope *scope;
    struct memory memory;
    struct event_queue queue;
    struct trace trace;
    struct sim_options options;
    struct sim_faults faults;
    uint64_t now_ns;
    bool calm;
    struct sim_core *turning; /* whose fibers run now */
    char failure[512];        /* "" = none */
    struct sim_totals totals;
    struct sim_node *nodes;
    struct list processes;
    uint32_t processes_count;
    struct list connections;
    uint64_t next_connection;
    uint8_t cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* enum way, [from][to] */
    struct event partition_begins;
    struct event partition_ends;
    struct dice fault_dice;
    bool (*disk_allow)(void *argument, uint32_t node, const char *path);
    void *disk_allow_argument;
};

static inline void record(struct sim *sim, uint32_t node, uint32_t core, enum trace_kind kind, uint64_t a,
                          uint64_t b, const char *text)
{
    trace_record(&sim->trace, (struct trace_place){sim->now_ns, node, core}, kind, a, b, text);
}

/* ---- core.c ---- */

extern const struct world_ops sim_world_ops;
extern const struct disk_ops sim_disk_ops; /* disk.c */
extern const struct net_ops sim_net_ops;   /* net.c */

static inline struct sim_core *core_of(const struct world *world)
{
    return (struct sim_core *)world;
}

/* Records something a core does. */
static inline void record_core(struct sim_core *core, enum trace_kind kind, uint64_t a, uint64_t b,
                               const char *text)
{
    record(core->process->sim, core->process->node->number, core->world.core, kind, a, b, text);
}

void core_open(struct sim_core *core, struct sim_process *process, uint32_t number, struct mail_room *room);

/* Something has happened for this core: it gets a turn as soon as it is free. */
void core_nudge(struct sim_core *core);

/* Ends (gives back) a core that is done; forgets one that is not. */
void core_close(struct sim_core *core);
void core_abandon(struct sim_core *core);

/* Wakes on their way when the process ends are lost. */
void wakes_forget(struct sim_process *process);

void clock_open(struct clock *clock, uint64_t seed, uint32_t node, uint32_t drift_ppm_max);
uint64_t clock_local(const struct clock *clock, uint64_t now_ns);
/* The first virtual time at which the clock says at least `local_ns`. */
uint64_t clock_when(const struct clock *clock, uint64_t local_ns);
void clock_set_drift(struct clock *clock, uint64_t now_ns, int64_t ppb);
/* A loss of power: the monotonic clock starts again near zero, the wall clock goes on. */
void clock_reboot(struct clock *clock, uint64_t now_ns);

/* ---- sim.c ---- */

/* All cores are done and nothing is in flight: the process is over. */
void process_end_if_done(struct sim_process *process);

/* Crashes it now; no fiber may run. */
/* An operation on the disk that changes something has landed. */
void process_wrote(struct sim_process *process);

void process_crash(struct sim_process *process, enum sim_crash how);
/* The same; whatever died is started again later, if `all` or it is to be respawned. */
void process_crash_and_restart(struct sim_process *process, enum sim_crash how, bool all);
void process_start(struct sim_process *process);

/* ---- net.c, wire.c ---- */

/* The process is gone: its listeners close, its connections close as `how` says. */
void net_process_gone(struct sim_process *process, bool silent);
void net_node_powered(struct sim_node *node);
void net_close_all(struct sim *sim);

/* ---- faults.c ---- */

void faults_open(struct sim *sim);
void faults_open_process(struct sim_process *process);
void faults_end(struct sim *sim); /* calm */

#endif
