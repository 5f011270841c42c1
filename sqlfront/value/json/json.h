/* json and jsonb: types, operators, functions (PostgreSQL manual, 8.14, 9.16 without jsonpath). The one door of
 * sqlfront/value/json.
 *
 *     parse.c     json text, token by token          types.c     text and binary forms of both types
 *     jsonb.c     bytes of a jsonb; order, hash      build.c     to_json and the like: from any value
 *     access.c    -> ->> #> #>>, containment, keys   change.c    || - #- jsonb_set, insert, strip_nulls, pretty
 *     each.c      functions that give rows           populate.c  from json to records
 *     aggregate.c json_agg, json_object_agg          path.c      what takes a jsonpath: 0A000 */
#ifndef SYNOD_SQLFRONT_VALUE_JSON_JSON_H
#define SYNOD_SQLFRONT_VALUE_JSON_JSON_H

#include "base/text.h"
#include "sqlfront/value/value.h"

extern const struct library json_library;

extern const struct type_ops json_ops, jsonb_ops;

/* Appends a string with quotes and escapes, as PostgreSQL writes it. */
void json_write_string(struct text *out, struct bytes string);

/* ---- what the files bring ---- */

extern const struct library jsonb_library;

#endif
