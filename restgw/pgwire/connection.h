/* One client's connection: state, input and output. Its parts: connection.c (life), startup.c (from the first byte to a
 * session), query.c (messages within a session), sink.c (results). */
#ifndef SYNOD_RESTGW_PGWIRE_CONNECTION_H
#define SYNOD_RESTGW_PGWIRE_CONNECTION_H

#include "base/list.h"
#include "base/scope.h"
#include "restgw/pgwire/message.h"
#include "restgw/pgwire/output.h"
#include "restgw/pgwire/pgwire.h"
#include "sqlfront/session.h"

/* Who the door says it is. Connections hold the one they began with. */
struct identity {
    struct scope *scope;
    struct tls_context *tls;
    struct bytes binding; /* tls-server-end-point: the certificate's digest; empty = no channel binding */
};

struct pgwire {
    struct world *world;
    struct scope *scope;
    struct pgwire_options options;
    struct identity *identity;
    struct list connections; /* connection.link */
    uint32_t count;          /* in that list */
    bool stopping;
    struct fiber_queue gone; /* woken whenever a connection is */
    struct output_pool buffers;
};

/*
 *      OPENING ----> IDLE <----> BUSY      BUSY: from the first byte of a message to when nothing more has come
 *         |           |            |
 *         +-----------+------------+---> fiber ends, scope closes: connection_gone(), visit->ended()
 */
enum connection_state { CONNECTION_OPENING, CONNECTION_IDLE, CONNECTION_BUSY };

struct connection {
    struct list_link link;
    struct pgwire *pgwire;
    struct pgwire_visit *visit;
    struct scope *scope;
    struct identity *identity;
    struct fiber *fiber;
    struct stream *stream; /* what the client's bytes come through; NULL while opening */
    struct session *session;
    struct session_sink sink;
    struct output output;
    enum connection_state state;
    bool tls;
    bool skipping; /* after an error in the extended protocol: until Sync */
    bool plain;    /* within session_query: shapes are sent */
    bool failed;   /* something went wrong since the last Sync */
    char copying;  /* 'd' while COPY FROM wants data */

    /* Input: `view` is what the stream gave and nobody has read; a message that is not whole yet is gathered. */
    struct bytes view;
    uint8_t *gathered; /* NULL = none */
    size_t gathered_room, gathered_bytes;
    size_t left; /* bytes of a message that are still to come: of CopyData, or of one that is refused */

    /* Why the session is to end; set by its terminate(), acted on between messages. */
    enum sqlstate ending;
    const char *ending_message;

    struct error error;        /* what ended the connection, or a statement */
    struct error output_error; /* the output's */
};

/* A message: its body is valid until the next is received. */
struct message {
    uint8_t type;
    bool
        refused; /* it is too long, or there is no memory for it: it is skipped, and connection->error says why */
    struct bytes body;
};

/* Receives bytes into `view`; sends first what is to be sent. An empty view = the client has closed. Yields. */
enum sqlstate connection_receive(struct connection *connection, uint64_t deadline_ns);

/* The next message. *end: the client has closed, or said goodbye. 08P01 when it is none. Within a session one that cannot be held
 * is given as refused. Yields. */
enum sqlstate message_receive(struct connection *connection, struct message *message, bool *end);

/* Gives memory of gathered messages back. */
void gathered_drop(struct connection *connection);

/* ErrorResponse or NoticeResponse. */
void error_write(struct connection *connection, const char *severity, const struct error *error);

/* startup.c: from the first byte to an open session. *end: nothing more is to be done (cancel, or the client closed). */
enum sqlstate connection_start(struct connection *connection, bool *end);

/* query.c: serves messages until the client ends. */
enum sqlstate connection_talk(struct connection *connection);

/* sink.c */
extern const struct session_sink_ops connection_sink_ops;

#endif
