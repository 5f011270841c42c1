/* Names and literals in quotes, as SQL reads them back: quote_ident, quote_literal, quote_nullable (PostgreSQL manual, 9.4). */
#include "sqlfront/value/text/text.h"

#include <stdlib.h>

/* PostgreSQL 15's keywords that cannot stand for a name everywhere: all but the unreserved ones. */
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

static int keyword_order(const void *name, const void *keyword)
{
    return strcmp(name, *(const char *const *)keyword);
}

bool name_is_plain(struct bytes name)
{
    char word[32];
    if (name.size == 0 || !((name.data[0] >= 'a' && name.data[0] <= 'z') || name.data[0] == '_'))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_'))
            return false;
    }
    if (name.size >= sizeof word)
        return true;
    memcpy(word, name.data, name.size);
    word[name.size] = '\0';
    return !bsearch(word, keywords, sizeof keywords / sizeof keywords[0], sizeof keywords[0], keyword_order);
}

void quote_name(struct text *text, struct bytes name)
{
    if (name_is_plain(name)) {
        text_bytes(text, name);
        return;
    }
    text_append(text, "\"");
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '"')
            text_append(text, "\"");
        text_bytes(text, bytes_of(name.data + i, 1));
    }
    text_append(text, "\"");
}

void quote_string(struct text *text, struct bytes string)
{
    bool escaped = string.size && memchr(string.data, '\\', string.size);
    text_append(text, escaped ? "E'" : "'");
    size_t from = 0;
    for (size_t i = 0; i < string.size; i++) {
        if (string.data[i] != '\'' && string.data[i] != '\\')
            continue;
        text_bytes(text, bytes_of(string.data + from, i + 1 - from));
        from = i; /* once more */
    }
    text_bytes(text, bytes_of(string.data + from, string.size - from));
    text_append(text, "'");
}

static enum sqlstate quote_ident(struct call *call, const struct value *arguments, struct value *result)
{
    struct text text = text_in(call->scope);
    quote_name(&text, value_view(&arguments[0]));
    return value_of_text(&text, result, call->error);
}

static enum sqlstate quote_literal(struct call *call, const struct value *arguments, struct value *result)
{
    struct text text = text_in(call->scope);
    quote_string(&text, value_view(&arguments[0]));
    return value_of_text(&text, result, call->error);
}

static enum sqlstate quote_nullable(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_text("NULL");
    return arguments[0].null ? SQLSTATE_OK : quote_literal(call, arguments, result);
}

/* ---- of values of any type: their text ---- */

static enum sqlstate shown(struct call *call, uint32_t at, const struct value *arguments, struct value *text)
{
    struct bytes bytes;
    enum sqlstate failed =
        value_as_text(call->environment, call->scope, call->types[at], &arguments[at], &bytes, call->error);
    if (!failed)
        *text = value_bytes(bytes.data, bytes.size);
    return failed;
}

static enum sqlstate quote_literal_any(struct call *call, const struct value *arguments, struct value *result)
{
    struct value text;
    enum sqlstate failed = shown(call, 0, arguments, &text);
    return failed ? failed : quote_literal(call, &text, result);
}

static enum sqlstate quote_nullable_any(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    *result = value_text("NULL");
    return arguments[0].null ? SQLSTATE_OK : quote_literal_any(call, arguments, result);
}

static enum sqlstate joined(struct call *call, const struct value *first, const struct value *second,
                            struct value *result)
{
    struct text text = text_in(call->scope);
    text_bytes(&text, value_view(first));
    text_bytes(&text, value_view(second));
    return value_of_text(&text, result, call->error);
}

static enum sqlstate textanycat(struct call *call, const struct value *arguments, struct value *result)
{
    struct value text;
    enum sqlstate failed = shown(call, 1, arguments, &text);
    return failed ? failed : joined(call, &arguments[0], &text, result);
}

static enum sqlstate anytextcat(struct call *call, const struct value *arguments, struct value *result)
{
    struct value text;
    enum sqlstate failed = shown(call, 0, arguments, &text);
    return failed ? failed : joined(call, &text, &arguments[1], result);
}

/* The names in SQL are the bodies that PostgreSQL gives these functions: we bring them ourselves. */
static const struct function functions[] = {
    {"quote_ident", quote_ident, 0},
    {"quote_literal", quote_literal, 0},
    {"quote_nullable", quote_nullable, 0},
    {"select pg_catalog.quote_literal($1::pg_catalog.text)", quote_literal_any, 0},
    {"select pg_catalog.quote_nullable($1::pg_catalog.text)", quote_nullable_any, 0},
    {"textanycat", textanycat, 0},
    {"anytextcat", anytextcat, 0},
    {"select $1 operator(pg_catalog.||) $2::pg_catalog.text", textanycat, 0},
    {"select $1::pg_catalog.text operator(pg_catalog.||) $2", anytextcat, 0},
    {NULL, NULL, 0},
};

const struct library quote_library = {.functions = functions};
