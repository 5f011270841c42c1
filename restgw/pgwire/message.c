/* Numbers are big-endian, texts end with a zero byte (PostgreSQL manual, 55.6 and 55.7). */
#include "restgw/pgwire/message.h"

#include <string.h>

/* Reads like a codec_reader: what does not fit sets `failed`, and reads give nothing from then on. */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static struct reader reader_of(struct bytes bytes)
{
    const uint8_t *start = bytes.size ? bytes.data : (const uint8_t *)"";
    return (struct reader){.at = start, .end = start + bytes.size};
}

static const uint8_t *read_raw(struct reader *in, size_t size)
{
    if (in->failed || size > (size_t)(in->end - in->at)) {
        in->failed = true;
        return NULL;
    }
    in->at += size;
    return in->at - size;
}

static uint16_t read_u16(struct reader *in)
{
    const uint8_t *at = read_raw(in, 2);
    return at ? (uint16_t)(at[0] << 8 | at[1]) : 0;
}

static uint32_t read_u32(struct reader *in)
{
    const uint8_t *at = read_raw(in, 4);
    return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

static const char *read_text(struct reader *in)
{
    const uint8_t *end = in->failed ? NULL : memchr(in->at, 0, (size_t)(in->end - in->at));
    if (!end) {
        in->failed = true;
        return "";
    }
    const char *text = (const char *)in->at;
    in->at = end + 1;
    return text;
}

static bool read_all(const struct reader *in)
{
    return !in->failed && in->at == in->end;
}

/* ---- before a session ---- */

enum { CODE_CANCEL = 80877102, CODE_TLS = 80877103, CODE_GSS = 80877104 };

static bool parameters_read(struct reader *in, struct startup *startup)
{
    for (;;) {
        const char *name = read_text(in);
        if (in->failed)
            return false;
        if (!*name)
            return read_all(in);
        const char *value = read_text(in);
        if (in->failed)
            return false;
        if (strcmp(name, "user") == 0)
            startup->role = value;
        else if (strcmp(name, "database") == 0)
            startup->database = value;
        else if (strcmp(name, "options") == 0)
            startup->options = value;
        else if (strcmp(name, "replication") == 0)
            startup->replication = strcmp(value, "false") != 0 && strcmp(value, "0") != 0 &&
                                   strcmp(value, "off") != 0 && strcmp(value, "no") != 0;
        else if (strncmp(name, "_pq_.", 5) == 0) {
            if (startup->unknown == WIRE_STARTUP_PARAMETERS_MAX)
                return false;
            startup->unknown_name[startup->unknown++] = name;
        } else {
            if (startup->parameters == WIRE_STARTUP_PARAMETERS_MAX)
                return false;
            startup->parameter[2 * startup->parameters] = name;
            startup->parameter[2 * startup->parameters++ + 1] = value;
        }
    }
}

bool startup_read(struct bytes packet, struct startup *startup)
{
    struct reader in = reader_of(packet);
    uint32_t code = read_u32(&in);
    *startup = (struct startup){.kind = STARTUP_SESSION, .role = "", .database = "", .options = ""};
    if (code == CODE_TLS || code == CODE_GSS) {
        startup->kind = code == CODE_TLS ? STARTUP_TLS : STARTUP_GSS;
        return read_all(&in);
    }
    if (code == CODE_CANCEL) {
        startup->kind = STARTUP_CANCEL;
        startup->process = read_u32(&in);
        startup->key = read_u32(&in);
        return read_all(&in);
    }
    startup->major = (uint16_t)(code >> 16);
    startup->minor = (uint16_t)code;
    if (in.failed)
        return false;
    /* Of a version that is not ours nothing more can be understood. */
    return startup->major != 3 || parameters_read(&in, startup);
}

/* ---- within a session ---- */

uint32_t message_bytes_max(uint8_t type)
{
    switch (type) {
    case 'Q': /* Query */
    case 'P': /* Parse */
    case 'F': /* FunctionCall */
        return WIRE_TEXT_BYTES_MAX;
    case 'B': /* Bind */
    case 'd': /* CopyData */
        return WIRE_LARGE_BYTES_MAX;
    case 'p': /* the password exchange's */
        return WIRE_PASSWORD_BYTES_MAX;
    case 'C': /* Close */
    case 'D': /* Describe */
    case 'E': /* Execute */
    case 'H': /* Flush */
    case 'S': /* Sync */
    case 'X': /* Terminate */
    case 'c': /* CopyDone */
    case 'f': /* CopyFail */
        return WIRE_SMALL_BYTES_MAX;
    default:
        return 0;
    }
}

bool message_is_text(uint8_t type)
{
    return message_bytes_max(type) == WIRE_TEXT_BYTES_MAX;
}

bool message_read_text(struct bytes body, const char **text)
{
    struct reader in = reader_of(body);
    *text = read_text(&in);
    return read_all(&in);
}

/* Room for `count` things in the scope; NULL when the message cannot hold that many of `wire_bytes` each. */
static void *room_for(struct reader *in, struct scope *scope, uint32_t count, size_t wire_bytes, size_t bytes)
{
    if (in->failed || count * wire_bytes > (size_t)(in->end - in->at)) {
        in->failed = true;
        return NULL;
    }
    return scope_alloc(scope, count ? count * bytes : 1);
}

bool message_read_parse(struct bytes body, struct scope *scope, struct message_parse *parse)
{
    struct reader in = reader_of(body);
    parse->name = read_text(&in);
    parse->text = read_text(&in);
    parse->types = read_u16(&in);
    uint32_t *types = room_for(&in, scope, parse->types, 4, sizeof *types);
    for (uint32_t i = 0; types && i < parse->types; i++)
        types[i] = read_u32(&in);
    parse->type = types;
    return read_all(&in);
}

/* The scope of the long lists. */
static struct scope *long_lists(struct scope *parent, struct message_bind *bind)
{
    if (!bind->scope)
        bind->scope = scope_open(parent, "message");
    return bind->scope;
}

static const int16_t *read_formats(struct reader *in, struct scope *parent, struct message_bind *bind,
                                   int16_t few[static MESSAGE_FEW], uint32_t *count)
{
    *count = read_u16(in);
    int16_t *formats =
        *count <= MESSAGE_FEW ? few : room_for(in, long_lists(parent, bind), *count, 2, sizeof *formats);
    for (uint32_t i = 0; formats && i < *count; i++)
        formats[i] = (int16_t)read_u16(in);
    return formats;
}

bool message_read_bind(struct bytes body, struct scope *parent, struct message_bind *bind)
{
    struct reader in = reader_of(body);
    bind->scope = NULL;
    bind->portal = read_text(&in);
    bind->statement = read_text(&in);
    bind->format = read_formats(&in, parent, bind, bind->few_formats, &bind->formats);
    bind->values = read_u16(&in);
    /* Not more than 65,535 of 16 bytes: a small allocation. */
    struct bytes *values = bind->values <= MESSAGE_FEW
                               ? bind->few_values
                               : room_for(&in, long_lists(parent, bind), bind->values, 4, sizeof *values);
    for (uint32_t i = 0; values && i < bind->values; i++) {
        uint32_t size = read_u32(&in);
        if (size == UINT32_MAX) {
            values[i] = bytes_of(NULL, 0);
            continue;
        }
        values[i] = bytes_of(read_raw(&in, size), size);
    }
    bind->value = values;
    bind->result_format = read_formats(&in, parent, bind, bind->few_result_formats, &bind->result_formats);
    return read_all(&in);
}

bool message_read_name(struct bytes body, char *thing, const char **name)
{
    struct reader in = reader_of(body);
    const uint8_t *at = read_raw(&in, 1);
    *thing = at ? (char)*at : '\0';
    *name = read_text(&in);
    return read_all(&in);
}

bool message_read_execute(struct bytes body, const char **portal, uint32_t *rows_max)
{
    struct reader in = reader_of(body);
    *portal = read_text(&in);
    int32_t rows = (int32_t)read_u32(&in);
    *rows_max = rows > 0 ? (uint32_t)rows : 0;
    return read_all(&in);
}
