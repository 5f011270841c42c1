/* Values of any type as json and jsonb. */
#ifndef SYNOD_SQLFRONT_VALUE_JSON_BUILD_H
#define SYNOD_SQLFRONT_VALUE_JSON_BUILD_H

#include "sqlfront/value/json/jsonb.h"

/* How a type is written as json. */
enum json_kind {
    KIND_NULL,
    KIND_BOOLEAN,
    KIND_NUMBER,
    KIND_TIME,
    KIND_JSON,
    KIND_JSONB,
    KIND_ARRAY,
    KIND_RECORD,
    KIND_OTHER
};

enum json_kind json_kind_of(const struct type *type);

/* Appends a value as json text. `pretty`: the outermost container has a line for each element. 54001. */
enum sqlstate json_write_value(struct call *call, struct text *out, const struct type *type,
                               const struct value *value, bool pretty);

/* Adds a value to a jsonb under construction. */
enum sqlstate jsonb_add_value(struct call *call, struct jsonb_builder *builder, const struct type *type,
                              const struct value *value);

/* A value as the key of an object. 22023 when it is none. */
enum sqlstate json_key_of(struct call *call, const struct type *type, const struct value *value,
                          struct bytes *key);

#endif
