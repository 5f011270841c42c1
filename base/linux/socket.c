/* What both backends do with sockets without waiting: addresses, listening, taking over an accepted
 * connection, refusing one. */
#include "base/linux/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Connections the kernel keeps for us until they are accepted; it cuts the figure to net.core.somaxconn
 * (4,096 since Linux 5.4). A burst of reconnecting clients must fit. */
#define SOCKET_BACKLOG 4096

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

socklen_t socket_address_native(const struct net_address *address, struct sockaddr_storage *native)
{
    memset(native, 0, sizeof *native);
    if (address->v6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)native;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        memcpy(&v6->sin6_addr, address->ip, 16);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)native;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    memcpy(&v4->sin_addr, address->ip + 12, 4);
    return sizeof *v4;
}

void socket_address_from_native(const struct sockaddr_storage *native, struct net_address *address)
{
    memset(address, 0, sizeof *address);
    if (native->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)native;
        address->v6 = true;
        address->port = ntohs(v6->sin6_port);
        memcpy(address->ip, &v6->sin6_addr, 16);
        return;
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)native;
    address->port = ntohs(v4->sin_port);
    memcpy(address->ip, v4_prefix, sizeof v4_prefix);
    memcpy(address->ip + 12, &v4->sin_addr, 4);
}

enum sqlstate socket_open(const struct net_address *address, int *descriptor, struct error *error)
{
    int opened = socket(address->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (opened < 0)
        return linux_error(error, DEED_SOCKET, errno, "could not create a socket");
    int on = 1;
    setsockopt(opened, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *descriptor = opened;
    return SQLSTATE_OK;
}

enum sqlstate socket_listen(const struct net_address *address, int *descriptor, struct net_address *bound,
                            struct error *error)
{
    struct sockaddr_storage native;
    socklen_t length = socket_address_native(address, &native);
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(address, text);
    int opened, on = 1;
    enum sqlstate failed = socket_open(address, &opened, error);
    if (failed)
        return failed;
    /* A restarted server takes its port back although old connections still linger in TIME_WAIT. "::" means
     * IPv6 alone: who wants both families listens twice, and need not know the system's default. */
    setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->v6)
        setsockopt(opened, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(opened, (struct sockaddr *)&native, length) || listen(opened, SOCKET_BACKLOG)) {
        failed = linux_error(error, DEED_SOCKET, errno, "could not listen on %s", text);
        if (failed == SQLSTATE_OBJECT_IN_USE)
            error_add(error, ERROR_HINT, "Is another server already running on port %u?", address->port);
        close(opened);
        return failed;
    }
    length = sizeof native;
    if (getsockname(opened, (struct sockaddr *)&native, &length)) {
        failed = linux_error(error, DEED_SOCKET, errno, "could not find out the port of %s", text);
        close(opened);
        return failed;
    }
    if (bound)
        socket_address_from_native(&native, bound);
    *descriptor = opened;
    return SQLSTATE_OK;
}

bool socket_accepted(int descriptor, struct net_handover *connection)
{
    struct sockaddr_storage native;
    socklen_t length = sizeof native;
    int on = 1;
    if (getpeername(descriptor, (struct sockaddr *)&native, &length)) {
        close(descriptor); /* reset between accept and now: as if it had never been */
        return false;
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->ticket = (uint64_t)descriptor;
    socket_address_from_native(&native, &connection->peer);
    return true;
}

void socket_refuse(struct linux_core *core, int listening)
{
    int flags = fcntl(listening, F_GETFL);
    close(core->reserve_descriptor);
    /* The connection may have gone meanwhile, and the core must not wait for the next. */
    fcntl(listening, F_SETFL, flags | O_NONBLOCK);
    int refused = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (refused >= 0)
        close(refused);
    fcntl(listening, F_SETFL, flags);
    core->reserve_descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void linux_net_discard(struct world *world, const struct net_handover *connection)
{
    (void)world;
    close((int)connection->ticket);
}
