#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "host/host.h"

enum { ARGS_MAX = 200, NAME_BYTES = 16 };

int cl_cli_main(int argc, char **argv)
{
    static char numbered[ARGS_MAX][NAME_BYTES];
    const char *names[ARGS_MAX + 2] = {"script"};
    const char *values[ARGS_MAX + 2] = {argc > 1 ? argv[1] : ""};
    for (int i = 2; i < argc && i < ARGS_MAX; i++) {
        snprintf(numbered[i], NAME_BYTES, "arg%d", i - 1);
        names[i - 1] = numbered[i];
        values[i - 1] = argv[i];
    }
    struct cl_err err;
    int code = CL_EXIT_BUG;
    struct cl_host *host = cl_host_new(&err);
    if (!host || !cl_host_run(host, "engine", "run", names, values, &code, &err)) {
        fprintf(stderr, "cloner: %s\n", err.message);
    }
    cl_host_free(host);
    return code;
}
