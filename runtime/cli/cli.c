#include "cli.h"

#include <stdio.h>

#include "host/host.h"

int cl_cli_main(int argc, char **argv)
{
    static const char *const names[] = {"script", NULL};
    const char *values[] = {argc > 1 ? argv[1] : "", NULL};
    struct cl_err err;
    int code = CL_EXIT_BUG;
    struct cl_host *host = cl_host_new(&err);
    if (!host || !cl_host_run(host, "engine", "run", names, values, &code, &err)) {
        fprintf(stderr, "cloner: %s\n", err.message);
    }
    cl_host_free(host);
    return code;
}
