/* What the functions of json and jsonb share: elements of json text, paths, arguments that are arrays of texts. */
#ifndef SYNOD_SQLFRONT_VALUE_JSON_ACCESS_H
#define SYNOD_SQLFRONT_VALUE_JSON_ACCESS_H

#include "sqlfront/value/json/jsonb.h"
#include "sqlfront/value/json/parse.h"

/* A value within json text. */
struct json_item {
    enum json_token token; /* its first */
    struct bytes text;     /* as it stands */
    struct bytes string;   /* of a string */
};

/* Calls `take` for each element or member of the container that the text holds (key is empty for elements); stops when it
 * gives false in *more. A scalar has none. *token is the text's first. */
enum sqlstate json_items(struct call *call, struct bytes text, enum json_token *token,
                         enum sqlstate (*take)(void *state, struct bytes key, const struct json_item *item,
                                               bool *more),
                         void *state);

/* Reads the text's first token and, for a scalar, what it is. */
enum sqlstate json_first(struct call *call, struct bytes text, struct json_item *item);

/* As ->> gives it: a string without quotes, null for null, else as it stands. */
struct value json_as_text(const struct json_item *item);

/* An integer as strtol() reads it, whole; false when it is none or does not fit 32 bits. */
bool json_index(struct bytes text, int64_t *index);

/* Element or member named by one step of a path; *found is false when there is none. */
enum sqlstate json_step(struct call *call, struct bytes text, struct bytes step, struct json_item *item,
                        bool *found);
bool jsonb_step(struct jsonb_node container, struct bytes step, struct jsonb_node *node);

/* Element `index` of a jsonb array, negative ones from the end. */
bool jsonb_element_at(struct jsonb_node array, int64_t index, struct jsonb_node *node);

enum sqlstate json_wrong(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
