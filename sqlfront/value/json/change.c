/* Making one jsonb from another: ||, -, #-, jsonb_set, jsonb_insert, strip_nulls, pretty; casts to numbers (PostgreSQL manual,
 * 9.16, 8.14.5). */
#include "sqlfront/value/json/access.h"

#include "base/check.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/text/text.h"

static void start(struct call *call, struct jsonb_builder *builder)
{
    jsonb_builder_start(builder, call->environment, call->scope, call->error);
}

static enum sqlstate finish(struct call *call, const struct jsonb_builder *builder, struct value *result)
{
    return jsonb_value(call->scope, jsonb_builder_end(builder), result, call->error);
}

/* Adds the members or elements from .. to-1 of a container to the innermost one under construction. */
static enum sqlstate add_range(struct jsonb_builder *builder, struct jsonb_node container, uint32_t from,
                               uint32_t to)
{
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = from; i < to && !failed; i++) {
        if (container.tag == JSONB_OBJECT)
            jsonb_builder_key(builder, jsonb_key_at(container, i));
        failed = jsonb_builder_add(builder, jsonb_at(container, i));
    }
    return failed;
}

/* ---- || ---- */

/* What a node gives an array that it is joined to: its elements, or itself. */
static enum sqlstate add_joined(struct jsonb_builder *builder, struct jsonb_node node)
{
    return node.tag == JSONB_ARRAY ? add_range(builder, node, 0, jsonb_count(node))
                                   : jsonb_builder_add_within(builder, node);
}

static enum sqlstate jsonb_concat(struct call *call, const struct value *arguments, struct value *result)
{
    struct jsonb_builder builder;
    struct jsonb_node first = jsonb_root(&arguments[0]), second = jsonb_root(&arguments[1]);
    bool objects = first.tag == JSONB_OBJECT && second.tag == JSONB_OBJECT;
    start(call, &builder);
    enum sqlstate failed = jsonb_builder_open(&builder, objects);
    if (!failed)
        failed = objects ? add_range(&builder, first, 0, jsonb_count(first)) : add_joined(&builder, first);
    if (!failed)
        failed = objects ? add_range(&builder, second, 0, jsonb_count(second)) : add_joined(&builder, second);
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : finish(call, &builder, result);
}

/* ---- - ---- */

static bool is_among(struct bytes key, const struct array *keys)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        struct value one = array_get(keys, i);
        if (!one.null && bytes_compare(value_view(&one), key) == 0)
            return true;
    }
    return false;
}

/* Without the members with these keys, or the elements that are these strings. */
static enum sqlstate without(struct call *call, struct jsonb_node root, const struct array *keys,
                             const struct value *key, struct value *result)
{
    struct jsonb_builder builder;
    if (!jsonb_is_container(root))
        return json_wrong(call, "cannot delete from scalar");
    bool object = root.tag == JSONB_OBJECT;
    start(call, &builder);
    enum sqlstate failed = jsonb_builder_open(&builder, object);
    for (uint32_t i = 0; i < jsonb_count(root) && !failed; i++) {
        struct jsonb_node node = jsonb_at(root, i);
        struct bytes name = object ? jsonb_key_at(root, i) : jsonb_string(node);
        bool named = object || node.tag == JSONB_STRING;
        bool dropped = named && (keys ? is_among(name, keys) : bytes_compare(name, value_view(key)) == 0);
        if (!dropped)
            failed = add_range(&builder, root, i, i + 1);
    }
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : finish(call, &builder, result);
}

static enum sqlstate jsonb_delete(struct call *call, const struct value *arguments, struct value *result)
{
    return without(call, jsonb_root(&arguments[0]), NULL, &arguments[1], result);
}

static enum sqlstate jsonb_delete_array(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct array keys;
    array_read(&arguments[1], &keys);
    if (keys.dimensions > 1)
        return error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    return without(call, jsonb_root(&arguments[0]), &keys, NULL, result);
}

static enum sqlstate jsonb_delete_idx(struct call *call, const struct value *arguments, struct value *result)
{
    struct jsonb_builder builder;
    struct jsonb_node root = jsonb_root(&arguments[0]);
    if (!jsonb_is_container(root))
        return json_wrong(call, "cannot delete from scalar");
    if (root.tag == JSONB_OBJECT)
        return json_wrong(call, "cannot delete from object using integer index");
    int64_t count = jsonb_count(root), at = arguments[1].i + (arguments[1].i < 0 ? count : 0);
    *result = arguments[0];
    if (at < 0 || at >= count)
        return SQLSTATE_OK;
    start(call, &builder);
    enum sqlstate failed = jsonb_builder_open(&builder, false);
    if (!failed)
        failed = add_range(&builder, root, 0, (uint32_t)at);
    if (!failed)
        failed = add_range(&builder, root, (uint32_t)at + 1, (uint32_t)count);
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : finish(call, &builder, result);
}

/* ---- changing what a path leads to: #-, jsonb_set, jsonb_insert, subscripts ---- */

enum change {
    CHANGE_DELETE,
    CHANGE_REPLACE,
    CHANGE_SET /* or create */,
    CHANGE_INSERT_BEFORE,
    CHANGE_INSERT_AFTER
};

struct changing {
    struct environment *environment;
    struct scope *scope;
    struct error *error;
    const struct value *path; /* texts */
    uint32_t length;
    enum change change;
    bool fill; /* subscripts: an array grows up to the element, and what is missing on the way is made */
    struct jsonb_node with;
    struct jsonb_builder builder;
    /* Containers opened on the way down, and the place in each behind which its rest is still to be added. */
    struct level {
        struct jsonb_node container;
        uint32_t rest;
    } * levels;
    uint32_t depth;
};

static bool creates(const struct changing *c)
{
    return c->change == CHANGE_SET || c->change >= CHANGE_INSERT_BEFORE;
}

static enum sqlstate enter(struct changing *c, struct jsonb_node container, uint32_t until)
{
    enum sqlstate failed = jsonb_builder_open(&c->builder, container.tag == JSONB_OBJECT);
    if (failed)
        return failed;
    c->levels[c->depth++] = (struct level){.container = container, .rest = until};
    return add_range(&c->builder, container, 0, until);
}

/* What stands in for the node that the path ends at. */
static enum sqlstate put_changed(struct changing *c, struct jsonb_node node)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (c->change == CHANGE_INSERT_AFTER)
        failed = jsonb_builder_add(&c->builder, node);
    if (!failed && c->change != CHANGE_DELETE)
        failed = jsonb_builder_add_within(&c->builder, c->with);
    if (!failed && c->change == CHANGE_INSERT_BEFORE)
        failed = jsonb_builder_add(&c->builder, node);
    return failed;
}

/* New containers for what is left of a path, and the value within them: the path's steps say of which kind. */
static enum sqlstate put_made(struct changing *c, uint32_t step)
{
    uint32_t opened = 0;
    enum sqlstate failed = SQLSTATE_OK;
    for (; step < c->length && !failed; step++, opened++) {
        int64_t index;
        struct bytes name = value_view(&c->path[step]);
        bool array = json_index(name, &index);
        failed = jsonb_builder_open(&c->builder, !array);
        for (int64_t i = 0; array && i < index && !failed; i++)
            failed = jsonb_builder_add(&c->builder, jsonb_plain(JSONB_NULL));
        if (!array)
            jsonb_builder_key(&c->builder, name);
    }
    if (!failed)
        failed = jsonb_builder_add_within(&c->builder, c->with);
    for (; opened > 0 && !failed; opened--)
        failed = jsonb_builder_close(&c->builder);
    return failed;
}

/* One step within an object. *next is the node to go on in, when *more. */
static enum sqlstate step_object(struct changing *c, struct jsonb_node object, uint32_t step,
                                 struct jsonb_node *next, bool *more)
{
    struct bytes key = value_view(&c->path[step]);
    uint32_t at, count = jsonb_count(object);
    bool last = step + 1 == c->length, found = jsonb_find(object, key, next, &at);
    *more = false;
    if (!found) {
        enum sqlstate failed = enter(c, object, count);
        jsonb_builder_key(&c->builder, key);
        if (!failed && last && creates(c))
            failed = jsonb_builder_add_within(&c->builder, c->with);
        else if (!failed && !last && c->fill)
            failed = put_made(c, step + 1);
        return failed;
    }
    if (last && c->change >= CHANGE_INSERT_BEFORE) {
        enum sqlstate failed =
            error_set(c->error, SQLSTATE_INVALID_PARAMETER_VALUE, "cannot replace existing key");
        error_add(c->error, ERROR_HINT, "Try using the function jsonb_set to replace key value.");
        return failed;
    }
    enum sqlstate failed = enter(c, object, at);
    c->levels[c->depth - 1].rest = at + 1;
    jsonb_builder_key(&c->builder, key);
    *more = !last;
    return failed || !last ? failed : put_changed(c, *next);
}

static enum sqlstate step_array(struct changing *c, struct jsonb_node array, uint32_t step,
                                struct jsonb_node *next, bool *more)
{
    struct bytes text = value_view(&c->path[step]);
    int64_t index, count = jsonb_count(array);
    bool last = step + 1 == c->length;
    *more = false;
    if (!json_index(text, &index))
        return error_set(c->error, SQLSTATE_INVALID_TEXT_REPRESENTATION,
                         "path element at position %u is not an integer: \"%.*s\"", step + 1, (int)text.size,
                         (const char *)text.data);
    if (index < 0 && c->fill && -index > count)
        return error_set(c->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                         "path element at position %u is out of range: %lld", step + 1, (long long)index);
    bool front = index < 0 && -index > count;
    index += index < 0 ? count : 0;
    if (front || count == 0 || index >= count) { /* outside: at one of the ends, if anywhere */
        enum sqlstate failed = enter(c, array, 0);
        bool before = front || (count == 0 && !c->fill);
        c->levels[c->depth - 1].rest = before ? 0 : (uint32_t)count;
        if (!failed && !before)
            failed = add_range(&c->builder, array, 0, (uint32_t)count);
        for (int64_t i = count; c->fill && i < index && !failed; i++)
            failed = jsonb_builder_add(&c->builder, jsonb_plain(JSONB_NULL));
        if (!failed && last && creates(c))
            failed = jsonb_builder_add_within(&c->builder, c->with);
        else if (!failed && !last && c->fill)
            failed = put_made(c, step + 1);
        return failed;
    }
    enum sqlstate failed = enter(c, array, (uint32_t)index);
    c->levels[c->depth - 1].rest = (uint32_t)index + 1;
    *next = jsonb_at(array, (uint32_t)index);
    *more = !last;
    return failed || !last ? failed : put_changed(c, *next);
}

/* Goes down the path as far as it leads, then adds what is left of each container on the way up. */
static enum sqlstate change(struct changing *c, struct jsonb_node node)
{
    enum sqlstate failed = SQLSTATE_OK;
    bool more = true;
    c->levels = scope_alloc(c->scope, JSONB_DEPTH_MAX * sizeof *c->levels);
    jsonb_builder_start(&c->builder, c->environment, c->scope, c->error);
    for (uint32_t step = 0; more && !failed; step++) {
        struct jsonb_node next = node;
        if (c->path[step].null)
            return error_set(c->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED, "path element at position %u is null",
                             step + 1);
        if (!jsonb_is_container(node)) {
            if (c->fill && node.tag != JSONB_NULL) {
                failed = error_set(c->error, SQLSTATE_INVALID_PARAMETER_VALUE, "cannot replace existing key");
                error_add(c->error, ERROR_DETAIL,
                          "The path assumes key is a composite object, but it is a scalar value.");
                return failed;
            }
            failed = c->fill ? put_made(c, step) : jsonb_builder_add(&c->builder, node);
            break;
        }
        check(c->depth < JSONB_DEPTH_MAX);
        failed = node.tag == JSONB_OBJECT ? step_object(c, node, step, &next, &more)
                                          : step_array(c, node, step, &next, &more);
        node = next;
    }
    while (c->depth > 0 && !failed) {
        struct level level = c->levels[--c->depth];
        failed = add_range(&c->builder, level.container, level.rest, jsonb_count(level.container));
        if (!failed)
            failed = jsonb_builder_close(&c->builder);
    }
    return failed;
}

static enum sqlstate path_of(struct call *call, const struct value *value, struct changing *c)
{
    struct array array;
    array_read(value, &array);
    if (array.dimensions > 1)
        return error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    uint8_t *room;
    enum sqlstate failed =
        value_room(call->scope, (array.count + (size_t)1) * sizeof(struct value), &room, call->error);
    struct value *path = (struct value *)room;
    for (uint32_t i = 0; i < array.count && !failed; i++)
        path[i] = array_get(&array, i);
    c->path = path;
    c->length = array.count;
    return failed;
}

static enum sqlstate changed(struct call *call, const struct value *arguments, enum change kind,
                             const struct value *with, struct value *result)
{
    struct changing c = {
        .environment = call->environment, .scope = call->scope, .error = call->error, .change = kind};
    struct jsonb_node root = jsonb_root(&arguments[0]);
    enum sqlstate failed = path_of(call, &arguments[1], &c);
    if (failed)
        return failed;
    if (!jsonb_is_container(root))
        return json_wrong(call, "cannot %s path in scalar", kind == CHANGE_DELETE ? "delete" : "set");
    *result = arguments[0];
    if (c.length == 0 || (jsonb_count(root) == 0 && !creates(&c)))
        return SQLSTATE_OK;
    if (with)
        c.with = jsonb_root(with);
    failed = change(&c, root);
    return failed ? failed : finish(call, &c.builder, result);
}

static enum sqlstate jsonb_set(struct call *call, const struct value *arguments, struct value *result)
{
    return changed(call, arguments, arguments[3].i ? CHANGE_SET : CHANGE_REPLACE, &arguments[2], result);
}

static enum sqlstate jsonb_insert(struct call *call, const struct value *arguments, struct value *result)
{
    return changed(call, arguments, arguments[3].i ? CHANGE_INSERT_AFTER : CHANGE_INSERT_BEFORE,
                   &arguments[2], result);
}

static enum sqlstate jsonb_delete_path(struct call *call, const struct value *arguments, struct value *result)
{
    return changed(call, arguments, CHANGE_DELETE, NULL, result);
}

static bool says(const struct value *text, const char *words)
{
    return bytes_compare(value_view(text), bytes_of_text(words)) == 0;
}

/* jsonb_set, where a null value means what the last argument says. */
static enum sqlstate jsonb_set_lax(struct call *call, const struct value *arguments, struct value *result)
{
    static const uint8_t json_null[] = {JSONB_NULL};
    *result = value_null();
    if (arguments[0].null || arguments[1].null || arguments[3].null)
        return SQLSTATE_OK;
    if (arguments[4].null)
        return json_wrong(call, "null_value_treatment must be \"delete_key\", \"return_target\", "
                                "\"use_json_null\", or \"raise_exception\"");
    if (!arguments[2].null)
        return jsonb_set(call, arguments, result);
    if (says(&arguments[4], "raise_exception")) {
        enum sqlstate failed =
            error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED, "JSON value must not be null");
        error_add(call->error, ERROR_DETAIL,
                  "Exception was raised because null_value_treatment is \"raise_exception\".");
        error_add(
            call->error, ERROR_HINT,
            "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not "
            "passed.");
        return failed;
    }
    struct value null = value_bytes(json_null, 1);
    if (says(&arguments[4], "use_json_null"))
        return changed(call, arguments, arguments[3].i ? CHANGE_SET : CHANGE_REPLACE, &null, result);
    if (says(&arguments[4], "delete_key"))
        return jsonb_delete_path(call, arguments, result);
    if (says(&arguments[4], "return_target")) {
        *result = arguments[0];
        return SQLSTATE_OK;
    }
    return json_wrong(call,
                      "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or "
                      "\"raise_exception\"");
}

enum sqlstate jsonb_subscript_set(struct environment *environment, struct scope *scope,
                                  const struct value *target, const struct value *subscripts, uint32_t count,
                                  const struct value *value, struct value *result, struct error *error)
{
    struct changing c = {.environment = environment,
                         .scope = scope,
                         .error = error,
                         .path = subscripts,
                         .length = count,
                         .change = CHANGE_SET,
                         .fill = true};
    int64_t index;
    static const uint32_t empty;
    bool array = count > 0 && !subscripts[0].null && json_index(value_view(&subscripts[0]), &index);
    struct jsonb_node root = {
        .tag = array ? JSONB_ARRAY : JSONB_OBJECT, .p = (const uint8_t *)&empty, .size = 4};
    if (!target->null)
        root = jsonb_root(target);
    c.with = value->null ? jsonb_plain(JSONB_NULL) : jsonb_root(value);
    enum sqlstate failed = change(&c, root);
    return failed ? failed : jsonb_value(scope, jsonb_builder_end(&c.builder), result, error);
}

/* ---- strip_nulls, pretty ---- */

static enum sqlstate jsonb_strip_nulls(struct call *call, const struct value *arguments, struct value *result)
{
    struct jsonb_builder builder;
    struct jsonb_walk walk;
    enum sqlstate failed = SQLSTATE_OK;
    start(call, &builder);
    for (jsonb_walk_start(&walk, jsonb_root(&arguments[0])); !failed && jsonb_walk_next(&walk);) {
        if (walk.event == JSONB_CLOSE) {
            failed = jsonb_builder_close(&builder);
            continue;
        }
        if (walk.member && walk.node.tag == JSONB_NULL)
            continue;
        if (walk.member)
            jsonb_builder_key(&builder, walk.key);
        failed = walk.event == JSONB_OPEN ? jsonb_builder_open(&builder, walk.node.tag == JSONB_OBJECT)
                                          : jsonb_builder_add(&builder, walk.node);
    }
    return failed ? failed : finish(call, &builder, result);
}

/* The same of json text, whose blanks go, too. */
static enum sqlstate json_strip_nulls(struct call *call, const struct value *arguments, struct value *result)
{
    struct json_parser parser;
    struct text out = text_in(call->scope);
    struct bytes key = {0};
    bool keyed = false, first = true;
    json_parser_start(&parser, call->scope, value_view(&arguments[0]), true, call->error);
    for (enum sqlstate failed;;) {
        if ((failed = json_next(&parser)))
            return failed;
        if (parser.token == JSON_END)
            return value_of_text(&out, result, call->error);
        if (parser.token == JSON_KEY) {
            key = parser.string;
            keyed = true;
            continue;
        }
        bool closes = parser.token == JSON_OBJECT_END || parser.token == JSON_ARRAY_END;
        if (keyed && parser.token == JSON_NULL) {
            keyed = false;
            continue;
        }
        if (!closes && !first)
            text_append(&out, ",");
        if (keyed) {
            json_write_string(&out, key);
            text_append(&out, ":");
        }
        if (parser.token == JSON_STRING)
            json_write_string(&out, parser.string);
        else
            text_bytes(&out, parser.text);
        keyed = false;
        first = parser.token == JSON_OBJECT || parser.token == JSON_ARRAY;
    }
}

static enum sqlstate jsonb_pretty(struct call *call, const struct value *arguments, struct value *result)
{
    struct text out = text_in(call->scope);
    enum sqlstate failed =
        jsonb_write_pretty(call->environment, &out, jsonb_root(&arguments[0]), call->error);
    return failed ? failed : value_of_text(&out, result, call->error);
}

/* ---- casts ---- */

static enum sqlstate cannot_cast(struct call *call, struct jsonb_node node, const char *type)
{
    static const char *const kinds[] = {
        [JSONB_NULL] = "null",     [JSONB_STRING] = "string", [JSONB_NUMBER] = "numeric",
        [JSONB_FALSE] = "boolean", [JSONB_TRUE] = "boolean",  [JSONB_ARRAY] = "array",
        [JSONB_OBJECT] = "object",
    };
    return json_wrong(call, "cannot cast jsonb %s to type %s", kinds[node.tag], type);
}

static enum sqlstate jsonb_bool(struct call *call, const struct value *arguments, struct value *result)
{
    struct jsonb_node node = jsonb_root(&arguments[0]);
    if (node.tag != JSONB_FALSE && node.tag != JSONB_TRUE)
        return cannot_cast(call, node, "boolean");
    *result = value_boolean(node.tag == JSONB_TRUE);
    return SQLSTATE_OK;
}

static enum sqlstate jsonb_numeric(struct call *call, const struct value *arguments, struct value *result)
{
    struct jsonb_node node = jsonb_root(&arguments[0]);
    if (node.tag != JSONB_NUMBER)
        return cannot_cast(call, node, "numeric");
    *result = jsonb_number(node);
    return SQLSTATE_OK;
}

static enum sqlstate to_integer(struct call *call, const struct value *arguments, const char *type,
                                int64_t least, int64_t most, struct value *result)
{
    struct jsonb_node node = jsonb_root(&arguments[0]);
    int64_t integer;
    if (node.tag != JSONB_NUMBER)
        return cannot_cast(call, node, type);
    struct value number = jsonb_number(node);
    if (!numeric_to_integer(&number, &integer) || integer < least || integer > most)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "%s out of range", type);
    *result = value_integer(integer);
    return SQLSTATE_OK;
}

static enum sqlstate jsonb_int2(struct call *call, const struct value *arguments, struct value *result)
{
    return to_integer(call, arguments, "smallint", INT16_MIN, INT16_MAX, result);
}

static enum sqlstate jsonb_int4(struct call *call, const struct value *arguments, struct value *result)
{
    return to_integer(call, arguments, "integer", INT32_MIN, INT32_MAX, result);
}

static enum sqlstate jsonb_int8(struct call *call, const struct value *arguments, struct value *result)
{
    return to_integer(call, arguments, "bigint", INT64_MIN, INT64_MAX, result);
}

/* By way of text, as PostgreSQL does: out of range is what float's input says it is. */
static enum sqlstate to_float(struct call *call, const struct value *arguments, uint32_t oid,
                              struct value *result)
{
    const struct type *type;
    struct jsonb_node node = jsonb_root(&arguments[0]);
    struct bytes text;
    enum sqlstate failed = type_of_oid(call->environment, oid, &type, call->error);
    if (!failed && node.tag != JSONB_NUMBER)
        return cannot_cast(call, node, oid == TYPE_FLOAT4 ? "real" : "double precision");
    struct value number = jsonb_number(node);
    if (!failed)
        failed = numeric_print(call->scope, &number, &text, call->error);
    return failed ? failed
                  : type->ops->in(call->environment, call->scope, type, -1, text, result, call->error);
}

static enum sqlstate jsonb_float4(struct call *call, const struct value *arguments, struct value *result)
{
    return to_float(call, arguments, TYPE_FLOAT4, result);
}

static enum sqlstate jsonb_float8(struct call *call, const struct value *arguments, struct value *result)
{
    return to_float(call, arguments, TYPE_FLOAT8, result);
}

static const struct function functions[] = {
    {"jsonb_concat", jsonb_concat, 0},
    {"jsonb_delete", jsonb_delete, 0},
    {"jsonb_delete_array", jsonb_delete_array, 0},
    {"jsonb_delete_idx", jsonb_delete_idx, 0},
    {"jsonb_delete_path", jsonb_delete_path, 0},
    {"jsonb_set", jsonb_set, 0},
    {"jsonb_set_lax", jsonb_set_lax, 0},
    {"jsonb_insert", jsonb_insert, 0},
    {"jsonb_strip_nulls", jsonb_strip_nulls, 0},
    {"json_strip_nulls", json_strip_nulls, 0},
    {"jsonb_pretty", jsonb_pretty, 0},
    {"jsonb_bool", jsonb_bool, 0},
    {"jsonb_numeric", jsonb_numeric, 0},
    {"jsonb_int2", jsonb_int2, 0},
    {"jsonb_int4", jsonb_int4, 0},
    {"jsonb_int8", jsonb_int8, 0},
    {"jsonb_float4", jsonb_float4, 0},
    {"jsonb_float8", jsonb_float8, 0},
    {NULL, NULL, 0},
};

const struct library json_change_library = {.functions = functions};
