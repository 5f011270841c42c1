/* Functions of regular expressions that give no arrays (PostgreSQL manual, 9.7.3): ~ and its kin, substring, regexp_replace,
 * regexp_count, regexp_instr, regexp_like, regexp_substr; and SIMILAR TO (9.7.2). */
#include "sqlfront/value/text/pattern.h"
#include "sqlfront/value/text/text.h"

/* ---- ~ ---- */

static enum sqlstate matches(struct call *call, const struct value *arguments, bool ignore_case, bool wanted,
                             struct value *result)
{
    struct pattern *pattern;
    bool found = false;
    enum sqlstate failed = pattern_of(call, &call->memory, &arguments[1], NULL,
                                      (struct pattern_options){.ignore_case = ignore_case}, &pattern);
    if (!failed)
        failed = pattern_find(pattern, value_view(&arguments[0]), 0, &found, NULL, call->error);
    *result = value_boolean(found == wanted);
    return failed;
}

static enum sqlstate textregexeq(struct call *call, const struct value *arguments, struct value *result)
{
    return matches(call, arguments, false, true, result);
}

static enum sqlstate textregexne(struct call *call, const struct value *arguments, struct value *result)
{
    return matches(call, arguments, false, false, result);
}

static enum sqlstate texticregexeq(struct call *call, const struct value *arguments, struct value *result)
{
    return matches(call, arguments, true, true, result);
}

static enum sqlstate texticregexne(struct call *call, const struct value *arguments, struct value *result)
{
    return matches(call, arguments, true, false, result);
}

static enum sqlstate no_global(struct call *call, const char *function)
{
    return error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                     "%s does not support the \"global\" option", function);
}

static enum sqlstate like(struct call *call, const struct value *arguments, const struct value *letters,
                          struct value *result)
{
    struct pattern *pattern;
    bool found = false;
    enum sqlstate failed =
        pattern_of(call, &call->memory, &arguments[1], letters, (struct pattern_options){0}, &pattern);
    if (!failed && pattern_is_global(pattern))
        return no_global(call, "regexp_like()");
    if (!failed)
        failed = pattern_find(pattern, value_view(&arguments[0]), 0, &found, NULL, call->error);
    *result = value_boolean(found);
    return failed;
}

static enum sqlstate regexp_like(struct call *call, const struct value *arguments, struct value *result)
{
    return like(call, arguments, &arguments[2], result);
}

static enum sqlstate regexp_like_no_flags(struct call *call, const struct value *arguments,
                                          struct value *result)
{
    return like(call, arguments, NULL, result);
}

/* ---- substring ---- */

static struct value span_of(const struct value *text, const struct pattern_span *span)
{
    return span->from == SIZE_MAX ? value_null() : value_bytes(text->p + span->from, span->to - span->from);
}

/* What the first group matched, or the whole when there is none. */
static enum sqlstate textregexsubstr(struct call *call, const struct value *arguments, struct value *result)
{
    struct pattern *pattern;
    const struct pattern_span *spans;
    bool found = false;
    enum sqlstate failed =
        pattern_of(call, &call->memory, &arguments[1], NULL, (struct pattern_options){0}, &pattern);
    if (!failed)
        failed = pattern_find(pattern, value_view(&arguments[0]), 0, &found, &spans, call->error);
    *result = !failed && found ? span_of(&arguments[0], &spans[pattern_groups(pattern) > 0]) : value_null();
    return failed;
}

/* ---- regexp_replace ---- */

/* \1 ... \9 and \& in the replacement; \\ is one backslash. */
static void put_replacement(struct text *out, struct bytes replacement, const struct value *text,
                            const struct pattern_span *spans, uint32_t groups)
{
    for (size_t at = 0; at < replacement.size;) {
        const uint8_t *plain = replacement.data + at;
        const uint8_t *backslash = memchr(plain, '\\', replacement.size - at);
        size_t size = backslash ? (size_t)(backslash - plain) : replacement.size - at;
        text_bytes(out, bytes_of(plain, size));
        at += size;
        if (!backslash)
            return;
        uint8_t behind = at + 1 < replacement.size ? replacement.data[at + 1] : 0;
        uint32_t group = behind == '&' ? 0 : (uint32_t)(behind - '0');
        if (behind == '&' || (behind >= '1' && behind <= '9')) {
            struct value matched = group <= groups ? span_of(text, &spans[group]) : value_null();
            if (!matched.null)
                text_bytes(out, value_view(&matched));
            at += 2;
        } else {
            text_append(out, "\\");
            at += behind == '\\' ? 2 : 1;
        }
    }
}

struct replacing {
    const struct value *letters; /* NULL = none */
    int64_t start;               /* character, from 1 */
    int64_t which;               /* the match to replace; 0 = all; -1 = as "g" says */
};

static enum sqlstate replace(struct call *call, const struct value *arguments, struct replacing how,
                             struct value *result)
{
    struct pattern *pattern;
    struct bytes text = value_view(&arguments[0]), replacement = value_view(&arguments[2]);
    enum sqlstate failed =
        pattern_of(call, &call->memory, &arguments[1], how.letters, (struct pattern_options){0}, &pattern);
    if (failed)
        return failed;
    int64_t which = how.which >= 0 ? how.which : !pattern_is_global(pattern);
    struct text out = text_in(call->scope);
    size_t copied = 0;
    bool changed = false, found = true;
    for (size_t from = pattern_start(text, how.start); from <= text.size;) {
        const struct pattern_span *spans;
        failed = pattern_find(pattern, text, from, &found, &spans, call->error);
        if (failed)
            return failed;
        if (!found)
            break;
        from = pattern_next_from(text, &spans[0]);
        if (which > 1) {
            which--;
            continue;
        }
        text_bytes(&out, bytes_of(text.data + copied, spans[0].from - copied));
        put_replacement(&out, replacement, &arguments[0], spans, pattern_groups(pattern));
        copied = spans[0].to;
        changed = true;
        if (which == 1)
            break;
    }
    if (!changed) {
        *result = arguments[0];
        return SQLSTATE_OK;
    }
    text_bytes(&out, bytes_of(text.data + copied, text.size - copied));
    return value_of_text(&out, result, call->error);
}

static enum sqlstate textregexreplace_noopt(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    return replace(call, arguments, (struct replacing){.start = 1, .which = 1}, result);
}

static enum sqlstate textregexreplace(struct call *call, const struct value *arguments, struct value *result)
{
    if (arguments[3].size && arguments[3].p[0] >= '0' && arguments[3].p[0] <= '9') {
        enum sqlstate failed = error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                                         "invalid regular expression option: \"%c\"", arguments[3].p[0]);
        error_add(call->error, ERROR_HINT,
                  "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to "
                  "integer "
                  "explicitly.");
        return failed;
    }
    return replace(call, arguments, (struct replacing){.letters = &arguments[3], .start = 1, .which = -1},
                   result);
}

/* With `given` arguments of (text, pattern, replacement, start, N, flags). */
static enum sqlstate replace_extended(struct call *call, const struct value *arguments, int given,
                                      struct value *result)
{
    struct replacing how = {.letters = given > 5 ? &arguments[5] : NULL,
                            .start = arguments[3].i,
                            .which = given > 4 ? arguments[4].i : 1};
    enum sqlstate failed = pattern_parameter(call, "start", how.start, 1);
    if (!failed)
        failed = pattern_parameter(call, "n", how.which, 0);
    return failed ? failed : replace(call, arguments, how, result);
}

static enum sqlstate textregexreplace_extended(struct call *call, const struct value *arguments,
                                               struct value *result)
{
    return replace_extended(call, arguments, 6, result);
}

static enum sqlstate textregexreplace_extended_no_flags(struct call *call, const struct value *arguments,
                                                        struct value *result)
{
    return replace_extended(call, arguments, 5, result);
}

static enum sqlstate textregexreplace_extended_no_n(struct call *call, const struct value *arguments,
                                                    struct value *result)
{
    return replace_extended(call, arguments, 4, result);
}

/* ---- regexp_count, regexp_instr, regexp_substr ---- */

/* Match number `which` (from 1) at or behind a character; *found says whether there are so many. */
static enum sqlstate find_nth(struct call *call, struct pattern *pattern, struct bytes text, int64_t start,
                              int64_t which, bool *found, const struct pattern_span **spans)
{
    *found = false;
    for (size_t from = pattern_start(text, start); from <= text.size;
         from = pattern_next_from(text, *spans)) {
        enum sqlstate failed = pattern_find(pattern, text, from, found, spans, call->error);
        if (failed || !*found || --which == 0)
            return failed;
    }
    *found = false;
    return SQLSTATE_OK;
}

static enum sqlstate count(struct call *call, const struct value *arguments, int given, struct value *result)
{
    struct pattern *pattern;
    struct bytes text = value_view(&arguments[0]);
    int64_t start = given > 2 ? arguments[2].i : 1, matches = 0;
    enum sqlstate failed = pattern_parameter(call, "start", start, 1);
    if (!failed)
        failed = pattern_of(call, &call->memory, &arguments[1], given > 3 ? &arguments[3] : NULL,
                            (struct pattern_options){0}, &pattern);
    if (failed)
        return failed;
    if (pattern_is_global(pattern))
        return no_global(call, "regexp_count()");
    const struct pattern_span *spans;
    bool found;
    for (size_t from = pattern_start(text, start); from <= text.size; from = pattern_next_from(text, spans)) {
        if ((failed = pattern_find(pattern, text, from, &found, &spans, call->error)))
            return failed;
        if (!found)
            break;
        matches++;
    }
    *result = value_integer(matches);
    return SQLSTATE_OK;
}

static enum sqlstate regexp_count(struct call *call, const struct value *arguments, struct value *result)
{
    return count(call, arguments, 4, result);
}

static enum sqlstate regexp_count_no_flags(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return count(call, arguments, 3, result);
}

static enum sqlstate regexp_count_no_start(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return count(call, arguments, 2, result);
}

/* With `given` of (text, pattern, start, N, endoption, flags, subexpr). */
static enum sqlstate instr(struct call *call, const struct value *arguments, int given, struct value *result)
{
    struct pattern *pattern;
    const struct pattern_span *spans;
    bool found = false;
    struct bytes text = value_view(&arguments[0]);
    int64_t start = given > 2 ? arguments[2].i : 1, which = given > 3 ? arguments[3].i : 1;
    int64_t end = given > 4 ? arguments[4].i : 0, group = given > 6 ? arguments[6].i : 0;
    enum sqlstate failed = pattern_parameter(call, "start", start, 1);
    if (!failed)
        failed = pattern_parameter(call, "n", which, 1);
    if (!failed)
        failed = pattern_parameter(call, "endoption", end > 1 ? -end : end, 0);
    if (failed && end > 1)
        failed = error_set(call->error, SQLSTATE_INVALID_PARAMETER_VALUE,
                           "invalid value for parameter \"%s\": %d", "endoption", (int)end);
    if (!failed)
        failed = pattern_parameter(call, "subexpr", group, 0);
    if (!failed)
        failed = pattern_of(call, &call->memory, &arguments[1], given > 5 ? &arguments[5] : NULL,
                            (struct pattern_options){0}, &pattern);
    if (!failed && pattern_is_global(pattern))
        return no_global(call, "regexp_instr()");
    if (!failed)
        failed = find_nth(call, pattern, text, start, which, &found, &spans);
    *result = value_integer(0);
    group =
        group == 1 && !failed && pattern_groups(pattern) == 0 ? 0 : group; /* the whole is the only part */
    if (failed || !found || group > pattern_groups(pattern) || spans[group].from == SIZE_MAX)
        return failed;
    size_t at = end ? spans[group].to : spans[group].from;
    *result = value_integer(1 + (int64_t)character_count(bytes_of(text.data, at)));
    return SQLSTATE_OK;
}

static enum sqlstate regexp_instr(struct call *call, const struct value *arguments, struct value *result)
{
    return instr(call, arguments, 7, result);
}

static enum sqlstate regexp_instr_no_subexpr(struct call *call, const struct value *arguments,
                                             struct value *result)
{
    return instr(call, arguments, 6, result);
}

static enum sqlstate regexp_instr_no_flags(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return instr(call, arguments, 5, result);
}

static enum sqlstate regexp_instr_no_endoption(struct call *call, const struct value *arguments,
                                               struct value *result)
{
    return instr(call, arguments, 4, result);
}

static enum sqlstate regexp_instr_no_n(struct call *call, const struct value *arguments, struct value *result)
{
    return instr(call, arguments, 3, result);
}

static enum sqlstate regexp_instr_no_start(struct call *call, const struct value *arguments,
                                           struct value *result)
{
    return instr(call, arguments, 2, result);
}

/* With `given` of (text, pattern, start, N, flags, subexpr). */
static enum sqlstate substr(struct call *call, const struct value *arguments, int given, struct value *result)
{
    struct pattern *pattern;
    const struct pattern_span *spans;
    bool found = false;
    int64_t start = given > 2 ? arguments[2].i : 1, which = given > 3 ? arguments[3].i : 1;
    int64_t group = given > 5 ? arguments[5].i : 0;
    enum sqlstate failed = pattern_parameter(call, "start", start, 1);
    if (!failed)
        failed = pattern_parameter(call, "n", which, 1);
    if (!failed)
        failed = pattern_parameter(call, "subexpr", group, 0);
    if (!failed)
        failed = pattern_of(call, &call->memory, &arguments[1], given > 4 ? &arguments[4] : NULL,
                            (struct pattern_options){0}, &pattern);
    if (!failed && pattern_is_global(pattern))
        return no_global(call, "regexp_substr()");
    if (!failed)
        failed = find_nth(call, pattern, value_view(&arguments[0]), start, which, &found, &spans);
    group =
        group == 1 && !failed && pattern_groups(pattern) == 0 ? 0 : group; /* the whole is the only part */
    bool there = !failed && found && group <= pattern_groups(pattern);
    *result = there ? span_of(&arguments[0], &spans[group]) : value_null();
    return failed;
}

static enum sqlstate regexp_substr(struct call *call, const struct value *arguments, struct value *result)
{
    return substr(call, arguments, 6, result);
}

static enum sqlstate regexp_substr_no_subexpr(struct call *call, const struct value *arguments,
                                              struct value *result)
{
    return substr(call, arguments, 5, result);
}

static enum sqlstate regexp_substr_no_flags(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    return substr(call, arguments, 4, result);
}

static enum sqlstate regexp_substr_no_n(struct call *call, const struct value *arguments,
                                        struct value *result)
{
    return substr(call, arguments, 3, result);
}

static enum sqlstate regexp_substr_no_start(struct call *call, const struct value *arguments,
                                            struct value *result)
{
    return substr(call, arguments, 2, result);
}

/* ---- SIMILAR TO ---- */

/* Parts of a pattern with escape-double-quotes: the first as short as can be, so that the second is what is meant. */
static enum sqlstate separate(struct call *call, int separators, struct text *out)
{
    if (separators > 1)
        return error_set(
            call->error, SQLSTATE_INVALID_USE_OF_ESCAPE_CHARACTER,
            "SQL regular expression may not contain more than two escape-double-quote separators");
    text_append(out, separators == 0 ? "){1,1}?(" : "){1,1}(?:");
    return SQLSTATE_OK;
}

static void put_similar(struct text *out, struct bytes character, bool *in_class)
{
    uint8_t byte = character.data[0];
    if (*in_class) {
        text_append(out, byte == '\\' ? "\\" : "");
        *in_class = byte != ']';
    } else if (byte == '%' || byte == '_' || byte == '(') {
        text_append(out, byte == '%' ? ".*" : byte == '_' ? "." : "(?:");
        return;
    } else {
        *in_class = byte == '[';
        text_append(out, byte == '\\' || byte == '.' || byte == '^' || byte == '$' ? "\\" : "");
    }
    text_bytes(out, character);
}

enum sqlstate similar_translate(struct call *call, struct bytes pattern, const struct value *escape,
                                struct value *result)
{
    struct bytes mark = escape ? value_view(escape) : bytes_of("\\", 1);
    if (character_count(mark) > 1) {
        enum sqlstate failed =
            error_set(call->error, SQLSTATE_INVALID_ESCAPE_SEQUENCE, "invalid escape string");
        error_add(call->error, ERROR_HINT, "Escape string must be empty or one character.");
        return failed;
    }
    struct text out = text_in(call->scope);
    bool behind_escape = false, in_class = false;
    int separators = 0;
    text_append(&out, "^(?:");
    for (size_t at = 0, size; at < pattern.size; at += size) {
        size = character_bytes(pattern.data[at]);
        struct bytes character = bytes_of(pattern.data + at, size);
        if (behind_escape) {
            behind_escape = false;
            if (*character.data == '"' && !in_class) {
                enum sqlstate failed = separate(call, separators++, &out);
                if (failed)
                    return failed;
                continue;
            }
            text_append(&out, "\\");
            text_bytes(&out, character);
        } else if (mark.size == size && memcmp(mark.data, character.data, size) == 0) {
            behind_escape = true;
        } else {
            put_similar(&out, character, &in_class);
        }
    }
    text_append(&out, ")$");
    return value_of_text(&out, result, call->error);
}

static enum sqlstate similar_to_escape_1(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return similar_translate(call, value_view(&arguments[0]), NULL, result);
}

static enum sqlstate similar_to_escape_2(struct call *call, const struct value *arguments,
                                         struct value *result)
{
    return similar_translate(call, value_view(&arguments[0]), &arguments[1], result);
}

/* Before PostgreSQL 13: a null escape is the usual one. */
static enum sqlstate similar_escape(struct call *call, const struct value *arguments, struct value *result)
{
    *result = value_null();
    if (arguments[0].null)
        return SQLSTATE_OK;
    return similar_translate(call, value_view(&arguments[0]), arguments[1].null ? NULL : &arguments[1],
                             result);
}

/* substring(text similar pattern escape mark) */
static enum sqlstate textsimilarsubstr(struct call *call, const struct value *arguments, struct value *result)
{
    struct value both[2] = {arguments[0]};
    enum sqlstate failed = similar_translate(call, value_view(&arguments[1]), &arguments[2], &both[1]);
    return failed ? failed : textregexsubstr(call, both, result);
}

static const struct function functions[] = {
    {"textregexeq", textregexeq, 0},
    {"textregexne", textregexne, 0},
    {"texticregexeq", texticregexeq, 0},
    {"texticregexne", texticregexne, 0},
    {"nameregexeq", textregexeq, 0},
    {"nameregexne", textregexne, 0},
    {"nameicregexeq", texticregexeq, 0},
    {"nameicregexne", texticregexne, 0},
    {"regexp_like", regexp_like, 0},
    {"regexp_like_no_flags", regexp_like_no_flags, 0},
    {"textregexsubstr", textregexsubstr, 0},
    {"textregexreplace_noopt", textregexreplace_noopt, 0},
    {"textregexreplace", textregexreplace, 0},
    {"textregexreplace_extended", textregexreplace_extended, 0},
    {"textregexreplace_extended_no_flags", textregexreplace_extended_no_flags, 0},
    {"textregexreplace_extended_no_n", textregexreplace_extended_no_n, 0},
    {"regexp_count", regexp_count, 0},
    {"regexp_count_no_flags", regexp_count_no_flags, 0},
    {"regexp_count_no_start", regexp_count_no_start, 0},
    {"regexp_instr", regexp_instr, 0},
    {"regexp_instr_no_subexpr", regexp_instr_no_subexpr, 0},
    {"regexp_instr_no_flags", regexp_instr_no_flags, 0},
    {"regexp_instr_no_endoption", regexp_instr_no_endoption, 0},
    {"regexp_instr_no_n", regexp_instr_no_n, 0},
    {"regexp_instr_no_start", regexp_instr_no_start, 0},
    {"regexp_substr", regexp_substr, 0},
    {"regexp_substr_no_subexpr", regexp_substr_no_subexpr, 0},
    {"regexp_substr_no_flags", regexp_substr_no_flags, 0},
    {"regexp_substr_no_n", regexp_substr_no_n, 0},
    {"regexp_substr_no_start", regexp_substr_no_start, 0},
    {"similar_to_escape_1", similar_to_escape_1, 0},
    {"similar_to_escape_2", similar_to_escape_2, 0},
    {"similar_escape", similar_escape, 0},
    {"RETURN \"substring\"($1, similar_to_escape($2, $3))", textsimilarsubstr, 0},
    {NULL, NULL, 0},
};

const struct library regexp_library = {.functions = functions};
