#include "bench/client/client.h"

#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COPY_BYTES = 1 << 16, COPY_ROW_BYTES_MAX = 1 << 13 };

static const struct work *const works[] = {&tpcc_work,     &ycsb_work,   &queue_work,  &hot_work,
                                           &transfer_work, &insert_work, &connect_work};

/* ---- dice ---- */

uint64_t mix_bits(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t dice_next(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * 0x2545f4914f6cdd1du;
}

int64_t dice_int(struct dice *dice, int64_t low, int64_t high)
{
    return low + (int64_t)((dice_next(dice) >> 11) % (uint64_t)(high - low + 1));
}

double dice_unit(struct dice *dice)
{
    return (double)(dice_next(dice) >> 11) / (double)(1ull << 53);
}

/* ---- statements ---- */

static bool is_again(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0);
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

bool execute(PGconn *connection, const char *text)
{
    PGresult *result = PQexec(connection, text);
    bool good = is_good(result);
    if (!good)
        fprintf(stderr, "%.200s: %s", text, PQerrorMessage(connection));
    PQclear(result);
    return good;
}

bool prepare_statement(PGconn *connection, const char *name, const char *text)
{
    PGresult *result = PQprepare(connection, name, text, 0, NULL);
    bool good = is_good(result);
    if (!good)
        fprintf(stderr, "%.200s: %s", text, PQerrorMessage(connection));
    PQclear(result);
    return good;
}

void argument_int(struct arguments *arguments, int64_t value)
{
    char *text = arguments->texts[arguments->count];
    snprintf(text, sizeof arguments->texts[0], "%lld", (long long)value);
    arguments->values[arguments->count++] = text;
}

void argument_text(struct arguments *arguments, const char *value)
{
    arguments->values[arguments->count++] = value;
}

PGresult *run_prepared(struct worker *worker, const char *name, const struct arguments *arguments,
                       enum outcome *outcome)
{
    PGresult *result =
        PQexecPrepared(worker->connection, name, arguments->count, arguments->values, NULL, NULL, 0);
    if (is_good(result)) {
        *outcome = DONE;
        return result;
    }
    *outcome = is_again(result) ? AGAIN : FAILED;
    if (*outcome == FAILED)
        fprintf(stderr, "%s: %s", name, PQerrorMessage(worker->connection));
    PQclear(result);
    return NULL;
}

enum outcome perform(struct worker *worker, const char *name, const struct arguments *arguments)
{
    enum outcome outcome;
    PQclear(run_prepared(worker, name, arguments, &outcome));
    return outcome;
}

enum outcome say(struct worker *worker, const char *text)
{
    PGresult *result = PQexec(worker->connection, text);
    enum outcome outcome = is_good(result) ? DONE : is_again(result) ? AGAIN : FAILED;
    if (outcome == FAILED)
        fprintf(stderr, "%s: %s", text, PQerrorMessage(worker->connection));
    PQclear(result);
    return outcome;
}

int64_t result_int(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* ---- COPY ---- */

bool copy_begin(struct copy *copy, PGconn *connection, const char *statement)
{
    *copy = (struct copy){.connection = connection};
    PGresult *result = PQexec(connection, statement);
    copy->failed = PQresultStatus(result) != PGRES_COPY_IN;
    if (copy->failed)
        fprintf(stderr, "%s: %s", statement, PQerrorMessage(connection));
    PQclear(result);
    copy->buffer = malloc(COPY_BYTES + COPY_ROW_BYTES_MAX);
    return !copy->failed && copy->buffer;
}

static void copy_flush(struct copy *copy)
{
    if (!copy->failed && copy->used > 0 && PQputCopyData(copy->connection, copy->buffer, copy->used) != 1)
        copy->failed = true;
    copy->used = 0;
}

void copy_put(struct copy *copy, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(copy->buffer + copy->used, COPY_ROW_BYTES_MAX, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= COPY_ROW_BYTES_MAX)
        copy->failed = true;
    else
        copy->used += length;
    if (copy->used >= COPY_BYTES)
        copy_flush(copy);
}

bool copy_end(struct copy *copy)
{
    copy_flush(copy);
    if (PQputCopyEnd(copy->connection, copy->failed ? "the client gave up" : NULL) != 1)
        copy->failed = true;
    PGresult *result;
    while ((result = PQgetResult(copy->connection))) {
        if (!is_good(result)) {
            fprintf(stderr, "COPY: %s", PQerrorMessage(copy->connection));
            copy->failed = true;
        }
        PQclear(result);
    }
    free(copy->buffer);
    return !copy->failed;
}

/* ---- time ---- */

static uint64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Buckets 0..63 are exact; from there on 64 to each power of two, of which the upper 32 are used. */
static unsigned latency_bucket(uint64_t us)
{
    if (us < 64)
        return (unsigned)us;
    unsigned power = 63u - (unsigned)__builtin_clzll(us);
    unsigned bucket = 64 + (power - 6) * 64 + (unsigned)((us >> (power - 6)) - 64);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static double bucket_us(unsigned bucket)
{
    if (bucket < 64)
        return bucket;
    unsigned power = 6 + (bucket - 64) / 64;
    return (double)((uint64_t)(64 + (bucket - 64) % 64) << (power - 6));
}

static void latency_note(struct latencies *latencies, uint64_t us)
{
    latencies->count++;
    latencies->sum_us += us;
    if (us > latencies->max_us)
        latencies->max_us = us;
    latencies->bucket[latency_bucket(us)]++;
}

static void latency_add(struct latencies *all, const struct latencies *one)
{
    all->count += one->count;
    all->sum_us += one->sum_us;
    if (one->max_us > all->max_us)
        all->max_us = one->max_us;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        all->bucket[i] += one->bucket[i];
}

static double latency_at(const struct latencies *latencies, double part)
{
    uint64_t wanted = (uint64_t)((double)latencies->count * part), seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latencies->bucket[i];
        if (seen > wanted)
            return bucket_us(i);
    }
    return (double)latencies->max_us;
}

/* ---- workers ---- */

/* The common start, and the end that the clock or a failure sets. */
struct play {
    pthread_barrier_t ready;
    uint64_t end_us;
    bool over; /* __atomic: somebody failed */
};

struct thread {
    struct worker worker;
    struct play *play;
    bool failed;
    pthread_t id;
};

static bool worker_prepare(struct worker *worker)
{
    if (worker->work->connects)
        return true;
    worker->connection = PQconnectdb(worker->options->connection);
    if (PQstatus(worker->connection) != CONNECTION_OK) {
        fprintf(stderr, "connection %d: %s", worker->number, PQerrorMessage(worker->connection));
        return false;
    }
    return !worker->work->prepare || worker->work->prepare(worker);
}

/* One transaction, run again as often as the server wants that. */
static bool worker_step(struct worker *worker)
{
    int kind = worker->work->choose ? worker->work->choose(worker) : 0;
    uint64_t began = now_us();
    for (;;) {
        enum outcome outcome = worker->work->run(worker, kind);
        if (outcome == DONE)
            break;
        if (outcome == FAILED)
            return false;
        if (PQtransactionStatus(worker->connection) != PQTRANS_IDLE && say(worker, "rollback") != DONE)
            return false;
        if (outcome == NOTHING) {
            worker->empty++;
            return true;
        }
        worker->retried++;
    }
    latency_note(&worker->latencies[kind], now_us() - began);
    return true;
}

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    struct worker *worker = &thread->worker;
    thread->failed = !worker_prepare(worker);
    pthread_barrier_wait(&thread->play->ready); /* all are prepared */
    pthread_barrier_wait(&thread->play->ready); /* the clock runs */
    while (!thread->failed && !__atomic_load_n(&thread->play->over, __ATOMIC_RELAXED) &&
           now_us() < thread->play->end_us)
        thread->failed = !worker_step(worker);
    if (thread->failed)
        __atomic_store_n(&thread->play->over, true, __ATOMIC_RELAXED);
    PQfinish(worker->connection);
    free(worker->own);
    return NULL;
}

static void print_latencies(const struct latencies *latencies)
{
    printf("\"done\":%llu,\"mean_us\":%.1f,\"p50_us\":%.0f,\"p95_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%llu",
           (unsigned long long)latencies->count,
           latencies->count ? (double)latencies->sum_us / (double)latencies->count : 0,
           latency_at(latencies, 0.5), latency_at(latencies, 0.95), latency_at(latencies, 0.99),
           (unsigned long long)latencies->max_us);
}

static void print_outcome(const struct work *work, const struct thread *threads, int count, double seconds)
{
    static const struct latencies none;
    struct latencies all = none;
    uint64_t retried = 0, empty = 0;
    for (int i = 0; i < count; i++) {
        retried += threads[i].worker.retried;
        empty += threads[i].worker.empty;
        for (int kind = 0; kind < KINDS_MAX; kind++)
            latency_add(&all, &threads[i].worker.latencies[kind]);
    }
    printf("{\"seconds\":%.6f,\"per_second\":%.3f,\"retried\":%llu,\"empty\":%llu,", seconds,
           (double)all.count / seconds, (unsigned long long)retried, (unsigned long long)empty);
    print_latencies(&all);
    printf(",\"kinds\":{");
    for (int kind = 0; kind < KINDS_MAX && work->kinds[kind]; kind++) {
        struct latencies one = none;
        for (int i = 0; i < count; i++)
            latency_add(&one, &threads[i].worker.latencies[kind]);
        printf("%s\"%s\":{", kind ? "," : "", work->kinds[kind]);
        print_latencies(&one);
        printf("}");
    }
    printf("}}\n");
}

static int play_work(const struct work *work, const struct options *options, struct shared *shared)
{
    int count = options->clients;
    struct thread *threads = calloc((size_t)count, sizeof *threads);
    struct latencies *latencies = calloc((size_t)count * KINDS_MAX, sizeof *latencies);
    struct play play = {0};
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    pthread_barrier_init(&play.ready, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        threads[i].play = &play;
        threads[i].worker = (struct worker){.options = options,
                                            .work = work,
                                            .shared = shared,
                                            .number = i,
                                            .dice = {mix_bits(options->seed * 1000003u + (uint64_t)i) | 1},
                                            .latencies = &latencies[(size_t)i * KINDS_MAX]};
        if (pthread_create(&threads[i].id, &small, thread_main, &threads[i]) != 0) {
            fprintf(stderr, "no thread for connection %d\n", i);
            return 1;
        }
    }
    pthread_barrier_wait(&play.ready);
    uint64_t began = now_us();
    play.end_us = began + (uint64_t)(options->seconds * 1e6);
    pthread_barrier_wait(&play.ready);
    bool failed = false;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i].id, NULL);
        failed |= threads[i].failed;
    }
    if (!failed)
        print_outcome(work, threads, count, (double)(now_us() - began) / 1e6);
    pthread_barrier_destroy(&play.ready);
    pthread_attr_destroy(&small);
    free(threads);
    free(latencies);
    return failed ? 1 : 0;
}

/* ---- the command line ---- */

static int usage(void)
{
    fputs("usage: bench_client WORK --connection TEXT [--clients N] [--seconds S] [--scale N] [--shrink N] "
          "[--mix A..F]\n"
          "                    [--batch N] [--seed N] [--load]\n"
          "       bench_client hold --connection TEXT --clients N\n"
          "       bench_client query --connection TEXT FILE...\n"
          "WORK: tpcc, ycsb, queue, hot, transfer, insert, connect\n",
          stderr);
    return 2;
}

static bool read_options(int count, char **arguments, struct options *options)
{
    static const struct option names[] = {{"connection", required_argument, NULL, 'c'},
                                          {"clients", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"scale", required_argument, NULL, 's'},
                                          {"shrink", required_argument, NULL, 'k'},
                                          {"mix", required_argument, NULL, 'm'},
                                          {"batch", required_argument, NULL, 'b'},
                                          {"seed", required_argument, NULL, 'r'},
                                          {"load", no_argument, NULL, 'l'},
                                          {0}};
    int option;
    while ((option = getopt_long(count, arguments, "", names, NULL)) != -1)
        switch (option) {
        case 'c':
            options->connection = optarg;
            break;
        case 'n':
            options->clients = atoi(optarg);
            break;
        case 't':
            options->seconds = atof(optarg);
            break;
        case 's':
            options->scale = atol(optarg);
            break;
        case 'k':
            options->shrink = atol(optarg);
            break;
        case 'm':
            options->mix = optarg;
            break;
        case 'b':
            options->batch = atol(optarg);
            break;
        case 'r':
            options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'l':
            options->load = true;
            break;
        default:
            return false;
        }
    return options->connection && options->clients > 0 && options->scale > 0 && options->shrink > 0;
}

static int run_work(const struct work *work, const struct options *options)
{
    PGconn *connection = PQconnectdb(options->connection);
    struct shared *shared = NULL;
    bool good = PQstatus(connection) == CONNECTION_OK;
    if (!good)
        fprintf(stderr, "%s", PQerrorMessage(connection));
    if (good && options->load)
        good = work->load && work->load(connection, options);
    else if (good && work->share)
        good = work->share(connection, options, &shared);
    PQfinish(connection);
    int status = !good ? 1 : options->load ? 0 : play_work(work, options, shared);
    free(shared);
    return status;
}

int main(int count, char **arguments)
{
    struct options options = {
        .clients = 1, .seconds = 1, .scale = 1, .shrink = 1, .mix = "A", .batch = 1, .seed = 1};
    if (count < 2 || !read_options(count, arguments, &options))
        return usage();
    /* getopt_long() moved what is no option to the end: the work's name first. */
    char **words = arguments + optind;
    int word_count = count - optind;
    if (word_count < 1)
        return usage();
    if (strcmp(words[0], "hold") == 0)
        return hold_connections(&options);
    if (strcmp(words[0], "query") == 0)
        return run_files(&options, words + 1, word_count - 1);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(words[0], works[i]->name) == 0)
            return run_work(works[i], &options);
    return usage();
}
