/* Regular expressions and other patterns, whatever they are: never a step outside, never a search without end, and matches
 * that lie within the text.
 *
 * An input is  function | pattern | zero byte | text. */
#include "base/check.h"
#include "sqlfront/library/library.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

/* All of them take (text, pattern) and, some, a replacement or letters of options. */
static const struct {
    const char *name;
    const char *third;
} functions[] = {
    {"textregexeq", NULL},
    {"textregexsubstr", NULL},
    {"textregexreplace", "g"},
    {"texticregexeq", NULL},
    {"textlike", NULL},
    {"texticlike", NULL},
    {"similar_to_escape_1", NULL},
    {"regexp_match_no_flags", NULL},
    {"regexp_count_no_start", NULL},
    {"regexp_split_to_array_no_flags", NULL},
    {"regexp_like", "nx"},
    {"regexp_like", "q"},
    {"textregexreplace_noopt", "\\1"},
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

static const struct type *find(struct environment *environment, uint32_t oid)
{
    return type_builtin(oid);
}

/* The text's type checks it: functions are never called with what is no text. */
static bool text_of(struct environment *environment, struct scope *scope, struct bytes bytes,
                    struct value *value, struct error *error)
{
    const struct type *type = type_builtin(TYPE_TEXT);
    return !type->ops->in(environment, scope, type, -1, bytes, value, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const uint8_t *zero = memchr(data + 1, 0, size - 1);
    size_t pattern = zero ? (size_t)(zero - data - 1) : size - 1;
    struct bytes text = zero ? bytes_of(zero + 1, size - pattern - 2) : bytes_of("", 0);
    struct environment environment = {.type_find = find};
    struct error error = {0};
    struct scope *scope = scope_open_root("fuzz", NULL);
    const struct type *types[4];
    for (int i = 0; i < 4; i++)
        types[i] = type_builtin(TYPE_TEXT);
    check(scope);
    struct call call = {.environment = &environment,
                        .scope = scope,
                        .scope_lasting = scope,
                        .error = &error,
                        .result = types[0],
                        .types = types,
                        .modifier = -1};
    const char *name = functions[data[0] % FUNCTIONS].name, *third = functions[data[0] % FUNCTIONS].third;
    const struct function *function = function_find(name);
    struct value arguments[4] = {0}, result = {0};
    check(function, "%s", name);
    bool one = strcmp(name, "similar_to_escape_1") == 0, replaces = strcmp(name, "textregexreplace") == 0;
    bool are_texts =
        text_of(&environment, scope, text, &arguments[0], &error) &&
        text_of(&environment, scope, bytes_of(data + 1, pattern), &arguments[one ? 0 : 1], &error);
    arguments[2] = value_text(replaces ? "<\\&>" : third ? third : "");
    arguments[3] = value_text(third ? third : "");
    for (int twice = 0; are_texts && twice < 2; twice++) { /* the second time with what was compiled */
        enum sqlstate failed = function->run(&call, arguments, &result);
        check(!failed || error_text(&error, ERROR_MESSAGE));
        const uint8_t *within = arguments[0].p;
        bool part = strcmp(name, "textregexsubstr") == 0 && !failed && !result.null && result.size > 0;
        check(!part || (result.p >= within && result.p + result.size <= within + arguments[0].size));
    }
    scope_close(scope);
    return 0;
}
