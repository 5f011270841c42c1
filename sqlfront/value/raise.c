/* The errors that many types share. */
#include "sqlfront/value/raise.h"

/* Texts are quoted whole; error_set() cuts what is too long. */
enum sqlstate raise_bad_text(struct error *error, const char *type, struct bytes text)
{
    return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION,
                     "invalid input syntax for type %s: \"%.*s\"", type, (int)text.size,
                     (const char *)text.data);
}

enum sqlstate raise_text_out_of_range(struct error *error, const char *type, struct bytes text)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value \"%.*s\" is out of range for type %s",
                     (int)text.size, (const char *)text.data, type);
}

enum sqlstate raise_out_of_range(struct error *error, const char *type)
{
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "%s out of range", type);
}

enum sqlstate raise_bad_binary(struct error *error, bool too_short)
{
    if (too_short)
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "insufficient data left in message");
    return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
}

enum sqlstate raise_division_by_zero(struct error *error)
{
    return error_set(error, SQLSTATE_DIVISION_BY_ZERO, "division by zero");
}
