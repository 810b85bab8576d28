#include "host.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/log.h"
#include "bindings/modules.h"
#include "private.h"

/* ---------------------------------------------------------------- state */

static void on_lua_warning(void *ud, const char *text, int to_be_continued)
{
    (void)ud;
    (void)to_be_continued;
    if (text[0] != '@') {
        cl_log(CL_LOG_WARN, "lua: %s", text);
    }
}

static int open_state(lua_State *L)
{
    luaL_openlibs(L); /* for the runtime's own Lua; scripts get the sandbox */
    cl_task_register(L);
    cl_modules_register(L);
    return 0;
}

struct cl_host *cl_host_of(lua_State *L)
{
    return *(struct cl_host **)lua_getextraspace(L);
}

uv_loop_t *cl_host_loop(struct cl_host *host)
{
    return &host->loop;
}

struct cl_host *cl_host_new(struct cl_err *err)
{
    struct cl_host *host = calloc(1, sizeof *host);
    if (!host) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory");
        return NULL;
    }
    host->ready_end = &host->ready;
    host->memory.max = CL_LUA_BYTES_MAX;
    int rc = uv_loop_init(&host->loop);
    if (rc != 0) {
        cl_fail(err, CL_TRANSIENT, uv_err_name(rc), "cannot make a loop: %s", uv_strerror(rc));
        cl_host_free(host);
        return NULL;
    }
    host->loop_open = true;
    host->L = lua_newstate(cl_lua_allocate, &host->memory);
    if (!host->L) {
        cl_fail(err, CL_TRANSIENT, "ENOMEM", "out of memory making a Lua state");
        cl_host_free(host);
        return NULL;
    }
    *(struct cl_host **)lua_getextraspace(host->L) = host;
    lua_setwarnf(host->L, on_lua_warning, NULL);
    lua_pushcfunction(host->L, open_state);
    if (lua_pcall(host->L, 0, 0, 0) != LUA_OK) {
        cl_fail(err, CL_BUG, "E_START", "cannot start Lua: %s", lua_tostring(host->L, -1));
        cl_host_free(host);
        return NULL;
    }
    return host;
}

static void report_open_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        cl_log(CL_LOG_ERROR, "a %s handle was never closed", uv_handle_type_name(handle->type));
    }
}

void cl_host_free(struct cl_host *host)
{
    if (!host) {
        return;
    }
    if (host->L) {
        lua_close(host->L); /* finalizers release what tasks still held, and start closing it */
    }
    if (host->loop_open) {
        uv_run(&host->loop, UV_RUN_DEFAULT);
        if (uv_loop_close(&host->loop) != 0) {
            uv_walk(&host->loop, report_open_handle, NULL);
#ifdef CL_FAULTS
            abort(); /* a test build fails loudly on what a release only reports */
#endif
        }
    }
    free(host);
}

/* ---------------------------------------------------------------- running */

struct main_call {
    const char *module;
    const char *function;
    const char *const *names;
    const char *const *values;
    struct cl_task *task; /* out: the main task, its handle left on the main stack */
};

/* Protected: argument is a struct main_call; leaves the task's handle as its result. */
static int spawn_main(lua_State *L)
{
    struct main_call *call = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushstring(L, call->module);
    lua_call(L, 1, 1);
    if (lua_getfield(L, -1, call->function) != LUA_TFUNCTION) {
        return luaL_error(L, "module '%s' has no function '%s'", call->module, call->function);
    }
    lua_newtable(L);
    for (size_t i = 0; call->names && call->names[i]; i++) {
        lua_pushstring(L, call->values[i]);
        lua_setfield(L, -2, call->names[i]);
    }
    call->task = cl_task_spawn(L, 1);
    return 1;
}

struct outcome {
    struct cl_task *task;
    int exit_code;
    bool ok;
    struct cl_err err;
};

/* Protected: argument is a struct outcome, filled from the main task's end. */
static int take_outcome(lua_State *L)
{
    struct outcome *o = lua_touserdata(L, 1);
    int top = lua_gettop(L);
    cl_task_push_outcome(L, o->task);
    o->ok = lua_toboolean(L, top + 1);
    if (o->ok) {
        o->exit_code = (int)luaL_optinteger(L, top + 2, 0);
        return 0;
    }
    lua_getfield(L, top + 2, "message");
    lua_getfield(L, top + 2, "traceback");
    cl_fail(&o->err, CL_BUG, "E_SCRIPT", "%s", luaL_optstring(L, -2, "unknown error"));
    if (!lua_isnil(L, -1)) {
        cl_log(CL_LOG_DEBUG, "%s", lua_tostring(L, -1));
    }
    return 0;
}

bool cl_host_run(struct cl_host *host, const char *module, const char *function,
                 const char *const *names, const char *const *values, int *exit_code,
                 struct cl_err *err)
{
    lua_State *L = host->L;
    struct main_call call = {module, function, names, values, NULL};
    lua_pushcfunction(L, spawn_main);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        cl_fail(err, CL_BUG, "E_START", "%s", luaL_tolstring(L, -1, NULL));
        lua_settop(L, 0);
        return false;
    }
    while (!cl_task_finished(call.task)) {
        cl_task_run_ready(host);
        if (!cl_task_finished(call.task)) {
            uv_run(&host->loop, host->ready ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        }
    }
    struct outcome o = {.task = call.task};
    lua_pushcfunction(L, take_outcome);
    lua_pushlightuserdata(L, &o);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        cl_fail(&o.err, CL_BUG, "E_RESULT", "%s.%s: %s", module, function, lua_tostring(L, -1));
        o.ok = false;
    }
    lua_settop(L, 0);
    *exit_code = o.exit_code;
    if (!o.ok && err) {
        *err = o.err;
    }
    return o.ok;
}
