/*
 * The guard of the source: while a copy reads, a thread with one connection looks each second at
 * how far replicas are behind and how many transactions our snapshot keeps from being cleaned up.
 *
 * Replicas too far behind: the gate of the run's limits is shut until they are near again.  It is
 * opened all the same, with a warning, when waiting cannot help: when the role may not see the
 * lag, when the guard has seen nothing for CL_GUARD_BLIND_MS, or when a standby we read from stands
 * still (its replay most likely waits for our own snapshot to end) for CL_GUARD_STUCK_MS.
 * A snapshot too old: a warning.  The guard itself never fails a copy.
 */
#ifndef CL_BACKUP_GUARD_H
#define CL_BACKUP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
    CL_GUARD_BLIND_MS = 60 * 1000,
    CL_GUARD_STUCK_MS = 30 * 1000,
};

struct cl_run;
struct cl_guard;

/* Starts watching over run's source; pid: the server process that holds the snapshot. NULL with
 * *err when there is no thread to be had. */
struct cl_guard *cl_guard_start(struct cl_run *run, int pid, struct cl_err *err);

/* Waits until the guard has had one answer, or could not have one; not longer than ms. */
void cl_guard_first_look(struct cl_guard *guard, int ms);

/* Opens the gate, warns of what was seen, frees it. NULL is fine. */
void cl_guard_end(struct cl_guard *guard);

#endif
