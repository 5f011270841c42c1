/* synod: the command line. */
#include "node/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
