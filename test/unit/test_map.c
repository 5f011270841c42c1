/* Maps hold what was put into them, against a plain array, through growth, removal and collisions. */
#include "test/unit/unit.h"

#include "base/map.h"
#include "base/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scope *root;
static struct error error;
static const struct map_seed seed = {{1, 2}};

static void open_root(void)
{
    root = scope_open_root("test", NULL);
}

static void close_root(void)
{
    scope_close(root);
}

static void *value_of(size_t number)
{
    return (void *)(number + 1);
}

/* The reference vectors of SipHash-1-3, as the authors' program prints them: key 00 01 .. 0f, bytes 00 01 02
 * … */
START_TEST(the_hash_is_siphash)
{
    static const uint64_t vectors[] = {
        0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb, 0xcf75576088d38328,
        0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e, 0x25a48eb36c063de4};
    const struct map_seed key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (size_t size = 0; size < sizeof vectors / sizeof *vectors; size++)
        ck_assert_uint_eq(map_hash(key, bytes_of(bytes, size)), vectors[size]);
}
END_TEST

START_TEST(an_empty_map_has_nothing)
{
    struct map map;
    size_t at = 0;
    map_init(&map, MAP_OF_BYTES, root, seed);
    ck_assert_ptr_null(map_find(&map, bytes_of_text("a")));
    ck_assert_ptr_null(map_remove(&map, bytes_of_text("a")));
    ck_assert_ptr_null(map_next(&map, &at));
    map_clear(&map);
    ck_assert_uint_eq(map.count, 0);
}
END_TEST

START_TEST(keys_are_compared_by_size_and_bytes)
{
    struct map map;
    const struct bytes keys[] = {bytes_of(NULL, 0),      bytes_of("", 1),   bytes_of("\0", 2),
                                 bytes_of("a", 1),       bytes_of("ab", 2), bytes_of("abcdefgh", 8),
                                 bytes_of("abcdefgh", 9)};
    size_t count = sizeof keys / sizeof *keys;
    map_init(&map, MAP_OF_BYTES, root, seed);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(map_put(&map, keys[i], value_of(i), NULL, &error), SQLSTATE_OK);
    ck_assert_uint_eq(map.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_ptr_eq(map_find(&map, keys[i]), value_of(i));
    ck_assert_ptr_null(map_find(&map, bytes_of("abcdefghi", 9)));
}
END_TEST

START_TEST(putting_again_replaces_value_and_key)
{
    struct map map;
    char first[] = "key", second[] = "key";
    void *replaced = &map;
    size_t at = 0;
    map_init(&map, MAP_OF_BYTES, root, seed);
    ck_assert_int_eq(map_put(&map, bytes_of_text(first), first, &replaced, &error), SQLSTATE_OK);
    ck_assert_ptr_null(replaced);
    ck_assert_int_eq(map_put(&map, bytes_of_text(second), second, &replaced, &error), SQLSTATE_OK);
    ck_assert_ptr_eq(replaced, first);
    memset(first, 'x', 3); /* its owner may go */
    ck_assert_ptr_eq(map_find(&map, bytes_of_text("key")), second);
    ck_assert_uint_eq(map.count, 1);
    ck_assert_ptr_eq(map_next(&map, &at)->key.data, second);
}
END_TEST

START_TEST(a_cleared_map_is_empty_and_usable)
{
    struct map map;
    map_init(&map, MAP_OF_NUMBERS, root, seed);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(map_put_number(&map, i, value_of(i), NULL, &error), SQLSTATE_OK);
    size_t before = scope_bytes(root);
    map_clear(&map);
    ck_assert_uint_eq(map.count, 0);
    for (size_t i = 0; i < 100; i++)
        ck_assert_ptr_null(map_find_number(&map, i));
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(map_put_number(&map, i, value_of(i), NULL, &error), SQLSTATE_OK);
    ck_assert_uint_eq(scope_bytes(root), before);
}
END_TEST

/* ---- at random ---- */

#define KEYS 2000

/* What the map should hold; NULL = nothing. */
static void *model[KEYS];
static uint64_t numbers[KEYS];
static char names[KEYS][24];

static void *find(const struct map *map, size_t i)
{
    return map->keys == MAP_OF_NUMBERS ? map_find_number(map, numbers[i])
                                       : map_find(map, bytes_of_text(names[i]));
}

static void put_key(struct map *map, size_t i, void *value)
{
    void *replaced;
    enum sqlstate failed = map->keys == MAP_OF_NUMBERS
                               ? map_put_number(map, numbers[i], value, &replaced, &error)
                               : map_put(map, bytes_of_text(names[i]), value, &replaced, &error);
    ck_assert_int_eq(failed, SQLSTATE_OK);
    ck_assert_ptr_eq(replaced, model[i]);
    model[i] = value;
}

static void remove_key(struct map *map, size_t i)
{
    void *removed = map->keys == MAP_OF_NUMBERS ? map_remove_number(map, numbers[i])
                                                : map_remove(map, bytes_of_text(names[i]));
    ck_assert_ptr_eq(removed, model[i]);
    model[i] = NULL;
}

/* The walk gives every pair of the model once. */
static void check_all(const struct map *map)
{
    static bool seen[KEYS];
    size_t count = 0, walked = 0, wrong = 0;
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < KEYS; i++) {
        count += model[i] != NULL;
        wrong += find(map, i) != model[i];
    }
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(map, &at)); walked++) {
        size_t i = (size_t)entry->value % KEYS;
        wrong += seen[i] || entry->value != model[i];
        seen[i] = true;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(walked, count);
    ck_assert_uint_eq(map->count, count);
}

static void random_round(uint64_t *random, enum map_keys keys, size_t used)
{
    struct map map;
    map_init(&map, keys, root, (struct map_seed){{unit_random(random), unit_random(random)}});
    memset(model, 0, sizeof model);
    for (int i = 0; i < 20000; i++) {
        size_t key = unit_random_below(random, used);
        /* The value says which key it belongs to, and is never NULL. */
        if (unit_random_below(random, 5) < (i / 5000 % 2 ? 1 : 3)) /* grow, shrink, grow, shrink */
            put_key(&map, key, (void *)(key + KEYS * (1 + unit_random_below(random, 1000))));
        else
            remove_key(&map, key);
        if (i % 1000 == 0)
            check_all(&map);
    }
    check_all(&map);
}

START_TEST(random_calls_agree_with_a_plain_array)
{
    uint64_t random = unit_seed();
    for (size_t i = 0; i < KEYS; i++) {
        numbers[i] = i % 3 == 0 ? i : i % 3 == 1 ? (uint64_t)i << 48 : i * 4096;
        snprintf(names[i], sizeof names[i], "%.*s%zu", (int)(i % 12), "abcdefghijkl", i);
    }
    for (int round = 0; round < 3; round++) {
        random_round(&random, MAP_OF_NUMBERS, round ? KEYS : 10);
        random_round(&random, MAP_OF_BYTES, round ? KEYS : 10);
    }
}
END_TEST

/* With all hashes alike, every entry is in every other's way. A map of so many slots looks at few bits, so
 * keys that share those are found by trying. */
START_TEST(keys_that_collide_are_told_apart)
{
    struct map map;
    uint64_t random = unit_seed();
    map_init(&map, MAP_OF_NUMBERS, root, (struct map_seed){{unit_random(&random), unit_random(&random)}});
    ck_assert_int_eq(map_reserve(&map, 700, &error), SQLSTATE_OK); /* 1,024 slots */
    size_t count = 0;
    for (uint64_t number = 0; count < 200; number++) {
        struct map single;
        struct scope *scope = scope_open(root, "single");
        size_t at = 0;
        map_init(&single, MAP_OF_NUMBERS, scope, map.seed);
        ck_assert_int_eq(map_put_number(&single, number, &single, NULL, &error), SQLSTATE_OK);
        if ((map_next(&single, &at)->hash & 1023) >= 1000) /* around the end, to wrap */
            numbers[count++] = number;
        scope_close(scope);
    }
    memset(model, 0, sizeof model);
    for (size_t i = 0; i < count; i++)
        put_key(&map, i, (void *)(i + KEYS));
    for (int i = 0; i < 5000; i++) {
        size_t key = unit_random_below(&random, count);
        if (unit_random_below(&random, 2))
            put_key(&map, key, (void *)(key + KEYS));
        else
            remove_key(&map, key);
        size_t wrong = 0;
        for (size_t j = 0; j < count; j++)
            wrong += find(&map, j) != model[j];
        ck_assert_uint_eq(wrong, 0);
    }
}
END_TEST

/* Longest run of taken slots, which bounds the steps of any search. */
static size_t longest_run(const struct map *map)
{
    size_t longest = 0, run = 0;
    for (size_t at = 0; at <= map->mask; at++) {
        run = map->slots[at].value ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

START_TEST(regular_numbers_spread_evenly)
{
    static const int shifts[] = {0, 12, 20, 32, 44};
    uint64_t random = unit_seed();
    for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++) {
        struct map map;
        map_init(&map, MAP_OF_NUMBERS, root, (struct map_seed){{unit_random(&random), unit_random(&random)}});
        for (uint64_t i = 0; i < 10000; i++)
            ck_assert_int_eq(map_put_number(&map, i << shifts[s], &map, NULL, &error), SQLSTATE_OK);
        ck_assert_uint_lt(longest_run(&map), 400); /* at 61 % full, random hashes stay far below */
    }
}
END_TEST

/* ---- errors ---- */

START_TEST(a_map_that_cannot_grow_says_so_and_stays_whole)
{
    struct budget budget = {.limit = 16384};
    struct scope *child = scope_open_with_budget(root, "child", &budget);
    struct map map;
    size_t count = 0;
    map_init(&map, MAP_OF_NUMBERS, child, seed);
    while (count < 10000 && map_put_number(&map, count, value_of(count), NULL, &error) == SQLSTATE_OK)
        count++;
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_lt(count, 10000);
    ck_assert_int_eq(error.state, SQLSTATE_OUT_OF_MEMORY);
    ck_assert_uint_eq(map.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_ptr_eq(map_find_number(&map, i), value_of(i));
    ck_assert_ptr_null(map_find_number(&map, count));
    ck_assert_int_eq(map_reserve(&map, SIZE_MAX, &error), SQLSTATE_OUT_OF_MEMORY);
    scope_close(child);
}
END_TEST

START_TEST(reserved_room_cannot_fail_later)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct scope *child = scope_open_with_budget(root, "child", &budget);
    struct map map;
    map_init(&map, MAP_OF_NUMBERS, child, seed);
    ck_assert_int_eq(map_reserve(&map, 1000, &error), SQLSTATE_OK);
    budget.limit = 0;
    for (size_t i = 0; i < 1000; i++)
        ck_assert_int_eq(map_put_number(&map, i, value_of(i), NULL, &error), SQLSTATE_OK);
    scope_close(child);
}
END_TEST

static void put_null(void *argument)
{
    struct map map;
    map_init(&map, MAP_OF_NUMBERS, root, seed);
    (void)map_put_number(&map, 1, NULL, NULL, &error);
}

static void find_number_among_bytes(void *argument)
{
    struct map map;
    map_init(&map, MAP_OF_BYTES, root, seed);
    map_find_number(&map, 1);
}

static void find_bytes_among_numbers(void *argument)
{
    struct map map;
    map_init(&map, MAP_OF_NUMBERS, root, seed);
    map_find(&map, bytes_of_text("a"));
}

START_TEST(broken_rules_stop_the_process)
{
    ck_assert(unit_check_fails(put_null, NULL, "NULL marks a free slot"));
    ck_assert(unit_check_fails(find_number_among_bytes, NULL, "MAP_OF_NUMBERS"));
    ck_assert(unit_check_fails(find_bytes_among_numbers, NULL, "MAP_OF_BYTES"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("map");
    tcase_add_checked_fixture(tests, open_root, close_root);
    tcase_add_test(tests, the_hash_is_siphash);
    tcase_add_test(tests, an_empty_map_has_nothing);
    tcase_add_test(tests, keys_are_compared_by_size_and_bytes);
    tcase_add_test(tests, putting_again_replaces_value_and_key);
    tcase_add_test(tests, a_cleared_map_is_empty_and_usable);
    tcase_add_test(tests, random_calls_agree_with_a_plain_array);
    tcase_add_test(tests, keys_that_collide_are_told_apart);
    tcase_add_test(tests, regular_numbers_spread_evenly);
    tcase_add_test(tests, a_map_that_cannot_grow_says_so_and_stays_whole);
    tcase_add_test(tests, reserved_room_cannot_fail_later);
    tcase_add_test(tests, broken_rules_stop_the_process);
    return unit_run(tests);
}
