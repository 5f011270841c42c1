/* The heap gives the smallest key first, against a plain array, whatever goes in and out. */
#include "test/unit/unit.h"

#include "base/heap.h"
#include "base/list.h"
#include "base/scope.h"

#include <string.h>

static struct scope *root;
static struct heap heap;
static struct error error;

static void open_heap(void)
{
    root = scope_open_root("test", NULL);
    heap_init(&heap, root);
}

static void close_heap(void)
{
    scope_close(root);
}

START_TEST(an_empty_heap_gives_nothing)
{
    ck_assert_ptr_null(heap_first(&heap));
    ck_assert_ptr_null(heap_take_first(&heap));
}
END_TEST

START_TEST(items_come_out_by_key)
{
    static const uint64_t keys[] = {5, 1, UINT64_MAX, 4, 0, 3, 2, 5};
    struct heap_item items[8] = {0};
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(heap_insert(&heap, &items[i], keys[i], &error), SQLSTATE_OK);
    static const uint64_t sorted[] = {0, 1, 2, 3, 4, 5, 5, UINT64_MAX};
    for (int i = 0; i < 8; i++) {
        struct heap_item *item = heap_take_first(&heap);
        ck_assert_uint_eq(item->key, sorted[i]);
        ck_assert_uint_eq(item->place, 0);
    }
    ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

START_TEST(removing_what_is_in_no_heap_is_harmless)
{
    struct heap_item in = {0}, out = {0};
    ck_assert_int_eq(heap_insert(&heap, &in, 1, &error), SQLSTATE_OK);
    heap_remove(&heap, &out);
    heap_remove(&heap, &in);
    heap_remove(&heap, &in);
    ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

#define ITEMS 600

struct thing {
    struct heap_item item;
    bool in;
    uint64_t key;
};

static struct thing things[ITEMS];

/* The heap's first is one of the smallest of the model. */
static void check_first(void)
{
    const struct thing *least = NULL;
    uint32_t count = 0;
    for (int i = 0; i < ITEMS; i++) {
        if (!things[i].in)
            continue;
        count++;
        if (!least || things[i].key < least->key)
            least = &things[i];
    }
    ck_assert_uint_eq(heap.count, count);
    struct heap_item *first = heap_first(&heap);
    ck_assert_int_eq(first == NULL, least == NULL);
    if (least) {
        struct thing *thing = container_of(first, struct thing, item);
        ck_assert(thing->in);
        ck_assert_uint_eq(thing->key, least->key);
    }
}

static void step(uint64_t *random, uint64_t keys)
{
    struct thing *thing = &things[unit_random_below(random, ITEMS)];
    uint64_t key = unit_random_below(random, keys), what = unit_random_below(random, 10);
    if (!thing->in) {
        ck_assert_int_eq(heap_insert(&heap, &thing->item, key, &error), SQLSTATE_OK);
        thing->key = key;
        thing->in = true;
    } else if (what < 5) {
        heap_change(&heap, &thing->item, key);
        thing->key = key;
    } else if (what < 8) {
        heap_remove(&heap, &thing->item);
        thing->in = false;
    } else {
        container_of(heap_take_first(&heap), struct thing, item)->in = false;
    }
}

START_TEST(random_calls_agree_with_a_plain_array)
{
    uint64_t random = unit_seed();
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 3000; i++) {
            step(&random, round % 2 ? 10 : UINT64_MAX); /* many equal keys, or hardly any */
            if (i % 10 == 0)
                check_first();
        }
        while (heap_first(&heap)) {
            check_first();
            container_of(heap_take_first(&heap), struct thing, item)->in = false;
        }
        check_first();
    }
}
END_TEST

START_TEST(a_heap_that_cannot_grow_says_so_and_stays_whole)
{
    struct budget budget = {.limit = 8192};
    struct scope *child = scope_open_with_budget(root, "child", &budget);
    static struct heap_item items[1000];
    struct heap bounded;
    heap_init(&bounded, child);
    uint32_t count = 0;
    while (count < 1000 && heap_insert(&bounded, &items[count], 1000 - count, &error) == SQLSTATE_OK)
        count++;
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_lt(count, 1000);
    ck_assert_int_eq(error.state, SQLSTATE_OUT_OF_MEMORY);
    ck_assert_uint_eq(items[count].place, 0);
    ck_assert_uint_eq(bounded.count, count);
    for (uint32_t i = count; i-- > 0;)
        ck_assert_ptr_eq(heap_take_first(&bounded), &items[i]);
    scope_close(child);
}
END_TEST

START_TEST(reserved_room_cannot_fail_later)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct scope *child = scope_open_with_budget(root, "child", &budget);
    static struct heap_item items[1000];
    struct heap bounded;
    heap_init(&bounded, child);
    ck_assert_int_eq(heap_reserve(&bounded, 1000, &error), SQLSTATE_OK);
    budget.limit = 0;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(heap_insert(&bounded, &items[i], 7, &error), SQLSTATE_OK);
    ck_assert_int_eq(heap_reserve(&bounded, UINT32_MAX, &error), SQLSTATE_OUT_OF_MEMORY);
    scope_close(child);
}
END_TEST

static void insert_twice(void *argument)
{
    struct heap_item item = {0};
    (void)heap_insert(&heap, &item, 1, &error);
    (void)heap_insert(&heap, &item, 2, &error);
}

static void remove_after_moving(void *argument)
{
    struct heap_item item = {0}, moved;
    (void)heap_insert(&heap, &item, 1, &error);
    moved = item;
    heap_remove(&heap, &moved);
}

static void change_what_is_out(void *argument)
{
    struct heap_item item = {0};
    heap_change(&heap, &item, 1);
}

START_TEST(broken_rules_stop_the_process)
{
    ck_assert(unit_check_fails(insert_twice, NULL, "the item is in a heap"));
    ck_assert(unit_check_fails(remove_after_moving, NULL, "the item has moved"));
    ck_assert(unit_check_fails(change_what_is_out, NULL, "the item has moved"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("heap");
    tcase_add_checked_fixture(tests, open_heap, close_heap);
    tcase_add_test(tests, an_empty_heap_gives_nothing);
    tcase_add_test(tests, items_come_out_by_key);
    tcase_add_test(tests, removing_what_is_in_no_heap_is_harmless);
    tcase_add_test(tests, random_calls_agree_with_a_plain_array);
    tcase_add_test(tests, a_heap_that_cannot_grow_says_so_and_stays_whole);
    tcase_add_test(tests, reserved_room_cannot_fail_later);
    tcase_add_test(tests, broken_rules_stop_the_process);
    return unit_run(tests);
}
