/* Any bytes as what a client of the HTTPS port chooses: the first byte says what they are taken for.
 *
 *     j  a body: read as JSON, and if it is some, checked against a table, written out, and read again to the same
 *     q  a query       p  a path
 *
 * What must hold: nothing is read beyond the bytes; what json_read() takes is UTF-8 of bounded depth; what is written of it reads
 * back; a decoded parameter has no control character; a path that matches gives as many parameters as its template has. */
#include "test/fuzz/fuzz.h"

#include "base/check.h"
#include "base/scope.h"
#include "base/utf8.h"
#include "restgw/http/json_in.h"
#include "restgw/http/json_out.h"
#include "restgw/http/limits.h"
#include "restgw/http/query.h"
#include "restgw/http/router.h"

static const struct http_schema text = {.kinds = HTTP_STRING, .size_max = 20};
static const struct http_schema number = {
    .kinds = HTTP_INTEGER, .limited = true, .minimum = -5, .maximum = 5};
static const char *const words[] = {"a", "b", NULL};
static const struct http_schema word = {.kinds = HTTP_STRING | HTTP_NULL, .values = words};
static const struct http_schema list = {.kinds = HTTP_ARRAY, .items = &number, .size_max = 3};
static const struct http_schema map = {.kinds = HTTP_OBJECT, .open = true, .items = &text, .size_max = 4};
static const struct http_schema anything = {.kinds = HTTP_ANY, .open = true};
static const struct http_member members[] = {{"a", true, &text},      {"b", false, &list},
                                             {"c", false, &map},      {"d", false, &word},
                                             {"e", false, &anything}, {"f", false, &number}};
static const struct http_schema body = {.kinds = HTTP_OBJECT, .members = members, .member_count = 6};
static const struct http_member one[] = {{"x", true, &text}},
                                two[] = {{"x", true, &text}, {"y", true, &number}};
static const struct http_route routes[] = {
    {"GET", "/", "root", 0, 0, NULL, NULL, 0, NULL, 0, NULL},
    {"GET", "/v1/a", "a", 0, 0, NULL, NULL, 0, members, 6, NULL},
    {"GET", "/v1/a/{x}", "ax", 0, 0, NULL, one, 1, NULL, 0, NULL},
    {"GET", "/v1/a/b", "ab", 0, 0, NULL, NULL, 0, NULL, 0, NULL},
    {"GET", "/v1/{x}/b/{y}", "xby", 0, 0, NULL, two, 2, NULL, 0, NULL},
    {"POST", "/v1/a/{x}/c/{y}", "axcy", 0, 0, NULL, two, 2, NULL, 0, NULL},
};

/* ---- JSON ---- */

static void write_value(const struct json *value, struct json_out *out, uint32_t depth)
{
    check(depth <= JSON_DEPTH_MAX);
    switch (value->kind) {
    case HTTP_OBJECT:
    case HTTP_ARRAY:
        value->kind == HTTP_OBJECT ? json_out_object(out) : json_out_array(out);
        for (const struct json *child = value->children; child; child = child->next) {
            if (value->kind == HTTP_OBJECT)
                json_out_name_text(out, child->name);
            write_value(child, out, depth + 1);
        }
        value->kind == HTTP_OBJECT ? json_out_object_end(out) : json_out_array_end(out);
        break;
    case HTTP_STRING:
        json_out_string(out, value->text);
        break;
    case HTTP_BOOLEAN:
        json_out_boolean(out, value->truth);
        break;
    case HTTP_NULL:
        json_out_null(out);
        break;
    case HTTP_INTEGER:
    case HTTP_NUMBER:
        json_out_value(out, value->text);
        break;
    case HTTP_ANY:
        check(false);
    }
}

static void check_utf8(struct bytes bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        uint32_t point;
        size_t length = utf8_read(bytes_of(bytes.data + at, bytes.size - at), &point);
        check(length && point);
        at += length;
    }
}

static void check_same(const struct json *value, const struct json *other)
{
    check(value->kind == other->kind && value->count == other->count && value->truth == other->truth);
    check(bytes_compare(value->text, other->text) == 0 && bytes_compare(value->name, other->name) == 0);
    check_utf8(value->text);
    check_utf8(value->name);
    const struct json *child = value->children, *other_child = other->children;
    for (; child && other_child; child = child->next, other_child = other_child->next)
        check_same(child, other_child);
    check(!child && !other_child);
}

static void try_json(struct scope *scope, struct bytes bytes)
{
    struct error error = {0};
    const struct json *value, *again;
    struct json_out out;
    if (json_read(scope, bytes, &value, &error)) {
        check(error.state);
        return;
    }
    if (json_fits(value, &body, &error))
        check(error_text(&error, ERROR_DETAIL));
    json_out_open(&out, scope);
    write_value(value, &out, 0);
    check(!json_out_outcome(&out, &error));
    check(!json_read(scope, json_out_bytes(&out), &again, &error), "%s", error_text(&error, ERROR_MESSAGE));
    check_same(value, again);
}

/* ---- paths and queries ---- */

static void check_decoded(struct bytes value)
{
    check_utf8(value);
    for (size_t at = 0; at < value.size; at++)
        check(value.data[at] >= ' ' && value.data[at] != 127);
}

static void try_query(struct scope *scope, struct bytes bytes)
{
    struct error error = {0};
    struct bytes values[6];
    uint8_t *room = scope_alloc(scope, bytes.size + 1);
    if (query_read(&routes[1], bytes, values, room, &error)) {
        check(error_text(&error, ERROR_DETAIL));
        return;
    }
    for (int i = 0; i < 6; i++)
        check_decoded(values[i]);
    check(values[0].data);
}

static void try_path(struct scope *scope, struct bytes bytes)
{
    struct error error = {0};
    struct router_match match;
    struct bytes values[HTTP_PATH_PARAMETERS_MAX];
    const struct router *router = router_open(scope, routes, sizeof routes / sizeof *routes, NULL, 0);
    uint8_t *room = scope_alloc(scope, bytes.size + 1);
    if (router_find(router, bytes_of_text("GET"), bytes, &match) != ROUTER_ROUTE)
        return;
    size_t size = 0;
    for (size_t i = 0; i < match.route->parameter_count; i++) {
        check(match.parameters[i].size && !memchr(match.parameters[i].data, '/', match.parameters[i].size));
        size += match.parameters[i].size;
    }
    check(size <= bytes.size);
    if (query_read_path(match.route, match.parameters, values, room, &error))
        return;
    for (size_t i = 0; i < match.route->parameter_count; i++)
        check_decoded(values[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 100000)
        return 0;
    struct scope *scope = scope_open_root("fuzz", NULL);
    /* Exactly as large as they are, so that a sanitizer sees a byte too far. */
    void *exact;
    struct error error = {0};
    check(scope && !scope_alloc_large(scope, size, 1, &exact, &error));
    struct bytes bytes = bytes_of(memcpy(exact, data + 1, size - 1), size - 1);
    switch (data[0]) {
    case 'j':
        try_json(scope, bytes);
        break;
    case 'q':
        try_query(scope, bytes);
        break;
    default:
        try_path(scope, bytes);
    }
    scope_close(scope);
    return 0;
}
