#include "restgw/http/query.h"

#include "base/utf8.h"
#include "restgw/http/number.h"

static int hex(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool query_decode(struct bytes text, bool plus, uint8_t *room, struct bytes *decoded)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.size ? hex(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? hex(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        room[size++] = byte;
    }
    for (size_t i = 0; i < size;) {
        uint32_t point;
        size_t length = utf8_read(bytes_of(room + i, size - i), &point);
        if (!length || point < ' ' || point == 127)
            return false;
        i += length;
    }
    *decoded = bytes_of(room, size);
    return true;
}

/* ---- what a value must be ---- */

static bool is_one_of(struct bytes value, const char *const *values)
{
    for (; *values; values++) {
        if (bytes_compare(value, bytes_of_text(*values)) == 0)
            return true;
    }
    return false;
}

static bool is_allowed(struct bytes value, const struct http_schema *schema)
{
    int64_t number;
    if (schema->kinds & HTTP_STRING) {
        if (schema->values)
            return is_one_of(value, schema->values);
        return value.size >= schema->size_min && (!schema->size_max || value.size <= schema->size_max);
    }
    if (schema->kinds & HTTP_INTEGER && number_integer(value, &number))
        return !schema->limited || (number >= schema->minimum && number <= schema->maximum);
    if (schema->kinds & HTTP_NUMBER && number_length(value) == value.size)
        return true;
    return schema->kinds & HTTP_BOOLEAN && (bytes_compare(value, bytes_of_text("true")) == 0 ||
                                            bytes_compare(value, bytes_of_text("false")) == 0);
}

static enum sqlstate refuse(struct error *error, const char *slug, const char *what, struct bytes name)
{
    enum sqlstate state = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, what,
                                    (int)(name.size < 64 ? name.size : 64), name.data);
    error_add(error, ERROR_DETAIL, "%s", slug);
    return state;
}

enum sqlstate query_read_path(const struct http_route *route, const struct bytes *raw, struct bytes *values,
                              uint8_t *room, struct error *error)
{
    for (size_t i = 0; i < route->parameter_count; i++) {
        if (!query_decode(raw[i], false, room, &values[i]) ||
            !is_allowed(values[i], route->parameters[i].schema))
            return refuse(error, "invalid-parameter", "parameter \"%.*s\" of the path has an unusable value",
                          bytes_of_text(route->parameters[i].name));
        room += raw[i].size;
    }
    return SQLSTATE_OK;
}

/* ---- queries ---- */

static bool is_known(const struct http_route *route, struct bytes name, size_t *index)
{
    for (*index = 0; *index < route->query_count; ++*index) {
        if (bytes_compare(name, bytes_of_text(route->query[*index].name)) == 0)
            return true;
    }
    return false;
}

/* One "name=value". */
static enum sqlstate read_pair(const struct http_route *route, struct bytes pair, struct bytes *values,
                               uint8_t *room, struct error *error)
{
    const uint8_t *equals = pair.size ? memchr(pair.data, '=', pair.size) : NULL;
    size_t name_size = equals ? (size_t)(equals - pair.data) : pair.size;
    struct bytes name,
        value = bytes_of(equals ? equals + 1 : pair.data + pair.size, equals ? pair.size - name_size - 1 : 0);
    size_t index;
    if (!query_decode(bytes_of(pair.data, name_size), true, room, &name))
        return refuse(error, "invalid-parameter", "a parameter's name is unusable%.*s", bytes_of("", 0));
    if (!is_known(route, name, &index))
        return refuse(error, "unknown-parameter", "there is no parameter \"%.*s\"", name);
    if (values[index].data)
        return refuse(error, "invalid-parameter", "parameter \"%.*s\" stands twice", name);
    if (!query_decode(value, true, room + name_size, &values[index]) ||
        !is_allowed(values[index], route->query[index].schema))
        return refuse(error, "invalid-parameter", "parameter \"%.*s\" has an unusable value", name);
    return SQLSTATE_OK;
}

enum sqlstate query_read(const struct http_route *route, struct bytes query, struct bytes *values,
                         uint8_t *room, struct error *error)
{
    for (size_t i = 0; i < route->query_count; i++)
        values[i] = bytes_of(NULL, 0);
    for (size_t at = 0; at < query.size;) {
        const uint8_t *end = memchr(query.data + at, '&', query.size - at);
        size_t size = end ? (size_t)(end - query.data) - at : query.size - at;
        enum sqlstate failed =
            size ? read_pair(route, bytes_of(query.data + at, size), values, room + at, error) : SQLSTATE_OK;
        if (failed)
            return failed;
        at += size + 1;
    }
    for (size_t i = 0; i < route->query_count; i++) {
        if (route->query[i].required && !values[i].data)
            return refuse(error, "missing-parameter", "parameter \"%.*s\" is missing",
                          bytes_of_text(route->query[i].name));
    }
    return SQLSTATE_OK;
}
