/* YCSB's six core workloads (Cooper et al., Benchmarking Cloud Serving Systems with YCSB, 2010): one table, a key of text and
 * ten fields of 100 letters; keys drawn by a Zipfian distribution of 0.99, scrambled, in D by recency.
 *
 *   A  50 % read, 50 % update     B  95 % read, 5 % update     C  read only
 *   D  95 % read the latest, 5 % insert     E  95 % scan of 1 to 100 rows, 5 % insert     F  50 % read, 50 % read and update */
#include "bench/client/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { READ, UPDATE, INSERT, SCAN, READ_MODIFY_WRITE };
enum { FIELDS = 10, FIELD_BYTES = 100, SCAN_MAX = 100, KEY_BYTES = 24 };

static const double theta = 0.99;

struct shared {
    uint64_t rows;   /* __atomic: keys 0 .. rows-1 were given out */
    uint64_t loaded; /* rows that the Zipfian distribution is over */
    double zeta, zeta_two, alpha, eta;
};

static void key_text(uint64_t number, char text[KEY_BYTES])
{
    snprintf(text, KEY_BYTES, "user%019llu", (unsigned long long)(mix_bits(number) >> 1));
}

static void field_text(struct dice *dice, char text[FIELD_BYTES + 1])
{
    static const char letters[33] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef";
    uint64_t bits = 0;
    for (int i = 0; i < FIELD_BYTES; i++) {
        if (i % 12 == 0)
            bits = dice_next(dice);
        text[i] = letters[bits & 31];
        bits >>= 5;
    }
    text[FIELD_BYTES] = '\0';
}

static bool load(PGconn *connection, const struct options *options)
{
    struct dice dice = {mix_bits(options->seed) | 1};
    char field[FIELD_BYTES + 1], key[KEY_BYTES];
    struct copy copy;
    if (!execute(connection, "drop table if exists usertable") ||
        !execute(connection,
                 "create table usertable (ycsb_key varchar(64) primary key, field0 varchar(100),"
                 " field1 varchar(100), field2 varchar(100), field3 varchar(100), field4 varchar(100),"
                 " field5 varchar(100), field6 varchar(100), field7 varchar(100), field8 varchar(100),"
                 " field9 varchar(100))") ||
        !copy_begin(&copy, connection, "copy usertable from stdin"))
        return false;
    for (long row = 0; row < options->scale; row++) {
        key_text((uint64_t)row, key);
        copy_put(&copy, "%s", key);
        for (int i = 0; i < FIELDS; i++) {
            field_text(&dice, field);
            copy_put(&copy, "\t%s", field);
        }
        copy_put(&copy, "\n");
    }
    return copy_end(&copy) && execute(connection, "analyze usertable");
}

static bool share(PGconn *connection, const struct options *options, struct shared **made)
{
    PGresult *result = PQexec(connection, "select count(*) from usertable");
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    struct shared *shared = calloc(1, sizeof *shared);
    if (good && shared) {
        shared->rows = (uint64_t)result_int(result, 0, 0);
        shared->loaded = (uint64_t)options->scale;
        for (uint64_t i = 1; i <= shared->loaded; i++)
            shared->zeta += 1 / pow((double)i, theta);
        shared->zeta_two = 1 + pow(0.5, theta);
        shared->alpha = 1 / (1 - theta);
        shared->eta =
            (1 - pow(2.0 / (double)shared->loaded, 1 - theta)) / (1 - shared->zeta_two / shared->zeta);
    }
    PQclear(result);
    *made = shared;
    return good && shared;
}

/* A rank from 0, small ones often (Gray et al., Quickly generating billion-record synthetic databases, 1994). */
static uint64_t draw_rank(struct worker *worker)
{
    const struct shared *shared = worker->shared;
    double u = dice_unit(&worker->dice), uz = u * shared->zeta;
    if (uz < 1)
        return 0;
    if (uz < shared->zeta_two)
        return 1;
    uint64_t rank =
        (uint64_t)((double)shared->loaded * pow(shared->eta * u - shared->eta + 1, shared->alpha));
    return rank < shared->loaded ? rank : shared->loaded - 1;
}

static bool prepare(struct worker *worker)
{
    PGconn *connection = worker->connection;
    char text[64], name[8];
    for (int i = 0; i < FIELDS; i++) {
        snprintf(name, sizeof name, "set%d", i);
        snprintf(text, sizeof text, "update usertable set field%d = $2 where ycsb_key = $1", i);
        if (!prepare_statement(connection, name, text))
            return false;
    }
    return prepare_statement(connection, "read", "select * from usertable where ycsb_key = $1") &&
           prepare_statement(connection, "scan",
                             "select * from usertable where ycsb_key >= $1 order by ycsb_key limit $2") &&
           prepare_statement(connection, "insert",
                             "insert into usertable values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
}

static int choose(struct worker *worker)
{
    int64_t hundred = dice_int(&worker->dice, 0, 99);
    switch (worker->options->mix[0]) {
    case 'A':
        return hundred < 50 ? READ : UPDATE;
    case 'B':
        return hundred < 95 ? READ : UPDATE;
    case 'C':
        return READ;
    case 'D':
        return hundred < 95 ? READ : INSERT;
    case 'E':
        return hundred < 95 ? SCAN : INSERT;
    default:
        return hundred < 50 ? READ : READ_MODIFY_WRITE;
    }
}

static uint64_t draw_key(struct worker *worker)
{
    uint64_t rank = draw_rank(worker);
    if (worker->options->mix[0] == 'D') {
        uint64_t rows = __atomic_load_n(&worker->shared->rows, __ATOMIC_RELAXED);
        return rank < rows ? rows - 1 - rank : 0;
    }
    return mix_bits(rank) % worker->shared->loaded;
}

static enum outcome insert(struct worker *worker)
{
    char key[KEY_BYTES], fields[FIELDS][FIELD_BYTES + 1];
    struct arguments arguments = {0};
    key_text(__atomic_fetch_add(&worker->shared->rows, 1, __ATOMIC_RELAXED), key);
    argument_text(&arguments, key);
    for (int i = 0; i < FIELDS; i++) {
        field_text(&worker->dice, fields[i]);
        argument_text(&arguments, fields[i]);
    }
    return perform(worker, "insert", &arguments);
}

static enum outcome update(struct worker *worker, const char *key)
{
    char field[FIELD_BYTES + 1], name[8];
    struct arguments arguments = {0};
    field_text(&worker->dice, field);
    snprintf(name, sizeof name, "set%d", (int)dice_int(&worker->dice, 0, FIELDS - 1));
    argument_text(&arguments, key);
    argument_text(&arguments, field);
    return perform(worker, name, &arguments);
}

static enum outcome run(struct worker *worker, int kind)
{
    char key[KEY_BYTES];
    struct arguments arguments = {0};
    if (kind == INSERT)
        return insert(worker);
    key_text(draw_key(worker), key);
    if (kind == UPDATE)
        return update(worker, key);
    argument_text(&arguments, key);
    if (kind == SCAN)
        argument_int(&arguments, dice_int(&worker->dice, 1, SCAN_MAX));
    enum outcome outcome = perform(worker, kind == SCAN ? "scan" : "read", &arguments);
    return kind == READ_MODIFY_WRITE && outcome == DONE ? update(worker, key) : outcome;
}

const struct work ycsb_work = {
    .name = "ycsb",
    .kinds = {"read", "update", "insert", "scan", "read_modify_write"},
    .load = load,
    .share = share,
    .prepare = prepare,
    .choose = choose,
    .run = run,
};
