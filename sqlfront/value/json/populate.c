/* From json to records: json_populate_record, json_to_record and the same of sets and of jsonb (PostgreSQL manual, 9.16). A
 * member becomes the column of its name: an array an array, an object a record, anything else the text of the type.
 *
 * json_to_recordset gives one value per column; json_populate_recordset, which says what its rows are, one record. */
#include "sqlfront/value/json/access.h"

#include "base/fiber.h"
#include "base/world.h"
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/json/json.h"
#include "sqlfront/value/text/text.h"

/* A value of either type: json text as it stands, or a node. */
struct source {
    bool binary;
    struct json_item item;
    struct jsonb_node node;
};

static bool is_null(const struct source *source)
{
    return source->binary ? source->node.tag == JSONB_NULL : source->item.token == JSON_NULL;
}

static bool is_object(const struct source *source)
{
    return source->binary ? source->node.tag == JSONB_OBJECT : source->item.token == JSON_OBJECT;
}

static bool is_array(const struct source *source)
{
    return source->binary ? source->node.tag == JSONB_ARRAY : source->item.token == JSON_ARRAY;
}

static bool is_string(const struct source *source)
{
    return source->binary ? source->node.tag == JSONB_STRING : source->item.token == JSON_STRING;
}

static enum sqlstate source_of(struct call *call, const struct value *value, bool binary,
                               struct source *source)
{
    *source = (struct source){.binary = binary};
    if (!binary)
        return json_first(call, value_view(value), &source->item);
    source->node = jsonb_root(value);
    return SQLSTATE_OK;
}

/* What ->> gives; of a null, "null". */
static enum sqlstate source_text(struct call *call, const struct source *source, struct bytes *text)
{
    struct value shown;
    enum sqlstate failed = SQLSTATE_OK;
    if (source->binary)
        failed = jsonb_as_text(call->environment, call->scope, source->node, &shown, call->error);
    else
        shown = json_as_text(&source->item);
    if (!failed)
        *text = shown.null ? bytes_of_text("null") : value_view(&shown);
    return failed;
}

/* ---- elements and members ---- */

struct sources {
    struct call *call;
    struct source *list;
    struct bytes *keys;
    uint32_t count, room;
};

static enum sqlstate sources_add(struct sources *sources, struct bytes key, const struct source *source)
{
    if (sources->count == sources->room) {
        uint32_t wanted = sources->room ? sources->room * 2 : 16;
        uint8_t *room;
        enum sqlstate failed = value_room(sources->call->scope, wanted * (sizeof *source + sizeof key), &room,
                                          sources->call->error);
        if (failed)
            return failed;
        struct bytes *keys = (struct bytes *)(room + wanted * sizeof *source);
        if (sources->count) {
            memcpy(room, sources->list, sources->count * sizeof *source);
            memcpy(keys, sources->keys, sources->count * sizeof key);
        }
        sources->list = (struct source *)room;
        sources->keys = keys;
        sources->room = wanted;
    }
    sources->keys[sources->count] = key;
    sources->list[sources->count++] = *source;
    return SQLSTATE_OK;
}

static enum sqlstate sources_take(void *state, struct bytes key, const struct json_item *item, bool *more)
{
    struct source source = {.item = *item};
    return sources_add(state, key, &source);
}

static enum sqlstate sources_of(struct call *call, const struct source *source, struct sources *sources)
{
    enum json_token token;
    enum sqlstate failed = SQLSTATE_OK;
    *sources = (struct sources){.call = call};
    if (!source->binary)
        return json_items(call, source->item.text, &token, sources_take, sources);
    bool object = source->node.tag == JSONB_OBJECT;
    for (uint32_t i = 0; i < jsonb_count(source->node) && !failed; i++) {
        struct source one = {.binary = true, .node = jsonb_at(source->node, i)};
        failed = sources_add(sources, object ? jsonb_key_at(source->node, i) : bytes_of("", 0), &one);
    }
    return failed;
}

/* The member of that name; of several the last. */
static const struct source *named(const struct sources *sources, const char *name)
{
    for (uint32_t i = sources->count; i-- > 0;)
        if (bytes_compare(sources->keys[i], bytes_of_text(name)) == 0)
            return &sources->list[i];
    return NULL;
}

/* ---- one value ---- */

static enum sqlstate populate(struct call *call, const struct source *source, const struct type *type,
                              int32_t modifier, const struct value *base, struct value *result);

static enum sqlstate columns_room(struct call *call, uint32_t count, struct value **values,
                                  const struct type ***types)
{
    uint8_t *room;
    enum sqlstate failed =
        value_room(call->scope, (count + (size_t)1) * (sizeof **values + sizeof **types), &room, call->error);
    *values = (struct value *)room;
    *types = (const struct type **)(room + (count + (size_t)1) * sizeof **values);
    return failed;
}

/* The columns of a row out of an object; what has no member stays as in `base`, which may be NULL. */
static enum sqlstate populate_columns(struct call *call, const struct source *source, const struct type *type,
                                      const struct value *base, struct value *values,
                                      const struct type **types)
{
    struct sources members;
    enum sqlstate failed = sources_of(call, source, &members);
    for (uint32_t i = 0; i < type->field_count && !failed; i++) {
        const struct row_field *field = &type->fields[i];
        uint32_t ignored;
        values[i] =
            base && !base->null && i < record_count(base) ? record_field(base, i, &ignored) : value_null();
        if ((failed = type_of_oid(call->environment, field->type, &types[i], call->error)))
            break;
        const struct source *member = named(&members, field->name);
        if (member)
            failed = populate(call, member, types[i], field->modifier, &values[i], &values[i]);
    }
    return failed;
}

static enum sqlstate populate_row(struct call *call, const struct source *source, const struct type *type,
                                  const struct value *base, struct value *result)
{
    struct value *values;
    const struct type **types;
    enum sqlstate failed = columns_room(call, type->field_count, &values, &types);
    if (!failed)
        failed = populate_columns(call, source, type, base, values, types);
    return failed ? failed
                  : record_build(call->scope, type, types, values, type->field_count, result, call->error);
}

static enum sqlstate not_an_array(struct call *call)
{
    return error_set(call->error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "expected JSON array");
}

static enum sqlstate ragged(struct call *call)
{
    enum sqlstate failed =
        error_set(call->error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "malformed JSON array");
    error_add(call->error, ERROR_DETAIL,
              "Multidimensional arrays must have sub-arrays with matching dimensions.");
    return failed;
}

/* An array that is being filled: as long as no element has been seen, arrays within arrays are its dimensions. */
struct filling {
    struct array_builder list;
    int dimensions; /* 0: not known yet */
    int32_t length[ARRAY_DIMENSIONS_MAX];
    int32_t modifier;
};

static enum sqlstate fill(struct call *call, struct filling *filling, const struct source *source, int level)
{
    struct sources elements;
    enum sqlstate failed = sources_of(call, source, &elements);
    if (failed)
        return failed;
    if (level == ARRAY_DIMENSIONS_MAX)
        return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%d) exceeds the maximum allowed (%d)", level + 1,
                         ARRAY_DIMENSIONS_MAX);
    if (filling->length[level] >= 0 && filling->length[level] != (int32_t)elements.count)
        return ragged(call);
    filling->length[level] = (int32_t)elements.count;
    for (uint32_t i = 0; i < elements.count && !failed; i++) {
        const struct source *one = &elements.list[i];
        bool deeper = is_array(one) && (filling->dimensions == 0 || level + 1 < filling->dimensions);
        struct value value;
        if (deeper) {
            failed = fill(call, filling, one, level + 1);
            continue;
        }
        if (filling->dimensions == 0)
            filling->dimensions = level + 1;
        if (filling->dimensions != level + 1)
            return ragged(call);
        failed = populate(call, one, filling->list.element, filling->modifier, NULL, &value);
        if (!failed)
            failed = array_builder_add(&filling->list, value, call->error);
    }
    return failed;
}

static enum sqlstate populate_array(struct call *call, const struct source *source, const struct type *type,
                                    int32_t modifier, struct value *result)
{
    static const int32_t lower[ARRAY_DIMENSIONS_MAX] = {1, 1, 1, 1, 1, 1};
    struct filling filling = {.list = {.scope = call->scope}, .modifier = modifier};
    enum sqlstate failed = type_of_oid(call->environment, type->element, &filling.list.element, call->error);
    for (int i = 0; i < ARRAY_DIMENSIONS_MAX; i++)
        filling.length[i] = -1;
    if (!failed)
        failed = fill(call, &filling, source, 0);
    if (failed)
        return failed;
    return array_build(call->scope, filling.list.element, filling.dimensions, filling.length, lower,
                       filling.list.values, result, call->error);
}

static enum sqlstate as_json(struct call *call, const struct source *source, const struct type *type,
                             struct value *result)
{
    struct text out = text_in(call->scope);
    if (type->oid == TYPE_JSONB && source->binary)
        return jsonb_value(call->scope, source->node, result, call->error);
    if (type->oid == TYPE_JSONB)
        return type->ops->in(call->environment, call->scope, type, -1, source->item.text, result,
                             call->error);
    if (!source->binary) {
        *result = value_bytes(source->item.text.data, source->item.text.size);
        return SQLSTATE_OK;
    }
    enum sqlstate failed = jsonb_write(call->environment, &out, source->node, call->error);
    return failed ? failed : value_of_text(&out, result, call->error);
}

static enum sqlstate populate(struct call *call, const struct source *source, const struct type *type,
                              int32_t modifier, const struct value *base, struct value *result)
{
    struct world *world = call->environment->world;
    enum sqlstate failed = world ? fiber_check_stack(world->scheduler, call->error) : SQLSTATE_OK;
    if (failed)
        return failed;
    if (is_null(source)) {
        *result = value_null();
        return SQLSTATE_OK;
    }
    bool composite = type->type_type == 'c', array = type->element && type->category == 'A';
    if (type->oid == TYPE_JSON || type->oid == TYPE_JSONB)
        return as_json(call, source, type, result);
    if (array && is_array(source))
        return populate_array(call, source, type, modifier, result);
    if (array && !is_string(source))
        return not_an_array(call);
    if (composite && is_object(source) && type->fields)
        return populate_row(call, source, type, base, result);
    if (composite && !is_string(source))
        return json_wrong(call, "cannot call %s on %s", "populate_composite",
                          is_array(source) ? "an array" : "a scalar");
    struct bytes text;
    failed = source_text(call, source, &text);
    return failed ? failed
                  : type->ops->in(call->environment, call->scope, type, modifier, text, result, call->error);
}

/* ---- one record ---- */

static enum sqlstate not_an_object(struct call *call, const struct source *source, const char *name)
{
    return json_wrong(call, "cannot call %s on %s", name, is_array(source) ? "an array" : "a scalar");
}

/* The type of the rows that a call gives. */
static enum sqlstate row_type(struct call *call, bool based, const char *name, const struct type **type)
{
    *type = based && call->types[0]->fields ? call->types[0] : call->result;
    if ((*type)->fields)
        return SQLSTATE_OK;
    if (based)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH, "first argument of %s must be a row type",
                         name);
    enum sqlstate failed = error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                     "could not determine row type for result of %s", name);
    error_add(call->error, ERROR_HINT,
              "Call the function in the FROM clause using a column definition list.");
    return failed;
}

static enum sqlstate record_of(struct call *call, const struct value *base, const struct value *json,
                               bool binary, const char *name, struct value *result)
{
    const struct type *type;
    struct source source;
    *result = base ? *base : value_null();
    enum sqlstate failed = row_type(call, base != NULL, name, &type);
    if (failed || json->null)
        return failed;
    if ((failed = source_of(call, json, binary, &source)))
        return failed;
    if (is_null(&source) && base)
        return SQLSTATE_OK;
    return is_object(&source) ? populate_row(call, &source, type, base, result)
                              : not_an_object(call, &source, name);
}

static enum sqlstate json_populate_record(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return record_of(call, &arguments[0], &arguments[1], false, "json_populate_record", result);
}

static enum sqlstate jsonb_populate_record(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return record_of(call, &arguments[0], &arguments[1], true, "jsonb_populate_record", result);
}

static enum sqlstate json_to_record(struct call *call, const struct value *arguments, struct value *result)
{
    return record_of(call, NULL, &arguments[0], false, "json_to_record", result);
}

static enum sqlstate jsonb_to_record(struct call *call, const struct value *arguments, struct value *result)
{
    return record_of(call, NULL, &arguments[0], true, "jsonb_to_record", result);
}

/* ---- rows ---- */

struct rows {
    const struct type *type;
    struct value base;
    struct sources list;
    uint32_t at;
    const char *name;
};

static enum sqlstate rows_open(struct call *call, const struct value *base, const struct value *json,
                               bool binary, const char *name)
{
    if (!call->memory)
        call->memory = scope_alloc_zeroed(call->scope_lasting, sizeof(struct rows));
    struct rows *rows = call->memory;
    struct source source;
    *rows = (struct rows){.base = base ? *base : value_null(), .name = name};
    enum sqlstate failed = row_type(call, base != NULL, name, &rows->type);
    if (failed || json->null)
        return failed;
    if ((failed = source_of(call, json, binary, &source)))
        return failed;
    if (is_object(&source))
        return json_wrong(call, binary ? "cannot call %s on a non-array" : "cannot call %s on an object",
                          name);
    if (!is_array(&source))
        return json_wrong(call, binary ? "cannot call %s on a non-array" : "cannot call %s on a scalar",
                          name);
    return sources_of(call, &source, &rows->list);
}

/* The object of the next row. */
static enum sqlstate next_object(struct call *call, const struct source **source)
{
    struct rows *rows = call->memory;
    *source = rows->at < rows->list.count ? &rows->list.list[rows->at++] : NULL;
    if (!*source || is_object(*source))
        return SQLSTATE_OK;
    return json_wrong(call, "argument of %s must be an array of objects", rows->name);
}

static enum sqlstate columns_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    const struct source *source;
    struct value *values;
    const struct type **types;
    enum sqlstate failed = next_object(call, &source);
    *end = !source;
    if (failed || *end)
        return failed;
    failed = columns_room(call, rows->type->field_count, &values, &types);
    return failed ? failed : populate_columns(call, source, rows->type, &rows->base, results, types);
}

static enum sqlstate record_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    const struct source *source;
    enum sqlstate failed = next_object(call, &source);
    *end = !source;
    return failed || *end ? failed : populate_row(call, source, rows->type, &rows->base, &results[0]);
}

static enum sqlstate json_populate_recordset_open(struct call *call, const struct value *arguments)
{
    return rows_open(call, &arguments[0], &arguments[1], false, "json_populate_recordset");
}

static enum sqlstate jsonb_populate_recordset_open(struct call *call, const struct value *arguments)
{
    return rows_open(call, &arguments[0], &arguments[1], true, "jsonb_populate_recordset");
}

static enum sqlstate json_to_recordset_open(struct call *call, const struct value *arguments)
{
    return rows_open(call, NULL, &arguments[0], false, "json_to_recordset");
}

static enum sqlstate jsonb_to_recordset_open(struct call *call, const struct value *arguments)
{
    return rows_open(call, NULL, &arguments[0], true, "jsonb_to_recordset");
}

static const struct function functions[] = {
    {"json_populate_record", json_populate_record, 0},
    {"jsonb_populate_record", jsonb_populate_record, 0},
    {"json_to_record", json_to_record, 0},
    {"jsonb_to_record", jsonb_to_record, 0},
    {NULL, NULL, 0},
};

static const struct set_function set_functions[] = {
    {"json_populate_recordset", json_populate_recordset_open, record_next},
    {"jsonb_populate_recordset", jsonb_populate_recordset_open, record_next},
    {"json_to_recordset", json_to_recordset_open, columns_next},
    {"jsonb_to_recordset", jsonb_to_recordset_open, columns_next},
    {NULL, NULL, NULL},
};

const struct library json_populate_library = {.functions = functions, .set_functions = set_functions};
