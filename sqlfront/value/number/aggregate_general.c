/* Aggregates of any type: count, min, max; those of booleans and bits. */
#include "sqlfront/value/number/tables.h"

/* ---- count ---- */

static enum sqlstate count_step(struct call *call, void *state, const struct value *arguments)
{
    ++*(int64_t *)state;
    return SQLSTATE_OK;
}

STEP_ROWS(count_rows, count_step)

/* count(*): of all rows, without an argument. */
static enum sqlstate count_all_rows(struct call *call, void *const *states, size_t offset,
                                    const struct value *const *arguments, const uint16_t *selection,
                                    uint32_t count)
{
    for (uint32_t at = 0; at < count; at++)
        ++*(int64_t *)((uint8_t *)states[selection ? selection[at] : at] + offset);
    return SQLSTATE_OK;
}

static enum sqlstate count_merge(struct call *call, void *into, const void *from)
{
    *(int64_t *)into += *(const int64_t *)from;
    return SQLSTATE_OK;
}

static enum sqlstate count_finish(struct call *call, void *state, struct value *result)
{
    *result = value_integer(*(int64_t *)state);
    return SQLSTATE_OK;
}

/* ---- min, max ---- */

/* Bytes of the value lie in `room`, which grows by doubling: what was outgrown is not more than what is used. */
struct extreme {
    struct value value;
    uint8_t *room;
    uint32_t room_bytes;
    bool any;
};

static enum sqlstate keep(struct call *call, struct extreme *extreme, const struct value *value)
{
    const struct type *type = call->types[0];
    extreme->any = true;
    extreme->value = *value;
    if (type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT || value->small || value->size == 0)
        return SQLSTATE_OK;
    if (value->size > extreme->room_bytes) {
        size_t bytes = 2 * (size_t)value->size;
        if (bytes > SCOPE_SMALL_BYTES) {
            void *memory;
            enum sqlstate failed = scope_alloc_large(call->scope_lasting, bytes, 16, &memory, call->error);
            if (failed)
                return failed;
            extreme->room = memory;
        } else
            extreme->room = scope_alloc(call->scope_lasting, bytes);
        extreme->room_bytes = (uint32_t)bytes;
    }
    memcpy(extreme->room, value->p, value->size);
    extreme->value.p = extreme->room;
    return SQLSTATE_OK;
}

static int order(struct call *call, const struct extreme *extreme, const struct value *value)
{
    return value_compare(call->environment, call->types[0], &extreme->value, value);
}

/* Of equal ones the last is kept, as PostgreSQL does (1.0 and 1.00 are equal). */
static enum sqlstate max_step(struct call *call, void *state, const struct value *arguments)
{
    struct extreme *extreme = state;
    return extreme->any && order(call, extreme, arguments) > 0 ? SQLSTATE_OK : keep(call, extreme, arguments);
}

static enum sqlstate min_step(struct call *call, void *state, const struct value *arguments)
{
    struct extreme *extreme = state;
    return extreme->any && order(call, extreme, arguments) < 0 ? SQLSTATE_OK : keep(call, extreme, arguments);
}

STEP_ROWS(max_rows, max_step)
STEP_ROWS(min_rows, min_step)

static enum sqlstate max_merge(struct call *call, void *into, const void *from)
{
    const struct extreme *extreme = from;
    return extreme->any ? max_step(call, into, &extreme->value) : SQLSTATE_OK;
}

static enum sqlstate min_merge(struct call *call, void *into, const void *from)
{
    const struct extreme *extreme = from;
    return extreme->any ? min_step(call, into, &extreme->value) : SQLSTATE_OK;
}

static enum sqlstate extreme_finish(struct call *call, void *state, struct value *result)
{
    const struct extreme *extreme = state;
    *result = extreme->any ? extreme->value : value_null();
    return SQLSTATE_OK;
}

/* Saved: nothing; or the value's 16 bytes, and the bytes it points to. */
static enum sqlstate extreme_save(struct call *call, const void *state, struct bytes *saved)
{
    const struct extreme *extreme = state;
    *saved = bytes_of(NULL, 0);
    if (!extreme->any)
        return SQLSTATE_OK;
    bool apart = extreme->room && extreme->value.p == extreme->room;
    size_t bytes = sizeof extreme->value + (apart ? extreme->value.size : 0);
    void *room;
    enum sqlstate failed = SQLSTATE_OK;
    if (bytes > SCOPE_SMALL_BYTES)
        failed = scope_alloc_large(call->scope, bytes, 16, &room, call->error);
    else
        room = scope_alloc(call->scope, bytes);
    if (failed)
        return failed;
    memcpy(room, &extreme->value, sizeof extreme->value);
    if (apart)
        memcpy((uint8_t *)room + sizeof extreme->value, extreme->value.p, extreme->value.size);
    *saved = bytes_of(room, bytes);
    return SQLSTATE_OK;
}

static enum sqlstate extreme_load(struct call *call, void *state, struct bytes saved)
{
    struct extreme *extreme = state;
    struct value value;
    *extreme = (struct extreme){0};
    if (saved.size == 0)
        return SQLSTATE_OK;
    if (saved.size < sizeof value)
        return raise_bad_binary(call->error, true);
    memcpy(&value, saved.data, sizeof value);
    if (saved.size > sizeof value) {
        if (value.size != saved.size - sizeof value)
            return raise_bad_binary(call->error, false);
        value.p = saved.data + sizeof value;
    }
    return keep(call, extreme, &value);
}

/* ---- booleans ---- */

struct truth {
    bool any, all, some;
};

static enum sqlstate truth_step(struct call *call, void *state, const struct value *arguments)
{
    struct truth *truth = state;
    bool is = arguments[0].i;
    truth->all = is && (truth->all || !truth->any);
    truth->some |= is;
    truth->any = true;
    return SQLSTATE_OK;
}

static enum sqlstate truth_merge(struct call *call, void *into, const void *from)
{
    struct truth *truth = into;
    const struct truth *other = from;
    if (!other->any)
        return SQLSTATE_OK;
    truth->all = other->all && (truth->all || !truth->any);
    truth->some |= other->some;
    truth->any = true;
    return SQLSTATE_OK;
}

static enum sqlstate all_finish(struct call *call, void *state, struct value *result)
{
    const struct truth *truth = state;
    *result = truth->any ? value_boolean(truth->all) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate some_finish(struct call *call, void *state, struct value *result)
{
    const struct truth *truth = state;
    *result = truth->any ? value_boolean(truth->some) : value_null();
    return SQLSTATE_OK;
}

/* ---- bits of integers ---- */

struct bits {
    int64_t all, some, odd;
    bool any;
};

static enum sqlstate bits_step(struct call *call, void *state, const struct value *arguments)
{
    struct bits *bits = state;
    bits->all = bits->any ? bits->all & arguments[0].i : arguments[0].i;
    bits->some |= arguments[0].i;
    bits->odd ^= arguments[0].i;
    bits->any = true;
    return SQLSTATE_OK;
}

static enum sqlstate bits_merge(struct call *call, void *into, const void *from)
{
    struct bits *bits = into;
    const struct bits *other = from;
    if (!other->any)
        return SQLSTATE_OK;
    bits->all = bits->any ? bits->all & other->all : other->all;
    bits->some |= other->some;
    bits->odd ^= other->odd;
    bits->any = true;
    return SQLSTATE_OK;
}

static enum sqlstate bits_and_finish(struct call *call, void *state, struct value *result)
{
    const struct bits *bits = state;
    *result = bits->any ? value_integer(bits->all) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate bits_or_finish(struct call *call, void *state, struct value *result)
{
    const struct bits *bits = state;
    *result = bits->any ? value_integer(bits->some) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate bits_xor_finish(struct call *call, void *state, struct value *result)
{
    const struct bits *bits = state;
    *result = bits->any ? value_integer(bits->odd) : value_null();
    return SQLSTATE_OK;
}

/* clang-format off */
#define EXTREMES(type)                                                                                            \
    {"min", {type}, sizeof(struct extreme), false, min_step, min_merge, extreme_finish, extreme_save, extreme_load, min_rows}, \
    {"max", {type}, sizeof(struct extreme), false, max_step, max_merge, extreme_finish, extreme_save, extreme_load, max_rows}
#define TRUTH(name, finish) {name, {TYPE_BOOL}, sizeof(struct truth), false, truth_step, truth_merge, finish}
#define BITS(name, finish)                                                                    \
    {name, {TYPE_INT2}, sizeof(struct bits), false, bits_step, bits_merge, finish},           \
    {name, {TYPE_INT4}, sizeof(struct bits), false, bits_step, bits_merge, finish},           \
    {name, {TYPE_INT8}, sizeof(struct bits), false, bits_step, bits_merge, finish}

static const struct aggregate aggregates[] = {
    {"count", {0}, sizeof(int64_t), true, count_step, count_merge, count_finish, .step_rows = count_all_rows},
    {"count", {TYPE_ANY}, sizeof(int64_t), false, count_step, count_merge, count_finish, .step_rows = count_rows},
    EXTREMES(TYPE_INT2), EXTREMES(TYPE_INT4), EXTREMES(TYPE_INT8), EXTREMES(TYPE_OID), EXTREMES(TYPE_TID),
    EXTREMES(TYPE_XID8), EXTREMES(TYPE_FLOAT4), EXTREMES(TYPE_FLOAT8), EXTREMES(TYPE_NUMERIC), EXTREMES(TYPE_MONEY),
    EXTREMES(TYPE_DATE), EXTREMES(TYPE_TIME), EXTREMES(TYPE_TIMETZ), EXTREMES(TYPE_TIMESTAMP),
    EXTREMES(TYPE_TIMESTAMPTZ), EXTREMES(TYPE_INTERVAL), EXTREMES(TYPE_TEXT), EXTREMES(TYPE_BPCHAR),
    EXTREMES(TYPE_INET), EXTREMES(TYPE_PG_LSN), EXTREMES(TYPE_ANYARRAY), EXTREMES(TYPE_ANYENUM),
    TRUTH("bool_and", all_finish),
    TRUTH("every", all_finish),
    TRUTH("bool_or", some_finish),
    BITS("bit_and", bits_and_finish),
    BITS("bit_or", bits_or_finish),
    BITS("bit_xor", bits_xor_finish),
    {0},
};
/* clang-format on */

const struct library general_aggregate_library = {.aggregates = aggregates};
