/* What the files that read stored rows share: where things lie in them (row.c draws it). */
#ifndef SYNOD_SQLFRONT_VALUE_ROW_INSIDE_H
#define SYNOD_SQLFRONT_VALUE_ROW_INSIDE_H

#include "sqlfront/value/few.h"
#include "sqlfront/value/value.h"

#include <string.h>

#define ROW_COLUMNS 0x0fff
#define ROW_NULLS   0x1000
#define ROW_WIDE    0x2000
#define ROW_KNOWN   (ROW_COLUMNS | ROW_NULLS | ROW_WIDE)

#define LARGE_NUMERIC 0xff

/* How a value is written. */
enum row_form {
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

struct row_place {
    uint8_t form;
    uint8_t width;         /* fixed bytes; 0 = none */
    uint16_t fixed_before; /* bytes of the fixed values before it */
    uint16_t loose_before; /* how many values without fixed width are before it */
};

/* Most rows are *plain*: all columns are written, none is null, ends have 2 bytes. Then everything lies where the layout says. */
struct row_layout {
    uint32_t count;
    uint32_t plain_ends, plain_data; /* offsets in a plain row */
    const struct value *missing;
    struct row_place place[]; /* one more than columns: the sums at the end */
};

#define ROW_PLAIN_FIXED 2 /* where the columns of fixed width begin in a plain row */

static inline bool row_is_plain(const struct row_layout *layout, struct bytes row)
{
    uint16_t head;
    if (row.size < layout->plain_data)
        return false;
    memcpy(&head, row.data, 2);
    return head == layout->count;
}

/* The bytes of a plain row's value without fixed width; false when they make no sense. */
static inline bool row_plain_loose(const struct row_layout *layout, struct bytes row, uint32_t loose,
                                   struct bytes *found)
{
    const uint8_t *ends = row.data + layout->plain_ends + 2 * (size_t)loose;
    uint16_t from = 0, to;
    if (loose)
        memcpy(&from, ends - 2, 2);
    memcpy(&to, ends, 2);
    *found = bytes_of(row.data + layout->plain_data + from, (size_t)to - from);
    return from <= to && to <= row.size - layout->plain_data;
}

static inline struct value row_read_fixed(const struct row_place *place, const uint8_t *at)
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

static inline bool row_read_numeric(const uint8_t *at, size_t size, struct value *value)
{
    if (size < 2)
        return false;
    if (*at == LARGE_NUMERIC) {
        *value = value_bytes(at + 1, size - 1);
        return size > 6;
    }
    if (*at > NUMERIC_SMALL_SCALE_MAX || size > 9)
        return false;
    unsigned shift = (unsigned)(9 - size) * 8;
    *value = value_small_numeric((int64_t)(load_few(at + 1, size - 1) << shift) >> shift, *at);
    return true;
}

/* Where things are in a row. */
struct row_parts {
    uint32_t count;
    const uint8_t *nulls; /* NULL = none */
    const uint8_t *fixed, *ends, *data;
    size_t data_size;
    bool wide;
};

static inline bool row_find_parts(const struct row_layout *layout, struct bytes row, struct row_parts *parts)
{
    uint16_t head;
    if (row.size < 2)
        return false;
    memcpy(&head, row.data, 2);
    uint32_t count = head & ROW_COLUMNS;
    if (head & ~ROW_KNOWN || count > layout->count)
        return false;
    const struct row_place *sums = &layout->place[count];
    size_t bitmap = head & ROW_NULLS ? (count + 7) / 8 : 0;
    bool wide = head & ROW_WIDE;
    size_t before = 2 + bitmap + sums->fixed_before + (size_t)sums->loose_before * (wide ? 4 : 2);
    if (row.size < before)
        return false;
    *parts = (struct row_parts){.count = count,
                                .nulls = bitmap ? row.data + 2 : NULL,
                                .fixed = row.data + 2 + bitmap,
                                .ends = row.data + 2 + bitmap + sums->fixed_before,
                                .data = row.data + before,
                                .data_size = row.size - before,
                                .wide = wide};
    return true;
}

static inline uint32_t row_end_of(const struct row_parts *parts, uint32_t loose)
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

/* A short numeric as row_read_numeric() reads it, without asking how many bytes there are: those eight that end where it ends, its own
 * the highest of them. False when it is none, or the row begins behind those eight. */
static inline bool row_read_short(struct bytes row, struct bytes loose, struct value *value)
{
    int64_t word;
    const uint8_t *end = loose.data + loose.size;
    if (loose.size - 2 > 7 || *loose.data > NUMERIC_SMALL_SCALE_MAX || end - row.data < 8)
        return false;
    memcpy(&word, end - 8, 8);
    *value = value_small_numeric(word >> 8 * (9 - loose.size), *loose.data);
    return true;
}

/* The same as row_read_column() of a plain row. */
static inline bool row_read_plain(const struct row_layout *layout, struct bytes row, uint32_t column,
                                  struct value *value)
{
    const struct row_place *place = &layout->place[column];
    struct bytes loose;
    if (place->width) {
        *value = row_read_fixed(place, row.data + ROW_PLAIN_FIXED + place->fixed_before);
        return true;
    }
    if (!row_plain_loose(layout, row, place->loose_before, &loose))
        return false;
    if (place->form != FORM_BYTES)
        return row_read_short(row, loose, value) || row_read_numeric(loose.data, loose.size, value);
    *value = value_bytes(loose.data, loose.size);
    return true;
}

/* A column's value, as a view into the row. False: the bytes make no sense. */
static inline bool row_read_column(const struct row_layout *layout, const struct row_parts *parts,
                                   uint32_t column, struct value *value)
{
    if (column >= parts->count) {
        *value = layout->missing ? layout->missing[column] : value_null();
        return true;
    }
    if (parts->nulls && parts->nulls[column / 8] >> column % 8 & 1) {
        *value = value_null();
        return true;
    }
    const struct row_place *place = &layout->place[column];
    if (place->width) {
        *value = row_read_fixed(place, parts->fixed + place->fixed_before);
        return true;
    }
    uint32_t from = place->loose_before ? row_end_of(parts, place->loose_before - 1u) : 0;
    uint32_t to = row_end_of(parts, place->loose_before);
    if (from > to || to > parts->data_size)
        return false;
    if (place->form != FORM_BYTES)
        return row_read_numeric(parts->data + from, to - from, value);
    *value = value_bytes(parts->data + from, to - from);
    return true;
}

#endif
