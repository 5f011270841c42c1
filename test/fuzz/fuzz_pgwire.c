/* What clients send, whatever the bytes: never a step outside, and whatever was read lies within the message.
 *
 * An input is  kind | body, the kind being that of a message within a session, or 0 for a startup packet. */
#include "base/base64.h"
#include "base/check.h"
#include "base/scope.h"
#include "restgw/pgwire/message.h"
#include "restgw/pgwire/scram.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* A text that was read ends within the body. */
static void check_text(struct bytes body, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    if (at >= body.data && at < body.data + body.size)
        check(memchr(at, 0, (size_t)(body.data + body.size - at)));
    else
        check(*text == '\0');
}

static void try_startup(struct bytes body)
{
    struct startup startup;
    if (!startup_read(body, &startup))
        return;
    check_text(body, startup.role);
    check_text(body, startup.database);
    check_text(body, startup.options);
    check(startup.parameters <= WIRE_STARTUP_PARAMETERS_MAX);
    for (uint32_t i = 0; i < 2 * startup.parameters; i++)
        check_text(body, startup.parameter[i]);
    for (uint32_t i = 0; i < startup.unknown; i++)
        check_text(body, startup.unknown_name[i]);
}

static void try_bind(struct bytes body, struct scope *scope)
{
    struct message_bind bind;
    if (!message_read_bind(body, scope, &bind))
        return;
    check_text(body, bind.portal);
    check_text(body, bind.statement);
    for (uint32_t i = 0; i < bind.values; i++)
        if (bind.value[i].data)
            check(bind.value[i].data >= body.data &&
                  bind.value[i].data + bind.value[i].size <= body.data + body.size);
}

static void try_message(uint8_t kind, struct bytes body, struct scope *scope)
{
    struct message_parse parse;
    const char *text;
    char thing;
    uint32_t rows;
    switch (kind) {
    case 0:
        try_startup(body);
        break;
    case 'P':
        if (message_read_parse(body, scope, &parse)) {
            check_text(body, parse.name);
            check_text(body, parse.text);
        }
        break;
    case 'B':
        try_bind(body, scope);
        break;
    case 'D':
    case 'C':
        if (message_read_name(body, &thing, &text))
            check_text(body, text);
        break;
    case 'E':
        if (message_read_execute(body, &text, &rows))
            check_text(body, text);
        break;
    default:
        if (message_read_text(body, &text))
            check_text(body, text);
    }
}

/* What was written as base64 reads the same. */
static void try_base64(struct bytes body)
{
    uint8_t bytes[256], again[256];
    char text[512];
    ptrdiff_t size = base64_read(body, BASE64, bytes, sizeof bytes);
    if (size < 0)
        return;
    size_t length = base64_write(bytes_of(bytes, (size_t)size), BASE64, text);
    check(length == body.size);
    check(base64_read(bytes_of(text, length), BASE64, again, sizeof again) == size &&
          memcmp(bytes, again, (size_t)size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t *body = malloc(
        size > 1 ? size - 1 : 1); /* of its exact size, so that the address sanitizer sees a step beyond */
    check(body);
    memcpy(body, data + 1, size - 1);
    struct scope *scope = scope_open_root("fuzz", NULL);
    check(scope);
    try_message(data[0], bytes_of(body, size - 1), scope);
    try_base64(bytes_of(body, size - 1));
    scope_close(scope);
    free(body);
    return 0;
}
