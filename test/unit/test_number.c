/* Numbers do what PostgreSQL's do: text and binary forms, functions, aggregates. */
#include "test/unit/unit.h"
#include "test/unit/value_cases.h"

START_TEST(types_read_and_write_as_in_postgresql)
{
    value_cases_run("number_types.cases");
}
END_TEST

START_TEST(functions_answer_as_in_postgresql)
{
    value_cases_run("number_functions.cases");
}
END_TEST

START_TEST(aggregates_whole_and_in_parts_answer_as_in_postgresql)
{
    value_cases_run("number_aggregates.cases");
}
END_TEST

START_TEST(formats_answer_as_in_postgresql)
{
    value_cases_run("number_formats.cases");
}
END_TEST

START_TEST(random_numerics_calculate_as_in_postgresql)
{
    value_cases_run("number_random.cases");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("number");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, types_read_and_write_as_in_postgresql);
    tcase_add_test(tests, functions_answer_as_in_postgresql);
    tcase_add_test(tests, aggregates_whole_and_in_parts_answer_as_in_postgresql);
    tcase_add_test(tests, formats_answer_as_in_postgresql);
    tcase_add_test(tests, random_numerics_calculate_as_in_postgresql);
    return unit_run(tests);
}
