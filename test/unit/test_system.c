/* Pages behave as stacks need them: zero, guarded, counted, given back. */
#include "test/unit/unit.h"

#include "base/system.h"

#include <string.h>
#include <sys/wait.h>

#define PAGES 16

/* (An assertion for each byte would take seconds.) */
static bool all_zero(const char *pages, size_t bytes)
{
    return pages[0] == 0 && memcmp(pages, pages + 1, bytes - 1) == 0;
}

START_TEST(mapped_pages_are_zero_and_writable)
{
    size_t bytes = PAGES * system_page_bytes();
    char *pages = system_pages_map(bytes, false);
    ck_assert_ptr_nonnull(pages);
    ck_assert(all_zero(pages, bytes));
    memset(pages, 1, bytes);
    system_pages_unmap(pages, bytes);
}
END_TEST

static void touch(void *byte)
{
    *(volatile char *)byte = 1;
}

START_TEST(the_guard_stops_the_process_and_nothing_above_it_does)
{
    char said[8192];
    size_t page = system_page_bytes(), bytes = PAGES * page;
    char *pages = system_pages_map(bytes, true);
    ck_assert_int_eq(unit_run_apart(touch, pages + page, said, sizeof said), 0);
    ck_assert_int_ne(unit_run_apart(touch, pages + page - 1, said, sizeof said), 0);
    ck_assert_int_ne(unit_run_apart(touch, pages, said, sizeof said), 0);
    system_pages_unmap(pages, bytes);
}
END_TEST

START_TEST(a_discarded_page_reads_as_zero_and_the_guard_stays)
{
    char said[8192];
    size_t page = system_page_bytes(), bytes = PAGES * page;
    char *pages = system_pages_map(bytes, true);
    memset(pages + page, 7, bytes - page);
    system_pages_discard(pages, bytes);
    ck_assert(all_zero(pages + page, bytes - page));
    ck_assert_int_ne(unit_run_apart(touch, pages, said, sizeof said), 0);
    system_pages_unmap(pages, bytes);
}
END_TEST

START_TEST(the_high_water_mark_is_the_lowest_touched_page)
{
    size_t page = system_page_bytes(), bytes = PAGES * page;
    char *pages = system_pages_map(bytes, true);
    ck_assert_uint_eq(system_pages_touched_from_top(pages, bytes), 0);
    pages[bytes - 1] = 1;
    ck_assert_uint_eq(system_pages_touched_from_top(pages, bytes), page);
    pages[3 * page + 5] = 1; /* a deep call that jumped over pages */
    ck_assert_uint_eq(system_pages_touched_from_top(pages, bytes), bytes - 3 * page);
    system_pages_discard(pages, bytes);
    ck_assert_uint_eq(system_pages_touched_from_top(pages, bytes), 0);
    system_pages_unmap(pages, bytes);
}
END_TEST

START_TEST(the_high_water_mark_of_a_large_mapping_is_found)
{
    size_t page = system_page_bytes(), bytes = 5000 * page;
    char *pages = system_pages_map(bytes, true);
    pages[2500 * page] = 1;
    ck_assert_uint_eq(system_pages_touched_from_top(pages, bytes), 2500 * page);
    system_pages_unmap(pages, bytes);
}
END_TEST

START_TEST(more_pages_than_there_are_addresses_are_refused)
{
    ck_assert_ptr_null(system_pages_map((size_t)1 << 62, true));
}
END_TEST

static void say_last_words(void *argument)
{
    system_write_error(argument, strlen(argument));
    system_stop();
}

START_TEST(last_words_are_written_before_the_end)
{
    char said[8192];
    int status = unit_run_apart(say_last_words, "last words", said, sizeof said);
    ck_assert_str_eq(said, "last words");
    ck_assert(WIFSIGNALED(status));
}
END_TEST

START_TEST(a_build_id_is_cut_to_its_room)
{
    unsigned char whole[20], part[8];
    ck_assert_uint_eq(system_build_id(whole, sizeof whole), sizeof whole);
    ck_assert_uint_eq(system_build_id(part, sizeof part), sizeof part);
    ck_assert_int_eq(memcmp(whole, part, sizeof part), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("system");
    tcase_add_test(tests, mapped_pages_are_zero_and_writable);
    tcase_add_test(tests, the_guard_stops_the_process_and_nothing_above_it_does);
    tcase_add_test(tests, a_discarded_page_reads_as_zero_and_the_guard_stays);
    tcase_add_test(tests, the_high_water_mark_is_the_lowest_touched_page);
    tcase_add_test(tests, the_high_water_mark_of_a_large_mapping_is_found);
    tcase_add_test(tests, more_pages_than_there_are_addresses_are_refused);
    tcase_add_test(tests, last_words_are_written_before_the_end);
    tcase_add_test(tests, a_build_id_is_cut_to_its_room);
    return unit_run(tests);
}
