/* Snapshots of a core and the words that publish them; see txn.h.
 *
 * Taking, when the core has none:            Collecting, anywhere:
 *   1. load visible -> v                       a. load visible -> limit
 *   2. store oldest[core] = v                  b. fence
 *   3. fence                                   c. limit = min(limit, oldest[0..n])
 *   4. load visible; not v? again from 1
 * If the collector's (c) misses (2), then (c) came before (2), hence (a) before (4), so limit <= visible at (4) = v. So no
 * version that v sees is collected. When the core has snapshots already, the published word is rarely above the new one, but it
 * may be: a session that reads its own commits takes a snapshot above the visible SCN, and when that becomes the core's
 * oldest, it is what is published. So a new snapshot that would be the oldest is always taken in these four steps. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/txn/core.h"

enum sqlstate txn_core_open(struct world *world, struct scope *scope, struct txn_shared *shared,
                            struct lock_table *locks, struct txn_core **txn, struct error *error)
{
    struct txn_core *made = scope_alloc_zeroed(scope, sizeof *made);
    made->world = world;
    made->scope = scope;
    made->shared = shared;
    made->locks = locks;
    list_init(&made->snapshots);
    list_init(&made->waiters);
    list_init(&made->waiters_unstable);
    __atomic_store_n(&shared->core[world->core].oldest, SNAPSHOT_NONE, __ATOMIC_RELEASE);
    enum sqlstate failed = sequencer_open(made, error);
    if (!failed)
        failed = detector_open(made, error);
    if (failed)
        return failed;
    __atomic_store_n(&shared->core[world->core].txn, made, __ATOMIC_RELEASE);
    *txn = made;
    return SQLSTATE_OK;
}

void txn_set_incarnation(struct txn_core *txn, uint64_t incarnation)
{
    txn->id_base = incarnation << 48 | (uint64_t)txn->world->core << 40;
}

uint64_t txn_new_id(struct txn_core *txn)
{
    check(txn->id_base && ++txn->ids < (uint64_t)1 << 40);
    return txn->id_base | txn->ids;
}

uint64_t txn_visible(const struct txn_core *txn)
{
    return __atomic_load_n(&txn->shared->visible, __ATOMIC_ACQUIRE);
}

static void publish(struct txn_core *txn, uint64_t scn, uint64_t transaction)
{
    struct txn_shared_core *mine = &txn->shared->core[txn->world->core];
    __atomic_store_n(&mine->oldest_transaction, transaction, __ATOMIC_RELAXED);
    __atomic_store_n(&mine->oldest, scn, __ATOMIC_RELEASE);
}

/* The oldest snapshot of the core, or NULL. */
static const struct snapshot_hold *first_hold(const struct txn_core *txn)
{
    const struct list_link *first = list_first(&txn->snapshots);
    return first ? container_of(first, const struct snapshot_hold, link) : NULL;
}

void snapshot_take(struct txn_core *txn, struct snapshot_hold *hold, uint64_t transaction, uint64_t at_least)
{
    uint64_t scn = txn_visible(txn);
    const struct snapshot_hold *first = first_hold(txn);
    if (!first || scn < first->scn)
        for (uint64_t again;; scn = again) {
            if (!first || scn < first->scn)
                publish(txn, scn, transaction);
            else
                publish(txn, first->scn, first->transaction);
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            again = txn_visible(txn);
            if (again == scn)
                break;
        }
    hold->transaction = transaction;
    hold->scn = scn > at_least ? scn : at_least;
    struct list_link *place = &txn->snapshots.head;
    while (place->prev != &txn->snapshots.head &&
           container_of(place->prev, struct snapshot_hold, link)->scn > hold->scn)
        place = place->prev;
    list_insert_before(place, &hold->link);
}

void snapshot_drop(struct txn_core *txn, struct snapshot_hold *hold)
{
    if (!hold->link.next || !list_linked(&hold->link))
        return;
    bool was_first = list_first(&txn->snapshots) == &hold->link;
    list_remove(&hold->link);
    if (!was_first)
        return;
    const struct snapshot_hold *oldest = first_hold(txn);
    if (oldest)
        publish(txn, oldest->scn, oldest->transaction);
    else
        publish(txn, SNAPSHOT_NONE, 0);
}

uint64_t txn_oldest(const struct txn_core *txn)
{
    uint64_t limit = txn_visible(txn);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t core = 0; core < txn->world->cores; core++) {
        uint64_t oldest = __atomic_load_n(&txn->shared->core[core].oldest, __ATOMIC_ACQUIRE);
        if (oldest < limit)
            limit = oldest;
    }
    return limit;
}

/* ---- waiting for visibility ---- */

struct waiter {
    struct list_link link;
    uint64_t scn;
    struct fiber_queue queue;
};

static uint64_t stamped(const struct txn_core *txn)
{
    return __atomic_load_n(&txn->shared->stamped, __ATOMIC_ACQUIRE);
}

/* Core 0 is told through the shared flag. Flag first, then the visible SCN once more: core 0 publishes first and looks at the
 * flag then, so one of the two sees the other. */
static void want_more(struct txn_core *txn)
{
    if (txn->world->core != 0)
        __atomic_store_n(&txn->shared->core[txn->world->core].wants, 1, __ATOMIC_SEQ_CST);
}

/* Takes those off the list whose SCN has come; whether some are left. */
static bool wake_up_to(struct list *waiters, uint64_t scn)
{
    for (struct list_link *link; (link = list_first(waiters));) {
        struct waiter *waiter = container_of(link, struct waiter, link);
        if (waiter->scn > scn)
            return true;
        list_remove(link);
        fiber_wake_all(&waiter->queue);
    }
    return false;
}

void txn_wake_waiters(struct txn_core *txn)
{
    for (int look = 0; look < 2; look++) {
        bool failed = __atomic_load_n(&txn->shared->failed, __ATOMIC_ACQUIRE);
        bool left = wake_up_to(&txn->waiters, failed ? UINT64_MAX : txn_visible(txn));
        left |= wake_up_to(&txn->waiters_unstable, failed ? UINT64_MAX : stamped(txn));
        if (!left)
            return;
        if (look == 0)
            want_more(txn);
    }
}

enum sqlstate txn_wait_visible(struct txn_core *txn, uint64_t scn, bool unstable, struct error *error)
{
    struct list *waiters = unstable ? &txn->waiters_unstable : &txn->waiters;
    struct waiter waiter = {.scn = scn};
    if ((unstable ? stamped(txn) : txn_visible(txn)) >= scn)
        return SQLSTATE_OK;
    fiber_queue_init(&waiter.queue);
    struct list_link *place = &waiters->head;
    while (place->prev != &waiters->head && container_of(place->prev, struct waiter, link)->scn > scn)
        place = place->prev;
    list_insert_before(place, &waiter.link);
    txn_wake_waiters(txn);
    fiber_shield_begin(txn->world->scheduler);
    while (list_linked(&waiter.link))
        (void)!fiber_wait(txn->world->scheduler, &waiter.queue, FIBER_NO_DEADLINE);
    fiber_shield_end(txn->world->scheduler);
    if ((unstable ? stamped(txn) : txn_visible(txn)) >= scn)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_IO_ERROR, "the log has failed");
}
