/* Granting, waiting and releasing; see lock.h and table.h.
 *
 * Rules of the queue: (1) a request is granted when no other owner holds a conflicting mode, nobody who came
 * earlier and still waits conflicts with it, and, for ranges and row writes, the same holds across the two
 * kinds. (2) Rule 1's second part does not bind an owner that holds something here already, for those it
 * would wait for may wait for it. (3) Whoever leaves (a grant released, a request given up) looks again at
 * all who waited for it, in order. */
#include "engine/lock/lock.h"

#include "base/check.h"
#include "base/scope.h"
#include "base/world.h"
#include "engine/lock/table.h"

#include <stdio.h>

#define BUCKETS_FIRST 256
/* A shard stops keeping its row locks in order after so many of them were made without a range being about.
 */
#define UNRANGED_MAX 1000

#define BIT(mode) (1u << (mode))

/* PostgreSQL manual, tables 13.2 and 13.3. */
static const uint32_t object_conflicts[LOCK_MODES] = {
    [LOCK_ACCESS_SHARE] = BIT(LOCK_ACCESS_EXCLUSIVE),
    [LOCK_ROW_SHARE] = BIT(LOCK_EXCLUSIVE) | BIT(LOCK_ACCESS_EXCLUSIVE),
    [LOCK_ROW_EXCLUSIVE] = BIT(LOCK_OBJECT_SHARE) | BIT(LOCK_SHARE_ROW_EXCLUSIVE) | BIT(LOCK_EXCLUSIVE) |
                           BIT(LOCK_ACCESS_EXCLUSIVE),
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = BIT(LOCK_SHARE_UPDATE_EXCLUSIVE) | BIT(LOCK_OBJECT_SHARE) |
                                    BIT(LOCK_SHARE_ROW_EXCLUSIVE) | BIT(LOCK_EXCLUSIVE) |
                                    BIT(LOCK_ACCESS_EXCLUSIVE),
    [LOCK_OBJECT_SHARE] = BIT(LOCK_ROW_EXCLUSIVE) | BIT(LOCK_SHARE_UPDATE_EXCLUSIVE) |
                          BIT(LOCK_SHARE_ROW_EXCLUSIVE) | BIT(LOCK_EXCLUSIVE) | BIT(LOCK_ACCESS_EXCLUSIVE),
    [LOCK_SHARE_ROW_EXCLUSIVE] = BIT(LOCK_ROW_EXCLUSIVE) | BIT(LOCK_SHARE_UPDATE_EXCLUSIVE) |
                                 BIT(LOCK_OBJECT_SHARE) | BIT(LOCK_SHARE_ROW_EXCLUSIVE) |
                                 BIT(LOCK_EXCLUSIVE) | BIT(LOCK_ACCESS_EXCLUSIVE),
    [LOCK_EXCLUSIVE] = 0x1fe & ~BIT(LOCK_ACCESS_SHARE),
    [LOCK_ACCESS_EXCLUSIVE] = 0x1fe,
};

static const uint32_t row_conflicts[LOCK_MODES] = {
    [LOCK_KEY_SHARE] = BIT(LOCK_UPDATE),
    [LOCK_SHARE] = BIT(LOCK_NO_KEY_UPDATE) | BIT(LOCK_UPDATE),
    [LOCK_NO_KEY_UPDATE] = BIT(LOCK_SHARE) | BIT(LOCK_NO_KEY_UPDATE) | BIT(LOCK_UPDATE),
    [LOCK_UPDATE] = BIT(LOCK_KEY_SHARE) | BIT(LOCK_SHARE) | BIT(LOCK_NO_KEY_UPDATE) | BIT(LOCK_UPDATE),
};

uint32_t lock_conflicts(const struct lock *lock, uint32_t mode)
{
    return lock->shard ? row_conflicts[mode] : object_conflicts[mode];
}

enum sqlstate lock_table_open(struct world *world, struct scope *scope, struct lock_table **table,
                              struct error *error)
{
    struct lock_table *made = scope_alloc_zeroed(scope, sizeof *made);
    made->world = world;
    made->scope = scope;
    made->pool = slab_pool_open(scope);
    made->buckets = BUCKETS_FIRST;
    made->bucket = scope_alloc_zeroed(scope, BUCKETS_FIRST * sizeof *made->bucket);
    world_random(world, &made->seed, sizeof made->seed);
    list_init(&made->waiting);
    *table = made;
    (void)error;
    return SQLSTATE_OK;
}

/* Grants of an owner are numbered from 2 on; what it regains is older than all of them, and than any mark. */
#define NUMBER_REGAINED 1

void lock_owner_init(struct lock_owner *owner, uint64_t transaction, uint64_t started_ns)
{
    *owner = (struct lock_owner){.transaction = transaction, .started_ns = started_ns};
    owner->grants = NUMBER_REGAINED;
    list_init(&owner->held);
}

/* ---- finding ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15u;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_key(const struct lock_table *table, uint64_t shard, struct bytes key)
{
    uint64_t hash = mix(table->seed ^ key.size, shard + 1), word;
    size_t at = 0;
    for (; at + 8 <= key.size; at += 8) {
        memcpy(&word, key.data + at, 8);
        hash = mix(hash, word + 0x2545f4914f6cdd1du);
    }
    word = 0;
    if (at < key.size)
        memcpy(&word, key.data + at, key.size - at);
    return mix(hash, word);
}

static uint64_t hash_object(const struct lock_table *table, const struct lock_object *object)
{
    return mix(mix(mix(table->seed, object->class), object->high), object->low);
}

static bool same_object(const struct lock_object *a, const struct lock_object *b)
{
    return a->class == b->class && a->high == b->high && a->low == b->low;
}

/* The place in the hash chain where the lock is, or would be: *place is NULL when there is none. */
static struct lock **find(const struct lock_table *table, uint64_t hash, uint64_t shard, struct bytes key,
                          const struct lock_object *object)
{
    struct lock **place = &table->bucket[hash & (table->buckets - 1)];
    for (; *place; place = &(*place)->next) {
        struct lock *lock = *place;
        if (lock->hash != hash || !lock->shard != (object != NULL))
            continue;
        if (object ? same_object(&lock->object, object)
                   : lock->shard->shard == shard &&
                         bytes_compare(bytes_of(lock->key, lock->key_bytes), key) == 0)
            break;
    }
    return place;
}

static struct lock *find_row(const struct lock_table *table, uint64_t shard, struct bytes key)
{
    return *find(table, hash_key(table, shard, key), shard, key, NULL);
}

static struct lock_shard **shard_place(const struct lock_table *table, uint64_t shard)
{
    struct lock_shard **place = (struct lock_shard **)&table->shard[shard % 256];
    while (*place && (*place)->shard != shard)
        place = &(*place)->next;
    return place;
}

static struct lock_shard *shard_of(struct lock_table *table, uint64_t number)
{
    struct lock_shard **place = shard_place(table, number);
    if (*place)
        return *place;
    struct lock_shard *shard = slab_alloc(table->pool, sizeof *shard);
    *shard = (struct lock_shard){.shard = number, .generation = 1};
    list_init(&shard->rows);
    *place = shard;
    return shard;
}

static bool shard_ranged(const struct lock_shard *shard)
{
    return shard->ranges.count || shard->ranges_wait.count;
}

static void shard_free_if_idle(struct lock_table *table, struct lock_shard *shard)
{
    if (shard->row_count || shard_ranged(shard))
        return;
    *shard_place(table, shard->shard) = shard->next;
    slab_free(table->pool, shard, sizeof *shard);
}

static void order_row(struct lock_shard *shard, struct lock *lock)
{
    lock->generation = shard->generation;
    lock->point = interval_point(bytes_of(lock->key, lock->key_bytes));
    interval_insert(&shard->ordered, &lock->point);
}

/* From now on the shard's row locks are found by key, too. */
static void shard_watch(struct lock_shard *shard)
{
    shard->unranged = 0;
    if (shard->watched)
        return;
    shard->watched = true;
    list_each (&shard->rows, at)
        order_row(shard, container_of(at, struct lock, of_shard));
}

static void shard_row_made(struct lock_shard *shard, struct lock *lock)
{
    list_append(&shard->rows, &lock->of_shard);
    shard->row_count++;
    if (!shard->watched)
        return;
    if (!shard_ranged(shard) && ++shard->unranged > UNRANGED_MAX) {
        shard->watched = false;
        shard->ordered = (struct interval_set){0};
        shard->generation++;
    } else
        order_row(shard, lock);
}

static void grow(struct lock_table *table)
{
    uint64_t buckets = table->buckets * 4;
    void *memory;
    struct error error;
    if (scope_alloc_large(table->scope, buckets * sizeof *table->bucket, 64, &memory, &error))
        return; /* chains get longer, nothing breaks */
    struct lock **bucket = memory;
    memset(bucket, 0, buckets * sizeof *bucket);
    for (uint64_t i = 0; i < table->buckets; i++)
        for (struct lock *lock = table->bucket[i], *next; lock; lock = next) {
            next = lock->next;
            struct lock **place = &bucket[lock->hash & (buckets - 1)];
            lock->next = *place;
            *place = lock;
        }
    if (table->buckets > BUCKETS_FIRST)
        scope_free_large(table->scope, table->bucket);
    table->bucket = bucket;
    table->buckets = buckets;
}

static struct lock *lock_make(struct lock_table *table, uint64_t hash, struct lock_shard *shard,
                              struct bytes key, const struct lock_object *object)
{
    if (table->locks >= table->buckets * 2)
        grow(table);
    struct lock *lock = slab_alloc(table->pool, sizeof *lock + key.size);
    *lock = (struct lock){.hash = hash, .shard = shard, .key_bytes = (uint16_t)key.size};
    if (object)
        lock->object = *object;
    if (key.size)
        memcpy(lock->key, key.data, key.size);
    list_init(&lock->granted);
    list_init(&lock->waiting);
    list_link_init(&lock->of_shard);
    struct lock **place = &table->bucket[hash & (table->buckets - 1)];
    lock->next = *place;
    *place = lock;
    table->locks++;
    if (shard)
        shard_row_made(shard, lock);
    return lock;
}

static void lock_free_if_idle(struct lock_table *table, struct lock *lock)
{
    if (!list_empty(&lock->granted) || !list_empty(&lock->waiting))
        return;
    struct lock **place = &table->bucket[lock->hash & (table->buckets - 1)];
    while (*place != lock)
        place = &(*place)->next;
    *place = lock->next;
    table->locks--;
    struct lock_shard *shard = lock->shard;
    if (shard) {
        list_remove(&lock->of_shard);
        shard->row_count--;
        if (shard->watched && lock->generation == shard->generation)
            interval_remove(&shard->ordered, &lock->point);
    }
    slab_free(table->pool, lock, sizeof *lock + lock->key_bytes);
    if (shard)
        shard_free_if_idle(table, shard);
}

/* ---- who stands in the way ---- */

struct blocker_walk {
    const struct request *request;
    bool (*visit)(void *argument, struct lock_owner *blocker);
    void *argument;
};

static bool visit_range_holder(void *argument, struct interval *member)
{
    struct blocker_walk *walk = argument;
    struct range *range = container_of(member, struct range, interval);
    return range->owner == walk->request->owner || walk->visit(walk->argument, range->owner);
}

static bool visit_range_waiter(void *argument, struct interval *member)
{
    struct blocker_walk *walk = argument;
    struct range *range = container_of(member, struct range, interval);
    if (range->owner == walk->request->owner || range->request->arrival > walk->request->arrival)
        return true;
    return walk->visit(walk->argument, range->owner);
}

static bool stop_at_own(void *argument, struct interval *member)
{
    return container_of(member, struct range, interval)->owner != argument;
}

/* Whether the owner holds a range over (part of) the interval. */
static bool owner_ranges_over(const struct lock_shard *shard, const struct lock_owner *owner,
                              const struct interval *interval)
{
    return shard->ranges.count && !interval_each(&shard->ranges, interval, stop_at_own, (void *)owner);
}

static struct interval lock_point(const struct lock *lock)
{
    return interval_point(bytes_of(lock->key, lock->key_bytes));
}

/* Whether the owner holds the lock in any mode, or a range over it: then it passes the queue. */
static bool owner_is_in(const struct lock *lock, const struct lock_owner *owner)
{
    list_each (&lock->granted, at)
        if (container_of(at, struct record, of_lock)->owner == owner)
            return true;
    if (!lock->shard || !lock->shard->ranges.count)
        return false;
    struct interval point = lock_point(lock);
    return owner_ranges_over(lock->shard, owner, &point);
}

static bool lock_blockers(const struct request *request, struct blocker_walk *walk)
{
    const struct lock *lock = request->lock;
    uint32_t conflicts = lock_conflicts(lock, request->mode), granted = 0;
    for (uint32_t mode = 1; mode < LOCK_MODES; mode++)
        granted |= lock->granted_count[mode] ? BIT(mode) : 0;
    if (granted & conflicts)
        list_each (&lock->granted, at) {
            struct record *record = container_of(at, struct record, of_lock);
            if (record->owner != request->owner && conflicts & BIT(record->mode) &&
                !walk->visit(walk->argument, record->owner))
                return false;
        }
    bool ranged = lock->shard && row_mode_writes(request->mode) && shard_ranged(lock->shard);
    struct interval point = lock_point(lock);
    if (ranged && !interval_each(&lock->shard->ranges, &point, visit_range_holder, walk))
        return false;
    if (list_empty(&lock->waiting) && !(ranged && lock->shard->ranges_wait.count))
        return true;
    if (owner_is_in(lock, request->owner))
        return true;
    list_each (&lock->waiting, at) {
        struct request *other = container_of(at, struct request, of_lock);
        if (other == request)
            break;
        if (other->owner != request->owner && conflicts & BIT(other->mode) &&
            !walk->visit(walk->argument, other->owner))
            return false;
    }
    return !ranged || interval_each(&lock->shard->ranges_wait, &point, visit_range_waiter, walk);
}

static bool visit_row_of_range(void *argument, struct interval *member)
{
    struct blocker_walk *walk = argument;
    const struct request *request = walk->request;
    struct lock *lock = container_of(member, struct lock, point);
    list_each (&lock->granted, at) {
        struct record *record = container_of(at, struct record, of_lock);
        if (record->owner != request->owner && row_mode_writes(record->mode) &&
            !walk->visit(walk->argument, record->owner))
            return false;
    }
    if (list_empty(&lock->waiting) || owner_ranges_over(lock->shard, request->owner, member))
        return true;
    list_each (&lock->waiting, at) {
        struct request *other = container_of(at, struct request, of_lock);
        if (other->owner != request->owner && row_mode_writes(other->mode) &&
            other->arrival < request->arrival && !walk->visit(walk->argument, other->owner))
            return false;
    }
    return true;
}

bool request_blockers(const struct lock_table *table, const struct request *request,
                      bool (*visit)(void *argument, struct lock_owner *blocker), void *argument)
{
    (void)table;
    struct blocker_walk walk = {.request = request, .visit = visit, .argument = argument};
    if (request->lock)
        return lock_blockers(request, &walk);
    return interval_each(&request->range->shard->ordered, &request->range->interval, visit_row_of_range,
                         &walk);
}

static bool stop_at_first(void *argument, struct lock_owner *blocker)
{
    (void)argument;
    (void)blocker;
    return false;
}

static bool blocked(const struct lock_table *table, const struct request *request)
{
    return !request_blockers(table, request, stop_at_first, NULL);
}

/* ---- granting ---- */

static void grant(struct lock_table *table, struct request *request)
{
    struct lock_owner *owner = request->owner;
    struct record *record = slab_alloc(table->pool, sizeof *record);
    *record = (struct record){
        .owner = owner, .lock = request->lock, .range = request->range, .mode = request->mode};
    record->number = ++owner->grants;
    list_append(&owner->held, &record->of_owner);
    owner->held_count++;
    list_link_init(&record->of_lock);
    if (request->lock) {
        list_append(&request->lock->granted, &record->of_lock);
        request->lock->granted_count[request->mode]++;
    } else {
        request->range->record = record;
        interval_insert(&request->range->shard->ranges, &request->range->interval);
    }
    request->granted = true;
}

/* Takes a request out of all queues. */
static void request_leave(struct lock_table *table, struct request *request)
{
    list_remove(&request->of_lock);
    list_remove(&request->of_table);
    table->waiting_count--;
    request->owner->waiting = NULL;
    if (request->range) {
        interval_remove(&request->range->shard->ranges_wait, &request->range->interval);
        request->range->request = NULL;
    }
}

static void grant_waiting(struct lock_table *table, struct request *request)
{
    request_leave(table, request);
    grant(table, request);
    fiber_wake_all(&request->queue);
}

/* Grants what can be granted of a lock's queue, in order. Each request is judged against holders and against
 * those who wait before it, so one walk settles all. A hot row's queue is mostly one run of equal modes: as
 * soon as a mode was refused, the same mode needs no second look. */
static void process_lock(struct lock_table *table, struct lock *lock)
{
    uint32_t refused = 0;
    list_each_safe (&lock->waiting, at) {
        struct request *request = container_of(at, struct request, of_lock);
        if (refused & BIT(request->mode) && !owner_is_in(lock, request->owner))
            continue;
        if (blocked(table, request))
            refused |= BIT(request->mode) & lock_conflicts(lock, request->mode);
        else
            grant_waiting(table, request);
    }
}

/* Looks again at every range and row write that waits in the shard, in order of arrival: after a range or a
 * row write of a shard with ranges has left. */
static void process_shard(struct lock_table *table, struct lock_shard *shard)
{
    list_each_safe (&table->waiting, at) {
        struct request *request = container_of(at, struct request, of_table);
        struct lock_shard *its = request->lock ? request->lock->shard : request->range->shard;
        if (its == shard && !blocked(table, request))
            grant_waiting(table, request);
    }
}

/* Something of the lock was released or given up in that mode: who waits may go on; an idle lock goes. */
static void lock_changed(struct lock_table *table, struct lock *lock, uint32_t mode)
{
    struct lock_shard *shard = lock->shard;
    if (!list_empty(&lock->waiting))
        process_lock(table, lock);
    if (shard && shard->ranges_wait.count && row_mode_writes(mode))
        process_shard(table, shard);
    lock_free_if_idle(table, lock);
}

static void range_free(struct lock_table *table, struct range *range)
{
    struct lock_shard *shard = range->shard;
    slab_free(table->pool, range, sizeof *range + range->key_bytes);
    if (table->waiting_count)
        process_shard(table, shard);
    shard_free_if_idle(table, shard);
}

static void release(struct lock_table *table, struct record *record)
{
    struct lock *lock = record->lock;
    struct range *range = record->range;
    uint32_t mode = record->mode;
    list_remove(&record->of_owner);
    list_remove(&record->of_lock);
    record->owner->held_count--;
    slab_free(table->pool, record, sizeof *record);
    if (lock) {
        lock->granted_count[mode]--;
        lock_changed(table, lock, mode);
    } else {
        interval_remove(&range->shard->ranges, &range->interval);
        range_free(table, range);
    }
}

/* ---- waiting ---- */

static enum sqlstate not_available(const struct lock_request *options, const struct request *request,
                                   struct error *error)
{
    bool object = request->lock && !request->lock->shard;
    if (!options->relation)
        return error_set(error, SQLSTATE_LOCK_NOT_AVAILABLE, "could not obtain lock");
    return error_set(error, SQLSTATE_LOCK_NOT_AVAILABLE, "could not obtain lock on %srelation \"%s\"",
                     object ? "" : "row in ", options->relation);
}

static void request_enter(struct lock_table *table, struct request *request)
{
    fiber_queue_init(&request->queue);
    request->since_ns = table->world->now_ns;
    list_append(&table->waiting, &request->of_table);
    table->waiting_count++;
    request->owner->waiting = request;
    if (request->lock)
        list_append(&request->lock->waiting, &request->of_lock);
    else {
        request->range->request = request;
        interval_insert(&request->range->shard->ranges_wait, &request->range->interval);
    }
}

/* Leaves without a grant; those behind may go on. A range's memory goes too. */
static void request_give_up(struct lock_table *table, struct request *request)
{
    request_leave(table, request);
    if (request->lock)
        lock_changed(table, request->lock, request->mode);
    else
        range_free(table, request->range);
}

static enum sqlstate deadlock_error(const struct request *request, struct error *error)
{
    enum sqlstate failed = error_set(error, SQLSTATE_DEADLOCK_DETECTED, "deadlock detected");
    if (request->detail[0])
        error_add(error, ERROR_DETAIL, "%s", request->detail);
    return failed;
}

static enum sqlstate wait_for_grant(struct lock_table *table, struct request *request,
                                    const struct lock_request *options, struct error *error)
{
    check(!request->owner->waiting, "transaction %llu waits for two locks at once",
          (unsigned long long)request->owner->transaction);
    request_enter(table, request);
    if (deadlock_search(table, request)) {
        request_give_up(table, request);
        return deadlock_error(request, error);
    }
    if (table->waits && !request->granted)
        table->waits(table->waits_argument, request->owner->transaction);
    while (!request->granted && !request->broken) {
        enum fiber_wake wake = fiber_wait(table->world->scheduler, &request->queue, options->deadline_ns);
        if (request->granted || request->broken || wake == FIBER_WOKEN)
            continue;
        request_give_up(table, request);
        if (wake == FIBER_TIMED_OUT)
            return error_set(error, SQLSTATE_LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout");
        return fiber_check_canceled(table->world->scheduler, error);
    }
    if (request->granted)
        return SQLSTATE_OK;
    request_give_up(table, request);
    return deadlock_error(request, error);
}

void request_break(struct request *request, const char *detail)
{
    request->broken = true;
    snprintf(request->detail, sizeof request->detail, "%s", detail);
    fiber_wake_all(&request->queue);
}

/* Grants at once, or does what the policy says. On anything but a grant the request's lock or range is
 * cleaned up. */
static enum sqlstate ask(struct lock_table *table, struct request *request,
                         const struct lock_request *options, enum lock_outcome *outcome, struct error *error)
{
    request->arrival = ++table->arrivals;
    list_link_init(&request->of_lock);
    list_link_init(&request->of_table);
    enum lock_outcome ignored;
    outcome = outcome ? outcome : &ignored;
    *outcome = LOCK_GRANTED;
    if (!blocked(table, request)) {
        grant(table, request);
        return SQLSTATE_OK;
    }
    if (options->policy == LOCK_WAIT) {
        *outcome = LOCK_WAITED;
        return wait_for_grant(table, request, options, error);
    }
    *outcome = LOCK_SKIPPED;
    enum sqlstate failed = SQLSTATE_OK;
    if (options->policy == LOCK_NOWAIT)
        failed = not_available(options, request, error);
    if (request->lock)
        lock_free_if_idle(table, request->lock);
    else
        range_free(table, request->range);
    return failed;
}

/* ---- the door ---- */

static uint32_t strongest(const struct lock *lock, const struct lock_owner *owner)
{
    uint32_t mode = 0;
    list_each (&lock->granted, at) {
        struct record *record = container_of(at, struct record, of_lock);
        if (record->owner == owner && record->mode > mode)
            mode = record->mode;
    }
    return mode;
}

enum sqlstate lock_row(struct lock_table *table, struct lock_owner *owner, uint64_t shard, struct bytes key,
                       enum lock_strength strength, const struct lock_request *options,
                       enum lock_outcome *outcome, struct error *error)
{
    uint64_t hash = hash_key(table, shard, key);
    struct lock *lock = *find(table, hash, shard, key, NULL);
    if (!lock)
        lock = lock_make(table, hash, shard_of(table, shard), key, NULL);
    else if (strongest(lock, owner) >= (uint32_t)strength) {
        if (outcome)
            *outcome = LOCK_GRANTED;
        return SQLSTATE_OK;
    }
    struct request request = {.owner = owner, .lock = lock, .mode = strength};
    return ask(table, &request, options, outcome, error);
}

bool lock_row_idle(const struct lock_table *table, uint64_t shard, struct bytes key)
{
    const struct lock_shard *there = *shard_place(table, shard);
    return !there || (!shard_ranged(there) && !find_row(table, shard, key));
}

bool lock_row_shed(struct lock_table *table, struct lock_owner *owner, uint64_t shard, struct bytes key)
{
    struct lock *lock = find_row(table, shard, key);
    if (!lock)
        return true;
    if (!list_empty(&lock->waiting) || lock->shard->ranges_wait.count)
        return false;
    list_each (&lock->granted, at)
        if (container_of(at, struct record, of_lock)->owner != owner)
            return false;
    for (struct list_link *link; (link = list_take_first(&lock->granted));) {
        struct record *record = container_of(link, struct record, of_lock);
        list_remove(&record->of_owner);
        owner->held_count--;
        lock->granted_count[record->mode]--;
        slab_free(table->pool, record, sizeof *record);
    }
    lock_free_if_idle(table, lock);
    return true;
}

void lock_row_regain(struct lock_table *table, struct lock_owner *owner, uint64_t shard, struct bytes key,
                     enum lock_strength strength)
{
    uint64_t hash = hash_key(table, shard, key);
    struct lock *lock = *find(table, hash, shard, key, NULL);
    if (!lock)
        lock = lock_make(table, hash, shard_of(table, shard), key, NULL);
    else if (strongest(lock, owner) >= (uint32_t)strength)
        return;
    struct record *record = slab_alloc(table->pool, sizeof *record);
    *record = (struct record){.owner = owner, .lock = lock, .mode = strength, .number = NUMBER_REGAINED};
    list_link_init(&record->of_lock);
    list_prepend(&owner->held, &record->of_owner);
    owner->held_count++;
    list_append(&lock->granted, &record->of_lock);
    lock->granted_count[strength]++;
}

uint64_t lock_count(const struct lock_table *table)
{
    return table->locks;
}

/* Whether one of the owner's ranges covers all of the interval. */
struct cover_search {
    const struct lock_owner *owner;
    const struct interval *wanted;
};

static bool covers_not(void *argument, struct interval *member)
{
    const struct cover_search *search = argument;
    const struct interval *wanted = search->wanted;
    if (container_of(member, struct range, interval)->owner != search->owner ||
        bytes_compare(member->from, wanted->from) > 0)
        return true;
    if (member->end == INTERVAL_OPEN)
        return false;
    return wanted->end == INTERVAL_OPEN || bytes_compare(member->to, wanted->to) < 0;
}

enum sqlstate lock_range(struct lock_table *table, struct lock_owner *owner, uint64_t number,
                         struct bytes from, struct bytes to, bool to_open, const struct lock_request *options,
                         enum lock_outcome *outcome, struct error *error)
{
    if (outcome)
        *outcome = LOCK_GRANTED;
    if (!to_open && bytes_compare(from, to) >= 0)
        return SQLSTATE_OK; /* no key is in it */
    struct lock_shard *shard = shard_of(table, number);
    struct interval wanted = {.from = from, .to = to, .end = to_open ? INTERVAL_OPEN : INTERVAL_BEFORE};
    struct cover_search search = {.owner = owner, .wanted = &wanted};
    if (!interval_each(&shard->ranges, &wanted, covers_not, &search))
        return SQLSTATE_OK;
    shard_watch(shard);
    size_t key_bytes = from.size + (to_open ? 0 : to.size);
    struct range *range = slab_alloc(table->pool, sizeof *range + key_bytes);
    *range = (struct range){.shard = shard, .owner = owner, .key_bytes = key_bytes, .interval = wanted};
    if (from.size)
        memcpy(range->keys, from.data, from.size);
    range->interval.from = bytes_of(range->keys, from.size);
    if (!to_open && to.size)
        memcpy(range->keys + from.size, to.data, to.size);
    range->interval.to = bytes_of(range->keys + from.size, to_open ? 0 : to.size);
    struct request request = {.owner = owner, .range = range, .mode = LOCK_SHARE};
    return ask(table, &request, options, outcome, error);
}

/* Whether the owner holds an object in this very mode, as every statement but a transaction's first does. */
static bool holds_mode(const struct lock *lock, const struct lock_owner *owner, enum lock_mode mode)
{
    if (owner->held_count < lock->granted_count[mode]) {
        list_each (&owner->held, at) {
            const struct record *record = container_of(at, struct record, of_owner);
            if (record->lock == lock && record->mode == (uint32_t)mode)
                return true;
        }
        return false;
    }
    list_each (&lock->granted, at) {
        const struct record *record = container_of(at, struct record, of_lock);
        if (record->owner == owner && record->mode == (uint32_t)mode)
            return true;
    }
    return false;
}

enum sqlstate lock_object(struct lock_table *table, struct lock_owner *owner,
                          const struct lock_object *object, enum lock_mode mode,
                          const struct lock_request *options, enum lock_outcome *outcome, struct error *error)
{
    uint64_t hash = hash_object(table, object);
    struct lock *lock = *find(table, hash, 0, bytes_of(NULL, 0), object);
    if (!lock)
        lock = lock_make(table, hash, NULL, bytes_of(NULL, 0), object);
    else if (lock->granted_count[mode] && holds_mode(lock, owner, mode)) {
        if (outcome)
            *outcome = LOCK_GRANTED;
        return SQLSTATE_OK;
    }
    struct request request = {.owner = owner, .lock = lock, .mode = mode};
    return ask(table, &request, options, outcome, error);
}

uint32_t lock_row_held(const struct lock_table *table, const struct lock_owner *owner, uint64_t shard,
                       struct bytes key)
{
    struct lock *lock = find_row(table, shard, key);
    return lock ? strongest(lock, owner) : 0;
}

bool lock_owner_holds(const struct lock_owner *owner, uint64_t shard)
{
    list_each (&owner->held, at) {
        struct record *record = container_of(at, struct record, of_owner);
        struct lock_shard *its = record->lock ? record->lock->shard : record->range->shard;
        if (its && its->shard == shard)
            return true;
    }
    return false;
}

bool lock_object_release(struct lock_table *table, struct lock_owner *owner, const struct lock_object *object,
                         enum lock_mode mode)
{
    struct lock *lock = *find(table, hash_object(table, object), 0, bytes_of(NULL, 0), object);
    if (!lock)
        return false;
    list_each (&lock->granted, at) {
        struct record *record = container_of(at, struct record, of_lock);
        if (record->owner == owner && record->mode == (uint32_t)mode) {
            release(table, record);
            return true;
        }
    }
    return false;
}

uint64_t lock_mark(const struct lock_owner *owner)
{
    return owner->grants;
}

void lock_release_since(struct lock_table *table, struct lock_owner *owner, uint64_t mark)
{
    for (struct list_link *last; (last = list_last(&owner->held));) {
        struct record *record = container_of(last, struct record, of_owner);
        if (record->number <= mark)
            return;
        release(table, record);
    }
}

bool lock_release_rows(struct lock_table *table, struct lock_owner *owner)
{
    struct list_link *at = owner->held.head.prev;
    while (at != &owner->held.head) {
        struct record *record = container_of(at, struct record, of_owner);
        at = at->prev;
        if (!record->lock || record->lock->shard)
            release(table, record);
    }
    return owner->held_count > 0;
}

void lock_release_all(struct lock_table *table, struct lock_owner *owner)
{
    check(!owner->waiting, "transaction %llu releases its locks while it waits for one",
          (unsigned long long)owner->transaction);
    lock_release_since(table, owner, 0);
    check(owner->held_count == 0);
}

bool lock_break(struct lock_table *table, uint64_t transaction, const char *detail)
{
    list_each (&table->waiting, at) {
        struct request *request = container_of(at, struct request, of_table);
        if (request->owner->transaction == transaction && !request->broken) {
            request_break(request, detail);
            return true;
        }
    }
    return false;
}

void lock_on_wait(struct lock_table *table, void (*waits)(void *argument, uint64_t waiter), void *argument)
{
    table->waits = waits;
    table->waits_argument = argument;
}

bool lock_shard_idle(const struct lock_table *table, uint64_t shard)
{
    return *shard_place(table, shard) == NULL;
}
