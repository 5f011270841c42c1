/* The clients of the echo benchmark.
 *
 *     echo_load load PORT CONNECTIONS MILLISECONDS    one line under way on each connection, as fast as it
 * goes echo_load idle PORT CONNECTIONS                 one line each, then silence until standard input ends
 *
 * `load` prints requests, nanoseconds, and the median and 99th percentile of the time a line took, in
 * nanoseconds. `idle` prints "idle" when every connection has had its answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    SAMPLES_MAX = 1 << 22,
    /* Connections from one address: fewer than the ephemeral ports of Linux, 28,232. */
    CONNECTIONS_PER_ADDRESS = 20000,
};

/* 32 bytes, about what a small query takes. */
static const char line[] = "abcdefghijklmnopqrstuvwxyz01234\n";
enum { LINE_BYTES = sizeof line - 1 };

struct client {
    int descriptor;
    uint32_t answered; /* bytes of the line under way that are back */
    uint64_t began_ns;
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int connect_from(uint32_t number, uint16_t port)
{
    static const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / CONNECTIONS_PER_ADDRESS)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0)
        fail("socket");
    if (setsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ||
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        bind(client, (struct sockaddr *)&address, sizeof address))
        fail("bind");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(client, (struct sockaddr *)&address, sizeof address))
        fail("connect");
    return client;
}

static struct client *connect_all(uint32_t count, uint16_t port, int epoll)
{
    struct client *clients = calloc(count, sizeof *clients);
    if (!clients)
        fail("calloc");
    for (uint32_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        clients[i].descriptor = connect_from(i, port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].descriptor, &event))
            fail("epoll_ctl");
    }
    return clients;
}

static void ask(struct client *client, uint64_t now)
{
    client->answered = 0;
    client->began_ns = now;
    if (send(client->descriptor, line, LINE_BYTES, MSG_NOSIGNAL) != LINE_BYTES)
        fail("send");
}

/* Takes what has come; true when the line is back whole. */
static int answered(struct client *client)
{
    char back[LINE_BYTES];
    ssize_t got = recv(client->descriptor, back, LINE_BYTES - client->answered, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        fail("recv");
    if (memcmp(back, line + client->answered, (size_t)got) != 0) {
        fputs("the echo is not what was sent\n", stderr);
        exit(EXIT_FAILURE);
    }
    client->answered += (uint32_t)got;
    return client->answered == LINE_BYTES;
}

static int by_value(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void run_load(struct client *clients, uint32_t count, int epoll, uint64_t duration_ns)
{
    uint32_t *samples = malloc(SAMPLES_MAX * sizeof *samples);
    uint64_t requests = 0, began = now_ns(), now = began;
    if (!samples)
        fail("malloc");
    for (uint32_t i = 0; i < count; i++)
        ask(&clients[i], now);
    while (now < began + duration_ns) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        now = now_ns();
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (!answered(client))
                continue;
            samples[requests++ % SAMPLES_MAX] = (uint32_t)(now - client->began_ns);
            ask(client, now);
        }
    }
    uint64_t kept = requests < SAMPLES_MAX ? requests : SAMPLES_MAX;
    qsort(samples, kept, sizeof *samples, by_value);
    printf("%llu %llu %u %u\n", (unsigned long long)requests, (unsigned long long)(now - began),
           samples[kept / 2], samples[kept * 99 / 100]);
    free(samples);
}

static void run_idle(struct client *clients, uint32_t count, int epoll)
{
    uint32_t waiting = count;
    char end;
    for (uint32_t i = 0; i < count; i++)
        ask(&clients[i], 0);
    while (waiting > 0) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            waiting -= (uint32_t)answered(events[i].data.ptr);
    }
    puts("idle");
    fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0)
        ;
}

int main(int argc, char **argv)
{
    int load = argc == 5 && strcmp(argv[1], "load") == 0;
    if (!load && !(argc == 4 && strcmp(argv[1], "idle") == 0)) {
        fputs("usage: echo_load load PORT CONNECTIONS MILLISECONDS | idle PORT CONNECTIONS\n", stderr);
        return 2;
    }
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    uint32_t count = (uint32_t)strtoul(argv[3], NULL, 10);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || count == 0)
        fail("epoll_create1");
    struct client *clients = connect_all(count, (uint16_t)strtoul(argv[2], NULL, 10), epoll);
    if (load)
        run_load(clients, count, epoll, strtoull(argv[4], NULL, 10) * 1000000);
    else
        run_idle(clients, count, epoll);
    free(clients);
    return EXIT_SUCCESS;
}
