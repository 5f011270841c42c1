/* Functions that give a row for each element or subscript: unnest, generate_subscripts (PostgreSQL manual, 9.19, 9.25). */
#include "sqlfront/value/array/array.h"

struct unnesting {
    struct array array;
    uint32_t at;
};

/* The state of a call site, made at its first call and used for all. */
static void *state_of(struct call *call, size_t size)
{
    if (!call->memory)
        call->memory = scope_alloc_zeroed(call->scope_lasting, size);
    return call->memory;
}

static enum sqlstate unnest_open(struct call *call, const struct value *arguments)
{
    struct unnesting *unnesting = state_of(call, sizeof *unnesting);
    *unnesting = (struct unnesting){0};
    if (!arguments[0].null)
        array_read(&arguments[0], &unnesting->array);
    return SQLSTATE_OK;
}

static enum sqlstate unnest_next(struct call *call, struct value *results, bool *end)
{
    struct unnesting *unnesting = call->memory;
    *end = unnesting->at == unnesting->array.count;
    if (!*end)
        results[0] = array_get(&unnesting->array, unnesting->at++);
    return SQLSTATE_OK;
}

struct subscripts {
    int64_t from, to; /* the next one and the one behind the last */
    int64_t step;
};

static enum sqlstate subscripts_open(struct call *call, const struct value *arguments, bool reverse)
{
    struct subscripts *subscripts = state_of(call, sizeof *subscripts);
    struct array array = {0};
    *subscripts = (struct subscripts){.step = 1};
    if (!arguments[0].null)
        array_read(&arguments[0], &array);
    int64_t at = arguments[1].i - 1;
    if (at < 0 || at >= array.dimensions)
        return SQLSTATE_OK;
    subscripts->from = array.lower[at];
    subscripts->to = (int64_t)array.lower[at] + array.length[at];
    if (reverse)
        *subscripts = (struct subscripts){.from = subscripts->to - 1, .to = subscripts->from - 1, .step = -1};
    return SQLSTATE_OK;
}

static enum sqlstate generate_subscripts_open(struct call *call, const struct value *arguments)
{
    return subscripts_open(call, arguments, false);
}

static enum sqlstate generate_subscripts_reverse_open(struct call *call, const struct value *arguments)
{
    return subscripts_open(call, arguments, arguments[2].i);
}

static enum sqlstate generate_subscripts_next(struct call *call, struct value *results, bool *end)
{
    struct subscripts *subscripts = call->memory;
    *end = subscripts->from == subscripts->to;
    if (*end)
        return SQLSTATE_OK;
    results[0] = value_integer(subscripts->from);
    subscripts->from += subscripts->step;
    return SQLSTATE_OK;
}

static const struct set_function set_functions[] = {
    {"array_unnest", unnest_open, unnest_next},
    {"generate_subscripts_nodir", generate_subscripts_open, generate_subscripts_next},
    {"generate_subscripts", generate_subscripts_reverse_open, generate_subscripts_next},
    {NULL, NULL, NULL},
};

const struct library array_set_library = {.set_functions = set_functions};
