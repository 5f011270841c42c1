/* A byte stream between two ends: a TCP connection, TLS over one, or what the simulator makes of it. One
 * fiber receives and one fiber (the same or another) sends at a time; both belong to the core that owns the
 * stream. */
#ifndef SYNOD_BASE_STREAM_H
#define SYNOD_BASE_STREAM_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address of a node or client. IPv4 stands in the last four bytes. */
struct net_address {
    uint8_t ip[16];
    uint16_t port;
    bool v6;
};

/* Room for "[ffff:…:255.255.255.255]:65535" and a zero byte. */
#define NET_ADDRESS_TEXT_BYTES 64

struct stream;

/* What an implementation of streams provides. Contracts are those of the functions below. */
struct stream_ops {
    enum sqlstate (*receive)(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                             struct error *error);
    enum sqlstate (*send)(struct stream *stream, const struct bytes *pieces, size_t count,
                          uint64_t deadline_ns, struct error *error);
    enum sqlstate (*shutdown)(struct stream *stream, uint64_t deadline_ns, struct error *error);
    void (*reset)(struct stream *stream);
};

/* The part all streams share; implementations embed it first. A stream is allocated from, and closed with,
 * the scope it was made in. */
struct stream {
    const struct stream_ops *ops;
    struct net_address peer;
};

/* Waits for bytes and gives a view of them, valid until the next receive on this stream or its close: take
 * out what is to be kept. Every byte is given once. An empty view is the end: the peer has closed its sending
 * side. Fails with 08006 (connection broken), 57014-like states when canceled (even when bytes are there: a peer
 * that never stops sending must not keep a fiber from ending), and 57P05 at the deadline. In both of the latter
 * nothing is lost; receive again. Yields. */
static inline enum sqlstate stream_receive(struct stream *stream, struct bytes *view, uint64_t deadline_ns,
                                           struct error *error)
{
    return stream->ops->receive(stream, view, deadline_ns, error);
}

/* Sends the pieces in order; returns when the transport has taken all of them, so the memory is the caller's
 * again in every case. After a failure (08006, canceled, deadline) an unknown part was sent, and the stream
 * only fails from then on. Yields. */
static inline enum sqlstate stream_send(struct stream *stream, const struct bytes *pieces, size_t count,
                                        uint64_t deadline_ns, struct error *error)
{
    return stream->ops->send(stream, pieces, count, deadline_ns, error);
}

/* Says that nothing more will be sent (TCP FIN, TLS close_notify); receiving goes on. May yield. */
static inline enum sqlstate stream_shutdown(struct stream *stream, uint64_t deadline_ns, struct error *error)
{
    return stream->ops->shutdown(stream, deadline_ns, error);
}

/* Breaks the connection at once: the waiting receiver and sender fail with 08006. Does not yield. The scope's
 * end is what closes and frees. */
static inline void stream_reset(struct stream *stream)
{
    stream->ops->reset(stream);
}

#endif
