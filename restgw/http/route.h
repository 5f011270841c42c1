/* What may be asked: routes, and what their parameters and bodies may hold. The tables are generated at build from
 * openapi.yaml by tool/openapi, so that description and server cannot diverge. */
#ifndef SYNOD_RESTGW_HTTP_ROUTE_H
#define SYNOD_RESTGW_HTTP_ROUTE_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_call; /* one request at its handler; restgw/api defines it */
struct http_member;

/* Parameters in the template of one path, as in /v1/databases/{database}/tables/{table}/indexes/{index}. */
#define HTTP_PATH_PARAMETERS_MAX 6

/* A JSON value's kinds, as bits: a value may be of several ("string or null"). */
enum http_kind {
    HTTP_NULL = 1,
    HTTP_BOOLEAN = 2,
    HTTP_INTEGER = 4, /* a number without fraction within int8 */
    HTTP_NUMBER = 8,
    HTTP_STRING = 16,
    HTTP_ARRAY = 32,
    HTTP_OBJECT = 64,
    HTTP_ANY = 127,
};

/* What a value must be. */
struct http_schema {
    uint32_t kinds;           /* of enum http_kind */
    bool limited;             /* minimum and maximum hold, of numbers */
    bool open;                /* an object may have members that are not in the table: a map */
    int64_t minimum, maximum; /* of numbers */
    uint32_t size_min,
        size_max;              /* bytes of a string, values of an array, members of an object; max 0 = any */
    const char *const *values; /* a string must be one of these; NULL at the end; NULL = any */
    const struct http_member *members; /* of an object */
    size_t member_count;
    const struct http_schema
        *items; /* of an array, and of the further members of an open object; NULL = any */
};

/* A member of an object, or a parameter of a path or query (then its text is judged as the kind wants it). */
struct http_member {
    const char *name;
    bool required;
    const struct http_schema *schema;
};

enum http_route_flags {
    HTTP_PUBLIC = 1,    /* needs no credentials */
    HTTP_ADMIN = 2,     /* needs a superuser, or an API key with the scope "admin" */
    HTTP_BODY_JSON = 4, /* takes application/json */
    HTTP_BODY_TEXT = 8, /* takes text/csv or text/plain, unchecked */
    HTTP_BODY_REQUIRED = 16,
    HTTP_LONG =
        32, /* may be open for long (a live stream): does not count as work under way when the door drains */
};

struct http_route {
    const char *method;
    const char *path;      /* "/v1/statements/{statement_id}" */
    const char *operation; /* operationId, in snake_case */
    uint32_t flags;        /* of enum http_route_flags */
    size_t body_bytes_max;
    const struct http_schema *body;       /* of a JSON body; NULL = none */
    const struct http_member *parameters; /* of the path, as many as the template has, in its order */
    size_t parameter_count;
    const struct http_member *query;
    size_t query_count;
    void (*handle)(struct http_call *call); /* api_<operation> */
};

/* A file that never changes while the process runs. */
struct http_file {
    const char *path; /* "/console/index.html" */
    const char *content_type;
    const char *etag;  /* with its quotes */
    bool immutable;    /* its name changes with its content: may be kept for a year */
    struct bytes data; /* as it is */
    struct bytes gzip; /* compressed; empty when that is not shorter */
};

/* The generated tables: of openapi.yaml (with /v1/openapi.json as a file), and of the files in restgw/console/dist. */
extern const struct http_route api_routes[];
extern const size_t api_route_count;
extern const struct http_file api_files[];
extern const size_t api_file_count;

#endif
