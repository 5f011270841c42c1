/* A client and a server that meet over a pipe, each a fiber of one scheduler in a world with its own time. */
#ifndef SYNOD_TEST_UNIT_TLS_MEETING_H
#define SYNOD_TEST_UNIT_TLS_MEETING_H

#include "base/scope.h"
#include "base/tls/tls.h"
#include "test/unit/pipe_stream.h"

/* 2026-01-01 00:00:00 UTC, in microseconds: when every meeting begins. */
#define MEETING_WALL_US 1767225600000000
#define DAY_US          86400000000

/* A world that has a clock, random numbers and fibers, and nothing else. */
struct room {
    struct world world;
    struct budget budget;
    uint64_t random;
    int64_t wall_us;
};

void room_open(struct room *room, uint64_t seed);
/* Runs until no fiber is left; time passes when all wait. Fails the test when they wait for ever. */
void room_run(struct room *room);
void room_close(struct room *room);

/* A certificate and its key. */
struct paper {
    struct bytes certificate;
    struct bytes key;
};

/* An authority; a certificate it signs, good for "server.test", 127.0.0.1 and ::1. NULL = signs itself. */
struct paper room_authority(struct room *room, const char *common_name);
struct paper room_paper(struct room *room, const struct paper *authority, const char *common_name);

struct meeting;

struct side {
    struct meeting *meeting;
    struct pipe_end *end;
    struct tls_options options;
    struct tls_context *context;     /* NULL = it opens one of its own, from the options */
    uint64_t deadline_ns;            /* of the handshake */
    void (*then)(struct side *side); /* what it does once hands are shaken; its outcome goes into `failed` */
    /* What came of it. */
    struct fiber *fiber; /* NULL once it has ended */
    struct scope *scope; /* of the connection */
    struct stream *stream;
    enum sqlstate failed;
    struct error error;
    bool shook;         /* the handshake succeeded */
    char protocol[32];  /* tls_protocol() */
    char peer_name[80]; /* tls_peer_name() */
    char got[256];      /* what say_and_listen() received, zero-terminated */
    const char *say;    /* what say_and_listen() sends */
};

struct meeting {
    struct room room;
    struct pipe pipe;
    struct side client, server;
    struct paper authority, server_paper, client_paper;
};

/* The client trusts the server's authority and looks for no name; the server asks for no certificate. Both
 * say_and_listen(). `chunk_max` as in struct pipe. Change what you like before meeting_hold(). */
void meeting_open(struct meeting *meeting, uint64_t seed, size_t chunk_max);
/* Starts both fibers and runs to the end. */
void meeting_hold(struct meeting *meeting);
/* Sets all up for one more meeting in the same room, with the same papers and options, over a new pipe
 * without faults. */
void meeting_again(struct meeting *meeting);
void meeting_close(struct meeting *meeting);

/* Both sides show a certificate and ask for one. */
void meeting_make_mutual(struct meeting *meeting);

/* Runs one side as the body of a fiber; meeting_hold() starts both. A test may start something else. */
void side_start(struct side *side);

/* Sends side->say, shuts down, and collects what comes until the end. */
void say_and_listen(struct side *side);

/* Receives until the end; gives how many bytes came, the first of them in `text` (zero-terminated). */
size_t side_receive_all(struct side *side, char *text, size_t room);

/* Sends the text. */
void side_send(struct side *side, const char *text);

#endif
