/* Comparing two values of one type, whichever it is; and the names that text, name, bpchar and "char" have for it. Bytes
 * that are ordered as bytes (text in our default collation "C") do not ask the type. */
#include "sqlfront/value/text/text.h"

static int order_of(struct call *call, const struct value *a, const struct value *b)
{
    return value_compare(call->environment, call->types[0], a, b);
}

enum sqlstate compare_eq(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(value_equal(call->environment, call->types[0], &arguments[0], &arguments[1]));
    return SQLSTATE_OK;
}

enum sqlstate compare_ne(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(!value_equal(call->environment, call->types[0], &arguments[0], &arguments[1]));
    return SQLSTATE_OK;
}

enum sqlstate compare_lt(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(order_of(call, &arguments[0], &arguments[1]) < 0);
    return SQLSTATE_OK;
}

enum sqlstate compare_le(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(order_of(call, &arguments[0], &arguments[1]) <= 0);
    return SQLSTATE_OK;
}

enum sqlstate compare_gt(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(order_of(call, &arguments[0], &arguments[1]) > 0);
    return SQLSTATE_OK;
}

enum sqlstate compare_ge(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(order_of(call, &arguments[0], &arguments[1]) >= 0);
    return SQLSTATE_OK;
}

enum sqlstate compare_cmp(struct call *call, const struct value *arguments, struct value *result)
{
    int order = order_of(call, &arguments[0], &arguments[1]);
    *result = value_integer((order > 0) - (order < 0));
    return SQLSTATE_OK;
}

enum sqlstate compare_larger(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[order_of(call, &arguments[0], &arguments[1]) < 0];
    return SQLSTATE_OK;
}

enum sqlstate compare_smaller(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[order_of(call, &arguments[0], &arguments[1]) > 0];
    return SQLSTATE_OK;
}

enum sqlstate compare_hash(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int32_t)value_hash(call->environment, call->types[0], &arguments[0]));
    return SQLSTATE_OK;
}

enum sqlstate compare_hash_extended(struct call *call, const struct value *arguments, struct value *result)
{
    uint64_t hash = value_hash(call->environment, call->types[0], &arguments[0]);
    if (arguments[1].i)
        hash = (hash ^ (uint64_t)arguments[1].i) * 0x9fb21c651e98df25;
    *result = value_integer((int64_t)hash);
    return SQLSTATE_OK;
}

/* ---- text and name, also with each other ---- */

static bool bytes_equal(const struct value *arguments)
{
    return arguments[0].size == arguments[1].size &&
           (arguments[0].size == 0 || memcmp(arguments[0].p, arguments[1].p, arguments[0].size) == 0);
}

static int bytes_order(const struct value *arguments)
{
    return bytes_compare(value_view(&arguments[0]), value_view(&arguments[1]));
}

static enum sqlstate texteq(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(bytes_equal(arguments));
    return SQLSTATE_OK;
}

static enum sqlstate textne(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(!bytes_equal(arguments));
    return SQLSTATE_OK;
}

static enum sqlstate text_lt(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(bytes_order(arguments) < 0);
    return SQLSTATE_OK;
}

static enum sqlstate text_le(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(bytes_order(arguments) <= 0);
    return SQLSTATE_OK;
}

static enum sqlstate text_gt(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(bytes_order(arguments) > 0);
    return SQLSTATE_OK;
}

static enum sqlstate text_ge(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(bytes_order(arguments) >= 0);
    return SQLSTATE_OK;
}

static enum sqlstate bttextcmp(struct call *call, const struct value *arguments, struct value *result)
{
    int order = bytes_order(arguments);
    *result = value_integer((order > 0) - (order < 0));
    return SQLSTATE_OK;
}

static enum sqlstate text_larger(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[bytes_order(arguments) <= 0];
    return SQLSTATE_OK;
}

static enum sqlstate text_smaller(struct call *call, const struct value *arguments, struct value *result)
{
    *result = arguments[bytes_order(arguments) >= 0];
    return SQLSTATE_OK;
}

static enum sqlstate text_starts_with(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean(
        arguments[0].size >= arguments[1].size &&
        (arguments[1].size == 0 || memcmp(arguments[0].p, arguments[1].p, arguments[1].size) == 0));
    return SQLSTATE_OK;
}

/* ---- "char", by unsigned byte ---- */

static enum sqlstate charlt(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean((uint8_t)arguments[0].i < (uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate charle(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean((uint8_t)arguments[0].i <= (uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate chargt(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean((uint8_t)arguments[0].i > (uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate charge(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean((uint8_t)arguments[0].i >= (uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate chareq(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean((uint8_t)arguments[0].i == (uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate charne(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_boolean((uint8_t)arguments[0].i != (uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static enum sqlstate btcharcmp(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_integer((int)(uint8_t)arguments[0].i - (int)(uint8_t)arguments[1].i);
    return SQLSTATE_OK;
}

static const struct function functions[] = {
    {"texteq", texteq, 0},
    {"textne", textne, 0},
    {"text_lt", text_lt, 0},
    {"text_le", text_le, 0},
    {"text_gt", text_gt, 0},
    {"text_ge", text_ge, 0},
    {"bttextcmp", bttextcmp, 0},
    {"text_larger", text_larger, 0},
    {"text_smaller", text_smaller, 0},
    {"hashtext", compare_hash, 0},
    {"text_pattern_lt", text_lt, 0},
    {"text_pattern_le", text_le, 0},
    {"text_pattern_gt", text_gt, 0},
    {"text_pattern_ge", text_ge, 0},
    {"bttext_pattern_cmp", bttextcmp, 0},
    {"text_starts_with", text_starts_with, 0},
    {"nameeq", texteq, 0},
    {"namene", textne, 0},
    {"namelt", text_lt, 0},
    {"namele", text_le, 0},
    {"namegt", text_gt, 0},
    {"namege", text_ge, 0},
    {"btnamecmp", bttextcmp, 0},
    {"hashname", compare_hash, 0},
    {"nameeqtext", texteq, 0},
    {"namenetext", textne, 0},
    {"namelttext", text_lt, 0},
    {"nameletext", text_le, 0},
    {"namegttext", text_gt, 0},
    {"namegetext", text_ge, 0},
    {"btnametextcmp", bttextcmp, 0},
    {"texteqname", texteq, 0},
    {"textnename", textne, 0},
    {"textltname", text_lt, 0},
    {"textlename", text_le, 0},
    {"textgtname", text_gt, 0},
    {"textgename", text_ge, 0},
    {"bttextnamecmp", bttextcmp, 0},
    {"bpchareq", compare_eq, 0},
    {"bpcharne", compare_ne, 0},
    {"bpcharlt", compare_lt, 0},
    {"bpcharle", compare_le, 0},
    {"bpchargt", compare_gt, 0},
    {"bpcharge", compare_ge, 0},
    {"bpcharcmp", compare_cmp, 0},
    {"bpchar_larger", compare_larger, 0},
    {"bpchar_smaller", compare_smaller, 0},
    {"bpchar_pattern_lt", compare_lt, 0},
    {"bpchar_pattern_le", compare_le, 0},
    {"bpchar_pattern_gt", compare_gt, 0},
    {"bpchar_pattern_ge", compare_ge, 0},
    {"btbpchar_pattern_cmp", compare_cmp, 0},
    {"hashbpchar", compare_hash, 0},
    {"chareq", chareq, 0},
    {"charne", charne, 0},
    {"charlt", charlt, 0},
    {"charle", charle, 0},
    {"chargt", chargt, 0},
    {"charge", charge, 0},
    {"btcharcmp", btcharcmp, 0},
    {"hashchar", compare_hash, 0},
    {"hashtextextended", compare_hash_extended, 0},
    {"hashnameextended", compare_hash_extended, 0},
    {"hashbpcharextended", compare_hash_extended, 0},
    {"hashcharextended", compare_hash_extended, 0},
    {"uuid_hash_extended", compare_hash_extended, 0},
    {"hashenumextended", compare_hash_extended, 0},
    {"jsonb_hash_extended", compare_hash_extended, 0},
    {"hash_array_extended", compare_hash_extended, 0},
    {"hash_record_extended", compare_hash_extended, 0},
    {"hashoidvectorextended", compare_hash_extended, 0},
    {NULL, NULL, 0},
};

/* ---- the same over batches ---- */

enum relation { EQUAL, NOT_EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL };

static inline bool holds(enum relation relation, const struct value *a, const struct value *b)
{
    struct value both[2] = {*a, *b};
    if (relation == EQUAL || relation == NOT_EQUAL)
        return bytes_equal(both) == (relation == EQUAL);
    int order = bytes_order(both);
    return relation == LESS            ? order < 0
           : relation == LESS_OR_EQUAL ? order <= 0
           : relation == GREATER       ? order > 0
                                       : order >= 0;
}

/* Inlined into one loop for each relation. */
static inline __attribute__((always_inline)) enum sqlstate rows(const struct value *const *arguments,
                                                                const uint16_t *selection, uint32_t count,
                                                                struct value *result, enum relation relation)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        const struct value *a = &arguments[0][row], *b = &arguments[1][row];
        result[row] = a->null || b->null ? value_null() : value_boolean(holds(relation, a, b));
    }
    return SQLSTATE_OK;
}

static enum sqlstate eq_rows(struct call *call, const struct value *const *arguments,
                             const uint16_t *selection, uint32_t count, struct value *result)
{
    return rows(arguments, selection, count, result, EQUAL);
}

static enum sqlstate ne_rows(struct call *call, const struct value *const *arguments,
                             const uint16_t *selection, uint32_t count, struct value *result)
{
    return rows(arguments, selection, count, result, NOT_EQUAL);
}

static enum sqlstate lt_rows(struct call *call, const struct value *const *arguments,
                             const uint16_t *selection, uint32_t count, struct value *result)
{
    return rows(arguments, selection, count, result, LESS);
}

static enum sqlstate le_rows(struct call *call, const struct value *const *arguments,
                             const uint16_t *selection, uint32_t count, struct value *result)
{
    return rows(arguments, selection, count, result, LESS_OR_EQUAL);
}

static enum sqlstate gt_rows(struct call *call, const struct value *const *arguments,
                             const uint16_t *selection, uint32_t count, struct value *result)
{
    return rows(arguments, selection, count, result, GREATER);
}

static enum sqlstate ge_rows(struct call *call, const struct value *const *arguments,
                             const uint16_t *selection, uint32_t count, struct value *result)
{
    return rows(arguments, selection, count, result, GREATER_OR_EQUAL);
}

static const struct kernel kernels[] = {
    {"texteq", eq_rows},     {"textne", ne_rows},     {"text_lt", lt_rows}, {"text_le", le_rows},
    {"text_gt", gt_rows},    {"text_ge", ge_rows},    {"nameeq", eq_rows},  {"namene", ne_rows},
    {"byteaeq", eq_rows},    {"byteane", ne_rows},    {"bytealt", lt_rows}, {"byteale", le_rows},
    {"byteagt", gt_rows},    {"byteage", ge_rows},    {"uuid_eq", eq_rows}, {"uuid_ne", ne_rows},
    {"uuid_lt", lt_rows},    {"uuid_le", le_rows},    {"uuid_gt", gt_rows}, {"uuid_ge", ge_rows},
    {"nameeqtext", eq_rows}, {"texteqname", eq_rows}, {NULL, NULL},
};

const struct library compare_library = {.functions = functions, .kernels = kernels};
