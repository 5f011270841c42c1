/* The command line `synod`: a client of the REST interface (doc/api.md) that knows nothing else of the node. The one door of
 * node/cli. */
#ifndef SYNOD_NODE_CLI_CLI_H
#define SYNOD_NODE_CLI_CLI_H

/* Does what the arguments say. Gives the exit status: 0 done, 1 something failed (said on standard error), 2 the arguments were
 * refused. */
int cli_main(int argc, char **argv);

#endif
