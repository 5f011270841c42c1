/* The door as a whole: its cores and loops come up, take another certificate, and go down. */
#include "restgw/http/http.h"

#include "base/check.h"
#include "base/log.h"
#include "restgw/http/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A core may still be about to wake a loop that has heard its last word already: the descriptors for it stay until no core is left. */
static void close_wakes(void *argument)
{
    struct http *http = argument;
    for (uint32_t i = 0; i < http->loop_count; i++)
        close(http->loop[i]->wake_descriptor);
}

enum sqlstate http_open(struct scope *scope, struct http **http, struct error *error)
{
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, sizeof **http, 64, &memory, error);
    if (failed)
        return failed;
    memset(memory, 0, sizeof **http);
    *http = memory;
    (*http)->scope = scope;
    scope_undo(scope, close_wakes, *http);
    return SQLSTATE_OK;
}

enum sqlstate http_core_open(struct http *http, struct world *world, struct scope *scope, struct error *error)
{
    struct http_core *core = http_core_of(http, world->core);
    (void)error;
    core->http = http;
    core->scope = scope_open(scope, "http");
    core->world = world;
    fiber_queue_init(&core->changed);
    return SQLSTATE_OK;
}

/* ---- what h2o prints ---- */

/* h2o prints a line for each frame of a type it does not know: whoever sends many would fill the disk. While the door is open, the
 * process's stream for errors (which glibc lets us set) passes on all else. */
static ssize_t print(void *cookie, const char *text, size_t size)
{
    static const char noise[] = "skipping frame";
    (void)cookie;
    if (size >= sizeof noise - 1 && memcmp(text, noise, sizeof noise - 1) == 0)
        return (ssize_t)size;
    return write(STDERR_FILENO, text, size);
}

static void muffle(struct http *http)
{
    FILE *muffled = fopencookie(NULL, "w", (cookie_io_functions_t){.write = print});
    if (!muffled)
        return;
    setvbuf(muffled, NULL, _IOLBF, 0);
    http->errors = stderr;
    stderr = muffled;
}

static void unmuffle(struct http *http)
{
    if (!http->errors)
        return;
    FILE *muffled = stderr;
    stderr = http->errors;
    http->errors = NULL;
    fclose(muffled);
}

/* ---- listening ---- */

static void set_defaults(struct http_options *options)
{
    if (!options->loops)
        options->loops = 1 + (linux_processors() - 1) / HTTP_PROCESSORS_PER_LOOP;
    if (options->loops > HTTP_LOOPS_MAX)
        options->loops = HTTP_LOOPS_MAX;
    options->connections_max = options->connections_max ? options->connections_max : HTTP_CONNECTIONS_DEFAULT;
    options->send_timeout_ms = options->send_timeout_ms ? options->send_timeout_ms : HTTP_SEND_TIMEOUT_MS;
    options->idle_timeout_ms = options->idle_timeout_ms ? options->idle_timeout_ms : HTTP_IDLE_TIMEOUT_MS;
}

static socklen_t address_native(const struct net_address *address, struct sockaddr_storage *native)
{
    *native = (struct sockaddr_storage){0};
    if (address->v6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)native;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(address->port);
        memcpy(&six->sin6_addr, address->ip, 16);
        return sizeof *six;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)native;
    four->sin_family = AF_INET;
    four->sin_port = htons(address->port);
    memcpy(&four->sin_addr, address->ip + 12, 4);
    return sizeof *four;
}

static enum sqlstate listen_on(const struct net_address *address, int *descriptor, struct net_address *bound,
                               struct error *error)
{
    char text[NET_ADDRESS_TEXT_BYTES];
    struct sockaddr_storage native;
    socklen_t size = address_native(address, &native);
    int on = 1, listening = socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool listens = listening >= 0 && !setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
                   !bind(listening, (struct sockaddr *)&native, size) && !listen(listening, SOMAXCONN) &&
                   !getsockname(listening, (struct sockaddr *)&native, &size);
    if (!listens) {
        int number = errno;
        if (listening >= 0)
            close(listening);
        net_address_text(address, text);
        return error_set(error, number == EADDRINUSE ? SQLSTATE_OBJECT_IN_USE : SQLSTATE_SYSTEM_ERROR,
                         "could not listen on %s: %s", text, strerrordesc_np(number));
    }
    *bound = *address;
    bound->port = ntohs(address->v6 ? ((struct sockaddr_in6 *)&native)->sin6_port
                                    : ((struct sockaddr_in *)&native)->sin_port);
    *descriptor = listening;
    return SQLSTATE_OK;
}

enum sqlstate http_listen(struct http *http, struct world *world, const struct http_options *options,
                          struct net_address *bound, struct error *error)
{
    SSL_CTX *tls;
    int listening;
    check(world->core == 0 && !http->loop_count);
    for (uint32_t i = 0; i < world->cores; i++)
        check(http->core[i].world, "core %u has not opened its part", i);
    http->core_count = world->cores;
    http->options = *options;
    set_defaults(&http->options);
    enum sqlstate failed = http_tls_open(options->certificate_pem, options->key_pem, &tls, error);
    if (failed)
        return failed;
    failed = listen_on(&options->address, &listening, bound, error);
    if (failed) {
        SSL_CTX_free(tls);
        return failed;
    }
    http->router =
        router_open(http->scope, options->routes, options->route_count, options->files, options->file_count);
    muffle(http);
    for (uint32_t i = 0; i < http->options.loops && !failed; i++) {
        SSL_CTX_up_ref(tls);
        failed = http_loop_start(http, i, listening, tls, error);
        if (failed)
            SSL_CTX_free(tls);
    }
    close(listening); /* each loop has its own */
    SSL_CTX_free(tls);
    return failed;
}

enum sqlstate http_reload_certificate(struct http *http, struct bytes certificate_pem, struct bytes key_pem,
                                      struct error *error)
{
    SSL_CTX *tls;
    enum sqlstate failed = http_tls_open(certificate_pem, key_pem, &tls, error);
    if (failed)
        return failed;
    for (uint32_t i = 0; i < http->loop_count; i++) {
        SSL_CTX_up_ref(tls);
        SSL_CTX *unused = atomic_exchange(&http->loop[i]->tls_next, tls);
        SSL_CTX_free(unused);
        http_loop_wake(http->loop[i]);
    }
    SSL_CTX_free(tls);
    return SQLSTATE_OK;
}

/* ---- stopping ---- */

void http_stop(struct http *http, uint64_t deadline_ns)
{
    if (!http->loop_count || atomic_exchange(&http->stop_asked, true))
        return;
    atomic_store(&http->stop_deadline_ns, deadline_ns);
    atomic_store(&http->stopping, true);
    for (uint32_t i = 0; i < http->loop_count; i++)
        http_loop_wake(http->loop[i]);
}

void http_drain(struct http *http, struct world *world)
{
    struct http_core *core = http_core_of(http, world->core);
    if (!http->loop_count)
        return;
    fiber_shield_begin(world->scheduler);
    while (core->loops_ended < http->loop_count)
        (void)fiber_wait(world->scheduler, &core->changed, FIBER_NO_DEADLINE);
    fiber_shield_end(world->scheduler);
    check(!core->open, "%u requests are on core %u when all loops have ended", core->open, world->core);
    if (world->core == 0) {
        for (uint32_t i = 0; i < http->loop_count; i++)
            pthread_join(http->loop[i]->thread, NULL);
        unmuffle(http);
    }
}

void http_count(const struct http *http, struct http_counts *counts)
{
    *counts = (struct http_counts){
        .connections_open = atomic_load_explicit(&http->connections, memory_order_relaxed),
        .bytes_in_flight = atomic_load_explicit(&http->bytes_in_flight, memory_order_relaxed),
    };
    for (uint32_t i = 0; i < http->loop_count; i++) {
        const struct http_figures *figures = &http->loop[i]->figures;
        counts->connections_total += atomic_load_explicit(&figures->connections, memory_order_relaxed);
        counts->connections_refused +=
            atomic_load_explicit(&figures->refused_connections, memory_order_relaxed);
        counts->requests_total += atomic_load_explicit(&figures->requests, memory_order_relaxed);
        counts->requests_open += atomic_load_explicit(&figures->open, memory_order_relaxed);
        counts->refused_total += atomic_load_explicit(&figures->refused, memory_order_relaxed);
        counts->gone_total += atomic_load_explicit(&figures->gone, memory_order_relaxed);
        counts->cut_total += atomic_load_explicit(&figures->cut, memory_order_relaxed);
    }
}
