/* The codec, whatever the bytes: never a step outside, and one encoding for each value.
 *
 * An input is a program and what it reads:  count | count operations | bytes to read
 * The bytes stand in memory of their exact size, so that the address sanitizer sees a step beyond. */
#include "base/check.h"
#include "base/codec.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>

enum operation {
    READ_U8,
    READ_U16,
    READ_U32,
    READ_U64,
    READ_VARINT,
    READ_VARINT_AT_MOST,
    READ_SIGNED,
    READ_BYTES,
    READ_TEXT,
    READ_PART, /* the rest of the program runs on a record within */
    OPERATIONS
};

/* Reads one value and writes it again. */
static void copy_value(struct codec_reader *in, struct codec_writer *out, enum operation operation)
{
    switch (operation) {
    case READ_U8:
        codec_write_u8(out, codec_read_u8(in));
        break;
    case READ_U16:
        codec_write_u16(out, codec_read_u16(in));
        break;
    case READ_U32:
        codec_write_u32(out, codec_read_u32(in));
        break;
    case READ_U64:
        codec_write_u64(out, codec_read_u64(in));
        break;
    case READ_VARINT:
        codec_write_varint(out, codec_read_varint(in));
        break;
    case READ_VARINT_AT_MOST:
        codec_write_varint(out, codec_read_varint_at_most(in, 1000));
        break;
    case READ_SIGNED:
        codec_write_signed(out, codec_read_signed(in));
        break;
    case READ_BYTES:
        codec_write_bytes(out, codec_read_bytes(in));
        break;
    case READ_TEXT:
        codec_write_text(out, codec_read_text(in));
        break;
    case READ_PART:
    case OPERATIONS:
        break;
    }
}

/* Each value that was read without failure is written as the bytes it was read from; the room for that is
 * just enough, and one byte less is too little. */
static void run(struct codec_reader in, struct bytes program, uint8_t *room)
{
    for (size_t i = 0; i < program.size; i++) {
        const uint8_t *start = in.at;
        size_t left = codec_left(&in);
        enum operation operation = program.data[i] % OPERATIONS;
        if (operation == READ_PART) {
            size_t size = codec_read_varint(&in);
            struct codec_reader part = codec_read_part(&in, size);
            check(part.failed || codec_left(&part) == size);
            in = part;
            continue;
        }
        struct codec_writer out = codec_writer_of(room, left);
        copy_value(&in, &out, operation);
        check(codec_left(&in) <= left);
        if (in.failed) {
            check(codec_left(&in) == 0);
            continue;
        }
        size_t size = (size_t)(in.at - start);
        check(!out.failed && codec_written(&out).size == size);
        check(memcmp(room, start, size) == 0, "operation %d", operation);
        struct codec_reader again = codec_reader_of(bytes_of(start, left));
        out = codec_writer_of(room, size - 1);
        copy_value(&again, &out, operation);
        check(out.failed && codec_written(&out).size == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codec_reader input = codec_reader_of(bytes_of(data, size));
    struct bytes program = codec_read_view(&input, codec_read_u8(&input));
    if (input.failed)
        return 0;
    size_t left = codec_left(&input);
    uint8_t *exact = malloc(left + !left), *room = malloc(left + !left);
    check(exact && room);
    memcpy(exact, input.at, left);
    run(codec_reader_of(bytes_of(exact, left)), program, room);
    free(exact);
    free(room);
    return 0;
}
