/* cloner: command line -> one verb -> exit code. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cl_cli_main(argc, argv);
}
