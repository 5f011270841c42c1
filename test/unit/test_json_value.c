/* json and jsonb do what PostgreSQL's do. */
#include "test/unit/unit.h"
#include "test/unit/value_cases.h"

START_TEST(types_read_and_write_as_in_postgresql)
{
    value_cases_run("json_types.cases");
}
END_TEST

START_TEST(functions_answer_as_in_postgresql)
{
    value_cases_run("json_functions.cases");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("json_value");
    tcase_add_test(tests, types_read_and_write_as_in_postgresql);
    tcase_add_test(tests, functions_answer_as_in_postgresql);
    return unit_run(tests);
}
