/* A load client over libpq: some number of connections, each with a thread of its own that runs one transaction after the
 * other for some seconds, and what came of it as one line of JSON.
 *
 * A work (TPC-C, YCSB, a queue ...) says how a connection is prepared and what one transaction is; client.c does the rest:
 * threads, a common start, time, latencies, retries of transactions that the server gave up for another's sake (40001, 40P01).
 * One thread for each connection costs the client a switch per round trip; it costs the same whomever it talks to. */
#ifndef SYNOD_BENCH_CLIENT_CLIENT_H
#define SYNOD_BENCH_CLIENT_CLIENT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    KINDS_MAX = 8,             /* kinds of transactions of one work */
    LATENCY_BUCKETS = 64 * 32, /* 64 to each power of two, microseconds up to 2^31 */
    ARGUMENTS_MAX = 24,        /* of one statement */
};

struct options {
    const char *connection;
    int clients;
    double seconds;
    long scale;      /* warehouses, rows: as the work says */
    long shrink;     /* TPC-C: divides items and customers, for tests; 1 = as the specification has it */
    const char *mix; /* YCSB: a letter A to F */
    long batch;      /* rows of one statement, where the work has such */
    uint64_t seed;
    bool load; /* make and fill the tables, then end */
};

/* Random numbers of one worker (xorshift64*). */
struct dice {
    uint64_t state;
};

uint64_t dice_next(struct dice *dice);
/* Evenly from low to high, both included. */
int64_t dice_int(struct dice *dice, int64_t low, int64_t high);
/* Evenly in [0, 1). */
double dice_unit(struct dice *dice);
uint64_t mix_bits(uint64_t x);

struct latencies {
    uint64_t count, sum_us, max_us;
    uint32_t bucket[LATENCY_BUCKETS];
};

struct shared; /* of one work: made by share() in one block, read or atomically changed by all workers */

struct worker {
    const struct options *options;
    const struct work *work;
    struct shared *shared;
    PGconn *connection;
    int number; /* from 0 */
    struct dice dice;
    void *own; /* the work's, for this worker: one block that prepare() allocates and client.c frees */
    uint64_t retried, empty;
    struct latencies *latencies; /* one for each kind */
};

/* What a transaction came to. */
enum outcome {
    DONE,
    NOTHING, /* there was nothing to do; not counted as done */
    AGAIN,   /* given up by the server for another's sake: to be rolled back and run again */
    FAILED,  /* a message went to standard error */
};

struct work {
    const char *name;
    const char *kinds[KINDS_MAX]; /* names of kinds of transactions, up to the first NULL */
    /* Makes and fills the tables over one connection. NULL: bench/run does it in SQL. */
    bool (*load)(PGconn *connection, const struct options *options);
    /* Before the workers start: what they share. NULL: nothing. */
    bool (*share)(PGconn *connection, const struct options *options, struct shared **shared);
    /* Once for each connection: statements, state of its own. NULL: nothing. */
    bool (*prepare)(struct worker *worker);
    /* Chooses the kind of the next transaction, an index into `kinds`. NULL: always 0. */
    int (*choose)(struct worker *worker);
    /* Runs one transaction of that kind. After AGAIN it is called with the same kind, after a rollback. */
    enum outcome (*run)(struct worker *worker, int kind);
    /* The worker connects itself, inside run(). */
    bool connects;
};

extern const struct work tpcc_work, ycsb_work, queue_work, hot_work, transfer_work, insert_work, connect_work;

/* Holds N connections open, says so on standard output, and ends when standard input does. */
int hold_connections(const struct options *options);
/* Runs the files of SQL, one after the other; a line of JSON with time and rows for each. */
int run_files(const struct options *options, char **paths, int count);

/* ---- statements ---- */

/* Runs text without parameters; a message on standard error and false when it fails. */
bool execute(PGconn *connection, const char *text);
bool prepare_statement(PGconn *connection, const char *name, const char *text);

/* Arguments of a prepared statement, as text. */
struct arguments {
    const char *values[ARGUMENTS_MAX];
    char texts[ARGUMENTS_MAX][24];
    int count;
};

void argument_int(struct arguments *arguments, int64_t value);
void argument_text(struct arguments *arguments, const char *value); /* must outlive the call */

/* Runs a prepared statement. Gives the result, which the caller clears, or NULL with *outcome AGAIN or FAILED. */
PGresult *run_prepared(struct worker *worker, const char *name, const struct arguments *arguments,
                       enum outcome *outcome);
/* The same when the result does not matter: DONE, AGAIN or FAILED. */
enum outcome perform(struct worker *worker, const char *name, const struct arguments *arguments);
/* BEGIN, COMMIT and the like. */
enum outcome say(struct worker *worker, const char *text);
int64_t result_int(const PGresult *result, int row, int column);

/* ---- COPY ---- */

struct copy {
    PGconn *connection;
    char *buffer;
    int used;
    bool failed;
};

bool copy_begin(struct copy *copy, PGconn *connection, const char *statement);
/* Adds formatted text: columns separated by tabs, a row ends with a newline. */
void copy_put(struct copy *copy, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool copy_end(struct copy *copy);

#endif
