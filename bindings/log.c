/* log: one line an event. Values are the script's; secrets are kept out by never being strings
 * a script holds longer than it must (see secret). */
#include "base/log.h"

#include <lauxlib.h>

#include "modules.h"

static int write_log(lua_State *L, enum cl_log_level level)
{
    size_t n;
    const char *text = luaL_tolstring(L, 1, &n);
    (void)n;
    cl_log_event(level, text, lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL);
    return 0;
}

static int l_debug(lua_State *L)
{
    return write_log(L, CL_LOG_DEBUG);
}

static int l_info(lua_State *L)
{
    return write_log(L, CL_LOG_INFO);
}

static int l_warn(lua_State *L)
{
    return write_log(L, CL_LOG_WARN);
}

static int l_error(lua_State *L)
{
    return write_log(L, CL_LOG_ERROR);
}

int luaopen_cl_log(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"debug", l_debug}, {"info", l_info}, {"warn", l_warn}, {"error", l_error}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
