/* What tests of the node log share: a program of several cores that opens the log, checks what is in it against what it was
 * told, appends more, and is crashed, starved and restarted meanwhile.
 *
 * The *ledger* lies outside the simulation. Each start of the program is a *run*; each core numbers its records in a run from
 * 1. A record's payload says run, core and number, and which records of other cores it follows; its filling can be computed
 * from that. */
#ifndef SYNOD_TEST_UNIT_LOG_MEETING_H
#define SYNOD_TEST_UNIT_LOG_MEETING_H

#include "engine/log/log.h"
#include "test/sim/sim.h"

enum { MEETING_CORES = 3, MEETING_RUNS = 8192, MEETING_RECORDS = 4096 };

/* How the program works. */
struct plan {
    uint32_t cores;
    uint32_t writers;          /* fibers that append, on each core */
    uint32_t records;          /* that each of them appends in a run; then the core waits to be stopped */
    uint32_t in_a_row;         /* appended before waiting until the last is stable */
    size_t payload_max;        /* some are as large, most are small */
    uint64_t segment_bytes;    /* 0 = the smallest */
    size_t write_bytes_max;    /* 0 = default */
    uint32_t writes_in_flight; /* 0 = default */
    uint64_t disk_reserve_bytes;
    uint64_t cluster;
    uint64_t pause_ns;      /* of a writer between two rows */
    uint64_t keep_bytes;    /* the log is truncated to so much behind its stable end; 0 = never */
    bool follows;           /* somebody follows the log while it goes on, faster and slower */
    uint64_t follow_hold;   /* how much that one holds back */
    bool replay_everywhere; /* on all cores at once, not only on the owner */
    bool respawn;           /* is started again when it ended */
    bool leaves;            /* the program ends when its writers are done */
    bool refuses_archive;   /* every second offer of a segment to the archive is refused */
    bool expects_damage;    /* opening or replay may fail with XX001, and the program ends then */
};

struct told {
    uint64_t appended;  /* numbers given out */
    uint64_t placed;    /* largest number whose place is known */
    uint64_t stable;    /* largest number reported stable */
    uint64_t recovered; /* once settled: so many are in the log for ever */
    bool settled;
};

/* What one replay has seen. */
struct review {
    struct meeting *meeting;
    uint64_t run, last_position, last_stamp;
    uint64_t seen[MEETING_RUNS][MEETING_CORES]; /* the last number */
    uint64_t records;
};

struct ledger {
    struct sim *sim;
    struct sim_process *process;
    struct plan plan;
    uint64_t runs; /* begun */
    struct told told[MEETING_RUNS][MEETING_CORES];
    struct review review[MEETING_CORES];
    uint64_t position[MEETING_CORES][MEETING_RECORDS]; /* of the present run, by number; 0 = not known */
    struct log_ticket ticket[MEETING_CORES];           /* of each core's last record */
    uint64_t kept_from;                                /* truncated up to here at most */
    uint64_t stamps;                                   /* given in the present run */
    uint64_t last_stable;                              /* reported by the callback in the present run */
    /* of the last opening: */
    struct log_state state;
    struct node_log *log; /* while the program has it open */
    struct error error;
    enum sqlstate failed;                  /* opening or replay */
    uint64_t replayed;                     /* records, by the owner */
    uint64_t opened;                       /* openings that succeeded */
    uint64_t refused_full, refused_failed; /* answers of log_port_make_room() */
    uint64_t unknown;                      /* waits that ended with 58030 */
    uint64_t nowhere;                      /* notices of records that were not placed */
    uint64_t failures;                     /* calls of the failed callback */
    uint64_t followed;                     /* records that followers got */
    uint64_t follow_gone;                  /* times they were told that their place is gone */
    uint64_t archived;                     /* offers to the archive */
    uint64_t archived_from;                /* the next segment that must be offered begins here */
    /* of the present run: */
    bool ready;        /* the owner has opened the log, or failed to */
    uint32_t gathered; /* cores that have replayed it */
    uint32_t started;  /* cores whose writers have started */
    uint32_t busy;     /* writers at work */
    bool (*visit_also)(struct ledger *ledger, uint64_t position, const struct log_record *record);
};

/* Makes a simulation of one machine and an empty ledger. */
struct ledger *meeting_open(uint64_t seed, const struct plan *plan, const struct sim_faults *faults);
void meeting_close(struct ledger *ledger);

/* Starts the program. */
struct sim_process *meeting_start(struct ledger *ledger);

/* Runs until the program's writers are done; stops the test when that takes more than a virtual minute. */
void meeting_work(struct ledger *ledger, struct sim_process *process);

/* Asks it to stop, and runs until it has. */
void meeting_stop(struct ledger *ledger, struct sim_process *process);

/* Fails the test with what the simulation found. */
void meeting_check(const struct ledger *ledger);

#endif
