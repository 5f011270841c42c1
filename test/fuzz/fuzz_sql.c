/* Any text of SQL ends in an answer or an error, and the session goes on.
 *
 * An input is statements, each ended by a semicolon at the end of a line; they run one after the other in one transaction,
 * which is rolled back. What would end the transaction is left out. */
#include "base/check.h"
#include "test/fuzz/database.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/sql_mutate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const setup[] = {
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TABLE a (id serial PRIMARY KEY, n int, t text, x numeric(10,2), d timestamptz, j jsonb, r int[], "
    "m mood)",
    "INSERT INTO a (n, t, x, d, j, r, m) SELECT i % 5, 't' || i, i * 1.25, '2020-01-01 UTC'::timestamptz + i "
    "* interval '1 day', "
    "jsonb_build_object('k', i), ARRAY[i, i + 1], (enum_range(NULL::mood))[1 + i % 3] FROM "
    "generate_series(1, 20) i",
    "INSERT INTO a DEFAULT VALUES",
    "CREATE TABLE b (id int REFERENCES a ON DELETE CASCADE, n int CHECK (n < 100), t text UNIQUE)",
    "INSERT INTO b VALUES (1, 10, 'one'), (2, 20, 'two'), (2, NULL, NULL)",
    "CREATE INDEX ON b (n DESC, t) WHERE n > 5",
    "CREATE TABLE c (f float8, g float4, s int2, l int8, c char(3), v varchar(4), y bytea, u uuid, i "
    "interval, b boolean, z timetz, e time, da date, o oid)",
    "INSERT INTO c VALUES (1.5, 'nan', -1, 9223372036854775807, 'x', 'yyyy', '\\x00ff', "
    "'00000000-0000-0000-0000-000000000001', '1 mon -1 day', true, '12:00+02', '24:00', 'infinity', 1)",
    "INSERT INTO c DEFAULT VALUES",
    "CREATE TABLE pair (p int, q text)",
    "CREATE TABLE big (k int PRIMARY KEY, t text, n numeric)",
    "INSERT INTO big SELECT i, repeat(chr(97 + i % 26), i % 300), i / 7.0 FROM generate_series(1, 1500) i",
    "CREATE VIEW d AS SELECT a.id, b.n, a.t FROM a LEFT JOIN b USING (id)",
    NULL,
};

/* Whether the statement begins with one of the words that end a transaction. */
static bool ends_transaction(const char *text)
{
    static const char *const words[] = {"commit",  "end",      "abort", "rollback", "prepare transaction",
                                        "release", "savepoint"};
    while (isspace((unsigned char)*text) || *text == '(')
        text++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static void work(struct client *client, void *argument)
{
    char *text = argument;
    for (char *statement = text, *end; statement; statement = end) {
        end = strstr(statement, ";\n");
        if (end) {
            *end = '\0';
            end += 2;
        }
        /* Comments may hide such a word. */
        if (!ends_transaction(statement) && !strstr(statement, "/*") && !strstr(statement, "--"))
            (void)client_try(client, statement, NULL, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    check(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (strlen(text) == size)
        database_try(setup, work, text);
    free(text);
    return 0;
}

/* libFuzzer's. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    return sql_mutate(data, size, room, data, 0, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_size, const uint8_t *second,
                                 size_t second_size, uint8_t *made, size_t room, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_size, const uint8_t *second,
                                 size_t second_size, uint8_t *made, size_t room, unsigned int seed)
{
    if (first_size > room)
        first_size = room;
    memcpy(made, first, first_size);
    return sql_mutate(made, first_size, room, second, second_size, seed);
}
