/* Names to addresses: getaddrinfo() on a thread of the resolvers' pool, because it reads files, asks servers
 * and may take many seconds. Numeric addresses are answered at once. */
#include "base/linux/workers.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

struct resolve_job {
    struct linux_job job;
    const char *host;
    int code;   /* out: of getaddrinfo(), 0 = found */
    int number; /* out: errno, with EAI_SYSTEM */
    struct sockaddr_storage found;
};

static void run_resolve(struct linux_job *job)
{
    struct resolve_job *mine = container_of(job, struct resolve_job, job);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *answers = NULL;
    mine->code = getaddrinfo(mine->host, NULL, &hints, &answers);
    /* "localhost" must do on a machine that has no address but the loopback's, too. */
    if (mine->code == EAI_NONAME || mine->code == EAI_ADDRFAMILY) {
        hints.ai_flags = 0;
        mine->code = getaddrinfo(mine->host, NULL, &hints, &answers);
    }
    mine->number = mine->code == EAI_SYSTEM ? errno : 0;
    if (mine->code)
        return;
    memcpy(&mine->found, answers->ai_addr, answers->ai_addrlen); /* the first is the one RFC 6724 prefers */
    freeaddrinfo(answers);
}

/* What the caller can do about it decides the state: a name that is unknown is the user's, a server that does
 * not answer is a connection's failure. */
static enum sqlstate resolve_error(struct error *error, const struct resolve_job *job, const char *host)
{
    if (job->code == EAI_SYSTEM)
        return linux_error(error, DEED_SOCKET, job->number, "could not find host \"%s\"", host);
    return error_set(error, SQLSTATE_CONNECTION_FAILURE, "could not find host \"%s\": %s", host,
                     gai_strerror(job->code));
}

enum sqlstate linux_net_resolve(struct world *world, const char *host, uint16_t port,
                                struct net_address *address, struct error *error)
{
    if (net_address_parse(host, address)) {
        address->port = port;
        return SQLSTATE_OK;
    }
    struct linux_core *core = linux_core_of(world);
    struct scope *scope = scope_open(core->calls, "resolve");
    struct resolve_job *job = scope_alloc_zeroed(scope, sizeof *job);
    job->job.run = run_resolve;
    job->host = scope_copy_text(scope, host);
    enum sqlstate failed = linux_job_call_on(core->node->resolvers, core, scope, &job->job, error);
    if (!failed) {
        if (job->code)
            failed = resolve_error(error, job, host);
        else
            socket_address_from_native(&job->found, address);
        address->port = port;
    }
    scope_close(scope);
    return failed;
}
