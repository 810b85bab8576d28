/* task: spawn, join and cancel coroutines. For the runtime's own Lua; scripts see `run` instead. */
#include "host/task.h"

#include <string.h>

#include <lauxlib.h>

#include "host/host.h"
#include "loop/timer.h"
#include "modules.h"

#define MT_JOIN "cl.task.join"

struct join {
    struct cl_wait wait;    /* first: cancel_join gets its address */
    struct cl_task *task;   /* joined; anchored at stack index 1 of the caller */
    struct cl_timer *timer; /* NULL: no limit, or it fired */
    bool timed_out;         /* the limit came first */
};

static void stop_join(struct join *join)
{
    cl_timer_stop(join->timer);
    join->timer = NULL;
    if (join->task) {
        cl_task_unjoin(join->task);
        join->task = NULL;
    }
}

static void cancel_join(struct cl_wait *wait)
{
    stop_join((struct join *)wait);
}

static void on_limit(void *arg)
{
    struct join *join = arg;
    join->timer = NULL;
    join->timed_out = true;
    stop_join(join);
    cl_wait_done(&join->wait);
}

static int finish_join(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct join *join = (struct join *)ctx;
    struct cl_task *task = join->task;
    cl_timer_stop(join->timer);
    join->timer = NULL;
    join->task = NULL;
    if (join->timed_out) {
        lua_pushnil(L);
        return 1;
    }
    return cl_task_push_outcome(L, task);
}

/* handle:join([timeout_ms]) -> true, results… | false, error | nil when the time ran out first */
static int l_join(lua_State *L)
{
    struct cl_task *task = cl_task_check(L, 1);
    lua_Integer limit_ms = luaL_optinteger(L, 2, -1);
    struct join *join = lua_newuserdatauv(L, sizeof *join, 0);
    memset(join, 0, sizeof *join);
    join->wait.cancel = cancel_join;
    luaL_setmetatable(L, MT_JOIN);
    if (!cl_task_join(task, &join->wait)) {
        return luaL_error(L, "somebody else is joining this task already");
    }
    join->task = task;
    if (limit_ms >= 0 && !join->wait.done) {
        join->timer =
            cl_timer_start(cl_host_loop(cl_host_of(L)), (uint64_t)limit_ms, on_limit, join);
    }
    return cl_await(L, &join->wait, (lua_KContext)join, finish_join);
}

static int join_gc(lua_State *L)
{
    struct join *join = lua_touserdata(L, 1);
    cl_timer_stop(join->timer);
    join->timer = NULL;
    return 0;
}

/* task.spawn(fn, …) -> handle */
static int l_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    cl_task_spawn(L, lua_gettop(L) - 1);
    return 1;
}

/* handle:cancel(error object): every wait of the task raises it from now on */
static int l_cancel(lua_State *L)
{
    struct cl_task *task = cl_task_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    cl_task_cancel(L, task);
    return 0;
}

/* handle:finished() */
static int l_finished(lua_State *L)
{
    lua_pushboolean(L, cl_task_finished(cl_task_check(L, 1)));
    return 1;
}

/* task.cancelled() -> the error object the running task was cancelled with, or nil */
static int l_cancelled(lua_State *L)
{
    struct cl_task *task = cl_task_current(L);
    return task && cl_task_push_cancel(L, task) ? 1 : 0;
}

int luaopen_cl_task(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"spawn", l_spawn}, {"cancelled", l_cancelled}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"join", l_join}, {"cancel", l_cancel}, {"finished", l_finished}, {NULL, NULL}};
    if (luaL_newmetatable(L, MT_JOIN)) {
        lua_pushcfunction(L, join_gc);
        lua_setfield(L, -2, "__gc");
    }
    luaL_getmetatable(L, CL_MT_TASK);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    luaL_newlib(L, functions);
    return 1;
}
