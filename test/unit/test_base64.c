#include "base/base64.h"

#include "test/unit/unit.h"

#include <stdlib.h>

START_TEST(published_texts_are_written_and_read)
{
    /* RFC 4648, section 10. */
    static const char *const texts[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t size = 0; size <= 6; size++) {
        char text[BASE64_TEXT_BYTES(6)];
        uint8_t bytes[6];
        ck_assert_uint_eq(base64_write(bytes_of("foobar", size), BASE64, text), strlen(texts[size]));
        ck_assert_str_eq(text, texts[size]);
        ck_assert_int_eq(base64_read(bytes_of_text(text), BASE64, bytes, sizeof bytes), (ptrdiff_t)size);
        ck_assert_mem_eq(bytes, "foobar", size);
    }
}
END_TEST

START_TEST(each_kind_reads_what_it_writes)
{
    uint64_t state = unit_seed();
    for (int i = 0; i < 3000; i++) {
        enum base64_kind kind = (enum base64_kind)(i % 3);
        uint8_t bytes[64], again[64];
        char text[BASE64_TEXT_BYTES(64)];
        size_t size = unit_random_below(&state, sizeof bytes);
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)unit_random(&state);
        size_t letters = base64_write(bytes_of(bytes, size), kind, text);
        ck_assert_int_eq(base64_read(bytes_of(text, letters), kind, again, sizeof again), (ptrdiff_t)size);
        ck_assert_mem_eq(bytes, again, size);
    }
}
END_TEST

/* What is no text of the kind; `any` is what BASE64_ANY makes of it. */
static const struct {
    const char *text;
    enum base64_kind kind;
    ptrdiff_t read;
} cases[] = {
    {"AB", BASE64_URL, -1}, /* bits left over */
    {"AA", BASE64_URL, 1},     {"A", BASE64_URL, -1},
    {"AA+A", BASE64_URL, -1},  {"AA-A", BASE64, -1},
    {"AA==", BASE64_URL, -1},  {"AA", BASE64, -1},
    {"AA=", BASE64, -1},       {"=", BASE64, -1},
    {"====", BASE64, -1},      {"A===", BASE64, -1},
    {"AP8=", BASE64_ANY, 2},   {"AP8", BASE64_ANY, 2},
    {"AP8==", BASE64_ANY, -1}, {"AA=A", BASE64, -1},
    {"AB==", BASE64, -1},      {"AA==AAAA", BASE64, -1},
    {"AAAAAAAA", BASE64, -1}, /* six bytes have no room in four */
    {"AA A", BASE64, -1},      {"\xff\xff\xff\xff", BASE64, -1},
    {"=", BASE64_ANY, -1},
};

START_TEST(texts_that_are_none_are_refused)
{
    uint8_t room[4];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(base64_read(bytes_of_text(cases[i].text), cases[i].kind, room, sizeof room) ==
                          cases[i].read,
                      "%s", cases[i].text);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("base64");
    tcase_add_test(tests, published_texts_are_written_and_read);
    tcase_add_test(tests, each_kind_reads_what_it_writes);
    tcase_add_test(tests, texts_that_are_none_are_refused);
    return unit_run(tests);
}
