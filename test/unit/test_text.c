/* Text grows, quotes what must be quoted, and tells at the end when it could not go on. */
#include "test/unit/unit.h"

#include "base/scope.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static struct scope *root;
static struct error error;
static struct text text;

static void open_text(void)
{
    root = scope_open_root("test", NULL);
    text = text_in(root);
}

static void close_text(void)
{
    scope_close(root);
}

static const char *whole(void)
{
    const char *is;
    ck_assert_int_eq(text_end(&text, &is, &error), SQLSTATE_OK);
    ck_assert_uint_eq(strlen(is), text.size);
    return is;
}

START_TEST(an_untouched_text_is_empty)
{
    ck_assert_str_eq(whole(), "");
    text_append(&text, "");
    text_bytes(&text, bytes_of(NULL, 0));
    text_format(&text, "%s", "");
    ck_assert_str_eq(whole(), "");
}
END_TEST

START_TEST(pieces_stand_one_behind_the_other)
{
    text_append(&text, "one");
    text_bytes(&text, bytes_of(" two!", 4));
    text_format(&text, " %d %s", 3, "four");
    ck_assert_str_eq(whole(), "one two 3 four");
}
END_TEST

START_TEST(a_long_formatted_piece_is_whole)
{
    static char piece[3000];
    for (size_t size = 200; size < sizeof piece; size += size < 300 ? 1 : 97) {
        memset(piece, 'x', size);
        piece[size] = '\0';
        text = text_in(root);
        text_append(&text, "<");
        text_format(&text, "%s>", piece);
        const char *is = whole();
        ck_assert_uint_eq(strlen(is), size + 2);
        ck_assert(is[0] == '<' && is[size + 1] == '>');
    }
}
END_TEST

/* Through all rooms, within chunks and beyond. */
START_TEST(a_text_grows_past_every_size)
{
    uint64_t random = unit_seed();
    size_t most = 5 * SCOPE_SMALL_BYTES, size = 0;
    uint8_t *expected = malloc(most + 5000);
    while (size < most) {
        size_t piece = unit_random_below(&random, 5000);
        for (size_t i = 0; i < piece; i++)
            expected[size + i] = (uint8_t)(' ' + unit_random_below(&random, 64));
        text_bytes(&text, bytes_of(expected + size, piece));
        size += piece;
    }
    const char *is = whole();
    ck_assert_uint_eq(text.size, size);
    ck_assert_int_eq(memcmp(is, expected, size), 0);
    ck_assert_uint_lt(scope_bytes(root), 20 * SCOPE_SMALL_BYTES);
    free(expected);
}
END_TEST

START_TEST(json_strings_are_escaped)
{
    static const struct {
        struct bytes said;
        const char *written;
    } cases[] = {
        {{(const uint8_t *)"", 0}, "\"\""},
        {{(const uint8_t *)"plain", 5}, "\"plain\""},
        {{(const uint8_t *)"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
        {{(const uint8_t *)"\b\f\n\r\t\0\x1f\x7f", 8}, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\""},
        {{(const uint8_t *)"\xc3\xbc \xf0\x9f\x98\x80", 7}, "\"\xc3\xbc \xf0\x9f\x98\x80\""},
        {{(const uint8_t *)"a\xff\xc3", 3}, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {{(const uint8_t *)"\xed\xa0\x80x", 4}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        text = text_in(root);
        text_json(&text, cases[i].said);
        ck_assert_str_eq(whole(), cases[i].written);
    }
}
END_TEST

START_TEST(identifiers_are_always_quoted)
{
    text_identifier(&text, "plain");
    text_append(&text, ".");
    text_identifier(&text, "we\"ird \"\"; DROP");
    text_append(&text, ".");
    text_identifier(&text, "");
    ck_assert_str_eq(whole(), "\"plain\".\"we\"\"ird \"\"\"\"; DROP\".\"\"");
}
END_TEST

START_TEST(literals_read_the_same_under_every_setting)
{
    text_literal(&text, "it's");
    text_append(&text, " ");
    text_literal(&text, "a\\'b");
    text_append(&text, " ");
    text_literal(&text, "''");
    ck_assert_str_eq(whole(), "'it''s' E'a\\\\''b' ''''''");
}
END_TEST

START_TEST(a_text_without_memory_stays_as_it_was_and_tells_at_the_end)
{
    struct budget budget = {.limit = 4 * SCOPE_SMALL_BYTES};
    struct scope *child = scope_open_with_budget(root, "child", &budget);
    static char piece[100000];
    const char *is;
    memset(piece, 'x', sizeof piece - 1);
    text = text_in(child);
    for (int i = 0; i < 1000; i++)
        text_append(&text, piece);
    size_t size = text.size;
    ck_assert_uint_lt(size, budget.limit);
    text_append(&text, "y"); /* would fit, and would be a hole */
    text_format(&text, "%s", piece);
    text_json(&text, bytes_of_text(piece));
    ck_assert_uint_eq(text.size, size);
    ck_assert_int_eq(text_end(&text, &is, &error), SQLSTATE_OUT_OF_MEMORY);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "out of memory");
    ck_assert_ptr_nonnull(strstr(error_text(&error, ERROR_DETAIL), "\"child\""));
    scope_close(child);
}
END_TEST

START_TEST(a_text_beyond_the_bound_is_refused)
{
    const char *is;
    text_append(&text, "start");
    text_bytes(&text, bytes_of("", TEXT_BYTES_MAX)); /* never looked at */
    ck_assert_int_eq(text_end(&text, &is, &error), SQLSTATE_PROGRAM_LIMIT_EXCEEDED);
    text = text_in(root);
    text_bytes(&text, bytes_of("", SIZE_MAX));
    ck_assert_int_eq(text_end(&text, &is, &error), SQLSTATE_PROGRAM_LIMIT_EXCEEDED);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, open_text, close_text);
    tcase_add_test(tests, an_untouched_text_is_empty);
    tcase_add_test(tests, pieces_stand_one_behind_the_other);
    tcase_add_test(tests, a_long_formatted_piece_is_whole);
    tcase_add_test(tests, a_text_grows_past_every_size);
    tcase_add_test(tests, json_strings_are_escaped);
    tcase_add_test(tests, identifiers_are_always_quoted);
    tcase_add_test(tests, literals_read_the_same_under_every_setting);
    tcase_add_test(tests, a_text_without_memory_stays_as_it_was_and_tells_at_the_end);
    tcase_add_test(tests, a_text_beyond_the_bound_is_refused);
    return unit_run(tests);
}
