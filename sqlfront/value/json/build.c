/* From values to json and jsonb: to_json, row_to_json, json_build_*, json_object (PostgreSQL manual, 9.16). */
#include "sqlfront/value/json/build.h"

#include "base/fiber.h"
#include "base/world.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/array/spread.h"
#include "sqlfront/value/json/access.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/text/text.h"

enum json_kind json_kind_of(const struct type *type)
{
    switch (type->oid) {
    case TYPE_BOOL:
        return KIND_BOOLEAN;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
        return KIND_NUMBER;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return KIND_TIME;
    case TYPE_JSON:
        return KIND_JSON;
    case TYPE_JSONB:
        return KIND_JSONB;
    default:
        return type->element && type->category == 'A'               ? KIND_ARRAY
               : type->type_type == 'c' || type->oid == TYPE_RECORD ? KIND_RECORD
                                                                    : KIND_OTHER;
    }
}

/* Moments are written as ISO 8601 has them, whatever the session's style: a T between date and time, minutes in the
 * zone. */
static enum sqlstate time_text(struct call *call, const struct type *type, const struct value *value,
                               struct bytes *text)
{
    struct environment iso = *call->environment;
    struct text out = text_in(call->scope);
    struct value whole;
    iso.date_style = DATE_ISO;
    enum sqlstate failed = type->ops->out(&iso, call->scope, type, value, text, call->error);
    const uint8_t *blank = failed ? NULL : memchr(text->data, ' ', text->size);
    bool timed = blank && blank + 1 < text->data + text->size && blank[1] >= '0' && blank[1] <= '9';
    if (failed || !timed)
        return failed;
    size_t before = (size_t)(blank - text->data);
    text_bytes(&out, bytes_of(text->data, before));
    text_append(&out, "T");
    struct bytes rest = bytes_of(blank + 1, text->size - before - 1);
    size_t zone = 0;
    while (zone < rest.size && rest.data[zone] != '+' && rest.data[zone] != '-')
        zone++;
    size_t end = zone < rest.size ? zone + 1 : zone;
    while (end < rest.size && ((rest.data[end] >= '0' && rest.data[end] <= '9') || rest.data[end] == ':'))
        end++;
    text_bytes(&out, bytes_of(rest.data, end));
    if (end == zone + 3)
        text_append(&out, ":00");
    text_bytes(&out, bytes_of(rest.data + end, rest.size - end));
    failed = value_of_text(&out, &whole, call->error);
    *text = value_view(&whole);
    return failed;
}

/* Whether a number's text can stand in json as it is: not NaN, not Infinity. */
static bool is_json_number(struct bytes text)
{
    uint8_t last = text.size ? text.data[text.size - 1] : 0;
    return last >= '0' && last <= '9';
}

static enum sqlstate stack_suffices(struct call *call)
{
    struct world *world = call->environment->world;
    return world ? fiber_check_stack(world->scheduler, call->error) : SQLSTATE_OK;
}

/* ---- json ---- */

static enum sqlstate write_array(struct call *call, struct text *out, const struct value *value, bool pretty)
{
    struct array array;
    const struct type *element;
    array_read(value, &array);
    enum sqlstate failed = type_of_oid(call->environment, array.element, &element, call->error);
    if (array.count == 0)
        text_append(out, "[]");
    uint32_t strides[ARRAY_DIMENSIONS_MAX + 1] = {0}; /* elements of one array of that dimension */
    strides[array.dimensions] = 1;
    for (int i = array.dimensions - 1; i >= 0; i--)
        strides[i] = strides[i + 1] * (uint32_t)array.length[i];
    for (uint32_t at = 0; at < array.count && !failed; at++) {
        int opens = 0;
        while (opens < array.dimensions && at % strides[opens] != 0)
            opens++;
        if (at > 0)
            text_append(out, pretty && opens <= 1 ? ",\n " : ",");
        for (int i = opens; i < array.dimensions; i++)
            text_append(out, "[");
        struct value one = array_get(&array, at);
        failed = json_write_value(call, out, element, &one, false);
        for (int i = array.dimensions - 1; i >= 0 && (at + 1) % strides[i] == 0; i--)
            text_append(out, "]");
    }
    return failed;
}

static enum sqlstate write_record(struct call *call, struct text *out, const struct type *type,
                                  const struct value *value, bool pretty)
{
    uint32_t count = record_count(value);
    text_append(out, "{");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t oid;
        const struct type *field_type;
        struct value field = record_field(value, i, &oid);
        enum sqlstate failed = type_of_oid(call->environment, oid, &field_type, call->error);
        if (failed)
            return failed;
        if (i > 0)
            text_append(out, pretty ? ",\n " : ",");
        json_write_string(out, bytes_of_text(record_field_name(call->scope, type, value, i)));
        text_append(out, ":");
        if ((failed = json_write_value(call, out, field_type, &field, false)))
            return failed;
    }
    text_append(out, "}");
    return SQLSTATE_OK;
}

enum sqlstate json_write_value(struct call *call, struct text *out, const struct type *type,
                               const struct value *value, bool pretty)
{
    struct bytes text = bytes_of_text("null");
    enum json_kind kind = value->null ? KIND_NULL : json_kind_of(type);
    enum sqlstate failed = stack_suffices(call);
    if (failed)
        return failed;
    switch (kind) {
    case KIND_NULL:
        break;
    case KIND_BOOLEAN:
        text = bytes_of_text(value->i ? "true" : "false");
        break;
    case KIND_ARRAY:
        return write_array(call, out, value, pretty);
    case KIND_RECORD:
        return write_record(call, out, type, value, pretty);
    case KIND_JSONB:
        return jsonb_write(call->environment, out, jsonb_root(value), call->error);
    case KIND_TIME:
        failed = time_text(call, type, value, &text);
        break;
    case KIND_JSON:
    case KIND_NUMBER:
    case KIND_OTHER:
        failed = value_out(call->environment, call->scope, type, value, &text, call->error);
        break;
    }
    if (failed)
        return failed;
    if (kind == KIND_TIME || kind == KIND_OTHER || (kind == KIND_NUMBER && !is_json_number(text)))
        json_write_string(out, text);
    else
        text_bytes(out, text);
    return SQLSTATE_OK;
}

/* ---- jsonb ---- */

static enum sqlstate add_array(struct call *call, struct jsonb_builder *builder, const struct value *value)
{
    struct array array;
    const struct type *element;
    array_read(value, &array);
    enum sqlstate failed = type_of_oid(call->environment, array.element, &element, call->error);
    if (!failed && array.count == 0) {
        failed = jsonb_builder_open(builder, false);
        return failed ? failed : jsonb_builder_close(builder);
    }
    uint32_t strides[ARRAY_DIMENSIONS_MAX + 1] = {0};
    strides[array.dimensions] = 1;
    for (int i = array.dimensions - 1; i >= 0; i--)
        strides[i] = strides[i + 1] * (uint32_t)array.length[i];
    for (uint32_t at = 0; at < array.count && !failed; at++) {
        for (int i = 0; i < array.dimensions && !failed; i++)
            if (at % strides[i] == 0)
                failed = jsonb_builder_open(builder, false);
        struct value one = array_get(&array, at);
        if (!failed)
            failed = jsonb_add_value(call, builder, element, &one);
        for (int i = array.dimensions - 1; i >= 0 && (at + 1) % strides[i] == 0 && !failed; i--)
            failed = jsonb_builder_close(builder);
    }
    return failed;
}

static enum sqlstate add_record(struct call *call, struct jsonb_builder *builder, const struct type *type,
                                const struct value *value)
{
    enum sqlstate failed = jsonb_builder_open(builder, true);
    for (uint32_t i = 0, count = record_count(value); i < count && !failed; i++) {
        uint32_t oid;
        const struct type *field_type;
        struct value field = record_field(value, i, &oid);
        failed = type_of_oid(call->environment, oid, &field_type, call->error);
        jsonb_builder_key(builder, bytes_of_text(record_field_name(call->scope, type, value, i)));
        if (!failed)
            failed = jsonb_add_value(call, builder, field_type, &field);
    }
    return failed ? failed : jsonb_builder_close(builder);
}

static enum sqlstate add_number(struct jsonb_builder *builder, struct bytes text)
{
    struct value number;
    struct jsonb_node node;
    if (!is_json_number(text))
        return jsonb_builder_add(builder, jsonb_of_string(text));
    enum sqlstate failed = numeric_parse(builder->scope, text, &number, builder->error);
    if (!failed)
        failed = jsonb_of_number(builder->scope, &number, &node, builder->error);
    return failed ? failed : jsonb_builder_add(builder, node);
}

enum sqlstate jsonb_add_value(struct call *call, struct jsonb_builder *builder, const struct type *type,
                              const struct value *value)
{
    struct bytes text;
    enum sqlstate failed = stack_suffices(call);
    if (failed)
        return failed;
    switch (value->null ? KIND_NULL : json_kind_of(type)) {
    case KIND_NULL:
        return jsonb_builder_add(builder, jsonb_plain(JSONB_NULL));
    case KIND_BOOLEAN:
        return jsonb_builder_add(builder, jsonb_plain(value->i ? JSONB_TRUE : JSONB_FALSE));
    case KIND_ARRAY:
        return add_array(call, builder, value);
    case KIND_RECORD:
        return add_record(call, builder, type, value);
    case KIND_JSONB:
        return jsonb_builder_add_within(builder, jsonb_root(value));
    case KIND_JSON:
        return jsonb_builder_parse(builder, value_view(value));
    case KIND_TIME:
        failed = time_text(call, type, value, &text);
        return failed ? failed : jsonb_builder_add(builder, jsonb_of_string(text));
    case KIND_NUMBER:
        failed = value_out(call->environment, call->scope, type, value, &text, call->error);
        return failed ? failed : add_number(builder, text);
    case KIND_OTHER:
        break;
    }
    failed = value_out(call->environment, call->scope, type, value, &text, call->error);
    return failed ? failed : jsonb_builder_add(builder, jsonb_of_string(text));
}

/* ---- to_json, to_jsonb, row_to_json, array_to_json ---- */

static enum sqlstate as_json(struct call *call, const struct value *value, bool pretty, struct value *result)
{
    struct text out = text_in(call->scope);
    enum sqlstate failed = json_write_value(call, &out, call->types[0], value, pretty);
    return failed ? failed : value_of_text(&out, result, call->error);
}

static enum sqlstate to_json(struct call *call, const struct value *arguments, struct value *result)
{
    return as_json(call, &arguments[0], false, result);
}

static enum sqlstate to_json_pretty(struct call *call, const struct value *arguments, struct value *result)
{
    return as_json(call, &arguments[0], arguments[1].i, result);
}

static enum sqlstate to_jsonb(struct call *call, const struct value *arguments, struct value *result)
{
    struct jsonb_builder builder;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    enum sqlstate failed = jsonb_add_value(call, &builder, call->types[0], &arguments[0]);
    return failed ? failed : jsonb_value(call->scope, jsonb_builder_end(&builder), result, call->error);
}

/* ---- json_build_array, json_build_object ---- */

static enum sqlstate json_build_array(struct call *call, const struct value *arguments, struct value *result)
{
    struct spread spread;
    struct text out = text_in(call->scope);
    enum sqlstate failed = spread_open(call, arguments, 0, &spread);
    *result = value_null();
    if (failed || spread.null)
        return failed;
    text_append(&out, "[");
    for (uint32_t i = 0; i < spread.count && !failed; i++) {
        const struct type *type;
        struct value value = spread_get(&spread, i, &type);
        text_append(&out, i ? ", " : "");
        failed = json_write_value(call, &out, type, &value, false);
    }
    text_append(&out, "]");
    return failed ? failed : value_of_text(&out, result, call->error);
}

static enum sqlstate jsonb_build_array(struct call *call, const struct value *arguments, struct value *result)
{
    struct spread spread;
    struct jsonb_builder builder;
    enum sqlstate failed = spread_open(call, arguments, 0, &spread);
    *result = value_null();
    if (failed || spread.null)
        return failed;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    failed = jsonb_builder_open(&builder, false);
    for (uint32_t i = 0; i < spread.count && !failed; i++) {
        const struct type *type;
        struct value value = spread_get(&spread, i, &type);
        failed = jsonb_add_value(call, &builder, type, &value);
    }
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : jsonb_value(call->scope, jsonb_builder_end(&builder), result, call->error);
}

enum sqlstate json_key_of(struct call *call, const struct type *type, const struct value *value,
                          struct bytes *key)
{
    enum json_kind kind = json_kind_of(type);
    if (kind == KIND_ARRAY || kind == KIND_RECORD || kind == KIND_JSON || kind == KIND_JSONB)
        return json_wrong(call, "key value must be scalar, not array, composite, or json");
    if (kind == KIND_BOOLEAN) {
        *key = bytes_of_text(value->i ? "true" : "false");
        return SQLSTATE_OK;
    }
    if (kind == KIND_TIME)
        return time_text(call, type, value, key);
    return value_out(call->environment, call->scope, type, value, key, call->error);
}

static enum sqlstate pairs_open(struct call *call, const struct value *arguments, const char *name,
                                struct spread *spread)
{
    enum sqlstate failed = spread_open(call, arguments, 0, spread);
    if (failed || spread->count % 2 == 0)
        return failed;
    failed = json_wrong(call, "argument list must have even number of elements");
    error_add(call->error, ERROR_HINT, "The arguments of %s must consist of alternating keys and values.",
              name);
    return failed;
}

static enum sqlstate json_build_object(struct call *call, const struct value *arguments, struct value *result)
{
    struct spread spread;
    struct text out = text_in(call->scope);
    enum sqlstate failed = pairs_open(call, arguments, "json_build_object()", &spread);
    *result = value_null();
    if (failed || spread.null)
        return failed;
    text_append(&out, "{");
    for (uint32_t i = 0; i < spread.count && !failed; i += 2) {
        const struct type *type;
        struct value value = spread_get(&spread, i, &type);
        struct bytes key;
        text_append(&out, i ? ", " : "");
        if (value.null) {
            failed = json_wrong(call, "argument %u cannot be null", i + 1);
            error_add(call->error, ERROR_HINT, "Object keys should be text.");
            return failed;
        }
        if ((failed = json_key_of(call, type, &value, &key)))
            return failed;
        json_write_string(&out, key);
        text_append(&out, " : ");
        value = spread_get(&spread, i + 1, &type);
        failed = json_write_value(call, &out, type, &value, false);
    }
    text_append(&out, "}");
    return failed ? failed : value_of_text(&out, result, call->error);
}

static enum sqlstate jsonb_build_object(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct spread spread;
    struct jsonb_builder builder;
    enum sqlstate failed = pairs_open(call, arguments, "jsonb_build_object()", &spread);
    *result = value_null();
    if (failed || spread.null)
        return failed;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    failed = jsonb_builder_open(&builder, true);
    for (uint32_t i = 0; i < spread.count && !failed; i += 2) {
        const struct type *type;
        struct value value = spread_get(&spread, i, &type);
        struct bytes key;
        if (value.null)
            return json_wrong(call, "argument %u: key must not be null", i + 1);
        if ((failed = json_key_of(call, type, &value, &key)))
            return failed;
        jsonb_builder_key(&builder, key);
        value = spread_get(&spread, i + 1, &type);
        failed = jsonb_add_value(call, &builder, type, &value);
    }
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : jsonb_value(call->scope, jsonb_builder_end(&builder), result, call->error);
}

/* ---- json_object: from arrays of texts ---- */

/* Gives each pair of key and value to `put`. */
static enum sqlstate for_pairs(struct call *call, const struct array *keys, const struct array *values,
                               bool two,
                               enum sqlstate (*put)(void *state, struct bytes key, const struct value *value),
                               void *state)
{
    uint32_t count = two ? keys->count : keys->count / 2;
    for (uint32_t i = 0; i < count; i++) {
        struct value key = array_get(keys, two ? i : 2 * i), value = array_get(values, two ? i : 2 * i + 1);
        if (key.null)
            return error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED,
                             "null value not allowed for object key");
        enum sqlstate failed = put(state, value_view(&key), &value);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate pairs_shape(struct call *call, const struct value *arguments, bool two,
                                 struct array *keys, struct array *values)
{
    const char *wrong = NULL;
    array_read(&arguments[0], keys);
    array_read(&arguments[two], values);
    if (two && (keys->dimensions > 1 || keys->dimensions != values->dimensions))
        wrong = "wrong number of array subscripts";
    else if (two && keys->count != values->count)
        wrong = "mismatched array dimensions";
    else if (!two && keys->dimensions == 1 && keys->count % 2)
        wrong = "array must have even number of elements";
    else if (!two && keys->dimensions == 2 && keys->length[1] != 2)
        wrong = "array must have two columns";
    else if (!two && keys->dimensions > 2)
        wrong = "wrong number of array subscripts";
    return wrong ? error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "%s", wrong) : SQLSTATE_OK;
}

static enum sqlstate put_text(void *state, struct bytes key, const struct value *value)
{
    struct text *out = state;
    text_append(out, out->size > 1 ? ", " : "");
    json_write_string(out, key);
    text_append(out, " : ");
    if (value->null)
        text_append(out, "null");
    else
        json_write_string(out, value_view(value));
    return SQLSTATE_OK;
}

static enum sqlstate put_node(void *state, struct bytes key, const struct value *value)
{
    struct jsonb_builder *builder = state;
    jsonb_builder_key(builder, key);
    return value->null ? jsonb_builder_add(builder, jsonb_plain(JSONB_NULL))
                       : jsonb_builder_add(builder, jsonb_of_string(value_view(value)));
}

static enum sqlstate object_json(struct call *call, const struct value *arguments, bool two,
                                 struct value *result)
{
    struct array keys, values;
    struct text out = text_in(call->scope);
    enum sqlstate failed = pairs_shape(call, arguments, two, &keys, &values);
    text_append(&out, "{");
    if (!failed)
        failed = for_pairs(call, &keys, &values, two, put_text, &out);
    text_append(&out, "}");
    return failed ? failed : value_of_text(&out, result, call->error);
}

static enum sqlstate object_jsonb(struct call *call, const struct value *arguments, bool two,
                                  struct value *result)
{
    struct array keys, values;
    struct jsonb_builder builder;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    enum sqlstate failed = pairs_shape(call, arguments, two, &keys, &values);
    if (!failed)
        failed = jsonb_builder_open(&builder, true);
    if (!failed)
        failed = for_pairs(call, &keys, &values, two, put_node, &builder);
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : jsonb_value(call->scope, jsonb_builder_end(&builder), result, call->error);
}

static enum sqlstate json_object(struct call *call, const struct value *arguments, struct value *result)
{
    return object_json(call, arguments, false, result);
}

static enum sqlstate json_object_two_arg(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return object_json(call, arguments, true, result);
}

static enum sqlstate jsonb_object(struct call *call, const struct value *arguments, struct value *result)
{
    return object_jsonb(call, arguments, false, result);
}

static enum sqlstate jsonb_object_two_arg(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return object_jsonb(call, arguments, true, result);
}

static const struct function functions[] = {
    {"to_json", to_json, 0},
    {"to_jsonb", to_jsonb, 0},
    {"row_to_json", to_json, 0},
    {"row_to_json_pretty", to_json_pretty, 0},
    {"array_to_json", to_json, 0},
    {"array_to_json_pretty", to_json_pretty, 0},
    {"json_build_array", json_build_array, 0},
    {"json_build_array_noargs", json_build_array, 0},
    {"jsonb_build_array", jsonb_build_array, 0},
    {"jsonb_build_array_noargs", jsonb_build_array, 0},
    {"json_build_object", json_build_object, 0},
    {"json_build_object_noargs", json_build_object, 0},
    {"jsonb_build_object", jsonb_build_object, 0},
    {"jsonb_build_object_noargs", jsonb_build_object, 0},
    {"json_object", json_object, 0},
    {"json_object_two_arg", json_object_two_arg, 0},
    {"jsonb_object", jsonb_object, 0},
    {"jsonb_object_two_arg", jsonb_object_two_arg, 0},
    {NULL, NULL, 0},
};

const struct library json_build_library = {.functions = functions};
