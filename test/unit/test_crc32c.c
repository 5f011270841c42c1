/* CRC-32C by every way there is: against published checksums, against the definition, against each other. */
#include "test/unit/unit.h"

#include "base/crc32c.h"
#include "base/system.h"

#include <stdlib.h>
#include <string.h>

/* The definition, bit by bit. */
static uint32_t by_definition(uint32_t crc, const uint8_t *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* RFC 3720, appendix B.4, and the check value of the catalogues. */
START_TEST(published_checksums_are_met)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    const uint8_t command[48] = {0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
                                 0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                                 0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = 31 - i;
    }
    struct {
        struct bytes bytes;
        uint32_t crc;
    } known[] = {
        {bytes_of(zeros, 32), 0x8a9136aa},
        {bytes_of(ones, 32), 0x62a8ab43},
        {bytes_of(up, 32), 0x46dd794e},
        {bytes_of(down, 32), 0x113fdb5c},
        {bytes_of(command, 48), 0xd9963a56},
        {bytes_of_text("123456789"), 0xe3069283},
        {bytes_of(NULL, 0), 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ck_assert_uint_eq(crc32c(known[i].bytes), known[i].crc);
        ck_assert_uint_eq(crc32c_extend_portable(0, known[i].bytes), known[i].crc);
    }
}
END_TEST

/* Every size through all borders between lanes, at every alignment, from any start. */
START_TEST(all_ways_agree_at_every_size)
{
    uint64_t random = unit_seed();
    size_t most = 4 * 3 * 1024;
    uint8_t *data = malloc(most + 8);
    for (size_t i = 0; i < most + 8; i++)
        data[i] = (uint8_t)unit_random(&random);
    for (size_t size = 0; size < most; size += size < 1300 ? 1 : 1 + unit_random_below(&random, 97)) {
        uint8_t *start = data + unit_random_below(&random, 8);
        uint32_t before = (uint32_t)unit_random(&random);
        uint32_t expected = by_definition(before, start, size);
        ck_assert_uint_eq(crc32c_extend(before, bytes_of(start, size)), expected);
        ck_assert_uint_eq(crc32c_extend_portable(before, bytes_of(start, size)), expected);
    }
    free(data);
}
END_TEST

START_TEST(a_checksum_extends_over_any_cut)
{
    uint64_t random = unit_seed();
    uint8_t data[8192];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)unit_random(&random);
    uint32_t whole = crc32c(bytes_of(data, sizeof data));
    for (int round = 0; round < 500; round++) {
        size_t cut = unit_random_below(&random, sizeof data + 1);
        uint32_t front = crc32c(bytes_of(data, cut));
        ck_assert_uint_eq(crc32c_extend(front, bytes_of(data + cut, sizeof data - cut)), whole);
        ck_assert_uint_eq(crc32c_extend_portable(front, bytes_of(data + cut, sizeof data - cut)), whole);
    }
}
END_TEST

START_TEST(every_flipped_bit_changes_the_checksum)
{
    uint8_t data[512] = "something to protect";
    uint32_t crc = crc32c(bytes_of(data, sizeof data));
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_uint_ne(crc32c(bytes_of(data, sizeof data)), crc);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("crc32c");
    tcase_add_test(tests, published_checksums_are_met);
    tcase_add_test(tests, all_ways_agree_at_every_size);
    tcase_add_test(tests, a_checksum_extends_over_any_cut);
    tcase_add_test(tests, every_flipped_bit_changes_the_checksum);
    return unit_run(tests);
}
