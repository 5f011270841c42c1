/* The REST interface: what is behind the HTTPS door's routes. Resources become calls of a session (sqlfront/session.h), answers
 * become JSON. Everything runs on the cores; nothing here knows h2o or the operating system.
 *
 *     loop's thread    api_place: whose core, by the session key's first bytes
 *     core             api_serve: who is it (key, password, cookie) -> handler of the route -> http_answer
 *
 * A REST session is one session of sqlfront on one core, named by a key that says where. It is not bound to any connection,
 * serves one request at a time, and ends when nobody used it for its idle timeout. */
#ifndef SYNOD_RESTGW_API_API_H
#define SYNOD_RESTGW_API_API_H

#include "base/world.h"

struct api; /* one core's part */
struct http;
struct http_exchange;
struct http_head;
struct sessions;

struct api_options {
    struct sessions *sessions; /* this core's */
    void *shared;              /* api_shared_size() bytes, the same for all cores, after api_shared_open() */
    const char *database; /* where API keys and the audit log are kept, and who does not say has to work */
};

/* What the cores share: the secret that session keys are signed with, and where the cores' parts are. On core 0, before any
 * core opens its part. `http` may be NULL: then its figures are not in /metrics. */
size_t api_shared_size(void);
void api_shared_open(void *shared, struct world *world, struct http *http);

/* Opens this core's part, which begins to serve. Does not yield. */
enum sqlstate api_open(struct world *world, struct scope *scope, const struct api_options *options,
                       struct api **api, struct error *error);

/* For struct http_options; `argument` is the shared room. */
uint32_t api_place(void *argument, const struct http_head *head);
void api_serve(void *argument, struct world *here, struct http_exchange *exchange);

/* Ends this core's sessions, when no request comes any more; what is open is rolled back. Yields. */
void api_drain(struct api *api);

#endif
