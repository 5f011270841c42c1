/* What a request for a statement says. */
#include "restgw/api/inside.h"

#include <string.h>

static bool text_is(struct bytes text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

void result_options_read(const struct json *options, struct result_options *result)
{
    *result = (struct result_options){.rows_max = PAGE_ROWS_DEFAULT, .bytes_max = PAGE_BYTES_DEFAULT};
    if (!options || options->kind != HTTP_OBJECT)
        return;
    result->text = text_is(json_text(options, "values"), "text");
    result->int8_number = text_is(json_text(options, "int8"), "number");
    result->json_inline = text_is(json_text(options, "json"), "inline");
    result->rows_max = (uint32_t)json_integer(options, "max_rows", PAGE_ROWS_DEFAULT);
    result->bytes_max = (size_t)json_integer(options, "max_bytes", PAGE_BYTES_DEFAULT);
}

static const struct json *member_of(const struct json *body, const char *name)
{
    const struct json *member = json_member(body, name);
    return member && member->kind != HTTP_NULL ? member : NULL;
}

enum sqlstate request_read(struct scope *scope, const struct json *body, struct statement_request *request,
                           struct error *error)
{
    *request = (struct statement_request){.wait_ms = -1};
    struct bytes sql = json_text(body, "sql"), prepared = json_text(body, "prepared"),
                 label = json_text(body, "label");
    if (!sql.data == !prepared.data)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "say one of sql and prepared");
    request->sql = sql.data ? scope_text(scope, sql) : NULL;
    request->prepared = prepared.data ? scope_text(scope, prepared) : NULL;
    request->label = label.data ? scope_text(scope, label) : NULL;
    request->params = member_of(body, "params");
    request->param_sets = member_of(body, "param_sets");
    request->transaction = member_of(body, "transaction");
    request->timeout_ms = (uint32_t)json_integer(body, "timeout_ms", 0);
    request->wait_ms = json_integer(body, "wait_ms", -1);
    result_options_read(member_of(body, "result"), &request->options);
    if (request->params && request->param_sets)
        return error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE, "say one of params and param_sets");
    return SQLSTATE_OK;
}

/* The end of a string, quoted name or comment that begins at `at`; `at` when none does. */
static const char *skip_quoted(const char *at)
{
    if (*at == '\'' || *at == '"') {
        bool escapes = *at == '\'' && (at[-1] == 'E' || at[-1] == 'e');
        for (const char *to = at + 1; *to; to++) {
            if (escapes && *to == '\\' && to[1])
                to++;
            else if (*to == *at)
                return to + 1;
        }
        return at + strlen(at);
    }
    if (at[0] == '-' && at[1] == '-')
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        unsigned depth = 0;
        for (; *at; at++) {
            if (at[0] == '/' && at[1] == '*' && ++depth)
                at++;
            else if (at[0] == '*' && at[1] == '/' && at++ && --depth == 0)
                return at + 1;
        }
        return at;
    }
    if (*at != '$')
        return at;
    size_t tag = 1 + strcspn(at + 1, "$ '\"\n(),;");
    if (at[tag] != '$' || (at[1] >= '0' && at[1] <= '9'))
        return at;
    for (const char *to = at + tag + 1; (to = strchr(to, '$')); to++)
        if (strncmp(to, at, tag + 1) == 0)
            return to + tag + 1;
    return at + strlen(at);
}

bool text_is_several(const char *text)
{
    bool ended = false;
    /* The character before the first one is looked at by skip_quoted(): a quote at the beginning follows nothing. */
    for (const char *at = text; *at;) {
        const char *next = at == text && (*at == '\'' || *at == '"') ? at : skip_quoted(at);
        bool comment = next != at && (*at == '-' || *at == '/');
        if (next != at) {
            if (ended && !comment)
                return true;
            at = next;
            continue;
        }
        if (*at == ';')
            ended = true;
        else if (ended && *at != ' ' && *at != '\n' && *at != '\t' && *at != '\r')
            return true;
        at++;
    }
    return false;
}
