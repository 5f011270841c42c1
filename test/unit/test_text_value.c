/* Texts, bytes, uuids and regular expressions do what PostgreSQL's do. */
#include "test/unit/unit.h"
#include "test/unit/value_cases.h"

START_TEST(types_read_and_write_as_in_postgresql)
{
    value_cases_run("text_types.cases");
}
END_TEST

START_TEST(functions_answer_as_in_postgresql)
{
    value_cases_run("text_functions.cases");
}
END_TEST

START_TEST(regular_expressions_match_as_in_postgresql)
{
    value_cases_run("regexp.cases");
    value_cases_run("regexp_random.cases");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("text_value");
    tcase_add_test(tests, types_read_and_write_as_in_postgresql);
    tcase_add_test(tests, functions_answer_as_in_postgresql);
    tcase_add_test(tests, regular_expressions_match_as_in_postgresql);
    return unit_run(tests);
}
