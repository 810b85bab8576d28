/*
 * The host: one lua_State, one libuv loop, and the tasks (coroutines) that run on them.
 *
 * Call order: cl_host_new(), cl_host_run() once, cl_host_free().  Everything here belongs to one
 * thread.  Bindings see the rest of the host through await.h and task.h only.
 */
#ifndef CL_HOST_H
#define CL_HOST_H

#include <stdbool.h>

#include <lua.h>
#include <uv.h>

#include "base/err.h"

struct cl_host;

enum {
    CL_LUA_BYTES_MAX = 1024 * 1024 * 1024, /* all Lua values of the process together */
    CL_SLICE_MS_MAX = 10 * 1000,           /* between two waits of a task */
};

struct cl_host *cl_host_new(struct cl_err *err);

/* Closes every task and handle. In test builds, reports handles that nobody closed. */
void cl_host_free(struct cl_host *host);

/* The host a state belongs to. */
struct cl_host *cl_host_of(lua_State *L);
uv_loop_t *cl_host_loop(struct cl_host *host);

/*
 * Runs require(module)[function](args) as the main task until it returns, and the loop with it.
 * args is a table of strings: named ones from names/values (NULL-terminated, may be NULL).
 * The function returns the exit code of the process. False when it raised.
 */
bool cl_host_run(struct cl_host *host, const char *module, const char *function,
                 const char *const *names, const char *const *values, int *exit_code,
                 struct cl_err *err);

#endif
