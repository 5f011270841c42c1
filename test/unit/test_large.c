/* Rows that are larger than the memory for versions: they go to the disk as they come, and are read in pieces. */
#include "test/unit/engine_stage.h"

#define TABLE     7
#define ROW_BYTES (5U * 1024 * 1024 + 77)
#define PIECE     70000

static uint8_t content_at(uint32_t seed, uint64_t offset)
{
    return (uint8_t)((offset * 2654435761U >> 13) ^ (offset >> 9) ^ seed * 101);
}

static struct bytes make_row(struct scope *scope, uint32_t seed, size_t size)
{
    void *memory;
    struct error error;
    must(scope_alloc_large(scope, size, 16, &memory, &error), &error);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)memory)[i] = content_at(seed, i);
    return bytes_of(memory, size);
}

static void write_row(struct transaction *t, struct scope *parent, bool insert, uint64_t number,
                      uint32_t seed, size_t size)
{
    uint8_t room[8];
    bool done;
    struct error error;
    struct scope *scope = scope_open(parent, "row");
    struct bytes row = make_row(scope, seed, size), key = number_key(number, room);
    transaction_statement(t);
    must((insert ? row_insert : row_update)(t, TABLE, key, row, &done, &error), &error);
    ck_assert(done);
    scope_close(scope);
}

static void check_content(struct bytes piece, uint32_t seed, uint64_t offset)
{
    size_t same = 0;
    while (same < piece.size && piece.data[same] == content_at(seed, offset + same))
        same++;
    ck_assert_uint_eq(same, piece.size);
}

/* Pieces from all over the row, beyond its end, too; then the whole. */
static void check_row(struct transaction *t, struct scope *parent, uint64_t number, uint32_t seed,
                      size_t size)
{
    struct error error;
    uint8_t room[8], *into;
    void *memory;
    struct bytes row, key = number_key(number, room);
    bool found;
    struct scope *scope = scope_open(parent, "row");
    must(scope_alloc_large(scope, PIECE, 16, &memory, &error), &error);
    into = memory;
    transaction_statement(t);
    for (uint64_t offset = 0; offset < size + 2 * PIECE; offset += size / 7) {
        struct store_piece piece = {.offset = offset, .into = into, .room = PIECE};
        must(row_get_piece(t, TABLE, key, &piece, &error), &error);
        uint64_t left = offset < size ? size - offset : 0;
        ck_assert(piece.found);
        ck_assert_uint_eq(piece.row_bytes, size);
        ck_assert_uint_eq(piece.bytes, left < PIECE ? left : PIECE);
        check_content(bytes_of(into, piece.bytes), seed, offset);
    }
    must(row_get(t, scope, TABLE, key, &row, &found, &error), &error);
    ck_assert(found);
    ck_assert_uint_eq(row.size, size);
    check_content(row, seed, 0);
    scope_close(scope);
}

static void check_absent(struct transaction *t, uint64_t number)
{
    struct error error;
    uint8_t room[8], into[10];
    struct store_piece piece = {.into = into, .room = sizeof into};
    transaction_statement(t);
    must(row_get_piece(t, TABLE, number_key(number, room), &piece, &error), &error);
    ck_assert(!piece.found);
}

static void checkpoint(struct stage *stage, struct world *world)
{
    struct error error;
    must(engine_checkpoint(world, stage->engine, &error), &error);
}

/* What the volumes hold when nothing is held back for anybody: collecting and committing have had their turns. */
static uint64_t used_bytes(struct stage *stage, struct world *world)
{
    struct engine_figures figures;
    for (int i = 0; i < 3; i++) {
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + 2 * SIM_SECOND);
        checkpoint(stage, world);
    }
    engine_figures(world, stage->engine, &figures);
    return figures.disk_used_bytes;
}

static void start(struct stage *stage, uint32_t cores)
{
    stage_open(stage, cores);
    stage->options.memory_bytes = 8 << 20;
    stage->options.page_bytes = 4096;
    stage->options.large_bytes = 60000;
    stage->options.sizing_every_ns = 100 * SIM_SECOND;
}

/* ---- what is there when ---- */

static void versions_come_and_go(struct stage *stage, struct world *world, struct scope *scope)
{
    create(stage, world, scope, TABLE, TABLE_ROW);
    uint64_t empty = used_bytes(stage, world);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    write_row(t, scope, true, 1, 1, ROW_BYTES);
    check_row(t, scope, 1, 1, ROW_BYTES);
    struct transaction *before = begin(stage, world, scope, REPEATABLE_READ);
    check_absent(before, 1);
    commit(t);
    struct transaction *old = begin(stage, world, scope, REPEATABLE_READ);
    check_row(old, scope, 1, 1, ROW_BYTES);
    checkpoint(stage, world);
    for (uint32_t seed = 2; seed < 6; seed++) {
        t = begin(stage, world, scope, READ_COMMITTED);
        write_row(t, scope, false, 1, seed, ROW_BYTES + 1000 * seed);
        /* One that is too large for a page and not for memory comes between. */
        write_row(t, scope, seed == 2, 2, seed, 40000);
        check_row(t, scope, 1, seed, ROW_BYTES + 1000 * seed);
        check_row(old, scope, 1, 1, ROW_BYTES);
        commit(t);
        if (seed % 2)
            checkpoint(stage, world);
        check_row(old, scope, 1, 1, ROW_BYTES);
    }
    struct transaction *late = begin(stage, world, scope, REPEATABLE_READ);
    check_row(late, scope, 1, 5, ROW_BYTES + 5000);
    t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(delete_row(t, TABLE, 1));
    ck_assert(delete_row(t, TABLE, 2));
    commit(t);
    checkpoint(stage, world);
    check_row(old, scope, 1, 1, ROW_BYTES);
    check_row(late, scope, 1, 5, ROW_BYTES + 5000);
    check_row(late, scope, 2, 5, 40000);
    check_absent(before, 1);
    commit(before);
    commit(old);
    checkpoint(stage, world);
    check_row(late, scope, 1, 5, ROW_BYTES + 5000);
    commit(late);
    ck_assert_uint_eq(used_bytes(stage, world), empty);
    verify(stage, world);
}

START_TEST(versions_of_large_rows_are_seen_by_whom_they_concern_and_leave_nothing_behind)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        start(&stage, cores);
        play(&stage, versions_come_and_go, false);
        stage_close(&stage);
    }
}
END_TEST

static void taken_back(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    bool done;
    uint8_t room[8];
    create(stage, world, scope, TABLE, TABLE_ROW);
    uint64_t empty = used_bytes(stage, world);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    write_row(t, scope, true, 1, 1, ROW_BYTES);
    uint64_t savepoint = transaction_savepoint(t);
    write_row(t, scope, false, 1, 2, ROW_BYTES);
    write_row(t, scope, true, 2, 3, ROW_BYTES);
    must(transaction_rollback_to(t, savepoint, &error), &error);
    check_row(t, scope, 1, 1, ROW_BYTES);
    check_absent(t, 2);
    /* A key that is there: nothing is written for it. */
    must(row_insert(t, TABLE, number_key(1, room), make_row(scope, 9, ROW_BYTES), &done, &error), &error);
    ck_assert(!done);
    transaction_rollback(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    check_absent(t, 1);
    commit(t);
    ck_assert_uint_eq(used_bytes(stage, world), empty);
    t = begin(stage, world, scope, READ_COMMITTED);
    write_row(t, scope, true, 1, 1, ROW_BYTES);
    commit(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    must(table_drop(t, TABLE, &error), &error);
    commit(t);
    ck_assert_uint_le(used_bytes(stage, world), empty);
}

START_TEST(large_rows_that_were_taken_back_or_dropped_leave_nothing_behind)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        start(&stage, cores);
        play(&stage, taken_back, false);
        stage_close(&stage);
    }
}
END_TEST

/* ---- crashes ---- */

static void write_some(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    create(stage, world, scope, TABLE, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    write_row(t, scope, true, 1, 1, ROW_BYTES);
    write_row(t, scope, true, 2, 2, ROW_BYTES);
    commit(t);
    checkpoint(stage, world);
    t = begin(stage, world, scope, READ_COMMITTED);
    write_row(t, scope, false, 1, 3, ROW_BYTES + 3);
    uint64_t savepoint = transaction_savepoint(t);
    write_row(t, scope, false, 2, 4, ROW_BYTES);
    must(transaction_rollback_to(t, savepoint, &error), &error);
    write_row(t, scope, true, 3, 5, 61000);
    struct transaction *other = begin(stage, world, scope, READ_COMMITTED);
    write_row(other, scope, true, 4, 6, ROW_BYTES);
    commit(t);
    /* `other` never commits. */
}

static void check_some(struct stage *stage, struct world *world, struct scope *scope)
{
    struct transaction *t = begin(stage, world, scope, REPEATABLE_READ);
    check_row(t, scope, 1, 3, ROW_BYTES + 3);
    check_row(t, scope, 2, 2, ROW_BYTES);
    check_row(t, scope, 3, 5, 61000);
    check_absent(t, 4);
    commit(t);
    struct engine_figures figures;
    engine_figures(world, stage->engine, &figures);
    ck_assert_uint_lt(figures.history_bytes, 100000);
    ck_assert_uint_lt(used_bytes(stage, world), 2 * ROW_BYTES + 2000000);
    verify(stage, world);
}

START_TEST(large_rows_come_back_from_the_log_after_a_crash_as_they_were_committed)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        start(&stage, cores);
        play(&stage, write_some, true);
        play(&stage, check_some, true);
        play(&stage, check_some, false);
        play(&stage, check_some, false);
        stage_close(&stage);
    }
}
END_TEST

/* ---- shards ---- */

static void remember_shard(void *argument, const struct shard_view *shard)
{
    *(struct shard_view *)argument = *shard;
}

static void moved(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct shard_view shard;
    create(stage, world, scope, TABLE, TABLE_ROW);
    for (uint32_t number = 0; number < 3; number++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        write_row(t, scope, true, number, number, ROW_BYTES);
        commit(t);
    }
    for (uint32_t core = 0; core < world->cores; core++) {
        must(shard_each(world, stage->engine, TABLE, remember_shard, &shard, &error), &error);
        must(shard_move(world, stage->engine, shard.shard, (shard.core + 1) % world->cores, &error), &error);
        struct transaction *t = begin(stage, world, scope, REPEATABLE_READ);
        for (uint32_t number = 0; number < 3; number++)
            check_row(t, scope, number, number, ROW_BYTES);
        commit(t);
    }
    verify(stage, world);
}

START_TEST(large_rows_move_with_their_shard)
{
    struct stage stage;
    start(&stage, 3);
    stage.options.memory_bytes = 64 << 20;
    play(&stage, moved, false);
    stage_close(&stage);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("large");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, versions_of_large_rows_are_seen_by_whom_they_concern_and_leave_nothing_behind);
    tcase_add_test(tests, large_rows_that_were_taken_back_or_dropped_leave_nothing_behind);
    tcase_add_test(tests, large_rows_come_back_from_the_log_after_a_crash_as_they_were_committed);
    tcase_add_test(tests, large_rows_move_with_their_shard);
    return unit_run(tests);
}
