/* Shards that are split, merged and moved by the engine itself: tables grow, shrink and get busy, and nobody says anything. */
#include "test/unit/engine_stage.h"

#define TABLE 3
#define ROWS  24000
#define LEFT  20 /* rows after the shrinking: few enough for one small shard */

struct census {
    size_t shards;
    size_t on_core[3];
    uint64_t last; /* shard */
};

static void take_census(void *argument, const struct shard_view *view)
{
    struct census *census = argument;
    census->shards++;
    census->on_core[view->core]++;
    census->last = view->shard;
}

static struct census census_of(struct stage *stage, struct world *world)
{
    struct census census = {0};
    struct error error;
    must(shard_each(world, stage->engine, TABLE, take_census, &census, &error), &error);
    return census;
}

static void fill(struct stage *stage, struct world *world, struct scope *outer, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to;) {
        struct scope *scope = scope_open(outer, "fill");
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        for (int n = 0; n < 200 && i < to; n++, i++)
            ck_assert(insert(t, TABLE, i * 7919 % ROWS,
                             "a row of some bytes, so that there is something to split"));
        commit(t);
        scope_close(scope);
    }
}

static void empty(struct stage *stage, struct world *world, struct scope *outer, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to;) {
        struct scope *scope = scope_open(outer, "empty");
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        for (int n = 0; n < 200 && i < to; n++, i++)
            ck_assert(delete_row(t, TABLE, i));
        commit(t);
        scope_close(scope);
    }
}

static void wait_a_while(struct world *world, uint64_t ns)
{
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + ns);
}

/* Looks until the number of shards is right, for a minute. */
static void wait_for_shards(struct stage *stage, struct world *world, size_t least, size_t most)
{
    struct census census;
    for (int i = 0; i < 1200; i++) {
        census = census_of(stage, world);
        if (census.shards >= least && census.shards <= most)
            return;
        wait_a_while(world, 50 * SIM_MILLISECOND);
    }
    ck_abort_msg("%zu shards, and it should be %zu to %zu", census.shards, least, most);
}

static void check_rows(struct stage *stage, struct world *world, struct scope *scope, uint64_t rows)
{
    struct transaction *t = begin(stage, world, scope, REPEATABLE_READ);
    ck_assert_uint_eq(count(t, TABLE, false), rows);
    ck_assert_uint_eq(count(t, TABLE, true), rows);
    commit(t);
}

static void grow_and_shrink(struct stage *stage, struct world *world, struct scope *scope,
                            enum table_layout layout)
{
    struct error error;
    create(stage, world, scope, TABLE, layout);
    fill(stage, world, scope, 0, ROWS / 2);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    wait_for_shards(stage, world, 4, 64);
    fill(stage, world, scope, ROWS / 2, ROWS);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    wait_for_shards(stage, world, 8, 64);
    check_rows(stage, world, scope, ROWS);
    struct census census = census_of(stage, world);
    for (uint32_t core = 0; core < world->cores; core++)
        ck_assert_uint_gt(census.on_core[core], 0);
    empty(stage, world, scope, 0, ROWS - LEFT);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    wait_for_shards(stage, world, 1, 2);
    check_rows(stage, world, scope, LEFT);
    verify(stage, world);
}

static void rows_grow_and_shrink(struct stage *stage, struct world *world, struct scope *scope)
{
    grow_and_shrink(stage, world, scope, TABLE_ROW);
}

static void memory_grows_and_shrinks(struct stage *stage, struct world *world, struct scope *scope)
{
    grow_and_shrink(stage, world, scope, TABLE_MEMORY);
}

static void is_still_there(struct stage *stage, struct world *world, struct scope *scope)
{
    check_rows(stage, world, scope, LEFT);
    verify(stage, world);
}

static void open_small(struct stage *stage, uint32_t cores)
{
    stage_open(stage, cores);
    stage->options.shard_bytes_max = 128 << 10;
    stage->options.page_bytes = 4096;
    stage->options.sizing_every_ns = 50 * SIM_MILLISECOND;
}

START_TEST(a_table_that_grows_is_split_over_the_cores_and_merged_when_it_shrinks)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        open_small(&stage, cores);
        play(&stage, rows_grow_and_shrink, true);
        play(&stage, is_still_there, false);
        stage_close(&stage);
    }
}
END_TEST

START_TEST(a_table_in_memory_is_split_and_merged_likewise)
{
    struct stage stage;
    open_small(&stage, 3);
    play(&stage, memory_grows_and_shrinks, false);
    stage_close(&stage);
}
END_TEST

/* Looks for rows one by one. */
static void read_row_by_row(struct stage *stage, struct world *world, struct scope *outer)
{
    for (int round = 0; round < 40; round++) {
        struct scope *scope = scope_open(outer, "reads");
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        for (uint64_t i = 0; i < ROWS; i += 48)
            (void)get(t, scope, TABLE, i);
        commit(t);
        scope_close(scope);
        wait_a_while(world, 50 * SIM_MILLISECOND);
    }
}

static void check_every_core_has_some(struct stage *stage, struct world *world)
{
    struct census census = census_of(stage, world);
    for (uint32_t core = 0; core < world->cores; core++)
        ck_assert_uint_gt(census.on_core[core], 0);
}

/* Scans until the table lies on every core. */
static void scan_until_spread(struct stage *stage, struct world *world, struct scope *scope)
{
    for (int i = 0; i < 200; i++) {
        struct census census = census_of(stage, world);
        bool everywhere = true;
        for (uint32_t core = 0; core < world->cores; core++)
            everywhere &= census.on_core[core] > 0;
        if (everywhere)
            return;
        check_rows(stage, world, scope, ROWS);
        wait_a_while(world, 10 * SIM_MILLISECOND);
    }
    ck_abort_msg("long scans do not spread the table");
}

static void is_spread_when_scanned(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    create(stage, world, scope, TABLE, TABLE_ROW);
    fill(stage, world, scope, 0, ROWS);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    read_row_by_row(stage, world, scope);
    check_rows(stage, world, scope, ROWS); /* two scans are not many */
    wait_a_while(world, 5 * SIM_SECOND);
    ck_assert_uint_eq(census_of(stage, world).shards, 1);
    scan_until_spread(stage, world, scope);
    /* Two cores may have sent a half to the third at the same time; but then it is enough. */
    wait_a_while(world, SIM_SECOND);
    size_t shards = census_of(stage, world).shards;
    ck_assert_uint_le(shards, 2 * world->cores - 2);
    for (int i = 0; i < 20; i++)
        check_rows(stage, world, scope, ROWS);
    read_row_by_row(stage, world, scope);
    ck_assert_uint_eq(census_of(stage, world).shards, shards);
    check_every_core_has_some(stage, world);
    verify(stage, world);
}

START_TEST(a_table_is_spread_over_the_cores_when_it_is_scanned_and_not_before)
{
    for (uint32_t cores = 2; cores <= 3; cores++) {
        struct stage stage;
        open_small(&stage, cores);
        stage.options.shard_bytes_max = 0;
        stage.options.shard_bytes_spread = 64 << 10;
        play(&stage, is_spread_when_scanned, false);
        stage_close(&stage);
    }
}
END_TEST

static void cut_in_four(struct stage *stage, struct world *world, struct scope *scope)
{
    create(stage, world, scope, TABLE, TABLE_ROW);
    for (uint64_t at = 1; at < 4; at++) {
        struct error error;
        uint8_t room[8];
        uint64_t last = census_of(stage, world).last;
        must(shard_split(world, stage->engine, last, number_key(at * ROWS / 4, room), &error), &error);
    }
}

static void cut_on_purpose(struct stage *stage, struct world *world, struct scope *scope)
{
    cut_in_four(stage, world, scope);
    wait_a_while(world, 5 * SIM_SECOND);
    ck_assert_uint_eq(census_of(stage, world).shards, 4);
}

START_TEST(shards_that_were_cut_before_their_rows_came_are_left_alone)
{
    struct stage stage;
    open_small(&stage, 3);
    play(&stage, cut_on_purpose, false);
    stage_close(&stage);
}
END_TEST

/* Two halves on one core, full of rows: one of them is enough for the other core, and nothing is split. */
static void half_moves(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    uint8_t room[8];
    create(stage, world, scope, TABLE, TABLE_ROW);
    fill(stage, world, scope, 0, ROWS);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    must(shard_split(world, stage->engine, census_of(stage, world).last, number_key(ROWS / 2, room), &error),
         &error);
    scan_until_spread(stage, world, scope);
    ck_assert_uint_eq(census_of(stage, world).shards, 2);
    check_rows(stage, world, scope, ROWS);
    verify(stage, world);
}

START_TEST(a_scanned_table_of_several_shards_on_one_core_is_spread_by_moving_one)
{
    struct stage stage;
    open_small(&stage, 2);
    stage.options.shard_bytes_max = 0;
    stage.options.shard_bytes_spread = 64 << 10;
    play(&stage, half_moves, false);
    stage_close(&stage);
}
END_TEST

/* ---- load ---- */

struct reader {
    struct stage *stage;
    struct world *world;
    struct scope *scope;
    bool stop, ended;
};

static void run_reader(void *argument)
{
    struct reader *reader = argument;
    while (!reader->stop) {
        struct scope *scope = scope_open(reader->scope, "reader");
        struct transaction *t = begin(reader->stage, reader->world, scope, READ_COMMITTED);
        for (uint64_t i = 0; i < 20; i++)
            (void)get(t, scope, TABLE, i * ROWS / 20);
        commit(t);
        scope_close(scope);
        wait_a_while(reader->world, SIM_MILLISECOND);
    }
    reader->ended = true;
}

static void busy_shards_move(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    cut_in_four(stage, world, scope);
    struct census before = census_of(stage, world);
    ck_assert(before.on_core[0] == 4 || before.on_core[1] == 4);
    struct reader reader = {.stage = stage, .world = world, .scope = scope};
    must(fiber_start(world->scheduler, scope, "reader", run_reader, &reader, NULL, &error), &error);
    for (int i = 0; i < 1200 && census_of(stage, world).on_core[0] != 2; i++)
        wait_a_while(world, 50 * SIM_MILLISECOND);
    struct census census = census_of(stage, world);
    ck_assert_uint_eq(census.on_core[0], 2);
    ck_assert_uint_eq(census.on_core[1], 2);
    /* And there they stay. */
    wait_a_while(world, 60 * SIM_SECOND);
    census = census_of(stage, world);
    ck_assert_uint_eq(census.on_core[0], 2);
    reader.stop = true;
    while (!reader.ended)
        wait_a_while(world, SIM_MILLISECOND);
}

START_TEST(busy_shards_move_to_the_core_that_has_less_to_do)
{
    struct stage stage;
    open_small(&stage, 2);
    play(&stage, busy_shards_move, false);
    stage_close(&stage);
}
END_TEST

/* ---- tables that go while their shards change ---- */

static void dropped_meanwhile(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    for (int round = 0; round < 6; round++) {
        create(stage, world, scope, TABLE, TABLE_ROW);
        fill(stage, world, scope, 0, 4000);
        must(engine_checkpoint(world, stage->engine, &error), &error);
        wait_a_while(world, (uint64_t)round * 37 * SIM_MILLISECOND);
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        must(table_drop(t, TABLE, &error), &error);
        wait_a_while(world, 300 * SIM_MILLISECOND);
        commit(t);
        ck_assert_uint_eq(census_of(stage, world).shards, 0);
    }
    verify(stage, world);
}

static void nothing_is_there(struct stage *stage, struct world *world, struct scope *scope)
{
    (void)scope;
    ck_assert_uint_eq(census_of(stage, world).shards, 0);
    verify(stage, world);
}

START_TEST(a_table_is_dropped_whole_while_it_is_split)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        open_small(&stage, cores);
        play(&stage, dropped_meanwhile, true);
        play(&stage, nothing_is_there, false);
        stage_close(&stage);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sizing");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_table_that_grows_is_split_over_the_cores_and_merged_when_it_shrinks);
    tcase_add_test(tests, a_table_in_memory_is_split_and_merged_likewise);
    tcase_add_test(tests, a_table_is_spread_over_the_cores_when_it_is_scanned_and_not_before);
    tcase_add_test(tests, a_scanned_table_of_several_shards_on_one_core_is_spread_by_moving_one);
    tcase_add_test(tests, shards_that_were_cut_before_their_rows_came_are_left_alone);
    tcase_add_test(tests, busy_shards_move_to_the_core_that_has_less_to_do);
    tcase_add_test(tests, a_table_is_dropped_whole_while_it_is_split);
    return unit_run(tests);
}
