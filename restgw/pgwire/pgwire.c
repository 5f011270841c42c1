/* The door: its connections, and how they end. */
#include "restgw/pgwire/connection.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/tls/tls.h"
#include "restgw/pgwire/scram.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000UL

static void connection_run(void *argument);
static void connection_gone(void *argument);

/* RFC 5929, section 4: the digest of the server's certificate, by the hash its signature uses. We offer binding where that is
 * SHA-256, which both certificates made by us and those of public authorities use. */
static struct bytes channel_binding(struct scope *scope, struct bytes pem)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    static const uint8_t ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const uint8_t rsa_sha256[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b};
    const uint8_t *from = pem.size ? memmem(pem.data, pem.size, begin, sizeof begin - 1) : NULL;
    if (!from)
        return (struct bytes){0};
    from += sizeof begin - 1;
    const uint8_t *to = memmem(from, (size_t)(pem.data + pem.size - from), end, sizeof end - 1);
    if (!to || to - from > 64 * 1024)
        return (struct bytes){0};
    char *text = scope_alloc(scope, (size_t)(to - from) + 1);
    uint8_t *der = scope_alloc(scope, (size_t)(to - from)), *digest = scope_alloc(scope, SHA256_BYTES);
    size_t size = 0;
    for (; from < to; from++)
        if (*from > ' ')
            text[size++] = (char)*from;
    ptrdiff_t bytes = base64_read(bytes_of(text, size), BASE64, der, size);
    if (bytes <= 0 || (!memmem(der, (size_t)bytes, ecdsa_sha256, sizeof ecdsa_sha256) &&
                       !memmem(der, (size_t)bytes, rsa_sha256, sizeof rsa_sha256)))
        return (struct bytes){0};
    sha256(bytes_of(der, (size_t)bytes), digest);
    return bytes_of(digest, SHA256_BYTES);
}

static struct identity *identity_open(struct pgwire *pgwire, struct bytes certificate_pem)
{
    struct scope *scope = scope_open(pgwire->scope, "identity");
    struct identity *identity = scope_alloc(scope, sizeof *identity);
    *identity = (struct identity){.scope = scope, .binding = channel_binding(scope, certificate_pem)};
    return identity;
}

enum sqlstate pgwire_renew(struct pgwire *pgwire, struct bytes certificate_pem, struct bytes key_pem,
                           struct error *error)
{
    const struct tls_options options = {
        .server = true, .certificate_pem = certificate_pem, .key_pem = key_pem, .tls12 = true};
    struct identity *identity = identity_open(pgwire, certificate_pem);
    enum sqlstate failed = tls_context_open(pgwire->world, identity->scope, &options, &identity->tls, error);
    if (failed) {
        scope_close(identity->scope);
        return failed;
    }
    scope_close(pgwire->identity->scope);
    pgwire->identity = identity;
    return SQLSTATE_OK;
}

struct pgwire *pgwire_open(struct world *world, struct scope *scope, const struct pgwire_options *options)
{
    struct pgwire *pgwire = scope_alloc_zeroed(scope, sizeof *pgwire);
    pgwire->world = world;
    pgwire->scope = scope;
    pgwire->options = *options;
    if (!pgwire->options.send_timeout_ms)
        pgwire->options.send_timeout_ms = WIRE_SEND_TIMEOUT_MS;
    if (!pgwire->options.startup_timeout_ms)
        pgwire->options.startup_timeout_ms = WIRE_STARTUP_TIMEOUT_MS;
    pgwire->identity = identity_open(pgwire, options->certificate_pem);
    pgwire->identity->tls = options->tls;
    pgwire->buffers = (struct output_pool){.world = world, .scope = scope};
    list_init(&pgwire->connections);
    fiber_queue_init(&pgwire->gone);
    return pgwire;
}

void pgwire_serve(struct pgwire *pgwire, struct pgwire_visit *visit)
{
    struct world *world = pgwire->world;
    if (pgwire->stopping) {
        net_discard(world, &visit->connection);
        visit->ended(world, visit);
        return;
    }
    struct scope *scope = scope_open(pgwire->scope, "connection");
    struct connection *connection = scope_alloc_zeroed(scope, sizeof *connection);
    connection->pgwire = pgwire;
    connection->visit = visit;
    connection->scope = scope;
    connection->identity = pgwire->identity;
    scope_hold(connection->identity->scope);
    connection->sink.ops = &connection_sink_ops;
    connection->output = (struct output){.pool = &pgwire->buffers,
                                         .send_timeout_ms = pgwire->options.send_timeout_ms,
                                         .error = &connection->output_error};
    list_append(&pgwire->connections, &connection->link);
    pgwire->count++;
    scope_undo(scope, connection_gone, connection);
    if (fiber_start(world->scheduler, scope, "pgwire", connection_run, connection, &connection->fiber,
                    &connection->error)) {
        log_error(world, LOG_WARN, "connection_refused", &connection->error,
                  "a connection is closed because there is no fiber for it");
        net_discard(world, &visit->connection);
        scope_close(scope);
    }
}

/* The last of the connection's undo actions: its stream is closed. */
static void connection_gone(void *argument)
{
    struct connection *connection = argument;
    struct pgwire *pgwire = connection->pgwire;
    list_remove(&connection->link);
    pgwire->count--;
    scope_release(connection->identity->scope);
    fiber_wake_all(&pgwire->gone);
    connection->visit->ended(pgwire->world, connection->visit);
}

static void connections_cancel(struct pgwire *pgwire, bool also_busy)
{
    list_each (&pgwire->connections, at) {
        struct connection *connection = container_of(at, struct connection, link);
        /* A fiber that has ended, while its connection is still being closed, needs no telling. */
        if (!connection->fiber || (!also_busy && connection->state == CONNECTION_BUSY))
            continue;
        connection->ending = SQLSTATE_ADMIN_SHUTDOWN;
        connection->ending_message = "terminating connection due to administrator command";
        fiber_cancel(connection->fiber, connection->ending, connection->ending_message);
        /* A client that takes nothing holds a send, which no cancellation reaches. */
        if (also_busy && connection->output.sending)
            stream_reset(connection->stream);
    }
}

void pgwire_drain(struct pgwire *pgwire, uint64_t deadline_ns)
{
    struct scheduler *scheduler = pgwire->world->scheduler;
    pgwire->stopping = true;
    connections_cancel(pgwire, false);
    fiber_shield_begin(scheduler);
    while (pgwire->count > 0) {
        if (fiber_wait(scheduler, &pgwire->gone, deadline_ns) != FIBER_TIMED_OUT)
            continue;
        connections_cancel(pgwire, true);
        /* Those that had begun to send their last words meanwhile get as long again as a goodbye may take. */
        deadline_ns = pgwire->world->now_ns + WIRE_GOODBYE_TIMEOUT_MS * NS_PER_MS;
    }
    fiber_shield_end(scheduler);
}

/* ---- one connection ---- */

/* Reads and forgets what the client is still sending, for a while: closing a connection with unread bytes would reset it, and
 * the client would lose the last words it was sent. */
static void connection_linger(struct connection *connection)
{
    enum { LINGER_MS = 1000, LINGER_BYTES_MAX = 1024 * 1024 };
    struct bytes view;
    struct error error = {0};
    size_t total = 0;
    uint64_t deadline_ns = connection->pgwire->world->now_ns + LINGER_MS * NS_PER_MS;
    while (total < LINGER_BYTES_MAX) {
        if (stream_receive(connection->stream, &view, deadline_ns, &error) || view.size == 0)
            return;
        total += view.size;
    }
}

/* Tells the client why it is being closed, if it listens. */
static void connection_goodbye(struct connection *connection, bool say)
{
    struct error error = {0};
    if (!connection->stream || connection->output.broken)
        return;
    fiber_cancel_clear(connection->fiber);
    connection->output.send_timeout_ms = WIRE_GOODBYE_TIMEOUT_MS;
    if (say)
        error_write(connection, "FATAL", &connection->error);
    if (output_flush(&connection->output))
        return;
    uint64_t deadline_ns = connection->pgwire->world->now_ns + WIRE_GOODBYE_TIMEOUT_MS * NS_PER_MS;
    if (!stream_shutdown(connection->stream, deadline_ns, &error) && say)
        connection_linger(connection);
}

/* The connection's fiber. */
static void connection_run(void *argument)
{
    struct connection *connection = argument;
    struct world *world = connection->pgwire->world;
    bool end = false;
    enum sqlstate failed = net_adopt(world, connection->scope, &connection->visit->connection,
                                     &connection->stream, &connection->error);
    connection->output.stream = connection->stream;
    if (!failed)
        failed = connection_start(connection, &end);
    if (!failed && !end)
        failed = connection_talk(connection);
    if (failed)
        log_error(world, LOG_DEBUG, "connection_ended", &connection->error, "connection ended");
    gathered_drop(connection);
    /* A broken connection (class 08 but for our own complaints) has nobody left to speak to. */
    bool broken = failed && (failed & 0xfff) == (SQLSTATE_CONNECTION_FAILURE & 0xfff) &&
                  failed != SQLSTATE_PROTOCOL_VIOLATION;
    if (broken)
        connection->output.broken = true;
    connection_goodbye(connection, failed != SQLSTATE_OK);
    output_drop(&connection->output);
    if (connection->session) {
        fiber_shield_begin(world->scheduler);
        session_close(connection->session);
        fiber_shield_end(world->scheduler);
    }
    if (connection->output.broken && connection->stream)
        stream_reset(connection->stream);
    connection->fiber = NULL;
    scope_close(connection->scope);
}

/* ---- input ---- */

enum sqlstate connection_receive(struct connection *connection, uint64_t deadline_ns)
{
    enum sqlstate failed = output_flush(&connection->output);
    if (failed) {
        connection->error = connection->output_error;
        return failed;
    }
    return stream_receive(connection->stream, &connection->view, deadline_ns, &connection->error);
}

void gathered_drop(struct connection *connection)
{
    if (connection->gathered)
        scope_free_large(connection->scope, connection->gathered);
    connection->gathered = NULL;
    connection->gathered_room = connection->gathered_bytes = 0;
}

/* Makes room for at least `bytes` in all, a message of `whole` bytes in mind: not more than twice what has come, so that who
 * only announces much gets little. */
static enum sqlstate gathered_grow(struct connection *connection, size_t bytes, size_t whole)
{
    void *memory;
    size_t room = 2 * bytes < 1024 ? 1024 : 2 * bytes;
    if (bytes <= connection->gathered_room)
        return SQLSTATE_OK;
    if (whole && room > whole)
        room = whole > bytes ? whole : bytes;
    enum sqlstate failed = scope_alloc_large(connection->scope, room, 16, &memory, &connection->error);
    if (failed)
        return failed;
    size_t kept = connection->gathered_bytes;
    if (kept)
        memcpy(memory, connection->gathered, kept);
    gathered_drop(connection);
    connection->gathered = memory;
    connection->gathered_room = room;
    connection->gathered_bytes = kept;
    return SQLSTATE_OK;
}

static void view_skip(struct connection *connection, size_t bytes)
{
    if (bytes)
        connection->view = bytes_of(connection->view.data + bytes, connection->view.size - bytes);
}

/* Moves bytes from the view to what is gathered, up to `wanted` in all. */
static enum sqlstate gather(struct connection *connection, size_t wanted)
{
    size_t take = wanted - connection->gathered_bytes;
    if (take > connection->view.size)
        take = connection->view.size;
    enum sqlstate failed = gathered_grow(connection, connection->gathered_bytes + take, wanted);
    if (failed)
        return failed;
    if (take)
        memcpy(connection->gathered + connection->gathered_bytes, connection->view.data, take);
    connection->gathered_bytes += take;
    view_skip(connection, take);
    return SQLSTATE_OK;
}

/* Length of the message whose five first bytes these are. */
static enum sqlstate head_read(struct connection *connection, const uint8_t *head, size_t *whole)
{
    uint32_t length = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    uint32_t most = message_bytes_max(head[0]);
    if (most == 0)
        return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION, "invalid frontend message type %u",
                         head[0]);
    if (length < 4 ||
        length - 4 > (connection->session && message_is_text(head[0]) ? WIRE_LARGE_BYTES_MAX : most))
        return error_set(&connection->error, SQLSTATE_PROTOCOL_VIOLATION, "invalid message length");
    *whole = (size_t)length + 1;
    return SQLSTATE_OK;
}

enum { HEAD_BYTES = 5 };

/* Skips what is left of a message nobody wants any more. */
static enum sqlstate skip_left(struct connection *connection, bool *end)
{
    enum sqlstate failed = SQLSTATE_OK;
    while (connection->left > 0 && !failed && !*end) {
        size_t skip = connection->view.size < connection->left ? connection->view.size : connection->left;
        view_skip(connection, skip);
        connection->left -= skip;
        if (connection->left == 0)
            break;
        failed = connection_receive(connection, FIBER_NO_DEADLINE);
        *end = !failed && connection->view.size == 0;
    }
    return failed;
}

/* Gives a message that cannot be held: it is answered at once, and what is left of it skipped. */
static enum sqlstate refuse(struct connection *connection, uint8_t type, size_t left, struct message *message)
{
    *message = (struct message){.type = type, .refused = true};
    gathered_drop(connection);
    connection->left = left;
    connection->state = CONNECTION_BUSY;
    return SQLSTATE_OK;
}

static enum sqlstate refuse_text(struct connection *connection, uint8_t type, size_t left,
                                 struct message *message)
{
    (void)!error_set(&connection->error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                     "a statement of %zu bytes is too long", left);
    error_add(&connection->error, ERROR_HINT, "Large values can be given as parameters, or by COPY.");
    return refuse(connection, type, left, message);
}

enum sqlstate message_receive(struct connection *connection, struct message *message, bool *end)
{
    size_t whole = 0;
    enum sqlstate failed = SQLSTATE_OK;
    *end = false;
    if (connection->gathered)
        gathered_drop(connection);
    if (connection->left)
        failed = skip_left(connection, end);
    while (!failed && !*end) {
        bool carried = connection->gathered_bytes > 0;
        const uint8_t *head = carried ? connection->gathered : connection->view.data;
        size_t have = carried ? connection->gathered_bytes : connection->view.size;
        if (have >= HEAD_BYTES && (failed = head_read(connection, head, &whole)))
            return failed;
        if (whole && have >= whole) {
            *message =
                (struct message){.type = head[0], .body = bytes_of(head + HEAD_BYTES, whole - HEAD_BYTES)};
            if (!carried)
                view_skip(connection, whole);
            if (connection->session)
                connection->state = CONNECTION_BUSY;
            return SQLSTATE_OK;
        }
        /* COPY's data is given in pieces, or skipped when its COPY has failed: no need to gather it. */
        if (whole && head[0] == 'd') {
            *message = (struct message){.type = 'd', .body = bytes_of(head + HEAD_BYTES, have - HEAD_BYTES)};
            connection->left = whole - have;
            if (!carried)
                connection->view = (struct bytes){0};
            return SQLSTATE_OK;
        }
        size_t wanted = whole ? whole : HEAD_BYTES, gathered = connection->gathered_bytes;
        uint8_t type = whole ? head[0] : 0;
        if (whole && connection->session && message_is_text(type) &&
            whole - HEAD_BYTES > message_bytes_max(type))
            return refuse_text(connection, type, whole - gathered, message);
        failed = gather(connection, wanted);
        if (failed == SQLSTATE_OUT_OF_MEMORY && whole && connection->session)
            return refuse(connection, type, whole - gathered, message);
        if (failed)
            return failed;
        if (connection->gathered_bytes == wanted)
            continue;
        if (connection->session && connection->gathered_bytes == 0 && !connection->copying)
            connection->state = CONNECTION_IDLE;
        if (connection->state == CONNECTION_IDLE && connection->pgwire->stopping && !connection->ending) {
            connection->ending = SQLSTATE_ADMIN_SHUTDOWN;
            connection->ending_message = "terminating connection due to administrator command";
        }
        if (connection->ending && connection->state == CONNECTION_IDLE)
            return error_set(&connection->error, connection->ending, "%s", connection->ending_message);
        failed = connection_receive(connection, FIBER_NO_DEADLINE);
        *end = !failed && connection->view.size == 0;
    }
    return failed;
}

/* ---- errors ---- */

void error_write(struct connection *connection, const char *severity, const struct error *error)
{
    static const char letter[ERROR_FIELDS] = {
        [ERROR_MESSAGE] = 'M', [ERROR_DETAIL] = 'D',   [ERROR_HINT] = 'H',
        [ERROR_CONTEXT] = 'W', [ERROR_SCHEMA] = 's',   [ERROR_TABLE] = 't',
        [ERROR_COLUMN] = 'c',  [ERROR_DATATYPE] = 'd', [ERROR_CONSTRAINT] = 'n',
    };
    struct output *output = &connection->output;
    char code[6], position[12] = "";
    sqlstate_text(error->state, code);
    if (error->position)
        snprintf(position, sizeof position, "%u", error->position);
    size_t size = 2 * (1 + strlen(severity) + 1) + 1 + 6 + 1;
    size += *position ? 1 + strlen(position) + 1 : 0;
    for (unsigned field = 0; field < ERROR_FIELDS; field++) {
        const char *text = error_text(error, field);
        size += text ? 1 + strlen(text) + 1 : 0;
    }
    bool is_error = strcmp(severity, "ERROR") == 0 || strcmp(severity, "FATAL") == 0;
    output_begin(output, is_error ? 'E' : 'N', size);
    output_u8(output, 'S');
    output_text(output, severity);
    output_u8(output, 'V');
    output_text(output, severity);
    output_u8(output, 'C');
    output_text(output, code);
    for (unsigned field = 0; field < ERROR_FIELDS; field++) {
        const char *text = error_text(error, field);
        if (text) {
            output_u8(output, (uint8_t)letter[field]);
            output_text(output, text);
        }
        if (field == ERROR_HINT && *position) {
            output_u8(output, 'P');
            output_text(output, position);
        }
    }
    output_u8(output, 0);
}
