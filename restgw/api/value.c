/* SQL values as JSON (openapi.yaml, and doc/api.md for people): what JSON's numbers hold exactly is a number, all else a string
 * that loses nothing. Arrays and rows are taken apart through their binary form (PostgreSQL manual, 55.7), which is the one
 * that says where their parts begin; the parts are read back by their own types. */
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Arrays of arrays of rows of ... : as deep as a request may be. */
#define VALUE_DEPTH_MAX 64

#define US_PER_DAY  86400000000L
#define US_PER_HOUR 3600000000L

/* ---- dates and times ---- */

/* The civil date of a number of days since 2000-01-01 (proleptic Gregorian; after H. Hinnant, chrono-compatible low-level date
 * algorithms). */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 10957 + 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned in_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * in_year + 2) / 153;
    *day = in_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

/* ISO 8601 with years of at least four digits; others have a sign, 0000 is the year before 1. */
static int date_text(char *text, size_t room, int64_t days)
{
    int64_t year;
    unsigned month, day;
    civil(days, &year, &month, &day);
    if (year >= 0 && year <= 9999)
        return snprintf(text, room, "%04d-%02u-%02u", (int)year, month, day);
    return snprintf(text, room, "%c%06" PRId64 "-%02u-%02u", year < 0 ? '-' : '+', year < 0 ? -year : year,
                    month, day);
}

static int time_text(char *text, size_t room, int64_t us)
{
    int size = snprintf(text, room, "%02d:%02d:%02d", (int)(us / US_PER_HOUR), (int)(us / 60000000 % 60),
                        (int)(us / 1000000 % 60));
    int fraction = (int)(us % 1000000);
    if (fraction)
        size += snprintf(text + size, room - (size_t)size, ".%06d", fraction);
    return size;
}

static void date_write(struct json_out *out, int64_t days)
{
    char text[40];
    if (days == INT32_MAX || days == INT32_MIN) {
        json_out_text(out, days > 0 ? "infinity" : "-infinity");
        return;
    }
    date_text(text, sizeof text, days);
    json_out_text(out, text);
}

static void timestamp_write(struct json_out *out, int64_t us, bool zone)
{
    char text[64];
    if (us == INT64_MAX || us == INT64_MIN) {
        json_out_text(out, us > 0 ? "infinity" : "-infinity");
        return;
    }
    int64_t days = us / US_PER_DAY - (us % US_PER_DAY < 0);
    int size = date_text(text, sizeof text, days);
    text[size++] = 'T';
    size += time_text(text + size, sizeof text - (size_t)size, us - days * US_PER_DAY);
    if (zone)
        text[size++] = 'Z';
    json_out_string(out, bytes_of(text, (size_t)size));
}

static void time_write(struct json_out *out, int64_t us)
{
    char text[40];
    int size = time_text(text, sizeof text, us);
    json_out_string(out, bytes_of(text, (size_t)size));
}

/* ---- by the type's own forms ---- */

static enum sqlstate form_write(struct json_out *out, struct environment *environment, struct scope *scope,
                                const struct type *type, const struct value *value, bool raw,
                                struct error *error)
{
    struct bytes form;
    enum sqlstate failed = type->ops->out(environment, scope, type, value, &form, error);
    if (failed)
        return failed;
    if (raw)
        json_out_value(out, form);
    else
        json_out_string(out, form);
    return SQLSTATE_OK;
}

static enum sqlstate interval_write(struct json_out *out, struct environment *environment,
                                    struct scope *scope, const struct type *type, const struct value *value,
                                    struct error *error)
{
    enum interval_style style = environment->interval_style;
    environment->interval_style = INTERVAL_ISO_8601;
    enum sqlstate failed = form_write(out, environment, scope, type, value, false, error);
    environment->interval_style = style;
    return failed;
}

/* ---- arrays and rows ---- */

static enum sqlstate value_put(struct json_out *out, struct environment *environment, struct scope *scope,
                               const struct result_options *options, const struct type *type,
                               const struct value *value, unsigned depth, struct error *error);

/* What is left of a binary form. */
struct part {
    const uint8_t *at, *end;
};

static bool take_u32(struct part *part, uint32_t *number)
{
    if (part->end - part->at < 4)
        return false;
    *number =
        (uint32_t)part->at[0] << 24 | (uint32_t)part->at[1] << 16 | (uint32_t)part->at[2] << 8 | part->at[3];
    part->at += 4;
    return true;
}

static enum sqlstate malformed(const struct type *type, struct error *error)
{
    return error_set(error, SQLSTATE_DATA_CORRUPTED, "the binary form of a value of type %s makes no sense",
                     type->name);
}

/* One element: its length (all ones = null), its binary form. */
static enum sqlstate element_put(struct json_out *out, struct environment *environment, struct scope *scope,
                                 const struct result_options *options, const struct type *element,
                                 struct part *part, unsigned depth, struct error *error)
{
    uint32_t size;
    struct value value;
    if (!take_u32(part, &size))
        return malformed(element, error);
    if (size == UINT32_MAX) {
        json_out_null(out);
        return SQLSTATE_OK;
    }
    if ((size_t)(part->end - part->at) < size)
        return malformed(element, error);
    enum sqlstate failed =
        element->ops->receive(environment, scope, element, -1, bytes_of(part->at, size), &value, error);
    part->at += size;
    return failed ? failed : value_put(out, environment, scope, options, element, &value, depth + 1, error);
}

enum { DIMENSIONS_MAX = 6 };

static enum sqlstate dimension_put(struct json_out *out, struct environment *environment, struct scope *scope,
                                   const struct result_options *options, const struct type *element,
                                   const uint32_t *lengths, uint32_t dimensions, struct part *part,
                                   unsigned depth, struct error *error)
{
    enum sqlstate failed = SQLSTATE_OK;
    json_out_array(out);
    for (uint32_t i = 0; i < lengths[0] && !failed; i++)
        failed = dimensions > 1 ? dimension_put(out, environment, scope, options, element, lengths + 1,
                                                dimensions - 1, part, depth + 1, error)
                                : element_put(out, environment, scope, options, element, part, depth, error);
    json_out_array_end(out);
    return failed;
}

/* Number of dimensions, flags, type of the elements, (length, lower bound) of each dimension, elements. */
static enum sqlstate array_put(struct json_out *out, struct environment *environment, struct scope *scope,
                               const struct result_options *options, const struct type *type,
                               const struct value *value, unsigned depth, struct error *error)
{
    struct bytes form;
    uint32_t dimensions, flags, oid, lengths[DIMENSIONS_MAX], lower;
    enum sqlstate failed = type->ops->send(environment, scope, type, value, &form, error);
    if (failed)
        return failed;
    struct part part = {.at = form.data, .end = form.data + form.size};
    if (!take_u32(&part, &dimensions) || !take_u32(&part, &flags) || !take_u32(&part, &oid) ||
        dimensions > DIMENSIONS_MAX)
        return malformed(type, error);
    for (uint32_t i = 0; i < dimensions; i++)
        if (!take_u32(&part, &lengths[i]) || !take_u32(&part, &lower))
            return malformed(type, error);
    const struct type *element = environment->type_find(environment, oid);
    if (dimensions == 0) {
        json_out_array(out);
        json_out_array_end(out);
        return SQLSTATE_OK;
    }
    if (!element)
        return malformed(type, error);
    return dimension_put(out, environment, scope, options, element, lengths, dimensions, &part, depth, error);
}

/* Number of columns, then (type, length, value) of each. */
static enum sqlstate row_put(struct json_out *out, struct environment *environment, struct scope *scope,
                             const struct result_options *options, const struct type *type,
                             const struct value *value, unsigned depth, struct error *error)
{
    struct bytes form;
    uint32_t columns, oid;
    enum sqlstate failed = type->ops->send(environment, scope, type, value, &form, error);
    if (failed)
        return failed;
    struct part part = {.at = form.data, .end = form.data + form.size};
    if (!take_u32(&part, &columns))
        return malformed(type, error);
    json_out_array(out);
    for (uint32_t i = 0; i < columns && !failed; i++) {
        if (!take_u32(&part, &oid))
            return malformed(type, error);
        const struct type *column = environment->type_find(environment, oid);
        if (!column)
            return malformed(type, error);
        failed = element_put(out, environment, scope, options, column, &part, depth, error);
    }
    json_out_array_end(out);
    return failed;
}

/* ---- any ---- */

static enum sqlstate value_put(struct json_out *out, struct environment *environment, struct scope *scope,
                               const struct result_options *options, const struct type *type,
                               const struct value *value, unsigned depth, struct error *error)
{
    if (depth > VALUE_DEPTH_MAX)
        return error_set(error, SQLSTATE_STATEMENT_TOO_COMPLEX, "a value is nested deeper than %d levels",
                         VALUE_DEPTH_MAX);
    if (options->text)
        return form_write(out, environment, scope, type, value, false, error);
    switch (type->oid) {
    case TYPE_BOOL:
        json_out_boolean(out, value->i != 0);
        return SQLSTATE_OK;
    case TYPE_INT2:
    case TYPE_INT4:
        json_out_integer(out, value->i);
        return SQLSTATE_OK;
    case TYPE_INT8:
        if (options->int8_number)
            json_out_integer(out, value->i);
        else
            json_out_integer_text(out, value->i);
        return SQLSTATE_OK;
    case TYPE_OID:
        json_out_integer_text(out, value->i & 0xffffffff);
        return SQLSTATE_OK;
    case TYPE_FLOAT4:
        json_out_float4(out, (float)value->f);
        return SQLSTATE_OK;
    case TYPE_FLOAT8:
        json_out_float8(out, value->f);
        return SQLSTATE_OK;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_NAME:
        json_out_string(out, value_view(value));
        return SQLSTATE_OK;
    case TYPE_BYTEA:
        json_out_base64(out, value_view(value));
        return SQLSTATE_OK;
    case TYPE_DATE:
        date_write(out, value->i);
        return SQLSTATE_OK;
    case TYPE_TIME:
        time_write(out, value->i);
        return SQLSTATE_OK;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        timestamp_write(out, value->i, type->oid == TYPE_TIMESTAMPTZ);
        return SQLSTATE_OK;
    case TYPE_INTERVAL:
        return interval_write(out, environment, scope, type, value, error);
    case TYPE_JSON:
    case TYPE_JSONB:
        return form_write(out, environment, scope, type, value, options->json_inline, error);
    default:
        break;
    }
    if (type->category == 'A' && type->element && type->length == -1 && type->ops->send)
        return array_put(out, environment, scope, options, type, value, depth, error);
    if ((type->type_type == 'c' || type->oid == TYPE_RECORD) && type->ops->send)
        return row_put(out, environment, scope, options, type, value, depth, error);
    return form_write(out, environment, scope, type, value, false, error);
}

enum sqlstate value_write(struct json_out *out, struct environment *environment, struct scope *scope,
                          const struct result_options *options, const struct type *type,
                          const struct value *value, struct error *error)
{
    return value_put(out, environment, scope, options, type, value, 0, error);
}
