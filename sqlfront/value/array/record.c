/* Records: the bytes of one, '(a,"b c",)', the binary form, and comparing rows (PostgreSQL manual, 8.16, 9.24.5).
 *
 *     offset  size   meaning
 *     0       4      oid of the row's type
 *     4       2      fields n
 *     6       1      1 = the fields' names follow behind everything else
 *     7       1      0
 *     8       12 n   each field: oid of its type (4); where its piece ends, from the first (4); kind and width of the
 *                    piece (piece.h); 1 = null; 0
 *             ...    pieces; a null has none
 *             ...    names: a length byte and the bytes of each
 *
 * A record knows its fields' types, for a row need not have a type that anybody can look up. */
#include "sqlfront/value/array/array.h"

#include "base/check.h"
#include "base/codec.h"
#include "sqlfront/value/array/piece.h"
#include "sqlfront/value/text/text.h"
#include "sqlfront/value/wire.h"

#include <stdio.h>

#define HEAD_BYTES  8
#define FIELD_BYTES 12
/* PostgreSQL's bound of columns in a row that is no table's (MaxTupleAttributeNumber). */
#define RECORD_FIELDS_MAX 1664

static uint32_t u32_at(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

static size_t names_size(const struct type *type, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += 1 + strlen(type->fields[i].name);
    return size;
}

static uint8_t *write_names(const struct type *type, uint32_t count, uint8_t *at)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t length = strlen(type->fields[i].name);
        check(length <= UINT8_MAX);
        *at++ = (uint8_t)length;
        memcpy(at, type->fields[i].name, length);
        at += length;
    }
    return at;
}

enum sqlstate record_build(struct scope *scope, const struct type *type, const struct type *const *types,
                           const struct value *values, uint32_t count, struct value *result,
                           struct error *error)
{
    if (count > RECORD_FIELDS_MAX)
        return error_set(error, SQLSTATE_TOO_MANY_COLUMNS, "ROW expressions can have at most %d entries",
                         RECORD_FIELDS_MAX);
    bool names = type->oid == TYPE_RECORD && type->fields && type->field_count == count;
    size_t size = HEAD_BYTES + (size_t)count * FIELD_BYTES + (names ? names_size(type, count) : 0);
    for (uint32_t i = 0; i < count; i++)
        size += values[i].null ? 0 : piece_size(piece_kind(types[i]), types[i]->width, &values[i]);
    uint8_t *room;
    enum sqlstate failed = value_room(scope, size, &room, error);
    if (failed)
        return failed;
    uint16_t fields = (uint16_t)count;
    memcpy(room, &type->oid, 4);
    memcpy(room + 4, &fields, 2);
    room[6] = names;
    room[7] = 0;
    uint8_t *field = room + HEAD_BYTES, *data = field + (size_t)count * FIELD_BYTES, *at = data;
    for (uint32_t i = 0; i < count; i++, field += FIELD_BYTES) {
        uint8_t kind = piece_kind(types[i]), width = types[i]->width;
        if (!values[i].null)
            at = piece_write(kind, width, &values[i], at);
        uint32_t end = (uint32_t)(at - data);
        memcpy(field, &types[i]->oid, 4);
        memcpy(field + 4, &end, 4);
        field[8] = kind;
        field[9] = width;
        field[10] = values[i].null;
        field[11] = 0;
    }
    if (names)
        at = write_names(type, count, at);
    check(at == room + size);
    *result = value_bytes(room, size);
    return SQLSTATE_OK;
}

uint32_t record_count(const struct value *record)
{
    uint16_t count;
    check(record->size >= HEAD_BYTES);
    memcpy(&count, record->p + 4, 2);
    return count;
}

struct value record_field(const struct value *record, uint32_t at, uint32_t *type)
{
    uint32_t count = record_count(record);
    check(at < count);
    const uint8_t *fields = record->p + HEAD_BYTES, *field = fields + (size_t)at * FIELD_BYTES;
    *type = u32_at(field);
    if (field[10])
        return value_null();
    uint32_t start = at ? u32_at(field - FIELD_BYTES + 4) : 0, end = u32_at(field + 4);
    return piece_read(field[8], field[9], fields + (size_t)count * FIELD_BYTES + start, end - start);
}

const char *record_field_name(struct scope *scope, const struct type *type, const struct value *record,
                              uint32_t at)
{
    uint32_t count = record_count(record);
    if (record->p[6]) {
        const uint8_t *fields = record->p + HEAD_BYTES, *data = fields + (size_t)count * FIELD_BYTES;
        const uint8_t *name = count ? data + u32_at(data - FIELD_BYTES + 4) : data;
        for (uint32_t i = 0; i < at; i++)
            name += 1 + *name;
        char *copy = scope_alloc(scope, (size_t)*name + 1);
        memcpy(copy, name + 1, *name);
        copy[*name] = '\0';
        return copy;
    }
    if (type && type->fields && at < type->field_count)
        return type->fields[at].name;
    char *made = scope_alloc(scope, 16);
    snprintf(made, 16, "f%u", at + 1);
    return made;
}

/* ---- text ---- */

struct row_text {
    const uint8_t *at, *end;
    struct bytes whole;
};

static enum sqlstate malformed(const struct row_text *row, const char *detail, struct error *error)
{
    enum sqlstate failed =
        error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "malformed record literal: \"%.*s\"",
                  (int)row->whole.size, (const char *)row->whole.data);
    error_add(error, ERROR_DETAIL, "%s", detail);
    return failed;
}

/* The text of one field, up to its comma or parenthesis. False when the literal ends in it. */
static bool read_field(struct row_text *row, uint8_t *room, size_t *size)
{
    bool quoted = false;
    *size = 0;
    for (; row->at < row->end && (quoted || (*row->at != ',' && *row->at != ')')); row->at++) {
        if (*row->at == '\\') {
            if (++row->at == row->end)
                return false;
        } else if (*row->at == '"') {
            bool doubled = quoted && row->at + 1 < row->end && row->at[1] == '"';
            if (!doubled) {
                quoted = !quoted;
                continue;
            }
            row->at++;
        }
        room[(*size)++] = *row->at;
    }
    return row->at < row->end;
}

static enum sqlstate anonymous(struct error *error)
{
    return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                     "input of anonymous composite types is not implemented");
}

static enum sqlstate read_fields(struct environment *environment, struct scope *scope,
                                 const struct type *type, struct row_text *row, const struct type **types,
                                 struct value *values, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, row->whole.size, &room, error);
    for (uint32_t i = 0; i < type->field_count && !failed; i++) {
        size_t size;
        if (i > 0 && *row->at != ',')
            return malformed(row, "Too few columns.", error);
        row->at += i > 0;
        values[i] = value_null();
        if ((failed = type_of_oid(environment, type->fields[i].type, &types[i], error)))
            return failed;
        if (row->at < row->end && (*row->at == ',' || *row->at == ')'))
            continue;
        if (!read_field(row, room, &size))
            return malformed(row, "Unexpected end of input.", error);
        failed = types[i]->ops->in(environment, scope, types[i], type->fields[i].modifier,
                                   bytes_of(room, size), &values[i], error);
    }
    return failed;
}

static enum sqlstate fields_room(struct scope *scope, uint32_t count, const struct type ***types,
                                 struct value **values, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = value_room(scope, (count + 1) * (sizeof **values + sizeof **types), &room, error);
    *values = (struct value *)room;
    *types = (const struct type **)(room + (count + 1) * sizeof **values);
    return failed;
}

static enum sqlstate record_in(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct row_text row = {.at = text.data, .end = text.data + text.size, .whole = text};
    struct value *values;
    const struct type **types;
    if (!type->fields || type->oid == TYPE_RECORD)
        return anonymous(error);
    enum sqlstate failed = fields_room(scope, type->field_count, &types, &values, error);
    if (failed)
        return failed;
    while (row.at < row.end && is_blank(*row.at))
        row.at++;
    if (row.at == row.end || *row.at++ != '(')
        return malformed(&row, "Missing left parenthesis.", error);
    if ((failed = read_fields(environment, scope, type, &row, types, values, error)))
        return failed;
    if (row.at == row.end || *row.at != ')')
        return malformed(&row, "Too many columns.", error);
    for (row.at++; row.at < row.end; row.at++)
        if (!is_blank(*row.at))
            return malformed(&row, "Junk after right parenthesis.", error);
    return record_build(scope, type, types, values, type->field_count, value, error);
}

static void write_field(struct text *out, struct bytes shown)
{
    bool quotes = shown.size == 0;
    for (size_t i = 0; i < shown.size && !quotes; i++)
        quotes = shown.data[i] == '"' || shown.data[i] == '\\' || shown.data[i] == '(' ||
                 shown.data[i] == ')' || shown.data[i] == ',' || is_blank(shown.data[i]);
    if (!quotes) {
        text_bytes(out, shown);
        return;
    }
    text_append(out, "\"");
    for (size_t i = 0; i < shown.size; i++) {
        if (shown.data[i] == '"' || shown.data[i] == '\\')
            text_bytes(out, bytes_of(shown.data + i, 1));
        text_bytes(out, bytes_of(shown.data + i, 1));
    }
    text_append(out, "\"");
}

static enum sqlstate record_out(struct environment *environment, struct scope *scope, const struct type *type,
                                const struct value *value, struct bytes *text, struct error *error)
{
    struct text out = text_in(scope);
    uint32_t count = record_count(value);
    text_append(&out, "(");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t oid;
        struct value field = record_field(value, i, &oid);
        const struct type *field_type;
        struct bytes shown;
        if (i > 0)
            text_append(&out, ",");
        if (field.null)
            continue;
        enum sqlstate failed = type_of_oid(environment, oid, &field_type, error);
        if (failed || (failed = value_out(environment, scope, field_type, &field, &shown, error)))
            return failed;
        write_field(&out, shown);
    }
    text_append(&out, ")");
    struct value whole;
    enum sqlstate failed = value_of_text(&out, &whole, error);
    if (!failed)
        *text = value_view(&whole);
    return failed;
}

/* ---- the binary form: number of fields; oid, length (-1: null) and bytes of each ---- */

static uint32_t read_u32(struct codec_reader *in)
{
    const uint8_t *at = codec_read_raw(in, 4);
    return at ? wire_read_u32(at) : 0;
}

static enum sqlstate cut_off(struct error *error)
{
    return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "insufficient data left in message");
}

static enum sqlstate receive_field(struct environment *environment, struct scope *scope,
                                   struct codec_reader *in, const struct row_field *field, uint32_t number,
                                   const struct type **type, struct value *value, struct error *error)
{
    uint32_t oid = read_u32(in), size = read_u32(in);
    enum sqlstate failed = type_of_oid(environment, field->type, type, error);
    if (failed)
        return failed;
    if (in->failed)
        return cut_off(error);
    const struct type *told = environment->type_find(environment, oid);
    if (oid != field->type)
        return error_set(error, SQLSTATE_DATATYPE_MISMATCH,
                         "binary data has type %u (%s) instead of expected %u (%s) in record column %u", oid,
                         told ? type_shown_name(environment, scope, told) : "???", field->type,
                         type_shown_name(environment, scope, *type), number);
    *value = value_null();
    if (size == UINT32_MAX)
        return SQLSTATE_OK;
    struct bytes piece = codec_read_view(in, size);
    if (in->failed)
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "insufficient data left in message");
    return (*type)->ops->receive(environment, scope, *type, field->modifier, piece, value, error);
}

static enum sqlstate record_receive(struct environment *environment, struct scope *scope,
                                    const struct type *type, int32_t modifier, struct bytes binary,
                                    struct value *value, struct error *error)
{
    struct codec_reader in = codec_reader_of(binary);
    struct value *values;
    const struct type **types;
    if (!type->fields || type->oid == TYPE_RECORD)
        return anonymous(error);
    uint32_t count = read_u32(&in);
    if (in.failed)
        return cut_off(error);
    if (count != type->field_count)
        return error_set(error, SQLSTATE_DATATYPE_MISMATCH, "wrong number of columns: %d, expected %u",
                         (int32_t)count, type->field_count);
    enum sqlstate failed = fields_room(scope, count, &types, &values, error);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed =
            receive_field(environment, scope, &in, &type->fields[i], i + 1, &types[i], &values[i], error);
    if (failed)
        return failed;
    if (codec_left(&in))
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "improper binary format in record");
    return record_build(scope, type, types, values, count, value, error);
}

static void write_u32(struct text *out, uint32_t value)
{
    uint8_t bytes[4];
    wire_write_u32(bytes, value);
    text_bytes(out, bytes_of(bytes, 4));
}

static enum sqlstate record_send(struct environment *environment, struct scope *scope,
                                 const struct type *type, const struct value *value, struct bytes *binary,
                                 struct error *error)
{
    struct text out = text_in(scope);
    uint32_t count = record_count(value);
    write_u32(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t oid;
        struct value field = record_field(value, i, &oid);
        struct bytes piece = {0};
        const struct type *field_type;
        enum sqlstate failed = type_of_oid(environment, oid, &field_type, error);
        if (!failed && !field.null)
            failed = field_type->ops->send(environment, scope, field_type, &field, &piece, error);
        if (failed)
            return failed;
        write_u32(&out, oid);
        write_u32(&out, field.null ? UINT32_MAX : (uint32_t)piece.size);
        text_bytes(&out, piece);
    }
    struct value whole;
    enum sqlstate failed = value_of_text(&out, &whole, error);
    if (!failed)
        *binary = value_view(&whole);
    return failed;
}

/* ---- order: field by field, nulls last ---- */

static int record_compare(struct environment *environment, const struct type *type, const struct value *a,
                          const struct value *b)
{
    uint32_t first = record_count(a), second = record_count(b);
    for (uint32_t i = 0; i < first && i < second; i++) {
        uint32_t oid, other;
        struct value x = record_field(a, i, &oid), y = record_field(b, i, &other);
        int order = (oid > other) - (oid < other);
        const struct type *field = environment->type_find(environment, oid);
        check(field, "record field type %u", oid);
        if (order == 0 && (x.null || y.null))
            order = x.null - y.null;
        else if (order == 0)
            order = value_compare(environment, field, &x, &y);
        if (order)
            return order;
    }
    return (first > second) - (first < second);
}

static uint64_t record_hash(struct environment *environment, const struct type *type,
                            const struct value *value)
{
    uint64_t hash = 0;
    for (uint32_t i = 0, count = record_count(value); i < count; i++) {
        uint32_t oid;
        struct value field = record_field(value, i, &oid);
        const struct type *field_type = environment->type_find(environment, oid);
        check(field_type, "record field type %u", oid);
        hash = hash * 31 + (field.null ? 0 : value_hash(environment, field_type, &field));
    }
    return hash;
}

const struct type_ops record_ops = {.in = record_in,
                                    .out = record_out,
                                    .receive = record_receive,
                                    .send = record_send,
                                    .compare = record_compare,
                                    .hash = record_hash};

/* ---- comparing records that may not be alike ---- */

static enum sqlstate comparable(struct call *call, const struct value *arguments)
{
    struct environment *environment = call->environment;
    uint32_t first = record_count(&arguments[0]), second = record_count(&arguments[1]);
    for (uint32_t i = 0; i < first && i < second; i++) {
        uint32_t oid, other;
        const struct type *one, *two;
        (void)record_field(&arguments[0], i, &oid);
        (void)record_field(&arguments[1], i, &other);
        enum sqlstate failed = type_of_oid(environment, oid, &one, call->error);
        if (failed || (failed = type_of_oid(environment, other, &two, call->error)))
            return failed;
        if (oid != other)
            return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH,
                             "cannot compare dissimilar column types %s and %s at record column %u",
                             type_shown_name(environment, call->scope, one),
                             type_shown_name(environment, call->scope, two), i + 1);
        if (one->order == ORDER_NONE)
            return error_set(call->error, SQLSTATE_UNDEFINED_FUNCTION,
                             "could not identify an equality operator for type %s",
                             type_shown_name(environment, call->scope, one));
    }
    if (first != second)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH,
                         "cannot compare record types with different numbers of columns");
    return SQLSTATE_OK;
}

static enum sqlstate ordered(struct call *call, const struct value *arguments, int *order)
{
    enum sqlstate failed = comparable(call, arguments);
    if (!failed)
        *order = record_compare(call->environment, call->types[0], &arguments[0], &arguments[1]);
    return failed;
}

static enum sqlstate record_eq(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_boolean(order == 0);
    return failed;
}

static enum sqlstate record_ne(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_boolean(order != 0);
    return failed;
}

static enum sqlstate record_lt(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_boolean(order < 0);
    return failed;
}

static enum sqlstate record_le(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_boolean(order <= 0);
    return failed;
}

static enum sqlstate record_gt(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_boolean(order > 0);
    return failed;
}

static enum sqlstate record_ge(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_boolean(order >= 0);
    return failed;
}

static enum sqlstate btrecordcmp(struct call *call, const struct value *arguments, struct value *result)
{
    int order = 0;
    enum sqlstate failed = ordered(call, arguments, &order);
    *result = value_integer((order > 0) - (order < 0));
    return failed;
}

/* ---- the same by the bytes of the fields, whether their type has an order or not ---- */

static enum sqlstate image_order(struct call *call, const struct value *arguments, int *order)
{
    uint32_t first = record_count(&arguments[0]), second = record_count(&arguments[1]);
    *order = 0;
    for (uint32_t i = 0; i < first && i < second && *order == 0; i++) {
        uint32_t oid, other;
        struct value x = record_field(&arguments[0], i, &oid), y = record_field(&arguments[1], i, &other);
        const struct type *type;
        enum sqlstate failed = type_of_oid(call->environment, oid, &type, call->error);
        if (failed)
            return failed;
        if (oid != other)
            return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH,
                             "cannot compare dissimilar column types at record column %u", i + 1);
        if (x.null || y.null) {
            *order = x.null - y.null;
            continue;
        }
        uint8_t *bytes[2];
        size_t sizes[2];
        for (int side = 0; side < 2; side++) {
            const struct value *value = side ? &y : &x;
            uint8_t kind = piece_kind(type);
            sizes[side] = piece_size(kind, type->width, value);
            if ((failed = value_room(call->scope, sizes[side], &bytes[side], call->error)))
                return failed;
            piece_write(kind, type->width, value, bytes[side]);
        }
        *order = bytes_compare(bytes_of(bytes[0], sizes[0]), bytes_of(bytes[1], sizes[1]));
    }
    if (first != second)
        return error_set(call->error, SQLSTATE_DATATYPE_MISMATCH,
                         "cannot compare record types with different numbers of columns");
    return SQLSTATE_OK;
}

static enum sqlstate record_image_eq(struct call *call, const struct value *arguments, struct value *result)
{
    int order;
    enum sqlstate failed = image_order(call, arguments, &order);
    *result = value_boolean(!failed && order == 0);
    return failed;
}

static enum sqlstate record_image_ne(struct call *call, const struct value *arguments, struct value *result)
{
    int order;
    enum sqlstate failed = image_order(call, arguments, &order);
    *result = value_boolean(!failed && order != 0);
    return failed;
}

static const struct function functions[] = {
    {"record_eq", record_eq, 0},
    {"record_ne", record_ne, 0},
    {"record_lt", record_lt, 0},
    {"record_le", record_le, 0},
    {"record_gt", record_gt, 0},
    {"record_ge", record_ge, 0},
    {"btrecordcmp", btrecordcmp, 0},
    {"record_image_eq", record_image_eq, 0},
    {"record_image_ne", record_image_ne, 0},
    {"hash_record", compare_hash, 0},
    {NULL, NULL, 0},
};

const struct library record_library = {.functions = functions};
