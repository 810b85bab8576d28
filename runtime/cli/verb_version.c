#include <stdio.h>

#include "verb.h"

#ifndef CL_VERSION
#define CL_VERSION "0.1"
#endif

static int print_version(const struct cl_args *args)
{
    (void)args;
    printf("cloner %s\n", CL_VERSION);
    return CL_EXIT_DONE;
}

const struct cl_verb cl_verb_version = {
    .name = "version",
    .words = "",
    .summary = "print the version",
    .run = print_version,
};
