/* Rows put aside in temporary files (sqlfront/run/spill.h) and lists of rows that go on there (row_list.h), in the simulator:
 * what comes back, what is left behind, and what happens when the disk is full, the limit is reached, a block is damaged. */
#include "sqlfront/library/library.h"
#include "sqlfront/run/row_list.h"
#include "test/sim/stage.h"

#include <string.h>

#define GRANT (64 * 1024)

static const struct type *const *row_types(void)
{
    static const struct type *types[4];
    types[0] = type_builtin(TYPE_INT8);
    types[1] = type_builtin(TYPE_NUMERIC);
    types[2] = type_builtin(TYPE_TEXT);
    types[3] = type_builtin(TYPE_FLOAT8);
    return types;
}

/* Row number i: nulls, small numbers, empty texts, and here and there a text of many blocks. */
static void row_make(struct scope *scope, uint64_t i, struct value *values)
{
    size_t size = i % 500 == 7 ? 50000 : i % 90;
    uint8_t *text = scope_alloc(scope, size + 1);
    memset(text, (int)('a' + i % 26), size);
    values[0] = i % 11 == 3 ? value_null() : value_integer((int64_t)i - 5);
    values[1] = i % 7 == 2 ? value_null() : value_small_numeric((int64_t)(i * i) - 50, (int)(i % 5));
    values[2] = i % 5 == 4 ? value_null() : value_bytes(text, size);
    values[3] = value_float((double)i / 8);
}

static bool same(const struct value *a, const struct value *b, bool bytes)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (bytes)
        return a->size == b->size && memcmp(a->p, b->p, a->size) == 0;
    return a->i == b->i && a->scale == b->scale && a->small == b->small;
}

static void row_check(struct scope *scope, uint64_t i, const struct value *values)
{
    struct value wanted[4];
    row_make(scope, i, wanted);
    for (int c = 0; c < 4; c++)
        ck_assert_msg(same(&wanted[c], &values[c], c == 2), "row %llu, column %d", (unsigned long long)i, c);
}

static struct spill *open_in(struct world *world, struct scope *scope, struct spill_account *account)
{
    struct error error = {0};
    struct spill *spill;
    const struct spill_options options = {.directory = "", .account = account, .grant = GRANT};
    must(spill_open(world, scope, &options, &spill, &error), &error);
    return spill;
}

static enum sqlstate write_rows(struct spill_run *run, struct scope *scope, uint64_t from, uint64_t to,
                                struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint64_t i = from; i < to && !failed; i++) {
        struct value values[4];
        struct scope *row = scope_open(scope, "row");
        row_make(row, i, values);
        failed = spill_run_add(run, values, i * 3, error);
        scope_close(row);
    }
    return failed;
}

static void read_rows(struct spill_run *run, struct scope *scope, uint64_t from, uint64_t to)
{
    struct error error = {0};
    struct spill_reader *reader;
    must(spill_reader_open(run, scope, &reader, &error), &error);
    for (uint64_t i = from; i <= to; i++) {
        struct value values[4];
        uint64_t mark;
        bool found;
        struct scope *row = scope_open(scope, "row");
        must(spill_reader_next(reader, row, values, &mark, &found, &error), &error);
        ck_assert_int_eq(found, i < to);
        if (found) {
            ck_assert_uint_eq(mark, i * 3);
            row_check(row, i, values);
        }
        scope_close(row);
    }
}

static void act_runs(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {0};
    struct scope *scope = scope_open(world->scope, "test");
    struct spill *spill = open_in(world, scope, &account);
    struct spill_run *run[3];
    for (int r = 0; r < 3; r++)
        run[r] = spill_run_open(spill, scope, 4, row_types());
    /* In turns, so that their blocks lie between each other's. */
    for (uint64_t i = 0; i < 2000; i += 50)
        for (int r = 0; r < 2; r++)
            must(write_rows(run[r], scope, i + 10000UL * (uint64_t)r, i + 50 + 10000UL * (uint64_t)r, &error),
                 &error);
    for (int r = 0; r < 3; r++)
        must(spill_run_end(run[r], &error), &error);
    ck_assert_uint_eq(spill_run_rows(run[0]), 2000);
    ck_assert_uint_gt(spill_run_memory(run[0]), 2000 * 4 * sizeof(struct value));
    for (int twice = 0; twice < 2; twice++) {
        read_rows(run[0], scope, 0, 2000);
        read_rows(run[1], scope, 10000, 12000);
    }
    read_rows(run[2], scope, 0, 0);
    /* Blocks of a run that was dropped serve the next one. */
    uint64_t used = account.used;
    ck_assert_uint_gt(used, 0);
    spill_run_drop(run[0]);
    run[0] = spill_run_open(spill, scope, 4, row_types());
    must(write_rows(run[0], scope, 500, 1500, &error), &error);
    must(spill_run_end(run[0], &error), &error);
    ck_assert_uint_eq(account.used, used);
    read_rows(run[0], scope, 500, 1500);
    read_rows(run[1], scope, 10000, 12000);
    fiber_close_scope(world->scheduler, scope);
    ck_assert_uint_eq(account.used, 0);
}

/* No name is left, not even while the file is in use. */
static void act_nameless(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {0};
    struct scope *scope = scope_open(world->scope, "test");
    const char **names;
    size_t count;
    open_in(world, scope, &account);
    must(disk_list(world, scope, "/", &names, &count, &error), &error);
    ck_assert_uint_eq(count, 0);
    /* What a crash has left goes at the next start. */
    struct file *left, *other;
    must(disk_open(world, scope, "/temporary-1", DISK_CREATE, &left, &error), &error);
    must(disk_open(world, scope, "/other", DISK_CREATE, &other, &error), &error);
    must(spill_clean(world, "/", &error), &error);
    must(disk_list(world, scope, "/", &names, &count, &error), &error);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(names[0], "other");
    scope_close(scope);
}

static void act_limit(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {.limit = 100 * 1024};
    struct scope *scope = scope_open(world->scope, "test");
    struct spill_run *run = spill_run_open(open_in(world, scope, &account), scope, 4, row_types());
    must_fail(SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED, write_rows(run, scope, 0, 10000, &error), &error);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE),
                     "temporary file size exceeds temp_file_limit (100kB)");
    fiber_close_scope(world->scheduler, scope);
    ck_assert_uint_eq(account.used, 0);
}

/* argument: the simulation, whose disk becomes full. The file's room is there again when it is closed. */
static void act_full(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {0};
    uint64_t before, after, total;
    struct scope *scope = scope_open(world->scope, "test");
    must(disk_space(world, "/", &before, &total, &error), &error);
    sim_disk_room(argument, 0, total - before + 300 * 1024);
    must(disk_space(world, "/", &before, &total, &error), &error);
    struct spill_run *run = spill_run_open(open_in(world, scope, &account), scope, 4, row_types());
    must_fail(SQLSTATE_DISK_FULL, write_rows(run, scope, 0, 20000, &error), &error);
    fiber_close_scope(world->scheduler, scope);
    must(disk_space(world, "/", &after, &total, &error), &error);
    ck_assert_uint_eq(before, after);
}

/* The log and the tables need the last of the disk more than a sort does: not a block is written. */
static void act_nearly_full(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {0};
    uint64_t before, after, total;
    struct file *other;
    struct scope *scope = scope_open(world->scope, "test");
    void *filling = scope_alloc_zeroed(scope, 1024 * 1024);
    must(disk_open(world, scope, "/other", DISK_CREATE, &other, &error), &error);
    must(disk_write(world, scope, other, filling, 1024 * 1024, 0, &error), &error);
    must(disk_space(world, "/", &before, &total, &error), &error);
    sim_disk_room(argument, 0, total - before + 16 * 1024);
    must(disk_space(world, "/", &before, &total, &error), &error);
    struct spill_run *run = spill_run_open(open_in(world, scope, &account), scope, 4, row_types());
    must_fail(SQLSTATE_DISK_FULL, write_rows(run, scope, 0, 20000, &error), &error);
    must(disk_space(world, "/", &after, &total, &error), &error);
    ck_assert_uint_eq(before, after);
    fiber_close_scope(world->scheduler, scope);
}

/* ---- damage ---- */

static enum sqlstate (*read_well)(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                  size_t count, struct error *error);
static uint64_t damaged_at; /* byte of the file one bit of which comes back wrong */

static enum sqlstate read_badly(struct world *world, struct scope *scope, struct disk_transfer *transfers,
                                size_t count, struct error *error)
{
    enum sqlstate failed = read_well(world, scope, transfers, count, error);
    for (size_t i = 0; i < count && !failed; i++)
        if (damaged_at >= transfers[i].offset && damaged_at < transfers[i].offset + transfers[i].done)
            ((uint8_t *)transfers[i].data)[damaged_at - transfers[i].offset] ^= 4;
    return failed;
}

static void act_damage(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {0};
    struct scope *scope = scope_open(world->scope, "test");
    const struct disk_ops *well = world->disk;
    struct disk_ops disk = *well;
    read_well = disk.read;
    disk.read = read_badly;
    world->disk = &disk;
    struct spill_run *run = spill_run_open(open_in(world, scope, &account), scope, 4, row_types());
    must(write_rows(run, scope, 0, 300, &error), &error);
    must(spill_run_end(run, &error), &error);
    for (damaged_at = 0; damaged_at < 4096; damaged_at += 1 + damaged_at / 3) {
        struct spill_reader *reader;
        enum sqlstate failed = SQLSTATE_OK;
        bool found = true;
        must(spill_reader_open(run, scope, &reader, &error), &error);
        while (!failed && found) {
            struct value values[4];
            uint64_t mark;
            failed = spill_reader_next(reader, scope, values, &mark, &found, &error);
        }
        must_fail(SQLSTATE_DATA_CORRUPTED, failed, &error);
        error_clear(&error);
    }
    fiber_close_scope(world->scheduler, scope);
    world->disk = well;
}

/* ---- lists ---- */

static void read_list(struct row_list *list, struct row_reader *reader, struct scope *scope, uint64_t from,
                      uint64_t to)
{
    struct error error = {0};
    struct value column[4][128], *room[4] = {column[0], column[1], column[2], column[3]};
    for (reader->at = from; reader->at < to;) {
        uint64_t at = reader->at;
        uint32_t count, most = to - at < 128 ? (uint32_t)(to - at) : 128;
        struct scope *batch = scope_open(scope, "batch");
        must(row_list_read(list, reader, batch, room, most, &count, &error), &error);
        ck_assert_uint_gt(count, 0);
        for (uint32_t i = 0; i < count; i++) {
            struct value values[4] = {column[0][i], column[1][i], column[2][i], column[3][i]};
            row_check(batch, at + i, values);
        }
        scope_close(batch);
    }
}

static void act_list(struct world *world, void *argument)
{
    struct error error = {0};
    struct spill_account account = {0};
    struct scope *scope = scope_open(world->scope, "test");
    const struct row_list_options options = {.world = world,
                                             .scope = scope,
                                             .columns = 4,
                                             .types = row_types(),
                                             .grant = GRANT,
                                             .spill = {.directory = "", .account = &account, .grant = GRANT}};
    struct row_list *list = row_list_open(&options);
    struct row_reader slow = {.scope = scope}, jumping = {.scope = scope};
    for (uint64_t i = 0; i < 20000; i++) {
        struct value values[4];
        const struct value *columns[4] = {&values[0], &values[1], &values[2], &values[3]};
        struct scope *row = scope_open(scope, "row");
        row_make(row, i, values);
        must(row_list_add(list, columns, 0, &error), &error);
        scope_close(row);
        /* Readers come in between: one follows, one jumps about. */
        if (i % 1000 == 999) {
            read_list(list, &slow, scope, slow.at, i / 2);
            read_list(list, &jumping, scope, i * 7 % 500, i * 7 % 500 + 3);
            read_list(list, &jumping, scope, i - 2, i + 1);
        }
    }
    ck_assert_uint_eq(row_list_count(list), 20000);
    ck_assert_uint_gt(row_list_spilled(list), 0);
    read_list(list, &slow, scope, 0, 20000);
    for (uint64_t at = 19990; at > 100; at -= 997)
        read_list(list, &jumping, scope, at, at + 5);
    scope_close(scope);
}

/* An act on a node of one core; its argument is the simulator. */
static void play(void (*act)(struct world *world, void *argument))
{
    struct sim *sim = stage_open(1, 1);
    stage_act(sim, 0, act, sim);
    sim_close(sim);
}

START_TEST(test_rows_of_runs_come_back_as_they_were)
{
    play(act_runs);
}
END_TEST

START_TEST(test_a_temporary_file_has_no_name)
{
    play(act_nameless);
}
END_TEST

START_TEST(test_temp_file_limit_ends_writing_with_53400)
{
    play(act_limit);
}
END_TEST

START_TEST(test_a_full_disk_ends_writing_with_53100_and_gets_its_room_back)
{
    play(act_full);
}
END_TEST

START_TEST(test_the_last_of_the_disk_is_left_to_others)
{
    play(act_nearly_full);
}
END_TEST

START_TEST(test_a_damaged_block_is_noticed)
{
    play(act_damage);
}
END_TEST

START_TEST(test_a_list_gives_rows_from_any_place_while_it_grows)
{
    play(act_list);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("spill");
    tcase_add_test(tests, test_rows_of_runs_come_back_as_they_were);
    tcase_add_test(tests, test_a_temporary_file_has_no_name);
    tcase_add_test(tests, test_temp_file_limit_ends_writing_with_53400);
    tcase_add_test(tests, test_a_full_disk_ends_writing_with_53100_and_gets_its_room_back);
    tcase_add_test(tests, test_the_last_of_the_disk_is_left_to_others);
    tcase_add_test(tests, test_a_damaged_block_is_noticed);
    tcase_add_test(tests, test_a_list_gives_rows_from_any_place_while_it_grows);
    return stage_run(tests);
}
