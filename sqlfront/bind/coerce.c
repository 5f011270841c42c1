/* How a value of one type becomes one of another (parse_coerce.c): whether it can, with which steps, and to which common type
 * several are brought. */
#include "sqlfront/bind/binder.h"

/* ---- pathways ---- */

static bool context_allows(enum coercion context, char needed)
{
    if (needed == 'e')
        return context == COERCE_EXPLICITLY;
    return needed == 'i' || context != COERCE_IMPLICIT_ONLY;
}

enum pathway find_pathway(struct binder *binder, uint32_t from, uint32_t to, enum coercion context,
                          uint32_t *procedure)
{
    *procedure = 0;
    if (from == to)
        return PATHWAY_RELABEL;
    const struct cast *cast = catalog_cast(from, to);
    if (cast) {
        if (!context_allows(context, cast->context))
            return PATHWAY_NONE;
        *procedure = cast->procedure;
        return cast->method == 'f' ? PATHWAY_CALL : cast->method == 'i' ? PATHWAY_TEXT : PATHWAY_RELABEL;
    }
    const struct type *target = type_by_oid(binder, to), *source = type_by_oid(binder, from);
    if (!target || !source)
        return PATHWAY_NONE;
    if (type_is_array(target) && type_is_array(source) && to != TYPE_INT2VECTOR && to != TYPE_OIDVECTOR) {
        uint32_t ignored;
        if (source->element == target->element) /* int2vector to int2[] */
            return PATHWAY_RELABEL;
        if (find_pathway(binder, source->element, target->element, context, &ignored) != PATHWAY_NONE)
            return PATHWAY_ARRAY;
    }
    if (context != COERCE_IMPLICIT_ONLY && target->category == 'S')
        return PATHWAY_TEXT;
    if (context == COERCE_EXPLICITLY && source->category == 'S')
        return PATHWAY_TEXT;
    return PATHWAY_NONE;
}

/* ---- polymorphic types ---- */

struct generic {
    uint32_t element, array, range, multirange; /* what the actual types say; 0 = nothing yet */
    uint32_t compatible[64];
    uint32_t compatibles;
    uint32_t compatible_range;
    bool not_array, an_enum, compatible_not_array, any, any_compatible;
};

static uint32_t element_of(struct binder *binder, uint32_t oid)
{
    const struct type *type = type_by_oid(binder, oid);
    return type && type_is_array(type) ? type->element : 0;
}

static bool take(uint32_t *place, uint32_t oid)
{
    if (*place && *place != oid)
        return false;
    *place = oid;
    return true;
}

static bool compatible_add(struct generic *generic, uint32_t oid)
{
    if (!oid)
        return false;
    if (generic->compatibles < sizeof generic->compatible / sizeof generic->compatible[0])
        generic->compatible[generic->compatibles++] = oid;
    return true;
}

static bool generic_look(struct binder *binder, struct generic *generic, uint32_t declared, uint32_t actual)
{
    bool unknown = actual == TYPE_UNKNOWN;
    switch (declared) {
    case TYPE_ANYNONARRAY:
        generic->not_array = true;
        generic->any = true;
        return unknown || take(&generic->element, actual);
    case TYPE_ANYENUM:
        generic->an_enum = true;
        generic->any = true;
        return unknown || take(&generic->element, actual);
    case TYPE_ANYELEMENT:
        generic->any = true;
        return unknown || take(&generic->element, actual);
    case TYPE_ANYARRAY:
        generic->any = true;
        return unknown || take(&generic->array, actual);
    case TYPE_ANYRANGE:
        generic->any = true;
        return unknown || take(&generic->range, actual);
    case TYPE_ANYMULTIRANGE:
        generic->any = true;
        return unknown || take(&generic->multirange, actual);
    case TYPE_ANYCOMPATIBLENONARRAY:
        generic->compatible_not_array = true;
        generic->any_compatible = true;
        return unknown || compatible_add(generic, actual);
    case TYPE_ANYCOMPATIBLE:
        generic->any_compatible = true;
        return unknown || compatible_add(generic, actual);
    case TYPE_ANYCOMPATIBLEARRAY:
        generic->any_compatible = true;
        return unknown || compatible_add(generic, element_of(binder, actual));
    case TYPE_ANYCOMPATIBLERANGE:
        generic->any_compatible = true;
        return unknown ||
               (take(&generic->compatible_range, actual) && compatible_add(generic, range_subtype(actual)));
    default:
        return true;
    }
}

/* select_common_type_from_oids: 0 = none. */
static uint32_t common_of_oids(struct binder *binder, const uint32_t *oids, uint32_t count)
{
    uint32_t chosen = count ? oids[0] : 0;
    for (uint32_t i = 1; i < count; i++) {
        const struct type *a = type_by_oid(binder, chosen), *b = type_by_oid(binder, oids[i]);
        if (!a || !b || oids[i] == chosen)
            continue;
        if (a->category != b->category)
            return 0;
        if (!a->preferred && can_coerce(binder, 1, &chosen, &oids[i], COERCE_IMPLICIT_ONLY) &&
            !can_coerce(binder, 1, &oids[i], &chosen, COERCE_IMPLICIT_ONLY))
            chosen = oids[i];
    }
    for (uint32_t i = 0; i < count; i++)
        if (!can_coerce(binder, 1, &oids[i], &chosen, COERCE_IMPLICIT_ONLY))
            return 0;
    return chosen;
}

/* Brings element, array and range types together; false when they contradict each other. */
static bool generic_settle(struct binder *binder, struct generic *generic)
{
    if (generic->array && generic->array != TYPE_ANYARRAY) {
        uint32_t element = element_of(binder, generic->array);
        if (!element || !take(&generic->element, element))
            return false;
    }
    if (generic->multirange) {
        uint32_t range = multirange_range(generic->multirange);
        if (!range || !take(&generic->range, range))
            return false;
    }
    if (generic->range) {
        uint32_t subtype = range_subtype(generic->range);
        if (!subtype || !take(&generic->element, subtype))
            return false;
    }
    if (generic->element && generic->not_array && element_of(binder, generic->element))
        return false;
    if (generic->element && generic->an_enum) {
        const struct type *type = type_by_oid(binder, generic->element);
        if (!type || type->type_type != 'e')
            return false;
    }
    return true;
}

static bool generic_consistent(struct binder *binder, const uint32_t *actual, const uint32_t *declared,
                               uint32_t count)
{
    struct generic generic = {0};
    for (uint32_t i = 0; i < count; i++)
        if (!generic_look(binder, &generic, declared[i], actual[i]))
            return false;
    if (!generic_settle(binder, &generic) || (generic.an_enum && !generic.element))
        return false;
    if (!generic.compatibles)
        return true;
    uint32_t common = common_of_oids(binder, generic.compatible, generic.compatibles);
    if (!common || (generic.compatible_not_array && element_of(binder, common)))
        return false;
    return !generic.compatible_range || range_subtype(generic.compatible_range) == common;
}

static uint32_t array_over(struct binder *binder, uint32_t element, bool *failed)
{
    const struct type *type = type_by_oid(binder, element);
    if (type && type->array)
        return type->array;
    *failed = true;
    fail(binder, SQLSTATE_UNDEFINED_OBJECT, -1, "could not find array type for data type %s",
         type_name_oid(binder, element));
    return 0;
}

static uint32_t generic_resolve(struct binder *binder, const struct generic *generic, uint32_t common,
                                uint32_t declared, bool *failed)
{
    switch (declared) {
    case TYPE_ANYELEMENT:
    case TYPE_ANYNONARRAY:
    case TYPE_ANYENUM:
        return generic->element;
    case TYPE_ANYARRAY:
        return generic->array ? generic->array : array_over(binder, generic->element, failed);
    case TYPE_ANYRANGE:
        return generic->range;
    case TYPE_ANYMULTIRANGE:
        if (generic->multirange)
            return generic->multirange;
        for (uint32_t oid = TYPE_INT4MULTIRANGE; oid <= TYPE_INT8MULTIRANGE; oid++)
            if (multirange_range(oid) == generic->range)
                return oid;
        return 0;
    case TYPE_ANYCOMPATIBLE:
    case TYPE_ANYCOMPATIBLENONARRAY:
        return common;
    case TYPE_ANYCOMPATIBLEARRAY:
        return array_over(binder, common, failed);
    case TYPE_ANYCOMPATIBLERANGE:
        return generic->compatible_range;
    default:
        return declared;
    }
}

uint32_t enforce_generic(struct binder *binder, const uint32_t *actual, uint32_t *declared, uint32_t count,
                         uint32_t result, bool *failed)
{
    struct generic generic = {0};
    *failed = false;
    bool polymorphic = type_is_polymorphic(result);
    for (uint32_t i = 0; i < count; i++) {
        polymorphic |= type_is_polymorphic(declared[i]);
        generic_look(binder, &generic, declared[i], actual[i]);
    }
    if (!polymorphic)
        return result;
    generic_settle(binder, &generic);
    if (generic.any && !generic.element && !generic.array && !generic.range) {
        *failed = true;
        fail(binder, SQLSTATE_DATATYPE_MISMATCH, -1,
             "could not determine polymorphic type because input has type unknown");
        return 0;
    }
    uint32_t common = TYPE_TEXT;
    if (generic.compatibles)
        common = common_of_oids(binder, generic.compatible, generic.compatibles);
    /* anyarray of anyarray: columns of pg_statistic; nothing can be said of their elements. */
    if (generic.array == TYPE_ANYARRAY && !generic.element)
        generic.element = TYPE_ANYELEMENT;
    for (uint32_t i = 0; i < count; i++)
        declared[i] = generic_resolve(binder, &generic, common, declared[i], failed);
    return generic_resolve(binder, &generic, common, result, failed);
}

bool can_coerce(struct binder *binder, uint32_t count, const uint32_t *from, const uint32_t *to,
                enum coercion context)
{
    bool generic = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ignored;
        if (from[i] == to[i] || to[i] == TYPE_ANY)
            continue;
        if (type_is_polymorphic(to[i])) {
            generic = true;
            continue;
        }
        if (from[i] == TYPE_UNKNOWN ||
            find_pathway(binder, from[i], to[i], context, &ignored) != PATHWAY_NONE)
            continue;
        const struct type *source = type_by_oid(binder, from[i]), *target = type_by_oid(binder, to[i]);
        if (!source || !target)
            return false;
        if ((source->oid == TYPE_RECORD && target->type_type == 'c') ||
            (source->type_type == 'c' && target->oid == TYPE_RECORD))
            continue;
        if (target->oid == TYPE_ARRAY_OF_RECORD && type_is_array(source) &&
            type_is_composite(type_by_oid(binder, source->element)))
            continue;
        return false;
    }
    return !generic || generic_consistent(binder, from, to, count);
}

/* ---- steps ---- */

static struct expression *relabel(struct binder *binder, struct expression *from, const struct type *type,
                                  int32_t modifier, enum coercion_form form, int32_t position)
{
    struct expression *made = make(binder, EXPRESSION_RELABEL, type, position);
    argument_add(binder, made, from);
    made->modifier = modifier;
    made->cast_form = true;
    made->cast_implicit = form == FORM_IMPLICIT;
    return made;
}

static struct expression *cast_step(struct level *level, struct expression *from, enum pathway pathway,
                                    uint32_t procedure, const struct type *type, int32_t modifier,
                                    enum coercion context, enum coercion_form form, int32_t position);

/* int4[] to text[]: each element by the way its type has. */
static struct expression *cast_array(struct level *level, struct expression *from, uint32_t procedure,
                                     const struct type *type, int32_t modifier, enum coercion context,
                                     enum coercion_form form, int32_t position)
{
    struct binder *binder = level->binder;
    const struct type *source = type_by_oid(binder, from->type->element);
    const struct type *target = type_by_oid(binder, type->element);
    if (!source || !target)
        return NULL;
    struct expression *made = make(binder, EXPRESSION_CAST_ARRAY, type, position);
    argument_add(binder, made, from);
    made->modifier = modifier;
    made->cast_form = true;
    made->cast_implicit = form == FORM_IMPLICIT;
    struct expression *element = make(binder, EXPRESSION_CASE_VALUE, source, -1);
    element->modifier = from->modifier;
    if (procedure) { /* the length coercion of the element type */
        made->element =
            cast_step(level, element, PATHWAY_CALL, procedure, target, modifier, context, form, -1);
        return made->element ? made : NULL;
    }
    made->element = coerce(level, element, target, modifier, context, form, -1);
    return made->element ? made : NULL;
}

static struct expression *cast_step(struct level *level, struct expression *from, enum pathway pathway,
                                    uint32_t procedure, const struct type *type, int32_t modifier,
                                    enum coercion context, enum coercion_form form, int32_t position)
{
    struct binder *binder = level->binder;
    if (pathway == PATHWAY_ARRAY)
        return cast_array(level, from, procedure, type, modifier, context, form, position);
    struct expression *made =
        make(binder, pathway == PATHWAY_TEXT ? EXPRESSION_CAST_TEXT : EXPRESSION_CALL, type, position);
    argument_add(binder, made, from);
    made->cast_form = true;
    made->cast_implicit = form == FORM_IMPLICIT;
    if (pathway == PATHWAY_TEXT)
        return made;
    made->modifier = modifier;
    if (!(made->procedure = procedure_by_oid(binder, procedure)))
        return NULL;
    if (made->procedure->arguments >= 2)
        argument_add(binder, made, make_integer(binder, modifier, TYPE_INT4));
    if (made->procedure->arguments >= 3)
        argument_add(binder, made, make_integer(binder, context == COERCE_EXPLICITLY, TYPE_BOOL));
    return made;
}

/* A literal of unknown type is read as one of the type. */
static struct expression *coerce_literal(struct level *level, const struct expression *from,
                                         const struct type *type, int32_t modifier)
{
    struct binder *binder = level->binder;
    struct expression *made = make(binder, EXPRESSION_CONSTANT, type, from->position);
    made->constant = value_null();
    if (from->constant.null)
        return made;
    int32_t in_modifier = type->oid == TYPE_INTERVAL ? modifier : -1;
    made->modifier = in_modifier;
    if (type->ops->in(binder->environment, binder->scope, type, in_modifier, value_view(&from->constant),
                      &made->constant, binder->error)) {
        fail_at(binder, from->position);
        return NULL;
    }
    /* The input function may give a view of the literal, which lives in the parser's memory. */
    if (!made->constant.null && type->kind == VALUE_BYTES &&
        value_copy(binder->scope, type, &made->constant, &made->constant, binder->error))
        return NULL;
    return made;
}

/* $n gets its type from where it is used first. */
static struct expression *coerce_parameter(struct level *level, const struct expression *from,
                                           const struct type *type)
{
    struct binder *binder = level->binder;
    uint32_t *known = &binder->request->parameter_types[from->number - 1];
    if (*known == 0 || *known == TYPE_UNKNOWN) {
        *known = type->oid;
    } else if (*known != type->oid) {
        fail(binder, SQLSTATE_AMBIGUOUS_PARAMETER, expression_position(from),
             "inconsistent types deduced for parameter $%d", from->number);
        fail_detail(binder, "%s versus %s", type_name_oid(binder, *known), type_name(binder, type));
        return NULL;
    }
    struct expression *made = make(binder, EXPRESSION_PARAMETER, type, from->position);
    made->parameter_source = PARAMETER_STATEMENT;
    made->number = from->number;
    return made;
}

/* ROW(1, 'x') to a row type: field by field. */
static struct expression *coerce_record(struct level *level, struct expression *from, const struct type *type,
                                        enum coercion context, enum coercion_form form, int32_t position)
{
    struct binder *binder = level->binder;
    uint32_t fields = from->kind == EXPRESSION_ROW ? from->arguments : from->type->field_count;
    if (from->kind != EXPRESSION_ROW && !from->type->fields)
        return fail(binder, SQLSTATE_CANNOT_COERCE, position, "cannot cast type %s to %s", "record",
                    type_name(binder, type));
    struct expression *made = make(binder, EXPRESSION_ROW, type, position);
    made->cast_form = true;
    made->cast_implicit = form == FORM_IMPLICIT;
    if (fields != type->field_count) {
        fail(binder, SQLSTATE_CANNOT_COERCE, position, "cannot cast type %s to %s", "record",
             type_name(binder, type));
        fail_detail(binder, fields < type->field_count ? "Input has too few columns."
                                                       : "Input has too many columns.");
        return NULL;
    }
    for (uint32_t i = 0; i < fields; i++) {
        struct expression *field, *coerced;
        if (from->kind == EXPRESSION_ROW) {
            field = from->argument[i];
        } else {
            const struct type *field_type = type_by_oid(binder, from->type->fields[i].type);
            if (!field_type)
                return NULL;
            field = make(binder, EXPRESSION_FIELD, field_type, position);
            field->number = (int32_t)i + 1;
            field->modifier = from->type->fields[i].modifier;
            argument_add(binder, field, from);
        }
        const struct type *wanted = type_by_oid(binder, type->fields[i].type);
        if (!wanted || !coerce_to_target(level, field, wanted, type->fields[i].modifier, context, form,
                                         position, &coerced))
            return NULL;
        if (!coerced) {
            fail(binder, SQLSTATE_CANNOT_COERCE, position, "cannot cast type %s to %s", "record",
                 type_name(binder, type));
            fail_detail(binder, "Cannot cast type %s to %s in column %u.", type_name(binder, field->type),
                        type_name(binder, wanted), i + 1);
            return NULL;
        }
        argument_add(binder, made, coerced);
    }
    return made;
}

struct expression *coerce(struct level *level, struct expression *from, const struct type *type,
                          int32_t modifier, enum coercion context, enum coercion_form form, int32_t position)
{
    struct binder *binder = level->binder;
    uint32_t source = from->type->oid, target = type->oid, procedure;
    if (source == target)
        return from;
    switch (target) {
    case TYPE_ANY:
    case TYPE_ANYELEMENT:
    case TYPE_ANYNONARRAY:
    case TYPE_ANYCOMPATIBLE:
    case TYPE_ANYCOMPATIBLENONARRAY:
        return from;
    case TYPE_ANYARRAY:
    case TYPE_ANYENUM:
    case TYPE_ANYRANGE:
    case TYPE_ANYMULTIRANGE:
    case TYPE_ANYCOMPATIBLEARRAY:
    case TYPE_ANYCOMPATIBLERANGE:
    case TYPE_ANYCOMPATIBLEMULTIRANGE:
        if (source != TYPE_UNKNOWN)
            return from;
        break;
    default:
        break;
    }
    if (source == TYPE_UNKNOWN && from->kind == EXPRESSION_CONSTANT)
        return coerce_literal(level, from, type, modifier);
    if (source == TYPE_UNKNOWN && from->kind == EXPRESSION_PARAMETER &&
        from->parameter_source == PARAMETER_STATEMENT)
        return coerce_parameter(level, from, type);
    if (from->kind == EXPRESSION_RELABEL && !from->cast_form) { /* COLLATE: pushed below */
        struct expression *inner = coerce(level, from->argument[0], type, modifier, context, form, position);
        if (!inner || inner == from->argument[0])
            return inner ? from : NULL;
        if (!collation_of_type(type))
            return inner;
        struct expression *made = relabel(binder, inner, type, inner->modifier, form, position);
        made->cast_form = false;
        made->collation = from->collation;
        return made;
    }
    enum pathway pathway = find_pathway(binder, source, target, context, &procedure);
    if (pathway == PATHWAY_RELABEL)
        return relabel(binder, from, type, -1, form, position);
    if (pathway != PATHWAY_NONE)
        return cast_step(level, from, pathway, procedure, type, -1, context, form, position);
    if (source == TYPE_RECORD && type->type_type == 'c')
        return coerce_record(level, from, type, context, form, position);
    if (from->type->type_type == 'c' && target == TYPE_RECORD)
        return from;
    if (target == TYPE_ARRAY_OF_RECORD)
        return from;
    if (source == TYPE_UNKNOWN) /* the column of a subquery, say: through its text */
        return cast_step(level, from, PATHWAY_TEXT, 0, type, -1, context, form, position);
    return fail(binder, SQLSTATE_INTERNAL_ERROR, position, "failed to find conversion function from %s to %s",
                type_name(binder, from->type), type_name(binder, type));
}

/* varchar(3), numeric(4,1): a value of the type made to fit its modifier. */
static struct expression *fit_modifier(struct level *level, struct expression *from, const struct type *type,
                                       int32_t modifier, enum coercion context, enum coercion_form form,
                                       int32_t position, bool hide_input)
{
    struct binder *binder = level->binder;
    if (from->modifier == modifier)
        return from;
    if (hide_input && from->cast_form)
        from->cast_implicit = true;
    if (modifier >= 0) {
        uint32_t element = type_is_array(type) ? type->element : type->oid;
        const struct cast *cast = catalog_cast(element, element);
        if (cast && cast->procedure)
            return cast_step(level, from, type_is_array(type) ? PATHWAY_ARRAY : PATHWAY_CALL, cast->procedure,
                             type, modifier, context, form, position);
    }
    if (modifier < 0 && from->kind == EXPRESSION_CONSTANT) {
        from->modifier = modifier;
        return from;
    }
    return relabel(binder, from, type, modifier, form, position);
}

bool coerce_to_target(struct level *level, struct expression *from, const struct type *type, int32_t modifier,
                      enum coercion context, enum coercion_form form, int32_t position,
                      struct expression **to)
{
    *to = NULL;
    if (!can_coerce(level->binder, 1, &from->type->oid, &type->oid, context))
        return true;
    struct expression *coerced = coerce(level, from, type, modifier, context, form, position);
    if (!coerced)
        return false;
    *to = fit_modifier(level, coerced, type, modifier, context, form, position,
                       coerced != from && coerced->kind != EXPRESSION_CONSTANT);
    return *to != NULL;
}

static bool gives_a_set(const struct expression *expression)
{
    return expression_facts(expression) & FACT_SET_CALL;
}

struct expression *coerce_to_boolean(struct level *level, struct expression *from, const char *construct)
{
    struct binder *binder = level->binder;
    struct expression *to = from;
    int32_t position = expression_position(from);
    if (from->type->oid != TYPE_BOOL) {
        if (!coerce_to_target(level, from, builtin(TYPE_BOOL), -1, COERCE_ASSIGN, FORM_IMPLICIT, -1, &to))
            return NULL;
        if (!to)
            return fail(binder, SQLSTATE_DATATYPE_MISMATCH, position,
                        "argument of %s must be type %s, not type %s", construct, "boolean",
                        type_name(binder, from->type));
    }
    if (gives_a_set(to))
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, position, "argument of %s must not return a set",
                    construct);
    return to;
}

struct expression *coerce_to_specific(struct level *level, struct expression *from, uint32_t type,
                                      const char *construct)
{
    struct binder *binder = level->binder;
    struct expression *to = from;
    int32_t position = expression_position(from);
    if (from->type->oid != type) {
        if (!coerce_to_target(level, from, builtin(type), -1, COERCE_ASSIGN, FORM_IMPLICIT, -1, &to))
            return NULL;
        if (!to)
            return fail(binder, SQLSTATE_DATATYPE_MISMATCH, position,
                        "argument of %s must be type %s, not type %s", construct, type_name_oid(binder, type),
                        type_name(binder, from->type));
    }
    if (gives_a_set(to))
        return fail(binder, SQLSTATE_DATATYPE_MISMATCH, position, "argument of %s must not return a set",
                    construct);
    return to;
}

/* ---- common types (PostgreSQL manual, 10.5) ---- */

const struct type *common_type(struct binder *binder, struct expression *const *expressions, uint32_t count,
                               const char *context, bool *failed)
{
    *failed = false;
    const struct type *chosen = expressions[0]->type;
    for (uint32_t i = 1; i < count; i++) {
        const struct type *other = expressions[i]->type;
        if (other->oid == chosen->oid || other->oid == TYPE_UNKNOWN)
            continue;
        if (chosen->oid == TYPE_UNKNOWN) {
            chosen = other;
        } else if (other->category != chosen->category) {
            if (!context)
                return NULL;
            *failed = true;
            return fail(binder, SQLSTATE_DATATYPE_MISMATCH, expression_position(expressions[i]),
                        "%s types %s and %s cannot be matched", context, type_name(binder, chosen),
                        type_name(binder, other));
        } else if (!chosen->preferred &&
                   can_coerce(binder, 1, &chosen->oid, &other->oid, COERCE_IMPLICIT_ONLY) &&
                   !can_coerce(binder, 1, &other->oid, &chosen->oid, COERCE_IMPLICIT_ONLY)) {
            chosen = other;
        }
    }
    return chosen->oid == TYPE_UNKNOWN ? builtin(TYPE_TEXT) : chosen;
}

int32_t common_modifier(struct expression *const *expressions, uint32_t count, const struct type *type)
{
    for (uint32_t i = 0; i < count; i++)
        if (expressions[i]->type->oid != type->oid || expressions[i]->modifier != expressions[0]->modifier)
            return -1;
    return count ? expressions[0]->modifier : -1;
}

struct expression *coerce_to_common(struct level *level, struct expression *from, const struct type *type,
                                    const char *context)
{
    struct binder *binder = level->binder;
    if (from->type->oid == type->oid)
        return from;
    if (can_coerce(binder, 1, &from->type->oid, &type->oid, COERCE_IMPLICIT_ONLY))
        return coerce(level, from, type, -1, COERCE_IMPLICIT_ONLY, FORM_IMPLICIT, -1);
    return fail(binder, SQLSTATE_CANNOT_COERCE, expression_position(from),
                "%s could not convert type %s to %s", context, type_name(binder, from->type),
                type_name(binder, type));
}
