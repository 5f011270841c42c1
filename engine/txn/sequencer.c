/* The order of commits; see txn.h and engine/README.md, section 2.
 *
 *     placed: SCN n given  ->  stable in the log  \
 *                          ->  stamped everywhere  }->  visible, when all before it are
 *
 * Core 0 keeps the commits under way in a ring. Other cores tell it in batches what they have stamped, and are told, if
 * they want to know, when the visible SCN has moved: both by a fiber of the teller, for only fibers send mail. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/txn/core.h"

#define RING_FIRST 1024

static struct pending_commit *slot(struct sequencer *sequencer, uint64_t scn)
{
    return &sequencer->ring[scn & (sequencer->room - 1)];
}

static void grow(struct txn_core *txn)
{
    struct sequencer *sequencer = txn->sequencer;
    struct pending_commit *old = sequencer->ring;
    uint64_t old_room = sequencer->room, room = old_room * 2;
    void *memory;
    struct error error;
    bool failed = scope_alloc_large(txn->scope, room * sizeof *old, 64, &memory, &error);
    check(!failed, "no memory for %llu commits under way", (unsigned long long)room);
    sequencer->ring = memory;
    sequencer->room = room;
    for (uint64_t scn = sequencer->first; scn <= sequencer->last; scn++)
        *slot(sequencer, scn) = old[scn & (old_room - 1)];
    scope_free_large(txn->scope, old);
}

void sequencer_start(struct txn_core *txn, uint64_t scn)
{
    struct sequencer *sequencer = txn->sequencer;
    check(sequencer && sequencer->first == sequencer->last + 1 && scn >= SCN_LOADED);
    sequencer->last = scn;
    sequencer->first = sequencer->unstamped = scn + 1;
    __atomic_store_n(&txn->shared->stamped, scn, __ATOMIC_RELEASE);
    __atomic_store_n(&txn->shared->visible, scn, __ATOMIC_RELEASE);
}

uint64_t sequencer_place(struct txn_core *txn, uint64_t transaction, uint64_t position)
{
    struct sequencer *sequencer = txn->sequencer;
    (void)transaction;
    if (sequencer->last + 1 - sequencer->first == sequencer->room)
        grow(txn);
    uint64_t scn = ++sequencer->last;
    *slot(sequencer, scn) = (struct pending_commit){.position = position};
    return scn;
}

/* Tells the cores that want to know that a published SCN has moved: this one at once, others through the teller. */
static void tell_waiters(struct txn_core *txn)
{
    txn_wake_waiters(txn);
    bool tell = false;
    for (uint32_t core = 1; core < txn->world->cores; core++)
        if (__atomic_load_n(&txn->shared->core[core].wants, __ATOMIC_SEQ_CST)) {
            __atomic_store_n(&txn->shared->core[core].wants, 0, __ATOMIC_SEQ_CST);
            txn->sequencer->tell[core].wanted = tell = true;
        }
    if (tell)
        fiber_wake_all(&txn->sequencer->work);
}

/* Moves the visible and the stamped SCN as far as they go. */
static void advance(struct txn_core *txn)
{
    struct sequencer *sequencer = txn->sequencer;
    uint64_t first = sequencer->first, unstamped = sequencer->unstamped;
    while (unstamped <= sequencer->last && slot(sequencer, unstamped)->stamped)
        unstamped++;
    while (first < unstamped && slot(sequencer, first)->position < sequencer->stable)
        first++;
    if (first == sequencer->first && unstamped == sequencer->unstamped)
        return;
    sequencer->first = first;
    sequencer->unstamped = unstamped;
    __atomic_store_n(&txn->shared->stamped, unstamped - 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&txn->shared->visible, first - 1, __ATOMIC_SEQ_CST);
    tell_waiters(txn);
}

void sequencer_stable(struct txn_core *txn, uint64_t position)
{
    check(position >= txn->sequencer->stable, "the log's stable position went back");
    txn->sequencer->stable = position;
    advance(txn);
}

uint64_t sequencer_last(const struct txn_core *txn)
{
    return txn->sequencer->last;
}

/* ---- telling other cores that the visible SCN has moved ---- */

static struct txn_core *here_txn(struct txn_core *any, struct world *here)
{
    return any->shared->core[here->core].txn;
}

static void tell_delivered(struct world *here, struct mail *mail)
{
    txn_wake_waiters(here_txn(container_of(mail, struct tell, mail)->from, here));
    mail_return(here, mail);
}

static void tell_returned(struct world *here, struct mail *mail)
{
    struct tell *tell = container_of(mail, struct tell, mail);
    (void)here;
    tell->out = false;
    fiber_wake_all(&tell->from->sequencer->work);
}

static void run_teller(void *argument)
{
    struct txn_core *txn = argument;
    struct sequencer *sequencer = txn->sequencer;
    do {
        for (uint32_t core = 1; core < txn->world->cores; core++) {
            struct tell *tell = &sequencer->tell[core];
            if (!tell->wanted || tell->out)
                continue;
            tell->wanted = false;
            tell->out = true;
            tell->from = txn;
            tell->mail = (struct mail){.deliver = tell_delivered, .returned = tell_returned};
            mail_send(txn->world, core, &tell->mail);
        }
    } while (fiber_wait(txn->world->scheduler, &sequencer->work, FIBER_NO_DEADLINE) != FIBER_CANCELED);
}

void sequencer_failed(struct txn_core *txn)
{
    __atomic_store_n(&txn->shared->failed, 1, __ATOMIC_SEQ_CST);
    txn_wake_waiters(txn);
    for (uint32_t core = 1; core < txn->world->cores; core++)
        txn->sequencer->tell[core].wanted = true;
    fiber_wake_all(&txn->sequencer->work);
}

/* ---- hearing what was stamped ---- */

static void stamped_here(struct txn_core *txn, uint64_t scn)
{
    struct sequencer *sequencer = txn->sequencer;
    check(scn >= sequencer->first && scn <= sequencer->last, "SCN %llu is not under way",
          (unsigned long long)scn);
    slot(sequencer, scn)->stamped = true;
}

static void stamped_delivered(struct world *here, struct mail *mail)
{
    struct stamped_batch *batch = container_of(mail, struct stamped_batch, mail);
    struct txn_core *txn = here_txn(batch->from, here);
    for (uint32_t i = 0; i < batch->count; i++)
        stamped_here(txn, batch->scn[i]);
    advance(txn);
    mail_return(here, mail);
}

static void stamped_returned(struct world *here, struct mail *mail)
{
    struct stamped_batch *batch = container_of(mail, struct stamped_batch, mail);
    (void)here;
    batch->count = 0;
    list_append(&batch->from->stamped_free, &mail->link);
}

static struct stamped_batch *batch_to_send(struct txn_core *txn)
{
    struct list_link *full = list_take_first(&txn->stamped_ready);
    if (full)
        return container_of(full, struct stamped_batch, mail.link);
    struct stamped_batch *batch = txn->filling;
    txn->filling = NULL;
    return batch;
}

static void run_stamped(void *argument)
{
    struct txn_core *txn = argument;
    do
        for (struct stamped_batch *batch; (batch = batch_to_send(txn));) {
            batch->mail = (struct mail){.deliver = stamped_delivered, .returned = stamped_returned};
            mail_send(txn->world, 0, &batch->mail);
        }
    while (fiber_wait(txn->world->scheduler, &txn->stamped_work, FIBER_NO_DEADLINE) != FIBER_CANCELED);
}

static struct stamped_batch *batch_to_fill(struct txn_core *txn)
{
    struct stamped_batch *batch;
    struct list_link *kept = list_take_first(&txn->stamped_free);
    if (kept)
        return container_of(kept, struct stamped_batch, mail.link);
    batch = scope_alloc(txn->scope, sizeof *batch);
    batch->from = txn;
    batch->count = 0;
    return batch;
}

void sequencer_stamped(struct txn_core *txn, uint64_t scn)
{
    if (txn->sequencer) {
        stamped_here(txn, scn);
        advance(txn);
        return;
    }
    if (!txn->filling)
        txn->filling = batch_to_fill(txn);
    txn->filling->scn[txn->filling->count++] = scn;
    if (txn->filling->count == STAMPED_BATCH) {
        list_append(&txn->stamped_ready, &txn->filling->mail.link);
        txn->filling = NULL;
    }
    fiber_wake_all(&txn->stamped_work);
}

enum sqlstate sequencer_open(struct txn_core *txn, struct error *error)
{
    struct scheduler *scheduler = txn->world->scheduler;
    list_init(&txn->stamped_ready);
    list_init(&txn->stamped_free);
    fiber_queue_init(&txn->stamped_work);
    if (txn->world->core != 0)
        return fiber_start(scheduler, txn->scope, "stamped", run_stamped, txn, NULL, error);
    txn->sequencer = scope_alloc_zeroed(txn->scope, sizeof *txn->sequencer);
    txn->sequencer->room = RING_FIRST;
    txn->sequencer->first = txn->sequencer->unstamped = 1;
    fiber_queue_init(&txn->sequencer->work);
    void *ring;
    enum sqlstate failed =
        scope_alloc_large(txn->scope, RING_FIRST * sizeof *txn->sequencer->ring, 64, &ring, error);
    if (failed)
        return failed;
    txn->sequencer->ring = ring;
    return fiber_start(scheduler, txn->scope, "teller", run_teller, txn, NULL, error);
}
