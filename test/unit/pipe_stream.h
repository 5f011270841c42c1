/* Two connected streams in memory, for tests of what stands on streams: a TCP connection as bad as you like.
 *
 * Bytes sent at one end wait in a bounded buffer until the other end receives them, in chunks whose sizes a
 * seed draws, so that what was sent together arrives torn at odd places. Faults strike after a given number
 * of bytes went one way. Every view is a block of its own that dies with the next receive, so the address
 * sanitizer sees whoever keeps one too long. */
#ifndef SYNOD_TEST_UNIT_PIPE_STREAM_H
#define SYNOD_TEST_UNIT_PIPE_STREAM_H

#include "base/fiber.h"
#include "base/stream.h"

#define PIPE_NEVER UINT64_MAX

struct pipe;

/* One direction. Set the faults before the bytes they concern are sent. */
struct pipe_way {
    uint64_t cut_after;   /* what follows byte `cut_after` is lost and the stream ends there, as if closed */
    uint64_t reset_after; /* the connection breaks at this byte, both ways */
    uint64_t stall_after; /* from this byte on nothing arrives any more */
    uint64_t flip_at;     /* this byte arrives with one bit wrong */
    uint64_t sent;        /* bytes that ever went in */
    uint64_t received;    /* bytes that came out */
    uint8_t *tape;        /* all that went in, when the pipe records */
    /* The rest is the pipe's own. */
    uint8_t *buffer; /* a ring */
    size_t used;     /* bytes in it */
    bool ended;      /* nothing more will be sent */
    bool lost;       /* nobody will receive what is sent */
    struct fiber_queue readers, writers;
};

struct pipe_end {
    struct stream stream;
    struct pipe *pipe;
    struct pipe_way *out, *in;
    uint8_t *view;
    bool broken; /* a send failed */
};

struct pipe {
    struct pipe_end ends[2];
    struct pipe_way ways[2]; /* ways[i] leads from ends[i] to the other */
    struct scheduler *scheduler;
    uint64_t random;
    size_t room;      /* bytes on the way in one direction */
    size_t chunk_max; /* largest chunk that arrives */
    bool reset;
    bool records;
    uint64_t waits; /* how often a fiber waited in here */
    /* Called before each wait, with its number from 0. NULL = nobody. */
    void (*on_wait)(void *argument, uint64_t wait);
    void *on_wait_argument;
};

/* Fills in a pipe without faults. Free it with pipe_close() after its last user is gone. */
void pipe_open(struct pipe *pipe, struct scheduler *scheduler, uint64_t seed, size_t room, size_t chunk_max);
void pipe_close(struct pipe *pipe);

/* What close() of a socket does: the other end finds the end of the stream, and what it sends is lost. */
void pipe_end_close(struct pipe_end *end);

#endif
