/*
 * The Lua handle of a native job; used by every binding with bulk work (backup, mask, blob).
 *
 *   handle:wait([ms]) -> nil, {done, total, bytes, rows,   still running when the time ran out
 *                         parts_done, parts_total, objects, phase, note}
 *                     -> true, results…                    finished (raises when it failed)
 *   handle:stop()                                          ask it to end; wait() then raises
 * cancelled
 *
 * Closing or collecting the handle of a running job stops it. A cancelled task stops its job too.
 */
#ifndef CL_BINDING_JOB_H
#define CL_BINDING_JOB_H

#include <lua.h>

#include "loop/job.h"

struct cl_job_handle {
    cl_job_run run;                           /* the work */
    void *arg;                                /* owned by the handle once cl_job_push() returned */
    void (*free_arg)(void *);                 /* may be NULL */
    int (*push_result)(lua_State *L, void *); /* pushes the results of a success; NULL: none */
};

/* Pushes the handle of a job to be: closed, owning nothing. Make it first, box what you allocate
 * in spec.arg, then call cl_job_begin(). */
struct cl_job_handle *cl_job_push(lua_State *L);

/* Starts the work described in the handle on top of the stack. Raises when it cannot. */
int cl_job_begin(lua_State *L);

#endif
