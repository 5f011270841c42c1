/* Parameters of paths and queries: decoded, and checked against the route's table. Pure, so that a fuzzer can try any bytes. */
#ifndef SYNOD_RESTGW_HTTP_QUERY_H
#define SYNOD_RESTGW_HTTP_QUERY_H

#include "base/error.h"
#include "restgw/http/route.h"

/* Decodes percent escapes (and "+" as a blank where `plus`) into `room`, which has text.size bytes; false when an escape is broken
 * or the result is not UTF-8 without control characters. */
bool query_decode(struct bytes text, bool plus, uint8_t *room, struct bytes *decoded);

/* Reads the parameters of a path: raw[i] into values[i]. 22023 with the slug "invalid-parameter" as its detail. `room` has as many
 * bytes as all of them. */
enum sqlstate query_read_path(const struct http_route *route, const struct bytes *raw, struct bytes *values,
                              uint8_t *room, struct error *error);

/* Reads a query (without "?") into values[route->query_count]; data == NULL for what is absent. 22023, the detail being
 * "unknown-parameter", "missing-parameter" or "invalid-parameter". `room` has query.size bytes. */
enum sqlstate query_read(const struct http_route *route, struct bytes query, struct bytes *values,
                         uint8_t *room, struct error *error);

#endif
