/* What the writer of JSON writes, byte for byte, and which problem an SQLSTATE is. */
#include "test/unit/unit.h"

#include "base/scope.h"
#include "restgw/http/json_in.h"
#include "restgw/http/json_out.h"
#include "restgw/http/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scope *scope;
static struct json_out out;

static void begin(void)
{
    scope = scope_open_root("test", NULL);
    json_out_open(&out, scope);
}

static void end(void)
{
    scope_close(scope);
}

/* Takes what was written since the last time. */
static void expect(const char *text)
{
    struct bytes bytes = json_out_bytes(&out);
    ck_assert_msg(bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0, "%.*s is not %s",
                  (int)bytes.size, (const char *)bytes.data, text);
    json_out_open(&out, scope);
}

START_TEST(commas_and_colons_come_by_themselves)
{
    json_out_object(&out);
    json_out_name(&out, "a");
    json_out_array(&out);
    json_out_integer(&out, 1);
    json_out_array(&out);
    json_out_array_end(&out);
    json_out_null(&out);
    json_out_object(&out);
    json_out_object_end(&out);
    json_out_array_end(&out);
    json_out_name_text(&out, bytes_of_text("b\""));
    json_out_boolean(&out, true);
    json_out_name(&out, "c");
    json_out_value(&out, bytes_of_text("1.50"));
    json_out_object_end(&out);
    expect("{\"a\":[1,[],null,{}],\"b\\\"\":true,\"c\":1.50}");
}
END_TEST

START_TEST(lines_begin_anew)
{
    for (int i = 0; i < 2; i++) {
        json_out_array(&out);
        json_out_integer(&out, i);
        json_out_array_end(&out);
        json_out_line_end(&out);
    }
    expect("[0]\n[1]\n");
}
END_TEST

START_TEST(strings_are_escaped_where_they_must)
{
    json_out_string(&out, bytes_of("plain text of more than eight bytes", 35));
    expect("\"plain text of more than eight bytes\"");
    json_out_string(&out, bytes_of("a\"b\\c\nd\re\tf\x01g\x1fh\x7f", 16));
    expect("\"a\\\"b\\\\c\\nd\\re\\tf\\u0001g\\u001fh\x7f\"");
    json_out_string(&out, bytes_of("01234567\0", 9));
    expect("\"01234567\\u0000\"");
    json_out_text(&out, "\xc3\xa9\xf0\x9f\x98\x80");
    expect("\"\xc3\xa9\xf0\x9f\x98\x80\"");
    json_out_string(&out, bytes_of("a\xff\xc3", 3));
    expect("\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    json_out_text(&out, NULL);
    expect("null");
}
END_TEST

START_TEST(every_place_of_a_string_can_need_an_escape)
{
    for (size_t at = 0; at < 24; at++) {
        char text[24], wanted[32];
        memset(text, 'x', sizeof text);
        text[at] = '"';
        snprintf(wanted, sizeof wanted, "\"%.*s\\\"%.*s\"", (int)at, text, (int)(23 - at), text + at + 1);
        json_out_string(&out, bytes_of(text, sizeof text));
        expect(wanted);
    }
}
END_TEST

START_TEST(integers_are_exact_to_both_ends)
{
    json_out_integer(&out, INT64_MIN);
    expect("-9223372036854775808");
    json_out_integer_text(&out, INT64_MAX);
    expect("\"9223372036854775807\"");
    json_out_unsigned(&out, UINT64_MAX);
    expect("18446744073709551615");
    json_out_integer(&out, 0);
    expect("0");
}
END_TEST

START_TEST(floats_are_short_and_read_back)
{
    json_out_float8(&out, 0.1);
    expect("0.1");
    json_out_float8(&out, 1e300 * 1e10);
    expect("\"Infinity\"");
    json_out_float8(&out, -INFINITY);
    expect("\"-Infinity\"");
    json_out_float4(&out, NAN);
    expect("\"NaN\"");
    json_out_float4(&out, 0.1F);
    expect("0.1");
    srand48(7);
    for (int i = 0; i < 20000; i++) {
        double value = (drand48() - 0.5) * pow(10, (double)(lrand48() % 600) - 300);
        json_out_float8(&out, value);
        char text[64] = "";
        struct bytes bytes = json_out_bytes(&out);
        memcpy(text, bytes.data, bytes.size);
        ck_assert_double_eq(strtod(text, NULL), value);
        json_out_open(&out, scope);
    }
}
END_TEST

START_TEST(times_are_rfc_3339)
{
    static const struct {
        int64_t wall_us;
        const char *text;
    } times[] = {
        {0, "\"1970-01-01T00:00:00.000000Z\""},
        {951782400123456, "\"2000-02-29T00:00:00.123456Z\""},
        {-1, "\"1969-12-31T23:59:59.999999Z\""},
        {4107542399000000, "\"2100-02-28T23:59:59.000000Z\""},
        {4107542400000000, "\"2100-03-01T00:00:00.000000Z\""},
        {1709210096000001, "\"2024-02-29T12:34:56.000001Z\""},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        json_out_time(&out, times[i].wall_us);
        expect(times[i].text);
    }
}
END_TEST

START_TEST(bytes_are_base64)
{
    static const char *const texts[] = {"\"\"",         "\"Zg==\"",     "\"Zm8=\"",    "\"Zm9v\"",
                                        "\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""};
    for (size_t size = 0; size <= 6; size++) {
        json_out_base64(&out, bytes_of("foobar", size));
        expect(texts[size]);
    }
}
END_TEST

START_TEST(a_text_grows_as_far_as_it_must)
{
    json_out_array(&out);
    for (int i = 0; i < 100000; i++)
        json_out_integer(&out, i);
    json_out_array_end(&out);
    const struct json *value;
    struct error error = {0};
    ck_assert_int_eq(json_out_outcome(&out, &error), SQLSTATE_OK);
    ck_assert_int_eq(json_read(scope, json_out_bytes(&out), &value, &error), SQLSTATE_OK);
    ck_assert_uint_eq(value->count, 100000);
}
END_TEST

START_TEST(an_sqlstate_says_what_may_be_done)
{
    static const struct {
        enum sqlstate state;
        int status;
        enum problem_retry retry;
    } cases[] = {
        {SQLSTATE_SERIALIZATION_FAILURE, 409, PROBLEM_TRANSACTION},
        {SQLSTATE_DEADLOCK_DETECTED, 409, PROBLEM_TRANSACTION},
        {SQLSTATE_STATEMENT_COMPLETION_UNKNOWN, 503, PROBLEM_ASK_OUTCOME},
        {SQLSTATE_PACK('0', '8', '0', '0', '7'), 503, PROBLEM_ASK_OUTCOME},
        {SQLSTATE_CONNECTION_DOES_NOT_EXIST, 401, PROBLEM_SESSION},
        {SQLSTATE_UNDEFINED_TABLE, 400, PROBLEM_NEVER},
        {SQLSTATE_PACK('2', '3', '5', '0', '5'), 409, PROBLEM_NEVER},
        {SQLSTATE_PACK('4', '2', '5', '0', '1'), 403, PROBLEM_NEVER},
        {SQLSTATE_PACK('P', '0', '0', '0', '1'), 400, PROBLEM_NEVER},
        {SQLSTATE_PACK('2', '1', '0', '0', '0'), 400, PROBLEM_NEVER},
        {SQLSTATE_PROGRAM_LIMIT_EXCEEDED, 413, PROBLEM_NEVER},
        {SQLSTATE_TOO_MANY_CONNECTIONS, 429, PROBLEM_AFTER_DELAY},
        {SQLSTATE_OBJECT_IN_USE, 409, PROBLEM_AFTER_DELAY},
        {SQLSTATE_FEATURE_NOT_SUPPORTED, 400, PROBLEM_NEVER},
        {SQLSTATE_INTERNAL_ERROR, 500, PROBLEM_NEVER},
        {SQLSTATE_OUT_OF_MEMORY, 503, PROBLEM_AFTER_DELAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        (void)error_set(&error, cases[i].state, "words");
        const struct problem problem = problem_of(&error);
        ck_assert_int_eq(problem.status, cases[i].status);
        ck_assert_int_eq(problem.retry, cases[i].retry);
        ck_assert_int_eq(problem.retry_after_ms > 0, cases[i].retry == PROBLEM_AFTER_DELAY);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("json_out");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, commas_and_colons_come_by_themselves);
    tcase_add_test(tests, lines_begin_anew);
    tcase_add_test(tests, strings_are_escaped_where_they_must);
    tcase_add_test(tests, every_place_of_a_string_can_need_an_escape);
    tcase_add_test(tests, integers_are_exact_to_both_ends);
    tcase_add_test(tests, floats_are_short_and_read_back);
    tcase_add_test(tests, times_are_rfc_3339);
    tcase_add_test(tests, bytes_are_base64);
    tcase_add_test(tests, a_text_grows_as_far_as_it_must);
    tcase_add_test(tests, an_sqlstate_says_what_may_be_done);
    return unit_run(tests);
}
