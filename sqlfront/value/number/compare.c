/* Comparing whatever lies in a value itself: integers, floats, booleans, oids, dates and times.
 *
 * Values know no width, so PostgreSQL's many functions (int4eq, int48eq, date_eq, ...) are few here: one for each
 * comparison of integers, one of floats. Their kernels are the inner loops of most filters. */
#include "sqlfront/value/number/tables.h"

/* clang-format off */
#define INTEGER_COMPARISON(function, kernel, operator)                                                                 \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result)             \
    {                                                                                                                  \
        *result = value_boolean(arguments[0].i operator arguments[1].i);                                              \
        return SQLSTATE_OK;                                                                                            \
    }                                                                                                                  \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        const struct value *a = arguments[0], *b = arguments[1];                                                       \
        if (!selection)                                                                                                \
            for (uint32_t row = 0; row < count; row++)                                                                 \
                result[row] = (struct value){.i = a[row].i operator b[row].i, .null = a[row].null | b[row].null};    \
        else                                                                                                           \
            for (uint32_t at = 0; at < count; at++) {                                                                  \
                uint32_t row = selection[at];                                                                          \
                result[row] = (struct value){.i = a[row].i operator b[row].i, .null = a[row].null | b[row].null};    \
            }                                                                                                          \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */
INTEGER_COMPARISON(integer_eq, integers_eq, ==)
INTEGER_COMPARISON(integer_ne, integers_ne, !=)
INTEGER_COMPARISON(integer_lt, integers_lt, <)
INTEGER_COMPARISON(integer_le, integers_le, <=)
INTEGER_COMPARISON(integer_gt, integers_gt, >)
INTEGER_COMPARISON(integer_ge, integers_ge, >=)

/* NaN equals itself and is above all others. */
static int float_order(double a, double b)
{
    if (a < b)
        return -1;
    if (a > b)
        return 1;
    if (a == b)
        return 0;
    return (int)(a != a) - (int)(b != b);
}

/* clang-format off */
#define FLOAT_COMPARISON(function, kernel, operator)                                                                   \
    static enum sqlstate function(struct call *call, const struct value *arguments, struct value *result)             \
    {                                                                                                                  \
        *result = value_boolean(float_order(arguments[0].f, arguments[1].f) operator 0);                              \
        return SQLSTATE_OK;                                                                                            \
    }                                                                                                                  \
    static enum sqlstate kernel(struct call *call, const struct value *const *arguments, const uint16_t *selection,   \
                                uint32_t count, struct value *result)                                                  \
    {                                                                                                                  \
        const struct value *a = arguments[0], *b = arguments[1];                                                       \
        for (uint32_t at = 0; at < count; at++) {                                                                      \
            uint32_t row = selection ? selection[at] : at;                                                             \
            bool null = a[row].null | b[row].null;                                                                     \
            result[row] = (struct value){.i = !null && float_order(a[row].f, b[row].f) operator 0, .null = null};    \
        }                                                                                                              \
        return SQLSTATE_OK;                                                                                            \
    }
/* clang-format on */
FLOAT_COMPARISON(float_eq, floats_eq, ==)
FLOAT_COMPARISON(float_ne, floats_ne, !=)
FLOAT_COMPARISON(float_lt, floats_lt, <)
FLOAT_COMPARISON(float_le, floats_le, <=)
FLOAT_COMPARISON(float_gt, floats_gt, >)
FLOAT_COMPARISON(float_ge, floats_ge, >=)

static enum sqlstate integer_cmp(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((arguments[0].i > arguments[1].i) - (arguments[0].i < arguments[1].i));
    return SQLSTATE_OK;
}

/* What PostgreSQL's order of smallint gives: not only the sign. */
static enum sqlstate integer_difference(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    *result = value_integer(arguments[0].i - arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate integer_larger(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0].i > arguments[1].i ? arguments[0] : arguments[1];
    return SQLSTATE_OK;
}

static enum sqlstate integer_smaller(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[0].i < arguments[1].i ? arguments[0] : arguments[1];
    return SQLSTATE_OK;
}

static enum sqlstate float_cmp(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer(float_order(arguments[0].f, arguments[1].f));
    return SQLSTATE_OK;
}

static enum sqlstate float_larger(struct call *call, const struct value *arguments, struct value *result)
{
    *result = float_order(arguments[0].f, arguments[1].f) > 0 ? arguments[0] : arguments[1];
    return SQLSTATE_OK;
}

static enum sqlstate float_smaller(struct call *call, const struct value *arguments, struct value *result)
{
    *result = float_order(arguments[0].f, arguments[1].f) < 0 ? arguments[0] : arguments[1];
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"booleq", integer_eq},
    {"boolne", integer_ne},
    {"boollt", integer_lt},
    {"boolle", integer_le},
    {"boolgt", integer_gt},
    {"boolge", integer_ge},
    {"int2eq", integer_eq},
    {"int2ne", integer_ne},
    {"int2lt", integer_lt},
    {"int2le", integer_le},
    {"int2gt", integer_gt},
    {"int2ge", integer_ge},
    {"int4eq", integer_eq},
    {"int4ne", integer_ne},
    {"int4lt", integer_lt},
    {"int4le", integer_le},
    {"int4gt", integer_gt},
    {"int4ge", integer_ge},
    {"int8eq", integer_eq},
    {"int8ne", integer_ne},
    {"int8lt", integer_lt},
    {"int8le", integer_le},
    {"int8gt", integer_gt},
    {"int8ge", integer_ge},
    {"int24eq", integer_eq},
    {"int24ne", integer_ne},
    {"int24lt", integer_lt},
    {"int24le", integer_le},
    {"int24gt", integer_gt},
    {"int24ge", integer_ge},
    {"int42eq", integer_eq},
    {"int42ne", integer_ne},
    {"int42lt", integer_lt},
    {"int42le", integer_le},
    {"int42gt", integer_gt},
    {"int42ge", integer_ge},
    {"int28eq", integer_eq},
    {"int28ne", integer_ne},
    {"int28lt", integer_lt},
    {"int28le", integer_le},
    {"int28gt", integer_gt},
    {"int28ge", integer_ge},
    {"int82eq", integer_eq},
    {"int82ne", integer_ne},
    {"int82lt", integer_lt},
    {"int82le", integer_le},
    {"int82gt", integer_gt},
    {"int82ge", integer_ge},
    {"int48eq", integer_eq},
    {"int48ne", integer_ne},
    {"int48lt", integer_lt},
    {"int48le", integer_le},
    {"int48gt", integer_gt},
    {"int48ge", integer_ge},
    {"int84eq", integer_eq},
    {"int84ne", integer_ne},
    {"int84lt", integer_lt},
    {"int84le", integer_le},
    {"int84gt", integer_gt},
    {"int84ge", integer_ge},
    {"oideq", integer_eq},
    {"oidne", integer_ne},
    {"oidlt", integer_lt},
    {"oidle", integer_le},
    {"oidgt", integer_gt},
    {"oidge", integer_ge},
    {"tideq", integer_eq},
    {"tidne", integer_ne},
    {"tidlt", integer_lt},
    {"tidle", integer_le},
    {"tidgt", integer_gt},
    {"tidge", integer_ge},
    {"xideq", integer_eq},
    {"cideq", integer_eq},
    {"xid8eq", integer_eq},
    {"xid8ne", integer_ne},
    {"xid8lt", integer_lt},
    {"xid8le", integer_le},
    {"xid8gt", integer_gt},
    {"xid8ge", integer_ge},
    {"date_eq", integer_eq},
    {"date_ne", integer_ne},
    {"date_lt", integer_lt},
    {"date_le", integer_le},
    {"date_gt", integer_gt},
    {"date_ge", integer_ge},
    {"time_eq", integer_eq},
    {"time_ne", integer_ne},
    {"time_lt", integer_lt},
    {"time_le", integer_le},
    {"time_gt", integer_gt},
    {"time_ge", integer_ge},
    {"timestamp_eq", integer_eq},
    {"timestamp_ne", integer_ne},
    {"timestamp_lt", integer_lt},
    {"timestamp_le", integer_le},
    {"timestamp_gt", integer_gt},
    {"timestamp_ge", integer_ge},
    {"cash_eq", integer_eq},
    {"cash_ne", integer_ne},
    {"cash_lt", integer_lt},
    {"cash_le", integer_le},
    {"cash_gt", integer_gt},
    {"cash_ge", integer_ge},
    {"pg_lsn_eq", integer_eq},
    {"pg_lsn_ne", integer_ne},
    {"pg_lsn_lt", integer_lt},
    {"pg_lsn_le", integer_le},
    {"pg_lsn_gt", integer_gt},
    {"pg_lsn_ge", integer_ge},
    {"xidneq", integer_ne},
    {"float4eq", float_eq},
    {"float4ne", float_ne},
    {"float4lt", float_lt},
    {"float4le", float_le},
    {"float4gt", float_gt},
    {"float4ge", float_ge},
    {"float8eq", float_eq},
    {"float8ne", float_ne},
    {"float8lt", float_lt},
    {"float8le", float_le},
    {"float8gt", float_gt},
    {"float8ge", float_ge},
    {"float48eq", float_eq},
    {"float48ne", float_ne},
    {"float48lt", float_lt},
    {"float48le", float_le},
    {"float48gt", float_gt},
    {"float48ge", float_ge},
    {"float84eq", float_eq},
    {"float84ne", float_ne},
    {"float84lt", float_lt},
    {"float84le", float_le},
    {"float84gt", float_gt},
    {"float84ge", float_ge},
    {"btboolcmp", integer_cmp},
    {"btfloat48cmp", float_cmp},
    {"btfloat4cmp", float_cmp},
    {"btfloat84cmp", float_cmp},
    {"btfloat8cmp", float_cmp},
    {"btint24cmp", integer_cmp},
    {"btint28cmp", integer_cmp},
    {"btint2cmp", integer_difference},
    {"btint42cmp", integer_cmp},
    {"btint48cmp", integer_cmp},
    {"btint4cmp", integer_cmp},
    {"btint82cmp", integer_cmp},
    {"btint84cmp", integer_cmp},
    {"btint8cmp", integer_cmp},
    {"btoidcmp", integer_cmp},
    {"bttidcmp", integer_cmp},
    {"cash_cmp", integer_cmp},
    {"cashlarger", integer_larger},
    {"cashsmaller", integer_smaller},
    {"date_cmp", integer_cmp},
    {"date_larger", integer_larger},
    {"date_smaller", integer_smaller},
    {"float4larger", float_larger},
    {"float4smaller", float_smaller},
    {"float8larger", float_larger},
    {"float8smaller", float_smaller},
    {"int2larger", integer_larger},
    {"int2smaller", integer_smaller},
    {"int4larger", integer_larger},
    {"int4smaller", integer_smaller},
    {"int8larger", integer_larger},
    {"int8smaller", integer_smaller},
    {"oidlarger", integer_larger},
    {"oidsmaller", integer_smaller},
    {"pg_lsn_cmp", integer_cmp},
    {"pg_lsn_larger", integer_larger},
    {"pg_lsn_smaller", integer_smaller},
    {"tidlarger", integer_larger},
    {"tidsmaller", integer_smaller},
    {"time_cmp", integer_cmp},
    {"time_larger", integer_larger},
    {"time_smaller", integer_smaller},
    {"timestamp_cmp", integer_cmp},
    {"timestamp_larger", integer_larger},
    {"timestamp_smaller", integer_smaller},
    {"xid8_larger", integer_larger},
    {"xid8_smaller", integer_smaller},
    {"xid8cmp", integer_cmp},
    {0},
};

static const struct kernel kernels[] = {
    {"booleq", integers_eq},       {"boolne", integers_ne},
    {"boollt", integers_lt},       {"boolle", integers_le},
    {"boolgt", integers_gt},       {"boolge", integers_ge},
    {"int2eq", integers_eq},       {"int2ne", integers_ne},
    {"int2lt", integers_lt},       {"int2le", integers_le},
    {"int2gt", integers_gt},       {"int2ge", integers_ge},
    {"int4eq", integers_eq},       {"int4ne", integers_ne},
    {"int4lt", integers_lt},       {"int4le", integers_le},
    {"int4gt", integers_gt},       {"int4ge", integers_ge},
    {"int8eq", integers_eq},       {"int8ne", integers_ne},
    {"int8lt", integers_lt},       {"int8le", integers_le},
    {"int8gt", integers_gt},       {"int8ge", integers_ge},
    {"int24eq", integers_eq},      {"int24ne", integers_ne},
    {"int24lt", integers_lt},      {"int24le", integers_le},
    {"int24gt", integers_gt},      {"int24ge", integers_ge},
    {"int42eq", integers_eq},      {"int42ne", integers_ne},
    {"int42lt", integers_lt},      {"int42le", integers_le},
    {"int42gt", integers_gt},      {"int42ge", integers_ge},
    {"int28eq", integers_eq},      {"int28ne", integers_ne},
    {"int28lt", integers_lt},      {"int28le", integers_le},
    {"int28gt", integers_gt},      {"int28ge", integers_ge},
    {"int82eq", integers_eq},      {"int82ne", integers_ne},
    {"int82lt", integers_lt},      {"int82le", integers_le},
    {"int82gt", integers_gt},      {"int82ge", integers_ge},
    {"int48eq", integers_eq},      {"int48ne", integers_ne},
    {"int48lt", integers_lt},      {"int48le", integers_le},
    {"int48gt", integers_gt},      {"int48ge", integers_ge},
    {"int84eq", integers_eq},      {"int84ne", integers_ne},
    {"int84lt", integers_lt},      {"int84le", integers_le},
    {"int84gt", integers_gt},      {"int84ge", integers_ge},
    {"oideq", integers_eq},        {"oidne", integers_ne},
    {"oidlt", integers_lt},        {"oidle", integers_le},
    {"oidgt", integers_gt},        {"oidge", integers_ge},
    {"tideq", integers_eq},        {"tidne", integers_ne},
    {"tidlt", integers_lt},        {"tidle", integers_le},
    {"tidgt", integers_gt},        {"tidge", integers_ge},
    {"xideq", integers_eq},        {"cideq", integers_eq},
    {"xid8eq", integers_eq},       {"xid8ne", integers_ne},
    {"xid8lt", integers_lt},       {"xid8le", integers_le},
    {"xid8gt", integers_gt},       {"xid8ge", integers_ge},
    {"date_eq", integers_eq},      {"date_ne", integers_ne},
    {"date_lt", integers_lt},      {"date_le", integers_le},
    {"date_gt", integers_gt},      {"date_ge", integers_ge},
    {"time_eq", integers_eq},      {"time_ne", integers_ne},
    {"time_lt", integers_lt},      {"time_le", integers_le},
    {"time_gt", integers_gt},      {"time_ge", integers_ge},
    {"timestamp_eq", integers_eq}, {"timestamp_ne", integers_ne},
    {"timestamp_lt", integers_lt}, {"timestamp_le", integers_le},
    {"timestamp_gt", integers_gt}, {"timestamp_ge", integers_ge},
    {"cash_eq", integers_eq},      {"cash_ne", integers_ne},
    {"cash_lt", integers_lt},      {"cash_le", integers_le},
    {"cash_gt", integers_gt},      {"cash_ge", integers_ge},
    {"pg_lsn_eq", integers_eq},    {"pg_lsn_ne", integers_ne},
    {"pg_lsn_lt", integers_lt},    {"pg_lsn_le", integers_le},
    {"pg_lsn_gt", integers_gt},    {"pg_lsn_ge", integers_ge},
    {"xidneq", integers_ne},       {"float4eq", floats_eq},
    {"float4ne", floats_ne},       {"float4lt", floats_lt},
    {"float4le", floats_le},       {"float4gt", floats_gt},
    {"float4ge", floats_ge},       {"float8eq", floats_eq},
    {"float8ne", floats_ne},       {"float8lt", floats_lt},
    {"float8le", floats_le},       {"float8gt", floats_gt},
    {"float8ge", floats_ge},       {"float48eq", floats_eq},
    {"float48ne", floats_ne},      {"float48lt", floats_lt},
    {"float48le", floats_le},      {"float48gt", floats_gt},
    {"float48ge", floats_ge},      {"float84eq", floats_eq},
    {"float84ne", floats_ne},      {"float84lt", floats_lt},
    {"float84le", floats_le},      {"float84gt", floats_gt},
    {"float84ge", floats_ge},      {0},
};

const struct library number_compare_library = {.functions = functions, .kernels = kernels};
