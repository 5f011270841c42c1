/* A door for the time being: every line a client sends comes back to it, plain or inside TLS. It stands where
 * the doors for SQL and HTTPS will, and shows that what is below carries them: connections that cost little
 * while idle, back-pressure, deadlines, refusals, a clean stop. One core's connections are served by that
 * core alone.
 *
 * A line ends with \n and is sent back when it is whole. What a client sends before it closes its side comes
 * back even without the \n. A line longer than ECHO_LINE_BYTES_MAX, or not ended in time, is answered with an
 * error line ("ERROR", SQLSTATE, sentence) and the connection is closed. */
#ifndef SYNOD_NODE_ECHO_H
#define SYNOD_NODE_ECHO_H

#include "base/world.h"

struct tls_context;

struct echo; /* one core's */

struct echo_options {
    struct tls_context *tls; /* this core's */
    uint32_t send_timeout_ms;
    uint32_t handshake_timeout_ms;
    uint32_t line_timeout_ms;
};

/* One connection to serve. The caller's memory until `ended`. */
struct echo_visit {
    struct net_handover connection;
    bool tls;
    bool refused; /* only to be told that there are too many */
    /* The connection is closed, nothing of it is left on this core. Must not yield. */
    void (*ended)(struct world *here, struct echo_visit *visit);
};

/* Opens this core's door; gone with the scope, to be closed after echo_drain() only. Does not yield. */
struct echo *echo_open(struct world *world, struct scope *scope, const struct echo_options *options);

/* Serves a connection, which is the echo's from now on, until the client or echo_drain() ends it. It always
 * comes to `ended`, possibly within this call. Does not yield. */
void echo_serve(struct echo *echo, struct echo_visit *visit);

/* Ends all connections: idle ones at once, those with a line under way when it is answered or the deadline
 * comes. Later ones are closed as they come. Returns when none is left. Yields. */
void echo_drain(struct echo *echo, uint64_t deadline_ns);

#endif
