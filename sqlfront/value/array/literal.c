/* Arrays as text and bytes: '{1,2,NULL}', '[0:1]={a,"b c"}', and the binary form (PostgreSQL manual, 8.15.2, 8.15.6).
 *
 * A literal is gone through twice: first its braces and commas, which gives the dimensions or says what is wrong with them;
 * then its elements, of which only their own type can still say that something is wrong. */
#include "sqlfront/value/array/array.h"

#include "base/check.h"
#include "base/codec.h"
#include "sqlfront/value/text/text.h"
#include "sqlfront/value/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static char delimiter_of(const struct type *element)
{
    return element->oid == TYPE_BOX ? ';' : ',';
}

/* ---- reading: dimensions ---- */

struct literal {
    const uint8_t *at, *end;
    struct bytes whole; /* for messages */
    char delimiter;
    struct error *error;
};

static enum sqlstate __attribute__((format(printf, 2, 3)))
malformed(struct literal *literal, const char *detail, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    enum sqlstate failed =
        error_set(literal->error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "malformed array literal: \"%.*s\"",
                  (int)literal->whole.size, (const char *)literal->whole.data);
    error_add(literal->error, ERROR_DETAIL, "%s", text);
    return failed;
}

static enum sqlstate unexpected(struct literal *literal, char character)
{
    return malformed(literal, "Unexpected \"%c\" character.", character);
}

static enum sqlstate too_many_dimensions(struct literal *literal, int dimensions)
{
    return error_set(literal->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                     "number of array dimensions (%d) exceeds the maximum allowed (%d)", dimensions,
                     ARRAY_DIMENSIONS_MAX);
}

static void skip_blanks(struct literal *literal)
{
    while (literal->at < literal->end && is_blank(*literal->at))
        literal->at++;
}

/* Digits and signs, read as atoi() does. False when there are none. */
static bool read_bound(struct literal *literal, int32_t *bound)
{
    char digits[24];
    size_t size = 0;
    const uint8_t *start = literal->at;
    while (literal->at < literal->end &&
           ((*literal->at >= '0' && *literal->at <= '9') || *literal->at == '-' || *literal->at == '+')) {
        if (size < sizeof digits - 1)
            digits[size++] = (char)*literal->at;
        literal->at++;
    }
    digits[size] = '\0';
    long long value = strtoll(digits, NULL, 10);
    *bound = value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
    return literal->at > start;
}

/* [1:3][4]...=; gives the number of dimensions told, 0 for none. */
static enum sqlstate read_bounds(struct literal *literal, int *dimensions, int32_t *length, int32_t *lower)
{
    *dimensions = 0;
    for (skip_blanks(literal); literal->at < literal->end && *literal->at == '['; skip_blanks(literal)) {
        int32_t upper;
        literal->at++;
        if (*dimensions == ARRAY_DIMENSIONS_MAX)
            return too_many_dimensions(literal, *dimensions + 1);
        if (!read_bound(literal, &upper))
            return malformed(literal, "\"[\" must introduce explicitly-specified array dimensions.");
        lower[*dimensions] = 1;
        if (literal->at < literal->end && *literal->at == ':') {
            lower[*dimensions] = upper;
            literal->at++;
            if (!read_bound(literal, &upper))
                return malformed(literal, "Missing array dimension value.");
        }
        if (literal->at == literal->end || *literal->at != ']')
            return malformed(literal, "Missing \"%s\" after array dimensions.", "]");
        literal->at++;
        if (upper < lower[*dimensions])
            return error_set(literal->error, SQLSTATE_ARRAY_SUBSCRIPT_ERROR,
                             "upper bound cannot be less than lower bound");
        int64_t wide = (int64_t)upper - lower[*dimensions] + 1;
        length[*dimensions] = wide > INT32_MAX ? INT32_MAX : (int32_t)wide;
        ++*dimensions;
    }
    return SQLSTATE_OK;
}

enum place {
    AT_START,
    LEVEL_STARTED,
    ELEMENT_STARTED,
    QUOTED_STARTED,
    QUOTED_ENDED,
    ELEMENT_DELIMITED,
    LEVEL_ENDED,
    LEVEL_DELIMITED,
};

/* What has been seen of the braces. */
struct shape {
    enum place place;
    int level, dimensions;
    bool empty;
    int32_t seen[ARRAY_DIMENSIONS_MAX];   /* elements, or arrays, of the level in the array being read */
    int32_t length[ARRAY_DIMENSIONS_MAX]; /* as many as the first of this level had; 0 = unknown */
};

static enum sqlstate open_level(struct literal *literal, struct shape *shape)
{
    if (shape->place != AT_START && shape->place != LEVEL_STARTED && shape->place != LEVEL_DELIMITED)
        return unexpected(literal, '{');
    shape->place = LEVEL_STARTED;
    if (shape->level == ARRAY_DIMENSIONS_MAX)
        return too_many_dimensions(literal, shape->level + 1);
    shape->level++;
    if (shape->dimensions < shape->level)
        shape->dimensions = shape->level;
    return SQLSTATE_OK;
}

static enum sqlstate close_level(struct literal *literal, struct shape *shape)
{
    bool may = shape->place == ELEMENT_STARTED || shape->place == QUOTED_ENDED ||
               shape->place == LEVEL_ENDED || (shape->level == 1 && shape->place == LEVEL_STARTED);
    if (!may)
        return unexpected(literal, '}');
    shape->place = LEVEL_ENDED;
    int level = --shape->level;
    if (shape->length[level] && shape->seen[level] != shape->length[level])
        return malformed(literal, "Multidimensional arrays must have sub-arrays with matching dimensions.");
    shape->length[level] = shape->seen[level];
    shape->seen[level] = 1;
    return SQLSTATE_OK;
}

static enum sqlstate delimit(struct literal *literal, struct shape *shape)
{
    if (shape->place != ELEMENT_STARTED && shape->place != QUOTED_ENDED && shape->place != LEVEL_ENDED)
        return unexpected(literal, literal->delimiter);
    shape->place = shape->place == LEVEL_ENDED ? LEVEL_DELIMITED : ELEMENT_DELIMITED;
    shape->seen[shape->level - 1]++;
    return SQLSTATE_OK;
}

static bool element_may_start(const struct shape *shape)
{
    return shape->place == LEVEL_STARTED || shape->place == ELEMENT_DELIMITED;
}

/* A quoted element with its quotes; `at` stands on the first. */
static enum sqlstate skip_quoted(struct literal *literal, struct shape *shape)
{
    if (!element_may_start(shape))
        return malformed(literal, "Unexpected array element.");
    shape->empty = false;
    for (literal->at++; literal->at < literal->end && *literal->at != '"'; literal->at++)
        if (*literal->at == '\\' && ++literal->at == literal->end)
            break;
    if (literal->at >= literal->end)
        return malformed(literal, "Unexpected end of input.");
    shape->place = QUOTED_ENDED;
    return SQLSTATE_OK;
}

static enum sqlstate skip_plain(struct literal *literal, struct shape *shape)
{
    bool escaped = *literal->at == '\\';
    if (!element_may_start(shape) && shape->place != ELEMENT_STARTED)
        return escaped ? unexpected(literal, '\\') : malformed(literal, "Unexpected array element.");
    shape->empty = false;
    shape->place = ELEMENT_STARTED;
    if (escaped && ++literal->at == literal->end)
        return malformed(literal, "Unexpected end of input.");
    return SQLSTATE_OK;
}

static enum sqlstate read_shape(struct literal *literal, struct shape *shape)
{
    *shape = (struct shape){.place = AT_START, .empty = true, .dimensions = 1};
    for (int i = 0; i < ARRAY_DIMENSIONS_MAX; i++)
        shape->seen[i] = 1;
    enum sqlstate failed = SQLSTATE_OK;
    for (; !failed; literal->at++) {
        if (literal->at == literal->end)
            return malformed(literal, "Unexpected end of input.");
        if (*literal->at == '{')
            failed = open_level(literal, shape);
        else if (*literal->at == '}')
            failed = close_level(literal, shape);
        else if (*literal->at == '"')
            failed = skip_quoted(literal, shape);
        else if (*literal->at == (uint8_t)literal->delimiter)
            failed = delimit(literal, shape);
        else if (!is_blank(*literal->at))
            failed = skip_plain(literal, shape);
        if (!failed && shape->level == 0) {
            literal->at++;
            break;
        }
    }
    if (failed)
        return failed;
    for (skip_blanks(literal); literal->at < literal->end;)
        return malformed(literal, "Junk after closing right brace.");
    if (shape->empty)
        shape->dimensions = 0;
    return SQLSTATE_OK;
}

/* ---- reading: elements ---- */

struct reading {
    struct environment *environment;
    struct scope *scope;
    const struct type *element;
    int32_t modifier;
};

/* The next element's text, without quotes and escapes, in `room`. False at the end. */
static bool next_element(struct literal *literal, uint8_t *room, size_t *size, bool *plain)
{
    while (literal->at < literal->end && (is_blank(*literal->at) || *literal->at == '{' ||
                                          *literal->at == '}' || *literal->at == (uint8_t)literal->delimiter))
        literal->at++;
    if (literal->at == literal->end)
        return false;
    size_t kept = 0; /* up to the last character that is no blank */
    *size = 0;
    *plain = *literal->at != '"';
    if (!*plain) {
        for (literal->at++; *literal->at != '"'; literal->at++) {
            literal->at += *literal->at == '\\';
            room[(*size)++] = *literal->at;
        }
        literal->at++;
        return true;
    }
    for (; *literal->at != '}' && *literal->at != (uint8_t)literal->delimiter; literal->at++) {
        bool escaped = *literal->at == '\\', blank = !escaped && is_blank(*literal->at);
        literal->at += escaped;
        if (escaped)
            *plain = false;
        room[(*size)++] = *literal->at;
        if (!blank)
            kept = *size;
    }
    *size = kept;
    return true;
}

static enum sqlstate read_elements(struct literal *literal, const struct reading *reading, size_t count,
                                   struct value *values)
{
    uint8_t *room;
    size_t size;
    bool plain;
    enum sqlstate failed = value_room(reading->scope, literal->whole.size, &room, literal->error);
    for (size_t i = 0; i < count && !failed; i++) {
        if (!next_element(literal, room, &size, &plain))
            return malformed(literal, "Unexpected end of input.");
        if (plain && size == 4 && strncasecmp((const char *)room, "null", 4) == 0)
            values[i] = value_null();
        else
            failed = reading->element->ops->in(reading->environment, reading->scope, reading->element,
                                               reading->modifier, bytes_of(room, size), &values[i],
                                               literal->error);
    }
    return failed;
}

static enum sqlstate array_in(struct environment *environment, struct scope *scope, const struct type *type,
                              int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct reading reading = {.environment = environment, .scope = scope, .modifier = modifier};
    enum sqlstate failed = type_of_oid(environment, type->element, &reading.element, error);
    if (failed)
        return failed;
    struct literal literal = {.at = text.data,
                              .end = text.data + text.size,
                              .whole = text,
                              .delimiter = delimiter_of(reading.element),
                              .error = error};
    int told;
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    struct shape shape;
    if ((failed = read_bounds(&literal, &told, length, lower)))
        return failed;
    if (told) {
        if (literal.at == literal.end || *literal.at != '=')
            return malformed(&literal, "Missing \"%s\" after array dimensions.", "=");
        literal.at++;
        skip_blanks(&literal);
    }
    if (literal.at == literal.end || *literal.at != '{')
        return malformed(&literal, told ? "Array contents must start with \"{\"."
                                        : "Array value must start with \"{\" or dimension information.");
    const uint8_t *start = literal.at;
    if ((failed = read_shape(&literal, &shape)))
        return failed;
    bool matches = told == 0 || told == shape.dimensions;
    size_t count = shape.dimensions > 0;
    for (int i = 0; i < shape.dimensions; i++) {
        if (told)
            matches = matches && length[i] == shape.length[i];
        else
            lower[i] = 1;
        count *= (size_t)shape.length[i]; /* at most as many as characters: each is one */
    }
    if (!matches)
        return malformed(&literal, "Specified array dimensions do not match array contents.");
    uint8_t *room;
    if ((failed = value_room(scope, (count + 1) * sizeof(struct value), &room, error)))
        return failed;
    literal.at = start;
    if ((failed = read_elements(&literal, &reading, count, (struct value *)room)))
        return failed;
    return array_build(scope, reading.element, shape.dimensions, shape.length, lower, (struct value *)room,
                       value, error);
}

/* ---- writing ---- */

static bool needs_quotes(struct bytes text, char delimiter)
{
    if (text.size == 0 || (text.size == 4 && strncasecmp((const char *)text.data, "null", 4) == 0))
        return true;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"' || byte == '\\' || byte == '{' || byte == '}' || byte == (uint8_t)delimiter ||
            is_blank(byte))
            return true;
    }
    return false;
}

static void write_quoted(struct text *out, struct bytes text)
{
    text_append(out, "\"");
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '"' && text.data[i] != '\\')
            continue;
        text_bytes(out, bytes_of(text.data + from, i - from));
        text_append(out, "\\");
        from = i;
    }
    text_bytes(out, bytes_of(text.data + from, text.size - from));
    text_append(out, "\"");
}

/* How many levels begin (or end) at element `at`: all whose elements' number divides it. */
static int levels_at(const struct array *array, uint32_t at)
{
    int levels = 0;
    uint32_t stride = 1;
    for (int i = array->dimensions - 1; i >= 0; i--) {
        stride *= (uint32_t)array->length[i];
        if (at % stride != 0)
            break;
        levels++;
    }
    return levels;
}

static void write_bounds(struct text *out, const struct array *array)
{
    bool told = false;
    for (int i = 0; i < array->dimensions; i++)
        told |= array->lower[i] != 1;
    for (int i = 0; told && i < array->dimensions; i++)
        text_format(out, "[%d:%d]", array->lower[i], array->lower[i] + array->length[i] - 1);
    if (told)
        text_append(out, "=");
}

static enum sqlstate array_out(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    struct array array;
    array_read(value, &array);
    const struct type *element;
    enum sqlstate failed = type_of_oid(environment, array.element, &element, error);
    if (failed)
        return failed;
    if (array.count == 0) {
        *text = bytes_of_text("{}");
        return SQLSTATE_OK;
    }
    struct text out = text_in(scope);
    char delimiter = delimiter_of(element);
    write_bounds(&out, &array);
    for (uint32_t i = 0; i < array.count; i++) {
        if (i > 0)
            text_bytes(&out, bytes_of(&delimiter, 1));
        for (int levels = levels_at(&array, i); levels > 0; levels--)
            text_append(&out, "{");
        struct value one = array_get(&array, i);
        struct bytes shown = bytes_of_text("NULL");
        if (!one.null && (failed = value_out(environment, scope, element, &one, &shown, error)))
            return failed;
        if (!one.null && needs_quotes(shown, delimiter))
            write_quoted(&out, shown);
        else
            text_bytes(&out, shown);
        for (int levels = levels_at(&array, i + 1); levels > 0; levels--)
            text_append(&out, "}");
    }
    struct value whole;
    if ((failed = value_of_text(&out, &whole, error)))
        return failed;
    *text = value_view(&whole);
    return SQLSTATE_OK;
}

/* ---- the binary form: dimensions, whether there are nulls, element type; length and bound of each; length and bytes of
 * each element, -1 for null ---- */

static uint32_t read_u32(struct codec_reader *in)
{
    const uint8_t *at = codec_read_raw(in, 4);
    return at ? wire_read_u32(at) : 0;
}

static enum sqlstate not_binary(struct error *error, const char *message)
{
    return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "%s", message);
}

static enum sqlstate cut_off(struct error *error)
{
    return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "insufficient data left in message");
}

static enum sqlstate receive_elements(const struct reading *reading, struct codec_reader *in, size_t count,
                                      struct value *values, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t size = read_u32(in);
        if (in->failed)
            return cut_off(error);
        values[i] = value_null();
        if (size == UINT32_MAX)
            continue;
        struct bytes piece = codec_read_view(in, size);
        if (in->failed)
            return not_binary(error, "insufficient data left in message");
        enum sqlstate failed =
            reading->element->ops->receive(reading->environment, reading->scope, reading->element,
                                           reading->modifier, piece, &values[i], error);
        if (failed)
            return failed;
    }
    if (codec_left(in))
        return not_binary(error, "incorrect binary data format");
    return SQLSTATE_OK;
}

static enum sqlstate array_receive(struct environment *environment, struct scope *scope,
                                   const struct type *type, int32_t modifier, struct bytes binary,
                                   struct value *value, struct error *error)
{
    struct reading reading = {.environment = environment, .scope = scope, .modifier = modifier};
    struct codec_reader in = codec_reader_of(binary);
    enum sqlstate failed = type_of_oid(environment, type->element, &reading.element, error);
    if (failed)
        return failed;
    int32_t dimensions = (int32_t)read_u32(&in), flags = (int32_t)read_u32(&in);
    uint32_t oid = read_u32(&in);
    if (in.failed)
        return cut_off(error);
    if (dimensions < 0)
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "invalid number of dimensions: %d",
                         dimensions);
    if (dimensions > ARRAY_DIMENSIONS_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                         "number of array dimensions (%d) exceeds the maximum allowed (%d)", dimensions,
                         ARRAY_DIMENSIONS_MAX);
    if (flags != 0 && flags != 1)
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "invalid array flags: %d", flags);
    const struct type *told = environment->type_find(environment, oid);
    if (oid != reading.element->oid)
        return error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                         "binary data has array element type %u (%s) instead of expected %u (%s)", oid,
                         told ? type_shown_name(environment, scope, told) : "???", reading.element->oid,
                         type_shown_name(environment, scope, reading.element));
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    size_t count = dimensions > 0;
    for (int i = 0; i < dimensions; i++) {
        length[i] = (int32_t)read_u32(&in);
        lower[i] = (int32_t)read_u32(&in);
        count = length[i] < 0 || count > ARRAY_ELEMENTS_MAX ? SIZE_MAX : count * (size_t)length[i];
        if (count > ARRAY_ELEMENTS_MAX)
            return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "array size exceeds the maximum allowed (%d)", ARRAY_ELEMENTS_MAX);
    }
    if (in.failed || count > codec_left(&in) / 4)
        return cut_off(error);
    uint8_t *room;
    if ((failed = value_room(scope, (count + 1) * sizeof(struct value), &room, error)))
        return failed;
    if ((failed = receive_elements(&reading, &in, count, (struct value *)room, error)))
        return failed;
    return array_build(scope, reading.element, dimensions, length, lower, (struct value *)room, value, error);
}

static void write_u32(struct text *out, uint32_t value)
{
    uint8_t bytes[4];
    wire_write_u32(bytes, value);
    text_bytes(out, bytes_of(bytes, 4));
}

static enum sqlstate array_send(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *binary, struct error *error)
{
    struct array array;
    array_read(value, &array);
    const struct type *element;
    enum sqlstate failed = type_of_oid(environment, array.element, &element, error);
    if (failed)
        return failed;
    struct text out = text_in(scope);
    write_u32(&out, (uint32_t)array.dimensions);
    write_u32(&out, array.nulls != NULL);
    write_u32(&out, array.element);
    for (int i = 0; i < array.dimensions; i++) {
        write_u32(&out, (uint32_t)array.length[i]);
        write_u32(&out, (uint32_t)array.lower[i]);
    }
    for (uint32_t i = 0; i < array.count; i++) {
        struct value one = array_get(&array, i);
        struct bytes piece = {0};
        if (!one.null && (failed = element->ops->send(environment, scope, element, &one, &piece, error)))
            return failed;
        write_u32(&out, one.null ? UINT32_MAX : (uint32_t)piece.size);
        text_bytes(&out, piece);
    }
    struct value whole;
    if ((failed = value_of_text(&out, &whole, error)))
        return failed;
    *binary = value_view(&whole);
    return SQLSTATE_OK;
}

/* ---- order ---- */

static int three_way(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static const struct type *element_of(struct environment *environment, const struct array *array)
{
    const struct type *element = environment->type_find(environment, array->element);
    check(element, "array element type %u", array->element);
    return element;
}

/* Element by element, nulls last; then the shorter one, then by subscripts. */
static int array_compare(struct environment *environment, const struct type *type, const struct value *a,
                         const struct value *b)
{
    struct array first, second;
    array_read(a, &first);
    array_read(b, &second);
    const struct type *element = element_of(environment, &first);
    for (uint32_t i = 0; i < first.count && i < second.count; i++) {
        struct value x = array_get(&first, i), y = array_get(&second, i);
        int order = x.null || y.null ? x.null - y.null : value_compare(environment, element, &x, &y);
        if (order)
            return order;
    }
    int order = three_way(first.count, second.count);
    if (order == 0)
        order = three_way(first.dimensions, second.dimensions);
    for (int i = 0; i < first.dimensions && order == 0; i++)
        order = three_way(first.length[i], second.length[i]);
    for (int i = 0; i < first.dimensions && order == 0; i++)
        order = three_way(first.lower[i], second.lower[i]);
    return order;
}

static uint64_t array_hash(struct environment *environment, const struct type *type,
                           const struct value *value)
{
    struct array array;
    array_read(value, &array);
    const struct type *element = element_of(environment, &array);
    uint64_t hash = 1;
    for (uint32_t i = 0; i < array.count; i++) {
        struct value one = array_get(&array, i);
        hash = hash * 31 + (one.null ? 0 : value_hash(environment, element, &one));
    }
    return hash;
}

const struct type_ops array_ops = {.in = array_in,
                                   .out = array_out,
                                   .receive = array_receive,
                                   .send = array_send,
                                   .compare = array_compare,
                                   .hash = array_hash};

static enum sqlstate anyarray_in(struct environment *environment, struct scope *scope,
                                 const struct type *type, int32_t modifier, struct bytes text,
                                 struct value *value, struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot accept a value of type %s", type->name);
}

/* Columns of pg_statistic: arrays of whatever the column holds, as their bytes say. */
const struct type_ops anyarray_ops = {
    .in = anyarray_in, .out = array_out, .receive = anyarray_in, .send = array_send};

/* ---- int2vector, oidvector: arrays from 0 whose text is numbers with blanks between ---- */

/* Elements of one; the catalog's own never have more (indexes: 32, functions: 100). */
#define VECTOR_ELEMENTS_MAX 1664

static enum sqlstate vector_in(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    const struct type *element;
    enum sqlstate failed = type_of_oid(environment, type->element, &element, error);
    struct array_builder builder = {.scope = scope, .element = element};
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (!failed) {
        while (at < end && is_blank(*at))
            at++;
        const uint8_t *start = at;
        while (at < end && !is_blank(*at))
            at++;
        if (at == start)
            break;
        if (builder.count == VECTOR_ELEMENTS_MAX)
            return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "%s has too many elements", type->name);
        struct value one;
        failed = element->ops->in(environment, scope, element, -1, bytes_of(start, (size_t)(at - start)),
                                  &one, error);
        if (!failed)
            failed = array_builder_add(&builder, one, error);
    }
    int32_t length = (int32_t)builder.count, lower = 0;
    if (failed)
        return failed;
    return array_build(scope, element, length ? 1 : 0, &length, &lower, builder.values, value, error);
}

static enum sqlstate vector_out(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    struct array array;
    array_read(value, &array);
    const struct type *element = element_of(environment, &array);
    struct text out = text_in(scope);
    for (uint32_t i = 0; i < array.count; i++) {
        struct value one = array_get(&array, i);
        struct bytes shown;
        enum sqlstate failed = value_out(environment, scope, element, &one, &shown, error);
        if (failed)
            return failed;
        if (i > 0)
            text_append(&out, " ");
        text_bytes(&out, shown);
    }
    struct value whole;
    enum sqlstate failed = value_of_text(&out, &whole, error);
    if (!failed)
        *text = value_view(&whole);
    return failed;
}

static enum sqlstate vector_receive(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes binary,
                                    struct value *value, struct error *error)
{
    struct array array;
    enum sqlstate failed = array_receive(environment, scope, type, -1, binary, value, error);
    if (failed)
        return failed;
    array_read(value, &array);
    if (array.dimensions > 1 || array.nulls || (array.dimensions == 1 && array.lower[0] != 0))
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "invalid %s data", type->name);
    return SQLSTATE_OK;
}

const struct type_ops int2vector_ops = {.in = vector_in,
                                        .out = vector_out,
                                        .receive = vector_receive,
                                        .send = array_send,
                                        .compare = array_compare,
                                        .hash = array_hash};
const struct type_ops oidvector_ops = {.in = vector_in,
                                       .out = vector_out,
                                       .receive = vector_receive,
                                       .send = array_send,
                                       .compare = array_compare,
                                       .hash = array_hash};
