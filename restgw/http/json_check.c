/* A value against its schema: the first thing wrong is named with its place. The depth is that of the value, which json_read()
 * bounds. */
#include "restgw/http/json_in.h"

#include <stdio.h>

/* Where we are, for messages: built only when something is wrong, from the chain of callers. */
struct place {
    const struct place *outer;
    struct bytes name;
    uint32_t index;
    bool is_index;
};

static size_t write_place(const struct place *place, char *text, size_t size)
{
    if (!place)
        return 0;
    size_t used = write_place(place->outer, text, size);
    int more = place->is_index ? snprintf(text + used, size - used, "[%u]", place->index)
                               : snprintf(text + used, size - used, "%s%.*s", used ? "." : "",
                                          (int)(place->name.size < 64 ? place->name.size : 64),
                                          (const char *)place->name.data);
    return more < 0 || used + (size_t)more >= size ? size - 1 : used + (size_t)more;
}

static enum sqlstate refuse(const struct place *place, const char *slug, const char *what,
                            struct error *error)
{
    char text[200] = "";
    write_place(place, text, sizeof text);
    enum sqlstate state = error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                    place ? "member \"%s\" %s" : "the body%s %s", text, what);
    error_add(error, ERROR_DETAIL, "%s", slug);
    return state;
}

static enum sqlstate check_value(const struct json *value, const struct http_schema *schema,
                                 const struct place *place, struct error *error);

static const char *kind_text(uint32_t kinds)
{
    switch (kinds & ~(uint32_t)HTTP_NULL) {
    case HTTP_BOOLEAN:
        return "must be true or false";
    case HTTP_INTEGER:
        return "must be an integer";
    case HTTP_INTEGER | HTTP_NUMBER:
    case HTTP_NUMBER:
        return "must be a number";
    case HTTP_STRING:
        return "must be a string";
    case HTTP_ARRAY:
        return "must be an array";
    case HTTP_OBJECT:
        return "must be an object";
    default:
        return "has a wrong type";
    }
}

static enum sqlstate check_size(size_t size, const struct http_schema *schema, const struct place *place,
                                struct error *error)
{
    if (size < schema->size_min)
        return refuse(place, "invalid-value", schema->size_min == 1 ? "is empty" : "is too short", error);
    if (schema->size_max && size > schema->size_max)
        return refuse(place, "invalid-value", "is too long", error);
    return SQLSTATE_OK;
}

static enum sqlstate check_string(struct bytes text, const struct http_schema *schema,
                                  const struct place *place, struct error *error)
{
    for (const char *const *one = schema->values; one; one++) {
        if (!*one)
            return refuse(place, "invalid-value", "is none of the values it may have", error);
        if (bytes_compare(text, bytes_of_text(*one)) == 0)
            return SQLSTATE_OK;
    }
    return check_size(text.size, schema, place, error);
}

static enum sqlstate check_array(const struct json *array, const struct http_schema *schema,
                                 const struct place *place, struct error *error)
{
    struct place inner = {.outer = place, .is_index = true};
    enum sqlstate failed = check_size(array->count, schema, place, error);
    if (!schema->items)
        return failed;
    for (const struct json *child = array->children; child && !failed; child = child->next, inner.index++)
        failed = check_value(child, schema->items, &inner, error);
    return failed;
}

static const struct http_member *find_member(const struct http_schema *schema, struct bytes name)
{
    for (size_t i = 0; i < schema->member_count; i++) {
        const char *known = schema->members[i].name;
        if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0)
            return &schema->members[i];
    }
    return NULL;
}

static enum sqlstate check_object(const struct json *object, const struct http_schema *schema,
                                  const struct place *place, struct error *error)
{
    enum sqlstate failed = schema->open ? check_size(object->count, schema, place, error) : SQLSTATE_OK;
    for (const struct json *child = object->children; child && !failed; child = child->next) {
        const struct http_member *member = find_member(schema, child->name);
        const struct http_schema *inner_schema = member ? member->schema : schema->items;
        struct place inner = {.outer = place, .name = child->name};
        if (!member && !schema->open)
            return refuse(&inner, "unknown-member", "is unknown", error);
        if (inner_schema)
            failed = check_value(child, inner_schema, &inner, error);
    }
    for (size_t i = 0; i < schema->member_count && !failed; i++) {
        if (!schema->members[i].required || json_member(object, schema->members[i].name))
            continue;
        struct place inner = {.outer = place, .name = bytes_of_text(schema->members[i].name)};
        return refuse(&inner, "missing-member", "is missing", error);
    }
    return failed;
}

static enum sqlstate check_value(const struct json *value, const struct http_schema *schema,
                                 const struct place *place, struct error *error)
{
    uint32_t kind = value->kind;
    bool number_for_integer = kind == HTTP_INTEGER && schema->kinds & HTTP_NUMBER;
    if (!(kind & schema->kinds) && !number_for_integer)
        return refuse(place, "invalid-value", kind_text(schema->kinds), error);
    switch (value->kind) {
    case HTTP_INTEGER:
        if (schema->limited && (value->integer < schema->minimum || value->integer > schema->maximum))
            return refuse(place, "invalid-value", "is out of range", error);
        return SQLSTATE_OK;
    case HTTP_STRING:
        return check_string(value->text, schema, place, error);
    case HTTP_ARRAY:
        return check_array(value, schema, place, error);
    case HTTP_OBJECT:
        /* Where anything may stand, nothing is known of an object's members. */
        return schema->kinds == HTTP_ANY && !schema->members ? SQLSTATE_OK
                                                             : check_object(value, schema, place, error);
    default:
        return SQLSTATE_OK;
    }
}

enum sqlstate json_fits(const struct json *value, const struct http_schema *schema, struct error *error)
{
    return check_value(value, schema, NULL, error);
}
