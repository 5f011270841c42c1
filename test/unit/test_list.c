/* Lists keep their order through every way of linking and unlinking. */
#include "test/unit/unit.h"

#include "base/list.h"

struct item {
    struct list_link link;
    int number;
};

/* The numbers in the list, read forwards as decimal digits; checks that reading backwards agrees. */
static int digits(const struct list *list)
{
    int forwards = 0, backwards = 0, weight = 1;
    list_each (list, at)
        forwards = forwards * 10 + container_of(at, struct item, link)->number;
    for (struct list_link *at = list->head.prev; at != &list->head; at = at->prev) {
        backwards += weight * container_of(at, struct item, link)->number;
        weight *= 10;
    }
    ck_assert_int_eq(forwards, backwards);
    return forwards;
}

static void fill(struct list *list, struct item *items, int from, int to)
{
    list_init(list);
    for (int i = from; i <= to; i++) {
        items[i].number = i;
        list_append(list, &items[i].link);
    }
}

START_TEST(an_empty_list_has_no_ends)
{
    struct list list;
    list_init(&list);
    ck_assert(list_empty(&list));
    ck_assert_ptr_null(list_first(&list));
    ck_assert_ptr_null(list_last(&list));
    ck_assert_ptr_null(list_take_first(&list));
}
END_TEST

START_TEST(append_and_prepend_work_at_their_ends)
{
    struct item items[4];
    struct list list;
    fill(&list, items, 1, 2);
    items[3].number = 3;
    list_prepend(&list, &items[3].link);
    ck_assert_int_eq(digits(&list), 312);
    ck_assert_ptr_eq(list_first(&list), &items[3].link);
    ck_assert_ptr_eq(list_last(&list), &items[2].link);
}
END_TEST

START_TEST(a_removed_link_is_in_no_list_and_may_be_removed_again)
{
    struct item items[4];
    struct list list;
    fill(&list, items, 1, 3);
    ck_assert(list_linked(&items[2].link));
    list_remove(&items[2].link);
    ck_assert(!list_linked(&items[2].link));
    list_remove(&items[2].link);
    ck_assert_int_eq(digits(&list), 13);
}
END_TEST

START_TEST(take_first_takes_in_order)
{
    struct item items[4];
    struct list list;
    fill(&list, items, 1, 3);
    for (int i = 1; i <= 3; i++)
        ck_assert_ptr_eq(list_take_first(&list), &items[i].link);
    ck_assert(list_empty(&list));
}
END_TEST

START_TEST(splice_moves_all_behind_and_leaves_nothing)
{
    struct item items[6];
    struct list to, from, none;
    fill(&to, items, 1, 2);
    fill(&from, items, 3, 5);
    list_init(&none);
    list_splice(&to, &none);
    ck_assert_int_eq(digits(&to), 12);
    list_splice(&to, &from);
    ck_assert_int_eq(digits(&to), 12345);
    ck_assert(list_empty(&from));
    list_splice(&none, &to);
    ck_assert_int_eq(digits(&none), 12345);
}
END_TEST

START_TEST(the_safe_walk_may_remove_where_it_stands)
{
    struct item items[6];
    struct list list;
    fill(&list, items, 1, 5);
    list_each_safe (&list, at) {
        if (container_of(at, struct item, link)->number % 2)
            list_remove(at);
    }
    ck_assert_int_eq(digits(&list), 24);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("list");
    tcase_add_test(tests, an_empty_list_has_no_ends);
    tcase_add_test(tests, append_and_prepend_work_at_their_ends);
    tcase_add_test(tests, a_removed_link_is_in_no_list_and_may_be_removed_again);
    tcase_add_test(tests, take_first_takes_in_order);
    tcase_add_test(tests, splice_moves_all_behind_and_leaves_nothing);
    tcase_add_test(tests, the_safe_walk_may_remove_where_it_stands);
    return unit_run(tests);
}
