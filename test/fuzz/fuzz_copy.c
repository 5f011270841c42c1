/* COPY FROM, whatever the bytes: rows or an error. What was taken in is given out as bytes that give the same once more.
 *
 * An input is  table | format | options | piece | bytes:  the table and format by their places below, options by bits, the
 * bytes coming in pieces of so many. */
#include "base/check.h"
#include "test/fuzz/database.h"
#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 4
#define OUT_BYTES  (4 << 20)

static const char *const setup[] = {
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TABLE texts (a text, b text, c varchar(5))",
    "CREATE TABLE numbers (a int, b bigint, c smallint, d numeric(12,3), e float8, f float4, g boolean, h "
    "oid)",
    "CREATE TABLE times (a date, b time, c timetz, d timestamp, e timestamptz, f interval)",
    "CREATE TABLE pair (p int, q text)",
    "CREATE TABLE others (a uuid, b bytea, c json, d jsonb, e \"char\", f char(4), g mood, h int[], i "
    "text[], j pair)",
    "CREATE TABLE keyed (id int PRIMARY KEY, n int UNIQUE CHECK (n < 1000), t text NOT NULL DEFAULT 'x')",
    NULL,
};

static const char *const tables[] = {"texts", "numbers", "times", "others", "keyed"};
static const char *const formats[] = {"text", "csv", "binary"};
/* Those that have nothing to do with the format are errors, which is fine. */
static const char *const options[] = {
    ", HEADER",     ", DELIMITER ';'",       ", NULL 'nil'",      ", QUOTE '|'",
    ", ESCAPE '~'", ", FORCE_NOT_NULL (%s)", ", FORCE_NULL (%s)", ", ENCODING 'LATIN1'",
};

struct input {
    const char *table, *format;
    uint8_t options, piece;
    struct bytes bytes;
};

static void describe(const struct input *input, bool out, char text[static 512])
{
    size_t size = (size_t)snprintf(text, 512, "COPY %s %s (FORMAT %s", input->table,
                                   out ? "TO STDOUT" : "FROM STDIN", input->format);
    const char *column = strcmp(input->table, "keyed") == 0 ? "t" : "a";
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (input->options & (1 << i) && !(out && strstr(options[i], "FORCE")))
            size += (size_t)snprintf(text + size, 512 - size, options[i], column);
    snprintf(text + size, 512 - size, ")");
}

static enum sqlstate copy_in(struct client *client, const struct input *input, struct bytes bytes)
{
    char text[512];
    describe(input, false, text);
    client->copy_in = bytes;
    client->copy_piece = input->piece;
    return client_try(client, text, NULL, NULL);
}

static struct bytes copy_out(struct client *client, const struct input *input, char *room)
{
    char text[512];
    describe(input, true, text);
    client->copy_out = room;
    client->copy_out_size = 0;
    client->copy_out_room = OUT_BYTES;
    if (client_try(client, text, NULL, NULL))
        return bytes_of(NULL, 0);
    return bytes_of(room, client->copy_out_size);
}

static void work(struct client *client, void *argument)
{
    const struct input *input = argument;
    char truncate[64];
    if (copy_in(client, input, input->bytes))
        return;
    char *first = malloc(2 * (size_t)OUT_BYTES);
    check(first);
    struct bytes out = copy_out(client, input, first);
    if (out.data) {
        snprintf(truncate, sizeof truncate, "TRUNCATE %s", input->table);
        check(!client_try(client, truncate, NULL, NULL), "%s", error_text(&client->error, ERROR_MESSAGE));
        check(!copy_in(client, input, out), "%s", error_text(&client->error, ERROR_MESSAGE));
        struct bytes again = copy_out(client, input, first + OUT_BYTES);
        check(again.data && bytes_compare(out, again) == 0);
    }
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    size_t left = size - HEAD_BYTES;
    uint8_t *exact = malloc(left + !left); /* of its size, so that the sanitizer sees a step beyond */
    check(exact);
    memcpy(exact, data + HEAD_BYTES, left);
    struct input input = {.table = tables[data[0] % (sizeof tables / sizeof tables[0])],
                          .format = formats[data[1] % (sizeof formats / sizeof formats[0])],
                          .options = data[2],
                          .piece = data[3],
                          .bytes = bytes_of(exact, left)};
    database_try(setup, work, &input);
    free(exact);
    return 0;
}
