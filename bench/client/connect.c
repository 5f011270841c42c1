/* Connections themselves: made, asked one thing and closed, again and again; or many held open. */
#include "bench/client/client.h"

#include <stdio.h>
#include <stdlib.h>

static enum outcome run(struct worker *worker, int kind)
{
    (void)kind;
    PGconn *connection = PQconnectdb(worker->options->connection);
    bool good = PQstatus(connection) == CONNECTION_OK && execute(connection, "select 1");
    if (PQstatus(connection) != CONNECTION_OK)
        fprintf(stderr, "%s", PQerrorMessage(connection));
    PQfinish(connection);
    return good ? DONE : FAILED;
}

const struct work connect_work = {.name = "connect", .kinds = {"connect"}, .run = run, .connects = true};

int hold_connections(const struct options *options)
{
    PGconn **held = calloc((size_t)options->clients, sizeof(PGconn *));
    int count = 0;
    bool good = held != NULL;
    while (good && count < options->clients) {
        PGconn *connection = PQconnectdb(options->connection);
        held[count++] = connection;
        good = PQstatus(connection) == CONNECTION_OK && execute(connection, "select 1");
        if (!good)
            fprintf(stderr, "connection %d: %s", count, PQerrorMessage(connection));
    }
    if (good) {
        printf("%d\n", count);
        fflush(stdout);
        while (getchar() != EOF)
            continue;
    }
    for (int i = 0; i < count; i++)
        PQfinish(held[i]);
    free(held);
    return good ? 0 : 1;
}
