/* event: what one task waits for and others set. For the runtime's own Lua. */
#include <string.h>

#include <lauxlib.h>

#include "host/await.h"
#include "host/host.h"
#include "loop/timer.h"
#include "modules.h"

#define MT_EVENT "cl.event"

struct event {
    struct cl_wait wait;    /* first: cancel_wait gets its address */
    struct cl_timer *timer; /* limit of the wait, NULL: none */
    bool waiting;           /* a task is in :wait() */
    bool set;               /* :set() was called and not consumed yet */
};

static void stop_timer(struct event *e)
{
    cl_timer_stop(e->timer);
    e->timer = NULL;
}

static void cancel_wait(struct cl_wait *wait)
{
    struct event *e = (struct event *)wait;
    e->waiting = false;
    stop_timer(e);
}

static void on_limit(void *arg)
{
    struct event *e = arg;
    e->timer = NULL;
    e->waiting = false;
    cl_wait_done(&e->wait);
}

static int finish_wait(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    struct event *e = (struct event *)ctx;
    lua_pushboolean(L, e->set);
    e->set = false;
    return 1;
}

/* event:wait([limit_ms]) -> was it set? Consumes it. One waiter at a time. */
static int l_wait(lua_State *L)
{
    struct event *e = luaL_checkudata(L, 1, MT_EVENT);
    lua_Integer limit_ms = luaL_optinteger(L, 2, -1);
    if (e->waiting) {
        return luaL_error(L, "another task is waiting for this event already");
    }
    if (e->set) {
        return finish_wait(L, LUA_OK, (lua_KContext)e);
    }
    memset(&e->wait, 0, sizeof e->wait);
    e->wait.cancel = cancel_wait;
    e->waiting = true;
    if (limit_ms >= 0) {
        e->timer = cl_timer_start(cl_host_loop(cl_host_of(L)), (uint64_t)limit_ms, on_limit, e);
        if (!e->timer) {
            e->waiting = false;
            return luaL_error(L, "out of memory");
        }
    }
    lua_settop(L, 1);
    return cl_await(L, &e->wait, (lua_KContext)e, finish_wait);
}

/* event:set() */
static int l_set(lua_State *L)
{
    struct event *e = luaL_checkudata(L, 1, MT_EVENT);
    e->set = true;
    if (e->waiting) {
        e->waiting = false;
        stop_timer(e);
        cl_wait_done(&e->wait);
    }
    return 0;
}

static int event_gc(lua_State *L)
{
    struct event *e = lua_touserdata(L, 1);
    stop_timer(e);
    cl_wait_forget(&e->wait);
    return 0;
}

/* event.new() */
static int l_new(lua_State *L)
{
    struct event *e = lua_newuserdatauv(L, sizeof *e, 0);
    memset(e, 0, sizeof *e);
    luaL_setmetatable(L, MT_EVENT);
    return 1;
}

int luaopen_cl_event(lua_State *L)
{
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"wait", l_wait}, {"set", l_set}, {NULL, NULL}};
    if (luaL_newmetatable(L, MT_EVENT)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, event_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
