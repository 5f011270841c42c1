/* The writer of log lines: cores put lines into one of two halves of a bounded queue, a thread writes the
 * other half to standard error. The lock is held for the copy of one line or the swap of the halves, never
 * during a write, so a core does not wait for whoever reads the log. When the reader falls behind and the
 * half is full, lines are dropped, and the next half begins by saying how many. */
#include "base/linux/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* About 500 ordinary lines: what a burst of errors on all cores writes before the rate limit of log.c acts.
 */
#define LOG_SINK_HALF_BYTES (128 * 1024)

struct log_sink {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled; /* there are lines, or it is the end */
    int descriptor;
    bool closing;
    uint64_t dropped; /* lines since the last half was taken */
    size_t used;      /* bytes in `filling` */
    char *filling;    /* what cores write to */
    char *writing;    /* what the thread writes out */
};

void log_sink_write(void *argument, const char *line, size_t bytes)
{
    struct log_sink *sink = argument;
    pthread_mutex_lock(&sink->mutex);
    if (sink->used + bytes <= LOG_SINK_HALF_BYTES) {
        memcpy(sink->filling + sink->used, line, bytes);
        sink->used += bytes;
    } else
        sink->dropped++;
    pthread_cond_signal(&sink->filled);
    pthread_mutex_unlock(&sink->mutex);
}

/* Writes all, whatever it takes; gives up when nobody reads any more (EPIPE and the like). */
static void write_all(int descriptor, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t written = write(descriptor, text, bytes);
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (errno != EINTR)
            return;
    }
}

static void *log_sink_run(void *argument)
{
    struct log_sink *sink = argument;
    pthread_mutex_lock(&sink->mutex);
    for (;;) {
        while (!sink->used && !sink->dropped && !sink->closing)
            pthread_cond_wait(&sink->filled, &sink->mutex);
        if (!sink->used && !sink->dropped)
            break;
        char *text = sink->filling;
        size_t used = sink->used;
        uint64_t dropped = sink->dropped;
        sink->filling = sink->writing;
        sink->writing = text;
        sink->used = 0;
        sink->dropped = 0;
        pthread_mutex_unlock(&sink->mutex);
        write_all(sink->descriptor, text, used);
        if (dropped) {
            char line[128];
            int length =
                snprintf(line, sizeof line, "warn event=log_dropped \"log lines found no room\" lines=%llu\n",
                         (unsigned long long)dropped);
            write_all(sink->descriptor, line, (size_t)length);
        }
        pthread_mutex_lock(&sink->mutex);
    }
    pthread_mutex_unlock(&sink->mutex);
    return NULL;
}

enum sqlstate log_sink_open(struct scope *scope, int descriptor, struct log_sink **opened,
                            struct error *error)
{
    struct log_sink *sink = scope_alloc_zeroed(scope, sizeof *sink);
    sink->descriptor = descriptor;
    sink->filling = scope_alloc(scope, LOG_SINK_HALF_BYTES);
    sink->writing = scope_alloc(scope, LOG_SINK_HALF_BYTES);
    pthread_mutex_init(&sink->mutex, NULL);
    pthread_cond_init(&sink->filled, NULL);
    int failed = pthread_create(&sink->thread, NULL, log_sink_run, sink);
    if (failed)
        return linux_error(error, DEED_OTHER, failed, "could not start the log writer's thread");
    pthread_setname_np(sink->thread, "synod-log");
    *opened = sink;
    return SQLSTATE_OK;
}

void log_sink_close(struct log_sink *sink)
{
    pthread_mutex_lock(&sink->mutex);
    sink->closing = true;
    pthread_cond_signal(&sink->filled);
    pthread_mutex_unlock(&sink->mutex);
    pthread_join(sink->thread, NULL);
    pthread_cond_destroy(&sink->filled);
    pthread_mutex_destroy(&sink->mutex);
}
