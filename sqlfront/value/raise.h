/* The messages that many types share, worded as PostgreSQL words them. */
#ifndef SYNOD_SQLFRONT_VALUE_RAISE_H
#define SYNOD_SQLFRONT_VALUE_RAISE_H

#include "base/bytes.h"
#include "sqlfront/value/states.h"

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
