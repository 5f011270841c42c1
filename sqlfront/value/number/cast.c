/* Casts between integers, floats, booleans and oids, under the names that pg_cast's functions have. Those of numeric
 * are with numeric. */
#include "sqlfront/value/number/tables.h"

#include <math.h>

/* What needs no more than another name: the value is the same. */
static enum sqlstate same(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0];
    return SQLSTATE_OK;
}

static enum sqlstate integer_to_int2(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].i != (int16_t)arguments[0].i)
        return raise_out_of_range(call->error, "smallint");
    return same(call, arguments, result);
}

static enum sqlstate integer_to_int4(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].i != (int32_t)arguments[0].i)
        return raise_out_of_range(call->error, "integer");
    return same(call, arguments, result);
}

static enum sqlstate integer_to_oid(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[0].i != (uint32_t)arguments[0].i)
        return raise_out_of_range(call->error, "OID");
    return same(call, arguments, result);
}

/* smallint to oid goes through integer, whose bits an oid takes. */
static enum sqlstate int2_to_int4(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0];
    if (call->result && call->result->oid != TYPE_INT4)
        result->i = (uint32_t)arguments[0].i;
    return SQLSTATE_OK;
}

static enum sqlstate integer_to_boolean(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    *result = value_boolean(arguments[0].i != 0);
    return SQLSTATE_OK;
}

static enum sqlstate xid8_to_xid(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((uint32_t)arguments[0].i);
    return SQLSTATE_OK;
}

/* ---- integers to floats ---- */

static enum sqlstate integer_to_float8(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float((double)arguments[0].i);
    return SQLSTATE_OK;
}

static enum sqlstate integer_to_float4(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_float((float)arguments[0].i);
    return SQLSTATE_OK;
}

static enum sqlstate float8_to_float4(struct call *call, const struct value *arguments, struct value *result)
{
    double f = arguments[0].f;
    float narrow = (float)f;
    if (isinf(narrow) && !isinf(f))
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow");
    if (narrow == 0 && f != 0)
        return error_set(call->error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow");
    *result = value_float(narrow);
    return SQLSTATE_OK;
}

/* ---- floats to integers: to the nearest, halves to the even one ---- */

static enum sqlstate float_to_integer(struct call *call, double f, double least, double above,
                                      const char *type, struct value *result)
{
    f = rint(f);
    if (!(f >= least && f < above)) /* NaN, too */
        return raise_out_of_range(call->error, type);
    *result = value_integer((int64_t)f);
    return SQLSTATE_OK;
}

static enum sqlstate float_to_int2(struct call *call, const struct value *arguments, struct value *result)
{
    return float_to_integer(call, arguments[0].f, -0x1p15, 0x1p15, "smallint", result);
}

static enum sqlstate float_to_int4(struct call *call, const struct value *arguments, struct value *result)
{
    return float_to_integer(call, arguments[0].f, -0x1p31, 0x1p31, "integer", result);
}

static enum sqlstate float_to_int8(struct call *call, const struct value *arguments, struct value *result)
{
    return float_to_integer(call, arguments[0].f, -0x1p63, 0x1p63, "bigint", result);
}

/* ---- binary forms, as functions ---- */

static enum sqlstate send(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes binary;
    enum sqlstate failed = call->types[0]->ops->send(call->environment, call->scope, call->types[0],
                                                     &arguments[0], &binary, call->error);
    if (!failed)
        *result = value_bytes(binary.data, binary.size);
    return failed;
}

static const struct function functions[] = {
    {"i4toi2", integer_to_int2},
    {"i2toi4", int2_to_int4},
    {"int28", same},
    {"int48", same},
    {"int82", integer_to_int2},
    {"int84", integer_to_int4},
    {"i8tooid", integer_to_oid},
    {"oidtoi8", same},
    {"int4_bool", integer_to_boolean},
    {"bool_int4", same},
    {"xid8toxid", xid8_to_xid},
    {"i2tod", integer_to_float8},
    {"i4tod", integer_to_float8},
    {"i8tod", integer_to_float8},
    {"i2tof", integer_to_float4},
    {"i4tof", integer_to_float4},
    {"i8tof", integer_to_float4},
    {"ftod", same},
    {"dtof", float8_to_float4},
    {"ftoi2", float_to_int2},
    {"ftoi4", float_to_int4},
    {"ftoi8", float_to_int8},
    {"dtoi2", float_to_int2},
    {"dtoi4", float_to_int4},
    {"dtoi8", float_to_int8},
    {"boolsend", send},
    {"int2send", send},
    {"int4send", send},
    {"int8send", send},
    {"oidsend", send},
    {"xidsend", send},
    {"xid8send", send},
    {"cidsend", send},
    {"tidsend", send},
    {"float4send", send},
    {"float8send", send},
    {"numeric_send", send},
    {"cash_send", send},
    {"date_send", send},
    {"time_send", send},
    {"timetz_send", send},
    {"timestamp_send", send},
    {"timestamptz_send", send},
    {"interval_send", send},
    {0},
};

const struct library cast_library = {.functions = functions};
