/* Dates, times, time stamps and intervals do what PostgreSQL's do. */
#include "test/unit/unit.h"
#include "test/unit/value_cases.h"

START_TEST(types_read_and_write_as_in_postgresql)
{
    value_cases_run("time_types.cases");
}
END_TEST

START_TEST(functions_answer_as_in_postgresql)
{
    value_cases_run("time_functions.cases");
}
END_TEST

START_TEST(formats_answer_as_in_postgresql)
{
    value_cases_run("time_formats.cases");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("time");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, types_read_and_write_as_in_postgresql);
    tcase_add_test(tests, functions_answer_as_in_postgresql);
    tcase_add_test(tests, formats_answer_as_in_postgresql);
    return unit_run(tests);
}
