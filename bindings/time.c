/* time: clocks and sleeping. */
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "host/await.h"
#include "host/host.h"
#include "loop/timer.h"
#include "modules.h"

#define MT_SLEEP "cl.time.sleep"

struct sleep {
    struct cl_wait wait;    /* first: cancel_sleep gets its address */
    struct cl_timer *timer; /* NULL once it fired or was stopped */
};

static void on_awake(void *arg)
{
    struct sleep *sleep = arg;
    sleep->timer = NULL;
    cl_wait_done(&sleep->wait);
}

static void cancel_sleep(struct cl_wait *wait)
{
    struct sleep *sleep = (struct sleep *)wait;
    cl_timer_stop(sleep->timer);
    sleep->timer = NULL;
}

static int sleep_gc(lua_State *L)
{
    cancel_sleep(lua_touserdata(L, 1));
    return 0;
}

static int finish_sleep(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* time.sleep(ms) */
static int l_sleep(lua_State *L)
{
    lua_Number ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, ms >= 0 && ms < 1e12, 1, "milliseconds, 0 or more");
    struct sleep *sleep = lua_newuserdatauv(L, sizeof *sleep, 0);
    memset(sleep, 0, sizeof *sleep);
    sleep->wait.cancel = cancel_sleep;
    luaL_setmetatable(L, MT_SLEEP);
    sleep->timer = cl_timer_start(cl_host_loop(cl_host_of(L)), (uint64_t)ms, on_awake, sleep);
    if (!sleep->timer) {
        return luaL_error(L, "out of memory");
    }
    return cl_await(L, &sleep->wait, (lua_KContext)sleep, finish_sleep);
}

/* time.now() -> milliseconds since 1970-01-01 UTC, an integer */
static int l_now(lua_State *L)
{
    lua_pushinteger(L, cl_clock_wall_ms());
    return 1;
}

/* time.monotonic() -> milliseconds of the boot-time clock: for intervals */
static int l_monotonic(lua_State *L)
{
    lua_pushinteger(L, cl_clock_boot_ms());
    return 1;
}

/* time.iso([wall_ms]) -> "2026-02-24T13:05:09.123Z" */
static int l_iso(lua_State *L)
{
    char text[CL_ISO_BYTES];
    cl_clock_iso(luaL_optinteger(L, 1, cl_clock_wall_ms()), text);
    lua_pushstring(L, text);
    return 1;
}

int luaopen_cl_time(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sleep", l_sleep},
                                         {"now", l_now},
                                         {"monotonic", l_monotonic},
                                         {"iso", l_iso},
                                         {NULL, NULL}};
    if (luaL_newmetatable(L, MT_SLEEP)) {
        lua_pushcfunction(L, sleep_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
