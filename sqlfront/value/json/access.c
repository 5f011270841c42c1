/* Reading json and jsonb: -> ->> #> #>>, containment, keys, types, lengths (PostgreSQL manual, 9.16). */
#include "sqlfront/value/json/access.h"

#include "base/fiber.h"
#include "base/world.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/text/text.h"

#include <stdarg.h>
#include <stdio.h>

enum sqlstate json_wrong(struct call *call, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "%s", text);
}

/* ---- json text ---- */

static enum sqlstate read_item(struct json_parser *parser, struct json_item *item)
{
    item->token = parser->token;
    item->string = parser->string;
    return json_skip(parser, &item->text);
}

enum sqlstate json_items(struct call *call, struct bytes text, enum json_token *token,
                         enum sqlstate (*take)(void *state, struct bytes key, const struct json_item *item,
                                               bool *more),
                         void *state)
{
    struct json_parser parser;
    bool more = true;
    json_parser_start(&parser, call->scope, text, true, call->error);
    enum sqlstate failed = json_next(&parser);
    *token = parser.token;
    if (failed || (*token != JSON_OBJECT && *token != JSON_ARRAY))
        return failed;
    while (more && !(failed = json_next(&parser)) && parser.depth > 0) {
        struct bytes key = bytes_of(NULL, 0);
        struct json_item item;
        if (parser.token == JSON_KEY) {
            key = parser.string;
            failed = json_next(&parser);
        }
        if (!failed)
            failed = read_item(&parser, &item);
        if (!failed)
            failed = take(state, key, &item, &more);
        if (failed)
            break;
    }
    return failed;
}

enum sqlstate json_first(struct call *call, struct bytes text, struct json_item *item)
{
    struct json_parser parser;
    json_parser_start(&parser, call->scope, text, true, call->error);
    enum sqlstate failed = json_next(&parser);
    *item = (struct json_item){.token = parser.token, .string = parser.string, .text = text};
    if (!failed && parser.token != JSON_OBJECT && parser.token != JSON_ARRAY)
        item->text = parser.text;
    return failed;
}

struct value json_as_text(const struct json_item *item)
{
    if (item->token == JSON_NULL)
        return value_null();
    struct bytes text = item->token == JSON_STRING ? item->string : item->text;
    return value_bytes(text.data, text.size);
}

bool json_index(struct bytes text, int64_t *index)
{
    size_t at = 0;
    while (at < text.size && is_blank(text.data[at]))
        at++;
    bool minus = at < text.size && text.data[at] == '-';
    at += at < text.size && (text.data[at] == '-' || text.data[at] == '+');
    size_t digits = at;
    *index = 0;
    for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        *index = *index * 10 + (text.data[at] - '0');
        if (*index > (int64_t)INT32_MAX + 1)
            return false;
    }
    *index = minus ? -*index : *index;
    return at > digits && at == text.size && *index <= INT32_MAX;
}

/* Looking for a member, or for an element by number; of members with the same key the last counts. */
struct search {
    struct bytes key;
    int64_t index;
    bool by_index, found;
    struct json_item item;
};

static enum sqlstate search_take(void *state, struct bytes key, const struct json_item *item, bool *more)
{
    struct search *search = state;
    bool hit = search->by_index ? search->index-- == 0 : bytes_compare(key, search->key) == 0;
    if (hit) {
        search->found = true;
        search->item = *item;
        *more = !search->by_index;
    }
    return SQLSTATE_OK;
}

static enum sqlstate count_take(void *state, struct bytes key, const struct json_item *item, bool *more)
{
    ++*(int64_t *)state;
    return SQLSTATE_OK;
}

static enum sqlstate find_member(struct call *call, struct bytes text, struct bytes key,
                                 struct json_item *item, bool *found)
{
    enum json_token token;
    struct search search = {.key = key};
    enum sqlstate failed = json_first(call, text, &search.item);
    *found = false;
    if (failed || search.item.token != JSON_OBJECT)
        return failed;
    failed = json_items(call, text, &token, search_take, &search);
    *found = search.found;
    *item = search.item;
    return failed;
}

static enum sqlstate find_element(struct call *call, struct bytes text, int64_t index, struct json_item *item,
                                  bool *found)
{
    enum json_token token;
    struct search search = {.by_index = true, .index = index};
    int64_t count = 0;
    enum sqlstate failed = json_first(call, text, &search.item);
    *found = false;
    if (failed || search.item.token != JSON_ARRAY)
        return failed;
    if (index < 0) {
        failed = json_items(call, text, &token, count_take, &count);
        search.index += count;
        if (failed || search.index < 0)
            return failed;
    }
    failed = json_items(call, text, &token, search_take, &search);
    *found = search.found;
    *item = search.item;
    return failed;
}

enum sqlstate json_step(struct call *call, struct bytes text, struct bytes step, struct json_item *item,
                        bool *found)
{
    int64_t index;
    enum sqlstate failed = find_member(call, text, step, item, found);
    if (failed || *found || !json_index(step, &index))
        return failed;
    return find_element(call, text, index, item, found);
}

/* The found item as json, or as text. */
static enum sqlstate give(enum sqlstate failed, bool found, const struct json_item *item, bool as_text,
                          struct value *result)
{
    *result = value_null();
    if (!failed && found)
        *result = as_text ? json_as_text(item) : value_bytes(item->text.data, item->text.size);
    return failed;
}

static enum sqlstate json_object_field(struct call *call, const struct value *arguments, struct value *result)
{
    struct json_item item;
    bool found;
    enum sqlstate failed =
        find_member(call, value_view(&arguments[0]), value_view(&arguments[1]), &item, &found);
    return give(failed, found, &item, false, result);
}

static enum sqlstate json_object_field_text(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    struct json_item item;
    bool found;
    enum sqlstate failed =
        find_member(call, value_view(&arguments[0]), value_view(&arguments[1]), &item, &found);
    return give(failed, found, &item, true, result);
}

static enum sqlstate json_array_element(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct json_item item;
    bool found;
    enum sqlstate failed = find_element(call, value_view(&arguments[0]), arguments[1].i, &item, &found);
    return give(failed, found, &item, false, result);
}

static enum sqlstate json_array_element_text(struct call *call, const struct value *arguments,
                                             struct value *result)
{
    struct json_item item;
    bool found;
    enum sqlstate failed = find_element(call, value_view(&arguments[0]), arguments[1].i, &item, &found);
    return give(failed, found, &item, true, result);
}

static enum sqlstate extract_json(struct call *call, const struct value *arguments, bool as_text,
                                  struct value *result)
{
    struct array path;
    struct json_item item;
    bool found = true;
    array_read(&arguments[1], &path);
    enum sqlstate failed = json_first(call, value_view(&arguments[0]), &item);
    item.text = value_view(&arguments[0]);
    for (uint32_t i = 0; i < path.count && !failed && found; i++) {
        struct value step = array_get(&path, i);
        found = !step.null;
        if (found)
            failed = json_step(call, item.text, value_view(&step), &item, &found);
    }
    return give(failed, found, &item, as_text, result);
}

static enum sqlstate json_extract_path(struct call *call, const struct value *arguments, struct value *result)
{
    return extract_json(call, arguments, false, result);
}

static enum sqlstate json_extract_path_text(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    return extract_json(call, arguments, true, result);
}

static enum sqlstate json_typeof(struct call *call, const struct value *arguments, struct value *result)
{
    struct json_item item;
    enum sqlstate failed = json_first(call, value_view(&arguments[0]), &item);
    *result = value_text(item.token == JSON_OBJECT                             ? "object"
                         : item.token == JSON_ARRAY                            ? "array"
                         : item.token == JSON_STRING                           ? "string"
                         : item.token == JSON_NUMBER                           ? "number"
                         : item.token == JSON_TRUE || item.token == JSON_FALSE ? "boolean"
                                                                               : "null");
    return failed;
}

static enum sqlstate json_array_length(struct call *call, const struct value *arguments, struct value *result)
{
    int64_t count = 0;
    enum json_token token;
    enum sqlstate failed = json_items(call, value_view(&arguments[0]), &token, count_take, &count);
    if (!failed && token != JSON_ARRAY)
        return json_wrong(call, "cannot get array length of a %s",
                          token == JSON_OBJECT ? "non-array" : "scalar");
    *result = value_integer(count);
    return failed;
}

/* ---- jsonb ---- */

bool jsonb_element_at(struct jsonb_node array, int64_t index, struct jsonb_node *node)
{
    if (array.tag != JSONB_ARRAY)
        return false;
    int64_t count = jsonb_count(array);
    index += index < 0 ? count : 0;
    if (index < 0 || index >= count)
        return false;
    *node = jsonb_at(array, (uint32_t)index);
    return true;
}

bool jsonb_step(struct jsonb_node container, struct bytes step, struct jsonb_node *node)
{
    int64_t index;
    if (container.tag == JSONB_OBJECT)
        return jsonb_find(container, step, node, NULL);
    return json_index(step, &index) && jsonb_element_at(container, index, node);
}

static enum sqlstate give_node(struct call *call, bool found, struct jsonb_node node, bool as_text,
                               struct value *result)
{
    *result = value_null();
    if (!found)
        return SQLSTATE_OK;
    if (as_text)
        return jsonb_as_text(call->environment, call->scope, node, result, call->error);
    return jsonb_value(call->scope, node, result, call->error);
}

static enum sqlstate member_of(struct call *call, const struct value *arguments, bool as_text,
                               struct value *result)
{
    struct jsonb_node root = jsonb_root(&arguments[0]), node = root;
    bool found = root.tag == JSONB_OBJECT && jsonb_find(root, value_view(&arguments[1]), &node, NULL);
    return give_node(call, found, node, as_text, result);
}

static enum sqlstate jsonb_object_field(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return member_of(call, arguments, false, result);
}

static enum sqlstate jsonb_object_field_text(struct call *call, const struct value *arguments,
                                             struct value *result)
{
    return member_of(call, arguments, true, result);
}

/* (To this operator, as to PostgreSQL's storage, a scalar is an array of one.) */
static enum sqlstate element_of(struct call *call, const struct value *arguments, bool as_text,
                                struct value *result)
{
    struct jsonb_node root = jsonb_root(&arguments[0]), node = root;
    int64_t index = arguments[1].i;
    bool found = jsonb_is_container(root) ? jsonb_element_at(root, index, &node) : index == 0 || index == -1;
    return give_node(call, found, node, as_text, result);
}

static enum sqlstate jsonb_array_element(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return element_of(call, arguments, false, result);
}

static enum sqlstate jsonb_array_element_text(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    return element_of(call, arguments, true, result);
}

static enum sqlstate extract_jsonb(struct call *call, const struct value *arguments, bool as_text,
                                   struct value *result)
{
    struct array path;
    struct jsonb_node node = jsonb_root(&arguments[0]);
    bool found = true;
    array_read(&arguments[1], &path);
    for (uint32_t i = 0; i < path.count && found; i++) {
        struct value step = array_get(&path, i);
        found = !step.null && jsonb_is_container(node) && jsonb_step(node, value_view(&step), &node);
    }
    return give_node(call, found, node, as_text, result);
}

static enum sqlstate jsonb_extract_path(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return extract_jsonb(call, arguments, false, result);
}

static enum sqlstate jsonb_extract_path_text(struct call *call, const struct value *arguments,
                                             struct value *result)
{
    return extract_jsonb(call, arguments, true, result);
}

static bool subscript(const struct value *value, const struct value *subscripts, uint32_t count,
                      struct jsonb_node *node)
{
    *node = jsonb_root(value);
    for (uint32_t i = 0; i < count; i++)
        if (subscripts[i].null || !jsonb_is_container(*node) ||
            !jsonb_step(*node, value_view(&subscripts[i]), node))
            return false;
    return true;
}

enum sqlstate jsonb_subscript_get(struct scope *scope, const struct value *value,
                                  const struct value *subscripts, uint32_t count, struct value *result,
                                  struct error *error)
{
    struct jsonb_node node;
    *result = value_null();
    return subscript(value, subscripts, count, &node) ? jsonb_value(scope, node, result, error) : SQLSTATE_OK;
}

static enum sqlstate jsonb_typeof(struct call *call, const struct value *arguments, struct value *result)
{
    static const char *const names[] = {
        [JSONB_NULL] = "null",     [JSONB_STRING] = "string", [JSONB_NUMBER] = "number",
        [JSONB_FALSE] = "boolean", [JSONB_TRUE] = "boolean",  [JSONB_ARRAY] = "array",
        [JSONB_OBJECT] = "object",
    };
    *result = value_text(names[jsonb_root(&arguments[0]).tag]);
    return SQLSTATE_OK;
}

static enum sqlstate jsonb_array_length(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct jsonb_node root = jsonb_root(&arguments[0]);
    if (root.tag != JSONB_ARRAY)
        return json_wrong(call, "cannot get array length of a %s",
                          root.tag == JSONB_OBJECT ? "non-array" : "scalar");
    *result = value_integer(jsonb_count(root));
    return SQLSTATE_OK;
}

/* ---- containment: @> and <@ ---- */

static bool scalars_equal(struct call *call, struct jsonb_node a, struct jsonb_node b)
{
    return a.tag == b.tag && jsonb_compare_nodes(call->environment, a, b) == 0;
}

static enum sqlstate deep_contains(struct call *call, struct jsonb_node whole, struct jsonb_node part,
                                   bool *holds);

static enum sqlstate object_contains(struct call *call, struct jsonb_node whole, struct jsonb_node part,
                                     bool *holds)
{
    uint32_t count = jsonb_count(part);
    *holds = count <= jsonb_count(whole);
    for (uint32_t i = 0; i < count && *holds; i++) {
        struct jsonb_node wanted = jsonb_at(part, i), has;
        *holds = jsonb_find(whole, jsonb_key_at(part, i), &has, NULL);
        if (!*holds)
            break;
        enum sqlstate failed = deep_contains(call, has, wanted, holds);
        if (failed)
            return failed;
    }
    return SQLSTATE_OK;
}

static enum sqlstate array_contains(struct call *call, struct jsonb_node whole, struct jsonb_node part,
                                    bool *holds)
{
    *holds = true;
    for (uint32_t i = 0; i < jsonb_count(part) && *holds; i++) {
        struct jsonb_node wanted = jsonb_at(part, i);
        *holds = false;
        for (uint32_t at = 0; at < jsonb_count(whole) && !*holds; at++) {
            enum sqlstate failed = deep_contains(call, jsonb_at(whole, at), wanted, holds);
            if (failed)
                return failed;
        }
    }
    return SQLSTATE_OK;
}

static enum sqlstate deep_contains(struct call *call, struct jsonb_node whole, struct jsonb_node part,
                                   bool *holds)
{
    if (call->environment->world) {
        enum sqlstate failed = fiber_check_stack(call->environment->world->scheduler, call->error);
        if (failed)
            return failed;
    }
    *holds = false;
    if (!jsonb_is_container(whole) || whole.tag != part.tag) {
        *holds = scalars_equal(call, whole, part);
        return SQLSTATE_OK;
    }
    return whole.tag == JSONB_OBJECT ? object_contains(call, whole, part, holds)
                                     : array_contains(call, whole, part, holds);
}

/* At the root, an array also contains a scalar that is one of its elements. */
static enum sqlstate contains(struct call *call, const struct value *whole, const struct value *part,
                              struct value *result)
{
    struct jsonb_node outer = jsonb_root(whole), inner = jsonb_root(part);
    bool holds = false;
    enum sqlstate failed = SQLSTATE_OK;
    if (outer.tag == JSONB_ARRAY && !jsonb_is_container(inner))
        for (uint32_t i = 0; i < jsonb_count(outer) && !holds; i++)
            holds = scalars_equal(call, jsonb_at(outer, i), inner);
    else
        failed = deep_contains(call, outer, inner, &holds);
    *result = value_boolean(holds);
    return failed;
}

static enum sqlstate jsonb_contains(struct call *call, const struct value *arguments, struct value *result)
{
    return contains(call, &arguments[0], &arguments[1], result);
}

static enum sqlstate jsonb_contained(struct call *call, const struct value *arguments, struct value *result)
{
    return contains(call, &arguments[1], &arguments[0], result);
}

/* ---- keys: ?, ?|, ?& ---- */

static bool has_key(struct jsonb_node root, struct bytes key)
{
    struct jsonb_node ignored;
    if (root.tag == JSONB_OBJECT)
        return jsonb_find(root, key, &ignored, NULL);
    if (root.tag == JSONB_STRING)
        return bytes_compare(jsonb_string(root), key) == 0;
    for (uint32_t i = 0; root.tag == JSONB_ARRAY && i < jsonb_count(root); i++) {
        struct jsonb_node one = jsonb_at(root, i);
        if (one.tag == JSONB_STRING && bytes_compare(jsonb_string(one), key) == 0)
            return true;
    }
    return false;
}

static enum sqlstate jsonb_exists(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(has_key(jsonb_root(&arguments[0]), value_view(&arguments[1])));
    return SQLSTATE_OK;
}

static enum sqlstate exist(const struct value *arguments, bool all, struct value *result)
{
    struct array keys;
    bool holds = all;
    array_read(&arguments[1], &keys);
    for (uint32_t i = 0; i < keys.count && holds == all; i++) {
        struct value key = array_get(&keys, i);
        if (!key.null)
            holds = has_key(jsonb_root(&arguments[0]), value_view(&key));
    }
    *result = value_boolean(holds);
    return SQLSTATE_OK;
}

static enum sqlstate jsonb_exists_any(struct call *call, const struct value *arguments, struct value *result)
{
    return exist(arguments, false, result);
}

static enum sqlstate jsonb_exists_all(struct call *call, const struct value *arguments, struct value *result)
{
    return exist(arguments, true, result);
}

static const struct function functions[] = {
    {"json_object_field", json_object_field, 0},
    {"json_object_field_text", json_object_field_text, 0},
    {"json_array_element", json_array_element, 0},
    {"json_array_element_text", json_array_element_text, 0},
    {"json_extract_path", json_extract_path, 0},
    {"json_extract_path_text", json_extract_path_text, 0},
    {"json_typeof", json_typeof, 0},
    {"json_array_length", json_array_length, 0},
    {"jsonb_object_field", jsonb_object_field, 0},
    {"jsonb_object_field_text", jsonb_object_field_text, 0},
    {"jsonb_array_element", jsonb_array_element, 0},
    {"jsonb_array_element_text", jsonb_array_element_text, 0},
    {"jsonb_extract_path", jsonb_extract_path, 0},
    {"jsonb_extract_path_text", jsonb_extract_path_text, 0},
    {"jsonb_typeof", jsonb_typeof, 0},
    {"jsonb_array_length", jsonb_array_length, 0},
    {"jsonb_contains", jsonb_contains, 0},
    {"jsonb_contained", jsonb_contained, 0},
    {"jsonb_exists", jsonb_exists, 0},
    {"jsonb_exists_any", jsonb_exists_any, 0},
    {"jsonb_exists_all", jsonb_exists_all, 0},
    {NULL, NULL, 0},
};

const struct library json_access_library = {.functions = functions};
