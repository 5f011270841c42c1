/* Names as SQL: types as format_type() writes them, identifiers with quotes where they need them. */
#include "base/text.h"
#include "sqlfront/algebra/algebra.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Keywords that are no plain names (PostgreSQL manual, appendix C: all but the unreserved), in order. */
static const char *const keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
};

static int keyword_compare(const void *name, const void *keyword)
{
    return strcmp(name, *(const char *const *)keyword);
}

static bool identifier_is_plain(const char *name)
{
    if (!((*name >= 'a' && *name <= 'z') || *name == '_'))
        return false;
    for (const char *at = name; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_'))
            return false;
    return !bsearch(name, keywords, sizeof keywords / sizeof keywords[0], sizeof keywords[0],
                    keyword_compare);
}

const char *identifier_text(struct scope *scope, const char *name)
{
    if (identifier_is_plain(name))
        return name;
    size_t size = strlen(name), at = 0;
    char *quoted = scope_alloc(scope, 2 * size + 3);
    quoted[at++] = '"';
    for (const char *from = name; *from; from++) {
        if (*from == '"')
            quoted[at++] = '"';
        quoted[at++] = *from;
    }
    quoted[at++] = '"';
    quoted[at] = 0;
    return quoted;
}

/* ---- types ---- */

static const char *print(struct scope *scope, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *print(struct scope *scope, const char *format, ...)
{
    char room[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(room, sizeof room, format, arguments);
    va_end(arguments);
    return scope_copy_text(scope, room);
}

static const char *with_length(struct scope *scope, const char *name, int32_t length)
{
    return length < 0 ? name : print(scope, "%s(%d)", name, length);
}

static const char *with_zone(struct scope *scope, const char *name, const char *zone, int32_t modifier)
{
    return modifier < 0 ? print(scope, "%s %s", name, zone) : print(scope, "%s(%d) %s", name, modifier, zone);
}

/* Bits of an interval's modifier: PostgreSQL's datetime.h (MONTH is 1, YEAR 2, DAY 3, HOUR 10, MINUTE 11, SECOND 12). */
enum { YEAR = 1 << 2, MONTH = 1 << 1, DAY = 1 << 3, HOUR = 1 << 10, MINUTE = 1 << 11, SECOND = 1 << 12 };

static const char *interval_text(struct scope *scope, int32_t modifier)
{
    static const struct {
        int32_t fields;
        const char *text;
    } known[] = {
        {YEAR, " year"},
        {MONTH, " month"},
        {DAY, " day"},
        {HOUR, " hour"},
        {MINUTE, " minute"},
        {SECOND, " second"},
        {YEAR | MONTH, " year to month"},
        {DAY | HOUR, " day to hour"},
        {DAY | HOUR | MINUTE, " day to minute"},
        {DAY | HOUR | MINUTE | SECOND, " day to second"},
        {HOUR | MINUTE, " hour to minute"},
        {HOUR | MINUTE | SECOND, " hour to second"},
        {MINUTE | SECOND, " minute to second"},
    };
    if (modifier < 0)
        return "interval";
    int32_t fields = (modifier >> 16) & 0x7fff, precision = modifier & 0xffff;
    const char *text = "";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].fields == fields)
            text = known[i].text;
    return precision == 0xffff ? print(scope, "interval%s", text)
                               : print(scope, "interval%s(%d)", text, precision);
}

static const char *numeric_text(struct scope *scope, int32_t modifier)
{
    if (modifier < 4)
        return "numeric";
    int32_t packed = modifier - 4;
    return print(scope, "numeric(%d,%d)", (packed >> 16) & 0xffff, ((packed & 0x7ff) ^ 1024) - 1024);
}

static const char *element_text(struct scope *scope, const struct type *type, bool modifier_given,
                                int32_t modifier)
{
    switch (type->oid) {
    case TYPE_BIT:
        return modifier < 0 && modifier_given ? "\"bit\"" : with_length(scope, "bit", modifier);
    case TYPE_BOOL:
        return "boolean";
    case TYPE_BPCHAR:
        return modifier < 0 && modifier_given ? "bpchar" : with_length(scope, "character", modifier - 4);
    case TYPE_FLOAT4:
        return "real";
    case TYPE_FLOAT8:
        return "double precision";
    case TYPE_INT2:
        return "smallint";
    case TYPE_INT4:
        return "integer";
    case TYPE_INT8:
        return "bigint";
    case TYPE_NUMERIC:
        return numeric_text(scope, modifier);
    case TYPE_INTERVAL:
        return interval_text(scope, modifier);
    case TYPE_TIME:
        return with_zone(scope, "time", "without time zone", modifier);
    case TYPE_TIMETZ:
        return with_zone(scope, "time", "with time zone", modifier);
    case TYPE_TIMESTAMP:
        return with_zone(scope, "timestamp", "without time zone", modifier);
    case TYPE_TIMESTAMPTZ:
        return with_zone(scope, "timestamp", "with time zone", modifier);
    case TYPE_VARBIT:
        return with_length(scope, "bit varying", modifier);
    case TYPE_VARCHAR:
        return with_length(scope, "character varying", modifier < 0 ? -1 : modifier - 4);
    default:
        return identifier_text(scope, type->name);
    }
}

const char *type_text(struct catalog_view *view, struct scope *scope, const struct type *type,
                      bool modifier_given, int32_t modifier)
{
    if (!modifier_given)
        modifier = -1;
    if (type->element && type->length == -1 && type->category == 'A' && type->oid != TYPE_INT2VECTOR &&
        type->oid != TYPE_OIDVECTOR) {
        const struct type *element = type_builtin(type->element);
        struct error ignored;
        if (!element && (!view || catalog_type_by_oid(view, type->element, &element, &ignored)))
            element = NULL;
        if (element)
            return print(scope, "%s[]", element_text(scope, element, modifier_given, modifier));
    }
    return element_text(scope, type, modifier_given, modifier);
}
