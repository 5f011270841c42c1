/* A page that cannot be read: it is reported with its table and its keys, and all else goes on. In the simulator. */
#include "test/sim/sim.h"
#include "test/unit/engine_stage.h"

#include <stdio.h>

#define TABLE      7
#define ROWS       3000
#define PAGE_BYTES 4096
#define VOLUME     "/data/volume-0"

/* What is known of the bad page, of which a bit is turned over on the disk. */
struct damage {
    uint64_t offset;
    uint64_t first, behind; /* its rows; behind = ROWS for the last page */
    size_t findings;
    int version; /* of the changed rows whose page is sound */
};

static struct damage damage;

static void rot(struct stage *stage)
{
    ck_assert(sim_disk_rot(stage->sim, 0, VOLUME, damage.offset, 3));
}

static uint64_t number_of(struct bytes key)
{
    uint64_t number;
    ck_assert_uint_eq(key.size, sizeof number);
    memcpy(&number, key.data, sizeof number);
    return __builtin_bswap64(number);
}

static void note_finding(void *argument, const struct engine_finding *finding)
{
    const struct key_range *range = finding->range;
    (void)argument;
    damage.findings++;
    if (finding->table != TABLE)
        damage.findings = SIZE_MAX / 2;
    damage.first = range->from.size ? number_of(range->from) : 0;
    damage.behind = range->to_open ? ROWS : number_of(range->to);
}

static void look_for_damage(struct stage *stage, struct world *world)
{
    const struct engine_findings findings = {.report = note_finding};
    struct error error;
    damage.findings = 0;
    must(engine_verify(world, stage->engine, &findings, &error), &error);
}

static const char *row_text(uint64_t number, int version, char room[static 120])
{
    snprintf(room, 120, "%0*llu version %d", 60, (unsigned long long)number, version);
    return room;
}

/* Makes the rows, and looks for a page in the middle of them. */
static void rows_are_made(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    char room[120];
    create(stage, world, scope, TABLE, TABLE_ROW);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ROWS; i++)
        ck_assert(insert(t, TABLE, i, row_text(i, 1, room)));
    commit(t);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    verify(stage, world);
    for (uint64_t page = 131072 / PAGE_BYTES;; page++) {
        damage.offset = page * PAGE_BYTES + 1000;
        rot(stage);
        look_for_damage(stage, world);
        rot(stage);
        if (damage.findings == 1 && damage.first > 0 && damage.behind < ROWS)
            break;
    }
    ck_assert_uint_lt(damage.first + 2, damage.behind);
}

/* Every other row is changed; no checkpoint takes it to the disk. */
static void rows_are_changed(struct stage *stage, struct world *world, struct scope *scope)
{
    char room[120];
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ROWS; i += 2)
        ck_assert(update(t, TABLE, i, row_text(i, 2, room)));
    commit(t);
    damage.version = 2;
}

/* The row as the transaction sees it; what cannot be read says so, with its place. */
static bool is_there(struct transaction *t, struct scope *scope, uint64_t number, int version)
{
    uint8_t key[8];
    char room[120];
    struct error error = {0};
    struct bytes row;
    bool found;
    transaction_statement(t);
    enum sqlstate failed = row_get(t, scope, TABLE, number_key(number, key), &row, &found, &error);
    if (failed) {
        const char *where = error_text(&error, ERROR_CONTEXT);
        snprintf(room, sizeof room, "keys from %016llx to %016llx", (unsigned long long)damage.first,
                 (unsigned long long)damage.behind);
        ck_assert_int_eq(failed, SQLSTATE_DATA_CORRUPTED);
        ck_assert_ptr_nonnull(where);
        ck_assert_ptr_nonnull(strstr(where, "table 7, shard "));
        ck_assert_ptr_nonnull(strstr(where, room));
        return false;
    }
    ck_assert(found);
    row_text(number, version, room);
    ck_assert(row.size == strlen(room) && memcmp(row.data, room, row.size) == 0);
    return true;
}

static bool is_bad(uint64_t number)
{
    return number >= damage.first && number < damage.behind;
}

/* What was changed is in memory, bad page or not; what was not can be read where its page can. */
static void check_rows(struct stage *stage, struct world *world)
{
    for (uint64_t i = 0; i < ROWS; i++) {
        struct scope *scope = scope_open(world->scope, "row");
        struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
        int version = is_bad(i) ? 2 : damage.version;
        bool readable = i % 2 == 0 || !is_bad(i);
        ck_assert_int_eq(is_there(t, scope, i, i % 2 ? 1 : version), readable);
        commit(t);
        fiber_close_scope(world->scheduler, scope);
    }
}

static void the_rest_works(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    struct engine_figures before, after;
    char room[120];
    look_for_damage(stage, world);
    ck_assert_uint_eq(damage.findings, 1);
    check_rows(stage, world);
    engine_figures(world, stage->engine, &before);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    engine_figures(world, stage->engine, &after);
    ck_assert_uint_lt(after.history_bytes, before.history_bytes / 4);
    check_rows(stage, world);
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ROWS; i += 2)
        if (!is_bad(i))
            ck_assert(update(t, TABLE, i, row_text(i, 3, room)));
    commit(t);
    damage.version = 3;
    must(engine_checkpoint(world, stage->engine, &error), &error);
    check_rows(stage, world);
}

/* The page can be read again: what was changed there is not lost. */
static void all_is_there(struct stage *stage, struct world *world, struct scope *scope)
{
    struct error error;
    char room[120];
    struct transaction *t = begin(stage, world, scope, READ_COMMITTED);
    for (uint64_t i = 0; i < ROWS; i++)
        ck_assert_str_eq(get(t, scope, TABLE, i), row_text(i, i % 2 ? 1 : is_bad(i) ? 2 : 3, room));
    commit(t);
    must(engine_checkpoint(world, stage->engine, &error), &error);
    verify(stage, world);
}

START_TEST(a_bad_page_is_told_with_table_and_keys_and_the_rest_works_on)
{
    struct stage stage;
    stage_open(&stage, 1);
    stage.options.page_bytes = PAGE_BYTES;
    stage.options.sizing_every_ns = 1000 * SIM_SECOND;
    play(&stage, rows_are_made, false);
    play(&stage, rows_are_changed, true);
    rot(&stage);
    play(&stage, the_rest_works, true);
    play(&stage, the_rest_works, false);
    rot(&stage);
    play(&stage, all_is_there, true);
    play(&stage, all_is_there, false);
    stage_close(&stage);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("damage");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_bad_page_is_told_with_table_and_keys_and_the_rest_works_on);
    return unit_run(tests);
}
