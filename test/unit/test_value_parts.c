/* What the evaluator asks of values beside their functions: subscripts and slices, records and their fields, subscripts of
 * jsonb; types out of a catalog (enums, row types); and functions within a fiber, whose stack is small. */
#include "test/unit/one_core.h"

#include "base/world.h"
#include "sqlfront/library/library.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/text/text.h"

#include <stdio.h>

/* ---- types of a catalog ---- */

enum { MOOD = 20000, POINT3, PLACE, PLACES };

static const struct enum_label moods[] = {
    {1003, 1, "sad"}, {1001, 2, "ok"}, {1007, 2.5, "good"}, {1002, 3, "happy"}};
static const struct type mood = {.oid = MOOD,
                                 .name = "mood",
                                 .length = 4,
                                 .category = 'E',
                                 .type_type = 'e',
                                 .kind = VALUE_INTEGER,
                                 .width = 4,
                                 .order = ORDER_ENUM,
                                 .ops = &enum_ops,
                                 .labels = moods,
                                 .label_count = 4};
static const struct row_field place_fields[] = {
    {"name", TYPE_TEXT, -1}, {"at", TYPE_ARRAY_OF_INT4, -1}, {"mood", MOOD, -1}, {"code", TYPE_VARCHAR, 7}};
static const struct type place = {.oid = PLACE,
                                  .name = "place",
                                  .length = -1,
                                  .category = 'C',
                                  .type_type = 'c',
                                  .kind = VALUE_BYTES,
                                  .order = ORDER_RECORD,
                                  .array = PLACES,
                                  .ops = &record_ops,
                                  .fields = place_fields,
                                  .field_count = 4};
static const struct type places = {.oid = PLACES,
                                   .name = "_place",
                                   .length = -1,
                                   .category = 'A',
                                   .type_type = 'b',
                                   .kind = VALUE_BYTES,
                                   .order = ORDER_ARRAY,
                                   .element = PLACE,
                                   .ops = &array_ops};

static const struct type *find(struct environment *environment, uint32_t oid)
{
    return oid == MOOD ? &mood : oid == PLACE ? &place : oid == PLACES ? &places : type_builtin(oid);
}

static struct environment environment;

static void open_values(void)
{
    core_open();
    environment = (struct environment){.type_find = find, .extra_float_digits = 1};
}

/* ---- reading and showing ---- */

static struct value value_of(const struct type *type, const char *text)
{
    struct value value = value_null();
    if (text)
        ck_assert_int_eq(type->ops->in(&environment, root, type, -1, bytes_of_text(text), &value, &error),
                         SQLSTATE_OK);
    return value;
}

static const char *shown(const struct type *type, const struct value *value)
{
    struct bytes text;
    if (value->null)
        return "null";
    ck_assert_int_eq(type->ops->out(&environment, root, type, value, &text, &error), SQLSTATE_OK);
    char *whole = scope_alloc(root, text.size + 1);
    memcpy(whole, text.data, text.size);
    whole[text.size] = '\0';
    return whole;
}

static const char *error_shown(enum sqlstate state)
{
    char *text = scope_alloc(root, 400), code[6];
    sqlstate_text(state, code);
    snprintf(text, 400, "%s %s", code, error_text(&error, ERROR_MESSAGE));
    return text;
}

/* ---- subscripts of arrays ---- */

static const struct type *integers(void)
{
    return type_builtin(TYPE_ARRAY_OF_INT4);
}

static const char *element(const char *array, int64_t first, int64_t second, uint32_t count)
{
    struct value value = value_of(integers(), array);
    struct value one = array_element(&value, (int64_t[]){first, second}, count);
    return shown(type_builtin(TYPE_INT4), &one);
}

START_TEST(an_element_is_found_by_its_subscripts_and_null_outside)
{
    ck_assert_str_eq(element("{7,8,9}", 1, 0, 1), "7");
    ck_assert_str_eq(element("{7,8,9}", 3, 0, 1), "9");
    ck_assert_str_eq(element("{7,8,9}", 0, 0, 1), "null");
    ck_assert_str_eq(element("{7,8,9}", 4, 0, 1), "null");
    ck_assert_str_eq(element("{7,NULL,9}", 2, 0, 1), "null");
    ck_assert_str_eq(element("[-1:1]={7,8,9}", -1, 0, 1), "7");
    ck_assert_str_eq(element("{{1,2},{3,4}}", 2, 1, 2), "3");
    ck_assert_str_eq(element("{{1,2},{3,4}}", 2, 1, 1), "null");
    ck_assert_str_eq(element("{}", 1, 0, 1), "null");
    ck_assert_str_eq(element("{1}", INT64_MAX, 0, 1), "null");
}
END_TEST

static struct array_bounds from_to(int64_t from, int64_t to)
{
    return (struct array_bounds){.lower = from, .upper = to, .lower_given = true, .upper_given = true};
}

static const char *slice(const char *array, const struct array_bounds *bounds, uint32_t count)
{
    struct value value = value_of(integers(), array), part;
    ck_assert_int_eq(array_slice(root, type_builtin(TYPE_INT4), &value, bounds, count, &part, &error),
                     SQLSTATE_OK);
    return shown(integers(), &part);
}

START_TEST(a_slice_is_cut_to_the_array_and_starts_at_1)
{
    ck_assert_str_eq(slice("{1,2,3,4}", (struct array_bounds[]){from_to(2, 3)}, 1), "{2,3}");
    ck_assert_str_eq(slice("{1,2,3,4}", (struct array_bounds[]){from_to(-5, 2)}, 1), "{1,2}");
    ck_assert_str_eq(slice("{1,2,3,4}", (struct array_bounds[]){from_to(3, 99)}, 1), "{3,4}");
    ck_assert_str_eq(slice("{1,2,3,4}", (struct array_bounds[]){from_to(3, 2)}, 1), "{}");
    ck_assert_str_eq(slice("{1,2,3,4}", (struct array_bounds[]){{.upper = 2, .upper_given = true}}, 1),
                     "{1,2}");
    ck_assert_str_eq(slice("[5:7]={1,2,3}", (struct array_bounds[]){from_to(6, 7)}, 1), "{2,3}");
    ck_assert_str_eq(slice("{{1,2,3},{4,5,6}}", (struct array_bounds[]){from_to(1, 2), from_to(2, 3)}, 2),
                     "{{2,3},{5,6}}");
    ck_assert_str_eq(slice("{{1,2},{3,4}}", (struct array_bounds[]){from_to(2, 2)}, 1), "{{3,4}}");
    ck_assert_str_eq(slice("{1,2}", (struct array_bounds[]){from_to(1, 1), from_to(1, 1)}, 2), "{}");
    ck_assert_str_eq(slice("{1,NULL,3}", (struct array_bounds[]){from_to(2, 3)}, 1), "{NULL,3}");
}
END_TEST

static const char *assigned(const char *array, const int64_t *subscripts, uint32_t count, const char *text)
{
    struct value value = value_of(integers(), array), one = value_of(type_builtin(TYPE_INT4), text), made;
    enum sqlstate failed =
        array_assign(root, type_builtin(TYPE_INT4), &value, subscripts, count, &one, &made, &error);
    return failed ? error_shown(failed) : shown(integers(), &made);
}

START_TEST(assigning_to_an_element_replaces_it_or_lets_the_array_grow)
{
    ck_assert_str_eq(assigned("{1,2,3}", (int64_t[]){2}, 1, "9"), "{1,9,3}");
    ck_assert_str_eq(assigned("{1,2,3}", (int64_t[]){2}, 1, NULL), "{1,NULL,3}");
    ck_assert_str_eq(assigned("{1}", (int64_t[]){4}, 1, "9"), "{1,NULL,NULL,9}");
    ck_assert_str_eq(assigned("{1}", (int64_t[]){-1}, 1, "9"), "[-1:1]={9,NULL,1}");
    ck_assert_str_eq(assigned(NULL, (int64_t[]){3}, 1, "9"), "[3:3]={9}");
    ck_assert_str_eq(assigned("{}", (int64_t[]){1, 2}, 2, "9"), "[1:1][2:2]={{9}}");
    ck_assert_str_eq(assigned("{{1,2},{3,4}}", (int64_t[]){2, 1}, 2, "9"), "{{1,2},{9,4}}");
    ck_assert_str_eq(assigned("{{1,2},{3,4}}", (int64_t[]){3, 1}, 2, "9"),
                     "2202E array subscript out of range");
    ck_assert_str_eq(assigned("{1}", (int64_t[]){1, 1}, 2, "9"), "2202E wrong number of array subscripts");
    ck_assert_str_eq(assigned("{1}", (int64_t[]){200000000}, 1, "9"),
                     "54000 array size exceeds the maximum allowed (134217727)");
    ck_assert_str_eq(assigned("{1}", (int64_t[]){1LL << 40}, 1, "9"), "22003 integer out of range");
}
END_TEST

static const char *slice_assigned(const char *array, const struct array_bounds *bounds, uint32_t count,
                                  const char *source)
{
    struct value value = value_of(integers(), array), from = value_of(integers(), source), made;
    enum sqlstate failed =
        array_assign_slice(root, type_builtin(TYPE_INT4), &value, bounds, count, &from, &made, &error);
    return failed ? error_shown(failed) : shown(integers(), &made);
}

START_TEST(assigning_to_a_slice_takes_as_many_elements_as_it_has)
{
    ck_assert_str_eq(slice_assigned("{1,2,3}", (struct array_bounds[]){from_to(2, 3)}, 1, "{8,9}"),
                     "{1,8,9}");
    ck_assert_str_eq(slice_assigned("{1,2,3}", (struct array_bounds[]){from_to(2, 2)}, 1, "{8,9}"),
                     "{1,8,3}");
    ck_assert_str_eq(slice_assigned("{1}", (struct array_bounds[]){from_to(3, 4)}, 1, "{8,9}"),
                     "{1,NULL,8,9}");
    ck_assert_str_eq(slice_assigned("{}", (struct array_bounds[]){from_to(2, 3)}, 1, "{8,9}"), "[2:3]={8,9}");
    ck_assert_str_eq(slice_assigned("{1,2,3}", (struct array_bounds[]){from_to(1, 3)}, 1, "{8,9}"),
                     "2202E source array too small");
    ck_assert_str_eq(slice_assigned("{1,2,3}", (struct array_bounds[]){from_to(3, 1)}, 1, "{8}"),
                     "2202E upper bound cannot be less than lower bound");
    ck_assert_str_eq(
        slice_assigned("{{1,2},{3,4}}", (struct array_bounds[]){from_to(1, 2), from_to(2, 2)}, 2, "{8,9}"),
        "{{1,8},{3,9}}");
    ck_assert_str_eq(
        slice_assigned("{}", (struct array_bounds[]){{.upper = 2, .upper_given = true}}, 1, "{8,9}"),
        "2202E array slice subscript must provide both boundaries");
    ck_assert_str_eq(slice_assigned("{1}", (struct array_bounds[]){from_to(1, 1)}, 1, NULL), "{1}");
}
END_TEST

START_TEST(arrays_of_arrays_must_be_alike)
{
    struct value rows[2] = {value_of(integers(), "{1,2}"), value_of(integers(), "{3,4}")}, made;
    ck_assert_int_eq(array_build_nested(root, type_builtin(TYPE_INT4), rows, 2, &made, &error), SQLSTATE_OK);
    ck_assert_str_eq(shown(integers(), &made), "{{1,2},{3,4}}");
    rows[1] = value_of(integers(), "{3}");
    ck_assert_int_eq(array_build_nested(root, type_builtin(TYPE_INT4), rows, 2, &made, &error),
                     SQLSTATE_ARRAY_SUBSCRIPT_ERROR);
    rows[0] = rows[1] = value_of(integers(), "{}");
    ck_assert_int_eq(array_build_nested(root, type_builtin(TYPE_INT4), rows, 2, &made, &error), SQLSTATE_OK);
    ck_assert_str_eq(shown(integers(), &made), "{}");
}
END_TEST

/* ---- records and enums ---- */

START_TEST(a_row_of_a_type_reads_and_shows_its_fields)
{
    struct value row = value_of(&place, "(\"a \"\"b\"\"\",\"{1,2}\",happy,)");
    uint32_t oid;
    ck_assert_str_eq(shown(&place, &row), "(\"a \"\"b\"\"\",\"{1,2}\",happy,)");
    ck_assert_uint_eq(record_count(&row), 4);
    struct value field = record_field(&row, 2, &oid);
    ck_assert_uint_eq(oid, MOOD);
    ck_assert_str_eq(shown(&mood, &field), "happy");
    ck_assert(record_field(&row, 3, &oid).null);
    ck_assert_str_eq(record_field_name(root, &place, &row, 1), "at");
    struct bytes binary;
    struct value again;
    ck_assert_int_eq(place.ops->send(&environment, root, &place, &row, &binary, &error), SQLSTATE_OK);
    ck_assert_int_eq(place.ops->receive(&environment, root, &place, -1, binary, &again, &error), SQLSTATE_OK);
    ck_assert(value_equal(&environment, &place, &row, &again));
    ck_assert_uint_eq(value_hash(&environment, &place, &row), value_hash(&environment, &place, &again));
}
END_TEST

START_TEST(a_wrong_row_says_what_is_wrong)
{
    static const char *const wrong[][2] = {
        {"a,b", "Missing left parenthesis."},
        {"(a,,,", "Unexpected end of input."},
        {"(a)", "Too few columns."},
        {"(a,,,,)", "Too many columns."},
        {"(a,,,)x", "Junk after right parenthesis."},
        {"(\"a", "Unexpected end of input."},
    };
    struct value row;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(
            place.ops->in(&environment, root, &place, -1, bytes_of_text(wrong[i][0]), &row, &error),
            SQLSTATE_INVALID_TEXT_REPRESENTATION);
        ck_assert_str_eq(error_text(&error, ERROR_DETAIL), wrong[i][1]);
    }
    enum sqlstate failed =
        place.ops->in(&environment, root, &place, -1, bytes_of_text("(,,mad,)"), &row, &error);
    ck_assert_str_eq(error_shown(failed), "22P02 invalid input value for enum mood: \"mad\"");
    failed = place.ops->in(&environment, root, &place, -1, bytes_of_text("(,,,abcd)"), &row, &error);
    ck_assert_str_eq(error_shown(failed), "22001 value too long for type character varying(3)");
    const struct type *record = type_builtin(TYPE_RECORD);
    failed = record->ops->in(&environment, root, record, -1, bytes_of_text("(1)"), &row, &error);
    ck_assert_str_eq(error_shown(failed), "0A000 input of anonymous composite types is not implemented");
}
END_TEST

START_TEST(enums_are_ordered_by_position_not_by_oid)
{
    struct value sad = value_of(&mood, "sad"), ok = value_of(&mood, "ok"), good = value_of(&mood, "good");
    ck_assert_int_lt(mood.ops->compare(&environment, &mood, &sad, &ok), 0);
    ck_assert_int_gt(mood.ops->compare(&environment, &mood, &good, &ok), 0);
    ck_assert_int_lt(value_compare(&environment, &mood, &ok, &good), 0);
}
END_TEST

/* ---- calling functions ---- */

static enum sqlstate run(const char *name, const struct type *const *types, uint32_t count,
                         const struct value *arguments, const struct type *result_type, struct value *result)
{
    struct call call = {.environment = &environment,
                        .scope = root,
                        .scope_lasting = root,
                        .error = &error,
                        .result = result_type,
                        .types = types,
                        .arguments = count,
                        .modifier = -1};
    const struct function *function = function_find(name);
    ck_assert_msg(function, "%s", name);
    return function->run(&call, arguments, result);
}

START_TEST(enum_functions_know_the_labels_of_their_type)
{
    const struct type *types[] = {&mood, &mood}, *text = type_builtin(TYPE_TEXT);
    const struct type list = {
        .oid = 20009, .name = "_mood", .category = 'A', .element = MOOD, .ops = &array_ops};
    struct value bounds[2] = {value_of(&mood, "ok"), value_null()}, result;
    ck_assert_int_eq(run("enum_first", types, 1, bounds, &mood, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(&mood, &result), "sad");
    ck_assert_int_eq(run("enum_last", types, 1, bounds, &mood, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(&mood, &result), "happy");
    ck_assert_int_eq(run("enum_range_bounds", types, 2, bounds, &list, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(&list, &result), "{ok,good,happy}");
    ck_assert_int_eq(run("enum_range_all", types, 1, bounds, &list, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(&list, &result), "{sad,ok,good,happy}");
    ck_assert_ptr_nonnull(text);
}
END_TEST

/* Those whose pg_proc row has a body in SQL: we bring them under that body. */
START_TEST(functions_with_a_body_in_sql_are_brought_too)
{
    const struct type *text = type_builtin(TYPE_TEXT), *integer = type_builtin(TYPE_INT4);
    const struct type *types[] = {text, integer, text}, *texts[] = {text, text, text};
    struct value arguments[3] = {value_text("hi"), value_integer(5)}, result;
    ck_assert_int_eq(run("RETURN lpad($1, $2, ' '::text)", types, 2, arguments, text, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(text, &result), "   hi");
    ck_assert_int_eq(run("RETURN rpad($1, $2, ' '::text)", types, 2, arguments, text, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(text, &result), "hi   ");
    ck_assert_int_eq(run("RETURN (octet_length($1) * 8)", types, 1, arguments, integer, &result),
                     SQLSTATE_OK);
    ck_assert_int_eq(result.i, 16);
    ck_assert_int_eq(
        run("select $1 operator(pg_catalog.||) $2::pg_catalog.text", types, 2, arguments, text, &result),
        SQLSTATE_OK);
    ck_assert_str_eq(shown(text, &result), "hi5");
    ck_assert_int_eq(run("select pg_catalog.quote_literal($1::pg_catalog.text)", &types[1], 1, &arguments[1],
                         text, &result),
                     SQLSTATE_OK);
    ck_assert_str_eq(shown(text, &result), "'5'");
    struct value similar[3] = {value_text("Thomas"), value_text("%#\"o_a#\"_"), value_text("#")};
    ck_assert_int_eq(
        run("RETURN \"substring\"($1, similar_to_escape($2, $3))", texts, 3, similar, text, &result),
        SQLSTATE_OK);
    ck_assert_str_eq(shown(text, &result), "oma");
}
END_TEST

START_TEST(rows_become_json_with_their_names_and_come_back)
{
    const struct type *json = type_builtin(TYPE_JSON), *types[] = {&place, json}, *array_types[] = {&places};
    struct value row[2] = {value_of(&place, "(x,\"{1,2}\",ok,)")}, result;
    ck_assert_int_eq(run("row_to_json", types, 1, row, json, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(json, &result), "{\"name\":\"x\",\"at\":[1,2],\"mood\":\"ok\",\"code\":null}");
    struct value list;
    ck_assert_int_eq(array_build_list(root, &place, row, 1, &list, &error), SQLSTATE_OK);
    ck_assert_int_eq(run("array_to_json", array_types, 1, &list, json, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(json, &result), "[{\"name\":\"x\",\"at\":[1,2],\"mood\":\"ok\",\"code\":null}]");
    row[1] = value_of(json, "{\"at\": [[5]], \"code\": 12, \"mood\": \"happy\", \"other\": 0}");
    ck_assert_int_eq(run("json_populate_record", types, 2, row, &place, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(&place, &result), "(x,{{5}},happy,12)");
    row[1] = value_of(json, "{\"at\": 7}");
    ck_assert_str_eq(error_shown(run("json_populate_record", types, 2, row, &place, &result)),
                     "22P02 expected JSON array");
    row[1] = value_of(json, "[1]");
    ck_assert_str_eq(error_shown(run("json_populate_record", types, 2, row, &place, &result)),
                     "22023 cannot call json_populate_record on an array");
}
END_TEST

START_TEST(sets_of_rows_come_out_of_json_as_records_or_columns)
{
    const struct type *jsonb = type_builtin(TYPE_JSONB), *types[] = {&place, jsonb};
    struct value arguments[2] = {value_null(),
                                 value_of(jsonb, "[{\"name\": \"a\"}, {\"mood\": \"ok\", \"name\": null}]")};
    struct call call = {.environment = &environment,
                        .scope = root,
                        .scope_lasting = root,
                        .error = &error,
                        .result = &place,
                        .types = types,
                        .arguments = 2,
                        .modifier = -1};
    const struct set_function *records = set_function_find("jsonb_populate_recordset"),
                              *columns = set_function_find("jsonb_to_recordset");
    struct value row[4];
    bool end;
    ck_assert_int_eq(records->open(&call, arguments), SQLSTATE_OK);
    ck_assert_int_eq(records->next(&call, row, &end), SQLSTATE_OK);
    ck_assert_str_eq(shown(&place, &row[0]), "(a,,,)");
    ck_assert_int_eq(records->next(&call, row, &end), SQLSTATE_OK);
    ck_assert_str_eq(shown(&place, &row[0]), "(,,ok,)");
    ck_assert_int_eq(records->next(&call, row, &end), SQLSTATE_OK);
    ck_assert(end);
    call.memory = NULL;
    call.types = &types[1];
    call.arguments = 1;
    ck_assert_int_eq(columns->open(&call, &arguments[1]), SQLSTATE_OK);
    ck_assert_int_eq(columns->next(&call, row, &end), SQLSTATE_OK);
    ck_assert_str_eq(shown(type_builtin(TYPE_TEXT), &row[0]), "a");
    ck_assert(row[1].null && row[2].null && row[3].null);
    struct value wrong = value_of(jsonb, "[1]");
    ck_assert_int_eq(columns->open(&call, &wrong), SQLSTATE_OK);
    ck_assert_str_eq(error_shown(columns->next(&call, row, &end)),
                     "22023 argument of jsonb_to_recordset must be an array of objects");
}
END_TEST

START_TEST(a_row_without_a_type_keeps_its_names)
{
    static const struct row_field fields[] = {{"id", TYPE_INT4, -1}, {"label", TYPE_TEXT, -1}};
    const struct type named = {
        .oid = TYPE_RECORD, .name = "record", .ops = &record_ops, .fields = fields, .field_count = 2};
    const struct type *columns[] = {type_builtin(TYPE_INT4), type_builtin(TYPE_TEXT)};
    const struct type *json = type_builtin(TYPE_JSON), *plain = type_builtin(TYPE_RECORD);
    struct value values[] = {value_integer(1), value_text("a")}, row, result;
    ck_assert_int_eq(record_build(root, &named, columns, values, 2, &row, &error), SQLSTATE_OK);
    ck_assert_int_eq(run("row_to_json", &plain, 1, &row, json, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(json, &result), "{\"id\":1,\"label\":\"a\"}");
    ck_assert_int_eq(record_build(root, plain, columns, values, 2, &row, &error), SQLSTATE_OK);
    ck_assert_int_eq(run("row_to_json", &plain, 1, &row, json, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(json, &result), "{\"f1\":1,\"f2\":\"a\"}");
}
END_TEST

START_TEST(rows_are_compared_field_by_field)
{
    const struct type *plain = type_builtin(TYPE_RECORD), *types[] = {plain, plain};
    const struct type *columns[] = {type_builtin(TYPE_INT4), type_builtin(TYPE_TEXT)};
    struct value values[] = {value_integer(1), value_text("a")}, rows[2], result;
    ck_assert_int_eq(record_build(root, plain, columns, values, 2, &rows[0], &error), SQLSTATE_OK);
    values[1] = value_null();
    ck_assert_int_eq(record_build(root, plain, columns, values, 2, &rows[1], &error), SQLSTATE_OK);
    ck_assert_int_eq(run("record_lt", types, 2, rows, type_builtin(TYPE_BOOL), &result), SQLSTATE_OK);
    ck_assert_int_eq(result.i, 1);
    ck_assert_int_eq(run("record_image_eq", types, 2, rows, type_builtin(TYPE_BOOL), &result), SQLSTATE_OK);
    ck_assert_int_eq(result.i, 0);
    ck_assert_int_eq(run("record_image_ne", types, 2, (struct value[]){rows[0], rows[0]},
                         type_builtin(TYPE_BOOL), &result),
                     SQLSTATE_OK);
    ck_assert_int_eq(result.i, 0);
    ck_assert_int_eq(record_build(root, plain, columns, values, 1, &rows[1], &error), SQLSTATE_OK);
    ck_assert_str_eq(error_shown(run("record_eq", types, 2, rows, type_builtin(TYPE_BOOL), &result)),
                     "42804 cannot compare record types with different numbers of columns");
    columns[0] = type_builtin(TYPE_INT8);
    ck_assert_int_eq(record_build(root, plain, columns, values, 2, &rows[1], &error), SQLSTATE_OK);
    ck_assert_str_eq(error_shown(run("record_eq", types, 2, rows, type_builtin(TYPE_BOOL), &result)),
                     "42804 cannot compare dissimilar column types integer and bigint at record column 1");
}
END_TEST

/* ---- subscripts of jsonb ---- */

static const char *jsonb_assigned(const char *target, const char *first, const char *second, const char *with)
{
    const struct type *type = type_builtin(TYPE_JSONB);
    struct value value = value_of(type, target), new = value_of(type, with), made;
    struct value steps[2] = {value_text(first)};
    if (second)
        steps[1] = value_text(second);
    enum sqlstate failed =
        jsonb_subscript_set(&environment, root, &value, steps, second ? 2 : 1, &new, &made, &error);
    return failed ? error_shown(failed) : shown(type, &made);
}

START_TEST(assigning_to_a_jsonb_makes_what_is_missing_on_the_way)
{
    ck_assert_str_eq(jsonb_assigned("{\"a\": 1}", "b", NULL, "2"), "{\"a\": 1, \"b\": 2}");
    ck_assert_str_eq(jsonb_assigned(NULL, "b", NULL, "2"), "{\"b\": 2}");
    ck_assert_str_eq(jsonb_assigned(NULL, "2", NULL, "2"), "[null, null, 2]");
    ck_assert_str_eq(jsonb_assigned("[1]", "3", NULL, "9"), "[1, null, null, 9]");
    ck_assert_str_eq(jsonb_assigned("[1,2]", "-1", NULL, "9"), "[1, 9]");
    ck_assert_str_eq(jsonb_assigned("{}", "a", "b", "1"), "{\"a\": {\"b\": 1}}");
    ck_assert_str_eq(jsonb_assigned("{}", "a", "1", "1"), "{\"a\": [null, 1]}");
    ck_assert_str_eq(jsonb_assigned("{\"a\": null}", "a", "b", NULL), "{\"a\": {\"b\": null}}");
    ck_assert_str_eq(jsonb_assigned("[1]", "-3", NULL, "9"),
                     "22023 path element at position 1 is out of range: -3");
    ck_assert_str_eq(jsonb_assigned("{\"a\": 5}", "a", "b", "1"), "22023 cannot replace existing key");
    ck_assert_str_eq(jsonb_assigned("[1]", "x", NULL, "9"),
                     "22P02 path element at position 1 is not an integer: \"x\"");
}
END_TEST

START_TEST(a_subscript_of_a_jsonb_is_null_where_there_is_nothing)
{
    const struct type *type = type_builtin(TYPE_JSONB);
    struct value value = value_of(type, "{\"a\": [1, {\"b\": 2}]}"), found;
    struct value steps[3] = {value_text("a"), value_text("-1"), value_text("b")};
    ck_assert_int_eq(jsonb_subscript_get(root, &value, steps, 3, &found, &error), SQLSTATE_OK);
    ck_assert_str_eq(shown(type, &found), "2");
    steps[1] = value_text("7");
    ck_assert_int_eq(jsonb_subscript_get(root, &value, steps, 3, &found, &error), SQLSTATE_OK);
    ck_assert(found.null);
}
END_TEST

/* ---- bounds ---- */

static char *repeated(const char *piece, size_t times)
{
    size_t length = strlen(piece);
    char *text = scope_alloc(root, length * times + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * length, piece, length);
    text[length * times] = '\0';
    return text;
}

START_TEST(json_that_is_too_deep_is_54001)
{
    const struct type *json = type_builtin(TYPE_JSON), *jsonb = type_builtin(TYPE_JSONB);
    struct value value;
    ck_assert_str_eq(error_shown(json->ops->in(&environment, root, json, -1,
                                               bytes_of_text(repeated("[", 10000)), &value, &error)),
                     "54001 stack depth limit exceeded");
    ck_assert_str_eq(error_shown(jsonb->ops->in(&environment, root, jsonb, -1,
                                                bytes_of_text(repeated("{\"a\":", 10000)), &value, &error)),
                     "54001 stack depth limit exceeded");
    char *deep = scope_alloc(root, 513);
    memset(deep, '[', 256);
    memset(deep + 256, ']', 256);
    deep[512] = '\0';
    struct value first = value_of(jsonb, deep), second = value_of(jsonb, deep), list;
    ck_assert_int_eq(value_compare(&environment, jsonb, &first, &second), 0);
    ck_assert_uint_eq(value_hash(&environment, jsonb, &first), value_hash(&environment, jsonb, &second));
    const struct type *types[] = {jsonb, jsonb};
    struct value both[] = {first, value_of(jsonb, "[1]")};
    ck_assert_int_eq(run("jsonb_build_array", types, 1, both, jsonb, &list), SQLSTATE_STATEMENT_TOO_COMPLEX);
    ck_assert_int_eq(run("jsonb_concat", types, 2, both, jsonb, &list), SQLSTATE_OK);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_22021)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } wrong[] = {
        {"a\xff", 2, "22021 invalid byte sequence for encoding \"UTF8\": 0xff"},
        {"\xc3", 1, "22021 invalid byte sequence for encoding \"UTF8\": 0xc3"},
        {"abcdefgh\xe2\x82", 10, "22021 invalid byte sequence for encoding \"UTF8\": 0xe2 0x82"},
        {"a\0b", 3, "22021 invalid byte sequence for encoding \"UTF8\": 0x00"},
        {"\xed\xa0\x80", 3, "22021 invalid byte sequence for encoding \"UTF8\": 0xed 0xa0 0x80"},
    };
    static const uint32_t oids[] = {TYPE_TEXT, TYPE_VARCHAR, TYPE_BPCHAR, TYPE_NAME, TYPE_JSON, TYPE_JSONB};
    struct value value;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (size_t t = 0; t < sizeof oids / sizeof oids[0]; t++) {
            const struct type *type = type_builtin(oids[t]);
            ck_assert_str_eq(
                error_shown(type->ops->in(&environment, root, type, -1,
                                          bytes_of(wrong[i].bytes, wrong[i].size), &value, &error)),
                wrong[i].says);
        }
}
END_TEST

START_TEST(a_search_that_would_never_end_is_given_up)
{
    const struct type *text = type_builtin(TYPE_TEXT), *types[] = {text, text};
    /* A reference keeps out the search that follows all ways at once. */
    struct value arguments[] = {value_text(repeated("a", 40)), value_text("^((a|aa)+)+\\1[bc]$")}, result;
    ck_assert_str_eq(error_shown(run("textregexeq", types, 2, arguments, type_builtin(TYPE_BOOL), &result)),
                     "54000 regular expression match takes too many steps");
}
END_TEST

/* ---- within a fiber ---- */

static void use_a_fibers_stack(void *argument)
{
    const struct type *text = type_builtin(TYPE_TEXT), *jsonb = type_builtin(TYPE_JSONB);
    const struct type *types[] = {text, text}, *json_types[] = {jsonb, jsonb};
    struct value arguments[] = {value_text(repeated("xay", 50)), value_text("(x|xa)(y|ay)(x?)(xa)?")}, result;
    ck_assert_int_eq(run("textregexsubstr", types, 2, arguments, text, &result), SQLSTATE_OK);
    ck_assert_str_eq(shown(text, &result), "x");
    char *deep = repeated("[", 500);
    memset(deep + 250, ']', 250);
    struct value both[] = {value_of(jsonb, deep), value_of(jsonb, deep)};
    ck_assert_int_eq(value_compare(&environment, jsonb, &both[0], &both[1]), 0);
    /* Recurses: an answer, or 54001, and in no case the end of the stack. */
    enum sqlstate failed = run("jsonb_contains", json_types, 2, both, type_builtin(TYPE_BOOL), &result);
    ck_assert(failed == SQLSTATE_OK || failed == SQLSTATE_STATEMENT_TOO_COMPLEX);
    *(bool *)argument = true;
}

START_TEST(patterns_and_json_make_do_with_a_fibers_stack)
{
    struct world world = {.scheduler = scheduler};
    bool done = false;
    environment.world = &world;
    start(use_a_fibers_stack, &done);
    run_all();
    ck_assert(done);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("value_parts");
    tcase_add_checked_fixture(tests, open_values, core_close);
    tcase_add_test(tests, an_element_is_found_by_its_subscripts_and_null_outside);
    tcase_add_test(tests, a_slice_is_cut_to_the_array_and_starts_at_1);
    tcase_add_test(tests, assigning_to_an_element_replaces_it_or_lets_the_array_grow);
    tcase_add_test(tests, assigning_to_a_slice_takes_as_many_elements_as_it_has);
    tcase_add_test(tests, arrays_of_arrays_must_be_alike);
    tcase_add_test(tests, a_row_of_a_type_reads_and_shows_its_fields);
    tcase_add_test(tests, a_wrong_row_says_what_is_wrong);
    tcase_add_test(tests, enums_are_ordered_by_position_not_by_oid);
    tcase_add_test(tests, enum_functions_know_the_labels_of_their_type);
    tcase_add_test(tests, functions_with_a_body_in_sql_are_brought_too);
    tcase_add_test(tests, rows_become_json_with_their_names_and_come_back);
    tcase_add_test(tests, sets_of_rows_come_out_of_json_as_records_or_columns);
    tcase_add_test(tests, a_row_without_a_type_keeps_its_names);
    tcase_add_test(tests, rows_are_compared_field_by_field);
    tcase_add_test(tests, assigning_to_a_jsonb_makes_what_is_missing_on_the_way);
    tcase_add_test(tests, a_subscript_of_a_jsonb_is_null_where_there_is_nothing);
    tcase_add_test(tests, json_that_is_too_deep_is_54001);
    tcase_add_test(tests, bytes_that_are_no_text_are_22021);
    tcase_add_test(tests, a_search_that_would_never_end_is_given_up);
    tcase_add_test(tests, patterns_and_json_make_do_with_a_fibers_stack);
    return unit_run(tests);
}
