/* Completion of keywords and names while typing. */
#ifndef SYNOD_NODE_CLI_COMPLETE_H
#define SYNOD_NODE_CLI_COMPLETE_H

#include "node/cli/server.h"

/* From now on the line editor completes from this server's catalog; NULL ends it. */
void complete_open(struct server *server);

/* Something was defined: names are asked for anew. */
void complete_forget(void);

#endif
