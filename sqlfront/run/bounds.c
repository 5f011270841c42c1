/* From bounds to ranges of keys.
 *
 * The key of a tuple begins with those of its columns (key.c), so
 *
 *     a = 1, b > 5        from after(k(1) k(5))         to k(1) 03      nulls of b begin with 01 or 03
 *     a = 1, b <= 5       from k(1) 02                  to after(k(1) k(5))
 *     a = 1               from k(1)                     to after(k(1))
 *
 * where after(k) is the first key above all that begin with k. */
#include "sqlfront/run/operator.h"
#include "sqlfront/value/array/array.h"

#define VALUES_BEGIN 0x02
#define VALUES_END   0x03

static const struct key_part row_id_part = {0};

struct bound_key bound_key_of(const struct relation *relation, const struct index *index)
{
    if (index && !index->clustered)
        return (struct bound_key){
            .part = index->key_part, .columns = index->key_columns, .unique = index_is_key(index)};
    if (relation->key_columns == 0)
        return (struct bound_key){.part = &row_id_part, .columns = 0};
    return (struct bound_key){.part = relation->key_part, .columns = relation->key_columns, .unique = true};
}

/* A bound may be of a wider type than the column: -1 below all of the column's values, 1 above. */
int bound_is_outside(const struct type *type, const struct value *value)
{
    if (type->order != ORDER_INTEGER || type->width == 8)
        return 0;
    bool no_sign = type_is_unsigned(type);
    int bits = type->width * 8;
    int64_t least = no_sign ? 0 : -(1LL << (bits - 1));
    int64_t most = no_sign ? (1LL << bits) - 1 : (1LL << (bits - 1)) - 1;
    return value->i < least ? -1 : value->i > most;
}

/* The end of a range: in a descending part, small values are at its end. */
struct edge {
    bool given, inclusive;
    bool nothing, everything; /* the bound lies outside the column's type */
};

static struct edge edge_of(const struct key_part *part, uint8_t kind, const struct value *value, bool low)
{
    struct edge edge = {.given = kind != BOUND_NONE, .inclusive = kind == BOUND_INCLUSIVE};
    if (!edge.given)
        return edge;
    if (value->null) {
        edge.nothing = true;
        return edge;
    }
    int side = bound_is_outside(part->type, value);
    if (part->descending)
        side = -side;
    edge.everything = low ? side < 0 : side > 0;
    edge.nothing = low ? side > 0 : side < 0;
    return edge;
}

static struct bytes copy_key(struct scope *scope, const struct key_writer *writer)
{
    return bytes_of(scope_copy(scope, writer->bytes, writer->size ? writer->size : 1), writer->size);
}

/* The first key above all with that prefix: the end of a range, or its beginning (*none: there is no such key). */
static struct bytes after(struct scope *scope, const struct key_writer *writer, bool *none)
{
    uint32_t size = 0;
    uint8_t *room = scope_alloc(scope, writer->size + 1);
    *none = !key_after_prefix(bytes_of(writer->bytes, writer->size), room, &size);
    return bytes_of(room, size);
}

/* Where the range begins or ends, the prefix being in the writer. */
static enum sqlstate put_edge(struct scope *scope, const struct key_part *part, struct key_writer *prefix,
                              const struct edge *edge, const struct value *value, bool low,
                              bool excludes_null, struct bytes *at, bool *open, struct error *error)
{
    struct key_writer writer;
    memcpy(writer.bytes, prefix->bytes, prefix->size);
    writer.size = prefix->size;
    *open = false;
    if (!edge->given || edge->everything) {
        if (excludes_null)
            writer.bytes[writer.size++] = low ? VALUES_BEGIN : VALUES_END;
        if (low || excludes_null)
            *at = copy_key(scope, &writer);
        else
            *at = after(scope, &writer, open);
        return SQLSTATE_OK;
    }
    enum sqlstate failed = key_append(&writer, part, value, error);
    if (failed)
        return failed;
    if (low == edge->inclusive)
        *at = copy_key(scope, &writer);
    else
        *at = after(scope, &writer, open);
    return SQLSTATE_OK;
}

struct making {
    struct scope *scope;
    const struct bound_key *key;
    const struct plan_bounds *bounds;
    const struct value *equal, *low, *high;
    struct bound_ranges *ranges;
    struct error *error;
};

/* One range; `any` takes the place of equal[any_at]. A bound too long to be a key (54000) can equal nothing, but may bound:
 * that rare error is given. */
static enum sqlstate make_one(struct making *making, const struct value *any)
{
    const struct plan_bounds *bounds = making->bounds;
    const struct bound_key *key = making->key;
    struct key_writer writer = {.size = 0};
    for (uint32_t i = 0; i < bounds->equals; i++) {
        const struct value *value = any && bounds->any_at == i ? any : &making->equal[i];
        if (value->null || bound_is_outside(key->part[i].type, value))
            return SQLSTATE_OK;
        enum sqlstate failed = key_append(&writer, &key->part[i], value, making->error);
        if (failed)
            return failed;
    }
    struct bound_range *made = &making->ranges->range[making->ranges->count];
    *made = (struct bound_range){.point = key->unique && bounds->equals == key->columns && key->columns};
    bool ranged = bounds->low_kind != BOUND_NONE || bounds->high_kind != BOUND_NONE;
    if (!ranged) {
        made->range.from = copy_key(making->scope, &writer);
        made->range.to = after(making->scope, &writer, &made->range.to_open);
        making->ranges->count++;
        return SQLSTATE_OK;
    }
    const struct key_part *part = &key->part[bounds->equals];
    struct edge low = edge_of(part, bounds->low_kind, making->low, true);
    struct edge high = edge_of(part, bounds->high_kind, making->high, false);
    if (low.nothing || high.nothing)
        return SQLSTATE_OK;
    bool none = false;
    enum sqlstate failed = put_edge(making->scope, part, &writer, &low, making->low, true, true,
                                    &made->range.from, &none, making->error);
    if (!failed && !none)
        failed = put_edge(making->scope, part, &writer, &high, making->high, false, true, &made->range.to,
                          &made->range.to_open, making->error);
    if (failed || none)
        return failed;
    making->ranges->count += made->range.to_open || bytes_compare(made->range.from, made->range.to) < 0;
    return SQLSTATE_OK;
}

/* Ranges that are apart, in the order of their beginnings; equal elements of an ANY give the same range once. */
static void put_in_order(struct bound_ranges *ranges)
{
    uint32_t kept = 0;
    for (uint32_t gap = ranges->count / 2; gap > 0; gap /= 2)
        for (uint32_t i = gap; i < ranges->count; i++) {
            struct bound_range moved = ranges->range[i];
            uint32_t at = i;
            for (; at >= gap && bytes_compare(ranges->range[at - gap].range.from, moved.range.from) > 0;
                 at -= gap)
                ranges->range[at] = ranges->range[at - gap];
            ranges->range[at] = moved;
        }
    for (uint32_t i = 0; i < ranges->count; i++)
        if (kept == 0 || bytes_compare(ranges->range[kept - 1].range.from, ranges->range[i].range.from))
            ranges->range[kept++] = ranges->range[i];
    ranges->count = kept;
}

enum sqlstate bounds_make(struct scope *scope, struct environment *environment, const struct bound_key *key,
                          const struct plan_bounds *bounds, const struct value *equal,
                          const struct value *low, const struct value *high, struct bound_ranges *ranges,
                          struct error *error)
{
    (void)environment;
    struct making making = {.scope = scope,
                            .key = key,
                            .bounds = bounds,
                            .equal = equal,
                            .low = low,
                            .high = high,
                            .ranges = ranges,
                            .error = error};
    *ranges = (struct bound_ranges){0};
    if (!bounds->any) {
        ranges->range = scope_alloc(scope, sizeof *ranges->range);
        return make_one(&making, NULL);
    }
    struct array array;
    void *memory;
    if (equal[bounds->any_at].null)
        return SQLSTATE_OK;
    array_read(&equal[bounds->any_at], &array);
    enum sqlstate failed =
        scope_alloc_large(scope, (array.count + 1) * sizeof *ranges->range, 16, &memory, error);
    ranges->range = memory;
    for (uint32_t i = 0; i < array.count && !failed; i++) {
        struct value element = array_get(&array, i);
        failed = make_one(&making, &element);
    }
    put_in_order(ranges);
    return failed;
}
