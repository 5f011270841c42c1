/* The SQL service of a node: engine, catalog, sessions, and the door for PostgreSQL's clients, wired together. */
#ifndef SYNOD_NODE_SQL_H
#define SYNOD_NODE_SQL_H

#include "base/world.h"
#include "node/node.h"

struct datadir;
struct http;
struct http_options;
struct node_sql; /* shared by the cores */
struct pgwire;
struct tls_context;

/* Makes what the cores share; its memory is the scope's, which must outlive all cores. `options` are borrowed for as
 * long. Does not yield. */
enum sqlstate node_sql_open(struct scope *scope, const struct node_options *options, struct node_sql **sql,
                            struct error *error);

/* On core 0, before any engine opens: whose directory it is. */
void node_sql_identify(struct node_sql *sql, struct world *world, const struct datadir *datadir);

/* Opens the engine on this core; every core calls it, and it returns when the node has recovered. Yields. */
enum sqlstate node_sql_start(struct node_sql *sql, struct world *world, struct scope *scope,
                             struct error *error);

/* On core 0, after all cores have started: makes the first catalog in a new directory. Yields. */
enum sqlstate node_sql_prepare(struct node_sql *sql, struct world *world, struct scope *scope,
                               struct error *error);

/* On core 0, before the cores open their doors: `http` is what REST is served by, NULL = nothing. */
void node_sql_rest(struct node_sql *sql, struct world *world, struct http *http);

/* What the HTTPS door is to do with requests. */
void node_sql_routes(struct node_sql *sql, struct http_options *options);

/* Ends the REST sessions of this core, when no request comes any more; every core calls it. Yields. */
void node_sql_rest_drain(struct node_sql *sql, struct world *world);

/* Opens catalog, sessions and doors of this core, after that. Yields. */
enum sqlstate node_sql_serve(struct node_sql *sql, struct world *world, struct scope *scope,
                             struct tls_context *tls, struct bytes certificate_pem, struct error *error);

/* On core 0, when all cores serve: the doors of all cores take another certificate for connections to come; what is
 * borrowed, until it returns. The first failure; a core that could not keeps the old one. Yields. */
enum sqlstate node_sql_renew(struct node_sql *sql, struct world *world, struct scope *scope,
                             struct bytes certificate_pem, struct bytes key_pem, struct error *error);

/* This core's door. */
struct pgwire *node_sql_door(struct node_sql *sql, const struct world *world);

/* Closes the engine on this core, if it was opened; every core calls it when no session is left. Yields. */
void node_sql_stop(struct node_sql *sql, struct world *world);

#endif
