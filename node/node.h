/* A node: all cores of one synodd, from opening the data directory to the clean stop. Runs alike in the real
 * world (node/main.c through linux_run) and in the simulator.
 *
 *     struct node *node;
 *     failed = node_open(scope, &options, &node, &error);       before any core runs
 *     ... node_core_main(world, node) as the first fiber of every core, until all have returned ...
 *     failed = node_outcome(node, &error);                      how it went
 */
#ifndef SYNOD_NODE_NODE_H
#define SYNOD_NODE_NODE_H

#include "base/world.h"

/* What one node is told. The texts are copied. Zero in a limit or timeout means its default
 * (node/limits.h). */
struct node_options {
    const char *data;     /* path of the data directory */
    const char *sql_host; /* name or numeric address to listen on */
    uint16_t sql_port;    /* 0 = any free one */
    const char *https_host;
    uint16_t https_port;
    bool
        rest; /* the HTTPS port speaks HTTP: the console and REST (needs the real world); else it sends lines back */
    const char *tls_certificate; /* paths of PEM files; NULL = the self-made pair in DIR/tls */
    const char *tls_key;
    size_t
        memory_bytes; /* of the data service and its caches; 0 = the node serves no SQL: the port sends lines back */
    const char *password; /* of the first role, when the directory is new; NULL = a random one */
    uint32_t connections_max;
    uint32_t send_timeout_ms; /* a client that takes nothing for so long is cut off; 0 = as the door likes */
    uint32_t handshake_timeout_ms; /* for the TLS handshake */
    uint32_t line_timeout_ms;      /* from the first byte of a line to its end */
    uint32_t grace_ms;             /* what running lines may take once the node was asked to stop */
    /* Called once, on core 0, when both ports listen. The addresses are numeric, with the real ports. Must
     * not yield; the texts are valid during the call. NULL = none. */
    void (*ready)(void *argument, const char *sql_address, const char *https_address);
    /* Called once, on core 0, when a random password was made for a new directory; `path` is the file it was written to. Must
     * not yield. NULL = none. */
    void (*password_made)(void *argument, const char *password, const char *path);
    void *ready_argument; /* of both */
};

struct node;

/* Makes the state the cores of a node share; its memory is the scope's, which must outlive all cores. Does
 * not yield. */
enum sqlstate node_open(struct scope *scope, const struct node_options *options, struct node **node,
                        struct error *error);

/* Runs one core until the node was asked to stop (world_stop) or failed to start; `node` is the struct node
 * that all cores of the node share. To be run once on every core of the world. Yields. */
void node_core_main(struct world *world, void *node);

/* What SIGHUP asks for: reads the certificate again, for HTTPS connections to come. An unusable one changes nothing and is
 * logged. Called in the loop of core 0. Does not yield. */
void node_reload(struct world *world, void *node);

/* After every core has returned: OK when the node served and stopped when it was asked to, else the error
 * that ended it. Does not yield. */
enum sqlstate node_outcome(const struct node *node, struct error *error);

/* What core 0 knows of its connections: open now, and accepted since start. For tests and logs; on core 0. */
uint32_t node_connections(const struct node *node);
uint64_t node_connections_total(const struct node *node);

#endif
