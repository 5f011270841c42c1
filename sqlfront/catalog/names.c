/* Writing and reading names. */
#include "sqlfront/catalog/names.h"

#include "base/scope.h"
#include "base/text.h"
#include "sqlfront/catalog/columns.h"
#include "sqlfront/value/text/text.h"

#include <ctype.h>
#include <string.h>

bool identifier_needs_quotes(const char *name)
{
    return !name_is_plain(bytes_of_text(name));
}

const char *identifier(struct scope *scope, const char *name)
{
    if (!identifier_needs_quotes(name))
        return name;
    struct text text = text_in(scope);
    const char *whole;
    struct error error;
    text_identifier(&text, name);
    return text_end(&text, &whole, &error) ? name : whole;
}

/* ---- reading ---- */

static enum sqlstate bad_name(struct error *error)
{
    return error_set(error, SQLSTATE_INVALID_NAME, "invalid name syntax");
}

/* One part of a dotted name; *at moves to the dot or the end. */
static enum sqlstate part_parse(struct scope *scope, const char **at, const char *end, const char **part,
                                struct error *error)
{
    char *name = scope_alloc(scope, (size_t)(end - *at) + 1), *to = name;
    while (*at < end && isspace((unsigned char)**at))
        *at += 1;
    if (*at < end && **at == '"') {
        for (*at += 1;; *at += 1) {
            if (*at == end)
                return bad_name(error);
            if (**at == '"' && (*at + 1 == end || (*at)[1] != '"'))
                break;
            if (**at == '"')
                *at += 1;
            *to++ = **at;
        }
        *at += 1;
    } else {
        while (*at < end && **at != '.' && !isspace((unsigned char)**at)) {
            if (**at == '"')
                return bad_name(error);
            *to++ = (char)tolower((unsigned char)*(*at)++);
        }
    }
    while (*at < end && isspace((unsigned char)**at))
        *at += 1;
    if (to == name || (*at < end && **at != '.'))
        return bad_name(error);
    if (to - name > NAME_BYTES_MAX)
        to = name + NAME_BYTES_MAX;
    *to = 0;
    *part = name;
    return SQLSTATE_OK;
}

enum sqlstate name_parse(struct scope *scope, struct bytes text, const char **schema, const char **name,
                         struct error *error)
{
    const char *at = (const char *)text.data, *end = at + text.size;
    *schema = NULL;
    enum sqlstate failed = text.size ? part_parse(scope, &at, end, name, error) : bad_name(error);
    while (!failed && at < end) {
        at++;
        *schema = *name; /* of a database's name in front only the schema counts */
        failed = part_parse(scope, &at, end, name, error);
    }
    return failed;
}

/* ---- relations ---- */

enum sqlstate relation_visible(struct catalog_view *view, const struct relation *relation, bool *visible,
                               struct error *error)
{
    const struct relation *found;
    enum sqlstate failed = catalog_relation(view, NULL, relation->name, &found, error);
    *visible = !failed && found && found->oid == relation->oid;
    return failed;
}

static const char *joined(struct scope *scope, const char *schema, const char *name, const char *rest)
{
    struct text text = text_in(scope);
    const char *whole;
    struct error error;
    if (schema)
        text_format(&text, "%s.", identifier(scope, schema));
    text_format(&text, "%s%s", identifier(scope, name), rest);
    return text_end(&text, &whole, &error) ? name : whole;
}

enum sqlstate relation_shown(struct catalog_view *view, struct scope *scope, uint32_t oid, bool always,
                             const char **shown, struct error *error)
{
    const struct relation *relation;
    bool visible;
    *shown = NULL;
    enum sqlstate failed = catalog_relation_by_oid(view, oid, &relation, error);
    if (failed || !relation)
        return failed;
    if ((failed = relation_visible(view, relation, &visible, error)))
        return failed;
    *shown = joined(scope, visible && !always ? NULL : relation->schema_name, relation->name, "");
    return SQLSTATE_OK;
}

/* ---- types ---- */

/* The names the grammar knows, which are shown without a schema. */
static const struct {
    uint32_t oid;
    const char *name, *behind; /* a modifier stands between the two */
} grammar_types[] = {
    {TYPE_BIT, "bit", ""},
    {TYPE_BOOL, "boolean", ""},
    {TYPE_BPCHAR, "character", ""},
    {TYPE_CHAR, "\"char\"", ""},
    {TYPE_FLOAT4, "real", ""},
    {TYPE_FLOAT8, "double precision", ""},
    {TYPE_INT2, "smallint", ""},
    {TYPE_INT4, "integer", ""},
    {TYPE_INT8, "bigint", ""},
    {TYPE_NUMERIC, "numeric", ""},
    {TYPE_INTERVAL, "interval", ""},
    {TYPE_TIME, "time", " without time zone"},
    {TYPE_TIMETZ, "time", " with time zone"},
    {TYPE_TIMESTAMP, "timestamp", " without time zone"},
    {TYPE_TIMESTAMPTZ, "timestamp", " with time zone"},
    {TYPE_VARBIT, "bit varying", ""},
    {TYPE_VARCHAR, "character varying", ""},
};

/* Fields an interval's modifier names in its upper half (PostgreSQL's INTERVAL_MASK); 0x7fff = all. */
static const struct {
    int32_t fields;
    const char *words;
} interval_fields[] = {
    {1 << 2, " year"},
    {1 << 1, " month"},
    {1 << 3, " day"},
    {1 << 10, " hour"},
    {1 << 11, " minute"},
    {1 << 12, " second"},
    {1 << 2 | 1 << 1, " year to month"},
    {1 << 3 | 1 << 10, " day to hour"},
    {1 << 3 | 1 << 10 | 1 << 11, " day to minute"},
    {1 << 3 | 1 << 10 | 1 << 11 | 1 << 12, " day to second"},
    {1 << 10 | 1 << 11, " hour to minute"},
    {1 << 10 | 1 << 11 | 1 << 12, " hour to second"},
    {1 << 11 | 1 << 12, " minute to second"},
};

static void modifier_write(struct text *text, uint32_t type, int32_t modifier)
{
    switch (type) {
    case TYPE_BPCHAR:
    case TYPE_VARCHAR:
        text_format(text, "(%d)", modifier - 4);
        return;
    case TYPE_NUMERIC:
        modifier -= 4;
        /* eleven bits of scale, signed, as PostgreSQL 15 has them */
        text_format(text, "(%d,%d)", modifier >> 16 & 0xffff, ((modifier & 0x7ff) ^ 1024) - 1024);
        return;
    case TYPE_INTERVAL:
        for (size_t i = 0; i < sizeof interval_fields / sizeof *interval_fields; i++)
            if ((modifier >> 16 & 0x7fff) == interval_fields[i].fields)
                text_append(text, interval_fields[i].words);
        if ((modifier & 0xffff) != 0xffff)
            text_format(text, "(%d)", modifier & 0xffff);
        return;
    default:
        text_format(text, "(%d)", modifier);
    }
}

static bool grammar_name(struct text *text, uint32_t type, int32_t modifier, bool with_modifier)
{
    for (size_t i = 0; i < sizeof grammar_types / sizeof *grammar_types; i++) {
        if (grammar_types[i].oid != type)
            continue;
        /* character without a length means one, so a bpchar without a modifier goes by its own name */
        if (type == TYPE_BPCHAR && with_modifier && modifier < 0)
            return false;
        if (type == TYPE_BIT && with_modifier && modifier < 0) {
            text_append(text, "\"bit\"");
            return true;
        }
        text_append(text, grammar_types[i].name);
        if (modifier >= 0 && with_modifier)
            modifier_write(text, type, modifier);
        text_append(text, grammar_types[i].behind);
        return true;
    }
    return false;
}

/* A name from pg_type, with its schema where it is not visible. */
static enum sqlstate own_name(struct catalog_view *view, struct scope *scope, const struct type *type,
                              const char **shown, struct error *error)
{
    const struct type *visible;
    const char *schema = NULL;
    enum sqlstate failed = catalog_type(view, NULL, type->name, &visible, error);
    if (!failed && (!visible || visible->oid != type->oid))
        failed = type_schema(view, scope, type->oid, &schema, error);
    *shown = failed ? NULL : joined(scope, schema, type->name, "");
    return failed;
}

enum sqlstate type_shown(struct catalog_view *view, struct scope *scope, uint32_t oid, int32_t modifier,
                         bool with_modifier, const char **shown, struct error *error)
{
    const struct type *type, *element = NULL;
    struct text text = text_in(scope);
    *shown = NULL;
    enum sqlstate failed = catalog_type_by_oid(view, oid, &type, error);
    if (failed || !type)
        return failed;
    bool array = type->category == 'A' && type->element && oid != TYPE_INT2VECTOR && oid != TYPE_OIDVECTOR;
    if (array && (failed = catalog_type_by_oid(view, type->element, &element, error)))
        return failed;
    if (!element)
        element = type;
    if (!grammar_name(&text, element->oid, modifier, with_modifier)) {
        const char *name;
        if ((failed = own_name(view, scope, element, &name, error)))
            return failed;
        text_append(&text, name);
        if (modifier >= 0 && with_modifier && element->oid != TYPE_BPCHAR)
            text_format(&text, "(%d)", modifier);
    }
    if (array)
        text_append(&text, "[]");
    return text_end(&text, shown, error);
}

/* ---- procedures ---- */

enum sqlstate procedure_shown(struct catalog_view *view, struct scope *scope, uint32_t oid, bool arguments,
                              const char **shown, struct error *error)
{
    const struct procedure *procedure, *const *found;
    uint32_t count, matching = 0, same = 0;
    const char *schema = NULL;
    *shown = NULL;
    enum sqlstate failed = catalog_procedure_by_oid(view, oid, &procedure, error);
    if (failed || !procedure)
        return failed;
    if ((failed = catalog_procedures(view, scope, NULL, procedure->name, &found, &count, error)))
        return failed;
    for (uint32_t i = 0; i < count; i++) {
        matching += found[i]->oid == oid;
        same++;
    }
    if (!matching || (!arguments && same > 1))
        failed = catalog_schema_name(view, scope, procedure->schema, &schema, error);
    struct text text = text_in(scope);
    if (arguments) {
        text_append(&text, "(");
        for (uint32_t i = 0; i < procedure->arguments && !failed; i++) {
            const char *type;
            failed = type_shown(view, scope, procedure->argument_types[i], -1, false, &type, error);
            text_format(&text, "%s%s", i ? "," : "", failed || !type ? "???" : type);
        }
        text_append(&text, ")");
    }
    const char *rest;
    if (!failed)
        failed = text_end(&text, &rest, error);
    if (!failed)
        *shown = joined(scope, schema, procedure->name, rest);
    return failed;
}

enum sqlstate procedure_called(struct catalog_view *view, struct scope *scope,
                               const struct procedure *procedure, const char **called, struct error *error)
{
    const char *schema = NULL;
    enum sqlstate failed = SQLSTATE_OK;
    if (procedure->schema != SCHEMA_PG_CATALOG)
        failed = catalog_schema_name(view, scope, procedure->schema, &schema, error);
    *called = failed ? NULL : joined(scope, schema, procedure->name, "");
    return failed;
}
