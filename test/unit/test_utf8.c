/* Exactly the characters of RFC 3629 are read, and cuts fall between them. */
#include "test/unit/unit.h"

#include "base/utf8.h"

#include <string.h>

/* Encodes without asking whether there is such a character. */
static size_t encode(uint32_t point, size_t length, uint8_t out[static 4])
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; point >>= 6)
        out[i] = (uint8_t)(0x80 | (point & 0x3f));
    out[0] = (uint8_t)(leads[length] | point);
    return length;
}

static size_t shortest(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/* All code points, and all that an encoding of four bytes could say beyond. */
START_TEST(every_character_is_read_and_nothing_else)
{
    size_t wrong = 0;
    for (uint32_t point = 0; point < 0x200000; point++) {
        uint8_t bytes[4];
        uint32_t read = 0;
        size_t length = encode(point, shortest(point), bytes);
        bool exists = point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
        size_t got = utf8_read(bytes_of(bytes, length), &read);
        wrong += exists ? got != length || read != point : got != 0;
        for (size_t cut = 0; cut < length; cut++)
            wrong += utf8_read(bytes_of(bytes, cut), &read) != 0;
        for (size_t longer = length + 1; longer <= 4; longer++) {
            encode(point, longer, bytes);
            wrong += utf8_read(bytes_of(bytes, longer), &read) != 0;
        }
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(stray_bytes_are_no_characters)
{
    uint32_t point;
    for (uint32_t byte = 0x80; byte < 0x100; byte++) {
        ck_assert_uint_eq(utf8_read(bytes_of(&(uint8_t){(uint8_t)byte}, 1), &point), 0);
        ck_assert_uint_eq(utf8_read(bytes_of((uint8_t[]){(uint8_t)byte, 'a', 'a', 'a'}, 4), &point), 0);
    }
    ck_assert_uint_eq(utf8_read(bytes_of(NULL, 0), &point), 0);
}
END_TEST

START_TEST(cuts_fall_between_characters)
{
    const uint8_t text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t size = 0; size < sizeof text; size++)
        ck_assert_uint_eq(utf8_cut(bytes_of(text, size)), cuts[size]);
}
END_TEST

START_TEST(what_is_not_utf8_is_not_cut)
{
    const uint8_t stray[] = {0x80, 0x80, 0x80, 0x80, 0x80}, odd[] = {'a', 0xff},
                  longer[] = {0xc3, 0xbc, 0x80};
    ck_assert_uint_eq(utf8_cut(bytes_of(stray, 5)), 5);
    ck_assert_uint_eq(utf8_cut(bytes_of(stray, 1)), 1);
    ck_assert_uint_eq(utf8_cut(bytes_of(odd, 2)), 2);
    ck_assert_uint_eq(utf8_cut(bytes_of(longer, 3)), 3);
    ck_assert_uint_eq(utf8_cut(bytes_of(NULL, 0)), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("utf8");
    tcase_add_test(tests, every_character_is_read_and_nothing_else);
    tcase_add_test(tests, stray_bytes_are_no_characters);
    tcase_add_test(tests, cuts_fall_between_characters);
    tcase_add_test(tests, what_is_not_utf8_is_not_cut);
    return unit_run(tests);
}
