/* The door for PostgreSQL's clients: protocol 3.0 (PostgreSQL manual, chapter 55) on top of sqlfront's sessions. Opened once
 * per core; a connection is served by one fiber of the core it was handed to. */
#ifndef SYNOD_RESTGW_PGWIRE_PGWIRE_H
#define SYNOD_RESTGW_PGWIRE_PGWIRE_H

#include "base/world.h"

struct sessions;
struct tls_context;

struct pgwire; /* one core's */

struct pgwire_options {
    struct sessions *sessions; /* this core's */
    struct tls_context
        *tls; /* this core's, until pgwire_renew(); NULL = clients are told that there is no TLS */
    struct bytes certificate_pem; /* that context's chain, for channel binding; empty = none */
    /* The node's secret, the same for all cores: unknown roles get a salt made of it, so that they look like known ones. */
    uint8_t secret[32];
    uint32_t send_timeout_ms; /* 0 = defaults of limits.h */
    uint32_t startup_timeout_ms;
};

/* One connection to serve. The caller's memory until `ended`. */
struct pgwire_visit {
    struct net_handover connection;
    bool refused; /* only to be told that there are too many */
    /* The connection is closed, nothing of it is left on this core. Must not yield. */
    void (*ended)(struct world *here, struct pgwire_visit *visit);
};

/* Opens this core's door; gone with the scope, to be closed after pgwire_drain() only. Does not yield. */
struct pgwire *pgwire_open(struct world *world, struct scope *scope, const struct pgwire_options *options);

/* Connections to come see another certificate; those that are open keep theirs. F0000 when it is unusable: then the old one
 * stays. In a fiber of this core. Does not yield. */
enum sqlstate pgwire_renew(struct pgwire *pgwire, struct bytes certificate_pem, struct bytes key_pem,
                           struct error *error);

/* Serves a connection, which is the door's from now on, until the client or pgwire_drain() ends it. It always comes to
 * `ended`, possibly within this call. Does not yield. */
void pgwire_serve(struct pgwire *pgwire, struct pgwire_visit *visit);

/* Ends all connections: idle ones at once (57P01), those with a statement under way when it is done or the deadline comes.
 * Later ones are closed as they come. Returns when none is left. Yields. */
void pgwire_drain(struct pgwire *pgwire, uint64_t deadline_ns);

#endif
