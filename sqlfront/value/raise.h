/* SQLSTATEs that only values raise (PostgreSQL manual, appendix A, class 22 and some of 42), and the messages that many
 * types share, worded as PostgreSQL words them. */
#ifndef SYNOD_SQLFRONT_VALUE_RAISE_H
#define SYNOD_SQLFRONT_VALUE_RAISE_H

#include "base/bytes.h"
#include "base/error.h"

#define VALUE_STATE(a, b, c, d, e) ((enum sqlstate)SQLSTATE_PACK(a, b, c, d, e))

#define SQLSTATE_STRING_DATA_RIGHT_TRUNCATION         VALUE_STATE('2', '2', '0', '0', '1')
#define SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE           VALUE_STATE('2', '2', '0', '0', '3')
#define SQLSTATE_NULL_VALUE_NOT_ALLOWED               VALUE_STATE('2', '2', '0', '0', '4')
#define SQLSTATE_INVALID_DATETIME_FORMAT              VALUE_STATE('2', '2', '0', '0', '7')
#define SQLSTATE_DATETIME_FIELD_OVERFLOW              VALUE_STATE('2', '2', '0', '0', '8')
#define SQLSTATE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE VALUE_STATE('2', '2', '0', '0', '9')
#define SQLSTATE_SUBSTRING_ERROR                      VALUE_STATE('2', '2', '0', '1', '1')
#define SQLSTATE_DIVISION_BY_ZERO                     VALUE_STATE('2', '2', '0', '1', '2')
#define SQLSTATE_INVALID_PRECEDING_OR_FOLLOWING_SIZE  VALUE_STATE('2', '2', '0', '1', '3')
#define SQLSTATE_INVALID_ARGUMENT_FOR_NTILE           VALUE_STATE('2', '2', '0', '1', '4')
#define SQLSTATE_INTERVAL_FIELD_OVERFLOW              VALUE_STATE('2', '2', '0', '1', '5')
#define SQLSTATE_INVALID_ARGUMENT_FOR_NTH_VALUE       VALUE_STATE('2', '2', '0', '1', '6')
#define SQLSTATE_INVALID_ESCAPE_CHARACTER             VALUE_STATE('2', '2', '0', '1', '9')
#define SQLSTATE_INVALID_REGULAR_EXPRESSION           VALUE_STATE('2', '2', '0', '1', 'B')
#define SQLSTATE_INVALID_ARGUMENT_FOR_LOGARITHM       VALUE_STATE('2', '2', '0', '1', 'E')
#define SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION  VALUE_STATE('2', '2', '0', '1', 'F')
#define SQLSTATE_INVALID_ARGUMENT_FOR_WIDTH_BUCKET    VALUE_STATE('2', '2', '0', '1', 'G')
#define SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE          VALUE_STATE('2', '2', '0', '2', '1')
#define SQLSTATE_INVALID_ESCAPE_SEQUENCE              VALUE_STATE('2', '2', '0', '2', '5')
#define SQLSTATE_STRING_DATA_LENGTH_MISMATCH          VALUE_STATE('2', '2', '0', '2', '6')
#define SQLSTATE_ARRAY_SUBSCRIPT_ERROR                VALUE_STATE('2', '2', '0', '2', 'E')
#define SQLSTATE_INVALID_TABLESAMPLE_ARGUMENT         VALUE_STATE('2', '2', '0', '2', 'H')
#define SQLSTATE_DUPLICATE_JSON_OBJECT_KEY_VALUE      VALUE_STATE('2', '2', '0', '3', '0')
#define SQLSTATE_INVALID_JSON_TEXT                    VALUE_STATE('2', '2', '0', '3', '2')
#define SQLSTATE_INVALID_TEXT_REPRESENTATION          VALUE_STATE('2', '2', 'P', '0', '2')
#define SQLSTATE_INVALID_BINARY_REPRESENTATION        VALUE_STATE('2', '2', 'P', '0', '3')
#define SQLSTATE_UNTRANSLATABLE_CHARACTER             VALUE_STATE('2', '2', 'P', '0', '5')
#define SQLSTATE_SYNTAX_ERROR                         VALUE_STATE('4', '2', '6', '0', '1')
#define SQLSTATE_NAME_TOO_LONG                        VALUE_STATE('4', '2', '6', '2', '2')
#define SQLSTATE_DATATYPE_MISMATCH                    VALUE_STATE('4', '2', '8', '0', '4')
#define SQLSTATE_UNDEFINED_FUNCTION                   VALUE_STATE('4', '2', '8', '8', '3')
#define SQLSTATE_UNDEFINED_OBJECT                     VALUE_STATE('4', '2', '7', '0', '4')

/* 22P02: invalid input syntax for type TYPE: "TEXT" */
enum sqlstate raise_bad_text(struct error *error, const char *type, struct bytes text);
/* 22003: value "TEXT" is out of range for type TYPE */
enum sqlstate raise_text_out_of_range(struct error *error, const char *type, struct bytes text);
/* 22003: TYPE out of range */
enum sqlstate raise_out_of_range(struct error *error, const char *type);
/* 08P01 when the binary form is too short, else 22P03. */
enum sqlstate raise_bad_binary(struct error *error, bool too_short);
/* 22012: division by zero */
enum sqlstate raise_division_by_zero(struct error *error);

#endif
