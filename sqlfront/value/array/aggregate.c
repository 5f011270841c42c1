/* array_agg: of values, and of arrays, which become one array of a dimension more (PostgreSQL manual, 9.21). */
#include "sqlfront/value/array/array.h"

struct gathered {
    struct array_builder list;
    bool any; /* a row was there */
};

static enum sqlstate gather(struct call *call, struct gathered *gathered, const struct type *type,
                            const struct value *value)
{
    struct value copy = *value;
    enum sqlstate failed =
        value->null ? SQLSTATE_OK : value_copy(call->scope_lasting, type, value, &copy, call->error);
    if (!gathered->any)
        gathered->list = (struct array_builder){.scope = call->scope_lasting, .element = type};
    gathered->any = true;
    return failed ? failed : array_builder_add(&gathered->list, copy, call->error);
}

static enum sqlstate values_step(struct call *call, void *state, const struct value *arguments)
{
    return gather(call, state, call->types[0], &arguments[0]);
}

static enum sqlstate merge(struct call *call, void *into, const void *from)
{
    const struct gathered *more = from;
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; more->any && i < more->list.count && !failed; i++)
        failed = gather(call, into, call->types[0], &more->list.values[i]);
    return failed;
}

static enum sqlstate values_finish(struct call *call, void *state, struct value *result)
{
    struct gathered *gathered = state;
    *result = value_null();
    if (!gathered->any)
        return SQLSTATE_OK;
    return array_build_list(call->scope, call->types[0], gathered->list.values, gathered->list.count, result,
                            call->error);
}

/* As an array of the values; nothing when there was no row. */
static enum sqlstate save(struct call *call, const void *state, struct bytes *saved)
{
    const struct gathered *gathered = state;
    struct value array;
    *saved = bytes_of(NULL, 0);
    if (!gathered->any)
        return SQLSTATE_OK;
    enum sqlstate failed = array_build_list(call->scope, call->types[0], gathered->list.values,
                                            gathered->list.count, &array, call->error);
    if (!failed)
        *saved = value_view(&array);
    return failed;
}

static enum sqlstate load(struct call *call, void *state, struct bytes saved)
{
    struct gathered *gathered = state;
    struct array array;
    *gathered = (struct gathered){0};
    if (saved.size == 0)
        return SQLSTATE_OK;
    struct value whole = value_bytes(saved.data, saved.size);
    array_read(&whole, &array);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < array.count && !failed; i++) {
        struct value one = array_get(&array, i);
        failed = gather(call, gathered, call->types[0], &one);
    }
    return failed;
}

/* ---- of arrays ---- */

static enum sqlstate wrong_subscripts(struct call *call, const char *message)
{
    return error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "%s", message);
}

/* Whether another array is like those before it. */
static enum sqlstate fits(struct call *call, const struct gathered *gathered, const struct value *value)
{
    struct array first, array;
    if (value->null)
        return error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays");
    array_read(value, &array);
    if (array.dimensions == 0)
        return wrong_subscripts(call, "cannot accumulate empty arrays");
    if (array.dimensions == ARRAY_DIMENSIONS_MAX)
        return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                         array.dimensions + 1, ARRAY_DIMENSIONS_MAX);
    if (!gathered->any)
        return SQLSTATE_OK;
    array_read(&gathered->list.values[0], &first);
    bool same = first.dimensions == array.dimensions;
    for (int i = 0; same && i < array.dimensions; i++)
        same = first.length[i] == array.length[i];
    return same ? SQLSTATE_OK
                : wrong_subscripts(call, "cannot accumulate arrays of different dimensionality");
}

static enum sqlstate arrays_step(struct call *call, void *state, const struct value *arguments)
{
    enum sqlstate failed = fits(call, state, &arguments[0]);
    return failed ? failed : gather(call, state, call->types[0], &arguments[0]);
}

static enum sqlstate arrays_merge(struct call *call, void *into, const void *from)
{
    const struct gathered *more = from;
    enum sqlstate failed = more->any ? fits(call, into, &more->list.values[0]) : SQLSTATE_OK;
    return failed ? failed : merge(call, into, from);
}

static enum sqlstate arrays_finish(struct call *call, void *state, struct value *result)
{
    struct gathered *gathered = state;
    *result = value_null();
    if (!gathered->any)
        return SQLSTATE_OK;
    const struct type *element = call->environment->type_find(call->environment, call->types[0]->element);
    return array_build_nested(call->scope, element, gathered->list.values, gathered->list.count, result,
                              call->error);
}

static const struct aggregate aggregates[] = {
    {"array_agg",
     {TYPE_ANYNONARRAY},
     sizeof(struct gathered),
     true,
     values_step,
     merge,
     values_finish,
     save,
     load},
    {"array_agg",
     {TYPE_ANYARRAY},
     sizeof(struct gathered),
     true,
     arrays_step,
     arrays_merge,
     arrays_finish,
     save,
     load},
    {0},
};

const struct library array_aggregate_library = {.aggregates = aggregates};
