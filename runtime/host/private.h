/* What host.c and task.c share. */
#ifndef CL_HOST_PRIVATE_H
#define CL_HOST_PRIVATE_H

#include <lua.h>
#include <uv.h>

#include "await.h"
#include "host.h"
#include "memory.h"
#include "task.h"

struct cl_host {
    lua_State *L;                /* the main state; never runs script code itself */
    uv_loop_t loop;              /* owned */
    struct cl_lua_memory memory; /* of L */
    struct cl_task *current;     /* whose coroutine runs, NULL between resumes */
    struct cl_task *ready;       /* first of the tasks to resume */
    struct cl_task **ready_end;
    int64_t slice_began_ms; /* boot time the current resume started */
    bool loop_open;         /* uv_loop_init succeeded */
};

/* --- task.c --- */

void cl_task_register(lua_State *L); /* the metatable */

/* Resumes every task that was ready when it was called. True when there was one. */
bool cl_task_run_ready(struct cl_host *host);

#endif
