/* Fragments: work on the owners of a range's shards, or of a list of keys, while shards change places. */
#include "test/unit/engine_stage.h"

#include <stdlib.h>

#define TABLE     7
#define ROWS      600
#define SHARDS    5
#define PARTS     64
#define BEGUN_MAX 1000

/* ---- the table: rows 0 … ROWS-1, row i is the number 1000 + i; its shards lie on all cores ---- */

struct shards {
    uint64_t shard[PARTS];
    size_t count;
};

static void note_shard(void *argument, const struct shard_view *view)
{
    struct shards *shards = argument;
    ck_assert_uint_lt(shards->count, PARTS);
    shards->shard[shards->count++] = view->shard;
}

static struct shards list_shards(struct stage *stage, struct world *world)
{
    struct shards shards = {0};
    struct error error;
    must(shard_each(world, stage->engine, TABLE, note_shard, &shards, &error), &error);
    return shards;
}

static void split_at(struct stage *stage, struct world *world, uint64_t number)
{
    struct error error;
    uint8_t room[8];
    struct shards shards = list_shards(stage, world);
    for (size_t i = 0; i < shards.count; i++)
        if (!shard_split(world, stage->engine, shards.shard[i], number_key(number, room), &error))
            return;
    ck_abort_msg("no shard could be split at %lu", number);
}

static void write_value(struct transaction *t, uint64_t number, uint64_t value, bool new)
{
    uint8_t room[8];
    struct error error;
    bool done;
    struct bytes row = bytes_of(&value, sizeof value);
    must(new ? row_insert(t, TABLE, number_key(number, room), row, &done, &error)
             : row_update(t, TABLE, number_key(number, room), row, &done, &error),
         &error);
    ck_assert(done);
}

static void make_table(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    create(stage, world, scope, TABLE, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ROWS; i++)
        write_value(t, i, 1000 + i, true);
    commit(t);
    for (uint64_t i = 1; i < SHARDS; i++)
        split_at(stage, world, i * ROWS / SHARDS);
    struct shards shards = list_shards(stage, world);
    ck_assert_uint_eq(shards.count, SHARDS);
    for (uint32_t i = 0; i < SHARDS; i++)
        must(shard_move(world, stage->engine, shards.shard[i], i % world->cores, &error), &error);
}

static uint64_t number_of(struct bytes key)
{
    uint64_t number;
    ck_assert_uint_eq(key.size, 8);
    memcpy(&number, key.data, 8);
    return __builtin_bswap64(number);
}

static uint64_t value_of(const struct store_row *row)
{
    uint64_t value;
    ck_assert_uint_eq(row->row.size, 8);
    memcpy(&value, row->row.data, 8);
    return value;
}

/* ---- a run over a range, that counts how often it came by each row ---- */

struct tour {
    uint32_t seen[ROWS];
    uint64_t batch;
    uint64_t pause_ns; /* between batches */
    bool in_order;     /* parts come one after the other */
    bool backward;
    uint64_t last; /* row given last */
    uint32_t parts;
    bool begun[BEGUN_MAX]; /* by the parts' numbers */
    uint32_t running, most_running;
    /* what a part does with a row, if not nothing */
    enum sqlstate (*each)(struct branch *branch, struct scope *scope, struct tour *tour, uint64_t number,
                          struct error *error);
    uint64_t fail_at; /* row at which a part fails; ROWS = none */
    uint32_t failed;  /* parts that did not come to their end */
};

struct batch {
    struct tour *tour;
    uint64_t number[ROWS];
    size_t count;
};

static bool take(void *argument, const struct store_row *row)
{
    struct batch *batch = argument;
    uint64_t number = number_of(row->key);
    ck_assert_uint_lt(number, ROWS);
    ck_assert_uint_eq(value_of(row), 1000 + number);
    batch->number[batch->count++] = number;
    return true;
}

static enum sqlstate work(struct branch *branch, struct scope *scope, struct tour *tour, struct batch *batch,
                          struct error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t number = batch->number[i];
        if (number == tour->fail_at)
            return error_set(error, SQLSTATE_DATA_EXCEPTION, "row %lu fails", number);
        enum sqlstate failed = tour->each ? tour->each(branch, scope, tour, number, error) : SQLSTATE_OK;
        if (failed)
            return failed;
        if (tour->in_order && tour->last != UINT64_MAX)
            ck_assert(tour->backward ? number < tour->last : number > tour->last);
        tour->last = number;
        tour->seen[number]++;
    }
    return SQLSTATE_OK;
}

/* The simulator's cores are one thread, so parts may share the tour. */
static enum sqlstate run_tour(struct branch *branch, struct scope *scope, struct range_part *part,
                              void *argument, struct error *error)
{
    struct tour *tour = argument;
    struct world *world = branch_world(branch);
    struct batch *batch = scope_alloc(scope, sizeof *batch);
    struct store_sink sink = {.take = take, .argument = batch};
    enum sqlstate failed = SQLSTATE_OK;
    ck_assert_uint_lt(part->number, BEGUN_MAX);
    ck_assert(!tour->begun[part->number]);
    tour->begun[part->number] = true;
    tour->parts++;
    tour->running++;
    if (tour->running > tour->most_running)
        tour->most_running = tour->running;
    while (!failed && !part->cursor.done) {
        batch->count = 0;
        failed = branch_scan(branch, part->table, &part->cursor, tour->batch, &sink, error);
        if (!failed)
            failed = work(branch, scope, tour, batch, error);
        if (!failed && tour->pause_ns &&
            fiber_sleep_until(world->scheduler, world->now_ns + tour->pause_ns) == FIBER_CANCELED)
            failed = fiber_check_canceled(world->scheduler, error);
    }
    tour->failed += failed != SQLSTATE_OK;
    tour->running--;
    return failed;
}

static struct tour new_tour(uint64_t batch, uint64_t pause_ns)
{
    return (struct tour){.batch = batch, .pause_ns = pause_ns, .last = UINT64_MAX, .fail_at = ROWS};
}

static enum sqlstate go(struct transaction *t, struct tour *tour, uint64_t from, uint64_t to, uint32_t width,
                        bool stays, struct error *error)
{
    uint8_t low[8], high[8];
    struct range_run run = {.table = TABLE,
                            .range = {.from = number_key(from, low), .to = number_key(to, high)},
                            .backward = tour->backward,
                            .width = width,
                            .stays = stays,
                            .run = run_tour,
                            .argument = tour};
    tour->in_order = width == 1;
    transaction_statement(t);
    return transaction_run_range(t, &run, error);
}

static void saw_once(const struct tour *tour, uint64_t from, uint64_t to)
{
    for (uint64_t i = 0; i < ROWS; i++)
        ck_assert_msg(tour->seen[i] == (i >= from && i < to), "row %lu was seen %u times", i, tour->seen[i]);
    ck_assert_uint_eq(tour->running, 0);
}

/* ---- stories ---- */

static void every_row_once(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    make_table(stage, world, scope);
    for (int backward = 0; backward <= 1; backward++)
        for (uint32_t width = 0; width <= 2; width++)
            for (enum isolation isolation = READ_COMMITTED; isolation <= SERIALIZABLE; isolation++) {
                struct transaction *t = begin(stage, world, scope, isolation);
                uint64_t from = 17 * width, to = ROWS - 31 * width;
                struct tour tour = new_tour(1 + 13 * width, width == 1 ? 0 : SIM_MILLISECOND);
                tour.backward = backward;
                must(go(t, &tour, from, to, width, width == 2, &error), &error);
                saw_once(&tour, from, to);
                ck_assert_uint_eq(tour.parts, SHARDS);
                uint32_t at_once = width ? width : SHARDS;
                ck_assert_uint_eq(tour.most_running, at_once);
                struct tour empty = new_tour(10, 0);
                must(go(t, &empty, 5, 5, width, false, &error), &error);
                ck_assert_uint_eq(empty.parts, 0);
                struct tour one = new_tour(10, 0);
                must(go(t, &one, ROWS / SHARDS + 1, ROWS / SHARDS + 2, width, false, &error), &error);
                saw_once(&one, ROWS / SHARDS + 1, ROWS / SHARDS + 2);
                commit(t);
            }
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    struct range_run run = {.table = 99, .range = {.to_open = true}, .run = run_tour};
    ck_assert_int_eq(transaction_run_range(t, &run, &error), SQLSTATE_UNDEFINED_TABLE);
    transaction_rollback(t);
}

static void play_it(uint32_t cores,
                    void (*story)(struct stage *stage, struct world *world, struct scope *scope))
{
    struct stage stage;
    stage_open(&stage, cores);
    play(&stage, story, false);
    stage_close(&stage);
}

START_TEST(a_range_is_run_shard_by_shard_and_every_row_comes_once)
{
    play_it(1, every_row_once);
    play_it(3, every_row_once);
}
END_TEST

/* Splits and moves while `running`. */
struct shaker {
    struct stage *stage;
    struct world *world;
    uint64_t random;
    bool stop, ended;
    uint32_t moved, split;
};

static void run_shaker(void *argument)
{
    struct shaker *shaker = argument;
    struct world *world = shaker->world;
    while (!shaker->stop) {
        struct error error;
        uint8_t room[8];
        struct shards shards = list_shards(shaker->stage, world);
        uint64_t shard = shards.shard[unit_random_below(&shaker->random, shards.count)];
        bool splits = shards.count < 20 && unit_random_below(&shaker->random, 2);
        enum sqlstate failed =
            splits ? shard_split(world, shaker->stage->engine, shard,
                                 number_key(unit_random_below(&shaker->random, ROWS), room), &error)
                   : shard_move(world, shaker->stage->engine, shard,
                                (uint32_t)unit_random_below(&shaker->random, world->cores), &error);
        ck_assert_msg(!failed || failed == SQLSTATE_INVALID_PARAMETER_VALUE ||
                          failed == SQLSTATE_OBJECT_IN_USE,
                      "%s", error_text(&error, ERROR_MESSAGE));
        shaker->moved += !failed && !splits;
        shaker->split += !failed && splits;
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    }
    shaker->ended = true;
}

static void shake(struct shaker *shaker, struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    *shaker = (struct shaker){.stage = stage, .world = world, .random = unit_seed()};
    must(fiber_start(world->scheduler, scope, "shaker", run_shaker, shaker, NULL, &error), &error);
}

/* Not before both have come about, whatever the dice say. */
static void stop_shaking(struct shaker *shaker)
{
    while (!shaker->ended) {
        shaker->stop = shaker->split > 0 && shaker->moved > 0;
        (void)!fiber_sleep_until(shaker->world->scheduler, shaker->world->now_ns + SIM_MILLISECOND);
    }
}

static void shards_change(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct shaker shaker;
    uint32_t more_parts = 0;
    make_table(stage, world, scope);
    shake(&shaker, stage, world, scope);
    /* As long as it takes until a shard was replaced under a part that ran. */
    for (int i = 0; i < 12 || (!more_parts && i < 500); i++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        size_t shards = list_shards(stage, world).count;
        struct tour tour = new_tour(20, 20 * SIM_MILLISECOND);
        tour.backward = i % 2;
        must(go(t, &tour, 0, ROWS, (uint32_t)(i % 3), false, &error), &error);
        saw_once(&tour, 0, ROWS);
        more_parts += tour.parts > shards;
        commit(t);
    }
    stop_shaking(&shaker);
    ck_assert_uint_gt(more_parts, 0); /* or nothing was run again */
    verify(stage, world);
}

START_TEST(a_range_goes_on_in_the_new_places_of_shards_that_are_split_and_moved)
{
    play_it(1, shards_change);
    play_it(3, shards_change);
}
END_TEST

/* Adds 1000 to the value; the scan's batch is older than the statement's own writes. */
static enum sqlstate bump(struct branch *branch, struct scope *scope, struct tour *tour, uint64_t number,
                          struct error *error)
{
    uint8_t room[8];
    struct store_row row;
    bool found, done;
    enum lock_outcome outcome;
    (void)tour;
    enum sqlstate failed = branch_lock(branch, scope, TABLE, number_key(number, room), LOCK_NO_KEY_UPDATE,
                                       LOCK_WAIT, &row, &found, &outcome, error);
    if (failed)
        return failed;
    ck_assert(found);
    uint64_t value = value_of(&row) + 1000;
    struct effect effect = {EFFECT_UPDATE, number_key(number, room), bytes_of(&value, sizeof value)};
    failed = branch_write(branch, TABLE, &effect, &done, error);
    ck_assert(failed || done);
    return failed;
}

static void writers_stay(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct shaker shaker;
    make_table(stage, world, scope);
    shake(&shaker, stage, world, scope);
    for (int i = 0; i < 6; i++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        struct tour tour = new_tour(50, 2 * SIM_MILLISECOND);
        tour.each = bump;
        must(go(t, &tour, 0, ROWS, 0, true, &error), &error);
        saw_once(&tour, 0, ROWS);
        for (uint64_t n = 0; n < ROWS; n += 7) {
            struct scope *inner = scope_open(scope, "look");
            uint64_t value;
            memcpy(&value, get(t, inner, TABLE, n), sizeof value);
            ck_assert_uint_eq(value, 2000 + n);
            scope_close(inner);
        }
        transaction_rollback(t);
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + 300 * SIM_MILLISECOND);
    }
    stop_shaking(&shaker);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    struct tour tour = new_tour(50, 0);
    must(go(t, &tour, 0, ROWS, 0, false, &error), &error);
    saw_once(&tour, 0, ROWS);
    commit(t);
    verify(stage, world);
}

START_TEST(fragments_that_write_keep_their_shard_in_its_place)
{
    play_it(1, writers_stay);
    play_it(3, writers_stay);
}
END_TEST

static void one_fails(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    make_table(stage, world, scope);
    for (uint64_t fail_at = 0; fail_at < ROWS; fail_at += ROWS / 4 + 3) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        struct tour tour = new_tour(10, 100 * SIM_MILLISECOND);
        tour.fail_at = fail_at;
        tour.each = bump;
        uint64_t started = world->now_ns;
        ck_assert_int_eq(go(t, &tour, 0, ROWS, 0, true, &error), SQLSTATE_DATA_EXCEPTION);
        ck_assert_str_ne(error_text(&error, ERROR_MESSAGE), "");
        ck_assert_uint_eq(tour.running, 0);
        ck_assert_uint_eq(tour.failed, SHARDS);
        ck_assert_uint_lt(world->now_ns - started, 2 * SIM_SECOND);
        transaction_rollback(t);
    }
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    struct tour tour = new_tour(50, 0);
    must(go(t, &tour, 0, ROWS, 0, false, &error), &error);
    saw_once(&tour, 0, ROWS);
    commit(t);
}

START_TEST(a_part_that_fails_ends_the_others)
{
    play_it(1, one_fails);
    play_it(3, one_fails);
}
END_TEST

/* ---- cancellation ---- */

struct runner {
    struct stage *stage;
    struct world *world;
    struct scope *scope;
    struct tour tour;
    enum sqlstate failed;
    bool ended;
};

static void run_runner(void *argument)
{
    struct runner *runner = argument;
    struct error error;
    struct transaction *t = begin(runner->stage, runner->world, runner->scope, READ_COMMITTED);
    runner->failed = go(t, &runner->tour, 0, ROWS, 0, false, &error);
    transaction_rollback(t);
    runner->ended = true;
}

static void canceled(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct fiber *fiber;
    struct runner runner = {
        .stage = stage, .world = world, .scope = scope, .tour = new_tour(5, 200 * SIM_MILLISECOND)};
    make_table(stage, world, scope);
    must(fiber_start(world->scheduler, scope, "runner", run_runner, &runner, &fiber, &error), &error);
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 500 * SIM_MILLISECOND);
    ck_assert_uint_eq(runner.tour.running, SHARDS);
    uint64_t asked = world->now_ns;
    fiber_cancel(fiber, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    while (!runner.ended)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    ck_assert_int_eq(runner.failed, SQLSTATE_QUERY_CANCELED);
    ck_assert_uint_lt(world->now_ns - asked, 100 * SIM_MILLISECOND);
    ck_assert_uint_eq(runner.tour.running, 0);
}

START_TEST(a_cancellation_reaches_all_parts)
{
    play_it(1, canceled);
    play_it(3, canceled);
}
END_TEST

/* ---- waiting for locks in several fragments at once ---- */

static void two_wait(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    make_table(stage, world, scope);
    struct transaction *rival = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ROWS; i += 50)
        write_value(rival, i, 1000 + i, false);
    struct runner runner = {.stage = stage, .world = world, .scope = scope, .tour = new_tour(100, 0)};
    runner.tour.each = bump;
    must(fiber_start(world->scheduler, scope, "runner", run_runner, &runner, NULL, &error), &error);
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 300 * SIM_MILLISECOND);
    ck_assert(!runner.ended);
    ck_assert_uint_eq(runner.tour.running, SHARDS);
    commit(rival);
    while (!runner.ended)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    ck_assert_int_eq(runner.failed, SQLSTATE_OK);
    saw_once(&runner.tour, 0, ROWS);
}

START_TEST(fragments_of_one_transaction_wait_for_locks_at_the_same_time)
{
    play_it(1, two_wait);
    play_it(3, two_wait);
}
END_TEST

static void cycle(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    uint8_t room[8];
    bool done;
    make_table(stage, world, scope);
    struct transaction *rival = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 1; i < SHARDS; i++)
        write_value(rival, i * ROWS / SHARDS + 20, 1000 + i * ROWS / SHARDS + 20, false);
    struct runner runner = {.stage = stage, .world = world, .scope = scope, .tour = new_tour(100, 0)};
    runner.tour.each = bump;
    must(fiber_start(world->scheduler, scope, "runner", run_runner, &runner, NULL, &error), &error);
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 300 * SIM_MILLISECOND);
    ck_assert(!runner.ended);
    /* The runner holds row 0 and waits for the rival in the other shards. */
    uint64_t value = 1, before = world->now_ns;
    enum sqlstate failed =
        row_update(rival, TABLE, number_key(0, room), bytes_of(&value, sizeof value), &done, &error);
    ck_assert_uint_lt(world->now_ns - before, 100 * SIM_MILLISECOND);
    transaction_rollback(rival);
    while (!runner.ended)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    enum sqlstate victim = failed ? failed : runner.failed;
    ck_assert_int_eq(victim, SQLSTATE_DEADLOCK_DETECTED);
    ck_assert(!failed || !runner.failed);
}

START_TEST(a_deadlock_through_several_waiting_fragments_is_found)
{
    play_it(1, cycle);
    play_it(3, cycle);
}
END_TEST

/* ---- keys ---- */

#define KEYS 300

struct fetch {
    uint64_t wanted[KEYS];
    uint64_t value[KEYS]; /* UINT64_MAX: not asked; 0: no row */
    uint64_t batch, pause_ns;
    uint32_t parts;
};

static void take_key(void *argument, uint32_t number, const struct store_row *row)
{
    struct fetch *fetch = argument;
    ck_assert_uint_lt(number, KEYS);
    ck_assert_uint_eq(fetch->value[number], UINT64_MAX);
    if (row)
        ck_assert_uint_eq(number_of(row->key), fetch->wanted[number]);
    fetch->value[number] = row ? value_of(row) : 0;
}

static enum sqlstate run_fetch(struct branch *branch, struct scope *scope, struct key_share *part,
                               void *argument, struct error *error)
{
    struct fetch *fetch = argument;
    struct world *world = branch_world(branch);
    struct key_sink sink = {.take = take_key, .argument = fetch};
    fetch->parts++;
    while (part->done < part->count) {
        enum sqlstate failed = branch_get_keys(branch, scope, part, fetch->batch, &sink, error);
        if (failed)
            return failed;
        if (fetch->pause_ns)
            (void)!fiber_sleep_until(world->scheduler, world->now_ns + fetch->pause_ns);
    }
    return SQLSTATE_OK;
}

/* Keys at random, some twice, some without a row. */
static void fetch_some(struct stage *stage, struct world *world, struct scope *scope, uint64_t *random,
                       uint64_t pause_ns, uint32_t *parts)
{
    struct error error;
    struct fetch fetch = {.batch = 1 + unit_random_below(random, 20), .pause_ns = pause_ns};
    struct bytes keys[KEYS];
    uint8_t rooms[KEYS][8];
    enum isolation isolation = READ_COMMITTED + unit_random_below(random, 3);
    struct transaction *t = begin(stage, world, scope, pause_ns ? READ_COMMITTED : isolation);
    for (uint32_t i = 0; i < KEYS; i++) {
        fetch.wanted[i] = unit_random_below(random, ROWS * 3 / 2);
        fetch.value[i] = UINT64_MAX;
        keys[i] = number_key(fetch.wanted[i], rooms[i]);
    }
    struct key_run run = {.table = TABLE, .key = keys, .count = KEYS, .run = run_fetch, .argument = &fetch};
    must(transaction_run_keys(t, &run, &error), &error);
    for (uint32_t i = 0; i < KEYS; i++)
        ck_assert_uint_eq(fetch.value[i], fetch.wanted[i] < ROWS ? 1000 + fetch.wanted[i] : 0);
    *parts = fetch.parts;
    commit(t);
}

static void keys_at_once(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    uint64_t random = unit_seed();
    uint32_t parts, again = 0;
    struct shaker shaker;
    make_table(stage, world, scope);
    for (int i = 0; i < 10; i++) {
        fetch_some(stage, world, scope, &random, 0, &parts);
        ck_assert_uint_eq(parts, world->cores);
    }
    shake(&shaker, stage, world, scope);
    for (int i = 0; i < 20 || (world->cores > 1 && !again && i < 500); i++) {
        fetch_some(stage, world, scope, &random, 10 * SIM_MILLISECOND, &parts);
        again += parts > world->cores;
    }
    stop_shaking(&shaker);
    ck_assert(world->cores == 1 || again > 0);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    must(transaction_run_keys(t, &(struct key_run){.table = TABLE, .run = run_fetch}, &error), &error);
    struct bytes key = bytes_of("x", 1);
    struct key_run nowhere = {.table = 99, .key = &key, .count = 1, .run = run_fetch};
    ck_assert_int_eq(transaction_run_keys(t, &nowhere, &error), SQLSTATE_UNDEFINED_TABLE);
    transaction_rollback(t);
}

START_TEST(rows_of_many_keys_come_in_one_hop_for_each_core)
{
    play_it(1, keys_at_once);
    play_it(3, keys_at_once);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("fragment");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_range_is_run_shard_by_shard_and_every_row_comes_once);
    tcase_add_test(tests, a_range_goes_on_in_the_new_places_of_shards_that_are_split_and_moved);
    tcase_add_test(tests, fragments_that_write_keep_their_shard_in_its_place);
    tcase_add_test(tests, a_part_that_fails_ends_the_others);
    tcase_add_test(tests, a_cancellation_reaches_all_parts);
    tcase_add_test(tests, fragments_of_one_transaction_wait_for_locks_at_the_same_time);
    tcase_add_test(tests, a_deadlock_through_several_waiting_fragments_is_found);
    tcase_add_test(tests, rows_of_many_keys_come_in_one_hop_for_each_core);
    return unit_run(tests);
}
