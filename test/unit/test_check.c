/* A failed check says all it knows and stops the process; a rule that holds costs nothing and says nothing.
 */
#include "test/unit/unit.h"

#include "base/check.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void break_a_rule(void *argument)
{
    int pages = *(int *)argument;
    check(pages < 3, "%d pages, of which %s", pages, "none is ours");
}

static void break_a_rule_without_a_sentence(void *argument)
{
    check(!argument);
}

static void break_a_rule_with_a_long_sentence(void *argument)
{
    char sentence[4096];
    memset(sentence, 'x', sizeof sentence);
    sentence[sizeof sentence - 1] = '\0';
    check(!argument, "%s", sentence);
}

START_TEST(a_failed_check_prints_rule_sentence_place_build_and_backtrace)
{
    char said[8192], build[CHECK_BUILD_ID_BYTES];
    int pages = 4, status = unit_run_apart(break_a_rule, &pages, said, sizeof said);
    check_build_id(build);
    ck_assert_ptr_nonnull(strstr(said, "check failed: pages < 3\n"));
    ck_assert_ptr_nonnull(strstr(said, "4 pages, of which none is ours\n"));
    ck_assert_ptr_nonnull(strstr(said, "test/unit/test_check.c:"));
    ck_assert_ptr_nonnull(strstr(said, build));
    ck_assert_ptr_nonnull(strstr(said, "(check_failed+0x"));
    ck_assert_ptr_nonnull(strstr(said, "(unit_run_apart+0x"));
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

START_TEST(a_failed_check_needs_no_sentence)
{
    ck_assert(unit_check_fails(break_a_rule_without_a_sentence, "", "check failed: !argument\n  at "));
}
END_TEST

START_TEST(a_sentence_that_is_too_long_is_cut)
{
    ck_assert(unit_check_fails(break_a_rule_with_a_long_sentence, "", "xxx\n  at "));
}
END_TEST

START_TEST(a_rule_that_holds_is_silent)
{
    char said[8192];
    int pages = 2, status = unit_run_apart(break_a_rule, &pages, said, sizeof said);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(the_build_id_is_forty_hex_digits)
{
    char build[CHECK_BUILD_ID_BYTES];
    check_build_id(build);
    ck_assert_uint_eq(strspn(build, "0123456789abcdef"), 40);
    ck_assert_uint_eq(strlen(build), 40);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("check");
    tcase_add_test(tests, a_failed_check_prints_rule_sentence_place_build_and_backtrace);
    tcase_add_test(tests, a_failed_check_needs_no_sentence);
    tcase_add_test(tests, a_sentence_that_is_too_long_is_cut);
    tcase_add_test(tests, a_rule_that_holds_is_silent);
    tcase_add_test(tests, the_build_id_is_forty_hex_digits);
    return unit_run(tests);
}
