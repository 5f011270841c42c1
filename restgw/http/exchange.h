/* One request from its coming to its end, shared by the loop it came to and the core that serves it.
 *
 *     loop                                core
 *     ----                                ----
 *     arrival  ------------------------>  a fiber runs `serve`
 *     (gone)   ------------------------>  the client went: http_on_gone()
 *              <------------------------  piece of a stream
 *     taken    ------------------------>
 *              <------------------------  last: answer, end of stream, or "serve it elsewhere"
 *     release  ------------------------>  nothing of the answer's memory is needed any more
 *              <------------------------  returned: nothing of the exchange is left on the core
 *
 * Landings (loop to core) come in the order they were handed over, words (core to loop) likewise; so `release` is the last
 * thing a core hears, `returned` the last a loop does. Then the exchange's memory, which is the loop's, goes back.
 * Each of the messages is in flight at most once at a time. The loop hands over `release` when it has got `last` and h2o has
 * forgotten the request, whichever came later.
 *
 * Fields belong to the loop or to the core as said; what both touch is either written before a message and read behind
 * it, or atomic. */
#ifndef SYNOD_RESTGW_HTTP_EXCHANGE_H
#define SYNOD_RESTGW_HTTP_EXCHANGE_H

#include "base/linux/linux.h"
#include "base/list.h"
#include "base/scope.h"
#include "restgw/http/http.h"

#include <stdatomic.h>

struct http_connection;
struct http_loop;

/* What a core says to a loop. */
struct http_word {
    struct http_word *next;
    void (*land)(struct http_loop *loop, struct http_word *word);
};

/* What the last word says, and what a piece carries. */
enum http_last { HTTP_LAST_ANSWER, HTTP_LAST_STREAM, HTTP_LAST_CUT, HTTP_LAST_ELSEWHERE };

struct http_exchange {
    /* Written by the loop before `arrival`, then constant. */
    struct http *http;
    struct http_loop *loop;
    struct scope *loop_scope; /* its memory */
    struct http_head head;
    struct bytes body;
    struct bytes *query; /* values by route->query */
    struct bytes content_type;
    uint32_t core;

    struct linux_landing arrival, gone_landing, taken, release;
    struct http_word piece, last, returned;
    atomic_bool gone; /* set by the loop: nobody waits for the answer */

    /* The core's, once it has arrived. */
    struct world *world;
    struct scope *scope;
    struct scope_gone scope_gone;
    struct fiber *fiber; /* NULL when it has ended */
    bool released;
    bool answered; /* the last word was said */
    bool streaming;
    bool piece_out; /* a piece was sent and not taken yet */
    struct fiber_queue taken_waiter;
    void (*on_gone)(void *argument);
    void *on_gone_argument;
    uint8_t *filling, *sending; /* the stream's two pieces */
    size_t filled, piece_room;

    /* The answer: written by the core before `piece` or `last`. */
    enum http_last how;
    uint32_t elsewhere; /* the core to go to */
    int status;
    const char *answer_type;
    const struct http_header *answer_headers;
    size_t answer_header_count;
    struct bytes data; /* of the piece, or of the last word */

    /* The loop's. */
    void *request;                      /* h2o's, NULL when h2o has forgotten it */
    void *guard;                        /* in the request's pool, as long as it */
    struct list_link link;              /* in the loop's open ones */
    struct http_connection *connection; /* its memory stays while exchanges of it are open */
    struct bytes pending;               /* what h2o has of the stream */
    bool begun;                         /* the response has */
    bool finished;                      /* `last` has come */
    bool moving; /* `last` said to serve it elsewhere, and the old core has not left it yet */
    bool piece_with_h2o;
    uint64_t finished_ns;
    size_t bytes; /* counted as in flight */
};

/* One core's part of the door. */
struct http_core {
    _Alignas(64) struct world *world; /* NULL until it has opened */
    struct scope *scope;
    struct http *http;
    uint32_t open; /* exchanges on this core */
    uint32_t loops_ended;
    struct fiber_queue changed;
};

/* ---- exchange.c: on the core ---- */

/* `arrival`, `gone_landing`, `taken` and `release`. */
void http_arrive(struct linux_core *core, struct linux_landing *landing);
void http_hear_gone(struct linux_core *core, struct linux_landing *landing);
void http_hear_taken(struct linux_core *core, struct linux_landing *landing);
void http_hear_release(struct linux_core *core, struct linux_landing *landing);

/* ---- loop.c ---- */

/* Says a word to the loop, and wakes it if it sleeps. Callable on any core. */
void http_say(struct http_loop *loop, struct http_word *word);

/* The words `piece`, `last` and `returned`. */
void http_land_piece(struct http_loop *loop, struct http_word *word);
void http_land_last(struct http_loop *loop, struct http_word *word);
void http_land_returned(struct http_loop *loop, struct http_word *word);

#endif
