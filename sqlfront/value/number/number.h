/* Numbers: boolean, the integers and what is stored like them (oid, xid, cid, tid), floats, numeric; their types,
 * functions and aggregates. The one door of sqlfront/value/number; numeric.h beside it is for those who calculate with
 * numerics themselves. */
#ifndef SYNOD_SQLFRONT_VALUE_NUMBER_NUMBER_H
#define SYNOD_SQLFRONT_VALUE_NUMBER_NUMBER_H

#include "sqlfront/value/value.h"

extern const struct library number_library;

extern const struct type_ops bool_ops, int2_ops, int4_ops, int8_ops, oid_ops, xid_ops, xid8_ops, cid_ops,
    tid_ops, float4_ops, float8_ops, numeric_ops, void_ops, money_ops;
extern const struct type_ops reg_ops; /* the reg* types as numbers, which is all this floor knows of them */
extern const struct type_ops pseudo_ops; /* anyelement and the like: have no values */

/* Reads a decimal integer of type TYPE ("integer", ...) between `least` and `most`; blanks around it are free. 22P02,
 * 22003. */
enum sqlstate integer_parse(const char *type, struct bytes text, int64_t least, int64_t most, int64_t *value,
                            struct error *error);

/* Reads a truth value as boolin does ("t", "yes", "of", ...); false when it is none. */
bool boolean_parse(struct bytes text, bool *value);

/* Longest text of the two below, end mark included. */
#define INTEGER_TEXT_BYTES 24
#define FLOAT_TEXT_BYTES   32

/* Writes the integer in decimal; gives the length. */
size_t integer_print(int64_t value, char text[static INTEGER_TEXT_BYTES]);

/* Reads a float. `type` is for messages. 22P02, 22003. */
enum sqlstate float8_parse(const char *type, struct bytes text, double *value, struct error *error);

/* Write a float as PostgreSQL does: with extra_digits > 0 the shortest text that reads back as the same number, else
 * 15 (6) significant digits and `extra_digits` more. Give the length. */
size_t float8_print(double value, int extra_digits, char text[static FLOAT_TEXT_BYTES]);
size_t float4_print(float value, int extra_digits, char text[static FLOAT_TEXT_BYTES]);

#endif
