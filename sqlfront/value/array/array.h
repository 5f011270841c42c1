/* Arrays and records: values made of values (PostgreSQL manual, 8.15, 8.16, 9.19). The one door of sqlfront/value/array.
 *
 *     array.c     bytes of an array; building, reading, subscripts     literal.c   '{...}' and the binary form
 *     record.c    bytes of a record, '(...)' and the binary form       operate.c   functions and operators of arrays
 *     set.c       unnest, generate_subscripts                          split.c     between text and arrays
 *     aggregate.c array_agg                                            various.c   num_nulls, pg_column_size, ... */
#ifndef SYNOD_SQLFRONT_VALUE_ARRAY_ARRAY_H
#define SYNOD_SQLFRONT_VALUE_ARRAY_ARRAY_H

#include "sqlfront/value/value.h"

extern const struct library array_library;

extern const struct type_ops array_ops, anyarray_ops, record_ops, int2vector_ops, oidvector_ops;

/* Dimensions of an array; elements of one (PostgreSQL's MAXDIM and MaxArraySize, which clients know). */
#define ARRAY_DIMENSIONS_MAX 6
#define ARRAY_ELEMENTS_MAX   134217727

/* ---- reading arrays ---- */

/* A view of an array value, good as long as its bytes. ANY, ALL and everything else that goes through an array asks
 * array_get() for 0 .. count-1, which is the elements in row-major order. */
struct array {
    uint32_t element; /* type's oid */
    uint8_t kind, width;
    int dimensions; /* 0: an empty array */
    int32_t length[ARRAY_DIMENSIONS_MAX];
    int32_t lower[ARRAY_DIMENSIONS_MAX]; /* subscript of the first element */
    uint32_t count;                      /* elements */
    const uint8_t *nulls;                /* one bit for each element; NULL = none is null */
    const uint8_t *ends; /* of elements without a fixed size: where each ends in data, 4 bytes each */
    const uint8_t *data;
    const uint8_t *end;
};

void array_read(const struct value *value, struct array *array);

/* Element `at` (from 0, row-major), as a view. Requires at < array->count. */
struct value array_get(const struct array *array, uint32_t at);
bool array_is_null_at(const struct array *array, uint32_t at);

/* array[subscripts[0]]...[subscripts[count-1]]: null when it lies outside or `count` is not the number of dimensions. */
struct value array_element(const struct value *array, const int64_t *subscripts, uint32_t count);

/* ---- making arrays ---- */

/* An array of `count` = product of length[] elements, row-major; dimensions = 0 makes an empty one. Memory from the scope. 54000
 * for too many elements or bytes, 53200. */
enum sqlstate array_build(struct scope *scope, const struct type *element, int dimensions,
                          const int32_t *length, const int32_t *lower, const struct value *values,
                          struct value *result, struct error *error);

/* The same with one dimension from 1 (empty when there are no values). */
enum sqlstate array_build_list(struct scope *scope, const struct type *element, const struct value *values,
                               size_t count, struct value *result, struct error *error);

/* ARRAY[[...],[...]]: puts arrays of one element type and one shape one behind the other into an array of one dimension
 * more. Nulls and empty arrays among them: all or none (2202E). */
enum sqlstate array_build_nested(struct scope *scope, const struct type *element, const struct value *arrays,
                                 uint32_t count, struct value *result, struct error *error);

/* array[lower:upper]...: bounds that are not given (lower_given, upper_given) are the array's own. Fewer subscripts than
 * dimensions give an empty array, as does a slice outside. The slice starts at 1. */
struct array_bounds {
    int64_t lower, upper;
    bool lower_given, upper_given;
};
enum sqlstate array_slice(struct scope *scope, const struct type *element, const struct value *array,
                          const struct array_bounds *bounds, uint32_t count, struct value *result,
                          struct error *error);

/* array[subscripts...] := value. A null array is an empty one. One-dimensional arrays grow, with nulls between (2202E for
 * others, 54000 when they grow too large). */
enum sqlstate array_assign(struct scope *scope, const struct type *element, const struct value *array,
                           const int64_t *subscripts, uint32_t count, const struct value *value,
                           struct value *result, struct error *error);

/* array[lower:upper]... := source, as many elements as the slice has (2202E when the source has fewer). */
enum sqlstate array_assign_slice(struct scope *scope, const struct type *element, const struct value *array,
                                 const struct array_bounds *bounds, uint32_t count,
                                 const struct value *source, struct value *result, struct error *error);

/* ---- an array that grows: array_agg, parsers ---- */

struct array_builder {
    struct scope *scope;
    const struct type *element;
    struct value *values;
    uint32_t count, room;
};

/* The value's bytes must outlive the builder. 54000, 53200. */
enum sqlstate array_builder_add(struct array_builder *builder, struct value value, struct error *error);
enum sqlstate array_builder_end(const struct array_builder *builder, struct value *result,
                                struct error *error);

/* ---- records ---- */

/* A record of `count` fields. `type` is its type: a row type, or TYPE_RECORD, with or without fields (whose names the value
 * then keeps, for json and the like). Fields' types are `types`. */
enum sqlstate record_build(struct scope *scope, const struct type *type, const struct type *const *types,
                           const struct value *values, uint32_t count, struct value *result,
                           struct error *error);

uint32_t record_count(const struct value *record);

/* Field `at` (from 0) as a view, and its type's oid. */
struct value record_field(const struct value *record, uint32_t at, uint32_t *type);

/* The name of field `at`: the type's, or what the record keeps, or "f1", "f2", ... from the scope. */
const char *record_field_name(struct scope *scope, const struct type *type, const struct value *record,
                              uint32_t at);

/* ---- what the files bring ---- */

extern const struct library array_operate_library, array_set_library, array_split_library,
    array_format_library, array_aggregate_library, record_library, various_library;

#endif
