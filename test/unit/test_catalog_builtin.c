/* What is built in, found without an engine. */
#include "sqlfront/catalog/builtin.h"
#include "test/unit/unit.h"

#include <string.h>

START_TEST(a_procedure_is_found_by_oid)
{
    const struct procedure *found = procedure_builtin(177); /* int4pl */
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found->name, "int4pl");
    ck_assert_uint_eq(found->arguments, 2);
    ck_assert_uint_eq(found->argument_types[1], TYPE_INT4);
    ck_assert_uint_eq(found->result, TYPE_INT4);
    ck_assert(found->strict);
    ck_assert_int_eq(found->kind, 'f');
    ck_assert_int_eq(found->language, 'i');
    ck_assert_ptr_null(procedure_builtin(16384));
}
END_TEST

START_TEST(procedures_of_a_name_are_found_together)
{
    uint32_t first, count = procedures_named("abs", &first);
    ck_assert_uint_eq(count, 6);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_str_eq(procedures_builtin[procedures_by_name[first + i]].name, "abs");
    ck_assert_uint_eq(procedures_named("no_such", &first), 0);
}
END_TEST

START_TEST(defaults_outputs_and_names_are_known)
{
    const struct procedure *path = procedure_builtin(4005); /* jsonb_path_exists */
    ck_assert_uint_eq(path->defaults, 2);
    ck_assert_str_eq(path->default_texts[0], "'{}'::jsonb");
    ck_assert_str_eq(path->default_texts[1], "false");
    ck_assert_str_eq(path->argument_names[3], "silent");
    const struct procedure *each = procedure_builtin(3208); /* jsonb_each */
    ck_assert(each->returns_set);
    ck_assert_uint_eq(each->outputs, 2);
    ck_assert_uint_eq(each->output_types[0], TYPE_TEXT);
    ck_assert_str_eq(each->output_names[1], "value");
    const struct procedure *concat = procedure_builtin(3058);
    ck_assert_uint_eq(concat->variadic, TYPE_ANY);
    ck_assert_int_eq(procedure_builtin(3972)->aggregate_kind, 'o'); /* percentile_disc */
}
END_TEST

START_TEST(the_body_of_a_function_in_sql_is_a_select)
{
    const struct procedure *found = procedure_builtin(879); /* lpad(text, integer) */
    ck_assert_int_eq(found->language, 's');
    ck_assert_str_eq(found->source, "SELECT lpad($1, $2, ' '::text)");
}
END_TEST

START_TEST(operators_know_what_they_mean_for_an_index)
{
    ck_assert_int_eq(operator_builtin(96)->strategy, 3);   /* int4 = int4 */
    ck_assert_int_eq(operator_builtin(97)->strategy, 1);   /* int4 < int4 */
    ck_assert_int_eq(operator_builtin(15)->strategy, 3);   /* int4 = int8 */
    ck_assert_int_eq(operator_builtin(518)->strategy, 6);  /* int4 <> int4 */
    ck_assert_int_eq(operator_builtin(2314)->strategy, 0); /* text ~<~ text: of another class */
    ck_assert_int_eq(operator_builtin(551)->strategy, 0);  /* int4 + int4 */
    ck_assert_uint_eq(operator_builtin(558)->left, 0);     /* - int4 */
    uint32_t first;
    ck_assert_uint_eq(operators_named("||", &first), 11);
}
END_TEST

START_TEST(a_type_is_compared_by_its_own_operator_or_that_of_its_bytes)
{
    ck_assert_uint_eq(catalog_comparison(TYPE_INT4, 3)->oid, 96);
    ck_assert_uint_eq(catalog_comparison(TYPE_VARCHAR, 3)->oid, 98);
    ck_assert_uint_eq(catalog_comparison(TYPE_REGCLASS, 1)->oid, 609);
    ck_assert_uint_eq(catalog_comparison(TYPE_XID, 3)->oid, 352);
    ck_assert_ptr_null(catalog_comparison(TYPE_JSON, 3));
    ck_assert_ptr_null(catalog_comparison(TYPE_XID, 1));
}
END_TEST

START_TEST(casts_are_found_by_both_types)
{
    const struct cast *cast = catalog_cast(TYPE_INT4, TYPE_INT8);
    ck_assert_uint_eq(cast->procedure, 481);
    ck_assert_int_eq(cast->context, 'i');
    ck_assert_int_eq(cast->method, 'f');
    ck_assert_int_eq(catalog_cast(TYPE_INT8, TYPE_INT4)->context, 'a');
    ck_assert_int_eq(catalog_cast(TYPE_VARCHAR, TYPE_TEXT)->method, 'b');
    ck_assert_ptr_null(catalog_cast(TYPE_BOOL, TYPE_DATE));
}
END_TEST

START_TEST(relations_of_the_system_have_their_columns_and_keys)
{
    const struct system_relation *found = system_relation_find(1259);
    ck_assert_str_eq(found->name, "pg_class");
    ck_assert_uint_eq(found->row_type, 83);
    ck_assert_uint_eq(found->columns, 33);
    ck_assert_str_eq(found->column[1].name, "relname");
    ck_assert_uint_eq(found->column[1].type, TYPE_NAME);
    ck_assert_uint_eq(found->column[1].collation, 950);
    ck_assert(found->column[1].not_null);
    ck_assert(!found->column[30].not_null);
    ck_assert_uint_eq(found->indexes, 3);
    ck_assert(found->index[0].primary);
    ck_assert(system_relation_find(1260)->shared);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("catalog_builtin");
    tcase_add_test(tests, a_procedure_is_found_by_oid);
    tcase_add_test(tests, procedures_of_a_name_are_found_together);
    tcase_add_test(tests, defaults_outputs_and_names_are_known);
    tcase_add_test(tests, the_body_of_a_function_in_sql_is_a_select);
    tcase_add_test(tests, operators_know_what_they_mean_for_an_index);
    tcase_add_test(tests, a_type_is_compared_by_its_own_operator_or_that_of_its_bytes);
    tcase_add_test(tests, casts_are_found_by_both_types);
    tcase_add_test(tests, relations_of_the_system_have_their_columns_and_keys);
    return unit_run(tests);
}
