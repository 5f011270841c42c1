/* Writes JSON, piece by piece, without a tree. Commas and colons come by themselves:
 *
 *     json_out_open(&out, scope);
 *     json_out_object(&out);
 *     json_out_name(&out, "rows");   json_out_array(&out);  json_out_integer(&out, 42);  json_out_array_end(&out);
 *     json_out_object_end(&out);
 *     http_answer(exchange, 200, "application/json", NULL, 0, json_out_bytes(&out));
 *
 * The text grows in the scope's memory. For a stream, take what is there whenever it is enough and start anew:
 * http_stream_write(exchange, json_out_bytes(&out), error); json_out_clear(&out). */
#ifndef SYNOD_RESTGW_HTTP_JSON_OUT_H
#define SYNOD_RESTGW_HTTP_JSON_OUT_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scope;

struct json_out {
    struct scope *scope;
    uint8_t *data;
    size_t used, room;
    uint32_t depth;
    uint64_t comma;      /* by depth (to 63): something stands before, so a comma comes first */
    bool named;          /* a member's name was written, its value comes next */
    bool failed;         /* the system had no memory: what follows is dropped */
    struct error *error; /* NULL, or where it is said */
};

/* Begins a text. Memory is taken when first needed. */
void json_out_open(struct json_out *out, struct scope *scope);

/* What was written; 53200 when memory was wanting at some point. The view lasts until the next call that writes. */
struct bytes json_out_bytes(const struct json_out *out);
enum sqlstate json_out_outcome(const struct json_out *out, struct error *error);

/* Forgets the text, keeps the memory and where in the document we are. */
void json_out_clear(struct json_out *out);

void json_out_object(struct json_out *out);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out);
void json_out_array_end(struct json_out *out);

/* The name of the next value. `name` is a literal that needs no escape; the other takes any text. */
void json_out_name(struct json_out *out, const char *name);
void json_out_name_text(struct json_out *out, struct bytes name);

void json_out_null(struct json_out *out);
void json_out_boolean(struct json_out *out, bool value);
void json_out_integer(struct json_out *out, int64_t value);
void json_out_unsigned(struct json_out *out, uint64_t value);
/* A string; what is not UTF-8 becomes U+FFFD. `json_out_text` gives null for NULL. */
void json_out_string(struct json_out *out, struct bytes value);
void json_out_text(struct json_out *out, const char *value);
void json_out_format(struct json_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An integer as a string: "9223372036854775807". */
void json_out_integer_text(struct json_out *out, int64_t value);
/* The shortest text that reads back as the same value; what JSON cannot say as a string: "NaN", "Infinity", "-Infinity". */
void json_out_float8(struct json_out *out, double value);
void json_out_float4(struct json_out *out, float value);
/* Base64 of bytes, as a string. */
void json_out_base64(struct json_out *out, struct bytes value);
/* A time in RFC 3339, UTC, with microseconds, as a string; of microseconds since 1970. */
void json_out_time(struct json_out *out, int64_t wall_us);

/* Text that is JSON already, as the next value; text between values (the newline of NDJSON). */
void json_out_value(struct json_out *out, struct bytes json);
void json_out_raw(struct json_out *out, struct bytes bytes);

/* Ends a line of NDJSON: a newline, after which a new document begins. */
void json_out_line_end(struct json_out *out);

#endif
