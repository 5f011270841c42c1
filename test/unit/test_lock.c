/* Locks: the matrices, the queues, ranges against rows, deadlocks; and fibers that lock at random, watched by
 * a naive oracle. */
#include "base/check.h"
#include "base/scheduler.h"
#include "base/scope.h"
#include "base/world.h"
#include "engine/lock/lock.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

struct place {
    struct world world;
    struct scope *scope;
    struct lock_table *table;
};

static void no_random(struct world *world, void *bytes, size_t size)
{
    (void)world;
    memset(bytes, 42, size);
}

static const struct world_ops ops = {.random = no_random};

static void place_open(struct place *place)
{
    struct error error;
    *place = (struct place){.world = {.ops = &ops, .cores = 1}};
    place->scope = place->world.scope = scope_open_root("test", NULL);
    ck_assert_int_eq(
        scheduler_open(place->scope, &(struct scheduler_options){0}, &place->world.scheduler, &error), 0);
    ck_assert_int_eq(lock_table_open(&place->world, place->scope, &place->table, &error), 0);
}

static void place_run(struct place *place)
{
    while (scheduler_run(place->world.scheduler, 1000))
        ;
}

static void place_close(struct place *place)
{
    place_run(place);
    scope_close(place->scope);
}

static const struct lock_request waits = {
    .policy = LOCK_WAIT, .deadline_ns = FIBER_NO_DEADLINE, .relation = "t"};
static const struct lock_request nowait = {.policy = LOCK_NOWAIT, .relation = "t"};
static const struct lock_request skips = {.policy = LOCK_SKIP};

/* One transaction's fiber: locks what it was told and says how that ended. */
struct actor {
    struct place *place;
    struct lock_owner owner;
    struct fiber *fiber;
    struct scope *scope;
    struct bytes key, to;
    bool range, to_open;
    const struct lock_object *object;
    uint32_t mode;
    struct lock_request options;
    bool done;
    enum sqlstate failed;
    enum lock_outcome outcome;
    struct error error;
};

static void act(void *argument)
{
    struct actor *actor = argument;
    struct lock_table *table = actor->place->table;
    if (actor->object)
        actor->failed = lock_object(table, &actor->owner, actor->object, actor->mode, &actor->options,
                                    &actor->outcome, &actor->error);
    else if (actor->range)
        actor->failed = lock_range(table, &actor->owner, 1, actor->key, actor->to, actor->to_open,
                                   &actor->options, &actor->outcome, &actor->error);
    else
        actor->failed = lock_row(table, &actor->owner, 1, actor->key, actor->mode, &actor->options,
                                 &actor->outcome, &actor->error);
    actor->done = true;
}

static void actor_init(struct actor *actor, struct place *place, uint64_t transaction)
{
    *actor = (struct actor){.place = place, .options = waits};
    lock_owner_init(&actor->owner, transaction, transaction);
}

static void actor_go(struct actor *actor)
{
    struct error error;
    actor->done = false;
    actor->scope = scope_open(actor->place->scope, "actor");
    ck_assert_int_eq(
        fiber_start(actor->place->world.scheduler, actor->scope, "actor", act, actor, &actor->fiber, &error),
        0);
    place_run(actor->place);
}

static void ask_row(struct actor *actor, const char *key, enum lock_strength strength)
{
    actor->range = false;
    actor->object = NULL;
    actor->key = bytes_of_text(key);
    actor->mode = strength;
    actor_go(actor);
}

static void ask_range(struct actor *actor, const char *from, const char *to)
{
    actor->range = true;
    actor->object = NULL;
    actor->key = bytes_of_text(from);
    actor->to_open = to == NULL;
    actor->to = to ? bytes_of_text(to) : bytes_of(NULL, 0);
    actor_go(actor);
}

static void let_go(struct actor *actor)
{
    lock_release_all(actor->place->table, &actor->owner);
    place_run(actor->place);
}

START_TEST(row_strengths_conflict_as_in_postgresql)
{
    static const bool conflict[5][5] = {
        [LOCK_KEY_SHARE] = {[LOCK_UPDATE] = true},
        [LOCK_SHARE] = {[LOCK_NO_KEY_UPDATE] = true, [LOCK_UPDATE] = true},
        [LOCK_NO_KEY_UPDATE] = {[LOCK_SHARE] = true, [LOCK_NO_KEY_UPDATE] = true, [LOCK_UPDATE] = true},
        [LOCK_UPDATE] = {false, true, true, true, true},
    };
    struct place place;
    place_open(&place);
    for (uint32_t held = 1; held <= 4; held++)
        for (uint32_t wanted = 1; wanted <= 4; wanted++) {
            struct actor a, b;
            actor_init(&a, &place, 1);
            actor_init(&b, &place, 2);
            b.options = skips;
            ask_row(&a, "k", held);
            ask_row(&b, "k", wanted);
            ck_assert_int_eq(b.outcome == LOCK_SKIPPED, conflict[held][wanted]);
            let_go(&a);
            let_go(&b);
        }
    ck_assert(lock_shard_idle(place.table, 1));
    place_close(&place);
}
END_TEST

START_TEST(object_modes_conflict_as_in_postgresql)
{
    /* The manual's table 13.2, one string a row, x = conflict. */
    static const char *const conflict[9] = {"",         ".......x", "......xx", "....xxxx", "...xxxxx",
                                            "..xx.xxx", "..xxxxxx", ".xxxxxxx", "xxxxxxxx"};
    struct place place;
    place_open(&place);
    struct lock_object table = {.class = 1, .low = 99};
    for (uint32_t held = 1; held <= 8; held++)
        for (uint32_t wanted = 1; wanted <= 8; wanted++) {
            struct actor a, b;
            actor_init(&a, &place, 1);
            actor_init(&b, &place, 2);
            a.object = b.object = &table;
            b.options = skips;
            a.mode = held;
            b.mode = wanted;
            actor_go(&a);
            actor_go(&b);
            ck_assert_int_eq(b.outcome == LOCK_SKIPPED, conflict[held][wanted - 1] == 'x');
            let_go(&a);
            let_go(&b);
        }
    place_close(&place);
}
END_TEST

START_TEST(waiters_are_served_in_order_and_compatible_ones_together)
{
    struct place place;
    place_open(&place);
    struct actor holder, writer, readers[3];
    actor_init(&holder, &place, 1);
    actor_init(&writer, &place, 2);
    ask_row(&holder, "k", LOCK_UPDATE);
    for (int i = 0; i < 2; i++) {
        actor_init(&readers[i], &place, 10 + (uint64_t)i);
        ask_row(&readers[i], "k", LOCK_SHARE);
    }
    ask_row(&writer, "k", LOCK_UPDATE);
    actor_init(&readers[2], &place, 12);
    ask_row(&readers[2], "k", LOCK_SHARE);
    ck_assert(!readers[0].done && !readers[1].done && !writer.done && !readers[2].done);
    let_go(&holder);
    ck_assert(readers[0].done && readers[1].done && readers[0].outcome == LOCK_WAITED);
    ck_assert_msg(!writer.done && !readers[2].done, "who came behind the writer must not pass it");
    let_go(&readers[0]);
    ck_assert(!writer.done);
    let_go(&readers[1]);
    ck_assert(writer.done && !readers[2].done);
    let_go(&writer);
    ck_assert(readers[2].done);
    let_go(&readers[2]);
    ck_assert(lock_shard_idle(place.table, 1));
    place_close(&place);
}
END_TEST

START_TEST(a_holder_that_strengthens_passes_the_queue)
{
    struct place place;
    place_open(&place);
    struct actor holder, writer;
    actor_init(&holder, &place, 1);
    actor_init(&writer, &place, 2);
    ask_row(&holder, "k", LOCK_SHARE);
    ask_row(&writer, "k", LOCK_UPDATE);
    ask_row(&holder, "k", LOCK_UPDATE);
    ck_assert(holder.done && holder.outcome == LOCK_GRANTED && !writer.done);
    let_go(&holder);
    ck_assert(writer.done && !writer.failed);
    let_go(&writer);
    place_close(&place);
}
END_TEST

START_TEST(nowait_and_skip_answer_at_once)
{
    struct place place;
    place_open(&place);
    struct actor holder, other;
    actor_init(&holder, &place, 1);
    actor_init(&other, &place, 2);
    ask_row(&holder, "k", LOCK_UPDATE);
    other.options = nowait;
    ask_row(&other, "k", LOCK_SHARE);
    ck_assert_int_eq(other.failed, SQLSTATE_LOCK_NOT_AVAILABLE);
    ck_assert_str_eq(error_text(&other.error, ERROR_MESSAGE),
                     "could not obtain lock on row in relation \"t\"");
    other.options = skips;
    ask_row(&other, "k", LOCK_SHARE);
    ck_assert_int_eq(other.outcome, LOCK_SKIPPED);
    other.options = nowait;
    ask_range(&other, "a", "z");
    ck_assert_int_eq(other.failed, SQLSTATE_LOCK_NOT_AVAILABLE);
    ck_assert_uint_eq(other.owner.held_count, 0);
    let_go(&holder);
    ck_assert(lock_shard_idle(place.table, 1));
    place_close(&place);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline_and_those_behind_go_on)
{
    struct place place;
    place_open(&place);
    struct actor holder, writer, reader;
    actor_init(&holder, &place, 1);
    actor_init(&writer, &place, 2);
    actor_init(&reader, &place, 3);
    ask_row(&holder, "k", LOCK_SHARE);
    writer.options.deadline_ns = 1000;
    ask_row(&writer, "k", LOCK_UPDATE);
    ask_row(&reader, "k", LOCK_SHARE);
    ck_assert(!writer.done && !reader.done);
    scheduler_tick(place.world.scheduler, 1000);
    place_run(&place);
    ck_assert_int_eq(writer.failed, SQLSTATE_LOCK_NOT_AVAILABLE);
    ck_assert_str_eq(error_text(&writer.error, ERROR_MESSAGE), "canceling statement due to lock timeout");
    ck_assert(reader.done && !reader.failed);
    let_go(&holder);
    let_go(&reader);
    place_close(&place);
}
END_TEST

START_TEST(a_canceled_wait_leaves_the_queue)
{
    struct place place;
    place_open(&place);
    struct actor holder, writer;
    actor_init(&holder, &place, 1);
    actor_init(&writer, &place, 2);
    ask_row(&holder, "k", LOCK_UPDATE);
    ask_range(&writer, "a", NULL);
    fiber_cancel(writer.fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    place_run(&place);
    ck_assert_int_eq(writer.failed, SQLSTATE_QUERY_CANCELED);
    let_go(&holder);
    ck_assert(lock_shard_idle(place.table, 1));
    place_close(&place);
}
END_TEST

START_TEST(a_range_keeps_writers_of_every_key_in_it_out_and_lets_others_in)
{
    struct place place;
    place_open(&place);
    struct actor reader, writer;
    actor_init(&reader, &place, 1);
    actor_init(&writer, &place, 2);
    ask_range(&reader, "d", "m");
    writer.options = skips;
    const struct {
        const char *key;
        enum lock_strength strength;
        bool free;
    } cases[] = {
        {"d", LOCK_UPDATE, false},       {"c", LOCK_UPDATE, true},  {"lzzz", LOCK_NO_KEY_UPDATE, false},
        {"m", LOCK_NO_KEY_UPDATE, true}, {"h", LOCK_SHARE, true},   {"h", LOCK_KEY_SHARE, true},
        {"", LOCK_UPDATE, true},         {"da", LOCK_UPDATE, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask_row(&writer, cases[i].key, cases[i].strength);
        ck_assert_msg((writer.outcome != LOCK_SKIPPED) == cases[i].free, "key %s", cases[i].key);
        let_go(&writer);
    }
    ask_row(&reader, "h", LOCK_UPDATE);
    ck_assert_msg(reader.outcome == LOCK_GRANTED, "one's own range is no obstacle");
    let_go(&reader);
    place_close(&place);
}
END_TEST

START_TEST(a_range_waits_for_writers_inside_and_writers_behind_it_wait_for_the_range)
{
    struct place place;
    place_open(&place);
    struct actor inside, outside, range, late;
    actor_init(&inside, &place, 1);
    actor_init(&outside, &place, 2);
    actor_init(&range, &place, 3);
    actor_init(&late, &place, 4);
    ask_row(&inside, "h", LOCK_UPDATE);
    ask_row(&outside, "z", LOCK_UPDATE);
    ask_range(&range, "d", "m");
    ck_assert(!range.done);
    ask_row(&late, "k", LOCK_UPDATE);
    ck_assert(!late.done);
    let_go(&inside);
    ck_assert(range.done && !range.failed && !late.done);
    let_go(&range);
    ck_assert(late.done && !late.failed);
    let_go(&late);
    let_go(&outside);
    ck_assert(lock_shard_idle(place.table, 1));
    place_close(&place);
}
END_TEST

START_TEST(a_cycle_ends_with_the_transaction_that_has_done_least)
{
    struct place place;
    for (int younger_works_more = 0; younger_works_more < 2; younger_works_more++) {
        place_open(&place);
        struct actor a, b;
        actor_init(&a, &place, 1);
        actor_init(&b, &place, 2);
        a.owner.work = 5;
        b.owner.work = younger_works_more ? 50 : 1;
        ask_row(&a, "x", LOCK_UPDATE);
        ask_row(&b, "y", LOCK_UPDATE);
        ask_row(&a, "y", LOCK_UPDATE);
        ask_row(&b, "x", LOCK_UPDATE);
        struct actor *victim = younger_works_more ? &a : &b, *winner = younger_works_more ? &b : &a;
        ck_assert_int_eq(victim->failed, SQLSTATE_DEADLOCK_DETECTED);
        ck_assert_str_eq(error_text(&victim->error, ERROR_MESSAGE), "deadlock detected");
        ck_assert_ptr_nonnull(strstr(error_text(&victim->error, ERROR_DETAIL), "waits for transaction"));
        ck_assert(!winner->done);
        let_go(victim);
        ck_assert(winner->done && !winner->failed);
        let_go(winner);
        place_close(&place);
    }
}
END_TEST

START_TEST(releasing_to_a_savepoint_weakens_what_was_strengthened)
{
    struct place place;
    place_open(&place);
    struct actor a, b;
    actor_init(&a, &place, 1);
    actor_init(&b, &place, 2);
    ask_row(&a, "k", LOCK_SHARE);
    uint64_t mark = lock_mark(&a.owner);
    ask_row(&a, "k", LOCK_UPDATE);
    ask_row(&a, "other", LOCK_UPDATE);
    ask_row(&b, "k", LOCK_SHARE);
    ck_assert(!b.done);
    lock_release_since(place.table, &a.owner, mark);
    place_run(&place);
    ck_assert(b.done && !b.failed);
    ck_assert_uint_eq(lock_row_held(place.table, &a.owner, 1, bytes_of_text("k")), LOCK_SHARE);
    ck_assert_uint_eq(lock_row_held(place.table, &a.owner, 1, bytes_of_text("other")), 0);
    let_go(&a);
    let_go(&b);
    place_close(&place);
}
END_TEST

/* ---- at random ---- */

#define ACTORS 24
#define KEYS   12

struct crowd;

struct member {
    struct crowd *crowd;
    struct lock_owner owner;
    uint8_t row[KEYS]; /* strength held */
    bool range;        /* holds [from, to) */
    uint8_t from, to;
};

struct crowd {
    struct place place;
    struct member member[ACTORS];
    uint64_t random, grants, deadlocks, left;
};

/* Nobody holds what conflicts: row against row, range against row writes. */
static void oracle(const struct crowd *crowd)
{
    for (int a = 0; a < ACTORS; a++)
        for (int b = 0; b < ACTORS; b++) {
            if (a == b)
                continue;
            const struct member *one = &crowd->member[a], *two = &crowd->member[b];
            for (int k = 0; k < KEYS; k++) {
                uint32_t x = one->row[k], y = two->row[k];
                if (x && y)
                    ck_assert_msg(x + y <= 4 && !(x == LOCK_SHARE && y == LOCK_NO_KEY_UPDATE) &&
                                      !(x == LOCK_NO_KEY_UPDATE && y >= LOCK_SHARE),
                                  "strengths %u and %u are held on one row", x, y);
                if (one->range && k >= one->from && k < one->to)
                    ck_assert_msg(y < LOCK_NO_KEY_UPDATE, "row %d is written inside a locked range", k);
            }
        }
}

static void wander(void *argument)
{
    struct member *m = argument;
    struct crowd *crowd = m->crowd;
    struct lock_table *table = crowd->place.table;
    struct scheduler *scheduler = crowd->place.world.scheduler;
    for (int round = 0; round < 60; round++) {
        uint64_t transaction = m->owner.transaction + ACTORS;
        lock_owner_init(&m->owner, transaction, transaction);
        enum sqlstate failed = SQLSTATE_OK;
        for (int step = 0; step < 6 && !failed; step++) {
            struct error error;
            enum lock_outcome outcome = LOCK_GRANTED;
            uint8_t key = (uint8_t)unit_random_below(&crowd->random, KEYS);
            m->owner.work++;
            if (unit_random_below(&crowd->random, 4) == 0 && !m->range) {
                uint8_t to = (uint8_t)(key + 1 + unit_random_below(&crowd->random, (uint64_t)(KEYS - key)));
                uint8_t from = key;
                failed = lock_range(table, &m->owner, 1, bytes_of(&from, 1), bytes_of(&to, 1), false, &waits,
                                    &outcome, &error);
                m->range = !failed;
                m->from = key;
                m->to = to;
            } else {
                uint32_t strength = 1 + (uint32_t)unit_random_below(&crowd->random, 4);
                const struct lock_request *how = unit_random_below(&crowd->random, 5) ? &waits : &skips;
                failed = lock_row(table, &m->owner, 1, bytes_of(&key, 1), strength, how, &outcome, &error);
                if (!failed && outcome != LOCK_SKIPPED && m->row[key] < strength)
                    m->row[key] = (uint8_t)strength;
                ck_assert_uint_eq(lock_row_held(table, &m->owner, 1, bytes_of(&key, 1)), m->row[key]);
            }
            ck_assert(!failed || failed == SQLSTATE_DEADLOCK_DETECTED);
            crowd->deadlocks += failed != SQLSTATE_OK;
            crowd->grants++;
            oracle(crowd);
            if (unit_random_below(&crowd->random, 3) == 0)
                fiber_yield(scheduler);
        }
        memset(m->row, 0, sizeof m->row);
        m->range = false;
        lock_release_all(table, &m->owner);
        fiber_yield(scheduler);
    }
    crowd->left--;
}

START_TEST(a_row_that_was_shed_is_free_and_one_that_was_regained_is_held_to_the_end)
{
    struct place place;
    struct actor holder, other;
    place_open(&place);
    actor_init(&holder, &place, 1);
    actor_init(&other, &place, 2);
    ask_row(&holder, "a", LOCK_SHARE);
    ask_row(&holder, "a", LOCK_UPDATE);
    ask_row(&holder, "b", LOCK_UPDATE);
    uint64_t mark = lock_mark(&holder.owner);
    ck_assert(lock_row_shed(place.table, &holder.owner, 1, bytes_of_text("a")));
    ck_assert(lock_row_shed(place.table, &holder.owner, 1, bytes_of_text("never locked")));
    ck_assert_uint_eq(holder.owner.held_count, 1);
    ck_assert_uint_eq(lock_count(place.table), 1);
    lock_row_regain(place.table, &holder.owner, 1, bytes_of_text("a"), LOCK_UPDATE);
    lock_row_regain(place.table, &holder.owner, 1, bytes_of_text("a"), LOCK_UPDATE);
    ck_assert_uint_eq(holder.owner.held_count, 2);
    lock_release_since(place.table, &holder.owner, mark);
    ck_assert_uint_eq(holder.owner.held_count, 2);
    /* Somebody waits for it: it stays. */
    ask_row(&other, "a", LOCK_KEY_SHARE);
    ck_assert(!other.done);
    ck_assert(!lock_row_shed(place.table, &holder.owner, 1, bytes_of_text("a")));
    lock_release_all(place.table, &holder.owner);
    place_run(&place);
    ck_assert(other.done && !other.failed);
    /* Others hold it, too. */
    lock_owner_init(&holder.owner, 3, 3);
    ask_row(&holder, "a", LOCK_NO_KEY_UPDATE);
    ck_assert(holder.done && !holder.failed);
    ck_assert(!lock_row_shed(place.table, &holder.owner, 1, bytes_of_text("a")));
    lock_release_all(place.table, &other.owner);
    ck_assert(lock_row_shed(place.table, &holder.owner, 1, bytes_of_text("a")));
    ck_assert_uint_eq(lock_count(place.table), 0);
    place_close(&place);
}
END_TEST

START_TEST(a_row_is_not_shed_while_a_range_of_its_shard_is_waited_for)
{
    struct place place;
    struct actor holder, other;
    place_open(&place);
    actor_init(&holder, &place, 1);
    actor_init(&other, &place, 2);
    ask_row(&holder, "m", LOCK_UPDATE);
    other.range = true;
    other.object = NULL;
    other.key = bytes_of_text("a");
    other.to = bytes_of_text("z");
    other.to_open = false;
    actor_go(&other);
    ck_assert(!other.done);
    ck_assert(!lock_row_shed(place.table, &holder.owner, 1, bytes_of_text("m")));
    lock_release_all(place.table, &holder.owner);
    place_run(&place);
    ck_assert(other.done && !other.failed);
    lock_release_all(place.table, &other.owner);
    place_close(&place);
}
END_TEST

START_TEST(at_random_nothing_conflicts_nobody_is_forgotten_and_every_cycle_ends)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    crowd->random = unit_seed();
    place_open(&crowd->place);
    for (uint64_t i = 0; i < ACTORS; i++) {
        struct error error;
        struct member *m = &crowd->member[i];
        m->crowd = crowd;
        lock_owner_init(&m->owner, i, i);
        ck_assert_int_eq(
            fiber_start(crowd->place.world.scheduler, crowd->place.scope, "member", wander, m, NULL, &error),
            0);
        crowd->left++;
    }
    place_run(&crowd->place);
    ck_assert_msg(crowd->left == 0, "%u fibers wait for ever", (unsigned)crowd->left);
    ck_assert_uint_gt(crowd->deadlocks, 0);
    ck_assert(lock_shard_idle(crowd->place.table, 1));
    place_close(&crowd->place);
    free(crowd);
}
END_TEST

static void count_edge(void *argument, const struct lock_edge *edge)
{
    ck_assert_uint_eq(edge->waiter, 2);
    ck_assert_uint_eq(edge->blocker, 1);
    ++*(int *)argument;
}

static void count_lock(void *argument, const struct lock_row_view *lock)
{
    int *counts = argument;
    counts[lock->granted]++;
}

START_TEST(edges_and_views_show_holders_and_waiters)
{
    struct place place;
    place_open(&place);
    struct actor holder, waiter;
    actor_init(&holder, &place, 1);
    actor_init(&waiter, &place, 2);
    ask_row(&holder, "h", LOCK_UPDATE);
    ask_range(&waiter, "a", "z");
    int edges = 0, counts[2] = {0};
    lock_edges(place.table, count_edge, &edges);
    ck_assert_int_eq(edges, 1);
    lock_each(place.table, count_lock, counts);
    ck_assert_int_eq(counts[0], 1);
    ck_assert_int_eq(counts[1], 1);
    ck_assert(lock_break(place.table, 2, "because"));
    ck_assert(!lock_break(place.table, 2, "twice"));
    place_run(&place);
    ck_assert_int_eq(waiter.failed, SQLSTATE_DEADLOCK_DETECTED);
    ck_assert_str_eq(error_text(&waiter.error, ERROR_DETAIL), "because");
    let_go(&holder);
    place_close(&place);
}
END_TEST

START_TEST(a_hundred_thousand_locks_come_and_go)
{
    struct place place;
    place_open(&place);
    struct lock_owner owner;
    struct error error;
    lock_owner_init(&owner, 1, 1);
    for (uint32_t i = 0; i < 100000; i++)
        ck_assert_int_eq(
            lock_row(place.table, &owner, i % 7, bytes_of(&i, sizeof i), LOCK_UPDATE, &nowait, NULL, &error),
            0);
    struct lock_owner other;
    lock_owner_init(&other, 2, 2);
    uint32_t from = 0, key = 7;
    ck_assert_int_eq(lock_range(place.table, &other, 0, bytes_of(&from, 1), bytes_of(NULL, 0), true, &nowait,
                                NULL, &error),
                     SQLSTATE_LOCK_NOT_AVAILABLE);
    ck_assert_int_eq(
        lock_row(place.table, &other, 0, bytes_of(&key, sizeof key), LOCK_KEY_SHARE, &nowait, NULL, &error),
        SQLSTATE_LOCK_NOT_AVAILABLE);
    lock_release_all(place.table, &owner);
    for (uint64_t shard = 0; shard < 7; shard++)
        ck_assert(lock_shard_idle(place.table, shard));
    place_close(&place);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("lock");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, row_strengths_conflict_as_in_postgresql);
    tcase_add_test(tests, object_modes_conflict_as_in_postgresql);
    tcase_add_test(tests, waiters_are_served_in_order_and_compatible_ones_together);
    tcase_add_test(tests, a_holder_that_strengthens_passes_the_queue);
    tcase_add_test(tests, nowait_and_skip_answer_at_once);
    tcase_add_test(tests, a_wait_ends_at_its_deadline_and_those_behind_go_on);
    tcase_add_test(tests, a_canceled_wait_leaves_the_queue);
    tcase_add_test(tests, a_range_keeps_writers_of_every_key_in_it_out_and_lets_others_in);
    tcase_add_test(tests, a_range_waits_for_writers_inside_and_writers_behind_it_wait_for_the_range);
    tcase_add_test(tests, a_cycle_ends_with_the_transaction_that_has_done_least);
    tcase_add_test(tests, releasing_to_a_savepoint_weakens_what_was_strengthened);
    tcase_add_test(tests, a_row_that_was_shed_is_free_and_one_that_was_regained_is_held_to_the_end);
    tcase_add_test(tests, a_row_is_not_shed_while_a_range_of_its_shard_is_waited_for);
    tcase_add_test(tests, at_random_nothing_conflicts_nobody_is_forgotten_and_every_cycle_ends);
    tcase_add_test(tests, edges_and_views_show_holders_and_waiters);
    tcase_add_test(tests, a_hundred_thousand_locks_come_and_go);
    return unit_run(tests);
}
