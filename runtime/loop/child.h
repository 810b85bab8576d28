/*
 * A child process, run from a worker thread and waited for (pg_dump, pg_restore).
 * Never through a shell: argv goes to execvp as it is.  The child's standard input is /dev/null;
 * its standard error is kept (the last bytes of it) for the error message.
 */
#ifndef CL_CHILD_H
#define CL_CHILD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "job.h"

struct cl_child {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *const *env;  /* NULL-terminated "NAME=value" added to ours; may be NULL */
    struct cl_buf *out;      /* takes standard output, up to its max; NULL: discarded */
    struct cl_job *job; /* when it is stopping the child gets SIGTERM, later SIGKILL; NULL ok */
};

/* Runs it to its end. False on failure to start, a signal, or an exit status other than 0: the
 * message then names the program, the status and the last lines of its standard error. */
bool cl_child_run(const struct cl_child *child, struct cl_err *err);

#endif
