/* What synod does besides running statements. Each gives the exit status. */
#ifndef SYNOD_NODE_CLI_COMMANDS_H
#define SYNOD_NODE_CLI_COMMANDS_H

#include "node/cli/print.h"

/* How the node is, and what runs on it. */
int command_status(struct server *server, const struct print_options *options);

/* list | create NAME | password NAME | drop NAME; new passwords are asked for at the terminal, or read from standard input. */
int command_user(struct server *server, const struct print_options *options, int count, char **words);

/* list | create [NAME] | drop ID */
struct key_options {
    const char *role, *database, *expires, *scopes; /* NULL = the server's defaults */
};
int command_key(struct server *server, const struct print_options *options, const struct key_options *key,
                int count, char **words);

/* Reads a line at the terminal without showing it, or from standard input. The caller's; NULL at the end. */
char *password_read(const char *prompt);

#endif
