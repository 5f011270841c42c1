/* Deadlocks that run over several cores.
 *
 * A core whose requests wait sends the edges of all waits older than REPORT_AGE_NS to core 0 every REPORT_EVERY_NS, and one
 * empty report when none is left; a core where nobody waits sends nothing. Core 0 keeps the last report of each core and
 * looks for cycles in their union.
 *
 * Why a found cycle is real. Reports are of different moments, so an edge may be gone when another appears. Each edge is
 * known with the moments of the first and the last report that had it, without a gap; while a request waits, what blocks
 * it goes away only by ending, and a wait that ended and began again has another `since`. So all edges of a cycle existed
 * together if the latest of their first moments is not after the earliest of their last moments; only then a victim is
 * chosen. Two rounds after the cycle closed, that is so: REPORT_AGE_NS + 2 x REPORT_EVERY_NS, below 50 ms. */
#include "base/check.h"
#include "base/scope.h"
#include "engine/txn/core.h"

#include <stdio.h>
#include <stdlib.h>

#define REPORT_AGE_NS   (10 * 1000 * 1000UL)
#define REPORT_EVERY_NS (10 * 1000 * 1000UL)

/* Edges one report carries at most: 64 bytes each. With more, the oldest waits go first, and the rest follows when those
 * have ended. */
#define REPORT_EDGES_MAX 4096

struct known_edge {
    struct lock_edge edge;
    uint64_t first_ns, last_ns; /* of the reports that had it, by core 0's clock at their receipt */
    uint32_t core;
    /* for the search */
    uint32_t seen;
    uint32_t reached_from;
};

struct report {
    struct mail mail;
    struct txn_core *from;
    uint32_t count;
    struct lock_edge edge[REPORT_EDGES_MAX];
};

struct kill {
    struct mail mail;
    struct txn_core *from;
    uint64_t transaction;
    bool out;
    bool broken; /* out: it waited there and does no more */
    char detail[256];
};

struct core_edges {
    struct known_edge *edge; /* REPORT_EDGES_MAX */
    uint32_t count;
};

struct detector {
    struct report *report; /* this core's, reused */
    bool report_out;
    bool reported; /* the last report was not empty */
    struct fiber_queue waits;
    struct fiber_queue came_back;
    /* core 0 */
    struct core_edges edges[CORES_MAX];
    struct known_edge *fresh;      /* the next report's, while it is merged */
    struct known_edge **by_waiter; /* all edges, sorted */
    uint32_t all;
    struct kill kill;
    uint64_t kill_wanted;
    uint32_t kill_core;
    struct fiber_queue kill_work;
};

/* ---- reporting ---- */

static void collect_edge(void *argument, const struct lock_edge *edge)
{
    struct txn_core *txn = argument;
    struct report *report = txn->detector->report;
    if (txn->world->now_ns - edge->since_ns >= REPORT_AGE_NS && report->count < REPORT_EDGES_MAX)
        report->edge[report->count++] = *edge;
}

static void report_delivered(struct world *here, struct mail *mail);

static void report_returned(struct world *here, struct mail *mail)
{
    struct report *report = container_of(mail, struct report, mail);
    (void)here;
    report->from->detector->report_out = false;
    fiber_wake_all(&report->from->detector->came_back);
}

static void any_edge(void *argument, const struct lock_edge *edge)
{
    (void)edge;
    *(bool *)argument = true;
}

/* Sends what waits; false when nobody waits any more and core 0 knows. Yields. */
static bool report_once(struct txn_core *txn)
{
    struct detector *detector = txn->detector;
    struct scheduler *scheduler = txn->world->scheduler;
    bool waits = false;
    detector->report->count = 0;
    lock_edges(txn->locks, collect_edge, txn);
    lock_edges(txn->locks, any_edge, &waits);
    if (!detector->report->count && !detector->reported)
        return waits;
    detector->reported = detector->report->count > 0;
    detector->report->mail = (struct mail){.deliver = report_delivered, .returned = report_returned};
    detector->report_out = true;
    mail_send(txn->world, 0, &detector->report->mail);
    fiber_shield_begin(scheduler);
    while (detector->report_out)
        (void)!fiber_wait(scheduler, &detector->came_back, FIBER_NO_DEADLINE);
    fiber_shield_end(scheduler);
    /* Who began to wait while the report was out has woken nobody. */
    lock_edges(txn->locks, any_edge, &waits);
    return waits || detector->reported;
}

static void run_reporter(void *argument)
{
    struct txn_core *txn = argument;
    struct scheduler *scheduler = txn->world->scheduler;
    while (fiber_wait(scheduler, &txn->detector->waits, FIBER_NO_DEADLINE) != FIBER_CANCELED)
        do
            if (fiber_sleep_until(scheduler, txn->world->now_ns + REPORT_EVERY_NS) == FIBER_CANCELED)
                return;
        while (report_once(txn));
}

static void somebody_waits(void *argument, uint64_t waiter)
{
    struct txn_core *txn = argument;
    (void)waiter;
    fiber_wake_all(&txn->detector->waits);
}

/* ---- core 0: the union of reports ---- */

static int by_waiter_and_blocker(const void *left, const void *right)
{
    const struct known_edge *a = *(struct known_edge *const *)left, *b = *(struct known_edge *const *)right;
    if (a->edge.waiter != b->edge.waiter)
        return a->edge.waiter < b->edge.waiter ? -1 : 1;
    return (a->edge.blocker > b->edge.blocker) - (a->edge.blocker < b->edge.blocker);
}

/* First edge in by_waiter[from..to) that is not before the waiter. */
static uint32_t edges_of(struct known_edge *const *sorted, uint32_t count, uint64_t waiter)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sorted[middle]->edge.waiter < waiter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t sort_edges(struct detector *detector, uint32_t from, uint32_t to)
{
    uint32_t count = 0;
    for (uint32_t core = from; core < to; core++)
        for (uint32_t i = 0; i < detector->edges[core].count; i++)
            detector->by_waiter[count++] = &detector->edges[core].edge[i];
    qsort(detector->by_waiter, count, sizeof *detector->by_waiter, by_waiter_and_blocker);
    return count;
}

/* Takes a core's report over the one before, carrying first moments along for edges that stayed. */
static void merge_report(struct txn_core *txn, const struct report *report, uint32_t core)
{
    struct detector *detector = txn->detector;
    struct core_edges *edges = &detector->edges[core];
    uint64_t now = txn->world->now_ns;
    uint32_t old = sort_edges(detector, core, core + 1);
    for (uint32_t i = 0; i < report->count; i++) {
        struct known_edge *fresh = &detector->fresh[i];
        *fresh = (struct known_edge){.edge = report->edge[i], .first_ns = now, .last_ns = now, .core = core};
        uint32_t at = edges_of(detector->by_waiter, old, fresh->edge.waiter);
        for (; at < old && detector->by_waiter[at]->edge.waiter == fresh->edge.waiter; at++) {
            const struct known_edge *known = detector->by_waiter[at];
            if (known->edge.blocker == fresh->edge.blocker && known->edge.since_ns == fresh->edge.since_ns)
                fresh->first_ns = known->first_ns;
        }
    }
    struct known_edge *given_up = edges->edge;
    edges->edge = detector->fresh;
    edges->count = report->count;
    detector->fresh = given_up;
}

/* Whether the way from edge `start` to edge `last`, which leads back to start's waiter, was there at one moment; finds the
 * victim among its waiters. */
static bool cycle_is_real(const struct detector *detector, uint32_t last, const struct known_edge **victim)
{
    uint64_t latest_first = 0, earliest_last = UINT64_MAX;
    *victim = NULL;
    for (uint32_t at = last;; at = detector->by_waiter[at]->reached_from) {
        const struct known_edge *edge = detector->by_waiter[at];
        latest_first = edge->first_ns > latest_first ? edge->first_ns : latest_first;
        earliest_last = edge->last_ns < earliest_last ? edge->last_ns : earliest_last;
        if (!*victim || edge->edge.waiter_work < (*victim)->edge.waiter_work ||
            (edge->edge.waiter_work == (*victim)->edge.waiter_work &&
             edge->edge.waiter > (*victim)->edge.waiter))
            *victim = edge;
        if (edge->reached_from == at)
            break;
    }
    return latest_first <= earliest_last;
}

/* Looks for a cycle through the edges of one waiter, breadth first. */
static const struct known_edge *search_from(struct detector *detector, uint32_t start, uint32_t round,
                                            uint32_t *queue)
{
    struct known_edge **all = detector->by_waiter;
    uint64_t target = all[start]->edge.waiter;
    uint32_t head = 0, tail = 0;
    for (uint32_t at = start; at < detector->all && all[at]->edge.waiter == target; at++) {
        all[at]->seen = round;
        all[at]->reached_from = at;
        queue[tail++] = at;
    }
    while (head < tail) {
        uint32_t at = queue[head++];
        const struct known_edge *victim;
        if (all[at]->edge.blocker == target) {
            if (cycle_is_real(detector, at, &victim))
                return victim;
            continue;
        }
        uint32_t next = edges_of(all, detector->all, all[at]->edge.blocker);
        for (; next < detector->all && all[next]->edge.waiter == all[at]->edge.blocker; next++) {
            if (all[next]->seen == round)
                continue;
            all[next]->seen = round;
            all[next]->reached_from = at;
            queue[tail++] = next;
        }
    }
    return NULL;
}

static void look_for_cycles(struct txn_core *txn)
{
    struct detector *detector = txn->detector;
    if (detector->kill_wanted || detector->kill.out)
        return; /* one at a time: the victim's end changes the picture */
    detector->all = sort_edges(detector, 0, txn->world->cores);
    if (!detector->all)
        return;
    void *memory;
    struct error error;
    struct scope *scope = scope_open(txn->scope, "cycles");
    if (scope_alloc_large(scope, detector->all * sizeof(uint32_t), 16, &memory, &error)) {
        scope_close(scope);
        return; /* the next report looks again */
    }
    for (uint32_t i = 0; i < detector->all; i++)
        detector->by_waiter[i]->seen = 0;
    const struct known_edge *victim = NULL;
    for (uint32_t i = 0, round = 1; i < detector->all && !victim; round++) {
        victim = search_from(detector, i, round, memory);
        for (uint64_t waiter = detector->by_waiter[i]->edge.waiter;
             i < detector->all && detector->by_waiter[i]->edge.waiter == waiter;)
            i++;
    }
    if (victim) {
        detector->kill_wanted = victim->edge.waiter;
        detector->kill_core = victim->core;
        snprintf(detector->kill.detail, sizeof detector->kill.detail,
                 "Transaction %llu waits for transaction %llu, which waits for it over other cores.",
                 (unsigned long long)victim->edge.waiter, (unsigned long long)victim->edge.blocker);
        fiber_wake_all(&detector->kill_work);
    }
    scope_close(scope);
}

static void report_delivered(struct world *here, struct mail *mail)
{
    struct report *report = container_of(mail, struct report, mail);
    struct txn_core *txn = report->from->shared->core[here->core].txn;
    merge_report(txn, report, mail->from);
    look_for_cycles(txn);
    mail_return(here, mail);
}

/* ---- core 0: ending a wait ---- */

static void kill_delivered(struct world *here, struct mail *mail)
{
    struct kill *kill = container_of(mail, struct kill, mail);
    struct txn_core *txn = kill->from->shared->core[here->core].txn;
    kill->broken = lock_break(txn->locks, kill->transaction, kill->detail);
    mail_return(here, mail);
}

static void kill_returned(struct world *here, struct mail *mail)
{
    struct kill *kill = container_of(mail, struct kill, mail);
    (void)here;
    kill->from->deadlocks += kill->broken;
    kill->out = false;
    fiber_wake_all(&kill->from->detector->kill_work);
}

static void run_killer(void *argument)
{
    struct txn_core *txn = argument;
    struct detector *detector = txn->detector;
    do {
        if (!detector->kill_wanted || detector->kill.out)
            continue;
        detector->kill.transaction = detector->kill_wanted;
        detector->kill.out = true;
        detector->kill.from = txn;
        detector->kill.mail = (struct mail){.deliver = kill_delivered, .returned = kill_returned};
        detector->kill_wanted = 0;
        mail_send(txn->world, detector->kill_core, &detector->kill.mail);
    } while (fiber_wait(txn->world->scheduler, &detector->kill_work, FIBER_NO_DEADLINE) != FIBER_CANCELED);
}

/* ---- opening ---- */

static enum sqlstate open_core_zero(struct txn_core *txn, struct error *error)
{
    struct detector *detector = txn->detector;
    uint32_t cores = txn->world->cores;
    void *memory;
    enum sqlstate failed;
    for (uint32_t core = 0; core <= cores; core++) {
        failed =
            scope_alloc_large(txn->scope, REPORT_EDGES_MAX * sizeof(struct known_edge), 64, &memory, error);
        if (failed)
            return failed;
        if (core < cores)
            detector->edges[core].edge = memory;
        else
            detector->fresh = memory;
    }
    failed = scope_alloc_large(txn->scope, (size_t)cores * REPORT_EDGES_MAX * sizeof(struct known_edge *), 64,
                               &memory, error);
    if (failed)
        return failed;
    detector->by_waiter = memory;
    fiber_queue_init(&detector->kill_work);
    return fiber_start(txn->world->scheduler, txn->scope, "deadlock killer", run_killer, txn, NULL, error);
}

/* With one core every cycle is found by the lock table itself. */
enum sqlstate detector_open(struct txn_core *txn, struct error *error)
{
    if (txn->world->cores == 1)
        return SQLSTATE_OK;
    struct detector *detector = txn->detector = scope_alloc_zeroed(txn->scope, sizeof *detector);
    void *memory;
    enum sqlstate failed = scope_alloc_large(txn->scope, sizeof *detector->report, 64, &memory, error);
    if (failed)
        return failed;
    detector->report = memory;
    detector->report->from = txn;
    detector->report->count = 0;
    fiber_queue_init(&detector->waits);
    fiber_queue_init(&detector->came_back);
    if (txn->world->core == 0) {
        failed = open_core_zero(txn, error);
        if (failed)
            return failed;
    }
    lock_on_wait(txn->locks, somebody_waits, txn);
    return fiber_start(txn->world->scheduler, txn->scope, "deadlock reporter", run_reporter, txn, NULL,
                       error);
}

uint64_t txn_deadlocks(const struct txn_core *txn)
{
    return txn->deadlocks;
}
