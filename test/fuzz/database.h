/* A whole database in this process, for targets that speak SQL: opened at the first use, kept through all inputs.
 *
 * It runs on a core of the real world, since time has to pass for statements that go on for ever; each input gets a
 * session of its own and leaves nothing behind when its transaction is rolled back. */
#ifndef SYNOD_TEST_FUZZ_DATABASE_H
#define SYNOD_TEST_FUZZ_DATABASE_H

#include "sqlfront/session.h"

/* A client that takes everything: each value of each row is asked for in text and in binary. */
struct client {
    struct session_sink sink;
    struct session *session;
    struct world *world;
    struct sessions *sessions; /* of the world's only core */
    struct scope *scope;       /* ends with the input */
    struct error error;        /* of the statement before */
    uint64_t rows;             /* of the statement before */
    bool keeps;                /* wants `sent` */
    struct bytes sent; /* the binary form of its last value, the scope's memory; data NULL = there was none */
    struct bytes copy_in; /* what COPY FROM STDIN gets, in pieces of `copy_piece` bytes (0 = whole) */
    size_t copy_piece;
    char *copy_out; /* what COPY TO STDOUT gave; NULL = not wanted */
    size_t copy_out_size, copy_out_room;
};

/* Runs `work` in a fiber of the core, with a client whose session is open and in a transaction block. The transaction is
 * rolled back behind it. `setup` are statements that are committed before the first input. */
void database_try(const char *const *setup, void (*work)(struct client *client, void *argument),
                  void *argument);

/* Has this called at the end of everything, in a fiber of the core, before the sessions close. Within database_try(). */
void database_at_end(void (*end)(void *argument), void *argument);

/* One statement by the simple protocol, or one by the extended one with parameters. A failure must say something. */
enum sqlstate client_query(struct client *client, const char *text);
enum sqlstate client_execute(struct client *client, const char *text, const uint32_t *types,
                             const struct session_bind *bind);

/* The same between savepoints, so that what fails is undone alone. Stops the process when the session is of no use
 * afterwards. */
enum sqlstate client_try(struct client *client, const char *text, const uint32_t *types,
                         const struct session_bind *bind);

#endif
