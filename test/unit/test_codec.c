/* The codec reads what it wrote, refuses everything else, and never leaves its bounds. Buffers come from
 * malloc in their exact size, so that the address sanitizer sees a step beyond. */
#include "test/unit/unit.h"

#include "base/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy of bytes with nothing readable behind. */
static struct bytes exact(struct bytes bytes)
{
    uint8_t *copy = malloc(bytes.size);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

#define BYTES(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static bool same(struct bytes a, struct bytes b)
{
    return bytes_compare(a, b) == 0;
}

START_TEST(encodings_are_as_documented)
{
    uint8_t room[64];
    struct codec_writer out = codec_writer_of(room, sizeof room);
    codec_write_u8(&out, 0xfe);
    codec_write_u16(&out, 0x1234);
    codec_write_u32(&out, 0x12345678);
    codec_write_u64(&out, 0x123456789abcdef0);
    codec_write_varint(&out, 127);
    codec_write_varint(&out, 300);
    codec_write_signed(&out, -1);
    codec_write_signed(&out, 1);
    codec_write_signed(&out, -65);
    codec_write_bytes(&out, bytes_of("ab", 2));
    codec_write_text(&out, "c");
    codec_write_raw(&out, bytes_of("d", 1));
    ck_assert(!out.failed);
    ck_assert(same(codec_written(&out),
                   BYTES(0xfe, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34,
                         0x12, 0x7f, 0xac, 0x02, 0x01, 0x02, 0x81, 0x01, 2, 'a', 'b', 1, 'c', 0, 'd')));
}
END_TEST

/* Around every power of two, where encodings change length. */
START_TEST(varints_of_every_length_are_read_as_written)
{
    for (uint32_t shift = 0; shift < 64; shift++) {
        for (int64_t near = -2; near <= 2; near++) {
            uint64_t value = ((uint64_t)1 << shift) + (uint64_t)near;
            uint8_t room[CODEC_VARINT_BYTES];
            struct codec_writer out = codec_writer_of(room, sizeof room);
            codec_write_varint(&out, value);
            ck_assert_uint_eq(codec_written(&out).size, codec_varint_size(value));
            struct codec_reader in = codec_reader_of(codec_written(&out));
            ck_assert_uint_eq(codec_read_varint(&in), value);
            ck_assert(codec_read_all(&in));
            out = codec_writer_of(room, sizeof room);
            codec_write_signed(&out, (int64_t)value);
            ck_assert_uint_eq(codec_written(&out).size, codec_signed_size((int64_t)value));
            in = codec_reader_of(codec_written(&out));
            ck_assert_int_eq(codec_read_signed(&in), (int64_t)value);
            ck_assert(codec_read_all(&in));
        }
    }
    ck_assert_uint_eq(codec_varint_size(UINT64_MAX), CODEC_VARINT_BYTES);
}
END_TEST

START_TEST(varints_that_are_none_are_refused)
{
    const struct bytes bad[] = {
        bytes_of("", 0),
        BYTES(0x80),
        BYTES(0x80, 0x00), /* longer than needed */
        BYTES(0xff, 0x80, 0x00),
        BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
        BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), /* 65 bits */
        BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00),
        BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes bytes = exact(bad[i]);
        struct codec_reader in = codec_reader_of(bytes);
        ck_assert_uint_eq(codec_read_varint(&in), 0);
        ck_assert(in.failed);
        in = codec_reader_of(bytes);
        ck_assert_int_eq(codec_read_signed(&in), 0);
        ck_assert(in.failed);
        free((void *)bytes.data);
    }
}
END_TEST

START_TEST(a_varint_above_the_callers_bound_is_refused)
{
    struct bytes bytes = BYTES(0xac, 0x02); /* 300 */
    struct codec_reader in = codec_reader_of(bytes);
    ck_assert_uint_eq(codec_read_varint_at_most(&in, 300), 300);
    in = codec_reader_of(bytes);
    ck_assert_uint_eq(codec_read_varint_at_most(&in, 299), 0);
    ck_assert(in.failed);
}
END_TEST

START_TEST(sizes_beyond_the_end_are_refused)
{
    const struct bytes bad[] = {
        BYTES(3, 'a', 'b'),
        BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'), /* would wrap around */
        bytes_of("", 0),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes bytes = exact(bad[i]);
        struct codec_reader in = codec_reader_of(bytes);
        ck_assert_uint_eq(codec_read_bytes(&in).size, 0);
        ck_assert(in.failed);
        in = codec_reader_of(bytes);
        ck_assert_str_eq(codec_read_text(&in), "");
        ck_assert(in.failed);
        free((void *)bytes.data);
    }
}
END_TEST

START_TEST(texts_end_with_their_only_zero_byte)
{
    struct codec_reader in = codec_reader_of(BYTES(2, 'a', 'b', 0));
    ck_assert_str_eq(codec_read_text(&in), "ab");
    ck_assert(codec_read_all(&in));
    in = codec_reader_of(BYTES(2, 'a', 'b', 'c'));
    ck_assert_str_eq(codec_read_text(&in), "");
    ck_assert(in.failed);
    in = codec_reader_of(BYTES(2, 'a', 0, 0));
    ck_assert_str_eq(codec_read_text(&in), "");
    ck_assert(in.failed);
}
END_TEST

START_TEST(a_failed_reader_reads_nothing_more)
{
    struct codec_reader in = codec_reader_of(BYTES(1, 2, 3));
    ck_assert_uint_eq(codec_read_u32(&in), 0);
    ck_assert(in.failed);
    ck_assert_uint_eq(codec_read_u8(&in), 0);
    ck_assert_uint_eq(codec_read_u16(&in), 0);
    ck_assert_uint_eq(codec_read_u64(&in), 0);
    ck_assert_uint_eq(codec_read_varint(&in), 0);
    ck_assert_uint_eq(codec_read_view(&in, 1).size, 0);
    ck_assert_uint_eq(codec_left(&in), 0);
    ck_assert(!codec_read_all(&in));
}
END_TEST

START_TEST(a_reader_of_nothing_has_read_all)
{
    struct codec_reader in = codec_reader_of(bytes_of(NULL, 0));
    ck_assert(codec_read_all(&in));
    ck_assert_uint_eq(codec_read_view(&in, 0).size, 0);
    ck_assert(codec_read_all(&in));
    ck_assert_uint_eq(codec_read_u8(&in), 0);
    ck_assert(in.failed);
}
END_TEST

START_TEST(a_part_cannot_read_what_is_behind_it)
{
    struct codec_reader in = codec_reader_of(BYTES(1, 2, 3, 4));
    struct codec_reader part = codec_read_part(&in, 2);
    ck_assert_uint_eq(codec_read_u8(&part), 1);
    ck_assert_uint_eq(codec_read_u16(&part), 0);
    ck_assert(part.failed);
    ck_assert_uint_eq(codec_read_u8(&in), 3);
    struct codec_reader none = codec_read_part(&in, 2);
    ck_assert(none.failed);
    ck_assert(in.failed);
}
END_TEST

START_TEST(a_write_that_does_not_fit_writes_nothing_and_sticks)
{
    uint8_t room[16];
    for (int kind = 0; kind < 7; kind++) {
        memset(room, 0x55, sizeof room);
        struct codec_writer out = codec_writer_of(room, kind == 6 ? 1 : 3);
        codec_write_u8(&out, 1);
        switch (kind) {
        case 0:
            codec_write_u32(&out, 0);
            break;
        case 1:
            codec_write_u64(&out, 0);
            break;
        case 2:
            codec_write_varint(&out, 1 << 20);
            break;
        case 3:
            codec_write_bytes(&out, bytes_of("xx", 2));
            break;
        case 4:
            codec_write_text(&out, "x");
            break;
        case 5:
            codec_write_raw(&out, bytes_of("xxx", 3));
            break;
        case 6:
            codec_write_u16(&out, 0);
            break;
        }
        ck_assert(out.failed);
        codec_write_u8(&out, 2); /* would fit */
        codec_write_bytes(&out, bytes_of(NULL, 0));
        ck_assert_uint_eq(codec_written(&out).size, 1);
        ck_assert_uint_eq(room[0], 1);
        for (size_t i = 1; i < sizeof room; i++)
            ck_assert_uint_eq(room[i], 0x55);
    }
}
END_TEST

START_TEST(sizes_that_would_wrap_around_do_not_fit)
{
    uint8_t room[8];
    struct codec_writer out = codec_writer_of(room, sizeof room);
    codec_write_bytes(&out, bytes_of(room, SIZE_MAX));
    ck_assert(out.failed);
    out = codec_writer_of(room, sizeof room);
    codec_write_raw(&out, bytes_of(room, SIZE_MAX - 2));
    ck_assert(out.failed);
}
END_TEST

START_TEST(room_may_be_filled_later)
{
    uint8_t room[16];
    struct codec_writer out = codec_writer_of(room, sizeof room);
    uint8_t *length = codec_write_room(&out, 1);
    codec_write_text(&out, "abc");
    *length = (uint8_t)codec_written(&out).size;
    ck_assert(same(codec_written(&out), BYTES(6, 3, 'a', 'b', 'c', 0)));
}
END_TEST

/* ---- all of it at random, against a list of what was written ---- */

enum kind { U8, U16, U32, U64, VARINT, SIGNED, BYTES_, TEXT, KINDS };

struct item {
    enum kind kind;
    uint64_t value;
    struct bytes bytes;
};

static uint8_t source[256];

static struct item random_item(uint64_t *random)
{
    struct item item = {.kind = (enum kind)unit_random_below(random, KINDS)};
    item.value = unit_random(random) >> unit_random_below(random, 64);
    if (item.kind < U64)
        item.value &= (1ULL << (8 << item.kind)) - 1;
    item.bytes = bytes_of(source, unit_random_below(random, sizeof source - 1));
    if (item.kind == TEXT) /* a text that ends where `source` does */
        item.bytes = bytes_of(source + sizeof source - 1 - item.bytes.size, item.bytes.size);
    return item;
}

static size_t item_size(const struct item *item)
{
    switch (item->kind) {
    case VARINT:
        return codec_varint_size(item->value);
    case SIGNED:
        return codec_signed_size((int64_t)item->value);
    case BYTES_:
        return codec_bytes_size(item->bytes.size);
    case TEXT:
        return codec_text_size(item->bytes.size);
    default:
        return (size_t)1 << item->kind;
    }
}

static void write_item(struct codec_writer *out, const struct item *item)
{
    switch (item->kind) {
    case U8:
        codec_write_u8(out, (uint8_t)item->value);
        break;
    case U16:
        codec_write_u16(out, (uint16_t)item->value);
        break;
    case U32:
        codec_write_u32(out, (uint32_t)item->value);
        break;
    case U64:
        codec_write_u64(out, item->value);
        break;
    case VARINT:
        codec_write_varint(out, item->value);
        break;
    case SIGNED:
        codec_write_signed(out, (int64_t)item->value);
        break;
    case BYTES_:
        codec_write_bytes(out, item->bytes);
        break;
    case TEXT:
    case KINDS:
        codec_write_text(out, (const char *)item->bytes.data);
        break;
    }
}

static bool reads_item(struct codec_reader *in, const struct item *item)
{
    switch (item->kind) {
    case U8:
        return codec_read_u8(in) == item->value;
    case U16:
        return codec_read_u16(in) == item->value;
    case U32:
        return codec_read_u32(in) == item->value;
    case U64:
        return codec_read_u64(in) == item->value;
    case VARINT:
        return codec_read_varint(in) == item->value;
    case SIGNED:
        return codec_read_signed(in) == (int64_t)item->value;
    case BYTES_:
        return same(codec_read_bytes(in), item->bytes);
    default:
        return strcmp(codec_read_text(in), (const char *)item->bytes.data) == 0;
    }
}

#define ITEMS 20

START_TEST(random_records_are_read_as_written_and_refused_when_cut)
{
    uint64_t random = unit_seed();
    for (size_t i = 0; i + 1 < sizeof source; i++)
        source[i] = (uint8_t)(1 + unit_random_below(&random, 255));
    for (int round = 0; round < 300; round++) {
        struct item items[ITEMS];
        size_t size = 0;
        for (int i = 0; i < ITEMS; i++) {
            items[i] = random_item(&random);
            size += item_size(&items[i]);
        }
        uint8_t *room = malloc(size);
        struct codec_writer out = codec_writer_of(room, size);
        for (int i = 0; i < ITEMS; i++)
            write_item(&out, &items[i]);
        ck_assert(!out.failed);
        ck_assert_uint_eq(codec_written(&out).size, size);
        struct codec_reader in = codec_reader_of(bytes_of(room, size));
        for (int i = 0; i < ITEMS; i++)
            ck_assert(reads_item(&in, &items[i]));
        ck_assert(codec_read_all(&in));

        struct bytes cut = exact(bytes_of(room, unit_random_below(&random, size)));
        in = codec_reader_of(cut);
        out = codec_writer_of((void *)cut.data, cut.size);
        for (int i = 0; i < ITEMS; i++) {
            (void)reads_item(&in, &items[i]);
            write_item(&out, &items[i]);
        }
        ck_assert(in.failed);
        ck_assert(out.failed);
        free((void *)cut.data);
        free(room);
    }
}
END_TEST

/* Whatever the bytes, reading stays within them; and what is read without failure is written the same. */
START_TEST(random_bytes_are_read_within_bounds_and_have_one_encoding)
{
    uint64_t random = unit_seed();
    for (int round = 0; round < 20000; round++) {
        uint8_t noise[24], room[64];
        size_t size = unit_random_below(&random, sizeof noise + 1);
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)(unit_random(&random) >> unit_random_below(&random, 8));
        struct bytes bytes = exact(bytes_of(noise, size));
        struct codec_reader in = codec_reader_of(bytes);
        struct codec_writer out = codec_writer_of(room, sizeof room);
        while (codec_left(&in)) {
            struct item item = {.kind = (enum kind)unit_random_below(&random, KINDS)};
            const uint8_t *start = in.at;
            switch (item.kind) {
            case VARINT:
                item.value = codec_read_varint(&in);
                break;
            case SIGNED:
                item.value = (uint64_t)codec_read_signed(&in);
                break;
            case BYTES_:
                item.bytes = codec_read_bytes(&in);
                break;
            case TEXT:
                item.bytes.data = (const uint8_t *)codec_read_text(&in);
                break;
            default:
                (void)codec_read_raw(&in, (size_t)1 << item.kind);
                continue;
            }
            if (in.failed)
                break;
            out.at = out.start;
            write_item(&out, &item);
            ck_assert(same(codec_written(&out), bytes_of(start, (size_t)(in.at - start))));
        }
        free((void *)bytes.data);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("codec");
    tcase_add_test(tests, encodings_are_as_documented);
    tcase_add_test(tests, varints_of_every_length_are_read_as_written);
    tcase_add_test(tests, varints_that_are_none_are_refused);
    tcase_add_test(tests, a_varint_above_the_callers_bound_is_refused);
    tcase_add_test(tests, sizes_beyond_the_end_are_refused);
    tcase_add_test(tests, texts_end_with_their_only_zero_byte);
    tcase_add_test(tests, a_failed_reader_reads_nothing_more);
    tcase_add_test(tests, a_reader_of_nothing_has_read_all);
    tcase_add_test(tests, a_part_cannot_read_what_is_behind_it);
    tcase_add_test(tests, a_write_that_does_not_fit_writes_nothing_and_sticks);
    tcase_add_test(tests, sizes_that_would_wrap_around_do_not_fit);
    tcase_add_test(tests, room_may_be_filled_later);
    tcase_add_test(tests, random_records_are_read_as_written_and_refused_when_cut);
    tcase_add_test(tests, random_bytes_are_read_within_bounds_and_have_one_encoding);
    return unit_run(tests);
}
