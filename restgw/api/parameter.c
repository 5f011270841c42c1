/* JSON values as parameters of statements: each becomes the text form of its type, which the type then reads and judges. */
#include "base/base64.h"
#include "restgw/api/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The largest integer that every client's double holds exactly: 2^53. */
#define EXACT_MAX 9007199254740992L

void json_copy(struct json_out *out, const struct json *value)
{
    switch (value->kind) {
    case HTTP_BOOLEAN:
        json_out_boolean(out, value->truth);
        break;
    case HTTP_INTEGER:
    case HTTP_NUMBER:
        json_out_value(out, value->text);
        break;
    case HTTP_STRING:
        json_out_string(out, value->text);
        break;
    case HTTP_ARRAY:
        json_out_array(out);
        for (const struct json *child = value->children; child; child = child->next)
            json_copy(out, child);
        json_out_array_end(out);
        break;
    case HTTP_OBJECT:
        json_out_object(out);
        for (const struct json *child = value->children; child; child = child->next) {
            json_out_name_text(out, child->name);
            json_copy(out, child);
        }
        json_out_object_end(out);
        break;
    default:
        json_out_null(out);
        break;
    }
}

uint32_t type_named(const char *name)
{
    static const struct {
        const char *name;
        uint32_t oid;
    } known[] = {
        {"bool", TYPE_BOOL},
        {"boolean", TYPE_BOOL},
        {"int2", TYPE_INT2},
        {"smallint", TYPE_INT2},
        {"int4", TYPE_INT4},
        {"int", TYPE_INT4},
        {"integer", TYPE_INT4},
        {"int8", TYPE_INT8},
        {"bigint", TYPE_INT8},
        {"oid", TYPE_OID},
        {"float4", TYPE_FLOAT4},
        {"real", TYPE_FLOAT4},
        {"float8", TYPE_FLOAT8},
        {"double precision", TYPE_FLOAT8},
        {"numeric", TYPE_NUMERIC},
        {"decimal", TYPE_NUMERIC},
        {"text", TYPE_TEXT},
        {"varchar", TYPE_VARCHAR},
        {"character varying", TYPE_VARCHAR},
        {"bpchar", TYPE_BPCHAR},
        {"char", TYPE_BPCHAR},
        {"character", TYPE_BPCHAR},
        {"name", TYPE_NAME},
        {"bytea", TYPE_BYTEA},
        {"date", TYPE_DATE},
        {"time", TYPE_TIME},
        {"timetz", TYPE_TIMETZ},
        {"timestamp", TYPE_TIMESTAMP},
        {"timestamptz", TYPE_TIMESTAMPTZ},
        {"interval", TYPE_INTERVAL},
        {"json", TYPE_JSON},
        {"jsonb", TYPE_JSONB},
        {"uuid", TYPE_UUID},
        {"inet", TYPE_INET},
        {"bool[]", TYPE_ARRAY_OF_BOOL},
        {"int2[]", TYPE_ARRAY_OF_INT2},
        {"int4[]", TYPE_ARRAY_OF_INT4},
        {"int8[]", TYPE_ARRAY_OF_INT8},
        {"float4[]", TYPE_ARRAY_OF_FLOAT4},
        {"float8[]", TYPE_ARRAY_OF_FLOAT8},
        {"numeric[]", TYPE_ARRAY_OF_NUMERIC},
        {"text[]", TYPE_ARRAY_OF_TEXT},
        {"varchar[]", TYPE_ARRAY_OF_VARCHAR},
        {"date[]", TYPE_ARRAY_OF_DATE},
        {"timestamp[]", TYPE_ARRAY_OF_TIMESTAMP},
        {"timestamptz[]", TYPE_ARRAY_OF_TIMESTAMPTZ},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].oid;
    return 0;
}

/* {"type": .., "value": ..} and nothing else. */
static bool is_typed(const struct json *value)
{
    const struct json *type =
        value->kind == HTTP_OBJECT && value->count == 2 ? json_member(value, "type") : NULL;
    return type && type->kind == HTTP_STRING && json_member(value, "value");
}

enum sqlstate parameters_read(struct rest *rest, struct scope *scope, const struct json *array,
                              struct parameters *parameters, struct error *error)
{
    uint32_t count = array ? array->count : 0, at = 0;
    const struct json **values = scope_alloc(scope, (count + 1) * sizeof *values);
    *parameters = (struct parameters){
        .count = count, .value = values, .type = scope_alloc_zeroed(scope, (count + 1) * sizeof(uint32_t))};
    if (!count)
        return SQLSTATE_OK;
    for (const struct json *value = array->children; value; value = value->next, at++) {
        values[at] = value;
        if (!is_typed(value))
            continue;
        const char *name = scope_text(scope, json_member(value, "type")->text);
        values[at] = json_member(value, "value");
        parameters->type[at] = type_named(name);
        if (parameters->type[at])
            continue;
        struct table table;
        enum sqlstate failed =
            query_run(rest, scope, "select pg_catalog.to_regtype($1)::pg_catalog.oid::pg_catalog.text", &name,
                      1, &table, error);
        if (failed)
            return failed;
        struct bytes oid = table.rows ? table_cell(&table, 0, 0) : (struct bytes){0};
        if (!oid.data)
            return error_set(error, SQLSTATE_PACK('4', '2', '7', '0', '4'), "type \"%s\" does not exist",
                             name);
        unsigned number = 0;
        sscanf((const char *)oid.data, "%u", &number);
        parameters->type[at] = number;
    }
    return SQLSTATE_OK;
}

/* ---- forms ---- */

/* An array's text form: {1,"two",NULL,{3}}. */
static enum sqlstate array_text(struct environment *environment, struct scope *scope, uint32_t number,
                                const struct json *array, uint32_t element, struct text *text,
                                struct error *error)
{
    text_append(text, "{");
    for (const struct json *child = array->children; child; child = child->next) {
        if (child != array->children)
            text_append(text, ",");
        if (child->kind == HTTP_NULL) {
            text_append(text, "NULL");
            continue;
        }
        if (child->kind == HTTP_ARRAY && element != TYPE_JSON && element != TYPE_JSONB) {
            enum sqlstate failed = array_text(environment, scope, number, child, element, text, error);
            if (failed)
                return failed;
            continue;
        }
        struct bytes form;
        enum sqlstate failed = parameter_form(environment, scope, number, child, element, &form, error);
        if (failed)
            return failed;
        text_append(text, "\"");
        for (size_t i = 0; i < form.size; i++) {
            if (form.data[i] == '"' || form.data[i] == '\\')
                text_append(text, "\\");
            text_bytes(text, bytes_of(form.data + i, 1));
        }
        text_append(text, "\"");
    }
    text_append(text, "}");
    return SQLSTATE_OK;
}

static enum sqlstate bytea_form(struct scope *scope, uint32_t number, struct bytes text, struct bytes *form,
                                struct error *error)
{
    static const char digits[] = "0123456789abcdef";
    if (text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'x') {
        *form = text;
        return SQLSTATE_OK;
    }
    void *memory;
    size_t room = text.size / 4 * 3 + 3;
    enum sqlstate failed = scope_alloc_large(scope, 3 * room + 2, 16, &memory, error);
    if (failed)
        return failed;
    uint8_t *raw = memory, *hex = raw + room;
    ptrdiff_t size = base64_read(text, BASE64_ANY, raw, room);
    if (size < 0)
        return error_set(error, STATE_BAD_TEXT,
                         "parameter $%u of type bytea is neither base64 nor \\x and hex", number);
    hex[0] = '\\';
    hex[1] = 'x';
    for (ptrdiff_t i = 0; i < size; i++) {
        hex[2 + 2 * i] = (uint8_t)digits[raw[i] >> 4];
        hex[3 + 2 * i] = (uint8_t)digits[raw[i] & 15];
    }
    *form = bytes_of(hex, 2 + 2 * (size_t)size);
    return SQLSTATE_OK;
}

/* Answers write years beyond 0001 to 9999 as ISO 8601 does: +010000-01-01, and -000043 or 0000, which count the year before 1 as 0.
 * The types' own reader wants 10000-01-01, 0044-03-15 BC and 0001-03-15 BC. Anything else stays as it is. */
static struct bytes year_form(struct scope *scope, struct bytes text)
{
    bool sign = text.size && (text.data[0] == '+' || text.data[0] == '-');
    size_t at = sign;
    uint64_t year = 0;
    while (at < text.size && at < 8 && text.data[at] >= '0' && text.data[at] <= '9')
        year = year * 10 + (uint64_t)(text.data[at++] - '0');
    if (at < (sign ? 7U : 4U) || at == text.size || text.data[at] != '-' || (!sign && year != 0))
        return text;
    bool before = text.data[0] == '-' || year == 0;
    struct text form = text_in(scope);
    text_format(&form, "%04" PRIu64, before ? year + 1 : year);
    text_bytes(&form, bytes_of(text.data + at, text.size - at));
    if (before)
        text_append(&form, " BC");
    const char *whole;
    struct error error = {0};
    return text_end(&form, &whole, &error) ? text : bytes_of(whole, form.size);
}

static enum sqlstate json_form(struct scope *scope, const struct json *value, struct bytes *form,
                               struct error *error)
{
    struct json_out out;
    json_out_open(&out, scope);
    json_copy(&out, value);
    *form = json_out_bytes(&out);
    return json_out_outcome(&out, error);
}

static enum sqlstate list_form(struct environment *environment, struct scope *scope, uint32_t number,
                               const struct json *value, uint32_t type, struct bytes *form,
                               struct error *error)
{
    const struct type *array = environment->type_find(environment, type);
    if (array && !array->element)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "parameter $%u is a JSON array, which is no value of type %s", number, array->name);
    struct text text = text_in(scope);
    const char *whole;
    /* Types that users made are not known between statements; their elements need no more than their text. */
    uint32_t element = array ? array->element : 0;
    enum sqlstate failed = array_text(environment, scope, number, value, element, &text, error);
    if (!failed)
        failed = text_end(&text, &whole, error);
    if (!failed)
        *form = bytes_of(whole, text.size);
    return failed;
}

enum sqlstate parameter_form(struct environment *environment, struct scope *scope, uint32_t number,
                             const struct json *value, uint32_t type, struct bytes *form, struct error *error)
{
    bool json = type == TYPE_JSON || type == TYPE_JSONB;
    *form = (struct bytes){0};
    switch (value->kind) {
    case HTTP_NULL:
        return SQLSTATE_OK;
    case HTTP_BOOLEAN:
        *form = bytes_of_text(value->truth ? "true" : "false");
        return SQLSTATE_OK;
    case HTTP_INTEGER:
    case HTTP_NUMBER:
        if (type == TYPE_INT8 && value->kind == HTTP_INTEGER &&
            (value->integer > EXACT_MAX || value->integer < -EXACT_MAX))
            return error_set(
                error, SQLSTATE_INVALID_PARAMETER_VALUE,
                "parameter $%u is a number beyond 2^53, which JSON clients may have rounded: send "
                "it as a string",
                number);
        *form = value->text;
        return SQLSTATE_OK;
    case HTTP_STRING:
        if (type == TYPE_BYTEA)
            return bytea_form(scope, number, value->text, form, error);
        if (type == TYPE_DATE || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ) {
            *form = year_form(scope, value->text);
            return SQLSTATE_OK;
        }
        *form = value->text.data ? value->text : bytes_of_text("");
        return SQLSTATE_OK;
    case HTTP_ARRAY:
        return json ? json_form(scope, value, form, error)
                    : list_form(environment, scope, number, value, type, form, error);
    default:
        if (json)
            return json_form(scope, value, form, error);
        return error_set(
            error, SQLSTATE_INVALID_PARAMETER_VALUE,
            "parameter $%u is a JSON object: say {\"type\": .., \"value\": ..}, or send it for a "
            "parameter of type json or jsonb",
            number);
    }
}
