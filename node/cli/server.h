/* The server as the command line sees it: one session over HTTPS and JSON (doc/api.md), opened at first need. */
#ifndef SYNOD_NODE_CLI_SERVER_H
#define SYNOD_NODE_CLI_SERVER_H

#include "node/cli/buffer.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* Where, and who one is. Texts are the caller's and must outlive the server. */
struct server_options {
    const char *url;       /* https://host:port */
    const char *role;      /* NULL with an API key */
    const char *password;  /* NULL = none */
    const char *api_key;   /* instead of role and password */
    const char *database;  /* NULL = the server chooses */
    const char *authority; /* file with certificates to trust; NULL = the system's */
    bool insecure;         /* whoever answers is believed to be the server */
};

struct server;

/* Never fails: nothing is sent yet. server_close() ends the session, if one was opened. */
struct server *server_open(const struct server_options *options);
void server_close(struct server *server);

/* Another database from now on: the session ends. */
void server_database(struct server *server, const char *database);
const char *server_database_name(const struct server *server);
const struct server_options *server_options(const struct server *server);

/* What came back. */
struct reply {
    long status;        /* of HTTP; 0 = there was no answer */
    json_t *body;       /* NULL when it was no JSON; to be released with reply_free() */
    struct buffer text; /* as it came */
};
void reply_free(struct reply *reply);

/* One request within the session, which is opened first (`path` begins with /v1); `body` (may be NULL) is released. False when it was not
 * answered with a success: what went wrong has been said on standard error. */
bool server_call(struct server *server, const char *method, const char *path, json_t *body,
                 struct reply *reply);
/* The same with a body of another type, borrowed. */
bool server_send(struct server *server, const char *path, const char *content_type, const char *data,
                 size_t size, struct reply *reply);

/* A statement: its answer comes as lines, each a JSON array (a row) or an object, borrowed for the call. `take` gives false to stop it.
 * False when the statement failed or was not sent: said on standard error. */
struct server_lines {
    bool (*take)(void *argument, const json_t *line);
    void *argument;
};
bool server_statement(struct server *server, const char *sql, bool typed, const struct server_lines *lines);

/* How the transaction stands after the last statement: ' ' none, '*' open, '!' failed. */
char server_transaction(const struct server *server);

/* Set by a signal handler: the request under way is given up, which cancels its statement. */
extern volatile sig_atomic_t server_interrupted;

/* Writes a problem document as psql writes errors: severity, message, the place in `sql` (may be NULL), detail, hint. */
void problem_write(FILE *to, const json_t *problem, const char *sql);

#endif
