/* The simulator: whole nodes in one thread, in virtual time, from one seed.
 *
 * What runs here is what runs in production: the same core_main, over the same fibers, mailboxes and scopes;
 * only struct world's functions are other ones. A run is a function of the program and the seed: the same
 * seed gives the same events at the same virtual nanoseconds, and the hash over all of them says so.
 *
 *     struct sim_options options = {.seed = seed, .nodes = 3};
 *     sim_faults_draw(&options.faults, seed);
 *     struct sim *sim = sim_open(&options);
 *     struct sim_process *server = sim_start(sim, 0, &(struct sim_program){.name = "server", .cores = 2,
 *                                                                     .core_main = server_core, .argument =
 * s}); sim_run(sim, 60 * SIM_SECOND, all_answered, s);     faults come as the seed draws them sim_calm(sim);
 * from here on nothing fails: things must get done check(sim_run(sim, 60 * SIM_SECOND, all_answered, s) ==
 * SIM_UNTIL); sim_close(sim);
 *
 * A node is a machine: a disk, an address (10.0.0.1 for node 0, also named node1), a clock. A process is a
 * program that runs on it, with its cores; a machine may run several. README.md has the model of each part.
 *
 * Everything here runs on one thread. Functions may be called between runs and, unless they say otherwise,
 * from the programs themselves; a crash asked for by a running fiber happens as soon as its turn is over. */
#ifndef SYNOD_TEST_SIM_SIM_H
#define SYNOD_TEST_SIM_SIM_H

#include "base/log.h"
#include "base/world.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;
struct sim_process;

#define SIM_MICROSECOND 1000ull
#define SIM_MILLISECOND 1000000ull
#define SIM_SECOND      1000000000ull

/* How often what goes wrong, and how long things take when nothing does. Durations are means of virtual
 * nanoseconds with a long tail; "every" is the mean time between two of a kind, 0 = never; "ppm" is how many
 * of a million cases. */
struct sim_faults {
    /* cores */
    uint64_t turn_ns; /* what a fiber's turn costs */
    uint32_t turns;   /* most fibers' turns between two looks at mail and completions, 1 .. 64 */
    uint64_t wake_ns; /* from one core's wake to the other's first turn */
    /* processes; those that are spared are left alone */
    uint64_t crash_every_ns;  /* for each process */
    uint32_t crash_power_ppm; /* crashes that take the whole machine's power, not only the process */
    uint64_t down_ns;         /* until it is started again */
    uint64_t pause_every_ns;  /* for each process: stopped and continued */
    uint64_t pause_ns;
    /* clocks */
    uint32_t drift_ppm; /* each machine's clock runs wrong by up to so much, either way; <= 100,000 */
    uint64_t wall_jump_every_ns; /* for each machine */
    uint64_t wall_jump_us;       /* at most, either way */
    /* disks */
    uint64_t read_ns;
    uint64_t write_ns;
    uint64_t sync_ns;       /* syncs, durable writes, and what changes directories */
    uint64_t slow_every_ns; /* for each machine: everything takes slow_factor times as long ... */
    uint64_t slow_ns;       /* ... for about so long */
    uint32_t slow_factor;
    uint32_t read_error_ppm;  /* of reads: 58030 */
    uint32_t write_error_ppm; /* of writes: an unknown part is written */
    uint32_t sync_error_ppm;  /* of syncs and durable writes: what was unsynced is unknown from then on */
    uint32_t misdirect_ppm;   /* of writes to allowed files (sim_disk_allow): lands elsewhere in the file */
    uint64_t rot_every_ns;    /* for each machine: a bit of an allowed file turns over */
    uint32_t lost_ppm;        /* of unsynced sectors at a loss of power; the others survive or are torn */
    uint32_t torn_ppm;        /* half old, half new */
    bool lose_all;            /* every loss of power takes all that was not synced; otherwise only some do */
    /* network */
    uint64_t delay_ns; /* one way */
    uint64_t bytes_per_second;
    uint32_t window_bytes; /* on their way or unread, for each connection and direction; 1 KiB .. 1 MiB */
    uint32_t split_ppm;    /* pieces sent (and views received) that are cut at any place */
    uint32_t spike_ppm;    /* segments that come late ... */
    uint64_t spike_ns;     /* ... by so much */
    uint32_t reset_ppm;    /* segments that break their connection */
    uint32_t vanish_ppm;   /* segments from which on the connection loses everything, until given up */
    uint64_t give_up_ns;   /* how long a connection that gets nothing through lives; half-open ones, too */
    uint32_t refuse_ppm;   /* connects that are refused for no reason */
    uint32_t accept_ppm;   /* accepts that fail for want of descriptors (53300) */
    uint64_t partition_every_ns; /* between two drawn groups of machines */
    uint64_t partition_ns;
    uint32_t partition_one_way_ppm;
    uint32_t partition_refuse_ppm; /* partitions that refuse connects; in the others they wait */
};

/* A world in which nothing fails and all takes about as long as on a small server. */
void sim_faults_none(struct sim_faults *faults);

/* Drawn: each kind of fault is on in some seeds and off in others, rare here and frequent there, because
 * faults that always come together hide each other. Never bit rot, misdirected writes or full disks: what a
 * program can take of those, only its test knows. */
void sim_faults_draw(struct sim_faults *faults, uint64_t seed);

struct sim_options {
    uint64_t seed;
    uint32_t nodes; /* 1 .. 64 */
    struct sim_faults faults;
    uint64_t disk_bytes;      /* room on each machine's disk; 0 = 1 GiB */
    enum log_level log_level; /* of the programs' logs; they are part of the hash */
    void (*trace)(void *argument, const char *line, size_t bytes); /* takes each event as text; NULL = none */
    void *trace_argument;
};

/* Opens a simulation at virtual time 0. Stops the process when there is no memory for it. */
struct sim *sim_open(const struct sim_options *options);

/* Ends it; processes still running are forgotten as by a crash. */
void sim_close(struct sim *sim);

/* The rates, to be changed at any time. drift_ppm counts only when the simulation is opened. */
struct sim_faults *sim_faults(struct sim *sim);

/* ---- running ---- */

enum sim_end {
    SIM_UNTIL,    /* the predicate became true */
    SIM_DEADLINE, /* virtual time is up */
    SIM_IDLE,     /* nothing can ever happen any more */
    SIM_FAILED,   /* sim_fail() was called */
};

/* Runs for so much virtual time or until the predicate (asked after each event; may be NULL) is true. Not to
 * be called from programs. */
enum sim_end sim_run(struct sim *sim, uint64_t for_ns, bool (*until)(void *argument), void *argument);

/* Says that something is wrong: the run ends with SIM_FAILED. Only the first sentence is kept. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *sim_failure(const struct sim *sim); /* NULL when nothing failed */

/* Puts a line into the trace and its hash. */
void sim_note(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* No fault is drawn any more; partitions heal, paused processes go on, crashed ones are started again (those
 * a test crashed itself, too, unless it was told to stop), slow disks are fast. */
void sim_calm(struct sim *sim);

uint64_t sim_now(const struct sim *sim); /* virtual nanoseconds since the simulation was opened */
uint64_t sim_seed(const struct sim *sim);

struct sim_totals {
    uint64_t hash[2]; /* of everything that happened so far */
    uint64_t events;
    uint64_t records; /* in the hash */
    uint64_t yields;  /* turns of fibers */
    uint64_t crashes, power_losses, pauses, partitions, resets;
    uint64_t sectors_lost, sectors_torn, disk_errors;
};
void sim_totals(const struct sim *sim, struct sim_totals *totals);

/* ---- processes ---- */

struct sim_program {
    const char *name; /* a literal */
    uint32_t cores;
    void (*core_main)(struct world *world, void *argument); /* as linux_run takes it */
    void *argument;
    void (*begin)(void *argument); /* called at each start before any core runs, as main() is; NULL = none */
    size_t memory_bytes;           /* limit of its root budget; 0 = none */
    bool spared;                   /* drawn faults neither crash nor pause it, nor take its machine's power */
    bool respawn;                  /* started again after it ended by itself or by sim_crash_after(), too */
};

enum sim_state {
    SIM_RUNNING,
    SIM_PAUSED,
    SIM_ENDED, /* every core's main returned */
    SIM_CRASHED,
};

/* Starts a program on a machine. The handle is good until sim_close(), through every restart. */
struct sim_process *sim_start(struct sim *sim, uint32_t node, const struct sim_program *program);

enum sim_state sim_state(const struct sim_process *process);
uint64_t sim_yields(const struct sim_process *process);   /* turns its fibers took, through all restarts */
uint64_t sim_restarts(const struct sim_process *process); /* how often it was started again */
size_t sim_memory(const struct sim_process *process);     /* bytes its scopes hold now */

/* SIGTERM. */
void sim_stop(struct sim_process *process);

enum sim_crash {
    SIM_KILL,  /* SIGKILL: what was written stays, what was in flight lands in part; connections are closed */
    SIM_POWER, /* its machine loses power: unsynced writes are lost, peers hear nothing */
};

/* Crashes it now; sim_restart() starts it again. */
void sim_crash(struct sim_process *process, enum sim_crash how);

/* A machine loses power, whatever runs on it. Starting a process there is what turns it on again. Not to be
 * called from programs. */
void sim_lose_power(struct sim *sim, uint32_t node);

/* Crashes it when its fibers have taken so many more turns; 0 = no more. */
void sim_crash_after(struct sim_process *process, uint64_t yields, enum sim_crash how);

/* Crashes it when so many more of its operations on the disk that change something have landed, before the fibers that wait for
 * the last one hear of it; with `again` > 0 once more, so many later. It is started again as after a drawn crash; 0 = no more. */
void sim_crash_after_writes(struct sim_process *process, uint64_t writes, uint64_t again, enum sim_crash how);
uint64_t sim_writes(const struct sim_process *process); /* such operations, through all restarts */

/* Starts it again over what its disk holds. Requires SIM_ENDED or SIM_CRASHED. */
void sim_restart(struct sim_process *process);

/* SIGSTOP and SIGCONT: it gets no turn, the rest of the world goes on. */
void sim_pause(struct sim_process *process);
void sim_resume(struct sim_process *process);

/* ---- clocks ---- */

void sim_wall_jump(struct sim *sim, uint32_t node, int64_t microseconds);

/* From now on the machine's clocks run faster by so many parts per million (slower, when negative). */
void sim_drift(struct sim *sim, uint32_t node, int32_t ppm);

/* ---- network ---- */

/* Cuts the way from one machine to another (not back). Segments wait until it is healed or the connection is
 * given up; connects wait likewise, or are refused at once. */
void sim_cut(struct sim *sim, uint32_t from, uint32_t to, bool refuse);
void sim_heal(struct sim *sim, uint32_t from, uint32_t to);
void sim_heal_all(struct sim *sim);

/* Breaks all connections between two machines, as a firewall that forgot them would. */
void sim_reset_connections(struct sim *sim, uint32_t node, uint32_t other);

/* ---- disks ---- */

/* How many bytes the machine's disk has room for; may be less than what is on it. */
void sim_disk_room(struct sim *sim, uint32_t node, uint64_t bytes);

/* Says which files may suffer bit rot and misdirected writes; none without it. */
void sim_disk_allow(struct sim *sim, bool (*allow)(void *argument, uint32_t node, const char *path),
                    void *argument);

/* Turns over one bit of what is durable in a file (and of what is read, where that is the same). False when
 * the file is not there or has no such byte on the disk. */
bool sim_disk_rot(struct sim *sim, uint32_t node, const char *path, uint64_t offset, uint32_t bit);

/* Everything on the machine's disk takes so many times as long from now on; 1 = as usual. */
void sim_disk_slow(struct sim *sim, uint32_t node, uint32_t factor);

#endif
