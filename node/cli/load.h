/* Files into tables and out of them. */
#ifndef SYNOD_NODE_CLI_LOAD_H
#define SYNOD_NODE_CLI_LOAD_H

#include "node/cli/print.h"

struct load_options {
    const char *table;   /* "name" or "schema.name" */
    const char *columns; /* "a, b"; NULL = all */
    bool header;         /* the first line bears names */
    char delimiter;
    const char *null; /* what null is; NULL = nothing */
};

/* Loads CSV in numbered parts (doc/api.md, loads): all of it or nothing. False when it failed, which was said. */
bool load_file(struct server *server, const struct load_options *options, FILE *from);

#endif
