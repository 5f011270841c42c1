/* From a connection's first byte to its session: TLS, the startup packet, the password, and what PostgreSQL tells a client
 * before its first ReadyForQuery (PostgreSQL manual, 55.2.1, 55.2.10 and 55.3). */
#include "restgw/pgwire/connection.h"
#include "restgw/pgwire/scram.h"

#include "base/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS            1000000UL
#define INVALID_PASSWORD     SQLSTATE_PACK('2', '8', 'P', '0', '1')
#define PROTOCOL_MINOR       0
#define PARAMETERS_IN_ALL    (2 * (WIRE_STARTUP_PARAMETERS_MAX + OPTIONS_MAX) + 1)
#define OPTIONS_MAX          64
#define US_FROM_1970_TO_2000 946684800000000L

/* ---- packets ---- */

/* Receives a packet without type: a length, then its body. *end: the client closed before the first byte. */
static enum sqlstate packet_receive(struct connection *connection, uint64_t deadline_ns, struct bytes *body,
                                    bool *end)
{
    static_assert(WIRE_STARTUP_BYTES_MAX <= SCOPE_SMALL_BYTES);
    uint8_t *packet = connection->gathered;
    size_t have = 0, whole = 4;
    *end = false;
    if (!packet) {
        void *memory;
        enum sqlstate failed =
            scope_alloc_large(connection->scope, WIRE_STARTUP_BYTES_MAX, 16, &memory, &connection->error);
        if (failed)
            return failed;
        packet = connection->gathered = memory;
        connection->gathered_room = WIRE_STARTUP_BYTES_MAX;
    }
    while (have < whole) {
        if (connection->view.size == 0) {
            enum sqlstate failed = connection_receive(connection, deadline_ns);
            if (failed)
                return failed;
            *end = connection->view.size == 0;
            if (*end)
                return have ? error_set(&connection->error, SQLSTATE_CONNECTION_FAILURE,
                                        "the client closed the connection in the middle of a packet")
                            : SQLSTATE_OK;
        }
        size_t take = whole - have < connection->view.size ? whole - have : connection->view.size;
        memcpy(packet + have, connection->view.data, take);
        connection->view = bytes_of(connection->view.data + take, connection->view.size - take);
        have += take;
        if (have == 4 && whole == 4) {
            uint32_t length =
                (uint32_t)packet[0] << 24 | (uint32_t)packet[1] << 16 | (uint32_t)packet[2] << 8 | packet[3];
            if (length < 8 || length > WIRE_STARTUP_BYTES_MAX)
                return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION,
                                 "invalid length of startup packet");
            whole = length;
        }
    }
    *body = bytes_of(packet + 4, whole - 4);
    return SQLSTATE_OK;
}

static enum sqlstate answer_byte(struct connection *connection, char byte)
{
    output_u8(&connection->output, (uint8_t)byte);
    enum sqlstate failed = output_flush(&connection->output);
    if (failed)
        connection->error = connection->output_error;
    return failed;
}

/* Answers an SSLRequest, and puts TLS over the stream. */
static enum sqlstate tls_start(struct connection *connection, uint64_t deadline_ns)
{
    struct tls_context *context = connection->identity->tls;
    /* Whatever came behind the request was not protected: somebody may have put it there. */
    if (connection->view.size > 0) {
        enum sqlstate failed = error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION,
                                         "received unencrypted data after SSL request");
        error_add(&connection->error, ERROR_DETAIL,
                  "This could be either a client-software bug or evidence of an attempted "
                  "man-in-the-middle attack.");
        return failed;
    }
    enum sqlstate failed = answer_byte(connection, context && !connection->tls ? 'S' : 'N');
    if (failed || !context || connection->tls)
        return failed;
    struct stream *below = connection->stream;
    failed =
        tls_open(context, connection->scope, below, deadline_ns, &connection->stream, &connection->error);
    if (failed) {
        connection->stream = below;
        connection->output.broken = true; /* what we would say in plain text is no TLS */
        return failed;
    }
    connection->output.stream = connection->stream;
    connection->tls = true;
    return SQLSTATE_OK;
}

/* ---- the password ---- */

static void authentication_write(struct connection *connection, uint32_t code, struct bytes data)
{
    output_begin(&connection->output, 'R', 4 + data.size);
    output_u32(&connection->output, code);
    output_bytes(&connection->output, data);
}

static enum sqlstate password_receive(struct connection *connection, struct bytes *body)
{
    struct message message;
    bool end;
    enum sqlstate failed = message_receive(connection, &message, &end);
    if (failed)
        return failed;
    if (end)
        return error_set(&connection->error, SQLSTATE_CONNECTION_FAILURE, "the client closed the connection");
    if (message.type != 'p')
        return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION,
                         "expected SASL response, got message type %u", message.type);
    *body = message.body;
    return SQLSTATE_OK;
}

/* SASLInitialResponse: the mechanism's name, a length, the mechanism's first message. */
static enum sqlstate mechanism_read(struct connection *connection, struct bytes *body, bool *bound)
{
    const uint8_t *zero = memchr(body->data, 0, body->size);
    const char *name = (const char *)body->data;
    bool offered = connection->tls && connection->identity->binding.size > 0;
    if (!zero || (size_t)(zero + 5 - body->data) > body->size)
        return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION, "invalid message format");
    *bound = offered && strcmp(name, "SCRAM-SHA-256-PLUS") == 0;
    if (!*bound && strcmp(name, "SCRAM-SHA-256") != 0)
        return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION,
                         "client selected an invalid SASL authentication mechanism");
    *body = bytes_of(zero + 5, (size_t)(body->data + body->size - (zero + 5)));
    return SQLSTATE_OK;
}

static enum sqlstate scram_talk(struct connection *connection, struct scram *scram, bool *proved,
                                char final[static SCRAM_MESSAGE_BYTES])
{
    static const char with_binding[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
    static const char without[] = "SCRAM-SHA-256\0";
    struct pgwire *pgwire = connection->pgwire;
    bool offered = connection->tls && connection->identity->binding.size > 0, bound = false;
    char answer[SCRAM_MESSAGE_BYTES];
    struct bytes body;
    authentication_write(connection, 10,
                         offered ? bytes_of(with_binding, sizeof with_binding)
                                 : bytes_of(without, sizeof without));
    enum sqlstate failed = password_receive(connection, &body);
    if (!failed)
        failed = mechanism_read(connection, &body, &bound);
    if (!failed)
        failed = scram_first(scram, pgwire->world, body, bound, offered, answer, &connection->error);
    if (failed)
        return failed;
    authentication_write(connection, 11, bytes_of_text(answer));
    failed = password_receive(connection, &body);
    return failed
               ? failed
               : scram_final(scram, body, connection->identity->binding, proved, final, &connection->error);
}

static enum sqlstate role_prove(struct connection *connection, struct scope *work, const char *role)
{
    struct pgwire *pgwire = connection->pgwire;
    struct session_login login = {0};
    struct scram *scram = scope_alloc(work, sizeof *scram);
    char *final = scope_alloc(work, SCRAM_MESSAGE_BYTES);
    bool proved = false;
    enum sqlstate failed = sessions_login(pgwire->options.sessions, work, role, &login, &connection->error);
    if (failed)
        return failed;
    bool expired = login.found && login.valid_until != INT64_MAX &&
                   world_wall(pgwire->world) - US_FROM_1970_TO_2000 > login.valid_until;
    scram_begin(scram, role, login.found && !expired ? login.verifier : NULL, pgwire->options.secret);
    failed = scram_talk(connection, scram, &proved, final);
    if (failed)
        return failed;
    if (!proved)
        return error_set(&connection->error, INVALID_PASSWORD,
                         "password authentication failed for user \"%s\"", role);
    authentication_write(connection, 12, bytes_of_text(final));
    if (!login.may_login)
        return error_set(&connection->error, SQLSTATE_INVALID_AUTHORIZATION,
                         "role \"%s\" is not permitted to log in", role);
    authentication_write(connection, 0, (struct bytes){0});
    return SQLSTATE_OK;
}

/* ---- the session ---- */

/* Words of the startup packet's `options`, blanks escaped by backslashes: -c name=value, -cname=value, --name=value. */
static enum sqlstate options_split(struct connection *connection, struct scope *work, const char *options,
                                   const char **into, uint32_t *count)
{
    char *words = scope_copy_text(work, options);
    bool wants_value = false;
    while (*words) {
        while (*words == ' ' || (*words >= '\t' && *words <= '\r'))
            words++;
        char *word = words, *to = words;
        while (*words && *words != ' ' && !(*words >= '\t' && *words <= '\r')) {
            if (*words == '\\' && words[1])
                words++;
            *to++ = *words++;
        }
        bool last = !*words;
        *to = '\0';
        if (!last)
            words++;
        if (!*word)
            continue;
        if (!wants_value && strcmp(word, "-c") == 0) {
            wants_value = true;
            continue;
        }
        if (!wants_value && strncmp(word, "--", 2) == 0)
            word += 2;
        else if (!wants_value && strncmp(word, "-c", 2) == 0)
            word += 2;
        else if (!wants_value)
            return error_set(&connection->error, SQLSTATE_PACK('4', '2', '6', '0', '1'),
                             "invalid command-line argument for server process: %s", word);
        wants_value = false;
        char *equals = strchr(word, '=');
        if (!equals)
            return error_set(&connection->error, SQLSTATE_PACK('4', '2', '6', '0', '1'),
                             "-c %s requires a value", word);
        *equals = '\0';
        for (char *c = word; *c; c++)
            if (*c == '-')
                *c = '_';
        if (*count == OPTIONS_MAX)
            return error_set(&connection->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "startup packet has too many options");
        into[2 * *count] = word;
        into[2 * (*count)++ + 1] = equals + 1;
    }
    return SQLSTATE_OK;
}

static void session_terminate(void *argument, enum sqlstate state, const char *message)
{
    struct connection *connection = argument;
    if (connection->ending)
        return;
    connection->ending = state;
    connection->ending_message = message;
    if (connection->fiber)
        fiber_cancel(connection->fiber, state, message);
}

static enum sqlstate session_start(struct connection *connection, struct scope *work,
                                   const struct startup *startup)
{
    char peer[NET_ADDRESS_TEXT_BYTES];
    const char **parameters = scope_alloc_zeroed(work, PARAMETERS_IN_ALL * sizeof *parameters);
    uint32_t count = 0, process, key;
    enum sqlstate failed = options_split(connection, work, startup->options, parameters, &count);
    if (failed)
        return failed;
    memcpy(parameters + 2 * count, startup->parameter, 2 * startup->parameters * sizeof *parameters);
    net_address_text(&connection->stream->peer, peer);
    const struct session_options options = {
        .database = *startup->database ? startup->database : startup->role,
        .role = startup->role,
        .parameters = parameters,
        .client_address = peer,
        .sink = &connection->sink,
        .terminate = session_terminate,
        .argument = connection,
    };
    failed = session_open(connection->pgwire->options.sessions, connection->scope, &options,
                          &connection->session, &connection->error);
    if (failed) {
        connection->session = NULL;
        return failed;
    }
    session_identity(connection->session, &process, &key);
    output_begin(&connection->output, 'K', 8);
    output_u32(&connection->output, process);
    output_u32(&connection->output, key);
    output_begin(&connection->output, 'Z', 1);
    output_u8(&connection->output, (uint8_t)session_status(connection->session));
    return SQLSTATE_OK;
}

/* NegotiateProtocolVersion: what we speak, and which of the wishes about the protocol we do not know. */
static void negotiate_write(struct connection *connection, const struct startup *startup)
{
    size_t size = 8;
    for (uint32_t i = 0; i < startup->unknown; i++)
        size += strlen(startup->unknown_name[i]) + 1;
    output_begin(&connection->output, 'v', size);
    output_u32(&connection->output, 3U << 16 | PROTOCOL_MINOR);
    output_u32(&connection->output, startup->unknown);
    for (uint32_t i = 0; i < startup->unknown; i++)
        output_text(&connection->output, startup->unknown_name[i]);
}

static enum sqlstate startup_check(struct connection *connection, const struct startup *startup)
{
    struct error *error = &connection->error;
    if (startup->major != 3)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                         "unsupported frontend protocol %u.%u: server supports 3.0 to 3.0", startup->major,
                         startup->minor);
    if (!*startup->role)
        return error_set(error, SQLSTATE_INVALID_AUTHORIZATION,
                         "no PostgreSQL user name specified in startup packet");
    if (startup->replication)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "replication connections are not supported");
    if (connection->visit->refused)
        return error_set(error, SQLSTATE_TOO_MANY_CONNECTIONS, "sorry, too many clients already");
    if (connection->pgwire->stopping)
        return error_set(error, SQLSTATE_CANNOT_CONNECT_NOW, "the database system is shutting down");
    return SQLSTATE_OK;
}

static enum sqlstate session_begin(struct connection *connection, struct startup *startup,
                                   struct bytes packet)
{
    struct scope *work = scope_open(connection->scope, "startup");
    /* The packet's bytes go with the next message: its texts are kept by a copy. */
    packet = bytes_of(scope_copy(work, packet.data, packet.size), packet.size);
    (void)startup_read(packet, startup);
    gathered_drop(connection);
    enum sqlstate failed = startup_check(connection, startup);
    if (!failed && (startup->minor > PROTOCOL_MINOR || startup->unknown > 0))
        negotiate_write(connection, startup);
    if (!failed)
        failed = role_prove(connection, work, startup->role);
    if (!failed)
        failed = session_start(connection, work, startup);
    scope_close(work);
    return failed;
}

/* Says goodbye to who takes too long to get in. */
static void startup_late(void *argument)
{
    struct connection *connection = argument;
    if (connection->fiber)
        fiber_cancel(connection->fiber, SQLSTATE_QUERY_CANCELED, "canceling authentication due to timeout");
}

static enum sqlstate startup_talk(struct connection *connection, struct startup *startup,
                                  uint64_t deadline_ns, bool *end)
{
    for (;;) {
        struct bytes packet;
        enum sqlstate failed = packet_receive(connection, deadline_ns, &packet, end);
        if (failed || *end)
            return failed;
        if (!startup_read(packet, startup))
            return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION,
                             "invalid startup packet layout: expected terminator as last byte");
        switch (startup->kind) {
        case STARTUP_TLS:
            failed = tls_start(connection, deadline_ns);
            break;
        case STARTUP_GSS:
            failed = answer_byte(connection, 'N');
            break;
        case STARTUP_CANCEL:
            sessions_cancel(connection->pgwire->options.sessions, startup->process, startup->key);
            *end = true;
            return SQLSTATE_OK;
        case STARTUP_SESSION:
            return session_begin(connection, startup, packet);
        }
        if (failed)
            return failed;
    }
}

enum sqlstate connection_start(struct connection *connection, bool *end)
{
    struct pgwire *pgwire = connection->pgwire;
    struct fiber_timer timer = {0};
    uint64_t deadline_ns = pgwire->world->now_ns + pgwire->options.startup_timeout_ms * NS_PER_MS;
    *end = false;
    fiber_timer_set(pgwire->world->scheduler, &timer, deadline_ns, startup_late, connection);
    struct scope *scope = scope_open(connection->scope, "startup packet");
    struct startup *startup = scope_alloc(scope, sizeof *startup);
    enum sqlstate failed = startup_talk(connection, startup, deadline_ns + NS_PER_MS, end);
    scope_close(scope);
    fiber_timer_clear(pgwire->world->scheduler, &timer);
    return failed;
}
