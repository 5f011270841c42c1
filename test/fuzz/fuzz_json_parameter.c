/* Values of JSON as parameters of statements, through the whole REST interface: what is taken comes back as JSON that, taken
 * again, means the same; what is not is refused by an answer that is no failure of the server.
 *
 * An input is  a type's name | newline | the JSON of a value. */
#include "base/check.h"
#include "base/scope.h"
#include "restgw/http/json_in.h"
#include "restgw/http/json_out.h"
#include "test/fuzz/database.h"
#include "test/fuzz/fake_loop.h"
#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const setup[] = {
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TYPE pair AS (p int, q text)",
    NULL,
};

static struct fake_door *door; /* one for all inputs */

struct input {
    char type[64];
    struct bytes json;
};

static const char *body_with(struct scope *scope, const char *type, struct bytes json, bool typed)
{
    struct json_out out;
    json_out_open(&out, scope);
    json_out_object(&out);
    json_out_name(&out, "sql");
    json_out_format(&out, typed ? "select $1, $1::text" : "select $1::%s, $1::%s::text", type, type);
    json_out_name(&out, "params");
    struct bytes begun = json_out_bytes(&out);
    size_t room = begun.size + json.size + 256;
    char *body = scope_alloc(scope, room);
    snprintf(body, room, typed ? "%.*s[{\"type\":\"%s\",\"value\":%.*s}]}" : "%.*s[%s%.*s]}", (int)begun.size,
             (const char *)begun.data, typed ? type : "", (int)json.size, (const char *)json.data);
    return body;
}

/* The cells of the answer's only row, and the first as it was written. NULL when there is none. */
static const struct json *row_of(struct scope *scope, const struct fake_answer *answer)
{
    const struct json *document;
    struct error error;
    check(answer->whole && answer->type && answer->status < 500, "%d %.*s", answer->status,
          (int)answer->body.size, (const char *)answer->body.data);
    check(!json_read(scope, answer->body, &document, &error), "%s: %.*s", error_text(&error, ERROR_MESSAGE),
          (int)answer->body.size, (const char *)answer->body.data);
    if (answer->status != 200)
        return NULL;
    const struct json *rows = json_member(document, "rows");
    /* A "type" that is more than one, as in "int4, 1", makes more columns than asked for. */
    return rows && rows->count == 1 && rows->children->count == 2 ? rows->children : NULL;
}

static void value_write(struct json_out *out, const struct json *value)
{
    switch (value->kind) {
    case HTTP_BOOLEAN:
        json_out_boolean(out, value->truth);
        return;
    case HTTP_INTEGER:
    case HTTP_NUMBER:
        json_out_value(out, value->text);
        return;
    case HTTP_STRING:
        json_out_string(out, value->text);
        return;
    case HTTP_ARRAY:
        json_out_array(out);
        for (const struct json *child = value->children; child; child = child->next)
            value_write(out, child);
        json_out_array_end(out);
        return;
    default:
        check(value->kind == HTTP_NULL);
        json_out_null(out);
    }
}

static void try_with(struct scope *scope, const struct input *input, bool typed)
{
    struct fake_answer first, again;
    fake_post(door, scope, "/v1/statements", body_with(scope, input->type, input->json, typed), &first);
    const struct json *row = row_of(scope, &first);
    if (!row)
        return;
    struct json_out out;
    json_out_open(&out, scope);
    value_write(&out, row->children);
    struct bytes shown = json_out_bytes(&out);
    fake_post(door, scope, "/v1/statements", body_with(scope, input->type, shown, typed), &again);
    const struct json *second = row_of(scope, &again);
    /* Composite values are shown in a form that is not read. */
    if (!second)
        return;
    const struct json *text = row->children->next, *text_again = second->children->next;
    check(text->kind == text_again->kind &&
              (text->kind == HTTP_NULL || bytes_compare(text->text, text_again->text) == 0),
          "%s: %.*s became %.*s", input->type, (int)first.body.size, (const char *)first.body.data,
          (int)again.body.size, (const char *)again.body.data);
}

static void work(struct client *client, void *argument)
{
    if (!door) {
        door = fake_open(client->world, client->world->scope, client->sessions);
        database_at_end(fake_close, door);
    }
    try_with(client->scope, argument, true);
    try_with(client->scope, argument, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.json = bytes_of(data, 0)};
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    if (!newline || (size_t)(newline - data) >= sizeof input.type || size > 4096)
        return 0;
    for (const uint8_t *at = data; at < newline; at++) {
        if (*at < ' ' || *at > '~' || strchr("\"\\%'$;", *at))
            return 0;
        input.type[at - data] = (char)*at;
    }
    input.json = bytes_of(newline + 1, size - (size_t)(newline + 1 - data));
    if (memchr(input.json.data, 0, input.json.size))
        return 0;
    database_try(setup, work, &input);
    return 0;
}
