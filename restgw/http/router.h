/* Which route or file a path is. Built once, then only looked at, by any thread. */
#ifndef SYNOD_RESTGW_HTTP_ROUTER_H
#define SYNOD_RESTGW_HTTP_ROUTER_H

#include "base/error.h"
#include "restgw/http/route.h"

struct router;
struct scope;

enum router_outcome {
    ROUTER_ROUTE,
    ROUTER_FILE,
    ROUTER_NOTHING,   /* 404 */
    ROUTER_NO_METHOD, /* 405; `allow` says which there are */
};

struct router_match {
    const struct http_route *route;
    const struct http_file *file;
    const char *allow;
    struct bytes parameters[HTTP_PATH_PARAMETERS_MAX]; /* as sent: still to be decoded */
};

/* The tables are borrowed. A table that cannot be (two routes alike, a template with too many parameters) is a check(). */
const struct router *router_open(struct scope *scope, const struct http_route *routes, size_t route_count,
                                 const struct http_file *files, size_t file_count);

/* `path` as sent, without query. A literal segment goes before a parameter; HEAD is served by GET. */
enum router_outcome router_find(const struct router *router, struct bytes method, struct bytes path,
                                struct router_match *match);

#endif
