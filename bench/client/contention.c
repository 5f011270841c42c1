/* Three small works about rows that many want: a queue, one hot row, and transfers between rows while others scan them. */
#include "bench/client/client.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- queue: a worker takes the oldest job that nobody has, does it, and puts a new one ---- */

static bool queue_prepare(struct worker *worker)
{
    return prepare_statement(
               worker->connection, "take",
               "select id from job where state = 'ready' order by id limit 1 for update skip locked") &&
           prepare_statement(worker->connection, "finish",
                             "update job set state = 'done', taken = taken + 1 where id = $1") &&
           prepare_statement(worker->connection, "put",
                             "insert into job (state, payload) values ('ready', $1)");
}

static enum outcome queue_run(struct worker *worker, int kind)
{
    (void)kind;
    struct arguments none = {0}, arguments = {0};
    enum outcome outcome = say(worker, "begin");
    if (outcome != DONE)
        return outcome;
    PGresult *result = run_prepared(worker, "take", &none, &outcome);
    if (!result)
        return outcome;
    bool got = PQntuples(result) == 1;
    if (got)
        argument_int(&arguments, result_int(result, 0, 0));
    PQclear(result);
    if (!got)
        return NOTHING;
    outcome = perform(worker, "finish", &arguments);
    if (outcome == DONE)
        outcome = perform(worker, "put", &arguments);
    return outcome == DONE ? say(worker, "commit") : outcome;
}

const struct work queue_work = {
    .name = "queue", .kinds = {"job"}, .prepare = queue_prepare, .run = queue_run};

/* ---- hot: everybody adds one to the same row ---- */

static bool hot_prepare(struct worker *worker)
{
    return prepare_statement(worker->connection, "add", "update counter set n = n + 1 where id = 1");
}

static enum outcome hot_run(struct worker *worker, int kind)
{
    (void)kind;
    struct arguments none = {0};
    return perform(worker, "add", &none);
}

const struct work hot_work = {.name = "hot", .kinds = {"add"}, .prepare = hot_prepare, .run = hot_run};

/* ---- transfer: from one row to another, so that the sum over all stays; --scale says how many rows there are ---- */

static bool transfer_prepare(struct worker *worker)
{
    return prepare_statement(worker->connection, "move", "update purse set coins = coins + $2 where id = $1");
}

static enum outcome transfer_run(struct worker *worker, int kind)
{
    (void)kind;
    int64_t from = dice_int(&worker->dice, 1, worker->options->scale);
    int64_t to = dice_int(&worker->dice, 1, worker->options->scale), coins = dice_int(&worker->dice, 1, 100);
    /* In the order of their keys, so that two transfers never wait for each other. */
    int64_t first = from < to ? from : to, second = from < to ? to : from;
    struct arguments take = {0}, give = {0};
    argument_int(&take, first);
    argument_int(&take, first == from ? -coins : coins);
    argument_int(&give, second);
    argument_int(&give, first == from ? coins : -coins);
    enum outcome outcome = say(worker, "begin");
    if (outcome == DONE)
        outcome = perform(worker, "move", &take);
    if (outcome == DONE)
        outcome = perform(worker, "move", &give);
    return outcome == DONE ? say(worker, "commit") : outcome;
}

const struct work transfer_work = {
    .name = "transfer", .kinds = {"transfer"}, .prepare = transfer_prepare, .run = transfer_run};
