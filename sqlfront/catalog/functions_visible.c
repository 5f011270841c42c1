/* Names and numbers of things: pg_..._is_visible, to_reg..., the casts of reg types, encodings, pg_describe_object. */
#include "sqlfront/catalog/functions.h"
#include "sqlfront/catalog/reg.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum sqlstate table_is_visible(struct call *call, const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    const struct relation *relation;
    bool visible = false;
    *result = value_null();
    /* an index has no descriptor that its name would find differently */
    enum sqlstate failed = catalog_relation_by_oid(view, (uint32_t)arguments[0].i, &relation, call->error);
    if (!failed && relation)
        failed = relation_visible(view, relation, &visible, call->error);
    if (!failed && relation)
        *result = value_boolean(visible);
    return failed;
}

static enum sqlstate type_is_visible(struct call *call, const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    const struct type *type, *found;
    *result = value_null();
    enum sqlstate failed = catalog_type_by_oid(view, (uint32_t)arguments[0].i, &type, call->error);
    if (failed || !type)
        return failed;
    failed = catalog_type(view, NULL, type->name, &found, call->error);
    *result = value_boolean(!failed && found && found->oid == type->oid);
    return failed;
}

static enum sqlstate function_is_visible(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    const struct procedure *procedure, *const *found;
    uint32_t count;
    bool visible = false;
    *result = value_null();
    enum sqlstate failed = catalog_procedure_by_oid(view, (uint32_t)arguments[0].i, &procedure, call->error);
    if (failed || !procedure)
        return failed;
    failed = catalog_procedures(view, call->scope, NULL, procedure->name, &found, &count, call->error);
    for (uint32_t i = 0; !failed && i < count; i++)
        visible = visible || found[i]->oid == procedure->oid;
    *result = value_boolean(visible);
    return failed;
}

/* Things of which there are only those of pg_catalog, and the like, whose schema is the whole answer. */
static enum sqlstate in_path(struct call *call, uint32_t relation, int namespace_column, uint32_t oid,
                             struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    struct reading reading;
    struct tuple tuple;
    *result = value_null();
    enum sqlstate failed = reading_begin(view, &reading, call->error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, relation, oid, &tuple, call->error);
    if (!failed && tuple.values) {
        bool visible = false;
        for (uint32_t i = 0; i < view->session->search_path_count; i++)
            visible = visible || view->session->search_path[i] == tuple.values[namespace_column].i;
        *result = value_boolean(visible);
    }
    reading_end(view, &reading);
    return failed;
}

#define IN_PATH(name, relation, column)                                                               \
    static enum sqlstate name(struct call *call, const struct value *arguments, struct value *result) \
    {                                                                                                 \
        return in_path(call, relation, column, (uint32_t)arguments[0].i, result);                     \
    }
IN_PATH(operator_is_visible, PG_OPERATOR, PG_OPERATOR_OPRNAMESPACE)
IN_PATH(opclass_is_visible, PG_OPCLASS, PG_OPCLASS_OPCNAMESPACE)
IN_PATH(opfamily_is_visible, PG_OPFAMILY, PG_OPFAMILY_OPFNAMESPACE)
IN_PATH(collation_is_visible, PG_COLLATION, PG_COLLATION_COLLNAMESPACE)
IN_PATH(conversion_is_visible, PG_CONVERSION, PG_CONVERSION_CONNAMESPACE)
IN_PATH(statistics_is_visible, PG_STATISTIC_EXT, PG_STATISTIC_EXT_STXNAMESPACE)
IN_PATH(config_is_visible, PG_TS_CONFIG, PG_TS_CONFIG_CFGNAMESPACE)
IN_PATH(dictionary_is_visible, PG_TS_DICT, PG_TS_DICT_DICTNAMESPACE)
IN_PATH(parser_is_visible, PG_TS_PARSER, PG_TS_PARSER_PRSNAMESPACE)
IN_PATH(template_is_visible, PG_TS_TEMPLATE, PG_TS_TEMPLATE_TMPLNAMESPACE)

/* ---- reg types ---- */

/* to_regclass & co.: null where a cast would fail for want of the thing. */
static enum sqlstate to_reg(struct call *call, const struct value *arguments, struct value *result)
{
    uint32_t oid;
    enum sqlstate failed = reg_find(call->environment->catalog, call->scope, call->result->oid,
                                    value_view(&arguments[0]), &oid, call->error);
    *result = failed || !oid ? value_null() : value_integer(oid);
    return failed;
}

/* The cast from text, and the input function. */
static enum sqlstate reg_in(struct call *call, const struct value *arguments, struct value *result)
{
    const struct type *type = call->result;
    return reg_name_ops.in(call->environment, call->scope, type, -1, value_view(&arguments[0]), result,
                           call->error);
}

static enum sqlstate reg_out(struct call *call, const struct value *arguments, struct value *result)
{
    struct bytes text;
    enum sqlstate failed =
        reg_name_ops.out(call->environment, call->scope, call->types[0], &arguments[0], &text, call->error);
    *result = value_bytes(text.data, text.size);
    return failed;
}

/* ---- encodings ---- */

static const char *const encodings[] = {
    "SQL_ASCII",     "EUC_JP",  "EUC_CN",  "EUC_KR",  "EUC_TW",     "EUC_JIS_2004", "UTF8",
    "MULE_INTERNAL", "LATIN1",  "LATIN2",  "LATIN3",  "LATIN4",     "LATIN5",       "LATIN6",
    "LATIN7",        "LATIN8",  "LATIN9",  "LATIN10", "WIN1256",    "WIN1258",      "WIN866",
    "WIN874",        "KOI8R",   "WIN1251", "WIN1252", "ISO_8859_5", "ISO_8859_6",   "ISO_8859_7",
    "ISO_8859_8",    "WIN1250", "WIN1253", "WIN1254", "WIN1255",    "WIN1257",      "KOI8U",
    "SJIS",          "BIG5",    "GBK",     "UHC",     "GB18030",    "JOHAB",        "SHIFT_JIS_2004",
};
#define ENCODINGS ((int64_t)(sizeof encodings / sizeof *encodings))

static enum sqlstate encoding_to_char(struct call *call, const struct value *arguments, struct value *result)
{
    (void)call;
    bool known = arguments[0].i >= 0 && arguments[0].i < ENCODINGS;
    return gives_text(result, known ? encodings[arguments[0].i] : "");
}

static enum sqlstate char_to_encoding(struct call *call, const struct value *arguments, struct value *result)
{
    const char *name = text_argument(call, &arguments[0]);
    *result = value_integer(-1);
    for (int64_t i = 0; i < ENCODINGS; i++)
        if (strcasecmp(name, encodings[i]) == 0)
            *result = value_integer(i);
    if (strcasecmp(name, "UTF-8") == 0 || strcasecmp(name, "UNICODE") == 0)
        *result = value_integer(6);
    return SQLSTATE_OK;
}

/* ---- pg_describe_object ---- */

static enum sqlstate describe_object(struct call *call, const struct value *arguments, struct value *result)
{
    struct catalog_view *view = call->environment->catalog;
    uint32_t class = (uint32_t)arguments[0].i, oid = (uint32_t)arguments[1].i;
    const struct relation *relation;
    const struct role *role;
    const char *name = NULL;
    struct text text = text_in(call->scope);
    enum sqlstate failed = SQLSTATE_OK;
    switch (class) {
    case PG_CLASS:
        failed = catalog_relation_by_oid(view, oid, &relation, call->error);
        if (!failed && relation)
            failed = relation_shown(view, call->scope, oid, false, &name, call->error);
        if (failed || !relation)
            break;
        if (arguments[2].i > 0 && arguments[2].i <= relation->columns)
            text_format(&text, "column %s of ",
                        identifier(call->scope, relation->column[arguments[2].i - 1].name));
        text_format(&text, "%s %s",
                    relation->kind == RELATION_VIEW       ? "view"
                    : relation->kind == RELATION_SEQUENCE ? "sequence"
                    : relation->kind == RELATION_INDEX    ? "index"
                                                          : "table",
                    name);
        break;
    case PG_TYPE:
        failed = type_shown(view, call->scope, oid, -1, false, &name, call->error);
        if (!failed && name)
            text_format(&text, "type %s", name);
        break;
    case PG_PROC:
        failed = procedure_shown(view, call->scope, oid, true, &name, call->error);
        if (!failed && name)
            text_format(&text, "function %s", name);
        break;
    case PG_NAMESPACE:
        failed = catalog_schema_name(view, call->scope, oid, &name, call->error);
        if (!failed && name)
            text_format(&text, "schema %s", identifier(call->scope, name));
        break;
    case PG_AUTHID:
        failed = catalog_role_by_oid(view, oid, &role, call->error);
        if (!failed && role)
            text_format(&text, "role %s", identifier(call->scope, role->name));
        break;
    default:
        break;
    }
    if (failed || !text.size)
        return failed ? failed : gives_text(result, NULL);
    return gives_grown(&text, result, call->error);
}

static const struct function functions[] = {
    ASKS("pg_table_is_visible", table_is_visible),
    ASKS("pg_type_is_visible", type_is_visible),
    ASKS("pg_function_is_visible", function_is_visible),
    ASKS("pg_operator_is_visible", operator_is_visible),
    ASKS("pg_opclass_is_visible", opclass_is_visible),
    ASKS("pg_opfamily_is_visible", opfamily_is_visible),
    ASKS("pg_collation_is_visible", collation_is_visible),
    ASKS("pg_conversion_is_visible", conversion_is_visible),
    ASKS("pg_statistics_obj_is_visible", statistics_is_visible),
    ASKS("pg_ts_config_is_visible", config_is_visible),
    ASKS("pg_ts_dict_is_visible", dictionary_is_visible),
    ASKS("pg_ts_parser_is_visible", parser_is_visible),
    ASKS("pg_ts_template_is_visible", template_is_visible),
    ASKS("to_regclass", to_reg),
    ASKS("to_regcollation", to_reg),
    ASKS("to_regnamespace", to_reg),
    ASKS("to_regoper", to_reg),
    ASKS("to_regoperator", to_reg),
    ASKS("to_regproc", to_reg),
    ASKS("to_regprocedure", to_reg),
    ASKS("to_regrole", to_reg),
    ASKS("to_regtype", to_reg),
    ASKS("text_regclass", reg_in),
    ASKS("regclassin", reg_in),
    ASKS("regtypein", reg_in),
    ASKS("regprocin", reg_in),
    ASKS("regprocedurein", reg_in),
    ASKS("regoperin", reg_in),
    ASKS("regoperatorin", reg_in),
    ASKS("regrolein", reg_in),
    ASKS("regnamespacein", reg_in),
    ASKS("regconfigin", reg_in),
    ASKS("regdictionaryin", reg_in),
    ASKS("regcollationin", reg_in),
    ASKS("regclassout", reg_out),
    ASKS("regtypeout", reg_out),
    ASKS("regprocout", reg_out),
    ASKS("regprocedureout", reg_out),
    ASKS("regoperout", reg_out),
    ASKS("regoperatorout", reg_out),
    ASKS("regroleout", reg_out),
    ASKS("regnamespaceout", reg_out),
    ASKS("pg_describe_object", describe_object),
    {.name = "PG_encoding_to_char", .run = encoding_to_char},
    {.name = "PG_char_to_encoding", .run = char_to_encoding},
    {0},
};

const struct library visible_library = {.functions = functions};
