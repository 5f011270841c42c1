/* Functions that give a row for each member or element: json_each, json_array_elements, json_object_keys and their kin
 * (PostgreSQL manual, 9.16). The rows are all found when the function is opened. */
#include "sqlfront/value/json/access.h"

#include "sqlfront/value/json/json.h"
#include "sqlfront/value/text/text.h"

struct rows {
    struct call *call;
    struct json_item *items;
    struct value *keys;
    uint32_t count, room, at;
    bool as_text;
    struct jsonb_node container; /* of jsonb, which is read in place */
};

static struct rows *rows_of(struct call *call, bool as_text)
{
    if (!call->memory)
        call->memory = scope_alloc_zeroed(call->scope_lasting, sizeof(struct rows));
    struct rows *rows = call->memory;
    *rows = (struct rows){.call = call, .as_text = as_text};
    return rows;
}

/* ---- json ---- */

static enum sqlstate take(void *state, struct bytes key, const struct json_item *item, bool *more)
{
    struct rows *rows = state;
    if (rows->count == rows->room) {
        uint32_t wanted = rows->room ? rows->room * 2 : 16;
        uint8_t *room;
        enum sqlstate failed = value_room(
            rows->call->scope, wanted * (sizeof *rows->items + sizeof *rows->keys), &room, rows->call->error);
        if (failed)
            return failed;
        struct value *keys = (struct value *)(room + wanted * sizeof *rows->items);
        if (rows->count) {
            memcpy(room, rows->items, rows->count * sizeof *rows->items);
            memcpy(keys, rows->keys, rows->count * sizeof *keys);
        }
        rows->items = (struct json_item *)room;
        rows->keys = keys;
        rows->room = wanted;
    }
    rows->keys[rows->count] = value_bytes(key.data, key.size);
    rows->items[rows->count++] = *item;
    return SQLSTATE_OK;
}

static enum sqlstate open_json(struct call *call, const struct value *arguments, bool as_text,
                               enum json_token *token)
{
    return json_items(call, value_view(&arguments[0]), token, take, rows_of(call, as_text));
}

static struct value item_value(const struct rows *rows, uint32_t at)
{
    const struct json_item *item = &rows->items[at];
    return rows->as_text ? json_as_text(item) : value_bytes(item->text.data, item->text.size);
}

static enum sqlstate each_open(struct call *call, const struct value *arguments, bool as_text)
{
    enum json_token token;
    enum sqlstate failed = open_json(call, arguments, as_text, &token);
    if (failed || token == JSON_OBJECT)
        return failed;
    return json_wrong(call, token == JSON_ARRAY ? "cannot deconstruct an array as an object"
                                                : "cannot deconstruct a scalar");
}

static enum sqlstate json_each_open(struct call *call, const struct value *arguments)
{
    return each_open(call, arguments, false);
}

static enum sqlstate json_each_text_open(struct call *call, const struct value *arguments)
{
    return each_open(call, arguments, true);
}

static enum sqlstate json_each_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    if (*end)
        return SQLSTATE_OK;
    results[0] = rows->keys[rows->at];
    results[1] = item_value(rows, rows->at++);
    return SQLSTATE_OK;
}

static enum sqlstate elements_open(struct call *call, const struct value *arguments, bool as_text,
                                   const char *name)
{
    enum json_token token;
    enum sqlstate failed = open_json(call, arguments, as_text, &token);
    if (failed || token == JSON_ARRAY)
        return failed;
    return json_wrong(call, "cannot call %s on a %s", name, token == JSON_OBJECT ? "non-array" : "scalar");
}

static enum sqlstate json_array_elements_open(struct call *call, const struct value *arguments)
{
    return elements_open(call, arguments, false, "json_array_elements");
}

static enum sqlstate json_array_elements_text_open(struct call *call, const struct value *arguments)
{
    return elements_open(call, arguments, true, "json_array_elements_text");
}

static enum sqlstate json_array_elements_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    if (!*end)
        results[0] = item_value(rows, rows->at++);
    return SQLSTATE_OK;
}

static enum sqlstate json_object_keys_open(struct call *call, const struct value *arguments)
{
    enum json_token token;
    enum sqlstate failed = open_json(call, arguments, false, &token);
    if (failed || token == JSON_OBJECT)
        return failed;
    return json_wrong(call, "cannot call %s on %s", "json_object_keys",
                      token == JSON_ARRAY ? "an array" : "a scalar");
}

static enum sqlstate json_object_keys_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    if (!*end)
        results[0] = rows->keys[rows->at++];
    return SQLSTATE_OK;
}

/* ---- jsonb ---- */

static struct jsonb_node open_jsonb(struct call *call, const struct value *arguments, bool as_text)
{
    struct rows *rows = rows_of(call, as_text);
    rows->container = jsonb_root(&arguments[0]);
    rows->count = jsonb_is_container(rows->container) ? jsonb_count(rows->container) : 0;
    return rows->container;
}

static enum sqlstate node_value(struct call *call, const struct rows *rows, uint32_t at, struct value *result)
{
    struct jsonb_node node = jsonb_at(rows->container, at);
    return rows->as_text ? jsonb_as_text(call->environment, call->scope, node, result, call->error)
                         : jsonb_value(call->scope, node, result, call->error);
}

static enum sqlstate jsonb_each_open(struct call *call, const struct value *arguments)
{
    if (open_jsonb(call, arguments, false).tag == JSONB_OBJECT)
        return SQLSTATE_OK;
    return json_wrong(call, "cannot call %s on a non-object", "jsonb_each");
}

static enum sqlstate jsonb_each_text_open(struct call *call, const struct value *arguments)
{
    if (open_jsonb(call, arguments, true).tag == JSONB_OBJECT)
        return SQLSTATE_OK;
    return json_wrong(call, "cannot call %s on a non-object", "jsonb_each_text");
}

static enum sqlstate jsonb_each_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    if (*end)
        return SQLSTATE_OK;
    struct bytes key = jsonb_key_at(rows->container, rows->at);
    results[0] = value_bytes(key.data, key.size);
    return node_value(call, rows, rows->at++, &results[1]);
}

static enum sqlstate jsonb_elements(struct call *call, const struct value *arguments, bool as_text)
{
    struct jsonb_node root = open_jsonb(call, arguments, as_text);
    if (root.tag == JSONB_ARRAY)
        return SQLSTATE_OK;
    return json_wrong(call, "cannot extract elements from %s",
                      root.tag == JSONB_OBJECT ? "an object" : "a scalar");
}

static enum sqlstate jsonb_array_elements_open(struct call *call, const struct value *arguments)
{
    return jsonb_elements(call, arguments, false);
}

static enum sqlstate jsonb_array_elements_text_open(struct call *call, const struct value *arguments)
{
    return jsonb_elements(call, arguments, true);
}

static enum sqlstate jsonb_array_elements_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    return *end ? SQLSTATE_OK : node_value(call, rows, rows->at++, &results[0]);
}

static enum sqlstate jsonb_object_keys_open(struct call *call, const struct value *arguments)
{
    struct jsonb_node root = open_jsonb(call, arguments, false);
    if (root.tag == JSONB_OBJECT)
        return SQLSTATE_OK;
    return json_wrong(call, "cannot call %s on %s", "jsonb_object_keys",
                      root.tag == JSONB_ARRAY ? "an array" : "a scalar");
}

static enum sqlstate jsonb_object_keys_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    if (*end)
        return SQLSTATE_OK;
    struct bytes key = jsonb_key_at(rows->container, rows->at++);
    results[0] = value_bytes(key.data, key.size);
    return SQLSTATE_OK;
}

static const struct set_function set_functions[] = {
    {"json_each", json_each_open, json_each_next},
    {"json_each_text", json_each_text_open, json_each_next},
    {"json_array_elements", json_array_elements_open, json_array_elements_next},
    {"json_array_elements_text", json_array_elements_text_open, json_array_elements_next},
    {"json_object_keys", json_object_keys_open, json_object_keys_next},
    {"jsonb_each", jsonb_each_open, jsonb_each_next},
    {"jsonb_each_text", jsonb_each_text_open, jsonb_each_next},
    {"jsonb_array_elements", jsonb_array_elements_open, jsonb_array_elements_next},
    {"jsonb_array_elements_text", jsonb_array_elements_text_open, jsonb_array_elements_next},
    {"jsonb_object_keys", jsonb_object_keys_open, jsonb_object_keys_next},
    {NULL, NULL, NULL},
};

const struct library json_each_library = {.set_functions = set_functions};
