/* The loops' side of the HTTPS door (restgw/http/exchange.h) without sockets, TLS and h2o: what a loop does with a request that has
 * come as a whole, and with what the core says of it. So the REST interface is played on one core, by fibers, as often as one
 * likes. */
#ifndef SYNOD_TEST_FUZZ_FAKE_LOOP_H
#define SYNOD_TEST_FUZZ_FAKE_LOOP_H

#include "restgw/http/http.h"

struct api;
struct fake_door;

struct fake_request {
    const char *method, *target; /* path and query */
    const char *authorization;   /* NULL = none */
    const char *accept;          /* NULL = none */
    struct bytes body;           /* application/json */
    uint32_t gone_after_ms;      /* the client goes when there is no answer by then; 0 = it stays */
    size_t gone_after_bytes;     /* it goes when it has so many of a stream; 0 = it stays */
};

struct fake_answer {
    int status; /* 0 = cut, or nobody was there to hear it */
    const char *type;
    struct bytes body; /* the scope's of the question */
    bool whole;        /* it came to its end */
    bool elsewhere;    /* another core is to serve it */
};

/* The door of a database of its own that was opened for this scope: who asks is "synod" with the password "secret". Closed
 * before the scope ends. In a fiber. */
struct sessions;
struct fake_door *fake_open(struct world *world, struct scope *scope, struct sessions *sessions);
void fake_close(void *door);

/* One request, to the end of everything the core had of it. Yields. */
void fake_ask(struct fake_door *door, struct scope *scope, const struct fake_request *request,
              struct fake_answer *answer);

/* POST with a body as JSON, as "synod". */
void fake_post(struct fake_door *door, struct scope *scope, const char *target, const char *body,
               struct fake_answer *answer);

#endif
