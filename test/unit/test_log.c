/* Log lines: exact, bounded, impossible to forge, and never a flood. */
#include "test/unit/unit.h"

#include "base/log.h"
#include "base/scope.h"
#include "base/world.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A world that has a clock and a core number, and a sink that keeps the last line. */

static int64_t wall_us;
static char last[LOG_LINE_BYTES + 1];
static int lines;

static int64_t tell_wall(struct world *world)
{
    return wall_us;
}

static void keep(void *argument, const char *line, size_t bytes)
{
    ck_assert_uint_le(bytes, LOG_LINE_BYTES);
    ck_assert_ptr_eq(memchr(line, '\n', bytes), line + bytes - 1);
    memcpy(last, line, bytes - 1);
    last[bytes - 1] = '\0';
    lines++;
}

static const struct world_ops ops = {.wall = tell_wall};

static struct world open_world(enum log_level level)
{
    struct world world = {.ops = &ops, .core = 3, .now_ns = 5000000000};
    world.scope = scope_open_root("test", NULL);
    world.log = log_open(world.scope, level, keep, NULL);
    return world;
}

/* So that no line of a long test is held back. */
static void pass_time(struct world *world)
{
    world->now_ns += 1000000000;
}

START_TEST(a_line_has_time_level_core_event_and_sentence)
{
    struct world world = open_world(LOG_DEBUG);
    wall_us = 1795190818123456;
    log_line(&world, LOG_WARN, "disk_full", "no room left for %s", "the log");
    ck_assert_str_eq(last,
                     "2026-11-20T16:06:58.123456Z warn core=3 event=disk_full \"no room left for the log\"");
    log_line(&world, LOG_DEBUG, "a", "%s", "");
    ck_assert_str_eq(last, "2026-11-20T16:06:58.123456Z debug core=3 event=a \"\"");
    log_line(&world, LOG_INFO, "b", "x");
    ck_assert_ptr_nonnull(strstr(last, "Z info "));
    log_line(&world, LOG_ERROR, "b", "x");
    ck_assert_ptr_nonnull(strstr(last, "Z error "));
    scope_close(world.scope);
}
END_TEST

START_TEST(lines_below_the_level_are_dropped)
{
    struct world world = open_world(LOG_WARN);
    struct error error = {0};
    (void)error_set(&error, SQLSTATE_IO_ERROR, "x");
    log_line(&world, LOG_INFO, "a", "x");
    log_error(&world, LOG_DEBUG, "a", &error, "x");
    ck_assert_int_eq(lines, 0);
    log_line(&world, LOG_WARN, "a", "x");
    ck_assert_int_eq(lines, 1);
    scope_close(world.scope);
}
END_TEST

START_TEST(an_error_is_told_with_state_message_and_detail)
{
    struct world world = open_world(LOG_DEBUG);
    struct error error = {0};
    (void)error_set(&error, SQLSTATE_DISK_FULL, "could not write \"wal/3\"");
    log_error(&world, LOG_ERROR, "flush", &error, "stopping");
    ck_assert_ptr_nonnull(
        strstr(last, "event=flush \"stopping\" state=53100 message=\"could not write \\\"wal/3\\\"\""));
    ck_assert_ptr_null(strstr(last, "detail"));
    error_add(&error, ERROR_DETAIL, "the disk is full");
    log_error(&world, LOG_ERROR, "flush", &error, "stopping");
    ck_assert_ptr_nonnull(strstr(last, "\\\"\" detail=\"the disk is full\""));
    scope_close(world.scope);
}
END_TEST

static void expect_time(struct world *world, int64_t us, const char *text)
{
    wall_us = us;
    pass_time(world);
    log_line(world, LOG_INFO, "t", "x");
    ck_assert_int_eq(strncmp(last, text, strlen(text)), 0);
}

START_TEST(times_are_utc_on_the_gregorian_calendar)
{
    struct world world = open_world(LOG_DEBUG);
    expect_time(&world, 0, "1970-01-01T00:00:00.000000Z ");
    expect_time(&world, -1, "1969-12-31T23:59:59.999999Z ");
    expect_time(&world, 951782400000000 - 1, "2000-02-28T23:59:59.999999Z ");
    expect_time(&world, 951782400000000, "2000-02-29T00:00:00.000000Z ");
    expect_time(&world, 4107542399000000, "2100-02-28T23:59:59.000000Z ");
    expect_time(&world, 4107542400000000, "2100-03-01T00:00:00.000000Z ");
    expect_time(&world, 253402300799999999, "9999-12-31T23:59:59.999999Z ");
    uint64_t random = unit_seed();
    for (int round = 0; round < 2000; round++) {
        char text[64];
        int64_t seconds =
            (int64_t)unit_random_below(&random, 400000000000) - 62135596800; /* years 1 .. 12,000 */
        struct tm tm;
        time_t time = seconds;
        gmtime_r(&time, &tm);
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.000007Z ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        expect_time(&world, seconds * 1000000 + 7, text);
    }
    scope_close(world.scope);
}
END_TEST

START_TEST(what_comes_from_outside_cannot_forge_a_line)
{
    static const struct {
        const char *said, *written;
    } cases[] = {
        {"a\n2026-11-20T16:06:58Z info", "a\\n2026-11-20T16:06:58Z info"},
        {"a\" state=00000 \"", "a\\\" state=00000 \\\""},
        {"back\\slash", "back\\\\slash"},
        {"\x1b[2J\r\t\x7f", "\\u001b[2J\\u000d\\u0009\\u007f"},
        {"\xc2\x9b", "\\u009b"}, /* a control sequence in one character */
        {"\xe2\x80\xae\xe2\x80\xa8\xe2\x81\xa6", "\\u202e\\u2028\\u2066"}, /* turns, separates, isolates */
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc3", "\\xc3"}, /* ends within a character */
        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
        {"\xc0\x8a", "\\xc0\\x8a"}, /* a newline, longer than needed */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* half of a surrogate pair */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\x80\xff\xfe", "\\x80\\xff\\xfe"},
    };
    struct world world = open_world(LOG_DEBUG);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        struct error error = {0};
        snprintf(expected, sizeof expected, "event=e \"%s\" state=58030 message=\"%s\"", cases[i].written,
                 cases[i].written);
        (void)error_set(&error, SQLSTATE_IO_ERROR, "%s", cases[i].said);
        pass_time(&world);
        log_error(&world, LOG_INFO, "e", &error, "%s", cases[i].said);
        ck_assert_ptr_nonnull(strstr(last, expected));
    }
    scope_close(world.scope);
}
END_TEST

/* Whether the text ends in a quote that closes one, then `tail`. */
static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text), tail_length = strlen(tail);
    return length >= tail_length && strcmp(text + length - tail_length, tail) == 0;
}

/* Every length around the bound, with characters and escapes of every width across it. */
START_TEST(long_lines_are_cut_at_a_character_and_say_so)
{
    static const char *const characters[] = {"x",  "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                             "\"", "\x01",     "\xff"};
    static const char *const written[] = {"x",    "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                          "\\\"", "\\u0001",  "\\xff"};
    struct world world = open_world(LOG_DEBUG);
    bool cut = false, whole = false;
    for (size_t c = 0; c < sizeof characters / sizeof *characters; c++) {
        size_t width = strlen(characters[c]), written_width = strlen(written[c]);
        for (size_t bytes = 1940; bytes < 2060; bytes++) {
            char sentence[4096];
            size_t count = bytes / written_width, shift = bytes % written_width;
            memset(sentence, 'y', shift);
            sentence[shift] = '\0';
            for (size_t i = 0; i < count; i++)
                memcpy(sentence + shift + i * width, characters[c], width + 1);
            pass_time(&world);
            log_line(&world, LOG_INFO, "e", "%s", sentence);
            char tail[64];
            snprintf(tail, sizeof tail, "%s\" cut=true", written[c]);
            if (ends_with(last, tail)) {
                cut = true;
                ck_assert_uint_gt(strlen(last) + written_width, LOG_LINE_BYTES - 12);
            } else {
                whole = true;
                snprintf(tail, sizeof tail, "%s%s\"", written[c], written[c]);
                ck_assert(ends_with(last, tail));
                ck_assert_uint_eq(strlen(last),
                                  strlen("1970-01-01T00:00:00.000000Z info core=3 event=e ") + 2 + bytes);
            }
        }
    }
    ck_assert(cut && whole);
    scope_close(world.scope);
}
END_TEST

START_TEST(a_line_with_an_error_is_cut_wherever_it_is_full)
{
    struct world world = open_world(LOG_DEBUG);
    struct error error = {0};
    (void)error_set(&error, SQLSTATE_IO_ERROR, "a message");
    error_add(&error, ERROR_DETAIL, "a detail");
    for (size_t bytes = 1900; bytes < 2047; bytes++) {
        char sentence[2048], whole[4096];
        memset(sentence, 's', bytes);
        sentence[bytes] = '\0';
        snprintf(whole, sizeof whole,
                 "1970-01-01T00:00:00.000000Z info core=3 event=e \"%s\" state=58030 message=\"a message\" "
                 "detail=\"a detail\"",
                 sentence);
        pass_time(&world);
        log_error(&world, LOG_INFO, "e", &error, "%s", sentence);
        if (strcmp(last, whole) == 0)
            continue;
        ck_assert(ends_with(last, "\" cut=true") || ends_with(last, "\" state=58030 cut=true"));
        size_t kept = strlen(last) - strlen("\" cut=true");
        ck_assert_uint_gt(strlen(last) + strlen(" state=58030 "), LOG_LINE_BYTES - 12);
        ck_assert_int_eq(strncmp(last, whole, kept), 0);
    }
    scope_close(world.scope);
}
END_TEST

START_TEST(a_flood_of_one_event_is_held_back_and_counted)
{
    struct world world = open_world(LOG_DEBUG);
    for (int i = 0; i < 1000; i++)
        log_line(&world, LOG_INFO, "flood", "x");
    ck_assert_int_eq(lines, LOG_BURST);
    log_line(&world, LOG_INFO, "trickle", "x");
    ck_assert_int_eq(lines, LOG_BURST + 1);
    world.now_ns += 999999999;
    log_line(&world, LOG_INFO, "flood", "x");
    ck_assert_int_eq(lines, LOG_BURST + 1);
    world.now_ns += 1;
    for (int i = 0; i < 10; i++)
        log_line(&world, LOG_INFO, "flood", "x");
    ck_assert_int_eq(lines, LOG_BURST + 2);
    ck_assert_ptr_nonnull(strstr(last, " event=flood held_back=981 \"x\""));
    world.now_ns += 1000000000;
    log_line(&world, LOG_INFO, "flood", "x");
    ck_assert_ptr_nonnull(strstr(last, " held_back=9 "));
    world.now_ns += 1000000000;
    log_line(&world, LOG_INFO, "flood", "x");
    ck_assert_ptr_null(strstr(last, "held_back"));
    scope_close(world.scope);
}
END_TEST

START_TEST(after_a_rest_a_whole_burst_may_pass_again)
{
    struct world world = open_world(LOG_DEBUG);
    for (int i = 0; i < 100; i++)
        log_line(&world, LOG_INFO, "flood", "x");
    world.now_ns += 3600 * 1000000000ULL;
    lines = 0;
    for (int i = 0; i < 100; i++)
        log_line(&world, LOG_INFO, "flood", "x");
    ck_assert_int_eq(lines, LOG_BURST);
    scope_close(world.scope);
}
END_TEST

START_TEST(more_names_than_are_counted_share_one_count)
{
    static char names[LOG_EVENTS_MAX + 100][16];
    struct world world = open_world(LOG_DEBUG);
    for (int i = 0; i < LOG_EVENTS_MAX + 100; i++) {
        snprintf(names[i], sizeof names[i], "event_%d", i);
        log_line(&world, LOG_INFO, names[i], "x");
    }
    ck_assert_int_eq(lines, LOG_EVENTS_MAX + LOG_BURST);
    log_line(&world, LOG_INFO, names[0], "x"); /* has its own */
    ck_assert_int_eq(lines, LOG_EVENTS_MAX + LOG_BURST + 1);
    scope_close(world.scope);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, a_line_has_time_level_core_event_and_sentence);
    tcase_add_test(tests, lines_below_the_level_are_dropped);
    tcase_add_test(tests, an_error_is_told_with_state_message_and_detail);
    tcase_add_test(tests, times_are_utc_on_the_gregorian_calendar);
    tcase_add_test(tests, what_comes_from_outside_cannot_forge_a_line);
    tcase_add_test(tests, long_lines_are_cut_at_a_character_and_say_so);
    tcase_add_test(tests, a_line_with_an_error_is_cut_wherever_it_is_full);
    tcase_add_test(tests, a_flood_of_one_event_is_held_back_and_counted);
    tcase_add_test(tests, after_a_rest_a_whole_burst_may_pass_again);
    tcase_add_test(tests, more_names_than_are_counted_share_one_count);
    return unit_run(tests);
}
