/* Which of the installed pg_dump and pg_restore fit a server. */
#ifndef CL_BACKUP_TOOLS_H
#define CL_BACKUP_TOOLS_H

#include <stdbool.h>

#include "base/err.h"

enum { CL_TOOL_PATH_BYTES = 512 };

struct cl_tools {
    char folder[256]; /* of pg_dump and pg_restore, "" for those in PATH */
    int major;        /* their version */
};

/* The oldest installed tools that can read a server of that version (server_version_num); class
 * invalid naming the package when none can. */
bool cl_tools_find(struct cl_tools *tools, int server_number, struct cl_err *err);

/* The program's path, in path. */
const char *cl_tools_program(const struct cl_tools *tools, const char *name,
                             char path[CL_TOOL_PATH_BYTES]);

#endif
