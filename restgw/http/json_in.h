/* Reads JSON (RFC 8259) as clients send it, strictly: UTF-8 without U+0000, no duplicate names, nothing behind the value, no
 * deeper than JSON_DEPTH_MAX. Numbers keep their text, so none loses a digit. The tree is one scope's; strings without
 * escapes and numbers are views of the text, which must live as long. */
#ifndef SYNOD_RESTGW_HTTP_JSON_IN_H
#define SYNOD_RESTGW_HTTP_JSON_IN_H

#include "base/bytes.h"
#include "base/error.h"
#include "restgw/http/route.h"

struct scope;

struct json {
    enum http_kind kind;   /* one: HTTP_INTEGER or HTTP_NUMBER as the number's text is */
    uint32_t count;        /* of children: values of an array, members of an object */
    bool truth;            /* of HTTP_BOOLEAN */
    struct bytes text;     /* HTTP_STRING: decoded; numbers: as written */
    struct bytes name;     /* of a member: decoded */
    int64_t integer;       /* of HTTP_INTEGER */
    struct json *children; /* the first */
    struct json *next;     /* the next child of the same parent */
};

/* Reads one value. Fails with 22P02 and a sentence that says what is wrong and where (byte, from 1), 54001 when it is too deep,
 * 53200. Does not yield. */
enum sqlstate json_read(struct scope *scope, struct bytes text, const struct json **value,
                        struct error *error);

/* A member of an object, or NULL. */
const struct json *json_member(const struct json *object, const char *name);

/* Whether the value is as the schema wants it. 22023 with a sentence that names the place ("params[3].type") and what was wanted;
 * the error's detail bears the slug of the problem: "unknown-member", "missing-member", "invalid-value". */
enum sqlstate json_fits(const struct json *value, const struct http_schema *schema, struct error *error);

/* Shortcuts, for members that were checked: what stands there, or `otherwise` when it is absent or null. */
struct bytes json_text(const struct json *object, const char *name); /* data == NULL when absent */
int64_t json_integer(const struct json *object, const char *name, int64_t otherwise);
bool json_truth(const struct json *object, const char *name, bool otherwise);

#endif
