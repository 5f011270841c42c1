/* Messages within a session (PostgreSQL manual, 55.2.2 and 55.2.3). After an error in the extended protocol everything up
 * to Sync is skipped. */
#include "restgw/pgwire/connection.h"
#include "restgw/pgwire/rows.h"

#include <stdio.h>

/* An error that ends the connection rather than the statement: the client is gone, or cannot be understood any more, or is
 * being sent away. */
static bool is_fatal(const struct connection *connection, enum sqlstate failed)
{
    return connection->output.broken || (failed && failed == connection->ending) ||
           failed == SQLSTATE_CONNECTION_FAILURE;
}

static void ready_write(struct connection *connection)
{
    output_begin(&connection->output, 'Z', 1);
    output_u8(&connection->output, (uint8_t)session_status(connection->session));
}

static enum sqlstate malformed(struct connection *connection)
{
    return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION, "invalid message format");
}

/* ---- simple ---- */

static enum sqlstate query_take(struct connection *connection, struct bytes body)
{
    const char *text;
    if (!message_read_text(body, &text))
        return malformed(connection);
    connection->plain = true;
    enum sqlstate failed = session_query(connection->session, text, &connection->error);
    connection->plain = false;
    return failed;
}

/* ---- extended ---- */

static enum sqlstate parse_take(struct connection *connection, struct bytes body)
{
    struct message_parse parse;
    struct scope *work = scope_open(connection->scope, "message");
    enum sqlstate failed = message_read_parse(body, work, &parse)
                               ? session_prepare(connection->session, parse.name, parse.text, parse.type,
                                                 parse.types, &connection->error)
                               : malformed(connection);
    if (!failed)
        output_begin(&connection->output, '1', 0);
    scope_close(work);
    return failed;
}

static enum sqlstate bind_serve(struct connection *connection, const struct message_bind *bind)
{
    const struct session_bind request = {
        .portal = bind->portal,
        .statement = bind->statement,
        .parameters = bind->values,
        .values = bind->value,
        .parameter_formats = bind->formats,
        .parameter_format = bind->format,
        .result_formats = bind->result_formats,
        .result_format = bind->result_format,
    };
    return session_bind(connection->session, &request, &connection->error);
}

static enum sqlstate bind_take(struct connection *connection, struct bytes body)
{
    struct message_bind bind;
    enum sqlstate failed = message_read_bind(body, connection->scope, &bind) ? bind_serve(connection, &bind)
                                                                             : malformed(connection);
    if (!failed)
        output_begin(&connection->output, '2', 0);
    if (bind.scope)
        scope_close(bind.scope);
    return failed;
}

static enum sqlstate name_read(struct connection *connection, struct bytes body, const char *what,
                               char *thing, const char **name)
{
    if (!message_read_name(body, thing, name))
        return malformed(connection);
    if (*thing != SESSION_STATEMENT && *thing != SESSION_PORTAL)
        return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION, "invalid %s message subtype %d",
                         what, *thing);
    return SQLSTATE_OK;
}

static enum sqlstate describe_take(struct connection *connection, struct bytes body)
{
    struct session_description description;
    const char *name;
    char thing;
    enum sqlstate failed = name_read(connection, body, "DESCRIBE", &thing, &name);
    if (!failed)
        failed = session_describe(connection->session, (enum session_thing)thing, name, &description,
                                  &connection->error);
    if (failed)
        return failed;
    if (thing == SESSION_STATEMENT) {
        output_begin(&connection->output, 't', 2 + 4 * description.parameters);
        output_u16(&connection->output, (uint16_t)description.parameters);
        for (uint32_t i = 0; i < description.parameters; i++)
            output_u32(&connection->output, description.parameter_types[i]);
    }
    shape_write(&connection->output, description.shape, thing == SESSION_STATEMENT);
    return SQLSTATE_OK;
}

static enum sqlstate close_take(struct connection *connection, struct bytes body)
{
    const char *name;
    char thing;
    enum sqlstate failed = name_read(connection, body, "CLOSE", &thing, &name);
    if (failed)
        return failed;
    session_forget(connection->session, (enum session_thing)thing, name);
    output_begin(&connection->output, '3', 0);
    return SQLSTATE_OK;
}

static enum sqlstate execute_take(struct connection *connection, struct bytes body)
{
    const char *portal;
    uint32_t rows_max;
    if (!message_read_execute(body, &portal, &rows_max))
        return malformed(connection);
    return session_execute(connection->session, portal, rows_max, &connection->error);
}

/* ---- all ---- */

/* A message that cannot be taken. What does not belong to the extended protocol ends the transaction at once. */
static enum sqlstate refused(struct connection *connection, uint8_t type, bool *ready)
{
    *ready = type == 'Q' || type == 'F' || type == 'S';
    if (*ready)
        (void)session_sync(connection->session, true, &(struct error){0});
    return connection->error.state;
}

/* Serves one message; *ready: a ReadyForQuery is due. */
static enum sqlstate message_take(struct connection *connection, const struct message *message, bool *ready)
{
    enum sqlstate failed;
    *ready = false;
    if (message->refused)
        return refused(connection, message->type, ready);
    switch (message->type) {
    case 'Q':
        *ready = true;
        return query_take(connection, message->body);
    case 'F':
        *ready = true;
        failed = error_set(&connection->error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                           "function call messages are not supported");
        (void)session_sync(connection->session, true, &(struct error){0});
        return failed;
    case 'P':
        return parse_take(connection, message->body);
    case 'B':
        return bind_take(connection, message->body);
    case 'D':
        return describe_take(connection, message->body);
    case 'C':
        return close_take(connection, message->body);
    case 'E':
        return execute_take(connection, message->body);
    case 'S':
        *ready = true;
        return session_sync(connection->session, connection->failed, &connection->error);
    case 'H':
        if (output_flush(&connection->output)) {
            connection->error = connection->output_error;
            return connection->error.state;
        }
        return SQLSTATE_OK;
    default: /* d, c, f: of a COPY that has failed meanwhile. p: nobody asked. */
        return SQLSTATE_OK;
    }
}

enum sqlstate connection_talk(struct connection *connection)
{
    struct scheduler *scheduler = connection->pgwire->world->scheduler;
    for (;;) {
        struct message message;
        bool end, ready;
        connection->copying = 0;
        enum sqlstate failed = message_receive(connection, &message, &end);
        if (failed == SQLSTATE_QUERY_CANCELED && !connection->ending) {
            /* Asked to give up a statement that was done already. */
            fiber_cancel_clear(fiber_running(scheduler));
            continue;
        }
        if (failed || end || message.type == 'X')
            return failed;
        if (message.type == 'S' || message.type == 'Q')
            connection->skipping = false;
        if (connection->skipping)
            continue;
        failed = message_take(connection, &message, &ready);
        if (is_fatal(connection, failed)) {
            if (connection->output.broken)
                connection->error = connection->output_error;
            return connection->error.state;
        }
        if (failed) {
            error_write(connection, "ERROR", &connection->error);
            connection->failed = connection->skipping = !ready;
        }
        if (ready) {
            connection->failed = false;
            ready_write(connection);
        }
    }
}
