/* What statements give, as messages. */
#include "restgw/pgwire/connection.h"
#include "restgw/pgwire/rows.h"

static struct connection *connection_of(struct session_sink *sink)
{
    return container_of(sink, struct connection, sink);
}

static enum sqlstate outcome(const struct connection *connection, struct error *error)
{
    if (!connection->output.broken)
        return SQLSTATE_OK;
    *error = connection->output_error;
    return error->state;
}

static enum sqlstate sink_shape(struct session_sink *sink, const struct session_shape *shape,
                                struct error *error)
{
    struct connection *connection = connection_of(sink);
    if (connection->plain)
        shape_write(&connection->output, shape, false);
    return outcome(connection, error);
}

static enum sqlstate sink_rows(struct session_sink *sink, const struct session_rows *rows,
                               struct error *error)
{
    struct connection *connection = connection_of(sink);
    return rows_write(&connection->output, connection->scope, session_environment(connection->session), rows,
                      error);
}

static enum sqlstate sink_complete(struct session_sink *sink, const char *tag, struct error *error)
{
    struct connection *connection = connection_of(sink);
    if (tag) {
        output_begin(&connection->output, 'C', strlen(tag) + 1);
        output_text(&connection->output, tag);
    } else
        output_begin(&connection->output, 'I', 0);
    return outcome(connection, error);
}

static enum sqlstate sink_suspended(struct session_sink *sink, struct error *error)
{
    struct connection *connection = connection_of(sink);
    output_begin(&connection->output, 's', 0);
    return outcome(connection, error);
}

static void sink_notice(struct session_sink *sink, enum session_severity severity, const struct error *notice)
{
    static const char *const names[] = {"DEBUG", "LOG", "INFO", "NOTICE", "WARNING"};
    error_write(connection_of(sink), names[severity], notice);
}

static void sink_parameter(struct session_sink *sink, const char *name, const char *value)
{
    struct connection *connection = connection_of(sink);
    output_begin(&connection->output, 'S', strlen(name) + strlen(value) + 2);
    output_text(&connection->output, name);
    output_text(&connection->output, value);
}

/* CopyInResponse, CopyOutResponse: format of all, then of each column. */
static void copy_begin(struct connection *connection, char type, bool binary, uint32_t columns)
{
    output_begin(&connection->output, type, 3 + 2 * columns);
    output_u8(&connection->output, binary);
    output_u16(&connection->output, (uint16_t)columns);
    for (uint32_t i = 0; i < columns; i++)
        output_u16(&connection->output, binary);
}

static enum sqlstate sink_copy_out_begin(struct session_sink *sink, bool binary, uint32_t columns,
                                         struct error *error)
{
    copy_begin(connection_of(sink), 'H', binary, columns);
    return outcome(connection_of(sink), error);
}

static enum sqlstate sink_copy_out(struct session_sink *sink, struct bytes row, struct error *error)
{
    struct connection *connection = connection_of(sink);
    output_begin(&connection->output, 'd', row.size);
    output_bytes(&connection->output, row);
    return outcome(connection, error);
}

static enum sqlstate sink_copy_out_end(struct session_sink *sink, struct error *error)
{
    struct connection *connection = connection_of(sink);
    output_begin(&connection->output, 'c', 0);
    return outcome(connection, error);
}

static enum sqlstate sink_copy_in_begin(struct session_sink *sink, bool binary, uint32_t columns,
                                        struct error *error)
{
    struct connection *connection = connection_of(sink);
    copy_begin(connection, 'G', binary, columns);
    connection->copying = 'd';
    return outcome(connection, error);
}

/* More of a CopyData message whose beginning was given already. */
static enum sqlstate copy_rest(struct connection *connection, struct bytes *data, struct error *error)
{
    if (connection->view.size == 0) {
        enum sqlstate failed = connection_receive(connection, FIBER_NO_DEADLINE);
        if (!failed && connection->view.size == 0)
            failed = error_set(&connection->error, SQLSTATE_CONNECTION_FAILURE,
                               "unexpected EOF on client connection with an open transaction");
        if (failed) {
            *error = connection->error;
            return failed;
        }
    }
    size_t take = connection->view.size < connection->left ? connection->view.size : connection->left;
    *data = bytes_of(connection->view.data, take);
    connection->view = bytes_of(connection->view.data + take, connection->view.size - take);
    connection->left -= take;
    return SQLSTATE_OK;
}

static enum sqlstate copy_message(struct connection *connection, const struct message *message,
                                  struct bytes *data, bool *more, struct error *error)
{
    const char *words;
    *more = false;
    switch (message->type) {
    case 'd':
        *data = message->body;
        *more = data->size == 0;
        return SQLSTATE_OK;
    case 'c':
        connection->copying = 0;
        *data = (struct bytes){0};
        return SQLSTATE_OK;
    case 'f':
        connection->copying = 0;
        if (!message_read_text(message->body, &words))
            words = "";
        return error_set(error, SQLSTATE_QUERY_CANCELED, "COPY from stdin failed: %s", words);
    case 'H':
    case 'S': /* of a client that did not know that it was to COPY */
        *more = true;
        return SQLSTATE_OK;
    default:
        connection->copying = 0;
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
                         "unexpected message type 0x%02X during COPY from stdin", message->type);
    }
}

static enum sqlstate sink_copy_in(struct session_sink *sink, struct bytes *data, struct error *error)
{
    struct connection *connection = connection_of(sink);
    for (;;) {
        struct message message;
        bool end, more;
        if (connection->left > 0)
            return copy_rest(connection, data, error);
        enum sqlstate failed = message_receive(connection, &message, &end);
        if (!failed && end)
            failed = error_set(&connection->error, SQLSTATE_CONNECTION_FAILURE,
                               "unexpected EOF on client connection with an open transaction");
        if (failed) {
            *error = connection->error;
            return failed;
        }
        failed = copy_message(connection, &message, data, &more, error);
        if (failed || !more)
            return failed;
    }
}

const struct session_sink_ops connection_sink_ops = {
    .shape = sink_shape,
    .rows = sink_rows,
    .complete = sink_complete,
    .suspended = sink_suspended,
    .notice = sink_notice,
    .parameter = sink_parameter,
    .copy_out_begin = sink_copy_out_begin,
    .copy_out = sink_copy_out,
    .copy_out_end = sink_copy_out_end,
    .copy_in_begin = sink_copy_in_begin,
    .copy_in = sink_copy_in,
};
