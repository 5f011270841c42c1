/* Finding the end of a statement (split.h). */
#include "node/cli/split.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Past a quoted text that begins at `at`; NULL when it does not end. `escapes`: a backslash hides the next character. */
static const char *past_quote(const char *at, char quote, bool escapes)
{
    for (at++; *at; at++) {
        if (escapes && *at == '\\' && at[1])
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

/* Past a comment with stars; they nest. */
static const char *past_comment(const char *at)
{
    int depth = 0;
    for (; *at; at++) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at++;
        } else if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        }
    }
    return NULL;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* The length of $tag$ at `at`, or 0 when there is none. */
static size_t dollar_tag(const char *at)
{
    size_t size = 1;
    if (isdigit((unsigned char)at[1]))
        return 0;
    while (is_word(at[size]))
        size++;
    return at[size] == '$' ? size + 1 : 0;
}

static const char *past_dollar(const char *at, size_t tag)
{
    for (const char *end = at + tag; (end = strchr(end, '$')); end++)
        if (strncmp(end, at, tag) == 0)
            return end + tag;
    return NULL;
}

/* Past what begins at `at` and hides semicolons; `at` itself when nothing does, NULL when it does not end. */
static const char *past_hidden(const char *text, const char *at, enum split_state *state)
{
    bool in_word = at > text && is_word(at[-1]);
    if (*at == '\'') {
        *state = SPLIT_QUOTE;
        return past_quote(
            at, '\'', in_word && (at[-1] == 'e' || at[-1] == 'E') && (at - 1 == text || !is_word(at[-2])));
    }
    if (*at == '"') {
        *state = SPLIT_NAME;
        return past_quote(at, '"', false);
    }
    if (*at == '/' && at[1] == '*') {
        *state = SPLIT_COMMENT;
        return past_comment(at);
    }
    if (*at == '$' && !in_word && dollar_tag(at)) {
        *state = SPLIT_DOLLAR;
        return past_dollar(at, dollar_tag(at));
    }
    if (*at == '-' && at[1] == '-')
        return at + strcspn(at, "\n");
    return at;
}

size_t split_statement(const char *text, enum split_state *state)
{
    int brackets = 0;
    bool any = false;
    for (const char *at = text; *at;) {
        const char *past = past_hidden(text, at, state);
        if (!past)
            return 0;
        if (past > at) {
            any |= *at != '-' && !(*at == '/' && at[1] == '*');
            at = past;
            continue;
        }
        if (*at == '(')
            brackets++;
        else if (*at == ')' && brackets > 0)
            brackets--;
        else if (*at == ';' && brackets == 0)
            return (size_t)(at - text) + 1;
        any |= !isspace((unsigned char)*at);
        at++;
    }
    *state = brackets ? SPLIT_BRACKET : any ? SPLIT_MIDDLE : SPLIT_START;
    return 0;
}
