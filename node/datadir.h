/* The data directory of a node: whose it is, and that it is ours alone while we run.
 *
 *     DIR/synod.lock       held by the process that runs
 *     DIR/identity         who this node is (format in datadir.c); written once, by the first start
 *     DIR/endpoints.json   where it listens; there while it is ready, gone after a clean stop
 *     DIR/tls/             the self-made certificate (certificate.h)
 */
#ifndef SYNOD_NODE_DATADIR_H
#define SYNOD_NODE_DATADIR_H

#include "base/world.h"

/* The format this program writes, and the newest it reads. */
#define DATADIR_FORMAT 1

/* A random identifier (RFC 9562, version 4), and room for its text and a zero byte. */
struct uuid {
    uint8_t bytes[16];
};
#define UUID_TEXT_BYTES 37

struct datadir {
    const char *path;
    struct uuid cluster;
    struct uuid node;
    int64_t created_us; /* since 1970-01-01 UTC, by the wall clock of the first start */
    bool fresh;         /* this start made it */
};

/* Opens the data directory for this process alone, until the scope ends; makes it (but not its parents) and
 * the identity if they are not there, and removes endpoints left by a run that did not end cleanly. Nothing
 * is written into a directory that is not ours. A crash at any moment leaves a directory that the next start
 * opens, with the identity that an earlier call gave, if any did.
 *
 * Fails with F0001 (another process has it), 55000 (holds other things; newer format), XX001 (damaged
 * identity), or as the disk_ functions do. Yields. */
enum sqlstate datadir_open(struct world *world, struct scope *scope, const char *path,
                           struct datadir **datadir, struct error *error);

/* Writes endpoints.json, at once and durably. The addresses are those to connect to. Yields. */
enum sqlstate datadir_write_endpoints(struct world *world, const struct datadir *datadir,
                                      const char *sql_address, const char *https_address,
                                      struct error *error);

/* Removes endpoints.json; that there is none is no error. Yields. */
enum sqlstate datadir_remove_endpoints(struct world *world, const struct datadir *datadir,
                                       struct error *error);

void uuid_text(const struct uuid *uuid, char text[static UUID_TEXT_BYTES]);

#endif
