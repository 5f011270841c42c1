/* synod sql: statements from the keyboard, a file or the command line. */
#ifndef SYNOD_NODE_CLI_SHELL_H
#define SYNOD_NODE_CLI_SHELL_H

#include "node/cli/print.h"

struct shell_options {
    struct print_options print;
    bool timing;
    bool go_on; /* after an error in a script */
};

/* Reads from the terminal with editing and history, or from `from` when it is no terminal. Gives the exit status. */
int shell_run(struct server *server, const struct shell_options *options, FILE *from);

/* Runs a text of statements and commands (-c, -f). Gives the exit status: 0, or 1 when something failed. */
int shell_text(struct server *server, const struct shell_options *options, const char *text);
int shell_file(struct server *server, const struct shell_options *options, const char *path);

#endif
