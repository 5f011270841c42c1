/* Connections as the wire sees them: two ends, and a pipe each way.
 *
 *     program writes          segment arrives          program reads          acknowledgement arrives
 *        written   ------------>  delivered  ----------->  consumed  ------------>   acked
 *
 * All four only grow, in this order: acked <= consumed <= delivered <= written <= acked + capacity. Segments
 * of a pipe never overtake each other. One that finds no way (a partition, a machine without power) is stuck,
 * and so is all behind it, until there is a way again or the sender's machine gives the connection up. */
#ifndef SYNOD_TEST_SIM_WIRE_H
#define SYNOD_TEST_SIM_WIRE_H

#include "test/sim/inside.h"

struct connection;

struct pipe {
    struct connection *connection;
    uint32_t side; /* of the end that writes */
    uint8_t *ring;
    uint32_t capacity; /* bytes, a power of two */
    uint64_t written, delivered, consumed, acked;
    uint64_t arrival_ns; /* of the last segment */
    bool finished;       /* nothing more will be written: a FIN is behind the last byte */
    bool fin_delivered;
    bool vanishing; /* nothing arrives any more */
    bool stuck;
    bool ack_stuck;
    uint64_t stuck_upto;
    struct list segments; /* on their way */
    struct event ack;
    struct event give_up;
};

struct end {
    struct list_link link;    /* in process->ends */
    struct list_link waiting; /* in listener->backlog */
    struct connection *connection;
    uint32_t side;
    struct sim_node *node;
    struct sim_process *process; /* NULL when nobody has it (yet, any more) */
    struct sim_core *core;       /* NULL until it is a stream */
    struct scope *scope;         /* of the stream */
    struct net_address address;
    bool established; /* the client knows that the connection stands */
    bool accepted;
    bool gone;         /* nobody is at this end */
    bool silent;       /* gone with its machine's power: what comes in is answered with a reset */
    bool broken;       /* calls fail */
    bool dead;         /* so does the connection: the peer reset it, is being reset, or cannot be reached */
    bool lost_unread;  /* bytes that had come were thrown away unread: TCP answers that with a reset */
    const char *words; /* why */
    uint32_t at_once;  /* receives since the fiber last waited */
    struct fiber_queue receivers;
    struct fiber_queue senders;
    uint8_t *view;      /* VIEW_BYTES */
    struct event reset; /* on its way to this end */
};

struct connection {
    struct list_link link; /* in sim->connections */
    struct sim *sim;
    uint64_t number;     /* also the ticket */
    struct end end[2];   /* [0] connected, [1] accepted */
    struct pipe pipe[2]; /* [i] is written by end[i] */
    bool taken;          /* by a listener */
    struct event handshake;
    uint64_t handshake_until_ns;
    struct dice dice;
};

struct listener {
    struct list_link link; /* in node->listeners */
    struct sim_process *process;
    struct sim_core *core;
    struct scope *scope;
    struct net_address address;
    struct list backlog; /* struct end */
    uint32_t backlog_count;
    bool closed;
    struct fiber_queue accepters;
};

#define VIEW_BYTES 16384
/* Connections a machine keeps until they are accepted; the next ones try again later. */
#define BACKLOG_MAX 128

struct connection *connection_make(struct sim_core *client, struct sim_node *server,
                                   const struct net_address *address);

/* Sends the first packet; the client's `receivers` are woken when the connection stands or is broken. */
void connection_begin(struct connection *connection);

/* Gives it back when nobody is at either end. It may be gone afterwards. */
void connection_collect(struct connection *connection);

/* Bytes a pipe takes now. */
uint32_t pipe_room(const struct pipe *pipe);

/* Puts `size` bytes (at most pipe_room) on their way. */
void pipe_write(struct pipe *pipe, const void *data, size_t size);

/* Takes bytes that have arrived out; gives how many. */
size_t pipe_read(struct pipe *pipe, void *data, size_t size);

/* Says that nothing more will be written. */
void pipe_finish(struct pipe *pipe);

/* Calls of this end fail from now on; with `lose`, bytes that were not read are lost. */
void end_break(struct end *end, const char *words, bool lose);

/* The same, and there is no connection any more, either. */
void end_die(struct end *end, const char *words, bool lose);

/* A reset sets out to the other end. */
void end_send_reset(struct end *end);

/* Nobody is at this end any more. Bytes not read make it a reset, else it is an orderly end; `silent`: the
 * peer hears nothing. connection_collect() is the caller's next step. */
void end_leave(struct end *end, bool silent);

/* The listener takes no more; who waits in its backlog is reset. It is gone afterwards. */
void listener_close(struct listener *listener);

/* Whether packets get through. */
bool way_open(const struct sim_node *from, const struct sim_node *to);

/* Who listens at an address of a machine, or NULL. */
struct listener *listener_find(const struct sim_node *node, const struct net_address *address);

#endif
