/* json_agg, json_object_agg and the same of jsonb (PostgreSQL manual, 9.21). json grows as text; of jsonb the nodes are kept,
 * and the container is made at the end. */
#include "sqlfront/value/json/access.h"
#include "sqlfront/value/json/build.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/text/text.h"

/* ---- json ---- */

struct growing {
    struct text text; /* elements or members with what is between them */
    bool any;
};

/* What stands in front of the next one: nothing before the first. */
static struct text *next_of(struct call *call, struct growing *growing, const char *between)
{
    if (!growing->any)
        growing->text = text_in(call->scope_lasting);
    else
        text_append(&growing->text, between);
    growing->any = true;
    return &growing->text;
}

static enum sqlstate grown(struct call *call, struct growing *growing)
{
    const char *whole;
    return growing->text.wanted ? text_end(&growing->text, &whole, call->error) : SQLSTATE_OK;
}

static enum sqlstate json_agg_step(struct call *call, void *state, const struct value *arguments)
{
    struct growing *growing = state;
    bool first = !growing->any;
    enum json_kind kind = json_kind_of(call->types[0]);
    bool spacious = !first && !arguments[0].null && (kind == KIND_ARRAY || kind == KIND_RECORD);
    struct text *out = next_of(call, growing, spacious ? ", \n " : ", ");
    enum sqlstate failed = json_write_value(call, out, call->types[0], &arguments[0], false);
    return failed ? failed : grown(call, growing);
}

static enum sqlstate json_object_agg_step(struct call *call, void *state, const struct value *arguments)
{
    struct growing *growing = state;
    struct bytes key;
    if (arguments[0].null)
        return json_wrong(call, "field name must not be null");
    enum sqlstate failed = json_key_of(call, call->types[0], &arguments[0], &key);
    if (failed)
        return failed;
    struct text *out = next_of(call, growing, ", ");
    json_write_string(out, key);
    text_append(out, " : ");
    failed = json_write_value(call, out, call->types[1], &arguments[1], false);
    return failed ? failed : grown(call, growing);
}

static enum sqlstate growing_merge(struct call *call, void *into, const void *from)
{
    const struct growing *more = from;
    if (!more->any)
        return SQLSTATE_OK;
    bool spacious =
        call->arguments == 1 && more->text.size > 0 &&
        (json_kind_of(call->types[0]) == KIND_ARRAY || json_kind_of(call->types[0]) == KIND_RECORD) &&
        more->text.data[0] != 'n';
    text_bytes(next_of(call, into, spacious ? ", \n " : ", "), bytes_of(more->text.data, more->text.size));
    return grown(call, into);
}

static enum sqlstate wrapped(struct call *call, const struct growing *growing, const char *open,
                             const char *close, struct value *result)
{
    struct text out = text_in(call->scope);
    *result = value_null();
    if (!growing->any)
        return SQLSTATE_OK;
    text_append(&out, open);
    text_bytes(&out, bytes_of(growing->text.data, growing->text.size));
    text_append(&out, close);
    return value_of_text(&out, result, call->error);
}

static enum sqlstate json_agg_finish(struct call *call, void *state, struct value *result)
{
    return wrapped(call, state, "[", "]", result);
}

static enum sqlstate json_object_agg_finish(struct call *call, void *state, struct value *result)
{
    return wrapped(call, state, "{ ", " }", result);
}

static enum sqlstate growing_save(struct call *call, const void *state, struct bytes *saved)
{
    const struct growing *growing = state;
    *saved = growing->any ? bytes_of(growing->text.data, growing->text.size) : bytes_of(NULL, 0);
    return SQLSTATE_OK;
}

/* (What was written is never empty: each value has a character at least.) */
static enum sqlstate growing_load(struct call *call, void *state, struct bytes saved)
{
    struct growing *growing = state;
    *growing = (struct growing){0};
    if (saved.size == 0)
        return SQLSTATE_OK;
    text_bytes(next_of(call, growing, ""), saved);
    return grown(call, growing);
}

/* ---- jsonb ---- */

struct collected {
    struct jsonb_member *members;
    uint32_t count, room;
    bool any;
};

static enum sqlstate keep_bytes(struct call *call, const uint8_t **bytes, size_t size)
{
    uint8_t *room;
    enum sqlstate failed = value_room(call->scope_lasting, size, &room, call->error);
    if (failed)
        return failed;
    if (size)
        memcpy(room, *bytes, size);
    *bytes = room;
    return SQLSTATE_OK;
}

/* Copies key and node to where they last. */
static enum sqlstate collect(struct call *call, struct collected *collected, struct bytes key,
                             struct jsonb_node node)
{
    enum sqlstate failed = keep_bytes(call, &node.p, node.size);
    if (!failed && key.size)
        failed = keep_bytes(call, &key.data, key.size);
    if (failed)
        return failed;
    if (collected->count == collected->room) {
        uint32_t wanted = collected->room ? collected->room * 2 : 16;
        uint8_t *room;
        if ((failed =
                 value_room(call->scope_lasting, wanted * sizeof *collected->members, &room, call->error)))
            return failed;
        if (collected->count)
            memcpy(room, collected->members, collected->count * sizeof *collected->members);
        if (collected->room * sizeof *collected->members > SCOPE_SMALL_BYTES)
            scope_free_large(call->scope_lasting, collected->members);
        collected->members = (struct jsonb_member *)room;
        collected->room = wanted;
    }
    collected->any = true;
    collected->members[collected->count++] = (struct jsonb_member){.key = key, .node = node};
    return SQLSTATE_OK;
}

static enum sqlstate node_of(struct call *call, uint32_t at, const struct value *value,
                             struct jsonb_node *node)
{
    struct jsonb_builder builder;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    enum sqlstate failed = jsonb_add_value(call, &builder, call->types[at], value);
    if (!failed)
        *node = jsonb_builder_end(&builder);
    return failed;
}

static enum sqlstate jsonb_agg_step(struct call *call, void *state, const struct value *arguments)
{
    struct jsonb_node node;
    enum sqlstate failed = node_of(call, 0, &arguments[0], &node);
    return failed ? failed : collect(call, state, bytes_of("", 0), node);
}

static enum sqlstate jsonb_object_agg_step(struct call *call, void *state, const struct value *arguments)
{
    struct jsonb_node node;
    struct bytes key;
    if (arguments[0].null)
        return json_wrong(call, "field name must not be null");
    enum sqlstate failed = json_key_of(call, call->types[0], &arguments[0], &key);
    if (!failed)
        failed = node_of(call, 1, &arguments[1], &node);
    return failed ? failed : collect(call, state, key, node);
}

static enum sqlstate collected_merge(struct call *call, void *into, const void *from)
{
    const struct collected *more = from;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < more->count && !failed; i++)
        failed = collect(call, into, more->members[i].key, more->members[i].node);
    return failed;
}

/* As an array of nodes or, with keys, of keys and nodes in turn; an object would lose what comes twice. */
static enum sqlstate container(struct call *call, const struct collected *collected, bool object,
                               struct value *result)
{
    struct jsonb_builder builder;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    enum sqlstate failed = jsonb_builder_open(&builder, object);
    for (uint32_t i = 0; i < collected->count && !failed; i++) {
        jsonb_builder_key(&builder, collected->members[i].key);
        failed = jsonb_builder_add_within(&builder, collected->members[i].node);
    }
    if (!failed)
        failed = jsonb_builder_close(&builder);
    return failed ? failed : jsonb_value(call->scope, jsonb_builder_end(&builder), result, call->error);
}

static enum sqlstate jsonb_agg_finish(struct call *call, void *state, struct value *result)
{
    const struct collected *collected = state;
    *result = value_null();
    return collected->any ? container(call, collected, false, result) : SQLSTATE_OK;
}

static enum sqlstate jsonb_object_agg_finish(struct call *call, void *state, struct value *result)
{
    const struct collected *collected = state;
    *result = value_null();
    return collected->any ? container(call, collected, true, result) : SQLSTATE_OK;
}

/* For jsonb_agg, the array of the nodes; for jsonb_object_agg, an array of keys and nodes in turn. */
static enum sqlstate collected_save(struct call *call, const void *state, struct bytes *saved)
{
    const struct collected *collected = state;
    struct jsonb_builder builder;
    struct value array;
    *saved = bytes_of(NULL, 0);
    if (!collected->any)
        return SQLSTATE_OK;
    jsonb_builder_start(&builder, call->environment, call->scope, call->error);
    enum sqlstate failed = jsonb_builder_open(&builder, false);
    for (uint32_t i = 0; i < collected->count && !failed; i++) {
        if (call->arguments == 2)
            failed = jsonb_builder_add(&builder, jsonb_of_string(collected->members[i].key));
        if (!failed)
            failed = jsonb_builder_add(&builder, collected->members[i].node);
    }
    if (!failed)
        failed = jsonb_builder_close(&builder);
    if (!failed)
        failed = jsonb_value(call->scope, jsonb_builder_end(&builder), &array, call->error);
    if (!failed)
        *saved = value_view(&array);
    return failed;
}

static enum sqlstate collected_load(struct call *call, void *state, struct bytes saved)
{
    *(struct collected *)state = (struct collected){0};
    if (saved.size == 0)
        return SQLSTATE_OK;
    struct value whole = value_bytes(saved.data, saved.size);
    struct jsonb_node array = jsonb_root(&whole);
    enum sqlstate failed = SQLSTATE_OK;
    bool keyed = call->arguments == 2;
    for (uint32_t i = 0; i < jsonb_count(array) && !failed; i += keyed ? 2 : 1) {
        struct bytes key = keyed ? jsonb_string(jsonb_at(array, i)) : bytes_of("", 0);
        failed = collect(call, state, key, jsonb_at(array, i + keyed));
    }
    return failed;
}

/* clang-format off: one row a line */
static const struct aggregate aggregates[] = {
    {"json_agg",
     {TYPE_ANYELEMENT},
     sizeof(struct growing),
     true,
     json_agg_step,
     growing_merge,
     json_agg_finish,
     growing_save,
     growing_load},
    {"json_object_agg",
     {TYPE_ANY, TYPE_ANY},
     sizeof(struct growing),
     true,
     json_object_agg_step,
     growing_merge,
     json_object_agg_finish,
     growing_save,
     growing_load},
    {"jsonb_agg",
     {TYPE_ANYELEMENT},
     sizeof(struct collected),
     true,
     jsonb_agg_step,
     collected_merge,
     jsonb_agg_finish,
     collected_save,
     collected_load},
    {"jsonb_object_agg",
     {TYPE_ANY, TYPE_ANY},
     sizeof(struct collected),
     true,
     jsonb_object_agg_step,
     collected_merge,
     jsonb_object_agg_finish,
     collected_save,
     collected_load},
    {0},
};
/* clang-format on */

const struct library json_aggregate_library = {.aggregates = aggregates};
