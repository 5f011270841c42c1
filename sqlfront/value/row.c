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
#include "sqlfront/value/value.h"

#define ROW_COLUMNS 0x0fff
#define ROW_NULLS   0x1000
#define ROW_WIDE    0x2000
#define ROW_KNOWN   (ROW_COLUMNS | ROW_NULLS | ROW_WIDE)

#define LARGE_NUMERIC 0xff

/* How a value is written. */
enum form {
    FORM_SIGNED_1,
    FORM_SIGNED_2,
    FORM_SIGNED_4,
    FORM_UNSIGNED_4,
    FORM_SIGNED_8,
    FORM_FLOAT_4,
    FORM_FLOAT_8,
    FORM_FIXED_BYTES,
    FORM_BYTES, /* from here on of no fixed width */
    FORM_NUMERIC,
};

struct place {
    uint8_t form;
    uint8_t width;         /* fixed bytes; 0 = none */
    uint16_t fixed_before; /* bytes of the fixed values before it */
    uint16_t loose_before; /* how many values without fixed width are before it */
};

struct row_layout {
    uint32_t count;
    const struct value *missing;
    struct place place[]; /* one more than columns: the sums at the end */
};

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

static enum form form_of(const struct type *type)
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
        enum form form = form_of(columns[i]);
        uint8_t width = form < FORM_BYTES ? columns[i]->width : 0;
        layout->place[i] = (struct place){
            .form = (uint8_t)form, .width = width, .fixed_before = fixed, .loose_before = loose};
        fixed = (uint16_t)(fixed + width);
        loose = (uint16_t)(loose + (width == 0));
    }
    layout->place[count] = (struct place){.fixed_before = fixed, .loose_before = loose};
    return layout;
}

/* ---- writing ---- */

static size_t integer_bytes(int64_t i)
{
    uint64_t magnitude = (uint64_t)(i < 0 ? ~i : i);
    return magnitude ? (size_t)(64 - __builtin_clzll(magnitude)) / 8 + 1 : 1;
}

static size_t loose_size(const struct place *place, const struct value *value)
{
    if (value->null)
        return 0;
    if (place->form == FORM_NUMERIC)
        return 1 + (value->small ? integer_bytes(value->i) : value->size);
    return value->size;
}

static void write_fixed(const struct place *place, const struct value *value, uint8_t *to)
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

static void write_loose(const struct place *place, const struct value *value, uint8_t *to)
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
    const struct place *place = layout->place, *sums = &layout->place[count];
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

static struct value read_fixed(const struct place *place, const uint8_t *at)
{
    int16_t two;
    int32_t four;
    uint32_t unsigned_four;
    int64_t eight;
    float narrow;
    double f;
    switch (place->form) {
    case FORM_SIGNED_1:
        return value_integer((int8_t)*at);
    case FORM_SIGNED_2:
        memcpy(&two, at, 2);
        return value_integer(two);
    case FORM_SIGNED_4:
        memcpy(&four, at, 4);
        return value_integer(four);
    case FORM_UNSIGNED_4:
        memcpy(&unsigned_four, at, 4);
        return value_integer(unsigned_four);
    case FORM_SIGNED_8:
        memcpy(&eight, at, 8);
        return value_integer(eight);
    case FORM_FLOAT_4:
        memcpy(&narrow, at, 4);
        return value_float((double)narrow);
    case FORM_FLOAT_8:
        memcpy(&f, at, 8);
        return value_float(f);
    default:
        return value_bytes(at, place->width);
    }
}

static bool read_numeric(const uint8_t *at, size_t size, struct value *value)
{
    if (size < 2)
        return false;
    if (*at == LARGE_NUMERIC) {
        *value = value_bytes(at + 1, size - 1);
        return size > 6;
    }
    if (*at > NUMERIC_SMALL_SCALE_MAX || size > 9)
        return false;
    uint64_t unscaled = 0;
    unsigned shift = (unsigned)(8 - (size - 1)) * 8;
    memcpy((uint8_t *)&unscaled + shift / 8, at + 1, size - 1);
    *value = value_small_numeric((int64_t)unscaled >> shift, *at);
    return true;
}

/* Where things are in a row. */
struct parts {
    uint32_t count;
    const uint8_t *nulls; /* NULL = none */
    const uint8_t *fixed, *ends, *data;
    size_t data_size;
    bool wide;
};

static bool find_parts(const struct row_layout *layout, struct bytes row, struct parts *parts)
{
    uint16_t head;
    if (row.size < 2)
        return false;
    memcpy(&head, row.data, 2);
    uint32_t count = head & ROW_COLUMNS;
    if (head & ~ROW_KNOWN || count > layout->count)
        return false;
    const struct place *sums = &layout->place[count];
    size_t bitmap = head & ROW_NULLS ? (count + 7) / 8 : 0;
    bool wide = head & ROW_WIDE;
    size_t before = 2 + bitmap + sums->fixed_before + (size_t)sums->loose_before * (wide ? 4 : 2);
    if (row.size < before)
        return false;
    *parts = (struct parts){.count = count,
                            .nulls = bitmap ? row.data + 2 : NULL,
                            .fixed = row.data + 2 + bitmap,
                            .ends = row.data + 2 + bitmap + sums->fixed_before,
                            .data = row.data + before,
                            .data_size = row.size - before,
                            .wide = wide};
    return true;
}

static inline uint32_t end_of(const struct parts *parts, uint32_t loose)
{
    uint16_t narrow;
    uint32_t end;
    if (parts->wide) {
        memcpy(&end, parts->ends + 4 * (size_t)loose, 4);
        return end;
    }
    memcpy(&narrow, parts->ends + 2 * (size_t)loose, 2);
    return narrow;
}

static enum sqlstate raise_damaged(struct error *error)
{
    return error_set(error, SQLSTATE_DATA_CORRUPTED, "a row's bytes make no sense");
}

enum sqlstate row_decode(const struct row_layout *layout, struct bytes row, const uint16_t *wanted,
                         uint32_t wanted_count, struct value *values, struct error *error)
{
    struct parts parts;
    if (!find_parts(layout, row, &parts))
        return raise_damaged(error);
    for (uint32_t i = 0; i < wanted_count; i++) {
        uint32_t column = wanted[i];
        if (column >= parts.count) {
            values[i] = layout->missing ? layout->missing[column] : value_null();
            continue;
        }
        if (parts.nulls && parts.nulls[column / 8] >> column % 8 & 1) {
            values[i] = value_null();
            continue;
        }
        const struct place *place = &layout->place[column];
        if (place->width) {
            values[i] = read_fixed(place, parts.fixed + place->fixed_before);
            continue;
        }
        uint32_t from = place->loose_before ? end_of(&parts, place->loose_before - 1u) : 0;
        uint32_t to = end_of(&parts, place->loose_before);
        if (from > to || to > parts.data_size)
            return raise_damaged(error);
        if (place->form == FORM_BYTES)
            values[i] = value_bytes(parts.data + from, to - from);
        else if (!read_numeric(parts.data + from, to - from, &values[i]))
            return raise_damaged(error);
    }
    return SQLSTATE_OK;
}
