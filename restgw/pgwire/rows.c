/* A row's length stands in front of it, so it is written into the buffer behind a gap and the gap is filled in. A row that
 * is too long for the buffer is encoded into memory first, then measured, then sent piece by piece. */
#include "restgw/pgwire/rows.h"

#include "base/scope.h"

/* A row this long at most is written into the buffer directly. */
#define ROW_FAST_BYTES (WIRE_BUFFER_BYTES / 2)
/* Header of a DataRow: type, length, number of columns. */
#define ROW_HEAD_BYTES 7
/* What a RowDescription says of a column behind its name. */
#define FIELD_BYTES 18

static void put_u16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static void put_u32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

static void put_u64(uint8_t *at, uint64_t number)
{
    put_u32(at, (uint32_t)(number >> 32));
    put_u32(at + 4, (uint32_t)number);
}

static size_t decimal(int64_t number, uint8_t room[static 20])
{
    uint8_t digits[20];
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t count = 0, size = 0;
    do
        digits[count++] = (uint8_t)('0' + left % 10);
    while ((left /= 10));
    if (number < 0)
        room[size++] = '-';
    while (count)
        room[size++] = digits[--count];
    return size;
}

/* Forms that need no help from the type; false when they do. `room` is what short ones are written into. */
static bool value_plain(const struct session_column *column, const struct value *value,
                        uint8_t room[static 20], struct bytes *form)
{
    bool binary = column->format == 1;
    switch (column->type->oid) {
    case TYPE_BOOL:
        room[0] = binary ? (uint8_t)(value->i != 0) : value->i ? 't' : 'f';
        *form = bytes_of(room, 1);
        return true;
    case TYPE_INT2:
        put_u16(room, (uint16_t)value->i);
        *form = bytes_of(room, binary ? 2 : decimal(value->i, room));
        return true;
    case TYPE_INT4:
    case TYPE_OID:
        put_u32(room, (uint32_t)value->i);
        *form = bytes_of(room, binary ? 4 : decimal(value->i, room));
        return true;
    case TYPE_INT8:
        put_u64(room, (uint64_t)value->i);
        *form = bytes_of(room, binary ? 8 : decimal(value->i, room));
        return true;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_NAME:
    case TYPE_JSON:
        *form = value_view(value);
        return true;
    default:
        return false;
    }
}

/* What forms are made with. Those that need memory get a scope, opened for the first of them. */
struct forming {
    struct environment *environment;
    struct scope *parent, *scope;
};

static enum sqlstate value_form(struct forming *forming, const struct session_column *column,
                                const struct value *value, uint8_t room[static 20], struct bytes *form,
                                struct error *error)
{
    if (value_plain(column, value, room, form))
        return SQLSTATE_OK;
    if (!forming->scope)
        forming->scope = scope_open(forming->parent, "rows");
    const struct type_ops *ops = column->type->ops;
    return (column->format == 1 ? ops->send : ops->out)(forming->environment, forming->scope, column->type,
                                                        value, form, error);
}

/* Encodes the row into memory of the forming's scope, which is there, measures it, writes it. */
static enum sqlstate row_write_long(struct output *output, struct forming *forming,
                                    const struct session_rows *rows, uint32_t at, struct error *error)
{
    struct scope *scope = forming->scope;
    uint32_t count = rows->shape->count;
    struct bytes *forms = scope_alloc(scope, count * sizeof *forms);
    size_t size = 2;
    for (uint32_t c = 0; c < count; c++) {
        const struct value *value = &rows->columns[c][at];
        forms[c] = bytes_of(NULL, 0);
        size += 4;
        if (value->null)
            continue;
        uint8_t *room = scope_alloc(scope, 20);
        enum sqlstate failed = value_form(forming, &rows->shape->columns[c], value, room, &forms[c], error);
        if (failed)
            return failed;
        size += forms[c].size;
    }
    if (size > INT32_MAX - 4)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "a row of %zu bytes is too long to be sent",
                         size);
    output_begin(output, 'D', size);
    output_u16(output, (uint16_t)count);
    for (uint32_t c = 0; c < count; c++) {
        output_u32(output, rows->columns[c][at].null ? UINT32_MAX : (uint32_t)forms[c].size);
        output_bytes(output, forms[c]);
    }
    return SQLSTATE_OK;
}

/* Writes the row into the buffer; *fits is false, and nothing written, when it is too long for that. */
static enum sqlstate row_write_short(struct output *output, struct forming *forming,
                                     const struct session_rows *rows, uint32_t at, bool *fits,
                                     struct error *error)
{
    uint32_t count = rows->shape->count;
    uint8_t *start = output_room(output, ROW_FAST_BYTES);
    size_t used = ROW_HEAD_BYTES;
    uint8_t room[20];
    *fits = true;
    if (!start)
        return SQLSTATE_OK;
    for (uint32_t c = 0; c < count; c++) {
        const struct value *value = &rows->columns[c][at];
        struct bytes form = {0};
        if (!value->null) {
            enum sqlstate failed = value_form(forming, &rows->shape->columns[c], value, room, &form, error);
            if (failed)
                return failed;
        }
        if (used + 4 + form.size > ROW_FAST_BYTES) {
            *fits = false;
            return SQLSTATE_OK;
        }
        put_u32(start + used, value->null ? UINT32_MAX : (uint32_t)form.size);
        if (form.size)
            memcpy(start + used + 4, form.data, form.size);
        used += 4 + form.size;
    }
    start[0] = 'D';
    put_u32(start + 1, (uint32_t)used - 1);
    put_u16(start + 5, (uint16_t)count);
    output_taken(output, used);
    return SQLSTATE_OK;
}

enum sqlstate rows_write(struct output *output, struct scope *parent, struct environment *environment,
                         const struct session_rows *rows, struct error *error)
{
    struct forming forming = {.environment = environment, .parent = parent};
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t r = 0; r < rows->rows && !failed && !output->broken; r++) {
        uint32_t at = rows->selection ? rows->selection[r] : r;
        bool fits;
        failed = row_write_short(output, &forming, rows, at, &fits, error);
        if (failed || fits)
            continue;
        struct forming alone = {.environment = environment, .parent = parent};
        alone.scope = scope_open(parent, "row");
        failed = row_write_long(output, &alone, rows, at, error);
        scope_close(alone.scope);
    }
    if (forming.scope)
        scope_close(forming.scope);
    if (!failed && output->broken) {
        *error = *output->error;
        return error->state;
    }
    return failed;
}

void shape_write(struct output *output, const struct session_shape *shape, bool plain)
{
    if (!shape) {
        output_begin(output, 'n', 0);
        return;
    }
    size_t size = 2;
    for (uint32_t c = 0; c < shape->count; c++)
        size += strlen(shape->columns[c].name) + 1 + FIELD_BYTES;
    output_begin(output, 'T', size);
    output_u16(output, (uint16_t)shape->count);
    for (uint32_t c = 0; c < shape->count; c++) {
        const struct session_column *column = &shape->columns[c];
        uint8_t field[FIELD_BYTES];
        put_u32(field, column->relation);
        put_u16(field + 4, (uint16_t)column->number);
        put_u32(field + 6, column->type->oid);
        put_u16(field + 10, (uint16_t)column->type->length);
        put_u32(field + 12, (uint32_t)column->modifier);
        put_u16(field + 16, plain ? 0 : (uint16_t)column->format);
        output_text(output, column->name);
        output_bytes(output, bytes_of(field, sizeof field));
    }
}
