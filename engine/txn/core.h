/* The inside of one core's part, shared by the files of this folder. */
#ifndef SYNOD_ENGINE_TXN_CORE_H
#define SYNOD_ENGINE_TXN_CORE_H

#include "base/mailbox.h"
#include "base/world.h"
#include "engine/txn/txn.h"

/* A commit between its placing and its becoming visible. */
struct pending_commit {
    uint64_t position;
    bool stamped;
};

/* Core 0's. Commits under way stand in a ring; their SCNs follow each other without gap. */
struct sequencer {
    struct pending_commit *ring;
    uint64_t room;      /* slots, a power of two */
    uint64_t first;     /* SCN of the oldest under way; last + 1 when none is */
    uint64_t last;      /* the newest given out */
    uint64_t unstamped; /* the oldest that is not stamped; last + 1 when none is */
    uint64_t stable;
    struct fiber_queue work; /* of the fiber that tells other cores */
    struct tell {
        struct mail mail;
        struct txn_core *from;
        bool wanted;
        bool out;
    } tell[CORES_MAX];
};

/* SCNs this core has stamped and core 0 does not know of yet. */
#define STAMPED_BATCH 512
struct stamped_batch {
    struct mail mail;
    struct txn_core *from;
    uint32_t count;
    uint64_t scn[STAMPED_BATCH];
};

struct detector;

struct txn_core {
    struct world *world;
    struct scope *scope;
    struct txn_shared *shared;
    struct lock_table *locks;
    uint64_t id_base;
    uint64_t ids;
    struct list snapshots;         /* by SCN */
    struct list waiters;           /* for visibility, by SCN */
    struct list waiters_unstable;  /* for stamping only, by SCN */
    struct sequencer *sequencer;   /* core 0 */
    struct stamped_batch *filling; /* not full yet; NULL = none */
    struct list stamped_ready;     /* full batches, to be sent */
    struct list stamped_free;      /* batches that came back */
    struct fiber_queue stamped_work;
    struct detector *detector;
    uint64_t deadlocks;
};

/* Wakes the fibers whose SCN has become visible; tells core 0 when some are left. */
void txn_wake_waiters(struct txn_core *txn);

enum sqlstate sequencer_open(struct txn_core *txn, struct error *error);
enum sqlstate detector_open(struct txn_core *txn, struct error *error);

#endif
