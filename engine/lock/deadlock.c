/* Cycles of waits within one core, and what others need to find cycles over cores.
 *
 * The search goes breadth first from the request that starts to wait along "is blocked by", through owners
 * that wait themselves. A wait that closes a cycle is the last edge of it, so looking at each new wait finds
 * every cycle that lies within this core, at once. */
#include "base/check.h"
#include "engine/lock/table.h"

#include <stdio.h>

struct search {
    struct lock_table *table;
    struct lock_owner *start;
    struct list to_look_at;
    struct request *now;  /* whose blockers are visited */
    struct request *last; /* found: the request that waits for `start` */
};

static bool look_at_blocker(void *argument, struct lock_owner *blocker)
{
    struct search *search = argument;
    if (blocker == search->start) {
        search->last = search->now;
        return false;
    }
    struct request *request = blocker->waiting;
    if (!request || request->broken || request->seen == search->table->searches)
        return true;
    request->seen = search->table->searches;
    request->reached_from = search->now;
    list_append(&search->to_look_at, &request->to_look_at);
    return true;
}

/* The last request of a cycle through `start`, or NULL; reached_from leads back to it. */
static struct request *find_cycle(struct lock_table *table, struct request *start)
{
    struct search search = {.table = table, .start = start->owner};
    list_init(&search.to_look_at);
    table->searches++;
    start->seen = table->searches;
    start->reached_from = NULL;
    list_append(&search.to_look_at, &start->to_look_at);
    for (struct list_link *link; !search.last && (link = list_take_first(&search.to_look_at));) {
        search.now = container_of(link, struct request, to_look_at);
        request_blockers(table, search.now, look_at_blocker, &search);
    }
    while (list_take_first(&search.to_look_at))
        ;
    return search.last;
}

/* Less work loses; with equal work the younger, and at last the larger id, so that the choice is the same
 * everywhere. */
static bool loses_to(const struct lock_owner *a, const struct lock_owner *b)
{
    if (a->work != b->work)
        return a->work < b->work;
    if (a->started_ns != b->started_ns)
        return a->started_ns > b->started_ns;
    return a->transaction > b->transaction;
}

/* "Transaction 5 waits for transaction 6; transaction 6 waits for transaction 5." */
static void describe(const struct request *last, char *text, size_t size)
{
    size_t used = 0;
    const struct request *first = last;
    while (first->reached_from)
        first = first->reached_from;
    unsigned long long blocker = first->owner->transaction;
    for (const struct request *at = last; at && used < size; at = at->reached_from) {
        used += (size_t)snprintf(text + used, size - used, "%sTransaction %llu waits for transaction %llu.",
                                 used ? " " : "", (unsigned long long)at->owner->transaction, blocker);
        blocker = at->owner->transaction;
    }
}

bool deadlock_search(struct lock_table *table, struct request *request)
{
    list_link_init(&request->to_look_at);
    for (struct request *last; !request->granted && (last = find_cycle(table, request));) {
        struct request *victim = last;
        for (struct request *at = last->reached_from; at; at = at->reached_from)
            if (loses_to(at->owner, victim->owner))
                victim = at;
        char detail[sizeof request->detail];
        describe(last, detail, sizeof detail);
        if (victim == request) {
            memcpy(request->detail, detail, sizeof detail);
            return true;
        }
        request_break(victim, detail);
    }
    return false;
}

struct edge_walk {
    struct lock_edge edge;
    void (*visit)(void *argument, const struct lock_edge *edge);
    void *argument;
};

static bool visit_edge(void *argument, struct lock_owner *blocker)
{
    struct edge_walk *walk = argument;
    walk->edge.blocker = blocker->transaction;
    walk->visit(walk->argument, &walk->edge);
    return true;
}

void lock_edges(const struct lock_table *table, void (*visit)(void *argument, const struct lock_edge *edge),
                void *argument)
{
    list_each (&table->waiting, at) {
        struct request *request = container_of(at, struct request, of_table);
        if (request->broken)
            continue;
        struct edge_walk walk = {.visit = visit, .argument = argument};
        walk.edge.waiter = request->owner->transaction;
        walk.edge.since_ns = request->since_ns;
        walk.edge.waiter_work = request->owner->work;
        request_blockers(table, request, visit_edge, &walk);
    }
}

/* ---- views ---- */

static void view_lock(const struct lock *lock, const struct lock_owner *owner, uint32_t mode, bool granted,
                      uint64_t since_ns, void (*visit)(void *argument, const struct lock_row_view *view),
                      void *argument)
{
    struct lock_row_view view = {.transaction = owner->transaction, .mode = mode, .granted = granted};
    view.since_ns = since_ns;
    if (lock->shard) {
        view.shard = lock->shard->shard;
        view.key = bytes_of(lock->key, lock->key_bytes);
    } else
        view.object = &lock->object;
    visit(argument, &view);
}

struct range_view {
    bool granted;
    void (*visit)(void *argument, const struct lock_row_view *view);
    void *argument;
};

static bool view_range(void *argument, struct interval *member)
{
    struct range_view *range_view = argument;
    struct range *range = container_of(member, struct range, interval);
    struct lock_row_view view = {.transaction = range->owner->transaction,
                                 .shard = range->shard->shard,
                                 .key = member->from,
                                 .to = member->to,
                                 .mode = LOCK_SHARE,
                                 .range = true,
                                 .granted = range_view->granted,
                                 .since_ns = range->request ? range->request->since_ns : 0};
    range_view->visit(range_view->argument, &view);
    return true;
}

void lock_each(const struct lock_table *table,
               void (*visit)(void *argument, const struct lock_row_view *lock), void *argument)
{
    for (uint64_t i = 0; i < table->buckets; i++)
        for (const struct lock *lock = table->bucket[i]; lock; lock = lock->next) {
            list_each (&lock->granted, at) {
                const struct record *record = container_of(at, struct record, of_lock);
                view_lock(lock, record->owner, record->mode, true, 0, visit, argument);
            }
            list_each (&lock->waiting, at) {
                const struct request *request = container_of(at, struct request, of_lock);
                view_lock(lock, request->owner, request->mode, false, request->since_ns, visit, argument);
            }
        }
    const struct interval everything = {.end = INTERVAL_OPEN};
    struct range_view granted = {.granted = true, .visit = visit, .argument = argument};
    struct range_view waiting = {.granted = false, .visit = visit, .argument = argument};
    for (size_t i = 0; i < sizeof table->shard / sizeof *table->shard; i++)
        for (const struct lock_shard *shard = table->shard[i]; shard; shard = shard->next) {
            interval_each(&shard->ranges, &everything, view_range, &granted);
            interval_each(&shard->ranges_wait, &everything, view_range, &waiting);
        }
}
