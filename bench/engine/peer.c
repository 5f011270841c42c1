/* The works on another engine; see peer.h. One thread per client; each keeps to its own part of the rows, as our cores
 * do, so that caches serve both alike. */
#include "bench/engine/peer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX 1024
#define BATCH_MAX   1024

struct client {
    const struct peer_ops *ops;
    const struct work *work;
    uint32_t number;
    uint32_t clients;
    uint64_t end_ns;
    uint64_t operations;
    uint64_t last_number, last_version; /* written and acknowledged */
    struct metric_histogram latency_ns;
    pthread_t thread;
};

static void read_rows(struct client *client)
{
    const struct work *work = client->work;
    uint64_t random = client->number + 1, share = work->rows / client->clients;
    uint64_t first = share * client->number, numbers[BATCH_MAX];
    void *reader = client->ops->reader_open();
    uint32_t batch = work->batch < BATCH_MAX ? work->batch : BATCH_MAX;
    while (work_now_ns() < client->end_ns)
        for (int i = 0; i < 16; i++) {
            for (uint32_t of = 0; of < batch; of++)
                numbers[of] = first + work_random(&random) % share;
            client->ops->read(reader, numbers, batch);
            client->operations += batch;
        }
    client->ops->reader_close(reader);
}

static void scan_rows(struct client *client)
{
    const struct work *work = client->work;
    uint64_t random = client->number + 1, share = work->rows / client->clients;
    uint64_t count = share < WORK_SCAN_ROWS ? share : WORK_SCAN_ROWS;
    void *reader = client->ops->reader_open();
    while (work_now_ns() < client->end_ns) {
        uint64_t from = share * client->number + work_random(&random) % (share - count + 1);
        client->ops->scan(reader, from, count);
        client->operations += count;
    }
    client->ops->reader_close(reader);
}

/* A client's rows are those whose number leaves its own remainder, so that it knows which version it must find. */
static uint64_t own_row(const struct client *client, uint64_t *random)
{
    uint64_t share = client->work->rows / client->clients;
    return work_random(random) % share * client->clients + client->number;
}

static void commit_rows(struct client *client)
{
    uint64_t random = client->number + 1;
    for (uint64_t now_ns = work_now_ns(); now_ns < client->end_ns;) {
        uint64_t number = own_row(client, &random), version = now_ns;
        client->ops->write(&number, &version, 1, true);
        client->last_number = number;
        client->last_version = version;
        client->operations++;
        uint64_t after_ns = work_now_ns();
        metric_observe(&client->latency_ns, after_ns - now_ns);
        now_ns = after_ns;
    }
    if (!client->operations)
        return;
    void *reader = client->ops->reader_open();
    if (client->ops->version(reader, client->last_number) != client->last_version)
        work_fail("row %lu is not as it was committed", client->last_number);
    client->ops->reader_close(reader);
}

/* Random updates of three times the rows, a share of them by each client. */
static void update_rows(struct client *client)
{
    uint64_t random = client->number + 1, numbers[WORK_BATCH_ROWS], versions[WORK_BATCH_ROWS];
    uint64_t updates = 3 * client->work->rows / client->clients;
    while (client->operations < updates) {
        for (uint32_t i = 0; i < WORK_BATCH_ROWS; i++) {
            numbers[i] = own_row(client, &random);
            versions[i] = client->operations + i + 1;
        }
        client->ops->write(numbers, versions, WORK_BATCH_ROWS, false);
        client->operations += WORK_BATCH_ROWS;
    }
}

/* One transaction with as many random updates as the client has rows; then everything is brought to rest. */
static void write_large(struct client *client)
{
    uint64_t random = client->number + 1, count = client->work->rows / client->clients;
    uint64_t *numbers = malloc(count * sizeof *numbers), *versions = malloc(count * sizeof *versions);
    if (!numbers || !versions)
        work_fail("no memory for the numbers of %lu rows", count);
    for (uint64_t i = 0; i < count; i++) {
        numbers[i] = own_row(client, &random);
        versions[i] = i + 1;
    }
    client->ops->write(numbers, versions, (uint32_t)count, true);
    client->ops->settle();
    client->operations = count;
    free(numbers);
    free(versions);
}

struct client_work {
    const char *name;
    void (*run)(struct client *client);
};

static const struct client_work client_works[] = {{"read", read_rows},
                                                  {"scan", scan_rows},
                                                  {"commit", commit_rows},
                                                  {"update", update_rows},
                                                  {"large", write_large}};

static void *run_client(void *argument)
{
    struct client *client = argument;
    for (size_t i = 0; i < sizeof client_works / sizeof *client_works; i++)
        if (work_is(client->work, client_works[i].name))
            client_works[i].run(client);
    return NULL;
}

static void run_clients(const struct peer_ops *ops, const struct work *work)
{
    static struct client clients[CLIENTS_MAX];
    static struct metric_histogram latency_ns;
    uint32_t count = work->clients < CLIENTS_MAX ? work->clients : CLIENTS_MAX;
    uint64_t operations = 0;
    if (work_warm(work)) {
        void *reader = ops->reader_open();
        ops->scan(reader, 0, work->rows);
        ops->reader_close(reader);
    }
    uint64_t began_ns = work_now_ns();
    double processor = work_processor_seconds();
    for (uint32_t i = 0; i < count; i++) {
        clients[i] = (struct client){.ops = ops,
                                     .work = work,
                                     .number = i,
                                     .clients = count,
                                     .end_ns = began_ns + (uint64_t)(work->seconds * 1e9)};
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]))
            work_fail("no thread can be had");
    }
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        operations += clients[i].operations;
        metric_histogram_merge(&latency_ns, &clients[i].latency_ns);
    }
    double seconds = (double)(work_now_ns() - began_ns) / 1e9;
    processor = work_processor_seconds() - processor;
    if (work_is(work, "update"))
        ops->settle();
    const struct work_figure figures[] = {{"per_second", (double)operations / seconds},
                                          {"processor_us", processor * 1e6 / (double)operations},
                                          {"p50_us", (double)metric_quantile(&latency_ns, 0.5) / 1e3},
                                          {"p99_us", (double)metric_quantile(&latency_ns, 0.99) / 1e3},
                                          {"disk_bytes", work_disk_bytes(work->directory)},
                                          {"resident_bytes", work_resident_bytes()}};
    work_print(work, ops->name, figures, sizeof figures / sizeof *figures);
}

static void load_rows(const struct peer_ops *ops, const struct work *work)
{
    uint64_t began_ns = work_now_ns();
    double processor = work_processor_seconds();
    ops->load(work);
    double seconds = (double)(work_now_ns() - began_ns) / 1e9;
    processor = work_processor_seconds() - processor;
    const struct work_figure figures[] = {{"per_second", (double)work->rows / seconds},
                                          {"processor_us", processor * 1e6 / (double)work->rows},
                                          {"disk_bytes", work_disk_bytes(work->directory)}};
    work_print(work, ops->name, figures, sizeof figures / sizeof *figures);
}

/* Writes until about work->bytes of log are there, makes the last write durable, says its version, and dies. */
static void fill_and_crash(const struct peer_ops *ops, const struct work *work)
{
    uint64_t random = 1, numbers[WORK_BATCH_ROWS], versions[WORK_BATCH_ROWS], version = 1;
    uint64_t transactions = work->bytes / (WORK_BATCH_ROWS * (WORK_KEY_BYTES + WORK_ROW_BYTES)) + 1;
    for (; version <= transactions; version++) {
        for (uint32_t i = 0; i < WORK_BATCH_ROWS; i++) {
            numbers[i] = i ? 1 + work_random(&random) % (work->rows - 1) : 0;
            versions[i] = version;
        }
        ops->write(numbers, versions, WORK_BATCH_ROWS, version == transactions);
    }
    const struct work_figure figures[] = {
        {"log_bytes", (double)(transactions * WORK_BATCH_ROWS * (WORK_KEY_BYTES + WORK_ROW_BYTES))},
        {"version", (double)(version - 1)}};
    work_print(work, ops->name, figures, sizeof figures / sizeof *figures);
    work_crash();
}

int peer_main(const struct peer_ops *ops, int count, char **arguments)
{
    struct work work;
    work_open(&work, count, arguments);
    uint64_t began_ns = work_now_ns();
    ops->open(&work, work_is(&work, "crash") ? 2 * work.bytes : 0);
    double open_seconds = (double)(work_now_ns() - began_ns) / 1e9;
    if (work_is(&work, "load"))
        load_rows(ops, &work);
    else if (work_is(&work, "crash"))
        fill_and_crash(ops, &work);
    else if (work_is(&work, "open")) {
        const struct work_figure figures[] = {{"open_seconds", open_seconds},
                                              {"resident_bytes", work_resident_bytes()}};
        void *reader = ops->reader_open();
        if (work.expect && ops->version(reader, 0) != work.expect)
            work_fail("the last durable commit is lost");
        ops->reader_close(reader);
        work_print(&work, ops->name, figures, sizeof figures / sizeof *figures);
    } else if (work_is(&work, "read") || work_is(&work, "scan") || work_is(&work, "commit") ||
               work_is(&work, "update") || work_is(&work, "large"))
        run_clients(ops, &work);
    else
        work_fail("there is no work %s for %s", work.name, ops->name);
    ops->close();
    return EXIT_SUCCESS;
}
