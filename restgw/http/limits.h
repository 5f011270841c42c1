/* Bounds of the HTTPS door, each with its reason. */
#ifndef SYNOD_RESTGW_HTTP_LIMITS_H
#define SYNOD_RESTGW_HTTP_LIMITS_H

/* Loops by default: one for so many processors, for h2o does some hundred thousand requests a second on one, most of
 * them waiting for cores; never more than HTTP_LOOPS_MAX. */
#define HTTP_PROCESSORS_PER_LOOP 4
#define HTTP_LOOPS_MAX           16

/* Depth of a request's JSON; the interface's own documents have five levels. */
#define JSON_DEPTH_MAX 64
/* Bytes of a body as a whole: a part of a load is up to 8 MiB, twice that with its escapes. */
#define HTTP_BODY_BYTES_MAX (16 * 1024 * 1024)
/* What h2o takes before it refuses itself, which with HTTP/2 makes clients send the same again and again (RST_STREAM,
 * REFUSED_STREAM). Those above our own limit and below this one get a proper 413. */
#define HTTP_BODY_BYTES_TAKEN (64 * 1024 * 1024)
/* Bytes of requests held by all loops together, being received or served. Above it requests are refused with 503, and at twice
 * as much the connections that have most are cut. */
#define HTTP_BYTES_IN_FLIGHT_MAX (256UL * 1024 * 1024)
/* Requests a loop has with the cores at once; more are refused with 503. A core does some ten thousand a second, so
 * this is less than half a second of work. */
#define HTTP_EXCHANGES_PER_LOOP_MAX 4096
/* Requests one connection has with the cores at once: HTTP/2 allows 100 open ones, the others are those it has reset and
 * whose work has not ended. */
#define HTTP_EXCHANGES_PER_CONNECTION_MAX 200
/* Requests a connection may reset within ten seconds before it is cut (CVE-2023-44487): an impatient person with a hundred
 * open statements is below it. */
#define HTTP_RESETS_MAX       200
#define HTTP_RESETS_PERIOD_NS (10 * 1000000000UL)

/* Connections by default; each idle one costs some 40 KiB of OpenSSL and h2o. */
#define HTTP_CONNECTIONS_DEFAULT 10000
/* For a request to come as a whole, and between requests. Browsers keep connections for minutes, proxies for one. */
#define HTTP_IDLE_TIMEOUT_MS 120000
/* A connection that has not finished its TLS handshake or its first request is a candidate for being cut when there are too
 * many, once it is so old. */
#define HTTP_YOUNG_NS 1000000000UL
/* TLS handshake, as at the other door. */
#define HTTP_HANDSHAKE_TIMEOUT_MS 10000
/* A client that takes nothing of its answer. */
#define HTTP_SEND_TIMEOUT_MS 30000

/* How often a loop looks at clients that have gone (HTTP/1), those that are too slow, and memory: gone clients are to be noticed
 * within 200 ms. */
#define HTTP_TICK_MS 100
/* And when nobody is connected: a connection wakes the loop anyway. */
#define HTTP_REST_MS 2000
/* Connections taken in before those that are open are served again. */
#define HTTP_ACCEPTS_PER_TURN 16
/* A piece of a stream: what HTTP/2 sends well in one go; 4 KiB until more is needed. */
#define HTTP_PIECE_BYTES       (64 * 1024)
#define HTTP_PIECE_BYTES_FIRST 4096

/* Bytes of a path with its query, for the longest names PostgreSQL has, several times over. */
#define HTTP_PATH_BYTES_MAX 8192
/* Headers of an answer, beside our own. */
#define HTTP_ANSWER_HEADERS_MAX 16

#endif
