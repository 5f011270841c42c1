/* Enums: a value is its label's oid (PostgreSQL manual, 8.7); order is the labels' position. */
#include "sqlfront/value/text/text.h"

#include "base/codec.h"

static const struct enum_label *label_of(const struct type *type, int64_t oid)
{
    for (uint32_t i = 0; i < type->label_count; i++)
        if (type->labels[i].oid == (uint32_t)oid)
            return &type->labels[i];
    return NULL;
}

static enum sqlstate enum_read(struct environment *environment, struct scope *scope, const struct type *type,
                               int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    for (uint32_t i = 0; i < type->label_count; i++) {
        if (bytes_compare(bytes_of_text(type->labels[i].label), text) != 0)
            continue;
        *value = value_integer(type->labels[i].oid);
        return SQLSTATE_OK;
    }
    return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "invalid input value for enum %s: \"%.*s\"",
                     type->name, (int)text.size, (const char *)text.data);
}

static enum sqlstate enum_show(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *text, struct error *error)
{
    const struct enum_label *label = label_of(type, value->i);
    if (!label)
        return error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION, "invalid internal value for enum: %u",
                         (uint32_t)value->i);
    *text = bytes_of_text(label->label);
    return SQLSTATE_OK;
}

/* A label that was dropped since stands behind all others. */
static double position_of(const struct type *type, int64_t oid)
{
    const struct enum_label *label = label_of(type, oid);
    return label ? label->position : __builtin_inf();
}

static int enum_compare(struct environment *environment, const struct type *type, const struct value *a,
                        const struct value *b)
{
    if (a->i == b->i)
        return 0;
    double first = position_of(type, a->i), second = position_of(type, b->i);
    return (first > second) - (first < second);
}

/* The finalizer of MurmurHash3: oids follow one another. */
static uint64_t enum_hash(struct environment *environment, const struct type *type, const struct value *value)
{
    uint64_t hash = (uint64_t)value->i * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return hash ^ hash >> 33;
}

const struct type_ops enum_ops = {.in = enum_read,
                                  .out = enum_show,
                                  .receive = enum_read,
                                  .send = enum_show,
                                  .compare = enum_compare,
                                  .hash = enum_hash};

/* ---- functions (9.10). Their argument only says which type is meant; its value does not count, and may be null.
 * enum_range, which gives an array, stands in array/. ---- */

static enum sqlstate end_label(struct call *call, bool first, struct value *result)
{
    const struct type *type = call->types[0];
    if (type->label_count == 0)
        return error_set(call->error, SQLSTATE_OBJECT_NOT_IN_PREREQUISITE_STATE, "enum %s contains no values",
                         type->name);
    *result = value_integer(type->labels[first ? 0 : type->label_count - 1].oid);
    return SQLSTATE_OK;
}

static enum sqlstate enum_first(struct call *call, const struct value *arguments, struct value *result)
{
    return end_label(call, true, result);
}

static enum sqlstate enum_last(struct call *call, const struct value *arguments, struct value *result)
{
    return end_label(call, false, result);
}

static const struct function functions[] = {
    {"enum_first", enum_first, 0},
    {"enum_last", enum_last, 0},
    {"enum_eq", compare_eq, 0},
    {"enum_ne", compare_ne, 0},
    {"enum_lt", compare_lt, 0},
    {"enum_le", compare_le, 0},
    {"enum_gt", compare_gt, 0},
    {"enum_ge", compare_ge, 0},
    {"enum_cmp", compare_cmp, 0},
    {"enum_larger", compare_larger, 0},
    {"enum_smaller", compare_smaller, 0},
    {"hashenum", compare_hash, 0},
    {NULL, NULL, 0},
};

const struct library enumeration_library = {.functions = functions};
