/* What recovery keeps of the log between its passes, and what it makes of many effects on the same rows: against models. */
#include "base/scope.h"
#include "engine/recovery.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define EFFECTS 5000
#define KEYS    700

static struct scope *root;
static struct error error;
static uint64_t state;

static const struct map_seed seed = {{1, 2}};

static void open_root(void)
{
    root = scope_open_root("root", NULL);
    state = unit_seed();
}

static void close_root(void)
{
    scope_close(root);
}

/* Keys of very different lengths, many with the same first bytes, and the empty one. */
static struct bytes key_of(uint64_t i, char text[40])
{
    const char *form = i % 4 == 0   ? "%u"
                       : i % 4 == 1 ? "prefix/%u"
                       : i % 4 == 2 ? "a prefix of more than eight/%08u"
                                    : "p%u";
    return bytes_of(text, i ? (size_t)snprintf(text, 40, form, (unsigned)i) : 0);
}

static struct log_record effect_record(uint64_t shard, struct bytes key, struct bytes row, uint8_t *room,
                                       size_t bytes)
{
    const struct effect effect = {.kind = EFFECT_UPDATE, .key = key, .row = row};
    size_t size = record_effect_write(room, bytes, &effect, 1, 0);
    return (struct log_record){
        .topic = shard, .kind = RECORD_EFFECT, .transaction = 1, .payload = bytes_of(room, size)};
}

static void keep(struct kept_log *kept, uint64_t position, uint64_t shard, struct bytes key, uint64_t value)
{
    uint8_t room[200];
    struct log_record record = effect_record(shard, key, bytes_of(&value, sizeof value), room, sizeof room);
    ck_assert_int_eq(kept_log_add(kept, position, &record, NULL, &error), SQLSTATE_OK);
}

static void sort_and_compare(uint64_t (*pick)(void), uint64_t keys)
{
    struct kept_log kept;
    struct newest newest;
    uint64_t last[KEYS] = {0};
    char text[40];
    kept_log_init(&kept, root, SIZE_MAX, seed);
    ck_assert_int_eq(newest_init(&newest, root, EFFECTS, &error), SQLSTATE_OK);
    for (uint64_t i = 1; i <= EFFECTS; i++) {
        uint64_t key = pick() % keys;
        keep(&kept, i, 5, key_of(key, text), i);
        last[key] = i;
    }
    struct kept_cursor cursor = {.chunk = kept_log_shard(&kept, 5)->first};
    const struct kept_record *record;
    struct record_effect effect;
    while ((record = kept_next(&cursor))) {
        ck_assert(record_effect_read(bytes_of(record->payload, record->payload_bytes), &effect));
        newest_add(&newest, effect.effect.key, record);
    }
    newest_sort(&newest);
    uint64_t found = 0, expected = 0;
    struct bytes before = {0};
    while ((record = newest_take(&newest, &effect))) {
        uint64_t value, key = KEYS;
        ck_assert(!found || bytes_compare(before, effect.effect.key) < 0);
        before = effect.effect.key;
        ck_assert_uint_eq(effect.effect.row.size, sizeof value);
        memcpy(&value, effect.effect.row.data, sizeof value);
        for (uint64_t i = 0; i < keys; i++)
            if (bytes_compare(key_of(i, text), before) == 0)
                key = i;
        ck_assert_uint_lt(key, KEYS);
        ck_assert_uint_eq(value, last[key]);
        ck_assert_uint_eq(record->position, value);
        found++;
    }
    for (uint64_t i = 0; i < keys; i++)
        expected += last[i] != 0;
    ck_assert_uint_eq(found, expected);
    ck_assert_uint_eq(newest.count, 0);
}

static uint64_t any(void)
{
    return unit_random(&state);
}

/* Keys of one form alone: all share their first bytes, or are longer than what is sorted by. */
static uint64_t long_ones(void)
{
    return unit_random_below(&state, KEYS / 4) * 4 + 2;
}

static uint64_t short_ones(void)
{
    return 100 + unit_random_below(&state, 100) * 4;
}

START_TEST(of_many_effects_the_newest_of_each_row_comes_in_the_order_of_keys)
{
    sort_and_compare(any, KEYS);
    sort_and_compare(any, 1);
    sort_and_compare(long_ones, KEYS);
    sort_and_compare(short_ones, KEYS);
}
END_TEST

START_TEST(all_that_is_kept_lies_before_the_first_record_that_is_not)
{
    struct kept_log kept;
    uint64_t count[8] = {0}, seen = 0, kept_records = 0;
    char text[40];
    kept_log_init(&kept, root, 300000, seed);
    for (uint64_t i = 0; i < 20000; i++)
        keep(&kept, 1000 + i, i % 8, key_of(i, text), i);
    ck_assert_uint_ne(kept.until, LOG_NOWHERE);
    ck_assert_uint_le(kept.bytes, 300000);
    for (uint64_t shard = 0; shard < 8; shard++) {
        const struct kept_shard *of_shard = kept_log_shard(&kept, shard);
        struct kept_cursor cursor = {.chunk = of_shard->first};
        const struct kept_record *record;
        while ((record = kept_next(&cursor))) {
            ck_assert_uint_eq(record->position, 1000 + count[shard]++ * 8 + shard);
            ck_assert_uint_lt(record->position, kept.until);
            seen++;
        }
        kept_records += of_shard->records;
    }
    ck_assert_uint_eq(seen, kept.until - 1000);
    ck_assert_uint_eq(kept_records, seen);
    ck_assert_ptr_null(kept_log_shard(&kept, 9));
}
END_TEST

START_TEST(where_no_memory_may_be_taken_nothing_is_kept)
{
    struct kept_log kept;
    kept_log_init(&kept, root, 0, seed);
    keep(&kept, 77, 1, bytes_of_text("key"), 1);
    keep(&kept, 78, 1, bytes_of_text("key"), 2);
    ck_assert_uint_eq(kept.until, 77);
    struct kept_cursor cursor = {.chunk = kept_log_shard(&kept, 1)->first};
    ck_assert_ptr_null(kept_next(&cursor));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("recovery");
    tcase_add_checked_fixture(tests, open_root, close_root);
    tcase_add_test(tests, of_many_effects_the_newest_of_each_row_comes_in_the_order_of_keys);
    tcase_add_test(tests, all_that_is_kept_lies_before_the_first_record_that_is_not);
    tcase_add_test(tests, where_no_memory_may_be_taken_nothing_is_kept);
    return unit_run(tests);
}
