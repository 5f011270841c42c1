/* The bounds of PostgreSQL's protocol as we speak it. */
#ifndef SYNOD_RESTGW_PGWIRE_LIMITS_H
#define SYNOD_RESTGW_PGWIRE_LIMITS_H

/* A startup packet; PostgreSQL's MAX_STARTUP_PACKET_LENGTH. It comes from who has proved nothing yet. */
#define WIRE_STARTUP_BYTES_MAX 10000
/* Settings in a startup packet that are looked at; a dozen is usual. */
#define WIRE_STARTUP_PARAMETERS_MAX 64
/* A message of the password exchange; PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH. */
#define WIRE_PASSWORD_BYTES_MAX 65535
/* Messages that only name something; PostgreSQL's PQ_SMALL_MESSAGE_LIMIT. */
#define WIRE_SMALL_BYTES_MAX 10000
/* Query, Parse and FunctionCall: a statement's text (STATEMENT_BYTES_MAX) and some. */
#define WIRE_TEXT_BYTES_MAX (64UL * 1024 * 1024 + 4096)
/* Bind: PostgreSQL's PQ_LARGE_MESSAGE_LIMIT, the longest value there is. CopyData, too, but that is never held whole. */
#define WIRE_LARGE_BYTES_MAX (1024UL * 1024 * 1024 - 1)
/* What a connection that has something to send holds: it is sent when full, or when there is nothing more to read. */
#define WIRE_BUFFER_BYTES (32 * 1024)
/* Such buffers a core keeps for reuse: 4 MiB. */
#define WIRE_BUFFERS_KEPT 128
/* A value longer than this is sent from where it lies instead of being copied into the buffer. */
#define WIRE_COPY_BYTES_MAX (8 * 1024)
/* Of such a value so much is sent at a time. */
#define WIRE_SLICE_BYTES (1024 * 1024)
/* From connecting to being let in; PostgreSQL's authentication_timeout. */
#define WIRE_STARTUP_TIMEOUT_MS 60000
/* A client that takes nothing of what it asked for, while a buffer waits: PostgreSQL leaves it to the kernel, whose keepalive
 * and retransmission give up in about 15 minutes. */
#define WIRE_SEND_TIMEOUT_MS (15 * 60 * 1000)
/* Words of goodbye to a client that is being closed. */
#define WIRE_GOODBYE_TIMEOUT_MS 2000
/* Iterations of a made-up verifier: those PostgreSQL 15 makes them with. */
#define WIRE_SCRAM_ITERATIONS 4096

#endif
