/* Types as format_type() writes them. */
#include "sqlfront/algebra/algebra.h"
#include "sqlfront/catalog/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
        return identifier(scope, type->name);
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
