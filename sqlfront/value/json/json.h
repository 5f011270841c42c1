/* json and jsonb: types, operators, functions (PostgreSQL manual, 8.14, 9.16 without jsonpath). The one door of
 * sqlfront/value/json.
 *
 *     parse.c     json text, token by token          types.c     text and binary forms of both types
 *     jsonb.c     bytes of a jsonb; order, hash      build.c     to_json and the like: from any value
 *     access.c    -> ->> #> #>>, containment, keys   change.c    || - #- jsonb_set, insert, strip_nulls, pretty
 *     each.c      functions that give rows           populate.c  from json to records
 *     aggregate.c json_agg, json_object_agg */
#ifndef SYNOD_SQLFRONT_VALUE_JSON_JSON_H
#define SYNOD_SQLFRONT_VALUE_JSON_JSON_H

#include "base/text.h"
#include "sqlfront/value/value.h"

extern const struct library json_library;

extern const struct type_ops json_ops, jsonb_ops;

/* Appends a string with quotes and escapes, as PostgreSQL writes it. */
void json_write_string(struct text *out, struct bytes string);

/* ---- subscripts of a jsonb: texts, numbers among them for arrays ---- */

/* value[subscripts[0]]...: null when there is nothing. */
enum sqlstate jsonb_subscript_get(struct scope *scope, const struct value *value,
                                  const struct value *subscripts, uint32_t count, struct value *result,
                                  struct error *error);

/* target[subscripts...] := value (jsonb; null is json's null). A null target is empty; objects and arrays that are missing
 * on the way are made, arrays grow. 22004, 22P02, 22023, 54001. */
enum sqlstate jsonb_subscript_set(struct environment *environment, struct scope *scope,
                                  const struct value *target, const struct value *subscripts, uint32_t count,
                                  const struct value *value, struct value *result, struct error *error);

/* ---- what the files bring ---- */

extern const struct library jsonb_library, json_access_library, json_change_library, json_build_library,
    json_each_library, json_populate_library, json_aggregate_library;

#endif
