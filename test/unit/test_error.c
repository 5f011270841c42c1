/* Errors carry their own texts, in a room that never overflows and is never cut within a character. */
#include "test/unit/unit.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

START_TEST(states_are_written_as_five_characters)
{
    char text[6];
    sqlstate_text(SQLSTATE_OK, text);
    ck_assert_str_eq(text, "00000");
    sqlstate_text(SQLSTATE_DEADLOCK_DETECTED, text);
    ck_assert_str_eq(text, "40P01");
    sqlstate_text(SQLSTATE_INDEX_CORRUPTED, text);
    ck_assert_str_eq(text, "XX002");
    sqlstate_text(SQLSTATE_PACK('Z', 'Z', 'Z', '9', 'Z'), text);
    ck_assert_str_eq(text, "ZZZ9Z");
}
END_TEST

START_TEST(an_empty_error_has_no_texts)
{
    struct error error = {0};
    for (int field = 0; field < ERROR_FIELDS; field++)
        ck_assert_ptr_null(error_text(&error, field));
}
END_TEST

START_TEST(set_gives_the_state_and_forgets_what_was_there)
{
    struct error error = {0};
    ck_assert_int_eq(error_set(&error, SQLSTATE_DISK_FULL, "no room for %d bytes", 7), SQLSTATE_DISK_FULL);
    error_add(&error, ERROR_DETAIL, "a detail");
    error.position = 5;
    ck_assert_int_eq(error_set(&error, SQLSTATE_IO_ERROR, "broken"), SQLSTATE_IO_ERROR);
    ck_assert_int_eq(error.state, SQLSTATE_IO_ERROR);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "broken");
    ck_assert_ptr_null(error_text(&error, ERROR_DETAIL));
    ck_assert_uint_eq(error.position, 0);
    error_clear(&error);
    ck_assert_int_eq(error.state, SQLSTATE_OK);
    ck_assert_ptr_null(error_text(&error, ERROR_MESSAGE));
}
END_TEST

START_TEST(replacing_a_text_leaves_the_others_whole)
{
    struct error error = {0};
    (void)error_set(&error, SQLSTATE_IO_ERROR, "message");
    for (int field = ERROR_DETAIL; field < ERROR_FIELDS; field++)
        error_add(&error, field, "field %d", field);
    uint16_t used = error.room_used;
    for (int round = 0; round < 1000; round++)
        error_add(&error, ERROR_HINT, "another hint");
    ck_assert_uint_eq(error.room_used, used - strlen("field 2") + strlen("another hint"));
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "message");
    for (int field = ERROR_DETAIL; field < ERROR_FIELDS; field++) {
        char expected[16];
        snprintf(expected, sizeof expected, "field %d", field);
        ck_assert_str_eq(error_text(&error, field), field == ERROR_HINT ? "another hint" : expected);
    }
}
END_TEST

START_TEST(the_arguments_may_be_texts_of_the_error_itself)
{
    struct error error = {0};
    (void)error_set(&error, SQLSTATE_IO_ERROR, "inner");
    error_add(&error, ERROR_DETAIL, "because of %s", error_text(&error, ERROR_MESSAGE));
    (void)error_set(&error, SQLSTATE_IO_ERROR, "outer: %s, %s", error_text(&error, ERROR_MESSAGE),
                    error_text(&error, ERROR_DETAIL));
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "outer: inner, because of inner");
}
END_TEST

START_TEST(long_text_is_cut_at_the_end_of_the_room)
{
    char text[2 * ERROR_ROOM_BYTES];
    struct error error = {0};
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)error_set(&error, SQLSTATE_IO_ERROR, "%s", text);
    ck_assert_uint_eq(strlen(error_text(&error, ERROR_MESSAGE)), ERROR_ROOM_BYTES - 1);
    error_add(&error, ERROR_DETAIL, "no room for this");
    ck_assert_ptr_null(error_text(&error, ERROR_DETAIL));
    error_add(&error, ERROR_MESSAGE, "short");
    error_add(&error, ERROR_DETAIL, "%s", text);
    ck_assert_str_eq(error_text(&error, ERROR_MESSAGE), "short");
    ck_assert_uint_eq(strlen(error_text(&error, ERROR_DETAIL)), ERROR_ROOM_BYTES - 1 - strlen("short") - 1);
}
END_TEST

/* Puts each length of character across the end of the room, at each distance from it. */
START_TEST(text_is_never_cut_within_a_character)
{
    static const char *const characters[] = {"x", "ä", "€", "😀"};
    for (size_t c = 0; c < 4; c++) {
        size_t length = strlen(characters[c]);
        ck_assert_uint_eq(length, c + 1);
        for (size_t before = 0; before < 4; before++) {
            char text[2 * ERROR_ROOM_BYTES] = "zzzz";
            struct error error = {0};
            for (size_t at = before; at < ERROR_ROOM_BYTES + 8; at += length)
                memcpy(text + at, characters[c], length + 1);
            (void)error_set(&error, SQLSTATE_IO_ERROR, "%s", text);
            size_t got = strlen(error_text(&error, ERROR_MESSAGE));
            ck_assert_uint_eq((got - before) % length, 0);
            ck_assert_uint_gt(got + length, ERROR_ROOM_BYTES - 1);
            ck_assert_int_eq(memcmp(error_text(&error, ERROR_MESSAGE), text, got), 0);
        }
    }
}
END_TEST

START_TEST(text_that_is_not_utf8_is_cut_within_bounds)
{
    char text[2 * ERROR_ROOM_BYTES];
    struct error error = {0};
    memset(text, 0x80, sizeof text);
    text[sizeof text - 1] = '\0';
    (void)error_set(&error, SQLSTATE_IO_ERROR, "%s", text);
    ck_assert_uint_ge(strlen(error_text(&error, ERROR_MESSAGE)), ERROR_ROOM_BYTES - 4);
}
END_TEST

static void set_ok(void *argument)
{
    (void)error_set(argument, SQLSTATE_OK, "nothing happened");
}

static void add_to_nothing(void *argument)
{
    error_add(argument, ERROR_HINT, "a hint about nothing");
}

START_TEST(an_error_that_did_not_happen_takes_no_text)
{
    struct error error = {0};
    ck_assert(unit_check_fails(set_ok, &error, "state != SQLSTATE_OK"));
    ck_assert(unit_check_fails(add_to_nothing, &error, "error->state != SQLSTATE_OK"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("error");
    tcase_add_test(tests, states_are_written_as_five_characters);
    tcase_add_test(tests, an_empty_error_has_no_texts);
    tcase_add_test(tests, set_gives_the_state_and_forgets_what_was_there);
    tcase_add_test(tests, replacing_a_text_leaves_the_others_whole);
    tcase_add_test(tests, the_arguments_may_be_texts_of_the_error_itself);
    tcase_add_test(tests, long_text_is_cut_at_the_end_of_the_room);
    tcase_add_test(tests, text_is_never_cut_within_a_character);
    tcase_add_test(tests, text_that_is_not_utf8_is_cut_within_bounds);
    tcase_add_test(tests, an_error_that_did_not_happen_takes_no_text);
    return unit_run(tests);
}
