/* Parameters in binary, of every type: what is received is shown, compared, kept in a table and sent again as bytes that
 * are received as the same. What is not a value is refused.
 *
 * An input is  a type's name | newline | bytes. */
#include "base/check.h"
#include "base/scope.h"
#include "test/fuzz/database.h"
#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const setup[] = {
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TABLE pair (p int, q text)",
    NULL,
};

struct input {
    char type[64];
    struct bytes bytes;
};

static enum sqlstate with(struct client *client, const char *form, const struct input *input,
                          struct bytes value)
{
    static const int16_t binary = 1;
    static const uint32_t inferred = 0;
    char text[512];
    snprintf(text, sizeof text, form, input->type, input->type, input->type);
    const struct session_bind bind = {.portal = "",
                                      .statement = "",
                                      .parameters = 1,
                                      .values = &value,
                                      .parameter_formats = 1,
                                      .parameter_format = &binary};
    return client_try(client, text, &inferred, &bind);
}

static void work(struct client *client, void *argument)
{
    const struct input *input = argument;
    client->keeps = true;
    if (with(client, "SELECT $1::%s", input, input->bytes) || !client->sent.data)
        return;
    struct bytes first = client->sent;
    check(!with(client, "SELECT $1::%s", input, first), "%s", error_text(&client->error, ERROR_MESSAGE));
    check(client->sent.data && bytes_compare(first, client->sent) == 0);
    (void)with(client, "SELECT $1::%s = $1::%s", input, input->bytes);
    (void)with(client, "SELECT ($1::%s)::text::%s = $1::%s", input, input->bytes);
    (void)with(client, "SELECT ARRAY[$1::%s, NULL], ROW($1::%s, 1), to_jsonb($1::%s)", input, input->bytes);
    (void)with(client, "SELECT DISTINCT x FROM (VALUES ($1::%s), ($1::%s), (NULL)) v(x) ORDER BY x DESC",
               input, input->bytes);
    (void)with(client, "SELECT max(x), min(x), count(DISTINCT x) FROM (VALUES ($1::%s)) v(x)", input,
               input->bytes);
    if (with(client, "CREATE TEMPORARY TABLE kept AS SELECT NULL::%s AS x", input, bytes_of(NULL, 0)) ==
        SQLSTATE_OK) {
        (void)client_try(client, "CREATE INDEX ON kept (x)", NULL, NULL);
        if (with(client, "INSERT INTO kept VALUES ($1::%s)", input, input->bytes) == SQLSTATE_OK) {
            check(!client_try(client, "SELECT x FROM kept WHERE x IS NOT NULL", NULL, NULL));
            check(client->rows == 0 || bytes_compare(first, client->sent) == 0);
            (void)with(client, "SELECT x FROM kept WHERE x >= $1::%s", input, input->bytes);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    struct input input;
    if (!end || (size_t)(end - data) >= sizeof input.type || memchr(data, '\0', (size_t)(end - data)) ||
        memchr(data, ';', (size_t)(end - data)))
        return 0;
    memcpy(input.type, data, (size_t)(end - data));
    input.type[end - data] = '\0';
    size_t left = size - (size_t)(end + 1 - data);
    uint8_t *exact = malloc(left + !left); /* of its size, so that the sanitizer sees a step beyond */
    check(exact);
    memcpy(exact, end + 1, left);
    input.bytes = bytes_of(exact, left);
    database_try(setup, work, &input);
    free(exact);
    return 0;
}
