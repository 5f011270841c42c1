/* The bytes of a jsonb: reading them, making them, order and hash.
 *
 *     node                 bytes
 *     null, true, false    none
 *     string               the string
 *     number               scale (one byte), unscaled (8); or 0xff and the bytes of a large numeric (array/piece.h)
 *     array                elements n (4); where each ends (4 each); tag of each (1 each); the elements' bytes
 *     object               members n (4); where each key ends (4 each); where each value ends (4 each); tag of each
 *                          (1 each); keys; values
 *
 * Ends count from the first key or value; everything is little-endian and unaligned. Keys are sorted by length, then
 * bytes, as PostgreSQL's are: that order is seen wherever an object is shown, and finding one is a binary search. */
#include "sqlfront/value/json/jsonb.h"

#include "base/check.h"
#include "sqlfront/value/array/piece.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/json/parse.h"
#include "sqlfront/value/number/numeric.h"
#include "sqlfront/value/pace.h"
#include "sqlfront/value/text/text.h"

#include <stdlib.h>

/* ---- reading ---- */

static uint32_t u32_at(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

struct jsonb_node jsonb_root(const struct value *value)
{
    check(value->size > 0);
    return (struct jsonb_node){
        .tag = (enum jsonb_tag)value->p[0], .p = value->p + 1, .size = value->size - 1};
}

struct bytes jsonb_string(struct jsonb_node node)
{
    return bytes_of(node.p, node.size);
}

struct value jsonb_number(struct jsonb_node node)
{
    return piece_read(VALUE_NUMERIC, 0, node.p, node.size);
}

uint32_t jsonb_count(struct jsonb_node container)
{
    return u32_at(container.p);
}

/* End `at` of a table of ends; 0 for -1. */
static uint32_t end_at(const uint8_t *ends, uint32_t at, bool before)
{
    return before ? (at ? u32_at(ends + 4 * (size_t)(at - 1)) : 0) : u32_at(ends + 4 * (size_t)at);
}

struct jsonb_node jsonb_at(struct jsonb_node container, uint32_t at)
{
    size_t count = u32_at(container.p);
    bool object = container.tag == JSONB_OBJECT;
    const uint8_t *keys = container.p + 4, *ends = keys + (object ? 4 * count : 0), *tags = ends + 4 * count;
    const uint8_t *data = tags + count + (object && count ? end_at(keys, (uint32_t)count, true) : 0);
    uint32_t start = end_at(ends, at, true), end = end_at(ends, at, false);
    return (struct jsonb_node){.tag = (enum jsonb_tag)tags[at], .p = data + start, .size = end - start};
}

struct bytes jsonb_key_at(struct jsonb_node object, uint32_t at)
{
    size_t count = u32_at(object.p);
    const uint8_t *keys = object.p + 4, *data = keys + 9 * count;
    uint32_t start = end_at(keys, at, true), end = end_at(keys, at, false);
    return bytes_of(data + start, end - start);
}

static int key_order(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size ? memcmp(a.data, b.data, a.size) : 0;
}

bool jsonb_find(struct jsonb_node object, struct bytes key, struct jsonb_node *found, uint32_t *at)
{
    uint32_t low = 0, high = jsonb_count(object);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = key_order(key, jsonb_key_at(object, middle));
        if (order == 0) {
            *found = jsonb_at(object, middle);
            if (at)
                *at = middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* ---- making ---- */

enum sqlstate jsonb_of_number(struct scope *scope, const struct value *numeric, struct jsonb_node *node,
                              struct error *error)
{
    uint8_t *room;
    size_t size = piece_size(VALUE_NUMERIC, 0, numeric);
    enum sqlstate failed = value_room(scope, size, &room, error);
    if (failed)
        return failed;
    piece_write(VALUE_NUMERIC, 0, numeric, room);
    *node = (struct jsonb_node){.tag = JSONB_NUMBER, .p = room, .size = (uint32_t)size};
    return SQLSTATE_OK;
}

enum sqlstate jsonb_of_nodes(struct scope *scope, const struct jsonb_node *nodes, size_t count,
                             struct jsonb_node *array, struct error *error)
{
    size_t size = 4 + 5 * count;
    for (size_t i = 0; i < count; i++)
        size += nodes[i].size;
    uint8_t *room;
    enum sqlstate failed = value_room(scope, size, &room, error);
    if (failed)
        return failed;
    uint32_t elements = (uint32_t)count, end = 0;
    memcpy(room, &elements, 4);
    uint8_t *ends = room + 4, *tags = ends + 4 * count, *data = tags + count;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].size)
            memcpy(data + end, nodes[i].p, nodes[i].size);
        end += nodes[i].size;
        memcpy(ends + 4 * i, &end, 4);
        tags[i] = (uint8_t)nodes[i].tag;
    }
    *array = (struct jsonb_node){.tag = JSONB_ARRAY, .p = room, .size = (uint32_t)size};
    return SQLSTATE_OK;
}

static int member_order(const void *a, const void *b)
{
    const struct jsonb_member *first = a, *second = b;
    int order = key_order(first->key, second->key);
    return order ? order : (first->order > second->order) - (first->order < second->order);
}

enum sqlstate jsonb_of_members(struct scope *scope, struct jsonb_member *members, size_t count,
                               struct jsonb_node *object, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        members[i].order = (uint32_t)i;
    if (count > 1)
        qsort(members, count, sizeof *members, member_order);
    size_t kept = 0, size = 4;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && key_order(members[i].key, members[i + 1].key) == 0)
            continue;
        size += 9 + members[i].key.size + members[i].node.size;
        members[kept++] = members[i];
    }
    uint8_t *room;
    enum sqlstate failed = value_room(scope, size, &room, error);
    if (failed)
        return failed;
    uint32_t written = (uint32_t)kept, end = 0;
    memcpy(room, &written, 4);
    uint8_t *keys = room + 4, *ends = keys + 4 * kept, *tags = ends + 4 * kept, *data = tags + kept;
    for (size_t i = 0; i < kept; i++) {
        if (members[i].key.size)
            memcpy(data + end, members[i].key.data, members[i].key.size);
        end += (uint32_t)members[i].key.size;
        memcpy(keys + 4 * i, &end, 4);
    }
    data += end;
    end = 0;
    for (size_t i = 0; i < kept; i++) {
        if (members[i].node.size)
            memcpy(data + end, members[i].node.p, members[i].node.size);
        end += members[i].node.size;
        memcpy(ends + 4 * i, &end, 4);
        tags[i] = (uint8_t)members[i].node.tag;
    }
    *object = (struct jsonb_node){.tag = JSONB_OBJECT, .p = room, .size = (uint32_t)size};
    return SQLSTATE_OK;
}

enum sqlstate jsonb_value(struct scope *scope, struct jsonb_node node, struct value *value,
                          struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, 1 + (size_t)node.size, &room, error);
    if (failed)
        return failed;
    room[0] = (uint8_t)node.tag;
    if (node.size)
        memcpy(room + 1, node.p, node.size);
    *value = value_bytes(room, 1 + (size_t)node.size);
    return SQLSTATE_OK;
}

/* ---- a container under construction ---- */

void jsonb_builder_start(struct jsonb_builder *builder, struct environment *environment, struct scope *scope,
                         struct error *error)
{
    *builder = (struct jsonb_builder){.environment = environment, .scope = scope, .error = error};
}

/* Twice the room of an array in the scope, its contents kept. */
static enum sqlstate grow(struct jsonb_builder *builder, void **array, uint32_t *room, size_t each)
{
    uint32_t wanted = *room ? *room * 2 : 16;
    uint8_t *memory;
    if (*room > VALUE_BYTES_MAX / each / 2)
        return error_set(builder->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "jsonb value has too many elements");
    enum sqlstate failed = value_room(builder->scope, wanted * each, &memory, builder->error);
    if (failed)
        return failed;
    if (*room)
        memcpy(memory, *array, *room * each);
    if (*room * each > SCOPE_SMALL_BYTES)
        scope_free_large(builder->scope, *array);
    *array = memory;
    *room = wanted;
    return SQLSTATE_OK;
}

enum sqlstate jsonb_builder_open(struct jsonb_builder *builder, bool object)
{
    enum sqlstate failed = SQLSTATE_OK;
    if (builder->depth == JSONB_DEPTH_MAX)
        return error_set(builder->error, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    void *levels = builder->levels;
    if (builder->depth == builder->levels_room)
        failed = grow(builder, &levels, &builder->levels_room, sizeof *builder->levels);
    builder->levels = levels;
    if (failed)
        return failed;
    builder->levels[builder->depth++] =
        (struct jsonb_level){.object = object, .start = builder->count, .key = builder->key};
    return SQLSTATE_OK;
}

void jsonb_builder_key(struct jsonb_builder *builder, struct bytes key)
{
    builder->key = key;
}

enum sqlstate jsonb_builder_add(struct jsonb_builder *builder, struct jsonb_node node)
{
    enum sqlstate failed = SQLSTATE_OK;
    void *entries = builder->entries;
    if (builder->count == builder->room)
        failed = grow(builder, &entries, &builder->room, sizeof *builder->entries);
    builder->entries = entries;
    if (!failed)
        builder->entries[builder->count++] = (struct jsonb_member){.key = builder->key, .node = node};
    return failed;
}

static uint32_t levels_of(struct jsonb_node node)
{
    struct jsonb_walk walk;
    uint32_t levels = 0;
    for (jsonb_walk_start(&walk, node); jsonb_walk_next(&walk);)
        levels = walk.open > levels ? walk.open : levels;
    return levels;
}

static enum sqlstate too_deep(struct jsonb_builder *builder)
{
    return error_set(builder->error, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
}

enum sqlstate jsonb_builder_add_within(struct jsonb_builder *builder, struct jsonb_node node)
{
    if (jsonb_is_container(node) && builder->depth + levels_of(node) > JSONB_DEPTH_MAX)
        return too_deep(builder);
    return jsonb_builder_add(builder, node);
}

enum sqlstate jsonb_builder_close(struct jsonb_builder *builder)
{
    struct jsonb_level level = builder->levels[--builder->depth];
    size_t count = builder->count - level.start;
    struct jsonb_member *entries = count ? builder->entries + level.start : NULL;
    struct jsonb_node node;
    enum sqlstate failed;
    if (level.object) {
        failed = jsonb_of_members(builder->scope, entries, count, &node, builder->error);
    } else {
        uint8_t *room;
        failed = value_room(builder->scope, (count + 1) * sizeof node, &room, builder->error);
        struct jsonb_node *nodes = (struct jsonb_node *)room;
        for (size_t i = 0; i < count && !failed; i++)
            nodes[i] = entries[i].node;
        if (!failed)
            failed = jsonb_of_nodes(builder->scope, nodes, count, &node, builder->error);
    }
    builder->count = level.start;
    builder->key = level.key;
    return failed ? failed : jsonb_builder_add(builder, node);
}

struct jsonb_node jsonb_builder_end(const struct jsonb_builder *builder)
{
    check(builder->count == 1 && builder->depth == 0, "%u nodes, %u open", builder->count, builder->depth);
    return builder->entries[0].node;
}

/* ---- from text ---- */

static enum sqlstate add_number(struct jsonb_builder *builder, struct bytes text)
{
    struct value number;
    struct jsonb_node node;
    enum sqlstate failed = numeric_parse(builder->scope, text, &number, builder->error);
    if (failed || (failed = jsonb_of_number(builder->scope, &number, &node, builder->error)))
        return failed;
    return jsonb_builder_add(builder, node);
}

static enum sqlstate add_token(struct jsonb_builder *builder, const struct json_parser *parser)
{
    switch (parser->token) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        return jsonb_builder_open(builder, parser->token == JSON_OBJECT);
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        return jsonb_builder_close(builder);
    case JSON_KEY:
        jsonb_builder_key(builder, parser->string);
        return SQLSTATE_OK;
    case JSON_STRING:
        return jsonb_builder_add(builder, jsonb_of_string(parser->string));
    case JSON_NUMBER:
        return add_number(builder, parser->text);
    case JSON_TRUE:
        return jsonb_builder_add(builder, jsonb_plain(JSONB_TRUE));
    case JSON_FALSE:
        return jsonb_builder_add(builder, jsonb_plain(JSONB_FALSE));
    case JSON_NULL:
        return jsonb_builder_add(builder, jsonb_plain(JSONB_NULL));
    case JSON_END:
        break;
    }
    return SQLSTATE_OK;
}

enum sqlstate jsonb_builder_parse(struct jsonb_builder *builder, struct bytes json)
{
    struct json_parser parser;
    json_parser_start(&parser, builder->scope, json, true, builder->error);
    struct pace pace = {.environment = builder->environment, .error = builder->error};
    enum sqlstate failed;
    do {
        failed = json_next(&parser);
        if (!failed)
            failed = add_token(builder, &parser);
        if (!failed)
            failed = pace_step(&pace, 64 + parser.text.size);
    } while (!failed && parser.token != JSON_END);
    return failed;
}

enum sqlstate jsonb_parse(struct environment *environment, struct scope *scope, struct bytes text,
                          struct jsonb_node *node, struct error *error)
{
    struct jsonb_builder builder;
    jsonb_builder_start(&builder, environment, scope, error);
    enum sqlstate failed = jsonb_builder_parse(&builder, text);
    if (!failed)
        *node = jsonb_builder_end(&builder);
    return failed;
}

/* ---- going through ---- */

/* A container within larger bytes, as 4 bytes: sizes are below 2^30. */
#define PLACE_OF_OBJECT 0x80000000
static_assert(VALUE_BYTES_MAX < PLACE_OF_OBJECT);

static uint32_t place_of(struct jsonb_node container, const uint8_t *start)
{
    return (uint32_t)(container.p - start) | (container.tag == JSONB_OBJECT ? PLACE_OF_OBJECT : 0);
}

/* (Its size is not known any more, and nobody who reads a container asks for it.) */
static struct jsonb_node container_at(uint32_t place, const uint8_t *start)
{
    return (struct jsonb_node){.tag = place & PLACE_OF_OBJECT ? JSONB_OBJECT : JSONB_ARRAY,
                               .p = start + (place & ~PLACE_OF_OBJECT)};
}

void jsonb_walk_start(struct jsonb_walk *walk, struct jsonb_node node)
{
    walk->node = node;
    walk->start = node.p;
    walk->started = false;
    walk->member = false;
    walk->key = bytes_of(NULL, 0);
    walk->open = walk->at = walk->depth = 0;
}

static bool walk_arrive(struct jsonb_walk *walk)
{
    walk->depth = walk->open;
    walk->event = jsonb_is_container(walk->node) ? JSONB_OPEN : JSONB_SCALAR;
    if (walk->event == JSONB_SCALAR)
        return true;
    check(walk->open < JSONB_DEPTH_MAX);
    walk->levels[walk->open].place = place_of(walk->node, walk->start);
    walk->levels[walk->open++].at = 0;
    return true;
}

bool jsonb_walk_next(struct jsonb_walk *walk)
{
    if (!walk->started) {
        walk->started = true;
        return walk_arrive(walk);
    }
    if (walk->open == 0)
        return false;
    struct jsonb_node container = container_at(walk->levels[walk->open - 1].place, walk->start);
    uint32_t at = walk->levels[walk->open - 1].at++;
    if (at == jsonb_count(container)) {
        walk->depth = --walk->open;
        walk->event = JSONB_CLOSE;
        walk->node = container;
        return true;
    }
    walk->at = at;
    walk->member = container.tag == JSONB_OBJECT;
    if (walk->member)
        walk->key = jsonb_key_at(container, at);
    walk->node = jsonb_at(container, at);
    return walk_arrive(walk);
}

void jsonb_walk_skip(struct jsonb_walk *walk)
{
    walk->open--;
}

/* ---- as text ---- */

enum sqlstate jsonb_write_scalar(struct text *out, struct jsonb_node node, struct error *error)
{
    struct bytes shown = bytes_of_text(node.tag == JSONB_TRUE    ? "true"
                                       : node.tag == JSONB_FALSE ? "false"
                                                                 : "null");
    enum sqlstate failed = SQLSTATE_OK;
    if (node.tag == JSONB_STRING) {
        json_write_string(out, jsonb_string(node));
        return SQLSTATE_OK;
    }
    if (node.tag == JSONB_NUMBER) {
        struct value number = jsonb_number(node);
        failed = numeric_print(out->scope, &number, &shown, error);
    }
    if (!failed)
        text_bytes(out, shown);
    return failed;
}

static void new_line(struct text *out, uint32_t depth)
{
    text_append(out, "\n");
    for (uint32_t i = 0; i < depth; i++)
        text_append(out, "    ");
}

static enum sqlstate write_node(struct environment *environment, struct text *out, struct jsonb_node node,
                                bool pretty, struct error *error)
{
    struct pace pace = {.environment = environment, .error = error};
    struct jsonb_walk walk;
    enum sqlstate failed = SQLSTATE_OK;
    for (jsonb_walk_start(&walk, node); !failed && jsonb_walk_next(&walk);) {
        bool object = walk.node.tag == JSONB_OBJECT;
        if (walk.event == JSONB_CLOSE) {
            if (pretty)
                new_line(out, walk.depth);
            text_append(out, object ? "}" : "]");
            continue;
        }
        if (walk.depth > 0 && walk.at > 0)
            text_append(out, pretty ? "," : ", ");
        if (pretty && walk.depth > 0)
            new_line(out, walk.depth);
        if (walk.member) {
            json_write_string(out, walk.key);
            text_append(out, ": ");
        }
        if (walk.event == JSONB_OPEN)
            text_append(out, object ? "{" : "[");
        else
            failed = jsonb_write_scalar(out, walk.node, error);
        if (!failed)
            failed = pace_step(&pace, 64 + walk.node.size);
    }
    return failed;
}

enum sqlstate jsonb_write(struct environment *environment, struct text *out, struct jsonb_node node,
                          struct error *error)
{
    return write_node(environment, out, node, false, error);
}

enum sqlstate jsonb_write_pretty(struct environment *environment, struct text *out, struct jsonb_node node,
                                 struct error *error)
{
    return write_node(environment, out, node, true, error);
}

enum sqlstate jsonb_as_text(struct environment *environment, struct scope *scope, struct jsonb_node node,
                            struct value *result, struct error *error)
{
    if (node.tag == JSONB_NULL || node.tag == JSONB_STRING) {
        *result = node.tag == JSONB_NULL ? value_null() : value_bytes(node.p, node.size);
        return SQLSTATE_OK;
    }
    struct text out = text_in(scope);
    enum sqlstate failed = jsonb_write(environment, &out, node, error);
    return failed ? failed : value_of_text(&out, result, error);
}

/* ---- order and hash ---- */

static int rank(enum jsonb_tag tag)
{
    return tag == JSONB_FALSE ? JSONB_TRUE : (int)tag;
}

static int compare_scalars(struct jsonb_node a, struct jsonb_node b)
{
    if (a.tag != b.tag)
        return a.tag < b.tag ? -1 : 1;
    if (a.tag == JSONB_STRING)
        return bytes_compare(jsonb_string(a), jsonb_string(b));
    if (a.tag != JSONB_NUMBER)
        return 0;
    struct value x = jsonb_number(a), y = jsonb_number(b);
    return numeric_compare(&x, &y);
}

/* Objects above arrays above true, false, numbers, strings, null; among containers the one with more in it; then key and
 * value by key and value. */
int jsonb_compare_nodes(struct environment *environment, struct jsonb_node a, struct jsonb_node b)
{
    struct {
        uint32_t a, b; /* places of containers */
        uint32_t at;
    } levels[JSONB_DEPTH_MAX];
    static_assert(sizeof levels < 3584, "smaller than a guard page");
    const uint8_t *first_start = a.p, *second_start = b.p;
    uint32_t depth = 0;
    for (;;) {
        int order = rank(a.tag) - rank(b.tag);
        if (order == 0 && jsonb_is_container(a)) {
            uint32_t first = jsonb_count(a), second = jsonb_count(b);
            order = (first > second) - (first < second);
            check(depth < JSONB_DEPTH_MAX);
            levels[depth].a = place_of(a, first_start);
            levels[depth].b = place_of(b, second_start);
            levels[depth++].at = 0;
        } else if (order == 0) {
            order = compare_scalars(a, b);
        }
        struct jsonb_node first = {0}, second;
        for (; order == 0 && depth > 0; depth--) { /* out of the containers that are at their end */
            first = container_at(levels[depth - 1].a, first_start);
            if (levels[depth - 1].at < jsonb_count(first))
                break;
        }
        if (order || depth == 0)
            return order;
        second = container_at(levels[depth - 1].b, second_start);
        uint32_t at = levels[depth - 1].at++;
        if (first.tag == JSONB_OBJECT)
            order = bytes_compare(jsonb_key_at(first, at), jsonb_key_at(second, at));
        if (order)
            return order;
        a = jsonb_at(first, at);
        b = jsonb_at(second, at);
    }
}

/* For historical reasons, PostgreSQL has an empty array at the root below everything else but objects. */
static int jsonb_compare(struct environment *environment, const struct type *type, const struct value *a,
                         const struct value *b)
{
    struct jsonb_node first = jsonb_root(a), second = jsonb_root(b);
    bool first_empty = first.tag == JSONB_ARRAY && jsonb_count(first) == 0;
    bool second_empty = second.tag == JSONB_ARRAY && jsonb_count(second) == 0;
    if (first_empty && !jsonb_is_container(second))
        return -1;
    if (second_empty && !jsonb_is_container(first))
        return 1;
    return jsonb_compare_nodes(environment, first, second);
}

static uint64_t mix(uint64_t hash, uint64_t with)
{
    hash = (hash ^ with) * 0x9fb21c651e98df25;
    return hash ^ hash >> 29;
}

static uint64_t hash_bytes(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3;
    return mix(hash, bytes.size);
}

static uint64_t hash_scalar(uint64_t hash, struct jsonb_node node)
{
    struct value number;
    switch (node.tag) {
    case JSONB_STRING:
        return hash_bytes(hash, jsonb_string(node));
    case JSONB_NUMBER:
        number = jsonb_number(node);
        return mix(hash, numeric_hash(&number));
    default:
        return hash;
    }
}

static uint64_t jsonb_hash(struct environment *environment, const struct type *type,
                           const struct value *value)
{
    struct jsonb_walk walk;
    uint64_t hash = 0xcbf29ce484222325;
    for (jsonb_walk_start(&walk, jsonb_root(value)); jsonb_walk_next(&walk);) {
        if (walk.event == JSONB_CLOSE)
            continue;
        hash = mix(hash, (uint64_t)walk.node.tag + 1);
        if (walk.member)
            hash = hash_bytes(hash, walk.key);
        if (walk.event == JSONB_SCALAR)
            hash = hash_scalar(hash, walk.node);
    }
    return hash;
}

/* ---- the type ---- */

static enum sqlstate jsonb_in(struct environment *environment, struct scope *scope, const struct type *type,
                              int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct jsonb_node node;
    enum sqlstate failed = characters_check(text, error);
    if (failed || (failed = jsonb_parse(environment, scope, text, &node, error)))
        return failed;
    return jsonb_value(scope, node, value, error);
}

static enum sqlstate jsonb_out(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    struct text out = text_in(scope);
    struct value whole;
    enum sqlstate failed = jsonb_write(environment, &out, jsonb_root(value), error);
    if (failed || (failed = value_of_text(&out, &whole, error)))
        return failed;
    *text = value_view(&whole);
    return SQLSTATE_OK;
}

/* The binary form is a version, 1, and the text. */
static enum sqlstate jsonb_receive(struct environment *environment, struct scope *scope,
                                   const struct type *type, int32_t modifier, struct bytes binary,
                                   struct value *value, struct error *error)
{
    if (binary.size == 0)
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "no data left in message");
    if (binary.data[0] != 1)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "unsupported jsonb version number %d",
                         binary.data[0]);
    return jsonb_in(environment, scope, type, modifier, bytes_of(binary.data + 1, binary.size - 1), value,
                    error);
}

static enum sqlstate jsonb_send(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *binary, struct error *error)
{
    struct text out = text_in(scope);
    struct value whole;
    text_bytes(&out, bytes_of("\1", 1));
    enum sqlstate failed = jsonb_write(environment, &out, jsonb_root(value), error);
    if (failed || (failed = value_of_text(&out, &whole, error)))
        return failed;
    *binary = value_view(&whole);
    return SQLSTATE_OK;
}

const struct type_ops jsonb_ops = {.in = jsonb_in,
                                   .out = jsonb_out,
                                   .receive = jsonb_receive,
                                   .send = jsonb_send,
                                   .compare = jsonb_compare,
                                   .hash = jsonb_hash};

static const struct function functions[] = {
    {"jsonb_eq", compare_eq, 0},   {"jsonb_ne", compare_ne, 0},     {"jsonb_lt", compare_lt, 0},
    {"jsonb_le", compare_le, 0},   {"jsonb_gt", compare_gt, 0},     {"jsonb_ge", compare_ge, 0},
    {"jsonb_cmp", compare_cmp, 0}, {"jsonb_hash", compare_hash, 0}, {NULL, NULL, 0},
};

const struct library jsonb_library = {.functions = functions};
