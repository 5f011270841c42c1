/* What all transactions of a node share: ids, snapshots, the order of commits, and who waits for whom over cores.
 *
 * Published words carry it (struct txn_shared): the visible SCN, written by core 0, and each core's oldest snapshot,
 * written by that core. Everything else is one core's own or goes by mail. */
#ifndef SYNOD_ENGINE_TXN_TXN_H
#define SYNOD_ENGINE_TXN_TXN_H

#include "base/error.h"
#include "base/fiber.h"
#include "base/limits.h"
#include "base/list.h"
#include "engine/lock/lock.h"
#include "engine/store/store.h"

struct scope;
struct txn_core; /* one core's part */
struct world;

/* No snapshot is in use. */
#define SNAPSHOT_NONE UINT64_MAX

/* Shared by the cores of a node; zeroed before the first opens. Each word has a cache line of its own. */
struct txn_shared {
    /* Every commit up to here is stable and stamped everywhere. Core 0 stores it with release; who loads it with acquire
     * sees all versions of those commits through whatever mail brought them to their cores. */
    _Alignas(64) uint64_t visible;
    uint64_t stamped; /* the same without "stable": commit_async waits for this; core 0 stores it */
    uint32_t failed;  /* the log has failed: nothing more becomes visible; core 0 sets it, once */
    struct txn_shared_core {
        /* No snapshot below this is in use on the core; SNAPSHOT_NONE when none is. See txn_oldest() for the protocol. */
        _Alignas(64) uint64_t oldest;
        uint64_t oldest_transaction; /* who holds it; for views only */
        /* The core has fibers that wait for a higher visible SCN: core 0 takes the flag and mails. */
        _Alignas(64) uint32_t wants;
        struct txn_core *txn;
    } core[CORES_MAX];
};

/* Opens this core's part; core 0's also is the sequencer. `incarnation` (16 bits count) makes ids unique over restarts; it
 * may be set later, before the first id is drawn. */
enum sqlstate txn_core_open(struct world *world, struct scope *scope, struct txn_shared *shared,
                            struct lock_table *locks, struct txn_core **txn, struct error *error);
void txn_set_incarnation(struct txn_core *txn, uint64_t incarnation);

/* ---- ids ---- */

/* incarnation (16 bits) | core (8) | counter (40): never reused, and tells its coordinator. */
uint64_t txn_new_id(struct txn_core *txn);
static inline uint32_t txn_id_core(uint64_t transaction)
{
    return (uint32_t)(transaction >> 40) & 0xff;
}

/* ---- snapshots ---- */

/* A snapshot in use on this core: while it is held, every version it can see stays. */
struct snapshot_hold {
    struct list_link link;
    uint64_t scn;
    uint64_t transaction;
};

/* Takes a snapshot at the visible SCN, or at `at_least` if that is more (own commits that are not stable yet). */
void snapshot_take(struct txn_core *txn, struct snapshot_hold *hold, uint64_t transaction, uint64_t at_least);

/* Gives it back; harmless when not held (link initialised or zero). */
void snapshot_drop(struct txn_core *txn, struct snapshot_hold *hold);

uint64_t txn_visible(const struct txn_core *txn);

/* What collectors may rely on: no snapshot below it is in use on any core, nor will be. */
uint64_t txn_oldest(const struct txn_core *txn);

/* Waits, not cancelable, until the visible SCN is at least `scn` (`unstable`: until every commit up to `scn` is stamped,
 * stable or not), or the log has failed (58030). Yields. */
enum sqlstate txn_wait_visible(struct txn_core *txn, uint64_t scn, bool unstable, struct error *error);

/* ---- the sequencer: core 0 only, but for sequencer_stamped ---- */

/* SCNs go on above `scn`, which becomes visible. Before the first commit. */
void sequencer_start(struct txn_core *txn, uint64_t scn);

/* A commit of `transaction` was placed at `position` of the log: gives its SCN. In log order. Does not yield. */
uint64_t sequencer_place(struct txn_core *txn, uint64_t transaction, uint64_t position);

/* The log is stable before `position`. Does not yield. */
void sequencer_stable(struct txn_core *txn, uint64_t position);

/* The log has failed: commits that wait will never be visible. Does not yield. */
void sequencer_failed(struct txn_core *txn);

/* On any core: all branches of the commit with that SCN have been stamped. Does not yield. */
void sequencer_stamped(struct txn_core *txn, uint64_t scn);

/* The last SCN given out; equal to the visible one when nothing is under way. */
uint64_t sequencer_last(const struct txn_core *txn);

/* ---- deadlocks over cores ---- */

/* Deadlocks found by this core's detector (core 0's counts those over cores). */
uint64_t txn_deadlocks(const struct txn_core *txn);

#endif
