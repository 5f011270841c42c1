/* Order, equality, hash and copies of values of any type.
 *
 * What most rows need (integers, floats, text, small numerics) is answered here; the types whose bytes have a form of
 * their own are asked through type->ops. */
#include "sqlfront/value/value.h"
#include "sqlfront/value/few.h"

#include "base/check.h"

#include <math.h>

static int compare_integers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* PostgreSQL's total order of floats: NaN is largest and equals itself. */
static int compare_floats(double a, double b)
{
    if (a < b)
        return -1;
    if (a > b)
        return 1;
    if (a == b)
        return 0;
    return (int)(a != a) - (int)(b != b);
}

/* Trailing blanks do not count. */
static struct bytes unpadded(const struct value *value)
{
    size_t size = value->size;
    while (size && value->p[size - 1] == ' ')
        size--;
    return bytes_of(value->p, size);
}

static double position(const struct type *type, int64_t label)
{
    for (uint32_t i = 0; i < type->label_count; i++)
        if (type->labels[i].oid == label)
            return type->labels[i].position;
    return HUGE_VAL; /* a label that this snapshot of the type does not have yet: new ones come last */
}

int value_compare(struct environment *environment, const struct type *type, const struct value *a,
                  const struct value *b)
{
    switch (type->order) {
    case ORDER_INTEGER:
        return compare_integers(a->i, b->i);
    case ORDER_FLOAT:
        return compare_floats(a->f, b->f);
    case ORDER_BYTES:
        return bytes_compare(value_view(a), value_view(b));
    case ORDER_PADDED:
        return bytes_compare(unpadded(a), unpadded(b));
    case ORDER_ENUM:
        return a->i == b->i ? 0 : compare_floats(position(type, a->i), position(type, b->i));
    case ORDER_NUMERIC:
        if (a->small && b->small && a->scale == b->scale)
            return compare_integers(a->i, b->i);
        break;
    default:
        check(type->order != ORDER_NONE);
    }
    return type->ops->compare(environment, type, a, b);
}

bool value_equal(struct environment *environment, const struct type *type, const struct value *a,
                 const struct value *b)
{
    if (type->order == ORDER_BYTES)
        return a->size == b->size && (a->size == 0 || memcmp(a->p, b->p, a->size) == 0);
    return value_compare(environment, type, a, b) == 0;
}

static uint64_t hash_bytes(struct bytes bytes)
{
    uint64_t hash = bytes.size * HASH_SEED;
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ hash_mix(word)) * 0x9fb21c651e98df25ULL;
        hash ^= hash >> 32;
    }
    uint64_t word = left ? load_few(at, left) : 0;
    return hash_mix(hash ^ hash_mix(word));
}

static uint64_t hash_float(double f)
{
    uint64_t bits;
    if (f == 0)
        f = 0; /* -0 */
    if (f != f)
        return hash_mix(0x7ff8000000000000ULL);
    memcpy(&bits, &f, sizeof bits);
    return hash_mix(bits);
}

uint64_t value_hash(struct environment *environment, const struct type *type, const struct value *value)
{
    switch (type->order) {
    case ORDER_INTEGER:
    case ORDER_ENUM:
        return value_hash_integer(value->i);
    case ORDER_FLOAT:
        return hash_float(value->f);
    case ORDER_BYTES:
        return hash_bytes(value_view(value));
    case ORDER_PADDED:
        return hash_bytes(unpadded(value));
    default:
        check(type->order != ORDER_NONE);
    }
    return type->ops->hash(environment, type, value);
}

enum sqlstate value_copy(struct scope *scope, const struct type *type, const struct value *from,
                         struct value *to, struct error *error)
{
    *to = *from;
    bool within = type->kind == VALUE_INTEGER || type->kind == VALUE_FLOAT || from->small;
    if (from->null || within || from->size == 0)
        return SQLSTATE_OK;
    if (from->size <= SCOPE_SMALL_BYTES) {
        to->p = scope_copy(scope, from->p, from->size);
        return SQLSTATE_OK;
    }
    void *memory;
    enum sqlstate failed = scope_alloc_large(scope, from->size, 16, &memory, error);
    if (failed)
        return failed;
    memcpy(memory, from->p, from->size);
    to->p = memory;
    return SQLSTATE_OK;
}

static enum sqlstate unsupported_in(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes form,
                                    struct value *value, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "input of type %s is not supported", type->name);
}

static enum sqlstate unsupported_out(struct environment *environment, struct scope *scope,
                                     const struct type *type, const struct value *value, struct bytes *form,
                                     struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "output of type %s is not supported", type->name);
}

const struct type_ops unsupported_ops = {
    .in = unsupported_in, .out = unsupported_out, .receive = unsupported_in, .send = unsupported_out};
