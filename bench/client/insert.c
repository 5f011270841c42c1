/* Durable inserts, each a transaction: --batch rows in one statement. Keys are the worker's own ascending run. */
#include "bench/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_BYTES_MAX = 96 };

struct series {
    int64_t next;
    char text[]; /* of a statement of many rows */
};

/* Runs of keys do not meet: a thousand million for each worker. */
static bool prepare(struct worker *worker)
{
    struct series *series = calloc(1, sizeof *series + (size_t)worker->options->batch * ROW_BYTES_MAX + 64);
    worker->own = series;
    if (!series)
        return false;
    char ask[160];
    int64_t base = (int64_t)worker->number * 1000000000;
    snprintf(ask, sizeof ask, "select coalesce(max(id), %lld) from entry where id >= %lld and id < %lld",
             (long long)base, (long long)base, (long long)(base + 1000000000));
    PGresult *result = PQexec(worker->connection, ask);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (good)
        series->next = result_int(result, 0, 0) + 1;
    else
        fprintf(stderr, "%s: %s", ask, PQerrorMessage(worker->connection));
    PQclear(result);
    return good && prepare_statement(worker->connection, "put", "insert into entry values ($1, $2, $3)");
}

static enum outcome run(struct worker *worker, int kind)
{
    (void)kind;
    struct series *series = worker->own;
    if (worker->options->batch == 1) {
        struct arguments arguments = {0};
        argument_int(&arguments, series->next++);
        argument_int(&arguments, dice_int(&worker->dice, 0, 1000000));
        argument_text(&arguments, "an entry of no great length, sixty letters or about as many");
        return perform(worker, "put", &arguments);
    }
    char *at = series->text + sprintf(series->text, "insert into entry values ");
    for (long row = 0; row < worker->options->batch; row++)
        at += snprintf(at, ROW_BYTES_MAX, "%s(%lld,%d,'an entry of no great length, sixty letters')",
                       row ? "," : "", (long long)series->next++, (int)dice_int(&worker->dice, 0, 1000000));
    return say(worker, series->text);
}

const struct work insert_work = {.name = "insert", .kinds = {"insert"}, .prepare = prepare, .run = run};
