/* json as text and bytes: the text itself, checked. */
#include "sqlfront/value/json/json.h"

#include "sqlfront/value/json/parse.h"
#include "sqlfront/value/text/text.h"

void json_write_string(struct text *out, struct bytes string)
{
    static const char *const short_forms[0x20] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t",
    };
    size_t from = 0;
    text_append(out, "\"");
    for (size_t i = 0; i < string.size; i++) {
        uint8_t byte = string.data[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        text_bytes(out, bytes_of(string.data + from, i - from));
        if (byte >= 0x20)
            text_format(out, "\\%c", byte);
        else if (short_forms[byte])
            text_append(out, short_forms[byte]);
        else
            text_format(out, "\\u%04x", byte);
        from = i + 1;
    }
    text_bytes(out, bytes_of(string.data + from, string.size - from));
    text_append(out, "\"");
}

static enum sqlstate json_in(struct environment *environment, struct scope *scope, const struct type *type,
                             int32_t modifier, struct bytes text, struct value *value, struct error *error)
{
    uint8_t *room;
    enum sqlstate failed = characters_check(text, error);
    if (failed || (failed = json_check(environment, scope, text, error)))
        return failed;
    if ((failed = value_room(scope, text.size, &room, error)))
        return failed;
    memcpy(room, text.data, text.size);
    *value = value_bytes(room, text.size);
    return SQLSTATE_OK;
}

static enum sqlstate json_out(struct environment *environment, struct scope *scope, const struct type *type,
                              const struct value *value, struct bytes *text, struct error *error)
{
    *text = value_view(value);
    return SQLSTATE_OK;
}

const struct type_ops json_ops = {.in = json_in, .out = json_out, .receive = json_in, .send = json_out};
