/* The engine as those above see it: tables, rows, transactions, restarts; in the simulator, on one core and on three. What
 * the engine promises under crashes and load is the affair of test/sim/engine. */
#include "test/unit/engine_stage.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- stories ---- */

static void rows_come_and_go(struct stage *stage, struct world *world, struct scope *scope)
{
    create(stage, world, scope, 5, TABLE_ROW);
    struct transaction *one = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(insert(one, 5, 1, "one"));
    ck_assert(!insert(one, 5, 1, "again"));
    ck_assert(!update(one, 5, 2, "nothing to update"));
    ck_assert_str_eq(get(one, scope, 5, 1), "one");
    struct transaction *other = begin(stage, world, scope, REPEATABLE_READ);
    ck_assert_str_eq(get(other, scope, 5, 1), "");
    commit(one);
    ck_assert_str_eq(get(other, scope, 5, 1), "");
    commit(other);
    struct transaction *late = begin(stage, world, scope, REPEATABLE_READ);
    ck_assert_str_eq(get(late, scope, 5, 1), "one");
    struct transaction *writer = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(update(writer, 5, 1, "two"));
    ck_assert(insert(writer, 5, 2, "second"));
    commit(writer);
    ck_assert_str_eq(get(late, scope, 5, 1), "one");
    ck_assert_uint_eq(count(late, 5, false), 1);
    commit(late);
    struct transaction *end = begin(stage, world, scope, SERIALIZABLE);
    ck_assert_uint_eq(count(end, 5, true), 2);
    ck_assert(delete_row(end, 5, 1));
    ck_assert_uint_eq(count(end, 5, false), 1);
    transaction_rollback(end);
    struct transaction *check = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_str_eq(get(check, scope, 5, 1), "two");
    commit(check);
    verify(stage, world);
}

static void rows_are_still_there(struct stage *stage, struct world *world, struct scope *scope)
{
    struct transaction *check = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_str_eq(get(check, scope, 5, 1), "two");
    ck_assert_str_eq(get(check, scope, 5, 2), "second");
    ck_assert_uint_eq(count(check, 5, false), 2);
    commit(check);
    verify(stage, world);
}

static void play_rows(uint32_t cores)
{
    struct stage stage;
    stage_open(&stage, cores);
    play(&stage, rows_come_and_go, true);
    play(&stage, rows_are_still_there, true);
    play(&stage, rows_are_still_there, false);
    play(&stage, rows_are_still_there, false);
    stage_close(&stage);
}

START_TEST(rows_come_and_go_and_stay_over_crashes_and_restarts_on_one_core)
{
    play_rows(1);
}
END_TEST

START_TEST(rows_come_and_go_and_stay_over_crashes_and_restarts_on_three_cores)
{
    play_rows(3);
}
END_TEST

static void savepoints(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    for (uint64_t table = 1; table <= 4; table++)
        create(stage, world, scope, table, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(insert(t, 1, 1, "a"));
    uint64_t first = transaction_savepoint(t);
    uint64_t second = transaction_savepoint(t);
    ck_assert(update(t, 1, 1, "b"));
    ck_assert(insert(t, 2, 1, "new in the savepoint"));
    uint64_t third = transaction_savepoint(t);
    ck_assert(update(t, 1, 1, "c"));
    ck_assert_str_eq(get(t, scope, 1, 1), "c");
    must(transaction_rollback_to(t, third, &error), &error);
    ck_assert_str_eq(get(t, scope, 1, 1), "b");
    ck_assert(update(t, 1, 1, "d"));
    must(transaction_rollback_to(t, third, &error), &error);
    ck_assert_str_eq(get(t, scope, 1, 1), "b");
    must(transaction_rollback_to(t, second, &error), &error);
    ck_assert_str_eq(get(t, scope, 1, 1), "a");
    ck_assert_str_eq(get(t, scope, 2, 1), "");
    ck_assert(update(t, 1, 1, "e"));
    must(transaction_rollback_to(t, first, &error), &error);
    ck_assert_str_eq(get(t, scope, 1, 1), "a");
    ck_assert(insert(t, 3, 9, "kept"));
    commit(t);
}

static void savepoints_after(struct stage *stage, struct world *world, struct scope *scope)
{
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_str_eq(get(t, scope, 1, 1), "a");
    ck_assert_str_eq(get(t, scope, 2, 1), "");
    ck_assert_str_eq(get(t, scope, 3, 9), "kept");
    commit(t);
}

START_TEST(what_a_savepoint_took_back_stays_away_after_a_crash)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, savepoints, true);
        play(&stage, savepoints_after, true);
        play(&stage, savepoints_after, false);
        stage_close(&stage);
    }
}
END_TEST

static void tables_come_and_go(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    must(table_create(t, 10, TABLE_ROW, &error), &error);
    must(table_create(t, 11, TABLE_MEMORY, &error), &error);
    must(table_create(t, 12, TABLE_ROW, &error), &error);
    ck_assert(insert(t, 10, 1, "in a table of this transaction"));
    ck_assert(insert(t, 11, 1, "in memory"));
    ck_assert_uint_eq(count(t, 10, false), 1);
    struct transaction *other = begin(stage, world, scope, READ_COMMITTED);
    uint8_t room[8];
    bool done;
    ck_assert_int_eq(row_insert(other, 10, number_key(1, room), bytes_of(NULL, 0), &done, &error),
                     SQLSTATE_UNDEFINED_TABLE);
    transaction_rollback(other);
    commit(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_int_eq(table_create(t, 10, TABLE_ROW, &error), SQLSTATE_DUPLICATE_TABLE);
    ck_assert_str_eq(get(t, scope, 10, 1), "in a table of this transaction");
    must(table_drop(t, 12, &error), &error);
    must(table_create(t, 13, TABLE_ROW, &error), &error);
    transaction_rollback(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(insert(t, 12, 5, "still here"));
    ck_assert_int_eq(row_insert(t, 13, number_key(1, room), bytes_of(NULL, 0), &done, &error),
                     SQLSTATE_UNDEFINED_TABLE);
    commit(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    must(table_drop(t, 12, &error), &error);
    commit(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_int_eq(row_insert(t, 12, number_key(1, room), bytes_of(NULL, 0), &done, &error),
                     SQLSTATE_UNDEFINED_TABLE);
    transaction_rollback(t);
}

/* A table that is made and filled behind a savepoint goes with it, before the end of its transaction. */
static void tables_go_with_a_savepoint(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    uint8_t room[8];
    bool done;
    for (int i = 0; i < 2; i++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        ck_assert(insert(t, 10, 10 + (uint64_t)i, "beside"));
        uint64_t savepoint = transaction_savepoint(t);
        must(table_create(t, 20, TABLE_ROW, &error), &error);
        ck_assert(insert(t, 20, 1, "behind the savepoint"));
        must(transaction_rollback_to(t, savepoint, &error), &error);
        ck_assert_int_eq(row_insert(t, 20, number_key(1, room), bytes_of(NULL, 0), &done, &error),
                         SQLSTATE_UNDEFINED_TABLE);
        if (i)
            transaction_rollback(t);
        else
            commit(t);
    }
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_str_eq(get(t, scope, 10, 10), "beside");
    transaction_rollback(t);
}

static void tables_after(struct stage *stage, struct world *world, struct scope *scope)
{
    uint8_t room[8];
    bool done;
    struct error error;
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_str_eq(get(t, scope, 10, 1), "in a table of this transaction");
    ck_assert_str_eq(get(t, scope, 11, 1), "");
    ck_assert_int_eq(row_insert(t, 12, number_key(1, room), bytes_of(NULL, 0), &done, &error),
                     SQLSTATE_UNDEFINED_TABLE);
    transaction_rollback(t);
    verify(stage, world);
}

START_TEST(tables_are_made_and_dropped_in_transactions)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, tables_come_and_go, true);
        play(&stage, tables_go_with_a_savepoint, true);
        play(&stage, tables_after, false);
        play(&stage, tables_after, true);
        play(&stage, tables_after, false);
        stage_close(&stage);
    }
}
END_TEST

/* Many rows with a cache and a history far too small for them, checkpoints in between. */
#define MANY 20000

static void many_rows(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    create(stage, world, scope, 1, TABLE_ROW);
    char row[200];
    for (uint64_t i = 0; i < MANY;) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        for (int n = 0; n < 500; n++, i++) {
            snprintf(row, sizeof row, "%0*llu", (int)(i % 150) + 10, (unsigned long long)i);
            ck_assert(insert(t, 1, i * 7919 % 1000003, row));
        }
        commit(t);
        if (i % 5000 == 0)
            must(engine_checkpoint(world, stage->engine, &error), &error);
    }
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < MANY; i += 3)
        ck_assert(delete_row(t, 1, i * 7919 % 1000003));
    commit(t);
}

static void many_rows_after(struct stage *stage, struct world *world, struct scope *scope)
{
    char row[200];
    struct transaction *t = begin(stage, world, scope, REPEATABLE_READ);
    for (uint64_t i = 0; i < MANY; i++) {
        struct scope *inner = scope_open(scope, "one");
        snprintf(row, sizeof row, "%0*llu", (int)(i % 150) + 10, (unsigned long long)i);
        ck_assert_str_eq(get(t, inner, 1, i * 7919 % 1000003), i % 3 ? row : "");
        scope_close(inner);
    }
    ck_assert_uint_eq(count(t, 1, false), MANY - (MANY + 2) / 3);
    ck_assert_uint_eq(count(t, 1, true), MANY - (MANY + 2) / 3);
    commit(t);
    verify(stage, world);
}

START_TEST(more_rows_than_memory_survive_crash_and_close)
{
    for (uint32_t cores = 1; cores <= 2; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        stage.options.memory_bytes = 4 << 20;
        play(&stage, many_rows, true);
        play(&stage, many_rows_after, true);
        play(&stage, many_rows_after, false);
        play(&stage, many_rows_after, false);
        stage_close(&stage);
    }
}
END_TEST

/* ---- the archive ---- */

struct archive {
    uint64_t offered, refused, taken;
    uint64_t next; /* position of the segment that must come next */
};

/* Refuses each segment at its first offer. */
static enum sqlstate take_segment(void *argument, const char *path, uint64_t first_position,
                                  struct error *error)
{
    struct archive *archive = argument;
    ck_assert_ptr_nonnull(strstr(path, "/log/"));
    ck_assert_uint_eq(first_position, archive->next);
    if (archive->offered++ % 2 == 0) {
        archive->refused++;
        return error_set(error, SQLSTATE_IO_ERROR, "the archive is not there");
    }
    archive->taken++;
    archive->next += 1 << 20;
    return SQLSTATE_OK;
}

static void fill_segments(struct stage *stage, struct world *world, struct scope *scope)
{
    struct archive *archive = stage->options.archive_argument;
    struct error error;
    (void)scope;
    for (uint64_t i = 0; archive->taken < 3; i++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        char row[200];
        memset(row, 'a', sizeof row - 1);
        row[sizeof row - 1] = '\0';
        if (i == 0)
            must(table_create(t, 1, TABLE_ROW, &error), &error);
        for (uint64_t n = 0; n < 500; n++)
            ck_assert(insert(t, 1, i * 500 + n, row));
        commit(t);
        ck_assert_uint_lt(i, 1000);
        /* What the archive refuses stays, and the checkpoint says so. */
        enum sqlstate failed = engine_checkpoint(world, stage->engine, &error);
        ck_assert(!failed || failed == SQLSTATE_IO_ERROR);
    }
}

START_TEST(full_segments_of_the_log_are_offered_to_the_archive_in_order_until_it_takes_them)
{
    struct stage stage;
    struct archive archive = {0};
    stage_open(&stage, 2);
    stage.options.segment_bytes = 1 << 20;
    stage.options.archive = take_segment;
    stage.options.archive_argument = &archive;
    play(&stage, fill_segments, false);
    ck_assert_uint_ge(archive.refused, archive.taken);
    stage_close(&stage);
}
END_TEST

/* ---- one transaction larger than memory ---- */

#define LARGE_ROWS 60000

/* Rows of some 100 bytes: 60,000 of them are several times what the histories may take. */
static void large_text(uint64_t i, const char *what, char row[160])
{
    snprintf(row, 160, "%s %0100llu", what, (unsigned long long)i);
}

static void write_large(struct transaction *t, uint64_t from, uint64_t to, uint64_t step, const char *what,
                        bool new)
{
    char row[160];
    for (uint64_t i = from; i < to; i += step) {
        large_text(i, what, row);
        ck_assert(new ? insert(t, 1, i, row) : update(t, 1, i, row));
        if (i % 1000 == 0)
            transaction_statement(t);
    }
}

/* Every row must be what `what_of` says; NULL: not there. */
static void check_large(struct transaction *t, struct scope *scope, const char *(*what_of)(uint64_t i))
{
    char row[160];
    uint64_t rows = 0;
    for (uint64_t i = 0; i < LARGE_ROWS; i++) {
        rows += what_of(i) != NULL;
        if (i % 37)
            continue;
        struct scope *inner = scope_open(scope, "one");
        large_text(i, what_of(i) ? what_of(i) : "", row);
        ck_assert_str_eq(get(t, inner, 1, i), what_of(i) ? row : "");
        scope_close(inner);
    }
    ck_assert_uint_eq(count(t, 1, false), rows);
    ck_assert_uint_eq(count(t, 1, true), rows);
}

static const char *nothing(uint64_t i)
{
    (void)i;
    return NULL;
}

static const char *loaded(uint64_t i)
{
    return i < LARGE_ROWS / 2 ? "first" : NULL;
}

static const char *changed(uint64_t i)
{
    return i % 3 == 0 ? "second" : i % 3 == 1 && i < LARGE_ROWS / 2 ? NULL : loaded(i);
}

static bool no_row(void *argument, const struct store_row *row)
{
    (void)argument;
    (void)row;
    return true;
}

/* Inserts half of the rows, then takes more and more back. */
static void large_insert(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    create(stage, world, scope, 1, TABLE_ROW);
    struct transaction *old = begin(stage, world, scope, REPEATABLE_READ);
    check_large(old, scope, nothing);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    write_large(t, 0, LARGE_ROWS, 1, "gone", true);
    transaction_rollback(t);
    t = begin(stage, world, scope, READ_COMMITTED);
    check_large(t, scope, nothing);
    write_large(t, 0, LARGE_ROWS / 2, 1, "first", true);
    uint64_t savepoint = transaction_savepoint(t);
    write_large(t, LARGE_ROWS / 2, LARGE_ROWS, 1, "taken back", true);
    write_large(t, 0, LARGE_ROWS, 5, "taken back, too", false);
    must(transaction_rollback_to(t, savepoint, &error), &error);
    check_large(t, scope, loaded);
    write_large(t, LARGE_ROWS / 2, LARGE_ROWS, 2, "taken back again", true);
    must(transaction_rollback_to(t, savepoint, &error), &error);
    check_large(t, scope, loaded);
    check_large(old, scope, nothing);
    commit(t);
    check_large(old, scope, nothing);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    check_large(old, scope, nothing);
    commit(old);
    t = begin(stage, world, scope, SERIALIZABLE);
    check_large(t, scope, loaded);
    commit(t);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    t = begin(stage, world, scope, READ_COMMITTED);
    check_large(t, scope, loaded);
    commit(t);
}

/* Updates, deletes and inserts over those, beside another writer and a reader from before; ends with the crash. */
static void large_update(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct transaction *old = begin(stage, world, scope, REPEATABLE_READ);
    check_large(old, scope, loaded);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < LARGE_ROWS; i += 3) {
        char row[160];
        large_text(i, "second", row);
        ck_assert(i < LARGE_ROWS / 2 ? update(t, 1, i, row) : insert(t, 1, i, row));
        if (i + 1 < LARGE_ROWS / 2)
            ck_assert(delete_row(t, 1, i + 1));
        if (i % 3000 == 0)
            transaction_statement(t);
    }
    struct transaction *other = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 2; i < 3000; i += 3)
        ck_assert(update(other, 1, i, "third"));
    transaction_rollback(other);
    check_large(t, scope, changed);
    commit(t);
    check_large(old, scope, loaded);
    /* Over what has just been committed, and is not folded, for `old` still needs what was before. */
    for (uint64_t i = 0; i < 3000; i += 3) {
        other = begin(stage, world, scope, REPEATABLE_READ);
        ck_assert(update(other, 1, i, "over it"));
        char row[160];
        large_text(i, "second", row);
        ck_assert(update(other, 1, i, row));
        commit(other);
    }
    must(engine_checkpoint(world, stage->engine, &error), &error);
    check_large(old, scope, loaded);
    commit(old);
}

static void large_after(struct stage *stage, struct world *world, struct scope *scope)
{
    struct transaction *t = begin(stage, world, scope, REPEATABLE_READ);
    check_large(t, scope, changed);
    commit(t);
    verify(stage, world);
}

/* Locks of rows that have left memory: all are there, few are in memory. */
static void large_locks(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct engine_figures figures;
    uint8_t room[8];
    struct bytes row;
    bool found, done;
    enum lock_outcome outcome;
    create(stage, world, scope, 1, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    write_large(t, 0, LARGE_ROWS / 2, 1, "first", true);
    uint64_t savepoint = transaction_savepoint(t);
    write_large(t, 0, LARGE_ROWS / 2, 1, "second", false);
    engine_figures(world, stage->engine, &figures);
    ck_assert_uint_lt(figures.locks, LARGE_ROWS / 5);
    struct transaction *other = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < LARGE_ROWS / 2; i += 97) {
        must(row_lock(other, scope, 1, number_key(i, room), LOCK_KEY_SHARE, LOCK_SKIP, &row, &found, &outcome,
                      &error),
             &error);
        ck_assert_int_eq(outcome, LOCK_SKIPPED);
    }
    ck_assert_int_eq(row_lock(other, scope, 1, number_key(5, room), LOCK_UPDATE, LOCK_NOWAIT, &row, &found,
                              &outcome, &error),
                     SQLSTATE_LOCK_NOT_AVAILABLE);
    transaction_rollback(other);
    /* What the savepoint takes back stays locked, for the rows were written before it, too. */
    must(transaction_rollback_to(t, savepoint, &error), &error);
    check_large(t, scope, loaded);
    other = begin(stage, world, scope, READ_COMMITTED);
    must(row_lock(other, scope, 1, number_key(77, room), LOCK_SHARE, LOCK_SKIP, &row, &found, &outcome,
                  &error),
         &error);
    ck_assert_int_eq(outcome, LOCK_SKIPPED);
    /* A serializable scan of a gap waits for nobody; one over the rows does. */
    transaction_rollback(other);
    struct store_sink sink = {.take = no_row, .argument = NULL};
    const struct transaction_options options = {.isolation = SERIALIZABLE,
                                                .lock_timeout_ns = 50 * SIM_MILLISECOND};
    uint8_t low[8], high[8];
    must(transaction_begin(world, stage->engine, scope, &options, &other, &error), &error);
    must(row_scan(
             other,
             &(struct row_scan){.table = 1, .range = {.from = number_key(LARGE_ROWS, low), .to_open = true}},
             &sink, &error),
         &error);
    ck_assert_int_eq(
        row_scan(other,
                 &(struct row_scan){.table = 1,
                                    .range = {.from = number_key(4000, low), .to = number_key(4001, high)}},
                 &sink, &error),
        SQLSTATE_LOCK_NOT_AVAILABLE);
    transaction_rollback(other);
    commit(t);
    other = begin(stage, world, scope, SERIALIZABLE);
    ck_assert(update(other, 1, 4000, "free now"));
    must(row_delete(other, 1, number_key(77, room), &done, &error), &error);
    ck_assert(done);
    transaction_rollback(other);
    engine_figures(world, stage->engine, &figures);
    ck_assert_uint_eq(figures.locks, 0);
    verify(stage, world);
}

START_TEST(locks_of_rows_that_have_left_memory_still_hold)
{
    for (uint32_t cores = 1; cores <= 2; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        stage.options.memory_bytes = 4 << 20;
        play(&stage, large_locks, false);
        stage_close(&stage);
    }
}
END_TEST

/* Rows inserted where none was: there is no lock of them in memory, and yet they are locked. */
static enum lock_outcome try_lock(struct transaction *t, struct scope *scope, uint64_t number)
{
    uint8_t room[8];
    struct bytes row;
    bool found;
    enum lock_outcome outcome;
    struct error error;
    must(row_lock(t, scope, 1, number_key(number, room), LOCK_KEY_SHARE, LOCK_SKIP, &row, &found, &outcome,
                  &error),
         &error);
    return outcome;
}

static enum sqlstate scan_locked(struct transaction *t, uint64_t from, uint64_t to)
{
    struct error error;
    uint8_t low[8], high[8];
    struct store_sink sink = {.take = no_row, .argument = NULL};
    const struct row_scan scan = {.table = 1,
                                  .range = {.from = number_key(from, low), .to = number_key(to, high)}};
    return row_scan(t, &scan, &sink, &error);
}

static void bare_inserts(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct engine_figures figures;
    struct transaction *other;
    const struct transaction_options brief = {.isolation = READ_COMMITTED,
                                              .lock_timeout_ns = 50 * SIM_MILLISECOND};
    const struct transaction_options serializable = {.isolation = SERIALIZABLE,
                                                     .lock_timeout_ns = 50 * SIM_MILLISECOND};
    uint8_t room[8];
    bool done;
    create(stage, world, scope, 1, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 100; i < 200; i++)
        ck_assert(insert(t, 1, i, "one"));
    uint64_t savepoint = transaction_savepoint(t);
    for (uint64_t i = 200; i < 10000; i++)
        ck_assert(insert(t, 1, i, "two"));
    engine_figures(world, stage->engine, &figures);
    ck_assert_uint_lt(figures.locks, 10);
    other = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_int_eq(try_lock(other, scope, 99), LOCK_GRANTED);
    ck_assert_int_eq(try_lock(other, scope, 100), LOCK_SKIPPED);
    ck_assert_int_eq(try_lock(other, scope, 9999), LOCK_SKIPPED);
    transaction_rollback(other);
    must(transaction_begin(world, stage->engine, scope, &brief, &other, &error), &error);
    ck_assert_int_eq(row_insert(other, 1, number_key(101, room), number_key(1, room), &done, &error),
                     SQLSTATE_LOCK_NOT_AVAILABLE);
    transaction_rollback(other);
    /* A serializable scan of a gap waits for nobody, one over some of the rows or over very many does; and who would insert
     * where it has been waits for it. */
    must(transaction_begin(world, stage->engine, scope, &serializable, &other, &error), &error);
    must(scan_locked(other, 1, 100), &error);
    ck_assert_int_eq(scan_locked(other, 150, 160), SQLSTATE_LOCK_NOT_AVAILABLE);
    transaction_rollback(other);
    must(transaction_begin(world, stage->engine, scope, &serializable, &other, &error), &error);
    ck_assert_int_eq(scan_locked(other, 0, 20000), SQLSTATE_LOCK_NOT_AVAILABLE);
    transaction_rollback(other);
    /* What is taken back is free, what was inserted before the savepoint is not. */
    must(transaction_rollback_to(t, savepoint, &error), &error);
    other = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(insert(other, 1, 5000, "another's"));
    ck_assert_int_eq(try_lock(other, scope, 150), LOCK_SKIPPED);
    ck_assert_int_eq(try_lock(t, scope, 5000), LOCK_SKIPPED);
    commit(t);
    ck_assert_int_eq(try_lock(other, scope, 150), LOCK_GRANTED);
    ck_assert(!insert(other, 1, 151, "again"));
    transaction_rollback(other);
    t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(insert(t, 1, 5000, "free"));
    ck_assert(delete_row(t, 1, 5000));
    ck_assert(insert(t, 1, 5000, "once more"));
    ck_assert_uint_eq(count(t, 1, false), 101);
    commit(t);
    engine_figures(world, stage->engine, &figures);
    ck_assert_uint_eq(figures.locks, 0);
    verify(stage, world);
}

START_TEST(rows_inserted_where_none_was_are_locked_without_a_lock_in_memory)
{
    for (uint32_t cores = 1; cores <= 2; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, bare_inserts, false);
        stage_close(&stage);
    }
}
END_TEST

START_TEST(one_transaction_may_be_larger_than_memory)
{
    for (uint32_t cores = 1; cores <= 2; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        stage.options.memory_bytes = 4 << 20;
        play(&stage, large_insert, true);
        play(&stage, large_update, true);
        play(&stage, large_after, false);
        play(&stage, large_after, true);
        play(&stage, large_after, false);
        stage_close(&stage);
    }
}
END_TEST

struct numbers {
    uint64_t next, end;
    uint8_t key[8];
    char row[64];
};

static enum sqlstate next_number(void *argument, struct bytes *key, struct bytes *row, bool *end,
                                 struct error *error)
{
    struct numbers *numbers = argument;
    (void)error;
    *end = numbers->next == numbers->end;
    *key = number_key(numbers->next, numbers->key);
    *row = bytes_of(numbers->row, (size_t)snprintf(numbers->row, sizeof numbers->row, "row %llu",
                                                   (unsigned long long)numbers->next));
    numbers->next++;
    return SQLSTATE_OK;
}

static void load(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    for (uint64_t table = 1; table <= 3; table++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        struct numbers numbers = {.end = 30000};
        struct store_source source = {.next = next_number, .argument = &numbers};
        must(table_create(t, table, TABLE_ROW, &error), &error);
        must(table_load(t, table, &source, &error), &error);
        ck_assert_uint_eq(count(t, table, false), 30000);
        if (table == 2)
            transaction_rollback(t);
        else
            commit(t);
    }
    /* And one that the crash interrupts. */
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    struct numbers numbers = {.end = 30000};
    struct store_source source = {.next = next_number, .argument = &numbers};
    must(table_create(t, 4, TABLE_ROW, &error), &error);
    must(table_load(t, 4, &source, &error), &error);
    if (!stage->crash)
        transaction_rollback(t);
}

static void load_after(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_uint_eq(count(t, 1, false), 30000);
    ck_assert_uint_eq(count(t, 3, true), 30000);
    ck_assert_str_eq(get(t, scope, 1, 29999), "row 29999");
    ck_assert(update(t, 1, 7, "changed"));
    must(table_create(t, 2, TABLE_ROW, &error), &error);
    transaction_rollback(t);
    verify(stage, world);
}

START_TEST(a_table_loaded_in_bulk_is_there_after_its_commit_and_only_then)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, load, true);
        play(&stage, load_after, true);
        play(&stage, load_after, false);
        stage_close(&stage);
    }
}
END_TEST

static void large_row(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    uint8_t room[8];
    bool done;
    create(stage, world, scope, 1, TABLE_ROW);
    for (uint64_t i = 1; i <= 3; i++) {
        size_t size = i * 1500000;
        uint8_t *row = malloc(size);
        memset(row, (int)i, size);
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        must(row_insert(t, 1, number_key(i, room), bytes_of(row, size), &done, &error), &error);
        free(row);
        commit(t);
    }
    must(engine_checkpoint(world, stage->engine, &error), &error);
    struct transaction *old = begin(stage, world, scope, REPEATABLE_READ);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(update(t, 1, 1, "small now"));
    ck_assert(delete_row(t, 1, 2));
    commit(t);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    ck_assert_uint_eq(strlen(get(old, scope, 1, 2)), 3000000);
    ck_assert_uint_eq(count(old, 1, false), 3);
    commit(old);
}

static void large_row_after(struct stage *stage, struct world *world, struct scope *scope)
{
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert_str_eq(get(t, scope, 1, 1), "small now");
    ck_assert_str_eq(get(t, scope, 1, 2), "");
    ck_assert_uint_eq(strlen(get(t, scope, 1, 3)), 4500000);
    ck_assert_uint_eq(count(t, 1, true), 2);
    commit(t);
    verify(stage, world);
}

START_TEST(rows_larger_than_pages_and_records_come_back_whole)
{
    for (uint32_t cores = 1; cores <= 2; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, large_row, true);
        play(&stage, large_row_after, true);
        play(&stage, large_row_after, false);
        stage_close(&stage);
    }
}
END_TEST

/* ---- a log larger than what recovery keeps of it ---- */

#define LONG_ROUNDS 20
#define LONG_BYTES  600000
#define SHORT_ROWS  300

static void put_long(struct transaction *t, uint64_t table, uint64_t number, int content)
{
    struct error error;
    uint8_t room[8];
    bool done;
    uint8_t *row = malloc(LONG_BYTES);
    memset(row, content, LONG_BYTES);
    must(row_insert(t, table, number_key(number, room), bytes_of(row, LONG_BYTES), &done, &error), &error);
    ck_assert(done);
    free(row);
}

/* The log gets ten times what recovery keeps in memory, with long rows everywhere, so that one lies across the limit. */
static void long_log(struct stage *stage, struct world *world, struct scope *scope)
{
    create(stage, world, scope, 1, TABLE_ROW);
    create(stage, world, scope, 2, TABLE_ROW);
    for (uint64_t i = 0; i < LONG_ROUNDS; i++) {
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        char row[40];
        put_long(t, 1 + i % 2, i, 'a' + (int)i);
        for (uint64_t n = 1000; n < 1000 + SHORT_ROWS; n++) {
            snprintf(row, sizeof row, "%llu of round %llu", (unsigned long long)n, (unsigned long long)i);
            ck_assert(i ? update(t, 1 + n % 2, n, row) : insert(t, 1 + n % 2, n, row));
        }
        if (i % 3 == 2)
            ck_assert(delete_row(t, 1 + (i - 1) % 2, i - 1));
        commit(t);
    }
}

static void long_log_after(struct stage *stage, struct world *world, struct scope *scope)
{
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    char row[40];
    for (uint64_t i = 0; i < LONG_ROUNDS; i++) {
        const char *found = get(t, scope, 1 + i % 2, i);
        bool deleted = i % 3 == 1 && i + 1 < LONG_ROUNDS;
        ck_assert_uint_eq(strlen(found), deleted ? 0 : LONG_BYTES);
        ck_assert(deleted || (found[0] == 'a' + (int)i && found[LONG_BYTES - 1] == 'a' + (int)i));
    }
    for (uint64_t n = 1000; n < 1000 + SHORT_ROWS; n++) {
        snprintf(row, sizeof row, "%llu of round %d", (unsigned long long)n, LONG_ROUNDS - 1);
        ck_assert_str_eq(get(t, scope, 1 + n % 2, n), row);
    }
    commit(t);
    verify(stage, world);
}

START_TEST(a_log_larger_than_what_recovery_keeps_of_it_comes_back_whole)
{
    for (uint32_t cores = 1; cores <= 2; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        stage.options.memory_bytes = 6 << 20;
        stage.options.checkpoint_log_bytes = 1 << 30;
        play(&stage, long_log, true);
        play(&stage, long_log_after, true);
        play(&stage, long_log_after, false);
        stage_close(&stage);
    }
}
END_TEST

/* ---- waiting ---- */

struct rival {
    struct stage *stage;
    struct world *world;
    struct scope *scope;
    bool done;
    struct error error;
    enum sqlstate failed;
};

static void run_rival(void *argument)
{
    struct rival *rival = argument;
    struct transaction *t = begin(rival->stage, rival->world, rival->scope, READ_COMMITTED);
    ck_assert(update(t, 2, 1, "rival"));
    uint8_t room[8];
    bool done;
    rival->failed = row_update(t, 1, number_key(1, room), bytes_of_text("rival"), &done, &rival->error);
    if (rival->failed)
        transaction_rollback(t);
    else
        commit(t);
    rival->done = true;
}

static void rivals(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    for (uint64_t table = 1; table <= 2; table++) {
        create(stage, world, scope, table, TABLE_ROW);
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        ck_assert(insert(t, table, 1, "first"));
        commit(t);
    }
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    ck_assert(update(t, 1, 1, "mine"));
    struct rival rival = {.stage = stage, .world = world, .scope = scope};
    must(fiber_start(world->scheduler, scope, "rival", run_rival, &rival, NULL, &error), &error);
    (void)!fiber_sleep_until(world->scheduler, world->now_ns + 100 * SIM_MILLISECOND);
    ck_assert(!rival.done);
    uint64_t before = world->now_ns;
    uint8_t room[8];
    bool done;
    enum sqlstate failed = row_update(t, 2, number_key(1, room), bytes_of_text("mine"), &done, &error);
    ck_assert_uint_lt(world->now_ns - before, 50 * SIM_MILLISECOND);
    if (failed)
        transaction_rollback(t);
    else
        commit(t);
    while (!rival.done)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    ck_assert_int_eq(failed ? failed : rival.failed, SQLSTATE_DEADLOCK_DETECTED);
    ck_assert(!failed || !rival.failed);
    t = begin(stage, world, scope, READ_COMMITTED);
    const char *winner = failed ? "rival" : "mine";
    ck_assert_str_eq(get(t, scope, 1, 1), winner);
    ck_assert_str_eq(get(t, scope, 2, 1), winner);
    commit(t);
}

START_TEST(a_deadlock_over_cores_ends_within_50_ms_with_one_victim)
{
    for (uint32_t cores = 1; cores <= 3; cores++) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, rivals, false);
        stage_close(&stage);
    }
}
END_TEST

/* ---- shards that change places ---- */

#define ACCOUNTS 400
#define TELLERS  6

struct teller {
    struct stage *stage;
    struct world *world;
    struct scope *scope;
    uint64_t random;
    bool *stop;
    uint32_t *left;
    uint64_t transfers;
};

static uint64_t balance(struct transaction *t, struct scope *scope, uint64_t account, bool *failed)
{
    uint8_t room[8];
    struct error error;
    struct bytes row;
    bool found;
    enum lock_outcome outcome;
    uint64_t value = 0;
    enum sqlstate state = row_lock(t, scope, 1, number_key(account, room), LOCK_NO_KEY_UPDATE, LOCK_WAIT,
                                   &row, &found, &outcome, &error);
    *failed = state == SQLSTATE_DEADLOCK_DETECTED;
    if (*failed)
        return 0;
    must(state, &error);
    ck_assert(found && row.size == 8);
    memcpy(&value, row.data, 8);
    return value;
}

static void set_balance(struct transaction *t, uint64_t account, uint64_t value)
{
    uint8_t room[8];
    struct error error;
    bool done;
    must(row_update(t, 1, number_key(account, room), bytes_of(&value, 8), &done, &error), &error);
    ck_assert(done);
}

/* Moves money between two accounts; 40P01 is the only failure there may be. */
static void transfer(struct teller *teller)
{
    struct scope *scope = scope_open(teller->scope, "transfer");
    struct transaction *t = begin(teller->stage, teller->world, scope, READ_COMMITTED);
    uint64_t from = unit_random_below(&teller->random, ACCOUNTS),
             to = unit_random_below(&teller->random, ACCOUNTS);
    bool failed = false;
    uint64_t have = balance(t, scope, from, &failed), other = 0;
    if (!failed && from != to)
        other = balance(t, scope, to, &failed);
    if (failed || from == to) {
        transaction_rollback(t);
    } else {
        uint64_t amount = have ? 1 + unit_random_below(&teller->random, have) : 0;
        set_balance(t, from, have - amount);
        set_balance(t, to, other + amount);
        commit(t);
        teller->transfers++;
    }
    scope_close(scope);
}

static void run_teller(void *argument)
{
    struct teller *teller = argument;
    while (!*teller->stop)
        transfer(teller);
    --*teller->left;
}

static bool add_balance(void *argument, const struct store_row *row)
{
    uint64_t value, *sum = argument;
    memcpy(&value, row->row.data, 8);
    sum[0] += value;
    sum[1]++;
    return true;
}

static void check_sum(struct stage *stage, struct world *world, struct scope *outer)
{
    struct error error;
    struct scope *scope = scope_open(outer, "sum");
    struct transaction *t = begin(stage, world, scope, REPEATABLE_READ);
    uint64_t sum[2] = {0};
    must(row_scan(t, &(struct row_scan){.table = 1, .range = {.to_open = true}},
                  &(struct store_sink){.take = add_balance, .argument = sum}, &error),
         &error);
    ck_assert_uint_eq(sum[1], ACCOUNTS);
    ck_assert_uint_eq(sum[0], ACCOUNTS * 100);
    commit(t);
    scope_close(scope);
}

struct shard_list {
    struct shard_view view[16];
    size_t count;
};

static void list_shard(void *argument, const struct shard_view *shard)
{
    struct shard_list *list = argument;
    ck_assert_uint_lt(list->count, 16);
    list->view[list->count++] = *shard;
}

static void shards_wander(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    uint64_t random = unit_seed();
    create(stage, world, scope, 1, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        uint8_t room[8];
        bool done;
        uint64_t value = 100;
        must(row_insert(t, 1, number_key(i, room), bytes_of(&value, 8), &done, &error), &error);
    }
    commit(t);
    bool stop = false;
    uint32_t left = TELLERS;
    struct teller tellers[TELLERS];
    for (int i = 0; i < TELLERS; i++) {
        tellers[i] = (struct teller){stage, world, scope, random + (uint64_t)i, &stop, &left, 0};
        must(fiber_start(world->scheduler, scope, "teller", run_teller, &tellers[i], NULL, &error), &error);
    }
    uint32_t moved = 0, split = 0;
    for (int round = 0; round < 12; round++) {
        struct shard_list list = {0};
        must(shard_each(world, stage->engine, 1, list_shard, &list, &error), &error);
        const struct shard_view *one = &list.view[unit_random_below(&random, list.count)];
        uint8_t room[8];
        enum sqlstate failed;
        bool splits = list.count < 8 && round % 2;
        if (splits)
            failed = shard_split(world, stage->engine, one->shard,
                                 number_key(unit_random_below(&random, ACCOUNTS), room), &error);
        else
            failed = shard_move(world, stage->engine, one->shard,
                                (uint32_t)unit_random_below(&random, world->cores), &error);
        ck_assert_msg(!failed || failed == SQLSTATE_INVALID_PARAMETER_VALUE ||
                          failed == SQLSTATE_OBJECT_IN_USE,
                      "%s", error_text(&error, ERROR_MESSAGE));
        moved += !splits && !failed;
        split += splits && !failed;
        check_sum(stage, world, scope);
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + 20 * SIM_MILLISECOND);
    }
    stop = true;
    while (left)
        (void)!fiber_sleep_until(world->scheduler, world->now_ns + SIM_MILLISECOND);
    ck_assert_uint_gt(moved, 0);
    ck_assert_uint_gt(split, 0);
    check_sum(stage, world, scope);
    verify(stage, world);
}

static void shards_after(struct stage *stage, struct world *world, struct scope *scope)
{
    struct shard_list list = {0};
    struct error error;
    must(shard_each(world, stage->engine, 1, list_shard, &list, &error), &error);
    ck_assert_uint_gt(list.count, 1);
    check_sum(stage, world, scope);
    verify(stage, world);
}

START_TEST(shards_are_moved_and_split_while_money_moves_through_them)
{
    for (uint32_t cores = 1; cores <= 3; cores += 2) {
        struct stage stage;
        stage_open(&stage, cores);
        play(&stage, shards_wander, true);
        play(&stage, shards_after, true);
        play(&stage, shards_after, false);
        stage_close(&stage);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("engine");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, rows_come_and_go_and_stay_over_crashes_and_restarts_on_one_core);
    tcase_add_test(tests, rows_come_and_go_and_stay_over_crashes_and_restarts_on_three_cores);
    tcase_add_test(tests, what_a_savepoint_took_back_stays_away_after_a_crash);
    tcase_add_test(tests, tables_are_made_and_dropped_in_transactions);
    tcase_add_test(tests, more_rows_than_memory_survive_crash_and_close);
    tcase_add_test(tests, full_segments_of_the_log_are_offered_to_the_archive_in_order_until_it_takes_them);
    tcase_add_test(tests, one_transaction_may_be_larger_than_memory);
    tcase_add_test(tests, locks_of_rows_that_have_left_memory_still_hold);
    tcase_add_test(tests, rows_inserted_where_none_was_are_locked_without_a_lock_in_memory);
    tcase_add_test(tests, a_table_loaded_in_bulk_is_there_after_its_commit_and_only_then);
    tcase_add_test(tests, rows_larger_than_pages_and_records_come_back_whole);
    tcase_add_test(tests, a_log_larger_than_what_recovery_keeps_of_it_comes_back_whole);
    tcase_add_test(tests, a_deadlock_over_cores_ends_within_50_ms_with_one_victim);
    tcase_add_test(tests, shards_are_moved_and_split_while_money_moves_through_them);
    return unit_run(tests);
}
