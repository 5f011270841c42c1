/* \d and its family: questions to pg_catalog, asked by statements like any other. */
#ifndef SYNOD_NODE_CLI_DESCRIBE_H
#define SYNOD_NODE_CLI_DESCRIBE_H

#include "node/cli/print.h"

/* Carries out a command of the family (`command` without its backslash: "d", "dt+", "l"); `pattern` may be "". False when it is none of
 * them; *done false when it failed. */
bool describe(struct server *server, const char *command, const char *pattern,
              const struct print_options *options, FILE *to, bool *done);

/* The commands, one on a line, for \?. */
extern const char describe_help[];

#endif
