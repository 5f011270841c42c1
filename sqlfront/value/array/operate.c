/* Functions and operators of arrays (PostgreSQL manual, 9.19); enum_range, which gives one. */
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/pace.h"

#include "sqlfront/value/text/text.h"

#include <stdio.h>

/* ---- what a call works on ---- */

/* An argument as an array; an empty one when it is null. */
static struct array array_argument(const struct value *value)
{
    struct array array = {0};
    if (!value->null)
        array_read(value, &array);
    return array;
}

static enum sqlstate element_type(struct call *call, uint32_t oid, const struct type **type)
{
    return type_of_oid(call->environment, oid, type, call->error);
}

/* The same, of which values must be told equal. */
static enum sqlstate comparable_type(struct call *call, uint32_t oid, const struct type **type)
{
    enum sqlstate failed = element_type(call, oid, type);
    if (failed || (*type)->order != ORDER_NONE)
        return failed;
    return error_set(call->error, SQLSTATE_UNDEFINED_FUNCTION,
                     "could not identify an equality operator for type %s",
                     type_shown_name(call->environment, call->scope, *type));
}

static bool same_element(struct call *call, const struct type *type, const struct value *a,
                         const struct value *b)
{
    if (a->null || b->null)
        return a->null && b->null;
    return value_equal(call->environment, type, a, b);
}

/* All elements, with room for `more` behind them. */
static enum sqlstate elements_of(struct call *call, const struct array *array, uint32_t more,
                                 struct value **values)
{
    uint8_t *room;
    enum sqlstate failed =
        value_room(call->scope, ((size_t)array->count + more + 1) * sizeof **values, &room, call->error);
    *values = (struct value *)room;
    struct pace pace = pace_of(call);
    for (uint32_t i = 0; i < array->count && !failed; i++) {
        (*values)[i] = array_get(array, i);
        failed = pace_step(&pace, 16);
    }
    return failed;
}

static enum sqlstate wrong_subscripts(struct call *call, const char *message, const char *detail)
{
    enum sqlstate failed = error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR, "%s", message);
    if (detail)
        error_add(call->error, ERROR_DETAIL, "%s", detail);
    return failed;
}

/* ---- comparing ---- */

static enum sqlstate order_of(struct call *call, const struct value *arguments, int *order)
{
    const struct type *type;
    struct array first = array_argument(&arguments[0]), second = array_argument(&arguments[1]);
    enum sqlstate failed = comparable_type(call, first.element, &type);
    if (failed)
        return failed;
    if (first.element != second.element)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH,
                         "cannot compare arrays of different element types");
    *order = value_compare(call->environment, call->types[0], &arguments[0], &arguments[1]);
    return SQLSTATE_OK;
}

static enum sqlstate array_eq(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_boolean(order == 0);
    return failed;
}

static enum sqlstate array_ne(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_boolean(order != 0);
    return failed;
}

static enum sqlstate array_lt(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_boolean(order < 0);
    return failed;
}

static enum sqlstate array_le(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_boolean(order <= 0);
    return failed;
}

static enum sqlstate array_gt(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_boolean(order > 0);
    return failed;
}

static enum sqlstate array_ge(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_boolean(order >= 0);
    return failed;
}

static enum sqlstate btarraycmp(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = value_integer((order > 0) - (order < 0));
    return failed;
}

static enum sqlstate array_larger(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = arguments[order < 0];
    return failed;
}

static enum sqlstate array_smaller(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = order_of(call, arguments, &order);
    *result = arguments[order > 0];
    return failed;
}

/* Whether all (or any) elements of `part` are in `whole`; a null equals nothing. */
static enum sqlstate holds(struct call *call, const struct value *whole, const struct value *part, bool all,
                           struct value *result)
{
    struct array outer = array_argument(whole), inner = array_argument(part);
    const struct type *type;
    enum sqlstate failed = comparable_type(call, outer.element, &type);
    if (failed)
        return failed;
    if (outer.element != inner.element)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH,
                         "cannot compare arrays of different element types");
    struct pace pace = pace_of(call);
    for (uint32_t i = 0; i < inner.count; i++) {
        struct value wanted = array_get(&inner, i);
        bool found = false;
        for (uint32_t at = 0; at < outer.count && !wanted.null && !found; at++) {
            struct value has = array_get(&outer, at);
            found = !has.null && value_equal(call->environment, type, &has, &wanted);
            if ((failed = pace_step(&pace, 16)))
                return failed;
        }
        if (found == all)
            continue;
        *result = value_boolean(!all);
        return SQLSTATE_OK;
    }
    *result = value_boolean(all);
    return SQLSTATE_OK;
}

static enum sqlstate arraycontains(struct call *call, const struct value *arguments, struct value *result)
{
    return holds(call, &arguments[0], &arguments[1], true, result);
}

static enum sqlstate arraycontained(struct call *call, const struct value *arguments, struct value *result)
{
    return holds(call, &arguments[1], &arguments[0], true, result);
}

static enum sqlstate arrayoverlap(struct call *call, const struct value *arguments, struct value *result)
{
    return holds(call, &arguments[0], &arguments[1], false, result);
}

/* ---- shape ---- */

static enum sqlstate array_ndims(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    *result = array.dimensions ? value_integer(array.dimensions) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate array_dims(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    struct text text = text_in(call->scope);
    for (int i = 0; i < array.dimensions; i++)
        text_format(&text, "[%d:%d]", array.lower[i], array.lower[i] + array.length[i] - 1);
    *result = value_null();
    return array.dimensions ? value_of_text(&text, result, call->error) : SQLSTATE_OK;
}

static bool has_dimension(const struct array *array, int64_t dimension)
{
    return dimension > 0 && dimension <= array->dimensions;
}

static enum sqlstate array_lower(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    int64_t dimension = arguments[1].i;
    *result = has_dimension(&array, dimension) ? value_integer(array.lower[dimension - 1]) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate array_upper(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    int64_t at = arguments[1].i - 1;
    *result = has_dimension(&array, at + 1) ? value_integer((int64_t)array.lower[at] + array.length[at] - 1)
                                            : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate array_length(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    int64_t dimension = arguments[1].i;
    *result = has_dimension(&array, dimension) ? value_integer(array.length[dimension - 1]) : value_null();
    return SQLSTATE_OK;
}

static enum sqlstate array_cardinality(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(array_argument(&arguments[0]).count);
    return SQLSTATE_OK;
}

/* ---- joining ---- */

static enum sqlstate not_a_list(struct call *call)
{
    return error_set(call->error, SQLSTATE_DATA_EXCEPTION, "argument must be empty or one-dimensional array");
}

/* `array` with one element more at its end or its front; it keeps its lower bound. */
static enum sqlstate extended(struct call *call, const struct value *value, const struct value *added,
                              bool front, struct value *result)
{
    struct array array = array_argument(value);
    const struct type *type;
    struct value *values;
    enum sqlstate failed = element_type(call, value->null ? call->result->element : array.element, &type);
    if (failed)
        return failed;
    if (array.dimensions > 1)
        return not_a_list(call);
    if ((failed = elements_of(call, &array, 1, &values)))
        return failed;
    if (front)
        memmove(values + 1, values, array.count * sizeof *values);
    values[front ? 0 : array.count] = *added;
    int32_t length = (int32_t)array.count + 1, lower = array.dimensions ? array.lower[0] : 1;
    return array_build(call->scope, type, 1, &length, &lower, values, result, call->error);
}

static enum sqlstate array_append(struct call *call, const struct value *arguments, struct value *result)
{
    return extended(call, &arguments[0], &arguments[1], false, result);
}

static enum sqlstate array_prepend(struct call *call, const struct value *arguments, struct value *result)
{
    return extended(call, &arguments[1], &arguments[0], true, result);
}

static enum sqlstate incompatible(struct call *call, const char *detail)
{
    return wrong_subscripts(call, "cannot concatenate incompatible arrays", detail);
}

/* The shape of two arrays one behind the other: they are alike, or one is an element of the other. */
static enum sqlstate joined_shape(struct call *call, const struct array *first, const struct array *second,
                                  struct array *shape)
{
    int difference = first->dimensions - second->dimensions;
    if (difference < -1 || difference > 1) {
        char detail[120];
        snprintf(detail, sizeof detail,
                 "Arrays of %d and %d dimensions are not compatible for concatenation.", first->dimensions,
                 second->dimensions);
        return incompatible(call, detail);
    }
    *shape = difference >= 0 ? *first : *second;
    const struct array *other = difference >= 0 ? second : first;
    int skipped = difference != 0; /* the outer dimension of the larger one */
    shape->length[0] += difference == 0 ? other->length[0] : 1;
    for (int i = difference == 0; i < other->dimensions; i++)
        if (shape->length[i + skipped] != other->length[i] || shape->lower[i + skipped] != other->lower[i])
            return incompatible(
                call, difference == 0
                          ? "Arrays with differing element dimensions are not compatible for "
                            "concatenation."
                          : "Arrays with differing dimensions are not compatible for concatenation.");
    return SQLSTATE_OK;
}

static enum sqlstate array_cat(struct call *call, const struct value *arguments, struct value *result)
{
    struct array first = array_argument(&arguments[0]), second = array_argument(&arguments[1]), shape;
    if (arguments[0].null || arguments[1].null) {
        *result = arguments[arguments[0].null];
        return SQLSTATE_OK;
    }
    if (first.element != second.element)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH, "cannot concatenate incompatible arrays");
    if (first.dimensions == 0 || second.dimensions == 0) {
        *result = arguments[first.dimensions == 0];
        return SQLSTATE_OK;
    }
    const struct type *type;
    struct value *values;
    enum sqlstate failed = joined_shape(call, &first, &second, &shape);
    if (failed || (failed = element_type(call, first.element, &type)))
        return failed;
    if ((failed = elements_of(call, &first, second.count, &values)))
        return failed;
    for (uint32_t i = 0; i < second.count; i++)
        values[first.count + i] = array_get(&second, i);
    return array_build(call->scope, type, shape.dimensions, shape.length, shape.lower, values, result,
                       call->error);
}

/* ---- searching ---- */

static enum sqlstate position(struct call *call, const struct value *arguments, int64_t from,
                              struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    const struct type *type;
    *result = value_null();
    if (arguments[0].null)
        return SQLSTATE_OK;
    if (array.dimensions > 1)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "searching for elements in multidimensional arrays is not supported");
    enum sqlstate failed = comparable_type(call, array.element, &type);
    for (uint32_t i = 0; i < array.count && !failed; i++) {
        struct value one = array_get(&array, i);
        if (array.lower[0] + (int64_t)i < from || !same_element(call, type, &one, &arguments[1]))
            continue;
        *result = value_integer(array.lower[0] + (int64_t)i);
        break;
    }
    return failed;
}

static enum sqlstate array_position(struct call *call, const struct value *arguments, struct value *result)
{
    return position(call, arguments, INT64_MIN, result);
}

static enum sqlstate array_position_start(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    if (arguments[2].null && !arguments[0].null)
        return error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED, "initial position must not be null");
    return position(call, arguments, arguments[2].i, result);
}

static enum sqlstate array_positions(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    const struct type *type, *integer;
    *result = value_null();
    if (arguments[0].null)
        return SQLSTATE_OK;
    if (array.dimensions > 1)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "searching for elements in multidimensional arrays is not supported");
    enum sqlstate failed = comparable_type(call, array.element, &type);
    if (failed || (failed = element_type(call, TYPE_INT4, &integer)))
        return failed;
    struct array_builder builder = {.scope = call->scope, .element = integer};
    for (uint32_t i = 0; i < array.count && !failed; i++) {
        struct value one = array_get(&array, i);
        if (same_element(call, type, &one, &arguments[1]))
            failed = array_builder_add(&builder, value_integer(array.lower[0] + (int64_t)i), call->error);
    }
    return failed ? failed : array_builder_end(&builder, result, call->error);
}

/* ---- replacing ---- */

static enum sqlstate array_remove(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    const struct type *type;
    struct value *values;
    *result = arguments[0];
    if (arguments[0].null)
        return SQLSTATE_OK;
    if (array.dimensions > 1)
        return error_set(call->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "removing elements from multidimensional arrays is not supported");
    enum sqlstate failed = comparable_type(call, array.element, &type);
    if (failed || (failed = elements_of(call, &array, 0, &values)))
        return failed;
    int32_t kept = 0;
    for (uint32_t i = 0; i < array.count; i++)
        if (!same_element(call, type, &values[i], &arguments[1]))
            values[kept++] = values[i];
    if (kept == (int32_t)array.count)
        return SQLSTATE_OK;
    return array_build(call->scope, type, kept ? 1 : 0, &kept, array.lower, values, result, call->error);
}

static enum sqlstate array_replace(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    const struct type *type;
    struct value *values;
    *result = arguments[0];
    if (arguments[0].null || array.count == 0)
        return SQLSTATE_OK;
    enum sqlstate failed = comparable_type(call, array.element, &type);
    if (failed || (failed = elements_of(call, &array, 0, &values)))
        return failed;
    for (uint32_t i = 0; i < array.count; i++)
        if (same_element(call, type, &values[i], &arguments[1]))
            values[i] = arguments[2];
    return array_build(call->scope, type, array.dimensions, array.length, array.lower, values, result,
                       call->error);
}

static enum sqlstate trim_array(struct call *call, const struct value *arguments, struct value *result)
{
    struct array array = array_argument(&arguments[0]);
    const struct type *type;
    int64_t length = array.dimensions ? array.length[0] : 0;
    if (arguments[1].i < 0 || arguments[1].i > length)
        return error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR,
                         "number of elements to trim must be between 0 and %d", (int)length);
    enum sqlstate failed = element_type(call, array.element, &type);
    if (failed)
        return failed;
    struct array_bounds bounds = {
        .upper_given = true, .upper = array.dimensions ? array.lower[0] + length - 1 - arguments[1].i : 0};
    return array_slice(call->scope, type, &arguments[0], &bounds, array.dimensions > 0, result, call->error);
}

/* ---- filling ---- */

/* The integers of a one-dimensional array; *count is their number. */
static enum sqlstate read_shape(struct call *call, const struct value *value, const char *dimensions_detail,
                                const char *nulls, int32_t *shape, int *count)
{
    struct array array = array_argument(value);
    if (array.dimensions > 1)
        return wrong_subscripts(call, "wrong number of array subscripts", dimensions_detail);
    if (array.count > ARRAY_DIMENSIONS_MAX)
        return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%u) exceeds the maximum allowed (%d)", array.count,
                         ARRAY_DIMENSIONS_MAX);
    *count = (int)array.count;
    for (uint32_t i = 0; i < array.count; i++) {
        if (array_is_null_at(&array, i))
            return error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED, "%s", nulls);
        shape[i] = (int32_t)array_get(&array, i).i;
    }
    return SQLSTATE_OK;
}

static enum sqlstate fill(struct call *call, const struct value *arguments, const struct value *lowers,
                          struct value *result)
{
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX] = {1, 1, 1, 1, 1, 1};
    int dimensions, bounds;
    if (arguments[1].null || (lowers && lowers->null))
        return error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED,
                         "dimension array or low bound array cannot be null");
    enum sqlstate failed = read_shape(call, &arguments[1], "Dimension array must be one dimensional.",
                                      "dimension values cannot be null", length, &dimensions);
    if (!failed && lowers) {
        failed = read_shape(call, lowers, "Dimension array must be one dimensional.",
                            "dimension values cannot be null", lower, &bounds);
        if (!failed && bounds != dimensions)
            failed = wrong_subscripts(call, "wrong number of array subscripts",
                                      "Low bound array has different size than dimensions array.");
    }
    if (failed)
        return failed;
    size_t count = dimensions > 0;
    for (int i = 0; i < dimensions && count > 0; i++) {
        count = count * (size_t)(length[i] < 0 ? 0 : length[i]);
        if (length[i] < 0 || count > ARRAY_ELEMENTS_MAX)
            return error_set(call->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "array size exceeds the maximum allowed (%d)", ARRAY_ELEMENTS_MAX);
    }
    const struct type *type;
    uint8_t *room;
    if ((failed = element_type(call, call->result->element, &type)))
        return failed;
    if ((failed = value_room(call->scope, (count + 1) * sizeof(struct value), &room, call->error)))
        return failed;
    struct pace pace = pace_of(call);
    for (size_t i = 0; i < count && !failed; i++) {
        ((struct value *)room)[i] = arguments[0];
        failed = pace_step(&pace, sizeof(struct value));
    }
    if (failed)
        return failed;
    return array_build(call->scope, type, count ? dimensions : 0, length, lower, (struct value *)room, result,
                       call->error);
}

static enum sqlstate array_fill(struct call *call, const struct value *arguments, struct value *result)
{
    return fill(call, arguments, NULL, result);
}

static enum sqlstate array_fill_with_lower_bounds(struct call *call, const struct value *arguments,
                                                  struct value *result)
{
    return fill(call, arguments, &arguments[2], result);
}

/* ---- buckets ---- */

/* How many of the ascending thresholds are not above the operand. */
static enum sqlstate width_bucket_array(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    struct array array = array_argument(&arguments[1]);
    const struct type *type;
    if (array.dimensions > 1)
        return error_set(call->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR,
                         "thresholds must be one-dimensional array");
    if (array.nulls)
        return error_set(call->error, SQLSTATE_NULL_VALUE_NOT_ALLOWED,
                         "thresholds array must not contain NULLs");
    enum sqlstate failed = comparable_type(call, array.element, &type);
    uint32_t low = 0, high = array.count;
    while (!failed && low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct value threshold = array_get(&array, middle);
        if (value_compare(call->environment, type, &arguments[0], &threshold) < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *result = value_integer(low);
    return failed;
}

/* ---- enum_range ---- */

static enum sqlstate labels_between(struct call *call, const struct type *type, const struct value *first,
                                    const struct value *last, struct value *result)
{
    struct array_builder builder = {.scope = call->scope, .element = type};
    bool within = first->null;
    for (uint32_t i = 0; i < type->label_count; i++) {
        int64_t oid = type->labels[i].oid;
        within = within || oid == first->i;
        enum sqlstate failed =
            within ? array_builder_add(&builder, value_integer(oid), call->error) : SQLSTATE_OK;
        if (failed)
            return failed;
        if (!last->null && oid == last->i)
            break;
    }
    return array_builder_end(&builder, result, call->error);
}

static enum sqlstate enum_range_all(struct call *call, const struct value *arguments, struct value *result)
{
    struct value none = value_null();
    return labels_between(call, call->types[0], &none, &none, result);
}

static enum sqlstate enum_range_bounds(struct call *call, const struct value *arguments, struct value *result)
{
    return labels_between(call, call->types[0], &arguments[0], &arguments[1], result);
}

static const struct function functions[] = {
    {"array_eq", array_eq, 0},
    {"array_ne", array_ne, 0},
    {"array_lt", array_lt, 0},
    {"array_le", array_le, 0},
    {"array_gt", array_gt, 0},
    {"array_ge", array_ge, 0},
    {"btarraycmp", btarraycmp, 0},
    {"array_larger", array_larger, 0},
    {"array_smaller", array_smaller, 0},
    {"hash_array", compare_hash, 0},
    {"oidvectoreq", array_eq, 0},
    {"oidvectorne", array_ne, 0},
    {"oidvectorlt", array_lt, 0},
    {"oidvectorle", array_le, 0},
    {"oidvectorgt", array_gt, 0},
    {"oidvectorge", array_ge, 0},
    {"btoidvectorcmp", btarraycmp, 0},
    {"hashoidvector", compare_hash, 0},
    {"arraycontains", arraycontains, 0},
    {"arraycontained", arraycontained, 0},
    {"arrayoverlap", arrayoverlap, 0},
    {"array_ndims", array_ndims, 0},
    {"array_dims", array_dims, 0},
    {"array_lower", array_lower, 0},
    {"array_upper", array_upper, 0},
    {"array_length", array_length, 0},
    {"array_cardinality", array_cardinality, 0},
    {"array_append", array_append, 0},
    {"array_prepend", array_prepend, 0},
    {"array_cat", array_cat, 0},
    {"array_position", array_position, 0},
    {"array_position_start", array_position_start, 0},
    {"array_positions", array_positions, 0},
    {"array_remove", array_remove, 0},
    {"array_replace", array_replace, 0},
    {"trim_array", trim_array, 0},
    {"array_fill", array_fill, 0},
    {"array_fill_with_lower_bounds", array_fill_with_lower_bounds, 0},
    {"width_bucket_array", width_bucket_array, 0},
    {"enum_range_all", enum_range_all, 0},
    {"enum_range_bounds", enum_range_bounds, 0},
    {NULL, NULL, 0},
};

const struct library array_operate_library = {.functions = functions};
