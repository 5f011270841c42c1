/* Between text and arrays: string_to_array, string_to_table, array_to_string, parse_ident (PostgreSQL manual, 9.4, 9.19); and
 * the functions of regular expressions that give arrays or rows (9.7.3). */
#include "sqlfront/value/array/array.h"
#include "sqlfront/value/pace.h"

#include "base/utf8.h"
#include "sqlfront/value/text/pattern.h"
#include "sqlfront/value/text/text.h"

/* ---- a list of texts ---- */

static const struct type *text_type(struct call *call)
{
    return call->environment->type_find(call->environment, TYPE_TEXT);
}

static struct array_builder list_of_texts(struct call *call)
{
    return (struct array_builder){.scope = call->scope, .element = text_type(call)};
}

/* ---- string_to_array ---- */

static enum sqlstate add_field(struct call *call, struct array_builder *list, struct bytes field,
                               const struct value *null)
{
    bool is_null = null && !null->null && null->size == field.size &&
                   (field.size == 0 || memcmp(null->p, field.data, field.size) == 0);
    struct value value = is_null ? value_null() : value_bytes(field.data, field.size);
    return array_builder_add(list, value, call->error);
}

/* The fields of a text; a null separator takes it apart into characters. `null` may be NULL: the text of nulls. */
static enum sqlstate split(struct call *call, const struct value *arguments, const struct value *null,
                           struct array_builder *list)
{
    struct bytes text = value_view(&arguments[0]);
    struct pace pace = pace_of(call);
    enum sqlstate failed = SQLSTATE_OK;
    if (text.size == 0)
        return SQLSTATE_OK;
    if (arguments[1].null) {
        for (size_t at = 0, size; at < text.size && !failed; at += size) {
            size = character_bytes(text.data[at]);
            failed = add_field(call, list, bytes_of(text.data + at, size), null);
            if (!failed)
                failed = pace_step(&pace, 16);
        }
        return failed;
    }
    struct bytes separator = value_view(&arguments[1]);
    const uint8_t *found = NULL;
    do {
        found = separator.size ? memmem(text.data, text.size, separator.data, separator.size) : NULL;
        size_t size = found ? (size_t)(found - text.data) : text.size;
        failed = add_field(call, list, bytes_of(text.data, size), null);
        if (found)
            text = bytes_of(found + separator.size, text.size - size - separator.size);
        if (!failed)
            failed = pace_step(&pace, size + 16);
    } while (found && !failed);
    return failed;
}

static enum sqlstate to_array(struct call *call, const struct value *arguments, const struct value *null,
                              struct value *result)
{
    struct array_builder list = list_of_texts(call);
    *result = value_null();
    if (arguments[0].null)
        return SQLSTATE_OK;
    enum sqlstate failed = split(call, arguments, null, &list);
    return failed ? failed : array_builder_end(&list, result, call->error);
}

static enum sqlstate text_to_array(struct call *call, const struct value *arguments, struct value *result)
{
    return to_array(call, arguments, NULL, result);
}

static enum sqlstate text_to_array_null(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return to_array(call, arguments, &arguments[2], result);
}

/* ---- rows out of a list: string_to_table, regexp_split_to_table, regexp_matches ---- */

struct rows {
    void *pattern; /* of the call site, kept from open() to open() */
    struct value *values;
    uint32_t count, at;
};

static struct rows *rows_of(struct call *call)
{
    if (!call->memory)
        call->memory = scope_alloc_zeroed(call->scope_lasting, sizeof(struct rows));
    return call->memory;
}

static void rows_take(struct rows *rows, const struct array_builder *list)
{
    rows->values = list->values;
    rows->count = list->count;
    rows->at = 0;
}

static enum sqlstate rows_next(struct call *call, struct value *results, bool *end)
{
    struct rows *rows = call->memory;
    *end = rows->at == rows->count;
    if (!*end)
        results[0] = rows->values[rows->at++];
    return SQLSTATE_OK;
}

static enum sqlstate to_table(struct call *call, const struct value *arguments, const struct value *null)
{
    struct array_builder list = list_of_texts(call);
    enum sqlstate failed = arguments[0].null ? SQLSTATE_OK : split(call, arguments, null, &list);
    rows_take(rows_of(call), &list);
    return failed;
}

static enum sqlstate text_to_table_open(struct call *call, const struct value *arguments)
{
    return to_table(call, arguments, NULL);
}

static enum sqlstate text_to_table_null_open(struct call *call, const struct value *arguments)
{
    return to_table(call, arguments, &arguments[2]);
}

/* ---- array_to_string ---- */

static enum sqlstate join(struct call *call, const struct value *arguments, const struct value *null,
                          struct value *result)
{
    struct array array;
    const struct type *type;
    array_read(&arguments[0], &array);
    enum sqlstate failed = type_of_oid(call->environment, array.element, &type, call->error);
    struct text text = text_in(call->scope);
    bool first = true;
    for (uint32_t i = 0; i < array.count && !failed; i++) {
        struct value one = array_get(&array, i);
        struct bytes shown;
        if (one.null && (!null || null->null))
            continue;
        if (one.null)
            shown = value_view(null);
        else
            failed = value_out(call->environment, call->scope, type, &one, &shown, call->error);
        if (failed)
            break;
        if (!first)
            text_bytes(&text, value_view(&arguments[1]));
        text_bytes(&text, shown);
        first = false;
    }
    return failed ? failed : value_of_text(&text, result, call->error);
}

static enum sqlstate array_to_text(struct call *call, const struct value *arguments, struct value *result)
{
    return join(call, arguments, NULL, result);
}

static enum sqlstate array_to_text_null(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    *result = value_null();
    return arguments[0].null || arguments[1].null ? SQLSTATE_OK
                                                  : join(call, arguments, &arguments[2], result);
}

/* ---- parse_ident ---- */

static enum sqlstate not_a_name(struct call *call, const struct value *text, const char *detail)
{
    enum sqlstate failed =
        error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE, "string is not a valid identifier: \"%.*s\"",
                  (int)text->size, (const char *)text->p);
    if (detail)
        error_add(call->error, ERROR_DETAIL, "%s", detail);
    return failed;
}

static bool starts_name(uint8_t byte)
{
    return byte == '_' || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
}

static bool continues_name(uint8_t byte)
{
    return starts_name(byte) || (byte >= '0' && byte <= '9') || byte == '$';
}

/* One name at `at`, which is moved behind it: in quotes, or in lower case. Size 0 when there is none. */
static enum sqlstate read_name(struct call *call, const struct value *text, uint32_t *at, struct value *name)
{
    struct text out = text_in(call->scope);
    *name = value_bytes("", 0);
    if (*at < text->size && text->p[*at] == '"') {
        for (++*at;; ++*at) {
            if (*at >= text->size)
                return not_a_name(call, text, "String has unclosed double quotes.");
            if (text->p[*at] == '"' && (++*at >= text->size || text->p[*at] != '"'))
                break;
            text_bytes(&out, bytes_of(text->p + *at, 1));
        }
        if (out.size == 0)
            return not_a_name(call, text, "Quoted identifier must not be empty.");
    } else if (*at < text->size && starts_name(text->p[*at])) {
        for (; *at < text->size && continues_name(text->p[*at]); ++*at) {
            uint8_t lower = text->p[*at] < 0x80 ? (uint8_t)character_lower(text->p[*at]) : text->p[*at];
            text_bytes(&out, bytes_of(&lower, 1));
        }
    }
    return value_of_text(&out, name, call->error);
}

static void skip_blanks(const struct value *text, uint32_t *at)
{
    while (*at < text->size && is_blank(text->p[*at]))
        ++*at;
}

static enum sqlstate parse_ident(struct call *call, const struct value *arguments, struct value *result)
{
    const struct value *text = &arguments[0];
    struct array_builder list = list_of_texts(call);
    uint32_t at = 0;
    bool behind_point = false;
    for (skip_blanks(text, &at);; skip_blanks(text, &at)) {
        struct value name;
        enum sqlstate failed = read_name(call, text, &at, &name);
        if (failed)
            return failed;
        if (name.size == 0) {
            if (at < text->size && text->p[at] == '.')
                return not_a_name(call, text, "No valid identifier before \".\".");
            return not_a_name(call, text, behind_point ? "No valid identifier after \".\"." : NULL);
        }
        if ((failed = array_builder_add(&list, name, call->error)))
            return failed;
        skip_blanks(text, &at);
        behind_point = at < text->size && text->p[at] == '.';
        if (!behind_point)
            break;
        at++;
    }
    if (at < text->size && arguments[1].i)
        return not_a_name(call, text, NULL);
    return array_builder_end(&list, result, call->error);
}

/* ---- regular expressions ---- */

static enum sqlstate no_global(struct call *call, const char *function, bool matches)
{
    enum sqlstate failed = error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                     "%s does not support the \"global\" option", function);
    if (matches)
        error_add(call->error, ERROR_HINT, "Use the regexp_matches function instead.");
    return failed;
}

/* What the groups matched, or the whole when there is none, as an array. */
static enum sqlstate groups_of(struct call *call, struct pattern *pattern, const struct value *text,
                               const struct pattern_span *spans, struct value *result)
{
    struct array_builder list = list_of_texts(call);
    uint32_t groups = pattern_groups(pattern);
    enum sqlstate failed = SQLSTATE_OK;
    for (uint32_t i = groups ? 1 : 0; i <= groups && !failed; i++) {
        struct value one = spans[i].from == SIZE_MAX
                               ? value_null()
                               : value_bytes(text->p + spans[i].from, spans[i].to - spans[i].from);
        failed = array_builder_add(&list, one, call->error);
    }
    return failed ? failed : array_builder_end(&list, result, call->error);
}

static enum sqlstate match(struct call *call, const struct value *arguments, const struct value *letters,
                           struct value *result)
{
    struct pattern *pattern;
    const struct pattern_span *spans;
    bool found;
    *result = value_null();
    enum sqlstate failed =
        pattern_of(call, &call->memory, &arguments[1], letters, (struct pattern_options){0}, &pattern);
    if (failed)
        return failed;
    if (pattern_is_global(pattern))
        return no_global(call, "regexp_match()", true);
    failed = pattern_find(pattern, value_view(&arguments[0]), 0, &found, &spans, call->error);
    return failed || !found ? failed : groups_of(call, pattern, &arguments[0], spans, result);
}

static enum sqlstate regexp_match(struct call *call, const struct value *arguments, struct value *result)
{
    return match(call, arguments, &arguments[2], result);
}

static enum sqlstate regexp_match_no_flags(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return match(call, arguments, NULL, result);
}

static enum sqlstate matches_open(struct call *call, const struct value *arguments,
                                  const struct value *letters)
{
    struct rows *rows = rows_of(call);
    struct pattern *pattern;
    struct bytes text = value_view(&arguments[0]);
    struct array_builder list = list_of_texts(call);
    bool found = true;
    enum sqlstate failed =
        pattern_of(call, &rows->pattern, &arguments[1], letters, (struct pattern_options){0}, &pattern);
    for (size_t from = 0; !failed && from <= text.size;) {
        const struct pattern_span *spans;
        struct value groups;
        failed = pattern_find(pattern, text, from, &found, &spans, call->error);
        if (failed || !found)
            break;
        from = pattern_next_from(text, &spans[0]);
        failed = groups_of(call, pattern, &arguments[0], spans, &groups);
        if (!failed)
            failed = array_builder_add(&list, groups, call->error);
        if (!pattern_is_global(pattern))
            break;
    }
    rows_take(rows, &list);
    return failed;
}

static enum sqlstate regexp_matches_open(struct call *call, const struct value *arguments)
{
    return matches_open(call, arguments, &arguments[2]);
}

static enum sqlstate regexp_matches_no_flags_open(struct call *call, const struct value *arguments)
{
    return matches_open(call, arguments, NULL);
}

/* The text between the matches. An empty match at an end of the text or right behind another match is none. */
static enum sqlstate split_by(struct call *call, void **kept, const struct value *arguments,
                              const struct value *letters, const char *function, struct array_builder *list)
{
    struct pattern *pattern;
    struct bytes text = value_view(&arguments[0]);
    size_t from = 0, taken = 0, last_end = 0;
    bool found = true;
    enum sqlstate failed =
        pattern_of(call, kept, &arguments[1], letters, (struct pattern_options){0}, &pattern);
    if (!failed && pattern_is_global(pattern))
        return no_global(call, function, false);
    while (!failed && from <= text.size) {
        const struct pattern_span *spans;
        failed = pattern_find(pattern, text, from, &found, &spans, call->error);
        if (failed || !found)
            break;
        from = pattern_next_from(text, &spans[0]);
        bool counts = spans[0].from < text.size && spans[0].to > last_end;
        last_end = spans[0].to;
        if (!counts)
            continue;
        failed = array_builder_add(list, value_bytes(text.data + taken, spans[0].from - taken), call->error);
        taken = spans[0].to;
    }
    if (failed)
        return failed;
    return array_builder_add(list, value_bytes(text.size ? text.data + taken : text.data, text.size - taken),
                             call->error);
}

static enum sqlstate split_to_array(struct call *call, const struct value *arguments,
                                    const struct value *letters, struct value *result)
{
    struct array_builder list = list_of_texts(call);
    enum sqlstate failed =
        split_by(call, &call->memory, arguments, letters, "regexp_split_to_array()", &list);
    return failed ? failed : array_builder_end(&list, result, call->error);
}

static enum sqlstate regexp_split_to_array(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return split_to_array(call, arguments, &arguments[2], result);
}

static enum sqlstate regexp_split_to_array_no_flags(struct call *call, const struct value *arguments,
                                                    struct value *result)
{
    return split_to_array(call, arguments, NULL, result);
}

static enum sqlstate split_to_table_open(struct call *call, const struct value *arguments,
                                         const struct value *letters)
{
    struct rows *rows = rows_of(call);
    struct array_builder list = list_of_texts(call);
    enum sqlstate failed =
        split_by(call, &rows->pattern, arguments, letters, "regexp_split_to_table()", &list);
    rows_take(rows, &list);
    return failed;
}

static enum sqlstate regexp_split_to_table_open(struct call *call, const struct value *arguments)
{
    return split_to_table_open(call, arguments, &arguments[2]);
}

static enum sqlstate regexp_split_to_table_no_flags_open(struct call *call, const struct value *arguments)
{
    return split_to_table_open(call, arguments, NULL);
}

static const struct function functions[] = {
    {"text_to_array", text_to_array, 0},
    {"text_to_array_null", text_to_array_null, 0},
    {"array_to_text", array_to_text, 0},
    {"array_to_text_null", array_to_text_null, 0},
    {"parse_ident", parse_ident, 0},
    {"regexp_match", regexp_match, 0},
    {"regexp_match_no_flags", regexp_match_no_flags, 0},
    {"regexp_split_to_array", regexp_split_to_array, 0},
    {"regexp_split_to_array_no_flags", regexp_split_to_array_no_flags, 0},
    {NULL, NULL, 0},
};

static const struct set_function set_functions[] = {
    {"text_to_table", text_to_table_open, rows_next},
    {"text_to_table_null", text_to_table_null_open, rows_next},
    {"regexp_matches", regexp_matches_open, rows_next},
    {"regexp_matches_no_flags", regexp_matches_no_flags_open, rows_next},
    {"regexp_split_to_table", regexp_split_to_table_open, rows_next},
    {"regexp_split_to_table_no_flags", regexp_split_to_table_no_flags_open, rows_next},
    {NULL, NULL, NULL},
};

const struct library array_split_library = {.functions = functions, .set_functions = set_functions};
