/* The certificate this node shows to its clients: the user's, or one the node makes for itself.
 *
 *     DIR/tls/server.key     private key, PEM
 *     DIR/tls/server.crt     certificate, PEM; there only after the key that belongs to it is */
#ifndef SYNOD_NODE_CERTIFICATE_H
#define SYNOD_NODE_CERTIFICATE_H

#include "base/world.h"

struct certificate {
    struct bytes chain_pem;
    struct bytes key_pem;
};

/* Reads the PEM files of the user. Fails as the disk_ functions do, or with 54000. Yields. */
enum sqlstate certificate_load(struct world *world, struct scope *scope, const char *chain_path,
                               const char *key_path, struct certificate *certificate, struct error *error);

/* Reads the pair in DIR/tls, which is made if it is not there: signed by itself, for "localhost", the
 * loopback addresses and the two hosts the node listens on. Yields. */
enum sqlstate certificate_load_own(struct world *world, struct scope *scope, const char *directory,
                                   const char *const hosts[static 2], struct certificate *certificate,
                                   struct error *error);

#endif
