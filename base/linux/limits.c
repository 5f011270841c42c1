/* Limits of the system. The soft limit is what applies, the hard limit is how far a process may raise it by
 * itself; we take what we are allowed and complain only when that is not enough. */
#include "base/linux/limits.h"

#include <stdio.h>
#include <sys/resource.h>

/* Descriptors of a core beside connections: ring, wake, reserve, listeners; and of the node: files of stores
 * and logs, standard streams, worker and name service sockets. */
#define DESCRIPTORS_PER_CORE 16
#define DESCRIPTORS_OF_NODE  512

/* Raises the soft limit to the hard one, or at least to `needed`; gives the limit that applies then. */
static rlim_t raise_to_hard(int resource, rlim_t needed)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit))
        return needed;
    if (limit.rlim_cur == limit.rlim_max)
        return limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(resource, &raised) == 0)
        return raised.rlim_cur;
    /* An unlimited hard limit may stand above what the kernel grants (fs.nr_open). */
    raised.rlim_cur = needed;
    if (limit.rlim_cur < needed && setrlimit(resource, &raised) == 0)
        return needed;
    return limit.rlim_cur;
}

enum sqlstate linux_limits_raise(const struct linux_options *options, struct error *error)
{
    rlim_t needed =
        (rlim_t)options->connections_max + options->cores * DESCRIPTORS_PER_CORE + DESCRIPTORS_OF_NODE;
    rlim_t granted = raise_to_hard(RLIMIT_NOFILE, needed);
    raise_to_hard(RLIMIT_MEMLOCK, 0);
    if (granted >= needed)
        return SQLSTATE_OK;
    enum sqlstate state = error_set(
        error, SQLSTATE_CONFIGURATION_LIMIT_EXCEEDED,
        "the limit of open files is %llu, but %u connections on %u cores need %llu",
        (unsigned long long)granted, options->connections_max, options->cores, (unsigned long long)needed);
    error_add(error, ERROR_HINT,
              "Raise the limit of open files (RLIMIT_NOFILE: ulimit -n, LimitNOFILE) to %llu, or allow fewer "
              "connections.",
              (unsigned long long)needed);
    return state;
}
