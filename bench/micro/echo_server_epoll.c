/* The peer of the echo benchmark: the least an echo server on epoll can do, on one thread. It keeps no lines,
 * no deadlines and no limits; whatever comes goes back. Prints the port it took, and ends with its standard
 * input.
 *
 *     echo_server_epoll */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER_BYTES = 16384 };

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int listen_any(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) ||
        listen(listening, 4096) || getsockname(listening, (struct sockaddr *)&address, &size))
        fail("listen");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listening;
}

static void watch(int epoll, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event))
        fail("epoll_ctl");
}

static void accept_all(int epoll, int listening)
{
    static const int on = 1;
    int client;
    while ((client = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(epoll, client);
    }
    if (errno != EAGAIN)
        fail("accept4");
}

/* One read, one write. A client that does not take its answer at once is not this benchmark's. */
static void echo(int client)
{
    static char buffer[BUFFER_BYTES];
    ssize_t got = recv(client, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        close(client);
        return;
    }
    if (send(client, buffer, (size_t)got, MSG_NOSIGNAL) != got)
        close(client);
}

int main(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    int listening = listen_any();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    watch(epoll, listening);
    watch(epoll, STDIN_FILENO);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == STDIN_FILENO)
                return EXIT_SUCCESS;
            if (events[i].data.fd == listening)
                accept_all(epoll, listening);
            else
                echo(events[i].data.fd);
        }
    }
}
