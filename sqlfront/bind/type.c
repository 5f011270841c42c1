/* Types as written: names, modifiers, array bounds; and what kind of thing a type is. */
#include "sqlfront/bind/binder.h"

const struct type *builtin(uint32_t oid)
{
    return type_builtin(oid);
}

const struct type *type_by_oid(struct binder *binder, uint32_t oid)
{
    const struct type *type = type_builtin(oid);
    if (type && type->oid != TYPE_RECORD) { /* the catalog knows reg* types by more than their numbers */
        const struct type *known = binder->environment->type_find(binder->environment, oid);
        return known ? known : type;
    }
    if (!type && catalog_type_by_oid(binder->view, oid, &type, binder->error))
        return NULL;
    if (!type)
        return fail(binder, SQLSTATE_UNDEFINED_OBJECT, -1, "type with OID %u does not exist", oid);
    return type;
}

const char *type_name(struct binder *binder, const struct type *type)
{
    return type_text(binder->view, binder->scope, type, false, -1);
}

const char *type_name_oid(struct binder *binder, uint32_t oid)
{
    const struct type *type = type_builtin(oid);
    struct error ignored;
    if (!type && (catalog_type_by_oid(binder->view, oid, &type, &ignored) || !type))
        return "???";
    return type_name(binder, type);
}

bool type_is_array(const struct type *type)
{
    return type->element && type->length == -1 && type->category == 'A';
}

bool type_is_composite(const struct type *type)
{
    return type->type_type == 'c' || type->oid == TYPE_RECORD;
}

bool type_is_polymorphic(uint32_t oid)
{
    switch (oid) {
    case TYPE_ANYELEMENT:
    case TYPE_ANYARRAY:
    case TYPE_ANYNONARRAY:
    case TYPE_ANYENUM:
    case TYPE_ANYRANGE:
    case TYPE_ANYMULTIRANGE:
    case TYPE_ANYCOMPATIBLE:
    case TYPE_ANYCOMPATIBLEARRAY:
    case TYPE_ANYCOMPATIBLENONARRAY:
    case TYPE_ANYCOMPATIBLERANGE:
    case TYPE_ANYCOMPATIBLEMULTIRANGE:
        return true;
    default:
        return false;
    }
}

static const struct {
    uint32_t range, multirange, subtype;
} ranges[] = {
    {TYPE_INT4RANGE, TYPE_INT4MULTIRANGE, TYPE_INT4},
    {TYPE_INT8RANGE, TYPE_INT8MULTIRANGE, TYPE_INT8},
    {TYPE_NUMRANGE, TYPE_NUMMULTIRANGE, TYPE_NUMERIC},
    {TYPE_TSRANGE, TYPE_TSMULTIRANGE, TYPE_TIMESTAMP},
    {TYPE_TSTZRANGE, TYPE_TSTZMULTIRANGE, TYPE_TIMESTAMPTZ},
    {TYPE_DATERANGE, TYPE_DATEMULTIRANGE, TYPE_DATE},
};

uint32_t range_subtype(uint32_t range)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].range == range)
            return ranges[i].subtype;
    return 0;
}

uint32_t multirange_range(uint32_t multirange)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].multirange == multirange)
            return ranges[i].range;
    return 0;
}

const struct type *record_type(struct binder *binder, uint32_t columns, const char *const *names,
                               const struct type *const *types, const int32_t *modifiers)
{
    struct type *type = scope_copy(binder->scope, type_builtin(TYPE_RECORD), sizeof *type);
    struct row_field *fields = memory(binder, (columns + 1) * sizeof *fields);
    for (uint32_t i = 0; fields && i < columns; i++)
        fields[i] = (struct row_field){.name = names ? names[i] : NULL,
                                       .type = types[i]->oid,
                                       .modifier = modifiers ? modifiers[i] : -1};
    type->fields = fields;
    type->field_count = columns;
    return type;
}

/* ---- modifiers ---- */

static bool modifier_arguments(struct binder *binder, const TypeName *name, int32_t values[3],
                               uint32_t *count)
{
    const ListCell *cell;
    *count = 0;
    foreach(cell, name->typmods)
    {
        const Node *node = lfirst(cell);
        const A_Const *constant = IsA(node, A_Const) ? (const A_Const *)node : NULL;
        if (!constant || constant->isnull || !IsA(&constant->val, Integer)) {
            fail(binder, constant ? SQLSTATE_INVALID_PARAMETER_VALUE : SQLSTATE_SYNTAX_ERROR, name->location,
                 constant ? "invalid type modifier"
                          : "type modifiers must be simple constants or identifiers");
            return false;
        }
        if (*count < 3)
            values[*count] = constant->val.ival.ival;
        (*count)++;
    }
    return true;
}

static bool one_modifier(struct binder *binder, uint32_t count, int32_t position)
{
    if (count == 1)
        return true;
    fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position, "invalid type modifier");
    return false;
}

static bool length_modifier(struct binder *binder, const char *name, int32_t length, int32_t longest,
                            int32_t position)
{
    if (length < 1) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position, "length for type %s must be at least 1",
             name);
        return false;
    }
    if (length > longest) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position, "length for type %s cannot exceed %d", name,
             longest);
        return false;
    }
    return true;
}

static bool numeric_modifier(struct binder *binder, const int32_t *values, uint32_t count, int32_t position,
                             int32_t *modifier)
{
    int32_t scale = count > 1 ? values[1] : 0;
    if (count > 2) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position, "invalid NUMERIC type modifier");
        return false;
    }
    if (values[0] < 1 || values[0] > 1000) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position,
             "NUMERIC precision %d must be between 1 and 1000", values[0]);
        return false;
    }
    if (scale < -1000 || scale > 1000) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position,
             "NUMERIC scale %d must be between -1000 and 1000", scale);
        return false;
    }
    *modifier = ((values[0] << 16) | (scale & 0x7ff)) + 4;
    return true;
}

#define FRACTION_DIGITS_MAX 6

static bool fraction_modifier(struct binder *binder, const char *name, const char *zone, int32_t digits,
                              int32_t position, int32_t *modifier)
{
    if (digits < 0) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position, "%s(%d)%s precision must not be negative",
             name, digits, zone);
        return false;
    }
    if (digits > FRACTION_DIGITS_MAX && binder->request->notice) {
        struct error notice = {0};
        enum sqlstate state = error_set(&notice, SQLSTATE_INVALID_PARAMETER_VALUE,
                                        "%s(%d)%s precision reduced to maximum allowed, %d", name, digits,
                                        zone, FRACTION_DIGITS_MAX);
        if (state)
            binder->request->notice(binder->request->notice_argument, &notice);
    }
    *modifier = digits > FRACTION_DIGITS_MAX ? FRACTION_DIGITS_MAX : digits;
    return true;
}

#define INTERVAL_ALL_FIELDS     0x7fff
#define INTERVAL_FULL_PRECISION 0xffff

static bool interval_modifier(struct binder *binder, const int32_t *values, uint32_t count, int32_t position,
                              int32_t *modifier)
{
    if (count == 1) {
        *modifier = values[0] == INTERVAL_ALL_FIELDS
                        ? -1
                        : (int32_t)((uint32_t)(values[0] & 0x7fff) << 16 | INTERVAL_FULL_PRECISION);
        return true;
    }
    int32_t precision = 0;
    if (count != 2) {
        fail(binder, SQLSTATE_INVALID_PARAMETER_VALUE, position, "invalid INTERVAL type modifier");
        return false;
    }
    if (!fraction_modifier(binder, "INTERVAL", "", values[1], position, &precision))
        return false;
    *modifier = (int32_t)((uint32_t)(values[0] & 0x7fff) << 16 | (uint32_t)precision);
    return true;
}

static bool modifier_of(struct binder *binder, const TypeName *name, const struct type *type,
                        int32_t *modifier)
{
    int32_t values[3] = {0}, at = name->location;
    uint32_t count;
    *modifier = -1;
    if (!name->typmods)
        return true;
    switch (type->oid) {
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BIT:
    case TYPE_VARBIT:
    case TYPE_NUMERIC:
    case TYPE_TIME:
    case TYPE_TIMETZ:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
        break;
    default:
        fail(binder, SQLSTATE_SYNTAX_ERROR, at, "type modifier is not allowed for type \"%s\"",
             names_text(binder, name->names));
        return false;
    }
    if (!modifier_arguments(binder, name, values, &count))
        return false;
    if (type->oid == TYPE_NUMERIC)
        return numeric_modifier(binder, values, count, at, modifier);
    if (type->oid == TYPE_INTERVAL)
        return interval_modifier(binder, values, count, at, modifier);
    if (!one_modifier(binder, count, at))
        return false;
    switch (type->oid) {
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
        *modifier = values[0] + 4;
        return length_modifier(binder, type->oid == TYPE_VARCHAR ? "varchar" : "char", values[0], 10485760,
                               at);
    case TYPE_BIT:
    case TYPE_VARBIT:
        *modifier = values[0];
        return length_modifier(binder, type->oid == TYPE_BIT ? "bit" : "varbit", values[0], 83886080, at);
    case TYPE_TIME:
        return fraction_modifier(binder, "TIME", "", values[0], at, modifier);
    case TYPE_TIMETZ:
        return fraction_modifier(binder, "TIME", " WITH TIME ZONE", values[0], at, modifier);
    case TYPE_TIMESTAMP:
        return fraction_modifier(binder, "TIMESTAMP", "", values[0], at, modifier);
    default:
        return fraction_modifier(binder, "TIMESTAMP", " WITH TIME ZONE", values[0], at, modifier);
    }
}

/* ---- names ---- */

bool type_look_up(struct binder *binder, const TypeName *name, const struct type **type)
{
    const char *schema, *last;
    *type = NULL;
    if (name->typeOid)
        return (*type = type_by_oid(binder, name->typeOid)) != NULL;
    if (!names_split(binder, name->names, &schema, &last))
        return false;
    if (catalog_type(binder->view, schema, last, type, binder->error))
        return false;
    if (!*type && schema) {
        uint32_t oid = 0;
        if (catalog_schema(binder->view, schema, &oid, binder->error))
            return false;
        if (!oid) {
            fail(binder, SQLSTATE_INVALID_SCHEMA_NAME, name->location, "schema \"%s\" does not exist",
                 schema);
            return false;
        }
    }
    if (*type && name->arrayBounds) {
        uint32_t array = type_is_array(*type) ? (*type)->oid : (*type)->array;
        *type = NULL;
        if (array)
            return (*type = type_by_oid(binder, array)) != NULL;
    }
    return true;
}

bool type_of_name(struct level *level, const TypeName *name, const struct type **type, int32_t *modifier)
{
    struct binder *binder = level->binder;
    if (name->pct_type) {
        fail(binder, SQLSTATE_FEATURE_NOT_SUPPORTED, name->location, "%%TYPE is not supported here");
        return false;
    }
    if (!type_look_up(binder, name, type))
        return false;
    if (!*type) {
        fail(binder, SQLSTATE_UNDEFINED_OBJECT, name->location, "type \"%s%s\" does not exist",
             names_text(binder, name->names), name->arrayBounds ? "[]" : "");
        return false;
    }
    const struct type *modified = *type;
    if (name->arrayBounds && type_is_array(*type) && !(modified = type_by_oid(binder, (*type)->element)))
        return false;
    return modifier_of(binder, name, modified, modifier);
}
