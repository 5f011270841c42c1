/* regclass, regtype, regproc, regprocedure, regoper, regoperator, regrole, regnamespace (PostgreSQL manual, 8.19): numbers
 * of things that read and write as their names. */
#include "sqlfront/catalog/reg.h"

#include "base/scope.h"
#include "base/text.h"
#include "sqlfront/catalog/acl.h"
#include "sqlfront/catalog/names.h"
#include "sqlfront/catalog/view.h"
#include "sqlfront/value/raise.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names to numbers ---- */

static enum sqlstate find_relation(struct catalog_view *view, struct scope *scope, struct bytes text,
                                   uint32_t *oid, struct error *error)
{
    const char *schema, *name;
    const struct relation *found;
    enum sqlstate failed = name_parse(scope, text, &schema, &name, error);
    if (!failed)
        failed = catalog_relation(view, schema, name, &found, error);
    if (!failed && found)
        *oid = found->oid;
    return failed;
}

/* Types as the grammar writes them, that are no names of pg_type. */
static const struct {
    const char *words;
    uint32_t oid;
} type_words[] = {
    {"int", TYPE_INT4},
    {"integer", TYPE_INT4},
    {"smallint", TYPE_INT2},
    {"bigint", TYPE_INT8},
    {"boolean", TYPE_BOOL},
    {"real", TYPE_FLOAT4},
    {"float", TYPE_FLOAT8},
    {"double precision", TYPE_FLOAT8},
    {"decimal", TYPE_NUMERIC},
    {"dec", TYPE_NUMERIC},
    {"character varying", TYPE_VARCHAR},
    {"char varying", TYPE_VARCHAR},
    {"character", TYPE_BPCHAR},
    {"char", TYPE_BPCHAR},
    {"bit varying", TYPE_VARBIT},
    {"time without time zone", TYPE_TIME},
    {"time with time zone", TYPE_TIMETZ},
    {"timestamp without time zone", TYPE_TIMESTAMP},
    {"timestamp with time zone", TYPE_TIMESTAMPTZ},
};

static uint32_t type_of_words(const char *words)
{
    for (size_t i = 0; i < sizeof type_words / sizeof *type_words; i++)
        if (strcmp(words, type_words[i].words) == 0)
            return type_words[i].oid;
    return 0;
}

/* Folds to lower case, one blank between words; takes modifiers in parentheses and brackets off: `arrays` counts these. */
static char *type_text(struct scope *scope, struct bytes text, int *arrays)
{
    char *words = scope_alloc(scope, text.size + 1), *to = words;
    bool quoted = false;
    int depth = 0;
    *arrays = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        quoted = c == '"' ? !quoted : quoted;
        if (!quoted && c == '(')
            depth++;
        if (!quoted && c == '[')
            ++*arrays, depth++;
        if (depth == 0 && (quoted || !isspace((unsigned char)c)))
            *to++ = quoted ? c : (char)tolower((unsigned char)c);
        else if (depth == 0 && to != words && to[-1] != ' ')
            *to++ = ' ';
        if (!quoted && (c == ')' || c == ']') && depth > 0)
            depth--;
    }
    while (to != words && to[-1] == ' ')
        to--;
    *to = 0;
    return words;
}

static enum sqlstate find_type(struct catalog_view *view, struct scope *scope, struct bytes text,
                               uint32_t *oid, struct error *error)
{
    int arrays;
    const char *schema, *name;
    const struct type *type = NULL;
    char *words = type_text(scope, text, &arrays);
    uint32_t known = type_of_words(words);
    enum sqlstate failed = SQLSTATE_OK;
    if (known)
        type = type_builtin(known);
    else if (!(failed = name_parse(scope, bytes_of_text(words), &schema, &name, error)))
        failed = catalog_type(view, schema, name, &type, error);
    if (!failed && type)
        *oid = arrays ? type->array : type->oid;
    return failed;
}

static enum sqlstate find_procedure(struct catalog_view *view, struct scope *scope, struct bytes text,
                                    uint32_t *oid, struct error *error)
{
    const char *schema, *name;
    const struct procedure *const *found;
    uint32_t count;
    enum sqlstate failed = name_parse(scope, text, &schema, &name, error);
    if (!failed)
        failed = catalog_procedures(view, scope, schema, name, &found, &count, error);
    if (failed || !count)
        return failed;
    if (count > 1)
        return error_set(error, SQLSTATE_AMBIGUOUS_FUNCTION, "more than one function named \"%.*s\"",
                         (int)text.size, text.data);
    *oid = found[0]->oid;
    return SQLSTATE_OK;
}

/* The types between parentheses, after the name. "none" (of prefix operators) is 0. */
static enum sqlstate argument_types(struct catalog_view *view, struct scope *scope, struct bytes list,
                                    uint32_t *types, uint32_t *count, struct error *error)
{
    const char *at = (const char *)list.data, *end = at + list.size;
    *count = 0;
    while (at < end) {
        const char *from = at;
        int depth = 0;
        bool quoted = false;
        while (at < end && (quoted || depth || *at != ',')) {
            quoted = *at == '"' ? !quoted : quoted;
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
            at++;
        }
        while (from < at && isspace((unsigned char)*from))
            from++;
        size_t size = (size_t)(at - from);
        if (*count == 100)
            return error_set(error, SQLSTATE_TOO_MANY_ARGUMENTS, "too many arguments");
        types[*count] = 0;
        if (!(size == 4 && strncasecmp(from, "none", 4) == 0)) {
            enum sqlstate failed = find_type(view, scope, bytes_of(from, size), &types[*count], error);
            if (failed)
                return failed;
            if (!types[*count])
                return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type \"%.*s\" does not exist", (int)size,
                                 from);
        }
        ++*count;
        at += at < end;
    }
    return SQLSTATE_OK;
}

static enum sqlstate split_arguments(struct bytes text, struct bytes *name, struct bytes *list,
                                     struct error *error)
{
    const char *open = memchr(text.data, '(', text.size);
    size_t size = text.size;
    while (size && isspace(text.data[size - 1]))
        size--;
    if (!open)
        return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "expected a left parenthesis");
    if (text.data[size - 1] != ')')
        return error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION, "expected a right parenthesis");
    *name = bytes_of(text.data, (size_t)(open - (const char *)text.data));
    *list = bytes_of(open + 1, (size_t)((const char *)text.data + size - 1 - (open + 1)));
    return SQLSTATE_OK;
}

static enum sqlstate find_signature(struct catalog_view *view, struct scope *scope, struct bytes text,
                                    uint32_t *oid, struct error *error)
{
    struct bytes name_text, list;
    uint32_t types[100], count, candidates;
    const char *schema, *name;
    const struct procedure *const *found;
    enum sqlstate failed = split_arguments(text, &name_text, &list, error);
    if (!failed)
        failed = name_parse(scope, name_text, &schema, &name, error);
    if (!failed)
        failed = argument_types(view, scope, list, types, &count, error);
    if (!failed)
        failed = catalog_procedures(view, scope, schema, name, &found, &candidates, error);
    for (uint32_t i = 0; !failed && i < candidates && !*oid; i++)
        if (found[i]->arguments == count &&
            (count == 0 || memcmp(found[i]->argument_types, types, count * sizeof *types) == 0))
            *oid = found[i]->oid;
    return failed;
}

/* Operators have names that are no identifiers: what stands before a dot is the schema. */
static enum sqlstate find_operator(struct catalog_view *view, struct scope *scope, struct bytes text,
                                   bool with_types, uint32_t *oid, struct error *error)
{
    struct bytes name = text, list = {0};
    uint32_t types[100] = {0}, count = 0, candidates;
    const struct operator* const * found;
    enum sqlstate failed = with_types ? split_arguments(text, &name, &list, error) : SQLSTATE_OK;
    if (!failed && with_types)
        failed = argument_types(view, scope, list, types, &count, error);
    if (failed)
        return failed;
    const char *dot = memrchr(name.data, '.', name.size);
    char *schema = NULL;
    if (dot) {
        size_t size = (size_t)(dot - (const char *)name.data);
        schema = scope_copy(scope, name.data, size + 1);
        schema[size] = 0;
        name = bytes_of(dot + 1, name.size - size - 1);
    }
    char *word = scope_alloc(scope, name.size + 1);
    memcpy(word, name.data, name.size);
    word[name.size] = 0;
    for (char *end = word + name.size; end > word && isspace((unsigned char)end[-1]);)
        *--end = 0;
    failed = catalog_operators(view, scope, schema, word, &found, &candidates, error);
    uint32_t matching = 0;
    for (uint32_t i = 0; !failed && i < candidates; i++)
        if (!with_types || (count == 2 && found[i]->left == types[0] && found[i]->right == types[1])) {
            *oid = found[i]->oid;
            matching++;
        }
    if (!failed && matching > 1)
        failed = error_set(error, SQLSTATE_AMBIGUOUS_FUNCTION, "more than one operator named %s", word);
    return failed;
}

static enum sqlstate find_role(struct catalog_view *view, struct scope *scope, struct bytes text,
                               uint32_t *oid, struct error *error)
{
    const char *schema, *name;
    const struct role *role;
    enum sqlstate failed = name_parse(scope, text, &schema, &name, error);
    if (!failed && schema)
        failed = error_set(error, SQLSTATE_INVALID_NAME, "invalid name syntax");
    if (!failed)
        failed = catalog_role(view, name, &role, error);
    if (!failed && role)
        *oid = role->oid;
    return failed;
}

static enum sqlstate find_schema(struct catalog_view *view, struct scope *scope, struct bytes text,
                                 uint32_t *oid, struct error *error)
{
    const char *schema, *name;
    enum sqlstate failed = name_parse(scope, text, &schema, &name, error);
    if (!failed && schema)
        failed = error_set(error, SQLSTATE_INVALID_NAME, "invalid name syntax");
    return failed ? failed : catalog_schema(view, name, oid, error);
}

/* Things that are found by name alone, in whatever schema. */
static enum sqlstate find_plain(struct catalog_view *view, struct scope *scope, uint32_t relation, int column,
                                struct bytes text, uint32_t *oid, struct error *error)
{
    const char *schema, *name;
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed = name_parse(scope, text, &schema, &name, error);
    if (!failed)
        failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    struct tuple_match match = {column, value_text(name)};
    failed = tuple_find(&reading.access, reading.scope, relation, &match, 1, &tuple, error);
    if (!failed && tuple.values)
        *oid = (uint32_t)tuple.values[0].i;
    reading_end(view, &reading);
    return failed;
}

enum sqlstate reg_find(struct catalog_view *view, struct scope *scope, uint32_t type, struct bytes text,
                       uint32_t *oid, struct error *error)
{
    *oid = 0;
    switch (type) {
    case TYPE_REGCLASS:
        return find_relation(view, scope, text, oid, error);
    case TYPE_REGTYPE:
        return find_type(view, scope, text, oid, error);
    case TYPE_REGPROC:
        return find_procedure(view, scope, text, oid, error);
    case TYPE_REGPROCEDURE:
        return find_signature(view, scope, text, oid, error);
    case TYPE_REGOPER:
        return find_operator(view, scope, text, false, oid, error);
    case TYPE_REGOPERATOR:
        return find_operator(view, scope, text, true, oid, error);
    case TYPE_REGROLE:
        return find_role(view, scope, text, oid, error);
    case TYPE_REGNAMESPACE:
        return find_schema(view, scope, text, oid, error);
    case TYPE_REGCONFIG:
        return find_plain(view, scope, PG_TS_CONFIG, PG_TS_CONFIG_CFGNAME, text, oid, error);
    case TYPE_REGDICTIONARY:
        return find_plain(view, scope, PG_TS_DICT, PG_TS_DICT_DICTNAME, text, oid, error);
    default:
        return find_plain(view, scope, PG_COLLATION, PG_COLLATION_COLLNAME, text, oid, error);
    }
}

/* ---- numbers to names ---- */

static enum sqlstate operator_text(struct catalog_view *view, struct scope *scope, uint32_t oid,
                                   bool with_types, const char **text, struct error *error)
{
    const struct operator* operator= operator_builtin(oid);
    const char *left = "NONE", *right = "NONE";
    enum sqlstate failed = SQLSTATE_OK;
    uint32_t first;
    if (!operator)
        return SQLSTATE_OK;
    struct text shown = text_in(scope);
    if (!with_types) { /* a name that several have cannot be read back without its schema, either: as PostgreSQL does */
        text_format(&shown, "%s%s",
                    operators_named(operator->name, &first) > 1 ? "pg_catalog." : "", operator->name);
        return text_end(&shown, text, error);
    }
    if (operator->left)
        failed = type_shown(view, scope, operator->left, -1, false, &left, error);
    if (!failed && operator->right)
        failed = type_shown(view, scope, operator->right, -1, false, &right, error);
    text_format(&shown, "%s(%s,%s)", operator->name, left, right);
    return failed ? failed : text_end(&shown, text, error);
}

/* The name column of the row that has the oid. */
static enum sqlstate plain_text(struct catalog_view *view, struct scope *scope, uint32_t relation, int column,
                                uint32_t oid, const char **text, struct error *error)
{
    struct reading reading;
    struct tuple tuple;
    enum sqlstate failed = reading_begin(view, &reading, error);
    if (failed)
        return failed;
    failed = tuple_by_oid(&reading.access, reading.scope, relation, oid, &tuple, error);
    if (!failed && tuple.values)
        *text = identifier(scope, text_of(scope, &tuple.values[column]));
    reading_end(view, &reading);
    return failed;
}

enum sqlstate reg_text(struct catalog_view *view, struct scope *scope, uint32_t type, uint32_t oid,
                       const char **text, struct error *error)
{
    const struct role *role;
    enum sqlstate failed;
    *text = NULL;
    switch (type) {
    case TYPE_REGCLASS:
        return relation_shown(view, scope, oid, false, text, error);
    case TYPE_REGTYPE:
        return type_shown(view, scope, oid, -1, false, text, error);
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
        return procedure_shown(view, scope, oid, type == TYPE_REGPROCEDURE, text, error);
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
        return operator_text(view, scope, oid, type == TYPE_REGOPERATOR, text, error);
    case TYPE_REGROLE:
        if (!(failed = catalog_role_by_oid(view, oid, &role, error)) && role)
            *text = identifier(scope, role->name);
        return failed;
    case TYPE_REGNAMESPACE:
        if (!(failed = catalog_schema_name(view, scope, oid, text, error)) && *text)
            *text = identifier(scope, *text);
        return failed;
    case TYPE_REGCONFIG:
        return plain_text(view, scope, PG_TS_CONFIG, PG_TS_CONFIG_CFGNAME, oid, text, error);
    case TYPE_REGDICTIONARY:
        return plain_text(view, scope, PG_TS_DICT, PG_TS_DICT_DICTNAME, oid, text, error);
    default:
        return plain_text(view, scope, PG_COLLATION, PG_COLLATION_COLLNAME, oid, text, error);
    }
}

/* ---- the types' forms ---- */

static enum sqlstate not_there(uint32_t type, struct bytes text, struct error *error)
{
    const char *at = (const char *)text.data;
    int size = (int)text.size;
    switch (type) {
    case TYPE_REGCLASS:
        return error_set(error, SQLSTATE_UNDEFINED_TABLE, "relation \"%.*s\" does not exist", size, at);
    case TYPE_REGTYPE:
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type \"%.*s\" does not exist", size, at);
    case TYPE_REGPROC:
    case TYPE_REGPROCEDURE:
        return error_set(error, SQLSTATE_UNDEFINED_FUNCTION, "function \"%.*s\" does not exist", size, at);
    case TYPE_REGOPER:
    case TYPE_REGOPERATOR:
        return error_set(error, SQLSTATE_UNDEFINED_FUNCTION, "operator does not exist: %.*s", size, at);
    case TYPE_REGROLE:
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "role \"%.*s\" does not exist", size, at);
    case TYPE_REGNAMESPACE:
        return error_set(error, SQLSTATE_INVALID_SCHEMA_NAME, "schema \"%.*s\" does not exist", size, at);
    case TYPE_REGCONFIG:
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                         "text search configuration \"%.*s\" does not exist", size, at);
    case TYPE_REGDICTIONARY:
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "text search dictionary \"%.*s\" does not exist",
                         size, at);
    default:
        return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "collation \"%.*s\" does not exist", size, at);
    }
}

static bool all_digits(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isdigit(text.data[i]))
            return false;
    return text.size > 0;
}

static enum sqlstate reg_in(struct environment *environment, struct scope *scope, const struct type *type,
                            int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    uint32_t oid = 0;
    (void)modifier;
    if (text.size == 1 && text.data[0] == '-') {
        *value = value_integer(0);
        return SQLSTATE_OK;
    }
    if (all_digits(text))
        return type_builtin(TYPE_OID)->ops->in(environment, scope, type_builtin(TYPE_OID), -1, text, value,
                                               error);
    if (!environment->catalog)
        return raise_bad_text(error, type->name, text);
    enum sqlstate failed = reg_find(environment->catalog, scope, type->oid, text, &oid, error);
    if (!failed && !oid)
        failed = not_there(type->oid, text, error);
    *value = value_integer(oid);
    return failed;
}

static enum sqlstate reg_out(struct environment *environment, struct scope *scope, const struct type *type,
                             const struct value *value, struct bytes *text, struct error *error)
{
    const char *shown = NULL;
    if (value->i == 0) {
        *text = bytes_of_text("-");
        return SQLSTATE_OK;
    }
    if (environment->catalog) {
        enum sqlstate failed =
            reg_text(environment->catalog, scope, type->oid, (uint32_t)value->i, &shown, error);
        if (failed)
            return failed;
    }
    if (!shown) {
        char *number = scope_alloc(scope, 12);
        snprintf(number, 12, "%u", (uint32_t)value->i);
        shown = number;
    }
    *text = bytes_of_text(shown);
    return SQLSTATE_OK;
}

static enum sqlstate reg_receive(struct environment *environment, struct scope *scope,
                                 const struct type *type, int32_t modifier, struct bytes binary,
                                 struct value *value, struct error *error)
{
    const struct type *oid = type_builtin(TYPE_OID);
    (void)type;
    return oid->ops->receive(environment, scope, oid, modifier, binary, value, error);
}

static enum sqlstate reg_send(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *binary, struct error *error)
{
    const struct type *oid = type_builtin(TYPE_OID);
    (void)type;
    return oid->ops->send(environment, scope, oid, value, binary, error);
}

const struct type_ops reg_name_ops = {.in = reg_in, .out = reg_out, .receive = reg_receive, .send = reg_send};

/* ---- aclitem ---- */

static enum sqlstate item_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    struct acl_item item;
    char *copy = scope_alloc(scope, text.size + 1);
    (void)environment;
    (void)modifier;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    if (!acl_item_parse(scope, copy, &item))
        return raise_bad_text(error, type->name, text);
    const char *whole = acl_item_text(scope, &item);
    *value = value_bytes(whole, strlen(whole));
    return SQLSTATE_OK;
}

static enum sqlstate item_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    (void)environment, (void)scope, (void)type, (void)error;
    *text = value_view(value);
    return SQLSTATE_OK;
}

static enum sqlstate item_receive(struct environment *environment, struct scope *scope,
                                  const struct type *type, int32_t modifier, struct bytes binary,
                                  struct value *value, struct error *error)
{
    (void)environment, (void)scope, (void)type, (void)modifier, (void)binary, (void)value;
    return error_set(error, SQLSTATE_UNDEFINED_FUNCTION,
                     "no binary input function available for type aclitem");
}

static enum sqlstate item_send(struct environment *environment, struct scope *scope, const struct type *type,
                               const struct value *value, struct bytes *binary, struct error *error)
{
    (void)environment, (void)scope, (void)type, (void)value, (void)binary;
    return error_set(error, SQLSTATE_UNDEFINED_FUNCTION,
                     "no binary output function available for type aclitem");
}

const struct type_ops access_item_ops = {
    .in = item_in, .out = item_out, .receive = item_receive, .send = item_send};
