/* The bytes of an array; building one, reading it, and subscripts.
 *
 *     offset      size   meaning
 *     0           4      oid of the elements' type
 *     4           1      dimensions d, 0 .. 6; 0 = empty, and nothing follows
 *     5           1      1 = some element is null
 *     6           1      kind of the elements' pieces (piece.h)
 *     7           1      bytes of a piece, 0 = they differ
 *     8           8 d    length and first subscript of each dimension, 4 bytes each
 *                 n/8    if some are null: one bit for each of the n elements, lowest first, 1 = null
 *                 4 n    if pieces differ: where each ends, counted from the first
 *                 ...    pieces, row-major; a null has one only where they are of one size (zeros)
 *
 * Everything little-endian and unaligned. Two arrays are equal when their elements and subscripts are, not their bytes. */
#include "sqlfront/value/array/array.h"

#include "base/check.h"
#include "sqlfront/value/array/piece.h"
#include "sqlfront/value/text/text.h"

#define HEAD_BYTES 8

/* ---- reading ---- */

static int32_t int32_at(const uint8_t *at)
{
    int32_t value;
    memcpy(&value, at, 4);
    return value;
}

void array_read(const struct value *value, struct array *array)
{
    const uint8_t *at = value->p;
    check(value->size >= HEAD_BYTES && at[4] <= ARRAY_DIMENSIONS_MAX, "an array of %u bytes", value->size);
    *array = (struct array){.element = (uint32_t)int32_at(at),
                            .dimensions = at[4],
                            .kind = at[6],
                            .width = at[7],
                            .end = at + value->size};
    bool nulls = at[5];
    at += HEAD_BYTES;
    size_t count = array->dimensions ? 1 : 0;
    for (int i = 0; i < array->dimensions; i++, at += 8) {
        array->length[i] = int32_at(at);
        array->lower[i] = int32_at(at + 4);
        count *= (uint32_t)array->length[i];
    }
    check(count <= ARRAY_ELEMENTS_MAX);
    array->count = (uint32_t)count;
    if (nulls) {
        array->nulls = at;
        at += (count + 7) / 8;
    }
    if (!piece_is_fixed(array->kind, array->width)) {
        array->ends = at;
        at += 4 * count;
    }
    array->data = at;
}

bool array_is_null_at(const struct array *array, uint32_t at)
{
    return array->nulls && array->nulls[at / 8] >> at % 8 & 1;
}

struct value array_get(const struct array *array, uint32_t at)
{
    if (array_is_null_at(array, at))
        return value_null();
    size_t start = (size_t)at * array->width, size = array->width;
    if (array->ends) {
        start = at ? (uint32_t)int32_at(array->ends + 4 * (size_t)(at - 1)) : 0;
        size = (uint32_t)int32_at(array->ends + 4 * (size_t)at) - start;
    }
    return piece_read(array->kind, array->width, array->data + start, size);
}

/* The row-major place of an element; -1 outside. */
static int64_t place_of(const struct array *array, const int64_t *subscripts, uint32_t count)
{
    if ((uint32_t)array->dimensions != count || count == 0)
        return -1;
    int64_t place = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t within = subscripts[i] - array->lower[i];
        if (within < 0 || within >= array->length[i])
            return -1;
        place = place * array->length[i] + within;
    }
    return place;
}

struct value array_element(const struct value *value, const int64_t *subscripts, uint32_t count)
{
    struct array array;
    array_read(value, &array);
    int64_t place = place_of(&array, subscripts, count);
    return place < 0 ? value_null() : array_get(&array, (uint32_t)place);
}

/* ---- building ---- */

static enum sqlstate too_many_elements(struct error *error)
{
    return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (%d)",
                     ARRAY_ELEMENTS_MAX);
}

static enum sqlstate subscripts_wrong(struct error *error, const char *message)
{
    return error_set(error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "%s", message);
}

/* Number of elements, and whether it and the subscripts can be. */
static enum sqlstate elements_of(int dimensions, const int32_t *length, const int32_t *lower, size_t *count,
                                 struct error *error)
{
    *count = dimensions ? 1 : 0;
    for (int i = 0; i < dimensions; i++) {
        if (length[i] < 0 || (size_t)length[i] > ARRAY_ELEMENTS_MAX)
            return too_many_elements(error);
        *count *= (size_t)length[i];
        if (*count > ARRAY_ELEMENTS_MAX)
            return too_many_elements(error);
        if ((int64_t)lower[i] + length[i] > INT32_MAX)
            return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "array lower bound is too large: %d",
                             lower[i]);
    }
    return SQLSTATE_OK;
}

enum sqlstate array_build(struct scope *scope, const struct type *element, int dimensions,
                          const int32_t *length, const int32_t *lower, const struct value *values,
                          struct value *result, struct error *error)
{
    uint8_t kind = piece_kind(element), width = element->width;
    bool fixed = piece_is_fixed(kind, width), nulls = false;
    size_t count, pieces = 0;
    enum sqlstate failed = elements_of(dimensions, length, lower, &count, error);
    if (failed)
        return failed;
    for (size_t i = 0; i < count; i++) {
        nulls |= values[i].null;
        pieces += values[i].null ? (fixed ? width : 0) : piece_size(kind, width, &values[i]);
    }
    dimensions = count ? dimensions : 0;
    size_t before =
        HEAD_BYTES + 8 * (size_t)dimensions + (nulls ? (count + 7) / 8 : 0) + (fixed ? 0 : 4 * count);
    uint8_t *room, *at;
    if ((failed = value_room(scope, before + pieces, &room, error)))
        return failed;
    memcpy(room, &element->oid, 4);
    room[4] = (uint8_t)dimensions;
    room[5] = nulls;
    room[6] = kind;
    room[7] = width;
    at = room + HEAD_BYTES;
    for (int i = 0; i < dimensions; i++, at += 8) {
        memcpy(at, &length[i], 4);
        memcpy(at + 4, &lower[i], 4);
    }
    if (nulls) {
        memset(at, 0, (count + 7) / 8);
        for (size_t i = 0; i < count; i++)
            at[i / 8] |= (uint8_t)(values[i].null << i % 8);
        at += (count + 7) / 8;
    }
    uint8_t *ends = at, *data = fixed ? at : at + 4 * count;
    at = data;
    for (size_t i = 0; i < count; i++) {
        if (!values[i].null) {
            at = piece_write(kind, width, &values[i], at);
        } else if (fixed) {
            memset(at, 0, width);
            at += width;
        }
        uint32_t end = (uint32_t)(at - data);
        if (!fixed)
            memcpy(ends + 4 * i, &end, 4);
    }
    check(at == room + before + pieces);
    *result = value_bytes(room, before + pieces);
    return SQLSTATE_OK;
}

enum sqlstate array_build_list(struct scope *scope, const struct type *element, const struct value *values,
                               size_t count, struct value *result, struct error *error)
{
    if (count > ARRAY_ELEMENTS_MAX)
        return too_many_elements(error);
    int32_t length = (int32_t)count, lower = 1;
    return array_build(scope, element, count ? 1 : 0, &length, &lower, values, result, error);
}

/* Room for the values of an array of that many elements, which must not be too many. */
static enum sqlstate values_room(struct scope *scope, size_t count, struct value **values,
                                 struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, (count ? count : 1) * sizeof **values, &room, error);
    *values = (struct value *)room;
    return failed;
}

enum sqlstate array_build_nested(struct scope *scope, const struct type *element, const struct value *arrays,
                                 uint32_t count, struct value *result, struct error *error)
{
    static const char mismatch[] =
        "multidimensional arrays must have array expressions with matching dimensions";
    struct array first = {0}, array;
    uint32_t empty = 0;
    for (uint32_t i = 0; i < count; i++) {
        array.dimensions = 0;
        if (!arrays[i].null)
            array_read(&arrays[i], &array);
        if (array.dimensions == 0) {
            empty++;
            continue;
        }
        if (first.dimensions == 0)
            first = array;
        bool same = array.dimensions == first.dimensions;
        for (int d = 0; same && d < first.dimensions; d++)
            same = array.length[d] == first.length[d] && array.lower[d] == first.lower[d];
        if (!same)
            return subscripts_wrong(error, mismatch);
    }
    if (empty == count)
        return array_build(scope, element, 0, NULL, NULL, NULL, result, error);
    if (empty > 0)
        return subscripts_wrong(error, mismatch);
    if (first.dimensions == ARRAY_DIMENSIONS_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                         ARRAY_DIMENSIONS_MAX + 1, ARRAY_DIMENSIONS_MAX);
    struct value *values;
    if ((size_t)count * first.count > ARRAY_ELEMENTS_MAX)
        return too_many_elements(error);
    enum sqlstate failed = values_room(scope, (size_t)count * first.count, &values, error);
    if (failed)
        return failed;
    for (uint32_t i = 0, to = 0; i < count; i++) {
        array_read(&arrays[i], &array);
        for (uint32_t from = 0; from < array.count; from++)
            values[to++] = array_get(&array, from);
    }
    int32_t length[ARRAY_DIMENSIONS_MAX] = {(int32_t)count}, lower[ARRAY_DIMENSIONS_MAX] = {1};
    for (int d = 0; d < first.dimensions; d++) {
        length[d + 1] = first.length[d];
        lower[d + 1] = first.lower[d];
    }
    return array_build(scope, element, first.dimensions + 1, length, lower, values, result, error);
}

/* ---- slices ---- */

/* Goes through the row-major places of a box within an array: the last subscript moves fastest. */
struct box {
    int64_t from[ARRAY_DIMENSIONS_MAX], length[ARRAY_DIMENSIONS_MAX], at[ARRAY_DIMENSIONS_MAX]; /* from 0 */
};

static uint32_t box_place(const struct array *array, const struct box *box)
{
    int64_t place = 0;
    for (int i = 0; i < array->dimensions; i++)
        place = place * array->length[i] + box->from[i] + box->at[i];
    return (uint32_t)place;
}

static void box_step(const struct array *array, struct box *box)
{
    for (int i = array->dimensions - 1; i >= 0; i--) {
        if (++box->at[i] < box->length[i])
            return;
        box->at[i] = 0;
    }
}

enum sqlstate array_slice(struct scope *scope, const struct type *element, const struct value *value,
                          const struct array_bounds *bounds, uint32_t count, struct value *result,
                          struct error *error)
{
    struct array array;
    struct box box = {0};
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    array_read(value, &array);
    size_t elements = array.dimensions > 0;
    bool empty = (uint32_t)array.dimensions < count || array.dimensions == 0;
    for (int i = 0; i < array.dimensions && !empty; i++) {
        int64_t least = array.lower[i], most = least + array.length[i] - 1;
        int64_t from = (uint32_t)i < count && bounds[i].lower_given ? bounds[i].lower : least;
        int64_t to = (uint32_t)i < count && bounds[i].upper_given ? bounds[i].upper : most;
        from = from < least ? least : from;
        to = to > most ? most : to;
        empty = from > to;
        box.from[i] = from - least;
        box.length[i] = to - from + 1;
        length[i] = (int32_t)box.length[i];
        lower[i] = 1;
        elements *= (size_t)(empty ? 0 : box.length[i]);
    }
    if (empty)
        return array_build(scope, element, 0, NULL, NULL, NULL, result, error);
    struct value *values;
    enum sqlstate failed = values_room(scope, elements, &values, error);
    if (failed)
        return failed;
    for (size_t i = 0; i < elements; i++, box_step(&array, &box))
        values[i] = array_get(&array, box_place(&array, &box));
    return array_build(scope, element, array.dimensions, length, lower, values, result, error);
}

/* ---- assigning ---- */

/* All elements as values, with room for `more`, which are null. */
static enum sqlstate spread(struct scope *scope, const struct array *array, size_t before, size_t behind,
                            struct value **values, struct error *error)
{
    size_t count = before + array->count + behind;
    if (count > ARRAY_ELEMENTS_MAX)
        return too_many_elements(error);
    enum sqlstate failed = values_room(scope, count, values, error);
    if (failed)
        return failed;
    for (size_t i = 0; i < count; i++) {
        bool inside = i >= before && i < before + array->count;
        (*values)[i] = inside ? array_get(array, (uint32_t)(i - before)) : value_null();
    }
    return SQLSTATE_OK;
}

static void read_or_empty(const struct value *value, struct array *array)
{
    *array = (struct array){0};
    if (!value->null)
        array_read(value, array);
}

/* Makes a one-dimensional array reach from..to. */
static enum sqlstate stretch(struct scope *scope, struct array *array, int64_t from, int64_t to,
                             struct value **values, struct error *error)
{
    int64_t last = (int64_t)array->lower[0] + array->length[0] - 1;
    int64_t before = from < array->lower[0] ? array->lower[0] - from : 0, behind = to > last ? to - last : 0;
    if (before > ARRAY_ELEMENTS_MAX || behind > ARRAY_ELEMENTS_MAX)
        return too_many_elements(error);
    enum sqlstate failed = spread(scope, array, (size_t)before, (size_t)behind, values, error);
    array->lower[0] -= (int32_t)before;
    array->length[0] += (int32_t)(before + behind);
    return failed;
}

static enum sqlstate subscript_fits(int64_t subscript, struct error *error)
{
    if (subscript >= INT32_MIN && subscript < INT32_MAX)
        return SQLSTATE_OK;
    return error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
}

enum sqlstate array_assign(struct scope *scope, const struct type *element, const struct value *target,
                           const int64_t *subscripts, uint32_t count, const struct value *value,
                           struct value *result, struct error *error)
{
    struct array array;
    struct value *values;
    enum sqlstate failed = SQLSTATE_OK;
    read_or_empty(target, &array);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = subscript_fits(subscripts[i], error);
    if (failed)
        return failed;
    if (count > ARRAY_DIMENSIONS_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%u) exceeds the maximum allowed (%d)", count,
                         ARRAY_DIMENSIONS_MAX);
    if (array.dimensions == 0) { /* one element where it was told */
        int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
        for (uint32_t i = 0; i < count; i++) {
            length[i] = 1;
            lower[i] = (int32_t)subscripts[i];
        }
        return array_build(scope, element, (int)count, length, lower, value, result, error);
    }
    if ((uint32_t)array.dimensions != count)
        return subscripts_wrong(error, "wrong number of array subscripts");
    if (count == 1) {
        failed = stretch(scope, &array, subscripts[0], subscripts[0], &values, error);
    } else {
        if (place_of(&array, subscripts, count) < 0)
            return subscripts_wrong(error, "array subscript out of range");
        failed = spread(scope, &array, 0, 0, &values, error);
    }
    if (failed)
        return failed;
    values[place_of(&array, subscripts, count)] = *value;
    return array_build(scope, element, (int)count, array.length, array.lower, values, result, error);
}

/* A slice of an array that has no elements yet: the bounds must all be there. */
static enum sqlstate assign_to_empty(struct scope *scope, const struct type *element,
                                     const struct array_bounds *bounds, uint32_t count,
                                     const struct array *from, struct value *result, struct error *error)
{
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    size_t elements = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (!bounds[i].lower_given || !bounds[i].upper_given) {
            enum sqlstate failed =
                subscripts_wrong(error, "array slice subscript must provide both boundaries");
            error_add(error, ERROR_DETAIL,
                      "When assigning to a slice of an empty array value, slice boundaries must be fully "
                      "specified.");
            return failed;
        }
        int64_t wide = bounds[i].upper - bounds[i].lower + 1;
        if (wide < 0)
            return subscripts_wrong(error, "upper bound cannot be less than lower bound");
        if (wide > ARRAY_ELEMENTS_MAX)
            return too_many_elements(error);
        length[i] = (int32_t)wide;
        lower[i] = (int32_t)bounds[i].lower;
        elements *= (size_t)wide;
        if (elements > ARRAY_ELEMENTS_MAX)
            return too_many_elements(error);
    }
    if (elements > from->count)
        return subscripts_wrong(error, "source array too small");
    struct value *values;
    enum sqlstate failed = spread(scope, from, 0, 0, &values, error);
    return failed ? failed : array_build(scope, element, (int)count, length, lower, values, result, error);
}

enum sqlstate array_assign_slice(struct scope *scope, const struct type *element, const struct value *target,
                                 const struct array_bounds *bounds, uint32_t count,
                                 const struct value *source, struct value *result, struct error *error)
{
    struct array array, from;
    struct box box = {0};
    struct value *values;
    read_or_empty(target, &array);
    if (source->null) { /* as PostgreSQL does: nothing is assigned */
        *result = *target;
        return SQLSTATE_OK;
    }
    array_read(source, &from);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = 0; i < count && !failed; i++) {
        failed = bounds[i].lower_given ? subscript_fits(bounds[i].lower, error) : SQLSTATE_OK;
        if (!failed && bounds[i].upper_given)
            failed = subscript_fits(bounds[i].upper, error);
    }
    if (failed)
        return failed;
    if (count > ARRAY_DIMENSIONS_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%u) exceeds the maximum allowed (%d)", count,
                         ARRAY_DIMENSIONS_MAX);
    if (array.dimensions == 0)
        return assign_to_empty(scope, element, bounds, count, &from, result, error);
    if ((uint32_t)array.dimensions < count)
        return subscripts_wrong(error, "wrong number of array subscripts");
    size_t elements = 1;
    int64_t first[ARRAY_DIMENSIONS_MAX], last[ARRAY_DIMENSIONS_MAX];
    for (int i = 0; i < array.dimensions; i++) {
        bool given = (uint32_t)i < count;
        first[i] = given && bounds[i].lower_given ? bounds[i].lower : array.lower[i];
        last[i] =
            given && bounds[i].upper_given ? bounds[i].upper : (int64_t)array.lower[i] + array.length[i] - 1;
        if (first[i] > last[i])
            return subscripts_wrong(error, "upper bound cannot be less than lower bound");
        bool outside = first[i] < array.lower[i] || last[i] >= (int64_t)array.lower[i] + array.length[i];
        if (array.dimensions > 1 && outside)
            return subscripts_wrong(error, "array subscript out of range");
        box.length[i] = last[i] - first[i] + 1;
        elements *= (size_t)box.length[i];
        if (elements > ARRAY_ELEMENTS_MAX)
            return too_many_elements(error);
    }
    if (elements > from.count)
        return subscripts_wrong(error, "source array too small");
    if (array.dimensions == 1)
        failed = stretch(scope, &array, first[0], last[0], &values, error);
    else
        failed = spread(scope, &array, 0, 0, &values, error);
    if (failed)
        return failed;
    for (int i = 0; i < array.dimensions; i++)
        box.from[i] = first[i] - array.lower[i];
    for (size_t i = 0; i < elements; i++, box_step(&array, &box))
        values[box_place(&array, &box)] = array_get(&from, (uint32_t)i);
    return array_build(scope, element, array.dimensions, array.length, array.lower, values, result, error);
}

/* ---- an array that grows ---- */

enum sqlstate array_builder_add(struct array_builder *builder, struct value value, struct error *error)
{
    if (builder->count == builder->room) {
        uint32_t room = builder->room ? builder->room * 2 : 16;
        struct value *values;
        if (builder->count >= ARRAY_ELEMENTS_MAX / 2)
            return too_many_elements(error);
        enum sqlstate failed = values_room(builder->scope, room, &values, error);
        if (failed)
            return failed;
        if (builder->count)
            memcpy(values, builder->values, builder->count * sizeof *values);
        if (builder->room * sizeof *values > SCOPE_SMALL_BYTES)
            scope_free_large(builder->scope, builder->values);
        builder->values = values;
        builder->room = room;
    }
    builder->values[builder->count++] = value;
    return SQLSTATE_OK;
}

enum sqlstate array_builder_end(const struct array_builder *builder, struct value *result,
                                struct error *error)
{
    return array_build_list(builder->scope, builder->element, builder->values, builder->count, result, error);
}
