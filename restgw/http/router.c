/* A tree of segments: each node has its literal children in the order of their names, and at most one child that stands for
 * a parameter. Paths are matched as sent, undecoded, so that "%2F" separates nothing and ".." is a name like any other. */
#include "restgw/http/router.h"

#include "base/check.h"
#include "base/scope.h"

#include <stdio.h>

struct node {
    struct bytes segment;
    struct node *literals; /* the first child, by next */
    struct node *parameter;
    struct node *next;
    const struct http_route *routes[8];
    uint32_t route_count;
    char allow[64];
};

struct router {
    struct node root;
    const struct http_file *files; /* in the order of their paths */
    size_t file_count;
};

/* The next segment of the path behind `*at`, which stands on a slash; false at the end. */
static bool next_segment(struct bytes path, size_t *at, struct bytes *segment)
{
    if (*at >= path.size || path.data[*at] != '/')
        return false;
    size_t begin = ++*at;
    while (*at < path.size && path.data[*at] != '/')
        ++*at;
    *segment = bytes_of(path.data + begin, *at - begin);
    return true;
}

static struct node *child_of(struct scope *scope, struct node *node, struct bytes segment)
{
    bool parameter = segment.size > 2 && segment.data[0] == '{';
    if (parameter) {
        if (!node->parameter)
            node->parameter = scope_alloc_zeroed(scope, sizeof *node->parameter);
        return node->parameter;
    }
    struct node **place = &node->literals;
    while (*place && bytes_compare((*place)->segment, segment) < 0)
        place = &(*place)->next;
    if (*place && bytes_compare((*place)->segment, segment) == 0)
        return *place;
    struct node *made = scope_alloc_zeroed(scope, sizeof *made);
    made->segment = segment;
    made->next = *place;
    *place = made;
    return made;
}

static void allow(struct node *node, const char *method)
{
    size_t used = strlen(node->allow);
    snprintf(node->allow + used, sizeof node->allow - used, "%s%s", used ? ", " : "", method);
    if (strcmp(method, "GET") == 0)
        allow(node, "HEAD");
}

static void add_route(struct scope *scope, struct router *router, const struct http_route *route)
{
    struct bytes path = bytes_of_text(route->path), segment;
    struct node *node = &router->root;
    size_t parameters = 0;
    for (size_t at = 0; next_segment(path, &at, &segment);) {
        node = child_of(scope, node, segment);
        parameters += segment.size > 2 && segment.data[0] == '{';
    }
    check(parameters == route->parameter_count && parameters <= HTTP_PATH_PARAMETERS_MAX,
          "%s has %zu parameters in its path", route->path, parameters);
    for (uint32_t i = 0; i < node->route_count; i++)
        check(strcmp(node->routes[i]->method, route->method) != 0, "%s %s twice", route->method, route->path);
    check(node->route_count < sizeof node->routes / sizeof *node->routes);
    node->routes[node->route_count++] = route;
    allow(node, route->method);
}

const struct router *router_open(struct scope *scope, const struct http_route *routes, size_t route_count,
                                 const struct http_file *files, size_t file_count)
{
    struct router *router = scope_alloc_zeroed(scope, sizeof *router);
    for (size_t i = 0; i < route_count; i++)
        add_route(scope, router, &routes[i]);
    for (size_t i = 1; i < file_count; i++)
        check(strcmp(files[i - 1].path, files[i].path) < 0, "files are not in the order of their paths");
    router->files = files;
    router->file_count = file_count;
    return router;
}

/* Depth first, literals before parameters; the depth is that of the tree. */
static const struct node *descend(const struct node *node, struct bytes path, size_t at, uint32_t depth,
                                  struct router_match *match)
{
    struct bytes segment;
    if (!next_segment(path, &at, &segment))
        return at == path.size && node->route_count ? node : NULL;
    for (const struct node *child = node->literals; child; child = child->next) {
        if (bytes_compare(child->segment, segment) != 0)
            continue;
        const struct node *found = descend(child, path, at, depth, match);
        if (found)
            return found;
    }
    if (!node->parameter || !segment.size || depth >= HTTP_PATH_PARAMETERS_MAX)
        return NULL;
    match->parameters[depth] = segment;
    return descend(node->parameter, path, at, depth + 1, match);
}

static const struct http_file *find_file(const struct router *router, struct bytes path)
{
    size_t low = 0, high = router->file_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = bytes_compare(bytes_of_text(router->files[middle].path), path);
        if (order == 0)
            return &router->files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is(struct bytes method, const char *name)
{
    return bytes_compare(method, bytes_of_text(name)) == 0;
}

enum router_outcome router_find(const struct router *router, struct bytes method, struct bytes path,
                                struct router_match *match)
{
    *match = (struct router_match){0};
    const struct node *node = descend(&router->root, path, 0, 0, match);
    if (node) {
        const char *wanted = is(method, "HEAD") ? "GET" : NULL;
        for (uint32_t i = 0; i < node->route_count; i++) {
            match->route = node->routes[i];
            if (wanted ? strcmp(match->route->method, wanted) == 0 : is(method, match->route->method))
                return ROUTER_ROUTE;
        }
        match->route = NULL;
        match->allow = node->allow;
        return ROUTER_NO_METHOD;
    }
    match->file = find_file(router, path);
    if (!match->file)
        return ROUTER_NOTHING;
    if (is(method, "GET") || is(method, "HEAD"))
        return ROUTER_FILE;
    match->file = NULL;
    match->allow = "GET, HEAD";
    return ROUTER_NO_METHOD;
}
