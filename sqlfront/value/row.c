/* Rows as bytes.
 *
 *     offset  size       meaning
 *     0       2          columns written (12 bits), ROW_NULLS, ROW_WIDE
 *     2       (n+7)/8    only with ROW_NULLS: one bit for each column, lowest first; 1 = null
 *             sum        values of the columns of fixed width, in order; zeros where null
 *             2v or 4v   where each of the v other values ends in what follows; 4 bytes with ROW_WIDE
 *             ends[v-1]  their bytes, in order; nothing where null
 *
 * all little-endian. Integers and floats have type->width bytes, bytes of fixed size type->width; a numeric is its scale and
 * 1 to 8 bytes of the unscaled integer, or 0xff and the bytes of a large one. A row may be shorter by columns than its
 * layout (those were added later), never longer.
 *
 * So every value is found without looking at the others, whatever their number: offsets are sums that are known
 * beforehand, for a row's columns are always the first ones of its layout. */
#include "base/check.h"
#include "sqlfront/value/row_inside.h"

bool type_is_unsigned(const struct type *type)
{
    if (type->kind != VALUE_INTEGER || type->width != 4)
        return false;
    switch (type->oid) {
    case TYPE_OID:
    case TYPE_XID:
    case TYPE_CID:
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
    case TYPE_REGCLASS:
    case TYPE_REGTYPE:
    case TYPE_REGCONFIG:
    case TYPE_REGDICTIONARY:
    case TYPE_REGNAMESPACE:
    case TYPE_REGROLE:
    case TYPE_REGCOLLATION:
        return true;
    default:
        return type->type_type == 'e';
    }
}

static enum row_form form_of(const struct type *type)
{
    switch (type->kind) {
    case VALUE_INTEGER:
        if (type->width == 4)
            return type_is_unsigned(type) ? FORM_UNSIGNED_4 : FORM_SIGNED_4;
        return type->width == 1 ? FORM_SIGNED_1 : type->width == 2 ? FORM_SIGNED_2 : FORM_SIGNED_8;
    case VALUE_FLOAT:
        return type->width == 4 ? FORM_FLOAT_4 : FORM_FLOAT_8;
    case VALUE_NUMERIC:
        return FORM_NUMERIC;
    default:
        return type->width ? FORM_FIXED_BYTES : FORM_BYTES;
    }
}

struct row_layout *row_layout_make(struct scope *scope, const struct type *const *columns, uint32_t count,
                                   const struct value *missing)
{
    check(count <= ROW_COLUMNS);
    struct row_layout *layout = scope_alloc(scope, sizeof *layout + (count + 1) * sizeof layout->place[0]);
    layout->count = count;
    layout->missing = missing;
    uint16_t fixed = 0, loose = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum row_form form = form_of(columns[i]);
        uint8_t width = form < FORM_BYTES ? columns[i]->width : 0;
        layout->place[i] = (struct row_place){
            .form = (uint8_t)form, .width = width, .fixed_before = fixed, .loose_before = loose};
        fixed = (uint16_t)(fixed + width);
        loose = (uint16_t)(loose + (width == 0));
    }
    layout->place[count] = (struct row_place){.fixed_before = fixed, .loose_before = loose};
    layout->plain_ends = ROW_PLAIN_FIXED + fixed;
    layout->plain_data = layout->plain_ends + 2U * loose;
    return layout;
}

/* ---- writing ---- */

static size_t integer_bytes(int64_t i)
{
    uint64_t magnitude = (uint64_t)(i < 0 ? ~i : i);
    return magnitude ? (size_t)(64 - __builtin_clzll(magnitude)) / 8 + 1 : 1;
}

static size_t loose_size(const struct row_place *place, const struct value *value)
{
    if (value->null)
        return 0;
    if (place->form == FORM_NUMERIC)
        return 1 + (value->small ? integer_bytes(value->i) : value->size);
    return value->size;
}

static void write_fixed(const struct row_place *place, const struct value *value, uint8_t *to)
{
    float narrow;
    switch (place->form) {
    case FORM_FLOAT_4:
        narrow = (float)value->f;
        memcpy(to, &narrow, 4);
        break;
    case FORM_FIXED_BYTES:
        check(value->size == place->width);
        memcpy(to, value->p, place->width);
        break;
    default:
        memcpy(to, &value->i, place->width);
    }
}

static void write_loose(const struct row_place *place, const struct value *value, uint8_t *to)
{
    if (value->null)
        return;
    if (place->form == FORM_NUMERIC) {
        *to++ = value->small ? (uint8_t)value->scale : LARGE_NUMERIC;
        if (value->small) {
            memcpy(to, &value->i, integer_bytes(value->i));
            return;
        }
    }
    if (value->size)
        memcpy(to, value->p, value->size);
}

static enum sqlstate row_room(struct scope *scope, size_t size, uint8_t **room, struct error *error)
{
    if (size > VALUE_BYTES_MAX)
        return error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "row is too big: size %zu, maximum size %zu",
                         size, (size_t)VALUE_BYTES_MAX);
    if (size > SCOPE_SMALL_BYTES)
        return scope_alloc_large(scope, size, 16, (void **)room, error);
    *room = scope_alloc(scope, size);
    return SQLSTATE_OK;
}

enum sqlstate row_encode(const struct row_layout *layout, struct scope *scope, const struct value *values,
                         struct bytes *row, struct error *error)
{
    uint32_t count = layout->count;
    const struct row_place *place = layout->place, *sums = &layout->place[count];
    bool nulls = false;
    size_t loose = 0;
    for (uint32_t i = 0; i < count; i++) {
        nulls |= values[i].null;
        if (place[i].width == 0)
            loose += loose_size(&place[i], &values[i]);
    }
    bool wide = loose > UINT16_MAX;
    size_t bitmap = nulls ? (count + 7) / 8 : 0, end_size = wide ? 4 : 2;
    size_t size = 2 + bitmap + sums->fixed_before + sums->loose_before * end_size + loose;
    uint8_t *room;
    enum sqlstate failed = row_room(scope, size, &room, error);
    if (failed)
        return failed;
    uint16_t head = (uint16_t)(count | (nulls ? ROW_NULLS : 0) | (wide ? ROW_WIDE : 0));
    memcpy(room, &head, 2);
    uint8_t *fixed = room + 2 + bitmap, *ends = fixed + sums->fixed_before;
    uint8_t *data = ends + sums->loose_before * end_size;
    memset(room + 2, 0, bitmap);
    uint32_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &values[i];
        if (value->null)
            room[2 + i / 8] |= (uint8_t)(1 << i % 8);
        if (place[i].width) {
            if (value->null)
                memset(fixed, 0, place[i].width);
            else
                write_fixed(&place[i], value, fixed);
            fixed += place[i].width;
            continue;
        }
        write_loose(&place[i], value, data + end);
        end += (uint32_t)loose_size(&place[i], value);
        memcpy(ends, &end, end_size);
        ends += end_size;
    }
    *row = bytes_of(room, size);
    return SQLSTATE_OK;
}

/* ---- reading ---- */

static enum sqlstate raise_damaged(struct error *error)
{
    return error_set(error, SQLSTATE_DATA_CORRUPTED, "a row's bytes make no sense");
}

enum sqlstate row_decode(const struct row_layout *layout, struct bytes row, const uint16_t *wanted,
                         uint32_t wanted_count, struct value *values, struct error *error)
{
    struct row_parts parts;
    if (row_is_plain(layout, row)) {
        for (uint32_t i = 0; i < wanted_count; i++)
            if (!row_read_plain(layout, row, wanted[i], &values[i]))
                return raise_damaged(error);
        return SQLSTATE_OK;
    }
    if (!row_find_parts(layout, row, &parts))
        return raise_damaged(error);
    for (uint32_t i = 0; i < wanted_count; i++)
        if (!row_read_column(layout, &parts, wanted[i], &values[i]))
            return raise_damaged(error);
    return SQLSTATE_OK;
}

enum sqlstate row_decode_at(const struct row_layout *layout, struct bytes row, const uint16_t *wanted,
                            const uint16_t *slot, uint32_t wanted_count, struct value *const *columns,
                            uint32_t at, size_t *outside, struct error *error)
{
    struct row_parts parts;
    size_t bytes = 0;
    bool plain = row_is_plain(layout, row);
    if (!plain && !row_find_parts(layout, row, &parts))
        return raise_damaged(error);
    for (uint32_t i = 0; i < wanted_count; i++) {
        struct value *value = &columns[slot[i]][at];
        bool sound = plain ? row_read_plain(layout, row, wanted[i], value)
                           : row_read_column(layout, &parts, wanted[i], value);
        if (!sound)
            return raise_damaged(error);
        bytes += value->size; /* 0 of what lies in the value, and of null */
    }
    *outside = bytes;
    return SQLSTATE_OK;
}
