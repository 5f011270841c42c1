/* A value within an array or record. */
#include "sqlfront/value/array/piece.h"

#include "base/check.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width values are copied as they stand");

static uint8_t *write_float(uint8_t width, double f, uint8_t *to)
{
    float narrow = (float)f;
    if (width == 4)
        memcpy(to, &narrow, 4);
    else
        memcpy(to, &f, 8);
    return to + width;
}

static uint8_t *write_numeric(const struct value *value, uint8_t *to)
{
    if (!value->small) {
        *to++ = PIECE_LARGE_NUMERIC;
        memcpy(to, value->p, value->size);
        return to + value->size;
    }
    *to++ = (uint8_t)value->scale;
    memcpy(to, &value->i, 8);
    return to + 8;
}

uint8_t piece_kind(const struct type *type)
{
    if (type->kind != VALUE_INTEGER || type->width != 4)
        return type->kind;
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
        return PIECE_UNSIGNED;
    default:
        return type->type_type == 'e' ? PIECE_UNSIGNED : VALUE_INTEGER;
    }
}

uint8_t *piece_write(uint8_t kind, uint8_t width, const struct value *value, uint8_t *to)
{
    switch (kind) {
    case VALUE_INTEGER:
    case PIECE_UNSIGNED:
        memcpy(to, &value->i, width);
        return to + width;
    case VALUE_FLOAT:
        return write_float(width, value->f, to);
    case VALUE_NUMERIC:
        return write_numeric(value, to);
    case VALUE_BYTES:
        check(width == 0 || value->size == width);
        if (value->size)
            memcpy(to, value->p, value->size);
        return to + value->size;
    }
    check(false, "kind %u", kind);
    return to;
}

static int64_t read_integer(uint8_t width, const uint8_t *at)
{
    int8_t one;
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (width) {
    case 1:
        memcpy(&one, at, 1);
        return one;
    case 2:
        memcpy(&two, at, 2);
        return two;
    case 4:
        memcpy(&four, at, 4);
        return four;
    default:
        memcpy(&eight, at, 8);
        return eight;
    }
}

static double read_float(uint8_t width, const uint8_t *at)
{
    float narrow;
    double f;
    if (width == 4) {
        memcpy(&narrow, at, 4);
        return (double)narrow;
    }
    memcpy(&f, at, 8);
    return f;
}

struct value piece_read(uint8_t kind, uint8_t width, const uint8_t *at, size_t size)
{
    int64_t unscaled;
    switch (kind) {
    case PIECE_UNSIGNED:
        return value_integer((uint32_t)read_integer(width, at));
    case VALUE_INTEGER:
        return value_integer(read_integer(width, at));
    case VALUE_FLOAT:
        return value_float(read_float(width, at));
    case VALUE_NUMERIC:
        if (at[0] == PIECE_LARGE_NUMERIC)
            return value_bytes(at + 1, size - 1);
        memcpy(&unscaled, at + 1, 8);
        return value_small_numeric(unscaled, at[0]);
    case VALUE_BYTES:
        return value_bytes(at, size);
    }
    check(false, "kind %u", kind);
    return value_null();
}
