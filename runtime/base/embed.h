/* Files built into the program: the runtime's own Lua and SQL, by their path in the tree. */
#ifndef CL_EMBED_H
#define CL_EMBED_H

#include <stddef.h>

struct cl_embedded {
    const char *path; /* "runtime/host/engine.lua" */
    const char *data; /* NUL-terminated */
    size_t len;       /* without the NUL */
};

/* NULL when there is no such file. */
const struct cl_embedded *cl_embedded(const char *path);

#endif
