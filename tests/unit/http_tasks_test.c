/* http with many tasks at once. Scripts cannot spawn tasks, so http_tasks.lua runs outside of the
 * sandbox, in a host of its own; then the same host is torn down in the middle of everything.
 * The Lua file speaks TAP; this one only reports how the host ended. */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "host/private.h"

static const char with_tap[] =
    "table.insert(package.searchers, function(name)"
    "  return name == 'tap' and function() return dofile('tests/bindings/tap.lua') end or nil end) "
    "return dofile('tests/unit/http_tasks.lua')";

static const char *text_of_failure(lua_State *L)
{
    const char *text = luaL_tolstring(L, -1, NULL);
    return text ? text : "no message";
}

int main(void)
{
    struct cl_err err;
    struct cl_host *host = cl_host_new(&err);
    if (!host) {
        printf("Bail out! %s\n", err.message);
        return 1;
    }
    lua_State *L = host->L;
    if (luaL_loadstring(L, with_tap) != LUA_OK) {
        printf("Bail out! %s\n", text_of_failure(L));
        return 1;
    }
    struct cl_task *task = cl_task_spawn(L, 0);
    while (!cl_task_finished(task)) {
        cl_task_run_ready(host);
        if (!cl_task_finished(task)) {
            uv_run(&host->loop, host->ready ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        }
    }
    int n = cl_task_push_outcome(L, task);
    bool ok = lua_toboolean(L, -n);
    if (!ok) {
        printf("# %s\n", text_of_failure(L));
    }
    lua_settop(L, 0);
    cl_host_free(host); /* aborts on a handle that nobody closed */
    return ok ? 0 : 1;
}
