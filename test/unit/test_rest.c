/* What the REST interface reads and writes without a session: keys, ids, values as JSON, JSON as parameters, texts of several
 * statements, and which core a request goes to. */
#include "test/unit/unit.h"

#include "base/scope.h"
#include "restgw/api/inside.h"
#include "test/unit/value_session.h"

#include <stdio.h>
#include <string.h>

static struct scope *root;
static struct environment *environment;
static struct error error;
static uint8_t secret[32] = "of this test, and nobody else's";

static void open_scope(void)
{
    root = scope_open_root("test", NULL);
    environment = value_session_open(root);
    error_clear(&error);
}

static void close_scope(void)
{
    scope_close(root);
}

/* ---- keys and ids ---- */

static struct session_key key_of(uint64_t number)
{
    struct session_key key = {
        .view = 9, .node = 7, .number = number, .role_check = session_key_role_check("app")};
    key.issued_us = 1700000000000000;
    memset(key.random, 0xa5, sizeof key.random);
    return key;
}

START_TEST(a_key_says_what_was_written_into_it)
{
    char text[SESSION_KEY_TEXT_BYTES];
    struct session_key key = key_of(UINT64_MAX - 5), read;
    session_key_write(&key, secret, text);
    ck_assert_uint_eq(strlen(text), SESSION_KEY_TEXT_BYTES - 1);
    ck_assert(session_key_read(bytes_of_text(text), secret, &read));
    ck_assert_uint_eq(read.view, 9);
    ck_assert_uint_eq(read.node, 7);
    ck_assert_uint_eq(read.number, UINT64_MAX - 5);
    ck_assert_uint_eq(read.role_check, key.role_check);
    ck_assert_int_eq(read.issued_us, key.issued_us);
    ck_assert_mem_eq(read.random, key.random, sizeof key.random);
}

START_TEST(a_key_with_any_letter_changed_or_another_secret_is_none)
{
    char text[SESSION_KEY_TEXT_BYTES], changed[SESSION_KEY_TEXT_BYTES];
    struct session_key key = key_of(1), read;
    uint8_t other[32] = "another";
    session_key_write(&key, secret, text);
    ck_assert(!session_key_read(bytes_of_text(text), other, &read));
    for (size_t i = 0; i < sizeof text - 1; i++) {
        memcpy(changed, text, sizeof text);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ck_assert_msg(!session_key_read(bytes_of_text(changed), secret, &read), "letter %zu", i);
    }
    ck_assert(!session_key_read(bytes_of(text, sizeof text - 2), secret, &read));
}

START_TEST(ids_are_read_as_they_are_written)
{
    static const char *const wrong[] = {"", "1.1.", "1.2.5", "1.1.x", "1.1.5 ", "1.1.99999999999999999999"};
    uint64_t number;
    ck_assert(id_read(bytes_of_text(id_text(root, 114893911549796289)), &number));
    ck_assert_uint_eq(number, 114893911549796289);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(!id_read(bytes_of_text(wrong[i]), &number), "%s", wrong[i]);
}

/* ---- places ---- */

static uint32_t place_of(const char *name, const char *value)
{
    struct api_shared *shared = scope_alloc_zeroed(root, sizeof *shared);
    shared->cores = 4;
    const struct http_header header = {bytes_of_text(name), bytes_of_text(value)};
    const struct http_head head = {.headers = &header, .header_count = 1};
    return api_place(shared, &head);
}

START_TEST(a_request_goes_to_its_session_s_core)
{
    char text[SESSION_KEY_TEXT_BYTES], header[SESSION_KEY_TEXT_BYTES + 8];
    for (uint32_t core = 0; core < 4; core++) {
        struct session_key key = key_of(1000 * CORES_MAX + core);
        session_key_write(&key, secret, text);
        snprintf(header, sizeof header, "Bearer %s", text);
        ck_assert_uint_eq(place_of("authorization", header), core);
    }
    ck_assert_uint_eq(place_of("authorization", "Bearer synk_x"), UINT32_MAX);
    ck_assert_uint_eq(place_of("authorization", "Basic xyz"), UINT32_MAX);
    ck_assert_uint_eq(place_of("accept", "x"), UINT32_MAX);
    ck_assert_uint_eq(place_of("cookie", "a=b; __Host-synod=short"), UINT32_MAX);
}

START_TEST(who_signs_in_with_a_password_is_taken_at_the_first_colon)
{
    const char *role;
    struct bytes password;
    ck_assert(basic_read(root, bytes_of_text("Basic YXBwOmE6Yg=="), &role, &password)); /* app:a:b */
    ck_assert_str_eq(role, "app");
    ck_assert_mem_eq(password.data, "a:b", 3);
    ck_assert(!basic_read(root, bytes_of_text("Basic YXBw"), &role, &password)); /* no colon */
    ck_assert(!basic_read(root, bytes_of_text("Basic OmE="), &role, &password)); /* nobody */
    ck_assert(!basic_read(root, bytes_of_text("Basic ***"), &role, &password));
    ck_assert(!basic_read(root, bytes_of_text("Bearer x"), &role, &password));
}

/* ---- values ---- */

static const struct result_options typed;

/* A value of the type, given as text, as JSON. */
static const char *json_of(uint32_t oid, const char *text, const struct result_options *options)
{
    const struct type *type = environment->type_find(environment, oid);
    struct value value;
    struct json_out out;
    ck_assert_int_eq(type->ops->in(environment, root, type, -1, bytes_of_text(text), &value, &error),
                     SQLSTATE_OK);
    json_out_open(&out, root);
    ck_assert_int_eq(value_write(&out, environment, root, options, type, &value, &error), SQLSTATE_OK);
    return scope_text(root, json_out_bytes(&out));
}

START_TEST(values_are_written_as_the_interface_has_them)
{
    static const struct {
        uint32_t oid;
        const char *text, *json;
    } cases[] = {
        {TYPE_BOOL, "t", "true"},
        {TYPE_INT4, "-2147483648", "-2147483648"},
        {TYPE_INT8, "9223372036854775807", "\"9223372036854775807\""},
        {TYPE_INT8, "-9223372036854775808", "\"-9223372036854775808\""},
        {TYPE_NUMERIC, "7.00", "\"7.00\""},
        {TYPE_FLOAT8, "0.1", "0.1"},
        {TYPE_FLOAT8, "-Infinity", "\"-Infinity\""},
        {TYPE_TEXT, "a\"\\\n", "\"a\\\"\\\\\\n\""},
        {TYPE_BYTEA, "\\x00ff", "\"AP8=\""},
        {TYPE_DATE, "2024-02-29", "\"2024-02-29\""},
        {TYPE_DATE, "infinity", "\"infinity\""},
        {TYPE_DATE, "0001-01-01 BC", "\"0000-01-01\""},
        {TYPE_DATE, "12024-02-29", "\"+012024-02-29\""},
        {TYPE_TIMESTAMP, "1999-12-31 23:59:59.999999", "\"1999-12-31T23:59:59.999999\""},
        {TYPE_TIMESTAMPTZ, "2000-01-01 00:00:00+00", "\"2000-01-01T00:00:00Z\""},
        {TYPE_TIME, "24:00:00", "\"24:00:00\""},
        {TYPE_INTERVAL, "1 mon -2 days 3 hours", "\"P1M-2DT3H\""},
        {TYPE_ARRAY_OF_INT4, "{{1,2},{3,NULL}}", "[[1,2],[3,null]]"},
        {TYPE_ARRAY_OF_INT8, "{1}", "[\"1\"]"},
        {TYPE_ARRAY_OF_TEXT, "{}", "[]"},
        {TYPE_JSONB, "{\"a\": 1}", "\"{\\\"a\\\": 1}\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(json_of(cases[i].oid, cases[i].text, &typed), cases[i].json);
}

START_TEST(the_client_may_want_other_forms)
{
    static const struct result_options text = {.text = true}, number = {.int8_number = true},
                                       inlined = {.json_inline = true};
    ck_assert_str_eq(json_of(TYPE_BOOL, "t", &text), "\"t\"");
    ck_assert_str_eq(json_of(TYPE_ARRAY_OF_INT4, "{1,2}", &text), "\"{1,2}\"");
    ck_assert_str_eq(json_of(TYPE_INT8, "5", &number), "5");
    ck_assert_str_eq(json_of(TYPE_JSON, "{\"a\": 1}", &inlined), "{\"a\": 1}");
}

/* ---- parameters ---- */

/* A JSON value as the text of a parameter; NULL when it was refused. */
static const char *form_of(const char *json, uint32_t oid)
{
    const struct json *value;
    struct bytes form;
    ck_assert_int_eq(json_read(root, bytes_of_text(json), &value, &error), SQLSTATE_OK);
    if (parameter_form(environment, root, 1, value, oid, &form, &error))
        return NULL;
    return form.data ? scope_text(root, form) : "(null)";
}

START_TEST(parameters_become_the_text_their_type_reads)
{
    ck_assert_str_eq(form_of("42", TYPE_INT4), "42");
    ck_assert_str_eq(form_of("0.1000000000000000000000000001", TYPE_NUMERIC),
                     "0.1000000000000000000000000001");
    ck_assert_str_eq(form_of("true", TYPE_BOOL), "true");
    ck_assert_str_eq(form_of("null", TYPE_INT4), "(null)");
    ck_assert_str_eq(form_of("\"\"", TYPE_TEXT), "");
    ck_assert_str_eq(form_of("\"AP8=\"", TYPE_BYTEA), "\\x00ff");
    ck_assert_str_eq(form_of("\"\\\\x00\"", TYPE_BYTEA), "\\x00");
    ck_assert_str_eq(form_of("[1,null,\"a\\\"b\"]", TYPE_ARRAY_OF_TEXT), "{\"1\",NULL,\"a\\\"b\"}");
    ck_assert_str_eq(form_of("[[1],[2]]", TYPE_ARRAY_OF_INT4), "{{\"1\"},{\"2\"}}");
    ck_assert_str_eq(form_of("[1,{\"a\":1.10}]", TYPE_JSONB), "[1,{\"a\":1.10}]");
    ck_assert_str_eq(form_of("9007199254740992", TYPE_INT8), "9007199254740992");
}

START_TEST(parameters_that_may_have_lost_something_are_refused)
{
    ck_assert_ptr_null(form_of("9007199254740993", TYPE_INT8));
    ck_assert_int_eq(error.state, SQLSTATE_INVALID_PARAMETER_VALUE);
    ck_assert_ptr_null(form_of("\"*\"", TYPE_BYTEA));
    ck_assert_int_eq(error.state, STATE_BAD_TEXT);
    ck_assert_ptr_null(form_of("[1]", TYPE_INT4));
    ck_assert_ptr_null(form_of("{\"a\":1}", TYPE_TEXT));
}

START_TEST(types_have_the_names_clients_know)
{
    ck_assert_uint_eq(type_named("bigint"), TYPE_INT8);
    ck_assert_uint_eq(type_named("int8[]"), TYPE_ARRAY_OF_INT8);
    ck_assert_uint_eq(type_named("nosuch"), 0);
}

/* ---- texts and tags ---- */

START_TEST(semicolons_within_something_do_not_end_a_statement)
{
    static const char *const one[] = {"",
                                      "select 1",
                                      "select 1;",
                                      "select 1; -- the end ; of it",
                                      "select ';' ; /* ; /* ; */ ; */ ",
                                      "select \";\"",
                                      "select E'\\';' ",
                                      "do $x$ begin; end; $x$",
                                      "select $$;$$",
                                      "select '';"};
    static const char *const several[] = {"select 1; select 2",   "; select 1",    "begin;commit",
                                          "select ';'; select 1", "select 1; 'x'", "select $1; select 2"};
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++)
        ck_assert_msg(!text_is_several(one[i]), "%s", one[i]);
    for (size_t i = 0; i < sizeof several / sizeof several[0]; i++)
        ck_assert_msg(text_is_several(several[i]), "%s", several[i]);
}

START_TEST(tags_are_a_command_and_a_count)
{
    static const struct {
        const char *tag, *command;
        int64_t count;
    } cases[] = {{"SELECT 5", "SELECT", 5},
                 {"INSERT 0 3", "INSERT", 3},
                 {"CREATE TABLE", "CREATE TABLE", -1},
                 {"UPDATE 10", "UPDATE", 10},
                 {"", "", -1},
                 {"INSERT 0 20", "INSERT", 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char command[64];
        int64_t count;
        tag_read(cases[i].tag, command, &count);
        ck_assert_str_eq(command, cases[i].command);
        ck_assert_int_eq(count, cases[i].count);
    }
}

int main(void)
{
    TCase *tests = tcase_create("rest");
    tcase_add_checked_fixture(tests, open_scope, close_scope);
    tcase_add_test(tests, a_key_says_what_was_written_into_it);
    tcase_add_test(tests, a_key_with_any_letter_changed_or_another_secret_is_none);
    tcase_add_test(tests, ids_are_read_as_they_are_written);
    tcase_add_test(tests, a_request_goes_to_its_session_s_core);
    tcase_add_test(tests, who_signs_in_with_a_password_is_taken_at_the_first_colon);
    tcase_add_test(tests, values_are_written_as_the_interface_has_them);
    tcase_add_test(tests, the_client_may_want_other_forms);
    tcase_add_test(tests, parameters_become_the_text_their_type_reads);
    tcase_add_test(tests, parameters_that_may_have_lost_something_are_refused);
    tcase_add_test(tests, types_have_the_names_clients_know);
    tcase_add_test(tests, semicolons_within_something_do_not_end_a_statement);
    tcase_add_test(tests, tags_are_a_command_and_a_count);
    return unit_run(tests);
}
